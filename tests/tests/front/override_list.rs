//! What the nodes of a campaign have installed, as a list for a later request.

use super::{campaign, process, refused};
use patchfleet_core::{
    Campaigns, OverrideListError,
    campaign::{State, Store},
    id::WriterId,
    plan::{Attendance, Planning},
    refusal::RefusalCode,
    report::OverrideList,
    request::PatchRequest,
};
use patchfleet_sim::{ClockMode, MemoryPorts, SimClock, spec::FaultSpec, world::World};
use patchfleet_tests::request;
use serde_json::json;
use uuid::Uuid;

/// A Linux node and one of Windows in the first Region, and another Linux node in the second one.
const WORLD: &str = r#"
    management_account = "111111111111"
    documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
    accounts = [{ id = "111111111111", name = "Main" }, { id = "222222222222", name = "Web" }]
    [[groups]]
    name = "WebServers"
    accounts = ["222222222222"]
    regions = ["us-east-1", "eu-west-1"]
    nodes = [{ count = 1, patch = { missing = 3, installed = 120 } }]
    [[groups]]
    name = "Desks"
    accounts = ["111111111111"]
    regions = ["us-east-1"]
    nodes = [{ count = 1, platform = "Windows", patch = { missing = 3 } }]
"#;

fn world() -> SimClock {
    SimClock::new(World::parse(WORLD).unwrap(), ClockMode::Jump)
}

fn ask(more: &str) -> PatchRequest {
    request(&format!(
        r#"
        name = "weekly"
        targets = {{ all_managed = true, accounts = ["111111111111", "222222222222"], regions = ["us-east-1", "eu-west-1"] }}
        {more}
        "#
    ))
    .unwrap()
}

/// Runs a campaign of the request. Gives what the store has of it.
async fn ran(clock: &SimClock, store: &Store, request: &PatchRequest) -> State {
    let planning = Planning {
        attendance: Attendance::Attended,
        ..Planning::default()
    };
    let campaigns = process(clock, store, 1);
    campaigns.run(campaign(1), request, &planning).await.unwrap();
    store.load(campaign(1)).await.unwrap().unwrap()
}

const WAVES: &str = r#"
    patch = { operation = "Install" }
    waves = [{ name = "canary", accounts = ["111111111111"] }]
"#;

fn ids(list: &OverrideList) -> Vec<&str> {
    list.patches.iter().map(|patch| patch.id.as_str()).collect()
}

#[tokio::test]
async fn the_list_of_a_wave_has_the_patches_of_its_nodes_in_the_same_order_each_time() {
    let (clock, store) = (world(), Store::in_memory());
    let state = ran(&clock, &store, &ask(WAVES)).await;
    let campaigns = process(&clock, &store, 2);
    let starts = || {
        clock.with_world(|world| {
            let requests = world.requests().iter();
            requests.filter(|one| one.operation.starts_with("Start")).count()
        })
    };
    let before = starts();
    let list = async |wave: Option<&str>| {
        let wave = wave.map(|wave| wave.parse().unwrap());
        campaigns.override_list(&state, wave.as_ref()).await.unwrap()
    };
    let canary = list(Some("canary")).await;
    assert!(
        ids(&canary).iter().all(|id| id.starts_with("KB")),
        "{:?}",
        canary.patches
    );
    assert_eq!((canary.nodes, canary.is_whole()), (1, true));
    // More than a page, so more than one call for a state.
    let rest = list(Some("rest")).await;
    assert!(rest.patches.len() > 120, "{}", rest.patches.len());
    assert!(
        rest.patches
            .iter()
            .all(|patch| patch.title.starts_with(&format!("{}:0:", patch.id)))
    );
    assert!(rest.patches.is_sorted());
    assert_eq!((rest.nodes, rest.is_whole()), (2, true));
    let all = list(None).await;
    assert_eq!(all.nodes, 3);
    assert_eq!(all.patches.len(), canary.patches.len() + rest.patches.len());
    assert_eq!(list(None).await, all);
    assert_eq!(starts(), before, "nothing is started");
    assert_eq!(store.load(campaign(1)).await.unwrap().unwrap(), state);
}

#[tokio::test]
async fn a_location_that_may_not_be_read_is_named_and_the_others_are_read() {
    let (clock, store) = (world(), Store::in_memory());
    let state = ran(&clock, &store, &ask(WAVES)).await;
    let denied = json!({
        "effect": "deny", "accounts": ["222222222222"], "regions": ["eu-west-1"],
        "operations": ["ssm:DescribeInstancePatches"],
    });
    let denied: FaultSpec = serde_json::from_value(denied).unwrap();
    clock.with_world(|world| world.add_fault(denied).unwrap());
    let list = process(&clock, &store, 2)
        .override_list(&state, None)
        .await
        .unwrap();
    let [unread] = &list.unread[..] else {
        panic!("{:?}", list.unread)
    };
    assert_eq!(unread.location.to_string(), "222222222222/eu-west-1");
    assert!(
        unread.reason.contains("ssm:DescribeInstancePatches"),
        "{}",
        unread.reason
    );
    assert_eq!((list.nodes, list.is_whole()), (2, false));
}

