use super::*;
use crate::testing::{CALLER, FakeHttp, json_error, other, response, xml_error};
use crate::{Aws, Limits};
use patchfleet_core::port::Commands as _;
use patchfleet_core::request::Access;

const SECRET: &str = "very-secret-1";

fn with(external_id: ExternalId) -> Access {
    Access {
        external_id: Some(external_id),
        ..crate::testing::access()
    }
}

/// The calls of one look into another account, and what came of it.
async fn look(
    kept: ExternalId,
    parameter: fn() -> aws_smithy_runtime_api::client::orchestrator::HttpResponse,
) -> (FakeHttp, PortError) {
    let http = FakeHttp::new(move |call, _| {
        Ok(match call.operation.as_str() {
            "GetParameter" => parameter(),
            _ => xml_error(403, "AccessDenied", "no"),
        })
    });
    let aws = Aws::builder(&http.config("us-east-1"))
        .access(with(kept))
        .limits(Limits::default())
        .build()
        .unwrap();
    aws.clients.set_caller(CALLER);
    let id = "5b6c7d8e-0000-4000-8000-123456789012".parse().unwrap();
    let error = aws.command(&other("eu-west-1"), &id).await.unwrap_err();
    let _ = aws.command(&other("eu-central-1"), &id).await;
    (http, error)
}

#[tokio::test]
async fn an_id_in_a_parameter_or_a_secret_is_read_once_and_goes_to_sts_alone() {
    for (kept, name) in [
        (ExternalId::Ssm("/ids/team".to_owned()), "/ids/team"),
        (
            ExternalId::Secret("team-id".to_owned()),
            "/aws/reference/secretsmanager/team-id",
        ),
    ] {
        let (http, error) = look(kept, || {
            response(
                200,
                r#"{"Parameter":{"Name":"n","Type":"SecureString","Value":"very-secret-1"}}"#,
            )
        })
        .await;
        let read = http.calls_of("GetParameter");
        assert_eq!(read.len(), 1);
        let body: serde_json::Value = serde_json::from_str(&read[0].body).unwrap();
        assert_eq!(body, serde_json::json!({"Name": name, "WithDecryption": true}));
        assert!(
            http.calls_of("AssumeRole")[0]
                .body
                .contains("ExternalId=very-secret-1")
        );
        assert_eq!(error.kind(), PortErrorKind::RoleNotAssumable);
        assert!(!error.chain().contains(SECRET), "{}", error.chain());
    }
}

#[tokio::test]
async fn an_id_that_cannot_be_read_is_told_and_no_role_is_assumed_without_it() {
    let (http, error) = look(ExternalId::Ssm("/ids/team".to_owned()), || {
        json_error(
            400,
            "AccessDeniedException",
            "not authorized to perform: ssm:GetParameter",
        )
    })
    .await;
    assert_eq!(error.kind(), PortErrorKind::Invalid);
    assert_eq!(
        error.reason(),
        "the external id could not be read from the parameter /ids/team: AccessDeniedException: not authorized to \
         perform: ssm:GetParameter"
    );
    assert_eq!(http.calls_of("AssumeRole"), []);
    for unread in [ExternalId::Withheld, ExternalId::Env("TEAM_ID".to_owned())] {
        let config = http.config("us-east-1");
        let error = Aws::builder(&config).access(with(unread)).build().unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Invalid);
    }
}
