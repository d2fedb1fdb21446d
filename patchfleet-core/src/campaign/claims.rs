//! Which campaign has a request's name.
//!
//! A campaign claims the name before it begins. The claim is atomic, but it is a file or an object that
//! somebody may delete. So a name is given to a campaign only if no other campaign of that name is open,
//! whatever the claims say. Before a campaign begins, it writes into its own log that it has the name. A
//! campaign that has not written this has started nothing, and keeps nobody from the name.
//!
//! The campaign of a damaged log may be open. If its request can still be read, it keeps others from that name
//! alone. If not, the claims say which name it has. If no claim names it either, nobody knows its name, and no
//! campaign begins until a person has looked. That takes a damaged claim as well as a damaged log, and the
//! error names the log.

use super::journal::Journal;
use super::{Chain, DriveError, Event, Record, RecordError, STORE_CALLS_AT_ONCE, State};
use crate::campaign::{CampaignLog, LogKey};
use crate::id::{CampaignId, RequestName};
use crate::port::{PortError, PortErrorKind, PortResult};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The open campaign of a request's name: the one that has claimed it, or else, where the claims are lost,
/// the oldest one that the log has.
///
/// # Errors
///
/// [`DriveError::NotBegun`] if the log does not answer, or is damaged: it may have said that a campaign of this
/// name is open.
pub(crate) async fn open_campaign(
    log: &dyn CampaignLog,
    name: &RequestName,
) -> Result<Option<CampaignId>, DriveError> {
    let journal = Journal {
        log,
        clock: None,
        notices: None,
    };
    let open = async {
        if let Some(claimed) = journal.claims(name).await?.last
            && journal.is_open(name, claimed).await?
        {
            return Ok(Some(claimed));
        }
        journal.begun(name, None, None).await
    };
    open.await.map_err(|source| DriveError::NotBegun {
        name: name.clone(),
        under_way: None,
        source,
    })
}

/// The campaigns that have had this name, the last one first, by the name's own log.
///
/// # Errors
///
/// [`PortError`] if that log cannot be read or is damaged.
pub(crate) async fn campaigns_of(log: &dyn CampaignLog, name: &RequestName) -> PortResult<Vec<CampaignId>> {
    let records = log.read(&LogKey::Name(name.clone()), 0).await?;
    let mut campaigns = claimed(&records);
    campaigns.reverse();
    Ok(campaigns)
}

/// What a name's log says.
pub(super) struct Claims {
    /// The campaign that it names last.
    pub(super) last: Option<CampaignId>,
    /// What the next claim has to follow.
    pub(super) chain: Chain,
}

/// How far a campaign is.
enum Standing {
    /// Nothing of it was written down.
    Nowhere,
    /// It is planned, and has sent nothing.
    Planned,
    /// It is under way since it was planned at this time.
    Open(Timestamp),
    Over,
}

