//! Which location is in which wave, and the units of each.

use super::in_wave::InWaves;
use super::units::{self, Bounds, Draft};
use super::wave_tags;
use super::{Options, PassedWave, Plan, PlannedLocation, ShownWave};
use crate::census::{CensusTaken, NodeCounts};
use crate::expand::{AccountTags, Candidates};
use crate::hash::Sha256;
use crate::id::{AccountId, Location};
use crate::port::Caller;
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::{EmptyWave, PatchRequest, Wave, WaveSize};
use crate::runbook::TargetTooLong;
use crate::text::{by_number, counted, table};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A wave of a plan that has locations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedWave<'a> {
    /// Its number, from 1. Waves are begun in this order.
    pub number: u32,
    /// Its name. What no wave of the request names is the `rest`.
    pub name: &'a str,
    /// How many locations it has.
    pub locations: u32,
    /// How many units it has.
    pub units: u32,
    /// How many nodes the census counted there; `None` if it did not count in each location.
    pub nodes: Option<u32>,
}

impl Plan {
    /// The waves that have locations, in the order in which they are begun. A plan without `[[waves]]` has one.
    #[must_use]
    pub fn waves(&self) -> Vec<PlannedWave<'_>> {
        let mut waves: BTreeMap<u32, PlannedWave<'_>> = BTreeMap::new();
        let of = |number| PlannedWave {
            number,
            name: self.request.wave_name(number),
            locations: 0,
            units: 0,
            nodes: Some(0),
        };
        for at in &self.locations {
            let wave = waves.entry(at.wave).or_insert_with(|| of(at.wave));
            wave.locations = wave.locations.saturating_add(1);
            let sum = wave.nodes.zip(at.nodes);
            wave.nodes = sum.map(|(sum, nodes)| sum.saturating_add(nodes.total()));
        }
        for unit in &self.units {
            let wave = waves.entry(unit.wave).or_insert_with(|| of(unit.wave));
            wave.units = wave.units.saturating_add(1);
        }
        waves.into_values().collect()
    }

    /// The waves as a part of the plan's text; `None` if the request names none.
    pub(super) fn waves_in_words(&self) -> Option<String> {
        if self.request.waves.is_empty() {
            return None;
        }
        let waves = self.waves();
        let last = waves.last()?.number;
        let rows = waves.into_iter().map(|wave| {
            let nodes = wave
                .nodes
                .map_or_else(|| "nodes not counted".to_owned(), |nodes| counted(nodes, "node"));
            let then = match self.request.wave(wave.number) {
                Some(named) if wave.number != last => named.then(),
                _ => String::new(),
            };
            let differs = self
                .request
                .wave(wave.number)
                .map(Wave::differs)
                .unwrap_or_default();
            let differs: String = differs.iter().map(|what| format!("; {what}")).collect();
            vec![
                wave.number.to_string(),
                wave.name.to_owned(),
                format!(
                    "{}, {nodes}, {}{differs}{then}",
                    counted(wave.locations, "location"),
                    counted(wave.units, "start")
                ),
            ]
        });
        Some(format!(
            "Waves (each begins when all of the one before it is over)\n{}",
            table("  ", &Vec::from_iter(rows), 0..1)
        ))
    }
}

/// Puts each location into the first wave that names it. What none names is in the last. Gives what is against the plan,
/// because nobody knows in which wave an account is, and what should be known of it.
///
/// In a retry, `before` says in which wave of the campaign before each location was. It stays there, whatever the organization says of
/// its account by now, and however few locations are left: one that moves to another wave could come before what guards it.
pub(super) fn assign(
    request: &PatchRequest,
    candidates: &Candidates,
    locations: &mut [PlannedLocation],
    before: Option<&BTreeMap<Location, u32>>,
) -> (Vec<RefusalReason>, Vec<String>) {
    if let Some(before) = before {
        let last = request.wave_count();
        for at in locations {
            at.wave = before.get(&at.location()).copied().unwrap_or(last);
        }
        return (vec![], vec![]);
    }
    let tags = |account: &AccountId| candidates.tags.get(account).and_then(AccountTags::known);
    let (mut warnings, mut untold) = (vec![], BTreeMap::new());
    let mut left: Vec<&mut PlannedLocation> = locations.iter_mut().collect();
    for (number, wave) in (1..).zip(&request.waves) {
        let (could, others): (Vec<_>, Vec<_>) = left
            .into_iter()
            .partition(|at| wave.may_have(&at.location(), |unit| candidates.below.get(unit), tags));
        if !wave.account_tags.is_empty() {
            for at in could.iter().filter(|at| tags(&at.account).is_none()) {
                untold.entry(at.account.clone()).or_insert(wave);
            }
        }
        let (taken, not) = match (wave.locations, wave.nodes) {
            (Some(size), _) => draw(request, wave, size, could),
            (None, Some(size)) => draw_nodes(request, wave, size, could),
            (None, None) => (could, vec![]),
        };
        if let Some(size) = wave.nodes
            && let [alone] = &taken[..]
        {
            warnings.extend(too_large(wave, size, alone, &not));
        }
        for at in taken {
            at.wave = number;
        }
        left = others;
        left.extend(not);
    }
    for at in left {
        at.wave = request.wave_count();
    }
    let reasons = untold
        .iter()
        .map(|(account, wave)| wave_tags::unknown(account, wave, candidates));
    (reasons.collect(), warnings)
}

