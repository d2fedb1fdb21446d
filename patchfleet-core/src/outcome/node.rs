//! What became of a node.

use super::PatchNames;
use crate::id::{NodeId, RowsDigest};
use crate::port::PatchShortfall;
use crate::request::{GoneAction, PatchRequest, RebootOption};
use crate::text::{by_number, counted};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What became of a node. Exactly one for each node of the selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeOutcome {
    /// Scanned (Scan), or nothing missing, failed or waiting (Install).
    Done,
    /// Installed, and waits for a reboot. Reaches the goal only under NoReboot.
    PendingReboot,
    /// Patches are still missing after Install.
    Missing,
    /// Patches failed to install, or the operation itself failed.
    Failed,
    /// It was reached, and does not answer any more. A node that reported success also counts as lost if it is not listed
    /// any more and the results of its run say that it fell short of its goal.
    Lost,
    /// The command never reached it.
    Unreached,
    /// It was not patched: no command was sent to it, or the command ended before it was its turn.
    NotRun,
    /// Selected, and not listed by Systems Manager: stopped, terminated, or never registered.
    Unmanaged,
    /// Not there any more, and not harmed as far as is known. Either it was provably through with its run and
    /// at its goal before Systems Manager stopped listing it. Or it is neither selected nor listed any more,
    /// and no result of the run says that it fell short, as when an autoscaling group ended it. Counts as at
    /// its goal unless `policy.gone` is `fail`.
    Gone,
    /// The command was at work on it when it expired, and what it began may run on. Nothing tells when that is over, so a bound on
    /// the fleet counts it as in flight for good.
    RunningAtExpiry,
    /// Its results could not be read, or another run has written its patch state since.
    Unknown,
}

impl NodeOutcome {
    /// The outcome in snake_case, as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::PendingReboot => "pending_reboot",
            Self::Missing => "missing",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Unreached => "unreached",
            Self::NotRun => "not_run",
            Self::Unmanaged => "unmanaged",
            Self::Gone => "gone",
            Self::RunningAtExpiry => "running_at_expiry",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the node reached its goal. A node that waits for a reboot has reached it if the campaign was not allowed to
    /// reboot it. A node that is gone has reached it unless the policy says otherwise.
    #[must_use]
    pub fn reaches_goal(self, goal: Goal) -> bool {
        match self {
            Self::Done => true,
            Self::PendingReboot => goal.reboot == RebootOption::NoReboot,
            Self::Gone => goal.gone == GoneAction::Accept,
            Self::Missing
            | Self::Failed
            | Self::Lost
            | Self::Unreached
            | Self::NotRun
            | Self::Unmanaged
            | Self::RunningAtExpiry
            | Self::Unknown => false,
        }
    }

    /// What a person can do about a node that came to this, in words; `None` if that depends on the node.
    #[must_use]
    pub(crate) fn advice(self) -> Option<&'static str> {
        match self {
            Self::Missing => Some("run the request again"),
            Self::NotRun => Some("`patchfleet run --retry` tries it again"),
            Self::Failed => Some("look at the node's output; `patchfleet run --retry` tries it again"),
            Self::Lost => Some("look at the node"),
            Self::RunningAtExpiry => Some(
                "look at the node; once what runs there is over, `patchfleet collect` reads what it came to",
            ),
            Self::Unknown => Some(
                "`patchfleet collect` where they could not be read; otherwise look at the node or run the request again",
            ),
            Self::Unreached => {
                Some("once it answers Systems Manager, `patchfleet run --retry` tries it again")
            }
            Self::Unmanaged => {
                Some("see that it runs and is registered with Systems Manager, and run the request again")
            }
            Self::Done | Self::PendingReboot | Self::Gone => None,
        }
    }

    /// Whether nobody knows what the run of the node came to. It may be harmed, and it may be at work still.
    #[must_use]
    pub fn is_unknown(self) -> bool {
        matches!(self, Self::Unknown | Self::RunningAtExpiry)
    }

    /// Whether the campaign may have harmed the node. It was reached, and its run failed or it does not answer any more.
    #[must_use]
    pub fn is_damaged(self) -> bool {
        matches!(self, Self::Failed | Self::Lost)
    }
}

/// What a campaign wants of its nodes, as far as its request decides that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Goal {
    /// Whether it may reboot them.
    pub reboot: RebootOption,
    /// What a node that is gone counts as.
    pub gone: GoneAction,
}

impl PatchRequest {
    /// What the request wants of its nodes.
    #[must_use]
    pub fn goal(&self) -> Goal {
        Goal {
            reboot: self.patch.reboot_option,
            gone: self.policy.gone,
        }
    }

    /// What the request wants of the nodes of the wave with this number, from 1.
    #[must_use]
    pub fn goal_in(&self, wave: u32) -> Goal {
        Goal {
            reboot: self.reboot_option_in(wave),
            ..self.goal()
        }
    }
}

