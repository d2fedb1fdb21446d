//! Everything that can become of a location, each in a world made for it: a named outcome, every
//! node accounted for, and never a hang.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

#[path = "outcomes/budget.rs"]
mod budget;
#[path = "outcomes/ended.rs"]
mod ended;
#[path = "outcomes/fleet.rs"]
mod fleet;
#[path = "outcomes/gone_on.rs"]
mod gone_on;
#[path = "outcomes/labels.rs"]
mod labels;
#[path = "outcomes/scene.rs"]
mod scene;
#[path = "outcomes/steps.rs"]
mod steps;
#[path = "outcomes/truth.rs"]
mod truth;

use jiff::SignedDuration;
use patchfleet_core::{
    outcome::{LocationOutcome, NodeOutcome},
    report::ReportOutcome,
};
use patchfleet_sim::{Caller, Service, call};
use patchfleet_tests::central_region;
use scene::{
    ACCOUNTS, ONE_FAILURE_ALLOWED, Scene, adds_up, at, group, install, nodes_of, tally, took, world,
};
use serde_json::json;

#[tokio::test]
async fn a_location_that_emptied_since_the_census_is_told_and_no_success() {
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
    assert_eq!(emptied.outcome, Some(LocationOutcome::Vanished));
    assert_eq!(emptied.nodes, tally(&[(NodeOutcome::NotRun, 2)]));
    assert_eq!(
        emptied.detail,
        "2 nodes planned, and none of them is in the selection any more; 2 of them were not patched"
    );
    assert_eq!(
        at(&ended.report, "333333333333").nodes,
        tally(&[(NodeOutcome::Done, 3)])
    );
    assert_eq!(ended.report.outcome, ReportOutcome::Partial);
    assert_eq!(ended.report.exit_code(), 4);
    scene.clock.with_world(|world| {
        assert!(gone.iter().all(|node| world.node(node).unwrap().installs() == 0));
    });
}

