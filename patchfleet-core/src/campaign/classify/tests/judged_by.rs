//! What a node is judged by: its patch state, what the run printed, and what was asked for.

use super::*;

#[test]
fn where_the_runbook_takes_no_snapshot_the_clock_decides() {
    let online = managed("online");
    let success = InvocationStatus::Success;
    for (state, expected) in [
        ("theirs", NodeOutcome::Done),
        ("slow", NodeOutcome::Failed),
        ("old", NodeOutcome::Failed),
    ] {
        let state = patch_state(state, "Install");
        let verdict = classify(&Evidence {
            snapshot: None,
            managed: online.as_ref(),
            invocation: Some(&success),
            state: state.as_ref(),
            ..plain("Success")
        });
        assert_eq!(verdict.outcome, expected, "{state:?}");
    }
}

#[test]
fn a_run_with_a_baseline_override_is_judged_by_what_it_printed() {
    let online = managed("online");
    let told = |missing, failed, pending_reboot| Summary {
        missing,
        failed,
        pending_reboot,
        installed: 198,
    };
    let success = InvocationStatus::Success;
    for (summary, outcome, begins) in [
        (None, "done", "by the command's own word"),
        (Some(told(0, 0, 0)), "done", "by the command's own word"),
        (Some(told(2, 0, 0)), "missing", "2 patches still missing, by the"),
        (Some(told(2, 1, 0)), "failed", "1 patch failed to install, by the"),
        (Some(told(0, 0, 3)), "pending_reboot", "3 patches installed"),
    ] {
        let verdict = classify(&Evidence {
            by_word: true,
            managed: online.as_ref(),
            invocation: Some(&success),
            summary,
            ..plain("Success")
        });
        assert_eq!(verdict.outcome.as_str(), outcome);
        assert!(verdict.detail.starts_with(begins), "{}", verdict.detail);
        assert_eq!(verdict.may_change, None);
    }
    let verdict = classify(&Evidence {
        by_word: true,
        managed: online.as_ref(),
        invocation: Some(&success),
        not_read: Some("its output cannot be read: may not"),
        ..plain("Success")
    });
    assert_eq!(verdict.outcome, NodeOutcome::Unknown);
    let failed = InvocationStatus::Failed;
    let verdict = classify(&Evidence {
        by_word: true,
        managed: online.as_ref(),
        invocation: Some(&failed),
        code: Some(162),
        ..plain("Failed")
    });
    assert_eq!(verdict.outcome, NodeOutcome::Failed);
    assert!(verdict.detail.starts_with("ended as Failed with exit code 162"));
}

#[test]
fn a_waiting_node_reaches_the_goal_under_no_reboot_and_one_that_is_gone_unless_the_policy_says_otherwise() {
    for outcome in [
        NodeOutcome::Done,
        NodeOutcome::PendingReboot,
        NodeOutcome::Missing,
        NodeOutcome::Failed,
        NodeOutcome::Lost,
        NodeOutcome::Unreached,
        NodeOutcome::NotRun,
        NodeOutcome::Unmanaged,
        NodeOutcome::Gone,
        NodeOutcome::Unknown,
    ] {
        let name = outcome.as_str();
        for (reboot, gone, wanted) in [
            (RebootOption::RebootIfNeeded, GoneAction::Fail, &["done"][..]),
            (
                RebootOption::NoReboot,
                GoneAction::Fail,
                &["done", "pending_reboot"],
            ),
            (
                RebootOption::RebootIfNeeded,
                GoneAction::Accept,
                &["done", "gone"],
            ),
        ] {
            let goal = Goal { reboot, gone };
            assert_eq!(
                outcome.reaches_goal(goal),
                wanted.contains(&name),
                "{name} {goal:?}"
            );
        }
    }
}

/// A node that reported success to an installation, by a patch state of the campaign's own snapshot that a
/// scan has written since.
fn verified(missing: u32, at: Timestamp) -> Verdict {
    let view = patch_state("other", "Install").map(|view| PatchStateView {
        missing,
        ended_at: at,
        ..view
    });
    let online = managed("online");
    classify(&Evidence {
        invocation: Some(&InvocationStatus::Success),
        managed: online.as_ref(),
        state: view.as_ref(),
        ..plain("Success")
    })
}

#[test]
fn a_scan_of_the_same_run_that_verifies_an_installation_is_the_truth_about_it() {
    let after = requested_at() + SECOND;
    assert_eq!(verified(0, after), Verdict::new(NodeOutcome::Done, ""));
    let verdict = verified(2, after);
    assert_eq!(
        (verdict.outcome, verdict.detail.as_str()),
        (NodeOutcome::Missing, "2 patches still missing")
    );
    // A scan before the installation says nothing of it, and the state of the installation may be late.
    let verdict = verified(2, requested_at() - SECOND);
    assert_eq!(verdict.outcome, NodeOutcome::Failed);
    assert_eq!(verdict.may_change, Some(PATCH_STATE_LAG));
    assert_eq!(
        verdict.detail,
        "reported success, and has no patch state of this run"
    );
}
