//! The laws of the design, held against random small worlds: from the request's text to the
//! report, in memory.
//!
//! What is right follows from two things that share no code with what is checked: the draft from
//! which the world and the request were written, and the simulator's own state afterwards.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, outside of #[test]"
)]

#[path = "laws/draft.rs"]
mod draft;
#[path = "laws/measured.rs"]
mod measured;
#[path = "laws/run.rs"]
mod run;

use draft::{Draft, Policy, Selector, Truth, drafts};
use measured::Measured;
use patchfleet_core::{
    campaign::Event,
    outcome::{LocationOutcome, NodeOutcome, Tally},
    refusal::{RefusalCode, SkipReason},
    report::ReportOutcome,
};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use run::{Done, Pair, Run, pair, place};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the policies make of a location: planned, skipped for a reason, or a reason to refuse.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Fate {
    Planned,
    Skipped(SkipReason),
    Refused,
}

fn fate(run: &Run, pair: &Pair, truth: Truth) -> Fate {
    let wish = &run.draft.wish;
    let by = |policy, reason| match policy {
        Policy::Refuse => Fate::Refused,
        Policy::Skip => Fate::Skipped(reason),
        // Each unit names its nodes there, and there is none to name.
        Policy::Keep if wish.selector == Selector::AllManaged => Fate::Skipped(reason),
        Policy::Keep => Fate::Planned,
    };
    match truth {
        Truth::Excluded => Fate::Skipped(SkipReason::Excluded),
        Truth::NotActive => Fate::Skipped(SkipReason::AccountNotActive),
        Truth::NotEnabled => Fate::Skipped(SkipReason::RegionNotEnabled),
        Truth::Unreadable | Truth::Partial => by(wish.unknown, SkipReason::Unknown),
        Truth::NoGroup => by(wish.group_missing, SkipReason::GroupMissing),
        Truth::Readable if run.selected(pair).is_empty() => by(wish.empty, SkipReason::Empty),
        Truth::Readable => {
            let managed: Vec<&Value> = run.selected(pair).into_values().collect();
            let answers = |node: &&Value| node["managed"] == true && node["reachability"] == "online";
            let silent = |node: &&Value| node["managed"] == true && node["reachability"] == "offline";
            let alone = managed.iter().any(silent) && !managed.iter().any(answers);
            if wish.skip_offline && alone {
                Fate::Skipped(SkipReason::Offline)
            } else {
                Fate::Planned
            }
        }
    }
}

/// Every node is in one command at most, also where a location has several.
fn each_node_in_one_command(run: &Run) {
    let commands = run.after["commands"].as_array().unwrap().iter();
    let nodes: Vec<&str> = commands
        .flat_map(|command| command["invocations"].as_array().unwrap())
        .map(|one| one["node"].as_str().unwrap())
        .collect();
    assert_eq!(
        nodes.iter().collect::<BTreeSet<_>>().len(),
        nodes.len(),
        "{nodes:?}"
    );
}

/// Law 1: the locations of the started executions are the plan's, each once, and no other node
/// was touched.
fn exact(run: &Run, done: &Done) {
    let mut started: Vec<Pair> = vec![];
    for parent in run.parents() {
        for target in parent["target_locations"].as_array().unwrap() {
            for account in target["Accounts"].as_array().unwrap() {
                for region in target["Regions"].as_array().unwrap() {
                    started.push(pair(account.as_str().unwrap(), region.as_str().unwrap()));
                }
            }
        }
    }
    let planned: BTreeSet<Pair> = done
        .plan
        .locations
        .iter()
        .map(|one| pair(&one.account, &one.region))
        .collect();
    assert_eq!(planned.len(), done.plan.locations.len());
    let once: BTreeSet<Pair> = started.iter().cloned().collect();
    each_node_in_one_command(run);
    if run.draft.has_one_start_for_each_location() {
        assert_eq!(once.len(), started.len(), "twice in {started:?}");
    }
    for location in &done.ended.report.locations {
        // What was not started says so.
        let at = pair(&location.account, &location.region);
        let not_started = location.outcome == Some(LocationOutcome::NotStarted);
        assert!(once.contains(&at) || not_started, "{at:?}: {location:?}");
    }
    assert!(once.is_subset(&planned), "{once:?} of {planned:?}");
    if run.parents().len() == done.plan.units.len() {
        assert_eq!(once, planned);
    }
    for command in run.after["commands"].as_array().unwrap() {
        let at = place(command);
        let selected = run.selected(&at);
        assert!(once.contains(&at));
        for one in command["invocations"].as_array().unwrap() {
            assert!(selected.contains_key(one["node"].as_str().unwrap()), "{one}");
        }
    }
    for node in run.after["nodes"].as_array().unwrap() {
        let meant = once.contains(&place(node)) && run.selected(&place(node)).contains_key(id_of(node));
        let installs = node["installs"].as_u64().unwrap();
        assert!(installs <= u64::from(meant && run.draft.installs()), "{node}");
    }
}

