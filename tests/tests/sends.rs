//! Campaigns whose commands patchfleet sends itself, through the ports in memory and, through the real SDK, over HTTP.
//! There is no runbook and no role of Automation: each account has the one role with which it is read.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use patchfleet_aws::iam::{Party, Policy};
use patchfleet_core::{
    campaign::{Event, StopMode},
    outcome::NodeOutcome,
    plan::{Plan, PlanError},
    port::Ports,
    refusal::RefusalCode,
    report::ReportOutcome,
    request::PatchRequest,
};
use patchfleet_sim::{ClockMode, Sim, SimClock, SimOptions, operations, world::World};
use patchfleet_tests::{Campaign, Ended, in_memory, over_http, plan, plan_and_run, request};
use serde_json::Value;
use std::collections::BTreeMap;

/// Each account has one role, which may do what `patchfleet iam` prints for it and nothing else that the simulator
/// answers. `faults` says what goes wrong.
fn world(faults: &str) -> World {
    let role = role("Reader", Party::Discovery, &ask());
    world_of(&role, &role, faults)
}

/// A role that may do what `patchfleet iam` prints for this party, and nothing else that the simulator answers.
fn role(name: &str, party: Party, request: &PatchRequest) -> String {
    let policy = Policy::of(party, request, None);
    let all = operations()
        .into_iter()
        .map(|(service, operation)| format!("{}:{operation}", service.name()));
    let denied: Vec<String> = all
        .filter(|action| !policy.actions().contains(&action.as_str()))
        .collect();
    let denied = serde_json::to_string(&denied).unwrap();
    format!(r#"{{ name = "{name}", denied_actions = {denied} }}"#)
}

/// Two accounts with nodes, which have these roles.
fn world_of(two: &str, three: &str, faults: &str) -> World {
    let text = format!(
        r#"
        management_account = "111111111111"
        patch = {{ minutes = 4.0, reboot_minutes = 1.0 }}
        accounts = [
            {{ id = "111111111111", name = "Main", roles = [
                {{ name = "AWS-SystemsManager-AutomationAdministrationRole", state = "missing" }},
            ] }},
            {{ id = "222222222222", name = "Two", roles = [
                {two},
                {{ name = "AWS-SystemsManager-AutomationExecutionRole", state = "missing" }},
            ] }},
            {{ id = "333333333333", name = "Three", roles = [
                {three},
                {{ name = "AWS-SystemsManager-AutomationExecutionRole", state = "missing" }},
            ] }},
        ]
        [[groups]]
        name = "Web"
        accounts = ["222222222222"]
        regions = ["us-east-1", "eu-west-1"]
        nodes = [{{ count = 3 }}]
        [[groups]]
        name = "Web"
        accounts = ["333333333333"]
        regions = ["us-east-1"]
        nodes = [{{ count = 52 }}]
        {faults}
        "#
    );
    World::parse(&text).unwrap()
}

fn ask() -> PatchRequest {
    request(
        r#"
        name = "sends"
        patch = { operation = "Install" }
        [targets]
        resource_group = "Web"
        accounts = ["222222222222", "333333333333"]
        regions = ["us-east-1", "eu-west-1"]
        [access]
        discovery_role = "Reader"
        [budget.nodes]
        max_concurrency = "50%"
        [budget.locations]
        max_concurrency = 2
        [automation]
        dispatch = "run-command"
        "#,
    )
    .unwrap()
}

fn ports(clock: &SimClock) -> Ports {
    in_memory(clock, &ask().access).unwrap()
}

/// How often each node was sent a command, told by the world alone.
fn commands_of_nodes(world: &World) -> BTreeMap<String, u32> {
    let state = world.state();
    assert_eq!(state["executions"], Value::Array(vec![]));
    let mut times = BTreeMap::new();
    for command in state["commands"].as_array().unwrap() {
        for invocation in command["invocations"].as_array().unwrap() {
            let node = invocation["node"].as_str().unwrap().to_owned();
            *times.entry(node).or_default() += 1;
        }
    }
    times
}

fn each_once(world: &World) {
    let times = commands_of_nodes(world);
    assert_eq!(times.len(), 58);
    assert!(times.values().all(|n| *n == 1), "{times:?}");
}

fn all_done(ended: &Ended) {
    assert_eq!(ended.report.outcome, ReportOutcome::Succeeded);
    assert_eq!(ended.report.totals.nodes.count(NodeOutcome::Done), 58);
}

#[tokio::test]
async fn one_role_in_each_account_is_enough_and_both_fronts_say_the_same() {
    let clock = SimClock::new(world(""), ClockMode::Jump);
    let in_memory: (Plan, Ended) = plan_and_run(&ports(&clock), &ask()).await.unwrap();
    clock.with_world(|world| each_once(world));
    all_done(&in_memory.1);

    let sim = Sim::start(world(""), SimOptions::default()).await.unwrap();
    let over_http = plan_and_run(&over_http(&sim, &ask().access).unwrap(), &ask())
        .await
        .unwrap();
    sim.with_world(|world| each_once(world));
    assert_eq!(in_memory.0, over_http.0);
    // Over HTTP calls take their time, so the instants differ.
    let told = |ended: &Ended| {
        let locations = ended.report.locations.iter();
        let told = locations.map(|at| {
            (
                at.account.clone(),
                at.region.clone(),
                at.outcome,
                at.nodes.clone(),
            )
        });
        (told.collect::<Vec<_>>(), ended.report.executions.clone())
    };
    assert_eq!(told(&in_memory.1), told(&over_http.1));

    let plan = in_memory.0;
    let nodes: Vec<usize> = plan
        .units
        .iter()
        .map(|unit| unit.nodes.as_ref().unwrap().len())
        .collect();
    assert_eq!(nodes, [3, 3, 50, 2]);
    assert!(plan.runbook.is_none());
    let mut of_the_runbook = plan.warnings.iter().filter(|words| words.contains("runbook"));
    assert_eq!(of_the_runbook.next(), None);
    let dispatch = plan.dispatch.unwrap();
    // By Automation two rectangles would do: the group is in the start.
    assert_eq!((dispatch.commands, dispatch.starts), (4, Some(2)));
}

#[tokio::test]
async fn a_send_whose_answer_is_lost_over_http_is_found_by_its_comment() {
    let faults = r#"
        [[faults]]
        effect = "drop_after"
        operations = ["ssm:SendCommand"]
        calls = [1]
    "#;
    let sim = Sim::start(world(faults), SimOptions::default()).await.unwrap();
    let (_, ended) = plan_and_run(&over_http(&sim, &ask().access).unwrap(), &ask())
        .await
        .unwrap();
    sim.with_world(|world| each_once(world));
    all_done(&ended);
    let intended = ended.records.iter().flat_map(|record| &record.events);
    let intended = intended.filter(|event| matches!(event, Event::StartIntended { .. }));
    assert_eq!(intended.count(), 4, "nothing was sent again");
}

#[tokio::test]
async fn a_stop_cancels_what_was_sent_in_each_location() {
    let clock = SimClock::new(world(""), ClockMode::Jump);
    let ports = ports(&clock);
    let planned = plan(&ports, &ask()).await.unwrap();
    let campaign = Campaign::begin(&ports, planned).await.unwrap();
    campaign.run_for(60).await.unwrap();
    let state = campaign
        .driver
        .stop(campaign.id, StopMode::CancelCommands, "ops")
        .await
        .unwrap();
    let ended = campaign.account(&state).await.unwrap();
    assert_eq!(ended.report.outcome, ReportOutcome::Halted);
    clock.with_world(|world| {
        let state = world.state();
        let commands = state["commands"].as_array().unwrap();
        assert_eq!(commands.len(), 2);
        assert!(
            commands.iter().all(|command| command["status"] == "Cancelled"),
            "{commands:?}"
        );
    });
}

#[tokio::test]
async fn nobody_who_only_starts_and_forgets_can_send_commands_himself() {
    let clock = SimClock::new(world(""), ClockMode::Jump);
    let source = patchfleet_core::id::EventSource::Slot;
    let event = patchfleet_core::id::EventId::new(source, "e").unwrap();
    let planning = patchfleet_core::plan::Planning::default();
    let served = patchfleet_core::serve_event(&ports(&clock), &event, &ask(), &planning, None).await;
    let Err(patchfleet_core::CampaignError::Refused(refusal)) = served else {
        unreachable!("{served:?}")
    };
    assert_eq!(refusal.reasons[0].code, RefusalCode::Unsupported);
    assert_eq!(refusal.reasons[0].subject, "automation.dispatch");
}

/// The same, sent by a role of its own.
fn ask_as_sender() -> PatchRequest {
    let mut request = ask();
    request.access.send_role = Some("Sender".parse().unwrap());
    request
}

#[tokio::test]
async fn a_role_of_its_own_sends_and_cancels_and_the_one_that_reads_need_not() {
    let ask = ask_as_sender();
    let reader = role("Reader", Party::Discovery, &ask);
    let sender = role("Sender", Party::Sending, &ask);
    for denied in ["ssm:SendCommand", "ssm:CancelCommand"] {
        assert!(reader.contains(denied) && !sender.contains(denied), "{denied}");
    }
    let both = format!("{reader}, {sender}");
    let clock = SimClock::new(world_of(&both, &both, ""), ClockMode::Jump);
    let (_, ended) = plan_and_run(&in_memory(&clock, &ask.access).unwrap(), &ask)
        .await
        .unwrap();
    clock.with_world(|world| each_once(world));
    all_done(&ended);

    let sim = Sim::start(world_of(&both, &both, ""), SimOptions::default())
        .await
        .unwrap();
    let ports = over_http(&sim, &ask.access).unwrap();
    let planned = plan(&ports, &ask).await.unwrap();
    assert!(
        planned
            .warnings
            .iter()
            .all(|words| !words.contains("a stop of this campaign"))
    );
    let campaign = Campaign::begin(&ports, planned).await.unwrap();
    campaign.run_for(60).await.unwrap();
    let state = campaign
        .driver
        .stop(campaign.id, StopMode::CancelCommands, "ops")
        .await
        .unwrap();
    campaign.account(&state).await.unwrap();
    sim.with_world(|world| {
        let state = world.state();
        let mut commands = state["commands"].as_array().unwrap().iter();
        assert!(commands.all(|command| command["status"] == "Cancelled"));
    });
}

#[tokio::test]
async fn an_install_is_refused_where_the_role_that_is_to_send_is_missing() {
    let ask = ask_as_sender();
    let reader = role("Reader", Party::Discovery, &ask);
    let both = format!("{reader}, {}", role("Sender", Party::Sending, &ask));
    for over_the_wire in [false, true] {
        let world = world_of(&both, &reader, "");
        let refused = if over_the_wire {
            let sim = Sim::start(world, SimOptions::default()).await.unwrap();
            plan(&over_http(&sim, &ask.access).unwrap(), &ask).await
        } else {
            let clock = SimClock::new(world, ClockMode::Jump);
            plan(&in_memory(&clock, &ask.access).unwrap(), &ask).await
        };
        let Err(PlanError::Refused(refusal)) = refused else {
            unreachable!("{refused:?}")
        };
        assert_eq!(refusal.reasons.len(), 1, "{refusal:?}");
        assert_eq!(refusal.reasons[0].code, RefusalCode::SendRole);
        assert_eq!(refusal.reasons[0].subject, "333333333333/us-east-1");
        let words = &refusal.reasons[0].detail;
        assert!(words.contains("the role Sender (access.send_role)"), "{words}");
    }
}
