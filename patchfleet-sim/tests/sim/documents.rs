//! Documents: their types and formats, versions and limits.

use crate::fleet::{CENTRAL, Fleet};
use serde_json::{Value, json};

pub(crate) const WEB: &str = "222222222222";

/// Two accounts, with `top` in front of everything.
pub(crate) fn fleet(top: &str) -> Fleet {
    Fleet::of(&format!(
        "{top}\nmanagement_account = \"{CENTRAL}\"\naccounts = [{{ id = \"{CENTRAL}\", name = \"Main\" }}, {{ id = \"{WEB}\", name = \"Web\" }}]\n"
    ))
}

pub(crate) fn runbook(step: &str) -> String {
    json!({"schemaVersion": "0.3", "mainSteps": [{"name": step, "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}]}).to_string()
}

pub(crate) fn create(name: &str) -> Value {
    json!({"Name": name, "DocumentType": "Automation", "Content": runbook("a")})
}

pub(crate) fn code(result: Result<Value, patchfleet_sim::ApiError>) -> String {
    result.unwrap_err().code().to_owned()
}

#[test]
fn each_type_has_its_formats_and_schema_versions() {
    let mut fleet = fleet("");
    let calendar = "BEGIN:VCALENDAR\r\nX-CALENDAR-TYPE:DEFAULT_OPEN\r\nEND:VCALENDAR\r\n".to_owned();
    let command = |version: &str| {
        json!({"schemaVersion": version, "mainSteps": [{"name": "a", "action": "aws:runShellScript", "inputs": {}}]}).to_string()
    };
    let rows = [
        ("Automation", "JSON", runbook("a"), None),
        (
            "Automation",
            "YAML",
            "schemaVersion: '0.3'\nmainSteps:\n- {name: a, action: 'aws:sleep'}\n".into(),
            None,
        ),
        (
            "Automation",
            "JSON",
            "schemaVersion: '0.3'".into(),
            Some("InvalidDocumentContent"),
        ),
        ("Automation", "TEXT", runbook("a"), Some("InvalidDocumentContent")),
        (
            "Automation",
            "JSON",
            command("2.2"),
            Some("InvalidDocumentSchemaVersion"),
        ),
        ("Command", "JSON", command("2.2"), None),
        (
            "Command",
            "JSON",
            command("0.3"),
            Some("InvalidDocumentSchemaVersion"),
        ),
        (
            "Command",
            "JSON",
            r#"{"schemaVersion":"2.2"}"#.into(),
            Some("InvalidDocumentContent"),
        ),
        (
            "Command",
            "JSON",
            r#"{"schemaVersion":"1.2","runtimeConfig":{"aws:runShellScript":{}}}"#.into(),
            None,
        ),
        (
            "Policy",
            "JSON",
            r#"{"schemaVersion":"2.0","inputs":{"a":1}}"#.into(),
            None,
        ),
        (
            "Session",
            "JSON",
            r#"{"schemaVersion":"1.0","sessionType":"Standard_Stream"}"#.into(),
            None,
        ),
        (
            "Session",
            "JSON",
            r#"{"schemaVersion":"1.0"}"#.into(),
            Some("InvalidDocumentContent"),
        ),
        ("ChangeCalendar", "TEXT", calendar.clone(), None),
        ("ChangeCalendar", "JSON", calendar, Some("InvalidDocumentContent")),
        (
            "ChangeCalendar",
            "TEXT",
            "BEGIN:VCALENDAR\nEND:VCALENDAR".into(),
            Some("InvalidDocumentContent"),
        ),
        ("Package", "JSON", "{}".into(), Some("InvalidDocumentContent")),
        (
            "Automation",
            "JSON",
            "{}".repeat(40_000),
            Some("MaxDocumentSizeExceeded"),
        ),
    ];
    for (index, (kind, format, content, error)) in rows.into_iter().enumerate() {
        let name = format!("Doc{index}");
        let input = json!({"Name": name, "DocumentType": kind, "DocumentFormat": format, "Content": content});
        let answer = fleet.ssm("CreateDocument", input);
        match error {
            Some(error) => assert_eq!(answer.unwrap_err().code(), error, "{kind} {content:.60}"),
            None => {
                let described = answer.unwrap()["DocumentDescription"].clone();
                assert_eq!(
                    (&described["DocumentType"], &described["DocumentFormat"]),
                    (&json!(kind), &json!(format))
                );
                assert_eq!(
                    fleet
                        .ssm("GetDocument", json!({"Name": name, "DocumentFormat": format}))
                        .unwrap()["Content"],
                    content
                );
            }
        }
    }
}

#[test]
fn a_description_tells_parameters_platforms_tags_and_names() {
    let mut fleet = fleet("");
    let content = "schemaVersion: '2.2'\ndescription: Says it.\nparameters:\n  Zulu: {type: StringList, description: Many., default: [a, b]}\n  Alpha: {type: Boolean, default: true}\nmainSteps:\n- {name: a, action: 'aws:runShellScript', precondition: {StringEquals: [platformType, Linux]}}\n- {name: b, action: 'aws:runPowerShellScript', precondition: {StringEquals: [platformType, Windows]}}\n";
    let input = json!({
        "Name": "Mine", "DocumentType": "Command", "DocumentFormat": "YAML", "Content": content, "VersionName": "v1",
        "DisplayName": "My own", "TargetType": "/AWS::EC2::Instance", "Tags": [{"Key": "Team", "Value": "web"}],
        "Requires": [{"Name": "Other"}],
    });
    let created = fleet.ssm("CreateDocument", input).unwrap()["DocumentDescription"].clone();
    assert_eq!(created["Status"], "Creating");
    let described = fleet
        .ssm("DescribeDocument", json!({"Name": "Mine", "VersionName": "v1"}))
        .unwrap()["Document"]
        .clone();
    assert_eq!(
        described["Parameters"],
        json!([
            {"Name": "Zulu", "Type": "StringList", "Description": "Many.", "DefaultValue": "[\"a\",\"b\"]"},
            {"Name": "Alpha", "Type": "String", "DefaultValue": "true"},
        ])
    );
    assert_eq!(described["PlatformTypes"], json!(["Windows", "Linux"]));
    assert_eq!(described["Description"], "Says it.");
    assert_eq!(
        (
            &described["SchemaVersion"],
            &described["Status"],
            &described["Owner"]
        ),
        (&json!("2.2"), &json!("Active"), &json!(CENTRAL))
    );
    assert_eq!(
        (
            &described["VersionName"],
            &described["DisplayName"],
            &described["TargetType"]
        ),
        (&json!("v1"), &json!("My own"), &json!("/AWS::EC2::Instance"))
    );
    assert_eq!(
        (&described["Tags"], &described["Requires"]),
        (
            &json!([{"Key": "Team", "Value": "web"}]),
            &json!([{"Name": "Other"}])
        )
    );
    assert_eq!(
        code(fleet.ssm("DescribeDocument", json!({"Name": "Mine", "VersionName": "v2"}))),
        "InvalidDocumentVersion"
    );
}

#[test]
fn a_document_is_read_as_json_unless_yaml_is_asked_for() {
    let mut fleet = fleet("");
    let yaml = "schemaVersion: \"0.3\"\ndescription: Waits.\nmainSteps:\n- name: a\n  action: aws:sleep\n  inputs:\n    Duration: PT1S\n";
    fleet
        .ssm(
            "CreateDocument",
            json!({"Name": "Mine", "DocumentType": "Automation", "DocumentFormat": "YAML", "Content": yaml}),
        )
        .unwrap();
    let json = fleet.ssm("GetDocument", json!({"Name": "Mine"})).unwrap();
    assert_eq!(json["DocumentFormat"], "JSON");
    assert_eq!(
        serde_json::from_str::<Value>(json["Content"].as_str().unwrap()).unwrap(),
        json!({"schemaVersion": "0.3", "description": "Waits.", "mainSteps": [{"name": "a", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}]})
    );
    let same = fleet
        .ssm("GetDocument", json!({"Name": "Mine", "DocumentFormat": "YAML"}))
        .unwrap();
    assert_eq!(
        (&same["Content"], &same["DocumentFormat"]),
        (&json!(yaml), &json!("YAML"))
    );
    // What was YAML and is read as JSON can be put back.
    fleet
        .ssm(
            "CreateDocument",
            json!({"Name": "Again", "DocumentType": "Automation", "Content": json["Content"]}),
        )
        .unwrap();
}

#[test]
fn what_is_reserved_attached_or_too_many_is_refused() {
    let mut fleet = fleet("quotas = { documents = 2, document_versions = 2 }");
    for name in ["AWS-Mine", "amazonDoc", "Amzn.Doc"] {
        assert_eq!(
            code(fleet.ssm("CreateDocument", create(name))),
            "ValidationException",
            "{name}"
        );
    }
    let mut attached = create("Mine");
    attached["Attachments"] = json!([{"Key": "SourceUrl", "Values": ["s3://bucket/x"]}]);
    assert_eq!(code(fleet.ssm("CreateDocument", attached)), "ValidationException");
    fleet.ssm("CreateDocument", create("One")).unwrap();
    assert_eq!(
        code(fleet.ssm("CreateDocument", create("One"))),
        "DocumentAlreadyExists"
    );
    fleet.ssm("CreateDocument", create("Two")).unwrap();
    assert_eq!(
        code(fleet.ssm("CreateDocument", create("Three"))),
        "DocumentLimitExceeded"
    );
    let update = |step: &str, name: Option<&str>| json!({"Name": "One", "Content": runbook(step), "VersionName": name, "DocumentVersion": "$LATEST"});
    fleet.ssm("UpdateDocument", update("b", Some("x"))).unwrap();
    assert_eq!(
        code(fleet.ssm("UpdateDocument", update("c", Some("x")))),
        "DuplicateDocumentVersionName"
    );
    assert_eq!(
        code(fleet.ssm("UpdateDocument", update("c", None))),
        "DocumentVersionLimitExceeded"
    );
    assert_eq!(
        code(fleet.ssm("UpdateDocument", json!({"Name": "None", "Content": runbook("b")}))),
        "InvalidDocument"
    );
    let unsaid = json!({"Name": "One", "Content": runbook("d")});
    assert_eq!(
        code(fleet.ssm("UpdateDocument", unsaid)),
        "InvalidDocumentVersion"
    );
    for version in ["1", "$DEFAULT", "7"] {
        let input = json!({"Name": "One", "Content": runbook("d"), "DocumentVersion": version});
        assert_eq!(
            code(fleet.ssm("UpdateDocument", input)),
            "InvalidDocumentVersion",
            "{version}"
        );
    }
}

#[test]
fn a_new_document_and_a_new_version_become_active_after_a_moment() {
    let mut fleet = fleet("document_settle_seconds = 30");
    let status = |fleet: &mut Fleet, version: &str| {
        let described = fleet
            .ssm(
                "DescribeDocument",
                json!({"Name": "Mine", "DocumentVersion": version}),
            )
            .unwrap();
        described["Document"]["Status"].clone()
    };
    let update = json!({"Name": "Mine", "Content": runbook("b"), "DocumentVersion": "$LATEST"});
    fleet.ssm("CreateDocument", create("Mine")).unwrap();
    assert_eq!(status(&mut fleet, "1"), "Creating");
    assert_eq!(
        code(fleet.ssm("UpdateDocument", update.clone())),
        "InvalidDocumentOperation"
    );
    assert_eq!(
        code(fleet.ssm("DeleteDocument", json!({"Name": "Mine"}))),
        "TooManyUpdates"
    );
    fleet.world.advance_by(jiff::SignedDuration::from_secs(30));
    assert_eq!(status(&mut fleet, "1"), "Active");
    let updated = fleet.ssm("UpdateDocument", update).unwrap();
    assert_eq!(updated["DocumentDescription"]["Status"], "Updating");
    assert_eq!(
        (status(&mut fleet, "1"), status(&mut fleet, "2")),
        (json!("Active"), json!("Updating"))
    );
    fleet.world.advance_by(jiff::SignedDuration::from_secs(30));
    assert_eq!(status(&mut fleet, "2"), "Active");
}

#[test]
fn versions_are_listed_newest_first_and_a_deleted_ones_number_is_not_used_again() {
    let mut fleet = fleet("");
    fleet.ssm("CreateDocument", create("Mine")).unwrap();
    for step in ["b", "c"] {
        fleet
            .ssm(
                "UpdateDocument",
                json!({"Name": "Mine", "Content": runbook(step), "VersionName": step, "DocumentVersion": "$LATEST"}),
            )
            .unwrap();
    }
    let numbers = |fleet: &mut Fleet| {
        let listed = fleet
            .ssm("ListDocumentVersions", json!({"Name": "Mine"}))
            .unwrap();
        let versions = listed["DocumentVersions"].as_array().unwrap().clone();
        versions
            .iter()
            .map(|one| {
                (
                    one["DocumentVersion"].as_str().unwrap().to_owned(),
                    one["IsDefaultVersion"] == true,
                )
            })
            .collect::<Vec<_>>()
    };
    let is = |pairs: &[(&str, bool)]| {
        pairs
            .iter()
            .map(|(number, default)| ((*number).to_owned(), *default))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        numbers(&mut fleet),
        is(&[("3", false), ("2", false), ("1", true)])
    );
    let delete = |version: &str| json!({"Name": "Mine", "DocumentVersion": version});
    assert_eq!(
        code(fleet.ssm("DeleteDocument", delete("1"))),
        "InvalidDocumentOperation"
    );
    assert_eq!(code(fleet.ssm("DeleteDocument", delete("9"))), "InvalidDocument");
    fleet
        .ssm("DeleteDocument", json!({"Name": "Mine", "VersionName": "c"}))
        .unwrap();
    fleet
        .ssm(
            "UpdateDocument",
            json!({"Name": "Mine", "Content": runbook("d"), "DocumentVersion": "$LATEST"}),
        )
        .unwrap();
    assert_eq!(
        numbers(&mut fleet),
        is(&[("4", false), ("2", false), ("1", true)])
    );
    let moved = fleet
        .ssm(
            "UpdateDocumentDefaultVersion",
            json!({"Name": "Mine", "DocumentVersion": "2"}),
        )
        .unwrap();
    assert_eq!(
        moved["Description"],
        json!({"Name": "Mine", "DefaultVersion": "2", "DefaultVersionName": "b"})
    );
    assert_eq!(
        code(fleet.ssm(
            "UpdateDocumentDefaultVersion",
            json!({"Name": "Mine", "DocumentVersion": "3"})
        )),
        "InvalidDocumentVersion"
    );
    assert_eq!(
        code(fleet.ssm(
            "UpdateDocumentDefaultVersion",
            json!({"Name": "None", "DocumentVersion": "3"})
        )),
        "InvalidDocument"
    );
    let latest = fleet
        .ssm(
            "GetDocument",
            json!({"Name": "Mine", "DocumentVersion": "$LATEST"}),
        )
        .unwrap();
    assert_eq!(
        (&latest["DocumentVersion"], &latest["Content"]),
        (&json!("4"), &json!(runbook("d")))
    );
    fleet.ssm("DeleteDocument", json!({"Name": "Mine"})).unwrap();
    assert_eq!(
        code(fleet.ssm("ListDocumentVersions", json!({"Name": "Mine"}))),
        "InvalidDocument"
    );
    assert_eq!(
        code(fleet.ssm("DeleteDocument", json!({"Name": "Mine"}))),
        "InvalidDocument"
    );
}
