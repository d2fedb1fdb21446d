//! What a person hears at once: trouble, and what has had no answer for long.

use super::{Job, Reach};
use patchfleet_core::campaign::{Notices, Store};
use patchfleet_core::port::Clock;
use patchfleet_core::text::one_line;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tracing::instrument::WithSubscriber as _;

/// Logs what a person wants to hear at once.
pub(super) fn notices() -> Notices {
    Notices::new(Arc::new(|notice| {
        tracing::warn!("{}", one_line(&notice.to_string()));
    }))
}

/// Does some work. Once a second it looks for calls of that work that have had no answer for long, also while the work
/// blocks its thread, as a log in a folder does.
pub(super) async fn watching<T>(
    notices: &Notices,
    clock: &Arc<dyn Clock>,
    work: impl Future<Output = T>,
) -> T {
    let (notices, clock) = (notices.clone(), clock.clone());
    let look = async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            notices.look(clock.now());
        }
    };
    let _looks = Looks(tokio::spawn(look.with_current_subscriber()));
    work.await
}

/// Whoever drops it looks no more.
struct Looks(JoinHandle<()>);

impl Drop for Looks {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<R: Reach> Job<R> {
    /// Asks the store something, and looks meanwhile whether it answers.
    pub(super) async fn ask<T>(&self, asked: impl AsyncFnOnce(Store) -> T) -> T {
        let (notices, clock) = (notices(), self.reach.clock());
        let store = self.store.watched(&clock, &notices);
        watching(&notices, &clock, asked(store)).await
    }
}
