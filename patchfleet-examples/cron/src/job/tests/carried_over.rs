//! What a slot did not come to before its cutoff is carried over by the next one.

use super::*;
use patchfleet_core::campaign::State;

/// Three Regions with two nodes each, which are patched one Region after the other.
const WORLD: &str = r#"
    management_account = "111111111111"
    documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
    accounts = [{ id = "111111111111", name = "Main" }]
    [[groups]]
    name = "WebServers"
    accounts = ["111111111111"]
    regions = ["us-east-1", "us-west-2", "eu-west-1"]
    nodes = [{ count = 2, patch = { minutes = 5.0 } }]
"#;

const REQUEST: &str = r#"
    name = "weekly"
    patch = { operation = "Install" }
    targets = { resource_group = "WebServers", regions = ["us-east-1", "us-west-2", "eu-west-1"] }
    budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
    budget.locations = { max_concurrency = 1, max_errors = "100%" }
"#;

/// A job whose campaigns have room for one Region before their cutoff.
fn job(carry_over: bool) -> (Job<Simulated>, watch::Sender<bool>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let request = dir.path().join("request.toml");
    std::fs::write(&request, REQUEST).unwrap();
    let (stop, stopped) = watch::channel(false);
    let job = Job {
        reach: Simulated {
            clock: SimClock::new(World::parse(WORLD).unwrap(), ClockMode::Jump),
            stop: OnceLock::new(),
        },
        request,
        store: Store::in_memory(),
        log: "my logs".into(),
        cutoff: Some(SignedDuration::from_mins(6 * 60 + 10)),
        second_attempt: false,
        carry_over,
        late: SignedDuration::from_hours(1),
        missed: Missed::Skip,
        schedule: None,
        stop: stopped,
    };
    (job, stop, dir)
}

/// Runs the slot that comes now, and gives what the log says of its campaign.
async fn slot(job: &Job<Simulated>, id: &str) -> State {
    let id = EventId::new(EventSource::Slot, id).unwrap();
    let at = job.reach.clock().now();
    assert_eq!(job.slot(id.clone(), &due(at)).await, Became::Run);
    let request = job.request().unwrap();
    assert!(job.has_run(&request, &id).await);
    let campaign = CampaignId::of_event(&request.digest(), &id);
    job.store.load(campaign).await.unwrap().unwrap()
}

fn retried(state: &State) -> Option<CampaignId> {
    Some(state.plan().retries.as_ref()?.campaign)
}

#[tokio::test]
async fn a_slot_begins_with_what_the_slot_before_did_not_come_to() {
    let (job, _stop, _dir) = job(true);
    let first = slot(&job, "one").await;
    assert_eq!((first.plan().locations.len(), retried(&first)), (3, None));
    let second = slot(&job, "two").await;
    assert_eq!(
        (second.plan().locations.len(), retried(&second)),
        (2, Some(first.campaign()))
    );
    let third = slot(&job, "three").await;
    assert_eq!(
        (third.plan().locations.len(), retried(&third)),
        (1, Some(second.campaign()))
    );
    let whole = slot(&job, "four").await;
    assert_eq!((whole.plan().locations.len(), retried(&whole)), (3, None));
    assert_eq!(job.reach.executions(), 4);
}

#[tokio::test]
async fn each_slot_is_of_the_whole_request_where_nothing_is_to_be_carried_over() {
    let (job, _stop, _dir) = job(false);
    for id in ["one", "two"] {
        let state = slot(&job, id).await;
        assert_eq!((state.plan().locations.len(), retried(&state)), (3, None));
    }
}

#[tokio::test]
async fn a_process_that_starts_again_goes_on_with_what_was_carried_over() {
    let (job, _stop, _dir) = job(true);
    let first = slot(&job, "one").await;
    let request = job.request().unwrap();
    let Ok(ports) = job.reach.ports(&request.access).await else {
        panic!("the simulator is always reached");
    };
    let campaigns = job.campaigns(&ports, &notices());
    let planning = Planning {
        carry_over: true,
        ..Planning::default()
    };
    let planned = campaigns.plan(&request, &planning).await.unwrap();
    let carried = CampaignId::from_uuid(Uuid::new_v4());
    planned.begin(carried).await.unwrap();
    assert_eq!(job.once(None).await, 0);
    let state = job.store.load(carried).await.unwrap().unwrap();
    assert_eq!(retried(&state), Some(first.campaign()));
    assert!(state.finished().is_some());
    assert_eq!(
        job.store
            .campaigns(ports.clock.now())
            .await
            .unwrap()
            .campaigns
            .len(),
        2
    );
}
