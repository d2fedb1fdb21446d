//! That a person has a campaign stopped.

use crate::id::{ExecutionId, Location, UnitId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who has a campaign stopped at its cutoff, as the log says it.
pub(crate) const AT_CUTOFF: &str = "the cutoff";

/// What becomes of what runs when a person has a campaign stopped. Nothing more is begun in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopMode {
    /// Executions go no further. A location whose command was sent comes to its end; one that has sent none is stopped.
    LetCommandsRun,
    /// Executions, those in the locations, and their commands are cancelled. A node that is at work may come to its end,
    /// because AWS cancels as well as it can.
    CancelCommands,
}

/// Who had a campaign stopped, when and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StopAsked {
    /// Who said so first.
    pub by: String,
    /// When, by the clock of whoever wrote it down.
    pub at: Timestamp,
    /// What becomes of what runs.
    pub mode: StopMode,
}

impl StopAsked {
    pub(in crate::campaign) fn new(by: &str, at: Timestamp, mode: StopMode) -> Self {
        let by = by.to_owned();
        Self { by, at, mode }
    }
}

/// Who had it stopped and when, as in "NAME had the campaign stopped at TIME".
impl fmt::Display for StopAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, at, mode } = self;
        write!(f, "{by} had the campaign stopped at {at:.0}")?;
        match mode {
            StopMode::LetCommandsRun => f.write_str(", and let the commands run on that had been sent"),
            StopMode::CancelCommands => Ok(()),
        }
    }
}

/// Something of a campaign that AWS did not let patchfleet stop, when a person had the campaign stopped or its budget was
/// used up. Either `execution` or `location` is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotStopped {
    /// The unit that it belongs to.
    pub unit: UnitId,
    /// The unit's own execution in the central account and Region, if it is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
    /// Whether that is a command, as patchfleet sent the commands itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_command: bool,
    /// Where it ran, if it is the execution or the commands of a location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Why, in AWS's words.
    pub reason: String,
}

impl NotStopped {
    pub(in crate::campaign) fn execution(
        unit: UnitId,
        execution: &ExecutionId,
        is_command: bool,
        reason: &str,
    ) -> Self {
        Self {
            unit,
            is_command,
            execution: Some(execution.clone()),
            location: None,
            reason: reason.to_owned(),
        }
    }

    pub(in crate::campaign) fn below(unit: UnitId, location: &Location, reason: &str) -> Self {
        Self {
            unit,
            execution: None,
            is_command: false,
            location: Some(location.clone()),
            reason: reason.to_owned(),
        }
    }
}

/// What it is and why, as in "the execution ID of unit 1 was not stopped: REASON".
impl fmt::Display for NotStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unit, reason, .. } = self;
        if let Some(execution) = &self.execution {
            let what = if self.is_command { "command" } else { "execution" };
            write!(f, "the {what} {execution} of unit {unit} ")?;
        }
        if let Some(location) = &self.location {
            write!(f, "what ran in {location} ")?;
        }
        write!(f, "was not stopped: {reason}")
    }
}
