//! What became of a location: reading its results, and settling it.

use super::LocationOutcome;
use super::READS_AT_ONCE;
use super::classify::{Evidence, classify};
use super::polls::Parent;
use super::start;
use super::state::{LocationState, StartState, State, ended_well};
use crate::census::NodeCounts;
use crate::id::{CommandId, Location, NodeId, UnitId};
use crate::port::{
    Automation, CommandCounts, CommandView, ExecutionStatus, Inventory, InvocationStatus, PatchStateView,
    PingStatus, PortError, PortErrorKind, PortResult, Selection, Walk,
};
use crate::report::{NodeOutcome, NodeRow, Tally};
use crate::request::{Patch, Selector};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// How long a node's patch state may come after the end of its run. Until then, a node that
/// reports success and has no new state keeps its location open. Run Command and patch states are
/// different parts of Systems Manager, and nothing is documented about how far apart they are.
pub const PATCH_STATE_LAG: SignedDuration = SignedDuration::from_mins(2);

/// How many nodes one call may name (AWS's limit for DescribeInstancePatchStates).
const NODES_A_CALL: usize = 50;

/// What a location came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settlement {
    pub(super) outcome: LocationOutcome,
    pub(super) nodes: Tally,
    pub(super) detail: String,
    pub(super) rows: Vec<NodeRow>,
    pub(super) command: Option<(CommandId, CommandCounts)>,
}

/// What an attempt to settle a location gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Collected {
    Settled(Settlement),
    /// Something still runs there. Look again.
    Running,
    /// Some patch state may only be late: this, unless another look says otherwise.
    Lagging(Settlement),
}

/// A location to settle, and all that is known of it.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) automation: &'a dyn Automation,
    pub(super) inventory: &'a dyn Inventory,
    pub(super) state: &'a State,
    pub(super) unit: UnitId,
    pub(super) location: &'a Location,
    pub(super) parent: Option<&'a Parent>,
    pub(super) matched_nothing: bool,
}

/// Why a location never ran, or that it did.
enum Course {
    Ran,
    Never(LocationOutcome, String),
}

