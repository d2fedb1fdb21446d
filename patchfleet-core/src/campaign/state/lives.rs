//! How long what a campaign has begun may run, and what its log may have lost.
//!
//! Where nobody can look any more (an account is suspended, a role or a Region is gone), time tells: a command expires as a
//! whole. From then on nothing is waited for there.

use super::{RETENTION, StartState, State};
use crate::budget::Seconds;
use crate::campaign::polls::later;
use crate::id::{Location, UnitId};
use crate::plan::{LIFETIME_CAP, timeout_of};
use jiff::{SignedDuration, Timestamp};

/// How long after a command has expired its end may be seen. AWS publishes nothing of it, and clocks differ.
const ENDS_WITHIN: SignedDuration = SignedDuration::from_mins(15);

impl State {
    /// Until when something of the campaign may run that is not over by its log; `None` if nothing of it may.
    ///
    /// Of a unit that was, or may have been, started that is the time until the last of its commands has expired: one
    /// after another, as many as it has locations for each of its locations at once, each for its `TimeoutSeconds`
    /// and the steps of AWS-RunPatchBaseline. A command whose expiry AWS has told lives until then. Under a runbook of
    /// one's own nobody knows how long commands live, so it is 30 days, for which AWS keeps executions (documented).
    #[must_use]
    pub fn may_run_until(&self) -> Option<Timestamp> {
        let open = self.units().iter().filter(|(_, unit)| !unit.is_over());
        open.filter_map(|(id, _)| self.runs_until(*id)).max()
    }

    /// Until when something of a unit may run, whether or not it is over; `None` if nothing of it was sent by the log.
    pub(in crate::campaign) fn runs_until(&self, id: UnitId) -> Option<Timestamp> {
        let unit = self.units.get(&id)?;
        let (from, timeout) = match (&unit.start, unit.intent()) {
            (StartState::Started { at, .. }, _) => (*at, unit.timeout),
            (_, Some(intent)) => {
                let last = intent.in_doubt.last().map_or(intent.since, |sending| sending.at);
                (last, timeout_of(&intent.request))
            }
            _ => return None,
        };
        let told = unit.locations.values().filter_map(|at| at.expires_at).max();
        if self.is_sent_once() && told.is_some() {
            // It has one command, of which AWS has told it.
            return told;
        }
        let turns = u64::try_from(unit.locations.len())
            .unwrap_or(u64::MAX)
            .div_ceil(u64::from(self.at_once(id).max(1)));
        Some(later(from, self.lives(timeout, turns))).max(told)
    }

    /// How long so many commands live one after another, each with this `TimeoutSeconds`.
    pub(in crate::campaign) fn lives(&self, timeout: Option<Seconds>, turns: u64) -> SignedDuration {
        let command = self.plan.lifetime.as_ref().zip(timeout);
        command.map_or(RETENTION, |(lifetime, timeout)| {
            duration(lifetime.expiry(timeout).times(turns))
        })
    }

    /// From when on the command of a unit is over, whoever can see that. `None` where it is not patchfleet that sends commands, or
    /// where none was sent.
    pub(in crate::campaign) fn command_over_from(&self, id: UnitId) -> Option<Timestamp> {
        let until = self.runs_until(id).filter(|_| self.is_sent_once())?;
        Some(later(until, ENDS_WITHIN))
    }

    /// From when on everything is over in a location that was sent there before `since`, whether or not the log knows of it.
    pub(in crate::campaign) fn lost_over_from(&self, location: &Location, since: Timestamp) -> Timestamp {
        let timeouts = self.units_at(location).filter_map(|(id, _)| {
            let planned = self.plan.unit(id)?;
            Some(self.lives(timeout_of(&planned.start), 1))
        });
        // A start that is made at another time may live longer than the planned one, and never longer than this.
        let cap = self.plan.lifetime.map(|_| duration(LIFETIME_CAP));
        let lives = timeouts.chain(cap).max().unwrap_or(RETENTION);
        later(since, lives.saturating_add(ENDS_WITHIN))
    }
}

fn duration(seconds: Seconds) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(seconds.get()).unwrap_or(i64::MAX))
}
