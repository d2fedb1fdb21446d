//! A stand-in for the Lambda Runtime API: hands out events, takes the answers.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// What the function made of an event.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Response(Value),
    Error(Value),
}

/// A running function: the real binary, with this process as its Runtime API.
pub(crate) struct Function {
    events: mpsc::UnboundedSender<Invocation>,
    answers: mpsc::UnboundedReceiver<(String, Answer)>,
    // Killed when dropped.
    process: Child,
    log: JoinHandle<String>,
}

/// An event, and when the function's time for it is over.
struct Invocation {
    id: String,
    event: String,
    deadline_ms: u128,
}

/// A time that no test comes to: the year 2100.
const FAR: u128 = 4_102_444_800_000;

struct Api {
    events: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    answers: mpsc::UnboundedSender<(String, Answer)>,
}

impl Function {
    /// Starts `bootstrap` with AWS at `endpoint`.
    pub(crate) async fn start(endpoint: &str) -> Self {
        Self::start_with(endpoint, &[]).await
    }

    /// Starts it with more variables of the environment.
    pub(crate) async fn start_with(endpoint: &str, more: &[(&str, &str)]) -> Self {
        let (events, events_out) = mpsc::unbounded_channel();
        let (answers_in, answers) = mpsc::unbounded_channel();
        let api = Arc::new(Api {
            events: Mutex::new(events_out),
            answers: answers_in,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(api);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut process = Command::new(env!("CARGO_BIN_EXE_bootstrap"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "patchfleet")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIDFUNCTION")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("NO_PROXY", "127.0.0.1")
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stderr = process.stderr.take().unwrap();
        let log = tokio::spawn(async move {
            let mut log = String::new();
            stderr.read_to_string(&mut log).await.unwrap();
            log
        });
        Self {
            events,
            answers,
            process,
            log,
        }
    }

    /// Ends the function and gives what it has logged.
    pub(crate) async fn end(mut self) -> String {
        self.process.kill().await.unwrap();
        self.log.await.unwrap()
    }

    /// Delivers an event under an invocation id and waits for the answer.
    pub(crate) async fn invoke(&mut self, id: &str, event: Value) -> Answer {
        self.invoke_text(id, event.to_string()).await
    }

    /// Delivers an event with so many milliseconds to answer it.
    pub(crate) async fn invoke_within(&mut self, id: &str, event: Value, time_ms: u128) -> Answer {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        self.deliver(id, event.to_string(), now.unwrap().as_millis() + time_ms)
            .await
    }

    /// Delivers an event as this text.
    pub(crate) async fn invoke_text(&mut self, id: &str, event: String) -> Answer {
        self.deliver(id, event, FAR).await
    }

    async fn deliver(&mut self, id: &str, event: String, deadline_ms: u128) -> Answer {
        let invocation = Invocation {
            id: id.to_owned(),
            event,
            deadline_ms,
        };
        assert!(self.events.send(invocation).is_ok());
        let (answered, answer) = self.answers.recv().await.unwrap();
        assert_eq!(answered, id);
        answer
    }
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    match api.events.lock().await.recv().await {
        Some(Invocation {
            id,
            event,
            deadline_ms,
        }) => (
            [
                ("lambda-runtime-aws-request-id", id),
                ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
                (
                    "lambda-runtime-invoked-function-arn",
                    "arn:aws:lambda:us-east-1:111111111111:function:patchfleet".to_owned(),
                ),
            ],
            event,
        )
            .into_response(),
        // No further event: the function waits, as it would between two, until it is killed.
        None => std::future::pending().await,
    }
}

async fn response(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    take(&api, id, Answer::Response(serde_json::from_slice(&body).unwrap()))
}

async fn error(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    take(&api, id, Answer::Error(serde_json::from_slice(&body).unwrap()))
}

fn take(api: &Api, id: String, answer: Answer) -> StatusCode {
    api.answers.send((id, answer)).unwrap();
    StatusCode::ACCEPTED
}
