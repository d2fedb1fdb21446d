//! A retry in which nothing of a wave is left: what guards the waves after it holds all the same. Which nodes were sent what is the
//! simulator's truth.

use super::{campaign, process, refused};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::{
    Campaigns, Retry, RetryPlan,
    campaign::{Appended, CampaignLog, LogKey, Progress, Record, StopMode, Store},
    id::{CampaignId, RequestName},
    outcome::NodeOutcome,
    plan::{Attendance, Plan, Planning},
    port::{BoxFuture, PortError, PortErrorKind, PortResult},
    refusal::RefusalCode,
    report::ReportOutcome,
    request::PatchRequest,
};
use patchfleet_sim::{ClockMode, SimClock, spec::Change, world::World};
use patchfleet_tests::request;
use serde_json::json;
use std::sync::Arc;

/// A canary of two nodes, of which so many fail their first Install, and four nodes in production.
pub(super) fn world(failing: u32) -> SimClock {
    let text = format!(
        r#"
        management_account = "111111111111"
        documents = [{{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }}]
        accounts = [{{ id = "111111111111", name = "Main" }}]
        patch = {{ minutes = 5.0 }}
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1"]
        nodes = [{{ count = {} }}, {{ count = {failing}, patch = {{ fails_first = 1 }} }}]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["eu-west-1"]
        nodes = [{{ count = 4 }}]
        "#,
        2 - failing
    );
    SimClock::new(World::parse(&text).unwrap(), ClockMode::Jump)
}

/// The canary is a wave with these keys, and production comes after it.
pub(super) fn ask(of_wave: &str) -> PatchRequest {
    request(&format!(
        r#"
        name = "weekly"
        patch = {{ operation = "Install" }}
        targets = {{ resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }}
        budget.nodes = {{ max_concurrency = "100%", max_errors = "100%" }}
        [[waves]]
        name = "canary"
        regions = ["us-east-1"]
        {of_wave}
        "#
    ))
    .unwrap()
}

pub(super) fn now(clock: &SimClock) -> Timestamp {
    clock.with_world(|world| world.now())
}

pub(super) fn attended() -> Planning {
    Planning {
        attendance: Attendance::Attended,
        ..Planning::default()
    }
}

pub(super) fn window(clock: &SimClock, hours: i64) -> Planning {
    Planning {
        attendance: Attendance::Attended,
        cutoff: Some(now(clock) + SignedDuration::from_hours(hours)),
        carry_over: true,
        ..Planning::default()
    }
}

/// When commands were sent to a Region.
pub(super) fn sent(clock: &SimClock, region: &str) -> Vec<Timestamp> {
    let state = clock.with_world(|world| world.state());
    let commands = state["commands"].as_array().unwrap().iter();
    let there = commands.filter(|command| command["region"] == region);
    there
        .map(|command| command["requested"].as_str().unwrap().parse().unwrap())
        .collect()
}

/// The plan for what the first campaign has left.
async fn again(campaigns: &Campaigns, store: &Store, planning: &Planning) -> Plan {
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let retry = campaigns
        .plan_retry(&state, Retry::Failed, planning)
        .await
        .unwrap();
    let RetryPlan::Planned(planned) = retry else {
        panic!("production is left")
    };
    planned.plan().clone()
}

#[tokio::test]
async fn what_a_window_left_waits_for_the_approval_that_nobody_has_given() {
    for of_wave in ["approval = true", "gate = { max_failed = 0, min_sample = 5 }"] {
        let (clock, store, request) = (world(0), Store::in_memory(), ask(of_wave));
        let campaigns = process(&clock, &store, 1);
        for night in 1..=2 {
            let report = campaigns.run(campaign(night), &request, &window(&clock, 7)).await;
            let report = report.unwrap();
            assert_eq!(report.outcome, ReportOutcome::Halted, "{}", report.to_text());
            assert_eq!(report.totals.nodes.count(NodeOutcome::NotRun), 4);
            assert_eq!(sent(&clock, "us-east-1").len(), 1, "the canary is patched once");
            assert_eq!(sent(&clock, "eu-west-1"), [], "{of_wave}, night {night}");
        }
        // In the third night somebody approves.
        let planned = campaigns.plan(&request, &window(&clock, 7)).await.unwrap();
        let told = planned.plan().warnings.join("\n");
        assert!(
            told.contains("wave canary: nothing of it is left to try, and the next one waits for a person to approve of it"),
            "{told}"
        );
        let begun = planned.begin(campaign(3)).await.unwrap();
        let progress = begun.run_until(now(&clock) + SignedDuration::from_mins(30)).await;
        let Progress::Paused { state, .. } = progress.unwrap() else {
            panic!("it waits")
        };
        assert_eq!(campaigns.approve(&state, None).await.unwrap(), "canary");
        let report = begun.run().await.unwrap();
        assert_eq!(report.outcome, ReportOutcome::Succeeded, "{}", report.to_text());
        assert_eq!(sent(&clock, "us-east-1").len(), 1);
        assert_eq!(sent(&clock, "eu-west-1").len(), 1);
    }
}

