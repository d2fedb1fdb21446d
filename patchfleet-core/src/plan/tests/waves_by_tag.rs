//! Waves that name accounts by their tags in AWS Organizations.

use super::helpers::*;
use crate::id::Location;
use crate::plan::{Plan, PlanFault, PlannedLocation};
use crate::port::PortErrorKind;
use crate::refusal::{Refusal, RefusalCode};
use crate::request::PatchRequest;
use crate::tests::numbers::Numbers;
use crate::tests::world::{CENTRAL, World, account, request_with};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The account with this number.
fn id(n: u64) -> String {
    (111_111_111_111 + n).to_string()
}

/// So many accounts, each with a node in each of the Regions.
fn fleet(accounts: u64) -> World {
    let mut world = World::default();
    for n in 0..accounts {
        world.add(&id(n), &REGIONS);
        for region in REGIONS {
            *world.place(&id(n), region) = place(1, 0, 0);
        }
    }
    world
}

fn all_of(accounts: u64, waves: Value) -> PatchRequest {
    let accounts: Vec<String> = (0..accounts).map(id).collect();
    let targets = json!({"resource_group": "WebServers", "regions": REGIONS, "accounts": accounts});
    request_with(
        targets,
        json!({"patch": {"operation": "Install"}, "waves": waves}),
    )
}

fn in_wave(plan: &Plan, wave: u32) -> BTreeSet<Location> {
    let there = plan.locations.iter().filter(|at| at.wave == wave);
    there.map(PlannedLocation::location).collect()
}

fn accounts_in(plan: &Plan, wave: u32) -> BTreeSet<String> {
    in_wave(plan, wave)
        .into_iter()
        .map(|at| at.account.to_string())
        .collect()
}

fn codes(refusal: &Refusal) -> Vec<(RefusalCode, &str)> {
    let reasons = refusal.reasons.iter();
    reasons
        .map(|reason| (reason.code, reason.subject.as_str()))
        .collect()
}

fn canary() -> Value {
    json!([{"name": "canary", "account_tags": {"Stage": ["canary", "pilot"]}}])
}

