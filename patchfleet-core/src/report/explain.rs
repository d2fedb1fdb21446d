//! Why one location or one node came to what it did: the rule, its numbers, the records of the log that say so, and
//! AWS's ids. It is made of the log and the node rows alone.

mod aws;
mod course;
mod next;
mod patches;
mod place;
mod subject;
mod text;
mod unit;

pub use aws::{AwsId, AwsIdKind};
pub use course::{LastRecord, LogLine};
pub use subject::{Subject, SubjectError};
pub use unit::UnitExplanation;

use super::build::{LocationReport, ReportOutcome};
use crate::campaign::{CampaignSummary, NodeRows, Record, State, StateError};
use crate::census::NodeCounts;
use crate::id::{AccountId, CampaignId, Location, NodeId, NodeSet, Region, RequestName};
use crate::outcome::{NodeRow, Tally};
use crate::plan::{PlannedLocation, Unit};
use crate::port::{PortErrorKind, PortResult};
use crate::refusal::{Skip, SkipReason};
use crate::request::Operation;
use crate::text::in_log;
use course::Course;
use jiff::Timestamp;
use place::Place;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a campaign's log and rows say of one location or one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    /// What was asked about.
    pub subject: Subject,
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Its request's name.
    pub request: RequestName,
    /// What it does on each node.
    pub operation: Operation,
    /// How the campaign as a whole ended.
    pub outcome: ReportOutcome,
    /// When its plan was written down.
    pub planned_at: Timestamp,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The location, or each location in which the campaign knows the node.
    pub at: Vec<LocationExplanation>,
    /// What a person can do, in the words of `status` and of the reasons. Empty if nothing is to be done, or the reasons
    /// say it already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
}

/// What a campaign's log and rows say of a location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LocationExplanation {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// How far it is.
    pub standing: Standing,
    /// Why, each reason in a sentence. The first is about what was asked about.
    pub why: Vec<String>,
    /// The plan's reason, if it was not planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<Skip>,
    /// Why it is planned although the census did not find a node there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<SkipReason>,
    /// What the census counted; `None` if it did not count, or found nothing out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub census: Option<NodeCounts>,
    /// What the report says of it, if it was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<LocationReport>,
    /// What is known of the node, if one was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeExplanation>,
    /// Its nodes that did not reach their goal, as far as their rows are kept, in the order of their ids. Empty where one
    /// node was asked about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs_action: Vec<NodeRow>,
    /// Why the rows of its nodes cannot be read, if they are damaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_damaged: Option<String>,
    /// The units that have it, or those of them that have the node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UnitExplanation>,
    /// The records of the log that say so, in the order of their numbers.
    pub records: Vec<LogLine>,
}

impl LocationExplanation {
    /// The pair of account and Region.
    #[must_use]
    pub fn location(&self) -> Location {
        Location::new(self.account.clone(), self.region.clone())
    }
}

/// How far a location or a unit's part of it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Standing {
    /// The plan leaves it out.
    Skipped,
    /// Nothing is known to run or to have run there yet.
    Waiting,
    /// Nobody knows whether its unit runs.
    Unresolved,
    /// Something runs there, or has ended and its results are not read yet.
    Running,
    /// What became of it is known.
    Settled,
}

impl Standing {
    /// The standing in snake_case, as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Waiting => "waiting",
            Self::Unresolved => "unresolved",
            Self::Running => "running",
            Self::Settled => "settled",
        }
    }
}

/// What a campaign's log and rows say of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeExplanation {
    /// The node.
    pub node: NodeId,
    /// What the plan has of it.
    pub planned: PlannedNode,
    /// What became of it, with its patches by number and those that failed or are missing by name; `None` if no row of it
    /// is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<NodeRow>,
}

/// What a plan has of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PlannedNode {
    /// The plan has it.
    Planned,
    /// It did not answer Systems Manager, and the policy leaves such nodes out.
    LeftOut,
    /// It joined the selection after the census, so the plan does not have it.
    Joined,
    /// The plan names none of the nodes there.
    NotNamed,
}

/// The rows of a location, as far as they could be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    pub(crate) rows: Vec<NodeRow>,
    pub(crate) damaged: Option<String>,
}

/// How many locations' rows are read at once, when a node is looked for that no plan names.
const LOCATIONS_AT_ONCE: usize = 16;

