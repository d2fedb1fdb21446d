//! patchfleet's ports over the AWS SDK for Rust.
//!
//! [`Aws`] implements [`Directory`], [`Inventory`], [`Automation`] and [`Documents`];
//! [`SystemClock`] implements [`Clock`](patchfleet_core::port::Clock). An `Aws` is cheap to clone,
//! and its clones share clients, credentials, connections and limits.
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
//!
//! ```no_run
//! # async fn example(access: patchfleet_core::request::Access) -> patchfleet_core::port::PortResult<()> {
//! use patchfleet_aws::Aws;
//! use patchfleet_core::port::Directory;
//!
//! let aws = Aws::load().await?.access(access).build()?;
//! let caller = aws.caller().await?;
//! println!("{} in {}", caller.arn, caller.region);
//! # Ok(())
//! # }
//! ```
//!
//! [`Directory`]: patchfleet_core::port::Directory
//! [`Inventory`]: patchfleet_core::port::Inventory
//! [`Automation`]: patchfleet_core::port::Automation
//! [`Documents`]: patchfleet_core::port::Documents

/// The examples of README.md.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod call;
mod credentials;
mod ports;
mod settings;

pub use call::{Limits, Operation, Rate};
pub use ports::{Aws, SystemClock};
pub use settings::{AwsBuilder, external_id_from_env, load_config, simulated_config};

#[cfg(test)]
mod testing;
