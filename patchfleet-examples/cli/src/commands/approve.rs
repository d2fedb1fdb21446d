//! `patchfleet approve`: a person lets the wave after one that is over begin.

use super::run::campaigns;
use super::{print_json, print_text};
use crate::args::{ApproveArgs, Output};
use crate::exit::Failure;
use crate::log::Logs;
use crate::session::Session;
use patchfleet_core::text::in_log;
use serde_json::json;
use std::process::ExitCode;

pub(crate) async fn approve(args: ApproveArgs) -> Result<ExitCode, Failure> {
    let logs = Logs::given(&args.log).await?;
    let state = logs.named_or_only_open(args.campaign).await?;
    logs.refuse_simulated(&state)?;
    let session = Session::aws(Some(state.plan().request.access.clone())).await?;
    let campaigns = campaigns(&session.ports, &logs, false);
    let wave = campaigns.approve(&state, args.wave.as_ref()).await?;
    let campaign = state.campaign();
    match args.output.output {
        Output::Json => print_json(&json!({ "campaign_id": campaign, "wave": wave }))?,
        Output::Text => {
            let words = format!(
                "wave {wave} of campaign {campaign} is approved. Whoever follows the campaign begins the next wave within \
                 a minute, unless that waits for something else; if nobody does, `patchfleet resume {campaign}` goes on\n"
            );
            print_text(&in_log(&words, args.log.log.as_deref()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
