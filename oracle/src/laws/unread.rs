//! Law 3: a location whose census had no complete answer is unknown. Nobody says that nothing is there, and nothing is begun there.
//!
//! Which answers were struck is what the simulator's faults say of themselves.

use super::asked::selected;
use crate::draft::Draft;
use crate::run::{Ending, Run};
use crate::starts::Pair;
use patchfleet_core::refusal::{Refusal, RefusalCode, SkipReason};
use std::collections::BTreeSet;

pub(super) fn unknown_is_not_empty(run: &Run) {
    let of_wish = run.draft.wish.if_unknown;
    let mut unknown = run.unread.clone();
    unknown.retain(|at| !run.draft.is_known_to_be_empty(at));
    let done = match &run.result {
        Ok(done) => done,
        Err(refusal) => return all_are_named(run, &unknown, refusal),
    };
    let skipped = done.plan.skipped.iter();
    let skipped = skipped.map(|one| ((one.account.to_string(), one.region.to_string()), one.reason));
    let skipped: Vec<(Pair, SkipReason)> = skipped.collect();
    if !run.is_further() {
        let nodes = selected(&run.draft);
        let listed = run.draft.listed();
        // A start that has to name nodes cannot name those that Systems Manager does not list.
        let can_name_none = |at: &Pair| {
            let mut listed = listed.iter().map(|(_, place)| Draft::location(*place));
            run.draft.names_nodes() && of_wish.unknown == "skip" && listed.all(|other| other != *at)
        };
        let online = run.draft.online();
        let is_silent = |at: &Pair| {
            let mut online = online.iter().map(|(_, place)| Draft::location(*place));
            run.draft.wish.offline == "skip" && online.all(|other| other != *at)
        };
        for (at, reason) in &skipped {
            // No node of it answers, and the request leaves such nodes out.
            let is_left_out = *reason == SkipReason::Offline && is_silent(at);
            let is_empty = matches!(reason, SkipReason::Empty | SkipReason::GroupMissing);
            let is_known = nodes.contains_key(at) && !unknown.contains(at);
            assert!(
                !is_known || is_left_out || *reason == SkipReason::Unknown && can_name_none(at),
                "{at:?} has nodes and was skipped: {reason:?}"
            );
            assert!(
                !is_empty || !unknown.contains(at),
                "nobody knows what is in {at:?}, and it is said to be empty: {reason:?}"
            );
        }
    }
    let mut leaves_something = false;
    for at in &unknown {
        let reason = skipped.iter().find(|(skipped, _)| skipped == at);
        let Some((_, reason)) = reason else {
            panic!("nobody knows what is in {at:?}, and it was not skipped");
        };
        let may_be = match reason {
            SkipReason::Unknown => of_wish.unknown == "skip" || of_wish.denied == "skip",
            SkipReason::Denied => of_wish.denied == "exclude",
            _ => false,
        };
        assert!(may_be, "{at:?} was skipped as {reason:?} by {of_wish:?}");
        leaves_something |= *reason == SkipReason::Unknown;
    }
    if leaves_something && matches!(done.ending, Ending::Finished) {
        let code = done.ended.report.exit_code();
        assert_ne!(
            code, 0,
            "nobody knows what is in {unknown:?}, and it is a success"
        );
    }
}

/// Where the request refuses what is unknown, each such location is named at once. What is there may be denied, so either word of
/// the request may be the one that counts.
fn all_are_named(run: &Run, unknown: &BTreeSet<Pair>, refusal: &Refusal) {
    let of_wish = run.draft.wish.if_unknown;
    if of_wish.unknown != "refuse" || of_wish.denied != "refuse" {
        return;
    }
    for (account, region) in unknown {
        let subject = format!("{account}/{region}");
        let mut reasons = refusal.reasons.iter();
        let is_named = reasons.any(|one| one.code == RefusalCode::CensusUnknown && one.subject == subject);
        assert!(is_named, "{subject} is unknown, and is not named: {refusal}");
    }
}
