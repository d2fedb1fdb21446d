//! The SDK's clients: one for each service, account and Region, made when first needed. All share
//! the configuration's one HTTP client, and those of an account its one set of credentials.

use crate::call::attempts::Attempts;
use crate::call::classify::{self, Failure};
use crate::call::limits::Operation;
use crate::call::place::Place;
use crate::call::renew::{self, Signer};
use crate::call::throttles::ThrottlesAreOurs;
use crate::call::turn::{Again, Pace};
use crate::credentials::caller::CallerIdentity;
use crate::credentials::role::RoleCredentials;
use aws_config::identity::IdentityCache;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;
use patchfleet_core::id::{AccountId, Location, Region, RoleArn};
use patchfleet_core::port::{Caller, PortError, PortErrorKind, PortResult};
use patchfleet_core::request::{Access, ExternalId, ExternalIdText};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

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

    fn get(&self, key: &K) -> Option<V> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.get(key).cloned()
    }
}

/// Everything that the ports have in common.
pub(crate) struct Clients {
    config: SdkConfig,
    region: Region,
    sts_region: Region,
    sts: aws_sdk_sts::Client,
    access: Option<Access>,
    external_id: OnceCell<ExternalIdText>,
    pace: Arc<Pace>,
    identity: CallerIdentity,
    caller: OnceCell<Caller>,
    roles: Cache<AccountId, Arc<RoleCredentials>>,
    pub(crate) ssm: Cache<Location, aws_sdk_ssm::Client>,
    pub(crate) groups: Cache<Location, aws_sdk_resourcegroups::Client>,
    pub(crate) accounts: Cache<Location, aws_sdk_account::Client>,
    pub(crate) organizations: Cache<Location, aws_sdk_organizations::Client>,
}

impl Clients {
    /// `region` is the central Region, and that of `config`; `identity` is its identity cache.
    pub(crate) fn new(
        config: SdkConfig,
        region: Region,
        sts_region: Region,
        access: Option<Access>,
        pace: Pace,
        identity: CallerIdentity,
    ) -> Self {
        Self {
            sts: sts_client(&config_in(&config, &sts_region)),
            config,
            region,
            sts_region,
            access,
            external_id: OnceCell::new(),
            pace: Arc::new(pace),
            identity,
            caller: OnceCell::new(),
            roles: Cache::new(),
            ssm: Cache::new(),
            groups: Cache::new(),
            accounts: Cache::new(),
            organizations: Cache::new(),
        }
    }

    /// Who calls, asked once (STS GetCallerIdentity).
    pub(crate) async fn caller(&self) -> PortResult<&Caller> {
        self.caller.get_or_try_init(|| self.ask_for_caller()).await
    }

    async fn ask_for_caller(&self) -> PortResult<Caller> {
        let operation = Operation::GetCallerIdentity;
        let place = Place::new(None, self.region.clone());
        let sts = sts_client(&self.config);
        let answer = self
            .call(operation, &place, || sts.get_caller_identity().send())
            .await?;
        let account = answer.account().unwrap_or_default();
        Ok(Caller {
            account: account
                .parse()
                .map_err(|error| unreadable(operation, &place, error))?,
            region: self.region.clone(),
            arn: answer.arn.unwrap_or_default(),
        })
    }

    /// The central account and Region.
    pub(crate) async fn central(&self) -> PortResult<Location> {
        let caller = self.caller().await?;
        Ok(Location::new(caller.account.clone(), caller.region.clone()))
    }

    /// Systems Manager in the central account and Region, with the caller's own credentials.
    pub(crate) fn central_ssm(&self) -> aws_sdk_ssm::Client {
        ssm_client(&self.config)
    }

    /// The role of an account; `None` for the caller's own, which needs none.
    async fn role(
        &self,
        operation: Operation,
        location: &Location,
    ) -> PortResult<Option<Arc<RoleCredentials>>> {
        let caller = self.caller().await?;
        let account = &location.account;
        if *account == caller.account {
            return Ok(None);
        }
        let Some(access) = &self.access else {
            return Err(PortError::new(
                PortErrorKind::Invalid,
                format!(
                    "{operation} in {location} needs a role there, and no discovery role is set (access.discovery_role)"
                ),
            ));
        };
        // Read before the first role is assumed, and kept for all of them.
        let mut access = access.clone();
        if let Some(kept) = &access.external_id {
            let text = self
                .external_id
                .get_or_try_init(|| self.read_external_id(kept))
                .await?;
            access.external_id = Some(ExternalId::Text(text.clone()));
        }
        let role = self.roles.get_or(account.clone(), || {
            let arn = RoleArn::build(self.region.partition(), account, &access.discovery_role);
            Arc::new(RoleCredentials::new(
                &self.config,
                self.sts.clone(),
                Place::new(Some(caller.account.clone()), self.sts_region.clone()),
                arn,
                access,
                self.pace.clone(),
                self.identity.clone(),
            ))
        });
        // Asked for here and not left to the client, so that a role that cannot be assumed is told
        // from a call that failed.
        match role.get().await {
            Ok(_) => Ok(Some(role)),
            Err(failure) => Err(failure.of_call(operation, &location.clone().into())),
        }
    }

