//! Which row says what is known by the log: rows that are lost are dealt out by it, and rows of somebody else make way.

use super::fleet::Fate;
use super::rows_lost::{collect, lose, outcomes, rows, sealed, tallies, unnamed};
use super::world::*;
use crate::campaign::{Event, NodeRows as _};
use crate::id::Location;
use crate::outcome::{NodeOutcome, NodeRow};
use crate::port::PortErrorKind;

#[test]
fn where_nodes_came_to_different_things_the_log_knows_which_came_to_what() {
    let nodes = vec![Node::well(1), Fate::FailsQuietly.node(2), Node::well(3)];
    let world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 5);
    let state = world.run();
    let location = world.plan.locations[0].location();
    let before = rows(&world, &location);
    let (read, script) = sealed(&world, &location);
    assert_eq!(read.unread.len(), 1);
    assert_eq!(outcomes(&rows(&world, &location)), outcomes(&before));
    assert_eq!(unnamed(&world, &state), 0, "a retry can be planned");

    world.aws.scripts.lock().unwrap().insert(location.clone(), script);
    collect(&world);
    assert_eq!(rows(&world, &location), before, "they are read in the end");
}

#[test]
fn where_too_many_nodes_came_to_different_things_none_has_a_row() {
    let nodes = (1..=24).map(|n| {
        if n % 2 == 0 {
            Node::well(n)
        } else {
            Fate::FailsQuietly.node(n)
        }
    });
    let world = World::new(&[&[("us-east-1", Script::Nodes(nodes.collect()))]], 1, 5);
    let state = world.run();
    let location = world.plan.locations[0].location();
    let before = rows(&world, &location);
    let (read, script) = sealed(&world, &location);
    assert_eq!(read.unread.len(), 1);
    assert_eq!(
        rows(&world, &location),
        [],
        "one that says less would be tried again"
    );
    assert_eq!(tallies(&state)[&location].total(), 24);
    assert!(unnamed(&world, &state) > 0, "a retry is refused");

    world.aws.scripts.lock().unwrap().insert(location.clone(), script);
    collect(&world);
    assert_eq!(rows(&world, &location), before, "they are read in the end");
}

#[test]
fn of_many_nodes_one_that_is_silent_since_costs_no_row() {
    let fates: Vec<Fate> = (1..=40)
        .map(|n| {
            if n % 4 == 0 {
                Fate::FailsQuietly
            } else {
                Fate::Well
            }
        })
        .collect();
    let nodes = |fates: &[Fate]| (1..).zip(fates).map(|(n, fate)| fate.node(n)).collect();
    let world = World::new(&[&[("us-east-1", Script::Nodes(nodes(&fates)))]], 1, 50);
    world.run();
    let location = world.plan.locations[0].location();
    let before = rows(&world, &location);
    for silent in [0, 1, 38] {
        let mut since = fates.clone();
        since[silent] = Fate::Lost;
        let script = Script::Nodes(nodes(&since));
        world.aws.scripts.lock().unwrap().insert(location.clone(), script);
        finish(world.rows.put(world.campaign(), &location, 1, before.clone())).unwrap();
        lose(&world, &location, |_| true);
        collect(&world);
        assert_eq!(outcomes(&rows(&world, &location)), outcomes(&before), "{silent}");
    }
}

#[test]
fn however_many_nodes_came_to_the_same_each_has_a_row_by_the_log() {
    let nodes = (1..=2_000).map(Node::well);
    let world = World::new(&[&[("us-east-1", Script::Nodes(nodes.collect()))]], 1, 5);
    let state = world.run();
    let location = world.plan.locations[0].location();
    let before = rows(&world, &location);
    sealed(&world, &location);
    assert_eq!(outcomes(&rows(&world, &location)), outcomes(&before));
    assert_eq!(unnamed(&world, &state), 0);
}

/// A campaign that is over, of one location: one node is done, and one was lost.
fn one_was_lost() -> (World, Location, Vec<NodeRow>) {
    let nodes = vec![Fate::Well.node(1), Fate::Lost.node(2)];
    let world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 5);
    world.run();
    let location = world.plan.locations[0].location();
    let before = rows(&world, &location);
    let told: Vec<NodeOutcome> = before.iter().map(|row| row.outcome).collect();
    assert_eq!(told, [NodeOutcome::Done, NodeOutcome::Lost]);
    (world, location, before)
}

