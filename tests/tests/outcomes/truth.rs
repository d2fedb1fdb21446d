//! What AWS says of a node, and what is true of it: alarms, override lists, overridden baselines, pings
//! that lag, and results that nobody may read for a while.

use crate::scene::{
    ACCOUNTS, ONE_FAILURE_ALLOWED, Scene, adds_up, at, group, install, nodes_of, tally, took, world,
};
use jiff::SignedDuration;
use patchfleet_core::{
    outcome::{LocationOutcome, NodeOutcome},
    report::ReportOutcome,
};
use patchfleet_sim::spec::{Change, CommandsOf, RoleChange};
use patchfleet_tests::request;

/// As long as a command lives that says nothing else, and more.
const A_COMMANDS_LIFE: SignedDuration = SignedDuration::from_hours(6);

#[tokio::test]
async fn nodes_whose_results_are_denied_in_mid_run_are_named_and_are_read_once_they_may_be() {
    let nodes = [
        group(
            "222222222222",
            "{ count = 2 }, { count = 1, patch = { outcome = \"fails\" } }, { count = 1, reachability = \"stopped\" }",
        ),
        group("333333333333", "{ count = 2 }"),
    ];
    let roles = "roles = [{ name = \"Reader\" }]\n";
    let request = install("[budget.locations]\nmax_errors = 2\n[access]\ndiscovery_role = \"Reader\"\n");
    let toml = world(&format!("{roles}{ACCOUNTS}{}", nodes.concat()));
    let scene = Scene::of(&toml, &request);
    let campaign = scene.begin(&request).await;
    campaign.run_for(60).await.unwrap();
    let everything = || vec!["ssm:*".to_owned(), "resource-groups:*".to_owned()];
    let change = |deny, allow| {
        let change = Change::Role(RoleChange {
            name: "Reader".to_owned(),
            accounts: vec!["222222222222".parse().unwrap()],
            deny,
            allow,
            ..RoleChange::default()
        });
        scene.clock.with_world(|world| world.change(&change).unwrap());
    };
    change(everything(), vec![]);
    let ended = campaign.run().await.unwrap();
    adds_up(&campaign.plan, &ended);
    let denied = at(&ended.report, "222222222222");
    assert_eq!(denied.outcome, Some(LocationOutcome::ResultsUnreadable));
    assert_eq!(denied.nodes, tally(&[(NodeOutcome::Unknown, 4)]));
    assert_eq!(ended.report.exit_code(), 4);
    let named: Vec<_> = ended
        .report
        .needs_action
        .iter()
        .map(|row| row.node.clone())
        .collect();
    assert_eq!(named, nodes_of(&scene.clock, "222222222222"));
    assert!(
        ended.report.needs_action[0]
            .detail
            .starts_with("what became of it is not known: AccessDeniedException"),
        "{}",
        ended.report.needs_action[0].detail
    );
    let refused = campaign.driver.collect_again(campaign.id).await.unwrap();
    assert_eq!((refused.read, refused.unread.len()), (0, 1));

    change(vec![], everything());
    let again = campaign.driver.collect_again(campaign.id).await.unwrap();
    assert_eq!((again.read, again.unread.len()), (1, 0));
    let read = campaign.account(&again.state).await.unwrap();
    adds_up(&campaign.plan, &read);
    assert_eq!(
        at(&read.report, "222222222222").nodes,
        tally(&[
            (NodeOutcome::Done, 2),
            (NodeOutcome::Failed, 1),
            (NodeOutcome::Unmanaged, 1)
        ])
    );
    assert_eq!(read.report.totals.nodes.total(), 6);
    assert_eq!(read.report.exit_code(), 4);
}

#[tokio::test]
async fn a_node_that_is_at_work_when_its_command_expires_is_unknown_although_the_command_succeeded_elsewhere()
{
    let text = r#"
        name = "outcomes"
        patch = { operation = "Install", delivery_timeout = "30m" }
        [targets]
        resource_group = "Web"
        accounts = ["222222222222"]
        regions = ["us-east-1"]
        [budget.nodes]
        max_concurrency = "100%"
        max_errors = "100%"
    "#;
    let request = request(text).unwrap();
    // The command expires after 6 h 30 min. The node that was away comes back shortly before, for an hour's work.
    let nodes = "{ count = 2 }, { count = 2, reachability = \"offline\", patch = { minutes = 60.0 } }";
    let back = "[[changes]]\nat = \"6h 10m\"\nchange = { gain_agent = { group = \"Web\", count = 1 } }\n";
    let toml = world(&format!("{ACCOUNTS}{}{back}", group("222222222222", nodes)));
    let scene = Scene::of(&toml, &request);
    let (_, ended) = scene.run(&request).await;
    let there = at(&ended.report, "222222222222");
    assert_eq!(
        there.nodes,
        tally(&[
            (NodeOutcome::Done, 2),
            (NodeOutcome::Unreached, 1),
            (NodeOutcome::RunningAtExpiry, 1)
        ])
    );
    let unknown = ended
        .report
        .needs_action
        .iter()
        .find(|row| row.outcome == NodeOutcome::RunningAtExpiry);
    assert_eq!(
        unknown.unwrap().detail,
        "the command expired while it was at work on it; what it began may run on"
    );
}

