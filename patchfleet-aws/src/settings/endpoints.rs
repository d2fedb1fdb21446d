//! Endpoints that somebody has set. They are looked at before a call is made, because the SDK panics at an empty one, and
//! shows a whole request if one has no scheme.

use super::services::ServicesAsTheCli;
use patchfleet_core::port::{PortError, PortErrorKind, PortResult};

/// The services that are called, by the SDK's ids: those of patchfleet's own calls.
const CALLED: [&str; 8] = [
    "STS",
    "SSM",
    "Resource Groups",
    "Resource Groups Tagging API",
    "Account",
    "Organizations",
    "CloudWatch",
    "S3",
];

/// Services that only credentials are asked from.
const OF_CREDENTIALS: [&str; 2] = ["SSO", "SSO OIDC"];

/// The environment variables that set an endpoint.
pub(super) fn variables() -> impl Iterator<Item = String> {
    let of_services = CALLED.into_iter().chain(OF_CREDENTIALS);
    let of_services = of_services.map(|service| format!("AWS_ENDPOINT_URL_{}", spelled(service)));
    std::iter::once("AWS_ENDPOINT_URL".to_owned()).chain(of_services)
}

/// Refuses an endpoint that no call can be sent to. `setting` says where it is set.
pub(super) fn check(endpoint: &str, setting: &str) -> PortResult<()> {
    let wrong = if endpoint.trim().is_empty() {
        format!("{setting} is empty: unset it, or set a URL such as http://127.0.0.1:4566")
    } else if is_url(endpoint) {
        return Ok(());
    } else {
        format!("{setting} = {endpoint:?}: expected a URL, such as http://127.0.0.1:4566")
    };
    Err(PortError::new(PortErrorKind::Invalid, wrong))
}

/// Refuses a configuration with such an endpoint, for all services or for one of them.
pub(super) fn check_all(for_all: Option<&str>, services: Option<&ServicesAsTheCli>) -> PortResult<()> {
    if let Some(endpoint) = for_all {
        check(endpoint, "AWS_ENDPOINT_URL (or the profile's endpoint_url)")?;
    }
    for service in CALLED {
        if let Some(endpoint) = services.and_then(|services| services.endpoint(service)) {
            let variable = format!("AWS_ENDPOINT_URL_{}", spelled(service));
            check(
                &endpoint,
                &format!("{variable} (or endpoint_url in a services section of the profile)"),
            )?;
        }
    }
    Ok(())
}

fn spelled(service: &str) -> String {
    service.replace(' ', "_").to_uppercase()
}

fn is_url(text: &str) -> bool {
    let host = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && !host.starts_with(['/', '?', '#', ':'])
            && host.chars().all(|c| c.is_ascii_graphic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_with_a_host() {
        for good in [
            "http://127.0.0.1:4566",
            "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com/",
            "http://[::1]:80",
        ] {
            assert!(check(good, "X").is_ok(), "{good}");
        }
        for bad in [
            "127.0.0.1:9",
            "foo:9",
            "ftp://x",
            "http://",
            "http:///x",
            "http://a b",
            "http://:80",
        ] {
            assert_eq!(
                check(bad, "X").unwrap_err().to_string(),
                format!("X = {bad:?}: expected a URL, such as http://127.0.0.1:4566")
            );
        }
        assert_eq!(
            check(" ", "X").unwrap_err().to_string(),
            "X is empty: unset it, or set a URL such as http://127.0.0.1:4566"
        );
    }

    #[test]
    fn each_service_has_its_variable() {
        let all: Vec<String> = variables().collect();
        assert!(
            all.contains(&"AWS_ENDPOINT_URL_RESOURCE_GROUPS".to_owned()),
            "{all:?}"
        );
        assert_eq!(all.len(), 11);
    }
}
