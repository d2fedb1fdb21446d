//! Which nodes, by their ids.

use super::{NodeId, ParseIdError};
use std::collections::BTreeSet;

/// A set of nodes. It is kept as one text to save memory, since a plan of many locations holds many ids. In JSON it is a
/// list of ids in ascending order.
#[derive(Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(from = "Vec<NodeId>", into = "Vec<NodeId>")]
pub struct NodeSet(Box<str>);

impl NodeSet {
    /// The set of these nodes, in whatever order, each counted once.
    ///
    /// ```
    /// use patchfleet_core::id::{NodeId, NodeSet};
    ///
    /// let (a, b): (NodeId, NodeId) = ("i-00000001".parse()?, "mi-00000000000000002".parse()?);
    /// let set = NodeSet::of([&b, &a, &b]);
    /// assert_eq!(set, NodeSet::of([&a, &b]));
    /// assert_eq!(set.nodes().into_iter().collect::<Vec<_>>(), [a, b]);
    /// # Ok::<(), patchfleet_core::id::ParseIdError>(())
    /// ```
    #[must_use]
    pub fn of<'a>(nodes: impl IntoIterator<Item = &'a NodeId>) -> Self {
        let sorted: BTreeSet<&str> = nodes.into_iter().map(NodeId::as_str).collect();
        Self(Vec::from_iter(sorted).join(" ").into())
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> BTreeSet<NodeId> {
        let ids = self.0.split_ascii_whitespace();
        // It was made of ids, so each part reads back as one.
        ids.map(str::parse)
            .filter_map(Result::<_, ParseIdError>::ok)
            .collect()
    }
}

impl From<Vec<NodeId>> for NodeSet {
    fn from(nodes: Vec<NodeId>) -> Self {
        Self::of(&nodes)
    }
}

impl From<NodeSet> for Vec<NodeId> {
    fn from(set: NodeSet) -> Self {
        set.nodes().into_iter().collect()
    }
}

impl std::fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeSet({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_nodes_is_a_sorted_list_in_json_and_reads_back() {
        let set: NodeSet = serde_json::from_str(r#"["i-00000002", "i-00000001", "i-00000002"]"#).unwrap();
        assert_eq!(
            serde_json::to_string(&set).unwrap(),
            r#"["i-00000001","i-00000002"]"#
        );
        assert_eq!(NodeSet::default().nodes(), BTreeSet::new());
        assert!(serde_json::from_str::<NodeSet>(r#"["i-1 i-2"]"#).is_err());
    }
}
