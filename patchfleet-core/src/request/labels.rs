//! `[[budget.labels]]`: strict bounds on the nodes that have one value of a label, across every account and Region.

use super::fields::{Collector, Field};
use super::fleet::max_damaged;
use super::node::Node;
use crate::budget::{MaxConcurrency, MaxErrors};
use crate::id::{Location, ParseIdError};
use crate::problem::{Problem, ProblemCode};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How many labels a request may have.
const MAX_LABELS: usize = 5;

/// A bound on the nodes that have one value of a label, wherever they are. It holds for each value by itself. At least one of
/// its two bounds is there.
///
/// A share is one of the nodes that have the value and that commands are sent to, rounded down. Of `max_in_flight` it is at
/// least 1. A `max_damaged` that comes to none for some value is refused when the plan is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LabelBudget {
    /// What the nodes are told apart by.
    pub by: LabelKey,
    /// How many nodes of a value are being patched at the same time at most: a count from 1, or 1% to 100%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<MaxConcurrency>,
    /// How many nodes of a value end failed or lost at most: a count from 1, or 1% to 100%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_damaged: Option<MaxErrors>,
    /// What becomes of nodes that do not have the tag. `None` where every node has a value. Default: they count as one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untagged: Option<Untagged>,
}

/// What nodes are told apart by. Its text is `tag:` with the key of a tag, `account` or `region`.
///
/// ```
/// use patchfleet_core::request::LabelKey;
/// let key: LabelKey = "tag:Service".parse()?;
/// assert_eq!(key, LabelKey::Tag("Service".to_owned()));
/// assert!("Service".parse::<LabelKey>().is_err());
/// # Ok::<(), patchfleet_core::id::ParseIdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LabelKey {
    /// The value of the tag with this key, of the EC2 instance or the hybrid node. Tags tell lower from upper case.
    Tag(String),
    /// The account that the node is in.
    Account,
    /// The Region that the node is in.
    Region,
}

impl LabelKey {
    const SHAPE: &str = "\"tag:\" and the key of a tag (1 to 128 characters, none of them a control character), such as \
                         \"tag:Service\", or \"account\", or \"region\"";

    /// The key of the tag, if it is one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        match self {
            Self::Tag(key) => Some(key),
            Self::Account | Self::Region => None,
        }
    }

    /// The value that follows from the location alone; `None` if it is that of a tag.
    pub(crate) fn of_location(&self, location: &Location) -> Option<String> {
        match self {
            Self::Tag(_) => None,
            Self::Account => Some(location.account.to_string()),
            Self::Region => Some(location.region.to_string()),
        }
    }
}

impl FromStr for LabelKey {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.strip_prefix("tag:")) {
            ("account", _) => Ok(Self::Account),
            ("region", _) => Ok(Self::Region),
            (_, Some(key))
                if (1..=128).contains(&key.chars().count())
                    && key.trim() == key
                    && !key.chars().any(char::is_control) =>
            {
                Ok(Self::Tag(key.to_owned()))
            }
            _ => Err(ParseIdError::new(
                "what nodes are told apart by",
                text,
                Self::SHAPE,
            )),
        }
    }
}

impl fmt::Display for LabelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(key) => write!(f, "tag:{key}"),
            Self::Account => f.write_str("account"),
            Self::Region => f.write_str("region"),
        }
    }
}

impl Serialize for LabelKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LabelKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// What becomes of nodes that do not have the tag of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Untagged {
    /// They count as nodes of one value, and are bounded as such.
    #[default]
    Together,
    /// This label does not bound them.
    Unbounded,
    /// The plan is refused.
    Refuse,
}

/// Reads the list. Gives each entry with its place in it.
pub(super) fn read(field: &Field<'_>, out: &mut Collector) -> Vec<LabelBudget> {
    let expected = "a list of tables, each [[budget.labels]] in TOML";
    let Some(items) = field.list(expected, out) else {
        return vec![];
    };
    if !(1..=MAX_LABELS).contains(&items.len()) {
        out.add(field.problem(ProblemCode::OutOfRange, format!("1 to {MAX_LABELS} of them")));
    }
    let mut first: BTreeMap<LabelKey, String> = BTreeMap::new();
    let mut labels = vec![];
    for item in items {
        let Some(label) = read_one(&item, out) else {
            continue;
        };
        if let Some(before) = first.get(&label.by) {
            let path = format!("{}.by", item.path());
            let expected = format!("each only once; {before} has the same");
            let shown = format!("\"{}\"", label.by);
            out.add(Problem::new(ProblemCode::Duplicate, path, shown, expected));
            continue;
        }
        first.insert(label.by.clone(), item.path().to_owned());
        labels.push(label);
    }
    labels
}

fn read_one(field: &Field<'_>, out: &mut Collector) -> Option<LabelBudget> {
    let before = out.len();
    let is_table = matches!(field.node(), Node::Table(_));
    let mut fields = field.table(out);
    let (by, in_flight, damaged, untagged) = (
        fields.take("by"),
        fields.take("max_in_flight"),
        fields.take("max_damaged"),
        fields.take("untagged"),
    );
    let is_bounded = in_flight.is_some() || damaged.is_some() || fields.has_unknown();
    if by.is_none() && is_table {
        out.missing_id::<LabelKey>(&fields.path_of("by"));
    }
    if !is_bounded && is_table {
        out.missing(field.path(), "at least one of max_in_flight, max_damaged");
    }
    let by: Option<LabelKey> = by.and_then(|field| field.id(out));
    let choices = [
        ("together", Untagged::Together),
        ("unbounded", Untagged::Unbounded),
        ("refuse", Untagged::Refuse),
    ];
    let is_tag = by.as_ref().is_none_or(|by| by.tag().is_some());
    let chosen = untagged.as_ref().and_then(|field| field.choice(&choices, out));
    if let (Some(field), Some(by), false) = (&untagged, &by, is_tag) {
        let expected = format!("no such field beside by = \"{by}\": every node has one");
        out.add(field.problem(ProblemCode::Conflict, expected));
    }
    let max_in_flight = in_flight.and_then(|field| field.rate(out));
    let max_damaged = damaged.and_then(|field| max_damaged(&field, out));
    fields.finish(out);
    let by = by?;
    (before == out.len()).then(|| LabelBudget {
        untagged: by.tag().map(|_| chosen.unwrap_or_default()),
        by,
        max_in_flight,
        max_damaged,
    })
}
