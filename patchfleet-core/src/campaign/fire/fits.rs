//! Whether a plan can be fired and forgotten, and what would do if it cannot.

use super::FireError;
use super::error::NeedsDriver;
use crate::id::Location;
use crate::pack::pack;
use crate::plan::{Plan, PlannedLocation};
use crate::refusal::SkipReason;
use std::collections::BTreeSet;

/// Checks that every unit of the plan can be begun at once: each has a place among the locations at once, none of them
/// has to be given what is left of the time until a cutoff, no location has two units, and none waits for an earlier wave.
pub(crate) fn require_no_driver(plan: &Plan) -> Result<(), FireError> {
    let units = plan.units.len();
    if units <= 1 {
        return Ok(());
    }
    let refused = |reason| Err(FireError::NeedsDriver { units, reason });
    let waves = plan.waves().len();
    if waves > 1 {
        return refused(NeedsDriver::Waves { waves });
    }
    if plan.lifetime.is_some_and(|lifetime| lifetime.cutoff.is_some()) {
        return refused(NeedsDriver::Cutoff);
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
    })
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
