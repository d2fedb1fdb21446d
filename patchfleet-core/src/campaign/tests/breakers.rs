//! Breakers, against what the small AWS knows: what became of each execution, one after another. Nothing here asks the
//! campaign's own state how many failed.

use super::stops::{begun, stops_sent};
use super::world::*;
use crate::campaign::rule::planted::without;
use crate::campaign::{BreakerStop, DriveError, Event, NeedsDriver, Rule, State, StopReason};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::port::StopType;
use crate::report::Report;
use crate::request::{Breaker, PatchRequest};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What becomes of the nodes of a location.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// So many end well, and so many have patches that failed, which AWS counts as a success.
    Nodes(u32, u32),
    /// Nothing is sent, as the role is missing.
    NoRole,
    /// No node is left.
    Emptied,
}

impl Fate {
    fn script(&self) -> Script {
        match self {
            Self::Nodes(well, bad) => {
                let nodes = (1..=well + bad).map(|n| Node {
                    patches: Some([u32::from(n > *well), 0, 0]),
                    ..Node::well(n)
                });
                Script::Nodes(nodes.collect())
            }
            Self::NoRole => Script::RoleMissing,
            Self::Emptied => Script::Emptied,
        }
    }
}

fn breaker(table: Value) -> Breaker {
    let request =
        json!({"name": "a", "targets": {"resource_group": "W", "regions": ["us-east-1"]}, "breaker": table});
    PatchRequest::from_value(request).unwrap().breaker
}

/// Locations one after another, each a start of its own. Any number may fail by the budget.
fn world(fates: &[Fate], table: Value) -> World {
    let scripts: Vec<_> = fates.iter().map(|fate| [("us-east-1", fate.script())]).collect();
    let units: Vec<&[(&str, Script)]> = scripts.iter().map(|one| &one[..]).collect();
    let mut world = World::new(&units, 1, fates.len() as u32);
    world.plan.request.breaker = breaker(table);
    world
}

/// How many of them may be begun, one after another, in the words of docs/requests.md.
fn allowed(fates: &[Fate], limits: Breaker) -> usize {
    let (mut row, mut ended) = (0, vec![]);
    for (index, fate) in fates.iter().enumerate() {
        match fate {
            Fate::Nodes(_, 1..) | Fate::NoRole => row += 1,
            Fate::Nodes(1.., 0) => row = 0,
            Fate::Nodes(0, 0) | Fate::Emptied => {}
        }
        if let Fate::Nodes(well, bad) = fate {
            ended.push((well + bad, *bad));
        }
        let share = limits.failure_share.is_some_and(|share| {
            let (mut nodes, mut failed) = (0, 0);
            for (n, bad) in ended.iter().rev() {
                if nodes < share.sample {
                    nodes += n;
                    failed += bad;
                }
            }
            nodes >= share.sample
                && f64::from(failed) / f64::from(nodes) > f64::from(share.most.percent()) / 100.0 + 1e-9
        });
        if limits.consecutive_failures == Some(row) || share {
            return index + 1;
        }
    }
    fates.len()
}

fn stopped_for(state: &State) -> Option<BreakerStop> {
    match state.left_out_because() {
        Some(StopReason::Breaker(stop)) => Some(stop),
        _ => None,
    }
}

fn told(state: &State) -> String {
    state.left_out_because().unwrap().to_string()
}

const WELL: Fate = Fate::Nodes(2, 0);
const BAD: Fate = Fate::Nodes(1, 1);

#[test]
fn so_many_failures_in_a_row_halt_a_campaign_whose_budget_allows_more() {
    let fates = [BAD, BAD, WELL, BAD, Fate::Emptied, Fate::NoRole, BAD, WELL, WELL];
    let world = world(&fates, json!({"consecutive_failures": 3}));
    let state = world.run();
    assert_eq!(world.executions().len(), 7, "what had no node says nothing");
    assert_eq!(stopped_for(&state), Some(BreakerStop::Consecutive { failed: 3 }));
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    let report = finish(Report::build(&state, &*world.rows, state.last_at())).unwrap();
    assert_eq!(report.exit_code(), 5);
    insta::assert_snapshot!(told(&state), @"3 locations failed one after another (breaker.consecutive_failures = 3)");
    assert!(report.to_text().contains(&told(&state)), "{}", report.to_text());
}

#[test]
fn too_large_a_share_of_the_last_nodes_halts_a_campaign_once_there_are_enough() {
    let (some, none) = (Fate::Nodes(4, 1), Fate::Nodes(0, 2));
    let fates = [none.clone(), some.clone(), some.clone(), none.clone(), none, some];
    let world = world(&fates, json!({"failure_share": "30%", "sample": 7}));
    let state = world.run();
    // 3 of the first 7 failed.
    assert_eq!(world.executions().len(), 2);
    insta::assert_snapshot!(told(&state), @"3 of the last 7 nodes failed, were lost, or nothing could be found out of them (breaker.failure_share = 30%, of 7 or more)");
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
}

#[test]
fn a_share_says_nothing_before_the_sample_is_full() {
    let fates = [Fate::Nodes(0, 3), Fate::Nodes(0, 3), Fate::Nodes(0, 3), WELL];
    let world = world(&fates, json!({"failure_share": "0%", "sample": 10}));
    let state = world.run();
    assert_eq!(world.executions().len(), 4);
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Partial);
}

