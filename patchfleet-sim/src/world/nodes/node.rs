//! A node: what is installed on it, whether it answers, and how it takes patches.

use crate::{
    seed::Seed,
    spec::{OutcomeSpec, PatchSpec, Platform, Reachability},
};
use jiff::Timestamp;
use patchfleet_core::id::{Location, NodeId, NodeKind};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A node.
#[derive(Debug, Clone)]
pub struct Node {
    pub(crate) id: NodeId,
    /// Where it is. The nodes of a location share this, and those of a block in it the next two: a world
    /// may have millions of nodes, and few of them ever change.
    pub(crate) location: Arc<Location>,
    pub(crate) platform: Platform,
    pub(crate) reachability: Reachability,
    pub(crate) groups: Arc<BTreeSet<String>>,
    pub(crate) tags: Arc<BTreeMap<String, String>>,
    /// Since when its agent has been silent; `None` while it answers.
    pub(crate) silent_since: Option<Timestamp>,
    /// Commands that were sent to it and have not ended on it.
    pub(crate) sent: Vec<String>,
    /// Commands whose work on it is done, and whose end waits for its agent to return.
    pub(crate) put_off: Vec<String>,
    /// The command that reboots it.
    pub(crate) reboots_for: Option<String>,
    /// How often it went down. A return from an earlier time is ignored.
    pub(crate) boots: u32,
    /// Whether it was terminated so long ago that nobody shows it.
    pub(crate) forgotten: bool,
    pub(crate) behaviour: Behaviour,
    pub(crate) patches: Patches,
    pub(crate) report: Option<Arc<PatchReport>>,
    /// When NoReboot last left patches waiting.
    pub(crate) last_no_reboot_install: Option<Timestamp>,
    /// How often an Install began on it.
    pub(crate) installs: u32,
    /// Patches that no run changes.
    pub(crate) fixed: FixedPatches,
    /// The number of the baseline's patches after each Install, with its time. Patches keep their
    /// numbers, so this dates each of them.
    pub(crate) history: Vec<(u32, Timestamp)>,
}

/// Patches of a node that no run changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FixedPatches {
    /// Of the baseline's, those that were installed when the world began.
    pub(crate) old: u32,
    /// Of the baseline's, those that were installed or waiting for a reboot when the world began.
    pub(crate) present: u32,
    /// Installed, and not the baseline's.
    pub(crate) other: u32,
    /// Installed, and rejected by the baseline.
    pub(crate) rejected: u32,
    /// The baseline's for what the node does not have.
    pub(crate) not_applicable: u32,
}

impl FixedPatches {
    pub(crate) fn of(patches: Patches, patch: &PatchSpec) -> Self {
        Self {
            old: patches.installed,
            present: patches.installed + patches.pending_reboot,
            other: 20 + patches.installed / 10,
            rejected: patch.rejected.unwrap_or(0),
            not_applicable: 600 + patches.installed,
        }
    }
}

/// How a node takes patches.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    pub(crate) outcome: OutcomeSpec,
    pub(crate) failed_patches: Option<u32>,
    pub(crate) fails_first: u32,
    pub(crate) install_seconds: i64,
    pub(crate) scan_seconds: i64,
    pub(crate) reboot_seconds: i64,
    /// How long after its reboot a late agent answers.
    pub(crate) late_seconds: i64,
    /// The share of the missing patches that an override list names.
    pub(crate) listed_share: f64,
}

/// What is really on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Patches {
    /// Installed and active.
    pub installed: u32,
    /// Wanted and not there.
    pub missing: u32,
    /// Failed to install, and so not there either.
    pub failed: u32,
    /// Installed and waiting for a reboot.
    pub pending_reboot: u32,
}

/// What the node reported last: Systems Manager's patch state.
#[derive(Debug, Clone)]
pub struct PatchReport {
    /// `Scan` or `Install`.
    pub operation: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// The snapshot that was given.
    pub snapshot: Option<String>,
    /// The override list that was given.
    pub override_list: Option<String>,
    /// The reboot option; a Scan has none.
    pub reboot_option: Option<String>,
    /// What was found.
    pub found: Patches,
}

impl Node {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &NodeId {
        &self.id
    }

    /// Where it is.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What is really on it.
    #[must_use]
    pub fn patches(&self) -> Patches {
        self.patches
    }

    /// What it reported last.
    #[must_use]
    pub fn report(&self) -> Option<&PatchReport> {
        self.report.as_deref()
    }

