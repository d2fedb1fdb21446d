//! The statuses of executions and of their steps: a closed enum with a place for what this version does
//! not know.

use serde::{Deserialize, Serialize};

/// `AutomationExecutionStatus`, which is also a step's status.
///
/// The statuses of Change Manager and of approvals are kept by name. Core asks of them only whether they are final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ExecutionStatus {
    /// Queued, or a step that was not reached (such a step stays so for good).
    Pending,
    /// Running.
    InProgress,
    /// Waiting for something.
    Waiting,
    /// Ended well.
    Success,
    /// Ended by its timeout.
    TimedOut,
    /// Being cancelled.
    Cancelling,
    /// Cancelled.
    Cancelled,
    /// Failed.
    Failed,
    /// Any other status, by AWS's name for it.
    Other(String),
}

impl ExecutionStatus {
    /// AWS's name for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Waiting => "Waiting",
            Self::Success => "Success",
            Self::TimedOut => "TimedOut",
            Self::Cancelling => "Cancelling",
            Self::Cancelled => "Cancelled",
            Self::Failed => "Failed",
            Self::Other(name) => name,
        }
    }

    /// Whether somebody has cancelled it. It may not have ended yet.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelling | Self::Cancelled)
    }

    /// Whether nothing more will happen. Success, TimedOut, Cancelled and Failed are documented as final. Rejected,
    /// ChangeCalendarOverrideRejected, CompletedWith… and Exited are final by their names. An unknown status is taken
    /// for open, so the execution is looked at again.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Success | Self::TimedOut | Self::Cancelled | Self::Failed => true,
            Self::Pending | Self::InProgress | Self::Waiting | Self::Cancelling => false,
            Self::Other(name) => matches!(
                name.as_str(),
                "Rejected"
                    | "ChangeCalendarOverrideRejected"
                    | "CompletedWithSuccess"
                    | "CompletedWithFailure"
                    | "Exited"
            ),
        }
    }
}

impl From<&str> for ExecutionStatus {
    fn from(name: &str) -> Self {
        match name {
            "Pending" => Self::Pending,
            "InProgress" => Self::InProgress,
            "Waiting" => Self::Waiting,
            "Success" => Self::Success,
            "TimedOut" => Self::TimedOut,
            "Cancelling" => Self::Cancelling,
            "Cancelled" => Self::Cancelled,
            "Failed" => Self::Failed,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl From<String> for ExecutionStatus {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<ExecutionStatus> for String {
    fn from(status: ExecutionStatus) -> Self {
        status.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_this_version_does_not_know_counts_as_open_and_keeps_its_name() {
        let status = ExecutionStatus::from("Hibernating");
        assert!(!status.is_terminal());
        assert_eq!(status.as_str(), "Hibernating");
        assert!(ExecutionStatus::from("CompletedWithFailure").is_terminal());
    }
}
