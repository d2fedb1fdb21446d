use crate::testing::{aws, own};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::types::{CompositeAlarm, MetricAlarm, StateValue};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use aws_smithy_types::DateTime;
use patchfleet_core::port::{AlarmState, AlarmView, Alarms, PortErrorKind, PortResult};

async fn asked(answer: fn() -> DescribeAlarmsOutput) -> PortResult<Option<AlarmView>> {
    let rule = mock!(Client::describe_alarms)
        .match_requests(|request| request.alarm_names() == ["Web errors"] && request.alarm_types().len() == 2)
        .then_output(answer);
    let client = mock_client!(aws_sdk_cloudwatch, RuleMode::Sequential, [&rule]);
    let aws = aws();
    aws.clients.cloudwatch.get_or(&own("us-east-1").region, || client);
    aws.alarm(&"Web errors".parse().unwrap()).await
}

fn metric(name: &str, state: Option<StateValue>) -> MetricAlarm {
    MetricAlarm::builder()
        .alarm_name(name)
        .set_state_value(state)
        .state_reason("Threshold Crossed")
        .state_updated_timestamp(DateTime::from_secs(1_772_316_060))
        .state_transitioned_timestamp(DateTime::from_secs(1_772_316_000))
        .build()
}

#[tokio::test]
async fn the_alarm_with_exactly_this_name_is_meant_of_either_type() {
    let of = |state, since: &str| {
        Some(AlarmView {
            state,
            reason: "Threshold Crossed".to_owned(),
            since: since.parse().ok(),
        })
    };
    let found = asked(|| {
        let all = [
            metric("Web errors 2", Some(StateValue::Alarm)),
            metric("Web errors", Some(StateValue::InsufficientData)),
        ];
        DescribeAlarmsOutput::builder()
            .set_metric_alarms(Some(all.into()))
            .build()
    });
    let expected = of(AlarmState::InsufficientData, "2026-02-28T22:00:00Z");
    assert_eq!(found.await.unwrap(), expected);
    let composite = asked(|| {
        let alarm = CompositeAlarm::builder()
            .alarm_name("Web errors")
            .state_value(StateValue::Alarm)
            .state_reason("Threshold Crossed")
            .state_updated_timestamp(DateTime::from_secs(1_772_316_060));
        DescribeAlarmsOutput::builder()
            .composite_alarms(alarm.build())
            .build()
    });
    let expected = of(AlarmState::Alarm, "2026-02-28T22:01:00Z");
    assert_eq!(composite.await.unwrap(), expected);
    assert_eq!(
        asked(|| DescribeAlarmsOutput::builder().build()).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_state_that_nobody_knows_is_no_answer() {
    let none = || {
        DescribeAlarmsOutput::builder()
            .metric_alarms(metric("Web errors", None))
            .build()
    };
    assert_eq!(asked(none).await.unwrap_err().kind(), PortErrorKind::Other);
    let new = || {
        let state = Some(StateValue::from("MUTED"));
        DescribeAlarmsOutput::builder()
            .metric_alarms(metric("Web errors", state))
            .build()
    };
    assert_eq!(asked(new).await.unwrap_err().kind(), PortErrorKind::Other);
}
