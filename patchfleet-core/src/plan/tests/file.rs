//! The plan as a file, and how two plans differ.

use super::helpers::{OTHER, REGIONS, asked, attended, place, planned, planned_with, world};
use crate::census::Depth;
use crate::id::{NodeSet, NodesDigest};
use crate::plan::{Options, Plan, PlanFileError};
use crate::port::PingStatus;
use crate::tests::world::{CENTRAL, Place, ec2, hybrid, request};
use serde_json::{Value, json};

#[test]
fn a_plan_binds_its_nodes_and_one_that_counted_none_says_that_it_does_not() {
    let plan = planned(&world(), &asked(json!({"unknown": "skip"}))).unwrap();
    let members = world().place(CENTRAL, "us-east-1").members.clone();
    assert_eq!(
        plan.locations[1].nodes_digest,
        Some(NodesDigest::of(&members)),
        "managed or not"
    );
    assert_eq!(plan.locations[1].node_ids, Some(NodeSet::of(&members)));
    let json: Value = serde_json::from_str(&plan.to_json()).unwrap();
    assert_eq!(
        json["locations"][1]["node_ids"].as_array().map(Vec::len),
        Some(members.len())
    );
    assert_eq!(
        json["locations"][1]["nodes_digest"].as_str().map(str::len),
        Some(64)
    );
    let binds_none = |plan: &Plan| {
        let mut warnings = plan.warnings.iter();
        warnings.any(|warning| warning.contains("binds no nodes"))
    };
    assert!(!binds_none(&plan));
    let options = Options {
        depth: Depth::Presence,
        ..attended()
    };
    let presence = planned_with(&world(), &asked(json!({"unknown": "skip"})), options).unwrap();
    assert!(binds_none(&presence), "{:?}", presence.warnings);
    assert!(
        presence
            .locations
            .iter()
            .all(|planned| planned.nodes_digest.is_none() && planned.node_ids.is_none())
    );
}

#[test]
fn a_saved_plan_reads_back_and_others_say_what_is_wrong() {
    let plan = planned(&world(), &asked(json!({"unknown": "skip"}))).unwrap();
    assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
    // What binds the plan to the runbook and to its commands' lives may be nothing, but must be said.
    for key in ["runbook", "lifetime"] {
        let mut value: serde_json::Value = serde_json::from_str(&plan.to_json()).unwrap();
        value.as_object_mut().unwrap().remove(key).unwrap();
        let error = Plan::from_json(&value.to_string()).unwrap_err();
        assert!(matches!(error, PlanFileError::Damaged(_)), "{key}: {error}");
    }
    let text = plan.to_json();
    let twice = text.replacen("  \"candidates\"", "  \"candidates\": 1,\n  \"candidates\"", 1);
    let error = Plan::from_json(&twice).unwrap_err();
    let words = crate::problem::chain(&error);
    assert!(
        words.contains("changed by hand") && words.contains("duplicate key \"candidates\" at line"),
        "{words}"
    );
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        change(&mut value);
        let error = Plan::from_json(&value.to_string()).unwrap_err();
        crate::problem::chain(&error)
    };
    for (change, words) in [
        (
            (|plan| plan["surprise"] = json!(true)) as fn(&mut Value),
            "no plan has the key surprise",
        ),
        (
            |plan| plan["locations"][1]["nodes"]["spare"] = json!(1),
            "no plan has the key locations[1].nodes.spare",
        ),
        (
            |plan| plan["request"]["patch"]["operation_"] = json!("Install"),
            "patch.operation_",
        ),
        (
            |plan| plan["request"]["patch"]["operation"] = json!("Scan"),
            "it is not what was saved",
        ),
        (
            |plan| plan["request"]["policy"]["unknown"] = json!("keep"),
            "it is not what was saved",
        ),
        (
            |plan| {
                let policy = plan["request"]["policy"].as_object_mut();
                policy.unwrap().remove("unknown");
            },
            "it is not what was saved",
        ),
        (
            |plan| {
                plan.as_object_mut().unwrap().remove("digest");
            },
            "has no digest, so whether it was changed by hand cannot be told",
        ),
    ] {
        let said = changed(&change);
        assert!(said.contains(words), "{words}: {said}");
    }
    // Another order and other space say the same.
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(Plan::from_json(&value.to_string()).unwrap(), plan);
    assert!(matches!(Plan::from_json("{"), Err(PlanFileError::Syntax(_))));
    for request in ["", "name = \"weekly\"\n", "name: weekly\n"] {
        let error = Plan::from_json(request).unwrap_err();
        assert_eq!(
            crate::problem::chain(&error),
            "this is not a saved plan: a plan that `plan --out` saved is JSON, and this is not"
        );
    }
    assert!(matches!(Plan::from_json("[]"), Err(PlanFileError::NotAPlan)));
    assert!(matches!(
        Plan::from_json("{\"format\":3}"),
        Err(PlanFileError::Damaged(_))
    ));
    let mut newer: Value = serde_json::from_str(&plan.to_json()).unwrap();
    newer["format"] = json!(4);
    newer["surprise"] = json!(true);
    let error = Plan::from_json(&newer.to_string()).unwrap_err();
    assert!(matches!(error, PlanFileError::Newer { format: 4 }), "{error}");
    let mut older: Value = serde_json::from_str(&plan.to_json()).unwrap();
    older["format"] = json!(2);
    let error = Plan::from_json(&older.to_string()).unwrap_err();
    assert!(matches!(error, PlanFileError::Older { format: 2 }), "{error}");
    assert_eq!(
        error.to_string(),
        "the plan has format 2, and this version reads format 3: it was written by an older version. Plan again"
    );
}

