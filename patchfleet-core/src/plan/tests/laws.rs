//! Laws 1, 2 and 6 in random worlds: every candidate in exactly one place and for the right
//! reason, the starts exactly the planned locations, and the same bytes again. What should become
//! of each pair is worked out here from the world's ground truth, pair by pair.

use super::helpers::planned;
use crate::id::{AccountId, Location, NodeId, OrgParent, OuId, Region};
use crate::plan::Plan;
use crate::port::{AccountState, PingStatus, PortErrorKind, RegionOptStatus, StartRequest};
use crate::refusal::RefusalCode;
use crate::request::{NothingSelected, PatchRequest};
use crate::tests::numbers::Numbers;
use crate::tests::world::{CENTRAL, Listing, Place, World, account, ec2, hybrid, region, request_with};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const REGIONS: [&str; 4] = ["us-east-1", "eu-west-1", "ap-east-1", "me-south-1"];

/// A world, the request, and what the request says, as the oracle reads it.
struct Case {
    world: World,
    request: PatchRequest,
    /// For each account and each unit, the parent it is directly below.
    above: BTreeMap<String, String>,
    targets: Vec<String>,
    excluded: Vec<String>,
    children: bool,
    regions: Option<Vec<&'static str>>,
    keep_unknown: bool,
    keep_missing: bool,
    /// What `policy.denied` says, if anything.
    denied: Option<&'static str>,
    excluded_regions: Vec<&'static str>,
    by_members: bool,
}

fn case(seed: u64) -> Case {
    let mut numbers = Numbers(seed);
    let mut world = World::default();
    let mut above = BTreeMap::new();
    let root = OrgParent::Root("r-ab12".parse().unwrap());
    let mut parents = vec![root.clone()];
    world.units.insert(root, (vec![], vec![]));
    for n in 0..numbers.below(6) {
        let id: OuId = format!("ou-ab12-unit000{n}").parse().unwrap();
        let parent = numbers.pick(&parents);
        above.insert(id.to_string(), parent.to_string());
        world.units.get_mut(&parent).unwrap().1.push(id.clone());
        parents.push(OrgParent::Ou(id.clone()));
        world.units.insert(OrgParent::Ou(id), (vec![], vec![]));
    }
    let mut accounts = vec![CENTRAL.to_owned()];
    accounts.extend((2..2 + numbers.below(7)).map(|n| format!("{n:012}")));
    for id in &accounts {
        world.add(id, &REGIONS[..2]);
        for name in &REGIONS[2..] {
            let statuses = [
                RegionOptStatus::Enabled,
                RegionOptStatus::Disabled,
                RegionOptStatus::Enabling,
                RegionOptStatus::Disabling,
            ];
            let status = numbers.pick(&statuses);
            world
                .regions
                .get_mut(&account(id))
                .unwrap()
                .insert(region(name), status);
        }
        let parent = numbers.pick(&parents);
        above.insert(id.clone(), parent.to_string());
        world.units.get_mut(&parent).unwrap().0.push(account(id));
        if id != CENTRAL {
            if numbers.one_in(5) {
                world.accounts.insert(account(id), AccountState::PendingClosure);
            }
            if numbers.one_in(5) {
                world
                    .regions_fail
                    .insert(account(id), PortErrorKind::RoleNotAssumable);
            }
        }
        for name in REGIONS {
            *world.place(id, name) = random_place(&mut numbers);
        }
    }
    let everything: Vec<String> = parents.iter().map(ToString::to_string).chain(accounts).collect();
    let mut some = |most: u64| -> Vec<String> {
        let n = numbers.below(most);
        let mut picked: Vec<String> = (0..n).map(|_| numbers.pick(&everything)).collect();
        picked.sort_unstable();
        picked.dedup();
        picked
    };
    let (targets, mut excluded) = (some(5), some(3));
    // A request that excludes the root, or what it names, is no valid one.
    excluded.retain(|id| !id.starts_with("r-") && !targets.contains(id));
    let children = numbers.one_in(2);
    let regions = match numbers.below(3) {
        0 => None,
        1 => Some(REGIONS.to_vec()),
        _ => Some(vec![numbers.pick(&REGIONS)]),
    };
    let (keep_unknown, keep_missing) = (numbers.one_in(3), numbers.one_in(3));
    let by_members = !numbers.one_in(4);
    let denied = numbers.pick(&[None, Some("skip"), Some("exclude")]);
    let excluded_regions: Vec<&str> = REGIONS.into_iter().filter(|_| numbers.one_in(6)).collect();
    let mut fields = json!({
        "exclude_regions": excluded_regions,
        "accounts": targets, "exclude_accounts": excluded, "include_child_ous": children,
        "regions": match &regions { None => json!("all-enabled"), Some(names) => json!(names) },
    });
    if by_members {
        fields["resource_group"] = json!("WebServers");
    } else {
        fields["all_managed"] = json!(true);
    }
    let action = |keep: bool| if keep { "keep" } else { "skip" };
    let mut policy = json!({
        "policy": {
            "unknown": action(keep_unknown), "group_missing": action(keep_missing),
            "nothing_selected": "succeed",
        },
        "budget": {"locations": {"max_concurrency": "30%", "max_errors": 1}},
    });
    if let Some(denied) = denied {
        policy["policy"]["denied"] = json!(denied);
    }
    Case {
        world,
        request: request_with(fields, policy),
        above,
        targets: if targets.is_empty() {
            vec![CENTRAL.to_owned()]
        } else {
            targets
        },
        excluded,
        children,
        regions,
        keep_unknown,
        keep_missing,
        denied,
        excluded_regions,
        by_members,
    }
}

