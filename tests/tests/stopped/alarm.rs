//! Each start hands a CloudWatch alarm to AWS. It goes off while nobody drives the campaign, and is well again before somebody
//! does: AWS has stopped what ran, every location and node is told of as it is, and nothing more begins.

use super::world_text;
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::campaign::{BreakerStop, Event, StopReason};
use patchfleet_core::outcome::{LocationOutcome, NodeOutcome};
use patchfleet_core::port::{Clock as _, TriggeredAlarm};
use patchfleet_core::report::{Report, ReportOutcome};
use patchfleet_core::request::PatchRequest;
use patchfleet_sim::{Sim, SimOptions, world::World};
use patchfleet_tests::{Campaign, over_http, plan, request};
use serde_json::Value;
use std::collections::BTreeMap;

/// The six locations of the other tests, and an alarm that goes off 20 minutes after the start, for five minutes.
fn world(cascades: bool, role: &str) -> World {
    let alarm = r#"
        [[alarms]]
        name = "web errors"
        regions = ["us-east-1"]
        states = [{ at = "20m", state = "ALARM", reason = "Threshold Crossed" }, { at = "25m", state = "OK" }]
    "#;
    World::parse(&format!("{role}{}{alarm}", world_text(cascades))).unwrap()
}

fn ask() -> PatchRequest {
    request(
        r#"
        name = "alarm"
        patch = { operation = "Install" }
        breaker = { alarm = "web errors", hand_alarm_to_aws = true }
        [targets]
        resource_group = "Web"
        accounts = ["222222222222", "333333333333"]
        regions = ["eu-west-1", "us-east-1", "us-west-2"]
        [budget]
        nodes = { max_concurrency = 1, max_errors = 4 }
        locations = { max_concurrency = 2, max_errors = 5 }
        "#,
    )
    .unwrap()
}

struct Scene {
    sim: Sim,
    campaign: Campaign,
}

impl Scene {
    /// Two locations are at work.
    async fn at_work(world: World) -> Self {
        let sim = Sim::start(world, SimOptions::default()).await.unwrap();
        let ports = over_http(&sim, &ask().access).unwrap();
        let plan = plan(&ports, &ask()).await.unwrap();
        let campaign = Campaign::begin(&ports, plan).await.unwrap();
        let scene = Self { sim, campaign };
        scene.campaign.run_for(400).await.unwrap();
        assert_eq!(scene.commands().len(), 2);
        scene
    }

    fn now(&self) -> Timestamp {
        self.sim.clock().now()
    }

    /// Nobody drives the campaign until so many minutes after the start of the world.
    async fn nobody_drives_until(&self, minutes: i64) {
        let start = self.sim.with_world(|world| world.start());
        let until = start + SignedDuration::from_mins(minutes);
        assert!(self.now() < until);
        self.sim.clock().sleep_until(until).await;
    }

    fn state(&self) -> Value {
        self.sim.with_world(|world| world.state())
    }

    fn commands(&self) -> Vec<Value> {
        self.state()["commands"].as_array().unwrap().clone()
    }

    /// The statuses of the executions that patchfleet started.
    fn starts(&self) -> Vec<&'static str> {
        self.sim.with_world(|world| {
            let starts = world.executions().filter(|one| one.parent().is_none());
            starts.map(|one| one.status().as_str()).collect()
        })
    }

    /// What the report says, held to what the nodes themselves say.
    fn is_true(&self, report: &Report) {
        assert_eq!(report.totals.locations, 6);
        assert!(
            report.locations.iter().all(|at| at.outcome.is_some()),
            "{report:#?}"
        );
        assert_eq!(report.totals.nodes.total(), 24);
        let state = self.state();
        let told: BTreeMap<&str, NodeOutcome> = report
            .needs_action
            .iter()
            .map(|row| (row.node.as_str(), row.outcome))
            .collect();
        for node in state["nodes"].as_array().unwrap() {
            let (id, installs) = (node["id"].as_str().unwrap(), node["installs"].as_u64().unwrap());
            match told.get(id) {
                // It needs no action, so it was patched.
                None => assert_eq!(installs, 1, "{id}"),
                Some(NodeOutcome::NotRun) => assert_eq!(installs, 0, "{id} was patched"),
                Some(_) => assert!(installs <= 1, "{id}"),
            }
        }
    }
}

fn stops(events: &[Event]) -> Vec<TriggeredAlarm> {
    let stops = events.iter().filter_map(|event| match event {
        Event::StoppedForAlarm { alarm, .. } => Some(alarm.triggered),
        _ => None,
    });
    stops.collect()
}

#[tokio::test]
async fn what_aws_stopped_while_nobody_drove_the_campaign_is_accounted_for_and_nothing_more_begins() {
    for cascades in [true, false] {
        let scene = Scene::at_work(world(cascades, "")).await;
        scene.nobody_drives_until(30).await;
        assert_eq!(
            scene.starts(),
            ["Cancelled"; 2],
            "AWS stopped both, cascades: {cascades}"
        );
        let ended = scene.campaign.run().await.unwrap();
        let report = &ended.report;
        assert_eq!((report.outcome, report.exit_code()), (ReportOutcome::Halted, 5));
        assert_eq!(scene.commands().len(), 2, "nothing more began");
        scene.is_true(report);
        let events: Vec<Event> = ended
            .records
            .into_iter()
            .flat_map(|record| record.events)
            .collect();
        assert_eq!(stops(&events), [TriggeredAlarm::Alarm; 2]);
        let is_cancel = |event: &Event| matches!(event, Event::CancelledElsewhere { .. });
        assert!(!events.iter().any(is_cancel), "nobody else cancelled anything");
        let told = report.left_out_because.as_ref().unwrap();
        assert!(
            told.ends_with("as the CloudWatch alarm web errors was in the state ALARM"),
            "{told}"
        );
        // Where AWS does not stop what runs in a location, that comes to its end.
        let begun = if cascades {
            LocationOutcome::Cancelled
        } else {
            LocationOutcome::Succeeded
        };
        let count = |outcome| *report.totals.outcomes.get(&outcome).unwrap_or(&0);
        assert_eq!((count(begun), count(LocationOutcome::NotStarted)), (2, 4));
    }
}

#[tokio::test]
async fn an_alarm_that_the_role_may_not_read_ends_the_campaign_at_its_first_starts_and_says_what_it_takes() {
    let role = r#"
        roles = [{ name = "AWS-SystemsManager-AutomationAdministrationRole", denied_actions = ["cloudwatch:DescribeAlarms"] }]
    "#;
    let sim = Sim::start(world(true, role), SimOptions::default())
        .await
        .unwrap();
    let ports = over_http(&sim, &ask().access).unwrap();
    let plan = plan(&ports, &ask()).await.unwrap();
    let campaign = Campaign::begin(&ports, plan).await.unwrap();
    let state = campaign.driver.run(campaign.id).await.unwrap();
    let Some(StopReason::Breaker(BreakerStop::StoppedForAlarm { alarm, .. })) = state.stop_reason() else {
        panic!("{:?}", state.stop_reason())
    };
    assert_eq!(alarm.triggered, TriggeredAlarm::Unknown);
    assert!(alarm.to_string().contains("cloudwatch:DescribeAlarms"), "{alarm}");
    let report = campaign.account(&state).await.unwrap().report;
    assert_eq!((report.outcome, report.exit_code()), (ReportOutcome::Halted, 5));
    let installs = sim.with_world(|world| {
        world
            .nodes()
            .map(patchfleet_sim::world::Node::installs)
            .sum::<u32>()
    });
    assert!(installs <= 2, "{installs}");
}
