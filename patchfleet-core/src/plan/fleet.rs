//! What a plan makes of `budget.fleet`: the bounds as counts, and the shape that keeps them.

mod shape;

use super::retried::NEW_CAMPAIGN;
use super::{LeftBound, Plan, PlannedLocation, Retried};
use crate::budget::{MaxConcurrency, MaxErrors, RateControl, WorstCase};
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::{FleetBudget, PatchRequest, Selector, WaveFleet};
use crate::text::{by_number, counted, names};
use serde::{Deserialize, Serialize};
pub(super) use shape::is_better_in;
use shape::{Shape, shaped};

/// What a plan makes of `budget.fleet`. Every figure is in nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedFleet {
    /// The nodes that commands are sent to: what the request's shares are of.
    pub nodes: u32,
    /// How many are being patched at the same time at most; `None`: the request bounds that no further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// How many end failed or lost at most; `None`: the request bounds that no further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_damaged: Option<u32>,
    /// How many may not be reached before nothing more is begun; `None`: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unreached: Option<u32>,
    /// Who keeps the bounds, and by what.
    #[serde(flatten)]
    pub pace: FleetPace,
}

/// Who keeps the bounds of a fleet, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "paced_by", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FleetPace {
    /// Systems Manager does, also if patchfleet is dead: so many nodes of a location at once, in so many locations at once. What
    /// is bounded are the invocations that AWS counts as open. What runs on, on a node whose command has expired, is not
    /// among them.
    Aws {
        /// Nodes of a location at once, in place of the request's own limit. `None`: nothing is said about nodes in flight.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nodes_at_once: Option<u32>,
        /// Locations at once, at most as many as the request's own limit. `None`: as above.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locations_at_once: Option<u32>,
    },
    /// The campaign does. Each start names its nodes, and none is made whose nodes have no room.
    Campaign {
        /// Nodes that a start names at most.
        nodes_in_a_start: u32,
    },
}

/// The nodes of a planned location that commands are sent to. `None` if they were not counted.
fn reached(at: &PlannedLocation) -> Option<u32> {
    if at.is_known_to_be_empty() {
        return Some(0);
    }
    let left_out = u32::try_from(at.left_out.len()).unwrap_or(u32::MAX);
    Some(at.nodes?.managed().saturating_sub(left_out))
}

/// What becomes of the request's bounds. `None` if it has none. `starts` is how many starts have to have a place at once, because
/// nobody begins a later one. A retry has what the campaigns before it have left of the first one's bounds.
///
/// If only a wave bounds how many nodes are damaged, there is no bound on all of them, and each start names its nodes all the same.
/// `None`: the bounds alone are asked for, and the shape may be any.
///
/// # Errors
///
/// The reason against the plan: nodes that were not counted, a share that comes to no node, or a bound that the campaigns
/// before have used up.
pub(crate) fn resolve(
    request: &PatchRequest,
    retries: Option<&Retried>,
    locations: &[PlannedLocation],
    starts: Option<u32>,
) -> Result<Option<PlannedFleet>, RefusalReason> {
    let waves_do = request.bounds_name_nodes() && !request.budget.names_nodes();
    let budget = request.budget.fleet;
    if budget.is_none() && !waves_do {
        return Ok(None);
    }
    let subject = if budget.is_some() {
        "budget.fleet"
    } else {
        "waves.budget.fleet"
    };
    let nodes = all_counted(locations, subject)?;
    let in_flight = budget.and_then(|budget| budget.max_in_flight);
    let damaged = budget.and_then(|budget| budget.max_damaged);
    let unreached = budget.and_then(|budget| budget.max_unreached);
    let left = left_for(request, retries).map_err(|detail| RefusalReason {
        code: RefusalCode::FleetBudget,
        subject: subject.to_owned(),
        detail,
    })?;
    // What is left of a bound is never more than there are nodes.
    let bound = |left: Option<u32>, of_request: Option<u32>| {
        of_request.map(|of_request| left.map_or(of_request, |left| left.min(nodes)))
    };
    let max_in_flight = bound(left.max_in_flight, in_flight.map(|rate| rate.as_count(nodes)));
    let max_damaged = bound(left.max_damaged, damaged.map(|rate| rate.as_count(nodes)));
    let max_unreached = bound(left.max_unreached, unreached.map(|rate| rate.as_count(nodes)));
    not_none(damaged, max_damaged, nodes, subject)?;
    let total = u32::try_from(locations.len()).unwrap_or(u32::MAX);
    let shape = Shape {
        limit: request.budget.nodes.max_concurrency,
        places: request.budget.locations.max_concurrency.as_count(total),
        starts,
        room: max_damaged
            .into_iter()
            .chain(max_in_flight)
            .min()
            .or(waves_do.then_some(u32::MAX)),
        max_in_flight,
    };
    Ok(Some(PlannedFleet {
        nodes,
        max_in_flight,
        max_damaged,
        max_unreached,
        pace: shape.pace(request, &shaped(request, locations)),
    }))
}

