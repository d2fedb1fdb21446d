//! How a campaign ended.

use serde::{Deserialize, Serialize};

/// How a campaign ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishedOutcome {
    /// Every targeted node reached its goal.
    Succeeded,
    /// Some node did not, or a location was skipped as unknown.
    Partial,
    /// Ended early: some location was not begun, because of a budget, the cutoff, a changed runbook,
    /// somebody else's cancel, or because nobody drove the campaign for long.
    Halted,
    /// There was nothing to do.
    NothingToDo,
}

impl FinishedOutcome {
    /// The outcome in snake_case, as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Halted => "halted",
            Self::NothingToDo => "nothing_to_do",
        }
    }
}
