//! Faults that outlast the SDK's attempts and so reach core: the census does not know and the plan
//! is refused; a driver goes on asking.

use crate::{
    course::{Course, Front, Stage, Undisturbed, drive_error, operations},
    effects,
};
use patchfleet_core::{
    campaign::DriveError,
    plan::{Plan, PlanError},
    port::PortErrorKind,
    refusal::RefusalCode,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Two calls of the adapter, each with three attempts.
const SIX: [u32; 6] = [1, 2, 3, 4, 5, 6];
/// In memory nobody makes a call again but core, which takes credentials that have expired for
/// something that passes four times and no fifth.
const FOUR: [u32; 4] = [1, 2, 3, 4];

/// What a campaign calls that another process drives than planned it: it finds out anew who it is
/// and assumes every role.
async fn called_by_another_process(course: &Course, undisturbed: &Undisturbed) -> BTreeSet<String> {
    let mut stage = Stage::of(Front::Http, course).await;
    let plan = stage.plan().await.unwrap();
    let before = stage.clock.with_world(|world| world.requests().len());
    stage.another_process();
    let account = stage.run(&plan).await.with_unread_names_of(&undisturbed.account);
    assert_eq!(account, undisturbed.account);
    stage.clock.with_world(|world| operations(world, before))
}

/// Whether a start may have had no answer for so long that AWS may have forgotten its client token. It is looked for
/// during two minutes after each sending, so the fourth would come six minutes after the first.
fn outlasts_tokens(front: Front, fault: &Value) -> bool {
    let of_starts = fault["operations"] == json!(["ssm:StartAutomationExecution"]);
    let is_answer = ["throttle", "expire_credentials"].contains(&fault["effect"].as_str().unwrap_or(""));
    front == Front::Memory
        && of_starts
        && !is_answer
        && fault["calls"].as_array().is_some_and(|calls| calls.len() > 2)
}

/// The campaign, planned in peace, while this goes wrong. Nobody has to help, but where a start has no answer for
/// longer than AWS is trusted to remember its client token.
async fn survives(front: Front, course: &Course, undisturbed: &Undisturbed, faults: &[Value]) {
    let mut stage = Stage::of(front, course).await;
    let plan = stage.plan().await.unwrap();
    if front == Front::Http {
        stage.another_process();
    }
    faults.iter().for_each(|fault| stage.add(fault));
    let (account, asked) = stage.run_with_a_person(&plan).await;
    assert!(
        asked
            <= faults
                .iter()
                .filter(|fault| outlasts_tokens(front, fault))
                .count(),
        "a person was asked {asked} times: {front:?} {faults:?}"
    );
    assert_eq!(account.report, undisturbed.account.report, "{front:?} {faults:?}");
    let account = account.with_unread_names_of(&undisturbed.account);
    assert_eq!(account, undisturbed.account, "{front:?} {faults:?}");
    for (fault, struck) in faults.iter().zip(stage.struck()) {
        assert!(struck > 0, "{front:?} {fault} has struck nothing");
    }
}

#[tokio::test]
async fn what_fails_for_longer_than_the_sdk_tries_is_survived_by_the_driver() {
    let course = Course::group();
    let undisturbed = course.undisturbed(Front::Http).await;
    let operations = called_by_another_process(&course, &undisturbed).await;
    assert!(operations.is_superset(&undisturbed.driving));
    assert!(operations.contains("sts:AssumeRole"));
    for operation in operations {
        for effect in effects() {
            let fault = json!({"effect": effect, "operations": [operation], "calls": SIX});
            survives(Front::Http, &course, &undisturbed, &[fault]).await;
        }
    }
}

#[tokio::test]
async fn in_memory_where_nothing_stands_before_core_the_driver_survives_the_same() {
    let mut seen = BTreeSet::new();
    for course in [Course::group(), Course::tags()] {
        let undisturbed = course.undisturbed(Front::Memory).await;
        for operation in &undisturbed.driving {
            if !seen.insert(operation.clone()) {
                continue;
            }
            for effect in effects() {
                for calls in [&FOUR[..1], &FOUR[..2], &FOUR] {
                    let fault = json!({"effect": effect, "operations": [operation], "calls": calls});
                    survives(Front::Memory, &course, &undisturbed, &[fault]).await;
                }
            }
        }
    }
}

/// After minutes in which a call passed by, one failure of another kind is the first of its kind.
#[tokio::test]
async fn minutes_of_throttling_do_not_count_against_credentials_that_expire_then() {
    let course = Course::group();
    for (front, each) in [(Front::Memory, 1), (Front::Http, 3)] {
        let undisturbed = course.undisturbed(front).await;
        // Six calls of the port, however often each is made, and one after that.
        let throttled: Vec<u32> = (1..=6 * each).collect();
        let expired: Vec<u32> = (6 * each + 1..=6 * each + 3).collect();
        // The names of patches are not asked for again.
        let driving = undisturbed.driving.iter();
        for operation in driving.filter(|operation| *operation != "ssm:DescribeInstancePatches") {
            let throttle = json!({"effect": "throttle", "operations": [operation], "calls": throttled});
            let expire = json!({"effect": "expire_credentials", "operations": [operation], "calls": expired});
            survives(front, &course, &undisturbed, &[throttle, expire]).await;
        }
    }
}

#[tokio::test]
async fn in_memory_a_share_of_all_calls_goes_wrong_and_nothing_changes() {
    for course in [Course::group(), Course::tags(), Course::with_lost_nodes()] {
        let undisturbed = course.undisturbed(Front::Memory).await;
        for effect in effects() {
            let stage = Stage::of(Front::Memory, &course).await;
            stage.add(&json!({"effect": effect, "share": 0.05}));
            let (plan, _) = stage.plan_in_the_end(&undisturbed.plan).await;
            assert_eq!(plan, undisturbed.plan, "{effect}");
            let account = stage.run(&plan).await.with_unread_names_of(&undisturbed.account);
            assert_eq!(account, undisturbed.account, "{effect}");
            assert!(stage.struck()[0] > 0);
        }
    }
}

/// A start whose answer is lost is looked for, and looking for it fails for a while as well.
#[tokio::test]
async fn a_start_without_an_answer_that_cannot_be_found_for_a_while_is_found_in_the_end() {
    let course = Course::group();
    let undisturbed = course.undisturbed(Front::Http).await;
    for lost in ["drop_before", "drop_after", "truncate", "internal_error"] {
        for effect in effects() {
            let start =
                json!({"effect": lost, "operations": ["ssm:StartAutomationExecution"], "calls": [1, 2, 3]});
            let find =
                json!({"effect": effect, "operations": ["ssm:DescribeAutomationExecutions"], "calls": SIX});
            survives(Front::Http, &course, &undisturbed, &[start, find]).await;
        }
    }
}

/// What is asked ahead of the campaign, beside the census.
const AHEAD: [&str; 9] = [
    "ssm:GetDocument",
    "ssm:GetAutomationExecution",
    "ssm:DescribeAutomationExecutions",
    "ssm:DescribeAutomationStepExecutions",
    "ssm:ListCommands",
    "ssm:ListCommandInvocations",
    "ssm:DescribeInstancePatchStates",
    "ssm:StopAutomationExecution",
    "ssm:CancelCommand",
];

/// Of these, the calls that are given up as soon as they are throttled: a stop that may be denied is only warned of.
const STOPS: [&str; 2] = ["ssm:StopAutomationExecution", "ssm:CancelCommand"];

/// Why a census does not know, for want of an answer like this.
fn cause(effect: &Value) -> &'static str {
    match effect.as_str().unwrap() {
        "throttle" => "throttled: ",
        "expire_credentials" => "credentials: ",
        _ => "unavailable: ",
    }
}

