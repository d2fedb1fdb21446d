//! Law 4: under a bound on the fleet, no more nodes are at work at once, and no more end damaged, than the request allows.
//!
//! What a bound comes to is reckoned here from the draft. When a node is at work, and what becomes of it, is the simulator's
//! own state.

use crate::draft::Deed;
use crate::run::{Done, Run};
use crate::starts::{Pair, end, place, time};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How soon the results of a location are read after its end.
const READ_WITHIN: SignedDuration = SignedDuration::from_mins(20);

/// A count, or a share of `of`, rounded down.
pub(super) fn comes_to(bound: &str, of: usize) -> usize {
    match bound.strip_suffix('%') {
        Some(percent) => of * percent.parse::<usize>().unwrap() / 100,
        None => bound.parse::<usize>().unwrap().min(of),
    }
}

/// An invocation that began, with its node and the time from which and until which it is at work.
type AtWork<'a> = (&'a str, Timestamp, Timestamp, &'a Value);

/// The invocations of this campaign that began.
pub(super) fn at_work(run: &Run) -> Vec<AtWork<'_>> {
    began(run.commands(), in_truth(run))
}

/// The invocations of every campaign that began.
pub(super) fn all_at_work(run: &Run) -> Vec<AtWork<'_>> {
    began(run.all_commands(), in_truth(run))
}

/// The same, each as long as AWS counts it as open.
pub(super) fn all_open(run: &Run) -> Vec<AtWork<'_>> {
    began(run.all_commands(), end)
}

/// What a command began on a node whose agent fell silent may run on for so long after the command's end: for one turn, whose step may
/// take two hours, or one where a cutoff leaves no time for two.
fn may_run_on(run: &Run) -> SignedDuration {
    SignedDuration::from_hours(if run.draft.wish.cutoff.is_some() { 2 } else { 3 })
}

/// Until when an invocation is at work. Where the campaign holds its nodes' places, a script that runs on after its command has
/// expired holds one as long as it does. If somebody took the node's agent away, nobody knows for how long that is, and it holds one
/// for as long as it may. Where AWS paces the nodes, nobody can hold a place back for it. A node that went down is at
/// work on nothing, and AWS's word on when it was given up is the last one.
fn in_truth(run: &Run) -> impl Fn(&Value) -> Timestamp {
    let places_of = |deeds: &[Deed]| -> BTreeSet<Pair> {
        let hands = run.draft.hands.iter().filter(|hand| deeds.contains(&hand.deed));
        hands.map(|hand| hand.location(&run.draft)).collect()
    };
    let stopped = places_of(&[Deed::Stop, Deed::Terminate, Deed::Start]);
    let silenced = places_of(&[Deed::LoseAgent, Deed::GainAgent]);
    let mut down: BTreeSet<String> = BTreeSet::new();
    let mut silent: BTreeSet<String> = BTreeSet::new();
    for (id, node) in run.nodes() {
        let is_silent = silenced.contains(&place(node));
        let went_down = node["online"] == false && !(is_silent && node["reachability"] == "offline");
        if went_down || stopped.contains(&place(node)) {
            down.insert(id.to_owned());
        } else if is_silent {
            silent.insert(id.to_owned());
        }
    }
    let (is_kept, may_run_on) = (run.draft.wish.bounds_name_nodes(), may_run_on(run));
    move |one| {
        let (node, ended) = (one["node"].as_str().unwrap(), end(one));
        if !is_kept || down.contains(node) {
            return ended;
        }
        let until = one["at_work_until"].as_str();
        let until = until.map_or(Timestamp::MAX, |at| at.parse().unwrap());
        let until = match silent.contains(node) {
            true => until.min(ended.saturating_add(may_run_on).unwrap()),
            false => until,
        };
        ended.max(until)
    }
}

fn began<'a>(
    commands: impl Iterator<Item = &'a Value>,
    until: impl Fn(&Value) -> Timestamp,
) -> Vec<AtWork<'a>> {
    let all = commands.flat_map(|command| command["invocations"].as_array().unwrap());
    all.filter(|one| !one["started"].is_null())
        .map(|one| {
            (
                one["node"].as_str().unwrap(),
                time(&one["started"]),
                until(one),
                one,
            )
        })
        .collect()
}

/// Whether somebody else takes nodes away, or brings them back.
fn is_taken_away(run: &Run) -> bool {
    let takes_away = [
        Deed::Stop,
        Deed::Terminate,
        Deed::LoseAgent,
        Deed::GainAgent,
        Deed::Start,
    ];
    run.draft.hands.iter().any(|hand| takes_away.contains(&hand.deed))
}