/// What a wave says of its own nodes.
pub(super) struct InWave {
    /// Its place in the request's list, from 0.
    pub(super) index: usize,
    /// Its own bounds.
    pub(super) bounds: WaveFleet,
    /// The limit within a location.
    pub(super) limit: MaxConcurrency,
    /// How many locations at once.
    pub(super) places: u32,
    /// How many starts have to have a place at once; `None`: the shape may be any.
    pub(super) starts: Option<u32>,
    /// Whether these are the nodes that an earlier campaign has left of the wave.
    pub(super) is_retried: bool,
}

/// What becomes of the bounds of one wave with these locations: each is the tighter of its own and the request's, which is
/// `fleet`.
pub(super) fn resolve_in(
    request: &PatchRequest,
    wave: &InWave,
    locations: &[PlannedLocation],
    fleet: Option<&PlannedFleet>,
) -> Result<Option<PlannedFleet>, RefusalReason> {
    let WaveFleet {
        max_in_flight: in_flight,
        max_damaged: damaged,
        ..
    } = wave.bounds;
    if fleet.is_none() && in_flight.is_none() && damaged.is_none() {
        return Ok(None);
    }
    let subject = format!("waves[{}].budget.fleet", wave.index);
    let nodes = all_counted(locations, &subject)?;
    let mut own_damaged = damaged.map(|rate| rate.as_count(nodes));
    if wave.is_retried && damaged.and_then(MaxErrors::percent).is_some() {
        // A share that came to one node of the first campaign at least comes to one of the few that are left.
        own_damaged = own_damaged.map(|nodes| nodes.max(1));
    }
    not_none(damaged, own_damaged, nodes, &subject)?;
    let least = |own: Option<u32>, whole: Option<u32>| own.into_iter().chain(whole).min();
    let max_in_flight = least(
        in_flight.map(|rate| rate.as_count(nodes)),
        fleet.and_then(|fleet| fleet.max_in_flight),
    );
    let max_damaged = least(own_damaged, fleet.and_then(|fleet| fleet.max_damaged));
    let names_nodes = fleet.is_some_and(|fleet| fleet.nodes_in_a_start().is_some());
    let shape = Shape {
        limit: wave.limit,
        places: wave.places,
        starts: wave.starts,
        room: least(max_damaged, max_in_flight).or(names_nodes.then_some(u32::MAX)),
        max_in_flight,
    };
    Ok(Some(PlannedFleet {
        nodes,
        max_in_flight,
        max_damaged,
        max_unreached: None,
        pace: shape.pace(request, &Vec::from_iter(locations)),
    }))
}