fn id_of(node: &Value) -> &str {
    node["id"].as_str().unwrap()
}

/// Law 2: every candidate is planned or skipped for its reason, every node of a planned location
/// has one row, and the totals add up.
fn accounted(run: &Run, done: &Done) {
    let (plan, report) = (&done.plan, &done.ended.report);
    let mut fates: BTreeMap<Pair, Fate> = BTreeMap::new();
    for one in &plan.locations {
        fates.insert(pair(&one.account, &one.region), Fate::Planned);
    }
    for one in &plan.skipped {
        let before = fates.insert(pair(&one.account, &one.region), Fate::Skipped(one.reason));
        assert_eq!(before, None);
    }
    let expected: BTreeMap<Pair, Fate> = run
        .truths()
        .into_iter()
        .map(|(at, truth)| (at.clone(), fate(run, &at, truth)))
        .collect();
    assert_eq!(fates, expected);
    let totals = &report.totals;
    assert_eq!(plan.candidates as usize, expected.len());
    assert_eq!(totals.candidates, plan.candidates);
    assert_eq!(totals.locations as usize, report.locations.len());
    assert_eq!(report.locations.len(), plan.locations.len());
    assert_eq!(totals.skipped as usize, plan.skipped.len());
    assert_eq!(totals.outcomes.values().sum::<u32>(), totals.locations);
    let mut all = Tally::default();
    let mut short = 0;
    for (location, (at, rows)) in report.locations.iter().zip(&done.ended.rows) {
        let here = pair(&location.account, &location.region);
        assert_eq!(here, pair(&at.account, &at.region));
        assert!(location.outcome.is_some());
        let ids: Vec<&str> = rows.iter().map(|row| row.node.as_str()).collect();
        let selected = run.selected(&here);
        let tally: Tally = rows.iter().map(|row| row.outcome).collect();
        if run.is_readable(&here) {
            assert_eq!(ids, selected.keys().copied().collect::<Vec<_>>(), "{here:?}");
            assert_eq!(location.nodes, tally, "{here:?}");
        } else {
            assert!(ids.iter().all(|id| selected.contains_key(id)), "{here:?}");
        }
        if run.truths()[&here] != Truth::Unreadable {
            let sent = run.sent_to(&here);
            assert!(
                sent.iter().all(|id| ids.contains(id)),
                "{here:?}: {sent:?} {ids:?}"
            );
        }
        all.merge(&location.nodes);
        let goal = plan.request.goal();
        short += rows.iter().filter(|row| !row.outcome.reaches_goal(goal)).count();
    }
    assert_eq!(totals.nodes, all);
    assert_eq!(report.needs_action.len(), short);
}