#[tokio::test]
async fn a_list_of_what_is_not_over_says_so_and_that_of_a_wave_that_is_over_is_whole() {
    let (clock, store) = (world(), Store::in_memory());
    let waits = WAVES.replace("}]", ", approval = true }]");
    let campaigns = process(&clock, &store, 1);
    let planned = campaigns.plan(&ask(&waits), &Planning::default()).await.unwrap();
    planned.begin(campaign(1)).await.unwrap();
    let list = async |wave: Option<&str>| {
        let state = store.load(campaign(1)).await.unwrap().unwrap();
        let wave = wave.map(|wave| wave.parse().unwrap());
        campaigns.override_list(&state, wave.as_ref()).await.unwrap()
    };
    let all = list(None).await;
    assert_eq!((all.nodes, all.not_over, all.is_whole()), (0, 3, false));
    let of = format!("campaign {} (", campaign(1));
    assert!(all.remarks()[0].starts_with(&of), "{:?}", all.remarks());
    assert!(
        all.remarks()[0].ends_with(" is not over in 3 locations: what is patched there is not in the list"),
        "{:?}",
        all.remarks()
    );
    assert_eq!(list(Some("canary")).await.not_over, 1);
}

#[tokio::test]
async fn a_list_of_a_campaign_without_locations_has_nothing_and_is_not_said_to_scan() {
    let (clock, store) = (world(), Store::in_memory());
    let request = request(
        r#"
        name = "weekly"
        patch.operation = "Install"
        targets = { all_managed = true, accounts = ["111111111111"], regions = ["eu-west-1"] }
        policy.nothing_selected = "succeed"
        "#,
    )
    .unwrap();
    let state = ran(&clock, &store, &request).await;
    assert!(state.plan().locations.is_empty());
    let list = process(&clock, &store, 2)
        .override_list(&state, None)
        .await
        .unwrap();
    assert!(list.nothing().unwrap().starts_with("no node of campaign"));
}

#[tokio::test]
async fn what_installed_nothing_that_aws_keeps_and_a_wave_that_is_not_there_are_refused() {
    let refused = async |more: &str, wave: Option<&str>| {
        let (clock, store) = (world(), Store::in_memory());
        let state = ran(&clock, &store, &ask(more)).await;
        let wave = wave.map(|wave| wave.parse().unwrap());
        let list = process(&clock, &store, 2)
            .override_list(&state, wave.as_ref())
            .await;
        list.unwrap_err().to_string()
    };
    let id = campaign(1);
    assert_eq!(
        refused("", None).await,
        format!("every wave of campaign {id} only scans, and a list is made of nodes that it has patched")
    );
    let scans = WAVES.replace("}]", ", patch.operation = \"Scan\" }]");
    assert_eq!(
        refused(&scans, Some("canary")).await,
        format!("wave canary of campaign {id} only scans, and a list is made of nodes that it has patched")
    );
    assert_eq!(
        refused(WAVES, Some("other")).await,
        format!("campaign {id} has no location in a wave other. It has locations in: canary, rest")
    );
    let override_of_baseline =
        "patch = { operation = \"Install\", baseline_override = \"s3://bucket/baselines.json\" }";
    assert_eq!(
        refused(override_of_baseline, None).await,
        format!(
            "campaign {id} installed with patch.baseline_override, and AWS keeps no list of patches of such a run: name the \
             patches by hand"
        )
    );
}

#[tokio::test]
async fn a_list_is_asked_for_where_the_campaign_was_planned() {
    let (clock, store) = (world(), Store::in_memory());
    let state = ran(&clock, &store, &ask(WAVES)).await;
    let access = state.plan().request.access.clone();
    let (role, session) = (access.discovery_role, access.session_name);
    let elsewhere = MemoryPorts::new(clock, "eu-west-1".parse().unwrap(), role, session);
    let writer = WriterId::from_uuid(Uuid::from_u128(2));
    let campaigns = Campaigns::new(elsewhere.into_ports(), store, writer);
    let error = campaigns.override_list(&state, None).await.unwrap_err();
    let OverrideListError::Campaign(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(refused(&error), RefusalCode::OtherCentral);
}