/// How many nodes commands are sent to, or the reason against a plan in which nobody knows.
fn all_counted(locations: &[PlannedLocation], subject: &str) -> Result<u32, RefusalReason> {
    let uncounted: Vec<String> = locations
        .iter()
        .filter(|at| reached(at).is_none())
        .map(|at| at.location().to_string())
        .collect();
    if uncounted.is_empty() {
        return Ok(locations.iter().filter_map(reached).fold(0, u32::saturating_add));
    }
    Err(RefusalReason {
        code: RefusalCode::FleetBudget,
        subject: subject.to_owned(),
        detail: format!(
            "a bound on the nodes of {} needs to know how many there are, and they were not counted in {}: {}. \
             Have them skipped (policy.unknown = \"skip\", policy.denied) or leave the bound out",
            if subject == "budget.fleet" {
                "the whole fleet"
            } else {
                "a wave"
            },
            counted(uncounted.len(), "location"),
            names(uncounted)
        ),
    })
}

/// The reason against a share of the nodes that comes to none of them.
fn not_none(
    rate: Option<MaxErrors>,
    comes_to: Option<u32>,
    nodes: u32,
    subject: &str,
) -> Result<(), RefusalReason> {
    match (rate, comes_to, nodes > 0) {
        (Some(rate), Some(0), true) => Err(RefusalReason {
            code: RefusalCode::FleetBudget,
            subject: subject.to_owned(),
            detail: format!(
                "max_damaged: {rate} of {} is less than one. Any node that is begun may be damaged, so with none allowed nothing \
                 could be begun: give a count, such as 1, or a larger share",
                counted(nodes, "node")
            ),
        }),
        _ => Ok(()),
    }
}

/// What a retry has left of the first campaign's bounds. Each is `None` where the request's own holds.
#[derive(Debug, Clone, Copy, Default)]
struct Left {
    max_in_flight: Option<u32>,
    max_damaged: Option<u32>,
    max_unreached: Option<u32>,
}

/// What is left for a retry, or which bound is used up, in words.
fn left_for(request: &PatchRequest, retries: Option<&Retried>) -> Result<Left, String> {
    let Some((retried, of)) = retries.and_then(|retried| Some((retried, retried.bounds.fleet?))) else {
        return Ok(Left::default());
    };
    let nodes = match &request.targets.selector {
        Selector::NodeIds(nodes) => nodes.as_slice(),
        _ => &[],
    };
    let left = Left {
        max_in_flight: of.max_in_flight.map(LeftBound::left),
        max_damaged: (of.max_damaged).map(|bound| retried.bounds.of_fleet_damage(bound, nodes)),
        max_unreached: of.max_unreached.map(LeftBound::left),
    };
    let allowed = |bound: LeftBound| {
        format!(
            "{} of the first campaign's {}",
            bound.allowed,
            counted(of.nodes, "node")
        )
    };
    if let (Some(bound), Some(0)) = (of.max_damaged, left.max_damaged) {
        let what = format!("max_damaged allows {} to be damaged", allowed(bound));
        return Err(retried.used_up_by_damage(&what, bound));
    }
    if let (Some(bound), Some(0)) = (of.max_in_flight, left.max_in_flight) {
        let what = format!("max_in_flight allows {} to be in flight", allowed(bound));
        return Err(retried.used_up_by_unknown(&what, bound, of.lost_at_work));
    }
    if let Some(bound) = of.max_unreached.filter(|bound| bound.used > bound.allowed) {
        return Err(format!(
            "max_unreached allows {} not to be reached, and that is used up: {} not reached and {} not tried again. {NEW_CAMPAIGN}",
            allowed(bound),
            format_args!("{} {}", bound.used, by_number(bound.used, "was", "were")),
            by_number(bound.used, "is", "are"),
        ));
    }
    Ok(left)
}

impl PlannedFleet {
    /// How many nodes of a location at once, if the bound says so.
    pub(crate) fn nodes_at_once(&self) -> Option<u32> {
        match self.pace {
            FleetPace::Aws { nodes_at_once, .. } => nodes_at_once,
            FleetPace::Campaign { .. } => None,
        }
    }

