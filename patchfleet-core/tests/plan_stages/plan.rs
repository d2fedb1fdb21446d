//! From the census to the plan, and the plan as text and file.

use crate::world::{CENTRAL, Place, World, account, at, ec2, hybrid, request, request_with, wait};
use patchfleet_core::census::{Depth, NodeCounts};
use patchfleet_core::id::{NodeId, NodeSet, NodesDigest};
use patchfleet_core::plan::{Attendance, Followed, Options, Plan, PlanError, PlanFileError, Unit, make};
use patchfleet_core::port::{AccountState, PingStatus, PortErrorKind};
use patchfleet_core::refusal::{Refusal, RefusalCode, SkipReason};
use patchfleet_core::request::PatchRequest;
use serde_json::{Value, json};

pub(crate) fn planned(world: &World, request: &PatchRequest) -> Result<Plan, Refusal> {
    planned_with(world, request, attended())
}

pub(crate) fn planned_with(
    world: &World,
    request: &PatchRequest,
    options: Options<'_>,
) -> Result<Plan, Refusal> {
    match wait(make(world, world, world, request, &options)) {
        Ok(plan) => Ok(plan),
        Err(PlanError::Refused(refusal)) => Err(refusal),
        Err(error) => panic!("{error}"),
    }
}

/// Counts every node, with a person at a terminal.
pub(crate) fn attended() -> Options<'static> {
    Options {
        attendance: Attendance::Attended,
        ..Options::default()
    }
}

const OTHER: &str = "222222222222";
const CLOSED: &str = "333333333333";
const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "us-west-2"];

pub(crate) fn place(online: u64, offline: u64, unmanaged: u64) -> Place {
    let nodes: Vec<NodeId> = (0..online + offline + unmanaged)
        .map(|n| if n % 3 == 2 { hybrid(n) } else { ec2(n) })
        .collect();
    let pings = std::iter::repeat_n(PingStatus::Online, usize::try_from(online).unwrap()).chain(
        std::iter::repeat_n(PingStatus::Offline, usize::try_from(offline).unwrap()),
    );
    Place {
        managed: nodes.iter().cloned().zip(pings).collect(),
        members: nodes,
        ..Place::default()
    }
}

/// Two accounts in three Regions and a closed one: populated, empty, missing, denied.
fn world() -> World {
    let mut world = World::default();
    for id in [CENTRAL, OTHER, CLOSED] {
        world.add(id, &REGIONS);
    }
    world.accounts.insert(account(CLOSED), AccountState::Closed);
    *world.place(CENTRAL, "us-east-1") = place(20, 1, 2);
    *world.place(CENTRAL, "eu-west-1") = place(3, 0, 0);
    *world.place(OTHER, "us-east-1") = place(1, 0, 0);
    world.place(OTHER, "eu-west-1").members_fail = Some((0, PortErrorKind::NotFound));
    world.place(OTHER, "us-west-2").members_fail = Some((0, PortErrorKind::Denied));
    world
}

fn asked(policy: Value) -> PatchRequest {
    request_with(
        json!({
            "resource_group": "WebServers", "regions": REGIONS,
            "accounts": [CENTRAL, OTHER, CLOSED],
        }),
        json!({
            "policy": policy,
            "patch": {"operation": "Install"},
            "budget": {"locations": {"max_concurrency": 2, "max_errors": 1}},
        }),
    )
}

fn reasons(plan: &Plan) -> Vec<(String, SkipReason)> {
    let skips = plan.skipped.iter();
    skips
        .map(|skip| (skip.location().to_string(), skip.reason))
        .collect()
}

#[test]
fn the_plan_as_text_is_the_one_that_was_reviewed() {
    let plan = planned(&world(), &asked(json!({"unknown": "skip"}))).unwrap();
    insta::assert_snapshot!(plan.to_text());
}

#[test]
fn a_plan_without_counts_and_one_with_nothing_to_do_read_well() {
    let options = Options {
        depth: Depth::Presence,
        ..attended()
    };
    let kept = asked(json!({"unknown": "keep", "empty": "skip"}));
    let some = planned_with(&world(), &kept, options).unwrap();
    assert_eq!(some.worst_case.nodes_damaged, None);
    let nothing = planned(
        &world(),
        &request_with(
            json!({"resource_group": "W", "regions": ["us-west-2"]}),
            json!({"policy": {"nothing_selected": "succeed"}}),
        ),
    );
    insta::assert_snapshot!(format!(
        "{}\n=====\n{}",
        some.to_text(),
        nothing.unwrap().to_text()
    ));
}

