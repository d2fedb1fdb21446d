//! World files: what is wrong is said where, and the same file is the same world.

use crate::fleet::{Fleet, world};

#[test]
fn the_same_world_seed_and_calls_give_the_same_bytes_and_another_seed_others() {
    let run = |toml: &str| {
        let mut fleet = Fleet::of(toml);
        fleet.install(&[]);
        fleet.world.state().to_string()
    };
    let toml = world("{ count = 9, patch = { failing_share = 0.4 } }");
    assert_eq!(run(&toml), run(&toml));
    assert_ne!(run(&toml), run(&format!("seed = 99\n{toml}")));
}

#[test]
fn calls_to_different_locations_may_come_in_any_order() {
    let run = |regions: [&str; 2]| {
        let mut fleet = Fleet::with_nodes("{ count = 3 }");
        for region in regions {
            fleet.caller.region = region.parse().unwrap();
            fleet.start(&["222222222222"], &["us-east-1"], |_| ());
        }
        fleet.world.run_until_idle();
        fleet.world.state()["executions"].clone()
    };
    let ids = |state: serde_json::Value| {
        let list = state.as_array().unwrap().iter();
        list.filter(|one| one["parent"].is_null())
            .map(|one| one["execution_id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(run(["us-east-1", "eu-west-1"])),
        ids(run(["eu-west-1", "us-east-1"]))
    );
}

#[test]
fn one_node_more_changes_nothing_about_the_others() {
    let nodes = |toml: &str| {
        let state = Fleet::of(toml).world.state();
        state["nodes"].as_array().unwrap().clone()
    };
    let (few, many) = (nodes(&world("{ count = 5 }")), nodes(&world("{ count = 6 }")));
    assert_eq!(many.len(), 6);
    assert!(few.iter().all(|node| many.contains(node)));
}

#[test]
fn a_failing_share_is_about_that_share() {
    let mut fleet = Fleet::with_nodes("{ count = 200, patch = { failing_share = 0.25 } }");
    let failed = crate::fleet::details(fleet.install(&[]))
        .iter()
        .filter(|one| **one == "Failed")
        .count();
    assert!((30..70).contains(&failed), "{failed}");
}

#[test]
fn the_schema_that_is_published_is_that_of_the_types() {
    // Compared as values: the order of keys depends on how serde_json was built.
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let published = include_str!("../../worlds/world.schema.json");
    assert!(
        read(published) == read(&patchfleet_sim::spec::schema()),
        "write it anew: patchfleet-sim --schema > patchfleet-sim/worlds/world.schema.json"
    );
}
