use crate::Aws;
use crate::testing::{FakeHttp, aws, json_error, own, response};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::operation::describe_automation_step_executions::DescribeAutomationStepExecutionsOutput;
use aws_sdk_ssm::operation::describe_instance_patch_states::DescribeInstancePatchStatesOutput;
use aws_sdk_ssm::operation::get_automation_execution::GetAutomationExecutionOutput;
use aws_sdk_ssm::operation::list_command_invocations::ListCommandInvocationsOutput;
use aws_sdk_ssm::types::{
    AutomationExecution, AutomationExecutionStatus, CommandInvocation, CommandInvocationStatus,
    InstancePatchState, PatchOperationType, StepExecution, TargetLocation,
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::DateTime;
use patchfleet_core::id::{ClientToken, ExecutionId};
use patchfleet_core::port::{Automation, ExecutionStatus, PageToken, PortErrorKind, Sent, StartRequest, Tag};
use serde_json::json;

const EXECUTION: &str = "0a1b2c3d-1111-4222-8333-123456789abc";
const CHILD: &str = "5b6c7d8e-1111-4222-8333-123456789abc";
const COMMAND: &str = "77777777-1111-4222-8333-123456789abc";
const NODE: &str = "i-0123456789abcdef0";

fn id(text: &str) -> ExecutionId {
    text.parse().unwrap()
}

fn with_ssm(rules: &[&Rule]) -> Aws {
    let client = mock_client!(aws_sdk_ssm, RuleMode::Sequential, rules);
    let aws = aws();
    aws.clients.ssm.get_or(own("us-east-1"), || client);
    aws
}

pub(crate) fn request() -> StartRequest {
    StartRequest {
        document_name: "Patchfleet-RunPatchBaseline".parse().unwrap(),
        document_version: None,
        parameters: [
            ("Operation".to_owned(), vec!["Scan".to_owned()]),
            ("Nodes".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
        ]
        .into(),
        target_locations: [patchfleet_core::port::TargetLocation {
            accounts: vec!["444455556666".parse().unwrap(), "012345678901".parse().unwrap()],
            regions: vec!["us-east-1".parse().unwrap(), "eu-west-1".parse().unwrap()],
            target_location_max_concurrency: "4".to_owned(),
            target_location_max_errors: "1".to_owned(),
            execution_role_name: "Execution".parse().unwrap(),
        }],
        tags: vec![Tag {
            key: "patchfleet:campaign".to_owned(),
            value: "c".to_owned(),
        }],
    }
}

pub(crate) fn client_token() -> ClientToken {
    "deadbeef-0000-5000-8000-123456789012".parse().unwrap()
}

#[tokio::test]
async fn a_start_sends_the_request_its_token_and_nothing_else() {
    let http = FakeHttp::new(|_, _| {
        Ok(response(
            200,
            json!({ "AutomationExecutionId": EXECUTION }).to_string(),
        ))
    });
    let started = http.aws().start(&request(), client_token()).await.unwrap();
    assert_eq!(started, id(EXECUTION));
    let calls = http.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].operation.as_str(), calls[0].region.as_str()),
        ("StartAutomationExecution", "us-east-1")
    );
    let sent: serde_json::Value = serde_json::from_str(&calls[0].body).unwrap();
    let mut expected = serde_json::to_value(request()).unwrap();
    expected["ClientToken"] = json!("deadbeef-0000-5000-8000-123456789012");
    // The SDK always writes this one, with AWS's own default.
    expected["TargetLocations"][0]["IncludeChildOrganizationUnits"] = json!(false);
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_start_that_names_a_version_sends_its_number_as_text() {
    let http = FakeHttp::new(|_, _| {
        Ok(response(
            200,
            json!({ "AutomationExecutionId": EXECUTION }).to_string(),
        ))
    });
    let pinned = StartRequest {
        document_version: Some("7".parse().unwrap()),
        ..request()
    };
    http.aws().start(&pinned, client_token()).await.unwrap();
    let sent: serde_json::Value = serde_json::from_str(&http.calls()[0].body).unwrap();
    assert_eq!(sent["DocumentVersion"], json!("7"));
}