/// Law 2, the truth of it: a node is said to be done if and only if it is.
fn truthful(run: &Run, done: &Done) {
    for (location, rows) in &done.ended.rows {
        let nodes = run.selected(&pair(&location.account, &location.region));
        for row in rows {
            let node = nodes[row.node.as_str()];
            let left = |name: &str| node["patches"][name].as_u64().unwrap() > 0;
            let (managed, online) = (node["managed"] == true, node["online"] == true);
            let fresh = node["reported"]["started"].as_str() >= run.after["start"].as_str();
            let operation = if run.draft.installs() { "Install" } else { "Scan" };
            let ran = online && fresh && node["reported"]["operation"] == operation;
            let complete = !left("missing") && !left("failed");
            let is_done = ran && (!run.draft.installs() || complete && !left("pending_reboot"));
            assert_eq!(row.outcome == NodeOutcome::Done, is_done, "{row:?} {node}");
            assert_eq!(row.outcome == NodeOutcome::Unmanaged, !managed, "{row:?} {node}");
            let sent = node["installs"] == 1;
            match row.outcome {
                NodeOutcome::PendingReboot => assert!(ran && complete && left("pending_reboot"), "{node}"),
                // An online node too, where others held every place until the command expired.
                NodeOutcome::Unreached => assert!(!ran && !sent, "{node}"),
                NodeOutcome::NotRun => assert!(!sent && !fresh, "{node}"),
                NodeOutcome::Lost => assert!(sent && !online, "{node}"),
                NodeOutcome::Failed => assert!(online, "{node}"),
                _ => {}
            }
        }
    }
    let goal = done.plan.request.goal();
    let all_well = done
        .ended
        .rows
        .values()
        .flatten()
        .all(|row| row.outcome.reaches_goal(goal));
    if done.ended.report.outcome == ReportOutcome::Succeeded {
        assert!(all_well);
        assert!(
            done.plan
                .skipped
                .iter()
                .all(|one| one.reason != SkipReason::Unknown)
        );
    }
}

/// Law 3: what cannot be read is never said to be empty, and what is said to be empty is.
fn unknown_is_not_empty(run: &Run, done: &Done) {
    let truths = run.truths();
    for skip in &done.plan.skipped {
        let at = pair(&skip.account, &skip.region);
        if skip.reason == SkipReason::Empty {
            assert_eq!(truths[&at], Truth::Readable);
            assert!(run.selected(&at).is_empty());
        }
        assert_eq!(
            skip.cause.is_some(),
            skip.reason == SkipReason::Unknown,
            "{skip:?}"
        );
    }
    for location in &done.ended.report.locations {
        let at = pair(&location.account, &location.region);
        match location.outcome {
            Some(LocationOutcome::Emptied) => {
                assert!(run.is_readable(&at), "{at:?}: {location:?}");
                assert!(run.selected(&at).is_empty(), "{at:?}: {location:?}");
            }
            Some(LocationOutcome::Succeeded) => assert!(run.is_readable(&at), "{at:?}"),
            _ => {}
        }
    }
}

/// Law 5, without a fault: every unit was sent once and took effect once.
fn once(run: &Run, done: &Done) {
    let starts: Vec<&Value> = run
        .calls
        .iter()
        .filter(|(operation, _)| operation == "StartAutomationExecution")
        .map(|(_, input)| input)
        .collect();
    let sent: BTreeSet<&str> = starts
        .iter()
        .map(|input| input["ClientToken"].as_str().unwrap())
        .collect();
    let parents = run.parents();
    let took_effect: BTreeSet<&str> = parents
        .iter()
        .map(|one| one["client_token"].as_str().unwrap())
        .collect();
    let events = done.ended.records.iter().flat_map(|record| &record.events);
    let units: Vec<u32> = events
        .filter_map(|event| match event {
            Event::Started { unit, .. } => Some(unit.number()),
            _ => None,
        })
        .collect();
    assert_eq!(starts.len(), units.len());
    assert_eq!(sent.len(), starts.len(), "each unit has a token of its own");
    assert_eq!(took_effect, sent);
    assert_eq!(parents.len(), units.len());
    assert_eq!(done.ended.report.executions.len(), units.len());
    // One child at most for each location, and one command for each child.
    let executions = run.after["executions"].as_array().unwrap();
    let children: Vec<Pair> = executions
        .iter()
        .filter(|one| !one["parent"].is_null())
        .map(place)
        .collect();
    let places: BTreeSet<&Pair> = children.iter().collect();
    if run.draft.has_one_start_for_each_location() {
        assert_eq!(places.len(), children.len());
    }
    assert!(run.after["commands"].as_array().unwrap().len() <= children.len());
}

