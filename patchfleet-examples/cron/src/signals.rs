//! What the process is told to do: finish, or leave at once.

use tokio::sync::watch;

/// The signals that end the process. After the first SIGTERM no further campaign begins, and one that runs comes to its
/// end. SIGINT (Ctrl-C), or another SIGTERM, ends the process at once.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    stop: watch::Sender<bool>,
}

impl Signals {
    /// From now on signals no longer end the process by themselves.
    pub(crate) fn listen() -> std::io::Result<Self> {
        #[cfg(unix)]
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
            stop: watch::Sender::new(false),
        })
    }

    /// Whether nothing further is to begin.
    pub(crate) fn stop(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Returns when the process is to leave at once.
    #[cfg(unix)]
    pub(crate) async fn interrupted(mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => {
                    if self.stop.send_replace(true) {
                        return;
                    }
                    tracing::info!("told to stop: no further campaign begins, and one that runs is followed to its end");
                }
            }
        }
    }

    /// Returns when the process is to leave at once.
    #[cfg(not(unix))]
    pub(crate) async fn interrupted(self) {
        // Without Ctrl-C to listen for there is nothing else to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        drop(self.stop);
    }
}
