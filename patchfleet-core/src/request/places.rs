//! Where the fields of a text stand, for the messages on what is wrong with them. The text is read
//! a second time for that, and only if something is wrong.

use super::fields::joined;
use super::format::Format;
use super::node::Node;
use crate::problem::{Place, Problems};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess};
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use toml::de::{DeTable, DeValue};

/// The deepest nesting that is looked into. A request needs 4.
const MAX_DEPTH: usize = 16;

/// `problems` with the places of their fields in `text`, from which `node` was read. A field that is
/// not there stands where the table is that should have it.
pub(super) fn placed(problems: Problems, format: Format, text: &str, node: &Node) -> Problems {
    if depth(node) > MAX_DEPTH {
        return problems;
    }
    let mut wanted = Wanted {
        paths: problems
            .problems()
            .iter()
            .flat_map(|problem| [problem.path.clone(), parent(&problem.path).to_owned()])
            .filter(|path| !path.is_empty())
            .collect(),
        found: BTreeMap::new(),
    };
    match format {
        Format::Toml => in_toml(text, &mut wanted),
        // Every JSON text is a YAML text.
        Format::Json | Format::Yaml => in_yaml(text, &mut wanted),
    }
    problems.placed(|path| {
        let found = wanted.found.get(path);
        found.or_else(|| wanted.found.get(parent(path))).copied()
    })
}

/// The path of the table or list that `path` is in.
fn parent(path: &str) -> &str {
    let end = path.rfind(['.', '[']).unwrap_or_default();
    path.get(..end).unwrap_or_default()
}

fn depth(node: &Node) -> usize {
    match node {
        Node::List(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Node::Table(entries) => 1 + entries.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

struct Wanted {
    paths: BTreeSet<String>,
    found: BTreeMap<String, Place>,
}

impl Wanted {
    fn note(&mut self, path: &str, place: impl FnOnce() -> Option<Place>) {
        if self.paths.contains(path)
            && let Some(place) = place()
        {
            self.found.insert(path.to_owned(), place);
        }
    }
}

fn in_toml(text: &str, wanted: &mut Wanted) {
    if let Ok(table) = DeTable::parse(text) {
        // Where each line begins, so that a place is found without reading the text up to it.
        let lines: Vec<usize> = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        let place = |offset: usize| {
            let line = lines.partition_point(|start| *start <= offset);
            let start = *lines.get(line.checked_sub(1)?)?;
            let column = text.get(start..offset)?.chars().count() + 1;
            Some(Place {
                line: u64::try_from(line).ok()?,
                column: u64::try_from(column).ok()?,
            })
        };
        toml_table("", table.get_ref(), &place, wanted);
    }
}

fn toml_table(path: &str, table: &DeTable<'_>, place: &dyn Fn(usize) -> Option<Place>, wanted: &mut Wanted) {
    for (key, value) in table {
        let path = joined(path, key.get_ref());
        wanted.note(&path, || place(key.span().start));
        toml_value(&path, value.get_ref(), place, wanted);
    }
}

fn toml_value(path: &str, value: &DeValue<'_>, place: &dyn Fn(usize) -> Option<Place>, wanted: &mut Wanted) {
    match value {
        DeValue::Table(table) => toml_table(path, table, place, wanted),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                wanted.note(&path, || place(item.span().start));
                toml_value(&path, item.get_ref(), place, wanted);
            }
        }
        _ => {}
    }
}

fn in_yaml(text: &str, wanted: &mut Wanted) {
    if let Ok(tree) = serde_saphyr::from_str_with_options(text, Format::yaml_options()) {
        yaml_value("", &tree, wanted);
    }
}

/// A value of which only its parts and their places count.
enum Tree {
    Leaf,
    List(Vec<Spanned<Tree>>),
    Table(Vec<(Spanned<String>, Tree)>),
}

fn yaml_value(path: &str, tree: &Tree, wanted: &mut Wanted) {
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
                yaml_value(&path, &item.value, wanted);
            }
        }
        Tree::Table(entries) => {
            for (key, value) in entries {
                let path = joined(path, &key.value);
                wanted.note(&path, || place(key.referenced));
                yaml_value(&path, value, wanted);
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

/// Takes every scalar for a leaf.
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
