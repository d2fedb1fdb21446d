//! Other people's hands, and nodes that are stopped, terminated or silent.

use crate::{
    fleet::{CENTRAL, Fleet, There, alone, world},
    socket::{send, sim},
};
use jiff::SignedDuration;
use patchfleet_sim::{
    ClockMode, Service, call,
    spec::{Change, CommandsOf, NodesOf},
    world::World,
};
use serde_json::{Value, json};

fn change(world: &mut World, change: Value) -> usize {
    let change: Change = serde_json::from_value(change).unwrap();
    world.change(&change).unwrap()
}

fn listed(there: &mut There) -> Vec<String> {
    let answer = there.ssm("DescribeInstanceInformation", json!({}));
    let list = answer["InstanceInformationList"].as_array().unwrap().iter();
    list.map(|one| one["InstanceId"].as_str().unwrap().to_owned())
        .collect()
}

fn members(there: &mut There) -> usize {
    let input = json!({"Group": "Web"});
    let (world, caller) = (&mut there.fleet.world, &there.caller);
    let answer = call(
        world,
        caller,
        Service::ResourceGroups,
        "ListGroupResources",
        input,
    )
    .unwrap();
    answer["ResourceIdentifiers"].as_array().unwrap().len()
}

fn wait(there: &mut There, minutes: i64) {
    there.fleet.world.advance_by(SignedDuration::from_mins(minutes));
}

