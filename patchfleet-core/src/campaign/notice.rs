//! What a person wants to hear at once about driving a campaign, and no log says.

use super::clocks::Difference;
use crate::port::Hearer;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

mod watch;

pub(super) use watch::Failed;
pub(crate) use watch::SILENT_FOR;
use watch::Watch;

/// Called with what a person wants to hear at once.
pub type NoticeObserver = Arc<dyn Fn(&Notice) + Send + Sync>;

/// What a person wants to hear at once. `Display` says it in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Two clocks differ by more than a minute: that of this machine, and that of a machine which wrote a record. Told once. The driver goes by its own clock.
    ClocksDiffer {
        /// The number of the record.
        seq: u64,
        /// The time that the record carries.
        theirs: Timestamp,
        /// The time by this machine's clock: when the record was seen, if it is ahead; when the log was read without
        /// it, if it is behind.
        own: Timestamp,
    },
    /// Something has not worked for a while, and is tried again. Told when it has lasted for 10 seconds, or
    /// will have by the next try, and then at growing intervals.
    Trouble(Box<Trouble>),
    /// Nothing is wrong, and nothing is done for a while: what AWS shows late is waited for. Told once.
    Waits {
        /// What is waited for.
        what: Awaited,
        /// Of what: a unit, or empty.
        subject: String,
        /// Until when.
        until: Timestamp,
    },
    /// Nothing runs, and what comes next waits for its time, for a freeze, a calendar or an alarm, or for a person. Told once.
    BetweenWaves {
        /// What it waits for, in words.
        reason: String,
    },
    /// It works again.
    Over {
        /// What was tried.
        what: Tried,
        /// Since when it had not worked.
        since: Timestamp,
        /// When it did.
        at: Timestamp,
    },
}

/// Something that does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// What is tried.
    pub what: Tried,
    /// Of what: a unit, a location, or empty.
    pub subject: String,
    /// Of how many others as well.
    pub others: usize,
    /// Since when.
    pub since: Timestamp,
    /// When this is said.
    pub at: Timestamp,
    /// Why it failed, in AWS's or the store's words; `None`: it has no answer yet.
    pub reason: Option<String>,
    /// That it is throttled, and made again by itself, in the words of whoever throttles it; `None`: nobody has said so.
    /// Then it has no answer either.
    pub throttled: Option<String>,
    /// When it is tried again, if that is known.
    pub next: Option<Timestamp>,
    /// Until when it is tried, if it goes on failing in this way and that is known.
    pub until: Option<Timestamp>,
}

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Tried {
    /// Reading the campaign's log, or appending to it.
    Log,
    /// Keeping the results of nodes.
    Rows,
    /// Reading results of nodes that were kept.
    KeptRows,
    /// Finding out who calls.
    Caller,
    /// Reading accounts and units of the organization.
    Organization,
    /// Listing the Regions of an account.
    Regions,
    /// Finding out which nodes are in a location.
    Census,
    /// Reading the runbook, or another document.
    Document,
    /// Writing the runbook, or making a version of it the default.
    Publish,
    /// Asking change calendars before a start.
    Calendars,
    /// Asking the CloudWatch alarm before a start.
    Alarm,
    /// Comparing the runbook before a start.
    Runbook,
    /// Starting a unit.
    Start,
    /// Looking whether a unit was begun that the log does not say was begun.
    LookBefore,
    /// Finding out what became of a start without an answer.
    LookUp,
    /// Stopping an execution.
    Stop,
    /// Stopping what runs in a location.
    StopBelow,
    /// Looking at an execution.
    Execution,
    /// Looking at what runs in a location.
    Location,
    /// Reading the results of a location.
    Results,
}