#[tokio::test]
async fn what_somebody_has_approved_of_needs_no_second_approval() {
    let (clock, store, request) = (world(0), Store::in_memory(), ask("approval = true"));
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&request, &Planning::default()).await.unwrap();
    let begun = planned.begin(campaign(1)).await.unwrap();
    let progress = begun.run_until(now(&clock) + SignedDuration::from_mins(30)).await;
    let Progress::Paused { state, .. } = progress.unwrap() else {
        panic!("it waits")
    };
    campaigns.approve(&state, None).await.unwrap();
    campaigns.stop(&state, StopMode::LetCommandsRun).await.unwrap();
    assert_eq!(sent(&clock, "eu-west-1"), []);
    let plan = again(&campaigns, &store, &Planning::default()).await;
    assert!(
        plan.warnings
            .contains(&"wave canary: nothing of it is left to try".to_owned()),
        "{:?}",
        plan.warnings
    );
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let RetryPlan::Planned(planned) = campaigns
        .plan_retry(&state, Retry::Failed, &Planning::default())
        .await
        .unwrap()
    else {
        panic!("production is left")
    };
    let report = planned.begin(campaign(2)).await.unwrap().run().await.unwrap();
    assert_eq!(report.outcome, ReportOutcome::Succeeded);
    assert_eq!(sent(&clock, "eu-west-1").len(), 1);
}

#[tokio::test]
async fn a_soak_counts_from_the_end_of_its_wave_through_all_windows() {
    let (clock, store, request) = (world(0), Store::in_memory(), ask("soak = \"20h\""));
    let campaigns = process(&clock, &store, 1);
    let began = now(&clock);
    for night in 1..=2 {
        let report = campaigns.run(campaign(night), &request, &window(&clock, 7)).await;
        assert_eq!(report.unwrap().outcome, ReportOutcome::Halted);
        assert_eq!(sent(&clock, "eu-west-1"), [], "night {night}");
    }
    let planned = campaigns.plan(&request, &window(&clock, 30)).await.unwrap();
    let told = planned.plan().warnings.join("\n");
    assert!(
        told.contains("and the next one waits for its soak, until"),
        "{told}"
    );
    // Six hours of the soak are left.
    assert!(planned.plan().forecast.unwrap().expected_seconds.unwrap() > 5 * 3_600);
    let report = planned.begin(campaign(3)).await.unwrap().run().await.unwrap();
    assert_eq!(report.outcome, ReportOutcome::Succeeded, "{}", report.to_text());
    let soaked = began + SignedDuration::from_hours(20);
    let production = sent(&clock, "eu-west-1");
    assert!(production.iter().all(|at| *at > soaked), "{production:?}");
    assert_eq!(production.len(), 1);
    assert_eq!(sent(&clock, "us-east-1").len(), 1);
}

#[tokio::test]
async fn after_a_canary_that_ended_the_campaign_production_is_not_retried_because_the_canary_is_gone() {
    // By the budget of locations, with and without a gate, and although its waves may be empty.
    for of_wave in ["", "gate = { max_failed = 0 }", "if_empty = \"skip\""] {
        let (clock, store, request) = (world(1), Store::in_memory(), ask(of_wave));
        let campaigns = process(&clock, &store, 1);
        let report = campaigns
            .run(campaign(1), &request, &Planning::default())
            .await
            .unwrap();
        assert_eq!(report.outcome, ReportOutcome::Halted, "{}", report.to_text());
        let failed = report.needs_action.iter();
        let failed: Vec<_> = failed
            .filter(|one| one.outcome == NodeOutcome::Failed)
            .map(|one| one.node.clone())
            .collect();
        assert_eq!(failed.len(), 1);
        let state = store.load(campaign(1)).await.unwrap().unwrap();
        // It is silent, or gone.
        let silent: Change =
            serde_json::from_value(json!({ "lose_agent": { "regions": ["us-east-1"] } })).unwrap();
        clock.with_world(|world| world.change(&silent).unwrap());
        let seen = now(&clock) + SignedDuration::from_mins(30);
        super::ports(&clock).clock.sleep_until(seen).await;
        for is_gone in [false, true] {
            if is_gone {
                clock.with_world(|world| world.leave_group(&failed[0], "WebServers"));
            }
            let error = campaigns
                .plan_retry(&state, Retry::Failed, &attended())
                .await
                .unwrap_err();
            assert_eq!(
                refused(&error),
                RefusalCode::WaveEmpty,
                "{of_wave}, {is_gone}: {error}"
            );
        }
        assert_eq!(sent(&clock, "eu-west-1"), [], "{of_wave}");
    }
}

