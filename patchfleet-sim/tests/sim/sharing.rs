//! Documents: who may read whose, and which are listed to whom.

use crate::{
    documents::{WEB, code, create, fleet, runbook},
    fleet::{CENTRAL, Fleet},
};
use patchfleet_sim::{Caller, Service, call};
use serde_json::{Value, json};

fn as_caller(
    fleet: &mut Fleet,
    caller: &Caller,
    operation: &str,
    input: Value,
) -> Result<Value, patchfleet_sim::ApiError> {
    call(&mut fleet.world, caller, Service::Ssm, operation, input)
}

#[test]
fn a_shared_document_is_read_by_its_arn_in_its_region_only_and_deleted_after_it_is_unshared() {
    let mut fleet = fleet("");
    fleet.ssm("CreateDocument", create("Mine")).unwrap();
    let arn = format!("arn:aws:ssm:us-east-1:{CENTRAL}:document/Mine");
    let there = fleet.within(WEB, "us-east-1");
    let elsewhere = fleet.within(WEB, "eu-west-1");
    let get = json!({"Name": arn});
    assert_eq!(
        code(as_caller(&mut fleet, &there, "GetDocument", get.clone())),
        "InvalidDocument"
    );
    fleet
        .ssm(
            "ModifyDocumentPermission",
            json!({"Name": "Mine", "PermissionType": "Share", "AccountIdsToAdd": [WEB]}),
        )
        .unwrap();
    let described =
        as_caller(&mut fleet, &there, "DescribeDocument", get.clone()).unwrap()["Document"].clone();
    assert_eq!(
        (&described["Name"], &described["Owner"]),
        (&json!(arn), &json!(CENTRAL))
    );
    assert_eq!(
        as_caller(&mut fleet, &there, "GetDocument", get.clone()).unwrap()["Content"],
        runbook("a")
    );
    for (caller, name) in [
        (&elsewhere, arn.as_str()),
        (&there, "Mine"),
        (&there, "arn:aws:ssm:eu-west-1:111111111111:document/Mine"),
    ] {
        assert_eq!(
            code(as_caller(
                &mut fleet,
                caller,
                "GetDocument",
                json!({"Name": name})
            )),
            "InvalidDocument",
            "{name}"
        );
    }
    // The default version is what is shared unless it is said otherwise.
    fleet
        .ssm(
            "UpdateDocument",
            json!({"Name": "Mine", "Content": runbook("b"), "DocumentVersion": "$LATEST"}),
        )
        .unwrap();
    let second = json!({"Name": arn, "DocumentVersion": "2"});
    assert_eq!(
        code(as_caller(&mut fleet, &there, "GetDocument", second.clone())),
        "InvalidDocumentVersion"
    );
    let listed = as_caller(&mut fleet, &there, "ListDocumentVersions", get.clone()).unwrap();
    assert_eq!(listed["DocumentVersions"].as_array().unwrap().len(), 1);
    fleet.ssm("ModifyDocumentPermission", json!({"Name": "Mine", "PermissionType": "Share", "AccountIdsToAdd": [WEB], "SharedDocumentVersion": "$LATEST"})).unwrap();
    assert_eq!(
        as_caller(&mut fleet, &there, "GetDocument", get.clone()).unwrap()["DocumentVersion"],
        "2"
    );
    fleet.ssm("ModifyDocumentPermission", json!({"Name": "Mine", "PermissionType": "Share", "AccountIdsToAdd": ["All"], "SharedDocumentVersion": "$ALL"})).unwrap();
    let permissions = fleet
        .ssm(
            "DescribeDocumentPermission",
            json!({"Name": "Mine", "PermissionType": "Share"}),
        )
        .unwrap();
    assert_eq!(permissions["AccountIds"], json!([WEB, "all"]));
    assert_eq!(
        permissions["AccountSharingInfoList"],
        json!([
            {"AccountId": WEB, "SharedDocumentVersion": "$LATEST"},
            {"AccountId": "all", "SharedDocumentVersion": "$ALL"},
        ])
    );
    assert_eq!(
        code(fleet.ssm("DeleteDocument", json!({"Name": "Mine"}))),
        "InvalidDocumentOperation"
    );
    // Everybody and accounts are not taken away together; removing goes before adding.
    let change = |add: &[&str], remove: &[&str]| {
        json!({
            "Name": "Mine",
            "PermissionType": "Share",
            "AccountIdsToAdd": add,
            "AccountIdsToRemove": remove,
        })
    };
    assert_eq!(
        code(fleet.ssm("ModifyDocumentPermission", change(&[], &[WEB, "all"]))),
        "DocumentPermissionLimit"
    );
    for input in [change(&[], &["all"]), change(&[WEB], &[WEB])] {
        fleet.ssm("ModifyDocumentPermission", input).unwrap();
    }
    assert_eq!(
        code(as_caller(&mut fleet, &there, "GetDocument", get)),
        "InvalidDocument"
    );
    fleet.ssm("DeleteDocument", json!({"Name": "Mine"})).unwrap();
}

