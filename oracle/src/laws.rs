//! The laws, each held against one campaign that others disturbed.

mod bounded;
mod labels;
mod waves;

use crate::draft::{Deed, Draft, Selector};
use crate::run::{Done, Ending, Run};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::{
    campaign::DriveError,
    census::NodeCounts,
    id::Location,
    outcome::{LocationOutcome, NodeOutcome},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How soon a driver has seen that an execution was cancelled: it looks at least every half minute,
/// and a few calls may be on their way.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_secs(120);

fn time(of: &Value) -> Timestamp {
    of.as_str().unwrap().parse().unwrap()
}

fn place(of: &Value) -> (String, String) {
    let text = |name: &str| of[name].as_str().unwrap().to_owned();
    (text("account"), text("region"))
}

fn pair(location: &Location) -> (String, String) {
    (location.account.to_string(), location.region.to_string())
}

/// The nodes that the request selects at the start, by location.
fn census(draft: &Draft) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut census: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for (id, place) in draft.selected() {
        census.entry(Draft::location(place)).or_default().insert(id);
    }
    census
}

/// Whether a node is, in truth, where the campaign wanted it.
fn reached_its_goal(run: &Run, node: &Value) -> bool {
    let left = |name: &str| node["patches"][name].as_u64().unwrap() > 0;
    if !run.draft.installs() {
        // A Scan by other baselines leaves no trace on the node.
        return run.draft.wish.override_baseline
            || node["reported"]["operation"] == "Scan"
                && node["reported"]["started"].as_str() >= run.after["start"].as_str();
    }
    let waits = left("pending_reboot") && run.draft.wish.reboot == "RebootIfNeeded";
    node["installs"] == 1 && !left("missing") && !left("failed") && !waits
}

/// How many executions there were in each location, below those that were started.
fn children(run: &Run) -> BTreeMap<(String, String), usize> {
    let mut begun = BTreeMap::new();
    for one in run.after["executions"].as_array().unwrap() {
        if !one["parent"].is_null() {
            *begun.entry(place(one)).or_insert(0) += 1;
        }
    }
    begun
}

/// Law 1: the started locations are the plan's, each once; a node is installed on once at most, and
/// only where it was selected.
fn exact(run: &Run) {
    let census = census(&run.draft);
    let planned: BTreeSet<(String, String)> = match &run.result {
        Ok(done) => done
            .plan
            .locations
            .iter()
            .map(|one| pair(&one.location()))
            .collect(),
        Err(_) => BTreeSet::new(),
    };
    let mut started: Vec<(String, String)> = vec![];
    for parent in run.parents() {
        for target in parent["target_locations"].as_array().unwrap() {
            for account in target["Accounts"].as_array().unwrap() {
                for region in target["Regions"].as_array().unwrap() {
                    started.push((
                        account.as_str().unwrap().to_owned(),
                        region.as_str().unwrap().to_owned(),
                    ));
                }
            }
        }
    }
    let once: BTreeSet<&(String, String)> = started.iter().collect();
    assert!(
        once.iter().all(|at| planned.contains(*at)),
        "{once:?} of {planned:?}"
    );
    let by_ids = run.draft.names_nodes();
    let gone_on = run.result.as_ref().is_ok_and(|done| !done.gone_on.is_empty());
    if gone_on {
        // Starts name what a cancelled execution named and did not reach.
        let begun = children(run);
        assert!(by_ids || begun.values().all(|n| *n == 1), "twice in {begun:?}");
    } else {
        assert!(by_ids || once.len() == started.len(), "twice in {started:?}");
    }
    let joins = |at: &(String, String)| {
        let mut joined = run.draft.hands.iter().filter(|hand| hand.deed == Deed::JoinGroup);
        run.draft.wish.selector == Selector::Group && joined.any(|hand| hand.location(&run.draft) == *at)
    };
    for (id, node) in run.nodes() {
        let at = place(node);
        let meant = once.contains(&at) && (census.get(&at).is_some_and(|ids| ids.contains(id)) || joins(&at));
        let installs = node["installs"].as_u64().unwrap();
        assert!(installs <= u64::from(meant && run.draft.installs()), "{node}");
    }
}

