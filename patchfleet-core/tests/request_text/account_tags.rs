//! Waves that name accounts by their tags in AWS Organizations.

use super::*;

fn waves(waves: &str) -> String {
    toml_with(
        "resource_group = 'G'\nregions = ['eu-west-1']\naccounts = ['r-ab12']\ninclude_child_ous = true",
        waves,
    )
}

fn read(text: &str) -> PatchRequest {
    PatchRequest::parse(text.as_bytes(), Format::Toml).unwrap()
}

#[test]
fn a_wave_may_name_accounts_by_tags_alone_and_each_key_has_one_value_or_several() {
    let request = read(&waves(
        "[[waves]]\nname = 'canary'\naccount_tags = { Stage = ['canary', 'pilot'], \"Cost centre\" = '', 'ü' = 'x y' }",
    ));
    let tags = &request.waves.first().unwrap().account_tags;
    let tags: Vec<(&str, Vec<&str>)> = tags
        .iter()
        .map(|(key, values)| (key.as_str(), values.iter().map(String::as_str).collect()))
        .collect();
    let expected = [
        ("Cost centre", vec![""]),
        ("Stage", vec!["canary", "pilot"]),
        ("ü", vec!["x y"]),
    ];
    assert_eq!(tags, expected);
    let written = serde_json::to_value(&request).unwrap();
    assert_eq!(PatchRequest::from_value(written).unwrap(), request);
}

#[test]
fn the_same_tags_are_read_from_each_language() {
    let toml = read(&waves(
        "[[waves]]\nname = 'canary'\naccount_tags = { Stage = 'canary' }",
    ));
    let json = serde_json::to_string(&toml).unwrap();
    assert!(json.contains(r#""account_tags":{"Stage":["canary"]}"#), "{json}");
    assert_eq!(PatchRequest::parse(json.as_bytes(), Format::Json).unwrap(), toml);
    let yaml = "name: weekly\ntargets: { resource_group: G, regions: [eu-west-1], accounts: [r-ab12], include_child_ous: true }\n\
                waves:\n- name: canary\n  account_tags:\n    Stage: canary\n";
    assert_eq!(PatchRequest::parse(yaml.as_bytes(), Format::Yaml).unwrap(), toml);
}

#[test]
fn what_is_wrong_with_the_tags_of_a_wave_is_told_by_its_key() {
    let long = "k".repeat(129);
    let text = waves(&format!(
        r#"
[[waves]]
name = "one"
account_tags = {{}}
[[waves]]
name = "two"
account_tags = {{ Stage = [], Team = ["a", "a"], Env = 1, Cost = {{ a = "b" }} }}
[[waves]]
name = "three"
account_tags = {{ "" = "a", "{long}" = "b", "a\tb" = "c", Stage = ["{}", "d\ne"] }}
[[waves]]
name = "four"
account_tags = ["Stage"]
[[waves]]
name = "five"
account_tag = {{ Stage = "canary" }}
[[waves]]
name = "six"
"#,
        "v".repeat(257)
    ));
    insta::assert_snapshot!(problems(&text), @r#"
    the request has 13 problems
      [out_of_range] waves[0].account_tags = {} (line 10, column 1): expected 1 to 50 keys; an account must have every one of them
      [out_of_range] waves[1].account_tags.Stage = [] (line 13, column 18): expected at least one value
      [duplicate] waves[1].account_tags.Team[1] = "a" (line 13, column 43): each value only once
      [wrong_type] waves[1].account_tags.Env = 1 (line 13, column 49): expected a text or a list of texts, in quotes
      [wrong_type] waves[1].account_tags.Cost = {"a": "b"} (line 13, column 58): expected a text or a list of texts
      [invalid_value] waves[2].account_tags."" = "" (line 16, column 18): expected a tag key of 1 to 128 characters, none of them a control character
      [invalid_value] waves[2].account_tags."kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk… = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk… (line 16, column 28): expected a tag key of 1 to 128 characters, none of them a control character
      [invalid_value] waves[2].account_tags."a\tb" = "a\tb" (line 16, column 167): expected a tag key of 1 to 128 characters, none of them a control character
      [out_of_range] waves[2].account_tags.Stage[0] = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv… (line 16, column 190): expected at most 256 characters
      [invalid_value] waves[2].account_tags.Stage[1] = "d\ne" (line 16, column 451): expected a tag value of up to 256 characters, none of them a control character
      [wrong_type] waves[3].account_tags = ["Stage"] (line 19, column 1): expected a table
      [unknown_key] waves[4].account_tag = {"Stage": "canary"} (line 22, column 1): no such field; did you mean account_tags?
      [missing] waves[5] (line 23, column 1): expected at least one of accounts, account_tags, regions, locations, nodes, which say what is in the wave; what no wave names forms the last one by itself
    "#);
    let many: Vec<String> = (0..51).map(|n| format!("k{n} = 'v'")).collect();
    let text = waves(&format!(
        "[[waves]]\nname = 'canary'\naccount_tags = {{ {} }}",
        many.join(", ")
    ));
    assert_eq!(only(&text), at(ProblemCode::OutOfRange, "waves[0].account_tags"));
}

#[test]
fn a_wave_that_an_earlier_one_leaves_nothing_is_told() {
    let second = |first: &str, second: &str| {
        let text = waves(&format!(
            "[[waves]]\nname = 'first'\n{first}\n[[waves]]\nname = 'second'\n{second}"
        ));
        PatchRequest::parse(text.as_bytes(), Format::Toml).map_err(|problems| {
            let codes: Vec<ProblemCode> = problems.problems().iter().map(|problem| problem.code).collect();
            assert_eq!(codes, [ProblemCode::Conflict], "{problems}");
        })
    };
    let canary = "account_tags = { Stage = 'canary' }";
    // The second one asks for more than the first, or for less of it.
    for narrower in [
        canary,
        "account_tags = { Stage = 'canary', Team = 'web' }",
        "account_tags = { Stage = 'canary' }\nregions = ['eu-west-1']",
        "account_tags = { Stage = 'canary' }\nlocations = 1",
    ] {
        assert_eq!(second(canary, narrower), Err(()), "{narrower}");
    }
    assert_eq!(
        second("account_tags = { Stage = ['pilot', 'canary'] }", canary),
        Err(())
    );
    for other in [
        "account_tags = { Stage = ['canary', 'pilot'] }",
        "account_tags = { Team = 'web' }",
        "account_tags = { stage = 'canary' }",
        "accounts = ['ou-ab12-cdef3456']",
    ] {
        assert!(second(canary, other).is_ok(), "{other}");
    }
    // A size leaves some for others.
    assert!(second(&format!("{canary}\nlocations = 1"), canary).is_ok());
    // An account is named by its id, and nobody knows its tags.
    assert!(second(canary, "accounts = ['111122223333']").is_ok());
}
