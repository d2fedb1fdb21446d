//! Small worlds and requests, and what every campaign over them has to show.

use jiff::SignedDuration;
use patchfleet_core::{
    id::{Location, NodeId},
    outcome::{NodeOutcome, Tally},
    plan::{Plan, PlannedLocation},
    port::Ports,
    report::{LocationReport, Report},
    request::PatchRequest,
};
use patchfleet_sim::{ClockMode, SimClock, world::World};
use patchfleet_tests::{Campaign, Ended, in_memory, plan, plan_and_run, request};
use serde_json::Value;

/// Three accounts. `rest` says what is in them.
pub(crate) fn world(rest: &str) -> String {
    format!(
        r#"
        management_account = "111111111111"
        documents = [{{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }}]
        patch = {{ minutes = 4.0, reboot_minutes = 1.0 }}
        {rest}
        "#
    )
}

pub(crate) const ACCOUNTS: &str = r#"
    accounts = [
        { id = "111111111111", name = "Main" },
        { id = "222222222222", name = "Two" },
        { id = "333333333333", name = "Three" },
    ]
"#;

/// The group Web with `nodes`, in `account` in us-east-1.
pub(crate) fn group(account: &str, nodes: &str) -> String {
    group_in(account, "us-east-1", nodes)
}

pub(crate) fn group_in(account: &str, region: &str, nodes: &str) -> String {
    format!(
        "[[groups]]\nname = \"Web\"\naccounts = [\"{account}\"]\nregions = [\"{region}\"]\nnodes = [{nodes}]\n"
    )
}

/// An Install on the group Web of the accounts 2 and 3 in us-east-1; `rest` says what else.
pub(crate) fn install(rest: &str) -> PatchRequest {
    let text = format!(
        r#"
        name = "outcomes"
        patch = {{ operation = "Install" }}
        [targets]
        resource_group = "Web"
        accounts = ["222222222222", "333333333333"]
        regions = ["us-east-1"]
        [budget.nodes]
        max_concurrency = "100%"
        max_errors = "100%"
        {rest}
        "#
    );
    request(&text).unwrap()
}

pub(crate) const ONE_FAILURE_ALLOWED: &str = "[budget.locations]\nmax_concurrency = 2\nmax_errors = 1\n";

pub(crate) struct Scene {
    pub(crate) clock: SimClock,
    pub(crate) ports: Ports,
}

impl Scene {
    pub(crate) fn of(toml: &str, request: &PatchRequest) -> Self {
        let clock = SimClock::new(World::parse(toml).unwrap(), ClockMode::Jump);
        let ports = in_memory(&clock, &request.access).unwrap();
        Self { clock, ports }
    }

    pub(crate) async fn run(&self, request: &PatchRequest) -> (Plan, Ended) {
        let (plan, ended) = plan_and_run(&self.ports, request).await.unwrap();
        adds_up(&plan, &ended);
        (plan, ended)
    }

    pub(crate) async fn begin(&self, request: &PatchRequest) -> Campaign {
        let plan = plan(&self.ports, request).await.unwrap();
        Campaign::begin(&self.ports, plan).await.unwrap()
    }

    /// The executions that were started in the central account, in the order of their starts.
    pub(crate) fn parents(&self) -> Vec<Value> {
        let state = self.clock.with_world(|world| world.state());
        let executions = state["executions"].as_array().unwrap().iter();
        executions
            .filter(|one| one["parent"].is_null())
            .cloned()
            .collect()
    }
}

/// Every planned location has one outcome, and its rows are its tally.
pub(crate) fn adds_up(plan: &Plan, ended: &Ended) {
    let report = &ended.report;
    let planned: Vec<_> = plan.locations.iter().map(PlannedLocation::location).collect();
    let reported: Vec<_> = report
        .locations
        .iter()
        .map(|one| Location::new(one.account.clone(), one.region.clone()))
        .collect();
    assert_eq!(reported, planned);
    let mut total = Tally::default();
    for (location, at) in planned.iter().zip(&report.locations) {
        assert!(at.outcome.is_some(), "{location}");
        let rows: Tally = ended.rows[location].iter().map(|row| row.outcome).collect();
        assert_eq!(rows, at.nodes, "{location}");
        total.merge(&rows);
    }
    assert_eq!(report.totals.nodes, total);
}

pub(crate) fn at<'a>(report: &'a Report, account: &str) -> &'a LocationReport {
    report
        .locations
        .iter()
        .find(|one| one.account.as_str() == account)
        .unwrap()
}

pub(crate) fn took(report: &Report) -> SignedDuration {
    report
        .finished_at
        .unwrap()
        .duration_since(report.started_at.unwrap())
}

pub(crate) fn tally(outcomes: &[(NodeOutcome, u32)]) -> Tally {
    let mut tally = Tally::default();
    for &(outcome, n) in outcomes {
        tally.add(outcome, n);
    }
    tally
}

pub(crate) fn nodes_of(clock: &SimClock, account: &str) -> Vec<NodeId> {
    clock.with_world(|world| {
        let here = world
            .nodes()
            .filter(|node| node.location().account.as_str() == account);
        here.map(|node| node.id().clone()).collect()
    })
}