/// Law 2: every node of the census is accounted for, and what is said of a node is true.
fn accounted(run: &Run, done: &Done) {
    let census = census(&run.draft);
    let nodes = run.nodes();
    let none = BTreeSet::new();
    for (location, rows) in &done.ended.rows {
        let at = pair(location);
        let expected = census.get(&at).unwrap_or(&none);
        let planned = done
            .plan
            .locations
            .iter()
            .find(|one| pair(&one.location()) == at)
            .unwrap();
        let counted = planned.nodes.map_or(0, NodeCounts::total) as usize;
        assert_eq!(counted, expected.len(), "{at:?}");
        let ids: BTreeSet<&str> = rows.iter().map(|row| row.node.as_str()).collect();
        assert_eq!(ids.len(), rows.len(), "a node has one row in {rows:?}");
        for row in rows {
            let node = nodes[row.node.as_str()];
            if row.outcome == NodeOutcome::Done {
                assert!(reached_its_goal(run, node), "{row:?} {node}");
            }
        }
    }
    if let Ending::Open(error) = &done.ending {
        // What the driver may leave open: somebody goes on later.
        let known = matches!(error, DriveError::Credentials { .. } | DriveError::Observe { .. });
        assert!(known, "{error}");
        return;
    }
    assert_eq!(done.ended.report.locations.len(), done.plan.locations.len());
    for location in &done.ended.report.locations {
        let at = (location.account.to_string(), location.region.to_string());
        let expected = census.get(&at).unwrap_or(&none);
        let rows = &done.ended.rows[&Location::new(location.account.clone(), location.region.clone())];
        let known = rows
            .iter()
            .filter(|row| expected.contains(row.node.as_str()))
            .count();
        assert!(location.outcome.is_some(), "{at:?} has no outcome");
        assert_eq!(
            (location.nodes.total() - location.joined) as usize,
            expected.len(),
            "{at:?}: {known} rows: {location:?}"
        );
    }
}

/// Law 2: exit code 0 is said only where every node of the census reached its goal, or is gone and
/// may be.
fn success_is_one(run: &Run, done: &Done) {
    if done.ended.report.exit_code() != 0 || !matches!(done.ending, Ending::Finished) {
        return;
    }
    let nodes = run.nodes();
    for (at, ids) in census(&run.draft) {
        for id in ids {
            let node = nodes[id.as_str()];
            let gone = run.draft.wish.gone == "accept" && node["managed"] == false;
            assert!(reached_its_goal(run, node) || gone, "{at:?}: {node}");
        }
    }
    let cancelled = run.parents().find(|one| one["status"] == "Cancelled");
    assert!(cancelled.is_none() || !done.gone_on.is_empty(), "{cancelled:?}");
}

/// Law 2: a campaign in which a cancel left a location that never began is halted, whatever was said since.
fn what_never_began_is_told(run: &Run, done: &Done) {
    if !matches!(done.ending, Ending::Finished) {
        return;
    }
    let begun = children(run);
    for location in &done.ended.report.locations {
        let at = (location.account.to_string(), location.region.to_string());
        if location.outcome == Some(LocationOutcome::Cancelled) && !begun.contains_key(&at) {
            assert_eq!(done.ended.report.exit_code(), 5, "{location:?}");
        }
    }
}

/// Where nobody takes anything away, a node that reached its goal is said to have.
fn good_nodes_are_told_good(run: &Run, done: &Done) {
    let harmless = run.draft.hands.iter().all(|hand| hand.deed == Deed::JoinGroup);
    // A Scan by other baselines leaves no trace by which it could be told.
    let shows = run.draft.installs() || !run.draft.wish.override_baseline;
    if !harmless || !shows {
        return;
    }
    let nodes = run.nodes();
    for row in done.ended.rows.values().flatten() {
        let node = nodes[row.node.as_str()];
        if reached_its_goal(run, node) && node["online"] == true {
            let fine = matches!(row.outcome, NodeOutcome::Done | NodeOutcome::PendingReboot);
            assert!(fine, "{row:?} {node}");
        }
    }
}

/// A node that is said to be gone is not there. If a start named it and it was at work, it reached its goal
/// first: a machine that a patch broke is no machine that somebody ended.
fn gone_nodes_are_told_gone(run: &Run, done: &Done) {
    let comes_back = run.draft.hands.iter().any(|hand| hand.deed == Deed::Start);
    let by_name = run.draft.names_nodes();
    let nodes = run.nodes();
    let begun = begun(run);
    for row in done.ended.rows.values().flatten() {
        let node = nodes[row.node.as_str()];
        if row.outcome != NodeOutcome::Gone || comes_back {
            continue;
        }
        assert_eq!(node["managed"], false, "{row:?} {node}");
        if by_name && begun.contains(row.node.as_str()) {
            assert!(reached_its_goal(run, node), "{row:?} {node}");
        }
    }
}

/// The nodes on which a command began.
fn begun(run: &Run) -> BTreeSet<&str> {
    let commands = run.after["commands"].as_array().unwrap().iter();
    commands
        .flat_map(|command| command["invocations"].as_array().unwrap())
        .filter(|one| !one["started"].is_null())
        .map(|one| one["node"].as_str().unwrap())
        .collect()
}

