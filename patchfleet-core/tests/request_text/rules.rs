//! Rules between fields: what does not go together, and what AWS limits.

use super::*;
use patchfleet_core::request::DeniedAction;

#[test]
fn exactly_one_selector_is_asked_for() {
    let both = "resource_group = \"G\"\ntags = { Env = \"prod\" }\nregions = \"all-enabled\"";
    let problems = problems(&toml_with(both, ""));
    insta::assert_snapshot!(problems, @"
    the request has 1 problem
      [conflict] targets (line 2, column 2): exactly one of resource_group, tags, all_managed = true, node_ids; here are resource_group and tags
    ");
    let none = "all_managed = false\nregions = \"all-enabled\"";
    assert_eq!(only(&toml_with(none, "")), at(ProblemCode::Missing, "targets"));
    let one = "all_managed = false\nnode_ids = [\"i-01234567\"]\nregions = \"all-enabled\"";
    let request = PatchRequest::parse(toml_with(one, "").as_bytes(), Format::Toml).unwrap();
    assert!(matches!(request.targets.selector, Selector::NodeIds(ids) if ids.len() == 1));
    assert_eq!(request.targets.regions, Regions::AllEnabled);
}

#[test]
fn nothing_is_said_of_a_runbook_where_patchfleet_sends_the_commands_itself() {
    let targets = "resource_group = \"G\"\nregions = [\"us-east-1\"]";
    let with = |rest: &str| {
        toml_with(
            targets,
            &format!("[automation]\ndispatch = \"run-command\"\n{rest}"),
        )
    };
    let problems = problems(&with(
        "document = \"Our-Runbook\"\nassume_role = \"arn:aws:iam::111122223333:role/R\"\nexecution_role = \"E\"\n\
         pin = \"version\"\nparameters = { A = [\"b\"] }\n",
    ));
    let paths: Vec<&str> = problems.problems().iter().map(|p| p.path.as_str()).collect();
    let keys = ["document", "assume_role", "execution_role", "pin", "parameters"];
    assert_eq!(paths, keys.map(|key| format!("automation.{key}")));
    let conflict = |p: &patchfleet_core::problem::Problem| p.code == ProblemCode::Conflict;
    assert!(problems.problems().iter().all(conflict), "{problems}");
    // A request that has its defaults written out reads the same.
    let request = PatchRequest::parse(with("").as_bytes(), Format::Toml).unwrap();
    let written = serde_json::to_value(&request).unwrap();
    assert_eq!(written["automation"]["dispatch"], "run-command");
    assert_eq!(PatchRequest::from_value(written).unwrap(), request);
}

#[test]
fn a_role_that_sends_is_named_only_where_patchfleet_sends() {
    let targets = "resource_group = \"G\"\nregions = [\"us-east-1\"]";
    let role = "[access]\nsend_role = \"Sender\"\n";
    let sends = toml_with(
        targets,
        &format!("[automation]\ndispatch = \"run-command\"\n{role}"),
    );
    let request = PatchRequest::parse(sends.as_bytes(), Format::Toml).unwrap();
    assert_eq!(request.access.send_role.as_ref().unwrap().as_str(), "Sender");
    let written = serde_json::to_value(&request).unwrap();
    assert_eq!(PatchRequest::from_value(written).unwrap(), request);
    let problems = problems(&toml_with(targets, role));
    let [problem] = problems.problems() else {
        panic!("{problems}")
    };
    assert_eq!(
        (problem.path.as_str(), problem.code),
        ("access.send_role", ProblemCode::Conflict)
    );
}

#[test]
fn an_empty_text_is_said_to_be_empty_in_every_language() {
    for format in [Format::Toml, Format::Json, Format::Yaml] {
        for text in ["", " \n\n", "\u{feff}\n"] {
            let problems = PatchRequest::parse(text.as_bytes(), format).unwrap_err();
            assert_eq!(
                problems.to_string(),
                "the request has 1 problem\n  [syntax] the text is empty"
            );
        }
    }
}

#[test]
fn a_text_without_a_field_lacks_name_selector_and_regions() {
    let problems = problems("# nothing");
    let missing: Vec<_> = problems
        .problems()
        .iter()
        .map(|p| (p.code, p.path.as_str()))
        .collect();
    let code = ProblemCode::Missing;
    assert_eq!(
        missing,
        [(code, "name"), (code, "targets"), (code, "targets.regions")]
    );
    assert_eq!(
        PatchRequest::parse(b"# nothing", Format::Yaml).unwrap_err(),
        problems
    );
    assert_eq!(PatchRequest::parse(b"{}", Format::Json).unwrap_err(), problems);
}

#[test]
fn a_misspelt_selector_is_told_once_by_its_name() {
    for (misspelt, meant) in [
        ("resource_grp = \"WebServers\"", "resource_group"),
        ("nodes_ids = [\"i-01234567\"]", "node_ids"),
        ("tag = { Env = \"prod\" }", "tags"),
        ("all-managed = true", "all_managed"),
    ] {
        let targets = format!("{misspelt}\nregions = [\"us-east-1\"]");
        let problems = problems(&toml_with(&targets, ""));
        let [problem] = problems.problems() else {
            panic!("not one problem: {problems}")
        };
        assert_eq!(problem.code, ProblemCode::UnknownKey);
        assert_eq!(problem.expected, format!("no such field; did you mean {meant}?"));
    }
    // Another key that is misspelt stands for no selector.
    let problems = problems(&toml_with("acounts = []\nregions = [\"us-east-1\"]", ""));
    let codes: Vec<_> = problems.problems().iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [ProblemCode::Missing, ProblemCode::UnknownKey]);
}

