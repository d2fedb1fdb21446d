//! Who may call what, and where.

use crate::fleet::{CENTRAL, Fleet};
use patchfleet_sim::{Caller, Service, call, operations};
use serde_json::json;

#[test]
fn organizations_answers_the_management_account_only() {
    let mut fleet = Fleet::with_nodes("");
    let caller = fleet.within("222222222222", "us-east-1");
    let error = call(
        &mut fleet.world,
        &caller,
        Service::Organizations,
        "ListRoots",
        json!({}),
    )
    .unwrap_err();
    assert_eq!(error.code(), "AccessDeniedException");
}

#[test]
fn a_region_that_is_not_enabled_knows_nobody() {
    let mut fleet = Fleet::with_nodes("");
    for region in ["eu-south-1", "us-east-9"] {
        let caller = Caller::administrator(&fleet.world, region.parse().unwrap());
        let error = call(&mut fleet.world, &caller, Service::Ssm, "ListCommands", json!({})).unwrap_err();
        assert_eq!(error.code(), "UnrecognizedClientException", "{region}");
        let error = call(
            &mut fleet.world,
            &caller,
            Service::Sts,
            "GetCallerIdentity",
            json!({}),
        )
        .unwrap_err();
        assert_eq!(
            (error.code(), error.status()),
            ("InvalidClientTokenId", 403),
            "{region}"
        );
    }
}

#[test]
fn a_role_is_assumed_with_its_external_id_only() {
    let mut fleet = Fleet::of(&format!(
        r#"
        management_account = "{CENTRAL}"
        [[accounts]]
        id = "{CENTRAL}"
        name = "Main"
        [[accounts]]
        id = "222222222222"
        name = "Web"
        roles = [{{ name = "Reader", external_id = "secret" }}, {{ name = "Nobody", state = "denied" }}]
        "#
    ));
    let caller = fleet.caller.clone();
    let mut assume = |role: &str, external_id: Option<&str>| {
        let arn = format!("arn:aws:iam::222222222222:role/{role}");
        let input = json!({"RoleArn": arn, "RoleSessionName": "me", "ExternalId": external_id});
        call(&mut fleet.world, &caller, Service::Sts, "AssumeRole", input)
            .map_err(|error| (error.code().to_owned(), error.status()))
    };
    let denied = ("AccessDenied".to_owned(), 403);
    let assumed = assume("Reader", Some("secret")).unwrap();
    assert_eq!(
        assumed["AssumedRoleUser"]["Arn"],
        "arn:aws:sts::222222222222:assumed-role/Reader/me"
    );
    assert_eq!(assume("Reader", None).unwrap_err(), denied);
    assert_eq!(assume("Reader", Some("wrong")).unwrap_err(), denied);
    assert_eq!(assume("Nobody", None).unwrap_err(), denied);
    assert_eq!(assume("Unheard-of", None).unwrap_err(), denied);
}

#[test]
fn a_roles_sessions_have_the_id_that_assuming_it_told() {
    let mut fleet = Fleet::with_nodes("");
    let arn = "arn:aws:iam::222222222222:role/AWS-SystemsManager-AutomationExecutionRole";
    let caller = fleet.caller.clone();
    let input = json!({"RoleArn": arn, "RoleSessionName": "me"});
    let assumed = call(&mut fleet.world, &caller, Service::Sts, "AssumeRole", input).unwrap();
    let key = assumed["Credentials"]["AccessKeyId"].as_str().unwrap();
    let role = Caller::of_key(&fleet.world, key, "us-east-1".parse().unwrap());
    let who = call(
        &mut fleet.world,
        &role,
        Service::Sts,
        "GetCallerIdentity",
        json!({}),
    )
    .unwrap();
    assert_eq!(who["UserId"], assumed["AssumedRoleUser"]["AssumedRoleId"]);
    assert_eq!(who["Arn"], assumed["AssumedRoleUser"]["Arn"]);
}

