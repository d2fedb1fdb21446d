//! What planning asks of an organization, and what it refuses before anything is started.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

#[path = "planning/account_tags.rs"]
mod account_tags;
#[path = "planning/by_id.rs"]
mod by_id;
#[path = "planning/own_inventory.rs"]
mod own_inventory;
#[path = "planning/reading.rs"]
mod reading;
#[path = "planning/regions.rs"]
mod regions;

use patchfleet_core::{
    plan::{Plan, PlanError},
    port::Ports,
    refusal::Refusal,
    request::PatchRequest,
};
use patchfleet_sim::{ClockMode, SimClock, world::World};
use patchfleet_tests::in_memory;

/// Runs a future on a world's own time.
fn wait<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

/// A world, and the ports on it that the request asks for.
fn open(world: &str, request: &PatchRequest) -> (SimClock, Ports) {
    let clock = SimClock::new(World::parse(world).unwrap(), ClockMode::Jump);
    let ports = in_memory(&clock, &request.access).unwrap();
    (clock, ports)
}

/// The refusal that planning must end in.
#[track_caller]
fn refusal(planned: Result<Plan, PlanError>) -> Refusal {
    match planned {
        Err(PlanError::Refused(refusal)) => refusal,
        Err(error) => panic!("{error}"),
        Ok(plan) => panic!("planned:\n{}", plan.to_text()),
    }
}

/// The calls of the world so far: operation, account and Region.
fn calls(clock: &SimClock) -> Vec<(String, String)> {
    clock.with_world(|world| {
        let requests = world.requests().iter();
        requests
            .map(|one| (one.operation.clone(), format!("{}/{}", one.account, one.region)))
            .collect()
    })
}
