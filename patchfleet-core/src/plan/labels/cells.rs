//! The values of all labels in one row, and which of them a node has.

use super::PlannedLabel;
use crate::id::NodeId;
use std::collections::BTreeMap;

/// The values of all labels, each with a number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cells {
    cells: Vec<Cell>,
    of_node: BTreeMap<NodeId, Vec<u32>>,
    unbounded: BTreeMap<NodeId, usize>,
}

/// One value of one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    /// The place of its label among those of the plan.
    pub(crate) label: usize,
    /// Its place among the values of that label.
    pub(crate) value: usize,
    pub(crate) max_in_flight: Option<u32>,
    pub(crate) max_damaged: Option<u32>,
}

impl Cell {
    /// How many of its nodes one start may name: all of them are in flight at once, and all may be damaged.
    pub(crate) fn most_in_a_start(&self) -> u32 {
        let bounds = self.max_in_flight.into_iter().chain(self.max_damaged);
        bounds.min().unwrap_or(u32::MAX).max(1)
    }
}

impl Cells {
    pub(crate) fn of(labels: &[PlannedLabel]) -> Self {
        let mut all = Self::default();
        for (label, planned) in labels.iter().enumerate() {
            for (value, of_value) in planned.values.iter().enumerate() {
                let number = u32::try_from(all.cells.len()).unwrap_or(u32::MAX);
                all.cells.push(Cell {
                    label,
                    value,
                    max_in_flight: of_value.max_in_flight,
                    max_damaged: of_value.max_damaged,
                });
                for node in &of_value.nodes {
                    all.of_node.entry(node.clone()).or_default().push(number);
                }
            }
            for node in &planned.unbounded {
                *all.unbounded.entry(node.clone()).or_default() += 1;
            }
        }
        all
    }

    /// How many nodes of each value may be in flight at once, by its number.
    pub(crate) fn at_once(&self) -> BTreeMap<u32, u64> {
        let cells = (0_u32..).zip(&self.cells);
        cells
            .map(|(number, cell)| (number, cell.most_in_a_start().into()))
            .collect()
    }

    /// Whether there is no label.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The value with this number.
    pub(crate) fn cell(&self, number: u32) -> Option<&Cell> {
        self.cells.get(usize::try_from(number).ok()?)
    }

    /// The numbers of the values that a node has.
    pub(crate) fn of_node(&self, node: &NodeId) -> &[u32] {
        self.of_node.get(node).map_or(&[], Vec::as_slice)
    }

    /// How many of these nodes have each value.
    pub(crate) fn count<'a>(&self, nodes: impl IntoIterator<Item = &'a NodeId>) -> BTreeMap<u32, u32> {
        let mut counts = BTreeMap::new();
        if !self.is_empty() {
            for number in nodes.into_iter().flat_map(|node| self.of_node(node)) {
                let count: &mut u32 = counts.entry(*number).or_default();
                *count = count.saturating_add(1);
            }
        }
        counts
    }

    /// Whether each of these nodes has one value of each of so many labels, or is not bounded by it.
    pub(super) fn knows_each(&self, nodes: &[NodeId], labels: usize) -> bool {
        nodes.iter().all(|node| {
            let unbounded = self.unbounded.get(node).copied().unwrap_or_default();
            let of = self.of_node(node).iter().filter_map(|number| self.cell(*number));
            let mut of: Vec<usize> = of.map(|cell| cell.label).collect();
            let all = of.len();
            of.dedup();
            of.len() == all && all + unbounded == labels
        })
    }

    /// Whether one start may name all of these nodes.
    pub(super) fn take(&self, nodes: &[NodeId]) -> bool {
        let counts = self.count(nodes);
        counts.iter().all(|(number, n)| {
            let cell = self.cell(*number);
            cell.is_some_and(|cell| *n <= cell.most_in_a_start())
        })
    }

    /// The nodes in chunks of at most `most`, each of which one start may name. Those of one value are spread over as many
    /// chunks as the bounds make necessary; those of different values go together.
    pub(crate) fn chunks(&self, nodes: &[NodeId], most: usize) -> Vec<Vec<NodeId>> {
        let most = most.max(1);
        if self.is_empty() {
            return nodes.chunks(most).map(<[NodeId]>::to_vec).collect();
        }
        let mut nodes: Vec<&NodeId> = nodes.iter().collect();
        // By value, so that in every location the same values go together.
        nodes.sort_by_key(|node| (self.of_node(node), *node));
        let mut chunks: Vec<Chunk> = vec![];
        // The first chunk that may have room for a further node of a value, or for any.
        let (mut first, mut first_of) = (0, BTreeMap::<u32, usize>::new());
        for node in nodes {
            let cells = self.of_node(node);
            let from = cells.iter().filter_map(|number| first_of.get(number)).copied();
            let mut at = from.fold(first, usize::max);
            while let Some(chunk) = chunks.get(at) {
                let full = cells.iter().find(|number| !self.has_room(chunk, **number));
                if chunk.nodes.len() < most && full.is_none() {
                    break;
                }
                if chunk.nodes.len() >= most && at == first {
                    first += 1;
                }
                if let Some(full) =
                    full.filter(|number| first_of.get(number).copied().unwrap_or_default() == at)
                {
                    first_of.insert(*full, at + 1);
                }
                at += 1;
            }
            if at >= chunks.len() {
                chunks.push(Chunk::default());
            }
            if let Some(chunk) = chunks.get_mut(at) {
                chunk.nodes.push(node.clone());
                for number in cells {
                    *chunk.counts.entry(*number).or_default() += 1;
                }
            }
        }
        let sorted = |mut chunk: Chunk| {
            chunk.nodes.sort();
            chunk.nodes
        };
        chunks.into_iter().map(sorted).collect()
    }

    fn has_room(&self, chunk: &Chunk, number: u32) -> bool {
        let taken = chunk.counts.get(&number).copied().unwrap_or_default();
        self.cell(number)
            .is_some_and(|cell| taken < cell.most_in_a_start())
    }
}

#[derive(Default)]
struct Chunk {
    nodes: Vec<NodeId>,
    counts: BTreeMap<u32, u32>,
}
