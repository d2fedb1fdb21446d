//! Read before Install: what collecting needs is tried before anything is patched.

use super::{calls, open, refusal, wait};
use patchfleet_core::id::{EventId, EventSource};
use patchfleet_core::plan::{Plan, Planning};
use patchfleet_core::refusal::RefusalCode;
use patchfleet_core::request::PatchRequest;
use patchfleet_core::{Served, serve_event};
use patchfleet_tests::{plan, request};

/// Two accounts in two Regions. What the role in the second one may not do is `denied`.
fn world(denied: &str) -> String {
    format!(
        r#"
        management_account = "111111111111"
        documents = [{{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }}]
        [[accounts]]
        id = "111111111111"
        name = "Main"
        [[accounts]]
        id = "222222222222"
        name = "Web"
        roles = [{{ name = "AWS-SystemsManager-AutomationExecutionRole", denied_actions = [{denied}] }}]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1", "eu-west-1"]
        nodes = [{{ count = 2 }}]
        "#
    )
}

fn asked(operation: &str) -> PatchRequest {
    let text = format!(
        r#"
        name = "reading"
        patch = {{ operation = "{operation}" }}
        targets = {{ resource_group = "WebServers", accounts = ["111111111111", "222222222222"], regions = ["eu-west-1", "us-east-1"] }}
        "#
    );
    request(&text).unwrap()
}

#[test]
fn an_install_whose_results_may_not_be_read_is_refused_by_account_and_action() {
    // What the second post's execution role lacks, and the listing of invocations besides.
    let denied =
        r#""ssm:DescribeInstancePatchStates", "ssm:ListCommandInvocations", "ssm:GetCommandInvocation""#;
    let request = asked("Install");
    let (clock, ports) = open(&world(denied), &request);
    let refusal = refusal(wait(plan(&ports, &request)));
    let reasons: Vec<(RefusalCode, &str)> = refusal
        .reasons
        .iter()
        .map(|reason| (reason.code, reason.subject.as_str()))
        .collect();
    let reason = (RefusalCode::ResultsUnreadable, "222222222222/eu-west-1");
    assert_eq!(reasons, [reason; 2]);
    for (reason, action) in refusal
        .reasons
        .iter()
        .zip(["ssm:ListCommandInvocations", "ssm:DescribeInstancePatchStates"])
    {
        assert!(
            reason.detail.contains(&format!(
                "allow {action} to the role AWS-SystemsManager-AutomationExecutionRole (AccessDeniedException"
            )),
            "{}",
            reason.detail
        );
    }
    let started = calls(&clock)
        .iter()
        .any(|(operation, _)| operation == "StartAutomationExecution");
    assert!(!started);
}

#[test]
fn with_a_baseline_override_the_output_must_be_readable_as_well() {
    let denied = r#""ssm:GetCommandInvocation""#;
    let mut request = asked("Install");
    let (_, ports) = open(&world(denied), &request);
    assert!(wait(plan(&ports, &request)).is_ok());
    request.patch.baseline_override = Some("s3://lists/baseline.json".parse().unwrap());
    let refusal = refusal(wait(plan(&ports, &request)));
    assert_eq!(refusal.reasons.len(), 1, "{refusal}");
    assert!(
        refusal.to_string().contains("allow ssm:GetCommandInvocation to"),
        "{refusal}"
    );
}

#[test]
fn each_call_is_tried_once_for_each_account_and_what_may_be_read_is_planned() {
    let request = asked("Install");
    let (clock, ports) = open(&world(""), &request);
    let plan = wait(plan(&ports, &request)).unwrap();
    assert_eq!(plan.locations.len(), 4);
    for operation in [
        "DescribeInstancePatchStates",
        "ListCommands",
        "ListCommandInvocations",
    ] {
        let mut places: Vec<String> = calls(&clock)
            .into_iter()
            .filter(|(called, _)| called == operation)
            .map(|(_, place)| place)
            .collect();
        places.sort_unstable();
        assert_eq!(
            places,
            ["111111111111/eu-west-1", "222222222222/eu-west-1"],
            "{operation}"
        );
    }
}

#[test]
fn a_scan_and_a_start_that_nobody_follows_try_nothing() {
    let denied = r#""ssm:DescribeInstancePatchStates""#;
    let scan = asked("Scan");
    let (clock, ports) = open(&world(denied), &scan);
    assert!(wait(plan(&ports, &scan)).is_ok());
    let install = asked("Install");
    let event = EventId::new(EventSource::Event, "fired").unwrap();
    let served = wait(serve_event(&ports, &event, &install, &Planning::default(), None));
    assert!(matches!(served, Ok(Served::Started { .. })), "{served:?}");
    let tried = calls(&clock)
        .iter()
        .any(|(operation, _)| operation == "DescribeInstancePatchStates");
    assert!(!tried);
}

#[test]
fn a_stop_that_would_be_denied_is_warned_of_once_for_each_action_and_refuses_nothing() {
    let denies = r#"
        [[faults]]
        effect = "deny"
        operations = ["ssm:StopAutomationExecution"]
        accounts = ["111111111111"]
        "#;
    let denied = r#""ssm:StopAutomationExecution", "ssm:CancelCommand""#;
    let install = asked("Install");
    let (clock, ports) = open(&(world(denied) + denies), &install);
    let planned = wait(plan(&ports, &install)).unwrap();
    let told = |plan: &Plan| -> Vec<String> {
        let stops = plan.warnings.iter().filter_map(|warning| {
            let (_, what) = warning.split_once("could not stop all of it: ")?;
            what.split_once(". Allow it")
        });
        stops.map(|(what, _)| what.to_owned()).collect()
    };
    let role = "the role AWS-SystemsManager-AutomationExecutionRole in 222222222222/eu-west-1";
    assert_eq!(
        told(&planned),
        [
            format!("ssm:CancelCommand is denied to {role}"),
            // Once in the central account, and once in its location with nodes.
            "ssm:StopAutomationExecution is denied to the caller in 111111111111/us-east-1, 111111111111/eu-west-1"
                .to_owned(),
            format!("ssm:StopAutomationExecution is denied to {role}"),
        ]
    );
    // What may be stopped is not warned of, and what is only scanned is not tried.
    let (_, ports) = open(&world(""), &install);
    assert!(told(&wait(plan(&ports, &install)).unwrap()).is_empty());
    let scan = asked("Scan");
    let (scanned, ports) = open(&(world(denied) + denies), &scan);
    assert!(told(&wait(plan(&ports, &scan)).unwrap()).is_empty());
    let stops = |clock| {
        let called = calls(clock).into_iter();
        called
            .filter(|(operation, _)| {
                ["StopAutomationExecution", "CancelCommand"].contains(&operation.as_str())
            })
            .count()
    };
    assert_eq!((stops(&clock), stops(&scanned)), (5, 0));
}

#[test]
fn what_the_caller_may_not_read_in_the_central_account_is_named_too() {
    let request = asked("Install");
    let denies = r#"
        [[faults]]
        effect = "deny"
        operations = ["ssm:DescribeAutomationStepExecutions"]
        accounts = ["111111111111"]
        "#;
    let (_, ports) = open(&(world("") + denies), &request);
    let refusal = refusal(wait(plan(&ports, &request)));
    assert_eq!(refusal.reasons.len(), 1, "{refusal}");
    let reason = refusal.reasons.first().unwrap();
    assert_eq!(reason.subject, "111111111111/us-east-1");
    assert!(
        reason
            .detail
            .contains("allow ssm:DescribeAutomationStepExecutions to the caller"),
        "{refusal}"
    );
}
