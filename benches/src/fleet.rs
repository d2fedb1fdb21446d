//! A simulated organisation of any size, with a request that patches all of it.

use crate::Fallible;
use crate::meter::{Alive, Meter, Metered};
use crate::pairs::account;
use patchfleet_core::campaign::{LogKey, Record, State, Store};
use patchfleet_core::census::Depth;
use patchfleet_core::id::CampaignId;
use patchfleet_core::internals::Driver;
use patchfleet_core::outcome::FinishedOutcome;
use patchfleet_core::plan::{Attendance, Plan, Planning};
use patchfleet_core::port::Ports;
use patchfleet_core::request::{Format, PatchRequest};
use patchfleet_sim::{ClockMode, MemoryPorts, SimClock, world::World};
use std::collections::BTreeMap;
use tokio::runtime::Runtime;

/// The Regions of every fleet.
pub const REGIONS: [&str; 5] = [
    "us-east-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-southeast-2",
];

const CAMPAIGN: &str = "0b0e7c5e-5a0c-4a39-9d6a-6d0c1f5b8a01";
const WRITER: &str = "0b0e7c5e-5a0c-4a39-9d6a-6d0c1f5b8a02";

/// How large an organisation is. Every account has the group in each of the [`REGIONS`].
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Accounts, the management account among them.
    pub accounts: u64,
    /// Online nodes of the group in each location.
    pub nodes: u64,
}

impl Size {
    /// A fleet of so many locations, with so many nodes in each. `None` unless the locations fill
    /// whole accounts: every account has the group in each of the [`REGIONS`].
    #[must_use]
    pub fn of(locations: u64, nodes: u64) -> Option<Self> {
        let regions = REGIONS.len() as u64;
        let accounts = locations / regions;
        (accounts > 0 && locations.is_multiple_of(regions)).then_some(Self { accounts, nodes })
    }

    /// Reads `1000x10`: locations and nodes in each.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (locations, nodes) = text.split_once('x')?;
        Self::of(locations.parse().ok()?, nodes.parse().ok()?)
    }

    /// How many locations that makes.
    #[must_use]
    pub fn locations(self) -> u64 {
        self.accounts * REGIONS.len() as u64
    }

    /// How many nodes that makes.
    #[must_use]
    pub fn all_nodes(self) -> u64 {
        self.locations() * self.nodes
    }

    /// The text of its world file.
    #[must_use]
    pub fn world(self) -> String {
        let ids: Vec<String> = (0..self.accounts).map(account).collect();
        let accounts: String = ids
            .iter()
            .map(|id| format!("[[accounts]]\nid = \"{id}\"\nname = \"A{id}\"\n"))
            .collect();
        format!(
            "management_account = \"{}\"\n{accounts}\
             [[documents]]\nname = \"Patchfleet-RunPatchBaseline\"\nbuiltin = \"patchfleet\"\n\
             [[groups]]\nname = \"Web\"\naccounts = {ids:?}\nregions = {REGIONS:?}\nnodes = [{{ count = {} }}]\n",
            account(0),
            self.nodes,
        )
    }
}

/// A request's text that names the organization's root.
#[must_use]
pub fn request_text() -> String {
    request_for(&["r-pf01".to_owned()])
}

/// A request's text that names these accounts.
#[must_use]
pub fn request_for(accounts: &[String]) -> String {
    format!(
        "name = \"measured\"\n\
         [patch]\noperation = \"Install\"\n\
         [targets]\nresource_group = \"Web\"\naccounts = {accounts:?}\ninclude_child_ous = true\nregions = {REGIONS:?}\n\
         [budget.nodes]\nmax_concurrency = \"50%\"\nmax_errors = \"10%\"\n\
         [budget.locations]\nmax_concurrency = \"100%\"\nmax_errors = \"10%\"\n\
         [automation]\nassume_role = \"arn:aws:iam::{}:role/AWS-SystemsManager-AutomationAdministrationRole\"\n",
        account(0)
    )
}

/// An organisation that nothing has called yet, on a clock that jumps.
pub struct Fleet {
    clock: SimClock,
    /// Its ports.
    pub ports: Ports,
    /// The request that patches all of it.
    pub request: PatchRequest,
    runtime: Runtime,
    /// How its campaign ends.
    ends: FinishedOutcome,
}

impl Fleet {
    /// Makes it.
    ///
    /// # Errors
    ///
    /// If the world or the request that is made up is not one.
    pub fn new(size: Size) -> Fallible<Self> {
        Self::of(&size.world(), &request_text())
    }

