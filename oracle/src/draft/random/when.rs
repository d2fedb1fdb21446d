//! When nothing may be begun. Most of it is near the time in which a campaign runs.

use crate::draft::{Calendar, Freeze, Period};
use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;

/// Starts of the world. Soon after most of them the clocks of a zone change.
pub(super) fn start() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => Just("2026-03-01T00:00:00Z"),
        1 => Just("2026-03-08T05:40:00Z"), // New York, to summer
        1 => Just("2026-03-28T23:20:00Z"), // Berlin, to summer
        1 => Just("2026-10-24T23:30:00Z"), // Berlin, to winter
        1 => Just("2026-04-04T13:50:00Z"), // Lord Howe, by half an hour
    ]
}

pub(super) fn freezes() -> BoxedStrategy<Vec<Freeze>> {
    prop_oneof![7 => Just(vec![]), 1 => prop::collection::vec(freeze(), 1..3)].boxed()
}

fn freeze() -> impl Strategy<Value = Freeze> {
    let zone = prop_oneof![
        Just("UTC"),
        Just("Europe/Berlin"),
        Just("America/New_York"),
        Just("Australia/Lord_Howe"),
    ];
    // What has to expire before it takes over six hours, so that is begun before a freeze that is further away, or after one
    // that holds already.
    let from = prop_oneof![
        2 => -120..30_i32,
        2 => 5..120_i32,
        2 => 366..420_i32,
        1 => 5..1_500_i32,
    ];
    let times = (from, prop_oneof![3 => 10..90_i32, 1 => 90..400_i32]);
    let period = prop_oneof![
        3 => times.clone().prop_map(|(from, length)| Period::Once { from, to: from + length }),
        2 => times.prop_map(|(from, length)| Period::Daily { from, to: from + length }),
        1 => (0..3_000_i32).prop_map(|on| Period::Weekly { on }),
    ];
    (zone, period, any::<bool>()).prop_map(|(zone, period, expires)| Freeze {
        zone,
        period,
        expires,
    })
}

pub(super) fn calendars() -> BoxedStrategy<Vec<Calendar>> {
    prop_oneof![9 => Just(vec![]), 1 => prop::collection::vec(calendar(), 1..3)].boxed()
}

fn calendar() -> impl Strategy<Value = Calendar> {
    let then = prop::option::weighted(0.4, (1..6_000_u32, any::<bool>()));
    let event =
        || (prop_oneof![0..40_u32, 0..200_u32], 3..120_u32).prop_map(|(at, length)| (at, at + length));
    let events = || prop::collection::vec(event(), 0..3);
    (prop::bool::weighted(0.7), events(), events(), then).prop_map(|(is_open, events, others, then)| {
        // One that is closed by default opens again after a while, or the campaign would wait for ever.
        let for_ever = || (400_u32, 100_000);
        let opening = |events: Vec<(u32, u32)>| match is_open {
            true => events,
            false => events.into_iter().chain([for_ever()]).collect(),
        };
        let then = then.map(|(second, are_gone)| {
            let others = if are_gone { vec![] } else { others };
            (second, opening(others))
        });
        Calendar {
            is_open,
            events: opening(events),
            then,
        }
    })
}

/// Minutes after the start. A command lives for over six hours at least.
pub(super) fn cutoff() -> impl Strategy<Value = Option<(u32, &'static str)>> {
    let minutes = prop_oneof![1 => 360..368_u32, 6 => 368..430_u32, 3 => 400..1_000_u32];
    prop::option::weighted(0.1, (minutes, prop_oneof![Just("cancel"), Just("finish")]))
}
