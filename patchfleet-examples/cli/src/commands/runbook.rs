//! `patchfleet runbook`: the Automation document that campaigns run.

use super::{print_json, print_text};
use crate::args::{Output, RunbookArgs, RunbookCommand};
use crate::exit::{Failure, say};
use crate::session::Session;
use crate::{input, progress};
use patchfleet_core::id::AccountId;
use patchfleet_core::port::Ports;
use patchfleet_core::request::PatchRequest;
use patchfleet_core::runbook::{self, Reach, ReachError, Runbook, StepTimeout};
use std::collections::BTreeMap;
use std::process::ExitCode;

pub(crate) async fn runbook(command: RunbookCommand) -> Result<ExitCode, Failure> {
    match command {
        RunbookCommand::Print(args) => print_text(&format!("{}\n", built(&args)?.to_json()))?,
        RunbookCommand::Ensure {
            runbook,
            request,
            format,
            share,
            output,
            world,
        } => {
            let runbook = built(&runbook)?;
            let request = match &request {
                Some(path) => Some(input::request(path, format.map(Into::into))?),
                None => None,
            };
            if let Some(request) = &request {
                of_ours(request)?;
            }
            let access = request.as_ref().map(|request| request.access.clone());
            let session = Session::open(&world, access).await?;
            let ports = progress::watched_ports(&session.ports, world.is_simulated());
            // One content everywhere: it fits the AWS-RunPatchBaseline of the central Region.
            let steps = runbook::command_steps(ports.documents.as_ref()).await;
            let runbook = runbook.fitting(steps);
            if let Some(request) = &request {
                return everywhere(&ports, request, &runbook, share, output.output).await;
            }
            let name = runbook::NAME.parse()?;
            let ensured = runbook::ensure(ports.documents.as_ref(), &name, &runbook).await?;
            match output.output {
                Output::Text => print_text(&format!("{name}: {ensured}\n"))?,
                Output::Json => print_json(&ensured)?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses a request with a runbook of one's own, which nothing here makes or shares.
fn of_ours(request: &PatchRequest) -> Result<(), Failure> {
    let document = &request.automation.document;
    if document.as_str() == runbook::NAME {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "the request has automation.document = \"{document}\": `runbook ensure` brings {} alone, so leave -f out, or \
         name a request for that one",
        runbook::NAME
    )))
}

/// Brings the runbook to each Region of the request, and shares it there if that is asked for.
async fn everywhere(
    ports: &Ports,
    request: &PatchRequest,
    runbook: &Runbook,
    share: bool,
    output: Output,
) -> Result<ExitCode, Failure> {
    let reach = Reach::of(&*ports.directory, request)
        .await
        .map_err(|error| match error {
            ReachError::Refused(refusal) => Failure::Refused(refusal),
            ReachError::Port(error) => error.into(),
        })?;
    for warning in &reach.warnings {
        say(warning);
    }
    let mut left_out: BTreeMap<(&AccountId, &str), usize> = BTreeMap::new();
    for skip in &reach.left_out {
        *left_out.entry((&skip.account, skip.reason.as_str())).or_default() += 1;
    }
    for ((account, reason), regions) in left_out {
        say(&format!(
            "left out: {account}, in {regions} of the Regions ({reason})"
        ));
    }
    let name = runbook::NAME.parse()?;
    let version = share.then(|| runbook::shared_version(request.automation.pin));
    let placed = runbook::distribute(ports.documents.as_ref(), &name, runbook, &reach, version).await;
    match output {
        Output::Text => print_text(&format!("{name}\n{}", runbook::in_text(&placed)))?,
        Output::Json => print_json(&placed)?,
    }
    Ok(if placed.iter().all(runbook::Placed::is_whole) {
        ExitCode::SUCCESS
    } else {
        say("not everything is done; what is done is left alone when the command is run again");
        ExitCode::from(1)
    })
}

fn built(args: &RunbookArgs) -> Result<Runbook, Failure> {
    let timeout = match args.step_timeout {
        Some(seconds) => StepTimeout::from_seconds(seconds)
            .map_err(|error| Failure::Usage(format!("--step-timeout = {seconds}: {error}")))?,
        None => StepTimeout::default(),
    };
    Ok(Runbook::new(timeout))
}
