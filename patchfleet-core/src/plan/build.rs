//! From the request, the candidates and the census to the plan, or to every reason against it.

use super::{FORMAT, Plan, PlannedLocation, Refusal, RefusalCode, RefusalReason, Skip, SkipReason, nowhere};
use crate::budget::Paced;
use crate::census::{CensusAnswer, CensusTaken, NodeCounts, UnknownCause};
use crate::expand::Candidates;
use crate::id::{Location, NodeId};
use crate::pack::{Rectangle, pack};
use crate::port::{Caller, Resolution, StartRequest, TargetLocation};
use crate::request::{DeniedAction, NothingSelected, PatchRequest, Policy, PolicyAction, Selector};
use crate::runbook::{self, StepTimeout, TargetTooLong};
use std::collections::{BTreeMap, BTreeSet};

/// Plans what `request` asks for, from what was found. Pure: the same values give the same plan.
///
/// `step_timeout` is that of patchfleet's own runbook; a plan that may take longer in some location
/// says so in its warnings.
///
/// With node ids, or all managed nodes under patchfleet's own runbook, a unit is one location and at
/// most [`MAX_NODE_IDS`](runbook::MAX_NODE_IDS) ids, so a location may have several units. A location
/// whose nodes are not known cannot be kept: there is no id to send there. Of ids that were asked
/// for, a location that has none is skipped as empty whatever the policy.
///
/// # Errors
///
/// A [`Refusal`] with every reason: answers whose policy is to refuse, node ids that are in no
/// location, targets that do not fit in a parameter; or, if nothing else is wrong, that no location
/// is left to patch ([`NothingSelected`](RefusalCode::NothingSelected)).
pub fn build(
    request: &PatchRequest,
    central: &Caller,
    candidates: &Candidates,
    census: &CensusTaken,
    step_timeout: StepTimeout,
) -> Result<Plan, Refusal> {
    let mut sorted = Sorted {
        skipped: candidates.skipped.clone(),
        warnings: candidates.warnings.clone(),
        resolution: census.resolution,
        ..Sorted::default()
    };
    for location in &candidates.wanted {
        match census.answers.get(location) {
            Some(answer) => sorted.sort(request, location, Some(answer)),
            // Nobody asked in the location itself, so no denial of its own is known.
            None => {
                let policy = Policy {
                    denied: request.policy.unknown.into(),
                    ..request.policy
                };
                sorted.sort_by(&policy, request, location, candidates.answered.get(location));
            }
        }
    }
    sorted.warn_of_skips(request);
    if census.resolution == Resolution::ByIds && !runbook::is_own(&request.automation.document) {
        sorted.refuse(
            RefusalCode::Unsupported,
            "the inventory",
            "it finds other nodes than AWS may, and only patchfleet's own runbook can be told which nodes to patch",
        );
    }
    if let Selector::NodeIds(nodes) = &request.targets.selector {
        sorted.refuse_lost_nodes(request, nodes, census);
    }
    if sorted.reasons.is_empty()
        && sorted.locations.is_empty()
        && request.policy.nothing_selected == NothingSelected::Refuse
    {
        let reason = nowhere::reason(request, candidates, &sorted.skipped);
        sorted.reasons.push(reason);
    }
    let units = match units(request, central, &sorted.locations, census) {
        Ok(units) => units,
        Err(too_long) => {
            sorted.refuse(RefusalCode::Unsupported, "targets", too_long.to_string());
            Vec::new()
        }
    };
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
        planned.nodes_digest = census.digests.get(&planned.location()).cloned();
    }
    skipped.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
    let total = count(locations.len());
    let rates = &request.budget.locations;
    let sizes: Vec<u32> = units.iter().map(|unit| count(unit.rectangle.len())).collect();
    let commands: Vec<Option<u32>> = units.iter().flat_map(|unit| unit.commands.clone()).collect();
    let worst_case = Paced {
        units: &sizes,
        commands: &commands,
        locations: total,
        nodes: request.budget.nodes,
        location_budget: rates.max_concurrency.as_count(total),
        location_errors: rates.max_errors.as_count(total),
    }
    .worst_case();
    warnings.extend(warnings_on_nodes(&locations));
    if runbook::is_own(&request.automation.document)
        && let Some(seconds) = worst_case.slowest_location_seconds
        && seconds > u64::from(step_timeout.seconds())
    {
        warnings.push(format!(
            "the slowest location may take {} h, and the runbook's step ends after {} h; nodes that have not had their turn by then are not patched: raise budget.nodes.max_concurrency, or the runbook's step timeout",
            seconds.div_ceil(3_600),
            step_timeout.seconds() / 3_600
        ));
    }
    Ok(Plan {
        format: FORMAT,
        request: request.clone(),
        central: central.clone(),
        candidates: count(locations.len() + skipped.len()),
        locations,
        skipped,
        warnings,
        requests: units.into_iter().map(|unit| unit.start(request, total)).collect(),
        runbook: None,
        worst_case,
    })
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Where each wanted location went.
#[derive(Default)]
struct Sorted {
    resolution: Resolution,
    locations: Vec<PlannedLocation>,
    skipped: Vec<Skip>,
    warnings: Vec<String>,
    reasons: Vec<RefusalReason>,
}

