//! Starting: what a refusal, a delay and a lost answer lead to, and when something is sent again.

use super::world::*;
use crate::campaign::DriveError;
use crate::campaign::decide::{Call, Decision, decide};
use crate::campaign::memory::Memory;
use crate::campaign::{CampaignLog as _, Chain, LogKey, RecordDigest};
use crate::campaign::{Event, LOOK_UP_AFTER, RECORD_FORMAT, RESEND_WITHIN, Record, StartState, State, Turn};
use crate::id::{CampaignId, UnitId, WriterId};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::{PortError, PortErrorKind};
use jiff::SignedDuration;
use std::collections::BTreeSet;

fn well() -> Script {
    Script::Nodes(vec![Node::well(1)])
}

fn two_units() -> World {
    World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 2, 0)
}

pub(super) fn outcomes(state: &State) -> Vec<LocationOutcome> {
    state
        .locations()
        .map(|(_, _, at)| at.outcome().unwrap())
        .collect()
}

#[test]
fn a_refused_start_ends_its_unit_and_nothing_more_is_begun() {
    for refusal in [
        (|| PortError::new(PortErrorKind::Denied, "may not start")) as fn() -> PortError,
        || PortError::new(PortErrorKind::Invalid, "no such parameter"),
        || PortError::new(PortErrorKind::NotFound, "no such runbook"),
    ] {
        let world = two_units();
        world.aws.refusals.lock().unwrap().push(refusal);
        let state = world.run();
        assert_eq!(
            outcomes(&state),
            [LocationOutcome::StartRefused, LocationOutcome::NotStarted]
        );
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
        assert_eq!(world.executions().len(), 0);
    }
}

#[test]
fn a_start_that_is_put_off_is_sent_again_with_the_same_bytes_and_token() {
    let world = two_units();
    for _ in 0..20 {
        world
            .aws
            .refusals
            .lock()
            .unwrap()
            .push(|| PortError::new(PortErrorKind::LimitExceeded, "queue full"));
    }
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let starts = world.aws.starts.lock().unwrap();
    assert_eq!(starts.len(), 22);
    assert_eq!(starts.iter().collect::<BTreeSet<_>>().len(), 2);
    let waited = world.executions()[0]
        .started_at
        .duration_since(state.planned_at());
    assert!(
        waited > RESEND_WITHIN,
        "put off for longer than a token is trusted, and still safe: {waited:?}"
    );
}

#[test]
fn a_start_that_is_put_off_for_ever_is_given_up() {
    let world = two_units();
    for _ in 0..5000 {
        world
            .aws
            .refusals
            .lock()
            .unwrap()
            .push(|| PortError::new(PortErrorKind::Throttled, "slow down"));
    }
    let state = world.run();
    assert_eq!(
        outcomes(&state),
        [LocationOutcome::StartRefused, LocationOutcome::NotStarted]
    );
    assert_eq!(world.executions().len(), 0);
}

#[test]
fn a_token_that_aws_knows_with_another_request_is_looked_up_and_never_sent_again() {
    let world = two_units();
    world
        .aws
        .refusals
        .lock()
        .unwrap()
        .push(|| PortError::new(PortErrorKind::TokenMismatch, "other parameters"));
    let open = finish(whole_life(&world, 1)).unwrap_err();
    assert!(matches!(open, DriveError::Unresolved { .. }), "{open}");
    assert_eq!(world.aws.starts.lock().unwrap().len(), 1);
    assert!(
        open.to_string()
            .contains("AWS knows the client token with another request"),
        "{open}"
    );
}

