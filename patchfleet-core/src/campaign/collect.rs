//! What became of a location: reading its results, and settling it.

use super::commands::{self, Patching};
use super::memory::Parent;
use super::polls::LOOK_UP_AFTER;
use super::start;
use super::state::{LocationState, StartState, State, UnitState, ended_well};
use crate::fleet;
use crate::id::{CommandId, ExecutionId, Location, NodeId, UnitId};
use crate::outcome::LocationOutcome;
use crate::outcome::{NodeRow, Tally};
use crate::port::{CommandCounts, ExecutionStatus, PatchStateView, PortErrorKind, PortResult, ResultPorts};
use crate::runbook;
use crate::text::counted;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

mod course;
mod nodes;
mod output;
mod patch_names;
mod planned;
mod results;
mod without_results;

use course::{Course, failed_early, words};
pub(super) use nodes::Found;
pub(super) use patch_names::{NAMED_WITHIN, Short, by, read_names};
use without_results::row_without_result;

/// What a location came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settlement {
    pub(super) outcome: LocationOutcome,
    pub(super) nodes: Tally,
    pub(super) detail: String,
    pub(super) rows: Vec<NodeRow>,
    /// The commands that patched there, as far as they could be read.
    pub(super) commands: Vec<(CommandId, CommandCounts)>,
    /// When the last of them expires as a whole.
    pub(super) expires_at: Option<Timestamp>,
    /// Whether somebody cancelled the execution or the command there, whatever became of the nodes.
    pub(super) cancelled: bool,
    /// The execution there, if its parent did not name it.
    pub(super) unnamed: Option<ExecutionId>,
    /// The patch states of this run by which nodes are failed or miss patches. These patches are asked for by name.
    pub(super) short: BTreeMap<NodeId, PatchStateView>,
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
    pub(super) ports: ResultPorts<'a>,
    pub(super) state: &'a State,
    pub(super) unit: UnitId,
    pub(super) location: &'a Location,
    pub(super) parent: Option<&'a Parent>,
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
        let mut collected = self.look().await?;
        let unit = self.state.units().get(&self.unit);
        let alarm = unit.and_then(|unit| unit.stopped_for_alarm.as_ref());
        let why = match self.state.stop_asked() {
            Some(asked) => Some(asked.to_string()),
            None => alarm.map(|alarm| format!("Systems Manager stopped it, as {alarm}")),
        };
        if let (Collected::Settled(settlement) | Collected::Lagging(settlement, _), Some(why)) =
            (&mut collected, why)
            && settlement.outcome == LocationOutcome::Cancelled
        {
            let words = [settlement.detail.clone(), why];
            settlement.detail = words
                .into_iter()
                .filter(|words| !words.is_empty())
                .collect::<Vec<_>>()
                .join("; ");
        }
        Ok(collected)
    }

    async fn look(&self) -> PortResult<Collected> {
        let Some(unit) = self.state.units().get(&self.unit) else {
            return Ok(Collected::Running { cancelled: false });
        };
        let none = LocationState::default();
        let at = unit.locations.get(self.location).unwrap_or(&none);
        match self.course(&unit.start, at) {
            Course::Never(outcome, detail) => self.never_ran(outcome, detail).await.map(Collected::Settled),
            Course::Ran => self.ran(at, at.child.clone()).await,
            Course::Unreached(outcome, detail) => match self.unnamed_child(unit).await {
                Ok(Some(child)) => self.ran_unnamed(at, child).await,
                Err(error) if error.kind().is_transient() || error.kind() == PortErrorKind::Credentials => {
                    Err(error)
                }
                // What crossed with the stop is listed a little late.
                Ok(None) if self.may_be_stopped() => {
                    let settlement = self.never_ran(outcome, detail).await?;
                    Ok(Collected::Lagging(settlement, LOOK_UP_AFTER))
                }
                // Nobody may ask there, and nothing but the question says that anything was begun.
                Ok(None) | Err(_) => self.never_ran(outcome, detail).await.map(Collected::Settled),
            },
            Course::Unnamed(outcome, detail) => match self.unnamed_child(unit).await? {
                Some(child) => self.ran_unnamed(at, child).await,
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
        let (automation, at) = (self.ports.automation, self.location);
        let listed = |token| automation.children(at, execution, token);
        fleet::first("the executions in a location", listed).await
    }

    /// A location in which an execution was begun that its parent does not name.
    async fn ran_unnamed(&self, at: &LocationState, child: ExecutionId) -> PortResult<Collected> {
        let mut collected = self.ran(at, Some(child.clone())).await?;
        if let Collected::Settled(settlement) | Collected::Lagging(settlement, _) = &mut collected {
            settlement.unnamed = Some(child);
        }
        Ok(collected)
    }

    /// A location in which an execution was begun.
    async fn ran(&self, at: &LocationState, child: Option<ExecutionId>) -> PortResult<Collected> {
        let mut patching = self.known_commands(at);
        let mut sent = None;
        let mut status = at.status.clone();
        let mut failure = at.failure.clone();
        let mut others = vec![];
        // The step of a cancelled execution ends as Cancelled, whatever becomes of what it began.
        let mut stopped = status.as_ref().is_some_and(ExecutionStatus::is_cancelled)
            && !self.state.knows_cancel(self.unit, None);
        if let Some(child) = &child {
            let view = self.ports.automation.child(self.location, child).await?;
            stopped = view.status.is_cancelled();
            if !view.commands.is_empty() {
                patching = Patching::of(&view, self.state.runs_own_runbook());
                sent = commands::documents(&view);
                others = commands::others(&view, &patching.commands);
            }
            if !view.status.is_terminal() {
                let all = [patching.commands, others].concat();
                let cancelled = stopped || self.is_cancelled(&all).await;
                return Ok(Collected::Running { cancelled });
            }
            status = Some(view.status);
            if !view.failure.is_empty() {
                failure = view.failure;
            }
        }
        let status = status.unwrap_or(ExecutionStatus::Failed);
        // Its hooks are asked once more, as a cancel that nobody hears of is no stop.
        stopped |= self.was_cancelled(&others).await?;
        if patching.commands.is_empty() {
            return self.no_command(&status, &failure, sent, stopped).await;
        }
        let mut runs = vec![];
        for id in patching.commands {
            let view = self.ports.commands.command(self.location, &id).await?;
            runs.push((id, view));
        }
        let commands = runs.iter().map(|(id, view)| (id.clone(), view.counts)).collect();
        let unit = self.state.units().get(&self.unit);
        let expiries = runs
            .iter()
            .filter_map(|(_, view)| unit.and_then(|unit| self.state.expires(unit, view)));
        let expires_at = expiries.max();
        // The step of a command that was cancelled may end as Failed.
        let cancelled = stopped || runs.iter().any(|(_, view)| view.is_cancelled());
        if runs.iter().any(|(_, view)| !view.is_terminal()) {
            return Ok(Collected::Running { cancelled });
        }
        // One of several that matched no node says nothing of the nodes of the others.
        runs.retain(|(_, view)| !view.matched_nothing());
        let has_failed = status.is_terminal() && !ended_well(&status);
        let failed = has_failed.then(|| words(&status, &failure));
        let (mut settlement, lagging) = if runs.is_empty() {
            (self.emptied().await?, None)
        } else if runs.iter().all(|(_, view)| view.failed_before_any_node()) {
            let outcome = if cancelled {
                LocationOutcome::Cancelled
            } else {
                LocationOutcome::CommandFailed
            };
            let details: BTreeSet<&str> = runs.iter().map(|(_, view)| view.details.as_str()).collect();
            let details = Vec::from_iter(details).join(" and ");
            let detail = format!("the command ended as {details} and was sent to no node");
            (self.never_ran(outcome, detail).await?, None)
        } else {
            let unsure = failed.as_deref().filter(|_| !patching.sure);
            self.results(at, &runs, cancelled, unsure).await?
        };
        if let Some(words) = &failed {
            settlement.tell_of_failure(&status, words, self.state.runs_own_runbook());
        }
        settlement.commands = commands;
        settlement.expires_at = expires_at;
        settlement.cancelled |= cancelled;
        Ok(match lagging {
            Some(lag) => Collected::Lagging(settlement, lag),
            None => Collected::Settled(settlement),
        })
    }

    /// A location whose execution is over and `sent` commands with these documents, if any, none of which
    /// patches.
    async fn no_command(
        &self,
        status: &ExecutionStatus,
        failure: &str,
        sent: Option<String>,
        stopped: bool,
    ) -> PortResult<Collected> {
        if ended_well(status) {
            let detail = match sent {
                None => "the runbook ran, and no command is found in it".to_owned(),
                Some(documents) => format!(
                    "the runbook ran, and none of its commands patches by {}: it sent {documents}",
                    runbook::COMMAND_DOCUMENT
                ),
            };
            let mut settlement = self.unreadable(detail);
            settlement.cancelled = stopped;
            return Ok(Collected::Settled(settlement));
        }
        if !stopped && let Some(away) = self.refused_whole(failure).await? {
            let detail = words(status, failure);
            return Ok(Collected::NotSent { away, detail });
        }
        let outcome = if stopped {
            LocationOutcome::Cancelled
        } else {
            failed_early(status, failure)
        };
        let mut settlement = self.never_ran(outcome, words(status, failure)).await?;
        settlement.cancelled = stopped;
        Ok(Collected::Settled(settlement))
    }

    /// The commands that the log names.
    fn known_commands(&self, at: &LocationState) -> Patching {
        Patching {
            commands: at.commands.keys().cloned().collect(),
            sure: self.state.runs_own_runbook(),
        }
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
        let mut commands = self.known_commands(at).commands;
        let child = match at.child.clone() {
            Some(child) => Some(child),
            None => self.unnamed_child(unit).await?,
        };
        if let Some(child) = &child {
            let view = self.ports.automation.child(self.location, child).await?;
            if view.status.is_cancelled() {
                return Ok(true);
            }
            if !view.commands.is_empty() {
                commands = view.commands.into_iter().map(|sent| sent.id).collect();
            }
        }
        Ok(self.is_cancelled(&commands).await)
    }

    /// What the unit's execution began in the location, as AWS lists it there.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being read.
    pub(super) async fn begun(&self) -> PortResult<Option<ExecutionId>> {
        match self.state.units().get(&self.unit) {
            Some(unit) => self.unnamed_child(unit).await,
            None => Ok(None),
        }
    }

    /// Whether somebody has cancelled one of these commands, as far as they can be read.
    async fn is_cancelled(&self, commands: &[CommandId]) -> bool {
        for id in commands {
            let view = self.ports.commands.command(self.location, id).await;
            if view.is_ok_and(|view| view.is_cancelled()) {
                return true;
            }
        }
        false
    }

    /// Whether somebody cancelled one of these commands. One that nobody may read was not, as far as is known.
    async fn was_cancelled(&self, commands: &[CommandId]) -> PortResult<bool> {
        for id in commands {
            match self.ports.commands.command(self.location, id).await {
                Ok(view) if view.is_cancelled() => return Ok(true),
                Err(error) if error.kind().is_transient() || error.kind() == PortErrorKind::Credentials => {
                    return Err(error);
                }
                Ok(_) | Err(_) => {}
            }
        }
        Ok(false)
    }

    /// What the unit's start gives its runbook for a parameter, if it is not empty.
    fn given(&self, name: &str) -> Option<String> {
        start::given(self.state, self.unit, name).filter(|text| !text.is_empty())
    }
}

/// So many nodes, in words.
pub(super) fn nodes(n: u32) -> String {
    counted(n, "node")
}
