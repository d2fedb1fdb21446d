//! When a record was appended, by the clock of whoever reads it.
//!
//! A record carries the time of the machine that wrote it, and that machine's clock may be wrong. A driver waits by
//! its own clock alone. So it places each record of others on that clock, once, when it first sees the record: a
//! record that it can read was appended by now, and one that came since its last look was appended since that look.

use super::Record;
use jiff::{SignedDuration, Timestamp};

/// By how much clocks may differ without a word. Machines that keep their clocks by a time service agree within a
/// second or so, and a record is appended within seconds of the time that it carries, unless the log is in trouble.
/// A minute is well above both. It is well below the shortest time after which a campaign counts as left alone
/// ([`SHORTEST_GAP`](super::SHORTEST_GAP)), below the time for which late results are waited for, and below that for
/// which a client token is trusted ([`RESEND_WITHIN`](super::RESEND_WITHIN)).
pub(crate) const CLOCKS_AGREE_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// When a record was appended, by one's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    /// From when what it says is counted. Never later than when it was first seen.
    pub(super) at: Timestamp,
    /// It was not appended before this; `None`: nobody knows how old it is.
    pub(super) not_before: Option<Timestamp>,
}

/// Two clocks that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Difference {
    /// The number of the record that shows it.
    pub(super) seq: u64,
    /// The time that the record carries.
    pub(super) theirs: Timestamp,
    /// When it was appended by one's own clock: not after this if the other clock is ahead, and not before it if
    /// the other clock is behind.
    pub(super) own: Timestamp,
}

impl Placed {
    /// By the clock of whoever wrote it: one's own record, or one that is only read and waited for by nobody.
    pub(super) fn as_written(record: &Record) -> Self {
        Self {
            at: record.at,
            not_before: Some(record.at),
        }
    }

    /// A record that came after `since` and is seen `now`. One that carries a time far outside shows that the
    /// clocks differ; it counts from now, and is as old as it can be.
    pub(super) fn between(record: &Record, since: Timestamp, now: Timestamp) -> (Self, Option<Difference>) {
        let difference = |own| {
            Some(Difference {
                seq: record.seq,
                theirs: record.at,
                own,
            })
        };
        let unsure = Self {
            at: now,
            not_before: Some(since),
        };
        let at = record.at;
        if at > later(now) {
            (unsure, difference(now))
        } else if later(at) < since {
            (unsure, difference(since))
        } else if at > now {
            (unsure, None)
        } else {
            (Self::as_written(record), None)
        }
    }

    /// Records that were there before one's own first look, which is `now`. What is behind cannot be told from
    /// what is old. The age of what is ahead is not known: it counts from the next record that is not, or from
    /// now.
    pub(super) fn before(records: &[Record], now: Timestamp) -> (Vec<Self>, Option<Difference>) {
        let mut difference: Option<Difference> = None;
        let mut bound = now;
        let mut placed: Vec<Self> = records
            .iter()
            .rev()
            .map(|record| {
                let at = record.at;
                if at <= now {
                    bound = bound.min(at);
                    return Self::as_written(record);
                }
                if at > later(now) && difference.is_none_or(|known| known.theirs < at) {
                    difference = Some(Difference {
                        seq: record.seq,
                        theirs: at,
                        own: now,
                    });
                }
                Self {
                    at: bound,
                    not_before: (at <= later(now)).then(|| earlier(at).min(bound)),
                }
            })
            .collect();
        placed.reverse();
        (placed, difference)
    }
}

fn later(at: Timestamp) -> Timestamp {
    at.checked_add(CLOCKS_AGREE_WITHIN).unwrap_or(Timestamp::MAX)
}

fn earlier(at: Timestamp) -> Timestamp {
    at.checked_sub(CLOCKS_AGREE_WITHIN).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::{Chain, LogKey};
    use crate::id::WriterId;
    use uuid::Uuid;

    fn at(time: &str) -> Timestamp {
        format!("2026-03-01T{time}Z").parse().unwrap()
    }

    fn record(time: &str) -> Record {
        let key = LogKey::Name("weekly".parse().unwrap());
        Chain::of(&key).record(at(time), WriterId::from_uuid(Uuid::nil()), vec![])
    }

    fn seen(time: &str) -> (Placed, Option<Difference>) {
        Placed::between(&record(time), at("11:59:30"), at("12:00:00"))
    }

    #[test]
    fn a_record_that_has_just_come_is_as_old_as_it_says_where_clocks_agree() {
        for time in ["11:59:30", "11:59:59", "12:00:00", "11:58:31"] {
            let record = record(time);
            assert_eq!(seen(time), (Placed::as_written(&record), None), "{time}");
        }
    }

    #[test]
    fn a_record_that_has_just_come_came_between_two_looks_whatever_it_says() {
        let unsure = Placed {
            at: at("12:00:00"),
            not_before: Some(at("11:59:30")),
        };
        assert_eq!(seen("12:00:50"), (unsure, None), "too little to be told");
        let (placed, difference) = seen("13:00:00");
        assert_eq!(placed, unsure, "ahead");
        let apart = |difference: Option<Difference>| difference.map(|it| it.theirs.duration_since(it.own));
        assert_eq!(apart(difference), Some(SignedDuration::from_hours(1)));
        let (placed, difference) = seen("10:59:30");
        assert_eq!(placed, unsure, "behind");
        assert_eq!(apart(difference), Some(SignedDuration::from_hours(-1)));
    }

    #[test]
    fn nobody_knows_how_old_a_record_is_that_was_there_before_and_stands_ahead() {
        let times = ["13:00:00", "11:30:00", "13:30:00", "13:10:00", "12:00:20"];
        let (placed, difference) = Placed::before(&times.map(record), at("12:00:00"));
        let told = |index: usize| (placed[index].at, placed[index].not_before);
        assert_eq!(told(0), (at("11:30:00"), None), "the next record is that old");
        assert_eq!(told(1), (at("11:30:00"), Some(at("11:30:00"))));
        assert_eq!(told(2), (at("12:00:00"), None));
        assert_eq!(
            told(4),
            (at("12:00:00"), Some(at("11:59:20"))),
            "clocks may differ by a minute"
        );
        let difference = difference.unwrap();
        assert_eq!(difference.theirs, at("13:30:00"), "the farthest is told");
        assert_eq!(difference.own, at("12:00:00"));
    }
}
