//! The Command document that the runbook sends, and what it adds to the life of a command.
//!
//! A command expires as a whole. It lives for its `TimeoutSeconds` and the sum of the timeouts of all steps of its
//! document. AWS-RunPatchBaseline of 2021 has three steps of 7,200 s, which add 21,600 s (recorded). A step timeout that
//! refers to a parameter counts with the value that was given. If none was given, it counts with 3,600 s, whatever the
//! parameter's default (recorded, 2026).

use crate::budget::Seconds;
use crate::id::DocumentName;
use crate::port::Documents;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The Command document that patchfleet's runbook sends.
pub(crate) const COMMAND_DOCUMENT: &str = "AWS-RunPatchBaseline";

/// The parameter of AWS-RunPatchBaseline that bounds the time of a node (User Guide: 1 to 36,000 s).
pub(crate) const STEP_TIMEOUT_PARAMETER: &str = "StepTimeoutSeconds";

/// Documents of AWS's own that run a document, or a script, of somebody else's.
const RUNS_OTHERS: [&str; 2] = ["AWS-RunDocument", "AWS-RunRemoteScript"];

/// What a Command document does, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It patches by a patch baseline: AWS-RunPatchBaseline, AWS-RunPatchBaselineAssociation and
    /// AWS-RunPatchBaselineWithHooks (User Guide, "SSM Command documents for patching managed nodes"), and
    /// AWS-ApplyPatchBaseline, which came before them.
    Patching,
    /// It is another document of AWS's own.
    Other,
    /// It is somebody's own, and may run any of them.
    Unknown,
}

impl Purpose {
    /// That of the document with this name or ARN. Nobody else's name begins with `AWS-` (CreateDocument).
    pub(crate) fn of(document: &str) -> Self {
        let name = document.rsplit('/').next().unwrap_or(document);
        let name = name.split(':').next().unwrap_or(name);
        if name.starts_with(COMMAND_DOCUMENT) || name == "AWS-ApplyPatchBaseline" {
            Self::Patching
        } else if name.starts_with("AWS-") && !RUNS_OTHERS.contains(&name) {
            Self::Other
        } else {
            Self::Unknown
        }
    }
}

/// What a step whose timeout is a parameter counts with if none was given.
const NOT_GIVEN: Seconds = Seconds::hours(1);

/// The steps of AWS-RunPatchBaseline: one for Windows, one for Linux, one for macOS.
const STEPS: u64 = 3;

/// What is known of the timeouts of the Command document's steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "known", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CommandSteps {
    /// The document was read.
    Read {
        /// The sum of the timeouts that nobody can change.
        fixed: Seconds,
        /// The longest timeout that nobody can change.
        longest: Seconds,
        /// How many steps take the value of `StepTimeoutSeconds`.
        by_parameter: u32,
    },
    /// The document could not be read. The sum then lies between the least and the most of all known versions.
    #[default]
    Unread,
}

/// The sum of the step timeouts of a document, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSum {
    /// A command lives at least this much longer than its `TimeoutSeconds`.
    pub least: Seconds,
    /// A command lives at most this much longer than its `TimeoutSeconds`.
    pub most: Seconds,
}

impl CommandSteps {
    /// Those of a document all of whose steps take `StepTimeoutSeconds`.
    pub(crate) const PASSED: Self = Self::Read {
        fixed: Seconds::ZERO,
        longest: Seconds::ZERO,
        by_parameter: 3,
    };

    /// Reads a Command document's content, JSON or YAML. Anything else is [`Unread`](Self::Unread).
    #[must_use]
    pub(crate) fn parse(content: &str) -> Self {
        super::ensure::read(content)
            .and_then(|document| Self::of(&document))
            .unwrap_or_default()
    }

    fn of(document: &Value) -> Option<Self> {
        if !document.get("schemaVersion")?.as_str()?.starts_with("2.") {
            return None;
        }
        let (mut fixed, mut longest, mut by_parameter) = (Seconds::ZERO, Seconds::ZERO, 0_u32);
        for step in document.get("mainSteps")?.as_array()? {
            let timeout = step.get("inputs").and_then(|inputs| inputs.get("timeoutSeconds"));
            let reference = timeout.and_then(Value::as_str).and_then(reference);
            if reference == Some(STEP_TIMEOUT_PARAMETER) {
                by_parameter = by_parameter.saturating_add(1);
                continue;
            }
            // It refers to another parameter, which is never given. Or there is no timeout, and the agent takes an hour
            // (SSM command document reference, aws:runShellScript).
            let seconds = timeout.and_then(whole).map_or(NOT_GIVEN, Seconds::new);
            (fixed, longest) = (fixed.plus(seconds), longest.max(seconds));
        }
        Some(Self::Read {
            fixed,
            longest,
            by_parameter,
        })
    }

