//! A wave that did not do well holds the later ones back in every retry of its campaign, and in the retries of these. Which nodes were sent
//! what is the simulator's truth.

use super::chains::{change, failed, retry, state, stopped_before_it_begins};
use super::fleets::nodes_in;
use super::retry_waves::{ask, attended, now, sent, window, world};
use super::{campaign, ports, process, refused};
use jiff::SignedDuration;
use patchfleet_core::{
    campaign::{Progress, StopMode, Store},
    outcome::NodeOutcome,
    plan::Planning,
    refusal::RefusalCode,
    report::ReportOutcome,
    request::PatchRequest,
};
use patchfleet_sim::{SimClock, spec::Change};
use patchfleet_tests::request;
use serde_json::json;

#[tokio::test]
async fn a_canary_that_failed_is_remembered_however_many_retries_were_stopped_before_they_tried_it() {
    for of_wave in ["", "gate = { max_failed = 0 }"] {
        for is_gone in [true, false] {
            let (clock, store, request) = (world(1), Store::in_memory(), ask(of_wave));
            let campaigns = process(&clock, &store, 1);
            let report = campaigns.run(campaign(1), &request, &attended()).await.unwrap();
            assert_eq!(report.outcome, ReportOutcome::Halted);
            let failed = failed(&store, 1).await;
            stopped_before_it_begins(&campaigns, &store).await;
            if is_gone {
                clock.with_world(|world| world.leave_group(&failed[0], "WebServers"));
                let error = retry(&campaigns, &state(&store, 2).await).await.unwrap_err();
                assert_eq!(refused(&error), RefusalCode::WaveEmpty, "{error}");
                assert_eq!(sent(&clock, "eu-west-1"), [], "{of_wave}");
                continue;
            }
            let planned = retry(&campaigns, &state(&store, 2).await).await.unwrap();
            let held = &planned.plan().retries.as_ref().unwrap().held;
            assert_eq!((held.len(), held[0].number, held[0].unknown), (1, 1, 0));
            let report = planned.begin(campaign(3)).await.unwrap().run().await.unwrap();
            assert_eq!(report.outcome, ReportOutcome::Succeeded, "{}", report.to_text());
            assert_eq!(sent(&clock, "eu-west-1").len(), 1, "once the canary is well");
        }
    }
}

#[tokio::test]
async fn a_canary_is_not_proved_by_trying_the_nodes_that_said_nothing_against_it() {
    for of_wave in ["", "gate = { max_failed = 0 }"] {
        let (clock, store, request) = (world(2), Store::in_memory(), ask(of_wave));
        let campaigns = process(&clock, &store, 1);
        let report = campaigns.run(campaign(1), &request, &attended()).await.unwrap();
        assert_eq!(report.outcome, ReportOutcome::Halted);
        let failed = failed(&store, 1).await;
        assert_eq!(failed.len(), 2);
        clock.with_world(|world| world.leave_group(&failed[0], "WebServers"));
        let error = retry(&campaigns, &state(&store, 1).await).await.unwrap_err();
        assert_eq!(refused(&error), RefusalCode::NotRetried, "{of_wave}: {error}");
        let words = "1 node that did not do well in it is not tried again";
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(sent(&clock, "eu-west-1"), []);
    }
}

/// A canary in which some nodes fail and others have no turn for that.
fn half_run() -> (SimClock, PatchRequest) {
    let regions = [
        (
            "us-east-1",
            "{ count = 8, patch = { minutes = 5.0, fails_first = 1 } }",
        ),
        ("eu-west-1", "{ count = 4, patch = { minutes = 5.0 } }"),
    ];
    let clock = nodes_in(&regions);
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }
        budget.nodes = { max_concurrency = 1, max_errors = 1 }
        budget.locations = { max_concurrency = 1, max_errors = 0 }
        [[waves]]
        name = "canary"
        regions = ["us-east-1"]
        "#,
    );
    (clock, request.unwrap())
}

