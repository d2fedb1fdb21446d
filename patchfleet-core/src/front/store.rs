//! What a store says of its campaigns without asking AWS, and whether another one may begin in it.

use super::CampaignError;
use crate::campaign::{
    CampaignList, DriveError, LogKey, State, Store, campaign_alone, campaigns, campaigns_of, load,
    name_taken, open_campaign,
};
use crate::id::{CampaignId, RequestName};
use crate::plan::{LearnedPace, refuse_presigned};
use crate::port::PortResult;
use crate::refusal::{Refusal, RefusalCode, RefusalReason};
use crate::report::{Explanation, Report, Subject};
use crate::request::PatchRequest;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// How many earlier campaigns are read for how long a node takes, at most.
const PACES_ASKED: usize = 3;

/// What a person says of a campaign that is over.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    /// A wave of it did well.
    Approve,
    /// What somebody else's cancel kept from its turn begins now.
    GoOn,
}

/// In which order the campaigns of a name began.
pub(super) struct Order(BTreeMap<CampaignId, usize>);

impl Order {
    /// The place of a campaign; `None` if the name's log does not have it.
    pub(super) fn of(&self, campaign: CampaignId) -> Option<usize> {
        self.0.get(&campaign).copied()
    }

    /// All that the name's log has.
    fn campaigns(&self) -> impl Iterator<Item = CampaignId> {
        self.0.keys().copied()
    }

    /// Whether one began after another; `None` if the name's log does not have both.
    pub(super) fn is_after(&self, one: CampaignId, other: CampaignId) -> Option<bool> {
        Some(self.of(one)? > self.of(other)?)
    }
}

impl Store {
    /// Every campaign, the newest first, and every damage. What may still be done with each is said as of `now`.
    ///
    /// # Errors
    ///
    /// [`PortError`](crate::port::PortError) if the logs cannot be listed.
    pub async fn campaigns(&self, now: Timestamp) -> PortResult<CampaignList> {
        campaigns(self.log.as_ref(), now).await
    }

    /// What [`campaigns`](Self::campaigns) says of this campaign, from its own log alone: it, or its damage, or neither if
    /// there is no such campaign.
    pub async fn campaign(&self, campaign: CampaignId, now: Timestamp) -> CampaignList {
        campaign_alone(self.log.as_ref(), campaign, now).await
    }

    /// The open campaign of a request's name, if there is one.
    ///
    /// # Errors
    ///
    /// [`DriveError::NotBegun`] if that cannot be told, because the log does not answer or is damaged.
    pub async fn open_campaign(&self, name: &RequestName) -> Result<Option<CampaignId>, DriveError> {
        open_campaign(self.log.as_ref(), name).await
    }

    /// What the log says of a campaign; `None` if there is no such campaign.
    ///
    /// # Errors
    ///
    /// [`PortError`](crate::port::PortError) if the log cannot be read, or is damaged
    /// ([`PortErrorKind::Incompatible`](crate::port::PortErrorKind::Incompatible)).
    pub async fn load(&self, campaign: CampaignId) -> PortResult<Option<State>> {
        load(self.log.as_ref(), campaign).await
    }

    /// The report of a campaign, over or not. What may still be done about it is said as of `now`.
    ///
    /// # Errors
    ///
    /// [`PortError`](crate::port::PortError) if the results of nodes cannot be read.
    pub async fn report(&self, state: &State, now: Timestamp) -> PortResult<Report> {
        Report::build(state, self.rows.as_ref(), now).await
    }

    /// Why a location or a node of a campaign came to what it did, with the records of its log that say so; `None` if the
    /// store has no such campaign, or the campaign does not know the subject. What may still be done is said as of `now`.
    ///
    /// The rows of the location are read, or those of the locations whose plan names the node. Those of every location
    /// are read for a node that no plan names.
    ///
    /// # Errors
    ///
    /// [`PortError`](crate::port::PortError) if the log or the results of nodes cannot be read, or the log is damaged.
    pub async fn explain(
        &self,
        campaign: CampaignId,
        subject: &Subject,
        now: Timestamp,
    ) -> PortResult<Option<Explanation>> {
        let records = self.log.read(&LogKey::Campaign(campaign), 0).await?;
        match records.is_empty() {
            true => Ok(None),
            false => Explanation::build(&records, self.rows.as_ref(), subject, now).await,
        }
    }

    /// How long a node took in the last campaign of the request's name that tells of it
    /// ([`Planning::pace`](crate::plan::Planning::pace)); `None` if none does. At most three campaigns are read. Nothing is written.
    ///
    /// # Errors
    ///
    /// [`PortError`](crate::port::PortError) if the name's log cannot be read or is damaged, or that of one of these campaigns and no
    /// other one tells.
    pub async fn pace(&self, request: &PatchRequest) -> PortResult<Option<LearnedPace>> {
        let earlier = campaigns_of(self.log.as_ref(), &request.name).await?;
        let mut unread = None;
        for campaign in earlier.into_iter().take(PACES_ASKED) {
            match self.load(campaign).await {
                Ok(state) => {
                    let pace = state.and_then(|state| state.pace_for(request));
                    if pace.is_some() {
                        return Ok(pace);
                    }
                }
                Err(error) => unread = unread.or(Some(error)),
            }
        }
        unread.map_or(Ok(None), Err)
    }

