//! What can go wrong at most, in a campaign that AWS paces.
//!
//! Every figure is given three times, because they differ. AWS counts errors, and its limits bound
//! those. The truth is more, because AWS does not count a command that succeeds with failed patches, nor a
//! node that does not come back from its reboot. If nobody drives the campaign any more, AWS goes on
//! alone, with the whole budget of each unit that is open.

use super::{MaxConcurrency, MaxErrors, Seconds};
use crate::budget::RateControl;
use crate::id::Location;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most that can go wrong. Unless it says otherwise, a figure is as AWS counts. The figures on nodes follow from what
/// the census counted, and are `None` if it did not count everywhere. Percentages are of the group as it is at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorstCase {
    /// Starts that the plan needs. AWS takes about one per second.
    pub starts: u32,
    /// How many of the starts run side by side. All do if each unit can have a place of its own among the locations at
    /// once, up to the 100 automations that AWS runs at once in an account and Region unless the quota is larger. AWS takes more
    /// starts, and these wait there.
    #[serde(default)]
    pub starts_at_once: u32,
    /// Locations that are patched at the same time.
    pub locations_at_once: u32,
    /// Locations that fail, as AWS counts it, before no more are begun. In an open unit with n locations,
    /// c of them at once and e errors allowed, at most min(n, e + c) fail, as those at work finish after
    /// the allowed errors. Under a driver each unit carries the whole error budget as its e. The driver
    /// stops the other units once more than e locations have failed in all. That lowers the figure in
    /// practice, but nobody knows how many AWS begins until the stop takes effect.
    pub locations_failing: u32,
    /// Nodes that are patched, and may be rebooting, at the same time.
    pub nodes_at_once: Option<u32>,
    /// Nodes that fail as AWS counts it. In a location of n nodes at most min(n, e + c) fail, since the c nodes in flight
    /// finish after the e allowed errors. That also holds for several commands in one location, since they follow each
    /// other and share its limits.
    pub node_errors: Option<u32>,
    /// Nodes that end damaged, in truth.
    pub nodes_damaged: Option<u32>,
    /// How many seconds the commands of the slowest location live, one after another. `None` also under a runbook of one's
    /// own.
    pub slowest_location_seconds: Option<u64>,
    /// The same figures in truth.
    #[serde(default)]
    pub in_truth: InTruth,
    /// The same figures if the driver is gone for good at the worst instant.
    #[serde(default)]
    pub driver_dead: DriverDead,
}

/// The most that can go wrong in truth, whatever AWS counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InTruth {
    /// Locations in which a node fails or is lost, or that fail as a whole. In an open unit that may be every location,
    /// since AWS need not count any of them. No further unit is begun.
    pub locations_failing: u32,
    /// Nodes on which something runs at the same time. Where a command may expire while a node is
    /// patched, that goes on while the next command begins.
    pub nodes_at_once: Option<u32>,
    /// Nodes that fail or are lost, which may be all nodes of the locations that fail.
    pub nodes_damaged: Option<u32>,
}

/// The most that can go wrong if the driver is gone. AWS then goes on alone, with the whole budget of each open unit, and
/// no other unit is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DriverDead {
    /// Locations that are patched at the same time.
    pub locations_at_once: u32,
    /// Locations that fail as AWS counts it.
    pub locations_failing: u32,
    /// Locations that fail in truth.
    pub locations_failing_in_truth: u32,
    /// Nodes on which something runs at the same time, in truth.
    pub nodes_at_once: Option<u32>,
    /// Nodes that fail or are lost, in truth.
    pub nodes_damaged: Option<u32>,
}

/// What a plan is made of, as far as the worst case depends on it.
pub(crate) struct Paced<'a> {
    /// Every start.
    pub(crate) units: &'a [PacedUnit],
    /// Every command that will be sent.
    pub(crate) commands: &'a [PacedCommand<'a>],
    /// How many locations there are.
    pub(crate) locations: u32,
    /// Locations that may fail before no further unit is begun, as the campaign resolved it.
    pub(crate) location_errors: u32,
    /// What holds in each wave.
    pub(crate) waves: &'a dyn Fn(u32) -> PacedWave,
}

