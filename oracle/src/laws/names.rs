//! The names of patches, in the rows of nodes.

use crate::run::{Done, Ending};
use patchfleet_core::campaign::Event;
use std::collections::BTreeSet;

/// Patches are named only of nodes that are `failed` or `missing` for their patches. A node has no more names than such
/// patches, and each once. Each reading of the results of a unit in a location names at most ten nodes, and the log has
/// each. `collect` may name as many again.
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
        let events = done.ended.records.iter().flat_map(|record| &record.events);
        let is_reading = |event: &&Event| match event {
            Event::LocationSettled { location: at, .. } | Event::Recollected { location: at, .. } => {
                at == location
            }
            _ => false,
        };
        let readings = events.filter(is_reading).count() * (1 + usize::from(done.collected.is_some()));
        // Rows are kept before the log says so, so an open campaign may be a reading ahead of it.
        let is_over = matches!(done.ending, Ending::Finished);
        assert!(!is_over || nodes <= 10 * readings, "{location}: {nodes} nodes");
    }
}
