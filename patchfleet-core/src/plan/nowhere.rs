//! The refusal of a selection that has no node in any location.

use super::PlannedLocation;
use crate::expand::Candidates;
use crate::refusal::{RefusalCode, RefusalReason, Skip, SkipReason};
use crate::request::{PatchRequest, Selector};
use crate::text::{by_number, counted, names};

/// Why nothing is selected. It says what was looked for, what the locations answered (also those that the policy keeps),
/// and what a person can do.
pub(super) fn reason(
    request: &PatchRequest,
    candidates: &Candidates,
    skipped: &[Skip],
    kept: &[PlannedLocation],
) -> RefusalReason {
    let answers = skipped.iter().map(|skip| skip.reason);
    let answers: Vec<SkipReason> = answers.chain(kept.iter().filter_map(|at| at.kept)).collect();
    let mut detail = vec![format!(
        "nothing would be done: {}",
        found(request, candidates, &answers)
    )];
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
                .map(|(key, values)| format!("{key} = {}", names(values)));
            format!("the tags {}", names(tags))
        }
        Selector::AllManaged => "all managed nodes".to_owned(),
        Selector::NodeIds(nodes) => format!("the node ids {}", names(nodes)),
    }
}

/// What the locations answered, in counts.
fn found(request: &PatchRequest, candidates: &Candidates, answers: &[SkipReason]) -> String {
    if answers.is_empty() {
        return childless(request, candidates)
            .unwrap_or_else(|| "no account has a Region to look into".to_owned());
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
    format!("of {}, {}", counted(answers.len(), "location"), parts.join(", "))
}

/// That units have no account, as far as the request looks into them.
fn childless(request: &PatchRequest, candidates: &Candidates) -> Option<String> {
    let units = &candidates.childless;
    (!units.is_empty()).then(|| match request.targets.include_child_ous {
        false => format!("no account is directly below {}", names(units)),
        true => format!(
            "{} {} no account",
            names(units),
            by_number(units.len(), "has", "have")
        ),
    })
}

fn hints(request: &PatchRequest, candidates: &Candidates, answers: &[SkipReason]) -> Vec<String> {
    let mut hints = Vec::new();
    if let Some(childless) = childless(request, candidates).filter(|_| !request.targets.include_child_ous) {
        // If there is nothing but such units, that was what was found.
        let first = if answers.is_empty() {
            String::new()
        } else {
            format!("{childless}: ")
        };
        hints.push(format!(
            "{first}set targets.include_child_ous to true if the accounts are in units further down"
        ));
    }
    // A refusal has no warnings, and what is looked for may be in there. Of units without an account it was said above.
    let deeper = candidates.deeper.iter();
    let others = deeper.filter(|(parent, _)| !candidates.childless.contains(parent));
    hints.extend(others.map(|(_, left_out)| left_out.clone()));
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
