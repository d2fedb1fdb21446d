//! Listings: every entry once, to the end, within AWS's page limits.

use crate::fleet::Fleet;
use patchfleet_sim::{Caller, Service, call};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Walks a listing to its end; gives the length of each page and the entries' ids.
fn walk(
    fleet: &mut Fleet,
    caller: &Caller,
    (service, operation): (Service, &str),
    mut input: Value,
    list: &str,
    id: impl Fn(&Value) -> &Value,
) -> (Vec<usize>, BTreeSet<String>) {
    let (mut lengths, mut ids) = (vec![], BTreeSet::new());
    loop {
        let page = call(&mut fleet.world, caller, service, operation, input.clone()).unwrap();
        let items = page[list].as_array().unwrap();
        lengths.push(items.len());
        for item in items {
            assert!(
                ids.insert(id(item).as_str().unwrap().to_owned()),
                "{item} came twice"
            );
        }
        match page.get("NextToken") {
            Some(token) => input["NextToken"] = token.clone(),
            None => return (lengths, ids),
        }
    }
}

#[test]
fn group_members_and_managed_nodes_are_the_same_over_several_pages() {
    let mut fleet = Fleet::with_nodes(r#"{ count = 57 }, { count = 6, kind = "hybrid" }"#);
    let caller = fleet.within("222222222222", "us-east-1");
    let members = (Service::ResourceGroups, "ListGroupResources");
    let (lengths, arns) = walk(
        &mut fleet,
        &caller,
        members,
        json!({"Group": "Web"}),
        "Resources",
        |item| &item["Identifier"]["ResourceArn"],
    );
    assert_eq!(lengths, [50, 13]);
    let managed = (Service::Ssm, "DescribeInstanceInformation");
    let input = json!({"MaxResults": 20});
    let (lengths, ids) = walk(
        &mut fleet,
        &caller,
        managed,
        input,
        "InstanceInformationList",
        |item| &item["InstanceId"],
    );
    assert_eq!(lengths, [20, 20, 20, 3]);
    let of_arns: BTreeSet<String> = arns
        .iter()
        .map(|arn| arn.rsplit_once('/').unwrap().1.to_owned())
        .collect();
    assert_eq!(ids, of_arns);
    assert!(
        arns.iter()
            .any(|arn| arn.starts_with("arn:aws:ssm:us-east-1:222222222222:managed-instance/mi-"))
    );
}

#[test]
fn steps_and_invocations_are_paged() {
    let mut fleet = Fleet::with_nodes("{ count = 60 }");
    let regions: Vec<&str> = vec!["us-east-1", "us-west-2", "eu-west-1"];
    let id = fleet.start(&["222222222222"], &regions, |_| ());
    fleet.world.run_until_idle();
    let central = fleet.caller.clone();
    let steps = (Service::Ssm, "DescribeAutomationStepExecutions");
    let input = json!({"AutomationExecutionId": id, "MaxResults": 2});
    let (lengths, _) = walk(&mut fleet, &central, steps, input, "StepExecutions", |item| {
        &item["StepExecutionId"]
    });
    assert_eq!(lengths, [2, 1]);
    let state = fleet.world.state();
    let mut commands = state["commands"].as_array().unwrap().iter();
    let there = commands.find(|one| one["account"] == "222222222222" && one["region"] == "us-east-1");
    let command = there.unwrap()["command_id"].clone();
    let caller = fleet.within("222222222222", "us-east-1");
    let invocations = (Service::Ssm, "ListCommandInvocations");
    let input = json!({"CommandId": command});
    let (lengths, ids) = walk(
        &mut fleet,
        &caller,
        invocations,
        input,
        "CommandInvocations",
        |item| &item["InstanceId"],
    );
    assert_eq!((lengths, ids.len()), (vec![50, 10], 60));
}

#[test]
fn organizations_gives_twenty_at_most() {
    let accounts: String = (0..45)
        .map(|n| {
            format!(
                r#"{{ id = "{:012}", name = "Account {n}" }},"#,
                100_000_000_000_u64 + n
            )
        })
        .collect();
    let mut fleet = Fleet::of(&format!(
        "management_account = \"100000000000\"\naccounts = [{accounts}]\n"
    ));
    let caller = fleet.caller.clone();
    let listing = (Service::Organizations, "ListAccountsForParent");
    let root = fleet.world.organization().root().to_string();
    let (lengths, ids) = walk(
        &mut fleet,
        &caller,
        listing,
        json!({"ParentId": root}),
        "Accounts",
        |item| &item["Id"],
    );
    assert_eq!((lengths, ids.len()), (vec![20, 20, 5], 45));
    let wide = call(
        &mut fleet.world,
        &caller,
        Service::Organizations,
        "ListAccounts",
        json!({"MaxResults": 21}),
    );
    assert_eq!(wide.unwrap_err().code(), "InvalidInputException");
}

#[test]
fn a_foreign_token_is_refused() {
    let mut fleet = Fleet::with_nodes("{ count = 60 }");
    let caller = fleet.within("222222222222", "us-east-1");
    let listing = json!({"Filters": [{"Key": "PingStatus", "Values": ["Online"]}]});
    let page = call(
        &mut fleet.world,
        &caller,
        Service::Ssm,
        "DescribeInstanceInformation",
        listing,
    )
    .unwrap();
    let other = json!({"NextToken": page["NextToken"]});
    let error = call(
        &mut fleet.world,
        &caller,
        Service::Ssm,
        "DescribeInstanceInformation",
        other,
    )
    .unwrap_err();
    assert_eq!(error.code(), "InvalidNextToken");
}

/// What is listed with which input, where the entries stand, and what names each.
type Listing = (Service, &'static str, Value, &'static str, fn(&Value) -> &Value);

#[test]
fn with_short_pages_every_listing_is_whole_all_the_same_and_some_pages_are_empty() {
    let accounts: String = (0..45)
        .map(|n| {
            format!(
                r#"{{ id = "{:012}", name = "Account {n}" }},"#,
                100_000_000_000_u64 + n
            )
        })
        .collect();
    let world = |short: bool| {
        format!(
            "short_pages = {short}\nmanagement_account = \"100000000000\"\naccounts = [{accounts}]\n[[groups]]\nname = \"Web\"\naccounts = [\"100000000000\"]\nregions = [\"us-east-1\"]\nnodes = [{{ count = 60 }}]\n"
        )
    };
    let listings: [Listing; 6] = [
        (
            Service::Organizations,
            "ListAccounts",
            json!({}),
            "Accounts",
            |one| &one["Id"],
        ),
        (Service::Organizations, "ListRoots", json!({}), "Roots", |one| {
            &one["Id"]
        }),
        (
            Service::Account,
            "ListRegions",
            json!({"MaxResults": 9}),
            "Regions",
            |one| &one["RegionName"],
        ),
        (
            Service::Ssm,
            "DescribeInstanceInformation",
            json!({}),
            "InstanceInformationList",
            |one| &one["InstanceId"],
        ),
        (
            Service::Ssm,
            "ListDocuments",
            json!({"MaxResults": 2}),
            "DocumentIdentifiers",
            |one| &one["Name"],
        ),
        (
            Service::ResourceGroups,
            "ListGroupResources",
            json!({"Group": "Web"}),
            "Resources",
            |one| &one["Identifier"]["ResourceArn"],
        ),
    ];
    let (mut whole, mut short) = (Fleet::of(&world(false)), Fleet::of(&world(true)));
    let (mut pages, mut empty) = ([0, 0], 0);
    for (service, operation, input, list, id) in listings {
        let caller = whole.caller.clone();
        let what = (service, operation);
        let (lengths, ids) = walk(&mut whole, &caller, what, input.clone(), list, id);
        let (shorter, same) = walk(&mut short, &caller, what, input.clone(), list, id);
        let (again, _) = walk(&mut short, &caller, what, input, list, id);
        assert_eq!(ids, same, "{operation}");
        assert_eq!(shorter, again, "{operation}: the same calls get the same pages");
        assert!(shorter.iter().all(|length| *length <= lengths[0]), "{operation}");
        assert!(shorter.windows(2).all(|pair| pair != [0, 0]), "{operation}");
        pages = [pages[0] + lengths.len(), pages[1] + shorter.len()];
        empty += shorter.iter().filter(|length| **length == 0).count();
    }
    assert!(pages[1] > pages[0] && empty > 0, "{pages:?}, {empty} empty");
}
