//! A campaign from its first question to its report, on a stage where things may go wrong.

use jiff::SignedDuration;
use patchfleet_core::{
    campaign::DriveError,
    id::UnitId,
    outcome::NodeOutcome,
    plan::{Plan, PlanError},
    port::Ports,
    refusal::RefusalCode,
    request::PatchRequest,
};
use patchfleet_sim::{ClockMode, Sim, SimClock, SimOptions, world::World};
use patchfleet_tests::{Account, Campaign, Ended, in_memory, over_http, plan, request};
use serde_json::Value;
use std::collections::BTreeSet;

/// A world, and what is asked of it.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    pub(crate) world: String,
    pub(crate) request: PatchRequest,
}

/// A course on which nothing went wrong.
#[derive(Debug, Clone)]
pub(crate) struct Undisturbed {
    pub(crate) plan: Plan,
    pub(crate) account: Account,
    /// The operations that were called until there was a plan, and those after that.
    pub(crate) planning: BTreeSet<String>,
    pub(crate) driving: BTreeSet<String>,
    /// How many calls there were.
    pub(crate) calls: usize,
}

/// How patchfleet reaches the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    Memory,
    Http,
}

/// A world with patchfleet before it.
pub(crate) struct Stage {
    pub(crate) clock: SimClock,
    pub(crate) ports: Ports,
    request: PatchRequest,
    sim: Option<Sim>,
}

/// Units below units, the caller's own account and others, one with no node and one with no group;
/// EC2 and hybrid nodes, some that fail and one that Systems Manager does not know.
const WORLD: &str = r#"
    management_account = "111111111111"
    documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
    units = [
        { id = "ou-pf01-aaaaaaaa", name = "Workloads" },
        { id = "ou-pf01-bbbbbbbb", name = "Prod", parent = "ou-pf01-aaaaaaaa" },
    ]
    accounts = [
        { id = "111111111111", name = "Main" },
        { id = "222222222222", name = "Web", parent = "ou-pf01-aaaaaaaa", tags = { Stage = "pilot" } },
        { id = "333333333333", name = "Shop", parent = "ou-pf01-bbbbbbbb" },
        { id = "444444444444", name = "Lab" },
    ]
    patch = { minutes = 0.02, reboot_minutes = 0.01 }

    [[groups]]
    name = "Web"
    accounts = ["111111111111"]
    regions = ["us-east-1"]
    nodes = [{ count = 1, tags = { Tier = "web" } }]

    [[groups]]
    name = "Web"
    accounts = ["222222222222"]
    regions = ["us-east-1"]
    nodes = [
        { count = 1, tags = { Tier = "web" } },
        { count = 1, kind = "hybrid", tags = { Tier = "web" } },
        { count = 1, tags = { Tier = "web" }, patch = { outcome = "fails" } },
        { count = 1, tags = { Tier = "web" }, patch = { outcome = "succeeds_with_failed_patches" } },
    ]

    [[groups]]
    name = "Web"
    accounts = ["222222222222"]
    regions = ["eu-west-1"]

    [[groups]]
    name = "Web"
    accounts = ["333333333333"]
    regions = ["us-east-1"]
    nodes = [{ count = 2, tags = { Tier = "web" } }SLOW]

    [[groups]]
    name = "Web"
    accounts = ["333333333333"]
    regions = ["eu-west-1"]
    nodes = [
        { count = 1, kind = "hybrid", tags = { Tier = "web" } },
        { count = 1, tags = { Tier = "web" }, reachability = "unmanaged" },
    ]
"#;

/// A node that never comes back from its reboot and one that is offline: hours of waiting.
const SLOW: &str = r#",
        { count = 1, tags = { Tier = "web" }, patch = { outcome = "never_returns" } },
        { count = 1, tags = { Tier = "web" }, reachability = "offline" }"#;

