//! Which breakers there are, and when the alarm goes off.

use super::any_time;
use crate::draft::{Alarm, Breaker};
use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;

pub(super) fn breaker() -> BoxedStrategy<Option<Breaker>> {
    let consecutive = prop::option::weighted(0.4, 1..4_u32);
    let share = prop::option::weighted(
        0.4,
        (
            prop_oneof![Just(0_u32), Just(20), Just(50)],
            prop_oneof![1..5_u32, 5..20_u32],
        ),
    );
    let some =
        (consecutive, share, prop::option::weighted(0.5, alarm())).prop_map(|(consecutive, share, alarm)| {
            Breaker {
                consecutive,
                share,
                alarm,
            }
        });
    let is_one = |breaker: &Breaker| {
        breaker.consecutive.is_some() || breaker.share.is_some() || breaker.alarm.is_some()
    };
    prop::option::weighted(0.2, some.prop_filter("at least one breaker", is_one)).boxed()
}

fn alarm() -> impl Strategy<Value = Alarm> {
    let state = prop_oneof![3 => Just("ALARM"), 2 => Just("OK"), 1 => Just("INSUFFICIENT_DATA")];
    let states = prop::collection::vec((any_time(), state), 0..4);
    (states, prop::bool::weighted(0.4)).prop_map(|(mut states, is_handed)| {
        states.sort();
        states.dedup_by_key(|(at, _)| *at);
        Alarm { states, is_handed }
    })
}
