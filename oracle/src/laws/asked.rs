//! What the request asks for in each location, by the wave that the location is in, and what commands were told.

use super::bounded::comes_to;
use crate::draft::{Draft, Has, Wave};
use crate::run::{Done, Run};
use crate::starts::{Pair, place};
use patchfleet_core::request;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is done on nodes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing {
    pub(super) installs: bool,
    pub(super) reboot: &'static str,
}

/// What is done in each location.
pub(super) struct Asked {
    /// The nodes that the campaign is for, by location: those that the request selects at the start, or those that a further
    /// campaign names.
    pub(super) census: BTreeMap<Pair, BTreeSet<String>>,
    /// The wave of each location of the plan, from 0.
    pub(super) waves: BTreeMap<Pair, usize>,
    in_waves: Vec<Doing>,
    whole: Doing,
}

impl Asked {
    pub(super) fn of_run(run: &Run) -> Self {
        let wish = &run.draft.wish;
        let whole = Doing {
            installs: run.draft.installs(),
            reboot: wish.reboot,
        };
        let of_wave = |wave: &Wave| Doing {
            installs: whole.installs && !wave.own.scans,
            reboot: wave.own.reboot.unwrap_or(whole.reboot),
        };
        let done = run.result.as_ref().ok();
        let census = match done {
            Some(done) if run.is_further() => named(run, done),
            _ => {
                let mut census = selected(&run.draft);
                census.retain(|at, _| !run.unread.contains(at));
                census
            }
        };
        let waves = |done: &Done| waves(&run.draft, done, &census, run.is_further());
        Self {
            waves: done.map(waves).unwrap_or_default(),
            census,
            in_waves: wish.waves.iter().map(of_wave).collect(),
            whole,
        }
    }

    /// In a location.
    pub(super) fn at(&self, at: &Pair) -> Doing {
        let wave = self.waves.get(at);
        let of_wave = wave.and_then(|wave| self.in_waves.get(*wave));
        of_wave.copied().unwrap_or(self.whole)
    }

    /// On a node.
    pub(super) fn of(&self, node: &Value) -> Doing {
        self.at(&place(node))
    }
}

/// The nodes that the request selects at the start, by location.
pub(super) fn selected(draft: &Draft) -> BTreeMap<Pair, BTreeSet<String>> {
    let mut census: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for (id, place) in draft.selected() {
        census.entry(Draft::location(place)).or_default().insert(id);
    }
    census
}

/// The nodes that a further campaign names, by location.
fn named(run: &Run, done: &Done) -> BTreeMap<Pair, BTreeSet<String>> {
    let request::Selector::NodeIds(ids) = &done.plan.request.targets.selector else {
        panic!("a further campaign names no nodes");
    };
    let nodes = run.nodes();
    let mut census: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for id in ids {
        let at = place(nodes[id.as_str()]);
        census.entry(at).or_default().insert(id.to_string());
    }
    census
}

/// The wave of each location of the plan, from 0. A wave that draws its locations has those that the plan says, and so many. In a further
/// campaign it has what is left of those.
fn waves(
    draft: &Draft,
    done: &Done,
    census: &BTreeMap<Pair, BTreeSet<String>>,
    is_further: bool,
) -> BTreeMap<Pair, usize> {
    let mut waves = BTreeMap::new();
    for one in &done.plan.locations {
        let at = (one.account.to_string(), one.region.to_string());
        let said = one.wave.checked_sub(1).unwrap() as usize;
        let mut named = draft.wish.waves.iter();
        let wave = named
            .position(|wave| match wave.has {
                Has::Region(region) => at.1 == Draft::location(region).1,
                Has::Account(account) => at.0 == Draft::location(account * 2).0,
                Has::Count(_) | Has::Nodes(_) | Has::ShareOfLocations(_) | Has::ShareOfNodes(_) => draft
                    .wish
                    .waves
                    .get(said)
                    .is_some_and(|it| std::ptr::eq(it, wave)),
            })
            .unwrap_or(draft.wish.waves.len());
        assert_eq!(said, wave, "the plan puts {at:?} into another wave");
        waves.insert(at, wave);
    }
    if is_further {
        return waves;
    }
    for (number, wave) in draft.wish.waves.iter().enumerate() {
        match wave.has {
            Has::Count(count) => {
                let has = waves.values().filter(|wave| **wave == number).count();
                let left = waves.values().filter(|wave| **wave >= number).count();
                assert!(
                    has == left.min(count as usize),
                    "wave {number} has {has} locations of {left}, and is to have {count}"
                );
            }
            Has::Nodes(count) => {
                has_so_many_nodes(draft, (&waves, census), number, count as usize);
            }
            Has::ShareOfLocations(percent) => {
                let has = waves.values().filter(|wave| **wave == number).count();
                let left = waves.values().filter(|wave| **wave >= number).count();
                let is_all = has == left || percent < 100;
                assert!(
                    is_all && has >= left.min(1),
                    "wave {number} has {has} locations of {left}, and is to have {percent}% and at least one"
                );
            }
            Has::ShareOfNodes(percent) => {
                let online = draft.online().into_iter();
                let online: BTreeSet<Pair> = online.map(|(_, place)| Draft::location(place)).collect();
                let could = waves
                    .iter()
                    .filter(|(at, wave)| **wave >= number && online.contains(*at));
                let all: usize = could
                    .filter_map(|(at, _)| census.get(at))
                    .map(BTreeSet::len)
                    .sum();
                let most = all * percent as usize / 100;
                has_so_many_nodes(draft, (&waves, census), number, most);
            }
            Has::Region(_) | Has::Account(_) => {}
        }
    }
    waves
}

