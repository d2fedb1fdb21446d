//! The start of a unit: what is sent, and what its answer means.

use super::state::{Intent, StartState, State};
use crate::fleet;
use crate::id::{ClientToken, DocumentName, ExecutionId, NodeId, UnitId, WriterId};
use crate::port::{Automation, PortError, PortErrorKind, PortResult, Sent, StartRequest, Tag};
use crate::runbook::{self, TIMEOUT_PARAMETER};
use jiff::Timestamp;

/// The exact request of a unit's start that is made now: the one that was intended, if one may have
/// taken effect or does not depend on the time.
pub(super) fn request(state: &State, unit: UnitId, attempt: u32, now: Timestamp) -> Option<StartRequest> {
    if let StartState::Intended(intent) = &state.units().get(&unit)?.start
        && (!intent.in_doubt.is_empty()
            || intent.sent_before
            || !(state.plan().depends_on_time() || state.room_at_aws(unit).is_some()))
    {
        return Some(intent.request.clone());
    }
    let mut request = state.plan().start_at(unit, now)?;
    shrink(state, unit, &mut request);
    make_room(state, unit, &mut request);
    Some(for_campaign(state, &request, unit, attempt))
}

/// The start of a unit with what the campaign adds to it.
fn for_campaign(state: &State, start: &StartRequest, unit: UnitId, attempt: u32) -> StartRequest {
    let (bound, campaign) = (state.plan().runbook.as_ref(), state.campaign());
    let mut start = runbook::for_campaign(start, bound, campaign, unit, attempt);
    let by_number = runbook::start_tag_key(campaign.client_token(unit, attempt));
    for tag in start.tags.iter_mut().filter(|tag| tag.key == by_number) {
        tag.key = runbook::start_tag_key(state.client_token(unit, attempt));
    }
    start
}

/// What the start of a unit gives its runbook for a parameter. Other than by [`request`], nothing of the start is
/// copied: it may name 2,500 locations, and each of them is asked about.
pub(super) fn given(state: &State, unit: UnitId, name: &str) -> Option<String> {
    let start = &state.plan().unit(unit)?.start;
    let bound = state.plan().runbook.as_ref();
    runbook::given(start, bound, state.campaign(), unit, name)
}

/// Whether this is the start of the unit as the plan has it, but for what depends on when it is sent and on what
/// became of other units: how long its commands live, the limits within its location, and nodes that are away.
pub(super) fn is_planned(state: &State, id: UnitId, attempt: u32, request: &StartRequest) -> bool {
    let (plan, target) = (state.plan(), request.target_location());
    let (Some(unit), Some(planned)) = (state.units().get(&id), plan.unit(id)) else {
        return false;
    };
    let mut start = planned.start.clone();
    if let Some(of) = unit.instead_of.and_then(|of| plan.unit(of)) {
        // Some of another unit's locations, and no more places than that has.
        let at_once = target.target_location_max_concurrency;
        start = of.start.clone();
        let [part] = &mut start.target_locations;
        part.accounts.clone_from(&target.accounts);
        part.regions.clone_from(&target.regions);
        part.target_location_max_concurrency = at_once.min(of.locations_at_once().max(1));
        if let Some(nodes) = &planned.nodes {
            // Either may have been divided since.
            let _ = runbook::name_nodes(&mut start, nodes.clone());
        }
    }
    let mut planned = for_campaign(state, &start, id, attempt);
    let mut said = request.clone();
    // Versions before this one did not give it.
    let of_campaign = runbook::campaign_tag_key(state.campaign());
    let is_of_campaign = |tag: &Tag| tag.key == of_campaign;
    if !said.tags.iter().any(is_of_campaign) {
        planned.tags.retain(|tag| !is_of_campaign(tag));
    }
    if state.is_paced_by_aws(id) {
        // Beside what runs on after its command has expired there may have been room for less.
        let [target] = &mut planned.target_locations;
        let locations = &mut target.target_location_max_concurrency;
        let said_locations = said.target_location().target_location_max_concurrency;
        *locations = (*locations).min(said_locations.max(1));
        if let (Some(at_once), Some(most)) = (runbook::at_once(&said), runbook::at_once(&planned)) {
            runbook::limit_at_once(&mut planned, at_once.min(most));
        }
    }
    let away = (!unit.away.is_empty()).then_some("Targets");
    if let (Some(planned), Some(said)) = (&mut planned.command, &mut said.command) {
        planned.timeout_seconds = said.timeout_seconds;
        planned.rates = said.rates;
        if !unit.away.is_empty() {
            let named = |node: &NodeId| planned.instance_ids.contains(node);
            if !said.instance_ids.iter().all(named) {
                return false;
            }
            said.instance_ids.clone_from(&planned.instance_ids);
        }
    }
    let limits = [runbook::MAX_CONCURRENCY, runbook::MAX_ERRORS]
        .into_iter()
        .filter(|_| !unit.named.is_empty());
    for name in limits.chain([TIMEOUT_PARAMETER]).chain(away) {
        planned.parameters.remove(name);
        said.parameters.remove(name);
    }
    said == planned
}

