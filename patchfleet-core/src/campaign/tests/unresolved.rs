//! Starts of which nobody knows whether they took effect: they are waited for, and keep their share of every budget.
//! That they are sent again only when a person says so is held in `sent_again`.

use super::once::{assert_all_well, live, world};
use super::world::*;
use crate::campaign::{
    DriveError, Event, Hold, HoldReason, LOOK_UP_AFTER, RESEND_WITHIN, Rule, SentAgain, State,
    TAGS_SEEN_WITHIN, campaigns,
};
use crate::id::UnitId;
use crate::outcome::FinishedOutcome;
use crate::port::{PortError, PortErrorKind};
use crate::report::Report;
use jiff::SignedDuration;
use std::sync::Arc;

pub(super) const FIRST: UnitId = UnitId::from_index(0);
pub(super) const HOUR: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn well() -> Script {
    Script::Nodes(vec![Node::well(1)])
}

/// AWS shows tags after `tags` seconds and forgets client tokens after `token` seconds.
pub(super) fn aws_is(world: &mut World, tags: i64, token: i64) {
    *world.aws.hidden.lock().unwrap() = SignedDuration::from_secs(tags);
    Arc::get_mut(&mut world.aws).unwrap().remembers = SignedDuration::from_secs(token);
}

/// Two units, whose first start is in the log and was never sent. Nobody came for an hour.
pub(super) fn left(at_once: u32, errors: u32) -> (World, DriveError) {
    let mut world = World::new(
        &[&[("us-east-1", well())], &[("us-east-1", well())]],
        at_once,
        errors,
    );
    world.one_place_each();
    left_in(world)
}

pub(super) fn left_in(world: World) -> (World, DriveError) {
    killed_once(&world, is_intended);
    assert_eq!(world.executions().len(), 0);
    world.clock.advance(HOUR);
    let open = finish(whole_life(&world, 2)).unwrap_err();
    (world, open)
}

pub(super) fn state(world: &World) -> State {
    State::from_records(&world.records()).unwrap()
}

pub(super) fn send_again(world: &World, units: &[u32]) -> Result<SentAgain, DriveError> {
    let units = units.iter().map(|n| UnitId::from_index(n - 1)).collect();
    finish(world.driver(3).send_again(world.campaign(), &units, "ops"))
}

pub(super) fn holds(state: &State) -> Vec<(u32, String)> {
    let holds = state.holds(state.last_at()).into_iter();
    holds
        .map(|Hold { unit, reason, .. }| (unit.number(), reason.to_string()))
        .collect()
}

#[test]
fn tags_seen_after_a_minute_and_a_token_forgotten_after_ten_seconds_start_nothing_twice() {
    let slow = || {
        let mut world = world();
        aws_is(&mut world, 60, 10);
        world
    };
    for polls in 0.. {
        let world = slow();
        if live(&world, 1, polls) {
            break;
        }
        let state = finish(whole_life(&world, 2)).unwrap();
        assert_all_well(&world, &state, &format!("killed after {polls} polls"));
    }
    let undisturbed = slow();
    undisturbed.run();
    let calls = *undisturbed.chaos.calls.lock().unwrap();
    for call in 1..=calls {
        let world = slow();
        *world.chaos.fault.lock().unwrap() = Some((call, Fault::After));
        let state = finish(whole_life(&world, 1)).unwrap();
        assert_all_well(&world, &state, &format!("the answer to call {call} is lost"));
    }
}

#[test]
fn a_start_without_an_answer_is_looked_for_until_every_tag_is_seen_and_only_then_sent_again() {
    let world = World::new(&[&[("us-east-1", well())]], 1, 0);
    let lost = || PortError::new(PortErrorKind::Unavailable, "no answer").maybe_sent();
    world.aws.refusals.lock().unwrap().push(lost);
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let sent: Vec<_> = world
        .records()
        .iter()
        .filter(|record| {
            let mut events = record.events.iter();
            events.any(|event| matches!(event, Event::StartIntended { .. }))
        })
        .map(|record| record.at)
        .collect();
    let [first, second] = sent[..] else {
        panic!("sent {} times", sent.len());
    };
    let waited = second.duration_since(first);
    assert!(
        waited >= TAGS_SEEN_WITHIN && waited < TAGS_SEEN_WITHIN + LOOK_UP_AFTER,
        "{waited:?}"
    );
    let starts = world.aws.starts.lock().unwrap();
    assert_eq!(starts.len(), 2);
    assert_eq!(starts[0], starts[1], "the same bytes with the same token");
    assert!(TAGS_SEEN_WITHIN < RESEND_WITHIN);
}

#[test]
fn an_unresolved_start_leaves_its_campaign_open_and_says_what_to_type() {
    let (world, open) = left(2, 0);
    let campaign = world.campaign();
    let advice = format!(
        "the start has no answer, no execution has its tag, and AWS may have forgotten its client token. It may run, \
         so it keeps its places. `patchfleet resume {campaign} --send-again 1` looks for it once more and, if AWS \
         still knows nothing of it, sends the same start again"
    );
    assert_eq!(
        open.to_string(),
        format!("campaign {campaign} stays open; unit 1: {advice}")
    );
    let state = state(&world);
    assert_eq!(state.finished(), None);
    assert_eq!(
        holds(&state),
        [
            (1, advice),
            (
                2,
                "0 of the 0 locations that may fail have failed, and 1 more may have, as it is not known whether unit \
                 1 runs"
                    .to_owned()
            )
        ]
    );
    assert_eq!(state.so_far().unresolved, 1);
    // Its name stays its own, too.
    let other = world.campaign_of("another event");
    let refused = finish(world.driver(4).begin(other, &world.plan)).unwrap_err();
    assert!(matches!(refused, DriveError::NameTaken { .. }), "{refused}");
    // What it says to do works: to resume it alone would change nothing.
    let said = refused.refusal().unwrap().reasons[0].detail.clone();
    for words in [
        "nobody knows whether its unit 1 runs".to_owned(),
        format!("`patchfleet resume {campaign} --send-again 1`"),
        format!("`patchfleet abandon {campaign}`"),
    ] {
        assert!(said.contains(&words), "{said}");
    }
    assert!(!said.contains("follows it to its end"), "{said}");
}

