use super::*;
use crate::Aws;
use crate::testing::{FakeHttp, aws, json_error, own, response};
use aws_config::retry::RetryConfig;
use aws_sdk_ssm::Client;
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::result::ConnectorError;
use patchfleet_core::id::Location;
use patchfleet_core::port::Commands;

const COMMAND: &str = "5b6c7d8e-0000-4000-8000-123456789012";

/// The error of ListCommands where AWS answers this.
async fn error_in(location: Location, answer: fn() -> HttpResponse) -> PortError {
    let rule = mock!(Client::list_commands).then_http_response(answer);
    let client = mock_client!(aws_sdk_ssm, RuleMode::Sequential, [&rule], |config| config
        .retry_config(RetryConfig::disabled()));
    let aws = aws();
    aws.clients.ssm.get_or(&location.region, || client);
    list(&aws, &location).await
}

async fn list(aws: &Aws, location: &Location) -> PortError {
    aws.command(location, &COMMAND.parse().unwrap())
        .await
        .unwrap_err()
}

macro_rules! error_of {
    ($region:literal, $status:literal, $code:literal) => {
        error_in(own($region), || json_error($status, $code, "Some words")).await
    };
}

macro_rules! kinds {
    ($($code:literal => $kind:ident,)*) => {
        $({
            let error = error_of!("us-east-1", 400, $code);
            assert_eq!(error.kind(), PortErrorKind::$kind, "{}", $code);
            assert_eq!(error.sent(), Sent::No, "{}", $code);
        })*
    };
}

#[tokio::test]
async fn every_code_has_its_kind() {
    kinds! {
        "AccessDeniedException" => Denied,
        "AccessDenied" => Denied,
        "ForbiddenException" => Denied,
        "UnauthorizedException" => Denied,
        "ThrottlingException" => Throttled,
        "Throttling" => Throttled,
        "TooManyRequestsException" => Throttled,
        "RequestLimitExceeded" => Throttled,
        "NotFoundException" => NotFound,
        "AutomationExecutionNotFoundException" => NotFound,
        "AutomationDefinitionNotFoundException" => NotFound,
        "AutomationDefinitionVersionNotFoundException" => NotFound,
        "InvalidDocument" => NotFound,
        "InvalidCommandId" => NotFound,
        "ParentNotFoundException" => NotFound,
        "OrganizationalUnitNotFoundException" => NotFound,
        "AccountNotFoundException" => NotFound,
        "TargetNotFoundException" => NotFound,
        "AWSOrganizationsNotInUseException" => NotInOrganization,
        "RegionDisabledException" => RegionNotEnabled,
        "OptInRequired" => RegionNotEnabled,
        "ExpiredToken" => Credentials,
        "ExpiredTokenException" => Credentials,
        "InvalidSignatureException" => Credentials,
        "AutomationExecutionLimitExceededException" => LimitExceeded,
        "DocumentLimitExceeded" => LimitExceeded,
        "IdempotentParameterMismatch" => TokenMismatch,
        "ValidationException" => Invalid,
        "InvalidAutomationExecutionParametersException" => Invalid,
        "InvalidFilterValue" => Invalid,
        "InvalidTarget" => Invalid,
        "BadRequestException" => Invalid,
        "SomethingOfTomorrowException" => Other,
    }
}

#[tokio::test]
async fn an_unknown_key_is_a_wrong_one_in_the_central_region_and_elsewhere_the_region_is_not_enabled() {
    for (region, kind) in [
        ("us-east-1", PortErrorKind::Credentials),
        ("af-south-1", PortErrorKind::RegionNotEnabled),
    ] {
        let answer = || {
            json_error(
                400,
                "UnrecognizedClientException",
                "The security token is invalid",
            )
        };
        assert_eq!(error_in(own(region), answer).await.kind(), kind, "{region}");
        let answer = || json_error(403, "InvalidClientTokenId", "The security token is invalid");
        assert_eq!(error_in(own(region), answer).await.kind(), kind, "{region}");
    }
}

#[tokio::test]
async fn an_answer_without_a_code_is_known_by_its_status_and_never_taken_for_not_found() {
    macro_rules! bare {
        ($status:literal) => {
            error_in(own("us-east-1"), || response($status, "<html>proxy</html>"))
                .await
                .kind()
        };
    }
    assert_eq!(bare!(403), PortErrorKind::Denied);
    assert_eq!(bare!(429), PortErrorKind::Throttled);
    assert_eq!(bare!(500), PortErrorKind::Unavailable);
    assert_eq!(bare!(503), PortErrorKind::Unavailable);
    assert_ne!(bare!(404), PortErrorKind::NotFound);
}

