//! What a person wants to hear at once about driving a campaign, and no log says.

use super::clocks::Difference;
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Called with what a person wants to hear at once.
pub type NoticeObserver = Arc<dyn Fn(&Notice) + Send + Sync>;

/// What a person wants to hear at once. `Display` says it in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Two clocks differ by more than [`CLOCKS_AGREE_WITHIN`](super::CLOCKS_AGREE_WITHIN): that of this machine, and
    /// that of a machine which wrote a record. Told once. The driver goes by its own clock.
    ClocksDiffer {
        /// The number of the record.
        seq: u64,
        /// The time that the record carries.
        theirs: Timestamp,
        /// The time by this machine's clock: when the record was seen, if it is ahead; when the log was read without
        /// it, if it is behind.
        own: Timestamp,
    },
}

/// Whoever is told, and what was told already. Clones share it.
#[derive(Clone, Default)]
pub struct Notices {
    tell: Option<NoticeObserver>,
    told: Arc<Mutex<Told>>,
}

/// What was told already.
#[derive(Default)]
struct Told {
    clocks: bool,
}

impl Notices {
    /// Tells `tell`. By [`default`](Self::default) nobody is told.
    #[must_use]
    pub fn new(tell: NoticeObserver) -> Self {
        Self {
            tell: Some(tell),
            told: Arc::default(),
        }
    }

    /// Tells what is to be told, if something is.
    fn tell(&self, news: impl FnOnce(&mut Told) -> Option<Notice>) {
        let Some(tell) = &self.tell else {
            return;
        };
        // A panic elsewhere leaves what was told as it is.
        let news = news(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
        news.iter().for_each(|notice| tell(notice));
    }

    /// Clocks differ.
    pub(super) fn clocks(&self, difference: Difference) {
        self.tell(|told| {
            let Difference { seq, theirs, own } = difference;
            let first = !std::mem::replace(&mut told.clocks, true);
            first.then_some(Notice::ClocksDiffer { seq, theirs, own })
        });
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClocksDiffer { seq, theirs, own } => {
                let apart = whole_seconds(theirs.duration_since(*own).abs());
                write!(
                    f,
                    "clocks differ by {apart:#}: record {seq} of the log says {theirs:.0}, and it was appended "
                )?;
                match theirs > own {
                    true => write!(f, "before {own:.0} by this machine's clock")?,
                    false => write!(f, "after {own:.0} by this machine's clock")?,
                }
                f.write_str("; this driver waits by its own clock, so see which of the two is wrong")
            }
        }
    }
}

/// The time without what is below a second.
fn whole_seconds(time: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(time.as_secs())
}
