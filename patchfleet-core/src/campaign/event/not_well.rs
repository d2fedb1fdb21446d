//! Which nodes of a location did not end well.

use crate::id::NodeId;
use crate::outcome::{NodeOutcome, NodeRow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which nodes of a location are damaged, of which nothing could be found out, and on which lost ones a script may run on. The log has
/// the first two where a campaign bounds the nodes of each value of a label: the tally does not say which value is damaged. It has the
/// last where the campaign keeps a bound on nodes in flight.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotWell {
    /// Failed or lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<NodeId>,
    /// Each may be at work still, and each may be damaged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<NodeId>,
    /// Until when what its command began may be at work on a lost node ([`NodeRow::may_run_until`]). Logs of earlier versions do not
    /// say so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub may_run_until: BTreeMap<NodeId, Timestamp>,
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
            ..Self::default()
        }
    }

    /// The same with the lost nodes of these rows on which a script may run on.
    pub(in crate::campaign) fn with_lost(self, rows: &[NodeRow]) -> Self {
        let lost = rows.iter().filter(|row| row.outcome == NodeOutcome::Lost);
        let may_run = lost.filter_map(|row| Some((row.node.clone(), row.may_run_until?)));
        Self {
            may_run_until: may_run.collect(),
            ..self
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