/// A node that went down in its run is said to be lost, where nobody else took it away.
fn lost_nodes_are_told_lost(run: &Run, done: &Done) {
    let harmless = run.draft.hands.iter().all(|hand| hand.deed == Deed::JoinGroup);
    if !harmless || !matches!(done.ending, Ending::Finished) {
        return;
    }
    let nodes = run.nodes();
    let begun = begun(run);
    for row in done.ended.rows.values().flatten() {
        let node = nodes[row.node.as_str()];
        if begun.contains(row.node.as_str()) && node["online"] == false {
            assert_eq!(row.outcome, NodeOutcome::Lost, "{row:?} {node}");
        }
    }
}

/// Law 3: no location is said to be empty that had nodes.
fn unknown_is_not_empty(run: &Run, done: &Done) {
    let census = census(&run.draft);
    for skip in &done.plan.skipped {
        let at = (skip.account.to_string(), skip.region.to_string());
        assert!(!census.contains_key(&at), "{skip:?}");
    }
}

/// Law 7: planning changes nothing, a refusal starts nothing, a Scan installs nothing, and nothing
/// begins after somebody has cancelled an execution or replaced the runbook.
fn safe_by_default(run: &Run) {
    let runs = |state: &Value| (state["executions"].clone(), state["commands"].clone());
    assert_eq!(runs(&run.before), runs(&run.planned));
    if run.result.is_err() {
        assert_eq!(runs(&run.before), runs(&run.after));
    }
    let words = run.result.as_ref().map_or(&[][..], |done| &done.gone_on);
    if let Some(stopped) = run.result.as_ref().ok().and_then(|done| done.stopped) {
        let late = run.parents().find(|parent| time(&parent["started"]) > stopped);
        assert!(
            late.is_none(),
            "{late:?} began after a person's stop at {stopped}"
        );
    }
    for (stopped, latest, by_cancel) in stops(run) {
        for parent in run.parents() {
            let began = time(&parent["started"]);
            // A person has said since that it goes on.
            let accepted = by_cancel && words.iter().any(|said| stopped <= *said && *said <= began);
            assert!(
                began <= latest || accepted,
                "{} began after somebody's stop at {stopped}",
                parent["execution_id"]
            );
        }
    }
}

/// Law 1: nothing begins in a location once it has a document of the runbook's name with other content.
fn no_copy_is_run(run: &Run) {
    let changes = run.after["changes"].as_array().unwrap().iter();
    let copies = changes.filter(|one| one["touched"] == 1 && !one["change"]["create_document"].is_null());
    for copy in copies {
        let made = &copy["change"]["create_document"];
        let (account, region) = (&made["account"], &made["regions"][0]);
        for parent in run.parents() {
            let targets = parent["target_locations"].as_array().unwrap().iter();
            let mut there = targets.filter(|target| {
                target["Accounts"].as_array().unwrap().contains(account)
                    && target["Regions"].as_array().unwrap().contains(region)
            });
            let began = time(&parent["started"]);
            assert!(
                there.next().is_none() || began <= time(&copy["at"]),
                "{} began in {account}/{region}, where another document had appeared: {copy}",
                parent["execution_id"]
            );
        }
    }
}

/// When somebody stopped something, when at the latest an execution may begin after that, and whether it was
/// a cancel, after which a person may say to go on.
pub(crate) fn stops(run: &Run) -> Vec<(Timestamp, Timestamp, bool)> {
    let changes = run.after["changes"].as_array().unwrap().iter();
    let struck = changes.filter(|one| one["touched"].as_u64().unwrap() > 0);
    struck
        .filter_map(|one| {
            let at = time(&one["at"]);
            let change = one["change"].as_object().unwrap();
            let seen = at.checked_add(SEEN_WITHIN).unwrap();
            if change.contains_key("cancel_executions") || change.contains_key("cancel_commands") {
                Some((at, seen, true))
            } else if change.contains_key("delete_document")
                || change.contains_key("update_document") && run.draft.wish.pin == "default"
            {
                Some((at, at, false))
            } else {
                None
            }
        })
        .collect()
}

/// Panics where a law is broken.
pub(crate) fn hold(run: &Run) {
    exact(run);
    safe_by_default(run);
    no_copy_is_run(run);
    if let Ok(done) = &run.result {
        accounted(run, done);
        success_is_one(run, done);
        what_never_began_is_told(run, done);
        good_nodes_are_told_good(run, done);
        lost_nodes_are_told_lost(run, done);
        gone_nodes_are_told_gone(run, done);
        unknown_is_not_empty(run, done);
        bounded::bounded(run, done);
        labels::bounded(run, done);
        waves::in_order(run, done);
    }
}