/// Leaves out the nodes that are away, and gives the command what is left of its location's budget.
/// Where one command takes all nodes of its location, the plan's own limits say the same.
fn shrink(state: &State, id: UnitId, request: &mut StartRequest) {
    let Some(unit) = state.units().get(&id) else {
        return;
    };
    let shared = unit
        .locations
        .keys()
        .find_map(|location| Some((location, state.shared(location)?)));
    let Some((location, shared)) = shared.filter(|(_, shared)| shared.units > 1 || !unit.away.is_empty())
    else {
        return;
    };
    let rates = state.node_rates_at(location);
    let left = state
        .errors_allowed(location, shared)
        .saturating_sub(shared.errors);
    let at_once = rates.max_concurrency.as_count(shared.nodes);
    runbook::limit(request, at_once, left);
    if !unit.away.is_empty() {
        let rest: Vec<NodeId> = unit.named.difference(&unit.away).cloned().collect();
        // Fewer than were planned, so they are not too many.
        let _ = runbook::name_nodes(request, rest);
    }
}

/// Gives a start no more of a bound that AWS keeps than those nodes leave that run on after their commands have expired.
fn make_room(state: &State, id: UnitId, request: &mut StartRequest) {
    let Some(narrowed) = state.room_at_aws(id).and_then(|room| room.narrowed()) else {
        return;
    };
    let before = runbook::at_once(request).unwrap_or(u32::MAX);
    runbook::limit_at_once(request, narrowed.nodes_at_once.min(before));
    let [target] = &mut request.target_locations;
    let locations = &mut target.target_location_max_concurrency;
    *locations = narrowed.locations_at_once.min(*locations);
}

/// Looks for the execution that a start with this client token began.
///
/// Every start has a tag key of its own, so there is at most one; if there are more all the same,
/// it is the first that AWS lists.
pub(super) async fn find(
    automation: &dyn Automation,
    document: &DocumentName,
    token: ClientToken,
) -> PortResult<Option<ExecutionId>> {
    let key = runbook::start_tag_key(token);
    let found = |page| automation.find(document, &key, page);
    fleet::first("the executions with a start's tag", found).await
}

/// What a failed start means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// It may have taken effect.
    InDoubt,
    /// The client token belongs to another request: something has it.
    Mismatch,
    /// It had no effect, and may be sent again.
    NotNow(PortErrorKind),
    /// It had no effect, and would have none.
    Refused(PortErrorKind),
}

impl Failure {
    pub(super) fn of(error: &PortError) -> Self {
        match (error.sent(), error.kind()) {
            (_, PortErrorKind::TokenMismatch) => Self::Mismatch,
            (Sent::Maybe, _) => Self::InDoubt,
            (Sent::No, kind) if kind.is_transient() => Self::NotNow(kind),
            // Says nothing about the start: whoever has new credentials may send it.
            (Sent::No, kind @ PortErrorKind::Credentials) => Self::NotNow(kind),
            (Sent::No, kind) => Self::Refused(kind),
        }
    }
}

/// Whether any send of this start, other than `writer`'s latest, is still unanswered.
pub(super) fn others_in_doubt(intent: &Intent, writer: WriterId) -> bool {
    let mine = intent.in_doubt.iter().any(|sending| sending.writer == writer);
    intent.in_doubt.len() > usize::from(mine)
}
