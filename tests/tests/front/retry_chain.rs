//! Retries of retries: what an earlier campaign of the chain has found out holds in each later one. Which nodes were sent what is the
//! simulator's truth.

use super::retry_waves::{ask, attended, now, sent, window, world};
use super::{campaign, ports, process, refused};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::{
    CampaignError, Campaigns, Retry, RetryPlan,
    campaign::{Appended, CampaignLog, Event, LogKey, Progress, Record, State, StopMode, Store},
    id::{CampaignId, NodeId, RequestName, WriterId},
    outcome::NodeOutcome,
    plan::Planning,
    port::{BoxFuture, Clock, PortError, PortErrorKind, PortResult, Ports},
    refusal::RefusalCode,
    report::ReportOutcome,
    request::PatchRequest,
};
use patchfleet_sim::{ClockMode, SimClock, spec::Change, world::World};
use patchfleet_tests::request;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

async fn state(store: &Store, number: u128) -> State {
    store.load(campaign(number)).await.unwrap().unwrap()
}

async fn retry<'c>(
    campaigns: &'c Campaigns,
    of: &State,
) -> Result<patchfleet_core::Planned<'c>, CampaignError> {
    match campaigns.plan_retry(of, Retry::Failed, &attended()).await? {
        RetryPlan::Planned(planned) => Ok(planned),
        _ => panic!("something is left"),
    }
}

/// The nodes of a campaign that failed.
async fn failed(store: &Store, number: u128) -> Vec<NodeId> {
    let state = state(store, number).await;
    let report = store.report(&state, state.planned_at()).await.unwrap();
    let failed = report.needs_action.iter();
    let failed = failed.filter(|one| one.outcome == NodeOutcome::Failed);
    failed.map(|one| one.node.clone()).collect()
}

/// A second campaign for what the first has left, of which a person stops all before it begins.
async fn stopped_before_it_begins(campaigns: &Campaigns, store: &Store) {
    let planned = retry(campaigns, &state(store, 1).await).await.unwrap();
    planned.begin(campaign(2)).await.unwrap();
    let begun = state(store, 2).await;
    campaigns.stop(&begun, StopMode::LetCommandsRun).await.unwrap();
    let over = state(store, 2).await;
    assert!(over.finished().is_some());
    let totals = store.report(&over, over.planned_at()).await.unwrap().totals;
    assert_eq!(totals.nodes.count(NodeOutcome::NotRun), totals.nodes.total());
}

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

