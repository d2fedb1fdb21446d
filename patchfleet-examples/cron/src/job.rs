//! One campaign: plan, start, follow, report.

mod begin;
mod drive;
mod failure;
mod missed;
mod notices;
mod reach;
mod second_attempt;
mod trouble;

pub(crate) use failure::Failure;
pub(crate) use missed::Missed;
pub(crate) use reach::{Reach, Surroundings};

use crate::follow::Became;
use crate::schedule::{Schedule, Slot};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::campaign::Store;
use patchfleet_core::id::{CampaignId, EventId};
use patchfleet_core::problem::chain;
use patchfleet_core::report::{Report, ReportOutcome};
use patchfleet_core::request::{Format, MAX_REQUEST_BYTES, PatchRequest};
use patchfleet_core::text::{in_log, one_line};
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use tokio::sync::watch;
use trouble::Trouble;
use uuid::Uuid;

/// What makes a campaign.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A slot of the schedule: the same slot of the same request is the same campaign.
    Slot {
        id: EventId,
        /// When it begins.
        at: Timestamp,
        /// Since when its cutoff counts.
        counts_from: Timestamp,
    },
    /// Somebody who asked for one now. With an id the same id of the same request is the same campaign.
    Once(Option<EventId>),
}

impl Event {
    /// The cutoff of a plan that is made now: `after` the slot's own time, or `after` now.
    fn cutoff(&self, after: SignedDuration, now: Timestamp) -> Timestamp {
        let event = match self {
            Self::Slot { counts_from, .. } => *counts_from,
            Self::Once(_) => now,
        };
        event.checked_add(after).unwrap_or(Timestamp::MAX)
    }

    /// Its campaign, if it says which that is.
    fn campaign(&self, request: &PatchRequest) -> Option<CampaignId> {
        let (Self::Slot { id, .. } | Self::Once(Some(id))) = self else {
            return None;
        };
        Some(CampaignId::of_event(&request.digest(), id))
    }
}

/// The work of this process.
#[derive(Debug)]
pub(crate) struct Job<R> {
    /// How AWS is reached.
    pub(crate) reach: R,
    /// The request's file.
    pub(crate) request: PathBuf,
    /// Where campaigns are remembered.
    pub(crate) store: Store,
    /// The folder that commands to type name with `--log`.
    pub(crate) log: PathBuf,
    /// How long after its slot, or after now, every command of a campaign must have expired.
    pub(crate) cutoff: Option<SignedDuration>,
    /// Whether the nodes that a campaign did not reach are tried once more when it is over.
    pub(crate) second_attempt: bool,
    /// Whether a campaign begins with what the last one could not begin before its window closed.
    pub(crate) carry_over: bool,
    /// How long after its time a slot may begin. A campaign that nobody drove for longer begins nothing more.
    pub(crate) late: SignedDuration,
    /// When campaigns are begun. `None` if one is begun now, and no other.
    pub(crate) schedule: Option<Schedule>,
    /// Whether a slot that was missed begins later.
    pub(crate) missed: Missed,
    /// Whether no further campaign is to begin.
    pub(crate) stop: watch::Receiver<bool>,
}

/// How an event's campaign ended, or why it did not begin.
enum Done {
    Ended(Box<Report>),
    /// It has ended, and so has its second attempt, if there was anything to try.
    Twice(Box<Report>, Option<Box<Report>>),
    NotBegun(Became),
}

impl<R: Reach> Job<R> {
    /// Runs a campaign now, after one that was left open. The campaign that `id` named before is gone on with, or its
    /// report is given again. Exit codes are those of `patchfleet run`.
    pub(crate) async fn once(&self, id: Option<EventId>) -> u8 {
        match self.asked(&Event::Once(id)).await {
            Ok(done) => self.exit(&done),
            Err(problem) => {
                tracing::error!("{problem}");
                2
            }
        }
    }

    /// Runs the campaign of `slot`, which `id` identifies, after one that was left open. Its report or its failure is in
    /// the log.
    pub(crate) async fn slot(&self, id: EventId, slot: &Slot) -> Became {
        let &Slot { at, counts_from, .. } = slot;
        match self.asked(&Event::Slot { id, at, counts_from }).await {
            Ok(Ok(Done::NotBegun(why))) => return why,
            Ok(done) => drop(self.exit(&done)),
            Err(problem) => tracing::error!("{problem}"),
        }
        Became::Run
    }

    /// Drives the open campaign of the request's name to its end, and logs its report. Gives whether there was one.
    pub(crate) async fn finish_open(&self) -> bool {
        let Ok(request) = self.request() else {
            return false;
        };
        let Some(finished) = self.left_open(&request, None).await.transpose() else {
            return false;
        };
        self.exit(&finished.map(|finished| Done::Ended(finished.report)));
        true
    }

