//! Makes the plan, or finds every reason against it, from the request, the candidates and the census.

use super::in_wave::InWaves;
use super::lifetime::{self, Lifetime};
use super::units::{Bounds, Draft, names_nodes, paced};
use super::{
    Cells, FORMAT, Followed, Gaps, Options, Plan, PlannedDispatch, PlannedLocation, dispatch, fleet, freezes,
    gaps, in_wave, labels, nowhere, offline, small, waves,
};
use crate::budget::{Paced, PacedCommand, PacedNodes, PacedUnit, PacedWave, Seconds, WorstCase};
use crate::census::{Census, CensusAnswer, CensusTaken};
use crate::expand::Candidates;
use crate::id::{Location, UnitId};
use crate::pack::pack;
use crate::port::{Caller, Resolution};
use crate::refusal::{Refusal, RefusalCode};
use crate::request::{Dispatch, NothingSelected, OfflineAction, PatchRequest, Selector};
use crate::runbook::{self, CommandSteps};
use std::collections::BTreeSet;

mod sorted;
mod warnings;

use sorted::Sorted;

/// Plans what `request` asks for, from what was found. It asks nobody, so the same values give the same plan.
///
/// `steps` says what AWS-RunPatchBaseline adds to the life of a command. The `options` on how to ask have
/// no effect here.
///
/// A unit names its nodes if the request names them, if it asks for all managed nodes under patchfleet's own runbook, or
/// if nodes that are offline are left out. Such a unit has one location and at most 20 nodes, which is as many as a start
/// can name. So a location may have several units. A location whose nodes are not known cannot be kept then, because
/// there is no id to send there. A location that has none of the named ids is skipped as empty, whatever the policy.
///
/// # Errors
///
/// A [`Refusal`] with every reason:
///
/// * An answer whose policy is to refuse.
/// * A node id that is in no location.
/// * Targets that do not fit in a parameter.
/// * A wave with nothing to patch that comes before others.
/// * An account of which nobody knows whether it has the tags of a wave.
/// * Nodes that are offline, by the policy or because no others are left.
/// * A cutoff that is too near.
/// * Freezes that let nothing begin, or not before the cutoff.
///
/// If nothing else is wrong and no node is selected anywhere, that is the reason
/// ([`NothingSelected`](RefusalCode::NothingSelected)).
pub fn build(
    request: &PatchRequest,
    central: &Caller,
    candidates: &Candidates,
    census: &CensusTaken,
    steps: CommandSteps,
    options: &Options,
) -> Result<Plan, Refusal> {
    let by = |request: &PatchRequest| by_one_dispatch(request, central, candidates, census, steps, options);
    let mut plan = by(request)?;
    let is_counted = || plan.locations.iter().all(|at| at.nodes.is_some());
    let is_own = runbook::is_own(&request.automation.document);
    let other = match request.automation.dispatch {
        Dispatch::RunCommand => Some(Dispatch::Automation),
        // Each command would name its nodes, and a driver would send it.
        Dispatch::Automation if options.followed == Followed::ByDriver && is_own && is_counted() => {
            Some(Dispatch::RunCommand)
        }
        Dispatch::Automation => None,
    };
    let other = other.filter(|_| !plan.is_empty()).and_then(|dispatch| {
        let mut request = request.clone();
        request.automation.dispatch = dispatch;
        by(&request).ok()
    });
    plan.compare_with(other.as_ref());
    Ok(plan)
}

