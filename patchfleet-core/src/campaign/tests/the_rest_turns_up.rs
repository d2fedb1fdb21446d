//! What runs where a cancelled execution seemed to have begun nothing is followed, and not begun again.

use super::the_rest::{assert_all_done_once, go_on, halted, outcomes, world};
use super::world::*;
use crate::campaign::DriveError;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::PortErrorKind;
use jiff::SignedDuration;
use std::collections::BTreeSet;

#[test]
fn a_location_in_which_something_is_found_is_not_begun_again_and_its_nodes_are_read() {
    let world = world();
    finish(halted(&world, 1)).unwrap();
    let hidden = world.plan.locations[2].location();
    world.aws.turns_up.lock().unwrap().insert(hidden.clone());
    let state = finish(go_on(&world, 2)).unwrap();
    let regions: Vec<BTreeSet<String>> = world
        .executions()
        .iter()
        .map(|one| {
            one.request
                .target_location()
                .locations()
                .map(|at| at.region.to_string())
                .collect()
        })
        .collect();
    assert_eq!(regions[1], BTreeSet::from(["us-east-1".to_owned()]));
    assert_all_done_once(&world, &state, "");
    let error = finish(go_on(&world, 3)).unwrap_err();
    assert!(matches!(error, DriveError::NothingToGoOn { .. }), "{error}");
}

#[test]
fn what_turns_up_while_it_still_runs_is_waited_for() {
    let world = world();
    finish(halted(&world, 1)).unwrap();
    let hidden = world.plan.locations[2].location();
    world.aws.turns_up.lock().unwrap().insert(hidden);
    *world.aws.runs_on.lock().unwrap() = SignedDuration::from_mins(10);
    let state = finish(go_on(&world, 2)).unwrap();
    assert_all_done_once(&world, &state, "");
}

#[test]
fn what_a_cancel_crossed_with_is_found_before_its_location_settles() {
    let world = world();
    let hidden = world.plan.locations[2].location();
    world.aws.turns_up.lock().unwrap().insert(hidden);
    let state = finish(halted(&world, 1)).unwrap();
    let (well, cancelled) = (LocationOutcome::Succeeded, LocationOutcome::Cancelled);
    assert_eq!(outcomes(&world, &state), [well, well, well, cancelled].map(Some));
    let state = finish(go_on(&world, 2)).unwrap();
    assert_all_done_once(&world, &state, "");
}

#[test]
fn a_location_that_cannot_be_looked_at_is_not_begun_and_the_campaign_stays_halted_until_it_can() {
    let world = world();
    finish(halted(&world, 1)).unwrap();
    let sealed = world.plan.locations[2].location();
    world
        .aws
        .scripts
        .lock()
        .unwrap()
        .insert(sealed.clone(), Script::Sealed);
    let state = finish(go_on(&world, 2)).unwrap();
    let (well, cancelled) = (LocationOutcome::Succeeded, LocationOutcome::Cancelled);
    assert_eq!(outcomes(&world, &state), [well, well, cancelled, well].map(Some));
    assert_eq!(
        state.finished().unwrap().0,
        FinishedOutcome::Halted,
        "it was never begun"
    );
    assert!(
        state
            .left_out_because()
            .unwrap()
            .to_string()
            .contains("resume --go-on")
    );
    let error = finish(go_on(&world, 3)).unwrap_err();
    assert!(
        matches!(&error, DriveError::Unseen { location, source, .. }
            if **location == sealed && source.kind() == PortErrorKind::Denied),
        "{error}"
    );
    world
        .aws
        .scripts
        .lock()
        .unwrap()
        .insert(sealed, super::the_rest::well());
    let state = finish(go_on(&world, 4)).unwrap();
    assert_all_done_once(&world, &state, "");
}
