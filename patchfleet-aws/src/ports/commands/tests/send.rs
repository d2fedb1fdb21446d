//! Sending a command and finding it again: what is asked, and what failures mean.

use crate::Aws;
use crate::ports::automation::tests::{COMMAND, NODE};
use crate::testing::{CALLER, FakeHttp, TestClock, access, json_error, own, response};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::timeout::TimeoutConfig;
use jiff::SignedDuration;
use patchfleet_core::id::NodeId;
use patchfleet_core::port::{Clock as _, Commands, PageToken, PortErrorKind, SendRequest, Sent};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn request() -> SendRequest {
    serde_json::from_value(json!({
        "DocumentName": "AWS-RunPatchBaseline",
        "Parameters": { "Operation": ["Install"], "SnapshotId": ["s"] },
        "InstanceIds": [NODE],
        "TimeoutSeconds": 3600,
        "MaxConcurrency": "10%",
        "MaxErrors": "1",
        "Comment": "patchfleet campaign c unit 1 attempt 1",
        "OutputS3BucketName": "ops-output",
        "OutputS3KeyPrefix": "patching",
        "CloudWatchOutputConfig": { "CloudWatchLogGroupName": "/patching", "CloudWatchOutputEnabled": true },
    }))
    .unwrap()
}

#[tokio::test]
async fn a_command_is_sent_as_the_campaign_has_it_and_in_its_location() {
    let http = FakeHttp::new(|_, _| {
        Ok(response(
            200,
            json!({ "Command": { "CommandId": COMMAND } }).to_string(),
        ))
    });
    let sent = http
        .aws()
        .send(&own("eu-west-1"), &request(), jiff::Timestamp::MAX)
        .await
        .unwrap();
    assert_eq!(sent.as_str(), COMMAND);
    let calls = http.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].operation.as_str(), calls[0].region.as_str()),
        ("SendCommand", "eu-west-1")
    );
    let body: Value = serde_json::from_str(&calls[0].body).unwrap();
    assert_eq!(body, serde_json::to_value(request()).unwrap());
}

/// What a command ends with where AWS's answers to its attempts are these, and how many attempts there are.
async fn error(answer: fn(usize) -> Result<HttpResponse, ConnectorError>) -> (PortErrorKind, Sent, usize) {
    let http = FakeHttp::new(move |_, before| answer(before));
    let error = http
        .aws()
        .send(&own("us-east-1"), &request(), jiff::Timestamp::MAX)
        .await
        .unwrap_err();
    (error.kind(), error.sent(), http.calls().len())
}

#[tokio::test]
async fn a_command_whose_answer_is_lost_is_never_made_again_and_may_have_been_sent() {
    let lost = error(|before| match before {
        0 => Err(ConnectorError::io("connection reset".into())),
        _ => Ok(response(
            200,
            json!({ "Command": { "CommandId": COMMAND } }).to_string(),
        )),
    });
    assert_eq!(lost.await, (PortErrorKind::Unavailable, Sent::Maybe, 1));
    let slow = error(|before| match before {
        0 => Err(ConnectorError::timeout("no answer".into())),
        _ => Ok(response(
            200,
            json!({ "Command": { "CommandId": COMMAND } }).to_string(),
        )),
    });
    assert_eq!(slow.await, (PortErrorKind::Unavailable, Sent::Maybe, 1));
    let failed = error(|_| Ok(json_error(500, "InternalServerError", "oops")));
    assert_eq!(failed.await, (PortErrorKind::Unavailable, Sent::Maybe, 1));
    let unreadable = error(|_| Ok(response(200, "{}".to_owned())));
    assert_eq!(unreadable.await, (PortErrorKind::Other, Sent::Maybe, 1));
}

#[tokio::test]
async fn a_command_that_aws_itself_refuses_was_not_sent() {
    let throttled = error(|_| Ok(json_error(400, "ThrottlingException", "Rate exceeded")));
    assert_eq!(throttled.await, (PortErrorKind::Throttled, Sent::No, 1));
    let denied = error(|_| Ok(json_error(400, "AccessDeniedException", "no")));
    assert_eq!(denied.await, (PortErrorKind::Denied, Sent::No, 1));
    let away = error(|_| {
        let words = "Instances not in a valid state for account";
        Ok(json_error(400, "InvalidInstanceId", words))
    });
    assert_eq!(away.await, (PortErrorKind::Invalid, Sent::No, 1));
}

