//! `patchfleet override-list`: what the nodes of a campaign have installed, as an InstallOverrideList.

use super::run::campaigns;
use crate::args::OverrideListArgs;
use crate::exit::{Failure, say};
use crate::log::Logs;
use crate::session::Session;
use patchfleet_core::OverrideListError;
use patchfleet_core::text::one_line;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// What a list is that has not everything, as a campaign is whose nodes are not all at their goal.
const NOT_WHOLE: u8 = 4;

pub(crate) async fn override_list(args: OverrideListArgs) -> Result<ExitCode, Failure> {
    let logs = Logs::given(&args.log).await?;
    let state = logs.named_or_newest(args.campaign).await?;
    logs.refuse_simulated(&state)?;
    let session = Session::aws(Some(state.plan().request.access.clone())).await?;
    let campaigns = campaigns(&session.ports, &logs, false);
    let list = campaigns.override_list(&state, args.wave.as_ref()).await;
    let list = list.map_err(|error| match error {
        OverrideListError::Campaign(error) => error.into(),
        error => Failure::Usage(error.to_string()),
    })?;
    for remark in list.remarks() {
        say(&one_line(&remark));
    }
    if let Some(why) = list.nothing() {
        say(&one_line(&why));
        return Ok(ExitCode::from(NOT_WHOLE));
    }
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(list.to_yaml().as_bytes());
    super::unless_closed(written.and_then(|()| stdout.flush()))?;
    Ok(match list.is_whole() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(NOT_WHOLE),
    })
}
