//! Commands, invocations and patch states.

use super::*;

#[tokio::test]
async fn a_command_is_read_with_its_counts_and_details_without_spaces() {
    let http = FakeHttp::new(|_, before| {
        let body = match before {
            0 => json!({ "Commands": [{
                "Status": "Failed", "StatusDetails": "No Instances In Tag", "RequestedDateTime": 1_700_000_000.5,
                "TargetCount": 9, "CompletedCount": 7, "ErrorCount": 2, "DeliveryTimedOutCount": 1,
            }]}),
            1 => json!({ "Commands": [{ "Status": "InProgress", "RequestedDateTime": 1_700_000_000 }] }),
            _ => json!({ "Commands": [] }),
        };
        Ok(response(200, body.to_string()))
    });
    let (aws, command) = (http.aws(), COMMAND.parse().unwrap());
    let view = aws.command(&own("us-east-1"), &command).await.unwrap();
    assert_eq!(
        (view.status.as_str(), view.details.as_str()),
        ("Failed", "NoInstancesInTag")
    );
    assert_eq!(view.requested_at.as_millisecond(), 1_700_000_000_500);
    let counts = (
        view.counts.targets,
        view.counts.completed,
        view.counts.errors,
        view.counts.undelivered,
    );
    assert_eq!(counts, (9, 7, 2, 1));
    let view = aws.command(&own("us-east-1"), &command).await.unwrap();
    assert_eq!(view.details, "InProgress");
    let error = aws.command(&own("us-east-1"), &command).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::NotFound);
}

#[tokio::test]
async fn a_command_may_stand_behind_an_empty_page() {
    let http = FakeHttp::new(|call, before| {
        let token = serde_json::from_str::<serde_json::Value>(&call.body).unwrap()["NextToken"].clone();
        Ok(match before {
            0 => response(200, json!({ "Commands": [], "NextToken": "more" }).to_string()),
            _ => {
                assert_eq!(token, "more");
                let command = json!({ "CommandId": COMMAND, "Status": "Success", "RequestedDateTime": 1.5 });
                response(200, json!({ "Commands": [command] }).to_string())
            }
        })
    });
    let aws = http.aws();
    let command = aws.command(&own("eu-west-1"), &COMMAND.parse().unwrap()).await;
    assert_eq!(command.unwrap().status, "Success");
    assert_eq!(http.calls().len(), 2);
}

#[tokio::test]
async fn invocations_are_read_by_their_details_and_failing_those_by_their_status() {
    let invocation = |details: Option<&str>, status| {
        CommandInvocation::builder()
            .instance_id(NODE)
            .set_status_details(details.map(str::to_owned))
            .status(status)
            .build()
    };
    let answer = ListCommandInvocationsOutput::builder()
        .command_invocations(invocation(
            Some("Delivery Timed Out"),
            CommandInvocationStatus::TimedOut,
        ))
        .command_invocations(invocation(Some(""), CommandInvocationStatus::Success))
        .command_invocations(invocation(None, CommandInvocationStatus::Cancelled))
        .next_token("n")
        .build();
    let rule = mock!(Client::list_command_invocations)
        .match_requests(|request| request.command_id() == Some(COMMAND) && request.max_results() == Some(50))
        .then_output(move || answer.clone());
    let page = with_ssm(&[&rule])
        .invocations(&own("us-east-1"), &COMMAND.parse().unwrap(), false, None)
        .await
        .unwrap();
    let statuses: Vec<_> = page.items.iter().map(|item| item.status.as_str()).collect();
    assert_eq!(statuses, ["DeliveryTimedOut", "Success", "Cancelled"]);
    assert_eq!(page.items[0].node.as_str(), NODE);
    assert_eq!(page.next, Some(PageToken::new("n")));
}

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
