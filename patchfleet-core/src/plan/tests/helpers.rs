//! A world with every answer, the request for it, and its plan.

use crate::id::NodeId;
use crate::plan::{Attendance, Options, Plan, PlanError, make};
use crate::port::{AccountState, PingStatus, PortErrorKind};
use crate::refusal::{Refusal, SkipReason};
use crate::request::PatchRequest;
use crate::tests::world::{CENTRAL, Place, World, account, ec2, hybrid, request_with, wait};
use serde_json::{Value, json};

pub(crate) fn planned(world: &World, request: &PatchRequest) -> Result<Plan, Refusal> {
    planned_with(world, request, attended())
}

pub(crate) fn planned_with(
    world: &World,
    request: &PatchRequest,
    options: Options<'_>,
) -> Result<Plan, Refusal> {
    match wait(make(world, world, world, request, &options)) {
        Ok(plan) => Ok(plan),
        Err(PlanError::Refused(refusal)) => Err(refusal),
        Err(error) => panic!("{error}"),
    }
}

/// Counts every node, with a person at a terminal.
pub(crate) fn attended() -> Options<'static> {
    Options {
        attendance: Attendance::Attended,
        ..Options::default()
    }
}

pub(crate) const OTHER: &str = "222222222222";
pub(crate) const CLOSED: &str = "333333333333";
pub(crate) const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "us-west-2"];

pub(crate) fn place(online: u64, offline: u64, unmanaged: u64) -> Place {
    let nodes: Vec<NodeId> = (0..online + offline + unmanaged)
        .map(|n| if n % 3 == 2 { hybrid(n) } else { ec2(n) })
        .collect();
    let pings = std::iter::repeat_n(PingStatus::Online, usize::try_from(online).unwrap()).chain(
        std::iter::repeat_n(PingStatus::Offline, usize::try_from(offline).unwrap()),
    );
    Place {
        managed: nodes.iter().cloned().zip(pings).collect(),
        members: nodes,
        ..Place::default()
    }
}

/// Two accounts in three Regions and a closed one: populated, empty, missing, denied.
pub(crate) fn world() -> World {
    let mut world = World::default();
    for id in [CENTRAL, OTHER, CLOSED] {
        world.add(id, &REGIONS);
    }
    world.accounts.insert(account(CLOSED), AccountState::Closed);
    *world.place(CENTRAL, "us-east-1") = place(20, 1, 2);
    *world.place(CENTRAL, "eu-west-1") = place(3, 0, 0);
    *world.place(OTHER, "us-east-1") = place(1, 0, 0);
    world.place(OTHER, "eu-west-1").members_fail = Some((0, PortErrorKind::NotFound));
    world.place(OTHER, "us-west-2").members_fail = Some((0, PortErrorKind::Denied));
    world
}

pub(crate) fn asked(policy: Value) -> PatchRequest {
    request_with(
        json!({
            "resource_group": "WebServers", "regions": REGIONS,
            "accounts": [CENTRAL, OTHER, CLOSED],
        }),
        json!({
            "policy": policy,
            "patch": {"operation": "Install"},
            "budget": {"locations": {"max_concurrency": 2, "max_errors": 1}},
        }),
    )
}

pub(crate) fn reasons(plan: &Plan) -> Vec<(String, SkipReason)> {
    let skips = plan.skipped.iter();
    skips
        .map(|skip| (skip.location().to_string(), skip.reason))
        .collect()
}
