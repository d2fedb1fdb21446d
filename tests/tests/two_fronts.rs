//! The same campaign through the ports in memory and, through the real SDK, over HTTP: the same
//! plan to the byte, the same account of every location and node, and the same world afterwards.
//!
//! Execution ids are compared too. The simulator makes them from its seed and the client token,
//! and that follows from the campaign, the unit and the attempt; none of it depends on the front.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use patchfleet_core::{
    outcome::NodeOutcome,
    port::{ExecutionStatus, PortErrorKind, Ports, Sent, StopType},
    report::ReportOutcome,
    request::{Operation, PatchRequest},
};
use patchfleet_sim::{ClockMode, Sim, SimClock, SimOptions, builtin, world::World};
use patchfleet_tests::{Account, in_memory, over_http, plan, plan_and_run, request};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

async fn memory(world: &str, request: &PatchRequest) -> Account {
    let clock = SimClock::new(World::parse(world).unwrap(), ClockMode::Jump);
    let ports = in_memory(&clock, &request.access).unwrap();
    let (plan, ended) = plan_and_run(&ports, request).await.unwrap();
    clock.with_world(|world| Account::of(world, &plan, ended))
}

async fn http(world: &str, request: &PatchRequest) -> Account {
    let sim = Sim::start(World::parse(world).unwrap(), SimOptions::default())
        .await
        .unwrap();
    let ports = over_http(&sim, &request.access).unwrap();
    let (plan, ended) = plan_and_run(&ports, request).await.unwrap();
    sim.with_world(|world| {
        one_role_session_for_each_account(world);
        Account::of(world, &plan, ended)
    })
}

/// Every account but the caller's own was entered by one AssumeRole. A role that cannot be assumed
/// may be asked for again by whatever needs it next.
fn one_role_session_for_each_account(world: &World) {
    let mut sessions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut entered = BTreeSet::new();
    for record in world.requests() {
        if record.operation == "AssumeRole" && record.error.is_none() {
            *sessions
                .entry(record.input["RoleArn"].as_str().unwrap())
                .or_default() += 1;
        }
        if record.principal.contains(":assumed-role/") {
            entered.insert(record.account.as_str());
        }
    }
    assert!(sessions.values().all(|&times| times == 1), "{sessions:?}");
    let of_roles: BTreeSet<&str> = sessions.keys().filter_map(|arn| arn.split(':').nth(4)).collect();
    assert_eq!(of_roles, entered);
}

/// Runs the campaign through both fronts; gives what both say.
async fn the_same(world: &str, request: &PatchRequest) -> Account {
    let (memory, http) = (memory(world, request).await, http(world, request).await);
    assert_eq!(memory.plan, http.plan);
    assert_eq!(memory.report, http.report);
    assert_eq!(memory, http);
    http
}

fn changed(toml: &str, from: &str, to: &str) -> PatchRequest {
    assert!(toml.contains(from), "{from}");
    request(&toml.replace(from, to)).unwrap()
}

/// Starts the first unit and stops it, then stops it again and one that there never was.
async fn stopped(ports: &Ports) -> (ExecutionStatus, [(PortErrorKind, Sent); 2]) {
    let plan = plan(ports, &request(builtin::CALM.request).unwrap())
        .await
        .unwrap();
    let automation = &ports.automation;
    let token = "01234567-89ab-4def-8123-456789abcdef".parse().unwrap();
    let id = automation
        .start(&plan.units[0].start, token, jiff::Timestamp::MAX)
        .await
        .unwrap();
    automation.stop(&id, StopType::Cancel).await.unwrap();
    let mut status = automation.execution(&id).await.unwrap().status;
    while !status.is_terminal() {
        let later = ports.clock.now() + jiff::SignedDuration::from_mins(5);
        ports.clock.sleep_until(later).await;
        status = automation.execution(&id).await.unwrap().status;
    }
    let again = automation.stop(&id, StopType::Complete).await.unwrap_err();
    let nobody = "00000000-0000-4000-8000-000000000000".parse().unwrap();
    let unknown = automation.stop(&nobody, StopType::Cancel).await.unwrap_err();
    (status, [again, unknown].map(|error| (error.kind(), error.sent())))
}

#[tokio::test]
async fn an_execution_is_stopped_alike() {
    let access = request(builtin::CALM.request).unwrap().access;
    let world = || World::parse(builtin::CALM.world).unwrap();
    let clock = SimClock::new(world(), ClockMode::Jump);
    let memory = stopped(&in_memory(&clock, &access).unwrap()).await;
    let sim = Sim::start(world(), SimOptions::default()).await.unwrap();
    let http = stopped(&over_http(&sim, &access).unwrap()).await;
    assert_eq!(memory, http);
    let refused = [PortErrorKind::NotRunning, PortErrorKind::NotFound];
    assert_eq!(
        http,
        (ExecutionStatus::Cancelled, refused.map(|kind| (kind, Sent::No)))
    );
}

