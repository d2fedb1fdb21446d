//! What the census found, the policy for it, and the plan's text.

use super::helpers::{CLOSED, OTHER, REGIONS, asked, attended, planned, planned_with, reasons, world};
use crate::census::Depth;
use crate::plan::Options;
use crate::refusal::{RefusalCode, SkipReason};
use crate::tests::world::{CENTRAL, at, request_with};
use serde_json::json;

#[test]
fn the_plan_as_text_is_the_one_that_was_reviewed() {
    let plan = planned(&world(), &asked(json!({"unknown": "skip"}))).unwrap();
    insta::assert_snapshot!(plan.to_text());
}

#[test]
fn a_plan_without_counts_and_one_with_nothing_to_do_read_well() {
    let options = Options {
        depth: Depth::Presence,
        ..attended()
    };
    let kept = asked(json!({"unknown": "keep", "empty": "skip"}));
    let some = planned_with(&world(), &kept, options).unwrap();
    assert_eq!(some.worst_case.nodes_damaged, None);
    let nothing = planned(
        &world(),
        &request_with(
            json!({"resource_group": "W", "regions": ["us-west-2"]}),
            json!({"policy": {"nothing_selected": "succeed"}}),
        ),
    );
    insta::assert_snapshot!(format!(
        "{}\n=====\n{}",
        some.to_text(),
        nothing.unwrap().to_text()
    ));
}

#[test]
fn each_answer_leads_to_what_its_policy_says() {
    let safe = planned(&world(), &asked(json!({}))).unwrap_err();
    assert_eq!(safe.reasons.len(), 1);
    assert_eq!(safe.reasons[0].code, RefusalCode::CensusUnknown);
    assert_eq!(safe.reasons[0].subject, "222222222222/us-west-2");
    assert!(
        safe.reasons[0].detail.contains("denied"),
        "{}",
        safe.reasons[0].detail
    );

    let strict = json!({"unknown": "refuse", "group_missing": "refuse", "empty": "refuse"});
    let strict = planned(&world(), &asked(strict)).unwrap_err();
    let codes: Vec<RefusalCode> = strict.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(
        codes,
        [
            RefusalCode::Empty,
            RefusalCode::GroupMissing,
            RefusalCode::CensusUnknown
        ]
    );

    let keep = json!({"unknown": "keep", "group_missing": "keep", "empty": "keep"});
    let keep = planned(&world(), &asked(keep)).unwrap();
    assert_eq!((keep.locations.len(), keep.skipped.len()), (6, 3));
    let kept: Vec<_> = keep
        .locations
        .iter()
        .filter_map(|l| Some((l.location(), l.kept?, l.nodes)))
        .collect();
    assert_eq!(
        kept,
        [
            (at(CENTRAL, "us-west-2"), SkipReason::Empty, None),
            (at(OTHER, "eu-west-1"), SkipReason::GroupMissing, None),
            (at(OTHER, "us-west-2"), SkipReason::Unknown, None),
        ]
    );
    assert!(
        keep.warnings.iter().any(|w| w.contains("222222222222/us-west-2")),
        "{:?}",
        keep.warnings
    );
}

#[test]
fn skips_by_policy_are_pointed_out() {
    let plan = planned(&world(), &asked(json!({"unknown": "skip"}))).unwrap();
    let warned = |text: &str| plan.warnings.iter().any(|warning| warning.contains(text));
    assert!(
        warned("222222222222/eu-west-1") && warned("222222222222/us-west-2"),
        "{:?}",
        plan.warnings
    );
    assert!(
        warned("1 node does not answer") && warned("2 nodes of the selection are"),
        "{:?}",
        plan.warnings
    );
    let closed = REGIONS.map(|name| (format!("{CLOSED}/{name}"), SkipReason::AccountNotActive));
    assert!(reasons(&plan).ends_with(&closed));
}
