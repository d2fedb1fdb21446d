//! What the CloudWatch alarm of a request says.

use crate::id::AlarmName;
use crate::plan::{in_alarm_in_words, shown_reason};
use crate::port::{AlarmState, AlarmView, PortErrorKind, PortResult, TriggeredAlarm};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the CloudWatch alarm of a request says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "alarm", rename_all = "snake_case")]
pub enum AlarmSaid {
    /// It is in the state OK, or INSUFFICIENT_DATA. Systems Manager as well takes only ALARM for a reason to stop.
    Quiet,
    /// It is in the state ALARM.
    Alarm {
        /// Its name.
        name: AlarmName,
        /// CloudWatch's words on why, in one line; empty if it has none.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// Since when, if CloudWatch says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// Nobody knows: there is no such alarm, or it may not be read, or AWS does not answer.
    Unknown {
        /// Why.
        kind: PortErrorKind,
        /// AWS's words.
        detail: String,
    },
}

impl AlarmSaid {
    /// What an answer says of this alarm.
    pub(crate) fn of(name: &AlarmName, answer: PortResult<Option<AlarmView>>) -> Self {
        match answer {
            Ok(Some(AlarmView {
                state: AlarmState::Ok | AlarmState::InsufficientData,
                ..
            })) => Self::Quiet,
            Ok(Some(AlarmView {
                state: AlarmState::Alarm,
                reason,
                since,
            })) => Self::Alarm {
                name: name.clone(),
                reason: shown_reason(&reason),
                since,
            },
            Ok(None) => Self::Unknown {
                kind: PortErrorKind::NotFound,
                detail: format!("there is no alarm {name} in the central account and Region"),
            },
            Err(error) => Self::Unknown {
                kind: error.kind(),
                detail: error.reason(),
            },
        }
    }
}

impl fmt::Display for AlarmSaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quiet => f.write_str("the CloudWatch alarm is not in the state ALARM"),
            Self::Alarm { name, reason, since } => f.write_str(&in_alarm_in_words(name, reason, *since)),
            Self::Unknown { detail, .. } => write!(
                f,
                "it is not known whether the CloudWatch alarm is in the state ALARM, so nothing begins \
                 (cloudwatch:DescribeAlarms): {detail}"
            ),
        }
    }
}

/// Why AWS stopped an execution that was started with the CloudWatch alarm of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmStop {
    /// The alarm's name.
    pub name: AlarmName,
    /// What AWS says of it.
    pub triggered: TriggeredAlarm,
}

/// The end of a sentence that begins with what Systems Manager did.
impl fmt::Display for AlarmStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.triggered {
            TriggeredAlarm::Alarm => write!(f, "the CloudWatch alarm {name} was in the state ALARM"),
            TriggeredAlarm::Unknown => write!(
                f,
                "it could not read the CloudWatch alarm {name} (the role that Automation runs with needs cloudwatch:DescribeAlarms)"
            ),
        }
    }
}
