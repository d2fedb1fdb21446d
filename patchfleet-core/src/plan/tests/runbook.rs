//! The runbook that a plan is made for: what is read where, what refuses, and what is only said.

use super::helpers::planned;
use crate::plan::{Options, Plan, make};
use crate::port::{PingStatus, PortErrorKind};
use crate::refusal::RefusalCode;
use crate::request::PatchRequest;
use crate::runbook::{CommandSteps, NAME, Runbook, StepTimeout};
use crate::tests::shelf::Shelf;
use crate::tests::world::{CENTRAL, RECORDED, WITH_PARAMETER, World, at, ec2, request_with, wait};
use serde_json::json;

const US: &str = "us-east-1";
const OTHER: &str = "222222222222";

#[test]
fn a_plan_needs_the_runbook_that_fits_the_command_document_that_is_there() {
    let plain = Runbook::default();
    let passing = Runbook::default().fitting(CommandSteps::parse(WITH_PARAMETER));
    assert_ne!(plain, passing);
    for (command, runbook, fits) in [
        (Some(RECORDED), &plain, true),
        // The command would be refused for a parameter that its document does not have.
        (Some(RECORDED), &passing, false),
        // The start would be refused for a parameter that the runbook does not have.
        (Some(WITH_PARAMETER), &plain, false),
        (Some(WITH_PARAMETER), &passing, true),
        (None, &plain, true),
        (None, &passing, true),
    ] {
        let mut world = world(Shelf {
            central: Ok(("1", runbook.to_json())),
            ..Shelf::default()
        });
        world.command_document = command;
        let planned = planned(&world, &asked(json!({})));
        let refused = planned.err().map(|refusal| refusal.reasons[0].code);
        let wanted = (!fits).then_some(RefusalCode::RunbookDiffers);
        assert_eq!(refused, wanted, "{command:?}");
    }
}

/// Two accounts with one node each in one Region.
fn world(shelf: Shelf) -> World {
    let mut world = World {
        shelf,
        ..World::default()
    };
    for id in [CENTRAL, OTHER] {
        world.add(id, &[US]);
        let node = ec2(id.len() as u64);
        let place = world.place(id, US);
        place.members = vec![node.clone()];
        place.managed = [(node, PingStatus::Online)].into();
    }
    world
}

fn asked(automation: serde_json::Value) -> PatchRequest {
    request_with(
        json!({"resource_group": "Web", "accounts": [CENTRAL, OTHER], "regions": [US]}),
        json!({"automation": automation}),
    )
}

fn codes_of(world: &World, request: &PatchRequest) -> Vec<(RefusalCode, String)> {
    let refusal = planned(world, request).unwrap_err();
    refusal
        .reasons
        .into_iter()
        .map(|reason| (reason.code, format!("{}: {}", reason.subject, reason.detail)))
        .collect()
}

#[test]
fn a_plan_names_the_runbook_that_it_was_made_for_by_its_content() {
    let plan = planned(&world(Shelf::default()), &asked(json!({}))).unwrap();
    let runbook = plan.runbook.as_ref().unwrap();
    assert_eq!(
        (runbook.name.as_str(), runbook.version.as_str(), runbook.own),
        (NAME, "1", true)
    );
    assert!(
        runbook.parameters.contains(&"SnapshotId".to_owned()),
        "{runbook:?}"
    );
    assert!(
        plan.units
            .iter()
            .map(|unit| &unit.start)
            .all(|start| start.document_version.is_none())
    );
    assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
}

#[test]
fn a_missing_runbook_is_a_reason_of_the_plan_that_says_where_and_comes_with_all_the_others() {
    let mut world = world(Shelf {
        central: Err(PortErrorKind::NotFound),
        ..Shelf::default()
    });
    world.place(OTHER, US).members_fail = Some((0, PortErrorKind::Denied));
    let reasons = codes_of(&world, &asked(json!({})));
    let codes: Vec<RefusalCode> = reasons.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, [RefusalCode::CensusUnknown, RefusalCode::RunbookMissing]);
    let words = &reasons[1].1;
    assert!(words.contains(&format!("{CENTRAL}/{US}")), "{words}");
    assert!(words.contains("patchfleet runbook ensure"), "{words}");
    // Somebody else's is not made by patchfleet.
    let theirs = codes_of(&world, &asked(json!({"document": "Mine"})));
    assert!(!theirs[1].1.contains("ensure"), "{theirs:?}");
}

#[test]
fn patchfleets_own_runbook_is_that_of_this_version_with_any_step_timeout() {
    let current = Runbook::default().to_json();
    let short = Runbook::new(StepTimeout::from_seconds(StepTimeout::MIN_SECONDS).unwrap()).to_json();
    let older = current.replace("\"RebootOption\"", "\"Reboot\"");
    for (content, own) in [
        (current, None),
        (short, None),
        (older, Some(RefusalCode::RunbookDiffers)),
        ("not a document".to_owned(), Some(RefusalCode::RunbookDiffers)),
    ] {
        let world = world(Shelf {
            central: Ok(("3", content)),
            ..Shelf::default()
        });
        let refused = planned(&world, &asked(json!({}))).err();
        assert_eq!(refused.map(|refusal| refusal.reasons[0].code), own);
        assert!(planned(&world, &asked(json!({"document": "Mine"}))).is_ok());
    }
}

#[test]
fn a_runbook_that_may_not_be_read_binds_nothing_and_the_plan_says_so() {
    let world = world(Shelf {
        central: Err(PortErrorKind::Denied),
        ..Shelf::default()
    });
    let plan = planned(&world, &asked(json!({}))).unwrap();
    assert_eq!(plan.runbook, None);
    let warning = plan
        .warnings
        .iter()
        .find(|warning| warning.contains("ssm:GetDocument"))
        .unwrap();
    assert!(warning.contains("not bound to what it says"), "{warning}");
    assert!(warning.contains("the words of denied"), "{warning}");
    assert!(plan.to_text().contains("not bound to what it says"));
}