#[test]
fn a_stopped_node_is_in_its_group_and_systems_manager_does_not_list_it() {
    let mut there = There::with_nodes(r#"{ count = 1 }, { count = 1, reachability = "stopped" }"#);
    assert_eq!(members(&mut there), 2);
    assert_eq!(listed(&mut there).len(), 1);
    assert_eq!(there.patch_states().len(), 2, "what it reported is kept");
    let command =
        there.run(|input| input["Targets"] = json!([{"Key": "resource-groups:Name", "Values": ["Web"]}]));
    assert_eq!(command["TargetCount"], 1);
}

#[test]
fn a_terminated_node_leaves_its_group_after_an_hour_and_is_listed_no_more_at_once() {
    let mut there = There::with_nodes("{ count = 2 }");
    let ended = change(
        &mut there.fleet.world,
        json!({"terminate": {"group": "Web", "count": 1}}),
    );
    assert_eq!((ended, members(&mut there), listed(&mut there).len()), (1, 2, 1));
    wait(&mut there, 61);
    assert_eq!(members(&mut there), 1);
    let again = change(&mut there.fleet.world, json!({"start": {}}));
    assert_eq!(again, 0, "for good");
}

#[test]
fn a_command_to_ids_is_refused_whole_if_one_of_them_is_stopped_terminated_or_not_registered() {
    for away in ["stopped", "terminated", "unmanaged"] {
        let nodes = format!("{{ count = 1 }}, {{ count = 1, reachability = \"{away}\" }}");
        let mut there = There::with_nodes(&nodes);
        let ids = there.ids();
        for named in [
            json!({"InstanceIds": ids}),
            json!({"Targets": [{"Key": "InstanceIds", "Values": ids}]}),
        ] {
            let mut input =
                json!({"DocumentName": "AWS-RunPatchBaseline", "Parameters": {"Operation": ["Scan"]}});
            input
                .as_object_mut()
                .unwrap()
                .extend(named.as_object().unwrap().clone());
            let error = there.call("SendCommand", input).unwrap_err();
            assert_eq!(
                (error.status(), error.code()),
                (400, "InvalidInstanceId"),
                "{away}"
            );
            let text = error.to_string();
            assert!(
                text.ends_with("Instances not in a valid state for account"),
                "{text}"
            );
        }
        assert_eq!(there.fleet.world.commands().count(), 0);
    }
}

#[test]
fn a_command_to_the_id_of_a_running_node_with_a_dead_agent_is_accepted_and_delayed() {
    let mut there = There::with_nodes(r#"{ count = 1, reachability = "offline" }"#);
    let ids = there.ids();
    let id = there.send(|input| {
        input.as_object_mut().unwrap().remove("Targets");
        input["InstanceIds"] = json!(ids);
    });
    wait(&mut there, 1);
    assert_eq!(there.ends(&id), ["Delayed"]);
}

#[test]
fn a_node_that_falls_silent_shows_as_online_for_five_minutes_more_and_its_last_ping_does_not_move() {
    let mut there = There::with_nodes("{ count = 1 }");
    change(&mut there.fleet.world, json!({"lose_agent": {}}));
    let look = |there: &mut There| {
        let answer = there.ssm("DescribeInstanceInformation", json!({}));
        let one = &answer["InstanceInformationList"][0];
        (
            one["PingStatus"].as_str().unwrap().to_owned(),
            one["LastPingDateTime"].clone(),
        )
    };
    let (status, ping) = look(&mut there);
    assert_eq!(status, "Online");
    wait(&mut there, 4);
    assert_eq!(look(&mut there), ("Online".to_owned(), ping.clone()));
    wait(&mut there, 1);
    assert_eq!(look(&mut there), ("ConnectionLost".to_owned(), ping.clone()));
    change(&mut there.fleet.world, json!({"gain_agent": {}}));
    let (status, back) = look(&mut there);
    assert_eq!(status, "Online");
    assert_ne!(back, ping);
}

#[test]
fn a_node_that_is_stopped_in_its_reboot_ends_its_run_when_it_is_started() {
    let mut there = There::with_nodes("{ count = 1, patch = { missing = 3 } }");
    let id = there.send(|input| input["Parameters"]["Operation"] = json!(["Install"]));
    while there
        .fleet
        .world
        .nodes()
        .all(patchfleet_sim::world::Node::is_online)
    {
        let next = there.fleet.world.next_event_at().unwrap();
        there.fleet.world.advance_to(next);
    }
    change(&mut there.fleet.world, json!({"stop": {}}));
    wait(&mut there, 30);
    assert_eq!(
        (there.ends(&id), listed(&mut there).len()),
        (vec!["InProgress".to_owned()], 0)
    );
    change(&mut there.fleet.world, json!({"start": {}}));
    wait(&mut there, 5);
    assert_eq!(
        (there.ends(&id), listed(&mut there).len()),
        (vec!["Success".to_owned()], 1)
    );
    assert_eq!(
        there.fleet.world.nodes().next().unwrap().patches().pending_reboot,
        0
    );
}

#[test]
fn changes_of_a_world_file_happen_at_their_times_and_the_state_shows_them() {
    let file = format!(
        r#"
        {}
        [[groups]]
        name = "Db"
        accounts = ["222222222222"]
        regions = ["us-east-1"]
        [[changes]]
        at = "10m"
        change = {{ leave_group = {{ group = "Web", nodes = {{ count = 2 }} }} }}
        [[changes]]
        at = 1200
        change = {{ join_group = {{ group = "Db", nodes = {{ group = "Web" }} }} }}
        [[changes]]
        at = "1h 30m"
        change = {{ delete_group = {{ group = "Web" }} }}
        "#,
        world("{ count = 3 }")
    );
    let mut world = World::parse(&file).unwrap();
    let counts = |world: &World| {
        let state = world.state();
        let nodes = state["nodes"].as_array().unwrap().clone();
        ["Web", "Db"].map(|group| {
            let has = |node: &&Value| node["groups"].as_array().unwrap().contains(&json!(group));
            nodes.iter().filter(has).count()
        })
    };
    let mut seen = vec![counts(&world)];
    for minutes in [10, 10, 70] {
        world.advance_by(SignedDuration::from_mins(minutes));
        seen.push(counts(&world));
    }
    assert_eq!(seen, [[3, 0], [1, 0], [1, 1], [0, 1]]);
    let state = world.state();
    let touched: Vec<_> = state["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["touched"])
        .collect();
    assert_eq!(touched, [&json!(2), &json!(1), &json!(1)]);
    assert_eq!(state["changes"][0]["at"], "2026-03-01T00:10:00Z");
}

#[test]
fn a_role_that_is_taken_away_leaves_its_sessions_nothing_and_denied_actions_come_and_go() {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    let caller = fleet.within("222222222222", "us-east-1");
    let look = |fleet: &mut Fleet, given: Value| {
        let role = json!({"role": given});
        assert!(change(&mut fleet.world, role) > 0);
        let input = json!({});
        call(
            &mut fleet.world,
            &caller,
            Service::Ssm,
            "DescribeInstanceInformation",
            input,
        )
        .map_err(|error| error.code().to_owned())
        .map(drop)
    };
    const ROLE: &str = "AWS-SystemsManager-AutomationExecutionRole";
    let denied = Err("AccessDeniedException".to_owned());
    assert_eq!(
        look(&mut fleet, json!({"name": ROLE, "deny": ["ssm:Describe*"]})),
        denied
    );
    assert_eq!(
        look(&mut fleet, json!({"name": ROLE, "allow": ["ssm:Describe*"]})),
        Ok(())
    );
    assert_eq!(
        look(&mut fleet, json!({"name": ROLE, "state": "missing"})),
        denied
    );
    assert_eq!(look(&mut fleet, json!({"name": ROLE, "state": "ok"})), Ok(()));
    change(
        &mut fleet.world,
        json!({"account": {"id": "222222222222", "state": "SUSPENDED"}}),
    );
    let listed = call(
        &mut fleet.world,
        &fleet.caller.clone(),
        Service::Organizations,
        "ListAccounts",
        json!({}),
    );
    assert_eq!(listed.unwrap()["Accounts"][1]["State"], "SUSPENDED");
    assert_eq!(look(&mut fleet, json!({"name": ROLE})), denied);
}

#[test]
fn a_document_gets_another_content_another_default_version_and_is_deleted() {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    let default = |fleet: &mut Fleet, given: Value| {
        assert!(change(&mut fleet.world, given) > 0);
        let input = json!({"Name": "Runbook"});
        let shown = fleet
            .ssm("DescribeDocument", input)
            .map_err(|error| error.code().to_owned());
        shown.map(|shown| shown["Document"]["DefaultVersion"].as_str().unwrap().to_owned())
    };
    let content = json!({"schemaVersion": "0.3", "mainSteps": [
        {"name": "wait", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}},
    ]});
    let document = json!({"name": "Runbook", "regions": ["us-east-1"]});
    let update = json!({"document": document, "content": content.to_string()});
    assert_eq!(
        default(&mut fleet, json!({"update_document": update})),
        Ok("2".to_owned())
    );
    let back = json!({"default_version": {"document": document, "version": 1}});
    assert_eq!(default(&mut fleet, back), Ok("1".to_owned()));
    let gone = json!({"delete_document": document});
    assert_eq!(default(&mut fleet, gone), Err("InvalidDocument".to_owned()));
}

#[test]
fn an_account_makes_a_document_where_it_has_none_of_that_name() {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    let content = json!({"schemaVersion": "0.3", "mainSteps": [
        {"name": "wait", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}},
    ]});
    let make = |account: &str, content: &str| {
        json!({"create_document": {
            "name": "Runbook", "account": account, "regions": ["us-east-1"], "content": content,
        }})
    };
    let theirs = make("222222222222", &content.to_string());
    assert_eq!(change(&mut fleet.world, theirs.clone()), 1);
    assert_eq!(change(&mut fleet.world, theirs), 0, "it is there");
    assert_eq!(change(&mut fleet.world, make(CENTRAL, &content.to_string())), 0);
    let change: Change = serde_json::from_value(make("333333333333", "{}")).unwrap();
    let problems = fleet.world.change(&change).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[1].starts_with("content: "), "{problems:?}");
}