impl Job<'_> {
    /// Reads what became of the location.
    ///
    /// # Errors
    ///
    /// Whatever keeps the results from being read. A transient error may be tried again; any other
    /// ends as [`unreadable`](Self::unreadable).
    pub(super) async fn collect(&self) -> PortResult<Collected> {
        let Some(unit) = self.state.units().get(&self.unit) else {
            return Ok(Collected::Running);
        };
        let none = LocationState::default();
        let at = unit.locations.get(self.location).unwrap_or(&none);
        match self.course(&unit.start, at) {
            Course::Never(outcome, detail) => self.never_ran(outcome, detail).await.map(Collected::Settled),
            Course::Ran => self.ran(at).await,
        }
    }

    /// Whether anything was begun in the location, as far as the log and the execution tell.
    fn course(&self, start: &StartState, at: &LocationState) -> Course {
        use LocationOutcome as O;
        match start {
            StartState::NotStarted | StartState::Intended(_) => {
                return Course::Never(O::NotStarted, stop_in_words(self.state));
            }
            StartState::Refused { detail, .. } => return Course::Never(O::StartRefused, detail.clone()),
            StartState::Unresolved { detail } => return Course::Never(O::Unresolved, detail.clone()),
            StartState::Started { .. } => {}
        }
        if at.child.is_some() || at.command.is_some() {
            return Course::Ran;
        }
        match at.status.as_ref().filter(|status| status.is_terminal()) {
            Some(status) if ended_well(status) => Course::Never(
                O::ResultsUnreadable,
                "the step succeeded, and names no execution in the location".to_owned(),
            ),
            Some(status) => Course::Never(failed_early(status, &at.failure), words(status, &at.failure)),
            None => {
                let status = self.parent.map(|parent| &parent.status);
                let failure = self.parent.map_or("", |parent| &parent.failure);
                match status {
                    Some(ExecutionStatus::Cancelled) => Course::Never(
                        O::Cancelled,
                        "the execution was cancelled before it reached the location".to_owned(),
                    ),
                    Some(status) => Course::Never(
                        O::NotStarted,
                        format!(
                            "the execution ended before it reached the location: {}",
                            words(status, failure)
                        ),
                    ),
                    None => Course::Never(O::NotStarted, String::new()),
                }
            }
        }
    }

    /// A location in which an execution was begun.
    async fn ran(&self, at: &LocationState) -> PortResult<Collected> {
        let mut command = at.command.as_ref().map(|(id, _)| id.clone());
        let mut status = at.status.clone();
        let mut failure = at.failure.clone();
        if let Some(child) = &at.child
            && !(self.matched_nothing && command.is_some())
        {
            let view = self.automation.child(self.location, child).await?;
            if !view.status.is_terminal() {
                return Ok(Collected::Running);
            }
            command = view.command.or(command);
            status = Some(view.status);
            if !view.failure.is_empty() {
                failure = view.failure;
            }
        }
        let status = status.unwrap_or(ExecutionStatus::Failed);
        let Some(id) = command else {
            if ended_well(&status) {
                let detail = "the runbook ran, and no command is found in it".to_owned();
                return Ok(Collected::Settled(self.unreadable(detail)));
            }
            let outcome = failed_early(&status, &failure);
            return self
                .never_ran(outcome, words(&status, &failure))
                .await
                .map(Collected::Settled);
        };
        let view = self.automation.command(self.location, &id).await?;
        let counts = Some((id.clone(), view.counts));
        if view.matched_nothing() {
            let mut settlement = self.emptied().await?;
            settlement.command = counts;
            return Ok(Collected::Settled(settlement));
        }
        if !view.is_terminal() {
            return Ok(Collected::Running);
        }
        let (mut settlement, lagging) = self.results(&id, &view, &status).await?;
        settlement.command = counts;
        Ok(if lagging {
            Collected::Lagging(settlement)
        } else {
            Collected::Settled(settlement)
        })
    }

    /// The results of a command that is over, and whether some may only be late.
    async fn results(
        &self,
        id: &CommandId,
        view: &CommandView,
        status: &ExecutionStatus,
    ) -> PortResult<(Settlement, bool)> {
        let mut invocations: BTreeMap<NodeId, InvocationStatus> = BTreeMap::new();
        let mut walk = Walk::new("the command's invocations");
        while let Some(token) = walk.next() {
            let page = self.automation.invocations(self.location, id, token).await?;
            invocations.extend(page.items.into_iter().map(|view| (view.node, view.status)));
            walk.advance(page.next)?;
        }
        let reached: Vec<NodeId> = invocations.keys().cloned().collect();
        let (found, not_whole) = match self.found(reached.iter().cloned().collect()).await {
            Ok(found) => (found, None),
            Err(error) if error.kind().is_transient() => return Err(error),
            // Whoever else is selected is not known; what became of those that the command was
            // sent to still is.
            Err(error) => (self.reached(&reached).await?, Some(error)),
        };
        let states = self.patch_states(&reached).await?;
        let patch = self.patch();
        let mut lagging = false;
        let mut rows = vec![];
        for node in found
            .selected
            .iter()
            .chain(invocations.keys())
            .collect::<BTreeSet<_>>()
        {
            let evidence = Evidence {
                operation: patch.operation,
                requested_at: view.requested_at,
                invocation: invocations.get(node).copied(),
                selected: found.selected.contains(node),
                ping: found.managed.get(node).copied(),
                state: states.get(node),
            };
            let verdict = classify(&evidence);
            lagging |= verdict.may_change;
            let fresh = evidence.fresh();
            rows.push(NodeRow {
                node: node.clone(),
                outcome: verdict.outcome,
                detail: verdict.detail,
                installed: fresh.map(|state| state.installed),
                missing: fresh.map(|state| state.missing),
                failed: fresh.map(|state| state.failed),
            });
        }
        let mut settlement = self.by_nodes(rows, status);
        if let Some(error) = not_whole {
            let census = self.census().unwrap_or_default();
            let rest = census.total().saturating_sub(settlement.nodes.total());
            let unmanaged = rest.min(census.unmanaged);
            settlement.nodes.add(NodeOutcome::Unmanaged, unmanaged);
            settlement.nodes.add(NodeOutcome::Unknown, rest - unmanaged);
            settlement.outcome = LocationOutcome::ResultsUnreadable;
            settlement.detail = format!(
                "only the nodes that the command was sent to are known: {}",
                error.reason()
            );
        }
        Ok((settlement, lagging))
    }

    /// Settles a location whose nodes are known.
    fn by_nodes(&self, rows: Vec<NodeRow>, status: &ExecutionStatus) -> Settlement {
        let nodes: Tally = rows.iter().map(|row| row.outcome).collect();
        let reboot = self.patch().reboot_option;
        let short: u32 = nodes
            .iter()
            .filter(|(outcome, _)| !outcome.reaches_goal(reboot))
            .map(|(_, n)| n)
            .sum();
        let (outcome, detail) = if short > 0 {
            let outcome = if *status == ExecutionStatus::Cancelled {
                LocationOutcome::Cancelled
            } else {
                LocationOutcome::NodesFailed
            };
            let total = nodes.total();
            (
                outcome,
                format!("{short} of {total} nodes did not reach their goal"),
            )
        } else if nodes.total() == 0 {
            (LocationOutcome::Emptied, String::new())
        } else {
            (LocationOutcome::Succeeded, String::new())
        };
        Settlement {
            outcome,
            nodes,
            detail,
            rows,
            command: None,
        }
    }

    /// A location whose command matched no node. Whoever is in the selection all the same was not
    /// patched; if that cannot be found out, the location is not known to be empty.
    async fn emptied(&self) -> PortResult<Settlement> {
        let mut settlement = match self.never_ran(LocationOutcome::Emptied, String::new()).await {
            Ok(settlement) => settlement,
            Err(error) if error.kind().is_transient() => return Err(error),
            Err(error) => {
                return Ok(self.unreadable(format!(
                    "the command matched no node, and whether any is left is not known: {}",
                    error.reason()
                )));
            }
        };
        if settlement.nodes.total() > 0 {
            settlement.outcome = LocationOutcome::NodesFailed;
            settlement.detail = "the command matched no node".to_owned();
        }
        Ok(settlement)
    }

    /// A location in which no command was sent: its nodes, if they can be listed.
    async fn never_ran(&self, outcome: LocationOutcome, detail: String) -> PortResult<Settlement> {
        let found = match self.found(BTreeSet::new()).await {
            Ok(found) => found,
            Err(error) if error.kind().is_transient() || outcome == LocationOutcome::Emptied => {
                return Err(error);
            }
            Err(_) => return Ok(self.counted(outcome, detail)),
        };
        let managed = managed_outcome(outcome);
        let row = |node: &NodeId| {
            if found.managed.contains_key(node) {
                row_without_result(node, managed)
            } else {
                row_without_result(node, NodeOutcome::Unmanaged)
            }
        };
        let rows: Vec<NodeRow> = found.selected.iter().map(row).collect();
        let nodes: Tally = rows.iter().map(|row| row.outcome).collect();
        Ok(Settlement {
            nodes,
            detail,
            rows,
            ..self.without_nodes(outcome)
        })
    }

    /// A location whose results cannot be read: its nodes are those that the census counted.
    pub(super) fn unreadable(&self, detail: String) -> Settlement {
        self.counted(LocationOutcome::ResultsUnreadable, detail)
    }

    /// What is left to say once reading was given up.
    pub(super) fn given_up(&self, why: String) -> Settlement {
        let unit = self.state.units().get(&self.unit);
        let at = unit.and_then(|unit| unit.locations.get(self.location));
        match unit.zip(at).map(|(unit, at)| self.course(&unit.start, at)) {
            Some(Course::Never(outcome, detail)) => self.counted(outcome, detail),
            Some(Course::Ran) | None => self.unreadable(why),
        }
    }

    /// A location whose nodes cannot be listed: those that the unit names, or as many as the
    /// census counted.
    fn counted(&self, outcome: LocationOutcome, detail: String) -> Settlement {
        let managed = managed_outcome(outcome);
        let ids = self.node_ids().unwrap_or_default();
        let rows: Vec<NodeRow> = ids.iter().map(|node| row_without_result(node, managed)).collect();
        let mut nodes: Tally = rows.iter().map(|row| row.outcome).collect();
        if rows.is_empty() {
            let counts = self.census().unwrap_or_default();
            nodes.add(managed, counts.managed());
            nodes.add(NodeOutcome::Unmanaged, counts.unmanaged);
        }
        Settlement {
            nodes,
            detail,
            rows,
            ..self.without_nodes(outcome)
        }
    }

    fn without_nodes(&self, outcome: LocationOutcome) -> Settlement {
        Settlement {
            outcome,
            nodes: Tally::default(),
            detail: String::new(),
            rows: vec![],
            command: None,
        }
    }

    fn patch(&self) -> &Patch {
        &self.state.plan().request.patch
    }

    fn census(&self) -> Option<NodeCounts> {
        self.state.planned(self.location)?.nodes
    }

    /// Who is in the selection now, and who of them and of `also` Systems Manager manages.
    async fn found(&self, also: BTreeSet<NodeId>) -> PortResult<Found> {
        let selection = match &self.state.plan().request.targets.selector {
            Selector::ResourceGroup(name) => Selection::Group(name.clone()),
            Selector::Tags(tags) => Selection::Tags(tags.clone()),
            Selector::AllManaged => return self.all_managed().await,
            Selector::NodeIds(ids) => return self.by_ids(ids, also).await,
        };
        let selected = self.members(&selection).await?;
        let asked: Vec<NodeId> = selected.union(&also).cloned().collect();
        let managed = self.managed(&asked).await?;
        Ok(Found { selected, managed })
    }

    /// The nodes that the command was sent to, when nobody can say who is in the selection.
    async fn reached(&self, nodes: &[NodeId]) -> PortResult<Found> {
        Ok(Found {
            selected: nodes.iter().cloned().collect(),
            managed: self.managed(nodes).await?,
        })
    }

    async fn all_managed(&self) -> PortResult<Found> {
        let managed = managed_pages(self.inventory, self.location, None).await?;
        Ok(Found {
            selected: managed.keys().cloned().collect(),
            managed,
        })
    }

    /// The unit's ids are all of this location, unless its runbook was not told them: then they
    /// are those of the request that are managed here, or that the command was sent to.
    async fn by_ids(&self, ids: &[NodeId], also: BTreeSet<NodeId>) -> PortResult<Found> {
        let own = self.node_ids();
        let ids = own.as_deref().unwrap_or(ids);
        let asked: BTreeSet<NodeId> = also.iter().chain(ids).cloned().collect();
        let managed = self.managed(&Vec::from_iter(asked)).await?;
        let here = |id: &NodeId| own.is_some() || managed.contains_key(id) || also.contains(id);
        Ok(Found {
            selected: ids.iter().filter(|id| here(id)).cloned().collect(),
            managed,
        })
    }

    /// The node ids that the unit was planned with, if it was.
    fn node_ids(&self) -> Option<Vec<NodeId>> {
        let plan = self.state.plan();
        let Selector::NodeIds(_) = plan.request.targets.selector else {
            return None;
        };
        let (_, request) = plan.units().find(|(unit, _)| *unit == self.unit)?;
        start::node_ids(request)
    }

    async fn members(&self, selection: &Selection) -> PortResult<BTreeSet<NodeId>> {
        let mut members = BTreeSet::new();
        let mut walk = Walk::new("the selection's members");
        while let Some(token) = walk.next() {
            let answer = match self.inventory.members(self.location, selection, token).await {
                // A group that is gone has no member: that is a whole answer.
                Err(error) if error.kind() == PortErrorKind::NotFound => return Ok(BTreeSet::new()),
                answer => answer?,
            };
            if let Some(partial) = answer.query_errors.first() {
                return Err(PortError::new(
                    PortErrorKind::Other,
                    format!(
                        "the list of members in {} is not whole: {} {}",
                        self.location, partial.code, partial.message
                    ),
                ));
            }
            members.extend(answer.page.items);
            walk.advance(answer.page.next)?;
        }
        Ok(members)
    }

    async fn managed(&self, nodes: &[NodeId]) -> PortResult<BTreeMap<NodeId, PingStatus>> {
        let calls: Vec<_> = nodes
            .chunks(NODES_A_CALL)
            .map(|nodes| managed_pages(self.inventory, self.location, Some(nodes)))
            .collect();
        let mut found = stream::iter(calls).buffer_unordered(READS_AT_ONCE);
        let mut managed = BTreeMap::new();
        while let Some(nodes) = found.try_next().await? {
            managed.extend(nodes);
        }
        Ok(managed)
    }

    async fn patch_states(&self, nodes: &[NodeId]) -> PortResult<BTreeMap<NodeId, PatchStateView>> {
        let calls: Vec<_> = nodes
            .chunks(NODES_A_CALL)
            .map(|nodes| self.automation.patch_states(self.location, nodes))
            .collect();
        let mut found = stream::iter(calls).buffer_unordered(READS_AT_ONCE);
        let mut states = BTreeMap::new();
        while let Some(views) = found.try_next().await? {
            states.extend(views.into_iter().map(|view| (view.node.clone(), view)));
        }
        Ok(states)
    }
}

