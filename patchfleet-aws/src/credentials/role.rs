//! The credentials of a role. Every client of the role's account shares them, and they are replaced
//! before they expire.

use super::assume::Assume;
use crate::call::{RoleError, Signer};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::port::BoxFuture;
use std::fmt;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// How long before their expiry credentials are replaced. A call with all its retries takes less.
const REFRESH_AHEAD: Duration = Duration::from_secs(300);

/// How long before their expiry credentials are used for the last time, if they could not be replaced.
const LAST_MOMENT: Duration = Duration::from_secs(30);

/// How long a refusal holds. So for an account whose role is missing STS is asked once, and not once for each Region. A
/// campaign tries for longer than this, so one refusal does not answer all its tries.
const REFUSAL_HOLDS: SignedDuration = SignedDuration::from_secs(10);

/// The role of one account, as it is assumed from the caller's own credentials.
pub(crate) struct RoleCredentials {
    assume: Assume,
    config: SdkConfig,
    // Held while AWS is asked, so that every other call for the role waits for the same answer.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    credentials: Option<Credentials>,
    /// How often credentials were forgotten.
    generation: u64,
    refusal: Option<(Timestamp, RoleError)>,
}

impl RoleCredentials {
    /// The credentials that `assume` gives. Nothing is asked for yet.
    pub(super) fn new(config: &SdkConfig, assume: Assume) -> Self {
        Self {
            assume,
            config: config.clone(),
            state: Mutex::default(),
        }
    }

    /// Credentials that are good for some minutes, or why there are none.
    pub(super) async fn get(&self) -> Result<Credentials, RoleError> {
        let mut state = self.state.lock().await;
        if let Some(credentials) = state
            .credentials
            .as_ref()
            .filter(|c| self.holds(c, REFRESH_AHEAD))
        {
            return Ok(credentials.clone());
        }
        if let Some((at, refusal)) = &state.refusal
            && self.assume.sender.clock().now().duration_since(*at) < REFUSAL_HOLDS
        {
            return Err(refusal.clone());
        }
        match self.assume.ask().await {
            Ok(credentials) => {
                state.credentials = Some(credentials.clone());
                state.refusal = None;
                Ok(credentials)
            }
            Err(failure) => {
                if !failure.kind().is_transient() {
                    state.refusal = Some((self.assume.sender.clock().now(), failure.clone()));
                } else if let Some(credentials) =
                    state.credentials.as_ref().filter(|c| self.holds(c, LAST_MOMENT))
                {
                    return Ok(credentials.clone());
                }
                Err(failure)
            }
        }
    }

    /// Whether the credentials are good for longer than `margin`. Their expiry is real time, whatever
    /// the port's clock says.
    fn holds(&self, credentials: &Credentials, margin: Duration) -> bool {
        let now = self
            .config
            .time_source()
            .map_or_else(SystemTime::now, |source| source.now());
        credentials.expiry().is_none_or(|expiry| expiry > now + margin)
    }
}

impl Signer for RoleCredentials {
    fn generation(&self) -> BoxFuture<'_, u64> {
        Box::pin(async { self.state.lock().await.generation })
    }

    fn forget(&self, generation: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut state = self.state.lock().await;
            if state.generation == generation {
                state.credentials = None;
                state.generation += 1;
            }
        })
    }
}

impl ProvideCredentials for RoleCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.get().await.map_err(CredentialsError::provider_error) })
    }
}

impl fmt::Debug for RoleCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleCredentials")
            .field("role", &self.assume.role)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