/// Credentials that take their time, on the clock by which calls are sent.
#[derive(Debug)]
struct Late {
    clock: Arc<TestClock>,
    /// Whether they never come.
    never: bool,
}

impl ProvideCredentials for Late {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            if self.never {
                std::future::pending::<()>().await;
            }
            let later = self.clock.now() + SignedDuration::from_secs(40);
            self.clock.sleep_until(later).await;
            Ok(Credentials::new("AKIA", "s", None, None, "tests"))
        })
    }
}

/// What becomes of a command with such credentials that is to be sent within half a minute.
async fn with_late_credentials(never: bool) -> (PortErrorKind, Sent, usize, String) {
    let http = FakeHttp::new(|_, _| {
        let command = json!({ "Command": { "CommandId": COMMAND } });
        Ok(response(200, command.to_string()))
    });
    let clock = Arc::<TestClock>::default();
    let late = Late {
        clock: Arc::clone(&clock),
        never,
    };
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(200));
    let config = http.config("us-east-1").into_builder();
    let config = config
        .credentials_provider(SharedCredentialsProvider::new(late))
        .timeout_config(timeouts.build())
        .build();
    let aws = Aws::builder(&config).access(access()).clock(clock.clone());
    let aws = aws.build().unwrap();
    aws.clients.set_caller(CALLER);
    let not_after = clock.now() + SignedDuration::from_secs(30);
    let sent = aws.send(&own("us-east-1"), &request(), not_after).await;
    let error = sent.unwrap_err();
    let sends = http.calls_of("SendCommand").len();
    (error.kind(), error.sent(), sends, error.chain())
}

#[tokio::test]
async fn a_command_that_waited_for_its_credentials_until_it_was_too_late_is_not_sent() {
    let (kind, sent, calls, words) = with_late_credentials(false).await;
    assert_eq!(
        (kind, sent, calls),
        (PortErrorKind::Unavailable, Sent::No, 0),
        "{words}"
    );
    assert!(words.contains("so it was not sent"), "{words}");
}

#[tokio::test]
async fn a_command_that_timed_out_while_it_waited_for_its_credentials_was_not_sent() {
    let (kind, sent, calls, words) = with_late_credentials(true).await;
    assert_eq!(
        (kind, sent, calls),
        (PortErrorKind::Unavailable, Sent::No, 0),
        "{words}"
    );
}

#[tokio::test]
async fn what_was_sent_is_listed_by_its_document_and_its_time_with_its_comment() {
    let http = FakeHttp::new(|_, _| {
        let command = json!({ "CommandId": COMMAND, "Comment": "c", "InstanceIds": [NODE], "RequestedDateTime": 1_700_000_000.5 });
        Ok(response(
            200,
            json!({ "Commands": [command], "NextToken": "more" }).to_string(),
        ))
    });
    let after = "2026-03-01T22:00:00.75Z".parse().unwrap();
    let document = "AWS-RunPatchBaseline".parse().unwrap();
    let token = Some(PageToken::new("t"));
    let page = http
        .aws()
        .sent(&own("eu-west-1"), &document, after, token)
        .await
        .unwrap();
    assert_eq!(
        (page.items[0].id.as_str(), page.items[0].comment.as_str()),
        (COMMAND, "c")
    );
    let nodes: Vec<&str> = page.items[0].nodes.iter().map(NodeId::as_str).collect();
    assert_eq!(nodes, [NODE]);
    assert_eq!(page.next, Some(PageToken::new("more")));
    let calls = http.calls();
    let body: Value = serde_json::from_str(&calls[0].body).unwrap();
    assert_eq!(
        body,
        json!({
            "Filters": [
                { "key": "DocumentName", "value": "AWS-RunPatchBaseline" },
                { "key": "InvokedAfter", "value": "2026-03-01T22:00:00Z" },
            ],
            "MaxResults": 50,
            "NextToken": "t",
        })
    );
}