/// From now on the nodes of a location read like this.
fn reads(world: &World, location: &Location, fates: [Fate; 2]) {
    let nodes = [1, 2].into_iter().zip(fates).map(|(n, fate)| fate.node(n));
    let script = Script::Nodes(nodes.collect());
    world.aws.scripts.lock().unwrap().insert(location.clone(), script);
}

#[test]
fn a_node_that_is_silent_since_takes_no_place_of_one_that_was_lost() {
    let (world, location, before) = one_was_lost();
    reads(&world, &location, [Fate::Lost, Fate::Lost]);
    for lost in [vec![0], vec![1], vec![0, 1]] {
        let is_lost = |row: &NodeRow| lost.iter().any(|n| row.node == before[*n].node);
        finish(world.rows.put(world.campaign(), &location, 1, before.clone())).unwrap();
        lose(&world, &location, is_lost);
        collect(&world);
        assert_eq!(outcomes(&rows(&world, &location)), outcomes(&before), "{lost:?}");
    }
}

#[test]
fn a_node_that_was_lost_and_is_back_does_not_change_places_with_one_that_is_silent_since() {
    let (world, location, before) = one_was_lost();
    reads(&world, &location, [Fate::Lost, Fate::Well]);
    lose(&world, &location, |_| true);
    collect(&world);
    let mut back = before.clone();
    back[1].outcome = NodeOutcome::Done;
    assert_eq!(outcomes(&rows(&world, &location)), outcomes(&back));
}

#[test]
fn rows_that_somebody_read_later_and_wrote_over_those_of_the_log_make_way() {
    // Whoever wrote them was suspended before the log had what became of the nodes.
    let (world, location, before) = one_was_lost();
    let told = [
        NodeOutcome::Done,
        NodeOutcome::Lost,
        NodeOutcome::Unreached,
        NodeOutcome::Failed,
    ];
    for (one, two) in told
        .iter()
        .flat_map(|one| told.iter().map(move |two| (*one, *two)))
    {
        for fates in [[Fate::Well, Fate::Lost], [Fate::Lost, Fate::Silent]] {
            let mut others = before.clone();
            for (row, outcome) in others.iter_mut().zip([one, two]) {
                row.outcome = outcome;
            }
            finish(world.rows.put(world.campaign(), &location, 1, others)).unwrap();
            reads(&world, &location, fates);
            collect(&world);
            assert_eq!(
                outcomes(&rows(&world, &location)),
                outcomes(&before),
                "{one:?} {two:?} {fates:?}"
            );
        }
    }
}

#[test]
fn what_is_learned_after_a_refused_command_is_never_taken_for_older() {
    let (world, location, _) = one_was_lost();
    let records = world.records();
    let request = world.plan.units[0].start.clone();
    let unit = world.plan.units[0].id;
    let intended = |attempt| Event::StartIntended {
        unit,
        attempt,
        request: request.clone(),
    };
    let begun = records.iter().position(|record| {
        record
            .events
            .iter()
            .any(|event| matches!(event, Event::StartIntended { .. }))
    });
    let mut events: Vec<Event> = records[..begun.unwrap()]
        .iter()
        .flat_map(|record| record.events.clone())
        .collect();
    events.retain(|event| !matches!(event, Event::Planned { .. }));
    let refused = |attempt| Event::CommandNotSent {
        unit,
        attempt,
        away: vec![],
        detail: "not in a valid state".to_owned(),
    };
    let execution = "11111111-1111-4111-8111-111111111111".parse().unwrap();
    let (detail, kind) = ("rate exceeded".to_owned(), PortErrorKind::Throttled);
    events.extend([
        intended(1),
        Event::Started { unit, execution },
        refused(1),
        intended(2),
        Event::StartDeferred {
            unit,
            kind,
            detail: detail.clone(),
        },
        Event::StartWithdrawn { unit, detail },
    ]);
    let attempts: Vec<u32> = (1..=events.len())
        .map(|n| super::admission::after(&world, events[..n].to_vec()).rows_attempt(&location))
        .collect();
    assert!(attempts.is_sorted(), "{attempts:?}");
    assert_eq!((attempts.first(), attempts.last()), (Some(&1), Some(&2)));
}
