//! SendAutomationSignal.

use super::{ApiError, Caller, Operation, Service, check::given, executions, input};
use crate::world::{Signal, SignalRefusal, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;

input! {
    /// SendAutomationSignal's input.
    SendAutomationSignal {
        automation_execution_id: String,
        signal_type: String,
        payload: BTreeMap<String, Vec<String>>,
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidAutomationSignalException", message)
}

impl SendAutomationSignal {
    fn signal(&self) -> Result<Signal, ApiError> {
        let kind = self.signal_type.as_deref().unwrap_or_default();
        let payload = |key: &str| {
            let values = self.payload.as_ref().and_then(|payload| payload.get(key));
            let value = values.and_then(|values| values.first().cloned());
            value.ok_or_else(|| invalid(format!("The payload of {kind} has no {key}.")))
        };
        match kind {
            "Approve" => Ok(Signal::Approve),
            "Reject" => Ok(Signal::Reject),
            "StartStep" => payload("StepName").map(Signal::StartStep),
            "Resume" => payload("StepName").map(Signal::Resume),
            "StopStep" => payload("StepExecutionId").map(Signal::StopStep),
            // Only an access request can be revoked, and there are none here.
            _ => Err(invalid(format!(
                "{kind} isn't valid for the current Automation execution."
            ))),
        }
    }
}

impl Operation for SendAutomationSignal {
    type Output = Value;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "SendAutomationSignal";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let signal = self.signal();
        let id = given(self.automation_execution_id);
        executions::kept(world, caller, &id)?;
        world
            .signal(&id, &signal?, &caller.arn())
            .map_err(|refusal| match refusal {
                SignalRefusal::NoStep => ApiError::client(
                    "AutomationStepNotFoundException",
                    "The specified step name and execution ID don't exist.",
                ),
                SignalRefusal::Invalid(message) => invalid(message),
            })?;
        Ok(json!({}))
    }
}
