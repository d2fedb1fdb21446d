//! Nodes that are registered and do not answer, and percentages that come to nothing.

use super::helpers::{attended, place, planned_with};
use crate::census::Depth;
use crate::id::NodeId;
use crate::plan::{Options, Plan};
use crate::port::PingStatus;
use crate::refusal::{RefusalCode, SkipReason};
use crate::request::{Operation, PatchRequest};
use crate::tests::world::{CENTRAL, Place, World, at, ec2, request_with};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "us-west-2"];

/// Of 30 nodes in us-east-1 three do not answer, the one of us-west-2 does not, and all of
/// eu-west-1 do.
fn world() -> World {
    let mut world = World::default();
    world.add(CENTRAL, &REGIONS);
    *world.place(CENTRAL, "us-east-1") = place(27, 3, 1);
    *world.place(CENTRAL, "us-west-2") = place(0, 1, 0);
    *world.place(CENTRAL, "eu-west-1") = place(4, 0, 0);
    world
}

fn asked(offline: &str, at_once: u32) -> PatchRequest {
    request_with(
        json!({"resource_group": "W", "regions": REGIONS}),
        json!({
            "policy": {"offline": offline},
            "budget": {"nodes": {"max_concurrency": at_once, "max_errors": 1}},
        }),
    )
}

fn named(plan: &Plan) -> Vec<Vec<NodeId>> {
    let targets = plan.units.iter().map(|unit| &unit.start).filter_map(|start| {
        let target: Value = serde_json::from_str(&start.parameters["Targets"][0]).unwrap();
        (target["Key"] == "InstanceIds").then(|| serde_json::from_value(target["Values"].clone()).unwrap())
    });
    targets.collect()
}

#[test]
fn where_offline_nodes_can_hold_every_place_a_person_is_warned_and_a_scheduler_is_refused() {
    let plan = planned_with(&world(), &asked("target", 3), attended()).unwrap();
    assert!(
        plan.warnings.iter().any(|words| {
            words.contains("can hold every place") && words.contains("us-east-1 (3 offline, 3 at once)")
        }),
        "{:?}",
        plan.warnings
    );
    let refusal = planned_with(&world(), &asked("target", 3), Options::default()).unwrap_err();
    assert_eq!(refusal.reasons.len(), 1);
    assert_eq!(refusal.reasons[0].code, RefusalCode::NodesOffline);
    let words = &refusal.reasons[0].detail;
    assert!(words.contains("us-east-1 (3 offline, 3 at once)"), "{words}");
    // In us-west-2 nobody waits for the one node that does not answer.
    assert!(!words.contains("us-west-2"), "{words}");
    for remedy in [
        "policy.offline = \"skip\"",
        "budget.nodes.max_concurrency",
        "with --yes",
        "without --yes",
    ] {
        assert!(words.contains(remedy), "no {remedy} in {words}");
    }
    // One place more, and the others have it.
    planned_with(&world(), &asked("target", 4), Options::default()).unwrap();
}

#[test]
fn an_install_that_nobody_sees_is_refused_where_nodes_are_not_counted() {
    let presence = |options| Options {
        depth: Depth::Presence,
        ..options
    };
    let asked = |offline: &str, operation: Operation| {
        let mut request = asked(offline, 30);
        request.patch.operation = operation;
        request
    };
    let refusal = planned_with(
        &world(),
        &asked("target", Operation::Install),
        presence(Options::default()),
    )
    .unwrap_err();
    assert_eq!(refusal.reasons.len(), 1, "{refusal}");
    assert_eq!(refusal.reasons[0].code, RefusalCode::NodesOffline);
    let words = &refusal.reasons[0].detail;
    assert!(words.contains("111111111111/us-east-1"), "{words}");
    for remedy in ["depth \"count\"", "\"skip\"", "with --yes", "without --yes"] {
        assert!(words.contains(remedy), "no {remedy} in {words}");
    }
    // A person sees the warning, a Scan reboots nothing, and the other policies count.
    planned_with(
        &world(),
        &asked("target", Operation::Install),
        presence(attended()),
    )
    .unwrap();
    planned_with(
        &world(),
        &asked("target", Operation::Scan),
        presence(Options::default()),
    )
    .unwrap();
    planned_with(
        &world(),
        &asked("skip", Operation::Install),
        presence(Options::default()),
    )
    .unwrap();
    planned_with(&world(), &asked("target", Operation::Install), Options::default()).unwrap();
}

#[test]
fn the_policy_may_be_to_refuse_whoever_is_there() {
    for options in [attended(), Options::default()] {
        let options = Options {
            // Who does not answer is found out all the same.
            depth: Depth::Presence,
            ..options
        };
        let refusal = planned_with(&world(), &asked("refuse", 30), options).unwrap_err();
        assert_eq!(refusal.reasons[0].code, RefusalCode::NodesOffline);
        assert!(
            refusal.reasons[0]
                .detail
                .contains("111111111111/us-east-1 (3), 111111111111/us-west-2 (1)"),
            "{refusal}"
        );
    }
}