#[test]
fn regions_and_roles_are_all_of_one_partition() {
    let mixed = "all_managed = true\nregions = [\"us-east-1\", \"cn-north-1\", \"us-gov-west-1\"]";
    assert_eq!(
        only(&toml_with(mixed, "")),
        at(ProblemCode::Conflict, "targets.regions")
    );
    let role = "[automation]\nassume_role = \"arn:aws-cn:iam::111122223333:role/Admin\"";
    assert_eq!(
        only(&toml_with(TARGETS, role)),
        at(ProblemCode::Conflict, "automation.assume_role")
    );
    let own = "[automation]\nassume_role = \"arn:aws:iam::111122223333:role/Admin\"";
    PatchRequest::parse(toml_with(TARGETS, own).as_bytes(), Format::Toml).unwrap();
}

#[test]
fn override_lists_are_checked_against_the_operation_and_each_other() {
    let list = "install_override_list = \"s3://bucket/list.yaml\"";
    let baseline = "baseline_override = \"https://example.com/baseline.json\"";
    let patch = |lines: &str| toml_with(TARGETS, &format!("[patch]\n{lines}"));
    assert_eq!(
        only(&patch(list)),
        at(ProblemCode::Conflict, "patch.install_override_list")
    );
    assert_eq!(
        only(&patch(&format!("operation = \"Install\"\n{list}\n{baseline}"))),
        at(ProblemCode::Conflict, "patch.baseline_override")
    );
    for fine in [
        format!("operation = \"Install\"\n{list}"),
        baseline.to_owned(),
        "reboot_option = \"NoReboot\"".to_owned(),
    ] {
        PatchRequest::parse(patch(&fine).as_bytes(), Format::Toml).unwrap();
    }
    for (length, fits) in [(256, true), (257, false)] {
        let text = patch(&format!(
            "operation = \"Install\"\ninstall_override_list = \"https://{}\"",
            "x".repeat(length - "https://".len())
        ));
        assert_eq!(
            PatchRequest::parse(text.as_bytes(), Format::Toml).is_ok(),
            fits,
            "{length}"
        );
    }
    for wrong in [
        "",
        "http://x",
        "s3://bucket",
        "s3://bucket/",
        "s3://bucket/dir/",
        "list.yaml",
    ] {
        let text = patch(&format!(
            "operation = \"Install\"\ninstall_override_list = \"{wrong}\""
        ));
        let expected = at(ProblemCode::InvalidValue, "patch.install_override_list");
        assert_eq!(only(&text), expected, "{wrong:?}");
    }
}

#[test]
fn lists_have_each_entry_once() {
    for (list, path) in [
        (
            "accounts = [\"111122223333\", \"ou-ab12-cdef3456\", \"111122223333\"]",
            "targets.accounts[2]",
        ),
        (
            "exclude_accounts = [\"111122223333\", \"111122223333\"]",
            "targets.exclude_accounts[1]",
        ),
    ] {
        let text = toml_with(&format!("{TARGETS}\n{list}"), "");
        assert_eq!(only(&text), at(ProblemCode::Duplicate, path));
    }
    let nodes = "node_ids = [\"i-01234567\", \"i-01234567\"]\nregions = [\"us-east-1\", \"us-east-1\"]";
    let paths: Vec<_> = problems(&toml_with(nodes, ""))
        .problems()
        .iter()
        .map(|p| (p.code, p.path.clone()))
        .collect();
    let code = ProblemCode::Duplicate;
    assert_eq!(
        paths,
        [at(code, "targets.node_ids[1]"), at(code, "targets.regions[1]")]
    );
}

#[test]
fn an_account_may_be_both_wanted_and_excluded_but_the_root_may_not_be_excluded() {
    let both = format!("{TARGETS}\naccounts = [\"111122223333\"]\nexclude_accounts = [\"111122223333\"]");
    PatchRequest::parse(toml_with(&both, "").as_bytes(), Format::Toml).unwrap();
    let root =
        format!("{TARGETS}\naccounts = [\"r-ab12\"]\nexclude_accounts = [\"111122223333\", \"r-ab12\"]");
    assert_eq!(
        only(&toml_with(&root, "")),
        at(ProblemCode::InvalidValue, "targets.exclude_accounts[1]")
    );
}

#[test]
fn tags_and_node_ids_have_awss_limits() {
    let only_targets = |line: &str| only(&toml_with(&format!("{line}\nregions = [\"us-east-1\"]"), ""));
    let range = |path| at(ProblemCode::OutOfRange, path);
    assert_eq!(only_targets("tags = {}"), range("targets.tags"));
    assert_eq!(
        only_targets("tags = { a = \"1\", b = \"1\", c = \"1\", d = \"1\", e = \"1\", f = \"1\" }"),
        range("targets.tags")
    );
    assert_eq!(only_targets("tags = { Env = [] }"), range("targets.tags.Env"));
    assert_eq!(
        only_targets("tags = { Env = \"\" }"),
        at(ProblemCode::InvalidValue, "targets.tags.Env")
    );
    assert_eq!(
        only_targets("tags = { Env = [1] }"),
        at(ProblemCode::WrongType, "targets.tags.Env[0]")
    );
    assert_eq!(only_targets("node_ids = []"), range("targets.node_ids"));
    assert_eq!(
        only_targets("node_ids = [\"i-01234567\", \"i-1\"]"),
        at(ProblemCode::InvalidValue, "targets.node_ids[1]")
    );
}

