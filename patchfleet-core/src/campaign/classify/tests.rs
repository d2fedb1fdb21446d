//! Every combination of what AWS may say about a node, against a table written in other words.

use super::*;

const STATUSES: [&str; 13] = [
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
    "AccessDenied",
    "Hibernating",
];

/// How a node's patch state looks. `old`: written before; `other`: new, of the other operation;
/// `slow`: of this campaign's snapshot, by a clock that is slow.
const STATES: [&str; 9] = [
    "none", "old", "other", "clean", "slow", "failed", "missing", "reboot", "all",
];

/// The rules for a node that was reached and answers, by operation, patch state and status: the
/// first row that fits. `*` is anything.
const ANSWERED: &str = "
    Scan    clean   *         done
    Scan    slow    *         done
    Scan    failed  *         done
    Scan    missing *         done
    Scan    reboot  *         done
    Scan    all     *         done
    Install clean   *         done
    Install slow    *         done
    Install failed  *         failed
    Install all     *         failed
    Install missing *         missing
    Install reboot  *         pending_reboot
    *       *       Cancelled not_run
    *       *       *         failed
";

/// The rules for everything else: status, selected, ping; the first row that fits.
const REACHED: &str = "
    none             *   online  not_run
    none             *   offline not_run
    none             yes none    unmanaged
    none             no  none    gone
    *                no  none    gone
    DeliveryTimedOut *   *       unreached
    Undeliverable    *   *       unreached
    AccessDenied     *   *       unreached
    Delayed          *   *       unreached
    Terminated       *   *       not_run
    Pending          *   *       not_run
    *                yes none    lost
    *                *   offline lost
    *                *   online  answered
";

fn look_up(table: &str, facts: [&str; 3]) -> String {
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|row| row.len() == 4)
        .find(|row| {
            row.iter()
                .zip(facts)
                .all(|(rule, fact)| *rule == "*" || *rule == fact)
        })
        .expect("the tables are total")[3]
        .to_owned()
}

fn patch_state(name: &str, operation: &str, requested_at: Timestamp) -> Option<PatchStateView> {
    let other = if operation == "Scan" { "Install" } else { "Scan" };
    let (missing, failed, pending_reboot) = match name {
        "failed" => (0, 1, 0),
        "missing" => (2, 0, 0),
        "reboot" => (0, 0, 3),
        "all" => (1, 1, 1),
        _ => (0, 0, 0),
    };
    (name != "none").then(|| PatchStateView {
        node: "i-0123456789abcdef0".parse().unwrap(),
        operation: if name == "other" { other } else { operation }.to_owned(),
        ended_at: if ["old", "slow"].contains(&name) {
            requested_at - SECOND
        } else {
            requested_at
        },
        snapshot: match name {
            "slow" => Some("5F0C-OWN".to_owned()),
            "old" => Some("0000-other".to_owned()),
            _ => None,
        },
        missing,
        failed,
        pending_reboot,
        installed: 7,
    })
}

const SECOND: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

#[test]
fn every_combination_comes_to_the_one_outcome_that_the_rules_name() {
    let requested_at = "2026-03-01T00:00:00Z".parse().unwrap();
    let mut seen = 0;
    for operation in [Operation::Scan, Operation::Install] {
        for status in STATUSES {
            for selected in ["yes", "no"] {
                for ping in ["none", "online", "offline"] {
                    for state in STATES {
                        let view = patch_state(state, operation.as_str(), requested_at);
                        let invocation = InvocationStatus::from_details(status);
                        let verdict = classify(&Evidence {
                            operation,
                            requested_at,
                            snapshot: "5f0c-own",
                            invocation: (status != "none").then_some(&invocation),
                            all_listed: true,
                            selected: selected == "yes",
                            ping: (ping != "none").then(|| PingStatus::from(ping)),
                            state: view.as_ref(),
                        });
                        let mut expected = look_up(REACHED, [status, selected, ping]);
                        let answered = expected == "answered";
                        if answered {
                            expected = look_up(ANSWERED, [operation.as_str(), state, status]);
                        }
                        let case = format!("{operation:?} {status} selected:{selected} {ping} state:{state}");
                        assert_eq!(verdict.outcome.as_str(), expected, "{case}");
                        assert_eq!(verdict.detail.is_empty(), expected == "done", "{case}");
                        let stale = ["none", "old", "other"].contains(&state);
                        assert_eq!(
                            verdict.may_change,
                            answered && status == "Success" && stale,
                            "{case}"
                        );
                        seen += 1;
                    }
                }
            }
        }
    }
    assert_eq!(seen, 2 * 13 * 2 * 3 * 9);
}

#[test]
fn a_node_without_a_result_is_unknown_as_long_as_the_results_are_not_whole() {
    for (all_listed, expected) in [(true, NodeOutcome::NotRun), (false, NodeOutcome::Unknown)] {
        let verdict = classify(&Evidence {
            operation: Operation::Install,
            requested_at: "2026-03-01T00:00:00Z".parse().unwrap(),
            snapshot: "5f0c-own",
            invocation: None,
            all_listed,
            selected: true,
            ping: Some(PingStatus::Online),
            state: None,
        });
        assert_eq!((verdict.outcome, verdict.may_change), (expected, !all_listed));
    }
}

#[test]
fn only_done_and_under_no_reboot_a_waiting_node_reach_the_goal() {
    use crate::request::RebootOption::{NoReboot, RebootIfNeeded};
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
        assert_eq!(outcome.reaches_goal(RebootIfNeeded), name == "done", "{name}");
        assert_eq!(
            outcome.reaches_goal(NoReboot),
            ["done", "pending_reboot"].contains(&name),
            "{name}"
        );
    }
}
