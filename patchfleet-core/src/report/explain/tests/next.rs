//! What a person can do about a node or a location.

use super::*;

/// What is to be done in a location of one node that came to this.
fn next(node: Node) -> String {
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![node]))]], 1, 9);
    world.run();
    let of_node = explained(&world, Node::well(1).id.as_str()).next;
    assert_eq!(of_node, explained(&world, FIRST).next);
    of_node.join("; ").replace(&world.campaign().to_string(), "ID")
}

#[test]
fn of_a_node_that_was_not_reached_or_is_not_managed_it_is_told_what_to_do() {
    let away = Node {
        patches: None,
        ping: Some(PingStatus::Offline),
        status: "Undeliverable",
        ..Node::well(1)
    };
    assert_eq!(
        next(away),
        "unreached: once it answers Systems Manager, `patchfleet run --retry ID` tries it again"
    );
    let stopped = Node {
        status: "",
        patches: None,
        ping: None,
        ..Node::well(1)
    };
    assert_eq!(
        next(stopped),
        "unmanaged: see that it runs and is registered with Systems Manager, and run the request again"
    );
}

#[test]
fn of_a_runbook_of_ones_own_no_retry_is_told() {
    let away = Node {
        patches: None,
        ping: Some(PingStatus::Offline),
        status: "Undeliverable",
        ..Node::well(1)
    };
    let mut world = World::new(&[&[("us-east-1", Script::Nodes(vec![away]))]], 1, 9);
    world.plan.request.automation.document = "Our-Runbook".parse().unwrap();
    world.agree();
    world.run();
    assert_eq!(
        explained(&world, FIRST).next,
        ["unreached: once it answers Systems Manager, run the request again"]
    );
}

#[test]
fn of_a_location_that_was_skipped_it_is_told_what_to_do_unless_no_node_is_there() {
    use SkipReason as R;
    let reasons = [
        R::Empty,
        R::GroupMissing,
        R::Excluded,
        R::AccountNotActive,
        R::RegionNotEnabled,
        R::Denied,
        R::Unknown,
        R::Offline,
    ];
    for reason in reasons {
        let mut world = World::new(&[&[("us-east-1", well())]], 1, 0);
        world.plan.skipped = vec![Skip {
            account: "111111111111".parse().unwrap(),
            region: "us-west-2".parse().unwrap(),
            reason,
            cause: None,
            detail: "why".to_owned(),
        }];
        world.plan.candidates += 1;
        world.run();
        let next = explained(&world, "111111111111/us-west-2").next;
        match reason {
            R::Empty => assert_eq!(next, [""; 0]),
            _ => assert!(next.concat().contains("run the request again"), "{next:?}"),
        }
    }
}
