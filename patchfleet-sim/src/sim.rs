//! A running simulator: the world, its clock, and the HTTP front on a port of its own.

use crate::{
    clock::{ClockMode, SimClock},
    http,
    world::World,
};
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
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            clock: ClockMode::Jump,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }
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
    /// Starts to listen. Needs a tokio runtime, which it goes on using.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on.
    pub async fn start(world: World, options: SimOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let clock = SimClock::new(world, options.clock);
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(http::serve(listener, clock.clone(), stopped));
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

    /// Its clock, which is also the way to its world.
    #[must_use]
    pub fn clock(&self) -> SimClock {
        self.clock.clone()
    }

    /// Looks at the world, or changes it.
    pub fn with_world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        self.clock.with_world(look)
    }

    /// Stops, and waits until every request that had come is answered.
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
