//! What events are read as.

use super::*;
use patchfleet_core::id::CampaignId;
use serde_json::json;

/// Reads an event where no variable is set.
fn read(event: &Value, invocation: &str) -> Result<Asked, Problems> {
    read_with(event, invocation, &BTreeMap::new())
}

fn read_with(
    event: &Value,
    invocation: &str,
    variables: &BTreeMap<String, String>,
) -> Result<Asked, Problems> {
    let reading = Reading {
        path: "",
        invocation: ("the invocation's id", invocation),
        variables,
    };
    reading.read(event).map_err(problems)
}

fn variables(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([
        ("TargetAccounts", "111122223333, 444455556666"),
        ("TargetRegionIds", "us-east-1, us-east-2"),
        ("RunPatchBaselineOperation", "Install"),
        ("RunPatchBaselineRebootOption", "NoReboot"),
        ("RunPatchBaselineInstallOverrideList", ""),
        ("ResourceGroupName", "WebServers"),
    ]);
    variables.extend(changes.iter().copied());
    let owned = variables.into_iter();
    owned
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn of_rule(id: &str) -> Value {
    json!({ "version": "0", "id": id, "detail-type": "Scheduled Event", "source": "aws.events",
            "account": "111122223333", "time": "2026-03-03T22:15:00Z", "region": "us-east-1",
            "resources": ["arn:aws:events:us-east-1:111122223333:rule/weekly"], "detail": {} })
}

#[test]
fn an_event_that_says_nothing_of_what_to_patch_is_for_the_samples_variables() {
    let schedule = |time: &str, id: &str| {
        let mut event = of_rule(id);
        event["source"] = json!("aws.scheduler");
        event["time"] = json!(time);
        event["detail"] = json!("{}");
        event
    };
    let asked = |event: &Value, invocation: &str| {
        let asked = read_with(event, invocation, &variables(&[])).unwrap();
        assert_eq!(asked.form, Form::Sample);
        assert_eq!(asked.request.targets.accounts.len(), 2);
        CampaignId::of_event(&asked.request.digest(), &asked.event)
    };
    let (rule, other) = (of_rule("1a6ab819"), of_rule("2b7bc920"));
    assert_eq!(
        asked(&rule, "one"),
        asked(&rule, "two"),
        "a rule's event has an id"
    );
    assert_ne!(asked(&rule, "one"), asked(&other, "one"));
    let (first, later) = ("2026-03-03T22:15:00Z", "2026-03-10T22:15:00Z");
    assert_eq!(
        asked(&schedule(first, "a"), "one"),
        asked(&schedule(first, "b"), "two")
    );
    assert_ne!(
        asked(&schedule(first, "a"), "one"),
        asked(&schedule(later, "a"), "one")
    );
    for empty in [json!({}), Value::Null] {
        assert_eq!(asked(&empty, "one"), asked(&empty, "one"));
        assert_ne!(asked(&empty, "one"), asked(&empty, "two"));
    }
    // What says what to patch counts before the variables.
    let asked = read_with(&request(), "one", &variables(&[])).unwrap();
    assert_eq!(asked.form, Form::Request);
    assert!(read_with(&json!({ "key1": "value1" }), "one", &variables(&[])).is_err());
}

#[test]
fn every_variable_at_fault_is_named_and_an_empty_one_is_at_fault_where_the_sample_would_fail() {
    let wrong = variables(&[
        ("TargetAccounts", "1111222233334"),
        ("TargetRegionIds", " , "),
        ("RunPatchBaselineOperation", "Scn"),
        ("RunPatchBaselineRebootOption", ""),
        ("TargetLocationMaxConcurrency", "0"),
        ("ExecutionRoleName", ""),
    ]);
    let words = read_with(&json!({}), "one", &wrong).unwrap_err().to_string();
    for name in [
        "TargetAccounts[0] = \"1111222233334\"",
        "TargetRegionIds",
        "RunPatchBaselineOperation = \"Scn\"",
        "RunPatchBaselineRebootOption = \"\"",
        "TargetLocationMaxConcurrency = \"0\"",
        "ExecutionRoleName = \"\"",
    ] {
        assert!(words.contains(name), "no {name} in {words}");
    }
}

fn request() -> Value {
    json!({ "name": "weekly", "targets": { "resource_group": "WebServers", "regions": ["us-east-1"] } })
}

fn campaign(event: &Value, invocation: &str) -> CampaignId {
    let asked = read(event, invocation).unwrap_or_else(|problems| panic!("{event}: {problems}"));
    CampaignId::of_event(&asked.request.digest(), &asked.event)
}

#[track_caller]
fn refused(event: &Value) -> String {
    match read(event, "invocation-1") {
        Err(problems) => problems.to_string(),
        Ok(asked) => panic!("{event} is {asked:?}"),
    }
}

#[test]
fn an_event_is_one_campaign_by_its_own_id_and_by_the_invocation_if_it_has_none() {
    let named = json!({ "event_id": "1a6ab819", "request": request() });
    assert_eq!(campaign(&named, "one"), campaign(&named, "two"));
    assert_eq!(campaign(&request(), "one"), campaign(&request(), "one"));
    assert_ne!(campaign(&request(), "one"), campaign(&request(), "two"));
}

#[test]
fn tasks_of_one_window_that_differ_in_anything_are_campaigns_of_their_own() {
    let group = "prod-eu-central-1-shop-application-servers-linux-patch-group-a";
    let task = |key: &str, value: Value| {
        let mut payload = json!({
            "Regions": "us-east-1", "ResourceGroup": group, "Operation": "Scan",
            "WindowExecutionId": "0b3c9b1e-5a3c-4a63-9a0c-6f1f2a3b4c5d",
        });
        payload[key] = value;
        payload
    };
    let tasks = [
        task("Operation", json!("Scan")),
        task("Regions", json!("eu-west-1")),
        task("Operation", json!("Install")),
        task("TargetAccounts", json!("111122223333")),
        task("TargetAccounts", json!("444455556666")),
        task(
            "ResourceGroup",
            json!("prod-eu-central-1-shop-application-servers-linux-patch-group-b"),
        ),
        task("RebootOption", json!("NoReboot")),
        task("MaxErrors", json!("20%")),
    ];
    let mut campaigns: Vec<_> = tasks
        .iter()
        .map(|task| campaign(task, "one").to_string())
        .collect();
    campaigns.sort();
    campaigns.dedup();
    assert_eq!(campaigns.len(), tasks.len());
    let mut names: Vec<_> = tasks
        .iter()
        .map(|task| read(task, "one").unwrap().request.name.to_string())
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(
        names.len(),
        tasks.len(),
        "no task keeps another out by its name: {names:?}"
    );
    for task in &tasks {
        assert_eq!(campaign(task, "one"), campaign(task, "a retry"), "{task}");
    }
}

#[test]
fn a_request_whose_name_agrees_with_anothers_is_another_campaign_all_the_same() {
    let mut other = request();
    other["targets"]["regions"] = json!(["eu-west-1"]);
    let event = |request: Value| json!({ "event_id": "e-1", "request": request });
    assert_ne!(campaign(&event(request()), "one"), campaign(&event(other), "one"));
}

#[test]
fn an_id_with_a_placeholder_that_nobody_filled_in_is_refused() {
    for id in [
        "<aws.scheduler.execution-id>",
        "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>",
        "<aws.events.event.ingestion-time>",
        "{{WINDOW_EXECUTION_ID}}",
    ] {
        let words = refused(&json!({ "event_id": id, "request": request() }));
        assert!(
            words.contains("event_id") && words.contains("nobody filled in"),
            "{words}"
        );
        let window =
            json!({ "Regions": "us-east-1", "ResourceGroup": "WebServers", "WindowExecutionId": id });
        let words = refused(&window);
        assert!(
            words.contains("WindowExecutionId") && words.contains("nobody filled in"),
            "{words}"
        );
    }
    let filled = "arn:aws:scheduler:us-east-1:111122223333:schedule/default/weekly 2026-03-03T22:15:00Z";
    campaign(&json!({ "event_id": filled, "request": request() }), "one");
}

#[test]
fn every_problem_of_an_event_is_told_at_once_by_its_own_path() {
    let mut wrong = request();
    wrong["targets"]["regions"] = json!([]);
    let words = refused(&json!({ "event_id": 7, "request": wrong, "patch": {} }));
    for part in ["event_id = 7", "request.targets.regions", "patch"] {
        assert!(words.contains(part), "no {part} in {words}");
    }
    assert!(refused(&json!({ "request": request() })).contains("[missing] event_id"));
    assert!(refused(&json!({ "event_id": "e-1" })).contains("[missing] request"));
}

#[test]
fn an_event_without_a_request_is_told_what_it_looks_like_and_what_to_do() {
    // As EventBridge Scheduler sends it if a schedule has no Input (recorded September 2026).
    let scheduler = json!({
        "version": "0", "id": "1a6ab819-9929-4869-94d9-8dda75d12280", "detail-type": "Scheduled Event",
        "source": "aws.scheduler", "account": "111122223333", "time": "2026-09-26T19:14:33Z",
        "region": "us-east-1", "detail": "{}",
        "resources": ["arn:aws:scheduler:us-east-1:111122223333:schedule/my-group/omitted-input"],
    });
    let words = refused(&scheduler);
    assert!(
        words.contains("EventBridge event from aws.scheduler") && words.contains("Input"),
        "{words}"
    );
    let mut rule = scheduler.clone();
    rule["source"] = json!("aws.events");
    rule["detail"] = json!({});
    assert!(refused(&rule).contains("EventBridge event from aws.events"));
    let twice = Value::from(request().to_string());
    assert!(refused(&twice).contains("encoded twice"));
    let words = refused(&json!({ "event_id": "e-1", "request": request().to_string() }));
    assert!(
        words.contains("request") && words.contains("encoded twice"),
        "{words}"
    );
}

/// The blocks of JSON of the README, with what AWS fills in.
fn shown() -> Vec<Value> {
    let blocks = include_str!("../../README.md").split("\n```").skip(1).step_by(2);
    let blocks = blocks.filter_map(|block| block.strip_prefix("json\n"));
    blocks
        .map(|block| {
            let filled = block
                .replace(
                    "<aws.scheduler.schedule-arn>",
                    "arn:aws:scheduler:us-east-1:1:schedule/a/b",
                )
                .replace("<aws.scheduler.scheduled-time>", "2026-11-27T02:00:00Z")
                .replace("<id>", "1a6ab819-9929-4869-94d9-8dda75d12280")
                .replace("{{WINDOW_EXECUTION_ID}}", "0b3c9b1e-5a3c-4a63-9a0c-6f1f2a3b4c5d");
            serde_json::from_str(&filled).unwrap_or_else(|error| panic!("{error}: {filled}"))
        })
        .collect()
}

#[test]
fn the_events_that_the_readme_shows_are_read_each_by_its_own_identity() {
    let ids: Vec<String> = shown()
        .iter()
        .map(|event| read(event, "invocation-1").unwrap().event.to_string())
        .collect();
    assert_eq!(
        ids,
        [
            "event/arn:aws:scheduler:us-east-1:1:schedule/a/b 2026-11-27T02:00:00Z",
            "event/1a6ab819-9929-4869-94d9-8dda75d12280",
            "window/0b3c9b1e-5a3c-4a63-9a0c-6f1f2a3b4c5d",
            "event/0b3c9b1e-5a3c-4a63-9a0c-6f1f2a3b4c5d",
            "invocation/invocation-1",
        ]
    );
}

#[test]
fn the_readme_lists_the_keys_of_a_windows_payload_and_no_other() {
    let listed: Vec<&str> = include_str!("../../README.md")
        .lines()
        .skip_while(|line| !line.starts_with("| key | what it says | default"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .flat_map(|row| {
            row.split('|')
                .nth(1)
                .unwrap_or_default()
                .split('`')
                .skip(1)
                .step_by(2)
        })
        .collect();
    assert_eq!(listed.len(), 19, "{listed:?}");
    let values = |key: &str| match key {
        "Regions" => json!(["us-east-1"]),
        "ResourceGroup" => json!("WebServers"),
        "WindowExecutionId" => json!("w-1"),
        "IncludeChildOUs" | "CarryOver" | "SecondAttempt" => json!(true),
        "Offline" => json!("skip"),
        "Operation" => json!("Install"),
        "RebootOption" => json!("NoReboot"),
        "InstallOverrideList" => json!("s3://bucket/list.yaml"),
        "TargetAccounts" => json!(["111122223333"]),
        "ExecutionRoleName" => json!("Patching"),
        "AutomationAssumeRole" => json!("arn:aws:iam::111122223333:role/Admin"),
        "DocumentName" => json!("Own-Runbook"),
        "Cutoff" => json!("9h"),
        "MaxConcurrency" | "MaxErrors" | "TargetLocationMaxConcurrency" | "TargetLocationMaxErrors" => {
            json!("1")
        }
        other => panic!("no key {other}"),
    };
    let all: Map<String, Value> = listed
        .iter()
        .map(|key| ((*key).to_owned(), values(key)))
        .collect();
    read(&all.clone().into(), "one").unwrap_or_else(|problems| panic!("{problems}"));
    let mut more = all;
    more.insert("Colour".to_owned(), json!("red"));
    let words = refused(&more.into());
    assert!(words.contains("Colour"), "{words}");
}

#[test]
fn an_external_id_that_stands_beside_the_request_is_not_shown() {
    for beside in [
        json!({ "access": { "external_id": "S3CRET" } }),
        json!({ "external_id": "S3CRET" }),
        json!({ "acces": [{ "externalId": "S3CRET" }] }),
    ] {
        let mut event = json!({ "event_id": "e-1", "request": request() });
        event
            .as_object_mut()
            .unwrap()
            .extend(beside.as_object().unwrap().clone());
        let text = refused(&event);
        assert!(text.contains("[unknown_key]"), "{text}");
        assert!(!text.contains("S3CRET"), "{text}");
    }
}
