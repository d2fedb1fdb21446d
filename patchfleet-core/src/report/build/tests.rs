//! Reports of small campaigns: what they say, and that their sums add up.

use super::*;
use crate::campaign::Turn;
use crate::campaign::tests::world::{Node, Script, World, finish};
use crate::census::UnknownCause;
use crate::port::{Clock as _, PingStatus};
use crate::refusal::SkipReason;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn report(world: &World) -> Report {
    let state = world.run();
    finish(Report::build(&state, &*world.rows, state.last_at())).unwrap()
}

fn skip(region: &str, reason: SkipReason, cause: Option<UnknownCause>) -> Skip {
    Skip {
        account: "111111111111".parse().unwrap(),
        region: region.parse().unwrap(),
        reason,
        cause,
        detail: "as AWS says:\n  \u{1b}[31mno".to_owned(),
    }
}

fn troubled() -> World {
    let nodes = vec![
        Node::well(1),
        Node {
            patches: Some([1, 0, 0]),
            ..Node::well(2)
        },
        Node {
            ping: Some(PingStatus::Offline),
            ..Node::well(3)
        },
        Node {
            status: "",
            ping: None,
            ..Node::well(4)
        },
    ];
    let mut world = World::new(
        &[
            &[
                ("us-east-1", Script::Nodes(nodes)),
                ("eu-west-1", Script::RoleMissing),
                ("eu-west-2", Script::Emptied),
            ],
            &[("us-east-1", Script::Nodes(vec![Node::well(5)]))],
        ],
        3,
        3,
    );
    world.plan.skipped = vec![
        skip("ap-south-1", SkipReason::Empty, None),
        skip("us-west-2", SkipReason::Unknown, Some(UnknownCause::Denied)),
    ];
    world.plan.candidates += 2;
    world
}

#[test]
fn the_text_names_every_node_that_needs_action_and_why() {
    insta::assert_snapshot!(report(&troubled()).to_text());
}

#[test]
fn nodes_that_failed_stand_before_those_that_were_not_begun_and_these_are_a_line_for_each_location() {
    let mut report = report(&troubled());
    let failed = report
        .needs_action
        .iter()
        .find(|node| node.outcome == NodeOutcome::Failed)
        .unwrap()
        .clone();
    let not_begun = |n: u32, region: &str| NodeReport {
        node: format!("i-{n:08x}").parse().unwrap(),
        region: region.parse().unwrap(),
        outcome: NodeOutcome::NotRun,
        detail: "its location was never begun".to_owned(),
        ..failed.clone()
    };
    report.needs_action = (0..40).map(|n| not_begun(n, "eu-west-1")).collect();
    report.needs_action.push(not_begun(40, "us-west-2"));
    report.needs_action.push(not_begun(41, "us-west-2"));
    report.needs_action.push(failed);
    let text = report.to_text();
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.ends_with("action:"))
        .collect();
    insta::assert_snapshot!(lines[..5].join("\n"), @"
    43 nodes need action:
      111111111111  us-east-1  i-00000002  failed   1 patch failed to install
      111111111111  eu-west-1  40 nodes    not_run  its location was never begun
      111111111111  us-west-2  i-00000028  not_run  its location was never begun
      111111111111  us-west-2  i-00000029  not_run  its location was never begun
    ");
}

#[test]
fn the_json_has_the_keys_that_scripts_rely_on() {
    insta::assert_json_snapshot!(report(&troubled()));
}

#[test]
fn a_report_reads_back_from_its_json_and_is_equal_to_the_next_runs_times_apart() {
    let first = report(&troubled());
    let json = serde_json::to_string(&first).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), first);
    let world = troubled();
    world.clock.advance(jiff::SignedDuration::from_hours(7));
    let second = report(&world);
    assert_ne!(first, second);
    assert_eq!(first.without_times(), second.without_times());
}

#[test]
fn the_exit_code_follows_from_the_outcome() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let calm = World::new(&[&[("us-east-1", well())]], 1, 0);
    let empty = World::new(&[], 1, 0);
    let halted = World::new(
        &[&[("us-east-1", Script::FailsEarly), ("us-west-1", well())]],
        1,
        0,
    );
    let codes = [calm, empty, troubled(), halted].map(|world| {
        let report = report(&world);
        (report.outcome.as_str(), report.exit_code())
    });
    assert_eq!(
        codes,
        [
            ("succeeded", 0),
            ("nothing_to_do", 0),
            ("partial", 4),
            ("halted", 5)
        ]
    );
}

#[test]
fn a_campaign_that_is_not_over_is_open_and_its_locations_wait_until_something_is_seen_to_run_there() {
    let world = troubled();
    let state = finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let report = finish(Report::build(&state, &*world.rows, state.last_at())).unwrap();
    assert_eq!((report.outcome, report.exit_code()), (ReportOutcome::Open, 4));
    let mut locations = report.locations.iter();
    assert!(locations.all(|location| location.outcome.is_none() && location.waiting));
    let text = report.to_text();
    assert!(
        text.contains(": open\n") && text.matches("  waiting").count() == 4 && !text.contains("running"),
        "{text}"
    );
    assert_eq!(report.locations.len(), 4);
    assert!(report.executions.is_empty());
}