#[test]
fn each_answer_leads_to_what_its_policy_says() {
    let safe = planned(&world(), &asked(json!({}))).unwrap_err();
    assert_eq!(safe.reasons.len(), 1);
    assert_eq!(safe.reasons[0].code, RefusalCode::CensusUnknown);
    assert_eq!(safe.reasons[0].subject, "222222222222/us-west-2");
    assert!(
        safe.reasons[0].detail.contains("denied"),
        "{}",
        safe.reasons[0].detail
    );

    let strict = json!({"unknown": "refuse", "group_missing": "refuse", "empty": "refuse"});
    let strict = planned(&world(), &asked(strict)).unwrap_err();
    let codes: Vec<RefusalCode> = strict.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(
        codes,
        [
            RefusalCode::Empty,
            RefusalCode::GroupMissing,
            RefusalCode::CensusUnknown
        ]
    );

    let keep = json!({"unknown": "keep", "group_missing": "keep", "empty": "keep"});
    let keep = planned(&world(), &asked(keep)).unwrap();
    assert_eq!((keep.locations.len(), keep.skipped.len()), (6, 3));
    let kept: Vec<_> = keep
        .locations
        .iter()
        .filter_map(|l| Some((l.location(), l.kept?, l.nodes)))
        .collect();
    assert_eq!(
        kept,
        [
            (at(CENTRAL, "us-west-2"), SkipReason::Empty, None),
            (at(OTHER, "eu-west-1"), SkipReason::GroupMissing, None),
            (at(OTHER, "us-west-2"), SkipReason::Unknown, None),
        ]
    );
    assert!(
        keep.warnings.iter().any(|w| w.contains("222222222222/us-west-2")),
        "{:?}",
        keep.warnings
    );
}

#[test]
fn skips_by_policy_are_pointed_out() {
    let plan = planned(&world(), &asked(json!({"unknown": "skip"}))).unwrap();
    let warned = |text: &str| plan.warnings.iter().any(|warning| warning.contains(text));
    assert!(
        warned("222222222222/eu-west-1") && warned("222222222222/us-west-2"),
        "{:?}",
        plan.warnings
    );
    assert!(
        warned("1 node does not answer") && warned("2 nodes of the selection are"),
        "{:?}",
        plan.warnings
    );
    let closed = REGIONS.map(|name| (format!("{CLOSED}/{name}"), SkipReason::AccountNotActive));
    assert!(reasons(&plan).ends_with(&closed));
}

#[test]
fn location_limits_are_counts_resolved_against_all_planned_locations() {
    let mut world = World::default();
    for id in [CENTRAL, OTHER] {
        world.add(id, &REGIONS);
    }
    for name in REGIONS {
        *world.place(CENTRAL, name) = place(1, 0, 0);
    }
    *world.place(OTHER, "us-east-1") = place(1, 0, 0);
    let targets = json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]});
    let limits = json!({"locations": {"max_concurrency": "50%", "max_errors": "25%"}});
    let plan = planned(&world, &request_with(targets, json!({"budget": limits}))).unwrap();
    assert_eq!((plan.location_budget(), plan.location_errors()), (2, 1));
    let units: Vec<(u32, u32, u32)> = plan
        .units
        .iter()
        .map(|unit| {
            (
                unit.location_count(),
                unit.locations_at_once(),
                unit.location_errors(),
            )
        })
        .collect();
    assert_eq!(units, [(3, 1, 1), (1, 1, 1)]);
}