/// Law 7: planning changes nothing; a refusal starts nothing and names every location that is a
/// reason for it, or says that no node answers; nobody installs who was not asked to.
fn safe_by_default(run: &Run) {
    assert_eq!(run.before, run.planned);
    let fates: Vec<(String, Fate)> = run
        .truths()
        .into_iter()
        .map(|(at, truth)| (format!("{}/{}", at.0, at.1), fate(run, &at, truth)))
        .collect();
    let of = |wanted: Fate| fates.iter().filter(move |(_, fate)| *fate == wanted);
    let reasons: BTreeSet<&str> = of(Fate::Refused).map(|(at, _)| at.as_str()).collect();
    let nobody_answers = reasons.is_empty()
        && of(Fate::Planned).next().is_none()
        && of(Fate::Skipped(SkipReason::Offline)).next().is_some();
    match &run.result {
        Ok(_) => assert!(reasons.is_empty() && !nobody_answers, "{fates:?}"),
        Err(refusal) => {
            if nobody_answers {
                let codes: Vec<RefusalCode> = refusal.reasons.iter().map(|one| one.code).collect();
                assert_eq!(codes, [RefusalCode::NodesOffline]);
            } else {
                let named: Vec<&str> = refusal.reasons.iter().map(|one| one.subject.as_str()).collect();
                assert_eq!(named, reasons.into_iter().collect::<Vec<_>>());
            }
            assert_eq!(run.before, run.after);
            let started = |(operation, _): &(String, Value)| operation == "StartAutomationExecution";
            assert!(!run.calls.iter().any(started));
        }
    }
    let expected = if run.draft.installs() { "Install" } else { "Scan" };
    for one in ["executions", "commands"]
        .iter()
        .flat_map(|name| run.after[name].as_array().unwrap())
    {
        assert_eq!(one["parameters"]["Operation"], serde_json::json!([expected]));
    }
}

/// Law 4, of AWS-paced plans: what the plan prints at worst is not exceeded, neither as AWS counts
/// nor in truth.
fn within_the_worst_case(run: &Run, done: &Done) {
    let measured = Measured::of(&run.after, run.draft.installs());
    measured.is_within(&done.plan.worst_case, "with a driver");
    let worst = &done.plan.worst_case;
    assert!(measured.starts <= worst.starts, "{measured:?} {worst:?}");
    assert!(
        measured.locations_failing <= worst.locations_failing,
        "{measured:?} {worst:?}"
    );
    assert!(
        measured.locations_failing_in_truth <= worst.in_truth.locations_failing,
        "{measured:?} {worst:?}"
    );
    if let Some(bound) = worst.in_truth.nodes_damaged {
        assert!(measured.nodes_damaged <= bound, "{measured:?} {worst:?}");
    }
}

