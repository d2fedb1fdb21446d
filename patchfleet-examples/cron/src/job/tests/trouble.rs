//! Nobody watches this process: it takes a campaign up again by itself.

use super::*;
use patchfleet_core::campaign::{Appended, CampaignLog, LogKey, Record};
use patchfleet_core::id::RequestName;
use patchfleet_core::outcome::FinishedOutcome;
use patchfleet_core::port::{PortError, PortErrorKind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Once, mpsc};
use tracing::instrument::WithSubscriber as _;

/// A job over the calm world, in which one execution runs after the other, and calls are denied.
struct Watch {
    job: Job<Simulated>,
    stop: watch::Sender<bool>,
    from: Timestamp,
    _dir: tempfile::TempDir,
}

/// Which calls are denied, and between which seconds of the world.
type Denied<'a> = (&'a str, u64, Option<u64>);

impl Watch {
    fn new(denied: Denied<'_>, schedule: Option<&str>) -> Self {
        Self::with("\"deny\"", denied, schedule)
    }

    /// A job over a world in which `effect` happens to those calls.
    fn with(effect: &str, (action, from, until): Denied<'_>, schedule: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let request = dir.path().join("request.toml");
        let many = "[budget.locations]\nmax_concurrency = 10";
        assert!(CALM.request.contains(many));
        let one = CALM
            .request
            .replace(many, "[budget.locations]\nmax_concurrency = 1");
        std::fs::write(&request, one).unwrap();
        let until = until.map_or_else(String::new, |until| format!("until_seconds = {until}\n"));
        let world = format!(
            "{}\n[[faults]]\neffect = {effect}\noperations = [\"{action}\"]\nfrom_seconds = {from}\n{until}",
            CALM.world
        );
        let clock = SimClock::new(World::parse(&world).unwrap(), ClockMode::Jump);
        let (stop, stopped) = watch::channel(false);
        let job = Job {
            reach: Simulated {
                clock,
                stop: OnceLock::new(),
            },
            request,
            store: Store::in_memory(),
            log: "my logs".into(),
            cutoff: None,
            second_attempt: false,
            carry_over: false,
            late: SignedDuration::from_mins(15),
            missed: Missed::Skip,
            schedule: schedule.map(|schedule| Schedule::parse(schedule, "UTC").unwrap()),
            stop: stopped,
        };
        Self {
            from: job.reach.clock().now(),
            job,
            stop,
            _dir: dir,
        }
    }

    fn id() -> EventId {
        EventId::new(EventSource::Slot, "2026-03-01T02:00:00 UTC").unwrap()
    }

    /// The slot that has come just now.
    async fn slot(&self) -> Became {
        self.job.slot(Self::id(), &due(self.from)).await
    }

    async fn has_run(&self) -> bool {
        self.job.has_run(&self.job.request().unwrap(), &Self::id()).await
    }

    fn minutes(&self) -> i64 {
        self.job.reach.clock().now().duration_since(self.from).as_mins()
    }
}

/// Looks at executions are denied while the first unit runs, for longer than the driver tries.
const FOR_MINUTES: Denied<'static> = ("ssm:GetAutomationExecution", 200, Some(600));
const FOR_EVER: Denied<'static> = ("ssm:GetAutomationExecution", 200, None);

#[tokio::test]
async fn a_slots_campaign_goes_on_by_itself_once_its_trouble_is_over() {
    let night = Watch::new(FOR_MINUTES, Some("cron(0 2 * * ? *)"));
    assert_eq!(night.slot().await, Became::Run);
    assert!(night.has_run().await, "it is over, and not merely left");
    assert_eq!(night.job.reach.executions(), UNITS, "every unit was begun");
    assert_eq!(night.job.end().await, 0);
}

#[tokio::test]
async fn once_goes_on_by_itself_as_well_and_exits_as_if_nothing_had_been() {
    let night = Watch::new(FOR_MINUTES, None);
    assert_eq!(night.job.once(None).await, 0);
    assert_eq!(night.job.reach.executions(), UNITS);
}

#[tokio::test]
async fn once_gives_up_after_half_an_hour_of_the_same_trouble_and_leaves_the_campaign_open() {
    let night = Watch::new(FOR_EVER, None);
    assert_eq!(night.job.once(None).await, 1);
    assert!((25..40).contains(&night.minutes()), "{} min", night.minutes());
    assert_eq!(night.job.end().await, 1);
}

#[tokio::test]
async fn once_gives_up_as_well_where_the_look_before_a_start_fails_and_each_try_is_written_down() {
    // The driver puts the start off for six hours and a half before it gives up. AWS would answer after ten.
    let night = Watch::new(("ssm:DescribeAutomationExecutions", 200, Some(36_000)), None);
    assert_eq!(night.job.once(None).await, 1);
    assert!(night.minutes() < 500, "{} min", night.minutes());
    assert_eq!(night.job.reach.executions(), 1, "the first unit's");
    assert_eq!(night.job.end().await, 1, "the campaign is open");
}

