//! What is not done, and why. A location may be left out, and a whole plan may be refused.

use crate::census::UnknownCause;
use crate::id::{AccountId, Location, Region};
use crate::text::{counted, one_line};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A location that will not be patched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// Why.
    pub reason: SkipReason,
    /// Why the answer is unknown, if that is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<UnknownCause>,
    /// The reason in words.
    pub detail: String,
}

impl Skip {
    /// The pair of account and Region.
    #[must_use]
    pub fn location(&self) -> Location {
        Location::new(self.account.clone(), self.region.clone())
    }
}

/// Why a location is not patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// A complete answer without a node.
    Empty,
    /// No group of that name.
    GroupMissing,
    /// The request excludes the account or the Region.
    Excluded,
    /// The account is not ACTIVE.
    AccountNotActive,
    /// The Region is not enabled in the account.
    RegionNotEnabled,
    /// The census was denied there, and the policy excludes such locations (`policy.denied = "exclude"`). Unlike
    /// `Unknown` it does not count against the exit code.
    Denied,
    /// No complete answer.
    Unknown,
    /// No node there answers Systems Manager, and the policy leaves such nodes out.
    Offline,
}

impl SkipReason {
    /// The reason in snake_case, as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::GroupMissing => "group_missing",
            Self::Excluded => "excluded",
            Self::AccountNotActive => "account_not_active",
            Self::RegionNotEnabled => "region_not_enabled",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
            Self::Offline => "offline",
        }
    }
}

/// The details of skips, each in one line, for a table. What AWS said of several unknown locations in the same words is
/// told once, with their number, at the first of them. The others name that one.
pub(crate) fn details<'a>(skips: impl Iterator<Item = &'a Skip> + Clone) -> Vec<String> {
    let unknown = |skip: &Skip| skip.reason == SkipReason::Unknown;
    let mut with_these_words: BTreeMap<&str, (Location, usize)> = BTreeMap::new();
    for skip in skips.clone().filter(|skip| unknown(skip)) {
        let first = with_these_words.entry(&skip.detail);
        first.or_insert_with(|| (skip.location(), 0)).1 += 1;
    }
    let told = skips.map(|skip| {
        let detail = one_line(&skip.detail);
        match with_these_words
            .get(skip.detail.as_str())
            .filter(|_| unknown(skip))
        {
            Some((first, n)) if *n > 1 && *first == skip.location() => {
                format!("{detail} (in {})", counted(*n, "location"))
            }
            Some((first, n)) if *n > 1 => format!("as in {first}"),
            _ => detail,
        }
    });
    told.collect()
}

/// A plan that was refused before anything was started: every reason at once. In words, what is against several
/// subjects in the same words is told once, after all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("refused: {}", in_words(.reasons).join("\n  "))]
pub struct Refusal {
    /// Why, in the order of account and Region.
    pub reasons: Vec<RefusalReason>,
}

/// The reasons, in the order in which each was first told.
fn in_words(reasons: &[RefusalReason]) -> Vec<String> {
    let mut told: Vec<(&RefusalReason, Vec<&str>)> = vec![];
    let mut at: BTreeMap<(RefusalCode, &str), usize> = BTreeMap::new();
    for reason in reasons {
        let n = *at.entry((reason.code, &reason.detail)).or_insert(told.len());
        match told.get_mut(n) {
            Some((_, subjects)) => subjects.push(&reason.subject),
            None => told.push((reason, vec![&reason.subject])),
        }
    }
    let lines = told.into_iter().map(|(reason, subjects)| {
        let subject = subjects.join(", ");
        one_line(
            &RefusalReason {
                subject,
                ..reason.clone()
            }
            .to_string(),
        )
    });
    lines.collect()
}

/// One reason to refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("[{}] {subject}: {detail}", .code.as_str())]
pub struct RefusalReason {
    /// Which kind of reason. Stable.
    pub code: RefusalCode,
    /// What it is about: an account, a unit, a Region, a location, a node.
    pub subject: String,
    /// Why, and what to do.
    pub detail: String,
}

