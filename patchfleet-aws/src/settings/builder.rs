//! The builder, the usual environment, and the configuration for a simulator.

use super::endpoints;
use super::services::ServicesAsTheCli;
use super::surroundings::{Surroundings, no_credentials};
use super::tls;
use crate::call::{Limits, Sender};
use crate::credentials::{CallerIdentity, Signers};
use crate::ports::{Aws, Clients, SystemClock};
use aws_config::BehaviorVersion;
use aws_config::identity::IdentityCache;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_types::SdkConfig;
use patchfleet_core::id::{Partition, Region};
use patchfleet_core::port::{Clock, PortError, PortErrorKind, PortResult, Ports};
use patchfleet_core::request::{Access, ExternalId};
use std::sync::Arc;
use std::time::Duration;

/// How long one attempt of a call may take, unless the configuration says how long. The SDK itself would wait for ever.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes an [`Aws`]. [`Aws::builder`] begins one.
pub struct AwsBuilder {
    config: SdkConfig,
    access: Option<Access>,
    clock: Option<Arc<dyn Clock>>,
    limits: Limits,
    sts_region: Option<Region>,
}

impl AwsBuilder {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self {
            config: config.clone(),
            access: None,
            clock: None,
            limits: Limits::default(),
            sts_region: None,
        }
    }

    /// Sets the role that is assumed in other accounts, its external id and the session's name. Without it only the
    /// caller's own account can be read, and every call in another one is [`PortErrorKind::Invalid`].
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// Sets the clock on which the rates of [`Limits`] are kept. Without it that is the system's clock. The SDK's own
    /// retries and the expiry of credentials are real time, whatever the clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets how hard AWS is asked. [`Aws::load`] reads the limits from the environment. For a
    /// configuration of your own, [`Limits::from_env`] does.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the Region whose STS is asked for roles. Without it that is the central Region, or `us-east-1` if the central
    /// Region is an opt-in Region of the commercial partition.
    ///
    /// STS refuses (`RegionDisabledException`) if the account of the role has not enabled the Region.
    #[must_use]
    pub fn sts_region(mut self, region: Region) -> Self {
        self.sts_region = Some(region);
        self
    }

    /// The store there, for logs that any machine reaches. The caller's own credentials read and write it, in the
    /// central Region. It calls nobody yet; [`CampaignLog::make`](patchfleet_core::campaign::CampaignLog::make) finds
    /// out whether a log can be kept there.
    ///
    /// The caller needs `s3:GetObject`, `s3:PutObject` and `s3:ListBucket` (without the last one, S3 answers "denied"
    /// where an object is not there).
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Invalid`] if the configuration has no Region, one of no known partition, or an
    /// endpoint that is no URL; [`PortErrorKind::Credentials`] if it has no credentials provider.
    #[cfg(feature = "s3")]
    pub fn store(&self, uri: &crate::s3::S3Uri) -> PortResult<patchfleet_core::campaign::Store> {
        central_region(&self.config)?;
        if self.config.credentials_provider().is_none() {
            return Err(no_credentials());
        }
        Ok(crate::s3::store(&with_defaults(self.config.clone())?, uri))
    }

    /// Makes the [`Aws`]. It calls nobody yet.
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Invalid`] if the configuration has no Region, a Region of no known partition, or an endpoint that
    /// is no URL. Also if the external id is kept in the environment and was not read there by
    /// [`external_id_from_env`](crate::external_id_from_env). [`PortErrorKind::Credentials`] if the configuration has no
    /// credentials provider.
    pub fn build(self) -> PortResult<Aws> {
        let region = central_region(&self.config)?;
        if self.config.credentials_provider().is_none() {
            return Err(no_credentials());
        }
        // Without the external id that a role's trust asks for, AssumeRole would be denied.
        let external_id = self
            .access
            .as_ref()
            .and_then(|access| access.external_id.as_ref());
        if matches!(external_id, Some(ExternalId::Env(_) | ExternalId::Withheld)) {
            return Err(PortError::new(
                PortErrorKind::Invalid,
                "the external id is kept in the environment, and nobody has read it there (external_id_from_env)",
            ));
        }
        let identity = CallerIdentity::new(
            self.config
                .identity_cache()
                .unwrap_or_else(|| IdentityCache::lazy().build()),
        );
        let config = with_defaults(self.config)?
            .to_builder()
            .identity_cache(identity.clone())
            .build();
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let sts_region = self.sts_region.unwrap_or_else(|| default_sts_region(&region));
        let sender = Arc::new(Sender::new(&config, region, clock, self.limits));
        let signers = Signers::new(config.clone(), sender, sts_region, self.access, identity);
        Ok(Aws::of(Clients::new(config, signers)))
    }

    /// Makes the [`Aws`], and the ports of core over it. They wait by the clock on which its rates are kept.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn ports(mut self) -> PortResult<Ports> {
        let clock = self.clock.get_or_insert_with(|| Arc::new(SystemClock::new()));
        let clock = clock.clone();
        Ok(Ports::of(self.build()?, clock))
    }
}

