//! Everything that can become of a location, each in a world made for it: a named outcome, every
//! node accounted for, and never a hang.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use jiff::{SignedDuration, Timestamp};
use patchfleet_core::{
    campaign::LocationOutcome,
    id::NodeId,
    plan::Plan,
    port::Ports,
    report::{LocationReport, NodeOutcome, Report, ReportOutcome, Tally},
    request::PatchRequest,
};
use patchfleet_sim::{Caller, ClockMode, Service, SimClock, call, world::World};
use patchfleet_tests::{Campaign, Ended, central_region, in_memory, plan, plan_and_run, request};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Three accounts. `rest` says what is in them.
fn world(rest: &str) -> String {
    format!(
        r#"
        management_account = "111111111111"
        documents = [{{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }}]
        patch = {{ minutes = 4.0, reboot_minutes = 1.0 }}
        {rest}
        "#
    )
}

const ACCOUNTS: &str = r#"
    accounts = [
        { id = "111111111111", name = "Main" },
        { id = "222222222222", name = "Two" },
        { id = "333333333333", name = "Three" },
    ]
"#;

/// The group Web with `nodes`, in `account` in us-east-1.
fn group(account: &str, nodes: &str) -> String {
    group_in(account, "us-east-1", nodes)
}

fn group_in(account: &str, region: &str, nodes: &str) -> String {
    format!(
        "[[groups]]\nname = \"Web\"\naccounts = [\"{account}\"]\nregions = [\"{region}\"]\nnodes = [{nodes}]\n"
    )
}

/// An Install on the group Web of the accounts 2 and 3 in us-east-1; `rest` says what else.
fn install(rest: &str) -> PatchRequest {
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

const ONE_FAILURE_ALLOWED: &str = "[budget.locations]\nmax_concurrency = 2\nmax_errors = 1\n";

struct Scene {
    clock: SimClock,
    ports: Ports,
}

impl Scene {
    fn of(toml: &str, request: &PatchRequest) -> Self {
        let clock = SimClock::new(World::parse(toml).unwrap(), ClockMode::Jump);
        let ports = in_memory(&clock, &request.access).unwrap();
        Self { clock, ports }
    }

    async fn run(&self, request: &PatchRequest) -> (Plan, Ended) {
        let (plan, ended) = plan_and_run(&self.ports, request).await.unwrap();
        adds_up(&plan, &ended);
        (plan, ended)
    }

    async fn begin(&self, request: &PatchRequest) -> Campaign {
        let plan = plan(&self.ports, request).await.unwrap();
        Campaign::begin(&self.ports, plan).await.unwrap()
    }

    /// The executions that were started in the central account, in the order of their starts.
    fn parents(&self) -> Vec<Value> {
        let state = self.clock.with_world(|world| world.state());
        let executions = state["executions"].as_array().unwrap().iter();
        executions
            .filter(|one| one["parent"].is_null())
            .cloned()
            .collect()
    }
}

/// Every planned location has one outcome, and its rows are its tally.
fn adds_up(plan: &Plan, ended: &Ended) {
    let report = &ended.report;
    let planned: Vec<_> = plan.locations.iter().map(|one| one.location()).collect();
    let reported: Vec<_> = report
        .locations
        .iter()
        .map(|one| patchfleet_core::id::Location::new(one.account.clone(), one.region.clone()))
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

fn at<'a>(report: &'a Report, account: &str) -> &'a LocationReport {
    report
        .locations
        .iter()
        .find(|one| one.account.as_str() == account)
        .unwrap()
}

fn took(report: &Report) -> SignedDuration {
    report
        .finished_at
        .unwrap()
        .duration_since(report.started_at.unwrap())
}

fn tally(outcomes: &[(NodeOutcome, u32)]) -> Tally {
    let mut tally = Tally::default();
    for &(outcome, n) in outcomes {
        tally.add(outcome, n);
    }
    tally
}

fn nodes_of(clock: &SimClock, account: &str) -> Vec<NodeId> {
    clock.with_world(|world| {
        let here = world
            .nodes()
            .filter(|node| node.location().account.as_str() == account);
        here.map(|node| node.id().clone()).collect()
    })
}