/// What holds in a wave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacedWave {
    /// Nodes within a location.
    pub(crate) nodes: RateControl,
    /// Locations at once, as the campaign resolved it.
    pub(crate) location_budget: u32,
    /// Locations of the wave that may fail; `None`: only what all waves may bounds that.
    pub(crate) location_errors: Option<u32>,
    /// Nodes that may be open at once, where the campaign counts them; `None`: the wave bounds that no further.
    pub(crate) open: Option<u32>,
    /// Nodes of the wave that may be damaged; `None`: the wave bounds that no further.
    pub(crate) damaged: Option<u32>,
}

/// A start, as AWS is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PacedUnit {
    /// Its wave. Units of different waves are never open together.
    pub(crate) wave: u32,
    /// How many locations it has.
    pub(crate) locations: u32,
    /// How many of them at once: its share.
    pub(crate) at_once: u32,
    /// How many of them may fail before AWS begins no more of them.
    pub(crate) errors: u32,
}

impl PacedUnit {
    /// Locations that fail as AWS counts it, if AWS goes on with it to the end. Those at work when the
    /// allowed errors are used up finish.
    fn failing(self) -> u32 {
        self.locations.min(self.errors.saturating_add(self.at_once))
    }
}

/// A command that will be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacedCommand<'a> {
    /// The wave of its unit.
    pub(crate) wave: u32,
    /// Where.
    pub(crate) location: &'a Location,
    /// To which nodes; `None` if they were not counted.
    pub(crate) nodes: Option<PacedNodes>,
    /// How long it lives; `None` if a runbook of one's own says so.
    pub(crate) lives: Option<Seconds>,
    /// Whether it may expire while a node of it is patched.
    pub(crate) may_outlive: bool,
}

/// The nodes of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PacedNodes {
    /// How many the command reaches for.
    pub(crate) own: u32,
    /// How many all commands of its location reach for: what the limits within the location are of.
    pub(crate) location: u32,
}

impl PacedNodes {
    /// The nodes that the command patches at once. Where a location has several commands, the campaign
    /// gives each of them the location's limit as a count. A single command is given the percentage, and
    /// AWS rounds it.
    fn at_once(self, c: MaxConcurrency) -> u32 {
        if self.location > self.own {
            c.as_count(self.location).min(self.own)
        } else {
            c.upper_bound(self.own)
        }
    }
}

/// The commands of one location, which follow each other.
#[derive(Debug, Clone, Copy, Default)]
struct Whole {
    wave: u32,
    commands: u32,
    nodes: u32,
    /// At once, in the command with the most.
    at_once: u32,
}

impl Whole {
    /// AWS-counted errors at most. A command is given what is left of the location's errors, and what is
    /// in flight when that is used up finishes. No further command begins then.
    fn errors(self, e: MaxErrors) -> u32 {
        let allowed = if self.commands > 1 {
            e.as_count(self.nodes)
        } else {
            e.upper_bound(self.nodes)
        };
        self.nodes.min(allowed.saturating_add(self.at_once))
    }
}

