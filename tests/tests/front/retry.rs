//! A campaign for what another one has left. What each node was sent is the simulator's truth.

use super::{campaign, process, refused};
use jiff::SignedDuration;
use patchfleet_core::{
    CampaignError, Campaigns, Retry, RetryPlan,
    campaign::Store,
    id::{CampaignId, NodeId},
    outcome::NodeOutcome,
    plan::{Attendance, Planning},
    refusal::RefusalCode,
    report::{Report, ReportOutcome},
    request::PatchRequest,
};
use patchfleet_sim::{
    ClockMode, SimClock,
    world::{Command, World},
};
use patchfleet_tests::request;
use std::collections::{BTreeMap, BTreeSet};

/// Two Regions with four nodes each. In each, two nodes fail their first Install, and never again.
fn world() -> SimClock {
    let text = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1", "eu-west-1"]
        nodes = [
            { count = 2, patch = { minutes = 5.0 } },
            { count = 2, patch = { minutes = 5.0, fails_first = 1 } },
        ]
    "#;
    SimClock::new(World::parse(text).unwrap(), ClockMode::Jump)
}

/// All nodes of a location at once. One location at a time, and none may fail.
fn ask() -> PatchRequest {
    request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        "#,
    )
    .unwrap()
}

/// How many commands each node was sent.
fn commands(clock: &SimClock) -> BTreeMap<NodeId, u32> {
    clock.with_world(|world| {
        let mut sent: BTreeMap<NodeId, u32> = world.nodes().map(|node| (node.id().clone(), 0)).collect();
        for invocation in world.commands().flat_map(Command::invocations) {
            *sent.entry(invocation.node().clone()).or_default() += 1;
        }
        sent
    })
}

/// The nodes on which nothing is missing any more.
fn done(clock: &SimClock) -> BTreeSet<NodeId> {
    clock.with_world(|world| {
        let done = world.nodes().filter(|node| {
            let patches = node.patches();
            patches.missing == 0 && patches.failed == 0
        });
        done.map(|node| node.id().clone()).collect()
    })
}

fn planning() -> Planning {
    Planning {
        attendance: Attendance::Attended,
        ..Planning::default()
    }
}

/// A campaign in which the first location fails, and the second is not begun for that. With a cutoff each has a start of its own.
async fn first(campaigns: &Campaigns, clock: &SimClock) -> Report {
    let now = clock.with_world(|world| world.now());
    let planning = Planning {
        cutoff: Some(now + SignedDuration::from_hours(12)),
        ..planning()
    };
    campaigns.run(campaign(1), &ask(), &planning).await.unwrap()
}

/// Retries one campaign as another. `None`: nothing was left.
async fn retry(
    clock: &SimClock,
    store: &Store,
    of: CampaignId,
    which: Retry,
    number: u128,
) -> Option<Report> {
    let campaigns = process(clock, store, number);
    let state = store.load(of).await.unwrap().unwrap();
    match campaigns.plan_retry(&state, which, &planning()).await.unwrap() {
        RetryPlan::Planned(planned) => {
            let begun = planned.begin(campaign(number)).await.unwrap();
            Some(begun.run().await.unwrap())
        }
        _ => None,
    }
}