impl Sorted {
    fn refuse(&mut self, code: RefusalCode, subject: impl ToString, detail: impl Into<String>) {
        self.reasons.push(RefusalReason {
            code,
            subject: subject.to_string(),
            detail: detail.into(),
        });
    }

    fn plan(&mut self, location: &Location, nodes: Option<NodeCounts>, kept: Option<SkipReason>) {
        self.locations.push(PlannedLocation {
            account: location.account.clone(),
            region: location.region.clone(),
            wave: 1,
            nodes,
            nodes_digest: None,
            kept,
        });
    }

    fn sort(&mut self, request: &PatchRequest, location: &Location, answer: Option<&CensusAnswer>) {
        self.sort_by(&request.policy, request, location, answer);
    }

    fn sort_by(
        &mut self,
        policy: &Policy,
        request: &PatchRequest,
        location: &Location,
        answer: Option<&CensusAnswer>,
    ) {
        let by_ids = names_nodes(request, self.resolution);
        let (action, code, reason, cause, detail) = match answer {
            Some(CensusAnswer::Populated { nodes: Some(nodes) }) if by_ids && nodes.managed() == 0 => {
                unknown(
                    policy,
                    by_ids,
                    UnknownCause::Other,
                    &format!(
                        "the inventory selects {} there, and Systems Manager manages none of them, so a start can name none",
                        some_nodes(nodes.total())
                    ),
                )
            }
            Some(CensusAnswer::Populated { nodes }) => return self.plan(location, *nodes, None),
            Some(CensusAnswer::Empty) => (
                match (&request.targets.selector, policy.empty) {
                    // The ids may be anywhere among the locations.
                    (Selector::NodeIds(_), _) => PolicyAction::Skip,
                    (_, PolicyAction::Keep) if by_ids => PolicyAction::Skip,
                    (_, action) => action,
                },
                RefusalCode::Empty,
                SkipReason::Empty,
                None,
                nothing_of(&request.targets.selector),
            ),
            Some(CensusAnswer::GroupMissing) => (
                policy.group_missing,
                RefusalCode::GroupMissing,
                SkipReason::GroupMissing,
                None,
                "there is no resource group of that name".to_owned(),
            ),
            Some(CensusAnswer::Unknown { cause, detail }) => unknown(policy, by_ids, *cause, detail),
            None => unknown(
                policy,
                by_ids,
                UnknownCause::Other,
                "the census did not ask there",
            ),
        };
        match action {
            PolicyAction::Refuse => self.refuse(code, location, detail),
            PolicyAction::Keep => self.plan(location, None, Some(reason)),
            PolicyAction::Skip => self.skipped.push(Skip {
                account: location.account.clone(),
                region: location.region.clone(),
                reason,
                cause,
                detail,
            }),
        }
    }

