//! Why there are no credentials, and what to do. The SDK's error says which part failed. Only the details of that part
//! are read from the profile files, because a profile that names a `credential_process` does not say that the process
//! failed.

use super::{Surroundings, config_file, profile_files, set};
use aws_config::profile::Profile;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use patchfleet_core::port::{PortError, PortErrorKind};
use std::error::Error;
use std::iter::successors;

/// The error of a configuration that has no source of credentials.
pub(in crate::settings) fn no_credentials() -> PortError {
    PortError::new(
        PortErrorKind::Credentials,
        "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where there is a role",
    )
}

/// The most profiles that are followed by `source_profile`.
const MOST_SOURCES: usize = 10;

/// What failed, as the SDK's error says.
enum Failed {
    /// STS refused a role of the profiles.
    Role(Refused),
    /// STS refused the role of a web identity token.
    WebIdentity(Refused),
    /// No usable answer came from STS, or from wherever the first credentials are.
    NoAnswer { of_sts: bool },
    /// The source of the first credentials was asked and gave none. With the words of its service, if it is a service and
    /// it answered.
    Source { words: Option<String> },
    /// Nobody was asked, because there is no source, or its settings are wrong.
    Settings,
}

/// A refusal of STS.
struct Refused {
    code: String,
    words: String,
    is_internal: bool,
}

impl Failed {
    fn of(error: &CredentialsError) -> Self {
        if !matches!(error, CredentialsError::ProviderError(_)) {
            return Self::Settings;
        }
        for cause in causes(error) {
            if let Some(failed) = of_sts::<AssumeRoleError>(cause, Self::Role) {
                return failed;
            }
            if let Some(failed) = of_sts::<AssumeRoleWithWebIdentityError>(cause, Self::WebIdentity) {
                return failed;
            }
        }
        if causes(error).any(<dyn Error>::is::<ConnectorError>) {
            return Self::NoAnswer { of_sts: false };
        }
        // The types of the other services are the SDK's own. This is how it shows their refusals.
        let words = causes(error)
            .skip_while(|cause| cause.to_string() != "service error")
            .nth(1)
            .map(ToString::to_string);
        Self::Source { words }
    }
}

/// The error and every cause below it.
fn causes(error: &CredentialsError) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    successors(Some(first), |&error| error.source())
}

fn of_sts<E>(cause: &(dyn Error + 'static), refused: impl Fn(Refused) -> Failed) -> Option<Failed>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let error = cause.downcast_ref::<SdkError<E, HttpResponse>>()?;
    let Some(refusal) = error.as_service_error() else {
        return Some(Failed::NoAnswer { of_sts: true });
    };
    let code = refusal.code().unwrap_or("an error without a code").to_owned();
    let words = match refusal.message() {
        None | Some("") => code.clone(),
        Some(message) => format!("{code}: {message}"),
    };
    let is_internal = error
        .raw_response()
        .is_some_and(|response| response.status().is_server_error());
    Some(refused(Refused {
        code,
        words,
        is_internal,
    }))
}

/// The profiles by which the SDK comes to credentials.
struct Way<'p> {
    /// Those whose roles are assumed, the selected one first.
    roles: Vec<&'p Profile>,
    /// The one that has the first credentials, if it is there.
    base: Option<&'p Profile>,
}

impl Surroundings {
    /// Why there are no credentials, and what to do.
    pub(crate) fn no_credentials(&self, error: CredentialsError) -> PortError {
        if let CredentialsError::ProviderTimedOut(_) = error {
            let what = "the source of AWS credentials did not answer";
            return PortError::new(PortErrorKind::Unavailable, what).with_source(error);
        }
        let what = self
            .half_a_key()
            .or_else(|| self.what_failed(&Failed::of(&error)));
        what.map_or_else(no_credentials, |(kind, what)| PortError::new(kind, what))
            .with_source(error)
    }

    /// A key in the environment of which one half is missing.
    fn half_a_key(&self) -> Option<(PortErrorKind, String)> {
        let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
        let what = match (self.variable(id), self.variable(secret)) {
            (Some(_), None) => format!("{id} is set, and {secret} is not: set both"),
            (None, Some(_)) => format!("{secret} is set, and {id} is not: set both"),
            _ => return None,
        };
        Some((PortErrorKind::Credentials, what))
    }

