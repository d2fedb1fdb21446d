//! The refusal of a selection that has no node in any location.

use super::PlannedLocation;
use crate::expand::Candidates;
use crate::refusal::{RefusalCode, RefusalReason, Skip, SkipReason};
use crate::request::{PatchRequest, Selector};

/// Most names that one sentence lists.
const NAMED: usize = 5;

/// Why nothing is selected: what was looked for, what each of the locations answered, those that the
/// policy keeps among them, and what a person can do about it.
pub(super) fn reason(
    request: &PatchRequest,
    candidates: &Candidates,
    skipped: &[Skip],
    kept: &[PlannedLocation],
) -> RefusalReason {
    let answers = skipped.iter().map(|skip| skip.reason);
    let answers: Vec<SkipReason> = answers.chain(kept.iter().filter_map(|at| at.kept)).collect();
    let mut detail = vec![format!("nothing would be done: {}", found(candidates, &answers))];
    detail.extend(hints(request, candidates, &answers));
    detail.push("if that is right, set policy.nothing_selected to \"succeed\"".to_owned());
    RefusalReason {
        code: RefusalCode::NothingSelected,
        subject: in_words(&request.targets.selector),
        detail: detail.join("; "),
    }
}

pub(super) fn in_words(selector: &Selector) -> String {
    match selector {
        Selector::ResourceGroup(group) => format!("the resource group {group}"),
        Selector::Tags(tags) => {
            let tags = tags
                .iter()
                .map(|(key, values)| format!("{key} = {}", some(values.iter().map(String::as_str))));
            format!("the tags {}", some(tags))
        }
        Selector::AllManaged => "all managed nodes".to_owned(),
        Selector::NodeIds(nodes) => format!("the node ids {}", some(nodes.iter())),
    }
}

fn some<T: ToString>(names: impl Iterator<Item = T>) -> String {
    let mut names: Vec<String> = names.map(|name| name.to_string()).collect();
    if let Some(more) = names.len().checked_sub(NAMED)
        && more > 0
    {
        names.truncate(NAMED);
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

/// What the locations answered, in counts.
fn found(candidates: &Candidates, answers: &[SkipReason]) -> String {
    if answers.is_empty() {
        let childless = some(candidates.childless.iter());
        return match candidates.childless.as_slice() {
            [] => "no account has a Region to look into".to_owned(),
            [_] => format!("{childless} has no account"),
            _ => format!("{childless} have no account"),
        };
    }
    let kinds = [
        (SkipReason::Empty, "without a node"),
        (SkipReason::GroupMissing, "without a group of that name"),
        (SkipReason::Excluded, "excluded by the request"),
        (SkipReason::AccountNotActive, "in an account that is not active"),
        (
            SkipReason::RegionNotEnabled,
            "in a Region that is not enabled in its account",
        ),
        (SkipReason::Denied, "out of scope because access is denied"),
        (SkipReason::Unknown, "with an answer that is not known"),
    ];
    let mut rest = answers.len();
    let mut parts: Vec<String> = Vec::new();
    for (reason, words) in kinds {
        let n = answers.iter().filter(|answer| **answer == reason).count();
        rest = rest.saturating_sub(n);
        if n > 0 {
            parts.push(format!("{n} {words}"));
        }
    }
    if rest > 0 {
        parts.push(format!("{rest} left out for other reasons"));
    }
    let of = match answers.len() {
        1 => "of 1 location".to_owned(),
        n => format!("of {n} locations"),
    };
    format!("{of}, {}", parts.join(", "))
}

fn hints(request: &PatchRequest, candidates: &Candidates, answers: &[SkipReason]) -> Vec<String> {
    let mut hints = Vec::new();
    if !candidates.childless.is_empty() && !request.targets.include_child_ous {
        let units = some(candidates.childless.iter());
        hints.push(format!(
            "no account is directly below {units}: set targets.include_child_ous to true if the accounts are in units further down"
        ));
    }
    let missing = |reason| answers.contains(&reason);
    if missing(SkipReason::GroupMissing) {
        hints.push(
            "a resource group belongs to one account and one Region, and its name is case-sensitive"
                .to_owned(),
        );
    } else if missing(SkipReason::Empty) && matches!(request.targets.selector, Selector::Tags(_)) {
        hints.push("tag keys and values are case-sensitive".to_owned());
    }
    hints
}
