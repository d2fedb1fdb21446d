//! Law 4: nothing begins once more locations failed than may, or once a breaker has tripped that looks at the last results.
//!
//! What failed is the simulator's own state. Only what is certain counts: a command that failed on a node, and results between whose
//! ends there was time to write the earlier one down first.

use super::asked::Asked;
use super::bounded::comes_to;
use crate::draft::{Deed, Hand};
use crate::run::{Done, Run};
use crate::starts::{Pair, Span, end, place};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How soon a result is written down after a command's end: a driver looks at least every half minute, and reads what has ended
/// before it begins anything that the result may keep it from.
const READ_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// What a command came to, once it was over.
struct Came<'a> {
    what: &'a Value,
    at: Pair,
    end: Timestamp,
    /// When its result was written down at the latest.
    read: Timestamp,
    /// Whether a node surely failed, so that its location did.
    failed: bool,
    /// Whether a node was begun.
    begun: bool,
    /// How many nodes came to an end and how many of them failed, if all of that is certain.
    nodes: Option<(usize, usize)>,
}

impl<'a> Came<'a> {
    fn of(run: &Run, nodes: &BTreeMap<&str, &Value>, command: &'a Value) -> Self {
        let all = command["invocations"].as_array().unwrap();
        let has_failed = |one: &Value| one["status_details"] == "Failed" && !one["ended"].is_null();
        let (mut ended, mut bad, mut is_certain) = (0, 0, true);
        for one in all.iter().filter(|one| !one["started"].is_null()) {
            let node = nodes[one["node"].as_str().unwrap()];
            let is_bad = has_failed(one) || node["patches"]["failed"].as_u64() > Some(0);
            is_certain &= is_bad || one["status_details"] == "Success" && node["online"] == true;
            ended += 1;
            bad += usize::from(is_bad);
        }
        let is_moved = run.draft.hands.iter().any(|hand| hand.deed != Deed::JoinGroup);
        Self {
            what: command,
            at: place(command),
            end: end(command),
            read: super::seen_by(run, end(command), READ_WITHIN),
            failed: all.iter().any(has_failed),
            begun: ended > 0,
            nodes: (is_certain && !is_moved).then_some((ended, bad)),
        }
    }

    /// Whether its result was written down before that of another, whatever time each took to be read.
    fn is_before(&self, other: &Self) -> bool {
        self.is_read_by(other.end)
    }

    /// Whether its result was written down by then.
    fn is_read_by(&self, at: Timestamp) -> bool {
        at > self.read
    }
}

/// The last of a `chain` of campaigns keeps to what may fail. A share of locations is one of the first campaign's.
pub(super) fn bounded(done: &Done, chain: &[(&Run, &Asked)]) {
    let (Some((first, _)), Some((run, _))) = (chain.first(), chain.last()) else {
        return;
    };
    if !run.draft.hands.iter().all(Hand::is_of_nodes) || run.draft.wish.hands_an_alarm_on() {
        // Results may not be read, or what failed may be somebody else's doing.
        return;
    }
    if !super::are_read(done) {
        return;
    }
    let nodes = run.nodes();
    let mut came: Vec<Came<'_>> = run
        .commands()
        .map(|command| Came::of(run, &nodes, command))
        .collect();
    came.sort_by_key(|one| one.end);
    for start in run.starts() {
        too_many_locations((first, run), chain, (&came, &start));
        if let Some(breaker) = &run.draft.wish.breaker {
            if let Some(most) = breaker.consecutive {
                in_a_row(&came, most as usize, &start);
            }
            if let Some(share) = breaker.share {
                too_large_a_share(&came, share, &start);
            }
        }
    }
}

/// More locations failed than may, of all or of a wave.
fn too_many_locations(
    (first, run): (&Run, &Run),
    chain: &[(&Run, &Asked)],
    (came, start): (&[Came<'_>], &Span<'_>),
) {
    let (Some((_, at_first)), Some((_, asked))) = (chain.first(), chain.last()) else {
        return;
    };
    let Ok(of_first) = &first.result else { return };
    let failed = came.iter().filter(|one| one.failed && one.is_read_by(start.from));
    let failed: BTreeSet<&Pair> = failed.map(|one| &one.at).collect();
    let assert = |failed: usize, allowed: usize| {
        assert!(
            failed <= allowed,
            "{} began, and {failed} locations had failed, allowed are {allowed}",
            start.what
        );
    };
    assert(
        failed.len(),
        comes_to(run.draft.wish.locations.1, of_first.plan.locations.len()),
    );
    for (number, wave) in run.draft.wish.waves.iter().enumerate() {
        if let Some(bound) = wave.own.location_errors {
            let of = super::asked::of_wave(&at_first.waves, number).count();
            let mine = failed.iter().filter(|at| asked.waves.get(**at) == Some(&number));
            assert(mine.count(), comes_to(bound, of));
        }
    }
}

/// So many failed one after another, and no result stands between them that may have ended the row.
fn in_a_row(came: &[Came<'_>], most: usize, start: &Span<'_>) {
    let failed: Vec<&Came<'_>> = came
        .iter()
        .filter(|one| one.failed && one.is_read_by(start.from))
        .collect();
    for row in failed.windows(most) {
        let (first, last) = (row[0], row[row.len() - 1]);
        let mut others = came.iter().filter(|one| !one.failed && one.begun);
        let is_sure = most == 1 || others.all(|other| other.is_before(first) || last.is_before(other));
        assert!(
            !is_sure,
            "{} began, and {most} locations had failed in a row up to {}",
            start.what, last.what
        );
    }
}

/// Too large a share of the last nodes failed, where it is certain which are the last.
fn too_large_a_share(came: &[Came<'_>], (percent, sample): (u32, u32), start: &Span<'_>) {
    let came: Vec<&Came<'_>> = came.iter().filter(|one| one.begun).collect();
    for last in 0..came.len() {
        if !came[last].is_read_by(start.from) {
            return;
        }
        if came.get(last + 1).is_some_and(|next| !came[last].is_before(next)) {
            continue;
        }
        let (mut of, mut bad) = (0, 0);
        for index in (0..=last).rev() {
            let Some((nodes, failed)) = came[index].nodes else {
                break;
            };
            (of, bad) = (of + nodes, bad + failed);
            if index > 0 && !came[index - 1].is_before(came[index]) {
                break;
            }
            if of >= sample as usize {
                assert!(
                    bad * 100 <= percent as usize * of,
                    "{} began, and {bad} of the last {of} nodes had failed up to {}",
                    start.what,
                    came[last].what
                );
                break;
            }
        }
    }
}