/// Parts the locations that a wave could have into those that it has and the others.
///
/// Each location has a number of its own, which follows from the request's name, the wave's and the location's. A share
/// takes those whose number is small enough, so it does not depend on which other locations there are. A count takes the
/// smallest numbers, and so does a share that would take none. These two rather take a location where something can be
/// patched.
fn draw<'l>(
    request: &PatchRequest,
    wave: &Wave,
    size: WaveSize,
    could: Vec<&'l mut PlannedLocation>,
) -> (Vec<&'l mut PlannedLocation>, Vec<&'l mut PlannedLocation>) {
    let mut drawn = in_order(request, wave, could);
    let least = match size {
        WaveSize::Percent(percent) => {
            let is_in = |number: u64| u128::from(number) * 100 < u128::from(percent) << u64::BITS;
            if drawn.iter().any(|(number, _)| is_in(*number)) {
                let (taken, not): (Vec<_>, Vec<_>) =
                    drawn.into_iter().partition(|(number, _)| is_in(*number));
                return (alone(taken), alone(not));
            }
            1
        }
        WaveSize::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
    };
    let not = drawn.split_off(least.min(drawn.len()));
    (alone(drawn), alone(not))
}

/// Parts the locations that a wave could have into those that have as many nodes as it may have, and the others.
///
/// They are taken in the order of their numbers, and one that is too large for what is left is passed over. If each is too
/// large, the smallest is taken. Locations where nothing can be patched are not taken, and of those whose nodes were not
/// counted nobody knows whether they fit.
fn draw_nodes<'l>(
    request: &PatchRequest,
    wave: &Wave,
    size: WaveSize,
    could: Vec<&'l mut PlannedLocation>,
) -> (Vec<&'l mut PlannedLocation>, Vec<&'l mut PlannedLocation>) {
    let drawn = alone(in_order(request, wave, could));
    let most = most_nodes(size, drawn.iter().map(|at| &**at));
    let (mut taken, mut not, mut sum) = (vec![], vec![], 0_u64);
    for at in drawn {
        match nodes_to_patch(at).and_then(|nodes| sum.checked_add(nodes)) {
            Some(with) if with <= most => {
                sum = with;
                taken.push(at);
            }
            _ => not.push(at),
        }
    }
    let all = not.iter().enumerate();
    let smallest = all
        .filter_map(|(index, at)| Some((nodes_to_patch(at)?, index)))
        .min();
    if let Some((_, index)) = smallest.filter(|_| taken.is_empty()) {
        taken.push(not.remove(index));
    }
    (taken, not)
}

/// How many nodes a wave of this size has at most, of these locations.
fn most_nodes<'l>(size: WaveSize, of: impl Iterator<Item = &'l PlannedLocation>) -> u64 {
    match size {
        WaveSize::Count(count) => count.into(),
        WaveSize::Percent(percent) => {
            let all = of.filter_map(nodes_to_patch).fold(0, u64::saturating_add);
            all.saturating_mul(percent.into()) / 100
        }
    }
}

/// The nodes of a location; `None` if nothing can be patched there, or they were not counted.
fn nodes_to_patch(at: &PlannedLocation) -> Option<u64> {
    let nodes = at.nodes.filter(|_| !at.is_hollow())?;
    Some(nodes.total().into())
}

