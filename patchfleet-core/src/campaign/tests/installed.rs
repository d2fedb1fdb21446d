//! Reading what the nodes of a campaign have installed.

use super::waves::put_in_waves;
use super::world::*;
use crate::campaign::driver::Installed;
use crate::campaign::{NodeRows as _, State};
use crate::id::NodeId;
use crate::outcome::NodeOutcome;
use crate::port::{Clock as _, PatchListState, PortErrorKind};

/// Linux and Windows, one node that waits for a reboot, and one that failed.
fn nodes(from: u32) -> Vec<Node> {
    let ends = |n: u32, patches| Node {
        patches: Some(patches),
        ..Node::well(from + n)
    };
    vec![
        ends(0, [0, 0, 0]),
        ends(1, [0, 0, 1]),
        ends(2, [0, 0, 0]),
        Node {
            status: "Failed",
            ..ends(3, [1, 0, 0])
        },
    ]
}

/// Two waves of a location each. Nodes 1 to 4 are in the first one, and 5 to 8 in the second one.
fn world() -> World {
    let units: [&[(&str, Script)]; 2] = [
        &[("us-east-1", Script::Nodes(nodes(1)))],
        &[("us-west-2", Script::Nodes(nodes(5)))],
    ];
    let mut world = World::new(&units, 1, 5);
    put_in_waves(&mut world, &[1, 2]);
    let has = |n: u32, patches: &[(&'static str, &'static str, bool)]| {
        let mut installed = world.aws.installed.lock().unwrap();
        installed.insert(Node::well(n).id, Ok(patches.to_vec()));
    };
    let zlib = ("zlib.x86_64", "zlib.x86_64:0:1.2.11-1", false);
    has(1, &[zlib, ("kernel.x86_64", "kernel.x86_64:0:6.1.119-1", false)]);
    has(2, &[("kernel.x86_64", "kernel.x86_64:0:6.1.128-1", true), zlib]);
    has(3, &[("KB4480979", "Security Update (KB4480979)", false)]);
    has(4, &[("only.on.a.failed.node", "", false)]);
    for n in 5..=7 {
        has(n, &[("late.x86_64", "late.x86_64:0:2-1", false)]);
    }
    world
}

fn read(world: &World, state: &State, wave: Option<u32>) -> Installed {
    world.aws.names_asked.lock().unwrap().clear();
    let records = world.records().len();
    let read = finish(world.driver(2).installed(state, wave)).unwrap();
    assert_eq!(world.records().len(), records, "nothing is written into the log");
    read
}

fn patches(installed: &Installed) -> Vec<(&str, &str)> {
    let patches = installed.patches.iter();
    patches.map(|(id, title)| (id.as_str(), title.as_str())).collect()
}

fn asked(world: &World) -> Vec<(NodeId, PatchListState)> {
    world.aws.names_asked.lock().unwrap().clone()
}

const CANARY: [(&str, &str); 4] = [
    ("KB4480979", "Security Update (KB4480979)"),
    ("kernel.x86_64", "kernel.x86_64:0:6.1.119-1"),
    ("kernel.x86_64", "kernel.x86_64:0:6.1.128-1"),
    ("zlib.x86_64", "zlib.x86_64:0:1.2.11-1"),
];

#[test]
fn the_patches_of_a_waves_nodes_that_are_done_are_read_and_every_version_is_named_once() {
    let world = world();
    let state = world.run();
    let canary = read(&world, &state, Some(1));
    assert_eq!((patches(&canary), canary.nodes), (CANARY.to_vec(), 3));
    assert_eq!(canary.unread, []);
    let states = [PatchListState::Installed, PatchListState::InstalledPendingReboot];
    let mut asked = asked(&world);
    asked.sort();
    let expected = (1..=3).flat_map(|n| states.map(|state| (Node::well(n).id, state)));
    assert_eq!(asked, Vec::from_iter(expected), "the failed node is not asked");

    let all = read(&world, &state, None);
    let mut both = CANARY.to_vec();
    both.insert(3, ("late.x86_64", "late.x86_64:0:2-1"));
    assert_eq!((patches(&all), all.nodes), (both, 6));
}

