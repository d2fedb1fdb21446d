//! What a plan promises of its starts, against the starts that a campaign really sends.

use crate::campaign::{Chain, Event, LogKey, RECORD_FORMAT, State, start};
use crate::census::{CensusAnswer, CensusTaken, ManagedNodes, NodeCounts};
use crate::expand::Candidates;
use crate::id::{Location, NodeId, WriterId};
use crate::plan::{Options, Plan, build};
use crate::port::Caller;
use crate::request::PatchRequest;
use crate::runbook::{CommandSteps, named_nodes};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

/// A plan for all managed nodes of one location, which are named.
fn planned(online: u32, offline: u32, nodes: Value) -> Plan {
    let location = Location::new("111111111111".parse().unwrap(), "us-east-1".parse().unwrap());
    let ids = |from: u32, n: u32| -> Vec<NodeId> {
        (from..from + n)
            .map(|n| format!("i-{n:017x}").parse().unwrap())
            .collect()
    };
    let request = json!({
        "name": "weekly",
        "targets": {"all_managed": true, "regions": ["us-east-1"]},
        "budget": {"nodes": nodes},
    });
    let counts = NodeCounts {
        ec2: online + offline,
        online,
        offline,
        ..NodeCounts::default()
    };
    let managed = ManagedNodes {
        online: ids(0, online),
        offline: ids(online, offline),
    };
    let census = CensusTaken {
        answers: [(location.clone(), CensusAnswer::Populated { nodes: Some(counts) })].into(),
        managed: [(location.clone(), managed)].into(),
        ..CensusTaken::default()
    };
    let candidates = Candidates {
        wanted: [location].into(),
        ..Candidates::default()
    };
    let central = Caller {
        account: "111111111111".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        arn: "arn:aws:iam::111111111111:role/ops".to_owned(),
    };
    build(
        &PatchRequest::from_value(request).unwrap(),
        &central,
        &candidates,
        &census,
        CommandSteps::Unread,
        &Options::default(),
    )
    .unwrap()
}

/// A limit of each start as it is sent at the beginning: how many nodes it names, and how many of
/// them at most the limit comes to, however AWS rounds.
fn sent(plan: &Plan, limit: &str) -> Vec<(u32, u32)> {
    let campaign = "b68a00a2-c50e-5dcd-9ed4-7a687f743a1c".parse().unwrap();
    let planned = Event::Planned {
        format: RECORD_FORMAT,
        campaign,
        plan: Box::new(plan.clone()),
    };
    let writer = WriterId::from_uuid(Uuid::from_u128(1));
    let record = Chain::of(&LogKey::Campaign(campaign)).record(Timestamp::UNIX_EPOCH, writer, vec![planned]);
    let state = State::from_records(&[record]).unwrap();
    plan.units
        .iter()
        .map(|unit| {
            let request = start::request(&state, unit.id, 1, Timestamp::UNIX_EPOCH).unwrap();
            let named = u32::try_from(named_nodes(&request.parameters).unwrap().len()).unwrap();
            let text = request.parameters[limit].concat();
            let comes_to = match text.strip_suffix('%') {
                Some(percent) => (named * percent.parse::<u32>().unwrap()).div_ceil(100),
                None => text.parse().unwrap(),
            };
            (named, comes_to.min(named))
        })
        .collect()
}

#[test]
fn eighty_nodes_at_ten_percent_are_eight_at_once_in_the_plan_as_in_each_command() {
    let plan = planned(80, 0, json!({"max_concurrency": "10%", "max_errors": "10%"}));
    assert_eq!(sent(&plan, "MaxConcurrency"), [(20, 8); 4]);
    assert_eq!(plan.worst_case.nodes_at_once, Some(8));
    assert_eq!(plan.worst_case.node_errors, Some(8 + 8));
}

#[test]
fn nobody_is_said_to_have_no_turn_where_the_limit_of_the_whole_location_gives_everybody_one() {
    // 20 nodes at 8 at once need 5 turns (1, 2, 4, 8, 5), and a day has room for 8. At 2 at once, which is
    // a tenth of one command's nodes, they would need 11.
    let plan = planned(80, 0, json!({"max_concurrency": "10%", "max_errors": "10%"}));
    let told: Vec<_> = plan
        .warnings
        .iter()
        .filter(|words| words.contains("turn"))
        .collect();
    assert!(told.is_empty(), "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_start_that_is_sent_exceeds_what_its_plan_says(
        online in 1_u32..90, offline in 0_u32..45,
        concurrency in prop_oneof![(1_u32..101).prop_map(|n| format!("{n}%")), (1_u32..40).prop_map(|n| n.to_string())],
        errors in prop_oneof![(0_u32..101).prop_map(|n| format!("{n}%")), (0_u32..40).prop_map(|n| n.to_string())],
    ) {
        let plan = planned(online, offline, json!({"max_concurrency": concurrency, "max_errors": errors}));
        let worst = plan.worst_case;
        for ((named, at_once), (_, may_fail)) in
            sent(&plan, "MaxConcurrency").into_iter().zip(sent(&plan, "MaxErrors"))
        {
            prop_assert!(Some(at_once) <= worst.nodes_at_once, "{at_once} at once, {worst:?}");
            let errors = named.min(may_fail + at_once);
            prop_assert!(Some(errors) <= worst.node_errors, "{errors} errors, {worst:?}");
        }
    }
}