/// The warning about a wave of one location that has more nodes than the wave should have, as each other one has.
fn too_large(
    wave: &Wave,
    size: WaveSize,
    alone: &PlannedLocation,
    not: &[&mut PlannedLocation],
) -> Option<String> {
    let others = not.iter().map(|at| &**at);
    let most = most_nodes(size, others.chain([alone]));
    let nodes = nodes_to_patch(alone).filter(|nodes| *nodes > most)?;
    Some(format!(
        "wave {}: nodes = {size} comes to {most}, and no location has so few: it has {} with its {}, the smallest that it \
         could have",
        wave.name,
        alone.location(),
        counted(nodes, "node"),
    ))
}

/// Each with its number, in the order in which a wave takes them.
fn in_order<'l>(
    request: &PatchRequest,
    wave: &Wave,
    could: Vec<&'l mut PlannedLocation>,
) -> Vec<(u64, &'l mut PlannedLocation)> {
    let mut drawn: Vec<(u64, &mut PlannedLocation)> = could
        .into_iter()
        .map(|at| (number(request, wave, at), at))
        .collect();
    drawn.sort_by_cached_key(|(number, at)| (at.is_hollow(), *number, at.location()));
    drawn
}

fn alone(drawn: Vec<(u64, &mut PlannedLocation)>) -> Vec<&mut PlannedLocation> {
    drawn.into_iter().map(|(_, at)| at).collect()
}

fn number(request: &PatchRequest, wave: &Wave, at: &PlannedLocation) -> u64 {
    let text = format!("{}\n{}\n{}", request.name, wave.name, at.location());
    let bytes = Sha256::digest(text).into_iter().take(8);
    bytes.fold(0, |number, byte| number << 8 | u64::from(byte))
}

impl PlannedLocation {
    /// Whether nothing can be patched there: it has no node, or none that answers.
    pub(crate) fn is_hollow(&self) -> bool {
        self.is_known_to_be_empty() || self.nodes.is_some_and(|nodes| nodes.online == 0)
    }
}

/// What is against the plan, or should be known, because nothing can be patched in a wave that comes before others.
pub(super) fn empty(
    request: &PatchRequest,
    candidates: &Candidates,
    locations: &[PlannedLocation],
    options: &Options,
) -> (Vec<RefusalReason>, Vec<String>) {
    let full: BTreeSet<u32> = locations
        .iter()
        .filter(|at| !at.is_hollow())
        .map(|at| at.wave)
        .collect();
    let (mut reasons, mut warnings) = (vec![], vec![]);
    for (index, (number, wave)) in (1..).zip(&request.waves).enumerate() {
        warnings.extend(comes_before_nothing(wave, number, locations));
        if full.range(number.saturating_add(1)..).next().is_some() {
            let shown = options.retries.and_then(|retried| retried.shown(number));
            let may_need_approval = shown.is_none_or(|shown| !shown.went_on);
            let told = never_conclusive(request, (index, number), shown, locations);
            warnings.extend(told.filter(|_| may_need_approval));
        }
        warnings.extend(wave_tags::alike(wave, candidates));
        let nobody_has = wave_tags::nobody_has(wave, candidates);
        if full.contains(&number) || full.range(number..).next().is_none() {
            let told = nobody_has.iter();
            warnings.extend(told.map(|what| format!("wave {}: {what}", wave.name)));
            continue;
        }
        let there = locations.iter().filter(|at| at.wave == number).count();
        let passed = options.retries.and_then(|retried| retried.passed(number));
        if let Some(passed) = passed.filter(|_| there == 0) {
            warnings.push(passed_over(wave, passed, options.now));
            continue;
        }
        let why = match there {
            0 if !nobody_has.is_empty() => {
                format!("no location with a node is in it ({})", nobody_has.join("; "))
            }
            0 => "no location with a node is in it".to_owned(),
            n => format!(
                "no node answers Systems Manager in {} {}",
                by_number(n, "its", "any of its"),
                counted(n, "location")
            ),
        };
        match wave.if_empty {
            EmptyWave::Refuse => reasons.push(RefusalReason {
                code: RefusalCode::WaveEmpty,
                subject: format!("wave {}", wave.name),
                detail: format!(
                    "{why}, so it would show nothing before the waves after it begin. Have it name other locations, or \
                     set waves[{index}].if_empty to \"skip\" to begin the others without it"
                ),
            }),
            EmptyWave::Skip => warnings.push(format!(
                "wave {}: {why}, so it shows nothing before the waves after it begin",
                wave.name
            )),
        }
    }
    (reasons, warnings)
}