    /// Takes it out of a group of the world file. Gives false if it was not in there.
    pub(crate) fn leave(&mut self, group: &str) -> bool {
        self.groups.contains(group) && Arc::make_mut(&mut self.groups).remove(group)
    }

    /// Whether Systems Manager lists it: it is registered, and neither stopped nor terminated.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        matches!(self.reachability, Reachability::Online | Reachability::Offline)
    }

    /// Whether its agent answers.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.is_managed() && self.silent_since.is_none()
    }

    /// How often an Install began on it.
    #[must_use]
    pub fn installs(&self) -> u32 {
        self.installs
    }

    /// Systems Manager's PlatformType.
    #[must_use]
    pub fn platform_type(&self) -> &'static str {
        match self.platform {
            Platform::Linux => "Linux",
            Platform::Windows => "Windows",
            Platform::MacOS => "MacOS",
        }
    }

    /// Systems Manager's PlatformName and PlatformVersion.
    pub(crate) fn platform_name(&self) -> (&'static str, &'static str) {
        match self.platform {
            Platform::Linux => ("Amazon Linux", "2023"),
            Platform::Windows => ("Microsoft Windows Server 2022 Datacenter", "10.0.20348"),
            Platform::MacOS => ("macOS", "15.4"),
        }
    }

    /// Its host name.
    pub(crate) fn computer_name(&self) -> String {
        let name = self.id.as_str().rsplit_once('-').map_or("", |(_, digits)| digits);
        format!("ip-{name}.internal")
    }

    /// Its patch group: the value of the tag that Patch Manager reads, or nothing.
    pub(crate) fn patch_group(&self) -> &str {
        let tag = self
            .tags
            .get("Patch Group")
            .or_else(|| self.tags.get("PatchGroup"));
        tag.map_or("", String::as_str)
    }

    /// What an Install that has begun comes to.
    pub(crate) fn install_outcome(&self) -> OutcomeSpec {
        if self.installs <= self.behaviour.fails_first {
            OutcomeSpec::Fails
        } else {
            self.behaviour.outcome
        }
    }

    /// Its ARN, as resource groups list it.
    #[must_use]
    pub fn arn(&self) -> String {
        let (service, resource) = match self.id.kind() {
            NodeKind::Ec2 => ("ec2", "instance"),
            NodeKind::Hybrid => ("ssm", "managed-instance"),
        };
        let Location { account, region } = &*self.location;
        format!(
            "arn:{}:{service}:{region}:{account}:{resource}/{}",
            region.partition(),
            self.id
        )
    }

    /// Its resource type, as resource groups list it.
    #[must_use]
    pub fn resource_type(&self) -> &'static str {
        match self.id.kind() {
            NodeKind::Ec2 => "AWS::EC2::Instance",
            NodeKind::Hybrid => "AWS::SSM::ManagedInstance",
        }
    }
}

impl Behaviour {
    /// The behaviour of the node `id` under `patch`, and what is on it at the start.
    pub(crate) fn of(seed: Seed, id: &NodeId, patch: &PatchSpec) -> (Self, Patches) {
        let id = id.as_str();
        let pace = 0.75 + 0.5 * seed.unit(&[id, "pace"]);
        let install = patch.minutes.unwrap_or(8.0) * pace;
        let fails = seed.unit(&[id, "failing"]) < patch.failing_share.unwrap_or(0.0);
        let behaviour = Self {
            outcome: if fails {
                OutcomeSpec::Fails
            } else {
                patch.outcome.unwrap_or_default()
            },
            failed_patches: patch.failed_patches,
            fails_first: patch.fails_first.unwrap_or(0),
            install_seconds: seconds(install).max(1),
            scan_seconds: seconds(install / 5.0).max(1),
            reboot_seconds: seconds(patch.reboot_minutes.unwrap_or(3.0)).max(1),
            late_seconds: seconds(patch.late_minutes.unwrap_or(60.0)),
            listed_share: patch.listed_share.unwrap_or(1.0),
        };
        let draw = |low, high, what| u32::try_from(seed.between(low, high, &[id, what])).unwrap_or(0);
        let patches = Patches {
            installed: patch.installed.unwrap_or_else(|| draw(140, 320, "installed")),
            missing: patch.missing.unwrap_or_else(|| draw(3, 12, "missing")),
            failed: 0,
            pending_reboot: patch.pending_reboot.unwrap_or(0),
        };
        (behaviour, patches)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "at most 1440 minutes times 1.25, checked when the file is read"
)]
fn seconds(minutes: f64) -> i64 {
    (minutes * 60.0).round() as i64
}
