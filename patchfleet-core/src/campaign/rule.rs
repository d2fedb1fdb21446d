//! The rules of admission by their names, and whether one is asked.

use serde::{Deserialize, Serialize};

#[cfg(any(test, feature = "internals"))]
pub(crate) mod planted;

/// A rule of admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rule {
    /// Nothing more is begun once there is a reason to stop.
    Stop,
    /// Nothing more is begun once a breaker has tripped.
    Breaker,
    /// No wave begins before the one before it is over.
    Wave,
    /// No wave begins while it is not known whether the one before it did well.
    Gate,
    /// No wave begins before a person has approved of the one before it, where the request asks for that.
    Approval,
    /// No wave begins before the one before it has been over for as long as the request says.
    Soak,
    /// Nothing begins in a freeze of the request, nor what might not be through when one begins.
    Freeze,
    /// Nothing begins unless the change calendars of the request are open.
    Calendars,
    /// Nothing begins while it is not known whether the CloudWatch alarm of the request is in the state ALARM, and nothing more
    /// once it was.
    Alarm,
    /// Units are begun in their order, one start at a time.
    Order,
    /// So many locations at once, so many that fail.
    Budget,
    /// So many nodes in flight across the whole fleet, so many that are damaged.
    Fleet,
    /// So many nodes of each value of a label in flight, so many that are damaged.
    Labels,
    /// A start of which nobody knows whether it took effect is sent again only if a person says so.
    Person,
}

/// Whether a rule is asked, here and wherever the same is asked once more. It always is, but for a test that plants a bug.
pub(super) fn is_asked(rule: Rule) -> bool {
    #[cfg(any(test, feature = "internals"))]
    return !planted::is_left_out(rule);
    #[cfg(not(any(test, feature = "internals")))]
    {
        let _ = rule;
        true
    }
}
