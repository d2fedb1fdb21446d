//! Which locations a request names.

use crate::census::{CensusAnswer, UnknownCause};
use crate::expand::{Candidates, expand};
use crate::id::OrgParent;
use crate::port::{AccountState, PingStatus, PortErrorKind, RegionOptStatus};
use crate::refusal::{Refusal, RefusalCode, SkipReason};
use crate::request::PatchRequest;
use crate::tests::world::{CENTRAL, Listing, World, account, at, ec2, region, request, wait};
use serde_json::json;
use std::collections::BTreeSet;

const ROOT: &str = "r-ab12";
const PROD: &str = "ou-ab12-prod0000";
const WEB: &str = "ou-ab12-web00000";
const US: &str = "us-east-1";
const EU: &str = "eu-west-1";

/// Root: central account; prod below it: 2…; web below prod: 3… and a suspended 4….
fn world() -> World {
    let mut world = World::default();
    for id in [CENTRAL, "222222222222", "333333333333", "444444444444"] {
        world.add(id, &[US, EU]);
    }
    world
        .accounts
        .insert(account("444444444444"), AccountState::Suspended);
    let (root, prod, web) = (ROOT.parse().unwrap(), PROD, WEB);
    let ou = |id: &str| OrgParent::Ou(id.parse().unwrap());
    let unit = |accounts: &[&str], units: &[&str]| {
        (
            accounts.iter().map(|id| account(id)).collect(),
            units.iter().map(|id| id.parse().unwrap()).collect(),
        )
    };
    world
        .units
        .insert(OrgParent::Root(root), unit(&[CENTRAL], &[prod]));
    world.units.insert(ou(prod), unit(&["222222222222"], &[web]));
    world
        .units
        .insert(ou(web), unit(&["333333333333", "444444444444"], &[]));
    world
}

fn expanded(world: &World, request: &PatchRequest) -> Result<Candidates, Refusal> {
    wait(expand(world, request, &world.caller_now(), 3))
}

fn names(candidates: &Candidates) -> Vec<String> {
    candidates.wanted.iter().map(ToString::to_string).collect()
}

fn skips(candidates: &Candidates) -> Vec<(String, SkipReason)> {
    let skips = candidates.skipped.iter();
    skips
        .map(|skip| (skip.location().to_string(), skip.reason))
        .collect()
}