/// Who is in the selection of a location now, and who is managed.
struct Found {
    selected: BTreeSet<NodeId>,
    managed: BTreeMap<NodeId, PingStatus>,
}

async fn managed_pages(
    inventory: &dyn Inventory,
    location: &Location,
    only: Option<&[NodeId]>,
) -> PortResult<BTreeMap<NodeId, PingStatus>> {
    let mut managed = BTreeMap::new();
    let mut walk = Walk::new("the managed nodes");
    while let Some(token) = walk.next() {
        let page = inventory.managed(location, only, token).await?;
        managed.extend(page.items.into_iter().map(|node| (node.id, node.ping)));
        walk.advance(page.next)?;
    }
    Ok(managed)
}

/// A node of a location that has no result.
fn row_without_result(node: &NodeId, outcome: NodeOutcome) -> NodeRow {
    let detail = match outcome {
        NodeOutcome::Unmanaged => "in the selection, and Systems Manager does not manage it",
        NodeOutcome::Unknown => "what became of it is not known",
        _ => "no command was sent in its location",
    };
    NodeRow {
        node: node.clone(),
        outcome,
        detail: detail.to_owned(),
        installed: None,
        missing: None,
        failed: None,
    }
}

/// What a managed node came to in a location with this outcome and no result.
fn managed_outcome(outcome: LocationOutcome) -> NodeOutcome {
    match outcome {
        LocationOutcome::ResultsUnreadable | LocationOutcome::Unresolved => NodeOutcome::Unknown,
        _ => NodeOutcome::NotRun,
    }
}

