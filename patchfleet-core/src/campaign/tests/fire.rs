//! Fired and forgotten: one event starts one execution, and only what this event started before
//! counts as already started.

use super::world::*;
use crate::campaign::fire::fire_over;
use crate::campaign::{FireError, Fired};
use crate::id::{EventId, EventSource};
use crate::plan::Plan;
use jiff::SignedDuration;

fn world() -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    World::new(&[&[("us-east-1", well()), ("us-west-1", well())]], 1, 0)
}

/// Fires `plan` for the event that `world`'s campaign belongs to.
fn deliver(world: &World, plan: &Plan) -> Result<Fired, FireError> {
    let event = EventId::new(EventSource::Event, "event").unwrap();
    let fired = fire_over(
        world.aws.as_ref(),
        world.aws.as_ref(),
        world.clock.as_ref(),
        world.campaign(),
        plan,
        event.longest_retry(),
    );
    finish(fired)
}

#[track_caller]
fn started(fired: Result<Fired, FireError>) -> crate::id::ExecutionId {
    match fired {
        Ok(Fired::Started(id) | Fired::AlreadyStarted(id)) => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_retry_of_an_event_is_what_its_first_delivery_started() {
    let world = world();
    let first = started(deliver(&world, &world.plan));
    world.clock.advance(SignedDuration::from_hours(5));
    let retry = deliver(&world, &world.plan).unwrap();
    assert_eq!(retry, Fired::AlreadyStarted(first));
    assert_eq!(world.executions().len(), 1);
}

#[test]
fn an_event_that_comes_when_no_retry_can_come_any_more_is_an_error() {
    let world = world();
    let first = started(deliver(&world, &world.plan));
    for (hours, words) in [(23, "23h"), (6 * 24 + 1, "7d")] {
        world.clock.advance(SignedDuration::from_hours(hours));
        let error = deliver(&world, &world.plan).unwrap_err();
        let FireError::NoRetry { execution, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(*execution, first);
        let text = error.to_string();
        assert!(text.contains(words) && text.contains("22h"), "{text}");
        assert!(
            text.contains("nothing was started") && text.contains(first.as_str()),
            "{text}"
        );
    }
    assert_eq!(world.executions().len(), 1);
}

#[test]
fn what_was_started_before_and_is_not_what_is_asked_for_is_an_error_that_names_the_difference() {
    type Change = fn(&mut Plan);
    let changes: [(Change, &str); 5] = [
        (
            |plan| plan.requests[0].parameters.get_mut("Operation").unwrap()[0] = "Scan".to_owned(),
            "its Operation is Install, not Scan",
        ),
        (
            |plan| {
                let list = vec!["s3://bucket/list.yaml".to_owned()];
                plan.requests[0]
                    .parameters
                    .insert("InstallOverrideList".to_owned(), list);
            },
            "its InstallOverrideList is ",
        ),
        (
            |plan| plan.requests[0].target_locations[0].regions.truncate(1),
            "it also runs in 111111111111/us-west-1",
        ),
        (
            |plan| {
                plan.requests[0].target_locations[0]
                    .regions
                    .push("eu-west-1".parse().unwrap());
            },
            "it leaves out 111111111111/eu-west-1",
        ),
        (
            |plan| plan.requests[0].target_locations[0].accounts = vec!["222222222222".parse().unwrap()],
            "it leaves out 222222222222/us-east-1, 222222222222/us-west-1; it also runs in 111111111111/us-east-1",
        ),
    ];
    for (change, words) in changes {
        let world = world();
        started(deliver(&world, &world.plan));
        world.clock.advance(SignedDuration::from_mins(1));
        let mut other = world.plan.clone();
        change(&mut other);
        let error = deliver(&world, &other).unwrap_err();
        assert!(matches!(error, FireError::Differs { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "no {words:?} in {error}");
        assert_eq!(world.executions().len(), 1);
    }
}

#[test]
fn json_in_a_parameter_may_come_back_in_another_spelling() {
    let world = world();
    let mut plan = world.plan.clone();
    let targets = |text: &str| ("Targets".to_owned(), vec![text.to_owned()]);
    plan.requests[0]
        .parameters
        .extend([targets(r#"{"Key":"tag:A","Values":["b"]}"#)]);
    started(deliver(&world, &plan));
    world.clock.advance(SignedDuration::from_mins(1));
    plan.requests[0]
        .parameters
        .extend([targets(r#"{ "Values": ["b"], "Key": "tag:A" }"#)]);
    assert!(matches!(deliver(&world, &plan), Ok(Fired::AlreadyStarted(_))));
}
