//! AWS-RunPatchBaseline on a node: scan or install, reboot, report.

mod listing;

pub(crate) use listing::ListedPatch;

use crate::spec::{OutcomeSpec, Reachability};
use crate::world::{InvocationState, PatchReport, Patches, Status, World, commands::Trouble, time::Event};
use jiff::SignedDuration;
use patchfleet_core::id::NodeId;
use std::sync::Arc;

/// How long a snapshot of the baseline can be used: at most three days (Patch Manager, on
/// `SnapshotId`).
const SNAPSHOT_LIFE: SignedDuration = SignedDuration::from_hours(72);

/// Seconds until a run that cannot begin reports it.
const TROUBLE_SECONDS: i64 = 1;

/// The baseline run's parameters, as a node gets them.
struct Run {
    install: bool,
    may_reboot: bool,
    /// Whether a list, and not the baseline, says what to install.
    override_list: bool,
    both_overrides: bool,
    snapshot: String,
}

impl World {
    fn run_of(&self, command: &str) -> Option<Run> {
        let command = self.commands.get(command)?;
        Some(Run {
            install: command.parameter("Operation") == "Install",
            may_reboot: command.parameter("RebootOption") != "NoReboot",
            override_list: !command.parameter("InstallOverrideList").is_empty(),
            both_overrides: !command.parameter("InstallOverrideList").is_empty()
                && !command.parameter("BaselineOverride").is_empty(),
            snapshot: command.parameter("SnapshotId").to_owned(),
        })
    }

    /// The agent has taken the command.
    pub(in crate::world) fn begin_baseline(&mut self, command: &str, id: &NodeId) {
        let Some(run) = self.run_of(command) else { return };
        let expired = self.snapshot_has_expired(id, &run.snapshot);
        let Some(node) = self.node_mut(id) else { return };
        let outcome = node.behaviour.outcome;
        let trouble = if run.both_overrides {
            Some(Trouble::TwoOverrides)
        } else if outcome == OutcomeSpec::FailsBeforePatching {
            Some(Trouble::SetUp)
        } else if expired {
            Some(Trouble::SnapshotExpired)
        } else {
            None
        };
        let mut seconds = TROUBLE_SECONDS;
        if trouble.is_none() {
            seconds = node.behaviour.scan_seconds;
            if run.install {
                node.installs += 1;
                seconds = node.behaviour.install_seconds;
            }
        }
        if let Some(invocation) = self
            .commands
            .get_mut(command)
            .and_then(|command| command.invocation_mut(id))
        {
            invocation.trouble = trouble;
        }
        let timeout = self.execution_timeout(command);
        if outcome != OutcomeSpec::Stuck {
            self.after_seconds(
                seconds,
                Event::WorkDone {
                    command: command.to_owned(),
                    node: id.clone(),
                },
            );
        }
        self.times_out_after(timeout, command, id);
    }

    /// Whether the snapshot is too old. It is taken when a node of the location first names it, and
    /// then the same for all of them.
    fn snapshot_has_expired(&mut self, node: &NodeId, snapshot: &str) -> bool {
        let now = self.now();
        let place = self.nodes.place_of_mut(node);
        let Some(place) = place.filter(|_| !snapshot.is_empty()) else {
            return false;
        };
        let taken = *place
            .snapshots
            .entry(snapshot.to_ascii_lowercase())
            .or_insert(now);
        now.duration_since(taken) >= SNAPSHOT_LIFE
    }

    pub(in crate::world) fn baseline_done(&mut self, command: &str, id: &NodeId) {
        let Some(run) = self.run_of(command) else { return };
        let invocation = self.commands.get(command).and_then(|one| one.invocation(id));
        if let Some(trouble) = invocation.and_then(|one| one.trouble) {
            return self.end_invocation(command, id, Status::Failed, "Failed", trouble.exit_code());
        }
        if !run.install {
            return self.end_scan(command, id);
        }
        let now = self.now();
        let Some(node) = self.node_mut(id) else { return };
        let (before, outcome) = (node.patches, node.install_outcome());
        let named = run.override_list.then_some(node.behaviour.listed_share);
        node.patches = installed(before, outcome, node.behaviour.failed_patches, named);
        let present = node.patches.installed + node.patches.pending_reboot;
        if present > before.installed + before.pending_reboot {
            // Most nodes see one Install: no room is kept for more.
            node.history.reserve_exact(1);
            node.history.push((present, now));
        }
        let reboots = node.patches.pending_reboot > 0 && run.may_reboot && outcome != OutcomeSpec::Fails;
        if !reboots {
            return self.end_install(command, id);
        }
        node.silent_since = Some(now);
        node.reboots_for = Some(command.to_owned());
        node.boots = node.boots.saturating_add(1);
        let seconds = node.behaviour.reboot_seconds;
        let seconds = match outcome {
            OutcomeSpec::NeverReturns | OutcomeSpec::Vanishes => return,
            OutcomeSpec::ReturnsLate => seconds.saturating_add(node.behaviour.late_seconds),
            _ => seconds,
        };
        self.comes_back_after(id, seconds);
    }

    /// Reboots a node from outside of Systems Manager. Patches that waited for a reboot are then
    /// active, and the next Scan tells Systems Manager. Gives false if the node is not online or a
    /// command is running on it.
    pub fn reboot(&mut self, id: &NodeId) -> bool {
        let now = self.now();
        let busy = self.node(id).is_some_and(|node| {
            node.sent.iter().any(|command| {
                self.works(command, id)
                    || self.invocation_state(command, id) == Some(InvocationState::Cancelling)
            })
        });
        let Some(node) = self.node_mut(id).filter(|node| node.is_online() && !busy) else {
            return false;
        };
        node.silent_since = Some(now);
        node.boots = node.boots.saturating_add(1);
        let seconds = node.behaviour.reboot_seconds;
        self.comes_back_after(id, seconds);
        true
    }

