//! Whether a runbook of one's own scans or installs, as far as its document says.
//!
//! A plan shows the request's operation. A runbook that always installs would patch and reboot under a plan that promises
//! to change nothing.

use super::command::{COMMAND_DOCUMENT, Purpose, reference};
use super::ensure::read;
use crate::request::{Operation, PatchRequest};
use crate::text::{by_number, names};
use serde_json::Value;

/// A step that patches, and its operation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PatchStep {
    name: String,
    /// `Scan` or `Install`, or whatever else the document says. `None` if only the run itself shows it.
    operation: Option<String>,
    /// The parameter that the step takes the operation from, if it takes it from one.
    parameter: Option<String>,
}

/// How the document `content` of a runbook of one's own contradicts the operation of `request`, in words. `None` if it
/// does not, as far as the document says.
///
/// Any step that installs contradicts a request to scan. A request to install may have steps that scan. It is
/// contradicted if every step that patches only scans.
pub(super) fn contradiction(content: &str, request: &PatchRequest) -> Option<String> {
    let wanted = request.patch.operation;
    let steps = steps(content, request)?;
    let differs = |step: &&PatchStep| {
        let operation = step.operation.as_deref();
        operation.is_some_and(|operation| !operation.eq_ignore_ascii_case(wanted.as_str()))
    };
    let differing: Vec<&PatchStep> = steps.iter().filter(differs).collect();
    let first = differing.first()?;
    if wanted == Operation::Install && differing.len() < steps.len() {
        return None;
    }
    let n = differing.len();
    let says = first.operation.as_deref().unwrap_or_default();
    // A runbook of one's own is given what the request's parameters say, and nothing else.
    let otherwise = match &first.parameter {
        Some(parameter) => format!("set automation.parameters.{parameter} = {:?}", wanted.as_str()),
        None => "let the step take the operation from a parameter".to_owned(),
    };
    Some(format!(
        "its {} {} {} {COMMAND_DOCUMENT} with the operation {says}, and the request asks for {}: set \
         patch.operation = \"{says}\" if that is meant, or {otherwise}",
        by_number(n, "step", "steps"),
        names(differing.iter().map(|step| &step.name)),
        by_number(n, "runs", "run"),
        wanted.as_str()
    ))
}

/// The steps that patch, of a document in JSON or YAML.
fn steps(content: &str, request: &PatchRequest) -> Option<Vec<PatchStep>> {
    let document = read(content)?;
    let steps = document.get("mainSteps")?.as_array()?.iter();
    let patching = steps.filter_map(|step| {
        let inputs = step.get("inputs")?;
        let given = value_of(inputs.get("DocumentName")?, &document, request)?;
        if step.get("action")?.as_str()? != "aws:runCommand" || Purpose::of(&given) != Purpose::Patching {
            return None;
        }
        let parameters = inputs.get("Parameters");
        let operation = parameters.and_then(|parameters| parameters.get("Operation"));
        Some(PatchStep {
            name: step
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            operation: operation.and_then(|value| value_of(value, &document, request)),
            parameter: operation
                .and_then(one_text)
                .and_then(reference)
                .map(str::to_owned),
        })
    });
    Some(patching.collect())
}

/// The value of an input. If the input refers to a parameter, it is what the parameter is given, or its default.
fn value_of(input: &Value, document: &Value, request: &PatchRequest) -> Option<String> {
    let text = one_text(input)?;
    if !text.contains("{{") {
        return Some(text.to_owned());
    }
    let name = reference(text)?;
    if let Some(given) = request.automation.parameters.get(name) {
        return given.first().cloned();
    }
    let parameter = document.get("parameters")?.get(name)?;
    one_text(parameter.get("default")?).map(str::to_owned)
}