    /// Whether the campaign of `request` and the slot `id` is in the log, and over.
    pub(crate) async fn has_run(&self, request: &PatchRequest, id: &EventId) -> bool {
        let campaign = CampaignId::of_event(&request.digest(), id);
        let state = self.ask(async |store| store.load(campaign).await).await;
        state.is_ok_and(|state| state.is_some_and(|state| state.finished().is_some()))
    }

    /// The exit code of a process that begins nothing more: 1 if a campaign is still open.
    pub(crate) async fn end(&self) -> u8 {
        let request = match self.request() {
            Ok(request) => request,
            Err(problem) => {
                tracing::error!("whether a campaign is still open is not known: {problem}");
                return 2;
            }
        };
        let open = self.ask(async |store| store.open_campaign(&request.name).await);
        match open.await {
            Ok(None) => 0,
            Ok(Some(open)) => {
                tracing::error!(
                    "campaign {open} is still open; this command goes on with it when it is run again"
                );
                1
            }
            Err(error) => {
                let why = one_line(&chain(&error));
                tracing::error!("whether a campaign is still open is not known: {why}");
                1
            }
        }
    }

    async fn asked(&self, event: &Event) -> Result<Result<Done, Failure>, String> {
        let request = self.request()?;
        Ok(self.campaign(&request, event).await)
    }

    async fn campaign(&self, request: &PatchRequest, event: &Event) -> Result<Done, Failure> {
        let named = event.campaign(request);
        let campaign = named.unwrap_or_else(|| CampaignId::from_uuid(Uuid::new_v4()));
        let finished = self.left_open(request, Some(event)).await?;
        if let Some(finished) = finished {
            if finished.report.outcome == ReportOutcome::Open {
                // Its nodes may be at work, so nothing else of its name begins.
                return Ok(Done::Ended(finished.report));
            }
            let wanted = match named {
                Some(named) => [named, named.of_second_attempt()].contains(&finished.report.campaign_id),
                None => finished.is_wanted_again,
            };
            if wanted {
                return self.with_other(finished.report).await;
            }
            tracing::warn!(
                "campaign {} was left open; it was finished first, and ended so:\n{}",
                finished.report.campaign_id,
                self.told(&finished.report.to_text())
            );
        }
        let mut trouble = Trouble::new(self);
        loop {
            let failure = match self.begin(request, event, campaign).await {
                Ok(None) => break,
                Ok(Some(why)) => return Ok(Done::NotBegun(why)),
                Err(failure) => failure,
            };
            // Nothing runs yet: whoever asked for one campaign may ask again.
            let until = match event {
                Event::Slot { at, .. } => at.checked_add(self.late).ok(),
                Event::Once(_) => None,
            };
            let what = "the campaign has not begun";
            if until.is_none() || !trouble.is_waited_out(what, &failure, until).await {
                return Err(failure);
            }
        }
        let longest_gap = match event {
            Event::Slot { .. } => Some(self.late),
            Event::Once(_) => None,
        };
        let report = self.to_its_end(campaign, longest_gap).await?;
        self.with_second(report, longest_gap).await
    }

    /// The same words. Each command that they tell to type now names this log.
    pub(super) fn told(&self, words: &str) -> String {
        in_log(words, Some(&self.log))
    }

    /// Logs how a campaign ended, and gives the exit code that says so.
    fn exit(&self, done: &Result<Done, Failure>) -> u8 {
        match done {
            Ok(Done::Ended(report)) => {
                tracing::info!("{}", self.told(&report.to_text()));
                report.exit_code()
            }
            Ok(Done::Twice(first, second)) => {
                let Some(second) = second else {
                    return first.exit_code();
                };
                tracing::info!("{}", self.told(&second.to_text()));
                first.exit_code_with(second)
            }
            Ok(Done::NotBegun(_)) => {
                tracing::warn!("told to stop before the campaign began: nothing of it was started");
                130
            }
            Err(failure) => {
                let words = self.told(&failure.words());
                match failure {
                    Failure::Refused(_) => {
                        tracing::error!("{words}");
                        3
                    }
                    Failure::Settings(_) | Failure::Place(_) | Failure::OldId { .. } => {
                        tracing::error!("{words}");
                        2
                    }
                    Failure::Passing(_) | Failure::Unexpected(_) => {
                        tracing::error!("no report: {words}");
                        1
                    }
                }
            }
        }
    }

    /// The request, as the file has it now.
    pub(crate) fn request(&self) -> Result<PatchRequest, String> {
        let path = one_line(&self.request.display().to_string());
        let format = Format::of_path(&self.request).map_err(|problem| problem.to_string())?;
        let mut text = Vec::new();
        File::open(&self.request)
            .and_then(|file| file.take(MAX_REQUEST_BYTES as u64 + 1).read_to_end(&mut text))
            .map_err(|error| format!("cannot read {path}: {error}"))?;
        PatchRequest::parse(&text, format)
            .map_err(|problems| problems.of(format!("the request {path}")).to_string())
    }
}

#[cfg(test)]
mod tests;
