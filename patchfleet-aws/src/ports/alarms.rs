//! CloudWatch alarms in the central account and Region.

use super::Aws;
use crate::call::{Operation, send, timestamp};
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use patchfleet_core::id::AlarmName;
use patchfleet_core::port::{AlarmState, AlarmView, Alarms, BoxFuture, PortResult};

impl Alarms for Aws {
    fn alarm(&self, name: &AlarmName) -> BoxFuture<'_, PortResult<Option<AlarmView>>> {
        let name = name.to_string();
        Box::pin(async move {
            let (call, cloudwatch) = self.clients.cloudwatch(Operation::DescribeAlarms).await?;
            // Without types CloudWatch leaves composite alarms out.
            let request = cloudwatch
                .describe_alarms()
                .alarm_names(name.clone())
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm);
            let answer = send!(call, request).await?;
            let metric = answer.metric_alarms().iter().map(|alarm| {
                let since = alarm.state_transitioned_timestamp();
                let since = since.or(alarm.state_updated_timestamp());
                (
                    alarm.alarm_name(),
                    alarm.state_value(),
                    alarm.state_reason(),
                    since,
                )
            });
            let composite = answer.composite_alarms().iter().map(|alarm| {
                let since = alarm.state_transitioned_timestamp();
                let since = since.or(alarm.state_updated_timestamp());
                (
                    alarm.alarm_name(),
                    alarm.state_value(),
                    alarm.state_reason(),
                    since,
                )
            });
            let mut named = metric
                .chain(composite)
                .filter(|(found, ..)| *found == Some(&name));
            let Some((_, state, reason, since)) = named.next() else {
                return Ok(None);
            };
            let state = match state {
                Some(StateValue::Ok) => Ok(AlarmState::Ok),
                Some(StateValue::Alarm) => Ok(AlarmState::Alarm),
                Some(StateValue::InsufficientData) => Ok(AlarmState::InsufficientData),
                _ => Err("it does not say what state the alarm is in"),
            };
            let view = state.map(|state| AlarmView {
                state,
                reason: reason.unwrap_or_default().to_owned(),
                since: since.and_then(timestamp),
            });
            call.read(view).map(Some)
        })
    }
}

#[cfg(test)]
mod tests;
