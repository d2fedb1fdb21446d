//! Regions: which are wanted in which account, and which of them are skipped or refused.

use super::{EU, US, codes, expanded, names, skips, world};
use crate::census::{CensusAnswer, UnknownCause};
use crate::port::{PortErrorKind, RegionOptStatus};
use crate::refusal::{RefusalCode, SkipReason};
use crate::tests::world::{CENTRAL, account, at, region, request};
use serde_json::json;

#[test]
fn a_region_of_another_partition_is_refused_as_that() {
    let targets = json!({"all_managed": true, "regions": ["cn-north-1"]});
    let refusal = expanded(&world(), &request(targets)).unwrap_err();
    assert_eq!(codes(&refusal), [(RefusalCode::WrongPartition, "cn-north-1")]);
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
