use crate::Aws;
use crate::testing::{FakeHttp, aws, json_error, own, response};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::operation::create_document::CreateDocumentOutput;
use aws_sdk_ssm::operation::describe_document::DescribeDocumentOutput;
use aws_sdk_ssm::operation::describe_document_permission::DescribeDocumentPermissionOutput;
use aws_sdk_ssm::operation::get_calendar_state::GetCalendarStateOutput;
use aws_sdk_ssm::operation::get_document::GetDocumentOutput;
use aws_sdk_ssm::operation::modify_document_permission::ModifyDocumentPermissionOutput;
use aws_sdk_ssm::operation::update_document::UpdateDocumentOutput;
use aws_sdk_ssm::operation::update_document_default_version::UpdateDocumentDefaultVersionOutput;
use aws_sdk_ssm::types::{AccountSharingInfo, CalendarState, DocumentDescription, DocumentPermissionType};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use patchfleet_core::id::DocumentName;
use patchfleet_core::port::{Documents, PageToken, PortErrorKind, Sent, ShareWith, SharedVersion};

fn name() -> DocumentName {
    "Patchfleet-RunPatchBaseline".parse().unwrap()
}

fn with_ssm(rule: &Rule) -> Aws {
    let client = mock_client!(aws_sdk_ssm, RuleMode::Sequential, [rule]);
    let aws = aws();
    aws.clients.ssm.get_or(&own("us-east-1").region, || client);
    aws
}

#[tokio::test]
async fn the_default_version_is_read_with_its_content() {
    let rule = mock!(Client::get_document)
        .match_requests(|request| {
            request.name() == Some("Patchfleet-RunPatchBaseline")
                && request.document_version() == Some("$DEFAULT")
        })
        .then_output(|| {
            GetDocumentOutput::builder()
                .document_version("7")
                .content("{}")
                .build()
        });
    let view = with_ssm(&rule).document(&name()).await.unwrap();
    assert_eq!((view.version.as_str(), view.content.as_str()), ("7", "{}"));
}

#[tokio::test]
async fn a_version_is_read_by_its_number_in_the_location_that_was_asked_for() {
    let rule = mock!(Client::get_document)
        .match_requests(|request| {
            request.name() == Some("AWS-RunPatchBaseline") && request.document_version() == Some("3")
        })
        .then_output(|| {
            GetDocumentOutput::builder()
                .document_version("3")
                .content("{}")
                .build()
        });
    let client = mock_client!(aws_sdk_ssm, RuleMode::Sequential, [&rule]);
    let (aws, there) = (aws(), own("eu-west-1"));
    aws.clients.ssm.get_or(&there.region, || client);
    let name = "AWS-RunPatchBaseline".parse().unwrap();
    let version = "3".parse().unwrap();
    let view = aws.read(Some(&there), &name, version).await.unwrap();
    assert_eq!(view.version, "3");
}

#[tokio::test]
async fn a_document_is_created_as_a_runbook_in_json() {
    let rule = mock!(Client::create_document)
        .match_requests(|request| {
            request.content() == Some("{\"a\":1}")
                && request
                    .document_type()
                    .is_some_and(|kind| kind.as_str() == "Automation")
                && request
                    .document_format()
                    .is_some_and(|format| format.as_str() == "JSON")
        })
        .then_output(|| {
            CreateDocumentOutput::builder()
                .document_description(DocumentDescription::builder().document_version("1").build())
                .build()
        });
    let version = with_ssm(&rule)
        .create(&name(), "{\"a\":1}".to_owned())
        .await
        .unwrap();
    assert_eq!(version, "1");
}

#[tokio::test]
async fn an_update_gives_the_new_version_and_the_same_content_gives_none() {
    let rule = mock!(Client::update_document)
        .match_requests(|request| request.document_version() == Some("$LATEST"))
        .then_output(|| {
            UpdateDocumentOutput::builder()
                .document_description(DocumentDescription::builder().document_version("8").build())
                .build()
        });
    let version = with_ssm(&rule).update(&name(), "{}".to_owned()).await.unwrap();
    assert_eq!(version.as_deref(), Some("8"));

    let same = FakeHttp::new(|_, _| Ok(json_error(400, "DuplicateDocumentContent", "the same")));
    assert_eq!(same.aws().update(&name(), "{}".to_owned()).await.unwrap(), None);
}

#[tokio::test]
async fn the_newest_version_and_the_default_are_told_apart() {
    let rule = mock!(Client::describe_document).then_output(|| {
        DescribeDocumentOutput::builder()
            .document(
                DocumentDescription::builder()
                    .document_version("7")
                    .default_version("7")
                    .latest_version("9")
                    .build(),
            )
            .build()
    });
    assert_eq!(with_ssm(&rule).latest_version(&name()).await.unwrap(), "9");

    let rule = mock!(Client::update_document_default_version)
        .match_requests(|request| request.document_version() == Some("9"))
        .then_output(|| UpdateDocumentDefaultVersionOutput::builder().build());
    with_ssm(&rule).set_default(&name(), "9").await.unwrap();
    assert_eq!(rule.num_calls(), 1);
}

