//! The table in docs/permissions.md is exact: roles that may do what it says, and nothing else,
//! plan, run and report a campaign, and no call that patchfleet makes is missing from it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use aws_smithy_types::retry::RetryConfig;
use patchfleet_aws::iam::{Party, Policy};
use patchfleet_aws::{Aws, Operation, simulated_config};
use patchfleet_core::{port::Ports, report::ReportOutcome, request::PatchRequest};
use patchfleet_sim::{ClockMode, Sim, SimOptions, operations, world::World};
use patchfleet_tests::{central_region, plan_and_run, request};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const PAGE: &str = include_str!("../../docs/permissions.md");

/// The actions that the table gives to `who`, as IAM names them.
fn actions(who: &str) -> BTreeSet<String> {
    let begins = format!("| {who}");
    let row = PAGE
        .lines()
        .find(|line| line.starts_with(&begins))
        .expect("the table has a row for everybody");
    let is_action = |text: &&str| {
        text.split_once(':').is_some_and(|(service, operation)| {
            service
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter == '-')
                && operation.starts_with(|letter: char| letter.is_ascii_uppercase())
                && operation.chars().all(|letter| letter.is_ascii_alphanumeric())
        })
    };
    let quoted = row.split('`').skip(1).step_by(2);
    quoted.filter(is_action).map(str::to_owned).collect()
}

/// What AWS asks for beside the calls that patchfleet makes itself: what a call depends on, and what
/// it hands on.
const BESIDE_THE_CALLS: [&str; 6] = [
    "cloudformation:DescribeStacks",
    "cloudformation:ListStackResources",
    "iam:PassRole",
    "kms:Decrypt",
    "secretsmanager:GetSecretValue",
    "ssm:AddTagsToResource",
];

#[test]
fn every_call_that_patchfleet_makes_stands_in_the_table_and_nothing_else_does() {
    let table: BTreeSet<String> = &actions("the caller") | &actions("the discovery role");
    let mut wanted: BTreeSet<String> = Operation::ALL
        .iter()
        // Nobody can be denied that one (STS, GetCallerIdentity).
        .filter(|operation| **operation != Operation::GetCallerIdentity)
        .map(|operation| format!("{}:{operation}", operation.service()))
        .collect();
    wanted.extend(BESIDE_THE_CALLS.map(str::to_owned));
    assert_eq!(table, wanted);
}

#[test]
fn what_is_printed_for_everything_that_a_request_may_use_is_what_the_table_has() {
    let printed = |party: Party| -> BTreeSet<String> {
        let requests = [
            r#"targets = { resource_group = "Web", accounts = ["ou-perm-workload", "333333333333"], include_child_ous = true, regions = "all-enabled" }
               access = { external_id = { ssm = "/id" } }
               waves = [{ name = "canary", account_tags = { Stage = "canary" } }]"#,
            r#"change_calendars = ["Freezes"]
               breaker = { alarm = "web errors", hand_alarm_to_aws = true }
               targets = { tags = { Env = ["prod"] }, accounts = ["ou-perm-workload"], regions = ["us-east-1"] }
               access = { external_id = { secret = "id" } }
               patch = { operation = "Install", baseline_override = "s3://bucket/key" }"#,
            r#"targets = { resource_group = "Web", accounts = ["ou-perm-workload"], regions = ["us-east-1"] }
               automation = { dispatch = "run-command" }"#,
        ];
        let requests = requests.map(|text| request(&format!("name = \"printed\"\n{text}")).unwrap());
        let of = |request| Policy::of(party, request, None).with_sharing();
        let policies: Vec<Policy> = requests.iter().map(of).collect();
        let actions = policies.iter().flat_map(Policy::actions);
        actions.map(str::to_owned).collect()
    };
    for (party, who) in [
        (Party::Management, "the caller"),
        (Party::Administration, "the administration role"),
        (Party::Execution, "the execution role"),
        (Party::Discovery, "the discovery role"),
    ] {
        assert_eq!(printed(party), actions(who), "{who}");
    }
}

/// Three roles in two accounts of one unit. Each may do what the table gives it, and nothing else
/// that the simulator answers, nor what is `denied` to the discovery role besides.
fn world(denied: &[&str]) -> World {
    let everything: BTreeSet<String> = operations()
        .into_iter()
        .map(|(service, operation)| format!("{}:{operation}", service.name()))
        .collect();
    let but = |allowed: BTreeSet<String>, denied: &[&str]| {
        let mut rest: Vec<String> = everything.difference(&allowed).cloned().collect();
        rest.extend(denied.iter().map(|&action| action.to_owned()));
        serde_json::to_string(&rest).unwrap()
    };
    let text = format!(
        r#"
        management_account = "111111111111"
        organization = {{ id = "o-permission", root = "r-perm" }}
        units = [{{ id = "ou-perm-workload", name = "Workloads" }}]
        documents = [{{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }}]
        roles = [
            {{ name = "Discovery", denied_actions = {} }},
            {{ name = "AWS-SystemsManager-AutomationExecutionRole", denied_actions = {} }},
            {{ name = "Caller", denied_actions = {} }},
        ]
        [[accounts]]
        id = "111111111111"
        name = "Main"
        [[accounts]]
        id = "222222222222"
        name = "Web"
        parent = "ou-perm-workload"
        tags = {{ Stage = "canary" }}
        [[accounts]]
        id = "333333333333"
        name = "Shop"
        parent = "ou-perm-workload"
        [[groups]]
        name = "WebServers"
        accounts = ["222222222222", "333333333333"]
        regions = ["us-east-1", "eu-west-1"]
        nodes = [{{ count = 2, tags = {{ Env = "prod" }} }}]
        "#,
        but(actions("the discovery role"), denied),
        but(actions("the execution role"), &[]),
        but(actions("the caller"), &[]),
    );
    World::parse(&text).unwrap()
}

