//! The report as a value. Its JSON is what `patchfleet run --output json` prints.

use crate::campaign::NodeRows;
use crate::campaign::{LocationState, NotStopped, StartState, State, StopAsked};
use crate::census::NodeCounts;
use crate::id::{AccountId, CampaignId, ExecutionId, Location, NodeId, Region, RequestName, UnitId};
use crate::outcome::{FinishedOutcome, Goal, LocationOutcome};
use crate::outcome::{NodeOutcome, Tally, saturating_sum};
use crate::plan::SNAPSHOT_LIVES;
use crate::port::{ExecutionStatus, PortErrorKind, PortResult};
use crate::refusal::Skip;
use crate::request::Operation;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An account of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Its request's name.
    pub request: RequestName,
    /// The campaign whose nodes it tries again, if it is a retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<CampaignId>,
    /// What it does on each node.
    pub operation: Operation,
    /// How it ended.
    pub outcome: ReportOutcome,
    /// Why locations were never begun, or will not be, if that is so of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out_because: Option<String>,
    /// Who had it stopped, when and how, if somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_asked: Option<StopAsked>,
    /// What AWS did not let patchfleet stop. It went on to its end, or runs still.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_stopped: Vec<NotStopped>,
    /// When its plan was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Units of which nobody knows whether AWS started them, while the campaign is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unresolved: Vec<UnresolvedReport>,
    /// The wave of which a person has to approve before the next one begins: while the campaign is open, and once its window has closed,
    /// before what it left begins in a retry or the next window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_approve: Option<WaveToApprove>,
    /// What AWS started, in the order of the units.
    pub executions: Vec<ExecutionReport>,
    /// Every planned location, ordered by account and Region.
    pub locations: Vec<LocationReport>,
    /// Every candidate that was not planned, as the plan has it.
    pub skipped: Vec<Skip>,
    /// Every node that did not reach its goal, if its id is known, ordered by location and id.
    pub needs_action: Vec<NodeReport>,
    /// The sums.
    pub totals: Totals,
}

/// How a campaign ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReportOutcome {
    /// Every targeted node reached its goal.
    Succeeded,
    /// Some node did not, or a location was skipped as unknown.
    Partial,
    /// Ended early: some location was not begun, because of a budget, the cutoff, a changed runbook or
    /// somebody else's cancel. Or a person had it stopped.
    Halted,
    /// There was nothing to do.
    NothingToDo,
    /// It has not ended yet, whether somebody drives it now or not.
    Open,
    /// Another campaign had the request's name, so nothing was begun.
    Refused,
}

impl ReportOutcome {
    /// The outcome in snake_case, as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => FinishedOutcome::Succeeded.as_str(),
            Self::Partial => FinishedOutcome::Partial.as_str(),
            Self::Halted => FinishedOutcome::Halted.as_str(),
            Self::NothingToDo => FinishedOutcome::NothingToDo.as_str(),
            Self::Open => "open",
            Self::Refused => "refused",
        }
    }
}

impl ReportOutcome {
    /// How the campaign ended, or that it has not.
    pub(super) fn of(state: &State) -> Self {
        match (state.finished(), state.name_taken_by()) {
            (None, Some(_)) => Self::Refused,
            (finished, _) => finished.map(|(outcome, _)| outcome).into(),
        }
    }

    /// The exit code that says the same.
    ///
    /// | code | meaning |
    /// |---|---|
    /// | 0 | every targeted node reached its goal, or there was nothing to do |
    /// | 3 | another campaign had the request's name, and nothing was begun |
    /// | 4 | some node did not reach its goal, a location was skipped as unknown, or the campaign has not ended |
    /// | 5 | halted by a budget, the cutoff, a changed runbook or somebody else's cancel |
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Succeeded | Self::NothingToDo => 0,
            Self::Partial | Self::Open => 4,
            Self::Halted => 5,
            Self::Refused => 3,
        }
    }
}

impl From<Option<FinishedOutcome>> for ReportOutcome {
    fn from(finished: Option<FinishedOutcome>) -> Self {
        match finished {
            Some(FinishedOutcome::Succeeded) => Self::Succeeded,
            Some(FinishedOutcome::Partial) => Self::Partial,
            Some(FinishedOutcome::Halted) => Self::Halted,
            Some(FinishedOutcome::NothingToDo) => Self::NothingToDo,
            None => Self::Open,
        }
    }
}

