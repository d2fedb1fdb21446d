//! The simulated organisation that `--sim` names, and the request that goes with it.

use crate::exit::Failure;
use crate::input;
use patchfleet_core::id::{Partition, Region};
use patchfleet_core::request::{Format, PatchRequest};
use patchfleet_sim::builtin;
use patchfleet_sim::spec::{WorldError, WorldSpec};
use patchfleet_sim::world::World;
use std::path::Path;

/// The largest world file that is read.
const MAX_WORLD_BYTES: u64 = 16 << 20;

/// How fast a world of somebody's own runs, unless `--sim-speed` says so.
const SPEED: f64 = 600.0;

/// A world, and what goes with it if it is a built-in one.
pub(crate) struct SimWorld {
    pub(crate) world: World,
    /// The Region from which automations are started.
    pub(crate) central: Region,
    /// Simulated seconds in a second. At this speed a person sees what happens and need not wait.
    pub(crate) speed: f64,
    request: Option<&'static str>,
}

/// The built-in world `name`, or the world file of that path.
pub(crate) fn load(name: &str) -> Result<SimWorld, Failure> {
    let parse = |text: &str| {
        let spec = WorldSpec::parse(text)?;
        Ok((World::new(&spec)?, central_region(&spec.regions)))
    };
    let parse = |text: &str| parse(text).map_err(|error: WorldError| Failure::World(name.to_owned(), error));
    match builtin::find(name) {
        Some(builtin) => {
            let (world, central) = parse(builtin.world)?;
            Ok(SimWorld {
                world,
                central: central?,
                speed: builtin.speed,
                request: Some(builtin.request),
            })
        }
        None if !Path::new(name).exists() => Err(Failure::Usage(format!(
            "--sim {name}: no such world file; built-in are {}",
            builtin::ALL.map(|world| world.name).join(", ")
        ))),
        None => {
            let (world, central) = parse(&input::text(Path::new(name), MAX_WORLD_BYTES)?)?;
            Ok(SimWorld {
                world,
                central: central?,
                speed: SPEED,
                request: None,
            })
        }
    }
}

/// The Region from which `--sim` starts automations: AWS_REGION if the world has it, or else the
/// world's first. A world that lists no Regions has those of the commercial partition.
fn central_region(regions: &[Region]) -> Result<Region, Failure> {
    let named = std::env::var("AWS_REGION").ok();
    let named = named.and_then(|region| region.parse::<Region>().ok());
    let has = |region: &Region| match regions {
        [] => region.partition() == Partition::Aws,
        listed => listed.contains(region),
    };
    match (named.filter(has), regions.first()) {
        (Some(region), _) => Ok(region),
        (None, Some(first)) => Ok(first.clone()),
        (None, None) => Ok("us-east-1".parse()?),
    }
}

impl SimWorld {
    /// The world's own request.
    pub(crate) fn request(&self) -> Result<PatchRequest, Failure> {
        let text = self.request.ok_or_else(|| {
            Failure::Usage("a world file has no request of its own: name one with -f FILE".to_owned())
        })?;
        PatchRequest::parse(text.as_bytes(), Format::Toml).map_err(Failure::Invalid)
    }
}
