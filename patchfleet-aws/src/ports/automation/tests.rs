//! The Automation port, beside what Systems Manager answers.

use crate::Aws;
use crate::testing::{FakeHttp, aws, json_error, own, response};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::operation::describe_automation_step_executions::DescribeAutomationStepExecutionsOutput;
use aws_sdk_ssm::operation::get_automation_execution::GetAutomationExecutionOutput;
use aws_sdk_ssm::types::{AutomationExecution, AutomationExecutionStatus, StepExecution, TargetLocation};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use patchfleet_core::id::{ClientToken, ExecutionId};
use patchfleet_core::port::{
    Automation, ExecutionStatus, PageToken, PortErrorKind, Sent, StartRequest, Tag, TriggeredAlarm,
};
use serde_json::json;

mod find;
mod start;
mod steps;
mod stop;

const EXECUTION: &str = "0a1b2c3d-1111-4222-8333-123456789abc";
const CHILD: &str = "5b6c7d8e-1111-4222-8333-123456789abc";
pub(crate) const COMMAND: &str = "77777777-1111-4222-8333-123456789abc";
pub(crate) const NODE: &str = "i-0123456789abcdef0";

fn id(text: &str) -> ExecutionId {
    text.parse().unwrap()
}

pub(crate) fn with_ssm(rules: &[&Rule]) -> Aws {
    let client = mock_client!(aws_sdk_ssm, RuleMode::Sequential, rules);
    let aws = aws();
    aws.clients.ssm.get_or(&own("us-east-1").region, || client);
    aws
}

pub(crate) fn request() -> StartRequest {
    StartRequest {
        document_name: "Patchfleet-RunPatchBaseline".parse().unwrap(),
        document_version: None,
        parameters: [
            ("Operation".to_owned(), vec!["Scan".to_owned()]),
            ("Nodes".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
        ]
        .into(),
        target_locations: [patchfleet_core::port::TargetLocation {
            accounts: vec!["444455556666".parse().unwrap(), "012345678901".parse().unwrap()],
            regions: vec!["us-east-1".parse().unwrap(), "eu-west-1".parse().unwrap()],
            target_location_max_concurrency: 4,
            target_location_max_errors: 1,
            execution_role_name: "Execution".parse().unwrap(),
        }],
        tags: vec![Tag {
            key: "patchfleet:campaign".to_owned(),
            value: "c".to_owned(),
        }],
        alarm: None,
        command: None,
    }
}

pub(crate) fn client_token() -> ClientToken {
    "deadbeef-0000-5000-8000-123456789012".parse().unwrap()
}
