//! An external id that a parameter or a secret keeps. It is shown nowhere.

use crate::call::{Call, send};
use aws_sdk_ssm::Client;
use patchfleet_core::port::{PortError, PortErrorKind, PortResult};
use patchfleet_core::request::{ExternalId, ExternalIdText};

/// Systems Manager reads a secret of Secrets Manager under this name (Systems Manager User Guide,
/// "Referencing AWS Secrets Manager secrets from Parameter Store parameters").
const SECRETS: &str = "/aws/reference/secretsmanager/";

/// The parameter that keeps an external id.
pub(super) fn parameter_of(kept: &ExternalId) -> PortResult<String> {
    match kept {
        ExternalId::Ssm(name) => Ok(name.clone()),
        ExternalId::Secret(name) => Ok(format!("{SECRETS}{name}")),
        _ => Err(invalid(
            "the external id is kept in the environment, and nobody has read it from there \
             (external_id_from_env)"
                .to_owned(),
        )),
    }
}

/// The external id that a parameter keeps, decrypted.
pub(super) async fn read(call: &Call, ssm: &Client, parameter: &str) -> PortResult<ExternalIdText> {
    let request = ssm.get_parameter().name(parameter).with_decryption(true);
    let answer = send!(call, request)
        .await
        .map_err(|failure| unread(parameter, failure.into()))?;
    let value = answer.parameter.and_then(|parameter| parameter.value);
    external_id_text(value.unwrap_or_default(), &format!("the parameter {parameter}"))
}

/// The error of a parameter that could not be read. It is never `Denied`, which would be taken for a
/// denial in the account whose role was to be assumed.
fn unread(name: &str, error: PortError) -> PortError {
    let kind = match error.kind() {
        kind if kind.is_transient() || kind == PortErrorKind::Credentials => kind,
        _ => PortErrorKind::Invalid,
    };
    let words = error.reason();
    PortError::new(
        kind,
        format!("the external id could not be read from the parameter {name}"),
    )
    .with_words(format!(
        "the external id could not be read from the parameter {name}: {words}"
    ))
    .with_source(error)
}

/// A text as an external id. `whence` says where it was read.
pub(crate) fn external_id_text(text: String, whence: &str) -> PortResult<ExternalIdText> {
    ExternalIdText::new(text).ok_or_else(|| {
        invalid(format!(
            "{whence} is no external id: expected 2 to 1224 of letters, digits, _ + = , . @ : / -"
        ))
    })
}

fn invalid(message: String) -> PortError {
    PortError::new(PortErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests;
