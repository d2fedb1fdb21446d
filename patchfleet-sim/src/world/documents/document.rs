//! Systems Manager documents: their versions, who may read them, and what names and ARNs mean.

mod content;
mod tree;

pub(crate) use content::{DocumentFormat, DocumentRefusal, ParameterAbout};
pub(crate) use tree::convert;

use crate::spec::DocumentKind;
use crate::world::{World, documents::runbook::Runbook};
use content::About;
use jiff::Timestamp;
use patchfleet_core::id::{AccountId, Location};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The entry that shares a document with everybody.
pub(crate) const EVERYBODY: &str = "all";

/// A document with all its versions.
#[derive(Debug, Clone)]
pub struct Document {
    pub(crate) kind: DocumentKind,
    /// By number. A deleted version leaves a gap; its number is not used again.
    pub(crate) versions: BTreeMap<usize, DocumentVersion>,
    /// The number of the last version that was made.
    pub(crate) last_number: usize,
    pub(crate) default_version: usize,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) requires: Vec<serde_json::Value>,
    /// The ids of the accounts that may read and run it, or `all`.
    pub(crate) shared_with: BTreeSet<String>,
    /// Which versions each of them may read.
    pub(crate) shared_versions: BTreeMap<String, SharedVersion>,
}

/// One version.
#[derive(Debug, Clone)]
pub struct DocumentVersion {
    pub(crate) content: String,
    pub(crate) format: DocumentFormat,
    /// What the interpreter runs, if it is an Automation document.
    pub(crate) runbook: Option<Arc<Runbook>>,
    pub(crate) about: About,
    pub(crate) created: Timestamp,
    /// From when on it is Active.
    pub(crate) active_from: Timestamp,
    pub(crate) name: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) target_type: Option<String>,
}

/// Which versions of a document are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SharedVersion {
    /// The default one.
    Default,
    /// The latest one.
    Latest,
    /// Every one.
    All,
}

/// Whose a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DocumentOwner {
    /// Amazon's: everybody may read it, nobody may change it.
    Amazon,
    /// An account's.
    Account(AccountId),
}

/// What a name or an ARN means to somebody.
#[derive(Debug)]
pub(crate) struct FoundDocument<'a> {
    pub(crate) document: &'a Document,
    pub(crate) owner: DocumentOwner,
    pub(crate) name: String,
    /// The version that the ARN says, if it says one.
    pub(crate) said: Option<String>,
    /// Which versions may be read: those that are shared, if it is another account's.
    pub(crate) shared: Option<SharedVersion>,
}

impl SharedVersion {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "$DEFAULT",
            Self::Latest => "$LATEST",
            Self::All => "$ALL",
        }
    }

    /// What `$DEFAULT` (or nothing), `$LATEST` and `$ALL` mean.
    pub(crate) fn named(name: Option<&str>) -> Self {
        match name {
            Some("$LATEST") => Self::Latest,
            Some("$ALL") => Self::All,
            _ => Self::Default,
        }
    }
}

impl DocumentVersion {
    /// Reads the content of a version that is made at `at` and is Active at once.
    pub(crate) fn read(
        content: String,
        kind: DocumentKind,
        format: DocumentFormat,
        at: Timestamp,
    ) -> Result<Self, DocumentRefusal> {
        let (about, runbook) = About::read(&content, kind, format)?;
        Ok(Self {
            content,
            format,
            runbook: runbook.map(Arc::new),
            about,
            created: at,
            active_from: at,
            name: None,
            display_name: None,
            target_type: None,
        })
    }
}

impl Document {
    /// A document of one version.
    pub(crate) fn new(kind: DocumentKind, version: DocumentVersion) -> Self {
        Self {
            kind,
            versions: BTreeMap::from([(1, version)]),
            last_number: 1,
            default_version: 1,
            tags: BTreeMap::new(),
            requires: vec![],
            shared_with: BTreeSet::new(),
            shared_versions: BTreeMap::new(),
        }
    }

    /// Adds a version and gives its number.
    pub(crate) fn add(&mut self, version: DocumentVersion) -> usize {
        self.last_number = self.last_number.saturating_add(1);
        self.versions.insert(self.last_number, version);
        self.last_number
    }

    /// The number of the latest version that there still is.
    pub(crate) fn latest(&self) -> usize {
        self.versions.keys().next_back().copied().unwrap_or_default()
    }

    /// The number and content of a version: `$DEFAULT` (or nothing), `$LATEST`, or a number.
    pub(crate) fn version(&self, name: Option<&str>) -> Option<(usize, &DocumentVersion)> {
        let number = match name {
            None | Some("" | "$DEFAULT") => self.default_version,
            Some("$LATEST") => self.latest(),
            Some(number) => number.parse().ok()?,
        };
        Some((number, self.versions.get(&number)?))
    }

    /// Shares it with an account, or with `all`.
    pub(crate) fn share(&mut self, account: &str, version: SharedVersion) {
        self.shared_with.insert(account.to_owned());
        self.shared_versions.insert(account.to_owned(), version);
    }

