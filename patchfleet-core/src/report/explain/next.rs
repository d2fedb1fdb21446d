//! What a person can do about what was explained, in words that stand elsewhere already.

use super::{Explanation, LocationExplanation};
use crate::campaign::{CampaignSummary, NEW_RUN, State};
use crate::outcome::{LocationOutcome, NodeOutcome, NodeRow, PatchNames, Tally};
use std::collections::BTreeSet;

/// What a person can do, each in a sentence. What the reasons say already is not said again.
pub(super) fn steps(state: &State, summary: &CampaignSummary, at: &[LocationExplanation]) -> Vec<String> {
    let mut steps = vec![];
    let is_settled =
        |one: &LocationExplanation| one.report.as_ref().is_some_and(|report| report.outcome.is_some());
    let is_planned = at.iter().any(|one| one.report.is_some());
    if !at.iter().all(is_settled) && is_planned {
        steps.extend(summary.next_step());
    }
    let id = summary.campaign;
    let unread = state.unread();
    let is_unread = at
        .iter()
        .any(|one| unread.iter().any(|(_, location)| *location == one.location()));
    if is_unread {
        steps.push(format!(
            "its results could not be read: `patchfleet collect {id}` reads them again"
        ));
    }
    if summary.finished.is_none() {
        return steps;
    }
    if at.iter().flat_map(rows).any(may_be_named) {
        steps.push(format!(
            "`patchfleet collect {id}` asks for the names of the patches again; AWS has them until the node's next scan or \
             installation"
        ));
    }
    let told = |words: &str| at.iter().flat_map(|one| &one.why).any(|why| why.contains(words));
    let was_left = |one: &LocationExplanation| {
        one.report.as_ref().and_then(|report| report.outcome) == Some(LocationOutcome::NotStarted)
    };
    let is_said = told(NEW_RUN) || told("`patchfleet resume --go-on");
    if at.iter().any(was_left) && !is_said {
        steps.push(NEW_RUN.to_owned());
        return steps;
    }
    let mut outcomes: BTreeSet<NodeOutcome> = BTreeSet::new();
    for one in at {
        let goal = state.goal_at(&one.location());
        let mut note = |outcome: NodeOutcome| {
            if !outcome.reaches_goal(goal) {
                outcomes.insert(outcome);
            }
        };
        match &one.node {
            Some(node) => node.row.iter().for_each(|row| note(row.outcome)),
            None => {
                let tally = Explanation::tally(one).into_iter().flat_map(Tally::iter);
                tally.for_each(|(outcome, _)| note(outcome));
            }
        }
    }
    for outcome in outcomes {
        let is_told = match outcome {
            NodeOutcome::NotRun => is_said,
            NodeOutcome::Unknown => is_unread,
            _ => false,
        };
        if is_told {
            continue;
        }
        steps.extend(
            outcome
                .advice()
                .map(|advice| format!("{}: {advice}", outcome.as_str())),
        );
    }
    steps
}

/// The rows that are told of what was asked about.
fn rows(at: &LocationExplanation) -> impl Iterator<Item = &NodeRow> {
    let of_node = at.node.iter().filter_map(|node| node.row.as_ref());
    of_node.chain(&at.needs_action)
}

/// Whether the patches of a node have no names, and may have them once somebody asks again.
fn may_be_named(row: &NodeRow) -> bool {
    row.patches.as_ref().is_some_and(PatchNames::may_be_read)
}
