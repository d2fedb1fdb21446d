//! The results of the commands of a location, node by node.

use super::output::Told;
use super::{Job, Settlement, row_without_result};
use crate::campaign::classify::{Evidence, NOT_ALL_LISTED, PATCH_STATE_LAG, classify, worse};
use crate::campaign::polls::later;
use crate::campaign::state::LocationState;
use crate::fleet;
use crate::id::{CommandId, NodeId};
use crate::outcome::LocationOutcome;
use crate::outcome::{NodeOutcome, NodeRow, PatchNames, Tally};
use crate::port::{CommandView, InvocationStatus, InvocationView, PortErrorKind, PortResult};
use crate::request::Operation;
use crate::runbook;
use crate::slip::{Slip, slips};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// A command that is over, and its results.
struct Run<'a> {
    view: &'a CommandView,
    invocations: BTreeMap<NodeId, InvocationView>,
    /// What its nodes printed, where that is all there is to go by.
    printed: BTreeMap<NodeId, Told>,
    /// Whether each node that it is through with is named.
    all_listed: bool,
    /// When it expired, if it did.
    expired_at: Option<Timestamp>,
}

/// How long one turn of AWS-RunPatchBaseline counts, where the plan does not say so: what one node may take, with its delivery and its
/// reboots.
const LONGEST_TURN: SignedDuration = SignedDuration::from_hours(3);

