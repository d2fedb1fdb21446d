//! Systems Manager documents: the runbook in the central account and Region, and what is read anywhere.

use super::{BoxFuture, Page, PageToken, PortError, PortErrorKind, PortResult};
use crate::id::{AccountId, DocumentName, Location, Region};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

/// How many accounts one call shares a document with at most (SSM model, `AccountIdList`).
pub const MAX_SHARED_AT_ONCE: usize = 20;

/// With how many accounts a document may be shared in its Region (Systems Manager user guide, "Sharing SSM documents").
pub const MAX_SHARES: usize = 1_000;

/// The runbook, and every other document that is read. A document is changed only in the central account, and in its
/// central Region unless [`in_region`](Self::in_region) says another.
///
/// Promises: `update` adds a version and does not move the default one. `read` gives the content of exactly the version
/// that was asked for.
pub trait Documents: Send + Sync {
    /// A version of a document of any type, with its content (GetDocument). It is read in the location `at`, or, for
    /// `None`, in the central account and Region. Another account is read with the discovery role. A document that
    /// somebody shares is named by its full ARN.
    ///
    /// `NotFound` if there is no such document there, or no such version of it. AWS gives the same answer for a document
    /// that is not shared with the caller.
    fn read(
        &self,
        at: Option<&Location>,
        name: &DocumentName,
        version: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>>;

    /// The default version of a document in the central account and Region, with its content.
    /// `NotFound` if there is none.
    fn document(&self, name: &DocumentName) -> BoxFuture<'_, PortResult<DocumentView>> {
        self.read(None, name, DocumentVersion::Default)
    }

    /// Creates an Automation document, and gives the number of its first version.
    fn create(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<String>>;

    /// Adds a version with this content, and gives its number. `None` if AWS says that the newest version has this
    /// content already (`DuplicateDocumentContent`).
    fn update(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<Option<String>>>;

    /// The number of the newest version.
    fn latest_version(&self, name: &DocumentName) -> BoxFuture<'_, PortResult<String>>;

    /// Makes `version` the default.
    fn set_default(&self, name: &DocumentName, version: &str) -> BoxFuture<'_, PortResult<()>>;

    /// The central account's documents in another Region, as if that were the central one. `None`, the default, from
    /// documents that are of one Region alone.
    fn in_region(&self, _region: &Region) -> Option<Arc<dyn Documents>> {
        None
    }

    /// Whether all of these change calendars are open now (GetCalendarState), asked in the central account and Region. A
    /// calendar is a document there, or one that somebody shares, which is named by its full ARN. The default, of
    /// documents that know no calendars, is an error: who does not know may not say that they are open.
    fn calendars(&self, _names: &[DocumentName]) -> BoxFuture<'_, PortResult<CalendarsView>> {
        let words = "these documents know no change calendars";
        Box::pin(std::future::ready(Err(PortError::new(
            PortErrorKind::Invalid,
            words,
        ))))
    }

    /// With whom a document of the central account and Region is shared (DescribeDocumentPermission). `NotFound` if there
    /// is no such document.
    fn shares(
        &self,
        _name: &DocumentName,
        _page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<Share>>> {
        Box::pin(std::future::ready(Err(not_shared())))
    }

    /// Shares a document of the central account and Region with these accounts, of which there are at most
    /// [`MAX_SHARED_AT_ONCE`] (ModifyDocumentPermission). A share of before is replaced. Sharing twice is sharing once.
    fn share(
        &self,
        _name: &DocumentName,
        _accounts: &[AccountId],
        _version: SharedVersion,
    ) -> BoxFuture<'_, PortResult<()>> {
        Box::pin(std::future::ready(Err(not_shared())))
    }
}

fn not_shared() -> PortError {
    PortError::new(PortErrorKind::Invalid, "these documents are shared with nobody")
}

/// Whether change calendars are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarsView {
    /// Whether each of them is.
    pub are_open: bool,
    /// When that changes next, if AWS says so.
    pub changes_at: Option<Timestamp>,
}

/// One with whom a document is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Who.
    pub with: ShareWith,
    /// Which versions they see.
    pub version: SharedVersion,
}

/// Who sees a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShareWith {
    /// An account.
    Account(AccountId),
    /// Everybody (`all`).
    Everybody,
}

impl ShareWith {
    /// The account, if it is one.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Account(account) => Some(account),
            Self::Everybody => None,
        }
    }
}

/// Which versions of a document are shared (`SharedDocumentVersion`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SharedVersion {
    /// `$DEFAULT`: whichever is the default one. AWS's own default.
    Default,
    /// `$LATEST`: whichever is the newest one.
    Latest,
    /// `$ALL`.
    All,
}

impl SharedVersion {
    /// AWS's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "$DEFAULT",
            Self::Latest => "$LATEST",
            Self::All => "$ALL",
        }
    }

    /// What AWS's word means. It is `$DEFAULT` where AWS says none.
    #[must_use]
    pub fn of(word: Option<&str>) -> Option<Self> {
        match word {
            None | Some("" | "$DEFAULT") => Some(Self::Default),
            Some("$LATEST") => Some(Self::Latest),
            Some("$ALL") => Some(Self::All),
            Some(_) => None,
        }
    }

    /// Whether a share of these versions shows all of `needed`.
    #[must_use]
    pub fn shows(self, needed: Self) -> bool {
        self == Self::All || self == needed
    }
}

/// A version of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentView {
    /// The version's number.
    pub version: String,
    /// Its content: JSON, which AWS gives unless it is asked for another format, or YAML, which core reads
    /// with its feature `yaml`.
    pub content: String,
}

/// Which version of a document is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DocumentVersion {
    /// `$DEFAULT`: what runs if no version is named.
    Default,
    /// A version by its number, from 1. AWS uses no number twice.
    Number(NonZeroU32),
}

/// A text that names no version of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no document version: a number from 1, or $DEFAULT")]
pub struct DocumentVersionError(String);

impl fmt::Display for DocumentVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("$DEFAULT"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl std::str::FromStr for DocumentVersion {
    type Err = DocumentVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "$DEFAULT" => Ok(Self::Default),
            number if number.bytes().all(|b| b.is_ascii_digit()) => number
                .parse()
                .map(Self::Number)
                .map_err(|_| DocumentVersionError(text.to_owned())),
            _ => Err(DocumentVersionError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for DocumentVersion {
    type Error = DocumentVersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DocumentVersion> for String {
    fn from(version: DocumentVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number_or_the_default() {
        let read = |text: &str| text.parse::<DocumentVersion>().map(|version| version.to_string());
        assert_eq!(read("$DEFAULT").unwrap(), "$DEFAULT");
        assert_eq!(read("17").unwrap(), "17");
        for wrong in ["", "0", "+1", "$LATEST", "1.0", "99999999999"] {
            assert!(
                read(wrong)
                    .unwrap_err()
                    .to_string()
                    .contains("is no document version"),
                "{wrong}"
            );
        }
    }
}
