//! What a person should not overlook in a plan that is made.

use crate::budget::PacedUnit;
use crate::id::Location;
use crate::plan::{Followed, KEPT_EMPTY, KEPT_UNKNOWN, PlannedLocation};
use crate::refusal::{Skip, SkipReason};
use crate::request::{PatchRequest, Selector};
use crate::text::{by_number, counted, names};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Of what is skipped by policy, what a person should not overlook.
pub(super) fn of_skips(skipped: &[Skip], request: &PatchRequest) -> Vec<String> {
    let mut warnings = vec![];
    let of = |reason| {
        let found: Vec<String> = skipped
            .iter()
            .filter(|skip| skip.reason == reason)
            .map(|skip| skip.location().to_string())
            .collect();
        (found.len(), names(found))
    };
    let (missing, where_missing) = of(SkipReason::GroupMissing);
    let (unknown, where_unknown) = of(SkipReason::Unknown);
    let (denied, where_denied) = of(SkipReason::Denied);
    if missing > 0
        && let Selector::ResourceGroup(group) = &request.targets.selector
    {
        warnings.push(format!(
            "there is no resource group {group} in {}: {where_missing} (names are case-sensitive)",
            counted(missing, "location")
        ));
    }
    if denied > 0 {
        warnings.push(format!(
            "access is denied in {}, out of scope by policy.denied: {where_denied}",
            counted(denied, "location")
        ));
    }
    if unknown > 0 {
        warnings.push(format!(
            "{} {} skipped without knowing what is there: {where_unknown}",
            counted(unknown, "location"),
            by_number(unknown, "is", "are"),
        ));
    }
    warnings
}

/// How the error budget is shared out, where nobody follows several units: AWS counts the failures of each apart.
pub(super) fn on_shares(units: &[PacedUnit], followed: Followed, errors: u32) -> Option<String> {
    if followed == Followed::ByDriver || units.len() <= 1 {
        return None;
    }
    let without = units
        .iter()
        .filter(|unit| unit.errors == 0 && unit.locations > 1)
        .count();
    let mut warning = format!(
        "nobody follows the {} executions, so the {} that may fail {} shared out among them",
        units.len(),
        counted(errors, "location"),
        by_number(errors, "is", "are"),
    );
    if without > 0 {
        let _ = write!(
            warning,
            ". {without} of several locations {} none, so AWS begins no more of {} once one fails",
            by_number(without, "has", "have"),
            by_number(without, "it", "them"),
        );
    }
    Some(warning)
}

/// Of the nodes that were found, what a person should not overlook.
pub(super) fn on_nodes(locations: &[PlannedLocation], filled: &BTreeSet<Location>) -> Vec<String> {
    let unmanaged = locations
        .iter()
        .filter_map(|location| location.nodes)
        .fold(0, |sum: u32, nodes| sum.saturating_add(nodes.unmanaged));
    let mut warnings = Vec::new();
    if unmanaged > 0 {
        warnings.push(format!(
            "{} of the selection {} not listed by Systems Manager (stopped, terminated, or never registered) and cannot be patched",
            counted(unmanaged, "node"),
            by_number(unmanaged, "is", "are"),
        ));
    }
    let uncounted = locations
        .iter()
        .filter(|location| location.nodes.is_none() && location.kept.is_none())
        .count();
    if uncounted > 0 {
        warnings.push(
            "nodes were looked for, and not counted: this plan binds no nodes, so a run of it patches whatever nodes \
             are selected by then"
                .to_owned(),
        );
    }
    let kept = |are_unknown: bool| {
        let kept = locations.iter().filter(move |location| {
            let is_unknown = location.kept == Some(SkipReason::Unknown);
            location.kept.is_some() && is_unknown == are_unknown
        });
        let kept = kept.map(PlannedLocation::location);
        let kept: Vec<Location> = kept.filter(|location| !filled.contains(location)).collect();
        (!kept.is_empty()).then(|| names(kept))
    };
    if let Some(kept) = kept(false) {
        warnings.push(format!("{KEPT_EMPTY}: {kept}"));
    }
    if let Some(kept) = kept(true) {
        warnings.push(format!("{KEPT_UNKNOWN}: {kept}"));
    }
    warnings
}
