//! The runbook in every Region of a request, shared with the accounts there: through the real SDK, over HTTP.

#![expect(
    clippy::unwrap_used,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use patchfleet_core::{
    id::{DocumentName, Location},
    plan::{Attendance, Plan, Planning},
    port::{DocumentVersion, Ports, SharedVersion},
    request::PatchRequest,
    runbook::{self, Placed, Reach, Runbook, distribute},
};
use patchfleet_sim::{Sim, SimOptions, spec::FaultEffect, spec::FaultSpec, world::World};
use patchfleet_tests::{over_http, request};
use serde_json::json;

const WORLD: &str = r#"
    management_account = "111111111111"
    organization = { id = "o-sharing000", root = "r-shar" }
    units = [{ id = "ou-shar-workload", name = "Workloads" }]
    documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet", regions = ["us-east-1"] }]
    accounts = [
        { id = "111111111111", name = "Main" },
        { id = "222222222222", name = "Web", parent = "ou-shar-workload" },
        { id = "333333333333", name = "Old", parent = "ou-shar-workload", state = "CLOSED" },
        { id = "444444444444", name = "Shop", parent = "ou-shar-workload" },
    ]
    [[groups]]
    name = "WebServers"
    accounts = ["222222222222", "444444444444"]
    regions = ["us-east-1", "eu-west-1"]
    nodes = [{ count = 1 }]
"#;

fn ask(rest: &str) -> PatchRequest {
    let text = format!(
        r#"
        name = "shared"
        [targets]
        resource_group = "WebServers"
        accounts = ["ou-shar-workload", "111111111111"]
        regions = ["us-east-1", "eu-west-1"]
        {rest}
        "#
    );
    request(&text).unwrap()
}

async fn start(world: &str, request: &PatchRequest) -> (Sim, Ports) {
    let sim = Sim::start(World::parse(world).unwrap(), SimOptions::default())
        .await
        .unwrap();
    let ports = over_http(&sim, &request.access).unwrap();
    (sim, ports)
}

fn name() -> DocumentName {
    runbook::NAME.parse().unwrap()
}

async fn shared(ports: &Ports, request: &PatchRequest, share: bool) -> Vec<Placed> {
    let reach = Reach::of(&*ports.directory, request).await.unwrap();
    let version = share.then(|| runbook::shared_version(request.automation.pin));
    distribute(&*ports.documents, &name(), &Runbook::default(), &reach, version).await
}

/// The calls that changed a document, with their Region.
fn changes(sim: &Sim) -> Vec<(String, String)> {
    let reads = ["Get", "List", "Describe", "AssumeRole"];
    sim.with_world(|world| {
        let all = world.requests().iter();
        all.filter(|one| !reads.iter().any(|verb| one.operation.starts_with(verb)))
            .map(|one| (one.operation.clone(), one.region.to_string()))
            .collect()
    })
}

async fn plan(ports: &Ports, request: &PatchRequest) -> Plan {
    let planning = Planning {
        attendance: Attendance::Attended,
        who_sees: true,
        ..Planning::default()
    };
    Plan::make(ports, request, &planning).await.unwrap()
}

fn call(operation: &str, region: &str) -> (String, String) {
    (operation.to_owned(), region.to_owned())
}

#[tokio::test]
async fn it_is_made_and_shared_where_the_request_needs_it_and_each_account_then_reads_it_there() {
    let request = ask("");
    let (sim, ports) = start(WORLD, &request).await;
    let reach = Reach::of(&*ports.directory, &request).await.unwrap();
    let regions: Vec<_> = reach
        .regions
        .iter()
        .map(|(region, accounts)| (region.as_str(), accounts.len()))
        .collect();
    assert_eq!(regions, [("eu-west-1", 2), ("us-east-1", 2)]);
    assert!(
        reach
            .left_out
            .iter()
            .all(|skip| skip.account.as_str() == "333333333333")
    );
    assert_eq!(reach.left_out.len(), 2);

    let placed = shared(&ports, &request, true).await;
    assert!(
        placed.iter().all(Placed::is_whole),
        "{}",
        runbook::in_text(&placed)
    );
    assert_eq!(
        changes(&sim),
        [
            call("ModifyDocumentPermission", "us-east-1"),
            call("CreateDocument", "eu-west-1"),
            call("ModifyDocumentPermission", "eu-west-1"),
        ]
    );
    for (account, sees) in [
        ("222222222222", true),
        ("444444444444", true),
        ("333333333333", false),
    ] {
        for region in ["us-east-1", "eu-west-1"] {
            let at = Location::new(account.parse().unwrap(), region.parse().unwrap());
            let arn = format!("arn:aws:ssm:{region}:111111111111:document/{}", runbook::NAME);
            let read = ports
                .documents
                .read(Some(&at), &arn.parse().unwrap(), DocumentVersion::Default)
                .await;
            assert_eq!(read.is_ok(), sees, "{at}");
        }
    }

    let again = shared(&ports, &request, true).await;
    assert!(again.iter().all(Placed::is_whole));
    assert_eq!(changes(&sim).len(), 3, "the same again changes nothing");
}

