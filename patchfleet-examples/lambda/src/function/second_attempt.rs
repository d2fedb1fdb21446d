//! The second attempt: the nodes that a campaign did not reach, in a campaign of its own.
//!
//! Whether it is wanted stands in the plan of the first campaign, and its id follows from that one's. So each call finds in the log
//! what the calls before it did, and whoever drives the first campaign is led on to the second by the answer's id.

use super::Call;
use super::followed::{BEGINS_WITHIN, Logged, in_words};
use crate::answer::{Reported, Standing};
use crate::failure::{Failure, FailureKind};
use patchfleet_core::campaign::{Notices, State};
use patchfleet_core::outcome::FinishedOutcome;
use patchfleet_core::plan::Planning;
use patchfleet_core::report::Report;
use patchfleet_core::text::one_line;
use patchfleet_core::{Retry, RetryPlan};

/// What there is of a campaign's second attempt.
pub(super) enum Second {
    /// There is none, and none begins.
    No,
    /// It may begin.
    Due,
    /// It could have begun, and this long after the end of the first it does not, in words.
    TooLate(String),
    /// It is written down.
    Begun(Box<State>),
}

impl Logged<'_> {
    /// What there is of the second attempt of this campaign.
    pub(super) async fn second_of(&self, first: &State, call: Call) -> Result<Second, Failure> {
        let Some((outcome, over_at)) = first.finished().filter(|_| first.plan().second_attempt) else {
            return Ok(Second::No);
        };
        if let Some(second) = self.second_in_log(first).await? {
            return Ok(match second.name_taken_by() {
                None => Second::Begun(Box::new(second)),
                Some(_) => Second::No,
            });
        }
        if outcome != FinishedOutcome::Partial || !self.report_of(first, call).await?.left_unreached() {
            return Ok(Second::No);
        }
        let late = self.function.clock.now().duration_since(over_at);
        Ok(match late > BEGINS_WITHIN {
            true => Second::TooLate(in_words(late)),
            false => Second::Due,
        })
    }

    /// How a campaign that is over stands, with its second attempt. If it is a second attempt itself, its exit code is that of both.
    pub(super) async fn ended(&self, state: &State, call: Call) -> Result<Standing, Failure> {
        match self.second_of(state, call).await? {
            Second::Begun(second) => self.with_first(&second, call).await,
            Second::Due => Ok(Standing::open(state.campaign())),
            Second::No | Second::TooLate(_) => self.with_first(state, call).await,
        }
    }

    async fn with_first(&self, state: &State, call: Call) -> Result<Standing, Failure> {
        let standing = Standing::of(state, call.at, call.at);
        match self.first_of(state).await? {
            Some(first) if standing.is_over() => {
                let (first, second) = (self.report_of(&first, call), self.report_of(state, call));
                Ok(standing.with_first(&first.await?, &second.await?))
            }
            _ => Ok(standing),
        }
    }

    /// Plans the second attempt, with the cutoff of the first, and writes it down. What the first came to stands if it cannot be
    /// planned.
    pub(super) async fn begin_second(
        &self,
        first: &State,
        notices: &Notices,
        call: Call,
    ) -> Result<Standing, Failure> {
        let campaigns = self.campaigns(&first.plan().request.access, notices)?;
        let lifetime = first.plan().lifetime.as_ref();
        let planning = Planning {
            cutoff: lifetime.and_then(|lifetime| lifetime.cutoff),
            ..Planning::default()
        };
        let refused = |words: &str| Failure::said(FailureKind::Refused, words);
        let begun = match campaigns.plan_retry(first, Retry::Unreached, &planning).await {
            Ok(RetryPlan::Planned(planned)) => {
                let begun = planned.begin(first.campaign().of_second_attempt()).await;
                begun
                    .map(drop)
                    .map_err(|error| Failure::of_campaign(&error, self.log))
            }
            Ok(RetryPlan::Nothing { told }) => {
                let why = format!("none of these nodes can be tried: {}", told.join("; "));
                Err(refused(&why))
            }
            Ok(_) => Err(refused("there is nothing to try")),
            Err(error) => Err(Failure::of_campaign(&error, self.log)),
        };
        // Another call may have been quicker, and this one refused for that.
        let there = self.second_in_log(first).await?;
        match (there.filter(|second| second.name_taken_by().is_none()), begun) {
            (Some(second), _) => {
                tracing::info!(second = %second.campaign(), log = %self.log, "the second attempt is begun");
                self.with_first(&second, call).await
            }
            (None, Err(failure)) if failure.kind() == FailureKind::Failed => Err(failure),
            (None, begun) => {
                let why = begun.err().map(|failure| failure.message().to_owned());
                Ok(self.not_tried_again(first, &why.unwrap_or_default(), call))
            }
        }
    }

    /// How things stand after this failure to drive a campaign. A second attempt that was written down, and nothing more, begins no
    /// more once another campaign of the request has: then what the first came to stands.
    pub(super) async fn if_its_name_was_taken(
        &self,
        driven: &State,
        failure: Failure,
        call: Call,
    ) -> Result<Standing, Failure> {
        match self.first_of(driven).await? {
            Some(first) if self.load(driven.campaign()).await?.name_taken_by().is_some() => {
                Ok(self.not_tried_again(&first, failure.message(), call))
            }
            _ => Err(failure),
        }
    }

    /// How a campaign stands that has no second attempt for this reason.
    pub(super) fn not_tried_again(&self, first: &State, why: &str, call: Call) -> Standing {
        let why = one_line(why);
        tracing::error!("what the campaign did not reach is not tried again: {why}");
        Standing {
            not_tried_again: Some(why),
            ..Standing::of(first, call.at, call.at)
        }
    }

    /// The report of this campaign. If it is a second attempt, it is the report of both.
    pub(super) async fn reported(
        &self,
        state: &State,
        report: Report,
        call: Call,
    ) -> Result<Reported, Failure> {
        let warnings = &*state.plan().warnings;
        if let Some(first) = self.first_of(state).await? {
            let first_report = self.report_of(&first, call).await?;
            let first = (first_report, &*first.plan().warnings);
            return Ok(Reported::of_both(first, (report, warnings), self.log));
        }
        let is_wanted = state.plan().second_attempt && report.left_unreached();
        let has_none = is_wanted && !matches!(self.second_of(state, call).await?, Second::Begun(_));
        let reported = Reported::of(report, warnings, self.log);
        Ok(match has_none {
            true => reported.without_second(),
            false => reported,
        })
    }

    pub(super) async fn report_of(&self, state: &State, call: Call) -> Result<Report, Failure> {
        let report = self.store.report(state, call.at).await;
        report.map_err(|error| Failure::of_log(&error, self.log))
    }

    async fn second_in_log(&self, first: &State) -> Result<Option<State>, Failure> {
        let second = self.store.load(first.campaign().of_second_attempt()).await;
        second.map_err(|error| Failure::of_log(&error, self.log))
    }

    /// The campaign whose second attempt this one is.
    pub(super) async fn first_of(&self, state: &State) -> Result<Option<State>, Failure> {
        let retried = state.plan().retries.as_ref().map(|retried| retried.campaign);
        match retried.filter(|first| first.of_second_attempt() == state.campaign()) {
            Some(first) => self.load(first).await.map(Some),
            None => Ok(None),
        }
    }
}
