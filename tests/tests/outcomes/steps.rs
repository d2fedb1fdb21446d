//! Runbooks of one's own that send more than the patching: a hook before it, a check after it, one patching
//! for each operating system. What became of a node is told by the commands that patch.

use super::scene::{Scene, adds_up, at, tally};
use patchfleet_core::{
    outcome::{LocationOutcome, NodeOutcome},
    plan::PlanError,
    refusal::RefusalCode,
    report::{LocationReport, ReportOutcome},
    request::PatchRequest,
};
use patchfleet_sim::{Sim, SimOptions, world::World};
use patchfleet_tests::{Ended, over_http, plan, plan_and_run, request};
use serde_json::{Value, json};

const ALL: (&str, &str) = ("resource-groups:Name", "Web");

fn step(name: &str, document: &str, parameters: &Value, (key, value): (&str, &str)) -> Value {
    json!({
        "name": name,
        "action": "aws:runCommand",
        "inputs": {
            "DocumentName": document,
            "Parameters": parameters,
            "Targets": [{ "Key": key, "Values": [value] }],
            "MaxConcurrency": "100%",
            "MaxErrors": "100%",
        },
    })
}

fn hook(targets: (&str, &str)) -> Value {
    step(
        "prepare",
        "AWS-RunShellScript",
        &json!({ "commands": ["sleep 5"] }),
        targets,
    )
}

fn patching(name: &str, targets: (&str, &str)) -> Value {
    let parameters = json!({
        "Operation": ["{{ Operation }}"],
        "RebootOption": ["RebootIfNeeded"],
        "BaselineOverride": ["{{ BaselineOverride }}"],
        "SnapshotId": ["{{ SnapshotId }}"],
    });
    step(name, "AWS-RunPatchBaseline", &parameters, targets)
}

/// A check that does not end in time.
fn failing_check() -> Value {
    let parameters = json!({ "commands": ["sleep 9"], "executionTimeout": ["6"] });
    step("check", "AWS-RunShellScript", &parameters, ALL)
}

/// The organization with the group Web of these nodes in account 2, and a runbook of these steps.
fn world(nodes: &str, steps: &[Value]) -> String {
    let runbook = json!({
        "schemaVersion": "0.3",
        "assumeRole": "{{ AutomationAssumeRole }}",
        "parameters": {
            "AutomationAssumeRole": { "type": "String", "default": "" },
            "Operation": { "type": "String", "default": "Scan" },
            "BaselineOverride": { "type": "String", "default": "" },
            "SnapshotId": { "type": "String", "default": "" },
        },
        "mainSteps": steps,
    });
    format!(
        r#"
        management_account = "111111111111"
        accounts = [{{ id = "111111111111", name = "Main" }}, {{ id = "222222222222", name = "Two" }}]
        patch = {{ minutes = 4.0, reboot_minutes = 1.0 }}
        [[documents]]
        name = "Our-Patch"
        content = '''{runbook}'''
        [[groups]]
        name = "Web"
        accounts = ["222222222222"]
        regions = ["us-east-1"]
        nodes = [{nodes}]
        "#
    )
}

fn asked(parameters: &str) -> PatchRequest {
    let text = format!(
        r#"
        name = "steps"
        patch = {{ operation = "Install" }}
        [targets]
        resource_group = "Web"
        accounts = ["222222222222"]
        regions = ["us-east-1"]
        [automation]
        document = "Our-Patch"
        parameters = {{ Operation = "Install" {parameters} }}
        "#
    );
    request(&text).unwrap()
}

const OVERRIDE: &str = r#", BaselineOverride = "s3://bucket/baseline.json""#;

/// Runs the campaign in memory and over HTTP, which have to say the same.
async fn ended(nodes: &str, steps: &[Value], parameters: &str) -> (LocationReport, Ended) {
    let (world, request) = (world(nodes, steps), asked(parameters));
    let (plan, ended) = Scene::of(&world, &request).run(&request).await;
    let sim = Sim::start(World::parse(&world).unwrap(), SimOptions::default())
        .await
        .unwrap();
    let ports = over_http(&sim, &request.access).unwrap();
    let (_, over_http) = plan_and_run(&ports, &request).await.unwrap();
    adds_up(&plan, &over_http);
    assert_eq!(
        over_http.report.clone().without_times(),
        ended.report.clone().without_times()
    );
    (at(&ended.report, "222222222222").clone(), ended)
}

