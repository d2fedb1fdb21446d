//! The call that reads what became of a location.

use super::calls::Answer;
use super::{Drive, Driver};
use crate::campaign::collect::{Collected, Job, NAMED_WITHIN};
use crate::campaign::facts::Basis;
use crate::campaign::observe;
use crate::campaign::polls::later;
use crate::campaign::state::{StartState, State};
use crate::id::{Location, UnitId};
use crate::port::{BoxFuture, ExecutionStatus, PortError, PortErrorKind};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Until when names are waited for that are asked for now. A driver that stops for now waits for none beyond that: whoever
/// drives the campaign next would find the location unsettled, and might be stopped as early.
pub(super) fn named_until(now: Timestamp, within: SignedDuration, stops_at: Option<Timestamp>) -> Timestamp {
    let until = later(now, within);
    stops_at.map_or(until, |stops_at| until.min(stops_at))
}

impl<'d> Drive<'d> {
    /// Reads what became of a location, with the names of the patches that failed or are missing. `None` if it is not
    /// time to do so.
    pub(super) fn collect(&self, unit: UnitId, location: &Location) -> Option<BoxFuture<'d, Answer>> {
        let driver = self.driver;
        let of = self.state.units().get(&unit)?;
        let at = of.locations.get(location).filter(|at| at.settled.is_none())?;
        let has_ended = at.status.as_ref().is_some_and(ExecutionStatus::is_terminal);
        let is_started = matches!(of.start, StartState::Started { .. });
        let is_due = !is_started || has_ended || self.memory.is_parent_over(unit);
        if !of.is_to_be_collected() || !is_due {
            return None;
        }
        let basis = Basis::of(&self.state, of, location);
        if let Some(settlement) = self.never_seen(unit, location) {
            let settled = Ok(Collected::Settled(settlement));
            let answer = Answer::Collected(unit, location.clone(), basis, settled, None);
            return Some(Box::pin(std::future::ready(answer)));
        }
        let state = self.state.excerpt(unit, location);
        let parent = self.memory.parent(unit).cloned();
        let (location, now) = (location.clone(), self.now());
        let stops_at = self.stops_at;
        let automation = driver.dispatcher(&self.state, unit);
        Some(Box::pin(async move {
            let job = Job {
                ports: driver.results(&*automation),
                state: &state,
                unit,
                location: &location,
                parent: parent.as_ref(),
                now,
            };
            let clock = &*driver.clock;
            let collected = job.collect().await;
            // Whether this settles the location is decided now and not once more later, so none settles whose names were
            // not asked for.
            let mut collected = collected.map(|collected| job.as_of(collected, clock.now().max(now)));
            if let Ok(Collected::Settled(settlement)) = &mut collected {
                let until = named_until(clock.now(), NAMED_WITHIN, stops_at);
                job.name_patches_of(settlement, clock, until).await;
            }
            if let Err(error) = &collected
                && error.kind() == PortErrorKind::Credentials
                && let Some(own) = locked_out(driver, &state, unit).await
            {
                return Answer::LockedOut(unit, location, own);
            }
            let found = match &collected {
                Err(error) if !error.kind().is_transient() => job.found(BTreeSet::new()).await.ok(),
                _ => None,
            };
            Answer::Collected(unit, location, basis, collected, found)
        }))
    }
}

/// Why the caller cannot read the unit's execution, if that is for want of credentials. Tells
/// credentials that have expired from an account in which they were never good.
async fn locked_out(driver: &Driver, state: &State, unit: UnitId) -> Option<PortError> {
    let execution = state.units().get(&unit).and_then(observe::execution_of)?;
    let automation = driver.dispatcher(state, unit);
    let error = automation.execution(execution).await.err()?;
    (error.kind() == PortErrorKind::Credentials).then_some(error)
}
