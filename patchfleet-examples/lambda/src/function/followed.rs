//! Campaigns that are written down, and driven call by call.

use super::handover::NotHandedOver;
use super::second_attempt::Second;
use super::troubles::Troubles;
use super::{Call, Function, heard_by, margin, notices, out_of_time};
use crate::answer::{Answer, Planned, Reported, Standing};
use crate::event::Asked;
use crate::failure::{Failure, FailureKind};
use jiff::{SignedDuration, SpanRound, Timestamp, Unit};
use patchfleet_aws::S3Uri;
use patchfleet_core::campaign::{HoldReason, Notices, Progress, State, Store};
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::request::Access;
use patchfleet_core::text::one_line;
use patchfleet_core::{Campaign, Campaigns};
use std::future::Future;
use uuid::Uuid;

/// What is left of the function's time when it makes no new calls, at most. It waits for the answers to those that were
/// made. An answer that comes later is lost, and whoever drives the campaign next asks again.
const TO_HEAR_ANSWERS: SignedDuration = SignedDuration::from_secs(10);

/// How long the function waits by itself for something to do. Lambda is paid by time.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// How long after a caller was asked a campaign may begin, and how long after the end of a campaign its second attempt.
pub(super) const BEGINS_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// How many locations are named whose results cannot be read.
const UNREAD_SHOWN: usize = 100;

/// The same while a campaign is being stopped: longer than it waits between any two looks, so that a stop is over as soon
/// as it can be.
const LONGEST_WAIT_OF_A_STOP: SignedDuration = SignedDuration::from_mins(1);

/// The function, and the log that it has.
pub(super) struct Logged<'f> {
    pub(super) function: &'f Function,
    pub(super) log: &'f S3Uri,
    pub(super) store: Store,
}

