//! What a campaign did not reach is tried once more, where that is asked for.

use super::*;

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

/// Runs a campaign now, and gives the exit code, and whose nodes each campaign of the log tried again.
async fn ran(world: &str, second_attempt: bool) -> (u8, Vec<Option<CampaignId>>) {
    let dir = tempfile::tempdir().unwrap();
    let request = dir.path().join("request.toml");
    std::fs::write(&request, REQUEST).unwrap();
    let (_stop, stopped) = watch::channel(false);
    let job = Job {
        reach: Simulated {
            clock: SimClock::new(World::parse(world).unwrap(), ClockMode::Jump),
            stop: OnceLock::new(),
        },
        request,
        store: Store::in_memory(),
        log: "my logs".into(),
        cutoff: None,
        second_attempt,
        carry_over: false,
        late: SignedDuration::from_mins(15),
        missed: Missed::Skip,
        schedule: None,
        stop: stopped,
    };
    let code = job.once(None).await;
    let mut retried = vec![];
    let list = job.store.campaigns(job.reach.clock().now()).await.unwrap();
    for one in list.campaigns.iter().rev() {
        let state = job.store.load(one.campaign).await.unwrap().unwrap();
        assert!(state.finished().is_some());
        retried.push(state.plan().retries.as_ref().map(|retried| retried.campaign));
    }
    (code, retried)
}

#[tokio::test]
async fn a_node_that_answers_later_is_reached_by_the_second_attempt() {
    let (code, campaigns) = ran(WORLD, true).await;
    assert_eq!(code, 0);
    assert!(matches!(campaigns[..], [None, Some(_)]), "{campaigns:?}");
}

#[tokio::test]
async fn nobody_tries_again_unasked_and_a_node_that_stays_away_is_tried_twice() {
    assert_eq!(ran(WORLD, false).await, (4, vec![None]));
    let (code, campaigns) = ran(&WORLD.replace("8h", "50h"), true).await;
    assert_eq!(code, 4);
    assert!(matches!(campaigns[..], [None, Some(_)]), "{campaigns:?}");
}

#[tokio::test]
async fn where_each_node_was_reached_there_is_no_second_attempt() {
    let all = WORLD.replace("reachability = \"offline\"", "reachability = \"online\"");
    assert_eq!(ran(&all, true).await, (0, vec![None]));
}
