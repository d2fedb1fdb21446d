//! Plan, run and account for a Systems Manager patch campaign over many AWS accounts and Regions.
//!
//! This crate is pure: it has no runtime, no AWS client, no clock, no environment and no
//! randomness of its own. What it needs of the world stands behind the traits of [`port`]; `now`
//! and seeds are arguments. `patchfleet-aws` implements the ports over the AWS SDK,
//! `patchfleet-sim` over a simulated organisation.
//!
//! Data flows one way, and each stage is a plain value that can be printed, saved and compared:
//!
//! ```text
//! PatchRequest → Candidates → Census → Plan → campaign log → Report
//!    request       expand     census   plan     campaign     report
//! ```

pub mod budget;
pub mod campaign;
pub mod census;
pub mod expand;
mod fleet;
mod front;
mod hash;
pub mod id;
pub mod outcome;
pub mod pack;
pub mod plan;
pub mod port;
pub mod presigned;
pub mod problem;
pub mod refusal;
pub mod report;
pub mod request;
pub mod runbook;
pub mod text;

pub use front::{Campaign, CampaignError, Campaigns, Planned, ReadAgain, Remedy, Served, serve_event};