impl Journal<'_> {
    /// Who has the name by its own log.
    pub(super) async fn claims(&self, name: &RequestName) -> PortResult<Claims> {
        let key = LogKey::Name(name.clone());
        let read = async {
            let records = self.read(&key, 0).await?;
            let mut chain = Chain::of(&key);
            for record in &records {
                chain.take(record).map_err(|error| {
                    let message = format!("the log {key} is damaged");
                    PortError::new(PortErrorKind::Incompatible, message).with_source(error)
                })?;
            }
            let last = claimed(&records).last().copied();
            Ok(Claims { last, chain })
        };
        read.await.map_err(|error: PortError| match error.kind() {
            PortErrorKind::Incompatible => PortError::new(
                PortErrorKind::Incompatible,
                format!(
                    "nobody can tell who has claimed the request {name}: {}. Move that file out of the log: the \
                     campaigns there say themselves whether one of them is open",
                    error.chain()
                ),
            ),
            _ => error,
        })
    }

    /// Whether the campaign that has claimed this name is not over.
    pub(super) async fn is_open(&self, name: &RequestName, campaign: CampaignId) -> PortResult<bool> {
        match self.standing(campaign).await {
            Ok(Standing::Planned | Standing::Open(_)) => Ok(true),
            Ok(Standing::Over) => Ok(false),
            Ok(Standing::Nowhere) => Err(unclear(name, &[not_there(campaign)])),
            Err(error) if error.kind() == PortErrorKind::Incompatible => Err(unclear(name, &[error])),
            Err(error) => Err(error),
        }
    }

    /// The oldest campaign of this name that is under way, whatever the claims say. `but` does not count.
    ///
    /// `since` is when `but` was planned, if it is under way itself. Then only older campaigns count. Of two
    /// open campaigns the older one is therefore finished first, and the other one after it.
    pub(super) async fn begun(
        &self,
        name: &RequestName,
        but: Option<CampaignId>,
        since: Option<Timestamp>,
    ) -> PortResult<Option<CampaignId>> {
        let keys = self.patiently(|log| log.keys()).await?;
        let mut campaigns = vec![];
        for key in &keys {
            match key {
                LogKey::Campaign(campaign) if Some(*campaign) != but => campaigns.push(*campaign),
                _ => {}
            }
        }
        let named = campaigns.into_iter().map(|campaign| async move {
            let name = self.patiently(|log| log.request_name(campaign)).await;
            (campaign, name)
        });
        let mut named = stream::iter(named).buffer_unordered(STORE_CALLS_AT_ONCE);
        let (mut same, mut others, mut nameless, mut damaged) = (vec![], vec![], vec![], vec![]);
        while let Some((campaign, answer)) = named.next().await {
            match answer {
                Ok(Some(other)) if other == *name => same.push(campaign),
                Ok(Some(other)) => others.push((campaign, other)),
                Ok(None) => {}
                Err(error) if error.kind() == PortErrorKind::Incompatible => nameless.push((campaign, error)),
                Err(error) => return Err(error),
            }
        }
        let looks = others
            .into_iter()
            .map(|(campaign, other)| async move { (campaign, self.is_of(campaign, other).await) });
        let mut looks = stream::iter(looks).buffer_unordered(STORE_CALLS_AT_ONCE);
        while let Some((campaign, look)) = looks.next().await {
            match look {
                Ok(()) => {}
                Err(error) if error.kind() == PortErrorKind::Incompatible => nameless.push((campaign, error)),
                Err(error) => return Err(error),
            }
        }
        let standings = same
            .into_iter()
            .map(|campaign| async move { (campaign, self.standing(campaign).await) });
        let mut standings = stream::iter(standings).buffer_unordered(STORE_CALLS_AT_ONCE);
        let mut open = vec![];
        while let Some((campaign, standing)) = standings.next().await {
            match standing {
                Ok(Standing::Open(planned_at)) => open.push((planned_at, campaign)),
                Ok(_) => {}
                Err(error) if error.kind() == PortErrorKind::Incompatible => damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        let own = since.zip(but);
        let oldest = open
            .into_iter()
            .filter(|one| own.is_none_or(|own| *one < own))
            .min();
        if let Some((_, oldest)) = oldest {
            return Ok(Some(oldest));
        }
        if !nameless.is_empty() {
            let others = self.claimed_by_others(name, &keys).await?;
            let unowned = nameless
                .into_iter()
                .filter(|(campaign, _)| !others.contains(campaign));
            damaged.extend(unowned.map(|(_, error)| error));
        }
        if damaged.is_empty() {
            Ok(None)
        } else {
            Err(unclear(name, &damaged))
        }
    }

    /// Sees that a campaign whose record 0 names another request is of that one, as far as it matters: a name that
    /// was damaged may be this one. What is over, or was refused its name, hinders nobody, and whose claim agrees is what it says.
    async fn is_of(&self, campaign: CampaignId, name: RequestName) -> PortResult<()> {
        let key = LogKey::Campaign(campaign);
        match self.patiently(|log| log.last(&key)).await {
            Ok(None) => return Ok(()),
            Ok(Some(last)) if last.seq == 0 || last.refuses_name() || last.ends_campaign() => return Ok(()),
            Err(error) if error.kind() != PortErrorKind::Incompatible => return Err(error),
            Ok(Some(_)) | Err(_) => {}
        }
        let claims = LogKey::Name(name.clone());
        let claim = self.patiently(|log| log.last(&claims)).await;
        let claim = claim.ok().flatten();
        if claim.is_some_and(|claim| claimed(&[claim]).contains(&campaign)) {
            return Ok(());
        }
        match self.patiently(|log| log.first(&key)).await {
            Ok(Some(first)) if first.request_name() != Some(&name) => {
                let message = format!("record 0 of the log {key} names another request than the store says");
                Err(PortError::new(PortErrorKind::Incompatible, message))
            }
            Ok(_) => Ok(()),
            // Another version's checksum is its own affair.
            Err(error) if of_another_version(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The campaigns that have or had another name. A claim that is damaged says nothing.
    async fn claimed_by_others(
        &self,
        name: &RequestName,
        keys: &[LogKey],
    ) -> PortResult<BTreeSet<CampaignId>> {
        let mut campaigns = BTreeSet::new();
        for key in keys {
            if !matches!(key, LogKey::Name(other) if other != name) {
                continue;
            }
            match self.read(key, 0).await {
                Ok(records) => campaigns.extend(claimed(&records)),
                Err(error) if error.kind() == PortErrorKind::Incompatible => {}
                Err(error) => return Err(error),
            }
        }
        Ok(campaigns)
    }

    /// How far a campaign is. The last record alone tells of most that are over.
    async fn standing(&self, campaign: CampaignId) -> PortResult<Standing> {
        let key = LogKey::Campaign(campaign);
        match self.patiently(|log| log.last(&key)).await? {
            None => return Ok(Standing::Nowhere),
            Some(last) if last.seq == 0 || last.refuses_name() => return Ok(Standing::Planned),
            Some(last) if last.ends_campaign() => return Ok(Standing::Over),
            Some(_) => {}
        }
        let records = self.read(&key, 0).await?;
        let state = State::of_campaign(campaign, &records).map_err(|error| {
            let message = format!("the log of campaign {campaign} is damaged");
            PortError::new(PortErrorKind::Incompatible, message).with_source(error)
        })?;
        Ok(match state.finished() {
            Some(_) => Standing::Over,
            None => Standing::Open(state.planned_at()),
        })
    }
}

/// The campaigns that a name's log names, in its order.
fn claimed(records: &[Record]) -> Vec<CampaignId> {
    let events = records.iter().flat_map(|record| &record.events);
    events
        .filter_map(|event| match event {
            Event::Claimed { campaign } => Some(*campaign),
            _ => None,
        })
        .collect()
}

/// Whether a record cannot be read because another version wrote it.
fn of_another_version(error: &PortError) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    matches!(
        source,
        Some(RecordError::Older { .. } | RecordError::Newer { .. })
    )
}

/// That a campaign has claimed a name and has no record. Its plan was in its log before it claimed the name, so
/// somebody emptied the log or took it away.
fn not_there(campaign: CampaignId) -> PortError {
    let key = LogKey::Campaign(campaign);
    let message = format!("the log {key} is gone or empty, although its campaign has claimed the name");
    PortError::new(PortErrorKind::Incompatible, message)
}

/// That logs of campaigns which may be open ones of this name are damaged.
fn unclear(name: &RequestName, errors: &[PortError]) -> PortError {
    let mut logs: Vec<String> = errors.iter().map(PortError::chain).collect();
    logs.sort();
    PortError::new(
        PortErrorKind::Incompatible,
        format!(
            "nobody can tell whether the request {name} has an open campaign: {}. Put a good copy there; or, once you \
             know that the campaign is over and nothing of it runs, move its folder out of the log, and the claim of \
             its name ({})",
            logs.join("; "),
            LogKey::Name(name.clone())
        ),
    )
}
