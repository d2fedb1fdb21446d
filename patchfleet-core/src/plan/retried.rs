//! That a plan is for what another campaign has left, and what of the first campaign's bounds is left for it.

use crate::id::{AccountId, CampaignId, Location, NodeId, Region};
use crate::outcome::LostAtWork;
use crate::request::PatchRequest;
use crate::text::by_number;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The campaign whose nodes a plan tries again. The plan's own request names these nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Retried {
    /// The campaign.
    pub campaign: CampaignId,
    /// The request that was first asked for, which says which nodes are selected. A retry of a retry has the same.
    pub request: Box<PatchRequest>,
    /// What is left of the bounds that the first campaign had on the fleet and on the values of its labels.
    #[serde(default, skip_serializing_if = "LeftBounds::is_empty")]
    pub bounds: LeftBounds,
    /// The waves of which nothing is left to try, in their order. What each asks for before the waves after it may begin still
    /// holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<PassedWave>,
    /// The waves that kept those after them back in an earlier campaign, for what became of their nodes. None of the later waves begins
    /// before it is known what these came to, or a person approves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldWave>,
    /// The nodes that the campaign left and that are not registered with Systems Manager any more, so that they cannot be tried again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmanaged: Vec<UnmanagedNodes>,
    /// What the campaigns before have shown of waves of which only some nodes are tried again. A gate counts these results as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<ShownWave>,
}

/// A wave that kept those after it back in an earlier campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HeldWave {
    /// Its number in the request, from 1.
    pub number: u32,
    /// How many of its nodes are not tried again, as nobody knows what they came to. All others that did not do well are tried again.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unknown: u32,
}

fn is_none(n: &u32) -> bool {
    *n == 0
}

impl HeldWave {
    pub(crate) fn new(number: u32, unknown: u32) -> Self {
        Self { number, unknown }
    }
}

/// Nodes of a location that are not registered with Systems Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UnmanagedNodes {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// The nodes, ascending.
    pub nodes: Vec<NodeId>,
}

impl UnmanagedNodes {
    pub(crate) fn new(location: &Location, nodes: Vec<NodeId>) -> Self {
        Self {
            account: location.account.clone(),
            region: location.region.clone(),
            nodes,
        }
    }

    pub(crate) fn is_at(&self, location: &Location) -> bool {
        (&self.account, &self.region) == (&location.account, &location.region)
    }
}

/// What the campaigns before have shown of a wave: the results of its nodes that are not tried again, each as the last campaign left it.
/// Nodes that were not run are none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShownWave {
    /// Its number in the request, from 1.
    pub number: u32,
    /// Whether a wave after it had begun, so that it needs no approval any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub went_on: bool,
    /// Nodes that were patched, well or not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub patched: u64,
    /// Those of these that did not come to their goal.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Those of these of which it is not known what they came to.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown: u64,
    /// Nodes that were not reached.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreached: u64,
    /// Locations that did not end well, and of whose nodes not even the number is known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub blind: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A wave of an earlier campaign of which nothing is left to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PassedWave {
    /// Its number in the request, from 1.
    pub number: u32,
    /// When it was over. Its soak counts from then.
    pub ended: Timestamp,
    /// Whether it needs no approval any more: a person has given it, or a wave after it had begun.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
    /// What its gate lacks, if that was inconclusive and nobody has approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inconclusive: Option<InconclusiveGate>,
}

/// Why a gate says nothing of its wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InconclusiveGate {
    /// Of how many nodes the results are known.
    pub known: u64,
    /// Of how many it needs them.
    pub needed: u32,
    /// How many locations did not end well, and of whose nodes nothing is known.
    pub blind: u64,
}

impl PassedWave {
    pub(crate) fn new(number: u32, ended: Timestamp) -> Self {
        Self {
            number,
            ended,
            approved: false,
            inconclusive: None,
        }
    }
}

impl InconclusiveGate {
    pub(crate) fn new(known: u64, needed: u32, blind: u64) -> Self {
        Self { known, needed, blind }
    }
}

impl Retried {
    /// The wave of this number, if it kept those after it back in an earlier campaign.
    pub(crate) fn held(&self, wave: u32) -> Option<&HeldWave> {
        self.held.iter().find(|held| held.number == wave)
    }

