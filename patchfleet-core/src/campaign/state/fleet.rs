//! Where a campaign stands with the bounds on its whole fleet, and dividing a unit that no longer fits.

use super::{BoundStanding, State, UnitState};
use crate::id::{NodeId, UnitId};
use crate::outcome::LostAtWork;
use crate::plan::{PlannedFleet, Unit};
use crate::runbook;
use crate::text::{by_number, counted};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Where a campaign stands with the bounds on its whole fleet, in nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct FleetSoFar {
    /// Named by starts that were sent, or may have been, and whose truth is not known yet. 0 where AWS paces the campaign.
    pub in_flight: u64,
    /// Failed or lost.
    pub damaged: u64,
    /// Of which nothing could be found out. Each may be at work still, and each may be damaged.
    pub unknown: u64,
    /// Those of them whose command expired while they were at work. Where AWS keeps the bound on nodes in flight, each keeps its
    /// place from the starts that come after it.
    pub running_at_expiry: u64,
    /// Not reached, other than those that did not answer when the plan was made.
    pub unreached: u64,
    /// Those of `unknown` on which nothing of the campaign can be at work any more: their start is not in the log, and if the log
    /// has lost it, its command has expired.
    #[serde(skip)]
    pub(in crate::campaign) at_rest: u64,
}

impl FleetSoFar {
    /// How many of those of which nothing could be found out may be at work still.
    pub(in crate::campaign) fn may_be_at_work(&self) -> u64 {
        self.unknown.saturating_sub(self.at_rest)
    }
}

/// The bounds on a fleet, and where a campaign stands with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct FleetStanding {
    /// Where it stands.
    #[serde(flatten)]
    pub so_far: FleetSoFar,
    /// The lost nodes that may be at work still, so that they keep their places among those in flight. `None`: there are none, or the
    /// campaign keeps no bound on nodes in flight.
    pub lost_at_work: Option<LostAtWork>,
    /// How many nodes may be in flight; `None` without that bound, or where AWS keeps it and the campaign does not count.
    pub max_in_flight: Option<u32>,
    /// How many may be damaged; `None` without that bound.
    pub max_damaged: Option<u32>,
    /// How many may not be reached; `None` without that bound.
    pub max_unreached: Option<u32>,
    /// What AWS keeps of the bound on nodes in flight, where it does; `None` without that bound, or where the campaign counts.
    pub at_aws: Option<FleetAtAws>,
    /// How much of each bound is left.
    pub left: FleetLeft,
}

/// A bound on nodes in flight that AWS keeps, so that the campaign does not count them: so many at once in a location, and so
/// many locations at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct FleetAtAws {
    /// How many nodes may be in flight.
    pub max_in_flight: u32,
    /// How many of a location at once. Of the wave that is under way, if waves differ.
    pub nodes_at_once: u32,
    /// How many run on although their command has expired. They are in flight as well, and no start is made for which they leave no
    /// room.
    pub running_at_expiry: u64,
    /// How many locations at once, and how many of these places the starts have that are not over. In the wave that is under way, if
    /// waves differ.
    pub locations_at_once: BoundStanding,
}

impl fmt::Display for FleetAtAws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running_on = match self.running_at_expiry {
            0 => String::new(),
            n => format!(", {n} {} on", by_number(n, "runs", "run")),
        };
        write!(
            f,
            "in flight at most {} (AWS keeps {} at once in a location{running_on}), locations at once {}",
            self.max_in_flight, self.nodes_at_once, self.locations_at_once
        )
    }
}

/// How many nodes more each bound on a fleet has room for. `None` without that bound. A node of which nothing could be found out
/// may be in flight and may be damaged, so it takes room under both, unless nothing can be at work on it any more. A lost node is
/// damaged, and takes room among those in flight while it may be at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct FleetLeft {
    /// That may be in flight.
    pub in_flight: Option<u64>,
    /// That may be damaged. What is in flight may come to be.
    pub damaged: Option<u64>,
    /// That may not be reached.
    pub unreached: Option<u64>,
}

