//! A driver is killed at each instant of its life, and another one takes up the campaign: it comes to what it comes to undisturbed.
//!
//! A poll ends right before a call takes effect, right after that and before its answer, or where somebody sleeps. So each append to
//! the log and each effect in AWS is met before it and after it. Who goes on knows only the log, the rows, AWS and the time. So of
//! polls after which these are the same, one is enough.

use super::fleet::{self, Bounds, Fate};
use super::labels::of_service;
use super::waves::{named, put_in_waves};
use super::world::*;
use crate::campaign::{CampaignLog as _, DriveError, Event, NodeRows as _, Progress, Rule, State};
use crate::outcome::{FinishedOutcome, NodeRow};
use crate::plan::PlannedLocation;
use crate::port::Clock as _;
use crate::report::Report;
use jiff::{SignedDuration, Timestamp};
use regex_lite::Regex;
use serde_json::json;
use std::collections::BTreeMap;

/// A canary, and after it time, its result and a person's word, and then the rest.
fn waves() -> World {
    let well = || Script::Nodes(vec![Node::well(1), Node::well(2)]);
    let mut world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 2, 2);
    world.one_place_each();
    put_in_waves(&mut world, &[1, 2]);
    let canary = json!({
        "name": "canary", "locations": "50%", "soak": "5m", "gate": {"max_failed": 0}, "approval": true,
    });
    world.plan.request.waves = named(json!([canary]));
    world.plan.check().unwrap();
    world
}

/// The first node is damaged, so there is no room any more for two nodes at once.
fn damaged() -> World {
    let bounds = Bounds {
        damaged: Some(2),
        ..Bounds::default()
    };
    fleet::world(
        &[vec![Fate::Fails, Fate::Well, Fate::Well, Fate::Well]],
        1,
        bounds,
    )
    .0
}

/// Two services, of each of which one node at a time.
fn label() -> World {
    let location = || vec![(Fate::Well, Some("db")), (Fate::Well, Some("web"))];
    of_service(&[location(), location()], Some(1), None)
}

/// Commands that patchfleet sends itself, with one node in flight.
fn commands() -> World {
    let bounds = Bounds {
        in_flight: Some(1),
        damaged: Some(2),
        ..Bounds::default()
    };
    let (mut world, _) = fleet::world(&[vec![Fate::Well, Fate::Fails]], 1, bounds);
    world.send_commands(1);
    world
}

/// Drives the campaign to its end, with the word of a person where one is waited for.
async fn whole_life(world: &World, writer: u128) -> State {
    let (driver, person, campaign) = (world.driver(writer), world.driver(writer + 100), world.campaign());
    driver.begin(campaign, &world.plan).await.unwrap();
    for _ in 0..20 {
        let until = world.clock.now() + SignedDuration::from_mins(15);
        match driver.run_until(campaign, until).await {
            Ok(Progress::Finished(state)) => return *state,
            Ok(Progress::Paused { state, wake_at }) => {
                let holds = state.holds(world.clock.now());
                match holds.iter().any(|hold| hold.rule == Rule::Approval) {
                    true => drop(person.approve(campaign, None, "ops").await.unwrap()),
                    false => world.clock.sleep_until(wake_at).await,
                }
            }
            Err(DriveError::Unresolved { holds, .. }) => {
                let units = holds.into_iter().map(|hold| hold.unit).collect();
                person.send_again(campaign, &units, "ops").await.unwrap();
            }
            Err(other) => panic!("{other}"),
        }
    }
    panic!("it never ends");
}

/// The rows of each location.
fn rows(world: &World) -> Vec<Vec<NodeRow>> {
    let places = world.plan.locations.iter().map(PlannedLocation::location);
    let rows = places.map(|place| finish(world.rows.rows(world.campaign(), &place)).unwrap());
    rows.collect()
}