impl Course {
    fn new(slow: &str, selector: &str) -> Self {
        let request = request(&format!(
            r#"
            name = "under-faults"
            patch = {{ operation = "Install" }}
            [targets]
            {selector}
            accounts = ["111111111111", "ou-pf01-aaaaaaaa", "444444444444"]
            include_child_ous = true
            regions = ["us-east-1", "eu-west-1"]
            [budget.nodes]
            max_concurrency = "100%"
            max_errors = "100%"
            [budget.locations]
            max_concurrency = 5
            max_errors = 5
            "#
        ));
        Self {
            world: WORLD.replace("SLOW", slow),
            request: request.unwrap(),
        }
    }

    /// A few seconds of work on a group: what takes long is looked at often.
    pub(crate) fn group() -> Self {
        Self::new("", "resource_group = \"Web\"")
    }

    /// The same, selected by tags.
    pub(crate) fn tags() -> Self {
        Self::new("", "tags = { Tier = [\"web\"] }")
    }

    /// The group, in waves by the tags of accounts. Those of one account decide, so every call is about that one.
    pub(crate) fn in_waves_by_tags() -> Self {
        let mut course = Self::group();
        let mut request = serde_json::to_value(&course.request).unwrap();
        let tags = serde_json::json!({"Stage": "pilot"});
        let pilot = serde_json::json!({"name": "pilot", "accounts": ["222222222222"], "account_tags": tags});
        request["waves"] = serde_json::json!([pilot]);
        course.request = PatchRequest::from_value(request).unwrap();
        course
    }

    /// The group, with a node that gets lost and one that cannot be reached.
    pub(crate) fn with_lost_nodes() -> Self {
        Self::new(SLOW, "resource_group = \"Web\"")
    }

    /// The same in a world of another seed.
    pub(crate) fn seeded(mut self, seed: u64) -> Self {
        self.world = format!("seed = {seed}\n{}", self.world);
        self
    }

    /// The same with pages that are shorter than was asked for.
    pub(crate) fn with_short_pages(mut self) -> Self {
        self.world = format!("short_pages = true\n{}", self.world);
        self
    }

    /// Runs it while nothing goes wrong.
    pub(crate) async fn undisturbed(&self, front: Front) -> Undisturbed {
        let stage = Stage::of(front, self).await;
        let plan = stage.plan().await.unwrap();
        let planning = stage.clock.with_world(|world| operations(world, 0));
        let calls = stage.clock.with_world(|world| world.requests().len());
        let account = stage.run(&plan).await;
        let driving = stage.clock.with_world(|world| operations(world, calls));
        let calls = stage.clock.with_world(|world| world.requests().len());
        // A campaign that all can be compared with has something of everything in it.
        let report = &account.report;
        assert_eq!(report.locations.len(), 4);
        assert_eq!(report.skipped.len(), 4, "empty, and no group");
        assert!(plan.units.len() > 1, "several units");
        for outcome in [NodeOutcome::Done, NodeOutcome::Failed, NodeOutcome::Unmanaged] {
            assert!(report.totals.nodes.count(outcome) > 0, "{outcome:?}: {report:#?}");
        }
        assert!(account.nodes.values().all(|(_, installs, _)| *installs <= 1));
        Undisturbed {
            plan,
            account,
            planning,
            driving,
            calls,
        }
    }
}

/// The operations of the calls from number `from` on, as IAM names them.
pub(crate) fn operations(world: &World, from: usize) -> BTreeSet<String> {
    let calls = world.requests().iter().skip(from);
    calls
        .map(|call| format!("{}:{}", call.service, call.operation))
        .collect()
}

impl Stage {
    pub(crate) async fn of(front: Front, course: &Course) -> Self {
        let world = World::parse(&course.world).unwrap();
        let request = course.request.clone();
        let (clock, ports, sim) = match front {
            Front::Memory => {
                let clock = SimClock::new(world, ClockMode::Jump);
                let ports = in_memory(&clock, &request.access).unwrap();
                (clock, ports, None)
            }
            Front::Http => {
                let sim = Sim::start(world, SimOptions::default()).await.unwrap();
                (sim.clock(), over_http(&sim, &request.access).unwrap(), Some(sim))
            }
        };
        Self {
            clock,
            ports,
            request,
            sim,
        }
    }

