use super::*;
use patchfleet_core::port::PortErrorKind;

fn region() -> Region {
    "us-east-1".parse().unwrap()
}

#[test]
fn a_configuration_without_a_region_is_refused_and_says_what_to_set() {
    let config = simulated_config("http://localhost:1", &region())
        .into_builder()
        .region(None)
        .build();
    let error = Aws::builder(&config).build().unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Invalid);
    assert!(error.to_string().contains("AWS_REGION"), "{error}");
    assert!(error.to_string().contains("AWS_PROFILE"), "{error}");

    let config = config
        .into_builder()
        .region(aws_types::region::Region::new("moon-1"))
        .build();
    let error = Aws::builder(&config).build().unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Invalid);
    assert!(error.chain().contains("moon-1"), "{}", error.chain());
}

#[test]
fn a_configuration_without_credentials_is_refused_and_says_what_to_set() {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_types::region::Region::new("us-east-1"))
        .build();
    let error = Aws::builder(&config).build().unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Credentials);
    assert!(error.to_string().contains("AWS_PROFILE"), "{error}");
}

#[test]
fn a_call_never_waits_for_ever_and_a_timeout_of_ones_own_stays() {
    let attempt_timeout = |config: &SdkConfig| {
        let aws = Aws::builder(config).build().unwrap();
        aws.clients
            .config()
            .timeout_config()
            .and_then(TimeoutConfig::operation_attempt_timeout)
    };
    let config = simulated_config("http://localhost:1", &region());
    assert_eq!(attempt_timeout(&config), Some(ATTEMPT_TIMEOUT));
    let mine = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(3));
    let config = config.into_builder().timeout_config(mine.build()).build();
    assert_eq!(attempt_timeout(&config), Some(Duration::from_secs(3)));
}

#[test]
fn clients_share_one_http_client_even_if_the_configuration_has_none() {
    let config = simulated_config("http://localhost:1", &region())
        .into_builder()
        .http_client(shared_http_client())
        .build();
    assert!(
        Aws::builder(&config)
            .build()
            .unwrap()
            .clients
            .config()
            .http_client()
            .is_some()
    );
    let bare = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_types::region::Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "A", "B", None, None, "test",
        )))
        .build();
    assert!(bare.http_client().is_none());
    assert!(
        Aws::builder(&bare)
            .build()
            .unwrap()
            .clients
            .config()
            .http_client()
            .is_some()
    );
}

#[tokio::test]
async fn the_simulated_configuration_speaks_plain_http() {
    use patchfleet_core::port::Directory;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![];
        while !String::from_utf8_lossy(&request).contains("Action=GetCallerIdentity") {
            let mut part = [0; 4096];
            let read = stream.read(&mut part).await.unwrap();
            assert_ne!(read, 0);
            request.extend_from_slice(&part[..read]);
        }
        let body = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                    <Arn>arn:aws:iam::111122223333:root</Arn><UserId>U</UserId><Account>111122223333</Account>\
                    </GetCallerIdentityResult></GetCallerIdentityResponse>";
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let config = simulated_config(&endpoint, &region());
    let caller = Aws::builder(&config).build().unwrap().caller().await.unwrap();
    assert_eq!(caller.account.as_str(), "111122223333");
    server.await.unwrap();
}

#[tokio::test]
async fn credentials_that_cannot_be_had_are_noticed_when_loading() {
    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::future;

    #[derive(Debug)]
    struct Failing(fn() -> CredentialsError);
    impl ProvideCredentials for Failing {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(Err((self.0)()))
        }
    }

    let begin = |failure| async move {
        let config = simulated_config("http://localhost:1", &region())
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(Failing(failure)))
            .build();
        Aws::begin(config)
            .await
            .err()
            .map(|error| (error.kind(), error.chain()))
    };
    let (kind, words) = begin(|| CredentialsError::not_loaded("nothing is set"))
        .await
        .unwrap();
    assert_eq!(kind, PortErrorKind::Credentials);
    assert!(
        words.contains("AWS_PROFILE") && words.ends_with("nothing is set"),
        "{words}"
    );
    let (kind, _) = begin(|| CredentialsError::provider_timed_out(Duration::from_secs(5)))
        .await
        .unwrap();
    assert_eq!(kind, PortErrorKind::Unavailable);
    assert!(
        Aws::begin(simulated_config("http://localhost:1", &region()))
            .await
            .is_ok()
    );
}

#[test]
fn roles_are_asked_for_where_every_account_can_be_known() {
    for (central, sts) in [
        ("eu-west-1", "eu-west-1"),
        ("eu-south-1", "us-east-1"),
        ("mx-central-1", "us-east-1"),
        ("cn-north-1", "cn-north-1"),
        ("us-gov-west-1", "us-gov-west-1"),
    ] {
        assert_eq!(
            default_sts_region(&central.parse().unwrap()).as_str(),
            sts,
            "from {central}"
        );
    }
}
