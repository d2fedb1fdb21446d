//! What a person can do about what was explained, in words that stand elsewhere already.

use super::{Explanation, LocationExplanation};
use crate::campaign::{CampaignSummary, NEW_RUN, State};
use crate::outcome::{LocationOutcome, NamesUnreadReason, NodeOutcome, NodeRow, Tally};
use crate::refusal::SkipReason;
use crate::runbook;
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
    let skips = at.iter().filter_map(|one| one.skip.as_ref());
    steps.extend(
        skips
            .filter_map(|skip| of_skipped(skip.reason))
            .map(str::to_owned),
    );
    if summary.finished.is_none() {
        return steps;
    }
    // Where results are unread, `collect` reads those, and their names with them.
    let is_read = |one: &&LocationExplanation| unread.iter().all(|(_, location)| *location != one.location());
    let of_read = at.iter().filter(is_read).flat_map(rows);
    if let Some(why) = of_read.filter_map(|row| nameless(state, row)).max() {
        let first = match why {
            Nameless::Denied => "grant ssm:DescribeInstancePatches to the discovery role; then ",
            Nameless::Otherwise => "",
        };
        steps.push(format!(
            "{first}`patchfleet collect {id}` asks for the names of the patches again; AWS has them until the node's next \
             scan or installation"
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
        steps.extend(of_outcome(state, outcome).map(|advice| format!("{}: {advice}", outcome.as_str())));
    }
    steps
}

/// What a person can do about nodes that came to this and did not reach their goal, with the campaign in each command.
fn of_outcome(state: &State, outcome: NodeOutcome) -> Option<String> {
    let id = state.campaign();
    let again = match runbook::is_own(&state.plan().request.automation.document) {
        true => format!("`patchfleet run --retry {id}` tries it again"),
        // Such a runbook cannot be told which nodes to patch.
        false => "run the request again".to_owned(),
    };
    let advice = match (outcome, outcome.advice()) {
        (NodeOutcome::PendingReboot, _) => format!("reboot the node; or {again}"),
        (NodeOutcome::Gone, _) => "if it should be there, see what became of it".to_owned(),
        (_, advice) => advice?.to_owned(),
    };
    let advice = advice.replace("`patchfleet run --retry` tries it again", &again);
    Some(advice.replace("`patchfleet collect`", &format!("`patchfleet collect {id}`")))
}

/// What a person can do about a location that was skipped; `None` if nothing is to be done there.
fn of_skipped(reason: SkipReason) -> Option<&'static str> {
    Some(match reason {
        SkipReason::Empty => return None,
        SkipReason::GroupMissing => {
            "if nodes there are to be patched, make a resource group of that name there, and run the request again"
        }
        SkipReason::Excluded => {
            "if it is to be patched, take it out of what the request excludes, and run the request again"
        }
        SkipReason::AccountNotActive => {
            "if it is to be patched, run the request again once the account is active"
        }
        SkipReason::RegionNotEnabled => {
            "if it is to be patched, enable the Region in the account, and run the request again"
        }
        SkipReason::Denied => {
            "if it is to be patched, let the discovery role read there, and run the request again"
        }
        SkipReason::Unknown => "see to it that the location can be read, and run the request again",
        SkipReason::Offline => "once a node there answers Systems Manager, run the request again",
    })
}

/// The rows that are told of what was asked about.
fn rows(at: &LocationExplanation) -> impl Iterator<Item = &NodeRow> {
    let of_node = at.node.iter().filter_map(|node| node.row.as_ref());
    of_node.chain(&at.needs_action)
}

/// Why the patches of a node have no names, where they may have them once somebody asks again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Nameless {
    Otherwise,
    /// AWS did not allow to read them.
    Denied,
}

/// Why the patches of a node have no names, if asking again may help.
fn nameless(state: &State, row: &NodeRow) -> Option<Nameless> {
    use NamesUnreadReason as R;
    row.shortfall()?;
    let Some(names) = &row.patches else {
        // The row is an older version's, or it has no patch state, as under a baseline of the request's own.
        let has_no_state = state.plan().request.patch.baseline_override.is_some();
        return (!has_no_state).then_some(Nameless::Otherwise);
    };
    match names.unread.as_ref()?.reason {
        R::Denied => Some(Nameless::Denied),
        R::NotAsked | R::TooManyNodes | R::NotRead | R::ReportedAnew => Some(Nameless::Otherwise),
        R::Invalid | R::Other => None,
    }
}
