//! Bounds on the whole fleet, against what the small AWS knows: which nodes each execution names, when it runs, and what becomes
//! of them. Nothing here asks the campaign's own state how many nodes are in flight or damaged.

use super::world::*;
use crate::campaign::rule::planted::without;
use crate::campaign::{DriveError, Event, FleetStop, LogKey, Rule, State, StopReason, Turn};
use crate::id::NodeId;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::plan::resolve_fleet;
use crate::port::{Clock as _, StartRequest};
use crate::request::{FleetBudget, PatchRequest, RunbookPin, Selector};
use crate::runbook::named_nodes;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

/// What becomes of a node, in truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Well,
    /// Its command fails.
    Fails,
    /// Its command succeeds, and patches failed to install. AWS counts no error.
    FailsQuietly,
    /// It does not come back from its reboot.
    Lost,
    /// No command reaches it.
    Silent,
}

impl Fate {
    pub(super) fn is_damage(self) -> bool {
        matches!(self, Self::Fails | Self::FailsQuietly | Self::Lost)
    }

    pub(super) fn node(self, n: u32) -> Node {
        let well = Node::well(n);
        match self {
            Self::Well => well,
            Self::Fails => Node {
                status: "Failed",
                patches: Some([1, 0, 0]),
                ..well
            },
            Self::FailsQuietly => Node {
                patches: Some([2, 0, 0]),
                ..well
            },
            Self::Lost => Node {
                status: "DeliveryTimedOut",
                patches: None,
                dies: Some(SignedDuration::from_secs(20)),
                ..well
            },
            Self::Silent => Node {
                status: "DeliveryTimedOut",
                patches: None,
                dies: Some(SignedDuration::from_mins(30)),
                ..well
            },
        }
    }
}

/// The bounds of a request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    pub(super) in_flight: Option<u32>,
    pub(super) damaged: Option<u32>,
    pub(super) unreached: Option<u32>,
}

impl Bounds {
    pub(super) fn budget(self) -> FleetBudget {
        let text = |n: Option<u32>| n.map(|n| n.to_string());
        let json = serde_json::json!({
            "name": "a",
            "targets": {"resource_group": "W", "regions": ["us-east-1"]},
            "budget": {"fleet": {
                "max_in_flight": text(self.in_flight), "max_damaged": text(self.damaged),
                "max_unreached": text(self.unreached),
            }},
        });
        let mut json = json;
        let fleet = json["budget"]["fleet"].as_object_mut().unwrap();
        fleet.retain(|_, value| !value.is_null());
        PatchRequest::from_value(json).unwrap().budget.fleet.unwrap()
    }
}

/// Locations with these nodes, so many at once, under these bounds. Any number of locations and of nodes within one may fail.
pub(super) fn world(
    locations: &[Vec<Fate>],
    at_once: u32,
    bounds: Bounds,
) -> (World, BTreeMap<NodeId, Fate>) {
    let mut fates = BTreeMap::new();
    let mut scripts = vec![];
    for (index, nodes) in locations.iter().enumerate() {
        let ids = (index as u32 * 100..).take(nodes.len());
        let nodes: Vec<Node> = ids.zip(nodes).map(|(n, fate)| fate.node(n)).collect();
        fates.extend(
            nodes
                .iter()
                .map(|node| node.id.clone())
                .zip(locations[index].clone()),
        );
        scripts.push([("us-east-1", Script::Nodes(nodes))]);
    }
    let units: Vec<&[(&str, Script)]> = scripts.iter().map(|one| &one[..]).collect();
    let mut world = World::new(&units, at_once, locations.len() as u32);
    let plan = &mut world.plan;
    plan.request.targets.selector = Selector::ResourceGroup("W".parse().unwrap());
    plan.request.budget.nodes.max_concurrency = "100%".parse().unwrap();
    plan.request.budget.nodes.max_errors = "100%".parse().unwrap();
    plan.request.budget.fleet = Some(bounds.budget());
    plan.fleet = resolve_fleet(&plan.request, None, &plan.locations, Some(1)).unwrap();
    let most = plan.fleet.unwrap().nodes_in_a_start().unwrap();
    let templates: Vec<StartRequest> = plan.units.drain(..).map(|unit| unit.start).collect();
    for (template, script) in templates.into_iter().zip(&scripts) {
        let [(_, Script::Nodes(nodes))] = script else {
            unreachable!()
        };
        let ids: Vec<NodeId> = nodes.iter().map(|node| node.id.clone()).collect();
        for chunk in ids.chunks(most as usize) {
            world.add_naming(template.clone(), chunk);
        }
    }
    world.one_place_each();
    world.plan.check().unwrap();
    (world, fates)
}

