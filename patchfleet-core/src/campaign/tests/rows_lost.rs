//! Each node that the log counts has its row, whoever keeps rows of the same location at once: a retry is planned from them.

use super::fleet::{Bounds, Fate, begun, fate, life, world};
use super::labels::of_service;
use super::outcomes::report;
use super::patch_names_late::orderly;
use super::world::*;
use crate::campaign::{DriveError, Driver, NodeRows, Progress, Recollected, State, StopMode};
use crate::id::{CampaignId, Location, NodeId};
use crate::outcome::{NodeOutcome, NodeRow, Tally};
use crate::port::{BoxFuture, Clock, PortResult};
use jiff::SignedDuration;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The rows that are kept. Whose names of patches are read later may have reported anew meanwhile.
pub(super) fn rows(world: &World, location: &Location) -> Vec<NodeRow> {
    let mut rows = finish(world.rows.rows(world.campaign(), location)).unwrap();
    for row in &mut rows {
        if let Some(names) = &mut row.patches {
            names.reported_at = None;
        }
    }
    rows
}

pub(super) fn outcomes(rows: &[NodeRow]) -> Vec<(NodeId, NodeOutcome)> {
    rows.iter().map(|row| (row.node.clone(), row.outcome)).collect()
}

pub(super) fn tallies(state: &State) -> BTreeMap<Location, Tally> {
    let mut all: BTreeMap<Location, Tally> = BTreeMap::new();
    for (_, location, at) in state.locations() {
        let settled = at.settled.as_ref().expect("it is over");
        all.entry(location.clone()).or_default().merge(&settled.nodes);
    }
    all
}

/// That each node that the log counts has its row, unit by unit. With a row of each that is short, a retry can be planned.
fn assert_rows(world: &World, state: &State, case: &str) {
    assert_agree(world, state, case);
    assert_eq!(unnamed(world, state), 0, "{case}");
}

/// That the rows of each unit are just what the log counts of it.
fn assert_agree(world: &World, state: &State, case: &str) {
    for (unit, location, at) in state.locations() {
        let log = &at.settled.as_ref().expect("it is over").nodes;
        let named = &state.units()[&unit].named;
        let mut own = rows(world, location);
        own.retain(|row| named.is_empty() || named.contains(&row.node));
        let kept: Tally = own.iter().map(|row| row.outcome).collect();
        assert_eq!(kept, *log, "{case}: {unit} in {location}: {own:?}");
    }
}

/// That each row says what became of its own node.
fn assert_true(world: &World, state: &State, fates: &BTreeMap<NodeId, Fate>, case: &str) {
    let begun: BTreeSet<NodeId> = begun(world).into_iter().flat_map(|one| one.nodes).collect();
    for location in tallies(state).keys() {
        for row in rows(world, location) {
            let told = row.outcome;
            match fates[&row.node] {
                _ if !begun.contains(&row.node) => assert_eq!(told, NodeOutcome::NotRun, "{case}: {row:?}"),
                Fate::Well => assert_eq!(told, NodeOutcome::Done, "{case}: {row:?}"),
                _ => assert!(
                    told != NodeOutcome::Done && told != NodeOutcome::NotRun,
                    "{case}: {row:?}"
                ),
            }
        }
    }
}

