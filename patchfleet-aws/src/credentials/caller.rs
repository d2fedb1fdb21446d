//! Who signs a call of any client. It is the role that the call names, or else the caller. The SDK keeps the caller's
//! credentials until they expire, and for 15 minutes if they have no expiry. Here they are also forgotten when AWS says
//! that they have expired. A role keeps its own credentials.

use crate::call::{SignedBy, Signer};
use aws_config::identity::IdentityCache;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::{
    IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::config_bag::ConfigBag;
use patchfleet_core::port::BoxFuture;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The identity cache of every client.
#[derive(Debug, Clone)]
pub(crate) struct CallerIdentity(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    cache: SharedIdentityCache,
    generation: u64,
}

impl CallerIdentity {
    /// Begins with `cache`.
    pub(crate) fn new(cache: SharedIdentityCache) -> Self {
        let generation = 0;
        Self(Arc::new(Mutex::new(Kept { cache, generation })))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signer for CallerIdentity {
    fn generation(&self) -> BoxFuture<'_, u64> {
        let generation = self.kept().generation;
        Box::pin(async move { generation })
    }

    // A new cache asks their source again.
    fn forget(&self, generation: u64) -> BoxFuture<'_, ()> {
        let mut kept = self.kept();
        if kept.generation == generation {
            *kept = Kept {
                cache: IdentityCache::lazy().build(),
                generation: generation + 1,
            };
        }
        Box::pin(async {})
    }
}

impl ResolveCachedIdentity for CallerIdentity {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        config: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        if let Some(SignedBy(role)) = config.load::<SignedBy>() {
            let role = role.clone();
            return IdentityFuture::new(async move { Ok(role.provide_credentials().await?.into()) });
        }
        let cache = self.kept().cache.clone();
        IdentityFuture::new(async move { cache.resolve_cached_identity(resolver, components, config).await })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.kept().cache.validate_base_client_config(components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.kept().cache.validate_final_config(components, config)
    }
}
