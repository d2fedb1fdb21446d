//! Where a command runs: AWS, by the usual environment and profiles, or a simulated organisation.

use crate::args::World;
use crate::exit::Failure;
#[cfg(feature = "sim")]
use jiff::Timestamp;
#[cfg(feature = "sim")]
use patchfleet_aws::Limits;
use patchfleet_aws::{Aws, AwsBuilder, S3Uri, external_id_from_env};
use patchfleet_core::campaign::Store;
#[cfg(feature = "sim")]
use patchfleet_core::port::{BoxFuture, Clock};
use patchfleet_core::port::{PortError, PortErrorKind, Ports};
use patchfleet_core::request::Access;
#[cfg(feature = "sim")]
use std::sync::Arc;

/// The ports of one command, and what keeps them alive.
pub(crate) struct Session {
    pub(crate) ports: Ports,
    #[cfg(feature = "sim")]
    _sim: Option<patchfleet_sim::Sim>,
}

impl Session {
    /// Opens what `world` names; `access` says how other accounts are read.
    pub(crate) async fn open(world: &World, access: Option<Access>) -> Result<Self, Failure> {
        #[cfg(feature = "sim")]
        if let Some(name) = &world.sim {
            return Self::simulated(name, world.sim_speed, access).await;
        }
        #[cfg(not(feature = "sim"))]
        let _ = world;
        Self::aws(access).await
    }

    /// Opens AWS.
    pub(crate) async fn aws(access: Option<Access>) -> Result<Self, Failure> {
        let builder = Aws::load().await.map_err(settings)?;
        Ok(Self {
            ports: with_access(builder, access)?.ports()?,
            #[cfg(feature = "sim")]
            _sim: None,
        })
    }

    /// Starts a simulated organisation on loopback and speaks to it through the real SDK.
    #[cfg(feature = "sim")]
    async fn simulated(name: &str, speed: Option<u32>, access: Option<Access>) -> Result<Self, Failure> {
        let world = crate::world::load(name)?;
        let options = patchfleet_sim::SimOptions {
            clock: patchfleet_sim::ClockMode::Scaled(speed.map_or(world.speed, f64::from)),
            ..Default::default()
        };
        let sim = patchfleet_sim::Sim::start(world.world, options).await?;
        let clock = Arc::new(crate::quiet::QuietHours(sim.clock()));
        let config = patchfleet_aws::simulated_config(&sim.endpoint(), &world.central);
        let ports = with_access(Aws::builder(&config), access)?
            .clock(clock)
            .limits(Limits::from_env().map_err(settings)?)
            .ports()?;
        Ok(Self {
            ports,
            _sim: Some(sim),
        })
    }
}

/// What a person says into the log of a campaign whose organisation another process simulates. Nothing of that one can be
/// reached from here, and only the log has to be: the ports are those of a small organisation of its own, whose clock
/// stands where the log ends.
#[cfg(feature = "sim")]
pub(crate) async fn beside_simulated(log_ends: Timestamp) -> Result<Session, Failure> {
    let mut session = Session::simulated(patchfleet_sim::builtin::CALM.name, None, None).await?;
    session.ports.clock = Arc::new(Standing(log_ends));
    Ok(session)
}

/// A clock that stands still.
#[cfg(feature = "sim")]
struct Standing(Timestamp);

#[cfg(feature = "sim")]
impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// The store in a bucket, reached by the usual environment and profiles.
pub(crate) async fn store_in(uri: &S3Uri) -> Result<Store, Failure> {
    let aws = Aws::load().await.map_err(settings)?;
    aws.store(uri).map_err(settings)
}

/// The failure of a wrong environment or profile. Whoever calls can put it right, so it is bad usage.
fn settings(error: PortError) -> Failure {
    match error.kind() {
        PortErrorKind::Invalid | PortErrorKind::Credentials => Failure::Usage(error.chain()),
        _ => error.into(),
    }
}

fn with_access(builder: AwsBuilder, access: Option<Access>) -> Result<AwsBuilder, Failure> {
    Ok(match access {
        Some(access) => builder.access(external_id_from_env(access).map_err(settings)?),
        None => builder,
    })
}