/// The result of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRow {
    /// The node.
    pub node: NodeId,
    /// What became of it.
    pub outcome: NodeOutcome,
    /// Whether it joined the selection after the census, so that the plan does not have it. Always
    /// false where the plan does not name its nodes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub joined: bool,
    /// Whether nothing of a command can be at work on a node that was not reached: it was sent none, it could not be delivered, or
    /// the node's agent was silent from before the command until after it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub away: bool,
    /// Until when what was begun on a lost node may be at work there: its command ended while the node's agent was silent, and no agent
    /// has said that it is over. `None`: nothing is, as far as anybody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_run_until: Option<Timestamp>,
    /// Why, in words. Empty if the outcome says it all.
    pub detail: String,
    /// Patches installed, by its patch state. `None` if it has no fresh one.
    pub installed: Option<u32>,
    /// Patches still missing.
    pub missing: Option<u32>,
    /// Patches that failed.
    pub failed: Option<u32>,
    /// The names of the patches for which it is `failed` or `missing`. `None` if it is neither for its patches, or if its
    /// row is of a version that read no names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patches: Option<PatchNames>,
}

impl NodeRow {
    /// Which of these rows says what, as the log has it. `None` of no row.
    #[must_use]
    pub fn digest(rows: &[Self]) -> Option<RowsDigest> {
        RowsDigest::of(rows.iter().map(|row| (&row.node, row.outcome.as_str())))
    }

    /// How its patches fall short, and how many do, if its outcome follows from their number.
    #[must_use]
    pub fn shortfall(&self) -> Option<(PatchShortfall, u32)> {
        let (shortfall, count) = match self.outcome {
            NodeOutcome::Failed => (PatchShortfall::Failed, self.failed),
            NodeOutcome::Missing => (PatchShortfall::Missing, self.missing),
            _ => return None,
        };
        count.filter(|count| *count > 0).map(|count| (shortfall, count))
    }
}

/// The sum, at most what a `u32` holds. The numbers are read from a file, so they may be anything.
pub(crate) fn saturating_sum(numbers: impl Iterator<Item = u32>) -> u32 {
    numbers.fold(0, u32::saturating_add)
}

/// How many nodes came to which outcome. Outcomes that no node came to are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tally(BTreeMap<NodeOutcome, u32>);

impl Tally {
    /// Counts `n` more nodes with this outcome.
    pub fn add(&mut self, outcome: NodeOutcome, n: u32) {
        if n > 0 {
            let count = self.0.entry(outcome).or_default();
            *count = count.saturating_add(n);
        }
    }

    /// Adds another tally to this one.
    pub fn merge(&mut self, other: &Self) {
        for (&outcome, &n) in &other.0 {
            self.add(outcome, n);
        }
    }

    /// The nodes with this outcome.
    #[must_use]
    pub fn count(&self, outcome: NodeOutcome) -> u32 {
        self.0.get(&outcome).copied().unwrap_or_default()
    }

    /// The nodes of which nobody knows what their run came to.
    #[must_use]
    pub fn unknown(&self) -> u32 {
        let unknown = self.0.iter().filter(|(outcome, _)| outcome.is_unknown());
        saturating_sum(unknown.map(|(_, n)| *n))
    }

    /// All nodes.
    #[must_use]
    pub fn total(&self) -> u32 {
        saturating_sum(self.0.values().copied())
    }

    /// The nodes that did not reach their goal.
    #[must_use]
    pub(crate) fn short_of(&self, goal: Goal) -> u32 {
        let short = self.iter().filter(|(outcome, _)| !outcome.reaches_goal(goal));
        saturating_sum(short.map(|(_, n)| n))
    }

    /// How many nodes fell short of what the campaign wanted of them, in words; `None` if none did.
    pub(crate) fn shortfall(&self, goal: Goal) -> Option<String> {
        let (short, total) = (self.short_of(goal), self.total());
        let their = by_number(total, "its", "their");
        (short > 0).then(|| format!("{short} of {} did not reach {their} goal", counted(total, "node")))
    }

    /// Whether words are [`shortfall`](Self::shortfall)'s, of this version or an earlier one.
    pub(crate) fn is_shortfall(words: &str) -> bool {
        let of_several = words.strip_suffix(" did not reach their goal");
        let nodes = of_several.or_else(|| words.strip_suffix(" did not reach its goal"));
        nodes.is_some_and(|nodes| nodes.ends_with(" nodes") || nodes.ends_with(" node"))
    }

    /// Every outcome that some node came to, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (NodeOutcome, u32)> {
        self.0.iter().map(|(&outcome, &n)| (outcome, n))
    }
}

impl FromIterator<NodeOutcome> for Tally {
    fn from_iter<I: IntoIterator<Item = NodeOutcome>>(outcomes: I) -> Self {
        let mut tally = Self::default();
        for outcome in outcomes {
            tally.add(outcome, 1);
        }
        tally
    }
}
