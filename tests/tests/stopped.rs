//! A person has a campaign stopped, in the simulator's own truth: no node is begun after that, nothing is left running, and
//! every location and node is told of as it is.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

#[path = "stopped/alarm.rs"]
mod alarm;
#[path = "stopped/elsewhere.rs"]
mod elsewhere;

use jiff::{SignedDuration, Timestamp};
use patchfleet_core::campaign::{DriveError, StopMode};
use patchfleet_core::outcome::{LocationOutcome, NodeOutcome};
use patchfleet_core::port::Ports;
use patchfleet_core::report::{Report, ReportOutcome};
use patchfleet_core::request::PatchRequest;
use patchfleet_sim::spec::FaultSpec;
use patchfleet_sim::{ClockMode, SimClock, world::World};
use patchfleet_tests::{Campaign, in_memory, plan, request};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Three accounts with a group of four nodes in each of three Regions. Patching takes ten minutes a node.
fn world_text(cascades: bool) -> String {
    format!(
        r#"
        management_account = "111111111111"
        documents = [{{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }}]
        patch = {{ minutes = 10.0, reboot_minutes = 1.0 }}
        automation = {{ stop_cascades = {cascades} }}
        accounts = [
            {{ id = "111111111111", name = "Main" }},
            {{ id = "222222222222", name = "Two" }},
            {{ id = "333333333333", name = "Three" }},
        ]
        [[groups]]
        name = "Web"
        accounts = ["222222222222", "333333333333"]
        regions = ["eu-west-1", "us-east-1", "us-west-2"]
        nodes = [{{ count = 4 }}]
        "#
    )
}

fn world(cascades: bool) -> SimClock {
    SimClock::new(World::parse(&world_text(cascades)).unwrap(), ClockMode::Jump)
}

/// Whether something of the campaign runs in the simulator still.
fn runs(state: &Value) -> bool {
    let open = |kind: &str| {
        let mut all = state[kind].as_array().unwrap().iter();
        all.any(|one| one["ended"].is_null())
    };
    open("executions") || open("commands")
}

/// An Install of all of it, `at_once` locations at once and one node at once in each.
fn ask(at_once: u32) -> PatchRequest {
    request(&format!(
        r#"
        name = "stopped"
        patch = {{ operation = "Install" }}
        targets = {{
            resource_group = "Web", accounts = ["222222222222", "333333333333"],
            regions = ["eu-west-1", "us-east-1", "us-west-2"],
        }}
        budget = {{
            nodes = {{ max_concurrency = 1, max_errors = 4 }},
            locations = {{ max_concurrency = {at_once}, max_errors = 6 }},
        }}
        "#
    ))
    .unwrap()
}

struct Scene {
    sim: SimClock,
    ports: Ports,
    campaign: Campaign,
}

impl Scene {
    async fn begun(cascades: bool, at_once: u32) -> Self {
        let (sim, request) = (world(cascades), ask(at_once));
        let ports = in_memory(&sim, &request.access).unwrap();
        let plan = plan(&ports, &request).await.unwrap();
        let campaign = Campaign::begin(&ports, plan).await.unwrap();
        Self { sim, ports, campaign }
    }

    /// The campaign once two locations are at work, some minutes after that. Automation begins one at first.
    async fn at_work(cascades: bool, at_once: u32) -> Self {
        let scene = Self::begun(cascades, at_once).await;
        while scene.commands(true).len() < 2 {
            // Longer than it waits between two looks, so that time passes.
            scene.campaign.run_for(400).await.unwrap();
        }
        scene.pass(SignedDuration::from_secs(120)).await;
        scene
    }

    async fn pass(&self, time: SignedDuration) {
        self.ports.clock.sleep_until(self.now() + time).await;
    }

    /// The commands, or those that are at work.
    fn commands(&self, at_work: bool) -> Vec<Value> {
        let state = self.state();
        let commands = state["commands"].as_array().unwrap().iter();
        commands
            .filter(|one| !at_work || one["ended"].is_null())
            .cloned()
            .collect()
    }

    fn state(&self) -> Value {
        self.sim.with_world(|world| world.state())
    }

    fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// How many nodes have begun to patch after an instant.
    fn invocations_begun(&self, after: Timestamp) -> usize {
        let state = self.state();
        let commands = state["commands"].as_array().unwrap().iter();
        let all = commands.flat_map(|one| one["invocations"].as_array().unwrap());
        all.filter(|one| {
            let began = one["started"].as_str().map(|at| at.parse::<Timestamp>().unwrap());
            began.is_some_and(|began| began > after)
        })
        .count()
    }

    fn runs(&self) -> bool {
        runs(&self.state())
    }

    async fn stop(&self, mode: StopMode) -> Result<Report, DriveError> {
        let state = self
            .campaign
            .driver
            .stop(self.campaign.id, mode, "somebody")
            .await?;
        Ok(self.campaign.account(&state).await.unwrap().report)
    }

