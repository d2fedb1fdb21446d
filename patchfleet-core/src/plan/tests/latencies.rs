//! How many calls one after the other a plan takes, on a clock on which each call takes one step.

use super::helpers::attended;
use super::slow::{Slow, Took};
use crate::census::Depth;
use crate::id::OrgParent;
use crate::plan::{Attendance, Cutoff, Options, Plan, make};
use crate::port::{PingStatus, PortErrorKind, RegionOptStatus};
use crate::refusal::SkipReason;
use crate::request::PatchRequest;
use crate::runbook::Runbook;
use crate::tests::world::{CENTRAL, World, account, at, ec2, request, request_with, wait};
use serde_json::{Value, json};

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
const ROOT: &str = "r-ab12";

/// The id of an account of [`organization`].
fn id_of(n: u64) -> String {
    format!("{:012}", 500_000_000_000 + n)
}

/// An organization of so many accounts, with one node in each Region of each.
fn organization(accounts: u64) -> World {
    let mut world = World::default();
    let mut ids = vec![account(CENTRAL)];
    world.add(CENTRAL, &REGIONS);
    for n in 0..accounts {
        let id = id_of(n);
        world.add(&id, &REGIONS);
        for (nth, region) in (0..).zip(REGIONS) {
            let node = ec2(10 * n + nth);
            let place = world.place(&id, region);
            place.managed.insert(node.clone(), PingStatus::Online);
            place.members.push(node);
        }
        ids.push(account(&id));
    }
    let root = OrgParent::Root(ROOT.parse().unwrap());
    world.units.insert(root, (ids, vec![]));
    world
}

fn everything() -> PatchRequest {
    request(json!({
        "resource_group": "Web", "regions": REGIONS, "accounts": [ROOT], "include_child_ous": true,
    }))
}

/// The plan of all of it, and what it took.
fn planned(world: &World, concurrency: usize) -> (Plan, Took) {
    let options = Options {
        concurrency,
        ..attended()
    };
    let (plan, took) = Slow::new(world).plan(&everything(), &options);
    (plan.unwrap(), took)
}

/// How many locations were asked for a copy of the runbook.
fn copies(world: &World) -> usize {
    let calls = world.calls.lock().unwrap();
    let documents = calls.iter().filter(|call| call.starts_with("document"));
    documents.filter(|call| !call.ends_with("central")).count()
}

#[test]
fn locations_are_asked_while_the_organization_is_still_being_listed() {
    // 21 pages of two accounts, with an empty one before each and one at the end.
    let world = organization(41);
    let (plan, took) = planned(&world, 256);
    let pages = world.calls("organization");
    assert_eq!((plan.locations.len(), pages), (82, 43));
    let calls = world.calls.lock().unwrap();
    let last_page = calls.iter().rposition(|call| call == "organization").unwrap();
    let before = |what: &str| {
        calls[..last_page]
            .iter()
            .filter(|call| call.starts_with(what))
            .count()
    };
    let all = |what: &str| calls.iter().filter(|call| call.starts_with(what)).count();
    assert!(
        before("members") * 10 > all("members") * 8,
        "{} of {}",
        before("members"),
        all("members")
    );
    // After the last page the members of an account's locations (3 pages), which of them are managed (3 pages), and
    // whether they have a runbook of their own. The account's Regions are read beside, and who calls beside the first page.
    assert!(
        took.steps <= pages + 3 + 3 + 1,
        "{took:?}, {pages} of the calls are pages"
    );
}

