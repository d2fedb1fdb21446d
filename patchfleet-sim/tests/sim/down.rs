//! Several commands on one node that goes down: nothing is finished, or reported, by a node that is not there.

use crate::fleet::There;
use jiff::SignedDuration;
use patchfleet_sim::world::{Command, InvocationState, Node, Status};
use serde_json::json;

/// Installs on a group's only node, and sends it a command of `document` each second until it goes
/// down. Gives these commands: those that had ended by then, and those that were running.
fn until_down(there: &mut There, document: &str) -> (Vec<String>, Vec<String>) {
    there.send(|_| ());
    let mut sent = vec![];
    while there.fleet.world.nodes().all(Node::is_online) {
        sent.push(there.send(|input| {
            input["DocumentName"] = json!(document);
            input["Parameters"] = match document {
                "AWS-RunPatchBaseline" => json!({"Operation": ["Scan"]}),
                _ => json!({"commands": ["date"]}),
            };
        }));
        there.fleet.world.advance_by(SignedDuration::from_secs(1));
    }
    let of = |wanted: InvocationState| -> Vec<String> {
        let commands = there.fleet.world.commands();
        let is =
            |one: &&Command| sent.contains(&one.id().to_owned()) && one.invocations()[0].state() == wanted;
        commands.filter(is).map(|one| one.id().to_owned()).collect()
    };
    // What has been sent and not taken is InProgress as well, and will be Delayed.
    (
        of(InvocationState::Ended(Status::Success, "Success")),
        of(InvocationState::Running),
    )
}

#[test]
fn what_runs_on_a_node_that_reboots_for_another_command_ends_after_its_return() {
    for document in ["AWS-RunPatchBaseline", "AWS-RunShellScript"] {
        let mut there = There::with_nodes("{ count = 1 }");
        let (ended, running) = until_down(&mut there, document);
        assert!(!ended.is_empty() && !running.is_empty(), "{document}");
        let reported = there.patch_states();
        loop {
            let at = there.fleet.world.next_event_at().expect("it returns");
            there.fleet.world.advance_to(at);
            if there.fleet.world.nodes().all(Node::is_online) {
                break;
            }
            for id in &running {
                assert_eq!(there.ends(id), ["InProgress"], "{document}: it is down");
            }
            assert_eq!(there.patch_states(), reported, "{document}: it is down");
        }
        there.fleet.world.run_until_idle();
        for id in &running {
            assert_eq!(there.ends(id), ["Success"], "{document}");
        }
    }
}

#[test]
fn what_runs_on_a_node_that_is_lost_for_another_command_times_out() {
    for (outcome, end) in [
        ("never_returns", "ExecutionTimedOut"),
        ("vanishes", "DeliveryTimedOut"),
    ] {
        for document in ["AWS-RunPatchBaseline", "AWS-RunShellScript"] {
            let node = format!(r#"{{ count = 1, patch = {{ outcome = "{outcome}", missing = 3 }} }}"#);
            let mut there = There::with_nodes(&node);
            let (ended, running) = until_down(&mut there, document);
            assert!(!running.is_empty(), "{document}");
            let reported = there.patch_states();
            there.fleet.world.run_until_idle();
            for id in &running {
                assert_eq!(there.ends(id), [end], "{document}");
            }
            for id in &ended {
                assert_eq!(there.ends(id), ["Success"], "{document}: it had ended");
            }
            assert_eq!(there.patch_states(), reported, "{document}: it is lost");
        }
    }
}
