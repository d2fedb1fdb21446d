//! The second attempt of `patchfleet run`: the nodes that the campaign did not reach, in a campaign of its own.

use super::run::{again, begin, follow, naming_log};
use super::{print_json, print_text};
use crate::args::{LogArgs, Output};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupts;
use crate::log::Logs;
use patchfleet_core::id::CampaignId;
use patchfleet_core::plan::Planning;
use patchfleet_core::report::Report;
use patchfleet_core::text::in_log;
use patchfleet_core::{Campaigns, Retry};
use serde_json::{Value, json};
use std::process::ExitCode;

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

impl SecondAttempt<'_> {
    /// Tries the nodes once more that a campaign did not reach, and prints the reports of both. The exit code is that of both.
    pub(super) async fn after(&self, first: Report) -> Result<ExitCode, Failure> {
        let first = naming_log(first, self.log);
        if self.output == Output::Text {
            print_text(&first.to_text())?;
        }
        let id = first.campaign_id;
        self.interrupts.say_instead(format!(
            "interrupted: campaign {id} is over, and its second attempt was not begun"
        ));
        let mut open = None;
        let second = match self.run(id).await {
            Ok(second) => second.map(|report| naming_log(report, self.log)),
            Err(failure) => {
                // Whether it was begun, and stays open, is not known.
                open = matches!(failure, Failure::Unexpected(_)).then(|| failure.code());
                say(&format!(
                    "the second attempt at what campaign {id} did not reach has no report: {}",
                    failure.in_log(self.log.log.as_deref()).message()
                ));
                say(&in_log(
                    &format!("`patchfleet run --retry {id}` tries again whatever it has left"),
                    self.log.log.as_deref(),
                ));
                None
            }
        };
        match (self.output, &second) {
            (Output::Text, Some(second)) => print_text(&second.to_text())?,
            (Output::Text, None) => {}
            (Output::Json, second) => print_json(&both(&first, second.as_ref())?)?,
        }
        let code = second.map_or(first.exit_code(), |second| first.exit_code_with(&second));
        Ok(open.unwrap_or(ExitCode::from(code)))
    }

    /// Plans the second attempt, and follows it to its end. `None`: none of the nodes can be tried.
    async fn run(&self, first: CampaignId) -> Result<Option<Report>, Failure> {
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
        let campaign = begin(planned, self.logs, self.world).await?;
        let is_resumable = self.world.is_none();
        Ok(Some(
            follow(&campaign, self.log, is_resumable, self.interrupts).await?,
        ))
    }
}

/// The report of the first campaign, which has that of the second one.
fn both(first: &Report, second: Option<&Report>) -> Result<Value, Failure> {
    let mut both = serde_json::to_value(first)?;
    if let (Some(keys), Some(second)) = (both.as_object_mut(), second) {
        keys.insert("second_attempt".to_owned(), json!(second));
    }
    Ok(both)
}
