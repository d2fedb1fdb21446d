//! `patchfleet run`: plan, start, follow, report. And `resume`, which is its second half.

use super::campaigns::{ago, so_far};
use super::{plan, print_json, print_text};
use crate::args::{AbandonArgs, CampaignArgs, DepthArg, LogArgs, Output, ResumeArgs, RunArgs};
use crate::exit::{Failure, say};
use crate::log::Logs;
use crate::session::Session;
use crate::{input, progress};
use jiff::Timestamp;
use patchfleet_core::campaign::{DriveError, State};
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::plan::{Attendance, Plan, Planning};
use patchfleet_core::port::Ports;
use patchfleet_core::refusal::{Refusal, RefusalCode, RefusalReason};
use patchfleet_core::report::Report;
use patchfleet_core::request::Operation;
use patchfleet_core::text::{counted, in_log, one_line};
use patchfleet_core::{Campaign, CampaignError, Campaigns, Planned};
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use uuid::Uuid;

pub(crate) async fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let saved = args.plan.as_deref().map(input::plan).transpose()?;
    let request = match &saved {
        Some(plan) => plan.request.clone(),
        None => plan::request(&args.request, &args.world)?,
    };
    let simulated = args.world.is_simulated();
    let logs = Logs::of(&args.log, simulated)?;
    let session = Session::open(&args.world, Some(request.access.clone())).await?;
    let now = session.ports.clock.now();
    let planning = Planning {
        depth: plan::depth(match &saved {
            // As closely as before, so that the two can be compared.
            Some(plan) if plan.locations.iter().any(|location| location.nodes.is_some()) => DepthArg::Count,
            Some(_) => DepthArg::Presence,
            None => args.request.depth,
        }),
        cutoff: match args.request.cutoff {
            Some(when) => Some(when.from(now)),
            None => saved.as_ref().and_then(|plan| plan.lifetime?.cutoff),
        },
        // Where nothing is real, nobody has to be there.
        attendance: if simulated || (!args.yes && on_terminal()) {
            Attendance::Attended
        } else {
            Attendance::Unattended
        },
    };
    let campaigns = campaigns(&session.ports, &logs, simulated);
    let mut planned = campaigns.plan(&request, &planning).await?;
    if args.output.output == Output::Text {
        print_text(&planned.plan().to_text())?;
    }
    if let (Some(saved), Some(path)) = (saved, &args.plan) {
        let held = planned.approved_as(&saved);
        planned = held.map_err(|differences| drifted(path, differences))?;
    }
    if !planned.plan().is_empty() {
        confirm(planned.plan(), args.yes || simulated)?;
    }
    let campaign = begin(planned, &logs, args.world.name()).await?;
    follow(&campaign, args.output.output, &args.log, !simulated).await
}

/// Begins a campaign. If its organisation is simulated, a note that says so is written first. A process that dies in
/// between then leaves no campaign that looks like a real one.
async fn begin(planned: Planned<'_>, logs: &Logs, world: Option<&str>) -> Result<Campaign, Failure> {
    let campaign = CampaignId::from_uuid(Uuid::new_v4());
    if let Some(world) = world {
        logs.note_world(campaign, world)?;
    }
    Ok(planned.begin(campaign).await?)
}

pub(crate) async fn resume(args: ResumeArgs) -> Result<ExitCode, Failure> {
    let (go_on, send_again, args) = (args.go_on, args.send_again, args.campaign);
    let logs = Logs::given(&args.log)?;
    let state = match go_on {
        true => logs.named_or_newest(args.campaign).await?,
        false => logs.named_or_open(args.campaign).await?,
    };
    logs.refuse_simulated(&state)?;
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{}", going_on(&state, Timestamp::now()));
    let session = Session::aws(Some(state.plan().request.access.clone())).await?;
    let campaign = campaigns(&session.ports, &logs, false).resume(&state).await?;
    if go_on {
        campaign.go_on().await?;
    }
    if !send_again.is_empty() {
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(
            std::io::stderr(),
            "each unit is looked for once more before it is sent again"
        );
        let sent = campaign.send_again(&send_again.into_iter().collect()).await?;
        for (unit, execution) in &sent.found {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(
                std::io::stderr(),
                "unit {unit} is not sent again: it runs as execution {execution}"
            );
        }
    }
    follow(&campaign, args.output.output, &args.log, true).await
}

