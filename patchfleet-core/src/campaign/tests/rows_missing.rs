//! Rows that cannot be kept hold up nothing but themselves: a failure counts, and a stop is sent, all the same.

use super::stops::{begun, stops_sent, world};
use super::world::*;
use crate::campaign::{DriveError, Driver, Event, NodeRows, State};
use crate::id::{CampaignId, Location};
use crate::outcome::{FinishedOutcome, NodeRow};
use crate::port::{BoxFuture, Clock as _, PortError, PortErrorKind, PortResult};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// A disk for rows that is full until then.
struct Full {
    inner: Arc<dyn NodeRows>,
    clock: Arc<FakeClock>,
    until: Timestamp,
}

impl NodeRows for Full {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        if self.clock.now() < self.until {
            let error = PortError::new(
                PortErrorKind::LimitExceeded,
                "cannot write nodes/x.json: no space left",
            );
            return Box::pin(std::future::ready(Err(error)));
        }
        self.inner.put(campaign, location, attempt, rows)
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        self.inner.rows(campaign, location)
    }
}

/// A driver on whose disk no row has room for so long.
fn driver(world: &World, full_for: SignedDuration) -> Driver {
    let driver = world.driver(1);
    let rows = Full {
        inner: driver.rows.clone(),
        clock: world.clock.clone(),
        until: world.clock.now() + full_for,
    };
    Driver {
        rows: Arc::new(rows),
        ..driver
    }
}

/// The rows that are kept beside those that should be.
fn kept_of(world: &World, state: &State) -> Vec<(usize, u32)> {
    let settled = state.locations().filter_map(|(_, location, at)| {
        let nodes = at.settled.as_ref()?.nodes.total();
        let rows = finish(world.rows.rows(state.campaign(), location)).unwrap();
        Some((rows.len(), nodes))
    });
    settled.collect()
}

fn missing(world: &World) -> usize {
    let events = world.events();
    let missing = events
        .iter()
        .filter(|event| matches!(event, Event::RowsMissing { .. }));
    missing.count()
}

#[test]
fn a_failure_stops_the_others_although_its_rows_cannot_be_kept_and_they_are_kept_in_the_end() {
    let world = world();
    let driver = driver(&world, SignedDuration::from_mins(25));
    finish(driver.begin(world.campaign(), &world.plan)).unwrap();
    let state = finish(driver.run(world.campaign())).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(!stops_sent(&world).is_empty());
    // As where rows can be kept: each unit has begun a second location by the time.
    assert_eq!(begun(&world).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    assert!(missing(&world) > 0);
    assert_eq!(state.rows_missing().count(), 0);
    for (rows, nodes) in kept_of(&world, &state) {
        assert_eq!(rows, usize::try_from(nodes).unwrap());
    }
}

#[test]
fn where_rows_can_never_be_kept_the_campaign_is_followed_to_its_end_and_stays_open() {
    let world = world();
    let never = SignedDuration::from_hours(10_000);
    let first = driver(&world, never);
    finish(first.begin(world.campaign(), &world.plan)).unwrap();
    for _ in 0..2 {
        let error = finish(driver(&world, never).run(world.campaign())).unwrap_err();
        assert!(matches!(error, DriveError::Rows { .. }), "{error}");
    }
    assert!(!stops_sent(&world).is_empty());
    assert_eq!(begun(&world).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    let open = State::from_records(&world.records()).unwrap();
    assert!(open.finished().is_none() && open.all_over());

    // Once there is room the rows are read again, and nothing is begun for that.
    let state = finish(world.driver(2).run(world.campaign())).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(begun(&world).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    for (rows, nodes) in kept_of(&world, &state) {
        assert_eq!(rows, usize::try_from(nodes).unwrap());
    }
}

#[test]
fn rows_of_units_that_were_never_begun_keep_no_campaign_from_its_end() {
    let failed = Script::Nodes(vec![Node {
        patches: Some([1, 0, 0]),
        ..Node::well(1)
    }]);
    let well = Script::Nodes(vec![Node::well(1)]);
    let mut world = World::new(&[&[("us-east-1", failed)], &[("us-west-1", well)]], 1, 0);
    world.plan.request.budget.locations.max_concurrency = "1".parse().unwrap();
    let driver = driver(&world, SignedDuration::from_mins(25));
    finish(driver.begin(world.campaign(), &world.plan)).unwrap();
    let state = finish(driver.run(world.campaign())).unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(begun(&world).len(), 1);
    let (rows, nodes) = kept_of(&world, &state)[0];
    assert_eq!((rows, nodes), (1, 1), "what ran has its row");
}