/// A driver that has the campaign stopped, whether it was begun or not; nothing if a person has to decide.
async fn stops(world: &World, writer: u128) -> Option<State> {
    let driver = world.driver(writer);
    driver.begin(world.campaign(), &world.plan).await.unwrap();
    let mode = StopMode::LetCommandsRun;
    match driver.stop(world.campaign(), mode, "ops").await {
        Ok(state) => Some(state),
        Err(DriveError::Unresolved { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

pub(super) fn collect(world: &World) -> Recollected {
    finish(world.driver(9).collect_again(world.campaign())).unwrap()
}

/// Takes rows of a location away.
pub(super) fn lose(world: &World, location: &Location, is_lost: impl Fn(&NodeRow) -> bool) {
    let mut left = rows(world, location);
    let before = left.len();
    left.retain(|row| !is_lost(row));
    assert!(left.len() < before, "some are lost");
    finish(world.rows.put(world.campaign(), location, 1, left)).unwrap();
}

fn damaged(n: u32) -> Bounds {
    Bounds {
        damaged: Some(n),
        ..Bounds::default()
    }
}

fn turns() -> impl Strategy<Value = Vec<(bool, usize)>> {
    prop::collection::vec((any::<bool>(), 1_usize..12), 0..300)
}

fn locations() -> impl Strategy<Value = Vec<Vec<Fate>>> {
    prop::collection::vec(prop::collection::vec(fate(), 2..9), 1..4)
}

#[test]
fn two_drivers_keep_the_row_of_each_node_however_they_take_turns() {
    proptest!(ProptestConfig::with_cases(80), |(locations in locations(), bound in 1_u32..5, turns in turns())| {
        let (world, fates) = world(&locations, 3, damaged(bound));
        let [one, two] = [1, 2].map(|writer| ByHand::new(life(&world, writer)));
        let (one, _) = in_turns(one, two, turns);
        let state = one.unwrap();
        assert_agree(&world, &state, "two drivers");
        assert_true(&world, &state, &fates, "two drivers");
    });
}

#[test]
fn whoever_stops_a_campaign_beside_its_driver_takes_no_row_away() {
    proptest!(ProptestConfig::with_cases(80), |(locations in locations(), bound in 1_u32..5, turns in turns())| {
        let (world, _) = world(&locations, 3, damaged(bound));
        let (one, two) = (ByHand::new(life(&world, 1)), ByHand::new(stops(&world, 2)));
        if let (_, Some(state)) = in_turns(one, two, turns) {
            assert_agree(&world, &state, "one stops");
        }
    });
}

#[test]
fn a_burst_of_units_that_are_left_out_takes_no_row_away() {
    // One unit of each location is begun at a time, and all others are left out once two nodes are damaged.
    let locations = vec![vec![Fate::FailsQuietly; 8]; 3];
    for polls in 1..40 {
        for first in [false, true] {
            let (world, fates) = world(&locations, 3, damaged(2));
            let turns = (0..400).map(|n| (first == (n % 2 == 0), polls));
            let [one, two] = [1, 2].map(|writer| ByHand::new(life(&world, writer)));
            let (one, _) = in_turns(one, two, turns);
            let (state, case) = (one.unwrap(), format!("{polls} polls each"));
            assert_rows(&world, &state, &case);
            assert_true(&world, &state, &fates, &case);
        }
    }
}

#[test]
fn two_drivers_keep_the_row_of_each_node_of_a_label() {
    let service = prop_oneof![Just(Some("db")), Just(Some("web")), Just(None)];
    let node = (fate(), service);
    let locations = prop::collection::vec(prop::collection::vec(node, 2..8), 1..4)
        .prop_filter("some node has the tag", |all| {
            all.iter().flatten().any(|(_, service)| service.is_some())
        });
    proptest!(ProptestConfig::with_cases(40), |(locations in locations, stopped in any::<bool>(), turns in turns())| {
        let world = of_service(&locations, Some(1), Some(1));
        let one = ByHand::new(life(&world, 1));
        let state = match stopped {
            true => in_turns(one, ByHand::new(stops(&world, 2)), turns).1,
            false => in_turns(one, ByHand::new(life(&world, 2)), turns).0,
        };
        if let Some(state) = state {
            assert_agree(&world, &state, "two drivers");
        }
    });
}

#[test]
fn rows_that_a_killed_driver_wrote_over_are_read_again_by_collect() {
    proptest!(ProptestConfig::with_cases(60), |(locations in locations(), bound in 1_u32..5, turns in turns())| {
        let (world, fates) = world(&locations, 3, damaged(bound));
        let (mut one, mut two) = (ByHand::new(life(&world, 1)), ByHand::new(life(&world, 2)));
        for (first, polls) in turns {
            let _ = match first {
                true => (0..polls).any(|_| one.poll()),
                false => (0..polls).any(|_| two.poll()),
            };
        }
        drop(two);
        one.end().unwrap();
        let read = collect(&world);
        assert_agree(&world, &read.state, "one was killed");
        assert_true(&world, &read.state, &fates, "one was killed");
    });
}

/// A campaign that is over, of one location: three nodes are well, two fail, the others are not begun.
fn over() -> (World, BTreeMap<NodeId, Fate>, State, Location) {
    let nodes = [
        vec![Fate::Well; 3],
        vec![Fate::FailsQuietly; 2],
        vec![Fate::Well; 4],
    ]
    .concat();
    let (world, fates) = world(&[nodes], 1, damaged(2));
    let state = world.run();
    let location = world.plan.locations[0].location();
    assert_rows(&world, &state, "it is over");
    (world, fates, state, location)
}

#[test]
fn rows_that_the_store_has_lost_are_read_again() {
    let (world, fates, state, location) = over();
    let before = rows(&world, &location);
    for lost in 0..before.len() {
        lose(&world, &location, |row| row.node == before[lost].node);
        let read = collect(&world);
        assert_eq!((read.read, read.unread), (1, vec![]));
        assert_eq!(rows(&world, &location), before);
    }
    lose(&world, &location, |_| true);
    let read = collect(&world);
    assert_eq!(rows(&world, &location), before);
    assert_eq!(read.state, state, "the log stands");
    assert_true(&world, &state, &fates, "read again");
    assert_eq!(collect(&world).read, 0, "there is nothing left to read");
}

#[test]
fn rows_of_a_location_that_one_unit_has_are_read_again() {
    let nodes = vec![Node::well(1), Node::well(2), Node::well(3)];
    let world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 5);
    let state = world.run();
    let location = world.plan.locations[0].location();
    let before = rows(&world, &location);
    lose(&world, &location, |row| row.node == before[1].node);
    assert_eq!(collect(&world).read, 1);
    assert_eq!(rows(&world, &location), before);
    assert_rows(&world, &state, "read again");
}

/// Takes rows away while nothing can be read of their location, and gives what `collect` says of it.
pub(super) fn sealed(world: &World, location: &Location) -> (Recollected, Script) {
    let mut scripts = world.aws.scripts.lock().unwrap();
    let script = scripts.insert(location.clone(), Script::Sealed).unwrap();
    drop(scripts);
    lose(world, location, |_| true);
    world.clock.advance(SignedDuration::from_hours(1));
    (collect(world), script)
}

pub(super) fn unnamed(world: &World, state: &State) -> u32 {
    let report = report(world, state);
    report.locations.iter().map(|at| at.unnamed).sum()
}

#[test]
fn where_all_nodes_of_a_start_came_to_the_same_each_has_a_row_by_the_log_until_it_is_read() {
    let fails = [vec![Fate::Well; 3], vec![Fate::FailsQuietly; 2]].concat();
    let (world, fates) = world(&[[fails, vec![Fate::Well; 3]].concat()], 1, damaged(1));
    let state = world.run();
    let location = world.plan.locations[0].location();
    let before = rows(&world, &location);
    let (read, script) = sealed(&world, &location);
    assert_eq!((read.read, read.unread.len()), (0, 1));
    assert_eq!(
        read.unread[0].reason,
        format!(
            "the rows of {} nodes were lost, and could not be read again",
            before.len()
        )
    );
    let kept = rows(&world, &location);
    assert_eq!(
        outcomes(&kept),
        outcomes(&before),
        "the starts have one node each"
    );
    assert_eq!(unnamed(&world, &state), 0, "a retry can be planned");
    collect(&world);
    assert_eq!(rows(&world, &location), kept, "nothing more is known");

    world.aws.scripts.lock().unwrap().insert(location.clone(), script);
    collect(&world);
    assert_eq!(rows(&world, &location), before, "they are read in the end");
    assert_true(&world, &state, &fates, "read in the end");
}

/// A store that takes so many lists of rows and loses the last row of the last one. From then on, reading takes so long.
struct Slow {
    inner: Arc<dyn NodeRows>,
    clock: Arc<dyn Clock>,
    takes: SignedDuration,
    /// How many times rows are kept still, until all units have settled.
    left: AtomicUsize,
}

impl Slow {
    fn is_over(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

impl NodeRows for Slow {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        mut rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        if !self.is_over() && self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            rows.pop();
        }
        self.inner.put(campaign, location, attempt, rows)
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        let location = location.clone();
        Box::pin(async move {
            if self.is_over() {
                let now = self.clock.now();
                self.clock
                    .sleep_until(now.saturating_add(self.takes).unwrap())
                    .await;
            }
            self.inner.rows(campaign, &location).await
        })
    }
}

/// A fleet of one location whose rows are slow to read in the end, and lack one.
fn slow(world: &World, writer: u128, takes: SignedDuration, puts: usize) -> Driver {
    let driver = orderly(world, writer);
    let left = AtomicUsize::new(puts);
    let (inner, clock) = (driver.rows.clone(), driver.clock.clone());
    let rows = Slow {
        inner,
        clock,
        takes,
        left,
    };
    Driver {
        rows: Arc::new(rows),
        ..driver
    }
}

fn four_nodes() -> World {
    world(&[vec![Fate::Well; 4]], 1, damaged(1)).0
}

#[test]
fn rows_that_nobody_can_read_keep_a_campaign_from_its_end_for_half_an_hour() {
    let ends = |takes: SignedDuration| {
        let world = four_nodes();
        let driver = slow(&world, 1, takes, 4);
        let state = finish(async {
            driver.begin(world.campaign(), &world.plan).await.unwrap();
            driver.run(world.campaign()).await.unwrap()
        });
        (state.last_at(), state.finished().unwrap().0, world, state)
    };
    let (at_once, verdict, world, state) = ends(SignedDuration::ZERO);
    assert_rows(&world, &state, "at once");
    let (at, same, _, _) = ends(SignedDuration::from_hours(200_000));
    assert_eq!(same, verdict);
    assert_eq!(at.duration_since(at_once), SignedDuration::from_mins(30));
}

#[test]
fn rows_are_read_again_in_short_drives_too() {
    // It takes up to a minute.
    for seconds in 80..200 {
        let world = four_nodes();
        let mut writer = 1;
        let begin = world.driver(writer);
        finish(begin.begin(world.campaign(), &world.plan)).unwrap();
        let driver = slow(&world, 1, SignedDuration::from_secs(10), 4);
        let state = loop {
            writer += 1;
            assert!(writer < 2000, "{seconds}");
            let driver = Driver {
                writer: world.driver(writer).writer,
                ..driver.clone()
            };
            let until = world.clock.now() + SignedDuration::from_secs(seconds);
            match finish(driver.run_until(world.campaign(), until)).unwrap() {
                Progress::Finished(state) => break *state,
                Progress::Paused { wake_at, .. } => finish(world.clock.sleep_until(wake_at)),
            }
        };
        assert_rows(&world, &state, &format!("drives of {seconds} seconds"));
    }
}

#[test]
fn short_drives_come_to_their_end_although_nobody_can_read_the_rows() {
    let world = four_nodes();
    let begin = world.driver(1);
    finish(begin.begin(world.campaign(), &world.plan)).unwrap();
    let driver = slow(&world, 1, SignedDuration::from_hours(200_000), 4);
    let ended = (2..2000).find(|writer| {
        let driver = Driver {
            writer: world.driver(*writer).writer,
            ..driver.clone()
        };
        let until = world.clock.now() + SignedDuration::from_secs(60);
        match finish(driver.run_until(world.campaign(), until)).unwrap() {
            Progress::Finished(_) => true,
            Progress::Paused { wake_at, .. } => {
                finish(world.clock.sleep_until(wake_at));
                false
            }
        }
    });
    assert!(ended.is_some());
}
