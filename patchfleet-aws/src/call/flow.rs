//! How fast one operation is called in one account and Region. The rate follows AWS's answers. Nothing
//! here asks for the time: it is told the time, and how each call ended.

use super::rate::{Bucket, Rate};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The slowest rate of a throttled operation. An operation that is set to a slower rate keeps that one.
const SLOWEST: Duration = Duration::from_secs(10);

/// How often the rate grows while AWS answers.
const BEAT: SignedDuration = SignedDuration::from_millis(1000);
/// How long nothing is sent after the rate was halved.
const PAUSE: SignedDuration = SignedDuration::from_millis(500);

/// When a call may be made, at the rate that held when it asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    /// When the call may be made.
    pub(super) at: Timestamp,
    /// The setting of the rate when the ticket was given out.
    setting: u64,
}

/// A call that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    halvings: u64,
}

/// The rate of one operation in one account and Region. It halves when AWS throttles, and grows by an eighth a second
/// while AWS answers. Beyond the rate at which it began it grows only while calls wait for it, and never beyond the
/// fastest rate.
#[derive(Debug)]
pub(super) struct Flow {
    begin: Rate,
    fastest: Duration,
    interval: Duration,
    bucket: Bucket,
    setting: u64,
    halvings: u64,
    changed_at: Timestamp,
    last_call: Timestamp,
    dry: Option<Dry>,
    /// Whether a call has had to wait since the rate last grew.
    holds_back: bool,
}

/// A time in which AWS has done nothing but throttle.
#[derive(Debug, Clone, Copy)]
struct Dry {
    since: Timestamp,
    last: Timestamp,
}

impl Flow {
    pub(super) fn new(begin: Rate, fastest: Rate) -> Self {
        let begin = begin.with_a_call_in_reserve();
        Self {
            begin,
            fastest: fastest.interval().min(begin.interval()),
            interval: begin.interval(),
            bucket: Bucket::new(begin),
            setting: 0,
            halvings: 0,
            changed_at: Timestamp::MIN,
            last_call: Timestamp::MIN,
            dry: None,
            holds_back: false,
        }
    }

    /// Gives out the next place in the queue.
    pub(super) fn ticket(&mut self, now: Timestamp) -> Ticket {
        let at = self.bucket.take(now);
        self.holds_back |= at > now;
        Ticket {
            at,
            setting: self.setting,
        }
    }

    /// Lets a call through whose time has come. `None` if the rate has changed since its ticket was given out. The call
    /// then needs another ticket.
    pub(super) fn pass(&mut self, ticket: Ticket, now: Timestamp) -> Option<Passed> {
        if !self.is_good(ticket) {
            return None;
        }
        self.last_call = now.max(self.last_call);
        let halvings = self.halvings;
        Some(Passed { halvings })
    }

    /// Whether the rate is still the one at which the ticket was given out.
    pub(super) fn is_good(&self, ticket: Ticket) -> bool {
        ticket.setting == self.setting
    }

    /// Whether the rate is below the one at which it began. It may grow soon, and a new ticket may then be earlier.
    pub(super) fn is_slowed(&self) -> bool {
        self.interval > self.begin.interval()
    }

    /// Calls a second, for log lines.
    pub(super) fn calls_per_second(&self) -> f64 {
        1.0 / self.interval.as_secs_f64().max(1e-9)
    }

    /// AWS answered, with success or with a refusal.
    pub(super) fn answered(&mut self, now: Timestamp) {
        self.dry = None;
        if now.duration_since(self.changed_at) < BEAT {
            return;
        }
        let faster = self.interval / 9 * 8;
        if self.is_slowed() {
            self.set(faster.max(self.begin.interval()), now, self.last_call);
        } else if self.interval > self.fastest && self.holds_back {
            // Tickets that were given out stay good. Later ones follow each other more closely.
            self.interval = faster.max(self.fastest);
            self.bucket.quicken(self.interval);
            self.changed_at = now;
            self.holds_back = false;
        }
    }

