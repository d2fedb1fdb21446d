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
    let ((short, minutes), (long, hours)) = (instants(1), instants(60));
    assert!(hours > minutes * 5, "{minutes} and {hours} minutes");
    assert_eq!(short, long);
}

#[test]
fn a_world_in_which_nobody_calls_has_no_events() {
    let mut fleet = Fleet::with_nodes("{ count = 100 }");
    assert_eq!(fleet.world.next_event_at(), None);
    fleet.world.advance_by(jiff::SignedDuration::from_hours(24 * 365));
    assert_eq!(fleet.world.next_event_at(), None);
}
