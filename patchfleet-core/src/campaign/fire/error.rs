//! Why a plan was not fired, or not whole.

use super::FiredUnit;
use crate::id::{ExecutionId, Location};
use crate::plan::PlanError;
use crate::port::PortError;
use crate::problem::chain;
use crate::refusal::Skip;
use crate::text::{by_number, counted};
use jiff::{SignedDuration, SpanRound, Unit};
use std::collections::BTreeSet;
use std::fmt;

/// Why a plan was not fired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FireError {
    /// Some of the executions have to wait for others, and need somebody who begins them.
    #[error("nothing was started: the plan needs {units} executions, {reason}")]
    NeedsDriver {
        /// How many it needs.
        units: usize,
        /// Why they cannot all be begun at once.
        reason: NeedsDriver,
    },
    /// What would run is not what the plan was made for. Nothing was started.
    #[error("nothing was started: {detail}")]
    RunbookChanged {
        /// The document, where, and its versions.
        detail: String,
    },
    /// The deadline was near before anything was started.
    #[error(
        "nothing was started: the time that the function has was over before the plan was made and compared. Give it \
         a longer timeout"
    )]
    OutOfTime,
    /// The campaign was started before, and not as the request asks for it.
    #[error(
        "nothing was started: execution {execution} was started for this event before, and not as it is asked for now: {}",
        .differences.join("; ")
    )]
    Differs {
        /// The execution that was found.
        execution: ExecutionId,
        /// What is different, a phrase each.
        differences: Vec<String>,
    },
    /// The campaign was started before, and too long ago for this to be a retry.
    #[error(
        "nothing was started: execution {execution} was started for an event of this id {} ago, and no event is \
         delivered again after more than {}. The id is the same for every event: give each event an id of its own",
        in_words(*.age), in_words(*.longest_retry)
    )]
    NoRetry {
        /// The execution that was found.
        execution: ExecutionId,
        /// How long ago it was started, by AWS's clock.
        age: SignedDuration,
        /// How long after a start its event may come again.
        longest_retry: SignedDuration,
    },
    /// A freeze of the request, a change calendar or its alarm lets nothing begin now. It says which, and until when.
    #[error("nothing was started: {0}")]
    Frozen(String),
    /// Some of the campaign was begun, and not all of it.
    #[error(transparent)]
    Unfinished(Box<Unfinished>),
    /// It could not be found out whether the campaign was started before, or the start failed.
    #[error("the campaign could not be started")]
    Port(#[source] PortError),
}

/// Why the executions of a plan cannot all be begun at once. Its text says what would do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NeedsDriver {
    /// There are more of them than locations that may be patched at once.
    Places {
        /// How many locations may be patched at once.
        places: u32,
        /// How many executions it would need if empty locations were kept, if that is fewer.
        kept: Option<usize>,
        /// Whether a bound on the fleet's nodes in flight lets no more be patched at once.
        by_fleet: bool,
    },
    /// A bound on how many nodes of the fleet are damaged, or not reached, is kept by whoever begins the next.
    Fleet,
    /// A breaker ends the campaign only if somebody reads what became of some locations before others are begun.
    Breaker,
    /// Each gets the time that is left until the cutoff, whenever it is begun.
    Cutoff,
    /// Likewise the time that is left until a freeze, and none may begin in one, nor while a change calendar is closed, nor once
    /// the alarm is in the state ALARM.
    Freezes,
    /// They are of several waves, and each waits for the one before it.
    Waves {
        /// How many waves.
        waves: usize,
    },
    /// A wave of the request has a `patch` or a `budget` of its own, and what was started for an event is later known again by the
    /// request's.
    OwnWaves,
    /// Two of them are of one location, whose limits they share. They name nodes, and a start can name 20.
    SharedLocation {
        /// The location.
        location: Location,
    },
}

/// Who begins what has to wait.
const DRIVER: &str = "run it where it can be followed, with the command or the cron process";