impl Job<'_> {
    /// Whether what a command began on a node right before it expired then may be at work there still: for as long as one turn counts.
    fn may_run_since(&self, expired_at: Timestamp) -> bool {
        self.now < self.may_run_until(expired_at)
    }

    /// Until when that may be.
    fn may_run_until(&self, expired_at: Timestamp) -> Timestamp {
        let node = self.state.plan().lifetime.and_then(|lifetime| {
            let seconds = i64::try_from(lifetime.node.get()).ok()?;
            Some(SignedDuration::from_secs(seconds))
        });
        // Under a runbook of one's own nobody knows, and its commands are taken for such.
        later(expired_at, node.unwrap_or(LONGEST_TURN))
    }

    /// Reads the results of a command that is over.
    async fn run<'a>(&self, id: &CommandId, view: &'a CommandView, by_word: bool) -> PortResult<Run<'a>> {
        // What the plugins say tells who was at work when the command was ended before its time. A command is
        // a Success, too, that expired on one node after it had succeeded on another.
        let with_plugins = by_word || !view.details.eq_ignore_ascii_case("Success");
        let mut invocations = self.invocations(id, with_plugins).await?;
        if !with_plugins && invocations.values().any(|view| is_cut_short(&view.status)) {
            invocations = self.invocations(id, true).await?;
        }
        let printed = if by_word {
            self.told(id, &invocations).await?
        } else {
            BTreeMap::new()
        };
        // A command may be over before its results are listed: what is not listed is not known.
        let completed = usize::try_from(view.counts.completed).unwrap_or(usize::MAX);
        // A new command is not listed by node at once (recorded: nothing after 0.07 s, all at 2.2 s), so
        // an empty list says nothing of a command that has targets.
        let all_listed =
            invocations.len() >= completed && (!invocations.is_empty() || view.counts.targets == 0);
        Ok(Run {
            view,
            invocations,
            printed,
            all_listed,
            // A command that is over before its time expires no more, and its nodes are not asked for a
            // sign of life from the future.
            expired_at: view.expires_at.filter(|at| *at <= self.now),
        })
    }

    async fn invocations(
        &self,
        id: &CommandId,
        with_plugins: bool,
    ) -> PortResult<BTreeMap<NodeId, InvocationView>> {
        let (commands, at) = (self.ports.commands, self.location);
        let views = fleet::all("the command's invocations", |token| {
            commands.invocations(at, id, with_plugins, token)
        });
        let views = views.await?.into_iter();
        Ok(views.map(|view| (view.node.clone(), view)).collect())
    }

    /// The results of commands that are over, and for how long after their end some may only be late.
    ///
    /// `unsure` are AWS's words on why the execution that sent them failed, if it did and none of them is
    /// known to patch: then no node succeeded by their word alone.
    pub(super) async fn results(
        &self,
        at: &LocationState,
        sent: &[(CommandId, CommandView)],
        cancelled: bool,
        unsure: Option<&str>,
    ) -> PortResult<(Settlement, Option<SignedDuration>)> {
        let by_word = self.given("BaselineOverride").is_some();
        let mut runs = vec![];
        for (id, view) in sent {
            runs.push(self.run(id, view, by_word).await?);
        }
        let reached: BTreeSet<NodeId> = runs
            .iter()
            .flat_map(|run| run.invocations.keys().cloned())
            .collect();
        let reached = Vec::from_iter(reached);
        let (found, not_whole) = match self.found(reached.iter().cloned().collect()).await {
            Ok(found) => (found, None),
            Err(error) if error.kind().is_transient() || error.kind() == PortErrorKind::Credentials => {
                return Err(error);
            }
            // Whoever else is selected is not known; what became of those that the command was
            // sent to still is.
            Err(error) => (self.reached(&reached).await?, Some(error)),
        };
        let states = if by_word {
            BTreeMap::new()
        } else {
            self.patch_states(&reached).await?
        };
        // One that the request gives is the same for every campaign, so it tells none apart.
        let own = self.state.campaign().snapshot_id().to_string();
        let snapshot = self.given(runbook::SNAPSHOT_ID).filter(|given| *given == own);
        let all_listed = runs.iter().all(|run| run.all_listed);
        let mut lagging = (!all_listed).then_some(PATCH_STATE_LAG);
        let settled_at = at.settled.as_ref().map(|settled| settled.at);
        let seen_over = at.ended_at.or(at.command_ended_at).or(settled_at);
        let expired_at = runs.iter().filter_map(|run| run.expired_at).max();
        let ended_at = seen_over.or(expired_at).unwrap_or(self.now);
        let left_out = self.left_out();
        let planned = self.planned_ids();
        let mut came_too_late = 0_u32;
        let mut short = BTreeMap::new();
        let mut rows = vec![];
        for node in found.selected.iter().chain(&reached).collect::<BTreeSet<_>>() {
            let was_reached = runs.iter().any(|run| run.invocations.contains_key(node));
            let is_planned = planned.as_ref().is_none_or(|planned| planned.contains(node));
            if !was_reached && all_listed && !is_planned {
                // Nobody planned it, and nothing was done to it: a group that grows every night is no fault.
                came_too_late = came_too_late.saturating_add(1);
                continue;
            }
            if !was_reached && left_out.contains(node) {
                rows.push(row_without_result(
                    node,
                    NodeOutcome::Unreached,
                    LocationOutcome::NodesFailed,
                    "",
                ));
                continue;
            }
            // A command that was not sent to it says nothing of a node that another one was sent to.
            let by_command = runs
                .iter()
                .filter(|run| !was_reached || run.invocations.contains_key(node))
                .map(|run| {
                    let invocation = run.invocations.get(node);
                    let plugins = invocation.map_or(&[][..], |view| &view.plugins);
                    let printed = run.printed.get(node);
                    Evidence {
                        operation: self.state.operation_of(self.unit),
                        goal: self.state.goal_of(self.unit),
                        by_list: self.given("InstallOverrideList").is_some(),
                        by_word,
                        requested_at: run.view.requested_at,
                        expires_at: run.expired_at,
                        ended_at: Some(ended_at),
                        command: &run.view.details,
                        snapshot: snapshot.as_deref(),
                        invocation: invocation.map(|view| &view.status),
                        begun: plugins.iter().any(|plugin| plugin.started_at.is_some()),
                        runs_on: run.expired_at.is_none_or(|at| self.may_run_since(at)),
                        code: plugins
                            .iter()
                            .filter_map(|plugin| plugin.response_code)
                            .find(|code| *code != 0),
                        summary: printed.and_then(Told::summary),
                        not_read: printed.and_then(Told::not_read),
                        all_listed,
                        selected: found.selected.contains(node),
                        managed: found.managed.get(node),
                        state: states.get(node),
                    }
                });
            let verdicts: Vec<_> = by_command
                .map(|evidence| (classify(&evidence), evidence))
                .collect();
            let away = verdicts.iter().all(|(verdict, _)| verdict.away);
            let Some((mut verdict, evidence)) = verdicts.into_iter().reduce(worse) else {
                continue; // no command, no result
            };
            if let Some(words) = unsure {
                verdict.doubt_the_word(&evidence, words);
            }
            lagging = lagging.max(verdict.may_change);
            let may_run_until = (verdict.outcome == NodeOutcome::Lost && evidence.ended_without_word())
                .then(|| {
                    [evidence.expires_at, evidence.ended_at]
                        .into_iter()
                        .flatten()
                        .min()
                        .map(|at| self.may_run_until(at))
                })
                .flatten();
            let fresh = evidence.fresh();
            let told = evidence.summary;
            let mut row = NodeRow {
                node: node.clone(),
                outcome: verdict.outcome,
                joined: false,
                away: away && verdict.outcome == NodeOutcome::Unreached,
                may_run_until,
                detail: verdict.detail,
                installed: fresh
                    .map(|state| state.installed)
                    .or(told.map(|told| told.installed)),
                missing: fresh.map(|state| state.missing).or(told.map(|told| told.missing)),
                failed: fresh.map(|state| state.failed).or(told.map(|told| told.failed)),
                patches: None,
            };
            if let Some((state, (shortfall, _))) = fresh.zip(row.shortfall()) {
                row.patches = Some(PatchNames::not_asked(shortfall));
                short.insert(node.clone(), state.clone());
            }
            rows.push(row);
        }
        // A command that had failed nodes before ends as Failed, also if somebody cancelled it on the others.
        let on_a_node = runs.iter().flat_map(|run| run.invocations.values());
        let cancelled = cancelled
            || on_a_node
                .into_iter()
                .any(|view| view.status == InvocationStatus::Cancelled);
        let mut settlement = self.by_nodes(rows, cancelled);
        if self.given("InstallOverrideList").is_some()
            && self.state.operation_of(self.unit) == Operation::Install
        {
            settlement.tell_of_the_unlisted();
        }
        settlement.cancelled = cancelled;
        settlement.short = short;
        if not_whole.is_none() {
            let unknown = (!all_listed).then_some(NOT_ALL_LISTED);
            self.account_for_the_planned(&mut settlement, found.left_rows(unknown));
        }
        settlement.tell_of_latecomers(came_too_late);
        if !all_listed && settlement.outcome != LocationOutcome::Cancelled {
            settlement.outcome = LocationOutcome::ResultsUnreadable;
            let completed: u32 = sent.iter().map(|(_, view)| view.counts.completed).sum();
            let named: usize = runs.iter().map(|run| run.invocations.len()).sum();
            settlement.detail = format!(
                "the command is through with {completed} nodes, and only {named} are named in its results"
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
    fn by_nodes(&self, mut rows: Vec<NodeRow>, cancelled: bool) -> Settlement {
        if slips(Slip::LosesANode) && rows.len() > 1 {
            rows.pop();
        }
        let nodes: Tally = rows.iter().map(|row| row.outcome).collect();
        let goal = self.state.goal_of(self.unit);
        let (outcome, detail) = if let Some(words) = nodes.shortfall(goal) {
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
            commands: vec![],
            expires_at: None,
            cancelled: false,
            unnamed: None,
            short: BTreeMap::new(),
        }
    }
}

/// Whether a command may have been at work on a node when it was ended there.
fn is_cut_short(status: &InvocationStatus) -> bool {
    use InvocationStatus as S;
    matches!(
        status,
        S::DeliveryTimedOut | S::Delayed | S::Terminated | S::Cancelled
    )
}
