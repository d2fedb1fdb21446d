//! How far a campaign is, by location.

use super::State;
use crate::campaign::ledger::SoFar;
use crate::id::Location;
use std::collections::BTreeMap;

impl State {
    /// How far the campaign is, with each location counted once. One that several units share has settled when all of them have
    /// settled there, and runs or is unresolved where one of them is. Where units share locations, this looks at all of them.
    #[must_use]
    pub fn locations_so_far(&self) -> SoFar {
        let so_far = self.so_far();
        if so_far.locations == u64::try_from(self.plan.locations.len()).unwrap_or(u64::MAX) {
            return so_far;
        }
        let mut each: BTreeMap<&Location, Place> = BTreeMap::new();
        for (id, location, at) in self.locations() {
            let place = each.entry(location).or_default();
            let runs = at.child.is_some() || !at.commands.is_empty();
            place.is_open |= at.settled.is_none();
            place.runs |= at.settled.is_none() && runs;
            place.is_unresolved |= self.ledger.unresolved.contains(&id);
        }
        let count = |is: fn(&Place) -> bool| {
            let found = each.values().filter(|place| is(place)).count();
            u64::try_from(found).unwrap_or(u64::MAX)
        };
        SoFar {
            locations: count(|_| true),
            settled: count(|place| !place.is_open),
            running: count(|place| place.runs),
            unresolved: count(|place| place.is_unresolved),
            ..so_far
        }
    }
}

/// What the units of a location have come to there.
#[derive(Default)]
struct Place {
    is_open: bool,
    runs: bool,
    is_unresolved: bool,
}
