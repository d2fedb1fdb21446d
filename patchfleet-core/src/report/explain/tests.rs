//! One explanation of each kind, in words.

use super::*;
use crate::campaign::tests::world::{
    ByHand, Node, Script, World, finish, is_intended, killed_once, whole_life,
};
use crate::campaign::{Chain, Event, StopMode};
use crate::census::UnknownCause;
use crate::outcome::{LocationOutcome, NodeOutcome};
use crate::port::{Clock as _, PingStatus};
use crate::report::Report;
use crate::request::{OfflineAction, PolicyAction, Selector};
use jiff::SignedDuration;

mod alarm;
mod next;
mod sends;
mod several;

const FIRST: &str = "111111111111/us-east-1";
const SECOND: &str = "222222222222/us-east-1";

fn well() -> Script {
    Script::Nodes(vec![Node::well(1), Node::well(2)])
}

/// A location whose nodes come to every end that needs somebody.
fn ill() -> Script {
    let node = |n, status| Node {
        status,
        ..Node::well(n)
    };
    Script::Nodes(vec![
        Node::well(1),
        Node {
            patches: Some([1, 0, 0]),
            ..node(2, "Failed")
        },
        Node {
            ping: Some(PingStatus::Offline),
            ..Node::well(3)
        },
        Node {
            patches: None,
            ping: Some(PingStatus::Offline),
            ..node(4, "Undeliverable")
        },
        Node {
            joined: true,
            ..Node::well(5)
        },
    ])
}

/// What is said of a subject, by what the world's log and rows have.
fn said(world: &World, subject: &str) -> Option<Explanation> {
    let (records, subject) = (world.records(), subject.parse().unwrap());
    finish(Explanation::build(
        &records,
        &*world.rows,
        &subject,
        world.clock.now(),
    ))
    .unwrap()
}

fn explained(world: &World, subject: &str) -> Explanation {
    let explanation = said(world, subject).expect("the campaign knows it");
    let json = serde_json::to_string(&explanation).unwrap();
    assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation);
    explanation
}

/// A driver that is killed as soon as this is so.
fn killed(world: &World, is_so: impl Fn(&Event) -> bool) {
    killed_once(world, |world| world.events().iter().any(&is_so));
}

fn is_at_work(event: &Event) -> bool {
    matches!(event, Event::LocationObserved { child: Some(_), status, .. } if !status.is_terminal())
}

#[test]
fn a_location_that_the_plan_skips_has_the_plans_reason() {
    let mut world = World::new(&[&[("us-east-1", well())]], 1, 0);
    world.plan.skipped = vec![Skip {
        account: "111111111111".parse().unwrap(),
        region: "us-west-2".parse().unwrap(),
        reason: SkipReason::Unknown,
        cause: Some(UnknownCause::Denied),
        detail: "denied: AccessDeniedException: no".to_owned(),
    }];
    world.plan.candidates += 1;
    world.run();
    let explanation = explained(&world, "111111111111/us-west-2");
    insta::assert_snapshot!(explanation.to_text());
}

#[test]
fn a_location_without_its_group_that_the_policy_keeps_says_so() {
    let mut world = World::new(&[&[("us-east-1", Script::Emptied)]], 1, 0);
    world.plan.request.policy.group_missing = PolicyAction::Keep;
    let planned = world.plan.locations.first_mut().unwrap();
    planned.kept = Some(SkipReason::GroupMissing);
    (planned.nodes, planned.node_ids) = (None, None);
    world.run();
    insta::assert_snapshot!(explained(&world, FIRST).to_text());
}

