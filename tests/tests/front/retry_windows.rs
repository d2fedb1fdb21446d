//! A campaign that takes several windows: each goes on where the last one ended, with its waves and what they wait for. Which nodes were
//! sent what is the simulator's truth.

use super::chains::{process_ahead, retry, state};
use super::fleets::nodes_in;
use super::retry_waves::{ask, attended, now, sent, window, world};
use super::{campaign, ports, process, refused};
use jiff::SignedDuration;
use patchfleet_core::{
    campaign::{Event, LogKey, StopMode, Store},
    outcome::NodeOutcome,
    plan::Planning,
    refusal::RefusalCode,
    report::ReportOutcome,
};
use patchfleet_sim::{ClockMode, SimClock, spec::Change, world::World};
use patchfleet_tests::request;
use serde_json::json;

#[tokio::test]
async fn a_canary_after_which_production_has_begun_is_not_run_anew_in_the_next_window_for_a_node_that_had_no_turn()
 {
    let regions = [
        (
            "us-east-1",
            "{ count = 2, patch = { minutes = 2.0, fails_first = 9 } }",
        ),
        ("eu-west-1", "{ count = 1, patch = { minutes = 40.0 } }"),
        ("eu-west-2", "{ count = 1, patch = { minutes = 40.0 } }"),
    ];
    let clock = nodes_in(&regions);
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

/// A canary of three locations, of which two fit into a window, and of each of which a node fails.
#[tokio::test]
async fn a_canary_larger_than_its_window_is_gone_on_with_though_failures_that_its_gate_tolerates_stay() {
    let regions = [
        (
            "us-east-1",
            "{ count = 1, patch = { minutes = 40.0 } }, { count = 1, patch = { minutes = 40.0, fails_first = 9 } }",
        ),
        (
            "us-east-2",
            "{ count = 1, patch = { minutes = 40.0 } }, { count = 1, patch = { minutes = 40.0, fails_first = 9 } }",
        ),
        (
            "us-west-2",
            "{ count = 1, patch = { minutes = 40.0 } }, { count = 1, patch = { minutes = 40.0, fails_first = 9 } }",
        ),
        ("eu-west-1", "{ count = 1, patch = { minutes = 5.0 } }"),
    ];
    for gate in ["max_unreached = \"30%\"", "max_failed = \"60%\""] {
        let clock = nodes_in(&regions);
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
