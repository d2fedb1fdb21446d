use super::*;
use crate::id::CampaignId;
use crate::problem::{Problem, ProblemCode, chain};
use crate::request::{Format, PatchRequest};
use proptest::prelude::*;
use serde_json::{Value, json};

const URL: &str = "https://bucket.s3.amazonaws.com/list.yaml?X-Amz-Signature=5ec7e7";

#[test]
fn a_url_with_a_signature_in_its_query_is_presigned_however_it_is_spelt() {
    for url in [
        URL,
        "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=ab",
        "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA%2F20260101",
        "https://b.s3.amazonaws.com/k?versionId=1&x-amz-security-token=ab",
        "https://b.s3.amazonaws.com/k?X%2DAmz%2dSignature=ab",
        "https://b.s3.amazonaws.com/k?%58-amz-%53ignature=ab",
        "https://b.s3.amazonaws.com/k?AWSAccessKeyId=AKIA&Expires=1&Signature=ab",
        "https://b.s3.amazonaws.com/k?a=b;sIGNATURE=ab",
        "https://d111.cloudfront.net/k?Expires=1&Signature=ab&Key-Pair-Id=K1",
        "https://storage.googleapis.com/b/k?X-Goog-Signature=ab",
        "https://a.blob.core.windows.net/c/b?sv=2020&sig=ab",
        "HTTPS://b/k?X-Amz-Signature=ab",
        " https://b/k?a?X-Amz-Signature=ab",
        r#"{"url":"https://b/k?a=1\u0026X-Amz-Signature=ab"}"#,
    ] {
        assert!(is_presigned(url), "{url}");
        assert!(concealed(url).starts_with(CONCEALED), "{url}");
    }
}

#[test]
fn a_url_without_a_signature_is_no_secret_and_stays_as_it_is() {
    for url in [
        "https://example.com/list.yaml",
        "https://example.com/list.yaml?versionId=signature",
        "https://example.com/list.yaml?signature-less=1&design=2",
        "https://example.com/X-Amz-Signature=ab",
        "https://example.com/k?%",
        "https://example.com/k?%zz=%é",
        "s3://bucket/list.yaml",
        "Who signed?",
        "",
    ] {
        assert!(!is_presigned(url), "{url}");
        assert_eq!(concealed(url), url);
        assert_eq!(concealed_within(url), url);
    }
}

#[test]
fn words_of_others_keep_everything_but_the_url() {
    let words = format!("Value '{URL}' at 'parameters' is too long");
    let digest = concealed(URL);
    assert_eq!(
        concealed_within(&words),
        format!("Value '{digest}' at 'parameters' is too long")
    );
    let error = crate::port::PortError::new(crate::port::PortErrorKind::Invalid, "the start failed")
        .with_source(words.clone())
        .with_words(words);
    assert!(!error.reason().contains("5ec7e7"), "{}", error.reason());
    assert!(!chain(&error).contains("5ec7e7"), "{}", chain(&error));
}

fn value(list: &str) -> Value {
    json!({
        "name": "weekly",
        "patch": { "operation": "Install", "install_override_list": list },
        "targets": { "resource_group": "WebServers", "regions": ["us-east-1"] },
    })
}

#[test]
fn what_was_written_out_is_not_taken_for_a_list() {
    let request = PatchRequest::from_value(value(URL)).unwrap();
    let written = serde_json::to_value(&request).unwrap();
    let problems = PatchRequest::from_value(written).unwrap_err().to_string();
    assert!(problems.contains("give it again"), "{problems}");

    let mut own = value("s3://bucket/list");
    own["automation"] = json!({ "document": "Our-Runbook", "parameters": { "List": [URL] } });
    let request = PatchRequest::from_value(own).unwrap();
    assert_eq!(request.presigned().as_deref(), Some("automation.parameters.List"));
    let written = serde_json::to_value(&request).unwrap();
    let problems = PatchRequest::from_value(written).unwrap_err().to_string();
    assert!(problems.contains("give it again"), "{problems}");
}

#[test]
fn requests_with_other_presigned_urls_have_other_digests() {
    let digest = |url: &str| PatchRequest::from_value(value(url)).unwrap().digest();
    assert_eq!(digest(URL), digest(URL));
    assert_ne!(digest(URL), digest(&format!("{URL}8")));
}