    /// What the campaigns before have shown of the wave of this number.
    pub(crate) fn shown(&self, wave: u32) -> Option<&ShownWave> {
        self.shown.iter().find(|shown| shown.number == wave)
    }

    /// The wave of this number, if nothing of it is left to try.
    pub(crate) fn passed(&self, wave: u32) -> Option<&PassedWave> {
        self.passed.iter().find(|passed| passed.number == wave)
    }
}

/// The bounds of the first campaign, and what the campaigns so far have used of them.
///
/// A share in the request is one of the first campaign's nodes, as that campaign and its retries are one piece of work: "10%"
/// of the few nodes that are left would be another bound. What the first campaign damaged counts against its retries.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeftBounds {
    /// The nodes that are tried again and count as damaged already, ascending. Whatever becomes of them now, they are no
    /// further damage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<NodeId>,
    /// The bounds on the whole fleet; `None` if the first campaign had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<LeftOfFleet>,
    /// The values of each label, ascending, and the labels in the request's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Vec<LeftOfValue>>,
}

/// The first campaign's bounds on the whole fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeftOfFleet {
    /// How many nodes the first campaign sent commands to: what the request's shares are of.
    pub nodes: u32,
    /// Nodes in flight, and those that may be at work still; `None` without that bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<LeftBound>,
    /// Those of them that are lost. In a retry that is planned after the last of them has given its place up they are used no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at_work: Option<LostAtWork>,
    /// Damaged nodes, and those that may be; `None` without that bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_damaged: Option<LeftBound>,
    /// Nodes that were not reached and are not tried again; `None` without that bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unreached: Option<LeftBound>,
}

/// The first campaign's bounds on one value of a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeftOfValue {
    /// The value; `None`: that of the nodes without the tag.
    pub value: Option<String>,
    /// Its nodes in flight, and those that may be at work still; `None` without that bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<LeftBound>,
    /// Those of them that are lost, as in [`LeftOfFleet`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at_work: Option<LostAtWork>,
    /// Its damaged nodes, and those that may be; `None` without that bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_damaged: Option<LeftBound>,
    /// The nodes of [`LeftBounds::again`] that count as damaged for this value, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<NodeId>,
}

/// A bound of the first campaign as a count, and what the campaigns so far have used of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeftBound {
    /// How many nodes there may be.
    pub allowed: u32,
    /// How many there are.
    pub used: u32,
}

/// What a person may do about a bound that is used up.
pub(super) const NEW_CAMPAIGN: &str = "To go on all the same, see what became of these nodes, and run the request as a new campaign with \
                                       a larger bound";

impl Retried {
    /// That a bound on damage is used up. `what` says which, and its size.
    pub(super) fn used_up_by_damage(&self, what: &str, bound: LeftBound) -> String {
        let used = bound.used;
        format!(
            "{what}, and that is used up: {used} {} or may be, as campaign {} or one before it left {}. {NEW_CAMPAIGN}",
            by_number(used, "is", "are"),
            self.campaign,
            by_number(used, "it", "them"),
        )
    }

    /// That a bound on nodes in flight is used up. `what` says which, and its size.
    pub(super) fn used_up_by_unknown(
        &self,
        what: &str,
        bound: LeftBound,
        lost: Option<LostAtWork>,
    ) -> String {
        let (used, campaign) = (bound.used, self.campaign);
        let unknown = match lost {
            None => format!(
                "as nothing could be found out of {}",
                by_number(used, "it", "them")
            ),
            Some(lost) if LostAtWork::count(Some(lost)) == u64::from(used) => {
                return format!("{what}, and that is used up: {lost}. Retry campaign {campaign} after that");
            }
            Some(lost) => format!("as {lost}, and nothing could be found out of the others"),
        };
        format!(
            "{what}, and that is used up: {used} may be at work still, {unknown}. `patchfleet collect {campaign}` reads the results \
             again. {NEW_CAMPAIGN}"
        )
    }
}

impl LeftBound {
    pub(crate) fn new(allowed: u32, used: u32) -> Self {
        Self { allowed, used }
    }

