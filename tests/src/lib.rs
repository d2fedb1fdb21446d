//! Support for the tests that cross patchfleet's crates. The tests themselves are in `tests/`.
//!
//! A campaign runs over any [`Ports`]: those of a simulated organization in memory ([`in_memory`])
//! or those of the AWS adapter ([`over_http`]).

/// The example of patchfleet-core's README, which needs ports that only the crates above it have.
#[cfg(doctest)]
#[doc = include_str!("../../patchfleet-core/README.md")]
struct CoreReadme;

mod account;

pub use account::Account;

use aws_smithy_types::retry::RetryConfig;
use patchfleet_aws::{Aws, simulated_config};
use patchfleet_core::{
    campaign::{LogKey, Progress, Record, State, Store},
    id::{CampaignId, EventId, EventSource, Location, ParseIdError, Region, WriterId},
    internals::Driver,
    outcome::NodeRow,
    plan::{Attendance, Plan, PlanError, Planning},
    port::{PortResult, Ports},
    problem::Problems,
    report::Report,
    request::{Access, ExternalId, Format, PatchRequest},
};
use patchfleet_sim::{MemoryPorts, Sim, SimClock};
use std::{collections::BTreeMap, error::Error, sync::Arc, time::Duration};

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

/// Reads a request as TOML.
///
/// # Errors
///
/// Every problem of the text.
pub fn request(toml: &str) -> Result<PatchRequest, Problems> {
    PatchRequest::parse(toml.as_bytes(), Format::Toml)
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
    let text = access.external_id.as_ref().and_then(ExternalId::text);
    Ok(ports
        .with_external_id(text.map(|text| text.reveal().to_owned()))
        .into_ports())
}

/// The ports of the AWS adapter on a running simulator: the real SDK, over loopback, on the
/// simulator's clock. It makes as many attempts as ever, and waits next to nothing between them:
/// those waits are real time.
///
/// # Errors
///
/// Whatever keeps the adapter from being built.
pub fn over_http(sim: &Sim, access: &Access) -> Result<Ports, Failure> {
    let config = simulated_config(&sim.endpoint(), &central_region()?)
        .into_builder()
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .build();
    Ok(Aws::builder(&config)
        .access(access.clone())
        .clock(Arc::new(sim.clock()))
        .ports()?)
}

/// Plans as every front of patchfleet does, counting every node, with a person at a terminal.
///
/// # Errors
///
/// Why there is no plan.
pub async fn plan(ports: &Ports, request: &PatchRequest) -> Result<Plan, PlanError> {
    let planning = Planning {
        attendance: Attendance::Attended,
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
