//! A selection that is nowhere is refused, whatever it is and for whatever reason; and a denial
//! has a policy of its own.

use super::helpers::planned;
use crate::id::OrgParent;
use crate::plan::Plan;
use crate::port::{AccountState, PingStatus, PortErrorKind, RegionOptStatus};
use crate::refusal::{Refusal, RefusalCode, SkipReason};
use crate::tests::world::{CENTRAL, World, account, ec2, region, request_with};
use serde_json::{Value, json};

const OTHER: &str = "222222222222";
const UNIT: &str = "ou-ab12-upper000";
const US: &str = "us-east-1";
const EU: &str = "eu-west-1";

/// Two accounts in two Regions, with no node anywhere, the second one in a unit below another.
fn world() -> World {
    let mut world = World::default();
    for id in [CENTRAL, OTHER] {
        world.add(id, &[US, EU]);
    }
    let unit = |id: &str| OrgParent::Ou(id.parse().unwrap());
    let lower = "ou-ab12-lower000";
    world
        .units
        .insert(unit(UNIT), (vec![], vec![lower.parse().unwrap()]));
    world.units.insert(unit(lower), (vec![account(OTHER)], vec![]));
    world
}

fn planned_of(world: &World, targets: Value, policy: Value) -> Result<Plan, Refusal> {
    planned(world, &request_with(targets, json!({"policy": policy})))
}

/// Plans by the default policy, which must refuse with one reason; and sees that `succeed` does not.
fn refused(world: &World, targets: Value) -> String {
    let allowed = planned_of(world, targets.clone(), json!({"nothing_selected": "succeed"})).unwrap();
    assert!(allowed.is_empty());
    let refusal = planned_of(world, targets, json!({})).unwrap_err();
    let codes: Vec<_> = refusal.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, [RefusalCode::NothingSelected]);
    refusal.to_string()
}

#[test]
fn a_policy_that_keeps_empty_locations_makes_no_success_of_a_selection_that_is_nowhere() {
    let targets = json!({"resource_group": "W", "regions": [US, EU], "accounts": [CENTRAL]});
    let mut world = world();
    world.place(CENTRAL, EU).members_fail = Some((0, PortErrorKind::NotFound));
    let kept = json!({"empty": "keep", "group_missing": "keep"});
    let refusal = planned_of(&world, targets.clone(), kept).unwrap_err();
    insta::assert_snapshot!(
        refusal.to_string(),
        @r#"refused: [nothing_selected] the resource group W: nothing would be done: of 2 locations, 1 without a node, 1 without a group of that name; a resource group belongs to one account and one Region, and its name is case-sensitive; if that is right, set policy.nothing_selected to "succeed""#
    );

    // Said to be right, it is kept as asked.
    let allowed = json!({"empty": "keep", "group_missing": "keep", "nothing_selected": "succeed"});
    assert_eq!(
        planned_of(&world, targets.clone(), allowed)
            .unwrap()
            .locations
            .len(),
        2
    );
    // So it is where one answer is not known, and may hide a node.
    world.place(CENTRAL, EU).members_fail = Some((0, PortErrorKind::Unavailable));
    let unknown = json!({"empty": "keep", "unknown": "keep"});
    assert_eq!(planned_of(&world, targets, unknown).unwrap().locations.len(), 2);
}

#[test]
fn a_selector_of_any_kind_that_finds_no_node_is_refused() {
    let with = |selector: Value| {
        let mut targets = selector;
        targets["regions"] = json!([US, EU]);
        targets["accounts"] = json!([CENTRAL, OTHER]);
        refused(&world(), targets)
    };
    insta::assert_snapshot!(
        [
            with(json!({"resource_group": "WebServers"})),
            with(json!({"tags": {"Env": ["prod", "test"]}})),
            with(json!({"all_managed": true})),
            with(json!({"node_ids": [ec2(1), ec2(2)]})),
        ]
        .join("\n"),
        @r#"
    refused: [nothing_selected] the resource group WebServers: nothing would be done: of 4 locations, 4 without a node; if that is right, set policy.nothing_selected to "succeed"
    refused: [nothing_selected] the tags Env = prod, test: nothing would be done: of 4 locations, 4 without a node; tag keys and values are case-sensitive; if that is right, set policy.nothing_selected to "succeed"
    refused: [nothing_selected] all managed nodes: nothing would be done: of 4 locations, 4 without a node; if that is right, set policy.nothing_selected to "succeed"
    refused: [nothing_selected] the node ids i-00000000000000001, i-00000000000000002: nothing would be done: of 4 locations, 4 without a node; if that is right, set policy.nothing_selected to "succeed"
    "#
    );
}

#[test]
fn a_group_that_exists_nowhere_is_refused() {
    let mut world = world();
    for name in [US, EU] {
        world.place(CENTRAL, name).members_fail = Some((0, PortErrorKind::NotFound));
    }
    let text = refused(
        &world,
        json!({"resource_group": "webservers", "regions": [US, EU]}),
    );
    assert!(
        text.contains("2 without a group of that name") && text.contains("case-sensitive"),
        "{text}"
    );
}

