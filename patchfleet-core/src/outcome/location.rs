//! What became of a location.

use serde::{Deserialize, Serialize};

/// What became of a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LocationOutcome {
    /// Every targeted node reached its goal.
    Succeeded,
    /// Some node did not.
    NodesFailed,
    /// No node was there, and none had been counted.
    Emptied,
    /// Nodes were planned, and none of them is in the selection any more: the group was deleted, or
    /// all have left it. Nobody patched them.
    Vanished,
    /// The command failed before it was sent to any node, because its sender may not list the group or
    /// was throttled.
    CommandFailed,
    /// Automation could not assume the execution role there.
    RoleNotAssumable,
    /// The execution there failed before it sent its command.
    FailedBeforeCommand,
    /// Somebody cancelled the execution.
    Cancelled,
    /// The execution ended by its timeout before it sent a command.
    TimedOut,
    /// Never begun, because the campaign had stopped, as for a budget, a cutoff, a changed runbook or
    /// somebody else's cancel, or because its execution ended before it reached the location.
    NotStarted,
    /// AWS refused the start of its unit.
    StartRefused,
    /// Nobody knows whether its unit was started.
    Unresolved,
    /// It ran, and its results could not be read.
    ResultsUnreadable,
}

impl LocationOutcome {
    /// The outcome in snake_case, as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::NodesFailed => "nodes_failed",
            Self::Emptied => "emptied",
            Self::Vanished => "vanished",
            Self::CommandFailed => "command_failed",
            Self::RoleNotAssumable => "role_not_assumable",
            Self::FailedBeforeCommand => "failed_before_command",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::NotStarted => "not_started",
            Self::StartRefused => "start_refused",
            Self::Unresolved => "unresolved",
            Self::ResultsUnreadable => "results_unreadable",
        }
    }
}