/// A runbook of two versions, each named by its step, that is shared with another account.
fn two_versions() -> (Fleet, Caller) {
    let mut fleet = fleet("");
    fleet.ssm("CreateDocument", create("Mine")).unwrap();
    let second = json!({"Name": "Mine", "Content": runbook("b"), "DocumentVersion": "$LATEST"});
    fleet.ssm("UpdateDocument", second).unwrap();
    let there = fleet.within(WEB, "us-east-1");
    (fleet, there)
}

fn share(fleet: &mut Fleet, version: &str) {
    let input = json!({
        "Name": "Mine", "PermissionType": "Share", "AccountIdsToAdd": [WEB], "SharedDocumentVersion": version,
    });
    fleet.ssm("ModifyDocumentPermission", input).unwrap();
}

/// The version that a start runs, or the error's code.
fn started(fleet: &mut Fleet, caller: &Caller, name: &str, version: Option<&str>) -> String {
    let mut input = json!({"DocumentName": name});
    if let Some(version) = version {
        input["DocumentVersion"] = json!(version);
    }
    match as_caller(fleet, caller, "StartAutomationExecution", input) {
        Err(error) => error.code().to_owned(),
        Ok(started) => {
            let id = json!({"AutomationExecutionId": started["AutomationExecutionId"]});
            let shown = as_caller(fleet, caller, "GetAutomationExecution", id).unwrap();
            let version = &shown["AutomationExecution"]["DocumentVersion"];
            version.as_str().unwrap().to_owned()
        }
    }
}

#[test]
fn only_the_versions_that_are_shared_are_run() {
    let (mut fleet, there) = two_versions();
    let arn = format!("arn:aws:ssm:us-east-1:{CENTRAL}:document/Mine");
    let missing = "AutomationDefinitionVersionNotFoundException";
    for (shared, expected) in [
        ("$DEFAULT", ["1", "1", missing]),
        ("$LATEST", ["2", missing, "2"]),
        ("$ALL", ["1", "1", "2"]),
    ] {
        share(&mut fleet, shared);
        let runs = [None, Some("1"), Some("2")].map(|version| started(&mut fleet, &there, &arn, version));
        assert_eq!(runs, expected, "{shared}");
    }
}

#[test]
fn the_version_in_an_automation_definitions_arn_is_the_one_that_is_read_and_run() {
    let (mut fleet, there) = two_versions();
    share(&mut fleet, "$ALL");
    let here = fleet.caller.clone();
    let arn = |version: &str| format!("arn:aws:ssm:us-east-1:{CENTRAL}:automation-definition/Mine{version}");
    let missing = "AutomationDefinitionVersionNotFoundException";
    for caller in [here, there] {
        for (version, said, expected) in [
            ("", None, "1"),
            (":1", None, "1"),
            (":2", None, "2"),
            (":2", Some("2"), "2"),
            (":2", Some("1"), missing),
            (":3", None, missing),
        ] {
            let name = arn(version);
            assert_eq!(
                started(&mut fleet, &caller, &name, said),
                expected,
                "{name} {said:?}"
            );
        }
        let read = as_caller(&mut fleet, &caller, "GetDocument", json!({"Name": arn(":2")}));
        assert_eq!(read.unwrap()["DocumentVersion"], "2");
    }
}

