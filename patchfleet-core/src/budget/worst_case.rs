//! What can go wrong at most, in a campaign that AWS paces.
//!
//! Every figure is given three times, because they differ. AWS counts errors, and its limits bound
//! those. The truth is more: a command that succeeds with failed patches, and a node that does not
//! come back from its reboot, are no errors to AWS. And if nobody drives the campaign any more, AWS
//! goes on alone, with the whole budget of each unit that is open.

use super::{MaxConcurrency, MaxErrors, Seconds};
use crate::id::Location;
use crate::request::RateControl;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most that can go wrong. Unless it says otherwise, a figure is as AWS counts. The figures on
/// nodes follow from what the census counted, and are `None` if it did not count everywhere:
/// percentages are of the group as it is at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorstCase {
    /// Starts that the plan needs. AWS takes about one per second.
    pub starts: u32,
    /// Locations that are patched at the same time.
    pub locations_at_once: u32,
    /// Locations that fail, as AWS counts it, before no more are begun.
    pub locations_failing: u32,
    /// Nodes that are patched, and may be rebooting, at the same time.
    pub nodes_at_once: Option<u32>,
    /// Nodes that fail as AWS counts it: in a location of n nodes at most min(n, e + c), since the
    /// c nodes in flight finish after the e allowed errors. So it is also where a location has several
    /// commands, as they follow each other and share its limits.
    pub node_errors: Option<u32>,
    /// Nodes that end damaged, in truth.
    pub nodes_damaged: Option<u32>,
    /// Seconds that the commands of the slowest location live together: each expires as a whole.
    /// `None` also under a runbook of one's own.
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
    /// Locations in which a node fails or is lost, or that fail as a whole. In an open unit every
    /// location may, as AWS need not count one of them; no further unit is begun.
    pub locations_failing: u32,
    /// Nodes on which something runs at the same time. Where a command may expire while a node is
    /// patched, that goes on while the next command begins.
    pub nodes_at_once: Option<u32>,
    /// Nodes that fail or are lost: all of the locations that fail.
    pub nodes_damaged: Option<u32>,
}

/// The most that can go wrong if the driver is gone: AWS goes on alone, with the whole budget of each
/// unit that is open, and begins no other.
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
    /// For each start, how many locations it has.
    pub(crate) units: &'a [u32],
    /// Every command that will be sent.
    pub(crate) commands: &'a [PacedCommand<'a>],
    /// How many locations there are.
    pub(crate) locations: u32,
    /// Nodes within a location.
    pub(crate) nodes: RateControl,
    /// Locations at once, as the campaign resolved it.
    pub(crate) location_budget: u32,
    /// Locations that may fail, as the campaign resolved it.
    pub(crate) location_errors: u32,
}

