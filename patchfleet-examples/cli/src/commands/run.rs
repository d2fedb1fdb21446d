//! `patchfleet run`: plan, start, follow, report. And `resume`, which is its second half.

use super::{plan, print_json, print_text};
use crate::args::{CampaignArgs, DepthArg, LogArgs, Output, ResumeArgs, RunArgs};
use crate::exit::Failure;
use crate::session::Session;
use crate::{input, progress, shell};
use patchfleet_core::campaign::{
    self, CampaignLog, CampaignSummary, DriveError, Driver, NodeRows, State, campaigns, load, open_campaign,
};
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::plan::{Attendance, Cutoff, Options, Plan, refuse_presigned, require_central};
use patchfleet_core::port::Ports;
use patchfleet_core::refusal::{Refusal, RefusalCode, RefusalReason};
use patchfleet_core::report::Report;
use patchfleet_core::request::Operation;
use patchfleet_core::text::{counted, one_line};
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
    /// Where that is, for people.
    place: String,
}

impl Store {
    /// The store that is named, which must be there for what is read from it.
    pub(crate) fn given(args: &LogArgs) -> Result<Self, Failure> {
        log_dir(args).map(|dir| Self::at(&dir))
    }

    fn at(dir: &Path) -> Self {
        Self::of_parts(campaign::Store::in_folder(dir), dir.display().to_string())
    }

    fn of_parts(store: campaign::Store, place: String) -> Self {
        let campaign::Store { log, rows } = store;
        Self { log, rows, place }
    }

    /// A store in a folder that is made now: planning takes a while, and finds out too late that no log can be
    /// kept.
    async fn made_at(dir: &Path) -> Result<Self, Failure> {
        let store = Self::at(dir);
        let made = store.log.make().await;
        made.map_err(|error| Failure::Usage(format!("--log (or PATCHFLEET_LOG): {}", error.chain())))?;
        Ok(store)
    }

    /// A simulated organisation ends with the process, so nothing of it is worth keeping unless
    /// that is asked for.
    async fn of(args: &LogArgs, simulated: bool) -> Result<Self, Failure> {
        if simulated && args.log.is_none() {
            return Ok(Self::of_parts(campaign::Store::in_memory(), "memory".to_owned()));
        }
        Self::made_at(&log_dir(args)?).await
    }
}

/// The folder of logs. A URL is no folder, and one of its name would be made here.
fn log_dir(args: &LogArgs) -> Result<PathBuf, Failure> {
    let dir = args.log.clone().unwrap_or_else(|| DEFAULT_LOG.into());
    if dir.as_os_str().is_empty() {
        return Err(Failure::Usage(format!(
            "--log (or PATCHFLEET_LOG) is empty: name a folder, or leave it out for {DEFAULT_LOG}"
        )));
    }
    if dir.to_string_lossy().contains("://") {
        return Err(Failure::Usage(format!(
            "--log (or PATCHFLEET_LOG) = {}: logs are kept in folders; other places are not supported by this version",
            dir.display()
        )));
    }
    Ok(dir)
}

