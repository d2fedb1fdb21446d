//! `services` sections of profiles, read as the AWS CLI reads them.
//!
//! The AWS SDKs and Tools Reference Guide ("Service-specific endpoints") spells a service in a
//! profile with underscores: `resource_groups`. The Rust SDK (aws-runtime 1.10) looks for
//! `resource-groups`, and would send the calls of such a profile elsewhere.

use aws_types::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// The settings of a configuration for each service, by the guide's names and by the SDK's.
#[derive(Debug)]
pub(crate) struct ServicesAsTheCli(SdkConfig);

impl ServicesAsTheCli {
    /// Those of `config`, if it has any.
    pub(crate) fn of(config: &SdkConfig) -> Option<Self> {
        config.service_config().map(|_| Self(config.clone()))
    }

    /// The endpoint of a service, by the SDK's id of it.
    pub(crate) fn endpoint(&self, service: &str) -> Option<String> {
        let key = ServiceConfigKey::builder()
            .service_id(service)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok()?;
        self.load_config(key)
    }

    fn load(&self, key: &ServiceConfigKey<'_>, service: &str) -> Option<String> {
        let key = ServiceConfigKey::builder()
            .service_id(service)
            .env(key.env())
            .profile(key.profile())
            .build()
            .ok()?;
        self.0.service_config()?.load_config(key)
    }
}

impl LoadServiceConfig for ServicesAsTheCli {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id();
        if !service.contains(' ') {
            return self.load(&key, service);
        }
        // Both names fall back to what is set for all services. So a name is known to be there only if its value differs
        // from that. If the guide's name is there, it wins over the SDK's.
        let by_guide = self.load(&key, &service.replace(' ', "_"));
        let by_sdk = self.load(&key, service);
        let for_all = self.load(&key, "no such service");
        if by_guide == for_all { by_sdk } else { by_guide }
    }
}
