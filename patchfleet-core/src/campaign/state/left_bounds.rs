//! What a campaign that is over leaves of the first campaign's bounds to a retry.

use super::{State, TriedAgain};
use crate::budget::MaxErrors;
use crate::campaign::ledger::InCell;
use crate::id::{Location, NodeId};
use crate::outcome::NodeOutcome;
use crate::plan::{LeftBound, LeftBounds, LeftOfFleet, LeftOfValue};
use crate::request::Selector;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

impl State {
    /// Whether a node that is tried again counts as damaged already. `outcome` is what this campaign says of it, if it says
    /// anything.
    pub(crate) fn is_counted(&self, node: &NodeId, outcome: Option<NodeOutcome>) -> bool {
        match outcome {
            Some(outcome) if outcome.is_damaged() || outcome.is_unknown() => true,
            // What an earlier campaign made of it holds still.
            None | Some(NodeOutcome::NotRun | NodeOutcome::Unreached) => {
                let before = self.plan.retries.as_ref();
                before.is_some_and(|retried| retried.bounds.again.binary_search(node).is_ok())
            }
            Some(_) => false,
        }
    }

    /// What is left of the first campaign's bounds for a retry of this one that is planned now. `again` are the nodes that are tried
    /// again and count as damaged ([`is_counted`](Self::is_counted)). `unreached` are as many as this campaign did not reach and that
    /// are tried again.
    ///
    /// The bounds are counts, and those of the first campaign however often what it left is retried. What counts against them:
    ///
    /// * Damage: what is damaged, and that of which nothing could be found out, in this campaign and in those before. A node
    ///   that a retry tried stands as the retry left it, so it is not counted twice.
    /// * Nodes in flight: those of which nothing could be found out, as they may be at work still. Nobody knows when that ends, so
    ///   these are counted in each campaign, also where it is the same node. Lost nodes that may be at work still, until that is over.
    /// * Unreached nodes: those that are not tried again. The bound keeps nothing from being damaged. It ends a campaign that
    ///   does not reach its nodes, and whether the others can be reached now the retry finds out.
    ///
    /// A node that was not run counts as nothing.
    pub(crate) fn bounds_left(&self, again: BTreeSet<NodeId>, unreached: u32, now: Timestamp) -> LeftBounds {
        let fleet = self.fleet_left(unreached, now);
        let labels = self.labels_left(&again, now);
        if fleet.is_none() && labels.is_empty() {
            return LeftBounds::default();
        }
        let mut left = LeftBounds::default();
        (left.again, left.fleet, left.labels) = (again.into_iter().collect(), fleet, labels);
        left
    }

    /// Whether a bound leaves no room for what this campaign did not run.
    pub(crate) fn has_used_up_bounds(&self, now: Timestamp) -> bool {
        let left = self.bounds_left(BTreeSet::new(), 0, now);
        let is_used_up = |bound: Option<LeftBound>| bound.is_some_and(|bound| bound.used >= bound.allowed);
        if let Some(fleet) = left.fleet {
            let is_unreached = |bound: LeftBound| bound.used > bound.allowed;
            if is_used_up(fleet.max_damaged)
                || is_used_up(fleet.max_in_flight)
                || fleet.max_unreached.is_some_and(is_unreached)
            {
                return true;
            }
        }
        let of_value = |number: u32| {
            let cell = self.cells.cell(number)?;
            let value = &self.plan.labels.get(cell.label)?.values.get(cell.value)?.value;
            let mut values = left.labels.get(cell.label)?.iter();
            values.find(|left| left.value == *value)
        };
        let not_run = self.units.values().filter(|unit| {
            unit.locations.values().any(|at| {
                let settled = at.settled.as_ref();
                settled.is_none_or(|settled| {
                    settled.nodes.total() == 0 || settled.nodes.count(NodeOutcome::NotRun) > 0
                })
            })
        });
        let numbers: BTreeSet<u32> = not_run
            .flat_map(|unit| self.cells.count(&unit.named).into_keys())
            .collect();
        let mut left = numbers.into_iter().filter_map(of_value);
        left.any(|left| is_used_up(left.max_damaged) || is_used_up(left.max_in_flight))
    }

