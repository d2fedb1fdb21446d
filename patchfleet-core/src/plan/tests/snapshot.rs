//! What a plan says of nodes that are begun when the snapshot of the first ones has ended.

use super::helpers::{OTHER, place, planned_with};
use crate::plan::{Options, Plan};
use crate::tests::world::{CENTRAL, World, request_with};
use serde_json::{Value, json};

const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "us-west-2"];

fn plan(tables: Value) -> Plan {
    let mut world = World::default();
    for id in [CENTRAL, OTHER] {
        world.add(id, &REGIONS);
        for name in REGIONS {
            *world.place(id, name) = place(2, 0, 0);
        }
    }
    let mut all = json!({
        "patch": {"operation": "Install"},
        "budget": {"nodes": {"max_concurrency": 1, "max_errors": 1}, "locations": {"max_concurrency": 1, "max_errors": 1}},
    });
    all.as_object_mut()
        .unwrap()
        .extend(tables.as_object().unwrap().clone());
    let targets = json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]});
    let options = Options {
        now: Some("2026-03-01T22:00:00Z".parse().unwrap()),
        ..super::helpers::attended()
    };
    planned_with(&world, &request_with(targets, all), options).unwrap()
}

fn waves(first: &str, second: &str) -> Value {
    json!([
        {"name": "canary", "regions": ["eu-west-1"], "soak": first},
        {"name": "some", "regions": ["us-east-1"], "soak": second},
    ])
}

fn warned(plan: &Plan) -> Vec<&String> {
    let warnings = plan.warnings.iter();
    warnings
        .filter(|warning| warning.contains("snapshot of a patch baseline"))
        .collect()
}

#[test]
fn a_wave_after_soaks_of_more_than_three_days_is_warned_of() {
    let said = plan(json!({"waves": waves("48h", "24h 1s")}));
    let [warning] = warned(&said)[..] else {
        panic!("{:?}", said.warnings)
    };
    assert_eq!(
        warning,
        "wave 3 (rest), or a part of it, begins more than 3 days after the first start, by the soaks alone. AWS keeps the snapshot \
         of a patch baseline for 3 days at most, so nodes that are begun later may get other patches than those before them; with \
         patch.install_override_list all get the patches that the list names, and `patchfleet override-list` prints such a \
         list of what nodes have installed"
    );
    let early = plan(json!({"waves": waves("80h", "1h")}));
    assert!(warned(&early)[0].starts_with("wave 2 (some), or a part of it,"));
    assert_eq!(
        warned(&plan(json!({"waves": waves("30h", "30h")}))),
        Vec::<&String>::new()
    );
}

#[test]
fn what_the_forecast_expects_to_begin_that_late_is_warned_of() {
    // Six locations, one after another, of two nodes that take ten hours each.
    let patch = json!({"operation": "Install", "delivery_timeout": "24h"});
    let slow = plan(json!({"forecast": {"minutes_per_node": 600}, "patch": patch}));
    let [warning] = warned(&slow)[..] else {
        panic!("{:?}", slow.warnings)
    };
    assert!(
        warning.starts_with("a part of the campaign begins more than 3 days after the first start, as the forecast expects it."),
        "{warning}"
    );
    assert_eq!(warned(&plan(json!({}))), Vec::<&String>::new());
}

#[test]
fn a_list_of_patches_needs_no_snapshot() {
    let list = json!({"operation": "Install", "install_override_list": "s3://lists/a.yaml"});
    let said = plan(json!({"waves": waves("48h", "48h"), "patch": list}));
    assert_eq!(warned(&said), Vec::<&String>::new());
    let scan = plan(json!({"waves": waves("48h", "48h"), "patch": {"operation": "Scan"}}));
    assert!(!warned(&scan)[0].contains("install_override_list"));
}