/// The nodes that the campaign damaged: its command failed there, or patches did, or the node did not come back although nobody
/// took it away.
pub(super) fn damaged<'a>(run: &Run, at_work: &[AtWork<'a>]) -> BTreeSet<&'a str> {
    let is_taken_away = is_taken_away(run);
    let nodes: BTreeMap<&str, &Value> = run.nodes();
    // A node that was tried again is what its last command left.
    let last: BTreeMap<&str, _> = at_work.iter().map(|one| (one.0, one)).collect();
    last.into_values()
        .filter(|(node, _, _, invocation)| {
            let node = nodes[node];
            let failed =
                invocation["status_details"] == "Failed" || node["patches"]["failed"].as_u64() > Some(0);
            failed || (!is_taken_away && node["online"] == false)
        })
        .map(|(node, ..)| *node)
        .collect()
}

/// How many nodes were at work when another one began, at most.
pub(super) fn most_at_once(at_work: &[AtWork<'_>]) -> usize {
    let open = |at: Timestamp| -> BTreeSet<&str> {
        let open = at_work.iter().filter(|(_, from, to, _)| *from <= at && at < *to);
        open.map(|(node, ..)| *node).collect()
    };
    at_work
        .iter()
        .map(|(_, from, ..)| open(*from).len())
        .max()
        .unwrap_or(0)
}

/// Over a campaign and those before it. `done` is the first of them.
pub(super) fn bounded(run: &Run, done: &Done) {
    let Some(fleet) = run.draft.wish.fleet else {
        return;
    };
    let planned: BTreeSet<(String, String)> = done
        .plan
        .locations
        .iter()
        .map(|at| (at.account.to_string(), at.region.to_string()))
        .collect();
    let listed = run.draft.listed().into_iter();
    let all = listed
        .filter(|(_, place)| planned.contains(&crate::draft::Draft::location(*place)))
        .count();
    let at_work = all_at_work(run);
    if let Some(bound) = fleet.in_flight {
        let allowed = comes_to(bound, all).max(1);
        let most = most_at_once(&at_work);
        assert!(
            most <= allowed || runs_on(run, done),
            "{most} nodes at work at once, allowed are {allowed} of {all}"
        );
    }
    if let Some(bound) = fleet.damaged {
        let allowed = comes_to(bound, all);
        let damaged = damaged(run, &at_work);
        assert!(
            damaged.len() <= allowed,
            "{damaged:?} are damaged, allowed are {allowed} of {all}"
        );
    }
    // A further campaign tries nodes again that were not reached, and what nobody could read stopped nothing.
    let is_seen = !run.is_further() && super::are_read(done);
    if let Some(bound) = fleet.unreached.filter(|_| is_seen) {
        unreached(run, comes_to(bound, all));
    }
}

/// Whether something may run beside what AWS paces: what a cancel of an execution did not reach, or what a person had begun after it.
pub(super) fn runs_on(run: &Run, done: &Done) -> bool {
    let cancels = [Deed::CancelChildren, Deed::CancelExecutions];
    let is_cancelled = run.draft.hands.iter().any(|hand| cancels.contains(&hand.deed));
    let is_stopped = is_cancelled || run.draft.wish.hands_an_alarm_on();
    !run.draft.wish.bounds_name_nodes() && (is_stopped || !done.gone_on.is_empty())
}

/// No start is made once more nodes were not reached than may be, and there was time to read so: results are read once a location's
/// command is over. Nodes that were offline when the plan was made do not count.
fn unreached(run: &Run, allowed: usize) {
    if !run.draft.hands.is_empty() {
        return;
    }
    let nodes = run.nodes();
    let mut ends: Vec<Timestamp> = vec![];
    for command in run.commands() {
        let all = command["invocations"].as_array().unwrap();
        let over: Option<Vec<Timestamp>> = all
            .iter()
            .map(|one| one["ended"].as_str().map(|at| at.parse().unwrap()))
            .collect();
        let Some(over) = over.and_then(|over| over.into_iter().max()) else {
            continue;
        };
        let unreached = all
            .iter()
            .filter(|one| one["started"].is_null())
            .filter(|one| {
                one["status_details"] == "Undeliverable" || one["status_details"] == "DeliveryTimedOut"
            })
            .filter(|one| nodes[one["node"].as_str().unwrap()]["reachability"] == "online");
        ends.extend(unreached.map(|_| over));
    }
    for start in run.starts() {
        let known = ends
            .iter()
            .filter(|end| start.from > super::seen_by(run, **end, READ_WITHIN));
        let known = known.count();
        assert!(
            known <= allowed,
            "{} began, and {known} nodes had not been reached, allowed are {allowed}",
            start.id()
        );
    }
}
