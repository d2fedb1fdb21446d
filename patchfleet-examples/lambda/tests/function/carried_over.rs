//! What a window left is carried over by the next event.

use super::followed::LOG;
use super::killed::{cold, served_until, small, small_request};
use super::*;
use patchfleet_lambda::{Event, FailureKind};
use patchfleet_sim::world::Command;
use std::collections::BTreeMap;

/// An event of a window that is so short that one location can be begun in it.
fn event(id: &str) -> Value {
    json!({ "event_id": id, "cutoff": "6h10m", "carry_over": true, "request": small_request() })
}

async fn started(sim: &Sim, event: Value) -> Value {
    let start = json!({ "op": "start", "event": event });
    served_until(sim, start, None).await.unwrap()
}

/// Drives a campaign to its end. Gives its exit code.
async fn driven(sim: &Sim, campaign: &Value) -> Value {
    for turn in 0..200 {
        let event = json!({ "op": "advance", "campaign_id": campaign, "turn": turn });
        let answer = served_until(sim, event, None).await.unwrap();
        if answer["status"] == "over" {
            return answer["exit_code"].clone();
        }
        let seconds = answer["wait_seconds"].as_i64().unwrap();
        sim.clock().advance(SignedDuration::from_secs(seconds));
    }
    panic!("it does not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_begins_with_what_the_window_of_the_event_before_has_left() {
    let sim = small().await;
    let mut before = started(&sim, event("e-0")).await;
    assert_eq!((&before["locations"], before.get("retries")), (&json!(4), None));
    assert_eq!(driven(&sim, &before["campaign_id"]).await, 5);
    for (id, left) in [("e-1", 3), ("e-2", 2)] {
        let plan = json!({ "op": "plan", "event": event(id) });
        let planned = served_until(&sim, plan, None).await.unwrap();
        let begun = started(&sim, event(id)).await;
        for answer in [&planned, &begun] {
            assert_eq!(
                (&answer["locations"], &answer["retries"]),
                (&json!(left), &before["campaign_id"]),
                "{answer}"
            );
        }
        // The same event again is the same campaign, while it is open and once it is over.
        let again = started(&sim, event(id)).await;
        assert_eq!(again["campaign_id"], begun["campaign_id"]);
        assert_eq!(driven(&sim, &begun["campaign_id"]).await, 5);
        let after = started(&sim, event(id)).await;
        assert_eq!(
            (&after["campaign_id"], &after["status"]),
            (&begun["campaign_id"], &json!("over"))
        );
        before = begun;
    }
    let sent = sim.with_world(|world| {
        let mut sent = BTreeMap::new();
        for invocation in world.commands().flat_map(Command::invocations) {
            *sent.entry(invocation.node().clone()).or_insert(0) += 1;
        }
        sent
    });
    // Three locations of two nodes each have had their turn.
    assert_eq!((sent.len(), sent.values().max()), (6, Some(&1)), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_carried_over_unless_the_event_or_the_environment_says_so() {
    let sim = small().await;
    let before = started(&sim, event("e-0")).await;
    assert_eq!(driven(&sim, &before["campaign_id"]).await, 5);
    let plan = |carry_over: Value| {
        let mut event = event("e-1");
        event["carry_over"] = carry_over;
        json!({ "op": "plan", "event": event })
    };
    let carrying = [("PATCHFLEET_LOG", LOG), ("PATCHFLEET_CARRY_OVER", "true")];
    for (variables, says, locations) in [
        (&carrying[..1], json!(null), 4),
        (&carrying[..], json!(null), 3),
        (&carrying[..], json!("false"), 4),
        (&carrying[..1], json!("true"), 3),
    ] {
        let function = cold(&sim, variables);
        let answer = function.handle(Event::from(plan(says)), "one", None).await;
        let answer = serde_json::to_value(answer.unwrap()).unwrap();
        assert_eq!(answer["locations"], locations, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn carrying_over_is_refused_where_there_is_no_log_or_no_cutoff() {
    let sim = small().await;
    let (log, carry) = (("PATCHFLEET_LOG", LOG), ("PATCHFLEET_CARRY_OVER", "true"));
    let without_cutoff = json!({ "event_id": "e", "carry_over": true, "request": small_request() });
    let window = json!({ "Regions": "us-east-1", "ResourceGroup": "Web", "CarryOver": "true" });
    let wrong = json!({ "event_id": "e", "cutoff": "9h", "carry_over": "maybe", "request": small_request() });
    let plan = json!({ "op": "plan", "event": event("e") });
    for (variables, event, words) in [
        (
            vec![],
            event("e"),
            "carry_over = true: what the last campaign has left stands in its log, so PATCHFLEET_LOG has to be set",
        ),
        (
            vec![],
            plan,
            "event.carry_over = true: what the last campaign has left",
        ),
        (
            vec![carry],
            small_request(),
            "PATCHFLEET_CARRY_OVER = true: what the last campaign has left",
        ),
        (
            vec![log, carry],
            small_request(),
            "PATCHFLEET_CARRY_OVER = true: a campaign without a cutoff leaves nothing to carry over",
        ),
        (
            vec![log],
            without_cutoff,
            "carry_over = true: a campaign without a cutoff leaves nothing",
        ),
        (
            vec![log],
            window,
            "CarryOver = true: a campaign without a cutoff leaves nothing to carry over: the event needs one (Cutoff)",
        ),
        (vec![log], wrong, "carry_over = \"maybe\""),
        (
            vec![log, ("PATCHFLEET_CARRY_OVER", "maybe")],
            small_request(),
            "PATCHFLEET_CARRY_OVER = \"maybe\"",
        ),
    ] {
        let function = cold(&sim, &variables);
        let failure = function
            .handle(Event::from(event), "one", None)
            .await
            .unwrap_err();
        assert_eq!(failure.kind(), FailureKind::InvalidRequest);
        assert!(failure.to_string().contains(words), "no {words:?} in {failure}");
    }
    assert_eq!(sim.with_world(|world| world.requests().len()), 0);
}
