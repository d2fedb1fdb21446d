//! What was read of a location's results, and when they are read again.

use super::Drive;
use crate::campaign::collect::{Collected, Found, Settlement};
use crate::campaign::facts::{Basis, Fact};
use crate::campaign::memory::LocationTask;
use crate::campaign::polls::{Failures, UNRESOLVED_EVERY, later, poll_interval};
use crate::id::{Location, UnitId};
use crate::outcome::LocationOutcome;
use crate::port::PortResult;
use jiff::{SignedDuration, Timestamp};

/// Once a location has been over for this long, the second refusal to read its results is final.
/// Without this rule a driver that runs for seconds at a time would never give up.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(1);

impl Drive<'_> {
    /// The results of a location are being read no more. They will be at `at`.
    pub(super) fn collect_again_at(&mut self, unit: UnitId, location: &Location, at: Timestamp) {
        let task = LocationTask::Collect(unit, location.clone());
        self.memory.location_tasks.end(&task);
        self.memory.location_tasks.set(&task, at);
    }

    /// What was read of a location's results.
    pub(super) fn learn_collected(
        &mut self,
        unit: UnitId,
        location: Location,
        basis: Basis,
        collected: PortResult<Collected>,
        found: Option<&Found>,
        now: Timestamp,
    ) -> Vec<Fact> {
        // Should the log turn out not to take what was learned, it is read again.
        self.collect_again_at(unit, &location, now);
        if let (Basis::Started { attempt, .. }, Ok(Collected::NotSent { away, detail })) = (basis, &collected)
        {
            return vec![Fact::NotSent {
                unit,
                attempt,
                away: away.clone(),
                detail: detail.clone(),
            }];
        }
        let mut facts = vec![];
        if let (Basis::Started { attempt, .. }, Ok(Collected::Lagging(..))) = (basis, &collected) {
            facts.push(Fact::CommandEnded(unit, attempt, location.clone()));
        }
        if let Ok(Collected::Running { .. }) = &collected {
            self.stop_what_runs(unit, &location, now);
        }
        if let (Basis::Started { attempt, .. }, Ok(Collected::Running { cancelled: true })) =
            (basis, &collected)
        {
            facts.push(Fact::Cancelled(unit, attempt, location.clone()));
        }
        if let Some(settlement) = self.settlement(unit, &location, collected, found, now) {
            facts.push(Fact::Settled {
                unit,
                location,
                basis,
                settlement,
            });
        }
        facts
    }

    /// What a location came to, if it is time to say so.
    fn settlement(
        &mut self,
        unit: UnitId,
        location: &Location,
        collected: PortResult<Collected>,
        found: Option<&Found>,
        now: Timestamp,
    ) -> Option<Settlement> {
        // From the log, if it says so: a driver that is stopped and begun again within seconds, as
        // a function with a short deadline is, must not begin to wait anew each time.
        let units = self.state.units();
        let at = units.get(&unit).and_then(|unit| unit.locations.get(location));
        let ended = at.and_then(|at| at.ended_at);
        let command_ended = at.and_then(|at| at.command_ended_at);
        let asked = self.memory.location(unit, location);
        let first = *asked.first_asked.get_or_insert(now);
        match collected {
            Ok(Collected::Settled(settlement)) => return Some(settlement),
            Ok(Collected::Running { .. } | Collected::NotSent { .. }) => {
                asked.failures = Failures::default();
                let next = later(now, poll_interval(now.duration_since(first)));
                self.collect_again_at(unit, location, next);
            }
            Ok(Collected::Lagging(_, lag)) => {
                asked.failures = Failures::default();
                // The look that begins after this instant is the last one, and settles it.
                let end = later(command_ended.unwrap_or(now), lag);
                let next = later(now, poll_interval(now.duration_since(first)));
                self.collect_again_at(unit, location, next.min(end));
            }
            Err(error) => {
                asked.failures.add(error.kind());
                let next = later(now, asked.failures.backoff());
                let long_ago = ended.is_some_and(|ended| now >= later(ended, GIVE_UP_AFTER));
                let hopeless = long_ago && asked.failures.are_lasting() && !error.kind().is_transient();
                if asked.failures.are_too_many() || hopeless {
                    let automation = self.driver.dispatcher(&self.state, unit);
                    let settlement = self
                        .job(&*automation, unit, location)
                        .given_up(error.reason(), found);
                    // What could neither be stopped nor read is not called over while it may run.
                    let is_unread = settlement.outcome == LocationOutcome::ResultsUnreadable;
                    let until = self.may_run_unstopped_until(unit, location).filter(|_| is_unread);
                    let Some(until) = until else {
                        return Some(settlement);
                    };
                    let next = later(now, UNRESOLVED_EVERY).min(until);
                    self.collect_again_at(unit, location, next);
                    return None;
                }
                self.collect_again_at(unit, location, next);
            }
        }
        None
    }
}
