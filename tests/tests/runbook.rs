//! The runbook over HTTP: patchfleet's own, brought to the central account and Region through the
//! real SDK, and one of somebody's own with its own parameters.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use jiff::SignedDuration;
use patchfleet_core::{
    id::{CampaignId, DocumentName, EventId, EventSource},
    internals::{fire_plan, for_campaign},
    outcome::NodeOutcome,
    plan::PlanError,
    port::{Documents, Ports},
    refusal::RefusalCode,
    report::ReportOutcome,
    request::PatchRequest,
    runbook::{self, Checked, Ensured, Runbook, StepTimeout},
};
use patchfleet_sim::{
    Sim, SimOptions,
    spec::{Change, DocumentCreate},
    world::World,
};
use patchfleet_tests::{Campaign, over_http, plan, plan_and_run, request};
use serde_json::{Value, json};

/// Two accounts with the group WebServers. `documents` are in the central account.
fn world(documents: &str) -> String {
    format!(
        r#"
        management_account = "111111111111"
        documents = [{documents}]
        patch = {{ minutes = 4.0, reboot_minutes = 1.0 }}
        accounts = [{{ id = "111111111111", name = "Main" }}, {{ id = "222222222222", name = "Web" }}]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1"]
        nodes = [{{ count = 2 }}, {{ count = 1, kind = "hybrid", patch = {{ outcome = "fails" }} }}]
        "#
    )
}

fn ask(rest: &str) -> PatchRequest {
    let text = format!(
        r#"
        name = "runbooks"
        patch = {{ operation = "Install", reboot_option = "NoReboot" }}
        [targets]
        resource_group = "WebServers"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1"]
        [budget.nodes]
        max_concurrency = "100%"
        max_errors = "100%"
        [budget.locations]
        max_concurrency = 2
        max_errors = 2
        {rest}
        "#
    );
    request(&text).unwrap()
}

async fn start(toml: &str, request: &PatchRequest) -> (Sim, Ports) {
    let sim = Sim::start(World::parse(toml).unwrap(), SimOptions::default())
        .await
        .unwrap();
    let ports = over_http(&sim, &request.access).unwrap();
    (sim, ports)
}

fn own() -> DocumentName {
    runbook::NAME.parse().unwrap()
}

fn with_timeout(hours: u32) -> Runbook {
    Runbook::new(StepTimeout::from_seconds(hours * 3_600).unwrap())
}

/// The calls that changed a document, since the beginning.
fn changes(sim: &Sim) -> Vec<String> {
    let names = ["CreateDocument", "UpdateDocument", "UpdateDocumentDefaultVersion"];
    sim.with_world(|world| {
        let calls = world.requests().iter().map(|one| one.operation.clone());
        calls.filter(|name| names.contains(&name.as_str())).collect()
    })
}

#[tokio::test]
async fn the_runbook_is_created_left_alone_updated_and_its_default_moved() {
    let request = ask("");
    let (sim, ports) = start(&world(""), &request).await;
    let documents: &dyn Documents = &*ports.documents;
    let name = own();
    let version = |number: &str| number.to_owned();

    let runbook = Runbook::default();
    assert_eq!(
        runbook::check(documents, &name, &runbook).await.unwrap(),
        Checked::Missing
    );
    let created = runbook::ensure(documents, &name, &runbook).await.unwrap();
    assert_eq!(
        created,
        Ensured::Created {
            version: version("1")
        }
    );
    assert_eq!(changes(&sim), ["CreateDocument"]);

    let unchanged = runbook::ensure(documents, &name, &runbook).await.unwrap();
    assert_eq!(
        unchanged,
        Ensured::Unchanged {
            version: version("1")
        }
    );
    assert_eq!(changes(&sim).len(), 1, "nothing was done");

    let slower = with_timeout(24);
    assert_eq!(
        runbook::check(documents, &name, &slower).await.unwrap(),
        Checked::Different {
            version: version("1")
        }
    );
    let updated = runbook::ensure(documents, &name, &slower).await.unwrap();
    assert_eq!(
        updated,
        Ensured::Updated {
            version: version("2")
        }
    );
    let there: Value = serde_json::from_str(&documents.document(&name).await.unwrap().content).unwrap();
    assert_eq!(there["mainSteps"][1]["timeoutSeconds"], 86_400);

    // Somebody moves the default back; the newest version is right already.
    documents.set_default(&name, "1").await.unwrap();
    let moved = runbook::ensure(documents, &name, &slower).await.unwrap();
    assert_eq!(
        moved,
        Ensured::DefaultMoved {
            version: version("2")
        }
    );
    assert_eq!(documents.document(&name).await.unwrap().version, "2");
    assert_eq!(documents.latest_version(&name).await.unwrap(), "2");

    let unchanged = runbook::ensure(documents, &name, &slower).await.unwrap();
    assert_eq!(
        unchanged,
        Ensured::Unchanged {
            version: version("2")
        }
    );
}

