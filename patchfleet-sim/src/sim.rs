//! A running simulator: the world, its clock, and the HTTP front on a port of its own.

use crate::{
    api::{self, Caller},
    clock::{ClockMode, SimClock},
    error::ApiError,
    service::Service,
    wire::{self, Patience},
    world::World,
};
use serde_json::{Value, json};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// How a simulator runs.
#[derive(Debug, Clone, Copy)]
pub struct SimOptions {
    /// How virtual time moves (default: by jumps).
    pub clock: ClockMode,
    /// Where it listens (default: 127.0.0.1, any free port).
    pub listen: SocketAddr,
    /// How long the simulator waits for a slow or idle connection (default: a minute).
    pub patience: Patience,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            clock: ClockMode::Jump,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            patience: Patience::default(),
        }
    }
}

/// Credentials for an SDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's id.
    pub access_key_id: String,
    /// Its secret, which nobody checks.
    pub secret_access_key: String,
    /// The session token of a role's session.
    pub session_token: Option<String>,
}

/// A running simulator. It stops listening when it is dropped.
#[derive(Debug)]
pub struct Sim {
    address: SocketAddr,
    clock: SimClock,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Sim {
    /// Starts to listen, on the tokio runtime of the caller.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on.
    pub async fn start(world: World, options: SimOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let clock = SimClock::over_loopback(world, options.clock);
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(wire::serve(listener, clock.clone(), options.patience, stopped));
        Ok(Self {
            address,
            clock,
            stop: Some(stop),
            server,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint for every service: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Credentials of an administrator of the management account.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials {
            access_key_id: "AKIAADMINISTRATOR234".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: None,
        }
    }

    /// Credentials of a role's session, as AssumeRole gives them to the management account.
    ///
    /// # Errors
    ///
    /// What AssumeRole answers.
    pub fn role_credentials(&self, role_arn: &str) -> Result<Credentials, ApiError> {
        let input = json!({"RoleArn": role_arn, "RoleSessionName": "test"});
        let assumed = self.with_world(|world| {
            let org = &world.organization();
            let region = org
                .regions
                .iter()
                .find(|one| org.is_enabled(&org.management, one));
            let region = region.cloned().ok_or_else(|| api::invalid_token(Service::Sts))?;
            let caller = Caller::administrator(world, region);
            api::call(world, &caller, Service::Sts, "AssumeRole", input)
        })?;
        let text = |name: &str| {
            let value = assumed
                .pointer(&format!("/Credentials/{name}"))
                .and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        Ok(Credentials {
            access_key_id: text("AccessKeyId"),
            secret_access_key: text("SecretAccessKey"),
            session_token: Some(text("SessionToken")),
        })
    }

    /// Its clock, which is also the way to its world.
    #[must_use]
    pub fn clock(&self) -> SimClock {
        self.clock.clone()
    }

    /// Looks at the world, or changes it.
    pub fn with_world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        self.clock.with_world(look)
    }

    /// Stops listening, and waits until every request that has arrived is answered.
    ///
    /// # Errors
    ///
    /// If serving had failed.
    pub async fn shutdown(mut self) -> io::Result<()> {
        self.stop.take();
        (&mut self.server).await.map_err(io::Error::other)
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.take();
    }
}
