//! The laws, each held against one campaign that others disturbed.

mod again;
mod alarms;
mod asked;
mod at_once;
mod bounded;
mod collected;
mod failures;
mod labels;
mod left;
mod names;
mod times;
mod unread;
mod waves;

use crate::draft::{Deed, How, Of, RUNBOOK, Selector};
use crate::run::{Done, Ending, Run};
use crate::starts::{Pair, end, id_of, place, time};
use asked::Asked;
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::{
    campaign::DriveError,
    census::NodeCounts,
    id::Location,
    outcome::{LocationOutcome, NodeOutcome, NodeRow},
    port::PortErrorKind,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How soon a driver has seen that an execution was cancelled: it looks at least every half minute,
/// and a few calls may be on their way.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_secs(120);

/// How soon after its record in the log a start is sent, or not at all (docs/running.md).
const SENT_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// How much later than it was decided on a start may be sent, as the log takes its time to answer that its record is kept. By then,
/// what was asked before the decision (the runbook, the calendars, the alarm) is as much older.
fn log_answers_within(run: &Run) -> SignedDuration {
    let faults = run.draft.course.faults.iter();
    let slowest = faults.filter_map(|fault| match (fault.of, fault.how) {
        (Of::Appends, How::Lost(seconds) | How::Delayed(seconds) | How::Late(seconds)) => Some(seconds),
        _ => None,
    });
    SignedDuration::from_secs(slowest.max().unwrap_or(0).into()).min(SENT_WITHIN)
}

/// How long before a start the runbook is looked at, if no call is slow. Nobody can look and start in one call.
const LOOKED_AT_BEFORE: SignedDuration = SignedDuration::from_secs(2);

/// The same in this campaign. The runbook's copies are looked at beside it, and a start waits for the slowest of these looks, and
/// for the log.
fn looked_at_before(run: &Run) -> SignedDuration {
    let faults = run.draft.course.faults.iter();
    let slowest = faults.filter_map(|fault| match (fault.of, fault.how) {
        (Of::Documents, How::Delayed(seconds) | How::Late(seconds)) => Some(seconds),
        _ => None,
    });
    let slowest = SignedDuration::from_secs(slowest.max().unwrap_or(0).into());
    LOOKED_AT_BEFORE + slowest + log_answers_within(run)
}

fn pair(location: &Location) -> Pair {
    (location.account.to_string(), location.region.to_string())
}

/// Whether a node is, in truth, where the campaign wanted it.
fn reached_its_goal(run: &Run, asked: &Asked, node: &Value) -> bool {
    let left = |name: &str| node["patches"][name].as_u64().unwrap() > 0;
    let asked = asked.of(node);
    if !asked.installs {
        // A Scan by other baselines leaves no trace on the node.
        return run.draft.wish.override_baseline
            || node["reported"]["operation"] == "Scan"
                && node["reported"]["started"].as_str() >= run.after["start"].as_str();
    }
    let waits = left("pending_reboot") && asked.reboot == "RebootIfNeeded";
    let installs = node["installs"].as_u64().unwrap();
    let is_installed = installs == 1 || run.is_further() && installs > 1;
    is_installed && !left("missing") && !left("failed") && !waits
}

/// How often something began in each location, below what was started.
fn children(run: &Run) -> BTreeMap<Pair, usize> {
    let mut begun = BTreeMap::new();
    for one in run.below() {
        for at in one.at {
            *begun.entry(at).or_insert(0) += 1;
        }
    }
    begun
}

/// Law 1: the started locations are the plan's, each once; a node is installed on once at most, and
/// only where it was selected.
fn exact(run: &Run, asked: &Asked) {
    let census = &asked.census;
    let planned: BTreeSet<Pair> = match &run.result {
        Ok(done) => done
            .plan
            .locations
            .iter()
            .map(|one| pair(&one.location()))
            .collect(),
        Err(_) => BTreeSet::new(),
    };
    let started: Vec<Pair> = run.starts().into_iter().flat_map(|start| start.at).collect();
    let once: BTreeSet<&Pair> = started.iter().collect();
    assert!(
        once.iter().all(|at| planned.contains(*at)),
        "{once:?} of {planned:?}"
    );
    let by_ids = run.names_nodes();
    let gone_on = run.result.as_ref().is_ok_and(|done| !done.gone_on.is_empty());
    if gone_on {
        // Starts name what a cancelled execution named and did not reach.
        let begun = children(run);
        assert!(by_ids || begun.values().all(|n| *n == 1), "twice in {begun:?}");
    } else {
        assert!(by_ids || once.len() == started.len(), "twice in {started:?}");
    }
    let joins = |at: &Pair| {
        let mut joined = run.draft.hands.iter().filter(|hand| hand.deed == Deed::JoinGroup);
        // A start that names its nodes reaches no other.
        !by_ids
            && run.draft.wish.selector == Selector::Group
            && joined.any(|hand| hand.location(&run.draft) == *at)
    };
    let nodes = run.nodes();
    let is_meant = |id: &str| {
        let at = place(nodes[id]);
        once.contains(&at) && (census.get(&at).is_some_and(|ids| ids.contains(id)) || joins(&at))
    };
    for (id, node) in &nodes {
        if run.is_further() {
            // What earlier ones installed is counted as well. That no node is begun twice in this one is said by `once`.
            break;
        }
        let meant = is_meant(id) && asked.of(node).installs;
        let installs = node["installs"].as_u64().unwrap();
        assert!(installs <= u64::from(meant), "{node}");
    }
    for id in run.begun() {
        assert!(is_meant(id), "{id} is none of the campaign's nodes");
    }
}

/// Law 5: no node is begun twice, and no start names a node that another one named, unless a person had the campaign go on.
fn once(run: &Run) {
    let gone_on = run.result.as_ref().is_ok_and(|done| !done.gone_on.is_empty());
    let mut tokens = BTreeSet::new();
    for start in run.starts().iter().filter(|_| !run.draft.wish.sends_itself) {
        assert!(
            tokens.insert(start.what["client_token"].as_str()),
            "a start took effect twice: {}",
            start.what
        );
    }
    let (mut begun, mut named) = (BTreeSet::new(), BTreeSet::new());
    for command in run.commands() {
        for one in command["invocations"].as_array().unwrap() {
            let node = one["node"].as_str().unwrap();
            let is_new = one["started"].is_null() || begun.insert(node);
            assert!(is_new, "{node} is begun twice: {command}");
        }
        for id in command["instance_ids"].as_array().into_iter().flatten() {
            assert!(
                named.insert(id.as_str()) || gone_on,
                "{id} is named twice: {command}"
            );
        }
    }
}

/// Law 2: every node of the census is accounted for, and what is said of a node is true.
fn accounted(run: &Run, done: &Done, asked: &Asked) {
    let census = &asked.census;
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
                assert!(reached_its_goal(run, asked, node), "{row:?} {node}");
            }
        }
    }
    if let Ending::Open(error) = &done.ending {
        may_give_up(run, done, error);
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
            "the report has not each node of the census once: {at:?}: {known} rows: {location:?}"
        );
    }
}

