//! What became of a location: reading its results, and settling it.

use super::LocationOutcome;
use super::classify::{Evidence, classify};
use super::polls::Parent;
use super::state::{LocationState, StartState, State, UnitState, ended_well};
use crate::census::NodeCounts;
use crate::id::{CommandId, ExecutionId, Location, NodeId, UnitId};
use crate::port::{
    Automation, CommandCounts, CommandView, ExecutionStatus, Inventory, InvocationStatus, PortErrorKind,
    PortResult, Walk,
};
use crate::report::{NodeOutcome, NodeRow, Tally};
use crate::request::Patch;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

mod course;
mod nodes;

use course::{Course, failed_early, words};

/// How long a node's patch state, or its line in the command's results, may come after the end of
/// its run. Until then, a node that reports success and has no new state keeps its location open,
/// and so does a command that is through with more nodes than its results name. Run Command and patch states are
/// different parts of Systems Manager, and nothing is documented about how far apart they are.
pub const PATCH_STATE_LAG: SignedDuration = SignedDuration::from_mins(2);

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
    /// Run Command refused the command whole; these nodes are away.
    NotSent {
        away: Vec<NodeId>,
        detail: String,
    },
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
            Course::Ran => self.ran(at, at.child.clone()).await,
            Course::Unnamed(outcome, detail) => match self.unnamed_child(unit).await? {
                Some(child) => self.ran(at, Some(child)).await,
                None if outcome == LocationOutcome::ResultsUnreadable => {
                    Ok(Collected::Settled(self.unreadable(detail)))
                }
                None => self.never_ran(outcome, detail).await.map(Collected::Settled),
            },
        }
    }

    /// The execution in the location, by its parent. A parent starts one in each of its locations;
    /// if there are more all the same, it is the first that AWS lists.
    async fn unnamed_child(&self, unit: &UnitState) -> PortResult<Option<ExecutionId>> {
        let StartState::Started { execution, .. } = &unit.start else {
            return Ok(None);
        };
        let mut walk = Walk::new("the executions in a location");
        let mut found = None;
        while let Some(token) = walk.next() {
            let page = self.automation.children(self.location, execution, token).await?;
            found = found.or_else(|| page.items.into_iter().next());
            walk.advance(page.next)?;
        }
        Ok(found)
    }

    /// A location in which an execution was begun.
    async fn ran(&self, at: &LocationState, child: Option<ExecutionId>) -> PortResult<Collected> {
        let mut command = at.command.as_ref().map(|(id, _)| id.clone());
        let mut status = at.status.clone();
        let mut failure = at.failure.clone();
        if let Some(child) = &child
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
            if let Some(away) = self.refused_whole(&failure).await? {
                let detail = words(&status, &failure);
                return Ok(Collected::NotSent { away, detail });
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
            let page = self
                .automation
                .invocations(self.location, id, false, token)
                .await?;
            invocations.extend(page.items.into_iter().map(|view| (view.node, view.status)));
            walk.advance(page.next)?;
        }
        let reached: Vec<NodeId> = invocations.keys().cloned().collect();
        let (found, not_whole) = match self.found(reached.iter().cloned().collect()).await {
            Ok(found) => (found, None),
            Err(error) if error.kind().is_transient() || error.kind() == PortErrorKind::Credentials => {
                return Err(error);
            }
            // Whoever else is selected is not known; what became of those that the command was
            // sent to still is.
            Err(error) => (self.reached(&reached).await?, Some(error)),
        };
        let states = self.patch_states(&reached).await?;
        let patch = self.patch();
        let snapshot = self.state.campaign().snapshot_id().to_string();
        // A command may be over before its results are listed: what is not listed is not known.
        let completed = usize::try_from(view.counts.completed).unwrap_or(usize::MAX);
        // A new command is not listed by node at once (recorded: nothing after 0.07 s, all at 2.2 s), so
        // an empty list says nothing of a command that has targets.
        let all_listed =
            invocations.len() >= completed && (!invocations.is_empty() || view.counts.targets == 0);
        let mut lagging = !all_listed;
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
                snapshot: &snapshot,
                invocation: invocations.get(node),
                all_listed,
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
        if !all_listed && settlement.outcome != LocationOutcome::Cancelled {
            settlement.outcome = LocationOutcome::ResultsUnreadable;
            settlement.detail = format!(
                "the command is through with {completed} nodes, and only {} are named in its results",
                invocations.len()
            );
        }
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
            Err(error) if error.kind().is_transient() || error.kind() == PortErrorKind::Credentials => {
                return Err(error);
            }
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
            Err(error)
                if error.kind().is_transient()
                    || error.kind() == PortErrorKind::Credentials
                    || outcome == LocationOutcome::Emptied =>
            {
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
            Some(Course::Ran | Course::Unnamed(..)) | None => self.unreadable(why),
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
