//! Since when a process that is started makes good what was missed.

use super::trouble::heard;
use super::*;
use patchfleet_core::campaign::{Appended, CampaignLog, LogKey, Record};
use patchfleet_core::id::RequestName;
use patchfleet_core::port::{PortError, PortErrorKind};
use std::sync::atomic::{AtomicU32, Ordering};

#[tokio::test]
async fn missed_slots_are_made_good_since_the_newest_campaign_of_the_name_was_planned() {
    let mut night = Night::new(SignedDuration::from_mins(15)).await;
    let later = night.at + SignedDuration::from_hours(50);
    assert_eq!(night.job.made_good_since(later).await, None);
    night.job.missed = Missed::Run;
    assert_eq!(night.job.made_good_since(later).await, Some(night.at));
    // One that is set up for the first time looks back at nothing.
    night.job.store = Store::in_memory();
    assert_eq!(night.job.made_good_since(later).await, Some(later));
}

/// A log that is not reached at its first listings, or of which one campaign's log cannot be read.
struct Lost {
    log: Arc<dyn CampaignLog>,
    listings_lost: AtomicU32,
    damaged: Option<CampaignId>,
}

impl CampaignLog for Lost {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.log.append(key, record)
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        if self.damaged.map(LogKey::Campaign).as_ref() == Some(key) {
            let damage = PortError::new(PortErrorKind::Incompatible, "record 7 is no JSON");
            return Box::pin(async { Err(damage) });
        }
        self.log.read(key, from)
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        let lost = self
            .listings_lost
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if lost.is_ok() {
            let lost = PortError::new(PortErrorKind::Unavailable, "the bucket is not reached");
            return Box::pin(async { Err(lost) });
        }
        self.log.keys()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.log.request_name(campaign)
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.log.last(key)
    }
}

/// A process that makes good what was missed, with a campaign in its log, which is lost so.
async fn night(listings_lost: u32, is_damaged: bool) -> Night {
    let mut night = Night::new(SignedDuration::from_mins(15)).await;
    night.job.missed = Missed::Run;
    night.job.schedule = Some(Schedule::parse("cron(15 22 * * ? *)", "UTC").unwrap());
    let request = night.job.request().unwrap();
    let open = night.job.store.open_campaign(&request.name).await.unwrap();
    let Store { log, rows } = night.job.store;
    let lost = Lost {
        log,
        listings_lost: AtomicU32::new(listings_lost),
        damaged: open.filter(|_| is_damaged),
    };
    night.job.store = Store::new(Arc::new(lost), rows);
    night
}

const UNKNOWN: &str = "which slots were missed is not known";
const NONE: &str = "so none from before this start is made good";

#[tokio::test]
async fn what_was_missed_is_made_good_though_the_log_does_not_answer_at_first() {
    let night = night(3, false).await;
    let later = night.at + SignedDuration::from_hours(50);
    let (since, told) = heard(night.job.made_good_since(later)).await;
    assert_eq!(since, Some(night.at));
    assert_eq!(told.matches(UNKNOWN).count(), 3, "{told}");
    assert!(told.contains("the bucket is not reached"), "{told}");
    assert!(!told.contains(NONE), "{told}");
}

#[tokio::test]
async fn a_log_that_does_not_answer_until_the_next_slot_makes_nothing_good_and_that_is_told() {
    let night = night(u32::MAX, false).await;
    let later = night.at + SignedDuration::from_hours(50);
    let (since, told) = heard(night.job.made_good_since(later)).await;
    assert_eq!(since, Some(later));
    assert_eq!(told.matches(NONE).count(), 1, "{told}");
}

#[tokio::test]
async fn a_newest_campaign_that_cannot_be_read_makes_nothing_good_and_that_is_told() {
    let night = night(0, true).await;
    let later = night.at + SignedDuration::from_hours(50);
    let (since, told) = heard(night.job.made_good_since(later)).await;
    assert_eq!(since, Some(later));
    assert!(
        told.contains(NONE) && told.contains("record 7 is no JSON"),
        "{told}"
    );

    // A log of another request decides nothing.
    let other = CALM.request.replacen("calm-night", "other-night", 1);
    assert_ne!(other, CALM.request);
    std::fs::write(&night.job.request, other).unwrap();
    let (since, told) = heard(night.job.made_good_since(later)).await;
    assert_eq!(since, Some(later), "it has no campaign so far");
    assert!(!told.contains(UNKNOWN), "{told}");
}