/// What a driver may leave open: somebody goes on later.
fn may_give_up(run: &Run, done: &Done, error: &DriveError) {
    let is_damaged = matches!(error, DriveError::Damaged { .. });
    assert!(
        !is_damaged,
        "the log was damaged by its own drivers: {error}: {error:?}"
    );
    let befell = &done.befell;
    let has_struck = |all: &[Of]| done.struck.keys().any(|(of, _)| all.contains(of));
    // A command that may have been sent cannot be looked for where the role is gone.
    let mut hands = run.draft.hands.iter();
    let takes_role = hands.any(|hand| hand.deed == Deed::TakeRole);
    // Nobody looked for it in time, or a call that may have taken effect has no answer.
    let late = befell.slept + befell.stood_still + befell.lost_records > 0 || run.draft.course.gap > 0;
    let is_known = match error {
        DriveError::Credentials { .. } | DriveError::Observe { .. } => true,
        DriveError::Unsought { .. } => run.draft.wish.sends_itself && takes_role || has_struck(&[Of::Looks]),
        DriveError::Unresolved { .. } => {
            late || has_struck(&[Of::Starts, Of::Looks, Of::Appends, Of::Reads, Of::Documents])
        }
        // It lost the records in which a start was divided, and AWS has commands of these numbers.
        DriveError::Strays { .. } => befell.lost_records > 0,
        // The store did not answer for half an hour, or said five times that it may not. That the log is another one than was
        // read is no answer of a store whose calls fail.
        DriveError::Log { source, .. } | DriveError::NotBegun { source, .. } => {
            has_struck(&[Of::Appends, Of::Reads]) && source.kind() != PortErrorKind::Incompatible
        }
        DriveError::Rows { .. } => has_struck(&[Of::Rows]),
        DriveError::RunsOn { .. } => has_struck(&[Of::Stops]) || takes_role,
        _ => false,
    };
    assert!(is_known, "a driver gave up: {error}: {error:?}");
}

