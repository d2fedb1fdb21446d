//! A retry of a campaign in waves by the tags of accounts.

use super::{campaign, process};
use patchfleet_core::{
    Retry, RetryPlan,
    campaign::Store,
    outcome::NodeOutcome,
    plan::{Attendance, Planning},
};
use patchfleet_sim::{ClockMode, SimClock, world::World};
use patchfleet_tests::request;
use serde_json::json;

/// Two accounts beside the caller's, one of them tagged. In each a node fails its first Install, and never again.
const WORLD: &str = r#"
    management_account = "111111111111"
    documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
    accounts = [
        { id = "111111111111", name = "Main" },
        { id = "222222222222", name = "Web" },
        { id = "333333333333", name = "Lab", tags = { Stage = "canary" } },
    ]
    [[groups]]
    name = "WebServers"
    accounts = ["222222222222", "333333333333"]
    regions = ["us-east-1"]
    nodes = [{ count = 1 }, { count = 1, patch = { minutes = 5.0, fails_first = 1 } }]
"#;

fn asked_for_tags(clock: &SimClock) -> usize {
    clock.with_world(|world| {
        let requests = world.requests().iter();
        requests
            .filter(|one| one.operation == "ListTagsForResource")
            .count()
    })
}

#[tokio::test]
async fn a_retry_keeps_each_account_in_its_wave_whatever_its_tags_are_by_now() {
    let clock = SimClock::new(World::parse(WORLD).unwrap(), ClockMode::Jump);
    let store = Store::in_memory();
    let campaigns = process(&clock, &store, 1);
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", accounts = ["222222222222", "333333333333"], regions = ["us-east-1"] }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        budget.locations = { max_concurrency = 1, max_errors = "100%" }
        waves = [{ name = "canary", account_tags = { Stage = "canary" } }]
        "#,
    )
    .unwrap();
    let planning = Planning {
        attendance: Attendance::Attended,
        ..Planning::default()
    };
    let report = campaigns.run(campaign(1), &request, &planning).await.unwrap();
    assert_eq!(report.totals.nodes.count(NodeOutcome::Failed), 2);
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    assert_eq!(state.plan().request, request, "as the log has it");
    let before = asked_for_tags(&clock);
    let retried = || async {
        match campaigns.plan_retry(&state, Retry::Failed, &planning).await {
            Ok(RetryPlan::Planned(planned)) => {
                let locations = planned.plan().locations.iter();
                Ok(locations
                    .map(|at| (at.account.to_string(), at.wave))
                    .collect::<Vec<_>>())
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    };
    let both = |web: u32, lab: u32| [("222222222222".to_owned(), web), ("333333333333".to_owned(), lab)];
    assert_eq!(retried().await.unwrap(), both(2, 1));
    // One would come before what guards it, and one after what it guards.
    for (account, stage) in [("222222222222", "canary"), ("333333333333", "Canary")] {
        let change = json!({"tag_account": {"id": account, "set": {"Stage": stage}}});
        let change = serde_json::from_value(change).unwrap();
        clock.with_world(|world| world.change(&change)).unwrap();
        assert_eq!(retried().await.unwrap(), both(2, 1), "{account}");
    }
    let fault = json!({"effect": "deny", "operations": ["organizations:ListTagsForResource"]});
    let fault = serde_json::from_value(fault).unwrap();
    clock.with_world(|world| world.add_fault(fault)).unwrap();
    assert_eq!(retried().await.unwrap(), both(2, 1));
    assert_eq!(asked_for_tags(&clock), before, "nobody reads them");
}