#[tokio::test]
async fn a_campaign_runs_the_runbook_that_was_ensured_and_is_refused_without_it() {
    let request = ask("");
    let (sim, ports) = start(&world(""), &request).await;
    let Err(PlanError::Refused(refusal)) = plan(&ports, &request).await else {
        unreachable!("there is no runbook yet")
    };
    assert_eq!(refusal.reasons[0].code, RefusalCode::RunbookMissing);
    let words = &refusal.reasons[0].detail;
    assert!(words.contains("111111111111/us-east-1"), "{words}");

    let runbook = with_timeout(6);
    runbook::ensure(&*ports.documents, &own(), &runbook)
        .await
        .unwrap();
    let (_, ended) = plan_and_run(&ports, &request).await.unwrap();
    assert_eq!(ended.report.totals.nodes.count(NodeOutcome::PendingReboot), 4);
    assert_eq!(ended.report.totals.nodes.count(NodeOutcome::Failed), 2);
    assert_eq!(ended.report.outcome, ReportOutcome::Partial);
    let state = sim.with_world(|world| world.state());
    let snapshot = ended.report.campaign_id.snapshot_id().to_string();
    for command in state["commands"].as_array().unwrap() {
        assert_eq!(command["parameters"]["Operation"], json!(["Install"]));
        assert_eq!(command["parameters"]["RebootOption"], json!(["NoReboot"]));
        assert_eq!(command["parameters"]["SnapshotId"], json!([snapshot]));
    }
}

/// The runbook that the second post's stack makes: the group is fixed, and so are the rate
/// controls; the role, and what is done, are parameters.
const OF_THE_POST: &str = r#"
schemaVersion: '0.3'
description: Runs AWS-RunPatchBaseline on a resource group.
assumeRole: '{{ AutomationAssumeRole }}'
parameters:
  AutomationAssumeRole:
    type: String
  Operation:
    type: String
    default: Scan
  RebootOption:
    type: String
    default: RebootIfNeeded
  InstallOverrideList:
    type: String
    default: ''
  SnapshotId:
    type: String
    default: ''
mainSteps:
  - name: runPatchBaseline
    action: aws:runCommand
    timeoutSeconds: 7200
    onFailure: Abort
    inputs:
      DocumentName: AWS-RunPatchBaseline
      Targets:
        - Key: resource-groups:Name
          Values:
            - WebServers
      Parameters:
        Operation: '{{ Operation }}'
        RebootOption: '{{ RebootOption }}'
        SnapshotId: '{{ SnapshotId }}'
        InstallOverrideList: '{{ InstallOverrideList }}'
      MaxConcurrency: '10%'
      MaxErrors: '10%'
"#;