impl FleetStanding {
    /// Each bound in a few words, for a line that says something else as well.
    #[must_use]
    pub fn in_short(&self) -> String {
        let (so_far, left) = (self.so_far, self.left);
        let each = [
            ("in flight", so_far.in_flight, self.max_in_flight, left.in_flight),
            ("damaged", so_far.damaged, self.max_damaged, left.damaged),
            (
                "not reached",
                so_far.unreached,
                self.max_unreached,
                left.unreached,
            ),
        ];
        let each = each.into_iter().filter_map(|(what, used, of, left)| {
            let (of, left) = of.zip(left)?;
            Some(format!("{what} {}", BoundStanding { used, of, left }))
        });
        let at_aws = self.at_aws.map(|at_aws| at_aws.to_string());
        let unknown = (so_far.unknown > 0).then(|| format!("{} unknown", so_far.unknown));
        let lost = self.lost_at_work.map(|lost| lost.to_string());
        Vec::from_iter(at_aws.into_iter().chain(each).chain(unknown).chain(lost)).join(", ")
    }
}

impl fmt::Display for FleetStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of the fleet's nodes {}", self.in_short())
    }
}

/// Which bound on the fleet is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetStop {
    /// So many nodes are damaged, or may be, that no further one may be.
    Damaged {
        /// Failed or lost.
        damaged: u64,
        /// Nothing could be found out of them.
        unknown: u64,
        /// How many may be.
        allowed: u32,
    },
    /// So many nodes may be at work for all that is known that no further one may be.
    InFlight {
        /// Nothing could be found out of them; where AWS keeps the bound, their command expired while they were at work.
        unknown: u64,
        /// How many may be in flight.
        allowed: u32,
    },
    /// More nodes were not reached than may be.
    Unreached {
        /// How many.
        unreached: u64,
        /// How many may be.
        allowed: u32,
    },
}

impl fmt::Display for FleetStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged {
                damaged,
                unknown: 0,
                allowed,
            } => write!(
                f,
                "{} of the fleet {} damaged, and budget.fleet.max_damaged allows {allowed}",
                counted(*damaged, "node"),
                by_number(*damaged, "is", "are"),
            ),
            Self::Damaged {
                damaged,
                unknown,
                allowed,
            } => write!(
                f,
                "{} of the fleet {} damaged, and {unknown} more may be, as nothing could be found out of {}; \
                 budget.fleet.max_damaged allows {allowed}",
                counted(*damaged, "node"),
                by_number(*damaged, "is", "are"),
                by_number(*unknown, "it", "them"),
            ),
            Self::InFlight { unknown, allowed } => write!(
                f,
                "{} of the fleet may be at work still (unknown or running_at_expiry), and budget.fleet.max_in_flight allows \
                 {allowed}",
                counted(*unknown, "node"),
            ),
            Self::Unreached { unreached, allowed } => write!(
                f,
                "{} of the fleet {} not reached, and budget.fleet.max_unreached allows {allowed}",
                counted(*unreached, "node"),
                by_number(*unreached, "was", "were"),
            ),
        }
    }
}

impl State {
    /// Where the campaign stands with the bounds on its fleet, as of `now`; `None` if its plan has none.
    #[must_use]
    pub fn fleet(&self, now: Timestamp) -> Option<FleetStanding> {
        let fleet = self.plan.fleet?;
        let has_bound = fleet.max_in_flight.is_some() || fleet.max_damaged.is_some();
        let is_counted = fleet.nodes_in_a_start().is_some() && has_bound;
        let at_aws = self.fleet_at_aws(&fleet);
        if !is_counted && at_aws.is_none() && fleet.max_unreached.is_none() {
            return None;
        }
        let so_far = self.ledger.fleet;
        let max_in_flight = fleet.max_in_flight.filter(|_| is_counted);
        let lost_at_work = self.lost_at_work(now).filter(|_| max_in_flight.is_some());
        let may_be_at_work = so_far
            .may_be_at_work()
            .saturating_add(LostAtWork::count(lost_at_work));
        let left = |of: Option<u32>, used: u64, unknown: u64| {
            of.map(|of| BoundStanding::beside(used, unknown, of).left)
        };
        Some(FleetStanding {
            so_far,
            lost_at_work,
            max_in_flight,
            max_damaged: fleet.max_damaged,
            max_unreached: fleet.max_unreached,
            at_aws,
            left: FleetLeft {
                in_flight: left(max_in_flight, so_far.in_flight, may_be_at_work),
                damaged: left(fleet.max_damaged, so_far.damaged, so_far.unknown),
                unreached: left(fleet.max_unreached, so_far.unreached, 0),
            },
        })
    }