/// A unit of which nobody knows whether AWS started it. A person has to say what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnresolvedReport {
    /// The unit.
    pub unit: UnitId,
    /// What is known, and what a person can say.
    pub detail: String,
}

/// A wave that is over, and after which nothing begins until a person approves of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveToApprove {
    /// Its number, from 1.
    pub wave: u32,
    /// Its name.
    pub name: String,
    /// What a person can do.
    pub detail: String,
}

/// An execution in the central account and Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionReport {
    /// AWS's id for it.
    pub execution_id: ExecutionId,
    /// Its last status, by AWS's name; `InProgress` until it is known to be over, and `Forgotten` if the campaign was
    /// closed because AWS no longer knew it.
    pub status: ExecutionStatus,
}

/// A location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocationReport {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// What became of it; `None` (`null`) until that is known.
    pub outcome: Option<LocationOutcome>,
    /// Whether it has no outcome, and nothing is known to run there yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waiting: bool,
    /// Whether it belongs to a unit of which nobody knows whether it runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unresolved: bool,
    /// What was done there, if that is not the report's own operation: a wave may scan where the others install.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Whether it was begun more than three days after the first location, when AWS no longer had the campaign's snapshot of the
    /// patch baseline. Its nodes may have got other patches than those before them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_snapshot: bool,
    /// The outcome in words; empty if it needs none.
    pub detail: String,
    /// Its nodes by outcome. Nodes that could not be listed are counted as the census found them.
    pub nodes: Tally,
    /// How many nodes the plan was made for; `None` if they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<u32>,
    /// How many of its nodes joined the selection after the census. Where the plan names its nodes, each of them is in
    /// `nodes` whether it left or not, so this number is exact.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub joined: u32,
    /// How many of its nodes that need action are not in [`Report::needs_action`]. Only their number is known, or their
    /// rows were lost or damaged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unnamed: u32,
    /// Whether rows of its nodes are not those that the log counts. Two nodes may have changed places in them, so these name none, and
    /// the nodes are among the [`unnamed`](Self::unnamed). Reading the results again may mend that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rows_differ: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A node that somebody has to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// The node.
    pub node: NodeId,
    /// What became of it.
    pub outcome: NodeOutcome,
    /// Whether it joined the selection after the census. The plan does not have it then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub joined: bool,
    /// Why, in words.
    pub detail: String,
}

/// The sums of a report. `candidates` is `locations` and `skipped` together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Locations that were considered.
    pub candidates: u32,
    /// Locations that were planned.
    pub locations: u32,
    /// Locations that were not.
    pub skipped: u32,
    /// Planned locations by outcome. Those that have none yet are left out.
    pub outcomes: BTreeMap<LocationOutcome, u32>,
    /// All nodes of all planned locations by outcome.
    pub nodes: Tally,
    /// How many nodes the plan was made for. Locations in which they were not counted add none.
    #[serde(default)]
    pub planned: u32,
    /// How many nodes joined the selection after the census.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub joined: u32,
    /// How many of the nodes that are done were scanned only, where the report's own operation is Install.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub scanned: u32,
}