#[tokio::test]
async fn a_retry_that_waited_while_another_one_tried_its_nodes_does_not_begin() {
    let (clock, store, request) = (world(1), Store::in_memory(), ask(""));
    let campaigns = process(&clock, &store, 1);
    campaigns
        .run(campaign(1), &request, &Planning::default())
        .await
        .unwrap();
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let planning = Planning::default();
    let mut plans = vec![];
    for _ in 0..2 {
        match campaigns
            .plan_retry(&state, Retry::Failed, &planning)
            .await
            .unwrap()
        {
            RetryPlan::Planned(planned) => plans.push(planned),
            _ => panic!("a node failed"),
        }
    }
    let late = plans.remove(0);
    let report = plans
        .remove(0)
        .begin(campaign(2))
        .await
        .unwrap()
        .run()
        .await
        .unwrap();
    assert_eq!(report.outcome, ReportOutcome::Succeeded);
    let before = [sent(&clock, "us-east-1"), sent(&clock, "eu-west-1")];
    let error = late.begin(campaign(3)).await.unwrap_err();
    assert_eq!(refused(&error), RefusalCode::NotRetried);
    assert_eq!([sent(&clock, "us-east-1"), sent(&clock, "eu-west-1")], before);
    assert!(
        store.load(campaign(3)).await.unwrap().is_none(),
        "nothing was written down"
    );
}

#[tokio::test]
async fn a_canary_that_fails_after_the_last_instant_for_a_start_has_nothing_carried_over() {
    let text = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1"]
        nodes = [{ count = 2, patch = { minutes = 40.0, fails_first = 1 } }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["eu-west-1"]
        nodes = [{ count = 4 }]
    "#;
    // With a gate, and with a budget of no failed location alone.
    for of_wave in ["gate = { max_failed = 0 }", ""] {
        let clock = SimClock::new(World::parse(text).unwrap(), ClockMode::Jump);
        let (store, request) = (Store::in_memory(), ask(of_wave));
        let campaigns = process(&clock, &store, 1);
        let planning = Planning {
            cutoff: Some(now(&clock) + SignedDuration::from_mins(6 * 60 + 20)),
            ..window(&clock, 7)
        };
        let report = campaigns.run(campaign(1), &request, &planning).await.unwrap();
        assert_eq!(report.outcome, ReportOutcome::Halted, "{}", report.to_text());
        assert_eq!(report.totals.nodes.count(NodeOutcome::Failed), 2);
        assert_eq!(report.totals.nodes.count(NodeOutcome::NotRun), 4);
        assert!(
            campaigns.left_by_window(&request).await.unwrap().is_none(),
            "{of_wave}"
        );
        // The whole request comes next, the canary first.
        let planned = campaigns.plan(&request, &window(&clock, 30)).await.unwrap();
        assert!(planned.plan().retries.is_none());
        let told = planned.plan().warnings.join("\n");
        assert!(
            told.contains("is not carried over, and the whole request is run"),
            "{told}"
        );
    }
}

/// A log in which that of one campaign is damaged.
struct Damaged {
    log: Arc<dyn CampaignLog>,
    campaign: CampaignId,
}

impl CampaignLog for Damaged {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.log.append(key, record)
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        match *key == LogKey::Campaign(self.campaign) {
            true => Box::pin(async {
                Err(PortError::new(
                    PortErrorKind::Incompatible,
                    "a bit of it has flipped",
                ))
            }),
            false => self.log.read(key, from),
        }
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.log.keys()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.log.request_name(campaign)
    }

    // Its end is whole, and says that it is over.
    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.log.last(key)
    }
}

#[tokio::test]
async fn where_the_log_of_a_newer_campaign_is_damaged_nobody_knows_what_it_tried_and_nothing_is_retried() {
    // A retry of what failed.
    let (clock, store, request) = (world(1), Store::in_memory(), ask(""));
    let campaigns = process(&clock, &store, 1);
    campaigns
        .run(campaign(1), &request, &Planning::default())
        .await
        .unwrap();
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let RetryPlan::Planned(planned) = campaigns
        .plan_retry(&state, Retry::Failed, &Planning::default())
        .await
        .unwrap()
    else {
        panic!("a node failed")
    };
    planned.begin(campaign(2)).await.unwrap().run().await.unwrap();
    let damaged = |campaign| {
        let log = Damaged {
            log: store.log.clone(),
            campaign,
        };
        process(&clock, &Store::new(Arc::new(log), store.rows.clone()), 3)
    };
    let error = damaged(campaign(2))
        .plan_retry(&state, Retry::Failed, &Planning::default())
        .await
        .unwrap_err();
    assert_eq!(refused(&error), RefusalCode::NotRetried);
    assert!(
        error
            .to_string()
            .contains("its log is damaged or gone, and it may have tried again"),
        "{error}"
    );

    // What a window left.
    let (clock, store, request) = (world(0), Store::in_memory(), ask("approval = true"));
    let campaigns = process(&clock, &store, 1);
    for night in 1..=2 {
        campaigns
            .run(campaign(night), &request, &window(&clock, 7))
            .await
            .unwrap();
    }
    let log = Damaged {
        log: store.log.clone(),
        campaign: campaign(2),
    };
    let third = process(&clock, &Store::new(Arc::new(log), store.rows.clone()), 3);
    let planned = third.plan(&request, &window(&clock, 7)).await.unwrap();
    assert!(
        planned.plan().retries.is_none(),
        "the whole request, the canary first"
    );
    let told = planned.plan().warnings.join("\n");
    assert!(
        told.contains("is damaged or gone, and the whole request is run"),
        "{told}"
    );
}
