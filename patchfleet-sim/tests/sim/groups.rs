//! Resource groups: made, listed, deleted, and asked who is in them.

use crate::fleet::Fleet;
use patchfleet_sim::{ApiError, Caller, Service, call};
use serde_json::{Value, json};

const WEB: &str = "222222222222";

struct There {
    fleet: Fleet,
    caller: Caller,
}

impl There {
    fn with_nodes(nodes: &str) -> Self {
        let mut fleet = Fleet::with_nodes(nodes);
        let caller = fleet.within(WEB, "us-east-1");
        Self { fleet, caller }
    }

    fn ask(&mut self, operation: &str, input: Value) -> Result<Value, ApiError> {
        call(
            &mut self.fleet.world,
            &self.caller,
            Service::ResourceGroups,
            operation,
            input,
        )
    }

    fn members(&mut self, group: &str) -> usize {
        let page = self.ask("ListGroupResources", json!({"Group": group})).unwrap();
        page["ResourceIdentifiers"].as_array().unwrap().len()
    }
}

fn query(types: &[&str], key: &str, values: &[&str]) -> Value {
    let query = json!({"ResourceTypeFilters": types, "TagFilters": [{"Key": key, "Values": values}]});
    json!({"Type": "TAG_FILTERS_1_0", "Query": query.to_string()})
}

fn code(result: Result<Value, ApiError>) -> (String, u16) {
    let error = result.unwrap_err();
    (error.code().to_owned(), error.status())
}

fn bad() -> (String, u16) {
    ("BadRequestException".to_owned(), 400)
}

fn arn(name: &str) -> String {
    format!("arn:aws:resource-groups:us-east-1:{WEB}:group/{name}")
}

const NODES: &str = r#"{ count = 2, tags = { Env = "prod" } }, { count = 1, kind = "hybrid", tags = { Env = "prod" } }, { count = 4, tags = { Env = "test" } }"#;

#[test]
fn a_group_that_is_made_is_a_query_that_is_asked_anew_each_time() {
    let mut there = There::with_nodes(NODES);
    let wanted = query(&["AWS::AllSupported"], "Env", &["prod"]);
    let created = there
        .ask("CreateGroup", json!({"Name": "Prod", "Description": "What counts.", "ResourceQuery": wanted, "Tags": {"Team": "web"}, "Owner": "me", "DisplayName": "Production", "Criticality": 2}))
        .unwrap();
    let group = json!({"GroupArn": arn("Prod"), "Name": "Prod", "Description": "What counts.", "Owner": "me", "DisplayName": "Production", "Criticality": 2});
    assert_eq!(
        created,
        json!({"Group": group, "ResourceQuery": wanted, "Tags": {"Team": "web"}})
    );
    assert_eq!(
        there.ask("GetGroup", json!({"Group": arn("Prod")})).unwrap()["Group"],
        group
    );
    let shown = there.ask("GetGroupQuery", json!({"GroupName": "Prod"})).unwrap();
    assert_eq!(
        shown["GroupQuery"],
        json!({"GroupName": "Prod", "ResourceQuery": wanted})
    );
    assert_eq!(there.members("Prod"), 3);
    there.ask("CreateGroup", json!({"Name": "Machines", "ResourceQuery": query(&["AWS::EC2::Instance"], "Env", &["prod", "test"])})).unwrap();
    assert_eq!(there.members("Machines"), 6);
    let deleted = there.ask("DeleteGroup", json!({"Group": "Prod"})).unwrap();
    assert_eq!(deleted["Group"], group);
    assert_eq!(
        code(there.ask("GetGroup", json!({"Group": "Prod"}))),
        ("NotFoundException".to_owned(), 404)
    );
}

