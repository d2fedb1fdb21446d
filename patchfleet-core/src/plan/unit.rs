//! A unit of a plan: one start, and what the planner knows about it.

use super::Plan;
use crate::budget::{RateControl, shares};
use crate::id::{Location, NodeId, UnitId};
use crate::pack::Rectangle;
use crate::port::StartRequest;

/// One start of a plan, beside what the planner knows about it. So nothing has to be parsed back out of the texts that
/// the start is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unit {
    /// Its number within the plan, from 1, in the order in which units are begun.
    pub id: UnitId,
    /// The wave that its locations are in, from 1.
    pub wave: u32,
    /// The nodes that the start names, in the order of their ids. `None` if the runbook finds its nodes
    /// by itself: by a group, by tags, or in a way of its own.
    pub nodes: Option<Vec<NodeId>>,
    /// How many nodes of one location are patched at once, and how many of them may fail. A runbook of one's own does not
    /// get these limits.
    pub node_rates: RateControl,
    /// The expected start. The campaign adds its own id, the snapshot and the client token.
    pub start: StartRequest,
}

impl Unit {
    /// A unit with these parts.
    #[must_use]
    pub(crate) fn new(
        id: UnitId,
        wave: u32,
        nodes: Option<Vec<NodeId>>,
        node_rates: RateControl,
        start: StartRequest,
    ) -> Self {
        Self {
            id,
            wave,
            nodes,
            node_rates,
            start,
        }
    }

    /// Its locations: each account with each Region, ordered by account, then Region.
    pub fn locations(&self) -> impl Iterator<Item = Location> {
        self.start.target_location().locations()
    }

    /// How many locations it has.
    #[must_use]
    pub fn location_count(&self) -> u32 {
        let target = self.start.target_location();
        u32::try_from(target.accounts.len().saturating_mul(target.regions.len())).unwrap_or(u32::MAX)
    }

    /// Its share of the locations at once: how many of its locations AWS patches at the same time.
    #[must_use]
    pub fn locations_at_once(&self) -> u32 {
        self.start.target_location().target_location_max_concurrency
    }

    /// How many of its locations may fail before AWS begins no more of them.
    #[must_use]
    pub fn location_errors(&self) -> u32 {
        self.start.target_location().target_location_max_errors
    }

    /// A start for each of these parts of its locations, otherwise the same. The parts share the unit's own share.
    #[must_use]
    pub(crate) fn parts(&self, rectangles: Vec<Rectangle>) -> Vec<StartRequest> {
        let size = |rectangle: &Rectangle| u32::try_from(rectangle.len()).unwrap_or(u32::MAX);
        let sizes: Vec<u32> = rectangles.iter().map(size).collect();
        let shares = shares::of_places(self.locations_at_once(), &sizes);
        let part = |(rectangle, share): (Rectangle, u32)| {
            let mut start = self.start.clone();
            let [target] = &mut start.target_locations;
            target.target_location_max_concurrency = share;
            target.accounts = rectangle.accounts;
            target.regions = rectangle.regions;
            start
        };
        rectangles.into_iter().zip(shares).map(part).collect()
    }
}

impl Plan {
    /// The unit with this number; `None` if the plan has no such unit.
    #[must_use]
    pub fn unit(&self, id: UnitId) -> Option<&Unit> {
        let index = usize::try_from(id.number().checked_sub(1)?).ok()?;
        self.units.get(index).filter(|unit| unit.id == id)
    }
}
