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

    /// Waits for about this time.
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
    /// A slot whose campaign has run already.
    Ran(Timestamp),
    /// A slot that is too late, and begins now all the same. It was missed, or an earlier process left it out.
    MadeGood(Timestamp),
    /// Slots that are not run, because this process was not awake in time, or because a newer one was due as well.
    Missed(Left),
    /// Slots that are not run, because a campaign ran when they came.
    Busy(Left),
    /// Slots that are not run, because something kept them from beginning until they were too late.
    TooLate(Left),
    /// Slots that are not run, because this process was told to stop.
    Stopped(Left),
    /// The clock was set back.
    SetBack(SignedDuration),
    /// The schedule has no further slot.
    Over,
}

/// What is done at the start and at each slot.
pub(crate) trait Work {
    /// Follows the campaign that an earlier process left open to its end. Gives whether there was one.
    async fn finish_open(&self) -> bool;

    /// Since when a missed slot is made good; `None` if none ever is.
    async fn made_good_since(&self) -> Option<Timestamp>;

    /// Leaves out those of `slots` whose campaigns have run.
    async fn not_run(&self, slots: Vec<Slot>) -> Vec<Slot>;

    /// Runs the campaign of a slot to its end.
    async fn run(&self, slot: &Slot) -> Became;
}

/// What became of a slot that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Became {
    /// It was run, or tried and refused.
    Run,
    /// Something came first, and then the slot was too late to begin: an open campaign that had to be
    /// finished, trouble with the log or with AWS, or a plan that took long.
    TooLate,
    /// The process was told to stop before the slot's campaign began.
    Stopped,
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

/// Finishes what was left open, then runs `work` at every slot of `schedule`, until there is none or
/// `stop` says so.
///
/// A slot begins at its time, or at most `late` after it. One that comes due later is missed, which is told. Of
/// several slots that are due at once only the newest runs. A slot that comes while `work` runs is left out. A slot
/// runs once, even if the clock is set back.
///
/// The start looks back by `late`: a process that is started again just after a slot's time runs
/// that slot, unless its campaign has run.
///
/// Where missed slots are made good, the newest one begins once it can, however late, and is told so. A start knows only
/// which slots have no campaign, and not whether an earlier process left them out.
pub(crate) async fn follow<W: Wall>(
    wall: &W,
    schedule: &Schedule,
    late: SignedDuration,
    mut stop: watch::Receiver<bool>,
    mut tell: impl FnMut(Told),
    work: &impl Work,
) {
    // Until when slots have been dealt with.
    let mut until = earliest(wall.now(), late);
    let mut announced = None;
    let mut ran: Vec<Timestamp> = vec![];
    let has_finished = work.finish_open().await;
    let made_good_since = work.made_good_since().await;
    if let Some(since) = made_good_since {
        until = until.min(since);
    } else if has_finished {
        let now = wall.now();
        let due = newest(schedule, until.max(earliest(now, late)), now);
        let to = due.map_or(now, |slot| before(slot.at));
        let busy = left(schedule, until, to, &ran, work).await;
        busy.map(Told::Busy).into_iter().for_each(&mut tell);
        until = until.max(to);
    }
    while !*stop.borrow() {
        let now = wall.now();
        if now < until {
            tell(Told::SetBack(until.duration_since(now)));
            (until, announced) = (now, None);
        }
        let in_time = newest(schedule, until.max(earliest(now, late)), now);
        let is_late = in_time.is_none();
        let due = in_time.or_else(|| {
            made_good_since?;
            newest(schedule, until, now).filter(|slot| !ran.contains(&slot.at))
        });
        let to = due.as_ref().map_or(now, |slot| before(slot.at));
        let missed = left(schedule, until, to, &ran, work).await;
        missed.map(Told::Missed).into_iter().for_each(&mut tell);
        until = now;
        if let Some(slot) = due.filter(|slot| !ran.contains(&slot.at)) {
            let (from, told): (_, fn(Left) -> Told) = if work.not_run(vec![slot.clone()]).await.is_empty() {
                tell(Told::Ran(slot.at));
                (until, Told::Busy)
            } else {
                let mut slot_now = slot.clone();
                if is_late {
                    tell(Told::MadeGood(slot.at));
                    (slot_now.at, slot_now.counts_from) = (now, now);
                }
                match work.run(&slot_now).await {
                    Became::Run => (until, Told::Busy),
                    // What came first is over, so it is made good now.
                    Became::TooLate if made_good_since.is_some() && !is_late => {
                        until = before(slot.at);
                        continue;
                    }
                    Became::TooLate => (before(slot.at), Told::TooLate),
                    Became::Stopped => (before(slot.at), Told::Stopped),
                }
            };
            let now = wall.now();
            let not_run = left(schedule, from, now, &ran, work).await;
            not_run.map(told).into_iter().for_each(&mut tell);
            ran.push(slot.at);
            ran.drain(..ran.len().saturating_sub(REMEMBERED));
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
    let not_run = left(schedule, until, wall.now(), &ran, work).await;
    not_run.map(Told::Stopped).into_iter().for_each(&mut tell);
}

/// `late` before `now`, less the smallest step of time: a slot that is exactly so late still runs.
fn earliest(now: Timestamp, late: SignedDuration) -> Timestamp {
    now.saturating_sub(late).map_or(Timestamp::MIN, before)
}

/// The last time before `at`.
fn before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_nanos(1))
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

/// The slots after `from` up to `to` that have not run. `None`: there are none.
async fn left(
    schedule: &Schedule,
    from: Timestamp,
    to: Timestamp,
    ran: &[Timestamp],
    work: &impl Work,
) -> Option<Left> {
    let mut slots = vec![];
    let mut from = from;
    while let Some(slot) = schedule.next(from).filter(|slot| slot.at <= to) {
        from = slot.at;
        slots.push(slot);
        if slots.len() > NAMED + COUNTED {
            break;
        }
    }
    let uncounted = slots.len() > NAMED + COUNTED;
    slots.truncate(NAMED + COUNTED);
    slots.retain(|slot| !ran.contains(&slot.at));
    if slots.is_empty() {
        return None;
    }
    let slots = work.not_run(slots).await;
    let left = Left {
        named: slots.iter().take(NAMED).map(|slot| slot.at).collect(),
        more: slots.len().saturating_sub(NAMED),
        uncounted,
    };
    (!left.named.is_empty()).then_some(left)
}

#[cfg(test)]
mod tests;
