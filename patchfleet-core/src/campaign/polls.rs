//! How often something is asked for, and how often in vain.

use crate::id::Location;
use crate::port::PortErrorKind;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long after a start was sent it is first looked for. AWS is eventually consistent: what was
/// just started need not be listed yet. It also leaves another driver, if there is one, the time
/// to say what became of its call. An execution that was cancelled or stopped has to be over for as long before it is
/// said that it began nothing in a location.
pub(crate) const LOOK_UP_AFTER: SignedDuration = SignedDuration::from_secs(15);

/// Within what time the executions of a tag are assumed to list one that was just started. AWS publishes nothing of
/// it. What was sent and is not listed after so long had no effect, as far as is known. Until then it is looked for,
/// again and again, and not sent again: the client token may be forgotten sooner than the tag is seen.
pub(crate) const TAGS_SEEN_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// Within what time of its intent in the log a start is sent. One that cannot be is not sent, and is intended anew.
/// Another driver that sees the intent looks for it for [`TAGS_SEEN_WITHIN`] before it sends it itself, so what was
/// sent has a minute and a half of that to be shown by its tag. A process that stands still between its look at the
/// clock and the call can send later all the same. Then only the client token keeps the start from taking effect
/// twice.
pub(super) const SENT_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// How often a start of which nobody knows whether it took effect is looked for, while a driver follows other units
/// of the campaign.
pub(super) const UNRESOLVED_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// The shortest time between two looks at a unit. An execution with nothing to do in it is over
/// within seconds, and a person is watching.
pub(crate) const POLL_FIRST: SignedDuration = SignedDuration::from_secs(2);

/// The longest, as long as what a look may see decides what is begun or stopped. AWS answers 3 calls of Get and
/// Describe for automations a second, for all units and drivers of an account and Region together (AWS's published
/// quota). A look is one call and one for each 50 locations of the unit: at 30 s, 45 open units of up to 50
/// locations fit.
pub(crate) const POLL_LONGEST: SignedDuration = SignedDuration::from_secs(30);

/// The longest, once nothing hangs on it: everything has been begun, less than half of the failures have come that the
/// budget allows, and no cutoff has to be kept. An end is then seen at most so late.
pub(crate) const POLL_AT_LEISURE: SignedDuration = SignedDuration::from_mins(5);

/// The polling interval grows by a twentieth of the unit's age, so the end of a ten-minute run is
/// noticed within 30 seconds, and that of a run of two hours within 5 minutes.
const POLL_AGE_DIVISOR: i64 = 20;

/// The longest wait before something that failed is tried again. The first is [`POLL_FIRST`]; each
/// is twice the one before.
pub(crate) const BACKOFF_LONGEST: SignedDuration = SignedDuration::from_secs(60);

/// How often in a row a call may fail, most often for a reason that passes by itself. With the waits between
/// them that is about half an hour.
pub(crate) const TRANSIENT_TRIES: u32 = 30;

/// How often a call may fail for any other reason before it succeeds once. About half a minute: long enough for a
/// policy that was just changed, or for what was just created to be found.
pub(crate) const OTHER_TRIES: u32 = 5;

/// A day.
pub(crate) const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// How often something has to fail for a reason that passes by itself before it is given up a day after it was over. With the waits
/// between them that is some minutes.
const FEW_TRIES: u32 = 10;

/// How long to wait until the next look at what began `age` ago, if something may hang on what it sees.
#[must_use]
pub(crate) fn poll_interval(age: SignedDuration) -> SignedDuration {
    poll_at_leisure(age).min(POLL_LONGEST)
}

/// How long to wait until the next look at a unit that was started `age` ago, if nothing hangs on what it sees.
pub(super) fn poll_at_leisure(age: SignedDuration) -> SignedDuration {
    (POLL_FIRST + SignedDuration::from_secs(age.as_secs().max(0) / POLL_AGE_DIVISOR)).min(POLL_AT_LEISURE)
}

/// How long to wait after the `failures`th failure in a row (from 1).
#[must_use]
pub(crate) fn backoff(failures: u32) -> SignedDuration {
    let doubled = 1_i32
        .checked_shl(failures.saturating_sub(1).min(16))
        .unwrap_or(i32::MAX);
    (POLL_FIRST * doubled).min(BACKOFF_LONGEST)
}

/// The failures of one call since it last succeeded. Failures that pass by themselves are counted
/// apart from the others, so that after minutes of throttling one refusal is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Failures {
    all: u32,
    lasting: u32,
}

