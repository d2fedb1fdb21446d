//! One campaign: plan, start, follow, report.

use patchfleet_aws::{Aws, SystemClock};
use patchfleet_core::campaign::{DriveError, Driver, FileLog, FileRows, open_campaign};
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::plan::{self, PlanError, Refusal};
use patchfleet_core::port::{PortError, Ports};
use patchfleet_core::report::Report;
use patchfleet_core::request::{Format, MAX_REQUEST_BYTES, PatchRequest};
use patchfleet_core::runbook;
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
    /// A slot of the schedule, by its name: the same slot is the same campaign.
    Slot(String),
    /// Somebody who asked for one now.
    Once,
}

/// The work of this process.
#[derive(Debug)]
pub(crate) struct Job {
    /// The request's file.
    pub(crate) request: PathBuf,
    /// The folder of campaign logs.
    pub(crate) log: PathBuf,
}

/// Why there is no report.
enum Failure {
    /// Refused before anything was started.
    Refused(Refusal),
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
        Self::Unexpected(Box::new(error))
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
        match self.campaign(&request, &event).await {
            Ok(report) => {
                tracing::info!("{}", report.to_text());
                ExitCode::from(report.exit_code())
            }
            Err(Failure::Refused(refusal)) => {
                tracing::error!("{refusal}");
                ExitCode::from(3)
            }
            Err(Failure::Unexpected(error)) => {
                tracing::error!(error = error.as_ref() as &dyn Error, "no report");
                ExitCode::FAILURE
            }
        }
    }

    async fn campaign(&self, request: &PatchRequest, event: &Event) -> Result<Report, Failure> {
        let clock = Arc::new(SystemClock::new());
        let aws = Aws::load()
            .await?
            .access(request.access.clone())
            .clock(clock.clone())
            .build()?;
        let ports = Ports::of(aws, clock.clone());
        let driver = Driver {
            automation: ports.automation.clone(),
            inventory: ports.inventory.clone(),
            log: Arc::new(FileLog::new(&self.log)),
            rows: Arc::new(FileRows::new(&self.log)),
            clock,
            writer: WriterId::from_uuid(Uuid::new_v4()),
            observer: None,
        };
        if let Some(open) = open_campaign(driver.log.as_ref(), &request.name).await? {
            tracing::info!("going on with campaign {open}");
            driver.run(open).await?;
        }
        let campaign = match event {
            Event::Slot(slot) => CampaignId::of_event(&request.name, slot),
            Event::Once => CampaignId::from_uuid(Uuid::new_v4()),
        };
        let options = plan::Options::default();
        let plan = plan::make(
            ports.directory.as_ref(),
            ports.inventory.as_ref(),
            request,
            &options,
        )
        .await?;
        runbook::require(ports.documents.as_ref(), &plan).await?;
        tracing::info!("campaign {campaign}\n{}", plan.to_text());
        driver.begin(campaign, &plan).await?;
        let state = driver.run(campaign).await?;
        Ok(Report::build(&state, driver.rows.as_ref()).await?)
    }

    /// The request, as the file has it now.
    pub(crate) fn request(&self) -> Result<PatchRequest, String> {
        let path = self.request.display();
        let format = Format::of_path(&self.request).map_err(|problem| problem.to_string())?;
        let mut text = Vec::new();
        File::open(&self.request)
            .and_then(|file| file.take(MAX_REQUEST_BYTES as u64 + 1).read_to_end(&mut text))
            .map_err(|error| format!("cannot read {path}: {error}"))?;
        PatchRequest::parse(&text, format).map_err(|problems| problems.to_string())
    }
}
