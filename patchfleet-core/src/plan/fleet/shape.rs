//! The shape in which the bounds on a fleet's nodes are kept: how many nodes of a location at once and in how many locations, or how
//! many nodes a start names.

use super::{FleetPace, PlannedFleet, reached};
use crate::budget::{AwsPaced, MaxConcurrency, Size, Sizes};
use crate::plan::units::most_nodes;
use crate::plan::{Plan, PlannedLocation, PlannedWaveBudget};
use crate::request::PatchRequest;
use crate::text::counted;

impl FleetPace {
    /// Nothing is said about nodes in flight.
    const UNBOUNDED: Self = Self::Aws {
        nodes_at_once: None,
        locations_at_once: None,
    };
}

/// What the shape that keeps the bounds follows from.
pub(super) struct Shape {
    /// The limit within a location.
    pub(super) limit: MaxConcurrency,
    /// How many locations at once.
    pub(super) places: u32,
    /// How many starts have to have a place at once; `None`: the shape may be any.
    pub(super) starts: Option<u32>,
    /// How many nodes may be open at once under all bounds; `None`: there are none.
    pub(super) room: Option<u32>,
    pub(super) max_in_flight: Option<u32>,
}

impl Shape {
    pub(super) fn pace(&self, request: &PatchRequest, locations: &[&PlannedLocation]) -> FleetPace {
        let sizes = match self.starts {
            Some(_) => sizes(locations.iter().copied(), self.limit),
            None => Sizes::default(),
        };
        match (self.room, self.max_in_flight) {
            (Some(room), _) if request.bounds_name_nodes() => FleetPace::Campaign {
                nodes_in_a_start: sizes.named_in_a_start(
                    room,
                    self.places,
                    u32::try_from(most_nodes(request)).unwrap_or(1),
                ),
            },
            (_, Some(in_flight)) => {
                let AwsPaced {
                    nodes_at_once,
                    locations_at_once,
                } = sizes.paced_by_aws(in_flight, self.places, self.starts.unwrap_or_default());
                FleetPace::Aws {
                    nodes_at_once: Some(nodes_at_once),
                    locations_at_once: Some(locations_at_once),
                }
            }
            (_, None) => FleetPace::UNBOUNDED,
        }
    }
}

/// The locations to which the shape across the fleet is fitted. Waves follow each other, so each may have the shape that is best for
/// it, and this is the one of the locations that no wave names; if there are none, of all.
pub(super) fn shaped<'a>(
    request: &PatchRequest,
    locations: &'a [PlannedLocation],
) -> Vec<&'a PlannedLocation> {
    let last = request.wave_count();
    let rest: Vec<&PlannedLocation> = locations.iter().filter(|at| at.wave == last).collect();
    match rest.iter().any(|at| reached(at).is_some_and(|nodes| nodes > 0)) && !request.bounds_name_nodes() {
        true => rest,
        false => locations.iter().collect(),
    }
}

/// Whether these locations, which have `own` as the best shape, are patched in another shape than the fleet's: since theirs is faster,
/// or since the fleet's is over the limit of one of them.
pub(in crate::plan) fn is_better_in(
    locations: &[PlannedLocation],
    limit: MaxConcurrency,
    own: &PlannedFleet,
    of_fleet: &PlannedFleet,
) -> bool {
    let (Some(own), Some(of_fleet)) = (own.paced_by_aws(), of_fleet.paced_by_aws()) else {
        return false;
    };
    let sizes = sizes(locations, limit);
    let is_over = sizes
        .smallest_limit()
        .is_some_and(|limit| of_fleet.nodes_at_once > limit);
    own != of_fleet && (is_over || sizes.turns(own) < sizes.turns(of_fleet))
}

fn sizes<'a>(locations: impl IntoIterator<Item = &'a PlannedLocation>, limit: MaxConcurrency) -> Sizes {
    let nodes = locations.into_iter().filter_map(reached);
    nodes
        .map(|nodes| Size {
            nodes,
            limit: limit.as_count(nodes),
        })
        .collect()
}

impl PlannedFleet {
    /// The shape, if the bound on nodes in flight is kept by one.
    fn paced_by_aws(&self) -> Option<AwsPaced> {
        Some(AwsPaced {
            nodes_at_once: self.nodes_at_once()?,
            locations_at_once: self.locations_at_once()?,
        })
    }

