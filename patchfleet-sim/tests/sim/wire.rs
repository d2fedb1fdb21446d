//! The HTTP front, spoken to as a socket.

use crate::socket::{Reply, between, credential, send, sim, sts, target};
use patchfleet_core::port::Automation;
use patchfleet_sim::{ClockMode, world::World};
use serde_json::{Value, json};
use tokio::net::TcpStream;

const ASSUME: &str = "Action=AssumeRole&Version=2011-06-15&RoleSessionName=me&RoleArn=arn%3Aaws%3Aiam%3A%3A222222222222%3Arole%2FAWS-SystemsManager-AutomationExecutionRole";

#[tokio::test]
async fn json_operations_answer_with_the_services_content_type_and_a_request_id() {
    let sim = sim(ClockMode::Jump).await;
    let reply = target(&sim, "AKID", "AWSOrganizationsV20161128.ListRoots", json!({})).await;
    assert_eq!(reply.status, 200);
    assert!(
        reply.head.contains("content-type: application/x-amz-json-1.1"),
        "{}",
        reply.head
    );
    assert!(
        reply.head.contains("x-amzn-requestid: ") && reply.head.contains("\ndate: "),
        "{}",
        reply.head
    );
    assert_eq!(
        reply.json()["Roots"][0]["Id"],
        sim.with_world(|world| world.organization().root().to_string())
    );
}

#[tokio::test]
async fn an_answer_has_the_worlds_date_and_an_error_the_machines() {
    let sim = sim(ClockMode::Jump).await;
    let date_of = |reply: &Reply| {
        let date = between(&reply.head, "\ndate: ", "\r\n").to_uppercase();
        jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(&date)
            .unwrap()
    };
    let reply = target(&sim, "AKID", "AmazonSSM.ListCommands", json!({})).await;
    let now = sim.with_world(|world| world.now());
    assert_eq!(date_of(&reply).as_second(), now.as_second());
    // An SDK that is refused compares this date with its own clock.
    let reply = target(&sim, "AKID", "AmazonSSM.MakeCoffee", json!({})).await;
    let away = jiff::Timestamp::now().duration_since(date_of(&reply)).abs();
    assert!(away < jiff::SignedDuration::from_mins(1), "{away}");
}

#[tokio::test]
async fn an_assumed_roles_key_acts_in_the_roles_account() {
    let sim = sim(ClockMode::Jump).await;
    let reply = sts(&sim, ASSUME).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.body.starts_with(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>"
    ));
    let key = between(&reply.body, "<AccessKeyId>", "</AccessKeyId>");
    let token = between(&reply.body, "<SessionToken>", "</SessionToken>");
    let list = async |token: &str| {
        let headers = [
            ("Content-Type", "application/json"),
            ("Authorization", &credential(key, "resource-groups")),
            ("X-Amz-Security-Token", token),
        ];
        send(&sim, "POST /list-group-resources", &headers, r#"{"Group":"Web"}"#).await
    };
    assert_eq!(list(token).await.json()["Resources"].as_array().unwrap().len(), 3);
    let refused = list("another").await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.body.contains("#UnrecognizedClientException"),
        "{}",
        refused.body
    );
    let log = send(&sim, "GET /_sim/requests", &[], "").await.json();
    assert_eq!(log[1]["account"], "222222222222");
    assert_eq!(log[1]["principal_account"], "111111111111");
    assert_eq!(
        (&log[1]["operation"], &log[1]["status"]),
        (&json!("ListGroupResources"), &json!(200))
    );
    assert_eq!(log[1]["input"], json!({"Group": "Web"}));
}

#[tokio::test]
async fn errors_have_each_protocols_shape() {
    let sim = sim(ClockMode::Jump).await;
    let reply = target(
        &sim,
        "AKID",
        "AmazonSSM.GetAutomationExecution",
        json!({"AutomationExecutionId": "x"}),
    )
    .await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["__type"], "com.amazonaws.ssm#ValidationException");
    let reply = sts(&sim, &ASSUME.replace("222222222222", "333333333333")).await;
    assert_eq!(reply.status, 403);
    assert!(
        reply
            .body
            .contains("<Error><Type>Sender</Type><Code>AccessDenied</Code>"),
        "{}",
        reply.body
    );
    let headers = [
        ("Content-Type", "application/json"),
        ("Authorization", &*credential("AKID", "resource-groups")),
    ];
    let reply = send(&sim, "POST /get-group", &headers, r#"{"Group":"Web"}"#).await;
    assert_eq!(reply.status, 404);
    assert!(
        reply.head.contains("x-amzn-errortype: notfoundexception"),
        "{}",
        reply.head
    );
}

