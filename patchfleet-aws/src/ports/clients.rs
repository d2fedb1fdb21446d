//! How a port begins a call. There is one client of the SDK for each service and Region. It is made when it is first
//! needed. All clients share one HTTP client, and so its connections. Each call says who signs it.

use crate::call::{Call, Operation, sdk};
use crate::credentials::{As, Signers};
use aws_types::SdkConfig;
use patchfleet_core::id::{Location, Region};
use patchfleet_core::port::PortResult;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A cache of values that are cheap to clone.
#[derive(Debug)]
pub(crate) struct Cache<K, V>(Mutex<BTreeMap<K, V>>);

impl<K: Ord + Clone, V: Clone> Cache<K, V> {
    fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    pub(crate) fn get_or(&self, key: &K, make: impl FnOnce() -> V) -> V {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match values.get(key) {
            Some(value) => value.clone(),
            None => values.entry(key.clone()).or_insert_with(make).clone(),
        }
    }
}

/// The clients of every service, and who signs their calls.
pub(crate) struct Clients {
    config: SdkConfig,
    pub(crate) signers: Signers,
    pub(crate) ssm: Cache<Region, aws_sdk_ssm::Client>,
    pub(crate) groups: Cache<Region, aws_sdk_resourcegroups::Client>,
    pub(crate) tagging: Cache<Region, aws_sdk_resourcegroupstagging::Client>,
    pub(crate) accounts: Cache<Region, aws_sdk_account::Client>,
    pub(crate) organizations: Cache<Region, aws_sdk_organizations::Client>,
    pub(crate) cloudwatch: Cache<Region, aws_sdk_cloudwatch::Client>,
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
            tagging: Cache::new(),
            accounts: Cache::new(),
            organizations: Cache::new(),
            cloudwatch: Cache::new(),
        }
    }

    /// Begins a call of Systems Manager in a location.
    pub(crate) async fn ssm(&self, operation: Operation, location: &Location) -> Begun<aws_sdk_ssm::Client> {
        self.begin(&self.ssm, sdk::ssm, operation, location).await
    }

    /// Begins a call of Systems Manager in a location, as whoever sends commands there.
    pub(crate) async fn sending_ssm(
        &self,
        operation: Operation,
        location: &Location,
    ) -> Begun<aws_sdk_ssm::Client> {
        self.begin_as(As::Sender, &self.ssm, sdk::ssm, operation, location)
            .await
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

    /// Begins a call of the Resource Groups Tagging API in a location.
    pub(crate) async fn tagging(
        &self,
        operation: Operation,
        location: &Location,
    ) -> Begun<aws_sdk_resourcegroupstagging::Client> {
        self.begin(&self.tagging, sdk::tagging, operation, location).await
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

    /// Begins a call of CloudWatch in the central account and Region.
    pub(crate) async fn cloudwatch(&self, operation: Operation) -> Begun<aws_sdk_cloudwatch::Client> {
        let central = self.signers.central().await?;
        self.begin(&self.cloudwatch, sdk::cloudwatch, operation, &central)
            .await
    }

    /// Begins a call of Organizations about the organization as a whole. Who calls need not be known yet, so errors name
    /// the central Region alone.
    pub(crate) fn whole_organization(&self, operation: Operation) -> (Call, aws_sdk_organizations::Client) {
        let call = self.signers.central_call(operation);
        let region = call.region();
        let client = self.organizations.get_or(region, || {
            sdk::organizations(&sdk::config_in(&self.config, region))
        });
        (call, client)
    }

    /// Begins a call with the client of its Region, from its cache or made by `make`.
    async fn begin<C: Clone>(
        &self,
        cache: &Cache<Region, C>,
        make: fn(&SdkConfig) -> C,
        operation: Operation,
        location: &Location,
    ) -> Begun<C> {
        self.begin_as(As::Reader, cache, make, operation, location).await
    }

    async fn begin_as<C: Clone>(
        &self,
        who: As,
        cache: &Cache<Region, C>,
        make: fn(&SdkConfig) -> C,
        operation: Operation,
        location: &Location,
    ) -> Begun<C> {
        let call = self.signers.call(operation, location, who).await?;
        let region = &location.region;
        let client = cache.get_or(region, || make(&sdk::config_in(&self.config, region)));
        Ok((call, client))
    }
}

#[cfg(test)]
impl<K, V> Cache<K, V> {
    /// How many values were made.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
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