fn random_place(numbers: &mut Numbers) -> Place {
    let mut place = Place::default();
    let first = numbers.below(1_000_000);
    for n in first..first + numbers.below(8) {
        let node = if numbers.one_in(3) { hybrid(n) } else { ec2(n) };
        if !numbers.one_in(4) {
            let pings = [PingStatus::Online, PingStatus::Offline];
            place.managed.insert(node.clone(), numbers.pick(&pings));
        }
        place.members.push(node);
    }
    match numbers.below(8) {
        0 => place.members_fail = Some((0, PortErrorKind::NotFound)),
        1 => place.partial_at = Some(0),
        2 => place.managed_fail = Some(PortErrorKind::Denied),
        _ => {}
    }
    place
}

impl Case {
    /// Everything above an account, nearest first.
    fn ancestors(&self, id: &str) -> Vec<&str> {
        let mut all = Vec::new();
        let mut here = id;
        while let Some(parent) = self.above.get(here) {
            all.push(parent.as_str());
            here = parent;
        }
        all
    }

    fn is_target(&self, id: &str) -> bool {
        let above = self.ancestors(id);
        self.targets.iter().any(|target| {
            target == id
                || above.first() == Some(&target.as_str())
                || (self.children && above.contains(&target.as_str()))
        })
    }

    fn is_excluded(&self, id: &str) -> bool {
        let above = self.ancestors(id);
        self.excluded
            .iter()
            .any(|out| out == id || above.contains(&out.as_str()))
    }

    fn is_usable(&self, id: &AccountId, name: &Region) -> bool {
        use RegionOptStatus::{Enabled, EnabledByDefault};
        matches!(self.world.regions[id].get(name), Some(Enabled | EnabledByDefault))
    }