/// Law 2: exit code 0 is said only where every node of the census reached its goal, or is gone and
/// may be.
fn success_is_one(run: &Run, done: &Done, asked: &Asked) {
    if done.ended.report.exit_code() != 0 || !matches!(done.ending, Ending::Finished) {
        return;
    }
    let nodes = run.nodes();
    for (at, ids) in &asked.census {
        for id in ids {
            let node = nodes[id.as_str()];
            let gone = run.draft.wish.gone == "accept" && node["managed"] == false;
            assert!(reached_its_goal(run, asked, node) || gone, "{at:?}: {node}");
        }
    }
    let starts = run.starts();
    let cancelled = starts.iter().find(|one| one.what["status"] == "Cancelled");
    // AWS may stop an execution for its alarm once everything in it has come to a good end.
    let may_be = !done.gone_on.is_empty() || run.draft.wish.hands_an_alarm_on();
    assert!(cancelled.is_none() || may_be, "{cancelled:?}");
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

/// Whether nobody takes anything away, or stops it.
fn is_harmless(run: &Run) -> bool {
    let mut hands = run.draft.hands.iter();
    hands.all(|hand| hand.deed == Deed::JoinGroup) && !run.draft.wish.hands_an_alarm_on()
}

/// Whether a node may be unknown because calls failed. Once its results are read again it may not.
fn is_hidden(done: &Done, row: &NodeRow) -> bool {
    !done.struck.is_empty() && done.collected.is_none() && row.outcome == NodeOutcome::Unknown
}

/// Where nobody takes anything away, a node that reached its goal is said to have.
fn good_nodes_are_told_good(run: &Run, done: &Done, asked: &Asked) {
    if !is_harmless(run) {
        return;
    }
    let (nodes, begun) = (run.nodes(), run.begun());
    for row in done.ended.rows.values().flatten() {
        if run.is_further() && !begun.contains(row.node.as_str()) {
            // What it has, it has of an earlier campaign.
            continue;
        }
        let node = nodes[row.node.as_str()];
        // A Scan by other baselines leaves no trace by which it could be told.
        let shows = asked.of(node).installs || !run.draft.wish.override_baseline;
        if shows && reached_its_goal(run, asked, node) && node["online"] == true {
            let fine = matches!(row.outcome, NodeOutcome::Done | NodeOutcome::PendingReboot);
            // What is done on a node goes on when its command has expired, as it may where a cutoff or a freeze is near.
            let runs_on = row.outcome == NodeOutcome::RunningAtExpiry && ran_on(run, node);
            assert!(fine || runs_on || is_hidden(done, row), "{row:?} {node}");
        }
    }
}

/// Whether what was done on a node went on after its command.
fn ran_on(run: &Run, node: &Value) -> bool {
    let reported = time(&node["reported"]["ended"]);
    run.commands().any(|command| {
        let mut all = command["invocations"].as_array().unwrap().iter();
        let own = all.find(|one| one["node"] == node["id"]);
        own.is_some_and(|_| end(command) < reported)
    })
}

/// A node that is said to be gone is not there. If a start named it and it was at work, it reached its goal
/// first: a machine that a patch broke is no machine that somebody ended.
fn gone_nodes_are_told_gone(run: &Run, done: &Done, asked: &Asked) {
    let comes_back = run.draft.hands.iter().any(|hand| hand.deed == Deed::Start);
    let by_name = run.names_nodes();
    let nodes = run.nodes();
    let begun = run.begun();
    for row in done.ended.rows.values().flatten() {
        let node = nodes[row.node.as_str()];
        if row.outcome != NodeOutcome::Gone || comes_back {
            continue;
        }
        assert_eq!(node["managed"], false, "{row:?} {node}");
        if by_name && begun.contains(row.node.as_str()) {
            assert!(reached_its_goal(run, asked, node), "{row:?} {node}");
        }
    }
}

/// A node that went down in its run is said to be lost, where nobody else took it away.
fn lost_nodes_are_told_lost(run: &Run, done: &Done) {
    if !is_harmless(run) || !matches!(done.ending, Ending::Finished) {
        return;
    }
    let nodes = run.nodes();
    let begun = run.begun();
    for row in done.ended.rows.values().flatten() {
        let node = nodes[row.node.as_str()];
        if begun.contains(row.node.as_str()) && node["online"] == false {
            let lost = row.outcome == NodeOutcome::Lost;
            assert!(lost || is_hidden(done, row), "{row:?} {node}");
        }
    }
}

/// Law 7: planning changes nothing, a refusal starts nothing, a Scan installs nothing, and nothing
/// begins after somebody has cancelled an execution or replaced the runbook.
fn safe_by_default(run: &Run) {
    assert_eq!(run.since, run.planned, "planning began something");
    if run.result.is_err() {
        assert!(run.starts().is_empty(), "refused, and {:?} began", run.starts());
    }
    let words = run.result.as_ref().map_or(&[][..], |done| &done.gone_on);
    if let Some(stopped) = run.result.as_ref().ok().and_then(|done| done.stopped) {
        let starts = run.starts();
        let late = starts.iter().find(|start| start.from > stopped);
        assert!(
            late.is_none(),
            "{late:?} began after a person's stop at {stopped}"
        );
    }
    for (stopped, latest, by_cancel) in stops(run) {
        for start in run.starts() {
            // A person has said since that it goes on.
            let mut words = words.iter();
            let accepted = by_cancel && words.any(|said| stopped <= *said && *said <= start.from);
            assert!(
                start.from <= latest || accepted,
                "{} began at {} after somebody's stop at {stopped}",
                start.id(),
                start.from
            );
        }
    }
}

/// Law 1: nothing begins in a location once it has a document of the runbook's name with other content.
fn no_copy_is_run(run: &Run) {
    if run.draft.wish.sends_itself {
        return;
    }
    let changes = run.after["changes"].as_array().unwrap().iter();
    let copies = changes.filter(|one| one["touched"] == 1 && !one["change"]["create_document"].is_null());
    for copy in copies {
        let made = &copy["change"]["create_document"];
        let text = |of: &Value| of.as_str().unwrap().to_owned();
        let there = (text(&made["account"]), text(&made["regions"][0]));
        for start in run.starts() {
            assert!(
                !start.at.contains(&there) || start.from <= time(&copy["at"]),
                "{} began in {there:?}, where another document had appeared: {copy}",
                start.id()
            );
        }
    }
}

/// Whether what became of nodes was read sooner or later, as far as calls go.
fn are_read(done: &Done) -> bool {
    let of_results = [Of::Looks, Of::Results, Of::Rows];
    !done.struck.keys().any(|(of, _)| of_results.contains(of))
}

/// When at the latest a driver has seen what happened at an instant: within some time in which it could see.
fn seen_by(run: &Run, at: Timestamp, within: SignedDuration) -> Timestamp {
    let seen = |at: Timestamp| at.checked_add(within).unwrap_or(Timestamp::MAX);
    let blind = run.result.as_ref().map_or(&[][..], |done| &done.befell.blind);
    let mut latest = seen(at);
    let longer = |latest| {
        let mut spans = blind
            .iter()
            .filter(|(from, to)| *from <= latest && seen(*to) > latest);
        spans.next().map(|(_, to)| seen(*to))
    };
    while let Some(later) = longer(latest) {
        latest = later;
    }
    latest
}

/// When somebody stopped something of this campaign, when at the latest an execution may begin after that, and whether it was
/// a cancel, after which a person may say to go on.
pub(crate) fn stops(run: &Run) -> Vec<(Timestamp, Timestamp, bool)> {
    let changes = run.after["changes"].as_array().unwrap().iter();
    let struck = changes.filter(|one| one["touched"].as_u64().unwrap() > 0);
    struck
        .filter_map(|one| {
            let at = time(&one["at"]);
            if run.is_further() && at < run.began {
                // Planned since then, with what the runbook was by then.
                return None;
            }
            let change = one["change"].as_object().unwrap();
            let seen = seen_by(run, at, SEEN_WITHIN);
            let deleted = change.get("delete_document").map(|of| &of["name"]);
            let updated = change.get("update_document").map(|of| &of["document"]["name"]);
            let updated = updated.filter(|_| run.draft.wish.pin == "default");
            if change.contains_key("cancel_executions") || change.contains_key("cancel_commands") {
                is_of(run, at).then_some((at, seen, true))
            } else if !run.draft.wish.sends_itself
                && deleted.into_iter().chain(updated).any(|name| name == RUNBOOK)
            {
                Some((at, at + looked_at_before(run), false))
            } else {
                None
            }
        })
        .collect()
}

/// Whether what was cancelled at an instant can only be of this campaign: nothing of an earlier one ran by then.
fn is_of(run: &Run, at: Timestamp) -> bool {
    let all = ["executions", "commands"].map(|what| run.after[what].as_array().unwrap());
    let mut earlier = all
        .into_iter()
        .flatten()
        .filter(|one| run.since.contains(id_of(one)));
    earlier.all(|one| end(one) < at)
}

/// Panics where a law is broken.
pub(crate) fn hold(run: &Run) {
    let asked = &Asked::of_run(run);
    of_one(&[(run, asked)]);
    if let Ok(done) = &run.result {
        bounded::bounded(run, done);
        labels::bounded(run, done);
        collected::only_read(done);
        names::bounded(done);
        again::again(run, done, asked);
    }
}

/// What holds of one campaign, be it the first or a further one: of the last of these, each of which goes on with the one before.
fn of_one(chain: &[(&Run, &Asked)]) {
    let Some((run, asked)) = chain.last() else { return };
    exact(run, asked);
    once(run);
    unread::unknown_is_not_empty(run);
    safe_by_default(run);
    no_copy_is_run(run);
    let Ok(done) = &run.result else { return };
    let late = &done.befell.late;
    assert!(late.is_empty(), "a start was handed to AWS's port {late:?}");
    let beside = &done.befell.beside;
    assert!(
        beside.is_empty(),
        "a start was handed to AWS's port, and nobody knew whether another had taken effect: {beside:?}"
    );
    for error in &done.befell.left_open {
        may_give_up(run, done, error);
    }
    accounted(run, done, asked);
    success_is_one(run, done, asked);
    what_never_began_is_told(run, done);
    good_nodes_are_told_good(run, done, asked);
    lost_nodes_are_told_lost(run, done);
    gone_nodes_are_told_gone(run, done, asked);
    at_once::bounded(run, done, asked);
    times::kept(run);
    failures::bounded(done, chain);
    alarms::heeded(run, done);
    waves::in_order(done, chain);
    asked::sent(run, asked);
}