impl Paced<'_> {
    pub(crate) fn worst_case(&self) -> WorstCase {
        let counted = self.by_location();
        let nodes_at_once = counted.as_deref().map(|all| {
            let of_wave = |wave: u32| {
                let there = all.iter().filter(|location| location.wave == wave);
                let mut each: Vec<u32> = there.map(|location| location.at_once).collect();
                largest(&mut each, self.budget(wave)).min((self.waves)(wave).open.unwrap_or(u32::MAX))
            };
            self.waves()
                .map(|(wave, _)| of_wave(wave))
                .max()
                .unwrap_or_default()
        });
        let locations_at_once = self.locations_at_once();
        let failing = self.failing(PacedUnit::failing);
        let failing_in_truth = self.failing(|unit| unit.locations);
        let in_truth = InTruth {
            locations_failing: failing_in_truth,
            nodes_at_once: self.running_at_once(nodes_at_once, counted.as_deref()),
            nodes_damaged: counted.as_deref().map(|all| {
                let mut each: Vec<u32> = all.iter().map(|location| location.nodes).collect();
                largest(&mut each, failing_in_truth).min(self.damaged(all))
            }),
        };
        WorstCase {
            starts: count(self.units.len()),
            starts_at_once: self.starts_at_once(),
            locations_at_once,
            locations_failing: failing,
            nodes_at_once,
            node_errors: counted.as_deref().map(|all| {
                sum(all
                    .iter()
                    .map(|at| at.errors((self.waves)(at.wave).nodes.max_errors)))
            }),
            nodes_damaged: in_truth.nodes_damaged,
            slowest_location_seconds: counted.is_some().then(|| self.slowest()).flatten(),
            in_truth,
            // The figures with a driver do not reckon with its stops, which come some time after the
            // failures. So they are the same without it.
            driver_dead: DriverDead {
                locations_at_once,
                locations_failing: failing,
                locations_failing_in_truth: in_truth.locations_failing,
                nodes_at_once: in_truth.nodes_at_once,
                nodes_damaged: in_truth.nodes_damaged,
            },
        }
    }

    /// What is sent to each location; `None` if the nodes were not counted everywhere.
    fn by_location(&self) -> Option<Vec<Whole>> {
        let mut each: BTreeMap<&Location, Whole> = BTreeMap::new();
        for command in self.commands {
            let nodes = command.nodes?;
            let whole = each.entry(command.location).or_default();
            whole.wave = command.wave;
            whole.commands = whole.commands.saturating_add(1);
            whole.nodes = whole.nodes.saturating_add(nodes.own);
            let limit = (self.waves)(command.wave).nodes.max_concurrency;
            whole.at_once = whole.at_once.max(nodes.at_once(limit));
        }
        Some(each.into_values().collect())
    }

    /// The units of each wave, in the order of the waves.
    fn waves(&self) -> impl Iterator<Item = (u32, &[PacedUnit])> {
        let waves = self.units.chunk_by(|a, b| a.wave == b.wave);
        waves.filter_map(|units| Some((units.first()?.wave, units)))
    }

    /// The locations that are patched at once, in the wave with the most.
    fn locations_at_once(&self) -> u32 {
        let mut places: BTreeMap<u32, BTreeSet<&Location>> = BTreeMap::new();
        for command in self.commands {
            places.entry(command.wave).or_default().insert(command.location);
        }
        let most = |wave: u32| match places.get(&wave) {
            Some(there) if places.len() > 1 => count(there.len()),
            _ => self.locations,
        };
        let of_wave = |(wave, _): (u32, &[PacedUnit])| self.budget(wave).min(most(wave));
        self.waves().map(of_wave).max().unwrap_or_default()
    }

    /// How many locations at once in a wave.
    fn budget(&self, wave: u32) -> u32 {
        (self.waves)(wave).location_budget
    }

    /// Nodes that are damaged, by the bounds of the waves alone.
    fn damaged(&self, all: &[Whole]) -> u32 {
        let mut each: BTreeMap<u32, u32> = BTreeMap::new();
        for at in all {
            let nodes = each.entry(at.wave).or_default();
            *nodes = nodes.saturating_add(at.nodes);
        }
        let of_wave =
            |(wave, nodes): (u32, u32)| (self.waves)(wave).damaged.map_or(nodes, |most| most.min(nodes));
        sum(each.into_iter().map(of_wave))
    }

    /// Whether all of these units run side by side, because their shares fit into the budget together.
    fn all_side_by_side(&self, wave: u32, units: &[PacedUnit]) -> bool {
        units.len() <= 1 || sum(units.iter().map(|unit| unit.at_once)) <= self.budget(wave)
    }

    /// The most units whose shares fit into the budget together. At least one: it is begun whatever it
    /// takes.
    fn starts_at_once(&self) -> u32 {
        let of_wave = |wave: u32, units: &[PacedUnit]| {
            let budget = self.budget(wave);
            let mut shares: Vec<u32> = units.iter().map(|unit| unit.at_once).collect();
            shares.sort_unstable();
            let fit = shares.iter().scan(0_u32, |taken, share| {
                *taken = taken.saturating_add(*share);
                (*taken <= budget).then_some(())
            });
            count(fit.count().max(units.len().min(1)))
        };
        self.waves()
            .map(|(wave, units)| of_wave(wave, units))
            .max()
            .unwrap_or_default()
    }

    /// How many locations fail, if in each unit up to `of_unit` do.
    ///
    /// If all units run side by side, each adds its own. If some wait, the campaign begins none of them
    /// once more than e locations have failed in truth. So before the last one was begun at most e had,
    /// and the units that are open then add their own.
    ///
    /// The first unit of a later wave is begun when every unit before it is over, and no more than e locations have
    /// failed in these. Within a wave that has an error budget of its own no more than that fail before its last unit is begun.
    fn failing(&self, of_unit: impl Fn(PacedUnit) -> u32) -> u32 {
        let mut before = 0_u32;
        let mut most = 0;
        for (wave, units) in self.waves() {
            let earlier = self.location_errors.min(before);
            let each = units.iter().map(|&unit| (of_unit(unit), unit.at_once));
            let failing = if self.all_side_by_side(wave, units) {
                earlier.saturating_add(sum(each.map(|(failing, _)| failing)))
            } else {
                let open = most_that_fits(each.collect(), self.budget(wave));
                let own = (self.waves)(wave).location_errors.unwrap_or(u32::MAX);
                let allowed = self.location_errors.min(earlier.saturating_add(own));
                allowed.saturating_add(open)
            };
            before = before.saturating_add(sum(units.iter().map(|unit| unit.locations)));
            most = most.max(failing.min(before));
        }
        most.min(self.locations)
    }

    /// Nodes on which something runs at once. What outlives its command does so for less time than a
    /// command lives, so each place has at most one such node.
    fn running_at_once(&self, at_once: Option<u32>, counted: Option<&[Whole]>) -> Option<u32> {
        let all = sum(counted?.iter().map(|location| location.nodes));
        let at_once = at_once?;
        Some(if self.commands.iter().any(|command| command.may_outlive) {
            at_once.saturating_mul(2).min(all)
        } else {
            at_once
        })
    }

    /// Commands to one location follow each other.
    fn slowest(&self) -> Option<u64> {
        let mut each: BTreeMap<&Location, Seconds> = BTreeMap::new();
        for command in self.commands {
            let lives = each.entry(command.location).or_default();
            *lives = lives.plus(command.lives?);
        }
        Some(each.into_values().max().unwrap_or_default().get())
    }
}

/// At least the sum of the values that any items have together whose weights, each at least 1, add up to
/// at most `room`. What has the most for its weight is taken first, and the last item is taken whole.
fn most_that_fits(mut items: Vec<(u32, u32)>, room: u32) -> u32 {
    let times = |a: u32, b: u32| u64::from(a) * u64::from(b);
    items.sort_unstable_by(|a, b| times(b.0, a.1).cmp(&times(a.0, b.1)).then(a.cmp(b)));
    let mut taken = 0_u32;
    let some = items.into_iter().take_while(|(_, weight)| {
        let fits = taken < room;
        taken = taken.saturating_add(*weight);
        fits
    });
    sum(some.map(|(value, _)| value))
}

/// The sum of the `n` largest.
fn largest(values: &mut [u32], n: u32) -> u32 {
    values.sort_unstable_by(|a, b| b.cmp(a));
    sum(values.iter().copied().take(n as usize))
}

fn sum(values: impl Iterator<Item = u32>) -> u32 {
    values.fold(0, u32::saturating_add)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
