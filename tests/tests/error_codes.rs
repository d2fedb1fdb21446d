//! Every error that the simulator can answer is the same failure through the ports in memory and,
//! through the real SDK, over HTTP: the same kind, the same word on whether the call may have taken
//! effect, and the same reason.

#![expect(
    clippy::unwrap_used,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use patchfleet_core::{
    id::{Location, OrgParent},
    port::{PortError, PortErrorKind, Ports, Selection, Sent},
    request::{Access, ExternalId, ExternalIdText},
};
use patchfleet_sim::{
    ClockMode, Sim, SimClock, SimOptions,
    spec::{FaultEffect, FaultSpec},
    world::World,
};
use patchfleet_tests::{in_memory, over_http};
use serde_json::Value;
use std::collections::BTreeMap;

/// Each service with its model, as the simulator has it, and the operation that is called there.
const SERVICES: [(&str, &str, &str); 7] = [
    (
        "ssm",
        "ListCommands",
        include_str!("../../patchfleet-sim/model/ssm.json"),
    ),
    (
        "sts",
        "AssumeRole",
        include_str!("../../patchfleet-sim/model/sts.json"),
    ),
    (
        "organizations",
        "ListAccountsForParent",
        include_str!("../../patchfleet-sim/model/organizations.json"),
    ),
    (
        "resource-groups",
        "ListGroupResources",
        include_str!("../../patchfleet-sim/model/resource-groups.json"),
    ),
    (
        "tag",
        "GetResources",
        include_str!("../../patchfleet-sim/model/resourcegroupstaggingapi.json"),
    ),
    (
        "account",
        "ListRegions",
        include_str!("../../patchfleet-sim/model/account.json"),
    ),
    (
        "cloudwatch",
        "DescribeAlarms",
        include_str!("../../patchfleet-sim/model/cloudwatch.json"),
    ),
];

/// Errors that no model names: AWS's common errors, and one that nobody knows.
const UNMODELLED: [&str; 22] = [
    "AccessDenied",
    "AuthFailure",
    "BandwidthLimitExceeded",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "LimitExceededException",
    "OptInRequired",
    "RegionDisabledException",
    "RequestExpired",
    "RequestLimitExceeded",
    "RequestTimeout",
    "SerializationException",
    "ServiceQuotaExceededException",
    "SlowDown",
    "SomethingOfTomorrowException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationError",
];

fn world() -> World {
    World::parse(
        r#"
        management_account = "111111111111"
        regions = ["us-east-1", "eu-west-1"]
        accounts = [
          { id = "111111111111", name = "Central" },
          { id = "222222222222", name = "Other", roles = [{ name = "Discovery", external_id = "secret-1" }] },
        ]
        "#,
    )
    .unwrap()
}

fn access() -> Access {
    Access {
        discovery_role: "Discovery".parse().unwrap(),
        send_role: None,
        external_id: ExternalIdText::new("secret-1").map(ExternalId::Text),
        session_name: "patchfleet".parse().unwrap(),
    }
}

fn location(account: &str, region: &str) -> Location {
    Location::new(account.parse().unwrap(), region.parse().unwrap())
}

/// Makes the call of a service that this world refuses. `region` counts where the service has one.
async fn failure_of(ports: &Ports, service: &str, region: &str) -> PortError {
    let command = "5b6c7d8e-0000-4000-8000-123456789012".parse().unwrap();
    let own = location("111111111111", region);
    let root = OrgParent::Root("r-pf01".parse().unwrap());
    match service {
        "ssm" => ports.commands.command(&own, &command).await.unwrap_err(),
        "sts" => {
            let other = location("222222222222", region);
            ports.commands.command(&other, &command).await.unwrap_err()
        }
        "organizations" => ports.directory.accounts(&root, None).await.unwrap_err(),
        "resource-groups" => {
            let group = Selection::Group("WebServers".parse().unwrap());
            ports.inventory.members(&own, &group, None).await.unwrap_err()
        }
        "tag" => ports
            .inventory
            .tag_values(&own, "Service", None)
            .await
            .unwrap_err(),
        "cloudwatch" => {
            let alarm = "web errors".parse().unwrap();
            ports.alarms.alarm(&alarm).await.unwrap_err()
        }
        _ => ports.directory.regions(&own.account, None).await.unwrap_err(),
    }
}

