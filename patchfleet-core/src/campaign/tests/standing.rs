//! What is said of the wave that is under way, and of how much each bound has left.

use super::admission::after;
use super::waves::{named, put_in_waves};
use super::world::*;
use crate::campaign::{CampaignSummary, Chain, Event, LogKey, Record, State};
use crate::id::WriterId;
use crate::plan::{Unit, resolve_fleet};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// One location with two nodes, and then one with one, with this between the two.
fn world(of_wave: Value) -> World {
    let well = |n: u32| Script::Nodes((1..=n).map(Node::well).collect());
    let mut world = World::new(&[&[("us-east-1", well(2))], &[("us-east-1", well(1))]], 2, 1);
    world.one_place_each();
    put_in_waves(&mut world, &[1, 2]);
    let mut wave = json!({"name": "canary", "locations": "50%"});
    let of_wave = of_wave.as_object().unwrap().clone();
    wave.as_object_mut().unwrap().extend(of_wave);
    world.plan.request.waves = named(json!([wave]));
    world.plan.check().unwrap();
    world
}

fn intended(unit: &Unit, attempt: u32) -> Event {
    Event::StartIntended {
        unit: unit.id,
        attempt,
        request: unit.start.clone(),
    }
}

/// Each record with which a wave begins, as the log of a whole campaign tells it.
fn begun(records: &[Record]) -> Vec<(u64, String)> {
    let mut begun = vec![];
    State::step_by_step(records, |record, state| {
        begun.extend(
            state
                .wave_begun_by(record)
                .map(|wave| (record.seq, wave.to_string())),
        );
    })
    .unwrap();
    begun
}

#[test]
fn each_wave_begins_once_with_its_first_start() {
    let world = world(json!({}));
    world.run();
    let begun = begun(&world.records());
    let words: Vec<&str> = begun.iter().map(|(_, words)| words.as_str()).collect();
    assert_eq!(
        words,
        [
            "wave 1 of 2 (canary) begins: 1 location, 2 nodes",
            "wave 2 of 2 (rest) begins: 1 location, 1 node"
        ]
    );
}

#[test]
fn a_wave_does_not_begin_again_with_its_second_start_or_with_a_second_attempt() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let mut world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 2, 1);
    world.one_place_each();
    put_in_waves(&mut world, &[1, 1]);
    world.plan.request.waves = named(json!([{"name": "canary", "locations": "100%"}]));
    let [one, two] = [&world.plan.units[0], &world.plan.units[1]];
    let said = |events: Vec<Event>| {
        let last = events.last().cloned().into_iter().collect();
        let chain = Chain::of(&LogKey::Campaign(world.campaign()));
        let record = chain.record(Timestamp::MIN, WriterId::from_uuid(uuid::Uuid::nil()), last);
        after(&world, events).wave_begun_by(&record).is_some()
    };
    assert!(said(vec![intended(one, 1)]));
    assert!(!said(vec![intended(one, 1), intended(two, 1)]));
    assert!(!said(vec![intended(one, 2)]));
}

/// When the first wave was over, and the state then.
fn soaking() -> (State, Timestamp) {
    let world = world(json!({"soak": "10m"}));
    world.run();
    let records = world.records();
    let mut over = None;
    for n in 1..=records.len() {
        let state = State::from_records(&records[..n]).unwrap();
        if state.wave_ended(1).is_some() && over.is_none() {
            over = Some((state, records[n - 1].at));
        }
    }
    over.unwrap()
}

#[test]
fn a_soak_is_said_to_be_one_after_the_wave_that_is_over_until_it_is_past() {
    let (state, ended) = soaking();
    let until = ended + MINUTE * 10;
    let at = |now| state.wave_standing(now).unwrap();
    let soaks = at(ended);
    assert_eq!(soaks.in_short(), "soak after wave 1 (canary)");
    assert_eq!(
        soaks.to_string(),
        format!("soak after wave 1 (canary) until {until:.0}, then wave 2 of 2 (rest)")
    );
    assert_eq!(at(until).in_short(), "wave 2 of 2 (rest)");
    let summary = CampaignSummary::of(&state, ended + MINUTE);
    let json = json!(summary.wave);
    let soak = json!({"after": 1, "name": "canary", "until": until});
    assert_eq!(
        (&json["number"], &json["of"], &json["soak"]),
        (&json!(2), &json!(2), &soak)
    );
}

