//! A request's text as TOML, JSON and YAML: syntax, size, nesting, and bytes of any kind.

use patchfleet_core::problem::ProblemCode;
use patchfleet_core::request::{Format, MAX_REQUEST_BYTES, PatchRequest};
use proptest::prelude::*;

const FORMATS: [Format; 3] = [Format::Toml, Format::Json, Format::Yaml];

#[test]
fn a_leading_zero_of_an_account_is_not_lost_in_yaml() {
    let yaml = "name: a\ntargets: {all_managed: true, regions: all-enabled, accounts: [012345678901]}";
    let request = PatchRequest::parse(yaml.as_bytes(), Format::Yaml).unwrap();
    assert_eq!(request.targets.accounts[0].to_string(), "012345678901");
}

#[test]
fn syntax_errors_say_where_they_are() {
    for (format, text) in [
        (Format::Toml, "name = \"a\"\nnäme = \n"),
        (Format::Toml, "name = \"a\"\nname = \"b\"\n"),
        (Format::Json, "{\n  \"name\": \"é\" 1\n}"),
        (Format::Json, "{\n  \"name\": \"a\",\n  \"name\": \"b\"\n}"),
        (Format::Json, "["),
        (Format::Json, "{} {}"),
        (Format::Yaml, "name: a\nname: b\n"),
        (Format::Yaml, "name: [a\nb: c"),
        (Format::Yaml, "a: 1\n---\nb: 2\n"),
        (Format::Yaml, "a: &x 1\nb: {<<: *x}\n"),
        (Format::Yaml, "a: !mine 1\n"),
    ] {
        let problems = PatchRequest::parse(text.as_bytes(), format).unwrap_err();
        let [problem] = problems.problems() else {
            panic!("{problems}")
        };
        assert_eq!(problem.code, ProblemCode::Syntax, "{problem}");
        assert!(problem.expected.contains("line "), "{text:?}: {problem}");
    }
    let message = |format, text: &str| {
        let problems = PatchRequest::parse(text.as_bytes(), format).unwrap_err();
        problems.problems()[0].to_string()
    };
    insta::assert_snapshot!(message(Format::Toml, "name = \"a\"\ntargets = { x = ä }\n"), @r#"[syntax] the text is not valid TOML at line 2, column 17: string values must be quoted, expected literal string"#);
    insta::assert_snapshot!(message(Format::Json, "{\n  \"é\": \"é\" 1\n}"), @r#"[syntax] the text is not valid JSON at line 2, column 12: expected `,` or `}`"#);
    insta::assert_snapshot!(message(Format::Json, "{\n  \"a\": 1,\n  \"a\": 2\n}"), @r#"[syntax] the text is not valid JSON at line 3, column 5: duplicate key "a""#);
    insta::assert_snapshot!(message(Format::Toml, "a = 1\n[b]\n'c d' = 2\n'c d' = 3\n"), @r#"[syntax] the text is not valid TOML at line 4, column 1: duplicate key "c d""#);
    insta::assert_snapshot!(message(Format::Toml, "[b]\n[c]\n[b]\n"), @r#"[syntax] the text is not valid TOML at line 3, column 2: duplicate key "b""#);
    insta::assert_snapshot!(message(Format::Json, "{\n  \"name\": \"weekly\",\n}"), @r#"[syntax] the text is not valid JSON at line 3, column 1: trailing comma"#);
    insta::assert_snapshot!(message(Format::Yaml, "a: 1\nb: 2\na: 3\n"), @r#"[syntax] the text is not valid YAML at line 3, column 1: duplicate mapping key `a` is not allowed here"#);
}

#[test]
fn a_text_that_is_too_large_or_not_utf8_is_refused_as_such() {
    for format in FORMATS {
        let large = PatchRequest::parse(&vec![b' '; MAX_REQUEST_BYTES + 1], format).unwrap_err();
        assert_eq!(large.problems()[0].code, ProblemCode::TooLarge);
        let latin1 = PatchRequest::parse(b"# ok\n# caf\xe9\n", format).unwrap_err();
        assert_eq!(latin1.problems()[0].code, ProblemCode::Syntax);
        assert!(
            latin1
                .to_string()
                .contains("not UTF-8: wrong byte at line 2, column 6"),
            "{latin1}"
        );
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    for (format, text) in [
        (
            Format::Toml,
            "\u{feff}name = 'a'\ntargets = { all_managed = true, regions = 'all-enabled' }",
        ),
        (
            Format::Json,
            "\u{feff}{\"name\": \"a\", \"targets\": {\"all_managed\": true, \"regions\": \"all-enabled\"}}",
        ),
        (
            Format::Yaml,
            "\u{feff}name: a\ntargets: {all_managed: true, regions: all-enabled}",
        ),
    ] {
        PatchRequest::parse(text.as_bytes(), format).unwrap();
    }
}

#[test]
fn deep_nesting_is_a_problem_and_not_the_end_of_the_process() {
    let half = MAX_REQUEST_BYTES / 2 - 10;
    let dotted = ["a"; 80].join(".");
    let deep = format!("{}1{}", format!("{{{dotted} = ").repeat(79), "}".repeat(79));
    for (format, text) in [
        (Format::Toml, format!("a = {}", "[".repeat(half))),
        (
            Format::Toml,
            format!("a = {}{}", "[".repeat(half), "]".repeat(half)),
        ),
        (Format::Toml, format!("a{}", ".a".repeat(half)) + " = 1"),
        (Format::Toml, format!("[a{}]", ".a".repeat(half))),
        (Format::Toml, format!("a = {deep}")),
        (Format::Toml, format!("a = {deep}\na = {deep}")),
        (Format::Toml, format!("a = {deep}\nb = ")),
        (
            Format::Toml,
            format!("{} = {{a = {}1", dotted, "{a = ".repeat(78)),
        ),
        (Format::Toml, format!("a = {}", "{a=".repeat(half / 2))),
        (Format::Json, "[".repeat(half)),
        (Format::Json, "{\"a\":".repeat(half / 3)),
        (Format::Yaml, "[".repeat(half)),
        (Format::Yaml, "- ".repeat(half)),
        (Format::Yaml, "? ".repeat(half)),
        (Format::Yaml, "{a: ".repeat(half / 3)),
    ] {
        let problems = PatchRequest::parse(text.as_bytes(), format).unwrap_err();
        assert_eq!(problems.problems()[0].code, ProblemCode::Syntax, "{format:?}");
    }
    let mut value = serde_json::json!(1);
    for _ in 0..1000 {
        value = serde_json::json!([value]);
    }
    assert_eq!(
        PatchRequest::from_value(value).unwrap_err().problems()[0].code,
        ProblemCode::Syntax
    );
}

#[test]
fn aliases_that_multiply_are_cut_short() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..=9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    let problems = PatchRequest::parse(text.as_bytes(), Format::Yaml).unwrap_err();
    assert_eq!(problems.problems()[0].code, ProblemCode::Syntax, "{problems}");
}

#[test]
fn a_name_of_a_file_says_its_language() {
    assert_eq!(Format::of_path("a/b.toml").unwrap(), Format::Toml);
    assert_eq!(Format::of_path("B.JSON").unwrap(), Format::Json);
    assert_eq!(Format::of_path("b.yaml").unwrap(), Format::Yaml);
    assert_eq!(Format::of_path("b.yml").unwrap(), Format::Yaml);
    insta::assert_snapshot!(Format::of_path("toml").unwrap_err(), @r#"[invalid_value] toml: expected a file name that ends in .toml, .json, .yaml or .yml"#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_are_read_or_refused_and_never_the_end_of_the_process(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        for format in FORMATS {
            let _ = PatchRequest::parse(&bytes, format);
        }
    }

    #[test]
    fn any_text_of_the_languages_own_signs_is_read_or_refused(
        text in "([\\[\\]{}\"':,=#&*!|>%@.\\-? \n\ta0]|name|targets|regions|null|true|1e9|\\\\u0000|\u{feff}){0,40}",
    ) {
        for format in FORMATS {
            if let Err(problems) = PatchRequest::parse(text.as_bytes(), format) {
                prop_assert!(!problems.problems().is_empty());
                prop_assert_eq!(problems.to_string().lines().count(), problems.problems().len() + 1);
            }
        }
    }
}
