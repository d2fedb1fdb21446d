//! `patchfleet plan`: reads only.

use super::{print_json, print_text};
use crate::args::{DepthArg, Output, PlanArgs, RequestArgs, World};
use crate::exit::Failure;
use crate::log::Logs;
use crate::session::Session;
use crate::{input, progress};
use patchfleet_core::census::Depth;
use patchfleet_core::plan::{Attendance, Plan, Planning, refuse_presigned};
use patchfleet_core::request::PatchRequest;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

pub(crate) async fn plan(args: PlanArgs) -> Result<ExitCode, Failure> {
    let request = request(&args.request, &args.world)?;
    // `run` refuses it: a plan of it could be shown, and never begun.
    refuse_presigned(&request).map_err(Failure::Refused)?;
    let session = Session::open(&args.world, Some(request.access.clone())).await?;
    let is_said = request.forecast.minutes_per_node.is_some();
    let (pace, unread) = match args.world.is_simulated() || is_said {
        true => (None, None),
        false => Logs::pace(&args.log, &request).await?,
    };
    let planning = Planning {
        depth: depth(args.request.depth),
        cutoff: args
            .request
            .cutoff
            .map(|when| when.from(session.ports.clock.now())),
        // Nothing is started, and whoever asked reads the warnings.
        attendance: Attendance::Attended,
        who_sees: true,
        pace,
        ..Planning::default()
    };
    let ports = progress::watched_ports(&session.ports, args.world.is_simulated());
    let mut plan = Plan::make(&ports, &request, &planning).await?;
    plan.warnings.extend(unread);
    if let Some(path) = &args.out {
        private(path, &plan.to_json())
            .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))?;
    }
    match args.output.output {
        Output::Text => print_text(&plan.to_text())?,
        Output::Json => print_json(&plan.saved())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a file that only its owner may read.
fn private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A file that was there keeps its mode, and one that is none, such as a pipe, has no owner's.
        if file.metadata()?.is_file() {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
    }
    file.write_all(text.as_bytes())
}

/// The request that the arguments name: a file, or the simulated world's own.
pub(crate) fn request(args: &RequestArgs, world: &World) -> Result<PatchRequest, Failure> {
    if let Some(path) = &args.request {
        return input::request(path, args.format.map(Into::into));
    }
    #[cfg(feature = "sim")]
    if let Some(name) = &world.sim {
        return crate::world::load(name)?.request();
    }
    #[cfg(not(feature = "sim"))]
    let _ = world;
    Err(Failure::Usage(
        "no request: name one with -f FILE, or try --sim".to_owned(),
    ))
}

pub(crate) fn depth(arg: DepthArg) -> Depth {
    match arg {
        DepthArg::Presence => Depth::Presence,
        DepthArg::Count => Depth::Count,
    }
}
