//! Plan, run and account for a Systems Manager patch campaign over many AWS accounts and Regions.
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/one_node.rs"));
//! # fn main() -> Result<(), Box<dyn std::error::Error>> { wait(async {
//! use patchfleet_core::campaign::Store;
//! use patchfleet_core::id::{CampaignId, WriterId};
//! use patchfleet_core::outcome::NodeOutcome;
//! use patchfleet_core::plan::Planning;
//! use patchfleet_core::request::{Format, PatchRequest};
//! use patchfleet_core::{Campaigns, Remedy};
//! use uuid::Uuid;
//!
//! let request = br#"{
//!     "name": "weekly",
//!     "patch": { "operation": "Install" },
//!     "targets": { "resource_group": "WebServers", "regions": ["us-east-1"] }
//! }"#;
//! let request = PatchRequest::parse(request, Format::Json)?;
//!
//! // The ports of patchfleet-aws, of patchfleet-sim, or your own: here an AWS that has one node.
//! let ports = one_node();
//! // In a program both are new: Uuid::new_v4().
//! let (writer, campaign) = (Uuid::from_u128(1), Uuid::from_u128(2));
//!
//! let campaigns = Campaigns::new(ports, Store::in_memory(), WriterId::from_uuid(writer));
//! let report = campaigns.run(CampaignId::from_uuid(campaign), &request, &Planning::default()).await;
//! match report {
//!     Ok(report) => {
//!         print!("{}", report.to_text());
//!         assert_eq!(report.totals.nodes.count(NodeOutcome::Done), 1);
//!     }
//!     // The campaign stays open: the same call goes on with it.
//!     Err(error) if error.remedy() == Remedy::TryLater => eprintln!("later: {error}"),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok(()) }) }
//! ```
//!
//! [`Campaigns::run`] does all of it: it plans, begins, follows, collects and reports. Each step is there by itself
//! as well, and the types keep their order: [`Campaigns::plan`] → [`Planned::begin`] → [`Campaign::run`], or
//! [`Campaigns::resume`] for a campaign that was left. A [`Store`](campaign::Store) lists and reports its campaigns
//! without asking AWS. [`Plan::make`](plan::Plan::make) only plans. A function that ends long before its patching
//! does calls [`serve_event`].
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

#![cfg_attr(
    not(feature = "internals"),
    expect(
        unreachable_pub,
        reason = "what only `internals` shows is pub, and nothing shows it without the feature"
    )
)]

pub mod budget;
pub mod campaign;
pub mod census;
mod expand;
mod fleet;
mod front;
mod hash;
pub mod id;
pub mod outcome;
mod pack;
pub mod plan;
pub mod port;
mod presigned;
pub mod problem;
pub mod refusal;
pub mod report;
pub mod request;
pub mod runbook;
mod slip;
#[cfg(test)]
mod tests;
pub mod text;

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;

pub use front::{
    Campaign, CampaignError, Campaigns, OverrideListError, Planned, ReadAgain, Remedy, Retry, RetryPlan,
    Served, plan_event, serve_event, watched,
};
