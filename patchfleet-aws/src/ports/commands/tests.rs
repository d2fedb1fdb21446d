//! The Commands port, beside what Systems Manager answers.

use crate::ports::automation::tests::{COMMAND, NODE, with_ssm};
use crate::testing::{FakeHttp, own, response};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::operation::list_command_invocations::ListCommandInvocationsOutput;
use aws_sdk_ssm::types::{CommandInvocation, CommandInvocationStatus};
use aws_smithy_mocks::mock;
use patchfleet_core::port::{CommandStatus, Commands, PageToken, PortErrorKind};
use serde_json::json;

mod send;

#[tokio::test]
async fn a_command_is_read_with_its_counts_and_details_without_spaces() {
    let http = FakeHttp::new(|_, before| {
        let body = match before {
            0 => json!({ "Commands": [{
                "Status": "Failed", "StatusDetails": "No Instances In Tag", "RequestedDateTime": 1_700_000_000.5,
                "TargetCount": 9, "CompletedCount": 7, "ErrorCount": 2, "DeliveryTimedOutCount": 1,
            }]}),
            1 => json!({ "Commands": [{ "Status": "InProgress", "RequestedDateTime": 1_700_000_000 }] }),
            _ => json!({ "Commands": [] }),
        };
        Ok(response(200, body.to_string()))
    });
    let (aws, command) = (http.aws(), COMMAND.parse().unwrap());
    let view = aws.command(&own("us-east-1"), &command).await.unwrap();
    assert_eq!(
        (view.status.as_str(), view.details.as_str()),
        ("Failed", "NoInstancesInTag")
    );
    assert_eq!(view.requested_at.as_millisecond(), 1_700_000_000_500);
    let counts = (
        view.counts.targets,
        view.counts.completed,
        view.counts.errors,
        view.counts.undelivered,
    );
    assert_eq!(counts, (9, 7, 2, 1));
    let view = aws.command(&own("us-east-1"), &command).await.unwrap();
    assert_eq!(view.details, "InProgress");
    let error = aws.command(&own("us-east-1"), &command).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::NotFound);
}

#[tokio::test]
async fn a_command_may_stand_behind_an_empty_page() {
    let http = FakeHttp::new(|call, before| {
        let token = serde_json::from_str::<serde_json::Value>(&call.body).unwrap()["NextToken"].clone();
        Ok(match before {
            0 => response(200, json!({ "Commands": [], "NextToken": "more" }).to_string()),
            _ => {
                assert_eq!(token, "more");
                let command = json!({ "CommandId": COMMAND, "Status": "Success", "RequestedDateTime": 1.5 });
                response(200, json!({ "Commands": [command] }).to_string())
            }
        })
    });
    let aws = http.aws();
    let command = aws.command(&own("eu-west-1"), &COMMAND.parse().unwrap()).await;
    assert_eq!(command.unwrap().status, CommandStatus::Success);
    assert_eq!(http.calls().len(), 2);
}

#[tokio::test]
async fn invocations_are_read_by_their_details_and_failing_those_by_their_status() {
    let invocation = |details: Option<&str>, status| {
        CommandInvocation::builder()
            .instance_id(NODE)
            .set_status_details(details.map(str::to_owned))
            .status(status)
            .build()
    };
    let answer = ListCommandInvocationsOutput::builder()
        .command_invocations(invocation(
            Some("Delivery Timed Out"),
            CommandInvocationStatus::TimedOut,
        ))
        .command_invocations(invocation(Some(""), CommandInvocationStatus::Success))
        .command_invocations(invocation(None, CommandInvocationStatus::Cancelled))
        .next_token("n")
        .build();
    let rule = mock!(Client::list_command_invocations)
        .match_requests(|request| request.command_id() == Some(COMMAND) && request.max_results() == Some(50))
        .then_output(move || answer.clone());
    let page = with_ssm(&[&rule])
        .invocations(&own("us-east-1"), &COMMAND.parse().unwrap(), false, None)
        .await
        .unwrap();
    let statuses: Vec<_> = page.items.iter().map(|item| item.status.as_str()).collect();
    assert_eq!(statuses, ["DeliveryTimedOut", "Success", "Cancelled"]);
    assert_eq!(page.items[0].node.as_str(), NODE);
    assert_eq!(page.next, Some(PageToken::new("n")));
}
