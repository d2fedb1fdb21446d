//! The environment and the profile files, where the SDK's own reading is not enough: a profile that is
//! not there, the certificates to trust, and why there are no credentials.

use super::endpoints;
use super::tls::{self, Bundle};
use aws_config::BehaviorVersion;
use aws_config::profile::{Profile, ProfileSet};
use aws_types::SdkConfig;
use aws_types::os_shim_internal::{Env, Fs};
use patchfleet_core::port::{PortError, PortErrorKind, PortResult};
use std::path::{Path, PathBuf};

mod no_credentials;

pub(super) use no_credentials::no_credentials;

/// The environment and the profiles of one process.
pub(crate) struct Surroundings {
    env: Env,
    profiles: ProfileSet,
}

impl Surroundings {
    /// Reads the profile files. The profile that `AWS_PROFILE` names has to be there.
    pub(crate) async fn read() -> PortResult<Self> {
        Self::of(Env::real()).await
    }

    async fn of(env: Env) -> PortResult<Self> {
        let files = profile_files(&env);
        let profiles = aws_config::profile::load(&Fs::real(), &env, &Default::default(), None)
            .await
            .map_err(|error| {
                invalid(format!("the profile files ({files}) cannot be read")).with_source(error)
            })?;
        let found = Self { env, profiles };
        if let Some(name) = found.named()
            && found.profiles.get_profile(&name).is_none()
        {
            let there: Vec<_> = found.profiles.profiles().collect();
            let there = if there.is_empty() {
                "there are no profiles there".to_owned()
            } else {
                format!("the profiles there are {}", sorted(there).join(", "))
            };
            return Err(invalid(format!(
                "AWS_PROFILE names the profile {name:?}, which is in none of the profile files ({files}): {there}"
            )));
        }
        Ok(found)
    }

    /// The SDK's configuration.
    pub(crate) async fn config(&self) -> PortResult<SdkConfig> {
        for variable in endpoints::variables() {
            if let Ok(endpoint) = self.env.get(&variable) {
                endpoints::check(&endpoint, &variable)?;
            }
        }
        if let Some(endpoint) = self.profiles.get("endpoint_url") {
            endpoints::check(endpoint, &format!("endpoint_url of {}", self.whose()))?;
        }
        // Always with patchfleet's own client: the SDK's reads the root certificates while it is loaded.
        let loader = aws_config::defaults(BehaviorVersion::latest());
        Ok(loader.http_client(tls::http_client(self.bundle()?)).load().await)
    }

    /// The certificates to trust: `AWS_CA_BUNDLE`, or the profile's `ca_bundle`.
    fn bundle(&self) -> PortResult<Option<Bundle>> {
        if let Some(path) = self.variable("AWS_CA_BUNDLE") {
            return Bundle::read(&PathBuf::from(path), "AWS_CA_BUNDLE").map(Some);
        }
        let Some(path) = self.profiles.get("ca_bundle").filter(|path| !path.is_empty()) else {
            return Ok(None);
        };
        let setting = format!("ca_bundle of {}", self.whose());
        Bundle::read(&self.at_home(path), &setting).map(Some)
    }

    /// The error of a missing Region.
    pub(crate) fn no_region(&self) -> PortError {
        let region = self.env.get("AWS_REGION");
        if region.is_ok_and(|region| region.trim().is_empty()) {
            return invalid("no AWS Region: AWS_REGION is empty: set it to a Region, or unset it".to_owned());
        }
        invalid(
            if self
                .profiles
                .get_profile(self.profiles.selected_profile())
                .is_some()
            {
                format!(
                    "no AWS Region: {} has no region, and AWS_REGION is not set: set one of them",
                    self.whose()
                )
            } else {
                "no AWS Region: set AWS_REGION, or AWS_PROFILE to a profile that has a region".to_owned()
            },
        )
    }

    /// The profile, by name and files.
    fn whose(&self) -> String {
        let files = profile_files(&self.env);
        format!("the profile {:?} ({files})", self.profiles.selected_profile())
    }

    fn named(&self) -> Option<String> {
        self.variable("AWS_PROFILE")
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).ok().filter(|text| !text.trim().is_empty())
    }

    /// The path, with the home folder in place of `~/`.
    fn at_home(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), home(&self.env)) {
            (Some(rest), Some(home)) => Path::new(&home).join(rest),
            _ => PathBuf::from(path),
        }
    }
}

fn set<'p>(profile: &'p Profile, key: &str) -> Option<&'p str> {
    profile.get(key).filter(|value| !value.is_empty())
}

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

fn invalid(message: String) -> PortError {
    PortError::new(PortErrorKind::Invalid, message)
}

fn home(env: &Env) -> Option<String> {
    env.get("HOME").or_else(|_| env.get("USERPROFILE")).ok()
}

fn config_file(env: &Env) -> String {
    env.get("AWS_CONFIG_FILE")
        .unwrap_or_else(|_| "~/.aws/config".to_owned())
}

fn profile_files(env: &Env) -> String {
    let credentials = env
        .get("AWS_SHARED_CREDENTIALS_FILE")
        .unwrap_or_else(|_| "~/.aws/credentials".to_owned());
    format!("{}, {credentials}", config_file(env))
}