#[test]
fn skipping_names_the_nodes_that_answer_and_accounts_for_the_others() {
    let plan = planned_with(&world(), &asked("skip", 3), Options::default()).unwrap();
    let online: BTreeSet<NodeId> = place(27, 3, 1)
        .managed
        .into_iter()
        .filter(|(_, ping)| *ping == PingStatus::Online)
        .map(|(node, _)| node)
        .collect();
    let units = named(&plan);
    assert_eq!(units.iter().map(Vec::len).collect::<Vec<_>>(), [20, 7]);
    assert_eq!(units.concat().into_iter().collect::<BTreeSet<_>>(), online);
    // Where every node answers, the group is the target.
    assert_eq!(plan.units.len(), 3);
    let left_out: Vec<usize> = plan.locations.iter().map(|at| at.left_out.len()).collect();
    assert_eq!(left_out, [0, 3]);
    let skip = &plan.skipped[0];
    assert_eq!(
        (skip.location(), skip.reason),
        (at(CENTRAL, "us-west-2"), SkipReason::Offline)
    );
    assert!(skip.detail.contains(&ec2(0).to_string()), "{}", skip.detail);
    assert!(
        plan.warnings
            .iter()
            .any(|words| words.contains("3 nodes do not answer Systems Manager and are left out")),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn a_plan_that_would_leave_every_node_out_is_refused_whatever_nothing_selected_says() {
    let mut world = World::default();
    world.add(CENTRAL, &REGIONS);
    *world.place(CENTRAL, "us-east-1") = place(0, 3, 0);
    *world.place(CENTRAL, "us-west-2") = place(0, 1, 2);
    for selector in [json!({"resource_group": "W"}), json!({"all_managed": true})] {
        for nothing_selected in ["refuse", "succeed"] {
            let mut targets = selector.clone();
            targets["regions"] = json!(REGIONS);
            let policy = json!({"policy": {"offline": "skip", "nothing_selected": nothing_selected}});
            for options in [attended(), Options::default()] {
                let request = request_with(targets.clone(), policy.clone());
                let refusal = planned_with(&world, &request, options).unwrap_err();
                assert_eq!(refusal.reasons.len(), 1, "{refusal}");
                assert_eq!(refusal.reasons[0].code, RefusalCode::NodesOffline);
                let words = &refusal.reasons[0].detail;
                for expected in [
                    "nothing would be done",
                    "111111111111/us-east-1, 111111111111/us-west-2",
                    "set policy.offline to \"target\"",
                ] {
                    assert!(words.contains(expected), "{words}");
                }
            }
        }
    }
}

#[test]
fn nodes_that_do_not_answer_are_never_named_together_with_others_and_come_last() {
    let everything = |offline: &str| {
        request_with(
            json!({"all_managed": true, "regions": REGIONS}),
            json!({"policy": {"offline": offline}}),
        )
    };
    let target = planned_with(&world(), &everything("target"), Options::default()).unwrap();
    let units: Vec<usize> = named(&target).iter().map(Vec::len).collect();
    assert_eq!(units, [4, 20, 7, 3, 1]);
    let skip = planned_with(&world(), &everything("skip"), Options::default()).unwrap();
    let units: Vec<usize> = named(&skip).iter().map(Vec::len).collect();
    assert_eq!(units, [4, 20, 7]);
}

#[test]
fn a_limit_that_comes_to_nothing_is_said_in_one_line_with_its_remedy() {
    let mut world = World::default();
    world.add(CENTRAL, &REGIONS);
    *world.place(CENTRAL, "us-east-1") = place(4, 0, 0);
    *world.place(CENTRAL, "us-west-2") = place(10, 0, 0);
    *world.place(CENTRAL, "eu-west-1") = place(1, 0, 0);
    let warned = |budget: Value| {
        let request = request_with(
            json!({"resource_group": "W", "regions": REGIONS}),
            json!({"budget": budget}),
        );
        let plan = planned_with(&world, &request, Options::default()).unwrap();
        plan.warnings
    };
    // The defaults.
    assert_eq!(
        warned(json!({})),
        [
            "budget.nodes: max_errors and max_concurrency are 10% of the nodes, which is the default. That is less \
             than one in 1 location: 111111111111/us-east-1 (4 nodes). AWS does not say how it rounds: the first node \
             that fails may stop its location, and the figures at worst count one failure more. One node is patched \
             at a time. Give counts, such as max_errors = 1 and max_concurrency = 2",
            "if every node takes the 3 h that it may, 2 nodes have no turn before their command expires, 24 h after \
             it was sent: 111111111111/us-west-2 (2 nodes, 10 turns are needed and 8 fit). Raise \
             budget.nodes.max_concurrency, or let commands live for longer than a day with patch.delivery_timeout",
        ]
    );
    let counts =
        json!({"nodes": {"max_concurrency": 3, "max_errors": 1}, "locations": {"max_errors": "30%"}});
    assert_eq!(
        warned(counts),
        [
            "budget.locations.max_errors: 30% of 3 locations are none, so the first one that fails stops the \
             others. Give a count, such as 1"
        ]
    );
    assert_eq!(
        warned(json!({"nodes": {"max_concurrency": "50%", "max_errors": 0}})).len(),
        0
    );
}

#[test]
fn the_warnings_of_a_thousand_locations_are_as_short_as_those_of_ten() {
    let mut world = World::default();
    for n in 0..1_000_u64 {
        let id = format!("{n:012}");
        world.add(&id, &["us-east-1"]);
        let mut place: Place = place(9, 2, 1);
        place.members = place.managed.keys().cloned().collect();
        *world.place(&id, "us-east-1") = place;
    }
    let accounts: Vec<String> = (0..1_000).map(|n| format!("{n:012}")).collect();
    let request = request_with(
        json!({"resource_group": "W", "regions": ["us-east-1"], "accounts": accounts}),
        json!({"budget": {"locations": {"max_concurrency": 5}}}),
    );
    world.central_region = Some("us-east-1".parse().unwrap());
    let plan = planned_with(&world, &request, attended()).unwrap();
    assert_eq!(plan.locations.len(), 1_000);
    for warning in &plan.warnings {
        assert!(warning.len() < 700, "{warning}");
    }
    assert!(plan.warnings.len() < 8, "{:?}", plan.warnings);
}
