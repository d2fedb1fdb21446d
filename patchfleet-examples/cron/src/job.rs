//! One campaign: plan, start, follow, report.

use jiff::{SignedDuration, Timestamp};
use patchfleet_aws::{Aws, SystemClock, external_id_from_env};
use patchfleet_core::campaign::{DriveError, Driver, FileLog, FileRows, load, open_campaign};
use patchfleet_core::id::{CampaignId, EventId, RequestDigest, WriterId};
use patchfleet_core::plan::{self, Cutoff, PlanError, Refusal, require_central};
use patchfleet_core::port::{PortError, PortErrorKind, Ports};
use patchfleet_core::problem::chain;
use patchfleet_core::report::Report;
use patchfleet_core::request::{Access, Format, MAX_REQUEST_BYTES, PatchRequest};
use patchfleet_core::text::one_line;
use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use uuid::Uuid;

/// What makes a campaign.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A slot of the schedule, and its time: the same slot of the same request is the same campaign.
    Slot(EventId, Timestamp),
    /// Somebody who asked for one now.
    Once,
}

impl Event {
    /// When every command has expired, `after` the event, in a plan that is made now.
    fn cutoff(&self, after: SignedDuration, now: Timestamp) -> Cutoff {
        let event = match self {
            Self::Slot(_, at) => *at,
            Self::Once => now,
        };
        let at = event.checked_add(after).unwrap_or(Timestamp::MAX);
        Cutoff { at, now }
    }
}

/// The work of this process.
#[derive(Debug)]
pub(crate) struct Job {
    /// The request's file.
    pub(crate) request: PathBuf,
    /// The folder of campaign logs.
    pub(crate) log: PathBuf,
    /// How long after its slot, or after now, every command of a campaign must have expired.
    pub(crate) cutoff: Option<SignedDuration>,
}

/// A campaign that another process left open, and that is over now.
struct Finished {
    report: Report,
    /// The request that it was planned from.
    planned: RequestDigest,
    /// How old it was when it was found.
    age: SignedDuration,
}

impl Finished {
    /// Whether somebody who asks for `request` now means this campaign: a process that died is started
    /// again. A file that has changed since asks for something else, and so does tomorrow's run.
    fn is_wanted_again(&self, request: &PatchRequest) -> bool {
        self.planned == request.digest() && self.age <= LONGEST_RESTART
    }
}

/// How long after its plan a campaign that was left open is the one that `--once` asks for. Less than a
/// day, so that the next run of a daily schedule is a campaign of its own.
const LONGEST_RESTART: SignedDuration = SignedDuration::from_hours(22);

/// Why there is no report.
enum Failure {
    /// Refused before anything was started.
    Refused(Refusal),
    /// AWS's settings are missing or wrong.
    Settings(PortError),
    /// Anything else.
    Unexpected(Box<dyn Error + Send + Sync>),
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Refused(refusal) => Self::Refused(refusal),
            PlanError::Port(error) => error.into(),
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Unexpected(Box::new(error))
    }
}

impl From<DriveError> for Failure {
    fn from(error: DriveError) -> Self {
        match error.refusal() {
            Some(refusal) => Self::Refused(refusal),
            None => Self::Unexpected(Box::new(error)),
        }
    }
}

impl Job {
    /// Runs the event's campaign to its end, after one that was left open. Exit codes are those
    /// of `patchfleet run`.
    pub(crate) async fn run(&self, event: Event) -> ExitCode {
        let request = match self.request() {
            Ok(request) => request,
            Err(problem) => {
                tracing::error!("{problem}");
                return ExitCode::from(2);
            }
        };
        exit(&self.campaign(&request, &event).await)
    }

    /// Drives the campaign of the request's name that was left open, if there is one, and logs its
    /// report. `None`: there was none.
    pub(crate) async fn finish_open(&self) -> Option<ExitCode> {
        let request = self.request().ok()?;
        let finished = self.left_open(&request).await.transpose()?;
        Some(exit(&finished.map(|finished| finished.report)))
    }

