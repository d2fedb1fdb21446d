//! Time: the virtual clock, and what will happen in which order.

mod event;
mod turn;

pub(in crate::world) use event::Event;
pub(in crate::world) use turn::Turn;

use jiff::Timestamp;
use std::collections::BTreeMap;

/// The virtual time, and the queue of what is going to happen.
#[derive(Debug, Clone)]
pub(in crate::world) struct Time {
    start: Timestamp,
    now: Timestamp,
    /// When the last event happened.
    last_event: Timestamp,
    queue: BTreeMap<(Timestamp, Turn, u64), Event>,
    queued: u64,
}

/// An event in the queue, for whoever may take it back.
#[derive(Debug, Clone, Copy)]
pub(in crate::world) struct Scheduled {
    at: Timestamp,
    nth: u64,
}

impl Time {
    /// Time that begins at `start`, with an empty queue.
    pub(in crate::world) fn new(start: Timestamp) -> Self {
        Self {
            start,
            now: start,
            last_event: start,
            queue: BTreeMap::new(),
            queued: 0,
        }
    }

    pub(in crate::world) fn start(&self) -> Timestamp {
        self.start
    }

    pub(in crate::world) fn now(&self) -> Timestamp {
        self.now
    }

    /// Puts `event` into the queue, at its `turn` of that instant.
    pub(in crate::world) fn put(&mut self, at: Timestamp, turn: Turn, event: Event) -> Scheduled {
        self.queued = self.queued.saturating_add(1);
        self.queue.insert((at, turn, self.queued), event);
        Scheduled { at, nth: self.queued }
    }

    /// Takes an event out of the queue that has no meaning any more. It would change nothing when its
    /// time comes, and until then it would take room.
    pub(in crate::world) fn call_off(&mut self, scheduled: Option<Scheduled>, turn: Turn) {
        if let Some(Scheduled { at, nth }) = scheduled {
            self.queue.remove(&(at, turn, nth));
        }
    }

    /// The next event that is due until `to`, and its time is now.
    pub(in crate::world) fn next_until(&mut self, to: Timestamp) -> Option<Event> {
        let first = self.queue.first_entry().filter(|first| first.key().0 <= to)?;
        let ((at, ..), event) = first.remove_entry();
        self.reach(at);
        self.last_event = self.now;
        Some(event)
    }

    /// When the last event happened; the start if none has.
    pub(in crate::world) fn last_event(&self) -> Timestamp {
        self.last_event
    }

    /// It is `to` now, unless that is past.
    pub(in crate::world) fn reach(&mut self, to: Timestamp) {
        self.now = self.now.max(to);
    }

    /// What is going to happen, in order.
    pub(in crate::world) fn events(&self) -> impl Iterator<Item = (Timestamp, &Event)> {
        self.queue.iter().map(|((at, ..), event)| (*at, event))
    }
}