/// A wave has no more nodes than that, or else one location alone, which is the smallest that it could have. It has one, if
/// there is one with a node that answers.
fn has_so_many_nodes(
    draft: &Draft,
    (waves, census): (&BTreeMap<Pair, usize>, &BTreeMap<Pair, BTreeSet<String>>),
    number: usize,
    most: usize,
) {
    let size = |at: &Pair| census.get(at).map_or(0, BTreeSet::len);
    let mine: Vec<&Pair> = of_wave(waves, number).collect();
    let sum: usize = mine.iter().map(|at| size(at)).sum();
    let online: BTreeSet<Pair> = draft
        .online()
        .into_iter()
        .map(|(_, place)| Draft::location(place))
        .collect();
    let later = || {
        let later = waves.iter().filter(|(_, wave)| **wave > number);
        later.filter(|(at, _)| online.contains(*at))
    };
    if mine.is_empty() {
        let left: Vec<_> = later().collect();
        assert!(
            left.is_empty(),
            "wave {number} has no location, and {left:?} are left"
        );
    }
    for (other, _) in later() {
        // One that would have fitted was passed over.
        assert!(
            sum + size(other) > most,
            "wave {number} has {mine:?} with {sum} nodes, and {other:?} fits into {most}"
        );
    }
    if sum <= most {
        return;
    }
    assert!(
        mine.len() == 1,
        "wave {number} has {sum} nodes in {mine:?}, and may have {most}"
    );
    for (other, _) in later() {
        assert!(
            size(other) >= sum,
            "wave {number} has {mine:?} with its {sum} nodes, and {other:?} has fewer"
        );
    }
}

/// The locations of a wave.
pub(super) fn of_wave(waves: &BTreeMap<Pair, usize>, number: usize) -> impl Iterator<Item = &Pair> {
    waves
        .iter()
        .filter(move |(_, wave)| **wave == number)
        .map(|(at, _)| at)
}

/// Each command does what is asked for in its location, and may leave as many nodes failed.
pub(super) fn sent(run: &Run, asked: &Asked) {
    let (wish, census) = (&run.draft.wish, &asked.census);
    for command in run.commands() {
        let at = place(command);
        let doing = asked.at(&at);
        let said = |name: &str| command["parameters"][name][0].as_str();
        let operation = if doing.installs { "Install" } else { "Scan" };
        assert_eq!(
            (said("Operation"), said("RebootOption")),
            (Some(operation), Some(doing.reboot)),
            "a command does not do what is asked for in its location: {command}"
        );
        let wave = asked.waves.get(&at).and_then(|wave| wish.waves.get(*wave));
        let nodes = wave.and_then(|wave| wave.own.nodes).unwrap_or(wish.nodes);
        // Of a start that names its nodes a share is told as a count.
        let told = command["max_errors"].as_str().unwrap();
        let of = census.get(&at).map_or(0, BTreeSet::len);
        let is_less = told
            .parse()
            .is_ok_and(|told: usize| told <= comes_to(nodes.1, of));
        assert!(
            told == nodes.1 || is_less,
            "{} of {of} may fail: {command}",
            nodes.1
        );
    }
}
