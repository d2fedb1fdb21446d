//! Fired and forgotten: one event starts one execution, and only what this event started before
//! counts as already started.

use super::world::*;
use crate::campaign::{Before, FireError, Fired, FiredBefore, UnfinishedReason};
use crate::id::{EventId, EventSource, ExecutionId};
use crate::plan::Plan;
use crate::port::{PortError, PortErrorKind};
use crate::request::{OfflineAction, Operation, PatchRequest, RebootOption, Regions, Selector};
use crate::runbook::{self, TIMEOUT_PARAMETER};
use jiff::SignedDuration;
use std::future::{Future, poll_fn};
use std::pin::pin;

/// One account with two Regions, and the start that a plan of it has.
fn world() -> World {
    world_of(|_| {})
}

/// The same for a request that is changed.
fn world_of(change: fn(&mut PatchRequest)) -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let mut world = World::new(&[&[("us-east-1", well()), ("us-west-1", well())]], 1, 0);
    let plan = &mut world.plan;
    change(&mut plan.request);
    plan.units[0].start.document_name = plan.request.automation.document.clone();
    plan.units[0].start.parameters = runbook::parameters(&plan.request, &plan.central, None).unwrap();
    plan.units[0]
        .start
        .parameters
        .insert(TIMEOUT_PARAMETER.to_owned(), vec!["3600".to_owned()]);
    world
}

fn longest_retry() -> SignedDuration {
    EventId::new(EventSource::Event, "event").unwrap().longest_retry()
}

/// Fires `plan` for the event that `world`'s campaign belongs to.
fn deliver(world: &World, plan: &Plan) -> Result<Fired, FireError> {
    finish(
        world
            .fire_ports()
            .fire(world.campaign(), plan, longest_retry(), None),
    )
}

/// Looks for what that event started, as is done before planning.
fn look(world: &World, request: &PatchRequest) -> Result<Option<FiredBefore>, FireError> {
    let ports = world.fire_ports();
    let before = finish(ports.fired_before(world.campaign(), request, longest_retry()))?;
    Ok(match before {
        Before::Nothing => None,
        Before::Whole(before) => Some(before),
        Before::Part(part) => panic!("only a part was found: {part:?}"),
    })
}

/// The one execution of what was started before.
#[track_caller]
fn the_one(before: &FiredBefore) -> &ExecutionId {
    let [one] = before.executions.as_slice() else {
        panic!("{before:?}");
    };
    &one.execution
}