#[test]
fn in_an_opt_in_region_only_the_accounts_are_asked_that_have_enabled_it() {
    const OPT_IN: &str = "eu-south-1";
    let all_enabled = request(json!({
        "resource_group": "Web", "regions": "all-enabled", "accounts": [ROOT], "include_child_ous": true,
    }));
    for concurrency in [1, 3, 256] {
        let mut world = organization(9);
        let mut enabled = vec![];
        for (nth, (id, regions)) in (0..).zip(&mut world.regions) {
            let status = match nth % 2 {
                0 => RegionOptStatus::Enabled,
                _ => RegionOptStatus::Disabled,
            };
            regions.insert(OPT_IN.parse().unwrap(), status);
            if status == RegionOptStatus::Enabled {
                enabled.push(format!("members {id}/{OPT_IN}"));
            }
        }
        let options = Options {
            concurrency,
            ..attended()
        };
        Slow::new(&world).plan(&all_enabled, &options).0.unwrap();
        let calls = world.calls.lock().unwrap();
        let asked = calls.iter().filter(|call| call.ends_with(OPT_IN));
        let mut asked: Vec<String> = asked
            .filter(|call| call.starts_with("members"))
            .cloned()
            .collect();
        asked.sort();
        assert_eq!(asked, enabled, "{concurrency} at once");
    }
}

#[test]
fn what_an_account_says_of_its_regions_counts_even_if_it_was_asked_in_one_of_them_before() {
    for concurrency in [1, 3, 256] {
        let mut world = organization(9);
        let closed = at(&id_of(2), REGIONS[1]);
        let regions = world.regions.get_mut(&closed.account).unwrap();
        regions.insert(closed.region.clone(), RegionOptStatus::Disabled);
        let (plan, _) = planned(&world, concurrency);
        assert_eq!(plan.locations.len(), 17);
        let skipped: Vec<_> = plan
            .skipped
            .iter()
            .map(|skip| (skip.location(), skip.reason))
            .collect();
        let own = REGIONS.map(|name| (at(CENTRAL, name), SkipReason::Empty));
        let expected = [
            own[0].clone(),
            own[1].clone(),
            (closed, SkipReason::RegionNotEnabled),
        ];
        assert_eq!(skipped, expected);
    }
}

#[test]
fn the_callers_own_regions_are_listed_as_soon_as_it_is_known_who_calls_and_once() {
    let world = organization(9);
    planned(&world, 256);
    let calls = world.calls.lock().unwrap();
    let regions = |account: &str| -> Vec<usize> {
        let what = format!("regions {account}");
        let calls = calls.iter().enumerate();
        calls.filter(|(_, call)| **call == what).map(|(n, _)| n).collect()
    };
    let pages = calls.iter().enumerate();
    let mut pages = pages.filter(|(_, call)| *call == "organization").map(|(n, _)| n);
    let own = regions(CENTRAL);
    // The first page is asked for beside who calls, the second one beside these.
    assert!(own.first() < pages.nth(2).as_ref(), "{calls:?}");
    assert_eq!(own.len(), regions(&id_of(2)).len());
}

#[test]
fn what_is_asked_early_changes_neither_the_plan_nor_the_number_of_calls_nor_how_many_are_made_at_once() {
    let mut answers = vec![];
    for concurrency in [1, 3, 256] {
        let mut world = organization(9);
        let (copy, closed) = (at(&id_of(2), REGIONS[0]), at(&id_of(5), REGIONS[1]));
        let same = ("4", Runbook::default().to_json());
        world.shelf.elsewhere.insert(copy, Ok(same));
        world.shelf.elsewhere.insert(closed, Err(PortErrorKind::Denied));
        let (plan, Took { most_at_once, .. }) = planned(&world, concurrency);
        let runbook = plan.runbook.as_ref().unwrap();
        assert_eq!((runbook.copies.len(), runbook.unread.len()), (1, 1));
        assert_eq!(copies(&world), 18);
        // A page of the organization and the search for the runbook go beside.
        assert!(
            most_at_once <= concurrency + 2,
            "{most_at_once} at once, and {concurrency} were allowed"
        );
        let mut calls = world.calls.lock().unwrap().clone();
        calls.sort();
        answers.push((plan.to_json(), calls));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[1], answers[2]);
}

#[test]
fn a_target_that_is_not_there_is_told_without_a_census() {
    let world = organization(3);
    let request = request(json!({
        "resource_group": "Web", "regions": REGIONS, "accounts": [CENTRAL, "500000000000", "999999999999"],
    }));
    assert!(wait(make(&world, &world, &world, &request, &attended())).is_err());
    assert_eq!((world.calls("regions") > 0, world.calls("members")), (true, 0));
}