/// That nothing of a wave is left to try again, and what the waves after it wait for all the same.
fn passed_over(wave: &Wave, passed: &PassedWave, now: Option<Timestamp>) -> String {
    let mut waits = vec![];
    let until = wave
        .soak
        .and_then(|soak| passed.ended.checked_add(soak.duration()).ok());
    if let Some(until) = until.filter(|until| now.is_none_or(|now| *until > now)) {
        waits.push(format!("its soak, until {until:.0}"));
    }
    if passed.inconclusive.is_some() {
        let why = match wave.gate {
            Some(_) => "its gate was inconclusive",
            None => "what some of its nodes came to is not known",
        };
        waits.push(format!("a person to approve of it, as {why}"));
    } else if wave.approval && !passed.approved {
        waits.push("a person to approve of it".to_owned());
    }
    match waits.is_empty() {
        true => format!("wave {}: nothing of it is left to try", wave.name),
        false => format!(
            "wave {}: nothing of it is left to try, and the next one waits for {}",
            wave.name,
            waits.join(" and ")
        ),
    }
}

/// The warning about a gate that needs the results of more nodes than can have some in its wave.
fn never_conclusive(
    request: &PatchRequest,
    (index, number): (usize, u32),
    shown: Option<&ShownWave>,
    locations: &[PlannedLocation],
) -> Option<String> {
    let wave = request.wave(number)?;
    let gate = wave.gate.as_ref()?;
    let before = shown.map_or(0, |shown| {
        let unreached = gate.max_failed.map_or(shown.unreached, |_| 0);
        let known = shown.patched.saturating_sub(shown.unknown);
        u32::try_from(known.saturating_add(unreached)).unwrap_or(u32::MAX)
    });
    // A node that does not answer is unreached, and has no result of its patches.
    let may_have = |nodes: NodeCounts| match gate.max_failed {
        Some(_) => nodes.online,
        None => nodes.online.saturating_add(nodes.offline),
    };
    let there = locations.iter().filter(|at| at.wave == number);
    let sum = there.map(|at| at.nodes.map(may_have));
    let (n, nodes) = sum.fold((0_u32, Some(0_u32)), |(n, sum), nodes| {
        let sum = sum.zip(nodes).map(|(sum, nodes)| sum.saturating_add(nodes));
        (n.saturating_add(1), sum)
    });
    let (needed, nodes) = (gate.min_sample, nodes?.saturating_add(before));
    (n > 0 && nodes < needed).then(|| {
        format!(
            "waves[{index}].gate.min_sample: {needed} is more than the {} of wave {} that can be patched, so its gate is never \
             conclusive, and a person has to approve of the wave",
            counted(nodes, "node"),
            wave.name
        )
    })
}

/// The warning about a wave that has something to come after it, and after which nothing comes.
fn comes_before_nothing(wave: &Wave, number: u32, locations: &[PlannedLocation]) -> Option<String> {
    let is_last = locations.iter().map(|at| at.wave).max() == Some(number);
    let then = wave.then();
    (is_last && !then.is_empty()).then(|| {
        format!(
            "wave {}: no location is left for a later wave, so nothing waits for what comes after it{}",
            wave.name,
            then.replacen("; then", ":", 1)
        )
    })
}

/// The units of a plan, in the order in which they are begun: wave by wave. Each wave is packed by itself, so that no
/// unit has locations of two.
pub(super) fn units(
    in_waves: &InWaves,
    central: &Caller,
    locations: &[PlannedLocation],
    census: &CensusTaken,
    each_alone: bool,
    bounds: Bounds<'_>,
) -> Result<Vec<Draft>, TargetTooLong> {
    if in_waves.whole().waves.is_empty() {
        let request = in_waves.whole();
        return units::units(1, request, central, locations, census, each_alone, bounds);
    }
    let mut waves: BTreeMap<u32, Vec<PlannedLocation>> = BTreeMap::new();
    for at in locations {
        waves.entry(at.wave).or_default().push(at.clone());
    }
    let mut all = Vec::new();
    for (wave, locations) in waves {
        let request = in_waves.of(wave);
        all.extend(units::units(
            wave, request, central, &locations, census, each_alone, bounds,
        )?);
    }
    Ok(all)
}
