//! Where the fields of a text stand, for messages about what is wrong. The text is read a second time for that, and
//! only if something is wrong.

use super::format::Format;
use super::node::Node;
use crate::problem::{Place, Problems};
use std::collections::{BTreeMap, BTreeSet};

/// The deepest nesting that is looked into. A request needs 4.
const MAX_DEPTH: usize = 16;

/// `problems`, each with the place of its field in `text`, from which `node` was read. The place of a missing field is
/// that of the table that should have it.
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
    format.note_places(text, &mut wanted);
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

/// The fields whose places are wanted, and the places that were found.
pub(super) struct Wanted {
    paths: BTreeSet<String>,
    found: BTreeMap<String, Place>,
}

impl Wanted {
    pub(super) fn note(&mut self, path: &str, place: impl FnOnce() -> Option<Place>) {
        if self.paths.contains(path)
            && let Some(place) = place()
        {
            self.found.insert(path.to_owned(), place);
        }
    }
}
