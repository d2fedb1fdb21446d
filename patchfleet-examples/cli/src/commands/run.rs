//! `patchfleet run`: plan, start, follow, report. And `resume`, which is its second half.

use super::campaigns::{ago, so_far};
use super::second_attempt::SecondAttempt;
use super::{plan, print_json, print_text};
use crate::args::{AbandonArgs, CampaignArgs, DepthArg, LogArgs, Output, ResumeArgs, RunArgs};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupts;
use crate::log::Logs;
use crate::session::Session;
use crate::{input, progress};
use jiff::Timestamp;
use patchfleet_core::campaign::{DriveError, State};
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::plan::{Attendance, Plan, Planning};
use patchfleet_core::port::Ports;
use patchfleet_core::refusal::{Refusal, RefusalCode, RefusalReason};
use patchfleet_core::report::{Report, ReportOutcome};
use patchfleet_core::request::Operation;
use patchfleet_core::text::{counted, in_log, one_line};
use patchfleet_core::{Campaign, CampaignError, Campaigns, Planned, Retry, RetryPlan};
use serde_json::json;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use uuid::Uuid;

pub(crate) async fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let saved = args.plan.as_deref().map(input::plan).transpose()?;
    let simulated = args.world.is_simulated();
    if simulated && (args.retry.is_some() || args.carry_over) {
        return Err(Failure::Usage(
            "--retry and --carry-over go back to an earlier campaign, and a simulated organisation ends with its process"
                .to_owned(),
        ));
    }
    let retried = match args.retry {
        Some(campaign) => {
            let logs = Logs::given(&args.log).await?;
            let state = logs.named_or_newest(Some(campaign)).await?;
            logs.refuse_simulated(&state)?;
            Some(state)
        }
        None => None,
    };
    let request = match (&saved, &retried) {
        (Some(plan), _) => plan.request.clone(),
        (None, Some(state)) => state.plan().request.clone(),
        (None, None) => plan::request(&args.request, &args.world)?,
    };
    let question = match simulated {
        // Nobody has to be asked where nothing is real.
        true => Question::None,
        false => question(args.yes, request.patch.operation, Ends::of_this_process())?,
    };
    let logs = Logs::of(&args.log, simulated).await?;
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
        attendance: match simulated || (!args.yes && Ends::of_this_process().both()) {
            true => Attendance::Attended,
            false => Attendance::Unattended,
        },
        carry_over: args.carry_over,
        ..Planning::default()
    };
    let campaigns = campaigns(&session.ports, &logs, simulated);
    let planned = match &retried {
        Some(state) => again(&campaigns, state, Retry::Failed, &planning).await,
        None => campaigns.plan(&request, &planning).await.map(Some),
    };
    let mut planned = match planned {
        Ok(Some(planned)) => planned,
        Ok(None) => return nothing(args.output.output),
        Err(error) => return Err(logs.taken(error).await),
    };
    if args.output.output == Output::Text {
        print_text(&planned.plan().to_text())?;
    }
    if let (Some(saved), Some(path)) = (saved, &args.plan) {
        let held = planned.approved_as(&saved);
        planned = held.map_err(|differences| drifted(path, differences))?;
    }
    let interrupts = Interrupts::listen("interrupted: nothing was started".to_owned())?;
    if question == Question::Asked && !planned.plan().is_empty() {
        confirm(planned.plan())?;
    }
    interrupts.say_instead(in_log(
        "interrupted: nothing was started; `patchfleet status` says whether the campaign was written down",
        args.log.log.as_deref(),
    ));
    let world = args.world.name();
    let campaign = begin(planned, &logs, world).await?;
    let report = follow(&campaign, &args.log, !simulated, &interrupts).await?;
    if !args.second_attempt || !report.left_unreached() {
        return print_report(report, args.output.output, &args.log);
    }
    let second = SecondAttempt {
        campaigns: &campaigns,
        logs: &logs,
        world,
        // Nobody sits there by then.
        planning: Planning {
            attendance: Attendance::Unattended,
            ..planning
        },
        log: &args.log,
        output: args.output.output,
        interrupts: &interrupts,
    };
    second.after(report).await
}

