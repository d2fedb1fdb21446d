//! What AWS says of a node and what is true of it: states, pings, alarms, lists and overrides.

use super::outcomes::{detail, outcomes, report};
use super::world::*;
use crate::campaign::NodeRows;
use crate::campaign::{PATCH_STATE_LAG, PING_LAG, State};
use crate::outcome::NodeOutcome;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use jiff::SignedDuration;

fn rows(world: &World, state: &State) -> Vec<(String, String)> {
    let location = state.locations().next().unwrap().1.clone();
    let rows = finish(world.rows.rows(world.campaign(), &location)).unwrap();
    rows.into_iter()
        .map(|row| (row.outcome.as_str().to_owned(), row.detail))
        .collect()
}

/// Gives the runbook an override of one kind.
fn give(world: &mut World, name: &str, value: &str) {
    let patch = &mut world.plan.request.patch;
    let setting = match name {
        "InstallOverrideList" => &mut patch.install_override_list,
        _ => &mut patch.baseline_override,
    };
    *setting = Some(value.to_owned());
    world.agree();
}

#[test]
fn a_command_that_was_sent_to_no_node_for_an_error_is_a_failure_with_awss_word() {
    for word in ["AccessDenied", "RateExceeded"] {
        let world = World::new(&[&[("us-east-1", Script::CommandFails(word))]], 1, 0);
        let state = world.run();
        assert_eq!(outcomes(&state)[0].1, LocationOutcome::CommandFailed);
        let words = format!("the command ended as {word} and was sent to no node");
        assert_eq!(detail(&state, "us-east-1"), words);
        let not_run = ("not_run".to_owned(), words);
        assert_eq!(rows(&world, &state), [not_run.clone(), not_run]);
        assert_eq!(state.failed_locations(), 1);
        assert_eq!(report(&world, &state).exit_code(), 4);
    }
}

#[test]
fn a_node_that_does_not_come_back_is_lost_although_systems_manager_still_calls_it_online() {
    let lost = Node {
        status: "DeliveryTimedOut",
        patches: None,
        dies: Some(SignedDuration::from_secs(20)),
        ..Node::well(1)
    };
    let world = World::new(
        &[&[("us-east-1", Script::Nodes(vec![lost, Node::well(2)]))]],
        1,
        0,
    );
    let state = world.run();
    let found = rows(&world, &state);
    assert_eq!(found[0].0, "lost", "{found:?}");
    assert_eq!(found[1].0, "done");
    assert_eq!(state.failed_locations(), 1);
    let ended = world.executions()[0].started_at + RUNS;
    let waited = state.finished().unwrap().1.duration_since(ended);
    assert!(waited <= PING_LAG + SignedDuration::from_secs(40), "{waited:?}");
}

#[test]
fn a_node_that_is_silent_since_long_before_the_command_was_not_reached() {
    let offline = Node {
        status: "DeliveryTimedOut",
        patches: None,
        dies: Some(SignedDuration::from_mins(30)),
        ..Node::well(1)
    };
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![offline]))]], 1, 0);
    let state = world.run();
    assert_eq!(rows(&world, &state)[0].0, "unreached");
    assert_eq!(
        state
            .locations()
            .next()
            .unwrap()
            .2
            .settled
            .clone()
            .unwrap()
            .nodes
            .count(NodeOutcome::Lost),
        0
    );
}

#[test]
fn what_an_alarm_ends_may_run_on_and_is_judged_by_its_patch_state() {
    let alarmed = |n, patches| Node {
        status: "Alarmed",
        patches,
        ..Node::well(n)
    };
    let late = Node {
        late: PATCH_STATE_LAG / 2,
        ..alarmed(3, Some([0, 0, 0]))
    };
    let nodes = vec![alarmed(1, Some([0, 0, 0])), alarmed(2, None), late];
    let world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 0);
    let state = world.run();
    let found = rows(&world, &state);
    let outcomes: Vec<&str> = found.iter().map(|(outcome, _)| outcome.as_str()).collect();
    assert_eq!(outcomes, ["done", "unknown", "done"]);
    assert_eq!(
        found[1].1,
        "the command ended as FailedDueToAlarm; what it began on the node may run on"
    );
}

#[test]
fn what_an_override_list_leaves_missing_is_shown_and_not_counted_against_the_node() {
    let node = Node {
        patches: Some([0, 12, 0]),
        ..Node::well(1)
    };
    let failed = Node {
        patches: Some([1, 12, 0]),
        ..Node::well(2)
    };
    for (nodes, outcome) in [
        (vec![node.clone()], FinishedOutcome::Succeeded),
        (vec![node, failed], FinishedOutcome::Partial),
    ] {
        let mut world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 0);
        give(&mut world, "InstallOverrideList", "s3://bucket/list.yaml");
        let state = world.run();
        assert_eq!(state.finished().unwrap().0, outcome);
        let location = state.locations().next().unwrap().1.clone();
        let row = finish(world.rows.rows(world.campaign(), &location))
            .unwrap()
            .remove(0);
        assert_eq!((row.outcome, row.missing), (NodeOutcome::Done, Some(12)));
        assert_eq!(
            row.detail,
            "12 patches that the override list does not name still missing"
        );
        // A location that succeeded has no other words, and its nodes need no action.
        let report = report(&world, &state);
        let told = &report.locations[0].detail;
        assert!(
            told.ends_with("1 node lacks patches that the override list does not name"),
            "{told}"
        );
    }
}