#[test]
fn what_aws_paces_is_stopped_once_a_breaker_trips() {
    let regions = [
        "eu-central-1",
        "eu-north-1",
        "eu-south-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
    ];
    let all: Vec<(&str, Script)> = regions.iter().map(|region| (*region, BAD.script())).collect();
    let mut world = World::new(&[&all], 1, 6);
    world.plan.request.breaker = breaker(json!({"consecutive_failures": 2}));
    let state = world.run();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(stops_sent(&world), [StopType::Complete]);
    // The second failure is seen while the third location runs.
    assert_eq!(begun(&world)[0].len(), 3);
    let left: Vec<String> = state
        .locations()
        .filter_map(|(.., at)| at.settled.as_ref())
        .filter(|settled| settled.outcome == LocationOutcome::NotStarted)
        .map(|settled| settled.detail.clone())
        .collect();
    let words = "patchfleet stopped the execution before it reached the location, as 2 locations failed one after another \
                 (breaker.consecutive_failures = 2)";
    assert_eq!(left, [words; 3]);
}

#[test]
fn a_unit_waits_while_results_are_unread_that_may_trip_a_breaker() {
    let world = world(&[BAD, BAD, BAD, WELL], json!({"consecutive_failures": 3}));
    let states = std::cell::RefCell::new(vec![]);
    let state = world.run();
    let records = world.records();
    let _ = State::step_by_step(&records, |_, state| {
        let holds = state.holds(state.last_at());
        let of_breaker = holds.into_iter().filter(|hold| hold.rule == Rule::Breaker);
        states
            .borrow_mut()
            .extend(of_breaker.map(|hold| (hold.unit.number(), hold.reason.to_string())));
    });
    let words = "1 location has ended, and the results are not read yet".to_owned();
    // After two failures the third may trip it.
    assert_eq!(*states.borrow(), [(4, words)]);
    assert_eq!(stopped_for(&state), Some(BreakerStop::Consecutive { failed: 3 }));
}

#[test]
fn the_log_and_the_listing_say_how_far_a_campaign_is_from_its_breaker() {
    let world = world(&[BAD, BAD, WELL], json!({"consecutive_failures": 3}));
    world.run();
    let mut words = vec![];
    State::step_by_step(&world.records(), |_, state| {
        words.extend(state.failures_in_a_row().map(|row| row.to_string()));
    })
    .unwrap();
    words.dedup();
    assert_eq!(words, ["1 of 3 failures in a row", "2 of 3 failures in a row"]);
}

#[test]
fn a_person_cannot_have_it_go_on_past_its_breaker() {
    let world = world(&[BAD, BAD, WELL], json!({"consecutive_failures": 2}));
    world.run();
    let refused = finish(world.driver(2).go_on(world.campaign(), "ops")).unwrap_err();
    assert!(matches!(refused, DriveError::NothingToGoOn { .. }), "{refused:?}");
    assert_eq!(world.executions().len(), 2);
}

#[test]
fn nobody_keeps_a_breaker_where_nobody_follows() {
    let world = world(&[WELL, WELL], json!({"consecutive_failures": 2}));
    let refused = crate::campaign::fire::require_no_driver(&world.plan).unwrap_err();
    let told = refused.to_string();
    assert!(
        told.contains("leave consecutive_failures and failure_share out"),
        "{told}"
    );
    let crate::campaign::FireError::NeedsDriver { reason, .. } = refused else {
        unreachable!()
    };
    assert_eq!(reason, NeedsDriver::Breaker);
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => (0..4_u32, 0..3_u32).prop_map(|(well, bad)| Fate::Nodes(well + u32::from(bad == 0), bad)),
        1 => Just(Fate::NoRole),
        1 => Just(Fate::Emptied),
    ]
}

fn any_breaker() -> impl Strategy<Value = Value> {
    let share = (0..100_u32, 1..12_u32)
        .prop_map(|(share, sample)| json!({"failure_share": format!("{share}%"), "sample": sample}));
    prop_oneof![(1..4_u32).prop_map(|n| json!({"consecutive_failures": n})), share]
}

#[test]
fn law_4_nothing_is_begun_after_a_breaker_has_tripped_and_everything_before() {
    let fates = proptest::collection::vec(any_fate(), 1..9);
    proptest!(ProptestConfig::with_cases(64), |(fates in fates, table in any_breaker(), two in any::<bool>())| {
        let world = world(&fates, table);
        if two {
            let _ = two_whole_lives(&world, [(true, 40), (false, 60), (true, 30)]);
        } else {
            world.run();
        }
        prop_assert_eq!(world.executions().len(), allowed(&fates, world.plan.request.breaker.clone()));
    });
}

#[test]
fn without_the_rule_of_breakers_more_is_begun_after_one_should_have_tripped() {
    for table in [
        json!({"consecutive_failures": 2}),
        json!({"failure_share": "10%", "sample": 4}),
    ] {
        let fates = [BAD, BAD, BAD, BAD];
        let world = world(&fates, table);
        without(Rule::Breaker, || world.run());
        let most = allowed(&fates, world.plan.request.breaker.clone());
        assert_eq!((most, world.executions().len()), (2, 4), "the bug shows");
        let intended = world
            .events()
            .into_iter()
            .filter(|event| matches!(event, Event::StartIntended { .. }));
        assert_eq!(intended.count(), 4);
    }
}
