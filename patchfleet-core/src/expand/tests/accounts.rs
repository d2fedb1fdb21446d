//! Accounts, units and the root: who is named, who is left out, and how each is read.

use super::{EU, PROD, ROOT, US, WEB, codes, expanded, names, skips, world};
use crate::id::OrgParent;
use crate::port::{PingStatus, PortErrorKind};
use crate::refusal::{RefusalCode, SkipReason};
use crate::tests::world::{CENTRAL, Listing, World, account, ec2, request, wait};
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn without_accounts_the_callers_own_is_meant_and_not_looked_up() {
    let world = world();
    let found = expanded(
        &world,
        &request(json!({"all_managed": true, "regions": [EU, US]})),
    )
    .unwrap();
    assert_eq!(
        names(&found),
        ["111111111111/eu-west-1", "111111111111/us-east-1"]
    );
    assert_eq!((found.skipped, found.warnings), (vec![], vec![]));
    assert_eq!(world.calls("account"), 0);
}

#[test]
fn children_count_only_if_they_are_asked_for() {
    let targets = |children: bool| json!({"all_managed": true, "regions": [US], "accounts": [PROD], "include_child_ous": children});
    let direct = expanded(&world(), &request(targets(false))).unwrap();
    assert_eq!(names(&direct), ["222222222222/us-east-1"]);
    let all = expanded(&world(), &request(targets(true))).unwrap();
    assert_eq!(names(&all), ["222222222222/us-east-1", "333333333333/us-east-1"]);
    assert_eq!(
        skips(&all),
        [("444444444444/us-east-1".to_owned(), SkipReason::AccountNotActive)]
    );
    assert!(all.skipped[0].detail.contains("SUSPENDED"), "{:?}", all.skipped);
}

#[test]
fn an_excluded_unit_takes_everything_below_it_away() {
    let targets = json!({
        "all_managed": true, "regions": [US], "accounts": [ROOT, "333333333333"],
        "include_child_ous": true, "exclude_accounts": [PROD],
    });
    let found = expanded(&world(), &request(targets)).unwrap();
    assert_eq!(names(&found), ["111111111111/us-east-1"]);
    let excluded = ["222222222222", "333333333333", "444444444444"];
    let excluded = excluded.map(|id| (format!("{id}/us-east-1"), SkipReason::Excluded));
    assert_eq!(skips(&found), excluded);
}

#[test]
fn an_excluded_account_that_is_no_target_is_pointed_out() {
    let targets = json!({"all_managed": true, "regions": [US], "exclude_accounts": ["999999999999"]});
    let found = expanded(&world(), &request(targets)).unwrap();
    assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
    assert!(found.warnings[0].contains("999999999999"));
}

#[test]
fn every_reason_to_refuse_is_named_at_once() {
    let mut world = world();
    world
        .account_fail
        .insert(account("555555555555"), PortErrorKind::Throttled);
    let targets = json!({
        "all_managed": true, "regions": [US, "us-east-9", "eu-west-7"],
        "accounts": ["999999999999", "555555555555", "ou-ab12-none0000"],
        "exclude_accounts": ["ou-ab12-typo0000"],
    });
    let refusal = expanded(&world, &request(targets)).unwrap_err();
    let found: BTreeSet<_> = codes(&refusal).into_iter().collect();
    let expected = [
        (RefusalCode::TargetNotFound, "999999999999"),
        (RefusalCode::DirectoryUnavailable, "555555555555"),
        (RefusalCode::TargetNotFound, "ou-ab12-none0000"),
        (RefusalCode::TargetNotFound, "ou-ab12-typo0000"),
        (RefusalCode::NoSuchRegion, "us-east-9"),
        (RefusalCode::NoSuchRegion, "eu-west-7"),
    ];
    assert_eq!(found, expected.into_iter().collect());
    assert_eq!(refusal.reasons.len(), 6);
}

