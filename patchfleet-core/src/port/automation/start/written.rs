//! A start as it is written: the API's own JSON of StartAutomationExecution, or `Location` beside `SendCommand`.

use super::{StartRequest, Tag, TargetLocation};
use crate::id::{AlarmName, DocumentName, Location};
use crate::port::{DocumentVersion, SendRequest};
use crate::presigned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;

/// A start of an automation.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Start<'a> {
    document_name: &'a DocumentName,
    #[serde(skip_serializing_if = "Option::is_none")]
    document_version: Option<&'a DocumentVersion>,
    #[serde(serialize_with = "presigned::serialize_parameters")]
    parameters: &'a BTreeMap<String, Vec<String>>,
    target_locations: &'a [TargetLocation; 1],
    tags: &'a [Tag],
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm_configuration: Option<AlarmConfiguration>,
}

/// The API's `AlarmConfiguration`, of which AWS takes exactly one alarm.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AlarmConfiguration {
    alarms: [Alarm; 1],
    ignore_poll_alarm_failure: bool,
}

/// The API's `Alarm`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Alarm {
    name: AlarmName,
}

impl AlarmConfiguration {
    fn of(name: &AlarmName) -> Self {
        Self {
            alarms: [Alarm { name: name.clone() }],
            ignore_poll_alarm_failure: false,
        }
    }

    /// The alarm, if AWS takes an alarm that it cannot read for a reason to stop.
    fn alarm(self) -> Result<AlarmName, &'static str> {
        let Self {
            alarms: [Alarm { name }],
            ignore_poll_alarm_failure,
        } = self;
        match ignore_poll_alarm_failure {
            false => Ok(name),
            true => Err("IgnorePollAlarmFailure has to be false"),
        }
    }
}

/// A command that patchfleet sends itself.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Command {
    location: Location,
    send_command: SendRequest,
}

/// Either, as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Read {
    location: Option<Location>,
    send_command: Option<SendRequest>,
    document_name: Option<DocumentName>,
    document_version: Option<DocumentVersion>,
    parameters: Option<BTreeMap<String, Vec<String>>>,
    target_locations: Option<[TargetLocation; 1]>,
    tags: Option<Vec<Tag>>,
    alarm_configuration: Option<AlarmConfiguration>,
}

impl Serialize for StartRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.to_send() {
            Some((location, send_command)) => Command {
                location,
                send_command,
            }
            .serialize(serializer),
            None => Start {
                document_name: &self.document_name,
                document_version: self.document_version.as_ref(),
                parameters: &self.parameters,
                target_locations: &self.target_locations,
                tags: &self.tags,
                alarm_configuration: self.alarm.as_ref().map(AlarmConfiguration::of),
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for StartRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
        if let Some(command) = read.send_command {
            let location = read
                .location
                .ok_or_else(|| de::Error::missing_field("Location"))?;
            return Ok(Self::of_command(location, command));
        }
        let missing = |name| move || de::Error::missing_field(name);
        let alarm = read.alarm_configuration.map(AlarmConfiguration::alarm);
        Ok(Self {
            document_name: read.document_name.ok_or_else(missing("DocumentName"))?,
            document_version: read.document_version,
            parameters: read.parameters.ok_or_else(missing("Parameters"))?,
            target_locations: read.target_locations.ok_or_else(missing("TargetLocations"))?,
            tags: read.tags.ok_or_else(missing("Tags"))?,
            alarm: alarm.transpose().map_err(de::Error::custom)?,
            command: None,
        })
    }
}
