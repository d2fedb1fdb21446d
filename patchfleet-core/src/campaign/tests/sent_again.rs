//! A start of which nobody knows whether it took effect is sent again when a person says so, and starts nothing twice.

use super::once::{assert_all_well, world};
use super::unresolved::{FIRST, HOUR, aws_is, left, left_in, send_again, state, world_with_cutoff};
use super::world::*;
use crate::campaign::{DriveError, Driver, Event, StartState, State};
use crate::id::CampaignId;
use crate::outcome::FinishedOutcome;
use crate::port::{PortError, PortErrorKind};
use jiff::SignedDuration;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn a_person_has_it_sent_again_with_the_same_bytes_and_token_and_the_rest_is_begun() {
    let (world, _) = left(2, 0);
    let said = send_again(&world, &[1]).unwrap();
    assert_eq!((said.said, said.found), (vec![FIRST], vec![]));
    assert!(
        world
            .events()
            .iter()
            .any(|event| matches!(event, Event::SendAgain { unit, by } if *unit == FIRST && by == "ops"))
    );
    let intended = world.events().into_iter().find_map(|event| match event {
        Event::StartIntended { request, .. } => Some(request),
        _ => None,
    });
    let driven = finish(world.driver(3).run(world.campaign())).unwrap();
    assert_eq!(driven.finished().unwrap().0, FinishedOutcome::Succeeded);
    let starts = world.aws.starts.lock().unwrap();
    assert_eq!(starts.len(), 2);
    assert_eq!(starts[0].0, world.campaign().client_token(FIRST, 1));
    assert_eq!(starts[0].1, serde_json::to_string(&intended.unwrap()).unwrap());
}

#[test]
fn what_aws_shows_by_then_is_followed_and_not_sent_again() {
    let mut world = world();
    aws_is(&mut world, 7_200, 10);
    killed_once(&world, |world| !world.executions().is_empty());
    world.clock.advance(HOUR);
    let open = finish(whole_life(&world, 2)).unwrap_err();
    assert!(matches!(open, DriveError::Unresolved { .. }), "{open}");
    assert_eq!(world.executions().len(), 1);
    world.clock.advance(SignedDuration::from_hours(3));
    aws_is(&mut world, 5, 10);
    let id = world.executions()[0].id.clone();
    // Whoever says that it is sent again hears that it runs; and whoever merely resumes finds it.
    let (said, resumed) = (send_again(&world, &[1]).unwrap(), world.records().len());
    assert_eq!((said.said, said.found), (vec![], vec![(FIRST, id)]));
    assert!(matches!(
        state(&world).units()[&FIRST].start,
        StartState::Started { .. }
    ));
    let state = finish(world.driver(3).run(world.campaign())).unwrap();
    assert!(world.records().len() > resumed);
    assert_all_well(&world, &state, "found by the person");
}

#[test]
fn what_is_not_unresolved_is_refused_with_every_reason_at_once_and_nothing_is_said() {
    let (world, _) = left(2, 0);
    let records = world.records().len();
    let refused = send_again(&world, &[1, 2, 7]).unwrap_err();
    let reasons = refused.refusal().unwrap().reasons;
    let told: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    let campaign = world.campaign();
    assert_eq!(
        told,
        [
            format!(
                "[not_sent_again] unit 2 of campaign {campaign}: nothing of it was sent, so whoever drives the \
                 campaign begins it"
            ),
            format!(
                "[not_sent_again] unit 7 of campaign {campaign}: there is no such unit: the campaign has 2, from 1"
            ),
        ]
    );
    assert_eq!(world.records().len(), records);
    send_again(&world, &[1]).unwrap();
    let refused = send_again(&world, &[1]).unwrap_err();
    assert!(
        refused.to_string().contains("its start is under way"),
        "{refused}"
    );
    finish(world.driver(3).run(world.campaign())).unwrap();
    let refused = send_again(&world, &[1]).unwrap_err();
    assert!(refused.to_string().contains("the campaign is over"), "{refused}");
}

#[test]
fn what_cannot_be_looked_for_is_not_sent_again_whatever_a_person_says() {
    for kind in [
        PortErrorKind::Denied,
        PortErrorKind::Throttled,
        PortErrorKind::Credentials,
    ] {
        let (world, _) = left(2, 0);
        let records = world.records().len();
        *world.aws.finds_fail.lock().unwrap() = Some(kind);
        let refused = send_again(&world, &[1]).unwrap_err();
        match kind {
            PortErrorKind::Credentials => {
                assert!(matches!(refused, DriveError::Credentials { .. }), "{refused}");
            }
            _ => assert!(
                matches!(refused, DriveError::Unlooked { unit: FIRST, .. }),
                "{refused}"
            ),
        }
        assert_eq!(world.records().len(), records, "{kind:?}");
    }
}