    /// From here on it is another process that calls: it knows no caller and has assumed no role.
    pub(crate) fn another_process(&mut self) {
        self.ports = over_http(self.sim.as_ref().unwrap(), &self.request.access).unwrap();
    }

    /// From now on this goes wrong.
    pub(crate) fn add(&self, fault: &Value) {
        let spec = serde_json::from_value(fault.clone()).unwrap();
        self.clock.with_world(|world| world.add_fault(spec)).unwrap();
    }

    /// How often each fault has struck.
    pub(crate) fn struck(&self) -> Vec<u64> {
        self.clock
            .with_world(|world| world.faults().iter().map(|fault| fault.struck).collect())
    }

    pub(crate) async fn plan(&self) -> Result<Plan, PlanError> {
        plan(&self.ports, &self.request).await
    }

    /// Plans as often as a person would who is refused or warned, a minute apart. A refusal has
    /// to be for want of an answer, and to have started nothing. Gives the refusals too.
    pub(crate) async fn plan_in_the_end(&self, undisturbed: &Plan) -> (Plan, Vec<PlanError>) {
        let mut refusals = vec![];
        for _ in 0..30 {
            match self.plan().await {
                Ok(plan) if plan.warnings == undisturbed.warnings => return (plan, refusals),
                // What could not be listed is warned about.
                Ok(plan) => assert!(plan.warnings.len() > undisturbed.warnings.len()),
                Err(error) => {
                    self.nothing_was_started();
                    if let PlanError::Refused(refusal) = &error {
                        for reason in &refusal.reasons {
                            let codes = [
                                RefusalCode::CensusUnknown,
                                RefusalCode::DirectoryUnavailable,
                                RefusalCode::AccountTags,
                            ];
                            assert!(codes.contains(&reason.code), "{reason}");
                        }
                    }
                    refusals.push(error);
                }
            }
            self.clock.advance(SignedDuration::from_mins(1));
        }
        panic!("no plan in half an hour: {:?}", refusals.last());
    }

    pub(crate) fn nothing_was_started(&self) {
        self.clock.with_world(|world| {
            assert_eq!(world.executions().count(), 0);
            assert!(world.nodes().all(|node| node.installs() == 0));
        });
    }

    pub(crate) async fn begin(&self, plan: &Plan) -> Campaign {
        Campaign::begin(&self.ports, plan.clone()).await.unwrap()
    }

    /// Runs a plan to its end.
    pub(crate) async fn run(&self, plan: &Plan) -> Account {
        let campaign = self.begin(plan).await;
        let ended = campaign.run().await.unwrap();
        self.account(plan, ended)
    }

    /// Runs a plan to its end. Whenever it is not known whether a start took effect, a person has it sent again.
    /// Gives how often.
    pub(crate) async fn run_with_a_person(&self, plan: &Plan) -> (Account, usize) {
        let campaign = self.begin(plan).await;
        for asked in 0..10 {
            let error = match campaign.run().await {
                Ok(ended) => return (self.account(plan, ended), asked),
                Err(error) => drive_error(error),
            };
            let DriveError::Unresolved { holds, .. } = error else {
                panic!("{error}");
            };
            let units: BTreeSet<UnitId> = holds.iter().map(|hold| hold.unit).collect();
            campaign
                .driver
                .send_again(campaign.id, &units, "a person")
                .await
                .unwrap();
        }
        panic!("a person was asked ten times");
    }

    pub(crate) fn account(&self, plan: &Plan, ended: Ended) -> Account {
        self.clock.with_world(|world| {
            let state = world.state();
            let executions = state["executions"].as_array().unwrap().iter();
            let parents = executions.filter(|one| one["parent"].is_null()).count();
            assert_eq!(parents, plan.units.len(), "each unit is started once");
            Account::of(world, plan, ended)
        })
    }
}

/// What a driver gave up for.
pub(crate) fn drive_error(error: patchfleet_tests::Failure) -> DriveError {
    *error.downcast::<DriveError>().unwrap()
}