    /// How many locations at once, if the bound says so.
    pub(crate) fn locations_at_once(&self) -> Option<u32> {
        match self.pace {
            FleetPace::Aws {
                locations_at_once, ..
            } => locations_at_once,
            FleetPace::Campaign { .. } => None,
        }
    }

    /// How many nodes a start names at most, if each names its own.
    pub(crate) fn nodes_in_a_start(&self) -> Option<u32> {
        match self.pace {
            FleetPace::Aws { .. } => None,
            FleetPace::Campaign { nodes_in_a_start } => Some(nodes_in_a_start),
        }
    }

    /// The most that can go wrong, if the bounds are kept. What AWS paces is reckoned with already.
    pub(super) fn bounded(&self, worst: WorstCase) -> WorstCase {
        let FleetPace::Campaign { .. } = self.pace else {
            return worst;
        };
        // What is open may all be damaged, so no more is open than may be damaged.
        let damaged = self.max_damaged.unwrap_or(u32::MAX);
        let open = self.max_in_flight.unwrap_or(u32::MAX).min(damaged);
        let least = |figure: Option<u32>, bound: u32| figure.map(|figure| figure.min(bound));
        let mut bounded = worst;
        bounded.starts_at_once = worst.starts_at_once.min(open.max(1));
        // A start has one location.
        bounded.locations_at_once = worst.locations_at_once.min(bounded.starts_at_once);
        bounded.driver_dead.locations_at_once =
            (worst.driver_dead.locations_at_once).min(bounded.starts_at_once);
        bounded.nodes_at_once = least(worst.nodes_at_once, open);
        bounded.nodes_damaged = least(worst.nodes_damaged, damaged);
        bounded.in_truth.nodes_at_once = least(worst.in_truth.nodes_at_once, open);
        bounded.in_truth.nodes_damaged = least(worst.in_truth.nodes_damaged, damaged);
        bounded.driver_dead.nodes_at_once = least(worst.driver_dead.nodes_at_once, open);
        bounded.driver_dead.nodes_damaged = least(worst.driver_dead.nodes_damaged, damaged);
        bounded
    }

    /// How many starts run at once where they name their nodes, and the key that bounds it.
    pub(super) fn paces(&self, worst_case: &WorstCase) -> Option<(u32, &'static str)> {
        self.nodes_in_a_start()?;
        let at_once = worst_case.starts_at_once.min(worst_case.locations_at_once.max(1));
        let damaged = self.max_damaged.unwrap_or(u32::MAX);
        let key = match (self.max_damaged, self.max_in_flight) {
            (Some(_), in_flight) if in_flight.is_none_or(|in_flight| damaged <= in_flight) => {
                "budget.fleet.max_damaged"
            }
            (_, Some(_)) => "budget.fleet.max_in_flight",
            _ => "budget.locations.max_concurrency",
        };
        Some((at_once, key))
    }

    /// The warning about a budget of locations that ends a campaign before as many nodes are damaged as may be.
    pub(super) fn warning(&self, location_errors: u32, locations: u32) -> Option<String> {
        let damaged = self.max_damaged?;
        (location_errors < locations.min(damaged)).then(|| {
            format!(
                "budget.locations.max_errors lets {} fail, and one with a damaged node has failed: the campaign may end before \
                 {} {} damaged, as budget.fleet.max_damaged would allow",
                counted(location_errors, "location"),
                counted(damaged, "node"),
                by_number(damaged, "is", "are"),
            )
        })
    }

    /// The limits within a location that commands are given, in place of the request's own.
    pub(crate) fn node_rates(&self, of_request: RateControl) -> RateControl {
        let count = self
            .nodes_at_once()
            .and_then(|n| MaxConcurrency::from_count(n).ok());
        RateControl {
            max_concurrency: count.unwrap_or(of_request.max_concurrency),
            ..of_request
        }
    }
}

