//! A listing that shows what there is only after a while.

use super::*;
use crate::campaign::conformance::{Law, check};
use std::sync::atomic::{AtomicBool, Ordering};

/// A bucket whose listing shows an object only after it was asked for some times.
struct Late {
    bucket: Bucket,
    waited: AtomicBool,
}

struct LateHandle(Arc<Late>);

impl CampaignLog for LateHandle {
    fn append(&self, log: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.0.waited.store(false, Ordering::Relaxed);
        ready(self.0.bucket.append(log, record))
    }

    fn read(&self, log: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        ready(self.0.bucket.read(log, from))
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        let mut keys = self.0.bucket.keys();
        if !self.0.waited.load(Ordering::Relaxed) {
            keys.pop();
        }
        ready(Ok(keys))
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        ready(self.0.bucket.request_name(campaign))
    }

    fn last(&self, log: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        ready(self.0.bucket.last(log))
    }
}

impl Place for Arc<Late> {
    fn open(&self) -> BoxFuture<'_, PortResult<Store>> {
        ready(Ok(Store::new(
            Arc::new(LateHandle(self.clone())),
            Arc::new(self.bucket.clone()),
        )))
    }

    fn wait(&self) -> BoxFuture<'_, ()> {
        self.waited.store(true, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
}

#[test]
fn a_listing_may_be_late_if_it_shows_everything_before_long() {
    for law in [Law::Listed, Law::LongListings] {
        let late = Arc::new(Late {
            bucket: Bucket::default(),
            waited: AtomicBool::new(false),
        });
        assert_eq!(finish(check(law, &late)), Ok(true));
    }
}