/// What patchfleet acts on.
type Read = (PortErrorKind, Sent, String);

fn read(error: &PortError) -> Read {
    (error.kind(), error.sent(), error.reason())
}

fn fault(service: &str, operation: &str, effect: FaultEffect) -> FaultSpec {
    let text = serde_json::json!({ "effect": effect, "operations": [format!("{service}:{operation}")] });
    serde_json::from_value(text).unwrap()
}

/// What either front makes of an effect, by Region.
async fn on_both_fronts(
    sim: &Sim,
    (service, operation): (&str, &str),
    region: &str,
    effect: FaultEffect,
) -> [Read; 2] {
    let fault = fault(service, operation, effect);
    let clock = SimClock::new(world(), ClockMode::Jump);
    clock.with_world(|world| world.add_fault(fault.clone())).unwrap();
    let memory = in_memory(&clock, &access()).unwrap();
    sim.with_world(|world| {
        world.clear_faults();
        world.add_fault(fault)
    })
    .unwrap();
    let http = over_http(sim, &access()).unwrap();
    [
        read(&failure_of(&memory, service, region).await),
        read(&failure_of(&http, service, region).await),
    ]
}

#[tokio::test]
async fn every_error_that_the_simulator_can_answer_is_the_same_failure_on_both_fronts() {
    let sim = Sim::start(world(), SimOptions::default()).await.unwrap();
    let mut differ = vec![];
    let mut kinds = BTreeMap::<PortErrorKind, usize>::new();
    for (service, operation, model) in SERVICES {
        let model: Value = serde_json::from_str(model).unwrap();
        let modelled = model.get("errors").and_then(Value::as_object).unwrap();
        let codes = modelled.keys().map(String::as_str).chain(UNMODELLED);
        for code in codes {
            for region in ["us-east-1", "eu-west-1"] {
                let effect = FaultEffect::Error(code.to_owned());
                let [memory, http] = on_both_fronts(&sim, (service, operation), region, effect).await;
                *kinds.entry(http.0).or_default() += 1;
                if memory != http {
                    differ.push(format!(
                        "{service} {code} in {region}: in memory {memory:?}, over HTTP {http:?}"
                    ));
                }
            }
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    // All kinds but that of a stored file, so that no mistake makes this test say nothing.
    assert_eq!(kinds.len(), 13, "{kinds:?}");
}

#[tokio::test]
async fn every_way_to_fail_that_a_fault_has_is_the_same_failure_on_both_fronts() {
    let sim = Sim::start(world(), SimOptions::default()).await.unwrap();
    for (service, operation, _) in SERVICES {
        for effect in [
            FaultEffect::Throttle,
            FaultEffect::InternalError,
            FaultEffect::Deny,
            FaultEffect::ExpireCredentials,
        ] {
            let [memory, http] =
                on_both_fronts(&sim, (service, operation), "us-east-1", effect.clone()).await;
            assert_eq!(memory, http, "{service} {effect:?}");
        }
        // What the SDK says of a connection that broke is its own.
        for effect in [
            FaultEffect::DropBefore,
            FaultEffect::DropAfter,
            FaultEffect::Truncate,
        ] {
            let [memory, http] =
                on_both_fronts(&sim, (service, operation), "us-east-1", effect.clone()).await;
            assert_eq!(
                (memory.0, memory.1),
                (http.0, http.1),
                "{service} {effect:?} {memory:?} {http:?}"
            );
        }
    }
}
