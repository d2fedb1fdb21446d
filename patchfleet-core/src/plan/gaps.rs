//! Locations without nodes that are kept because the rectangles without them are too many.

use super::PlannedLocation;
use crate::census::{CensusAnswer, CensusTaken, UnknownCause};
use crate::id::{AccountId, Location, Region};
use crate::pack::pack;
use crate::refusal::{Skip, SkipReason};
use crate::request::PatchRequest;
use crate::text::{by_number, counted, names};
use std::collections::BTreeSet;

/// What becomes of a location that has no node and stands among others that do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Gaps {
    /// It is skipped, as the request's policy says. A plan then may have more units than places among the locations at
    /// once, and needs a driver.
    #[default]
    Leave,
    /// Where there are more units than places, it is planned as if nodes were there, if that gives fewer units. A command
    /// that matches no node ends well (recorded). So whoever always started one rectangle gets no less than before.
    ///
    /// A location whose Region is not enabled is left out otherwise, also where the policy keeps those that nobody can
    /// look into, and a warning names it.
    Fill,
}

/// The reasons for which a location is kept first, and those that are added if that does not do. An automation fails
/// where the Region is not enabled, and counts against the locations that may fail.
const KEPT: [&[SkipReason]; 2] = [
    &[SkipReason::Empty, SkipReason::GroupMissing],
    &[
        SkipReason::Empty,
        SkipReason::GroupMissing,
        SkipReason::RegionNotEnabled,
    ],
];

/// Plans skipped locations between those that are planned, if all units have a place then. Gives which, and a warning.
pub(super) fn fill(
    request: &PatchRequest,
    locations: &mut Vec<PlannedLocation>,
    skipped: &mut Vec<Skip>,
) -> Option<(BTreeSet<Location>, String)> {
    let wanted: BTreeSet<Location> = locations.iter().map(PlannedLocation::location).collect();
    let places = |n: usize| {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let places = request.budget.locations.max_concurrency.as_count(n);
        usize::try_from(places).unwrap_or(usize::MAX)
    };
    let (units, at_once) = (pack(&wanted).len(), places(wanted.len()));
    if units <= at_once {
        return None;
    }
    let accounts: BTreeSet<&AccountId> = wanted.iter().map(|at| &at.account).collect();
    let regions: BTreeSet<&Region> = wanted.iter().map(|at| &at.region).collect();
    let between = |skip: &Skip, reasons: &[SkipReason]| {
        reasons.contains(&skip.reason) && accounts.contains(&skip.account) && regions.contains(&skip.region)
    };
    let kept = KEPT.into_iter().find(|reasons| {
        let more = skipped.iter().filter(|skip| between(skip, reasons));
        let mut all = wanted.clone();
        all.extend(more.map(Skip::location));
        pack(&all).len() <= places(all.len())
    })?;
    let (filled, rest): (Vec<Skip>, Vec<Skip>) = std::mem::take(skipped)
        .into_iter()
        .partition(|skip| between(skip, kept));
    *skipped = rest;
    locations.extend(filled.iter().map(planned));
    locations.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
    let warning = warning(&filled, units, at_once);
    Some((filled.iter().map(Skip::location).collect(), warning))
}

/// Skips the locations that the policy keeps although nobody can look there, and of which AWS says that their Region is
/// not enabled.
pub(super) fn leave_out_not_enabled(
    census: &CensusTaken,
    locations: &mut Vec<PlannedLocation>,
    skipped: &mut Vec<Skip>,
) {
    locations.retain(|planned| {
        let location = planned.location();
        let Some(CensusAnswer::Unknown {
            cause: UnknownCause::RegionNotEnabled,
            detail,
        }) = census.answers.get(&location)
        else {
            return true;
        };
        skipped.push(Skip {
            account: location.account,
            region: location.region,
            reason: SkipReason::RegionNotEnabled,
            cause: None,
            detail: detail.clone(),
        });
        false
    });
}

/// Which locations are left out because their Region is not enabled. Whoever starts one rectangle without a look at it
/// would have started there too.
pub(super) fn on_not_enabled(skipped: &[Skip]) -> Option<String> {
    let out: Vec<Location> = skipped
        .iter()
        .filter(|skip| skip.reason == SkipReason::RegionNotEnabled)
        .map(Skip::location)
        .collect();
    let n = out.len();
    (n > 0).then(|| {
        format!(
            "{} {} left out, because the Region is not enabled in the account: {}",
            counted(n, "location"),
            by_number(n, "is", "are"),
            names(out),
        )
    })
}

fn planned(skip: &Skip) -> PlannedLocation {
    PlannedLocation {
        account: skip.account.clone(),
        region: skip.region.clone(),
        wave: 1,
        nodes: None,
        nodes_digest: None,
        node_ids: None,
        kept: Some(skip.reason),
        left_out: Vec::new(),
        offline: Vec::new(),
    }
}

fn warning(filled: &[Skip], units: usize, places: usize) -> String {
    let each: Vec<String> = filled
        .iter()
        .map(|skip| format!("{} ({})", skip.location(), skip.reason.as_str()))
        .collect();
    let mut warning = format!(
        "{} {} planned although there is no node, because without {} the plan has {units} executions for {} at once: {}",
        counted(filled.len(), "location"),
        by_number(filled.len(), "is", "are"),
        by_number(filled.len(), "it", "them"),
        counted(places, "location"),
        each.join(", "),
    );
    if filled
        .iter()
        .any(|skip| skip.reason == SkipReason::RegionNotEnabled)
    {
        warning.push_str(
            ". Where the Region is not enabled the automation fails, which counts against the locations that may fail: \
             with more locations at once such a location is left out",
        );
    }
    warning
}

/// The warning about a plan of which no location could be read, because the caller can assume the role that Automation
/// runs with there in no account. Automation assumes it as another role, so it may be patched all the same. Or the role is
/// not there.
pub(super) fn on_no_role(
    request: &PatchRequest,
    census: &CensusTaken,
    planned: &[PlannedLocation],
) -> Option<String> {
    let role = &request.automation.execution_role;
    if request.access.discovery_role != *role {
        return None;
    }
    let mut refused = None;
    for at in planned.iter().filter(|at| !at.is_known_to_be_empty()) {
        match census.answers.get(&at.location()) {
            Some(CensusAnswer::Unknown {
                cause: UnknownCause::RoleNotAssumable,
                detail,
            }) => refused = refused.or(Some((at.location(), detail))),
            _ => return None,
        }
    }
    let (first, words) = refused?;
    Some(format!(
        "no location could be looked into, because the caller can assume the role {role} in no account. Automation runs with \
         it there, as another role: if there is no such role, nothing is patched, and each location fails. See that the role \
         is there, or let it trust the caller ({first}: {words})"
    ))
}