    /// Ends the sharing with an account, or with `all`.
    pub(crate) fn unshare(&mut self, account: &str) {
        self.shared_with.remove(account);
        self.shared_versions.remove(account);
    }

    /// Which versions another account may read; `None`: it may not read the document.
    pub(crate) fn shared_for(&self, account: &AccountId) -> Option<SharedVersion> {
        [account.as_str(), EVERYBODY]
            .into_iter()
            .filter(|one| self.shared_with.contains(*one))
            .find_map(|one| self.shared_versions.get(one).copied())
    }

    /// `Creating` or `Updating` until the version is Active.
    pub(crate) fn status(&self, number: usize, now: Timestamp) -> &'static str {
        let settled = self
            .versions
            .get(&number)
            .is_none_or(|version| version.active_from <= now);
        match (settled, number) {
            (true, _) => "Active",
            (false, 1) => "Creating",
            (false, _) => "Updating",
        }
    }

    /// Whether one of its versions is not Active yet.
    pub(crate) fn is_settling(&self, now: Timestamp) -> bool {
        self.versions.values().any(|version| version.active_from > now)
    }
}

impl FoundDocument<'_> {
    /// A version that may be read, by its number (see [`Document::version`]) and its name. A reader
    /// who names none, and with whom only the latest is shared, gets that. If the ARN names a version, the
    /// reader may not name another.
    pub(crate) fn version(
        &self,
        number: Option<&str>,
        name: Option<&str>,
    ) -> Option<(usize, &DocumentVersion)> {
        let number = match (number.filter(|number| !number.is_empty()), self.said.as_deref()) {
            (Some(number), Some(said)) if number != said => return None,
            (number, said) => number.or(said),
        };
        let number = match (number, self.shared) {
            (None, Some(SharedVersion::Latest)) => Some("$LATEST"),
            (number, _) => number,
        };
        let found = match (number, name) {
            (None, Some(name)) => self
                .document
                .versions
                .iter()
                .map(|(number, version)| (*number, version))
                .find(|(_, version)| version.name.as_deref() == Some(name)),
            _ => self
                .document
                .version(number)
                .filter(|(_, version)| name.is_none() || version.name.as_deref() == name),
        };
        found.filter(|(number, _)| self.may_read(*number))
    }

    /// Whether a version may be read.
    pub(crate) fn may_read(&self, number: usize) -> bool {
        match self.shared {
            None | Some(SharedVersion::All) => true,
            Some(SharedVersion::Default) => number == self.document.default_version,
            Some(SharedVersion::Latest) => number == self.document.latest(),
        }
    }
}

impl World {
    /// The document that a name or an ARN means to somebody at `from`: one's own, Amazon's, or one
    /// of another account in the same Region that is shared with this one. Others' are found by
    /// their ARN only.
    pub(crate) fn find_document(&self, from: &Location, named: &str) -> Option<FoundDocument<'_>> {
        let Some(arn) = named.strip_prefix("arn:") else {
            return self
                .own_document(from, named)
                .or_else(|| self.amazon_document(named));
        };
        let mut parts = arn.splitn(5, ':');
        let (partition, service) = (parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let here = from.region.as_str() == region && from.region.partition().to_string() == partition;
        if service != "ssm" || !here {
            return None;
        }
        let (name, version) = match resource.split_once('/')? {
            ("document", name) => (name, None),
            // An automation definition's ARN may end in its version.
            ("automation-definition", name) => match name.split_once(':') {
                Some((name, version)) => (name, Some(version)),
                None => (name, None),
            },
            _ => return None,
        };
        let found = if account.is_empty() {
            self.amazon_document(name)
        } else {
            let owner = Location::new(account.parse().ok()?, from.region.clone());
            self.document_of(&owner, &from.account, name)
        };
        found.map(|found| FoundDocument {
            said: version.filter(|version| !version.is_empty()).map(str::to_owned),
            ..found
        })
    }

    /// The document of that name in `at`, which is `reader`'s or is shared with it.
    pub(crate) fn document_of(
        &self,
        at: &Location,
        reader: &AccountId,
        name: &str,
    ) -> Option<FoundDocument<'_>> {
        if at.account == *reader {
            return self.own_document(at, name);
        }
        let document = self.documents.get(at, name)?;
        Some(FoundDocument {
            shared: Some(document.shared_for(reader)?),
            document,
            owner: DocumentOwner::Account(at.account.clone()),
            name: name.to_owned(),
            said: None,
        })
    }

    fn own_document(&self, from: &Location, name: &str) -> Option<FoundDocument<'_>> {
        Some(FoundDocument {
            document: self.documents.get(from, name)?,
            owner: DocumentOwner::Account(from.account.clone()),
            name: name.to_owned(),
            said: None,
            shared: None,
        })
    }

    fn amazon_document(&self, name: &str) -> Option<FoundDocument<'_>> {
        Some(FoundDocument {
            document: self.documents.amazons().get(name)?,
            owner: DocumentOwner::Amazon,
            name: name.to_owned(),
            said: None,
            shared: None,
        })
    }
}
