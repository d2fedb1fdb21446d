//! The one call, as the SDK makes it, and what its answers mean.

use super::*;
use aws_sdk_sfn::operation::start_execution::StartExecutionOutput;
use aws_sdk_sfn::types::error::{ExecutionAlreadyExists, StateMachineDoesNotExist};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

const ARN: &str = "arn:aws:states:eu-west-1:111122223333:stateMachine:patchfleet";
const CAMPAIGN: &str = "5b6c7d8e-0000-4000-8000-123456789012";

async fn handed_over(rule: &Rule) -> Result<(), NotHandedOver> {
    let client = mock_client!(aws_sdk_sfn, RuleMode::MatchAny, [rule]);
    let machine: StateMachine = ARN.parse().unwrap();
    machine.drive(&client, CAMPAIGN.parse().unwrap()).await
}

fn failed(handed: Result<(), NotHandedOver>) -> String {
    match handed {
        Err(NotHandedOver::Failed(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn failing(error: impl Fn() -> StartExecutionError + Send + Sync + 'static) -> Rule {
    mock!(Client::start_execution).then_error(error)
}

#[tokio::test]
async fn an_execution_is_named_after_its_campaign_and_gets_its_id_alone() {
    let rule = mock!(Client::start_execution)
        .match_requests(|request| {
            request.state_machine_arn() == Some(ARN)
                && request.name() == Some(CAMPAIGN)
                && request.input() == Some(&format!("{{\"campaign_id\":\"{CAMPAIGN}\"}}"))
        })
        .then_output(|| {
            let output = StartExecutionOutput::builder()
                .execution_arn("arn:aws:states:eu-west-1:111122223333:execution:patchfleet:x")
                .start_date(aws_sdk_sfn::primitives::DateTime::from_secs(0));
            output.build().unwrap()
        });
    assert_eq!(handed_over(&rule).await, Ok(()));
    assert_eq!(rule.num_calls(), 1);
}

#[tokio::test]
async fn a_name_that_is_taken_is_that_of_an_execution_that_has_ended() {
    let taken = failing(|| {
        let taken = ExecutionAlreadyExists::builder().message("Execution Already Exists");
        StartExecutionError::ExecutionAlreadyExists(taken.build())
    });
    assert_eq!(handed_over(&taken).await, Err(NotHandedOver::Ended));
}

#[tokio::test]
async fn a_machine_that_is_not_there_or_may_not_be_started_is_told_with_what_is_needed() {
    let gone = failing(|| {
        let metadata = aws_sdk_sfn::error::ErrorMetadata::builder()
            .code("StateMachineDoesNotExist")
            .message("State Machine Does Not Exist");
        let gone = StateMachineDoesNotExist::builder().meta(metadata.build());
        StartExecutionError::StateMachineDoesNotExist(gone.build())
    });
    let why = failed(handed_over(&gone).await);
    assert!(
        why.starts_with("there is no such state machine: StateMachineDoesNotExist"),
        "{why}"
    );
    let denied = failing(|| {
        let denied = aws_sdk_sfn::error::ErrorMetadata::builder()
            .code("AccessDeniedException")
            .message("User: x is not authorized to perform: states:StartExecution");
        StartExecutionError::generic(denied.build())
    });
    let why = failed(handed_over(&denied).await);
    let needs =
        format!("the function's role needs states:StartExecution on {ARN}: AccessDeniedException: User: x");
    assert!(why.starts_with(&needs), "{why}");
}

#[test]
fn a_state_machine_is_named_by_its_arn_with_or_without_a_version() {
    for good in [
        ARN,
        "arn:aws-cn:states:cn-north-1:111122223333:stateMachine:patchfleet:3",
        "arn:aws:states:us-east-1:111122223333:stateMachine:patchfleet:PROD",
    ] {
        assert_eq!(good.parse::<StateMachine>().unwrap().to_string(), good);
    }
    for bad in [
        "",
        "patchfleet",
        "arn:aws:states:eu-west-1:111122223333:execution:patchfleet:x",
        "arn:aws:states:eu-west-1:1111:stateMachine:patchfleet",
        "arn:aws:states:eu-west-1:111122223333:stateMachine:",
        "arn:aws:states:eu-west-1:111122223333:stateMachine:a:b:c",
        "arn:aws:lambda:eu-west-1:111122223333:function:patchfleet",
        "arn:aws:states:nowhere:111122223333:stateMachine:patchfleet",
    ] {
        assert_eq!(bad.parse::<StateMachine>(), Err(NoStateMachine), "{bad}");
    }
}
