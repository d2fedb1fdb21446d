//! Plans whose commands patchfleet sends itself.

use super::helpers::{OTHER, attended, place, planned, planned_with};
use crate::census::Depth;
use crate::plan::{Followed, Options, Plan};
use crate::refusal::RefusalCode;
use crate::request::PatchRequest;
use crate::tests::world::{CENTRAL, World, request_with};
use serde_json::{Value, json};

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// Four locations, of 120, 40, 40 and 3 nodes.
fn world() -> World {
    let mut world = World::default();
    for id in [CENTRAL, OTHER] {
        world.add(id, &REGIONS);
        for name in REGIONS {
            *world.place(id, name) = place(40, 0, 0);
        }
    }
    *world.place(CENTRAL, "eu-west-1") = place(120, 0, 0);
    *world.place(OTHER, "us-east-1") = place(2, 1, 0);
    world
}

fn asked(more: Value) -> PatchRequest {
    let mut rest = json!({
        "patch": {"operation": "Install"},
        "budget": {"locations": {"max_concurrency": 2, "max_errors": 1}},
        "automation": {"dispatch": "run-command"},
    });
    for (key, value) in more.as_object().unwrap() {
        rest[key] = value.clone();
    }
    request_with(
        json!({"resource_group": "W", "regions": REGIONS, "accounts": [CENTRAL, OTHER]}),
        rest,
    )
}

fn commands(plan: &Plan) -> Vec<(String, usize)> {
    let sends = plan.units.iter().map(|unit| unit.start.to_send().unwrap());
    sends
        .map(|(location, send)| (location.to_string(), send.settings.instance_ids.len()))
        .collect()
}