#[tokio::test]
async fn a_runbook_of_ones_own_runs_with_its_own_parameters() {
    let documents = format!("{{ name = \"Automation-RunPatchBaseline\", content = '''{OF_THE_POST}''' }}");
    let snapshot = "01234567-89ab-cdef-0123-456789abcdef";
    let role = "arn:aws:iam::111111111111:role/AWS-SystemsManager-AutomationAdministrationRole";
    let request = ask(&format!(
        r#"
        [automation]
        document = "Automation-RunPatchBaseline"
        assume_role = "{role}"
        [automation.parameters]
        Operation = ["Install"]
        RebootOption = ["NoReboot"]
        InstallOverrideList = ["s3://patches/approved.yaml"]
        SnapshotId = ["{snapshot}"]
        "#
    ));
    let (sim, ports) = start(&world(&documents), &request).await;
    let drawn = plan(&ports, &request).await.unwrap();
    let bound = drawn.runbook.unwrap();
    assert!(!bound.own);
    assert!(bound.parameters.contains(&"SnapshotId".to_owned()), "{bound:?}");
    let (_, ended) = plan_and_run(&ports, &request).await.unwrap();

    let state = sim.with_world(|world| world.state());
    let executions = state["executions"].as_array().unwrap();
    let parents: Vec<&Value> = executions.iter().filter(|one| one["parent"].is_null()).collect();
    assert_eq!(parents.len(), 1);
    assert_eq!(parents[0]["document"], "Automation-RunPatchBaseline");
    // Exactly the parameters that were given: such a runbook knows none of patchfleet's.
    assert_eq!(
        parents[0]["parameters"],
        json!({
            "AutomationAssumeRole": [role],
            "Operation": ["Install"],
            "RebootOption": ["NoReboot"],
            "InstallOverrideList": ["s3://patches/approved.yaml"],
            "SnapshotId": [snapshot],
        })
    );
    let commands = state["commands"].as_array().unwrap();
    assert_eq!(commands.len(), 2);
    for command in commands {
        assert_eq!(
            command["targets"],
            json!([{"Key": "resource-groups:Name", "Values": ["WebServers"]}])
        );
        assert_eq!(command["max_concurrency"], "10%");
        assert_eq!(command["parameters"]["SnapshotId"], json!([snapshot]));
    }
    // 10 % of three nodes is one at a time and no error: what failed, and when, decides who else
    // had its turn. Every node has its outcome all the same.
    let nodes = &ended.report.totals.nodes;
    assert_eq!(nodes.total(), 6);
    assert!(nodes.count(NodeOutcome::Failed) >= 1);
    for (location, rows) in &ended.rows {
        for row in rows {
            let installs = sim.with_world(|world| world.node(&row.node).unwrap().installs());
            let ran = row.outcome != NodeOutcome::NotRun;
            assert_eq!(installs, u32::from(ran), "{location}: {row:?}");
        }
    }
    assert_eq!(ended.report.outcome, ReportOutcome::Partial);
    assert_eq!(ended.report.exit_code(), 4);
}

/// A campaign of two units, of which the second is begun when the first is over, and which runs.
async fn under_way(pin: &str, settings: &str) -> (Sim, Ports, Campaign) {
    let two_units = format!(
        r#"
        management_account = "111111111111"
        {settings}
        patch = {{ minutes = 4.0, reboot_minutes = 1.0 }}
        accounts = [{{ id = "111111111111", name = "Main" }}, {{ id = "222222222222", name = "Web" }}]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1"]
        nodes = [{{ count = 2 }}]
        [[groups]]
        name = "WebServers"
        accounts = ["222222222222"]
        regions = ["eu-west-1"]
        nodes = [{{ count = 2 }}]
        "#
    );
    let request = request(&format!(
        r#"
        name = "runbooks"
        patch = {{ operation = "Install", reboot_option = "NoReboot" }}
        [targets]
        resource_group = "WebServers"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1", "eu-west-1"]
        [policy]
        group_missing = "skip"
        [budget.nodes]
        max_concurrency = "100%"
        max_errors = "100%"
        [budget.locations]
        max_concurrency = 1
        max_errors = 2
        [automation]
        pin = "{pin}"
        "#
    ))
    .unwrap();
    let (sim, ports) = start(&two_units, &request).await;
    runbook::ensure(&*ports.documents, &own(), &Runbook::default())
        .await
        .unwrap();
    let drawn = plan(&ports, &request).await.unwrap();
    assert_eq!(drawn.units.len(), 2);
    let campaign = Campaign::begin(&ports, drawn).await.unwrap();
    campaign.run_for(60).await.unwrap();
    (sim, ports, campaign)
}