impl Aws {
    /// Begins with a configuration of the SDK. Its Region is the central Region, and its credentials are the caller's. Its
    /// endpoints, retries, timeouts and HTTP client hold for every call.
    ///
    /// ```
    /// use patchfleet_aws::{Aws, simulated_config};
    /// let config = simulated_config("http://127.0.0.1:4566", &"us-east-1".parse()?);
    /// let aws = Aws::builder(&config).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn builder(config: &SdkConfig) -> AwsBuilder {
        AwsBuilder::new(config)
    }

    /// Begins with the usual environment and profiles, as [`load_config`] reads them: `AWS_PROFILE`, `AWS_REGION`,
    /// `AWS_ENDPOINT_URL`, and all others that the SDK reads. The limits are those of the environment
    /// ([`Limits::from_env`]).
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Invalid`] if there is no Region, the profile is not there, or a setting is
    /// wrong; [`PortErrorKind::Credentials`] if there are no credentials, and why;
    /// [`PortErrorKind::Unavailable`] if their source did not answer in time.
    pub async fn load() -> PortResult<AwsBuilder> {
        let limits = Limits::from_env()?;
        let surroundings = Surroundings::read().await?;
        let config = surroundings.config().await?;
        Ok(Self::begin(config, &surroundings).await?.limits(limits))
    }

    /// Begins with a configuration, and finds out now whether it has a Region and credentials.
    async fn begin(config: SdkConfig, surroundings: &Surroundings) -> PortResult<AwsBuilder> {
        if config
            .region()
            .is_none_or(|region| region.as_ref().trim().is_empty())
        {
            return Err(surroundings.no_region());
        }
        central_region(&config)?;
        let provider = config.credentials_provider().ok_or_else(no_credentials)?;
        match provider.provide_credentials().await {
            Ok(_) => Ok(AwsBuilder::new(&config)),
            Err(error) => Err(surroundings.no_credentials(error)),
        }
    }
}

/// The SDK's configuration of the usual environment and profiles. It also has what the AWS CLI reads and the SDK does not:
/// `AWS_CA_BUNDLE`, or the profile's `ca_bundle`. As with the AWS CLI, the certificates of that bundle are then the only
/// ones that are trusted, for every connection to AWS.
///
/// # Errors
///
/// [`PortErrorKind::Invalid`] if the profile that `AWS_PROFILE` names is not there, a profile file
/// cannot be read, or the bundle has no certificates.
pub async fn load_config() -> PortResult<SdkConfig> {
    Surroundings::read().await?.config().await
}

/// The configuration with what patchfleet sets unless it says so itself: timeouts, the HTTP client, and services
/// by the names of the guide.
fn with_defaults(config: SdkConfig) -> PortResult<SdkConfig> {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT);
    let timeouts = match config.timeout_config() {
        Some(set) => set.to_builder().take_unset_from(timeouts),
        None => timeouts,
    };
    let http = config.http_client().unwrap_or_else(|| tls::http_client(None));
    let services = ServicesAsTheCli::of(&config);
    endpoints::check_all(config.endpoint_url(), services.as_ref())?;
    let mut builder = config.into_builder();
    builder.set_service_config(services);
    Ok(builder.timeout_config(timeouts.build()).http_client(http).build())
}

fn central_region(config: &SdkConfig) -> PortResult<Region> {
    let set = config
        .region()
        .filter(|region| !region.as_ref().trim().is_empty());
    let Some(region) = set else {
        return Err(PortError::new(
            PortErrorKind::Invalid,
            "no AWS Region: set AWS_REGION, or a region in the profile that AWS_PROFILE names",
        ));
    };
    region.as_ref().parse().map_err(|error| {
        PortError::new(
            PortErrorKind::Invalid,
            "the AWS Region that is set (AWS_REGION, or the profile's region) is of no known partition",
        )
        .with_source(error)
    })
}

/// The Regions of the commercial partition that every account has without opting in. Every Region that AWS has opened
/// since 2019-03-20 is opt-in.
const ALWAYS_ENABLED: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// A Region whose STS knows every account. A Region that has to be opted into may be off in some.
fn default_sts_region(central: &Region) -> Region {
    let opt_in = central.partition() == Partition::Aws && !ALWAYS_ENABLED.contains(&central.as_str());
    let everywhere = opt_in.then(|| "us-east-1".parse().ok()).flatten();
    everywhere.unwrap_or_else(|| central.clone())
}

/// A configuration for `patchfleet-sim`, or any emulator, at a plain-HTTP `endpoint` such as `http://127.0.0.1:4566`. It
/// has fixed credentials, no TLS and no proxy, and reads nothing from the environment or from profiles.
///
/// The access key is one that no world of the simulator knows, so the caller is an administrator
/// of the management account.
#[must_use]
pub fn simulated_config(endpoint: &str, region: &Region) -> SdkConfig {
    let credentials = Credentials::new(
        "AKIAPATCHFLEETSIM000",
        "simulated",
        None,
        None,
        "PatchfleetSimulated",
    );
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_types::region::Region::new(region.to_string()))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

#[cfg(test)]
mod tests;
