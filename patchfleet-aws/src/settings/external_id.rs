//! An external id that the environment keeps. It is shown nowhere.

use crate::credentials::external_id_text;
use patchfleet_core::port::{PortError, PortErrorKind, PortResult};
use patchfleet_core::request::{Access, ExternalId};
use std::env::{self, VarError};

/// The environment variable with an external id that stood in the request as a text. Plans and campaign
/// logs do not keep that text, so it has to be given again.
const GIVEN_AGAIN: &str = "PATCHFLEET_EXTERNAL_ID";

/// Puts an external id that the environment keeps into `access`. `{ env = NAME }` names its variable. If the external id
/// stood in the request as a text, which plans do not keep, the variable is `PATCHFLEET_EXTERNAL_ID`. References to
/// parameters and secrets stay as they are. An [`Aws`](crate::Aws) reads those when it assumes the first role.
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
        Ok(text) if !text.trim().is_empty() => text,
        Ok(_) | Err(VarError::NotPresent) => {
            return Err(invalid(format!(
                "the environment variable {name} is not set: {why}"
            )));
        }
        Err(VarError::NotUnicode(_)) => {
            return Err(invalid(format!("the environment variable {name} is not UTF-8")));
        }
    };
    access.external_id = Some(ExternalId::Text(external_id_text(
        text,
        &format!("the environment variable {name}"),
    )?));
    Ok(access)
}

fn invalid(message: String) -> PortError {
    PortError::new(PortErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests;
