//! `--once --id`: whoever starts it again means the same campaign.

use super::trouble::heard;
use super::*;

fn id(text: &str) -> Option<EventId> {
    Some(EventId::new(EventSource::Event, text).unwrap())
}

/// A job whose log has an open campaign of its request, and after an hour it is over.
async fn later() -> Night {
    let night = Night::new(SignedDuration::from_mins(15)).await;
    assert!(night.job.finish_open().await);
    assert_eq!(night.job.reach.executions(), UNITS);
    night
}

#[tokio::test]
async fn once_with_the_id_of_a_campaign_that_is_over_gives_its_report_again_and_begins_nothing() {
    let night = later().await;
    assert_eq!(night.job.once(id("job-1")).await, 0);
    assert_eq!(night.job.reach.executions(), 2 * UNITS);
    let (code, told) = heard(night.job.once(id("job-1"))).await;
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("succeeded"), "{told}");
    assert_eq!(night.job.reach.executions(), 2 * UNITS, "{told}");
    assert_eq!(night.job.once(id("job-2")).await, 0);
    assert_eq!(
        night.job.reach.executions(),
        3 * UNITS,
        "another id asks for another campaign"
    );
}

#[tokio::test]
async fn an_open_campaign_is_the_one_that_an_id_asks_for_only_if_it_has_that_id() {
    let night = Night::new(SignedDuration::from_mins(15)).await;
    assert_eq!(night.job.once(id("job-1")).await, 0);
    assert_eq!(
        night.job.reach.executions(),
        2 * UNITS,
        "the open one's, and its own"
    );

    let own =
        |request: &PatchRequest, _: &EventId| CampaignId::of_event(&request.digest(), &id("job-1").unwrap());
    let night = Night::with(SignedDuration::from_mins(15), own).await;
    // However long it was left: somebody asks for it now.
    let clock = night.job.reach.clock();
    clock
        .sleep_until(clock.now() + SignedDuration::from_hours(2))
        .await;
    assert_eq!(night.job.once(id("job-1")).await, 0);
    assert_eq!(night.job.reach.executions(), UNITS);
}

#[tokio::test]
async fn an_id_that_is_the_same_each_day_is_refused_and_not_answered_with_yesterdays_report() {
    let night = later().await;
    assert_eq!(night.job.once(id("weekly")).await, 0);
    let clock = night.job.reach.clock();
    clock
        .sleep_until(clock.now() + SignedDuration::from_hours(23))
        .await;
    let (code, told) = heard(night.job.once(id("weekly"))).await;
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("Give each campaign an id of its own"), "{told}");
    assert!(told.contains("--log 'my logs'"), "{told}");
    assert_eq!(night.job.reach.executions(), 2 * UNITS);
}
