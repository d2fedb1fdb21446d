//! An InstallOverrideList: the patches that nodes of a campaign have installed, for a later request to install the same.

use crate::campaign::UnreadNodes;
use crate::id::{CampaignId, RequestName};
use crate::text::{by_number, counted, is_hidden};
use jiff::Timestamp;
use std::fmt::Write as _;

#[cfg(test)]
mod tests;

/// What the nodes of a campaign have installed, as a list for `patch.install_override_list`
/// ([`to_yaml`](Self::to_yaml)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OverrideList {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Its request's name.
    pub request: RequestName,
    /// The wave whose nodes were asked; `None`: all nodes of the campaign.
    pub wave: Option<String>,
    /// When they were asked.
    pub read_at: Timestamp,
    /// How many nodes were read. Each of them is `done` or waits for a reboot.
    pub nodes: u32,
    /// What they have installed, in the order of ids and titles, each once. Nodes with different versions of a package give
    /// an entry for each version.
    pub patches: Vec<PinnedPatch>,
    /// What they have installed and the list cannot name.
    pub left_out: Vec<PinnedPatch>,
    /// Nodes that reached the same end and could not be read.
    pub unread: Vec<UnreadNodes>,
    /// In how many locations nodes may still be patched, as the campaign is not over there.
    pub not_over: u32,
}

/// An entry of a list: a patch, and on Linux which version of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PinnedPatch {
    /// The number of an update of Windows, such as `KB4480979`, or the name of a package with its architecture, such as
    /// `kernel.x86_64`.
    pub id: String,
    /// The package with its version, such as `kernel.x86_64:0:6.1.119-129.201.amzn2023`. Of an update of Windows its title.
    /// Empty if AWS gives none.
    pub title: String,
}

impl PinnedPatch {
    /// Whether it is an update of Windows. Its number alone says which patch is meant.
    fn is_of_windows(&self) -> bool {
        let number = self.id.strip_prefix("KB").unwrap_or_default();
        !number.is_empty() && number.chars().all(|c| c.is_ascii_digit())
    }

    /// Whether a list can name it and nothing else. In a list `*`, `?` and `[` stand for other characters, and no way is
    /// documented to take that from them.
    fn can_be_named(&self) -> bool {
        let is_wide = |text: &str| text.contains(['*', '?', '[']);
        let is_title_wide = is_wide(&self.title) && !self.is_of_windows();
        !self.id.is_empty() && !is_wide(&self.id) && !is_title_wide
    }

    /// Whether its entry says nothing of the version, so that a node gets whichever its repositories have.
    fn has_no_version(&self) -> bool {
        self.title.is_empty() && !self.is_of_windows()
    }
}

impl OverrideList {
    /// The list of what AWS gave, by ids and titles in their order.
    pub(crate) fn sorted(
        patches: impl Iterator<Item = (String, String)>,
    ) -> (Vec<PinnedPatch>, Vec<PinnedPatch>) {
        patches
            .map(|(id, title)| PinnedPatch { id, title })
            .partition(PinnedPatch::can_be_named)
    }

    /// Whether the list has everything that was asked for.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let has_all = self.left_out.is_empty() && self.unread.is_empty() && self.not_over == 0;
        self.nodes > 0 && !self.patches.is_empty() && has_all
    }

    /// What a person has to know of the list, a line each: whether the campaign goes on, which nodes could not be read, what the
    /// list cannot name, and which entries pin no version. Empty if the list has everything.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let unread = self.unread.iter().map(|unread| {
            let node = unread.node.as_ref().map(|node| format!(" {node}"));
            format!(
                "{}{}: not in the list: {}",
                unread.location,
                node.unwrap_or_default(),
                unread.reason
            )
        });
        let left_out = self.left_out.iter().map(|patch| {
            let why = match patch.id.is_empty() {
                true => "AWS gives no id for it",
                false => "it has a *, ? or [, which a list takes for other characters as well",
            };
            format!("{:?} ({:?}) is not in the list: {why}", patch.id, patch.title)
        });
        let versionless = self.patches.iter().filter(|patch| patch.has_no_version());
        let versionless = versionless.map(|patch| {
            format!(
                "{:?} stands in the list without a version, because AWS gives none: a node gets the version that its \
                 repositories have by then",
                patch.id
            )
        });
        let not_over = (self.not_over > 0).then(|| {
            let of = self.of();
            format!(
                "{of} is not over in {}: what is patched there is not in the list",
                counted(self.not_over, "location")
            )
        });
        let lines = not_over.into_iter().chain(unread);
        lines.chain(left_out).chain(versionless).collect()
    }

    /// Why there is no list, if there is none: no node is done, or none that was read has a patch.
    #[must_use]
    pub fn nothing(&self) -> Option<String> {
        let of = self.of();
        if self.nodes == 0 && self.unread.is_empty() {
            return Some(format!(
                "no node of {of} is done, so there is nothing to list. A list is made of nodes that are done or wait for a reboot"
            ));
        }
        if self.nodes == 0 {
            return Some(format!("no node of {of} could be read, so there is no list"));
        }
        self.patches
            .is_empty()
            .then(|| format!("the nodes of {of} have no patch installed that a list could name"))
    }

    /// Whose nodes they are, in words.
    fn of(&self) -> String {
        let wave = self.wave.as_ref().map(|wave| format!("wave {wave} of "));
        format!(
            "{}campaign {} ({})",
            wave.unwrap_or_default(),
            self.campaign_id,
            self.request
        )
    }

    /// The list in YAML, as AWS-RunPatchBaseline reads it, with a comment that says where it is from. Lists of the same
    /// patches differ in that comment alone.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut yaml = format!(
            "# What {} of {} {} installed, as AWS said at {:.0}.\n",
            counted(self.nodes, "node"),
            self.of(),
            by_number(self.nodes, "has", "have"),
            self.read_at
        );
        if self.not_over > 0 || !self.unread.is_empty() || !self.left_out.is_empty() {
            yaml.push_str("# It is not whole: `patchfleet override-list` said what is missing.\n");
        }
        yaml.push_str("patches:\n");
        for PinnedPatch { id, title } in &self.patches {
            // Writing into a string does not fail.
            let _ = write!(yaml, "    -\n        id: {}\n", scalar(id));
            if !title.is_empty() {
                let _ = writeln!(yaml, "        title: {}", scalar(title));
            }
        }
        yaml
    }
}

/// A text as a scalar of YAML that every reader takes for this text. Between single quotes only the quote itself has a
/// meaning. What nobody sees has to stand between double quotes, with its number.
fn scalar(text: &str) -> String {
    if !text.contains(|c: char| c.is_control() || is_hidden(c)) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || is_hidden(c) => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