fn codes(refusal: &Refusal) -> Vec<(RefusalCode, &str)> {
    let reasons = refusal.reasons.iter();
    reasons
        .map(|reason| (reason.code, reason.subject.as_str()))
        .collect()
}

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
fn a_region_of_another_partition_is_refused_as_that() {
    let targets = json!({"all_managed": true, "regions": ["cn-north-1"]});
    let refusal = expanded(&world(), &request(targets)).unwrap_err();
    assert_eq!(codes(&refusal), [(RefusalCode::WrongPartition, "cn-north-1")]);
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
fn a_region_that_is_not_usable_is_skipped_only_there() {
    let mut world = world();
    for (id, status) in [
        ("222222222222", RegionOptStatus::Disabled),
        ("333333333333", RegionOptStatus::Enabled),
        (CENTRAL, RegionOptStatus::Enabling),
    ] {
        let regions = world.regions.get_mut(&account(id)).unwrap();
        regions.insert(region("ap-east-1"), status);
    }
    let targets = json!({
        "all_managed": true, "regions": ["ap-east-1"],
        "accounts": [CENTRAL, "222222222222", "333333333333"],
    });
    let found = expanded(&world, &request(targets)).unwrap();
    assert_eq!(names(&found), ["333333333333/ap-east-1"]);
    let details: Vec<&str> = found.skipped.iter().map(|skip| skip.detail.as_str()).collect();
    assert!(
        details[0].contains("ENABLING") && details[1].contains("DISABLED"),
        "{details:?}"
    );
}

#[test]
fn starting_from_an_opt_in_region_towards_a_default_one_is_refused() {
    let mut world = world();
    world.central_region = Some(region("ap-east-1"));
    for id in [CENTRAL, "222222222222"] {
        let regions = world.regions.get_mut(&account(id)).unwrap();
        regions.insert(region("ap-east-1"), RegionOptStatus::Enabled);
    }
    let targets = |name: &str| json!({"all_managed": true, "regions": [name], "accounts": ["222222222222"]});
    let refusal = expanded(&world, &request(targets(US))).unwrap_err();
    assert_eq!(codes(&refusal), [(RefusalCode::OptInTrap, "ap-east-1")]);
    assert!(refusal.reasons[0].detail.contains(US));
    assert!(expanded(&world, &request(targets("ap-east-1"))).is_ok());
    world.central_region = Some(region(US));
    assert!(expanded(&world, &request(targets("ap-east-1"))).is_ok());
}

#[test]
fn listed_regions_of_an_unreadable_account_stay_wanted() {
    let mut world = world();
    world
        .regions_fail
        .insert(account("222222222222"), PortErrorKind::RoleNotAssumable);
    let targets = json!({"all_managed": true, "regions": [US], "accounts": ["222222222222"]});
    let found = expanded(&world, &request(targets)).unwrap();
    assert_eq!(names(&found), ["222222222222/us-east-1"]);
    assert_eq!(found.to_ask(), found.wanted);
    assert!(
        found.warnings[0].contains("because of role_not_assumable"),
        "{:?}",
        found.warnings
    );
}

#[test]
fn all_enabled_regions_of_an_unreadable_account_are_unknown() {
    let mut world = world();
    world
        .regions_fail
        .insert(account("222222222222"), PortErrorKind::RoleNotAssumable);
    let targets = json!({
        "all_managed": true, "regions": "all-enabled", "accounts": ["222222222222", "333333333333", "444444444444"],
    });
    let found = expanded(&world, &request(targets.clone())).unwrap();
    assert_eq!(found.wanted.len(), 4);
    for name in [US, EU] {
        let answer = &found.answered[&at("222222222222", name)];
        assert!(
            matches!(
                answer,
                CensusAnswer::Unknown {
                    cause: UnknownCause::RoleNotAssumable,
                    ..
                }
            ),
            "{answer:?}"
        );
    }
    assert_eq!(found.answered.len(), 2);
    assert_eq!(found.to_ask().len(), 2);
    assert_eq!(found.skipped.len(), 2);

    // Without the central account's Regions nothing stands for those of the others.
    world.regions_fail.insert(account(CENTRAL), PortErrorKind::Denied);
    let refusal = expanded(&world, &request(targets)).unwrap_err();
    assert_eq!(codes(&refusal), [(RefusalCode::DirectoryUnavailable, CENTRAL)]);
    assert!(refusal.reasons[0].detail.contains("222222222222, 444444444444"));
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
fn an_excluded_region_is_skipped_everywhere_also_of_all_enabled() {
    for regions in [json!([US, EU]), json!("all-enabled")] {
        let targets = json!({
            "all_managed": true, "accounts": [CENTRAL, "222222222222"],
            "regions": regions, "exclude_regions": [EU],
        });
        let found = expanded(&world(), &request(targets)).unwrap();
        assert_eq!(
            names(&found),
            ["111111111111/us-east-1", "222222222222/us-east-1"]
        );
        let excluded = [CENTRAL, "222222222222"].map(|id| (format!("{id}/eu-west-1"), SkipReason::Excluded));
        assert_eq!(skips(&found), excluded);
        assert!(found.skipped[0].detail.contains("excludes the Region"));
        assert!(found.to_ask().iter().all(|at| at.region == region(US)));
    }
}

#[test]
fn an_excluded_region_hides_the_unknown_answer_of_an_account_that_cannot_be_read() {
    let mut world = world();
    world
        .regions_fail
        .insert(account("222222222222"), PortErrorKind::Denied);
    let targets = json!({
        "all_managed": true, "accounts": ["222222222222"], "regions": "all-enabled", "exclude_regions": [EU],
    });
    let found = expanded(&world, &request(targets)).unwrap();
    assert_eq!(names(&found), ["222222222222/us-east-1"]);
    assert_eq!(found.answered.len(), 1);
}

#[test]
fn an_excluded_region_that_is_asked_for_or_is_nowhere_is_told() {
    let told = |regions: serde_json::Value, excluded: &str| {
        let targets = json!({"all_managed": true, "regions": regions, "exclude_regions": [excluded]});
        expanded(&world(), &request(targets)).unwrap().warnings
    };
    let both = told(json!([US, EU]), EU);
    assert_eq!(
        both,
        ["eu-west-1 stands in regions and in exclude_regions, so it is left out"]
    );
    let nobody = told(json!("all-enabled"), "us-west-9");
    assert_eq!(
        nobody,
        ["exclude_regions names us-west-9, and no account has a Region of this name"]
    );
    let beside = told(json!([US]), EU);
    assert_eq!(
        beside,
        ["exclude_regions names eu-west-1, which is not in regions"]
    );
    assert_eq!(told(json!("all-enabled"), EU), Vec::<String>::new());
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
