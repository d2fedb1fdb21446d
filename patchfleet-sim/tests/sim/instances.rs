//! The managed nodes, their members by kind, and every way to select them.

use crate::fleet::There;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NODES: &str = r#"{ count = 2, tags = { Env = "prod" } },
    { count = 1, platform = "Windows", reachability = "offline" },
    { count = 2, kind = "hybrid", tags = { Name = "depot", Env = "dev" } },
    { count = 1, reachability = "unmanaged" }"#;

fn shown(there: &mut There, input: Value) -> Vec<Value> {
    let answer = there.ssm("DescribeInstanceInformation", input);
    answer["InstanceInformationList"].as_array().unwrap().clone()
}

fn ids(instances: &[Value]) -> BTreeSet<&str> {
    instances
        .iter()
        .map(|one| one["InstanceId"].as_str().unwrap())
        .collect()
}

#[test]
fn hybrid_nodes_show_their_activation_and_ec2_instances_none() {
    let mut there = There::with_nodes(NODES);
    let all = shown(&mut there, json!({}));
    assert_eq!(all.len(), 5);
    let common = [
        "InstanceId",
        "PingStatus",
        "LastPingDateTime",
        "AgentVersion",
        "IsLatestVersion",
        "PlatformType",
        "PlatformName",
        "PlatformVersion",
        "ResourceType",
        "IPAddress",
        "ComputerName",
        "AssociationStatus",
        "LastAssociationExecutionDate",
        "LastSuccessfulAssociationExecutionDate",
        "AssociationOverview",
        "SourceId",
        "SourceType",
    ];
    let activation = ["ActivationId", "IamRole", "RegistrationDate", "Name"];
    for one in &all {
        let hybrid = one["InstanceId"].as_str().unwrap().starts_with("mi-");
        let members: BTreeSet<&str> = one.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected: BTreeSet<&str> = common.into();
        if hybrid {
            expected.extend(activation);
            assert_eq!(one["Name"], "depot");
        }
        assert_eq!(members, expected);
        let (resource, source) = if hybrid {
            ("ManagedInstance", "AWS::SSM::ManagedInstance")
        } else {
            ("EC2Instance", "AWS::EC2::Instance")
        };
        assert_eq!(
            (&one["ResourceType"], &one["SourceType"]),
            (&json!(resource), &json!(source))
        );
    }
}

#[test]
fn every_filter_selects_the_nodes_that_show_the_value() {
    let mut there = There::with_nodes(NODES);
    let all = shown(&mut there, json!({}));
    let hybrid = all
        .iter()
        .find(|one| one["ResourceType"] == "ManagedInstance")
        .unwrap()
        .clone();
    for (key, member, count) in [
        ("InstanceIds", "InstanceId", 1),
        ("AgentVersion", "AgentVersion", 5),
        ("PingStatus", "PingStatus", 4),
        ("PlatformTypes", "PlatformType", 4),
        ("ActivationIds", "ActivationId", 1),
        ("IamRole", "IamRole", 2),
        ("ResourceType", "ResourceType", 2),
        ("AssociationStatus", "AssociationStatus", 5),
        ("SourceIds", "SourceId", 1),
        ("SourceTypes", "SourceType", 2),
    ] {
        let value = &hybrid[member];
        let filter = json!({"Filters": [{"Key": key, "Values": [value]}]});
        let found = shown(&mut there, filter);
        let expected: Vec<Value> = all.iter().filter(|one| one[member] == *value).cloned().collect();
        assert_eq!(ids(&found), ids(&expected), "{key}");
        assert_eq!(found.len(), count, "{key}");
        if !key.starts_with("Source") {
            let old = json!({"InstanceInformationFilterList": [{"key": key, "valueSet": [value]}]});
            assert_eq!(
                ids(&shown(&mut there, old)),
                ids(&expected),
                "{key}, the older kind"
            );
        }
    }
    for (filters, count) in [
        (json!([{"Key": "tag:Env", "Values": ["prod", "dev"]}]), 4),
        (json!([{"Key": "tag:Env", "Values": ["prod"]}]), 2),
        (json!([{"Key": "tag-key", "Values": ["Name"]}]), 2),
        (
            json!([{"Key": "PingStatus", "Values": ["Online"]}, {"Key": "ResourceType", "Values": ["EC2Instance"]}]),
            2,
        ),
        (
            json!([{"Key": "InstanceIds", "Values": ["i-00000000000000000"]}]),
            0,
        ),
        (json!([{"Key": "AgentVersion", "Values": ["1.0.0"]}]), 0),
        (json!([{"Key": "PingStatus", "Values": ["Inactive"]}]), 0),
    ] {
        let found = shown(&mut there, json!({"Filters": filters}));
        assert_eq!(found.len(), count, "{filters}");
    }
}

