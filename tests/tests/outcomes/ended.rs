//! Nodes that somebody stops or terminates while others of their location are still at work.

use crate::scene::{ACCOUNTS, Scene, adds_up, at, group, install, tally, world};
use jiff::SignedDuration;
use patchfleet_core::{
    outcome::{NodeOutcome, NodeRow},
    report::Report,
    request::PatchRequest,
};
use patchfleet_sim::spec::{Change, NodesOf};

const FIRST: &str = "i-00000000000000001";
const SECOND: &str = "i-00000000000000002";

/// Two nodes of the group Web: the first one with this patch behaviour, and one that takes half an hour.
fn two(behaviour: &str) -> String {
    let node = |id: &str, behaviour: &str| {
        format!(
            r#"
            [[nodes]]
            id = "{id}"
            account = "222222222222"
            region = "us-east-1"
            groups = ["Web"]
            patch = {{ {behaviour} }}
            "#
        )
    };
    let nodes = [node(FIRST, behaviour), node(SECOND, "minutes = 30.0")].concat();
    world(&format!("{ACCOUNTS}{}{nodes}", group("222222222222", "")))
}

/// Runs an Install on the nodes that `selector` means, and lets `deed` happen to the first one so long
/// after the plan. Gives the report, and the first one's row.
async fn struck(
    toml: &str,
    selector: &str,
    policy: &str,
    after: i64,
    deed: fn(NodesOf) -> Change,
) -> (Report, NodeRow) {
    let scene = Scene::of(toml, &install(""));
    let request: PatchRequest = patchfleet_tests::request(&format!(
        r#"
        name = "outcomes"
        patch = {{ operation = "Install" }}
        policy = {{ {policy} }}
        [targets]
        {selector}
        accounts = ["222222222222"]
        regions = ["us-east-1"]
        [budget.nodes]
        max_concurrency = "100%"
        max_errors = "100%"
        "#
    ))
    .unwrap();
    let campaign = scene.begin(&request).await;
    campaign.run_for(after).await.unwrap();
    let change = deed(NodesOf {
        ids: vec![FIRST.parse().unwrap()],
        ..NodesOf::default()
    });
    assert_eq!(scene.clock.with_world(|world| world.change(&change)), Ok(1));
    let ended = campaign.run().await.unwrap();
    adds_up(&campaign.plan, &ended);
    let mut rows = ended.rows.into_values().flatten();
    let row = rows.find(|row| row.node.as_str() == FIRST).unwrap();
    (ended.report, row)
}

fn by_name() -> String {
    format!("node_ids = [\"{FIRST}\", \"{SECOND}\"]")
}

const TEN_MINUTES: i64 = SignedDuration::from_mins(10).as_secs();

#[tokio::test]
async fn a_node_that_reached_its_goal_and_is_not_there_any_more_is_gone_however_it_was_selected() {
    for selector in [&by_name(), "all_managed = true", "resource_group = \"Web\""] {
        for deed in [Change::Terminate as fn(NodesOf) -> Change, Change::Stop] {
            let (report, row) = struck(&two(""), selector, "", TEN_MINUTES, deed).await;
            assert_eq!(
                at(&report, "222222222222").nodes,
                tally(&[(NodeOutcome::Done, 1), (NodeOutcome::Gone, 1)]),
                "{selector}"
            );
            assert_eq!(row.outcome, NodeOutcome::Gone, "{selector}");
            assert!(row.detail.starts_with("had reached its goal"), "{}", row.detail);
            assert!(row.installed.is_some() && row.missing == Some(0), "{row:?}");
            assert_eq!(report.exit_code(), 0, "{selector}");
            assert!(
                report.to_text().contains("1 gone"),
                "it is shown: {}",
                report.to_text()
            );
        }
    }
    let strict = "gone = \"fail\"";
    let (report, _) = struck(&two(""), &by_name(), strict, TEN_MINUTES, Change::Terminate).await;
    assert_eq!(report.exit_code(), 4);
}

#[tokio::test]
async fn a_node_that_fell_short_is_lost_however_it_was_selected_when_it_is_not_there_any_more() {
    for selector in [&by_name(), "all_managed = true", "resource_group = \"Web\""] {
        let behaviour = "outcome = \"succeeds_with_failed_patches\"";
        let (report, row) = struck(&two(behaviour), selector, "", TEN_MINUTES, Change::Terminate).await;
        assert_eq!(row.outcome, NodeOutcome::Lost, "{selector}: {}", row.detail);
        assert_eq!(report.exit_code(), 4, "{selector}");
    }
}

#[tokio::test]
async fn a_named_node_that_went_down_in_its_reboot_is_lost_when_it_is_not_there_any_more() {
    let in_its_reboot = SignedDuration::from_mins(5).as_secs();
    let behaviour = "reboot_minutes = 5.0";
    let (report, row) = struck(&two(behaviour), &by_name(), "", in_its_reboot, Change::Terminate).await;
    assert_eq!(row.outcome, NodeOutcome::Lost, "{}", row.detail);
    assert_eq!(report.exit_code(), 4);
}
