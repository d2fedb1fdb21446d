//! Whoever waits for the front door hears within ten seconds what has no answer.

use super::{ask, campaign, ports, world};
use patchfleet_core::{
    Campaigns, Served,
    campaign::{Appended, CampaignLog, LogKey, NodeRows, Notices, Record, Store},
    id::{CampaignId, DocumentName, EventId, EventSource, Location, NodeId, RequestName, WriterId},
    outcome::NodeRow,
    plan::Planning,
    port::{
        BoxFuture, Clock, DocumentVersion, DocumentView, Documents, Inventory, ManagedNode, MemberPage, Page,
        PageToken, PortResult, Ports, Selection,
    },
    refusal::RefusalCode,
    report::ReportOutcome,
    request::Regions,
    runbook::{Runbook, StepTimeout},
    serve_event, watched,
};
use patchfleet_sim::SimClock;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// A port that answers after a while, while somebody watches the time.
struct Slow<P: ?Sized> {
    inner: Arc<P>,
    clock: Arc<dyn Clock>,
    notices: Notices,
}

impl<P: ?Sized> Slow<P> {
    async fn wait(&self) {
        for _ in 0..30 {
            let next = self.clock.now() + jiff::SignedDuration::from_secs(1);
            self.clock.sleep_until(next).await;
            self.notices.look(self.clock.now());
        }
    }
}

impl Inventory for Slow<dyn Inventory> {
    fn members(
        &self,
        location: &Location,
        selection: &Selection,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        let (location, selection) = (location.clone(), selection.clone());
        Box::pin(async move {
            self.wait().await;
            self.inner.members(&location, &selection, page).await
        })
    }

    fn managed(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        self.inner.managed(location, only, page)
    }