#[test]
fn run_command_reaches_the_members_of_a_group_that_was_made() {
    let mut there = There::with_nodes(NODES);
    there
        .ask(
            "CreateGroup",
            json!({"Name": "Prod", "ResourceQuery": query(&["AWS::AllSupported"], "Env", &["prod"])}),
        )
        .unwrap();
    there.fleet.start(&[WEB], &["us-east-1"], |input| {
        input["Parameters"]["Targets"] = json!([r#"{"Key":"resource-groups:Name","Values":["Prod"]}"#]);
    });
    there.fleet.world.run_until_idle();
    assert_eq!(
        there.fleet.world.commands().next().unwrap().invocations().len(),
        3
    );
}

#[test]
fn an_automation_runs_once_for_each_member_of_a_group_that_was_made() {
    let mut there = There::with_nodes(NODES);
    let wanted = query(&["AWS::AllSupported"], "Env", &["prod"]);
    there
        .ask("CreateGroup", json!({"Name": "Prod", "ResourceQuery": wanted}))
        .unwrap();
    let content = json!({
        "schemaVersion": "0.3",
        "parameters": {"Node": {"type": "String"}},
        "mainSteps": [{"name": "wait", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}],
    });
    let ssm = [
        (
            "CreateDocument",
            json!({"Name": "Wait", "DocumentType": "Automation", "Content": content.to_string()}),
        ),
        (
            "StartAutomationExecution",
            json!({
                "DocumentName": "Wait", "TargetParameterName": "Node", "MaxConcurrency": "10", "MaxErrors": "0",
                "Targets": [{"Key": "ResourceGroup", "Values": ["Prod"]}],
            }),
        ),
    ];
    for (operation, input) in ssm {
        call(
            &mut there.fleet.world,
            &there.caller,
            Service::Ssm,
            operation,
            input,
        )
        .unwrap();
    }
    there.fleet.world.run_until_idle();
    // The one that was started, and one for each of the three.
    assert_eq!(there.fleet.world.executions().count(), 4);
}

#[test]
fn a_group_of_the_world_shows_a_query_that_finds_its_members() {
    let mut there = There::with_nodes(NODES);
    let shown = there.ask("GetGroupQuery", json!({"Group": "Web"})).unwrap();
    let found = there
        .ask(
            "SearchResources",
            json!({"ResourceQuery": shown["GroupQuery"]["ResourceQuery"]}),
        )
        .unwrap();
    let members = there.ask("ListGroupResources", json!({"Group": "Web"})).unwrap();
    assert_eq!(found["ResourceIdentifiers"].as_array().unwrap().len(), 7);
    assert_eq!(found["ResourceIdentifiers"], members["ResourceIdentifiers"]);
    let node = there.fleet.world.nodes().next().unwrap().id().clone();
    there.fleet.world.leave_group(&node, "Web");
    let found = there
        .ask(
            "SearchResources",
            json!({"ResourceQuery": shown["GroupQuery"]["ResourceQuery"]}),
        )
        .unwrap();
    assert_eq!(found["ResourceIdentifiers"].as_array().unwrap().len(), 6);
    there.ask("DeleteGroup", json!({"Group": "Web"})).unwrap();
    there
        .ask(
            "CreateGroup",
            json!({"Name": "Web", "ResourceQuery": query(&["AWS::AllSupported"], "Env", &["none"])}),
        )
        .unwrap();
    assert_eq!(there.members("Web"), 0);
}

#[test]
fn what_cannot_be_a_group_is_refused() {
    let mut there = There::with_nodes("");
    let sound = query(&["AWS::AllSupported"], "Env", &[]);
    let text = |query: &str| json!({"Type": "TAG_FILTERS_1_0", "Query": query});
    let configuration = json!([{"Type": "AWS::ResourceGroups::Generic"}]);
    for input in [
        json!({"Name": "AwsGroup", "ResourceQuery": sound}),
        json!({"Name": "Web", "ResourceQuery": sound}),
        json!({"Name": "Both", "ResourceQuery": sound, "Configuration": configuration}),
        json!({"Name": "Twice", "Configuration": [{"Type": "AWS::ResourceGroups::Generic"}, {"Type": "AWS::ResourceGroups::Generic"}]}),
        json!({"Name": "Stack", "ResourceQuery": {"Type": "CLOUDFORMATION_STACK_1_0", "Query": "{}"}}),
        json!({"Name": "Text", "ResourceQuery": text("prod")}),
        json!({"Name": "None", "ResourceQuery": text(r#"{"ResourceTypeFilters":[]}"#)}),
        json!({"Name": "Kind", "ResourceQuery": text(r#"{"ResourceTypeFilters":["Instances"]}"#)}),
        json!({"Name": "Key", "ResourceQuery": text(r#"{"ResourceTypeFilters":["AWS::AllSupported"],"TagFilters":[{"Key":""}]}"#)}),
        json!({"Name": "Sp ace", "ResourceQuery": sound}),
        json!({"ResourceQuery": sound}),
    ] {
        assert_eq!(code(there.ask("CreateGroup", input.clone())), bad(), "{input}");
    }
    assert_eq!(
        code(there.ask("SearchResources", json!({"ResourceQuery": text("{}")}))),
        bad()
    );
    assert_eq!(code(there.ask("GetGroup", json!({}))), bad());
    for operation in ["GetGroup", "GetGroupQuery", "DeleteGroup", "ListGroupResources"] {
        let elsewhere = arn("Web").replace("us-east-1", "eu-west-1");
        assert_eq!(
            code(there.ask(operation, json!({"Group": "Nowhere"}))),
            ("NotFoundException".to_owned(), 404),
            "{operation}"
        );
        assert_eq!(
            code(there.ask(operation, json!({"Group": elsewhere}))),
            ("NotFoundException".to_owned(), 404),
            "{operation}"
        );
        let others = arn("Web").replace(WEB, "333333333333");
        assert_eq!(
            code(there.ask(operation, json!({"Group": others}))),
            ("AccessDeniedException".to_owned(), 403),
            "{operation}"
        );
    }
}

#[test]
fn a_resource_type_outside_the_groups_query_is_a_bad_request() {
    let mut there = There::with_nodes(NODES);
    let filter = |group: &str, kind: &str| json!({"Group": group, "Filters": [{"Name": "resource-type", "Values": [kind]}]});
    there
        .ask(
            "CreateGroup",
            json!({"Name": "All", "ResourceQuery": query(&["AWS::AllSupported"], "Env", &["prod"])}),
        )
        .unwrap();
    there
        .ask(
            "CreateGroup",
            json!({"Name": "Machines", "ResourceQuery": query(&["AWS::EC2::Instance"], "Env", &["prod"])}),
        )
        .unwrap();
    let mut count = |group: &str, kind: &str| {
        let page = there.ask("ListGroupResources", filter(group, kind));
        page.map(|page| page["Resources"].as_array().unwrap().len())
            .map_err(|error| error.code().to_owned())
    };
    let refused = Err("BadRequestException".to_owned());
    assert_eq!(count("Machines", "AWS::EC2::Instance"), Ok(2));
    assert_eq!(count("Machines", "AWS::SSM::ManagedInstance"), refused);
    assert_eq!(count("All", "AWS::SSM::ManagedInstance"), Ok(1));
    assert_eq!(count("All", "AWS::S3::Bucket"), Ok(0));
    assert_eq!(count("Web", "AWS::S3::Bucket"), refused);
}

#[test]
fn groups_are_listed_with_filters_in_pages() {
    let mut there = There::with_nodes("");
    there.ask("CreateGroup", json!({"Name": "All", "ResourceQuery": query(&["AWS::AllSupported"], "Env", &[]), "Owner": "me", "DisplayName": "Everything", "Criticality": 7})).unwrap();
    let configuration = json!([{"Type": "AWS::EC2::HostManagement", "Parameters": [{"Name": "auto-release-host", "Values": ["true"]}]}]);
    let created = there
        .ask(
            "CreateGroup",
            json!({"Name": "Hosts", "Configuration": configuration}),
        )
        .unwrap();
    assert_eq!(
        created["GroupConfiguration"],
        json!({"Configuration": configuration, "Status": "UPDATE_COMPLETE"})
    );
    assert_eq!(there.members("Hosts"), 0);
    assert_eq!(code(there.ask("GetGroupQuery", json!({"Group": "Hosts"}))), bad());
    let mut names = |filter: Option<(&str, &str)>| {
        let filters: Vec<Value> = filter
            .iter()
            .map(|(name, value)| json!({"Name": name, "Values": [value]}))
            .collect();
        let listed = there.ask("ListGroups", json!({"Filters": filters})).unwrap();
        let groups = listed["Groups"].as_array().unwrap();
        let identifiers = listed["GroupIdentifiers"].as_array().unwrap();
        assert_eq!(groups.len(), identifiers.len());
        identifiers
            .iter()
            .map(|one| one["GroupName"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(None), ["All", "Hosts", "Web"]);
    assert_eq!(names(Some(("resource-type", "AWS::EC2::Instance"))), ["Web"]);
    assert_eq!(names(Some(("resource-type", "AWS::AllSupported"))), ["All"]);
    assert_eq!(
        names(Some(("configuration-type", "AWS::EC2::HostManagement"))),
        ["Hosts"]
    );
    assert_eq!(names(Some(("owner", "me"))), ["All"]);
    assert_eq!(names(Some(("display-name", "Everything"))), ["All"]);
    assert_eq!(names(Some(("criticality", "7"))), ["All"]);
    let first = there.ask("ListGroups", json!({"MaxResults": 2})).unwrap();
    assert_eq!(first["GroupIdentifiers"].as_array().unwrap().len(), 2);
    let second = there
        .ask("ListGroups", json!({"NextToken": first["NextToken"]}))
        .unwrap();
    assert_eq!(second["GroupIdentifiers"][0]["GroupArn"], arn("Web"));
    assert_eq!(code(there.ask("ListGroups", json!({"NextToken": "AAEA"}))), bad());
}
