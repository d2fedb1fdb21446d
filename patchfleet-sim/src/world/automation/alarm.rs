//! The CloudWatch alarm that an execution is started with. It is read as long as the execution runs, by the role that the
//! execution runs with, and has it stopped (Systems Manager User Guide, "Configuring Automations to monitor CloudWatch Alarms").
//!
//! How often AWS reads it is not documented. A command whose alarm was deleted ended 57 seconds later (recorded), so it is read
//! once a minute here. Nor is it documented whether the executions below have it as well: here they have none.

use crate::spec::AlarmState;
use crate::world::{Execution, Status, World, time::Event};
use serde::{Deserialize, Serialize};

/// After how long it is read for the first time.
const FIRST_SECONDS: i64 = 5;
/// After how long it is read again.
const AGAIN_SECONDS: i64 = 60;

/// The API's `AlarmConfiguration`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AlarmConfiguration {
    #[serde(default)]
    pub(crate) ignore_poll_alarm_failure: Option<bool>,
    /// Exactly one, which the model sees to.
    pub(crate) alarms: Vec<NamedAlarm>,
}

/// The API's `Alarm`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NamedAlarm {
    pub(crate) name: String,
}

/// The API's `AlarmStateInformation`: an alarm for which an execution was stopped.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TriggeredAlarm {
    pub(crate) name: String,
    pub(crate) state: &'static str,
}

impl World {
    /// Has the alarm of an execution read for as long as it runs, if it has one.
    pub(in crate::world) fn watch_alarm(&mut self, id: &str) {
        if self
            .executions
            .get(id)
            .is_some_and(|one| one.order.alarm.is_some())
        {
            self.alarm_is_read(id, FIRST_SECONDS);
        }
    }

    fn alarm_is_read(&mut self, id: &str, seconds: i64) {
        let execution = id.to_owned();
        self.after_seconds(seconds, Event::AlarmRead { execution });
    }

    /// Reads the alarm of an execution, and stops the execution if there is a reason to and its role may do so.
    pub(in crate::world) fn read_alarm(&mut self, id: &str) {
        let Some(execution) = self.executions.get(id).filter(|one| one.has_alarm_read()) else {
            return;
        };
        let triggered = self.triggered(execution);
        let may_stop = !self.is_denied(execution, "ssm:StopAutomationExecution");
        match triggered.filter(|_| may_stop) {
            Some(triggered) => {
                if let Some(execution) = self.executions.get_mut(id) {
                    execution.triggered = Some(triggered);
                }
                self.cancel_execution(id);
            }
            None => self.alarm_is_read(id, AGAIN_SECONDS),
        }
    }

    /// For what an execution is to be stopped by its alarm now.
    fn triggered(&self, execution: &Execution) -> Option<TriggeredAlarm> {
        let alarm = execution.order.alarm.as_ref()?;
        let name = &alarm.alarms.first()?.name;
        let mut here = self.alarms.at(&execution.order.location);
        let found = here.find(|(other, _)| *other == name);
        let found = found.filter(|_| !self.is_denied(execution, "cloudwatch:DescribeAlarms"));
        let state = match found.map(|(_, alarm)| alarm.state(self.now()).state) {
            Some(AlarmState::Alarm) => "ALARM",
            None if alarm.ignore_poll_alarm_failure != Some(true) => "UNKNOWN",
            None | Some(AlarmState::Ok | AlarmState::InsufficientData) => return None,
        };
        let name = name.clone();
        Some(TriggeredAlarm { name, state })
    }

    /// Whether the role that an execution runs with may not do this.
    fn is_denied(&self, execution: &Execution, action: &str) -> bool {
        let order = &execution.order;
        let role = order.role.as_ref();
        role.is_some_and(|role| self.org.denies(&order.location.account, role, action))
    }
}

impl Execution {
    /// Whether its alarm is still read.
    pub(in crate::world) fn has_alarm_read(&self) -> bool {
        !self.status.is_terminal() && self.status != Status::Cancelling
    }
}
