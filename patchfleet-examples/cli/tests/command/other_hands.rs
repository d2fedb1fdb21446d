//! What other people do while a campaign runs, and what a person does about it afterwards.

use crate::support::{Bench, Ran, against, finish, kill_once, parents, simulator_of, starts, until};
use jiff::SignedDuration;
use patchfleet_core::campaign::{Appended, CampaignLog as _, Chain, FileLog};
use patchfleet_sim::Sim;
use patchfleet_sim::builtin::CALM;
use patchfleet_sim::spec::{Change, FaultSpec};
use serde_json::{Value, json};

/// Begins a campaign, and does something as soon as its first start is asked for.
async fn meanwhile(bench: &Bench, sim: &Sim, request: &str, something: impl Fn()) -> Ran {
    bench.file("request.toml", request);
    let run = ["run", "-f", "request.toml", "--log", "log", "--output", "json"];
    let running = tokio::spawn(finish(against(bench, sim, "us-east-1", &run)));
    until(|| starts(sim) > 0).await;
    something();
    running.await.unwrap()
}

/// The calm world's request for these accounts, with so many locations at once.
fn request(accounts: &[&str], at_once: u32) -> String {
    let accounts = json!(accounts);
    let request = CALM
        .request
        .replace(
            "accounts = [\"r-hf01\"]\ninclude_child_ous = true",
            &format!("accounts = {accounts}"),
        )
        .replace(
            "max_concurrency = 10\n",
            &format!("max_concurrency = {at_once}\n"),
        );
    assert_ne!(request, CALM.request);
    request
}