#[tokio::test]
async fn the_calm_world_is_patched_alike() {
    let request = request(builtin::CALM.request).unwrap();
    let account = the_same(builtin::CALM.world, &request).await;
    assert_eq!(account.report.outcome, ReportOutcome::Succeeded);
    assert!(account.report.locations.len() > 15);
    assert!(account.report.executions.len() > 1, "several units");
}

#[tokio::test]
async fn the_troubled_world_is_accounted_for_alike() {
    let request = request(builtin::TROUBLED.request).unwrap();
    let account = the_same(builtin::TROUBLED.world, &request).await;
    assert_eq!(account.report.outcome, ReportOutcome::Partial);
    assert!(!account.report.needs_action.is_empty());
}

#[tokio::test]
async fn a_scan_changes_nothing_on_either_front() {
    let request = changed(
        builtin::CALM.request,
        "operation = \"Install\"",
        "operation = \"Scan\"",
    );
    let account = the_same(builtin::CALM.world, &request).await;
    assert_eq!(account.report.operation, Operation::Scan);
    assert_eq!(account.report.outcome, ReportOutcome::Succeeded);
    assert!(
        account
            .nodes
            .values()
            .all(|(patches, installs, _)| *installs == 0 && patches.missing > 0)
    );
}

#[tokio::test]
async fn tags_select_alike() {
    let request = changed(
        builtin::CALM.request,
        "resource_group = \"WebServers\"",
        "tags = { Tier = [\"web\"], Site = [\"depot\", \"yard\"] }",
    );
    let account = the_same(builtin::CALM.world, &request).await;
    assert_eq!(account.report.outcome, ReportOutcome::Succeeded);
    // Every hybrid node of that world has Site = depot, and no other node has.
    let installed = account.installed();
    assert_eq!(installed.len(), 8);
    assert!(installed.iter().all(|id| id.as_str().starts_with("mi-")));
}

#[tokio::test]
async fn all_managed_nodes_are_found_alike() {
    let request = changed(
        builtin::TROUBLED.request,
        "resource_group = \"WebServers\"",
        "all_managed = true",
    );
    let account = the_same(builtin::TROUBLED.world, &request).await;
    assert_eq!(account.report.outcome, ReportOutcome::Partial);
    assert!(account.report.locations.len() > 10);
    // Run Command has no target for all nodes, so each is named, and what can be patched is.
    let nodes = &account.report.totals.nodes;
    assert_eq!(nodes.count(NodeOutcome::NotRun), 0);
    assert!(nodes.count(NodeOutcome::Done) > 40, "{nodes:?}");
}

#[tokio::test]
async fn node_ids_are_found_where_they_are_alike() {
    let id = |n: u32| format!("i-{n:017x}");
    let mut world = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [
            { id = "111111111111", name = "Main" },
            { id = "222222222222", name = "Web" },
            { id = "333333333333", name = "Idle" },
        ]
        "#
    .to_owned();
    for n in 0..90 {
        let account = if n < 10 { "111111111111" } else { "222222222222" };
        let region = if n % 2 == 0 { "us-east-1" } else { "eu-west-1" };
        let id = id(n);
        writeln!(
            world,
            "[[nodes]]\nid = \"{id}\"\naccount = \"{account}\"\nregion = \"{region}\""
        )
        .unwrap();
    }
    // Each third node is left alone.
    let ids: Vec<String> = (0..90)
        .filter(|n| n % 3 != 0)
        .map(|n| format!("\"{}\"", id(n)))
        .collect();
    let request = request(&format!(
        r#"
        name = "some"
        patch = {{ operation = "Install" }}
        [targets]
        node_ids = [{}]
        accounts = ["111111111111", "222222222222", "333333333333"]
        regions = ["us-east-1", "eu-west-1"]
        [budget.nodes]
        max_concurrency = "100%"
        [budget.locations]
        max_concurrency = 3
        "#,
        ids.join(", ")
    ))
    .unwrap();
    let account = the_same(&world, &request).await;
    assert_eq!(account.report.outcome, ReportOutcome::Succeeded);
    assert_eq!(account.report.locations.len(), 4);
    assert!(
        account.report.executions.len() > 4,
        "more nodes than one unit names"
    );
    assert_eq!(account.report.skipped.len(), 2);
    let installs: Vec<u32> = account.nodes.values().map(|(_, installs, _)| *installs).collect();
    let expected: Vec<u32> = (0..90).map(|n| u32::from(n % 3 != 0)).collect();
    assert_eq!(installs, expected);
}

/// The calm world with a change calendar that is closed for its first 40 minutes.
fn with_a_calendar() -> String {
    let calm = builtin::CALM.world;
    format!(
        r#"{calm}
[[documents]]
name = "Freezes"
type = "ChangeCalendar"
regions = ["us-east-1"]
content = """
BEGIN:VCALENDAR
PRODID:-//AWS//Change Calendar 1.0//EN
VERSION:2.0
X-CALENDAR-TYPE:DEFAULT_OPEN
BEGIN:VEVENT
UID:1
DTSTART:20260301T010000Z
DTEND:20260301T024000Z
SUMMARY:The month is closed
END:VEVENT
END:VCALENDAR
"""
"#
    )
}

