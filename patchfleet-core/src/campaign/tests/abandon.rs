//! A campaign that AWS no longer knows is closed by a person, and by nothing less than AWS's own word.

use super::world::*;
use crate::campaign::{DriveError, Event, LogKey, State, StopReason, Turn, UnitState};
use crate::id::UnitId;
use crate::outcome::{FinishedOutcome, LocationOutcome, NodeOutcome};
use crate::port::PortErrorKind;
use crate::report::Report;
use jiff::SignedDuration;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn well() -> Script {
    Script::Nodes(vec![Node::well(1), Node::well(2)])
}

/// Two units that run one after another. The first was begun, and its locations were seen to run.
fn begun(first: &[(&str, Script)]) -> World {
    let world = World::new(&[first, &[("us-east-1", well())]], 2, 0);
    finish(async {
        let driver = world.driver(1);
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while drive.state().so_far().running == 0 {
            if let Turn::Wait(at) = drive.step().await.unwrap() {
                driver.clock.sleep_until(at).await;
            }
        }
    });
    assert_eq!(world.executions().len(), 1);
    world
}

/// The same after 31 days, in which nobody drove it: AWS has forgotten it.
pub(super) fn forgotten(first: &[(&str, Script)]) -> World {
    let world = begun(first);
    world.clock.advance(DAY * 31);
    *world.aws.forgets.lock().unwrap() = true;
    world
}

fn abandon(world: &World) -> Result<State, DriveError> {
    finish(world.driver(2).abandon(world.campaign(), "ops"))
}

fn refused(world: &World) -> Vec<String> {
    let records = world.records().len();
    let error = abandon(world).unwrap_err();
    assert_eq!(world.records().len(), records, "nothing is written");
    let reasons = error.refusal().unwrap().reasons;
    reasons.iter().map(ToString::to_string).collect()
}

#[test]
fn a_campaign_that_aws_has_forgotten_is_closed_tells_of_each_node_and_frees_its_name() {
    let world = forgotten(&[("us-east-1", well()), ("us-west-1", well())]);
    // Without it nobody goes on, and its name is taken.
    let stuck = finish(world.driver(3).run(world.campaign())).unwrap_err();
    assert!(matches!(stuck, DriveError::Observe { .. }), "{stuck}");
    let (starts, stops) = (world.executions().len(), world.aws.stops.lock().unwrap().len());
    let state = abandon(&world).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(
        state.stop_reason(),
        Some(StopReason::Abandoned { by: "ops".to_owned() })
    );
    let outcomes: Vec<_> = state.locations().map(|(.., at)| at.outcome().unwrap()).collect();
    assert_eq!(
        outcomes,
        [
            LocationOutcome::ResultsUnreadable,
            LocationOutcome::ResultsUnreadable,
            LocationOutcome::NotStarted
        ]
    );
    assert_eq!(
        (world.executions().len(), world.aws.stops.lock().unwrap().len()),
        (starts, stops),
        "it starts and stops nothing"
    );
    let report = finish(Report::build(&state, &*world.rows, state.last_at())).unwrap();
    assert_eq!(report.exit_code(), 5);
    let nodes = &report.totals.nodes;
    assert_eq!(
        (
            nodes.count(NodeOutcome::Unknown),
            nodes.count(NodeOutcome::NotRun)
        ),
        (4, 2)
    );
    assert_eq!(report.needs_action.len(), 6, "each by its id");
    assert_eq!(report.executions[0].status.as_str(), "Forgotten");
    let why = report.left_out_because.unwrap();
    assert_eq!(
        why,
        "ops closed the campaign, as AWS no longer knew what it had begun, or let nobody see it"
    );
    assert_eq!(State::from_records(&world.records()).as_ref(), Ok(&state));
    assert!(
        world
            .events()
            .iter()
            .any(|event| matches!(event, Event::Abandoned { by } if by == "ops"))
    );
    // Driving it again does nothing, and another campaign may have the name.
    let again = finish(world.driver(3).run(world.campaign())).unwrap();
    assert_eq!(again.finished(), state.finished());
    *world.aws.forgets.lock().unwrap() = false;
    let next = world.campaign_of("next week");
    finish(async {
        let driver = world.driver(4);
        driver.begin(next, &world.plan).await.unwrap();
        let next = driver.run(next).await.unwrap();
        assert_eq!(next.finished().unwrap().0, FinishedOutcome::Succeeded);
    });
}

