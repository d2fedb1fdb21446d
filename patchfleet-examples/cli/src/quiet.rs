//! The clock of a command that runs against a simulated organisation: the hours in which nothing
//! happens there are skipped.
//!
//! An offline node holds its place until its command expires, which takes hours. At a speed at which
//! a person can follow patching, these hours would be minutes of nothing.

use jiff::{SignedDuration, Timestamp};
use patchfleet_core::port::{BoxFuture, Clock};
use patchfleet_sim::SimClock;

/// A sleep of this length or longer may be drawn out. A driver sleeps so long only between two looks at what has run
/// for a while. Waits for calls and for their rates are shorter.
const SLEEP: SignedDuration = SignedDuration::from_secs(20);

/// Stretches without an event are skipped from this length on. In shorter ones a person sees
/// nodes being patched.
const QUIET: SignedDuration = SignedDuration::from_mins(15);

/// A simulator's clock. A long sleep ends when the next thing happens.
pub(crate) struct QuietHours(pub(crate) SimClock);

impl Clock for QuietHours {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let long = at.duration_since(self.now()) >= SLEEP;
            self.0.sleep_until(at).await;
            if !long {
                return;
            }
            // Several sleepers may wake at once. The first one skips to the next event; the others then
            // find that it is due, and skip nothing.
            let quiet = self.0.with_world(|world| {
                let next = world.next_event_at()?;
                Some(next.duration_since(world.now()))
            });
            if let Some(quiet) = quiet.filter(|quiet| *quiet >= QUIET) {
                self.0.advance(quiet);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchfleet_sim::ClockMode;
    use patchfleet_sim::world::World;

    /// When a sleep of `sleep` seconds ends, counted from the start, if something happens after `something` minutes.
    async fn wakes(sleep: i64, something: Option<i64>) -> SignedDuration {
        let change = something.map_or_else(String::new, |minutes| {
            format!("[[changes]]\nat = \"{minutes}m\"\n[changes.change]\nstop = {{}}\n")
        });
        let world = format!("{}\n{change}", patchfleet_sim::builtin::CALM.world);
        let clock = QuietHours(SimClock::new(World::parse(&world).unwrap(), ClockMode::Jump));
        let start = clock.now();
        clock
            .sleep_until(start.checked_add(SignedDuration::from_secs(sleep)).unwrap())
            .await;
        clock.now().duration_since(start)
    }

    #[tokio::test]
    async fn a_long_sleep_goes_on_until_something_happens() {
        assert_eq!(wakes(30, Some(12 * 60)).await, SignedDuration::from_hours(12));
        assert_eq!(wakes(20, Some(16)).await, SignedDuration::from_mins(16));
    }

    #[tokio::test]
    async fn a_sleep_is_as_long_as_was_asked_for_while_something_is_about_to_happen_or_nothing_ever_will() {
        assert_eq!(wakes(30, Some(10)).await, SignedDuration::from_secs(30));
        assert_eq!(wakes(2, Some(12 * 60)).await, SignedDuration::from_secs(2));
        assert_eq!(wakes(30, None).await, SignedDuration::from_secs(30));
    }
}
