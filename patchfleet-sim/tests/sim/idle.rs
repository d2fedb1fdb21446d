//! Time costs nothing; only what happens does.

use crate::fleet::{Fleet, world};

/// How many instants there are at which something happens, from a start to the end of everything.
fn instants(minutes: u32) -> (usize, i64) {
    let patch = format!("patch = {{ minutes = {minutes}.0, outcome = \"ok\"");
    let mut fleet = Fleet::of(&world("{ count = 3 }").replacen("patch = { minutes = 4.0", &patch, 1));
    fleet.start(&["222222222222"], &["us-east-1"], |_| {});
    let mut instants = 0;
    while let Some(at) = fleet.world.next_event_at() {
        fleet.world.advance_to(at);
        instants += 1;
    }
    (
        instants,
        fleet.world.now().duration_since(fleet.world.start()).as_mins(),
    )
}

#[test]
fn a_campaign_of_hours_has_as_many_events_as_one_of_minutes() {
    let ((short, short_minutes), (long, long_minutes)) = (instants(1), instants(60));
    assert!(
        long_minutes > short_minutes * 5,
        "{short_minutes} and {long_minutes} minutes"
    );
    assert_eq!(short, long);
}

#[test]
fn a_world_has_no_events_before_a_call_and_none_once_its_work_is_done() {
    let mut fleet = Fleet::with_nodes("{ count = 3 }");
    assert_eq!(fleet.world.next_event_at(), None);
    fleet.world.advance_by(jiff::SignedDuration::from_hours(24 * 365));
    assert_eq!(fleet.world.next_event_at(), None);
    fleet.install(&[]);
    assert_eq!(fleet.world.next_event_at(), None);
}