    fn tag_values(
        &self,
        location: &Location,
        key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(NodeId, String)>>> {
        self.inner.tag_values(location, key, page)
    }
}

/// What a person is told.
type Lines = Arc<Mutex<Vec<String>>>;

/// Somebody who is told, and what they were told.
fn hearer() -> (Notices, Lines) {
    let lines = Lines::default();
    let told = Arc::clone(&lines);
    let notices = Notices::new(Arc::new(move |notice| {
        told.lock().unwrap().push(notice.to_string());
    }));
    (notices, lines)
}

/// Ports whose inventory is slow, with those who are told and what they were told.
fn slow(clock: &SimClock) -> (Ports, Notices, Lines) {
    let (notices, lines) = hearer();
    let ports = ports(clock);
    let slow = Slow {
        inner: ports.inventory.clone(),
        clock: ports.clock.clone(),
        notices: notices.clone(),
    };
    let inventory = Arc::new(slow);
    (Ports { inventory, ..ports }, notices, lines)
}

#[track_caller]
fn assert_heard(lines: &[String], of: &str) {
    let words = format!("finding out which nodes are in {of} has had no answer since");
    assert!(lines.iter().any(|line| line.starts_with(&words)), "{lines:?}");
    let works = "finding out which nodes are in a location works again";
    assert!(lines.iter().any(|line| line.starts_with(works)), "{lines:?}");
}

#[tokio::test]
async fn who_waits_for_a_plan_hears_after_ten_seconds_what_has_no_answer() {
    let clock = world();
    let (ports, notices, lines) = slow(&clock);
    let writer = WriterId::from_uuid(Uuid::from_u128(1));
    let campaigns = Campaigns::new(ports, Store::in_memory(), writer).noticed_by(notices);
    let planned = campaigns.plan(&ask("weekly"), &Planning::default()).await;
    assert_eq!(planned.unwrap().plan().locations.len(), 2);
    assert_heard(&lines.lock().unwrap(), "111111111111/eu-west-1 and 1 other");
}

#[tokio::test]
async fn who_serves_an_event_hears_after_ten_seconds_what_has_no_answer() {
    let clock = world();
    let (ports, notices, lines) = slow(&clock);
    let event = EventId::new(EventSource::Event, "1a6ab819").unwrap();
    let watched = watched(&ports, &notices);
    let mut request = ask("weekly");
    request.targets.regions = Regions::List(vec!["us-east-1".parse().unwrap()]);
    let served = serve_event(&watched, &event, &request, &Planning::default(), None).await;
    assert!(matches!(served.unwrap(), Served::Started { .. }));
    assert_heard(&lines.lock().unwrap(), "111111111111/us-east-1");
}

/// Documents that are written late, while somebody watches the time.
struct SlowDocuments(Slow<dyn Documents>);

impl Documents for SlowDocuments {
    fn read(
        &self,
        at: Option<&Location>,
        name: &DocumentName,
        version: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>> {
        self.0.inner.read(at, name, version)
    }

    fn create(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<String>> {
        let name = name.clone();
        Box::pin(async move {
            self.0.wait().await;
            self.0.inner.create(&name, content_json).await
        })
    }

    fn update(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        let name = name.clone();
        Box::pin(async move {
            self.0.wait().await;
            self.0.inner.update(&name, content_json).await
        })
    }

    fn latest_version(&self, name: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        self.0.inner.latest_version(name)
    }

    fn set_default(&self, name: &DocumentName, version: &str) -> BoxFuture<'_, PortResult<()>> {
        let (name, version) = (name.clone(), version.to_owned());
        Box::pin(async move {
            self.0.wait().await;
            self.0.inner.set_default(&name, &version).await
        })
    }
}

#[tokio::test]
async fn who_writes_the_runbook_hears_after_ten_seconds_what_has_no_answer() {
    let (ports, (notices, lines)) = (ports(&world()), hearer());
    let slow = Arc::new(SlowDocuments(Slow {
        inner: ports.documents.clone(),
        clock: ports.clock.clone(),
        notices: notices.clone(),
    }));
    let watched = watched(
        &Ports {
            documents: slow,
            ..ports
        },
        &notices,
    );
    let documents = watched.documents.as_ref();
    let name: DocumentName = "Own-Runbook".parse().unwrap();
    let heard = || {
        let lines = std::mem::take(&mut *lines.lock().unwrap());
        let words = "writing the document Own-Runbook has had no answer since";
        lines.iter().filter(|line| line.starts_with(words)).count()
    };
    // Told after 10 seconds, and once more after 20 more.
    let version = documents
        .create(&name, Runbook::default().to_json())
        .await
        .unwrap();
    assert_eq!(heard(), 2);
    documents.set_default(&name, &version).await.unwrap();
    assert_eq!(heard(), 2);
    let other = Runbook::new(StepTimeout::from_seconds(100_000).unwrap());
    documents.update(&name, other.to_json()).await.unwrap();
    assert_eq!(heard(), 2);
}

/// A store that answers each call after twelve seconds. Somebody looks every second, and has to hear of each call.
struct SlowStore {
    inner: Store,
    clock: Arc<dyn Clock>,
    notices: Notices,
    lines: Lines,
    /// The calls of which nobody heard.
    silent: Lines,
}

impl SlowStore {
    fn answer<'a, T: Send + 'a>(
        &'a self,
        name: &'static str,
        what: &'static str,
        call: BoxFuture<'a, T>,
    ) -> BoxFuture<'a, T> {
        Box::pin(async move {
            let before = self.lines.lock().unwrap().len();
            for _ in 0..12 {
                let next = self.clock.now() + jiff::SignedDuration::from_secs(1);
                self.clock.sleep_until(next).await;
                self.notices.look(self.clock.now());
            }
            let lines = self.lines.lock().unwrap()[before..].to_vec();
            let is_heard = |line: &String| line.starts_with(what) && line.contains("has had no answer since");
            if !lines.iter().any(is_heard) {
                self.silent.lock().unwrap().push(format!("{name}: {lines:?}"));
            }
            call.await
        })
    }

