//! A long-lived process that runs a patch campaign on a schedule, or once.

mod job;
mod schedule;

use clap::Parser;
use job::{Event, Job};
use patchfleet_aws::SystemClock;
use patchfleet_core::id::{EventId, EventSource};
use patchfleet_core::port::Clock as _;
use schedule::Schedule;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Run a patch campaign at every slot of a schedule, or once.
#[derive(Debug, Parser)]
#[command(name = "patchfleet-cron", version, about)]
struct Args {
    /// The request: a TOML, JSON or YAML file. Read anew for every campaign.
    #[arg(short = 'f', long, value_name = "FILE")]
    request: PathBuf,
    /// When: an AWS cron expression, such as 'cron(15 22 ? * TUE *)'.
    #[arg(
        long,
        value_name = "CRON",
        required_unless_present = "once",
        conflicts_with = "once"
    )]
    schedule: Option<String>,
    /// The schedule's time zone: an IANA name.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
    /// Run one campaign now and exit with its code.
    #[arg(long)]
    once: bool,
    /// The folder of campaign logs.
    #[arg(
        long,
        value_name = "DIR",
        env = "PATCHFLEET_LOG",
        default_value = ".patchfleet"
    )]
    log: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_ansi(is_coloured())
        .with_writer(std::io::stderr)
        .init();
    let job = Job {
        request: args.request,
        log: args.log,
    };
    let Some(expression) = args.schedule else {
        return job.run(Event::Once).await;
    };
    // A request that is wrong now would be wrong at the slot: say so at once.
    if let Err(problem) = job.request() {
        tracing::error!("{problem}");
        return ExitCode::from(2);
    }
    match Schedule::parse(&expression, &args.timezone) {
        Ok(schedule) if schedule.next(SystemClock::new().now()).is_none() => {
            tracing::error!("--schedule = {expression:?}: it has no slot from now on");
            ExitCode::from(2)
        }
        Ok(schedule) => follow(&job, &schedule).await,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether somebody sees colour: a terminal, unless NO_COLOR says otherwise.
fn is_coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Finishes what was left open, then runs a campaign at every slot. A slot that comes while one runs is left out.
async fn follow(job: &Job, schedule: &Schedule) -> ExitCode {
    let clock = SystemClock::new();
    job.finish_open().await;
    while let Some(slot) = schedule.next(clock.now()) {
        tracing::info!("next campaign at {}", slot.at);
        clock.sleep_until(slot.at).await;
        // The campaign's own failure is in the log; the schedule goes on.
        match EventId::new(EventSource::Slot, &slot.id) {
            Ok(id) => drop(job.run(Event::Slot(id)).await),
            Err(error) => tracing::error!("slot {}: expected {error}", slot.id),
        }
    }
    tracing::info!("the schedule has no further slot");
    ExitCode::SUCCESS
}