#[test]
fn of_an_external_id_of_a_wrong_shape_the_length_is_shown() {
    for (wrong, shown) in [
        (json!({ "external_id": "hush hush" }), "(not shown, length 9)"),
        (json!({ "external_id": 190_283_746_512_u64 }), "(not shown)"),
        (
            json!({ "external_id": { "text": "hush hush" } }),
            "(not shown, length 9)",
        ),
        (json!({ "externalId": "hush hush" }), "(not shown, length 9)"),
    ] {
        let mut request = value("s3://bucket/list");
        request["access"] = wrong;
        let problems = PatchRequest::from_value(request).unwrap_err().to_string();
        assert!(problems.contains(shown), "{problems}");
        assert!(
            !problems.contains("hush") && !problems.contains("190283746512"),
            "{problems}"
        );
    }
}

#[test]
fn a_presigned_url_in_a_place_of_its_own_is_cut_after_it_was_concealed() {
    let long = format!(
        "https://b.s3.amazonaws.com/k?a={}&Signature=x",
        "secret".repeat(30)
    );
    let wrong = json!({ "name": long, "targets": long, "list": [1, { "url": long }], "patch": { "operation": long } });
    let problems = PatchRequest::from_value(wrong).unwrap_err();
    assert!(problems.problems().len() >= 4);
    assert!(
        !format!("{problems} {problems:?}").contains("secretsecret"),
        "{problems}"
    );
    let problem = Problem::new(
        ProblemCode::InvalidValue,
        "x",
        format!("{{\"a\": \"{long}\"}}"),
        "less",
    );
    assert!(!problem.value.contains("secret"), "{problem}");
}

fn presigned_url() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        Just("X-Amz-Signature"),
        Just("x-amz-signature"),
        Just("X%2DAmz%2DSignature"),
        Just("AWSAccessKeyId=AKIA&Expires=9&Signature"),
        Just("X-Amz-Security-Token"),
    ];
    (
        "[a-z]{3,12}",
        "[a-zA-Z0-9/._~-]{0,40}",
        name,
        "[0-9a-f]{24,64}",
        "[a-z0-9%&=]{0,20}",
    )
        .prop_map(|(host, path, name, secret, more)| {
            let secret = format!("SIG{secret}");
            (
                format!("https://{host}.example/{path}?{name}={secret}&{more}"),
                secret,
            )
        })
}

proptest! {
    #[test]
    fn no_form_of_a_request_and_no_problem_shows_the_signature((url, secret) in presigned_url(), field in 0..3_u8) {
        let mut input = value("s3://bucket/list");
        match field {
            0 => input["patch"]["install_override_list"] = json!(url),
            1 => input["patch"] = json!({ "operation": "Install", "baseline_override": url }),
            _ => input["automation"] = json!({ "document": "Our-Runbook", "parameters": { "List": [url] } }),
        }
        let request = PatchRequest::from_value(input.clone()).unwrap();
        prop_assert!(request.presigned().is_some());
        let json = serde_json::to_string(&request).unwrap();
        let event = crate::id::EventId::new(crate::id::EventSource::Event, "e").unwrap();
        let campaign = CampaignId::of_event(&request.digest(), &event);
        let shown = format!("{json} {request:?} {request:#?} {campaign}");
        prop_assert!(!shown.contains(&secret), "{}", shown);
        prop_assert!(json.contains(&*concealed(&url)));

        // The same URL among other problems, and as the problem.
        input["name"] = json!(url);
        input["patch"]["install_override_list"] = json!(format!("ftp:{url}"));
        input["patch"]["operation"] = json!("Scan");
        input["targets"][url.as_str()] = json!(url);
        let problems = PatchRequest::from_value(input.clone()).unwrap_err();
        let text = PatchRequest::parse(input.to_string().as_bytes(), Format::Json).unwrap_err();
        let shown = format!("{problems} {problems:?} {text}");
        prop_assert!(!shown.contains(&secret), "{}", shown);

        // A list where it must not be, and two that exclude each other.
        let mut conflicting = value(&url);
        conflicting["patch"] = json!({ "install_override_list": url, "baseline_override": url });
        let problems = PatchRequest::from_value(conflicting).unwrap_err();
        let shown = format!("{problems} {problems:?}");
        prop_assert!(!shown.contains(&secret), "{}", shown);
    }
}
