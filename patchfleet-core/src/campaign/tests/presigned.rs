//! Presigned URLs: sent where a start is sent at once, and written down nowhere.

use super::world::*;
use crate::campaign::{DriveError, FireError, Fired};
use crate::id::{EventId, EventSource};
use crate::plan::Plan;
use crate::refusal::RefusalCode;
use crate::runbook;
use jiff::SignedDuration;
use proptest::prelude::*;

const URL: &str = "https://bucket.s3.amazonaws.com/list.yaml?X-Amz-Credential=AKIA&X-Amz-Signature=5ec7e7";

/// A world whose plan is made for a list at `url`, with the parameters that a plan gives a start.
fn world(url: &str) -> World {
    let well = Script::Nodes(vec![Node::well(1)]);
    let mut world = World::new(&[&[("us-east-1", well)]], 1, 0);
    let plan = &mut world.plan;
    plan.request.patch.install_override_list = Some(url.to_owned());
    plan.units[0].start.parameters = runbook::parameters(&plan.request, &plan.central, None).unwrap();
    world
}

fn deliver(world: &World, plan: &Plan) -> Result<Fired, FireError> {
    let event = EventId::new(EventSource::Event, "event").unwrap();
    let ports = world.fire_ports();
    finish(ports.fire(world.campaign(), plan, event.longest_retry(), None))
}

#[test]
fn a_campaign_with_a_presigned_list_is_refused_before_anything_is_written() {
    let world = world(URL);
    let error = finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap_err();
    assert!(matches!(error, DriveError::Presigned(_)), "{error:?}");
    let reason = error.refusal().unwrap().reasons.remove(0);
    assert_eq!(reason.code, RefusalCode::Unsupported);
    assert_eq!(reason.subject, "patch.install_override_list");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("s3://bucket/key") && !text.contains("5ec7e7"),
        "{text}"
    );
    assert!(world.records().is_empty());
    assert!(world.executions().is_empty());
}

#[test]
fn a_start_that_carries_a_presigned_url_is_refused_although_its_request_has_none() {
    let mut world = world(URL);
    world.plan.request.patch.install_override_list = None;
    let error = finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap_err();
    assert!(
        error.to_string().contains("the parameter InstallOverrideList"),
        "{error}"
    );
    assert!(world.records().is_empty());
}

#[test]
fn a_list_without_a_signature_is_begun_as_ever() {
    for url in ["s3://bucket/list.yaml", "https://example.com/list.yaml?version=3"] {
        let world = world(url);
        finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
        let plan = serde_json::to_string(&world.records()).unwrap();
        assert!(plan.contains(url), "{plan}");
    }
}

#[test]
fn a_plan_that_is_fired_sends_the_presigned_url_and_its_retry_is_known() {
    let world = world(URL);
    let Ok(Fired::Started(first)) = deliver(&world, &world.plan) else {
        panic!("not started");
    };
    assert_eq!(
        world.executions()[0].request.parameters["InstallOverrideList"],
        [URL]
    );
    world.clock.advance(SignedDuration::from_mins(1));
    let Ok(Fired::AlreadyStarted(before)) = deliver(&world, &world.plan) else {
        panic!("not known");
    };
    assert_eq!(before.executions[0].execution, first[0].execution);

    let mut other = world.plan.clone();
    other.request.patch.install_override_list = Some(format!("{URL}8"));
    let error = deliver(&world, &other).unwrap_err();
    assert!(matches!(error, FireError::Differs { .. }), "{error:?}");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("its InstallOverrideList is presigned:sha256:"),
        "{text}"
    );
    assert!(!text.contains("5ec7e7"), "{text}");
    assert_eq!(world.executions().len(), 1);
}

proptest! {
    #[test]
    fn no_form_of_a_plan_shows_the_signature(
        name in "(X-Amz-Signature|x-amz-SECURITY-token|X%2DAmz%2DCredential|Expires=1&Signature)",
        secret in "[0-9a-f]{24,64}",
    ) {
        let secret = format!("SIG{secret}");
        let world = world(&format!("https://bucket.example/list?{name}={secret}"));
        let plan = &world.plan;
        let start = runbook::for_campaign(
            &plan.units[0].start,
            None,
            world.campaign(),
            crate::id::UnitId::from_index(0),
            1,
        );
        let begun = finish(world.driver(1).begin(world.campaign(), plan)).unwrap_err();
        let differences = plan.differences(&World::new(&[], 1, 0).plan);
        let shown = format!(
            "{} {} {plan:?} {start:?} {} {begun:?} {differences:?}",
            plan.to_text(),
            plan.to_json(),
            serde_json::to_string(&start).unwrap(),
        );
        prop_assert!(!shown.contains(&secret), "{}", shown);
        prop_assert!(Plan::from_json(&plan.to_json()).is_err());
    }
}