#[test]
fn a_location_that_is_kept_for_the_shape_of_the_plan_has_the_plans_warning() {
    let mut world = World::new(&[&[("us-east-1", Script::Emptied)]], 1, 0);
    world.plan.locations.first_mut().unwrap().kept = Some(SkipReason::Empty);
    let warning =
        |location: &str| format!("1 location is planned although there is no node: {location} (empty)");
    world.plan.warnings = vec![warning(FIRST), warning(SECOND), warning(&format!("{FIRST}0"))];
    world.run();
    let explanation = explained(&world, FIRST);
    assert_eq!(explanation.at[0].why.first(), Some(&warning(FIRST)));
    assert!(!explanation.at[0].why.contains(&warning(SECOND)));
    assert_eq!(
        explanation.at[0]
            .why
            .iter()
            .filter(|why| why.contains("(empty)"))
            .count(),
        1
    );
}

#[test]
fn a_location_that_waits_for_its_turn_says_whose_it_is() {
    let mut world = World::new(
        &[
            &[("us-east-1", well())],
            &[("us-east-1", well())],
            &[("us-east-1", well())],
        ],
        1,
        0,
    );
    world.one_place_each();
    killed(&world, is_at_work);
    insta::assert_snapshot!(explained(&world, "333333333333/us-east-1").to_text());
}

#[test]
fn a_location_that_waits_for_a_place_says_how_many_there_are_and_who_has_them() {
    let world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    killed(&world, is_at_work);
    insta::assert_snapshot!(explained(&world, SECOND).to_text());
}

#[test]
fn a_location_at_aws_says_where_its_execution_is_at_work_meanwhile() {
    let world = World::new(&[&[("us-east-1", well()), ("us-west-1", well())]], 1, 0);
    killed(&world, is_at_work);
    let explanation = explained(&world, "111111111111/us-west-1");
    let at = &explanation.at[0];
    assert_eq!(at.standing, Standing::Waiting);
    assert_eq!(
        at.units[0].why,
        "its execution has not come to it yet: it works in 1 of its 2 locations now, in 1 at once"
    );
    assert!(
        explanation.next[0].contains("`patchfleet resume "),
        "{explanation:?}"
    );
}

#[test]
fn a_location_in_work_has_the_ids_of_aws_and_how_far_its_command_is() {
    let mut world = World::new(&[&[("us-east-1", well())]], 1, 0);
    // With a cutoff a command is looked at while it runs.
    world.cut_off(world.clock.now() + SignedDuration::from_hours(12));
    killed(&world, is_at_work);
    let explanation = explained(&world, FIRST);
    assert_eq!(
        explanation.at[0].units[0].why,
        "it is at work here, and no command of it is known yet"
    );
    killed(&world, |event| matches!(event, Event::CommandObserved { .. }));
    let explanation = explained(&world, FIRST);
    assert_eq!(explanation.at[0].standing, Standing::Running);
    insta::assert_snapshot!(explanation.to_text());
}

#[test]
fn a_location_that_went_well_says_so() {
    let world = World::new(&[&[("us-east-1", well())]], 1, 0);
    world.run();
    let explanation = explained(&world, FIRST);
    insta::assert_snapshot!(explanation.to_text());
    assert_eq!(explanation.next, [""; 0]);
}

#[test]
fn a_location_with_nodes_that_did_not_reach_their_goal_names_each() {
    let world = World::new(&[&[("us-east-1", ill())]], 1, 9);
    world.run();
    let explanation = explained(&world, FIRST);
    insta::assert_snapshot!(explanation.to_text());
    insta::assert_json_snapshot!(explanation);
}

#[test]
fn a_node_has_its_own_reason_before_that_of_its_location() {
    let world = World::new(&[&[("us-east-1", ill())]], 1, 9);
    world.run();
    insta::assert_snapshot!("failed_node", explained(&world, "i-00000002").to_text());
    insta::assert_snapshot!("lost_node", explained(&world, "i-00000003").to_text());
    insta::assert_snapshot!("unreached_node", explained(&world, "i-00000004").to_text());
}

