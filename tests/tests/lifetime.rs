//! Commands expire as a whole: who has had no turn by then is not patched. And nodes that do not
//! answer hold the places of the others.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use patchfleet_core::{
    outcome::NodeOutcome,
    plan::{Plan, PlanError, Planning},
    refusal::RefusalCode,
    report::ReportOutcome,
    request::PatchRequest,
};
use patchfleet_sim::{ClockMode, SimClock, world::World};
use patchfleet_tests::{Campaign, in_memory, plan_and_run, request};

/// One location with a group of these nodes.
fn world(nodes: &str) -> SimClock {
    let text = format!(
        r#"
        management_account = "111111111111"
        documents = [{{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }}]
        accounts = [{{ id = "111111111111", name = "Main" }}]
        patch = {{ minutes = 75.0, reboot_minutes = 5.0 }}
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1"]
        nodes = [{nodes}]
        "#
    );
    SimClock::new(World::parse(&text).unwrap(), ClockMode::Jump)
}

fn ask(more: &str) -> PatchRequest {
    request(&format!(
        r#"
        name = "slow"
        patch = {{ operation = "Install" }}
        targets = {{ resource_group = "WebServers", regions = ["us-east-1"] }}
        budget = {{ nodes = {{ max_concurrency = 1, max_errors = 1 }} }}
        {more}
        "#
    ))
    .unwrap()
}

#[tokio::test]
async fn a_slow_fleet_of_many_turns_is_patched_whole() {
    let clock = world("{ count = 7 }");
    let request = ask("");
    let ports = in_memory(&clock, &request.access).unwrap();
    let (plan, ended) = plan_and_run(&ports, &request).await.unwrap();
    // Seven turns of more than an hour: more than the 7 h of a command with AWS's default.
    assert_eq!(ended.report.totals.nodes.count(NodeOutcome::Done), 7);
    assert_eq!(ended.report.outcome, ReportOutcome::Succeeded);
    let state = clock.with_world(|world| world.state());
    let command = &state["commands"][0];
    let instant = |name: &str| -> jiff::Timestamp { command[name].as_str().unwrap().parse().unwrap() };
    let lasted = instant("ended").duration_since(instant("requested")).as_secs();
    assert!(lasted > 7 * 3_600, "{lasted}");
    assert!(u64::try_from(lasted).unwrap() <= plan.worst_case.slowest_location_seconds.unwrap());
}

#[tokio::test]
async fn a_command_that_expires_before_all_had_their_turn_leaves_the_others_unpatched_and_named() {
    let clock = world("{ count = 7 }");
    let mut request = ask("");
    request.patch.delivery_timeout = Some("30m".parse().unwrap());
    let ports = in_memory(&clock, &request.access).unwrap();
    let (plan, ended) = plan_and_run(&ports, &request).await.unwrap();
    assert!(
        plan.warnings.iter().any(|warning| warning.contains("expire")),
        "{:?}",
        plan.warnings
    );
    let installed = clock.with_world(|world| {
        let installed = world.nodes().filter(|node| node.installs() > 0);
        installed.map(|node| node.id().clone()).collect::<Vec<_>>()
    });
    let nodes = &ended.report.totals.nodes;
    let turns = u32::try_from(installed.len()).unwrap();
    // Six hours and a half, for turns of more than an hour.
    assert!((4..7).contains(&turns), "{turns}");
    assert_eq!(nodes.total(), 7);
    assert!(nodes.count(NodeOutcome::Done) >= turns - 1, "{nodes:?}");
    let had_none: Vec<_> = ended
        .report
        .needs_action
        .iter()
        .filter(|row| !installed.contains(&row.node))
        .collect();
    assert_eq!(had_none.len(), 7 - installed.len(), "each is named");
    assert!(
        had_none.iter().all(|row| row.outcome == NodeOutcome::Unreached),
        "{had_none:?}"
    );
    assert_eq!(ended.report.exit_code(), 4);
}

