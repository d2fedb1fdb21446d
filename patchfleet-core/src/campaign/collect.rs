//! What became of a location: reading its results, and settling it.

use super::classify::{Evidence, NOT_ALL_LISTED, PATCH_STATE_LAG, classify};
use super::polls::Parent;
use super::state::{LocationState, StartState, State, UnitState, ended_well};
use super::{LocationOutcome, start};
use crate::id::{CommandId, ExecutionId, Location, NodeId, UnitId};
use crate::port::{
    Automation, CommandCounts, CommandView, ExecutionStatus, Inventory, InvocationView, PortErrorKind,
    PortResult, Walk,
};
use crate::report::{Goal, NodeOutcome, NodeRow, Tally};
use crate::request::Patch;
use crate::runbook;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

mod course;
mod nodes;
mod output;
mod planned;
mod without_results;

use course::{Course, failed_early, words};
pub(super) use nodes::Found;
use output::Told;
use without_results::row_without_result;

/// What a location came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settlement {
    pub(super) outcome: LocationOutcome,
    pub(super) nodes: Tally,
    pub(super) detail: String,
    pub(super) rows: Vec<NodeRow>,
    pub(super) command: Option<(CommandId, CommandCounts)>,
    /// Whether somebody cancelled the execution or the command there, whatever became of the nodes.
    pub(super) cancelled: bool,
    /// The execution there, if its parent did not name it.
    pub(super) unnamed: Option<ExecutionId>,
}

/// How many nodes fell short of what the campaign wanted of them, in words; `None` if none did.
pub(super) fn shortfall(nodes: &Tally, goal: Goal) -> Option<String> {
    let (short, total) = (nodes.short_of(goal), nodes.total());
    (short > 0).then(|| format!("{short} of {total} nodes did not reach their goal"))
}

