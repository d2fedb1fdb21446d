//! Executions and their steps.

use super::{at, refusing, serving, text};
use crate::Aws;
use crate::testing::{json_error, own};
use patchfleet_core::id::{ExecutionId, Location};
use patchfleet_core::port::{
    Automation, ChildView, ExecutionStatus, PortErrorKind, Sent, SentCommand, StartRequest,
};
use serde_json::{Value, json};

const EXECUTION: &str = "0a1b2c3d-1111-4222-8333-123456789abc";

fn place() -> Location {
    own("us-east-1")
}

fn id(value: &Value) -> ExecutionId {
    text(value).parse().unwrap()
}

/// An AWS with one execution, whose steps are told by both operations that tell them.
fn with_execution(execution: &Value) -> Aws {
    let steps = json!({"StepExecutions": execution.get("StepExecutions").unwrap_or(&json!([]))});
    serving(&[
        (
            "GetAutomationExecution",
            json!({"AutomationExecution": execution}),
        ),
        ("DescribeAutomationStepExecutions", steps),
    ])
}

async fn child(execution: &Value) -> ChildView {
    with_execution(execution)
        .child(&place(), &EXECUTION.parse().unwrap())
        .await
        .unwrap()
}

pub(super) async fn a_local_execution(data: &Value) {
    let execution = &data["AutomationExecution"];
    let found = with_execution(execution);
    let view = found
        .execution(&id(&execution["AutomationExecutionId"]))
        .await
        .unwrap();
    assert_eq!(view.status, ExecutionStatus::Success);
    assert_eq!(view.started_at, Some(at(&execution["ExecutionStartTime"])));
    assert_eq!(view.parameters["AutomationAssumeRole"], [""]);
    let view = child(execution).await;
    assert_eq!((view.commands, view.failure.as_str()), (vec![], ""));
}

pub(super) async fn an_execution_with_a_command(data: &Value) {
    let execution = &data["AutomationExecution"];
    let view = child(execution).await;
    assert_eq!(view.status, ExecutionStatus::Success);
    let command = &execution["StepExecutions"][1]["Outputs"]["CommandId"][0];
    let sent = SentCommand {
        id: text(command).parse().unwrap(),
        document: Some("AWS-RunShellScript".to_owned()),
    };
    assert_eq!(view.commands, [sent]);
    // What a step's output payload says is the same command.
    let mut bare = execution.clone();
    let outputs = &mut bare["StepExecutions"][1]["Outputs"];
    *outputs = json!({"OutputPayload": outputs["OutputPayload"]});
    assert_eq!(child(&bare).await.commands, view.commands);
}

pub(super) async fn a_rate_control_parent(data: &Value) {
    let execution = &data["AutomationExecution"];
    let execution_id = id(&execution["AutomationExecutionId"]);
    let page = with_execution(execution)
        .steps(&execution_id, None)
        .await
        .unwrap();
    let [step] = &page.items[..] else {
        panic!("{page:?}");
    };
    assert_eq!(step.status, ExecutionStatus::Success);
    assert_eq!(
        (&step.location, &step.child, step.failure.as_str()),
        (&None, &None, "")
    );
    assert_eq!(child(execution).await.commands, []);
}

pub(super) async fn a_listing_of_executions(data: &Value) {
    let aws = serving(&[("DescribeAutomationExecutions", data.clone())]);
    let wanted = [id(
        &data["AutomationExecutionMetadataList"][0]["AutomationExecutionId"],
    )];
    let document = "AWS-StartEC2Instance".parse().unwrap();
    assert_eq!(aws.find(&document, "campaign", None).await.unwrap().items, wanted);
    let parent = EXECUTION.parse().unwrap();
    let page = aws.children(&place(), &parent, None).await.unwrap();
    assert_eq!((&page.items[..], page.next), (&wanted[..], None));
}

pub(super) async fn a_failed_execution(data: &Value) {
    let mut execution = data.clone();
    execution["AutomationExecutionStatus"] = json!("Failed");
    let view = child(&execution).await;
    assert_eq!((view.status, view.commands), (ExecutionStatus::Failed, vec![]));
    assert_eq!(view.failure, text(&data["FailureMessage"]));
}

pub(super) async fn a_failed_step_names_its_command(data: &Value) {
    let step = json!({
        "Action": "aws:runCommand",
        "StepStatus": "Failed",
        "FailureMessage": data["FailureMessage"],
    });
    let view = child(&json!({"AutomationExecutionStatus": "Failed", "StepExecutions": [step]})).await;
    assert_eq!(view.failure, text(&data["FailureMessage"]));
    let named = "a1b2c3d4-5678-90ab-cdef-000000011111".parse().unwrap();
    assert_eq!(view.commands[0].id, named);
}

pub(super) async fn a_location_whose_role_cannot_be_assumed(data: &Value) {
    let step = json!({
        "Action": "aws:executeAutomation",
        "StepStatus": "Failed",
        "TargetLocation": {"Accounts": ["111122223333"], "Regions": ["us-east-1"]},
        "FailureMessage": data["FailureMessage"],
    });
    let parent = json!({"StepExecutions": [step]});
    let page = with_execution(&parent)
        .steps(&EXECUTION.parse().unwrap(), None)
        .await
        .unwrap();
    assert_eq!(page.items[0].status, ExecutionStatus::Failed);
    assert_eq!(page.items[0].location, Some(place()));
    assert_eq!(page.items[0].failure, text(&data["FailureMessage"]));
}

pub(super) async fn a_refused_start(data: &Value) {
    let (code, message) = (text(&data["Code"]).to_owned(), text(&data["Message"]).to_owned());
    let words = message.clone();
    let aws = refusing(move || json_error(400, &code, &message));
    let request: StartRequest = crate::ports::automation::tests::request();
    let error = aws
        .start(
            &request,
            crate::ports::automation::tests::client_token(),
            jiff::Timestamp::MAX,
        )
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.sent()), (PortErrorKind::Invalid, Sent::No));
    assert!(error.reason().contains(&words));
}