#[test]
fn the_wave_is_named_while_it_is_under_way_and_none_once_all_are_over() {
    let world = world(json!({}));
    let first = &world.plan.units[0];
    let state = after(&world, vec![intended(first, 1)]);
    assert_eq!(
        CampaignSummary::of(&state, state.last_at())
            .wave
            .unwrap()
            .to_string(),
        "wave 1 of 2 (canary)"
    );
    let state = world.run();
    assert_eq!(CampaignSummary::of(&state, state.last_at()).wave, None);
}

#[test]
fn a_request_without_waves_has_none_and_says_how_many_locations_may_fail_still() {
    let mut world = world(json!({}));
    put_in_waves(&mut world, &[1, 1]);
    world.plan.request.waves.clear();
    let state = after(&world, vec![]);
    let summary = CampaignSummary::of(&state, state.last_at());
    assert_eq!(summary.wave, None);
    assert_eq!(summary.failed_locations.to_string(), "0 of 1 (1 left)");
}

#[test]
fn each_bound_on_the_fleet_says_what_is_used_and_left() {
    let bounds = super::fleet::Bounds {
        in_flight: Some(6),
        damaged: Some(4),
        ..Default::default()
    };
    let nodes = vec![vec![super::fleet::Fate::Well; 4]; 2];
    let (world, _) = super::fleet::world(&nodes, 2, bounds);
    let unit = &world.plan.units[0];
    let named = unit.nodes.as_ref().unwrap().len();
    let state = after(&world, vec![intended(unit, 1)]);
    let fleet = state.fleet(state.last_at()).unwrap();
    assert_eq!(
        fleet.in_short(),
        format!(
            "in flight {named} of 6 ({} left), damaged 0 of 4 (4 left)",
            6 - named
        )
    );
    let json = json!(fleet);
    assert_eq!(
        json["left"],
        json!({"in_flight": 6 - named, "damaged": 4, "unreached": null})
    );
}

#[test]
fn a_bound_that_aws_keeps_says_how_it_is_kept_and_how_many_places_for_locations_are_left() {
    let mut world = world(json!({}));
    put_in_waves(&mut world, &[1, 1]);
    let plan = &mut world.plan;
    plan.request.waves.clear();
    plan.request.budget.nodes.max_concurrency = "1".parse().unwrap();
    plan.request.budget.fleet = Some(
        super::fleet::Bounds {
            in_flight: Some(2),
            ..Default::default()
        }
        .budget(),
    );
    plan.fleet = resolve_fleet(&plan.request, None, &plan.locations, Some(2)).unwrap();
    world.agree();
    let unit = &world.plan.units[0];
    let standing = |events| {
        let state = after(&world, events);
        state.fleet(state.last_at()).unwrap()
    };
    assert_eq!(
        standing(vec![]).to_string(),
        "of the fleet's nodes in flight at most 2 (AWS keeps 1 at once in a location), locations at once 0 of 2 (2 left)"
    );
    let fleet = standing(vec![intended(unit, 1)]);
    assert_eq!(
        fleet.in_short(),
        "in flight at most 2 (AWS keeps 1 at once in a location), locations at once 1 of 2 (1 left)"
    );
    let json = json!(fleet);
    assert_eq!(
        json["at_aws"],
        json!({
            "max_in_flight": 2, "nodes_at_once": 1, "running_at_expiry": 0,
            "locations_at_once": {"used": 1, "of": 2, "left": 1},
        })
    );
    assert_eq!(
        (&json["max_in_flight"], &json["left"]["in_flight"]),
        (&Value::Null, &Value::Null)
    );
    let state = world.run();
    let over = state.fleet(state.last_at()).unwrap().in_short();
    assert!(over.ends_with("locations at once 0 of 2 (2 left)"), "{over}");
}
