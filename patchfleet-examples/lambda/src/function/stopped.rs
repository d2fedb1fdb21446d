//! Stopping a campaign.

use super::followed::{BEGINS_WITHIN, Logged};
use super::second_attempt::Second;
use super::troubles::Troubles;
use super::{Call, heard_by};
use crate::answer::{Answer, Standing};
use crate::failure::{Failure, FailureKind};
use jiff::Timestamp;
use patchfleet_core::campaign::{CampaignList, CampaignSummary, Progress, State, StopMode};
use patchfleet_core::id::CampaignId;
use patchfleet_core::port::PortErrorKind;
use patchfleet_core::text::{in_log, names};

/// How many things are named that AWS does not let the function stop.
const DENIED_SHOWN: usize = 10;

impl Logged<'_> {
    /// Has a campaign stopped, or the only one that is open. If it is over, its second attempt is. The log says so first, so whoever
    /// drives the campaign stops it as well. Then this function does, for as long as it has. A stop that was said before the only
    /// open campaign was planned is not meant for it. A second attempt was planned with the first.
    pub(super) async fn stop(
        &self,
        campaign: Option<CampaignId>,
        mode: StopMode,
        said_at: Option<Timestamp>,
        call: Call,
    ) -> Result<Answer, Failure> {
        let troubles = Troubles::default();
        let notices = heard_by(&troubles);
        let stop = async {
            let (state, due) = match campaign {
                Some(campaign) => (Some(self.load(campaign).await?), None),
                None => self.only_open(call).await?,
            };
            let Some(state) = state else {
                if let Some(due) = due {
                    return Err(self.not_begun_yet(&due));
                }
                return Ok(Answer::Nothing {
                    status: "none_open",
                    reason: format!("no campaign in {} is open", self.log),
                });
            };
            if let (None, Some(at)) = (campaign, said_at)
                && at < state.planned_at()
                && self
                    .first_of(&state)
                    .await?
                    .is_none_or(|first| at < first.planned_at())
            {
                return Ok(Answer::Nothing {
                    status: "ignored",
                    reason: format!(
                        "the message is of {at:.0}, and campaign {}, the only one that is open, was planned after it: name \
                         the campaign to stop it",
                        state.campaign()
                    ),
                });
            }
            let second = self.second_of(&state, call).await?;
            let state = match second {
                Second::Begun(second) => *second,
                Second::Due => return Err(self.not_begun_yet(&state)),
                Second::No | Second::TooLate(_) => state,
            };
            let campaigns = self.campaigns(&state.plan().request.access, &notices)?;
            let standing = match state.finished() {
                Some(_) => self.ended(&state, call).await?,
                None => {
                    let last_call = self.last_call(call);
                    tokio::select! {
                        biased;
                        progress = campaigns.stop_until(&state, mode, last_call) => {
                            let progress = progress.map_err(|error| Failure::of_campaign(&error, self.log))?;
                            if let Progress::Paused { state, .. } = &progress {
                                self.refuse_what_is_not_stopped(state, &troubles)?;
                            }
                            Standing::after(&progress, self.function.clock.now())
                        }
                        () = self.function.is_over(call) => {
                            let why = troubles.words();
                            let why = why.unwrap_or_else(|| "the time that the function has was over".to_owned());
                            return Err(self.not_stopped(state.campaign(), FailureKind::Failed, &why));
                        }
                    }
                }
            };
            tracing::info!(campaign = %state.campaign(), "stop: {}", standing.status);
            if let Some(due) = due {
                return Err(self.not_begun_yet(&due));
            }
            Ok(Answer::Driven { standing, turn: 1 })
        };
        self.in_time((&notices, &troubles), call, "before the log was read", stop)
            .await
    }

    /// Sees that nothing more of a campaign begins by itself, and that nothing of its stop fails. Whoever said to stop it is
    /// told otherwise: it may be that nobody else drives the campaign.
    fn refuse_what_is_not_stopped(&self, state: &State, troubles: &Troubles) -> Result<(), Failure> {
        let denied = state.not_stopped_yet();
        let failed = |kind, why: &str| Err(self.not_stopped(state.campaign(), kind, why));
        if !denied.is_empty() {
            let named: Vec<String> = denied
                .iter()
                .take(DENIED_SHOWN)
                .map(ToString::to_string)
                .collect();
            let more = denied.len().saturating_sub(DENIED_SHOWN);
            let more = if more > 0 {
                format!("; and {more} more")
            } else {
                String::new()
            };
            return failed(FailureKind::NeedsPerson, &format!("{}{more}", named.join("; ")));
        }
        match troubles.words() {
            Some(words) if state.is_left_to_stop() || troubles.is_of_a_stop() => {
                failed(FailureKind::Failed, &words)
            }
            None if state.is_left_to_stop() => failed(
                FailureKind::Failed,
                "AWS has not answered yet to all that was sent",
            ),
            _ => Ok(()),
        }
    }

    fn not_stopped(&self, campaign: CampaignId, kind: FailureKind, why: &str) -> Failure {
        let words = format!(
            "campaign {campaign} is not stopped whole, as far as is known, and what runs may begin more nodes: {why}. If {log} says that it is to \
             be stopped, whoever drives the campaign goes on stopping it; the same message, delivered again, does so too, and \
             so does `patchfleet stop {campaign} --log {log}`",
            log = self.log,
        );
        Failure::said(kind, &words)
    }

    /// The failure to stop what may be planned at this moment. It is no success, since nodes may begin.
    fn not_begun_yet(&self, first: &State) -> Failure {
        let words = format!(
            "campaign {first} is over, and its second attempt may be planned at this moment. That can be stopped once it is written \
             down in {log}: the same message, delivered again, stops it then",
            first = first.campaign(),
            log = self.log,
        );
        Failure::said(FailureKind::Failed, &words)
    }

    /// The only campaign that is open, if one is; and one that is over and whose second attempt may begin, if there is any.
    async fn only_open(&self, call: Call) -> Result<(Option<State>, Option<State>), Failure> {
        let list = self.store.campaigns(call.at).await;
        let list = list.map_err(|error| Failure::of_log(&error, self.log))?;
        if !list.damaged.is_empty() {
            return Err(self.unreadable(&list));
        }
        let open: Vec<_> = list.open().collect();
        let only = match open.as_slice() {
            [] => None,
            [only] => Some(self.load(only.campaign).await?),
            several => {
                let several = several
                    .iter()
                    .map(|one| format!("{} ({})", one.campaign, one.request));
                let several: Vec<String> = several.collect();
                let words = format!(
                    "campaign_id: several campaigns are open, so name one of them: {}",
                    several.join(", ")
                );
                return Err(Failure::said(FailureKind::InvalidRequest, &words));
            }
        };
        let latest = call.at.saturating_sub(BEGINS_WITHIN).unwrap_or(Timestamp::MIN);
        let is_recent = |one: &&CampaignSummary| one.finished.is_some() && one.last_at >= latest;
        for one in list.campaigns.iter().filter(is_recent) {
            // While another campaign of the request is open, no second attempt begins.
            if open.iter().any(|open| open.request == one.request) {
                continue;
            }
            let state = self.load(one.campaign).await?;
            if matches!(self.second_of(&state, call).await?, Second::Due) {
                return Ok((only, Some(state)));
            }
        }
        Ok((only, None))
    }

    /// The failure of not knowing which campaign is meant, because it may be one whose log cannot be read.
    fn unreadable(&self, list: &CampaignList) -> Failure {
        let is_damage = |kind| matches!(kind, PortErrorKind::Incompatible | PortErrorKind::Invalid);
        let kind = match list.damaged.iter().any(|one| is_damage(one.error.kind())) {
            true => FailureKind::NeedsPerson,
            false => FailureKind::Failed,
        };
        let logs: Vec<String> = list
            .damaged
            .iter()
            .map(|damaged| format!("{} ({})", damaged.log, damaged.error.chain()))
            .collect();
        let words = format!(
            "not everything in {} can be read, so which campaign is meant is not known. Nothing was stopped: name one that \
             `patchfleet status` lists. {}",
            self.log,
            names(&logs),
        );
        let log = self.log.to_string();
        Failure::said(kind, &in_log(&words, Some(log.as_ref())))
    }
}