#[tokio::test]
async fn a_runbook_that_changes_is_brought_up_to_date_everywhere_and_its_shares_stay() {
    let request = ask("");
    let (sim, ports) = start(WORLD, &request).await;
    shared(&ports, &request, true).await;
    let slower = Runbook::new(runbook::StepTimeout::from_seconds(86_400).unwrap());
    let reach = Reach::of(&*ports.directory, &request).await.unwrap();
    let placed = distribute(
        &*ports.documents,
        &name(),
        &slower,
        &reach,
        Some(SharedVersion::Default),
    )
    .await;
    assert!(placed.iter().all(Placed::is_whole));
    let modified = changes(&sim)
        .iter()
        .filter(|(operation, _)| operation == "ModifyDocumentPermission")
        .count();
    assert_eq!(modified, 2, "shares outlive a new version");
    let sight = plan(&ports, &request).await.runbook.unwrap().sight.unwrap();
    assert_eq!((sight.shared.len(), sight.unseen.len()), (4, 0));
}

#[tokio::test]
async fn a_plan_says_which_accounts_see_the_runbook_and_in_which_version() {
    let request = ask("");
    let (_sim, ports) = start(WORLD, &request).await;
    let before = plan(&ports, &request).await;
    let sight = before.runbook.as_ref().unwrap().sight.clone().unwrap();
    assert_eq!(
        (sight.shared.len(), sight.unseen.len(), sight.unknown.len()),
        (0, 4, 0)
    );
    assert!(
        before
            .to_text()
            .contains("`patchfleet runbook ensure --share -f REQUEST` shares it"),
        "{}",
        before.to_text()
    );
    shared(&ports, &request, true).await;
    let after = plan(&ports, &request).await;
    let sight = after.runbook.as_ref().unwrap().sight.clone().unwrap();
    assert_eq!((sight.shared.len(), sight.unseen.len()), (4, 0));
    assert!(
        after.to_text().contains("it is shared with: "),
        "{}",
        after.to_text()
    );
    assert_eq!(
        Plan::from_json(&after.to_json()).unwrap(),
        after,
        "a plan file keeps it"
    );
    assert!(
        before.differences(&after).is_empty(),
        "it changes nothing of what is started"
    );

    // A pinned number is not shown by a share of the default version.
    let pinned = ask("[automation]\npin = \"version\"");
    let sight = plan(&ports, &pinned).await.runbook.unwrap().sight.unwrap();
    assert_eq!((sight.shared.len(), sight.unseen.len()), (0, 4));
    shared(&ports, &pinned, true).await;
    let sight = plan(&ports, &pinned).await.runbook.unwrap().sight.unwrap();
    assert_eq!((sight.shared.len(), sight.unseen.len()), (4, 0));
}

#[tokio::test]
async fn a_look_that_is_denied_is_said_and_refuses_no_plan() {
    let request = ask("");
    let (sim, ports) = start(WORLD, &request).await;
    let denied = FaultSpec {
        operations: vec!["ssm:DescribeDocumentPermission".to_owned()],
        ..FaultSpec::new(FaultEffect::Deny)
    };
    sim.with_world(|world| world.add_fault(denied)).unwrap();
    let plan = plan(&ports, &request).await;
    let sight = plan.runbook.as_ref().unwrap().sight.clone().unwrap();
    assert_eq!((sight.unknown.len(), sight.unseen.len()), (4, 0));
    assert!(
        plan.to_text().contains("it could not be read: "),
        "{}",
        plan.to_text()
    );
    let placed = shared(&ports, &request, true).await;
    let told = runbook::in_text(&placed);
    assert!(told.contains("ssm:DescribeDocumentPermission"), "{told}");
    assert_eq!(placed.iter().filter(|one| one.is_whole()).count(), 0);
    assert_eq!(
        json!(placed)[0]["sharing"]["failed"][0]["account"],
        "222222222222"
    );
}

#[tokio::test]
async fn a_share_that_is_throttled_for_good_is_told_for_each_account_and_goes_on_later() {
    let request = ask("");
    let (sim, ports) = start(WORLD, &request).await;
    let throttled = FaultSpec {
        operations: vec!["ssm:ModifyDocumentPermission".to_owned()],
        regions: vec!["eu-west-1".parse().unwrap()],
        ..FaultSpec::new(FaultEffect::Throttle)
    };
    sim.with_world(|world| world.add_fault(throttled)).unwrap();
    let placed = shared(&ports, &request, true).await;
    let whole: Vec<bool> = placed.iter().map(Placed::is_whole).collect();
    assert_eq!(whole, [true, false], "{}", runbook::in_text(&placed));
    assert_eq!(placed[1].sharing.as_ref().unwrap().failed.len(), 2);
    sim.with_world(patchfleet_sim::world::World::clear_faults);
    let placed = shared(&ports, &request, true).await;
    assert!(
        placed.iter().all(Placed::is_whole),
        "{}",
        runbook::in_text(&placed)
    );
}
