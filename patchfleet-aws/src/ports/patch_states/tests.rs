//! The PatchStates port, beside what Systems Manager answers.

use crate::ports::automation::tests::{NODE, with_ssm};
use crate::testing::{FakeHttp, own, response};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::operation::describe_instance_patch_states::DescribeInstancePatchStatesOutput;
use aws_sdk_ssm::operation::describe_instance_patches::DescribeInstancePatchesOutput;
use aws_sdk_ssm::types::{
    InstancePatchState, PatchComplianceData, PatchComplianceDataState, PatchOperationType,
};
use aws_smithy_mocks::mock;
use aws_smithy_types::DateTime;
use patchfleet_core::port::{PatchListState, PatchStates, PortErrorKind};

fn patch_state(missing: i32) -> InstancePatchState {
    InstancePatchState::builder()
        .instance_id(NODE)
        .patch_group("")
        .baseline_id("pb-0")
        .snapshot_id("")
        .operation(PatchOperationType::Install)
        .operation_start_time(DateTime::from_secs(1_700_000_000))
        .operation_end_time(DateTime::from_secs(1_700_000_060))
        .missing_count(missing)
        .failed_count(2)
        .installed_count(40)
        .installed_pending_reboot_count(3)
        .build()
        .unwrap()
}

#[tokio::test]
async fn patch_states_are_read_to_the_end_of_their_pages() {
    let page = |missing, next: Option<&'static str>| {
        DescribeInstancePatchStatesOutput::builder()
            .instance_patch_states(patch_state(missing))
            .set_next_token(next.map(str::to_owned))
            .build()
    };
    let (one, two) = (page(1, Some("2")), page(5, None));
    let first = mock!(Client::describe_instance_patch_states)
        .match_requests(|request| request.instance_ids() == [NODE] && request.max_results() == Some(100))
        .then_output(move || one.clone());
    let second = mock!(Client::describe_instance_patch_states)
        .match_requests(|request| request.next_token() == Some("2"))
        .then_output(move || two.clone());
    let states = with_ssm(&[&first, &second])
        .patch_states(&own("us-east-1"), &[NODE.parse().unwrap()])
        .await
        .unwrap();
    assert_eq!(states.len(), 2);
    assert_eq!((states[0].missing, states[1].missing), (1, 5));
    assert_eq!(
        (states[0].failed, states[0].pending_reboot, states[0].installed),
        (2, 3, 40)
    );
    assert_eq!(
        (states[0].operation.as_str(), &states[0].snapshot),
        ("Install", &None)
    );
    assert_eq!(states[0].ended_at.as_second(), 1_700_000_060);
}

#[tokio::test]
async fn the_patch_states_of_no_nodes_are_not_asked_for() {
    let http = FakeHttp::new(|_, _| Ok(response(200, "{}")));
    assert_eq!(http.aws().patch_states(&own("us-east-1"), &[]).await.unwrap(), []);
    assert_eq!(http.calls(), []);
}

fn patch(id: &str, state: &str) -> PatchComplianceData {
    PatchComplianceData::builder()
        .title(format!("Update ({id})"))
        .kb_id(id)
        .classification("SecurityUpdates")
        .severity("Critical")
        .state(PatchComplianceDataState::from(state))
        .installed_time(DateTime::from_secs(0))
        .build()
        .unwrap()
}

#[tokio::test]
async fn the_patches_of_a_node_are_asked_for_by_their_state_as_aws_writes_it_until_there_are_enough() {
    let page = |ids: &[&str], next: Option<&'static str>| {
        DescribeInstancePatchesOutput::builder()
            .set_patches(Some(ids.iter().map(|id| patch(id, "Failed")).collect()))
            .set_next_token(next.map(str::to_owned))
            .build()
    };
    let (one, two) = (page(&["KB1"], Some("2")), page(&["KB2", "KB3"], Some("3")));
    let first = mock!(Client::describe_instance_patches)
        .match_requests(|request| {
            let [filter] = request.filters() else { return false };
            request.instance_id() == Some(NODE)
                && (filter.key(), filter.values()) == (Some("State"), &["Failed".to_owned()][..])
                && (request.max_results(), request.next_token()) == (Some(100), None)
        })
        .then_output(move || one.clone());
    let second = mock!(Client::describe_instance_patches)
        .match_requests(|request| request.next_token() == Some("2"))
        .then_output(move || two.clone());
    let patches = with_ssm(&[&first, &second])
        .patches(
            &own("us-east-1"),
            &NODE.parse().unwrap(),
            PatchListState::Failed,
            Some(2),
        )
        .await
        .unwrap();
    let ids: Vec<&str> = patches.iter().map(|patch| patch.id.as_str()).collect();
    assert_eq!(ids, ["KB1", "KB2"]);
    assert_eq!(
        (patches[0].title.as_str(), patches[0].severity.as_str()),
        ("Update (KB1)", "Critical")
    );
}

#[tokio::test]
async fn pages_without_a_patch_are_asked_for_only_so_often_and_that_is_an_error() {
    let http = FakeHttp::new(|_, n| Ok(response(200, format!(r#"{{"Patches": [], "NextToken": "{n}"}}"#))));
    let node = NODE.parse().unwrap();
    let patches = http
        .aws()
        .patches(&own("us-east-1"), &node, PatchListState::Missing, Some(20))
        .await;
    let error = patches.unwrap_err().to_string();
    assert!(
        error.contains("gave 10 pages without a patch that is Missing"),
        "{error}"
    );
    assert_eq!(http.calls().len(), 10);
}

#[tokio::test]
async fn all_patches_of_a_node_are_read_to_the_last_page_also_where_pages_are_short() {
    let http = FakeHttp::new(|_, n| {
        let next = if n < 30 {
            format!(r#", "NextToken": "{n}""#)
        } else {
            String::new()
        };
        let patches = match n % 3 {
            0 => format!(
                r#"{{"Title": "t", "KBId": "KB{n}", "Classification": "c", "Severity": "s",
                "State": "Installed", "InstalledTime": 0}}"#
            ),
            _ => String::new(),
        };
        Ok(response(200, format!(r#"{{"Patches": [{patches}]{next}}}"#)))
    });
    let node = NODE.parse().unwrap();
    let patches = http
        .aws()
        .patches(&own("us-east-1"), &node, PatchListState::Installed, None)
        .await
        .unwrap();
    let last = patches.last().map(|patch| patch.id.as_str());
    assert_eq!((last, patches.len() >= 10), (Some("KB30"), true), "{patches:?}");
}

#[tokio::test]
async fn the_names_of_patches_are_given_up_at_once_where_aws_throttles() {
    let http = FakeHttp::new(|_, _| {
        let body = r#"{"__type": "ThrottlingException", "message": "Rate exceeded"}"#;
        Ok(response(400, body))
    });
    let node = NODE.parse().unwrap();
    let error = http
        .aws()
        .patches(&own("us-east-1"), &node, PatchListState::Failed, Some(20))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Throttled);
    assert_eq!(http.calls().len(), 1);
}