#[tokio::test]
async fn a_document_that_does_not_exist_is_not_found_and_a_wrong_content_is_invalid() {
    let missing = FakeHttp::new(|_, _| Ok(json_error(400, "InvalidDocument", "no such document"))).aws();
    assert_eq!(
        missing.document(&name()).await.unwrap_err().kind(),
        PortErrorKind::NotFound
    );
    assert_eq!(
        missing.latest_version(&name()).await.unwrap_err().kind(),
        PortErrorKind::NotFound
    );
    let wrong = FakeHttp::new(|_, _| Ok(json_error(400, "InvalidDocumentContent", "no"))).aws();
    let error = wrong.create(&name(), "{}".to_owned()).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (PortErrorKind::Invalid, Sent::No));
}

#[tokio::test]
async fn a_create_that_was_lost_and_then_refused_may_have_taken_effect() {
    let http = FakeHttp::new(|_, before| {
        Ok(match before {
            0 => response(500, "{}"),
            _ => json_error(400, "DocumentAlreadyExists", "it is there"),
        })
    });
    let error = http.aws().create(&name(), "{}".to_owned()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (PortErrorKind::Invalid, Sent::Maybe)
    );
}

#[tokio::test]
async fn shares_are_read_in_the_region_of_the_documents_with_their_versions_page_by_page() {
    let rule = mock!(Client::describe_document_permission)
        .match_requests(|request| {
            request.permission_type() == Some(&DocumentPermissionType::Share)
                && request.next_token() == Some("page-2")
        })
        .then_output(|| {
            let told = |id: &str, version: &str| {
                AccountSharingInfo::builder()
                    .account_id(id)
                    .shared_document_version(version)
                    .build()
            };
            DescribeDocumentPermissionOutput::builder()
                .account_ids("222222222222")
                .account_ids("333333333333")
                .account_ids("all")
                .account_sharing_info_list(told("222222222222", "$ALL"))
                .account_sharing_info_list(told("all", "$LATEST"))
                .next_token("page-3")
                .build()
        });
    let client = mock_client!(aws_sdk_ssm, RuleMode::Sequential, [&rule]);
    let (aws, there) = (aws(), own("eu-west-1"));
    aws.clients.ssm.get_or(&there.region, || client);
    let documents = aws.in_region(&there.region).unwrap();
    let page = documents
        .shares(&name(), Some(PageToken::new("page-2")))
        .await
        .unwrap();
    let of = |id: &str| ShareWith::Account(id.parse().unwrap());
    let shares: Vec<_> = page
        .items
        .into_iter()
        .map(|share| (share.with, share.version))
        .collect();
    assert_eq!(
        shares,
        [
            (of("222222222222"), SharedVersion::All),
            (ShareWith::Everybody, SharedVersion::Latest),
            // AWS says no version of that one.
            (of("333333333333"), SharedVersion::Default),
        ]
    );
    assert_eq!(page.next, Some(PageToken::new("page-3")));
}

#[tokio::test]
async fn a_share_adds_accounts_and_takes_none_away() {
    let rule = mock!(Client::modify_document_permission)
        .match_requests(|request| {
            request.name() == Some("Patchfleet-RunPatchBaseline")
                && request.permission_type() == Some(&DocumentPermissionType::Share)
                && request.account_ids_to_add() == ["222222222222", "333333333333"]
                && request.account_ids_to_remove().is_empty()
                && request.shared_document_version() == Some("$ALL")
        })
        .then_output(|| ModifyDocumentPermissionOutput::builder().build());
    let accounts = ["222222222222", "333333333333"].map(|id| id.parse().unwrap());
    let shared = with_ssm(&rule)
        .share(&name(), &accounts, SharedVersion::All)
        .await;
    shared.unwrap();
    assert_eq!(rule.num_calls(), 1);
    let limit = FakeHttp::new(|_, _| Ok(json_error(400, "DocumentPermissionLimit", "too many"))).aws();
    let error = limit
        .share(&name(), &accounts, SharedVersion::Default)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Invalid);
}

#[tokio::test]
async fn calendars_are_open_or_closed_and_any_other_answer_is_none() {
    let said = |state: Option<CalendarState>, next: Option<&'static str>| async move {
        let rule = mock!(Client::get_calendar_state)
            .match_requests(|request| request.calendar_names() == ["Freezes"] && request.at_time().is_none())
            .then_output(move || {
                GetCalendarStateOutput::builder()
                    .set_state(state.clone())
                    .set_next_transition_time(next.map(str::to_owned))
                    .build()
            });
        let names = ["Freezes".parse().unwrap()];
        with_ssm(&rule).calendars(&names).await
    };
    let at = Some("2026-03-01T02:40:00Z".parse().unwrap());
    let view = said(Some(CalendarState::Closed), Some("2026-03-01T02:40:00Z"))
        .await
        .unwrap();
    assert_eq!((view.are_open, view.changes_at), (false, at));
    // A time without a zone is UTC, and one that cannot be read is none.
    let view = said(Some(CalendarState::Open), Some("2026-03-01T02:40:00"))
        .await
        .unwrap();
    assert_eq!((view.are_open, view.changes_at), (true, at));
    let view = said(Some(CalendarState::Open), Some("soon")).await.unwrap();
    assert_eq!((view.are_open, view.changes_at), (true, None));
    for unclear in [None, Some(CalendarState::from("HALF_OPEN"))] {
        let error = said(unclear, None).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Other);
    }
}