#[test]
fn sharing_has_its_limits_and_belongs_to_the_owner() {
    let mut fleet = fleet("quotas = { document_shares = 2, public_documents = 1 }");
    for name in ["One", "Two"] {
        fleet.ssm("CreateDocument", create(name)).unwrap();
    }
    let share = |name: &str, accounts: &[&str]| json!({"Name": name, "PermissionType": "Share", "AccountIdsToAdd": accounts});
    fleet
        .ssm(
            "ModifyDocumentPermission",
            share("One", &[WEB, "333333333333", "all"]),
        )
        .unwrap();
    assert_eq!(
        code(fleet.ssm("ModifyDocumentPermission", share("One", &["444444444444"]))),
        "DocumentPermissionLimit"
    );
    assert_eq!(
        code(fleet.ssm("ModifyDocumentPermission", share("Two", &["all"]))),
        "DocumentPermissionLimit"
    );
    assert_eq!(
        code(fleet.ssm("ModifyDocumentPermission", share("None", &["all"]))),
        "InvalidDocument"
    );
    assert_eq!(
        code(fleet.ssm("ModifyDocumentPermission", share("Two", &[]))),
        "ValidationException"
    );
    let many: Vec<String> = (0..21)
        .map(|n| format!("{:012}", 500_000_000_000_u64 + n))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        code(fleet.ssm("ModifyDocumentPermission", share("Two", &many))),
        "ValidationException"
    );
    let ask = |name: &str| json!({"Name": name, "PermissionType": "Share"});
    assert_eq!(
        code(fleet.ssm("DescribeDocumentPermission", ask("None"))),
        "InvalidDocument"
    );
    assert_eq!(
        code(fleet.ssm("DescribeDocumentPermission", ask("AWS-RunShellScript"))),
        "InvalidDocumentOperation"
    );
    let page = fleet
        .ssm(
            "DescribeDocumentPermission",
            json!({"Name": "One", "PermissionType": "Share", "MaxResults": 2}),
        )
        .unwrap();
    assert_eq!(page["AccountIds"], json!([WEB, "333333333333"]));
    let rest = fleet
        .ssm(
            "DescribeDocumentPermission",
            json!({"Name": "One", "PermissionType": "Share", "NextToken": page["NextToken"]}),
        )
        .unwrap();
    assert_eq!(rest["AccountIds"], json!(["all"]));
    let foreign = json!({"Name": "Two", "PermissionType": "Share", "NextToken": page["NextToken"]});
    assert_eq!(
        code(fleet.ssm("DescribeDocumentPermission", foreign)),
        "InvalidNextToken"
    );
}

#[test]
fn amazons_documents_can_be_read_everywhere_and_changed_nowhere() {
    let mut fleet = fleet("");
    let there = fleet.within(WEB, "eu-west-1");
    let baseline = as_caller(
        &mut fleet,
        &there,
        "DescribeDocument",
        json!({"Name": "AWS-RunPatchBaseline"}),
    )
    .unwrap()["Document"]
        .clone();
    assert_eq!(
        (
            &baseline["Owner"],
            &baseline["DocumentType"],
            &baseline["SchemaVersion"]
        ),
        (&json!("Amazon"), &json!("Command"), &json!("2.2"))
    );
    assert_eq!(baseline["PlatformTypes"], json!(["Windows", "Linux", "MacOS"]));
    let names: Vec<_> = baseline["Parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["Name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "Operation",
            "AssociationId",
            "SnapshotId",
            "InstallOverrideList",
            "BaselineOverride",
            "RebootOption"
        ]
    );
    assert!(baseline["Parameters"][0].get("DefaultValue").is_none());
    assert_eq!(baseline["Parameters"][5]["DefaultValue"], "RebootIfNeeded");
    let by_arn = json!({"Name": "arn:aws:ssm:eu-west-1::document/AWS-RunShellScript"});
    let shell = as_caller(&mut fleet, &there, "GetDocument", by_arn).unwrap();
    assert_eq!(shell["Name"], "AWS-RunShellScript");
    assert!(shell["Content"].as_str().unwrap().contains("aws:runShellScript"));
    let name = "AWS-RunPatchBaseline";
    for (operation, input, error) in [
        (
            "UpdateDocument",
            json!({"Name": name, "Content": "{}"}),
            "InvalidDocumentOperation",
        ),
        (
            "DeleteDocument",
            json!({"Name": name}),
            "InvalidDocumentOperation",
        ),
        (
            "UpdateDocumentDefaultVersion",
            json!({"Name": name, "DocumentVersion": "1"}),
            "InvalidDocument",
        ),
        (
            "ModifyDocumentPermission",
            json!({"Name": name, "PermissionType": "Share", "AccountIdsToAdd": [WEB]}),
            "InvalidDocument",
        ),
    ] {
        assert_eq!(code(fleet.ssm(operation, input)), error, "{operation}");
    }
}