impl Logged<'_> {
    /// Plans an event and writes its campaign down. Nothing is started yet. Where there is nothing to do, the campaign is
    /// over at once.
    pub(super) async fn start(&self, asked: &Asked, call: Call) -> Result<Answer, Failure> {
        let (_, standing, planned) = self.begun(asked, call).await?;
        Ok(Answer::Begun { standing, planned })
    }

    /// The campaign of an event, as its log says, how it stands with its second attempt, and what is planned.
    async fn begun(&self, asked: &Asked, call: Call) -> Result<(State, Standing, Planned), Failure> {
        let campaign = asked.campaign();
        tracing::info!(%campaign, request = %asked.request.name, event = %asked.event, "asked");
        let troubles = Troubles::default();
        let (notices, planning) = (heard_by(&troubles), self.function.planning(asked, call));
        let campaigns = self.campaigns(&asked.request.access, &notices)?;
        let ports = self.function.ports(&asked.request.access)?;
        let begin = async {
            let there = self.store.load(campaign).await;
            match there.map_err(|error| Failure::of_place(&error, self.log))? {
                Some(state) => refuse_old(asked, &state, call.at)?,
                None => refuse_late(asked, call.at)?,
            }
            self.function.require_own_role(asked, &ports).await?;
            let begun = campaigns.begin(campaign, &asked.request, &planning).await;
            let begun =
                begun.map_err(|error| Failure::of_campaign(&error, self.log).with_the_way_out(asked.form))?;
            let mut state = self.load(campaign).await?;
            let mut standing = Standing::of(&state, call.at, call.at);
            if state.finished().is_none() && state.plan().units.is_empty() {
                standing = self.drive(&begun, &state, &troubles, call).await?;
                state = self.load(campaign).await?;
            }
            if state.finished().is_some() {
                standing = self.ended(&state, call).await?;
            }
            for warning in &state.plan().warnings {
                tracing::warn!(%campaign, "the plan warns: {}", one_line(warning));
            }
            let planned = Planned::of(state.plan());
            Ok((state, standing, planned))
        };
        let begun = self.in_time(
            (&notices, &troubles),
            call,
            "before the campaign was written down",
            begin,
        );
        let begun = begun.await?;
        tracing::info!(%campaign, log = %self.log, "begun");
        Ok(begun)
    }

    /// [`start`](Self::start) of an event by itself. The campaign is handed over to the state machine, if there is one.
    pub(super) async fn begin_and_hand_over(&self, asked: &Asked, call: Call) -> Result<Answer, Failure> {
        let (state, standing, planned) = self.begun(asked, call).await?;
        // Whoever drove a campaign that is over drives its second attempt.
        let is_open = state.finished().is_none();
        let Some(machine) = self.function.settings.state_machine.as_ref().filter(|_| is_open) else {
            return Ok(Answer::Begun { standing, planned });
        };
        let campaign = standing.campaign_id;
        let handing = async {
            let client = machine.client(&self.function.config);
            machine.drive(&client, campaign).await
        };
        let handed = self.function.in_time(&notices(), call, handing).await;
        let handed = handed.unwrap_or_else(|| {
            Err(NotHandedOver::Failed(
                "the time that the function has was over".to_owned(),
            ))
        });
        if let Err(why) = handed {
            let (kind, why, again) = match why {
                NotHandedOver::Failed(why) => (
                    FailureKind::Unfinished,
                    why,
                    "The same event, delivered again, hands it over. ".to_owned(),
                ),
                NotHandedOver::Ended => (
                    FailureKind::NeedsPerson,
                    "an execution of its name has ended, and the campaign is open".to_owned(),
                    format!(
                        "Start an execution of another name with the input {{\"campaign_id\": \"{campaign}\"}}. "
                    ),
                ),
            };
            let words = format!(
                "campaign {campaign} is written down in {log}, and was not handed over to {machine}, so nobody drives it: \
                 {why}. {again}`patchfleet resume {campaign} --log {log}` drives it from anywhere",
                log = self.log,
            );
            return Err(Failure::said(kind, &words));
        }
        tracing::info!(%campaign, %machine, "handed over");
        Ok(Answer::Begun {
            standing: standing.handed_over(),
            planned,
        })
    }

    /// Drives a campaign until there is nothing to do for a while, or the function's time is nearly over. If it is over and is to
    /// have a second attempt, that is begun, or driven on. A call does one of these, so that each has the function's whole time.
    pub(super) async fn advance(
        &self,
        campaign: CampaignId,
        turn: u64,
        call: Call,
    ) -> Result<Answer, Failure> {
        let troubles = Troubles::default();
        let notices = heard_by(&troubles);
        let drive = async {
            let mut state = self.load(campaign).await?;
            if state.finished().is_some() {
                match self.second_of(&state, call).await? {
                    Second::Begun(second) if second.finished().is_none() => state = *second,
                    Second::Due => return self.begin_second(&state, &notices, call).await,
                    Second::TooLate(late) => {
                        let most = in_words(BEGINS_WITHIN);
                        let why = format!(
                            "it was over {late} ago, and no second attempt begins more than {most} later"
                        );
                        return Ok(self.not_tried_again(&state, &why, call));
                    }
                    Second::No | Second::Begun(_) => return self.ended(&state, call).await,
                }
            }
            let campaigns = self.campaigns(&state.plan().request.access, &notices)?;
            let driven = async {
                let begun = campaigns.resume(&state).await;
                let begun = begun.map_err(|error| Failure::of_campaign(&error, self.log))?;
                self.drive(&begun, &state, &troubles, call).await
            };
            match driven.await {
                Ok(standing) if standing.is_over() => {
                    self.ended(&self.load(state.campaign()).await?, call).await
                }
                Ok(standing) => Ok(standing),
                Err(failure) => self.if_its_name_was_taken(&state, failure, call).await,
            }
        };
        let until = "before the log was read, or a second attempt was written down";
        let standing = self.in_time((&notices, &troubles), call, until, drive).await?;
        tracing::info!(%campaign, turn, wait = standing.wait_seconds, "{}", standing.status);
        Ok(Answer::Driven {
            standing,
            turn: turn.saturating_add(1),
        })
    }

    /// A campaign's report, as it stands.
    pub(super) async fn report(&self, campaign: CampaignId, call: Call) -> Result<Reported, Failure> {
        let report = async {
            let state = self.load(campaign).await?;
            let report = self.report_of(&state, call).await?;
            self.reported(&state, report, call).await
        };
        let troubles = Troubles::default();
        let notices = heard_by(&troubles);
        self.in_time((&notices, &troubles), call, "before the log was read", report)
            .await
    }

    /// When no new calls are made any more.
    pub(super) fn last_call(&self, call: Call) -> Timestamp {
        let Some(deadline) = call.deadline else {
            return Timestamp::MAX;
        };
        let left = deadline.duration_since(self.function.clock.now());
        let last_call = deadline.saturating_sub(margin(left, TO_HEAR_ANSWERS));
        last_call.unwrap_or(deadline)
    }

    /// Drives a campaign whose log says this. Answers that have come are in the log, whenever the time is over. If it comes
    /// no further in all that time, and something does not work, that is a failure.
    async fn drive(
        &self,
        begun: &Campaign,
        state: &State,
        troubles: &Troubles,
        call: Call,
    ) -> Result<Standing, Failure> {
        let clock = &self.function.clock;
        let longest_wait = match state.stop_asked() {
            Some(_) => LONGEST_WAIT_OF_A_STOP,
            None => LONGEST_WAIT,
        };
        let driven = begun.run_while_busy(self.last_call(call), longest_wait);
        tokio::select! {
            biased;
            progress = driven => {
                let progress = progress.map_err(|error| Failure::of_campaign(&error, self.log))?;
                if let Progress::Paused { state: after, .. } = &progress
                    && after.so_far() == state.so_far()
                {
                    self.refuse_trouble(begun.id(), troubles)?;
                    self.refuse_unknown_alarm(after, clock.now())?;
                }
                Ok(Standing::after(&progress, clock.now()))
            }
            () = self.function.is_over(call) => {
                self.refuse_trouble(begun.id(), troubles)?;
                Ok(Standing::open(begun.id()))
            }
        }
    }

    /// Fails if nobody knows what state the alarm is in. It is asked as long as it takes, and nobody watches a function that waits.
    fn refuse_unknown_alarm(&self, state: &State, now: Timestamp) -> Result<(), Failure> {
        let holds = state.holds(now);
        let unknown = holds
            .iter()
            .find(|hold| matches!(hold.reason, HoldReason::Alarm { .. }));
        unknown.map_or(Ok(()), |hold| {
            Err(self.no_further(state.campaign(), &hold.reason.to_string()))
        })
    }

    /// Fails if something does not work.
    fn refuse_trouble(&self, campaign: CampaignId, troubles: &Troubles) -> Result<(), Failure> {
        let Some(words) = troubles.words() else {
            return Ok(());
        };
        Err(self.no_further(campaign, &words))
    }

    fn no_further(&self, campaign: CampaignId, why: &str) -> Failure {
        let words = format!(
            "campaign {campaign} came no further in this call: {why}. It stays open in {}, and goes on where it is when \
             it is driven again",
            self.log
        );
        Failure::said(FailureKind::Failed, &words)
    }

    /// Reads the results again that could not be read, and gives the report.
    pub(super) async fn collect(&self, campaign: CampaignId, call: Call) -> Result<Answer, Failure> {
        let troubles = Troubles::default();
        let notices = heard_by(&troubles);
        let collect = async {
            let state = self.load(campaign).await?;
            let campaigns = self.campaigns(&state.plan().request.access, &notices)?;
            let failed = |error| Failure::of_campaign(&error, self.log);
            let begun = campaigns.resume(&state).await.map_err(failed)?;
            let again = begun.collect_again().await.map_err(failed)?;
            let unread = again.unread.iter().take(UNREAD_SHOWN);
            Ok(Answer::Collected {
                reported: self.reported(&state, again.report, call).await?,
                read: again.read,
                unread: unread
                    .map(|still| one_line(&format!("{}: {}", still.location, still.reason)))
                    .collect(),
            })
        };
        self.in_time(
            (&notices, &troubles),
            call,
            "before all results were read",
            collect,
        )
        .await
    }

    /// What the log says of a campaign.
    pub(super) async fn load(&self, campaign: CampaignId) -> Result<State, Failure> {
        let state = self.store.load(campaign).await;
        let state = state.map_err(|error| Failure::of_log(&error, self.log))?;
        state.ok_or_else(|| {
            let words = format!(
                "campaign_id = {campaign}: there is no such campaign in {}",
                self.log
            );
            Failure::said(FailureKind::InvalidRequest, &words)
        })
    }

    pub(super) fn campaigns(&self, access: &Access, notices: &Notices) -> Result<Campaigns, Failure> {
        let ports = self.function.ports(access)?;
        let writer = WriterId::from_uuid(Uuid::new_v4());
        Ok(Campaigns::new(ports, self.store.clone(), writer).noticed_by(notices.clone()))
    }

    /// What the work gives, if the function's time is not over before that. If it is, what did not work until then is named.
    pub(super) async fn in_time<T>(
        &self,
        (notices, troubles): (&Notices, &Troubles),
        call: Call,
        until: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let done = self.function.in_time(notices, call, work).await;
        done.unwrap_or_else(|| Err(out_of_time(until, troubles)))
    }
}

