//! Which nodes of a location did not end well.

use crate::id::NodeId;
use crate::outcome::NodeRow;
use serde::{Deserialize, Serialize};

/// Which nodes of a location are damaged, and of which nothing could be found out. The log has them where a campaign bounds the
/// nodes of each value of a label: the tally does not say which value is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotWell {
    /// Failed or lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<NodeId>,
    /// Each may be at work still, and each may be damaged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<NodeId>,
}

impl NotWell {
    /// Those of these rows.
    pub(in crate::campaign) fn of(rows: &[NodeRow]) -> Self {
        let nodes = |is: fn(&NodeRow) -> bool| {
            let rows = rows.iter().filter(|row| is(row));
            rows.map(|row| row.node.clone()).collect()
        };
        Self {
            damaged: nodes(|row| row.outcome.is_damaged()),
            unknown: nodes(|row| row.outcome.is_unknown()),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.damaged.is_empty() && self.unknown.is_empty()
    }
}