/// Every operation of the census fails for its first `calls`, which are more than are made again.
async fn is_not_known_to_the_census(front: Front, calls: &[u32]) {
    let mut seen = BTreeSet::new();
    for course in [Course::group(), Course::tags(), Course::in_waves_by_tags()] {
        let undisturbed = course.undisturbed(front).await;
        let all_of_organizations = "organizations:List*".to_owned();
        for operation in undisturbed.planning.iter().chain([&all_of_organizations]) {
            if !seen.insert(operation.clone()) {
                continue;
            }
            for effect in effects().into_iter().filter(Value::is_string) {
                let fault = json!({"effect": effect, "operations": [operation], "calls": calls});
                let stage = Stage::of(front, &course).await;
                stage.add(&fault);
                let first = stage.plan().await;
                stage.nothing_was_started();
                if front == Front::Http && effect == "throttle" && !STOPS.contains(&operation.as_str()) {
                    // The adapter asks more slowly, and is answered in the end.
                    assert_eq!(first.unwrap(), undisturbed.plan, "{fault}");
                    continue;
                }
                says_why_not(operation, &effect, first, &undisturbed.plan);
                let (plan, _) = stage.plan_in_the_end(&undisturbed.plan).await;
                assert_eq!(plan, undisturbed.plan, "{fault}");
            }
        }
    }
    assert!(seen.len() >= 8, "{seen:?}");
}