impl Explanation {
    /// What the records of a campaign and the rows say of the subject; `None` if they do not know it. What may still be
    /// done is said as of `now`. `rows` has those of the locations that [`places`](Self::places) named.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the records are no campaign's.
    pub(crate) fn of(
        records: &[Record],
        rows: &BTreeMap<Location, Kept>,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Option<Self>, StateError> {
        let state = State::from_records(records)?;
        let node = match subject {
            Subject::Location(_) => None,
            Subject::Node(node) => Some(node),
        };
        let has_row = |kept: &Kept| node.is_some_and(|node| kept.rows.iter().any(|row| row.node == *node));
        let places: BTreeSet<Location> = match subject {
            Subject::Location(location) => knows(&state, location)
                .then(|| location.clone())
                .into_iter()
                .collect(),
            Subject::Node(node) => {
                let with_row = rows
                    .iter()
                    .filter(|(_, kept)| has_row(kept))
                    .map(|(location, _)| location.clone());
                with_row.chain(planned_at(&state, node)).collect()
            }
        };
        if places.is_empty() {
            return Ok(None);
        }
        let now = now.max(state.last_at());
        let summary = CampaignSummary::of(&state, now);
        let mut course = Course::follow(records, &places)?;
        let none = Kept::default();
        let mut at = vec![];
        for location in &places {
            let kept = rows.get(location).unwrap_or(&none);
            let place = Place {
                state: &state,
                summary: &summary,
                location,
                node,
                kept,
                now,
            };
            at.push(place.explain(&mut course));
        }
        Ok(Some(Self {
            next: next::steps(&state, &summary, &at),
            subject: subject.clone(),
            campaign_id: state.campaign(),
            request: state.plan().request.name.clone(),
            operation: match places.first() {
                Some(location) => state.operation_at(location),
                None => state.plan().request.patch.operation,
            },
            outcome: ReportOutcome::of(&state),
            planned_at: state.planned_at(),
            finished_at: state.finished().map(|(_, at)| at),
            at,
        }))
    }

    /// The same, with the rows that it needs.
    ///
    /// # Errors
    ///
    /// What keeps the rows from being read, or [`PortErrorKind::Incompatible`] if the records are no campaign's. Damaged
    /// rows are no error.
    pub(crate) async fn build(
        records: &[Record],
        rows: &dyn NodeRows,
        subject: &Subject,
        now: Timestamp,
    ) -> PortResult<Option<Self>> {
        use crate::port::PortError;
        use futures_util::{StreamExt as _, TryStreamExt as _, stream};
        let damaged = |error: StateError| {
            PortError::new(PortErrorKind::Incompatible, "the records are no campaign").with_source(error)
        };
        let state = State::from_records(records).map_err(damaged)?;
        let (campaign, state_of) = (state.campaign(), &state);
        let read = |location: Location| async move {
            let kept = match rows.rows(campaign, &location).await {
                Err(error) if error.kind() == PortErrorKind::Incompatible => Kept {
                    rows: vec![],
                    damaged: Some(error.chain()),
                },
                kept => {
                    let mut rows = kept?;
                    let others = state_of.not_by_the_log(&location, &rows);
                    rows.retain(|row| !others.contains(&row.node));
                    let words =
                        "they are not those that the log counts, and `patchfleet collect` reads them again";
                    Kept {
                        rows,
                        damaged: (!others.is_empty()).then(|| words.to_owned()),
                    }
                }
            };
            Ok((location, kept))
        };
        let reads: Vec<_> = Self::places(&state, subject).into_iter().map(read).collect();
        let kept: PortResult<BTreeMap<Location, Kept>> = stream::iter(reads)
            .buffer_unordered(LOCATIONS_AT_ONCE)
            .try_collect()
            .await;
        Self::of(records, &kept?, subject, now).map_err(damaged)
    }

    /// Where the rows are that say what became of the subject. A node that no plan names may be anywhere.
    fn places(state: &State, subject: &Subject) -> BTreeSet<Location> {
        match subject {
            Subject::Location(location) => [location.clone()].into(),
            Subject::Node(node) => {
                let planned = planned_at(state, node);
                match planned.is_empty() {
                    true => state
                        .plan()
                        .locations
                        .iter()
                        .map(PlannedLocation::location)
                        .collect(),
                    false => planned,
                }
            }
        }
    }
}

/// Whether a campaign has considered a location.
fn knows(state: &State, location: &Location) -> bool {
    state.planned(location).is_some() || skip(state, location).is_some()
}

fn skip<'s>(state: &'s State, location: &Location) -> Option<&'s Skip> {
    let skipped = &state.plan().skipped;
    skipped
        .iter()
        .find(|skip| skip.account == location.account && skip.region == location.region)
}

/// Where the plan names a node.
fn planned_at(state: &State, node: &NodeId) -> BTreeSet<Location> {
    let plan = state.plan();
    let counted = plan.locations.iter().filter(|planned| has_node(planned, node));
    let named = plan
        .units
        .iter()
        .filter(|unit| unit.nodes.iter().flatten().any(|id| id == node));
    let named = named.flat_map(Unit::locations);
    counted.map(PlannedLocation::location).chain(named).collect()
}

fn has_node(planned: &PlannedLocation, node: &NodeId) -> bool {
    let ids = planned.node_ids.as_ref().map(NodeSet::nodes);
    planned.left_out.contains(node) || ids.is_some_and(|ids| ids.contains(node))
}

impl Explanation {
    /// The same. Each command that its words tell to type now names the log.
    #[must_use]
    pub fn in_log(mut self, log: Option<&Path>) -> Self {
        let told = |words: &mut String| *words = in_log(words, log);
        for at in &mut self.at {
            at.why.iter_mut().for_each(told);
            at.report.iter_mut().for_each(|report| told(&mut report.detail));
            for unit in &mut at.units {
                told(&mut unit.why);
                unit.stopped.iter_mut().for_each(told);
            }
            at.records.iter_mut().for_each(|line| told(&mut line.says));
        }
        self.next.iter_mut().for_each(told);
        self
    }

    /// The nodes of the location that was asked about, by outcome.
    fn tally(at: &LocationExplanation) -> Option<&Tally> {
        at.report.as_ref().map(|report| &report.nodes)
    }
}

#[cfg(test)]
mod tests;
