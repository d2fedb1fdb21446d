use crate::testing::{FakeHttp, json_error, other, own, response, xml_error};
use crate::{Aws, AwsBuilder};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::id::Location;
use patchfleet_core::port::{Commands, Directory, PortErrorKind, Sent};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A session with the access key `ASIAn`, which holds for another hour.
fn session(n: usize) -> HttpResponse {
    let expiration = Timestamp::now() + SignedDuration::from_hours(1);
    response(
        200,
        format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
             <AccessKeyId>ASIA{n}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
             <Expiration>{expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

fn expired() -> HttpResponse {
    json_error(
        400,
        "ExpiredTokenException",
        "The security token included in the request is expired",
    )
}

/// An AWS that has ended the sessions of these keys, and knows no command.
fn that_ended(ended: &'static [&'static str]) -> FakeHttp {
    FakeHttp::new(move |call, before| {
        Ok(match call.operation.as_str() {
            "AssumeRole" => session(before),
            _ if ended.contains(&call.access_key.as_str()) => expired(),
            _ => response(200, r#"{"Commands":[]}"#),
        })
    })
}

async fn look(aws: &Aws, location: &Location) -> PortErrorKind {
    let id = "5b6c7d8e-0000-4000-8000-123456789012".parse().unwrap();
    aws.command(location, &id).await.unwrap_err().kind()
}

fn keys(http: &FakeHttp) -> Vec<String> {
    let calls = http.calls_of("ListCommands").into_iter();
    calls.map(|call| call.access_key).collect()
}

#[tokio::test]
async fn a_role_whose_session_aws_ended_is_assumed_again_and_the_call_made_again() {
    for (ended, used) in [
        (&["ASIA0"][..], &["ASIA0", "ASIA1"][..]),
        (&["ASIA0", "ASIA1"], &["ASIA0", "ASIA1", "ASIA2"]),
    ] {
        let http = that_ended(ended);
        let aws = http.aws();
        assert_eq!(look(&aws, &other("us-east-1")).await, PortErrorKind::NotFound);
        assert_eq!(keys(&http), used);
        // From here on the new session is everybody's.
        assert_eq!(look(&aws, &other("eu-west-1")).await, PortErrorKind::NotFound);
        assert_eq!(http.calls_of("AssumeRole").len(), used.len());
    }
}

#[tokio::test]
async fn a_session_that_many_calls_used_is_replaced_once() {
    let http = that_ended(&["ASIA0"]);
    let aws = http.aws();
    let (one, two, three) = (other("us-east-1"), other("eu-west-1"), other("eu-central-1"));
    let kinds = tokio::join!(look(&aws, &one), look(&aws, &two), look(&aws, &three));
    assert_eq!(
        kinds,
        (
            PortErrorKind::NotFound,
            PortErrorKind::NotFound,
            PortErrorKind::NotFound
        )
    );
    assert_eq!(http.calls_of("AssumeRole").len(), 2);
}

#[tokio::test]
async fn sessions_that_always_end_are_given_up_after_as_many_tries_as_the_sdk_makes() {
    let http = that_ended(&["ASIA0", "ASIA1", "ASIA2", "ASIA3"]);
    assert_eq!(
        look(&http.aws(), &other("us-east-1")).await,
        PortErrorKind::Credentials
    );
    assert_eq!(keys(&http), ["ASIA0", "ASIA1", "ASIA2"]);
}

/// A source of credentials that has others each time: `AKIA0`, `AKIA1` and so on.
#[derive(Debug, Default)]
struct Source(Arc<AtomicUsize>);

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        future::ProvideCredentials::ready(Ok(Credentials::new(format!("AKIA{n}"), "s", None, None, "test")))
    }
}

/// An adapter whose caller has its credentials from a [`Source`], and how often that was asked.
fn with_source(http: &FakeHttp) -> (AwsBuilder, Arc<AtomicUsize>) {
    let source = Source::default();
    let asked = source.0.clone();
    let config = http
        .config("us-east-1")
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(source))
        .build();
    (Aws::builder(&config).access(crate::testing::access()), asked)
}

#[tokio::test]
async fn the_callers_own_credentials_are_asked_for_again() {
    let http = that_ended(&["AKIA0"]);
    let (builder, asked) = with_source(&http);
    let aws = builder.build().unwrap();
    aws.clients.set_caller(crate::testing::CALLER);
    for region in ["us-east-1", "eu-west-1", "us-east-1"] {
        assert_eq!(look(&aws, &own(region)).await, PortErrorKind::NotFound);
    }
    assert_eq!(keys(&http), ["AKIA0", "AKIA1", "AKIA1", "AKIA1"]);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn the_callers_own_credentials_are_asked_for_again_to_assume_a_role() {
    let http = FakeHttp::new(|call, before| {
        Ok(match (call.operation.as_str(), call.access_key.as_str()) {
            ("AssumeRole", "AKIA0") => xml_error(403, "ExpiredToken", "expired"),
            ("AssumeRole", _) => session(before),
            _ => response(200, r#"{"Commands":[]}"#),
        })
    });
    let (builder, _) = with_source(&http);
    let aws = builder.build().unwrap();
    aws.clients.set_caller(crate::testing::CALLER);
    assert_eq!(look(&aws, &other("us-east-1")).await, PortErrorKind::NotFound);
    let callers: Vec<_> = http
        .calls_of("AssumeRole")
        .into_iter()
        .map(|call| call.access_key)
        .collect();
    assert_eq!(callers, ["AKIA0", "AKIA1"]);
}

#[tokio::test]
async fn a_caller_who_has_no_other_credentials_is_told_so() {
    let http = FakeHttp::new(|_, _| Ok(xml_error(403, "ExpiredToken", "The token has expired")));
    let aws = http.builder(&Arc::default()).build().unwrap();
    let error = aws.caller().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (PortErrorKind::Credentials, Sent::No)
    );
    assert!(
        error.chain().contains("ExpiredToken: The token has expired"),
        "{}",
        error.chain()
    );
    assert_eq!(http.calls().len(), 3);
}
