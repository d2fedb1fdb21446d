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
        .http_client(tls::http_client(None))
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

#[test]
fn roles_are_assumed_through_an_sts_that_knows_every_account() {
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

/// The hosts that each client speaks to, with these settings.
async fn hosts(fips: bool, dual_stack: bool) -> Vec<String> {
    use crate::testing::{FakeHttp, other, own, response};
    use patchfleet_core::id::OrgParent;
    use patchfleet_core::port::{Commands, Directory, Inventory, Selection};

    let http = FakeHttp::new(|_, _| Ok(response(400, "{}")));
    let base = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_types::region::Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "A", "B", None, None, "test",
        )))
        .http_client(http.clone())
        .use_fips(fips)
        .use_dual_stack(dual_stack)
        .build();
    let aws = Aws::builder(&base)
        .access(crate::testing::access())
        .build()
        .unwrap();
    assert!(aws.caller().await.is_err());
    aws.clients.set_caller(crate::testing::CALLER);
    let here = own("us-west-2");
    let root = OrgParent::Root("r-ab12".parse().unwrap());
    assert!(aws.accounts(&root, None).await.is_err());
    assert!(aws.regions(&here.account, None).await.is_err());
    let group = Selection::Group("G".parse().unwrap());
    assert!(aws.members(&here, &group, None).await.is_err());
    let command = "5b6c7d8e-0000-4000-8000-123456789012".parse().unwrap();
    assert!(aws.command(&here, &command).await.is_err());
    assert!(aws.command(&other("us-west-2"), &command).await.is_err());
    http.calls().into_iter().map(|call| call.host).collect()
}

#[tokio::test]
async fn fips_and_dual_stack_hold_for_every_client() {
    let all = [
        hosts(false, false).await,
        hosts(true, false).await,
        hosts(false, true).await,
    ];
    let (plain, fips, dual) = (
        [
            "sts.us-east-1.amazonaws.com",
            "organizations.us-east-1.amazonaws.com",
            "account.us-east-1.amazonaws.com",
            "resource-groups.us-west-2.amazonaws.com",
            "ssm.us-west-2.amazonaws.com",
            "sts.us-east-1.amazonaws.com",
        ],
        [
            "sts-fips.us-east-1.amazonaws.com",
            "organizations-fips.us-east-1.amazonaws.com",
            "account-fips.us-east-1.amazonaws.com",
            "resource-groups-fips.us-west-2.amazonaws.com",
            "ssm-fips.us-west-2.amazonaws.com",
            "sts-fips.us-east-1.amazonaws.com",
        ],
        [
            "sts.us-east-1.api.aws",
            "organizations.us-east-1.api.aws",
            "account.us-east-1.api.aws",
            "resource-groups.us-west-2.api.aws",
            "ssm.us-west-2.api.aws",
            "sts.us-east-1.api.aws",
        ],
    );
    assert_eq!(all, [plain, fips, dual]);
}
