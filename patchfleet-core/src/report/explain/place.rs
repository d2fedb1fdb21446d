//! A location to explain: what the report says of it, its units, the node that was asked about, and why.

use super::course::{self, Course};
use super::{Kept, LocationExplanation, NodeExplanation, PlannedNode, Standing, UnitExplanation};
use super::{has_node, planned_at, skip};
use crate::campaign::{CampaignSummary, Hold, LocationState, State, UnitState};
use crate::census::NodeCounts;
use crate::id::{Location, NodeId, UnitId};
use crate::outcome::NodeRow;
use crate::plan::{PlannedLocation, left_out_in_words};
use crate::refusal::Skip;
use crate::report::build::{LocationReport, Told};
use jiff::Timestamp;

/// A location to explain, and all that is known of it.
pub(super) struct Place<'a> {
    pub(super) state: &'a State,
    pub(super) summary: &'a CampaignSummary,
    pub(super) location: &'a Location,
    /// The node that was asked about, if one was.
    pub(super) node: Option<&'a NodeId>,
    pub(super) kept: &'a Kept,
    /// The time, not before the last record's.
    pub(super) now: Timestamp,
}

impl<'a> Place<'a> {
    pub(super) fn explain(&self, course: &mut Course) -> LocationExplanation {
        let skip = skip(self.state, self.location).cloned();
        let planned = self.state.planned(self.location);
        let report = planned.map(|planned| self.report(planned));
        let node = self.node.map(|node| self.node(node));
        let units: Vec<UnitExplanation> = match self.summary.name_taken_by {
            Some(_) => vec![],
            None => self
                .units()
                .into_iter()
                .map(|(id, unit)| self.unit(id, unit))
                .collect(),
        };
        let standing = match &report {
            None => Standing::Skipped,
            Some(report) if report.outcome.is_some() => Standing::Settled,
            Some(report) if report.unresolved => Standing::Unresolved,
            Some(report) if report.waiting => Standing::Waiting,
            Some(_) => Standing::Running,
        };
        let why = self.why(skip.as_ref(), report.as_ref(), node.as_ref(), &units);
        let records = course.lines(self, &units, standing);
        LocationExplanation {
            account: self.location.account.clone(),
            region: self.location.region.clone(),
            standing,
            why,
            kept: planned.and_then(|planned| planned.kept),
            census: planned.and_then(|planned| planned.nodes),
            needs_action: if node.is_some() {
                vec![]
            } else {
                self.needs_action()
            },
            rows_damaged: self.kept.damaged.clone(),
            skip,
            report,
            node,
            units,
            records,
        }
    }

    /// The units that have the location. Where units name their nodes, those that name the node that was asked about, or the one
    /// that speaks for the nodes that none names. None of them has a node that was left out.
    fn units(&self) -> Vec<(UnitId, &'a UnitState)> {
        let mut all: Vec<_> = self.state.units_at(self.location).collect();
        let Some(node) = self.node else {
            return all;
        };
        if self.is_left_out() {
            return vec![];
        }
        if all.iter().any(|(_, unit)| unit.named.contains(node)) {
            all.retain(|(_, unit)| unit.named.contains(node));
        } else if all.iter().all(|(_, unit)| !unit.named.is_empty()) {
            let speaker = self.state.speaks_for(self.location);
            all.retain(|(id, _)| Some(*id) == speaker);
        }
        all
    }

    /// Whether it is about a node that the plan leaves out.
    pub(super) fn is_left_out(&self) -> bool {
        let planned = self.state.planned(self.location);
        let left_out = planned.map_or(&[][..], |planned| &planned.left_out);
        self.node.is_some_and(|node| left_out.contains(node))
    }

    fn report(&self, planned: &PlannedLocation) -> LocationReport {
        let all = || self.state.units_at(self.location);
        let parts: Vec<&LocationState> = all()
            .filter_map(|(_, unit)| unit.locations.get(self.location))
            .collect();
        let not_stopped = &self.summary.not_stopped;
        let waits_at_aws = all().any(|(id, unit)| {
            let at = unit.locations.get(self.location);
            at.is_some_and(|at| self.state.waits_in(id, at))
        });
        let told = Told {
            waits_at_aws,
            unresolved: all().find(|(_, unit)| unit.is_unresolved()).map(|(id, _)| id),
            was_not_stopped: not_stopped
                .iter()
                .any(|one| one.location.as_ref() == Some(self.location)),
        };
        let counted = planned.nodes.map(NodeCounts::total);
        let mut report = LocationReport::told(self.state, self.location, &parts, counted, told);
        let short = report.nodes.short_of(self.state.goal_at(self.location));
        let named = u32::try_from(self.needs_action().len()).unwrap_or(u32::MAX);
        report.unnamed = short.saturating_sub(named);
        report
    }

    fn needs_action(&self) -> Vec<NodeRow> {
        let goal = self.state.goal_at(self.location);
        let rows = self
            .kept
            .rows
            .iter()
            .filter(|row| !row.outcome.reaches_goal(goal));
        rows.cloned().collect()
    }

