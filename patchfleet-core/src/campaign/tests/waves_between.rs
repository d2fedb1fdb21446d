//! What has to come between two waves: time, a good enough result, a person.

use super::admission::after;
use super::waves::{named, put_in_waves};
use super::world::*;
use crate::campaign::{DriveError, Event, HoldReason, Notices, Progress, Rule, StopMode, StopReason};
use crate::id::WaveName;
use crate::outcome::{FinishedOutcome, LocationOutcome, NodeOutcome, Tally};
use crate::port::{Clock as _, ExecutionStatus};
use crate::report::Report;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A canary of one location with so many nodes that end well and so many that fail, and one location after it. What comes
/// between the two is this.
fn world(well: u32, failed: u32, between: Value) -> World {
    let nodes = (1..=well + failed).map(|n| match n <= well {
        true => Node::well(n),
        false => Node {
            status: "Failed",
            patches: Some([1, 0, 0]),
            ..Node::well(n)
        },
    });
    let canary = Script::Nodes(nodes.collect());
    let rest = Script::Nodes(vec![Node::well(1)]);
    // Budgets that stop nothing.
    let mut world = World::new(&[&[("us-east-1", canary)], &[("us-east-1", rest)]], 2, 2);
    world.one_place_each();
    put_in_waves(&mut world, &[1, 2]);
    let mut wave = json!({"name": "canary", "locations": "50%"});
    wave.as_object_mut()
        .unwrap()
        .extend(between.as_object().unwrap().clone());
    world.plan.request.waves = named(json!([wave]));
    world.plan.check().unwrap();
    world
}

/// When the location of each wave began, and ended.
fn spans(world: &World) -> Vec<(Timestamp, Timestamp)> {
    let mut spans: Vec<_> = world.aws.spans();
    spans.sort();
    spans
        .into_iter()
        .map(|(_, begins, ends)| (begins, ends))
        .collect()
}

fn outcome(world: &World) -> FinishedOutcome {
    let state = finish(crate::campaign::load(&*world.log, world.campaign())).unwrap();
    state.unwrap().finished().unwrap().0
}

fn canary() -> Option<WaveName> {
    Some("canary".parse().unwrap())
}

/// Drives it until it is over, or for six hours.
fn drive(world: &World, writer: u128) -> Progress {
    let until = world.clock.now() + SignedDuration::from_hours(6);
    finish(async {
        let driver = world.driver(writer);
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver.run_until(world.campaign(), until).await.unwrap()
    })
}

/// Why the second unit waits.
fn hold(world: &World) -> (Rule, HoldReason) {
    let state = finish(crate::campaign::load(&*world.log, world.campaign())).unwrap();
    let state = state.unwrap();
    let hold = state.holds(state.last_at()).pop().unwrap();
    (hold.rule, hold.reason)
}

#[test]
fn the_next_wave_begins_once_the_soak_is_over_and_not_before() {
    let world = world(2, 0, json!({"soak": "30m"}));
    world.run();
    let spans = spans(&world);
    let soaked = spans[1].0.duration_since(spans[0].1);
    assert!(soaked >= MINUTE * 30 && soaked <= MINUTE * 33, "{soaked:#}");
}

#[test]
fn a_soak_goes_on_counting_while_nobody_drives_and_is_not_counted_anew() {
    for killed_at in [5, 20, 200] {
        let world = world(2, 0, json!({"soak": "30m"}));
        let begun = world.clock.now();
        let driver = world.driver(1);
        finish(async {
            driver.begin(world.campaign(), &world.plan).await.unwrap();
            let until = begun + MINUTE * 5;
            let progress = driver.run_until(world.campaign(), until).await.unwrap();
            let Progress::Paused { wake_at, state } = progress else {
                unreachable!()
            };
            let hold = state.holds(world.clock.now()).pop().unwrap();
            assert_eq!((hold.rule, hold.until), (Rule::Soak, Some(wake_at)));
            // Nobody is woken before there is something to do.
            assert!(wake_at > begun + MINUTE * 30);
        });
        world.clock.advance(MINUTE * killed_at);
        finish(world.driver(2).run(world.campaign())).unwrap();
        let spans = spans(&world);
        let soaked = spans[1].0.duration_since(spans[0].1);
        let expected = SignedDuration::max(MINUTE * 30, MINUTE * killed_at);
        assert!(
            soaked >= MINUTE * 30 && soaked <= expected + MINUTE * 6,
            "{soaked:#}"
        );
    }
}

