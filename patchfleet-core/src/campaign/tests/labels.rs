//! Bounds on the values of labels, against what the small AWS knows: which nodes each execution names, when it runs, and what
//! becomes of them. Nothing here asks the campaign's own state how many nodes of a value are in flight or damaged.

use super::fleet::{Begun, Fate, begun, fate, life};
use super::world::*;
use crate::campaign::rule::planted::without;
use crate::campaign::{Event, Rule, State, StopReason};
use crate::census::{CensusTaken, ManagedNodes};
use crate::id::{Location, NodeId};
use crate::outcome::{FinishedOutcome, LocationOutcome, NodeOutcome};
use crate::plan::{Cells, resolve_labels};
use crate::port::StartRequest;
use crate::request::{LabelBudget, PatchRequest, Selector};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

/// A node: what becomes of it, and the value of its tag `Service`, if it has that.
type Tagged = (Fate, Option<&'static str>);

fn labels(all: Value) -> Vec<LabelBudget> {
    let request = json!({
        "name": "a",
        "targets": {"resource_group": "W", "regions": ["us-east-1"]},
        "budget": {"labels": all},
    });
    PatchRequest::from_value(request).unwrap().budget.labels
}

/// At most so many of each value of the tag `Service` in flight and damaged.
fn by_service(in_flight: Option<u32>, damaged: Option<u32>) -> Vec<LabelBudget> {
    let mut label = json!({"by": "tag:Service", "max_in_flight": in_flight, "max_damaged": damaged});
    label.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    labels(json!([label]))
}

/// The world of a campaign with such bounds.
pub(super) fn of_service(
    locations: &[Vec<(Fate, Option<&'static str>)>],
    in_flight: Option<u32>,
    damaged: Option<u32>,
) -> World {
    world(locations, 1, by_service(in_flight, damaged)).world
}

/// A world, what becomes of its nodes, and the values that they have.
struct Tag {
    world: World,
    fates: BTreeMap<NodeId, Fate>,
    services: BTreeMap<NodeId, Option<&'static str>>,
}

/// Locations with these nodes, of several accounts and two Regions, so many at once. Any number of locations and of nodes within
/// one may fail. The plan's units are packed as a plan packs them.
fn world(locations: &[Vec<Tagged>], at_once: u32, labels: Vec<LabelBudget>) -> Tag {
    let (mut fates, mut services) = (BTreeMap::new(), BTreeMap::new());
    let mut scripts = vec![];
    for (index, nodes) in locations.iter().enumerate() {
        let ids = index as u32 * 100..;
        let made: Vec<Node> = ids.zip(nodes).map(|(n, (fate, _))| fate.node(n)).collect();
        for (node, (fate, service)) in made.iter().zip(nodes) {
            fates.insert(node.id.clone(), *fate);
            services.insert(node.id.clone(), *service);
        }
        let region = ["us-east-1", "eu-west-1"][index % 2];
        scripts.push([(region, Script::Nodes(made))]);
    }
    let units: Vec<&[(&str, Script)]> = scripts.iter().map(|one| &one[..]).collect();
    let mut world = World::new(&units, at_once, locations.len() as u32);
    let plan = &mut world.plan;
    plan.request.targets.selector = Selector::ResourceGroup("W".parse().unwrap());
    plan.request.budget.nodes.max_concurrency = "100%".parse().unwrap();
    plan.request.budget.nodes.max_errors = "100%".parse().unwrap();
    plan.request.budget.labels = labels;
    let mut census = CensusTaken::default();
    let templates: Vec<StartRequest> = plan.units.drain(..).map(|unit| unit.start).collect();
    let mut online: Vec<(Location, Vec<NodeId>)> = vec![];
    for (template, script) in templates.iter().zip(&scripts) {
        let [(_, Script::Nodes(nodes))] = script else {
            unreachable!()
        };
        let location = template.target_location().locations().next().unwrap();
        let ids: Vec<NodeId> = nodes.iter().map(|node| node.id.clone()).collect();
        let values = ids
            .iter()
            .filter_map(|id| Some((id.clone(), services[id]?.to_owned())));
        let tags = BTreeMap::from([("Service".to_owned(), values.collect())]);
        census.tags.insert(location.clone(), tags);
        let managed = ManagedNodes {
            online: ids.clone(),
            offline: vec![],
        };
        census.managed.insert(location.clone(), managed);
        online.push((location, ids));
    }
    let (labels, reasons) = resolve_labels(&plan.request, None, &plan.locations, &census);
    assert_eq!(reasons, []);
    plan.labels = labels;
    let cells = Cells::of(&plan.labels);
    let mut units = vec![];
    for (template, (_, ids)) in templates.iter().zip(&online) {
        let chunks = cells.chunks(ids, 20).into_iter().enumerate();
        units.extend(chunks.map(|(turn, nodes)| (turn, template.clone(), nodes)));
    }
    units.sort_by_key(|(turn, ..)| *turn);
    for (_, template, nodes) in units {
        world.add_naming(template, &nodes);
    }
    world.one_place_each();
    world.plan.check().unwrap();
    Tag {
        world,
        fates,
        services,
    }
}

fn at_the_start_of<'a>(all: &'a [Begun], one: &'a Begun) -> impl Iterator<Item = &'a NodeId> {
    let open = all
        .iter()
        .filter(|other| other.from <= one.from && one.from < other.to);
    open.flat_map(|other| &other.nodes)
}

/// That no bound was broken at any instant, and that no node was begun twice. All nodes without the tag count as one value.
fn assert_bounded(tag: &Tag, in_flight: Option<u32>, damaged: Option<u32>, case: &str) {
    let all = begun(&tag.world);
    let mut times: BTreeMap<&NodeId, u32> = BTreeMap::new();
    for node in all.iter().flat_map(|one| &one.nodes) {
        *times.entry(node).or_default() += 1;
    }
    assert!(times.values().all(|n| *n == 1), "{case}: begun twice: {times:?}");
    let of_value = |nodes: Vec<&NodeId>| {
        let mut counts: BTreeMap<Option<&str>, u32> = BTreeMap::new();
        for node in nodes {
            *counts.entry(tag.services[node]).or_default() += 1;
        }
        counts
    };
    for one in &all {
        let at_work = all.iter().flat_map(|other| other.at_work(one.from, &tag.fates));
        for (value, open) in of_value(at_work.collect()) {
            let bound = in_flight.unwrap_or(u32::MAX);
            assert!(open <= bound, "{case}: {open} of {value:?} in flight, of {bound}");
        }
    }
    let harmed = times.keys().copied().filter(|node| tag.fates[*node].is_damage());
    for (value, harmed) in of_value(harmed.collect()) {
        let bound = damaged.unwrap_or(u32::MAX);
        assert!(
            harmed <= bound,
            "{case}: {harmed} of {value:?} damaged, of {bound}"
        );
    }
}

const WELL: Fate = Fate::Well;

#[test]
fn a_clustered_service_loses_one_node_at_a_time_wherever_its_nodes_are() {
    let locations = vec![vec![(WELL, Some("db")), (WELL, Some("web"))]; 4];
    let tag = world(&locations, 4, by_service(Some(1), None));
    let state = tag.world.run();
    assert_bounded(&tag, Some(1), None, "one at a time");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    assert_eq!(
        begun(&tag.world).len(),
        4,
        "two services together in each location"
    );
    assert_eq!(State::from_records(&tag.world.records()).as_ref(), Ok(&state));
}

#[test]
fn a_start_that_waits_for_its_service_keeps_no_other_service_back() {
    let mut locations = vec![vec![(WELL, Some("db"))]; 3];
    locations.push(vec![(WELL, Some("web"))]);
    let tag = world(&locations, 4, by_service(Some(1), None));
    tag.world.run();
    let all = begun(&tag.world);
    let web = all
        .iter()
        .find(|one| tag.services[&one.nodes[0]] == Some("web"))
        .unwrap();
    let beside: Vec<_> = at_the_start_of(&all, web)
        .map(|node| tag.services[node])
        .collect();
    assert_eq!(
        beside,
        [Some("db"), Some("web")],
        "it runs beside the first of the others"
    );
}

#[test]
fn a_service_that_may_lose_no_more_nodes_is_left_and_the_others_go_on() {
    let locations = vec![vec![(Fate::FailsQuietly, Some("db")), (WELL, Some("web"))]; 3];
    let tag = world(&locations, 1, by_service(None, Some(1)));
    let state = tag.world.run();
    assert_bounded(&tag, None, Some(1), "one may be damaged");
    let named = |service| {
        let nodes = begun(&tag.world).into_iter().flat_map(|one| one.nodes);
        nodes.filter(|node| tag.services[node] == Some(service)).count()
    };
    assert_eq!((named("db"), named("web")), (1, 3));
    let divided = tag.world.events();
    let divided = divided
        .iter()
        .filter(|event| matches!(event, Event::Divided { .. }));
    assert_eq!(
        divided.count(),
        2,
        "the starts of both other locations keep what is not of that service"
    );
    let left: Vec<String> = state
        .locations()
        .filter_map(|(.., at)| at.settled.as_ref())
        .filter(|settled| settled.outcome == LocationOutcome::NotStarted)
        .map(|settled| {
            assert_eq!(
                settled.nodes.iter().collect::<Vec<_>>(),
                [(NodeOutcome::NotRun, 1)]
            );
            settled.detail.clone()
        })
        .collect();
    let words =
        "not begun: tag:Service = \"db\": 1 node is damaged, and its max_damaged in budget.labels allows 1";
    assert_eq!(left, [words, words]);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
    assert!(matches!(
        state.left_out_because(),
        Some(StopReason::Label { others: 0, .. })
    ));
    assert_eq!(
        state.labels(state.last_at())[0].to_string(),
        "by tag:Service: 0 values with nodes in flight, 1 with damaged ones, 1 used up"
    );
    assert_eq!(State::from_records(&tag.world.records()).as_ref(), Ok(&state));
}

#[test]
fn nodes_without_the_tag_count_as_one_value_or_are_not_bounded() {
    let locations = vec![vec![(WELL, None), (WELL, Some("db"))]; 3];
    let tag = world(&locations, 3, by_service(Some(1), None));
    tag.world.run();
    assert_bounded(&tag, Some(1), None, "together");
    let unbounded = labels(json!([{"by": "tag:Service", "max_in_flight": 1, "untagged": "unbounded"}]));
    let locations = [
        vec![(WELL, None); 3],
        vec![(WELL, None); 2],
        vec![(WELL, Some("db"))],
    ];
    let tag = world(&locations, 3, unbounded);
    tag.world.run();
    let all = begun(&tag.world);
    assert_eq!(all.len(), 3, "one start for each location");
    let most = all.iter().map(|one| at_the_start_of(&all, one).count()).max();
    assert_eq!(most, Some(6), "all at once");
}

#[test]
fn each_account_may_lose_so_many() {
    let bad = vec![(Fate::Fails, Some("db")); 3];
    let locations = vec![bad; 2];
    let tag = world(
        &locations,
        2,
        labels(json!([{"by": "account", "max_damaged": 2}])),
    );
    let state = tag.world.run();
    assert_eq!(
        begun(&tag.world).iter().map(|one| one.nodes.len()).sum::<usize>(),
        4
    );
    let used_up = &state.labels(state.last_at())[0].used_up;
    let used_up: Vec<_> = used_up
        .iter()
        .map(|stop| stop.value.as_deref().unwrap())
        .collect();
    assert_eq!(used_up, ["111111111111", "222222222222"]);
}

#[test]
fn several_labels_hold_together() {
    let locations = vec![vec![(WELL, Some("db")), (WELL, Some("web")), (WELL, Some("db"))]; 2];
    let both = labels(json!([
        {"by": "tag:Service", "max_in_flight": 1},
        {"by": "region", "max_in_flight": 1},
    ]));
    let tag = world(&locations, 2, both);
    let state = tag.world.run();
    assert_bounded(&tag, Some(1), None, "both");
    let all = begun(&tag.world);
    assert_eq!(
        all.len(),
        6,
        "one node in a start, as a Region may have one in flight"
    );
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
}

#[test]
fn nodes_of_which_nothing_can_be_found_out_keep_the_room_of_their_value() {
    let locations = vec![
        vec![(WELL, Some("db"))],
        vec![(WELL, Some("db")), (WELL, Some("web"))],
    ];
    let tag = world(&locations, 1, by_service(Some(1), None));
    let first = tag.world.plan.units[0].locations().next().unwrap();
    tag.world
        .aws
        .scripts
        .lock()
        .unwrap()
        .insert(first, Script::Sealed);
    let state = tag.world.run();
    let named: Vec<_> = begun(&tag.world).into_iter().flat_map(|one| one.nodes).collect();
    assert_eq!(named.len(), 2, "one of each service");
    let words = "tag:Service = \"db\": 1 node may be at work still, as nothing could be found out of it, and its max_in_flight in \
                 budget.labels allows 1; nodes of other values are not left out";
    assert_eq!(state.left_out_because().unwrap().to_string(), words);
}

#[test]
fn a_person_is_told_what_a_unit_waits_for() {
    let locations = vec![vec![(WELL, Some("db"))]; 3];
    let tag = world(&locations, 3, by_service(Some(1), Some(3)));
    killed_once(&tag.world, |world| {
        let mut events = world.events().into_iter();
        events.any(|event| matches!(event, Event::Started { .. }))
    });
    let state = State::from_records(&tag.world.records()).unwrap();
    let told: Vec<(Rule, String)> = state
        .holds(state.last_at())
        .into_iter()
        .map(|hold| (hold.rule, hold.reason.to_string()))
        .collect();
    let words = "tag:Service = \"db\": 1 of the 1 node that may be in flight is in flight, and it needs 1";
    assert_eq!(told, vec![(Rule::Labels, words.to_owned()); 2]);
}

#[test]
fn without_the_rule_of_the_labels_both_bounds_are_broken() {
    for (in_flight, damaged) in [(Some(1), None), (None, Some(1))] {
        let locations = vec![vec![(Fate::FailsQuietly, Some("db"))]; 4];
        let tag = world(&locations, 4, by_service(in_flight, damaged));
        without(Rule::Labels, || tag.world.run());
        let noticed = std::panic::catch_unwind(AssertUnwindSafe(|| {
            assert_bounded(&tag, in_flight, damaged, "planted");
        }));
        assert!(noticed.is_err(), "{in_flight:?}, {damaged:?}: the bug shows");
    }
}

fn tagged() -> impl Strategy<Value = Tagged> {
    let service = prop_oneof![
        Just(Some("db")),
        Just(Some("web")),
        Just(Some("mail")),
        Just(None)
    ];
    (fate(), service)
}

fn some_locations() -> impl Strategy<Value = Vec<Vec<Tagged>>> {
    prop::collection::vec(prop::collection::vec(tagged(), 1..6), 1..5)
        .prop_filter("some node has the tag", |all| {
            all.iter().flatten().any(|(_, service)| service.is_some())
        })
}

fn bounds() -> impl Strategy<Value = (Option<u32>, Option<u32>)> {
    let some = || prop::option::of(1_u32..4);
    (some(), some()).prop_filter("one of them", |(one, other)| one.is_some() || other.is_some())
}

#[test]
fn no_bound_of_a_value_is_ever_broken_and_no_node_is_left_behind_without_need() {
    proptest!(ProptestConfig::with_cases(60), |(
        locations in some_locations(), at_once in 1_u32..5, (in_flight, damaged) in bounds(),
        sends in any::<bool>(), lives in prop::collection::vec(0_usize..600, 0..5),
    )| {
        let mut tag = world(&locations, at_once, by_service(in_flight, damaged));
        if sends {
            send_commands(&mut tag.world);
        }
        for (n, polls) in lives.iter().enumerate() {
            let mut driver = ByHand::new(life(&tag.world, n as u128 + 10));
            let _ = (0..*polls).any(|_| driver.poll());
        }
        let case = format!("{lives:?}");
        let over = finish(life(&tag.world, 2));
        assert_bounded(&tag, in_flight, damaged, &case);
        // Whether a command was sent that a killed driver was about to send, a person has to say.
        let Some(state) = over else {
            prop_assert!(sends, "{}: a start has a token, and is sent again", case);
            return Ok(());
        };
        let begun: Vec<NodeId> = begun(&tag.world).into_iter().flat_map(|one| one.nodes).collect();
        for value in tag.services.values() {
            let all = tag.services.iter().filter(|(_, other)| *other == value).map(|(node, _)| node);
            let all: Vec<&NodeId> = all.collect();
            let left = all.iter().filter(|node| !begun.contains(node)).count();
            let harmed = all.iter().filter(|node| begun.contains(node) && tag.fates[**node].is_damage()).count();
            let is_used_up = damaged.is_some_and(|bound| harmed >= bound as usize);
            prop_assert!(left == 0 || is_used_up, "{}: {} of {:?} were left", case, left, value);
        }
        prop_assert!(state.finished().is_some());
    });
}

/// Has patchfleet send the commands of the same units itself.
fn send_commands(world: &mut World) {
    use crate::budget::Seconds;
    world.plan.request.automation.dispatch = crate::request::Dispatch::RunCommand;
    for unit in &mut world.plan.units {
        let location = unit.locations().next().unwrap();
        let nodes = unit.nodes.clone().unwrap();
        let command = crate::runbook::command(&world.plan.request, nodes, Seconds::new(3_600), None);
        unit.start = StartRequest::of_command(location, command);
    }
    world.plan.check().unwrap();
}

#[test]
fn two_drivers_at_once_break_no_bound_of_a_value() {
    proptest!(ProptestConfig::with_cases(30), |(
        locations in some_locations(), (in_flight, damaged) in bounds(),
        turns in prop::collection::vec((any::<bool>(), 1_usize..12), 0..300),
    )| {
        let tag = world(&locations, 3, by_service(in_flight, damaged));
        let [one, two] = [1, 2].map(|writer| ByHand::new(life(&tag.world, writer)));
        let (one, two) = in_turns(one, two, turns);
        prop_assert_eq!(one.as_ref().map(but_for_instants), two.as_ref().map(but_for_instants));
        assert_bounded(&tag, in_flight, damaged, "two drivers");
    });
}

#[test]
fn a_retry_of_reading_gives_a_value_its_room_back() {
    // The results of the first location cannot be read before somebody asks again.
    let locations = vec![vec![(WELL, Some("db"))]; 2];
    let tag = world(&locations, 1, by_service(Some(1), None));
    let first = tag.world.plan.units[0].locations().next().unwrap();
    let script = tag
        .world
        .aws
        .scripts
        .lock()
        .unwrap()
        .insert(first.clone(), Script::Sealed);
    let state = tag.world.run();
    assert_eq!(state.labels(state.last_at())[0].used_up.len(), 1);
    tag.world
        .aws
        .scripts
        .lock()
        .unwrap()
        .insert(first, script.unwrap());
    tag.world.clock.advance(SignedDuration::from_mins(1));
    let driver = tag.world.driver(3);
    let read = finish(driver.collect_again(tag.world.campaign())).unwrap();
    assert_eq!(read.state.labels(state.last_at())[0].used_up, []);
}