#[test]
fn each_command_names_up_to_fifty_nodes_of_one_location_and_those_that_do_not_answer_come_last() {
    let plan = planned(&world(), &asked(json!({}))).unwrap();
    let [central, other] = [CENTRAL, OTHER].map(|id| move |region: &str| format!("{id}/{region}"));
    assert_eq!(
        commands(&plan),
        [
            (central("eu-west-1"), 50),
            (central("eu-west-1"), 50),
            (central("eu-west-1"), 20),
            (central("us-east-1"), 40),
            (other("eu-west-1"), 40),
            (other("us-east-1"), 2),
            (other("us-east-1"), 1),
        ]
    );
    assert_eq!(plan.check(), Ok(()));
    assert!(plan.runbook.is_none());
    let dispatch = plan.dispatch.unwrap();
    assert_eq!((dispatch.commands, dispatch.commands_seconds), (7, 2));
    assert_eq!((dispatch.starts, dispatch.starts_rounds), (Some(1), Some(1)));
    let text = plan.to_text();
    for words in [
        "Dispatch: run-command\n  patchfleet sends 7 commands, about 5 a second: 2 s for all of them",
        "  Automation would take 1 start, about 1 a second: 1 s for all of them.",
        &format!("  1. AWS-RunPatchBaseline in {CENTRAL}/eu-west-1: 50 nodes"),
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert!(!text.contains("runbook"), "{text}");
    // Of the way by Automation alone.
    let own = text.replace("Automation would take 1 start", "");
    for word in ["execution", " start ", " starts", "Starts"] {
        assert!(!own.contains(word), "{word}: {text}");
    }
}

#[test]
fn its_requests_are_what_send_command_takes_beside_the_location_and_read_back_the_same() {
    let plan = planned(&world(), &asked(json!({}))).unwrap();
    let value = serde_json::to_value(&plan).unwrap();
    let request = &value["requests"][5];
    assert_eq!(
        request["Location"],
        json!({"account": OTHER, "region": "us-east-1"})
    );
    let send = &request["SendCommand"];
    assert_eq!(send["DocumentName"], "AWS-RunPatchBaseline");
    assert_eq!(send["Parameters"]["Operation"], json!(["Install"]));
    assert_eq!(send["Parameters"].get("Targets"), None);
    assert_eq!(
        (&send["MaxConcurrency"], &send["MaxErrors"]),
        (&json!("10%"), &json!("10%"))
    );
    assert!(send["TimeoutSeconds"].as_u64().unwrap() >= 3_600);
    assert_eq!(send.get("Comment"), None, "it comes with the campaign");
    let read = Plan::from_json(&plan.to_json()).unwrap();
    assert_eq!(read, plan);
    let planned = planned_with(&world(), &asked(json!({})), attended()).unwrap();
    assert_eq!(plan.differences(&planned), Vec::<String>::new());
}

#[test]
fn a_command_that_somebody_changed_in_the_plan_is_found() {
    let plan = planned(&world(), &asked(json!({}))).unwrap();
    let changes: [fn(&mut Plan); 4] = [
        |plan| {
            let command = plan.units[0].start.command.as_mut().unwrap();
            command.instance_ids.pop();
        },
        |plan| {
            let scan = vec!["Scan".to_owned()];
            plan.units[0]
                .start
                .parameters
                .insert("Operation".to_owned(), scan);
        },
        |plan| plan.units[0].start.command = None,
        |plan| plan.units[0].start.document_name = "AWS-RunShellScript".parse().unwrap(),
    ];
    for change in changes {
        let mut changed = plan.clone();
        change(&mut changed);
        assert!(changed.check().is_err());
    }
}

#[test]
fn a_bound_on_damage_lets_a_command_name_as_many_nodes_as_may_be_damaged_and_no_more_than_fifty() {
    let most = |damaged: u32| {
        let nodes = json!({"max_concurrency": "100%", "max_errors": "100%"});
        let locations = json!({"max_concurrency": 1, "max_errors": 4});
        let fleet = json!({"max_damaged": damaged});
        let budget = json!({"budget": {"fleet": fleet, "nodes": nodes, "locations": locations}});
        let plan = planned(&world(), &asked(budget)).unwrap();
        assert_eq!(plan.check(), Ok(()));
        commands(&plan).into_iter().map(|(_, nodes)| nodes).max().unwrap()
    };
    assert!(
        (1..=8).contains(&most(8)) && (21..=35).contains(&most(35)),
        "{} {}",
        most(8),
        most(35)
    );
    assert_eq!(most(150), 50);
}

#[test]
fn nobody_is_left_to_send_the_next_command_of_a_plan_that_nobody_follows() {
    let options = Options {
        followed: Followed::ByNobody,
        ..attended()
    };
    let reasons = planned_with(&world(), &asked(json!({})), options)
        .unwrap_err()
        .reasons;
    assert_eq!(reasons[0].code, RefusalCode::Unsupported);
    assert_eq!(reasons[0].subject, "automation.dispatch");
}

#[test]
fn a_plan_says_how_long_it_takes_by_commands_and_by_automation() {
    let now = "2026-03-01T22:00:00Z".parse().unwrap();
    let planned = |dispatch: &str| {
        let options = Options {
            now: Some(now),
            ..attended()
        };
        let more = json!({
            "automation": {"dispatch": dispatch},
            "budget": {
                "locations": {"max_concurrency": 2, "max_errors": 1},
                "nodes": {"max_concurrency": "100%", "max_errors": 1},
                "fleet": {"max_damaged": 100},
            },
        });
        planned_with(&world(), &asked(more), options).unwrap()
    };
    let (commands, starts) = (planned("run-command"), planned("automation"));
    let (of, forecast) = (commands.dispatch.unwrap(), starts.forecast.unwrap());
    assert_eq!(of.starts, Some(u32::try_from(starts.units.len()).unwrap()));
    assert_eq!(of.expected_seconds_by_automation, forecast.expected_seconds);
    assert_eq!(of.worst_seconds_by_automation, forecast.worst_seconds);
    let text = commands.to_text();
    let line = text
        .lines()
        .find(|line| line.contains("is expected to take"))
        .unwrap();
    insta::assert_snapshot!(line, @"  The campaign is expected to take 10 h 38 min, and 12 h 43 min by Automation; at worst 51 h 6 min, and 90 h 12 min by Automation.");
    assert!(starts.dispatch.is_none());
    let automation = starts.automation.unwrap();
    let by = automation.by_run_command.unwrap();
    let own = commands.forecast.unwrap();
    assert_eq!(by.commands, u32::try_from(commands.units.len()).unwrap());
    assert_eq!(
        (by.expected_seconds, by.worst_seconds),
        (own.expected_seconds, own.worst_seconds)
    );
    assert!(own.expected_seconds.is_some() && own.worst_seconds.is_some());
    let text = starts.to_text();
    let line = text.lines().find(|line| line.contains("by run-command")).unwrap();
    insta::assert_snapshot!(line, @"  by run-command  10 h 38 min, at worst 51 h 6 min: 7 commands, about 5 a second (automation.dispatch)");
    assert!(commands.automation.is_none());
    for plan in [commands, starts] {
        assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
    }
}

#[test]
fn a_plan_that_no_driver_follows_or_whose_nodes_were_not_counted_is_compared_with_nothing() {
    let request = asked(json!({"automation": {"dispatch": "automation"}}));
    let by_nobody = Options {
        followed: Followed::ByNobody,
        ..attended()
    };
    let not_counted = Options {
        depth: Depth::Presence,
        ..attended()
    };
    for options in [by_nobody, not_counted] {
        let automation = planned_with(&world(), &request, options)
            .unwrap()
            .automation
            .unwrap();
        assert_eq!(automation.by_run_command, None);
    }
    let counted = planned(&world(), &request).unwrap().automation.unwrap();
    assert_eq!(counted.by_run_command.map(|by| by.commands), Some(7));
}

#[test]
fn starts_that_name_nodes_have_two_lines_each_and_say_once_what_they_have_in_common() {
    let more = json!({"automation": {"dispatch": "automation"}, "budget": {
        "locations": {"max_concurrency": 2, "max_errors": 1},
        "nodes": {"max_concurrency": "10%", "max_errors": "10%"},
        "fleet": {"max_damaged": 60},
    }});
    let text = planned(&world(), &asked(more)).unwrap().to_text();
    let starts = &text[text.find("Starts\n").unwrap()..];
    let lines: Vec<&str> = starts
        .lines()
        .filter(|line| !line.contains("     nodes ") && !line.contains("     commands "))
        .collect();
    let (first, last) = (lines[..4].join("\n"), lines[lines.len() - 8..].join("\n"));
    insta::assert_snapshot!(format!("{first}\n  …\n{last}"), @"
    Starts
      They share 2 locations at once. Each carries the whole error budget of 1, since AWS counts for each apart.
      1. Patchfleet-RunPatchBaseline in 111111111111/eu-west-1 as AWS-SystemsManager-AutomationExecutionRole: 12 nodes
      2. Patchfleet-RunPatchBaseline in 111111111111/eu-west-1 as AWS-SystemsManager-AutomationExecutionRole: 12 nodes
      …
      33. Patchfleet-RunPatchBaseline in 222222222222/us-east-1 as AWS-SystemsManager-AutomationExecutionRole: 1 node
      with the parameters
         AutomationAssumeRole = arn:aws:iam::111111111111:role/AWS-SystemsManager-AutomationAdministrationRole
         MaxConcurrency = 10%
         MaxErrors = 10%
         Operation = Install
         RebootOption = RebootIfNeeded
      Starts of one location are sent its limits as counts: as many nodes at once as MaxConcurrency is of all its nodes, and as many errors as MaxErrors leaves after those before.
    ");
}

/// Of 240 accounts with a location each, and a start for each location because of the breaker.
fn many(places: &str, more: Value) -> Plan {
    let accounts: Vec<String> = (0..240)
        .map(|n| format!("{:012}", 200_000_000_000_u64 + n))
        .collect();
    let mut world = World::default();
    world.add(CENTRAL, &["us-east-1"]);
    for id in &accounts {
        world.add(id, &["us-east-1"]);
        *world.place(id, "us-east-1") = place(1, 0, 0);
    }
    let mut rest = json!({
        "patch": {"operation": "Install"},
        "budget": {"locations": {"max_concurrency": places, "max_errors": 1}},
        "breaker": {"consecutive_failures": 3},
    });
    rest.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let targets = json!({"resource_group": "W", "regions": ["us-east-1"], "accounts": accounts});
    planned(&world, &request_with(targets, rest)).unwrap()
}

#[test]
fn a_plan_says_how_long_its_starts_take_and_in_how_many_rounds_they_run_if_aws_does_not_run_all_at_once() {
    let said = |plan: &Plan| {
        let text = plan.to_text();
        let line = text
            .lines()
            .find(|line| line.starts_with("  starts  ") || line.starts_with("  commands  "));
        let line = line.unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        (plan.worst_case.starts_at_once, line)
    };
    let none = json!({});
    assert_eq!(
        said(&many("100%", none.clone())),
        (
            100,
            "starts 240, about 1 a second: 4 min for all of them, if each has a place; 100 run side by side, in at least 3 rounds: \
             AWS runs no more automations at once, unless your quota is larger"
                .to_owned()
        )
    );
    let waves = json!({"waves": [{"name": "canary", "locations": 120}]});
    let plan = many("100%", waves);
    let automation = plan.automation.unwrap();
    assert_eq!((automation.starts_seconds, automation.starts_rounds), (240, 4));
    let (at_once, line) = said(&plan);
    assert_eq!(at_once, 100);
    assert!(
        line.contains("100 run side by side, in at least 4 rounds: AWS"),
        "{line}"
    );
    assert_eq!(
        said(&many("20", none)),
        (
            20,
            "starts 240, about 1 a second: 4 min for all of them, if each has a place; 20 run side by side, and the others wait \
             for their places"
                .to_owned()
        )
    );
    let (at_once, line) = said(&many("100%", json!({"automation": {"dispatch": "run-command"}})));
    assert_eq!(
        (at_once, line.as_str()),
        (240, "commands 240, which patchfleet sends; all run side by side")
    );
}
