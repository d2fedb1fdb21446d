//! A location that several units share: of a node only what concerns it is told, and of a record every state.

use super::*;
use crate::id::UnitId;

fn id(n: u32) -> NodeId {
    Node::well(n).id
}

/// One location whose six nodes three starts name, two each.
fn three_starts(nodes: Vec<Node>) -> World {
    let mut world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 1);
    let template = world.template();
    for first in [1, 3, 5] {
        world.add_naming(template.clone(), &[id(first), id(first + 1)]);
    }
    world.plan.request.budget.nodes.max_errors = "100%".parse().unwrap();
    world.agree();
    world
}

fn six() -> Vec<Node> {
    (1..=6).map(Node::well).collect()
}

fn units(explanation: &Explanation) -> Vec<u32> {
    let units = explanation.at[0].units.iter();
    units.map(|unit| unit.unit.number()).collect()
}

#[test]
fn of_a_node_only_the_units_are_told_that_name_it_and_of_its_location_all_are() {
    let world = three_starts(six());
    world.run();
    assert_eq!(units(&explained(&world, FIRST)), [1, 2, 3]);
    let explanation = explained(&world, id(4).as_str());
    assert_eq!(units(&explanation), [2]);
    let told = explanation.at[0].records.iter().filter_map(|line| line.unit);
    assert!(
        told.into_iter().all(|unit| unit.number() == 2),
        "{explanation:#?}"
    );
}

#[test]
fn of_a_node_that_no_unit_names_the_one_is_told_that_speaks_for_it() {
    let stopped = Node {
        status: "",
        patches: None,
        ping: None,
        ..Node::well(7)
    };
    let nodes = six().into_iter().chain([stopped]).collect();
    let world = three_starts(nodes);
    world.run();
    let explanation = explained(&world, id(7).as_str());
    assert_eq!(units(&explanation), [1]);
}

#[test]
fn of_a_node_that_was_left_out_no_unit_is_told_before_its_location_ran_or_after() {
    let away = Node {
        status: "",
        ping: Some(PingStatus::Offline),
        ..Node::well(7)
    };
    let nodes = six().into_iter().chain([away]).collect();
    let mut world = three_starts(nodes);
    world.plan.request.policy.offline = OfflineAction::Skip;
    world.plan.locations[0].left_out = vec![id(7)];
    world.agree();
    killed(&world, is_at_work);
    for is_over in [false, true] {
        if is_over {
            finish(whole_life(&world, 2)).unwrap();
        }
        let explanation = explained(&world, id(7).as_str());
        let at = &explanation.at[0];
        assert_eq!((units(&explanation), at.records.len()), (vec![], 1), "{at:#?}");
        assert!(
            !explanation.to_text().contains("unit "),
            "{}",
            explanation.to_text()
        );
        assert!(at.why[0].contains("left out"), "{at:#?}");
    }
}

#[test]
fn a_record_of_several_units_is_told_of_each_of_them() {
    let world = three_starts(six());
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let driver = world.driver(2);
    finish(driver.stop(world.campaign(), StopMode::LetCommandsRun, "somebody")).unwrap();
    for node in 1..=6 {
        let explanation = explained(&world, id(node).as_str());
        let records = explanation.at[0].records.iter();
        let left: Vec<u32> = records
            .filter(|line| line.event == "left_out")
            .filter_map(|line| line.unit.map(UnitId::number))
            .collect();
        assert_eq!(left, [node.div_ceil(2)], "{explanation:#?}");
    }
}

/// The log of a location in work, with the last record written anew so often.
fn observed(world: &World, each: &[(u32, u32)]) -> Vec<Record> {
    let mut records = world.records();
    let is_told = |event: &Event| matches!(event, Event::CommandObserved { .. });
    let at = records
        .iter()
        .position(|record| record.events.iter().any(is_told));
    let at = at.expect("its command was seen");
    let event = records[at].events.iter().find(|event| is_told(event)).cloned();
    records.truncate(at);
    for &(completed, errors) in each {
        let mut event = event.clone().unwrap();
        if let Event::CommandObserved { counts, .. } = &mut event {
            (counts.completed, counts.errors) = (completed, errors);
        }
        let last = records.last().unwrap();
        let next = Chain::after(last).record(world.clock.now(), last.writer, vec![event]);
        records.push(next);
    }
    records
}

#[test]
fn records_in_a_row_are_told_together_only_if_they_say_the_same_or_how_far_a_command_is() {
    let world = World::new(&[&[("us-east-1", well())]], 1, 0);
    world.run();
    let records = observed(&world, &[(0, 0), (1, 0), (1, 1), (2, 1)]);
    let subject = FIRST.parse().unwrap();
    let built = Explanation::build(&records, &*world.rows, &subject, world.clock.now());
    let explanation = finish(built).unwrap().unwrap();
    let lines = explanation.at[0].records.iter();
    let told: Vec<String> = lines
        .filter(|line| line.event.ends_with("_observed"))
        .map(|line| {
            let says = line.says.split(": ").last().unwrap();
            format!("{} {}", if line.last.is_some() { "several" } else { "one" }, says)
        })
        .collect();
    assert_eq!(
        told,
        [
            "one its step here is InProgress",
            "one its step here is Success",
            "several 1 of 2 nodes through, 0 failed, expires at 2026-03-01T22:01:00Z",
            "several 2 of 2 nodes through, 1 failed, expires at 2026-03-01T22:01:00Z",
        ],
        "{:#?}",
        explanation.at[0].records
    );
}
