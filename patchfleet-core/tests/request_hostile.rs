//! Inputs that are made to cost a lot, and inputs that are something else than a request.

use patchfleet_core::problem::ProblemCode;
use patchfleet_core::request::{Format, PatchRequest};
use std::fmt::Write as _;

/// The code of the only problem, and the whole message.
#[expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests, outside of #[test]"
)]
fn only(text: &str, format: Format) -> (ProblemCode, String) {
    let problems = PatchRequest::parse(text.as_bytes(), format).unwrap_err();
    let [problem] = problems.problems() else {
        panic!("not one problem: {problems}")
    };
    (problem.code, problems.to_string())
}

#[test]
fn seventy_thousand_unknown_keys_look_for_neighbours_a_hundred_times() {
    // Looking for the field that a key may have been meant to be is what takes long.
    let mut text = String::from("name = 'a'\n");
    for n in 0..70_000 {
        writeln!(text, "namee{n} = 1").unwrap();
    }
    let problems = PatchRequest::parse(text.as_bytes(), Format::Toml).unwrap_err();
    let problems = problems.problems();
    // And two fields that are missing.
    assert_eq!(problems.len(), 70_002);
    let suggestions = problems
        .iter()
        .filter(|problem| problem.expected.contains("did you mean"))
        .count();
    assert!(suggestions <= 100, "{suggestions}");
    let shown = PatchRequest::parse(text.as_bytes(), Format::Toml)
        .unwrap_err()
        .to_string();
    assert_eq!(shown.lines().count(), 102);
    assert!(shown.ends_with("and 69902 more"), "{shown}");
}

#[test]
fn an_alias_bomb_is_refused_before_it_goes_off() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..9 {
        let before = n - 1;
        let aliases = vec![format!("*a{before}"); 10].join(", ");
        writeln!(text, "a{n}: &a{n} [{aliases}]").unwrap();
    }
    let (code, message) = only(&text, Format::Yaml);
    assert_eq!(code, ProblemCode::Syntax);
    assert!(
        message.contains("its aliases (*name) stand for more than 50000 values together")
            && message.contains("Write the values out instead")
            && message.contains("at line "),
        "{message}"
    );
}

#[test]
fn what_a_yaml_text_may_not_do_is_told_in_the_words_of_requests() {
    let deep = format!("a: {}", "[".repeat(5_000));
    for (text, words) in [
        ("a: *nobody\n", "an alias (*name) stands for nothing"),
        ("a: &a {b: 1}\nc: {<<: *a}\n", "a request has no merge keys (<<)"),
        (
            "a: &a [1, *a]\n",
            "an alias (*name) stands for a value that it is itself a part of",
        ),
        (&*deep, "lists or tables nest too deep"),
    ] {
        let (code, message) = only(text, Format::Yaml);
        assert_eq!(code, ProblemCode::Syntax);
        assert!(message.contains(words), "{message}");
        for words in ["breach", "events", "YAML document too", "recursion"] {
            assert!(!message.contains(words), "{message}");
        }
    }
}

#[test]
fn an_alias_may_still_stand_for_a_long_list() {
    let ids: Vec<String> = (0..20_000).map(|n| format!("i-{n:017x}")).collect();
    let text = format!(
        "name: a\ntargets:\n  regions: &regions [us-east-1, eu-west-1]\n  exclude_regions: []\n  node_ids: [{}]\n",
        ids.join(", ")
    );
    PatchRequest::parse(text.as_bytes(), Format::Yaml).unwrap();
}