    /// AWS asked for fewer calls. Gives how long AWS has now answered nothing else. If no call was made
    /// for longer than `memory`, that time begins anew.
    pub(super) fn throttled(
        &mut self,
        passed: Passed,
        now: Timestamp,
        memory: SignedDuration,
    ) -> SignedDuration {
        let since = match self.dry {
            Some(dry) if now.duration_since(dry.last) <= memory => dry.since,
            _ => now,
        };
        self.dry = Some(Dry { since, last: now });
        // Calls that were under way together are throttled together. They halve the rate once.
        if passed.halvings == self.halvings {
            let slowest = SLOWEST.max(self.begin.interval());
            let least = Duration::from_millis(1);
            self.halvings += 1;
            let slower = self.interval.saturating_mul(2).max(least).min(slowest);
            self.set(slower, now, now.checked_add(PAUSE).unwrap_or(now));
        }
        now.duration_since(since)
    }

    /// Sets the rate. The next call follows one interval after `last`.
    fn set(&mut self, interval: Duration, now: Timestamp, last: Timestamp) {
        self.interval = interval;
        self.setting += 1;
        self.changed_at = now;
        self.holds_back = false;
        let rate = if interval == self.begin.interval() {
            self.begin
        } else {
            Rate::every(interval)
        };
        self.bucket = Bucket::drained(rate, last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Operation;
    use std::num::NonZeroU32;

    const MEMORY: SignedDuration = SignedDuration::from_secs(300);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    fn eight_a_second() -> Flow {
        let eight = NonZeroU32::new(8).unwrap();
        let rate = Rate::per_second(eight).with_burst(eight);
        Flow::new(rate, rate)
    }

    fn pass(flow: &mut Flow, now: i64) -> Passed {
        let ticket = flow.ticket(at(now));
        flow.pass(ticket, at(now)).unwrap()
    }

    #[test]
    fn a_throttled_answer_halves_the_rate_and_calls_that_were_under_way_with_it_do_not_halve_it_again() {
        let mut flow = eight_a_second();
        let (one, two) = (pass(&mut flow, 0), pass(&mut flow, 0));
        flow.throttled(one, at(10), MEMORY);
        flow.throttled(two, at(12), MEMORY);
        assert_eq!(flow.interval.as_millis(), 250);
        let next = flow.ticket(at(20));
        assert_eq!(next.at, at(10 + 500 + 250), "a pause, then the slower rate");
        let three = flow.pass(next, next.at).unwrap();
        flow.throttled(three, next.at, MEMORY);
        assert_eq!(flow.interval.as_millis(), 500);
    }

    #[test]
    fn of_a_burst_one_call_is_kept_in_reserve() {
        let mut flow = eight_a_second();
        let at_once = (0..20).filter(|_| flow.ticket(at(0)).at == at(0)).count();
        assert_eq!(at_once, 7);
    }

    #[test]
    fn the_roles_of_a_page_of_accounts_are_assumed_at_once_and_never_more_than_600_in_a_second() {
        let rate = Operation::AssumeRole.default_rate();
        let mut flow = Flow::new(rate, rate);
        let given: Vec<Timestamp> = (0..2000).map(|_| flow.ticket(at(0)).at).collect();
        assert!(given.iter().take(20).all(|time| *time == at(0)));
        for begin in &given {
            let second = *begin..*begin + SignedDuration::from_secs(1);
            let seen = given.iter().filter(|time| second.contains(time)).count();
            assert!(seen <= 600, "{seen} in the second from {begin}");
        }
    }

    #[test]
    fn a_ticket_from_before_the_rate_changed_is_not_good_any_more() {
        let mut flow = eight_a_second();
        let sent = pass(&mut flow, 0);
        let waiting = flow.ticket(at(0));
        flow.throttled(sent, at(10), MEMORY);
        assert_eq!(flow.pass(waiting, at(10)), None);
    }

    #[test]
    fn the_rate_grows_by_an_eighth_a_second_while_aws_answers_and_never_past_what_is_set() {
        let mut flow = eight_a_second();
        let sent = pass(&mut flow, 0);
        flow.throttled(sent, at(0), MEMORY);
        flow.answered(at(900));
        assert_eq!(flow.interval.as_millis(), 250, "not within a second");
        flow.answered(at(1000));
        assert_eq!(flow.interval.as_millis(), 222);
        for second in 2..20 {
            flow.answered(at(second * 1000));
        }
        assert_eq!(flow.interval, flow.begin.interval());
        assert!(!flow.is_slowed());
    }

    /// Four a second that nobody publishes, and at most 32.
    fn four_or_more() -> Flow {
        let four = Rate::per_second(NonZeroU32::new(4).unwrap());
        Flow::new(four, four.times(8))
    }

    /// Calls that wait for their turn and are answered at once, for so many seconds from `from`.
    fn answered_for(flow: &mut Flow, from: i64, seconds: i64) -> usize {
        let (mut calls, mut now) = (0, at(from * 1000));
        loop {
            let ticket = flow.ticket(now);
            now = now.max(ticket.at);
            if now >= at((from + seconds) * 1000) {
                return calls;
            }
            flow.pass(ticket, now).unwrap();
            flow.answered(now);
            calls += 1;
        }
    }

    #[test]
    fn a_rate_that_aws_does_not_publish_grows_while_calls_wait_for_it_and_aws_answers() {
        let mut flow = four_or_more();
        let first = answered_for(&mut flow, 0, 5);
        assert!((20..30).contains(&first), "{first}");
        answered_for(&mut flow, 5, 25);
        let later = answered_for(&mut flow, 30, 5);
        assert!(
            (150..=160).contains(&later),
            "8 times as many, and no more: {later}"
        );
    }

    #[test]
    fn a_rate_that_no_call_waits_for_does_not_grow() {
        let mut flow = four_or_more();
        for second in 0..100 {
            pass(&mut flow, second * 1000);
            flow.answered(at(second * 1000));
        }
        assert_eq!(flow.interval.as_millis(), 250);
    }

    #[test]
    fn a_rate_that_has_grown_halves_too_when_aws_throttles() {
        let mut flow = four_or_more();
        answered_for(&mut flow, 0, 60);
        assert_eq!(flow.interval, flow.fastest);
        let sent = pass(&mut flow, 70_000);
        flow.throttled(sent, at(70_000), MEMORY);
        assert_eq!(flow.interval.as_micros(), 62_500);
    }

    #[test]
    fn however_often_it_is_throttled_something_is_asked_every_ten_seconds() {
        let mut flow = eight_a_second();
        for n in 0..30 {
            let ticket = flow.ticket(at(n * 20_000));
            let sent = flow.pass(ticket, ticket.at).unwrap();
            flow.throttled(sent, ticket.at, MEMORY);
        }
        assert_eq!(flow.interval, SLOWEST);
        let mut rare = Flow::new(
            Rate::every(Duration::from_secs(60)),
            Rate::every(Duration::from_secs(60)),
        );
        let sent = pass(&mut rare, 0);
        rare.throttled(sent, at(0), MEMORY);
        assert_eq!(rare.interval, Duration::from_secs(60), "what is set slower stays");
    }

    #[test]
    fn the_time_without_an_answer_ends_with_any_answer_and_with_a_long_rest() {
        let mut flow = eight_a_second();
        let refused = |flow: &mut Flow, second: i64| {
            let passed = Passed {
                halvings: flow.halvings,
            };
            flow.throttled(passed, at(second * 1000), MEMORY).as_secs()
        };
        assert_eq!(refused(&mut flow, 0), 0);
        assert_eq!(refused(&mut flow, 200), 200);
        flow.answered(at(210_000));
        assert_eq!(refused(&mut flow, 220), 0);
        assert_eq!(refused(&mut flow, 400), 180);
        assert_eq!(refused(&mut flow, 10_000), 0, "yesterday's says nothing of today");
    }

    #[test]
    fn an_operation_without_a_limit_is_slowed_too_when_aws_throttles() {
        let mut flow = Flow::new(Rate::every(Duration::ZERO), Rate::every(Duration::ZERO));
        let sent = pass(&mut flow, 0);
        flow.throttled(sent, at(0), MEMORY);
        assert_eq!(flow.interval, Duration::from_millis(1));
    }
}
