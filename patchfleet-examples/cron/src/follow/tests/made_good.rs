//! Slots that were missed and are made good.

use super::*;

#[test]
fn the_newest_slot_that_was_missed_is_made_good_only_where_that_is_asked_for() {
    let next = "next 2026-03-06T22:15:00Z";
    let started = |made_good_since, open| {
        let life = Life {
            sleeps: 1,
            takes: MINUTE,
            open,
            made_good_since,
            has_run: &["2026-03-03T22:15"],
            ..Life::default()
        };
        life.lived(DAILY, "2026-03-06T09:00:00Z")
    };
    assert_eq!(started(None, None), [next]);
    let made_good = [
        "missed 2026-03-04T22:15:00Z",
        "made good 2026-03-05T22:15:00Z",
        "ran 2026-03-06T09:00:00Z at 2026-03-06T09:00:00Z",
        next,
    ];
    let since = Some("2026-03-03T22:15:02Z");
    assert_eq!(started(since, None), made_good);
    // The campaign since which slots were missed may be the one that was left open.
    let after_another = started(since, Some(SignedDuration::from_hours(1)));
    assert_eq!(
        after_another[2],
        "ran 2026-03-06T10:00:00Z at 2026-03-06T10:00:00Z"
    );
    // Nothing was missed since then.
    assert_eq!(started(Some("2026-03-06T01:00:00Z"), None), [next]);
}

#[test]
fn a_cutoff_counts_from_a_delayed_slots_own_time_and_from_now_where_the_slot_is_made_good() {
    let started = |from| {
        let life = Life {
            sleeps: 1,
            takes: MINUTE,
            made_good_since: Some("2026-03-05T00:00:00Z"),
            delay: MINUTE * 10,
            ..Life::default()
        };
        life.lived(DAILY, from)
    };
    assert_eq!(
        started("2026-03-05T22:30:00Z")[0],
        "ran 2026-03-05T22:25:00Z at 2026-03-05T22:30:00Z, cutoff from 2026-03-05T22:15:00Z"
    );
    assert_eq!(
        started("2026-03-06T09:00:00Z")[..2],
        [
            "made good 2026-03-05T22:25:00Z",
            "ran 2026-03-06T09:00:00Z at 2026-03-06T09:00:00Z"
        ]
    );
}

#[test]
fn a_machine_that_slept_makes_good_what_it_missed_where_that_is_asked_for() {
    let life = Life {
        sleeps: 2,
        jumps: vec![(1, SignedDuration::from_hours(3 * 24))],
        takes: MINUTE,
        made_good_since: Some("2026-03-03T00:00:00Z"),
        ..Life::default()
    };
    let lines = life.lived(DAILY, "2026-03-03T22:00:00Z");
    assert_eq!(
        lines,
        [
            "next 2026-03-03T22:15:00Z",
            "missed 2026-03-03T22:15:00Z, 2026-03-04T22:15:00Z",
            "made good 2026-03-05T22:15:00Z",
            "ran 2026-03-06T22:00:30Z at 2026-03-06T22:00:30Z",
            "next 2026-03-06T22:15:00Z",
        ]
    );
}

#[test]
fn a_slot_that_something_held_up_too_long_is_made_good_once_and_then_told() {
    let life = Life {
        sleeps: 2,
        takes: MINUTE * 40,
        not_begun: Some(Became::TooLate),
        made_good_since: Some("2026-03-03T00:00:00Z"),
        ..Life::default()
    };
    assert_eq!(
        life.lived(DAILY, "2026-03-03T22:14:30Z"),
        [
            "next 2026-03-03T22:15:00Z",
            "made good 2026-03-03T22:15:00Z",
            "too late 2026-03-03T22:15:00Z",
            "next 2026-03-04T22:15:00Z",
        ]
    );
}