/// The line of a message that a person copies. Its request is one.
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of tests, outside of #[test]"
)]
fn to_copy(message: &str) -> serde_json::Value {
    let begins = message.find(r#"{"event_id""#).unwrap();
    let line = message.get(begins..).unwrap();
    let mut values = serde_json::Deserializer::from_str(line).into_iter();
    let line: serde_json::Value = values.next().unwrap().unwrap();
    PatchRequest::from_value(line["request"].clone()).unwrap();
    line
}

#[test]
fn a_bare_eventbridge_event_is_told_from_a_request_with_a_line_to_copy() {
    // EventBridge Scheduler's default event: its detail is the text "{}".
    let scheduled = r#"{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.scheduler",
        "account":"111122223333","time":"2026-11-27T02:00:00Z","region":"us-east-1","resources":[],"detail":"{}"}"#;
    let rule = r#"{"detail-type":"Patch","source":"my.app","detail":{"name":"weekly"}}"#;
    let (code, message) = only(scheduled, Format::Json);
    assert_eq!(code, ProblemCode::NotARequest);
    assert!(
        message.contains("an EventBridge event from aws.scheduler") && message.contains("target's Input"),
        "{message}"
    );
    let line = to_copy(&message);
    assert_eq!(
        line["event_id"],
        "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>"
    );
    let (_, message) = only(rule, Format::Json);
    assert!(
        message.contains("from my.app") && message.contains("InputPath to $.detail"),
        "{message}"
    );
    // A rule does not know Scheduler's names.
    assert!(
        message.contains(r#"input transformer to the paths {"id": "$.id"} and the template"#),
        "{message}"
    );
    assert_eq!(to_copy(&message)["event_id"], "<id>");
    // Marks of direction come from the sender as well.
    let (_, message) = only(
        "{\"detail-type\":\"a\",\"source\":\"my\\u202e.a\\u200bpp\\u0007\"}",
        Format::Json,
    );
    assert!(message.contains("from my.app,"), "{message:?}");
    let window = PatchRequest::from_window_payload(scheduled.as_bytes()).unwrap_err();
    assert_eq!(window.problems()[0].code, ProblemCode::NotARequest);
}

#[test]
fn other_envelopes_are_told_from_a_request() {
    for (text, word) in [
        (r#"{"Records":[{"body":"{}"}]}"#, "Records"),
        (r#"{"body":"{}","requestContext":{}}"#, "HTTP"),
        (r#"{"Type":"Notification","Message":"{}"}"#, "SNS"),
    ] {
        let (code, message) = only(text, Format::Json);
        assert_eq!(code, ProblemCode::NotARequest, "{message}");
        assert!(message.contains(word), "{message}");
    }
    // A request with such a key is a request with a key too many.
    let text =
        r#"{"name":"a","source":"x","detail":1,"targets":{"all_managed":true,"regions":["us-east-1"]}}"#;
    let problems = PatchRequest::parse(text.as_bytes(), Format::Json).unwrap_err();
    assert!(
        problems
            .problems()
            .iter()
            .all(|problem| problem.code == ProblemCode::UnknownKey),
        "{problems}"
    );
}

#[test]
fn a_request_inside_a_string_is_told_so() {
    let text = serde_json::to_string(r#"{"name": "weekly"}"#).unwrap();
    let (code, message) = only(&text, Format::Json);
    assert_eq!(code, ProblemCode::NotARequest);
    assert!(message.contains("encoded twice"), "{message}");
    let value = serde_json::Value::String(r#" {"name": "weekly"} "#.to_owned());
    let problems = PatchRequest::from_value(value).unwrap_err();
    assert_eq!(problems.problems()[0].code, ProblemCode::NotARequest);
}

#[test]
fn an_account_id_that_is_a_number_is_written_out_with_its_zeros() {
    let text =
        r#"{"name":"a","targets":{"all_managed":true,"regions":["us-east-1"],"accounts":[12345678901]}}"#;
    let (code, message) = only(text, Format::Json);
    assert_eq!(code, ProblemCode::WrongType);
    assert!(
        message.contains(r#"write "012345678901", since a number loses its leading zeros"#),
        "{message}"
    );
    let alone = text.replace("[12345678901]", "12345678901");
    let (_, message) = only(&alone, Format::Json);
    assert!(message.contains("in quotes"), "{message}");
}

#[test]
fn a_text_without_a_name_is_read_by_what_it_looks_like() {
    for (text, format) in [
        ("\u{feff}  {\"name\": 1}", Format::Json),
        ("{name: weekly}", Format::Json),
        ("[targets]\nregions = []", Format::Toml),
        ("# a: b\n\nname = 'x: y'", Format::Toml),
        ("\"name\" = 'x'", Format::Toml),
        ("name: 'x = y'", Format::Yaml),
        ("---\nname: x", Format::Yaml),
        ("targets:\n  regions: []", Format::Yaml),
        ("", Format::Toml),
    ] {
        assert_eq!(Format::of_content(text.as_bytes()), format, "{text}");
    }
}

#[test]
fn an_external_id_is_shown_in_no_message_however_its_surroundings_are_spelt() {
    for (wrong, format) in [
        ("acess = { external_id = \"S3CRET\" }", Format::Toml),
        ("[targets]\naccess = { ExternalId = \"S3CRET\" }", Format::Toml),
        ("[[access]]\nexternal_id = \"S3CRET\"", Format::Toml),
        ("access = \"{\\\"external_id\\\": \\\"S3CRET\\\"}\"", Format::Toml),
        ("[access]\nexternal_ids = [\"S3CRET\"]", Format::Toml),
        ("policy: [{external-id: S3CRET}]", Format::Yaml),
        ("{\"name\": {\"externalId\": \"S3CRET\"}}", Format::Json),
        (
            "\"{\\\"access\\\": {\\\"external_id\\\": \\\"S3CRET\\\"}}\"",
            Format::Json,
        ),
    ] {
        let problems = PatchRequest::parse(wrong.as_bytes(), format).unwrap_err();
        let (text, debug) = (problems.to_string(), format!("{problems:?}"));
        assert!(!text.contains("S3CRET"), "{text}");
        assert!(!debug.contains("S3CRET"), "{debug}");
    }
}