    /// How many locations may fail in a retry of these, of what the shares of the first campaign's locations allow: what failed and is
    /// not tried again has used that up. The first is of all waves and `None` where the request gives a count; then those of the waves
    /// that have a share of their own. A share of the few locations that are left would be another bound, and may come to none.
    pub(crate) fn location_errors_left(&self, tried: &TriedAgain) -> (Option<u32>, BTreeMap<u32, u32>) {
        let request = self.plan.first_request();
        let failed = self.locations().filter(|(unit, location, at)| {
            self.counts_as_failed(*unit, location, at) && !self.is_all_tried(location, tried)
        });
        let failed: BTreeSet<(u32, &Location)> = failed
            .map(|(unit, location, _)| (self.wave_of(unit), location))
            .collect();
        let is_share = |errors: Option<MaxErrors>| errors.and_then(MaxErrors::percent).is_some();
        let whole = is_share(Some(request.budget.locations.max_errors)).then(|| {
            let failed: BTreeSet<&Location> = failed.iter().map(|(_, location)| *location).collect();
            self.plan
                .location_errors()
                .saturating_sub(small_count(failed.len()))
        });
        let with_share = (1..).zip(&request.waves);
        let with_share = with_share.filter(|(_, wave)| is_share(wave.budget.locations.max_errors));
        let own = with_share.filter_map(|(number, _)| {
            let allowed = self.plan.location_errors_in(number)?;
            let failed = failed.iter().filter(|(wave, _)| *wave == number).count();
            Some((number, allowed.saturating_sub(small_count(failed))))
        });
        (whole, own.collect())
    }

    /// Whether each node of a location that did not come to its goal is among these, which are tried again.
    fn is_all_tried(&self, location: &Location, tried: &TriedAgain) -> bool {
        let goal = self.goal_at(location);
        let is_bad = |outcome: NodeOutcome| {
            let says_nothing = matches!(
                outcome,
                NodeOutcome::NotRun | NodeOutcome::Unmanaged | NodeOutcome::Gone
            );
            !says_nothing && !outcome.reaches_goal(goal)
        };
        let settled = self.units_at(location).filter_map(|(_, unit)| {
            let at = unit.locations.get(location)?;
            at.settled.as_ref()
        });
        let bad = settled.flat_map(|settled| settled.nodes.iter());
        let bad: u64 = bad
            .filter(|(outcome, _)| is_bad(*outcome))
            .map(|(_, n)| u64::from(n))
            .sum();
        tried.get(location).is_some_and(|nodes| {
            let again = nodes.values().filter(|outcome| is_bad(**outcome));
            again.count() as u64 >= bad
        })
    }

    fn fleet_left(&self, unreached: u32, now: Timestamp) -> Option<LeftOfFleet> {
        let fleet = self.plan.fleet?;
        let so_far = self.ledger.fleet;
        let before = self.bounds_at_first().and_then(|bounds| bounds.fleet);
        let (first, again) = match (before, self.bounds_at_first()) {
            (Some(before), Some(bounds)) => (before, bounds.again.len()),
            _ => {
                let new = |allowed: Option<u32>| allowed.map(|allowed| LeftBound::new(allowed, 0));
                let first = LeftOfFleet {
                    nodes: fleet.nodes,
                    max_in_flight: new(fleet.max_in_flight),
                    lost_at_work: None,
                    max_damaged: new(fleet.max_damaged),
                    max_unreached: new(fleet.max_unreached),
                };
                (first, 0)
            }
        };
        // Where AWS paces a campaign, what its commands left open is over. What runs on is not.
        let at_work = match fleet.nodes_in_a_start() {
            Some(_) => so_far.may_be_at_work().saturating_add(so_far.in_flight),
            None => so_far.running_at_expiry,
        };
        // Where AWS keeps the bound, lost nodes hold no places.
        let lost = self
            .lost_at_work(now)
            .filter(|_| fleet.nodes_in_a_start().is_some());
        let in_flight = first.max_in_flight.map(|bound| {
            let (bound, lost) = bound.with_lost(first.lost_at_work, lost, now);
            (bound.and(small(at_work)), lost)
        });
        let damaged = sum([so_far.damaged, so_far.unknown, so_far.in_flight]);
        let not_again = small(so_far.unreached).saturating_sub(unreached);
        Some(LeftOfFleet {
            max_in_flight: in_flight.map(|(bound, _)| bound),
            lost_at_work: in_flight.and_then(|(_, lost)| lost),
            max_damaged: (first.max_damaged).map(|bound| self.stands(bound, again).and(damaged)),
            max_unreached: first.max_unreached.map(|bound| bound.and(not_again)),
            ..first
        })
    }

