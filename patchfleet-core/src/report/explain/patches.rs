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

/// What a node's row says of it, with the names of its first patches. Each name stands there once, also if several patches
/// have it.
pub(super) fn detail(row: &NodeRow) -> String {
    let detail = one_line(&row.detail);
    let named = || row.patches.iter().flat_map(|names| &names.named);
    let mut ids: Vec<&str> = vec![];
    for patch in named() {
        if ids.len() < IN_LINE && !ids.contains(&patch.id.as_str()) {
            ids.push(&patch.id);
        }
    }
    if ids.is_empty() {
        return detail;
    }
    let told = named().filter(|patch| ids.contains(&patch.id.as_str())).count();
    let more = match patches_of(row).saturating_sub(told) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let ids: Vec<String> = ids.into_iter().map(one_line).collect();
    format!("{detail} ({}{more})", ids.join(", "))
}

/// How many patches of a node fall short, with a name or without.
fn patches_of(row: &NodeRow) -> usize {
    let count = row.shortfall().map_or(0, |(_, count)| count);
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The patches of some nodes that fall short in one way.
#[derive(Default)]
struct Section<'a> {
    /// Of one node each patch that is named. Of several nodes each id once, with the first of its titles and the number of
    /// nodes.
    patches: Vec<(&'a NamedPatch, usize)>,
    /// Of one node: how many more patches it has, which its row does not name.
    more: usize,
    /// Of how many of several nodes not every patch is named. Nobody knows which of the others stand in another node's row.
    incomplete: usize,
    /// How many nodes have no names, by the reason.
    unread: BTreeMap<&'a str, usize>,
}

impl<'a> Section<'a> {
    fn of(rows: impl Iterator<Item = &'a NodeRow>, wanted: PatchShortfall, of_one_node: bool) -> Self {
        let mut section = Self::default();
        let mut by_id: BTreeMap<&'a str, (&'a NamedPatch, usize)> = BTreeMap::new();
        for row in rows {
            let (Some(names), Some((shortfall, _))) = (&row.patches, row.shortfall()) else {
                continue;
            };
            if shortfall != wanted {
                continue;
            }
            if let Some(unread) = &names.unread {
                *section.unread.entry(&unread.detail).or_default() += 1;
                section.incomplete += 1;
            } else if of_one_node {
                section.patches = names.named.iter().map(|patch| (patch, 1)).collect();
                section.more = patches_of(row).saturating_sub(names.named.len());
            } else {
                let ids: BTreeMap<&str, &NamedPatch> = names
                    .named
                    .iter()
                    .rev()
                    .map(|patch| (&*patch.id, patch))
                    .collect();
                section.incomplete += usize::from(patches_of(row) > names.named.len());
                for (id, patch) in ids {
                    by_id.entry(id).or_insert((patch, 0)).1 += 1;
                }
            }
        }
        section.patches.extend(by_id.into_values());
        section
    }

    fn is_empty(&self) -> bool {
        self.patches.is_empty() && self.unread.is_empty()
    }

    fn write(&self, of_one_node: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut patches: Vec<_> = self.patches.iter().collect();
        patches.sort_by_key(|(patch, nodes)| (Reverse(*nodes), *patch));
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
        match (more, of_one_node || self.incomplete == 0) {
            (0, true) => {}
            (more, true) => writeln!(f, "  and {more} more")?,
            // Those that have no names at all are told below.
            (0, false) if self.patches.is_empty() => {}
            (more, false) => {
                let more = match more {
                    0 => String::new(),
                    more => format!("and at least {more} more; "),
                };
                writeln!(
                    f,
                    "  {more}of {} not every patch is named, so there may be more patches, and each on more nodes",
                    counted(self.incomplete, "node")
                )?;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Display;

    /// A node whose patch `kernel` has two versions, of six failed patches of which four are named.
    fn row(node: u32) -> NodeRow {
        let of = |title: &str| {
            let id = title.split(' ').next();
            serde_json::json!({"id": id, "title": title, "classification": "Security", "severity": "Important"})
        };
        let named = ["glibc 2", "kernel 5.1", "kernel 5.2", "zlib 1"].map(of);
        serde_json::from_value(serde_json::json!({
            "node": format!("i-{node:08}"), "outcome": "failed", "detail": "some failed", "installed": 1, "missing": 0,
            "failed": 6, "patches": {"shortfall": "failed", "named": named},
        }))
        .unwrap()
    }

    /// The sections of these rows.
    struct Of(Vec<NodeRow>, bool);

    impl Display for Of {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            sections(self.0.iter(), self.1, f)
        }
    }

    #[test]
    fn an_id_of_two_titles_is_one_patch_of_a_location_and_two_of_a_node() {
        insta::assert_snapshot!(Of(vec![row(1)], true), @r"

        Patches that failed to install
          glibc   Security  Important  glibc 2
          kernel  Security  Important  kernel 5.1
          kernel  Security  Important  kernel 5.2
          zlib    Security  Important  zlib 1
          and 2 more
        ");
        insta::assert_snapshot!(Of(vec![row(1), row(2)], false), @r"

        Patches that failed to install
          glibc   2 nodes  Security  Important  glibc 2
          kernel  2 nodes  Security  Important  kernel 5.1
          zlib    2 nodes  Security  Important  zlib 1
          of 2 nodes not every patch is named, so there may be more patches, and each on more nodes
        ");
        assert_eq!(detail(&row(1)), "some failed (glibc, kernel, zlib, and 2 more)");
    }

    /// A node with so many failed patches of its own, of which the first are named.
    fn with_own(node: u32, failed: u32, named: u32) -> NodeRow {
        let of = |n: u32| serde_json::json!({"id": format!("p{node}-{n:02}")});
        let named: Vec<_> = (0..named).map(of).collect();
        serde_json::from_value(serde_json::json!({
            "node": format!("i-{node:08}"), "outcome": "failed", "detail": "some failed", "installed": 1, "missing": 0,
            "failed": failed, "patches": {"shortfall": "failed", "named": named},
        }))
        .unwrap()
    }

    /// One whose patches nobody has named.
    fn without_names(node: u32) -> NodeRow {
        let unread = serde_json::json!({"reason": "too_many_nodes", "detail": "others were asked"});
        serde_json::from_value(serde_json::json!({
            "node": format!("i-{node:08}"), "outcome": "failed", "detail": "some failed", "installed": 1, "missing": 0,
            "failed": 3, "patches": {"shortfall": "failed", "unread": unread},
        }))
        .unwrap()
    }

    #[test]
    fn how_many_patches_of_a_location_are_not_shown_is_told_or_that_it_is_not_known() {
        let end = |rows: Vec<NodeRow>| {
            let text = Of(rows, false).to_string();
            let lines = text.lines().filter(|line| !line.contains("  1 node"));
            lines.skip(2).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(end(vec![with_own(1, 6, 6), with_own(2, 7, 7)]), "  and 3 more");
        assert_eq!(
            end(vec![with_own(1, 30, 20), with_own(2, 7, 7)]),
            "  and at least 17 more; of 1 node not every patch is named, so there may be more patches, and each on more nodes"
        );
        assert_eq!(
            end(vec![with_own(1, 6, 6), without_names(2)]),
            "  of 1 node not every patch is named, so there may be more patches, and each on more nodes\n  \
             not named of 1 node: others were asked"
        );
        assert_eq!(
            end(vec![without_names(2)]),
            "  not named of 1 node: others were asked"
        );
    }
}