#[tokio::test]
async fn a_location_that_emptied_since_the_census_ends_as_emptied() {
    let nodes = [
        group("222222222222", "{ count = 2 }"),
        group("333333333333", "{ count = 3 }"),
    ];
    let request = install(ONE_FAILURE_ALLOWED);
    let scene = Scene::of(&world(&format!("{ACCOUNTS}{}", nodes.concat())), &request);
    let campaign = scene.begin(&request).await;
    let gone = nodes_of(&scene.clock, "222222222222");
    assert_eq!(gone.len(), 2);
    scene.clock.with_world(|world| {
        assert!(gone.iter().all(|node| world.leave_group(node, "Web")));
    });
    let ended = campaign.run().await.unwrap();
    adds_up(&campaign.plan, &ended);
    let emptied = at(&ended.report, "222222222222");
    assert_eq!(emptied.outcome, Some(LocationOutcome::Emptied));
    assert_eq!(emptied.nodes.total(), 0);
    assert_eq!(
        at(&ended.report, "333333333333").nodes,
        tally(&[(NodeOutcome::Done, 3)])
    );
    assert_eq!(ended.report.outcome, ReportOutcome::Succeeded);
    scene.clock.with_world(|world| {
        assert!(gone.iter().all(|node| world.node(node).unwrap().installs() == 0));
    });
}

