//! Faults, rates, permissions and the end of credentials.

use crate::{
    fleet::{Fleet, start_input},
    socket::{self, credential, sim},
};
use patchfleet_sim::{Caller, ClockMode, Service, call, spec::FaultSpec};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const WEB: &str = "222222222222";

fn fault(fault: Value) -> FaultSpec {
    serde_json::from_value(fault).unwrap()
}

fn with_fault(spec: Value) -> Fleet {
    let mut fleet = Fleet::with_nodes("{ count = 3 }");
    fleet.world.add_fault(fault(spec)).unwrap();
    fleet
}

/// The error codes of this number of calls to DescribeInstanceInformation. An empty code is a success.
fn codes(fleet: &mut Fleet, calls: usize) -> Vec<String> {
    let mut code = || match fleet.ssm("DescribeInstanceInformation", json!({})) {
        Ok(_) => String::new(),
        Err(error) => error.code().to_owned(),
    };
    (0..calls).map(|_| code()).collect()
}

#[test]
fn each_service_throttles_and_fails_in_its_own_words() {
    for (service, operation, throttled, failed) in [
        (
            Service::Ssm,
            "ListCommands",
            (400, "ThrottlingException"),
            "InternalServerError",
        ),
        (
            Service::Sts,
            "GetCallerIdentity",
            (400, "Throttling"),
            "InternalFailure",
        ),
        (
            Service::Organizations,
            "ListRoots",
            (400, "TooManyRequestsException"),
            "ServiceException",
        ),
        (
            Service::ResourceGroups,
            "ListGroupResources",
            (429, "TooManyRequestsException"),
            "InternalServerErrorException",
        ),
        (
            Service::Account,
            "ListRegions",
            (429, "TooManyRequestsException"),
            "InternalServerException",
        ),
    ] {
        for (effect, status, code) in [
            ("throttle", throttled.0, throttled.1),
            ("internal_error", 500, failed),
        ] {
            let mut fleet = with_fault(json!({"effect": effect}));
            let error = call(&mut fleet.world, &fleet.caller, service, operation, json!({})).unwrap_err();
            assert_eq!(
                (error.status(), error.code()),
                (status, code),
                "{operation} {effect}"
            );
        }
    }
}

#[test]
fn a_fault_strikes_the_calls_that_it_names_and_no_other() {
    let mut fleet = with_fault(json!({
        "effect": {"error": "InvalidFilterKey"},
        "operations": ["ssm:DescribeInstance*"],
        "regions": ["us-east-1"],
        "calls": [1, 3],
    }));
    assert_eq!(
        codes(&mut fleet, 4),
        ["InvalidFilterKey", "", "InvalidFilterKey", ""]
    );
    assert!(fleet.ssm("ListCommands", json!({})).is_ok());
    fleet.caller.region = "eu-west-1".parse().unwrap();
    assert_eq!(codes(&mut fleet, 1), [""]);
    assert_eq!(fleet.world.faults()[0].struck, 2);
    fleet.world.clear_faults();
    fleet.caller.region = "us-east-1".parse().unwrap();
    assert_eq!(codes(&mut fleet, 4), [""; 4]);
}

#[test]
fn a_fault_that_comes_again_counts_anew() {
    let spec = json!({"effect": "throttle", "calls": [1]});
    let mut fleet = with_fault(spec.clone());
    assert_eq!(codes(&mut fleet, 2), ["ThrottlingException", ""]);
    fleet.world.clear_faults();
    fleet.world.add_fault(fault(spec)).unwrap();
    assert_eq!(codes(&mut fleet, 2), ["ThrottlingException", ""]);
}

#[test]
fn calls_are_counted_for_each_location_apart() {
    let spec = json!({"effect": "throttle", "calls": [1]});
    let strikes = |order: [&str; 4]| {
        let mut fleet = with_fault(spec.clone());
        let mut struck = order.map(|region| {
            fleet.caller.region = region.parse().unwrap();
            (region.to_owned(), codes(&mut fleet, 1))
        });
        struck.sort();
        struck
    };
    let one = strikes(["us-east-1", "us-east-1", "eu-west-1", "eu-west-1"]);
    let other = strikes(["eu-west-1", "us-east-1", "eu-west-1", "us-east-1"]);
    assert_eq!(one, other);
}

#[test]
fn a_share_is_drawn_from_the_seed() {
    let drawn = || {
        let mut fleet = with_fault(json!({"effect": "throttle", "share": 0.25}));
        codes(&mut fleet, 400)
    };
    let codes = drawn();
    let struck = codes.iter().filter(|code| !code.is_empty()).count();
    assert!((70..130).contains(&struck), "{struck} of 400");
    assert_eq!(codes, drawn());
}

#[test]
fn a_fault_has_its_time() {
    let mut fleet = with_fault(json!({"effect": "throttle", "from_seconds": 60, "until_seconds": 120}));
    let mut after = |seconds| {
        fleet.world.advance_by(jiff::SignedDuration::from_secs(seconds));
        codes(&mut fleet, 1).remove(0)
    };
    assert_eq!(
        [after(0), after(59), after(1), after(59), after(1)],
        ["", "", "ThrottlingException", "ThrottlingException", ""]
    );
}

