//! Waiting out what keeps a campaign from its end: nobody watches this process.

use super::{Failure, Job, Reach};
use jiff::{SignedDuration, Timestamp};

/// How long the first wait is. Each is twice the one before.
const FIRST: SignedDuration = SignedDuration::from_mins(1);

/// The longest wait.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// How long `--once` tries. Whoever started it waits for an exit code, and may start it again.
pub(super) const ONCE: SignedDuration = SignedDuration::from_mins(30);

/// Failures in a row.
pub(super) struct Trouble<'a, R> {
    job: &'a Job<R>,
    tries: u32,
    /// When the first came.
    since: Option<Timestamp>,
}

impl<'a, R: Reach> Trouble<'a, R> {
    /// None so far.
    pub(super) fn new(job: &'a Job<R>) -> Self {
        Self {
            job,
            tries: 0,
            since: None,
        }
    }

    /// Until when an open campaign is taken up again. With a schedule that is the next slot, which takes it up itself.
    /// Without one it is half an hour. `None` if there is no further slot: then until the campaign is over.
    pub(super) fn until(&self) -> Option<Timestamp> {
        let now = self.job.reach.clock().now();
        match &self.job.schedule {
            Some(schedule) => schedule.next(now).map(|slot| slot.at),
            None => self.since.unwrap_or(now).checked_add(ONCE).ok(),
        }
    }

    /// Says that there is trouble, and waits before the next try. Gives whether there is a next try. There is none if
    /// waiting does not help, if the try would come after `until`, or if the process is told to stop.
    pub(super) async fn is_waited_out(
        &mut self,
        what: &str,
        failure: &Failure,
        until: Option<Timestamp>,
    ) -> bool {
        let mut stop = self.job.stop.clone();
        if !failure.may_pass() || *stop.borrow() {
            return false;
        }
        let clock = self.job.reach.clock();
        let now = clock.now();
        self.since.get_or_insert(now);
        let wait = (FIRST * 2_i32.saturating_pow(self.tries.min(8))).min(LONGEST);
        let at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
        if until.is_some_and(|until| at >= until) {
            return false;
        }
        self.tries = self.tries.saturating_add(1);
        let until = until.map_or_else(String::new, |until| format!(", and so on until {until:.0}"));
        tracing::warn!(
            "{what}: {}. The next try is at {at:.0}{until}",
            self.job.told(&failure.words())
        );
        tokio::select! {
            () = clock.sleep_until(at) => true,
            _ = stop.wait_for(|stop| *stop) => {
                tracing::warn!("{what}: told to stop, so there is no further try");
                false
            }
        }
    }
}
