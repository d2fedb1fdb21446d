//! Every campaign of a store, with what cannot be read.

use super::STORE_CALLS_AT_ONCE;
use super::admission::Hold;
use super::journal::Journal;
use super::ledger::SoFar;
use super::state::{BoundStanding, BreakerStanding, FleetStanding, LabelStanding, WaveStanding};
use crate::campaign::{CampaignLog, LogKey, NotStopped, State, StopAsked};
use crate::id::{CampaignId, RequestName, WriterId};
use crate::outcome::FinishedOutcome;
use crate::port::{BoxFuture, PortError, PortErrorKind, PortResult};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// One campaign of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CampaignSummary {
    /// The campaign.
    pub campaign: CampaignId,
    /// Its request's name.
    pub request: RequestName,
    /// When its plan was written down.
    pub planned_at: Timestamp,
    /// When its last record was appended, by the clock of whoever appended it.
    pub last_at: Timestamp,
    /// Who appended it. Each process that writes into a log has an id of its own.
    pub last_writer: WriterId,
    /// When somebody last drove it, as far as its log tells: its last record that shows a driver to whom AWS answered.
    /// It is by that driver's clock.
    pub driven_at: Timestamp,
    /// How it ended; `None` while it is open.
    pub finished: Option<FinishedOutcome>,
    /// The campaign that had the request's name when this one was to begin. Then nothing of this one was begun, and it
    /// is not open.
    pub name_taken_by: Option<CampaignId>,
    /// Whether it has had its request's name. Before that nothing of a campaign is begun. One that is open and never had it
    /// was left by its process right after its plan was written down.
    pub has_begun: bool,
    /// Why units wait that are to be begun still ([`State::holds`](super::State::holds)), at the time of asking.
    pub holds: Vec<Hold>,
    /// How far it is, with each location counted once ([`State::locations_so_far`](super::State::locations_so_far)).
    pub so_far: SoFar,
    /// The wave that is under way, or comes next, at the time of asking
    /// ([`State::wave_standing`](super::State::wave_standing)).
    pub wave: Option<WaveStanding>,
    /// Where it stands with the budget of failed locations
    /// ([`State::location_budget_standing`](super::State::location_budget_standing)).
    pub failed_locations: BoundStanding,
    /// Where it stands with the bounds on its fleet ([`State::fleet`](super::State::fleet)).
    pub fleet: Option<FleetStanding>,
    /// Where it stands with each label of its request ([`State::labels`](super::State::labels)).
    pub labels: Vec<LabelStanding>,
    /// How far it is from its breaker of failures in a row
    /// ([`State::failures_in_a_row`](super::State::failures_in_a_row)).
    pub failures_in_a_row: Option<BreakerStanding>,
    /// Who had it stopped, when and how, if somebody did. While it is open it is being stopped.
    pub stop_asked: Option<StopAsked>,
    /// What AWS did not let patchfleet stop ([`State::not_stopped`](super::State::not_stopped)).
    pub not_stopped: Vec<NotStopped>,
    /// Why locations were left out that had not been begun, or will be, if that is so of any.
    pub left_out_because: Option<String>,
    /// What a person may want to act on now ([`State::warnings`](super::State::warnings)).
    pub warnings: Vec<String>,
}

impl CampaignSummary {
    /// What the log says of a campaign. What may still be done with it is said as of `now`.
    pub(crate) fn of(state: &State, now: Timestamp) -> Self {
        Self {
            campaign: state.campaign(),
            request: state.plan().request.name.clone(),
            planned_at: state.planned_at(),
            last_at: state.last_record_at(),
            last_writer: state.last_writer(),
            driven_at: state.last_sign_at(),
            finished: state.finished().map(|(outcome, _)| outcome),
            name_taken_by: state.name_taken_by(),
            has_begun: state.is_under_way() || state.finished().is_some(),
            holds: state.holds(now.max(state.last_at())),
            so_far: state.locations_so_far(),
            wave: state
                .wave_standing(now.max(state.last_at()))
                .filter(|_| state.name_taken_by().is_none()),
            failed_locations: state.location_budget_standing(),
            fleet: state.fleet(now.max(state.last_at())),
            labels: state.labels(now.max(state.last_at())),
            failures_in_a_row: state.failures_in_a_row(),
            stop_asked: state.stop_asked().cloned(),
            not_stopped: state.not_stopped(),
            left_out_because: state.nothing_more_because(now).map(|reason| reason.to_string()),
            warnings: state.warnings(),
        }
    }

    /// Why nothing of it was begun, in words, if another campaign had its request's name.
    #[must_use]
    pub fn refused_in_words(&self) -> Option<String> {
        let other = self.name_taken_by?;
        Some(format!(
            "nothing of it was begun: campaign {other} had the request's name"
        ))
    }

