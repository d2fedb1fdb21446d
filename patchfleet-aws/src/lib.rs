//! patchfleet's ports over the AWS SDK for Rust.
//!
//! [`Aws`] implements [`Directory`], [`Inventory`], [`Automation`] and [`Documents`];
//! [`SystemClock`] implements [`Clock`](patchfleet_core::port::Clock). An `Aws` is cheap to clone,
//! and its clones share clients, credentials, connections and limits.
//!
//! * The caller's own account is read with the caller's credentials; every other with one
//!   AssumeRole for the account, refreshed before it expires. Where AWS says that credentials have
//!   expired all the same, a call is made again with new ones.
//! * Each account, Region and operation has its own rate ([`Limits`]), kept on the port's clock.
//!   It halves when AWS throttles, and grows back while AWS answers: reads become slower, and fail
//!   only if AWS answers none of them for minutes.
//! * Every failure is one [`PortError`](patchfleet_core::port::PortError), by AWS's error code.
//!   The SDK retries failed calls itself, up to 3 attempts in all; what arrives here is what was
//!   left after that.
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

use std::fmt;
use std::sync::Arc;

/// The examples of README.md.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod call {
    pub(crate) mod answered;
    pub(crate) mod attempts;
    pub(crate) mod bucket;
    pub(crate) mod classify;
    pub(crate) mod flow;
    pub(crate) mod limits;
    pub(crate) mod place;
    pub(crate) mod reading;
    pub(crate) mod renew;
    pub(crate) mod throttles;
    pub(crate) mod turn;
}
mod clients;
mod credentials {
    pub(crate) mod caller;
    pub(crate) mod external_id;
    pub(crate) mod role;
}
mod ports {
    pub(crate) mod automation;
    pub(crate) mod clock;
    pub(crate) mod directory;
    pub(crate) mod documents;
    pub(crate) mod inventory;
}
mod settings {
    pub(crate) mod builder;
    pub(crate) mod limits;
    pub(crate) mod services;
    pub(crate) mod surroundings;
    pub(crate) mod tls;
}

pub use call::bucket::Rate;
pub use call::limits::{Limits, Operation};
pub use credentials::external_id::external_id_from_env;
pub use ports::clock::SystemClock;
pub use settings::builder::{AwsBuilder, load_config, simulated_config};

/// The ports over AWS. Begun by [`Aws::builder`] or [`Aws::load`].
#[derive(Clone)]
pub struct Aws {
    clients: Arc<clients::Clients>,
}

impl Aws {
    fn of(clients: clients::Clients) -> Self {
        Self {
            clients: Arc::new(clients),
        }
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod real_answers;
#[cfg(test)]
mod testing;