#[tokio::test]
async fn what_a_hook_did_says_nothing_of_the_patching_under_a_baseline_override() {
    let steps = [hook(ALL), patching("patch", ALL)];
    let all_fail = "{ count = 3, patch = { outcome = \"fails_before_patching\" } }";
    let (there, run) = ended(all_fail, &steps, OVERRIDE).await;
    assert_eq!(there.nodes, tally(&[(NodeOutcome::Failed, 3)]));
    assert_eq!(there.outcome, Some(LocationOutcome::NodesFailed));
    assert!(
        there
            .detail
            .contains("the execution there ended as Failed: Step fails"),
        "{}",
        there.detail
    );
    assert_eq!(run.report.exit_code(), 4);

    let one_fails = "{ count = 2 }, { count = 2, patch = { outcome = \"fails\" } }";
    let (there, run) = ended(one_fails, &steps, OVERRIDE).await;
    assert_eq!(
        there.nodes,
        tally(&[(NodeOutcome::Done, 2), (NodeOutcome::Failed, 2)])
    );
    assert_eq!(run.report.exit_code(), 4);

    let patches_fail = "{ count = 2 }, { count = 1, patch = { outcome = \"succeeds_with_failed_patches\", failed_patches = 3 } }";
    let (there, run) = ended(patches_fail, &steps, OVERRIDE).await;
    assert_eq!(
        there.nodes,
        tally(&[(NodeOutcome::Done, 2), (NodeOutcome::Failed, 1)])
    );
    assert_eq!(run.report.exit_code(), 4);
}

#[tokio::test]
async fn a_hook_that_matches_no_node_does_not_end_its_location() {
    let steps = [hook(("tag:Hook", "yes")), patching("patch", ALL)];
    let (there, run) = ended("{ count = 3 }", &steps, "").await;
    assert_eq!(there.nodes, tally(&[(NodeOutcome::Done, 3)]));
    assert_eq!(
        (there.outcome, there.detail.as_str()),
        (Some(LocationOutcome::Succeeded), "")
    );
    assert_eq!(run.report.outcome, ReportOutcome::Succeeded);
}

#[tokio::test]
async fn two_steps_that_patch_tell_of_the_nodes_of_both() {
    let nodes = |outcome: &str| {
        format!("{{ count = 2, tags = {{ Os = \"a\" }} }}, {{ count = 3, tags = {{ Os = \"b\" }}{outcome} }}")
    };
    let steps = [patching("a", ("tag:Os", "a")), patching("b", ("tag:Os", "b"))];
    for parameters in ["", OVERRIDE] {
        let (there, run) = ended(&nodes(""), &steps, parameters).await;
        assert_eq!(there.nodes, tally(&[(NodeOutcome::Done, 5)]), "{parameters}");
        assert_eq!(run.report.exit_code(), 0);
        let failing = nodes(", patch = { outcome = \"fails_before_patching\" }");
        let (there, run) = ended(&failing, &steps, parameters).await;
        assert_eq!(
            there.nodes,
            tally(&[(NodeOutcome::Done, 2), (NodeOutcome::Failed, 3)]),
            "{parameters}"
        );
        assert_eq!(run.report.exit_code(), 4);
    }
}

#[tokio::test]
async fn a_scan_that_verifies_the_installation_leaves_good_nodes_done_and_tells_what_is_missing() {
    let parameters = json!({
        "Operation": ["Scan"],
        "SnapshotId": ["{{ SnapshotId }}"],
    });
    let verifying = step("verify", "AWS-RunPatchBaseline", &parameters, ALL);
    let steps = [patching("patch", ALL), verifying];
    let (there, run) = ended("{ count = 3 }", &steps, "").await;
    assert_eq!(there.nodes, tally(&[(NodeOutcome::Done, 3)]));
    assert_eq!(run.report.exit_code(), 0);
}

