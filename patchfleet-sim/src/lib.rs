//! A simulated AWS organization, for tests of programs that use Systems Manager across accounts and
//! Regions. No public emulator answers ListGroupResources, DescribeInstanceInformation or any
//! Automation call.
//!
//! ```
//! use patchfleet_sim::{Sim, SimOptions, builtin, world::World};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let world = World::parse(builtin::CALM.world)?;
//! let sim = Sim::start(world, SimOptions::default()).await?;
//! // Point an SDK at it: AWS_ENDPOINT_URL, with any credentials.
//! println!("{}", sim.endpoint());
//! assert!(sim.with_world(|world| world.nodes().count()) > 40);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! One deterministic [`world`] on a virtual [clock](SimClock) has two fronts: AWS's wire protocols on
//! loopback ([`Sim`]), and patchfleet's own ports in memory ([`MemoryPorts`]). Both answer through the
//! same operations, and both record every call.

mod api;
pub mod builtin;
mod clock;
mod error;
mod model;
mod ports;
mod seed;
mod service;
mod sim;
pub mod spec;
mod wire;
pub mod world;

pub use api::{Caller, Principal, call, operations};
pub use clock::{ClockMode, SimClock};
pub use error::ApiError;
pub use ports::MemoryPorts;
pub use service::Service;
pub use sim::{Credentials, Sim, SimOptions};
pub use wire::Patience;
