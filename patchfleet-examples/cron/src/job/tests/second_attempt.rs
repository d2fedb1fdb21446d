//! What a campaign did not reach is tried once more, where that is asked for.

use super::*;
use patchfleet_core::{Retry, RetryPlan};

/// Two nodes answer, and the third does eight hours after the start.
const WORLD: &str = r#"
    management_account = "111111111111"
    documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
    accounts = [{ id = "111111111111", name = "Main" }]
    [[groups]]
    name = "WebServers"
    accounts = ["111111111111"]
    regions = ["us-east-1"]
    nodes = [{ count = 2 }, { count = 1, reachability = "offline" }]
    [[changes]]
    at = "8h"
    change = { gain_agent = { group = "WebServers" } }
"#;

/// Its commands live for six hours and a half.
const REQUEST: &str = r#"
    name = "weekly"
    patch = { operation = "Install", delivery_timeout = "30m" }
    targets = { resource_group = "WebServers", regions = ["us-east-1"] }
    budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
    policy.offline = "target"
"#;

struct Evening {
    job: Job<Simulated>,
    _stop: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

impl Evening {
    fn of(world: &str, second_attempt: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let request = dir.path().join("request.toml");
        std::fs::write(&request, REQUEST).unwrap();
        let (stop, stopped) = watch::channel(false);
        let job = Job {
            reach: Simulated {
                clock: SimClock::new(World::parse(world).unwrap(), ClockMode::Jump),
                stop: OnceLock::new(),
            },
            request,
            store: Store::in_memory(),
            log: "my logs".into(),
            cutoff: None,
            carry_over: false,
            second_attempt,
            late: SignedDuration::from_mins(15),
            missed: Missed::Skip,
            schedule: None,
            stop: stopped,
        };
        Self {
            job,
            _stop: stop,
            _dir: dir,
        }
    }

    /// The campaigns of the log, the oldest first, each with the one whose nodes it tried again. Each of them is over.
    async fn campaigns(&self) -> Vec<(CampaignId, Option<CampaignId>)> {
        let now = self.job.reach.clock().now();
        let list = self.job.store.campaigns(now).await.unwrap();
        let mut found = vec![];
        for one in list.campaigns.iter().rev() {
            let state = self.job.store.load(one.campaign).await.unwrap().unwrap();
            assert!(state.finished().is_some());
            let retried = state.plan().retries.as_ref();
            found.push((one.campaign, retried.map(|retried| retried.campaign)));
        }
        found
    }
}

/// Runs a campaign now, and gives the exit code and how many campaigns came of it.
async fn ran(world: &str, second_attempt: bool) -> (u8, usize) {
    let evening = Evening::of(world, second_attempt);
    let code = evening.job.once(None).await;
    let campaigns = evening.campaigns().await;
    if let [(first, None), second] = campaigns[..] {
        assert_eq!(second, (first.of_second_attempt(), Some(first)));
    }
    (code, campaigns.len())
}

#[tokio::test]
async fn a_node_that_answers_later_is_reached_by_the_second_attempt() {
    assert_eq!(ran(WORLD, true).await, (0, 2));
}

#[tokio::test]
async fn nobody_tries_again_unasked_and_a_node_that_stays_away_is_tried_twice() {
    assert_eq!(ran(WORLD, false).await, (4, 1));
    assert_eq!(ran(&WORLD.replace("8h", "50h"), true).await, (4, 2));
}

#[tokio::test]
async fn where_each_node_was_reached_there_is_no_second_attempt() {
    let all = WORLD.replace("reachability = \"offline\"", "reachability = \"online\"");
    assert_eq!(ran(&all, true).await, (0, 1));
}

/// It comes back half an hour before its command expires, and is at work on that for two hours. Windows says nothing of a step
/// before that ends, so the node looks as if it had had no turn.
#[tokio::test]
async fn a_node_on_which_the_first_command_may_be_at_work_is_sent_no_second_one() {
    let back = WORLD.replace("8h", "6h").replace(
        "reachability = \"offline\"",
        "reachability = \"offline\", platform = \"Windows\", patch = { minutes = 120.0 }",
    );
    assert_eq!(ran(&back, true).await, (4, 1));
}

#[tokio::test]
async fn the_same_id_again_is_answered_with_both_and_begins_nothing() {
    let evening = Evening::of(WORLD, true);
    let id = EventId::new(EventSource::Event, "job-1").unwrap();
    assert_eq!(evening.job.once(Some(id.clone())).await, 0);
    let (campaigns, executions) = (evening.campaigns().await, evening.job.reach.executions());
    assert_eq!((campaigns.len(), executions), (2, 2));
    assert_eq!(evening.job.once(Some(id)).await, 0);
    assert_eq!(evening.campaigns().await, campaigns);
    assert_eq!(evening.job.reach.executions(), executions);
}

/// The process died once the second attempt was written down.
#[tokio::test]
async fn a_process_that_starts_again_goes_on_with_the_second_attempt_and_gives_the_code_of_both() {
    let without = Evening::of(WORLD, false);
    assert_eq!(without.job.once(None).await, 4);
    let [(first, None)] = without.campaigns().await[..] else {
        panic!("one campaign");
    };
    let job = Job {
        second_attempt: true,
        ..without.job
    };
    let state = job.store.load(first).await.unwrap().unwrap();
    let Ok(ports) = job.reach.ports(&state.plan().request.access).await else {
        panic!("the simulator is always reached");
    };
    let campaigns = job.campaigns(&ports, &notices());
    let planned = campaigns
        .plan_retry(&state, Retry::Unreached, &Planning::default())
        .await
        .unwrap();
    let RetryPlan::Planned(planned) = planned else {
        panic!("a node was not reached");
    };
    planned.begin(first.of_second_attempt()).await.unwrap();
    assert_eq!(job.once(None).await, 0);
    let list = job.store.campaigns(job.reach.clock().now()).await.unwrap();
    assert_eq!(list.campaigns.len(), 2);
    assert_eq!(job.reach.executions(), 2);
}
