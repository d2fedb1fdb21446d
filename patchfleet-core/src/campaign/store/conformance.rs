//! Whether a store keeps the promises of [`CampaignLog`](super::CampaignLog) and [`NodeRows`](super::NodeRows).
//!
//! A campaign is only as safe as its store: one that swallows a record, or gives one number to two writers, has
//! machines patched twice. Each promise is a [`Law`] here, and [`check_all`] holds a store to all of them. What
//! is found names the law, what was done and what came of it.
//!
//! A test of a store gives a function that makes an empty [`Place`] of its kind. A place opens as many handles
//! as are asked for, as that many processes would. Each law has a place of its own. This is the whole test of a
//! store that keeps each record as one object:
//!
//! ```
#![doc = include_str!("conformance/objects.rs")]
//! # the_bucket_is_a_store();
//! ```
//!
//! Two kinds of laws need help from the place. A lost answer and damaged content do not come by themselves, so
//! [`Place::fault`] and [`Place::damage`] make them. A place that cannot make them says so, and the law is among
//! the [`Unchecked`] then.

use crate::campaign::{LogKey, Store};
use crate::id::{CampaignId, Location};
use crate::port::{BoxFuture, PortResult};
use futures_util::FutureExt as _;
use std::error::Error;
use std::fmt;

mod appends;
mod damage;
mod listing;
mod reads;
mod rows;
mod samples;
mod told;

/// An empty store to be tested, and what may befall it.
pub trait Place: Send + Sync {
    /// Another handle on the same store, as another process would open it. Handles share nothing but the store.
    fn open(&self) -> BoxFuture<'_, PortResult<Store>>;

    /// Has the next append on any handle meet with trouble. Gives whether that can be done here; it cannot by
    /// default.
    fn fault(&self, _: Fault) -> bool {
        false
    }

    /// Damages what is kept, behind the back of every handle. Gives whether that can be done here; it cannot by
    /// default.
    fn damage(&self, _: &Damage) -> bool {
        false
    }

    /// Lets a listing that is eventually consistent come closer to the truth. It is asked for up to 100 times
    /// between two looks at a listing. By default a listing is never late.
    fn wait(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Does these pieces of work at once. By default one task does them in turns, which is at once for a store
    /// that waits for answers. For one that blocks its thread, let each have a thread of its own.
    fn together(&self, work: Vec<BoxFuture<'static, ()>>) -> BoxFuture<'_, ()> {
        futures_util::future::join_all(work).map(|_| ()).boxed()
    }

    /// How many logs, and how many records of one log, there are more of than one answer of a listing holds.
    /// By default it is 1,100, for listings of 1,000.
    fn more_than_a_page(&self) -> usize {
        1_100
    }
}

/// What befalls an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The record is kept, and the answer that says so is lost.
    AnswerLost,
    /// The record never reaches the place.
    NeverSent,
}

/// What befalls that which is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// One bit of a record is flipped.
    Flipped {
        /// Of this log.
        log: LogKey,
        /// Its number.
        seq: u64,
    },
    /// A record is there and holds nothing.
    Emptied {
        /// Of this log.
        log: LogKey,
        /// Its number.
        seq: u64,
    },
    /// A record is gone, and those before and behind it are there.
    Removed {
        /// Of this log.
        log: LogKey,
        /// Its number.
        seq: u64,
    },
    /// Two records that follow each other stand in each other's place.
    Swapped {
        /// Of this log.
        log: LogKey,
        /// The number of the first of them.
        seq: u64,
    },
    /// A record and all behind it are gone.
    CutShort {
        /// Of this log.
        log: LogKey,
        /// How many are left.
        left: u64,
    },
    /// The rows of a location are cut in two.
    Rows {
        /// Of this campaign.
        campaign: CampaignId,
        /// The location.
        location: Location,
    },
}