#[tokio::test]
async fn one_node_that_left_the_group_since_the_census_is_not_patched_and_not_missed() {
    let request = install("");
    let toml = world(&format!("{ACCOUNTS}{}", group("222222222222", "{ count = 3 }")));
    let scene = Scene::of(&toml, &request);
    let campaign = scene.begin(&request).await;
    let left = nodes_of(&scene.clock, "222222222222").remove(0);
    scene.clock.with_world(|world| world.leave_group(&left, "Web"));
    let ended = campaign.run().await.unwrap();
    adds_up(&campaign.plan, &ended);
    assert_eq!(
        at(&ended.report, "222222222222").nodes,
        tally(&[(NodeOutcome::Done, 2)])
    );
    let installs = scene
        .clock
        .with_world(|world| world.node(&left).unwrap().installs());
    assert_eq!(installs, 0);
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_at_run_time_is_named() {
    let accounts = r#"
        roles = [{ name = "Reader" }]
        accounts = [
            { id = "111111111111", name = "Main" },
            { id = "222222222222", name = "Two" },
            { id = "333333333333", name = "Three", roles = [
                { name = "AWS-SystemsManager-AutomationExecutionRole", state = "missing" },
            ] },
        ]
    "#;
    let nodes = [
        group("222222222222", "{ count = 1 }"),
        group(
            "333333333333",
            "{ count = 2 }, { count = 1, reachability = \"unmanaged\" }",
        ),
    ];
    let request = install(&format!(
        "{ONE_FAILURE_ALLOWED}[access]\ndiscovery_role = \"Reader\"\n"
    ));
    let scene = Scene::of(&world(&format!("{accounts}{}", nodes.concat())), &request);
    let (_, ended) = scene.run(&request).await;
    let refused = at(&ended.report, "333333333333");
    assert_eq!(refused.outcome, Some(LocationOutcome::RoleNotAssumable));
    assert!(
        refused
            .detail
            .contains("AWS-SystemsManager-AutomationExecutionRole"),
        "{}",
        refused.detail
    );
    assert_eq!(
        refused.nodes,
        tally(&[(NodeOutcome::NotRun, 2), (NodeOutcome::Unmanaged, 1)])
    );
    assert_eq!(
        at(&ended.report, "222222222222").outcome,
        Some(LocationOutcome::Succeeded)
    );
    assert_eq!(ended.report.outcome, ReportOutcome::Partial);
    assert_eq!(ended.report.exit_code(), 4);
}

#[tokio::test]
async fn a_child_that_fails_before_its_command_is_named_with_awss_words() {
    let request = install(&format!(
        "{ONE_FAILURE_ALLOWED}[policy]\ngroup_missing = \"keep\"\n"
    ));
    let toml = world(&format!("{ACCOUNTS}{}", group("222222222222", "{ count = 1 }")));
    let scene = Scene::of(&toml, &request);
    let (plan, ended) = scene.run(&request).await;
    assert_eq!(plan.locations.len(), 2);
    let failed = at(&ended.report, "333333333333");
    assert_eq!(failed.outcome, Some(LocationOutcome::FailedBeforeCommand));
    assert!(
        failed.detail.contains("Cannot find group Web"),
        "{}",
        failed.detail
    );
    assert_eq!(failed.nodes.total(), 0);
    assert_eq!(
        at(&ended.report, "222222222222").outcome,
        Some(LocationOutcome::Succeeded)
    );
    assert_eq!(ended.report.exit_code(), 4);
}

#[tokio::test]
async fn an_execution_that_somebody_else_cancels_ends_the_campaign_with_every_node_accounted_for() {
    let nodes = [
        group("222222222222", "{ count = 3 }"),
        group("333333333333", "{ count = 2 }"),
    ];
    let request = install(""); // one location at a time
    let scene = Scene::of(&world(&format!("{ACCOUNTS}{}", nodes.concat())), &request);
    let campaign = scene.begin(&request).await;
    campaign.run_for(90).await.unwrap();
    scene.clock.with_world(|world| {
        assert!(
            world
                .commands()
                .any(|one| one.invocations().iter().any(|one| !one.state().is_terminal())),
            "nodes are being patched"
        );
    });
    let parents = scene.parents();
    let [parent] = parents.as_slice() else {
        unreachable!("one unit")
    };
    let input = json!({"AutomationExecutionId": parent["execution_id"]});
    scene.clock.with_world(|world| {
        let caller = Caller::administrator(world, central_region().unwrap());
        call(world, &caller, Service::Ssm, "StopAutomationExecution", input).unwrap();
    });
    let ended = campaign.run().await.unwrap();
    adds_up(&campaign.plan, &ended);
    for (account, nodes) in [("222222222222", 3), ("333333333333", 2)] {
        let cancelled = at(&ended.report, account);
        assert_eq!(cancelled.outcome, Some(LocationOutcome::Cancelled), "{account}");
        assert_eq!(
            cancelled.nodes,
            tally(&[(NodeOutcome::NotRun, nodes)]),
            "{account}"
        );
    }
    assert_eq!(ended.report.executions[0].status.as_str(), "Cancelled");
    assert_eq!(ended.report.outcome, ReportOutcome::Partial);
    assert_eq!(scene.parents().len(), 1, "nothing is started again");
    assert!(took(&ended.report) < SignedDuration::from_mins(10));
}

#[tokio::test]
async fn a_command_that_matches_no_node_ends_its_location_at_once() {
    // Nobody in one group, and only nodes that Systems Manager does not know in the other.
    let nodes = [
        group("222222222222", ""),
        group("333333333333", "{ count = 2, reachability = \"unmanaged\" }"),
    ];
    let request = install(&format!("{ONE_FAILURE_ALLOWED}[policy]\nempty = \"keep\"\n"));
    let scene = Scene::of(&world(&format!("{ACCOUNTS}{}", nodes.concat())), &request);
    let (_, ended) = scene.run(&request).await;
    let empty = at(&ended.report, "222222222222");
    assert_eq!(empty.outcome, Some(LocationOutcome::Emptied));
    assert_eq!(empty.nodes.total(), 0);
    let unmanaged = at(&ended.report, "333333333333");
    assert_eq!(unmanaged.outcome, Some(LocationOutcome::NodesFailed));
    assert_eq!(unmanaged.detail, "the command matched no node");
    assert_eq!(unmanaged.nodes, tally(&[(NodeOutcome::Unmanaged, 2)]));
    assert_eq!(ended.report.exit_code(), 4);
    assert!(took(&ended.report) < SignedDuration::from_mins(5));
}

#[tokio::test]
async fn a_group_that_cannot_be_read_whole_is_not_called_empty_although_no_node_was_matched() {
    let partial = "query_errors = [\"CLOUDFORMATION_STACK_INACTIVE\"]\n";
    let nodes = group("222222222222", "{ count = 2, reachability = \"unmanaged\" }") + partial;
    let request = install("[policy]\nunknown = \"keep\"\n");
    let scene = Scene::of(&world(&format!("{ACCOUNTS}{nodes}")), &request);
    let (_, ended) = scene.run(&request).await;
    let unknown = at(&ended.report, "222222222222");
    assert_eq!(unknown.outcome, Some(LocationOutcome::ResultsUnreadable));
    assert!(
        unknown.detail.contains("matched no node")
            && unknown.detail.contains("CLOUDFORMATION_STACK_INACTIVE"),
        "{}",
        unknown.detail
    );
    assert_eq!(ended.report.outcome, ReportOutcome::Partial);
}

#[tokio::test]
async fn a_start_that_aws_refuses_is_named_and_nothing_runs() {
    let role = "arn:aws:iam::111111111111:role/Nobody";
    let request = install(&format!("[automation]\nassume_role = \"{role}\"\n"));
    let toml = world(&format!("{ACCOUNTS}{}", group("222222222222", "{ count = 2 }")));
    let scene = Scene::of(&toml, &request);
    let (_, ended) = scene.run(&request).await;
    let refused = at(&ended.report, "222222222222");
    assert_eq!(refused.outcome, Some(LocationOutcome::StartRefused));
    assert!(
        refused.detail.contains("unable to be assumed"),
        "{}",
        refused.detail
    );
    assert_eq!(refused.nodes, tally(&[(NodeOutcome::NotRun, 2)]));
    assert_eq!(ended.report.exit_code(), 4);
    assert!(scene.parents().is_empty());
}

#[tokio::test]
async fn aws_halts_a_unit_whose_failures_exceed_the_budget_and_the_rest_is_not_started() {
    let nodes = [
        group("222222222222", "{ count = 2, patch = { outcome = \"fails\" } }"),
        group("333333333333", "{ count = 2 }"),
    ];
    let mut request = install("[budget.locations]\nmax_concurrency = 1\nmax_errors = 0\n");
    request.budget.nodes.max_errors = "0".parse().unwrap();
    let scene = Scene::of(&world(&format!("{ACCOUNTS}{}", nodes.concat())), &request);
    let (_, ended) = scene.run(&request).await;
    let failed = at(&ended.report, "222222222222");
    assert_eq!(failed.outcome, Some(LocationOutcome::NodesFailed));
    assert!(failed.nodes.count(NodeOutcome::Failed) > 0);
    let rest = at(&ended.report, "333333333333");
    assert_eq!(rest.outcome, Some(LocationOutcome::NotStarted));
    assert_eq!(rest.nodes, tally(&[(NodeOutcome::NotRun, 2)]));
    assert_eq!(ended.report.outcome, ReportOutcome::Halted);
    assert_eq!(ended.report.exit_code(), 5);
    let untouched = nodes_of(&scene.clock, "333333333333");
    scene.clock.with_world(|world| {
        assert!(
            untouched
                .iter()
                .all(|node| world.node(node).unwrap().installs() == 0)
        );
    });
}

/// Locations that no one rectangle covers: five units or so.
const SCATTERED: [(&str, &str); 9] = [
    ("222222222222", "us-east-1"),
    ("222222222222", "us-west-2"),
    ("333333333333", "us-west-2"),
    ("333333333333", "eu-west-1"),
    ("444444444444", "eu-west-1"),
    ("444444444444", "ap-south-1"),
    ("555555555555", "ap-south-1"),
    ("555555555555", "us-east-1"),
    ("555555555555", "ca-central-1"),
];

fn scattered(nodes: &str) -> String {
    let ids: BTreeSet<&str> = SCATTERED.iter().map(|(account, _)| *account).collect();
    let accounts: String = ids
        .iter()
        .map(|id| format!("{{ id = \"{id}\", name = \"{id}\" }}, "))
        .collect();
    let groups: String = SCATTERED
        .iter()
        .map(|(account, region)| group_in(account, region, nodes))
        .collect();
    world(&format!(
        "accounts = [{{ id = \"111111111111\", name = \"Main\" }}, {accounts}]\n{groups}"
    ))
}

fn everywhere(locations_concurrency: u32, locations_errors: &str) -> PatchRequest {
    let text = format!(
        r#"
        name = "scattered"
        patch = {{ operation = "Install" }}
        [targets]
        resource_group = "Web"
        accounts = ["222222222222", "333333333333", "444444444444", "555555555555"]
        regions = ["us-east-1", "us-west-2", "eu-west-1", "ap-south-1", "ca-central-1"]
        [budget.locations]
        max_concurrency = {locations_concurrency}
        max_errors = "{locations_errors}"
        "#
    );
    request(&text).unwrap()
}

#[tokio::test]
async fn a_budget_that_is_spent_in_one_unit_keeps_the_next_from_being_started() {
    // Nodes that fail in a way that AWS does not count: only patchfleet halts here.
    let toml = scattered("{ count = 1, patch = { outcome = \"succeeds_with_failed_patches\" } }");
    let request = everywhere(2, "1");
    let scene = Scene::of(&toml, &request);
    let (plan, ended) = scene.run(&request).await;
    let started = scene.parents();
    assert!(!started.is_empty() && started.len() < plan.requests.len());
    assert!(
        started.iter().all(|one| one["status"] == "Success"),
        "AWS saw no failure"
    );
    assert_eq!(ended.report.outcome, ReportOutcome::Halted);
    assert_eq!(ended.report.exit_code(), 5);
    let named: BTreeSet<(&str, &str)> = started
        .iter()
        .flat_map(|one| rectangle(&one["target_locations"][0]))
        .collect();
    for location in &ended.report.locations {
        let pair = (location.account.as_str(), location.region.as_str());
        let (outcome, node) = if named.contains(&pair) {
            (LocationOutcome::NodesFailed, NodeOutcome::Failed)
        } else {
            (LocationOutcome::NotStarted, NodeOutcome::NotRun)
        };
        assert_eq!(location.outcome, Some(outcome), "{pair:?}");
        assert_eq!(location.nodes, tally(&[(node, 1)]), "{pair:?}");
    }
}

fn rectangle(target: &Value) -> Vec<(&str, &str)> {
    let texts = |name: &str| -> Vec<&str> {
        let values = target[name].as_array().unwrap().iter();
        values.map(|value| value.as_str().unwrap()).collect()
    };
    let regions = texts("Regions");
    let of = |account| regions.clone().into_iter().map(move |region| (account, region));
    texts("Accounts").into_iter().flat_map(of).collect()
}

#[tokio::test]
async fn open_units_together_never_exceed_the_location_budget() {
    for budget in [1, 2, 3, 5] {
        let request = everywhere(budget, "100%");
        let scene = Scene::of(&scattered("{ count = 2 }"), &request);
        let (plan, ended) = scene.run(&request).await;
        assert_eq!(ended.report.outcome, ReportOutcome::Succeeded);
        assert!(plan.requests.len() >= 3, "{} units", plan.requests.len());
        let units: Vec<Span> = scene.parents().iter().map(Span::of_unit).collect();
        assert_eq!(units.len(), plan.requests.len());
        let most = most_at_once(&units);
        assert!(
            most <= budget,
            "{most} locations might run at once, allowed are {budget}"
        );
        let state = scene.clock.with_world(|world| world.state());
        let executions = state["executions"].as_array().unwrap().iter();
        let children: Vec<Span> = executions
            .filter(|one| !one["parent"].is_null())
            .map(|one| Span::of(one, 1))
            .collect();
        assert_eq!(children.len(), SCATTERED.len());
        let most = most_at_once(&children);
        assert!(
            most <= budget,
            "{most} locations ran at once, allowed are {budget}"
        );
        // Nor is it kept by running one unit after another.
        let overlap = units.iter().any(|one| {
            let others = units.iter().filter(|other| other.from < one.from);
            others.into_iter().any(|other| one.from < other.to)
        });
        assert!(overlap || budget < 5);
    }
}

/// From when to when something was open, and how much of the budget it may use.
struct Span {
    from: Timestamp,
    to: Timestamp,
    weight: u32,
}

impl Span {
    fn of(execution: &Value, weight: u32) -> Self {
        let time = |name: &str| execution[name].as_str().unwrap().parse().unwrap();
        Self {
            from: time("started"),
            to: time("ended"),
            weight,
        }
    }

    fn of_unit(execution: &Value) -> Self {
        let target = &execution["target_locations"][0];
        let most = target["TargetLocationMaxConcurrency"].as_str().unwrap();
        Self::of(execution, most.parse().unwrap())
    }
}

/// The most that was open at once: it grows only when something begins.
fn most_at_once(spans: &[Span]) -> u32 {
    let at = |now: Timestamp| -> u32 {
        let open = spans.iter().filter(|one| one.from <= now && now < one.to);
        open.map(|one| one.weight).sum()
    };
    spans.iter().map(|one| at(one.from)).max().unwrap_or(0)
}
