//! Nodes that end lost because their agents were silent when the command expired. What it began may run on there for three hours, so
//! each keeps its place under a bound on nodes in flight that the campaign keeps, and gives it up by itself.

use super::fleet::{Begun, Bounds, Fate, MAY_RUN_ON, begun, stopped_for, world};
use super::in_wave::bounded;
use super::labels::of_service;
use super::world::*;
use crate::campaign::{CampaignSummary, Event, Progress, Record, Rule, SHORTEST_GAP, State, StopReason};
use crate::id::NodeId;
use crate::outcome::{FinishedOutcome, NodeOutcome};
use crate::port::Clock as _;
use crate::slip::{Slip, with_slip};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

const LOST: Fate = Fate::Lost;
const WELL: Fate = Fate::Well;
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn bounds(in_flight: Option<u32>) -> Bounds {
    Bounds {
        in_flight,
        damaged: Some(9),
        ..Bounds::default()
    }
}

/// One node of each location, one in flight at a time.
fn one_at_a_time(fates: &[Fate]) -> World {
    let locations: Vec<Vec<Fate>> = fates.iter().map(|fate| vec![*fate]).collect();
    world(&locations, 3, bounds(Some(1))).0
}

/// When the first of these is over, and what it began on its lost node has to be.
fn free(all: &[Begun]) -> Timestamp {
    all[0].to + MAY_RUN_ON
}

/// That the second of these began as soon as the place of the lost node of the first was free.
fn assert_waited(all: &[Begun], case: &str) {
    let (free, began) = (free(all), all[1].from);
    assert!(free <= began, "{case}: {began} is before {free}");
    assert!(began <= free + MINUTE * 2, "{case}: {began} is long after {free}");
}

/// The state after each record up to the last, at its time.
fn states(records: &[Record]) -> impl Iterator<Item = State> {
    (1..=records.len()).map(|n| State::from_records(&records[..n]).unwrap())
}

/// The first of them in which a lost node keeps its place.
fn first_with_lost(world: &World) -> State {
    let records = world.records();
    let found = states(&records).find(|state| state.lost_at_work(state.last_at()).is_some());
    found.unwrap()
}

#[test]
fn a_lost_node_keeps_its_place_for_as_long_as_its_script_may_run() {
    let world = one_at_a_time(&[LOST, WELL, WELL]);
    let state = world.run();
    let all = begun(&world);
    assert_eq!(all.len(), 3);
    assert_waited(&all, "fleet");
    assert_eq!(stopped_for(&state), None);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert_eq!(State::from_records(&world.records()).as_ref(), Ok(&state));
}

#[test]
fn it_keeps_its_place_under_the_own_bound_of_a_wave() {
    let own = json!({"max_in_flight": 1, "max_damaged": 3});
    let world = bounded(&[vec![LOST], vec![WELL]], &[], own);
    world.run();
    assert_waited(&begun(&world), "wave");
    let state = first_with_lost(&world);
    let until = free(&begun(&world));
    assert_eq!(
        state.wave_standing(state.last_at()).unwrap().to_string(),
        format!(
            "wave 1 of 1 (wave-1): in flight 0 of 1 (0 left), damaged 1 of 2 (1 left), 1 lost node may be at work until {until:.0}"
        )
    );
}

#[test]
fn it_keeps_its_place_among_those_of_its_value_and_no_other_value_waits() {
    let (db, web) = (Some("db"), Some("web"));
    let locations = [vec![(LOST, db)], vec![(WELL, db), (WELL, web)], vec![(WELL, web)]];
    let world = of_service(&locations, Some(1), None);
    let state = world.run();
    let all = begun(&world);
    let second_db = Node::well(100).id;
    let of_db: Vec<Begun> = all
        .into_iter()
        .filter(|one| one.nodes.contains(&Node::well(0).id) || one.nodes.contains(&second_db))
        .collect();
    assert_eq!(of_db[1].nodes, [second_db], "the other node was begun by itself");
    assert_waited(&of_db, "value");
    let others = begun(&world).into_iter().filter(|one| one.from < free(&of_db));
    let others: Vec<NodeId> = others.skip(1).flat_map(|one| one.nodes).collect();
    assert_eq!(others, [101, 200].map(|n| Node::well(n).id));
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
}

#[test]
fn beside_it_as_many_are_begun_as_there_is_room_for() {
    let (world, _) = world(&[vec![LOST], vec![WELL; 4]], 2, bounds(Some(2)));
    world.run();
    let all = begun(&world);
    let beside = all
        .iter()
        .filter(|one| all[0].to < one.from && one.from < free(&all));
    let sizes: Vec<usize> = beside.map(|one| one.nodes.len()).collect();
    assert!(
        !sizes.is_empty() && sizes.iter().all(|size| *size == 1),
        "{sizes:?}"
    );
    let most = world.clock.now().duration_since(all[0].to);
    assert!(most < SignedDuration::from_hours(1), "nothing waits: {most:#}");
}

