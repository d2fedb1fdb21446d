//! Every combination of what AWS may say about a node, against tables written in other words.

use super::*;
use crate::report::Goal;
use crate::request::{GoneAction, RebootOption};

const STATUSES: [&str; 15] = [
    "none",
    "Pending",
    "InProgress",
    "Delayed",
    "Success",
    "Failed",
    "ExecutionTimedOut",
    "DeliveryTimedOut",
    "Undeliverable",
    "Cancelled",
    "Terminated",
    "Alarmed",
    "AccessDenied",
    "InvalidPlatform",
    "Hibernating",
];

/// How a node's patch state looks. `old`: written before, without a snapshot; `other`: new, of the other
/// operation; `theirs`: new, of somebody else's snapshot; `clean`: new, without a snapshot; `slow`: of this
/// campaign's snapshot, by a clock that is slow; the rest are of this campaign's snapshot.
const STATES: [&str; 10] = [
    "none", "old", "other", "theirs", "clean", "slow", "failed", "missing", "reboot", "all",
];

/// What Systems Manager says of the node. `online`: it pinged after the command's end; `early`: Online, and
/// the last ping is from before that; `died`: it does not answer, and did when the command was sent;
/// `dead`: it had not answered for long then; `none`: not listed.
const PINGS: [&str; 5] = ["none", "online", "early", "died", "dead"];

/// The rules for a node that was reached and answers, by request, patch state and status: the first row
/// that fits. `*` is anything.
const ANSWERED: &str = "
    scan     ours    *         done
    install  well    *         done
    list     well    *         done
    install  failed  *         failed
    install  all     *         failed
    list     failed  *         failed
    list     all     *         failed
    install  missing *         missing
    list     missing *         done
    install  reboot  *         pending_reboot
    list     reboot  *         pending_reboot
    override *       Success   done
    *        *       Cancelled not_run
    override *       InProgress unknown
    *        over    Success   unknown
    *        *       Alarmed   unknown
    *        *       *         failed
";

/// The rules for everything else: status, selected, ping; the first row that fits.
const REACHED: &str = "
    none              *   online  not_run
    none              *   early   not_run
    none              *   died    not_run
    none              *   dead    not_run
    none              yes none    unmanaged
    none              no  none    gone
    Undeliverable     no  none    gone
    AccessDenied      no  none    gone
    InvalidPlatform   no  none    gone
    Undeliverable     *   *       unreached
    AccessDenied      *   *       unreached
    InvalidPlatform   *   *       unreached
    Terminated        no  none    gone
    Pending           no  none    gone
    Terminated        *   *       by-snapshot
    Pending           *   *       by-snapshot
    Success           no  none    gone
    Success           *   early   answered
    Failed            *   early   answered
    DeliveryTimedOut  *   online  by-state
    Delayed           *   online  by-state
    DeliveryTimedOut  *   dead    by-trace
    Delayed           *   dead    by-trace
    Alarmed           *   dead    by-trace
    Cancelled         *   dead    by-trace
    Alarmed           no  none    by-turn
    Cancelled         no  none    by-turn
    InProgress        *   online  answered
    ExecutionTimedOut *   online  answered
    Success           *   online  answered
    Failed            *   online  answered
    Cancelled         *   online  answered
    Alarmed           *   online  answered
    Hibernating       *   online  answered
    InProgress        *   early   lost
    Delayed           *   early   lost
    ExecutionTimedOut *   early   lost
    DeliveryTimedOut  *   early   lost
    Cancelled         *   early   lost
    Alarmed           *   early   lost
    Hibernating       *   early   lost
    InProgress        *   died    lost
    Delayed           *   died    lost
    Success           *   died    lost
    Failed            *   died    lost
    ExecutionTimedOut *   died    lost
    DeliveryTimedOut  *   died    lost
    Cancelled         *   died    lost
    Alarmed           *   died    lost
    Hibernating       *   died    lost
    InProgress        *   dead    lost
    Success           *   dead    lost
    Failed            *   dead    lost
    ExecutionTimedOut *   dead    lost
    Hibernating       *   dead    lost
    InProgress        *   none    lost
    Delayed           *   none    lost
    Success           yes none    lost
    Failed            *   none    lost
    ExecutionTimedOut *   none    lost
    DeliveryTimedOut  *   none    lost
    Cancelled         yes none    lost
    Alarmed           yes none    lost
    Hibernating       *   none    lost
";

fn look_up(table: &str, facts: [&[&str]; 3]) -> String {
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|row| row.len() == 4)
        .find(|row| {
            row.iter()
                .zip(facts)
                .all(|(rule, facts)| *rule == "*" || facts.contains(rule))
        })
        .expect("the tables are total")[3]
        .to_owned()
}

fn patch_state(name: &str, operation: &str) -> Option<PatchStateView> {
    let other = if operation == "Scan" { "Install" } else { "Scan" };
    let (missing, failed, pending_reboot) = match name {
        "failed" => (0, 1, 0),
        "missing" => (2, 0, 0),
        "reboot" => (0, 0, 3),
        "all" => (1, 1, 1),
        _ => (0, 0, 0),
    };
    (name != "none").then(|| PatchStateView {
        node: node(),
        operation: if name == "other" { other } else { operation }.to_owned(),
        ended_at: if ["old", "slow"].contains(&name) {
            requested_at() - SECOND
        } else {
            requested_at()
        },
        snapshot: match name {
            "old" | "clean" => None,
            "theirs" => Some("0000-other".to_owned()),
            _ => Some("5F0C-OWN".to_owned()),
        },
        missing,
        failed,
        pending_reboot,
        installed: 7,
    })
}