impl fmt::Display for NeedsDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Places {
                places,
                kept,
                by_fleet: true,
            } => {
                write!(
                    f,
                    "and budget.fleet.max_in_flight lets {} be patched at once, so some would have to wait for others with \
                     nobody there to begin them: raise budget.fleet.max_in_flight to that number or more, ",
                    counted(*places, "location"),
                )?;
                if let Some(kept) = kept {
                    write!(f, "or policy.empty = \"keep\" (then it needs {kept}), ")?;
                }
                write!(f, "or {DRIVER}")
            }
            Self::Fleet => write!(
                f,
                "and somebody has to count what is damaged, or not reached, before the next is begun: leave out \
                 budget.labels, budget.fleet.max_damaged and budget.fleet.max_unreached (max_in_flight alone is kept by Systems \
                 Manager), \
                 or {DRIVER}"
            ),
            Self::Breaker => write!(
                f,
                "and somebody has to read how they end before the next is begun: leave consecutive_failures and failure_share out of \
                 [breaker], or {DRIVER}"
            ),
            Self::Places {
                places,
                kept,
                by_fleet: false,
            } => {
                write!(
                    f,
                    "and budget.locations.max_concurrency lets {} be patched at once, so some would have to wait for \
                     others with nobody there to begin them: set budget.locations.max_concurrency (a window's and the sample's \
                     TargetLocationMaxConcurrency) to that number or more, ",
                    counted(*places, "location"),
                )?;
                if let Some(kept) = kept {
                    write!(
                        f,
                        "or policy.empty = \"keep\" (then it needs {kept}; a command that matches no node ends well), ",
                    )?;
                }
                write!(f, "or {DRIVER}")
            }
            Self::Cutoff => write!(
                f,
                "since with a cutoff each location has one of its own, which gets the time that is left when it is \
                 begun: name one location for each event, leave the cutoff out, or {DRIVER}"
            ),
            Self::Freezes => write!(
                f,
                "since with [[freezes]], change_calendars or breaker.alarm each location has one of its own, which is begun when it \
                 may be: name one location for each event, leave these out, or {DRIVER}"
            ),
            Self::Waves { waves } => write!(
                f,
                "in {waves} waves, and a wave begins when the one before it is over, with nobody there to begin it: leave \
                 [[waves]] out, or {DRIVER}"
            ),
            Self::OwnWaves => write!(
                f,
                "and a wave of the request has a patch or a budget of its own, by which a second delivery of the event would not \
                 know what the first one began: leave these out, or {DRIVER}"
            ),
            Self::SharedLocation { location } => write!(
                f,
                "and several are of {location}, as they name nodes and one can name 20. They have to run one after \
                 another: select the nodes by a resource group or by tags, or {DRIVER}"
            ),
        }
    }
}

/// What was begun of a campaign that was not begun whole, and why it went no further.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unfinished {
    /// The executions that run, whichever delivery started them.
    pub begun: Vec<FiredUnit>,
    /// Where a start was sent and had no answer, or another delivery has sent one that is not listed yet. It may have been
    /// begun. The same event, delivered again, finds out.
    pub unclear: BTreeSet<Location>,
    /// What the plan of now has, and nobody has begun.
    pub not_begun: BTreeSet<Location>,
    /// What the plan of now skips, and nobody has begun. The plan that the others were begun by may have had it.
    pub skipped: Vec<Skip>,
    /// Why.
    pub reason: UnfinishedReason,
}

