//! Ids in the outputs of steps. They are read leniently, because AWS documents neither the names of the outputs nor
//! whether a value is the id itself or JSON with the id in it.

use aws_sdk_ssm::types as ssm;
use patchfleet_core::id::{CommandId, ExecutionId};
use patchfleet_core::port::SentCommand;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The execution that a step of a multi-account automation started in its location. It stands in the output `ExecutionId`
/// (`aws:executeAutomation`, User Guide), or else in `Output`.
pub(super) fn execution_id(step: &ssm::StepExecution) -> Option<ExecutionId> {
    let outputs = sorted(step.outputs());
    id_of(&outputs, "ExecutionId").or_else(|| id_of(&outputs, "Output"))
}

/// The commands that a location's execution sent. They stand in the output `CommandId` of each of `steps` that is an
/// `aws:runCommand`, and their documents in the step's input `DocumentName`. If no step names a command, the output of
/// the execution is read.
///
/// A step that failed may have no outputs. What AWS says of its failure then names the command (`CommandId=[…]`, or as
/// JSON), and that is read as the last resort. Without the command nobody could account for the nodes of a location that
/// failed.
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

/// Outputs in the order of their names, so the same answer is always read in the same order.
fn sorted(outputs: Option<&std::collections::HashMap<String, Vec<String>>>) -> Outputs<'_> {
    outputs
        .into_iter()
        .flatten()
        .map(|(key, values)| (key.as_str(), values))
        .collect()
}

/// The first id among the values of the output `name`. The output may also be called by its step's name, a dot, and
/// `name`.
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

/// Whether a text has the shape of a UUID, as the ids of executions and commands have. A sentence of 36 characters in an
/// `Output` has not.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests;
