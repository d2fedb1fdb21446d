//! The AssumeRole that leads into another account.

use crate::call::{Operation, Place, RoleError, Sender, Signer, send};
use aws_credential_types::Credentials;
use aws_sdk_sts as sts;
use patchfleet_core::id::{RoleArn, SessionName};
use patchfleet_core::port::{PortError, PortErrorKind};
use patchfleet_core::request::ExternalIdText;
use std::sync::Arc;
use std::time::SystemTime;

/// How long a session lasts, in seconds. STS allows no more to a caller that is a role itself, as a
/// Lambda function is (STS, AssumeRole).
const SESSION_SECONDS: i32 = 3600;

/// A role, and how it is assumed from the caller's own credentials.
pub(super) struct Assume {
    pub(super) sts: sts::Client,
    /// Where STS is asked.
    pub(super) place: Place,
    pub(super) role: RoleArn,
    pub(super) session_name: SessionName,
    pub(super) external_id: Option<ExternalIdText>,
    pub(super) sender: Arc<Sender>,
    pub(super) caller: Arc<dyn Signer>,
}

impl Assume {
    /// Credentials of the role, for an hour.
    pub(super) async fn ask(&self) -> Result<Credentials, RoleError> {
        let external_id = self.external_id.as_ref().map(|text| text.reveal().to_owned());
        let request = self
            .sts
            .assume_role()
            .role_arn(self.role.as_str())
            .role_session_name(self.session_name.as_str())
            .set_external_id(external_id)
            .duration_seconds(SESSION_SECONDS);
        // The caller's credentials are known to be good, and its account has this Region enabled.
        let call = self
            .sender
            .call(Operation::AssumeRole, self.place.clone(), self.caller.clone())
            .named(format!("AssumeRole of {} from {}", self.role, self.place))
            .in_enabled_region();
        let answer = send!(call, request).await.map_err(RoleError::of)?;
        let given = answer.credentials.ok_or_else(|| {
            let what = format!("AssumeRole of {} gave no credentials", self.role);
            RoleError::new(PortErrorKind::Other, PortError::new(PortErrorKind::Other, what))
        })?;
        let expiry = SystemTime::try_from(*given.expiration()).ok();
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            expiry,
            "PatchfleetAssumeRole",
        ))
    }
}
