//! docs/steps-around-patching.md shows a runbook of one's own. It works as it stands there, and wakes the nodes whatever
//! becomes of the patching.

#![expect(
    clippy::unwrap_used,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use patchfleet_core::outcome::NodeOutcome;
use patchfleet_core::report::{Report, ReportOutcome};
use patchfleet_sim::world::World;
use patchfleet_sim::{ClockMode, SimClock};
use patchfleet_tests::{in_memory, plan_and_run, request};
use std::collections::BTreeMap;

const WORLD: &str = include_str!("../../docs/steps-around-patching/world.toml");
const RUNBOOK: &str = include_str!("../../docs/steps-around-patching/runbook.yaml");
const REQUEST: &str = include_str!("../../docs/steps-around-patching/request.toml");

/// Runs the page's request. Gives its report, and the documents of the commands of each location, in their order.
async fn ran(world: &str) -> (Report, BTreeMap<String, Vec<String>>) {
    let request = request(REQUEST).unwrap();
    let clock = SimClock::new(World::parse(world).unwrap(), ClockMode::Jump);
    let ports = in_memory(&clock, &request.access).unwrap();
    let (_, ended) = plan_and_run(&ports, &request).await.unwrap();
    let mut sent: BTreeMap<String, Vec<String>> = BTreeMap::new();
    clock.with_world(|world| {
        let state = world.state();
        for command in state.get("commands").unwrap().as_array().unwrap() {
            let field = |key: &str| command.get(key).unwrap().as_str().unwrap().to_owned();
            let location = format!("{}/{}", field("account"), field("region"));
            sent.entry(location).or_default().push(field("document"));
        }
    });
    (ended.report, sent)
}

#[tokio::test]
async fn each_location_is_quieted_snapshot_patched_and_woken_in_this_order() {
    assert!(
        WORLD.contains(RUNBOOK),
        "world.toml has the runbook of runbook.yaml"
    );
    let (report, sent) = ran(WORLD).await;
    assert_eq!(report.outcome, ReportOutcome::Succeeded);
    assert_eq!(report.totals.nodes.count(NodeOutcome::Done), 12);
    assert_eq!(sent.len(), 4);
    for (location, documents) in sent {
        let shell = "AWS-RunShellScript";
        assert_eq!(
            documents,
            [shell, shell, "AWS-RunPatchBaseline", shell],
            "{location}"
        );
    }
}

#[tokio::test]
async fn nodes_are_woken_where_the_patching_fails_and_the_next_locations_stay_as_they_are() {
    let broken = WORLD.replace("{ count = 3 }", r#"{ count = 3, patch = { outcome = "fails" } }"#);
    assert_ne!(broken, WORLD);
    let (report, sent) = ran(&broken).await;
    assert_eq!(report.outcome, ReportOutcome::Halted);
    assert_eq!(sent.len(), 1, "{sent:?}");
    for (location, documents) in sent {
        assert_eq!(documents.len(), 4, "{location}");
        assert_eq!(documents.last().unwrap(), "AWS-RunShellScript", "{location}");
    }
}