#[tokio::test]
async fn what_cannot_be_read_or_is_not_there_is_refused_as_aws_refuses_it() {
    let sim = sim(ClockMode::Jump).await;
    let code = |reply: Reply| {
        reply.json()["__type"]
            .as_str()
            .unwrap()
            .rsplit_once('#')
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(
        code(target(&sim, "AKID", "AmazonSSM.MakeCoffee", json!({})).await),
        "UnknownOperationException"
    );
    assert_eq!(
        code(target(&sim, "AKID", "AmazonEC2.Run", json!({})).await),
        "UnknownOperationException"
    );
    assert_eq!(
        code(
            target(
                &sim,
                "AKID",
                "AmazonSSM.ListCommands",
                json!({"MaxResults": "many"})
            )
            .await
        ),
        "SerializationException"
    );
    let headers = [
        ("X-Amz-Target", "AmazonSSM.ListCommands"),
        ("Authorization", &*credential("AKID", "ssm")),
    ];
    assert_eq!(
        code(send(&sim, "POST /", &headers, "{not json").await),
        "SerializationException"
    );
    let unsigned = send(
        &sim,
        "POST /",
        &[("X-Amz-Target", "AmazonSSM.ListCommands")],
        "{}",
    )
    .await;
    assert_eq!(
        (unsigned.status, code(unsigned)),
        (403, "MissingAuthenticationTokenException".to_owned())
    );
    assert_eq!(send(&sim, "GET /", &[], "").await.status, 404);
    let log = send(&sim, "GET /_sim/requests", &[], "").await.json();
    let errors: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["error"].as_str().unwrap())
        .collect();
    let unknown = "UnknownOperationException";
    let unread = "SerializationException";
    assert_eq!(
        errors,
        [
            unknown,
            unknown,
            unread,
            unread,
            "MissingAuthenticationTokenException",
            unknown
        ]
    );
}

#[tokio::test]
async fn a_giant_body_is_refused_in_each_protocols_shape_and_hardly_recorded() {
    let sim = sim(ClockMode::Jump).await;
    let giant = "x".repeat(5 << 20);
    let reply = target(
        &sim,
        "AKID",
        "AmazonSSM.ListCommands",
        json!({"CommandId": giant}),
    )
    .await;
    assert_eq!(
        (reply.status, reply.json()["__type"].clone()),
        (413, json!("com.amazonaws.ssm#RequestEntityTooLargeException"))
    );
    let reply = sts(&sim, &format!("{ASSUME}&Policy={giant}")).await;
    assert_eq!(reply.status, 413);
    assert!(
        reply.body.contains("<Code>RequestEntityTooLargeException</Code>"),
        "{}",
        reply.body
    );
    assert_eq!(send(&sim, "POST /_sim/advance", &[], &giant).await.status, 413);
    let headers = [
        ("X-Amz-Target", "AmazonSSM.ListCommands"),
        ("Authorization", &*credential("AKID", "ssm")),
    ];
    let large = "[".repeat(1 << 20);
    let reply = send(&sim, "POST /", &headers, &large).await;
    assert_eq!(reply.json()["__type"], "com.amazonaws.ssm#SerializationException");
    let reply = target(
        &sim,
        "AKID",
        "AmazonSSM.ListCommands",
        json!({"MaxResults": "x".repeat(1 << 20)}),
    )
    .await;
    assert_eq!(reply.status, 400);
    assert!(reply.body.len() < 1000, "{} bytes", reply.body.len());
    let log = send(&sim, "GET /_sim/requests", &[], "").await.json();
    assert_eq!(log[0]["status"], 413);
    assert_eq!(log[0]["account"], "111111111111");
    assert_eq!(log[2]["input"].as_str().unwrap().len(), 1000);
}

#[tokio::test]
async fn only_what_a_service_understands_reaches_it() {
    let sim = sim(ClockMode::Jump).await;
    let id = "01234567-89ab-cdef-0123-456789abcdef";
    let list = target(&sim, "AKID", "AmazonSSM.GetAutomationExecution", json!([id])).await;
    assert_eq!(list.json()["__type"], "com.amazonaws.ssm#SerializationException");
    let headers = [
        ("X-Amz-Target", "AmazonSSM.ListCommands"),
        ("Authorization", &*credential("AKID", "ssm")),
    ];
    assert_eq!(send(&sim, "GET /", &headers, "{}").await.status, 404);
    let other = sts(&sim, "Action=DescribeInstances&Version=2016-11-15").await;
    assert_eq!(other.status, 400);
    assert!(
        other.body.contains("<Code>InvalidAction</Code>"),
        "{}",
        other.body
    );
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        (
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKID/20260301/nowhere/sts/aws4_request",
        ),
    ];
    let nowhere = send(&sim, "POST /", &headers, "Action=GetCallerIdentity").await;
    assert_eq!(nowhere.status, 403);
    assert!(
        nowhere.body.contains("<Code>InvalidClientTokenId</Code>"),
        "{}",
        nowhere.body
    );
    let log = send(&sim, "GET /_sim/requests", &[], "").await.json();
    let services: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["service"].as_str().unwrap())
        .collect();
    assert_eq!(services, ["ssm", "", "", "sts"]);
}