const SECOND: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

fn node() -> crate::id::NodeId {
    "i-0123456789abcdef0".parse().unwrap()
}

fn requested_at() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn ended_at() -> Timestamp {
    "2026-03-01T07:00:00Z".parse().unwrap()
}

fn managed(ping: &str) -> Option<ManagedNode> {
    (ping != "none").then(|| ManagedNode {
        id: node(),
        ping: if ["online", "early"].contains(&ping) {
            PingStatus::Online
        } else {
            PingStatus::Offline
        },
        last_ping: Some(match ping {
            "online" => ended_at() + SECOND,
            "early" => ended_at() - SECOND,
            // It may have pinged minutes before the command and taken it all the same.
            "died" => requested_at() - PING_LAG,
            _ => requested_at() - PING_LAG - SECOND,
        }),
    })
}

fn plain<'a>(command: &'a str) -> Evidence<'a> {
    Evidence {
        operation: Operation::Install,
        by_list: false,
        by_word: false,
        requested_at: requested_at(),
        expires_at: Some(ended_at()),
        ended_at: Some(ended_at()),
        command,
        snapshot: Some("5f0c-own"),
        invocation: None,
        begun: false,
        code: None,
        summary: None,
        not_read: None,
        all_listed: true,
        selected: true,
        managed: None,
        state: None,
    }
}

#[test]
fn every_combination_comes_to_the_one_outcome_that_the_rules_name() {
    let mut seen = 0;
    for kind in ["scan", "install", "list", "override"] {
        let operation = if kind == "scan" {
            Operation::Scan
        } else {
            Operation::Install
        };
        for status in STATUSES {
            for selected in ["yes", "no"] {
                for ping in PINGS {
                    for state in STATES {
                        let view = patch_state(state, operation.as_str());
                        let name = if status == "Alarmed" { "Terminated" } else { status };
                        let invocation = InvocationStatus::from_details(name);
                        let managed = managed(ping);
                        let verdict = classify(&Evidence {
                            operation,
                            by_list: kind == "list",
                            by_word: kind == "override",
                            invocation: (status != "none").then_some(&invocation),
                            selected: selected == "yes",
                            managed: managed.as_ref(),
                            state: view.as_ref(),
                            ..plain(if status == "Alarmed" {
                                "FailedDueToAlarm"
                            } else {
                                "Failed"
                            })
                        });
                        let by_snapshot = ["slow", "failed", "missing", "reboot", "all"].contains(&state);
                        let ours = kind != "override" && (by_snapshot || state == "clean");
                        let case = format!("{kind} {status} selected:{selected} {ping} state:{state}");
                        let rule = look_up(REACHED, [&[status], &[selected], &[ping]]);
                        let answers = ["online", "early"].contains(&ping);
                        let rule = match rule.as_str() {
                            "by-snapshot" if !(by_snapshot && ours) || ping == "none" => "not_run",
                            "by-snapshot" if answers => "answered",
                            "by-state" if ours => "answered",
                            "by-state" => "unreached",
                            "by-trace" if !ours => "unreached",
                            "by-turn" if !ours => "gone",
                            "by-snapshot" | "by-trace" | "by-turn" => "lost",
                            rule => rule,
                        };
                        let look = if ["clean", "slow"].contains(&state) {
                            "well"
                        } else {
                            state
                        };
                        let looks: &[&str] = match state {
                            _ if ours => &["ours", look],
                            // Another run has written it since.
                            "other" | "theirs" => &["over"],
                            _ => &[],
                        };
                        let expected = if rule == "answered" {
                            look_up(ANSWERED, [&[kind], looks, &[status]])
                        } else {
                            rule.to_owned()
                        };
                        assert_eq!(verdict.outcome.as_str(), expected, "{case}");
                        let shown = kind == "override" || (kind == "list" && state == "missing");
                        assert_eq!(
                            verdict.detail.is_empty(),
                            expected == "done" && !shown,
                            "{case}: {}",
                            verdict.detail
                        );
                        let waits_for_a_state = rule == "answered"
                            && !ours
                            && kind != "override"
                            && ["Success", "Alarmed"].contains(&status);
                        let waits_for_a_ping = expected == "lost" && ping == "early";
                        let expected = match (waits_for_a_state, waits_for_a_ping) {
                            (true, _) => Some(PATCH_STATE_LAG),
                            (_, true) => Some(PING_LAG),
                            _ => None,
                        };
                        assert_eq!(verdict.may_change, expected, "{case}");
                        seen += 1;
                    }
                }
            }
        }
    }
    assert_eq!(seen, 4 * 15 * 2 * 5 * 10);
}

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
    for (begun, expected) in [(true, NodeOutcome::Unknown), (false, NodeOutcome::Unreached)] {
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
fn a_node_that_had_a_turn_in_a_cancelled_command_and_is_silent_or_gone_is_lost() {
    let cancelled = InvocationStatus::Cancelled;
    for (begun, ping, expected) in [
        (true, "dead", "lost"),
        (false, "dead", "unreached"),
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
