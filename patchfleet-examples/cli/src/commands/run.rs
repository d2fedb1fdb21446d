//! `patchfleet run`: plan, start, follow, report. And `resume`, which is its second half.

use super::{plan, print_json, print_text};
use crate::args::{CampaignArgs, DepthArg, LogArgs, Output, RunArgs};
use crate::exit::Failure;
use crate::session::Session;
use crate::{input, progress};
use patchfleet_core::campaign::{
    CampaignSummary, DriveError, Driver, FileLog, FileRows, MemoryLog, MemoryRows, State, load,
};
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::plan::{Plan, Refusal, RefusalCode, RefusalReason};
use patchfleet_core::port::{CampaignLog, NodeRows, Ports};
use patchfleet_core::report::Report;
use patchfleet_core::request::Operation;
use patchfleet_core::runbook;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use uuid::Uuid;

/// Where campaigns are remembered, unless `--log` says so.
const DEFAULT_LOG: &str = ".patchfleet";

/// A campaign's log and the results of its nodes.
pub(crate) struct Store {
    pub(crate) log: Arc<dyn CampaignLog>,
    pub(crate) rows: Arc<dyn NodeRows>,
}

impl Store {
    pub(crate) fn at(dir: &Path) -> Self {
        Self {
            log: Arc::new(FileLog::new(dir)),
            rows: Arc::new(FileRows::new(dir)),
        }
    }

    /// A simulated organisation ends with the process, so nothing of it is worth keeping unless
    /// that is asked for.
    fn of(args: &LogArgs, simulated: bool) -> Self {
        if simulated && args.log.is_none() {
            return Self {
                log: Arc::new(MemoryLog::new()),
                rows: Arc::new(MemoryRows::new()),
            };
        }
        Self::at(&log_dir(args))
    }
}

pub(crate) fn log_dir(args: &LogArgs) -> PathBuf {
    args.log.clone().unwrap_or_else(|| DEFAULT_LOG.into())
}

pub(crate) async fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let saved = args.plan.as_deref().map(input::plan).transpose()?;
    let request = match &saved {
        Some(plan) => plan.request.clone(),
        None => plan::request(&args.request, &args.world)?,
    };
    let session = Session::open(&args.world, Some(request.access.clone())).await?;
    let depth = match &saved {
        // As closely as before, so that the two can be compared.
        Some(plan) if plan.locations.iter().any(|location| location.nodes.is_some()) => DepthArg::Count,
        Some(_) => DepthArg::Presence,
        None => args.request.depth,
    };
    let plan = plan::make(&session.ports, &request, depth).await?;
    if args.output.output == Output::Text {
        print_text(&plan.to_text())?;
    }
    if let Some(saved) = saved {
        unchanged(&saved, &plan)?;
    }
    if !plan.is_empty() {
        runbook::require(session.ports.documents.as_ref(), &plan).await?;
        confirm(&plan, args.yes)?;
    }
    #[cfg(feature = "sim")]
    let simulated = args.world.sim.is_some();
    #[cfg(not(feature = "sim"))]
    let simulated = false;
    let store = Store::of(&args.log, simulated);
    let driver = driver(&session.ports, &store);
    let campaign = CampaignId::from_uuid(Uuid::new_v4());
    driver.begin(campaign, &plan).await.map_err(refused_if_taken)?;
    drive(&driver, campaign, args.output.output).await
}

pub(crate) async fn resume(args: CampaignArgs) -> Result<ExitCode, Failure> {
    let dir = log_dir(&args.log);
    let campaign = match args.campaign {
        Some(campaign) => campaign,
        None => newest(&dir, |campaign| campaign.finished.is_none())?,
    };
    let store = Store::at(&dir);
    let state = find(store.log.as_ref(), campaign).await?;
    let session = Session::aws(Some(state.plan().request.access.clone())).await?;
    drive(&driver(&session.ports, &store), campaign, args.output.output).await
}

/// A campaign of a log.
pub(crate) async fn find(log: &dyn CampaignLog, campaign: CampaignId) -> Result<State, Failure> {
    load(log, campaign)
        .await?
        .ok_or_else(|| Failure::Usage(format!("the log has no campaign {campaign}")))
}

/// The newest campaign of a log for which `wanted` holds.
pub(crate) fn newest(dir: &Path, wanted: fn(&CampaignSummary) -> bool) -> Result<CampaignId, Failure> {
    FileLog::new(dir)
        .list()?
        .campaigns
        .into_iter()
        .find(wanted)
        .map(|summary| summary.campaign)
        .ok_or_else(|| Failure::Usage(format!("{} has no such campaign", dir.display())))
}

fn driver(ports: &Ports, store: &Store) -> Driver {
    Driver {
        automation: ports.automation.clone(),
        inventory: ports.inventory.clone(),
        log: store.log.clone(),
        rows: store.rows.clone(),
        clock: ports.clock.clone(),
        writer: WriterId::from_uuid(Uuid::new_v4()),
        observer: Some(progress::observer()),
    }
}

/// Follows a campaign to its end and reports it. Ctrl-C leaves it: it goes on in AWS, and
/// `patchfleet resume` goes on here.
async fn drive(driver: &Driver, campaign: CampaignId, output: Output) -> Result<ExitCode, Failure> {
    let state = tokio::select! {
        state = driver.run(campaign) => state?,
        _ = tokio::signal::ctrl_c() => {
            return Err(Failure::Unexpected(
                format!("left campaign {campaign}; what it started goes on; `patchfleet resume {campaign}` follows it")
                    .into(),
            ));
        }
    };
    let report = Report::build(&state, driver.rows.as_ref()).await?;
    print_report(&report, output)
}

pub(crate) fn print_report(report: &Report, output: Output) -> Result<ExitCode, Failure> {
    match output {
        Output::Text => print_text(&report.to_text())?,
        Output::Json => print_json(report)?,
    }
    Ok(ExitCode::from(report.exit_code()))
}

fn refused_if_taken(error: DriveError) -> Failure {
    match error {
        DriveError::NameTaken { name, open } => Failure::Refused(Refusal {
            reasons: vec![RefusalReason {
                code: RefusalCode::CampaignOpen,
                subject: name.to_string(),
                detail: format!(
                    "campaign {open} of this request is open: `patchfleet resume {open}` goes on with it"
                ),
            }],
        }),
        other => other.into(),
    }
}

/// A saved plan is run only over the world that it was made for.
fn unchanged(saved: &Plan, now: &Plan) -> Result<(), Failure> {
    let differences = saved.differences(now);
    if differences.is_empty() {
        return Ok(());
    }
    Err(Failure::Refused(Refusal {
        reasons: differences
            .into_iter()
            .map(|difference| RefusalReason {
                code: RefusalCode::PlanDrifted,
                subject: "the saved plan".to_owned(),
                detail: difference,
            })
            .collect(),
    }))
}

/// Asks a person before an Install; never a script.
fn confirm(plan: &Plan, yes: bool) -> Result<(), Failure> {
    let on_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if yes || !on_terminal || plan.request.patch.operation != Operation::Install {
        return Ok(());
    }
    let locations = plan.locations.len();
    eprint!(
        "Install patches in {locations} location{}? [y/N] ",
        if locations == 1 { "" } else { "s" }
    );
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Failure::Declined)
    }
}