#[tokio::test]
async fn nodes_that_had_no_turn_do_not_stand_for_those_that_failed_and_are_gone() {
    let (clock, request) = half_run();
    let store = Store::in_memory();
    let campaigns = process(&clock, &store, 1);
    let report = campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    assert!(
        report.totals.nodes.count(NodeOutcome::NotRun) > 4,
        "{}",
        report.to_text()
    );
    for node in failed(&store, 1).await {
        clock.with_world(|world| world.leave_group(&node, "WebServers"));
    }
    let error = retry(&campaigns, &state(&store, 1).await).await.unwrap_err();
    assert_eq!(refused(&error), RefusalCode::NotRetried, "{error}");
}

#[tokio::test]
async fn a_node_of_a_failed_canary_that_falls_silent_in_the_retry_leaves_it_to_a_person() {
    let any_location =
        "gate = { max_failed = 0 }\n[budget.locations]\nmax_concurrency = 1\nmax_errors = \"100%\"";
    let (clock, store, request) = (world(1), Store::in_memory(), ask(any_location));
    let campaigns = process(&clock, &store, 1);
    let report = campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    assert_eq!(report.outcome, ReportOutcome::Halted);
    let planned = retry(&campaigns, &state(&store, 1).await).await.unwrap();
    change(&clock, "stop");
    let begun = planned.begin(campaign(2)).await.unwrap();
    let progress = begun
        .run_until(now(&clock) + SignedDuration::from_hours(40))
        .await;
    let state = match progress.unwrap() {
        Progress::Paused { state, .. } => state,
        Progress::Finished(state) => {
            let report = store.report(&state, state.planned_at()).await.unwrap();
            panic!("it waits for a person: {}", report.to_text())
        }
    };
    assert_eq!(sent(&clock, "eu-west-1"), []);
    assert_eq!(campaigns.approve(&state, None).await.unwrap(), "canary");
    begun.run().await.unwrap();
    assert_eq!(sent(&clock, "eu-west-1").len(), 1);
}

