//! How AWS is reached: by the usual environment and profiles. A test reaches a simulated one instead.

use super::Failure;
use patchfleet_aws::{Aws, SystemClock, external_id_from_env};
use patchfleet_core::port::{Clock, PortErrorKind, Ports};
use patchfleet_core::request::Access;
use std::future::Future;
use std::sync::Arc;

/// How AWS is reached.
pub(crate) trait Reach {
    /// AWS, with this access to other accounts.
    fn ports(&self, access: &Access) -> impl Future<Output = Result<Ports, Failure>>;

    /// The clock for waits while AWS cannot be reached.
    fn clock(&self) -> Arc<dyn Clock>;
}

/// AWS by the usual environment and profiles.
#[derive(Debug)]
pub(crate) struct Surroundings;

impl Reach for Surroundings {
    async fn ports(&self, access: &Access) -> Result<Ports, Failure> {
        let aws = Aws::load().await.map_err(|error| match error.kind() {
            PortErrorKind::Invalid | PortErrorKind::Credentials => Failure::Settings(error),
            _ => error.into(),
        })?;
        let access = external_id_from_env(access.clone()).map_err(Failure::Settings)?;
        Ok(aws.access(access).ports()?)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock::new())
    }
}