#[test]
fn a_tag_that_cannot_be_a_target_is_refused() {
    let parsed = |key: &str, value: &str| {
        let tags = format!("tags = {{ {key:?} = [{value:?}] }}\nregions = [\"us-east-1\"]");
        PatchRequest::parse(toml_with(&tags, "").as_bytes(), Format::Toml)
    };
    for key in ["a+b", "a(b", "a)b", "a#b", "a*b", "a,b", "a&b", "a😀", "a\tb"] {
        let problems = parsed(key, "prod").unwrap_err();
        assert_eq!(problems.problems().len(), 1, "{problems}");
        let text = problems.to_string();
        assert!(
            text.contains("[invalid_value]") && text.contains("use a resource group"),
            "{text}"
        );
    }
    for value in ["a*b", "a(b)", "a#", "a\"b"] {
        assert!(parsed("Env", value).is_err(), "{value}");
    }
    // What the pattern has, and a plus sign in a value, which the pattern is not for.
    for (key, value) in [
        ("aws:cloudformation:stack-name", "a b"),
        ("Größe/é_.:/=-@ 5", "x+y=z"),
    ] {
        assert!(parsed(key, value).is_ok(), "{key} {value}");
    }
}

#[test]
fn a_tag_that_would_not_fit_one_parameter_is_refused() {
    let empty = r#"{"Key":"tag:Env","Values":["",""]}"#.len();
    for (second, fits) in [(512 - empty - 256, true), (512 - empty - 255, false)] {
        let (a, b) = ("a".repeat(256), "b".repeat(second));
        let tags = format!("tags = {{ Env = [\"{a}\", \"{b}\"] }}\nregions = [\"us-east-1\"]");
        let parsed = PatchRequest::parse(toml_with(&tags, "").as_bytes(), Format::Toml);
        assert_eq!(parsed.is_ok(), fits, "{second}");
    }
}

#[test]
fn parameters_are_for_runbooks_of_ones_own() {
    let own = "[automation.parameters]\nReason = \"x\"";
    assert_eq!(
        only(&toml_with(TARGETS, own)),
        at(ProblemCode::Conflict, "automation.parameters")
    );
    let other = "[automation]\ndocument = \"My-Runbook\"\n[automation.parameters]\n\
                 Text = \"x\"\nCount = 3\nShare = 1.5\nFlag = true\nList = [\"a\", 1, false]\nNone = []";
    let request = PatchRequest::parse(toml_with(TARGETS, other).as_bytes(), Format::Toml).unwrap();
    let parameters = serde_json::to_value(&request.automation.parameters).unwrap();
    assert_eq!(
        parameters,
        serde_json::json!({
            "Text": ["x"], "Count": ["3"], "Share": ["1.5"], "Flag": ["true"], "List": ["a", "1", "false"], "None": []
        })
    );
    let long = "x".repeat(513);
    for (line, code, path) in [
        (
            "X = { a = 1 }".to_owned(),
            ProblemCode::WrongType,
            "automation.parameters.X",
        ),
        (
            "X = [\"a\", []]".to_owned(),
            ProblemCode::WrongType,
            "automation.parameters.X[1]",
        ),
        (
            format!("X = \"{long}\""),
            ProblemCode::OutOfRange,
            "automation.parameters.X",
        ),
        (
            format!("X = {:?}", vec!["a"; 51]),
            ProblemCode::OutOfRange,
            "automation.parameters.X",
        ),
    ] {
        let text = format!("[automation]\ndocument = \"My-Runbook\"\n[automation.parameters]\n{line}");
        assert_eq!(only(&toml_with(TARGETS, &text)), at(code, path), "{line}");
    }
}

#[test]
fn a_runbook_may_not_be_told_another_operation_than_the_request_is_for() {
    let text = |patch: &str, operation: &str| {
        let automation = format!("document = \"My-Runbook\"\nparameters = {{ Operation = \"{operation}\" }}");
        toml_with(
            TARGETS,
            &format!("[patch]\noperation = \"{patch}\"\n[automation]\n{automation}"),
        )
    };
    for (patch, operation) in [("Scan", "Install"), ("Scan", "install"), ("Install", "Scan")] {
        let expected = at(ProblemCode::Conflict, "automation.parameters.Operation");
        assert_eq!(only(&text(patch, operation)), expected);
    }
    for (patch, operation) in [("Scan", "Scan"), ("Install", "Install"), ("Scan", "Inventory")] {
        PatchRequest::parse(text(patch, operation).as_bytes(), Format::Toml).unwrap();
    }
}