    /// What should become of the pair; `None` if it is no candidate.
    fn expected(&self, id: &AccountId, name: &Region) -> Option<String> {
        if !self.is_target(id.as_str()) {
            return None;
        }
        let central = account(CENTRAL);
        let excluded = self.is_excluded(id.as_str());
        let active = self.world.accounts[id] == AccountState::Active;
        let unreadable = self.world.regions_fail.contains_key(id);
        let is_candidate = match &self.regions {
            Some(names) => names.contains(&name.as_str()),
            None if excluded || !active || unreadable => self.is_usable(&central, name),
            None => self.is_usable(id, name),
        };
        if !is_candidate {
            return None;
        }
        let or_kept = |reason: &str, keep: bool| {
            if keep {
                format!("planned, {reason}")
            } else {
                reason.to_owned()
            }
        };
        // Where each node has to be named, there is none to name in a location that is not known.
        let keep_unknown = self.keep_unknown && self.by_members;
        let keep_denied = keep_unknown && self.denied.is_none();
        let denied = match self.denied {
            Some("exclude") => "denied",
            _ => "unknown",
        };
        let place = &self.world.places[&Location::new(id.clone(), name.clone())];
        let what = if excluded {
            "excluded".to_owned()
        } else if !active {
            "account_not_active".to_owned()
        } else if !unreadable && !self.is_usable(id, name) {
            "region_not_enabled".to_owned()
        } else if self.excluded_regions.contains(&name.as_str()) {
            "excluded".to_owned()
        } else if unreadable && self.regions.is_none() {
            or_kept("unknown", keep_unknown)
        } else if self.by_members {
            if place.members_fail.is_some() {
                or_kept("group_missing", self.keep_missing)
            } else if place.partial_at.is_some() {
                or_kept("unknown", keep_unknown)
            } else if place.managed_fail.is_some() && !place.members.is_empty() {
                or_kept(denied, keep_denied)
            } else if place.members.is_empty() {
                "empty".to_owned()
            } else {
                format!("planned, {} {}", place.members.len(), place.managed.len())
            }
        } else if place.managed_fail.is_some() {
            or_kept(denied, keep_denied)
        } else if place.managed.is_empty() {
            "empty".to_owned()
        } else {
            format!("planned, {} {}", place.managed.len(), place.managed.len())
        };
        Some(what)
    }
}

/// What became of each pair by the plan, and a failure if a pair is in two places.
fn outcome(plan: &Plan) -> BTreeMap<Location, String> {
    let mut all = BTreeMap::new();
    for planned in &plan.locations {
        let what = match (planned.kept, planned.nodes) {
            (Some(reason), None) => format!("planned, {}", reason.as_str()),
            (None, Some(n)) => {
                assert_eq!(n.ec2 + n.hybrid, n.online + n.offline + n.unmanaged);
                format!("planned, {} {}", n.ec2 + n.hybrid, n.online + n.offline)
            }
            other => panic!("{other:?}"),
        };
        assert!(
            all.insert(planned.location(), what).is_none(),
            "{planned:?} is there twice"
        );
    }
    for skip in &plan.skipped {
        assert!(!skip.detail.is_empty(), "{skip:?}");
        let before = all.insert(skip.location(), skip.reason.as_str().to_owned());
        assert!(before.is_none(), "{skip:?} is there twice");
    }
    all
}

/// The node ids in the text that a start hands to Run Command, if there are any.
fn in_targets(start: &StartRequest) -> Option<Vec<NodeId>> {
    let target: Value = serde_json::from_str(start.parameters.get("Targets")?.first()?).unwrap();
    let ids = target["Values"]
        .as_array()
        .filter(|_| target["Key"] == "InstanceIds")?;
    Some(
        ids.iter()
            .map(|id| id.as_str().unwrap().parse().unwrap())
            .collect(),
    )
}