    /// Whether this is what `expected` is, but for the shape, and its own shape keeps the same bounds. What a plan
    /// chose is not looked at: the next version may choose otherwise, and a campaign that is under way goes on as it was planned.
    /// `locations` are those that have the shape, with the limit within each.
    pub(in crate::plan) fn keeps(
        &self,
        expected: &Self,
        locations: &[&PlannedLocation],
        limit: MaxConcurrency,
        places: u32,
    ) -> bool {
        let same = Self {
            pace: expected.pace,
            ..*self
        };
        let bounds = [expected.max_in_flight, expected.max_damaged];
        let room = bounds.into_iter().flatten().min().unwrap_or(u32::MAX).max(1);
        let has_shape = match (self.pace, expected.pace) {
            (FleetPace::Campaign { nodes_in_a_start }, FleetPace::Campaign { .. }) => {
                (1..=room).contains(&nodes_in_a_start)
            }
            (FleetPace::Aws { .. }, FleetPace::Aws { .. }) => {
                match (self.paced_by_aws(), expected.paced_by_aws()) {
                    (Some(own), Some(_)) => {
                        let limit = sizes(locations.iter().copied(), limit).smallest_limit();
                        (1..=u64::from(room)).contains(&own.at_once())
                            && own.locations_at_once <= places.max(1)
                            && limit.is_none_or(|limit| own.nodes_at_once <= limit)
                    }
                    (own, expected) => own == expected && self.pace == FleetPace::UNBOUNDED,
                }
            }
            _ => false,
        };
        same == *expected && has_shape
    }
}

impl Plan {
    /// The locations to which the shape across the fleet is fitted.
    fn shaped(&self) -> Vec<&PlannedLocation> {
        shaped(&self.request, &self.locations)
    }

    /// Whether a wave is patched in another shape than the fleet.
    pub(super) fn has_shape_of_its_own(&self, own: &PlannedWaveBudget) -> bool {
        let shape = own.fleet.and_then(|fleet| fleet.paced_by_aws());
        shape.is_some() && shape != self.fleet.and_then(|fleet| fleet.paced_by_aws())
    }

    /// The budget of locations, if more of them at once would be within the bound.
    pub(super) fn what_bounds_locations(&self, fleet: PlannedFleet) -> Option<String> {
        let (shape, budget) = (fleet.paced_by_aws()?, fleet.max_in_flight?);
        let places = self.request.budget.locations.max_concurrency;
        let one_more = AwsPaced {
            locations_at_once: shape.locations_at_once.saturating_add(1),
            ..shape
        };
        let there = u32::try_from(self.shaped().len()).unwrap_or(u32::MAX);
        let is_bound = shape.locations_at_once < there
            && shape.locations_at_once == places.as_count(self.location_count());
        (one_more.at_once() <= u64::from(budget) && is_bound).then(|| {
            format!("  in no more locations at once, as budget.locations.max_concurrency = {places} allows no more")
        })
    }

    /// The location whose own limit bounds the nodes at once, if more would have been chosen without it.
    pub(super) fn what_bounds_it(&self, fleet: PlannedFleet) -> Option<String> {
        let (shape, budget) = (fleet.paced_by_aws()?, fleet.max_in_flight?);
        let limit = self.request.budget.nodes.max_concurrency;
        let least = self
            .shaped()
            .into_iter()
            .filter_map(|at| Some((at, reached(at)?)))
            .filter(|(_, nodes)| limit.as_count(*nodes) < *nodes)
            .min_by_key(|(_, nodes)| limit.as_count(*nodes))?;
        let (at, nodes) = least;
        let is_bound = limit.as_count(nodes) == shape.nodes_at_once && shape.at_once() < u64::from(budget);
        is_bound.then(|| {
            let rather = match limit.percent() {
                Some(_) => "; a count, such as 5, is no smaller in a small location",
                None => "",
            };
            format!(
                "  no more at once, as {} allows no more: budget.nodes.max_concurrency = {limit} of its {}{rather}",
                at.location(),
                counted(nodes, "node"),
            )
        })
    }
}