impl Report {
    /// Makes the report of a campaign, ended or not. Rows are read one location at a time, and only those that need
    /// action are kept. What may still be done about an unresolved unit is said as of `now`, since a cutoff may have come
    /// after the last record.
    ///
    /// # Errors
    ///
    /// The error of reading the rows. Damaged rows are no error, because the log has the numbers, and
    /// [`LocationReport::unnamed`] says how many nodes have no name.
    pub(crate) async fn build(state: &State, rows: &dyn NodeRows, now: Timestamp) -> PortResult<Self> {
        let plan = state.plan();
        let planned: BTreeMap<Location, Option<u32>> = plan
            .locations
            .iter()
            .map(|planned| (planned.location(), planned.nodes.map(NodeCounts::total)))
            .collect();
        let mut by_location: BTreeMap<&Location, Vec<&LocationState>> = BTreeMap::new();
        for (_, location, at) in state.locations() {
            by_location.entry(location).or_default().push(at);
        }
        let kept_waiting: BTreeSet<&Location> = state
            .locations()
            .filter(|(unit, _, at)| state.waits_in(*unit, at))
            .map(|(_, location, _)| location)
            .collect();
        let unresolved: BTreeMap<&Location, UnitId> = state
            .unresolved()
            .filter_map(|id| Some((id, state.units().get(&id)?)))
            .flat_map(|(id, unit)| unit.locations.keys().map(move |location| (location, id)))
            .collect();
        let all_not_stopped = state.not_stopped();
        let not_stopped: BTreeSet<&Location> = all_not_stopped
            .iter()
            .filter_map(|one| one.location.as_ref())
            .collect();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let after_snapshot = after_snapshot(state);
        let mut locations = vec![];
        let mut needs_action = vec![];
        let mut outcomes: BTreeMap<LocationOutcome, u32> = BTreeMap::new();
        let mut nodes = Tally::default();
        for (location, parts) in by_location {
            let told = Told {
                waits_at_aws: kept_waiting.contains(location),
                unresolved: unresolved.get(location).copied(),
                was_not_stopped: not_stopped.contains(location),
            };
            let planned = planned.get(location).copied().flatten();
            let mut report = LocationReport::told(state, location, &parts, planned, told);
            report.after_snapshot = after_snapshot.contains(location);
            if let Some(outcome) = report.outcome {
                let count = outcomes.entry(outcome).or_default();
                *count = count.saturating_add(1);
            }
            nodes.merge(&report.nodes);
            let goal = state.goal_at(location);
            // A node that needs action is in the tally, so a location without one has no such row.
            let short = report.nodes.short_of(goal);
            if short > 0 {
                let kept = match rows.rows(state.campaign(), location).await {
                    Err(error) if error.kind() == PortErrorKind::Incompatible => vec![],
                    kept => kept?,
                };
                let named = needs_action.len();
                let others = state.not_by_the_log(location, &kept);
                report.rows_differ = !others.is_empty();
                let rows = kept
                    .iter()
                    .filter(|row| !row.outcome.reaches_goal(goal) && !others.contains(&row.node))
                    .cloned();
                needs_action.extend(rows.map(|row| NodeReport {
                    account: location.account.clone(),
                    region: location.region.clone(),
                    node: row.node,
                    outcome: row.outcome,
                    joined: row.joined,
                    detail: row.detail,
                }));
                report.unnamed = short.saturating_sub(count(needs_action.len() - named));
            }
            locations.push(report);
        }
        for left in plan.retries.iter().flat_map(|retried| &retried.unmanaged) {
            nodes.add(NodeOutcome::Unmanaged, count(left.nodes.len()));
            needs_action.extend(left.nodes.iter().map(|node| NodeReport {
                account: left.account.clone(),
                region: left.region.clone(),
                node: node.clone(),
                outcome: NodeOutcome::Unmanaged,
                joined: false,
                detail: "not tried again, as it is not registered with Systems Manager".to_owned(),
            }));
        }
        let executions = state.units().values().filter_map(|unit| match &unit.start {
            StartState::Started { execution, .. } => Some(ExecutionReport {
                execution_id: execution.clone(),
                status: unit.ended.clone().unwrap_or(ExecutionStatus::InProgress),
            }),
            _ => None,
        });
        Ok(Self {
            campaign_id: state.campaign(),
            request: plan.request.name.clone(),
            retries: plan.retries.as_ref().map(|retried| retried.campaign),
            operation: plan.request.patch.operation,
            outcome: ReportOutcome::of(state),
            left_out_because: state.nothing_more_because(now).map(|reason| reason.to_string()),
            stop_asked: state.stop_asked().cloned(),
            not_stopped: all_not_stopped,
            started_at: Some(state.planned_at()),
            finished_at: state.finished().map(|(_, at)| at),
            unresolved: state
                .unresolved_holds(now.max(state.last_at()))
                .filter(|_| state.finished().is_none())
                .map(|hold| UnresolvedReport {
                    unit: hold.unit,
                    detail: hold.reason.to_string(),
                })
                .collect(),
            to_approve: to_approve(state, now),
            executions: executions.collect(),
            totals: Totals {
                candidates: plan.candidates,
                locations: count(locations.len()),
                skipped: count(plan.skipped.len()),
                outcomes,
                nodes,
                planned: saturating_sum(locations.iter().filter_map(|location| location.planned)),
                joined: saturating_sum(locations.iter().map(|location| location.joined)),
                scanned: saturating_sum(locations.iter().map(LocationReport::scanned)),
            },
            locations,
            skipped: plan.skipped.clone(),
            needs_action,
        })
    }