    /// Of what is skipped by policy, what a person should not overlook.
    fn warn_of_skips(&mut self, request: &PatchRequest) {
        let names = |reason| {
            let names: Vec<String> = self
                .skipped
                .iter()
                .filter(|skip| skip.reason == reason)
                .map(|skip| skip.location().to_string())
                .collect();
            (names.len(), names.join(", "))
        };
        let (missing, where_missing) = names(SkipReason::GroupMissing);
        let (unknown, where_unknown) = names(SkipReason::Unknown);
        let (denied, where_denied) = names(SkipReason::Denied);
        if missing > 0
            && let Selector::ResourceGroup(group) = &request.targets.selector
        {
            self.warnings.push(format!(
                "there is no resource group {group} in {}: {where_missing} (names are case-sensitive)",
                locations(missing)
            ));
        }
        if denied > 0 {
            self.warnings.push(format!(
                "access is denied in {}, out of scope by policy.denied: {where_denied}",
                locations(denied)
            ));
        }
        if unknown > 0 {
            self.warnings.push(format!(
                "{} skipped without knowing what is there: {where_unknown}",
                match unknown {
                    1 => "1 location is".to_owned(),
                    n => format!("{n} locations are"),
                }
            ));
        }
    }

    fn refuse_lost_nodes(&mut self, request: &PatchRequest, nodes: &[NodeId], census: &CensusTaken) {
        if !runbook::is_own(&request.automation.document) {
            self.refuse(
                RefusalCode::Unsupported,
                "targets.node_ids",
                "only patchfleet's own runbook can be told which nodes to patch",
            );
        }
        let mut places: BTreeMap<&NodeId, Vec<&Location>> = BTreeMap::new();
        for (location, found) in &census.found {
            for node in found {
                places.entry(node).or_default().push(location);
            }
        }
        if places.is_empty() {
            // The whole selection is nowhere, which has a reason of its own.
            return;
        }
        for node in nodes.iter().collect::<BTreeSet<_>>() {
            match places.get(node).map(Vec::as_slice).unwrap_or_default() {
                [] => self.refuse(
                    RefusalCode::NodeNotFound,
                    node,
                    "no location has it as a managed node: is it registered, in one of the accounts and Regions, and not in an excluded one?",
                ),
                [_] => {}
                [first, second, ..] => self.refuse(
                    RefusalCode::Unsupported,
                    node,
                    format!("both {first} and {second} say that they have it"),
                ),
            }
        }
    }
}

type Sorting = (
    PolicyAction,
    RefusalCode,
    SkipReason,
    Option<UnknownCause>,
    String,
);

fn unknown(policy: &Policy, by_ids: bool, cause: UnknownCause, detail: &str) -> Sorting {
    let (action, reason) = match (cause, policy.denied) {
        (UnknownCause::Denied, DeniedAction::Refuse) => (PolicyAction::Refuse, SkipReason::Unknown),
        (UnknownCause::Denied, DeniedAction::Skip) => (PolicyAction::Skip, SkipReason::Unknown),
        (UnknownCause::Denied, DeniedAction::Keep) => (PolicyAction::Keep, SkipReason::Unknown),
        (UnknownCause::Denied, DeniedAction::Exclude) => (PolicyAction::Skip, SkipReason::Denied),
        _ => (policy.unknown, SkipReason::Unknown),
    };
    // Without an id that is known to be there, there is nothing to keep.
    let action = match action {
        PolicyAction::Keep if by_ids => PolicyAction::Skip,
        action => action,
    };
    let detail = format!("{}: {detail}", cause.as_str());
    (action, RefusalCode::CensusUnknown, reason, Some(cause), detail)
}

fn nothing_of(selector: &Selector) -> String {
    match selector {
        Selector::ResourceGroup(group) => format!("the resource group {group} has no node"),
        Selector::Tags(_) => "no node has the tags".to_owned(),
        Selector::AllManaged => "Systems Manager manages no node".to_owned(),
        Selector::NodeIds(_) => "none of the node ids is managed there".to_owned(),
    }
}

fn locations(n: usize) -> String {
    match n {
        1 => "1 location".to_owned(),
        n => format!("{n} locations"),
    }
}

fn some_nodes(n: u32) -> String {
    match n {
        1 => "1 node".to_owned(),
        n => format!("{n} nodes"),
    }
}

