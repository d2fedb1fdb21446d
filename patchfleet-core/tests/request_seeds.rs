//! The inputs of the code behind both posts: a maintenance window's payload, and the second
//! sample's environment variables.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests may fail as tests do"
)]

use patchfleet_core::id::{EventId, Region};
use patchfleet_core::problem::{ProblemCode, Problems};
use patchfleet_core::request::{
    MAX_WINDOW_PAYLOAD_BYTES, OfflineAction, Operation, PatchRequest, RebootOption, Regions, Selector,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn window(payload: &Value) -> Result<(PatchRequest, Option<EventId>), Problems> {
    PatchRequest::from_window_payload(payload.to_string().as_bytes())
}

/// The smallest payload, with `more`.
fn payload(more: Value) -> Value {
    let mut payload = json!({ "Regions": ["us-east-1"], "ResourceGroup": "WebServers" });
    for (key, value) in more.as_object().unwrap() {
        payload[key] = value.clone();
    }
    payload
}

/// A request's JSON, without the digest in its name.
fn shown(request: &PatchRequest) -> String {
    let digest = request.name.as_str().rsplit('-').next().unwrap();
    let digits = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(digits(digest), "{}", request.name);
    serde_json::to_string(request).unwrap().replacen(digest, "…", 1)
}

fn only_problem(problems: &Problems) -> (ProblemCode, &str) {
    let [problem] = problems.problems() else {
        panic!("not one problem: {problems}")
    };
    (problem.code, &problem.path)
}

fn regions(request: &PatchRequest) -> Vec<&str> {
    match &request.targets.regions {
        Regions::List(regions) => regions.iter().map(Region::as_str).collect(),
        Regions::AllEnabled => panic!("a list was given"),
    }
}

#[test]
fn the_windows_payload_with_every_field_is_one_request() {
    let (request, execution) = window(&json!({
        "Regions": ["us-east-1", "eu-west-1"],
        "ResourceGroup": "WebServers",
        "DocumentName": "Automation-RunPatchBaseline",
        "AutomationAssumeRole": "arn:aws:iam::111122223333:role/Admin",
        "MaxConcurrency": "20%",
        "MaxErrors": 3,
        "Operation": "Install",
        "RebootOption": "NoReboot",
        "InstallOverrideList": "s3://bucket/list.yaml",
        "TargetAccounts": "111122223333,ou-ab12-cdef3456",
        "TargetLocationMaxConcurrency": "2",
        "TargetLocationMaxErrors": "1",
        "ExecutionRoleName": "Patching",
        "WindowExecutionId": "0a1b2c3d-0123-4567-89ab-0123456789ab",
    }))
    .unwrap();
    assert_eq!(
        execution.unwrap().to_string(),
        "window/0a1b2c3d-0123-4567-89ab-0123456789ab"
    );
    insta::assert_snapshot!(shown(&request), @r#"{"name":"window-WebServers-…","patch":{"operation":"Install","reboot_option":"NoReboot","install_override_list":"s3://bucket/list.yaml"},"targets":{"resource_group":"WebServers","accounts":["111122223333","ou-ab12-cdef3456"],"exclude_accounts":[],"include_child_ous":false,"regions":["us-east-1","eu-west-1"]},"policy":{"unknown":"refuse","group_missing":"skip","empty":"skip","denied":"refuse","nothing_selected":"refuse","offline":"target","gone":"accept"},"access":{"discovery_role":"Patching","session_name":"patchfleet"},"budget":{"nodes":{"max_concurrency":"20%","max_errors":"3"},"locations":{"max_concurrency":"2","max_errors":"1"}},"automation":{"document":"Automation-RunPatchBaseline","assume_role":"arn:aws:iam::111122223333:role/Admin","execution_role":"Patching","pin":"default","parameters":{"AutomationAssumeRole":["arn:aws:iam::111122223333:role/Admin"],"InstallOverrideList":["s3://bucket/list.yaml"],"Operation":["Install"],"RebootOption":["NoReboot"]}}}"#);
}

#[test]
fn the_smallest_payload_scans_the_callers_own_account() {
    let (request, execution) = window(&payload(json!({}))).unwrap();
    assert_eq!(execution, None);
    assert_eq!(request.patch.operation, Operation::Scan);
    assert!(request.targets.accounts.is_empty());
    assert!(request.automation.document.as_str() == patchfleet_core::runbook::NAME);
    let native = json!({ "name": request.name,
        "targets": { "resource_group": "WebServers", "regions": ["us-east-1"] } });
    assert_eq!(request, PatchRequest::from_value(native).unwrap());
}

#[test]
fn a_payload_says_whether_units_below_count_and_what_becomes_of_nodes_that_do_not_answer() {
    let read = |more: Value| window(&payload(more)).unwrap().0;
    let plain = read(json!({}));
    assert!(!plain.targets.include_child_ous);
    assert_eq!(plain.policy.offline, OfflineAction::Target);
    for yes in [json!(true), json!(" true ")] {
        let request = read(json!({ "TargetAccounts": "r-ab12", "IncludeChildOUs": yes, "Offline": "skip" }));
        assert!(request.targets.include_child_ous);
        assert_eq!(request.policy.offline, OfflineAction::Skip);
    }
    let empty = read(json!({ "IncludeChildOUs": "", "Offline": "" }));
    assert_eq!(empty, plain);
    let wrong = window(&payload(json!({ "IncludeChildOUs": "yes", "Offline": 1 }))).unwrap_err();
    let told: Vec<(&str, &str)> = wrong
        .problems()
        .iter()
        .map(|problem| (problem.path.as_str(), problem.expected.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("IncludeChildOUs", "\"true\" or \"false\""),
            ("Offline", "\"target\" or \"skip\" or \"refuse\", in quotes"),
        ]
    );
}

#[test]
fn regions_may_be_one_text_with_commas_untidy_as_it_is() {
    for untidy in [
        json!(" us-east-1 ,, eu-west-1,us-east-1,"),
        json!(["us-east-1 ", "", " eu-west-1", "us-east-1"]),
    ] {
        let (request, _) = window(&payload(json!({ "Regions": untidy }))).unwrap();
        assert_eq!(regions(&request), ["us-east-1", "eu-west-1"]);
    }
    for (nothing, code) in [
        (json!(""), ProblemCode::Missing),
        (json!(" , "), ProblemCode::OutOfRange),
        (json!([]), ProblemCode::OutOfRange),
        (json!(1), ProblemCode::WrongType),
    ] {
        let problems = window(&payload(json!({ "Regions": nothing }))).unwrap_err();
        assert_eq!(only_problem(&problems), (code, "Regions"));
    }
}

#[test]
fn an_empty_text_counts_as_absent() {
    let empty = json!({
        "DocumentName": "", "AutomationAssumeRole": " ", "MaxConcurrency": "", "MaxErrors": "", "Operation": "",
        "RebootOption": "", "InstallOverrideList": "", "TargetAccounts": "", "TargetLocationMaxConcurrency": "",
        "TargetLocationMaxErrors": "", "ExecutionRoleName": "", "WindowExecutionId": "",
    });
    assert_eq!(
        window(&payload(empty)).unwrap(),
        window(&payload(json!({}))).unwrap()
    );
}

#[test]
fn a_placeholder_that_nobody_filled_in_is_a_problem() {
    let placeholder = json!({ "WindowExecutionId": "{{WINDOW_EXECUTION_ID}}" });
    let problems = window(&payload(placeholder)).unwrap_err();
    assert_eq!(
        only_problem(&problems),
        (ProblemCode::InvalidValue, "WindowExecutionId")
    );
}

#[test]
fn a_payload_that_no_window_could_send_is_refused() {
    let long = payload(json!({ "WindowExecutionId": "x".repeat(MAX_WINDOW_PAYLOAD_BYTES) }));
    assert_eq!(
        only_problem(&window(&long).unwrap_err()),
        (ProblemCode::TooLarge, "")
    );
    let fits = format!("{:<1$}", payload(json!({})).to_string(), MAX_WINDOW_PAYLOAD_BYTES);
    PatchRequest::from_window_payload(fits.as_bytes()).unwrap();
    let over = format!("{fits} ");
    let problems = PatchRequest::from_window_payload(over.as_bytes()).unwrap_err();
    insta::assert_snapshot!(problems, @r#"
    the maintenance window's payload has 1 problem
      [too_large] 4097 bytes: expected at most 4096 bytes
    "#);
}

#[test]
fn every_mistake_of_a_payload_is_told_by_its_own_key() {
    let problems = window(&json!({
        "Regions": "us-east-1,Frankfurt,cn-north-1",
        "ResourceGroup": "Web Servers",
        "DocumentName": "x",
        "AutomationAssumeRole": "Admin",
        "MaxConcurrency": 0,
        "MaxErrors": "101%",
        "Operation": "Scan",
        "RebootOption": "Reboot",
        "InstallOverrideList": "s3://bucket/list.yaml",
        "TargetAccounts": ["111122223333", 444455556666_u64],
        "TargetLocationMaxConcurrency": "05%",
        "TargetLocationMaxErrors": false,
        "ExecutionRoleName": "a role",
        "WindowExecutionID": "x",
    }))
    .unwrap_err();
    insta::assert_snapshot!(problems, @r#"
    the maintenance window's payload has 14 problems
      [invalid_value] Regions[1] = "Frankfurt": expected a Region code such as eu-west-1
      [invalid_value] ResourceGroup = "Web Servers": expected 1 to 300 of letters, digits, _ . -
      [invalid_value] DocumentName = "x": expected 3 to 128 of letters, digits, _ - . : /
      [invalid_value] AutomationAssumeRole = "Admin": expected arn:PARTITION:iam::ACCOUNT:role/NAME
      [out_of_range] MaxConcurrency = 0: expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
      [invalid_value] MaxErrors = "101%": expected a count from 0 such as 2 (at most 7 digits), or a percentage from "0%" to "100%"
      [invalid_value] RebootOption = "Reboot": expected "RebootIfNeeded" or "NoReboot"
      [wrong_type] TargetAccounts[1] = 444455556666: expected 12 digits, or an id such as ou-ab12-cdef3456 or r-ab12: write "444455556666", since a number loses its leading zeros
      [invalid_value] TargetLocationMaxConcurrency = "05%": expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
      [wrong_type] TargetLocationMaxErrors = false: expected a count from 0 such as 2 (at most 7 digits), or a percentage from "0%" to "100%"
      [invalid_value] ExecutionRoleName = "a role": expected 1 to 64 of letters, digits, _ + = , . @ / -
      [unknown_key] WindowExecutionID = "x": no such field; did you mean WindowExecutionId?
      [conflict] InstallOverrideList = "s3://bucket/list.yaml": a Scan ignores it: set Operation to "Install", or leave this out
      [conflict] Regions: Regions of one partition only; make one request for each of aws (us-east-1), aws-cn (cn-north-1)
    "#);
}

#[test]
fn a_runbook_of_ones_own_is_told_the_operation_and_what_else_was_given() {
    let (request, _) = window(&payload(json!({ "DocumentName": "My-Runbook" }))).unwrap();
    let parameters = serde_json::to_value(&request.automation.parameters).unwrap();
    assert_eq!(parameters, json!({ "Operation": ["Scan"] }));
    let (request, _) = window(&payload(json!({
        "DocumentName": "My-Runbook", "Operation": "Install", "RebootOption": "RebootIfNeeded",
        "AutomationAssumeRole": "arn:aws:iam::111122223333:role/Admin", "InstallOverrideList": "https://x/y",
    })))
    .unwrap();
    let parameters = serde_json::to_value(&request.automation.parameters).unwrap();
    assert_eq!(
        parameters,
        json!({
            "AutomationAssumeRole": ["arn:aws:iam::111122223333:role/Admin"], "InstallOverrideList": ["https://x/y"],
            "Operation": ["Install"], "RebootOption": ["RebootIfNeeded"],
        })
    );
    let own = json!({ "DocumentName": "Patchfleet-RunPatchBaseline", "Operation": "Install" });
    let (request, _) = window(&payload(own)).unwrap();
    assert!(request.automation.parameters.is_empty());
}

#[test]
fn groups_that_agree_in_any_number_of_letters_have_requests_of_different_names() {
    let name = |group: &str| {
        window(&payload(json!({ "ResourceGroup": group })))
            .unwrap()
            .0
            .name
    };
    let group = "prod-eu-central-1-shop-application-servers-linux-patch-group-";
    assert_ne!(name(&format!("{group}a")), name(&format!("{group}b")));
    assert_eq!(name(&format!("{group}a")), name(&format!("{group}a")));
    let scheduled = |group: &str| {
        PatchRequest::from_sample_env(&sample(&[("ResourceGroupName", group)]))
            .unwrap()
            .name
    };
    assert_ne!(scheduled(&format!("{group}a")), scheduled(&format!("{group}b")));
}

#[test]
fn tasks_of_one_group_that_differ_in_anything_have_different_names() {
    let name = |more: Value| window(&payload(more)).unwrap().0.name;
    let plain = name(json!({}));
    for more in [
        json!({ "Operation": "Install" }),
        json!({ "Regions": "us-east-1,eu-west-1" }),
        json!({ "TargetAccounts": "111122223333" }),
        json!({ "MaxErrors": "1" }),
    ] {
        assert_ne!(name(more.clone()), plain, "{more}");
    }
    // Which execution of the window it is says nothing of the work.
    assert_eq!(name(json!({ "WindowExecutionId": "w-2" })), plain);
}

#[test]
fn a_long_groups_name_is_cut_to_a_requests_name() {
    let group = "g".repeat(300);
    let (request, _) = window(&payload(json!({ "ResourceGroup": group }))).unwrap();
    assert!(
        request
            .name
            .as_str()
            .starts_with(&format!("window-{}-", "g".repeat(44)))
    );
    assert_eq!(request.name.as_str().len(), 64);
    assert!(matches!(request.targets.selector, Selector::ResourceGroup(name) if name.as_str() == group));
}

/// The sample's own settings, as its stack sets them, with `changes`.
fn sample(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut variables: BTreeMap<_, _> = [
        ("TargetAccounts", "012345678901,987654321098"),
        ("TargetRegionIds", "us-east-1,us-east-2"),
        ("RunPatchBaselineOperation", "Scan"),
        ("RunPatchBaselineRebootOption", "NoReboot"),
        ("RunPatchBaselineInstallOverrideList", ""),
        ("ResourceGroupName", "WebServers"),
        ("MaximumConcurrency", "20%"),
        ("MaximumErrors", "5"),
        ("TargetLocationMaxConcurrency", "1"),
        ("TargetLocationMaxErrors", "1"),
        ("ExecutionRoleName", "AWS-SystemsManager-AutomationExecutionRole"),
        ("MasterAccountID", "111122223333"),
        (
            "AutomationDocumentMamrRunPatchBaseline",
            "Automation-RunPatchBaseline",
        ),
        ("AWS_REGION", "us-east-1"),
        ("PATH", "/usr/bin"),
    ]
    .into();
    variables.extend(changes.iter().copied());
    variables
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

#[test]
fn the_samples_environment_is_one_request() {
    let request = PatchRequest::from_sample_env(&sample(&[])).unwrap();
    insta::assert_snapshot!(shown(&request), @r#"{"name":"scheduled-WebServers-…","patch":{"operation":"Scan","reboot_option":"NoReboot"},"targets":{"resource_group":"WebServers","accounts":["012345678901","987654321098"],"exclude_accounts":[],"include_child_ous":false,"regions":["us-east-1","us-east-2"]},"policy":{"unknown":"keep","group_missing":"skip","empty":"skip","denied":"keep","nothing_selected":"refuse","offline":"target","gone":"accept"},"access":{"discovery_role":"AWS-SystemsManager-AutomationExecutionRole","session_name":"patchfleet"},"budget":{"nodes":{"max_concurrency":"20%","max_errors":"5"},"locations":{"max_concurrency":"1","max_errors":"1"}},"automation":{"document":"Automation-RunPatchBaseline","assume_role":"arn:aws:iam::111122223333:role/AWS-SystemsManager-AutomationAdministrationRole","execution_role":"AWS-SystemsManager-AutomationExecutionRole","pin":"default","parameters":{"AutomationAssumeRole":["arn:aws:iam::111122223333:role/AWS-SystemsManager-AutomationAdministrationRole"],"Operation":["Scan"],"RebootOption":["NoReboot"]}}}"#);
}

#[test]
fn the_group_and_the_rates_that_the_sample_never_used_are_used() {
    let request = PatchRequest::from_sample_env(&sample(&[])).unwrap();
    assert!(
        matches!(&request.targets.selector, Selector::ResourceGroup(name) if name.as_str() == "WebServers")
    );
    assert_eq!(request.budget.nodes.max_concurrency.to_string(), "20%");
    assert_eq!(request.budget.nodes.max_errors.to_string(), "5");
}

#[test]
fn the_samples_lists_may_be_untidy() {
    let untidy = sample(&[
        ("TargetAccounts", " 012345678901, ,987654321098,012345678901 "),
        ("TargetRegionIds", "us-east-1, us-east-2,,us-east-1"),
    ]);
    assert_eq!(
        PatchRequest::from_sample_env(&untidy).unwrap(),
        PatchRequest::from_sample_env(&sample(&[])).unwrap()
    );
    for (key, code) in [
        ("TargetAccounts", ProblemCode::Missing),
        ("TargetRegionIds", ProblemCode::OutOfRange),
    ] {
        let problems = PatchRequest::from_sample_env(&sample(&[(key, " , ")])).unwrap_err();
        assert_eq!(only_problem(&problems), (code, key));
        let problems = PatchRequest::from_sample_env(&sample(&[(key, "")])).unwrap_err();
        assert_eq!(only_problem(&problems), (ProblemCode::Missing, key));
    }
}

#[test]
fn the_samples_role_is_in_the_partition_of_its_regions() {
    let china = sample(&[("TargetRegionIds", "cn-north-1")]);
    let request = PatchRequest::from_sample_env(&china).unwrap();
    let role = "arn:aws-cn:iam::111122223333:role/AWS-SystemsManager-AutomationAdministrationRole";
    assert_eq!(request.automation.assume_role.unwrap().as_str(), role);
    assert_eq!(request.automation.parameters["AutomationAssumeRole"], [role]);
}

#[test]
fn without_a_runbook_the_sample_runs_patchfleets_own() {
    let own = sample(&[("AutomationDocumentMamrRunPatchBaseline", "")]);
    let request = PatchRequest::from_sample_env(&own).unwrap();
    assert!(request.automation.document.as_str() == patchfleet_core::runbook::NAME);
    assert!(request.automation.parameters.is_empty());
    assert_eq!(request.patch.reboot_option, RebootOption::NoReboot);
}

#[test]
fn an_organisational_unit_may_stand_among_the_samples_accounts() {
    let units = sample(&[("TargetAccounts", "012345678901,ou-ab12-cdef3456")]);
    let request = PatchRequest::from_sample_env(&units).unwrap();
    assert_eq!(request.targets.accounts[1].to_string(), "ou-ab12-cdef3456");
    assert!(!request.targets.include_child_ous);
}

#[test]
fn every_mistake_of_the_environment_is_told_by_its_variable() {
    let wrong = sample(&[
        ("TargetAccounts", "12345,987654321098"),
        ("TargetRegionIds", "us-east-1,us-east-9z,us-gov-west-1"),
        ("RunPatchBaselineOperation", "Scan "),
        ("RunPatchBaselineRebootOption", "Reboot"),
        ("RunPatchBaselineInstallOverrideList", "https://x/y"),
        ("ResourceGroupName", ""),
        ("MaximumConcurrency", "0"),
        ("MaximumErrors", "ten"),
        ("ExecutionRoleName", "a b"),
        ("MasterAccountID", "1234"),
        ("AutomationDocumentMamrRunPatchBaseline", "a"),
    ]);
    let problems = PatchRequest::from_sample_env(&wrong).unwrap_err();
    insta::assert_snapshot!(problems, @r#"
    the sample's environment has 11 problems
      [invalid_value] TargetAccounts[0] = "12345": expected 12 digits, or an id such as ou-ab12-cdef3456 or r-ab12
      [invalid_value] TargetRegionIds[1] = "us-east-9z": expected a Region code such as eu-west-1
      [invalid_value] RunPatchBaselineRebootOption = "Reboot": expected "RebootIfNeeded" or "NoReboot"
      [missing] ResourceGroupName: expected 1 to 300 of letters, digits, _ . -
      [invalid_value] MaximumConcurrency = "0": expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
      [invalid_value] MaximumErrors = "ten": expected a count from 0 such as 2 (at most 7 digits), or a percentage from "0%" to "100%"
      [invalid_value] ExecutionRoleName = "a b": expected 1 to 64 of letters, digits, _ + = , . @ / -
      [invalid_value] MasterAccountID = "1234": expected 12 digits
      [invalid_value] AutomationDocumentMamrRunPatchBaseline = "a": expected 3 to 128 of letters, digits, _ - . : /
      [conflict] RunPatchBaselineInstallOverrideList = "https://x/y": a Scan ignores it: set RunPatchBaselineOperation to "Install", or leave this out
      [conflict] TargetRegionIds: Regions of one partition only; make one request for each of aws (us-east-1), aws-us-gov (us-gov-west-1)
    "#);
    let nothing = PatchRequest::from_sample_env(&BTreeMap::new()).unwrap_err();
    let missing: Vec<_> = nothing
        .problems()
        .iter()
        .map(|p| (p.code, p.path.as_str()))
        .collect();
    let code = ProblemCode::Missing;
    assert_eq!(
        missing,
        [
            (code, "TargetAccounts"),
            (code, "TargetRegionIds"),
            (code, "ResourceGroupName")
        ]
    );
}

#[test]
fn a_request_from_a_seed_reads_back_from_its_own_text() {
    let (from_window, _) = window(&payload(json!({ "DocumentName": "My-Runbook" }))).unwrap();
    let from_sample = PatchRequest::from_sample_env(&sample(&[])).unwrap();
    for request in [from_window, from_sample] {
        let again = PatchRequest::from_value(serde_json::to_value(&request).unwrap()).unwrap();
        assert_eq!(again, request);
    }
}

proptest! {
    #[test]
    fn any_bytes_as_a_payload_are_read_or_refused(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "([\\[\\]{}\":, \n0]|\"Regions\"|\"ResourceGroup\"|\"us-east-1\"|null|true|1e9){0,40}".prop_map(String::into_bytes),
        ],
    ) {
        if let Err(problems) = PatchRequest::from_window_payload(&bytes) {
            prop_assert!(!problems.problems().is_empty());
        }
    }

    #[test]
    fn any_environment_is_read_or_refused(
        values in proptest::collection::vec("([a-z0-9,%:/ {}-]|us-east-1|111122223333|Scan|\\PC){0,12}", 13),
    ) {
        let environment: BTreeMap<_, _> = sample(&[]).into_keys().zip(values).collect();
        if let Err(problems) = PatchRequest::from_sample_env(&environment) {
            prop_assert!(!problems.problems().is_empty());
        }
    }
}