#[test]
fn the_organization_is_read_by_one_listing_and_no_unit_is_asked_for() {
    let world = world();
    let below_prod = request(json!({
        "all_managed": true, "regions": [US], "accounts": [ROOT, PROD], "exclude_accounts": [WEB],
        "include_child_ous": true,
    }));
    let found = expanded(&world, &below_prod).unwrap();
    assert_eq!(
        names(&found),
        ["111111111111/us-east-1", "222222222222/us-east-1"]
    );
    assert_eq!(world.calls("organization"), 5, "one walk over its pages");
    assert_eq!((world.calls("account"), world.calls("child_units")), (0, 0));
}

#[test]
fn while_the_organization_is_listed_the_regions_of_the_accounts_that_are_meant_are_asked_for() {
    let mut world = world();
    let root = OrgParent::Root(ROOT.parse().unwrap());
    for n in 0..30 {
        let id = format!("5555555555{n:02}");
        world.add(&id, &[US]);
        world.units.get_mut(&root).unwrap().0.push(account(&id));
    }
    let all = request(json!({
        "all_managed": true, "regions": [US], "accounts": [ROOT], "include_child_ous": true,
        "exclude_accounts": [PROD],
    }));
    assert_eq!(names(&expanded(&world, &all).unwrap()).len(), 31);
    let calls = world.calls.lock().unwrap();
    let last_page = calls.iter().rposition(|call| call == "organization").unwrap();
    let early = calls[..last_page]
        .iter()
        .filter(|call| call.starts_with("regions 5555"))
        .count();
    assert!(early > 20, "{early}");
    let excluded = |call: &&String| call.contains("222222222222") || call.contains("333333333333");
    assert_eq!(
        calls.iter().filter(excluded).count(),
        0,
        "nobody asks for what is excluded"
    );
    let pages = calls
        .iter()
        .filter(|call| call.starts_with("regions 555555555500"));
    assert_eq!(pages.count(), 3, "each account is asked for once");
}

#[test]
fn units_are_read_one_by_one_where_the_listing_is_denied_or_does_not_say_where_accounts_stand() {
    for listing in [
        Listing::Fails(PortErrorKind::Denied),
        Listing::PlaceUnknown,
        Listing::WithoutTheCaller,
    ] {
        let mut world = world();
        world.listing = listing;
        let below_prod = request(json!({
            "all_managed": true, "regions": [US], "accounts": [PROD], "include_child_ous": true,
        }));
        let found = expanded(&world, &below_prod).unwrap();
        assert_eq!(
            names(&found),
            ["222222222222/us-east-1", "333333333333/us-east-1"],
            "{listing:?}"
        );
        assert_eq!(skips(&found).len(), 1, "{listing:?}");
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        assert!(world.calls("child_units") > 0, "{listing:?}");
    }
}

#[test]
fn a_unit_without_its_units_is_read_alone_and_not_the_whole_organization() {
    let world = world();
    let only_prod = json!({
        "all_managed": true, "regions": [US], "accounts": [PROD], "include_child_ous": false,
    });
    let found = expanded(&world, &request(only_prod)).unwrap();
    assert_eq!(names(&found), ["222222222222/us-east-1"]);
    assert_eq!(world.calls("organization"), 0);
    let units_of_prod = world.calls(&format!("child_units {PROD}"));
    assert!(units_of_prod > 0);
    assert_eq!(
        world.calls("child_units"),
        units_of_prod,
        "no unit below is looked into"
    );
}

/// The warnings of a plan for these accounts without the units below them.
fn told_of(world: &World, accounts: &[&str], excluded: &[&str]) -> Vec<String> {
    let targets = json!({
        "all_managed": true, "regions": [US], "accounts": accounts, "exclude_accounts": excluded,
    });
    expanded(world, &request(targets)).unwrap().warnings
}