    fn labels_left(&self, again: &BTreeSet<NodeId>, now: Timestamp) -> Vec<Vec<LeftOfValue>> {
        let before = self.bounds_at_first();
        let mut number = 0_u32;
        let mut labels = vec![];
        for (index, label) in self.plan.labels.iter().enumerate() {
            let mut values: BTreeMap<Option<String>, LeftOfValue> = BTreeMap::new();
            let first = before.and_then(|bounds| bounds.labels.get(index));
            for left in first.into_iter().flatten() {
                let mut stands = left.clone();
                stands.max_damaged = (left.max_damaged).map(|bound| self.stands(bound, left.again.len()));
                stands.again.clear();
                stands.take_lost(None, now);
                values.insert(left.value.clone(), stands);
            }
            for value in &label.values {
                let so_far = self.in_cell(number);
                let InCell {
                    in_flight,
                    damaged,
                    unknown,
                    ..
                } = so_far;
                let lost = self.lost_in_cell(number, now);
                number = number.saturating_add(1);
                let new = |allowed: Option<u32>| allowed.map(|allowed| LeftBound::new(allowed, 0));
                let left = values.entry(value.value.clone()).or_insert_with(|| {
                    let (in_flight, damaged) = (new(value.max_in_flight), new(value.max_damaged));
                    LeftOfValue::new(value.value.clone(), in_flight, damaged)
                });
                let at_work = sum([so_far.may_be_at_work(), in_flight]);
                let damaged = sum([damaged, unknown, in_flight]);
                left.take_lost(lost, now);
                left.max_in_flight = left.max_in_flight.map(|bound| bound.and(at_work));
                left.max_damaged = left.max_damaged.map(|bound| bound.and(damaged));
                let of_value = value.nodes.iter().filter(|node| again.contains(*node));
                left.again = of_value.cloned().collect();
            }
            labels.push(values.into_values().collect());
        }
        labels
    }

    /// The first campaign's bounds, where this is a retry that has them.
    fn bounds_at_first(&self) -> Option<&LeftBounds> {
        let bounds = &self.plan.retries.as_ref()?.bounds;
        (!bounds.is_empty()).then_some(bounds)
    }

    /// What the campaigns before this one have used of a bound on damage, now that this one has tried nodes of theirs. So many of
    /// its nodes counted `again`. Those that it tried are counted as it left them, if they are damaged still. Which nodes it
    /// tried is not looked up by name here, so as many count still as it may not have tried.
    fn stands(&self, bound: LeftBound, again: usize) -> LeftBound {
        let all = match &self.plan.request.targets.selector {
            Selector::NodeIds(nodes) => nodes.len(),
            _ => usize::MAX,
        };
        let tried = self.ledger_tried();
        let untried = small_count(all).saturating_sub(tried);
        let again = small_count(again);
        let used = bound
            .used
            .saturating_sub(again)
            .saturating_add(again.min(untried));
        LeftBound::new(bound.allowed, used)
    }

    /// How many nodes this campaign tried, as far as results tell.
    fn ledger_tried(&self) -> u32 {
        let settled = self.locations().filter_map(|(_, _, at)| at.settled.as_ref());
        let tried = |outcome: NodeOutcome| match outcome {
            NodeOutcome::Done
            | NodeOutcome::PendingReboot
            | NodeOutcome::Missing
            | NodeOutcome::Failed
            | NodeOutcome::Lost
            | NodeOutcome::Unknown
            | NodeOutcome::RunningAtExpiry => true,
            NodeOutcome::Unreached | NodeOutcome::NotRun | NodeOutcome::Unmanaged | NodeOutcome::Gone => {
                false
            }
        };
        let all = settled.flat_map(|settled| settled.nodes.iter());
        all.filter(|(outcome, _)| tried(*outcome))
            .fold(0, |sum, (_, n)| sum.saturating_add(n))
    }
}

fn sum<const N: usize>(all: [u64; N]) -> u32 {
    small(all.into_iter().fold(0, u64::saturating_add))
}

fn small(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn small_count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