#[tokio::test]
async fn a_node_that_is_at_work_when_its_command_expires_is_told_apart_from_those_that_wait() {
    let clock = world("{ count = 5, patch = { minutes = 95.0 } }");
    let mut request = ask("");
    // Six hours and half a minute: three turns, and a part of the fourth.
    request.patch.delivery_timeout = Some("30s".parse().unwrap());
    let ports = in_memory(&clock, &request.access).unwrap();
    let (plan, ended) = plan_and_run(&ports, &request).await.unwrap();
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.contains("3 nodes have no turn")),
        "{:?}",
        plan.warnings
    );
    let nodes = &ended.report.totals.nodes;
    assert_eq!(nodes.count(NodeOutcome::Done), 3, "{nodes:?}");
    assert_eq!(nodes.count(NodeOutcome::RunningAtExpiry), 1, "{nodes:?}");
    assert_eq!(nodes.count(NodeOutcome::Unreached), 1, "{nodes:?}");
    assert_eq!(ended.report.exit_code(), 4);
    let at_work = ended
        .report
        .needs_action
        .iter()
        .find(|row| row.outcome == NodeOutcome::RunningAtExpiry);
    assert_eq!(
        at_work.unwrap().detail,
        "the command expired while it was at work on it; what it began may run on"
    );
}

#[tokio::test]
async fn unattended_nothing_is_started_where_a_silent_node_can_hold_up_the_others() {
    let clock = world("{ count = 2 }, { count = 1, reachability = \"offline\" }");
    let request = ask("");
    let ports = in_memory(&clock, &request.access).unwrap();
    let Err(PlanError::Refused(refusal)) = Plan::make(&ports, &request, &Planning::default()).await else {
        unreachable!("one place, and one node that may hold it")
    };
    assert_eq!(refusal.reasons[0].code, RefusalCode::NodesOffline);
}

#[tokio::test]
async fn leaving_silent_nodes_out_patches_the_others_and_accounts_for_every_node() {
    let clock = world(
        "{ count = 25, patch = { minutes = 5.0 } }, { count = 2, reachability = \"offline\" }, \
         { count = 1, reachability = \"unmanaged\" }",
    );
    let request = ask("policy = { offline = \"skip\" }");
    let ports = in_memory(&clock, &request.access).unwrap();
    let plan = Plan::make(&ports, &request, &Planning::default()).await.unwrap();
    assert_eq!(plan.units.len(), 2);
    let planned = plan.locations[0].nodes.unwrap();
    let ended = Campaign::begin(&ports, plan).await.unwrap().run().await.unwrap();
    let nodes = &ended.report.totals.nodes;
    assert_eq!(nodes.count(NodeOutcome::Done), 25);
    assert_eq!(nodes.count(NodeOutcome::Unreached), 2);
    assert_eq!(nodes.count(NodeOutcome::Unmanaged), 1);
    assert_eq!(nodes.total(), planned.total());
    assert_eq!(ended.report.exit_code(), 4);
    let silent = ended
        .report
        .needs_action
        .iter()
        .find(|row| row.outcome == NodeOutcome::Unreached);
    assert_eq!(
        silent.unwrap().detail,
        "left out, as the policy says: it did not answer Systems Manager when the plan was made"
    );
    let rows: usize = ended.rows.values().map(Vec::len).sum();
    assert_eq!(rows, 28);
}

