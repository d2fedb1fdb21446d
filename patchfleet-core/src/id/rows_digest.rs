//! Which node came to what, in eight bytes.

use super::{NodeId, all_of, text_id};
use crate::hash::Sha256;
use std::collections::BTreeMap;
use std::fmt::Write as _;

text_id! {
    /// A digest of what nodes came to: the first eight bytes of the SHA-256 of their ids in ascending order, each followed by a
    /// space, what it came to, and a line feed, as 16 hexadecimal digits in lower case. The log has it of the rows that it counts, so
    /// rows that a store gives back are known to be these or not.
    RowsDigest, "a digest of rows", "16 lower-case hexadecimal digits",
    |t| all_of(t, 16..=16, |b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl RowsDigest {
    /// The digest of these nodes with what each came to, in whatever order. `None` of no node.
    ///
    /// ```
    /// use patchfleet_core::id::{NodeId, RowsDigest};
    ///
    /// let (a, b): (NodeId, NodeId) = ("i-00000001".parse()?, "i-00000002".parse()?);
    /// let one = RowsDigest::of([(&a, "done"), (&b, "lost")]);
    /// assert_eq!(one, RowsDigest::of([(&b, "lost"), (&a, "done")]));
    /// assert_ne!(one, RowsDigest::of([(&a, "lost"), (&b, "done")]));
    /// assert_eq!(RowsDigest::of([]), None);
    /// # Ok::<(), patchfleet_core::id::ParseIdError>(())
    /// ```
    #[must_use]
    pub fn of<'a>(rows: impl IntoIterator<Item = (&'a NodeId, &'a str)>) -> Option<Self> {
        let sorted: BTreeMap<&NodeId, &str> = rows.into_iter().collect();
        if sorted.is_empty() {
            return None;
        }
        let mut hash = Sha256::new();
        for (node, outcome) in sorted {
            hash.update(node.as_str());
            hash.update(" ");
            hash.update(outcome);
            hash.update("\n");
        }
        let mut hex = String::with_capacity(16);
        for byte in hash.finalize().into_iter().take(8) {
            // Writing to a String does not fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Some(Self(hex.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_beginning_of_that_of_the_lines() {
        let (a, b): (NodeId, NodeId) = ("i-00000001".parse().unwrap(), "i-00000002".parse().unwrap());
        // printf 'i-00000001 done\ni-00000002 lost\n' | sha256sum | cut -c1-16
        let digest = RowsDigest::of([(&b, "lost"), (&a, "done")]).unwrap();
        assert_eq!(digest.as_str(), "00b2ee4ffd09a174");
        assert!("ABCD".parse::<RowsDigest>().is_err());
    }
}