pub(crate) async fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let saved = args.plan.as_deref().map(input::plan).transpose()?;
    let request = match &saved {
        Some(plan) => plan.request.clone(),
        None => plan::request(&args.request, &args.world)?,
    };
    refuse_presigned(&request).map_err(Failure::Refused)?;
    let simulated = args.world.is_simulated();
    let store = Store::of(&args.log, simulated).await?;
    if let Some(open) = open_campaign(store.log.as_ref(), &request.name).await? {
        let name = request.name;
        return Err(DriveError::NameTaken { name, open }.into());
    }
    let session = Session::open(&args.world, Some(request.access.clone())).await?;
    let depth = match &saved {
        // As closely as before, so that the two can be compared.
        Some(plan) if plan.locations.iter().any(|location| location.nodes.is_some()) => DepthArg::Count,
        Some(_) => DepthArg::Presence,
        None => args.request.depth,
    };
    let now = session.ports.clock.now();
    let saved_cutoff = saved.as_ref().and_then(|plan| plan.lifetime?.cutoff);
    let options = Options {
        depth: plan::depth(depth),
        cutoff: match args.request.cutoff {
            Some(when) => Some(when.from(now)),
            None => saved_cutoff.map(|at| Cutoff { at, now }),
        },
        // Where nothing is real, nobody has to be there.
        attendance: if simulated || (!args.yes && on_terminal()) {
            Attendance::Attended
        } else {
            Attendance::Unattended
        },
        results: Some(session.ports.results()),
        ..Options::default()
    };
    let mut plan = plan::make(&session.ports, &request, &options).await?;
    if args.output.output == Output::Text {
        print_text(&plan.to_text())?;
    }
    if let (Some(saved), Some(path)) = (saved, &args.plan) {
        unchanged(&saved, path, &plan)?;
        plan.keep_pin_of(&saved);
    }
    if !plan.is_empty() {
        confirm(&plan, args.yes || simulated)?;
    }
    let driver = driver(&session.ports, &store);
    let campaign = CampaignId::from_uuid(Uuid::new_v4());
    driver.begin(campaign, &plan).await?;
    drive(
        &driver,
        campaign,
        args.output.output,
        (!simulated).then_some(&args.log),
    )
    .await
}

pub(crate) async fn resume(args: ResumeArgs) -> Result<ExitCode, Failure> {
    let (go_on, args) = (args.go_on, args.campaign);
    let store = Store::given(&args.log)?;
    let campaign = match args.campaign {
        Some(campaign) => campaign,
        None if go_on => newest(&store).await?,
        None => newest_open(&store).await?,
    };
    let state = find(store.log.as_ref(), campaign).await?;
    let session = Session::aws(Some(state.plan().request.access.clone())).await?;
    require_central(session.ports.directory.as_ref(), state.plan()).await?;
    let driver = driver(&session.ports, &store);
    if go_on {
        let caller = session.ports.directory.caller().await?;
        driver.go_on(campaign, &caller.arn).await?;
    }
    drive(&driver, campaign, args.output.output, Some(&args.log)).await
}

/// Reads results again that could not be read, and reports the campaign with them.
pub(crate) async fn collect(args: CampaignArgs) -> Result<ExitCode, Failure> {
    let store = Store::given(&args.log)?;
    let campaign = match args.campaign {
        Some(campaign) => campaign,
        None => newest(&store).await?,
    };
    let state = find(store.log.as_ref(), campaign).await?;
    let session = Session::aws(Some(state.plan().request.access.clone())).await?;
    require_central(session.ports.directory.as_ref(), state.plan()).await?;
    let driver = driver(&session.ports, &store);
    let found = driver.collect_again(campaign).await?;
    for left in &found.unread {
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(
            std::io::stderr(),
            "{}: the results still cannot be read: {}",
            left.location,
            one_line(&left.reason)
        );
    }
    let report = Report::build(&found.state, driver.rows.as_ref()).await?;
    print_report(&report, args.output.output)
}

/// A campaign of a log.
pub(crate) async fn find(log: &dyn CampaignLog, campaign: CampaignId) -> Result<State, Failure> {
    load(log, campaign)
        .await?
        .ok_or_else(|| Failure::Usage(format!("the log has no campaign {campaign}")))
}

/// The newest campaign of a log.
pub(crate) async fn newest(store: &Store) -> Result<CampaignId, Failure> {
    let found = listed(store).await?.first().map(|summary| summary.campaign);
    found.ok_or_else(|| Failure::Usage(format!("{} has no campaign", store.place)))
}

