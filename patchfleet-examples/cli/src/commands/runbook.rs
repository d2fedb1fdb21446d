//! `patchfleet runbook`: the Automation document that campaigns run.

use super::{print_json, print_text};
use crate::args::{Output, RunbookArgs, RunbookCommand};
use crate::exit::Failure;
use crate::progress;
use crate::session::Session;
use patchfleet_core::runbook::{self, Runbook, StepTimeout};
use std::process::ExitCode;

pub(crate) async fn runbook(command: RunbookCommand) -> Result<ExitCode, Failure> {
    match command {
        RunbookCommand::Print(args) => print_text(&format!("{}\n", built(&args)?.to_json()))?,
        RunbookCommand::Ensure {
            runbook,
            output,
            world,
        } => {
            let runbook = built(&runbook)?;
            let name = runbook::NAME.parse()?;
            let session = Session::open(&world, None).await?;
            let ports = progress::watched_ports(&session.ports, world.is_simulated());
            let documents = ports.documents.as_ref();
            let steps = runbook::command_steps(documents).await;
            let ensured = runbook::ensure(documents, &name, &runbook.fitting(steps)).await?;
            match output.output {
                Output::Text => print_text(&format!("{name}: {ensured}\n"))?,
                Output::Json => print_json(&ensured)?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn built(args: &RunbookArgs) -> Result<Runbook, Failure> {
    let timeout = match args.step_timeout {
        Some(seconds) => StepTimeout::from_seconds(seconds)
            .map_err(|error| Failure::Usage(format!("--step-timeout = {seconds}: {error}")))?,
        None => StepTimeout::default(),
    };
    Ok(Runbook::new(timeout))
}