/// What a start ends with where AWS's answers to its attempts are these.
async fn start_error(
    answer: fn(usize) -> Result<HttpResponse, ConnectorError>,
) -> (PortErrorKind, Sent, usize) {
    let http = FakeHttp::new(move |_, before| answer(before));
    let error = http.aws().start(&request(), client_token()).await.unwrap_err();
    let calls = http.calls();
    assert!(
        calls.iter().all(|call| call.body == calls[0].body),
        "every attempt is the same request"
    );
    (error.kind(), error.sent(), calls.len())
}

#[tokio::test]
async fn a_start_that_every_attempt_was_refused_had_no_effect() {
    let throttled = start_error(|_| Ok(json_error(400, "ThrottlingException", "Rate exceeded"))).await;
    assert_eq!(throttled, (PortErrorKind::Throttled, Sent::No, 3));
    let full = start_error(|_| {
        Ok(json_error(
            400,
            "AutomationExecutionLimitExceededException",
            "full",
        ))
    })
    .await;
    assert_eq!(full, (PortErrorKind::LimitExceeded, Sent::No, 1));
    let other = start_error(|_| Ok(json_error(400, "IdempotentParameterMismatch", "other"))).await;
    assert_eq!(other, (PortErrorKind::TokenMismatch, Sent::No, 1));
}

#[tokio::test]
async fn a_start_whose_first_attempt_was_lost_may_have_taken_effect_whatever_the_last_one_says() {
    let broken = start_error(|before| match before {
        0 => Err(ConnectorError::io("connection reset".into())),
        _ => Ok(json_error(400, "AccessDeniedException", "no")),
    })
    .await;
    assert_eq!(broken, (PortErrorKind::Denied, Sent::Maybe, 2));
    let failed = start_error(|before| match before {
        0 => Ok(json_error(500, "InternalServerError", "oops")),
        _ => Ok(json_error(400, "ThrottlingException", "Rate exceeded")),
    })
    .await;
    // The second attempt is the SDK's own; there is no third, since the first may have had an effect.
    assert_eq!(failed, (PortErrorKind::Throttled, Sent::Maybe, 2));
    let unheard = start_error(|before| match before {
        0 => Err(ConnectorError::io(
            std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into(),
        )),
        _ => Ok(json_error(400, "AccessDeniedException", "no")),
    })
    .await;
    assert_eq!(unheard, (PortErrorKind::Denied, Sent::No, 2));
}

#[tokio::test]
async fn a_start_is_made_again_with_new_credentials_unless_it_may_have_taken_effect() {
    let expired = |_| Ok(json_error(400, "ExpiredTokenException", "expired"));
    let none = start_error(expired).await;
    assert_eq!(none, (PortErrorKind::Credentials, Sent::No, 3));
    // The second call is the SDK's own attempt; there is no third.
    let lost = start_error(|before| match before {
        0 => Err(ConnectorError::io("connection reset".into())),
        _ => Ok(json_error(400, "ExpiredTokenException", "expired")),
    })
    .await;
    assert_eq!(lost, (PortErrorKind::Credentials, Sent::Maybe, 2));
}

#[tokio::test]
async fn a_start_whose_answer_has_no_id_was_made() {
    let (kind, sent, _) = start_error(|_| Ok(response(200, "{}"))).await;
    assert_eq!((kind, sent), (PortErrorKind::Other, Sent::Maybe));
}

