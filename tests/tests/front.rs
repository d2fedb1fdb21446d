//! The front door of patchfleet-core, over a simulated organization.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use jiff::Timestamp;
use patchfleet_core::{
    CampaignError, Campaigns, Remedy, Served,
    campaign::{Appended, CampaignLog, LogKey, Progress, Record, Store},
    id::{CampaignId, EventId, EventSource, RequestName, WriterId},
    plan::Planning,
    port::{BoxFuture, PortErrorKind, PortResult, Ports},
    refusal::RefusalCode,
    report::ReportOutcome,
    request::PatchRequest,
    serve_event,
};
use patchfleet_sim::{ClockMode, MemoryPorts, SimClock, world::World};
use patchfleet_tests::{in_memory, request};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use uuid::Uuid;

#[path = "front/chains.rs"]
mod chains;
#[path = "front/fleets.rs"]
mod fleets;
#[path = "front/override_list.rs"]
mod override_list;
#[path = "front/pace.rs"]
mod pace;
#[path = "front/retry.rs"]
mod retry;
#[path = "front/retry_gates.rs"]
mod retry_gates;
#[path = "front/retry_held.rs"]
mod retry_held;
#[path = "front/retry_left.rs"]
mod retry_left;
#[path = "front/retry_once.rs"]
mod retry_once;
#[path = "front/retry_rows.rs"]
mod retry_rows;
#[path = "front/retry_unknown.rs"]
mod retry_unknown;
#[path = "front/retry_waves.rs"]
mod retry_waves;
#[path = "front/retry_windows.rs"]
mod retry_windows;
#[path = "front/waits.rs"]
mod waits;
#[path = "front/waves_by_tag.rs"]
mod waves_by_tag;

/// One account with a group of two nodes in two Regions.
fn world() -> SimClock {
    let text = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1", "eu-west-1"]
        nodes = [{ count = 2, patch = { minutes = 5.0 } }]
    "#;
    SimClock::new(World::parse(text).unwrap(), ClockMode::Jump)
}

fn ask(name: &str) -> PatchRequest {
    request(&format!(
        r#"
        name = "{name}"
        patch = {{ operation = "Install" }}
        targets = {{ resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }}
        "#
    ))
    .unwrap()
}

fn ports(clock: &SimClock) -> Ports {
    in_memory(clock, &ask("weekly").access).unwrap()
}

/// The campaigns of one process: each has a writer of its own.
fn process(clock: &SimClock, store: &Store, number: u128) -> Campaigns {
    let writer = WriterId::from_uuid(Uuid::from_u128(number));
    Campaigns::new(ports(clock), store.clone(), writer)
}

fn campaign(number: u128) -> CampaignId {
    CampaignId::from_uuid(Uuid::from_u128(number))
}

fn executions(clock: &SimClock) -> usize {
    clock.with_world(|world| {
        world
            .executions()
            .filter(|execution| execution.parent().is_none())
            .count()
    })
}

/// How many calls the world was sent.
fn calls(clock: &SimClock) -> u64 {
    clock.with_world(|world| world.calls().values().sum())
}