#[tokio::test]
async fn times_are_seconds_since_1970_with_a_fraction() {
    let sim = sim(ClockMode::Jump).await;
    let input = crate::fleet::start_input(&["222222222222"], &["us-east-1"]);
    let started = target(&sim, "AKID", "AmazonSSM.StartAutomationExecution", input)
        .await
        .json();
    let reply = target(&sim, "AKID", "AmazonSSM.GetAutomationExecution", started)
        .await
        .json();
    assert_eq!(
        reply["AutomationExecution"]["ExecutionStartTime"],
        json!(1_772_323_200.0)
    );
}

#[tokio::test]
async fn time_that_stands_still_moves_by_hand() {
    let sim = sim(ClockMode::Scaled(0.0)).await;
    let input = crate::fleet::start_input(&["222222222222"], &["us-east-1"]);
    target(&sim, "AKID", "AmazonSSM.StartAutomationExecution", input).await;
    let status = |state: Value| state["executions"][0]["status"].clone();
    assert_eq!(
        status(send(&sim, "GET /_sim/state", &[], "").await.json()),
        "Pending"
    );
    let moved = send(&sim, "POST /_sim/advance", &[], r#"{"seconds":3600}"#).await;
    assert_eq!(moved.json()["now"], "2026-03-01T01:00:00Z");
    let state = send(&sim, "GET /_sim/state", &[], "").await.json();
    assert_eq!(state["management_account"], "111111111111");
    assert_eq!(state["nodes"].as_array().unwrap().len(), 3);
    assert_eq!(status(state), "Success");
    assert_eq!(
        send(&sim, "POST /_sim/advance", &[], r#"{"seconds":-1}"#)
            .await
            .status,
        400
    );
    assert_eq!(send(&sim, "POST /_sim/advance", &[], "soon").await.status, 400);
}

#[tokio::test]
async fn both_fronts_leave_the_same_world_behind() {
    let sim = sim(ClockMode::Jump).await;
    let token = "01234567-89ab-cdef-0123-456789abcdef";
    let input = crate::ports::request();
    let mut over_http = json!(input);
    over_http["ClientToken"] = json!(token);
    let reply = target(&sim, "AKID", "AmazonSSM.StartAutomationExecution", over_http).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let clock = crate::ports::clock(&crate::fleet::world("{ count = 3 }"));
    crate::ports::ports(&clock)
        .start(&input, token.parse().unwrap(), jiff::Timestamp::MAX)
        .await
        .unwrap();
    let end = |world: &mut World| {
        world.run_until_idle();
        world.state()
    };
    assert_eq!(sim.with_world(end), clock.with_world(end));
}

#[tokio::test]
async fn a_simulator_that_is_dropped_no_longer_listens() {
    let sim = sim(ClockMode::Jump).await;
    let address = sim.address();
    assert!(TcpStream::connect(address).await.is_ok());
    sim.shutdown().await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn resource_groups_paths_take_posts_only_and_pages_are_asked_for_in_the_url() {
    let sim = sim(ClockMode::Jump).await;
    let headers = [
        ("Content-Type", "application/json"),
        ("Authorization", &*credential("AKID", "resource-groups")),
    ];
    for (line, code) in [
        ("GET /groups-list", "MethodNotAllowedException"),
        ("DELETE /delete-group", "MethodNotAllowedException"),
        ("GET /listRegions", "UnknownOperationException"),
    ] {
        let reply = send(&sim, line, &headers, "").await;
        let status = if code.starts_with("Method") { 405 } else { 404 };
        assert_eq!(reply.status, status, "{line} {}", reply.body);
        assert!(reply.body.contains(code), "{line} {}", reply.body);
    }
    for name in ["One", "Two"] {
        let query = json!({"ResourceTypeFilters": ["AWS::AllSupported"]}).to_string();
        let body =
            json!({"Name": name, "ResourceQuery": {"Type": "TAG_FILTERS_1_0", "Query": query}}).to_string();
        let made = send(&sim, "POST /groups", &headers, &body).await;
        assert_eq!(made.status, 200, "{}", made.body);
    }
    let first = send(&sim, "POST /groups-list?maxResults=1", &headers, "")
        .await
        .json();
    assert_eq!(first["GroupIdentifiers"][0]["GroupName"], "One");
    let token = first["NextToken"].as_str().unwrap();
    let line = format!("POST /groups-list?maxResults=1&nextToken={token}");
    let second = send(&sim, &line, &headers, "{}").await.json();
    assert_eq!(second["GroupIdentifiers"][0]["GroupName"], "Two");
    assert!(second.get("NextToken").is_none());
}