#[tokio::test]
async fn only_a_refusal_says_that_nothing_was_done() {
    assert_eq!(
        error_of!("us-east-1", 400, "ValidationException").sent(),
        Sent::No
    );
    assert_eq!(error_of!("us-east-1", 403, "AccessDenied").sent(), Sent::No);
    assert_eq!(
        error_of!("us-east-1", 500, "InternalServerError").sent(),
        Sent::Maybe
    );
    assert_eq!(error_of!("us-east-1", 408, "RequestTimeout").sent(), Sent::Maybe);
    let unreadable = error_in(own("us-east-1"), || response(200, "not JSON")).await;
    assert_eq!(unreadable.sent(), Sent::Maybe);
    assert_eq!(unreadable.kind(), PortErrorKind::Unavailable);
}

#[tokio::test]
async fn a_connection_that_broke_may_have_delivered_and_one_that_was_refused_has_not() {
    let broken = FakeHttp::new(|_, _| Err(ConnectorError::io("connection reset".into())));
    let error = list(&broken.aws(), &own("us-east-1")).await;
    assert_eq!(
        (error.kind(), error.sent()),
        (PortErrorKind::Unavailable, Sent::Maybe)
    );

    let slow = FakeHttp::new(|_, _| Err(ConnectorError::timeout("no answer".into())));
    let error = list(&slow.aws(), &own("us-east-1")).await;
    assert_eq!(
        (error.kind(), error.sent()),
        (PortErrorKind::Unavailable, Sent::Maybe)
    );

    let refused = FakeHttp::new(|_, _| {
        Err(ConnectorError::io(
            std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into(),
        ))
    });
    let error = list(&refused.aws(), &own("us-east-1")).await;
    assert_eq!(
        (error.kind(), error.sent()),
        (PortErrorKind::Unavailable, Sent::No)
    );
}

#[tokio::test]
async fn the_message_names_the_call_and_the_chain_says_awss_words_once() {
    let error = error_in(own("eu-west-1"), || {
        json_error(
            400,
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/me is not authorized",
        )
    })
    .await;
    assert_eq!(error.to_string(), "ListCommands in 111122223333/eu-west-1 failed");
    assert_eq!(
        error.chain(),
        "ListCommands in 111122223333/eu-west-1 failed: AccessDeniedException: \
         User: arn:aws:iam::1:user/me is not authorized (status 400, request req-1)"
    );
}

#[tokio::test]
async fn without_credentials_nothing_is_sent() {
    use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

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

    let cases: [(fn() -> CredentialsError, PortErrorKind); 2] = [
        (
            || CredentialsError::provider_error("the profile's token has expired"),
            PortErrorKind::Credentials,
        ),
        (
            || CredentialsError::provider_timed_out(std::time::Duration::from_secs(5)),
            PortErrorKind::Unavailable,
        ),
    ];
    for (failure, kind) in cases {
        let http = FakeHttp::new(|_, _| Ok(response(200, "{}")));
        let config = http
            .config("us-east-1")
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(Failing(failure)))
            .build();
        let aws = Aws::builder(&config).build().unwrap();
        aws.clients.set_caller(crate::testing::CALLER);
        let error = list(&aws, &own("us-east-1")).await;
        assert_eq!((error.kind(), error.sent()), (kind, Sent::No));
        assert_eq!(http.calls(), []);
    }
}

#[test]
fn a_role_that_fails_inside_another_clients_call_keeps_its_kind() {
    use aws_sdk_ssm::operation::list_commands::ListCommandsError;

    let cause = PortError::new(PortErrorKind::Denied, "AssumeRole failed");
    let role = RoleError::new(PortErrorKind::RoleNotAssumable, cause);
    let provider = CredentialsError::provider_error(role);
    let error = SdkError::<ListCommandsError, HttpResponse>::dispatch_failure(ConnectorError::other(
        provider.into(),
        None,
    ));
    let error: PortError = failure("ListCommands failed", false, error).into();
    assert_eq!(
        (error.kind(), error.sent()),
        (PortErrorKind::RoleNotAssumable, Sent::No)
    );
    assert!(error.chain().ends_with("AssumeRole failed"), "{}", error.chain());
}