    fn node(&self, node: &NodeId) -> NodeExplanation {
        let planned = self.state.planned(self.location);
        let row = self.kept.rows.iter().find(|row| row.node == *node).cloned();
        let names_nodes = planned.is_some_and(|planned| planned.node_ids.is_some());
        let planned = match planned {
            Some(planned) if planned.left_out.contains(node) => PlannedNode::LeftOut,
            Some(planned) if has_node(planned, node) => PlannedNode::Planned,
            _ if planned_at(self.state, node).contains(self.location) => PlannedNode::Planned,
            _ if names_nodes || row.as_ref().is_some_and(|row| row.joined) => PlannedNode::Joined,
            _ => PlannedNode::NotNamed,
        };
        NodeExplanation {
            node: node.clone(),
            planned,
            row,
        }
    }

    /// The reasons in words, the first about what was asked about.
    fn why(
        &self,
        skip: Option<&Skip>,
        report: Option<&LocationReport>,
        node: Option<&NodeExplanation>,
        units: &[UnitExplanation],
    ) -> Vec<String> {
        let mut why: Vec<String> = vec![];
        let mut say = |words: String| {
            if !words.is_empty() && !why.contains(&words) {
                why.push(words);
            }
        };
        if let Some(node) = node {
            self.why_of_node(node, report).into_iter().for_each(&mut say);
        }
        let of_place = self.why_of_place(skip, report, node.is_some(), units);
        // Of a node whose own reason is known it is told apart what is said of its location.
        let outcome = report.and_then(|report| report.outcome);
        let apart = outcome.filter(|_| node.is_some_and(|node| node.row.is_some()));
        for (n, words) in of_place.into_iter().enumerate() {
            say(match apart {
                Some(outcome) if n == 0 => format!("its location is {}: {words}", outcome.as_str()),
                _ => words,
            });
        }
        why
    }

    /// What is said of the location, each once.
    fn why_of_place(
        &self,
        skip: Option<&Skip>,
        report: Option<&LocationReport>,
        of_node: bool,
        units: &[UnitExplanation],
    ) -> Vec<String> {
        let mut why: Vec<String> = vec![];
        let mut say = |words: String| {
            if !words.is_empty() && !why.contains(&words) {
                why.push(words);
            }
        };
        if let Some(skip) = skip {
            say(skip.detail.clone());
        }
        self.summary.refused_in_words().into_iter().for_each(&mut say);
        if let Some(planned) = self.state.planned(self.location) {
            let kept = planned.kept_in_words(&self.state.plan().request.policy);
            kept.into_iter().for_each(|kept| say(kept.to_owned()));
            if !of_node && !planned.left_out.is_empty() {
                say(left_out_in_words(planned.left_out.len()));
            }
            if planned.kept.is_some() && kept.is_none() {
                self.warnings().for_each(&mut say);
            }
        }
        if let Some(report) = report {
            say(report.detail.clone());
        }
        for unit in units {
            say(match units.len() {
                1 => unit.why.clone(),
                _ => format!("unit {}: {}", unit.unit, unit.why),
            });
            let stopped = unit.stopped.iter();
            let stopped = stopped.filter(|reason| !unit.why.contains(reason.as_str()));
            stopped.for_each(|reason| say(format!("nothing more was begun: {reason}")));
            for hold in unit.hold.iter().flat_map(|hold| self.held_by(hold)) {
                say(format!("unit {} waits: {}", hold.unit, hold.reason));
            }
        }
        why
    }

    /// The holds of the units that a unit waits for, and of those that these wait for.
    pub(super) fn held_by(&self, hold: &Hold) -> Vec<&'a Hold> {
        let mut found: Vec<&Hold> = vec![];
        let mut next = course::others(self.state, &hold.reason);
        while let Some(unit) = next.pop() {
            let held = self.summary.holds.iter().find(|held| held.unit == unit);
            if let Some(held) = held.filter(|held| held.unit != hold.unit && !found.contains(held)) {
                next.extend(course::others(self.state, &held.reason));
                found.push(held);
            }
        }
        found
    }

    /// The warnings of the plan that name the location.
    fn warnings(&self) -> impl Iterator<Item = String> {
        let name = self.location.to_string();
        let names_it = move |warning: &&String| {
            let mut rest = warning.split(&name).skip(1);
            rest.any(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        self.state.plan().warnings.iter().filter(names_it).cloned()
    }

    fn why_of_node(&self, node: &NodeExplanation, report: Option<&LocationReport>) -> Vec<String> {
        let goal = self.state.goal_at(self.location);
        let mut why = vec![];
        match &node.row {
            Some(row) if !row.detail.is_empty() => why.push(row.detail.clone()),
            Some(row) if row.outcome.reaches_goal(goal) => why.push("it reached its goal".to_owned()),
            Some(_) => why.push("it did not reach its goal".to_owned()),
            None if report.is_some_and(|report| report.outcome.is_some()) => {
                why.push("no row of it is kept".to_owned());
            }
            None => {}
        }
        match node.planned {
            // Its row says so as well.
            PlannedNode::LeftOut if node.row.is_none() => why.push(left_out_in_words(1)),
            PlannedNode::Joined => why.push("it joined the selection after the plan".to_owned()),
            PlannedNode::LeftOut | PlannedNode::Planned | PlannedNode::NotNamed => {}
        }
        why
    }
}