    /// The same with more that is used.
    pub(crate) fn and(self, used: u32) -> Self {
        let used = self.used.saturating_add(used);
        Self { used, ..self }
    }

    /// The same without the lost nodes that count in it, if all of them have given their places up by `now`, and with others. With
    /// those lost nodes that count in it then.
    pub(crate) fn with_lost(
        self,
        before: Option<LostAtWork>,
        lost: Option<LostAtWork>,
        now: Timestamp,
    ) -> (Self, Option<LostAtWork>) {
        let small = |lost| u32::try_from(LostAtWork::count(lost)).unwrap_or(u32::MAX);
        let (kept, past): (Vec<_>, Vec<_>) = before.into_iter().partition(|before| before.last_until > now);
        let used = self.used.saturating_sub(small(LostAtWork::sum(past)));
        let all = LostAtWork::sum(kept.into_iter().chain(lost));
        (Self { used, ..self }.and(small(lost)), all)
    }

    /// What is left of it.
    pub(super) fn left(self) -> u32 {
        self.allowed.saturating_sub(self.used)
    }

    /// What is left of a bound on damage, for a retry that counts the damage among its own nodes. `again` of these count as damaged
    /// already, and the `fresh` others do not.
    ///
    /// A damaged node that is tried again is the same node, and may come out well. But nobody knows whether it is tried before the
    /// others, nor whether it is tried at all before the retry ends. Until then it is damaged. So what is used stays used,
    /// and a node that fails once more counts twice, which is cautious. One case needs no caution. If all of the fresh nodes
    /// might be damaged and the bound were still kept, nothing that the retry does breaks it, and there is room for all.
    pub(super) fn left_of_damage(self, again: u32, fresh: u32) -> u32 {
        let at_worst = self.used.saturating_add(fresh);
        let counted_once = match at_worst <= self.allowed {
            true => self.used.saturating_sub(again),
            false => self.used,
        };
        self.allowed.saturating_sub(counted_once)
    }
}

impl LeftBounds {
    /// Whether there is no bound.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is left of the bound on the damage of the whole fleet for a retry of these nodes.
    pub(super) fn of_fleet_damage(&self, bound: LeftBound, nodes: &[NodeId]) -> u32 {
        left_for(bound, &self.again, nodes)
    }

    /// What is left of a value's bounds.
    pub(super) fn of_value(&self, label: usize, value: Option<&str>) -> Option<&LeftOfValue> {
        let values = self.labels.get(label)?;
        let at = values.binary_search_by_key(&value, |left| left.value.as_deref());
        values.get(at.ok()?)
    }
}

impl LeftOfValue {
    pub(crate) fn new(
        value: Option<String>,
        max_in_flight: Option<LeftBound>,
        max_damaged: Option<LeftBound>,
    ) -> Self {
        Self {
            value,
            max_in_flight,
            lost_at_work: None,
            max_damaged,
            again: vec![],
        }
    }

    /// Counts more lost nodes as in flight, and those no more that have given their places up.
    pub(crate) fn take_lost(&mut self, lost: Option<LostAtWork>, now: Timestamp) {
        let counted = (self.max_in_flight).map(|bound| bound.with_lost(self.lost_at_work, lost, now));
        (self.max_in_flight, self.lost_at_work) = match counted {
            Some((bound, lost)) => (Some(bound), lost),
            None => (None, None),
        };
    }

    /// What is left of the bound on its damage for a retry of these nodes of it.
    pub(super) fn of_damage(&self, bound: LeftBound, nodes: &[NodeId]) -> u32 {
        left_for(bound, &self.again, nodes)
    }
}

