//! The record of requests: the latest calls, how many came before, and counts of all.

use crate::{
    fleet::Fleet,
    socket::{send, sim, target},
};
use patchfleet_sim::{ClockMode, world::World};
use serde_json::json;

fn names(world: &World) -> Vec<&str> {
    let requests = world.requests().iter();
    requests
        .map(|one| one.input["DocumentName"].as_str().unwrap_or_default())
        .collect()
}

#[test]
fn only_the_latest_requests_are_kept_and_all_are_counted() {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    fleet.world.keep_requests(3);
    for number in 0..50 {
        let name = format!("Runbook{number}");
        let refused = fleet.ssm("StartAutomationExecution", json!({"DocumentName": name}));
        assert!(refused.is_err());
        assert!(fleet.world.requests().len() <= 3);
    }
    assert_eq!(names(&fleet.world), ["Runbook47", "Runbook48", "Runbook49"]);
    assert_eq!(fleet.world.dropped_requests(), 47);
    assert_eq!(fleet.world.calls()["ssm:StartAutomationExecution"], 50);
    assert!(fleet.ssm("NoSuchOperation", json!({})).is_err());
    assert_eq!(
        fleet.world.calls().len(),
        1,
        "whatever somebody calls an operation takes no room"
    );
}

#[test]
fn a_record_of_no_requests_still_counts_them() {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    fleet.ssm("ListCommands", json!({})).unwrap();
    fleet.world.keep_requests(0);
    fleet.ssm("ListCommands", json!({})).unwrap();
    assert!(fleet.world.requests().is_empty());
    assert_eq!(fleet.world.dropped_requests(), 2);
    assert_eq!(fleet.world.calls()["ssm:ListCommands"], 2);
}

#[tokio::test]
async fn the_record_says_in_a_header_how_many_requests_it_no_longer_has() {
    let sim = sim(ClockMode::Jump).await;
    sim.with_world(|world| world.keep_requests(1));
    for _ in 0..3 {
        target(&sim, "AKID", "AmazonSSM.ListCommands", json!({})).await;
    }
    let answer = send(&sim, "GET /_sim/requests", &[], "").await;
    assert!(
        answer.head.contains("x-sim-dropped-requests: 2\r\n"),
        "{}",
        answer.head
    );
    assert_eq!(answer.json().as_array().unwrap().len(), 1);
}
