//! What the process is told to do: finish, or leave at once.

use std::io;
use std::thread;
use tokio::runtime::Builder;
use tokio::sync::watch;

/// From now on signals no longer end the process by themselves.
///
/// After the first SIGTERM no further campaign begins, and one that runs comes to its end: what is returned says so.
/// SIGINT (Ctrl-C), or another SIGTERM, ends the process at once with exit code 130. A thread of its own listens, because
/// a call to a file may block the one that works, as when somebody else holds the log's lock.
pub(crate) fn listen() -> io::Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    #[cfg(unix)]
    let interrupted = {
        use tokio::signal::unix::{SignalKind, signal};
        let _context = runtime.enter();
        interrupted(
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            stop,
        )
    };
    #[cfg(not(unix))]
    let interrupted = interrupted(stop);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(interrupted);
        tracing::warn!(
            "interrupted: what was started goes on, and this command goes on with an open campaign when it is run again"
        );
        std::process::exit(130)
    })?;
    Ok(stopped)
}

/// Returns when the process is to leave at once.
#[cfg(unix)]
async fn interrupted(
    mut terminate: tokio::signal::unix::Signal,
    mut interrupt: tokio::signal::unix::Signal,
    stop: watch::Sender<bool>,
) {
    loop {
        tokio::select! {
            _ = interrupt.recv() => return,
            _ = terminate.recv() => {
                if stop.send_replace(true) {
                    return;
                }
                tracing::info!("told to stop: no further campaign begins, and one that runs is followed to its end");
            }
        }
    }
}

/// Returns when the process is to leave at once.
#[cfg(not(unix))]
async fn interrupted(stop: watch::Sender<bool>) {
    // Without Ctrl-C to listen for there is nothing else to wait for.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    drop(stop);
}
