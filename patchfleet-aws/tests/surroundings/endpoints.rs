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
fn of_two_spellings_in_a_services_section_the_guides_wins_unless_it_repeats_the_url_for_all_services() {
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

#[test]
fn calls_that_are_not_encrypted_go_through_the_proxy_of_the_environment() {
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let (proxy, seen) = answering("200 OK", IDENTITY);
        let home = Home::new("", "");
        let said = home.says(&[
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", "http://aws.invalid"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
            (variable, proxy.as_str()),
        ]);
        assert!(said.starts_with("111122223333 members"), "{variable}: {said}");
        let seen = seen.lock().unwrap();
        assert_eq!(
            seen.first().map(String::as_str),
            Some("POST http://aws.invalid/ HTTP/1.1"),
            "{variable}"
        );
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

/// What loading says with a good key in us-east-1 and these variables.
fn says_with(more: &[(&str, &str)]) -> String {
    let key = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
    ];
    Home::new("", "").says(&[&key[..], more].concat())
}

#[test]
fn an_endpoint_where_nobody_answers_is_named_with_what_sets_it() {
    let said = says_with(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]);
    assert!(
        said.starts_with(
            "caller unavailable: GetCallerIdentity in us-east-1 failed: http://127.0.0.1:1 could not be reached (see that \
             it is right: AWS_ENDPOINT_URL, or the profile's endpoint_url, sets it): "
        ),
        "{said}"
    );
    assert!(said.contains("Connection refused"), "{said}");
}

#[test]
fn a_host_that_is_not_found_is_named_with_the_region() {
    // No name ends in `.invalid` (RFC 2606), and this Region's hosts are looked up for real.
    let said = says_with(&[("AWS_ENDPOINT_URL", "http://sts.invalid")]);
    assert!(said.contains("http://sts.invalid could not be reached"), "{said}");
    let (proxy, _) = answering("502 Bad Gateway", "");
    let said = says_with(&[("AWS_REGION", "us-east-99"), ("HTTPS_PROXY", &proxy)]);
    assert!(
        said.contains(
            "https://sts.us-east-99.amazonaws.com could not be reached (see that us-east-99 is a Region and that this \
             machine can reach it)"
        ),
        "{said}"
    );
}

#[test]
fn a_connection_that_breaks_is_not_told_as_an_address_that_cannot_be_reached() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    // AWS may have taken a request of which nobody hears again.
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut head = [0];
            let _ = std::io::Read::read(&mut connection.unwrap(), &mut head);
        }
    });
    let said = says_with(&[("AWS_ENDPOINT_URL", &endpoint)]);
    assert!(
        said.starts_with("caller unavailable: GetCallerIdentity in us-east-1 failed"),
        "{said}"
    );
    assert!(!said.contains("could not be reached"), "{said}");
}

#[test]
fn an_endpoint_that_is_empty_or_no_url_is_refused_by_the_name_of_its_variable() {
    for variable in [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_RESOURCE_GROUPS",
    ] {
        assert_eq!(
            says_with(&[(variable, "")]),
            format!("invalid: {variable} is empty: unset it, or set a URL such as http://127.0.0.1:4566")
        );
        assert_eq!(
            says_with(&[(variable, "localhost:4566")]),
            format!(
                "invalid: {variable} = \"localhost:4566\": expected a URL, such as http://127.0.0.1:4566"
            )
        );
    }
    let of_a_service = Home::new(
        "[default]\nregion = us-east-1\nservices = own\n[services own]\nresource_groups =\n  endpoint_url = nowhere\n",
        &format!("[default]\n{KEYS}"),
    );
    assert_eq!(
        of_a_service.says(&[]),
        "building invalid: AWS_ENDPOINT_URL_RESOURCE_GROUPS (or endpoint_url in a services section of the profile) = \
         \"nowhere\": expected a URL, such as http://127.0.0.1:4566"
    );
    let home = Home::new("[default]\nregion = us-east-1\nendpoint_url = nowhere\n", "");
    assert_eq!(
        home.says(&[]),
        "invalid: endpoint_url of the profile \"default\" (~/.aws/config, ~/.aws/credentials) = \"nowhere\": expected a \
         URL, such as http://127.0.0.1:4566"
    );
}

#[test]
fn an_empty_region_is_refused_by_the_name_of_its_variable() {
    assert_eq!(
        says_with(&[("AWS_REGION", "")]),
        "invalid: no AWS Region: AWS_REGION is empty: set it to a Region, or unset it"
    );
}

#[test]
fn a_region_in_which_the_key_is_unknown_is_named_beside_the_credentials() {
    let refusal = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
        <Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid</Message></Error>\
        <RequestId>r-1</RequestId></ErrorResponse>";
    let (sts, _) = answering("403 Forbidden", refusal);
    let said = says_with(&[("AWS_REGION", "ap-east-1"), ("AWS_ENDPOINT_URL", &sts)]);
    assert!(
        said.starts_with(
            "caller credentials: AWS does not take these credentials in ap-east-1: see that they are right, and that \
             ap-east-1 (from AWS_REGION, or the profile's region) is a Region that their account has enabled: \
             GetCallerIdentity in ap-east-1 failed: InvalidClientTokenId: The security token included"
        ),
        "{said}"
    );
    let ours = refusal.replace("InvalidClientTokenId", "ExpiredToken");
    let (sts, _) = answering("403 Forbidden", Box::leak(ours.into_boxed_str()));
    let said = says_with(&[("AWS_ENDPOINT_URL", &sts)]);
    assert!(
        said.starts_with("caller credentials: GetCallerIdentity in us-east-1 failed: ExpiredToken"),
        "{said}"
    );
}