/// Which campaign is gone on with, and how far it is.
fn going_on(state: &State, now: Timestamp) -> String {
    format!(
        "going on with campaign {} ({}): {}; its last record was appended {}",
        state.campaign(),
        state.plan().request.name,
        so_far(state.so_far()),
        ago(state.last_record_at(), now),
    )
}

/// Closes a campaign that AWS no longer knows, and reports it.
pub(crate) async fn abandon(args: AbandonArgs) -> Result<ExitCode, Failure> {
    let logs = Logs::given(&args.log)?;
    let state = logs.named_or_newest(Some(args.campaign)).await?;
    logs.refuse_simulated(&state)?;
    let session = Session::aws(Some(state.plan().request.access.clone())).await?;
    let campaign = campaigns(&session.ports, &logs, false).resume(&state).await?;
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(
        std::io::stderr(),
        "AWS is asked about everything that the campaign may have begun, for two minutes if the log may have lost its end"
    );
    match campaign.abandon().await {
        Ok(report) => print_report(report, args.output.output, &args.log),
        Err(CampaignError::Refused(refusal)) => {
            let next = if state.finished().is_some() {
                format!(
                    "nothing is left to close: `patchfleet report {}` says what became of it",
                    campaign.id()
                )
            } else {
                format!(
                    "the campaign stays open: `patchfleet resume {0}` follows what AWS still knows of it. Say `patchfleet \
                     abandon {0}` again once AWS knows nothing of it and its last command has expired",
                    campaign.id()
                )
            };
            Err(Failure::RefusedThen(refusal, next))
        }
        Err(error) => Err(error.into()),
    }
}

/// Reads results again that could not be read, and reports the campaign with them.
pub(crate) async fn collect(args: CampaignArgs) -> Result<ExitCode, Failure> {
    let logs = Logs::given(&args.log)?;
    let state = logs.named_or_newest(args.campaign).await?;
    logs.refuse_simulated(&state)?;
    let session = Session::aws(Some(state.plan().request.access.clone())).await?;
    let campaign = campaigns(&session.ports, &logs, false).resume(&state).await?;
    let found = campaign.collect_again().await?;
    for left in &found.unread {
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(
            std::io::stderr(),
            "{}: the results still cannot be read: {}",
            left.location,
            one_line(&left.reason)
        );
    }
    print_report(found.report, args.output.output, &args.log)
}

/// Campaigns over these ports that are remembered there and shown on the terminal.
fn campaigns(ports: &Ports, logs: &Logs, simulated: bool) -> Campaigns {
    let writer = WriterId::from_uuid(Uuid::new_v4());
    let (observer, notices) = progress::watch(ports.clock.clone(), logs.named.clone());
    // A simulated organisation always answers, and ten of its seconds are over in no time.
    if !simulated {
        progress::look(notices.clone(), ports.clock.clone());
    }
    Campaigns::new(ports.clone(), logs.store.clone(), writer)
        .observed_by(observer)
        .noticed_by(notices)
}

