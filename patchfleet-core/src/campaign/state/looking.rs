//! Looking for starts that the log may have lost, by drivers each of which drives for a short time.
//!
//! One driver that goes on counts by itself: how long ago it opened the log, and since when its looks fail. A function
//! that drives for a minute at a time cannot, so it leaves a record of its looks
//! ([`Event::StillLooking`](crate::campaign::Event)), and the next one goes on from there. That record also shows that
//! the log has not lost what stands before it, so a look counts from then. A driver that goes on elsewhere leaves such a record as well, but
//! no look counts from it: it says only since when it cannot be seen somewhere.

use super::State;
use crate::campaign::clocks::Placed;
use crate::port::PortErrorKind;
use jiff::{SignedDuration, Timestamp};

/// For how long nobody may say anything if the next driver is to go on where the last one was. It is the shortest time
/// after which a campaign counts as left alone ([`SHORTEST_GAP`](crate::campaign::SHORTEST_GAP)).
const GOES_ON_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// How often it is said.
const SAID_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// What such drivers have said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Looking {
    /// When the first of them said so.
    since: Timestamp,
    /// When the last one did.
    last: Timestamp,
    /// Since when none of their looks was answered.
    failing_since: Option<Timestamp>,
}

impl Looking {
    fn goes_on(&self, now: Timestamp) -> bool {
        now.duration_since(self.last) <= GOES_ON_WITHIN
    }
}

impl State {
    pub(super) fn look_on(&mut self, failed: Option<PortErrorKind>, placed: Placed) {
        let at = placed.at;
        let before = self.looking.filter(|before| before.goes_on(at));
        let failing_since = before.and_then(|before| before.failing_since);
        self.looking = Some(Looking {
            since: before.map_or(at, |before| before.since),
            last: at,
            failing_since: failed.map(|_| failing_since.unwrap_or(at)),
        });
        if failed.is_some() {
            self.is_blind_from(at);
        }
    }

    /// It cannot be seen somewhere whether the log has lost a start, and whoever says so goes on elsewhere: what it starts there the log may
    /// lose again, so no look counts from here.
    pub(super) fn is_blind_from(&mut self, at: Timestamp) {
        self.blind_since.get_or_insert(at);
    }

    /// Since when it cannot be seen somewhere, by the log, whether that has lost a start. What it may have lost was sent before:
    /// whoever sends something looks first, and writes it down. So it counts from the last start that anybody wrote down.
    pub(in crate::campaign) fn blind_since(&self) -> Option<Timestamp> {
        self.blind_since
    }

    /// A start is about to be sent.
    pub(super) fn look_on_from_here(&mut self) {
        self.blind_since = None;
    }

    /// A start was sent, so a look was answered.
    pub(super) fn look_was_answered(&mut self) {
        if let Some(looking) = &mut self.looking {
            looking.failing_since = None;
        }
    }

    /// Since when drivers look, one after the other, for what the log may have lost: all of it was sent before.
    pub(in crate::campaign) fn looks_since(&self, now: Timestamp) -> Option<Timestamp> {
        let looking = self.looking.filter(|looking| looking.goes_on(now))?;
        Some(looking.since)
    }

    /// Since when their looks fail.
    pub(in crate::campaign) fn looks_fail_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.looking.filter(|looking| looking.goes_on(now))?.failing_since
    }

    /// Whether the log has said so of late.
    pub(in crate::campaign) fn says_that_it_looks(&self, fails: bool, now: Timestamp) -> bool {
        self.looking.is_some_and(|looking| {
            now.duration_since(looking.last) < SAID_EVERY && (!fails || looking.failing_since.is_some())
        })
    }
}