/// What an attempt to settle a location gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Collected {
    Settled(Settlement),
    /// Something still runs there. Look again.
    Running {
        /// Whether somebody has cancelled it.
        cancelled: bool,
    },
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
    /// The time, not before the last record's.
    pub(super) now: Timestamp,
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
            return Ok(Collected::Running { cancelled: false });
        };
        let none = LocationState::default();
        let at = unit.locations.get(self.location).unwrap_or(&none);
        match self.course(&unit.start, at) {
            Course::Never(outcome, detail) => self.never_ran(outcome, detail).await.map(Collected::Settled),
            Course::Ran => self.ran(at, at.child.clone()).await,
            Course::Unnamed(outcome, detail) => match self.unnamed_child(unit).await? {
                Some(child) => {
                    let mut collected = self.ran(at, Some(child.clone())).await?;
                    if let Collected::Settled(settlement) | Collected::Lagging(settlement, _) = &mut collected
                    {
                        settlement.unnamed = Some(child);
                    }
                    Ok(collected)
                }
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
        // The step of a cancelled execution ends as Cancelled, whatever becomes of what it began.
        let mut stopped = status.as_ref().is_some_and(ExecutionStatus::is_cancelled)
            && !self.state.knows_cancel(self.unit, None);
        if let Some(child) = &child
            && !(self.matched_nothing && command.is_some())
        {
            let view = self.automation.child(self.location, child).await?;
            stopped = view.status.is_cancelled();
            command = view.command.or(command);
            if !view.status.is_terminal() {
                let cancelled = stopped || self.is_cancelled(command.as_ref()).await;
                return Ok(Collected::Running { cancelled });
            }
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
            let mut settlement = self.never_ran(outcome, words(&status, &failure)).await?;
            settlement.cancelled = stopped;
            return Ok(Collected::Settled(settlement));
        };
        let view = self.automation.command(self.location, &id).await?;
        let counts = Some((id.clone(), view.counts));
        // The step of a command that was cancelled may end as Failed.
        let cancelled = view.is_cancelled() || stopped;
        if view.matched_nothing() {
            let mut settlement = self.emptied().await?;
            settlement.command = counts;
            settlement.cancelled = cancelled;
            return Ok(Collected::Settled(settlement));
        }
        if !view.is_terminal() {
            return Ok(Collected::Running { cancelled });
        }
        if view.failed_before_any_node() {
            let outcome = if cancelled {
                LocationOutcome::Cancelled
            } else {
                LocationOutcome::CommandFailed
            };
            let detail = format!("the command ended as {} and was sent to no node", view.details);
            let mut settlement = self.never_ran(outcome, detail).await?;
            settlement.command = counts;
            settlement.cancelled = cancelled;
            return Ok(Collected::Settled(settlement));
        }
        let (mut settlement, lagging) = self.results(at, &id, &view, cancelled).await?;
        settlement.command = counts;
        settlement.cancelled = cancelled;
        Ok(match lagging {
            Some(lag) => Collected::Lagging(settlement, lag),
            None => Collected::Settled(settlement),
        })
    }

    /// Whether somebody has cancelled what was begun in the location: its execution or its command. The step
    /// in the unit's own execution does not count.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being read.
    pub(super) async fn cancelled(&self) -> PortResult<bool> {
        let unit = self.state.units().get(&self.unit);
        let Some((unit, at)) = unit.and_then(|unit| Some((unit, unit.locations.get(self.location)?))) else {
            return Ok(false);
        };
        let mut command = at.command.as_ref().map(|(id, _)| id.clone());
        let child = match at.child.clone() {
            Some(child) => Some(child),
            None => self.unnamed_child(unit).await?,
        };
        if let Some(child) = &child {
            let view = self.automation.child(self.location, child).await?;
            if view.status.is_cancelled() {
                return Ok(true);
            }
            command = view.command.or(command);
        }
        Ok(self.is_cancelled(command.as_ref()).await)
    }

    /// Whether the unit's execution began anything in the location, as AWS lists it there.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being read.
    pub(super) async fn is_begun(&self) -> PortResult<bool> {
        match self.state.units().get(&self.unit) {
            Some(unit) => Ok(self.unnamed_child(unit).await?.is_some()),
            None => Ok(false),
        }
    }

    /// Whether somebody has cancelled a command, if there is one and it can be read.
    async fn is_cancelled(&self, command: Option<&CommandId>) -> bool {
        match command {
            Some(id) => {
                let view = self.automation.command(self.location, id).await;
                view.is_ok_and(|view| view.is_cancelled())
            }
            None => false,
        }
    }

    /// The results of a command that is over, and for how long after its end some may only be late.
    async fn results(
        &self,
        at: &LocationState,
        id: &CommandId,
        view: &CommandView,
        cancelled: bool,
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
        let (states, printed) = if by_word {
            (BTreeMap::new(), self.told(id, &invocations).await?)
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
        // A command that is over before its time expires no more, and its nodes are not asked for a sign of
        // life from the future.
        let expired_at = view.expires_at.filter(|at| *at <= self.now);
        let settled_at = at.settled.as_ref().map(|settled| settled.at);
        let seen_over = at.ended_at.or(at.command_ended_at).or(settled_at);
        let ended_at = seen_over.or(expired_at).unwrap_or(self.now);
        let left_out = self.left_out();
        let planned = self.planned_ids();
        let mut came_too_late = 0_u32;
        let mut rows = vec![];
        for node in found
            .selected
            .iter()
            .chain(invocations.keys())
            .collect::<BTreeSet<_>>()
        {
            let invocation = invocations.get(node);
            let is_planned = planned.as_ref().is_none_or(|planned| planned.contains(node));
            if invocation.is_none() && all_listed && !is_planned {
                // Nobody planned it, and nothing was done to it: a group that grows every night is no fault.
                came_too_late = came_too_late.saturating_add(1);
                continue;
            }
            let plugins = invocation.map_or(&[][..], |view| &view.plugins);
            let evidence = Evidence {
                operation: patch.operation,
                goal: self.state.plan().request.goal(),
                by_list: given("InstallOverrideList").is_some(),
                by_word,
                requested_at: view.requested_at,
                expires_at: expired_at,
                ended_at: Some(ended_at),
                command: &view.details,
                snapshot: snapshot.map(String::as_str),
                invocation: invocation.map(|view| &view.status),
                begun: plugins.iter().any(|plugin| plugin.started_at.is_some()),
                code: plugins
                    .iter()
                    .filter_map(|plugin| plugin.response_code)
                    .find(|code| *code != 0),
                summary: printed.get(node).and_then(Told::summary),
                not_read: printed.get(node).and_then(Told::not_read),
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
        let mut settlement = self.by_nodes(rows, cancelled);
        if not_whole.is_none() {
            let unknown = (!all_listed).then_some(NOT_ALL_LISTED);
            self.account_for_the_planned(&mut settlement, found.left_rows(unknown));
        }
        settlement.tell_of_latecomers(came_too_late);
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
    fn by_nodes(&self, rows: Vec<NodeRow>, cancelled: bool) -> Settlement {
        let nodes: Tally = rows.iter().map(|row| row.outcome).collect();
        let goal = self.state.plan().request.goal();
        let (outcome, detail) = if let Some(words) = shortfall(&nodes, goal) {
            let outcome = if cancelled {
                LocationOutcome::Cancelled
            } else {
                LocationOutcome::NodesFailed
            };
            (outcome, words)
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
            cancelled: false,
            unnamed: None,
        }
    }

    /// What the unit's start gives its runbook.
    fn parameters(&self) -> BTreeMap<String, Vec<String>> {
        start::request(self.state, self.unit, 1, self.state.last_at())
            .map(|request| request.parameters)
            .unwrap_or_default()
    }

    fn patch(&self) -> &Patch {
        &self.state.plan().request.patch
    }
}

/// So many nodes, in words.
pub(super) fn nodes(n: u32) -> String {
    format!("{n} node{}", if n == 1 { "" } else { "s" })
}