    fn what_failed(&self, failed: &Failed) -> Option<(PortErrorKind, String)> {
        let way = self.way();
        let refused = |what: &str, refused: &Refused, then: &str| {
            let kind = if refused.is_internal {
                PortErrorKind::Unavailable
            } else {
                PortErrorKind::Credentials
            };
            (kind, format!("AWS refused {what}: {}{then}", refused.words))
        };
        let was_refused = matches!(
            failed,
            Failed::Role(_) | Failed::WebIdentity(_) | Failed::NoAnswer { of_sts: true }
        );
        if !cfg!(feature = "profiles")
            && !was_refused
            && let Some(asked) = way.base.and_then(asked_for_credentials)
        {
            let what = format!("{}{}", self.before(&way), self.without_the_feature(&way, asked));
            return Some((PortErrorKind::Credentials, what));
        }
        let what = match failed {
            Failed::Role(refusal) => {
                return Some(refused(
                    &self.which_role(&way),
                    refusal,
                    &self.remedy(&way, refusal),
                ));
            }
            Failed::WebIdentity(refusal) => {
                return Some(refused("the role for the web identity token", refusal, ""));
            }
            Failed::NoAnswer { of_sts } => {
                let whom = match (of_sts, way.base) {
                    (true, _) => "STS",
                    (false, Some(base)) if has_sso(base) => "SSO",
                    _ => "the source of AWS credentials",
                };
                let what =
                    format!("{whom} gave no answer that could be read: see that it can be reached from here");
                return Some((PortErrorKind::Unavailable, what));
            }
            Failed::Source { words } => self
                .of_source(&way, words.as_deref())
                .or_else(|| self.of_settings(&way)),
            Failed::Settings => self.of_settings(&way),
        };
        Some((PortErrorKind::Credentials, what?))
    }

    /// The source of the first credentials, which was asked and gave none.
    fn of_source(&self, way: &Way<'_>, words: Option<&str>) -> Option<String> {
        let base = way.base?;
        let (name, file, before) = (base.name(), config_file(&self.env), self.before(way));
        if has_sso(base) {
            return Some(match words {
                Some(words) if !words.starts_with("Unauthorized") => format!(
                    "{before}SSO gave no credentials of the profile {name:?} ({file}): {words}. See that whoever is \
                     logged in may have its sso_role_name in its sso_account_id"
                ),
                _ => format!(
                    "{before}the SSO session of the profile {name:?} ({file}) has expired or was never begun: run \
                     `aws sso login --profile {name}`, then try again"
                ),
            });
        }
        set(base, "credential_process").map(|_| {
            format!(
                "{before}the credential_process of the profile {name:?} ({file}) failed: run its command by hand to \
                 see why"
            )
        })
    }

    /// That nothing asks for the credentials of the profile, because the feature is off.
    fn without_the_feature(&self, way: &Way<'_>, asked: &str) -> String {
        let name = way.base.map_or("default", |base| base.name());
        format!(
            "the profile {name:?} ({}) has its credentials from {asked}, and this program was built without the feature \
             `profiles` of patchfleet-aws, which asks there. Build it with the feature, or put credentials into the \
             environment: eval \"$(aws configure export-credentials --profile {name} --format env)\"",
            config_file(&self.env)
        )
    }

    /// What is missing or wrong in the profiles.
    fn of_settings(&self, way: &Way<'_>) -> Option<String> {
        let whose = self.whose();
        if let Some(last) = way.roles.last() {
            let before = self.before(way);
            return Some(match (set(last, "source_profile"), way.base) {
                (Some(source), None) if self.profiles.get_profile(source).is_none() => format!(
                    "{before}the source_profile {source:?} of the profile {:?} is in none of the profile files ({})",
                    last.name(),
                    profile_files(&self.env)
                ),
                _ => format!("{before}see that its source_profile or credential_source has credentials"),
            });
        }
        let named = self.named().is_some();
        (named || way.base.is_some()).then(|| {
            format!(
                "{whose} gives no AWS credentials: give it aws_access_key_id and aws_secret_access_key, sso_session, \
                 credential_process, or role_arn with source_profile{}",
                if named { ", or name another in AWS_PROFILE" } else { ", or set AWS_PROFILE to another" }
            )
        })
    }

    /// The role that was refused. Of several, AWS's words say which.
    fn which_role(&self, way: &Way<'_>) -> String {
        let whose = self.whose();
        match way.roles.as_slice() {
            [one] => format!("the role {} of {whose}", set(one, "role_arn").unwrap_or_default()),
            _ => format!("one of the roles of {whose}"),
        }
    }

