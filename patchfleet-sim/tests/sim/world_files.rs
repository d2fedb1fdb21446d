//! World files: what is wrong is said where, and the same file is the same world.

use crate::fleet::{Fleet, world};
use patchfleet_sim::{
    spec::{WorldError, WorldSpec},
    world::World,
};

fn message(toml: &str) -> String {
    match WorldSpec::parse(toml).and_then(|spec| World::new(&spec).map(drop)) {
        Ok(()) => panic!("this world is sound"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_what_would_be_right() {
    let message = message("management_account = \"111111111111\"\naccuonts = []\n");
    assert!(message.contains("line 2, column 1"), "{message}");
    assert!(
        message.contains("unknown field `accuonts`") && message.contains("`accounts`"),
        "{message}"
    );
}

#[test]
fn a_wrong_id_is_named_with_its_line() {
    let message = message("management_account = \"1111\"\naccounts = []\n");
    assert!(
        message.contains("line 1") && message.contains("is not an account id"),
        "{message}"
    );
}

#[test]
fn everything_that_contradicts_itself_is_listed_at_once() {
    let message = message(
        r#"
        management_account = "111111111111"
        units = [{ id = "ou-ab12-aaaaaaaa", name = "A", parent = "ou-ab12-bbbbbbbb" }, { id = "ou-ab12-bbbbbbbb", name = "B", parent = "ou-ab12-aaaaaaaa" }]
        accounts = [{ id = "222222222222", name = "Web", parent = "ou-ab12-cccccccc" }]
        documents = [{ name = "Empty" }]
        groups = [
            { name = "Web", accounts = ["333333333333"], regions = ["us-east-1"] },
            { name = "Web", accounts = ["222222222222"], regions = ["eu-south-1"], patch = { failing_share = 2.0 } },
        ]
        nodes = [{ id = "i-0123456789abcdef0", account = "222222222222", region = "us-east-1", groups = ["Nowhere"] }]
        "#,
    );
    for part in [
        "management_account 111111111111 is not one of accounts",
        "the parent ou-ab12-cccccccc of 222222222222",
        "is above itself",
        "document Empty: either content or builtin",
        "account 333333333333 is not one of accounts",
        "eu-south-1 is not enabled in account 222222222222",
        "failing_share is not between 0 and 1",
        "there is no group Nowhere",
    ] {
        assert!(message.contains(part), "{part}\nin {message}");
    }
}

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
fn an_idle_hour_costs_no_event() {
    let mut fleet = Fleet::with_nodes("{ count = 3 }");
    assert_eq!(fleet.world.next_event_at(), None);
    fleet.install(&[]);
    assert_eq!(fleet.world.next_event_at(), None);
}

#[test]
fn what_is_not_toml_at_all_is_a_syntax_error() {
    assert!(matches!(WorldSpec::parse("{"), Err(WorldError::Syntax(_))));
}

#[test]
fn numbers_beyond_reason_are_named_and_not_tried() {
    let message = message(
        &world("{ count = 4000000000 }")
            .replace(
                "patch = {",
                "patch = { missing = 4294967295, installed = 4294967295,",
            )
            .replace("[[groups]]", "organization = { id = \"acme\" }\n[[groups]]"),
    );
    for part in [
        "count is more than 100000",
        "patch.missing is more than 100000",
        "patch.installed is more than 100000",
        "organization.id acme",
    ] {
        assert!(message.contains(part), "{part}\nin {message}");
    }
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
