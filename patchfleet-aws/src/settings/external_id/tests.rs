use super::*;
use patchfleet_core::request::ExternalIdText;

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
        "BLANK" => Ok(" \n".to_owned()),
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
    for name in ["EMPTY", "BLANK"] {
        let said = said(ExternalId::Env(name.to_owned()), variables);
        assert_eq!(
            said,
            format!("the environment variable {name} is not set: access.external_id names it")
        );
    }
}
