//! One campaign in memory: planned, driven, and accounted for.

use jiff::Timestamp;
use patchfleet_core::{
    campaign::{LogKey, Progress, Record, State, Store},
    id::{CampaignId, EventId, EventSource, Location, ParseIdError, Region, WriterId},
    internals::Driver,
    outcome::NodeRow,
    plan::{Attendance, Plan, PlanError, Planning},
    port::{PortResult, Ports},
    report::Report,
    request::{Access, ExternalId, PatchRequest},
};
use patchfleet_sim::{MemoryPorts, SimClock};
use std::{collections::BTreeMap, error::Error};

/// Whatever went wrong. A test shows it and fails.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The central Region of every test.
///
/// # Errors
///
/// Never: the Region is right.
pub fn central_region() -> Result<Region, ParseIdError> {
    "us-east-1".parse()
}

/// The ports on the world behind `clock`, in memory.
///
/// # Errors
///
/// Never: the central Region is right.
pub fn in_memory(clock: &SimClock, access: &Access) -> Result<Ports, ParseIdError> {
    let ports = MemoryPorts::new(
        clock.clone(),
        central_region()?,
        access.discovery_role.clone(),
        access.session_name.clone(),
    );
    let ports = ports.with_send_role(access.send_role.clone());
    let text = access.external_id.as_ref().and_then(ExternalId::text);
    Ok(ports
        .with_external_id(text.map(|text| text.reveal().to_owned()))
        .into_ports())
}

/// Plans as every front of patchfleet does, counting every node, with a person at a terminal.
///
/// # Errors
///
/// Why there is no plan.
pub async fn plan(ports: &Ports, request: &PatchRequest) -> Result<Plan, PlanError> {
    plan_until(ports, request, None).await
}

/// The same with an instant by which every command has expired.
pub(crate) async fn plan_until(
    ports: &Ports,
    request: &PatchRequest,
    cutoff: Option<Timestamp>,
) -> Result<Plan, PlanError> {
    let planning = Planning {
        attendance: Attendance::Attended,
        cutoff,
        ..Planning::default()
    };
    Plan::make(ports, request, &planning).await
}

/// One campaign, its log and its rows, in memory.
pub struct Campaign {
    /// Its id: that of an event, so that the same request always makes the same campaign.
    pub id: CampaignId,
    /// What it does.
    pub plan: Plan,
    /// Who drives it.
    pub driver: Driver,
}

/// What became of a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Its report.
    pub report: Report,
    /// The row of every node, by location.
    pub rows: BTreeMap<Location, Vec<NodeRow>>,
    /// Its log.
    pub records: Vec<Record>,
}

impl Campaign {
    /// Writes the campaign down. Nothing is started yet.
    ///
    /// # Errors
    ///
    /// If the driver refuses to begin.
    pub async fn begin(ports: &Ports, plan: Plan) -> Result<Self, Failure> {
        let id = CampaignId::of_event(&plan.request.digest(), &EventId::new(EventSource::Slot, "test")?);
        let Store { log, rows } = Store::in_memory();
        let driver = Driver::new(ports, log, rows, WriterId::from_uuid(id.as_uuid()));
        driver.begin(id, &plan).await?;
        Ok(Self { id, plan, driver })
    }

    /// Drives it for so many virtual seconds, and leaves it open.
    ///
    /// # Errors
    ///
    /// If it cannot be driven, or was over before.
    pub async fn run_for(&self, seconds: i64) -> Result<(), Failure> {
        let now = self.driver.clock.now();
        let deadline = now.checked_add(jiff::SignedDuration::from_secs(seconds))?;
        match self.driver.run_until(self.id, deadline).await? {
            Progress::Paused { .. } => Ok(()),
            Progress::Finished(_) => Err("the campaign was over too soon".into()),
        }
    }

    /// Drives it to its end and accounts for it.
    ///
    /// # Errors
    ///
    /// If it cannot be driven to its end.
    pub async fn run(&self) -> Result<Ended, Failure> {
        let state = self.driver.run(self.id).await?;
        Ok(self.account(&state).await?)
    }

    /// Accounts for it as it stands, whether it is over or not.
    ///
    /// # Errors
    ///
    /// If the log or the rows cannot be read.
    pub async fn account(&self, state: &State) -> PortResult<Ended> {
        let store = Store::new(self.driver.log.clone(), self.driver.rows.clone());
        let mut rows = BTreeMap::new();
        for planned in &self.plan.locations {
            let location = planned.location();
            let of = self.driver.rows.rows(self.id, &location).await?;
            rows.insert(location, of);
        }
        Ok(Ended {
            report: store.report(state, state.last_at()).await?,
            rows,
            records: self.driver.log.read(&LogKey::Campaign(self.id), 0).await?,
        })
    }
}

/// Plans, and runs the plan to its end.
///
/// # Errors
///
/// If the plan is refused or the campaign cannot be driven to its end.
pub async fn plan_and_run(ports: &Ports, request: &PatchRequest) -> Result<(Plan, Ended), Failure> {
    let plan = plan(ports, request).await?;
    let ended = Campaign::begin(ports, plan.clone()).await?.run().await?;
    Ok((plan, ended))
}
