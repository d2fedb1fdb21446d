//! The steps of an execution, and the command of a child.

use super::*;

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
    assert_eq!(view.commands[0].id.as_str(), COMMAND);
    assert_eq!(view.status, ExecutionStatus::InProgress);
}

#[tokio::test]
async fn each_command_of_a_child_comes_with_the_document_that_its_step_was_given() {
    let other = "11111111-2222-4333-8444-555555555555";
    let step = |document: &str, command: &str| {
        run_command()
            .inputs("DocumentName", document)
            .outputs("CommandId", vec![command.to_owned()])
            .build()
    };
    let arn = "arn:aws:ssm:us-east-1::document/AWS-RunPatchBaseline";
    let execution = AutomationExecution::builder()
        .automation_execution_status(AutomationExecutionStatus::Inprogress)
        // Inputs are JSON text (recorded).
        .step_executions(step("\"AWS-RunShellScript\"", other))
        .step_executions(step(arn, COMMAND))
        .step_executions(run_command().build())
        .build();
    let view = with_ssm(&[&get(execution)])
        .child(&own("us-east-1"), &id(CHILD))
        .await
        .unwrap();
    let told: Vec<_> = view
        .commands
        .iter()
        .map(|sent| (sent.id.as_str(), sent.document.as_deref()))
        .collect();
    assert_eq!(told, [(other, Some("AWS-RunShellScript")), (COMMAND, Some(arn))]);
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
    assert_eq!((view.commands, rule.num_calls()), (vec![], 1));
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
    assert_eq!(view.commands[0].id.as_str(), COMMAND);
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
