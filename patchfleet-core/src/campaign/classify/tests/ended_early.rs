//! Commands that ended before their time, and results that do not name every node.

use super::*;

#[test]
fn a_node_without_a_result_is_unknown_as_long_as_the_results_are_not_whole() {
    let online = managed("online");
    for (all_listed, expected) in [(true, NodeOutcome::NotRun), (false, NodeOutcome::Unknown)] {
        let verdict = classify(&Evidence {
            all_listed,
            managed: online.as_ref(),
            ..plain("Success")
        });
        assert_eq!(
            (verdict.outcome, verdict.may_change.is_some()),
            (expected, !all_listed)
        );
    }
}

#[test]
fn a_node_that_the_command_never_came_to_is_told_with_awss_word() {
    let online = managed("online");
    let verdict = classify(&Evidence {
        managed: online.as_ref(),
        ..plain("RateExceeded")
    });
    assert_eq!(
        verdict.detail,
        "the command was not sent to it: it ended as RateExceeded"
    );
    let status = InvocationStatus::from_details("Hibernating");
    let verdict = classify(&Evidence {
        managed: online.as_ref(),
        invocation: Some(&status),
        ..plain("Success")
    });
    assert_eq!(
        verdict.detail,
        "ended as Hibernating, and has no patch state of this run"
    );
}

#[test]
fn a_node_that_was_at_work_when_the_command_expired_is_not_said_to_be_unreached() {
    let online = managed("online");
    let timed_out = InvocationStatus::DeliveryTimedOut;
    for (begun, expected) in [
        (true, NodeOutcome::RunningAtExpiry),
        (false, NodeOutcome::Unreached),
    ] {
        let verdict = classify(&Evidence {
            begun,
            managed: online.as_ref(),
            invocation: Some(&timed_out),
            ..plain("DeliveryTimedOut")
        });
        assert_eq!((verdict.outcome, verdict.may_change.is_some()), (expected, begun));
    }
}

#[test]
fn a_node_that_was_at_work_when_the_command_was_cancelled_is_not_said_to_be_unpatched() {
    let online = managed("online");
    let cancelled = InvocationStatus::Cancelled;
    let state = patch_state("all", "Install");
    for (begun, by_word, state, expected, waits) in [
        (true, false, None, "unknown", true),
        (true, true, None, "unknown", false),
        (true, false, state.as_ref(), "failed", false),
        (false, false, None, "not_run", false),
        (false, true, None, "not_run", false),
    ] {
        let verdict = classify(&Evidence {
            begun,
            by_word,
            state,
            managed: online.as_ref(),
            invocation: Some(&cancelled),
            ..plain("Cancelled")
        });
        assert_eq!(
            (verdict.outcome.as_str(), verdict.may_change),
            (expected, waits.then_some(PATCH_STATE_LAG))
        );
    }
}

#[test]
fn only_a_node_that_had_a_turn_in_a_cancelled_command_can_be_lost_by_it() {
    let cancelled = InvocationStatus::Cancelled;
    for (begun, ping, expected) in [
        (true, "dead", "lost"),
        (true, "early", "lost"),
        (false, "dead", "unreached"),
        // By a clock that is ahead of AWS's no ping is ever late enough.
        (false, "early", "not_run"),
        (true, "none", "lost"),
        (false, "none", "gone"),
    ] {
        let managed = managed(ping);
        let verdict = classify(&Evidence {
            begun,
            selected: false,
            managed: managed.as_ref(),
            invocation: Some(&cancelled),
            ..plain("Cancelled")
        });
        assert_eq!(verdict.outcome.as_str(), expected, "{begun} {ping}");
    }
}