fn refused(error: &CampaignError) -> RefusalCode {
    assert_eq!(error.remedy(), Remedy::Change);
    match error {
        CampaignError::Refused(refusal) => refusal.reasons[0].code,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn one_call_takes_a_request_to_its_report_and_the_same_call_again_starts_nothing() {
    let (clock, store) = (world(), Store::in_memory());
    let (request, planning) = (ask("weekly"), Planning::default());
    let first = process(&clock, &store, 1)
        .run(campaign(9), &request, &planning)
        .await
        .unwrap();
    assert_eq!(first.outcome, ReportOutcome::Succeeded);
    assert_eq!(first.totals.nodes.total(), 4);
    let started = executions(&clock);
    let again = process(&clock, &store, 2)
        .run(campaign(9), &request, &planning)
        .await
        .unwrap();
    assert_eq!(again, first);
    assert_eq!(executions(&clock), started);
}

#[tokio::test]
async fn a_process_that_died_is_followed_by_one_that_makes_the_same_call() {
    let (clock, store, request) = (world(), Store::in_memory(), ask("weekly"));
    let dies = process(&clock, &store, 1);
    let begun = dies.plan(&request, &Planning::default()).await.unwrap();
    let begun = begun.begin(campaign(9)).await.unwrap();
    let soon = ports(&clock).clock.now() + jiff::SignedDuration::from_secs(90);
    let Progress::Paused { .. } = begun.run_until(soon).await.unwrap() else {
        panic!("it was over too soon")
    };
    let started = executions(&clock);
    assert!(started > 0);
    let report = process(&clock, &store, 2)
        .run(campaign(9), &request, &Planning::default())
        .await
        .unwrap();
    assert_eq!(report.outcome, ReportOutcome::Succeeded);
    assert_eq!(executions(&clock), started);
    assert_eq!(begun.report().await.unwrap(), report);
}

#[tokio::test]
async fn an_id_that_another_request_has_is_refused_and_not_answered_with_that_ones_report() {
    let (clock, store) = (world(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let planning = Planning::default();
    campaigns
        .run(campaign(9), &ask("weekly"), &planning)
        .await
        .unwrap();
    let before = calls(&clock);
    let error = campaigns
        .run(campaign(9), &ask("monthly"), &planning)
        .await
        .unwrap_err();
    assert_eq!(error.remedy(), Remedy::Change);
    assert!(error.to_string().contains("one of the request weekly"), "{error}");
    assert_eq!(calls(&clock), before);
}

#[tokio::test]
async fn beginning_a_plan_under_an_id_that_another_request_has_leaves_that_ones_campaign_alone() {
    let (clock, store, planning) = (world(), Store::in_memory(), Planning::default());
    let campaigns = process(&clock, &store, 1);
    let weekly = campaigns.plan(&ask("weekly"), &planning).await.unwrap();
    weekly.begin(campaign(9)).await.unwrap();
    let before = store.load(campaign(9)).await.unwrap();
    let monthly = campaigns.plan(&ask("monthly"), &planning).await.unwrap();
    let error = monthly.begin(campaign(9)).await.unwrap_err();
    let CampaignError::OtherRequest { campaign: id, name } = &error else {
        panic!("{error}")
    };
    assert_eq!((*id, name.as_str()), (campaign(9), "weekly"));
    assert_eq!(store.load(campaign(9)).await.unwrap(), before);
    assert_eq!(executions(&clock), 0);
}

#[tokio::test]
async fn of_two_deliveries_of_an_event_both_follow_its_campaign_though_one_saw_no_campaign_at_first() {
    let (clock, store, request) = (world(), Store::in_memory(), ask("weekly"));
    let planning = Planning::default();
    let first = process(&clock, &store, 1);
    let planned = first.plan(&request, &planning).await.unwrap();
    planned.begin(campaign(9)).await.unwrap();
    let unseen = Store::new(Arc::new(Blink::new(store.log.clone())), store.rows.clone());
    let report = process(&clock, &unseen, 2)
        .run(campaign(9), &request, &planning)
        .await
        .unwrap();
    assert_eq!(report.outcome, ReportOutcome::Succeeded);
    assert_eq!(executions(&clock), 1);
    // Another id is another campaign: it is refused while one is open.
    let other = ask("monthly");
    let planned = first.plan(&other, &planning).await.unwrap();
    planned.begin(campaign(7)).await.unwrap();
    let error = first.plan_of(campaign(8), &other, &planning).await.unwrap_err();
    assert_eq!(refused(&error), RefusalCode::CampaignOpen);
}

/// A log that has no records when it is read first: what stands there was appended just after.
struct Blink {
    log: Arc<dyn CampaignLog>,
    is_first: AtomicBool,
}

impl Blink {
    fn new(log: Arc<dyn CampaignLog>) -> Self {
        Self {
            log,
            is_first: AtomicBool::new(true),
        }
    }
}

impl CampaignLog for Blink {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.log.append(key, record)
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        match self.is_first.swap(false, Ordering::Relaxed) {
            true => Box::pin(async { Ok(vec![]) }),
            false => self.log.read(key, from),
        }
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.log.keys()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.log.request_name(campaign)
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.log.last(key)
    }
}

#[tokio::test]
async fn a_request_with_an_open_campaign_is_refused_before_aws_is_asked_anything() {
    let (clock, store, request) = (world(), Store::in_memory(), ask("weekly"));
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&request, &Planning::default()).await.unwrap();
    planned.begin(campaign(9)).await.unwrap();
    let before = calls(&clock);
    let error = campaigns
        .run(campaign(8), &request, &Planning::default())
        .await
        .unwrap_err();
    assert_eq!(refused(&error), RefusalCode::CampaignOpen);
    assert_eq!(calls(&clock), before);
    assert_eq!(executions(&clock), 0);
}

#[tokio::test]
async fn a_plan_that_is_dropped_leaves_nothing_behind() {
    let (clock, store, request) = (world(), Store::in_memory(), ask("weekly"));
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&request, &Planning::default()).await.unwrap();
    assert_eq!(planned.plan().locations.len(), 2);
    drop(planned);
    assert!(
        store
            .campaigns(Timestamp::MIN)
            .await
            .unwrap()
            .campaigns
            .is_empty()
    );
    assert_eq!(executions(&clock), 0);
}

#[tokio::test]
async fn a_plan_that_is_not_the_approved_one_does_not_begin() {
    let (clock, store) = (world(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let plan = |name| {
        let campaigns = &campaigns;
        async move { campaigns.plan(&ask(name), &Planning::default()).await.unwrap() }
    };
    let approved = plan("weekly").await.plan().clone();
    assert!(plan("weekly").await.approved_as(&approved).is_ok());
    let differences = plan("monthly").await.approved_as(&approved).unwrap_err();
    assert_eq!(differences, ["the request is another one"]);
}

#[tokio::test]
async fn a_campaign_is_not_taken_up_from_another_region_than_it_was_planned_from() {
    let (clock, store, request) = (world(), Store::in_memory(), ask("weekly"));
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&request, &Planning::default()).await.unwrap();
    planned.begin(campaign(9)).await.unwrap();
    let (role, session) = (request.access.discovery_role, request.access.session_name);
    let elsewhere = MemoryPorts::new(clock.clone(), "eu-west-1".parse().unwrap(), role, session);
    let writer = WriterId::from_uuid(Uuid::from_u128(2));
    let elsewhere = Campaigns::new(elsewhere.into_ports(), store.clone(), writer);
    let state = store.load(campaign(9)).await.unwrap().unwrap();
    let error = elsewhere.resume(&state).await.unwrap_err();
    assert_eq!(refused(&error), RefusalCode::OtherCentral);
    assert_eq!(executions(&clock), 0);
}

#[tokio::test]
async fn an_event_that_is_delivered_twice_starts_one_execution() {
    let clock = world();
    let (ports, request) = (ports(&clock), ask("weekly"));
    let event = EventId::new(EventSource::Event, "5b6c7d8e").unwrap();
    let planning = Planning::default();
    let serve = || serve_event(&ports, &event, &request, &planning, None);
    let Served::Started {
        campaign,
        executions: started,
        plan,
    } = serve().await.unwrap()
    else {
        panic!("nothing was started before")
    };
    assert_eq!(campaign, CampaignId::of_event(&request.digest(), &event));
    assert_eq!(plan.locations.len(), 2);
    // By now AWS lists it.
    let later = ports.clock.now() + jiff::SignedDuration::from_mins(3);
    ports.clock.sleep_until(later).await;
    let Served::Before { before, .. } = serve().await.unwrap() else {
        panic!("it was started before")
    };
    assert_eq!(before.executions[0].execution, started[0].execution);
    assert_eq!(executions(&clock), 1);
}

#[tokio::test]
async fn what_may_pass_is_told_from_what_a_person_has_to_change() {
    let clock = world();
    let throttled = serde_json::json!({ "effect": "throttle", "operations": ["sts:GetCallerIdentity"] });
    let throttled = serde_json::from_value(throttled).unwrap();
    clock.with_world(|world| world.add_fault(throttled)).unwrap();
    let campaigns = process(&clock, &Store::in_memory(), 1);
    let error = campaigns
        .run(campaign(9), &ask("weekly"), &Planning::default())
        .await
        .unwrap_err();
    assert_eq!(error.remedy(), Remedy::TryLater, "{error}");
    let CampaignError::Asking(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.kind(), PortErrorKind::Throttled);
}

/// A log that counts how often all of its campaigns are looked at.
struct Looked {
    log: Arc<dyn CampaignLog>,
    listed: AtomicUsize,
}

impl CampaignLog for Looked {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.log.append(key, record)
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        self.log.read(key, from)
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.listed.fetch_add(1, Ordering::Relaxed);
        self.log.keys()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.log.request_name(campaign)
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.log.last(key)
    }
}

#[tokio::test]
async fn a_new_campaign_looks_at_the_others_before_it_is_planned_and_before_it_is_written_down() {
    let (clock, store) = (world(), Store::in_memory());
    let log = Arc::new(Looked {
        log: store.log.clone(),
        listed: AtomicUsize::default(),
    });
    let store = Store {
        log: log.clone(),
        ..store
    };
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns
        .plan(&ask("weekly"), &Planning::default())
        .await
        .unwrap();
    let begun = planned.begin(campaign(9)).await.unwrap();
    begun.run().await.unwrap();
    assert_eq!(log.listed.load(Ordering::Relaxed), 2);
}