/// A state in which unit 1 was intended by these writers at these seconds.
fn intended(world: &World, at: &[(u128, i64)]) -> State {
    let start = world.plan.units[0].start.clone();
    let origin: jiff::Timestamp = "2026-03-01T22:00:00Z".parse().unwrap();
    let first = Chain::of(&LogKey::Campaign(world.campaign()));
    let first = record(&first, origin, 0, vec![planned(world)]);
    let mut state = State::from_records(&[first]).unwrap();
    for (writer, second) in at {
        let at = origin + SignedDuration::from_secs(*second);
        let intended = Event::StartIntended {
            unit: UnitId::from_index(0),
            attempt: 1,
            request: start.clone(),
        };
        let next = record(state.chain(), at, *writer, vec![intended]);
        state.apply(&next).unwrap();
    }
    state
}

fn planned(world: &World) -> Event {
    Event::Planned {
        format: RECORD_FORMAT,
        campaign: world.campaign(),
        plan: Box::new(world.plan.clone()),
    }
}

fn record(chain: &Chain, at: jiff::Timestamp, writer: u128, events: Vec<Event>) -> Record {
    chain.record(at, WriterId::from_uuid(uuid::Uuid::from_u128(writer)), events)
}

/// The same events in records that follow each other.
fn rechained(campaign: CampaignId, records: Vec<Record>) -> Vec<Record> {
    let mut chain = Chain::of(&LogKey::Campaign(campaign));
    let again = |old: Record| {
        let new = chain.record(old.at, old.writer, old.events);
        chain.take(&new).unwrap();
        new
    };
    records.into_iter().map(again).collect()
}

#[test]
fn an_intent_without_an_answer_is_first_left_alone_then_looked_up() {
    let world = two_units();
    let state = intended(&world, &[(1, 0)]);
    let origin = state.planned_at();
    let unit = UnitId::from_index(0);
    let decided = |state: &State, at| {
        let Decision {
            record, calls, wake, ..
        } = decide(state, &Memory::of(state, at), at);
        assert_eq!(record, []);
        (calls, wake)
    };
    assert_eq!(decided(&state, origin), (vec![], Some(origin + LOOK_UP_AFTER)));
    for later in [LOOK_UP_AFTER, RESEND_WITHIN * 100] {
        assert_eq!(decided(&state, origin + later), (vec![Call::Find(unit)], None));
    }
    // Sent again by somebody else: the wait begins anew.
    let state = intended(&world, &[(1, 0), (2, 100)]);
    let second = SignedDuration::from_secs(100);
    assert_eq!(
        decided(&state, origin + second),
        (vec![], Some(origin + second + LOOK_UP_AFTER))
    );
}

#[test]
fn one_drivers_not_now_does_not_answer_for_another_drivers_sending() {
    let world = two_units();
    let mut state = intended(&world, &[(1, 0), (2, 1)]);
    let origin = state.planned_at();
    let deferred = |state: &State, writer| {
        let event = Event::StartDeferred {
            unit: UnitId::from_index(0),
            kind: PortErrorKind::Throttled,
            detail: "slow down".to_owned(),
        };
        record(
            state.chain(),
            origin + SignedDuration::from_secs(2),
            writer,
            vec![event],
        )
    };
    state.apply(&deferred(&state, 1)).unwrap();
    let calls = |state: &State| decide(state, &Memory::of(state, state.last_at()), state.last_at()).calls;
    assert_eq!(calls(&state), []);
    state.apply(&deferred(&state, 2)).unwrap();
    let unit = UnitId::from_index(0);
    assert_eq!(calls(&state), [Call::Start { unit, attempt: 1 }]);
}