#[test]
fn a_unit_whose_units_do_not_count_says_how_many_are_left_out_and_which_key_includes_them() {
    let mut world = world();
    assert_eq!(
        told_of(&world, &[PROD], &[]),
        [
            "ou-ab12-prod0000: 1 unit below it is left out with all its accounts; targets.include_child_ous = true would include them"
        ]
    );
    // Nothing lies below, or the request says itself what becomes of it.
    assert_eq!(told_of(&world, &[WEB], &[]), [""; 0]);
    assert_eq!(told_of(&world, &[PROD, WEB], &[]), [""; 0]);
    assert_eq!(told_of(&world, &[PROD], &[WEB]), [""; 0]);
    let root = OrgParent::Root(ROOT.parse().unwrap());
    for n in 0..4 {
        let unit = format!("ou-ab12-more000{n}").parse().unwrap();
        world.units.get_mut(&root).unwrap().1.push(unit);
    }
    assert_eq!(
        told_of(&world, &[ROOT], &[PROD]),
        [
            "r-ab12: 4 units below it are left out with all their accounts; targets.include_child_ous = true would include them"
        ]
    );
}

#[test]
fn units_that_may_not_be_listed_are_no_reason_to_say_nothing_of_them() {
    let mut world = world();
    world.units_fail = Some(PortErrorKind::Denied);
    let told = told_of(&world, &[PROD], &[]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with(
            "ou-ab12-prod0000: units below it would be left out, as targets.include_child_ous is false; whether there \
             are any could not be found out: "
        ),
        "{told:?}"
    );
}

#[test]
fn more_than_twenty_named_accounts_are_looked_up_in_one_listing_and_what_it_lacks_by_itself() {
    let mut world = world();
    let mut accounts: Vec<String> = (0..30).map(|n| format!("5555555555{n:02}")).collect();
    for id in &accounts {
        world.add(id, &[US]);
        let root = OrgParent::Root(ROOT.parse().unwrap());
        world.units.get_mut(&root).unwrap().0.push(account(id));
    }
    let all = request(json!({"all_managed": true, "regions": [US], "accounts": accounts}));
    assert_eq!(names(&expanded(&world, &all).unwrap()).len(), 30);
    assert_eq!(world.calls("account"), 0);
    accounts.push("999999999999".to_owned());
    let more = request(json!({"all_managed": true, "regions": [US], "accounts": accounts}));
    let refusal = expanded(&world, &more).unwrap_err();
    assert_eq!(codes(&refusal), [(RefusalCode::TargetNotFound, "999999999999")]);
    assert_eq!(world.calls("account"), 1, "only the one that the listing lacks");
}

#[test]
fn an_account_that_may_not_be_looked_up_is_taken_for_active_with_a_warning() {
    let mut world = world();
    for kind in [PortErrorKind::Denied, PortErrorKind::NotInOrganization] {
        world.account_fail.insert(account("444444444444"), kind);
        let targets = json!({"all_managed": true, "regions": [US], "accounts": ["444444444444"]});
        let found = expanded(&world, &request(targets)).unwrap();
        assert_eq!(names(&found), ["444444444444/us-east-1"]);
        assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
    }
}

#[test]
fn a_listing_without_end_is_refused_and_not_followed() {
    let mut world = world();
    world.endless = true;
    let targets = json!({"all_managed": true, "regions": [US], "accounts": [PROD]});
    let refusal = expanded(&world, &request(targets)).unwrap_err();
    assert_eq!(codes(&refusal), [(RefusalCode::DirectoryUnavailable, PROD)]);
}

#[test]
fn a_unit_without_accounts_is_pointed_out() {
    let mut world = world();
    let empty = OrgParent::Ou("ou-ab12-empty000".parse().unwrap());
    world.units.insert(empty, (vec![], vec![]));
    let targets = json!({"all_managed": true, "regions": [US], "accounts": ["ou-ab12-empty000"]});
    let found = expanded(&world, &request(targets)).unwrap();
    assert!(found.wanted.is_empty());
    assert!(
        found.warnings[0].contains("ou-ab12-empty000"),
        "{:?}",
        found.warnings
    );
}

#[test]
fn the_future_can_be_spawned() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let (mut world, request) = (world(), request(json!({"all_managed": true, "regions": [US]})));
    world.place(CENTRAL, US).managed = [(ec2(1), PingStatus::Online)].into();
    let options = crate::plan::Options::default();
    let plan = sendable(crate::plan::make(&world, &world, &world, &request, &options));
    assert!(wait(plan).is_ok());
}