#[test]
fn accounts_that_are_all_suspended_or_excluded_are_refused() {
    let mut world = world();
    world.accounts.insert(account(OTHER), AccountState::Suspended);
    let text = refused(
        &world,
        json!({
            "all_managed": true, "regions": [US],
            "accounts": [UNIT, CENTRAL], "include_child_ous": true, "exclude_accounts": [CENTRAL],
        }),
    );
    assert!(
        text.contains("1 excluded by the request, 1 in an account that is not active"),
        "{text}"
    );
}

#[test]
fn a_unit_with_no_account_directly_below_it_names_include_child_ous() {
    let text = refused(
        &world(),
        json!({"all_managed": true, "regions": [US], "accounts": [UNIT]}),
    );
    assert_eq!(
        text,
        "refused: [nothing_selected] all managed nodes: nothing would be done: no account is directly below \
         ou-ab12-upper000; set targets.include_child_ous to true if the accounts are in units further down; if that \
         is right, set policy.nothing_selected to \"succeed\""
    );
    let beside_an_empty_account = refused(
        &world(),
        json!({"all_managed": true, "regions": [US], "accounts": [UNIT, CENTRAL]}),
    );
    assert!(
        beside_an_empty_account.contains(
            "of 1 location, 1 without a node; no account is directly below ou-ab12-upper000: set \
             targets.include_child_ous to true"
        ),
        "{beside_an_empty_account}"
    );
}

#[test]
fn regions_that_are_all_excluded_or_disabled_are_refused() {
    let mut world = world();
    let regions = world.regions.get_mut(&account(CENTRAL)).unwrap();
    regions.insert(region("me-south-1"), RegionOptStatus::Disabled);
    let text = refused(
        &world,
        json!({"all_managed": true, "regions": [US, "me-south-1"], "exclude_regions": [US]}),
    );
    assert!(
        text.contains("1 excluded by the request, 1 in a Region that is not enabled"),
        "{text}"
    );
}

#[test]
fn one_empty_location_among_populated_ones_stays_a_skip() {
    let mut world = world();
    world.place(CENTRAL, US).members = vec![ec2(1)];
    let plan = planned_of(
        &world,
        json!({"resource_group": "W", "regions": [US, EU]}),
        json!({}),
    )
    .unwrap();
    assert_eq!((plan.locations.len(), plan.skipped.len()), (1, 1));
}

#[test]
fn what_is_kept_without_being_known_is_not_nowhere() {
    let mut world = world();
    world.place(CENTRAL, US).members_fail = Some((0, PortErrorKind::Throttled));
    let targets = json!({"resource_group": "W", "regions": [US]});
    let kept = planned_of(&world, targets.clone(), json!({"unknown": "keep"})).unwrap();
    assert_eq!(kept.locations.len(), 1);
    // Skipped, it is: nothing would be done, and nobody knows what is there.
    let refusal = planned_of(&world, targets, json!({"unknown": "skip"})).unwrap_err();
    assert!(
        refusal.to_string().contains("1 with an answer that is not known"),
        "{refusal}"
    );
}

/// One populated location, one that denies, and one where the role cannot be assumed.
fn partly_denied() -> World {
    let mut world = world();
    world.place(CENTRAL, US).members = vec![ec2(1)];
    world.place(CENTRAL, EU).members_fail = Some((0, PortErrorKind::Denied));
    world.place(OTHER, US).members_fail = Some((0, PortErrorKind::RoleNotAssumable));
    world
}

fn skips(policy: Value) -> Result<Vec<(String, SkipReason)>, Vec<String>> {
    let targets = json!({"resource_group": "W", "regions": [US, EU], "accounts": [CENTRAL, OTHER]});
    match planned_of(&partly_denied(), targets, policy) {
        Ok(plan) => Ok(plan
            .skipped
            .iter()
            .map(|skip| (skip.location().to_string(), skip.reason))
            .collect()),
        Err(refusal) => Err(refusal
            .reasons
            .iter()
            .map(|reason| reason.subject.clone())
            .collect()),
    }
}

#[test]
fn the_refusal_of_a_location_in_which_nobody_may_look_names_the_remedy() {
    let targets = json!({"resource_group": "W", "regions": [US, EU], "accounts": [CENTRAL, OTHER]});
    let refusal = planned_of(&partly_denied(), targets, json!({})).unwrap_err();
    let details: Vec<&str> = refusal.reasons.iter().map(|reason| &*reason.detail).collect();
    assert!(
        details[0].starts_with("denied: ")
            && details[0].ends_with(
                "; if it is closed for good, as by a service control policy, policy.denied = \"exclude\" takes it out \
                 of scope, and targets.exclude_regions its whole Region"
            ),
        "{details:?}"
    );
    assert!(
        !details[1].contains("policy.denied"),
        "a role that is missing is no denial"
    );
}

