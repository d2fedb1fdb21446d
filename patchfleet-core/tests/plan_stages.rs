//! The stages from the request to the plan, against worlds in memory.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, outside of #[test]"
)]

#[path = "plan_stages/by_id.rs"]
mod by_id;
#[path = "plan_stages/census.rs"]
mod census;
#[path = "plan_stages/expand.rs"]
mod expand;
#[path = "plan_stages/laws.rs"]
mod laws;
#[path = "plan_stages/lifetime.rs"]
mod lifetime;
#[path = "plan_stages/nowhere.rs"]
mod nowhere;
#[path = "plan_stages/offline.rs"]
mod offline;
#[path = "plan_stages/plan.rs"]
mod plan;
#[path = "plan_stages/runbook.rs"]
mod runbook;
#[path = "plan_stages/start.rs"]
mod start;
#[path = "plan_stages/world.rs"]
mod world;