#[test]
fn a_location_whose_unit_was_not_begun_waits_while_another_one_runs() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    let driver = world.driver(1);
    let words = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        let mut seen = BTreeSet::new();
        loop {
            let report = Report::build(drive.state(), &*world.rows, drive.state().last_at())
                .await
                .unwrap();
            let text = report.to_text();
            let lines = text.lines().filter(|line| line.contains("us-east-1"));
            let words = lines.map(|line| line.split_whitespace().nth(2).unwrap().to_owned());
            seen.insert(words.collect::<Vec<_>>());
            match drive.step().await.unwrap() {
                Turn::Done(_) => return seen,
                Turn::Wait(at) => world.clock.sleep_until(at).await,
                Turn::Acted => {}
            }
        }
    });
    let expected = [
        ["running", "waiting"],
        ["succeeded", "running"],
        ["succeeded", "succeeded"],
        ["succeeded", "waiting"],
        ["waiting", "waiting"],
    ];
    assert_eq!(words.into_iter().collect::<Vec<_>>(), expected);
}

fn any_node() -> impl Strategy<Value = (&'static str, Option<[u32; 3]>, Option<PingStatus>)> {
    (
        prop::sample::select(vec![
            "",
            "Success",
            "Failed",
            "DeliveryTimedOut",
            "Terminated",
            "Cancelled",
        ]),
        prop::option::of([0_u32..2, 0_u32..2, 0_u32..2]),
        prop::sample::select(vec![None, Some(PingStatus::Online), Some(PingStatus::Offline)]),
    )
}

fn any_script() -> impl Strategy<Value = Script> {
    let nodes = prop::collection::vec(any_node(), 1..70).prop_map(|nodes| {
        let numbered = (1..).zip(nodes);
        let made = numbered.map(|(n, (status, patches, ping))| Node {
            status,
            patches,
            ping,
            ..Node::well(n)
        });
        Script::Nodes(made.collect())
    });
    prop_oneof![
        4 => nodes,
        1 => Just(Script::RoleMissing),
        1 => Just(Script::FailsEarly),
        1 => Just(Script::Emptied),
        1 => Just(Script::Sealed),
    ]
}

#[test]
fn every_candidate_and_every_node_is_accounted_for_exactly_once() {
    let regions = ["us-east-1", "us-west-1", "eu-west-1"];
    let unit = prop::collection::vec(any_script(), 1..=3);
    let worlds = (prop::collection::vec(unit, 1..4), 1_u32..4, 0_u32..4);
    proptest!(ProptestConfig::with_cases(80), |((units, at_once, errors) in worlds)| {
        let units: Vec<Vec<(&str, Script)>> =
            units.into_iter().map(|unit| regions.into_iter().zip(unit).collect()).collect();
        let borrowed: Vec<&[(&str, Script)]> = units.iter().map(Vec::as_slice).collect();
        let mut world = World::new(&borrowed, at_once, errors);
        world.plan.skipped = vec![skip("ap-south-1", SkipReason::Empty, None)];
        world.plan.candidates += 1;
        let report = report(&world);

        let totals = &report.totals;
        prop_assert_eq!(totals.candidates, totals.locations + totals.skipped);
        prop_assert_eq!(totals.outcomes.values().sum::<u32>(), totals.locations);
        prop_assert_eq!(report.locations.iter().map(|l| l.nodes.total()).sum::<u32>(), totals.nodes.total());
        prop_assert_ne!(report.outcome, ReportOutcome::Open);

        // Every node of the scripts has one outcome, whatever its location came to.
        let mut nodes = 0;
        for script in units.iter().flatten().map(|(_, script)| script) {
            nodes += match script {
                Script::Nodes(nodes) => nodes.len() as u32,
                Script::Emptied => 0,
                _ => 2,
            };
        }
        // An emptied location that was never begun is counted as the census found it, or listed.
        prop_assert!(totals.nodes.total() == nodes, "{} of {}", totals.nodes.total(), nodes);

        let reached = totals.nodes.count(NodeOutcome::Done);
        let gone = totals.nodes.count(NodeOutcome::Gone);
        let named = u32::try_from(report.needs_action.len()).unwrap();
        prop_assert_eq!(named + reached + gone, totals.nodes.total());
        if report.exit_code() == 0 {
            prop_assert_eq!(reached + gone, totals.nodes.total());
        }
    });
}

#[test]
fn a_plan_whose_numbers_are_beyond_all_measure_panics_nowhere() {
    let mut world = troubled();
    for planned in &mut world.plan.locations {
        planned.nodes = Some(crate::census::NodeCounts {
            ec2: u32::MAX,
            hybrid: u32::MAX,
            online: u32::MAX,
            offline: u32::MAX,
            unmanaged: u32::MAX,
        });
    }
    let nodes = world.plan.locations[0].nodes.unwrap();
    assert_eq!((nodes.total(), nodes.managed()), (u32::MAX, u32::MAX));
    assert!(!world.plan.to_text().is_empty());
    let report = report(&world);
    assert_eq!(report.totals.planned, u32::MAX);
    assert!(!report.to_text().is_empty());
    let mut tally = Tally::default();
    tally.add(NodeOutcome::Failed, u32::MAX);
    tally.add(NodeOutcome::Lost, 1);
    assert_eq!(tally.total(), u32::MAX);
}