#[test]
fn a_driver_that_soaks_for_hours_was_there_all_the_time() {
    let world = world(2, 0, json!({"soak": "5h"}));
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let gap = crate::campaign::SHORTEST_GAP;
        driver.run_unless_left(world.campaign(), gap).await.unwrap()
    });
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let signs = world
        .events()
        .iter()
        .filter(|event| matches!(event, Event::Watched))
        .count();
    assert!(
        (50..=61).contains(&signs),
        "a sign of life every five minutes: {signs}"
    );
}

#[test]
fn a_campaign_that_was_left_alone_in_its_soak_begins_nothing_more_where_nobody_watches() {
    let world = world(2, 0, json!({"soak": "30m"}));
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let until = world.clock.now() + MINUTE * 5;
        let _ = driver.run_until(world.campaign(), until).await.unwrap();
        world.clock.advance(SignedDuration::from_mins(20));
        let gap = crate::campaign::SHORTEST_GAP;
        let later = world.driver(2);
        later.run_unless_left(world.campaign(), gap).await.unwrap()
    });
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert!(matches!(
        state.left_out_for(),
        Some(StopReason::Unattended { .. })
    ));
    assert_eq!(world.executions().len(), 1);
}

#[test]
fn a_gate_that_too_many_nodes_fail_halts_the_campaign_and_the_report_says_so() {
    let world = world(8, 2, json!({"gate": {"max_failed": "19%", "min_sample": 10}}));
    let Progress::Finished(state) = drive(&world, 1) else {
        unreachable!()
    };
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Halted);
    assert_eq!(world.executions().len(), 1, "the next wave never begins");
    let why = state.left_out_for().unwrap().to_string();
    assert_eq!(
        why,
        "wave 1 (canary) did not pass its gate: 2 of 10 nodes failed, and it allows 19%"
    );
    let report = finish(Report::build(&state, &*world.rows, state.last_at())).unwrap();
    assert_eq!(report.exit_code(), 5);
    assert!(report.to_text().contains(&why), "{}", report.to_text());
    let left: Vec<_> = state
        .locations()
        .filter(|(.., at)| at.outcome() == Some(LocationOutcome::NotStarted))
        .collect();
    assert_eq!(left.len(), 1, "each location of the next wave has its outcome");
}

#[test]
fn a_gate_that_as_many_nodes_fail_as_may_is_passed() {
    let world = world(
        8,
        2,
        json!({"gate": {"max_failed": "20%", "max_unreached": 0, "min_sample": 10}}),
    );
    drive(&world, 1);
    assert_eq!(world.executions().len(), 2);
    assert_eq!(outcome(&world), FinishedOutcome::Partial);
}

#[test]
fn a_gate_counts_nodes_that_were_not_reached_by_themselves() {
    let world = world(3, 0, json!({"gate": {"max_failed": 0, "max_unreached": "20%"}}));
    let place = world.plan.units[0].locations().next().unwrap();
    let script = Script::Nodes(vec![
        Node::well(1),
        Node::well(2),
        Node {
            status: "Undeliverable",
            patches: None,
            ..Node::well(3)
        },
    ]);
    world.aws.scripts.lock().unwrap().insert(place, script);
    drive(&world, 1);
    assert_eq!(outcome(&world), FinishedOutcome::Halted);
    let state = finish(crate::campaign::load(&*world.log, world.campaign()))
        .unwrap()
        .unwrap();
    assert_eq!(
        state.left_out_for().unwrap().to_string(),
        "wave 1 (canary) did not pass its gate: 1 of 3 nodes were not reached, and it allows 20%"
    );
}

#[test]
fn a_wave_of_which_no_node_had_its_turn_has_shown_nothing_and_waits_for_a_person_unless_it_may_be_skipped() {
    for (if_empty, waits) in [("refuse", true), ("skip", false)] {
        let world = world(2, 0, json!({"if_empty": if_empty}));
        let place = world.plan.units[0].locations().next().unwrap();
        let away = |n: u32| Node {
            status: "Undeliverable",
            patches: None,
            ..Node::well(n)
        };
        let script = Script::Nodes(vec![away(1), away(2)]);
        world.aws.scripts.lock().unwrap().insert(place, script);
        assert_eq!(
            matches!(drive(&world, 1), Progress::Paused { .. }),
            waits,
            "{if_empty}"
        );
        if waits {
            assert_eq!((hold(&world).0, world.executions().len()), (Rule::Gate, 1));
            finish(world.driver(3).approve(world.campaign(), None, "ops")).unwrap();
            drive(&world, 1);
        }
        assert_eq!(world.executions().len(), 2, "{if_empty}");
    }
}

