//! DescribeAlarms: what state the CloudWatch alarms of a location are in.

use super::{
    ApiError, Caller, Operation, Service, WireTime,
    check::{given, page_size},
    input,
    page::{Grows, listing_here, page},
};
use crate::world::{Alarm, World};
use serde::Serialize;
use serde_json::json;

input! {
    /// DescribeAlarms' input.
    DescribeAlarms {
        alarm_names: Vec<String>,
        alarm_name_prefix: String,
        alarm_types: Vec<String>,
        children_of_alarm_name: String,
        parents_of_alarm_name: String,
        state_value: String,
        action_prefix: String,
        max_records: i64,
        next_token: String,
    }
}

/// An alarm, as far as it is simulated.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AlarmShape {
    pub(crate) alarm_name: String,
    pub(crate) alarm_arn: String,
    pub(crate) state_value: &'static str,
    pub(crate) state_reason: String,
    pub(crate) state_updated_timestamp: WireTime,
    pub(crate) state_transitioned_timestamp: WireTime,
}

/// DescribeAlarms' output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribedAlarms {
    pub(crate) composite_alarms: Vec<AlarmShape>,
    pub(crate) metric_alarms: Vec<AlarmShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

impl Operation for DescribeAlarms {
    type Output = DescribedAlarms;
    const SERVICE: Service = Service::CloudWatch;
    const NAME: &'static str = "DescribeAlarms";

    fn run(self, world: &mut World, caller: &Caller) -> Result<DescribedAlarms, ApiError> {
        let invalid = |message: &str| ApiError::client("ValidationError", message);
        // These need actions and rules of alarms, which no world has.
        let unsupported = [
            &self.children_of_alarm_name,
            &self.parents_of_alarm_name,
            &self.action_prefix,
        ];
        if unsupported.into_iter().any(Option::is_some) {
            return Err(invalid(
                "ChildrenOfAlarmName, ParentsOfAlarmName and ActionPrefix are not simulated.",
            ));
        }
        let (names, types) = (given(self.alarm_names), given(self.alarm_types));
        if !names.is_empty() && self.alarm_name_prefix.is_some() {
            return Err(invalid("AlarmNames and AlarmNamePrefix exclude each other."));
        }
        let prefix = self.alarm_name_prefix.as_deref().unwrap_or_default();
        let (here, now) = (caller.location(), world.now());
        // Without types, composite alarms are left out.
        let is_wanted = |name: &String, alarm: &Alarm| {
            let kind = match alarm.is_composite {
                true => "CompositeAlarm",
                false => "MetricAlarm",
            };
            let of_type = match types.is_empty() {
                true => !alarm.is_composite,
                false => types.iter().any(|one| one == kind),
            };
            let state = alarm.state(now).state.as_str();
            of_type
                && (names.is_empty() || names.contains(name))
                && name.starts_with(prefix)
                && self.state_value.as_deref().is_none_or(|wanted| wanted == state)
        };
        let arn = |name: &str| {
            format!(
                "arn:{}:cloudwatch:{}:{}:alarm:{name}",
                here.region.partition(),
                here.region,
                here.account
            )
        };
        let found = world
            .alarms()
            .at(&here)
            .filter(|(name, alarm)| is_wanted(name, alarm));
        let found: Vec<(bool, AlarmShape)> = found
            .map(|(name, alarm)| {
                let state = alarm.state(now);
                let shape = AlarmShape {
                    alarm_name: name.clone(),
                    alarm_arn: arn(name),
                    state_value: state.state.as_str(),
                    state_reason: state.reason,
                    state_updated_timestamp: state.since.into(),
                    state_transitioned_timestamp: state.since.into(),
                };
                (alarm.is_composite, shape)
            })
            .collect();
        let listing = listing_here("alarms", caller, json!([names, types, prefix, self.state_value]));
        let (found, next_token) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            found,
            page_size(self.max_records, 100),
            self.next_token.as_deref(),
        )
        .ok_or_else(|| ApiError::client("InvalidNextToken", "The next token is not valid."))?;
        let (composite, metric): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(is_composite, _)| *is_composite);
        let shapes = |all: Vec<(bool, AlarmShape)>| all.into_iter().map(|(_, shape)| shape).collect();
        Ok(DescribedAlarms {
            composite_alarms: shapes(composite),
            metric_alarms: shapes(metric),
            next_token,
        })
    }
}