fn asked(selection: &str, patch: &str) -> PatchRequest {
    let (patch, labels, waves) = match patch {
        LABEL => ("", LABEL, ""),
        WAVE => ("", "", WAVE),
        patch => (patch, "", ""),
    };
    request(&format!(
        r#"
        name = "permissions"
        patch = {{ operation = "Install"{patch} }}
        targets = {{ {selection}, accounts = ["ou-perm-workload", "333333333333"], regions = "all-enabled" }}
        budget = {{ nodes = {{ max_concurrency = 2, max_errors = 1 }}{labels} }}
        access = {{ discovery_role = "Discovery" }}
        {waves}
        "#
    ))
    .unwrap()
}

/// The adapter's ports, called by the role `Caller` of the central account.
fn ports(sim: &Sim, request: &PatchRequest) -> Ports {
    let clock = Arc::new(sim.clock());
    let caller = sim
        .role_credentials("arn:aws:iam::111111111111:role/Caller")
        .unwrap();
    let given = aws_credential_types::Credentials::new(
        caller.access_key_id,
        caller.secret_access_key,
        caller.session_token,
        None,
        "test",
    );
    let config = simulated_config(&sim.endpoint(), &central_region().unwrap())
        .into_builder()
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
            given,
        ))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .build();
    let aws = Aws::builder(&config)
        .access(request.access.clone())
        .clock(clock.clone())
        .build()
        .unwrap();
    Ports::of(aws, clock)
}

async fn simulated(denied: &[&str]) -> Sim {
    let options = SimOptions {
        clock: ClockMode::Jump,
        ..SimOptions::default()
    };
    Sim::start(world(denied), options).await.unwrap()
}

const GROUP: &str = r#"resource_group = "WebServers""#;
const TAGS: &str = r#"tags = { Env = ["prod"] }"#;
/// Stands in the place of something of the patch, and is a part of the budget.
const LABEL: &str = r#", labels = [{ by = "tag:Env", max_in_flight = 1 }]"#;
/// Likewise, and is a wave.
const WAVE: &str = r#"waves = [{ name = "canary", account_tags = { Stage = "canary" } }]"#;
const OVERRIDE: &str = r#", baseline_override = "s3://bucket/baseline.json""#;

#[tokio::test]
async fn roles_that_may_do_what_the_table_says_plan_run_and_report() {
    for (selection, patch) in [
        (GROUP, ""),
        (TAGS, ""),
        (GROUP, OVERRIDE),
        (GROUP, LABEL),
        (GROUP, WAVE),
    ] {
        let case = format!("{selection}{patch}");
        let request = asked(selection, patch);
        let sim = simulated(&[]).await;
        let (plan, ended) = plan_and_run(&ports(&sim, &request), &request).await.unwrap();
        let denied: Vec<String> = sim.with_world(|world| {
            let requests = world.requests().iter();
            requests
                .filter(|request| {
                    request
                        .error
                        .as_deref()
                        .is_some_and(|code| code.contains("AccessDenied"))
                })
                .map(|request| {
                    format!(
                        "{}:{} by {}",
                        request.service, request.operation, request.principal
                    )
                })
                .collect()
        });
        assert!(denied.is_empty(), "{case}: {denied:?}");
        assert_eq!(plan.locations.len(), 4, "{case}");
        let told: Vec<&String> = plan
            .warnings
            .iter()
            .filter(|warning| warning.contains("needed") || warning.contains("could not be"))
            .collect();
        assert!(told.is_empty(), "{case}: {told:?}");
        assert_eq!(ended.report.outcome, ReportOutcome::Succeeded, "{case}");
    }
}

/// The actions of the discovery role without which a campaign is refused, warned of, or ends without
/// its results. Steps are asked for only where an execution's answer is cut short.
const MISSED: [(&str, &str, &str); 12] = [
    ("ssm:GetDocument", GROUP, ""),
    ("ssm:DescribeInstanceInformation", GROUP, ""),
    ("ssm:GetAutomationExecution", GROUP, ""),
    ("ssm:DescribeAutomationExecutions", GROUP, ""),
    ("ssm:ListCommands", GROUP, ""),
    ("ssm:ListCommandInvocations", GROUP, ""),
    ("ssm:DescribeInstancePatchStates", GROUP, ""),
    ("account:ListRegions", GROUP, ""),
    ("resource-groups:ListGroupResources", GROUP, ""),
    ("resource-groups:SearchResources", TAGS, ""),
    ("ssm:GetCommandInvocation", GROUP, OVERRIDE),
    ("tag:GetResources", GROUP, LABEL),
];

#[tokio::test]
async fn what_the_table_gives_to_the_discovery_role_is_missed_where_it_is_denied() {
    for (action, selection, patch) in MISSED {
        assert!(actions("the discovery role").contains(action), "{action}");
        let request = asked(selection, patch);
        let sim = simulated(&[action]).await;
        let missed = match plan_and_run(&ports(&sim, &request), &request).await {
            Err(refused) => refused.to_string().contains("AccessDenied"),
            Ok((plan, ended)) => {
                plan.warnings
                    .iter()
                    .any(|warning| warning.contains("AccessDenied"))
                    || ended.report.outcome != ReportOutcome::Succeeded
            }
        };
        assert!(missed, "{action}");
    }
}
