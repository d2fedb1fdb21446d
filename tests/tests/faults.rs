//! The same campaign while calls fail in every way that the simulator knows: the time changes and
//! nothing else. The plan, the report, the rows of the nodes and the truth about the nodes are those
//! of the campaign that nothing disturbed, and nothing is started twice.
//!
//! Which operations are called is read from what was called; no list of them is written here.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

#[path = "faults/course.rs"]
mod course;
#[path = "faults/lasting.rs"]
mod lasting;
#[path = "faults/runbook.rs"]
mod runbook;
#[path = "faults/together.rs"]
mod together;

use course::{Course, Front, Stage, Undisturbed};
use patchfleet_core::outcome::NodeOutcome;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Everything that can go wrong with a call and pass.
fn effects() -> [Value; 7] {
    [
        json!("throttle"),
        json!("internal_error"),
        json!("drop_before"),
        json!("drop_after"),
        json!("truncate"),
        json!("expire_credentials"),
        json!({"slow": 1500}),
    ]
}

/// The course with this fault from its first call on, and not once is anybody refused: the SDK, or
/// the adapter over it, makes the call again. Gives how often the fault struck.
async fn is_not_noticed(course: &Course, undisturbed: &Undisturbed, fault: &Value) -> u64 {
    let stage = Stage::of(Front::Http, course).await;
    stage.add(fault);
    let plan = match stage.plan().await {
        Ok(plan) => plan,
        Err(error) => panic!("{fault}: {error}"),
    };
    assert_eq!(plan.warnings, undisturbed.plan.warnings, "{fault}");
    assert_eq!(plan, undisturbed.plan, "{fault}");
    let account = stage.run(&plan).await;
    assert_eq!(account.report, undisturbed.account.report, "{fault}");
    let account = account.with_unread_names_of(&undisturbed.account);
    assert_eq!(account, undisturbed.account, "{fault}");
    stage.struck()[0]
}

/// Every operation of both selectors, its first call and its first two in each account and Region.
async fn first_calls_of_every_operation(effect: Value) {
    let mut seen = BTreeSet::new();
    for course in [Course::group(), Course::tags()] {
        let undisturbed = course.undisturbed(Front::Http).await;
        for operation in undisturbed.planning.union(&undisturbed.driving) {
            if !seen.insert(operation.clone()) {
                continue;
            }
            for calls in [json!([1]), json!([1, 2])] {
                let fault = json!({"effect": effect, "operations": [operation], "calls": calls});
                let struck = is_not_noticed(&course, &undisturbed, &fault).await;
                assert!(struck > 0, "{fault} has struck nothing");
            }
        }
    }
    assert!(seen.len() >= 15, "{seen:?}");
}

macro_rules! first_calls {
    ($($name:ident $effect:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            first_calls_of_every_operation($effect).await;
        }
    )*};
}

first_calls! {
    the_first_calls_of_any_operation_are_throttled_and_nothing_changes json!("throttle");
    the_first_calls_of_any_operation_fail_inside_aws_and_nothing_changes json!("internal_error");
    the_first_calls_of_any_operation_never_arrive_and_nothing_changes json!("drop_before");
    the_answers_to_the_first_calls_of_any_operation_are_lost_and_nothing_changes json!("drop_after");
    the_answers_to_the_first_calls_of_any_operation_are_cut_off_and_nothing_changes json!("truncate");
    the_credentials_of_the_first_calls_of_any_operation_have_expired_and_nothing_changes json!("expire_credentials");
    the_first_calls_of_any_operation_are_slow_and_nothing_changes json!({"slow": 1500});
}

/// The course while a seeded share of the calls goes wrong. Three attempts may all be struck: then
/// the plan is refused and made again, and the driver goes on by itself. Gives how often the faults
/// struck.
async fn a_share(course: &Course, undisturbed: &Undisturbed, faults: &[Value]) -> u64 {
    let stage = Stage::of(Front::Http, course).await;
    faults.iter().for_each(|fault| stage.add(fault));
    let (plan, _) = stage.plan_in_the_end(&undisturbed.plan).await;
    assert_eq!(plan, undisturbed.plan, "{faults:?}");
    let account = stage.run(&plan).await;
    assert_eq!(account.report, undisturbed.account.report, "{faults:?}");
    let account = account.with_unread_names_of(&undisturbed.account);
    assert_eq!(account, undisturbed.account, "{faults:?}");
    stage.struck().iter().sum()
}

#[tokio::test]
async fn a_share_of_the_calls_of_each_operation_goes_wrong_and_nothing_changes() {
    let course = Course::group();
    let undisturbed = course.undisturbed(Front::Http).await;
    for operation in undisturbed.planning.union(&undisturbed.driving) {
        for effect in effects() {
            let fault = json!({"effect": effect, "operations": [operation], "share": 0.4});
            // An operation that is called once may be missed: each copy is drawn anew.
            let mut faults = vec![];
            loop {
                faults.push(fault.clone());
                if a_share(&course, &undisturbed, &faults).await > 0 {
                    break;
                }
                assert!(faults.len() < 10, "{fault} strikes nothing");
            }
        }
    }
}

#[tokio::test]
async fn nodes_are_lost_for_hours_while_a_share_of_all_calls_goes_wrong_and_nothing_changes() {
    let course = Course::with_lost_nodes();
    let undisturbed = course.undisturbed(Front::Http).await;
    let nodes = &undisturbed.account.report.totals.nodes;
    assert_eq!(nodes.count(NodeOutcome::Lost), 1);
    assert_eq!(nodes.count(NodeOutcome::Unreached), 1);
    for effect in effects() {
        let fault = json!({"effect": effect, "share": 0.15});
        assert!(a_share(&course, &undisturbed, &[fault]).await > 0);
    }
}

/// Pages that are shorter than was asked for, some of them empty: with many nodes and accounts, so
/// that there are pages to be short.
#[tokio::test]
async fn short_pages_change_nothing() {
    for front in [Front::Http, Front::Memory] {
        for course in [Course::group(), Course::tags(), Course::with_lost_nodes()] {
            let undisturbed = course.undisturbed(front).await;
            let short = course.with_short_pages().undisturbed(front).await;
            assert_eq!(short.plan, undisturbed.plan);
            assert_eq!(short.account, undisturbed.account);
            let more = |course: &Undisturbed| course.calls;
            assert!(more(&short) > more(&undisturbed), "no page was short");
        }
    }
}
