//! The document as it was reviewed, and what may not be in it.

use super::*;

#[test]
fn the_document_is_the_one_that_was_reviewed() {
    insta::assert_snapshot!(Runbook::default().to_json());
}

/// A document with the three steps of AWS-RunPatchBaseline and its later parameter.
fn newer() -> CommandSteps {
    let step = r#"{"inputs":{"timeoutSeconds":"{{ StepTimeoutSeconds }}"}}"#;
    CommandSteps::parse(&format!(
        r#"{{"schemaVersion":"2.2","mainSteps":[{step},{step},{step}]}}"#
    ))
}

#[test]
fn the_document_passes_the_step_timeout_where_the_command_document_takes_it() {
    let plain = Runbook::default().fitting(CommandSteps::parse(
        r#"{"schemaVersion":"2.2","mainSteps":[{"inputs":{"timeoutSeconds":7200}}]}"#,
    ));
    assert_eq!(plain, Runbook::default());
    assert_eq!(
        Runbook::default().fitting(CommandSteps::Unread),
        Runbook::default()
    );
    let passing = Runbook::default().fitting(newer());
    assert_eq!(passing.clone().fitting(newer()), passing);
    insta::assert_snapshot!(passing.to_json());
}

#[test]
fn the_delivery_timeout_is_a_whole_number_that_a_start_gives() {
    let json: serde_json::Value = serde_json::from_str(&Runbook::default().to_json()).unwrap();
    let parameter = &json["parameters"]["TimeoutSeconds"];
    assert_eq!(
        (&parameter["type"], &parameter["default"]),
        (&"Integer".into(), &3_600.into())
    );
    assert_eq!(
        json["mainSteps"][1]["inputs"]["TimeoutSeconds"],
        "{{ TimeoutSeconds }}"
    );
}

#[test]
fn the_steps_that_send_the_command_differ_in_where_its_output_goes_alone() {
    let json: serde_json::Value =
        serde_json::from_str(&Runbook::default().fitting(newer()).to_json()).unwrap();
    let steps = json["mainSteps"].as_array().unwrap();
    assert_eq!(steps[0]["action"], "aws:branch");
    let output = [
        "OutputS3BucketName",
        "OutputS3KeyPrefix",
        "CloudWatchOutputConfig",
    ];
    let mut seen = vec![];
    for step in &steps[1..] {
        let inputs = step["inputs"].as_object().unwrap();
        seen.push(output.map(|key| inputs.contains_key(key)));
        let mut plain = step.clone();
        plain["name"] = steps[1]["name"].clone();
        for key in output {
            plain["inputs"].as_object_mut().unwrap().remove(key);
        }
        assert_eq!(plain, steps[1]);
    }
    assert_eq!(
        seen,
        [
            [false, false, false],
            [true, true, false],
            [false, false, true],
            [true, true, true]
        ]
    );
}

#[test]
fn every_reference_has_its_parameter_and_every_parameter_is_used() {
    let json: serde_json::Value =
        serde_json::from_str(&Runbook::default().fitting(newer()).to_json()).unwrap();
    let declared: std::collections::BTreeSet<String> =
        json["parameters"].as_object().unwrap().keys().cloned().collect();
    let mut rest = json.clone();
    rest["parameters"] = serde_json::Value::Null;
    let used = regex_lite::Regex::new(r"\{\{ (\w+) \}\}")
        .unwrap()
        .captures_iter(&rest.to_string())
        .map(|found| found[1].to_owned())
        .collect();
    assert_eq!(declared, used);
}

#[test]
fn the_defaults_satisfy_their_own_patterns_and_scan() {
    let json: serde_json::Value = serde_json::from_str(&Runbook::default().to_json()).unwrap();
    assert_eq!(json["parameters"]["Operation"]["default"], "Scan");
    for (name, parameter) in json["parameters"].as_object().unwrap() {
        let (Some(default), Some(pattern)) = (
            parameter["default"].as_str(),
            parameter["allowedPattern"].as_str(),
        ) else {
            continue;
        };
        assert!(
            regex_lite::Regex::new(pattern).unwrap().is_match(default),
            "{name}"
        );
    }
}

#[test]
fn the_comment_is_within_the_hundred_characters_that_send_command_takes() {
    let comment = run_command(OutputTo::None, StepTimeout::default()).inputs.comment;
    let longest = comment
        .replace("{{ CampaignId }}", &"0".repeat(36))
        .replace("{{ UnitId }}", &u32::MAX.to_string());
    assert!(longest.len() <= 100, "{longest}");
}

#[test]
fn the_step_timeout_is_the_one_asked_for_and_within_its_range() {
    let timeout = StepTimeout::from_seconds(86_400).unwrap();
    assert!(
        Runbook::new(timeout)
            .to_json()
            .contains("\"timeoutSeconds\": 86400")
    );
    assert!(StepTimeout::from_seconds(10_799).is_err());
    assert!(StepTimeout::from_seconds(10_800).is_ok());
    assert!(StepTimeout::from_seconds(2_592_001).is_err());
}