#[test]
fn a_node_that_joined_the_selection_is_not_in_the_plan() {
    let world = World::new(&[&[("us-east-1", ill())]], 1, 9);
    world.run();
    let explanation = explained(&world, "i-00000005");
    assert_eq!(
        explanation.at[0].node.as_ref().unwrap().planned,
        PlannedNode::Joined
    );
    insta::assert_snapshot!(explanation.to_text());
    assert_eq!(said(&world, "i-00000009"), None, "nobody knows that one");
    assert_eq!(said(&world, SECOND), None);
}

#[test]
fn a_location_that_was_never_begun_names_the_failures_that_used_up_the_budget() {
    let world = World::new(
        &[
            &[("us-east-1", Script::FailsEarly)],
            &[("us-east-1", Script::RoleMissing)],
            &[("us-east-1", well())],
        ],
        1,
        1,
    );
    world.run();
    let explanation = explained(&world, "333333333333/us-east-1");
    insta::assert_snapshot!(explanation.to_text());
    insta::assert_snapshot!("node_of_a_location_that_was_never_begun", {
        explained(&world, "i-00000001").to_text()
    });
}

#[test]
fn a_location_that_aws_did_not_come_to_names_the_failures_as_well() {
    let world = World::new(
        &[&[("us-east-1", Script::RoleMissing), ("us-west-1", well())]],
        1,
        0,
    );
    world.run();
    insta::assert_snapshot!(explained(&world, "111111111111/us-west-1").to_text());
}

#[test]
fn a_location_that_was_never_begun_since_somebody_stopped_the_campaign_says_who() {
    let world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    killed(&world, is_at_work);
    finish(
        world
            .driver(2)
            .stop(world.campaign(), StopMode::LetCommandsRun, "somebody"),
    )
    .unwrap();
    insta::assert_snapshot!(explained(&world, SECOND).to_text());
}

#[test]
fn a_location_that_was_never_begun_since_somebody_cancelled_says_what() {
    let world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    let mut life = ByHand::new(whole_life(&world, 1));
    life.until(|| world.events().iter().any(is_at_work));
    world.aws.cancel();
    life.end().unwrap();
    insta::assert_snapshot!(explained(&world, SECOND).to_text());
}

#[test]
fn a_location_whose_start_is_unresolved_waits_for_a_person() {
    let mut world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    world.one_place_each();
    killed_once(&world, is_intended);
    world.clock.advance(SignedDuration::from_hours(1));
    finish(whole_life(&world, 2)).unwrap_err();
    insta::assert_snapshot!("unresolved", explained(&world, FIRST).to_text());
    insta::assert_snapshot!("waits_for_the_unresolved", explained(&world, SECOND).to_text());
}

#[test]
fn a_location_whose_results_could_not_be_read_is_to_be_collected() {
    let world = World::new(&[&[("us-east-1", Script::Sealed)]], 1, 0);
    world.run();
    let explanation = explained(&world, FIRST);
    let outcome = explanation.at[0].report.as_ref().unwrap().outcome;
    assert_eq!(outcome, Some(LocationOutcome::ResultsUnreadable));
    insta::assert_snapshot!(explanation.to_text());
}

#[test]
fn a_node_that_was_left_out_as_offline_says_so_before_and_after_its_location_ran() {
    let nodes = vec![
        Node::well(1),
        Node {
            status: "",
            ping: Some(PingStatus::Offline),
            ..Node::well(2)
        },
    ];
    let mut world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 0);
    let template = world.template();
    world.add_naming(template, &[Node::well(1).id]);
    world.plan.request.policy.offline = OfflineAction::Skip;
    let planned = world.plan.locations.first_mut().unwrap();
    planned.left_out = vec![Node::well(2).id];
    world.agree();
    killed(&world, is_at_work);
    insta::assert_snapshot!("left_out_before", explained(&world, "i-00000002").to_text());
    finish(whole_life(&world, 2)).unwrap();
    let explanation = explained(&world, "i-00000002");
    assert_eq!(
        explanation.at[0].node.as_ref().unwrap().planned,
        PlannedNode::LeftOut
    );
    insta::assert_snapshot!("left_out_after", explanation.to_text());
}

