//! Reading what the nodes of a campaign have installed, patch by patch. Nothing is written into the log.
//!
//! A node is asked for two states, each to its last page. Up to eight locations are read at once, and up to eight nodes of
//! each. The first node of a location is asked by itself: if the role may not read there, the others are not asked.

use super::Driver;
use crate::campaign::notice::Tried;
use crate::campaign::{READS_AT_ONCE, State};
use crate::id::{Location, NodeId};
use crate::outcome::{NodeOutcome, NodeRow};
use crate::port::{PatchListState, PatchView, PortError, PortErrorKind, PortResult};
use crate::request::Operation;
use crate::text::{by_number, counted};
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};

/// The states of a patch that is installed.
const STATES: [PatchListState; 2] = [PatchListState::Installed, PatchListState::InstalledPendingReboot];

/// What nodes have installed.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    /// How many nodes were read.
    pub(crate) nodes: u32,
    /// What any of them has: the id and the title, as AWS wrote them.
    pub(crate) patches: BTreeSet<(String, String)>,
    /// What could not be read.
    pub(crate) unread: Vec<UnreadNodes>,
    /// In how many locations something is still installed.
    pub(crate) not_over: u32,
}

/// Nodes whose patches could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct UnreadNodes {
    /// Where.
    pub location: Location,
    /// The node. `None`: nobody knows which nodes of the location they are.
    pub node: Option<NodeId>,
    /// Why, in AWS's words where it has any.
    pub reason: String,
}

impl Installed {
    fn merge(&mut self, other: Self) {
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.patches.extend(other.patches);
        self.unread.extend(other.unread);
    }

    /// Takes what a node answered.
    fn take(&mut self, location: &Location, row: &NodeRow, answer: Result<Vec<PatchView>, String>) {
        let counted_before = row.installed.unwrap_or(0);
        let answer = match answer {
            Ok(patches) if patches.is_empty() && counted_before > 0 => Err(format!(
                "AWS lists no installed patch of it any more, and counted {counted_before} when its results were read"
            )),
            answer => answer,
        };
        match answer {
            Ok(patches) => {
                self.nodes = self.nodes.saturating_add(1);
                let named = patches.into_iter().map(|patch| (patch.id, patch.title));
                self.patches.extend(named);
            }
            Err(reason) => self.unread.push(UnreadNodes {
                location: location.clone(),
                node: Some(row.node.clone()),
                reason,
            }),
        }
    }
}

impl Driver {
    /// What the nodes have installed that reached the end of an Install: those whose row is `done` or `pending_reboot`, of
    /// this wave or of all. They are asked now, so what was done to them since is in it.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the rows do not answer. What AWS does not answer is in [`Installed::unread`].
    pub(crate) async fn installed(&self, state: &State, wave: Option<u32>) -> PortResult<Installed> {
        let mut places: BTreeMap<&Location, u32> = BTreeMap::new();
        let mut open: BTreeSet<&Location> = BTreeSet::new();
        for (unit, location, at) in state.locations() {
            let is_wanted = wave.is_none_or(|wave| wave == state.wave_of(unit))
                && state.operation_of(unit) == Operation::Install;
            if is_wanted && at.settled.is_none() {
                open.insert(location);
            }
            if let Some(settled) = at.settled.as_ref().filter(|_| is_wanted) {
                let nodes = |outcome| settled.nodes.count(outcome);
                let there = nodes(NodeOutcome::Done).saturating_add(nodes(NodeOutcome::PendingReboot));
                let count = places.entry(location).or_default();
                *count = count.saturating_add(there);
            }
        }
        places.retain(|_, nodes| *nodes > 0);
        let reads: Vec<_> = places
            .into_iter()
            .map(|(location, nodes)| self.installed_at(state, location, nodes))
            .collect();
        let mut reads = stream::iter(reads).buffered(READS_AT_ONCE);
        let mut installed = Installed {
            not_over: u32::try_from(open.len()).unwrap_or(u32::MAX),
            ..Installed::default()
        };
        while let Some(read) = reads.next().await {
            installed.merge(read?);
        }
        installed.unread.sort();
        Ok(installed)
    }

    /// The same of one location, of which the log says that it has so many such nodes.
    async fn installed_at(&self, state: &State, location: &Location, nodes: u32) -> PortResult<Installed> {
        let campaign = state.campaign();
        let subject = location.to_string();
        let kept = self
            .patience(Tried::KeptRows, &subject)
            .call(|| self.rows.rows(campaign, location), |kind| !kind.is_transient())
            .await;
        let (mut rows, damage) = match kept {
            Ok(rows) => (rows, None),
            Err(error) if error.kind() == PortErrorKind::Incompatible => (vec![], Some(error.chain())),
            Err(error) => return Err(error),
        };
        let others = state.not_by_the_log(location, &rows);
        rows.retain(|row| {
            let is_installed = matches!(row.outcome, NodeOutcome::Done | NodeOutcome::PendingReboot);
            is_installed && !others.contains(&row.node)
        });
        let mut installed = Installed::default();
        let found = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let lost = nodes.saturating_sub(found);
        if lost > 0 {
            let damage = damage.map(|damage| format!(" ({damage})")).unwrap_or_default();
            installed.unread.push(UnreadNodes {
                location: location.clone(),
                node: None,
                reason: format!(
                    "{} {} done, and the rows that name {} cannot be read{damage}",
                    counted(lost, "more node"),
                    by_number(lost, "is", "are"),
                    by_number(lost, "it", "them"),
                ),
            });
        }
        let mut rows = rows.iter();
        let Some(first) = rows.next() else {
            return Ok(installed);
        };
        let answer = self.installed_on(location, &first.node).await;
        let refused = answer
            .as_ref()
            .err()
            .filter(|error| error.kind().is_of_location())
            .map(PortError::reason);
        installed.take(location, first, answer.map_err(|error| error.reason()));
        if let Some(reason) = refused {
            rows.for_each(|row| installed.take(location, row, Err(reason.clone())));
            return Ok(installed);
        }
        let reads: Vec<_> = rows
            .map(|row| async move { (row, self.installed_on(location, &row.node).await) })
            .collect();
        let mut reads = stream::iter(reads).buffered(READS_AT_ONCE);
        while let Some((row, answer)) = reads.next().await {
            installed.take(location, row, answer.map_err(|error| error.reason()));
        }
        Ok(installed)
    }

    /// Every patch that a node has installed, by its last report.
    async fn installed_on(&self, location: &Location, node: &NodeId) -> PortResult<Vec<PatchView>> {
        let subject = format!("{location} {node}");
        let mut patches = vec![];
        for state in STATES {
            let read = self
                .patience(Tried::Results, &subject)
                .call(
                    || self.patch_states.patches(location, node, state, None),
                    |kind| !kind.is_transient(),
                )
                .await?;
            patches.extend(read);
        }
        Ok(patches)
    }
}