/// What AWS began: which nodes, and from when to when.
pub(super) struct Begun {
    pub(super) nodes: Vec<NodeId>,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// How long what was begun on a node may run on after its command has expired.
pub(super) const MAY_RUN_ON: SignedDuration = SignedDuration::from_hours(3);

impl Begun {
    /// Its nodes that are at work then, or may be: on a lost one the script may run on for three hours.
    pub(super) fn at_work<'a>(
        &'a self,
        at: Timestamp,
        fates: &'a BTreeMap<NodeId, Fate>,
    ) -> impl Iterator<Item = &'a NodeId> {
        self.nodes.iter().filter(move |node| {
            let until = match fates[*node] {
                Fate::Lost => self.to + MAY_RUN_ON,
                _ => self.to,
            };
            self.from <= at && at < until
        })
    }
}

pub(super) fn begun(world: &World) -> Vec<Begun> {
    let executions = world.executions().into_iter();
    executions
        .map(|one| Begun {
            nodes: named_nodes(&one.request.parameters).unwrap(),
            from: one.started_at,
            to: one.started_at + RUNS,
        })
        .collect()
}

/// That no bound was broken at any instant, and that no node was begun twice.
pub(super) fn assert_bounded(world: &World, fates: &BTreeMap<NodeId, Fate>, bounds: Bounds, case: &str) {
    let begun = begun(world);
    let mut times: BTreeMap<&NodeId, u32> = BTreeMap::new();
    for node in begun.iter().flat_map(|one| &one.nodes) {
        *times.entry(node).or_default() += 1;
    }
    assert!(times.values().all(|n| *n == 1), "{case}: begun twice: {times:?}");
    for one in &begun {
        let open: usize = begun
            .iter()
            .map(|other| other.at_work(one.from, fates).count())
            .sum();
        if let Some(bound) = bounds.in_flight {
            assert!(open <= bound as usize, "{case}: {open} in flight, of {bound}");
        }
    }
    let damaged = times.keys().filter(|node| fates[**node].is_damage()).count();
    if let Some(bound) = bounds.damaged {
        assert!(damaged <= bound as usize, "{case}: {damaged} damaged, of {bound}");
    }
}

pub(super) fn stopped_for(state: &State) -> Option<FleetStop> {
    match state.left_out_because() {
        Some(StopReason::Fleet(stop)) => Some(stop),
        _ => None,
    }
}