impl Tried {
    /// The words for it, for this subject; for any if it is empty.
    fn words(self, subject: &str) -> String {
        let (what, any) = match self {
            Self::Log => return "reading or writing the campaign's log".to_owned(),
            Self::Rows => ("keeping the results of", "a location"),
            Self::KeptRows => ("reading the kept results of", "a location"),
            Self::Caller => return "finding out who calls".to_owned(),
            Self::Organization => return "reading the organization".to_owned(),
            Self::Regions => ("listing the Regions of", "an account"),
            Self::Census => ("finding out which nodes are in", "a location"),
            Self::Document if subject.is_empty() => return "reading a document".to_owned(),
            Self::Document => ("reading the document", ""),
            Self::Publish if subject.is_empty() => return "writing a document".to_owned(),
            Self::Publish => ("writing the document", ""),
            Self::Calendars => return "asking the change calendars".to_owned(),
            Self::Alarm => return "asking the CloudWatch alarm".to_owned(),
            Self::Runbook => ("comparing the runbook of", "a unit"),
            Self::Start => ("starting", "a unit"),
            Self::LookBefore => {
                let unit = if subject.is_empty() { "a unit" } else { subject };
                return format!("looking whether {unit} was begun before");
            }
            Self::LookUp => ("finding out what became of the start of", "a unit"),
            Self::Stop => ("stopping the execution of", "a unit"),
            Self::StopBelow => ("stopping what runs in", "a location"),
            Self::Execution if subject.is_empty() => return "looking at an execution".to_owned(),
            Self::Execution => ("looking at the execution of", "a unit"),
            Self::Location => ("looking at what runs in", "a location"),
            Self::Results => ("reading the results of", "a location"),
        };
        let subject = if subject.is_empty() { any } else { subject };
        format!("{what} {subject}")
    }
}

/// What is waited for, as AWS may show it late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Awaited {
    /// A start that another process sent and of which nobody knows whether it took effect.
    Start,
    /// Starts that are not in the log: its end may have been lost.
    LostEnd,
    /// What a cancelled execution began.
    Listed,
}

impl Awaited {
    fn words(self, subject: &str) -> String {
        match self {
            Self::Start => {
                format!(
                    "the start of {subject} has no answer, and AWS may take until then to show whether it runs"
                )
            }
            Self::LostEnd => {
                "AWS may take until then to show whether more was started than the log says".to_owned()
            }
            Self::Listed => "AWS may take until then to list what a cancelled execution began".to_owned(),
        }
    }
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
    /// Until when each is waited for. One that takes a little longer than was told is the same wait.
    waits: BTreeMap<(Awaited, String), Timestamp>,
    /// What the next wave waits for.
    between_waves: Option<String>,
    watch: Watch,
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

    /// Tells what has had no answer for long, or has not worked. Call it about once a second while a campaign is
    /// driven: without it only what fails is told, when it fails.
    pub fn look(&self, now: Timestamp) {
        self.tell(|told| told.watch.look(now));
    }