    /// Whether the document takes the parameter `StepTimeoutSeconds`.
    #[must_use]
    pub(crate) fn takes_step_timeout(self) -> bool {
        matches!(self, Self::Read { by_parameter, .. } if by_parameter > 0)
    }

    /// What the steps add to the life of a command that is given this step timeout, if the document
    /// takes one.
    #[must_use]
    pub(crate) fn sum(self, step_timeout: Seconds) -> StepSum {
        match self {
            Self::Read {
                fixed, by_parameter, ..
            } => {
                let sum = fixed.plus(step_timeout.times(u64::from(by_parameter)));
                StepSum {
                    least: sum,
                    most: sum,
                }
            }
            // Nothing is passed to a document that nobody has read.
            Self::Unread => StepSum {
                least: NOT_GIVEN.times(STEPS),
                most: Seconds::hours(2).times(STEPS),
            },
        }
    }

    /// How long the document may run on a node that is given this step timeout, if the document
    /// takes one. Only one step runs on a node, the one for its platform.
    #[must_use]
    pub(crate) fn on_a_node(self, step_timeout: Seconds) -> Seconds {
        match self {
            Self::Read {
                longest,
                by_parameter: 0,
                ..
            } => longest,
            Self::Read { longest, .. } => longest.max(step_timeout),
            Self::Unread => Seconds::hours(2),
        }
    }
}

/// The name of the parameter that a text like `{{ name }}` refers to.
pub(super) fn reference(text: &str) -> Option<&str> {
    Some(text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim())
}

/// Documents write timeouts as numbers and as texts.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Reads the timeouts of AWS-RunPatchBaseline as it is in the central account and Region. A caller
/// who may not read it, or gets no answer, knows nothing of it.
pub async fn command_steps(documents: &dyn Documents) -> CommandSteps {
    let Ok(name) = COMMAND_DOCUMENT.parse::<DocumentName>() else {
        return CommandSteps::Unread;
    };
    match documents.document(&name).await {
        Ok(view) => CommandSteps::parse(&view.content),
        Err(_) => CommandSteps::Unread,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(timeouts: &[&str]) -> CommandSteps {
        let steps: Vec<String> = timeouts
            .iter()
            .map(|timeout| {
                format!(r#"{{"action":"aws:runShellScript","inputs":{{"timeoutSeconds":{timeout}}}}}"#)
            })
            .collect();
        CommandSteps::parse(&format!(
            r#"{{"schemaVersion":"2.2","mainSteps":[{}]}}"#,
            steps.join(",")
        ))
    }

    fn sum(steps: CommandSteps, given: u64) -> (u64, u64) {
        let sum = steps.sum(Seconds::new(given));
        (sum.least.get(), sum.most.get())
    }

    /// real-answers 10 and 21.
    #[test]
    fn the_sums_are_those_that_were_recorded() {
        assert_eq!(sum(document(&["7200", "7200", "7200"]), 60), (21_600, 21_600));
        assert_eq!(sum(document(&["\"5\""]), 60), (5, 5));
        assert_eq!(sum(document(&["\"{{ executionTimeout }}\""]), 60), (3_600, 3_600));
        assert_eq!(sum(document(&["5", "7"]), 60), (12, 12));
    }

    #[test]
    fn a_document_with_the_parameter_counts_each_step_with_the_value_that_is_passed() {
        let steps = document(&[
            r#""{{ StepTimeoutSeconds }}""#,
            r#""{{StepTimeoutSeconds}}""#,
            r#""{{ StepTimeoutSeconds }}""#,
        ]);
        assert!(steps.takes_step_timeout());
        assert_eq!(sum(steps, 10_800), (32_400, 32_400));
        assert_eq!(steps.on_a_node(Seconds::new(10_800)), Seconds::hours(3));
        assert!(!document(&["7200"]).takes_step_timeout());
    }

    #[test]
    fn what_is_no_command_document_leaves_both_figures_on_the_safe_side() {
        for content in ["", "[]", r#"{"schemaVersion":"0.3","mainSteps":[]}"#] {
            let steps = CommandSteps::parse(content);
            assert_eq!(steps, CommandSteps::Unread);
            assert_eq!(sum(steps, 7_200), (10_800, 21_600));
        }
    }
}