#[test]
fn damage_ends_a_campaign_before_one_node_more_than_allowed_is_damaged() {
    let bounds = Bounds {
        damaged: Some(3),
        ..Bounds::default()
    };
    let bad = vec![Fate::FailsQuietly; 6];
    let (world, fates) = world(&[bad.clone(), bad.clone(), bad], 3, bounds);
    let state = world.run();
    assert_bounded(&world, &fates, bounds, "all fail");
    let named: usize = begun(&world).iter().map(|one| one.nodes.len()).sum();
    assert_eq!(named, 3, "as many as may be damaged");
    assert_eq!(
        stopped_for(&state),
        Some(FleetStop::Damaged {
            damaged: 3,
            unknown: 0,
            allowed: 3
        })
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(
        state.left_out_because().unwrap().to_string(),
        "3 nodes of the fleet are damaged, and budget.fleet.max_damaged allows 3"
    );
}

#[test]
fn a_start_that_no_longer_fits_is_divided_and_every_node_is_begun_once() {
    let bounds = Bounds {
        damaged: Some(4),
        ..Bounds::default()
    };
    // A command of three needs two turns, one of four needs three.
    let mut nodes = vec![Fate::Well; 12];
    nodes[1] = Fate::Fails;
    nodes[6] = Fate::Lost;
    let (world, fates) = world(&[nodes], 1, bounds);
    assert_eq!(world.plan.fleet.unwrap().nodes_in_a_start(), Some(3));
    let state = world.run();
    assert_bounded(&world, &fates, bounds, "divided");
    let sizes: Vec<usize> = begun(&world).iter().map(|one| one.nodes.len()).collect();
    assert_eq!(
        sizes,
        [3, 3, 3, 2, 1],
        "three fit after one failure, two after two"
    );
    let divided = world
        .events()
        .into_iter()
        .filter(|event| matches!(event, Event::Divided { .. }));
    assert_eq!(divided.count(), 1);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert_eq!(State::from_records(&world.records()).as_ref(), Ok(&state));
}

#[test]
fn nodes_in_flight_are_bounded_across_locations() {
    let bounds = Bounds {
        in_flight: Some(2),
        damaged: Some(10),
        ..Bounds::default()
    };
    let (world, fates) = world(&vec![vec![Fate::Well; 3]; 4], 4, bounds);
    let state = world.run();
    assert_bounded(&world, &fates, bounds, "two at once");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let at_once = begun(&world);
    let both = at_once.iter().any(|one| {
        let others = at_once
            .iter()
            .filter(|other| other.from <= one.from && one.from < other.to);
        others.map(|other| other.nodes.len()).sum::<usize>() == 2
    });
    assert!(both, "the room is used");
}

fn nodes_of(world: &World, index: usize) -> Vec<NodeId> {
    let units = world.plan.units.iter();
    let here = world.plan.locations[index].location();
    let here = units.filter(|unit| unit.locations().any(|at| at == here));
    here.flat_map(|unit| unit.nodes.clone().unwrap()).collect()
}

/// Has the plan say that these nodes of a location did not answer.
fn offline_before(world: &mut World, index: usize, offline: Vec<NodeId>) {
    let at = &mut world.plan.locations[index];
    let nodes = at.nodes.as_mut().unwrap();
    let all = nodes.managed();
    nodes.offline = u32::try_from(offline.len()).unwrap();
    nodes.online = all - nodes.offline;
    at.offline = offline;
}

#[test]
fn too_many_unreached_nodes_halt_a_campaign_and_those_that_were_offline_before_do_not_count() {
    let bounds = Bounds {
        damaged: Some(9),
        unreached: Some(1),
        ..Bounds::default()
    };
    let silent = vec![Fate::Silent; 2];
    let locations = [silent.clone(), silent.clone(), vec![Fate::Well; 2]];
    let (world, _) = world(&locations, 1, bounds);
    let state = world.run();
    assert_eq!(
        stopped_for(&state),
        Some(FleetStop::Unreached {
            unreached: 2,
            allowed: 1
        })
    );
    let (mut known, _) = self::world(&locations, 1, bounds);
    for index in 0..2 {
        let all = nodes_of(&known, index);
        offline_before(&mut known, index, all);
    }
    let state = known.run();
    assert_eq!(stopped_for(&state), None);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
}

#[test]
fn a_node_that_was_offline_before_makes_up_for_no_other_that_is_not_reached() {
    let bounds = Bounds {
        damaged: Some(9),
        unreached: Some(0),
        ..Bounds::default()
    };
    let locations = [vec![Fate::Silent, Fate::Well], vec![Fate::Well; 2]];
    let (mut world, _) = world(&locations, 1, bounds);
    // It answers again once the command comes.
    let back = nodes_of(&world, 0).split_off(1);
    offline_before(&mut world, 0, back);
    let state = world.run();
    assert_eq!(
        stopped_for(&state),
        Some(FleetStop::Unreached {
            unreached: 1,
            allowed: 0
        })
    );
}

#[test]
fn nodes_of_which_nothing_can_be_found_out_keep_their_room_for_good() {
    let bounds = Bounds {
        in_flight: Some(2),
        damaged: Some(9),
        ..Bounds::default()
    };
    let (world, _) = world(&[vec![Fate::Well; 2], vec![Fate::Well; 2]], 2, bounds);
    let first = world.plan.locations[0].location();
    world.aws.scripts.lock().unwrap().insert(first, Script::Sealed);
    let state = world.run();
    assert_eq!(
        stopped_for(&state),
        Some(FleetStop::InFlight {
            unknown: 2,
            allowed: 2
        })
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

#[test]
fn a_person_is_told_what_a_unit_waits_for() {
    let bounds = Bounds {
        damaged: Some(2),
        ..Bounds::default()
    };
    let (world, _) = world(&vec![vec![Fate::Well; 2]; 4], 4, bounds);
    let answered = |world: &World| {
        let events = world.events().into_iter();
        events
            .filter(|event| matches!(event, Event::Started { .. }))
            .count()
    };
    killed_once(&world, |world| answered(world) == 2);
    let state = State::from_records(&world.records()).unwrap();
    let told: Vec<(Rule, String)> = state
        .holds(state.last_at())
        .into_iter()
        .map(|hold| (hold.rule, hold.reason.to_string()))
        .collect();
    let words =
        "2 of the 2 nodes that may be damaged across the fleet are damaged or in flight, and it needs 1";
    assert!(told.contains(&(Rule::Fleet, words.to_owned())), "{told:?}");
}

#[test]
fn a_start_in_the_place_of_a_cancelled_one_may_be_divided_too() {
    let bounds = Bounds {
        damaged: Some(4),
        ..Bounds::default()
    };
    let mut nodes = vec![Fate::Well; 12];
    nodes[0] = Fate::Fails;
    nodes[6] = Fate::Fails;
    let (world, fates) = world(&[nodes], 1, bounds);
    // The second execution is cancelled before it reaches its location.
    let state = finish(async {
        let driver = world.driver(1);
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while world.executions().len() < 2 {
            if let Turn::Wait(at) = drive.step().await.unwrap() {
                world.clock.sleep_until(at).await;
            }
        }
        let second = world.executions()[1].id.clone();
        for execution in world.aws.executions.lock().unwrap().iter_mut() {
            if execution.id == second {
                execution.cancelled_at = Some(execution.started_at);
            }
        }
        driver.run(world.campaign()).await.unwrap();
        let again = world.driver(2);
        again.go_on(world.campaign(), "somebody").await.unwrap();
        again.run(world.campaign()).await.unwrap()
    });
    let begun: Vec<usize> = begun(&world).iter().map(|one| one.nodes.len()).collect();
    assert_eq!(begun, [3, 3, 3, 2, 2, 1, 1], "the second of them began nothing");
    let damaged = fates.values().filter(|fate| fate.is_damage()).count();
    assert_eq!(damaged, 2);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
}

#[test]
fn an_execution_that_aws_paces_is_stopped_once_too_many_nodes_were_not_reached() {
    let regions = ["ap-south-1", "eu-north-1", "eu-west-1", "us-east-1"];
    let silent = |n: u32| Script::Nodes(vec![Fate::Silent.node(2 * n), Fate::Silent.node(2 * n + 1)]);
    let unit: Vec<(&str, Script)> = (0..)
        .zip(regions)
        .map(|(n, region)| (region, silent(n)))
        .collect();
    let mut world = World::new(&[&unit], 1, 4);
    let bounds = Bounds {
        unreached: Some(1),
        ..Bounds::default()
    };
    world.plan.request.budget.fleet = Some(bounds.budget());
    world.plan.fleet = resolve_fleet(&world.plan.request, None, &world.plan.locations, Some(1)).unwrap();
    let state = world.run();
    assert!(!world.aws.stops.lock().unwrap().is_empty(), "it is stopped");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let left: Vec<String> = state
        .locations()
        .filter_map(|(.., at)| at.settled.as_ref())
        .filter(|settled| settled.outcome == LocationOutcome::NotStarted)
        .map(|settled| settled.detail.clone())
        .collect();
    assert!(!left.is_empty());
    for words in left {
        assert!(words.ends_with("budget.fleet.max_unreached allows 1"), "{words}");
    }
}

#[test]
fn wherever_a_log_was_cut_no_bound_is_broken() {
    let bounds = Bounds {
        damaged: Some(3),
        ..Bounds::default()
    };
    let all_bad = vec![vec![Fate::FailsQuietly; 3]; 4];
    let killed_after = |polls: usize| {
        let (mut world, fates) = world(&all_bad, 4, bounds);
        world.plan.runbook = super::runbook::world(RunbookPin::Default).plan.runbook;
        let mut driver = ByHand::new(life(&world, 1));
        let is_over = (0..polls).any(|_| driver.poll());
        drop(driver);
        (!is_over).then_some((world, fates))
    };
    let mut cuts = 0;
    for polls in (0..).step_by(25) {
        let Some((world, _)) = killed_after(polls) else {
            break;
        };
        for left in 2..world.records().len() {
            let (world, fates) = killed_after(polls).unwrap();
            world.log.cut(&LogKey::Campaign(world.campaign()), left);
            // What was begun is over by then. Another location does not answer for a while, so others are begun before it.
            world.clock.advance(SignedDuration::from_mins(3));
            let slow = world.plan.locations[1].location();
            let answers = world.clock.now() + SignedDuration::from_mins(2);
            world.aws.slow.lock().unwrap().insert(slow, answers);
            let case = format!("killed after {polls} polls, {left} records left");
            let state = finish(life(&world, 2)).unwrap();
            assert_bounded(&world, &fates, bounds, &case);
            assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted, "{case}");
            cuts += 1;
        }
    }
    assert!(cuts > 20, "{cuts}");
}

pub(super) fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Well),
        1 => Just(Fate::Fails),
        1 => Just(Fate::FailsQuietly),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Silent),
    ]
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (prop::option::of(1_u32..8), 1_u32..8).prop_map(|(in_flight, damaged)| Bounds {
        in_flight,
        damaged: Some(damaged),
        unreached: None,
    })
}

