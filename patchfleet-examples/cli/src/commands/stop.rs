//! `patchfleet stop`: nothing more is begun, what runs is stopped, and what became of it is reported.

use super::run::{campaigns, print_report, say_unresolved};
use crate::args::StopArgs;
use crate::exit::{Failure, say};
use crate::interrupt::Interrupts;
use crate::log::Logs;
use crate::session::Session;
use jiff::Timestamp;
use patchfleet_core::CampaignError;
use patchfleet_core::campaign::{DriveError, StopMode};
use patchfleet_core::text::{in_log, one_line};
use std::process::ExitCode;

pub(crate) async fn stop(args: StopArgs) -> Result<ExitCode, Failure> {
    let logs = Logs::given(&args.log).await?;
    let state = logs.named_or_only_open(args.campaign).await?;
    logs.refuse_simulated(&state)?;
    let (campaign, log) = (state.campaign(), args.log.log.as_deref());
    let words = format!(
        "interrupted: if the log says by now that campaign {campaign} is stopped, whoever drives it stops it; \
         `patchfleet stop {campaign}` goes on"
    );
    let _interrupts = Interrupts::listen(one_line(&in_log(&words, log)))?;
    let session = Session::aws(Some(state.plan().request.access.clone())).await?;
    let campaigns = campaigns(&session.ports, &logs, false);
    let mode = match args.let_commands_run {
        true => StopMode::LetCommandsRun,
        false => StopMode::CancelCommands,
    };
    let report = match campaigns.stop(&state, mode).await {
        Ok(report) => report,
        Err(CampaignError::Driving(error)) => {
            match &error {
                DriveError::Unresolved { holds, .. } => say_unresolved(campaign, holds.len(), &args.log),
                // Where nobody may look, nobody knows whether it has stopped.
                DriveError::RunsOn { .. } | DriveError::Observe { .. } => {
                    let then = format!(
                        "{error}. `patchfleet resume {campaign}` follows it to its end, and `patchfleet stop {campaign}` \
                         tries once more"
                    );
                    say(&one_line(&in_log(&then, log)));
                }
                _ => return Err(error.into()),
            }
            let state = logs
                .named_or_only_open(Some(crate::args::CampaignArg::Id(campaign)))
                .await?;
            logs.watched.report(&state, Timestamp::now()).await?
        }
        Err(error) => return Err(error.into()),
    };
    print_report(report, args.output.output, &args.log)
}