#[test]
fn a_patch_state_of_somebody_elses_snapshot_is_never_ours_however_new() {
    let node = Node {
        snapshot: Some("0d4a8a2e-0000-4000-8000-000000000000"),
        ..Node::well(1)
    };
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![node]))]], 1, 0);
    let state = world.run();
    let words = "reported success, and another run has written its patch state since";
    assert_eq!(rows(&world, &state), [("unknown".to_owned(), words.to_owned())]);
    assert_eq!(report(&world, &state).exit_code(), 4);
}

#[test]
fn a_runbook_of_ones_own_that_takes_no_snapshot_is_judged_by_the_clock() {
    let node = Node {
        snapshot: Some("0d4a8a2e-0000-4000-8000-000000000000"),
        ..Node::well(1)
    };
    for (parameter, outcome) in [("SnapshotId", "unknown"), ("Targets", "done")] {
        let mut world = World::new(&[&[("us-east-1", Script::Nodes(vec![node.clone()]))]], 1, 0);
        world.plan.request.automation.document = "Our-Runbook".parse().unwrap();
        world.agree();
        world.plan.runbook = Some(crate::runbook::PlannedRunbook {
            name: "Our-Runbook".parse().unwrap(),
            version: "7".to_owned(),
            digest: crate::runbook::ContentDigest::of(RUNBOOK),
            parameters: vec![parameter.to_owned()],
            own: false,
            copies: vec![],
            unread: vec![],
            sight: None,
        });
        let state = world.run();
        assert_eq!(rows(&world, &state)[0].0, outcome, "{parameter}");
        let started = &world.executions()[0].request.parameters;
        let snapshot = world.campaign().snapshot_id().to_string();
        let expected = (parameter == "SnapshotId").then(|| vec![snapshot]);
        assert_eq!(started.get("SnapshotId").cloned(), expected);
    }
}

#[test]
fn a_run_with_a_baseline_override_rests_on_the_commands_own_word_and_waits_for_no_state() {
    let summary = |missing: u32| {
        format!(
            "{}root [INFO]: [BASELINE OVERRIDE]: Summary: {{\n    \"FailedCount\": \"0\",\n    \"MissingCount\": \
             \"{missing}\"\n}}\nroot [INFO]: [BASELINE OVERRIDE]: All Packages are Compliant.\n",
            "root [INFO]: Patch Baseline: {}\n".repeat(100),
        )
    };
    let node = |n, status, printed| Node {
        patches: None,
        status,
        printed,
        ..Node::well(n)
    };
    let nodes = vec![
        node(1, "Success", summary(0)),
        node(2, "Success", summary(2)),
        node(3, "Success", "it printed little".to_owned()),
        node(4, "Failed", String::new()),
        node(5, "Success", "it printed very much".repeat(1_200)),
    ];
    let mut world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 0);
    give(&mut world, "BaselineOverride", "s3://bucket/baseline.json");
    let state = world.run();
    let found = rows(&world, &state);
    let outcomes: Vec<&str> = found.iter().map(|(outcome, _)| outcome.as_str()).collect();
    assert_eq!(outcomes, ["done", "missing", "done", "failed", "unknown"]);
    assert_eq!(
        found[4].1,
        "reported success, which failed patches do not prevent, and AWS keeps 24,000 characters of its output, and \
         the summary would stand behind them"
    );
    for (_, detail) in &found[..4] {
        assert!(
            detail.contains("by the command's own word, as a baseline override writes no patch state"),
            "{detail}"
        );
    }
    assert!(found[3].1.starts_with("ended as Failed with exit code 162"));
    let waited = state
        .finished()
        .unwrap()
        .1
        .duration_since(world.executions()[0].started_at + RUNS);
    assert!(waited <= SignedDuration::from_secs(40), "{waited:?}");
}

#[test]
fn where_no_command_is_known_to_patch_a_failed_execution_makes_no_node_succeed_by_its_word() {
    let run = |document: Option<&'static str>, well: bool| {
        let other = Node {
            status: if well { "Success" } else { "Failed" },
            ..Node::well(2)
        };
        let nodes = Script::Nodes(vec![Node::well(1), other]);
        let mut world = World::new(&[&[("us-east-1", nodes)]], 1, 0);
        let settings = &mut world.plan.request.automation;
        settings.document = "Our-Patch".parse().unwrap();
        let list = vec!["s3://bucket/baseline.json".to_owned()];
        settings.parameters.insert("BaselineOverride".to_owned(), list);
        world.agree();
        *world.aws.command_document.lock().unwrap() = document;
        let state = world.run();
        rows(&world, &state)
    };
    for document in [None, Some("Our-Command"), Some("AWS-RunDocument")] {
        let found = run(document, false);
        assert_eq!((found[0].0.as_str(), found[1].0.as_str()), ("unknown", "failed"));
        assert_eq!(
            found[0].1,
            "reported success to a command that need not be the one that patches, and the execution there failed: \
             ended as Failed"
        );
        assert_eq!(run(document, true)[0].0, "done");
    }
    assert_eq!(run(Some("AWS-RunPatchBaseline"), false)[0].0, "done");
}

#[test]
fn results_that_could_not_be_read_are_named_node_by_node() {
    let world = World::new(&[&[("us-east-1", Script::Sealed)]], 1, 0);
    let state = world.run();
    let report = report(&world, &state);
    let named: Vec<(&str, &str)> = report
        .needs_action
        .iter()
        .map(|node| (node.node.as_str(), node.detail.as_str()))
        .collect();
    let words = "what became of it is not known: may not read";
    assert_eq!(named, [("i-00000001", words), ("i-00000002", words)]);
}