    /// What AWS keeps of the bound on nodes in flight, as it is told in the wave that is under way.
    fn fleet_at_aws(&self, fleet: &PlannedFleet) -> Option<FleetAtAws> {
        let max_in_flight = fleet.max_in_flight?;
        let wave = self.first_open_wave().map(|(wave, _)| wave);
        let there = wave.and_then(|wave| self.plan.fleet_in(wave));
        let nodes_at_once = there.unwrap_or(*fleet).nodes_at_once()?;
        let of = wave.map_or_else(
            || self.plan.location_budget(),
            |wave| self.plan.location_budget_in(wave),
        );
        Some(FleetAtAws {
            max_in_flight,
            nodes_at_once,
            running_at_expiry: self.ledger.fleet.running_at_expiry,
            locations_at_once: BoundStanding::beside(self.places_taken().min(of.into()), 0, of),
        })
    }

    /// Where the campaign stands, whether or not its plan has bounds on the fleet.
    pub(in crate::campaign) fn fleet_so_far(&self) -> FleetSoFar {
        self.ledger.fleet
    }

    /// Which bound on the fleet leaves no room for any further node, whatever becomes of those that are in flight.
    pub(in crate::campaign) fn fleet_stop(&self) -> Option<FleetStop> {
        let fleet = self.plan.fleet?;
        let FleetSoFar {
            damaged,
            unknown,
            unreached,
            ..
        } = self.ledger.fleet;
        if let Some(allowed) = fleet.max_damaged
            && damaged.saturating_add(unknown) >= u64::from(allowed)
        {
            return Some(FleetStop::Damaged {
                damaged,
                unknown,
                allowed,
            });
        }
        if let Some((unknown, allowed)) = self.used_up_by_what_runs_on(None) {
            return Some(FleetStop::InFlight { unknown, allowed });
        }
        if let Some(allowed) = fleet.max_in_flight.filter(|_| fleet.nodes_in_a_start().is_some())
            && self.ledger.fleet.may_be_at_work() >= u64::from(allowed)
        {
            let unknown = self.ledger.fleet.may_be_at_work();
            return Some(FleetStop::InFlight { unknown, allowed });
        }
        let allowed = fleet.max_unreached?;
        (unreached > u64::from(allowed)).then_some(FleetStop::Unreached { unreached, allowed })
    }

    /// Whether more nodes were not reached than the plan allows.
    pub(super) fn too_many_unreached(&self) -> Option<FleetStop> {
        self.fleet_stop()
            .filter(|stop| matches!(stop, FleetStop::Unreached { .. }))
    }

    /// Has a unit name only these of its nodes, and adds one after the last unit that names the others.
    pub(super) fn divide(&mut self, id: UnitId, keeps: &[NodeId]) {
        let kept: BTreeSet<NodeId> = keeps.iter().cloned().collect();
        let (Some(unit), Some(planned), Ok(index)) = (
            self.units.get(&id).filter(|unit| !unit.is_begun()),
            self.plan.unit(id),
            u32::try_from(self.plan.units.len()),
        ) else {
            return;
        };
        let rest: Vec<NodeId> = unit.named.difference(&kept).cloned().collect();
        let keeps: Vec<NodeId> = unit.named.intersection(&kept).cloned().collect();
        if rest.is_empty() || keeps.is_empty() {
            return;
        }
        let of = |id, nodes: Vec<NodeId>| -> Option<Unit> {
            let mut start = planned.start.clone();
            runbook::name_nodes(&mut start, nodes.clone()).ok()?;
            Some(Unit::new(
                id,
                planned.wave,
                Some(nodes),
                planned.node_rates,
                start,
            ))
        };
        let (Some(smaller), Some(added)) = (of(id, keeps), of(UnitId::from_index(index), rest)) else {
            return;
        };
        let mut other = UnitState::new(&added);
        // Who is away is away for both, and an attempt that was refused was refused to both.
        other.is_part = true;
        other.away.clone_from(&unit.away);
        other.refused_attempts = unit.refused_attempts;
        other.not_sent.clone_from(&unit.not_sent);
        other.not_before = unit.not_before;
        other.instead_of = unit.instead_of;
        other.earlier_attempts = unit.earlier_attempts;
        let locations: Vec<_> = other.locations.keys().cloned().collect();
        if let Some(unit) = self.units.get_mut(&id) {
            unit.is_part = true;
            unit.named = smaller.nodes.iter().flatten().cloned().collect();
        }
        let plan = Arc::make_mut(&mut self.plan);
        if let Some(at) = usize::try_from(id.number().saturating_sub(1))
            .ok()
            .and_then(|at| plan.units.get_mut(at))
        {
            *at = smaller;
        }
        let id = added.id;
        plan.units.push(added);
        self.units.insert(id, other);
        for location in locations {
            self.places.entry(location).or_default().units.push(id);
        }
    }
}
