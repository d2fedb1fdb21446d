//! The names of the patches for which nodes are failed or miss patches.
//!
//! They are read once it is known what a location came to, and nothing follows from them. A call that fails leaves the
//! nodes without names, and their rows say why. It is not made again here. Calls that are refused or put off are not
//! made for the other nodes of the location either, so a role that may not read names costs one call a location.
//!
//! A node reports anew with each run, whoever begins it. So the patch states are read once more after the names: what
//! was named between two equal states is of that state.

use super::{Collected, Job, Settlement};
use crate::campaign::READS_AT_ONCE;
use crate::campaign::polls::later;
use crate::fleet;
use crate::id::{Location, NodeId};
use crate::outcome::{
    NODES_NAMED, NamesUnreadReason, NodeOutcome, NodeRow, PATCHES_NAMED, PatchNames, saturating_sum,
};
use crate::port::{PatchShortfall, PatchStateView, PatchStates, PortError, PortErrorKind};
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Nodes whose patches fall short, each with its patch state.
pub(in crate::campaign) type Short = BTreeMap<NodeId, (PatchShortfall, PatchStateView)>;

impl Job<'_> {
    /// Reads the names of patches, if what was collected is told of the location now.
    pub(in crate::campaign) async fn name_patches(&self, collected: &mut Collected, now: Timestamp) {
        match collected {
            Collected::Settled(settlement) => self.name_patches_of(settlement).await,
            Collected::Lagging(settlement, lag) if self.is_last_look(*lag, now) => {
                self.name_patches_of(settlement).await;
            }
            Collected::Lagging(..) | Collected::Running { .. } | Collected::NotSent { .. } => {}
        }
    }

    /// Reads the names of patches of a location that is told of so.
    pub(in crate::campaign) async fn name_patches_of(&self, settlement: &mut Settlement) {
        let short = settlement.rows.iter().filter_map(|row| {
            let (shortfall, _) = row.shortfall()?;
            let state = settlement.short.get(&row.node)?;
            Some((row.node.clone(), (shortfall, state.clone())))
        });
        let most = NODES_NAMED.saturating_sub(self.short_elsewhere());
        let names = read_names(self.ports.patch_states, self.location, &short.collect(), most).await;
        take_names(&mut settlement.rows, names);
    }

    /// How many nodes that other units of the location have told of may have been asked for names.
    fn short_elsewhere(&self) -> usize {
        let others = self
            .state
            .units_at(self.location)
            .filter(|(id, _)| *id != self.unit);
        let settled = others.filter_map(|(_, unit)| unit.locations.get(self.location)?.settled.as_ref());
        let short = settled.map(|settled| {
            let nodes = &settled.nodes;
            nodes
                .count(NodeOutcome::Failed)
                .saturating_add(nodes.count(NodeOutcome::Missing))
        });
        usize::try_from(saturating_sum(short)).unwrap_or(usize::MAX)
    }

    /// Whether nothing that may only be late is waited for any longer.
    fn is_last_look(&self, lag: SignedDuration, now: Timestamp) -> bool {
        let unit = self.state.units().get(&self.unit);
        let at = unit.and_then(|unit| unit.locations.get(self.location));
        at.and_then(|at| at.command_ended_at)
            .is_some_and(|ended| now >= later(ended, lag))
    }
}

/// Puts names into the rows of their nodes.
pub(in crate::campaign) fn take_names(rows: &mut [NodeRow], mut names: BTreeMap<NodeId, PatchNames>) {
    for row in rows {
        if let Some(names) = names.remove(&row.node) {
            row.patches = Some(names);
        }
    }
}

/// The names of the patches of these nodes, or why they have none. At most the first `most` of them are asked for.
pub(in crate::campaign) async fn read_names(
    port: &dyn PatchStates,
    location: &Location,
    short: &Short,
    most: usize,
) -> BTreeMap<NodeId, PatchNames> {
    let beyond = short.iter().skip(most).map(|(node, (shortfall, _))| {
        let why = format!("only the first {NODES_NAMED} such nodes of a location are asked for them");
        let names = PatchNames::unread(*shortfall, NamesUnreadReason::TooManyNodes, why);
        (node.clone(), names)
    });
    let mut names: BTreeMap<NodeId, PatchNames> = beyond.collect();
    let ask = |(node, (shortfall, _)): (&NodeId, &(PatchShortfall, PatchStateView))| {
        let (node, shortfall) = (node.clone(), *shortfall);
        async move {
            let asked = port.patches(location, &node, shortfall.into(), Some(PATCHES_NAMED));
            let patches = asked.await;
            (node, shortfall, patches)
        }
    };
    let mut take = |(node, shortfall, patches): (NodeId, PatchShortfall, Result<_, PortError>)| {
        let (read, error) = match patches {
            Ok(patches) => (PatchNames::of(shortfall, patches), None),
            Err(error) => (PatchNames::not_read(shortfall, &error), Some(error)),
        };
        names.insert(node, read);
        error
    };
    let mut asked = short.iter().take(most);
    // The first by itself, as it tells whether the others may be asked for.
    let first = match asked.next() {
        Some(first) => take(ask(first).await),
        None => return names,
    };
    let refused = first.filter(|error| is_of_all(error.kind()));
    match &refused {
        Some(error) => asked.for_each(|(node, (shortfall, _))| {
            names.insert(node.clone(), PatchNames::not_read(*shortfall, error));
        }),
        None => {
            let calls: Vec<_> = asked.map(ask).collect();
            let mut calls = stream::iter(calls).buffered(READS_AT_ONCE);
            while let Some(answer) = calls.next().await {
                take(answer);
            }
        }
    }
    forget_other_reports(port, location, short, &mut names).await;
    names
}

/// Whether a call that failed so would fail for the other nodes of its location as well, or is better not made now.
fn is_of_all(kind: PortErrorKind) -> bool {
    kind.is_transient() || kind.is_of_location()
}

/// Takes away the names of nodes whose patch state is not what it was before they were read.
async fn forget_other_reports(
    port: &dyn PatchStates,
    location: &Location,
    short: &Short,
    names: &mut BTreeMap<NodeId, PatchNames>,
) {
    let named: Vec<NodeId> = names
        .iter()
        .filter(|(_, names)| !names.named.is_empty())
        .map(|(node, _)| node.clone())
        .collect();
    if named.is_empty() {
        return;
    }
    let states = fleet::patch_states(port, location, &named, READS_AT_ONCE).await;
    for node in named {
        let Some((shortfall, before)) = short.get(&node) else {
            continue;
        };
        let changed = match &states {
            Ok(states) if states.get(&node) == Some(before) => continue,
            Ok(_) => PatchNames::unread(
                *shortfall,
                NamesUnreadReason::ReportedAnew,
                "the node reported anew while they were read",
            ),
            Err(error) => PatchNames::not_read(*shortfall, error),
        };
        names.insert(node, changed);
    }
}
