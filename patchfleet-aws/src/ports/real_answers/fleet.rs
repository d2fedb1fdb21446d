//! Accounts, Regions, groups, nodes, patch states, documents and roles.

use super::{at, refusing, serving, text};
use crate::Aws;
use crate::testing::{FakeHttp, json_error, other, own, response, xml_error};
use patchfleet_core::id::OrgParent;
use patchfleet_core::port::{
    AccountState, Directory, Documents, Inventory, PatchListState, PatchStates, PingStatus, PortErrorKind,
    PortResult, RegionOptStatus, Selection,
};
use serde_json::{Value, json};

fn group() -> Selection {
    Selection::Group("WebServers".parse().unwrap())
}

/// The kind of error that a role's refusal leads to, for a call in another account.
async fn kind_when_assuming_is_refused(status: u16, code: &str, message: &str) -> (PortErrorKind, String) {
    let (code, message) = (code.to_owned(), message.to_owned());
    let aws = refusing(move || xml_error(status, &code, &message));
    let error = aws
        .members(&other("us-east-1"), &group(), None)
        .await
        .unwrap_err();
    (error.kind(), error.reason())
}

pub(super) async fn a_region_that_is_not_enabled(data: &Value) {
    let aws = serving(&[("listRegions", json!({"Regions": [data[0]["first"]]}))]);
    let page = aws.regions(&own("us-east-1").account, None).await.unwrap();
    assert_eq!(page.items[0].region.as_str(), "af-south-1");
    assert_eq!(page.items[0].status, RegionOptStatus::Disabled);

    let (code, message) = (
        text(&data[2]["Code"]).to_owned(),
        text(&data[2]["Message"]).to_owned(),
    );
    let aws = refusing(move || json_error(400, &code, &message));
    let error = aws.members(&own("af-south-1"), &group(), None).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::RegionNotEnabled);

    let refusal = &data[3];
    let (kind, words) =
        kind_when_assuming_is_refused(403, text(&refusal["Code"]), text(&refusal["Message"])).await;
    assert_eq!(kind, PortErrorKind::RoleNotAssumable);
    assert!(words.contains(text(&refusal["Message"])), "{words}");
}

pub(super) async fn members_of_groups(data: &Value) {
    let members = async |sample: &str| -> PortResult<_> {
        let aws = serving(&[("list-group-resources", data[sample].clone())]);
        aws.members(&own("us-east-1"), &group(), None).await
    };
    let page = members("empty").await.unwrap();
    assert_eq!(
        (page.page.items.len(), page.page.next, page.query_errors.len()),
        (0, None, 0)
    );
    // A bucket is a member and no node.
    let page = members("members").await.unwrap();
    assert_eq!((page.page.items.len(), page.query_errors.len()), (0, 0));
    let page = members("partial").await.unwrap();
    let wanted = &data["partial"]["QueryErrors"][0];
    assert_eq!(page.query_errors[0].code, text(&wanted["ErrorCode"]));
    assert_eq!(page.query_errors[0].message, text(&wanted["Message"]));

    let refused = data["refused"]["Error"].clone();
    let (code, message) = (
        text(&refused["Code"]).to_owned(),
        text(&refused["Message"]).to_owned(),
    );
    let aws = refusing(move || json_error(400, &code, &message));
    let error = aws.members(&own("us-east-1"), &group(), None).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Invalid);
    assert!(error.reason().contains(text(&refused["Message"])));

    let aws = serving(&[("search", data["search"].clone())]);
    let tags = Selection::Tags([("Tier".to_owned(), vec!["web".to_owned()])].into());
    let page = aws.members(&own("us-east-1"), &tags, None).await;
    assert_eq!(page.unwrap().page.items.len(), 0);
}

pub(super) async fn nodes_of_both_kinds(data: &Value) {
    let listing = json!({"InstanceInformationList": [data["ec2"], data["hybrid"]]});
    let aws = serving(&[("DescribeInstanceInformation", listing)]);
    let page = aws.managed(&own("us-east-1"), None, None).await.unwrap();
    let ids: Vec<&str> = page.items.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids, ["i-0aaaaaaaaaaaaaaa1", "mi-1111aa111aa11a111"]);
    assert!(page.items.iter().all(|node| node.ping == PingStatus::Online));
}

