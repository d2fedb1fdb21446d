//! The forecast of a plan beside the campaign itself, over the small AWS.

use super::waves::{named, put_in_waves};
use super::world::*;
use crate::budget::Seconds;
use crate::campaign::State;
use crate::port::Clock as _;
use crate::request::Operation;
use jiff::SignedDuration;
use serde_json::json;

/// How long the campaign takes, and how long its plan says that it does. In the small AWS a location takes a minute,
/// whatever it holds: as long as one node.
fn beside(world: &mut World) -> (SignedDuration, SignedDuration) {
    world.plan.request.forecast.minutes_per_node = Some(1);
    let begins = world.clock.now();
    let forecast = world
        .plan
        .forecast_with(begins, None, Seconds::new(20))
        .expected_seconds
        .unwrap();
    world.run();
    let took = world.clock.now().duration_since(begins);
    (took, SignedDuration::from_secs(i64::try_from(forecast).unwrap()))
}

fn worlds() -> Vec<(&'static str, World)> {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let one = [("us-east-1", well())];
    let three = [
        ("us-east-1", well()),
        ("us-west-2", well()),
        ("eu-west-1", well()),
    ];
    let many = |n: usize, at_once: u32| {
        let units: Vec<&[(&str, Script)]> = (0..n).map(|_| &one[..]).collect();
        let mut world = World::new(&units, at_once, 0);
        world.one_place_each();
        world
    };
    let mut waves = many(6, 2);
    put_in_waves(&mut waves, &[1, 1, 2, 2, 3, 3]);
    waves.plan.request.waves = named(json!([
        {"name": "first", "locations": 2, "soak": "20m"}, {"name": "second", "locations": 2, "soak": "5m"},
    ]));
    let mut frozen = super::freezes::world(
        4,
        json!([super::freezes::on_the_second("00:00", "06:00", "expire")]),
    );
    frozen.one_place_each();
    vec![
        ("one", World::new(&[&one], 1, 0)),
        ("a rectangle", World::new(&[&three], 1, 0)),
        ("a rectangle, three at once", World::new(&[&three], 3, 0)),
        ("ten, one after another", many(10, 1)),
        ("ten, four at once", many(10, 4)),
        ("forty, ten at once", many(40, 10)),
        ("waves with soaks", waves),
        ("a freeze", frozen),
    ]
}

#[test]
fn the_forecast_comes_near_to_what_the_campaign_takes() {
    for (what, mut world) in worlds() {
        let (took, forecast) = beside(&mut world);
        // The campaign looks at an execution twice a minute at most. The small AWS begins all locations of a start at once.
        let least = forecast / 3;
        let most = forecast * 3 / 2 + SignedDuration::from_mins(1);
        assert!(
            least <= took && took <= most,
            "{what}: {took:#}, forecast {forecast:#}"
        );
    }
}

#[test]
fn what_a_campaign_took_tells_how_long_a_node_takes() {
    for (what, world) in worlds() {
        let state = world.run();
        let pace = state.pace_around(&world.plan.request, Seconds::new(20)).unwrap();
        // It is looked at twice a minute at most, so that a minute may look like one and a half.
        assert!((1..=2).contains(&pace.minutes_per_node), "{what}: {pace:?}");
        assert_eq!(pace.campaign, state.campaign(), "{what}");
        let mut other = world.plan.request.clone();
        other.patch.operation = match other.patch.operation {
            Operation::Install => Operation::Scan,
            Operation::Scan => Operation::Install,
        };
        assert_eq!(state.pace_for(&other), None, "{what}: another operation");
    }
}

#[test]
fn a_campaign_that_is_open_or_did_not_reach_its_nodes_tells_nothing() {
    let silent = Node {
        status: "Undeliverable",
        patches: None,
        ..Node::well(2)
    };
    let with = |second: Node| {
        let nodes = Script::Nodes(vec![Node::well(1), second]);
        World::new(&[&[("us-east-1", nodes)]], 1, 5)
    };
    let pace_of = |world: &World, state: &State| state.pace_for(&world.plan.request);
    let world = with(silent);
    assert_eq!(pace_of(&world, &world.run()), None);

    let world = with(Node::well(2));
    let driver = world.driver(1);
    let open = finish(driver.begin(world.campaign(), &world.plan)).unwrap();
    assert_eq!(pace_of(&world, &open), None);
    assert!(pace_of(&world, &world.run()).is_some());
}
