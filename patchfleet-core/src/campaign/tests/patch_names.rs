//! The names of the patches for which nodes are failed or miss patches.

use super::world::*;
use crate::campaign::{NodeRows as _, State};
use crate::id::{CampaignId, Location, NodeId};
use crate::outcome::{LocationOutcome, NamesUnreadReason, NodeOutcome, NodeRow, PATCHES_NAMED};
use crate::port::{Clock as _, PatchListState, PatchShortfall, PortErrorKind};
use crate::report::{Explanation, Subject};

/// A node with so many failed and missing patches, whose patch state has this snapshot.
pub(super) fn short(n: u32, failed: u32, missing: u32, snapshot: Option<&'static str>) -> Node {
    Node {
        status: if failed > 0 { "Failed" } else { "Success" },
        patches: Some([failed, missing, 0]),
        snapshot,
        ..Node::well(n)
    }
}

pub(super) fn place() -> Location {
    Location::new("111111111111".parse().unwrap(), "us-east-1".parse().unwrap())
}

/// A campaign of one location with these nodes.
pub(super) fn with(nodes: Vec<Node>) -> World {
    World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 5)
}

pub(super) fn rows(world: &World) -> Vec<NodeRow> {
    finish(world.rows.rows(world.campaign(), &place())).unwrap()
}

pub(super) fn ids(row: &NodeRow) -> Vec<&str> {
    let named = row.patches.iter().flat_map(|names| &names.named);
    named.map(|patch| patch.id.as_str()).collect()
}

pub(super) fn unread(row: &NodeRow) -> Option<NamesUnreadReason> {
    row.patches.as_ref()?.unread.as_ref().map(|unread| unread.reason)
}

pub(super) fn asked(world: &World) -> Vec<(NodeId, PatchListState)> {
    world.aws.names_asked.lock().unwrap().clone()
}

fn explained(world: &World, subject: &str) -> Explanation {
    let (subject, records): (Subject, _) = (subject.parse().unwrap(), world.records());
    let explanation = Explanation::build(&records, &*world.rows, &subject, world.clock.now());
    finish(explanation).unwrap().unwrap()
}

/// What the campaign came to, but for names.
pub(super) fn outcomes(state: &State, rows: Vec<NodeRow>) -> (Option<LocationOutcome>, Vec<NodeRow>) {
    let (.., at) = state.locations().next().unwrap();
    let bare = |row| NodeRow { patches: None, ..row };
    (at.outcome(), rows.into_iter().map(bare).collect())
}

/// The snapshot of the campaign that runs in these tests.
pub(super) fn own_snapshot() -> &'static str {
    let campaign: CampaignId = with(vec![]).campaign();
    campaign.snapshot_id().to_string().leak()
}

#[test]
fn failed_and_missing_patches_are_named_in_the_rows_of_their_nodes_and_no_other_node_is_asked() {
    let world = with(vec![
        Node::well(1),
        short(2, 2, 1, None),
        short(3, 0, 3, None),
        Node {
            patches: Some([0, 0, 1]),
            ..Node::well(4)
        },
    ]);
    world.run();
    let rows = rows(&world);
    assert_eq!(ids(&rows[1]), ["KB1000", "KB1001"]);
    assert_eq!(
        rows[1].patches.as_ref().unwrap().shortfall,
        PatchShortfall::Failed
    );
    assert_eq!(ids(&rows[2]), ["KB2000", "KB2001", "KB2002"]);
    assert_eq!((&rows[0].patches, &rows[3].patches), (&None, &None));
    let of = |n: u32| Node::well(n).id;
    assert_eq!(
        asked(&world),
        [(of(2), PatchListState::Failed), (of(3), PatchListState::Missing)]
    );
    insta::assert_snapshot!("named_node", explained(&world, "i-00000002").to_text());
    insta::assert_snapshot!(
        "named_location",
        explained(&world, "111111111111/us-east-1").to_text()
    );
}

