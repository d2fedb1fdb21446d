//! Where a campaign stands with its breakers.

use super::{LocationState, State};
use crate::campaign::ledger::{Results, Settling};
use crate::campaign::rule::{Rule, is_asked};
use crate::campaign::{AlarmSaid, AlarmStop};
use crate::id::{AlarmName, Location, UnitId};
use crate::outcome::NodeOutcome;
use crate::plan::in_alarm_in_words;
use crate::request::{Breaker, FailureShare};
use crate::text::counted;
use jiff::Timestamp;
use std::fmt;

/// Which breaker has tripped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerStop {
    /// So many locations failed in a row.
    Consecutive {
        /// How many.
        failed: u32,
    },
    /// Too many of the last nodes failed.
    Share {
        /// Failed or lost, or nothing could be found out of them.
        failed: u64,
        /// Of how many.
        of: u64,
        /// How many may, and of how many at least.
        allowed: FailureShare,
    },
    /// The CloudWatch alarm of the request was in the state ALARM.
    Alarm {
        /// Its name.
        name: AlarmName,
        /// CloudWatch's words on why; empty if it has none.
        reason: String,
        /// Since when it was, if CloudWatch says so.
        since: Option<Timestamp>,
    },
    /// AWS stopped an execution for the alarm that it was started with.
    StoppedForAlarm {
        /// The first unit of which that was seen.
        unit: UnitId,
        /// Why.
        alarm: AlarmStop,
    },
}

impl BreakerStop {
    /// Whether the CloudWatch alarm is why, and no results.
    pub(crate) fn is_for_alarm(&self) -> bool {
        matches!(self, Self::Alarm { .. } | Self::StoppedForAlarm { .. })
    }
}

impl fmt::Display for BreakerStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consecutive { failed } => write!(
                f,
                "{} failed one after another (breaker.consecutive_failures = {failed})",
                counted(*failed, "location"),
            ),
            Self::Share { failed, of, allowed } => write!(
                f,
                "{failed} of the last {} failed, were lost, or nothing could be found out of them \
                 (breaker.failure_share = {}, of {} or more)",
                counted(*of, "node"),
                allowed.most,
                allowed.sample,
            ),
            Self::Alarm { name, reason, since } => f.write_str(&in_alarm_in_words(name, reason, *since)),
            Self::StoppedForAlarm { unit, alarm } => {
                write!(
                    f,
                    "Systems Manager stopped the execution of unit {unit}, as {alarm}"
                )
            }
        }
    }
}

/// How far a campaign is from its breaker of failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct BreakerStanding {
    /// How many locations have failed in a row.
    pub row: u32,
    /// How many in a row end the campaign.
    pub trips_at: u32,
}

impl fmt::Display for BreakerStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} failures in a row", self.row, self.trips_at)
    }
}

impl State {
    /// How far the campaign is from its breaker of failures in a row; `None` without that breaker, or while the last
    /// location that has settled did not fail.
    #[must_use]
    pub fn failures_in_a_row(&self) -> Option<BreakerStanding> {
        let trips_at = self.plan.request.breaker.consecutive_failures?;
        let row = self.ledger.settlings.row;
        (row > 0).then_some(BreakerStanding { row, trips_at })
    }

    /// The breaker that has tripped. The alarm comes before failures, as what is stopped for it may count as failed.
    pub(in crate::campaign) fn breaker_stop(&self) -> Option<BreakerStop> {
        self.alarm_stop().or_else(|| {
            is_asked(Rule::Breaker)
                .then(|| tripped(&self.plan.request.breaker, &self.ledger.settlings))
                .flatten()
        })
    }

    /// That the alarm of the request was in the state ALARM when it was asked, or had AWS stop an execution.
    fn alarm_stop(&self) -> Option<BreakerStop> {
        match self.alarm() {
            Some(AlarmSaid::Alarm { name, reason, since }) => Some(BreakerStop::Alarm {
                name: name.clone(),
                reason: reason.clone(),
                since: *since,
            }),
            None | Some(AlarmSaid::Quiet | AlarmSaid::Unknown { .. }) => {
                let (unit, alarm) = self.stopped_for_alarm.clone()?;
                Some(BreakerStop::StoppedForAlarm { unit, alarm })
            }
        }
    }

    /// The same once a person has accepted every cancel by others.
    pub(super) fn breaker_beside_cancels(&self) -> Option<BreakerStop> {
        let stop = self.breaker_stop()?;
        if self.cancels.is_empty() || stop.is_for_alarm() {
            return Some(stop);
        }
        let limits = &self.plan.request.breaker;
        let settlings = self.locations().filter_map(|(unit, location, at)| {
            let failed = self.has_failed(at) && !self.is_harmless(unit, location, at, |_| true);
            self.settling_of(unit, at, failed)
        });
        tripped(limits, &Results::of(limits, settlings))
    }

    /// How many locations have ended whose results have to be read before anything more is begun, because they may trip a
    /// breaker.
    pub(in crate::campaign) fn may_trip(&self) -> u32 {
        let limits = &self.plan.request.breaker;
        let unread = self.ledger.undecided;
        let in_a_row = self.ledger.settlings.row.saturating_add(unread);
        let may_trip = limits.failure_share.is_some()
            || limits.consecutive_failures.is_some_and(|most| in_a_row >= most);
        if may_trip { unread } else { 0 }
    }

    /// What a location says to the breakers.
    pub(super) fn settling(&self, unit: UnitId, location: &Location, at: &LocationState) -> Option<Settling> {
        if !self.plan.request.breaker.counts_results() {
            return None;
        }
        self.settling_of(unit, at, self.counts_as_failed(unit, location, at))
    }

    fn settling_of(&self, unit: UnitId, at: &LocationState, failed: bool) -> Option<Settling> {
        let settled = at.settled.as_ref()?;
        let goal = self.goal_of(unit);
        let mut of = Settling {
            number: settled.number,
            failed: failed.then_some(true),
            nodes: 0,
            bad: 0,
        };
        for (outcome, n) in settled.nodes.iter() {
            let is_bad = outcome.is_damaged() || outcome.is_unknown();
            match outcome {
                NodeOutcome::Unreached | NodeOutcome::NotRun | NodeOutcome::Unmanaged | NodeOutcome::Gone => {
                }
                NodeOutcome::Done
                | NodeOutcome::PendingReboot
                | NodeOutcome::Missing
                | NodeOutcome::Failed
                | NodeOutcome::Lost
                | NodeOutcome::RunningAtExpiry
                | NodeOutcome::Unknown => {
                    of.nodes = of.nodes.saturating_add(n.into());
                    of.bad = of.bad.saturating_add(if is_bad { n.into() } else { 0 });
                    if n > 0 && outcome.reaches_goal(goal) {
                        of.failed.get_or_insert(false);
                    }
                }
            }
        }
        (of.failed.is_some() || of.nodes > 0).then_some(of)
    }
}

/// The breaker that these results trip.
fn tripped(limits: &Breaker, results: &Results) -> Option<BreakerStop> {
    if let Some(failed) = limits.consecutive_failures
        && results.longest >= failed
    {
        return Some(BreakerStop::Consecutive { failed });
    }
    let (failed, of) = results.exceeded?;
    Some(BreakerStop::Share {
        failed,
        of,
        allowed: limits.failure_share?,
    })
}