#[test]
fn what_no_filter_can_mean_is_refused() {
    let mut there = There::with_nodes(NODES);
    let filter = |key: &str, value: &str| json!({"Filters": [{"Key": key, "Values": [value]}]});
    let value = "InvalidInstanceInformationFilterValue";
    for (input, code) in [
        (filter("Colour", "red"), "ValidationException"),
        (filter("PingStatus", "Asleep"), value),
        (filter("PlatformTypes", "Amiga"), value),
        (filter("ResourceType", "AWS::EC2::Instance"), value),
        (filter("AssociationStatus", "Maybe"), value),
        (filter("SourceTypes", "Toaster"), value),
        (filter("InstanceIds", "my-server"), "InvalidInstanceId"),
        (
            json!({"InstanceInformationFilterList": [{"key": "PingStatus", "valueSet": ["Asleep"]}]}),
            value,
        ),
        (json!({"NextToken": "nonsense"}), "InvalidNextToken"),
    ] {
        assert_eq!(
            there.refusal("DescribeInstanceInformation", input.clone()),
            code,
            "{input}"
        );
    }
    let both = json!({
        "Filters": [{"Key": "PingStatus", "Values": ["Online"]}],
        "InstanceInformationFilterList": [{"key": "PingStatus", "valueSet": ["Online"]}],
    });
    let mixed = json!({"Filters": [
        {"Key": "tag:Env", "Values": ["dev"]},
        {"Key": "ResourceType", "Values": ["EC2Instance"]},
    ]});
    for (input, words) in [
        (both, "Cannot use both legacy and new filter simultaneously."),
        (mixed, "Cannot mix tag or inventory filter with any other filter."),
        (filter("Colour", "red"), "Colour filter Key is invalid."),
    ] {
        let error = there.call("DescribeInstanceInformation", input).unwrap_err();
        assert_eq!((error.code(), error.message()), ("ValidationException", words));
    }
}

#[test]
fn no_filter_finds_a_node_that_is_stopped_terminated_or_not_registered() {
    for away in ["stopped", "terminated", "unmanaged"] {
        let nodes = format!(
            r#"{{ count = 1, tags = {{ Env = "prod" }} }},
            {{ count = 1, tags = {{ Env = "prod", Away = "yes" }}, reachability = "{away}" }}"#
        );
        let mut there = There::with_nodes(&nodes);
        let every = there.ids();
        let here = shown(&mut there, json!({}));
        assert_eq!(here.len(), 1, "{away}");
        for (key, values, found) in [
            ("InstanceIds", json!(every), 1),
            ("SourceIds", json!(every), 1),
            ("tag:Env", json!(["prod"]), 1),
            ("tag:Away", json!(["yes"]), 0),
            ("tag-key", json!(["Away"]), 0),
            ("PingStatus", json!(["Online"]), 1),
            ("PingStatus", json!(["ConnectionLost", "Inactive"]), 0),
            ("ResourceType", json!(["EC2Instance"]), 1),
        ] {
            let all = shown(&mut there, json!({"Filters": [{"Key": key, "Values": values}]}));
            assert_eq!(all.len(), found, "{away}, {key} {values}");
            assert!(all.iter().all(|one| *one == here[0]), "{away}, {key}");
        }
    }
}