#[tokio::test]
async fn one_node_that_left_the_group_since_the_census_is_not_patched_and_is_named() {
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
        tally(&[(NodeOutcome::Done, 2), (NodeOutcome::NotRun, 1)])
    );
    assert_eq!(ended.report.exit_code(), 4);
    assert_eq!(ended.report.needs_action.len(), 1);
    assert_eq!(ended.report.needs_action[0].node, left);
    assert_eq!(
        ended.report.needs_action[0].detail,
        "left the selection after the plan, and was not patched"
    );
    assert_eq!(ended.report.totals.planned, 3);
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
    let request = install(ONE_FAILURE_ALLOWED);
    let denied = r#"roles = [{ name = "AWS-SystemsManager-AutomationExecutionRole", denied_actions = ["ssm:SendCommand"] }]"#;
    let accounts = ACCOUNTS.replace(r#"name = "Three" }"#, &format!(r#"name = "Three", {denied} }}"#));
    let (two, three) = (
        group("222222222222", "{ count = 1 }"),
        group("333333333333", "{ count = 1 }"),
    );
    let scene = Scene::of(&world(&format!("{accounts}{two}{three}")), &request);
    let (plan, ended) = scene.run(&request).await;
    assert_eq!(plan.locations.len(), 2);
    let failed = at(&ended.report, "333333333333");
    assert_eq!(failed.outcome, Some(LocationOutcome::FailedBeforeCommand));
    assert!(
        failed
            .detail
            .contains("is not authorized to perform: ssm:SendCommand"),
        "{}",
        failed.detail
    );
    assert_eq!(failed.nodes, tally(&[(NodeOutcome::NotRun, 1)]));
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
    // One node was at work, and what was begun on it may run on.
    let at_work = tally(&[(NodeOutcome::NotRun, 2), (NodeOutcome::Unknown, 1)]);
    let waiting = tally(&[(NodeOutcome::NotRun, 2)]);
    for (account, nodes) in [("222222222222", at_work), ("333333333333", waiting)] {
        let cancelled = at(&ended.report, account);
        assert_eq!(cancelled.outcome, Some(LocationOutcome::Cancelled), "{account}");
        assert_eq!(cancelled.nodes, nodes, "{account}");
    }
    assert_eq!(ended.report.executions[0].status.as_str(), "Cancelled");
    assert_eq!(
        (ended.report.outcome, ended.report.exit_code()),
        (ReportOutcome::Halted, 5)
    );
    let because = ended.report.left_out_because.clone().unwrap();
    assert!(
        because.contains("was cancelled, and not by patchfleet"),
        "{because}"
    );
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
async fn the_nodes_that_were_patched_in_a_group_that_cannot_be_read_whole_are_accounted_for() {
    let partial = "query_errors = [\"CLOUDFORMATION_STACK_INACTIVE\"]\n";
    let nodes = "{ count = 2 }, { count = 1, patch = { outcome = \"never_returns\" } }";
    let nodes = group("222222222222", nodes) + partial;
    let request = install("[policy]\nunknown = \"keep\"\n");
    let scene = Scene::of(&world(&format!("{ACCOUNTS}{nodes}")), &request);
    let (_, ended) = scene.run(&request).await;
    let patched = at(&ended.report, "222222222222");
    assert_eq!(patched.outcome, Some(LocationOutcome::ResultsUnreadable));
    assert!(
        patched.detail.contains("CLOUDFORMATION_STACK_INACTIVE"),
        "{}",
        patched.detail
    );
    assert_eq!(
        patched.nodes,
        tally(&[(NodeOutcome::Done, 2), (NodeOutcome::Lost, 1)])
    );
    assert_eq!(ended.report.needs_action.len(), 1, "the lost one is named");
    assert_eq!(ended.report.exit_code(), 4);
}

#[tokio::test]
async fn nodes_that_the_census_counted_and_nobody_can_list_any_more_are_not_dropped() {
    let nodes = "{ count = 2 }, { count = 3, reachability = \"unmanaged\" }";
    let request = install("");
    let toml = world(&format!("{ACCOUNTS}{}", group("222222222222", nodes)));
    let scene = Scene::of(&toml, &request);
    let campaign = scene.begin(&request).await;
    let location = campaign.plan.locations[0].location();
    scene.clock.with_world(|world| {
        assert!(world.set_query_errors(&location, "Web", &["CLOUDFORMATION_STACK_INACTIVE"]));
    });
    let ended = campaign.run().await.unwrap();
    let patched = at(&ended.report, "222222222222");
    assert_eq!(patched.outcome, Some(LocationOutcome::ResultsUnreadable));
    assert_eq!(
        patched.nodes,
        tally(&[(NodeOutcome::Done, 2), (NodeOutcome::Unknown, 3)])
    );
    assert_eq!(ended.rows[&location].len(), 5, "the plan names the others");
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

#[tokio::test]
async fn a_node_that_stops_between_plan_and_command_keeps_nobody_else_from_being_patched() {
    let stop = r#"
        [[changes]]
        at = "10m"
        change = { stop = { accounts = ["222222222222"], count = 1 } }
        "#;
    let nodes = group("222222222222", "{ count = 3 }");
    let request = patchfleet_tests::request(
        r#"
        name = "outcomes"
        patch = { operation = "Install" }
        [targets]
        all_managed = true
        accounts = ["222222222222"]
        regions = ["us-east-1"]
        [budget.nodes]
        max_concurrency = "100%"
        max_errors = "100%"
        "#,
    )
    .unwrap();
    let scene = Scene::of(&world(&format!("{ACCOUNTS}{nodes}{stop}")), &request);
    let campaign = scene.begin(&request).await;
    let later = scene.ports.clock.now() + SignedDuration::from_mins(20);
    scene.ports.clock.sleep_until(later).await;
    let ended = campaign.run().await.unwrap();
    adds_up(&campaign.plan, &ended);
    assert_eq!(
        scene.parents().len(),
        2,
        "the refused start, and the one without the stopped node"
    );
    let commands = scene.clock.with_world(|world| world.state())["commands"].clone();
    assert_eq!(commands.as_array().unwrap().len(), 1, "nothing was sent twice");
    let nodes = &ended.report.totals.nodes;
    assert_eq!((nodes.count(NodeOutcome::Done), nodes.total()), (2, 3));
    assert_eq!(ended.report.exit_code(), 4);
}

#[tokio::test]
async fn a_command_that_is_over_before_its_invocations_are_listed_loses_no_node() {
    for (patch, outcome, exit_code) in [("ok", NodeOutcome::Done, 0), ("fails", NodeOutcome::Failed, 4)] {
        let node = group(
            "222222222222",
            &format!("{{ count = 1, patch = {{ outcome = \"{patch}\" }} }}"),
        );
        let request = install(ONE_FAILURE_ALLOWED);
        // How long the command takes, and then the same where it is listed a minute after its end.
        let mut hidden = 1;
        for late in [0, 60] {
            let late = late + hidden;
            let late = format!("consistency = {{ invocation_list_seconds = {late} }}\n");
            let scene = Scene::of(&world(&format!("{late}{ACCOUNTS}{node}")), &request);
            let (_, ended) = scene.run(&request).await;
            let state = scene.clock.with_world(|world| world.state());
            let commands = state["commands"].as_array().unwrap();
            assert_eq!(commands.len(), 1, "nothing is sent again");
            let time =
                |name: &str| -> jiff::Timestamp { commands[0][name].as_str().unwrap().parse().unwrap() };
            hidden = time("ended").duration_since(time("requested")).as_secs();
            assert_eq!(
                at(&ended.report, "222222222222").nodes,
                tally(&[(outcome, 1)]),
                "{late}"
            );
            assert_eq!(ended.report.exit_code(), exit_code, "{late}");
        }
    }
}

#[tokio::test]
async fn a_terminated_node_that_its_tags_still_find_is_told_and_becomes_gone_within_the_hour() {
    let nodes = r#"{ count = 2, tags = { Env = "prod" } },
        { count = 1, tags = { Env = "prod" }, reachability = "terminated" }"#;
    let request = patchfleet_tests::request(
        r#"
        name = "outcomes"
        patch = { operation = "Install" }
        [targets]
        tags = { Env = ["prod"] }
        accounts = ["222222222222"]
        regions = ["us-east-1"]
        [budget.nodes]
        max_concurrency = "100%"
        max_errors = "100%"
        "#,
    )
    .unwrap();
    let toml = world(&format!("{ACCOUNTS}{}", group("222222222222", nodes)));
    for (later, outcome, exit_code) in [(0, NodeOutcome::Unmanaged, 4), (2, NodeOutcome::Gone, 0)] {
        let scene = Scene::of(&toml, &request);
        let campaign = scene.begin(&request).await;
        let counted = campaign.plan.locations[0].nodes.unwrap();
        assert_eq!((counted.online, counted.unmanaged), (2, 1));
        let at_last = scene.ports.clock.now() + SignedDuration::from_hours(later);
        scene.ports.clock.sleep_until(at_last).await;
        let ended = campaign.run().await.unwrap();
        adds_up(&campaign.plan, &ended);
        assert_eq!(
            at(&ended.report, "222222222222").nodes,
            tally(&[(NodeOutcome::Done, 2), (outcome, 1)]),
            "{later} hours later"
        );
        assert_eq!(ended.report.exit_code(), exit_code, "{later} hours later");
    }
}
