//! The HTTP client that all clients share, and whom it trusts.

use aws_smithy_http_client::ConnectorBuilder;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
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
/// environment, and the system's root certificates unless there is a `bundle`.
pub(crate) fn http_client(bundle: Option<Bundle>) -> SharedHttpClient {
    // `build_https` knows no proxy, so the connector is built as the SDK's own default is.
    let client =
        aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = ConnectorBuilder::default()
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
                .proxy_config(ProxyConfig::from_env());
            if let Some(Bundle(context)) = &bundle {
                connector = connector.tls_context(context.clone());
            }
            connector.set_connector_settings(settings.cloned());
            if let Some(components) = components {
                connector.set_sleep_impl(components.sleep_impl());
            }
            connector.build()
        });
    SharedHttpClient::new(MadeOnce(client))
}

/// An HTTP client whose connector is made when it is first needed. By itself it would also be made, and thrown away, for
/// each client of a service, to see whether it can be made. That reads every root certificate again, in each Region.
#[derive(Debug)]
struct MadeOnce(SharedHttpClient);

impl HttpClient for MadeOnce {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::box_error::BoxError;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
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
            looks(|client| SharedHttpClient::new(MadeOnce(SharedHttpClient::new(client)))),
            0
        );
    }
}
