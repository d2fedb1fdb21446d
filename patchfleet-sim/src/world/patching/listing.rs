//! Patch by patch what a node has reported: names, kinds, states and times.
//!
//! A node's patches are numbered, and keep their numbers: first those that were installed when the
//! world began, then those that were wanted. An Install takes the wanted ones in this order, and the last of
//! them are those that fail. So the counts of a report tell the state of every number.
//! The names are made up, in the style of each platform.

use crate::{
    spec::Platform,
    world::{Node, PatchReport, World, after},
};
use jiff::{SignedDuration, Timestamp};

/// One patch, as DescribeInstancePatches shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedPatch {
    pub(crate) title: String,
    pub(crate) kb_id: String,
    pub(crate) classification: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) state: &'static str,
    /// `None` for what is not installed: AWS shows 1970.
    pub(crate) installed: Option<Timestamp>,
    /// Only of what is missing or failed, as documented.
    pub(crate) cves: Option<String>,
}

/// How many patches keep a node from being compliant, by what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct NonCompliant {
    /// Of severity Critical.
    pub(crate) critical: u32,
    /// Not critical, and of a security classification.
    pub(crate) security: u32,
    /// The others.
    pub(crate) other: u32,
}

/// What a patch is to its node. Patches of different origin never have the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Wanted,
    Old,
    Other,
    Rejected,
    NotApplicable,
}

/// The kinds of patches that there are on a platform: classification and severity.
fn kinds(platform: Platform) -> &'static [(&'static str, &'static str)] {
    match platform {
        Platform::Windows => &[
            ("SecurityUpdates", "Critical"),
            ("SecurityUpdates", "Important"),
            ("Updates", "Unspecified"),
            ("SecurityUpdates", "Important"),
            ("CriticalUpdates", "Unspecified"),
            ("SecurityUpdates", "Moderate"),
        ],
        Platform::Linux | Platform::MacOS => &[
            ("Security", "Important"),
            ("Security", "Critical"),
            ("Security", "Medium"),
            ("Bugfix", "Low"),
            ("Security", "Important"),
            ("Security", "Low"),
            ("Enhancement", "Low"),
        ],
    }
}

const PACKAGES: [&str; 40] = [
    "kernel",
    "openssl",
    "glibc",
    "systemd",
    "curl",
    "bind",
    "python3",
    "openssh",
    "sudo",
    "libxml2",
    "vim",
    "expat",
    "gnutls",
    "krb5",
    "sqlite",
    "nss",
    "rpm",
    "dbus",
    "zlib",
    "tar",
    "git",
    "perl",
    "less",
    "cups",
    "libtiff",
    "libssh2",
    "nghttp2",
    "ncurses",
    "bash",
    "gzip",
    "xz",
    "pcre2",
    "libarchive",
    "libksba",
    "freetype",
    "httpd",
    "nginx",
    "java-17-amazon-corretto",
    "docker",
    "containerd",
];

const PARTS: [&str; 6] = ["", "-libs", "-devel", "-common", "-tools", "-utils"];

const WINDOWS: [&str; 5] = [
    "Cumulative Update for Windows Server 2022 for x64-based Systems",
    "Security Update for Windows Server 2022 for x64-based Systems",
    "Cumulative Update for .NET Framework 3.5 and 4.8 for Windows Server 2022",
    "Servicing Stack Update for Windows Server 2022 for x64-based Systems",
    "Update for Microsoft Defender Antivirus antimalware platform",
];

fn kind(platform: Platform, number: u32) -> (&'static str, &'static str) {
    let kinds = kinds(platform);
    let at = usize::try_from(number).unwrap_or(0) % kinds.len();
    kinds.get(at).copied().unwrap_or_default()
}

fn is_security(classification: &str) -> bool {
    classification.starts_with("Security")
}

/// A number that no other patch of the node has.
fn serial(origin: Origin, number: u32) -> u32 {
    let place = match origin {
        Origin::Wanted => 0,
        Origin::Old => 1,
        Origin::Other => 2,
        Origin::Rejected => 3,
        Origin::NotApplicable => 4,
    };
    number.saturating_mul(5).saturating_add(place)
}

/// Title and KBId.
fn names(platform: Platform, serial: u32, at: Timestamp) -> (String, String) {
    let pick = |from: &[&'static str], n: u32| {
        let at = usize::try_from(n).unwrap_or(0) % from.len().max(1);
        from.get(at).copied().unwrap_or_default()
    };
    let count = u32::try_from(PACKAGES.len()).unwrap_or(1);
    match platform {
        Platform::Windows => {
            let kb = format!("KB{}", 5_010_000 + serial);
            let what = pick(&WINDOWS, serial);
            (format!("{} {what} ({kb})", at.strftime("%Y-%m")), kb)
        }
        Platform::Linux => {
            let (round, part) = (serial / count / 6, pick(&PARTS, serial / count));
            let again = if round == 0 {
                String::new()
            } else {
                format!("-compat{round}")
            };
            let name = format!("{}{part}{again}.x86_64", pick(&PACKAGES, serial));
            (
                format!("{name}:0:{}.{}-1.amzn2023", 1 + serial % 9, serial % 97),
                name,
            )
        }
        Platform::MacOS => {
            let name = format!("macOSUpdate-{serial}");
            (format!("{name}-15.{}", serial % 7), name)
        }
    }
}