#[test]
fn a_record_seen_again_or_out_of_order_is_refused_and_unknown_events_are_passed_over() {
    let world = two_units();
    let mut state = intended(&world, &[(1, 0)]);
    let before = state.clone();
    let mut wrong: Vec<Record> = [0, 1, 3]
        .map(|seq| Record {
            seq,
            ..record(state.chain(), state.last_at(), 1, vec![])
        })
        .into();
    wrong.push(Record {
        after: RecordDigest::of(b"another record"),
        ..record(state.chain(), state.last_at(), 1, vec![])
    });
    for record in wrong {
        assert!(state.apply(&record).is_err(), "{record:?}");
    }
    assert_eq!(state, before);
    let unknown: Event = serde_json::from_str(r#"{"event":"repainted","colour":"red"}"#).unwrap();
    assert_eq!(unknown, Event::Unknown);
    let unknown = record(state.chain(), state.last_at(), 1, vec![unknown]);
    state.apply(&unknown).unwrap();
    assert_eq!(state.units(), before.units());
    assert_eq!(State::from_records(&[]), Err(crate::campaign::StateError::Empty));
}

#[test]
fn what_is_said_twice_counts_once() {
    let world = two_units();
    world.run();
    let records = world.records();
    let once = State::from_records(&records).unwrap();
    let twice: Vec<Record> = records
        .into_iter()
        .map(|mut record| {
            // Not the intents: each stands for a sending of its own.
            let again: Vec<Event> = record
                .events
                .iter()
                .filter(|e| !matches!(e, Event::StartIntended { .. }))
                .cloned()
                .collect();
            record.events.extend(again);
            record
        })
        .collect();
    let twice = State::from_records(&rechained(world.campaign(), twice)).unwrap();
    assert_ne!(twice.chain(), once.chain());
    assert_eq!(twice.units(), once.units());
    assert_eq!(twice.finished(), once.finished());
    assert_eq!(twice.last_at(), once.last_at());
    assert_eq!(twice.warnings(), once.warnings());
    assert_eq!(twice.stop_reason(), once.stop_reason());
}

#[test]
fn a_campaign_of_another_format_is_read_and_not_driven() {
    for (format, words) in [
        (RECORD_FORMAT + 1, "was written by a newer version (format 4;"),
        (RECORD_FORMAT - 1, "was written by an older version (format 2;"),
    ] {
        not_driven(format, words);
    }
}

fn not_driven(format: u32, words: &str) {
    let world = two_units();
    let Event::Planned { campaign, plan, .. } = planned(&world) else {
        unreachable!()
    };
    let other = Event::Planned {
        format,
        campaign,
        plan,
    };
    let now = "2026-03-01T22:00:00Z".parse().unwrap();
    finish(async {
        let key = LogKey::Campaign(world.campaign());
        let _ = world
            .log
            .append(&key, &record(&Chain::of(&key), now, 1, vec![other]))
            .await
            .unwrap();
        assert!(
            crate::campaign::load(&*world.log, campaign)
                .await
                .unwrap()
                .is_some()
        );
        let refused = world.driver(2).run(campaign).await.unwrap_err();
        assert!(matches!(refused, DriveError::ReadOnly { format: found, .. } if found == format));
        assert!(refused.to_string().contains(words), "{refused}");
        let refused = world.driver(2).collect_again(campaign).await.unwrap_err();
        assert!(matches!(refused, DriveError::ReadOnly { .. }), "{refused}");
        assert_eq!(world.records().len(), 1);
    });
}

#[test]
fn turns_and_deadlines_give_the_campaign_back_in_between() {
    let world = two_units();
    let driver = world.driver(1);
    finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        assert_eq!(drive.step().await.unwrap(), Turn::Acted);
        assert!(matches!(
            drive.state().units().values().next().unwrap().start,
            StartState::Started { .. }
        ));
        let mut pauses = 0;
        loop {
            use crate::port::Clock as _;
            let deadline = world.clock.now() + SignedDuration::from_secs(20);
            match driver.run_until(world.campaign(), deadline).await.unwrap() {
                crate::campaign::Progress::Finished(state) => {
                    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
                    break;
                }
                crate::campaign::Progress::Paused { wake_at, .. } => world.clock.sleep_until(wake_at).await,
            }
            pauses += 1;
        }
        assert!(pauses >= 3, "{pauses}");
    });
}

#[test]
fn a_driver_can_be_driven_on_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    let world = two_units();
    let driver = world.driver(1);
    is_send(&driver.run(world.campaign()));
    is_send(&driver.begin(world.campaign(), &world.plan));
}
