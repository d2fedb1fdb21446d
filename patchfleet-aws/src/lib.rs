//! patchfleet's ports over the AWS SDK for Rust.
//!
//! A campaign from its request to its report, by the usual environment and profiles, remembered in a folder:
//!
//! ```no_run
//! use patchfleet_aws::{Aws, external_id_from_env};
//! use patchfleet_core::Campaigns;
//! use patchfleet_core::campaign::Store;
//! use patchfleet_core::id::{CampaignId, WriterId};
//! use patchfleet_core::plan::Planning;
//! use patchfleet_core::request::{Format, PatchRequest};
//! use uuid::Uuid;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let request = PatchRequest::parse(&std::fs::read("weekly.json")?, Format::Json)?;
//! let access = external_id_from_env(request.access.clone())?;
//! let ports = Aws::load().await?.access(access).ports()?;
//! let store = Store::in_folder("/var/lib/patchfleet");
//!
//! let campaigns = Campaigns::new(ports, store, WriterId::from_uuid(Uuid::new_v4()));
//! let campaign = CampaignId::from_uuid(Uuid::new_v4());
//! let report = campaigns.run(campaign, &request, &Planning::default()).await?;
//! print!("{}", report.to_text());
//! # Ok(())
//! # }
//! ```
//!
//! A Lambda function ends long before its patching does. It starts every execution of its plan, and leaves them to
//! Systems Manager. The same event delivered twice starts one campaign:
//!
//! ```no_run
//! use patchfleet_aws::{Aws, Limits, external_id_from_env};
//! use patchfleet_core::id::{EventId, EventSource};
//! use patchfleet_core::plan::Planning;
//! use patchfleet_core::request::PatchRequest;
//! use patchfleet_core::{Served, serve_event};
//! use serde_json::Value;
//!
//! /// Serves `{"event_id": "…", "request": {…}}`. `config` was read once, at the cold start (`load_config`).
//! async fn handle(event: &Value, config: &aws_config::SdkConfig) -> Result<String, Box<dyn std::error::Error>> {
//!     let request = PatchRequest::from_value(event["request"].clone())?;
//!     let event = EventId::new(EventSource::Event, event["event_id"].as_str().unwrap_or_default())?;
//!     let access = external_id_from_env(request.access.clone())?;
//!     let ports = Aws::builder(config).access(access).limits(Limits::from_env()?).ports()?;
//!     Ok(match serve_event(&ports, &event, &request, &Planning::default(), None).await? {
//!         Served::Started { executions, plan, .. } => {
//!             format!("{} executions in {} locations", executions.len(), plan.locations.len())
//!         }
//!         Served::Before { before, .. } => format!("{} executions were started before", before.executions.len()),
//!         Served::NothingToDo { .. } => "nothing to do".to_owned(),
//!     })
//! }
//! ```
//!
//! [`Aws`] implements core's ports, and [`SystemClock`] its clock. An `Aws` is cheap to clone, and its clones share
//! clients, credentials, connections and limits.
//!
//! * The caller's own account is read with the caller's credentials. Every other account is entered
//!   by one AssumeRole, which is renewed before it expires. If AWS says that credentials have expired
//!   all the same, the call is made again with new ones.
//! * Each operation has its own rate in each account and Region ([`Limits`]), kept on the port's
//!   clock. The rate halves when AWS throttles, and grows back while AWS answers. So reads become
//!   slower, and fail only if AWS answers none of them for minutes.
//! * Every failure is one [`PortError`](patchfleet_core::port::PortError), whose kind follows from
//!   AWS's error code ([`AwsError`](patchfleet_core::port::AwsError)). The SDK itself tries a call up
//!   to 3 times, and only the failure of the last try arrives here.

/// The examples of README.md.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod call;
mod credentials;
pub mod iam;
mod ports;
#[cfg(feature = "s3")]
mod s3;
mod settings;

pub use call::{Limits, Operation, Rate};
pub use ports::{Aws, SystemClock};
#[cfg(feature = "s3")]
pub use s3::{S3Uri, S3UriError};
pub use settings::{AwsBuilder, external_id_from_env, load_config, simulated_config};

#[cfg(test)]
mod testing;
