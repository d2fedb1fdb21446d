//! Which nodes there are in a location now, and the patch states that they have.

use super::Job;
use crate::campaign::READS_AT_ONCE;
use crate::campaign::state::COMMAND_ATTEMPTS;
use crate::fleet::{self, Extent, Members};
use crate::id::NodeId;
use crate::port::{ManagedNode, PatchStateView, PingStatus, PortError, PortErrorKind, PortResult, Selection};
use crate::request::Selector;
use std::collections::{BTreeMap, BTreeSet};

impl Job<'_> {
    /// Who is in the selection now, and who of them and of `also` Systems Manager manages.
    pub(in crate::campaign) async fn found(&self, also: BTreeSet<NodeId>) -> PortResult<Found> {
        let left_out = self.left_out();
        let selection = match &self.state.plan().request.targets.selector {
            Selector::ResourceGroup(name) => Selection::Group(name.clone()),
            Selector::Tags(tags) => Selection::Tags(tags.clone()),
            Selector::AllManaged if self.node_ids().is_some() => return self.by_ids(left_out, also).await,
            Selector::AllManaged => return self.all_managed().await,
            Selector::NodeIds(ids) if self.node_ids().is_none() => return self.by_ids(ids, also).await,
            Selector::NodeIds(_) => return self.by_ids(left_out, also).await,
        };
        let own = self.node_ids();
        if own.is_some() && !self.speaks_for_the_rest() {
            return self.by_ids(&[], also).await;
        }
        let mut selected = self.members(&selection).await?;
        if let Some(own) = own {
            // The other units of the location speak for the nodes that they name.
            let others = self.named_by_others();
            selected.retain(|node| !others.contains(node));
            selected.extend(own.iter().cloned());
            selected.extend(left_out.iter().cloned());
        }
        let left = self.left(&selected, &also);
        let mut asked = also;
        asked.extend(selected.iter().chain(&left).cloned());
        Ok(Found {
            managed: self.managed(&asked).await?,
            selected,
            left,
        })
    }

    /// The nodes that the command was sent to, and those that the plan left out, when nobody can say
    /// who is in the selection.
    pub(super) async fn reached(&self, nodes: &[NodeId]) -> PortResult<Found> {
        let selected: BTreeSet<NodeId> = nodes.iter().chain(self.left_out()).cloned().collect();
        Ok(Found {
            left: self.left(&selected, &BTreeSet::new()),
            selected,
            managed: self.managed(&nodes.iter().cloned().collect()).await?,
        })
    }

    async fn all_managed(&self) -> PortResult<Found> {
        let managed = fleet::managed(self.ports.inventory, self.location).await?;
        Ok(Found {
            selected: managed.keys().cloned().collect(),
            left: BTreeSet::new(),
            managed,
        })
    }

    /// The unit's ids are all of this location, unless its runbook was not told them: then they
    /// are those of the request that are managed here, or that the command was sent to. With the
    /// unit's own come `rest`, which no unit names.
    async fn by_ids(&self, rest: &[NodeId], also: BTreeSet<NodeId>) -> PortResult<Found> {
        let own = self.node_ids();
        let named = own.is_some();
        let ids: BTreeSet<NodeId> = own.into_iter().flatten().chain(rest).cloned().collect();
        let asked: BTreeSet<NodeId> = also.union(&ids).cloned().collect();
        let managed = self.managed(&asked).await?;
        let here = |id: &NodeId| named || managed.contains_key(id) || also.contains(id);
        Ok(Found {
            selected: ids.into_iter().filter(here).collect(),
            left: BTreeSet::new(),
            managed,
        })
    }

    /// Which of the nodes that a command named are away, if Run Command refused it whole because of
    /// them, and the unit has an attempt left.
    ///
    /// AWS names none (`InvalidInstanceId`, "Instances not in a valid state for account"; recorded
    /// of a stopped node). So those that Systems Manager no longer lists are left out; if it lists
    /// all, those that do not answer, because its list lags behind.
    pub(in crate::campaign) async fn refused_whole(&self, failure: &str) -> PortResult<Option<Vec<NodeId>>> {
        let words = failure.to_ascii_lowercase();
        let refused = words.contains("invalidinstanceid") || words.contains("not in a valid state");
        let unit = self.state.units().get(&self.unit);
        let Some(unit) = unit.filter(|unit| {
            refused && !unit.named.is_empty() && unit.refused_attempts.saturating_add(1) < COMMAND_ATTEMPTS
        }) else {
            return Ok(None);
        };
        let named: BTreeSet<NodeId> = unit.named.difference(&unit.away).cloned().collect();
        let managed = self.managed(&named).await?;
        let that = |is_away: &dyn Fn(Option<&PingStatus>) -> bool| -> Vec<NodeId> {
            let away = named
                .iter()
                .filter(|node| is_away(managed.get(*node).map(|node| &node.ping)));
            away.cloned().collect()
        };
        let not_listed = that(&|ping| ping.is_none());
        if !not_listed.is_empty() {
            return Ok(Some(not_listed));
        }
        Ok(Some(that(&|ping| ping != Some(&PingStatus::Online))))
    }

    /// The node ids that the unit was planned with, if it was. A runbook of one's own is told nodes
    /// in its own ways, so its parameters mean what they may.
    pub(super) fn node_ids(&self) -> Option<&[NodeId]> {
        self.state.plan().unit(self.unit)?.nodes.as_deref()
    }

    /// The nodes of the location that the plan left out, if this unit is the one that speaks for
    /// them.
    pub(super) fn left_out(&self) -> &[NodeId] {
        match self.state.planned(self.location) {
            Some(planned) if self.speaks_for_the_rest() => &planned.left_out,
            _ => &[],
        }
    }

    /// Whether the unit speaks for the nodes of its location that no unit names.
    pub(super) fn speaks_for_the_rest(&self) -> bool {
        self.state.speaks_for(self.location) == Some(self.unit)
    }

    /// The nodes that other units of the location name. Known to the unit that speaks for the rest.
    pub(super) fn named_by_others(&self) -> BTreeSet<NodeId> {
        let others = self
            .state
            .units_at(self.location)
            .filter(|(id, _)| *id != self.unit);
        others.flat_map(|(_, unit)| &unit.named).cloned().collect()
    }

    async fn members(&self, selection: &Selection) -> PortResult<BTreeSet<NodeId>> {
        match fleet::members(self.ports.inventory, self.location, selection, Extent::All).await? {
            Members::Found(members) => Ok(members),
            // A group that is gone has no member, which is a whole answer.
            Members::GroupMissing => Ok(BTreeSet::new()),
            Members::Partial(errors) => Err(PortError::new(
                PortErrorKind::Other,
                format!(
                    "the list of members in {} is not whole: {}",
                    self.location,
                    fleet::in_words(&errors)
                ),
            )),
        }
    }

    async fn managed(&self, nodes: &BTreeSet<NodeId>) -> PortResult<BTreeMap<NodeId, ManagedNode>> {
        fleet::managed_of(self.ports.inventory, self.location, nodes, READS_AT_ONCE).await
    }

    pub(super) async fn patch_states(
        &self,
        nodes: &[NodeId],
    ) -> PortResult<BTreeMap<NodeId, PatchStateView>> {
        fleet::patch_states(self.ports.patch_states, self.location, nodes, READS_AT_ONCE).await
    }
}

/// Who is in the selection of a location now, and who is managed.
#[derive(Debug)]
pub(in crate::campaign) struct Found {
    pub(super) selected: BTreeSet<NodeId>,
    /// The planned nodes that are neither selected any more nor were sent the command. Known only where
    /// the plan names its nodes.
    pub(super) left: BTreeSet<NodeId>,
    pub(super) managed: BTreeMap<NodeId, ManagedNode>,
}
