//! Endpoints and the certificates that are trusted there.

use super::*;

#[test]
fn a_services_section_is_read_by_the_guides_spelling_and_by_the_sdks() {
    for spelling in ["resource_groups", "resource-groups"] {
        let (private, seen) = answering(
            "200 OK",
            r#"{"Resources":[],"ResourceIdentifiers":[],"QueryErrors":[]}"#,
        );
        let (sts, _) = answering("200 OK", IDENTITY);
        let home = Home::new(
            &format!(
                "[profile vpce]\nregion = us-east-1\nservices = private\nendpoint_url = http://127.0.0.1:1\n\
                 [services private]\nsts =\n  endpoint_url = {sts}\n{spelling} =\n  endpoint_url = {private}\n"
            ),
            &format!("[vpce]\n{KEYS}"),
        );
        let said = home.says(&[("AWS_PROFILE", "vpce")]);
        assert_eq!(said, "111122223333 was answered", "{spelling}");
        assert_eq!(
            *seen.lock().unwrap(),
            ["POST /list-group-resources HTTP/1.1"],
            "{spelling}"
        );
    }
}

#[test]
fn of_two_spellings_in_a_services_section_the_guides_wins_unless_it_repeats_what_is_for_all() {
    let answer = r#"{"Resources":[],"ResourceIdentifiers":[],"QueryErrors":[]}"#;
    for (repeats, wins) in [(false, "guide"), (true, "sdk")] {
        let (guide, by_guide) = answering("200 OK", answer);
        let (sdk, by_sdk) = answering("200 OK", answer);
        let (sts, _) = answering("200 OK", IDENTITY);
        let for_all = if repeats {
            guide.as_str()
        } else {
            "http://127.0.0.1:1"
        };
        let home = Home::new(
            &format!(
                "[profile vpce]\nregion = us-east-1\nservices = private\nendpoint_url = {for_all}\n\
                 [services private]\nsts =\n  endpoint_url = {sts}\nresource_groups =\n  endpoint_url = {guide}\n\
                 resource-groups =\n  endpoint_url = {sdk}\n"
            ),
            &format!("[vpce]\n{KEYS}"),
        );
        assert_eq!(home.says(&[("AWS_PROFILE", "vpce")]), "111122223333 was answered");
        let asked = [by_guide.lock().unwrap().len(), by_sdk.lock().unwrap().len()];
        let wanted = if wins == "guide" { [1, 0] } else { [0, 1] };
        assert_eq!(asked, wanted, "{wins}");
    }
}

/// A server on loopback whose certificate a made-up authority has signed: its endpoint, and the
/// authority's certificate in PEM.
fn behind_a_proxy_that_inspects_tls(runtime: &tokio::runtime::Runtime) -> (String, String) {
    let mut of_authority = rcgen::CertificateParams::new(vec![]).unwrap();
    of_authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = of_authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(of_authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    runtime.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let (mut bytes, mut part) = (vec![], [0; 4096]);
            while !whole(&bytes) {
                let read = stream.read(&mut part).await.unwrap_or(0);
                if read == 0 {
                    break;
                }
                bytes.extend_from_slice(&part[..read]);
            }
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{IDENTITY}",
                IDENTITY.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (endpoint, authority.pem())
}

#[test]
fn a_bundle_of_certificates_is_trusted_as_the_aws_cli_trusts_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (endpoint, pem) = behind_a_proxy_that_inspects_tls(&runtime);
    let home = Home::new(
        "[profile bundled]\nca_bundle = ~/corp.pem\n[default]\n",
        &format!("[bundled]\n{KEYS}"),
    );
    std::fs::write(home.path().join("corp.pem"), &pem).unwrap();
    let in_home = home.path().join("corp.pem");
    let keys = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_STS", endpoint.as_str()),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
    ];
    let with = |more: &[(&str, &str)]| home.says(&[&keys[..], more].concat());
    let by_variable = with(&[("AWS_CA_BUNDLE", in_home.to_str().unwrap())]);
    assert!(
        by_variable.starts_with("111122223333 members unavailable"),
        "{by_variable}"
    );
    let by_profile = with(&[("AWS_PROFILE", "bundled")]);
    assert!(
        by_profile.starts_with("111122223333 members unavailable"),
        "{by_profile}"
    );
    let without = with(&[]);
    assert!(
        without.starts_with("caller unavailable") && without.contains("UnknownIssuer"),
        "{without}"
    );
}

#[test]
fn a_bundle_that_is_of_no_use_is_named_with_its_setting() {
    let home = Home::new(
        "[profile p]\nca_bundle = /nowhere/corp.pem\n",
        &format!("[p]\n{KEYS}"),
    );
    let says = |path: &str| home.says(&[("AWS_REGION", "us-east-1"), ("AWS_CA_BUNDLE", path)]);
    assert!(says("/nowhere/x.pem").starts_with("invalid: /nowhere/x.pem (AWS_CA_BUNDLE) cannot be read: "));
    assert!(says("/tmp").starts_with("invalid: /tmp (AWS_CA_BUNDLE) is a folder: "));
    let file = home.path().join("some.pem");
    let name = file.to_str().unwrap();
    for (content, wrong) in [
        ("", "has no certificates"),
        ("hello", "has no certificates"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n", "is no PEM file"),
        (
            "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n",
            "has a certificate that cannot be read",
        ),
    ] {
        std::fs::write(&file, content).unwrap();
        let said = says(name);
        assert!(
            said.starts_with(&format!("invalid: {name} (AWS_CA_BUNDLE) {wrong}")),
            "{content:?}: {said}"
        );
    }
    let of_profile = home.says(&[("AWS_PROFILE", "p"), ("AWS_REGION", "us-east-1")]);
    assert!(
        of_profile.starts_with(
            "invalid: /nowhere/corp.pem (ca_bundle of the profile \"p\" (~/.aws/config, ~/.aws/credentials)) cannot be read"
        ),
        "{of_profile}"
    );
}

#[test]
fn fips_and_dual_stack_are_read_from_the_environment_and_from_the_profile() {
    let home = Home::new(
        "[profile fips]\nregion = us-east-1\nuse_fips_endpoint = true\n\
         [profile dual]\nregion = us-east-1\nuse_dualstack_endpoint = true\n",
        &format!("[fips]\n{KEYS}[dual]\n{KEYS}[default]\n{KEYS}"),
    );
    for (setting, value, host) in [
        (
            "AWS_USE_FIPS_ENDPOINT",
            "true",
            "sts-fips.us-east-1.amazonaws.com",
        ),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", "sts.us-east-1.api.aws"),
        ("AWS_PROFILE", "fips", "sts-fips.us-east-1.amazonaws.com"),
        ("AWS_PROFILE", "dual", "sts.us-east-1.api.aws"),
    ] {
        let (proxy, seen) = answering("403 Forbidden", "");
        home.says(&[
            (setting, value),
            ("AWS_REGION", "us-east-1"),
            ("HTTPS_PROXY", &proxy),
        ]);
        let asked = seen.lock().unwrap().first().cloned();
        assert_eq!(
            asked,
            Some(format!("CONNECT {host}:443 HTTP/1.1")),
            "{setting} = {value}"
        );
    }
}
