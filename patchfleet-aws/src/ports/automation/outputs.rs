//! Ids in the outputs of steps, read leniently: the names of the outputs, and whether a value is
//! the id or JSON around it, are not confirmed by any document of AWS.

use aws_sdk_ssm::types as ssm;
use patchfleet_core::id::{CommandId, ExecutionId};
use patchfleet_core::port::SentCommand;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The execution that a step of a multi-account automation started in its location: its output
/// `ExecutionId` (`aws:executeAutomation`, User Guide), or failing that `Output`.
pub(super) fn execution_id(step: &ssm::StepExecution) -> Option<ExecutionId> {
    let outputs = sorted(step.outputs());
    id_of(&outputs, "ExecutionId").or_else(|| id_of(&outputs, "Output"))
}

/// The commands that a location's execution sent: the output `CommandId` of each of `steps` that is an
/// `aws:runCommand`, with the step's input `DocumentName`. If no step names one, that of the execution.
///
/// A step that failed may have no outputs. What AWS says of its failure then names the command
/// (`CommandId=[…]`, or as JSON), and that is read as the last resort: without the command, the
/// nodes of a location that failed could not be accounted for.
pub(super) fn commands(
    execution: &ssm::AutomationExecution,
    steps: &[ssm::StepExecution],
) -> Vec<SentCommand> {
    let run_commands = steps.iter().filter(|step| {
        let action = step.action().unwrap_or_default();
        action.eq_ignore_ascii_case("aws:runCommand")
    });
    let mut commands: Vec<SentCommand> = vec![];
    for step in run_commands {
        if let Some(id) = command_id(step)
            && !commands.iter().any(|sent| sent.id == id)
        {
            let document = step.inputs().and_then(|inputs| inputs.get("DocumentName"));
            let document = document.map(|text| bare(text).to_owned());
            commands.push(SentCommand {
                id,
                document: document.filter(|name| !name.is_empty()),
            });
        }
    }
    if commands.is_empty() {
        let id = id_of(&sorted(execution.outputs()), "CommandId");
        commands.extend(id.map(|id| SentCommand { id, document: None }));
    }
    commands
}

/// The command that a step sent.
fn command_id(step: &ssm::StepExecution) -> Option<CommandId> {
    let outputs = sorted(step.outputs());
    id_of(&outputs, "CommandId").or_else(|| {
        outputs
            .values()
            .flat_map(|values| values.iter())
            .map(String::as_str)
            .chain(step.response())
            .chain(step.failure_message())
            .find_map(command_id_in_text)
    })
}

type Outputs<'a> = BTreeMap<&'a str, &'a Vec<String>>;

/// Outputs in the order of their names, so that the same answer always reads the same.
fn sorted(outputs: Option<&std::collections::HashMap<String, Vec<String>>>) -> Outputs<'_> {
    outputs
        .into_iter()
        .flatten()
        .map(|(key, values)| (key.as_str(), values))
        .collect()
}

/// The first id among the values of the output `name`, or of one that is called so after its
/// step's name and a dot.
fn id_of<T: FromStr>(outputs: &Outputs<'_>, name: &str) -> Option<T> {
    let is_named =
        |key: &str| key == name || key.strip_suffix(name).is_some_and(|prefix| prefix.ends_with('.'));
    outputs
        .iter()
        .filter(|(key, _)| is_named(key))
        .flat_map(|(_, values)| values.iter())
        .find_map(|value| id_in_value(value))
}

/// The id that a value is, or that stands in it as JSON text: `"…"`, or `["…"]`.
fn id_in_value<T: FromStr>(value: &str) -> Option<T> {
    let bare = bare(value);
    is_uuid(bare).then(|| bare.parse().ok()).flatten()
}

/// A text without the JSON around it.
fn bare(value: &str) -> &str {
    value.trim().trim_matches(['[', ']', '"', ' '])
}

/// The command that a text names, as in `… CommandId=[5b6c…]` or `"CommandId":"5b6c…"`.
fn command_id_in_text(text: &str) -> Option<CommandId> {
    text.match_indices("CommandId").find_map(|(at, name)| {
        let rest = text.get(at + name.len()..)?;
        let id = rest.trim_start_matches(['\\', '"', '\'', ':', '=', '[', ' ']);
        let id = id.get(..36)?;
        is_uuid(id).then(|| id.parse().ok()).flatten()
    })
}

/// Whether a text has the shape of a UUID, which ids of executions and commands have. Other texts
/// of 36 characters, such as a sentence in an `Output`, are none.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests;
