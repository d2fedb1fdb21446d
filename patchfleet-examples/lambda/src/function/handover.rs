//! Handing a campaign over to the state machine that drives it.

use aws_config::{Region, SdkConfig};
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::timeout::TimeoutConfig;
use aws_sdk_sfn::error::ProvideErrorMetadata as _;
use aws_sdk_sfn::operation::start_execution::StartExecutionError;
use patchfleet_core::id::CampaignId;
use patchfleet_core::problem::chain;
use patchfleet_core::text::one_line;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How long one attempt of the call may take. The SDK itself would wait for ever.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// A state machine, by its ARN. It may name a version or an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateMachine {
    arn: String,
    region: String,
}

/// A text that is no state machine's ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoStateMachine;

impl fmt::Display for StateMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

impl FromStr for StateMachine {
    type Err = NoStateMachine;

    fn from_str(text: &str) -> Result<Self, NoStateMachine> {
        let parts: Vec<&str> = text.split(':').collect();
        let [
            "arn",
            partition,
            "states",
            region,
            account,
            "stateMachine",
            name,
            version @ ..,
        ] = parts.as_slice()
        else {
            return Err(NoStateMachine);
        };
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let is_text =
            |text: &str| !text.is_empty() && text.len() <= 80 && text.bytes().all(|b| b.is_ascii_graphic());
        let is_region = region.parse::<patchfleet_core::id::Region>().is_ok();
        let has_parts =
            version.len() <= 1 && version.iter().chain([partition, name]).all(|part| is_text(part));
        if !(is_account && is_region && has_parts) {
            return Err(NoStateMachine);
        }
        Ok(Self {
            arn: text.to_owned(),
            region: (*region).to_owned(),
        })
    }
}

impl StateMachine {
    /// A client for it, in its Region.
    pub(super) fn client(&self, config: &SdkConfig) -> Client {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT);
        let config = aws_sdk_sfn::config::Builder::from(config)
            .region(Region::new(self.region.clone()))
            .timeout_config(timeouts.build());
        Client::from_conf(config.build())
    }

    /// Has it drive a campaign. The campaign's id is the name of the execution, so it drives a campaign once, however
    /// often this is called: while an execution of this name and input runs, AWS answers with that one. Once it has ended,
    /// the name is taken for 90 days, and the answer is ExecutionAlreadyExists (Step Functions API reference,
    /// StartExecution).
    ///
    /// # Errors
    ///
    /// Why not.
    pub(super) async fn drive(&self, client: &Client, campaign: CampaignId) -> Result<(), NotHandedOver> {
        let input = serde_json::json!({ "campaign_id": campaign });
        let started = client
            .start_execution()
            .state_machine_arn(&self.arn)
            .name(campaign.to_string())
            .input(input.to_string())
            .send()
            .await;
        let Err(error) = started else {
            return Ok(());
        };
        let Some(service) = error.as_service_error() else {
            return Err(NotHandedOver::Failed(one_line(&chain(&error))));
        };
        let advice = match service {
            StartExecutionError::ExecutionAlreadyExists(_) => return Err(NotHandedOver::Ended),
            StartExecutionError::StateMachineDoesNotExist(_) => "there is no such state machine".to_owned(),
            StartExecutionError::StateMachineDeleting(_) => "the state machine is being deleted".to_owned(),
            other if other.code().is_some_and(|code| code.starts_with("AccessDenied")) => {
                format!("the function's role needs states:StartExecution on {self}")
            }
            _ => "StartExecution failed".to_owned(),
        };
        let (code, message) = (
            service.code().unwrap_or("no code"),
            service.message().unwrap_or_default(),
        );
        Err(NotHandedOver::Failed(one_line(&format!(
            "{advice}: {code}: {message}"
        ))))
    }
}

/// Why a campaign was not handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotHandedOver {
    /// An execution that had it has ended, and the campaign is open.
    Ended,
    /// It could not be handed over, for this reason.
    Failed(String),
}

#[cfg(test)]
mod tests;
