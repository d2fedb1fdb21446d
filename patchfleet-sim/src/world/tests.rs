//! What a call or an event costs does not grow with what happens elsewhere.

use super::World;
use crate::{Caller, Service, call};
use serde_json::{Value, json};

/// A world with two nodes in one Region of each of so many accounts.
fn world(accounts: u64) -> World {
    let ids: Vec<String> = (0..accounts).map(account).collect();
    let named: String = ids
        .iter()
        .map(|id| format!("[[accounts]]\nid = \"{id}\"\nname = \"A{id}\"\n"))
        .collect();
    World::parse(&format!(
        "management_account = \"{}\"\n{named}\
         [[documents]]\nname = \"Runbook\"\nbuiltin = \"patchfleet\"\n\
         [[groups]]\nname = \"Web\"\naccounts = {ids:?}\nregions = [\"us-east-1\"]\nnodes = [{{ count = 2 }}]\n",
        account(0),
    ))
    .unwrap()
}

fn account(number: u64) -> String {
    format!("{:012}", 100_000_000_000 + number)
}

/// Installs everywhere and lets everything happen; gives the execution's id.
fn install(world: &mut World, accounts: u64) -> String {
    let caller = Caller::administrator(world, "us-east-1".parse().unwrap());
    let ids: Vec<String> = (0..accounts).map(account).collect();
    let role = format!(
        "arn:aws:iam::{}:role/AWS-SystemsManager-AutomationAdministrationRole",
        account(0)
    );
    let input = json!({
        "DocumentName": "Runbook",
        "Tags": [{"Key": "mine", "Value": "1"}],
        "Parameters": {
            "AutomationAssumeRole": [role],
            "Operation": ["Install"],
            "Targets": [r#"{"Key":"resource-groups:Name","Values":["Web"]}"#],
            "MaxConcurrency": ["100%"],
            "MaxErrors": ["100%"],
        },
        "TargetLocations": [{
            "Accounts": ids,
            "Regions": ["us-east-1"],
            "TargetLocationMaxConcurrency": "100%",
        }],
    });
    let started = call(world, &caller, Service::Ssm, "StartAutomationExecution", input).unwrap();
    world.run_until_idle();
    started["AutomationExecutionId"].as_str().unwrap().to_owned()
}

fn looks(world: &World) -> usize {
    world.executions.looks() + world.commands.looks()
}

/// The looks of each thing that somebody may ask for, or do, in one location.
fn costs(accounts: u64) -> Vec<(String, usize)> {
    let mut world = world(accounts);
    let parent = install(&mut world, accounts);
    let caller = Caller::administrator(&world, "us-east-1".parse().unwrap());
    let command = world.commands.at(&caller.location()).next().unwrap();
    let node = command.invocations()[0].node().clone();
    let filter = |key: &str, value: &str| json!({"Filters": [{"Key": key, "Values": [value]}]});
    let asked: [(&str, Value); 7] = [
        ("ListCommands", json!({})),
        ("ListCommands", json!({"InstanceId": node})),
        ("ListCommandInvocations", json!({})),
        ("DescribeAutomationExecutions", json!({})),
        ("DescribeAutomationExecutions", filter("TagKey", "mine")),
        ("DescribeAutomationExecutions", filter("ExecutionId", &parent)),
        (
            "SendCommand",
            json!({
                "DocumentName": "AWS-RunShellScript",
                "InstanceIds": [node],
                "Parameters": {"commands": ["date"]},
            }),
        ),
    ];
    let mut costs = vec![];
    for (operation, input) in asked {
        let before = looks(&world);
        let shown = format!("{operation} {}", input.to_string().replace(&parent, "ID"));
        call(&mut world, &caller, Service::Ssm, operation, input).unwrap();
        costs.push((shown, looks(&world) - before));
    }
    let before = looks(&world);
    world.run_until_idle();
    costs.push(("the command's course".to_owned(), looks(&world) - before));
    let before = looks(&world);
    assert!(world.reboot(&node));
    world.run_until_idle();
    costs.push(("a reboot".to_owned(), looks(&world) - before));
    costs
}

#[test]
fn a_call_costs_the_same_however_much_has_happened_elsewhere() {
    let (few, many) = (costs(3), costs(30));
    assert_eq!(few, many);
    assert!(few.iter().all(|(_, looks)| *looks < 60), "{few:?}");
}

#[test]
fn ten_times_the_locations_are_ten_times_the_work() {
    let work = |accounts| {
        let mut world = world(accounts);
        install(&mut world, accounts);
        looks(&world)
    };
    let (some, tenfold) = (work(5), work(50));
    assert!(tenfold <= 11 * some, "{some} looks, and {tenfold}");
}

#[test]
fn the_queue_is_empty_when_everything_has_ended() {
    let mut world = world(3);
    install(&mut world, 3);
    assert!(
        world.time.events().next().is_none(),
        "a timeout whose work has ended takes room for hours: {:?}",
        world.time
    );
}

#[test]
fn a_node_remembers_no_command_that_is_through_with_it() {
    let mut world = world(3);
    install(&mut world, 3);
    assert!(world.nodes().all(|node| node.sent.is_empty()));
}