/// A canary in which some nodes fail and others have no turn for that.
fn half_run() -> (SimClock, PatchRequest) {
    let text = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }]
        patch = { minutes = 5.0 }
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1"]
        nodes = [{ count = 8, patch = { fails_first = 1 } }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["eu-west-1"]
        nodes = [{ count = 4 }]
    "#;
    let clock = SimClock::new(World::parse(text).unwrap(), ClockMode::Jump);
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
async fn a_canary_after_which_production_has_begun_is_not_run_anew_in_the_next_window_for_a_node_that_had_no_turn()
 {
    let text = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1"]
        nodes = [{ count = 2, patch = { minutes = 2.0, fails_first = 9 } }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["eu-west-1", "eu-west-2"]
        nodes = [{ count = 1, patch = { minutes = 40.0 } }]
    "#;
    let clock = SimClock::new(World::parse(text).unwrap(), ClockMode::Jump);
    let request = request(
        r#"
        name = "weekly"
        patch = { operation = "Install" }
        targets = { resource_group = "WebServers", regions = ["us-east-1", "eu-west-1", "eu-west-2"] }
        budget.nodes = { max_concurrency = 1, max_errors = 0 }
        budget.locations = { max_concurrency = 1, max_errors = 3 }
        [[waves]]
        name = "canary"
        regions = ["us-east-1"]
        "#,
    )
    .unwrap();
    let store = Store::in_memory();
    let campaigns = process(&clock, &store, 1);
    let planning = Planning {
        cutoff: Some(now(&clock) + SignedDuration::from_mins(6 * 60 + 30)),
        ..window(&clock, 7)
    };
    let report = campaigns.run(campaign(1), &request, &planning).await.unwrap();
    let not_run = report.totals.nodes.count(NodeOutcome::NotRun);
    let production = || ["eu-west-1", "eu-west-2"].map(|region| sent(&clock, region).len());
    assert_eq!(
        not_run,
        2,
        "one of the canary, one of production: {}",
        report.to_text()
    );
    assert_eq!(production().iter().sum::<usize>(), 1);
    let report = campaigns
        .run(campaign(2), &request, &window(&clock, 30))
        .await
        .unwrap();
    assert_eq!(production(), [1, 1], "{}", report.to_text());
    assert_eq!(sent(&clock, "us-east-1").len(), 1, "the canary is not run anew");
}

#[tokio::test]
async fn nobody_approves_of_a_campaign_that_another_one_has_gone_on_with() {
    let (clock, store, request) = (world(0), Store::in_memory(), ask("approval = true"));
    let campaigns = process(&clock, &store, 1);
    for night in 1..=2 {
        campaigns
            .run(campaign(night), &request, &window(&clock, 7))
            .await
            .unwrap();
    }
    let error = campaigns
        .approve(&state(&store, 1).await, None)
        .await
        .unwrap_err();
    assert_eq!(refused(&error), RefusalCode::NotApproved);
    assert!(
        error.to_string().contains("has begun since: approve of that one"),
        "{error}"
    );
    for _ in 0..2 {
        let approved = campaigns.approve(&state(&store, 2).await, None).await;
        assert_eq!(approved.unwrap(), "canary", "once more changes nothing");
    }
    let records = store.log.read(&LogKey::Campaign(campaign(2)), 0).await.unwrap();
    let said = records.iter().flat_map(|record| &record.events);
    let said = said.filter(|event| matches!(event, Event::Approved { .. }));
    assert_eq!(said.count(), 1);
}

/// A canary of three locations, of which two fit into a window, and of each of which a node fails.
#[tokio::test]
async fn a_canary_larger_than_its_window_is_gone_on_with_though_failures_that_its_gate_tolerates_stay() {
    let text = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1", "us-east-2", "us-west-2"]
        nodes = [{ count = 1, patch = { minutes = 40.0 } }, { count = 1, patch = { minutes = 40.0, fails_first = 9 } }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["eu-west-1"]
        nodes = [{ count = 1, patch = { minutes = 5.0 } }]
    "#;
    for gate in ["max_unreached = \"30%\"", "max_failed = \"60%\""] {
        let clock = SimClock::new(World::parse(text).unwrap(), ClockMode::Jump);
        let request = request(&format!(
            r#"
            name = "weekly"
            patch = {{ operation = "Install" }}
            targets = {{ resource_group = "WebServers", regions = ["us-east-1", "us-east-2", "us-west-2", "eu-west-1"] }}
            budget.nodes = {{ max_concurrency = "100%", max_errors = "100%" }}
            budget.locations = {{ max_concurrency = 1, max_errors = "100%" }}
            [[waves]]
            name = "canary"
            regions = ["us-east-1", "us-east-2", "us-west-2"]
            gate = {{ {gate} }}
            "#
        ))
        .unwrap();
        let store = Store::in_memory();
        let campaigns = process(&clock, &store, 1);
        for night in 1..=4 {
            let planning = Planning {
                cutoff: Some(now(&clock) + SignedDuration::from_mins(8 * 60 + 20)),
                ..window(&clock, 8)
            };
            campaigns.run(campaign(night), &request, &planning).await.unwrap();
            let next = now(&clock) + SignedDuration::from_hours(12);
            ports(&clock).clock.sleep_until(next).await;
            if !sent(&clock, "eu-west-1").is_empty() {
                break;
            }
        }
        let canary = ["us-east-1", "us-east-2", "us-west-2"].map(|region| sent(&clock, region).len());
        assert_eq!(canary, [1; 3], "{gate}: each once");
        assert_eq!(sent(&clock, "eu-west-1").len(), 1, "{gate}");
    }
}

/// The window closes, or a person lets what runs come to its end, and then the canary fails.
#[tokio::test]
async fn a_canary_that_fails_after_production_was_left_out_for_another_reason_holds_it_back() {
    for by_a_person in [false, true] {
        for of_wave in ["", "approval = true"] {
            let text = r#"
                management_account = "111111111111"
                documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
                accounts = [{ id = "111111111111", name = "Main" }]
                [[groups]]
                name = "WebServers"
                accounts = ["111111111111"]
                regions = ["us-east-1"]
                nodes = [{ count = 1, patch = { minutes = 90.0, fails_first = 1 } }]
                [[groups]]
                name = "WebServers"
                accounts = ["111111111111"]
                regions = ["eu-west-1"]
                nodes = [{ count = 4 }]
            "#;
            let clock = SimClock::new(World::parse(text).unwrap(), ClockMode::Jump);
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

#[tokio::test]
async fn nodes_that_a_window_left_and_that_are_silent_since_keep_no_later_window_from_the_others() {
    for offline in ["skip", "target"] {
        let (clock, store) = (world(0), Store::in_memory());
        let request = request(&format!(
            r#"
            name = "weekly"
            patch = {{ operation = "Install" }}
            targets = {{ resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }}
            policy = {{ offline = "{offline}" }}
            budget.nodes = {{ max_concurrency = "50%", max_errors = "100%" }}
            budget.locations = {{ max_concurrency = 1, max_errors = "100%" }}
            "#
        ))
        .unwrap();
        let campaigns = process(&clock, &store, 1);
        let planning = Planning {
            cutoff: Some(now(&clock) + SignedDuration::from_mins(6 * 60 + 8)),
            ..window(&clock, 7)
        };
        let report = campaigns.run(campaign(1), &request, &planning).await.unwrap();
        assert!(
            report.totals.nodes.count(NodeOutcome::NotRun) > 0,
            "{}",
            report.to_text()
        );
        let region = match sent(&clock, "us-east-1").is_empty() {
            true => "us-east-1",
            false => "eu-west-1",
        };
        let silent: Change =
            serde_json::from_value(json!({ "lose_agent": { "regions": [region] } })).unwrap();
        clock.with_world(|world| world.change(&silent).unwrap());
        let seen = now(&clock) + SignedDuration::from_mins(30);
        ports(&clock).clock.sleep_until(seen).await;
        let planned = campaigns.plan(&request, &window(&clock, 30)).await.unwrap();
        let told = planned.plan().warnings.join("\n");
        if offline == "skip" {
            assert!(planned.plan().retries.is_none(), "{told}");
            assert!(told.contains("and the whole request is run"), "{told}");
        }
    }
}

/// What becomes of the nodes of the canary.
fn change(clock: &SimClock, what: &str) {
    let change: Change = serde_json::from_value(json!({ what: { "regions": ["us-east-1"] } })).unwrap();
    clock.with_world(|world| world.change(&change).unwrap());
}

#[tokio::test]
async fn a_wave_of_so_many_keeps_its_locations_in_every_window() {
    for (of_wave, nights) in [("approval = true", 2), ("soak = \"20h\"", 1)] {
        for size in ["locations = 1", "nodes = 4", "locations = \"50%\""] {
            let (clock, store) = (world(0), Store::in_memory());
            let request = request(&format!(
                r#"
                name = "weekly"
                patch = {{ operation = "Install" }}
                targets = {{ resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }}
                budget.nodes = {{ max_concurrency = "100%", max_errors = "100%" }}
                [[waves]]
                name = "canary"
                {size}
                {of_wave}
                "#,
            ))
            .unwrap();
            let campaigns = process(&clock, &store, 1);
            let both = || [sent(&clock, "us-east-1").len(), sent(&clock, "eu-west-1").len()];
            for night in 1..=nights {
                let report = campaigns
                    .run(campaign(night), &request, &window(&clock, 7))
                    .await
                    .unwrap();
                assert_eq!(report.outcome, ReportOutcome::Halted, "{}", report.to_text());
                assert_eq!(both().iter().sum::<usize>(), 1, "{size}: the canary alone, once");
            }
            if of_wave.starts_with("approval") {
                // By day, when its window is closed.
                assert_eq!(
                    campaigns
                        .approve(&state(&store, nights).await, None)
                        .await
                        .unwrap(),
                    "canary"
                );
            }
            let last = campaigns
                .run(campaign(9), &request, &window(&clock, 30))
                .await
                .unwrap();
            assert_eq!(
                last.outcome,
                ReportOutcome::Succeeded,
                "{size}: {}",
                last.to_text()
            );
            assert_eq!(both(), [1, 1], "{size}, {of_wave}");
        }
    }
}

#[tokio::test]
async fn only_a_wave_that_waits_for_it_is_approved_of_once_its_campaign_is_over() {
    // The canary failed, so nobody can approve of it.
    let (clock, store, request) = (world(1), Store::in_memory(), ask("approval = true"));
    let campaigns = process(&clock, &store, 1);
    campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    let error = campaigns
        .approve(&state(&store, 1).await, None)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("no wave of it waits for an approval"),
        "{error}"
    );

    // Not all of it had its turn.
    let (clock, store) = (world(0), Store::in_memory());
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&request, &attended()).await.unwrap();
    planned.begin(campaign(1)).await.unwrap();
    campaigns
        .stop(&state(&store, 1).await, StopMode::LetCommandsRun)
        .await
        .unwrap();
    let error = campaigns
        .approve(&state(&store, 1).await, None)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("no wave of it waits for an approval"),
        "{error}"
    );
    assert_eq!(sent(&clock, "us-east-1"), []);
}

#[tokio::test]
async fn what_a_retry_did_not_begin_is_named_by_its_plan_whatever_became_of_the_rows() {
    let (clock, store, request) = (world(1), Store::in_memory(), ask("if_empty = \"skip\""));
    let campaigns = process(&clock, &store, 1);
    campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    let failed = failed(&store, 1).await;
    stopped_before_it_begins(&campaigns, &store).await;
    let over = state(&store, 2).await;
    for planned in &over.plan().locations {
        store
            .rows
            .put(campaign(2), &planned.location(), 9, vec![])
            .await
            .unwrap();
    }
    let planned = retry(&campaigns, &over).await.unwrap();
    let canary = planned.plan().units.iter().filter(|unit| unit.wave == 1);
    let named: Vec<NodeId> = canary.flat_map(|unit| unit.nodes.clone().unwrap()).collect();
    assert_eq!(named, failed, "and no node that is done");
}

#[tokio::test]
async fn a_campaign_is_not_retried_once_its_request_has_run_again() {
    let (clock, store, request) = (world(1), Store::in_memory(), ask("if_empty = \"skip\""));
    let campaigns = process(&clock, &store, 1);
    campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    let first = state(&store, 1).await;
    // One that was stopped before anything of it was begun has run nothing.
    campaigns
        .plan(&request, &attended())
        .await
        .unwrap()
        .begin(campaign(2))
        .await
        .unwrap();
    campaigns
        .stop(&state(&store, 2).await, StopMode::LetCommandsRun)
        .await
        .unwrap();
    let _ = retry(&campaigns, &first).await.unwrap();

    let report = campaigns.run(campaign(3), &request, &attended()).await.unwrap();
    assert_eq!(report.outcome, ReportOutcome::Succeeded);
    let error = retry(&campaigns, &first).await.unwrap_err();
    assert_eq!(refused(&error), RefusalCode::NotRetried);
    assert!(
        error
            .to_string()
            .contains("has run a request of the same name since"),
        "{error}"
    );
    assert_eq!(sent(&clock, "us-east-1").len(), 2);
}

/// A clock that is so far ahead.
struct Ahead {
    of: Arc<dyn Clock>,
    by: SignedDuration,
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.of.now() + self.by
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        self.of.sleep_until(at - self.by)
    }
}

fn process_ahead(clock: &SimClock, store: &Store) -> Campaigns {
    let ports = ports(clock);
    let ahead = Ahead {
        of: ports.clock.clone(),
        by: SignedDuration::from_hours(3),
    };
    let ports = Ports {
        clock: Arc::new(ahead),
        ..ports
    };
    Campaigns::new(ports, store.clone(), WriterId::from_uuid(Uuid::from_u128(7)))
}

#[tokio::test]
async fn what_a_retry_has_tried_no_other_one_tries_though_the_first_campaign_was_planned_by_a_clock_that_is_ahead()
 {
    let (clock, store, request) = (world(1), Store::in_memory(), ask("if_empty = \"skip\""));
    process_ahead(&clock, &store)
        .run(campaign(1), &request, &attended())
        .await
        .unwrap();
    let campaigns = process(&clock, &store, 1);
    let first = state(&store, 1).await;
    let planned = retry(&campaigns, &first).await.unwrap();
    planned.begin(campaign(2)).await.unwrap().run().await.unwrap();
    assert!(
        state(&store, 2).await.planned_at() < first.planned_at(),
        "by their clocks"
    );
    let before = [sent(&clock, "us-east-1"), sent(&clock, "eu-west-1")];
    let error = retry(&campaigns, &first).await.unwrap_err();
    assert_eq!(refused(&error), RefusalCode::NotRetried);
    assert_eq!([sent(&clock, "us-east-1"), sent(&clock, "eu-west-1")], before);
}

#[tokio::test]
async fn the_last_window_is_the_last_one_that_began_and_not_the_one_with_the_latest_clock() {
    let (clock, store, request) = (world(0), Store::in_memory(), ask("approval = true"));
    let ahead = process_ahead(&clock, &store);
    let planning = Planning {
        cutoff: Some(now(&clock) + SignedDuration::from_hours(10)),
        ..window(&clock, 10)
    };
    let report = ahead.run(campaign(1), &request, &planning).await.unwrap();
    let told = report.to_approve.unwrap().detail;
    assert!(
        told.contains("patchfleet approve"),
        "as its window has closed: {told}"
    );
    let campaigns = process(&clock, &store, 1);
    campaigns.approve(&state(&store, 1).await, None).await.unwrap();
    // Half an hour after that: the second one is the older one by its clock.
    let report = campaigns
        .run(campaign(2), &request, &window(&clock, 7))
        .await
        .unwrap();
    assert_eq!(report.outcome, ReportOutcome::Succeeded, "{}", report.to_text());
    assert!(
        campaigns.left_by_window(&request).await.unwrap().is_none(),
        "the second one has left nothing"
    );
    assert_eq!(sent(&clock, "eu-west-1").len(), 1);
}

/// A log in which nobody can claim a name.
struct Unclaimed(Arc<dyn CampaignLog>);

impl CampaignLog for Unclaimed {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        match key {
            LogKey::Name(_) => {
                Box::pin(async { Err(PortError::new(PortErrorKind::Denied, "its process dies here")) })
            }
            LogKey::Campaign(_) => self.0.append(key, record),
        }
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        self.0.read(key, from)
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.0.keys()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.0.request_name(campaign)
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.0.last(key)
    }
}

#[tokio::test]
async fn a_retry_whose_process_died_before_it_began_does_not_begin_once_another_one_has_tried_its_nodes() {
    let (clock, store, request) = (world(1), Store::in_memory(), ask("if_empty = \"skip\""));
    let campaigns = process(&clock, &store, 1);
    campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    let first = state(&store, 1).await;
    let dying = Store::new(Arc::new(Unclaimed(store.log.clone())), store.rows.clone());
    let dies = process(&clock, &dying, 2);
    let planned = retry(&dies, &first).await.unwrap();
    planned.begin(campaign(2)).await.unwrap_err();
    let records = store.log.read(&LogKey::Campaign(campaign(2)), 0).await.unwrap();
    assert_eq!(records.len(), 1, "its plan alone was written down");

    let planned = retry(&campaigns, &first).await.unwrap();
    let report = planned.begin(campaign(3)).await.unwrap().run().await.unwrap();
    assert_eq!(report.outcome, ReportOutcome::Succeeded);
    let before = [sent(&clock, "us-east-1"), sent(&clock, "eu-west-1")];
    // However often somebody goes on with it, or has the same call made again.
    for _ in 0..2 {
        let error = campaigns.resume(&state(&store, 2).await).await.unwrap_err();
        assert_eq!(refused(&error), RefusalCode::NotRetried);
    }
    let over = state(&store, 2).await;
    assert_eq!(over.name_taken_by(), Some(campaign(3)), "it is open no more");
    assert_eq!([sent(&clock, "us-east-1"), sent(&clock, "eu-west-1")], before);
}

#[tokio::test]
async fn a_retry_whose_process_died_before_it_began_goes_on_if_nobody_has_tried_its_nodes() {
    let (clock, store, request) = (world(1), Store::in_memory(), ask("if_empty = \"skip\""));
    let campaigns = process(&clock, &store, 1);
    campaigns.run(campaign(1), &request, &attended()).await.unwrap();
    let dying = Store::new(Arc::new(Unclaimed(store.log.clone())), store.rows.clone());
    let dies = process(&clock, &dying, 2);
    let planned = retry(&dies, &state(&store, 1).await).await.unwrap();
    planned.begin(campaign(2)).await.unwrap_err();
    let resumed = campaigns.resume(&state(&store, 2).await).await.unwrap();
    assert_eq!(resumed.run().await.unwrap().outcome, ReportOutcome::Succeeded);
}

#[tokio::test]
async fn no_location_is_patched_before_what_held_it_back_because_an_earlier_wave_draws_it() {
    // One of so many, the pilot that nobody approves of or that fails, and the rest.
    for (failing, of_pilot) in [
        (0, "approval = true"),
        (0, "soak = \"160h\""),
        (4, "gate = { max_failed = 0 }"),
    ] {
        let text = format!(
            r#"
            management_account = "111111111111"
            documents = [{{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }}]
            accounts = [{{ id = "111111111111", name = "Main" }}]
            patch = {{ minutes = 5.0 }}
            [[groups]]
            name = "WebServers"
            accounts = ["111111111111"]
            regions = ["us-east-1", "us-west-2", "eu-west-2"]
            nodes = [{{ count = 1 }}]
            [[groups]]
            name = "WebServers"
            accounts = ["111111111111"]
            regions = ["eu-west-1"]
            nodes = [{{ count = 1, patch = {{ fails_first = {failing} }} }}]
            "#
        );
        let clock = SimClock::new(World::parse(&text).unwrap(), ClockMode::Jump);
        let request = request(&format!(
            r#"
            name = "weekly"
            patch = {{ operation = "Install" }}
            targets = {{ resource_group = "WebServers", regions = ["us-east-1", "us-west-2", "eu-west-1", "eu-west-2"] }}
            budget.locations = {{ max_concurrency = 1, max_errors = "100%" }}
            [[waves]]
            name = "one"
            regions = ["us-east-1", "us-west-2", "eu-west-2"]
            locations = 1
            [[waves]]
            name = "pilot"
            regions = ["eu-west-1"]
            {of_pilot}
            "#
        ))
        .unwrap();
        let store = Store::in_memory();
        let campaigns = process(&clock, &store, 1);
        let patched = || {
            let regions = ["us-east-1", "us-west-2", "eu-west-2"].into_iter();
            regions.filter(|region| !sent(&clock, region).is_empty()).count()
        };
        campaigns
            .run(campaign(1), &request, &window(&clock, 7))
            .await
            .unwrap();
        assert_eq!(patched(), 1);
        for night in 2..=3 {
            if failing == 0 {
                campaigns
                    .run(campaign(night), &request, &window(&clock, 7))
                    .await
                    .unwrap();
            } else {
                let planned = retry(&campaigns, &state(&store, night - 1).await).await.unwrap();
                planned.begin(campaign(night)).await.unwrap().run().await.unwrap();
            }
            assert_eq!(patched(), 1, "night {night}: {of_pilot}");
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
