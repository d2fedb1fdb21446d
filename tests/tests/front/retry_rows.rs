//! A retry where rows of nodes say something else than the log: nothing is patched again that is done.

use super::{campaign, process, refused};
use patchfleet_core::{
    Retry, RetryPlan,
    campaign::Store,
    outcome::NodeOutcome,
    plan::{Attendance, Planning},
    refusal::RefusalCode,
};
use patchfleet_sim::{ClockMode, SimClock, world::World};
use patchfleet_tests::request;

#[tokio::test]
async fn rows_that_are_not_those_of_the_log_have_no_node_patched_again_that_is_done() {
    let text = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1"]
        nodes = [{ count = 3 }, { count = 1, patch = { fails_first = 1 } }]
    "#;
    let clock = SimClock::new(World::parse(text).unwrap(), ClockMode::Jump);
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", regions = ["us-east-1"] }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        "#,
    )
    .unwrap();
    let planning = Planning {
        attendance: Attendance::Attended,
        ..Planning::default()
    };
    let store = Store::in_memory();
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&request, &planning).await.unwrap();
    let begun = planned.begin(campaign(1)).await.unwrap();
    begun.run().await.unwrap();
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let location = state.plan().locations[0].location();
    let rows = store.rows.rows(campaign(1), &location).await.unwrap();
    let one = |outcome| rows.iter().position(|row| row.outcome == outcome).unwrap();
    let (done, failed) = (one(NodeOutcome::Done), one(NodeOutcome::Failed));
    // One row says less than the log; two nodes have changed places, so that there are as many of each outcome.
    for (of_done, of_failed) in [
        (NodeOutcome::Lost, NodeOutcome::Failed),
        (NodeOutcome::Unknown, NodeOutcome::Failed),
        (NodeOutcome::Failed, NodeOutcome::Done),
    ] {
        let mut others = rows.clone();
        others[done].outcome = of_done;
        others[failed].outcome = of_failed;
        store.rows.put(campaign(1), &location, 1, others).await.unwrap();

        let error = campaigns
            .plan_retry(&state, Retry::Failed, &planning)
            .await
            .unwrap_err();
        assert_eq!(refused(&error), RefusalCode::NotRetried);
        let words = "the rows of its nodes are not those that the log counts";
        assert!(error.to_string().contains(words), "{error}");

        // Nobody is told that the wrong node failed.
        let report = begun.report().await.unwrap();
        let told = &report.locations[0];
        assert!(told.rows_differ, "{}", report.to_text());
        assert_eq!((told.unnamed, report.needs_action.len()), (1, 0));
        let words = "1 node not named: the rows are not those that the log counts, and `patchfleet collect";
        assert!(report.to_text().contains(words), "{}", report.to_text());

        begun.collect_again().await.unwrap();
        assert_eq!(store.rows.rows(campaign(1), &location).await.unwrap(), rows);
    }
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let retry = campaigns.plan_retry(&state, Retry::Failed, &planning).await;
    let RetryPlan::Planned(planned) = retry.unwrap() else {
        panic!("a node has failed");
    };
    assert_eq!(planned.plan().units.len(), 1);
    let nodes = planned.plan().units[0].nodes.as_ref().unwrap();
    assert_eq!(nodes.len(), 1, "the one that failed");
}