#[test]
fn a_copy_that_says_something_else_refuses_and_one_that_says_the_same_is_remembered() {
    let own = Runbook::default().to_json();
    let mut shelf = Shelf::default();
    shelf.elsewhere.insert(at(OTHER, US), Ok(("4", own.clone())));
    let plan = planned(&world(shelf.clone()), &asked(json!({}))).unwrap();
    assert_eq!(plan.runbook.unwrap().copies, [at(OTHER, US)]);

    shelf
        .elsewhere
        .insert(at(OTHER, US), Ok(("5", own.replace("Abort", "Continue"))));
    let reasons = codes_of(&world(shelf), &asked(json!({})));
    assert_eq!(reasons.len(), 1);
    assert_eq!(reasons[0].0, RefusalCode::RunbookDiffers);
    assert!(
        reasons[0].1.starts_with(&format!("{OTHER}/{US}: version 5")),
        "{reasons:?}"
    );
}

#[test]
fn what_cannot_be_read_elsewhere_is_a_warning_that_names_the_places() {
    let mut shelf = Shelf::default();
    shelf.elsewhere.insert(at(OTHER, US), Err(PortErrorKind::Denied));
    let plan = planned(&world(shelf), &asked(json!({}))).unwrap();
    let warning = plan
        .warnings
        .iter()
        .find(|warning| warning.contains("is not known"))
        .unwrap();
    assert!(warning.contains(&format!("{OTHER}/{US}")), "{warning}");
    // So that a start there is not withheld for what could not be read before either.
    assert_eq!(plan.runbook.unwrap().unread, [at(OTHER, US)]);

    // By its ARN a shared runbook has to be found; by its name nobody has to have a copy.
    let arn = "arn:aws:ssm:us-east-1:111111111111:document/Shared";
    let shared = planned(&world(Shelf::default()), &asked(json!({"document": arn}))).unwrap();
    let warning = shared
        .warnings
        .iter()
        .find(|warning| warning.contains("is it shared"))
        .unwrap();
    assert!(
        warning.contains(&format!("{OTHER}/{US}")) && warning.contains("$ALL"),
        "{warning}"
    );
    let plain = planned(&world(Shelf::default()), &asked(json!({}))).unwrap();
    assert_eq!(plain.warnings, Vec::<String>::new());
}

#[test]
fn a_pinned_version_stands_in_every_start_and_outlives_a_newer_default() {
    let asked = asked(json!({"pin": "version"}));
    let own = Runbook::default().to_json();
    let shelf = |version| Shelf {
        central: Ok((version, own.clone())),
        ..Shelf::default()
    };
    let saved = planned(&world(shelf("3")), &asked).unwrap();
    let versions = |plan: &Plan| -> Vec<String> {
        let starts = plan.units.iter().map(|unit| &unit.start);
        starts
            .map(|start| start.document_version.unwrap().to_string())
            .collect()
    };
    assert_eq!(versions(&saved), ["3"]);
    let mut newer = planned(&world(shelf("4")), &asked).unwrap();
    assert_eq!(versions(&newer), ["4"]);
    assert_eq!(saved.differences(&newer), Vec::<String>::new());
    newer.keep_pin_of(&saved);
    assert_eq!(versions(&newer), ["3"]);
    assert_eq!(newer.runbook, saved.runbook);
}

#[test]
fn a_saved_plan_drifts_when_the_default_version_says_something_else() {
    let asked = asked(json!({"document": "Mine"}));
    let shelf = |version, content: &str| Shelf {
        central: Ok((version, content.to_owned())),
        ..Shelf::default()
    };
    let saved = planned(&world(shelf("1", "{\"a\": 1, \"b\": 2}")), &asked).unwrap();
    let same = planned(&world(shelf("2", "{\"b\":2,\"a\":1}")), &asked).unwrap();
    assert_eq!(saved.differences(&same), Vec::<String>::new());
    let other = planned(&world(shelf("2", "{\"a\": 1}")), &asked).unwrap();
    let lines = saved.differences(&other);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].starts_with("the runbook Mine says something else: it was version 1"),
        "{lines:?}"
    );
}

#[test]
fn a_saved_plan_drifts_when_its_runbook_may_no_longer_be_read() {
    for pin in ["default", "version"] {
        let asked = asked(json!({"pin": pin}));
        let saved = planned(&world(Shelf::default()), &asked).unwrap();
        let denied = world(Shelf {
            central: Err(PortErrorKind::Denied),
            ..Shelf::default()
        });
        let unbound = planned(&denied, &asked).unwrap();
        let lines = saved.differences(&unbound);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].contains("could be read (version 1, digest ") && lines[0].contains("ssm:GetDocument"),
            "{lines:?}"
        );
        // Whoever approved a plan that is bound to nothing gets more than that.
        assert_eq!(unbound.differences(&saved), Vec::<String>::new());
    }
}

#[test]
fn a_plan_that_starts_nothing_needs_no_runbook() {
    let mut world = world(Shelf {
        central: Err(PortErrorKind::NotFound),
        ..Shelf::default()
    });
    world.places.clear();
    let empty = request_with(
        json!({"resource_group": "Web", "regions": [US]}),
        json!({"policy": {"nothing_selected": "succeed"}}),
    );
    let plan = wait(make(&world, &world, &world, &empty, &Options::default())).unwrap();
    assert!(plan.is_empty());
}
