//! The statuses of commands and of invocations: closed enums, each with a place for what this version
//! does not know.

/// `CommandStatus`: how far a command is, over all its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CommandStatus {
    /// Not sent to any node yet.
    Pending,
    /// Sent to some of its nodes, or to all.
    InProgress,
    /// Ended well, which includes a command that matched no node.
    Success,
    /// Cancelled by somebody.
    Cancelled,
    /// Failed on more nodes than it may, or before it was sent to any.
    Failed,
    /// It expired, or too many of its nodes were not reached.
    TimedOut,
    /// Being cancelled.
    Cancelling,
    /// A status that this version does not know, by AWS's name for it.
    Unknown(String),
}

impl CommandStatus {
    /// AWS's name for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Success => "Success",
            Self::Cancelled => "Cancelled",
            Self::Failed => "Failed",
            Self::TimedOut => "TimedOut",
            Self::Cancelling => "Cancelling",
            Self::Unknown(name) => name,
        }
    }

    /// Whether somebody has cancelled it. It may not have ended yet.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelling | Self::Cancelled)
    }

    /// Whether nothing more will happen. An unknown status is taken for open, so the command is looked at again.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Success | Self::Cancelled | Self::Failed | Self::TimedOut => true,
            Self::Pending | Self::InProgress | Self::Cancelling | Self::Unknown(_) => false,
        }
    }
}

/// Reads AWS's `Status`, whatever its case and its spaces.
impl From<&str> for CommandStatus {
    fn from(status: &str) -> Self {
        match folded(status).as_str() {
            "pending" => Self::Pending,
            "inprogress" => Self::InProgress,
            "success" => Self::Success,
            "cancelled" => Self::Cancelled,
            "failed" => Self::Failed,
            "timedout" => Self::TimedOut,
            "cancelling" => Self::Cancelling,
            _ => Self::Unknown(status.to_owned()),
        }
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
    /// The command expired before the node had answered. Such a node need not have been out of reach. At the end of a
    /// command every node that is InProgress, Pending or Delayed gets this status (recorded).
    DeliveryTimedOut,
    /// Cannot be delivered, because the node is gone or does not answer.
    Undeliverable,
    /// Not delivered, because access is denied.
    AccessDenied,
    /// Not delivered, because the document does not know the node's platform.
    InvalidPlatform,
    /// Cancelled by somebody.
    Cancelled,
    /// Not sent, because the command had reached its error limit. Where an alarm ended the command, the node may also be
    /// at work, since the script runs on (recorded).
    Terminated,
    /// A status that this version does not know, by AWS's name for it.
    Other(String),
}

impl InvocationStatus {
    /// Reads AWS's `StatusDetails`, in which the docs print spaces and the API does not.
    #[must_use]
    pub fn from_details(details: &str) -> Self {
        match folded(details).as_str() {
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

/// A status for comparing: the docs print spaces and capitals that the API does not.
fn folded(status: &str) -> String {
    let letters = status.chars().filter(|c| !c.is_whitespace());
    letters.map(|c| c.to_ascii_lowercase()).collect()
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
    fn a_commands_status_that_this_version_does_not_know_counts_as_open_and_keeps_its_name() {
        let status = CommandStatus::from("Hibernating");
        assert!(!status.is_terminal() && !status.is_cancelled());
        assert_eq!(status.as_str(), "Hibernating");
        for over in ["Success", "Cancelled", "Failed", "TimedOut", "Timed Out"] {
            assert!(CommandStatus::from(over).is_terminal(), "{over}");
        }
        for open in ["Pending", "InProgress", "Cancelling"] {
            assert!(!CommandStatus::from(open).is_terminal(), "{open}");
        }
    }
}