#[test]
fn a_gate_of_which_too_little_is_known_waits_for_a_person_who_may_approve_from_anywhere() {
    let world = world(2, 0, json!({"gate": {"max_failed": "5%", "min_sample": 10}}));
    assert!(matches!(drive(&world, 1), Progress::Paused { .. }));
    assert_eq!(world.executions().len(), 1);
    let (rule, reason) = hold(&world);
    assert_eq!(rule, Rule::Gate);
    let words = reason.to_string();
    let campaign = world.campaign();
    assert!(
        words.starts_with("the results of 2 nodes of wave 1 (canary) are known, and those of 10 are needed")
            && words.contains(&format!("patchfleet approve {campaign} --wave canary")),
        "{words}"
    );
    // One driver follows it all the time, and sees what another process writes.
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&told);
    let mut driver = world.driver(2);
    driver.notices = Notices::new(Arc::new(move |notice| {
        heard.lock().unwrap().push(notice.to_string());
    }));
    let mut run = ByHand::new(driver.run(campaign));
    let waited_until = world.clock.now() + MINUTE * 10;
    run.until(|| world.clock.now() > waited_until);
    let said = world.clock.now();
    assert_eq!(
        finish(world.driver(3).approve(campaign, None, "ops")).unwrap(),
        "canary"
    );
    let state = run.end().unwrap();
    assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
    let said_once = format!("nothing runs, and nothing more begins yet: {words}");
    assert_eq!(*told.lock().unwrap(), [said_once]);
    let begun = spans(&world)[1].0;
    assert!(begun.duration_since(said) <= MINUTE * 2, "{begun} after {said}");
}

#[test]
fn a_wave_that_has_to_be_approved_is_approved_once_it_is_over_and_never_before() {
    let world = world(2, 0, json!({"approval": true, "soak": "10m"}));
    let (driver, campaign) = (world.driver(1), world.campaign());
    finish(async {
        driver.begin(campaign, &world.plan).await.unwrap();
        let early = driver
            .approve(campaign, canary().as_ref(), "ops")
            .await
            .unwrap_err();
        let words = early.to_string();
        assert!(words.contains("its wave 1 (canary) is not over"), "{words}");
        let none = driver.approve(campaign, None, "ops").await.unwrap_err();
        assert!(none.to_string().contains("no wave of it waits"), "{none}");
        let other = Some("other".parse().unwrap());
        let unknown = driver.approve(campaign, other.as_ref(), "ops").await.unwrap_err();
        assert!(unknown.to_string().contains("names no wave other"), "{unknown}");
    });
    assert!(matches!(drive(&world, 1), Progress::Paused { .. }));
    assert_eq!(hold(&world).0, Rule::Approval);
    assert_eq!(world.executions().len(), 1);
    finish(driver.approve(campaign, canary().as_ref(), "ops")).unwrap();
    let records = world.records().len();
    finish(driver.approve(campaign, canary().as_ref(), "ops")).unwrap();
    assert_eq!(world.records().len(), records, "said twice, written once");
    drive(&world, 2);
    assert_eq!(outcome(&world), FinishedOutcome::Succeeded);
    let over = finish(driver.approve(campaign, None, "ops")).unwrap_err();
    assert!(matches!(over, DriveError::NotApproved(_)), "{over}");
}

#[test]
fn a_campaign_that_waits_for_an_approval_can_be_stopped() {
    let world = world(2, 0, json!({"approval": true}));
    assert!(matches!(drive(&world, 1), Progress::Paused { .. }));
    let driver = world.driver(2);
    finish(driver.stop(world.campaign(), StopMode::CancelCommands, "ops")).unwrap();
    assert_eq!(outcome(&world), FinishedOutcome::Halted);
    let late = finish(driver.approve(world.campaign(), None, "ops")).unwrap_err();
    assert!(matches!(late, DriveError::NotApproved(_)), "{late}");
}

#[test]
fn nothing_guards_the_last_wave() {
    let mut world = world(2, 0, json!({}));
    let wave = |name: &str| json!({"name": name, "locations": "50%", "approval": true, "gate": {"max_failed": 0, "min_sample": 99}});
    world.plan.request.waves = named(json!([{"name": "canary", "locations": "50%"}, wave("last")]));
    world.plan.check().unwrap();
    drive(&world, 1);
    assert_eq!(outcome(&world), FinishedOutcome::Succeeded);
}