    fn log<'a, T: Send + 'a>(&'a self, name: &'static str, call: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
        self.answer(name, "reading or writing the campaign's log", call)
    }
}

impl CampaignLog for SlowStore {
    fn make(&self) -> BoxFuture<'_, PortResult<()>> {
        self.log("make", self.inner.log.make())
    }

    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.log("append", self.inner.log.append(key, record))
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        self.log("read", self.inner.log.read(key, from))
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.log("keys", self.inner.log.keys())
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.log("request_name", self.inner.log.request_name(campaign))
    }

    fn first(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.log("first", self.inner.log.first(key))
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.log("last", self.inner.log.last(key))
    }
}

impl NodeRows for SlowStore {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        let put = self.inner.rows.put(campaign, location, attempt, rows);
        self.answer("put", "keeping the results of", put)
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        let rows = self.inner.rows.rows(campaign, location);
        self.answer("rows", "reading the kept results of", rows)
    }
}

/// The front door over a world, whose store is slow; the store; and the calls of which nobody heard.
fn over_slow_store(clock: &SimClock) -> (Campaigns, Lines) {
    let (notices, lines) = hearer();
    let silent = Lines::default();
    let ports = ports(clock);
    let slow = Arc::new(SlowStore {
        inner: Store::in_memory(),
        clock: ports.clock.clone(),
        notices: notices.clone(),
        lines,
        silent: Arc::clone(&silent),
    });
    let store = Store::new(slow.clone(), slow);
    let writer = WriterId::from_uuid(Uuid::from_u128(1));
    (Campaigns::new(ports, store, writer).noticed_by(notices), silent)
}

#[tokio::test]
async fn no_call_of_the_store_that_takes_long_is_silent_from_the_plan_to_the_report() {
    let clock = world();
    let (campaigns, silent) = over_slow_store(&clock);
    let silent = || std::mem::take(&mut *silent.lock().unwrap());
    let (request, planning) = (ask("weekly"), Planning::default());
    let planned = campaigns.plan(&request, &planning).await.unwrap();
    assert_eq!(silent(), [""; 0], "while it is planned");
    let begun = planned.begin(campaign(9)).await.unwrap();
    assert_eq!(silent(), [""; 0], "when it is written down");
    let refused = campaigns.plan(&request, &planning).await.unwrap_err();
    assert_eq!(super::refused(&refused), RefusalCode::CampaignOpen);
    assert_eq!(silent(), [""; 0], "when its name is taken");
    begun.report().await.unwrap();
    assert_eq!(silent(), [""; 0], "when it is reported while it is open");
    let report = campaigns.run(campaign(9), &request, &planning).await.unwrap();
    assert_eq!(report.outcome, ReportOutcome::Succeeded);
    assert_eq!(silent(), [""; 0], "while it is taken up again and followed");
    begun.collect_again().await.unwrap();
    assert_eq!(silent(), [""; 0], "when its results are read again");
}

#[tokio::test]
async fn no_call_is_silent_of_whoever_lists_what_a_slow_store_has() {
    let clock = world();
    let (notices, lines) = hearer();
    let silent = Lines::default();
    let shared: Arc<dyn Clock> = ports(&clock).clock;
    let inner = Store::in_memory();
    let slow = Arc::new(SlowStore {
        inner: inner.clone(),
        clock: Arc::clone(&shared),
        notices: notices.clone(),
        lines,
        silent: Arc::clone(&silent),
    });
    let (request, planning) = (ask("weekly"), Planning::default());
    let report = super::process(&clock, &inner, 1)
        .run(campaign(9), &request, &planning)
        .await;
    assert_eq!(report.unwrap().outcome, ReportOutcome::Succeeded);
    let store = Store::new(slow.clone(), slow).watched(&shared, &notices);
    let list = store.campaigns(shared.now()).await.unwrap();
    assert_eq!(list.campaigns.len(), 1);
    let open = store.open_campaign(&"weekly".parse().unwrap()).await.unwrap();
    assert_eq!(open, None);
    let state = store.load(campaign(9)).await.unwrap().unwrap();
    store.report(&state, shared.now()).await.unwrap();
    assert_eq!(*silent.lock().unwrap(), [""; 0]);
}
