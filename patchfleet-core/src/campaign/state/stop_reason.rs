//! Why nothing more of a campaign is begun.

use super::{BreakerStop, FleetStop, LabelStop, WaveStop};
use crate::budget::MaxErrors;
use crate::campaign::StopAsked;
use crate::id::{Location, UnitId};
use crate::runbook::RunbookChange;
use crate::text::counted;
use jiff::Timestamp;
use std::fmt;

/// What a person can do about what was never begun.
pub(crate) const NEW_RUN: &str = "a new run of the request patches what is still missing";

/// Why no further unit is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// More locations failed than the plan allows.
    Budget {
        /// How many failed.
        failed: u32,
        /// How many may.
        allowed: u32,
    },
    /// A bound on the whole fleet leaves no room for a further node.
    Fleet(FleetStop),
    /// A budget that a wave has of its own is used up.
    Wave(WaveStop),
    /// Values of labels are used up, so no further node of them was begun. Those of other values were.
    Label {
        /// The first of them.
        first: LabelStop,
        /// How many others there are.
        others: usize,
    },
    /// A breaker has tripped.
    Breaker(BreakerStop),
    /// A wave has not passed its gate.
    Gate {
        /// The number of the wave, from 1.
        wave: u32,
        /// Its name.
        name: String,
        /// Whether too many of the nodes that were patched did not come to their goal. Otherwise too many of those that
        /// were to be patched were not.
        are_failures: bool,
        /// How many.
        found: u64,
        /// Of how many.
        of: u64,
        /// How many may be.
        allowed: MaxErrors,
    },
    /// What would run is not what the plan was made for.
    RunbookChanged {
        /// What is different.
        change: RunbookChange,
        /// In words.
        detail: String,
    },
    /// Somebody else cancelled an execution or a command of this campaign.
    CancelledElsewhere {
        /// The unit.
        unit: UnitId,
        /// The location in which it was cancelled; `None`: the unit's execution.
        location: Option<Location>,
        /// Whether something is begun once a person says that the campaign goes on.
        left: bool,
        /// The last instant at which it may begin; `None` if the plan has no cutoff.
        until: Option<Timestamp>,
    },
    /// A person had the campaign stopped.
    Asked(StopAsked),
    /// A person closed the campaign, as AWS no longer knew what it had begun, or let nobody see it any more.
    Abandoned {
        /// Who.
        by: String,
    },
    /// AWS refused a start, for a reason that the next one would meet as well.
    Refused(UnitId),
    /// An execution ended without reaching its locations, and not because of its error limit.
    BrokenOff(UnitId),
    /// AWS began a command so late that it lives, or lived, past the plan's cutoff.
    PastCutoff {
        /// Where.
        location: Location,
        /// When the command expires.
        expires: Timestamp,
        /// The cutoff.
        at: Timestamp,
    },
    /// Nobody drove the campaign for long, and whoever went on with it has nothing more of it begun.
    Unattended {
        /// When it was last driven. After `until` if nobody knows: it was planned by a clock that is ahead.
        since: Timestamp,
        /// When it was driven on.
        until: Timestamp,
    },
    /// The plan's cutoff is so near that a command that is started now may outlive it.
    Cutoff {
        /// The cutoff.
        at: Timestamp,
    },
    /// A freeze or a change calendar keeps a start from being sent again, or an alarm of which nobody knows the state. It ends,
    /// and stops nothing else.
    Frozen(String),
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget { failed, allowed } => {
                let failed = counted(*failed, "location");
                write!(f, "{failed} failed, and the budget allows {allowed}")
            }
            Self::Fleet(stop) => stop.fmt(f),
            Self::Wave(stop) => stop.fmt(f),
            Self::Label { first, others: 0 } => write!(f, "{first}; nodes of other values are not left out"),
            Self::Label { first, others } => {
                write!(
                    f,
                    "{first}, and likewise {}; nodes of other values are not left out",
                    counted(*others, "other value")
                )
            }
            Self::Breaker(stop) => stop.fmt(f),
            Self::Gate {
                wave,
                name,
                are_failures,
                found,
                of,
                allowed,
            } => write!(
                f,
                "wave {wave} ({name}) did not pass its gate: {found} of {} {}, and it allows {allowed}",
                counted(*of, "node"),
                match are_failures {
                    true => "failed",
                    false => "were not reached",
                }
            ),
            Self::RunbookChanged { detail, .. } => f.write_str(detail),
            Self::CancelledElsewhere {
                unit,
                location,
                left,
                until,
            } => {
                match location {
                    Some(location) => write!(f, "what runs in {location} was cancelled")?,
                    None => write!(f, "the execution of unit {unit} was cancelled")?,
                }
                match left {
                    true => f.write_str(
                        ", and not by patchfleet; if that is right, `patchfleet resume --go-on` starts what had not \
                         been begun",
                    ),
                    false => write!(
                        f,
                        ", and not by patchfleet; nothing is left that `patchfleet resume --go-on` would start, and \
                         {NEW_RUN}"
                    ),
                }?;
                match until.filter(|_| *left) {
                    Some(until) => write!(f, ", until {until:.0} (the cutoff allows no later start)"),
                    None => Ok(()),
                }
            }
            Self::Asked(asked) => write!(
                f,
                "{asked}; nothing more of it begins, and once it is over {NEW_RUN}"
            ),
            Self::Abandoned { by } => write!(
                f,
                "{by} closed the campaign, as AWS no longer knew what it had begun, or let nobody see it"
            ),
            Self::Refused(unit) => write!(f, "AWS refused the start of unit {unit}"),
            Self::BrokenOff(unit) => write!(
                f,
                "the execution of unit {unit} ended before it reached all its locations"
            ),
            Self::PastCutoff {
                location,
                expires,
                at,
            } => write!(
                f,
                "AWS began the command in {location} late: it expires at {expires:.0}, past the cutoff {at:.0}"
            ),
            Self::Unattended { since, until } if since > until => write!(
                f,
                "by its log, the campaign was planned at {since:.0}, and a driver whose clock said {until:.0} went on \
                 with it: nobody knows for how long nobody drove it, and nothing more of it is begun; {NEW_RUN}"
            ),
            Self::Unattended { since, until } => write!(
                f,
                "by its log, nobody drove the campaign from {since:.0} to {until:.0} (no driver ran, or AWS or the log \
                 did not answer it), and nothing more of it is begun so long after its time; {NEW_RUN}"
            ),
            Self::Cutoff { at } => {
                write!(
                    f,
                    "a command that is started now may live past the cutoff {at:.0}"
                )
            }
            Self::Frozen(why) => f.write_str(why),
        }
    }
}
