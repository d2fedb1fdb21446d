//! A call whose credentials have expired, made again with new ones. The SDK does not do it: it goes
//! by the expiry that it was told. AWS may end a session before that (a role's sessions can be
//! revoked), or by another clock.

use super::failure::Failure;
use patchfleet_core::port::BoxFuture;

/// Whose credentials sign a call.
pub(crate) trait Signer: Send + Sync {
    /// Which credentials are given out from now on: how often some were forgotten.
    fn generation(&self) -> BoxFuture<'_, u64>;

    /// Forgets the credentials of this generation, which AWS does not take any more. Those that
    /// somebody else has replaced them with stay.
    fn forget(&self, generation: u64) -> BoxFuture<'_, ()>;
}

/// Makes a call, and if AWS refuses it because the signer's credentials have expired, again with
/// new ones, up to `tries` times in all.
pub(super) async fn renewing<T, F>(
    signer: &dyn Signer,
    tries: u32,
    call: impl Fn() -> F,
) -> Result<T, Failure>
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
