//! Support for the tests that cross patchfleet's crates. The tests themselves are in `tests/`.
//!
//! A campaign runs over any [`Ports`]: those of a simulated organization in memory ([`in_memory`])
//! or those of the AWS adapter ([`over_http`]).

/// The example of patchfleet-core's README, which needs ports that only the crates above it have.
#[cfg(doctest)]
#[doc = include_str!("../../patchfleet-core/README.md")]
struct CoreReadme;

mod account;

pub use account::Account;
pub use patchfleet_oracle::{Campaign, Ended, Failure, central_region, in_memory, plan, plan_and_run};

use aws_smithy_types::retry::RetryConfig;
use patchfleet_aws::{Aws, simulated_config};
use patchfleet_core::{
    port::Ports,
    problem::Problems,
    request::{Access, Format, PatchRequest},
};
use patchfleet_sim::Sim;
use std::{sync::Arc, time::Duration};

/// Reads a request as TOML.
///
/// # Errors
///
/// Every problem of the text.
pub fn request(toml: &str) -> Result<PatchRequest, Problems> {
    PatchRequest::parse(toml.as_bytes(), Format::Toml)
}

/// The ports of the AWS adapter on a running simulator: the real SDK, over loopback, on the
/// simulator's clock. It makes as many attempts as ever, and waits next to nothing between them:
/// those waits are real time.
///
/// # Errors
///
/// Whatever keeps the adapter from being built.
pub fn over_http(sim: &Sim, access: &Access) -> Result<Ports, Failure> {
    let config = simulated_config(&sim.endpoint(), &central_region()?)
        .into_builder()
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .build();
    Ok(Aws::builder(&config)
        .access(access.clone())
        .clock(Arc::new(sim.clock()))
        .ports()?)
}