#[tokio::test]
async fn finding_asks_by_tag_and_document_and_leaves_children_out() {
    let http = FakeHttp::new(|_, _| {
        let found = |id: &str, document: &str, parent: Option<&str>| json!({ "AutomationExecutionId": id, "DocumentName": document, "ParentAutomationExecutionId": parent });
        let body = json!({ "NextToken": "n", "AutomationExecutionMetadataList": [
            found(EXECUTION, "Mine", None),
            found(CHILD, "Mine", Some(EXECUTION)),
            found(COMMAND, "Mine-Too", None),
        ]});
        Ok(response(200, body.to_string()))
    });
    let page = http
        .aws()
        .find(&"Mine".parse().unwrap(), "patchfleet:campaign", None)
        .await
        .unwrap();
    assert_eq!(page.items, [id(EXECUTION)]);
    assert_eq!(page.next, Some(PageToken::new("n")));
    let sent: serde_json::Value = serde_json::from_str(&http.calls()[0].body).unwrap();
    assert_eq!(
        sent,
        json!({ "MaxResults": 50, "Filters": [
            { "Key": "TagKey", "Values": ["patchfleet:campaign"] },
            { "Key": "DocumentNamePrefix", "Values": ["Mine"] },
        ]})
    );
}

#[tokio::test]
async fn the_children_of_an_execution_are_asked_for_in_their_own_location() {
    let http = FakeHttp::new(|_, _| {
        let body = json!({ "NextToken": "n", "AutomationExecutionMetadataList": [
            { "AutomationExecutionId": CHILD, "ParentAutomationExecutionId": EXECUTION },
        ]});
        Ok(response(200, body.to_string()))
    });
    let page = http
        .aws()
        .children(&own("eu-west-1"), &id(EXECUTION), Some(PageToken::new("p")))
        .await
        .unwrap();
    assert_eq!(page.items, [id(CHILD)]);
    assert_eq!(page.next, Some(PageToken::new("n")));
    let call = &http.calls()[0];
    assert_eq!(
        (call.operation.as_str(), call.region.as_str()),
        ("DescribeAutomationExecutions", "eu-west-1")
    );
    let sent: serde_json::Value = serde_json::from_str(&call.body).unwrap();
    assert_eq!(
        sent,
        json!({ "MaxResults": 50, "NextToken": "p", "Filters": [
            { "Key": "ParentExecutionId", "Values": [EXECUTION] },
        ]})
    );
}

#[tokio::test]
async fn a_document_named_by_its_arn_is_found_under_either_name() {
    let http = FakeHttp::new(|_, _| {
        let body = json!({ "AutomationExecutionMetadataList": [
            { "AutomationExecutionId": EXECUTION, "DocumentName": "Mine" },
            { "AutomationExecutionId": CHILD, "DocumentName": "arn:aws:ssm:us-east-1:1:document/Mine" },
            { "AutomationExecutionId": COMMAND, "DocumentName": "Yours" },
        ]});
        Ok(response(200, body.to_string()))
    });
    let arn = "arn:aws:ssm:us-east-1:111122223333:document/Mine"
        .parse()
        .unwrap();
    let page = http.aws().find(&arn, "k", None).await.unwrap();
    assert_eq!(page.items, [id(EXECUTION), id(CHILD)]);
    assert!(!http.calls()[0].body.contains("DocumentNamePrefix"));
}

#[tokio::test]
async fn an_execution_is_read_with_its_parameters_and_awss_time() {
    let http = FakeHttp::new(|_, _| {
        let body = json!({ "AutomationExecution": {
            "AutomationExecutionStatus": "TimedOut", "FailureMessage": "too slow",
            "ExecutionStartTime": 1_583_737_233.748, "Parameters": { "Operation": ["Scan"] },
        }});
        Ok(response(200, body.to_string()))
    });
    let view = http.aws().execution(&id(EXECUTION)).await.unwrap();
    assert_eq!(view.status, ExecutionStatus::TimedOut);
    assert_eq!(view.failure, "too slow");
    assert_eq!(view.started_at.unwrap().as_millisecond(), 1_583_737_233_748);
    assert_eq!(view.parameters["Operation"], ["Scan"]);
}