impl Failures {
    /// One more, of this kind.
    pub(super) fn add(&mut self, kind: PortErrorKind) {
        self.all = self.all.saturating_add(1);
        if !kind.is_transient() {
            self.lasting = self.lasting.saturating_add(1);
        }
    }

    /// Whether it failed more than once for a reason that does not pass by itself.
    pub(super) fn are_lasting(self) -> bool {
        self.lasting > 1
    }

    /// Whether it is not tried again.
    pub(super) fn are_too_many(self) -> bool {
        self.all >= TRANSIENT_TRIES || self.lasting >= OTHER_TRIES
    }

    /// What they come to if every try has failed since then, for a reason that passes by itself.
    pub(super) fn of_every_try_since(since: Timestamp, now: Timestamp) -> Self {
        let (mut failures, mut at) = (Self::default(), since);
        while at <= now && !failures.are_too_many() {
            failures.add(PortErrorKind::Unavailable);
            at = later(at, failures.backoff());
        }
        failures
    }

    /// Whether nothing is tried any more that would only tell what became of something which is over since `over_from`. Without an
    /// answer it may be this machine that reaches nothing, so that is left a day longer. Then fewer failures are enough, for the sake
    /// of a driver that drives for minutes at a time and forgets those of the one before.
    pub(super) fn are_enough(self, kind: PortErrorKind, over_from: Timestamp, now: Timestamp) -> bool {
        let is_answered = kind != PortErrorKind::Unavailable;
        (is_answered && self.are_too_many() && now >= over_from)
            || ((self.are_lasting() || self.all >= FEW_TRIES) && now >= later(over_from, A_DAY))
    }

    /// How long to wait before the next try.
    pub(super) fn backoff(self) -> SignedDuration {
        backoff(self.all)
    }

    /// Until when it is tried, if from `now` on each try fails for a reason of this kind.
    pub(super) fn until(mut self, now: Timestamp, kind: PortErrorKind) -> Timestamp {
        let mut until = now;
        while !self.are_too_many() {
            until = later(until, self.backoff());
            self.add(kind);
        }
        until
    }
}

/// `at + by`, or the end of time.
pub(super) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// For how long a location that was as planned is not looked at again while looks elsewhere fail.
const LOOK_HOLDS: SignedDuration = SignedDuration::from_mins(5);

/// For how long a runbook has to be unreadable somewhere before nothing more is begun. An account that is
/// being moved, or a policy that is being rolled out, is most often through by then.
const UNREADABLE_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// The looks at a runbook before a start, while some of them fail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Looks {
    /// Where it was as planned, and when.
    fine: BTreeMap<Location, Timestamp>,
    /// Since when and how often in a row it could not be read; `None`: in the central account and Region.
    failures: BTreeMap<Option<Location>, (Timestamp, Failures)>,
}

impl Looks {
    /// The locations that need not be looked at.
    pub(super) fn fine_at(&self, now: Timestamp) -> impl Iterator<Item = &Location> {
        let fine = self.fine.iter();
        fine.filter(move |(_, at)| later(**at, LOOK_HOLDS) > now)
            .map(|(location, _)| location)
    }

    /// Remembers where it was as planned and where it could not be read. Gives how long to wait before the
    /// next look.
    pub(super) fn learn(
        &mut self,
        now: Timestamp,
        fine: Vec<Location>,
        failed: BTreeMap<Option<Location>, PortErrorKind>,
    ) -> SignedDuration {
        self.fine.extend(fine.into_iter().map(|location| (location, now)));
        self.failures.retain(|at, _| failed.contains_key(at));
        for (at, kind) in failed {
            let (_, failures) = self.failures.entry(at).or_insert((now, Failures::default()));
            failures.add(kind);
        }
        let waits = self.failures.values().map(|(_, failures)| failures.backoff());
        waits.max().unwrap_or_default()
    }

    /// Whether it is not looked at again there, after a failure of this kind. The caller's own credentials,
    /// by which the central account is read, are given up as for any other call.
    pub(super) fn are_too_many(&self, at: &Option<Location>, kind: PortErrorKind, now: Timestamp) -> bool {
        let own = at.is_none() && kind == PortErrorKind::Credentials;
        let failures = self.failures.get(at);
        failures.is_some_and(|(since, failures)| {
            failures.are_too_many() && (own || now >= later(*since, UNREADABLE_AFTER))
        })
    }