    /// Tells what is to be told.
    fn tell<I: IntoIterator<Item = Notice>>(&self, news: impl FnOnce(&mut Told) -> I) {
        let Some(tell) = &self.tell else {
            return;
        };
        // A panic elsewhere leaves what was told as it is.
        let news = news(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
        news.into_iter().for_each(|notice| tell(&notice));
    }

    /// Clocks differ.
    pub(super) fn clocks(&self, difference: Difference) {
        self.tell(|told| {
            let Difference { seq, theirs, own } = difference;
            let first = !std::mem::replace(&mut told.clocks, true);
            first.then_some(Notice::ClocksDiffer { seq, theirs, own })
        });
    }

    /// Something is waited for until then.
    pub(super) fn waits(&self, what: Awaited, subject: &str, until: Timestamp, now: Timestamp) {
        self.tell(|told| {
            let subject = subject.to_owned();
            let key = (what, subject.clone());
            let goes_on = told.waits.get(&key).is_some_and(|until| *until > now);
            if !goes_on && until.duration_since(now) <= SILENT_FOR {
                return None;
            }
            told.waits.insert(key, until);
            (!goes_on).then_some(Notice::Waits { what, subject, until })
        });
    }

    /// The next wave waits for this.
    pub(super) fn between_waves(&self, reason: &str) {
        self.tell(|told| {
            let before = told.between_waves.replace(reason.to_owned());
            let is_news = before.as_deref() != Some(reason);
            is_news.then(|| Notice::BetweenWaves {
                reason: reason.to_owned(),
            })
        });
    }

    /// Something is tried.
    pub(super) fn asked(&self, what: Tried, subject: &str, now: Timestamp) {
        self.tell(|told| {
            told.watch.asked(what, subject, 0, now);
            None
        });
    }

    /// Something is tried, and as often as it is. Gives the number of this try.
    pub(crate) fn asked_anew(&self, what: Tried, subject: &str, now: Timestamp) -> u64 {
        let mut call = 0;
        self.tell(|told| {
            call = told.watch.asked_anew(what, subject, now);
            None
        });
        call
    }

    /// The try of this number is over.
    pub(crate) fn answered_anew(&self, what: Tried, subject: &str, call: u64, works: bool, now: Timestamp) {
        self.tell(|told| told.watch.over(what, subject, call, works, now));
    }

    /// An answer has come, and nobody has taken it yet: whoever is waited for from now on, it is not AWS.
    pub(super) fn answered(&self, what: Tried, subject: &str) {
        self.tell(|told| {
            told.watch.answered(what, subject);
            None
        });
    }

    /// Who hears that the try of this number is put off: 0 if there is one try at a time.
    pub(crate) fn hearer(&self, what: Tried, subject: &str, call: u64) -> Hearer {
        let (notices, subject) = (self.clone(), subject.to_owned());
        Arc::new(move |words| {
            notices.tell(|told| {
                told.watch.put_off(what, &subject, call, words);
                None
            });
        })
    }

    /// It failed, and is tried again.
    pub(super) fn failed(&self, what: Tried, subject: &str, failed: Failed, now: Timestamp) {
        self.tell(|told| told.watch.failed(what, subject, failed, now));
    }

    /// It works.
    pub(super) fn works(&self, what: Tried, subject: &str, now: Timestamp) {
        self.tell(|told| told.watch.over(what, subject, 0, true, now));
    }

    /// It is not tried any more. Whoever gave it up says so.
    pub(super) fn given_up(&self, what: Tried, subject: &str, now: Timestamp) {
        self.tell(|told| told.watch.over(what, subject, 0, false, now));
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
                    // A record is made before it is appended, and a log in trouble is tried for minutes.
                    false => write!(
                        f,
                        "after {own:.0} by this machine's clock, if it was not kept back by the log for so long"
                    )?,
                }
                f.write_str("; this driver waits by its own clock, so see which of the two is wrong")
            }
            Self::Trouble(trouble) => trouble.fmt(f),
            Self::Waits { what, subject, until } => {
                write!(f, "waiting until {until:.0}: {}", what.words(subject))
            }
            Self::BetweenWaves { reason } => {
                write!(f, "nothing runs, and nothing more begins yet: {reason}")
            }
            Self::Over { what, since, at } => {
                let lasted = whole_seconds(at.duration_since(*since));
                write!(f, "{} works again, after {lasted:#}", what.words(""))
            }
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what.words(&self.subject))?;
        match self.others {
            0 => {}
            1 => f.write_str(" and 1 other")?,
            n => write!(f, " and {n} others")?,
        }
        let lasts = whole_seconds(self.at.duration_since(self.since));
        let since = self.since;
        let Some(reason) = &self.reason else {
            if let Some(words) = &self.throttled {
                return write!(
                    f,
                    " has been throttled since {since:.0} ({lasts:#}), and is made again more slowly: {words}"
                );
            }
            return write!(
                f,
                " has had no answer since {since:.0} ({lasts:#}), and is waited for"
            );
        };
        write!(f, " has not worked since {since:.0} ({lasts:#}): {reason}")?;
        match (self.next, self.until) {
            (Some(next), Some(until)) => write!(
                f,
                "; the next try is at {next:.0}, and it is tried until {until:.0}"
            ),
            (Some(next), None) => write!(f, "; the next try is at {next:.0}"),
            (None, Some(until)) => write!(f, "; it is tried until {until:.0}"),
            (None, None) => f.write_str("; it is tried again"),
        }
    }
}

/// The time without what is below a second.
fn whole_seconds(time: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(time.as_secs())
}
