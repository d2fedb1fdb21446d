//! Thousands of node ids: where each lives is not asked more often than need be.

use super::{calls, open, wait};
use patchfleet_core::request::PatchRequest;
use patchfleet_tests::plan;
use serde_json::{Value, json};

#[test]
fn five_thousand_ids_in_sixteen_locations_are_found_by_reading_each_location_once() {
    let world = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [
            { id = "111111111111", name = "Main" }, { id = "222222222222", name = "Two" },
            { id = "333333333333", name = "Three" }, { id = "444444444444", name = "Four" },
        ]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111", "222222222222", "333333333333", "444444444444"]
        regions = ["us-east-1", "eu-west-1", "us-west-2", "ap-south-1"]
        nodes = [{ count = 320 }]
        "#;
    let regions = ["us-east-1", "eu-west-1", "us-west-2", "ap-south-1"];
    let accounts = ["111111111111", "222222222222", "333333333333", "444444444444"];
    let asked = |selector: &str, value: Value| {
        let mut targets = json!({"accounts": accounts, "regions": regions});
        targets
            .as_object_mut()
            .unwrap()
            .insert(selector.to_owned(), value);
        PatchRequest::from_value(json!({"name": "many", "targets": targets})).unwrap()
    };
    let (clock, ports) = open(world, &asked("all_managed", json!(true)));
    let state = clock.with_world(|world| world.state());
    let nodes = state.get("nodes").and_then(Value::as_array).unwrap();
    let ids: Vec<&Value> = nodes.iter().filter_map(|node| node.get("id")).collect();
    assert_eq!(ids.len(), 5_120);
    let plan = wait(plan(&ports, &asked("node_ids", json!(ids)))).unwrap();
    assert_eq!((plan.locations.len(), plan.units.len()), (16, 256));
    let listed = calls(&clock)
        .iter()
        .filter(|(operation, _)| operation == "DescribeInstanceInformation")
        .count();
    // 320 nodes are seven pages of fifty. Asking for each id everywhere takes 103 calls a location.
    assert_eq!(listed, 16 * 7);
}