#[test]
fn twenty_patches_are_kept_of_a_node_and_ten_nodes_are_asked_of_a_unit_in_a_location() {
    let world = with((1..=12).map(|n| short(n, 25, 0, None)).collect());
    world.run();
    let rows = rows(&world);
    assert_eq!(asked(&world).len(), 10);
    assert!(rows[..10].iter().all(|row| ids(row).len() == PATCHES_NAMED));
    for row in &rows[10..] {
        assert_eq!(unread(row), Some(NamesUnreadReason::TooManyNodes));
        assert_eq!(ids(row), [""; 0]);
    }
    insta::assert_snapshot!("many_of_a_node", explained(&world, "i-00000001").to_text());
    insta::assert_snapshot!(
        "many_of_a_location",
        explained(&world, "111111111111/us-east-1").to_text()
    );
}

#[test]
fn of_two_units_in_a_location_each_has_ten_nodes_asked_whichever_is_first() {
    let mut world = with((1..=24).map(|n| short(n, 1, 0, None)).collect());
    // Each may fail whole.
    world.plan.request.budget.nodes.max_errors = "100%".parse().unwrap();
    world.send_commands(12);
    assert_eq!(world.plan.units.len(), 2);
    world.run();
    let rows = rows(&world);
    for (unit, rows) in rows.chunks(12).enumerate() {
        assert!(rows[..10].iter().all(|row| ids(row) == ["KB1000"]), "unit {unit}");
        for row in &rows[10..] {
            assert_eq!(unread(row), Some(NamesUnreadReason::TooManyNodes), "unit {unit}");
        }
    }
    assert_eq!(asked(&world).len(), 20);
}

#[test]
fn a_role_that_may_not_read_names_is_asked_once_a_location_and_nothing_else_changes() {
    let nodes = || vec![short(1, 1, 0, None), short(2, 2, 0, None), short(3, 0, 1, None)];
    let well = with(nodes());
    let as_usual = outcomes(&well.run(), rows(&well));
    for kind in [
        PortErrorKind::Denied,
        PortErrorKind::Throttled,
        PortErrorKind::Credentials,
    ] {
        let world = with(nodes());
        *world.aws.names_fail.lock().unwrap() = Some(kind);
        let state = world.run();
        assert_eq!(asked(&world).len(), 1, "{kind}");
        let rows = rows(&world);
        let reason = match kind {
            PortErrorKind::Denied => NamesUnreadReason::Denied,
            _ => NamesUnreadReason::NotRead,
        };
        assert!(rows.iter().all(|row| unread(row) == Some(reason)));
        assert_eq!(outcomes(&state, rows), as_usual, "{kind}");
        assert_eq!(
            world.records().last().unwrap().at,
            well.records().last().unwrap().at,
            "{kind}"
        );
        if kind == PortErrorKind::Denied {
            insta::assert_snapshot!("denied_node", explained(&world, "i-00000001").to_text());
            insta::assert_snapshot!(
                "denied_location",
                explained(&world, "111111111111/us-east-1").to_text()
            );
        }
    }
}

#[test]
fn after_a_call_that_fails_for_whatever_reason_no_other_node_is_asked() {
    for kind in [
        PortErrorKind::NotFound,
        PortErrorKind::Other,
        PortErrorKind::Invalid,
    ] {
        let world = with(vec![
            short(1, 1, 0, None),
            short(2, 2, 0, None),
            short(3, 2, 0, None),
        ]);
        *world.aws.names_fail.lock().unwrap() = Some(kind);
        world.run();
        assert_eq!(asked(&world).len(), 1, "{kind}");
        let text = explained(&world, "111111111111/us-east-1").to_text();
        assert!(
            text.contains("not named of 2 nodes: not asked, as it failed for i-00000001: may not read names"),
            "{text}"
        );
        // Ports that name none name none the next time either.
        let helps = text.contains("asks for the names of the patches again");
        assert_eq!(helps, kind != PortErrorKind::Invalid, "{text}");
    }
}

