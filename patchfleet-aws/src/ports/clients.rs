//! How a port begins a call. There is one client of the SDK for each service, account and Region, made
//! when it is first needed. All clients share one HTTP client, and those of an account share its
//! credentials.

use crate::call::{Call, Operation, sdk};
use crate::credentials::Signers;
use aws_config::identity::IdentityCache;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_types::SdkConfig;
use patchfleet_core::id::Location;
use patchfleet_core::port::PortResult;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A cache of values that are cheap to clone.
#[derive(Debug)]
pub(crate) struct Cache<K, V>(Mutex<BTreeMap<K, V>>);

impl<K: Ord, V: Clone> Cache<K, V> {
    fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    pub(crate) fn get_or(&self, key: K, make: impl FnOnce() -> V) -> V {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.entry(key).or_insert_with(make).clone()
    }
}

/// The clients of every service, and who signs their calls.
pub(crate) struct Clients {
    config: SdkConfig,
    pub(crate) signers: Signers,
    pub(crate) ssm: Cache<Location, aws_sdk_ssm::Client>,
    pub(crate) groups: Cache<Location, aws_sdk_resourcegroups::Client>,
    pub(crate) accounts: Cache<Location, aws_sdk_account::Client>,
    pub(crate) organizations: Cache<Location, aws_sdk_organizations::Client>,
}

/// A call that is begun, and the client to make it with.
type Begun<C> = PortResult<(Call, C)>;

impl Clients {
    /// Every client is made of `config`.
    pub(crate) fn new(config: SdkConfig, signers: Signers) -> Self {
        Self {
            config,
            signers,
            ssm: Cache::new(),
            groups: Cache::new(),
            accounts: Cache::new(),
            organizations: Cache::new(),
        }
    }

    /// Begins a call of Systems Manager in a location.
    pub(crate) async fn ssm(&self, operation: Operation, location: &Location) -> Begun<aws_sdk_ssm::Client> {
        self.begin(&self.ssm, sdk::ssm, operation, location).await
    }

    /// Begins a call of Systems Manager in the central account and Region.
    pub(crate) async fn central_ssm(&self, operation: Operation) -> Begun<aws_sdk_ssm::Client> {
        self.ssm(operation, &self.signers.central().await?).await
    }

    /// Begins a call of Resource Groups in a location.
    pub(crate) async fn groups(
        &self,
        operation: Operation,
        location: &Location,
    ) -> Begun<aws_sdk_resourcegroups::Client> {
        self.begin(&self.groups, sdk::groups, operation, location).await
    }

    /// Begins a call of Account Management, as the account of `location` sees it.
    pub(crate) async fn account(
        &self,
        operation: Operation,
        location: &Location,
    ) -> Begun<aws_sdk_account::Client> {
        self.begin(&self.accounts, sdk::account, operation, location)
            .await
    }

    /// Begins a call of Organizations, from the central account. The SDK sends it to the partition's
    /// own Region, unless the configuration has another endpoint.
    pub(crate) async fn organizations(&self, operation: Operation) -> Begun<aws_sdk_organizations::Client> {
        let central = self.signers.central().await?;
        self.begin(&self.organizations, sdk::organizations, operation, &central)
            .await
    }

    /// Begins a call with the client of a location, from its cache or made by `make`.
    async fn begin<C: Clone>(
        &self,
        cache: &Cache<Location, C>,
        make: fn(&SdkConfig) -> C,
        operation: Operation,
        location: &Location,
    ) -> Begun<C> {
        let (call, role) = self.signers.call(operation, location).await?;
        let client = cache.get_or(location.clone(), || {
            let mut config = sdk::config_in(&self.config, &location.region);
            if let Some(role) = role {
                let provider: Arc<dyn ProvideCredentials> = role;
                config = config
                    .into_builder()
                    .credentials_provider(SharedCredentialsProvider::from(provider))
                    // The role's credentials are a cache already, and know when to refresh.
                    .identity_cache(IdentityCache::no_cache())
                    .build();
            }
            make(&config)
        });
        Ok((call, client))
    }
}

#[cfg(test)]
impl Clients {
    /// The configuration that every client is made from.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Sets who calls, so that no test has to answer the question.
    pub(crate) fn set_caller(&self, account: &str) {
        self.signers.set_caller(account);
    }
}