#[test]
fn a_node_whose_first_command_was_refused_has_both_attempts() {
    let nodes: Vec<Node> = (1..=3).map(Node::well).collect();
    let ids: Vec<NodeId> = nodes.iter().map(|node| node.id.clone()).collect();
    let mut world = World::new(&[&[("us-east-1", Script::Nodes(nodes))]], 1, 0);
    let template = world.template();
    world.add_naming(template.clone(), &ids[..2]);
    world.add_naming(template, &ids[2..]);
    world.plan.request.targets.selector = Selector::NodeIds(ids.clone());
    world.agree();
    world.aws.stopped.lock().unwrap().insert(ids[1].clone());
    world.run();
    let explanation = explained(&world, "i-00000001");
    insta::assert_snapshot!(explanation.to_text());
    let units = &explanation.at[0].units;
    assert_eq!(units.len(), 1, "the other unit does not name it");
    assert_eq!(units[0].attempt, Some(2));
    insta::assert_snapshot!("stopped_node", explained(&world, "i-00000002").to_text());
}

#[test]
fn damaged_rows_are_told_and_the_tallies_of_the_log_stand() {
    let world = World::new(&[&[("us-east-1", ill())]], 1, 9);
    world.run();
    let (location, records) = (FIRST.parse().unwrap(), world.records());
    let place = world.plan.locations.first().unwrap().location();
    let damaged = Kept {
        rows: vec![],
        damaged: Some("the file is damaged".to_owned()),
    };
    let explanation = Explanation::of(&records, &[(place, damaged)].into(), &location, world.clock.now());
    let text = explanation.unwrap().unwrap().to_text();
    assert!(
        text.contains("the rows of its nodes are damaged: the file is damaged"),
        "{text}"
    );
    assert!(text.contains("not named: no row of them is kept"), "{text}");
}

#[test]
fn a_campaign_that_was_refused_its_name_says_which_one_had_it() {
    let world = World::new(&[&[("us-east-1", well())]], 1, 0);
    finish(world.driver(1).begin(world.campaign(), &world.plan)).unwrap();
    let mut records = vec![world.records().remove(0)];
    let by = world.campaign_of("another");
    let writer = records[0].writer;
    let taken = Chain::after(&records[0]).record(world.clock.now(), writer, vec![Event::NameTaken { by }]);
    records.push(taken);
    let subject = FIRST.parse().unwrap();
    let explanation = finish(Explanation::build(
        &records,
        &*world.rows,
        &subject,
        world.clock.now(),
    ));
    insta::assert_snapshot!(explanation.unwrap().unwrap().to_text());
}

/// Every location, after every record: explained as the report has it at that moment.
#[test]
fn explain_says_of_each_location_what_the_report_says_after_every_record() {
    let worlds = [
        World::new(
            &[
                &[("us-east-1", ill()), ("us-west-1", well())],
                &[("us-east-1", Script::RoleMissing)],
            ],
            2,
            0,
        ),
        World::new(
            &[&[("us-east-1", Script::FailsEarly)], &[("us-east-1", well())]],
            1,
            0,
        ),
        World::new(
            &[
                &[("us-east-1", Script::Sealed)],
                &[("us-east-1", Script::Emptied)],
            ],
            2,
            9,
        ),
    ];
    for world in worlds {
        world.run();
        let records = world.records();
        for count in 1..=records.len() {
            let records = &records[..count];
            let state = State::from_records(records).unwrap();
            let report = finish(Report::build(&state, &*world.rows, state.last_at())).unwrap();
            for of in report.locations {
                let subject = Subject::Location(Location::new(of.account.clone(), of.region.clone()));
                let built = Explanation::build(records, &*world.rows, &subject, state.last_at());
                let explanation = finish(built).unwrap().expect("a location of the plan");
                let at = &explanation.at[0];
                assert_eq!(at.report.as_ref(), Some(&of), "after record {}", count - 1);
                assert!(
                    at.units
                        .iter()
                        .all(|unit| !unit.why.is_empty() || unit.outcome.is_some()),
                    "{at:#?}"
                );
                assert!(!at.why.is_empty() || at.standing == Standing::Settled, "{at:#?}");
                let numbers: Vec<u64> = at.records.iter().map(|line| line.record).collect();
                assert!(
                    numbers.is_sorted() && numbers.iter().all(|n| *n < count as u64),
                    "{numbers:?}"
                );
            }
        }
    }
}

