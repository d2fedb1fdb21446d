//! In the place of the second post's function: its variables, its runbook and its roles, and an event that says nothing.

use super::several::patched;
use super::*;
use patchfleet_sim::operations;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The runbook that the sample's stack creates, with its group and rates baked in.
const DOCUMENT: &str = r#"{"schemaVersion":"0.3","description":"Run AWS-RunPatchBaseline","assumeRole":"{{ AutomationAssumeRole }}","parameters":{"AutomationAssumeRole":{"type":"String"},"Operation":{"type":"String","default":"Scan"},"RebootOption":{"type":"String","default":"RebootIfNeeded"},"InstallOverrideList":{"type":"String","default":""},"SnapshotId":{"type":"String","default":""}},"mainSteps":[{"name":"runPatchBaseline","action":"aws:runCommand","timeoutSeconds":7200,"onFailure":"Abort","inputs":{"DocumentName":"AWS-RunPatchBaseline","Targets":[{"Key":"resource-groups:Name","Values":["WebServers"]}],"Parameters":{"Operation":"{{Operation}}","RebootOption":"{{RebootOption}}","SnapshotId":"{{SnapshotId}}","InstallOverrideList":"{{InstallOverrideList}}"},"MaxConcurrency":"10%","MaxErrors":"10%"}}]}"#;

/// The accounts of the calm world that are active.
const ACCOUNTS: &str =
    "111122223333,222233334444,333344445555,444455556666,555566667777,666677778888,777788889999,888899990000";

/// Its Regions.
const ALL_REGIONS: &str = "us-east-1, us-west-2,eu-west-1, ap-southeast-2,eu-south-1";

/// The world with the sample's runbook in it.
fn with_the_sample(world: &str) -> String {
    format!("{world}\n[[documents]]\nname = \"Automation-RunPatchBaseline\"\ncontent = '''{DOCUMENT}'''\n")
}

/// The variables as the sample's stack sets them, with these `changes`.
fn variables<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut variables = vec![
        ("TargetAccounts", ACCOUNTS),
        (
            "TargetRegionIds",
            "us-east-1, us-west-2,eu-west-1, ap-southeast-2",
        ),
        ("RunPatchBaselineOperation", "Install"),
        ("RunPatchBaselineRebootOption", "RebootIfNeeded"),
        ("RunPatchBaselineInstallOverrideList", ""),
        ("ResourceGroupName", "WebServers"),
        ("MaximumConcurrency", "10%"),
        ("MaximumErrors", "10%"),
        ("TargetLocationMaxConcurrency", "1"),
        ("TargetLocationMaxErrors", "1"),
        ("ExecutionRoleName", "AWS-SystemsManager-AutomationExecutionRole"),
        ("MasterAccountID", "111122223333"),
        (
            "AutomationDocumentMamrRunPatchBaseline",
            "Automation-RunPatchBaseline",
        ),
    ];
    variables.extend(changes);
    variables
}

/// The event of a rule without an input, as the sample's schedule sends it.
fn scheduled(id: &str) -> Value {
    json!({ "version": "0", "id": id, "detail-type": "Scheduled Event", "source": "aws.events",
            "account": "111122223333", "time": "2026-03-03T22:15:00Z", "region": "us-east-1",
            "resources": ["arn:aws:events:us-east-1:111122223333:rule/Schedule-Trigger"], "detail": {} })
}

