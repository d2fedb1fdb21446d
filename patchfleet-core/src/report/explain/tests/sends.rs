//! Where patchfleet sends the commands itself there is no execution, so none is spoken of.

use super::*;

fn world() -> World {
    let mut world = World::new(&[&[("us-east-1", well())]], 1, 0);
    world.send_commands(1);
    world
}

fn speaks_of_commands(world: &World) {
    for subject in [FIRST, Node::well(1).id.as_str()] {
        let text = explained(world, subject).to_text();
        assert!(text.contains("command"), "{text}");
        assert!(!text.contains("xecution") && !text.contains("its step"), "{text}");
    }
}

#[test]
fn no_record_of_a_command_speaks_of_an_execution() {
    let world = world();
    let is_started = |event: &Event| matches!(event, Event::Started { .. });
    killed(&world, is_started);
    speaks_of_commands(&world);
    finish(whole_life(&world, 2)).unwrap();
    speaks_of_commands(&world);
    let events = world.events();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::UnitEnded { .. })),
        "its end was told of"
    );
}

#[test]
fn no_record_of_a_stop_speaks_of_an_execution() {
    let world = world();
    killed(&world, is_at_work);
    finish(
        world
            .driver(2)
            .stop(world.campaign(), StopMode::CancelCommands, "somebody"),
    )
    .unwrap();
    speaks_of_commands(&world);
    let events = world.events();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::StopIntended { .. })),
        "it was stopped: {events:#?}"
    );
}

#[test]
fn a_command_that_was_not_stopped_is_called_one() {
    let (id, execution) = ("2", "eb8357bb-b2a3-56a5-b5d5-cc99338f4555");
    let json = |more: &str| format!(r#"{{"unit":{id},"execution":"{execution}","reason":"no"{more}}}"#);
    let told = |more: &str| {
        let one: crate::campaign::NotStopped = serde_json::from_str(&json(more)).unwrap();
        one.to_string()
    };
    assert_eq!(
        told(""),
        format!("the execution {execution} of unit {id} was not stopped: no")
    );
    let told = told(r#","is_command":true"#);
    assert_eq!(
        told,
        format!("the command {execution} of unit {id} was not stopped: no")
    );
}