#[test]
fn documents_are_listed_by_owner_name_type_platform_tag_and_word() {
    let mut fleet = fleet(
        "documents = [\n { name = \"Theirs\", builtin = \"patchfleet\", account = \"222222222222\", shared_with = [\"111111111111\"] },\n { name = \"Everyones\", builtin = \"patchfleet\", account = \"222222222222\", shared_with = [\"all\"] },\n { name = \"Hidden\", builtin = \"patchfleet\", account = \"222222222222\" },\n { name = \"PatchRun\", builtin = \"patchfleet\", tags = { Team = \"web\" } },\n]",
    );
    let command = json!({"schemaVersion": "2.2", "mainSteps": [{"name": "a", "action": "aws:runShellScript", "inputs": {}}]}).to_string();
    fleet
        .ssm(
            "CreateDocument",
            json!({"Name": "Shell", "Content": command, "TargetType": "/AWS::EC2::Instance"}),
        )
        .unwrap();
    let mut names = |filters: Value| {
        let listed = fleet.ssm("ListDocuments", filters).unwrap();
        let listed = listed["DocumentIdentifiers"].as_array().unwrap().clone();
        listed
            .iter()
            .map(|one| {
                one["Name"]
                    .as_str()
                    .unwrap()
                    .rsplit('/')
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect::<Vec<_>>()
    };
    let by = |key: &str, values: &[&str]| json!({"Filters": [{"Key": key, "Values": values}]});
    let amazon = [
        "AWS-RunPatchBaseline",
        "AWS-RunPowerShellScript",
        "AWS-RunShellScript",
    ];
    assert_eq!(names(by("Owner", &["Self"])), ["PatchRun", "Shell"]);
    assert_eq!(names(by("Owner", &["Amazon"])), amazon);
    assert_eq!(names(by("Owner", &["Private"])), ["Theirs"]);
    assert_eq!(names(by("Owner", &["Public"])), ["Everyones"]);
    assert!(names(by("Owner", &["ThirdParty"])).is_empty());
    assert_eq!(
        names(json!({})),
        [&amazon[..], &["PatchRun", "Shell", "Theirs"]].concat()
    );
    assert_eq!(
        names(by("Name", &["AWS-RunP", "She"])),
        ["AWS-RunPatchBaseline", "AWS-RunPowerShellScript", "Shell"]
    );
    assert_eq!(
        names(by("SearchKeyword", &["patch"])),
        ["AWS-RunPatchBaseline", "PatchRun"]
    );
    assert_eq!(names(by("DocumentType", &["Automation"])), ["PatchRun", "Theirs"]);
    assert_eq!(names(by("TargetType", &["/AWS::EC2::Instance"])), ["Shell"]);
    assert_eq!(names(by("tag:Team", &["web", "data"])), ["PatchRun"]);
    let both = json!({"Filters": [{"Key": "PlatformTypes", "Values": ["Windows"]}, {"Key": "DocumentType", "Values": ["Command"]}]});
    assert_eq!(names(both), amazon[..2]);
    let old = json!({"DocumentFilterList": [{"key": "Owner", "value": "Self"}, {"key": "DocumentType", "value": "Command"}]});
    assert_eq!(names(old), ["Shell"]);
    assert_eq!(
        code(fleet.ssm("ListDocuments", by("Colour", &["red"]))),
        "InvalidFilterKey"
    );
    assert_eq!(
        code(fleet.ssm("ListDocuments", json!({"NextToken": "AAEA"}))),
        "InvalidNextToken"
    );
    for owners in [vec!["Self", "Amazon"], vec!["Me"]] {
        assert_eq!(
            code(fleet.ssm("ListDocuments", by("Owner", &owners))),
            "ValidationException"
        );
    }
}