#[test]
fn executions_are_cancelled_by_their_tags_and_commands_one_by_one() {
    let mut fleet = Fleet::with_nodes("{ count = 1 }");
    let tagged = |value: &str| json!([{"Key": "Campaign", "Value": value}]);
    let [one, two] = ["a", "b"].map(|value| {
        fleet.start(&["222222222222"], &["us-east-1"], |input| {
            input["Tags"] = tagged(value);
        })
    });
    let other = fleet.start(&["222222222222"], &["us-east-1"], |_| ());
    fleet.world.advance_by(SignedDuration::from_secs(60));
    let hit = change(
        &mut fleet.world,
        json!({"cancel_executions": {"tags": {"Campaign": "a"}}}),
    );
    assert_eq!(hit, 1);
    let running = fleet
        .world
        .commands()
        .find(|command| !command.status().0.is_terminal());
    let running = running.unwrap().id().to_owned();
    assert_eq!(
        change(&mut fleet.world, json!({"cancel_commands": {"ids": [running]}})),
        1
    );
    fleet.world.run_until_idle();
    assert_eq!(fleet.status(&one), "Cancelled");
    assert_ne!(fleet.status(&two), "Cancelled");
    assert_ne!(fleet.status(&other), "Cancelled");
}

#[test]
fn a_command_that_an_alarm_ends_is_failed_and_its_script_patches_the_node_all_the_same() {
    let mut there = There::with_nodes("{ count = 1, patch = { missing = 3 } }");
    let id = there.send(|input| input["Parameters"]["Operation"] = json!(["Install"]));
    there.fleet.world.advance_by(SignedDuration::from_secs(60));
    let world = &mut there.fleet.world;
    assert_eq!(world.change(&Change::Alarm(CommandsOf::default())), Ok(1));
    assert_eq!(there.ends(&id), ["Terminated"]);
    let command = there.command(&id);
    assert_eq!(
        [
            &command["Status"],
            &command["StatusDetails"],
            &command["ErrorCount"],
            &command["CompletedCount"]
        ],
        [&json!("Failed"), &json!("FailedDueToAlarm"), &json!(0), &json!(1)]
    );
    there.fleet.world.run_until_idle();
    assert_eq!(there.ends(&id), ["Terminated"], "its end is what it was");
    let state = there.patch_states().remove(0);
    assert_eq!(
        [&state["Operation"], &state["MissingCount"]],
        [&json!("Install"), &json!(0)]
    );
}