#[test]
fn a_region_that_no_account_has_is_told_without_a_census() {
    let world = organization(50);
    let request = request(json!({
        "resource_group": "Web", "regions": ["eu-west-1", "eu-wset-1"], "accounts": [ROOT], "include_child_ous": true,
    }));
    assert!(wait(make(&world, &world, &world, &request, &attended())).is_err());
    assert_eq!((world.calls("regions") > 0, world.calls("members")), (true, 0));
}

#[test]
fn once_a_unit_is_known_to_be_missing_no_further_location_is_asked() {
    let world = organization(60);
    let request = request(json!({
        "resource_group": "Web", "regions": "all-enabled", "accounts": [ROOT, "ou-ab12-missing0"],
        "include_child_ous": true,
    }));
    let options = Options {
        concurrency: 4,
        ..attended()
    };
    assert!(Slow::new(&world).plan(&request, &options).0.is_err());
    let asked = world.calls("members");
    assert!(
        asked < 60,
        "{asked} of 120 locations, asked while the organization was listed"
    );
}

#[test]
fn a_request_that_is_refused_already_asks_no_location() {
    let world = organization(3);
    let elsewhere = "arn:aws-cn:iam::111111111111:role/Patching";
    let request = request_with(
        json!({
            "resource_group": "Web", "regions": "all-enabled", "accounts": [ROOT], "include_child_ous": true,
        }),
        json!({"automation": {"assume_role": elsewhere}}),
    );
    assert!(wait(make(&world, &world, &world, &request, &attended())).is_err());
    assert_eq!((world.calls("regions") > 0, world.calls("members")), (true, 0));
}

#[test]
fn a_location_is_asked_for_its_copy_of_the_runbook_while_others_are_asked_for_their_nodes() {
    let world = organization(41);
    let (_, took) = planned(&world, 24);
    let pages = world.calls("organization");
    assert_eq!(copies(&world), 82);
    assert!(took.most_at_once <= 24 + 2, "{took:?}");
    // The copies alone are four times as many as may be asked at once. All but the last account's are asked while
    // that account is read: its Regions, members and managed nodes in 3 pages each.
    assert!(
        took.steps <= 1 + pages + 3 + 3 + 3 + 1,
        "{took:?}, {pages} of the calls are pages"
    );
}

/// Everything, with these tables beside the targets.
fn everything_with(tables: Value) -> PatchRequest {
    let targets = everything().targets;
    request_with(serde_json::to_value(targets).unwrap(), tables)
}

#[test]
fn a_plan_that_is_refused_already_looks_for_no_copy() {
    let presence = Options {
        depth: Depth::Presence,
        attendance: Attendance::Unattended,
        ..attended()
    };
    let now = "2026-11-27T12:00:00Z".parse().unwrap();
    let too_near = Options {
        cutoff: Some(Cutoff { at: now, now }),
        ..attended()
    };
    let install = json!({"patch": {"operation": "Install"}});
    let theirs = json!({"automation": {"document": "Mine"}, "patch": {"delivery_timeout": "2h"}});
    let no_offline = json!({"policy": {"offline": "refuse"}});
    type Change = fn(&mut World);
    let denied: Change = |world| {
        // An account of an early page, so that it is known before all accounts are.
        world.place(&id_of(2), REGIONS[1]).members_fail = Some((0, PortErrorKind::Denied));
    };
    let offline: Change = |world| {
        for place in world.places.values_mut() {
            place
                .managed
                .values_mut()
                .for_each(|ping| *ping = PingStatus::Offline);
        }
    };
    let gone: Change = |world| world.shelf.central = Err(PortErrorKind::NotFound);
    let unread: Change = |world| world.shelf.central = Err(PortErrorKind::Unavailable);
    let nothing: Change = |_| {};
    for (what, change, tables, options) in [
        ("a location is denied", denied, json!({}), attended()),
        ("there is no runbook", gone, json!({}), attended()),
        ("the runbook is not read", unread, json!({}), attended()),
        ("nodes are not counted", nothing, install, presence),
        ("nodes are offline", offline, no_offline, attended()),
        ("the cutoff is too near", nothing, json!({}), too_near),
        ("a timeout that nobody takes", nothing, theirs, attended()),
    ] {
        for concurrency in [1, 3, 256] {
            let mut world = organization(9);
            change(&mut world);
            let options = Options {
                concurrency,
                ..options
            };
            let (plan, _) = Slow::new(&world).plan(&everything_with(tables.clone()), &options);
            assert!(plan.is_err(), "{what}");
            assert_eq!(copies(&world), 0, "{what}, {concurrency} at once");
        }
    }
}