#[test]
fn a_node_that_cannot_be_read_is_named_and_the_others_are_read() {
    let world = world();
    let state = world.run();
    let fails = |n: u32, kind| {
        let mut installed = world.aws.installed.lock().unwrap();
        installed.insert(Node::well(n).id, Err(kind));
    };
    let unread = |read: &Installed| {
        let unread = read.unread.iter();
        unread
            .map(|one| (one.node.clone().unwrap(), one.reason.clone()))
            .collect::<Vec<_>>()
    };
    let of = |n: u32, reason: &str| (Node::well(n).id, reason.to_owned());
    // Gone: that says nothing of the others, whoever is asked first.
    fails(1, PortErrorKind::NotFound);
    let canary = read(&world, &state, Some(1));
    assert_eq!(unread(&canary), [of(1, "may not read i-00000001")]);
    assert_eq!((canary.nodes, asked(&world).len()), (2, 5));
    assert!(!patches(&canary).contains(&CANARY[1]) && patches(&canary).contains(&CANARY[2]));
    // Denied: so are the other nodes of the location, and one call is enough to know.
    fails(1, PortErrorKind::Denied);
    let canary = read(&world, &state, Some(1));
    let denied = "may not read i-00000001";
    assert_eq!(unread(&canary), [of(1, denied), of(2, denied), of(3, denied)]);
    assert_eq!(
        (canary.nodes, patches(&canary), asked(&world).len()),
        (0, vec![], 1)
    );
    let all = read(&world, &state, None);
    assert_eq!(
        (all.nodes, all.unread.len()),
        (3, 3),
        "the other location is read"
    );
}

#[test]
fn a_node_of_which_aws_lists_nothing_any_more_is_not_taken_for_one_without_patches() {
    let world = world();
    let state = world.run();
    let nothing = Node::well(2).id;
    world
        .aws
        .installed
        .lock()
        .unwrap()
        .insert(nothing.clone(), Ok(vec![]));
    let canary = read(&world, &state, Some(1));
    let [unread] = &canary.unread[..] else {
        panic!("{:?}", canary.unread)
    };
    assert_eq!(unread.node, Some(nothing));
    assert_eq!(
        unread.reason,
        "AWS lists no installed patch of it any more, and counted 10 when its results were read"
    );
}

#[test]
fn a_call_that_may_work_later_is_made_again() {
    let world = world();
    let state = world.run();
    let from = world.clock.now();
    *world.aws.throttled.lock().unwrap() = Some((from, from + jiff::SignedDuration::from_secs(5)));
    let canary = read(&world, &state, Some(1));
    assert_eq!((canary.nodes, canary.unread), (3, vec![]));
}

#[test]
fn nodes_whose_rows_are_lost_are_counted_as_not_read() {
    let world = world();
    let state = world.run();
    let (.., at) = state.locations().next().unwrap();
    assert_eq!(at.settled.as_ref().unwrap().nodes.count(NodeOutcome::Done), 2);
    let place = state.locations().next().unwrap().1.clone();
    let mut rows = finish(world.rows.rows(world.campaign(), &place)).unwrap();
    rows.truncate(1);
    finish(world.rows.put(world.campaign(), &place, 9, rows)).unwrap();
    let canary = read(&world, &state, Some(1));
    let [unread] = &canary.unread[..] else {
        panic!("{:?}", canary.unread)
    };
    assert_eq!((canary.nodes, &unread.node), (1, &None));
    assert_eq!(
        unread.reason,
        "2 more nodes are done, and the rows that name them cannot be read"
    );
}

#[test]
fn a_wave_that_only_scanned_has_installed_nothing() {
    let world = super::in_wave::one_that_scans();
    let state = world.run();
    let canary = read(&world, &state, Some(1));
    assert_eq!((canary.nodes, canary.unread, asked(&world)), (0, vec![], vec![]));
    let all = read(&world, &state, None);
    let (asked, wave): (Vec<_>, _) = (asked(&world), read(&world, &state, Some(2)));
    assert_eq!(asked.len(), 4, "two nodes, two states each: {asked:?}");
    assert_eq!((all.nodes, &all.unread), (wave.nodes, &wave.unread));
}