    /// The same in three waves, under a bound on damage of which one node uses up a part: each start names nodes, waits until the
    /// one before it is over, and is divided.
    ///
    /// # Errors
    ///
    /// As of [`new`](Self::new).
    pub fn bounded(size: Size) -> Fallible<Self> {
        let bad = format!(
            "[[nodes]]\nid = \"i-0bad00000000bad00\"\naccount = \"{}\"\nregion = \"{}\"\n\
             groups = [\"Web\"]\npatch = {{ outcome = \"fails\" }}\n",
            account(0),
            REGIONS[0]
        );
        let bounds = format!(
            "[budget.fleet]\nmax_damaged = {}\n\
             [[waves]]\nname = \"canary\"\naccounts = [\"{}\"]\nsoak = \"10m\"\ngate = {{ max_failed = \"50%\" }}\n\
             [[waves]]\nname = \"some\"\nlocations = \"20%\"\nsoak = \"10m\"\n",
            size.nodes.max(2),
            account(0)
        );
        let request = request_text()
            .replace(
                "[budget.locations]\nmax_concurrency = \"100%\"",
                "[budget.locations]\nmax_concurrency = 1",
            )
            .replace("max_errors = \"10%\"", "max_errors = \"100%\"");
        let mut fleet = Self::of(&format!("{}{bad}", size.world()), &format!("{request}{bounds}"))?;
        fleet.ends = FinishedOutcome::Partial;
        Ok(fleet)
    }

    fn of(world: &str, request: &str) -> Fallible<Self> {
        let request = PatchRequest::parse(request.as_bytes(), Format::Toml)?;
        let mut world = World::parse(world)?;
        // Calls are counted, and nobody looks at them one by one.
        world.keep_requests(0);
        let clock = SimClock::new(world, ClockMode::Jump);
        let access = request.access.clone();
        let ports = MemoryPorts::new(
            clock.clone(),
            "us-east-1".parse()?,
            access.discovery_role,
            access.session_name,
        );
        Ok(Self {
            clock,
            ports: ports.into_ports(),
            request,
            runtime: tokio::runtime::Builder::new_current_thread().build()?,
            ends: FinishedOutcome::Succeeded,
        })
    }

    /// Waits for `work`.
    pub fn wait<F: Future>(&self, work: F) -> F::Output {
        self.runtime.block_on(work)
    }

    /// Plans all of it.
    ///
    /// # Errors
    ///
    /// If planning refuses.
    pub fn plan(&self, depth: Depth) -> Fallible<Plan> {
        let planning = Planning {
            depth,
            // At depth presence, an Install that nobody sees is refused.
            attendance: Attendance::Attended,
            ..Planning::default()
        };
        Ok(self.wait(Plan::make(&self.ports, &self.request, &planning))?)
    }

    /// Runs a campaign to its end; gives its log.
    ///
    /// # Errors
    ///
    /// If the driver stops, or some location did not succeed.
    pub fn campaign(&self, plan: &Plan) -> Fallible<Vec<Record>> {
        let Store { log, rows } = Store::in_memory();
        let driver = Driver::new(&self.ports, log.clone(), rows, WRITER.parse()?);
        let campaign = campaign_id()?;
        let state = self.wait(async {
            driver.begin(campaign, plan).await?;
            driver.run(campaign).await
        })?;
        self.has_ended(&state)?;
        Ok(self.wait(log.read(&LogKey::Campaign(campaign), 0))?)
    }

    /// Runs a campaign to its end; gives the most bytes that it had at once beside its plan, for each location.
    ///
    /// Before it begins, the driver writes the plan to its log and reads it back. So it has one of its own, whose
    /// size is that of a copy.
    ///
    /// # Errors
    ///
    /// As of [`campaign`](Self::campaign).
    pub fn bytes_a_location(&self, plan: &Plan, alive: Alive) -> Fallible<i64> {
        let before = alive();
        let copy = plan.clone();
        let plan_bytes = i64::try_from(alive() - before)?;
        drop(copy);
        let meter = Meter::new(alive);
        let metered = Metered::new(meter.clone(), &self.ports);
        let driver = Driver::new(
            &metered.ports(),
            metered.clone(),
            metered.clone(),
            WRITER.parse()?,
        );
        let campaign = campaign_id()?;
        let state = self.wait(async {
            driver.begin(campaign, plan).await?;
            driver.run(campaign).await
        })?;
        self.has_ended(&state)?;
        let locations = i64::try_from(plan.locations.len())?;
        Ok((meter.peak() - plan_bytes) / locations.max(1))
    }

    /// A campaign that goes wrong costs less than one that works, so it is no measure.
    fn has_ended(&self, state: &State) -> Fallible<()> {
        match state.finished() {
            Some((outcome, _)) if outcome == self.ends => Ok(()),
            other => Err(format!("the campaign did not end as {:?}: {other:?}", self.ends).into()),
        }
    }

    /// How many seconds the simulator itself took so far.
    #[must_use]
    pub fn simulator_s(&self) -> f64 {
        self.clock.time_spent().as_secs_f64()
    }

    /// How often each operation was called so far.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let plain = |(action, count): (&String, &u64)| {
            let operation = action.split_once(':').map_or(action.as_str(), |(_, name)| name);
            (operation.to_owned(), *count)
        };
        self.clock
            .with_world(|world| world.calls().iter().map(plain).collect())
    }
}

/// The campaign that every fleet runs.
///
/// # Errors
///
/// Never: it is an id.
pub fn campaign_id() -> Fallible<CampaignId> {
    Ok(CAMPAIGN.parse()?)
}