#[test]
fn a_location_that_failed_and_of_whose_nodes_nothing_is_known_passes_no_gate() {
    let node = || Script::Nodes(vec![Node::well(1)]);
    let canary: &[(&str, Script)] = &[("us-east-1", node()), ("us-west-1", node())];
    for (gate, outcome, passes) in [
        (
            json!({"max_failed": 0}),
            LocationOutcome::ResultsUnreadable,
            false,
        ),
        (
            json!({"max_unreached": "0%"}),
            LocationOutcome::RoleNotAssumable,
            false,
        ),
        (json!({"max_failed": 0}), LocationOutcome::Emptied, true),
    ] {
        let mut world = World::new(&[canary, &[("us-east-1", node())]], 3, 3);
        put_in_waves(&mut world, &[1, 2]);
        world.plan.request.waves = named(json!([{"name": "canary", "locations": "50%", "gate": gate}]));
        world.plan.check().unwrap();
        let unit = world.plan.units[0].id;
        let settled = |n: usize, outcome, nodes| Event::LocationSettled {
            unit,
            location: world.plan.locations[n].location(),
            outcome,
            nodes,
            offline_before: 0,
            detail: String::new(),
            not_well: Default::default(),
            rows: None,
        };
        let well = std::iter::once(NodeOutcome::Done).collect();
        let state = after(
            &world,
            vec![
                Event::StartIntended {
                    unit,
                    attempt: 1,
                    request: world.plan.units[0].start.clone(),
                },
                Event::Started {
                    unit,
                    execution: "9068db4e-b0e0-5204-9437-a44026e0b7c5".parse().unwrap(),
                },
                settled(0, LocationOutcome::Succeeded, well),
                settled(1, outcome, Tally::default()),
                Event::UnitEnded {
                    unit,
                    status: ExecutionStatus::Success,
                },
            ],
        );
        let holds = state.holds(state.last_at());
        let told = holds.iter().map(|hold| (hold.rule, hold.reason.to_string()));
        let told: Vec<_> = told.collect();
        let words = "1 location of wave 1 (canary) did not end well, and nothing is known of its nodes; ";
        let is_held = told
            .iter()
            .any(|(rule, told)| *rule == Rule::Gate && told.starts_with(words));
        assert_eq!(is_held, !passes, "{outcome:?}: {told:?}");
        assert!(state.stop_reason().is_none(), "a person decides");
    }
}

#[test]
fn a_gate_for_unreached_nodes_alone_needs_results_too() {
    let world = world(4, 0, json!({"gate": {"max_unreached": 0, "min_sample": 4}}));
    let canary = world.plan.locations[0].location();
    world.aws.scripts.lock().unwrap().insert(canary, Script::Sealed);
    assert!(matches!(drive(&world, 1), Progress::Paused { .. }));
    assert_eq!(world.executions().len(), 1);
    assert_eq!(hold(&world).0, Rule::Gate);
}

#[test]
fn nobody_is_told_to_say_go_on_where_a_gate_would_halt_the_campaign_again() {
    let world = world(2, 2, json!({"gate": {"max_failed": 0}}));
    let driver = world.driver(1);
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        let mut drive = driver.open(world.campaign()).await.unwrap();
        while world.executions().is_empty() {
            if let crate::campaign::Turn::Wait(at) = drive.step().await.unwrap() {
                world.clock.sleep_until(at).await;
            }
        }
        // Its nodes are through by then.
        world.clock.advance(RUNS - SignedDuration::from_secs(1));
        world.aws.cancel();
        driver.run(world.campaign()).await.unwrap()
    });
    let why = state.left_out_because().unwrap();
    let StopReason::CancelledElsewhere { left, .. } = &why else {
        panic!("{why}");
    };
    let failed = state.locations().any(|(.., at)| {
        let nodes = at.settled.as_ref().map(|settled| &settled.nodes);
        nodes.is_some_and(|nodes| nodes.count(NodeOutcome::Failed) > 0)
    });
    assert!(failed, "the canary has failed nodes");
    assert!(!left, "{why}");
    let error = finish(driver.go_on(world.campaign(), "ops")).unwrap_err();
    assert!(error.to_string().contains("did not pass its gate"), "{error}");
}

#[test]
fn an_open_campaign_whose_gate_has_failed_says_why_nothing_more_begins() {
    let world = world(2, 2, json!({"gate": {"max_failed": 0}}));
    let ended = |world: &World| {
        let mut events = world.events().into_iter();
        events.any(|event| matches!(event, Event::UnitEnded { .. }))
    };
    killed_once(&world, ended);
    let state = finish(crate::campaign::load(&*world.log, world.campaign())).unwrap();
    let state = state.unwrap();
    assert!(state.finished().is_none());
    let now = state.last_at() + MINUTE;
    let summary = crate::campaign::CampaignSummary::of(&state, now);
    let report = finish(Report::build(&state, &*world.rows, now)).unwrap();
    for told in [summary.left_out_because, report.left_out_because] {
        let told = told.unwrap();
        assert!(told.contains("did not pass its gate"), "{told}");
    }
}