/// Follows a campaign to its end and reports it. Ctrl-C leaves it: what it started in AWS goes on,
/// and `patchfleet resume` goes on here.
async fn follow(
    campaign: &Campaign,
    output: Output,
    args: &LogArgs,
    is_resumable: bool,
) -> Result<ExitCode, Failure> {
    let report = tokio::select! {
        report = campaign.run() => match report {
            // What is known of it is reported, and the campaign stays open.
            Err(CampaignError::Driving(DriveError::Unresolved { campaign: id, holds })) => {
                // What is known of each unit is told when that is found out, and in the report.
                let open = format!(
                    "campaign {id} stays open: a person has to say what becomes of {}, and `patchfleet status \
                     {id}` says how",
                    counted(holds.len(), "unit")
                );
                say(&one_line(&in_log(&open, args.log.as_deref())));
                campaign.report().await?
            }
            report => report?,
        },
        _ = tokio::signal::ctrl_c() => {
            let campaign = campaign.id();
            let then = match is_resumable {
                true => {
                    let then = format!("; what it started goes on, and `patchfleet resume {campaign}` follows it");
                    in_log(&then, args.log.as_deref())
                }
                false => "; its simulated organisation ends here, so it cannot be resumed".to_owned(),
            };
            return Err(Failure::Interrupted(format!("interrupted: left campaign {campaign}{then}")));
        }
    };
    print_report(report, output, args)
}

/// Prints a report. Each command that it tells to type names the log.
pub(crate) fn print_report(mut report: Report, output: Output, args: &LogArgs) -> Result<ExitCode, Failure> {
    let log = args.log.as_deref();
    for unresolved in &mut report.unresolved {
        unresolved.detail = in_log(&unresolved.detail, log);
    }
    report.left_out_because = report.left_out_because.map(|why| in_log(&why, log));
    match output {
        Output::Text => print_text(&report.to_text())?,
        Output::Json => print_json(&report)?,
    }
    Ok(ExitCode::from(report.exit_code()))
}

/// A saved plan is run only over the world that it was made for.
fn drifted(path: &Path, differences: Vec<String>) -> Failure {
    Failure::Refused(Refusal {
        reasons: differences
            .into_iter()
            .map(|difference| RefusalReason {
                code: RefusalCode::PlanDrifted,
                subject: format!("the saved plan {}", path.display()),
                detail: difference,
            })
            .collect(),
    })
}

/// Whether a person can be asked.
fn on_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a person before an Install. A script is never asked, and nobody is where nothing is real.
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

#[cfg(all(test, feature = "sim"))]
mod tests {
    use super::*;
    use patchfleet_core::request::{Format, PatchRequest};
    use patchfleet_sim::builtin::CALM;
    use patchfleet_sim::world::World;
    use patchfleet_sim::{ClockMode, MemoryPorts, SimClock};
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn that_an_organisation_is_simulated_is_noted_before_its_campaign_is_written_down() {
        let dir = tempfile::tempdir().unwrap();
        let args = LogArgs {
            log: Some(dir.path().join("log")),
        };
        let logs = Logs::given(&args).unwrap_or_else(|failure| panic!("{}", failure.message()));
        let request = PatchRequest::parse(CALM.request.as_bytes(), Format::Toml).unwrap();
        let clock = SimClock::new(World::parse(CALM.world).unwrap(), ClockMode::Jump);
        let access = request.access.clone();
        let region = "us-east-1".parse().unwrap();
        let ports = MemoryPorts::new(clock, region, access.discovery_role, access.session_name).into_ports();
        let noted = Arc::new(Mutex::new(vec![]));
        let (seen, at) = (noted.clone(), dir.path().join("log/campaigns"));
        let campaigns = campaigns(&ports, &logs, true).observed_by(Arc::new(move |_, state| {
            let note = at.join(state.campaign().to_string()).join("simulated");
            seen.lock().unwrap().push(std::fs::read_to_string(note).ok());
        }));
        let planned = campaigns.plan(&request, &Planning::default()).await.unwrap();
        let begun = begin(planned, &logs, Some("calm")).await;
        assert!(begun.is_ok());
        // Record 0, and the one that says that the campaign has its name.
        assert_eq!(
            *noted.lock().unwrap(),
            [Some("calm".to_owned()), Some("calm".to_owned())]
        );
    }
}
