use crate::Aws;
use crate::testing::{CALLER, FakeHttp, aws, json_error, own, response, xml_error};
use aws_sdk_account::types as account;
use aws_sdk_organizations::Client;
use aws_sdk_organizations::operation::list_accounts::ListAccountsOutput;
use aws_sdk_organizations::operation::list_accounts_for_parent::ListAccountsForParentOutput;
use aws_sdk_organizations::operation::list_organizational_units_for_parent::ListOrganizationalUnitsForParentOutput;
use aws_sdk_organizations::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_organizations::types::{Account, AccountState as State, OrganizationalUnit, Tag};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use patchfleet_core::id::OrgParent;
use patchfleet_core::port::{AccountState, Directory, PageToken, PortErrorKind, RegionOptStatus};

fn ou() -> OrgParent {
    OrgParent::Ou("ou-ab12-cdef3456".parse().unwrap())
}

fn with_organizations(rules: &[&Rule]) -> Aws {
    let client = mock_client!(aws_sdk_organizations, RuleMode::Sequential, rules);
    let aws = aws();
    aws.clients
        .organizations
        .get_or(&own("us-east-1").region, || client);
    aws
}

#[tokio::test]
async fn accounts_come_page_by_page_and_an_empty_page_may_have_a_next_one() {
    let first = mock!(Client::list_accounts_for_parent)
        .match_requests(|request| {
            request.parent_id() == Some("ou-ab12-cdef3456")
                && request.max_results() == Some(20)
                && request.next_token().is_none()
        })
        .then_output(|| ListAccountsForParentOutput::builder().next_token("more").build());
    let second = mock!(Client::list_accounts_for_parent)
        .match_requests(|request| request.next_token() == Some("more"))
        .then_output(|| {
            let account = |id: &str, state| Account::builder().id(id).state(state).build();
            ListAccountsForParentOutput::builder()
                .accounts(account("444455556666", State::Active))
                .accounts(account("012345678901", State::Suspended))
                .build()
        });
    let aws = with_organizations(&[&first, &second]);
    let page = aws.accounts(&ou(), None).await.unwrap();
    assert_eq!((page.items.len(), &page.next), (0, &Some(PageToken::new("more"))));
    let page = aws.accounts(&ou(), page.next).await.unwrap();
    let read: Vec<_> = page
        .items
        .iter()
        .map(|account| (account.id.as_str(), account.state.as_str()))
        .collect();
    assert_eq!(read, [("444455556666", "ACTIVE"), ("012345678901", "SUSPENDED")]);
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn the_organization_comes_page_by_page_with_the_place_of_each_account() {
    let first = mock!(Client::list_accounts)
        .match_requests(|request| request.max_results() == Some(20) && request.next_token().is_none())
        .then_output(|| {
            let path = "o-exampleorgid/r-ab12/ou-ab12-cdef3456/444455556666/";
            let account = Account::builder().id("444455556666").state(State::Active);
            ListAccountsOutput::builder()
                .accounts(account.paths(path).build())
                .next_token("more")
                .build()
        });
    let second = mock!(Client::list_accounts)
        .match_requests(|request| request.next_token() == Some("more"))
        .then_output(|| {
            let account = Account::builder().id("012345678901").state(State::Suspended);
            ListAccountsOutput::builder().accounts(account.build()).build()
        });
    let aws = with_organizations(&[&first, &second]);
    let page = aws.organization(None).await.unwrap();
    let root = OrgParent::Root("r-ab12".parse().unwrap());
    assert_eq!(page.items[0].above, [root, ou()]);
    let page = aws.organization(page.next).await.unwrap();
    assert_eq!(page.items[0].account.state, AccountState::Suspended);
    assert!(page.items[0].above.is_empty(), "AWS does not say where it stands");
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn state_counts_and_the_retired_status_only_where_there_is_no_state() {
    for (body, state) in [
        (r#""State":"CLOSED","Status":"ACTIVE""#, AccountState::Closed),
        (r#""Status":"SUSPENDED""#, AccountState::Suspended),
        (
            r#""State":"HIBERNATING""#,
            AccountState::Unknown("HIBERNATING".to_owned()),
        ),
    ] {
        let http = FakeHttp::new(move |_, _| {
            Ok(response(
                200,
                format!(r#"{{"Account":{{"Id":"444455556666",{body}}}}}"#),
            ))
        });
        let view = http
            .aws()
            .account(&"444455556666".parse().unwrap())
            .await
            .unwrap();
        assert_eq!(view.state, state);
        assert_eq!(http.calls()[0].service, "organizations");
    }
}

#[tokio::test]
async fn child_units_come_page_by_page() {
    let rule = mock!(Client::list_organizational_units_for_parent)
        .match_requests(|request| request.parent_id() == Some("r-ab12") && request.max_results() == Some(20))
        .then_output(|| {
            ListOrganizationalUnitsForParentOutput::builder()
                .organizational_units(OrganizationalUnit::builder().id("ou-ab12-cdef3456").build())
                .next_token("n")
                .build()
        });
    let aws = with_organizations(&[&rule]);
    let root = OrgParent::Root("r-ab12".parse().unwrap());
    let page = aws.child_units(&root, None).await.unwrap();
    assert_eq!(page.items[0].as_str(), "ou-ab12-cdef3456");
    assert_eq!(page.next, Some(PageToken::new("n")));
}

#[tokio::test]
async fn the_tags_of_an_account_come_page_by_page_and_a_value_may_be_empty() {
    let first = mock!(Client::list_tags_for_resource)
        .match_requests(|request| {
            request.resource_id() == Some("444455556666") && request.next_token().is_none()
        })
        .then_output(|| ListTagsForResourceOutput::builder().next_token("more").build());
    let second = mock!(Client::list_tags_for_resource)
        .match_requests(|request| request.next_token() == Some("more"))
        .then_output(|| {
            let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build().unwrap();
            ListTagsForResourceOutput::builder()
                .tags(tag("Stage", "canary"))
                .tags(tag("Cost centre", ""))
                .build()
        });
    let aws = with_organizations(&[&first, &second]);
    let account = "444455556666".parse().unwrap();
    let page = aws.account_tags(&account, None).await.unwrap();
    assert_eq!((page.items.len(), &page.next), (0, &Some(PageToken::new("more"))));
    let page = aws.account_tags(&account, page.next).await.unwrap();
    let tags: Vec<(&str, &str)> = page
        .items
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(tags, [("Stage", "canary"), ("Cost centre", "")]);
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn an_account_without_a_tag_has_an_empty_page_and_one_that_may_not_be_read_an_error() {
    let account = "444455556666".parse().unwrap();
    let http = FakeHttp::new(|_, _| Ok(response(200, r#"{"Tags":[]}"#)));
    let page = http.aws().account_tags(&account, None).await.unwrap();
    assert_eq!((page.items.len(), page.next), (0, None));
    for (code, kind) in [
        ("TargetNotFoundException", PortErrorKind::NotFound),
        (
            "AWSOrganizationsNotInUseException",
            PortErrorKind::NotInOrganization,
        ),
        ("AccessDeniedException", PortErrorKind::Denied),
        ("TooManyRequestsException", PortErrorKind::Throttled),
        ("ServiceException", PortErrorKind::Unavailable),
    ] {
        let status = if code == "ServiceException" { 500 } else { 400 };
        let http = FakeHttp::new(move |_, _| Ok(json_error(status, code, "words")));
        let error = http.aws().account_tags(&account, None).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
    }
}

#[tokio::test]
async fn what_organizations_refuses_keeps_its_kind() {
    for (code, kind) in [
        ("ParentNotFoundException", PortErrorKind::NotFound),
        (
            "AWSOrganizationsNotInUseException",
            PortErrorKind::NotInOrganization,
        ),
        ("AccessDeniedException", PortErrorKind::Denied),
        ("TooManyRequestsException", PortErrorKind::Throttled),
    ] {
        let http = FakeHttp::new(move |_, _| Ok(json_error(400, code, "words")));
        let error = http.aws().accounts(&ou(), None).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
    }
}

#[tokio::test]
async fn an_account_id_that_cannot_be_read_is_an_error_and_is_not_left_out() {
    let rule = mock!(Client::list_accounts_for_parent).then_output(|| {
        ListAccountsForParentOutput::builder()
            .accounts(Account::builder().id("12").state(State::Active).build())
            .build()
    });
    let error = with_organizations(&[&rule])
        .accounts(&ou(), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Other);
    assert!(error.chain().contains("\"12\""), "{}", error.chain());
}

#[tokio::test]
async fn regions_are_listed_as_the_account_itself_with_their_status() {
    let region = |name: &str, status| {
        account::Region::builder()
            .region_name(name)
            .region_opt_status(status)
            .build()
    };
    let answer = aws_sdk_account::operation::list_regions::ListRegionsOutput::builder()
        .regions(region("us-east-1", account::RegionOptStatus::EnabledByDefault))
        .regions(region("af-south-1", account::RegionOptStatus::Disabled))
        .regions(region("moon-north-1", account::RegionOptStatus::Disabled))
        .next_token("n")
        .build();
    let rule = mock!(aws_sdk_account::Client::list_regions)
        .match_requests(|request| request.account_id().is_none() && request.max_results() == Some(50))
        .then_output(move || answer.clone());
    let client = mock_client!(aws_sdk_account, RuleMode::Sequential, [&rule]);
    let aws = aws();
    aws.clients.accounts.get_or(&own("us-east-1").region, || client);
    let page = aws.regions(&CALLER.parse().unwrap(), None).await.unwrap();
    let read: Vec<_> = page
        .items
        .iter()
        .map(|view| (view.region.as_str(), view.status))
        .collect();
    assert_eq!(
        read,
        [
            ("us-east-1", RegionOptStatus::EnabledByDefault),
            ("af-south-1", RegionOptStatus::Disabled)
        ]
    );
    assert_eq!(page.next, Some(PageToken::new("n")));
}

#[tokio::test]
async fn a_region_of_no_known_partition_that_is_enabled_is_an_error() {
    let http = FakeHttp::new(|_, _| {
        Ok(response(
            200,
            r#"{"Regions":[{"RegionName":"moon-north-1","RegionOptStatus":"ENABLED"}]}"#,
        ))
    });
    let error = http
        .aws()
        .regions(&CALLER.parse().unwrap(), None)
        .await
        .unwrap_err();
    assert!(error.chain().contains("moon-north-1"), "{}", error.chain());
}

#[tokio::test]
async fn the_regions_of_another_account_are_asked_for_with_its_role() {
    let http = FakeHttp::new(|_, _| Ok(xml_error(403, "AccessDenied", "no")));
    let account = crate::testing::OTHER.parse().unwrap();
    let error = http.aws().regions(&account, None).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::RoleNotAssumable);
}
