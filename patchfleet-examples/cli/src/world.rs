//! The simulated organisation that `--sim` names, and the request that goes with it.

use crate::exit::Failure;
use crate::input;
use patchfleet_core::id::Region;
use patchfleet_core::request::{Format, PatchRequest};
use patchfleet_sim::builtin;
use patchfleet_sim::world::World;
use std::path::Path;

/// The largest world file that is read.
const MAX_WORLD_BYTES: u64 = 16 << 20;

/// How fast a world of somebody's own runs, unless `--sim-speed` says so.
const SPEED: f64 = 600.0;

/// A world, and what goes with it if it is a built-in one.
pub(crate) struct SimWorld {
    pub(crate) world: World,
    /// Simulated seconds in a second at which a person sees what happens and need not wait.
    pub(crate) speed: f64,
    request: Option<&'static str>,
}

/// The built-in world `name`, or the world file of that path.
pub(crate) fn load(name: &str) -> Result<SimWorld, Failure> {
    let parse = |text: &str| World::parse(text).map_err(|error| Failure::Usage(format!("{name}: {error}")));
    match builtin::find(name) {
        Some(builtin) => Ok(SimWorld {
            world: parse(builtin.world)?,
            speed: builtin.speed,
            request: Some(builtin.request),
        }),
        None if !Path::new(name).exists() => Err(Failure::Usage(format!(
            "--sim {name}: no such world file; built-in are {}",
            builtin::ALL.map(|world| world.name).join(" and ")
        ))),
        None => Ok(SimWorld {
            world: parse(&input::text(Path::new(name), MAX_WORLD_BYTES)?)?,
            speed: SPEED,
            request: None,
        }),
    }
}

/// The Region from which `--sim` starts automations.
pub(crate) fn central_region() -> Result<Region, Failure> {
    Ok("us-east-1".parse()?)
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