#[test]
fn the_accounts_with_one_of_the_values_are_in_the_wave_with_all_of_their_regions() {
    let mut world = fleet(5);
    world.tag(&id(0), "Stage", "canary");
    world.tag(&id(1), "Stage", "pilot");
    world.tag(&id(2), "Stage", "production");
    // Upper and lower case differ.
    world.tag(&id(3), "stage", "canary");
    let plan = planned(&world, &all_of(5, canary())).unwrap();
    assert_eq!(accounts_in(&plan, 1), BTreeSet::from([id(0), id(1)]));
    assert_eq!(in_wave(&plan, 1).len(), 6);
    assert_eq!(accounts_in(&plan, 2), BTreeSet::from([id(2), id(3), id(4)]));
    plan.check().unwrap();
    let again = Plan::from_json(&plan.to_json()).unwrap();
    assert_eq!(again, plan);
    insta::assert_snapshot!(plan.waves_in_words().unwrap(), @"
    Waves (each begins when all of the one before it is over)
      1  canary  6 locations, 6 nodes, 1 start
      2  rest    9 locations, 9 nodes, 1 start
    ");
}

#[test]
fn an_account_has_every_key_and_is_in_the_regions_and_below_the_unit_that_a_wave_names() {
    let mut world = fleet(4);
    for n in 0..4 {
        world.tag(&id(n), "Stage", "canary");
    }
    world.tag(&id(0), "Team", "web");
    world.tag(&id(1), "Team", "web");
    let both = json!({"Stage": "canary", "Team": ["web", "api"]});
    let of = |wave: Value| in_wave(&planned(&world, &all_of(4, json!([wave]))).unwrap(), 1);
    let every = of(json!({"name": "canary", "account_tags": both}));
    assert_eq!(every.len(), 6);
    let one = of(
        json!({"name": "canary", "account_tags": both, "accounts": [id(1), id(3)], "regions": ["eu-west-1"]}),
    );
    let at = |n: u64| Location::new(account(&id(n)), "eu-west-1".parse().unwrap());
    assert_eq!(one, BTreeSet::from([at(1)]));
    // A count or a share is one of what the tags leave.
    let two = of(json!({"name": "canary", "account_tags": both, "locations": 2}));
    assert!(two.len() == 2 && two.is_subset(&every), "{two:?}");
    let half = of(json!({"name": "canary", "account_tags": both, "nodes": "50%"}));
    assert!(half.len() == 3 && half.is_subset(&every), "{half:?}");
}

#[test]
fn a_plan_is_refused_if_nobody_knows_in_which_wave_an_account_is() {
    let mut world = fleet(4);
    world.tag(&id(0), "Stage", "canary");
    for (n, kind) in [
        (1, PortErrorKind::Denied),
        (2, PortErrorKind::Denied),
        (3, PortErrorKind::Throttled),
    ] {
        world.account_tags_fail.insert(account(&id(n)), kind);
    }
    let refusal = planned(&world, &all_of(4, canary())).unwrap_err();
    let expected = [1, 2, 3].map(|n| (RefusalCode::AccountTags, id(n)));
    assert_eq!(
        codes(&refusal),
        expected.each_ref().map(|(code, id)| (*code, id.as_str()))
    );
    insta::assert_snapshot!(refusal, @"
    refused: [account_tags] 111111111112, 111111111113: the tags of this account could not be read, so its wave is not known (canary, or a later one): ListTagsForResource: because of denied. The caller needs organizations:ListTagsForResource, and has to be in the management account or in a delegated administrator's
      [account_tags] 111111111114: the tags of this account could not be read, so its wave is not known (canary, or a later one): ListTagsForResource: because of throttled. Plan again once organizations:ListTagsForResource answers
    ");
}

#[test]
fn an_account_of_which_nothing_is_planned_need_not_show_its_tags() {
    let mut world = fleet(3);
    world.tag(&id(0), "Stage", "canary");
    world
        .account_tags_fail
        .insert(account(&id(2)), PortErrorKind::Denied);
    for region in REGIONS {
        *world.place(&id(2), region) = place(0, 0, 0);
    }
    assert!(planned(&world, &all_of(3, canary())).is_ok());
    // Nor one that an earlier wave has.
    let mut world = fleet(3);
    world.tag(&id(0), "Stage", "canary");
    world
        .account_tags_fail
        .insert(account(&id(2)), PortErrorKind::Denied);
    let first = json!({"name": "first", "accounts": [id(2)]});
    let waves = json!([first, {"name": "canary", "account_tags": {"Stage": "canary"}}]);
    assert!(planned(&world, &all_of(3, waves)).is_ok());
}

#[test]
fn a_misspelt_tag_leaves_the_canary_empty_and_refuses_the_plan() {
    let mut world = fleet(2);
    world.tag(CENTRAL, "Stage", "canary");
    let waves = json!([{"name": "canary", "account_tags": {"Stage": "canry"}}]);
    let refusal = planned(&world, &all_of(2, waves)).unwrap_err();
    assert_eq!(codes(&refusal), [(RefusalCode::WaveEmpty, "wave canary")]);
}

#[test]
fn an_account_whose_tag_was_changed_is_a_difference_of_plans() {
    let plan = |tagged: u64| {
        let mut world = fleet(3);
        world.tag(&id(0), "Stage", "canary");
        world.tag(&id(tagged), "Stage", "canary");
        planned(&world, &all_of(3, canary())).unwrap()
    };
    insta::assert_snapshot!(plan(1).differences(&plan(2)).join("\n"), @"
    111111111112/eu-west-1: was in wave 1 (canary), is in wave 2 (rest)
    111111111112/us-east-1: was in wave 1 (canary), is in wave 2 (rest)
    111111111112/us-west-2: was in wave 1 (canary), is in wave 2 (rest)
    111111111113/eu-west-1: was in wave 2 (rest), is in wave 1 (canary)
    111111111113/us-east-1: was in wave 2 (rest), is in wave 1 (canary)
    111111111113/us-west-2: was in wave 2 (rest), is in wave 1 (canary)
    ");
    assert_eq!(plan(1).differences(&plan(1)), [""; 0]);
}

#[test]
fn a_saved_plan_in_which_one_region_of_an_account_is_in_another_wave_is_not_taken() {
    let mut world = fleet(3);
    world.tag(&id(0), "Stage", "canary");
    let plan = planned(&world, &all_of(3, canary())).unwrap();
    let moved = |account: u64, regions: usize, wave: u32| {
        let mut moved = plan.clone();
        for at in &mut moved.locations {
            if at.account.as_str() == id(account) && REGIONS[..regions].contains(&at.region.as_str()) {
                at.wave = wave;
            }
        }
        moved.check()
    };
    let is_fault = |checked: Result<(), PlanFault>| matches!(checked, Err(PlanFault::Wave { .. }));
    assert!(is_fault(moved(0, 1, 2)), "of the canary");
    assert!(is_fault(moved(1, 1, 1)), "of the rest");
    // Which accounts have the tag nobody knows any more. The starts tell.
    assert!(matches!(moved(0, 3, 2), Err(PlanFault::OtherWave { .. })));
}

proptest! {
    #[test]
    fn an_account_with_the_tags_of_a_wave_is_never_in_a_later_one_and_one_without_them_never_in_it(
        seed in any::<u64>(), accounts in 1_u64..7,
    ) {
        let mut numbers = Numbers(seed);
        let (keys, values) = (["Stage", "Team", "stage"], ["a", "b", ""]);
        let mut world = fleet(accounts);
        for n in 0..accounts {
            for key in keys {
                if numbers.below(2) == 0 {
                    world.tag(&id(n), key, values[numbers.below(3) as usize]);
                }
            }
        }
        let mut waves: Vec<Value> = vec![];
        for n in 0..1 + numbers.below(3) {
            let mut tags = json!({});
            for key in keys {
                if numbers.below(2) == 0 {
                    let first = numbers.below(3) as usize;
                    tags[key] = json!(values[first..first + 1 + numbers.below(3 - first as u64) as usize]);
                }
            }
            let mut wave = json!({"name": format!("w{n}"), "if_empty": "skip"});
            match tags.as_object().unwrap().is_empty() {
                true => wave["regions"] = json!([REGIONS[numbers.below(3) as usize]]),
                false => wave["account_tags"] = tags,
            }
            if numbers.below(3) == 0 {
                wave["regions"] = json!([REGIONS[numbers.below(3) as usize]]);
            }
            if numbers.below(4) == 0 {
                wave["locations"] = json!(1 + numbers.below(3));
            }
            waves.push(wave);
        }
        let mut value = serde_json::to_value(all_of(accounts, json!([]))).unwrap();
        value["waves"] = json!(waves);
        // A wave to which an earlier one leaves nothing is told when a request is read.
        let Ok(request) = PatchRequest::from_value(value) else { return Ok(()) };
        let plan = planned(&world, &request).unwrap();
        plan.check().unwrap();
        for at in &plan.locations {
            let tags = world.account_tags.get(&at.account).cloned().unwrap_or_default();
            for (number, wave) in (1..).zip(&waves) {
                let named = wave["account_tags"].as_object().into_iter().flatten().all(|(key, values)| {
                    let values = values.as_array().unwrap();
                    tags.iter().any(|(one, value)| one == key && values.contains(&json!(value)))
                });
                let regions = wave["regions"].as_array();
                let named = named && regions.is_none_or(|regions| regions.contains(&json!(at.region.as_str())));
                let location = at.location();
                if at.wave == number {
                    prop_assert!(named, "{} is in wave {}", location, number);
                } else if at.wave > number && wave["locations"].is_null() {
                    prop_assert!(!named, "{} is in wave {}, not {}", location, at.wave, number);
                }
            }
        }
    }
}

#[test]
fn what_no_account_has_of_a_waves_tags_is_said_beside_what_there_is() {
    let mut world = fleet(4);
    world.tag(&id(0), "Stage", "canary");
    world.tag(&id(1), "Stage", "Pilot");
    world.tag(&id(2), "stage ", "canary");
    let of = |tags: Value| {
        planned(
            &world,
            &all_of(4, json!([{"name": "canary", "account_tags": tags}])),
        )
    };
    let refused = |tags: Value| of(tags).unwrap_err().reasons[0].detail.clone();
    insta::assert_snapshot!(refused(json!({"Stgae": "canary"})), @r#"no location with a node is in it (no account has the tag "Stgae", but there are "Stage", "stage "), so it would show nothing before the waves after it begin. Have it name other locations, or set waves[0].if_empty to "skip" to begin the others without it"#);
    insta::assert_snapshot!(refused(json!({"Stage": ["canery", "pilot"]})), @r#"no location with a node is in it (no account has the tag "Stage" with "canery", "pilot", but there are "Pilot", "canary"), so it would show nothing before the waves after it begin. Have it name other locations, or set waves[0].if_empty to "skip" to begin the others without it"#);
    let told = |tags: Value| {
        let plan = of(tags).unwrap();
        let of_tags = plan
            .warnings
            .into_iter()
            .filter(|one| one.starts_with("wave canary"));
        of_tags.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(told(json!({"Stage": ["canary", "pilot"]})), @r#"
    wave canary: account 111111111112 has the tag "Stage" = "Pilot" and is not in it, as upper and lower case differ and spaces count
    wave canary: account 111111111113 has the tag "stage " = "canary" and is not in it, as upper and lower case differ and spaces count
    wave canary: no account has the tag "Stage" with "pilot", but there are "Pilot", "canary"
    "#);
    assert_eq!(
        told(json!({"Stage": ["canary", "Pilot"]})).lines().count(),
        1,
        "of the account with a space"
    );
}
