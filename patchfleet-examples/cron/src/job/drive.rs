//! A campaign that is open, driven to its end.

use super::notices::{notices, watching};
use super::trouble::Trouble;
use super::{Event, Failure, Job, Reach};
use jiff::SignedDuration;
use patchfleet_core::campaign::{self, DriveError, LogKey, Notices, Observer, Store};
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::port::Ports;
use patchfleet_core::report::Report;
use patchfleet_core::request::PatchRequest;
use patchfleet_core::text::{in_log, one_line};
use patchfleet_core::{CampaignError, Campaigns};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// A campaign that another process left open, and that is over now.
pub(super) struct Finished {
    pub(super) report: Box<Report>,
    /// Whether somebody who asks for the request now means this campaign. They do if the process died and is started
    /// again. A request file that has changed asks for another campaign, and so does tomorrow's run.
    pub(super) is_wanted_again: bool,
}

/// For so long after its plan an open campaign is the one that `--once` asks for. It is less than a day, so that the
/// next run of a daily schedule is a campaign of its own.
const LONGEST_RESTART: SignedDuration = SignedDuration::from_hours(22);

impl<R: Reach> Job<R> {
    /// Drives the open campaign of the request's name to its end, if there is one. If nobody has driven it for longer
    /// than a slot may be late, it begins nothing more, unless it is the one that is asked for now.
    pub(super) async fn left_open(
        &self,
        request: &PatchRequest,
        event: Option<&Event>,
    ) -> Result<Option<Finished>, Failure> {
        let mut trouble = Trouble::new(self);
        let (open, state) = loop {
            let found = async |store: Store| {
                let Some(open) = store.open_campaign(&request.name).await? else {
                    return Ok(None);
                };
                Ok(store.load(open).await?.map(|state| (open, state)))
            };
            match self.ask(found).await {
                Ok(Some(found)) => break found,
                Ok(None) => return Ok(None),
                Err(failure) => {
                    let what = "whether a campaign is open is not known";
                    if !trouble.is_waited_out(what, &failure, trouble.until()).await {
                        return Err(failure);
                    }
                }
            }
        };
        tracing::info!("going on with campaign {open}");
        let now = self.reach.clock().now();
        // A person's retry of the same request is no campaign of this job.
        let of = state.plan().retries.as_ref().map(|retried| retried.campaign);
        let is_second = of.is_some_and(|first| first.of_second_attempt() == open);
        let asked = match self.carry_over || is_second {
            true => state.plan().first_request(),
            false => &state.plan().request,
        };
        let is_same = asked.digest() == request.digest();
        let is_wanted_again = is_same && now.duration_since(state.planned_at()) <= LONGEST_RESTART;
        let is_wanted = match event {
            Some(Event::Once(None)) => is_wanted_again,
            Some(event @ Event::Once(Some(_))) => event
                .campaign(request)
                .is_some_and(|named| [named, named.of_second_attempt()].contains(&open)),
            Some(Event::Slot { .. }) | None => false,
        };
        let longest_gap = (!is_wanted).then_some(self.late);
        let report = self.to_its_end(open, longest_gap).await?;
        Ok(Some(Finished {
            report,
            is_wanted_again,
        }))
    }

    /// Drives an open campaign to its end, and goes on after trouble that may pass. If nobody drives it for
    /// longer than `longest_gap`, before or meanwhile, nothing more of it is begun.
    pub(super) async fn to_its_end(
        &self,
        campaign: CampaignId,
        longest_gap: Option<SignedDuration>,
    ) -> Result<Box<Report>, Failure> {
        let (mut trouble, mut read) = (Trouble::new(self), 0);
        loop {
            let failure = match self.drive(campaign, longest_gap).await {
                Ok(report) => return Ok(report),
                Err(failure) => failure,
            };
            // Trouble counts anew once the campaign has got on.
            let records = self
                .ask(async |store| store.log.read(&LogKey::Campaign(campaign), read).await)
                .await;
            let records = records.unwrap_or_default();
            if records.iter().flat_map(|record| &record.events).any(gets_on) {
                trouble = Trouble::new(self);
            }
            read = records.last().map_or(read, |record| record.seq + 1);
            let what = format!("campaign {campaign} is open and nobody drives it");
            if !trouble.is_waited_out(&what, &failure, trouble.until()).await {
                return Err(failure);
            }
        }
    }

    /// Drives an open campaign to its end, as it was planned, even if the file has changed since. It begins nothing more
    /// if nobody drives it for longer than `longest_gap`.
    async fn drive(
        &self,
        campaign: CampaignId,
        longest_gap: Option<SignedDuration>,
    ) -> Result<Box<Report>, Failure> {
        let state = self.ask(async |store| store.load(campaign).await).await?;
        let Some(state) = state else {
            return Err(DriveError::NoSuchCampaign { campaign }.into());
        };
        let ports = self.reach.ports(&state.plan().request.access).await?;
        let notices = notices();
        let campaigns = self.campaigns(&ports, &notices);
        let run = async {
            let campaign = campaigns.resume(&state).await?;
            let driven = match longest_gap {
                Some(longest_gap) => campaign.run_unless_left(longest_gap).await,
                None => campaign.run().await,
            };
            match driven {
                // Only a person can say what becomes of it.
                Err(CampaignError::Driving(open @ DriveError::Unresolved { .. })) => {
                    tracing::error!("{}", one_line(&self.told(&open.to_string())));
                    campaign.report().await
                }
                driven => driven,
            }
        };
        Ok(Box::new(watching(&notices, &ports.clock, run).await?))
    }

    pub(super) fn campaigns(&self, ports: &Ports, notices: &Notices) -> Campaigns {
        let writer = WriterId::from_uuid(Uuid::new_v4());
        let (told, log) = (Mutex::new(BTreeSet::new()), self.log.clone());
        let observer: Observer = Arc::new(move |record, state| {
            for warning in record.events.iter().filter_map(|event| state.warning(event)) {
                let is_news = told.lock().is_ok_and(|mut told| told.insert(warning.clone()));
                if is_news {
                    tracing::warn!("{}", one_line(&in_log(&warning, Some(&log))));
                }
            }
        });
        Campaigns::new(ports.clone(), self.store.clone(), writer)
            .observed_by(observer)
            .noticed_by(notices.clone())
    }
}

/// Whether AWS has answered something of the campaign. Tries that come to nothing are written down as well, and would have
/// trouble never end.
fn gets_on(event: &campaign::Event) -> bool {
    use campaign::Event as E;
    matches!(
        event,
        E::Started { .. }
            | E::StartRefused { .. }
            | E::CommandNotSent { .. }
            | E::RunbookChanged { .. }
            | E::CancelledElsewhere { .. }
            | E::StoppedForAlarm { .. }
            | E::LocationObserved { .. }
            | E::CommandObserved { .. }
            | E::WaitsAtAws { .. }
            | E::CommandEnded { .. }
            | E::StopTaken { .. }
            | E::StopNotNeeded { .. }
            | E::StopInVain { .. }
            | E::StopRefused { .. }
            | E::LocationSettled { .. }
            | E::Recollected { .. }
            | E::UnitEnded { .. }
    )
}
