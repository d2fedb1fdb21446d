//! What really happened in a simulated world, counted as a plan counts its worst case.

use crate::run::{Pair, place};
use jiff::Timestamp;
use patchfleet_core::budget::WorstCase;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The world's own figures. Nothing here was said by patchfleet.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) starts: u32,
    pub(crate) locations_at_once: u32,
    /// Locations in which a step of a parent failed. One that has several commands counts once, as it
    /// does in the plan and for the campaign's budget.
    pub(crate) locations_failing: u32,
    /// Locations in which a step failed or a node was damaged.
    pub(crate) locations_failing_in_truth: u32,
    pub(crate) nodes_at_once: u32,
    pub(crate) node_errors: u32,
    pub(crate) nodes_damaged: u32,
    /// Of the commands of one location together, the longest.
    pub(crate) slowest_location_seconds: u64,
}

impl Measured {
    pub(crate) fn of(state: &Value, installs: bool) -> Self {
        let list = |name: &str| state[name].as_array().unwrap().clone();
        let (executions, commands) = (list("executions"), list("commands"));
        let parents: Vec<&Value> = executions.iter().filter(|one| one["parent"].is_null()).collect();
        let children = executions.iter().filter(|one| !one["parent"].is_null());
        let failing: BTreeSet<Pair> = parents
            .iter()
            .flat_map(|one| one["steps"].as_array().unwrap())
            .filter(|step| step["status"] == "Failed" || step["status"] == "TimedOut")
            .map(place)
            .collect();
        let invocations: Vec<&Value> = commands
            .iter()
            .flat_map(|command| command["invocations"].as_array().unwrap())
            .collect();
        let reached: BTreeSet<&str> = invocations
            .iter()
            .filter(|one| !one["started"].is_null())
            .map(|one| one["node"].as_str().unwrap())
            .collect();
        let nodes = list("nodes");
        let damaged: Vec<&Value> = nodes
            .iter()
            .filter(|node| reached.contains(node["id"].as_str().unwrap()))
            .filter(|node| {
                let lost = node["reachability"] == "online" && node["online"] == false;
                lost || installs && node["patches"]["failed"].as_u64().unwrap() > 0
            })
            .collect();
        let mut in_truth = failing.clone();
        in_truth.extend(damaged.iter().map(|node| place(node)));
        let is_error = |one: &&&Value| {
            one["status"] == "Failed" && one["status_details"] == "Failed"
                || one["status_details"] == "ExecutionTimedOut"
        };
        let mut spans: BTreeMap<Pair, u64> = BTreeMap::new();
        for command in &commands {
            if let Some((from, to)) = span(command, "requested") {
                let seconds = u64::try_from(to.duration_since(from).as_secs()).unwrap();
                *spans.entry(place(command)).or_default() += seconds;
            }
        }
        Self {
            starts: count(parents.len()),
            locations_at_once: at_once(children.filter_map(|one| span(one, "started"))),
            locations_failing: count(failing.len()),
            locations_failing_in_truth: count(in_truth.len()),
            nodes_at_once: at_once(invocations.iter().filter_map(|one| span(one, "started"))),
            node_errors: count(invocations.iter().filter(is_error).count()),
            nodes_damaged: count(damaged.len()),
            slowest_location_seconds: spans.into_values().max().unwrap_or_default(),
        }
    }

    /// Fails unless what AWS paces is within the worst case.
    pub(crate) fn is_within(&self, worst: &WorstCase, who: &str) {
        assert!(
            self.locations_at_once <= worst.locations_at_once,
            "{who}: {self:?} {worst:?}"
        );
        for (measured, bound) in [
            (self.nodes_at_once, worst.nodes_at_once),
            (self.node_errors, worst.node_errors),
        ] {
            assert!(
                bound.is_none_or(|bound| measured <= bound),
                "{who}: {self:?} {worst:?}"
            );
        }
        let slowest = worst.slowest_location_seconds;
        assert!(
            slowest.is_none_or(|bound| self.slowest_location_seconds <= bound),
            "{who}: {self:?} {worst:?}"
        );
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap()
}

fn span(of: &Value, from: &str) -> Option<(Timestamp, Timestamp)> {
    let instant = |name: &str| of[name].as_str()?.parse().ok();
    Some((instant(from)?, instant("ended")?))
}

/// How many spans have an instant in common. One that ends makes room for one that begins then.
fn at_once(spans: impl Iterator<Item = (Timestamp, Timestamp)>) -> u32 {
    let mut turns: Vec<(Timestamp, i32)> = spans
        .filter(|(from, to)| from < to)
        .flat_map(|(from, to)| [(from, 1), (to, -1)])
        .collect();
    turns.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, change) in turns {
        now += change;
        most = most.max(now);
    }
    u32::try_from(most).unwrap()
}