    /// What the report says, held to what the nodes themselves say.
    fn is_true(&self, report: &Report) {
        assert_eq!((report.outcome, report.exit_code()), (ReportOutcome::Halted, 5));
        assert_eq!(report.stop_asked.as_ref().unwrap().by, "somebody");
        assert_eq!(report.totals.locations, 6);
        assert!(
            report.locations.iter().all(|at| at.outcome.is_some()),
            "{report:#?}"
        );
        assert_eq!(report.totals.nodes.total(), 24);
        let state = self.state();
        let installs: BTreeMap<&str, u64> = state["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| (node["id"].as_str().unwrap(), node["installs"].as_u64().unwrap()))
            .collect();
        assert!(installs.values().all(|n| *n <= 1), "{installs:?}");
        let told: BTreeMap<&str, NodeOutcome> = report
            .needs_action
            .iter()
            .map(|row| (row.node.as_str(), row.outcome))
            .collect();
        for (node, installs) in installs {
            match told.get(node) {
                // It needs no action, so it was patched.
                None => assert_eq!(installs, 1, "{node}"),
                Some(NodeOutcome::NotRun) => assert_eq!(installs, 0, "{node} was patched"),
                Some(_) => {}
            }
        }
    }
}

#[tokio::test]
async fn no_node_is_begun_after_a_stop_and_nothing_is_left_running_whether_aws_cascades_or_not() {
    for cascades in [true, false] {
        for at_once in [2, 6] {
            let scene = Scene::at_work(cascades, at_once).await;
            let (asked, commands) = (scene.now(), scene.commands(false).len());
            let report = scene.stop(StopMode::CancelCommands).await.unwrap();
            let case = format!("cascades: {cascades}, {at_once} at once");
            // A command that was sent before may reach a node within seconds of the stop.
            assert_eq!(
                scene.invocations_begun(asked + SignedDuration::from_secs(5)),
                0,
                "{case}"
            );
            assert!(!scene.runs(), "{case}: {:#}", scene.state());
            let took = scene.now().duration_since(asked);
            assert!(took < SignedDuration::from_mins(6), "{case}: {took:#}");
            scene.is_true(&report);
            assert_eq!(scene.commands(false).len(), commands, "{case}");
            let outcome = |outcome| *report.totals.outcomes.get(&outcome).unwrap_or(&0) as usize;
            assert_eq!(outcome(LocationOutcome::NotStarted), 6 - commands, "{case}");
            assert_eq!(outcome(LocationOutcome::Cancelled), 2, "{case}");
            for at in &report.locations {
                let told = at.outcome == Some(LocationOutcome::Succeeded)
                    || at.detail.contains("somebody had the campaign stopped at");
                assert!(told, "{case}: {at:?}");
            }
            // Half an hour later nothing has begun either.
            scene
                .ports
                .clock
                .sleep_until(scene.now() + SignedDuration::from_mins(60))
                .await;
            assert_eq!(
                scene.invocations_begun(asked + SignedDuration::from_secs(5)),
                0,
                "{case}"
            );
        }
    }
}

#[tokio::test]
async fn a_command_that_was_sent_runs_to_its_end_if_that_is_asked_for_and_no_other_is_sent() {
    for cascades in [true, false] {
        let scene = Scene::at_work(cascades, 2).await;
        let commands = scene.commands(false).len();
        let report = scene.stop(StopMode::LetCommandsRun).await.unwrap();
        scene.is_true(&report);
        assert!(!scene.runs(), "cascades: {cascades}");
        assert_eq!(
            scene.state()["commands"].as_array().unwrap().len(),
            commands,
            "no other"
        );
        let nodes = &report.totals.nodes;
        let done = 4 * u32::try_from(commands).unwrap();
        assert_eq!(
            (nodes.count(NodeOutcome::Done), nodes.count(NodeOutcome::NotRun)),
            (done, 24 - done),
            "cascades: {cascades}"
        );
    }
}

#[tokio::test]
async fn what_a_role_may_not_stop_is_named_the_rest_is_stopped_and_the_campaign_is_not_called_stopped() {
    let scene = Scene::at_work(false, 6).await;
    let may_not = ["ssm:StopAutomationExecution", "ssm:CancelCommand"];
    let at_work = scene.commands(true);
    let place = |one: &Value, part: &str| one[part].as_str().unwrap().to_owned();
    let (account, region) = (place(&at_work[0], "account"), place(&at_work[0], "region"));
    let fault =
        json!({ "effect": "deny", "accounts": [account], "regions": [region], "operations": may_not });
    let fault: FaultSpec = serde_json::from_value(fault).unwrap();
    scene.sim.with_world(|world| world.add_fault(fault).unwrap());
    let asked = scene.now();
    let error = scene.stop(StopMode::CancelCommands).await.unwrap_err();
    let DriveError::RunsOn { what, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(what.len(), 1, "{what:?}");
    assert!(what[0].contains(&format!("{account}/{region}")), "{what:?}");
    assert!(what[0].contains("StopAutomationExecution"), "{what:?}");
    assert_eq!(scene.commands(true).len(), 1, "the others are stopped");
    assert!(scene.runs(), "it says the truth");
    let took = scene.now().duration_since(asked);
    assert!(took < SignedDuration::from_mins(5), "{took:#}");
    // Once the policy is changed, it is said again.
    scene.sim.with_world(World::clear_faults);
    let report = scene.stop(StopMode::CancelCommands).await.unwrap();
    scene.is_true(&report);
    assert!(!scene.runs());
}

#[tokio::test]
async fn throttles_and_lost_answers_of_a_stop_are_tried_again_and_nothing_is_left_running() {
    for effect in [json!("throttle"), json!("drop_after"), json!("internal_error")] {
        let scene = Scene::at_work(false, 2).await;
        let fault = json!({
            "effect": effect, "operations": ["ssm:StopAutomationExecution", "ssm:CancelCommand"], "calls": [1, 2],
        });
        let fault: FaultSpec = serde_json::from_value(fault).unwrap();
        scene.sim.with_world(|world| world.add_fault(fault).unwrap());
        let report = scene.stop(StopMode::CancelCommands).await.unwrap();
        scene.is_true(&report);
        assert!(!scene.runs(), "{effect}");
    }
}