/// Every way in which the listing of the whole organization can be answered.
fn listings() -> impl Strategy<Value = Listing> {
    prop::sample::select(vec![
        Listing::Whole,
        Listing::Fails(PortErrorKind::Denied),
        Listing::Fails(PortErrorKind::Unavailable),
        Listing::PlaceUnknown,
        Listing::WithoutTheCaller,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_organization_that_is_read_at_once_has_the_accounts_that_its_units_have_one_by_one(
        seed in any::<u64>(),
        listing in listings(),
        missing in prop::sample::select(vec!["", "named", "excluded"]),
    ) {
        let mut case = case(seed);
        let nowhere = "ou-ab12-nowhere0".parse().unwrap();
        match missing {
            "named" => case.request.targets.accounts.push(nowhere),
            "excluded" => case.request.targets.exclude_accounts.push(nowhere),
            _ => {}
        }
        let plan = |listing, case: &mut Case| {
            case.world.listing = listing;
            planned(&case.world, &case.request).map(|plan| plan.to_json())
        };
        let unit_by_unit = plan(Listing::Fails(PortErrorKind::Denied), &mut case);
        let other = plan(listing, &mut case);
        prop_assert_eq!(&plan(Listing::Whole, &mut case), &unit_by_unit);
        prop_assert_eq!(&other, &unit_by_unit);
        prop_assert_eq!(unit_by_unit.is_err(), !missing.is_empty());
    }

    #[test]
    fn every_candidate_is_in_exactly_one_place_and_for_the_right_reason(
        seed in any::<u64>(),
        listing in listings(),
    ) {
        let mut case = case(seed);
        case.world.listing = listing;
        let plan = planned(&case.world, &case.request).unwrap();
        let mut expected = BTreeMap::new();
        for id in case.world.accounts.keys() {
            for name in REGIONS {
                if let Some(what) = case.expected(id, &region(name)) {
                    expected.insert(Location::new(id.clone(), region(name)), what);
                }
            }
        }
        prop_assert_eq!(outcome(&plan), expected);
        prop_assert_eq!(plan.candidates as usize, plan.locations.len() + plan.skipped.len());
        prop_assert!(plan.locations.is_sorted_by_key(crate::plan::PlannedLocation::location));
        prop_assert!(plan.skipped.is_sorted_by_key(crate::refusal::Skip::location));
    }

    #[test]
    fn the_starts_name_the_planned_locations_each_once_and_none_else(seed in any::<u64>()) {
        let case = case(seed);
        let plan = planned(&case.world, &case.request).unwrap();
        let mut named: Vec<String> = Vec::new();
        for unit in &plan.units {
            let target = unit.start.target_location();
            prop_assert_eq!(&unit.nodes, &in_targets(&unit.start));
            for id in &target.accounts {
                named.extend(target.regions.iter().map(|name| format!("{id}/{name}")));
            }
        }
        named.sort_unstable();
        if !case.by_members {
            // Nodes that do not answer have a start of their own.
            named.dedup();
        }
        let mut wanted: Vec<String> = plan.locations.iter().map(|planned| planned.location().to_string()).collect();
        wanted.sort_unstable();
        prop_assert_eq!(named, wanted);
        prop_assert_eq!(plan.worst_case.starts as usize, plan.units.len());
        prop_assert_eq!(plan.check(), Ok(()));
    }

    #[test]
    fn a_selection_that_is_nowhere_is_refused_and_no_other(seed in any::<u64>()) {
        let case = case(seed);
        let plan = planned(&case.world, &case.request).unwrap();
        let mut strict = case.request.clone();
        strict.policy.nothing_selected = NothingSelected::Refuse;
        // A location that is kept although it has no group is no place for a node either.
        let nowhere = outcome(&plan)
            .into_values()
            .all(|what| !what.starts_with("planned") || what == "planned, group_missing");
        match planned(&case.world, &strict) {
            Ok(_) => prop_assert!(!nowhere),
            Err(refusal) => {
                prop_assert!(nowhere, "{}", refusal);
                let codes: Vec<_> = refusal.reasons.iter().map(|reason| reason.code).collect();
                prop_assert_eq!(codes, [RefusalCode::NothingSelected]);
            }
        }
    }

    #[test]
    fn planning_again_gives_the_same_bytes_and_reads_back(seed in any::<u64>()) {
        let case = case(seed);
        let plan = planned(&case.world, &case.request).unwrap();
        let again = planned(&case.world, &case.request).unwrap();
        prop_assert_eq!(plan.to_json(), again.to_json());
        prop_assert_eq!(plan.to_text(), again.to_text());
        prop_assert_eq!(plan.differences(&again), Vec::<String>::new());
        let read = Plan::from_json(&plan.to_json()).unwrap();
        prop_assert_eq!(read.check(), Ok(()));
        prop_assert_eq!(read, plan);
    }
}