/// A text, or the only text of a list.
fn one_text(value: &Value) -> Option<&str> {
    match value {
        Value::Array(values) => match values.as_slice() {
            [only] => only.as_str(),
            _ => None,
        },
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(operation: &str, parameters: Value) -> PatchRequest {
        PatchRequest::from_value(json!({
            "name": "own",
            "patch": { "operation": operation },
            "targets": { "resource_group": "Web", "regions": ["us-east-1"] },
            "automation": { "document": "Our-Patch", "parameters": parameters },
        }))
        .unwrap()
    }

    const SCAN: &str = "Scan";
    const INSTALL: &str = "Install";

    /// A runbook whose steps run these documents with these operations.
    fn runbook(steps: &[(&str, &str)]) -> String {
        let steps: Vec<String> = steps
            .iter()
            .enumerate()
            .map(|(n, (document, operation))| {
                format!(
                    r#"{{"name":"s{n}","action":"aws:runCommand","inputs":{{"DocumentName":"{document}",
                    "Parameters":{{"Operation":{operation}}}}}}}"#
                )
            })
            .collect();
        format!(
            r#"{{"schemaVersion":"0.3","parameters":{{"Mode":{{"type":"String","default":"Install"}},
            "Free":{{"type":"String"}}}},"mainSteps":[{}]}}"#,
            steps.join(",")
        )
    }

    const PATCH: &str = "AWS-RunPatchBaseline";
    const ARN: &str = "arn:aws:ssm:us-east-1::document/AWS-RunPatchBaselineWithHooks";

    #[test]
    fn a_step_that_installs_contradicts_a_request_to_scan_and_is_named() {
        let said = "its step s1 runs AWS-RunPatchBaseline with the operation Install, and the request asks for \
                    Scan: set patch.operation = \"Install\" if that is meant, or let the step take the operation \
                    from a parameter";
        for document in [PATCH, ARN] {
            for operation in [r#"["Install"]"#, r#""Install""#] {
                let content = runbook(&[("AWS-RunShellScript", r#"["Install"]"#), (document, operation)]);
                assert_eq!(
                    contradiction(&content, &request(SCAN, json!({}))).as_deref(),
                    Some(said)
                );
                assert_eq!(contradiction(&content, &request(INSTALL, json!({}))), None);
            }
        }
        let given = request(SCAN, json!({ "Free": "Install" }));
        let content = runbook(&[(PATCH, r#""{{Free}}""#), (PATCH, r#"["Install"]"#)]);
        let said = contradiction(&content, &given).unwrap();
        assert!(said.starts_with("its steps s0, s1 run "), "{said}");
    }

    #[test]
    fn an_operation_that_comes_from_a_parameter_is_mended_by_giving_the_parameter() {
        let by_default = runbook(&[(PATCH, r#""{{ Mode }}""#)]);
        let said = contradiction(&by_default, &request(SCAN, json!({}))).unwrap();
        assert!(
            said.ends_with("or set automation.parameters.Mode = \"Scan\""),
            "{said}"
        );
        assert_eq!(
            contradiction(&by_default, &request(SCAN, json!({ "Mode": SCAN }))),
            None
        );
        let given = request(INSTALL, json!({ "Free": SCAN }));
        let said = contradiction(&runbook(&[(PATCH, r#""{{Free}}""#)]), &given).unwrap();
        assert!(
            said.ends_with("or set automation.parameters.Free = \"Install\""),
            "{said}"
        );
    }

    #[test]
    fn a_request_to_install_is_contradicted_by_a_runbook_that_only_scans() {
        let scans = r#"["Scan"]"#;
        let said = contradiction(&runbook(&[(PATCH, scans)]), &request(INSTALL, json!({}))).unwrap();
        assert!(
            said.contains("with the operation Scan, and the request asks for Install"),
            "{said}"
        );
        assert!(said.contains("patch.operation = \"Scan\""), "{said}");
        let both = runbook(&[(PATCH, scans), (PATCH, r#"["Install"]"#)]);
        assert_eq!(contradiction(&both, &request(INSTALL, json!({}))), None);
        assert!(contradiction(&both, &request(SCAN, json!({}))).is_some());
    }

    #[test]
    fn what_only_the_run_shows_contradicts_nothing() {
        for operation in [
            r#""{{ Free }}""#,
            r#""{{ choose.Operation }}""#,
            r#"["Install", "Scan"]"#,
            "7",
        ] {
            let content = runbook(&[(PATCH, operation)]);
            assert_eq!(
                contradiction(&content, &request(SCAN, json!({}))),
                None,
                "{operation}"
            );
        }
        let own = runbook(&[("Our-Command", r#"["Install"]"#)]);
        assert_eq!(contradiction(&own, &request(SCAN, json!({}))), None);
        for content in [
            "",
            "[]",
            r#"{"mainSteps":7}"#,
            r#"{"mainSteps":[7,{},{"inputs":{}}]}"#,
        ] {
            assert_eq!(
                contradiction(content, &request(SCAN, json!({}))),
                None,
                "{content}"
            );
        }
    }
}
