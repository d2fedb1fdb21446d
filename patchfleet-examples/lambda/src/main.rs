//! The function's `bootstrap`: reads AWS's settings once, at cold start, and hands each event to
//! the handler.

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use patchfleet_lambda::{Answer, Event, Failure, Function, Settings};
use std::process::ExitCode;
use tracing::Metadata;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What is left of the function's time when it stops its work to answer.
const TO_ANSWER: SignedDuration = SignedDuration::from_secs(1);

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    // Lambda puts its own time beside each line.
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .without_time()
        .with_writer(|| patchfleet_core::text::ShownLines::new(std::io::stderr()))
        .finish()
        .with(filter_fn(is_shown))
        .init();
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        tracing::error!(
            "this program runs in AWS Lambda only: AWS_LAMBDA_RUNTIME_API is not set. Run `patchfleet` here"
        );
        return Ok(ExitCode::FAILURE);
    }
    let config = patchfleet_aws::load_config().await?;
    let function = Function::new(config, Settings::from_env());
    run(service_fn(|event: LambdaEvent<Event>| {
        handle_one(event, &function)
    }))
    .await?;
    Ok(ExitCode::SUCCESS)
}

async fn handle_one(event: LambdaEvent<Event>, function: &Function) -> Result<Answer, Failure> {
    let deadline = ends_at(event.context.deadline, Timestamp::now());
    // Lambda ends the process at its deadline, and its answer would be lost.
    let deadline = deadline.and_then(|at| at.checked_sub(TO_ANSWER).ok());
    let context = event.context;
    let answer = function
        .handle(event.payload, &context.request_id, deadline)
        .await;
    answer.inspect_err(|failure| {
        // As it is displayed, with the campaign: it is outside of the span that has that.
        tracing::error!(target: "patchfleet_lambda", error_type = failure.kind().as_str(), "{failure:?}");
    })
}

/// Whether a line is shown. The runtime logs each error of the function once more, as if it were of its module for panics
/// (lambda_runtime 1.5.0). A panic itself has a field, and is shown.
fn is_shown(line: &Metadata<'_>) -> bool {
    let is_of_panics = line.target() == "lambda_runtime::layers::panic";
    !is_of_panics || line.fields().field("error").is_some()
}

/// When the function's time is over, by Lambda's header. Where Lambda has a time of day, cargo-lambda's emulator has a length:
/// ten minutes (`600000`, read of 1.9.2).
fn ends_at(header_ms: u64, now: Timestamp) -> Option<Timestamp> {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    match i64::try_from(header_ms).ok()? {
        length @ ..DAY_MS => now.checked_add(SignedDuration::from_millis(length)).ok(),
        at => Timestamp::from_millisecond(at).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulators_ten_minutes_are_counted_from_now_and_lambdas_time_is_taken_as_it_is() {
        let now = Timestamp::from_second(1_795_834_179).unwrap();
        let in_ten_minutes = now + SignedDuration::from_mins(10);
        assert_eq!(ends_at(600_000, now), Some(in_ten_minutes));
        assert_eq!(ends_at(1_795_834_779_000, now), Some(in_ten_minutes));
        assert_eq!(ends_at(u64::MAX, now), None);
    }
}
