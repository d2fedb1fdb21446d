//! The worlds that come with the simulator, and that they are what they say.

use patchfleet_core::request::{Format, Operation, PatchRequest};
use patchfleet_sim::{
    Caller, Service, builtin, call,
    world::{Command, Node, Status, Step, World},
};
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn the_built_in_worlds_are_as_large_as_they_say() {
    for builtin in builtin::ALL {
        let world = World::parse(builtin.world).unwrap();
        let accounts = world.organization().accounts().count();
        assert!(accounts >= 6, "{}: {accounts} accounts", builtin.name);
        let nodes = world.nodes().count();
        assert!((40..=80).contains(&nodes), "{}: {nodes} nodes", builtin.name);
        let management = world.organization().management_account();
        assert!(world.nodes().any(|node| node.location().account == *management));
        assert!(world.nodes().any(|node| node.id().as_str().starts_with("mi-")));
        assert!(builtin.request.contains(world.organization().root().as_str()));
    }
    let calm = World::parse(builtin::CALM.world).unwrap();
    assert!(calm.nodes().all(Node::is_online));
}

#[test]
fn the_built_in_requests_are_valid_and_ask_for_an_install() {
    for builtin in builtin::ALL {
        let request = PatchRequest::parse(builtin.request.as_bytes(), Format::Toml).unwrap();
        assert_eq!(request.patch.operation, Operation::Install, "{}", builtin.name);
    }
}

/// Installs on every location of the request, as the request would; gives the world afterwards.
fn after_an_install(builtin: builtin::Builtin) -> World {
    let mut world = World::parse(builtin.world).unwrap();
    let caller = Caller::administrator(&world, "us-east-1".parse().unwrap());
    let root = world.organization().root().to_string();
    // A runbook of the test's own, so that this does not depend on what patchfleet's own asks for.
    let content = json!({
        "schemaVersion": "0.3",
        "mainSteps": [{
            "name": "run", "action": "aws:runCommand",
            "inputs": {
                "DocumentName": "AWS-RunPatchBaseline",
                "Targets": [{"Key": "resource-groups:Name", "Values": ["WebServers"]}],
                "Parameters": {"Operation": "Install"},
                "MaxConcurrency": "50%",
                "MaxErrors": "100%",
            },
        }],
    });
    let document = json!({"Name": "Direct", "DocumentType": "Automation", "Content": content.to_string()});
    call(&mut world, &caller, Service::Ssm, "CreateDocument", document).unwrap();
    let start = json!({
        "DocumentName": "Direct",
        "TargetLocations": [{
            "Accounts": [root],
            "IncludeChildOrganizationUnits": true,
            "Regions": ["us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2", "eu-south-1"],
            "TargetLocationMaxConcurrency": "10",
            "TargetLocationMaxErrors": "100%",
        }],
    });
    call(
        &mut world,
        &caller,
        Service::Ssm,
        "StartAutomationExecution",
        start,
    )
    .unwrap();
    world.run_until_idle();
    world
}

#[test]
fn in_the_calm_world_every_node_is_patched_within_the_hour() {
    let world = after_an_install(builtin::CALM);
    assert!(
        world
            .nodes()
            .all(|node| node.patches().missing == 0 && node.installs() == 1)
    );
    let parent = world.executions().find(|one| one.is_cross_account()).unwrap();
    assert_eq!(parent.status(), Status::Success);
    let last = parent.steps().iter().filter_map(Step::ended).max().unwrap();
    let minutes = last.duration_since(world.start()).as_mins();
    assert!(minutes < 60, "{minutes}");
}

#[test]
fn in_the_troubled_world_every_kind_of_trouble_happens() {
    let world = after_an_install(builtin::TROUBLED);
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for invocation in world.commands().flat_map(Command::invocations) {
        *ends.entry(invocation.state().status().1).or_default() += 1;
    }
    assert_eq!(ends.get("Failed"), Some(&2));
    assert_eq!(ends.get("DeliveryTimedOut"), Some(&2));
    assert_eq!(ends.get("ExecutionTimedOut"), Some(&1));
    assert_eq!(ends.keys().len(), 4, "{ends:?}");
    let unlisted: Vec<_> = world.nodes().filter(|node| !node.is_managed()).collect();
    assert_eq!(unlisted.len(), 2, "one is stopped, and one was never registered");
    assert!(unlisted.iter().all(|node| node.installs() == 0));
    let state = world.state();
    let stopped = state["nodes"].as_array().unwrap().iter();
    assert_eq!(
        stopped.filter(|node| node["reachability"] == "stopped").count(),
        1
    );
    let failed_patches = world
        .nodes()
        .filter(|node| node.report().is_some_and(|report| report.found.failed > 0));
    assert_eq!(failed_patches.count(), 3, "two that fail and one that hides it");
    let parent = world.executions().find(|one| one.is_cross_account()).unwrap();
    let refused = parent
        .steps()
        .iter()
        .filter(|step| step.failure().is_some_and(|text| text.contains("888899990000")));
    assert_eq!(refused.count(), 5, "one for each Region");
}