    /// The beginning of a message about what keeps the role of the selected profile from being assumed.
    fn before(&self, way: &Way<'_>) -> String {
        let role = way.roles.first().and_then(|first| set(first, "role_arn"));
        role.map_or_else(String::new, |role| {
            format!("the role {role} of {} could not be assumed: ", self.whose())
        })
    }

    /// What to do about a refusal.
    fn remedy(&self, way: &Way<'_>, refused: &Refused) -> String {
        if refused.code != "AccessDenied" {
            return String::new();
        }
        let with_mfa = way.roles.iter().find(|role| set(role, "mfa_serial").is_some());
        with_mfa.map_or_else(
            || ". See that the role is there and trusts whoever assumes it".to_owned(),
            |profile| {
                format!(
                    ". The profile {:?} asks for MFA (mfa_serial), and patchfleet does not ask for a code. Take \
                     session credentials first, and run again with them in the environment: \
                     eval \"$(aws configure export-credentials --profile {} --format env)\"",
                    profile.name(),
                    self.profiles.selected_profile()
                )
            },
        )
    }

    /// The way to credentials from the selected profile, as the SDK goes it (aws-config, `profile::credentials`). A profile
    /// with a role leads on to its source. The way ends at the first profile without a role. After the selected profile
    /// it also ends at one that has a key of its own.
    fn way(&self) -> Way<'_> {
        let mut way = Way {
            roles: vec![],
            base: None,
        };
        let mut next = Some(self.profiles.selected_profile());
        while let Some(profile) = next.and_then(|name| self.profiles.get_profile(name))
            && way.roles.len() < MOST_SOURCES
        {
            let has_key = !way.roles.is_empty() && set(profile, "aws_access_key_id").is_some();
            let is_role = set(profile, "role_arn").is_some()
                && set(profile, "web_identity_token_file").is_none()
                && way.roles.iter().all(|seen| seen.name() != profile.name());
            if has_key || !is_role {
                way.base = Some(profile);
                return way;
            }
            way.roles.push(profile);
            // Without one it has a credential_source, and is the last itself.
            next = Some(set(profile, "source_profile").unwrap_or(profile.name()));
        }
        way
    }
}

/// What the SDK asks for the credentials of this profile only where a feature lets it.
fn asked_for_credentials(profile: &Profile) -> Option<&'static str> {
    if has_sso(profile) {
        return Some("SSO");
    }
    set(profile, "credential_process").map(|_| "a credential_process")
}

fn has_sso(profile: &Profile) -> bool {
    set(profile, "credential_source").is_none()
        && (set(profile, "sso_session").is_some() || set(profile, "sso_start_url").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::os_shim_internal::Env;

    #[tokio::test]
    async fn a_profile_that_only_the_feature_can_ask_says_how_it_is_built_or_done_without() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        let text = "[profile a]\nsso_session = corp\n[profile b]\ncredential_process = /bin/true\n\
                    [profile c]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = a\n";
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let keys = folder.path().join("credentials");
        let said = async |profile: &str| {
            let variables = [
                ("AWS_CONFIG_FILE", file),
                ("AWS_SHARED_CREDENTIALS_FILE", keys.to_str().unwrap()),
                ("AWS_PROFILE", profile),
            ];
            let found = Surroundings::of(Env::from_slice(&variables)).await.unwrap();
            let way = found.way();
            let asked = way.base.and_then(asked_for_credentials).unwrap();
            let said = found.without_the_feature(&way, asked);
            (asked, said.replace(file, "FILE"))
        };
        let (asked, words) = said("a").await;
        assert_eq!(asked, "SSO");
        assert_eq!(
            words,
            "the profile \"a\" (FILE) has its credentials from SSO, and this program was built without the feature \
             `profiles` of patchfleet-aws, which asks there. Build it with the feature, or put credentials into the \
             environment: eval \"$(aws configure export-credentials --profile a --format env)\""
        );
        let (asked, words) = said("b").await;
        assert_eq!(asked, "a credential_process");
        assert!(words.contains("--profile b "), "{words}");
        // The role's source is what has no credentials.
        let (asked, words) = said("c").await;
        assert_eq!(asked, "SSO");
        assert!(words.contains("the profile \"a\""), "{words}");
    }
}
