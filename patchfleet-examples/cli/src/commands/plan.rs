//! `patchfleet plan`: reads only.

use super::{print_json, print_text};
use crate::args::{DepthArg, Output, PlanArgs, RequestArgs, World};
use crate::exit::Failure;
use crate::input;
use crate::session::Session;
use patchfleet_core::census::Depth;
use patchfleet_core::plan::{self, Plan};
use patchfleet_core::port::Ports;
use patchfleet_core::request::PatchRequest;
use std::process::ExitCode;

pub(crate) async fn plan(args: PlanArgs) -> Result<ExitCode, Failure> {
    let request = request(&args.request, &args.world)?;
    let session = Session::open(&args.world, Some(request.access.clone())).await?;
    let plan = make(&session.ports, &request, args.request.depth).await?;
    if let Some(path) = &args.out {
        std::fs::write(path, plan.to_json())
            .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))?;
    }
    match args.output.output {
        Output::Text => print_text(&plan.to_text())?,
        Output::Json => print_json(&plan)?,
    }
    Ok(ExitCode::SUCCESS)
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

pub(crate) async fn make(ports: &Ports, request: &PatchRequest, depth: DepthArg) -> Result<Plan, Failure> {
    let depth = match depth {
        DepthArg::Presence => Depth::Presence,
        DepthArg::Count => Depth::Count,
    };
    let options = plan::Options {
        depth,
        results: Some(ports.automation.as_ref()),
        ..Default::default()
    };
    Ok(plan::make(
        ports.directory.as_ref(),
        ports.inventory.as_ref(),
        ports.documents.as_ref(),
        request,
        &options,
    )
    .await?)
}
