//! One run of one plan, as a list of what happened.
//!
//! The log is an ordered list of [`Record`]s, and the state ([`State`]) is a fold over it. Deciding is
//! pure: by the state and the time it says what to append, which calls to make, when to wake, and why
//! the next unit waits. The driver is a thin loop around the two that calls the ports and takes each answer as
//! it comes. A program follows a campaign through [`Campaigns`](crate::Campaigns).

pub(crate) mod admission;
mod claims;
mod classify;
mod clocks;
mod collect;
mod commands;
mod decide;
mod dispatch;
pub(crate) mod driver;
mod event;
mod facts;
pub(crate) mod fire;
mod hidden;
mod journal;
mod ledger;
mod listing;
mod memory;
mod notice;
mod observe;
mod patience;
mod polls;
pub(crate) mod rule;
mod start;
mod state;
mod store;
mod strays;
mod summary;
#[cfg(test)]
pub(crate) mod tests;
mod timers;

pub use admission::{Hold, HoldReason};
pub(crate) use claims::{campaigns_of, open_campaign};
pub use driver::{DriveError, Observer, Progress, SHORTEST_GAP, SentAgain, StillUnread, UnreadNodes};
pub(crate) use driver::{Driver, name_taken};
pub(crate) use event::AT_CUTOFF;
pub use event::{
    AlarmSaid, AlarmStop, CalendarsSaid, Event, NotStopped, NotWell, ParseDigestError, RECORD_FORMAT, Record,
    RecordDigest, Replacement, StopAsked, StopMode, TurnedUp,
};
pub(crate) use fire::{Before, Fired, fire_plan, fired_before, require_no_driver, within};
pub use fire::{FireError, FiredBefore, FiredUnit, NeedsDriver, Unfinished, UnfinishedReason};
pub(crate) use journal::load;
pub use ledger::SoFar;
pub use listing::{CampaignList, CampaignSummary, DamagedLog};
pub(crate) use listing::{campaign_alone, campaigns};
pub use notice::{Awaited, Notice, NoticeObserver, Notices, Tried, Trouble};
pub(crate) use polls::LOOK_UP_AFTER;
pub use rule::Rule;
pub use state::{
    BoundStanding, BreakerStanding, BreakerStop, FleetAtAws, FleetLeft, FleetSoFar, FleetStanding, FleetStop,
    LabelStanding, LabelStop, SoakStanding, State, StopReason, WaveBegun, WaveBudgetStop, WaveStanding,
    WaveStop,
};
pub(crate) use state::{KeptBack, LocationState, NEW_RUN, StartState, StateError, TriedAgain, UnitState};
#[cfg(feature = "store-tests")]
pub use store::conformance;
pub use store::{Appended, CampaignLog, Chain, ChainError, LogKey, NodeRows, RecordError, Store};
#[cfg(feature = "file-log")]
pub use store::{FileLog, FileRows};

#[cfg(test)]
pub(crate) use {
    classify::{PATCH_STATE_LAG, PING_LAG},
    clocks::CLOCKS_AGREE_WITHIN,
    decide::RESEND_WITHIN,
    driver::{Drive, Recollected, Turn},
    notice::SILENT_FOR,
    polls::TAGS_SEEN_WITHIN,
    state::{COMMAND_ATTEMPTS, StopStanding},
    store::{MemoryLog, MemoryRows},
};

/// How many reads and writes of the store run at once.
const STORE_CALLS_AT_ONCE: usize = 16;

/// How many reads of one action run at once. Rates are the ports' business; this bounds memory and
/// open connections.
const READS_AT_ONCE: usize = 8;