    /// A node that went down for the `boot`th time is back, even if its command was given up meanwhile.
    pub(in crate::world) fn returns(&mut self, id: &NodeId, boot: u32) {
        let here = |node: &&mut crate::world::Node| {
            node.boots == boot && node.reachability != Reachability::Terminated
        };
        let Some(node) = self.node_mut(id).filter(here) else {
            return;
        };
        node.patches.installed += std::mem::take(&mut node.patches.pending_reboot);
        self.answers(id);
    }

    /// A node's agent answers again, and ends what it had been at.
    pub(in crate::world) fn answers(&mut self, id: &NodeId) {
        let Some(node) = self.node_mut(id) else { return };
        node.silent_since = None;
        node.reachability = Reachability::Online;
        let put_off = std::mem::take(&mut node.put_off);
        let command = node.reboots_for.take();
        let running = command.filter(|command| self.works(command, id));
        if let Some(command) = running {
            self.end_install(&command, id);
        }
        for command in put_off {
            let node = id.clone();
            self.after_seconds(0, Event::WorkDone { command, node });
        }
        self.redeliver(id);
    }

    fn end_scan(&mut self, command: &str, id: &NodeId) {
        if let Some(node) = self.node_mut(id) {
            // To a scan, what failed to install is simply missing.
            node.patches.missing += std::mem::take(&mut node.patches.failed);
        }
        self.report(command, id);
        self.end_invocation(command, id, Status::Success, "Success", 0);
    }

    fn end_install(&mut self, command: &str, id: &NodeId) {
        self.report(command, id);
        match self.node(id).map(crate::world::Node::install_outcome) {
            Some(OutcomeSpec::Fails) => self.end_invocation(command, id, Status::Failed, "Failed", 1),
            _ => self.end_invocation(command, id, Status::Success, "Success", 0),
        }
    }

    /// The node tells Systems Manager what it found. Under a BaselineOverride only the command's output
    /// tells it, and the patch state stays what it was.
    fn report(&mut self, command: &str, id: &NodeId) {
        let (now, name) = (self.now(), command.to_owned());
        let Some(command) = self.commands.get(command) else {
            return;
        };
        let given = |name: &str| Some(command.parameter(name).to_owned()).filter(|value| !value.is_empty());
        let install = command.parameter("Operation") == "Install";
        let option = given("RebootOption").unwrap_or_else(|| "RebootIfNeeded".to_owned());
        let no_reboot = install && option == "NoReboot";
        let report = PatchReport {
            operation: command.parameter("Operation").to_owned(),
            started: command.invocation(id).and_then(|one| one.started).unwrap_or(now),
            ended: now,
            snapshot: given("SnapshotId"),
            // A Scan ignores it.
            override_list: given("InstallOverrideList").filter(|_| install),
            reboot_option: install.then_some(option),
            found: Patches::default(),
        };
        let overridden = given("BaselineOverride").is_some();
        let Some(node) = self.node_mut(id) else { return };
        if no_reboot && !overridden {
            node.last_no_reboot_install = Some(now);
        }
        let report = Arc::new(PatchReport {
            found: node.patches,
            ..report
        });
        if !overridden {
            node.report = Some(report.clone());
        }
        if let Some(invocation) = self
            .commands
            .get_mut(&name)
            .and_then(|command| command.invocation_mut(id))
            .filter(|one| !one.state.is_terminal())
        {
            invocation.report = Some(report);
        }
    }
}

/// What is on a node after an Install and before the reboot. `named` is the share of the missing
/// patches that an override list names, if there is one. Patches that it does not name stay missing.
/// Without a list nothing stays missing, and each patch that is not installed has failed.
fn installed(before: Patches, outcome: OutcomeSpec, failed: Option<u32>, named: Option<f64>) -> Patches {
    let all = before.missing + before.failed;
    let wanted = named.map_or(all, |share| share_of(all, share));
    let failed = match outcome {
        OutcomeSpec::Fails => failed.unwrap_or(wanted).min(wanted),
        OutcomeSpec::SucceedsWithFailedPatches => failed.unwrap_or(1).min(wanted),
        _ => 0,
    };
    Patches {
        installed: before.installed,
        missing: all - wanted,
        failed,
        pending_reboot: before.pending_reboot + wanted - failed,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share from 0 to 1, checked when the file is read, of a count is a count"
)]
fn share_of(count: u32, share: f64) -> u32 {
    ((f64::from(count) * share).round() as u32).min(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_install_accounts_for_every_patch() {
        let before = Patches {
            installed: 10,
            missing: 4,
            failed: 1,
            pending_reboot: 2,
        };
        for (outcome, failed, named, expected) in [
            (OutcomeSpec::Ok, None, None, (0, 0, 7)),
            (OutcomeSpec::Fails, None, None, (0, 5, 2)),
            (OutcomeSpec::Fails, Some(2), None, (0, 2, 5)),
            (OutcomeSpec::SucceedsWithFailedPatches, None, None, (0, 1, 6)),
            (OutcomeSpec::SucceedsWithFailedPatches, Some(99), None, (0, 5, 2)),
            (OutcomeSpec::Ok, None, Some(0.4), (3, 0, 4)),
            (OutcomeSpec::Fails, None, Some(0.4), (3, 2, 2)),
        ] {
            let after = installed(before, outcome, failed, named);
            assert_eq!(
                (after.missing, after.failed, after.pending_reboot),
                expected,
                "{outcome:?}"
            );
            assert_eq!(
                after.installed + after.missing + after.failed + after.pending_reboot,
                17
            );
        }
    }
}