#[tokio::test]
async fn a_change_calendar_is_asked_alike_and_nothing_begins_while_it_is_closed() {
    let request = request(&format!(
        "change_calendars = [\"Freezes\"]\n{}",
        builtin::CALM.request
    ))
    .unwrap();
    let account = the_same(&with_a_calendar(), &request).await;
    assert_eq!(account.report.outcome, ReportOutcome::Succeeded);
    let opens: jiff::Timestamp = "2026-03-01T02:40:00Z".parse().unwrap();
    let clock = SimClock::new(World::parse(&with_a_calendar()).unwrap(), ClockMode::Jump);
    plan_and_run(&in_memory(&clock, &request.access).unwrap(), &request)
        .await
        .unwrap();
    let begun: Vec<jiff::Timestamp> = clock.with_world(|world| {
        let all = world.requests().iter();
        all.filter(|one| one.operation == "StartAutomationExecution")
            .map(|one| one.time)
            .collect()
    });
    assert!(!begun.is_empty());
    assert!(begun.iter().all(|at| *at >= opens), "{begun:?}");
}

#[tokio::test]
async fn an_alarm_that_goes_off_in_mid_campaign_is_seen_alike_and_what_is_not_begun_stays_so() {
    let world = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }, { id = "222222222222", name = "Two" }]
        [[alarms]]
        name = "web errors"
        composite = true
        regions = ["us-east-1"]
        states = [
            { state = "INSUFFICIENT_DATA" },
            { at = "5m", state = "ALARM", reason = "Threshold Crossed: 1 datapoint" },
            { at = "30m", state = "OK" },
        ]
        [[groups]]
        name = "Web"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1", "eu-west-1"]
        nodes = [{ count = 2 }]
    "#;
    let text = r#"
        name = "alarm"
        patch = { operation = "Install" }
        breaker = { alarm = "web errors" }
        [targets]
        resource_group = "Web"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1", "eu-west-1"]
        [budget.locations]
        max_concurrency = 1
    "#;
    let account = the_same(world, &request(text).unwrap()).await;
    assert_eq!(account.report.outcome, ReportOutcome::Halted);
    let told = account.report.left_out_because.unwrap();
    assert!(
        told.starts_with("the CloudWatch alarm web errors is in the state ALARM since ")
            && told.ends_with("(Threshold Crossed: 1 datapoint)"),
        "{told}"
    );
    // The first location was at work when it went off, and comes to its end.
    let patched = account.nodes.values().filter(|(_, installs, _)| *installs > 0);
    assert_eq!((patched.count(), account.nodes.len()), (2, 8));
}

#[tokio::test]
async fn an_alarm_that_is_handed_to_aws_stops_what_runs_alike() {
    let world = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }, { id = "222222222222", name = "Two" }]
        [[alarms]]
        name = "web errors"
        regions = ["us-east-1"]
        states = [{ at = "3m", state = "ALARM" }, { at = "8m", state = "OK" }]
        [[groups]]
        name = "Web"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1"]
        nodes = [{ count = 4, patch = { minutes = 5.0 } }]
    "#;
    let text = r#"
        name = "alarm"
        patch = { operation = "Install" }
        breaker = { alarm = "web errors", hand_alarm_to_aws = true }
        [targets]
        resource_group = "Web"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1"]
        [budget]
        nodes = { max_concurrency = 1, max_errors = 4 }
        locations = { max_concurrency = 2, max_errors = 2 }
    "#;
    let account = the_same(world, &request(text).unwrap()).await;
    assert_eq!(account.report.outcome, ReportOutcome::Halted);
    let stopped = account.report.locations.iter();
    let details: Vec<&str> = stopped.map(|at| at.detail.as_str()).collect();
    let why = "Systems Manager stopped it, as the CloudWatch alarm web errors was in the state ALARM";
    assert!(
        details.len() == 2 && details.iter().all(|detail| detail.ends_with(why)),
        "{details:?}"
    );
}

#[tokio::test]
async fn services_that_are_bounded_by_their_tag_are_patched_alike() {
    let world = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }, { id = "222222222222", name = "Two" }]
        [[groups]]
        name = "Web"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1"]
        nodes = [
            { count = 2, tags = { Service = "db" } }, { count = 2, kind = "hybrid", tags = { Service = "web" } },
            { count = 1, tags = { service = "db" } },
        ]
    "#;
    let text = r#"
        name = "labels"
        patch = { operation = "Install" }
        [targets]
        resource_group = "Web"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1"]
        [budget.locations]
        max_concurrency = 2
        [[budget.labels]]
        by = "tag:Service"
        max_in_flight = 1
    "#;
    let account = the_same(world, &request(text).unwrap()).await;
    assert_eq!(account.report.outcome, ReportOutcome::Succeeded);
}
