//! `patchfleet approve`: a person lets the wave after one that is over begin.

use super::run::campaigns;
use super::{print_json, print_text};
use crate::args::{ApproveArgs, Output};
use crate::exit::Failure;
use crate::log::Logs;
use crate::session::Session;
#[cfg(feature = "sim")]
use crate::session::beside_simulated;
use patchfleet_core::campaign::State;
use patchfleet_core::text::in_log;
use serde_json::json;
use std::process::ExitCode;

pub(crate) async fn approve(args: ApproveArgs) -> Result<ExitCode, Failure> {
    let logs = Logs::given(&args.log).await?;
    let state = logs.named_or_only_open(args.campaign).await?;
    let simulated = logs.simulated(state.campaign(), &state.plan().request.name);
    let session = match &simulated {
        None => Session::aws(Some(state.plan().request.access.clone())).await?,
        Some(_) => beside(&logs, &state).await?,
    };
    let campaigns = campaigns(&session.ports, &logs, false);
    let wave = campaigns.approve(&state, args.wave.as_ref()).await?;
    let campaign = state.campaign();
    match args.output.output {
        Output::Json => print_json(&json!({ "campaign_id": campaign, "wave": wave }))?,
        Output::Text => {
            let if_nobody = match simulated {
                None => format!("if nobody does, `patchfleet resume {campaign}` goes on"),
                Some(gone) => format!("if its process has ended: {gone}"),
            };
            let words = match state.finished() {
                Some(_) => format!(
                    "wave {wave} of campaign {campaign} is approved. The campaign is over: `patchfleet run --retry {campaign}` begins \
                     what it left, and so does the next run of its request with `--carry-over`, if its window left it\n"
                ),
                None => format!(
                    "wave {wave} of campaign {campaign} is approved. Whoever follows the campaign begins the next wave within \
                 a minute, unless that waits for something else; {if_nobody}\n"
                ),
            };
            print_text(&in_log(&words, args.log.log.as_deref()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The session beside the process that simulates the campaign's organisation.
#[cfg(feature = "sim")]
async fn beside(_: &Logs, state: &State) -> Result<Session, Failure> {
    beside_simulated(state.last_at()).await
}

/// Whoever has no simulator does not speak to one.
#[cfg(not(feature = "sim"))]
async fn beside(logs: &Logs, state: &State) -> Result<Session, Failure> {
    logs.refuse_simulated(state)?;
    Session::aws(None).await
}