    /// The report without its times. Two runs of the same campaign in the same world give equal ones.
    #[must_use]
    pub fn without_times(mut self) -> Self {
        self.started_at = None;
        self.finished_at = None;
        self
    }

    /// The exit code that says how it ended ([`ReportOutcome::exit_code`]).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.outcome.exit_code()
    }
}

/// The wave that waits for a person, if any does and something may still begin after it, or did not because its window closed.
fn to_approve(state: &State, now: Timestamp) -> Option<WaveToApprove> {
    let wave = state.to_approve()?;
    let may_go_on = match state.finished() {
        Some(_) => state.is_left_by_window_alone() && state.may_approve_when_over(wave),
        None => state.stop_reason_at(now.max(state.last_at())).is_none(),
    };
    if !may_go_on {
        return None;
    }
    let name = state.plan().request.wave_name(wave).to_owned();
    let detail = format!(
        "waits for a person to approve: `patchfleet approve {} --wave {name}`",
        state.campaign()
    );
    Some(WaveToApprove { wave, name, detail })
}

/// The locations that were begun when AWS no longer had the snapshot of the baseline that the first nodes were patched by.
fn after_snapshot(state: &State) -> BTreeSet<&Location> {
    let begun = || {
        let started = state.units().values().filter_map(|unit| match &unit.start {
            StartState::Started { at, .. } => Some((*at, unit)),
            _ => None,
        });
        started.flat_map(|(since, unit)| {
            let begun = unit
                .locations
                .iter()
                .filter(|(_, at)| at.outcome() != Some(LocationOutcome::NotStarted));
            begun.map(move |(location, at)| (at.child_at.unwrap_or(since), location))
        })
    };
    let first = begun().map(|(at, _)| at).min();
    let Some(first) = first.filter(|_| state.plan().request.goes_by_snapshot()) else {
        return BTreeSet::new();
    };
    let late = begun().filter(|(at, _)| at.duration_since(first) > SNAPSHOT_LIVES);
    late.map(|(_, location)| location).collect()
}

/// That nothing has been sent in a location yet.
pub(super) const WAITS_AT_AWS: &str = "its execution waits at AWS and has sent nothing yet";

/// What the campaign as a whole tells of one location.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// Whether an execution waits at AWS, so that nothing has been sent there.
    pub(super) waits_at_aws: bool,
    /// The unit there of which nobody knows whether it runs.
    pub(super) unresolved: Option<UnitId>,
    /// Whether AWS did not let patchfleet stop what ran there.
    pub(super) was_not_stopped: bool,
}

impl LocationReport {
    /// One location, with all that is to be told of it.
    pub(super) fn told(
        state: &State,
        location: &Location,
        parts: &[&LocationState],
        planned: Option<u32>,
        told: Told,
    ) -> Self {
        let mut report = Self::of(location, parts, planned);
        let operation = state.operation_at(location);
        report.operation = Some(operation).filter(|it| *it != state.plan().request.patch.operation);
        report.speak_for_all(parts, state.goal_at(location));
        if report.outcome.is_none() && told.waits_at_aws {
            report.waiting = true;
            WAITS_AT_AWS.clone_into(&mut report.detail);
        }
        if report.outcome.is_none()
            && let Some(unit) = told.unresolved
        {
            (report.waiting, report.unresolved) = (false, true);
            report.detail = format!("it is not known whether unit {unit} runs here");
        }
        if told.was_not_stopped {
            let between = if report.detail.is_empty() { "" } else { "; " };
            report.detail = format!(
                "{}{between}AWS did not let patchfleet stop what ran here",
                report.detail
            );
        }
        for late in parts.iter().filter_map(|part| state.past_cutoff(part)) {
            let between = if report.detail.is_empty() { "" } else { "; " };
            report.detail = format!("{}{between}{late}", report.detail);
        }
        report
    }

