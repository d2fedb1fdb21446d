use super::*;
use patchfleet_core::id::EventSource;
use patchfleet_sim::builtin::CALM;
use patchfleet_sim::world::World;
use patchfleet_sim::{ClockMode, MemoryPorts, SimClock};

#[test]
fn a_cutoff_counts_from_the_slot_however_late_that_begins_and_from_now_without_one() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let slot = EventId::new(EventSource::Slot, "2026-03-03T22:15[Europe/Berlin]").unwrap();
    let slot = Event::Slot(slot, at("2026-03-03T21:15:00Z"));
    let (after, now) = (SignedDuration::from_hours(9), at("2026-03-03T21:29:00Z"));
    let cutoff = |event: &Event| event.cutoff(after, now);
    assert_eq!(
        cutoff(&slot),
        Cutoff {
            at: at("2026-03-04T06:15:00Z"),
            now
        }
    );
    assert_eq!(
        cutoff(&Event::Once),
        Cutoff {
            at: at("2026-03-04T06:29:00Z"),
            now
        }
    );
}

/// A simulated organisation in this process. Its clock jumps to whatever is waited for.
struct Simulated(SimClock);

impl Reach for Simulated {
    async fn ports(&self, access: &Access) -> Result<Ports, Failure> {
        let (role, session) = (access.discovery_role.clone(), access.session_name.clone());
        let region = "us-east-1".parse().unwrap();
        Ok(MemoryPorts::new(self.0.clone(), region, role, session).into_ports())
    }
}

impl Simulated {
    fn executions(&self) -> usize {
        let parents = |world: &mut World| world.executions().filter(|one| one.parent().is_none()).count();
        self.0.with_world(parents)
    }
}

/// A job for a slot that comes due now, while another campaign of its request is open. Nothing of that
/// campaign has been started.
struct Night {
    job: Job<Simulated>,
    slot: EventId,
    at: Timestamp,
    stop: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

impl Night {
    async fn new(late: SignedDuration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let request = dir.path().join("request.toml");
        std::fs::write(&request, CALM.request).unwrap();
        let (stop, stopped) = watch::channel(false);
        let clock = SimClock::new(World::parse(CALM.world).unwrap(), ClockMode::Jump);
        let job = Job {
            reach: Simulated(clock),
            request,
            log: dir.path().join("log"),
            cutoff: None,
            late,
            stop: stopped,
        };
        let request = job.request().unwrap();
        let Ok(ports) = job.reach.ports(&request.access).await else {
            panic!("the simulator is always reached");
        };
        let (directory, inventory) = (ports.directory.as_ref(), ports.inventory.as_ref());
        let options = plan::Options::default();
        let plan = plan::make(directory, inventory, ports.documents.as_ref(), &request, &options)
            .await
            .unwrap();
        let driver = job.driver(&ports);
        let old = CampaignId::from_uuid(Uuid::new_v4());
        driver.begin(old, &plan).await.unwrap();
        Self {
            slot: EventId::new(EventSource::Slot, "2026-03-03T22:15:00 UTC").unwrap(),
            at: ports.clock.now(),
            job,
            stop,
            _dir: dir,
        }
    }

    async fn slot(&self) -> Became {
        self.job.slot(self.slot.clone(), self.at).await
    }

    async fn has_run(&self) -> bool {
        let request = self.job.request().unwrap();
        self.job.has_run(&request, &self.slot).await
    }
}

/// How many executions one campaign of the calm world has.
const UNITS: usize = 4;

#[tokio::test]
async fn a_slot_does_not_begin_later_than_it_may_when_an_open_campaign_had_to_be_finished_first() {
    let night = Night::new(SignedDuration::from_mins(1)).await;
    assert_eq!(night.slot().await, Became::TooLate);
    assert_eq!(night.job.reach.executions(), UNITS, "the open campaign's alone");
    assert!(!night.has_run().await);
    assert_eq!(night.job.end().await, 0, "nothing is left open");
}

#[tokio::test]
async fn a_slot_begins_after_an_open_campaign_if_it_still_may_and_runs_once() {
    let night = Night::new(SignedDuration::from_hours(24)).await;
    assert_eq!(night.slot().await, Became::Run);
    assert_eq!(night.job.reach.executions(), 2 * UNITS);
    assert!(night.has_run().await);
    assert_eq!(night.job.end().await, 0);
}

#[tokio::test]
async fn a_process_that_is_told_to_stop_finishes_the_open_campaign_and_begins_no_other() {
    let night = Night::new(SignedDuration::from_hours(24)).await;
    night.stop.send_replace(true);
    assert_eq!(night.slot().await, Became::Stopped);
    assert_eq!(night.job.reach.executions(), UNITS, "the open campaign's alone");
    // With nothing open it is the same.
    assert_eq!(night.slot().await, Became::Stopped);
    assert_eq!(night.job.once().await, 130, "what was asked for was not begun");
    assert_eq!(night.job.reach.executions(), UNITS);
}

#[tokio::test]
async fn a_process_that_ends_while_a_campaign_is_open_does_not_call_that_a_success() {
    let night = Night::new(SignedDuration::from_mins(15)).await;
    assert_eq!(night.job.end().await, 1);
}
