//! The statuses that executions, steps, commands and invocations share.

/// A status. AWS has one enum for executions and steps and two for Run Command; these are the
/// values that the simulator uses, which all of them have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Not begun.
    Pending,
    /// Running.
    InProgress,
    /// Waiting for somebody: an approval, a signal to go on. Only of executions and steps.
    Waiting,
    /// Ended well.
    Success,
    /// Failed.
    Failed,
    /// Ended by a timeout.
    TimedOut,
    /// Being cancelled.
    Cancelling,
    /// Cancelled.
    Cancelled,
}

impl Status {
    /// AWS's name for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Waiting => "Waiting",
            Self::Success => "Success",
            Self::Failed => "Failed",
            Self::TimedOut => "TimedOut",
            Self::Cancelling => "Cancelling",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failed | Self::TimedOut | Self::Cancelled
        )
    }
}