#[test]
fn patches_of_another_run_are_neither_asked_for_nor_told() {
    // Its patch state is another run's, so nothing is known of this run's.
    let world = with(vec![short(1, 2, 0, Some("3b241101-e2bb-4255-8caf-4136c566a962"))]);
    world.run();
    let told = &world.executions()[0].request.parameters;
    assert!(told.contains_key(crate::runbook::SNAPSHOT_ID));
    assert_eq!((rows(&world)[0].failed, asked(&world).len()), (None, 0));
    // Its patch state was written over while its patches were read.
    let world = with(vec![short(1, 2, 0, None)]);
    *world.aws.reports_anew.lock().unwrap() = true;
    world.run();
    let rows = rows(&world);
    assert_eq!((asked(&world).len(), ids(&rows[0])), (1, vec![]));
    assert_eq!(unread(&rows[0]), Some(NamesUnreadReason::ReportedAnew));
}

#[test]
fn names_that_could_not_be_read_are_read_by_collect_while_the_patch_state_is_the_campaigns() {
    let world = with(vec![short(1, 2, 0, Some(own_snapshot())), Node::well(2)]);
    *world.aws.names_fail.lock().unwrap() = Some(PortErrorKind::Denied);
    let state = world.run();
    let before = outcomes(&state, rows(&world));
    let records = world.records().len();
    let again = || finish(world.driver(2).collect_again(world.campaign())).unwrap();
    again();
    assert_eq!(world.records().len(), records, "still denied");
    *world.aws.names_fail.lock().unwrap() = None;
    let found = again();
    assert_eq!((found.read, found.unread.len()), (0, 0));
    assert_eq!(ids(&rows(&world)[0]), ["KB1000", "KB1001"]);
    assert_eq!(outcomes(&found.state, rows(&world)), before);
    assert_eq!(found.state.finished(), state.finished());
    let times = asked(&world).len();
    again();
    assert_eq!(asked(&world).len(), times);
    // The log has nothing of it, so no verdict is made anew by names.
    assert_eq!(world.records().len(), records);
}

#[test]
fn collect_names_the_patches_of_rows_that_an_older_version_wrote() {
    let world = with(vec![short(1, 0, 1, Some(own_snapshot()))]);
    world.run();
    let json = serde_json::to_value(rows(&world)).unwrap();
    let mut old = json.clone();
    old[0].as_object_mut().unwrap().remove("patches").unwrap();
    let old: Vec<NodeRow> = serde_json::from_value(old).unwrap();
    assert_eq!(old[0].patches, None);
    finish(world.rows.put(world.campaign(), &place(), 1, old)).unwrap();
    let text = explained(&world, "i-00000001").to_text();
    assert!(!text.contains("Patches that"), "{text}");
    assert!(text.contains("asks for the names of the patches again"), "{text}");
    finish(world.driver(2).collect_again(world.campaign())).unwrap();
    assert_eq!(serde_json::to_value(rows(&world)).unwrap(), json);
}

#[test]
fn collect_names_nothing_by_a_patch_state_that_is_not_provably_the_campaigns() {
    let now_is = |world: &World, node: Node| {
        let script = Script::Nodes(vec![node]);
        world.aws.scripts.lock().unwrap().insert(place(), script);
    };
    for (case, now) in [
        ("no snapshot", short(1, 2, 0, None)),
        (
            "another snapshot",
            short(1, 2, 0, Some("3b241101-e2bb-4255-8caf-4136c566a962")),
        ),
        ("other numbers", short(1, 3, 0, Some(own_snapshot()))),
        (
            "none",
            Node {
                patches: None,
                ..Node::well(1)
            },
        ),
    ] {
        let world = with(vec![short(1, 2, 0, Some(own_snapshot()))]);
        *world.aws.names_fail.lock().unwrap() = Some(PortErrorKind::Denied);
        world.run();
        *world.aws.names_fail.lock().unwrap() = None;
        now_is(&world, now);
        let (times, before) = (asked(&world).len(), rows(&world));
        finish(world.driver(2).collect_again(world.campaign())).unwrap();
        assert_eq!(asked(&world).len(), times, "{case}");
        assert_eq!(rows(&world), before, "{case}");
        assert_eq!(before[0].outcome, NodeOutcome::Failed);
    }
}