#[test]
fn a_driver_that_comes_again_looks_once_more_and_sends_nothing() {
    let (world, _) = left(2, 0);
    let (records, finds) = (world.records().len(), *world.chaos.calls.lock().unwrap());
    let open = finish(world.driver(5).run(world.campaign())).unwrap_err();
    assert!(matches!(open, DriveError::Unresolved { .. }), "{open}");
    assert_eq!(world.records().len(), records);
    assert!(*world.chaos.calls.lock().unwrap() > finds);
    assert_eq!(world.aws.starts.lock().unwrap().len(), 0);
}

#[test]
fn what_aws_shows_late_is_found_without_a_person() {
    let mut world = world();
    aws_is(&mut world, 7_200, 10);
    killed_once(&world, |world| !world.executions().is_empty());
    world.clock.advance(HOUR);
    finish(whole_life(&world, 2)).unwrap_err();
    aws_is(&mut world, 5, 10);
    let state = finish(world.driver(3).run(world.campaign())).unwrap();
    assert_all_well(&world, &state, "found by a driver");
}

#[test]
fn a_driver_that_may_not_look_leaves_the_campaign_open() {
    let world = World::new(&[&[("us-east-1", well())]], 1, 0);
    *world.aws.finds_fail.lock().unwrap() = Some(PortErrorKind::Denied);
    let lost = || PortError::new(PortErrorKind::Unavailable, "no answer").maybe_sent();
    world.aws.refusals.lock().unwrap().push(lost);
    let open = finish(whole_life(&world, 1)).unwrap_err();
    assert!(open.to_string().contains("not authorized to look"), "{open}");
    *world.aws.finds_fail.lock().unwrap() = None;
    let open = finish(world.driver(2).run(world.campaign())).unwrap_err();
    assert!(matches!(open, DriveError::Unresolved { .. }), "{open}");
    assert_eq!(state(&world).finished(), None);
}

#[test]
fn other_units_are_begun_as_far_as_the_budgets_allow_beside_one_that_may_run() {
    // A location more may fail, so the second unit is begun beside the first, which may have failed.
    let (beside, open) = left(2, 1);
    assert!(matches!(open, DriveError::Unresolved { .. }), "{open}");
    assert_eq!(beside.executions().len(), 1);
    let settled = |world: &World| state(world).so_far().settled;
    assert_eq!(settled(&beside), 1);
    // There is one place, and the first unit keeps it.
    let (places, _) = left(1, 1);
    assert_eq!(
        holds(&state(&places))[1].1,
        "1 of 1 location at once is taken, and it needs 1"
    );
    assert_eq!((places.executions().len(), settled(&places)), (0, 0));
    for world in [beside, places] {
        send_again(&world, &[1]).unwrap();
        let state = finish(world.driver(3).run(world.campaign())).unwrap();
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
        assert_eq!(world.executions().len(), 2);
    }
}

/// One unit, whose commands live for up to seven hours, and a cutoff so many hours from now.
pub(super) fn world_with_cutoff(hours: i64) -> World {
    let mut world = World::new(&[&[("us-east-1", well())]], 1, 0);
    let cutoff = *world.clock.0.lock().unwrap() + SignedDuration::from_hours(hours);
    world.cut_off(cutoff);
    world
}

#[test]
fn status_and_report_no_longer_offer_what_the_time_that_has_passed_since_the_last_record_forbids() {
    let (world, _) = left_in(world_with_cutoff(12));
    let state = state(&world);
    let told = |now| {
        let report = finish(Report::build(&state, &*world.rows, now)).unwrap();
        let listed = finish(campaigns(&*world.log, now)).unwrap();
        let hold = &listed.campaigns[0].holds[0];
        [report.unresolved[0].detail.clone(), hold.reason.to_string()]
    };
    let offer = "--send-again 1` looks for it";
    for words in told(state.last_at()) {
        assert!(words.contains(offer), "{words}");
    }
    for words in told(state.last_at() + 10 * HOUR) {
        assert!(!words.contains(offer), "{words}");
        assert!(
            words.contains("may not be sent again: a command that is started now may live past"),
            "{words}"
        );
    }
}

#[test]
fn one_hold_has_one_form_in_json() {
    let (world, _) = left(2, 0);
    let state = state(&world);
    let rules: Vec<Rule> = state
        .holds(state.last_at())
        .iter()
        .map(|hold| hold.rule)
        .collect();
    assert_eq!(rules, [Rule::Person, Rule::Budget]);
    let reasons: Vec<HoldReason> = state
        .holds(state.last_at())
        .into_iter()
        .map(|hold| hold.reason)
        .collect();
    assert_eq!(
        serde_json::to_value(&reasons).unwrap(),
        serde_json::json!([
            {"waits_for": "person", "campaign": world.campaign(), "unit": 1,
             "detail": "the start has no answer, no execution has its tag, and AWS may have forgotten its client token",
             "kept": null},
            {"waits_for": "unresolved", "of": 1, "failed": 0, "unknown": 1, "allowed": 0},
        ])
    );
}