#[tokio::test]
async fn retries_come_to_the_end_and_no_node_that_was_done_is_sent_a_second_command() {
    let (clock, store) = (world(), Store::in_memory());
    let report = first(&process(&clock, &store, 1), &clock).await;
    assert_eq!(report.outcome, ReportOutcome::Halted, "{}", report.to_text());
    let (failed, not_run) = (
        report.totals.nodes.count(NodeOutcome::Failed),
        report.totals.nodes.count(NodeOutcome::NotRun),
    );
    assert_eq!((failed, not_run), (2, 4), "{}", report.to_text());
    let process_two = process(&clock, &store, 2);
    let carried = process_two.left_by_window(&ask()).await.unwrap();
    assert!(carried.is_none(), "no window closed, the budget was used up");
    let mut of = campaign(1);
    let (mut outcomes, mut left) = (vec![], vec![]);
    for number in 2..9 {
        let (before, well) = (commands(&clock), done(&clock));
        let Some(report) = retry(&clock, &store, of, Retry::Failed, number).await else {
            break;
        };
        assert_eq!(report.retries, Some(of));
        for (node, sent) in commands(&clock) {
            let more = sent - before[&node];
            match well.contains(&node) {
                true => assert_eq!(more, 0, "{node} was done"),
                false => assert!(more <= 1, "{node} was sent {more}"),
            }
        }
        outcomes.push((report.outcome, report.totals.nodes.total()));
        // Nothing is wrong where the nodes are done by now.
        left.extend(report.skipped.iter().map(|skip| skip.detail.clone()));
        of = campaign(number);
    }
    // The second location's own failures come when it is first patched.
    assert_eq!(
        outcomes,
        [(ReportOutcome::Partial, 6), (ReportOutcome::Succeeded, 2)]
    );
    assert_eq!(left, ["nothing is left there to try again"]);
    assert_eq!(done(&clock).len(), 8);
    // The first campaign says still that nodes of it failed, and they are well by now.
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let again = process(&clock, &store, 20);
    let error = again
        .plan_retry(&state, Retry::Failed, &planning())
        .await
        .unwrap_err();
    assert_eq!(refused(&error), RefusalCode::NotRetried);
    let words = format!("campaign {} has tried again what it left", campaign(2));
    assert!(error.to_string().contains(&words), "{error}");
}