/// The kinds of refusal. Their snake_case names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefusalCode {
    /// An organizational unit, root or account that is not there.
    TargetNotFound,
    /// The organization cannot be read.
    DirectoryUnavailable,
    /// A Region that no account has.
    NoSuchRegion,
    /// The central Region is not enabled in the central account.
    CentralRegionNotEnabled,
    /// The central Region is opt-in, and a target Region is enabled by default.
    OptInTrap,
    /// A Region or role of another partition than the central one.
    WrongPartition,
    /// The census answered unknown, and the policy is to refuse.
    CensusUnknown,
    /// There is no such group, and the policy is to refuse.
    GroupMissing,
    /// There is no node, and the policy is to refuse.
    Empty,
    /// No location has a node of the selection, and the policy is to refuse.
    NothingSelected,
    /// Nothing can be patched in a wave that comes before others.
    WaveEmpty,
    /// The tags of an account could not be read, so nobody knows in which wave it is.
    AccountTags,
    /// A node that was asked for by its id is in no location.
    NodeNotFound,
    /// There is no such runbook.
    RunbookMissing,
    /// The runbook is not the one that this version starts. Or a runbook of one's own does not do what the request
    /// says.
    RunbookDiffers,
    /// Another campaign of the same request is open.
    CampaignOpen,
    /// A campaign's log or a claim is damaged, so another campaign of the same request may be open.
    LogDamaged,
    /// The campaign did not stop because somebody else cancelled something of it.
    NothingToGoOn,
    /// A campaign is not closed, because AWS knows what it began, or cannot be asked, or because something may still
    /// run.
    NotAbandoned,
    /// There is nothing to stop: the campaign is over, or was never begun.
    NotStopped,
    /// No wave waits for an approval, or another one than this.
    NotApproved,
    /// A start is not unresolved, or may not be sent again.
    NotSentAgain,
    /// A campaign of which nothing was begun, or of which the names of nodes are not known, is not retried.
    NotRetried,
    /// A plan that is made now differs from the saved one.
    PlanDrifted,
    /// The campaign was planned from another central account or Region than the caller's.
    OtherCentral,
    /// To find the selected nodes would take too many calls.
    TooLarge,
    /// The results of an Install could not be read afterwards: a call that collecting needs is denied.
    ResultsUnreadable,
    /// The role that is to send the commands of an Install cannot be assumed.
    SendRole,
    /// Nodes do not answer. The policy is to refuse then, or to leave them out and no others are left. Or they could hold
    /// every place of their location and nobody is there to see it. Nodes that were not counted may do so, too.
    NodesOffline,
    /// The cutoff is so near that no command would surely have expired by then.
    CutoffTooNear,
    /// The freezes of the request let nothing begin, or not in time.
    Frozen,
    /// The change calendars cannot be asked, or one is closed and nobody follows what is begun.
    ChangeCalendars,
    /// There is no such CloudWatch alarm, it cannot be asked, or it is in the state ALARM.
    Alarm,
    /// `budget.fleet` asks for a bound that cannot be kept.
    FleetBudget,
    /// `budget.labels` asks for a bound that cannot be kept, or nodes lack the tag that it names.
    LabelBudget,
    /// The plan needs something that this way of running cannot do.
    Unsupported,
}

impl RefusalCode {
    /// The code's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TargetNotFound => "target_not_found",
            Self::DirectoryUnavailable => "directory_unavailable",
            Self::NoSuchRegion => "no_such_region",
            Self::CentralRegionNotEnabled => "central_region_not_enabled",
            Self::OptInTrap => "opt_in_trap",
            Self::WrongPartition => "wrong_partition",
            Self::CensusUnknown => "census_unknown",
            Self::GroupMissing => "group_missing",
            Self::Empty => "empty",
            Self::NothingSelected => "nothing_selected",
            Self::WaveEmpty => "wave_empty",
            Self::AccountTags => "account_tags",
            Self::NodeNotFound => "node_not_found",
            Self::RunbookMissing => "runbook_missing",
            Self::CampaignOpen => "campaign_open",
            Self::LogDamaged => "log_damaged",
            Self::NothingToGoOn => "nothing_to_go_on",
            Self::NotAbandoned => "not_abandoned",
            Self::NotStopped => "not_stopped",
            Self::NotApproved => "not_approved",
            Self::NotSentAgain => "not_sent_again",
            Self::NotRetried => "not_retried",
            Self::PlanDrifted => "plan_drifted",
            Self::OtherCentral => "other_central",
            Self::TooLarge => "too_large",
            Self::ResultsUnreadable => "results_unreadable",
            Self::SendRole => "send_role",
            Self::RunbookDiffers => "runbook_differs",
            Self::NodesOffline => "nodes_offline",
            Self::CutoffTooNear => "cutoff_too_near",
            Self::Frozen => "frozen",
            Self::ChangeCalendars => "change_calendars",
            Self::Alarm => "alarm",
            Self::FleetBudget => "fleet_budget",
            Self::LabelBudget => "label_budget",
            Self::Unsupported => "unsupported",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(region: &str, reason: SkipReason, detail: &str) -> Skip {
        Skip {
            account: "111122223333".parse().unwrap(),
            region: region.parse().unwrap(),
            reason,
            cause: None,
            detail: detail.to_owned(),
        }
    }

    #[test]
    fn what_aws_said_of_several_unknown_locations_is_told_once_with_their_number() {
        let denied = "denied: AccessDenied: no";
        let skips = [
            skip("eu-west-1", SkipReason::Unknown, denied),
            skip("eu-west-2", SkipReason::Empty, "no node"),
            skip("eu-west-3", SkipReason::Unknown, "throttled"),
            skip("us-east-1", SkipReason::Unknown, denied),
            skip("us-west-2", SkipReason::Empty, "no node"),
        ];
        assert_eq!(
            details(skips.iter()),
            [
                "denied: AccessDenied: no (in 2 locations)",
                "no node",
                "throttled",
                "as in 111122223333/eu-west-1",
                "no node"
            ]
        );
    }

    #[test]
    fn a_refusal_names_every_subject_and_tells_the_same_reason_once() {
        let reason = |code, subject: &str, detail: &str| RefusalReason {
            code,
            subject: subject.to_owned(),
            detail: detail.to_owned(),
        };
        let reasons = vec![
            reason(RefusalCode::CensusUnknown, "a/x", "denied"),
            reason(RefusalCode::NoSuchRegion, "us-east-9", "denied"),
            reason(RefusalCode::CensusUnknown, "a/y", "denied"),
            reason(RefusalCode::CensusUnknown, "a/z", "throttled"),
        ];
        assert_eq!(
            Refusal { reasons }.to_string(),
            "refused: [census_unknown] a/x, a/y: denied\n  [no_such_region] us-east-9: denied\n  \
             [census_unknown] a/z: throttled"
        );
    }
}
