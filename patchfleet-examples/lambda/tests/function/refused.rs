//! What starts nothing, and says so.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_stays_the_same_from_week_to_week_is_never_a_success_without_a_start() {
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;
    let event = |id: &str| json!({ "event_id": id, "request": request() });
    let (kind, message) = error(
        function
            .invoke("unfilled", event("<aws.scheduler.execution-id>"))
            .await,
    );
    assert_eq!(kind, "InvalidRequest");
    assert!(
        message.contains("event_id") && message.contains("nobody filled in <aws.scheduler.execution-id>"),
        "{message}"
    );
    assert_eq!(starts(&sim), Vec::<Value>::new());

    let first = response(function.invoke("one", event("weekly")).await);
    sim.clock().advance(SignedDuration::from_hours(7 * 24));
    let (kind, message) = error(function.invoke("two", event("weekly")).await);
    assert_eq!(kind, "Refused");
    let execution = first["execution_id"].as_str().unwrap();
    assert!(
        message.contains("nothing was started") && message.contains(execution) && message.contains("7d"),
        "{message}"
    );
    assert_eq!(starts(&sim).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_invalid_or_refused_is_a_function_error_and_starts_nothing() {
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;

    let mut wrong = request();
    wrong["targets"]["regions"] = json!([]);
    wrong["colour"] = json!("red");
    let (kind, message) = error(function.invoke("wrong", wrong).await);
    assert_eq!(kind, "InvalidRequest");
    assert!(
        message.contains("targets.regions") && message.contains("colour"),
        "{message}"
    );

    let mut large = payload();
    large["ResourceGroup"] = json!("x".repeat(5_000));
    let (kind, message) = error(function.invoke("large", large).await);
    assert_eq!(kind, "InvalidRequest");
    assert!(message.contains("4096") || message.contains("4,096"), "{message}");

    let mut nowhere = request();
    nowhere["targets"]["regions"] = json!(["us-east-9"]);
    let (kind, message) = error(function.invoke("nowhere", nowhere).await);
    assert_eq!(kind, "Refused");
    assert!(message.contains("us-east-9"), "{message}");

    let mut several = request();
    several["targets"]["accounts"] = json!(["r-hf01"]);
    several["budget"]["locations"]["max_concurrency"] = json!(3);
    let (kind, message) = error(function.invoke("several", several).await);
    assert_eq!(kind, "Refused");
    assert!(
        message.contains("4 executions") && message.contains("lets 3 locations be patched at once"),
        "{message}"
    );
    for way_out in [
        "budget.locations.max_concurrency",
        "PATCHFLEET_LOG",
        "PATCHFLEET_STATE_MACHINE",
    ] {
        assert!(message.contains(way_out), "no {way_out} in {message}");
    }

    assert_eq!(starts(&sim), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_in_which_a_key_stands_twice_starts_nothing_and_is_told_by_the_key() {
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;
    let twice = |event: &Value, field: &str, before: &str| {
        let once = event.to_string();
        let text = once.replacen(field, &format!("{before},{field}"), 1);
        assert_ne!(text, once);
        text
    };
    let wrapped = json!({ "event_id": "e-1", "request": request() });
    let (scan, install) = (r#""operation":"Scan""#, r#""operation":"Install""#);
    for (text, path) in [
        (twice(&request(), install, scan), "patch.operation"),
        (twice(&wrapped, install, scan), "request.patch.operation"),
        (
            twice(&payload(), r#""Operation":"Scan""#, r#""Operation":"Install""#),
            "Operation",
        ),
    ] {
        let (kind, message) = error(function.invoke_text("twice", text).await);
        assert_eq!(kind, "InvalidRequest", "{message}");
        assert!(
            message.contains(&format!("duplicate key \"{path}\"")),
            "{message}"
        );
    }
    assert_eq!(starts(&sim), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_do_is_said_and_starts_nothing() {
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;
    let mut empty = request();
    empty["targets"]["accounts"] = json!(["333344445555"]);
    let (kind, message) = error(function.invoke("nothing-selected", empty.clone()).await);
    assert_eq!(kind, "Refused");
    assert!(message.contains("nothing_selected"), "{message}");
    empty["policy"]["nothing_selected"] = json!("succeed");
    let summary = response(function.invoke("empty", empty).await);
    assert_eq!(summary["outcome"], "nothing_to_do");
    assert_eq!(summary["execution_id"], Value::Null);
    assert_eq!(starts(&sim), Vec::<Value>::new());
}

/// What may not reach a log line or whoever prints an answer.
fn is_forbidden(c: char) -> bool {
    let n = u32::from(c);
    (n < 0x20 && c != '\n') || (0x7f..=0x9f).contains(&n) || [0x200b, 0x202e, 0x2028, 0x2066].contains(&n)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_logged_once_and_what_others_wrote_has_no_effect() {
    let words = " \\u001b]0;owned\\u0007\\u009b31m\\u202e\\u2028\\u200b\\nFORGED served";
    let sim = simulator_of(&format!(
        "{}\n[[faults]]\neffect = {{ words = \"{words}\" }}\n\
         [[faults]]\neffect = \"deny\"\naccounts = [\"555566667777\"]\nregions = [\"eu-west-1\"]\n\
         operations = [\"resource-groups:ListGroupResources\"]\n",
        CALM.world
    ))
    .await;
    let mut function = Function::start(&sim.endpoint()).await;
    let (kind, message) = error(function.invoke("refused", request()).await);
    assert_eq!(kind, "Refused");
    assert!(
        message.contains("FORGED") && message.contains("census_unknown"),
        "{message}"
    );
    let mut invalid = request();
    invalid["na\u{1b}[2Jme\nFORGED"] = json!("x\u{202e}\nFORGED");
    let (_, other) = error(function.invoke("invalid", invalid).await);
    let mut partial = request();
    partial["policy"]["denied"] = json!("skip");
    let summary = response(function.invoke("partial", partial).await);
    assert_eq!(summary["outcome"], "started");
    let answer = summary["skipped"].to_string();
    assert!(answer.contains("FORGED"), "{answer}");

    let log = function.end().await;
    for text in [&log, &message, &other, &summary.to_string()] {
        assert!(!text.contains(is_forbidden), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("FORGED")), "{text}");
    }
    for told in ["census_unknown", "[unknown_key]"] {
        let lines = log.lines().filter(|line| line.contains(told)).count();
        assert_eq!(lines, 1, "{told} in\n{log}");
    }
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let of_refused = |line: &&Value| line["message"] == "asked" && line["event"] == "invocation/refused";
    let asked = lines.iter().find(of_refused).unwrap();
    let mut errors = lines.iter().filter(|line| line["level"] == "ERROR");
    let failed = errors.next().unwrap();
    // It is no panic, and does not read like one.
    assert_eq!(
        (&failed["target"], &failed["error_type"]),
        (&json!("patchfleet_lambda"), &json!("Refused"))
    );
    assert!(!log.contains("panic"), "{log}");
    let failed = failed.to_string();
    let campaign = format!("(campaign {})", asked["campaign"].as_str().unwrap());
    assert!(
        failed.contains("Refused: refused: [") && failed.contains(&campaign),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_outlives_the_cutoff_that_the_environment_sets() {
    let sim = simulator().await;
    let cutoff = |time: &'static str| {
        let endpoint = sim.endpoint();
        async move { Function::start_with(&endpoint, &[("PATCHFLEET_CUTOFF", time)]).await }
    };
    let mut one = request();
    one["targets"]["regions"] = json!(["us-east-1"]);
    let summary = response(cutoff("8h").await.invoke("one", one.clone()).await);
    assert_eq!(summary["outcome"], "started");
    let starts = starts(&sim);
    let timeout = starts[0]["Parameters"]["TimeoutSeconds"][0].as_str().unwrap();
    // 8 h less what the steps take (6 h as recorded) and what passes until a command is sent.
    assert!(timeout.parse::<u32>().unwrap() <= 2 * 3600 - 360, "{timeout}");

    let (kind, message) = error(cutoff("2h").await.invoke("near", one.clone()).await);
    assert_eq!(kind, "Refused");
    assert!(message.contains("cutoff_too_near"), "{message}");
    let (kind, message) = error(cutoff("8h").await.invoke("several", request()).await);
    assert_eq!(kind, "Refused");
    assert!(
        message.contains("with a cutoff each location has one of its own"),
        "{message}"
    );
    // As a template sets a variable for which nobody gave a value.
    for (id, empty) in [("empty", ""), ("blank", " ")] {
        let summary = response(cutoff(empty).await.invoke(id, request()).await);
        assert_eq!(summary["outcome"], "started", "{empty:?} is no cutoff");
    }
    let (kind, message) = error(cutoff("soon").await.invoke("wrong", one.clone()).await);
    assert_eq!(kind, "InvalidRequest");
    assert!(
        message.contains("PATCHFLEET_CUTOFF = \"soon\"") && message.contains("9h"),
        "{message}"
    );
    assert_eq!(self::starts(&sim).len(), 3);
}