    /// How many of its nodes are done that were scanned, in a campaign that installs elsewhere.
    fn scanned(&self) -> u32 {
        let scans = self.operation == Some(Operation::Scan);
        let done = self
            .nodes
            .iter()
            .filter(|(outcome, _)| scans && *outcome == NodeOutcome::Done);
        saturating_sum(done.map(|(_, n)| n))
    }

    /// Where several units have a part of its nodes each, the outcome and its words are of all of them. A location in which only
    /// some were begun was begun.
    fn speak_for_all(&mut self, parts: &[&LocationState], goal: Goal) {
        let may_be_of_one = matches!(
            self.outcome,
            Some(LocationOutcome::NotStarted | LocationOutcome::NodesFailed)
        );
        let was_sent = |part: &&LocationState| {
            let well = part.outcome();
            matches!(
                well,
                Some(LocationOutcome::Succeeded | LocationOutcome::NodesFailed)
            )
        };
        if !may_be_of_one || parts.len() < 2 || !parts.iter().any(was_sent) {
            return;
        }
        let Some(words) = self.nodes.shortfall(goal) else {
            return;
        };
        let mut details = vec![words];
        let settled = parts.iter().filter_map(|part| part.settled.as_ref());
        let mut left = settled.filter(|settled| settled.outcome == LocationOutcome::NotStarted);
        if let Some(left) = left.next() {
            details.push(format!("not all of them were begun: {}", left.detail));
        }
        for settled in parts.iter().filter_map(|part| part.settled.as_ref()) {
            // What a part says beside how many of its own nodes fell short.
            let is_begun = settled.outcome != LocationOutcome::NotStarted;
            let phrases = settled
                .detail
                .split("; ")
                .filter(|words| !words.is_empty() && !Tally::is_shortfall(words));
            for words in phrases.filter(|_| is_begun) {
                if details.iter().all(|known| known != words) {
                    details.push(words.to_owned());
                }
            }
        }
        self.outcome = Some(LocationOutcome::NodesFailed);
        self.detail = details.join("; ");
    }

    /// One location. Several units may each have a part of its nodes.
    fn of(location: &Location, parts: &[&LocationState], planned: Option<u32>) -> Self {
        let mut nodes = Tally::default();
        let mut worst: Option<(LocationOutcome, &str)> = None;
        for settled in parts.iter().filter_map(|part| part.settled.as_ref()) {
            nodes.merge(&settled.nodes);
            if worst.is_none_or(|(known, _)| severity(settled.outcome) > severity(known)) {
                worst = Some((settled.outcome, &settled.detail));
            }
        }
        let whole = worst.filter(|_| parts.iter().all(|part| part.settled.is_some()));
        Self {
            planned,
            joined: planned.map_or(0, |planned| nodes.total().saturating_sub(planned)),
            account: location.account.clone(),
            region: location.region.clone(),
            outcome: whole.map(|(outcome, _)| outcome),
            operation: None,
            after_snapshot: false,
            waiting: whole.is_none() && parts.iter().all(|part| part.is_waiting()),
            detail: whole.map_or(String::new(), |(_, detail)| detail.to_owned()),
            nodes,
            unresolved: false,
            unnamed: 0,
            rows_differ: false,
        }
    }
}

/// Which of two outcomes speaks for a location: the one that needs more attention.
fn severity(outcome: LocationOutcome) -> u8 {
    match outcome {
        LocationOutcome::Emptied => 0,
        LocationOutcome::Succeeded => 1,
        LocationOutcome::Vanished => 2,
        LocationOutcome::NotStarted => 3,
        LocationOutcome::Cancelled => 4,
        LocationOutcome::StartRefused => 5,
        LocationOutcome::RoleNotAssumable => 6,
        LocationOutcome::FailedBeforeCommand => 7,
        LocationOutcome::CommandFailed => 8,
        LocationOutcome::TimedOut => 9,
        LocationOutcome::NodesFailed => 10,
        LocationOutcome::ResultsUnreadable => 11,
        LocationOutcome::Unresolved => 12,
    }
}

#[cfg(test)]
mod tests;
