//! A call whose credentials have expired is made again with new ones. The SDK does not do so, because it goes by the
//! expiry that it was told. AWS may end a session earlier, since somebody can revoke a role's sessions, and clocks
//! differ.

use super::error::CallError;
use patchfleet_core::port::BoxFuture;

/// Whose credentials sign a call.
pub(crate) trait Signer: Send + Sync {
    /// The generation of the credentials that are given out now. It counts how often credentials were forgotten.
    fn generation(&self) -> BoxFuture<'_, u64>;

    /// Forgets the credentials of this generation, which AWS no longer takes. Newer ones that another call has fetched
    /// stay.
    fn forget(&self, generation: u64) -> BoxFuture<'_, ()>;
}

/// Makes a call. If AWS refuses it because the signer's credentials have expired, makes it again with
/// new ones, up to `tries` times in all.
pub(super) async fn renewing<T, F>(
    signer: &dyn Signer,
    tries: u32,
    call: impl Fn() -> F,
) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
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
