//! The function's `bootstrap`: reads AWS's settings once, at cold start, and hands each event to
//! the handler.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use patchfleet_lambda::{Event, Failure, Summary, handle};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    // Lambda puts its own time beside each line.
    tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_writer(|| patchfleet_core::text::ShownLines::new(std::io::stderr()))
        .init();
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        tracing::error!(
            "this program runs in AWS Lambda only: AWS_LAMBDA_RUNTIME_API is not set. Run `patchfleet` here"
        );
        return Ok(ExitCode::FAILURE);
    }
    let config = patchfleet_aws::load_config().await?;
    run(service_fn(|event: LambdaEvent<Event>| handle_one(event, &config))).await?;
    Ok(ExitCode::SUCCESS)
}

async fn handle_one(event: LambdaEvent<Event>, config: &aws_config::SdkConfig) -> Result<Summary, Failure> {
    handle(event.payload, &event.context.request_id, config).await
}