#[tokio::test]
async fn a_step_that_patches_no_node_does_not_speak_for_the_next_one() {
    let steps = [patching("a", ("tag:Os", "a")), patching("b", ALL)];
    let (there, run) = ended("{ count = 2 }", &steps, "").await;
    assert_eq!(there.nodes, tally(&[(NodeOutcome::Done, 2)]));
    assert_eq!(run.report.exit_code(), 0);
    // Neither matches a node: that is an empty location, and those who are there were not patched.
    let steps = [patching("a", ("tag:Os", "a")), patching("b", ("tag:Os", "b"))];
    let (there, run) = ended("{ count = 2 }", &steps, "").await;
    assert_eq!(there.nodes, tally(&[(NodeOutcome::NotRun, 2)]));
    assert_eq!(there.detail, "the command matched no node");
    assert_eq!(run.report.exit_code(), 4);
}

#[tokio::test]
async fn a_check_that_fails_after_the_patching_is_told_and_the_nodes_keep_their_truth() {
    for parameters in ["", OVERRIDE] {
        let steps = [patching("patch", ALL), failing_check()];
        let (there, run) = ended("{ count = 3 }", &steps, parameters).await;
        assert_eq!(there.nodes, tally(&[(NodeOutcome::Done, 3)]));
        assert_eq!(there.outcome, Some(LocationOutcome::Succeeded));
        assert!(
            there
                .detail
                .starts_with("the execution there ended as Failed: Step fails"),
            "{}",
            there.detail
        );
        // Every node reached its goal.
        assert_eq!(run.report.exit_code(), 0);
    }
}

#[tokio::test]
async fn where_a_hook_fails_before_the_patching_no_node_is_said_to_have_failed_its_patches() {
    for parameters in ["", OVERRIDE] {
        let steps = [failing_check(), patching("patch", ALL)];
        let (there, run) = ended("{ count = 3 }", &steps, parameters).await;
        assert_eq!(there.outcome, Some(LocationOutcome::FailedBeforeCommand));
        assert_eq!(there.nodes, tally(&[(NodeOutcome::NotRun, 3)]));
        assert!(there.detail.starts_with("Step fails"), "{}", there.detail);
        assert_eq!(run.report.exit_code(), 4);
    }
}

#[tokio::test]
async fn a_runbook_that_patches_nothing_is_no_success() {
    let (there, run) = ended("{ count = 2 }", &[hook(ALL)], OVERRIDE).await;
    assert_eq!(there.outcome, Some(LocationOutcome::ResultsUnreadable));
    assert_eq!(there.nodes, tally(&[(NodeOutcome::Unknown, 2)]));
    assert_eq!(
        there.detail,
        "the runbook ran, and none of its commands patches by AWS-RunPatchBaseline: it sent AWS-RunShellScript"
    );
    assert_eq!(run.report.exit_code(), 4);
}

#[tokio::test]
async fn a_runbook_that_installs_is_refused_where_the_request_asks_to_scan() {
    let parameters = json!({ "Operation": ["Install"], "RebootOption": ["RebootIfNeeded"] });
    let steps = [step("patch", "AWS-RunPatchBaseline", &parameters, ALL)];
    let text = r#"
        name = "steps"
        [targets]
        resource_group = "Web"
        accounts = ["222222222222"]
        regions = ["us-east-1"]
        [automation]
        document = "Our-Patch"
    "#;
    let request = request(text).unwrap();
    let scene = Scene::of(&world("{ count = 2 }", &steps), &request);
    let Err(PlanError::Refused(refusal)) = plan(&scene.ports, &request).await else {
        panic!("a plan to scan");
    };
    let [reason] = &refusal.reasons[..] else {
        panic!("{refusal}");
    };
    assert_eq!(reason.code, RefusalCode::RunbookDiffers);
    assert_eq!(
        reason.detail,
        "its step patch runs AWS-RunPatchBaseline with the operation Install, and the request asks for Scan: set \
         patch.operation = \"Install\" if that is meant, or let the step take the operation from a parameter"
    );
}
