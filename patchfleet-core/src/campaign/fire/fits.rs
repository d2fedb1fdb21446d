//! Whether a plan can be fired and forgotten, and what would do if it cannot.

use super::FireError;
use super::error::NeedsDriver;
use crate::id::Location;
use crate::pack::pack;
use crate::plan::{Plan, PlannedFleet, PlannedLocation};
use crate::refusal::SkipReason;
use std::collections::BTreeSet;

/// Checks that every unit of the plan can be begun at once: each has a place among the locations at once, none of them
/// has to be given what is left of the time until a cutoff or a freeze, no location has two units, none waits for an earlier wave, and
/// nothing has to be counted before the next is begun.
pub(crate) fn require_no_driver(plan: &Plan) -> Result<(), FireError> {
    let units = plan.units.len();
    let refused = |reason| Err(FireError::NeedsDriver { units, reason });
    let waves = plan.waves().len();
    if waves > 1 {
        return refused(NeedsDriver::Waves { waves });
    }
    if plan.request.differs_in_waves() {
        return refused(NeedsDriver::OwnWaves);
    }
    if needs_counting(plan) {
        return refused(NeedsDriver::Fleet);
    }
    if plan.request.breaker.counts_results() && (units > 1 || plan.locations.len() > 1) {
        return refused(NeedsDriver::Breaker);
    }
    if units <= 1 {
        return Ok(());
    }
    if plan.lifetime.is_some_and(|lifetime| lifetime.cutoff.is_some()) {
        return refused(NeedsDriver::Cutoff);
    }
    if plan.request.may_wait_to_begin() {
        return refused(NeedsDriver::Freezes);
    }
    let mut seen = BTreeSet::new();
    for location in plan.units.iter().flat_map(crate::plan::Unit::locations) {
        if let Some(twice) = seen.replace(location) {
            return refused(NeedsDriver::SharedLocation { location: twice });
        }
    }
    let places = plan.location_budget();
    if units <= usize::try_from(places).unwrap_or(usize::MAX) {
        return Ok(());
    }
    refused(NeedsDriver::Places {
        places,
        kept: with_the_empty(plan),
        by_fleet: plan
            .fleet
            .and_then(|fleet| fleet.locations_at_once())
            .is_some_and(|at_once| {
                let own = plan.request.budget.locations.max_concurrency;
                at_once < own.as_count(u32::try_from(plan.locations.len()).unwrap_or(u32::MAX))
            }),
    })
}

/// Whether a bound on the fleet holds only if somebody counts what became of some nodes before others are begun.
fn needs_counting(plan: &Plan) -> bool {
    let several = plan.units.len() > 1 || plan.locations.len() > 1;
    let counts = |fleet: PlannedFleet| fleet.max_damaged.is_some() || fleet.max_unreached.is_some();
    several && (plan.fleet.is_some_and(counts) || !plan.labels.is_empty())
}

/// How many units there would be if the locations that are skipped as empty were kept, if that is fewer.
fn with_the_empty(plan: &Plan) -> Option<usize> {
    let planned = plan.locations.iter().map(PlannedLocation::location);
    let empty = plan
        .skipped
        .iter()
        .filter(|skip| skip.reason == SkipReason::Empty);
    let wanted: BTreeSet<Location> = planned.chain(empty.map(crate::refusal::Skip::location)).collect();
    let units = pack(&wanted).len();
    (units < plan.units.len()).then_some(units)
}