/// The plan as the request says who dispatches its commands, compared with nothing.
fn by_one_dispatch(
    request: &PatchRequest,
    central: &Caller,
    candidates: &Candidates,
    census: &CensusTaken,
    steps: CommandSteps,
    options: &Options,
) -> Result<Plan, Refusal> {
    let mut sorted = Sorted {
        skipped: candidates.skipped.clone(),
        warnings: candidates.warnings.clone(),
        resolution: census.resolution,
        is_retry: options.retries.is_some(),
        ..Sorted::default()
    };
    for location in &candidates.wanted {
        match census.answers.get(location) {
            Some(answer) => sorted.sort(request, location, Some(answer)),
            None => sorted.sort_unasked(request, location, candidates.answered.get(location)),
        }
    }
    let warnings = warnings::of_skips(&sorted.skipped, request);
    sorted.warnings.extend(warnings);
    if options.gaps == Gaps::Fill {
        // Before it is decided whether anything is selected: these are not planned.
        gaps::leave_out_not_enabled(census, &mut sorted.locations, &mut sorted.skipped);
    }
    sorted.refuse_other_nodes(request);
    if let Selector::NodeIds(nodes) = &request.targets.selector {
        sorted.refuse_lost_nodes(request, nodes, census);
    }
    if sorted.reasons.is_empty()
        && sorted.locations.iter().all(PlannedLocation::is_known_to_be_empty)
        && request.policy.nothing_selected == NothingSelected::Refuse
    {
        let reason = nowhere::reason(request, candidates, &sorted.skipped, &sorted.locations);
        sorted.reasons.push(reason);
    }
    if options.gaps == Gaps::Fill && sorted.reasons.is_empty() {
        let warning = gaps::on_no_role(request, census, &sorted.locations);
        sorted.warnings.extend(warning);
    }
    if request.policy.offline == OfflineAction::Skip && runbook::is_own(&request.automation.document) {
        sorted.leave_out_offline(request, census);
    }
    sorted.note_offline(request, census);
    let (asked, retries) = (request, options.retries);
    // Gaps are filled so that all units have a place, and how many places there are may follow from the bounds.
    let starts = |locations: &[PlannedLocation]| match options.followed {
        Followed::ByNobody => count(pack(&locations.iter().map(PlannedLocation::location).collect()).len()),
        Followed::ByDriver => 1,
    };
    let fleet = fleet::resolve(asked, retries, &sorted.locations, Some(starts(&sorted.locations)))
        .unwrap_or_default();
    let request = &fleet::paced(asked, fleet.as_ref());
    let mut filled = BTreeSet::new();
    if options.gaps == Gaps::Fill && !names_nodes(request, census.resolution) && sorted.reasons.is_empty() {
        let kept = gaps::fill(request, &mut sorted.locations, &mut sorted.skipped);
        if let Some((kept, warning)) = kept {
            filled = kept;
            sorted.warnings.push(warning);
        }
    }
    if options.gaps == Gaps::Fill {
        sorted.warnings.extend(gaps::on_not_enabled(&sorted.skipped));
    }
    let (against, of_waves) = waves::assign(request, candidates, &mut sorted.locations, options.waves_before);
    sorted.reasons.extend(against);
    sorted.warnings.extend(of_waves);
    if sorted.reasons.is_empty() {
        let (reasons, warnings) = waves::empty(asked, candidates, &sorted.locations, options);
        sorted.reasons.extend(reasons);
        sorted.warnings.extend(warnings);
    }
    if request.automation.dispatch == Dispatch::RunCommand && options.followed == Followed::ByNobody {
        sorted.reasons.push(dispatch::nobody_follows());
    }
    let fleet = match fleet::resolve(asked, retries, &sorted.locations, Some(starts(&sorted.locations))) {
        Ok(fleet) => fleet,
        Err(reason) => {
            sorted.reasons.push(reason);
            None
        }
    };
    let (wave_budgets, against) = match sorted.reasons.is_empty() {
        true => in_wave::resolve(asked, retries, &sorted.locations, fleet.as_ref(), starts),
        false => (vec![], vec![]),
    };
    sorted.reasons.extend(against);
    let (labels, against) = match sorted.reasons.is_empty() {
        true => labels::resolve(asked, retries, &sorted.locations, census),
        false => (vec![], vec![]),
    };
    sorted.reasons.extend(against);
    let cells = &Cells::of(&labels);
    let in_waves = &InWaves::new(asked, fleet.as_ref(), &wave_budgets);
    let request = in_waves.whole();
    let attendance = options.attendance;
    let reasons = offline::reasons(in_waves, &sorted.locations, census, attendance);
    sorted.reasons.extend(reasons);
    let lifetime = sorted.lifetime(request, steps, options);
    let each_alone = options.cutoff.is_some() || request.may_wait_to_begin();
    let bounds = Bounds {
        fleet: fleet.as_ref(),
        of_waves: &wave_budgets,
        cells,
    };
    let units = match waves::units(in_waves, central, &sorted.locations, census, each_alone, bounds) {
        Ok(units) => units,
        Err(too_long) => {
            sorted.refuse(RefusalCode::Unsupported, "targets", too_long.to_string());
            Vec::new()
        }
    };
    let dispatch = (request.automation.dispatch == Dispatch::RunCommand)
        .then(|| PlannedDispatch::of_commands(count(units.len())));
    let Sorted {
        mut locations,
        mut skipped,
        mut warnings,
        reasons,
        ..
    } = sorted;
    if !reasons.is_empty() {
        return Err(Refusal { reasons });
    }
    for planned in &mut locations {
        let location = planned.location();
        planned.nodes_digest = census.digests.get(&location).cloned();
        planned.node_ids = census.members.get(&location).cloned();
    }
    skipped.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
    let total = count(locations.len());
    let now = options.now.or(options.cutoff.map(|cutoff| cutoff.now));
    let units: Vec<(Draft, Seconds)> = units
        .into_iter()
        .map(|unit| {
            let request = in_waves.of(unit.wave);
            let timeout = lifetime.map(|lifetime| lifetime.timeout(request, &unit, now));
            (unit, timeout.unwrap_or_default())
        })
        .collect();
    let followed = options.followed;
    let errors = request.budget.locations.max_errors.as_count(total);
    let budget = |wave: u32| {
        let own = wave_budgets.iter().find(|own| own.wave == wave);
        let of_all = || request.budget.locations.max_concurrency.as_count(total);
        PacedWave {
            nodes: in_waves.of(wave).budget.nodes,
            location_budget: own.map_or_else(of_all, |own| own.locations_at_once),
            location_errors: own.and_then(|own| own.location_errors),
            open: own.and_then(|own| {
                let fleet = own.fleet.filter(|fleet| fleet.nodes_in_a_start().is_some())?;
                fleet.max_in_flight.into_iter().chain(fleet.max_damaged).min()
            }),
            damaged: own.and_then(|own| own.fleet?.max_damaged),
        }
    };
    let paced = paced(units.iter().map(|(draft, _)| draft), errors, &budget, followed);
    warnings.extend(warnings::on_shares(&paced, followed, errors));
    let worst_case = worst_case(in_waves, total, &units, &paced, &budget, lifetime.as_ref());
    let worst_case = fleet.map_or(worst_case, |fleet| fleet.bounded(worst_case));
    let worst_case = labels::bounded(&labels, worst_case);
    let worst_case = match dispatch {
        Some(_) => worst_case,
        None => dispatch::automations_at_most(worst_case),
    };
    let longest = units
        .iter()
        .map(|(_, timeout)| *timeout)
        .max()
        .unwrap_or_default();
    let expiry = lifetime.map(|lifetime| lifetime.expiry(longest));
    warnings.extend(offline::warnings(in_waves, &locations, census, expiry));
    warnings.extend(warnings::on_nodes(&locations, &filled));
    warnings.extend(small::warnings(in_waves, &locations));
    warnings.extend(fleet.and_then(|fleet| fleet.warning(errors, total)));
    warnings.extend(labels::warning(&labels, errors, total));
    if let (Some(now), false) = (options.now, units.is_empty()) {
        warnings.extend(freezes::warnings(request, lifetime.as_ref(), now));
    }
    if let (Some(lifetime), false) = (&lifetime, units.is_empty()) {
        warnings.extend(lifetime::warnings(
            in_waves,
            lifetime,
            &units,
            fleet.and_then(|fleet| fleet.paces(&worst_case)),
        ));
        // Without a runbook there is no step of it.
        let step = dispatch.is_none().then_some(options.step_timeout);
        warnings.extend(lifetime::on_the_documents(steps, lifetime.expiry(longest), step));
    }
    let mut plan = Plan {
        format: FORMAT,
        request: asked.clone(),
        central: central.clone(),
        followed,
        candidates: count(locations.len() + skipped.len()),
        locations,
        skipped,
        warnings,
        units: (0..)
            .map(UnitId::from_index)
            .zip(units.into_iter().zip(paced))
            .map(|(id, ((draft, timeout), paced))| {
                let request = in_waves.of(draft.wave);
                draft.unit(id, request, paced, lifetime.as_ref(), timeout)
            })
            .collect(),
        runbook: None,
        fleet,
        wave_budgets,
        labels,
        forecast: None,
        dispatch,
        automation: None,
        worst_case,
        lifetime,
        retries: retries.cloned(),
        second_attempt: false,
    };
    if let Some(now) = options.now.filter(|_| !plan.is_empty()) {
        plan.forecast = Some(plan.forecast_at(now, options.pace));
        plan.warnings.extend(plan.forecast_warning());
        plan.warnings.extend(plan.snapshot_warning(now));
    }
    Ok(plan)
}