fn check(draft: &Draft, law: fn(&Run, &Done)) {
    let run = Run::of(draft);
    if let Ok(done) = &run.result {
        law(&run, done);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn law_1_the_started_locations_are_the_plans_and_no_other_node_is_touched(draft in drafts()) {
        check(&draft, exact);
    }

    #[test]
    fn law_2_every_candidate_and_every_node_is_accounted_for(draft in drafts()) {
        check(&draft, accounted);
    }

    #[test]
    fn law_2_what_is_said_of_a_node_is_true(draft in drafts()) {
        check(&draft, truthful);
    }

    #[test]
    fn law_3_what_is_not_known_is_never_empty(draft in drafts()) {
        check(&draft, unknown_is_not_empty);
    }

    #[test]
    fn law_4_what_is_printed_at_worst_is_not_exceeded(draft in drafts()) {
        check(&draft, within_the_worst_case);
    }

    #[test]
    fn law_4_what_is_printed_for_a_dead_driver_is_not_exceeded(draft in drafts(), lives in 0_i64..3_000) {
        let Some((plan, after)) = run::abandoned(&draft, lives) else {
            return Ok(());
        };
        let measured = Measured::of(&after, draft.installs());
        measured.is_within(&plan.worst_case, "without a driver");
        let dead = &plan.worst_case.driver_dead;
        prop_assert!(measured.locations_at_once <= dead.locations_at_once, "{measured:?} {dead:?}");
        prop_assert!(measured.locations_failing <= dead.locations_failing, "{measured:?} {dead:?}");
        prop_assert!(measured.locations_failing_in_truth <= dead.locations_failing_in_truth, "{measured:?} {dead:?}");
        prop_assert!(dead.nodes_damaged.is_none_or(|bound| measured.nodes_damaged <= bound), "{measured:?} {dead:?}");
        prop_assert!(dead.nodes_at_once.is_none_or(|bound| measured.nodes_at_once <= bound), "{measured:?} {dead:?}");
    }

    #[test]
    fn law_5_every_unit_takes_effect_once(draft in drafts()) {
        check(&draft, once);
    }

    #[test]
    fn law_6_the_same_world_and_seed_give_the_same_bytes(draft in drafts()) {
        let (one, two) = (Run::of(&draft), Run::of(&draft));
        prop_assert_eq!(one.after.to_string(), two.after.to_string());
        prop_assert_eq!(one.calls, two.calls);
        match (one.result, two.result) {
            (Ok(one), Ok(two)) => {
                prop_assert_eq!(one.plan.to_json(), two.plan.to_json());
                prop_assert_eq!(one.plan.differences(&two.plan), Vec::<String>::new());
                let report = |done: Done| serde_json::to_string(&done.ended.report.without_times()).unwrap();
                prop_assert_eq!(&one.ended.rows, &two.ended.rows);
                prop_assert_eq!(report(one), report(two));
            }
            (Err(one), Err(two)) => prop_assert_eq!(one, two),
            _ => prop_assert!(false, "one is refused, and the other is not"),
        }
    }

    #[test]
    fn law_7_a_refusal_comes_before_anything_and_install_is_asked_for(draft in drafts()) {
        safe_by_default(&Run::of(&draft));
    }
}

#[test]
fn the_random_worlds_are_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let (mut truths, mut outcomes, mut nodes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut refused, mut campaigns, mut several) = (0, BTreeSet::new(), 0);
    for _ in 0..150 {
        let run = Run::of(&drafts().new_tree(&mut runner).unwrap().current());
        truths.extend(run.truths().into_values());
        match &run.result {
            Err(_) => refused += 1,
            Ok(Done { plan, ended }) => {
                several += usize::from(plan.units.len() > 1);
                campaigns.insert(ended.report.outcome.as_str());
                outcomes.extend(ended.report.locations.iter().filter_map(|one| one.outcome));
                let rows = ended.rows.values().flatten();
                nodes.extend(rows.map(|row| row.outcome));
            }
        }
    }
    assert_eq!(truths.len(), 7, "{truths:?}");
    assert!(refused > 10, "{refused}");
    assert!(several > 20, "{several}");
    assert_eq!(
        campaigns.into_iter().collect::<Vec<_>>(),
        ["halted", "nothing_to_do", "partial", "succeeded"]
    );
    for outcome in [
        LocationOutcome::Succeeded,
        LocationOutcome::NodesFailed,
        LocationOutcome::Emptied,
        LocationOutcome::RoleNotAssumable,
        LocationOutcome::NotStarted,
        LocationOutcome::ResultsUnreadable,
    ] {
        assert!(
            outcomes.contains(&outcome),
            "{outcome:?} is not among {outcomes:?}"
        );
    }
    for outcome in [
        NodeOutcome::Done,
        NodeOutcome::PendingReboot,
        NodeOutcome::Failed,
        NodeOutcome::Lost,
        NodeOutcome::Unreached,
        NodeOutcome::NotRun,
        NodeOutcome::Unmanaged,
    ] {
        assert!(nodes.contains(&outcome), "{outcome:?} is not among {nodes:?}");
    }
}