#[tokio::test]
async fn a_start_that_aws_keeps_waiting_past_the_cutoff_is_told_and_is_no_success() {
    // Somebody else's execution has the only place for three hours.
    let text = r#"
        management_account = "111111111111"
        documents = [
            { name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" },
            { name = "Nap", content = """{"schemaVersion": "0.3", "parameters": {"Why": {"type": "String"}}, "mainSteps": [
                {"name": "nap", "action": "aws:sleep", "inputs": {"Duration": "PT3H"}}]}""" },
        ]
        accounts = [{ id = "111111111111", name = "Main" }, { id = "222222222222", name = "Web" }]
        quotas = { running_automations = 1 }
        [[groups]]
        name = "WebServers"
        accounts = ["222222222222"]
        regions = ["us-east-1"]
        nodes = [{ count = 2 }, { count = 1, reachability = "offline" }]
    "#;
    let clock = SimClock::new(World::parse(text).unwrap(), ClockMode::Jump);
    let mut request = ask("");
    request.targets.accounts = vec!["222222222222".parse().unwrap()];
    request.budget.nodes.max_concurrency = "3".parse().unwrap();
    let ports = in_memory(&clock, &request.access).unwrap();
    let now = ports.clock.now();
    let hours = jiff::SignedDuration::from_hours;
    let cutoff = now + hours(7);
    let planning = Planning {
        cutoff: Some(cutoff),
        ..Planning::default()
    };
    let plan = Plan::make(&ports, &request, &planning).await.unwrap();
    let mut nap = plan.units[0].start.clone();
    nap.document_name = "Nap".parse().unwrap();
    nap.parameters = [("Why".to_owned(), vec!["backup".to_owned()])].into();
    let token = patchfleet_core::id::CampaignId::from_uuid(uuid::Uuid::nil())
        .client_token(patchfleet_core::id::UnitId::from_index(0), 1);
    ports
        .automation
        .start(&nap, token, jiff::Timestamp::MAX)
        .await
        .unwrap();

    let campaign = Campaign::begin(&ports, plan).await.unwrap();
    campaign.run_for(1_800).await.unwrap();
    let state = campaign.driver.open(campaign.id).await.unwrap().into_state();
    let warnings = state.warnings().join("; ");
    assert!(
        warnings.contains("waits at AWS") && warnings.contains("past the cutoff"),
        "{warnings}"
    );
    let ended = campaign.run().await.unwrap();
    let report = &ended.report;
    assert_eq!(report.totals.nodes.count(NodeOutcome::Done), 2);
    let command = clock.with_world(|world| world.state()["commands"][0].clone());
    let requested: jiff::Timestamp = command["requested"].as_str().unwrap().parse().unwrap();
    assert!(requested >= now + hours(3), "AWS began it late");
    // The node that does not answer keeps it alive until it expires.
    assert!(ended.records.last().unwrap().at > cutoff);
    assert_eq!(report.outcome, ReportOutcome::Halted);
    assert_eq!(report.exit_code(), 5);
    let detail = &report.locations[0].detail;
    assert!(
        detail.contains("lived past the cutoff") && detail.contains("AWS began it late"),
        "{detail}"
    );
}

/// How many nodes were at work when another one began, at most: as the simulated organisation knows, whatever AWS counts.
fn most_at_work(clock: &SimClock) -> usize {
    let state = clock.with_world(|world| world.state());
    let commands = state["commands"].as_array().unwrap();
    let all = commands
        .iter()
        .flat_map(|command| command["invocations"].as_array().unwrap());
    let instant = |value: &serde_json::Value| value.as_str().map(|at| at.parse::<jiff::Timestamp>().unwrap());
    let at_work: Vec<_> = all
        .filter_map(|one| {
            let until = instant(&one["at_work_until"]).unwrap_or(jiff::Timestamp::MAX);
            Some((instant(&one["started"])?, until))
        })
        .collect();
    let beside = |at: jiff::Timestamp| {
        at_work
            .iter()
            .filter(|(from, to)| *from <= at && at < *to)
            .count()
    };
    at_work.iter().map(|(from, _)| beside(*from)).max().unwrap()
}

#[tokio::test]
async fn under_a_bound_that_aws_keeps_no_later_start_takes_the_place_of_a_node_that_runs_on() {
    let text = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }]
        patch = { minutes = 10.0, reboot_minutes = 1.0 }
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1"]
        nodes = [{ count = 1 }, { count = 1, reachability = "offline", patch = { minutes = 150.0 } }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["ap-south-1", "eu-central-1", "eu-west-1", "us-west-2"]
        nodes = [{ count = 2 }]
        [[changes]]
        at = "6h 10m"
        change = { gain_agent = { group = "WebServers", count = 1 } }
    "#;
    let request = request(
        r#"
        name = "slow"
        patch = { operation = "Install", delivery_timeout = "30m" }
        targets = { resource_group = "WebServers", regions = "all-enabled" }
        [budget]
        nodes = { max_concurrency = 2, max_errors = 4 }
        locations = { max_concurrency = 2, max_errors = 5 }
        fleet = { max_in_flight = 2 }
        [[waves]]
        name = "first"
        regions = ["us-east-1"]
        "#,
    )
    .unwrap();
    let clock = SimClock::new(World::parse(text).unwrap(), ClockMode::Jump);
    let ports = in_memory(&clock, &request.access).unwrap();
    let (_, ended) = plan_and_run(&ports, &request).await.unwrap();
    let nodes = &ended.report.totals.nodes;
    assert_eq!(nodes.count(NodeOutcome::RunningAtExpiry), 1, "{nodes:?}");
    assert_eq!(nodes.count(NodeOutcome::Done), 9, "{nodes:?}");
    assert_eq!(ended.report.exit_code(), 4);
    // Its command expires after six hours and a half, and it is at work for two more, while the other eight are patched.
    assert_eq!(most_at_work(&clock), 2);
}
