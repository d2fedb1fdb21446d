//! Every combination of what AWS may say about a node, against tables written in other words.

use super::*;

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
/// operation and of this campaign's snapshot; `theirs`: new, of somebody else's snapshot; `clean`: new, without a snapshot; `slow`: of this
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
    Undeliverable     no  none    by-shortfall
    AccessDenied      no  none    by-shortfall
    InvalidPlatform   no  none    by-shortfall
    Undeliverable     yes none    unreached-or-short
    AccessDenied      yes none    unreached-or-short
    InvalidPlatform   yes none    unreached-or-short
    Undeliverable     *   *       unreached
    AccessDenied      *   *       unreached
    InvalidPlatform   *   *       unreached
    Terminated        no  none    by-shortfall
    Pending           no  none    by-shortfall
    Terminated        *   *       by-snapshot
    Pending           *   *       by-snapshot
    Success           no  none    by-result
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
    Cancelled         *   early   by-idle
    Alarmed           *   early   by-idle
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
    Success           yes none    by-proof
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
                        // A scan verifies an installation, and not the other way round.
                        let verified = state == "other" && kind != "scan";
                        let by_snapshot =
                            verified || ["slow", "failed", "missing", "reboot", "all"].contains(&state);
                        let ours = kind != "override" && (by_snapshot || state == "clean");
                        let well = matches!(
                            (kind, state),
                            (_, "slow" | "other")
                                | ("list", "missing")
                                | ("scan", "failed" | "missing" | "reboot" | "all")
                        );
                        let proven = by_snapshot && ours && well;
                        let case = format!("{kind} {status} selected:{selected} {ping} state:{state}");
                        let rule = look_up(REACHED, [&[status], &[selected], &[ping]]);
                        let by_idle = rule == "by-idle";
                        let by_proof = ["by-proof", "by-result"].contains(&rule.as_str());
                        let short = by_snapshot && ours && !well;
                        let answers = ["online", "early"].contains(&ping);
                        let rule = match rule.as_str() {
                            "by-snapshot" if !(by_snapshot && ours) => "not_run",
                            "by-snapshot" if answers => "answered",
                            "by-state" if ours => "answered",
                            "by-state" => "unreached",
                            "by-trace" if !ours => "unreached",
                            "by-turn" if !ours => "gone",
                            "by-shortfall" | "by-result" | "unreached-or-short" if short => "lost",
                            "by-shortfall" | "by-result" => "gone",
                            "unreached-or-short" => "unreached",
                            "by-idle" if !ours => "answered",
                            "by-proof" if !proven => "lost",
                            "by-proof" => "gone",
                            "by-snapshot" | "by-trace" | "by-turn" | "by-idle" => "lost",
                            rule => rule,
                        };
                        let look = if ["clean", "slow", "other"].contains(&state) {
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
                        // It may still be proven that it had reached its goal.
                        let waits_for_proof =
                            by_proof && kind != "override" && ["none", "old"].contains(&state);
                        let waits_for_a_ping = ping == "early" && (by_idle || expected == "lost");
                        let expected = match (waits_for_a_state || waits_for_proof, waits_for_a_ping) {
                            (_, true) => Some(PING_LAG),
                            (true, _) => Some(PATCH_STATE_LAG),
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
