//! How many calls are under way at once, over all accounts and Regions. The number grows while calls are answered and
//! others wait. It halves if many places are in trouble at once.

use super::place::Place;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// Calls at once to begin with. A census is over within a few dozen answers one after the other, so a slow
/// beginning is much of it. AWS counts by account and Region, among which the calls of a census are spread.
const BEGIN: usize = 256;

/// The fewest calls at once, however much trouble there is.
const FEWEST: usize = 4;

/// For how long the end of a call tells whether its place is in trouble. The number of calls halves at most once in this
/// time, because calls that are under way together get into trouble together.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

/// The slots for calls under way.
#[derive(Debug)]
pub(super) struct Slots {
    free: Semaphore,
    width: Mutex<Width>,
}

/// How many slots there are, and why.
#[derive(Debug)]
struct Width {
    slots: usize,
    most: usize,
    /// Up to this number each answer adds a slot. Beyond it, it takes as many answers as there are slots to add one.
    quick_to: usize,
    answers: usize,
    /// Slots that are gone, and whose calls are still under way.
    owed: usize,
    halved_at: Timestamp,
    /// When a call last ended in each place, and whether one was in trouble there within a second.
    places: BTreeMap<Place, Health>,
}

#[derive(Debug, Clone, Copy)]
struct Health {
    heard_at: Timestamp,
    /// `Timestamp::MIN` if never.
    troubled_at: Timestamp,
}

/// A slot that a call holds until it has ended.
#[derive(Debug)]
pub(super) struct Slot<'s>(&'s Slots);

impl Slots {
    /// Slots for at most `most` calls.
    pub(super) fn new(most: NonZeroUsize) -> Self {
        Self::beginning_at(BEGIN, most)
    }

    fn beginning_at(begin: usize, most: NonZeroUsize) -> Self {
        let most = most.get().min(Semaphore::MAX_PERMITS);
        let slots = most.min(begin);
        Self {
            free: Semaphore::new(slots),
            width: Mutex::new(Width {
                slots,
                most,
                quick_to: most,
                answers: 0,
                owed: 0,
                halved_at: Timestamp::MIN,
                places: BTreeMap::new(),
            }),
        }
    }

    /// Waits for a slot. First come, first served.
    pub(super) async fn take(&self) -> Slot<'_> {
        if let Ok(permit) = self.free.acquire().await {
            permit.forget();
        }
        // `acquire` fails only once the semaphore is closed, which it never is.
        Slot(self)
    }

    /// A call was answered, with success or with a refusal.
    pub(super) fn answered(&self, place: &Place, now: Timestamp) {
        let mut width = self.width();
        width.heard_of(place, now);
        // Nobody waits for a slot that is free.
        if self.free.available_permits() > 0 || width.slots >= width.most {
            return;
        }
        width.answers += 1;
        if width.slots < width.quick_to || width.answers >= width.slots {
            width.answers = 0;
            width.slots += 1;
            if width.owed > 0 {
                width.owed -= 1;
            } else {
                self.free.add_permits(1);
            }
        }
    }

    /// A call was throttled, or not answered at all. Gives how many slots there are now, if there are fewer.
    pub(super) fn in_trouble(&self, place: &Place, now: Timestamp) -> Option<usize> {
        let mut width = self.width();
        width.heard_of(place, now).troubled_at = now;
        if now.duration_since(width.halved_at) < FRESH || !width.trouble_is_everywhere(now) {
            return None;
        }
        let before = width.slots;
        width.slots = (before / 2).max(FEWEST.min(before));
        width.quick_to = width.slots;
        width.answers = 0;
        width.halved_at = now;
        let gone = before - width.slots;
        // A slot that a call holds now is taken back when the call has ended.
        width.owed += gone - self.free.forget_permits(gone);
        (gone > 0).then_some(width.slots)
    }

    fn width(&self) -> MutexGuard<'_, Width> {
        self.width.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.free.available_permits()
    }
}

impl Width {
    fn heard_of(&mut self, place: &Place, now: Timestamp) -> &mut Health {
        let health = self.places.entry(place.clone()).or_insert(Health {
            heard_at: now,
            troubled_at: Timestamp::MIN,
        });
        health.heard_at = now;
        health
    }