#[test]
fn what_aws_knows_is_not_closed() {
    let world = begun(&[("us-east-1", well()), ("us-west-1", well())]);
    world.clock.advance(DAY * 31);
    let told = refused(&world);
    let execution = &world.executions()[0].id;
    let campaign = world.campaign();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(
        told[0].starts_with(&format!(
            "[not_abandoned] execution {execution} of unit 1: AWS knows it ("
        )),
        "{told:#?}"
    );
    assert!(
        told[1]
            .starts_with("[not_abandoned] what unit 1 began in 111111111111/us-east-1: AWS knows execution "),
        "{told:#?}"
    );
    // It is driven to its end as ever.
    let state = finish(world.driver(3).run(campaign)).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(
        refused(&world),
        [format!(
            "[not_abandoned] campaign {campaign}: it is over (outcome succeeded)"
        )]
    );
}

#[test]
fn what_the_log_has_just_lost_is_not_closed_before_aws_shows_its_tag() {
    let world = begun(&[("us-east-1", well())]);
    *world.aws.hidden.lock().unwrap() = SignedDuration::from_secs(60);
    world.log.cut(&LogKey::Campaign(world.campaign()), 2);
    let told = refused(&world);
    let execution = &world.executions()[0].id;
    let words = format!("[not_abandoned] the start of unit 1: AWS knows it as execution {execution}");
    assert_eq!(told, [words]);
}

#[test]
fn a_look_that_began_before_aws_shows_what_was_lost_closes_nothing_however_long_it_takes() {
    let mut refused = 0;
    for polls in 0..60 {
        let world = begun(&[("us-east-1", well())]);
        *world.aws.hidden.lock().unwrap() = SignedDuration::from_secs(60);
        world.log.cut(&LogKey::Campaign(world.campaign()), 2);
        let closer = world.driver(2);
        let mut close = ByHand::new(closer.abandon(world.campaign(), "ops"));
        let over = (0..polls).any(|_| close.poll());
        // The first unit may have been looked for by now. The look at the second takes long.
        let until = *world.clock.0.lock().unwrap() + SignedDuration::from_mins(3);
        *world.aws.finds_slow.lock().unwrap() = Some(until);
        while !close.poll() {}
        let closed = close.1.take().unwrap();
        assert!(
            matches!(closed, Err(DriveError::NotAbandoned(_))),
            "after {polls} polls: {closed:?}"
        );
        refused += 1;
        if over {
            break;
        }
    }
    assert!((5..60).contains(&refused), "{refused}");
}

#[test]
fn a_denial_or_no_answer_is_not_aws_knowing_nothing() {
    // A location that nobody may read, of an execution that is forgotten.
    let world = begun(&[("us-east-1", well()), ("us-west-1", well())]);
    world.clock.advance(DAY * 31);
    let location = world.plan.locations[0].location();
    world.aws.scripts.lock().unwrap().insert(location, Script::Sealed);
    *world.aws.forgets.lock().unwrap() = true;
    let told = refused(&world);
    assert_eq!(
        told,
        [
            "[not_abandoned] what unit 1 began in 111111111111/us-east-1: whether AWS knows it cannot be seen: may not \
             read"
        ]
    );
    for kind in [
        PortErrorKind::Denied,
        PortErrorKind::Throttled,
        PortErrorKind::Unavailable,
    ] {
        let world = unresolved();
        world.clock.advance(DAY * 31);
        *world.aws.finds_fail.lock().unwrap() = Some(kind);
        let told = refused(&world);
        assert_eq!(
            told,
            [
                "[not_abandoned] the start of unit 1: whether AWS knows it cannot be seen: not authorized to look"
            ],
            "{kind:?}"
        );
    }
    let world = unresolved();
    world.clock.advance(DAY * 31);
    *world.aws.finds_fail.lock().unwrap() = Some(PortErrorKind::Credentials);
    let error = abandon(&world).unwrap_err();
    assert!(matches!(error, DriveError::Credentials { .. }), "{error}");
}

#[test]
fn a_location_that_lets_nobody_look_keeps_nothing_open_once_aws_has_forgotten_all_that_may_have_run_there() {
    let world = forgotten(&[("us-east-1", well()), ("us-west-1", well())]);
    let location = world.plan.locations[0].location();
    world.aws.scripts.lock().unwrap().insert(location, Script::Sealed);
    assert_eq!(refused(&world).len(), 1);
    // It may have run for 30 days, and AWS kept it for 30 more.
    world.clock.advance(DAY * 30);
    let state = abandon(&world).unwrap();
    let details = state
        .locations()
        .map(|(.., at)| at.settled.as_ref().unwrap().detail.clone());
    let expected = "what its unit began is over by now, and it cannot be read: may not read";
    assert_eq!(details.filter(|detail| detail == expected).count(), 2);
}