#[tokio::test]
async fn steps_name_their_location_and_child_and_keep_what_this_version_does_not_know() {
    let target = |accounts: &[&str], region: &str| {
        TargetLocation::builder()
            .set_accounts(Some(accounts.iter().map(|a| (*a).to_owned()).collect()))
            .regions(region)
            .build()
    };
    let done = StepExecution::builder()
        .target_location(target(&["444455556666"], "eu-west-1"))
        .step_status(AutomationExecutionStatus::Success)
        .outputs("ExecutionId", vec![CHILD.to_owned()])
        .build();
    let several = StepExecution::builder()
        .target_location(target(&["444455556666", "012345678901"], "eu-west-1"))
        .step_status(AutomationExecutionStatus::from("Hibernating"))
        .failure_message("words")
        .build();
    let empty = StepExecution::builder()
        .target_location(target(&[""], ""))
        .outputs("ExecutionId", vec![String::new()])
        .build();
    let rule = mock!(Client::describe_automation_step_executions)
        .match_requests(|request| {
            request.automation_execution_id() == Some(EXECUTION)
                && request.max_results() == Some(50)
                && request.next_token() == Some("here")
        })
        .then_output(move || {
            DescribeAutomationStepExecutionsOutput::builder()
                .set_step_executions(Some(vec![done.clone(), several.clone(), empty.clone()]))
                .next_token("there")
                .build()
        });
    let page = with_ssm(&[&rule])
        .steps(&id(EXECUTION), Some(PageToken::new("here")))
        .await
        .unwrap();
    assert_eq!(page.next, Some(PageToken::new("there")));
    let [done, several, empty] = page.items.as_slice() else {
        panic!("{:?}", page.items)
    };
    assert_eq!(
        done.location.as_ref().unwrap().to_string(),
        "444455556666/eu-west-1"
    );
    assert_eq!(
        (&done.status, &done.child),
        (&ExecutionStatus::Success, &Some(id(CHILD)))
    );
    assert_eq!(
        (&several.location, several.status.as_str()),
        (&None, "Hibernating")
    );
    assert_eq!(several.failure, "words");
    assert_eq!((&empty.location, &empty.child), (&None, &None));
    assert_eq!(empty.status, ExecutionStatus::Pending);
}

fn get(execution: AutomationExecution) -> Rule {
    mock!(Client::get_automation_execution).then_output(move || {
        GetAutomationExecutionOutput::builder()
            .automation_execution(execution.clone())
            .build()
    })
}

fn run_command() -> aws_sdk_ssm::types::builders::StepExecutionBuilder {
    StepExecution::builder().action("aws:runCommand")
}

#[tokio::test]
async fn a_childs_command_is_in_the_steps_that_come_with_it() {
    let execution = AutomationExecution::builder()
        .automation_execution_status(AutomationExecutionStatus::Inprogress)
        .step_executions(
            run_command()
                .outputs("CommandId", vec![COMMAND.to_owned()])
                .build(),
        )
        .build();
    let view = with_ssm(&[&get(execution)])
        .child(&own("us-east-1"), &id(CHILD))
        .await
        .unwrap();
    assert_eq!(view.command.unwrap().as_str(), COMMAND);
    assert_eq!(view.status, ExecutionStatus::InProgress);
}

#[tokio::test]
async fn a_child_that_runs_and_has_sent_no_command_yet_is_asked_for_once() {
    let execution = AutomationExecution::builder()
        .automation_execution_status(AutomationExecutionStatus::Inprogress)
        .step_executions(run_command().build())
        .build();
    let rule = get(execution);
    let view = with_ssm(&[&rule])
        .child(&own("us-east-1"), &id(CHILD))
        .await
        .unwrap();
    assert_eq!((view.command, rule.num_calls()), (None, 1));
}