fn warnings_on_nodes(locations: &[PlannedLocation]) -> Vec<String> {
    let of = |which: fn(NodeCounts) -> u32| {
        locations
            .iter()
            .filter_map(|location| location.nodes)
            .fold(0, |sum: u32, nodes| sum.saturating_add(which(nodes)))
    };
    let nodes = |n: u32| match n {
        1 => "1 node".to_owned(),
        n => format!("{n} nodes"),
    };
    let (offline, unmanaged) = (of(|nodes| nodes.offline), of(|nodes| nodes.unmanaged));
    let mut warnings = Vec::new();
    if offline > 0 {
        warnings.push(format!(
            "{} did not answer Systems Manager and may not be reached",
            nodes(offline)
        ));
    }
    if unmanaged > 0 {
        warnings.push(format!(
            "{} not listed by Systems Manager (stopped, terminated, or never registered) and cannot be patched",
            match unmanaged {
                1 => "1 node of the selection is".to_owned(),
                n => format!("{n} nodes of the selection are"),
            }
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
    let kept = locations.iter().filter(|location| location.kept.is_some());
    let kept: Vec<String> = kept.map(|location| location.location().to_string()).collect();
    if !kept.is_empty() {
        warnings.push(format!(
            "planned although no node was found there, as the policy says: {}",
            kept.join(", ")
        ));
    }
    warnings
}

/// One start to be.
struct Unit {
    rectangle: Rectangle,
    parameters: BTreeMap<String, Vec<String>>,
    /// For each of its locations, the nodes that Run Command will reach for, if known.
    commands: Vec<Option<u32>>,
}

impl Unit {
    fn start(self, request: &PatchRequest, total: u32) -> StartRequest {
        let rates = &request.budget.locations;
        let size = count(self.rectangle.len());
        StartRequest {
            document_name: request.automation.document.clone(),
            document_version: None,
            parameters: self.parameters,
            target_locations: [TargetLocation {
                accounts: self.rectangle.accounts,
                regions: self.rectangle.regions,
                target_location_max_concurrency: rates.max_concurrency.as_count(total).min(size).to_string(),
                target_location_max_errors: rates.max_errors.as_count(total).to_string(),
                execution_role_name: request.automation.execution_role.clone(),
            }],
            tags: Vec::new(),
        }
    }
}

/// Whether each unit names its nodes. So it does for all managed nodes as well: Automation and State
/// Manager take `InstanceIds` = `*`, and of Run Command nothing says that it does. A runbook of
/// one's own finds its nodes itself.
///
/// What an inventory of one's own selects is named as well, since AWS would find other nodes.
fn names_nodes(request: &PatchRequest, resolution: Resolution) -> bool {
    match request.targets.selector {
        _ if resolution == Resolution::ByIds => true,
        Selector::NodeIds(_) => true,
        Selector::AllManaged => runbook::is_own(&request.automation.document),
        Selector::ResourceGroup(_) | Selector::Tags(_) => false,
    }
}

fn units(
    request: &PatchRequest,
    central: &Caller,
    locations: &[PlannedLocation],
    census: &CensusTaken,
) -> Result<Vec<Unit>, TargetTooLong> {
    let mut units = Vec::new();
    if names_nodes(request, census.resolution) {
        for location in locations {
            let found = census.found.get(&location.location());
            for nodes in runbook::node_chunks(found.map(Vec::as_slice).unwrap_or_default()) {
                units.push(Unit {
                    rectangle: Rectangle {
                        accounts: vec![location.account.clone()],
                        regions: vec![location.region.clone()],
                    },
                    parameters: runbook::parameters(request, central, Some(nodes))?,
                    commands: vec![Some(count(nodes.len()))],
                });
            }
        }
        return Ok(units);
    }
    let managed: BTreeMap<Location, Option<u32>> = locations
        .iter()
        .map(|location| (location.location(), location.nodes.map(NodeCounts::managed)))
        .collect();
    let wanted: BTreeSet<Location> = managed.keys().cloned().collect();
    let parameters = runbook::parameters(request, central, None)?;
    for rectangle in pack(&wanted) {
        units.push(Unit {
            commands: rectangle
                .locations()
                .map(|location| managed.get(&location).copied().flatten())
                .collect(),
            rectangle,
            parameters: parameters.clone(),
        });
    }
    Ok(units)
}
