//! A campaign's log as a driver uses it: reading with patience, and appending so that one's own
//! success is known from somebody else's.

use super::polls::{Failures, later};
use super::{Event, Record, State, StateError};
use crate::id::{CampaignId, RequestName};
use crate::port::{Appended, CampaignLog, Clock, LogKey, PortError, PortErrorKind, PortResult, Sent};

/// The campaign that a request's name has, if it is open.
///
/// # Errors
///
/// Whatever keeps the log from being read, or [`PortErrorKind::Incompatible`] if it is damaged.
pub async fn open_campaign(log: &dyn CampaignLog, name: &RequestName) -> PortResult<Option<CampaignId>> {
    let records = log.read(&LogKey::Name(name.clone()), 0).await?;
    let Some(campaign) = claimed(&records) else {
        return Ok(None);
    };
    let open = load(log, campaign)
        .await?
        .is_some_and(|state| state.finished().is_none());
    Ok(open.then_some(campaign))
}

/// The state of a campaign; `None` if its log does not exist.
///
/// # Errors
///
/// Whatever keeps the log from being read, or [`PortErrorKind::Incompatible`] if it is damaged.
pub async fn load(log: &dyn CampaignLog, campaign: CampaignId) -> PortResult<Option<State>> {
    let records = log.read(&LogKey::Campaign(campaign), 0).await?;
    match State::from_records(&records) {
        Ok(state) => Ok(Some(state)),
        Err(StateError::Empty) => Ok(None),
        Err(error) => Err(PortError::new(
            PortErrorKind::Incompatible,
            format!("the log of campaign {campaign} is damaged"),
        )
        .with_source(error)),
    }
}

/// The campaign that a name's log names last.
pub(super) fn claimed(records: &[Record]) -> Option<CampaignId> {
    let events = records.iter().rev().flat_map(|record| record.events.iter().rev());
    events
        .filter_map(|event| match event {
            Event::Claimed { campaign } => Some(*campaign),
            _ => None,
        })
        .next()
}

/// A log, with patience.
pub(super) struct Journal<'a> {
    pub(super) log: &'a dyn CampaignLog,
    pub(super) clock: &'a dyn Clock,
}

impl Journal<'_> {
    /// Reads from record `from` on.
    pub(super) async fn read(&self, key: &LogKey, from: u64) -> PortResult<Vec<Record>> {
        let mut failures = Failures::default();
        loop {
            match self.log.read(key, from).await {
                Ok(records) => return Ok(records),
                Err(error) => self.bear(error, &mut failures).await?,
            }
        }
    }

    /// Appends a record. [`Appended::Conflict`]: another record has its number.
    pub(super) async fn append(&self, key: &LogKey, record: &Record) -> PortResult<Appended> {
        let mut failures = Failures::default();
        loop {
            let error = match self.log.append(key, record).await {
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
            if failures.are_too_many() {
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
        if error.kind() == PortErrorKind::Incompatible || failures.are_too_many() {
            return Err(error);
        }
        self.wait(*failures).await;
        Ok(())
    }

    async fn wait(&self, failures: Failures) {
        let until = later(self.clock.now(), failures.backoff());
        self.clock.sleep_until(until).await;
    }
}

/// Whether the record with the number of `record` is `record`.
fn verdict(there: &[Record], record: &Record) -> Appended {
    match there.first() {
        Some(first) if first == record => Appended::Yes,
        _ => Appended::Conflict,
    }
}
