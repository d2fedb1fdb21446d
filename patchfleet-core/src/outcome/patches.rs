//! The names of the patches that a node failed to install, or that it misses.

use crate::id::NodeId;
use crate::port::{PatchShortfall, PatchView, PortError, PortErrorKind};
use crate::text::cut;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How many patches of a node are kept by name at most. Its row has the number of all.
pub const PATCHES_NAMED: usize = 20;

/// How many nodes are asked for the names of their patches at most when results are read, since each is a call of its
/// own. Results are read for each unit of each location. The nodes are the first by their ids. Once the campaign is over, all others
/// may be asked as well, so many at a time.
pub(crate) const NODES_NAMED: usize = 10;

/// How many characters are kept of a patch's id, classification and severity.
const SHORT: usize = 100;

/// How many characters are kept of a patch's title.
const TITLE: usize = 200;

/// The patches for which a node is `failed` or `missing`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PatchNames {
    /// How they fall short.
    pub shortfall: PatchShortfall,
    /// At most [`PATCHES_NAMED`] of them, in the order of their ids. How many there are is in the node's row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<NamedPatch>,
    /// When the operation ended whose report names them, as the node's patch state says. `None` if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<Timestamp>,
    /// Why none is named, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<NamesUnread>,
}

/// A patch by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NamedPatch {
    /// The number of an update of Windows, such as `KB4480979`, or the name of a package of Linux, such as
    /// `kernel.x86_64`. Where AWS gives no such thing it is the title.
    pub id: String,
    /// The update's title, or the package with its version. Empty if it says no more than the id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Such as `SecurityUpdates` or `Security`; empty if AWS gives none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub classification: String,
    /// Such as `Critical`, `Important` or `Unspecified`; empty if AWS gives none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub severity: String,
}

/// Why the patches of a node are not named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NamesUnread {
    /// The kind of reason.
    pub reason: NamesUnreadReason,
    /// The same in words, in AWS's where it has any.
    pub detail: String,
}

/// The kinds of reasons why the patches of a node are not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NamesUnreadReason {
    /// Nobody has asked yet.
    NotAsked,
    /// Other nodes were asked, and no more than ten of a unit in a location are while the campaign is open.
    TooManyNodes,
    /// AWS did not allow the call: this node's, or that of another node of the location before.
    Denied,
    /// The ports that results are read with name no patches, or AWS takes no such call.
    Invalid,
    /// AWS did not say. It gave no answer in time, for instance, or names none.
    NotRead,
    /// The node reported anew meanwhile, so what AWS names may be of another run.
    ReportedAnew,
    /// Something that a later version wrote. The words say what.
    #[serde(other)]
    Other,
}

impl NamesUnreadReason {
    fn of(error: &PortError) -> Self {
        match error.kind() {
            PortErrorKind::Denied => Self::Denied,
            PortErrorKind::Invalid => Self::Invalid,
            _ => Self::NotRead,
        }
    }
}

impl PatchNames {
    /// None of them, for this reason.
    pub(crate) fn unread(
        shortfall: PatchShortfall,
        reason: NamesUnreadReason,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            shortfall,
            named: vec![],
            reported_at: None,
            unread: Some(NamesUnread {
                reason,
                detail: detail.into(),
            }),
        }
    }

    /// Not read yet.
    pub(crate) fn not_asked(shortfall: PatchShortfall) -> Self {
        Self::unread(
            shortfall,
            NamesUnreadReason::NotAsked,
            "AWS was not asked for them",
        )
    }

    /// What AWS gave of the report of this instant. A node whose patch state counts such patches, and for which none is listed, has none by name.
    pub(crate) fn of(shortfall: PatchShortfall, reported_at: Timestamp, patches: Vec<PatchView>) -> Self {
        let mut named: Vec<NamedPatch> = patches.into_iter().filter_map(NamedPatch::of).collect();
        named.sort_unstable();
        named.dedup();
        named.truncate(PATCHES_NAMED);
        if named.is_empty() {
            return Self::unread(shortfall, NamesUnreadReason::NotRead, "AWS names none");
        }
        Self {
            shortfall,
            named,
            reported_at: Some(reported_at),
            unread: None,
        }
    }

    /// What kept AWS from saying.
    pub(crate) fn not_read(shortfall: PatchShortfall, error: &PortError) -> Self {
        Self::unread(shortfall, NamesUnreadReason::of(error), error.reason())
    }

    /// Not asked for, as the call for this other node failed so. Its words may name that node.
    pub(crate) fn not_asked_after(shortfall: PatchShortfall, other: &NodeId, error: &PortError) -> Self {
        let why = format!("not asked, as it failed for {other}: {}", error.reason());
        Self::unread(shortfall, NamesUnreadReason::of(error), why)
    }

    /// Whether another call may give names: nobody has asked for this node yet, or AWS did not say.
    pub(crate) fn may_be_read(&self) -> bool {
        let unread = self.unread.as_ref();
        unread.is_some_and(|unread| {
            use NamesUnreadReason as R;
            match unread.reason {
                R::NotAsked
                | R::TooManyNodes
                | R::NotRead
                | R::Denied
                | R::Invalid
                | R::ReportedAnew
                | R::Other => true,
            }
        })
    }
}

impl NamedPatch {
    /// `None` of a patch without any name.
    fn of(patch: PatchView) -> Option<Self> {
        let (id, title) = (patch.id.trim(), patch.title.trim());
        let id = if id.is_empty() { title } else { id };
        if id.is_empty() {
            return None;
        }
        Some(Self {
            id: cut(id, SHORT),
            title: if title == id {
                String::new()
            } else {
                cut(title, TITLE)
            },
            classification: cut(patch.classification.trim(), SHORT),
            severity: cut(patch.severity.trim(), SHORT),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_a_later_version_is_read_and_its_words_are_told() {
        let json = r#"{"shortfall":"failed","unread":{"reason":"too_late","detail":"in words"}}"#;
        let names: PatchNames = serde_json::from_str(json).unwrap();
        let unread = names.unread.unwrap();
        assert_eq!(
            (unread.reason, unread.detail.as_str()),
            (NamesUnreadReason::Other, "in words")
        );
    }
}
