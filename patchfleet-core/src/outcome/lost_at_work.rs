//! Lost nodes on which a script may run on.

use crate::text::counted;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Lost nodes on which what their commands began may run on ([`NodeRow::may_run_until`](super::NodeRow)). Until then each keeps its
/// place under a bound on nodes in flight that the campaign keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LostAtWork {
    /// How many, at least 1.
    pub nodes: u64,
    /// When the first of them gives its place up.
    pub first_until: Timestamp,
    /// When the last of them does.
    pub last_until: Timestamp,
}

impl LostAtWork {
    /// So many nodes that all keep their places until then. `None` of no node.
    pub(crate) fn of(nodes: u64, until: Timestamp) -> Option<Self> {
        (nodes > 0).then_some(Self {
            nodes,
            first_until: until,
            last_until: until,
        })
    }

    /// These and others.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_add(other.nodes),
            first_until: self.first_until.min(other.first_until),
            last_until: self.last_until.max(other.last_until),
        }
    }

    /// All of these together.
    pub(crate) fn sum(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().reduce(Self::and)
    }

    /// How many of so many there are.
    pub(crate) fn count(of: Option<Self>) -> u64 {
        of.map_or(0, |lost| lost.nodes)
    }
}

impl fmt::Display for LostAtWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = counted(self.nodes, "lost node");
        match self.first_until == self.last_until {
            true => write!(f, "{nodes} may be at work until {:.0}", self.last_until),
            false => write!(
                f,
                "{nodes} may be at work, the first of them until {:.0} and the last until {:.0}",
                self.first_until, self.last_until
            ),
        }
    }
}
