//! Follows a schedule: waits for each slot, runs it in its time, and says which were missed.

use crate::schedule::{Schedule, Slot};
use jiff::{SignedDuration, Timestamp};
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;

/// Longest single wait. A clock that is set, or a machine that wakes from sleep, is noticed after
/// at most this long.
const NAP: SignedDuration = SignedDuration::from_secs(30);

/// How many missed slots are named, and how many are counted.
const NAMED: usize = 20;
const COUNTED: usize = 1_000;

/// How many slots that ran are remembered, for a clock that is set back.
const REMEMBERED: usize = 100;

/// The machine's wall clock, which people and time servers may set forward and back.
pub(crate) trait Wall {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Waits about so long.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// The system's clock.
pub(crate) struct SystemWall;

impl Wall for SystemWall {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }
}

/// What is told on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// The next slot.
    Next(Timestamp),
    /// Slots that are not run, because this process was not awake in time.
    Missed(Left),
    /// Slots that came while a campaign ran.
    Busy(Left),
    /// The clock was set back.
    SetBack(SignedDuration),
    /// The schedule has no further slot.
    Over,
}

/// Slots that are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// The first of them.
    named: Vec<Timestamp>,
    /// How many more there are.
    more: usize,
    /// Whether there are more than were counted.
    uncounted: bool,
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named: Vec<String> = self.named.iter().map(ToString::to_string).collect();
        f.write_str(&named.join(", "))?;
        match (self.more, self.uncounted) {
            (0, _) => Ok(()),
            (more, false) => write!(f, " and {more} more"),
            (more, true) => write!(f, " and more than {more} more"),
        }
    }
}

/// Runs `work` at every slot of `schedule`, until there is none or `stop` says so.
///
/// A slot begins at its time, and at most `late` after it. What comes due later than that is
/// missed: it is told and not run. Of several slots that are due at once only the newest runs. A
/// slot that comes while `work` runs is left out. A slot runs once, also if the clock is set back.
pub(crate) async fn follow<W: Wall>(
    wall: &W,
    schedule: &Schedule,
    late: SignedDuration,
    mut stop: watch::Receiver<bool>,
    mut tell: impl FnMut(Told),
    mut work: impl AsyncFnMut(&Slot),
) {
    // Until when slots have been dealt with.
    let mut until = wall.now();
    let mut announced = None;
    let mut ran: Vec<Timestamp> = vec![];
    while !*stop.borrow() {
        let now = wall.now();
        if now < until {
            tell(Told::SetBack(until.duration_since(now)));
            (until, announced) = (now, None);
        }
        let due = newest(schedule, until.max(earliest(now, late)), now);
        let missed = left(
            schedule,
            until,
            due.as_ref().map_or(now, |slot| slot.at),
            due.is_some(),
        );
        missed.map(Told::Missed).into_iter().for_each(&mut tell);
        until = now;
        if let Some(slot) = due.filter(|slot| !ran.contains(&slot.at)) {
            ran.push(slot.at);
            ran.drain(..ran.len().saturating_sub(REMEMBERED));
            work(&slot).await;
            let now = wall.now();
            let busy = left(schedule, until, now, false);
            busy.map(Told::Busy).into_iter().for_each(&mut tell);
            until = until.max(now);
            continue;
        }
        let Some(next) = schedule.next(now) else {
            return tell(Told::Over);
        };
        if announced != Some(next.at) {
            announced = Some(next.at);
            tell(Told::Next(next.at));
        }
        let nap = next
            .at
            .duration_since(wall.now())
            .clamp(SignedDuration::ZERO, NAP);
        tokio::select! {
            () = wall.sleep(nap.unsigned_abs()) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// `late` before `now`, less the smallest step of time: a slot that is exactly so late still runs.
fn earliest(now: Timestamp, late: SignedDuration) -> Timestamp {
    now.saturating_sub(late)
        .and_then(|time| time.checked_sub(SignedDuration::from_nanos(1)))
        .unwrap_or(Timestamp::MIN)
}

/// The newest slot after `from`, up to `to`.
fn newest(schedule: &Schedule, from: Timestamp, to: Timestamp) -> Option<Slot> {
    let mut newest = None;
    let mut from = from;
    while let Some(slot) = schedule.next(from).filter(|slot| slot.at <= to) {
        from = slot.at;
        newest = Some(slot);
    }
    newest
}

/// The slots after `from` up to `to`, without the one at `to` if that is `spared`. `None`: none.
fn left(schedule: &Schedule, from: Timestamp, to: Timestamp, spared: bool) -> Option<Left> {
    let mut left = Left {
        named: vec![],
        more: 0,
        uncounted: false,
    };
    let mut from = from;
    while let Some(slot) = schedule.next(from).filter(|slot| slot.at <= to) {
        if spared && slot.at == to {
            break;
        }
        if left.more == COUNTED {
            left.uncounted = true;
            break;
        }
        if left.named.len() < NAMED {
            left.named.push(slot.at);
        } else {
            left.more += 1;
        }
        from = slot.at;
    }
    (!left.named.is_empty()).then_some(left)
}

#[cfg(test)]
mod tests;
