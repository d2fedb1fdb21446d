//! A request's fields: what is wrong with them, all at once and the same in each language.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests may fail as tests do"
)]

use patchfleet_core::problem::{ProblemCode, Problems};
use patchfleet_core::request::{Format, Operation, PatchRequest, Regions, Selector};

#[path = "request_text/account_tags.rs"]
mod account_tags;
#[path = "request_text/rules.rs"]
mod rules;

/// The smallest request, with `more` inside the tables it names.
fn toml_with(targets: &str, more: &str) -> String {
    format!("name = \"weekly\"\n[targets]\n{targets}\n{more}")
}

const TARGETS: &str = "resource_group = \"WebServers\"\nregions = [\"us-east-1\"]";

fn problems(text: &str) -> Problems {
    PatchRequest::parse(text.as_bytes(), Format::Toml).unwrap_err()
}

/// The code and path of the only problem.
fn only(text: &str) -> (ProblemCode, String) {
    let problems = problems(text);
    let [problem] = problems.problems() else {
        panic!("not one problem: {problems}")
    };
    (problem.code, problem.path.clone())
}

fn at(code: ProblemCode, path: &str) -> (ProblemCode, String) {
    (code, path.to_owned())
}

#[test]
fn a_file_of_mistakes_is_told_all_of_them_at_once() {
    let text = include_bytes!("request_mistakes/mistakes.toml");
    let problems = PatchRequest::parse(text, Format::Toml).unwrap_err();
    insta::assert_snapshot!(problems, @r#"
    the request has 25 problems
      [invalid_value] name = "weekly linux" (line 1, column 1): expected 1 to 64 of letters, digits, _ . -, the first a letter or digit
      [unknown_key] colour = "blue" (line 2, column 1): no such field; there are name, patch, targets, policy, access, budget, waves, change_calendars, forecast, freezes, breaker, output, automation
      [invalid_value] waves[0].regions[0] = "eu-west-1" (line 3, column 40): expected a Region of targets.regions
      [invalid_value] patch.operation = "install" (line 6, column 1): expected "Scan" or "Install"
      [wrong_type] patch.reboot_option = true (line 7, column 1): expected "RebootIfNeeded" or "NoReboot"
      [invalid_value] patch.install_override_list = "ftp://bucket/list.yaml" (line 8, column 1): expected https://… or s3://bucket/key
      [conflict] targets (line 10, column 2): exactly one of resource_group, tags, all_managed = true, node_ids; here are resource_group and tags
      [duplicate] targets.tags.Env[1] = "prod" (line 12, column 25): each value only once
      [wrong_type] targets.accounts[1] = 111122223333 (line 13, column 29): expected 12 digits, or an id such as ou-ab12-cdef3456 or r-ab12: write "111122223333", since a number loses its leading zeros
      [invalid_value] targets.accounts[2] = "1111222233334" (line 13, column 43): expected 12 digits, or an id such as ou-ab12-cdef3456 or r-ab12
      [invalid_value] targets.exclude_accounts[0] = "r-ab12" (line 14, column 21): expected an account or a unit: with the root excluded nothing is left
      [unknown_key] targets.region = "eu-west-1" (line 15, column 1): no such field; did you mean regions?
      [conflict] targets.regions (line 16, column 1): Regions of one partition only; make one request for each of aws (us-east-1), aws-cn (cn-north-1)
      [duplicate] targets.regions[2] = "us-east-1" (line 16, column 39): each only once; targets.regions[0] is the same
      [invalid_value] targets.regions[3] = "Frankfurt" (line 16, column 52): expected a Region code such as eu-west-1
      [invalid_value] policy.unknown = "ignore" (line 19, column 1): expected "refuse" or "skip" or "keep"
      [invalid_value] access.external_id = (not shown, length 1) (line 22, column 1): expected 2 to 1224 of letters, digits, _ + = , . @ : / -
      [out_of_range] budget.nodes.max_concurrency = 0 (line 25, column 1): expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
      [invalid_value] budget.nodes.max_errors = "101%" (line 26, column 1): expected a count from 0 such as 2 (at most 7 digits), or a percentage from "0%" to "100%"
      [invalid_value] budget.locations.max_concurrency = "05%" (line 29, column 1): expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
      [wrong_type] budget.locations.max_errors = 1.5 (line 30, column 1): expected a count from 0 such as 2 (at most 7 digits), or a percentage from "0%" to "100%"
      [invalid_value] budget.fleet.max_in_flight = "0%" (line 33, column 1): expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
      [invalid_value] automation.assume_role = "AutomationRole" (line 36, column 1): expected arn:PARTITION:iam::ACCOUNT:role/NAME
      [conflict] automation.parameters = Reason (line 38, column 13): only a runbook of your own takes parameters; patchfleet fills in those of Patchfleet-RunPatchBaseline
      [out_of_range] automation.parameters.Reason = "" (line 39, column 1): expected 1 to 512 characters (leave an empty parameter out)
    "#);
}

#[test]
fn the_same_mistakes_are_the_same_problems_in_every_language() {
    let toml =
        PatchRequest::parse(include_bytes!("request_mistakes/mistakes.toml"), Format::Toml).unwrap_err();
    let json =
        PatchRequest::parse(include_bytes!("request_mistakes/mistakes.json"), Format::Json).unwrap_err();
    let yaml =
        PatchRequest::parse(include_bytes!("request_mistakes/mistakes.yaml"), Format::Yaml).unwrap_err();
    let unplaced = |problems: &Problems| {
        let problems = problems.problems().iter();
        problems
            .map(|problem| {
                (
                    problem.code,
                    problem.path.clone(),
                    problem.value.clone(),
                    problem.expected.clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    // Each in the order of its own text.
    let sorted = |problems: &Problems| {
        let mut all = unplaced(problems);
        all.sort();
        all
    };
    assert_eq!(sorted(&toml), sorted(&json));
    assert_eq!(sorted(&toml), sorted(&yaml));
    for problems in [&toml, &json, &yaml] {
        assert!(
            problems.problems().is_sorted_by_key(|problem| problem.at),
            "{problems}"
        );
    }
    // Each knows where each of its fields stands, also those of a table that lacks a field.
    for problems in [&toml, &json, &yaml] {
        assert!(
            problems.problems().iter().all(|problem| problem.at.is_some()),
            "{problems}"
        );
    }
}

#[test]
fn problems_whose_fields_stand_nowhere_come_last() {
    let problems = problems("[targets]\nresource_group = 1\n");
    let paths: Vec<&str> = problems.problems().iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths, ["targets.regions", "targets.resource_group", "name"]);
}

#[test]
fn a_text_in_another_language_than_is_said_is_one_problem_that_says_which_it_looks_like() {
    let toml = toml_with(TARGETS, "");
    let json = r#"{"name": "weekly", "targets": {"resource_group": "WebServers", "regions": ["us-east-1"]}}"#;
    let yaml = "name: weekly\ntargets:\n  resource_group: WebServers\n  regions: [us-east-1]\n";
    let comma = "{\"name\": \"weekly\",}";
    let colon = "name = \"a: b\"\n[targets]\nregions = [\"us-east-1\"]\n";
    for (text, read_as, like) in [
        (toml.as_str(), Format::Yaml, "TOML"),
        (toml.as_str(), Format::Json, "TOML"),
        (colon, Format::Yaml, "TOML"),
        (json, Format::Toml, "JSON"),
        (yaml, Format::Toml, "YAML"),
        (yaml, Format::Json, "YAML"),
        (comma, Format::Toml, "JSON"),
    ] {
        let problems = PatchRequest::parse(text.as_bytes(), read_as).unwrap_err();
        let [problem] = problems.problems() else {
            panic!("not one problem: {problems}")
        };
        let words = format!("it looks like {like}");
        assert!(
            problem.code == ProblemCode::Syntax && problem.expected.ends_with(&words),
            "{problem}"
        );
        assert!(problem.expected.contains(read_as.as_str()), "{problem}");
    }
    let unlike = PatchRequest::parse(comma.as_bytes(), Format::Json).unwrap_err();
    assert!(!unlike.to_string().contains("looks like"), "{unlike}");
    // What is in no language, or in the one that is said, is told nothing of others.
    for text in ["name = ", "nonsense", "[1]", "name = 1"] {
        let problems = PatchRequest::parse(text.as_bytes(), Format::Toml).unwrap_err();
        assert!(!problems.to_string().contains("looks like"), "{problems}");
    }
}

#[test]
fn each_problem_says_on_which_line_its_field_stands() {
    let places = |format, text: &str| {
        let problems = PatchRequest::parse(text.as_bytes(), format).unwrap_err();
        let problems = problems.problems().iter();
        problems
            .map(|problem| {
                format!(
                    "{} {}",
                    problem.path,
                    problem.at.map_or("nowhere".to_owned(), |at| at.to_string())
                )
            })
            .collect::<Vec<_>>()
    };
    let wanted = |lines: [u64; 5]| {
        let [name, account, tag, region, colour] = lines;
        // In the order of the text. A field that is missing stands where its table does.
        [
            ("name", name),
            ("targets.regions", region),
            ("targets.accounts[1]", account),
            ("targets.colour", colour),
            ("targets.tags.Env[1]", tag),
        ]
        .map(|(path, line)| format!("{path} line {line}"))
    };
    let toml = "\n# é\nname = \"a b\"\n[targets]\naccounts = [\n  \"111122223333\",\n  5,\n]\ncolour = 1\n\
                tags.Env = [\"é\",\n \"\"]\n";
    let json = "{\n\"name\": \"a b\",\n\"targets\": {\n\"accounts\": [\"111122223333\",\n5],\n\"colour\": 1,\n\
                \"tags\": {\"Env\": [\"\\u00e9\",\n\"\"]}}}";
    let yaml = "name: a b\ntargets:\n  accounts:\n    - \"111122223333\"\n    - 5\n  colour: 1\n  tags:\n    Env:\n\
                \u{20}   - é\n    - ''\n";
    for (format, text, lines) in [
        (Format::Toml, toml, [3, 7, 11, 4, 9]),
        (Format::Json, json, [2, 5, 8, 3, 6]),
        (Format::Yaml, yaml, [1, 5, 10, 2, 6]),
    ] {
        let places = places(format, text);
        assert_eq!(places.len(), 5, "{places:?}");
        for (place, wanted) in places.iter().zip(wanted(lines)) {
            assert!(
                place.starts_with(&format!("{wanted},")),
                "{format:?}: {place}, not {wanted}"
            );
        }
    }
    // A colour is the key's own place.
    assert!(places(Format::Toml, toml)[3].ends_with("line 9, column 1"));
}

#[test]
fn the_request_of_the_documentation_reads_the_same_in_every_language() {
    let toml = r#"
        name = "weekly-linux"
        [patch]
        operation = "Install"
        reboot_option = "NoReboot"
        delivery_timeout = "2h"
        install_override_list = "s3://bucket/list.yaml"
        [targets]
        tags = { Env = ["prod"], Role = "web" }
        accounts = ["111122223333", "ou-ab12-cdef3456"]
        exclude_accounts = []
        include_child_ous = true
        regions = ["us-east-1", "eu-west-1"]
        [policy]
        unknown = "skip"
        [access]
        external_id = "a:b"
        [budget.locations]
        max_concurrency = 4
        max_errors = "1"
    "#;
    let json = r#"{"name": "weekly-linux",
        "patch": {"operation": "Install", "reboot_option": "NoReboot", "delivery_timeout": "120m",
            "install_override_list": "s3://bucket/list.yaml"},
        "targets": {"tags": {"Env": ["prod"], "Role": ["web"]},
            "accounts": ["111122223333", "ou-ab12-cdef3456"], "exclude_accounts": [],
            "include_child_ous": true, "regions": ["us-east-1", "eu-west-1"]},
        "policy": {"unknown": "skip"}, "access": {"external_id": "a:b"},
        "budget": {"locations": {"max_concurrency": "4", "max_errors": 1}}}"#;
    let yaml = "
name: weekly-linux
patch:
  operation: Install
  reboot_option: NoReboot
  delivery_timeout: 7200s
  install_override_list: s3://bucket/list.yaml
targets:
  tags: {Env: prod, Role: [web]}
  accounts: ['111122223333', ou-ab12-cdef3456]
  exclude_accounts: []
  include_child_ous: true
  regions:
    - us-east-1
    - eu-west-1
policy: {unknown: skip}
access: {external_id: 'a:b'}
budget: {locations: {max_concurrency: 4, max_errors: '1'}}
";
    let request = PatchRequest::parse(toml.as_bytes(), Format::Toml).unwrap();
    assert_eq!(
        PatchRequest::parse(json.as_bytes(), Format::Json).unwrap(),
        request
    );
    assert_eq!(
        PatchRequest::parse(yaml.as_bytes(), Format::Yaml).unwrap(),
        request
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&request).unwrap(), @r#"
    {
      "name": "weekly-linux",
      "patch": {
        "operation": "Install",
        "reboot_option": "NoReboot",
        "delivery_timeout": "2h",
        "install_override_list": "s3://bucket/list.yaml"
      },
      "targets": {
        "tags": {
          "Env": [
            "prod"
          ],
          "Role": [
            "web"
          ]
        },
        "accounts": [
          "111122223333",
          "ou-ab12-cdef3456"
        ],
        "exclude_accounts": [],
        "include_child_ous": true,
        "regions": [
          "us-east-1",
          "eu-west-1"
        ]
      },
      "policy": {
        "unknown": "skip",
        "group_missing": "skip",
        "empty": "skip",
        "denied": "skip",
        "nothing_selected": "refuse",
        "offline": "target",
        "gone": "accept"
      },
      "access": {
        "discovery_role": "AWS-SystemsManager-AutomationExecutionRole",
        "external_id": {
          "withheld": true
        },
        "session_name": "patchfleet"
      },
      "budget": {
        "nodes": {
          "max_concurrency": "10%",
          "max_errors": "10%"
        },
        "locations": {
          "max_concurrency": "4",
          "max_errors": "1"
        }
      },
      "automation": {
        "document": "Patchfleet-RunPatchBaseline",
        "execution_role": "AWS-SystemsManager-AutomationExecutionRole",
        "pin": "default",
        "parameters": {}
      }
    }
    "#);
}

#[test]
fn the_smallest_request_has_the_safe_defaults() {
    let request = PatchRequest::parse(toml_with(TARGETS, "").as_bytes(), Format::Toml).unwrap();
    assert_eq!(request.patch.operation, Operation::Scan);
    insta::assert_snapshot!(serde_json::to_string_pretty(&request).unwrap(), @r#"
    {
      "name": "weekly",
      "patch": {
        "operation": "Scan",
        "reboot_option": "RebootIfNeeded"
      },
      "targets": {
        "resource_group": "WebServers",
        "accounts": [],
        "exclude_accounts": [],
        "include_child_ous": false,
        "regions": [
          "us-east-1"
        ]
      },
      "policy": {
        "unknown": "refuse",
        "group_missing": "skip",
        "empty": "skip",
        "denied": "refuse",
        "nothing_selected": "refuse",
        "offline": "target",
        "gone": "accept"
      },
      "access": {
        "discovery_role": "AWS-SystemsManager-AutomationExecutionRole",
        "session_name": "patchfleet"
      },
      "budget": {
        "nodes": {
          "max_concurrency": "10%",
          "max_errors": "10%"
        },
        "locations": {
          "max_concurrency": "1",
          "max_errors": "0"
        }
      },
      "automation": {
        "document": "Patchfleet-RunPatchBaseline",
        "execution_role": "AWS-SystemsManager-AutomationExecutionRole",
        "pin": "default",
        "parameters": {}
      }
    }
    "#);
}

#[test]
fn an_unknown_key_is_named_wherever_it_stands() {
    for (table, path) in [
        ("[patch]\nx = 1", "patch.x"),
        ("[policy]\nx = 1", "policy.x"),
        ("[access]\nx = 1", "access.x"),
        ("[budget]\nx = 1", "budget.x"),
        ("[budget.nodes]\nx = 1", "budget.nodes.x"),
        ("[automation]\nx = 1", "automation.x"),
        ("[x]", "x"),
        ("[\"x\\ny\"]", "\"x\\ny\""),
    ] {
        assert_eq!(
            only(&toml_with(TARGETS, table)),
            at(ProblemCode::UnknownKey, path)
        );
    }
    assert_eq!(
        only(&toml_with(&format!("{TARGETS}\nx = 1"), "")),
        at(ProblemCode::UnknownKey, "targets.x")
    );
}

#[test]
fn a_value_of_another_type_is_a_wrong_type() {
    for (table, path) in [
        ("patch = 1", "patch"),
        ("patch = []", "patch"),
        ("automation = { document = 2024-01-01 }", "automation.document"),
        ("budget.nodes.max_errors = 1.0", "budget.nodes.max_errors"),
        ("budget.nodes.max_errors = true", "budget.nodes.max_errors"),
        ("policy.empty = 1", "policy.empty"),
    ] {
        let text = format!("{table}\n{}", toml_with(TARGETS, ""));
        assert_eq!(only(&text), at(ProblemCode::WrongType, path), "{table}");
    }
    assert_eq!(
        only(&toml_with("resource_group = \"G\"\nregions = { a = 1 }", "")),
        at(ProblemCode::WrongType, "targets.regions")
    );
    let null = br#"{"name": "weekly", "targets": {"all_managed": true, "regions": null}}"#;
    let problems = PatchRequest::parse(null, Format::Json).unwrap_err();
    assert_eq!(problems.problems()[0].code, ProblemCode::WrongType);
    for root in ["1", "[]", "\"x\"", "null"] {
        let problems = PatchRequest::parse(root.as_bytes(), Format::Json).unwrap_err();
        assert_eq!(problems.problems()[0].code, ProblemCode::WrongType, "{problems}");
    }
}

#[test]
fn an_account_that_is_a_number_is_told_to_stand_in_quotes() {
    let yaml = "name: a\ntargets: {all_managed: true, regions: all-enabled, accounts: [111122223333]}";
    let problems = PatchRequest::parse(yaml.as_bytes(), Format::Yaml).unwrap_err();
    insta::assert_snapshot!(problems, @r#"
    the request has 1 problem
      [wrong_type] targets.accounts[0] = 111122223333 (line 2, column 63): expected 12 digits, or an id such as ou-ab12-cdef3456 or r-ab12: write "111122223333", since a number loses its leading zeros
    "#);
}

#[test]
fn a_thirteen_digit_account_is_no_account() {
    let targets = format!("{TARGETS}\naccounts = [\"111122223333\", \"1111222233334\"]");
    assert_eq!(
        only(&toml_with(&targets, "")),
        at(ProblemCode::InvalidValue, "targets.accounts[1]")
    );
}

#[test]
fn rates_outside_awss_grammar_are_refused() {
    for (value, code) in [
        ("0", ProblemCode::OutOfRange),
        ("-1", ProblemCode::OutOfRange),
        ("12345678", ProblemCode::OutOfRange),
        ("\"0\"", ProblemCode::InvalidValue),
        ("\"101%\"", ProblemCode::InvalidValue),
        ("\"05%\"", ProblemCode::InvalidValue),
        ("\"\"", ProblemCode::InvalidValue),
    ] {
        let text = toml_with(TARGETS, &format!("[budget.locations]\nmax_concurrency = {value}"));
        assert_eq!(
            only(&text),
            at(code, "budget.locations.max_concurrency"),
            "{value}"
        );
    }
}

#[test]
fn an_empty_list_of_regions_is_refused() {
    let text = toml_with("resource_group = \"G\"\nregions = []", "");
    assert_eq!(only(&text), at(ProblemCode::OutOfRange, "targets.regions"));
    let text = toml_with("resource_group = \"G\"", "");
    assert_eq!(only(&text), at(ProblemCode::Missing, "targets.regions"));
}