#[test]
fn a_denial_follows_its_own_policy_and_without_one_that_of_unknown_answers() {
    let (denied, unassumable) = ("111111111111/eu-west-1", "222222222222/us-east-1");
    let refused = |subjects: &[&str]| Err(subjects.iter().map(ToString::to_string).collect());
    assert_eq!(skips(json!({})), refused(&[denied, unassumable]));
    assert_eq!(skips(json!({"denied": "exclude"})), refused(&[unassumable]));
    assert_eq!(
        skips(json!({"unknown": "skip", "denied": "refuse"})),
        refused(&[denied])
    );
    let skipped = |reason| {
        Ok(vec![
            (denied.to_owned(), reason),
            (unassumable.to_owned(), SkipReason::Unknown),
            ("222222222222/eu-west-1".to_owned(), SkipReason::Empty),
        ])
    };
    let sorted = |policy| {
        skips(policy).map(|mut skips| {
            skips.sort_by_key(|(at, _)| {
                [denied, unassumable]
                    .iter()
                    .position(|one| one == at)
                    .unwrap_or(9)
            });
            skips
        })
    };
    assert_eq!(sorted(json!({"unknown": "skip"})), skipped(SkipReason::Unknown));
    assert_eq!(
        sorted(json!({"unknown": "skip", "denied": "exclude"})),
        skipped(SkipReason::Denied)
    );
}

#[test]
fn an_account_whose_regions_may_not_be_listed_is_not_excluded_by_that() {
    // Whether its locations deny anything is not known: nobody asked there.
    let mut world = partly_denied();
    world.regions_fail.insert(account(OTHER), PortErrorKind::Denied);
    let targets = json!({"resource_group": "W", "regions": "all-enabled", "accounts": [CENTRAL, OTHER]});
    let refusal = planned_of(&world, targets, json!({"denied": "exclude"})).unwrap_err();
    let subjects: Vec<&str> = refusal
        .reasons
        .iter()
        .map(|reason| reason.subject.as_str())
        .collect();
    assert_eq!(subjects, ["222222222222/eu-west-1", "222222222222/us-east-1"]);
}

#[test]
fn the_callers_expired_credentials_are_no_denial_of_a_location() {
    let mut world = partly_denied();
    world.place(CENTRAL, EU).members_fail = Some((0, PortErrorKind::Credentials));
    world.place(OTHER, US).members_fail = None;
    let targets = json!({"resource_group": "W", "regions": [US, EU]});
    let refusal = planned_of(&world, targets, json!({"denied": "exclude"})).unwrap_err();
    assert_eq!(refusal.reasons[0].code, RefusalCode::CensusUnknown);
    assert!(
        refusal.reasons[0].detail.starts_with("credentials: "),
        "{refusal}"
    );
}

#[test]
fn what_is_excluded_for_a_denial_is_shown_with_its_reason() {
    let targets = json!({"resource_group": "W", "regions": [US, EU]});
    let plan = planned_of(&partly_denied(), targets, json!({"denied": "exclude"})).unwrap();
    let json: Value = serde_json::from_str(&plan.to_json()).unwrap();
    assert_eq!(json["skipped"][0]["reason"], "denied");
    assert_eq!(json["skipped"][0]["cause"], "denied");
    assert!(
        plan.warnings[0].starts_with("access is denied in 1 location, out of scope by policy.denied"),
        "{:?}",
        plan.warnings
    );
    let text = plan.to_text();
    assert!(text.contains("denied  111111111111  eu-west-1"), "{text}");
    // A world where everything is denied is not patched, and does not succeed either.
    let mut all = partly_denied();
    all.place(CENTRAL, US).members_fail = Some((0, PortErrorKind::Denied));
    all.place(CENTRAL, US).managed = [(ec2(1), PingStatus::Online)].into();
    let targets = json!({"resource_group": "W", "regions": [US, EU]});
    let refusal = planned_of(&all, targets, json!({"denied": "exclude"})).unwrap_err();
    assert_eq!(refusal.reasons[0].code, RefusalCode::NothingSelected);
}

#[test]
fn a_refusal_says_which_units_below_a_named_one_were_left_out() {
    let mut world = world();
    let mixed = "ou-ab12-mixed000";
    let lower = "ou-ab12-lower000";
    world.units.insert(
        OrgParent::Ou(mixed.parse().unwrap()),
        (vec![account(CENTRAL)], vec![lower.parse().unwrap()]),
    );
    let refusal = refused(
        &world,
        json!({"tags": {"Env": ["prod"]}, "regions": [US], "accounts": [mixed]}),
    );
    assert!(
        refusal.contains(
            "ou-ab12-mixed000: 1 unit below it is left out with all its accounts; targets.include_child_ous = true \
             would include them"
        ),
        "{refusal}"
    );
}
