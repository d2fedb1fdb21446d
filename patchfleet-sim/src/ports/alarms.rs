//! The port of CloudWatch alarms.

use super::{At, MemoryPorts};
use crate::api::DescribeAlarms;
use patchfleet_core::{
    id::AlarmName,
    port::{AlarmState, AlarmView, Alarms, BoxFuture, PortError, PortErrorKind, PortResult},
};

impl Alarms for MemoryPorts {
    fn alarm(&self, name: &AlarmName) -> BoxFuture<'_, PortResult<Option<AlarmView>>> {
        let input = DescribeAlarms {
            alarm_names: Some(vec![name.to_string()]),
            alarm_types: Some(vec!["MetricAlarm".to_owned(), "CompositeAlarm".to_owned()]),
            ..DescribeAlarms::default()
        };
        Box::pin(async move {
            let answer = self.call(At::Central, input).await?;
            let Some(found) = answer
                .metric_alarms
                .into_iter()
                .chain(answer.composite_alarms)
                .next()
            else {
                return Ok(None);
            };
            let state = match found.state_value {
                "OK" => AlarmState::Ok,
                "ALARM" => AlarmState::Alarm,
                "INSUFFICIENT_DATA" => AlarmState::InsufficientData,
                other => {
                    let words = format!("{other} is no state of an alarm");
                    return Err(PortError::new(PortErrorKind::Other, words));
                }
            };
            Ok(Some(AlarmView {
                state,
                reason: found.state_reason,
                since: Some(found.state_transitioned_timestamp.0),
            }))
        })
    }
}
