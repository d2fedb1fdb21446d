//! StartAutomationExecution and StopAutomationExecution.

use super::{ApiError, Caller, Operation, Principal, Service, check::given, documents::is_reserved, input};
use crate::model::without_nulls;
use crate::world::Tag;
use crate::world::{
    AlarmConfiguration, RateControl, RateInput, StartOrder, StartRefusal, Target, TargetLocation, Token,
    World,
};
use patchfleet_core::id::Location;
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

input! {
    /// StartAutomationExecution's input.
    StartAutomationExecution {
        document_name: String,
        document_version: String,
        parameters: BTreeMap<String, Vec<String>>,
        client_token: String,
        mode: String,
        target_parameter_name: String,
        targets: Vec<Target>,
        target_maps: Vec<BTreeMap<String, Vec<String>>>,
        max_concurrency: String,
        max_errors: String,
        target_locations: Vec<TargetLocation>,
        #[serde(rename = "TargetLocationsURL")]
        target_locations_url: String,
        tags: Vec<Tag>,
        alarm_configuration: AlarmConfiguration,
    }
}

/// StartAutomationExecution's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Started {
    pub(crate) automation_execution_id: String,
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidAutomationExecutionParametersException", message)
}

impl StartAutomationExecution {
    /// What the simulator cannot do is refused, never ignored.
    fn check_modelled(&self) -> Result<(), ApiError> {
        if self.target_locations_url.is_some() {
            return Err(invalid("TargetLocationsURL is not simulated."));
        }
        let mut entries = self.target_locations.iter().flatten();
        if entries.any(|entry| entry.target_location_alarm_configuration.is_some()) {
            return Err(invalid("Alarms of target locations are not simulated."));
        }
        Ok(())
    }
}

impl Operation for StartAutomationExecution {
    type Output = Started;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "StartAutomationExecution";

    fn run(mut self, world: &mut World, caller: &Caller) -> Result<Started, ApiError> {
        self.check_modelled()?;
        let location = caller.location();
        let token = self.client_token.take().map(|token| token.to_ascii_lowercase());
        let content = without_nulls(json!(self)).to_string();
        let key = token.clone().map(|token| (location.clone(), token));
        if let Some(before) = key.as_ref().and_then(|key| world.remembered(key)) {
            if before.content != content {
                return Err(ApiError::client(
                    "IdempotentParameterMismatch",
                    "An idempotency token was used before with other parameters.",
                ));
            }
            return Ok(Started {
                automation_execution_id: before.execution.clone(),
            });
        }
        let order = self.order(world, caller, location, token)?;
        let name = order.document.clone();
        let id = world
            .start_execution(order)
            .map_err(|refusal| refused(refusal, &name))?;
        if let Some(key) = key {
            let token = Token {
                content,
                execution: id.clone(),
                used: world.now(),
            };
            world.remember(key, token);
        }
        Ok(Started {
            automation_execution_id: id,
        })
    }
}

impl StartAutomationExecution {
    fn order(
        self,
        world: &World,
        caller: &Caller,
        location: Location,
        token: Option<String>,
    ) -> Result<StartOrder, ApiError> {
        let name = given(self.document_name);
        let tags = given(self.tags);
        if tags.len() > 5 {
            return Err(invalid("An execution has at most 5 tags."));
        }
        let rate = RateInput {
            target_parameter_name: self.target_parameter_name,
            targets: self.targets,
            target_maps: self.target_maps,
            max_concurrency: self.max_concurrency,
            max_errors: self.max_errors,
        };
        let entries = given(self.target_locations);
        // A target location may add what the start itself leaves out.
        let own = if entries.is_empty() {
            RateControl::of(&rate).map_err(|refusal| refused(refusal, &name))?
        } else {
            None
        };
        let targets = world
            .expand(&caller.account, &entries, &rate)
            .map_err(|refusal| refused(refusal, &name))?;
        let mode = self.mode.unwrap_or_else(|| "Auto".to_owned());
        if mode == "Interactive" && (own.is_some() || !targets.is_empty()) {
            return Err(invalid(
                "An interactive execution has neither targets nor target locations.",
            ));
        }
        Ok(StartOrder {
            location,
            executed_by: caller.arn(),
            role: match &caller.principal {
                Principal::Administrator => None,
                Principal::Role { name, .. } => Some(name.clone()),
            },
            document: name,
            version: self.document_version,
            parameters: Arc::new(given(self.parameters)),
            targets: targets.into(),
            rate: own,
            said: rate,
            tags: tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            alarm: self.alarm_configuration,
            token,
            mode,
        })
    }
}

fn refused(refusal: StartRefusal, document: &str) -> ApiError {
    match refusal {
        StartRefusal::NoDocument => {
            let name = document.rsplit_once('/').map_or(document, |(_, name)| name);
            let told = if is_reserved(name) {
                " (the simulator has none of Amazon's runbooks, only what the world file names and what is created)"
            } else {
                ""
            };
            ApiError::client(
                "AutomationDefinitionNotFoundException",
                format!("Automation Definition {document} could not be found{told}."),
            )
        }
        StartRefusal::NoVersion => ApiError::client(
            "AutomationDefinitionVersionNotFoundException",
            format!("Automation Definition {document} has no such version."),
        ),
        StartRefusal::Parameters(message) => invalid(message),
        StartRefusal::Target(message) => ApiError::client("InvalidTarget", message),
        StartRefusal::Limit => ApiError::client(
            "AutomationExecutionLimitExceededException",
            "The number of simultaneously running Automation executions exceeded the allowable limit.",
        ),
    }
}

input! {
    /// StopAutomationExecution's input.
    StopAutomationExecution {
        automation_execution_id: String,
        r#type: String,
    }
}

impl Operation for StopAutomationExecution {
    type Output = Value;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "StopAutomationExecution";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let id = super::executions::kept(world, caller, &given(self.automation_execution_id))?
            .id
            .clone();
        let stopped = if self.r#type.as_deref() == Some("Complete") {
            world.complete_execution(&id)
        } else {
            world.cancel_execution(&id)
        };
        if stopped {
            return Ok(json!({}));
        }
        Err(ApiError::client(
            "InvalidAutomationStatusUpdateException",
            format!("Automation execution {id} is in a terminal status and cannot be stopped."),
        ))
    }
}