/// Plans for what another campaign has left. `None`: no node is left to try.
pub(super) async fn again<'c>(
    campaigns: &'c Campaigns,
    of: &State,
    which: Retry,
    planning: &Planning,
) -> Result<Option<Planned<'c>>, CampaignError> {
    match campaigns.plan_retry(of, which, planning).await? {
        RetryPlan::Planned(planned) => Ok(Some(planned)),
        RetryPlan::Nothing { told } => {
            for line in told {
                say(&one_line(&line));
            }
            say(&format!(
                "nothing is left to try again of campaign {}",
                of.campaign()
            ));
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// Reports that there is nothing to do: no campaign was begun.
fn nothing(output: Output) -> Result<ExitCode, Failure> {
    if output == Output::Json {
        print_json(&json!({
            "campaign_id": null,
            "outcome": ReportOutcome::NothingToDo,
            "executions": [],
            "locations": [],
            "needs_action": [],
        }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Begins a campaign. If its organisation is simulated, a note that says so is written first. A process that dies in
/// between then leaves no campaign that looks like a real one.
async fn begin(planned: Planned<'_>, logs: &Logs, world: Option<&str>) -> Result<Campaign, Failure> {
    begin_as(CampaignId::from_uuid(Uuid::new_v4()), planned, logs, world).await
}

/// The same, for a campaign that has its id already.
pub(super) async fn begin_as(
    campaign: CampaignId,
    planned: Planned<'_>,
    logs: &Logs,
    world: Option<&str>,
) -> Result<Campaign, Failure> {
    if let Some(world) = world {
        logs.note_world(campaign, world)?;
    }
    match planned.begin(campaign).await {
        Ok(begun) => Ok(begun),
        Err(error) => Err(logs.taken(error).await),
    }
}

pub(crate) async fn resume(args: ResumeArgs) -> Result<ExitCode, Failure> {
    let (go_on, send_again, args) = (args.go_on, args.send_again, args.campaign);
    let logs = Logs::given(&args.log).await?;
    let state = match go_on {
        true => logs.named_or_newest(args.campaign).await?,
        false => logs.named_or_open(args.campaign).await?,
    };
    logs.refuse_simulated(&state)?;
    let session = Session::aws(Some(state.plan().request.access.clone())).await?;
    let campaign = campaigns(&session.ports, &logs, false).resume(&state).await?;
    let interrupts = Interrupts::listen(interrupted(campaign.id(), &args.log, true))?;
    if go_on {
        campaign.go_on().await?;
    }
    let is_over = state.finished().is_some() && !go_on;
    let words = match is_over {
        true => in_log(&over(&state), args.log.log.as_deref()),
        false => going_on(&state, Timestamp::now()),
    };
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{}", one_line(&words));
    if !send_again.is_empty() {
        let sent = campaign.send_again(&send_again.into_iter().collect()).await?;
        for (unit, execution) in &sent.found {
            // Nobody is left to tell if standard error is closed.
            let own = match state.plan().dispatch {
                Some(_) => "command",
                None => "execution",
            };
            let _ = writeln!(
                std::io::stderr(),
                "unit {unit} is not sent again: it runs as {own} {execution}"
            );
        }
    }
    let report = follow(&campaign, &args.log, true, &interrupts).await?;
    print_report(report, args.output.output, &args.log)
}

/// A campaign that is over is not gone on with.
fn over(state: &State) -> String {
    format!(
        "campaign {0} ({1}) is over, and nothing of it is left to do; this is its report, as `patchfleet report {0}` \
         prints it",
        state.campaign(),
        state.plan().request.name
    )
}

/// Which campaign is gone on with, and how far it is.
fn going_on(state: &State, now: Timestamp) -> String {
    format!(
        "going on with campaign {} ({}): {}; its last record was appended {}",
        state.campaign(),
        state.plan().request.name,
        so_far(state.locations_so_far()),
        ago(state.last_record_at(), now),
    )
}

/// Closes a campaign that AWS no longer knows, and reports it.
pub(crate) async fn abandon(args: AbandonArgs) -> Result<ExitCode, Failure> {
    let logs = Logs::given(&args.log).await?;
    let state = logs.named_or_newest(Some(args.campaign)).await?;
    logs.refuse_simulated(&state)?;
    let session = Session::aws(Some(state.plan().request.access.clone())).await?;
    let campaign = campaigns(&session.ports, &logs, false).resume(&state).await?;
    if state.finished().is_none() {
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(
            std::io::stderr(),
            "AWS is asked about everything that the campaign may have begun, for two minutes if the log may have lost its end"
        );
    }
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
                    "not closed, and the campaign stays open: `patchfleet resume {0}` follows what AWS still knows of it. Say \
                     `patchfleet abandon {0}` again once AWS knows nothing of it and its last command has expired",
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
    let logs = Logs::given(&args.log).await?;
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
pub(super) fn campaigns(ports: &Ports, logs: &Logs, simulated: bool) -> Campaigns {
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
pub(super) async fn follow(
    campaign: &Campaign,
    args: &LogArgs,
    is_resumable: bool,
    interrupts: &Interrupts,
) -> Result<Report, Failure> {
    interrupts.say_instead(interrupted(campaign.id(), args, is_resumable));
    match campaign.run().await {
        // What is known of it is reported, and the campaign stays open.
        Err(CampaignError::Driving(DriveError::Unresolved { campaign: id, holds })) => {
            say_unresolved(id, holds.len(), args);
            Ok(campaign.report().await?)
        }
        report => Ok(report?),
    }
}

/// Says that a campaign stays open. What is known of each unit is told when that is found out, and in the report.
pub(super) fn say_unresolved(campaign: CampaignId, units: usize, args: &LogArgs) {
    let open = format!(
        "campaign {campaign} stays open: a person has to say what becomes of {}, and `patchfleet status {campaign}` \
         says how",
        counted(units, "unit")
    );
    say(&one_line(&in_log(&open, args.log.as_deref())));
}

/// What Ctrl-C says while a campaign is followed.
fn interrupted(campaign: CampaignId, args: &LogArgs, is_resumable: bool) -> String {
    let then = match is_resumable {
        true => {
            let then = format!("what it started goes on, and `patchfleet resume {campaign}` follows it");
            in_log(&then, args.log.as_deref())
        }
        false => "its simulated organisation ends here, so it cannot be resumed".to_owned(),
    };
    one_line(&format!("interrupted: left campaign {campaign}; {then}"))
}

/// Prints a report.
pub(crate) fn print_report(report: Report, output: Output, args: &LogArgs) -> Result<ExitCode, Failure> {
    let report = naming_log(report, args);
    match output {
        Output::Text => print_text(&report.to_text())?,
        Output::Json => print_json(&report)?,
    }
    Ok(ExitCode::from(report.exit_code()))
}

/// The report, where each command that it tells to type names the log.
pub(super) fn naming_log(mut report: Report, args: &LogArgs) -> Report {
    let log = args.log.as_deref();
    for unresolved in &mut report.unresolved {
        unresolved.detail = in_log(&unresolved.detail, log);
    }
    if let Some(wave) = &mut report.to_approve {
        wave.detail = in_log(&wave.detail, log);
    }
    report.left_out_because = report.left_out_because.map(|why| in_log(&why, log));
    report
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

/// Which ends of the process are a terminal.
#[derive(Debug, Clone, Copy)]
struct Ends {
    stdin: bool,
    stderr: bool,
}

impl Ends {
    fn of_this_process() -> Self {
        Self {
            stdin: std::io::stdin().is_terminal(),
            stderr: std::io::stderr().is_terminal(),
        }
    }

    /// Whether a person can be asked and can answer.
    fn both(self) -> bool {
        self.stdin && self.stderr
    }
}

/// Whether a person is asked before a campaign begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Asked,
    None,
}

/// A person is asked before an Install, and a script is not. Where one end alone is a terminal, a person sits there who
/// would have been asked, so nothing begins without their `--yes`.
fn question(yes: bool, operation: Operation, ends: Ends) -> Result<Question, Failure> {
    if yes || operation != Operation::Install {
        return Ok(Question::None);
    }
    match (ends.stdin, ends.stderr) {
        (true, true) => Ok(Question::Asked),
        (false, false) => Ok(Question::None),
        (true, false) => Err(Failure::Declined(
            "standard input is a terminal, and nobody can be asked before the Install, because standard error is not: add \
             --yes to begin without a question. Nothing was started",
        )),
        (false, true) => Err(Failure::Declined(
            "standard error is a terminal, and nobody can answer before the Install, because standard input is not: add \
             --yes to begin without a question. Nothing was started",
        )),
    }
}

/// Asks a person before an Install.
fn confirm(plan: &Plan) -> Result<(), Failure> {
    let locations = plan.locations.len();
    eprint!("Install patches in {}? [y/N] ", counted(locations, "location"));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    if std::io::stdin().read_line(&mut answer)? == 0 {
        // Ctrl-D does not end the question's line.
        eprintln!();
    }
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Declined("not confirmed: nothing was started")),
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
        let logs = Logs::given(&args)
            .await
            .unwrap_or_else(|failure| panic!("{}", failure.message()));
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

    #[test]
    fn an_install_is_asked_about_at_a_terminal_and_refused_where_a_terminal_cannot_be_asked() {
        let asked = |yes, operation, stdin, stderr| {
            question(yes, operation, Ends { stdin, stderr }).map_err(|failure| failure.message())
        };
        let install = |stdin, stderr| asked(false, Operation::Install, stdin, stderr);
        assert_eq!(install(true, true), Ok(Question::Asked));
        assert_eq!(install(false, false), Ok(Question::None), "a script");
        for (stdin, stderr, redirected) in [(true, false, "standard error"), (false, true, "standard input")]
        {
            let refused = install(stdin, stderr).unwrap_err();
            for part in [redirected, "--yes", "Nothing was started"] {
                assert!(refused.contains(part), "no {part} in {refused}");
            }
            assert_eq!(asked(true, Operation::Install, stdin, stderr), Ok(Question::None));
            assert_eq!(asked(false, Operation::Scan, stdin, stderr), Ok(Question::None));
        }
        assert_eq!(asked(true, Operation::Install, true, true), Ok(Question::None));
    }
}
