//! A call whose credentials have expired, made again with new ones. The SDK does not do it: it goes
//! by the expiry that it was told, and AWS may end a session before that (a role's sessions can be
//! revoked), or by another clock.

use crate::call::classify::Failure;
use crate::credentials::caller::CallerIdentity;
use crate::credentials::role::RoleCredentials;
use aws_config::retry::RetryConfig;
use aws_types::SdkConfig;

/// Whose credentials sign a call.
#[derive(Clone, Copy)]
pub(crate) enum Signer<'a> {
    /// The caller's own.
    Caller(&'a CallerIdentity),
    /// Those of a role.
    Role(&'a RoleCredentials),
}

impl Signer<'_> {
    async fn generation(self) -> u64 {
        match self {
            Self::Caller(identity) => identity.generation(),
            Self::Role(role) => role.generation().await,
        }
    }

    async fn forget(self, generation: u64) {
        match self {
            Self::Caller(identity) => identity.forget(generation),
            Self::Role(role) => role.forget(generation).await,
        }
    }
}

/// How often a call may be made in all: as often as the SDK makes one that is throttled.
pub(crate) fn tries(config: &SdkConfig) -> u32 {
    config.retry_config().map_or_else(
        || RetryConfig::standard().max_attempts(),
        RetryConfig::max_attempts,
    )
}

/// Makes a call, and if AWS refuses it because the signer's credentials have expired, again with
/// new ones, up to `tries` times in all.
pub(crate) async fn renewing<T, F>(signer: Signer<'_>, tries: u32, call: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut made = 0;
    loop {
        let generation = signer.generation().await;
        made += 1;
        match call().await {
            Err(failure) if failure.asks_for_new_credentials() && made < tries => {
                tracing::debug!("the credentials have expired: trying again with new ones");
                signer.forget(generation).await;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests;