#[tokio::test]
async fn trouble_that_lasts_is_left_to_the_next_slot_and_is_given_up_before_that_comes() {
    let night = Watch::new(FOR_EVER, Some("cron(0 0/2 * * ? *)"));
    assert_eq!(night.slot().await, Became::Run);
    assert!((110..120).contains(&night.minutes()), "{} min", night.minutes());
    assert_eq!(night.job.end().await, 1, "the campaign is still open");
}

#[tokio::test]
async fn told_to_stop_it_tries_no_further() {
    let night = Watch::new(FOR_EVER, None);
    // It is told to stop while it drives the campaign, and meets trouble after that.
    assert!(night.job.reach.stop.set(night.stop.clone()).is_ok());
    let request = night.job.request().unwrap();
    let Ok(ports) = night.job.reach.ports(&request.access).await else {
        panic!("the simulator is always reached");
    };
    let campaigns = night.job.campaigns(&ports, &notices());
    let planned = campaigns.plan(&request, &Planning::default()).await.unwrap();
    planned
        .begin(CampaignId::from_uuid(Uuid::new_v4()))
        .await
        .unwrap();
    assert!(night.job.finish_open().await);
    assert!(night.minutes() < 15, "{} min", night.minutes());
    assert_eq!(night.job.end().await, 1);
}

#[tokio::test]
async fn a_slot_that_cannot_be_planned_at_first_begins_while_it_may() {
    let night = Watch::new(("sts:GetCallerIdentity", 0, Some(200)), Some("cron(0 2 * * ? *)"));
    assert_eq!(night.slot().await, Became::Run);
    assert!(night.has_run().await);
    let never = Watch::new(("sts:GetCallerIdentity", 0, None), Some("cron(0 2 * * ? *)"));
    assert_eq!(never.slot().await, Became::Run);
    assert!((10..=15).contains(&never.minutes()), "{} min", never.minutes());
    assert_eq!(never.job.reach.executions(), 0);
    assert_eq!(never.job.end().await, 0, "nothing is open");
}