#[test]
fn without_such_a_bound_nothing_is_held() {
    let only_damage = world(&[vec![LOST], vec![WELL]], 1, bounds(None)).0;
    only_damage.run();
    let all = begun(&only_damage);
    assert!(all[1].from < all[0].to + MINUTE * 20);
    let records = only_damage.records();
    let logged = records.iter().map(|record| record.encode().unwrap());
    let logged = logged.map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(!logged.collect::<String>().contains("may_run_until"));
}

#[test]
fn a_lost_node_that_is_there_no_more_keeps_no_place() {
    let world = one_at_a_time(&[LOST, WELL]);
    let first = world.plan.locations[0].location();
    let gone = Node {
        ping: None,
        ..LOST.node(0)
    };
    world
        .aws
        .scripts
        .lock()
        .unwrap()
        .insert(first, Script::Nodes(vec![gone]));
    let state = world.run();
    let lost = |state: &State| -> u32 {
        let settled = state.locations().filter_map(|(.., at)| at.settled.as_ref());
        settled
            .map(|settled| settled.nodes.count(NodeOutcome::Lost))
            .sum()
    };
    assert_eq!(lost(&state), 1);
    let all = begun(&world);
    assert!(all[1].from < all[0].to + MINUTE * 20);
}

#[test]
fn where_a_lost_node_takes_no_room_the_bound_is_broken() {
    let world = one_at_a_time(&[LOST, WELL]);
    with_slip(Slip::LostTakesNoRoom, || world.run());
    let all = begun(&world);
    assert!(all[1].from < free(&all), "the planted bug shows");
}

#[test]
fn whoever_goes_on_with_the_log_holds_the_same_place_back() {
    let undisturbed = one_at_a_time(&[LOST, WELL]);
    undisturbed.run();
    for appends in 2..undisturbed.records().len() {
        let world = one_at_a_time(&[LOST, WELL]);
        killed_once(&world, |world| world.records().len() >= appends);
        finish(world.driver(2).run(world.campaign())).unwrap();
        assert_waited(&begun(&world), &format!("killed after {appends} records"));
    }
}

#[test]
fn the_log_of_a_version_that_did_not_say_so_holds_nothing() {
    let world = one_at_a_time(&[LOST, WELL]);
    world.run();
    let state = first_with_lost(&world);
    let mut records: Vec<Record> = world.records();
    records.truncate(usize::try_from(state.next_seq()).unwrap());
    let last = records.last_mut().unwrap();
    for event in &mut last.events {
        if let Event::LocationSettled { not_well, .. } = event {
            let mut json = serde_json::to_value(&*not_well).unwrap();
            json.as_object_mut().unwrap().remove("may_run_until").unwrap();
            *not_well = serde_json::from_value(json).unwrap();
        }
    }
    let old = State::from_records(&records).unwrap();
    assert_eq!(old.lost_at_work(old.last_at()), None);
}

#[test]
fn what_waits_for_such_a_place_says_so_and_until_when() {
    let world = one_at_a_time(&[LOST, WELL]);
    world.run();
    let state = first_with_lost(&world);
    let until = free(&begun(&world));
    let words = format!("1 lost node may be at work until {until:.0}");
    let held = |state: &State, now: Timestamp| {
        let holds = state.holds(now);
        holds.into_iter().find(|hold| hold.rule == Rule::Fleet)
    };
    let hold = held(&state, state.last_at()).unwrap();
    assert_eq!(hold.until, Some(until));
    assert_eq!(
        hold.reason.to_string(),
        format!("1 of the 1 node that may be in flight across the fleet is, and it needs 1: {words}")
    );
    assert_eq!(held(&state, until), None);
    let summary = CampaignSummary::of(&state, state.last_at());
    let fleet = summary.fleet.unwrap();
    assert_eq!(
        fleet.in_short(),
        format!("in flight 0 of 1 (0 left), damaged 1 of 2 (1 left), {words}")
    );
    assert_eq!(
        json!(fleet)["lost_at_work"],
        json!({"nodes": 1, "first_until": until, "last_until": until})
    );
    let after = state.fleet(until).unwrap().in_short();
    assert_eq!(after, "in flight 0 of 1 (1 left), damaged 1 of 2 (1 left)");
}