/// The outcomes of a report's locations in an account.
fn outcomes(report: &Value, account: &str) -> Vec<String> {
    let locations = report["locations"].as_array().unwrap().iter();
    let there = locations.filter(|location| location["account"] == account);
    there
        .map(|location| location["outcome"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_could_not_be_read_are_collected_when_the_permission_is_back() {
    let (bench, sim) = (Bench::new(), simulator_of(CALM.world, 2_000.0).await);
    let accounts = ["222233334444", "777788889999"];
    let denied = json!({
        "effect": "deny", "accounts": ["777788889999"], "operations": ["ssm:DescribeInstancePatchStates"],
    });
    let denied: FaultSpec = serde_json::from_value(denied).unwrap();
    let ran = meanwhile(&bench, &sim, &request(&accounts, 10), || {
        sim.with_world(|world| world.add_fault(denied.clone()).unwrap());
    })
    .await
    .exits(4);
    let report = ran.json();
    assert_eq!(outcomes(&report, "222233334444"), ["succeeded", "succeeded"]);
    assert_eq!(
        outcomes(&report, "777788889999"),
        ["results_unreadable", "results_unreadable"]
    );
    let unread = report["needs_action"].as_array().unwrap();
    assert!(!unread.is_empty());
    for node in unread {
        let detail = node["detail"].as_str().unwrap();
        assert_eq!(node["account"], "777788889999", "{node}");
        assert!(detail.contains("ssm:DescribeInstancePatchStates"), "{node}");
    }

    // Nothing has changed yet: the same again, and the reason.
    let collect = ["collect", "--log", "log", "--output", "json"];
    let again = finish(against(&bench, &sim, "us-east-1", &collect))
        .await
        .exits(4);
    assert_eq!(
        outcomes(&again.json(), "777788889999"),
        ["results_unreadable", "results_unreadable"]
    );
    assert!(
        again
            .stderr
            .contains("777788889999/us-east-1: the results still cannot be read")
            && again.stderr.contains("ssm:DescribeInstancePatchStates"),
        "{}",
        again.stderr
    );

    sim.with_world(patchfleet_sim::world::World::clear_faults);
    let (began, asked) = (starts(&sim), parents(&sim));
    let collected = finish(against(&bench, &sim, "us-east-1", &collect))
        .await
        .exits(0);
    let collected = collected.json();
    assert_eq!(collected["campaign_id"], report["campaign_id"]);
    assert_eq!(collected["outcome"], "succeeded");
    assert_eq!(collected["needs_action"], json!([]));
    let nodes = report["totals"]["nodes"].as_object().unwrap().values();
    let nodes: u64 = nodes.map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(collected["totals"]["nodes"], json!({ "done": nodes }));
    assert_eq!(
        (starts(&sim), parents(&sim)),
        (began, asked),
        "collecting starts nothing"
    );
    let report = bench
        .run(&["report", "--log", "log", "--output", "json"])
        .exits(0);
    assert_eq!(report.json(), collected, "the log has the new results");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_by_somebody_else_halts_and_go_on_begins_what_is_left() {
    // What is at work when the cancel comes runs on to its end.
    let world = format!("automation = {{ stop_cascades = false }}\n{}", CALM.world);
    let (bench, sim) = (Bench::new(), simulator_of(&world, 400.0).await);
    // Units of one location each or more, one after another.
    let accounts = ["222233334444", "444455556666", "555566667777"];
    let cancel = json!({ "cancel_executions": { "accounts": ["111122223333"] } });
    let cancel: Change = serde_json::from_value(cancel).unwrap();
    let halted = meanwhile(&bench, &sim, &request(&accounts, 1), || {
        while sim.with_world(|world| world.commands().next().is_none()) {}
        assert!(sim.with_world(|world| world.change(&cancel).unwrap()) > 0);
    })
    .await
    .exits(5);
    let report = halted.json();
    assert_eq!(report["outcome"], "halted");
    let why = report["left_out_because"].as_str().unwrap();
    assert!(why.contains("resume --go-on"), "{why}");
    assert_eq!(starts(&sim), 1);

    // Without a person's word nothing goes on.
    let campaign = report["campaign_id"].as_str().unwrap();
    let resume = ["resume", campaign, "--log", "log", "--output", "json"];
    let resumed = finish(against(&bench, &sim, "us-east-1", &resume)).await.exits(5);
    assert_eq!(resumed.json()["outcome"], "halted");
    assert_eq!(starts(&sim), 1);

    let go_on = ["resume", "--go-on", "--log", "log", "--output", "json"];
    let done = finish(against(&bench, &sim, "us-east-1", &go_on)).await.exits(0);
    assert!(done.stderr.contains("going on, says arn:aws:"), "{}", done.stderr);
    assert!(
        done.stderr
            .contains("that a cancelled execution did not reach ha"),
        "{}",
        done.stderr
    );
    let done = done.json();
    assert_eq!(done["campaign_id"], report["campaign_id"]);
    assert_eq!(done["outcome"], "succeeded");
    assert_eq!(done["left_out_because"], Value::Null);
    let outcomes: Vec<_> = accounts
        .iter()
        .flat_map(|account| outcomes(&done, account))
        .collect();
    assert_eq!(outcomes, ["succeeded"; 9]);
    let state = sim.with_world(|world| world.state());
    let nodes = state["nodes"].as_array().unwrap().iter();
    let nodes = nodes.filter(|node| accounts.iter().any(|account| node["account"] == *account));
    assert!(nodes.map(|node| &node["installs"]).all(|n| n == 1), "{state:#}");
    assert!(starts(&sim) > 1);
    assert_eq!(parents(&sim), starts(&sim), "each unit took effect once");
}

/// Copies the log `from` to `to`, with everything in it written earlier by `by`.
async fn earlier(bench: &Bench, by: SignedDuration, from: &str, to: &str) {
    let (from, to) = (
        FileLog::new(bench.path().join(from)),
        FileLog::new(bench.path().join(to)),
    );
    for key in from.keys().await.unwrap() {
        let mut chain = Chain::of(&key);
        for record in from.read(&key, 0).await.unwrap() {
            let at = record.at - by;
            let earlier = chain.record(at, record.writer, record.events);
            assert_eq!(to.append(&key, &earlier).await.unwrap(), Appended::Yes);
            chain.take(&earlier).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_of_which_nobody_knows_is_sent_again_only_when_a_person_says_so() {
    // Tags are seen late and client tokens soon forgotten.
    let world = format!(
        "automation = {{ token_memory_seconds = 10 }}\nconsistency = {{ tags_seconds = 60 }}\n{}",
        CALM.world
    );
    let (bench, sim) = (Bench::new(), simulator_of(&world, 2_000.0).await);
    bench.file("request.toml", request(&["222233334444"], 10));
    let lost = json!({ "effect": "drop_before", "operations": ["ssm:StartAutomationExecution"] });
    let lost: FaultSpec = serde_json::from_value(lost).unwrap();
    sim.with_world(|world| world.add_fault(lost.clone()).unwrap());
    let run = ["run", "-f", "request.toml", "--log", "log"];
    kill_once(against(&bench, &sim, "us-east-1", &run), || starts(&sim) > 0).await;
    earlier(&bench, SignedDuration::from_hours(1), "log", "my log").await;
    sim.with_world(patchfleet_sim::world::World::clear_faults);
    let resume = ["resume", "--log", "my log", "--output", "json"];
    let ran = finish(against(&bench, &sim, "us-east-1", &resume)).await.exits(4);
    let report = ran.json();
    let campaign = report["campaign_id"].as_str().unwrap();
    assert_eq!(report["outcome"], "open");
    assert_eq!(report["unresolved"][0]["unit"], 1);
    assert!(
        report["locations"][0]["unresolved"].as_bool().unwrap(),
        "{report:#}"
    );
    let command = format!("patchfleet resume {campaign} --log 'my log' --send-again 1");
    let form = format!("patchfleet resume {campaign}");
    let told = ran.stderr.matches(&form).count() + ran.stdout.matches(&form).count();
    let right = ran.stderr.matches(&command).count() + ran.stdout.matches(&command).count();
    // The warning and the report.
    assert_eq!((told, right), (2, 2), "{}{}", ran.stderr, ran.stdout);
    assert_eq!(
        ran.stderr.matches("the start has no answer").count(),
        1,
        "{}",
        ran.stderr
    );
    let open = format!(
        "patchfleet: campaign {campaign} stays open: a person has to say what becomes of 1 unit, and `patchfleet status \
         {campaign} --log 'my log'` says how\n"
    );
    assert!(ran.stderr.ends_with(&open), "{}", ran.stderr);

    // It says what to type, and without that nothing is sent, though AWS would take it now.
    let status = ["status", "--log", "my log"];
    let text = bench.run(&status).exits(0).stdout;
    assert!(
        text.contains(&command) && text.contains("unit 1 is unresolved") && text.contains("2 unresolved"),
        "{text}"
    );
    let json = bench.run(&[&status[..], &["--output", "json"]].concat()).json();
    let hold = &json[0]["holds"][0];
    assert_eq!(json[0]["outcome"], "open");
    assert_eq!(json[0]["so_far"]["unresolved"], 2, "{json:#}");
    assert_eq!(
        (
            &hold["unit"],
            &hold["reason"]["unit"],
            &hold["reason"]["waits_for"]
        ),
        (&json!(1), &json!(1), &json!("person")),
        "{json:#}"
    );
    assert!(hold["words"].as_str().unwrap().contains(&command), "{json:#}");
    let again = finish(against(&bench, &sim, "us-east-1", &resume)).await.exits(4);
    assert_eq!(
        (again.json()["outcome"].as_str(), parents(&sim)),
        (Some("open"), 0)
    );

    // What is not unresolved is refused.
    let other = [
        "resume",
        "--send-again",
        "1",
        "--send-again",
        "9",
        "--log",
        "my log",
    ];
    let refused = finish(against(&bench, &sim, "us-east-1", &other)).await.exits(3);
    assert!(
        refused.stderr.contains("there is no such unit"),
        "{}",
        refused.stderr
    );
    assert_eq!(parents(&sim), 0);

    let said = [&resume[..], &["--send-again", "1"]].concat();
    let done = finish(against(&bench, &sim, "us-east-1", &said)).await.exits(0);
    assert!(
        done.stderr.contains("its start is sent again, says arn:aws:"),
        "{}",
        done.stderr
    );
    assert_eq!(done.json()["outcome"], "succeeded");
    assert_eq!(parents(&sim), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_aws_no_longer_knows_is_closed_by_a_person_and_frees_its_name() {
    let (bench, sim) = (Bench::new(), simulator_of(CALM.world, 100.0).await);
    bench.file("request.toml", request(&["222233334444"], 10));
    let run = ["run", "-f", "request.toml", "--log", "log"];
    kill_once(against(&bench, &sim, "us-east-1", &run), || parents(&sim) > 0).await;
    let status = bench.run(&["status", "--log", "log", "--output", "json"]).json();
    let campaign = status[0]["campaign_id"].as_str().unwrap().to_owned();
    let asked = async |region: &str, log: &str| {
        let args = ["abandon", &campaign, "--log", log, "--output", "json"];
        finish(against(&bench, &sim, region, &args)).await
    };

    // AWS knows it, and what it began may run: both are said, and it stays open.
    let refused = asked("us-east-1", "log").await.exits(3);
    for words in ["may run until", "AWS knows it", "not_abandoned"] {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
    // A month later AWS has forgotten it. From elsewhere that says nothing.
    earlier(&bench, SignedDuration::from_hours(24 * 40), "log", "old").await;
    sim.clock().advance(SignedDuration::from_hours(24 * 40));
    let refused = asked("eu-west-1", "old").await.exits(3);
    assert!(refused.stderr.contains("was planned from"), "{}", refused.stderr);
    let open = bench.run(&["status", "--log", "old", "--output", "json"]).json();
    assert_eq!(open[0]["outcome"], "open");

    let started = starts(&sim);
    let closed = asked("us-east-1", "old").await.exits(5).json();
    assert_eq!(closed["outcome"], "halted");
    let why = closed["left_out_because"].as_str().unwrap();
    assert!(
        why.contains("closed the campaign, as AWS no longer knew"),
        "{why}"
    );
    let totals = closed["totals"]["nodes"].as_object().unwrap();
    assert_eq!(totals.keys().collect::<Vec<_>>(), ["unknown"], "{closed:#}");
    assert_eq!(starts(&sim), started, "it starts nothing");
    let report = ["report", &campaign, "--log", "old", "--output", "json"];
    assert_eq!(bench.run(&report).exits(5).json(), closed);
    let refused = asked("us-east-1", "old").await.exits(3);
    assert!(refused.stderr.contains("it is over"), "{}", refused.stderr);
    // The next campaign of the request may begin.
    let run = ["run", "-f", "request.toml", "--log", "old"];
    kill_once(against(&bench, &sim, "us-east-1", &run), || {
        starts(&sim) > started
    })
    .await;
    assert!(starts(&sim) > started);
}