#[test]
fn a_call_that_is_dropped_before_does_nothing_and_one_after_has_taken_effect() {
    for (effect, started) in [
        ("drop_before", 0),
        ("drop_after", 1),
        ("truncate", 1),
        ("internal_error", 0),
    ] {
        let mut fleet = with_fault(json!({"effect": effect}));
        let error = fleet
            .ssm("StartAutomationExecution", start_input(&[WEB], &["us-east-1"]))
            .unwrap_err();
        assert_eq!(error.is_lost(), effect != "internal_error", "{effect}");
        assert_eq!(fleet.world.executions().count(), started, "{effect}");
        assert_eq!(fleet.world.requests()[0].faults, [effect]);
    }
}

#[test]
fn a_partial_listing_is_a_success_that_says_so() {
    let mut fleet = with_fault(json!({"effect": {"query_errors": ["CLOUDFORMATION_STACK_INACTIVE"]}}));
    let caller = fleet.within(WEB, "us-east-1");
    let input = json!({"Group": "Web"});
    let listed = call(
        &mut fleet.world,
        &caller,
        Service::ResourceGroups,
        "ListGroupResources",
        input,
    )
    .unwrap();
    assert_eq!(
        listed["QueryErrors"][0]["ErrorCode"],
        "CLOUDFORMATION_STACK_INACTIVE"
    );
    assert_eq!(listed["Resources"].as_array().unwrap().len(), 3);
}

#[test]
fn expired_credentials_stay_expired_until_the_role_is_assumed_again() {
    let mut fleet = with_fault(json!({"effect": "expire_credentials", "accounts": [WEB], "calls": [1]}));
    let caller = fleet.within(WEB, "us-east-1");
    let asks = |fleet: &mut Fleet, caller: &Caller| {
        let result = call(&mut fleet.world, caller, Service::Ssm, "ListCommands", json!({}));
        result.map_or_else(|error| error.code().to_owned(), |_| String::new())
    };
    assert_eq!(asks(&mut fleet, &caller), "ExpiredTokenException");
    assert_eq!(asks(&mut fleet, &caller), "ExpiredTokenException");
    let identity = call(
        &mut fleet.world,
        &caller,
        Service::Sts,
        "GetCallerIdentity",
        json!({}),
    );
    assert_eq!(identity.unwrap_err().code(), "ExpiredToken");
    let renewed = fleet.within(WEB, "us-east-1");
    assert_eq!(asks(&mut fleet, &renewed), "");
}

#[test]
fn rates_are_calls_a_second_for_each_location_and_operation() {
    let world = crate::fleet::world("").replacen(
        "documents",
        "rates = { \"ssm:DescribeInstanceInformation\" = 3, \"ssm:ListCommands\" = 0.5 }\ndocuments",
        1,
    );
    let mut fleet = Fleet::of(&world);
    let throttled = "ThrottlingException";
    assert_eq!(codes(&mut fleet, 5), ["", "", "", throttled, throttled]);
    fleet.world.advance_by(jiff::SignedDuration::from_millis(334));
    assert_eq!(codes(&mut fleet, 2), ["", throttled]);
    fleet.caller.region = "eu-west-1".parse().unwrap();
    assert_eq!(codes(&mut fleet, 1), [""]);
    let mut lists = |seconds| {
        fleet.world.advance_by(jiff::SignedDuration::from_secs(seconds));
        fleet.ssm("ListCommands", json!({})).is_ok()
    };
    assert_eq!([lists(0), lists(1), lists(1)], [true, false, true]);
}

#[test]
fn a_bucket_of_calls_begins_with_its_burst_and_fills_by_its_rate() {
    let world = crate::fleet::world("").replacen(
        "documents",
        "rates = { \"ssm:DescribeInstanceInformation\" = { rate = 2, burst = 3 } }\ndocuments",
        1,
    );
    let mut fleet = Fleet::of(&world);
    let throttled = "ThrottlingException";
    assert_eq!(codes(&mut fleet, 4), ["", "", "", throttled]);
    fleet.world.advance_by(jiff::SignedDuration::from_millis(1000));
    assert_eq!(codes(&mut fleet, 3), ["", "", throttled]);
    fleet.world.advance_by(jiff::SignedDuration::from_secs(60));
    assert_eq!(codes(&mut fleet, 4), ["", "", "", throttled]);
}

#[test]
fn a_role_may_not_do_what_is_denied_to_it() {
    let world = crate::fleet::world("").replacen(
        "documents",
        "roles = [{ name = \"AWS-SystemsManager-AutomationExecutionRole\", denied_actions = [\"ssm:DescribeInstance*\"] }]\ndocuments",
        1,
    );
    let mut fleet = Fleet::of(&world);
    fleet.caller = fleet.within(WEB, "us-east-1");
    assert_eq!(codes(&mut fleet, 1), ["AccessDeniedException"]);
    assert!(fleet.ssm("ListCommands", json!({})).is_ok());
}