/// The request as it is paced: with the limits that keep the bounds of the fleet in place of its own.
pub(super) fn paced(request: &PatchRequest, fleet: Option<&PlannedFleet>) -> PatchRequest {
    let mut paced = request.clone();
    if let Some(fleet) = fleet {
        paced.budget.nodes = fleet.node_rates(request.budget.nodes);
        if let Some(count) = fleet
            .locations_at_once()
            .and_then(|n| MaxConcurrency::from_count(n).ok())
        {
            paced.budget.locations.max_concurrency = count;
        }
    }
    paced
}

impl Plan {
    /// What `budget.fleet` comes to, in words; `None` if the request has none.
    pub(super) fn fleet_in_words(&self) -> Option<String> {
        let fleet = self.fleet?;
        let budget = self.request.budget.fleet?;
        let of = format!("of {}", counted(fleet.nodes, "node"));
        let said = |what: &str, n: Option<u32>, rate: Option<String>| {
            let (n, rate) = (n?, rate?);
            Some(format!("  at most {n} {of} {what} ({rate})"))
        };
        let text = |key: &str, rate: Option<String>| Some(format!("{key} = {}", rate?));
        let in_flight = text("max_in_flight", budget.max_in_flight.map(|rate| rate.to_string()));
        let damaged = text("max_damaged", budget.max_damaged.map(|rate| rate.to_string()));
        let mut lines = vec!["Across the fleet".to_owned()];
        lines.extend(said("in flight", fleet.max_in_flight, in_flight));
        lines.extend(said("damaged", fleet.max_damaged, damaged));
        if let (Some(n), Some(rate)) = (fleet.max_unreached, budget.max_unreached) {
            lines.push(format!(
                "  nothing more is begun once more than {n} {of} were not reached (max_unreached = {rate})"
            ));
        }
        match fleet.pace {
            FleetPace::Aws {
                nodes_at_once: Some(nodes),
                locations_at_once: Some(locations),
            } => lines.push(format!(
                "  kept by {}: {} at once in each of {} at once{}",
                match self.dispatch {
                    Some(_) => "Run Command in each location and by patchfleet across them, which sends none if it is dead",
                    None => "Systems Manager, also if patchfleet is dead",
                },
                counted(nodes, "node"),
                counted(locations, "location"),
                match self.wave_budgets.iter().any(|own| self.has_shape_of_its_own(own)) {
                    true => " (a wave with another shape: below)",
                    false => "",
                },
            )),
            FleetPace::Aws { .. } => {}
            FleetPace::Campaign { nodes_in_a_start } => lines.push(format!(
                "  kept by the campaign: each {} names at most {}, and is {} once there is room for them",
                self.start_in_a_word(),
                counted(nodes_in_a_start, "node"),
                self.is_begun_in_words(),
            )),
        }
        lines.extend(self.what_is_left(budget));
        lines.extend(self.what_bounds_it(fleet));
        lines.extend(self.what_bounds_locations(fleet));
        Some(lines.join("\n") + "\n")
    }

    /// What a retry has left of the first campaign's bounds.
    fn what_is_left(&self, budget: FleetBudget) -> Option<String> {
        let retried = self.retries.as_ref()?;
        let of = retried.bounds.fleet?;
        let each = [
            ("max_in_flight", budget.max_in_flight.is_some(), of.max_in_flight),
            ("max_damaged", budget.max_damaged.is_some(), of.max_damaged),
            ("max_unreached", budget.max_unreached.is_some(), of.max_unreached),
        ];
        let used: Vec<String> = each
            .into_iter()
            .filter(|(_, is_asked, _)| *is_asked)
            .filter_map(|(key, _, bound)| {
                let LeftBound { allowed, used } = bound?;
                Some(format!("{used} of {allowed} by {key}"))
            })
            .collect();
        Some(format!(
            "  its bounds are those of the first campaign, of {}; used before it: {}",
            counted(of.nodes, "node"),
            used.join(", ")
        ))
    }
}
