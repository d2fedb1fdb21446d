//! Requests in YAML: their values, and where each stands.

use super::{Format, TOO_DEEP};
use crate::problem::{Place, Problem};
use crate::request::fields::joined;
use crate::request::node::Node;
use crate::request::places::Wanted;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess};
use serde_saphyr::Spanned;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// The most values that the aliases of a YAML text may stand for, all together.
const MAX_ALIAS_EVENTS: usize = 50_000;

/// Reads a text into a tree of values.
pub(super) fn read(text: &str) -> Result<Node, Problem> {
    match serde_saphyr::from_str_with_options(text, options()) {
        // An empty text is an empty table in TOML; so it is in YAML.
        Ok(Node::Null) => Ok(Node::Table(BTreeMap::new())),
        Ok(node) => Ok(node),
        Err(e) => {
            let at = e.location().map(|at| Place {
                line: at.line(),
                column: at.column(),
            });
            Err(Format::Yaml.error(at, &words(e.without_snippet())))
        }
    }
}

/// How YAML is read.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        // `yes` and `012345678901` are texts.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
        // An alias costs as much as what it stands for, so few characters can ask for a lot of
        // work. A request has room for one list of 40,000 node ids under an alias.
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_ALIAS_EVENTS,
            max_replay_stack_depth: 16,
            max_alias_expansions_per_anchor: usize::MAX,
        },
        budget: serde_saphyr::budget! {
            max_recorded_anchor_events: 2 * MAX_ALIAS_EVENTS,
        },
    }
}

/// What is wrong with a YAML text. Where a request may not use something, or has too much of it, the message says what
/// to write instead. The reader's own words would speak of limits that no request sets.
fn words(error: &serde_saphyr::Error) -> Cow<'_, str> {
    use serde_saphyr::{MessageFormatter as _, UserMessageFormatter};
    own_words(error).unwrap_or_else(|| match UserMessageFormatter.format_message(error) {
        theirs if theirs.contains("recursion limit exceeded") => Cow::Borrowed(TOO_DEEP),
        theirs => theirs,
    })
}

fn own_words(error: &serde_saphyr::Error) -> Option<Cow<'static, str>> {
    use serde_saphyr::Error as E;
    Some(match error {
        E::AliasError { error, .. } => return own_words(error),
        E::AliasReplayCounterOverflow { .. }
        | E::AliasReplayLimitExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. }
        | E::AliasReplayStackDepthExceeded { .. } => Cow::Owned(format!(
            "its aliases (*name) stand for more than {MAX_ALIAS_EVENTS} values together, or for each other too many \
             times over. Write the values out instead"
        )),
        E::UnknownAnchor { .. } => {
            Cow::Borrowed("an alias (*name) stands for nothing, since no value before it is marked &name")
        }
        E::RecursiveReferencesRequireWeakTypes { .. } => {
            Cow::Borrowed("an alias (*name) stands for a value that it is itself a part of")
        }
        E::MergeKeyNotAllowed { .. } => {
            Cow::Borrowed("a request has no merge keys (<<). Write the values out instead")
        }
        E::Budget { .. } => Cow::Borrowed(
            "it has more values, or lists and tables that nest deeper, than a request has room for",
        ),
        _ => return None,
    })
}

/// Notes where the fields of a text stand.
pub(in crate::request) fn places(text: &str, wanted: &mut Wanted) {
    if let Ok(tree) = serde_saphyr::from_str_with_options(text, options()) {
        note("", &tree, wanted);
    }
}

/// A value of which only its parts and their places count.
enum Tree {
    Leaf,
    List(Vec<Spanned<Tree>>),
    Table(Vec<(Spanned<String>, Tree)>),
}

fn note(path: &str, tree: &Tree, wanted: &mut Wanted) {
    let place = |at: serde_saphyr::Location| {
        (at.line() > 0).then(|| Place {
            line: at.line(),
            column: at.column(),
        })
    };
    match tree {
        Tree::Leaf => {}
        Tree::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                wanted.note(&path, || place(item.referenced));
                note(&path, &item.value, wanted);
            }
        }
        Tree::Table(entries) => {
            for (key, value) in entries {
                let path = joined(path, &key.value);
                wanted.note(&path, || place(key.referenced));
                note(&path, value, wanted);
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

/// Treats every scalar as a leaf.
macro_rules! leaves {
    ($($visit:ident($type:ty)),* $(,)?) => {$(
        fn $visit<E: de::Error>(self, _: $type) -> Result<Tree, E> {
            Ok(Tree::Leaf)
        }
    )*};
}

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    leaves!(
        visit_bool(bool),
        visit_i64(i64),
        visit_u64(u64),
        visit_i128(i128),
        visit_u128(u128),
        visit_f64(f64),
        visit_str(&str)
    );

    fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_none<E: de::Error>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Table(entries))
    }
}
