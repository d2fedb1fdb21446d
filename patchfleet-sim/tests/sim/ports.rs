//! The in-memory front, and the clock that both fronts share.

use crate::fleet::{ADMIN_ROLE, Fleet};
use futures_util::FutureExt;
use patchfleet_core::{
    id::{ClientToken, Location},
    port::{
        Automation, Clock, Commands, Directory, Documents, Inventory, InvocationStatus, PatchStates,
        PluginView, PortErrorKind, Selection, StartRequest, StopType, Walk,
    },
};
use patchfleet_sim::{ClockMode, MemoryPorts, SimClock, builtin, world::World};
use serde_json::json;

pub(crate) fn ports(clock: &SimClock) -> MemoryPorts {
    let role = "AWS-SystemsManager-AutomationExecutionRole".parse().unwrap();
    MemoryPorts::new(
        clock.clone(),
        "us-east-1".parse().unwrap(),
        role,
        "patchfleet".parse().unwrap(),
    )
}

pub(crate) fn clock(toml: &str) -> SimClock {
    SimClock::new(Fleet::of(toml).world, ClockMode::Jump)
}

pub(crate) fn request() -> StartRequest {
    serde_json::from_value(json!({
        "DocumentName": "Runbook",
        "Parameters": {
            "AutomationAssumeRole": [ADMIN_ROLE],
            "Operation": ["Install"],
            "Targets": [r#"{"Key":"resource-groups:Name","Values":["Web"]}"#],
        },
        "TargetLocations": [{
            "Accounts": ["222222222222"],
            "Regions": ["us-east-1"],
            "TargetLocationMaxConcurrency": "1",
            "TargetLocationMaxErrors": "0",
            "ExecutionRoleName": "AWS-SystemsManager-AutomationExecutionRole",
        }],
        "Tags": [{"Key": "campaign", "Value": "1"}],
    }))
    .unwrap()
}

#[tokio::test]
async fn a_stop_ends_an_execution_and_another_says_that_it_is_over() {
    let clock = clock(&crate::fleet::world("{ count = 3 }"));
    let ports = ports(&clock);
    let token: ClientToken = "01234567-89ab-cdef-0123-456789abcdef".parse().unwrap();
    let id = ports
        .start(&request(), token, jiff::Timestamp::MAX)
        .await
        .unwrap();
    assert!(!ports.execution(&id).await.unwrap().status.is_cancelled());
    ports.stop(&id, StopType::Cancel).await.unwrap();
    assert!(ports.execution(&id).await.unwrap().status.is_cancelled());
    clock.with_world(World::run_until_idle);
    let again = ports.stop(&id, StopType::Complete).await.unwrap_err();
    assert_eq!(again.kind(), PortErrorKind::NotRunning);
    let nobody = "00000000-0000-4000-8000-000000000000".parse().unwrap();
    let unknown = ports.stop(&nobody, StopType::Cancel).await.unwrap_err();
    assert_eq!(unknown.kind(), PortErrorKind::NotFound);
}

#[tokio::test]
async fn the_walk_leads_from_the_start_to_the_nodes_patch_states() {
    let clock = clock(&crate::fleet::world("{ count = 3 }"));
    let ports = ports(&clock);
    let token: ClientToken = "01234567-89ab-cdef-0123-456789abcdef".parse().unwrap();
    let began = clock.now();
    let id = ports
        .start(&request(), token, jiff::Timestamp::MAX)
        .await
        .unwrap();
    assert_eq!(
        ports
            .start(&request(), token, jiff::Timestamp::MAX)
            .await
            .unwrap(),
        id
    );
    assert_eq!(
        ports
            .find(&request().document_name, "campaign", None)
            .await
            .unwrap()
            .items,
        std::slice::from_ref(&id)
    );
    while !ports.execution(&id).await.unwrap().status.is_terminal() {
        let later = clock
            .now()
            .checked_add(jiff::SignedDuration::from_secs(30))
            .unwrap();
        clock.sleep_until(later).await;
    }
    let step = ports.steps(&id, None).await.unwrap().items.remove(0);
    let location = step.location.unwrap();
    assert_eq!(
        location,
        Location::new("222222222222".parse().unwrap(), "us-east-1".parse().unwrap())
    );
    let child = step.child.unwrap();
    assert_eq!(
        ports.children(&location, &id, None).await.unwrap().items,
        std::slice::from_ref(&child)
    );
    let child = ports.child(&location, &child).await.unwrap();
    let command = child.commands[0].id.clone();
    assert_eq!(
        ports.command(&location, &command).await.unwrap().counts.completed,
        3
    );
    let invocations = ports
        .invocations(&location, &command, true, None)
        .await
        .unwrap()
        .items;
    assert!(
        invocations
            .iter()
            .all(|one| one.status == InvocationStatus::Success)
    );
    let ran = |one: &PluginView| one.started_at.is_some() && one.response_code == Some(0);
    let plugin = invocations[0].plugins.iter().find(|one| ran(one)).unwrap();
    let printed = ports
        .output(&location, &command, &invocations[0].node, &plugin.name)
        .await
        .unwrap();
    assert!(!plugin.output.is_empty() && printed.starts_with(&plugin.output));
    let nodes: Vec<_> = invocations.into_iter().map(|one| one.node).collect();
    let states = ports.patch_states(&location, &nodes).await.unwrap();
    assert_eq!(states.len(), 3);
    assert!(
        states
            .iter()
            .all(|state| state.missing == 0 && state.operation == "Install" && state.ended_at > began)
    );
}

#[tokio::test]
async fn a_role_that_is_missing_is_its_own_kind_of_error() {
    let world = World::parse(builtin::TROUBLED.world).unwrap();
    let ports = ports(&SimClock::new(world, ClockMode::Jump));
    let group = Selection::Group("WebServers".parse().unwrap());
    let at = |account: &str, region: &str| Location::new(account.parse().unwrap(), region.parse().unwrap());
    let kind = |result: Result<_, patchfleet_core::port::PortError>| result.map(|_| ()).unwrap_err().kind();
    let missing = ports
        .members(&at("888899990000", "us-east-1"), &group, None)
        .await;
    assert_eq!(kind(missing), PortErrorKind::RoleNotAssumable);
    let nowhere = ports
        .members(&at("444455556666", "ap-southeast-2"), &group, None)
        .await;
    assert_eq!(kind(nowhere), PortErrorKind::NotFound);
    let disabled = ports
        .members(&at("777788889999", "eu-south-1"), &group, None)
        .await;
    assert_eq!(kind(disabled), PortErrorKind::RegionNotEnabled);
    let empty = ports
        .members(&at("333344445555", "us-east-1"), &group, None)
        .await
        .unwrap();
    assert!(empty.page.items.is_empty() && empty.page.next.is_none() && empty.query_errors.is_empty());
}

#[tokio::test]
async fn the_directory_shows_the_tree_the_states_and_the_regions() {
    let world = World::parse(builtin::CALM.world).unwrap();
    let ports = ports(&SimClock::new(world, ClockMode::Jump));
    let caller = ports.caller().await.unwrap();
    assert_eq!(caller.account.as_str(), "111122223333");
    let suspended = ports.account(&"999900001111".parse().unwrap()).await.unwrap();
    assert_eq!(suspended.state.as_str(), "SUSPENDED");
    let (mut parents, mut accounts) = (vec!["r-hf01".to_owned()], 0);
    while let Some(parent) = parents.pop() {
        let parent = match parent.parse().unwrap() {
            patchfleet_core::id::TargetAccount::Parent(parent) => parent,
            other => panic!("{other} is no parent"),
        };
        accounts += ports.accounts(&parent, None).await.unwrap().items.len();
        parents.extend(
            ports
                .child_units(&parent, None)
                .await
                .unwrap()
                .items
                .iter()
                .map(ToString::to_string),
        );
    }
    assert_eq!(accounts, 9);
    let (mut walk, mut usable) = (Walk::new("ListRegions"), vec![]);
    while let Some(page) = walk.next() {
        let page = ports
            .regions(&"555566667777".parse().unwrap(), page)
            .await
            .unwrap();
        usable.extend(
            page.items
                .into_iter()
                .filter(|one| one.status.is_usable())
                .map(|one| one.region.to_string()),
        );
        walk.advance(page.next).unwrap();
    }
    assert!(usable.contains(&"eu-south-1".to_owned()) && !usable.contains(&"af-south-1".to_owned()));
}

#[tokio::test]
async fn the_runbook_is_created_once_and_updated_only_if_it_differs() {
    let clock = clock(&crate::fleet::world(""));
    let ports = ports(&clock);
    let name = "Mine".parse().unwrap();
    let content = |step: &str| {
        json!({"schemaVersion": "0.3", "mainSteps": [{"name": step, "action": "aws:sleep"}]}).to_string()
    };
    assert_eq!(
        ports.document(&name).await.unwrap_err().kind(),
        PortErrorKind::NotFound
    );
    assert_eq!(ports.create(&name, content("a")).await.unwrap(), "1");
    assert_eq!(ports.update(&name, content("a")).await.unwrap(), None);
    assert_eq!(
        ports.update(&name, content("b")).await.unwrap().as_deref(),
        Some("2")
    );
    assert_eq!(ports.document(&name).await.unwrap().version, "1");
    assert_eq!(ports.latest_version(&name).await.unwrap(), "2");
    ports.set_default(&name, "2").await.unwrap();
    assert_eq!(ports.document(&name).await.unwrap().content, content("b"));
    // Each version is read by its number as well, and AWS's own documents in every location.
    let here = Location::new(
        crate::fleet::CENTRAL.parse().unwrap(),
        "us-east-1".parse().unwrap(),
    );
    let read = |at, name, version: &str| ports.read(at, name, version.parse().unwrap());
    assert_eq!(read(None, &name, "1").await.unwrap().content, content("a"));
    assert_eq!(
        read(None, &name, "3").await.unwrap_err().kind(),
        PortErrorKind::NotFound
    );
    let patch = "AWS-RunPatchBaseline".parse().unwrap();
    let view = read(Some(&here), &patch, "$DEFAULT").await.unwrap();
    assert!(view.content.contains("SnapshotId"), "{}", view.content);
}

#[tokio::test]
async fn sleeping_jumps_and_latency_takes_virtual_time() {
    let clock = clock(&format!("api_latency_ms = 250\n{}", crate::fleet::world("")));
    let began = clock.now();
    ports(&clock).caller().await.unwrap();
    assert_eq!(clock.now().duration_since(began).as_millis(), 250);
    let tomorrow = began.checked_add(jiff::SignedDuration::from_hours(24)).unwrap();
    clock.sleep_until(tomorrow).await;
    assert_eq!(clock.now(), tomorrow);
    clock.sleep_until(began).await;
    assert_eq!(clock.now(), tomorrow, "time never goes back");
}

#[tokio::test]
async fn at_speed_zero_a_sleeper_wakes_when_time_is_moved_by_hand() {
    let world = Fleet::of(&crate::fleet::world("")).world;
    let clock = SimClock::new(world, ClockMode::Scaled(0.0));
    let at = clock
        .now()
        .checked_add(jiff::SignedDuration::from_mins(10))
        .unwrap();
    let sleeper = tokio::spawn({
        let clock = clock.clone();
        async move { clock.sleep_until(at).await }
    });
    tokio::task::yield_now().await;
    clock.advance(jiff::SignedDuration::from_mins(4));
    tokio::task::yield_now().await;
    assert!(!sleeper.is_finished());
    clock.advance(jiff::SignedDuration::from_mins(6));
    sleeper.await.unwrap();
    assert_eq!(clock.now(), at);
}

#[test]
fn at_speed_zero_a_call_is_answered_although_calls_take_time() {
    let toml = format!("api_latency_ms = 250\n{}", crate::fleet::world("{ count = 1 }"));
    let clock = SimClock::new(Fleet::of(&toml).world, ClockMode::Scaled(0.0));
    let location = Location::new("222222222222".parse().unwrap(), "us-east-1".parse().unwrap());
    let ports = ports(&clock);
    let page = ports.managed(&location, None, None).now_or_never();
    let page = page.expect("the call waits for a time that never comes").unwrap();
    assert_eq!(page.items.len(), 1);
}