fn left_for(bound: LeftBound, again: &[NodeId], nodes: &[NodeId]) -> u32 {
    let (again, fresh): (Vec<&NodeId>, Vec<&NodeId>) =
        nodes.iter().partition(|node| again.binary_search(node).is_ok());
    let count = |nodes: Vec<&NodeId>| u32::try_from(nodes.len()).unwrap_or(u32::MAX);
    bound.left_of_damage(count(again), count(fresh))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_tried_again_is_counted_once_where_nothing_can_break_the_bound() {
        // Two of five are damaged. All six others may be as well.
        assert_eq!(LeftBound::new(5, 2).left_of_damage(2, 6), 3);
        assert_eq!(LeftBound::new(5, 2).left_of_damage(0, 6), 3);
        // Three others at most: there is room for these and for the two.
        assert_eq!(LeftBound::new(5, 2).left_of_damage(2, 3), 5);
        // All that may be damaged is. These are tried again and no others, or not at all.
        assert_eq!(LeftBound::new(2, 2).left_of_damage(2, 0), 2);
        assert_eq!(LeftBound::new(2, 2).left_of_damage(2, 1), 0);
        // More than may be, as results that were read later said.
        assert_eq!(LeftBound::new(2, 3).left_of_damage(3, 0), 0);
    }

    #[test]
    fn lost_nodes_are_used_no_more_once_all_of_them_have_given_their_places_up() {
        let until: Timestamp = "2026-03-02T01:00:00Z".parse().unwrap();
        let now = |minutes| until + jiff::SignedDuration::from_mins(minutes);
        let two = LostAtWork::of(2, until);
        let bound = LeftBound::new(5, 3);
        assert_eq!(bound.with_lost(two, None, now(-1)), (bound, two));
        assert_eq!(bound.with_lost(two, None, now(0)), (LeftBound::new(5, 1), None));
        let one = LostAtWork::of(1, now(60));
        assert_eq!(bound.with_lost(two, one, now(0)), (LeftBound::new(5, 2), one));
        let (left, all) = bound.with_lost(two, one, now(-1));
        let all = all.unwrap();
        assert_eq!((left, all.nodes), (LeftBound::new(5, 4), 3));
        assert_eq!((all.first_until, all.last_until), (until, now(60)));
    }

    #[test]
    fn a_bound_that_lost_nodes_use_up_says_until_when() {
        let request = serde_json::json!({
            "name": "a", "targets": {"resource_group": "W", "regions": ["us-east-1"]},
        });
        let retried = Retried {
            campaign: "b68a00a2-c50e-5dcd-9ed4-7a687f743a1c".parse().unwrap(),
            request: Box::new(PatchRequest::from_value(request).unwrap()),
            bounds: LeftBounds::default(),
            passed: vec![],
            held: vec![],
            unmanaged: vec![],
            shown: vec![],
        };
        let lost = LostAtWork::of(1, "2026-03-02T01:00:00Z".parse().unwrap());
        let said = |used, lost| retried.used_up_by_unknown("It allows 1", LeftBound::new(1, used), lost);
        assert_eq!(
            said(1, lost),
            "It allows 1, and that is used up: 1 lost node may be at work until 2026-03-02T01:00:00Z. Retry campaign \
             b68a00a2-c50e-5dcd-9ed4-7a687f743a1c after that"
        );
        let both = said(2, lost);
        assert!(
            both.contains("2 may be at work still, as 1 lost node may be at work until 2026-03-02T01:00:00Z")
        );
        assert!(both.contains("`patchfleet collect b68a00a2-c50e-5dcd-9ed4-7a687f743a1c`"));
        assert!(said(1, None).contains("1 may be at work still, as nothing could be found out of it"));
    }

    proptest! {
        /// A retry begins its nodes in any order, counts those that fail, and begins none once as many have failed as may.
        /// A node that was damaged before stays so until it is tried and comes out well.
        #[test]
        fn first_campaign_and_retry_together_never_damage_more_than_the_bound(
            allowed in 1_u32..12, used in 0_u32..12, of_used in 0_u32..12, fresh in 0_u32..12,
            order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..24),
        ) {
            let (used, again) = (used.min(allowed), of_used.min(used).min(allowed));
            let left = LeftBound::new(allowed, used).left_of_damage(again, fresh);
            let mut to_try: Vec<bool> = (0..again).map(|_| true).chain((0..fresh).map(|_| false)).collect();
            let (mut damaged, mut counted) = (used, 0);
            for (index, fails) in order {
                if to_try.is_empty() || counted >= left {
                    break;
                }
                let was_damaged = to_try.remove(index.index(to_try.len()));
                damaged = damaged - u32::from(was_damaged) + u32::from(fails);
                counted += u32::from(fails);
                prop_assert!(damaged <= allowed, "{damaged} of {allowed}");
            }
        }
    }
}
