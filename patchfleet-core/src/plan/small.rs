//! Percentages that come to nothing. 10 % of 4 nodes are no error that may happen, and one node at a time.

use super::PlannedLocation;
use super::in_wave::InWaves;
use crate::budget::RateControl;
use crate::request::Budget;
use crate::runbook;
use crate::text::{by_number, counted, names};

/// The warnings about percentages of too few nodes or locations, one line for each limit.
pub(super) fn warnings(in_waves: &InWaves, locations: &[PlannedLocation]) -> Vec<String> {
    let mut warnings = Vec::new();
    let total = u32::try_from(locations.len()).unwrap_or(u32::MAX);
    let request = in_waves.whole();
    let of_locations = request.budget.locations.max_errors;
    if let Some(percent) = none_of(of_locations.percent(), total) {
        warnings.push(format!(
            "budget.locations.max_errors: {percent}% of {} {} none, so the first one that fails stops the others. \
             Give a count, such as 1",
            counted(total, "location"),
            by_number(total, "is", "are"),
        ));
    }
    if !runbook::is_own(&request.automation.document) {
        return warnings; // its limits are its own
    }
    for (wave, request, there) in in_waves.each(locations) {
        let prefix = wave.map_or_else(String::new, |index| format!("waves[{index}]."));
        warnings.extend(of_nodes(&prefix, request.budget.nodes, &there));
    }
    warnings
}

/// The warnings about percentages of too few nodes in these locations. `prefix` comes before `budget`.
fn of_nodes(prefix: &str, nodes: RateControl, locations: &[&PlannedLocation]) -> Vec<String> {
    let mut warnings = Vec::new();
    let small = |percent: Option<u8>| {
        let of = locations.iter().filter_map(move |at| {
            let n = at.nodes?.managed();
            none_of(percent, n).map(|_| format!("{} ({})", at.location(), counted(n, "node")))
        });
        of.collect::<Vec<String>>()
    };
    if nodes.max_errors.percent() == nodes.max_concurrency.percent() {
        let few = small(nodes.max_errors.percent());
        if let Some(percent) = nodes.max_errors.percent().filter(|_| !few.is_empty()) {
            let by_default = if nodes == Budget::default().nodes {
                ", which is the default"
            } else {
                ""
            };
            warnings.push(format!(
                "{prefix}budget.nodes: max_errors and max_concurrency are {percent}% of the nodes{by_default}. That is less than \
                 one in {}: {}. AWS does not say how it rounds: the first node that fails may stop its location, and the \
                 figures at worst count one failure more. One node is patched at a time. Give counts, such as \
                 max_errors = 1 and max_concurrency = 2",
                counted(few.len(), "location"),
                names(few)
            ));
        }
        return warnings;
    }
    let stops = small(nodes.max_errors.percent());
    if let Some(percent) = nodes.max_errors.percent().filter(|_| !stops.is_empty()) {
        warnings.push(format!(
            "{prefix}budget.nodes.max_errors: {percent}% of the nodes are less than one in {}. AWS does not say how it rounds: \
             the first node that fails may stop its location, and the figures at worst count one failure more: {}. \
             Give a count, such as 1",
            counted(stops.len(), "location"),
            names(stops)
        ));
    }
    let slow = small(nodes.max_concurrency.percent());
    if let Some(percent) = nodes.max_concurrency.percent().filter(|_| !slow.is_empty()) {
        warnings.push(format!(
            "{prefix}budget.nodes.max_concurrency: {percent}% of the nodes are less than one in {}, so one node is \
             patched at a time: {}. Give a count, such as 2",
            counted(slow.len(), "location"),
            names(slow)
        ));
    }
    warnings
}

/// The percentage, if it comes to none of at least two. `None` for 0 %, which asks for none.
fn none_of(percent: Option<u8>, of: u32) -> Option<u8> {
    percent.filter(|&percent| percent > 0 && of > 1 && u64::from(of) * u64::from(percent) < 100)
}