/// The runbook, with one step less careful.
fn careless() -> String {
    Runbook::default()
        .to_json()
        .replace("\"onFailure\": \"Abort\"", "\"onFailure\": \"Continue\"")
}

/// The runbook is changed in the central account while the first unit runs.
async fn changed_in_mid_run(pin: &str) -> (Sim, patchfleet_tests::Ended) {
    let (sim, ports, campaign) = under_way(pin, "").await;
    let version = ports.documents.update(&own(), careless()).await.unwrap().unwrap();
    ports.documents.set_default(&own(), &version).await.unwrap();
    let ended = campaign.run().await.unwrap();
    (sim, ended)
}

#[tokio::test]
async fn a_runbook_that_is_replaced_in_mid_run_starts_nothing_more_and_the_report_says_why() {
    let (sim, ended) = changed_in_mid_run("default").await;
    assert_eq!(
        (ended.report.outcome, ended.report.exit_code()),
        (ReportOutcome::Halted, 5)
    );
    assert_eq!(ended.report.totals.nodes.count(NodeOutcome::NotRun), 2);
    let because = ended.report.left_out_because.clone().unwrap();
    assert!(
        because.starts_with("version 2 of the runbook Patchfleet-RunPatchBaseline"),
        "{because}"
    );
    assert!(
        ended
            .report
            .to_text()
            .contains("nothing more was begun: version 2 of the runbook")
    );
    let commands = sim.with_world(|world| world.state())["commands"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(commands, 1);
}

#[tokio::test]
async fn a_pinned_version_runs_on_whatever_the_default_version_is_by_now() {
    let (sim, ended) = changed_in_mid_run("version").await;
    assert_eq!(ended.report.left_out_because, None);
    assert_eq!(ended.report.totals.nodes.count(NodeOutcome::NotRun), 0);
    let commands = sim.with_world(|world| world.state())["commands"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(commands, 2);
}

/// What the account of the second unit has from now on under the runbook's name.
fn copy_appears(sim: &Sim, content: String) {
    let copy = Change::CreateDocument(DocumentCreate {
        name: runbook::NAME.to_owned(),
        account: Some("222222222222".parse().unwrap()),
        regions: vec!["eu-west-1".parse().unwrap()],
        content,
    });
    assert_eq!(sim.with_world(|world| world.change(&copy)), Ok(1));
}

/// The reboot options of the commands that were sent in the second unit's account.
fn reboot_options_there(sim: &Sim) -> Vec<Value> {
    let state = sim.with_world(|world| world.state());
    let commands = state["commands"].as_array().unwrap().iter();
    let there = commands.filter(|command| command["account"] == "222222222222");
    there
        .map(|command| command["parameters"]["RebootOption"][0].clone())
        .collect()
}

#[tokio::test]
async fn a_copy_with_other_content_that_appears_in_a_target_account_keeps_the_next_unit_from_its_start() {
    let copies_run = "automation = { target_copies_run = true }";
    let (sim, ports, campaign) = under_way("default", copies_run).await;
    // It reboots nodes, although the request says NoReboot.
    let reboots = Runbook::default()
        .to_json()
        .replace("\"{{ RebootOption }}\"", "\"RebootIfNeeded\"");
    copy_appears(&sim, reboots);
    let ended = campaign.run().await.unwrap();
    assert_eq!(
        (ended.report.outcome, ended.report.exit_code()),
        (ReportOutcome::Halted, 5)
    );
    assert_eq!(ended.report.totals.nodes.count(NodeOutcome::NotRun), 2);
    let because = ended.report.left_out_because.clone().unwrap();
    for part in [
        "the runbook Patchfleet-RunPatchBaseline in 222222222222/eu-west-1",
        "there was none when the plan was made",
        "they differ in mainSteps[1].inputs.Parameters.RebootOption",
    ] {
        assert!(because.contains(part), "{part:?} is not in {because}");
    }
    assert!(reboot_options_there(&sim).is_empty(), "nothing was sent there");

    // The start that was withheld would have rebooted them.
    let unit = campaign.plan.units.last().unwrap();
    let id = unit.id;
    let request = for_campaign(&unit.start, campaign.plan.runbook.as_ref(), campaign.id, id, 1);
    let token = campaign.id.client_token(id, 1);
    ports
        .automation
        .start(&request, token, jiff::Timestamp::MAX)
        .await
        .unwrap();
    ports
        .clock
        .sleep_until(ports.clock.now() + SignedDuration::from_hours(1))
        .await;
    assert_eq!(reboot_options_there(&sim), ["RebootIfNeeded"]);
}

#[tokio::test]
async fn a_copy_with_the_same_content_that_appears_in_a_target_account_halts_nothing() {
    let (sim, _, campaign) = under_way("default", "automation = { target_copies_run = true }").await;
    copy_appears(&sim, Runbook::default().to_json());
    let ended = campaign.run().await.unwrap();
    assert_eq!(ended.report.left_out_because, None);
    assert_eq!(reboot_options_there(&sim), ["NoReboot"]);
}

#[tokio::test]
async fn what_is_fired_and_forgotten_is_compared_as_well() {
    let request = ask("");
    let (sim, ports) = start(&world(""), &request).await;
    let current = Runbook::default();
    runbook::ensure(&*ports.documents, &own(), &current)
        .await
        .unwrap();
    let drawn = plan(&ports, &request).await.unwrap();
    let version = ports.documents.update(&own(), careless()).await.unwrap().unwrap();
    ports.documents.set_default(&own(), &version).await.unwrap();
    let event = EventId::new(EventSource::Event, "fired").unwrap();
    let campaign = CampaignId::of_event(&request.digest(), &event);
    let error = fire_plan(&ports, campaign, &drawn, event.longest_retry(), None)
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("nothing was started: version 2"),
        "{error}"
    );
    assert_eq!(sim.with_world(|world| world.state())["executions"], json!([]));
}

/// What the commands of a campaign with this `[output]` were told of it, as AWS lists them.
async fn output_of(output: &str) -> Vec<Value> {
    let request = ask(output);
    let documents = r#"{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }"#;
    let (sim, ports) = start(&world(documents), &request).await;
    let (_, ended) = plan_and_run(&ports, &request).await.unwrap();
    assert_eq!(ended.report.totals.nodes.total(), 6);
    let state = sim.with_world(|world| world.state());
    let commands = state["commands"].as_array().unwrap();
    assert_eq!(commands.len(), 2);
    commands.iter().map(|command| command["output"].clone()).collect()
}

#[tokio::test]
async fn what_a_request_says_of_output_reaches_every_command_and_an_empty_one_reaches_none() {
    let cloudwatch = json!({"CloudWatchLogGroupName": "/patching", "CloudWatchOutputEnabled": true});
    for (asked, told) in [
        (
            "",
            json!({"s3_bucket": null, "s3_prefix": null, "cloudwatch": null}),
        ),
        (
            "s3_bucket = 'ops-output'",
            json!({"s3_bucket": "ops-output", "s3_prefix": "", "cloudwatch": null}),
        ),
        (
            "s3_bucket = 'ops-output'\ns3_prefix = 'a/b'",
            json!({"s3_bucket": "ops-output", "s3_prefix": "a/b", "cloudwatch": null}),
        ),
        (
            "cloudwatch_log_group = '/patching'",
            json!({"s3_bucket": null, "s3_prefix": null, "cloudwatch": cloudwatch}),
        ),
        (
            "s3_bucket = 'ops-output'\ncloudwatch_log_group = '/patching'",
            json!({"s3_bucket": "ops-output", "s3_prefix": "", "cloudwatch": cloudwatch}),
        ),
    ] {
        let told = vec![told.clone(), told];
        assert_eq!(output_of(&format!("[output]\n{asked}")).await, told, "{asked}");
    }
}