/// What a location came to whose execution ended before it sent a command. The words are those of
/// AWS's own samples; their case and what stands around them are not relied on.
fn failed_early(status: &ExecutionStatus, failure: &str) -> LocationOutcome {
    if failure.to_ascii_lowercase().contains("unable to be assumed") {
        return LocationOutcome::RoleNotAssumable;
    }
    match status {
        ExecutionStatus::Cancelled => LocationOutcome::Cancelled,
        ExecutionStatus::TimedOut => LocationOutcome::TimedOut,
        _ => LocationOutcome::FailedBeforeCommand,
    }
}

fn words(status: &ExecutionStatus, failure: &str) -> String {
    if failure.is_empty() {
        format!("ended as {}", status.as_str())
    } else {
        failure.to_owned()
    }
}

fn stop_in_words(state: &State) -> String {
    use super::state::StopReason;
    match state.stop_reason() {
        Some(StopReason::Budget { failed, allowed }) => {
            format!("not begun: {failed} locations failed, and the budget allows {allowed}")
        }
        Some(StopReason::Refused(unit)) => format!("not begun: AWS refused the start of unit {unit}"),
        Some(StopReason::Unresolved(unit)) => {
            format!("not begun: it is not known whether unit {unit} runs")
        }
        Some(StopReason::BrokenOff(unit)) => {
            format!("not begun: the execution of unit {unit} ended before it reached all its locations")
        }
        None => String::new(),
    }
}