/// A campaign whose only start was intended and never sent.
fn unresolved() -> World {
    let mut world = World::new(&[&[("us-east-1", well())]], 1, 0);
    world.plan.lifetime = serde_json::from_value(serde_json::json!({
        "steps": {"least": 21_600, "most": 21_600}, "node": 10_800,
    }))
    .unwrap();
    for unit in &mut world.plan.units {
        let timeout = vec!["3600".to_owned()];
        unit.start.parameters.insert("TimeoutSeconds".to_owned(), timeout);
    }
    killed_once(&world, is_intended);
    world
}

#[test]
fn a_start_of_which_nobody_knows_is_given_up_only_when_its_last_command_must_have_expired() {
    let world = unresolved();
    world.clock.advance(SignedDuration::from_hours(6));
    let told = refused(&world);
    let [early] = &told[..] else { panic!("{told:?}") };
    assert!(
        early.contains("what it began may run until 2026-03-02T05:00:0"),
        "1 h for its delivery and 6 h for its steps: {early}"
    );
    world.clock.advance(SignedDuration::from_hours(2));
    let state = abandon(&world).unwrap();
    let (.., at) = state.locations().next().unwrap();
    let settled = at.settled.as_ref().unwrap();
    assert_eq!(settled.outcome, LocationOutcome::Unresolved);
    assert_eq!(settled.nodes.count(NodeOutcome::Unknown), 2);
    assert_eq!(state.unresolved().count(), 0);
    assert!(state.units()[&UnitId::from_index(0)].is_over());
}

#[test]
fn what_it_began_under_a_runbook_of_ones_own_may_run_for_as_long_as_aws_remembers() {
    let world = begun(&[("us-east-1", well())]);
    *world.aws.forgets.lock().unwrap() = true;
    world.clock.advance(DAY * 29);
    let told = refused(&world);
    assert!(told[0].contains("may run until 2026-03-31T22:00"), "{told:?}");
    world.clock.advance(DAY * 2);
    abandon(&world).unwrap();
}

#[test]
fn a_campaign_that_began_nothing_is_closed_at_once_and_one_whose_units_are_over_is_not() {
    let world = World::new(&[&[("us-east-1", well())]], 1, 0);
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let state = abandon(&world).unwrap();
    let (.., at) = state.locations().next().unwrap();
    assert_eq!(at.outcome(), Some(LocationOutcome::NotStarted));
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);

    let world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    finish(async {
        let driver = world.driver(1);
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while !drive.state().units().values().any(UnitState::is_over) {
            if let Turn::Wait(at) = drive.step().await.unwrap() {
                driver.clock.sleep_until(at).await;
            }
        }
    });
    let told = refused(&world);
    assert!(told[0].contains("everything that it began is over"), "{told:?}");
}

#[test]
fn what_was_begun_and_is_lost_from_the_log_is_not_closed() {
    let world = World::new(&[&[("us-east-1", well())]], 1, 0);
    world.run();
    // All that is left of the log is that it has its name.
    let lost = world.records().into_iter().take(2).collect::<Vec<_>>();
    let log = std::sync::Arc::new(crate::campaign::MemoryLog::new());
    let key = crate::campaign::LogKey::Campaign(world.campaign());
    let driver = crate::campaign::Driver {
        log: log.clone(),
        ..world.driver(2)
    };
    let refused = finish(async {
        use crate::campaign::CampaignLog as _;
        for record in &lost {
            let _ = log.append(&key, record).await.unwrap();
        }
        driver.abandon(world.campaign(), "ops").await.unwrap_err()
    });
    let id = &world.executions()[0].id;
    assert!(
        refused
            .to_string()
            .contains(&format!("the start of unit 1: AWS knows it as execution {id}")),
        "{refused}"
    );
}

#[test]
fn who_closes_it_beside_a_driver_that_begins_something_closes_nothing_of_that() {
    // The driver begins the first unit while somebody looks whether anything was begun.
    for polls in 0..400 {
        let world = World::new(&[&[("us-east-1", well())]], 1, 0);
        finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
        let (driver, closer) = (world.driver(1), world.driver(2));
        let mut run = ByHand::new(driver.run(world.campaign()));
        let mut close = ByHand::new(closer.abandon(world.campaign(), "ops"));
        let over = (0..polls).any(|_| run.poll());
        while !(run.poll() & close.poll()) {}
        let closed = close.1.take().unwrap();
        let ran = run.1.take().unwrap().unwrap();
        match closed {
            Ok(state) => {
                assert_eq!(world.executions().len(), 0, "after {polls} polls");
                assert_eq!(state.finished(), ran.finished());
            }
            Err(error) => {
                assert!(matches!(error, DriveError::NotAbandoned(_)), "{error}");
                assert_eq!(world.executions().len(), 1, "after {polls} polls");
            }
        }
        if over {
            return;
        }
    }
    panic!("the campaign never ends");
}