/// Refuses to begin what was asked for so long ago that it would be patched at another time than was meant.
fn refuse_late(asked: &Asked, now: Timestamp) -> Result<(), Failure> {
    let late = asked.asked_at.map(|at| now.duration_since(at));
    let Some(late) = late.filter(|late| *late > BEGINS_WITHIN) else {
        return Ok(());
    };
    let words = format!(
        "nothing was started: it was asked {} ago, and nothing is begun more than {} later, because it would be patched at \
         another time than was meant. Ask anew",
        in_words(late),
        in_words(BEGINS_WITHIN),
    );
    Err(Failure::said(FailureKind::Refused, &words))
}

/// Refuses an event whose campaign was begun so long ago that this is no retry.
fn refuse_old(asked: &Asked, state: &State, now: Timestamp) -> Result<(), Failure> {
    let age = now.duration_since(state.planned_at());
    if age <= asked.longest_retry {
        return Ok(());
    }
    let words = format!(
        "nothing was started: campaign {} was begun for an event of this id {} ago, and no event is delivered again \
         after more than {}. The id is the same for every event: give each event an id of its own",
        state.campaign(),
        in_words(age),
        in_words(asked.longest_retry),
    );
    Err(Failure::said(FailureKind::Refused, &words))
}

/// A time for people: "7d 20m".
pub(super) fn in_words(time: SignedDuration) -> String {
    let round = SpanRound::new()
        .largest(Unit::Day)
        .smallest(Unit::Minute)
        .days_are_24_hours();
    let span = jiff::Span::try_from(time).and_then(|span| span.round(round));
    span.map_or_else(|_| format!("{time:#}"), |span| format!("{span:#}"))
}