#[test]
fn units_stand_beside_the_requests_of_a_plan_and_must_agree_with_them() {
    let mut world = world();
    world.place(CENTRAL, "us-west-2").managed =
        [ec2(100), ec2(101)].map(|id| (id, PingStatus::Online)).into();
    let targets = json!({"node_ids": [ec2(100), ec2(101)], "regions": REGIONS, "accounts": [CENTRAL]});
    let plan = planned(&world, &request(targets)).unwrap();
    assert_eq!(plan.units[0].nodes, Some(vec![ec2(100), ec2(101)]));
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(
        json["units"],
        json!([{
            "unit": 1,
            "locations": 1,
            "locations_at_once": 1,
            "location_errors": 0,
            "node_rates": {"max_concurrency": "10%", "max_errors": "10%"},
            "nodes": [ec2(100), ec2(101)],
        }])
    );
    let target = &json["requests"][0]["TargetLocations"][0];
    assert_eq!(target["TargetLocationMaxConcurrency"], "1");
    assert_eq!(target["TargetLocationMaxErrors"], "0");
    assert_eq!(serde_json::from_value::<Plan>(json.clone()).unwrap(), plan);
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut json = json.clone();
        change(&mut json);
        serde_json::from_value::<Plan>(json).unwrap_err().to_string()
    };
    let share = |json: &mut Value| {
        json["requests"][0]["TargetLocations"][0]["TargetLocationMaxConcurrency"] = json!("2");
    };
    assert_eq!(broken(&share), "units and requests do not agree on unit 1");
    let percentage = |json: &mut Value| {
        json["requests"][0]["TargetLocations"][0]["TargetLocationMaxConcurrency"] = json!("10%");
    };
    assert_eq!(broken(&percentage), "\"10%\" is not a count");
    assert_eq!(
        broken(&|json| json["requests"] = json!([])),
        "units and requests are not as many: 1 and 0"
    );
    assert_eq!(
        broken(&|json| json["units"][0]["unit"] = json!(2)),
        "unit 2 stands where unit 1 should"
    );
}

#[test]
fn every_difference_is_shown_and_none_where_there_is_none() {
    let (mut changed, asked) = (world(), asked(json!({"unknown": "skip"})));
    let plan = planned(&changed, &asked).unwrap();
    assert_eq!(
        plan.differences(&planned(&world(), &asked).unwrap()),
        Vec::<String>::new()
    );
    *changed.place(CENTRAL, "us-east-1") = place(21, 0, 2);
    *changed.place(CENTRAL, "eu-west-1") = Place::default();
    *changed.place(OTHER, "us-west-2") = place(1, 0, 0);
    let newer = planned(&changed, &asked).unwrap();
    assert_eq!(
        plan.differences(&newer),
        [
            "111111111111/eu-west-1: was planned (2 EC2 and 1 hybrid, 3 online, 0 offline, 0 unmanaged), is skipped (empty)",
            "111111111111/us-east-1: was planned (16 EC2 and 7 hybrid, 20 online, 1 offline, 2 unmanaged), is planned (16 EC2 and 7 hybrid, 21 online, 0 offline, 2 unmanaged)",
            "222222222222/us-west-2: was skipped (unknown: denied), is planned (1 EC2 and 0 hybrid, 1 online, 0 offline, 0 unmanaged)",
        ]
    );
    // One leaves and another one comes: as many as before.
    let (mut swapped, nodes) = (world(), plan.locations[1].nodes);
    let members = &mut swapped.place(CENTRAL, "us-east-1").members;
    let last = members.pop().unwrap();
    let new = if last.as_str().starts_with("mi-") {
        hybrid(9_999)
    } else {
        ec2(9_999)
    };
    members.push(new.clone());
    let swapped = planned(&swapped, &asked).unwrap();
    assert_eq!(swapped.locations[1].nodes, nodes);
    let lines = plan.differences(&swapped);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0]
            .starts_with("111111111111/us-east-1: as many nodes as before, and not the same ones (digest "),
        "{lines:?}"
    );
    assert!(
        lines[0].ends_with(&format!("; left: {last}; came: {new}")),
        "{lines:?}"
    );
    let mut tampered = plan.clone();
    tampered.units.clear();
    assert_eq!(plan.differences(&tampered).len(), 1);
    assert!(!newer.differences(&plan).is_empty());
}