#[tokio::test]
async fn a_truncated_list_of_steps_is_read_to_its_end() {
    let execution = AutomationExecution::builder()
        .automation_execution_status(AutomationExecutionStatus::Failed)
        .step_executions_truncated(true)
        .failure_message("Step fails")
        .build();
    let first = mock!(Client::describe_automation_step_executions)
        .match_requests(|request| request.next_token().is_none())
        .then_output(|| {
            DescribeAutomationStepExecutionsOutput::builder()
                .next_token("2")
                .build()
        });
    let second = mock!(Client::describe_automation_step_executions)
        .match_requests(|request| request.next_token() == Some("2"))
        .then_output(|| {
            DescribeAutomationStepExecutionsOutput::builder()
                .step_executions(
                    run_command()
                        .outputs("CommandId", vec![COMMAND.to_owned()])
                        .failure_message("Step fails, and here is at length why")
                        .build(),
                )
                .build()
        });
    let view = with_ssm(&[&get(execution), &first, &second])
        .child(&own("us-east-1"), &id(CHILD))
        .await
        .unwrap();
    assert_eq!(view.command.unwrap().as_str(), COMMAND);
    assert_eq!(view.failure, "Step fails, and here is at length why");
}

#[tokio::test]
async fn steps_whose_pages_have_no_end_are_an_error() {
    let execution = AutomationExecution::builder()
        .step_executions_truncated(true)
        .build();
    let again = || {
        mock!(Client::describe_automation_step_executions).then_output(|| {
            DescribeAutomationStepExecutionsOutput::builder()
                .next_token("x")
                .build()
        })
    };
    let error = with_ssm(&[&get(execution), &again(), &again()])
        .child(&own("us-east-1"), &id(CHILD))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Other);
}

#[tokio::test]
async fn an_execution_that_is_not_there_is_not_found() {
    let http = FakeHttp::new(|_, _| Ok(json_error(400, "AutomationExecutionNotFoundException", "no")));
    let error = http.aws().child(&own("us-east-1"), &id(CHILD)).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::NotFound);
}

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
    assert_eq!(command.unwrap().status, "Success");
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

fn patch_state(missing: i32) -> InstancePatchState {
    InstancePatchState::builder()
        .instance_id(NODE)
        .patch_group("")
        .baseline_id("pb-0")
        .snapshot_id("")
        .operation(PatchOperationType::Install)
        .operation_start_time(DateTime::from_secs(1_700_000_000))
        .operation_end_time(DateTime::from_secs(1_700_000_060))
        .missing_count(missing)
        .failed_count(2)
        .installed_count(40)
        .installed_pending_reboot_count(3)
        .build()
        .unwrap()
}

#[tokio::test]
async fn patch_states_are_read_to_the_end_of_their_pages() {
    let page = |missing, next: Option<&'static str>| {
        DescribeInstancePatchStatesOutput::builder()
            .instance_patch_states(patch_state(missing))
            .set_next_token(next.map(str::to_owned))
            .build()
    };
    let (one, two) = (page(1, Some("2")), page(5, None));
    let first = mock!(Client::describe_instance_patch_states)
        .match_requests(|request| request.instance_ids() == [NODE] && request.max_results() == Some(100))
        .then_output(move || one.clone());
    let second = mock!(Client::describe_instance_patch_states)
        .match_requests(|request| request.next_token() == Some("2"))
        .then_output(move || two.clone());
    let states = with_ssm(&[&first, &second])
        .patch_states(&own("us-east-1"), &[NODE.parse().unwrap()])
        .await
        .unwrap();
    assert_eq!(states.len(), 2);
    assert_eq!((states[0].missing, states[1].missing), (1, 5));
    assert_eq!(
        (states[0].failed, states[0].pending_reboot, states[0].installed),
        (2, 3, 40)
    );
    assert_eq!(
        (states[0].operation.as_str(), &states[0].snapshot),
        ("Install", &None)
    );
    assert_eq!(states[0].ended_at.as_second(), 1_700_000_060);
}

#[tokio::test]
async fn the_patch_states_of_no_nodes_are_not_asked_for() {
    let http = FakeHttp::new(|_, _| Ok(response(200, "{}")));
    assert_eq!(http.aws().patch_states(&own("us-east-1"), &[]).await.unwrap(), []);
    assert_eq!(http.calls(), []);
}
