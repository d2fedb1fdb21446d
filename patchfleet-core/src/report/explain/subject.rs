//! What somebody asks about: a location or a node, as a person writes it.

use crate::campaign::State;
use crate::id::{AccountId, Location, NodeId, NodeSet, ParseIdError, Region};
use crate::plan::PlannedLocation;
use crate::refusal::Skip;
use crate::text::cut;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// How many subjects [`Subject::like`] gives at most.
const LIKE: usize = 1000;

/// Longest part of a wrong subject that a message repeats, in characters.
const SHOWN: usize = 80;

/// What somebody asks about. Reads from and prints as `ACCOUNT/REGION`, or as the node's id.
///
/// ```
/// use patchfleet_core::report::{Subject, SubjectError};
/// assert!(matches!("111122223333/eu-west-1".parse(), Ok(Subject::Location(_))));
/// assert!(matches!("mi-0123456789abcdef0".parse(), Ok(Subject::Node(_))));
/// assert!(matches!("111122223333".parse::<Subject>(), Err(SubjectError::Account(_))));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// An account in a Region.
    Location(Location),
    /// A node, wherever it is.
    Node(NodeId),
}

/// A text that is neither a location nor a node. It says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// An account without a Region.
    #[error("{0} is an account, and a location is an account and a Region: {0}/eu-west-1")]
    Account(AccountId),
    /// A Region without an account.
    #[error("{0} is a Region, and a location is an account and a Region: 111122223333/{0}")]
    Region(Region),
    /// A Region, then an account.
    #[error("of a location the account comes first: {0}")]
    Reversed(Location),
    /// A pair of which one part is wrong.
    #[error("{text:?} is no location: {error}")]
    Part {
        /// The whole text.
        text: String,
        /// What is wrong with the part.
        #[source]
        error: ParseIdError,
    },
    /// A text that begins as a node's id does.
    #[error("{0}")]
    Node(#[source] ParseIdError),
    /// Anything else.
    #[error(
        "{0:?} is neither a location, as 111122223333/eu-west-1, nor a node, as i-0123456789abcdef0 or \
         mi-0123456789abcdef0"
    )]
    Other(String),
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some((account, region)) = text.split_once('/') {
            if let (Ok(region), Ok(account)) = (account.parse(), region.parse()) {
                return Err(SubjectError::Reversed(Location::new(account, region)));
            }
            let part = |error| SubjectError::Part {
                text: cut(text, SHOWN),
                error,
            };
            let account = account.parse().map_err(part)?;
            let region = region.parse().map_err(part)?;
            return Ok(Self::Location(Location::new(account, region)));
        }
        if let Ok(account) = text.parse() {
            return Err(SubjectError::Account(account));
        }
        if let Ok(region) = text.parse() {
            return Err(SubjectError::Region(region));
        }
        match text.parse() {
            Ok(node) => Ok(Self::Node(node)),
            Err(error) if text.starts_with("i-") || text.starts_with("mi-") => Err(SubjectError::Node(error)),
            Err(_) => Err(SubjectError::Other(cut(text, SHOWN))),
        }
    }
}

impl Subject {
    /// What a campaign has that `text` may mean: the locations of an account or of a Region, and what begins with the
    /// text. Nodes are those that the plan names. In ascending order, at most a thousand.
    #[must_use]
    pub fn like(state: &State, text: &str) -> Vec<Self> {
        let text = text.trim();
        if text.is_empty() {
            return vec![];
        }
        let plan = state.plan();
        let planned = plan.locations.iter().map(PlannedLocation::location);
        let skipped = plan.skipped.iter().map(Skip::location);
        let is_like = |location: &Location| {
            location.account.as_str().starts_with(text)
                || location.region.as_str().starts_with(text)
                || location.to_string().starts_with(text)
        };
        let locations = planned.chain(skipped).filter(is_like).map(Self::Location);
        let found: BTreeSet<Self> = if text.starts_with("i-") || text.starts_with("mi-") {
            let counted = plan
                .locations
                .iter()
                .filter_map(|planned| planned.node_ids.as_ref());
            let counted = counted.flat_map(NodeSet::nodes);
            let named = plan
                .units
                .iter()
                .flat_map(|unit| unit.nodes.iter().flatten().cloned());
            let left_out = plan
                .locations
                .iter()
                .flat_map(|planned| planned.left_out.iter().cloned());
            let nodes = counted.chain(named).chain(left_out);
            nodes
                .filter(|node| node.as_str().starts_with(text))
                .map(Self::Node)
                .collect()
        } else {
            locations.collect()
        };
        found.into_iter().take(LIKE).collect()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Location(location) => location.fmt(f),
            Self::Node(node) => node.fmt(f),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}
