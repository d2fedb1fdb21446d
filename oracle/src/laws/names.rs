//! The names of patches, in the rows of nodes.

use crate::run::Done;
use std::collections::BTreeSet;

/// Patches are named of nodes whose outcome follows from their number: no more than there are, each once, and of no more
/// nodes of a location than are asked: ten, or as many again where results were read again.
pub(super) fn bounded(done: &Done) {
    for (location, rows) in &done.ended.rows {
        let mut nodes = 0;
        for row in rows {
            let Some(names) = &row.patches else { continue };
            let Some((shortfall, count)) = row.shortfall() else {
                panic!("named without such patches: {row:?}");
            };
            assert_eq!(names.shortfall, shortfall, "{row:?}");
            let ids: BTreeSet<&str> = names.named.iter().map(|patch| patch.id.as_str()).collect();
            assert_eq!(ids.len(), names.named.len(), "{row:?}");
            assert!(ids.len() <= usize::try_from(count).unwrap().min(20), "{row:?}");
            assert_eq!(names.named.is_empty(), names.unread.is_some(), "{row:?}");
            nodes += usize::from(!ids.is_empty());
        }
        assert!(nodes <= 20, "{location}: {nodes} nodes");
    }
}
