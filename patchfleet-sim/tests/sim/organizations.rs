//! Organizations and Account Management: who may ask, and what every member says.

use crate::fleet::{CENTRAL, Fleet};
use patchfleet_sim::{ApiError, Caller, Service, call};
use serde_json::{Value, json};

const WEB: &str = "222222222222";

fn fleet(top: &str, web: &str) -> Fleet {
    Fleet::of(&format!(
        r#"{top}
        management_account = "{CENTRAL}"
        units = [{{ id = "ou-pf01-aaaaaaaa", name = "Work" }}, {{ id = "ou-pf01-bbbbbbbb", name = "Prod", parent = "ou-pf01-aaaaaaaa" }}]
        accounts = [{{ id = "{CENTRAL}", name = "Main" }}, {{ id = "{WEB}", name = "Web & Co", parent = "ou-pf01-bbbbbbbb"{web} }}]
        "#
    ))
}

fn ask(fleet: &mut Fleet, caller: &Caller, operation: &str, input: Value) -> Result<Value, ApiError> {
    call(&mut fleet.world, caller, Service::Organizations, operation, input)
}

fn region(fleet: &mut Fleet, caller: &Caller, input: Value) -> Result<Value, ApiError> {
    call(
        &mut fleet.world,
        caller,
        Service::Account,
        "GetRegionOptStatus",
        input,
    )
}

fn code(result: Result<Value, ApiError>) -> String {
    result.unwrap_err().code().to_owned()
}

