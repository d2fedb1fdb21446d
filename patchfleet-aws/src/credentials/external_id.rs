//! The external id of the roles that are assumed: read where the request says that it is kept, once
//! it is needed, and shown nowhere.

use crate::call::limits::Operation;
use crate::call::place::Place;
use crate::clients::Clients;
use patchfleet_core::port::{PortError, PortErrorKind, PortResult};
use patchfleet_core::request::{Access, ExternalId, ExternalIdText};
use std::env::{self, VarError};

/// The environment variable that gives an external id again that stood in a request as a text: plans
/// and campaign logs do not keep it.
const GIVEN_AGAIN: &str = "PATCHFLEET_EXTERNAL_ID";

/// Systems Manager reads a secret of Secrets Manager under this name (Systems Manager User Guide,
/// "Referencing AWS Secrets Manager secrets from Parameter Store parameters").
const SECRETS: &str = "/aws/reference/secretsmanager/";

/// `access` with the external id that the environment keeps: `{ env = NAME }`, or
/// `PATCHFLEET_EXTERNAL_ID` for one that stood in the request as a text and is not kept. References
/// to parameters and secrets stay; [`Aws`](crate::Aws) reads those when it assumes the first role.
///
/// # Errors
///
/// [`PortErrorKind::Invalid`] if the variable is not set, or is no external id. The message does not
/// show its value.
pub fn external_id_from_env(access: Access) -> PortResult<Access> {
    resolve(access, |name| env::var(name))
}

fn resolve(mut access: Access, read: impl Fn(&str) -> Result<String, VarError>) -> PortResult<Access> {
    let (name, why) = match &access.external_id {
        Some(ExternalId::Env(name)) => (name.as_str(), "access.external_id names it"),
        Some(ExternalId::Withheld) => (
            GIVEN_AGAIN,
            "the request has an external id, which plans and campaign logs do not keep: give it again there",
        ),
        _ => return Ok(access),
    };
    let text = match read(name) {
        Ok(text) if !text.is_empty() => text,
        Ok(_) | Err(VarError::NotPresent) => {
            return Err(invalid(format!(
                "the environment variable {name} is not set: {why}"
            )));
        }
        Err(VarError::NotUnicode(_)) => {
            return Err(invalid(format!("the environment variable {name} is not UTF-8")));
        }
    };
    access.external_id = Some(ExternalId::Text(text_of(
        text,
        &format!("the environment variable {name}"),
    )?));
    Ok(access)
}

impl Clients {
    /// The external id that a request names, for the calls that need it. A parameter or a secret is
    /// read from the central account and Region, with the caller's own credentials.
    pub(crate) async fn read_external_id(&self, kept: &ExternalId) -> PortResult<ExternalIdText> {
        let name = match kept {
            ExternalId::Text(text) => return Ok(text.clone()),
            ExternalId::Ssm(name) => name.clone(),
            ExternalId::Secret(name) => format!("{SECRETS}{name}"),
            _ => {
                return Err(invalid(
                    "the external id is kept in the environment, and nobody has read it from there \
                     (external_id_from_env)"
                        .to_owned(),
                ));
            }
        };
        let place = Place::from(self.central().await?);
        let request = self
            .central_ssm()
            .get_parameter()
            .name(&name)
            .with_decryption(true);
        let answer = self
            .call(Operation::GetParameter, &place, || request.clone().send())
            .await
            .map_err(|failure| unread(&name, failure.into()))?;
        let value = answer.parameter.and_then(|parameter| parameter.value);
        text_of(value.unwrap_or_default(), &format!("the parameter {name}"))
    }
}

/// The error of a parameter that could not be read. It is never "denied": that would be said of the
/// account whose role was to be assumed.
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

fn text_of(text: String, whence: &str) -> PortResult<ExternalIdText> {
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