#[test]
fn a_change_that_names_what_is_not_there_is_refused_with_everything_that_is_wrong() {
    let mut world = World::parse(&alone("", "{ count = 1 }")).unwrap();
    let change = Change::Stop(NodesOf {
        ids: vec![
            "i-00000000000000000".parse().unwrap(),
            "mi-00000000000000000".parse().unwrap(),
        ],
        group: Some("Nowhere".to_owned()),
        accounts: vec!["999999999999".parse().unwrap()],
        ..NodesOf::default()
    });
    assert_eq!(
        world.change(&change).unwrap_err(),
        [
            "mi-00000000000000000 is a hybrid node, and only EC2 nodes are stopped or terminated: use lose_agent",
            "there is no node i-00000000000000000",
            "there is no node mi-00000000000000000",
            "there is no group Nowhere",
            "999999999999 is not one of accounts",
        ]
    );
    assert!(world.changes().is_empty());
    let file = format!(
        "{}\n[[changes]]\nat = \"soon\"\nchange = {{ stop = {{ group = \"Web\" }} }}",
        alone("", "{ count = 1 }")
    );
    let error = World::parse(&file).unwrap_err().to_string();
    assert!(
        error.contains("changes[0].at: \"soon\" is no length of time"),
        "{error}"
    );
}

#[tokio::test]
async fn post_change_does_it_at_once_or_at_its_time_and_get_shows_what_has_happened() {
    let sim = sim(ClockMode::Scaled(0.0)).await;
    let body = r#"{"change": {"stop": {"group": "Web", "count": 1}}}"#;
    let answer = send(&sim, "POST /_sim/change", &[], body).await;
    assert_eq!((answer.status, &answer.json()[0]["touched"]), (200, &json!(1)));
    let body = r#"{"at": "5m", "change": {"lose_agent": {}}}"#;
    assert_eq!(
        send(&sim, "POST /_sim/change", &[], body)
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    sim.clock().advance(SignedDuration::from_mins(5));
    let seen = send(&sim, "GET /_sim/change", &[], "").await.json();
    assert_eq!(
        [&seen[1]["touched"], &seen[1]["at"]],
        [&json!(2), &json!("2026-03-01T00:05:00Z")]
    );
    let wrong = send(
        &sim,
        "POST /_sim/change",
        &[],
        r#"{"change": {"stop": {"group": "No"}}}"#,
    )
    .await;
    assert_eq!(
        (wrong.status, wrong.json()),
        (400, json!({"error": "there is no group No"}))
    );
}
