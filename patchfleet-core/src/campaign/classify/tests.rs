//! What became of a node: the evidence that the tests share.

use super::*;
use crate::outcome::Goal;
use crate::request::{GoneAction, RebootOption};

mod ended_early;
mod every_combination;
mod judged_by;
mod not_listed;

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
        platform: Some(crate::port::PlatformType::Linux),
    })
}

fn plain<'a>(command: &'a str) -> Evidence<'a> {
    Evidence {
        operation: Operation::Install,
        goal: Goal {
            reboot: RebootOption::RebootIfNeeded,
            gone: GoneAction::Accept,
        },
        by_list: false,
        by_word: false,
        requested_at: requested_at(),
        expires_at: Some(ended_at()),
        ended_at: Some(ended_at()),
        command,
        snapshot: Some("5f0c-own"),
        invocation: None,
        begun: false,
        runs_on: true,
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
fn a_node_that_answers_after_its_command_expired_is_unknown_where_nobody_says_whether_it_had_begun() {
    let on = |platform: Option<PlatformType>, runs_on: bool| {
        let node = managed("online").map(|node| ManagedNode { platform, ..node });
        let status = InvocationStatus::DeliveryTimedOut;
        let of_node = Evidence {
            invocation: Some(&status),
            managed: node.as_ref(),
            runs_on,
            ..plain("Success")
        };
        classify(&of_node).outcome
    };
    // Elsewhere the first step is over at once, and has a time then.
    assert_eq!(on(Some(PlatformType::Linux), true), NodeOutcome::Unreached);
    assert_eq!(on(Some(PlatformType::Windows), true), NodeOutcome::Unknown);
    assert_eq!(on(None, true), NodeOutcome::Unknown);
    // Nothing is at work for so long.
    assert_eq!(on(Some(PlatformType::Windows), false), NodeOutcome::Unreached);
}