    /// The client of a location, from its cache or made by `make`, with credentials at hand.
    async fn client<C: Clone>(
        &self,
        cache: &Cache<Location, C>,
        make: fn(&SdkConfig) -> C,
        operation: Operation,
        location: &Location,
    ) -> PortResult<C> {
        let role = self.role(operation, location).await?;
        Ok(cache.get_or(location.clone(), || {
            let mut config = config_in(&self.config, &location.region);
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
        }))
    }

    /// Systems Manager in a location.
    pub(crate) async fn ssm(
        &self,
        operation: Operation,
        location: &Location,
    ) -> PortResult<aws_sdk_ssm::Client> {
        self.client(&self.ssm, ssm_client, operation, location).await
    }

    /// Resource Groups in a location.
    pub(crate) async fn groups(
        &self,
        operation: Operation,
        location: &Location,
    ) -> PortResult<aws_sdk_resourcegroups::Client> {
        self.client(&self.groups, groups_client, operation, location)
            .await
    }

    /// Account Management, as the account of `location` sees it.
    pub(crate) async fn account(
        &self,
        operation: Operation,
        location: &Location,
    ) -> PortResult<aws_sdk_account::Client> {
        self.client(&self.accounts, account_client, operation, location)
            .await
    }

    /// Organizations, called from the central account. The SDK sends it to the partition's own
    /// Region, unless the configuration has another endpoint.
    pub(crate) async fn organizations(
        &self,
        operation: Operation,
        central: &Location,
    ) -> PortResult<aws_sdk_organizations::Client> {
        self.client(&self.organizations, organizations_client, operation, central)
            .await
    }

    /// Makes a call in its turn, and again with new credentials if its own have expired.
    pub(crate) async fn call<T, E, F>(
        &self,
        operation: Operation,
        place: &Place,
        send: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        self.call_watched(operation, place, send, None).await
    }

    /// Makes a call that changes something, in its turn. `attempts` watches it: it is not made again
    /// once it may have taken effect.
    pub(crate) async fn call_watched<T, E, F>(
        &self,
        operation: Operation,
        place: &Place,
        send: impl Fn() -> F,
        attempts: Option<&Attempts>,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let is_central = *place.region() == self.region;
        let role = place.account().and_then(|account| self.roles.get(account));
        let signer = role
            .as_deref()
            .map_or(Signer::Caller(&self.identity), Signer::Role);
        let (send, tries) = (&send, renew::tries(&self.config));
        // A call that changes something is not worth minutes: whoever drives a campaign decides anew.
        let again = attempts.map_or(Again::WhileAwsAnswers, |_| Again::Times(tries));
        renew::renewing(signer, tries, move || {
            self.pace.paced(operation, place, again, move || async move {
                tracing::debug!(%operation, %place, "calling AWS");
                send().await.map_err(|error| {
                    let what = format!("{operation} in {place} failed");
                    let failure = classify::failure(what, is_central, error, attempts);
                    tracing::debug!(%operation, %place, kind = %failure.kind(), "AWS did not do it");
                    failure
                })
            })
        })
        .await
    }
}

/// The clients of one service each. What AWS throttles is not for the SDK to retry.
macro_rules! client {
    ($name:ident, $sdk:ident) => {
        fn $name(config: &SdkConfig) -> $sdk::Client {
            let config = $sdk::config::Builder::from(config).retry_classifier(ThrottlesAreOurs);
            $sdk::Client::from_conf(config.build())
        }
    };
}

client!(sts_client, aws_sdk_sts);
client!(ssm_client, aws_sdk_ssm);
client!(groups_client, aws_sdk_resourcegroups);
client!(account_client, aws_sdk_account);
client!(organizations_client, aws_sdk_organizations);

fn config_in(config: &SdkConfig, region: &Region) -> SdkConfig {
    config
        .to_builder()
        .region(aws_types::region::Region::new(region.to_string()))
        .build()
}

/// The error of an answer in which something has not the shape that it must have.
pub(crate) fn unreadable(
    operation: Operation,
    place: &Place,
    cause: impl Into<Box<dyn Error + Send + Sync>>,
) -> PortError {
    PortError::new(
        PortErrorKind::Other,
        format!("{operation} in {place} gave an answer that cannot be read"),
    )
    .with_source(cause)
}

#[cfg(test)]
impl Clients {
    /// The configuration that every client is made from.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Says who calls, so that no test has to be asked.
    pub(crate) fn set_caller(&self, account: &str) {
        let caller = Caller {
            account: account.parse().unwrap(),
            region: self.region.clone(),
            arn: format!("arn:aws:iam::{account}:user/test"),
        };
        self.caller.set(caller).unwrap();
    }
}
