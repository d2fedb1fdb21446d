//! The HTTP client that all clients share, and whom it trusts.

use aws_smithy_http_client::ConnectorBuilder;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
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
    })
}