#[tokio::test]
async fn what_an_alarm_ends_runs_on_so_its_nodes_are_unknown_until_their_patch_states_are_read() {
    let request = install("");
    let toml = world(&format!("{ACCOUNTS}{}", group("222222222222", "{ count = 2 }")));
    let scene = Scene::of(&toml, &request);
    let campaign = scene.begin(&request).await;
    campaign.run_for(60).await.unwrap();
    let alarmed = scene
        .clock
        .with_world(|world| world.change(&Change::Alarm(CommandsOf::default())));
    assert_eq!(alarmed, Ok(1));
    let ended = campaign.run().await.unwrap();
    adds_up(&campaign.plan, &ended);
    assert_eq!(ended.report.totals.nodes, tally(&[(NodeOutcome::Unknown, 2)]));
    assert_eq!(ended.report.exit_code(), 4);
    assert_eq!(
        ended.report.needs_action[0].detail,
        "the command ended as FailedDueToAlarm; what it began on the node may run on"
    );
    // The first node was at work, and the other had no turn yet.
    scene
        .clock
        .with_world(patchfleet_sim::world::World::run_until_idle);
    let again = campaign.driver.collect_again(campaign.id).await.unwrap();
    let read = campaign.account(&again.state).await.unwrap();
    adds_up(&campaign.plan, &read);
    let installed: Vec<_> = scene.clock.with_world(|world| {
        let installed = world.nodes().filter(|node| node.installs() > 0);
        installed.map(|node| node.id().clone()).collect()
    });
    let done = read.rows.values().flatten();
    let done: Vec<_> = done
        .filter(|row| row.outcome == NodeOutcome::Done)
        .map(|row| row.node.clone())
        .collect();
    assert_eq!(done, installed);
    assert!(!installed.is_empty());
}

#[tokio::test]
async fn what_an_override_list_does_not_name_stays_missing_by_right_and_what_failed_does_not() {
    let list = r#"patch.install_override_list = "s3://lists/2026-03.yaml""#;
    let nodes = "{ count = 2, patch = { missing = 8, listed_share = 0.5 } }, \
                 { count = 1, patch = { missing = 8, listed_share = 0.5, outcome = \"fails\" } }";
    let text = format!(
        r#"
        name = "outcomes"
        {list}
        patch.operation = "Install"
        targets = {{ resource_group = "Web", accounts = ["222222222222"], regions = ["us-east-1"] }}
        budget.nodes = {{ max_concurrency = "100%", max_errors = "100%" }}
        "#
    );
    let request = patchfleet_tests::request(&text).unwrap();
    let toml = world(&format!("{ACCOUNTS}{}", group("222222222222", nodes)));
    let scene = Scene::of(&toml, &request);
    let (_, ended) = scene.run(&request).await;
    assert_eq!(
        at(&ended.report, "222222222222").nodes,
        tally(&[(NodeOutcome::Done, 2), (NodeOutcome::Failed, 1)])
    );
    let rows = ended.rows.values().flatten();
    let done: Vec<_> = rows.filter(|row| row.outcome == NodeOutcome::Done).collect();
    assert!(done.iter().all(|row| row.missing == Some(4)), "{done:?}");
    assert_eq!(ended.report.exit_code(), 4);
}

#[tokio::test]
async fn under_a_baseline_override_the_commands_own_word_is_taken_and_no_state_is_waited_for() {
    let text = r#"
        name = "outcomes"
        patch = { operation = "Install", baseline_override = "s3://lists/baseline.json" }
        targets = { resource_group = "Web", accounts = ["222222222222"], regions = ["us-east-1"] }
        budget.nodes = { max_concurrency = "100%", max_errors = "100%" }
        "#;
    let request = patchfleet_tests::request(text).unwrap();
    let nodes = "{ count = 2 }, { count = 1, patch = { outcome = \"fails\" } }";
    let toml = world(&format!("{ACCOUNTS}{}", group("222222222222", nodes)));
    let scene = Scene::of(&toml, &request);
    let (_, ended) = scene.run(&request).await;
    assert_eq!(
        at(&ended.report, "222222222222").nodes,
        tally(&[(NodeOutcome::Done, 2), (NodeOutcome::Failed, 1)])
    );
    let rows = ended.rows.values().flatten();
    let done: Vec<_> = rows.filter(|row| row.outcome == NodeOutcome::Done).collect();
    assert!(
        done.iter().all(|row| row.detail.contains("baseline")),
        "each says what it rests on: {done:?}"
    );
    // Five minutes for the patches, one for the reboot, and what is between calls.
    assert!(
        took(&ended.report) < SignedDuration::from_mins(15),
        "{:?}",
        took(&ended.report)
    );
}

#[tokio::test]
async fn a_node_that_does_not_come_back_is_lost_while_its_ping_status_still_says_online() {
    let lags = "[consistency]\nping_status_seconds = 86400\n";
    let nodes = [
        group(
            "222222222222",
            "{ count = 1, patch = { outcome = \"vanishes\" } }",
        ),
        group("333333333333", "{ count = 1 }"),
    ];
    let request = install(ONE_FAILURE_ALLOWED);
    let scene = Scene::of(&world(&format!("{ACCOUNTS}{lags}{}", nodes.concat())), &request);
    let (_, ended) = scene.run(&request).await;
    assert_eq!(
        at(&ended.report, "222222222222").nodes,
        tally(&[(NodeOutcome::Lost, 1)])
    );
    assert_eq!(
        ended.report.needs_action[0].detail,
        "the command reached it, and its agent was not heard of after the command's end"
    );
    assert_eq!(
        at(&ended.report, "333333333333").nodes,
        tally(&[(NodeOutcome::Done, 1)])
    );
    assert!(
        took(&ended.report) > A_COMMANDS_LIFE,
        "it is given up when its command expires"
    );
    assert_eq!(ended.report.outcome, ReportOutcome::Partial);
}