#[track_caller]
fn started(fired: Result<Fired, FireError>) -> ExecutionId {
    match fired {
        Ok(Fired::Started(units)) if units.len() == 1 => units[0].execution.clone(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn already(fired: Result<Fired, FireError>) -> FiredBefore {
    match fired {
        Ok(Fired::AlreadyStarted(before)) => before,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_retry_of_an_event_is_what_its_first_delivery_started() {
    let world = world();
    assert_eq!(look(&world, &world.plan.request).unwrap(), None);
    let first = started(deliver(&world, &world.plan));
    world.clock.advance(SignedDuration::from_hours(5));
    let retry = already(deliver(&world, &world.plan));
    assert_eq!(*the_one(&retry), first);
    assert_eq!(retry.changed, Vec::<String>::new());
    assert_eq!(look(&world, &world.plan.request).unwrap(), Some(retry.clone()));
    assert_eq!(retry.locations().unwrap().len(), 2);
    assert_eq!(world.executions().len(), 1);
}

#[test]
fn a_retry_whose_plan_has_other_figures_or_none_by_now_is_the_same_campaign() {
    type Change = fn(&mut Plan);
    let changes: [(Change, &str); 6] = [
        (
            // Nodes reboot, and do not answer while they do.
            |plan| {
                let hours = vec!["21600".to_owned()];
                plan.units[0]
                    .start
                    .parameters
                    .insert(TIMEOUT_PARAMETER.to_owned(), hours);
            },
            "",
        ),
        (
            |plan| {
                plan.locations.truncate(1);
                plan.units[0].start.target_locations[0].regions.truncate(1);
            },
            "the earlier delivery started it in 111111111111/us-west-1 too",
        ),
        (
            |plan| {
                let mut other = plan.locations[0].clone();
                other.region = "eu-west-1".parse().unwrap();
                plan.locations.push(other);
                plan.units[0].start.target_locations[0]
                    .regions
                    .push("eu-west-1".parse().unwrap());
            },
            "also be nodes to patch in 111111111111/eu-west-1",
        ),
        // What does not answer would be named in a unit of its own.
        (|plan| plan.units.push(plan.units[0].clone()), ""),
        (
            |plan| {
                plan.units.clear();
                plan.locations.clear();
            },
            "started it in 111111111111/us-east-1, 111111111111/us-west-1 too",
        ),
        (
            |plan| {
                plan.units[0]
                    .start
                    .parameters
                    .insert("StepTimeoutSeconds".to_owned(), vec!["7200".to_owned()]);
            },
            "",
        ),
    ];
    for (change, words) in changes {
        let world = world();
        let first = started(deliver(&world, &world.plan));
        world.clock.advance(SignedDuration::from_mins(1));
        let mut other = world.plan.clone();
        change(&mut other);
        let before = already(deliver(&world, &other));
        assert_eq!(*the_one(&before), first);
        let changed = before.changed.join("; ");
        assert!(changed.contains(words), "no {words:?} in {changed:?}");
        assert_eq!(changed.is_empty(), words.is_empty(), "{changed}");
        assert_eq!(world.executions().len(), 1);
    }
}

#[test]
fn a_delivery_that_was_planned_while_another_started_is_the_same_campaign() {
    let world = world();
    let first = started(deliver(&world, &world.plan));
    // AWS does not list the first one for long, and refuses its token with other figures.
    let mut other = world.plan.clone();
    other.locations.truncate(1);
    let mismatch = || PortError::new(PortErrorKind::TokenMismatch, "another request has it");
    *world.aws.refusals.lock().unwrap() = vec![mismatch; 100];
    *world.aws.hidden.lock().unwrap() = SignedDuration::from_hours(1);
    let error = deliver(&world, &other).unwrap_err();
    // An execution runs, so "nothing was started" would be wrong.
    assert!(
        matches!(&error, FireError::Unfinished(unfinished)
            if matches!(&unfinished.reason, UnfinishedReason::NotListed(why) if why.kind() == PortErrorKind::TokenMismatch)),
        "{error:?}"
    );
    let words = error.to_string();
    assert!(
        words.contains("which is not listed yet") && words.contains("It may run in"),
        "{words}"
    );
    // It is listed by the time at which it is looked for once more.
    let ports = world.fire_ports();
    let sent = world.aws.starts.lock().unwrap().len();
    let mut firing = pin!(ports.fire(world.campaign(), &other, longest_retry(), None));
    let fired = finish(poll_fn(|context| {
        let fired = firing.as_mut().poll(context);
        if world.aws.starts.lock().unwrap().len() == sent + 1 {
            *world.aws.hidden.lock().unwrap() = SignedDuration::ZERO;
        }
        fired
    }));
    let before = already(fired);
    assert_eq!(*the_one(&before), first);
    assert_eq!(before.changed.len(), 1, "{:?}", before.changed);
    assert_eq!(world.executions().len(), 1);
}

#[test]
fn nothing_is_started_while_it_cannot_be_found_out_what_was() {
    let world = world();
    // The very first call: the look for an earlier start.
    *world.chaos.fault.lock().unwrap() = Some((1, Fault::Before));
    let error = deliver(&world, &world.plan).unwrap_err();
    assert!(matches!(error, FireError::Port(_)), "{error:?}");
    assert_eq!(world.executions().len(), 0);
    started(deliver(&world, &world.plan));
}

#[test]
fn an_event_that_comes_when_no_retry_can_come_any_more_is_an_error() {
    let world = world();
    let first = started(deliver(&world, &world.plan));
    for (hours, words) in [(23, "23h"), (6 * 24 + 1, "7d")] {
        world.clock.advance(SignedDuration::from_hours(hours));
        for error in [
            deliver(&world, &world.plan).unwrap_err(),
            look(&world, &world.plan.request).unwrap_err(),
        ] {
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
    }
    assert_eq!(world.executions().len(), 1);
}

/// Starts what `before` asks for, and gives the error of a delivery that asks for what `now` does.
#[track_caller]
fn refused(before: fn(&mut PatchRequest), now: fn(&mut PatchRequest)) -> String {
    let world = world_of(before);
    started(deliver(&world, &world.plan));
    world.clock.advance(SignedDuration::from_mins(1));
    let mut other = world.plan.clone();
    now(&mut other.request);
    let error = look(&world, &other.request).unwrap_err();
    assert!(matches!(error, FireError::Differs { .. }), "{error:?}");
    assert_eq!(
        deliver(&world, &other).unwrap_err().to_string(),
        error.to_string()
    );
    assert_eq!(world.executions().len(), 1);
    error.to_string()
}

#[test]
fn what_was_started_before_and_is_not_what_is_asked_for_is_an_error_that_names_the_difference() {
    type Change = fn(&mut PatchRequest);
    let with_a_list: Change =
        |request| request.patch.install_override_list = Some("s3://bucket/list.yaml".to_owned());
    let changes: [(Change, Change, &str); 13] = [
        (
            |_| {},
            |request| request.patch.operation = Operation::Scan,
            "its Operation is Install, not Scan",
        ),
        (
            |_| {},
            |request| request.patch.reboot_option = RebootOption::NoReboot,
            "its RebootOption is RebootIfNeeded, not NoReboot",
        ),
        (
            |_| {},
            with_a_list,
            "it has no InstallOverrideList, and s3://bucket/list.yaml is asked for",
        ),
        (
            with_a_list,
            |request| request.patch.install_override_list = None,
            "its InstallOverrideList is s3://bucket/list.yaml, and none is asked for",
        ),
        (
            |_| {},
            |request| request.budget.nodes.max_errors = "3".parse().unwrap(),
            "its MaxErrors is 10%, not 3",
        ),
        (
            |_| {},
            |request| {
                let role = "arn:aws:iam::999999999999:role/Other";
                request.automation.assume_role = Some(role.parse().unwrap());
            },
            "its AutomationAssumeRole is ",
        ),
        (
            |_| {},
            |request| request.targets.selector = Selector::ResourceGroup("Others".parse().unwrap()),
            r#""Values":["WebServers"]}, not "#,
        ),
        (
            |_| {},
            |request| {
                request.targets.selector = Selector::NodeIds(vec!["i-0123456789abcdef0".parse().unwrap()]);
            },
            "its Targets names no nodes: ",
        ),
        (
            |request| {
                request.targets.selector = Selector::NodeIds(vec!["i-0123456789abcdef1".parse().unwrap()]);
            },
            |request| {
                request.targets.selector = Selector::NodeIds(vec!["i-0123456789abcdef0".parse().unwrap()]);
            },
            "it names nodes that the request does not: i-0123456789abcdef1",
        ),
        (
            |_| {},
            |request| request.targets.regions = Regions::List(vec!["us-east-1".parse().unwrap()]),
            "it also runs in 111111111111/us-west-1, which the request rules out",
        ),
        (
            |_| {},
            |request| request.targets.exclude_regions = vec!["us-west-1".parse().unwrap()],
            "it also runs in 111111111111/us-west-1, which the request rules out",
        ),
        (
            |_| {},
            |request| request.targets.accounts = vec!["222222222222".parse().unwrap()],
            "it also runs in 111111111111/us-east-1, 111111111111/us-west-1, which the request rules out",
        ),
        (
            |_| {},
            |request| request.targets.exclude_accounts = vec!["111111111111".parse().unwrap()],
            "it also runs in 111111111111/us-east-1, 111111111111/us-west-1, which the request rules out",
        ),
    ];
    for (before, now, words) in changes {
        let error = refused(before, now);
        assert!(error.contains(words), "no {words:?} in {error}");
    }
}

#[test]
fn a_runbook_of_ones_own_is_compared_by_the_parameters_that_the_request_gives_it() {
    let own: fn(&mut PatchRequest) = |request| {
        request.automation.document = "Our-PatchRunbook".parse().unwrap();
        request.automation.parameters = [("Mode".to_owned(), vec!["gentle".to_owned()])].into();
    };
    let error = refused(own, |request| {
        request.automation.parameters = [("Mode".to_owned(), vec!["rough".to_owned()])].into();
    });
    assert!(error.contains("its Mode is gentle, not rough"), "{error}");
    let world = world_of(own);
    let first = started(deliver(&world, &world.plan));
    world.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(*the_one(&already(deliver(&world, &world.plan))), first);
}

#[test]
fn nodes_that_were_named_because_others_did_not_answer_are_no_difference() {
    let mut world = world_of(|request| request.policy.offline = OfflineAction::Skip);
    let nodes = ["i-0123456789abcdef0".parse().unwrap()];
    let plan = &mut world.plan;
    plan.units[0].nodes = Some(nodes.to_vec());
    plan.units[0].start.parameters = runbook::parameters(&plan.request, &plan.central, Some(&nodes)).unwrap();
    let first = started(deliver(&world, &world.plan));
    world.clock.advance(SignedDuration::from_mins(1));
    let before = look(&world, &world.plan.request).unwrap().unwrap();
    assert_eq!(*the_one(&before), first);
    // Where no policy names nodes, it is another selection.
    let mut other = world.plan.request.clone();
    other.policy.offline = OfflineAction::Target;
    let error = look(&world, &other).unwrap_err().to_string();
    assert!(error.contains("its Targets is "), "{error}");
}

#[test]
fn json_in_a_parameter_may_come_back_in_another_spelling() {
    let mut world = world();
    let targets = r#"{ "Values": ["WebServers"], "Key": "resource-groups:Name" }"#;
    world.plan.units[0]
        .start
        .parameters
        .insert("Targets".to_owned(), vec![targets.to_owned()]);
    let first = started(deliver(&world, &world.plan));
    world.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(*the_one(&already(deliver(&world, &world.plan))), first);
}