    /// Whatever was found is old when the next start comes.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_grow_rarer_with_the_units_age_and_never_rarer_than_every_half_minute() {
        let seconds = |age| poll_interval(SignedDuration::from_secs(age)).as_secs();
        assert_eq!(
            [seconds(-5), seconds(0), seconds(200), seconds(560), seconds(7200)],
            [2, 2, 12, 30, 30]
        );
    }

    #[test]
    fn looks_on_which_nothing_hangs_grow_rarer_up_to_every_five_minutes() {
        let seconds = |age| poll_at_leisure(SignedDuration::from_secs(age)).as_secs();
        assert_eq!(
            [
                seconds(-5),
                seconds(560),
                seconds(1200),
                seconds(5960),
                seconds(86_400)
            ],
            [2, 30, 62, 300, 300]
        );
    }

    #[test]
    fn failures_that_pass_by_themselves_and_others_are_counted_apart() {
        use PortErrorKind::{Credentials, Denied, Throttled, Unavailable};
        let too_many = |kinds: &[PortErrorKind]| {
            let mut failures = Failures::default();
            kinds.iter().for_each(|kind| failures.add(*kind));
            failures.are_too_many()
        };
        assert!(!too_many(&[Throttled; 29]));
        assert!(too_many(&[Unavailable; 30]));
        assert!(!too_many(&[Denied; 4]));
        assert!(too_many(&[Denied; 5]));
        assert!(!too_many(&[&[Throttled; 20][..], &[Credentials; 4]].concat()));
        assert!(too_many(
            &[
                &[Throttled; 20][..],
                &[Credentials, Throttled, Denied, Denied, Denied, Denied]
            ]
            .concat()
        ));
        assert!(too_many(&[&[Credentials; 4][..], &[Throttled; 26]].concat()));
    }

    #[test]
    fn one_refusal_after_any_number_of_throttles_is_the_first() {
        use PortErrorKind::{Denied, Throttled, Unavailable};
        let lasting = |kinds: &[PortErrorKind]| {
            let mut failures = Failures::default();
            kinds.iter().for_each(|kind| failures.add(*kind));
            failures.are_lasting()
        };
        assert!(!lasting(&[]));
        assert!(!lasting(&[Throttled, Unavailable, Throttled]));
        assert!(!lasting(&[Throttled, Denied]));
        assert!(!lasting(&[Denied, Throttled]));
        assert!(lasting(&[Throttled, Denied, Throttled, Denied]));
        assert!(lasting(&[Denied, Denied]));
    }

    #[test]
    fn a_denial_is_enough_once_it_is_over_and_no_answer_a_day_later() {
        use PortErrorKind::{Denied, Throttled, Unavailable};
        let over = Timestamp::UNIX_EPOCH;
        let is_enough = |kind, tries: u32, hours| {
            let mut failures = Failures::default();
            (0..tries).for_each(|_| failures.add(kind));
            failures.are_enough(kind, over, later(over, SignedDuration::from_hours(hours)))
        };
        assert!(!is_enough(Denied, 5, -1) && !is_enough(Denied, 4, 0));
        assert!(is_enough(Denied, 5, 0) && is_enough(Throttled, 30, 0));
        assert!(!is_enough(Unavailable, 30, 23));
        assert!(is_enough(Denied, 2, 24) && is_enough(Unavailable, 10, 24));
        assert!(!is_enough(Unavailable, 9, 24) && !is_enough(Denied, 1, 24));
    }

    #[test]
    fn what_is_tried_again_says_until_when() {
        let until = |kind| {
            let mut failures = Failures::default();
            failures.add(kind);
            failures.until(Timestamp::UNIX_EPOCH, kind).as_second()
        };
        assert_eq!(until(PortErrorKind::Denied), 2 + 4 + 8 + 16);
        assert_eq!(until(PortErrorKind::Throttled), 2 + 4 + 8 + 16 + 32 + 24 * 60);
    }

    #[test]
    fn the_tries_of_drivers_that_each_drove_for_a_short_time_are_as_many_as_those_of_one() {
        let since = Timestamp::UNIX_EPOCH;
        let tries = |seconds| {
            let now = later(since, SignedDuration::from_secs(seconds));
            Failures::of_every_try_since(since, now)
        };
        assert_eq!(tries(0).all, 1);
        assert_eq!(tries(13).all, 3, "after 0, 2 and 6 s");
        assert_eq!(tries(62 + 24 * 60).all, TRANSIENT_TRIES);
        assert!(!tries(62 + 24 * 60 - 1).are_too_many());
        assert!(tries(86_400).are_too_many());
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let waits: Vec<i64> = (1..=7).map(|n| backoff(n).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(u32::MAX).as_secs(), 60);
    }
}