/// What a store promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Law {
    /// Records are appended in order, and each is there once its append has said so.
    AppendsInOrder,
    /// Of two writers of one number the first wins. The other is told so, and its record is not kept.
    OneWinner,
    /// A record that leaves a gap, or that follows another record than the last one, is refused and not kept.
    NoGaps,
    /// Of writers that race for each number exactly one wins, and all of them leave one whole log.
    Races,
    /// A name is claimed once: of many that append the first record of a name's log at once, one wins.
    ClaimsOnce,
    /// An append whose answer is lost says [`Sent::Maybe`](crate::port::Sent::Maybe) or that the record is there.
    /// One that says [`Sent::No`](crate::port::Sent::No) has kept nothing.
    LostAnswers,
    /// Reading from a number gives exactly the records from it on. It is an error if there are fewer.
    ReadsFrom,
    /// Every handle reads what any other one has appended.
    HandlesAgree,
    /// What is not there reads as nothing, and reading makes nothing.
    NothingIsNothing,
    /// The last record, and the name in the first one, are those of the log.
    FirstAndLast,
    /// A record is read back as it was appended, byte for byte.
    ByteForByte,
    /// A record may be some megabytes long.
    LargeRecords,
    /// A log may have more records than one answer of a listing holds.
    LongLogs,
    /// Logs do not mix, however much alike their ids and names are.
    LogsApart,
    /// Every log that has a record is listed before long, and no other.
    Listed,
    /// A listing of more logs than one answer holds is whole.
    LongListings,
    /// What was kept is there for whoever opens the store later.
    Reopened,
    /// A record that is damaged, gone or out of place is told, never skipped, and never appended to.
    DamageIsTold,
    /// A log that has fewer records than its writer has read is told, and not appended to.
    CutShortIsTold,
    /// Rows of a newer attempt win over those of an older one, whichever comes last. Of one attempt those that
    /// are put last win. Rows are replaced as a whole.
    NewestRowsWin,
    /// Rows are read back as they were put, ordered by node.
    RowsByteForByte,
    /// Rows of different campaigns and locations do not mix.
    RowsApart,
    /// Damaged rows are told, and can be put again.
    DamagedRowsAreTold,
}

impl Law {
    /// Every law, in the order in which they are checked.
    pub const ALL: [Self; 23] = [
        Self::AppendsInOrder,
        Self::OneWinner,
        Self::NoGaps,
        Self::Races,
        Self::ClaimsOnce,
        Self::LostAnswers,
        Self::ReadsFrom,
        Self::HandlesAgree,
        Self::NothingIsNothing,
        Self::FirstAndLast,
        Self::ByteForByte,
        Self::LargeRecords,
        Self::LongLogs,
        Self::LogsApart,
        Self::Listed,
        Self::LongListings,
        Self::Reopened,
        Self::DamageIsTold,
        Self::CutShortIsTold,
        Self::NewestRowsWin,
        Self::RowsByteForByte,
        Self::RowsApart,
        Self::DamagedRowsAreTold,
    ];

    /// The law in a sentence.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::AppendsInOrder => {
                "records are appended in order, and each is there once its append has said so"
            }
            Self::OneWinner => "of two writers of one number the first wins, and the other is told so",
            Self::NoGaps => {
                "a record that leaves a gap or does not follow the last one is refused and not kept"
            }
            Self::Races => "of writers that race for each number one wins, and all leave one whole log",
            Self::ClaimsOnce => "of many that claim a name at once, one wins",
            Self::LostAnswers => "an append says Sent::Maybe unless nothing was kept",
            Self::ReadsFrom => {
                "reading from a number gives exactly the records from it on, or an error if there are fewer"
            }
            Self::HandlesAgree => "every handle reads what any other one has appended",
            Self::NothingIsNothing => "what is not there reads as nothing, and reading makes nothing",
            Self::FirstAndLast => "the last record, and the name in the first one, are those of the log",
            Self::ByteForByte => "a record is read back as it was appended, byte for byte",
            Self::LargeRecords => "a record may be some megabytes long",
            Self::LongLogs => "a log may have more records than one answer of a listing holds",
            Self::LogsApart => "logs do not mix, however much alike their ids and names are",
            Self::Listed => "every log that has a record is listed before long, and no other",
            Self::LongListings => "a listing of more logs than one answer holds is whole",
            Self::Reopened => "what was kept is there for whoever opens the store later",
            Self::DamageIsTold => "a record that is damaged, gone or out of place is told and never skipped",
            Self::CutShortIsTold => {
                "a log with fewer records than were read from it is told, and not appended to"
            }
            Self::NewestRowsWin => {
                "rows of the newest attempt win, and of one attempt those that are put last"
            }
            Self::RowsByteForByte => "rows are read back as they were put, ordered by node",
            Self::RowsApart => "rows of different campaigns and locations do not mix",
            Self::DamagedRowsAreTold => "damaged rows are told, and can be put again",
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} ({})", self.text())
    }
}