/// What AWS began: where, and on which nodes. Then what became of each location and node, and the report. But for instants, and for
/// the number of a start that a person had sent again.
fn came_to(world: &World, state: &State) -> String {
    let mut begun: BTreeMap<(String, Option<String>), u32> = BTreeMap::new();
    for one in world.executions() {
        let place = one.request.target_location().locations().next().unwrap();
        let nodes = one
            .request
            .parameters
            .get("Targets")
            .map(|targets| targets.concat());
        *begun.entry((place.to_string(), nodes)).or_default() += 1;
    }
    let rows = rows(world);
    let settled = state.locations().map(|(unit, location, at)| {
        let settled = at.settled.as_ref().unwrap();
        (unit, location.to_string(), settled.outcome, settled.nodes.clone())
    });
    let settled: Vec<_> = settled.collect();
    let report = finish(Report::build(state, &*world.rows, state.last_at())).unwrap();
    let text = format!("{begun:#?}\n{settled:#?}\n{rows:#?}\n{report:#?}");
    let instant = Regex::new(r"\d{4}-\d\d-\d\dT[\d:.]+Z").unwrap();
    instant.replace_all(&text, "an instant").into_owned()
}

/// What a driver that is killed now leaves behind: what is in the log, the rows, how much AWS has begun, and the time.
fn left_behind(world: &World) -> (usize, Vec<Vec<NodeRow>>, usize, Timestamp) {
    let keys = finish(world.log.keys()).unwrap().into_iter();
    let records = keys.map(|key| finish(world.log.read(&key, 0)).unwrap().len());
    (
        records.sum(),
        rows(world),
        world.executions().len(),
        world.clock.now(),
    )
}

/// After how many polls a driver is to be killed: those after which something else is left behind than after the poll before.
fn instants(world: &World) -> Vec<usize> {
    let mut driver = ByHand::new(whole_life(world, 1));
    let (mut instants, mut before) = (vec![], None);
    for polls in 0.. {
        let left = Some(left_behind(world));
        if left != before {
            instants.push(polls);
            before = left;
        }
        if driver.poll() {
            break;
        }
    }
    instants
}

/// Kills a driver at each instant, and has another one take up the campaign. At how many instants, and how often a person had to
/// say that a start is to be sent again.
fn killed_everywhere(make: fn() -> World, ends: FinishedOutcome) -> (usize, usize) {
    let undisturbed = make();
    let state = finish(whole_life(&undisturbed, 1));
    assert_eq!(state.finished().unwrap().0, ends);
    let expected = came_to(&undisturbed, &state);
    let (instants, mut helped) = (instants(&make()), 0);
    for polls in &instants {
        let world = make();
        let mut first = ByHand::new(whole_life(&world, 1));
        assert!((0..*polls).all(|_| !first.poll()));
        drop(first);
        let state = finish(whole_life(&world, 2));
        assert_eq!(came_to(&world, &state), expected, "killed after {polls} polls");
        let sent_again = |event: &Event| matches!(event, Event::SendAgain { .. });
        helped += usize::from(world.events().iter().any(sent_again));
    }
    (instants.len(), helped)
}

#[test]
fn waves_with_a_soak_a_gate_and_an_approval_come_to_the_same_wherever_their_driver_is_killed() {
    let (instants, helped) = killed_everywhere(waves, FinishedOutcome::Succeeded);
    assert!(instants > 25 && helped == 0, "{instants}, {helped}");
}

#[test]
fn a_bound_on_damage_comes_to_the_same_wherever_the_driver_is_killed() {
    let (instants, helped) = killed_everywhere(damaged, FinishedOutcome::Partial);
    assert!(instants > 25 && helped == 0, "{instants}, {helped}");
}

#[test]
fn a_label_comes_to_the_same_wherever_the_driver_is_killed() {
    let (instants, helped) = killed_everywhere(label, FinishedOutcome::Succeeded);
    assert!(instants > 25 && helped == 0, "{instants}, {helped}");
}

/// Without a token nobody but a person sends a command again whose intent is in the log, and that is not listed.
#[test]
fn commands_under_a_bound_come_to_the_same_wherever_their_driver_is_killed() {
    let (instants, helped) = killed_everywhere(commands, FinishedOutcome::Partial);
    assert!(instants > 25 && helped > 0, "{instants}, {helped}");
}