    /// What a person can do about it while it is open, in words; `None` if it is not open.
    #[must_use]
    pub fn next_step(&self) -> Option<String> {
        if self.finished.is_some() || self.name_taken_by.is_some() {
            return None;
        }
        let id = self.campaign;
        Some(match &self.stop_asked {
            _ if !self.has_begun => format!(
                "nothing of it was begun: its plan was written down, and it does not have its request's name yet. If no \
                 process drives it, `patchfleet resume {id}` begins it now, and `patchfleet stop {id}` closes it"
            ),
            Some(_) => format!("if no process drives it, `patchfleet stop {id}` goes on stopping it"),
            None => format!("if no process drives it, `patchfleet resume {id}` goes on with it"),
        })
    }
}

/// A log that cannot be read, or a claim whose campaign is not there.
#[derive(Debug)]
#[non_exhaustive]
pub struct DamagedLog {
    /// Which log.
    pub log: LogKey,
    /// What is wrong, and in which file or object.
    pub error: PortError,
}

/// The campaigns of a store.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CampaignList {
    /// Those that can be read, the newest first.
    pub campaigns: Vec<CampaignSummary>,
    /// What cannot be read, of campaigns and of names. Each of them may hide an open campaign.
    pub damaged: Vec<DamagedLog>,
}

impl CampaignList {
    /// The campaigns that are open, the newest first: what may be resumed or stopped. What is damaged may be open too.
    pub fn open(&self) -> impl Iterator<Item = &CampaignSummary> {
        let is_open = |one: &&CampaignSummary| one.finished.is_none() && one.name_taken_by.is_none();
        self.campaigns.iter().filter(is_open)
    }
}

/// Every campaign of a store, the newest first, and every damage in it. A store without a log has none.
///
/// It reads every log from its beginning. What may still be done with a campaign is said as of `now`.
///
/// # Errors
///
/// [`PortError`] if the logs cannot be listed.
pub(crate) async fn campaigns(log: &dyn CampaignLog, now: Timestamp) -> PortResult<CampaignList> {
    let keys = log.keys().await?;
    let there: BTreeSet<&LogKey> = keys.iter().collect();
    // In boxes, so that whoever awaits this may do so on any thread.
    let mut reads: Vec<BoxFuture<'_, _>> = Vec::with_capacity(keys.len());
    for key in &keys {
        let there = &there;
        reads.push(Box::pin(async move {
            let read = match key {
                LogKey::Campaign(campaign) => summary(log, *campaign, now).await,
                LogKey::Name(name) => claims(log, name, there).await.map(|()| None),
            };
            (key.clone(), read)
        }));
    }
    let mut reads = stream::iter(reads).buffer_unordered(STORE_CALLS_AT_ONCE);
    let mut list = CampaignList::default();
    while let Some((key, read)) = reads.next().await {
        match read {
            Ok(summary) => list.campaigns.extend(summary),
            Err(error) => list.damaged.push(DamagedLog { log: key, error }),
        }
    }
    list.campaigns
        .sort_by_key(|campaign| Reverse((campaign.planned_at, campaign.campaign)));
    list.damaged.sort_by(|one, other| one.log.cmp(&other.log));
    Ok(list)
}

/// The same of one campaign, from its own log alone: it, or its damage, or neither if there is no such campaign.
pub(crate) async fn campaign_alone(
    log: &dyn CampaignLog,
    campaign: CampaignId,
    now: Timestamp,
) -> CampaignList {
    let mut list = CampaignList::default();
    match summary(log, campaign, now).await {
        Ok(summary) => list.campaigns.extend(summary),
        Err(error) => list.damaged.push(DamagedLog {
            log: LogKey::Campaign(campaign),
            error,
        }),
    }
    list
}

/// A campaign's summary; `None` if nothing was ever appended to its log.
async fn summary(
    log: &dyn CampaignLog,
    campaign: CampaignId,
    now: Timestamp,
) -> PortResult<Option<CampaignSummary>> {
    let state = super::load(log, campaign).await?;
    Ok(state.map(|state| CampaignSummary::of(&state, now)))
}

/// Sees that a name's log can be read, and that the campaign which has the name is there.
async fn claims(log: &dyn CampaignLog, name: &RequestName, there: &BTreeSet<&LogKey>) -> PortResult<()> {
    let journal = Journal {
        log,
        clock: None,
        notices: None,
    };
    let Some(campaign) = journal.claims(name).await?.last else {
        return Ok(());
    };
    let key = LogKey::Campaign(campaign);
    // A log that is there and cannot be read is named by itself.
    if there.contains(&key) && !matches!(log.last(&key).await, Ok(None)) {
        return Ok(());
    }
    let message = format!("it names campaign {campaign}, whose log is gone or empty");
    Err(PortError::new(PortErrorKind::Incompatible, message))
}
