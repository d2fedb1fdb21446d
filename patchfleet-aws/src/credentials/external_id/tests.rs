use super::*;
use crate::testing::{CALLER, FakeHttp, json_error, other, response, xml_error};
use crate::{Aws, Limits};
use patchfleet_core::port::Automation as _;

const SECRET: &str = "very-secret-1";

fn with(external_id: ExternalId) -> Access {
    Access {
        external_id: Some(external_id),
        ..crate::testing::access()
    }
}

fn variables(name: &str) -> Result<String, VarError> {
    match name {
        "TEAM_ID" | "PATCHFLEET_EXTERNAL_ID" => Ok(SECRET.to_owned()),
        "WRONG" => Ok("not an id".to_owned()),
        "EMPTY" => Ok(String::new()),
        _ => Err(VarError::NotPresent),
    }
}

#[test]
fn an_id_that_the_environment_keeps_is_read_there_and_one_that_was_not_kept_is_asked_for_again() {
    for kept in [ExternalId::Env("TEAM_ID".to_owned()), ExternalId::Withheld] {
        let access = resolve(with(kept), variables).unwrap();
        let text = access.external_id.as_ref().and_then(ExternalId::text);
        assert_eq!(text.map(ExternalIdText::reveal), Some(SECRET));
    }
    let reference = with(ExternalId::Ssm("/ids/team".to_owned()));
    assert_eq!(resolve(reference.clone(), variables).unwrap(), reference);
}

#[test]
fn a_variable_that_is_missing_or_wrong_is_named_and_its_value_is_not_shown() {
    let said = |kept, read: fn(&str) -> Result<String, VarError>| {
        let error = resolve(with(kept), read).unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Invalid);
        error.to_string()
    };
    assert_eq!(
        said(ExternalId::Env("NOWHERE".to_owned()), variables),
        "the environment variable NOWHERE is not set: access.external_id names it"
    );
    assert_eq!(
        said(ExternalId::Withheld, |_| Err(VarError::NotPresent)),
        "the environment variable PATCHFLEET_EXTERNAL_ID is not set: the request has an external id, which plans and \
         campaign logs do not keep: give it again there"
    );
    let wrong = said(ExternalId::Env("WRONG".to_owned()), variables);
    assert!(
        wrong.starts_with("the environment variable WRONG is no external id: expected 2 to 1224"),
        "{wrong}"
    );
    assert!(!wrong.contains("not an id"), "{wrong}");
    assert!(said(ExternalId::Env("EMPTY".to_owned()), variables).contains("is not set"));
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
async fn an_id_that_cannot_be_read_is_said_and_no_role_is_assumed_without_it() {
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
