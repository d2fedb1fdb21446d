//! One AssumeRole for each other account: its credentials, shared by every client of the account,
//! refreshed before they expire.

use crate::call::classify::{self, Failure};
use crate::call::limits::Operation;
use crate::call::place::Place;
use crate::call::renew::{self, Signer};
use crate::call::turn::{Again, Pace};
use crate::credentials::caller::CallerIdentity;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_sts as sts;
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::id::RoleArn;
use patchfleet_core::port::{PortError, PortErrorKind};
use patchfleet_core::request::{Access, ExternalId};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// How long a session lasts, in seconds: the most that a role may have that is assumed with the
/// credentials of another role, which is what a Lambda function's are (STS, AssumeRole).
const SESSION_SECONDS: i32 = 3600;

/// How long before they expire credentials are replaced. Longer than any call may take, all its
/// retries included.
const REFRESH_AHEAD: Duration = Duration::from_secs(300);

/// Credentials that could not be replaced in time are used until this long before they expire.
const LAST_MOMENT: Duration = Duration::from_secs(30);

/// How long a refusal is taken for an answer, so that an account whose role is missing is asked
/// for once and not once for each of its Regions. Shorter than a campaign tries for
/// ([`OTHER_TRIES`](patchfleet_core::campaign::OTHER_TRIES)), so that its tries are not all answered
/// by the same refusal.
const REFUSAL_HOLDS: SignedDuration = SignedDuration::from_secs(10);

/// The role of one account, as it is assumed from the caller's own.
pub(crate) struct RoleCredentials {
    sts: sts::Client,
    place: Place,
    role: RoleArn,
    access: Access,
    config: SdkConfig,
    pace: Arc<Pace>,
    caller: CallerIdentity,
    // Held while AWS is asked: whoever else needs the role meanwhile waits for the same answer.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    credentials: Option<Credentials>,
    /// How often credentials were forgotten.
    generation: u64,
    refusal: Option<(Timestamp, AssumeFailure)>,
}

impl RoleCredentials {
    /// The credentials of `role`, assumed with those of `config`, which are the `caller`'s, from
    /// `sts` at `place`. Nothing is asked for yet.
    pub(crate) fn new(
        config: &SdkConfig,
        sts: sts::Client,
        place: Place,
        role: RoleArn,
        access: Access,
        pace: Arc<Pace>,
        caller: CallerIdentity,
    ) -> Self {
        Self {
            sts,
            place,
            role,
            access,
            config: config.clone(),
            pace,
            caller,
            state: Mutex::default(),
        }
    }

    /// Credentials that hold for some minutes at least, or why there are none.
    pub(crate) async fn get(&self) -> Result<Credentials, AssumeFailure> {
        let mut state = self.state.lock().await;
        if let Some(credentials) = state
            .credentials
            .as_ref()
            .filter(|c| self.holds(c, REFRESH_AHEAD))
        {
            return Ok(credentials.clone());
        }
        if let Some((at, refusal)) = &state.refusal
            && self.pace.clock().now().duration_since(*at) < REFUSAL_HOLDS
        {
            return Err(refusal.clone());
        }
        match self.assume().await {
            Ok(credentials) => {
                state.credentials = Some(credentials.clone());
                state.refusal = None;
                Ok(credentials)
            }
            Err(failure) => {
                if !failure.kind().is_transient() {
                    state.refusal = Some((self.pace.clock().now(), failure.clone()));
                } else if let Some(credentials) =
                    state.credentials.as_ref().filter(|c| self.holds(c, LAST_MOMENT))
                {
                    return Ok(credentials.clone());
                }
                Err(failure)
            }
        }
    }

    /// Which credentials are given out from now on: how often some were forgotten.
    pub(crate) async fn generation(&self) -> u64 {
        self.state.lock().await.generation
    }

    /// Forgets the credentials of this generation: AWS does not take them any more, whatever their
    /// expiry says. Those that somebody else has replaced them with stay.
    pub(crate) async fn forget(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if state.generation == generation {
            state.credentials = None;
            state.generation += 1;
        }
    }

    /// Whether the credentials hold for longer than `margin`. Their expiry is real time, whatever
    /// the port's clock says.
    fn holds(&self, credentials: &Credentials, margin: Duration) -> bool {
        let now = self
            .config
            .time_source()
            .map_or_else(SystemTime::now, |source| source.now());
        credentials.expiry().is_none_or(|expiry| expiry > now + margin)
    }

    async fn assume(&self) -> Result<Credentials, AssumeFailure> {
        let external_id = self.access.external_id.as_ref().and_then(ExternalId::text);
        let request = self
            .sts
            .assume_role()
            .role_arn(self.role.as_str())
            .role_session_name(self.access.session_name.as_str())
            .set_external_id(external_id.map(|text| text.reveal().to_owned()))
            .duration_seconds(SESSION_SECONDS);
        let answer = renew::renewing(Signer::Caller(&self.caller), renew::tries(&self.config), || {
            let (operation, again) = (Operation::AssumeRole, Again::WhileAwsAnswers);
            self.pace.paced(operation, &self.place, again, || async {
                request.clone().send().await.map_err(|error| {
                    let what = format!("AssumeRole of {} from {} failed", self.role, self.place);
                    classify::failure(what, true, error, None)
                })
            })
        })
        .await
        .map_err(AssumeFailure::of)?;
        let given = answer.credentials.ok_or_else(|| {
            let what = format!("AssumeRole of {} gave no credentials", self.role);
            AssumeFailure::new(PortErrorKind::Other, PortError::new(PortErrorKind::Other, what))
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
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Why a role could not be assumed: told to everybody who waited for it.
#[derive(Debug, Clone)]
pub(crate) struct AssumeFailure {
    kind: PortErrorKind,
    error: Arc<PortError>,
}

impl AssumeFailure {
    pub(crate) fn new(kind: PortErrorKind, error: PortError) -> Self {
        Self {
            kind,
            error: Arc::new(error),
        }
    }

    fn of(failure: Failure) -> Self {
        // STS says the same of a role that does not exist and of one that does not trust the caller.
        let kind = match failure.kind() {
            PortErrorKind::Denied | PortErrorKind::NotFound => PortErrorKind::RoleNotAssumable,
            kind => kind,
        };
        Self::new(kind, failure.into())
    }

    /// What kind of failure it was.
    pub(crate) fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// The error of a call that was not made, because it needed this role.
    pub(crate) fn of_call(self, operation: Operation, place: &Place) -> PortError {
        PortError::new(self.kind, format!("{operation} in {place} was not tried"))
            .with_words(self.error.reason())
            .with_source(self)
    }
}

impl fmt::Display for AssumeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for AssumeFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

#[cfg(test)]
mod tests;
