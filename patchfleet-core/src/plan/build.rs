//! Makes the plan, or finds every reason against it, from the request, the candidates and the census.

use super::lifetime::{self, Lifetime};
use super::units::{Draft, names_nodes, paced, units};
use super::{FORMAT, Gaps, Options, Plan, PlannedLocation, gaps, nowhere, offline, small};
use crate::budget::{Paced, PacedCommand, PacedNodes, PacedUnit, Seconds, WorstCase};
use crate::census::{Census, CensusAnswer, CensusTaken, NodeCounts, UnknownCause};
use crate::expand::Candidates;
use crate::id::{Location, NodeId, UnitId};
use crate::port::{Caller, Resolution};
use crate::refusal::{Refusal, RefusalCode, RefusalReason, Skip, SkipReason};
use crate::request::{
    DeniedAction, NothingSelected, OfflineAction, PatchRequest, Policy, PolicyAction, Selector,
};
use crate::runbook::{self, CommandSteps};
use crate::text::{counted, names};
use std::collections::{BTreeMap, BTreeSet};

mod warnings;

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
/// * Nodes that are offline, by the policy or because no others are left.
/// * A cutoff that is too near.
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
    let mut sorted = Sorted {
        skipped: candidates.skipped.clone(),
        warnings: candidates.warnings.clone(),
        resolution: census.resolution,
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
        let reason = gaps::no_role(request, census, &sorted.locations);
        sorted.reasons.extend(reason);
    }
    if request.policy.offline == OfflineAction::Skip && runbook::is_own(&request.automation.document) {
        sorted.leave_out_offline(request, census);
    }
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
    let attendance = options.attendance;
    let reasons = offline::reasons(request, &sorted.locations, census, attendance);
    sorted.reasons.extend(reasons);
    let lifetime = sorted.lifetime(request, steps, options);
    let with_cutoff = options.cutoff.is_some();
    let units = match units(request, central, &sorted.locations, census, with_cutoff) {
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
        let location = planned.location();
        planned.nodes_digest = census.digests.get(&location).cloned();
        planned.node_ids = census.members.get(&location).cloned();
    }
    skipped.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
    let total = count(locations.len());
    let now = options.cutoff.map(|cutoff| cutoff.now);
    let units: Vec<(Draft, Seconds)> = units
        .into_iter()
        .map(|unit| {
            let timeout = lifetime.map(|lifetime| lifetime.timeout(request, &unit, now));
            (unit, timeout.unwrap_or_default())
        })
        .collect();
    let followed = options.followed;
    let paced = paced(units.iter().map(|(draft, _)| draft), request, total, followed);
    let errors = request.budget.locations.max_errors.as_count(total);
    warnings.extend(warnings::on_shares(&paced, followed, errors));
    let worst_case = worst_case(request, total, &units, &paced, lifetime.as_ref());
    let longest = units
        .iter()
        .map(|(_, timeout)| *timeout)
        .max()
        .unwrap_or_default();
    let expiry = lifetime.map(|lifetime| lifetime.expiry(longest));
    warnings.extend(offline::warnings(request, &locations, census, expiry));
    warnings.extend(warnings::on_nodes(&locations, &filled));
    warnings.extend(small::warnings(request, &locations));
    if let (Some(lifetime), false) = (&lifetime, units.is_empty()) {
        warnings.extend(lifetime::warnings(request, lifetime, &units));
        warnings.extend(lifetime::on_the_documents(
            steps,
            lifetime.expiry(longest),
            options.step_timeout,
        ));
    }
    Ok(Plan {
        format: FORMAT,
        request: request.clone(),
        central: central.clone(),
        followed,
        candidates: count(locations.len() + skipped.len()),
        locations,
        skipped,
        warnings,
        units: (0..)
            .map(UnitId::from_index)
            .zip(units.into_iter().zip(paced))
            .map(|(id, ((draft, timeout), paced))| draft.unit(id, request, paced, lifetime.as_ref(), timeout))
            .collect(),
        runbook: None,
        worst_case,
        lifetime,
    })
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
    let offline = offline::reasons(request, &sorted.locations, &census, options.attendance);
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
    request: &PatchRequest,
    total: u32,
    units: &[(Draft, Seconds)],
    paced: &[PacedUnit],
    lifetime: Option<&Lifetime>,
) -> WorstCase {
    let rates = &request.budget.locations;
    let commands: Vec<PacedCommand<'_>> = units
        .iter()
        .flat_map(|(unit, timeout)| {
            unit.commands.iter().map(|command| PacedCommand {
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
        nodes: request.budget.nodes,
        location_budget: rates.max_concurrency.as_count(total),
        location_errors: rates.max_errors.as_count(total),
    }
    .worst_case()
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
            node_ids: None,
            kept,
            left_out: Vec::new(),
        });
    }

    /// Leaves out the nodes that do not answer, and the locations that have no others. If no location is left, the plan
    /// is refused, because nodes are selected and a run would patch none of them.
    fn leave_out_offline(&mut self, request: &PatchRequest, census: &CensusTaken) {
        let planned = std::mem::take(&mut self.locations);
        let (wanted, skipped) = (planned.len(), self.skipped.len());
        for mut at in planned {
            let location = at.location();
            if let Some(managed) = census.managed.get(&location) {
                if managed.online.is_empty() && !managed.offline.is_empty() {
                    self.skipped.push(Skip {
                        account: location.account,
                        region: location.region,
                        reason: SkipReason::Offline,
                        cause: None,
                        detail: format!("no node answers Systems Manager: {}", names(&managed.offline)),
                    });
                    continue;
                }
                at.left_out.clone_from(&managed.offline);
            }
            self.locations.push(at);
        }
        if self.reasons.is_empty() && wanted > 0 && self.locations.is_empty() {
            let left_out = self.skipped.get(skipped..).unwrap_or_default();
            let places = names(left_out.iter().map(Skip::location));
            self.refuse(
                RefusalCode::NodesOffline,
                nowhere::in_words(&request.targets.selector),
                format!(
                    "nothing would be done: no selected node answers Systems Manager, and policy.offline = \"skip\" \
                     leaves out those that do not ({places}). Run it once they answer, or set policy.offline to \
                     \"target\" to have commands wait for them"
                ),
            );
        }
    }

    fn refuse_other_nodes(&mut self, request: &PatchRequest) {
        if self.resolution == Resolution::ByIds && !runbook::is_own(&request.automation.document) {
            self.refuse(
                RefusalCode::Unsupported,
                "the inventory",
                "it finds other nodes than AWS may, and only patchfleet's own runbook can be told which nodes to patch",
            );
        }
    }

    /// How long commands live, if patchfleet decides that.
    fn lifetime(
        &mut self,
        request: &PatchRequest,
        steps: CommandSteps,
        options: &Options,
    ) -> Option<Lifetime> {
        if !runbook::is_own(&request.automation.document) {
            let only_own = "only patchfleet's own runbook takes the time for which its commands live";
            if request.patch.delivery_timeout.is_some() {
                self.refuse(RefusalCode::Unsupported, "patch.delivery_timeout", only_own);
            }
            if let Some(cutoff) = options.cutoff {
                self.refuse(
                    RefusalCode::Unsupported,
                    format!("the cutoff {:.0}", cutoff.at),
                    only_own,
                );
            }
            return None;
        }
        let lifetime = Lifetime::new(steps, options.cutoff);
        let too_near = options
            .cutoff
            .and_then(|cutoff| lifetime::too_near(&lifetime, cutoff));
        self.reasons.extend(too_near);
        Some(lifetime)
    }

    /// Sorts a location in which nobody asked, so no denial of its own is known.
    fn sort_unasked(&mut self, request: &PatchRequest, location: &Location, answer: Option<&CensusAnswer>) {
        let policy = Policy {
            denied: request.policy.unknown.into(),
            ..request.policy
        };
        self.sort_by(&policy, request, location, answer);
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
                        counted(nodes.total(), "node")
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

/// What a person can do about a location in which the census is denied.
const DENIED_REMEDY: &str = "; if it is closed for good, as by a service control policy, policy.denied = \"exclude\" \
                             takes it out of scope, and targets.exclude_regions its whole Region";

/// What a person can do about an account whose role cannot be assumed.
const ROLE_REMEDY: &str = "; the account needs a role of that name (access.discovery_role) that trusts the caller and \
                           may read there, as docs/permissions.md says, and the caller has to be allowed \
                           sts:AssumeRole on it; policy.unknown = \"skip\" goes on without the account";

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
    let remedy = match (cause, action) {
        (UnknownCause::Denied, PolicyAction::Refuse) => DENIED_REMEDY,
        (UnknownCause::RoleNotAssumable, PolicyAction::Refuse) => ROLE_REMEDY,
        _ => "",
    };
    let detail = format!("{}: {detail}{remedy}", cause.as_str());
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