/// Everything that one driver does, unless a person has to decide.
pub(super) async fn life(world: &World, writer: u128) -> Option<State> {
    let driver = world.driver(writer);
    driver.begin(world.campaign(), &world.plan).await.unwrap();
    match driver.run(world.campaign()).await {
        Ok(state) => Some(state),
        Err(DriveError::Unresolved { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn no_bound_is_ever_broken_and_no_node_is_left_behind_without_need() {
    proptest!(ProptestConfig::with_cases(150), |(
        locations in prop::collection::vec(prop::collection::vec(fate(), 1..7), 1..5),
        at_once in 1_u32..5, bounds in bounds(),
        lives in prop::collection::vec(0_usize..600, 0..5),
    )| {
        let (world, fates) = world(&locations, at_once, bounds);
        for (n, polls) in lives.iter().enumerate() {
            let mut driver = ByHand::new(life(&world, n as u128 + 10));
            let _ = (0..*polls).any(|_| driver.poll());
        }
        let case = format!("{lives:?}");
        let state = finish(life(&world, 2)).unwrap();
        assert_bounded(&world, &fates, bounds, &case);
        let all: usize = locations.iter().map(Vec::len).sum();
        let damage = fates.values().filter(|fate| fate.is_damage()).count();
        let named: usize = begun(&world).iter().map(|one| one.nodes.len()).sum();
        if damage < bounds.damaged.unwrap() as usize {
            prop_assert_eq!(named, all, "{}: every node has its turn", case);
            prop_assert!(stopped_for(&state).is_none());
        } else {
            // It goes on until as much is damaged as may be, or nothing is left.
            let damaged = begun(&world).iter().flat_map(|one| &one.nodes).filter(|node| fates[*node].is_damage()).count();
            prop_assert!(damaged == bounds.damaged.unwrap() as usize || named == all, "{}: {} damaged", case, damaged);
        }
    });
}

#[test]
fn two_drivers_at_once_break_no_bound() {
    proptest!(ProptestConfig::with_cases(60), |(
        locations in prop::collection::vec(prop::collection::vec(fate(), 1..5), 1..4),
        bounds in bounds(), turns in prop::collection::vec((any::<bool>(), 1_usize..12), 0..300),
    )| {
        let (world, fates) = world(&locations, 3, bounds);
        let [one, two] = [1, 2].map(|writer| ByHand::new(life(&world, writer)));
        let (one, two) = in_turns(one, two, turns);
        prop_assert_eq!(one.as_ref().map(but_for_instants), two.as_ref().map(but_for_instants));
        assert_bounded(&world, &fates, bounds, "two drivers");
    });
}

#[test]
fn two_drivers_that_place_a_record_at_different_instants_come_to_the_same_end() {
    let bounds = Bounds {
        damaged: Some(1),
        ..Bounds::default()
    };
    let (world, fates) = world(&[vec![Fate::Well]], 3, bounds);
    // The second stands still between making the record of its start and the log taking it, while the first moves the clock.
    let turns = (0..).map(|n| n % 2 == 1).zip([13, 12, 19, 4, 6, 5, 1]);
    let [one, two] = [1, 2].map(|writer| ByHand::new(life(&world, writer)));
    let (one, two) = in_turns(one, two, turns);
    assert_ne!(one, two, "what began when");
    assert_eq!(
        one.as_ref().map(but_for_instants),
        two.as_ref().map(but_for_instants)
    );
    assert_bounded(&world, &fates, bounds, "two drivers");
}

#[test]
fn without_the_rule_of_the_fleet_both_bounds_are_broken() {
    let all_bad = || vec![vec![Fate::FailsQuietly; 3]; 6];
    for bounds in [
        Bounds {
            damaged: Some(3),
            ..Bounds::default()
        },
        Bounds {
            in_flight: Some(2),
            damaged: Some(18),
            ..Bounds::default()
        },
    ] {
        let (world, fates) = world(&all_bad(), 6, bounds);
        without(Rule::Fleet, || world.run());
        let noticed = std::panic::catch_unwind(AssertUnwindSafe(|| {
            assert_bounded(&world, &fates, bounds, "planted");
        }));
        assert!(noticed.is_err(), "{bounds:?}: the bug shows");
    }
}
