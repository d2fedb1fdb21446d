//! The patches that failed or are missing, by name: of one node, and of the nodes of a location.

use crate::outcome::{NamedPatch, NodeRow};
use crate::port::PatchShortfall;
use crate::text::{counted, one_line, table};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

/// How many patches of a location are named at most: those that most of its nodes have.
const FREQUENT: usize = 10;

/// How many patches of a node are named beside what its row says.
const IN_LINE: usize = 3;

/// How patches fall short, as headings. The failed ones come first.
const HEADINGS: [(PatchShortfall, &str); 2] = [
    (PatchShortfall::Failed, "Patches that failed to install"),
    (PatchShortfall::Missing, "Patches that are still missing"),
];

/// The patches of these nodes, a section for those that failed and one for those that are missing. Of several nodes the
/// most frequent patches are named, each with the number of its nodes.
pub(super) fn sections<'a>(
    rows: impl Iterator<Item = &'a NodeRow> + Clone,
    of_one_node: bool,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    for (shortfall, heading) in HEADINGS {
        let section = Section::of(rows.clone(), shortfall, of_one_node);
        if !section.is_empty() {
            writeln!(f, "\n{heading}")?;
            section.write(of_one_node, f)?;
        }
    }
    Ok(())
}

/// What a node's row says of it, with the names of its first patches.
pub(super) fn detail(row: &NodeRow) -> String {
    let detail = one_line(&row.detail);
    let named = row.patches.iter().flat_map(|names| &names.named).take(IN_LINE);
    let named: Vec<String> = named.map(|patch| one_line(&patch.id)).collect();
    if named.is_empty() {
        return detail;
    }
    let count = row.shortfall().map_or(0, |(_, count)| count);
    let more = usize::try_from(count)
        .unwrap_or(usize::MAX)
        .saturating_sub(named.len());
    let more = match more {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("{detail} ({}{more})", named.join(", "))
}

/// The patches of some nodes that fall short in one way.
#[derive(Default)]
struct Section<'a> {
    /// By id. Of a patch with several titles the first is told.
    patches: BTreeMap<&'a str, (&'a NamedPatch, usize)>,
    /// How many more there are of nodes that have too many to keep their names.
    more: usize,
    /// How many nodes have no names, by the reason.
    unread: BTreeMap<&'a str, usize>,
}

impl<'a> Section<'a> {
    fn of(rows: impl Iterator<Item = &'a NodeRow>, wanted: PatchShortfall, of_one_node: bool) -> Self {
        let mut section = Self::default();
        for row in rows {
            let (Some(names), Some((shortfall, count))) = (&row.patches, row.shortfall()) else {
                continue;
            };
            if shortfall != wanted {
                continue;
            }
            for patch in &names.named {
                section.patches.entry(&patch.id).or_insert((patch, 0)).1 += 1;
            }
            match &names.unread {
                Some(unread) => *section.unread.entry(&unread.detail).or_default() += 1,
                // Of several nodes nobody knows which of them are named of another node.
                None if of_one_node => {
                    let count = usize::try_from(count).unwrap_or(usize::MAX);
                    section.more = count.saturating_sub(names.named.len());
                }
                None => {}
            }
        }
        section
    }

    fn is_empty(&self) -> bool {
        self.patches.is_empty() && self.unread.is_empty()
    }

    fn write(&self, of_one_node: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut patches: Vec<_> = self.patches.values().collect();
        patches.sort_by_key(|(patch, nodes)| (Reverse(*nodes), &patch.id));
        let shown = if of_one_node { patches.len() } else { FREQUENT };
        let more = patches.len().saturating_sub(shown).saturating_add(self.more);
        let rows = patches.into_iter().take(shown).map(|(patch, nodes)| {
            let words = [&patch.id, &patch.classification, &patch.severity, &patch.title];
            let mut row: Vec<String> = words.map(|words| one_line(words)).to_vec();
            if !of_one_node {
                row.insert(1, counted(*nodes, "node"));
            }
            row
        });
        f.write_str(&table("  ", &rows.collect::<Vec<_>>(), 0..0))?;
        if more > 0 {
            writeln!(f, "  and {more} more")?;
        }
        for (why, nodes) in &self.unread {
            let of = if of_one_node {
                String::new()
            } else {
                format!(" of {}", counted(*nodes, "node"))
            };
            writeln!(f, "  not named{of}: {}", one_line(why))?;
        }
        Ok(())
    }
}