    /// Whether calls of several places were in trouble within the last second, and of no fewer than were
    /// well. AWS counts calls by account and Region, so the trouble of few places is theirs.
    fn trouble_is_everywhere(&mut self, now: Timestamp) -> bool {
        let is_fresh = |at: Timestamp| now.duration_since(at) < FRESH;
        self.places.retain(|_, health| is_fresh(health.heard_at));
        let places = self.places.values();
        let troubled = places.filter(|health| is_fresh(health.troubled_at)).count();
        troubled > 1 && troubled * 2 >= self.places.len()
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut width = self.0.width();
        if width.owed > 0 {
            width.owed -= 1;
        } else {
            self.0.free.add_permits(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    /// Slots that begin at 32.
    fn slots(most: usize) -> Slots {
        Slots::beginning_at(32, NonZeroUsize::new(most).unwrap())
    }

    fn place(region: &str) -> Place {
        Place::new(None, region.parse().unwrap())
    }

    /// Trouble in two places, and nothing else in that second.
    fn trouble(slots: &Slots, millis: i64) -> Option<usize> {
        let one = slots.in_trouble(&place("us-east-1"), at(millis));
        let two = slots.in_trouble(&place("us-west-2"), at(millis));
        one.or(two)
    }

    /// Takes every slot that is free.
    fn take_all(slots: &Slots) -> Vec<Slot<'_>> {
        let take = || {
            let mut taking = pin!(slots.take());
            match taking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(slot) => Some(slot),
                Poll::Pending => None,
            }
        };
        std::iter::from_fn(take).collect()
    }

    #[test]
    fn calls_at_once_begin_at_256_unless_fewer_are_set() {
        for (most, begin) in [(256, 256), (1000, 256), (100, 100)] {
            let slots = Slots::new(NonZeroUsize::new(most).unwrap());
            assert_eq!(slots.free(), begin, "{most}");
        }
    }

    #[test]
    fn calls_at_once_grow_with_each_answer_up_to_the_most() {
        let slots = slots(40);
        let mut held = take_all(&slots);
        assert_eq!(held.len(), 32);
        for n in 0..20 {
            slots.answered(&place("us-east-1"), at(n));
            held.extend(take_all(&slots));
        }
        assert_eq!(held.len(), 40);
        drop(held);
        assert_eq!(slots.free(), 40);
    }

    #[test]
    fn calls_at_once_do_not_grow_where_nobody_waits() {
        let slots = slots(40);
        slots.answered(&place("us-east-1"), at(0));
        assert_eq!(slots.free(), 32);
    }

    #[test]
    fn fewer_may_be_set_than_calls_at_once_begin_with() {
        assert_eq!(take_all(&slots(2)).len(), 2);
    }

    #[test]
    fn the_trouble_of_one_place_or_of_few_takes_nothing_from_the_others() {
        let slots = slots(64);
        for second in 0..10 {
            assert_eq!(
                slots.in_trouble(&place("us-east-1"), at(second * 1000)),
                None,
                "one"
            );
        }
        for region in ["eu-west-1", "eu-west-2", "eu-west-3"] {
            slots.answered(&place(region), at(20_000));
        }
        assert_eq!(trouble(&slots, 20_500), None, "two of five");
        assert_eq!(slots.free(), 32);
    }

    #[test]
    fn trouble_in_half_of_all_places_halves_the_calls_at_once_and_once_a_second() {
        let slots = slots(64);
        let held = take_all(&slots);
        slots.answered(&place("eu-west-1"), at(0));
        slots.answered(&place("eu-west-2"), at(0));
        assert_eq!(trouble(&slots, 10), Some(16));
        assert_eq!(trouble(&slots, 900), None, "these were under way with the others");
        assert_eq!(trouble(&slots, 1100), Some(8));
        drop(held);
        assert_eq!(
            slots.free(),
            8,
            "slots in use are taken back when their calls end"
        );
    }

    #[test]
    fn however_much_trouble_there_is_four_calls_are_made_at_once() {
        let many = slots(64);
        for second in 0..10 {
            trouble(&many, second * 2000);
        }
        assert_eq!(many.free(), 4);
        let two = slots(2);
        trouble(&two, 0);
        assert_eq!(two.free(), 2, "or as many as are set");
    }

    #[test]
    fn after_trouble_as_many_answers_as_there_are_slots_add_one() {
        let slots = slots(64);
        trouble(&slots, 0);
        let held = take_all(&slots);
        assert_eq!(held.len(), 16);
        for n in 0..15 {
            slots.answered(&place("us-east-1"), at(n));
        }
        assert_eq!(slots.free(), 0);
        slots.answered(&place("us-east-1"), at(16));
        assert_eq!(slots.free(), 1);
        drop(held);
    }

    #[test]
    fn a_slot_that_grows_back_while_its_call_is_still_under_way_is_not_counted_twice() {
        let slots = slots(64);
        let held = take_all(&slots);
        trouble(&slots, 0);
        for n in 0..16 {
            slots.answered(&place("us-east-1"), at(n));
        }
        drop(held);
        assert_eq!(slots.free(), 17);
    }
}