    async fn campaign(&self, request: &PatchRequest, event: &Event) -> Result<Report, Failure> {
        if let Some(finished) = self.left_open(request).await? {
            if matches!(event, Event::Once) && finished.is_wanted_again(request) {
                return Ok(finished.report);
            }
            tracing::warn!(
                "campaign {} was left open; it was finished first, and ended so:\n{}",
                finished.report.campaign_id,
                finished.report.to_text()
            );
        }
        plan::refuse_presigned(request).map_err(Failure::Refused)?;
        let campaign = match event {
            Event::Slot(slot, _) => CampaignId::of_event(&request.digest(), slot),
            Event::Once => CampaignId::from_uuid(Uuid::new_v4()),
        };
        let ports = ports(&request.access).await?;
        let (directory, inventory) = (ports.directory.as_ref(), ports.inventory.as_ref());
        let documents = ports.documents.as_ref();
        let now = ports.clock.now();
        let options = plan::Options {
            cutoff: self.cutoff.map(|after| event.cutoff(after, now)),
            results: Some(ports.automation.as_ref()),
            ..plan::Options::default()
        };
        let plan = plan::make(directory, inventory, documents, request, &options).await?;
        tracing::info!("campaign {campaign}\n{}", plan.to_text());
        let driver = self.driver(&ports);
        driver.begin(campaign, &plan).await?;
        let state = driver.run(campaign).await?;
        Ok(Report::build(&state, driver.rows.as_ref()).await?)
    }

    async fn left_open(&self, request: &PatchRequest) -> Result<Option<Finished>, Failure> {
        let log = FileLog::new(&self.log);
        let Some(open) = open_campaign(&log, &request.name).await? else {
            return Ok(None);
        };
        let Some(state) = load(&log, open).await? else {
            return Ok(None);
        };
        tracing::info!("going on with campaign {open}");
        // As it was planned: the file may have changed since.
        let ports = ports(&state.plan().request.access).await?;
        require_central(ports.directory.as_ref(), state.plan()).await?;
        let driver = self.driver(&ports);
        let (planned, age) = (
            state.plan().request.digest(),
            now_since(&ports, state.planned_at()),
        );
        let state = driver.run(open).await?;
        let report = Report::build(&state, driver.rows.as_ref()).await?;
        Ok(Some(Finished { report, planned, age }))
    }

    fn driver(&self, ports: &Ports) -> Driver {
        let writer = WriterId::from_uuid(Uuid::new_v4());
        let rows = Arc::new(FileRows::new(&self.log));
        Driver::new(ports, Arc::new(FileLog::new(&self.log)), rows, writer)
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

/// Logs how a campaign ended, and gives the exit code that says so.
fn exit(done: &Result<Report, Failure>) -> ExitCode {
    match done {
        Ok(report) => {
            tracing::info!("{}", report.to_text());
            ExitCode::from(report.exit_code())
        }
        Err(Failure::Refused(refusal)) => {
            tracing::error!("{refusal}");
            ExitCode::from(3)
        }
        Err(Failure::Settings(error)) => {
            tracing::error!("{}", error.chain());
            ExitCode::from(2)
        }
        Err(Failure::Unexpected(error)) => {
            tracing::error!("no report: {}", one_line(&chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

fn now_since(ports: &Ports, at: Timestamp) -> SignedDuration {
    ports.clock.now().duration_since(at)
}

/// AWS by the usual environment and profiles.
async fn ports(access: &Access) -> Result<Ports, Failure> {
    let clock = Arc::new(SystemClock::new());
    let aws = Aws::load().await.map_err(|error| match error.kind() {
        PortErrorKind::Invalid | PortErrorKind::Credentials => Failure::Settings(error),
        _ => error.into(),
    })?;
    let access = external_id_from_env(access.clone()).map_err(Failure::Settings)?;
    Ok(Ports::of(aws.access(access).clock(clock.clone()).build()?, clock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchfleet_core::id::EventSource;

    #[test]
    fn a_cutoff_counts_from_the_slot_however_late_that_begins_and_from_now_without_one() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let slot = EventId::new(EventSource::Slot, "2026-03-03T22:15[Europe/Berlin]").unwrap();
        let slot = Event::Slot(slot, at("2026-03-03T21:15:00Z"));
        let (after, now) = (SignedDuration::from_hours(9), at("2026-03-03T21:29:00Z"));
        let cutoff = |event: &Event| event.cutoff(after, now);
        assert_eq!(
            cutoff(&slot),
            Cutoff {
                at: at("2026-03-04T06:15:00Z"),
                now
            }
        );
        assert_eq!(
            cutoff(&Event::Once),
            Cutoff {
                at: at("2026-03-04T06:29:00Z"),
                now
            }
        );
    }
}
