//! CloudWatch alarms as a world file has them.

use super::{After, schema};
use patchfleet_core::id::{AccountId, Region};
use schemars::JsonSchema;
use serde::Deserialize;

/// A CloudWatch alarm, in one account and several Regions. It is in the state OK until `states` say otherwise.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlarmSpec {
    /// Its name.
    pub name: String,
    /// Its account (default: the management account).
    #[serde(default)]
    #[schemars(with = "Option<schema::AccountId>")]
    pub account: Option<AccountId>,
    /// Its Regions (default: all that are enabled in its account).
    #[serde(default)]
    #[schemars(with = "Vec<schema::Region>")]
    pub regions: Vec<Region>,
    /// Whether it is a composite alarm, and not a metric alarm (default false).
    #[serde(default)]
    pub composite: bool,
    /// The states that it comes to, in the order of time.
    #[serde(default)]
    pub states: Vec<AlarmStateSpec>,
}

/// A state that an alarm comes to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlarmStateSpec {
    /// When, counted from the start of the world (default: at its start).
    #[serde(default)]
    pub at: Option<After>,
    /// The state.
    pub state: AlarmState,
    /// CloudWatch's words on why (default: none).
    #[serde(default)]
    pub reason: String,
}

/// CloudWatch's `StateValue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    /// It is well.
    Ok,
    /// It has gone off.
    Alarm,
    /// Nobody knows.
    InsufficientData,
}

impl AlarmState {
    /// CloudWatch's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}
