//! How nodes take patches, as layers: the world's default, the group's, the block's or the node's.

use super::Problem;
use schemars::JsonSchema;
use serde::Deserialize;

/// More patches than any node has.
const MAX_PATCHES: u32 = 100_000;

/// One layer. What it does not say is taken from the layer below it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchSpec {
    /// What happens when the baseline runs (default ok).
    pub outcome: Option<OutcomeSpec>,
    /// Patches that are missing at the start (default: 3 to 12, by node).
    pub missing: Option<u32>,
    /// Patches that are installed at the start (default: 140 to 320, by node).
    pub installed: Option<u32>,
    /// Virtual minutes of an Install before its reboot (default 8). Each node takes 75 % to 125 %
    /// of it; a Scan takes a fifth.
    pub minutes: Option<f64>,
    /// Virtual minutes of a reboot (default 3).
    pub reboot_minutes: Option<f64>,
    /// Virtual minutes after its reboot for which the agent of `returns_late` is silent (default 60).
    pub late_minutes: Option<f64>,
    /// The share of the missing patches, 0 to 1, that any InstallOverrideList names (default 1). The
    /// others stay missing.
    pub listed_share: Option<f64>,
    /// Patches that fail to install where the outcome has failures (default: all that are missing
    /// for `fails`, 1 for `succeeds_with_failed_patches`).
    pub failed_patches: Option<u32>,
    /// The share of nodes, 0 to 1, whose outcome is `fails` whatever `outcome` says (default 0).
    pub failing_share: Option<f64>,
    /// Patches that were installed before the world begins and wait for a reboot (default 0).
    pub pending_reboot: Option<u32>,
    /// Patches that are installed though the baseline rejects them (default 0). Nothing removes them,
    /// and they keep the node non-compliant.
    pub rejected: Option<u32>,
    /// How many Installs end as with `fails` before `outcome` holds (default 0).
    pub fails_first: Option<u32>,
    /// Whether a scan was made before the world begins (default true).
    pub scanned: Option<bool>,
}

/// What becomes of a node when AWS-RunPatchBaseline installs on it. `undeliverable` and
/// `access_denied` hold for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeSpec {
    /// Installs everything, and reboots unless told not to.
    #[default]
    Ok,
    /// Ends with an error and failed patches.
    Fails,
    /// Ends with an error before it looks at a single patch, and reports nothing. So does a Scan.
    FailsBeforePatching,
    /// Ends well as far as Run Command can tell, with failed patches.
    SucceedsWithFailedPatches,
    /// Installs, reboots, and is never heard of again. When the document's time is over it is given up
    /// as ExecutionTimedOut, which is an error.
    NeverReturns,
    /// Like `never_returns`, but Systems Manager gives it up only when the command expires, and as
    /// DeliveryTimedOut, which is no error. No agent is left to say that the execution timed out.
    Vanishes,
    /// Installs and reboots. Its agent hibernates, and answers only `late_minutes` later.
    ReturnsLate,
    /// Never ends, though the agent goes on answering. So does a Scan.
    Stuck,
    /// No command can be delivered to it: Undeliverable, at once.
    Undeliverable,
    /// Nobody may send it a command: AccessDenied, at once.
    AccessDenied,
}

impl PatchSpec {
    /// This layer over `below`.
    #[must_use]
    pub fn over(&self, below: &Self) -> Self {
        Self {
            outcome: self.outcome.or(below.outcome),
            missing: self.missing.or(below.missing),
            installed: self.installed.or(below.installed),
            minutes: self.minutes.or(below.minutes),
            reboot_minutes: self.reboot_minutes.or(below.reboot_minutes),
            late_minutes: self.late_minutes.or(below.late_minutes),
            listed_share: self.listed_share.or(below.listed_share),
            failed_patches: self.failed_patches.or(below.failed_patches),
            failing_share: self.failing_share.or(below.failing_share),
            pending_reboot: self.pending_reboot.or(below.pending_reboot),
            rejected: self.rejected.or(below.rejected),
            fails_first: self.fails_first.or(below.fails_first),
            scanned: self.scanned.or(below.scanned),
        }
    }

    /// What is out of range in this layer, which stands at `path`.
    pub(crate) fn problems(&self, path: &str, problems: &mut Vec<Problem>) {
        let mut problem = |name: &str, message: String| {
            problems.push(Problem {
                position: None,
                path: format!("{path}.{name}"),
                message,
            });
        };
        for (name, value) in [
            ("minutes", self.minutes),
            ("reboot_minutes", self.reboot_minutes),
            ("late_minutes", self.late_minutes),
        ] {
            if let Some(value) = value.filter(|v| !(0.0..=1440.0).contains(v)) {
                problem(name, format!("{value} is not between 0 and 1440"));
            }
        }
        for (name, value) in [
            ("missing", self.missing),
            ("installed", self.installed),
            ("failed_patches", self.failed_patches),
            ("pending_reboot", self.pending_reboot),
            ("rejected", self.rejected),
        ] {
            if let Some(value) = value.filter(|v| *v > MAX_PATCHES) {
                problem(name, format!("{value} is more than {MAX_PATCHES}"));
            }
        }
        for (name, value) in [
            ("failing_share", self.failing_share),
            ("listed_share", self.listed_share),
        ] {
            if let Some(value) = value.filter(|v| !(0.0..=1.0).contains(v)) {
                problem(name, format!("{value} is not between 0 and 1"));
            }
        }
    }
}