#[test]
fn whoever_names_patches_again_may_be_killed_at_any_instant() {
    let mut instants = 0;
    for polls in 0.. {
        let world = with(vec![short(1, 2, 0, Some(own_snapshot())), Node::well(2)]);
        *world.aws.names_fail.lock().unwrap() = Some(PortErrorKind::Denied);
        let before = outcomes(&world.run(), rows(&world));
        *world.aws.names_fail.lock().unwrap() = None;
        let driver = world.driver(2);
        let mut first = ByHand::new(driver.collect_again(world.campaign()));
        if (0..polls).any(|_| first.poll()) {
            break;
        }
        drop(first);
        let found = finish(world.driver(3).collect_again(world.campaign())).unwrap();
        let rows = rows(&world);
        assert_eq!(ids(&rows[0]), ["KB1000", "KB1001"], "killed after {polls} polls");
        assert_eq!(outcomes(&found.state, rows), before, "killed after {polls} polls");
        instants += 1;
    }
    assert!(instants > 8, "only {instants} instants");
}

#[test]
fn two_who_name_patches_at_once_keep_the_names_and_what_is_known() {
    let world = with(vec![short(1, 2, 0, Some(own_snapshot())), Node::well(2)]);
    *world.aws.names_fail.lock().unwrap() = Some(PortErrorKind::Denied);
    let before = outcomes(&world.run(), rows(&world));
    *world.aws.names_fail.lock().unwrap() = None;
    let (two, three) = (world.driver(2), world.driver(3));
    let _ = both_ends(
        ByHand::new(two.collect_again(world.campaign())),
        ByHand::new(three.collect_again(world.campaign())),
    );
    let state = finish(crate::campaign::load(&*world.log, world.campaign()))
        .unwrap()
        .unwrap();
    assert_eq!(ids(&rows(&world)[0]), ["KB1000", "KB1001"]);
    assert_eq!(outcomes(&state, rows(&world)), before);
}

#[test]
fn names_are_kept_where_the_results_of_another_node_are_read_again_and_names_cannot_be() {
    let unknown = Node {
        snapshot: Some("3b241101-e2bb-4255-8caf-4136c566a962"),
        ..Node::well(2)
    };
    let world = with(vec![short(1, 2, 0, Some(own_snapshot())), unknown]);
    let state = world.run();
    assert_eq!(rows(&world)[1].outcome, NodeOutcome::Unknown);
    assert!(!state.unread().is_empty());
    let before = rows(&world);
    assert_eq!(ids(&before[0]), ["KB1000", "KB1001"]);
    *world.aws.names_fail.lock().unwrap() = Some(PortErrorKind::Denied);
    let script = Script::Nodes(vec![short(1, 2, 0, Some(own_snapshot())), Node::well(2)]);
    world.aws.scripts.lock().unwrap().insert(place(), script);
    let found = finish(world.driver(2).collect_again(world.campaign())).unwrap();
    assert_eq!(found.read, 1);
    assert_eq!(rows(&world)[0], before[0]);
    assert_eq!(rows(&world)[1].outcome, NodeOutcome::Done);
}

#[test]
fn names_of_another_report_than_the_one_that_is_read_again_are_not_kept() {
    let unknown = Node {
        snapshot: Some("3b241101-e2bb-4255-8caf-4136c566a962"),
        ..Node::well(2)
    };
    let world = with(vec![short(1, 2, 0, Some(own_snapshot())), unknown]);
    world.run();
    assert_eq!(ids(&rows(&world)[0]), ["KB1000", "KB1001"]);
    *world.aws.names_fail.lock().unwrap() = Some(PortErrorKind::Denied);
    // As many patches fail by it.
    *world.aws.reports_anew.lock().unwrap() = true;
    let script = Script::Nodes(vec![short(1, 2, 0, Some(own_snapshot())), Node::well(2)]);
    world.aws.scripts.lock().unwrap().insert(place(), script);
    let found = finish(world.driver(2).collect_again(world.campaign())).unwrap();
    assert_eq!(found.read, 1);
    assert_eq!(unread(&rows(&world)[0]), Some(NamesUnreadReason::Denied));
}
