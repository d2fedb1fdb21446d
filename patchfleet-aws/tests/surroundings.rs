//! What the environment and the profile files say, as patchfleet reads it. Each case is a process of
//! its own, since a process has one environment: this program runs itself.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect fails"
)]

use patchfleet_aws::Aws;
use patchfleet_core::port::{Directory as _, Inventory as _, Selection};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const CHILD: &str = "PATCHFLEET_TEST_CHILD";

/// Loads, asks who calls and what is in a group, and prints what came of it.
#[tokio::test]
async fn the_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let said = match Aws::load().await {
        Err(error) => format!("{}: {}", error.kind(), error.chain()),
        Ok(builder) => {
            let aws = builder.build().unwrap();
            match aws.caller().await {
                Err(error) => format!("caller {}: {}", error.kind(), error.chain()),
                Ok(caller) => {
                    let here = patchfleet_core::id::Location::new(caller.account, caller.region);
                    let group = Selection::Group("WebServers".parse().unwrap());
                    match aws.members(&here, &group, None).await {
                        Ok(_) => format!("{} was answered", here.account),
                        Err(error) => format!("{} members {}: {}", here.account, error.kind(), error.chain()),
                    }
                }
            }
        }
    };
    println!("<<{said}>>");
}

/// A home of its own, with these profile files.
struct Home(TempDir);

impl Home {
    fn new(config: &str, credentials: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        std::fs::write(home.path().join(".aws/config"), config).unwrap();
        std::fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
        Self(home)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// What loading says in this home and environment.
    fn says(&self, env: &[(&str, &str)]) -> String {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_child", "--nocapture"])
            .env_clear()
            .env(CHILD, "1")
            .env("HOME", self.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .envs(env.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8(child.stdout).unwrap();
        let said = text.split_once("<<").and_then(|(_, rest)| rest.split_once(">>"));
        let said = said.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&child.stderr)));
        said.0.to_owned()
    }
}

const KEYS: &str = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = hush\n";

#[test]
fn a_profile_that_is_not_there_is_named_with_the_files_and_the_profiles_that_are() {
    let home = Home::new("[profile prod]\nregion = us-east-1\n", &format!("[base]\n{KEYS}"));
    assert_eq!(
        home.says(&[("AWS_PROFILE", "prdo"), ("AWS_REGION", "us-east-1")]),
        "invalid: AWS_PROFILE names the profile \"prdo\", which is in none of the profile files (~/.aws/config, \
         ~/.aws/credentials): the profiles there are base, prod"
    );
    let elsewhere = home.says(&[("AWS_PROFILE", "x"), ("AWS_CONFIG_FILE", "/nowhere/config")]);
    assert!(elsewhere.contains("/nowhere/config"), "{elsewhere}");
}

