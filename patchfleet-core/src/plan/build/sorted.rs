//! Where each wanted location goes: it is planned, skipped, or a reason against the plan.

use crate::census::{CensusAnswer, CensusTaken, NodeCounts, UnknownCause};
use crate::id::{Location, NodeId};
use crate::plan::lifetime::{self, Lifetime};
use crate::plan::units::names_nodes;
use crate::plan::{Followed, Options, PlannedLocation, freezes, nowhere};
use crate::port::Resolution;
use crate::refusal::{RefusalCode, RefusalReason, Skip, SkipReason};
use crate::request::{DeniedAction, PatchRequest, Policy, PolicyAction, Selector};
use crate::runbook::{self, CommandSteps};
use crate::text::{counted, names};
use std::collections::{BTreeMap, BTreeSet};

/// The reason against a plan under which the freezes let nothing begin.
fn frozen(request: &PatchRequest, lifetime: Option<&Lifetime>, options: &Options) -> Option<RefusalReason> {
    freezes::reason(
        request,
        lifetime,
        options.now?,
        options.followed == Followed::ByDriver,
    )
}

/// Where each wanted location went.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) resolution: Resolution,
    pub(super) locations: Vec<PlannedLocation>,
    pub(super) skipped: Vec<Skip>,
    pub(super) warnings: Vec<String>,
    pub(super) reasons: Vec<RefusalReason>,
    /// Whether the plan tries the nodes again that another campaign has left.
    pub(super) is_retry: bool,
}

impl Sorted {
    /// Adds a reason against the plan.
    pub(super) fn refuse(&mut self, code: RefusalCode, subject: impl ToString, detail: impl Into<String>) {
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
            offline: Vec::new(),
        });
    }

    /// Leaves out the nodes that do not answer, and the locations that have no others. If no location is left, the plan
    /// is refused, because nodes are selected and a run would patch none of them.
    pub(super) fn leave_out_offline(&mut self, request: &PatchRequest, census: &CensusTaken) {
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

    /// Notes which nodes do not answer, where the request bounds how many nodes may not be reached.
    pub(super) fn note_offline(&mut self, request: &PatchRequest, census: &CensusTaken) {
        let fleet = request.budget.fleet.as_ref();
        if fleet.is_none_or(|fleet| fleet.max_unreached.is_none()) {
            return;
        }
        for at in self.locations.iter_mut().filter(|at| at.left_out.is_empty()) {
            if let Some(managed) = census.managed.get(&at.location()) {
                at.offline.clone_from(&managed.offline);
            }
        }
    }

    /// Refuses an inventory that finds other nodes than AWS may, with a runbook that cannot be told of them.
    pub(super) fn refuse_other_nodes(&mut self, request: &PatchRequest) {
        if self.resolution == Resolution::ByIds && !runbook::is_own(&request.automation.document) {
            self.refuse(
                RefusalCode::Unsupported,
                "the inventory",
                "it finds other nodes than AWS may, and only patchfleet's own runbook can be told which nodes to patch",
            );
        }
    }

    /// How long commands live, if patchfleet decides that.
    pub(super) fn lifetime(
        &mut self,
        request: &PatchRequest,
        steps: CommandSteps,
        options: &Options,
    ) -> Option<Lifetime> {
        if !runbook::is_own(&request.automation.document) {
            let only_own = "only patchfleet's own runbook takes the time for which its commands live: \
                            leave it out, or take that runbook";
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
            self.reasons.extend(frozen(request, None, options));
            return None;
        }
        let lifetime = Lifetime::between_freezes(steps, options.cutoff, request, options.now);
        let too_near = options
            .cutoff
            .and_then(|cutoff| lifetime::too_near(&lifetime, cutoff));
        if too_near.is_none() {
            self.reasons.extend(frozen(request, Some(&lifetime), options));
        }
        self.reasons.extend(too_near);
        Some(lifetime)
    }

    /// Sorts a location in which nobody asked, so no denial of its own is known.
    pub(super) fn sort_unasked(
        &mut self,
        request: &PatchRequest,
        location: &Location,
        answer: Option<&CensusAnswer>,
    ) {
        let policy = Policy {
            denied: request.policy.unknown.into(),
            ..request.policy
        };
        self.sort_by(&policy, request, location, answer);
    }

    /// Sorts a location that was asked.
    pub(super) fn sort(
        &mut self,
        request: &PatchRequest,
        location: &Location,
        answer: Option<&CensusAnswer>,
    ) {
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
                match self.is_retry {
                    true => "nothing is left there to try again".to_owned(),
                    false => nothing_of(&request.targets.selector),
                },
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

    /// Refuses node ids that no location has, or that two have.
    pub(super) fn refuse_lost_nodes(
        &mut self,
        request: &PatchRequest,
        nodes: &[NodeId],
        census: &CensusTaken,
    ) {
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
                [] => self.refuse(RefusalCode::NodeNotFound, node, not_found(census)),
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

/// Why a node id has no location. It may be in one that gave no complete answer.
fn not_found(census: &CensusTaken) -> String {
    let unknown: Vec<&Location> = census
        .answers
        .iter()
        .filter(|(_, answer)| matches!(answer, CensusAnswer::Unknown { .. }))
        .map(|(location, _)| location)
        .collect();
    match unknown.len() {
        0 => "no location has it as a managed node: is it registered, in one of the accounts and Regions, and not in an \
              excluded one?"
            .to_owned(),
        n => format!(
            "no location that gave a complete answer has it as a managed node. {} gave none, and it may be there: {}",
            counted(n, "location"),
            names(unknown)
        ),
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
