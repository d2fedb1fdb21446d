//! A Lambda function of one's own, which patches what its event names.
//!
//! The event is what EventBridge passes on: `{"event_id": "…", "group": "WebServers"}`. The same event delivered twice is
//! one campaign. What is refused, or cannot be known, is a function error, so that an alarm sees it.
//! `patchfleet-examples/lambda` is a whole function.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use patchfleet_aws::{Aws, load_config};
use patchfleet_core::campaign::FiredUnit;
use patchfleet_core::id::{EventId, EventSource};
use patchfleet_core::{Served, plan::Planning, request::PatchRequest, serve_event};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let config = load_config().await?;
    run(service_fn(|event: LambdaEvent<Value>| {
        handle(event.payload, &config)
    }))
    .await
}

async fn handle(event: Value, config: &aws_config::SdkConfig) -> Result<Value, Error> {
    let request = PatchRequest::from_value(json!({
        "name": "weekly",
        "patch": { "operation": "Install" },
        "targets": { "resource_group": event.get("group"), "regions": ["us-east-1", "eu-west-1"] },
        "policy": { "offline": "skip" },
    }))?;
    let id = event.get("event_id").and_then(Value::as_str).unwrap_or_default();
    let ports = Aws::builder(config).access(request.access.clone()).ports()?;
    let event = EventId::new(EventSource::Event, id)?;
    Ok(
        match serve_event(&ports, &event, &request, &Planning::default(), None).await? {
            Served::Started { executions, plan, .. } => {
                json!({ "started": ids(&executions), "skipped": plan.skipped })
            }
            Served::Before { before, .. } => json!({ "started_before": ids(&before.executions) }),
            Served::NothingToDo { plan, .. } => json!({ "nothing_in": plan.skipped }),
        },
    )
}

fn ids(executions: &[FiredUnit]) -> Vec<&str> {
    executions.iter().map(|one| one.execution.as_str()).collect()
}