#[tokio::test]
async fn a_campaign_that_nobody_drove_since_long_before_a_slot_begins_nothing_more() {
    let night = Night::new(SignedDuration::from_mins(15)).await;
    let clock = night.job.reach.clock();
    let at = clock.now() + SignedDuration::from_hours(2);
    clock.sleep_until(at).await;
    let request = night.job.request().unwrap();
    let store = &night.job.store;
    let open = store.open_campaign(&request.name).await.unwrap().unwrap();
    assert_eq!(night.job.slot(night.slot.clone(), &due(at)).await, Became::Run);
    let old = store.load(open).await.unwrap().unwrap();
    assert_eq!(old.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(night.has_run().await);
    assert_eq!(
        night.job.reach.executions(),
        UNITS,
        "those of the slot's own campaign"
    );
}

#[tokio::test]
async fn a_campaign_that_is_asked_for_again_with_once_is_begun_however_long_it_was_left() {
    let night = Night::new(SignedDuration::from_mins(15)).await;
    let clock = night.job.reach.clock();
    clock
        .sleep_until(clock.now() + SignedDuration::from_hours(2))
        .await;
    assert_eq!(night.job.once(None).await, 0);
    assert_eq!(night.job.reach.executions(), UNITS);
}

#[tokio::test]
async fn a_campaign_that_could_not_be_driven_for_longer_than_late_begins_nothing_more_in_the_living_process()
{
    let for_hours = ("ssm:GetAutomationExecution", 200, Some(3 * 3600));
    let night = Watch::new(for_hours, Some("cron(0 2 * * ? *)"));
    assert_eq!(night.slot().await, Became::Run);
    let request = night.job.request().unwrap();
    let campaign = CampaignId::of_event(&request.digest(), &Watch::id());
    let state = night.job.store.load(campaign).await.unwrap().unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(night.job.reach.executions(), 1, "the rest is left out");
    let why = state.left_out_because().unwrap().to_string();
    assert!(why.contains("nobody drove the campaign"), "{why}");
}

#[tokio::test]
async fn a_slot_that_is_taken_up_later_than_it_may_begin_does_not_begin_though_no_campaign_was_open() {
    let night = Watch::new(("sts:GetCallerIdentity", 0, Some(1)), Some("cron(0 2 * * ? *)"));
    let clock = night.job.reach.clock();
    clock
        .sleep_until(night.from + SignedDuration::from_mins(16))
        .await;
    assert_eq!(night.slot().await, Became::TooLate);
    assert_eq!(night.job.reach.executions(), 0);
    assert!(!night.has_run().await);
}

#[tokio::test]
async fn a_slot_whose_planning_takes_longer_than_it_may_be_late_does_not_begin() {
    let slow = ("sts:GetCallerIdentity", 0, None);
    let night = Watch::with("{ slow = 1200000 }", slow, Some("cron(0 2 * * ? *)"));
    assert_eq!(night.slot().await, Became::TooLate);
    assert_eq!(night.job.reach.executions(), 0);
    assert_eq!(night.job.end().await, 0, "nothing is open");
}

#[tokio::test]
async fn a_start_of_which_nobody_knows_whether_aws_took_it_leaves_its_campaign_open_and_no_other_begins() {
    let lost = ("ssm:StartAutomationExecution", 0, Some(3_600));
    let watch = Watch::with("\"drop_before\"", lost, None);
    let (code, told) = heard(watch.job.once(None)).await;
    assert_eq!(code, 4, "never a success");
    let open = watch
        .job
        .store
        .open_campaign(&watch.job.request().unwrap().name)
        .await;
    let command = format!(
        "`patchfleet resume {} --log 'my logs' --send-again 1`",
        open.unwrap().unwrap()
    );
    // The warning, the error and the report.
    assert_eq!(told.matches("--send-again").count(), 3, "{told}");
    assert_eq!(told.matches(&command).count(), 3, "{told}");
    assert!(watch.minutes() < 30, "a person is told soon: {}", watch.minutes());
    // Neither a restart nor the next slot sends it, or begins anything beside it.
    assert_eq!(watch.job.once(None).await, 4);
    assert_eq!(watch.slot().await, Became::Run);
    assert!(!watch.has_run().await);
    assert_eq!(watch.job.reach.executions(), 0);
    assert_eq!(watch.job.end().await, 1);
}

/// A log whose disk is full when a campaign's second record comes, which says that the campaign has its name. There is
/// room again once the driver has given up.
struct Full {
    log: Arc<dyn CampaignLog>,
    failures_left: AtomicU32,
}

impl CampaignLog for Full {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        let is_second = matches!(key, LogKey::Campaign(_)) && record.seq == 1;
        let left = &self.failures_left;
        let fails = is_second
            && left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok();
        if fails {
            let full = PortError::new(PortErrorKind::Other, "no space left on device");
            return Box::pin(async { Err(full) });
        }
        self.log.append(key, record)
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        self.log.read(key, from)
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
async fn a_slot_whose_campaign_has_its_name_when_the_disk_is_full_goes_on_with_it_later() {
    let nothing = ("ssm:StopAutomationExecution", 0, None);
    let mut night = Watch::new(nothing, Some("cron(0 2 * * ? *)"));
    let dir = tempfile::tempdir().unwrap();
    let folder = || Store::in_folder(dir.path().join("log"));
    let Store { log, rows } = folder();
    let failures_left = AtomicU32::new(5);
    night.job.store = Store::new(Arc::new(Full { log, failures_left }), rows);
    assert_eq!(night.slot().await, Became::Run);
    assert!(night.has_run().await, "its own name is not taken from it");
    assert_eq!(night.job.reach.executions(), UNITS);
    assert_eq!(night.job.end().await, 0);

    // The next process reads the same from the folder, and begins the next slot there.
    night.job.store = folder();
    assert!(night.has_run().await);
    let next = EventId::new(EventSource::Slot, "2026-03-02T02:00:00 UTC").unwrap();
    let at = night.job.reach.clock().now();
    assert_eq!(night.job.slot(next.clone(), &due(at)).await, Became::Run);
    assert!(night.job.has_run(&night.job.request().unwrap(), &next).await);
    assert_eq!(night.job.reach.executions(), 2 * UNITS);
}

#[tokio::test]
async fn a_slot_that_another_process_has_begun_meanwhile_is_driven_with_that_ones_plan() {
    let denied = ("sts:GetCallerIdentity", 0, Some(30));
    let night = Watch::new(denied, Some("cron(0 2 * * ? *)"));
    let request = night.job.request().unwrap();
    let campaign = CampaignId::of_event(&request.digest(), &Watch::id());
    let Ok(ports) = night.job.reach.ports(&request.access).await else {
        panic!("the simulator is always reached");
    };
    let elsewhere = async {
        ports
            .clock
            .sleep_until(night.from + SignedDuration::from_secs(31))
            .await;
        let campaigns = night.job.campaigns(&ports, &notices());
        let planned = campaigns.plan(&request, &Planning::default()).await.unwrap();
        planned.begin(campaign).await.unwrap();
    };
    // Its first try is denied, and before the second the other process begins the campaign.
    let (became, ()) = tokio::join!(night.slot(), elsewhere);
    assert_eq!(became, Became::Run);
    assert!(night.has_run().await);
    assert_eq!(night.job.reach.executions(), UNITS);
}

/// What work logs, beside what it gives.
pub(super) async fn heard<T>(work: impl Future<Output = T>) -> (T, String) {
    // Where no subscriber takes a line for a moment, tracing remembers so, and would drop the line for the others. Tests
    // that run side by side come and go, and this one stays.
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        let quiet = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
        tracing::subscriber::set_global_default(quiet).unwrap();
    });
    let (send, receive) = mpsc::channel::<Vec<u8>>();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || Ear(send.clone()))
        .finish();
    let done = work.with_subscriber(subscriber).await;
    let told: Vec<u8> = receive.try_iter().flatten().collect();
    (done, String::from_utf8(told).unwrap())
}

struct Ear(mpsc::Sender<Vec<u8>>);

impl std::io::Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes.to_vec()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
