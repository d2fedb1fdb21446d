//! The clock that jumps: who moves it, and when.

use crate::fleet::Fleet;
use crate::socket::{sim, target};
use futures_util::FutureExt;
use jiff::SignedDuration;
use patchfleet_core::port::Clock;
use patchfleet_sim::{ClockMode, SimClock};
use serde_json::json;

fn clock() -> SimClock {
    SimClock::new(Fleet::of(&crate::fleet::world("")).world, ClockMode::Jump)
}

#[tokio::test]
async fn time_moves_to_the_sleeper_that_is_due_first() {
    let clock = clock();
    let began = clock.now();
    let woken_after = async |minutes| {
        clock
            .sleep_until(began + SignedDuration::from_mins(minutes))
            .await;
        clock.now().duration_since(began).as_mins()
    };
    let woken = tokio::join!(woken_after(10), woken_after(4), woken_after(7), woken_after(4));
    assert_eq!(woken, (10, 4, 7, 4));
}

#[tokio::test]
async fn a_deadline_beside_a_call_is_not_met_before_the_answer() {
    let sim = sim(ClockMode::Jump).await;
    let clock = sim.clock();
    let began = clock.now();
    for _ in 0..20 {
        tokio::select! {
            biased;
            reply = target(&sim, "AKID", "AWSOrganizationsV20161128.ListRoots", json!({})) => assert_eq!(reply.status, 200),
            () = clock.sleep_until(began + SignedDuration::from_mins(1)) => panic!("the deadline came first"),
        }
    }
    assert_eq!(clock.now(), began);
}

#[tokio::test]
async fn a_sleeper_that_is_dropped_or_not_asked_any_more_holds_nobody_up() {
    let clock = clock();
    let began = clock.now();
    let minutes = |minutes| began + SignedDuration::from_mins(minutes);
    assert_eq!(clock.sleep_until(minutes(1)).now_or_never(), None);
    let mut left = clock.sleep_until(minutes(2));
    assert_eq!((&mut left).now_or_never(), None);
    clock.sleep_until(minutes(5)).await;
    assert_eq!(clock.now(), minutes(5));
    left.await;
    assert_eq!(clock.now(), minutes(5), "it was due long ago");
}
