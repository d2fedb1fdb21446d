//! Buckets in which no log can be kept. Each is told before anything is planned.

use crate::{BUCKET, config, store};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::retry::RetryConfig;
use patchfleet_aws::{Aws, S3Uri};
use patchfleet_core::port::{PortError, PortErrorKind};
use patchfleet_sim::{Sim, SimOptions, world::World};
use std::sync::{Arc, Mutex};

const WORLD: &str = r#"
    management_account = "111111111111"
    accounts = [{ id = "111111111111", name = "Main" }]
    buckets = ["campaign-logs", "far-logs"]
    bucket_regions = { far-logs = "eu-west-1" }
    [[roles]]
    name = "NoWriter"
    denied_actions = ["s3:PutObject"]
    [[roles]]
    name = "NoReader"
    denied_actions = ["s3:GetObject"]
    [[roles]]
    name = "NoLister"
    denied_actions = ["s3:ListBucket"]
    [[roles]]
    name = "Nobody"
    denied_actions = ["s3:*"]
"#;

async fn sim() -> Sim {
    Sim::start(World::parse(WORLD).unwrap(), SimOptions::default())
        .await
        .unwrap()
}

/// What a role is told of the campaigns' bucket.
async fn told(sim: &Sim, role: &str) -> PortError {
    let role = sim
        .role_credentials(&format!("arn:aws:iam::111111111111:role/{role}"))
        .unwrap();
    let credentials = aws_credential_types::Credentials::new(
        role.access_key_id,
        role.secret_access_key,
        role.session_token,
        None,
        "test",
    );
    let config = config(&sim.endpoint())
        .to_builder()
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
            credentials,
        ))
        .build();
    let uri: S3Uri = format!("s3://{BUCKET}/ops").parse().unwrap();
    let store = Aws::builder(&config).store(&uri).unwrap();
    store.log.make().await.unwrap_err()
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named() {
    let sim = sim().await;
    let store = store(&sim.endpoint(), "s3://campaign-log/prefix");
    let error = store.log.make().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Invalid);
    assert_eq!(error.to_string(), "there is no bucket campaign-log");
    assert!(error.chain().contains("NoSuchBucket"), "{}", error.chain());
}

#[tokio::test]
async fn a_bucket_in_another_region_is_named_with_both_regions() {
    let sim = sim().await;
    let store = store(&sim.endpoint(), "s3://far-logs/prefix");
    let error = store.log.make().await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "the bucket far-logs is in eu-west-1, and the caller's Region is us-east-1: a log has to be in the caller's Region"
    );
    assert!(error.chain().contains("PermanentRedirect"), "{}", error.chain());
}

#[tokio::test]
async fn whatever_a_caller_may_not_do_in_the_bucket_is_told_at_once() {
    let sim = sim().await;
    let needs = "the caller needs s3:GetObject and s3:PutObject on campaign-logs/ops/*, and s3:ListBucket on campaign-logs";
    for (role, denied) in [
        ("NoWriter", &["PutObject"][..]),
        ("NoReader", &["GetObject"]),
        ("NoLister", &["ListObjectsV2"]),
        ("Nobody", &["PutObject", "GetObject", "ListObjectsV2"]),
    ] {
        let error = told(&sim, role).await;
        assert_eq!(error.kind(), PortErrorKind::Denied, "{role}");
        assert_eq!(error.to_string(), needs, "{role}");
        let chain = error.chain();
        for operation in ["PutObject", "GetObject", "ListObjectsV2"] {
            assert_eq!(
                chain.contains(&format!(
                    "{operation} of s3://campaign-logs/ops/patchfleet.txt failed"
                )),
                denied.contains(&operation),
                "{role}: {chain}"
            );
        }
        assert!(chain.contains("AccessDenied"), "{role}: {chain}");
    }
}

/// Says where a request goes, and sends none.
#[derive(Debug, Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl HttpClient for Asked {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Asked {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.0.lock().unwrap().push(request.uri().to_owned());
        HttpConnectorFuture::ready(Err(ConnectorError::io("no network".into())))
    }
}

#[tokio::test]
async fn a_bucket_whose_name_has_dots_is_in_the_path_where_one_certificate_is_good_for_all() {
    for (bucket, url) in [
        (
            "ops-logs",
            "https://ops-logs.s3.us-east-1.amazonaws.com/a/patchfleet.txt",
        ),
        (
            "ops.logs",
            "https://s3.us-east-1.amazonaws.com/ops.logs/a/patchfleet.txt",
        ),
    ] {
        let asked = Asked::default();
        let mut aws = config("http://127.0.0.1:1").to_builder();
        aws.set_endpoint_url(None);
        let aws = aws
            .http_client(asked.clone())
            .retry_config(RetryConfig::disabled())
            .build();
        let uri: S3Uri = format!("s3://{bucket}/a").parse().unwrap();
        let error = Aws::builder(&aws)
            .store(&uri)
            .unwrap()
            .log
            .make()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Unavailable);
        let asked = asked.0.lock().unwrap();
        assert!(asked[0].starts_with(url), "{asked:?}");
    }
}