pub(super) async fn patch_states(data: &Value) {
    let aws = serving(&[("DescribeInstancePatchStates", data.clone())]);
    let sample = &data["InstancePatchStates"][0];
    let node = text(&sample["InstanceId"]).parse().unwrap();
    let states = aws.patch_states(&own("us-east-1"), &[node]).await.unwrap();
    let state = &states[0];
    assert_eq!(state.operation, "Scan");
    assert_eq!(state.ended_at, at(&sample["OperationEndTime"]));
    assert_eq!(state.snapshot.as_deref(), sample["SnapshotId"].as_str());
    assert_eq!(
        (state.missing, state.failed, state.pending_reboot, state.installed),
        (1, 2, 0, 123)
    );
}

pub(super) async fn patches_of_a_node(data: &Value) {
    let aws = serving(&[("DescribeInstancePatches", json!({"Patches": data["patches"]}))]);
    let (at, node) = (own("us-east-1"), "i-0aaaaaaaaaaaaaaa1".parse().unwrap());
    let missing = aws
        .patches(&at, &node, PatchListState::Missing, Some(20))
        .await
        .unwrap();
    let sample = &data["patches"][2];
    let [patch] = &missing[..] else {
        panic!("{missing:?}")
    };
    assert_eq!(patch.id, text(&sample["KBId"]));
    assert_eq!(patch.title, text(&sample["Title"]));
    assert_eq!(patch.classification, text(&sample["Classification"]));
    assert_eq!(patch.severity, text(&sample["Severity"]));
    let failed = aws
        .patches(&at, &node, PatchListState::Failed, Some(20))
        .await
        .unwrap();
    assert_eq!(failed, []);
    let installed = aws.patches(&at, &node, PatchListState::Installed, None).await;
    let ids: Vec<String> = installed.unwrap().into_iter().map(|patch| patch.id).collect();
    assert_eq!(ids, [text(&data["patches"][0]["KBId"])]);
}

pub(super) async fn an_account_of_2021(data: &Value) {
    let aws = serving(&[("ListAccountsForParent", data["ListAccounts"].clone())]);
    let root = OrgParent::Root("r-ab12".parse().unwrap());
    let page = aws.accounts(&root, None).await.unwrap();
    assert_eq!(page.items[0].id.as_str(), "111122223333");
    assert_eq!(page.items[0].state, AccountState::Active);
    for (sample, status, wanted) in [
        ("denied", 400, PortErrorKind::Denied),
        ("internal", 500, PortErrorKind::Unavailable),
    ] {
        let (code, message) = (
            text(&data[sample]["Code"]).to_owned(),
            text(&data[sample]["Message"]).to_owned(),
        );
        let words = message.clone();
        let aws = refusing(move || json_error(status, &code, &message));
        let error = aws.accounts(&root, None).await.unwrap_err();
        assert_eq!(error.kind(), wanted);
        assert!(error.reason().contains(&words), "{error:?}");
    }
}

pub(super) async fn refused_roles(data: &Value) {
    for (name, sample) in data.as_object().unwrap() {
        let error = &sample["Error"];
        let (kind, words) =
            kind_when_assuming_is_refused(400, text(&error["Code"]), text(&error["Message"])).await;
        assert_eq!(kind, PortErrorKind::Invalid, "{name}");
        assert!(words.contains(text(&error["Message"])), "{name}: {words}");
    }
}

/// What STS answers with.
fn sts(operation: &str, result: &str) -> String {
    format!("<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>")
}