#[tokio::test]
async fn a_wave_that_had_no_turn_is_not_passed_over_because_its_nodes_are_silent() {
    for (if_empty, is_refused) in [("refuse", true), ("skip", false)] {
        let request = ask(&format!("if_empty = \"{if_empty}\""));
        let (clock, store) = (world(0), Store::in_memory());
        let campaigns = process(&clock, &store, 1);
        let planned = campaigns.plan(&request, &attended()).await.unwrap();
        planned.begin(campaign(1)).await.unwrap();
        let begun = state(&store, 1).await;
        campaigns.stop(&begun, StopMode::LetCommandsRun).await.unwrap();
        change(&clock, "lose_agent");
        let seen = now(&clock) + SignedDuration::from_mins(30);
        ports(&clock).clock.sleep_until(seen).await;
        let planned = retry(&campaigns, &state(&store, 1).await).await;
        match planned {
            Err(error) if is_refused => assert_eq!(refused(&error), RefusalCode::WaveEmpty, "{error}"),
            Ok(_) if !is_refused => {}
            other => panic!("{if_empty}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_failed_canary_holds_production_back_also_where_no_node_of_either_answers() {
    let (clock, store, request) = (world(1), Store::in_memory(), ask("gate = { max_failed = 0 }"));
    let campaigns = process(&clock, &store, 1);
    campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    let silent: Change = serde_json::from_value(json!({ "lose_agent": {} })).unwrap();
    clock.with_world(|world| world.change(&silent).unwrap());
    let seen = now(&clock) + SignedDuration::from_mins(30);
    ports(&clock).clock.sleep_until(seen).await;
    // They are begun as soon as they answer.
    let error = retry(&campaigns, &state(&store, 1).await).await.unwrap_err();
    assert_eq!(refused(&error), RefusalCode::WaveEmpty, "{error}");
}

/// The window closes, or a person lets what runs come to its end, and then the canary fails.
#[tokio::test]
async fn a_canary_that_fails_after_production_was_left_out_for_another_reason_holds_it_back() {
    for by_a_person in [false, true] {
        for of_wave in ["", "approval = true"] {
            let regions = [
                (
                    "us-east-1",
                    "{ count = 1, patch = { minutes = 90.0, fails_first = 1 } }",
                ),
                ("eu-west-1", "{ count = 4 }"),
            ];
            let clock = nodes_in(&regions);
            let (store, request) = (Store::in_memory(), ask(of_wave));
            let campaigns = process(&clock, &store, 1);
            let planning = Planning {
                cutoff: (!by_a_person).then(|| now(&clock) + SignedDuration::from_mins(7 * 60 + 5)),
                carry_over: false,
                ..window(&clock, 7)
            };
            let planned = campaigns.plan(&request, &planning).await.unwrap();
            let begun = planned.begin(campaign(1)).await.unwrap();
            let soon = now(&clock) + SignedDuration::from_mins(5);
            begun.run_until(soon).await.unwrap();
            if by_a_person {
                let running = state(&store, 1).await;
                campaigns.stop(&running, StopMode::LetCommandsRun).await.unwrap();
            }
            let report = begun.run().await.unwrap();
            let failed = failed(&store, 1).await;
            assert_eq!(failed.len(), 1, "{}", report.to_text());
            let error = campaigns
                .approve(&state(&store, 1).await, None)
                .await
                .unwrap_err();
            assert_eq!(refused(&error), RefusalCode::NotApproved);
            clock.with_world(|world| world.leave_group(&failed[0], "WebServers"));
            let error = retry(&campaigns, &state(&store, 1).await).await.unwrap_err();
            assert_eq!(
                refused(&error),
                RefusalCode::WaveEmpty,
                "{of_wave}, {by_a_person}: {error}"
            );
        }
    }
}

/// What ran there when it was stopped is not known.
#[tokio::test]
async fn a_canary_that_was_stopped_while_it_ran_leaves_production_to_a_person() {
    let (clock, store, request) = (world(0), Store::in_memory(), ask(""));
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&request, &attended()).await.unwrap();
    let begun = planned.begin(campaign(1)).await.unwrap();
    begun
        .run_until(now(&clock) + SignedDuration::from_mins(2))
        .await
        .unwrap();
    assert_eq!(sent(&clock, "us-east-1").len(), 1);
    campaigns
        .stop(&state(&store, 1).await, StopMode::CancelCommands)
        .await
        .unwrap();
    let report = begun.report().await.unwrap();
    assert_eq!(
        report.totals.nodes.count(NodeOutcome::Unknown),
        1,
        "{}",
        report.to_text()
    );
    // However often it is stopped once more before anybody approves.
    for number in 2..=3 {
        let planned = retry(&campaigns, &state(&store, number - 1).await).await.unwrap();
        let begun = planned.begin(campaign(number)).await.unwrap();
        let progress = begun.run_until(now(&clock) + SignedDuration::from_mins(30)).await;
        let Progress::Paused { state: waiting, .. } = progress.unwrap() else {
            panic!("it waits for a person")
        };
        assert_eq!(sent(&clock, "eu-west-1"), [], "campaign {number}");
        if number == 2 {
            campaigns.stop(&waiting, StopMode::CancelCommands).await.unwrap();
            continue;
        }
        assert_eq!(campaigns.approve(&waiting, None).await.unwrap(), "canary");
        let report = begun.run().await.unwrap();
        assert_eq!(report.outcome, ReportOutcome::Succeeded, "{}", report.to_text());
    }
    assert_eq!(sent(&clock, "eu-west-1").len(), 1);
    let to_canary = sent(&clock, "us-east-1").len();
    assert_eq!(to_canary, 2, "the node that had no turn, and not the unknown one");
}
