//! What became of a location: reading its results, and settling it.

use super::classify::{Evidence, NOT_ALL_LISTED, NOT_LISTED, PATCH_STATE_LAG, classify};
use super::polls::Parent;
use super::state::{LocationState, StartState, State, UnitState, ended_well};
use super::{LocationOutcome, start};
use crate::census::NodeCounts;
use crate::id::{CommandId, ExecutionId, Location, NodeId, UnitId};
use crate::port::{
    Automation, CommandCounts, CommandView, ExecutionStatus, Inventory, InvocationView, PortErrorKind,
    PortResult, Walk,
};
use crate::report::{NodeOutcome, NodeRow, Tally};
use crate::request::Patch;
use crate::runbook;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

mod course;
mod nodes;
mod output;
mod planned;

use course::{Course, failed_early, words};
pub(super) use nodes::Found;

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
    /// Something may only be late, for so long after the end of the run: this, unless another look
    /// says otherwise.
    Lagging(Settlement, SignedDuration),
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
        if view.failed_before_any_node() {
            let mut settlement = self
                .never_ran(
                    LocationOutcome::CommandFailed,
                    format!("the command ended as {} and was sent to no node", view.details),
                )
                .await?;
            settlement.command = counts;
            return Ok(Collected::Settled(settlement));
        }
        let (mut settlement, lagging) = self.results(at, &id, &view, &status).await?;
        settlement.command = counts;
        Ok(match lagging {
            Some(lag) => Collected::Lagging(settlement, lag),
            None => Collected::Settled(settlement),
        })
    }

    /// The results of a command that is over, and for how long after its end some may only be late.
    async fn results(
        &self,
        at: &LocationState,
        id: &CommandId,
        view: &CommandView,
        status: &ExecutionStatus,
    ) -> PortResult<(Settlement, Option<SignedDuration>)> {
        let patch = self.patch();
        let parameters = self.parameters();
        let given = |name: &str| parameters.get(name)?.first().filter(|text| !text.is_empty());
        let by_word = given("BaselineOverride").is_some();
        // What the plugins say tells who was at work when the command was ended before its time.
        let with_plugins = by_word || !view.details.eq_ignore_ascii_case("Success");
        let mut invocations: BTreeMap<NodeId, InvocationView> = BTreeMap::new();
        let mut walk = Walk::new("the command's invocations");
        while let Some(token) = walk.next() {
            let page = self
                .automation
                .invocations(self.location, id, with_plugins, token)
                .await?;
            invocations.extend(page.items.into_iter().map(|view| (view.node.clone(), view)));
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
        let (states, summaries) = if by_word {
            (BTreeMap::new(), self.summaries(id, &invocations).await?)
        } else {
            (self.patch_states(&reached).await?, BTreeMap::new())
        };
        // One that the request gives is the same for every campaign, so it tells none apart.
        let own = self.state.campaign().snapshot_id().to_string();
        let snapshot = given(runbook::SNAPSHOT_ID).filter(|given| **given == own);
        // A command may be over before its results are listed: what is not listed is not known.
        let completed = usize::try_from(view.counts.completed).unwrap_or(usize::MAX);
        // A new command is not listed by node at once (recorded: nothing after 0.07 s, all at 2.2 s), so
        // an empty list says nothing of a command that has targets.
        let all_listed =
            invocations.len() >= completed && (!invocations.is_empty() || view.counts.targets == 0);
        let mut lagging = (!all_listed).then_some(PATCH_STATE_LAG);
        let left_out = self.left_out();
        let mut rows = vec![];
        for node in found
            .selected
            .iter()
            .chain(invocations.keys())
            .collect::<BTreeSet<_>>()
        {
            let invocation = invocations.get(node);
            let plugins = invocation.map_or(&[][..], |view| &view.plugins);
            let evidence = Evidence {
                operation: patch.operation,
                by_list: given("InstallOverrideList").is_some(),
                by_word,
                requested_at: view.requested_at,
                expires_at: view.expires_at,
                ended_at: at.ended_at,
                command: &view.details,
                snapshot: snapshot.map(String::as_str),
                invocation: invocation.map(|view| &view.status),
                begun: plugins.iter().any(|plugin| plugin.started_at.is_some()),
                code: plugins
                    .iter()
                    .filter_map(|plugin| plugin.response_code)
                    .find(|code| *code != 0),
                summary: summaries.get(node).copied(),
                all_listed,
                selected: found.selected.contains(node),
                managed: found.managed.get(node),
                state: states.get(node),
            };
            if evidence.invocation.is_none() && left_out.contains(node) {
                rows.push(row_without_result(
                    node,
                    NodeOutcome::Unreached,
                    LocationOutcome::NodesFailed,
                    "",
                ));
                continue;
            }
            let verdict = classify(&evidence);
            lagging = lagging.max(verdict.may_change);
            let fresh = evidence.fresh();
            let told = evidence.summary;
            rows.push(NodeRow {
                node: node.clone(),
                outcome: verdict.outcome,
                joined: false,
                detail: verdict.detail,
                installed: fresh
                    .map(|state| state.installed)
                    .or(told.map(|told| told.installed)),
                missing: fresh.map(|state| state.missing).or(told.map(|told| told.missing)),
                failed: fresh.map(|state| state.failed).or(told.map(|told| told.failed)),
            });
        }
        let mut settlement = self.by_nodes(rows, status);
        if not_whole.is_none() {
            let unknown = (!all_listed).then_some(NOT_ALL_LISTED);
            self.account_for_the_planned(&mut settlement, found.left_rows(unknown));
        }
        if !all_listed && settlement.outcome != LocationOutcome::Cancelled {
            settlement.outcome = LocationOutcome::ResultsUnreadable;
            settlement.detail = format!(
                "the command is through with {completed} nodes, and only {} are named in its results",
                invocations.len()
            );
        }
        if let Some(error) = not_whole {
            self.mark_joined(&mut settlement.rows);
            let why = format!(
                "the command was not sent to it, and whether it is still selected is not known: {}",
                error.reason()
            );
            for row in found.left_rows(Some(&why)) {
                settlement.nodes.add(row.outcome, 1);
                settlement.rows.push(row);
            }
            let census = self.census_of_the_rest();
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
        let goal = self.state.plan().request.goal();
        let short: u32 = nodes
            .iter()
            .filter(|(outcome, _)| !outcome.reaches_goal(goal))
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
        if settlement.outcome == LocationOutcome::Emptied && !settlement.rows.is_empty() {
            settlement.outcome = LocationOutcome::NodesFailed;
            let matched = "the command matched no node";
            settlement.detail = match settlement.detail.as_str() {
                "" => matched.to_owned(),
                left => format!("{matched}; {left}"),
            };
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
        Ok(self.named(&found, outcome, detail))
    }

    /// A location without a result, whose nodes can be listed.
    fn named(&self, found: &Found, outcome: LocationOutcome, detail: String) -> Settlement {
        let managed = managed_outcome(outcome);
        let left_out = self.left_out();
        let row = |node: &NodeId| {
            if left_out.contains(node) {
                row_without_result(node, NodeOutcome::Unreached, outcome, &detail)
            } else if found.managed.contains_key(node) {
                row_without_result(node, managed, outcome, &detail)
            } else {
                row_without_result(node, NodeOutcome::Unmanaged, outcome, &detail)
            }
        };
        let rows: Vec<NodeRow> = found.selected.iter().map(row).collect();
        let nodes: Tally = rows.iter().map(|row| row.outcome).collect();
        let unknown = match detail.as_str() {
            "" => "what became of it is not known".to_owned(),
            why => format!("what became of it is not known: {why}"),
        };
        let left = found.left_rows((managed == NodeOutcome::Unknown).then_some(unknown.as_str()));
        let mut settlement = Settlement {
            nodes,
            detail,
            rows,
            ..self.without_nodes(outcome)
        };
        self.account_for_the_planned(&mut settlement, left);
        settlement
    }

    /// What the unit's start gives its runbook.
    fn parameters(&self) -> BTreeMap<String, Vec<String>> {
        start::request(self.state, self.unit, 1, self.state.last_at())
            .map(|request| request.parameters)
            .unwrap_or_default()
    }

    /// A location whose results cannot be read: its nodes are those that the census counted.
    pub(super) fn unreadable(&self, detail: String) -> Settlement {
        self.counted(LocationOutcome::ResultsUnreadable, detail)
    }

    /// What is left to say once reading was given up: of each node by its id, if those that are
    /// selected could be `found` all the same.
    pub(super) fn given_up(&self, why: String, found: Option<&Found>) -> Settlement {
        let unit = self.state.units().get(&self.unit);
        let at = unit.and_then(|unit| unit.locations.get(self.location));
        let (outcome, detail) = match unit.zip(at).map(|(unit, at)| self.course(&unit.start, at)) {
            Some(Course::Never(outcome, detail)) => (outcome, detail),
            Some(Course::Ran | Course::Unnamed(..)) | None => (LocationOutcome::ResultsUnreadable, why),
        };
        match found {
            Some(found) => self.named(found, outcome, detail),
            None => self.counted(outcome, detail),
        }
    }

    /// A location whose nodes cannot be listed: those that the unit or the plan names, or as many as
    /// the census counted.
    fn counted(&self, outcome: LocationOutcome, detail: String) -> Settlement {
        let managed = managed_outcome(outcome);
        let left_out = self.left_out();
        let (own, rest) = match self.node_ids() {
            Some(own) => {
                let told: BTreeSet<NodeId> = own.iter().chain(left_out).cloned().collect();
                // Each managed node is in a command or left out, so the census found the others unmanaged.
                (own, self.left(&told, &BTreeSet::new()))
            }
            // Which of them are managed now, nobody can say.
            None => {
                let planned = self.planned_ids().unwrap_or_default();
                (planned.into_iter().collect(), BTreeSet::new())
            }
        };
        let row = |outcome_of_node| {
            let detail = detail.as_str();
            move |node: &NodeId| row_without_result(node, outcome_of_node, outcome, detail)
        };
        let rows: Vec<NodeRow> = (own.iter().map(row(managed)))
            .chain(left_out.iter().map(row(NodeOutcome::Unreached)))
            .chain(rest.iter().map(row(NodeOutcome::Unmanaged)))
            .collect();
        let mut nodes: Tally = rows.iter().map(|row| row.outcome).collect();
        // What neither the unit nor the plan names is known by number alone.
        let counts = self.census_of_the_rest();
        let unnamed = counts.total().saturating_sub(nodes.total());
        let unmanaged = unnamed.min(counts.unmanaged);
        nodes.add(NodeOutcome::Unmanaged, unmanaged);
        nodes.add(managed, unnamed - unmanaged);
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

    /// What the census counted in the location, less what other units name or speak for.
    fn census_of_the_rest(&self) -> NodeCounts {
        let counts = self
            .state
            .planned(self.location)
            .and_then(|planned| planned.nodes);
        let counts = counts.unwrap_or_default();
        let Some(own) = self.node_ids() else {
            return counts;
        };
        let unmanaged = if self.speaks_for_the_rest() {
            counts.unmanaged
        } else {
            0
        };
        let managed = u32::try_from(own.len() + self.left_out().len()).unwrap_or(u32::MAX);
        NodeCounts {
            // Of which kind they are is not asked.
            ec2: managed.saturating_add(unmanaged),
            online: managed,
            unmanaged,
            ..NodeCounts::default()
        }
    }
}

/// A node of a location that has no result.
fn row_without_result(node: &NodeId, outcome: NodeOutcome, location: LocationOutcome, why: &str) -> NodeRow {
    let detail = match outcome {
        NodeOutcome::Unmanaged => NOT_LISTED.to_owned(),
        NodeOutcome::Unknown if why.is_empty() => "what became of it is not known".to_owned(),
        NodeOutcome::Unknown => format!("what became of it is not known: {why}"),
        NodeOutcome::Unreached => {
            "left out, as the policy says: it did not answer Systems Manager when the plan was made"
                .to_owned()
        }
        _ if location == LocationOutcome::CommandFailed => why.to_owned(),
        _ => "no command was sent in its location".to_owned(),
    };
    NodeRow {
        node: node.clone(),
        outcome,
        joined: false,
        detail,
        installed: None,
        missing: None,
        failed: None,
    }
}

fn nodes(n: u32) -> String {
    format!("{n} node{}", if n == 1 { "" } else { "s" })
}

/// What a managed node came to in a location with this outcome and no result.
fn managed_outcome(outcome: LocationOutcome) -> NodeOutcome {
    match outcome {
        LocationOutcome::ResultsUnreadable | LocationOutcome::Unresolved => NodeOutcome::Unknown,
        _ => NodeOutcome::NotRun,
    }
}
