use super::*;
use aws_sdk_ssm::types::{AutomationExecution, StepExecution};

const ID: &str = "5b6c7d8e-1111-4222-8333-123456789abc";
const ANOTHER: &str = "ffffffff-1111-4222-8333-123456789abc";
const NOT_YET: &str = "No output available yet because the step is not successfully executed";

fn step(outputs: &[(&str, &[&str])]) -> StepExecution {
    let mut step = StepExecution::builder().action("aws:runCommand");
    for (key, values) in outputs {
        step = step.outputs(*key, values.iter().map(|v| (*v).to_owned()).collect());
    }
    step.build()
}

fn child_of(outputs: &[(&str, &[&str])]) -> Option<String> {
    execution_id(&step(outputs)).map(String::from)
}

fn command_of(step: StepExecution) -> Option<String> {
    let sent = commands(&AutomationExecution::builder().build(), &[step]);
    sent.into_iter().next().map(|sent| String::from(sent.id))
}

#[test]
fn a_childs_id_is_read_from_its_output_under_any_of_its_names() {
    for outputs in [
        ("ExecutionId", [ID]),
        ("111122223333_us-east-1.ExecutionId", [ID]),
        ("Output", [ID]),
        ("step.Output", [ID]),
        ("ExecutionId", ["[\"5b6c7d8e-1111-4222-8333-123456789abc\"]"]),
        ("ExecutionId", ["\"5b6c7d8e-1111-4222-8333-123456789abc\""]),
    ] {
        assert_eq!(
            child_of(&[(outputs.0, &outputs.1)]).as_deref(),
            Some(ID),
            "{outputs:?}"
        );
    }
    assert_eq!(
        child_of(&[("Output", &[ANOTHER]), ("ExecutionId", &["", ID])]).as_deref(),
        Some(ID)
    );
}

#[test]
fn what_is_no_id_is_no_child() {
    for value in [
        "",
        NOT_YET,
        "[\"\"]",
        "[]",
        "thirty-six characters that are no id",
    ] {
        assert_eq!(
            child_of(&[("ExecutionId", &[value]), ("Output", &[value])]),
            None,
            "{value}"
        );
    }
    assert_eq!(child_of(&[("NotExecutionId", &[ID]), ("Status", &[ID])]), None);
    assert_eq!(child_of(&[]), None);
}

#[test]
fn a_command_is_read_from_the_run_command_step_or_the_executions_own_outputs() {
    assert_eq!(command_of(step(&[("CommandId", &[ID])])).as_deref(), Some(ID));
    assert_eq!(
        command_of(step(&[("patch.CommandId", &[ID])])).as_deref(),
        Some(ID)
    );
    assert_eq!(command_of(step(&[("CommandId", &[NOT_YET])])), None);

    let elsewhere = StepExecution::builder()
        .action("aws:executeScript")
        .outputs("CommandId", vec![ANOTHER.to_owned()])
        .build();
    let execution = AutomationExecution::builder()
        .outputs("patch.CommandId", vec![ID.to_owned()])
        .build();
    assert_eq!(commands(&execution, &[elsewhere])[0].id.as_str(), ID);
}

#[test]
fn a_step_that_failed_without_outputs_names_its_command_in_its_message() {
    for message in [
        "Step fails when it is Polling action status. Command x returns unexpected invocation result: \
         {Status=[Failed], ResponseCode=[1], CommandId=[5b6c7d8e-1111-4222-8333-123456789abc]}. Please refer to …",
        "OutputPayload=[{\"Status\":\"Failed\",\"CommandId\":\"5b6c7d8e-1111-4222-8333-123456789abc\"}]",
        "{\\\"CommandId\\\":\\\"5b6c7d8e-1111-4222-8333-123456789abc\\\"}",
    ] {
        let failed = StepExecution::builder()
            .action("aws:runCommand")
            .failure_message(message)
            .build();
        assert_eq!(command_of(failed).as_deref(), Some(ID), "{message}");
    }
    for message in [
        "CommandId=[]",
        "CommandId",
        "CommandId: é…",
        "no command, step 5b6c7d8e-1111-4222-8333-123456789abc",
    ] {
        let failed = StepExecution::builder()
            .action("aws:runCommand")
            .failure_message(message)
            .build();
        assert_eq!(command_of(failed), None, "{message}");
    }
}