/// How many locations have nodes.
fn populated(sim: &Sim) -> usize {
    sim.with_world(|world| {
        let places: BTreeSet<String> = world.nodes().map(|node| node.location().to_string()).collect();
        places.len()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_samples_variables_alone_patch_the_calm_world_whole() {
    let sim = simulator_of(&with_the_sample(CALM.world)).await;
    let all = variables(&[
        ("TargetRegionIds", ALL_REGIONS),
        ("TargetLocationMaxConcurrency", "2"),
    ]);
    let mut function = Function::start_with(&sim.endpoint(), &all).await;
    let summary = response(function.invoke("one", scheduled("1a6ab819")).await);
    assert_eq!(summary["outcome"], "started", "{summary}");
    assert_eq!(starts(&sim)[0]["DocumentName"], "Automation-RunPatchBaseline");
    let warnings = summary["warnings"].to_string();
    for kept in [
        "111122223333/us-west-2 (empty)",
        "444455556666/ap-southeast-2 (group_missing)",
        "for 2 locations at once",
    ] {
        assert!(warnings.contains(kept), "no {kept} in {warnings}");
    }
    let each = summary["warnings"].as_array().unwrap();
    let planned = each
        .iter()
        .find(|each| each.to_string().contains("although there is no node"));
    assert!(
        !planned.unwrap().to_string().contains("333344445555/"),
        "an account without a node is left out: {warnings}"
    );
    // The sample would have started there, and failed.
    assert!(
        warnings.contains("6 locations are left out, because the Region is not enabled in the account"),
        "{warnings}"
    );
    // The schedule's event comes twice.
    let again = response(function.invoke("two", scheduled("1a6ab819")).await);
    assert_eq!(again["outcome"], "already_started");
    assert_eq!(again["campaign_id"], summary["campaign_id"]);
    sim.with_world(World::run_until_idle);
    assert_eq!((patched(&sim), populated(&sim)), (19, 19));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_location_at_once_the_samples_rectangle_is_kept() {
    let sim = simulator_of(&with_the_sample(CALM.world)).await;
    let mut function = Function::start_with(&sim.endpoint(), &variables(&[])).await;
    let rehearsal = json!({ "op": "plan", "event": {} });
    let planned = response(function.invoke("rehearsal", rehearsal).await);
    assert_eq!(starts(&sim), Vec::<Value>::new());
    let summary = response(function.invoke("one", json!({})).await);
    assert_eq!(summary["outcome"], "started", "{summary}");
    assert_eq!(summary["executions"].as_array().unwrap().len(), 1);
    assert_eq!(planned["units"].as_array().unwrap().len(), 1, "{planned}");
    assert_eq!(planned["locations"], summary["locations"]);
    assert_eq!(planned["warnings"], summary["warnings"]);
    assert_eq!(summary["locations"], 28, "7 accounts in 4 Regions");
    sim.with_world(World::run_until_idle);
    // The nineteenth is in a Region that the variables do not name.
    assert_eq!(patched(&sim), 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_windows_payload_patches_the_calm_world_whole() {
    let sim = simulator().await;
    let mut function = Function::start(&sim.endpoint()).await;
    let payload = json!({
        "Regions": ALL_REGIONS,
        "TargetAccounts": ACCOUNTS, "ResourceGroup": "WebServers", "Operation": "Install",
        "MaxConcurrency": "50%", "TargetLocationMaxConcurrency": "10", "TargetLocationMaxErrors": "1",
        "WindowExecutionId": "0b3c9b1e-5a3c-4a63-9a0c-6f1f2a3b4c5d",
    });
    let summary = response(function.invoke("window", payload).await);
    assert_eq!(
        (&summary["outcome"], &summary["locations"]),
        (&json!("started"), &json!(19))
    );
    sim.with_world(World::run_until_idle);
    assert_eq!(patched(&sim), 19);
}

const REGIONS: [&str; 5] = ["us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1"];

fn account(n: u64) -> String {
    (200_000_000_000 + n).to_string()
}

/// 120 accounts with five Regions each. Every third account has one empty location, each in another Region than the one
/// before.
pub(crate) fn large() -> String {
    large_of(120)
}

pub(crate) fn large_of(accounts: u64) -> String {
    let mut world = r#"
management_account = "111111111111"
[organization]
id = "o-largeorg01"
root = "r-la01"
[[documents]]
name = "Patchfleet-RunPatchBaseline"
builtin = "patchfleet"
[[accounts]]
id = "111111111111"
name = "Main"
"#
    .to_owned();
    for n in 0..accounts {
        let id = account(n);
        write!(world, "[[accounts]]\nid = \"{id}\"\nname = \"Team {n}\"\n").unwrap();
    }
    let group = |account: &str, regions: &[&str], nodes: &str| {
        format!(
            "[[groups]]\nname = \"WebServers\"\naccounts = [\"{account}\"]\nregions = {regions:?}\n{nodes}\n"
        )
    };
    for n in 0..accounts {
        let (account, index) = (account(n), usize::try_from(n).unwrap());
        let empty = (index % 3 == 0).then_some(REGIONS[index / 3 % REGIONS.len()]);
        let full: Vec<&str> = REGIONS
            .into_iter()
            .filter(|region| Some(*region) != empty)
            .collect();
        world += &group(&account, &full, "nodes = [{ count = 1 }]");
        if let Some(empty) = empty {
            world += &group(&account, &[empty], "");
        }
    }
    world
}

fn large_accounts() -> String {
    let all: Vec<String> = (0..120).map(account).collect();
    all.join(",")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_and_twenty_accounts_with_empty_locations_are_patched_whole_from_a_payload() {
    let sim = simulator_of(&large()).await;
    let mut function = Function::start(&sim.endpoint()).await;
    let payload = json!({
        "Regions": REGIONS.join(","), "TargetAccounts": large_accounts(), "ResourceGroup": "WebServers",
        "Operation": "Install", "MaxConcurrency": "1", "TargetLocationMaxConcurrency": "10%",
        "TargetLocationMaxErrors": "10%", "WindowExecutionId": "w-large",
    });
    assert!(payload.to_string().len() < 4096);
    let summary = response(function.invoke("window", payload).await);
    assert_eq!(summary["outcome"], "started", "{summary}");
    assert_eq!(
        (&summary["candidates"], &summary["locations"]),
        (&json!(600), &json!(560))
    );
    assert!(summary["executions"].as_array().unwrap().len() > 5);
    sim.with_world(World::run_until_idle);
    assert_eq!((patched(&sim), populated(&sim)), (560, 560));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_and_twenty_accounts_are_patched_whole_from_the_samples_variables() {
    let sim = simulator_of(&with_the_sample(&large())).await;
    let (accounts, regions) = (large_accounts(), REGIONS.join(","));
    let changes = [
        ("TargetAccounts", accounts.as_str()),
        ("TargetRegionIds", regions.as_str()),
        ("MasterAccountID", "111111111111"),
    ];
    // Over 50 accounts take several executions, so one location at once is not enough.
    let mut function = Function::start_with(&sim.endpoint(), &variables(&changes)).await;
    let (kind, message) = error(function.invoke("one", json!({})).await);
    assert_eq!(kind, "Refused");
    assert!(
        message.contains("TargetLocationMaxConcurrency")
            && message.contains("lets 1 location be patched at once"),
        "{message}"
    );
    assert_eq!(starts(&sim), Vec::<Value>::new());

    let mut all = variables(&changes);
    all.push(("TargetLocationMaxConcurrency", "3"));
    let mut function = Function::start_with(&sim.endpoint(), &all).await;
    let summary = response(function.invoke("two", json!({})).await);
    assert_eq!(summary["outcome"], "started", "{summary}");
    assert_eq!(summary["executions"].as_array().unwrap().len(), 3);
    assert_eq!(summary["locations"], 600);
    sim.with_world(World::run_until_idle);
    assert_eq!((patched(&sim), populated(&sim)), (560, 560));
}

/// What the sample's template grants to the function's role, beside its log.
const GRANTED_TO_THE_FUNCTION: [&str; 1] = ["ssm:StartAutomationExecution"];

/// What the sample's template grants to the execution role of each account.
const GRANTED_IN_EACH_ACCOUNT: [&str; 8] = [
    "resource-groups:ListGroupResources",
    "ssm:DescribeInstanceInformation",
    "ssm:GetAutomationExecution",
    "ssm:GetParameters",
    "ssm:ListCommandInvocations",
    "ssm:ListCommands",
    "ssm:SendCommand",
    "ssm:StartAutomationExecution",
];

/// The actions that the page on the sample's function adds to its role.
fn added_by_the_page() -> BTreeSet<String> {
    let policy: Value = serde_json::from_str(include_str!("../../in-place-of-the-sample.json")).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| match &statement["Action"] {
        Value::Array(actions) => actions.clone(),
        action => vec![action.clone()],
    });
    actions
        .map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_samples_roles_and_what_the_page_adds_are_all_that_it_takes() {
    let everything: BTreeSet<String> = operations()
        .into_iter()
        .map(|(service, operation)| format!("{}:{operation}", service.name()))
        .collect();
    let but = |allowed: &BTreeSet<String>| {
        let denied: Vec<&String> = everything.difference(allowed).collect();
        serde_json::to_string(&denied).unwrap()
    };
    let owned =
        |actions: &[&str]| -> BTreeSet<String> { actions.iter().map(|&action| action.to_owned()).collect() };
    let roles = format!(
        "roles = [\n{{ name = \"Function\", denied_actions = {} }},\n\
         {{ name = \"AWS-SystemsManager-AutomationExecutionRole\", denied_actions = {} }},\n]",
        but(&(&owned(&GRANTED_TO_THE_FUNCTION) | &added_by_the_page())),
        but(&owned(&GRANTED_IN_EACH_ACCOUNT)),
    );
    let world = CALM
        .world
        .replacen("[organization]", &format!("{roles}\n[organization]"), 1);
    let sim = simulator_of(&with_the_sample(&world)).await;
    let credentials = sim
        .role_credentials("arn:aws:iam::111122223333:role/Function")
        .unwrap();
    let session = credentials.session_token.unwrap_or_default();
    let all = variables(&[
        ("TargetRegionIds", ALL_REGIONS),
        ("TargetLocationMaxConcurrency", "2"),
        ("AWS_ACCESS_KEY_ID", &credentials.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key),
        ("AWS_SESSION_TOKEN", &session),
    ]);
    let mut function = Function::start_with(&sim.endpoint(), &all).await;
    let summary = response(function.invoke("one", scheduled("1a6ab819")).await);
    assert_eq!(summary["outcome"], "started", "{summary}");
    // A retry looks for what was started, and may.
    let again = response(function.invoke("two", scheduled("1a6ab819")).await);
    assert_eq!(again["outcome"], "already_started");
    sim.with_world(World::run_until_idle);
    assert_eq!(patched(&sim), 19, "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_not_be_read_is_planned_as_unknown_with_a_warning() {
    let denied = "[[faults]]\neffect = \"deny\"\naccounts = [\"777788889999\"]\n\
                  operations = [\"resource-groups:ListGroupResources\"]\n";
    let sim = simulator_of(&format!("{}\n{denied}", with_the_sample(CALM.world))).await;
    let mut function = Function::start_with(&sim.endpoint(), &variables(&[])).await;
    let summary = response(function.invoke("one", json!({})).await);
    assert_eq!(summary["outcome"], "started", "{summary}");
    let warnings = summary["warnings"].to_string();
    assert!(
        warnings.contains("planned without knowing what is there, as the policy says: 777788889999/"),
        "{warnings}"
    );
}
