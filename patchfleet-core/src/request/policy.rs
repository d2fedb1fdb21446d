//! What an answer of the census, or of the results, leads to.

use serde::{Deserialize, Serialize};

/// What each answer of the census leads to. `keep` plans the location all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// No complete answer. Default: refuse.
    pub unknown: PolicyAction,
    /// No group of that name. Default: skip, with a warning.
    pub group_missing: PolicyAction,
    /// No node. Default: skip.
    pub empty: PolicyAction,
    /// The caller may not ask. Default: what `unknown` says.
    pub denied: DeniedAction,
    /// No location has a node. Default: refuse.
    pub nothing_selected: NothingSelected,
    /// A node is registered, and its agent does not answer. Default: target.
    pub offline: OfflineAction,
    /// A node of the census is no longer there when the results are read. Default: accept.
    pub gone: GoneAction,
    /// What runs still when the cutoff comes, because AWS began it late. Default: cancel.
    #[serde(skip_serializing_if = "AtCutoff::is_default")]
    pub at_cutoff: AtCutoff,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            unknown: PolicyAction::Refuse,
            group_missing: PolicyAction::Skip,
            empty: PolicyAction::Skip,
            denied: DeniedAction::Refuse,
            nothing_selected: NothingSelected::Refuse,
            offline: OfflineAction::Target,
            gone: GoneAction::Accept,
            at_cutoff: AtCutoff::Cancel,
        }
    }
}

/// What an answer leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyAction {
    /// The whole plan is refused.
    Refuse,
    /// The location is left out, with its reason.
    Skip,
    /// The location is planned as if nodes were there.
    Keep,
}

/// What becomes of executions and commands that run still when the cutoff comes. Every command has expired by then, unless AWS
/// began it late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtCutoff {
    /// They are cancelled, as a stop does it.
    #[default]
    Cancel,
    /// They run on. The campaign says so, and is halted all the same.
    Finish,
}

impl AtCutoff {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a denied census call leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeniedAction {
    /// The whole plan is refused.
    Refuse,
    /// The location is left out as unknown. The run does not end with exit code 0.
    Skip,
    /// The location is planned as if nodes were there.
    Keep,
    /// The location is out of scope for good, for example because a service control policy denies
    /// its Region. It is shown, and does not count against the exit code.
    Exclude,
}

impl From<PolicyAction> for DeniedAction {
    fn from(action: PolicyAction) -> Self {
        match action {
            PolicyAction::Refuse => Self::Refuse,
            PolicyAction::Skip => Self::Skip,
            PolicyAction::Keep => Self::Keep,
        }
    }
}

/// What a selection that has no node in any location leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NothingSelected {
    /// The plan is refused. A selection that no node is in is almost always a misspelling.
    Refuse,
    /// The run succeeds with nothing to do.
    Succeed,
}

/// What a registered node whose agent does not answer leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfflineAction {
    /// It is targeted with the others. The command waits for it until the command expires.
    Target,
    /// The start names only the nodes that are online. If no node is online in any location, the plan is refused,
    /// because it would patch nothing.
    Skip,
    /// The plan is refused.
    Refuse,
}

/// What a node that is no longer there when the results are read leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoneAction {
    /// It is shown, and does not count against the exit code, since autoscaling ends nodes at any time.
    Accept,
    /// It is a node that did not reach its goal.
    Fail,
}

/// The words for what becomes of nodes that do not answer.
pub(super) const OFFLINE: [(&str, OfflineAction); 3] = [
    ("target", OfflineAction::Target),
    ("skip", OfflineAction::Skip),
    ("refuse", OfflineAction::Refuse),
];