/// Whether [`build`] refuses the request for what is known of locations without asking there, whatever the others answer.
pub(super) fn is_refused_unasked(request: &PatchRequest, unasked: &Census, resolution: Resolution) -> bool {
    let mut sorted = Sorted {
        resolution,
        ..Sorted::default()
    };
    for (location, answer) in unasked {
        sorted.sort_unasked(request, location, Some(answer));
    }
    !sorted.reasons.is_empty()
}

/// Whether [`build`] refuses the request whatever is found in its locations, if any has a node.
pub(super) fn is_refused_anyway(
    request: &PatchRequest,
    central: &Caller,
    resolution: Resolution,
    steps: CommandSteps,
    options: &Options,
) -> bool {
    let mut sorted = Sorted {
        resolution,
        ..Sorted::default()
    };
    sorted.refuse_other_nodes(request);
    sorted.lifetime(request, steps, options);
    let is_too_long =
        !names_nodes(request, resolution) && runbook::parameters(request, central, None).is_err();
    is_too_long || !sorted.reasons.is_empty()
}

/// What the answer of one location means for a plan, whatever the others answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alone {
    /// There are nodes, and the location is planned unless something else refuses the plan.
    Planned,
    /// Nothing for certain.
    Open,
    /// The plan is refused.
    Refused,
}

