//! The HTTP client that all clients share, and whom it trusts.

use aws_smithy_http_client::ConnectorBuilder;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use patchfleet_core::port::{PortError, PortErrorKind, PortResult};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::path::Path;

/// A file of certificates in PEM that are trusted in place of the system's, read and found good.
#[derive(Clone)]
pub(crate) struct Bundle(TlsContext);

impl Bundle {
    /// Reads the file that `setting` names.
    pub(crate) fn read(path: &Path, setting: &str) -> PortResult<Self> {
        let wrong = |what: &str| {
            let message = format!("{} ({setting}) {what}", path.display());
            PortError::new(PortErrorKind::Invalid, message)
        };
        if path.is_dir() {
            return Err(wrong("is a folder: expected a file of certificates in PEM"));
        }
        let pem = std::fs::read(path).map_err(|error| wrong("cannot be read").with_source(error))?;
        // The connector would panic at a bad certificate, so each one is looked at here.
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate =
                certificate.map_err(|error| wrong("is no PEM file").with_source(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| wrong("has a certificate that cannot be read").with_source(error))?;
        }
        if roots.is_empty() {
            return Err(wrong(
                "has no certificates: expected blocks of BEGIN CERTIFICATE in PEM",
            ));
        }
        let context = TlsContext::builder()
            .with_trust_store(TrustStore::empty().with_pem_certificate(pem))
            .build()
            .map_err(|error| wrong("cannot be used").with_source(error))?;
        Ok(Self(context))
    }
}

/// One HTTP client for all clients of the SDK. Left alone, each of them would make one with connections of its own, which
/// over hundreds of accounts are thousands. This one is made as the SDK would make it, with rustls, the proxies of the
/// environment, and the system's root certificates unless there is a `bundle`. They are read at the first call that needs
/// them: a call of `http://` does not, unless a proxy is asked through TLS.
pub(crate) fn http_client(bundle: Option<Bundle>) -> SharedHttpClient {
    // `build_https` knows no proxy, so the connector is built as the SDK's own default is.
    let secured =
        aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = connector(settings, components)
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc));
            if let Some(Bundle(context)) = &bundle {
                connector = connector.tls_context(context.clone());
            }
            connector.build()
        });
    if is_plain_proxied(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
        return SharedHttpClient::new(MadeOnce {
            plain: secured.clone(),
            secured,
        });
    }
    let plain = aws_smithy_http_client::Builder::new()
        .build_with_connector_fn(|settings, components| connector(settings, components).build_http());
    SharedHttpClient::new(MadeOnce { plain, secured })
}

/// A connector with the proxies of the environment.
fn connector(
    settings: Option<&HttpConnectorSettings>,
    components: Option<&RuntimeComponents>,
) -> ConnectorBuilder {
    let mut connector = ConnectorBuilder::default().proxy_config(ProxyConfig::from_env());
    connector.set_connector_settings(settings.cloned());
    if let Some(components) = components {
        connector.set_sleep_impl(components.sleep_impl());
    }
    connector
}

/// Whether calls of `http://` may go through a proxy, which may itself be asked through TLS.
fn is_plain_proxied(is_set: impl Fn(&str) -> bool) -> bool {
    ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .any(is_set)
}

/// An HTTP client whose connectors are made when they are first needed. By itself it would also be made, and thrown away,
/// for each client of a service, to see whether it can be made. That reads every root certificate again, in each Region.
#[derive(Debug)]
struct MadeOnce {
    /// For `http://`.
    plain: SharedHttpClient,
    secured: SharedHttpClient,
}

impl HttpClient for MadeOnce {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(ByScheme {
            plain: self.plain.clone(),
            secured: self.secured.clone(),
            settings: settings.clone(),
            components: components.clone(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.secured.connector_metadata()
    }
}

/// Sends each request with the client that its scheme needs. Both clients keep the connectors that they have made.
#[derive(Debug)]
struct ByScheme {
    plain: SharedHttpClient,
    secured: SharedHttpClient,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for ByScheme {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let scheme = request.uri().split(':').next().unwrap_or_default();
        let client = if scheme.eq_ignore_ascii_case("http") {
            &self.plain
        } else {
            &self.secured
        };
        client
            .http_connector(&self.settings, &self.components)
            .call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::box_error::BoxError;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::config_bag::ConfigBag;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts how often it is looked at whether a connector can be made.
    #[derive(Debug)]
    struct Counted(Arc<AtomicUsize>);

    impl HttpClient for Counted {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            unreachable!("nothing is sent")
        }

        fn validate_base_client_config(
            &self,
            _: &RuntimeComponentsBuilder,
            _: &ConfigBag,
        ) -> Result<(), BoxError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    #[test]
    fn no_client_of_a_service_reads_the_root_certificates_only_to_see_that_it_can() {
        let looks = |wrap: fn(Counted) -> SharedHttpClient| {
            let count = Arc::new(AtomicUsize::new(0));
            let config = crate::simulated_config("http://localhost:1", &"eu-west-1".parse().unwrap())
                .into_builder()
                .http_client(wrap(Counted(count.clone())))
                .build();
            for _ in 0..17 {
                let _ = crate::call::sdk::ssm(&config);
            }
            count.load(Ordering::Relaxed)
        };
        assert_eq!(looks(SharedHttpClient::new), 17);
        assert_eq!(
            looks(|client| {
                let client = SharedHttpClient::new(client);
                SharedHttpClient::new(MadeOnce {
                    plain: client.clone(),
                    secured: client,
                })
            }),
            0
        );
    }

    /// Answers with this status.
    #[derive(Debug)]
    struct Answering(u16);

    impl HttpConnector for Answering {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let status = self.0.try_into().unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::empty())))
        }
    }

    impl HttpClient for Answering {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(Self(self.0))
        }
    }

    #[tokio::test]
    async fn only_what_is_surely_not_encrypted_goes_without_tls() {
        let client = MadeOnce {
            plain: SharedHttpClient::new(Answering(201)),
            secured: SharedHttpClient::new(Answering(202)),
        };
        let components = RuntimeComponentsBuilder::for_tests().build().unwrap();
        let connector = client.http_connector(&HttpConnectorSettings::default(), &components);
        for (uri, wanted) in [
            ("http://127.0.0.1:4566/", 201),
            ("HTTP://localhost/", 201),
            ("https://sts.us-east-1.amazonaws.com/", 202),
            ("/", 202),
        ] {
            let request = HttpRequest::get(uri).unwrap();
            let answer = connector.call(request).await.unwrap();
            assert_eq!(answer.status().as_u16(), wanted, "{uri}");
        }
    }

    #[test]
    fn a_proxy_for_calls_that_are_not_encrypted_is_known_by_each_of_its_names() {
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            assert!(is_plain_proxied(|asked| asked == name), "{name}");
        }
        assert!(!is_plain_proxied(
            |name| ["HTTPS_PROXY", "NO_PROXY"].contains(&name)
        ));
    }
}