/// What a plan has to say of an operation that does not answer.
fn says_why_not(operation: &str, effect: &Value, planned: Result<Plan, PlanError>, undisturbed: &Plan) {
    match (operation, planned) {
        // Without the Regions of an account the census decides, and the plan says so.
        ("account:ListRegions", Ok(plan)) => {
            assert!(
                plan.warnings.len() > undisturbed.warnings.len(),
                "{operation} {effect}"
            );
        }
        ("sts:GetCallerIdentity" | "ssm:GetDocument", Err(PlanError::Port(error))) => {
            let kind = match effect.as_str().unwrap() {
                "throttle" => PortErrorKind::Throttled,
                "expire_credentials" => PortErrorKind::Credentials,
                _ => PortErrorKind::Unavailable,
            };
            assert_eq!(error.kind(), kind, "{operation} {effect}");
        }
        // What a document says, or whether results can be read, could not be found out: the plan says so.
        // Its units are read one by one.
        ("organizations:ListAccounts", Ok(plan)) => {
            assert_eq!(&plan, undisturbed, "{operation} {effect}");
        }
        (operation, Ok(plan)) if AHEAD.contains(&operation) => {
            assert!(
                plan.warnings.len() > undisturbed.warnings.len(),
                "{operation} {effect}"
            );
        }
        (operation, Err(PlanError::Refused(refusal))) => {
            assert!(!refusal.reasons.is_empty());
            for reason in &refusal.reasons {
                if operation == "organizations:ListTagsForResource" {
                    assert_eq!(reason.code, RefusalCode::AccountTags, "{operation} {effect}");
                    assert!(reason.detail.contains(operation), "{effect}: {reason}");
                } else if operation.starts_with("organizations:") {
                    assert_eq!(
                        reason.code,
                        RefusalCode::DirectoryUnavailable,
                        "{operation} {effect}"
                    );
                } else {
                    assert_eq!(
                        reason.code,
                        RefusalCode::CensusUnknown,
                        "{operation} {effect}: {reason}"
                    );
                    assert!(
                        reason.detail.starts_with(cause(effect)),
                        "{operation} {effect}: {reason}"
                    );
                }
            }
        }
        (_, result) => panic!("{operation} {effect}: {result:?}"),
    }
}

#[tokio::test]
async fn what_fails_for_longer_than_the_sdk_tries_is_unknown_to_the_census_and_refused() {
    is_not_known_to_the_census(Front::Http, &SIX).await;
}

/// Credentials that have expired are renewed once there.
#[tokio::test]
async fn in_memory_what_fails_is_unknown_to_the_census_and_refused() {
    is_not_known_to_the_census(Front::Memory, &FOUR[..2]).await;
}

#[tokio::test]
async fn credentials_that_have_expired_for_good_leave_the_campaign_open_and_it_goes_on_with_new_ones() {
    let course = Course::group();
    let undisturbed = course.undisturbed(Front::Http).await;
    for seconds in [0, 2, 4] {
        let stage = Stage::of(Front::Http, &course).await;
        let plan = stage.plan().await.unwrap();
        let campaign = stage.begin(&plan).await;
        if seconds > 0 {
            campaign.run_for(seconds).await.unwrap();
        }
        stage.add(&json!({"effect": "expire_credentials", "accounts": ["111111111111"]}));
        match drive_error(campaign.run().await.unwrap_err()) {
            DriveError::Credentials { source, .. } => assert_eq!(source.kind(), PortErrorKind::Credentials),
            error => panic!("{error}"),
        }
        stage.clock.with_world(patchfleet_sim::world::World::clear_faults);
        let ended = campaign.run().await.unwrap();
        assert_eq!(
            stage
                .account(&plan, ended)
                .with_unread_names_of(&undisturbed.account),
            undisturbed.account,
            "after {seconds} s"
        );
    }
}