/// What a store does that it may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{law} does not hold: {found}")]
pub struct Broken {
    /// The law.
    pub law: Law,
    /// What was done, and what came of it.
    pub found: String,
}

/// Everything that a store does and may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// One for each law that does not hold.
    pub broken: Vec<Broken>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.broken.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl Error for Findings {}

/// The laws that could not be checked, because the place makes no such damage or fault.
pub type Unchecked = Vec<Law>;

/// Whether a law was checked, or what is wrong.
type Verdict = Result<bool, String>;

/// Holds a store to one law, in an empty place. Gives whether it could be checked there.
///
/// # Errors
///
/// [`Broken`] if the law does not hold.
pub async fn check(law: Law, place: &dyn Place) -> Result<bool, Broken> {
    let verdict = match law {
        Law::AppendsInOrder => appends::in_order(place).await,
        Law::OneWinner => appends::one_winner(place).await,
        Law::NoGaps => appends::no_gaps(place).await,
        Law::Races => appends::races(place).await,
        Law::ClaimsOnce => appends::claims_once(place).await,
        Law::LostAnswers => appends::lost_answers(place).await,
        Law::ReadsFrom => reads::from_each_number(place).await,
        Law::HandlesAgree => reads::handles_agree(place).await,
        Law::NothingIsNothing => reads::nothing(place).await,
        Law::FirstAndLast => reads::first_and_last(place).await,
        Law::ByteForByte => reads::byte_for_byte(place).await,
        Law::LargeRecords => reads::large(place).await,
        Law::LongLogs => reads::long(place).await,
        Law::LogsApart => reads::apart(place).await,
        Law::Listed => listing::soon_and_exact(place).await,
        Law::LongListings => listing::long(place).await,
        Law::Reopened => reads::reopened(place).await,
        Law::DamageIsTold => damage::is_told(place).await,
        Law::CutShortIsTold => damage::of_the_end(place).await,
        Law::NewestRowsWin => rows::newest_win(place).await,
        Law::RowsByteForByte => rows::byte_for_byte(place).await,
        Law::RowsApart => rows::apart(place).await,
        Law::DamagedRowsAreTold => damage::of_rows(place).await,
    };
    verdict.map_err(|found| Broken { law, found })
}

/// Holds a store to every law. `fresh` makes an empty place, one for each law. Gives the laws that could not be
/// checked there.
///
/// # Errors
///
/// [`Findings`] with every law that does not hold.
pub async fn check_all(fresh: &(dyn Fn() -> Box<dyn Place> + Sync)) -> Result<Unchecked, Findings> {
    let (mut broken, mut unchecked) = (vec![], vec![]);
    for law in Law::ALL {
        let place = fresh();
        match check(law, place.as_ref()).await {
            Ok(true) => {}
            Ok(false) => unchecked.push(law),
            Err(found) => broken.push(found),
        }
    }
    if broken.is_empty() {
        Ok(unchecked)
    } else {
        Err(Findings { broken })
    }
}

#[cfg(test)]
mod tests;