#[test]
fn a_refusal_of_what_is_sent_again_says_nothing_of_what_was_sent_before() {
    let (world, _) = left(2, 0);
    send_again(&world, &[1]).unwrap();
    let denied = || PortError::new(PortErrorKind::Denied, "may not start");
    world.aws.refusals.lock().unwrap().push(denied);
    let open = finish(world.driver(3).run(world.campaign())).unwrap_err();
    assert!(
        open.to_string().contains(
            "what was sent before may have taken effect, and AWS refused it when it was sent again"
        ),
        "{open}"
    );
    assert_eq!(state(&world).finished(), None);
    // Put off for ever, it is unresolved as well.
    send_again(&world, &[1]).unwrap();
    for _ in 0..5_000 {
        let throttled = || PortError::new(PortErrorKind::Throttled, "slow down");
        world.aws.refusals.lock().unwrap().push(throttled);
    }
    let open = finish(world.driver(3).run(world.campaign())).unwrap_err();
    assert!(open.to_string().contains("was not taken: "), "{open}");
    assert_eq!(world.executions().len(), 0);
}

#[test]
fn a_start_whose_command_would_outlive_the_cutoff_is_not_sent_again() {
    let (world, open) = left_in(world_with_cutoff(8));
    let words = "it may not be sent again: a command that is started now may live past the cutoff";
    assert!(open.to_string().contains(words), "{open}");
    let refused = send_again(&world, &[1]).unwrap_err();
    assert!(refused.to_string().contains("past the cutoff"), "{refused}");
    assert_eq!(world.executions().len(), 0);
}

/// A person has the first unit sent again, and drives the campaign whatever came of that.
async fn say_and_drive(campaign: CampaignId, driver: Driver) -> Result<State, DriveError> {
    let _ = driver.send_again(campaign, &BTreeSet::from([FIRST]), "ops").await;
    driver.run(campaign).await
}

/// Two persons have the first unit sent again at once, in these turns. It is started once, and each driver that comes
/// to the end knows what the log says.
pub(super) fn assert_sent_once_by_two(world: &World, drivers: [Driver; 2], turns: Vec<(bool, usize)>) {
    let campaign = world.campaign();
    let [one, two] = drivers.map(|driver| ByHand::new(say_and_drive(campaign, driver)));
    let (one, two) = in_turns(one, two, turns);
    let of_the_log = state(world);
    let mut over = 0;
    for end in [one, two] {
        match end {
            Ok(state) => {
                over += 1;
                assert_eq!(but_for_instants(&state), but_for_instants(&of_the_log));
            }
            // One looks before the other says so, and leaves it to that.
            Err(error) => assert!(matches!(error, DriveError::Unresolved { .. }), "{error}"),
        }
    }
    assert!(over > 0);
    assert_all_well(world, &of_the_log, "two persons");
}

#[test]
fn two_who_send_it_again_at_once_start_it_once_while_the_token_lives() {
    proptest!(ProptestConfig::with_cases(100), |(turns in prop::collection::vec((any::<bool>(), 1_usize..9), 0..80))| {
        let (mut world, _) = left(2, 0);
        aws_is(&mut world, 60, 600);
        assert_sent_once_by_two(&world, [3, 4].map(|writer| world.driver(writer)), turns);
    });
}

#[test]
fn a_person_who_is_killed_at_any_instant_leaves_a_campaign_that_starts_nothing_twice() {
    let mut instants = 0;
    for polls in 0.. {
        let (world, _) = left(2, 0);
        let mut first = ByHand::new(say_and_drive(world.campaign(), world.driver(3)));
        if (0..polls).any(|_| first.poll()) {
            break;
        }
        drop(first);
        let case = format!("killed after {polls} polls");
        let state = match finish(world.driver(4).run(world.campaign())) {
            Ok(state) => state,
            Err(DriveError::Unresolved { .. }) => {
                finish(say_and_drive(world.campaign(), world.driver(5))).unwrap()
            }
            Err(other) => panic!("{case}: {other}"),
        };
        assert_all_well(&world, &state, &case);
        instants += 1;
    }
    assert!(instants > 50, "only {instants} instants");
}