#[tokio::test]
async fn a_plan_that_retries_says_which_campaign_and_which_nodes_are_not_selected_any_more() {
    let (clock, store) = (world(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let report = first(&campaigns, &clock).await;
    let left: Vec<NodeId> = report.needs_action.iter().map(|one| one.node.clone()).collect();
    assert_eq!(left.len(), 6);
    clock.with_world(|world| world.leave_group(&left[0], "WebServers"));
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let planned = campaigns.plan_retry(&state, Retry::Failed, &planning()).await;
    let RetryPlan::Planned(planned) = planned.unwrap() else {
        panic!("nodes are left")
    };
    let plan = planned.plan();
    let named: BTreeSet<&NodeId> = plan
        .units
        .iter()
        .flat_map(|unit| unit.nodes.iter().flatten())
        .collect();
    assert_eq!(named, left[1..].iter().collect());
    let text = plan.to_text();
    for words in [
        format!("tries 5 nodes again that campaign {} has left", campaign(1)),
        format!(
            "1 node not retried, as the request does not select it any more: {}",
            left[0]
        ),
    ] {
        assert!(text.contains(&words), "no {words:?} in {text}");
    }
    // It is kept, and whoever goes on with it goes on with these nodes.
    planned.begin(campaign(2)).await.unwrap();
    let kept = store.load(campaign(2)).await.unwrap().unwrap();
    assert_eq!(kept.plan().retries.as_ref().unwrap().campaign, campaign(1));
    let before = commands(&clock);
    let resumed = process(&clock, &store, 3).resume(&kept).await.unwrap();
    let report = resumed.run().await.unwrap();
    assert_eq!(report.totals.nodes.total(), 5);
    assert_eq!(commands(&clock)[&left[0]], before[&left[0]]);
    assert!(
        report
            .to_text()
            .contains(&format!("tries again what campaign {} has left", campaign(1)))
    );
}

#[tokio::test]
async fn where_nothing_is_left_to_try_nothing_begins_and_an_open_campaign_is_not_retried() {
    let (clock, store) = (world(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&ask(), &planning()).await.unwrap();
    let begun = planned.begin(campaign(1)).await.unwrap();
    let open = store.load(campaign(1)).await.unwrap().unwrap();
    let error = campaigns
        .plan_retry(&open, Retry::Failed, &planning())
        .await
        .unwrap_err();
    assert_eq!(refused(&error), RefusalCode::CampaignOpen);
    begun.run().await.unwrap();
    let all: Vec<NodeId> = commands(&clock).into_keys().collect();
    for node in &all {
        clock.with_world(|world| world.leave_group(node, "WebServers"));
    }
    let before = commands(&clock);
    assert!(
        retry(&clock, &store, campaign(1), Retry::Failed, 2)
            .await
            .is_none()
    );
    assert_eq!(commands(&clock), before);
}

#[tokio::test]
async fn what_a_window_left_is_carried_over_once_and_then_a_whole_campaign_comes() {
    let (clock, store) = (world(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    assert!(campaigns.left_by_window(&ask()).await.unwrap().is_none());
    let mut request = ask();
    request.budget.locations.max_errors = "100%".parse().unwrap();
    let now = clock.with_world(|world| world.now());
    let window = Planning {
        cutoff: Some(now + SignedDuration::from_mins(6 * 60 + 10)),
        ..planning()
    };
    let report = campaigns.run(campaign(1), &request, &window).await.unwrap();
    assert_eq!(report.outcome, ReportOutcome::Halted, "{}", report.to_text());
    assert_eq!(
        report.totals.nodes.count(NodeOutcome::NotRun),
        4,
        "{}",
        report.to_text()
    );
    // Another request is another matter.
    assert!(campaigns.left_by_window(&ask()).await.unwrap().is_none());
    let left = campaigns.left_by_window(&request).await.unwrap().unwrap();
    assert_eq!(left.campaign(), campaign(1));
    let (before, well) = (commands(&clock), done(&clock));
    let report = retry(&clock, &store, campaign(1), Retry::NotRun, 2)
        .await
        .unwrap();
    assert_eq!(
        report.totals.nodes.total(),
        4,
        "what failed waits for a whole campaign"
    );
    let more: Vec<u32> = commands(&clock)
        .into_iter()
        .filter(|(node, _)| well.contains(node))
        .map(|(node, sent)| sent - before[&node])
        .collect();
    assert!(more.iter().all(|n| *n == 0), "{more:?}");
    assert!(campaigns.left_by_window(&request).await.unwrap().is_none());
}

/// The first campaign had no window. That of its second attempt closes before the second location has begun.
#[tokio::test]
async fn what_a_second_attempt_could_not_begin_in_its_window_does_not_take_the_place_of_a_whole_campaign() {
    let another = campaign(2);
    for (number, is_carried) in [(campaign(1).of_second_attempt(), false), (another, true)] {
        let (clock, store) = (world(), Store::in_memory());
        let campaigns = process(&clock, &store, 1);
        let mut request = ask();
        request.budget.locations.max_errors = "100%".parse().unwrap();
        campaigns.run(campaign(1), &request, &planning()).await.unwrap();
        let state = store.load(campaign(1)).await.unwrap().unwrap();
        let now = clock.with_world(|world| world.now());
        let window = Planning {
            cutoff: Some(now + SignedDuration::from_mins(6 * 60 + 10)),
            ..planning()
        };
        let planned = campaigns.plan_retry(&state, Retry::Failed, &window).await;
        let RetryPlan::Planned(planned) = planned.unwrap() else {
            panic!("nodes failed")
        };
        let report = planned.begin(number).await.unwrap().run().await.unwrap();
        assert_eq!(report.outcome, ReportOutcome::Halted, "{}", report.to_text());
        let left = campaigns.left_by_window(&request).await.unwrap();
        assert_eq!(left.map(|left| left.campaign()), is_carried.then_some(number));
    }
}

#[tokio::test]
async fn a_wave_that_failed_its_gate_is_not_passed_over_because_its_failed_nodes_are_gone() {
    let (clock, store) = (world(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        budget.locations = { max_concurrency = 1, max_errors = 2 }
        [[waves]]
        name = "canary"
        regions = ["us-east-1"]
        gate = { max_failed = 0 }
        "#,
    )
    .unwrap();
    let report = campaigns.run(campaign(1), &request, &planning()).await.unwrap();
    assert_eq!(report.outcome, ReportOutcome::Halted, "{}", report.to_text());
    let failed = report
        .needs_action
        .iter()
        .filter(|one| one.outcome == NodeOutcome::Failed);
    let failed: Vec<NodeId> = failed.map(|one| one.node.clone()).collect();
    assert_eq!(failed.len(), 2);
    for node in &failed {
        clock.with_world(|world| world.leave_group(node, "WebServers"));
    }
    let before = commands(&clock);
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let error = campaigns
        .plan_retry(&state, Retry::Failed, &planning())
        .await
        .unwrap_err();
    assert_eq!(refused(&error), RefusalCode::WaveEmpty);
    assert_eq!(commands(&clock), before);
}

/// The request with a bound on damage, where any number of locations may fail.
fn bounded(max_damaged: &str) -> PatchRequest {
    request(&format!(
        r#"
        name = "weekly"
        patch = {{ operation = "Install" }}
        targets = {{ resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }}
        budget.nodes = {{ max_concurrency = "100%", max_errors = "100%" }}
        budget.locations = {{ max_concurrency = 1, max_errors = "100%" }}
        budget.fleet = {{ max_damaged = {max_damaged} }}
        "#
    ))
    .unwrap()
}

/// A campaign of it whose window lets one location be begun.
async fn bounded_first(campaigns: &Campaigns, clock: &SimClock, request: &PatchRequest) -> Report {
    let now = clock.with_world(|world| world.now());
    let window = Planning {
        cutoff: Some(now + SignedDuration::from_mins(6 * 60 + 10)),
        ..planning()
    };
    campaigns.run(campaign(1), request, &window).await.unwrap()
}

#[tokio::test]
async fn a_retry_has_what_the_first_campaign_left_of_a_share_and_not_that_share_of_its_own_few_nodes() {
    let (clock, store) = (world(), Store::in_memory());
    let request = bounded("\"50%\"");
    let report = bounded_first(&process(&clock, &store, 1), &clock, &request).await;
    let (failed, not_run) = (
        report.totals.nodes.count(NodeOutcome::Failed),
        report.totals.nodes.count(NodeOutcome::NotRun),
    );
    assert!(failed > 0 && failed + not_run > 4, "{}", report.to_text());
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let campaigns = process(&clock, &store, 2);
    for which in [Retry::Failed, Retry::NotRun] {
        let planned = campaigns.plan_retry(&state, which, &planning()).await;
        let RetryPlan::Planned(planned) = planned.unwrap() else {
            panic!("nodes are left")
        };
        let plan = planned.plan();
        assert_eq!(
            plan.fleet.unwrap().max_damaged,
            Some(4 - failed),
            "{}",
            plan.to_text()
        );
        let words = format!(
            "its bounds are those of the first campaign, of 8 nodes; used before it: {failed} of 4 by max_damaged"
        );
        assert!(plan.to_text().contains(&words), "{}", plan.to_text());
    }
    // It is kept in the log, and checked when that is read.
    let report = retry(&clock, &store, campaign(1), Retry::NotRun, 2)
        .await
        .unwrap();
    let more = report.totals.nodes.count(NodeOutcome::Failed);
    assert!(failed + more <= 4, "{failed} and {more}");
    // What the window left is carried over likewise, and a retry of the retry has what both have left.
    let state = store.load(campaign(2)).await.unwrap().unwrap();
    let bounds = &state.plan().retries.as_ref().unwrap().bounds;
    let damaged = bounds.fleet.unwrap().max_damaged.unwrap();
    assert_eq!((damaged.used, damaged.allowed), (failed, 4));
}

#[tokio::test]
async fn a_retry_is_refused_for_which_the_damage_has_used_the_bound_up() {
    let (clock, store) = (world(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let request = bounded("2");
    let report = campaigns.run(campaign(1), &request, &planning()).await.unwrap();
    assert_eq!(report.outcome, ReportOutcome::Halted, "{}", report.to_text());
    assert_eq!(report.totals.nodes.count(NodeOutcome::Failed), 2);
    let before = commands(&clock);
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    for which in [Retry::Failed, Retry::NotRun] {
        let error = campaigns
            .plan_retry(&state, which, &planning())
            .await
            .unwrap_err();
        assert_eq!(refused(&error), RefusalCode::FleetBudget);
        for words in [
            "max_damaged allows 2 of the first campaign's 8 nodes to be damaged, and that is used up: 2 are or may be",
            "run the request as a new campaign with a larger bound",
        ] {
            assert!(error.to_string().contains(words), "no {words:?} in {error}");
        }
    }
    assert_eq!(commands(&clock), before);
}

#[tokio::test]
async fn nodes_that_are_damaged_already_may_be_tried_again_although_no_others_may_be_damaged() {
    let (clock, store) = (world(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let report = campaigns
        .run(campaign(1), &bounded("4"), &planning())
        .await
        .unwrap();
    assert_eq!(
        report.totals.nodes.count(NodeOutcome::Failed),
        4,
        "{}",
        report.to_text()
    );
    // Nothing but these four is left to try.
    let all = report.needs_action.iter();
    for one in all.filter(|one| one.outcome == NodeOutcome::NotRun) {
        clock.with_world(|world| world.leave_group(&one.node, "WebServers"));
    }
    let report = retry(&clock, &store, campaign(1), Retry::Failed, 2)
        .await
        .unwrap();
    assert_eq!(report.outcome, ReportOutcome::Succeeded, "{}", report.to_text());
    assert_eq!(report.totals.nodes.total(), 4);
}

#[tokio::test]
async fn a_value_of_a_label_has_in_a_retry_what_the_first_campaign_left_of_it() {
    let (clock, store) = (world(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        [[budget.labels]]
        by = "region"
        max_damaged = "75%"
        "#,
    )
    .unwrap();
    let report = campaigns.run(campaign(1), &request, &planning()).await.unwrap();
    let failed = report.totals.nodes.count(NodeOutcome::Failed);
    assert!((1..=2).contains(&failed), "{}", report.to_text());
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let planned = campaigns.plan_retry(&state, Retry::NotRun, &planning()).await;
    let RetryPlan::Planned(planned) = planned.unwrap() else {
        panic!("nodes are left")
    };
    let label = &planned.plan().labels[0];
    let bounds: BTreeMap<_, _> = label
        .values
        .iter()
        .map(|value| (value.value.clone().unwrap(), value.max_damaged.unwrap()))
        .collect();
    // Three of its four nodes, although one may be left in the Region where some failed.
    assert_eq!(bounds["us-east-1"], 3, "{bounds:?}");
    for (region, bound) in bounds {
        if region != "us-east-1" {
            let nodes = label
                .values
                .iter()
                .find(|value| value.value.as_ref() == Some(&region));
            assert!(bound <= (3 - failed).min(nodes.unwrap().nodes.len() as u32));
        }
    }
    planned.begin(campaign(2)).await.unwrap();
    assert!(
        store.load(campaign(2)).await.unwrap().is_some(),
        "its labels are those that follow"
    );
}

#[tokio::test]
async fn an_event_whose_campaign_began_with_what_a_window_left_is_the_same_campaign_when_it_comes_again() {
    let (clock, store) = (world(), Store::in_memory());
    let mut request = ask();
    request.budget.locations.max_errors = "100%".parse().unwrap();
    let first = bounded_first(&process(&clock, &store, 1), &clock, &request).await;
    assert_eq!(
        first.totals.nodes.count(NodeOutcome::NotRun),
        4,
        "{}",
        first.to_text()
    );
    let carrying = Planning {
        carry_over: true,
        ..planning()
    };
    let campaigns = process(&clock, &store, 2);
    let begun = campaigns.begin(campaign(2), &request, &carrying).await.unwrap();
    let state = store.load(campaign(2)).await.unwrap().unwrap();
    assert_eq!(state.plan().retries.as_ref().unwrap().campaign, campaign(1));
    // Another delivery of the event finds it written down, or planned while it was.
    let other = process(&clock, &store, 3);
    other.begin(campaign(2), &request, &carrying).await.unwrap();
    let planned = other.plan_of(campaign(2), &request, &carrying).await.unwrap();
    assert_eq!(planned.plan().retries.as_ref().unwrap().campaign, campaign(1));
    planned.begin(campaign(2)).await.unwrap();
    let another = other.plan_of(campaign(3), &request, &carrying).await;
    assert_eq!(refused(&another.unwrap_err()), RefusalCode::CampaignOpen);
    // One of another request is no delivery of it.
    let error = other.begin(campaign(2), &ask(), &carrying).await.unwrap_err();
    assert!(matches!(error, CampaignError::OtherRequest { .. }), "{error}");
    let report = begun.run().await.unwrap();
    assert_eq!(report.totals.nodes.total(), 4);
    let sent = commands(&clock);
    let again = other.run(campaign(2), &request, &carrying).await.unwrap();
    assert_eq!(again.retries, Some(campaign(1)));
    assert_eq!(commands(&clock), sent);
    // Nothing is left of a window, so the next campaign is one of the whole request.
    let whole = other.plan_of(campaign(4), &request, &carrying).await.unwrap();
    assert_eq!(
        (whole.plan().retries.is_none(), whole.plan().locations.len()),
        (true, 2)
    );
}

#[tokio::test]
async fn where_none_of_what_a_window_left_can_be_tried_the_whole_request_is_planned_and_says_why() {
    let (clock, store) = (world(), Store::in_memory());
    let mut request = ask();
    request.budget.locations.max_errors = "100%".parse().unwrap();
    let campaigns = process(&clock, &store, 1);
    let first = bounded_first(&campaigns, &clock, &request).await;
    let not_run = first.needs_action.iter();
    for one in not_run.filter(|one| one.outcome == NodeOutcome::NotRun) {
        clock.with_world(|world| world.leave_group(&one.node, "WebServers"));
    }
    let carrying = Planning {
        carry_over: true,
        ..planning()
    };
    let planned = campaigns.plan(&request, &carrying).await.unwrap();
    let plan = planned.plan();
    assert!(plan.retries.is_none());
    let words = "4 nodes not retried, as the request does not select them any more";
    assert!(
        plan.warnings.iter().any(|warning| warning.contains(words)),
        "{:?}",
        plan.warnings
    );
}

/// One node is well, one fails its first Install, and one answers eight hours after the start, when its command has expired.
fn one_is_away() -> (SimClock, PatchRequest) {
    let text = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1"]
        nodes = [{ count = 1 }, { count = 1, patch = { fails_first = 1 } }, { count = 1, reachability = "offline" }]
        [[changes]]
        at = "8h"
        change = { gain_agent = { group = "WebServers" } }
    "#;
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install", delivery_timeout = "30m" }
        targets = { resource_group = "WebServers", regions = ["us-east-1"] }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        "#,
    )
    .unwrap();
    (
        SimClock::new(World::parse(text).unwrap(), ClockMode::Jump),
        request,
    )
}

#[tokio::test]
async fn after_a_second_attempt_a_retry_takes_what_that_one_left_alone() {
    let ((clock, request), store) = (one_is_away(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let first = campaigns.run(campaign(1), &request, &planning()).await.unwrap();
    assert!(first.left_unreached());

    let second = retry(&clock, &store, campaign(1), Retry::Unreached, 2)
        .await
        .unwrap();
    assert_eq!(
        (second.exit_code(), second.totals.nodes.count(NodeOutcome::Done)),
        (0, 1)
    );
    assert_eq!(first.exit_code_with(&second), 4, "one has failed");

    let third = retry(&clock, &store, campaign(1), Retry::Failed, 3)
        .await
        .unwrap();
    assert_eq!((third.exit_code(), third.totals.nodes.total()), (0, 1));
    let mut sent: Vec<u32> = commands(&clock).into_values().collect();
    sent.sort_unstable();
    assert_eq!(sent, [1, 2, 2], "the node that was well is left alone");

    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let again = campaigns.plan_retry(&state, Retry::Failed, &planning()).await;
    assert_eq!(refused(&again.unwrap_err()), RefusalCode::NotRetried);
}

/// One of its locations has nodes that had no turn, since too many others there had failed.
#[tokio::test]
async fn what_a_limit_of_errors_left_is_not_left_by_the_window() {
    let (clock, store) = (world(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }
        budget.nodes = { max_concurrency = 1, max_errors = 0 }
        budget.locations = { max_concurrency = 2, max_errors = "100%" }
        "#,
    )
    .unwrap();
    let planning = Planning {
        cutoff: Some(clock.with_world(|world| world.now()) + SignedDuration::from_hours(30)),
        ..planning()
    };
    let report = campaigns.run(campaign(1), &request, &planning).await.unwrap();
    assert!(
        report.totals.nodes.count(NodeOutcome::NotRun) > 0,
        "{}",
        report.to_text()
    );
    assert!(campaigns.left_by_window(&request).await.unwrap().is_none());
}

/// The canary is one location, whichever, and is scanned alone.
#[tokio::test]
async fn a_retry_keeps_a_location_in_its_wave_where_it_would_be_the_canary_by_itself() {
    let (clock, store) = (world(), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        budget.locations = { max_concurrency = 1, max_errors = "100%" }
        [[waves]]
        name = "canary"
        locations = 1
        patch = { operation = "Scan" }
        "#,
    )
    .unwrap();
    let report = campaigns.run(campaign(1), &request, &planning()).await.unwrap();
    assert_eq!(
        report.totals.nodes.count(NodeOutcome::Failed),
        2,
        "{}",
        report.to_text()
    );
    let state = store.load(campaign(1)).await.unwrap().unwrap();
    let retry = campaigns.plan_retry(&state, Retry::Failed, &planning()).await;
    let RetryPlan::Planned(planned) = retry.unwrap() else {
        panic!("two nodes have failed")
    };
    let unit = &planned.plan().units[0];
    assert_eq!((planned.plan().units.len(), unit.wave), (1, 2));
    assert_eq!(unit.start.parameters["Operation"], ["Install"]);
}

/// Several calls of a function may be at it at once.
#[tokio::test]
async fn a_second_attempt_that_has_begun_is_taken_up_by_whoever_plans_it_once_more() {
    let ((clock, request), store) = (one_is_away(), Store::in_memory());
    let wanted = Planning {
        second_attempt: true,
        ..planning()
    };
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&request, &wanted).await.unwrap();
    let text = planned.plan().to_text();
    assert!(
        text.contains("  tries the nodes once more, when it is over, that it did not reach\n"),
        "{text}"
    );
    let begun = planned.begin(campaign(1)).await.unwrap();
    assert!(begun.run().await.unwrap().left_unreached());

    let first = store.load(campaign(1)).await.unwrap().unwrap();
    assert!(first.plan().second_attempt, "the log says that it is wanted");
    let second = campaign(1).of_second_attempt();
    let processes = [process(&clock, &store, 2), process(&clock, &store, 3)];
    for process in &processes {
        let planned = process
            .plan_retry(&first, Retry::Unreached, &wanted)
            .await
            .unwrap();
        let RetryPlan::Planned(planned) = planned else {
            panic!("a node was not reached");
        };
        assert!(!planned.plan().second_attempt, "there is no third one");
        assert_eq!(planned.begin(second).await.unwrap().id(), second);
    }
    let now = clock.with_world(|world| world.now());
    assert_eq!(store.campaigns(now).await.unwrap().campaigns.len(), 2);
}
