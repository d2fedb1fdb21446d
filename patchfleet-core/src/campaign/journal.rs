//! A campaign's log as a driver uses it: reading with patience, and appending so that one's own
//! success is known from somebody else's.

use super::notice::{Failed, Notices, Tried};
use super::patience::Tries;
use super::polls::{Failures, later};
use super::{Record, State, StateError};
use crate::campaign::{Appended, CampaignLog, LogKey};
use crate::id::CampaignId;
use crate::port::{BoxFuture, Clock, PortError, PortErrorKind, PortResult, Sent, hearing};
use crate::slip::{Slip, slips};
use jiff::Timestamp;

/// The state of a campaign; `None` if its log does not exist.
///
/// # Errors
///
/// Whatever keeps the log from being read, or [`PortErrorKind::Incompatible`] if it is damaged.
pub(crate) async fn load(log: &dyn CampaignLog, campaign: CampaignId) -> PortResult<Option<State>> {
    let records = log.read(&LogKey::Campaign(campaign), 0).await?;
    match State::of_campaign(campaign, &records) {
        Ok(state) => Ok(Some(state)),
        Err(StateError::Empty) => Ok(None),
        Err(error) => Err(PortError::new(
            PortErrorKind::Incompatible,
            format!("the log of campaign {campaign} is damaged"),
        )
        .with_source(error)),
    }
}

/// A log, with patience.
#[derive(Clone, Copy)]
pub(super) struct Journal<'a> {
    pub(super) log: &'a dyn CampaignLog,
    /// What is waited by; `None`: nothing is tried again.
    pub(super) clock: Option<&'a dyn Clock>,
    /// Who is told of trouble.
    pub(super) notices: Option<&'a Notices>,
}

impl<'a> Journal<'a> {
    /// Reads from record `from` on.
    pub(super) async fn read(&self, key: &LogKey, from: u64) -> PortResult<Vec<Record>> {
        self.patiently(|log| log.read(key, from)).await
    }

    /// What a call answers that only reads.
    pub(super) async fn patiently<T>(
        &self,
        call: impl Fn(&'a dyn CampaignLog) -> BoxFuture<'a, PortResult<T>>,
    ) -> PortResult<T> {
        let _tries = self.tries();
        let mut failures = Failures::default();
        loop {
            self.tell(|notices, now| notices.asked(Tried::Log, "", now));
            match self.heard(call(self.log)).await {
                Ok(answer) => {
                    self.tell(|notices, now| notices.works(Tried::Log, "", now));
                    return Ok(answer);
                }
                Err(error) => self.bear(error, &mut failures).await?,
            }
        }
    }

    /// Appends a record. [`Appended::Conflict`]: another record has its number.
    pub(super) async fn append(&self, key: &LogKey, record: &Record) -> PortResult<Appended> {
        let _tries = self.tries();
        let mut failures = Failures::default();
        loop {
            self.tell(|notices, now| notices.asked(Tried::Log, "", now));
            let appended = self.heard(self.log.append(key, record)).await;
            if appended.is_ok() {
                self.tell(|notices, now| notices.works(Tried::Log, "", now));
            }
            let error = match appended {
                Ok(Appended::Yes) => return Ok(Appended::Yes),
                // An append that seemed to fail may have succeeded: then the record is one's own.
                Ok(Appended::Conflict) => return self.whose(key, record).await,
                Err(error) => error,
            };
            if error.sent() == Sent::Maybe {
                let there = self.read(key, record.seq).await?;
                if !there.is_empty() {
                    return Ok(verdict(&there, record));
                }
            }
            self.bear(error, &mut failures).await?;
        }
    }

    /// Whose record has the number of `record`. A store may show it late; one that never shows it has
    /// lost what was read from it before.
    async fn whose(&self, key: &LogKey, record: &Record) -> PortResult<Appended> {
        let mut failures = Failures::default();
        loop {
            let there = self.read(key, record.seq).await?;
            if !there.is_empty() {
                return Ok(verdict(&there, record));
            }
            failures.add(PortErrorKind::Other);
            self.tell_failed(failures, PortErrorKind::Other, || {
                format!("the log takes no record {}, and does not show it yet", record.seq)
            });
            if failures.are_too_many() {
                self.tell(|notices, now| notices.given_up(Tried::Log, "", now));
                let seq = record.seq;
                return Err(PortError::new(
                    PortErrorKind::Incompatible,
                    format!("the log takes no record {seq}, and shows none: it was cut short or deleted"),
                ));
            }
            self.wait(failures).await;
        }
    }

    /// Waits before the next try, or gives the error back if there were enough.
    async fn bear(&self, error: PortError, failures: &mut Failures) -> PortResult<()> {
        failures.add(error.kind());
        let lasts = matches!(error.kind(), PortErrorKind::Incompatible | PortErrorKind::Invalid);
        if lasts || failures.are_too_many() || self.clock.is_none() {
            self.tell(|notices, now| notices.given_up(Tried::Log, "", now));
            return Err(error);
        }
        self.tell_failed(*failures, error.kind(), || error.chain());
        self.wait(*failures).await;
        Ok(())
    }

    /// Tells that it failed, and is tried again.
    fn tell_failed(&self, failures: Failures, kind: PortErrorKind, why: impl FnOnce() -> String) {
        self.tell(|notices, now| {
            let failed = Failed {
                reason: why(),
                next: Some(later(now, failures.backoff())),
                until: Some(failures.until(now, kind)),
            };
            notices.failed(Tried::Log, "", failed, now);
        });
    }

    /// The same call, of which is told that it is put off.
    fn heard<T>(&self, call: BoxFuture<'a, T>) -> BoxFuture<'a, T>
    where
        T: 'a,
    {
        match self.notices {
            Some(notices) => Box::pin(hearing(call, notices.hearer(Tried::Log, "", 0))),
            None => call,
        }
    }

    /// Nothing more is told once this is dropped.
    fn tries(&self) -> Option<Tries<'a>> {
        let (clock, notices) = self.clock.zip(self.notices)?;
        Some(Tries {
            clock,
            notices,
            what: Tried::Log,
            subject: "",
        })
    }

    fn tell(&self, what: impl FnOnce(&Notices, Timestamp)) {
        if let (Some(notices), Some(clock)) = (self.notices, self.clock) {
            what(notices, clock.now());
        }
    }

    async fn wait(&self, failures: Failures) {
        if let Some(clock) = self.clock {
            let until = later(clock.now(), failures.backoff());
            clock.sleep_until(until).await;
        }
    }
}

/// Whether the record with the number of `record` is `record`.
fn verdict(there: &[Record], record: &Record) -> Appended {
    match there.first() {
        Some(first) if first == record || slips(Slip::TakesEveryRecord) => Appended::Yes,
        _ => Appended::Conflict,
    }
}
