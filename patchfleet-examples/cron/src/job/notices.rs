//! What a person hears at once: trouble, and what has had no answer for long.

use patchfleet_core::campaign::Notices;
use patchfleet_core::port::Clock;
use patchfleet_core::text::one_line;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Logs what a person wants to hear at once.
pub(super) fn notices() -> Notices {
    Notices::new(Arc::new(|notice| {
        tracing::warn!("{}", one_line(&notice.to_string()));
    }))
}

/// Does some work. Once a second it looks for calls of that work that have had no answer for long.
pub(super) async fn watching<T>(notices: &Notices, clock: &dyn Clock, work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        never = look(notices, clock) => match never {},
    }
}

async fn look(notices: &Notices, clock: &dyn Clock) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        notices.look(clock.now());
    }
}