#[test]
fn only_where_there_is_nothing_at_all_is_one_told_to_set_a_profile() {
    let home = Home::new("", "");
    let said = home.says(&[("AWS_REGION", "us-east-1")]);
    assert!(
        said.starts_with("credentials: no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID"),
        "{said}"
    );
    let half = home.says(&[("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "AKID")]);
    assert!(
        half.starts_with("credentials: AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not: set both"),
        "{half}"
    );
}

#[test]
fn a_region_that_is_missing_says_where_it_may_be_set() {
    let home = Home::new("[profile prod]\n", &format!("[prod]\n{KEYS}"));
    assert_eq!(
        home.says(&[("AWS_PROFILE", "prod")]),
        "invalid: no AWS Region: the profile \"prod\" (~/.aws/config, ~/.aws/credentials) has no region, and \
         AWS_REGION is not set: set one of them"
    );
}

/// An AWS on loopback that answers every call so, and gives the first line and the host of each.
fn answering(status: &'static str, body: &'static str) -> (String, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::<std::sync::Mutex<Vec<String>>>::default();
    let kept = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = vec![];
            let mut part = [0; 4096];
            while !whole(&bytes) {
                let read = stream.read(&mut part).unwrap_or(0);
                if read == 0 {
                    break;
                }
                bytes.extend_from_slice(&part[..read]);
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            kept.lock()
                .unwrap()
                .push(text.lines().next().unwrap_or_default().to_owned());
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (endpoint, seen)
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length:")
            .map(str::to_owned)
    });
    body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
}

const IDENTITY: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
    <GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:root</Arn><UserId>U</UserId>\
    <Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";

#[test]
fn a_role_that_asks_for_mfa_says_so_and_what_to_do() {
    let (endpoint, _) = answering(
        "403 Forbidden",
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: \
         sts:AssumeRole</Message></Error></ErrorResponse>",
    );
    let home = Home::new(
        "[profile base]\nregion = us-east-1\n[profile mfa]\nregion = us-east-1\n\
         role_arn = arn:aws:iam::111122223333:role/Admin\nsource_profile = base\n\
         mfa_serial = arn:aws:iam::111122223333:mfa/someone\n",
        &format!("[base]\n{KEYS}"),
    );
    let said = home.says(&[("AWS_PROFILE", "mfa"), ("AWS_ENDPOINT_URL", &endpoint)]);
    assert!(
        said.starts_with(
            "credentials: AWS refused the role arn:aws:iam::111122223333:role/Admin of the profile \"mfa\" (~/.aws/config, \
             ~/.aws/credentials): AccessDenied: not authorized to perform: sts:AssumeRole. The profile \"mfa\" asks for \
             MFA (mfa_serial), and patchfleet does not ask for a code. Take session credentials first, and run again with \
             them in the environment: eval \"$(aws configure export-credentials --profile mfa --format env)\": "
        ),
        "{said}"
    );
    assert!(
        said.contains("AccessDenied") && said.contains("not authorized to perform: sts:AssumeRole"),
        "{said}"
    );
    assert!(
        !said.contains("hush") && !said.contains("set AWS_PROFILE"),
        "{said}"
    );
}

const REFUSED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: \
    arn:aws:sts::111122223333:assumed-role/R/me is not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>";

/// What is said of a role that STS refused, of the profile "admin".
const ROLE_REFUSED: &str = "credentials: AWS refused the role arn:aws:iam::111122223333:role/Admin of the profile \"admin\" \
    (~/.aws/config, ~/.aws/credentials): AccessDenied: User: arn:aws:sts::111122223333:assumed-role/R/me is not authorized \
    to perform: sts:AssumeRole. See that the role is there and trusts whoever assumes it: ";

/// A process that gives credentials.
const PROCESS: &str = "credential_process = echo '{\"Version\":1,\"AccessKeyId\":\"AKIDEXAMPLE\",\"SecretAccessKey\":\"hush\"}'";

#[test]
fn a_role_that_is_refused_is_not_blamed_on_the_process_that_worked() {
    let (endpoint, _) = answering("403 Forbidden", REFUSED);
    // MFA of a profile that assumes no role plays no part either.
    let home = Home::new(
        &format!(
            "[profile admin]\nregion = us-east-1\nrole_arn = arn:aws:iam::111122223333:role/Admin\n\
             source_profile = base\n[profile base]\nmfa_serial = arn:aws:iam::111122223333:mfa/someone\n{PROCESS}\n"
        ),
        "",
    );
    let said = home.says(&[("AWS_PROFILE", "admin"), ("AWS_ENDPOINT_URL", &endpoint)]);
    assert!(said.starts_with(ROLE_REFUSED), "{said}");
    assert!(
        !said.contains("credential_process") && !said.contains("MFA"),
        "{said}"
    );
}

#[test]
fn a_process_that_fails_is_named_though_a_role_with_mfa_was_to_follow() {
    let (endpoint, asked) = answering("403 Forbidden", REFUSED);
    let home = Home::new(
        "[profile admin]\nregion = us-east-1\nrole_arn = arn:aws:iam::111122223333:role/Admin\n\
         mfa_serial = arn:aws:iam::111122223333:mfa/someone\nsource_profile = base\n\
         [profile base]\ncredential_process = sh -c 'exit 3'\n",
        "",
    );
    let said = home.says(&[("AWS_PROFILE", "admin"), ("AWS_ENDPOINT_URL", &endpoint)]);
    assert!(
        said.starts_with(
            "credentials: the role arn:aws:iam::111122223333:role/Admin of the profile \"admin\" (~/.aws/config, \
             ~/.aws/credentials) could not be assumed: the credential_process of the profile \"base\" (~/.aws/config) \
             failed: "
        ),
        "{said}"
    );
    assert!(asked.lock().unwrap().is_empty());
}

#[test]
fn an_sts_that_does_not_answer_is_unavailable_and_blames_no_profile() {
    let home = Home::new(
        &format!(
            "[profile admin]\nregion = us-east-1\nrole_arn = arn:aws:iam::111122223333:role/Admin\n\
             source_profile = base\n[profile base]\n{PROCESS}\n"
        ),
        "",
    );
    let said = home.says(&[
        ("AWS_PROFILE", "admin"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ]);
    assert!(
        said.starts_with(
            "unavailable: STS gave no answer that could be read: see that it can be reached from here: "
        ),
        "{said}"
    );
}

/// A profile "dev" of SSO whose session is good for years, and a profile "admin" that assumes a role
/// with it.
fn logged_in() -> Home {
    let home = Home::new(
        "[profile admin]\nregion = us-east-1\nrole_arn = arn:aws:iam::111122223333:role/Admin\nsource_profile = dev\n\
         [profile dev]\nregion = us-east-1\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = R\n\
         [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n",
        "",
    );
    let cache = home.path().join(".aws/sso/cache");
    std::fs::create_dir_all(&cache).unwrap();
    // The SDK names the file by the SHA-1 of "corp".
    std::fs::write(
        cache.join("ee0bfd2552fbd840c02cc48b6e823320543c450f.json"),
        r#"{"accessToken":"token","expiresAt":"2099-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    home
}

#[test]
fn sso_is_told_to_log_in_only_where_the_session_failed() {
    let home = logged_in();
    let credentials = r#"{"roleCredentials":{"accessKeyId":"A","secretAccessKey":"hush","sessionToken":"t","expiration":4070908800000}}"#;
    let (sso, _) = answering("200 OK", credentials);
    let (sts, _) = answering("403 Forbidden", REFUSED);
    let endpoints = |sso: &str| {
        home.says(&[
            ("AWS_PROFILE", "admin"),
            ("AWS_ENDPOINT_URL_SSO", sso),
            ("AWS_ENDPOINT_URL_STS", &sts),
        ])
    };
    let refused = endpoints(&sso);
    assert!(refused.starts_with(ROLE_REFUSED), "{refused}");
    assert!(!refused.contains("sso login"), "{refused}");

    let offline = endpoints("http://127.0.0.1:1");
    assert!(
        offline.starts_with(
            "unavailable: SSO gave no answer that could be read: see that it can be reached from here: "
        ),
        "{offline}"
    );

    let (not_assigned, _) = answering(
        "403 Forbidden",
        r#"{"__type":"ForbiddenException","message":"No access"}"#,
    );
    let not_assigned = endpoints(&not_assigned);
    assert!(
        not_assigned.contains("SSO gave no credentials of the profile \"dev\" (~/.aws/config): ")
            && not_assigned.contains("No access")
            && !not_assigned.contains("sso login"),
        "{not_assigned}"
    );

    let (ended, _) = answering(
        "401 Unauthorized",
        r#"{"__type":"UnauthorizedException","message":"Session token not found or invalid"}"#,
    );
    let ended = endpoints(&ended);
    assert!(ended.contains("run `aws sso login --profile dev`"), "{ended}");
}

#[test]
fn a_source_profile_that_is_not_there_is_named() {
    let home = Home::new(
        "[profile admin]\nregion = us-east-1\nrole_arn = arn:aws:iam::111122223333:role/Admin\n\
         source_profile = gone\n",
        "",
    );
    let said = home.says(&[("AWS_PROFILE", "admin")]);
    assert!(
        said.starts_with(
            "credentials: the role arn:aws:iam::111122223333:role/Admin of the profile \"admin\" (~/.aws/config, \
             ~/.aws/credentials) could not be assumed: the source_profile \"gone\" of the profile \"admin\" is in none \
             of the profile files (~/.aws/config, ~/.aws/credentials): "
        ),
        "{said}"
    );
}

#[test]
fn sso_that_nobody_logged_in_to_says_how_to_log_in() {
    let home = Home::new(
        "[profile dev]\nregion = us-east-1\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = R\n\
         [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n",
        "",
    );
    let said = home.says(&[("AWS_PROFILE", "dev")]);
    assert!(
        said.starts_with(
            "credentials: the SSO session of the profile \"dev\" (~/.aws/config) has expired or was never begun: run \
             `aws sso login --profile dev`, then try again: "
        ),
        "{said}"
    );
}

#[test]
fn a_credential_process_that_fails_is_named_and_a_profile_without_any_source_is_too() {
    let home = Home::new(
        "[profile tool]\nregion = us-east-1\ncredential_process = sh -c 'exit 3'\n[profile bare]\nregion = us-east-1\n",
        "",
    );
    let said = home.says(&[("AWS_PROFILE", "tool")]);
    assert!(
        said.starts_with(
            "credentials: the credential_process of the profile \"tool\" (~/.aws/config) failed: "
        ),
        "{said}"
    );
    let said = home.says(&[("AWS_PROFILE", "bare")]);
    assert!(
        said.starts_with(
            "credentials: the profile \"bare\" (~/.aws/config, ~/.aws/credentials) gives no AWS credentials: "
        ),
        "{said}"
    );
}

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