#[test]
fn a_value_that_waits_for_such_a_place_says_so() {
    let db = Some("db");
    let world = of_service(&[vec![(LOST, db)], vec![(WELL, db)]], Some(1), None);
    world.run();
    let records = world.records();
    let held = |state: &State| {
        let mut holds = state.holds(state.last_at()).into_iter();
        holds.find(|hold| hold.rule == Rule::Labels && hold.until.is_some())
    };
    let (hold, state) = states(&records)
        .find_map(|state| Some((held(&state)?, state)))
        .unwrap();
    let (now, until) = (state.last_at(), free(&begun(&world)));
    assert_eq!(hold.until, Some(until));
    assert_eq!(
        hold.reason.to_string(),
        format!(
            "tag:Service = \"db\": 1 of the 1 node that may be in flight is in flight, and it needs 1: 1 lost node may be at work until \
             {until:.0}"
        )
    );
    let standing = |now| state.labels(now)[0].to_string();
    assert_eq!(
        standing(now),
        "by tag:Service: 0 values with nodes in flight, 1 with lost ones that may be at work, 1 with damaged ones, 0 used up"
    );
    assert_eq!(
        standing(until),
        "by tag:Service: 0 values with nodes in flight, 1 with damaged ones, 0 used up"
    );
}

#[test]
fn several_lost_nodes_give_their_places_up_one_after_the_other() {
    let (world, _) = world(
        &[vec![LOST], vec![WELL], vec![LOST], vec![WELL; 2]],
        1,
        bounds(Some(2)),
    );
    world.run();
    let all = begun(&world);
    let records = world.records();
    let both = states(&records).find_map(|state| {
        let lost = state.lost_at_work(state.last_at())?;
        (lost.nodes == 2).then_some(lost)
    });
    let both = both.unwrap();
    let lost = |n: u32| {
        let named = |one: &&Begun| one.nodes.contains(&Node::well(n).id);
        all.iter().find(named).unwrap().to + MAY_RUN_ON
    };
    let (first, last) = (lost(0), lost(200));
    assert_eq!(
        both.to_string(),
        format!(
            "2 lost nodes may be at work, the first of them until {first:.0} and the last until {last:.0}"
        )
    );
    let late: Vec<(usize, bool)> = (all.iter().skip(3))
        .map(|one| (one.nodes.len(), first <= one.from && one.from < last))
        .collect();
    assert_eq!(
        late,
        [(1, true), (1, true)],
        "one at a time once the first place is free"
    );
}

#[test]
fn a_cutoff_that_comes_first_ends_the_campaign_then() {
    let mut world = one_at_a_time(&[LOST, WELL]);
    let cutoff = world.clock.now() + SignedDuration::from_hours(8);
    world.cut_off(cutoff);
    let state = world.run();
    let all = begun(&world);
    assert_eq!(all.len(), 1, "its command would live past the cutoff");
    assert!(matches!(
        state.left_out_because(),
        Some(StopReason::Cutoff { .. })
    ));
    // The last start has six minutes to be sent, and its command lives for six hours and 30 seconds at least.
    let last_start = cutoff - SignedDuration::from_hours(6) - SignedDuration::from_secs(390);
    let ended = state.finished().unwrap().1;
    assert!(last_start <= ended && ended <= last_start + MINUTE * 2, "{ended}");
    assert!(ended < free(&all), "{ended}");
}

#[test]
fn while_it_is_waited_for_the_log_shows_a_driver_and_a_person_is_heard() {
    let world = one_at_a_time(&[LOST, WELL]);
    world.run();
    let (from, until) = (begun(&world)[0].to, free(&begun(&world)));
    let times = world.records().into_iter().map(|record| record.at);
    let times = times.filter(|at| from <= *at && *at <= until);
    let times: Vec<Timestamp> = [from].into_iter().chain(times).chain([until]).collect();
    let gaps = times.windows(2).map(|two| two[1].duration_since(two[0]));
    assert!(gaps.max().unwrap() < SHORTEST_GAP);

    let world = one_at_a_time(&[LOST, WELL]);
    let drives = world.driver(1);
    finish(drives.begin(world.campaign(), &world.plan)).unwrap();
    let mut run = ByHand::new(drives.run(world.campaign()));
    run.until(|| world.clock.now() > from + MINUTE * 30);
    let asked_at = world.clock.now();
    let stops = world.driver(2);
    finish(stops.stop(
        world.campaign(),
        crate::campaign::StopMode::LetCommandsRun,
        "somebody",
    ))
    .unwrap();
    let state = run.end().unwrap();
    assert!(state.finished().unwrap().1 <= asked_at + MINUTE * 3);
    assert_eq!(begun(&world).len(), 1);
}

#[test]
fn whoever_is_called_again_and_again_is_told_to_come_back_then() {
    let world = one_at_a_time(&[LOST, WELL]);
    let mut waited = vec![];
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let short = SignedDuration::from_secs(50);
    let state = (2..5_000).find_map(|writer| {
        let (driver, now) = (world.driver(writer), world.clock.now());
        let progress = driver.run_while_busy(world.campaign(), now + short, SignedDuration::from_secs(20));
        match finish(progress).unwrap() {
            Progress::Finished(state) => Some(*state),
            Progress::Paused { wake_at, .. } => {
                waited.push(wake_at);
                let mut now = world.clock.0.lock().unwrap();
                *now = wake_at.max(*now);
                None
            }
        }
    });
    let all = begun(&world);
    assert!(waited.contains(&free(&all)), "{waited:?}");
    assert_waited(&all, "short drives");
    assert_eq!(state.unwrap().finished().unwrap().0, FinishedOutcome::Partial);
}

