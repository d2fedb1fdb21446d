//! A store that keeps each record as an object of a bucket, as the kit shows it to whoever writes one.

extern crate self as patchfleet_core;

use super::finish;
use crate::campaign::tests::world::{Node, Script, World};
use crate::campaign::{campaigns, load, open_campaign};
use crate::outcome::FinishedOutcome;
use crate::port::Clock as _;
use crate::report::Report;
use jiff::SignedDuration;

mod flawed;
mod late;
mod mutants;

include!("../objects.rs");

#[test]
fn a_store_that_keeps_each_record_as_an_object_keeps_every_promise() {
    the_bucket_is_a_store();
    let fresh = || -> Box<dyn Place> { Box::new(flawed::flawed(flawed::Flaw::None)) };
    let unchecked = finish(check_all(&fresh)).unwrap_or_else(|findings| panic!("{findings}"));
    assert_eq!(unchecked, []);
}

#[test]
fn a_campaign_is_driven_resumed_listed_and_reported_on_a_store_of_ones_own() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let world = World::new(&[&[("us-east-1", well())], &[("eu-west-1", well())]], 1, 0);
    let bucket = Arc::new(Bucket::default());
    let driver = |writer| {
        let mut driver = world.driver(writer);
        (driver.log, driver.rows) = (bucket.clone(), bucket.clone());
        driver
    };
    let (campaign, name) = (world.campaign(), &world.plan.request.name);
    finish(async {
        driver(1).begin(campaign, &world.plan).await.unwrap();
        let soon = world.clock.now() + SignedDuration::from_secs(60);
        driver(1).run_until(campaign, soon).await.unwrap();
        assert_eq!(open_campaign(&*bucket, name).await.unwrap(), Some(campaign));
        assert_eq!(
            campaigns(&*bucket, jiff::Timestamp::MIN).await.unwrap().campaigns[0].finished,
            None
        );
        let state = driver(2).run(campaign).await.unwrap();
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
        assert_eq!(open_campaign(&*bucket, name).await.unwrap(), None);
        let list = campaigns(&*bucket, jiff::Timestamp::MIN).await.unwrap();
        assert_eq!(list.campaigns[0].finished, Some(FinishedOutcome::Succeeded));
        assert!(list.damaged.is_empty(), "{:?}", list.damaged);
        let state = load(&*bucket, campaign).await.unwrap().unwrap();
        let report = Report::build(&state, &*bucket, state.last_at()).await.unwrap();
        assert_eq!(report.locations.len(), 2);
        assert_eq!(report.exit_code(), 0);
    });
}