/// What [`build`] makes of this answer of one location.
pub(super) fn alone(
    request: &PatchRequest,
    location: &Location,
    answer: &CensusAnswer,
    resolution: Resolution,
    options: &Options,
) -> Alone {
    let mut sorted = Sorted {
        resolution,
        ..Sorted::default()
    };
    sorted.sort(request, location, Some(answer));
    let census = CensusTaken {
        resolution,
        ..CensusTaken::default()
    };
    let offline = match request.differs_in_waves() {
        // Its wave may have other limits.
        true => vec![],
        false => {
            let request = &InWaves::new(request, None, &[]);
            offline::reasons(request, &sorted.locations, &census, options.attendance)
        }
    };
    if !sorted.reasons.is_empty() || !offline.is_empty() {
        return Alone::Refused;
    }
    let leaves_out = request.policy.offline == OfflineAction::Skip;
    match answer {
        CensusAnswer::Populated { nodes: Some(nodes) }
            if leaves_out && nodes.online == 0 && nodes.offline > 0 =>
        {
            Alone::Open
        }
        CensusAnswer::Populated { .. } if !sorted.locations.is_empty() => Alone::Planned,
        _ => Alone::Open,
    }
}

/// What can go wrong at most, by the units' commands.
fn worst_case(
    in_waves: &InWaves,
    total: u32,
    units: &[(Draft, Seconds)],
    paced: &[PacedUnit],
    budget: &dyn Fn(u32) -> PacedWave,
    lifetime: Option<&Lifetime>,
) -> WorstCase {
    let commands: Vec<PacedCommand<'_>> = units
        .iter()
        .flat_map(|(unit, timeout)| {
            let request = in_waves.of(unit.wave);
            unit.commands.iter().map(move |command| PacedCommand {
                wave: unit.wave,
                location: &command.location,
                nodes: command.nodes.map(PacedNodes::from),
                lives: lifetime.map(|lifetime| lifetime.expiry(*timeout)),
                may_outlive: lifetime
                    .is_none_or(|lifetime| lifetime.may_be_cut_off(request, command, *timeout)),
            })
        })
        .collect();
    Paced {
        units: paced,
        commands: &commands,
        locations: total,
        location_errors: in_waves.whole().budget.locations.max_errors.as_count(total),
        waves: budget,
    }
    .worst_case()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