const OPERATIONS: [(&str, &str); 8] = [
    ("ListRoots", "{}"),
    ("ListAccounts", "{}"),
    ("ListAccountsForParent", r#"{"ParentId":"r-pf01"}"#),
    ("ListOrganizationalUnitsForParent", r#"{"ParentId":"r-pf01"}"#),
    ("ListChildren", r#"{"ParentId":"r-pf01","ChildType":"ACCOUNT"}"#),
    ("DescribeAccount", r#"{"AccountId":"222222222222"}"#),
    (
        "DescribeOrganizationalUnit",
        r#"{"OrganizationalUnitId":"ou-pf01-aaaaaaaa"}"#,
    ),
    ("ListTagsForResource", r#"{"ResourceId":"222222222222"}"#),
];

#[test]
fn everything_about_accounts_units_and_roots_is_told() {
    let mut fleet = fleet("", "");
    let caller = fleet.caller.clone();
    let account = ask(&mut fleet, &caller, "DescribeAccount", json!({"AccountId": WEB})).unwrap();
    let joined = account["Account"]["JoinedTimestamp"].clone();
    assert!(joined.is_number());
    assert_eq!(
        account["Account"],
        json!({
            "Id": WEB,
            "Arn": "arn:aws:organizations::111111111111:account/o-patchfleet1/222222222222",
            "Email": "aws+web---co@example.com",
            "Name": "Web & Co",
            "State": "ACTIVE",
            "Status": "ACTIVE",
            "Paths": ["o-patchfleet1/r-pf01/ou-pf01-aaaaaaaa/ou-pf01-bbbbbbbb/222222222222/"],
            "JoinedMethod": "CREATED",
            "JoinedTimestamp": joined,
        })
    );
    let unit = ask(
        &mut fleet,
        &caller,
        "DescribeOrganizationalUnit",
        json!({"OrganizationalUnitId": "ou-pf01-bbbbbbbb"}),
    )
    .unwrap();
    assert_eq!(
        unit["OrganizationalUnit"],
        json!({
            "Id": "ou-pf01-bbbbbbbb",
            "Arn": "arn:aws:organizations::111111111111:ou/o-patchfleet1/ou-pf01-bbbbbbbb",
            "Name": "Prod",
            "Path": "o-patchfleet1/r-pf01/ou-pf01-aaaaaaaa/ou-pf01-bbbbbbbb/",
        })
    );
    let root = ask(&mut fleet, &caller, "ListRoots", json!({})).unwrap();
    assert_eq!(
        root["Roots"],
        json!([{"Id": "r-pf01", "Arn": "arn:aws:organizations::111111111111:root/o-patchfleet1/r-pf01", "Name": "Root", "PolicyTypes": []}])
    );
    let organization = ask(&mut fleet, &caller, "DescribeOrganization", json!({})).unwrap();
    assert_eq!(
        organization["Organization"],
        json!({
            "Id": "o-patchfleet1",
            "Arn": "arn:aws:organizations::111111111111:organization/o-patchfleet1",
            "FeatureSet": "ALL",
            "MasterAccountArn": "arn:aws:organizations::111111111111:account/o-patchfleet1/111111111111",
            "MasterAccountId": CENTRAL,
            "MasterAccountEmail": "aws+main@example.com",
            "AvailablePolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
        })
    );
}

#[test]
fn the_status_of_an_account_has_fewer_values_than_its_state_and_is_always_there() {
    for (state, status) in [
        ("ACTIVE", "ACTIVE"),
        ("SUSPENDED", "SUSPENDED"),
        ("CLOSED", "SUSPENDED"),
        ("PENDING_CLOSURE", "PENDING_CLOSURE"),
    ] {
        let mut fleet = fleet(
            "start = \"2026-09-13T00:00:00Z\"",
            &format!(", state = \"{state}\""),
        );
        let caller = fleet.caller.clone();
        let account =
            ask(&mut fleet, &caller, "DescribeAccount", json!({"AccountId": WEB})).unwrap()["Account"]
                .clone();
        assert_eq!(
            (&account["State"], &account["Status"]),
            (&json!(state), &json!(status))
        );
    }
}

#[test]
fn children_are_accounts_or_units() {
    let mut fleet = fleet("", "");
    let caller = fleet.caller.clone();
    let mut children = |parent: &str, kind: &str| {
        let listed = ask(
            &mut fleet,
            &caller,
            "ListChildren",
            json!({"ParentId": parent, "ChildType": kind}),
        )
        .unwrap();
        listed["Children"].clone()
    };
    assert_eq!(
        children("r-pf01", "ACCOUNT"),
        json!([{"Id": CENTRAL, "Type": "ACCOUNT"}])
    );
    assert_eq!(
        children("r-pf01", "ORGANIZATIONAL_UNIT"),
        json!([{"Id": "ou-pf01-aaaaaaaa", "Type": "ORGANIZATIONAL_UNIT"}])
    );
    assert_eq!(
        children("ou-pf01-bbbbbbbb", "ACCOUNT"),
        json!([{"Id": WEB, "Type": "ACCOUNT"}])
    );
    assert_eq!(children("ou-pf01-bbbbbbbb", "ORGANIZATIONAL_UNIT"), json!([]));
}

#[test]
fn what_is_not_there_has_its_own_error() {
    let mut fleet = fleet("", "");
    let caller = fleet.caller.clone();
    for operation in [
        "ListChildren",
        "ListAccountsForParent",
        "ListOrganizationalUnitsForParent",
    ] {
        let input = json!({"ParentId": "ou-pf01-cccccccc", "ChildType": "ACCOUNT"});
        assert_eq!(
            code(ask(&mut fleet, &caller, operation, input)),
            "ParentNotFoundException",
            "{operation}"
        );
        let input = json!({"ParentId": "r-pf01", "ChildType": "ACCOUNT", "NextToken": "AAEA"});
        assert_eq!(
            code(ask(&mut fleet, &caller, operation, input)),
            "InvalidInputException",
            "{operation}"
        );
    }
    assert_eq!(
        code(ask(
            &mut fleet,
            &caller,
            "DescribeAccount",
            json!({"AccountId": "333333333333"})
        )),
        "AccountNotFoundException"
    );
    let unit = json!({"OrganizationalUnitId": "ou-pf01-cccccccc"});
    assert_eq!(
        code(ask(&mut fleet, &caller, "DescribeOrganizationalUnit", unit)),
        "OrganizationalUnitNotFoundException"
    );
}

#[test]
fn accounts_have_the_tags_of_the_world_and_units_and_the_root_none() {
    let mut fleet = fleet("", r#", tags = { Team = "", Stage = "canary" }"#);
    let caller = fleet.caller.clone();
    let mut tags = |id: &str| {
        ask(
            &mut fleet,
            &caller,
            "ListTagsForResource",
            json!({"ResourceId": id}),
        )
    };
    assert_eq!(
        tags(WEB).unwrap(),
        json!({"Tags": [{"Key": "Stage", "Value": "canary"}, {"Key": "Team", "Value": ""}]})
    );
    for untagged in [CENTRAL, "r-pf01", "ou-pf01-bbbbbbbb"] {
        assert_eq!(tags(untagged).unwrap(), json!({"Tags": []}), "{untagged}");
    }
    for nothing in ["333333333333", "ou-pf01-cccccccc", "r-pf02", "p-12abcdefg3"] {
        assert_eq!(code(tags(nothing)), "TargetNotFoundException", "{nothing}");
    }
    assert_eq!(code(tags("12")), "InvalidInputException");
}

#[test]
fn many_tags_are_several_pages_and_somebody_may_change_them() {
    let many: Vec<String> = (0..45).map(|n| format!("k{n:02} = \"v\"")).collect();
    let mut fleet = fleet("", &format!(", tags = {{ {} }}", many.join(", ")));
    let caller = fleet.caller.clone();
    let mut walk = || {
        let (mut keys, mut token, mut pages) = (vec![], None, 0);
        loop {
            let mut input = json!({"ResourceId": WEB});
            if let Some(token) = token {
                input["NextToken"] = token;
            }
            let page = ask(&mut fleet, &caller, "ListTagsForResource", input).unwrap();
            let read = page["Tags"].as_array().unwrap().iter();
            keys.extend(read.map(|tag| tag["Key"].as_str().unwrap().to_owned()));
            pages += 1;
            match page.get("NextToken") {
                Some(next) => token = Some(next.clone()),
                None => return (keys, pages),
            }
        }
    };
    let (keys, pages) = walk();
    assert_eq!((keys.len(), pages), (45, 3));
    let change = json!({"tag_account": {"id": WEB, "set": {"Stage": "canary"}, "remove": ["k00", "none"]}});
    let change = serde_json::from_value(change).unwrap();
    assert_eq!(fleet.world.change(&change), Ok(1));
    let page = ask(
        &mut fleet,
        &caller,
        "ListTagsForResource",
        json!({"ResourceId": WEB}),
    )
    .unwrap();
    assert_eq!(page["Tags"][0], json!({"Key": "Stage", "Value": "canary"}));
    assert_eq!(page["Tags"][1]["Key"], "k01");
}

#[test]
fn only_the_management_account_and_delegated_administrators_may_ask() {
    let delegated = format!("organization = {{ delegated_administrators = [\"{WEB}\"] }}");
    for (top, allowed) in [("", false), (delegated.as_str(), true)] {
        let mut fleet = fleet(top, "");
        let web = fleet.within(WEB, "us-east-1");
        for (operation, input) in OPERATIONS {
            let answer = ask(&mut fleet, &web, operation, serde_json::from_str(input).unwrap());
            match answer {
                Ok(_) => assert!(allowed, "{operation}"),
                Err(error) => assert_eq!(
                    (error.code(), allowed),
                    ("AccessDeniedException", false),
                    "{operation}"
                ),
            }
        }
        ask(&mut fleet, &web, "DescribeOrganization", json!({})).unwrap();
    }
}

#[test]
fn without_an_organization_there_is_nothing_to_ask() {
    let mut fleet = fleet("organization = { in_use = false }", "");
    let caller = fleet.caller.clone();
    for (operation, input) in OPERATIONS.into_iter().chain([("DescribeOrganization", "{}")]) {
        let answer = ask(
            &mut fleet,
            &caller,
            operation,
            serde_json::from_str(input).unwrap(),
        );
        assert_eq!(code(answer), "AWSOrganizationsNotInUseException", "{operation}");
    }
    assert_eq!(
        code(region(
            &mut fleet,
            &caller,
            json!({"AccountId": WEB, "RegionName": "us-east-1"})
        )),
        "AccessDeniedException"
    );
    assert!(region(&mut fleet, &caller, json!({"RegionName": "us-east-1"})).is_ok());
}

#[test]
fn regions_on_their_way_cannot_be_used() {
    let regions = r#", opt_in_regions = ["eu-south-1"], enabling_regions = ["af-south-1"], disabling_regions = ["me-south-1"]"#;
    let mut fleet = fleet("", regions);
    let caller = fleet.caller.clone();
    for (name, status) in [
        ("us-east-1", "ENABLED_BY_DEFAULT"),
        ("eu-south-1", "ENABLED"),
        ("af-south-1", "ENABLING"),
        ("me-south-1", "DISABLING"),
        ("mx-central-1", "DISABLED"),
    ] {
        let answer = region(&mut fleet, &caller, json!({"AccountId": WEB, "RegionName": name})).unwrap();
        assert_eq!(answer, json!({"RegionName": name, "RegionOptStatus": status}));
        let input = json!({"AccountId": WEB, "RegionOptStatusContains": [status]});
        let listed = call(&mut fleet.world, &caller, Service::Account, "ListRegions", input).unwrap();
        assert!(
            listed["Regions"].as_array().unwrap().contains(&answer),
            "{listed}"
        );
        let usable = fleet
            .world
            .organization()
            .is_enabled(&WEB.parse().unwrap(), &name.parse().unwrap());
        assert_eq!(usable, status.starts_with("ENABLED"), "{name}");
    }
    assert_eq!(
        code(region(&mut fleet, &caller, json!({"RegionName": "us-east-9"}))),
        "ValidationException"
    );
    for input in [
        json!({"AccountId": CENTRAL, "RegionName": "us-east-1"}),
        json!({"AccountId": "333333333333", "RegionName": "us-east-1"}),
    ] {
        assert_eq!(code(region(&mut fleet, &caller, input)), "AccessDeniedException");
    }
    let web = fleet.within(WEB, "us-east-1");
    assert_eq!(
        code(region(
            &mut fleet,
            &web,
            json!({"AccountId": WEB, "RegionName": "us-east-1"})
        )),
        "AccessDeniedException"
    );
}

#[test]
fn units_are_targets_for_those_who_may_read_the_organization() {
    let delegated = format!("organization = {{ delegated_administrators = [\"{WEB}\"] }}");
    let nobodys = "organization = { in_use = false }";
    for (top, from, allowed) in [
        ("", CENTRAL, true),
        ("", WEB, false),
        (delegated.as_str(), WEB, true),
        (nobodys, CENTRAL, false),
    ] {
        let mut fleet = fleet(top, "");
        let mut caller = fleet.caller.clone();
        if from == WEB {
            caller = fleet.within(WEB, "us-east-1");
        }
        let content = json!({"schemaVersion": "0.3", "mainSteps": [{"name": "a", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}]});
        let create = json!({"Name": "Wait", "DocumentType": "Automation", "Content": content.to_string()});
        call(&mut fleet.world, &caller, Service::Ssm, "CreateDocument", create).unwrap();
        let start = json!({
            "DocumentName": "Wait",
            "TargetLocations": [{"Accounts": ["ou-pf01-bbbbbbbb"], "Regions": ["us-east-1"]}],
        });
        let started = call(
            &mut fleet.world,
            &caller,
            Service::Ssm,
            "StartAutomationExecution",
            start,
        );
        assert_eq!(started.is_ok(), allowed, "{top} {from}: {started:?}");
    }
}

#[test]
fn without_trusted_access_nobody_names_an_account_and_everybody_reads_their_own_regions() {
    let mut fleet = fleet("organization = { account_management = false }", "");
    let central = fleet.caller.clone();
    let web = fleet.within(WEB, "us-east-1");
    let mut ask = |caller: &Caller, operation: &str, account: Option<&str>| {
        let mut input = json!({});
        if operation == "GetRegionOptStatus" {
            input["RegionName"] = json!("us-east-1");
        }
        if let Some(account) = account {
            input["AccountId"] = json!(account);
        }
        call(&mut fleet.world, caller, Service::Account, operation, input)
    };
    for operation in ["ListRegions", "GetRegionOptStatus"] {
        for (caller, account) in [(&central, WEB), (&central, CENTRAL), (&web, CENTRAL), (&web, WEB)] {
            let error = ask(caller, operation, Some(account)).unwrap_err();
            assert_eq!(error.code(), "AccessDeniedException");
            let needed = format!(
                "is not authorized to perform: account:{operation} (Your organization must first enable trusted access with AWS Account Management.)"
            );
            assert!(error.message().ends_with(&needed), "{}", error.message());
        }
        for caller in [&central, &web] {
            ask(caller, operation, None).unwrap();
        }
    }
}

#[test]
fn no_role_is_assumed_in_a_region_that_its_account_does_not_have() {
    let theirs = r#", opt_in_regions = ["eu-south-1"], enabling_regions = ["af-south-1"], disabling_regions = ["me-south-1"]"#;
    // The one who assumes has them all.
    let own = r#"opt_in_regions = ["eu-south-1", "af-south-1", "me-south-1", "mx-central-1"]"#;
    let mut fleet = Fleet::of(&format!(
        r#"
        management_account = "{CENTRAL}"
        accounts = [{{ id = "{CENTRAL}", name = "Main", {own} }}, {{ id = "{WEB}", name = "Web"{theirs} }}]
        "#
    ));
    let arn = format!("arn:aws:iam::{WEB}:role/AWS-SystemsManager-AutomationExecutionRole");
    for (region, assumed) in [
        ("eu-south-1", true),
        // Until it is disabled, STS knows the account there.
        ("me-south-1", true),
        ("af-south-1", false),
        ("mx-central-1", false),
    ] {
        let caller = Caller::administrator(&fleet.world, region.parse().unwrap());
        let input = json!({"RoleArn": arn, "RoleSessionName": "test"});
        let answer = call(&mut fleet.world, &caller, Service::Sts, "AssumeRole", input);
        if assumed {
            assert!(answer.is_ok(), "{region}: {answer:?}");
            continue;
        }
        let error = answer.unwrap_err();
        let words = format!(
            "User: arn:aws:iam::{CENTRAL}:user/administrator is not authorized to perform: sts:AssumeRole on resource: {arn}"
        );
        assert_eq!(
            (error.status(), error.code(), error.message()),
            (403, "AccessDenied", words.as_str()),
            "{region}"
        );
        // Its session from elsewhere is not known there either.
        let session = fleet.within(WEB, "us-east-1");
        let there = Caller {
            region: region.parse().unwrap(),
            ..session
        };
        let answer = call(
            &mut fleet.world,
            &there,
            Service::Sts,
            "GetCallerIdentity",
            json!({}),
        );
        assert_eq!(code(answer), "InvalidClientTokenId", "{region}");
    }
}