#[test]
fn regions_are_listed_with_their_status_in_the_account() {
    let mut fleet = Fleet::of(&format!(
        r#"
        management_account = "{CENTRAL}"
        accounts = [{{ id = "{CENTRAL}", name = "Main" }}, {{ id = "222222222222", name = "Web", opt_in_regions = ["eu-south-1"] }}]
        "#
    ));
    let caller = fleet.caller.clone();
    let mut status = |account: Option<&str>, region: &str| {
        let (mut list, mut token) = (vec![], serde_json::Value::Null);
        loop {
            let listed = call(
                &mut fleet.world,
                &caller,
                Service::Account,
                "ListRegions",
                json!({"AccountId": account, "NextToken": token}),
            )
            .unwrap();
            let page = listed["Regions"].as_array().unwrap();
            assert!(page.len() <= 20, "{}", page.len());
            list.extend(page.clone());
            token = listed["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        list.into_iter()
            .find(|one| one["RegionName"] == region)
            .map(|one| one["RegionOptStatus"].clone())
    };
    assert_eq!(status(None, "us-east-1"), Some(json!("ENABLED_BY_DEFAULT")));
    assert_eq!(status(None, "eu-south-1"), Some(json!("DISABLED")));
    assert_eq!(status(Some("222222222222"), "eu-south-1"), Some(json!("ENABLED")));
    assert_eq!(status(None, "us-east-9"), None);
    let own = call(
        &mut fleet.world,
        &caller,
        Service::Account,
        "ListRegions",
        json!({"AccountId": CENTRAL}),
    );
    assert_eq!(own.unwrap_err().code(), "AccessDeniedException");
}

#[test]
fn documents_have_versions_and_a_default_that_stays_until_it_is_moved() {
    let mut fleet = Fleet::with_nodes("");
    let content = |name: &str| {
        json!({"schemaVersion": "0.3", "mainSteps": [{"name": name, "action": "aws:sleep"}]}).to_string()
    };
    let create = json!({"Name": "Mine", "DocumentType": "Automation", "Content": content("a")});
    fleet.ssm("CreateDocument", create.clone()).unwrap();
    assert_eq!(
        fleet.ssm("CreateDocument", create).unwrap_err().code(),
        "DocumentAlreadyExists"
    );
    let update = json!({"Name": "Mine", "Content": content("b"), "DocumentVersion": "$LATEST"});
    let updated = fleet.ssm("UpdateDocument", update.clone()).unwrap();
    assert_eq!(updated["DocumentDescription"]["DocumentVersion"], "2");
    assert_eq!(updated["DocumentDescription"]["DefaultVersion"], "1");
    assert_eq!(
        fleet.ssm("UpdateDocument", update).unwrap_err().code(),
        "DuplicateDocumentContent"
    );
    assert_eq!(
        fleet.ssm("GetDocument", json!({"Name": "Mine"})).unwrap()["Content"],
        content("a")
    );
    fleet
        .ssm(
            "UpdateDocumentDefaultVersion",
            json!({"Name": "Mine", "DocumentVersion": "2"}),
        )
        .unwrap();
    assert_eq!(
        fleet.ssm("GetDocument", json!({"Name": "Mine"})).unwrap()["Content"],
        content("b")
    );
    let broken = json!({"Name": "Broken", "DocumentType": "Automation", "Content": "{}"});
    assert_eq!(
        fleet.ssm("CreateDocument", broken).unwrap_err().code(),
        "InvalidDocumentContent"
    );
    assert_eq!(
        fleet
            .ssm("DescribeDocument", json!({"Name": "None"}))
            .unwrap_err()
            .code(),
        "InvalidDocument"
    );
}

#[test]
fn a_documents_hash_is_the_sha_256_of_its_content() {
    let mut fleet = Fleet::with_nodes("");
    let content = r#"{"schemaVersion":"0.3","mainSteps":[{"name":"a","action":"aws:sleep"}]}"#;
    let create = json!({"Name": "Mine", "DocumentType": "Automation", "Content": content});
    let created = fleet.ssm("CreateDocument", create).unwrap();
    assert_eq!(created["DocumentDescription"]["HashType"], "Sha256");
    // As sha256sum has it.
    assert_eq!(
        created["DocumentDescription"]["Hash"],
        "1a0c497586a252270642291b2aaa353ddb699f19ea51d56d428953dbe7d0d55f"
    );
}

#[test]
fn resources_are_searched_by_tags() {
    let mut fleet = Fleet::with_nodes(
        r#"{ count = 2, tags = { Env = "prod" } }, { count = 1, kind = "hybrid", tags = { Env = "prod" } }, { count = 4 }"#,
    );
    let caller = fleet.within("222222222222", "us-east-1");
    let mut count = |types: &[&str]| {
        let query = json!({"ResourceTypeFilters": types, "TagFilters": [{"Key": "Env", "Values": ["prod"]}]});
        let input = json!({"ResourceQuery": {"Type": "TAG_FILTERS_1_0", "Query": query.to_string()}});
        let found = call(
            &mut fleet.world,
            &caller,
            Service::ResourceGroups,
            "SearchResources",
            input,
        )
        .unwrap();
        found["ResourceIdentifiers"].as_array().unwrap().len()
    };
    assert_eq!(count(&["AWS::AllSupported"]), 3);
    assert_eq!(count(&["AWS::EC2::Instance"]), 2);
}

#[test]
fn a_partial_answer_names_its_errors() {
    let toml = crate::fleet::world("{ count = 1 }").replace(
        "nodes = [",
        "query_errors = [\"CLOUDFORMATION_STACK_INACTIVE\"]\n        nodes = [",
    );
    let mut fleet = Fleet::of(&toml);
    let caller = fleet.within("222222222222", "us-east-1");
    let input = json!({"Group": "Web"});
    let page = call(
        &mut fleet.world,
        &caller,
        Service::ResourceGroups,
        "ListGroupResources",
        input,
    )
    .unwrap();
    assert_eq!(
        page["QueryErrors"][0]["ErrorCode"],
        "CLOUDFORMATION_STACK_INACTIVE"
    );
}

#[test]
fn no_operation_falls_over_odd_input_or_does_anything_with_it() {
    let mut fleet = Fleet::with_nodes("{ count = 2 }");
    let before = fleet.world.state();
    let caller = fleet.within("222222222222", "us-east-1");
    let long = "x".repeat(9000);
    let odd = [
        json!(null),
        json!([]),
        json!("text"),
        json!({"MaxResults": i64::MIN, "NextToken": "AAEA", "Filters": []}),
        json!({"MaxResults": i64::MAX, "NextToken": "AAEA\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}", "Name": long}),
        json!({"AutomationExecutionId": "\u{20ac}", "CommandId": long, "InstanceIds": [long], "Group": long, "ParentId": long}),
        json!({"DocumentName": "Runbook", "Parameters": {}, "TargetLocations": []}),
        json!({"DocumentName": "Runbook", "TargetLocations": [{"Accounts": [], "Regions": ["\u{20ac}"]}]}),
        json!({"RoleArn": "arn:aws:iam::222222222222:role/", "RoleSessionName": "me", "DurationSeconds": i64::MAX}),
        json!({"Name": "Runbook", "DocumentVersion": "99999999999999999999", "Content": "{}"}),
    ];
    for (service, operation) in operations() {
        for input in &odd {
            for who in [&fleet.caller, &caller] {
                let answer = call(&mut fleet.world, who, service, operation, input.clone());
                if let Err(error) = answer {
                    assert!(
                        (400..500).contains(&error.status()),
                        "{operation} {input}: {error}"
                    );
                }
            }
        }
    }
    assert_eq!(fleet.world.state(), before);
}
