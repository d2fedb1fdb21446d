//! Without the features `toml` and `yaml` requests are read from JSON, and a text in another language is
//! refused by that language's name. `cargo test -p patchfleet-core --test request_json_alone` builds the
//! crate so; with the features on, nothing of this holds, and nothing is tested.

#![cfg(not(any(feature = "toml", feature = "yaml")))]

use patchfleet_core::problem::ProblemCode;
use patchfleet_core::request::{Format, PatchRequest};

const JSON: &str = r#"{"name": "a", "targets": {"resource_group": "Web", "regions": ["us-east-1"]}}"#;

#[test]
fn json_is_read_and_the_other_languages_are_not_built_in() {
    assert!(PatchRequest::parse(JSON.as_bytes(), Format::Json).is_ok());
    assert!(Format::Json.is_built_in());
    assert!(!Format::Toml.is_built_in() && !Format::Yaml.is_built_in());
}

#[test]
fn a_request_in_a_language_that_is_not_built_in_is_refused_with_what_would_be_right() {
    for (format, text, name, feature) in [
        (Format::Toml, "name = \"a\"\n", "TOML", "`toml`"),
        (Format::Yaml, "name: a\n", "YAML", "`yaml`"),
    ] {
        let problems = PatchRequest::parse(text.as_bytes(), format).unwrap_err();
        let [problem] = problems.problems() else {
            panic!("{problems}");
        };
        assert_eq!(problem.code, ProblemCode::Unsupported);
        let says = format!(
            "this program was built without {name}. It reads requests in JSON; with the feature {feature} of \
             patchfleet-core it reads {name} too"
        );
        assert_eq!(problem.expected, says);
    }
}

#[test]
fn a_mistake_in_json_has_its_line_and_column() {
    let text = "{\n \"name\": \"a\",\n \"targets\": {\"resource_group\": \"Web\",\n  \"regions\": [\"us-east-1\", 5]}}";
    let problems = PatchRequest::parse(text.as_bytes(), Format::Json).unwrap_err();
    let text = problems.to_string();
    assert!(
        text.contains("targets.regions[1]") && text.contains("line 4, column 28"),
        "{text}"
    );
}