#[test]
fn what_is_wrong_with_a_wave_and_with_a_bound_is_told_at_once() {
    let text = toml_with(
        TARGETS,
        "[budget.fleet]\nwhatever = 1\n[[waves]]\nname = 1\nwhatever = 1",
    );
    insta::assert_snapshot!(problems(&text), @"
    the request has 4 problems
      [unknown_key] budget.fleet.whatever = 1 (line 6, column 1): no such field; there are max_in_flight, max_damaged, max_unreached
      [missing] waves[0] (line 7, column 1): expected at least one of accounts, account_tags, regions, locations, nodes, which say what is in the wave; what no wave names forms the last one by itself
      [wrong_type] waves[0].name = 1 (line 8, column 1): expected 1 to 64 of letters, digits, _ . -, the first a letter or digit, in quotes
      [unknown_key] waves[0].whatever = 1 (line 9, column 1): no such field; there are name, accounts, account_tags, regions, locations, nodes, if_empty, soak, gate, approval, patch, budget
    ");
}

#[test]
fn a_bound_on_the_fleet_is_a_count_or_a_share_of_nodes() {
    let wrong =
        "[budget.fleet]\nmax_in_flight = 0\nmax_damaged = \"0%\"\nmax_unreached = \"101%\"\nmax_lost = 1";
    insta::assert_snapshot!(problems(&toml_with(TARGETS, wrong)), @r#"
    the request has 4 problems
      [out_of_range] budget.fleet.max_in_flight = 0 (line 6, column 1): expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
      [out_of_range] budget.fleet.max_damaged = "0%" (line 7, column 1): expected a count from 1 such as 2 (at most 7 digits), or a percentage from "1%" to "100%": any node that is begun may be damaged, so with none allowed nothing could be begun
      [invalid_value] budget.fleet.max_unreached = "101%" (line 8, column 1): expected a count from 0 such as 2 (at most 7 digits), or a percentage from "0%" to "100%"
      [unknown_key] budget.fleet.max_lost = 1 (line 9, column 1): no such field; there are max_in_flight, max_damaged, max_unreached
    "#);
    insta::assert_snapshot!(problems(&toml_with(TARGETS, "[budget.fleet]")), @"
    the request has 1 problem
      [missing] budget.fleet (line 5, column 9): expected at least one of max_in_flight, max_damaged, max_unreached
    ");
    insta::assert_snapshot!(problems(&toml_with(TARGETS, "[budget]\nfleet = \"5%\"")), @r#"
    the request has 1 problem
      [wrong_type] budget.fleet = "5%" (line 6, column 1): expected a table
    "#);
    let over = "[budget.fleet]\nmax_damaged = \"101%\"";
    let told = problems(&toml_with(TARGETS, over)).to_string();
    assert!(told.contains("expected a count from 1"), "{told}");
    let none = "[budget.fleet]\nmax_unreached = 0";
    let request = PatchRequest::parse(toml_with(TARGETS, none).as_bytes(), Format::Toml).unwrap();
    let fleet = request.budget.fleet.unwrap();
    assert_eq!(fleet.max_unreached.unwrap().to_string(), "0");
    assert_eq!((fleet.max_in_flight, fleet.max_damaged), (None, None));
}

#[test]
fn a_bound_on_the_values_of_a_label_says_which_label_and_how_many_nodes() {
    let wrong = "[[budget.labels]]\nby = \"Service\"\nmax_in_flight = 0\nuntagged = \"skip\"\n\
                 [[budget.labels]]\nby = \"region\"\nmax_damaged = \"0%\"\nuntagged = \"refuse\"\nmax_lost = 1\n\
                 [[budget.labels]]\nby = \"tag:Service\"\n\
                 [[budget.labels]]\nmax_in_flight = 1\n\
                 [[budget.labels]]\nby = \"account\"\nmax_in_flight = 1\n\
                 [[budget.labels]]\nby = \"account\"\nmax_damaged = 2\n";
    insta::assert_snapshot!(problems(&toml_with(TARGETS, wrong)), @r#"
    the request has 10 problems
      [out_of_range] budget.labels = [{"by": "Service", "max_in_flight": 0, "untagged": "skip"}, {"by": "region", "m… (line 5, column 10): expected 1 to 5 of them
      [invalid_value] budget.labels[0].by = "Service" (line 6, column 1): expected "tag:" and the key of a tag (1 to 128 characters, none of them a control character), such as "tag:Service", or "account", or "region"
      [out_of_range] budget.labels[0].max_in_flight = 0 (line 7, column 1): expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
      [invalid_value] budget.labels[0].untagged = "skip" (line 8, column 1): expected "together" or "unbounded" or "refuse"
      [out_of_range] budget.labels[1].max_damaged = "0%" (line 11, column 1): expected a count from 1 such as 2 (at most 7 digits), or a percentage from "1%" to "100%": any node that is begun may be damaged, so with none allowed nothing could be begun
      [conflict] budget.labels[1].untagged = "refuse" (line 12, column 1): no such field beside by = "region": every node has one
      [unknown_key] budget.labels[1].max_lost = 1 (line 13, column 1): no such field; there are by, max_in_flight, max_damaged, untagged
      [missing] budget.labels[2] (line 14, column 1): expected at least one of max_in_flight, max_damaged
      [missing] budget.labels[3].by (line 16, column 1): expected "tag:" and the key of a tag (1 to 128 characters, none of them a control character), such as "tag:Service", or "account", or "region"
      [duplicate] budget.labels[5].by = "account" (line 22, column 1): each only once; budget.labels[4] has the same
    "#);
    insta::assert_snapshot!(problems(&toml_with(TARGETS, "[budget]\nlabels = []")), @"
    the request has 1 problem
      [out_of_range] budget.labels = [] (line 6, column 1): expected 1 to 5 of them
    ");
    insta::assert_snapshot!(problems(&toml_with(TARGETS, "[budget.labels]\nby = \"account\"")), @r#"
    the request has 1 problem
      [wrong_type] budget.labels = {"by": "account"} (line 5, column 9): expected a list of tables, each [[budget.labels]] in TOML
    "#);
    let text = "[[budget.labels]]\nby = \"tag:Service\"\nmax_in_flight = 1\n[[budget.labels]]\nby = \"account\"\nmax_damaged = \"10%\"";
    let request = PatchRequest::parse(toml_with(TARGETS, text).as_bytes(), Format::Toml).unwrap();
    let json = serde_json::to_value(&request.budget.labels).unwrap();
    let written = serde_json::json!([
        {"by": "tag:Service", "max_in_flight": "1", "untagged": "together"},
        {"by": "account", "max_damaged": "10%"},
    ]);
    assert_eq!(json, written);
    let own = format!("{TARGETS}\n[automation]\ndocument = \"Mine\"\n");
    let told = problems(&toml_with(&own, text)).to_string();
    assert!(told.contains("[conflict] budget.labels"), "{told}");
}

#[test]
fn a_breaker_has_a_count_of_locations_or_a_share_of_nodes() {
    let wrong =
        "[breaker]\nconsecutive_failures = 0\nfailure_share = \"100%\"\nsample = \"20\"\nalarms = [\"a\"]";
    insta::assert_snapshot!(problems(&toml_with(TARGETS, wrong)), @r#"
    the request has 4 problems
      [out_of_range] breaker.consecutive_failures = 0 (line 6, column 1): expected a count from 1 to 9999999, such as 3
      [invalid_value] breaker.failure_share = "100%" (line 7, column 1): expected a percentage from "0%" to "99%", in quotes: more than 100% of the nodes cannot fail
      [wrong_type] breaker.sample = "20" (line 8, column 1): expected a count from 1 to 9999999, such as 20
      [unknown_key] breaker.alarms = ["a"] (line 9, column 1): no such field; did you mean alarm?
    "#);
    insta::assert_snapshot!(problems(&toml_with(TARGETS, "[breaker]")), @"
    the request has 1 problem
      [missing] breaker (line 5, column 2): expected consecutive_failures, failure_share, alarm, or several of them
    ");
    insta::assert_snapshot!(problems(&toml_with(TARGETS, "[breaker]\nsample = 5\n")), @r#"
    the request has 1 problem
      [missing] breaker.failure_share (line 5, column 2): expected the share of breaker.sample nodes that may have failed, such as "30%"
    "#);
    insta::assert_snapshot!(problems(&toml_with(TARGETS, "[breaker]\nfailure_share = 30\n")), @r#"
    the request has 1 problem
      [wrong_type] breaker.failure_share = 30 (line 6, column 1): expected a percentage from "0%" to "99%", in quotes: more than 100% of the nodes cannot fail
    "#);
    let read = |table: &str| {
        let text = toml_with(TARGETS, &format!("[breaker]\n{table}"));
        PatchRequest::parse(text.as_bytes(), Format::Toml)
            .unwrap()
            .breaker
    };
    let row = read("consecutive_failures = 3");
    assert_eq!((row.consecutive_failures, row.failure_share), (Some(3), None));
    let share = read("failure_share = \"30%\"").failure_share.unwrap();
    assert_eq!((share.most.percent(), share.sample), (30, 20), "20 by default");
    let alarm = read("alarm = \"Web errors: é\"").alarm.unwrap();
    assert_eq!(alarm.as_str(), "Web errors: é");
    let long = "a".repeat(255);
    assert!(read(&format!("alarm = \"{long}\"")).alarm.is_some());
    let alarmed = read("alarm = \"web errors\"\nhand_alarm_to_aws = true");
    assert!(alarmed.hand_alarm_to_aws && !read("alarm = \"web errors\"").hand_alarm_to_aws);
    insta::assert_snapshot!(problems(&toml_with(TARGETS, "[breaker]\nhand_alarm_to_aws = true\n")), @"
    the request has 1 problem
      [missing] breaker.alarm (line 5, column 2): expected the name of the CloudWatch alarm that is handed to Systems Manager
    ");
    insta::assert_snapshot!(problems(&toml_with(TARGETS, "[breaker]\nalarm = \"a\"\nhand_alarm_to_aws = \"yes\"\n")), @r#"
    the request has 1 problem
      [wrong_type] breaker.hand_alarm_to_aws = "yes" (line 7, column 1): expected true or false
    "#);
    let sends =
        "[breaker]\nalarm = \"a\"\nhand_alarm_to_aws = true\n[automation]\ndispatch = \"run-command\"\n";
    insta::assert_snapshot!(problems(&toml_with(TARGETS, sends)), @r#"
    the request has 1 problem
      [conflict] breaker.hand_alarm_to_aws = true (line 7, column 1): false with dispatch = "run-command": commands are sent in the accounts and Regions of the nodes, where Systems Manager would look for an alarm of its own
    "#);
    for wrong in [
        "",
        " a",
        "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:a",
        "a\\u0007",
        &format!("{long}a"),
    ] {
        let told = problems(&toml_with(TARGETS, &format!("[breaker]\nalarm = \"{wrong}\""))).to_string();
        assert!(told.contains("breaker.alarm"), "{told}");
        assert!(told.contains("expected 1 to 255 characters"), "{told}");
    }
}

#[test]
fn a_runbook_of_ones_own_keeps_no_bound_on_the_fleet() {
    let own = "[budget.fleet]\nmax_in_flight = 5\n[automation]\ndocument = 'Our-Runbook'";
    insta::assert_snapshot!(problems(&toml_with(TARGETS, own)), @"
    the request has 1 problem
      [conflict] budget.fleet (line 5, column 9): only Patchfleet-RunPatchBaseline is told how many nodes to patch at once; a runbook of your own decides that by itself, so a bound on the nodes of the whole fleet cannot be kept
    ");
}

#[test]
fn a_denied_census_call_leads_to_what_an_unknown_one_does_unless_the_request_says_otherwise() {
    let denied = |policy: &str| {
        let text = format!(
            "name = 'a'\n[targets]\nall_managed = true\nregions = ['eu-west-1']\n[policy]\n{policy}\n"
        );
        let request = PatchRequest::parse(text.as_bytes(), Format::Toml).unwrap();
        request.policy.denied
    };
    assert_eq!(denied(""), DeniedAction::Refuse);
    assert_eq!(denied("unknown = 'skip'"), DeniedAction::Skip);
    assert_eq!(denied("unknown = 'keep'"), DeniedAction::Keep);
    assert_eq!(
        denied("unknown = 'skip'\ndenied = 'exclude'"),
        DeniedAction::Exclude
    );
}

#[test]
fn an_external_id_is_given_in_one_way() {
    let wrong = |value: &str| {
        let text = format!(
            "name = 'a'\n[targets]\nall_managed = true\nregions = ['eu-west-1']\n[access]\nexternal_id = {value}\n"
        );
        let problems = PatchRequest::parse(text.as_bytes(), Format::Toml).unwrap_err();
        let problems: Vec<String> = problems.problems().iter().map(ToString::to_string).collect();
        problems.join("\n")
    };
    insta::assert_snapshot!(wrong("{ env = 'A', ssm = 'B' }"), @r#"[invalid_value] access.external_id = {"env": "A", "ssm": "B"} (line 6, column 1): expected exactly one of { env = NAME }, { ssm = NAME } or { secret = NAME }"#);
    insta::assert_snapshot!(wrong("{ vault = 'A' }"), @r#"[unknown_key] access.external_id.vault = (not shown, length 1) (line 6, column 17): no such field; there are env, ssm, secret, withheld"#);
    insta::assert_snapshot!(wrong("{ env = 'A B' }"), @r#"[invalid_value] access.external_id.env = "A B" (line 6, column 17): expected a name of 1 to 512 characters, without spaces"#);
    insta::assert_snapshot!(wrong("{}"), @"[invalid_value] access.external_id = {} (line 6, column 1): expected exactly one of { env = NAME }, { ssm = NAME } or { secret = NAME }");
}

#[test]
fn where_output_goes_is_held_to_the_rules_of_s3_and_of_log_groups_all_at_once() {
    let text = toml_with(
        TARGETS,
        "[output]\ns3_bucket = 'Ops_Output'\ns3_prefix = '/patching'\ncloudwatch_log_group = 'a b'\nbucket = 'b'\n",
    );
    insta::assert_snapshot!(problems(&text), @r#"
    the request has 4 problems
      [invalid_value] output.s3_bucket = "Ops_Output" (line 6, column 1): expected 3 to 63 of lower-case letters, digits, - and . with a letter or digit at both ends, no two dots side by side, no IP address, and none of S3's own prefixes and suffixes (xn--, sthree-, -s3alias, --ol-s3, …)
      [invalid_value] output.s3_prefix = "/patching" (line 7, column 1): expected 1 to 500 characters, such as patching/weekly, that do not begin with /, without {{ and control characters
      [invalid_value] output.cloudwatch_log_group = "a b" (line 8, column 1): expected 1 to 512 of letters, digits, . - _ / #
      [unknown_key] output.bucket = "b" (line 9, column 1): no such field; did you mean s3_bucket?
    "#);
    assert_eq!(
        only(&toml_with(TARGETS, "[output]\ns3_prefix = 'patching'\n")),
        at(ProblemCode::Missing, "output.s3_bucket")
    );
    let long = format!("[output]\ns3_bucket = 'ops'\ns3_prefix = '{}'\n", "p".repeat(501));
    assert_eq!(
        only(&toml_with(TARGETS, &long)),
        at(ProblemCode::InvalidValue, "output.s3_prefix")
    );
}

#[test]
fn a_runbook_of_ones_own_cannot_be_told_where_its_output_goes() {
    let own = "[automation]\ndocument = 'Our-Runbook'\n";
    let text =
        format!("[output]\ns3_bucket = 'ops'\ns3_prefix = 'a'\ncloudwatch_log_group = '/patching'\n{own}");
    insta::assert_snapshot!(problems(&toml_with(TARGETS, &text)), @"
    the request has 1 problem
      [conflict] output (line 5, column 2): only Patchfleet-RunPatchBaseline can be told where its output goes; a runbook of your own says so in its steps, by OutputS3BucketName and CloudWatchOutputConfig, and may take both from automation.parameters
    ");
    let nothing = toml_with(TARGETS, &format!("[output]\n{own}"));
    assert!(
        PatchRequest::parse(nothing.as_bytes(), Format::Toml)
            .unwrap()
            .output
            .is_none()
    );
}

#[test]
fn every_problem_of_a_wave_is_told_at_once_by_its_path() {
    let targets = "resource_group = 'G'\nregions = ['eu-west-1', 'us-east-1']\naccounts = ['111122223333', \
                   '222222222222']\nexclude_regions = ['us-east-1']\nexclude_accounts = ['222222222222']";
    let waves = r#"
[[waves]]
nmae = "canary"
regions = ["eu-west-1"]
[[waves]]
name = "rest"
locations = 0
[[waves]]
name = "one"
regions = ["eu-west-3", "us-east-1"]
accounts = ["333333333333", "222222222222", "ou-ab12-cdef3456"]
[[waves]]
name = "two"
if_empty = "go on"
[[waves]]
name = "two"
regions = []
accounts = "111122223333"
[[waves]]
name = "three"
regions = ["eu-west-1"]
[[waves]]
name = "four"
accounts = ["111122223333"]
regions = ["eu-west-1"]
[[waves]]
name = "five"
region = "eu-west-1"
[[waves]]
name = "six"
locations = 1
soak = 30
approval = "yes"
gate = { max_faild = "5%" }
[[waves]]
name = "seven"
locations = 1
soak = "8d"
gate = { min_sample = 10 }
[[waves]]
name = "eight"
locations = 1
gate = { max_failed = "101%", max_unreached = true, min_sample = 0 }
[[waves]]
name = "nine"
locations = 1
nodes = 5
[[waves]]
name = "ten"
nodes = "5.5%"
"#;
    insta::assert_snapshot!(problems(&toml_with(targets, waves)), @r#"
    the request has 25 problems
      [missing] waves[0].name (line 9, column 1): expected 1 to 64 of letters, digits, _ . -, the first a letter or digit
      [unknown_key] waves[0].nmae = "canary" (line 10, column 1): no such field; there are name, accounts, account_tags, regions, locations, nodes, if_empty, soak, gate, approval, patch, budget
      [conflict] waves[1].name = "rest" (line 13, column 1): another name: "rest" is what the last wave is called, which has what no wave names
      [out_of_range] waves[1].locations = 0 (line 14, column 1): expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
      [invalid_value] waves[2].regions[0] = "eu-west-3" (line 17, column 12): expected a Region of targets.regions
      [conflict] waves[2].regions[1] = "us-east-1" (line 17, column 25): targets.exclude_regions leaves this Region out
      [invalid_value] waves[2].accounts[0] = "333333333333" (line 18, column 13): expected an account of targets.accounts
      [conflict] waves[2].accounts[1] = "222222222222" (line 18, column 29): targets.exclude_accounts leaves it out
      [missing] waves[3] (line 19, column 1): expected at least one of accounts, account_tags, regions, locations, nodes, which say what is in the wave; what no wave names forms the last one by itself
      [invalid_value] waves[3].if_empty = "go on" (line 21, column 1): expected "refuse" or "skip"
      [duplicate] waves[4].name = "two" (line 23, column 1): each only once; waves[3].name is the same
      [out_of_range] waves[4].regions = [] (line 24, column 1): expected at least one Region
      [wrong_type] waves[4].accounts = "111122223333" (line 25, column 1): expected a list of account, unit or root ids, each in quotes
      [conflict] waves[6] = "four" (line 29, column 1): nothing is left for it: the first wave that names a location has it, and three names all that this one does
      [unknown_key] waves[7].region = "eu-west-1" (line 35, column 1): no such field; did you mean regions?
      [wrong_type] waves[8].soak = 30 (line 39, column 1): expected a time with units such as "30m" or "2h", of 1s to 168h (7 days), in whole seconds, in quotes
      [wrong_type] waves[8].approval = "yes" (line 40, column 1): expected true or false
      [unknown_key] waves[8].gate.max_faild = "5%" (line 41, column 10): no such field; did you mean max_failed?
      [invalid_value] waves[9].soak = "8d" (line 45, column 1): expected a time with units such as "30m" or "2h", of 1s to 168h (7 days), in whole seconds
      [missing] waves[9].gate (line 46, column 1): expected max_failed, max_unreached or both, which say how many may be
      [invalid_value] waves[10].gate.max_failed = "101%" (line 50, column 10): expected a count from 0 such as 2 (at most 7 digits), or a percentage from "0%" to "100%"
      [wrong_type] waves[10].gate.max_unreached = true (line 50, column 31): expected a count from 0 such as 2 (at most 7 digits), or a percentage from "0%" to "100%"
      [out_of_range] waves[10].gate.min_sample = 0 (line 50, column 53): expected a count from 1 to 9999999, such as 10
      [conflict] waves[11].nodes = 5 (line 54, column 1): nodes or locations, not both: each says how large the wave is
      [invalid_value] waves[12].nodes = "5.5%" (line 57, column 1): expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
    "#);
    let text = "waves = [1]\nname = 'a'\n[targets]\nall_managed = true\nregions = ['eu-west-1']";
    assert_eq!(only(text), at(ProblemCode::WrongType, "waves[0]"));
    let text = "waves = 'canary'\nname = 'a'\n[targets]\nall_managed = true\nregions = ['eu-west-1']";
    assert_eq!(only(text), at(ProblemCode::WrongType, "waves"));
}

#[test]
fn what_a_wave_may_not_say_otherwise_is_told_with_where_it_stands_instead() {
    let waves = r#"
[budget.fleet]
max_in_flight = 10
max_damaged = 3
[budget.locations]
max_errors = 1
[[waves]]
name = "one"
locations = 1
patch = { operation = "Install", reboot_option = "no", install_override_list = "https://b.s3.amazonaws.com/l?X-Amz-Signature=secret", baseline_override = "s3://b/l", delivery_timeout = "2h", reboot = true }
[waves.budget]
labels = []
node = { max_errors = 1 }
nodes = { max_concurrency = 0, max_errors = "5.5%" }
locations = { max_concurrency = "101%", errors = 1 }
fleet = { max_in_flight = 0, max_damaged = 0, max_unreached = 1, max_lost = 1 }
[[waves]]
name = "two"
locations = 1
patch = { operation = "Install" }
budget = { fleet = { max_in_flight = 11, max_damaged = 4 }, locations = { max_errors = 2 } }
[[waves]]
name = "three"
locations = 1
patch = { operation = "Scan" }
budget = { fleet = { max_in_flight = "100%", max_damaged = 3 }, locations = { max_errors = 1 } }
"#;
    insta::assert_snapshot!(problems(&toml_with(TARGETS, waves)), @r#"
    the request has 19 problems
      [invalid_value] waves[0].patch.reboot_option = "no" (line 14, column 34): expected "RebootIfNeeded" or "NoReboot"
      [conflict] waves[0].patch.install_override_list = (not shown, length 51) (line 14, column 56): no such field in a wave, as every wave installs the same patches: what [patch] says holds for all of them
      [conflict] waves[0].patch.baseline_override = (not shown, length 8) (line 14, column 135): no such field in a wave, as every wave installs the same patches: what [patch] says holds for all of them
      [conflict] waves[0].patch.delivery_timeout = "2h" (line 14, column 167): no such field in a wave: what [patch] says holds for all of them
      [unknown_key] waves[0].patch.reboot = true (line 14, column 192): no such field; there are operation, reboot_option
      [conflict] waves[0].budget.labels = [] (line 16, column 1): no such field in a wave: a bound on the nodes of a value holds over all waves ([[budget.labels]])
      [unknown_key] waves[0].budget.node = {"max_errors": 1} (line 17, column 1): no such field; did you mean nodes?
      [out_of_range] waves[0].budget.nodes.max_concurrency = 0 (line 18, column 11): expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
      [invalid_value] waves[0].budget.nodes.max_errors = "5.5%" (line 18, column 32): expected a count from 0 such as 2 (at most 7 digits), or a percentage from "0%" to "100%"
      [invalid_value] waves[0].budget.locations.max_concurrency = "101%" (line 19, column 15): expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
      [unknown_key] waves[0].budget.locations.errors = 1 (line 19, column 41): no such field; did you mean max_errors?
      [out_of_range] waves[0].budget.fleet.max_in_flight = 0 (line 20, column 11): expected a count from 1 such as 4 (at most 7 digits), or a percentage from "1%" to "100%"
      [out_of_range] waves[0].budget.fleet.max_damaged = 0 (line 20, column 30): expected a count from 1 such as 2 (at most 7 digits), or a percentage from "1%" to "100%": any node that is begun may be damaged, so with none allowed nothing could be begun
      [conflict] waves[0].budget.fleet.max_unreached = 1 (line 20, column 47): no such field in a wave: have its gate say how many may not be reached (gate.max_unreached)
      [unknown_key] waves[0].budget.fleet.max_lost = 1 (line 20, column 66): no such field; there are max_in_flight, max_damaged
      [conflict] waves[1].patch.operation = "Install" (line 24, column 11): "Scan", or nothing: a wave may scan where the request installs, and not the other way round. Set patch.operation = "Install", and operation = "Scan" in the waves that only scan
      [conflict] waves[1].budget.fleet.max_in_flight = 11 (line 25, column 22): at most 10, as budget.fleet.max_in_flight allows no more for all waves together, and a wave cannot loosen that
      [conflict] waves[1].budget.fleet.max_damaged = 4 (line 25, column 42): at most 3, as budget.fleet.max_damaged allows no more for all waves together, and a wave cannot loosen that
      [conflict] waves[1].budget.locations.max_errors = 2 (line 25, column 75): at most 1, as budget.locations.max_errors allows no more for all waves together, and a wave cannot loosen that
    "#);
}

#[test]
fn a_runbook_of_ones_own_is_not_told_what_is_different_in_a_wave() {
    let waves = r#"
[automation]
document = "Our-Patch"
[[waves]]
name = "one"
locations = 1
patch = { operation = "Scan" }
[waves.budget]
nodes = { max_concurrency = 1 }
locations = { max_concurrency = 1 }
fleet = { max_in_flight = 1 }
"#;
    let install = "resource_group = 'G'\nregions = ['eu-west-1']\n[patch]\noperation = 'Install'";
    insta::assert_snapshot!(problems(&toml_with(install, waves)), @r"
    the request has 3 problems
      [conflict] waves[0].patch (line 13, column 1): only Patchfleet-RunPatchBaseline is told what to do; a runbook of your own is given the same parameters in every wave
      [conflict] waves[0].budget.nodes (line 15, column 1): only Patchfleet-RunPatchBaseline is told how many nodes to patch at once; a runbook of your own is given the same parameters in every wave
      [conflict] waves[0].budget.fleet (line 17, column 1): only Patchfleet-RunPatchBaseline is told how many nodes to patch at once; a runbook of your own is given the same parameters in every wave
    ");
}
