//! The PatchStates port, beside what Systems Manager answers.

use crate::ports::automation::tests::{NODE, with_ssm};
use crate::testing::{FakeHttp, own, response};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::operation::describe_instance_patch_states::DescribeInstancePatchStatesOutput;
use aws_sdk_ssm::types::{InstancePatchState, PatchOperationType};
use aws_smithy_mocks::mock;
use aws_smithy_types::DateTime;
use patchfleet_core::port::PatchStates;

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