/// The newest campaign that its request's name belongs to. One that was refused the name was
/// written down and never begun.
async fn newest_open(store: &Store) -> Result<CampaignId, Failure> {
    let all = listed(store).await?;
    for summary in all.iter().filter(|summary| summary.finished.is_none()) {
        if open_campaign(store.log.as_ref(), &summary.request).await? == Some(summary.campaign) {
            return Ok(summary.campaign);
        }
    }
    Err(Failure::Usage(format!("{} has no open campaign", store.place)))
}

/// The campaigns of a log that can be read, the newest first; the others are named.
async fn listed(store: &Store) -> Result<Vec<CampaignSummary>, Failure> {
    let list = campaigns(store.log.as_ref()).await?;
    for damaged in &list.damaged {
        tracing::error!("{}: {}", damaged.log, one_line(&damaged.error.chain()));
    }
    Ok(list.campaigns)
}

fn driver(ports: &Ports, store: &Store) -> Driver {
    let writer = WriterId::from_uuid(Uuid::new_v4());
    let mut driver = Driver::new(ports, store.log.clone(), store.rows.clone(), writer);
    (driver.observer, driver.notices) = progress::watch(ports.clock.clone());
    driver
}

/// Follows a campaign to its end and reports it. Ctrl-C leaves it: what it started in AWS goes on,
/// and `patchfleet resume` goes on here.
async fn drive(
    driver: &Driver,
    campaign: CampaignId,
    output: Output,
    resumable: Option<&LogArgs>,
) -> Result<ExitCode, Failure> {
    let state = tokio::select! {
        state = driver.run(campaign) => state?,
        _ = tokio::signal::ctrl_c() => {
            let then = resumable.map_or_else(String::new, |args| {
                let resume = resume_command(campaign, args.log.as_deref());
                format!("; what it started goes on, and `{resume}` follows it")
            });
            return Err(Failure::Interrupted(format!("interrupted: left campaign {campaign}{then}")));
        }
    };
    let report = Report::build(&state, driver.rows.as_ref()).await?;
    print_report(&report, output)
}

/// The command that goes on with a campaign whose log was given as `log`.
fn resume_command(campaign: CampaignId, log: Option<&Path>) -> String {
    let log = log.map_or_else(String::new, |dir| format!(" --log {}", shell::word(dir)));
    format!("patchfleet resume {campaign}{log}")
}

pub(crate) fn print_report(report: &Report, output: Output) -> Result<ExitCode, Failure> {
    match output {
        Output::Text => print_text(&report.to_text())?,
        Output::Json => print_json(report)?,
    }
    Ok(ExitCode::from(report.exit_code()))
}

/// A saved plan is run only over the world that it was made for.
fn unchanged(saved: &Plan, path: &Path, now: &Plan) -> Result<(), Failure> {
    let differences = saved.differences(now);
    if differences.is_empty() {
        return Ok(());
    }
    Err(Failure::Refused(Refusal {
        reasons: differences
            .into_iter()
            .map(|difference| RefusalReason {
                code: RefusalCode::PlanDrifted,
                subject: format!("the saved plan {}", path.display()),
                detail: difference,
            })
            .collect(),
    }))
}

/// Whether a person can be asked.
fn on_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a person before an Install; never a script, nor where nothing is real.
fn confirm(plan: &Plan, yes: bool) -> Result<(), Failure> {
    if yes || !on_terminal() || plan.request.patch.operation != Operation::Install {
        return Ok(());
    }
    let locations = plan.locations.len();
    eprint!("Install patches in {}? [y/N] ", counted(locations, "location"));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Failure::Declined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_goes_on_works_with_a_log_whose_path_has_a_space() {
        let campaign: CampaignId = "5b6c7d8e-0000-4000-8000-123456789012".parse().unwrap();
        assert_eq!(
            resume_command(campaign, Some(Path::new("/srv/my logs"))),
            format!("patchfleet resume {campaign} --log '/srv/my logs'")
        );
        assert_eq!(
            resume_command(campaign, None),
            format!("patchfleet resume {campaign}")
        );
    }
}
