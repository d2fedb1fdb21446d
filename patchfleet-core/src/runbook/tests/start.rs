//! What a start is given.

use crate::id::{CampaignId, UnitId};
use crate::plan::Plan;
use crate::port::Caller;
use crate::request::PatchRequest;
use crate::runbook::{campaign_tag_key, for_campaign, parameters, start_tag_key};
use crate::tests::world::{CENTRAL, World, ec2, region, request, request_with};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn central() -> Caller {
    World::default().caller_now()
}

fn given(request: &PatchRequest) -> Value {
    json!(parameters(request, &central(), None).unwrap())
}

fn group() -> Value {
    json!({"resource_group": "WebServers", "regions": ["us-east-1"]})
}

#[test]
fn the_own_runbook_gets_every_parameter_that_is_set_and_no_empty_one() {
    assert_eq!(
        given(&request(group())),
        json!({
            "AutomationAssumeRole":
                [format!("arn:aws:iam::{CENTRAL}:role/AWS-SystemsManager-AutomationAdministrationRole")],
            "Targets": [r#"{"Key":"resource-groups:Name","Values":["WebServers"]}"#],
            "MaxConcurrency": ["10%"],
            "MaxErrors": ["10%"],
            "Operation": ["Scan"],
            "RebootOption": ["RebootIfNeeded"],
        })
    );
    let install = json!({
        "patch": {
            "operation": "Install", "reboot_option": "NoReboot",
            "install_override_list": "s3://bucket/list.yaml",
        },
        "budget": {"nodes": {"max_concurrency": 3, "max_errors": "0%"}},
        "automation": {"assume_role": "arn:aws:iam::222222222222:role/Mine"},
    });
    let given = given(&request_with(group(), install));
    for (name, value) in [
        ("AutomationAssumeRole", "arn:aws:iam::222222222222:role/Mine"),
        ("Operation", "Install"),
        ("RebootOption", "NoReboot"),
        ("InstallOverrideList", "s3://bucket/list.yaml"),
        ("MaxConcurrency", "3"),
        ("MaxErrors", "0%"),
    ] {
        assert_eq!(given[name], json!([value]), "{name}");
    }
}

#[test]
fn the_default_role_is_of_the_partition_of_the_central_region() {
    let china = Caller {
        region: region("cn-north-1"),
        ..central()
    };
    let parameters = parameters(&request(group()), &china, None).unwrap();
    assert!(parameters["AutomationAssumeRole"][0].starts_with("arn:aws-cn:iam::"));
}

#[test]
fn every_parameter_is_one_that_the_runbook_declares() {
    let runbook: Value = serde_json::from_str(&crate::runbook::Runbook::default().to_json()).unwrap();
    let start = started(&request(group()));
    for name in start.keys() {
        assert!(runbook["parameters"].get(name).is_some(), "{name}");
    }
    for (name, parameter) in runbook["parameters"].as_object().unwrap() {
        assert!(
            parameter.get("default").is_some() || start.contains_key(name),
            "{name}"
        );
    }
}

#[test]
fn a_runbook_of_ones_own_gets_what_the_request_gives_it() {
    let own = |more: Value| {
        let mut automation = json!({"document": "Our-Runbook", "parameters": {"Color": ["blue"]}});
        automation
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        given(&request_with(group(), json!({"automation": automation})))
    };
    assert_eq!(own(json!({})), json!({"Color": ["blue"]}));
    let role = "arn:aws:iam::111111111111:role/R";
    assert_eq!(
        own(json!({"assume_role": role})),
        json!({"Color": ["blue"], "AutomationAssumeRole": [role]})
    );
    let both = json!({"assume_role": role, "parameters": {"AutomationAssumeRole": ["theirs"]}});
    assert_eq!(own(both), json!({"AutomationAssumeRole": ["theirs"]}));
}

#[test]
fn the_nodes_of_a_unit_replace_those_of_the_request() {
    let ids = json!({"node_ids": [ec2(1), ec2(2)], "regions": ["us-east-1"]});
    let given = parameters(&request(ids), &central(), Some(&[ec2(2)])).unwrap();
    assert_eq!(
        given["Targets"],
        [format!(r#"{{"Key":"InstanceIds","Values":["{}"]}}"#, ec2(2))]
    );
}

fn campaign() -> CampaignId {
    CampaignId::from_uuid(uuid::Uuid::from_u128(7))
}

fn a_plan(request: &PatchRequest) -> Plan {
    let mut world = World::default();
    world.add(CENTRAL, &["us-east-1"]);
    world.place(CENTRAL, "us-east-1").members = vec![ec2(1)];
    crate::plan::tests::helpers::planned(&world, request).unwrap()
}

/// The parameters of the campaign's first start.
fn started(request: &PatchRequest) -> BTreeMap<String, Vec<String>> {
    let plan = a_plan(request);
    for_campaign(
        &plan.units[0].start,
        plan.runbook.as_ref(),
        campaign(),
        UnitId::from_index(0),
        1,
    )
    .parameters
}

#[test]
fn the_campaign_adds_its_id_its_unit_its_snapshot_and_tags() {
    let parameters = started(&request(group()));
    assert_eq!(parameters["CampaignId"], [campaign().to_string()]);
    assert_eq!(parameters["UnitId"], ["1"]);
    assert_eq!(parameters["SnapshotId"], [campaign().snapshot_id().to_string()]);

    let own = json!({"automation": {"document": "Our-Runbook", "parameters": {"Color": ["blue"]}}});
    let own = request_with(group(), own);
    let given = started(&own);
    assert_eq!(given["Color"], ["blue"]);
    // The document that is there has a parameter for it.
    assert_eq!(given["SnapshotId"], [campaign().snapshot_id().to_string()]);
    assert_eq!(given.len(), 2);
    let set = json!({"automation": {"document": "Our-Runbook", "parameters": {"SnapshotId": ["theirs"]}}});
    let set = request_with(group(), set);
    assert_eq!(started(&set)["SnapshotId"], ["theirs"]);
    let plan = a_plan(&own);
    let unbound = for_campaign(&plan.units[0].start, None, campaign(), UnitId::from_index(0), 1);
    assert!(!unbound.parameters.contains_key("SnapshotId"));

    let (unit, plan) = (UnitId::from_index(4), a_plan(&own));
    let (first, second) = (
        for_campaign(&plan.units[0].start, plan.runbook.as_ref(), campaign(), unit, 1),
        for_campaign(&plan.units[0].start, plan.runbook.as_ref(), campaign(), unit, 2),
    );
    let tags = |start: &crate::port::StartRequest| -> Vec<(String, String)> {
        start
            .tags
            .iter()
            .map(|tag| (tag.key.clone(), tag.value.clone()))
            .collect()
    };
    assert_eq!(
        tags(&first),
        [
            ("patchfleet:campaign".to_owned(), campaign().to_string()),
            ("patchfleet:unit".to_owned(), "5".to_owned()),
            (start_tag_key(campaign().client_token(unit, 1)), "1".to_owned()),
            (campaign_tag_key(campaign()), "1".to_owned()),
        ]
    );
    assert_ne!(tags(&first)[2], tags(&second)[2]);
    assert_eq!(
        for_campaign(&plan.units[0].start, plan.runbook.as_ref(), campaign(), unit, 1),
        first
    );
}

#[test]
fn the_own_runbook_is_told_where_the_output_goes_and_chooses_its_step_by_that() {
    let told = |output: Value| {
        let given = given(&request_with(group(), json!({ "output": output })));
        let names = [
            "Output",
            "OutputS3BucketName",
            "OutputS3KeyPrefix",
            "CloudWatchLogGroupName",
        ];
        names.map(|name| {
            given
                .get(name)
                .map(|values| values[0].as_str().unwrap().to_owned())
        })
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(told(json!({})), [None, None, None, None]);
    assert_eq!(
        told(json!({"s3_bucket": "ops"})),
        [some("S3"), some("ops"), None, None]
    );
    assert_eq!(
        told(json!({"s3_bucket": "ops", "s3_prefix": "a/b"})),
        [some("S3"), some("ops"), some("a/b"), None]
    );
    assert_eq!(
        told(json!({"cloudwatch_log_group": "/patching"})),
        [some("CloudWatch"), None, None, some("/patching")]
    );
    assert_eq!(
        told(json!({"s3_bucket": "ops", "cloudwatch_log_group": "/patching"})),
        [some("S3AndCloudWatch"), some("ops"), None, some("/patching")]
    );
}

#[test]
fn the_word_for_where_output_goes_is_one_that_the_runbook_allows() {
    let runbook: Value = serde_json::from_str(&crate::runbook::Runbook::default().to_json()).unwrap();
    let allowed = &runbook["parameters"]["Output"]["allowedValues"];
    for output in [
        json!({"s3_bucket": "ops"}),
        json!({"cloudwatch_log_group": "g"}),
        json!({"s3_bucket": "ops", "cloudwatch_log_group": "g"}),
    ] {
        let given = given(&request_with(group(), json!({ "output": output })));
        assert!(
            allowed.as_array().unwrap().contains(&given["Output"][0]),
            "{given}"
        );
    }
}
