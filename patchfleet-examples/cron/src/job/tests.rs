use super::notices::notices;
use super::*;
use patchfleet_core::id::{AccountId, EventSource, OrgParent, OuId};
use patchfleet_core::plan::Planning;
use patchfleet_core::port::{
    AccountView, BoxFuture, Caller, Clock, Directory, Page, PageToken, PlacedAccount, PortResult, Ports,
    RegionView,
};
use patchfleet_core::request::Access;
use patchfleet_sim::builtin::CALM;
use patchfleet_sim::world::World;
use patchfleet_sim::{ClockMode, MemoryPorts, SimClock};
use std::sync::{Arc, OnceLock};

mod carried_over;
mod missed;
mod once;
mod second_attempt;
mod silence;
mod trouble;

#[test]
fn a_cutoff_counts_from_the_slot_however_late_that_begins_and_from_now_without_one() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let slot = EventId::new(EventSource::Slot, "2026-03-03T22:15[Europe/Berlin]").unwrap();
    // It was to begin ten minutes after its time.
    let slot = Event::Slot {
        id: slot,
        at: at("2026-03-03T21:25:00Z"),
        counts_from: at("2026-03-03T21:15:00Z"),
    };
    let (after, now) = (SignedDuration::from_hours(9), at("2026-03-03T21:29:00Z"));
    let cutoff = |event: &Event| event.cutoff(after, now);
    assert_eq!(cutoff(&slot), at("2026-03-04T06:15:00Z"));
    assert_eq!(cutoff(&Event::Once(None)), at("2026-03-04T06:29:00Z"));
}

/// A simulated organisation in this process. Its clock jumps to whatever is waited for.
struct Simulated {
    clock: SimClock,
    /// The job that is told to stop as soon as it plans.
    stop: OnceLock<watch::Sender<bool>>,
}

impl Reach for Simulated {
    async fn ports(&self, access: &Access) -> Result<Ports, Failure> {
        let (role, session) = (access.discovery_role.clone(), access.session_name.clone());
        let region = "us-east-1".parse().unwrap();
        let mut ports = MemoryPorts::new(self.clock.clone(), region, role, session).into_ports();
        if let Some(stop) = self.stop.get() {
            ports.directory = Arc::new(Stopping(ports.directory, stop.clone()));
        }
        Ok(ports)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }
}

impl Simulated {
    fn executions(&self) -> usize {
        let parents = |world: &mut World| world.executions().filter(|one| one.parent().is_none()).count();
        self.clock.with_world(parents)
    }
}

/// A directory that tells a job to stop when planning begins, which is when it asks who calls.
struct Stopping(Arc<dyn Directory>, watch::Sender<bool>);

impl Directory for Stopping {
    fn caller(&self) -> BoxFuture<'_, PortResult<Caller>> {
        self.1.send_replace(true);
        self.0.caller()
    }

    fn account(&self, account: &AccountId) -> BoxFuture<'_, PortResult<AccountView>> {
        self.0.account(account)
    }

    fn organization(&self, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<PlacedAccount>>> {
        self.0.organization(page)
    }

    fn accounts(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<AccountView>>> {
        self.0.accounts(parent, page)
    }

    fn child_units(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<OuId>>> {
        self.0.child_units(parent, page)
    }

    fn account_tags(
        &self,
        account: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(String, String)>>> {
        self.0.account_tags(account, page)
    }

    fn regions(
        &self,
        account: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<RegionView>>> {
        self.0.regions(account, page)
    }
}

/// A job for a slot that comes due now, while a campaign of its request is open. Nothing of that campaign
/// has been started.
struct Night {
    job: Job<Simulated>,
    slot: EventId,
    at: Timestamp,
    stop: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

impl Night {
    /// Another campaign is open.
    async fn new(late: SignedDuration) -> Self {
        Self::with(late, |_, _| CampaignId::from_uuid(Uuid::new_v4())).await
    }

    /// The open campaign is the one that `open` makes of the request and the slot.
    async fn with(late: SignedDuration, open: impl Fn(&PatchRequest, &EventId) -> CampaignId) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let request = dir.path().join("request.toml");
        std::fs::write(&request, CALM.request).unwrap();
        let (stop, stopped) = watch::channel(false);
        let clock = SimClock::new(World::parse(CALM.world).unwrap(), ClockMode::Jump);
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
            late,
            missed: Missed::Skip,
            schedule: None,
            stop: stopped,
        };
        let request = job.request().unwrap();
        let Ok(ports) = job.reach.ports(&request.access).await else {
            panic!("the simulator is always reached");
        };
        let slot = EventId::new(EventSource::Slot, "2026-03-03T22:15:00 UTC").unwrap();
        let id = open(&request, &slot);
        let campaigns = job.campaigns(&ports, &notices());
        let planned = campaigns.plan(&request, &Planning::default()).await.unwrap();
        planned.begin(id).await.unwrap();
        Self {
            slot,
            at: ports.clock.now(),
            job,
            stop,
            _dir: dir,
        }
    }

    async fn slot(&self) -> Became {
        self.job.slot(self.slot.clone(), &due(self.at)).await
    }

    async fn has_run(&self) -> bool {
        let request = self.job.request().unwrap();
        self.job.has_run(&request, &self.slot).await
    }
}

/// A slot that comes due at this time.
fn due(at: Timestamp) -> Slot {
    Slot {
        at,
        counts_from: at,
        id: String::new(),
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
    assert_eq!(
        night.job.once(None).await,
        130,
        "what was asked for was not begun"
    );
    assert_eq!(night.job.reach.executions(), UNITS);
}

#[tokio::test]
async fn a_process_that_ends_while_a_campaign_is_open_does_not_call_that_a_success() {
    let night = Night::new(SignedDuration::from_mins(15)).await;
    assert_eq!(night.job.end().await, 1);
}

#[tokio::test]
async fn a_slot_whose_own_campaign_is_open_goes_on_with_it_however_late_it_is_over() {
    let own = |request: &PatchRequest, slot: &EventId| CampaignId::of_event(&request.digest(), slot);
    let night = Night::with(SignedDuration::from_mins(1), own).await;
    assert_eq!(night.slot().await, Became::Run);
    assert_eq!(night.job.reach.executions(), UNITS);
    assert!(night.has_run().await);
}

#[tokio::test]
async fn a_campaign_that_is_being_planned_when_the_process_is_told_to_stop_does_not_begin() {
    let night = Night::new(SignedDuration::from_hours(24)).await;
    assert!(night.job.finish_open().await);
    assert!(night.job.reach.stop.set(night.stop.clone()).is_ok());
    assert_eq!(night.slot().await, Became::Stopped);
    assert_eq!(night.job.reach.executions(), UNITS, "the open campaign's alone");
    assert!(!night.has_run().await);
}
