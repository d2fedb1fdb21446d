//! Nodes that reported success, and that Systems Manager does not list any more. One that is selected may be
//! stopped, and one that a start names by its id always is selected.

use super::*;

fn success_not_listed(evidence: Evidence<'_>) -> Verdict {
    let success = InvocationStatus::Success;
    classify(&Evidence {
        invocation: Some(&success),
        managed: None,
        ..evidence
    })
}

#[test]
fn a_node_that_had_provably_reached_its_goal_is_gone_and_any_other_is_lost() {
    for (state, reboot, expected) in [
        ("slow", RebootOption::RebootIfNeeded, NodeOutcome::Gone),
        ("reboot", RebootOption::RebootIfNeeded, NodeOutcome::Lost),
        ("reboot", RebootOption::NoReboot, NodeOutcome::Gone),
        ("missing", RebootOption::NoReboot, NodeOutcome::Lost),
        ("failed", RebootOption::NoReboot, NodeOutcome::Lost),
        // Good, and perhaps of another run.
        ("clean", RebootOption::NoReboot, NodeOutcome::Lost),
        ("theirs", RebootOption::NoReboot, NodeOutcome::Lost),
        // By a scan of the same run that verified it.
        ("other", RebootOption::NoReboot, NodeOutcome::Gone),
    ] {
        let view = patch_state(state, "Install");
        let plain = plain("Success");
        let goal = Goal { reboot, ..plain.goal };
        let state_of = view.as_ref();
        let verdict = success_not_listed(Evidence {
            goal,
            state: state_of,
            ..plain
        });
        assert_eq!(verdict.outcome, expected, "{state} {reboot:?}");
        assert_eq!(verdict.may_change, None, "{state}");
    }
}

#[test]
fn its_words_say_that_it_had_reached_its_goal_and_is_not_there_any_more() {
    let not_listed = "and Systems Manager does not list it any more: stopped, terminated, or deregistered";
    let view = patch_state("slow", "Install");
    let verdict = success_not_listed(Evidence {
        state: view.as_ref(),
        ..plain("Success")
    });
    assert_eq!(verdict.detail, format!("had reached its goal, {not_listed}"));
    let view = patch_state("missing", "Install");
    let verdict = success_not_listed(Evidence {
        by_list: true,
        state: view.as_ref(),
        ..plain("Success")
    });
    assert_eq!(
        verdict.detail,
        format!(
            "had reached its goal (2 patches that the override list does not name still missing), {not_listed}"
        )
    );
}

#[test]
fn a_patch_state_that_may_only_be_late_is_waited_for_before_the_node_is_lost() {
    for (snapshot, waits) in [(Some("5f0c-own"), true), (None, false)] {
        let verdict = success_not_listed(Evidence {
            snapshot,
            ..plain("Success")
        });
        assert_eq!(verdict.outcome, NodeOutcome::Lost);
        assert_eq!(verdict.may_change, waits.then_some(PATCH_STATE_LAG));
    }
    // One that left its selection is gone, unless its patch state proves the contrary.
    let verdict = success_not_listed(Evidence {
        selected: false,
        ..plain("Success")
    });
    assert_eq!(
        (verdict.outcome, verdict.may_change),
        (NodeOutcome::Gone, Some(PATCH_STATE_LAG))
    );
}

#[test]
fn a_node_that_fell_short_is_lost_also_after_its_group_has_replaced_it() {
    for (state, expected) in [
        ("slow", NodeOutcome::Gone),
        ("failed", NodeOutcome::Lost),
        ("missing", NodeOutcome::Lost),
        ("reboot", NodeOutcome::Lost),
        ("none", NodeOutcome::Gone),
        ("theirs", NodeOutcome::Gone),
    ] {
        let view = patch_state(state, "Install");
        let verdict = success_not_listed(Evidence {
            selected: false,
            state: view.as_ref(),
            ..plain("Success")
        });
        assert_eq!(verdict.outcome, expected, "{state}");
    }
    let told = Summary {
        missing: 0,
        failed: 3,
        pending_reboot: 0,
        installed: 198,
    };
    for (summary, expected) in [(Some(told), NodeOutcome::Lost), (None, NodeOutcome::Gone)] {
        let verdict = success_not_listed(Evidence {
            selected: false,
            by_word: true,
            summary,
            ..plain("Success")
        });
        assert_eq!(verdict.outcome, expected);
    }
}

#[test]
fn under_a_baseline_override_the_proof_is_what_the_run_printed_and_a_scan_needs_none() {
    let told = |failed| Summary {
        missing: 0,
        failed,
        pending_reboot: 0,
        installed: 198,
    };
    for (operation, summary, expected) in [
        (Operation::Install, Some(told(0)), NodeOutcome::Gone),
        (Operation::Install, Some(told(1)), NodeOutcome::Lost),
        (Operation::Install, None, NodeOutcome::Lost),
        (Operation::Scan, None, NodeOutcome::Gone),
    ] {
        let verdict = success_not_listed(Evidence {
            operation,
            by_word: true,
            summary,
            ..plain("Success")
        });
        assert_eq!(
            (verdict.outcome, verdict.may_change),
            (expected, None),
            "{operation:?}"
        );
    }
}

#[test]
fn a_good_patch_state_is_no_proof_where_the_command_did_not_end_in_success() {
    let view = patch_state("slow", "Install");
    for name in [
        "Failed",
        "InProgress",
        "DeliveryTimedOut",
        "ExecutionTimedOut",
        "Cancelled",
    ] {
        let status = InvocationStatus::from_details(name);
        let verdict = classify(&Evidence {
            invocation: Some(&status),
            state: view.as_ref(),
            ..plain(name)
        });
        assert_eq!(verdict.outcome, NodeOutcome::Lost, "{name}");
    }
}