#[test]
fn a_roles_session_lasts_as_long_as_the_role_allows() {
    let mut fleet = Fleet::with_nodes("");
    let role = "arn:aws:iam::222222222222:role/AWS-SystemsManager-AutomationExecutionRole";
    let mut assume = |seconds| {
        let input = json!({"RoleArn": role, "RoleSessionName": "me", "DurationSeconds": seconds});
        let result = call(&mut fleet.world, &fleet.caller, Service::Sts, "AssumeRole", input);
        result.map_or_else(|error| error.code().to_owned(), |_| String::new())
    };
    assert_eq!(
        [assume(900), assume(3600), assume(3601), assume(899)],
        ["", "", "ValidationError", "ValidationError"]
    );
}

#[test]
fn a_session_policy_is_read_and_has_its_room() {
    let mut fleet = Fleet::with_nodes("");
    let role = "arn:aws:iam::222222222222:role/AWS-SystemsManager-AutomationExecutionRole";
    let mut assume = |policy: &str| {
        let input = json!({"RoleArn": role, "RoleSessionName": "me", "Policy": policy});
        call(&mut fleet.world, &fleet.caller, Service::Sts, "AssumeRole", input)
    };
    let assumed = assume(r#"{"Version": "2012-10-17", "Statement": []}"#).unwrap();
    assert_eq!(assumed["PackedPolicySize"], 3);
    assert_eq!(assume("{").unwrap_err().code(), "MalformedPolicyDocument");
    let large = format!(r#"{{"Statement": ["{}"]}}"#, "x".repeat(2048));
    assert_eq!(assume(&large).unwrap_err().code(), "PackedPolicyTooLarge");
}

#[test]
fn words_stand_behind_every_text_of_an_answer_and_in_no_id() {
    let mut fleet = with_fault(json!({"effect": {"words": " \u{1b}[2J"}}));
    let ends = |value: &Value| value.as_str().unwrap().ends_with(" \u{1b}[2J");
    let accounts = call(
        &mut fleet.world,
        &fleet.caller,
        Service::Organizations,
        "ListAccounts",
        json!({}),
    )
    .unwrap();
    assert!(ends(&accounts["Accounts"][0]["Name"]), "{accounts}");
    let error = fleet.ssm("GetDocument", json!({"Name": "Nowhere"})).unwrap_err();
    assert!(error.message().ends_with(" \u{1b}[2J"), "{error}");
    fleet.caller = fleet.within(WEB, "us-east-1");
    let listed = fleet.ssm("DescribeInstanceInformation", json!({})).unwrap();
    let node = &listed["InstanceInformationList"][0];
    assert!(
        ends(&node["ComputerName"]) && ends(&node["PlatformName"]),
        "{node}"
    );
    assert!(!ends(&node["InstanceId"]), "{node}");
}

/// Everything that comes back until the connection ends.
async fn raw(address: std::net::SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-Amz-Target: AmazonSSM.ListCommands\r\nAuthorization: {}\r\n\r\n{{}}",
        credential("AKID", "ssm")
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn over_http_an_answer_is_lost_with_its_connection() {
    let sim = sim(ClockMode::Jump).await;
    let add = |spec: Value| {
        sim.with_world(|world| {
            world.clear_faults();
            world.add_fault(fault(spec)).unwrap();
        });
    };
    for effect in ["drop_before", "drop_after"] {
        add(json!({"effect": effect}));
        assert_eq!(raw(sim.address()).await, "");
    }
    add(json!({"effect": "truncate"}));
    let text = raw(sim.address()).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length: usize = socket::between(
        &format!("{}\r\n", head.to_ascii_lowercase()),
        "content-length: ",
        "\r\n",
    )
    .parse()
    .unwrap();
    assert!(body.len() < length, "{text}");
}

#[tokio::test]
async fn faults_come_and_go_by_http() {
    let sim = sim(ClockMode::Jump).await;
    let add = socket::send(
        &sim,
        "POST /_sim/fault",
        &[],
        r#"{"effect": {"slow": 1500}, "operations": ["ssm:ListCommands"]}"#,
    )
    .await;
    assert_eq!((add.status, add.json()[0]["struck"].clone()), (200, json!(0)));
    let before = sim.with_world(|world| world.now());
    socket::target(&sim, "AKID", "AmazonSSM.ListCommands", json!({})).await;
    let now = sim.with_world(|world| world.now());
    assert_eq!(now.duration_since(before).as_millis(), 1500);
    assert_eq!(
        socket::send(&sim, "GET /_sim/fault", &[], "").await.json()[0]["struck"],
        1
    );
    let wrong = socket::send(&sim, "POST /_sim/fault", &[], r#"{"effect": "dance"}"#).await;
    assert_eq!(wrong.status, 400);
    assert_eq!(
        socket::send(&sim, "DELETE /_sim/fault", &[], "").await.json(),
        json!([])
    );
    assert!(sim.with_world(|world| world.faults().is_empty()));
}
