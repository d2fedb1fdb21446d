//! What the tests share: a clock without waiting, and an AWS that answers what it is told to.

use crate::{Aws, AwsBuilder, Limits};
use aws_config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use jiff::Timestamp;
use patchfleet_core::id::Location;
use patchfleet_core::port::{BoxFuture, Clock};
use patchfleet_core::request::{Access, ExternalId, ExternalIdText};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const CALLER: &str = "111122223333";
pub(crate) const OTHER: &str = "444455556666";

/// A clock on which sleeping takes no real time.
#[derive(Debug, Default)]
pub(crate) struct TestClock(Mutex<Timestamp>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let mut now = self.0.lock().unwrap();
        *now = at.max(*now);
        Box::pin(async {})
    }
}

/// Limits under which a throttled call is not made again.
pub(crate) fn impatient() -> Limits {
    Limits::default().with_patience(jiff::SignedDuration::ZERO)
}

/// A location of the caller's own account.
pub(crate) fn own(region: &str) -> Location {
    Location::new(CALLER.parse().unwrap(), region.parse().unwrap())
}

/// A location of another account.
pub(crate) fn other(region: &str) -> Location {
    Location::new(OTHER.parse().unwrap(), region.parse().unwrap())
}

pub(crate) fn access() -> Access {
    Access {
        discovery_role: "Discovery".parse().unwrap(),
        send_role: None,
        external_id: ExternalIdText::new("secret-1").map(ExternalId::Text),
        session_name: "patchfleet".parse().unwrap(),
    }
}

/// An AWS in us-east-1 whose caller is known, and which makes every call once. Clients are put into
/// its caches by the test.
pub(crate) fn aws() -> Aws {
    let config = crate::simulated_config("http://localhost:1", &"us-east-1".parse().unwrap())
        .into_builder()
        .retry_config(RetryConfig::disabled())
        .build();
    let aws = Aws::builder(&config)
        .clock(Arc::new(TestClock::default()))
        .limits(impatient())
        .build()
        .unwrap();
    aws.clients.set_caller(CALLER);
    aws
}

/// A call as it went over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
    /// The operation, or the path of one that has one.
    pub(crate) operation: String,
    pub(crate) body: String,
    pub(crate) host: String,
}

impl Call {
    fn read(request: &HttpRequest) -> Self {
        let header = |name| request.headers().get(name).unwrap_or_default().to_owned();
        let signature = header("authorization");
        let scope = signature.split("Credential=").nth(1).unwrap_or_default();
        let mut scope = scope
            .split(',')
            .next()
            .unwrap_or_default()
            .split('/')
            .map(str::to_owned);
        let body = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap();
        let target = header("x-amz-target");
        let action = body
            .split('&')
            .find_map(|pair| pair.strip_prefix("Action="))
            .map(str::to_owned);
        let path = || request.uri().rsplit('/').next().unwrap_or_default().to_owned();
        Self {
            access_key: scope.next().unwrap_or_default(),
            region: scope.nth(1).unwrap_or_default(),
            service: scope.next().unwrap_or_default(),
            operation: action
                .or_else(|| target.rsplit_once('.').map(|(_, name)| name.to_owned()))
                .unwrap_or_else(path),
            body,
            host: request.uri().split('/').nth(2).unwrap_or_default().to_owned(),
        }
    }
}

type Answer = dyn Fn(&Call, usize) -> Result<HttpResponse, ConnectorError> + Send + Sync;

/// An HTTP client behind which there is no AWS but a function. It is told the call and how many
/// calls of that operation there were before.
#[derive(Clone)]
pub(crate) struct FakeHttp {
    answer: Arc<Answer>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl std::fmt::Debug for FakeHttp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeHttp")
    }
}

impl FakeHttp {
    pub(crate) fn new(
        answer: impl Fn(&Call, usize) -> Result<HttpResponse, ConnectorError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            answer: Arc::new(answer),
            calls: Arc::default(),
        }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn calls_of(&self, operation: &str) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.operation == operation);
        calls
    }

    /// A configuration whose calls all come here. Retries as the SDK does, without the waiting.
    pub(crate) fn config(&self, region: &str) -> SdkConfig {
        crate::simulated_config("http://localhost:1", &region.parse().unwrap())
            .into_builder()
            .http_client(self.clone())
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
            .build()
    }

    pub(crate) fn builder(&self, clock: &Arc<TestClock>) -> AwsBuilder {
        Aws::builder(&self.config("us-east-1"))
            .access(access())
            .clock(clock.clone())
    }

    pub(crate) fn aws(&self) -> Aws {
        let aws = self.builder(&Arc::default()).build().unwrap();
        aws.clients.set_caller(CALLER);
        aws
    }
}

impl HttpConnector for FakeHttp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = Call::read(&request);
        let before = self.calls_of(&call.operation).len();
        self.calls.lock().unwrap().push(call.clone());
        HttpConnectorFuture::ready((self.answer)(&call, before))
    }
}

impl HttpClient for FakeHttp {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

pub(crate) fn response(status: u16, body: impl Into<String>) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.into()))
}

/// A refusal as the JSON protocols write it.
pub(crate) fn json_error(status: u16, code: &str, message: &str) -> HttpResponse {
    let body = serde_json::json!({ "__type": format!("com.amazonaws#{code}"), "Message": message });
    let mut response = response(status, body.to_string());
    response.headers_mut().insert("x-amzn-requestid", "req-1");
    response
}

/// A refusal as STS writes it.
pub(crate) fn xml_error(status: u16, code: &str, message: &str) -> HttpResponse {
    let mut response = response(
        status,
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        ),
    );
    response.headers_mut().insert("x-amzn-requestid", "req-2");
    response
}
