//! Profiles and the credentials that they name: what is missing, refused or expired is told apart.

use super::*;

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
fn a_message_says_to_set_a_profile_only_if_there_is_no_setting_at_all() {
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
