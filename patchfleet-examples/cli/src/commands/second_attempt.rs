//! The second attempt of `patchfleet run`: the nodes that the campaign did not reach, in a campaign of its own.

use super::run::{again, begin_as, follow, naming_log};
use super::{print_json, print_text};
use crate::args::{LogArgs, Output};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupts;
use crate::log::Logs;
use jiff::Timestamp;
use patchfleet_core::id::CampaignId;
use patchfleet_core::plan::Planning;
use patchfleet_core::report::{Report, ReportOutcome};
use patchfleet_core::text::in_log;
use patchfleet_core::{Campaigns, Retry};
use serde_json::{Value, json};
use std::process::ExitCode;

/// The exit code of a campaign that stays open because something unexpected came.
const UNEXPECTED: u8 = 1;

/// What a second attempt is made with: what the first campaign was.
pub(super) struct SecondAttempt<'a> {
    pub(super) campaigns: &'a Campaigns,
    pub(super) logs: &'a Logs,
    /// The name of the simulated organisation, if it is one.
    pub(super) world: Option<&'a str>,
    pub(super) planning: Planning,
    pub(super) log: &'a LogArgs,
    pub(super) output: Output,
    pub(super) interrupts: &'a Interrupts,
}

/// How a second attempt ended.
enum Second {
    /// It has a report. It is open if nobody could follow it to its end.
    Report(Box<Report>),
    /// Nothing was begun.
    None,
    /// Whether it was begun is not known.
    Unknown,
}

impl SecondAttempt<'_> {
    /// Tries the nodes once more that a campaign did not reach, and prints the reports of both. The exit code is that of both, or 1
    /// if the second one stays open.
    pub(super) async fn after(&self, first: Report) -> Result<ExitCode, Failure> {
        let first = naming_log(first, self.log);
        if self.output == Output::Text {
            print_text(&first.to_text())?;
        }
        let second = match self.run(first.campaign_id).await {
            Ok(Some(report)) => Second::Report(Box::new(report)),
            Ok(None) => Second::None,
            Err(failure) => self.failed(first.campaign_id, failure).await,
        };
        let code = match &second {
            Second::Report(second) if second.outcome == ReportOutcome::Open => UNEXPECTED,
            Second::Report(second) => first.exit_code_with(second),
            Second::None => first.exit_code(),
            Second::Unknown => UNEXPECTED,
        };
        match (self.output, second) {
            (Output::Text, Second::Report(second)) => print_text(&naming_log(*second, self.log).to_text())?,
            (Output::Text, _) => {}
            (Output::Json, Second::Report(second)) => {
                print_json(&both(&first, &naming_log(*second, self.log))?)?;
            }
            (Output::Json, _) => print_json(&first)?,
        }
        Ok(ExitCode::from(code))
    }

    /// Plans the second attempt, and follows it to its end. `None`: none of the nodes can be tried.
    async fn run(&self, first: CampaignId) -> Result<Option<Report>, Failure> {
        let over = |what: &str| {
            let words = format!(
                "interrupted: campaign {first} is over, and `patchfleet report {first}` prints its report; {what}"
            );
            self.interrupts
                .say_instead(in_log(&words, self.log.log.as_deref()));
        };
        over("its second attempt was not begun");
        let Some(state) = self.campaigns.store().load(first).await? else {
            return Ok(None);
        };
        let planned = again(self.campaigns, &state, Retry::Unreached, &self.planning).await?;
        let Some(planned) = planned else {
            return Ok(None);
        };
        if self.output == Output::Text {
            print_text(&planned.plan().to_text())?;
        }
        over("`patchfleet status` says whether its second attempt was written down");
        let campaign = begin_as(first.of_second_attempt(), planned, self.logs, self.world).await?;
        let is_resumable = self.world.is_none();
        Ok(Some(
            follow(&campaign, self.log, is_resumable, self.interrupts).await?,
        ))
    }

    /// What there is of a second attempt that failed, and what a person can do.
    async fn failed(&self, first: CampaignId, failure: Failure) -> Second {
        let log = self.log.log.as_deref();
        let second = first.of_second_attempt();
        let words = failure.in_log(log).message();
        let tell = |what: &str, then: &str| {
            say(&format!("{what}: {words}"));
            // What ends with this process cannot be gone on with.
            if self.world.is_none() {
                say(&in_log(then, log));
            }
        };
        let store = self.campaigns.store();
        let report = match store.load(second).await {
            Ok(Some(state)) if state.name_taken_by().is_none() => {
                store.report(&state, Timestamp::now()).await.map(Some)
            }
            Ok(_) => Ok(None),
            Err(error) => Err(error),
        };
        match report {
            Ok(Some(report)) => {
                tell(
                    &format!(
                        "campaign {second}, the second attempt at what campaign {first} did not reach, stays open"
                    ),
                    &format!("`patchfleet resume {second}` goes on with it"),
                );
                Second::Report(Box::new(report))
            }
            Ok(None) => {
                tell(
                    &format!("what campaign {first} did not reach is not tried again"),
                    &format!("`patchfleet run --retry {first}` tries again whatever it has left"),
                );
                Second::None
            }
            Err(_) => {
                tell(
                    &format!(
                        "nobody knows whether the second attempt at what campaign {first} did not reach was begun"
                    ),
                    &format!("`patchfleet status {second}` says so"),
                );
                Second::Unknown
            }
        }
    }
}

/// The report of the first campaign, which has that of the second one.
fn both(first: &Report, second: &Report) -> Result<Value, Failure> {
    let mut both = serde_json::to_value(first)?;
    if let Some(keys) = both.as_object_mut() {
        keys.insert("second_attempt".to_owned(), json!(second));
    }
    Ok(both)
}
