//! The clock of a command that runs against a simulated organisation: the hours in which nothing
//! happens there are skipped.
//!
//! An offline node holds its place until its command expires, which takes hours. At a speed at which
//! a person can follow patching, these hours would be minutes of nothing.
//!
//! Only hours are skipped in which the driver waits for what runs there, and in which it has seen all that has happened. So
//! no skip puts off the end of the campaign, a start that waits for what runs, or the end of a soak. It may pass the end of a freeze,
//! a cutoff, or the time for which a lost node keeps its place.

use jiff::{SignedDuration, Timestamp};
use patchfleet_core::port::{BoxFuture, Clock};
use patchfleet_sim::SimClock;
use patchfleet_sim::world::World;

/// A sleep of this length or longer may be drawn out. A driver sleeps so long only between two looks at what has run
/// for a while. Waits for calls and for their rates are shorter.
const SLEEP: SignedDuration = SignedDuration::from_secs(20);

/// Stretches without an event are skipped from this length on. In shorter ones a person sees
/// nodes being patched.
const QUIET: SignedDuration = SignedDuration::from_mins(15);

/// How long nothing has to have happened before the rest of a quiet stretch is skipped. A driver looks at everything that runs at
/// least every five minutes, so by then it has seen the last thing that happened, and has done what follows from it.
const SEEN: SignedDuration = SignedDuration::from_mins(10);

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
            // find that it has just happened, and skip nothing.
            if let Some(quiet) = self.0.with_world(|world| Standing::of(world).to_skip()) {
                self.0.advance(quiet);
            }
        })
    }
}

/// What a world says of how quiet it is.
struct Standing {
    /// Since when nothing has happened.
    since: SignedDuration,
    /// Until when nothing will; `None`: nothing ever will.
    until: Option<SignedDuration>,
    is_at_work: bool,
}

impl Standing {
    fn of(world: &World) -> Self {
        let now = world.now();
        Self {
            since: now.duration_since(world.last_event_at()),
            until: world.next_event_at().map(|next| next.duration_since(now)),
            is_at_work: world.is_at_work(),
        }
    }

    /// How much of a quiet stretch is left to skip. Once nothing runs any more, the driver waits for no event of the world, and
    /// how far away the next one is, such as a change that the world's file names, means nothing.
    fn to_skip(&self) -> Option<SignedDuration> {
        let until = self.until.filter(|until| *until >= QUIET)?;
        (self.is_at_work && self.since >= SEEN).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchfleet_sim::ClockMode;

    /// How much is skipped if nothing has happened for so many minutes, and nothing will for so many.
    fn skipped(since: i64, until: Option<i64>, is_at_work: bool) -> Option<i64> {
        let standing = Standing {
            since: SignedDuration::from_mins(since),
            until: until.map(SignedDuration::from_mins),
            is_at_work,
        };
        standing.to_skip().map(|skipped| skipped.as_mins())
    }

    #[test]
    fn hours_are_skipped_until_something_happens() {
        assert_eq!(skipped(10, Some(12 * 60), true), Some(12 * 60));
        assert_eq!(skipped(10, Some(16), true), Some(16));
    }

    #[test]
    fn nothing_is_skipped_while_something_is_about_to_happen_or_nothing_ever_will() {
        assert_eq!(skipped(30, Some(14), true), None);
        assert_eq!(skipped(30, None, true), None);
    }

    #[test]
    fn nothing_is_skipped_before_the_driver_has_seen_what_happened_last() {
        assert_eq!(skipped(9, Some(12 * 60), true), None);
    }

    #[test]
    fn nothing_is_skipped_once_nothing_runs() {
        assert_eq!(skipped(60, Some(12 * 60), false), None);
    }

    /// When a sleep of `sleep` seconds ends, counted from the start, over a world in which nothing runs and something
    /// happens after `something` minutes.
    async fn wakes(sleep: i64, something: i64) -> SignedDuration {
        let change = format!("[[changes]]\nat = \"{something}m\"\n[changes.change]\nstop = {{}}\n");
        let world = format!("{}\n{change}", patchfleet_sim::builtin::CALM.world);
        let clock = QuietHours(SimClock::new(World::parse(&world).unwrap(), ClockMode::Jump));
        let start = clock.now();
        clock
            .sleep_until(start.checked_add(SignedDuration::from_secs(sleep)).unwrap())
            .await;
        clock.now().duration_since(start)
    }

    #[tokio::test]
    async fn a_sleep_is_as_long_as_was_asked_for_while_nothing_runs() {
        assert_eq!(wakes(30, 10).await, SignedDuration::from_secs(30));
        assert_eq!(wakes(2, 12 * 60).await, SignedDuration::from_secs(2));
        assert_eq!(wakes(3600, 12 * 60).await, SignedDuration::from_hours(1));
    }
}
