//! Which nodes, in 32 bytes.

use super::{NodeId, all_of, text_id};
use crate::hash::Sha256;
use std::collections::BTreeSet;
use std::fmt::Write as _;

text_id! {
    /// A digest of a set of nodes: SHA-256 of their ids in ascending order, each followed by a line
    /// feed, as 64 hexadecimal digits in lower case. Equal digests are equal sets. If two nodes left and two others came,
    /// the digest differs, though their number is the same.
    NodesDigest, "a digest of nodes", "64 lower-case hexadecimal digits",
    |t| all_of(t, 64..=64, |b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl NodesDigest {
    /// The digest of these nodes, in whatever order, each counted once.
    ///
    /// ```
    /// use patchfleet_core::id::{NodeId, NodesDigest};
    ///
    /// let (a, b): (NodeId, NodeId) = ("i-00000001".parse()?, "mi-00000000000000002".parse()?);
    /// assert_eq!(NodesDigest::of([&a, &b]), NodesDigest::of([&b, &a, &b]));
    /// assert_ne!(NodesDigest::of([&a, &b]), NodesDigest::of([&a]));
    /// # Ok::<(), patchfleet_core::id::ParseIdError>(())
    /// ```
    #[must_use]
    pub fn of<'a>(nodes: impl IntoIterator<Item = &'a NodeId>) -> Self {
        let sorted: BTreeSet<&NodeId> = nodes.into_iter().collect();
        let mut hash = Sha256::new();
        for node in sorted {
            hash.update(node.as_str());
            hash.update("\n");
        }
        let mut hex = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing to a String does not fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Self(hex.into())
    }

    /// The first eight digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.as_str().get(..8).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_ids_in_lines() {
        let nodes: Vec<NodeId> = ["i-00000002", "i-00000001"].map(|id| id.parse().unwrap()).into();
        // printf 'i-00000001\ni-00000002\n' | sha256sum
        assert_eq!(
            NodesDigest::of(&nodes).as_str(),
            "22c97a4c87c8b7dffbf20ee3faaf1c909618f9c70ddcee0281cdbde717d8aefb"
        );
        assert_eq!(NodesDigest::of(&nodes).short().len(), 8);
        assert!("ABCD".parse::<NodesDigest>().is_err());
    }
}
