use super::*;
use crate::Aws;
use crate::testing::{CALLER, FakeHttp, OTHER, TestClock, json_error, other, own, response, xml_error};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use patchfleet_core::port::{Clock, Commands, Directory, PortErrorKind, PortResult};
use std::sync::Arc;

const ASSUMED: &str = "ASIAOTHER";

fn assumed(minutes: i64) -> HttpResponse {
    let expiration = Timestamp::now() + SignedDuration::from_mins(minutes);
    response(
        200,
        format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
             <AccessKeyId>{ASSUMED}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
             <Expiration>{expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

/// An AWS whose STS answers this, and whose Systems Manager has no command.
fn with_sts(sts: impl Fn(usize) -> HttpResponse + Send + Sync + 'static) -> FakeHttp {
    FakeHttp::new(move |call, before| {
        Ok(match call.operation.as_str() {
            "AssumeRole" => sts(before),
            _ => response(200, r#"{"Commands":[]}"#),
        })
    })
}

async fn look(aws: &Aws, location: &patchfleet_core::id::Location) -> PortErrorKind {
    let id = "5b6c7d8e-0000-4000-8000-123456789012".parse().unwrap();
    aws.command(location, &id).await.unwrap_err().kind()
}

#[tokio::test]
async fn accounts_that_share_a_regions_client_are_each_signed_by_their_own_role() {
    // STS gives each role an access key that names its account.
    let http = FakeHttp::new(move |call, _| {
        let account = |body: &str| {
            let role = body.split("iam%3A%3A").nth(1).unwrap_or_default();
            role.chars().take(12).collect::<String>()
        };
        Ok(match call.operation.as_str() {
            "AssumeRole" => {
                let expiration = Timestamp::now() + SignedDuration::from_mins(60);
                response(
                    200,
                    format!(
                        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
                         <Credentials><AccessKeyId>ASIA{}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                         <SessionToken>t</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
                         </AssumeRoleResult></AssumeRoleResponse>",
                        account(&call.body)
                    ),
                )
            }
            _ => response(200, r#"{"Commands":[]}"#),
        })
    });
    let aws = http.aws();
    // The command's id tells whose call it is.
    let accounts = ["444455556666", "777788889999", CALLER];
    let asked = accounts.iter().cycle().take(30).map(|account| {
        let location =
            patchfleet_core::id::Location::new(account.parse().unwrap(), "eu-west-1".parse().unwrap());
        let id = format!("5b6c7d8e-0000-4000-8000-{account}").parse().unwrap();
        let aws = &aws;
        async move { aws.command(&location, &id).await.unwrap_err() }
    });
    for one in asked {
        one.await;
    }
    let calls = http.calls_of("ListCommands");
    assert_eq!(calls.len(), 30);
    for call in calls {
        let account = accounts
            .iter()
            .find(|account| call.body.contains(**account))
            .unwrap();
        let signer = if *account == CALLER {
            "AKIAPATCHFLEETSIM000".to_owned()
        } else {
            format!("ASIA{account}")
        };
        assert_eq!(call.access_key, signer);
    }
    assert_eq!(aws.clients.ssm.len(), 1, "one client for all of them");
}

#[tokio::test]
async fn a_role_is_assumed_once_for_all_regions_of_an_account_and_signs_there() {
    let http = with_sts(|_| assumed(60));
    let aws = http.aws();
    let (one, two, three) = (other("us-east-1"), other("eu-west-1"), other("eu-central-1"));
    let _ = tokio::join!(look(&aws, &one), look(&aws, &two), look(&aws, &three));
    look(&aws, &one).await;

    let sts = http.calls_of("AssumeRole");
    assert_eq!(sts.len(), 1);
    assert_eq!(
        (sts[0].service.as_str(), sts[0].region.as_str()),
        ("sts", "us-east-1")
    );
    for part in [
        "RoleArn=arn%3Aaws%3Aiam%3A%3A444455556666%3Arole%2FDiscovery",
        "RoleSessionName=patchfleet",
        "ExternalId=secret-1",
        "DurationSeconds=3600",
    ] {
        assert!(sts[0].body.contains(part), "{part} in {}", sts[0].body);
    }
    let mut regions: Vec<_> = http
        .calls_of("ListCommands")
        .into_iter()
        .map(|call| (call.access_key, call.region))
        .collect();
    regions.sort();
    regions.dedup();
    assert_eq!(
        regions,
        ["eu-central-1", "eu-west-1", "us-east-1"].map(|region| (ASSUMED.to_owned(), region.to_owned()))
    );
}

#[tokio::test]
async fn the_callers_own_account_needs_no_role() {
    let http = with_sts(|_| xml_error(403, "AccessDenied", "no"));
    assert_eq!(
        look(&http.aws(), &own("eu-west-1")).await,
        PortErrorKind::NotFound
    );
    assert_eq!(http.calls_of("AssumeRole"), []);
    assert_eq!(http.calls()[0].access_key, "AKIAPATCHFLEETSIM000");
}

#[tokio::test]
async fn the_roles_arn_has_the_partition_of_the_central_region_and_sts_may_be_asked_elsewhere() {
    let http = with_sts(|_| assumed(60));
    let aws = Aws::builder(&http.config("cn-north-1"))
        .access(crate::testing::access())
        .sts_region("cn-northwest-1".parse().unwrap())
        .build()
        .unwrap();
    aws.clients.set_caller(CALLER);
    look(&aws, &other("cn-north-1")).await;
    let sts = &http.calls_of("AssumeRole")[0];
    assert!(sts.body.contains("RoleArn=arn%3Aaws-cn%3Aiam"), "{}", sts.body);
    assert_eq!(sts.region, "cn-northwest-1");
}

#[tokio::test]
async fn credentials_are_replaced_minutes_before_they_expire() {
    let http = with_sts(|before| assumed(if before == 0 { 4 } else { 60 }));
    let aws = http.aws();
    for _ in 0..3 {
        look(&aws, &other("us-east-1")).await;
    }
    assert_eq!(http.calls_of("AssumeRole").len(), 2);
}

#[tokio::test]
async fn credentials_that_cannot_be_replaced_for_now_are_used_while_they_hold() {
    let http = with_sts(|before| match before {
        0 => assumed(4),
        _ => xml_error(400, "Throttling", "Rate exceeded"),
    });
    let aws = http.aws();
    assert_eq!(look(&aws, &other("us-east-1")).await, PortErrorKind::NotFound);
    assert_eq!(look(&aws, &other("us-east-1")).await, PortErrorKind::NotFound);
}

#[tokio::test]
async fn a_role_that_is_missing_is_its_own_failure_with_stss_words() {
    let words = "User: me is not authorized to perform: sts:AssumeRole";
    let http = with_sts(move |_| xml_error(403, "AccessDenied", words));
    let id = "5b6c7d8e-0000-4000-8000-123456789012".parse().unwrap();
    let error = http.aws().command(&other("eu-west-1"), &id).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::RoleNotAssumable);
    assert_eq!(error.sent(), patchfleet_core::port::Sent::No);
    assert_eq!(
        error.chain(),
        "ListCommands in 444455556666/eu-west-1 was not tried: \
         AssumeRole of arn:aws:iam::444455556666:role/Discovery from 111122223333/us-east-1 failed: \
         AccessDenied: User: me is not authorized to perform: sts:AssumeRole (status 403, request req-2)"
    );
    assert_eq!(http.calls_of("ListCommands"), []);
}

#[tokio::test]
async fn each_failure_of_sts_keeps_its_kind() {
    for (code, kind) in [
        ("AccessDenied", PortErrorKind::RoleNotAssumable),
        ("Throttling", PortErrorKind::Throttled),
        ("RegionDisabledException", PortErrorKind::RegionNotEnabled),
        ("ExpiredTokenException", PortErrorKind::Credentials),
        ("InvalidClientTokenId", PortErrorKind::Credentials),
        ("ValidationError", PortErrorKind::Invalid),
    ] {
        let http = with_sts(move |_| xml_error(400, code, "words"));
        assert_eq!(look(&http.aws(), &other("eu-west-1")).await, kind, "{code}");
    }
}

#[tokio::test]
async fn a_refusal_stands_for_ten_seconds_of_the_ports_clock_and_a_throttled_answer_does_not() {
    let http = with_sts(|_| xml_error(403, "AccessDenied", "no"));
    let clock = Arc::<TestClock>::default();
    let aws = http.builder(&clock).build().unwrap();
    aws.clients.set_caller(CALLER);
    for region in ["us-east-1", "us-west-2", "eu-west-1"] {
        assert_eq!(look(&aws, &other(region)).await, PortErrorKind::RoleNotAssumable);
    }
    assert_eq!(http.calls_of("AssumeRole").len(), 1);
    clock
        .sleep_until(clock.now() + SignedDuration::from_secs(11))
        .await;
    look(&aws, &other("us-east-1")).await;
    assert_eq!(http.calls_of("AssumeRole").len(), 2);

    let throttled = with_sts(|before| match before {
        0 => xml_error(400, "Throttling", "Rate exceeded"),
        _ => assumed(60),
    });
    let aws = throttled
        .builder(&Arc::default())
        .limits(crate::testing::impatient())
        .build()
        .unwrap();
    aws.clients.set_caller(CALLER);
    assert_eq!(look(&aws, &other("us-east-1")).await, PortErrorKind::Throttled);
    assert_eq!(look(&aws, &other("us-east-1")).await, PortErrorKind::NotFound);
}

#[tokio::test]
async fn without_a_discovery_role_other_accounts_are_refused_before_anything_is_sent() {
    let http = with_sts(|_| assumed(60));
    let aws = Aws::builder(&http.config("us-east-1")).build().unwrap();
    aws.clients.set_caller(CALLER);
    assert_eq!(look(&aws, &other("us-east-1")).await, PortErrorKind::Invalid);
    assert_eq!(http.calls(), []);
}

#[tokio::test]
async fn the_caller_is_asked_for_once_and_again_only_after_a_failure() -> PortResult<()> {
    let http = FakeHttp::new(|_, before| {
        Ok(match before {
            0 => json_error(403, "AccessDenied", "no"),
            _ => response(
                200,
                format!(
                    "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                     <Arn>arn:aws:iam::{OTHER}:user/me</Arn><UserId>U</UserId><Account>{OTHER}</Account>\
                     </GetCallerIdentityResult></GetCallerIdentityResponse>"
                ),
            ),
        })
    });
    let aws = http.builder(&Arc::default()).build()?;
    assert!(aws.caller().await.is_err());
    let caller = aws.caller().await?;
    assert_eq!(caller.account.as_str(), OTHER);
    assert_eq!(caller.region.as_str(), "us-east-1");
    assert_eq!(caller.arn, "arn:aws:iam::444455556666:user/me");
    aws.clone().caller().await?;
    assert_eq!(http.calls().len(), 2);
    Ok(())
}