#[test]
fn a_plan_that_an_account_without_regions_refuses_looks_for_no_copy() {
    let all_enabled = request(json!({
        "resource_group": "Web", "regions": "all-enabled", "accounts": [ROOT], "include_child_ous": true,
    }));
    for concurrency in [1, 3, 256] {
        let mut world = organization(9);
        let closed = account(&id_of(2));
        world.regions_fail.insert(closed, PortErrorKind::Denied);
        let options = Options {
            concurrency,
            ..attended()
        };
        assert!(Slow::new(&world).plan(&all_enabled, &options).0.is_err());
        assert_eq!((world.calls("members") > 0, copies(&world)), (true, 0));
    }
}

#[test]
fn only_planned_locations_are_asked_for_a_copy_and_each_once() {
    for concurrency in [1, 3, 256] {
        let mut world = organization(9);
        // Nobody there answers, and nobody may look there.
        let (silent, closed) = (at(&id_of(2), REGIONS[0]), at(&id_of(4), REGIONS[1]));
        for ping in world.places.get_mut(&silent).unwrap().managed.values_mut() {
            *ping = PingStatus::Offline;
        }
        world.places.get_mut(&closed).unwrap().members_fail = Some((0, PortErrorKind::Denied));
        let request = everything_with(json!({"policy": {"offline": "skip", "denied": "keep"}}));
        let options = Options {
            concurrency,
            ..attended()
        };
        let (plan, _) = Slow::new(&world).plan(&request, &options);
        let plan = plan.unwrap();
        let planned = plan.locations.iter().map(crate::plan::PlannedLocation::location);
        let mut asked: Vec<String> = planned
            .map(|at| format!("document {} $DEFAULT {at}", crate::runbook::NAME))
            .collect();
        asked.sort();
        let calls = world.calls.lock().unwrap();
        let mut documents: Vec<String> = calls
            .iter()
            .filter(|call| call.starts_with("document") && !call.ends_with("central"))
            .cloned()
            .collect();
        documents.sort();
        assert_eq!((asked.len(), documents), (17, asked));
    }
}

#[test]
fn results_are_tried_and_copies_looked_for_at_the_same_time() {
    let nodes: Vec<String> = (0..9).map(|n| ec2(10 * n).to_string()).collect();
    let mut targets = serde_json::to_value(everything().targets).unwrap();
    targets.as_object_mut().unwrap().remove("resource_group");
    targets["node_ids"] = json!(nodes);
    let steps = |operation: &str| {
        let world = organization(9);
        let request = request_with(targets.clone(), json!({"patch": {"operation": operation}}));
        let slow = Slow::new(&world);
        let options = Options {
            results: Some(slow.results()),
            ..attended()
        };
        let (plan, took) = slow.plan(&request, &options);
        assert_eq!(plan.unwrap().locations.len(), 9);
        (took.steps, copies(&world), world.calls("try"))
    };
    let (scan, copies, tried) = steps("Scan");
    assert_eq!((copies, tried), (9, 0));
    // Eight calls in each of nine accounts, one of which reads pages of managed nodes, and four in the center.
    let (install, copies, tried) = steps("Install");
    assert_eq!((copies, tried), (9, 7 * 9 + 4));
    assert_eq!(install, scan);
}