/// A command that will be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacedCommand<'a> {
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
            let mut each: Vec<u32> = all.iter().map(|location| location.at_once).collect();
            largest(&mut each, self.location_budget)
        });
        let locations_at_once = self.location_budget.min(self.locations);
        let failing =
            self.failing(|n| n.min(self.location_errors.saturating_add(self.location_budget.min(n))));
        let in_truth = InTruth {
            locations_failing: self.failing(|n| n),
            nodes_at_once: self.running_at_once(nodes_at_once, counted.as_deref()),
            nodes_damaged: counted.as_deref().map(|all| {
                let mut each: Vec<u32> = all.iter().map(|location| location.nodes).collect();
                largest(&mut each, self.failing(|n| n))
            }),
        };
        WorstCase {
            starts: count(self.units.len()),
            locations_at_once,
            locations_failing: failing,
            nodes_at_once,
            node_errors: counted
                .as_deref()
                .map(|all| sum(all.iter().map(|location| location.errors(self.nodes.max_errors)))),
            nodes_damaged: in_truth.nodes_damaged,
            slowest_location_seconds: counted.is_some().then(|| self.slowest()).flatten(),
            in_truth,
            // A driver never stops what runs. So the units that are open when it goes are as many as
            // with it, and each spends its budget to the end as it does with it.
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
            whole.commands = whole.commands.saturating_add(1);
            whole.nodes = whole.nodes.saturating_add(nodes.own);
            whole.at_once = whole.at_once.max(nodes.at_once(self.nodes.max_concurrency));
        }
        Some(each.into_values().collect())
    }

    /// How many locations fail, if of a unit with n locations up to `of_unit(n)` do. The campaign
    /// opens no further unit once more than e have failed in truth. So before that at most e had, and
    /// the units that are open then, at most as many as the location budget, each add their own.
    fn failing(&self, of_unit: impl Fn(u32) -> u32) -> u32 {
        let mut each: Vec<u32> = self.units.iter().map(|&n| of_unit(n)).collect();
        let units = each.len();
        let open = largest(&mut each, self.location_budget);
        if units <= 1 {
            open
        } else {
            self.location_errors.saturating_add(open).min(self.locations)
        }
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rates(c: &str, e: &str) -> RateControl {
        RateControl {
            max_concurrency: c.parse().unwrap(),
            max_errors: e.parse().unwrap(),
        }
    }

    fn at(name: &str) -> Location {
        Location::new("111111111111".parse().unwrap(), name.parse().unwrap())
    }

    fn command(location: &Location, nodes: Option<u32>, hours: u32, may_outlive: bool) -> PacedCommand<'_> {
        PacedCommand {
            location,
            nodes: nodes.map(|n| PacedNodes { own: n, location: n }),
            lives: Some(Seconds::hours(hours)),
            may_outlive,
        }
    }

    #[test]
    fn the_figures_stand_side_by_side() {
        let (big, middle, small) = (at("us-east-1"), at("us-west-2"), at("eu-west-1"));
        let worst = Paced {
            units: &[3],
            commands: &[
                command(&big, Some(100), 24, true),
                command(&middle, Some(20), 7, false),
                command(&small, Some(1), 7, false),
            ],
            locations: 3,
            nodes: rates("10%", "5"),
            location_budget: 2,
            location_errors: 0,
        }
        .worst_case();
        assert_eq!(worst.starts, 1);
        assert_eq!(worst.locations_at_once, 2);
        assert_eq!(worst.locations_failing, 2); // none allowed, 2 in flight
        assert_eq!(worst.in_truth.locations_failing, 3);
        assert_eq!(worst.nodes_at_once, Some(10 + 2));
        assert_eq!(worst.in_truth.nodes_at_once, Some(24));
        assert_eq!(worst.node_errors, Some(15 + 7 + 1));
        assert_eq!(worst.nodes_damaged, Some(121));
        assert_eq!(worst.slowest_location_seconds, Some(24 * 3_600));
        assert_eq!(worst.driver_dead.locations_failing_in_truth, 3);
    }

    #[test]
    fn what_no_unit_begins_any_more_is_not_damaged() {
        let places = ["us-east-1", "us-east-2", "us-west-1", "us-west-2"].map(at);
        let nodes = [5, 40, 10, 20];
        let commands: Vec<PacedCommand<'_>> = places
            .iter()
            .zip(nodes)
            .map(|(location, n)| command(location, Some(n), 7, false))
            .collect();
        let worst = Paced {
            units: &[1, 1, 1, 1],
            commands: &commands,
            locations: 4,
            nodes: rates("1", "0"),
            location_budget: 1,
            location_errors: 1,
        }
        .worst_case();
        assert_eq!(worst.in_truth.locations_failing, 2);
        assert_eq!(worst.nodes_damaged, Some(40 + 20));
        assert_eq!(worst.in_truth.nodes_at_once, worst.nodes_at_once);
    }

    #[test]
    fn the_commands_of_one_location_follow_each_other() {
        let place = at("us-east-1");
        let of_23 = |own: u32, hours: u32| PacedCommand {
            nodes: Some(PacedNodes { own, location: 23 }),
            ..command(&place, None, hours, false)
        };
        let worst = Paced {
            units: &[1, 1],
            commands: &[of_23(20, 7), of_23(3, 9)],
            locations: 1,
            nodes: rates("1", "0"),
            location_budget: 1,
            location_errors: 0,
        }
        .worst_case();
        assert_eq!(worst.slowest_location_seconds, Some(16 * 3_600));
        assert_eq!(worst.nodes_damaged, Some(23));
    }

    #[test]
    fn what_was_not_counted_has_no_figure() {
        let place = at("us-east-1");
        let worst = Paced {
            units: &[2],
            commands: &[command(&place, Some(1), 7, false), command(&place, None, 7, true)],
            locations: 2,
            nodes: rates("1", "0"),
            location_budget: 1,
            location_errors: 0,
        }
        .worst_case();
        assert_eq!(
            (
                worst.nodes_at_once,
                worst.node_errors,
                worst.nodes_damaged,
                worst.slowest_location_seconds
            ),
            (None, None, None, None)
        );
        assert_eq!(worst.locations_failing, 1);
        assert_eq!(worst.in_truth.locations_failing, 2);
    }

    proptest! {
        /// Plays a location in which every node fails: AWS starts nodes while it has counted at
        /// most e errors, c at once, and those in flight all fail too.
        #[test]
        fn a_location_that_fails_throughout_stays_within_the_bound(
            n in 1_u32..60, c in 1_u32..12, e in 0_u32..12,
        ) {
            let (mut waiting, mut flying, mut failed) = (n, 0, 0);
            loop {
                while failed <= e && flying < c && waiting > 0 {
                    waiting -= 1;
                    flying += 1;
                }
                if flying == 0 { break; }
                flying -= 1;
                failed += 1;
            }
            let place = at("us-east-1");
            let bound = Paced {
                units: &[1],
                commands: &[command(&place, Some(n), 7, false)],
                locations: 1,
                nodes: rates(&c.to_string(), &e.to_string()),
                location_budget: 1,
                location_errors: 0,
            }
            .worst_case()
            .node_errors
            .unwrap();
            prop_assert!(failed <= bound, "{failed} > {bound}");
        }

        /// Plays locations whose nodes travel in several commands. Each command is given the location's
        /// concurrency and what is left of its errors, as a campaign does, and `luck` says who fails.
        #[test]
        fn the_commands_of_one_location_stay_within_its_bounds_together(
            sizes in prop::collection::vec(1_u32..21, 1..6),
            c in prop_oneof![(1_u32..101).prop_map(|n| format!("{n}%")), (1_u32..30).prop_map(|n| n.to_string())],
            e in prop_oneof![(0_u32..101).prop_map(|n| format!("{n}%")), (0_u32..30).prop_map(|n| n.to_string())],
            luck in prop::collection::vec(0_u8..8, 100),
        ) {
            let place = at("us-east-1");
            let all: u32 = sizes.iter().sum();
            let of = |text: &str, least: u32| match text.strip_suffix('%') {
                Some(percent) => (all * percent.parse::<u32>().unwrap() / 100).max(least),
                None => text.parse().unwrap(),
            };
            let (at_once, allowed) = (of(&c, 1), of(&e, 0));
            let (mut failed, mut most) = (0_u32, 0);
            let mut luck = luck.into_iter();
            for &size in &sizes {
                if failed > allowed { break; }
                let left = allowed - failed;
                let (mut waiting, mut flying, mut counted) = (size, 0_u32, 0);
                loop {
                    while counted <= left && flying < at_once && waiting > 0 {
                        waiting -= 1;
                        flying += 1;
                    }
                    most = most.max(flying);
                    if flying == 0 { break; }
                    flying -= 1;
                    counted += u32::from(luck.next().unwrap() > 0);
                }
                failed += counted;
            }
            let commands: Vec<PacedCommand<'_>> = sizes
                .iter()
                .map(|&own| PacedCommand {
                    nodes: Some(PacedNodes { own, location: all }),
                    ..command(&place, None, 7, false)
                })
                .collect();
            let worst = Paced {
                units: &vec![1; sizes.len()],
                commands: &commands,
                locations: 1,
                nodes: rates(&c, &e),
                location_budget: 1,
                location_errors: 0,
            }
            .worst_case();
            prop_assert!(Some(most) <= worst.nodes_at_once, "{most} at once > {worst:?}");
            prop_assert!(Some(failed) <= worst.node_errors, "{failed} errors > {worst:?}");
        }

        /// Plays units in which most locations fail, under a campaign that opens a unit only while at most
        /// e locations have failed and the budget has room.
        #[test]
        fn failing_locations_of_several_units_stay_within_the_bound(
            units in prop::collection::vec(1_u32..8, 1..6), budget in 1_u32..6, e in 0_u32..4,
            order in prop::collection::vec(0_usize..30, 0..80),
        ) {
            let bound = Paced {
                units: &units,
                commands: &[],
                locations: units.iter().sum(),
                nodes: rates("1", "0"),
                location_budget: budget,
                location_errors: e,
            }
            .worst_case()
            .locations_failing;
            let mut queue: Vec<u32> = units.clone();
            let mut open: Vec<(u32, u32, u32, u32)> = vec![]; // c, waiting, flying, failed
            let mut total = 0;
            let mut turn = order.into_iter().chain(std::iter::repeat(7));
            loop {
                // A unit is over when nothing flies in it and AWS would begin nothing more.
                open.retain(|&(_, waiting, flying, failed)| flying > 0 || (waiting > 0 && failed <= e));
                while let Some(&n) = queue.first() {
                    let c = n.min(budget);
                    if total > e || open.iter().map(|unit| unit.0).sum::<u32>() + c > budget { break; }
                    queue.remove(0);
                    open.push((c, n, 0, 0));
                }
                if open.is_empty() { break; }
                for (c, waiting, flying, failed) in &mut open {
                    while *failed <= e && flying < c && *waiting > 0 {
                        *waiting -= 1;
                        *flying += 1;
                    }
                }
                let next = turn.next().unwrap_or(0);
                let i = next % open.len();
                open[i].2 -= 1;
                if next / 6 != 0 {
                    open[i].3 += 1;
                    total += 1;
                }
            }
            prop_assert!(total <= bound, "{total} > {bound}");
        }
    }
}
