//! What the environment and the profile files say, as far as the SDK does not say it well itself: a
//! profile that is not there, the certificates to trust, and why there are no credentials.

use crate::config::no_credentials;
use crate::tls::{self, Bundle};
use aws_config::BehaviorVersion;
use aws_config::profile::{Profile, ProfileSet};
use aws_credential_types::provider::error::CredentialsError;
use aws_types::SdkConfig;
use aws_types::os_shim_internal::{Env, Fs};
use patchfleet_core::port::{PortError, PortErrorKind, PortResult};
use std::path::{Path, PathBuf};

/// The most profiles that are followed by `source_profile`.
const MOST_SOURCES: usize = 10;

/// The environment and the profiles of one process.
pub(crate) struct Surroundings {
    env: Env,
    profiles: ProfileSet,
}

impl Surroundings {
    /// Reads the profile files, and sees that the profile that `AWS_PROFILE` names is there.
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
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(bundle) = self.bundle()? {
            loader = loader.http_client(tls::http_client(Some(bundle)));
        }
        Ok(loader.load().await)
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

    /// Why there are no credentials, and what to do.
    pub(crate) fn no_credentials(&self, error: CredentialsError) -> PortError {
        if let CredentialsError::ProviderTimedOut(_) = error {
            let what = "the source of AWS credentials did not answer";
            return PortError::new(PortErrorKind::Unavailable, what).with_source(error);
        }
        let what = self.why_no_credentials();
        what.map_or_else(no_credentials, |what| {
            PortError::new(PortErrorKind::Credentials, what)
        })
        .with_source(error)
    }

    fn why_no_credentials(&self) -> Option<String> {
        let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
        match (self.variable(id), self.variable(secret)) {
            (Some(_), None) => return Some(format!("{id} is set, and {secret} is not: set both")),
            (None, Some(_)) => return Some(format!("{secret} is set, and {id} is not: set both")),
            _ => {}
        }
        let selected = self.profiles.selected_profile();
        let chain = self.chain(selected);
        let whose = self.whose();
        let has = |key: &str| chain.iter().find(|profile| set(profile, key).is_some());
        let role = chain.first().and_then(|profile| set(profile, "role_arn"));
        let role_of = role.map_or_else(String::new, |role| {
            format!("the role {role} of {whose} could not be assumed: ")
        });
        let source = |last: &Profile| Some((last.name().to_owned(), set(last, "source_profile")?.to_owned()));
        if let Some((profile, source)) = chain.last().and_then(|last| source(last))
            && self.profiles.get_profile(&source).is_none()
        {
            return Some(format!(
                "{role_of}the source_profile {source:?} of the profile {profile:?} is in none of the profile files ({})",
                profile_files(&self.env)
            ));
        }
        if let Some(profile) = has("mfa_serial") {
            return Some(format!(
                "{}the profile {:?} asks for MFA (mfa_serial), and patchfleet does not ask for a code. Take session \
                 credentials first, and run again with them in the environment: \
                 eval \"$(aws configure export-credentials --profile {selected} --format env)\"",
                if role_of.is_empty() {
                    format!("no credentials of {whose}: ")
                } else {
                    role_of
                },
                profile.name()
            ));
        }
        if let Some(profile) = has("sso_session").or_else(|| has("sso_start_url")) {
            return Some(format!(
                "{role_of}the SSO session of the profile {:?} ({}) has expired or was never begun: run \
                 `aws sso login --profile {}`, then try again",
                profile.name(),
                config_file(&self.env),
                profile.name()
            ));
        }
        if let Some(profile) = has("credential_process") {
            return Some(format!(
                "{role_of}the credential_process of the profile {:?} ({}) failed: run its command by hand to see why",
                profile.name(),
                config_file(&self.env)
            ));
        }
        if role.is_some() {
            return Some(format!(
                "{}see that the role is there and trusts whoever assumes it, and that its source_profile or \
                 credential_source has credentials",
                role_of
            ));
        }
        let named = self.named().is_some();
        (named || !chain.is_empty()).then(|| {
            format!(
                "{whose} gives no AWS credentials: give it aws_access_key_id and aws_secret_access_key, sso_session, \
                 credential_process, or role_arn with source_profile{}",
                if named { ", or name another in AWS_PROFILE" } else { ", or set AWS_PROFILE to another" }
            )
        })
    }

    /// The profile and those that it takes its credentials from.
    fn chain(&self, first: &str) -> Vec<&Profile> {
        let mut chain: Vec<&Profile> = vec![];
        let mut next = Some(first);
        while let Some(profile) = next.and_then(|name| self.profiles.get_profile(name))
            && chain.len() < MOST_SOURCES
            && chain.iter().all(|seen| seen.name() != profile.name())
        {
            chain.push(profile);
            next = set(profile, "source_profile");
        }
        chain
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

    /// `path`, which may begin at home.
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