#[test]
fn every_row_is_explained_with_its_outcome() {
    let world = World::new(&[&[("us-east-1", ill())]], 1, 9);
    world.run();
    let location = world.plan.locations.first().unwrap().location();
    let rows = finish(world.rows.rows(world.campaign(), &location)).unwrap();
    let mut outcomes = BTreeSet::new();
    for row in rows {
        let explanation = explained(&world, row.node.as_str());
        let node = explanation.at[0].node.clone().unwrap();
        outcomes.insert(row.outcome);
        assert_eq!(node.row, Some(row));
    }
    assert!(
        outcomes.contains(&NodeOutcome::Lost) && outcomes.contains(&NodeOutcome::Unreached),
        "{outcomes:?}"
    );
}

#[test]
fn what_is_nearly_a_subject_says_what_would_be_one() {
    let wrong = |text: &str| text.parse::<Subject>().unwrap_err().to_string();
    let all = [
        "111122223333",
        "eu-west-1",
        "eu-west-1/111122223333",
        "11112222333/eu-west-1",
        "111122223333/eu-west",
        "i-0123",
        "web-1",
        "",
    ];
    insta::assert_snapshot!(all.map(wrong).join("\n"));
}

#[test]
fn what_there_is_of_an_account_a_region_or_a_beginning_is_listed() {
    let mut world = World::new(
        &[
            &[("us-east-1", well()), ("us-west-1", well())],
            &[("us-east-1", ill())],
        ],
        1,
        0,
    );
    world.plan.locations.first_mut().unwrap().left_out = vec!["i-00000007".parse().unwrap()];
    world.run();
    let state = State::from_records(&world.records()).unwrap();
    let like = |text| {
        Subject::like(&state, text)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(like("111111111111"), [FIRST, "111111111111/us-west-1"]);
    assert_eq!(like("us-east-1"), [FIRST, SECOND]);
    assert_eq!(like("2222"), [SECOND]);
    assert_eq!(
        like("i-0000000"),
        [
            "i-00000001",
            "i-00000002",
            "i-00000003",
            "i-00000004",
            "i-00000007"
        ]
    );
    assert_eq!(like("mi-"), [""; 0]);
    assert_eq!(like(" "), [""; 0]);
}

#[test]
fn the_console_of_a_partition_is_its_own() {
    let link = |region: &str| aws::console(&region.parse().unwrap());
    assert_eq!(
        link("eu-west-1").as_deref(),
        Some("https://eu-west-1.console.aws.amazon.com/systems-manager")
    );
    assert_eq!(
        link("cn-north-1").as_deref(),
        Some("https://cn-north-1.console.amazonaws.cn/systems-manager")
    );
    assert_eq!(
        link("us-gov-west-1").as_deref(),
        Some("https://us-gov-west-1.console.amazonaws-us-gov.com/systems-manager")
    );
    assert_eq!(link("us-iso-east-1"), None);
}

#[test]
fn a_location_that_was_not_begun_for_the_alarm_says_so_with_the_record_that_saw_it() {
    let mut world = World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0);
    world.plan.request.breaker.alarm = Some("web errors".parse().unwrap());
    let begins = world.clock.now();
    let goes_off = (
        begins + SignedDuration::from_secs(30),
        begins + SignedDuration::from_hours(9),
    );
    world.aws.alarm_goes_off.lock().unwrap().push(goes_off);
    world.run();
    insta::assert_snapshot!(explained(&world, SECOND).to_text());
}