/// Why a campaign was not begun whole.
#[derive(Debug)]
#[non_exhaustive]
pub enum UnfinishedReason {
    /// AWS refused a start, or did not answer. The same event, delivered again, begins the rest.
    Port(PortError),
    /// AWS knows the client token of a start as that of another one: an earlier delivery has started it by another plan, and
    /// AWS does not list it yet. The same event, delivered again, finds it.
    NotListed(PortError),
    /// The deadline was near. The same event, delivered again, begins the rest.
    OutOfTime,
    /// The runbook is another one by now.
    RunbookChanged {
        /// The document, where, and its versions.
        detail: String,
    },
    /// Another delivery began them by a plan that cuts the locations otherwise. More of this plan could patch a location
    /// a second time.
    OtherPlan {
        /// Whether that was so short a time ago that its delivery may still be beginning more.
        may_go_on: bool,
    },
    /// Nothing can be planned by now, or not before the deadline.
    NotPlanned(Option<Box<PlanError>>),
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            begun,
            unclear,
            not_begun,
            skipped,
            reason,
        } = self;
        let n = begun.len();
        write!(f, "not everything was started: {}", counted(n, "execution"))?;
        write!(f, " {}", by_number(n, "runs", "run"))?;
        if n > 0 {
            let ids: Vec<String> = begun.iter().map(|unit| unit.execution.to_string()).collect();
            write!(f, " ({})", ids.join(", "))?;
        }
        match super::all_locations(begun) {
            Some(locations) if !locations.is_empty() => write!(f, ", in {}", all(&locations))?,
            _ => {}
        }
        write!(f, ". ")?;
        match reason {
            UnfinishedReason::Port(error) => write!(
                f,
                "Then a start failed: {}. The same event, delivered again, begins the rest",
                chain(error)
            )?,
            UnfinishedReason::NotListed(error) => write!(
                f,
                "Then AWS refused a start, because another delivery of this event has started an execution by another plan, \
                 which is not listed yet: {}. The same event, delivered again, finds it",
                chain(error)
            )?,
            UnfinishedReason::OutOfTime => write!(
                f,
                "Then the function's time was over. The same event, delivered again, begins the rest"
            )?,
            UnfinishedReason::RunbookChanged { detail } => write!(f, "Nothing more is begun: {detail}")?,
            UnfinishedReason::OtherPlan { may_go_on } => {
                write!(
                    f,
                    "Another delivery of this event started them by a plan that cuts the locations otherwise, so \
                     nothing more is begun: a location could be patched twice"
                )?;
                if *may_go_on {
                    write!(f, ". It did so just now, and may be starting more")?;
                }
            }
            UnfinishedReason::NotPlanned(Some(error)) => write!(
                f,
                "The rest of the request was not begun, as nothing can be planned by now: {}",
                chain(&**error)
            )?,
            UnfinishedReason::NotPlanned(None) => write!(
                f,
                "The rest of the request was not begun, as planning did not end before the function's time was over"
            )?,
        }
        if !unclear.is_empty() {
            let what = match reason {
                UnfinishedReason::NotListed(_) => "It may run in",
                _ => "A start was sent and not answered for",
            };
            write!(f, ". {what} {}", all(unclear))?;
        }
        if !not_begun.is_empty() {
            write!(f, ". Not begun: {}", all(not_begun))?;
        }
        if !skipped.is_empty() {
            let skipped: Vec<String> = skipped
                .iter()
                .map(|skip| format!("{} ({})", skip.location(), skip.reason.as_str()))
                .collect();
            write!(
                f,
                ". Not begun either, and skipped if it were planned now: {}",
                skipped.join(", ")
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Unfinished {}

/// All of these locations. Somebody has to see to each of them, so none is left out.
fn all(locations: &BTreeSet<Location>) -> String {
    let all: Vec<String> = locations.iter().map(ToString::to_string).collect();
    all.join(", ")
}

/// A time for people: "7d 20m".
fn in_words(time: SignedDuration) -> String {
    let round = SpanRound::new()
        .largest(Unit::Day)
        .smallest(Unit::Minute)
        .days_are_24_hours();
    let span = jiff::Span::try_from(time).and_then(|span| span.round(round));
    span.map_or_else(|_| format!("{time:#}"), |span| format!("{span:#}"))
}
