//! AWS's statuses, as closed enums with a place for what this version does not know.

use serde::{Deserialize, Serialize};

/// `AutomationExecutionStatus`, which is also a step's status.
///
/// The statuses of Change Manager and of approvals are kept by name: they have no meaning of
/// their own here, beyond whether they are final.
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

    /// Whether somebody has cancelled it, whether or not it has ended by now.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelling | Self::Cancelled)
    }

    /// Whether nothing more will happen. Documented as final: Success, TimedOut, Cancelled,
    /// Failed; final by their names: Rejected, ChangeCalendarOverrideRejected, CompletedWith…,
    /// Exited. A status that nobody knows is taken for open: it is looked at again.
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

/// What became of a command on one node: `StatusDetails`, which says more than `Status`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvocationStatus {
    /// Not sent yet.
    Pending,
    /// Sent to the node, which has not answered yet.
    InProgress,
    /// Could not be sent; AWS tries again.
    Delayed,
    /// The node says that it went well. The truth is in its patch state.
    Success,
    /// The node says that it failed.
    Failed,
    /// Started and not ended in time.
    ExecutionTimedOut,
    /// The command expired before the node had answered. Not every such node was out of reach: at
    /// the end of a command every node that is InProgress, Pending or Delayed becomes this (seen).
    DeliveryTimedOut,
    /// Cannot be delivered: the node is gone, or does not answer.
    Undeliverable,
    /// Not delivered: access is denied.
    AccessDenied,
    /// Not delivered: the document does not know the node's platform.
    InvalidPlatform,
    /// Cancelled by somebody.
    Cancelled,
    /// Not sent, because the command had reached its error limit; or, where an alarm ended the
    /// command, perhaps sent and still at work: the script runs on (seen).
    Terminated,
    /// A status that this version does not know, by AWS's name for it.
    Other(String),
}

impl InvocationStatus {
    /// Reads AWS's `StatusDetails`, in which the docs print spaces and the API does not.
    #[must_use]
    pub fn from_details(details: &str) -> Self {
        let name: String = details
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| c.to_ascii_lowercase())
            .collect();
        match name.as_str() {
            "pending" => Self::Pending,
            "inprogress" | "cancelling" => Self::InProgress,
            "delayed" => Self::Delayed,
            "success" => Self::Success,
            "failed" => Self::Failed,
            "executiontimedout" | "timedout" => Self::ExecutionTimedOut,
            "deliverytimedout" => Self::DeliveryTimedOut,
            "undeliverable" => Self::Undeliverable,
            "accessdenied" => Self::AccessDenied,
            "invalidplatform" => Self::InvalidPlatform,
            "cancelled" => Self::Cancelled,
            "terminated" => Self::Terminated,
            _ => Self::Other(details.split_whitespace().collect()),
        }
    }

    /// AWS's name for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Delayed => "Delayed",
            Self::Success => "Success",
            Self::Failed => "Failed",
            Self::ExecutionTimedOut => "ExecutionTimedOut",
            Self::DeliveryTimedOut => "DeliveryTimedOut",
            Self::Undeliverable => "Undeliverable",
            Self::AccessDenied => "AccessDenied",
            Self::InvalidPlatform => "InvalidPlatform",
            Self::Cancelled => "Cancelled",
            Self::Terminated => "Terminated",
            Self::Other(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_read_the_same_with_and_without_spaces() {
        assert_eq!(
            InvocationStatus::from_details("Delivery Timed Out"),
            InvocationStatus::DeliveryTimedOut
        );
        assert_eq!(
            InvocationStatus::from_details("DeliveryTimedOut"),
            InvocationStatus::DeliveryTimedOut
        );
        assert_eq!(
            InvocationStatus::from_details("Re booting?"),
            InvocationStatus::Other("Rebooting?".to_owned())
        );
    }

    #[test]
    fn a_status_of_tomorrow_is_open_and_keeps_its_name() {
        let status = ExecutionStatus::from("Hibernating");
        assert!(!status.is_terminal());
        assert_eq!(status.as_str(), "Hibernating");
        assert!(ExecutionStatus::from("CompletedWithFailure").is_terminal());
    }
}