    /// In which order the campaigns of a name began, by the name's own log. It goes by no clock: that of the machine that planned one may be
    /// hours ahead.
    pub(super) async fn order(&self, name: &RequestName) -> PortResult<Order> {
        let mut of_name = campaigns_of(self.log.as_ref(), name).await?;
        // One that was gone on with stands there more than once, and counts from its first time.
        of_name.reverse();
        let mut order = BTreeMap::new();
        for (index, campaign) in of_name.into_iter().enumerate() {
            order.entry(campaign).or_insert(index);
        }
        Ok(Order(order))
    }

    /// Sees that no newer campaign of its name has begun. What a person says of this one would be heard by nobody, or would have nodes
    /// patched again that the newer one has brought to their goal.
    pub(super) async fn require_last(&self, of: &State, said: Said) -> Result<(), CampaignError> {
        let (campaign, name) = (of.campaign(), &of.plan().request.name);
        let order = self.order(name).await?;
        let list = self.campaigns(of.last_at()).await?;
        let newer = list.campaigns.iter().filter(|one| {
            let is_after = order.is_after(one.campaign, campaign);
            let is_newer = is_after.unwrap_or(one.planned_at > of.planned_at());
            one.request == *name && one.has_begun && one.campaign != campaign && is_newer
        });
        let newer = newer.max_by_key(|one| (order.of(one.campaign), one.planned_at));
        let newer = match newer {
            Some(newer) => Some(newer.campaign),
            None => self.damaged_since((&list, &order), campaign),
        };
        let Some(newer) = newer else { return Ok(()) };
        let (code, instead) = match said {
            Said::Approve => (
                RefusalCode::NotApproved,
                "approve of that one, if a wave of it waits for it",
            ),
            Said::GoOn => (
                RefusalCode::NothingToGoOn,
                "it may have brought to its goal what this one left. Retry that one, or run the request",
            ),
        };
        Err(CampaignError::Refused(Refusal {
            reasons: vec![RefusalReason {
                code,
                subject: format!("campaign {campaign}"),
                detail: format!("it is over, and campaign {newer} has begun since: {instead}"),
            }],
        }))
    }

    /// The last campaign of a name that is newer than this one and whose log is damaged or gone, so that nobody knows what it did. `order`
    /// is as the name's log had it before the list was read: a campaign has a log before it has the name.
    pub(super) fn damaged_since(
        &self,
        (list, order): (&CampaignList, &Order),
        than: CampaignId,
    ) -> Option<CampaignId> {
        let damaged = list.damaged.iter().filter_map(|damaged| match &damaged.log {
            LogKey::Campaign(campaign) => Some(*campaign),
            LogKey::Name(_) => None,
        });
        let mut damaged: BTreeSet<CampaignId> = damaged.collect();
        let there: BTreeSet<CampaignId> = list.campaigns.iter().map(|one| one.campaign).collect();
        damaged.extend(order.campaigns().filter(|one| !there.contains(one)));
        if damaged.is_empty() {
            return None;
        }
        let Some(than) = order.of(than) else {
            // The name's log does not have it, so nobody knows which are newer.
            return damaged.into_iter().next();
        };
        let newer = damaged
            .into_iter()
            .filter_map(|campaign| Some((order.of(campaign)?, campaign)));
        newer
            .filter(|(at, _)| *at > than)
            .max()
            .map(|(_, campaign)| campaign)
    }

    /// Sees that a campaign of the request may begin here, and makes the store's place ready. Planning sees to it as
    /// well; this tells it before AWS is asked anything.
    ///
    /// `but` is the campaign that is to begin, if its id is known already: that it is open itself, as after a try
    /// that failed halfway, is no reason against it.
    ///
    /// # Errors
    ///
    /// [`CampaignError::Refused`] if another campaign of the request's name is open, a damaged log may hide
    /// one, or the request carries a presigned URL, which no log may keep; [`CampaignError::NoPlace`] if nothing
    /// can be kept here; [`CampaignError::Driving`] if the log does not answer.
    pub async fn admit(&self, request: &PatchRequest, but: Option<CampaignId>) -> Result<(), CampaignError> {
        refuse_presigned(request).map_err(CampaignError::Refused)?;
        self.log.make().await.map_err(CampaignError::NoPlace)?;
        match self.open_campaign(&request.name).await? {
            None => Ok(()),
            Some(open) if but == Some(open) => Ok(()),
            Some(open) => {
                // What it waits for is for a person to read. Where it cannot be told, the name is taken all the same.
                let state = self.load(open).await.ok().flatten();
                Err(name_taken(&request.name, open, state.as_ref()).into())
            }
        }
    }
}
