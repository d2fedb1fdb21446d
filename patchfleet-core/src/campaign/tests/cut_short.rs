//! A log that loses what was read from it ends the driver, which starts nothing on its own memory.

use super::world::*;
use super::wrapped::log_within;
use crate::campaign::{Appended, CampaignLog, LogKey};
use crate::campaign::{DriveError, MemoryLog, Record};
use crate::port::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A log that after so many records takes none, and shows none.
struct Forgetful(Arc<MemoryLog>, AtomicU64);

impl Forgetful {
    fn has_forgotten(&self) -> bool {
        self.1.load(Ordering::Relaxed) == 0
    }
}

impl CampaignLog for Forgetful {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        if self.has_forgotten() {
            return Box::pin(std::future::ready(Ok(Appended::Conflict)));
        }
        self.1.fetch_sub(1, Ordering::Relaxed);
        self.0.append(key, record)
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        if self.has_forgotten() {
            return Box::pin(std::future::ready(Ok(vec![])));
        }
        self.0.read(key, from)
    }

    log_within!(0: keys request_name last);
}

#[test]
fn a_driver_whose_log_forgets_ends_with_an_error_and_starts_nothing_twice() {
    // The plan, the claim and its record in the campaign's own log are the first three.
    for records in 4..10 {
        let well = || Script::Nodes(vec![Node::well(1), Node::well(2)]);
        let world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
        let mut driver = world.driver(1);
        driver.log = Arc::new(Forgetful(Arc::clone(&world.log), AtomicU64::new(records)));
        let error = finish(async {
            driver.begin(world.campaign(), &world.plan).await?;
            driver.run(world.campaign()).await
        })
        .unwrap_err();
        let DriveError::Damaged { source, .. } = &error else {
            unreachable!("{records}: {error:?}")
        };
        assert_eq!(source.kind(), PortErrorKind::Incompatible, "{records}");
        assert!(source.to_string().contains("cut short or deleted"), "{source}");
        let mut accounts: Vec<_> = world
            .executions()
            .iter()
            .map(|one| one.request.target_location().accounts.clone())
            .collect();
        let started = accounts.len();
        accounts.dedup();
        assert_eq!(accounts.len(), started, "{records}");
    }
}
