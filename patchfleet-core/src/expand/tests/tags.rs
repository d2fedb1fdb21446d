//! The tags of accounts, for waves that name accounts by them.

use super::{EU, PROD, ROOT, US, expanded, world};
use crate::expand::{AccountTags, Candidates};
use crate::port::PortErrorKind;
use crate::request::PatchRequest;
use crate::tests::world::{CENTRAL, World, account, request_with};
use serde_json::{Value, json};

const SECOND: &str = "222222222222";
const THIRD: &str = "333333333333";

fn tagged() -> World {
    let mut world = world();
    // Three tags are two pages, with empty ones between.
    for (key, value) in [("Team", "web"), ("Stage", "canary"), ("Cost", "")] {
        world.tag(SECOND, key, value);
    }
    world
}

fn everywhere(waves: Value) -> PatchRequest {
    let targets = json!({
        "all_managed": true, "regions": [US, EU], "accounts": [ROOT], "include_child_ous": true,
    });
    request_with(targets, json!({"waves": waves}))
}

/// The accounts whose tags are known.
fn known(found: &Candidates) -> Vec<&str> {
    let known = found.tags.iter().filter(|(_, tags)| tags.known().is_some());
    known.map(|(account, _)| account.as_str()).collect()
}

#[test]
fn the_tags_of_each_account_with_a_wanted_location_are_read_once_and_page_by_page() {
    let world = tagged();
    let found = expanded(
        &world,
        &everywhere(json!([{"name": "canary", "account_tags": {"Stage": "canary"}}])),
    );
    let found = found.unwrap();
    // The fourth is suspended.
    assert_eq!(known(&found), [CENTRAL, SECOND, THIRD]);
    let tags = found.tags[&account(SECOND)].known().unwrap();
    let tags: Vec<(&str, &str)> = tags
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(tags, [("Cost", ""), ("Stage", "canary"), ("Team", "web")]);
    assert!(found.tags[&account(THIRD)].known().unwrap().is_empty());
    assert_eq!(
        world.calls(&format!("account_tags {CENTRAL}")),
        1,
        "one page, which is empty"
    );
    assert_eq!(world.calls(&format!("account_tags {SECOND}")), 5);
    assert_eq!(world.calls("account_tags"), 7);
}

#[test]
fn tags_are_read_of_no_account_if_no_wave_asks_for_them_or_none_could_have_it() {
    let read = |waves: Value| {
        let world = tagged();
        let found = expanded(&world, &everywhere(waves)).unwrap();
        let calls = world.calls("account_tags");
        assert_eq!(calls == 0, found.tags.is_empty());
        let read = found.tags.keys().map(ToString::to_string);
        read.collect::<Vec<_>>()
    };
    let tags = json!({"Stage": "canary"});
    let none: [&str; 0] = [];
    assert_eq!(read(json!([])), none);
    assert_eq!(read(json!([{"name": "canary", "accounts": [PROD]}])), none);
    // Named by its id.
    let named = json!([{"name": "canary", "account_tags": tags, "accounts": [SECOND]}]);
    assert_eq!(read(named), [SECOND]);
    // An earlier wave has all of it.
    let earlier = json!([{"name": "first", "accounts": [CENTRAL]}, {"name": "canary", "account_tags": tags}]);
    assert_eq!(read(earlier), [SECOND, THIRD]);
    // Or only a Region of it, or some of its locations, or nobody knows.
    for first in [
        json!({"name": "first", "accounts": [CENTRAL], "regions": [EU]}),
        json!({"name": "first", "accounts": [CENTRAL], "locations": 1}),
        json!({"name": "first", "accounts": [PROD]}),
    ] {
        let waves = json!([first, {"name": "canary", "account_tags": tags}]);
        assert_eq!(read(waves.clone()), [CENTRAL, SECOND, THIRD], "{waves}");
    }
}

#[test]
fn an_account_whose_tags_cannot_be_read_is_not_one_without_tags() {
    let canary = || everywhere(json!([{"name": "canary", "account_tags": {"Stage": "canary"}}]));
    let why = |world: &World| {
        let found = expanded(world, &canary()).unwrap();
        match &found.tags[&account(SECOND)] {
            AccountTags::Unknown(why) => why.clone(),
            AccountTags::Known(tags) => panic!("{tags:?}"),
        }
    };
    for (kind, what_to_do) in [
        (PortErrorKind::Denied, "needs organizations:ListTagsForResource"),
        (PortErrorKind::NotFound, "name this one in `accounts`"),
        (PortErrorKind::NotInOrganization, "name this one in `accounts`"),
        (PortErrorKind::Throttled, "Plan again"),
        (PortErrorKind::Unavailable, "Plan again"),
    ] {
        let mut world = tagged();
        world.account_tags_fail.insert(account(SECOND), kind);
        let why = why(&world);
        assert!(
            why.contains(what_to_do) && why.contains("ListTagsForResource"),
            "{why}"
        );
    }
    // Tags that change while they are read.
    let mut world = tagged();
    world.tag(SECOND, "Stage", "production");
    assert!(
        why(&world).contains("two values of the tag Stage"),
        "{}",
        why(&world)
    );
    // Pages without an end.
    world.endless = true;
    let refused = expanded(&world, &canary()).map(|found| found.tags);
    assert!(refused.is_err(), "{refused:?}");
}