#[test]
fn a_plan_that_nobody_follows_shares_out_its_error_budget_and_says_so() {
    let mut world = World::default();
    for id in [CENTRAL, OTHER] {
        world.add(id, &REGIONS);
    }
    for name in REGIONS {
        *world.place(CENTRAL, name) = place(1, 0, 0);
    }
    *world.place(OTHER, "us-east-1") = place(1, 0, 0);
    let targets = json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]});
    let limits = json!({"locations": {"max_concurrency": 4, "max_errors": 1}});
    let asked = request_with(targets, json!({"budget": limits}));
    let plan = |followed| {
        let options = Options {
            followed,
            ..attended()
        };
        planned_with(&world, &asked, options).unwrap()
    };
    let errors = |plan: &Plan| -> Vec<u32> { plan.units.iter().map(Unit::location_errors).collect() };
    let (driven, fired) = (plan(Followed::ByDriver), plan(Followed::ByNobody));
    assert_eq!((errors(&driven), errors(&fired)), (vec![1, 1], vec![1, 0]));
    let failing = |plan: &Plan| plan.worst_case.locations_failing;
    assert_eq!((failing(&driven), failing(&fired)), (4, 4));
    let says = |plan: &Plan, words: &str| assert!(plan.to_text().contains(words), "{}", plan.to_text());
    says(
        &driven,
        "They share 4 locations at once. Each carries the whole error budget of 1",
    );
    says(
        &fired,
        "They share 4 locations at once and an error budget of 1, since nobody follows them",
    );
    let followed = |plan: &Plan| serde_json::to_value(plan).unwrap()["followed"].clone();
    assert_eq!(
        (followed(&driven), followed(&fired)),
        (json!("by_driver"), json!("by_nobody"))
    );
}

#[test]
fn node_ids_are_planned_where_they_are_twenty_at_a_time() {
    let mut world = world();
    let nodes: Vec<NodeId> = (100..145).map(ec2).collect();
    world.place(CENTRAL, "us-west-2").managed =
        nodes.iter().map(|id| (id.clone(), PingStatus::Online)).collect();
    world.place(OTHER, "us-west-2").managed = [(hybrid(7), PingStatus::Online)].into();
    let mut ids = nodes.clone();
    ids.push(hybrid(7));
    let targets = |ids: &[NodeId]| json!({"node_ids": ids, "regions": REGIONS, "accounts": [CENTRAL, OTHER]});
    let plan = planned(&world, &request(targets(&ids))).unwrap();
    assert_eq!((plan.locations.len(), plan.units.len()), (2, 4));
    let mut named: Vec<String> = plan
        .units
        .iter()
        .flat_map(|unit| {
            let target: Value = serde_json::from_str(&unit.start.parameters["Targets"][0]).unwrap();
            let values = target["Values"].as_array().unwrap().clone();
            values.into_iter().map(|id| id.as_str().unwrap().to_owned())
        })
        .collect();
    let mut wanted: Vec<String> = ids.iter().map(ToString::to_string).collect();
    named.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(named, wanted);
    assert_eq!(
        plan.locations[0].nodes,
        Some(NodeCounts {
            ec2: 45,
            online: 45,
            ..NodeCounts::default()
        })
    );

    ids.extend([ec2(900), ec2(901)]);
    let refusal = planned(&world, &request(targets(&ids))).unwrap_err();
    let lost: Vec<(RefusalCode, &str)> = refusal
        .reasons
        .iter()
        .map(|reason| (reason.code, reason.subject.as_str()))
        .collect();
    let (first, second) = (ec2(900).to_string(), ec2(901).to_string());
    assert_eq!(
        lost,
        [
            (RefusalCode::NodeNotFound, &*first),
            (RefusalCode::NodeNotFound, &*second)
        ]
    );

    let own = json!({"automation": {"document": "Our-Runbook"}});
    let refusal = planned(&world, &request_with(targets(&nodes), own)).unwrap_err();
    assert_eq!(refusal.reasons[0].code, RefusalCode::Unsupported);
}

#[test]
fn a_node_that_two_locations_claim_is_refused() {
    let mut world = world();
    for name in ["us-east-1", "eu-west-1"] {
        world.place(CENTRAL, name).managed = [(ec2(7), PingStatus::Online)].into();
    }
    let refusal = planned(
        &world,
        &request(json!({"node_ids": [ec2(7)], "regions": REGIONS})),
    )
    .unwrap_err();
    assert_eq!(refusal.reasons[0].code, RefusalCode::Unsupported);
    assert_eq!(refusal.reasons[0].subject, ec2(7).to_string());
}

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
    let words = patchfleet_core::problem::chain(&error);
    assert!(
        words.contains("changed by hand") && words.contains("duplicate key \"candidates\" at line"),
        "{words}"
    );
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        change(&mut value);
        let error = Plan::from_json(&value.to_string()).unwrap_err();
        patchfleet_core::problem::chain(&error)
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