pub(super) async fn a_caller_and_a_session(data: &Value) {
    let (session, caller) = (data["AssumeRole"].clone(), data["GetCallerIdentity"].clone());
    let (arn, user) = (text(&caller["Arn"]), text(&caller["UserId"]));
    let identity = sts(
        "GetCallerIdentity",
        &format!(
            "<Arn>{arn}</Arn><UserId>{user}</UserId><Account>{}</Account>",
            text(&caller["Account"])
        ),
    );
    let keys = &session["Credentials"];
    // The sample's session has ended long ago; how long it lasts is not what is read here.
    let assumed = sts(
        "AssumeRole",
        &format!(
            "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
             <SessionToken>{}</SessionToken><Expiration>2099-09-29T22:07:46Z</Expiration></Credentials>\
             <AssumedRoleUser><AssumedRoleId>{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>",
            text(&keys["AccessKeyId"]),
            text(&keys["SecretAccessKey"]),
            text(&keys["SessionToken"]),
            text(&session["AssumedRoleUser"]["AssumedRoleId"]),
            text(&session["AssumedRoleUser"]["Arn"]),
        ),
    );
    let http = FakeHttp::new(move |call, _| {
        Ok(match call.operation.as_str() {
            "GetCallerIdentity" => response(200, identity.clone()),
            "AssumeRole" => response(200, assumed.clone()),
            _ => response(
                200,
                json!({"Resources": [], "ResourceIdentifiers": [], "QueryErrors": []}).to_string(),
            ),
        })
    });
    let aws: Aws = http.builder(&std::sync::Arc::default()).build().unwrap();
    let found = aws.caller().await.unwrap();
    assert_eq!(
        (found.account.as_str(), found.arn.as_str()),
        ("111122223333", arn)
    );
    aws.members(&other("us-east-1"), &group(), None).await.unwrap();
    let key = &http.calls_of("list-group-resources")[0].access_key;
    assert_eq!(key, text(&keys["AccessKeyId"]));
}

pub(super) async fn a_stopped_node_is_not_listed(data: &Value) {
    for moment in ["describe_before", "describe_after"] {
        let aws = serving(&[("DescribeInstanceInformation", data[moment].clone())]);
        let nodes = ["i-0aaaaaaaaaaaaaaa1".parse().unwrap()];
        let page = aws.managed(&own("us-east-1"), Some(&nodes), None).await.unwrap();
        assert!(page.items.is_empty() && page.next.is_none());
    }
}

pub(super) async fn a_document(data: &Value) {
    let aws = serving(&[
        ("UpdateDocument", data["update_output"].clone()),
        ("CreateDocument", data["update_output"].clone()),
        (
            "UpdateDocumentDefaultVersion",
            data["update_default_output"].clone(),
        ),
        (
            "DescribeDocument",
            json!({"Document": data["update_output"]["DocumentDescription"]}),
        ),
    ]);
    let name = "my-doc".parse().unwrap();
    let content = text(&data["content"]).to_owned();
    assert_eq!(
        aws.update(&name, content.clone()).await.unwrap().as_deref(),
        Some("2")
    );
    assert_eq!(aws.create(&name, content).await.unwrap(), "2");
    assert_eq!(aws.latest_version(&name).await.unwrap(), "2");
    aws.set_default(&name, "2").await.unwrap();
}

pub(super) async fn an_organization(data: &Value) {
    let mut account = data["account_describe, account_list, account_list_for_parent"].clone();
    account["Id"] = json!("111122223333");
    let mut unit = data["ou_create, ou_describe, ou_list"].clone();
    unit["Id"] = json!("ou-ab12-22222222");
    let aws = serving(&[
        ("DescribeAccount", json!({"Account": account})),
        ("ListAccounts", json!({"Accounts": [account]})),
        ("ListAccountsForParent", json!({"Accounts": [account]})),
        (
            "ListOrganizationalUnitsForParent",
            json!({"OrganizationalUnits": [unit]}),
        ),
    ]);
    let id = "111122223333".parse().unwrap();
    assert_eq!(aws.account(&id).await.unwrap().state, AccountState::Active);
    let placed = &aws.organization(None).await.unwrap().items[0];
    assert_eq!(
        (&placed.account.id, &placed.account.state),
        (&id, &AccountState::Active)
    );
    assert_eq!(placed.above, [OrgParent::Root("r-ab12".parse().unwrap())]);
    let parent = OrgParent::Ou("ou-ab12-11111111".parse().unwrap());
    assert_eq!(aws.accounts(&parent, None).await.unwrap().items[0].id, id);
    let units = aws.child_units(&parent, None).await.unwrap();
    assert_eq!(units.items[0].as_str(), "ou-ab12-22222222");

    let message = text(&data["denied"]["Message"]).to_owned();
    let aws = refusing(move || json_error(400, "AccessDeniedException", &message));
    let error = aws.accounts(&parent, None).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Denied);
    let error = aws.organization(None).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Denied);
    for control in data["page_controls"].as_array().unwrap() {
        let (code, reason) = (
            text(&control["Code"]).to_owned(),
            text(&control["Reason"]).to_owned(),
        );
        let aws = refusing(move || json_error(400, &code, &reason));
        let error = aws.accounts(&parent, None).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Invalid);
    }
}