#[test]
fn a_retry_has_less_of_the_bound_while_what_the_campaign_lost_may_be_at_work() {
    let (world, _) = world(&[vec![LOST, WELL]], 1, bounds(Some(2)));
    let state = world.run();
    let all = begun(&world);
    let of_lost = all.iter().find(|one| one.nodes.contains(&Node::well(0).id));
    let until = of_lost.unwrap().to + MAY_RUN_ON;
    let left = |now| {
        let left = state.bounds_left([].into(), 0, now).fleet.unwrap();
        let in_flight = left.max_in_flight.unwrap();
        (
            in_flight.allowed,
            in_flight.used,
            left.lost_at_work.map(|lost| lost.last_until),
        )
    };
    assert_eq!(left(state.last_at()), (2, 1, Some(until)));
    assert_eq!(left(until), (2, 0, None));

    let db = Some("db");
    let world = of_service(&[vec![(LOST, db)], vec![(WELL, db)]], Some(2), None);
    let state = world.run();
    let left = |now| {
        let left = state.bounds_left([].into(), 0, now).labels[0][0].clone();
        (left.max_in_flight.unwrap().used, left.lost_at_work.is_some())
    };
    assert_eq!(left(state.last_at()), (1, true));
    assert_eq!(left(state.last_at() + MAY_RUN_ON), (0, false));
}

/// The lost node's agent answers again, and what it came to can be read.
fn answers(world: &World, patches: [u32; 3]) {
    let first = world.plan.locations[0].location();
    let there = Node {
        status: "DeliveryTimedOut",
        patches: Some(patches),
        ..Node::well(0)
    };
    world
        .aws
        .scripts
        .lock()
        .unwrap()
        .insert(first, Script::Nodes(vec![there]));
}

#[test]
fn once_results_say_what_it_came_to_its_place_is_free() {
    let probe = one_at_a_time(&[LOST, WELL]);
    probe.run();
    let ended = begun(&probe)[0].to;
    let world = one_at_a_time(&[LOST, WELL]);
    let drives = world.driver(1);
    finish(drives.begin(world.campaign(), &world.plan)).unwrap();
    let mut run = ByHand::new(drives.run(world.campaign()));
    run.until(|| world.clock.now() > ended + MINUTE * 30);
    let found = finish(world.driver(2).collect_again(world.campaign())).unwrap();
    assert_eq!(
        (found.read, found.unread.len()),
        (0, 0),
        "its agent is silent still"
    );
    let records = world.records().len();
    answers(&world, [0, 0, 0]);
    let read_at = world.clock.now();
    let found = finish(world.driver(3).collect_again(world.campaign())).unwrap();
    assert_eq!((found.read, found.unread.len()), (1, 0));
    assert_eq!(world.records().len(), records + 1);
    let state = run.end().unwrap();
    let second = begun(&world)[1].from;
    assert!(read_at <= second && second <= read_at + MINUTE * 3, "{second}");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
}

#[test]
fn a_lost_node_whose_agent_answers_and_tells_nothing_keeps_its_place() {
    let world = one_at_a_time(&[LOST]);
    world.run();
    let first = world.plan.locations[0].location();
    let there = Node {
        status: "DeliveryTimedOut",
        patches: None,
        ..Node::well(0)
    };
    world
        .aws
        .scripts
        .lock()
        .unwrap()
        .insert(first, Script::Nodes(vec![there]));
    let found = finish(world.driver(2).collect_again(world.campaign())).unwrap();
    assert_eq!((found.read, found.unread.len()), (0, 0));
    assert!(found.state.lost_at_work(found.state.last_at()).is_some());
}

#[test]
fn a_campaign_that_is_over_is_told_what_its_lost_nodes_came_to() {
    let world = one_at_a_time(&[LOST]);
    world.run();
    answers(&world, [2, 0, 0]);
    let found = finish(world.driver(2).collect_again(world.campaign())).unwrap();
    assert_eq!(found.read, 1);
    assert_eq!(found.state.lost_at_work(found.state.last_at()), None);
    let (.., at) = found.state.locations().next().unwrap();
    assert_eq!(at.settled.as_ref().unwrap().nodes.count(NodeOutcome::Failed), 1);
    let again = finish(world.driver(3).collect_again(world.campaign())).unwrap();
    assert_eq!(again.read, 0, "there is nothing left to read");
}