impl World {
    /// Every patch of the node's last report; none if it never made one.
    pub(crate) fn listed_patches(&self, node: &Node) -> Vec<ListedPatch> {
        let report = node.report.as_ref();
        report.map_or_else(Vec::new, |report| self.patches_in(node, report))
    }

    /// Every patch of a report of the node.
    pub(crate) fn patches_in(&self, node: &Node, report: &PatchReport) -> Vec<ListedPatch> {
        let mut listed: Vec<ListedPatch> = numbered(report)
            .map(|(number, state)| self.of_baseline(node, report, number, state))
            .collect();
        let fixed = node.fixed;
        let mut more = |origin, count: u32, state| {
            listed.extend((0..count).map(|number| self.outside(node, origin, number, state)));
        };
        more(Origin::Rejected, fixed.rejected, "InstalledRejected");
        more(Origin::Other, fixed.other, "InstalledOther");
        if node.platform == Platform::Windows {
            // Documented: reported of Windows Server only.
            more(Origin::NotApplicable, fixed.not_applicable, "NotApplicable");
        }
        listed
    }

    fn of_baseline(
        &self,
        node: &Node,
        report: &PatchReport,
        number: u32,
        state: &'static str,
    ) -> ListedPatch {
        let (origin, nth) = match number.checked_sub(node.fixed.old) {
            Some(nth) => (Origin::Wanted, nth),
            None => (Origin::Old, number),
        };
        let installed = matches!(state, "Installed" | "InstalledPendingReboot").then(|| {
            if number < node.fixed.present {
                return self.long_ago(node, origin, nth);
            }
            let during = node.history.iter().find(|(present, _)| number < *present);
            during.map_or(report.ended, |(_, at)| *at)
        });
        let (classification, severity) = kind(node.platform, nth);
        let shown_at = if origin == Origin::Wanted {
            self.start()
        } else {
            self.long_ago(node, origin, nth)
        };
        let serial = serial(origin, nth);
        let (title, kb_id) = names(node.platform, serial, shown_at);
        let cves = (installed.is_none() && is_security(classification))
            .then(|| format!("CVE-{}-{}", self.start().strftime("%Y"), 10_000 + serial));
        ListedPatch {
            title,
            kb_id,
            classification,
            severity,
            state,
            installed,
            cves,
        }
    }

    /// A patch that the baseline does not want.
    fn outside(&self, node: &Node, origin: Origin, number: u32, state: &'static str) -> ListedPatch {
        let at = self.long_ago(node, origin, number);
        let (title, kb_id) = names(node.platform, serial(origin, number), at);
        // Nothing is known of what no baseline has.
        let (classification, severity) = match origin {
            Origin::Other => ("", ""),
            _ => kind(node.platform, number),
        };
        ListedPatch {
            title,
            kb_id,
            classification,
            severity,
            state,
            installed: (origin != Origin::NotApplicable).then_some(at),
            cves: None,
        }
    }

    /// A time for what was installed before the world began, which is all that the world knows of it.
    fn long_ago(&self, node: &Node, origin: Origin, number: u32) -> Timestamp {
        let name = serial(origin, number).to_string();
        let hours = self
            .seed
            .between(10 * 24, 300 * 24, &[node.id.as_str(), &name, "installed"]);
        after(self.start(), SignedDuration::from_hours(-hours))
    }
}

/// The patches of the baseline that a report counts, with their states.
fn numbered(report: &PatchReport) -> impl Iterator<Item = (u32, &'static str)> {
    let found = report.found;
    [
        (found.installed, "Installed"),
        (found.pending_reboot, "InstalledPendingReboot"),
        (found.failed, "Failed"),
        (found.missing, "Missing"),
    ]
    .into_iter()
    .flat_map(|(count, state)| (0..count).map(move |_| state))
    .zip(0..)
    .map(|(state, number)| (number, state))
}

impl Node {
    /// What keeps it from being compliant, by its last report: what is missing, failed, rejected or
    /// waiting for a reboot.
    pub(crate) fn non_compliant(&self) -> NonCompliant {
        let report = self.report.as_ref();
        report.map_or_else(NonCompliant::default, |report| self.non_compliant_in(report))
    }

    /// What keeps it from being compliant, by one of its reports.
    pub(crate) fn non_compliant_in(&self, report: &PatchReport) -> NonCompliant {
        let mut counts = NonCompliant::default();
        let wanted = numbered(report)
            .filter(|(_, state)| *state != "Installed")
            .map(|(number, _)| number.checked_sub(self.fixed.old).unwrap_or(number));
        for number in wanted.chain(0..self.fixed.rejected) {
            match kind(self.platform, number) {
                (_, "Critical") => counts.critical += 1,
                (classification, _) if is_security(classification) => counts.security += 1,
                _ => counts.other += 1,
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_patches_of_a_node_have_the_same_name() {
        for platform in [Platform::Linux, Platform::Windows, Platform::MacOS] {
            let ids: BTreeSet<String> = (0..5_000)
                .map(|serial| names(platform, serial, Timestamp::UNIX_EPOCH).1)
                .collect();
            assert_eq!(ids.len(), 5_000, "{platform:?}");
        }
    }
}
