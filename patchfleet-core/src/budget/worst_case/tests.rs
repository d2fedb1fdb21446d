//! Figures of small plans, and random outcomes that stay within the bounds.

use super::*;
use proptest::prelude::*;

fn rates(c: &str, e: &str) -> RateControl {
    RateControl {
        max_concurrency: c.parse().unwrap(),
        max_errors: e.parse().unwrap(),
    }
}

/// Units with so many locations each, with shares of this location budget and the whole error budget.
fn units(sizes: &[u32], budget: u32, errors: u32) -> Vec<PacedUnit> {
    let shares = crate::budget::shares::of_places(budget, sizes);
    let units = sizes.iter().zip(shares);
    units
        .map(|(&locations, at_once)| PacedUnit {
            wave: 1,
            locations,
            at_once,
            errors,
        })
        .collect()
}

fn at(name: &str) -> Location {
    Location::new("111111111111".parse().unwrap(), name.parse().unwrap())
}

fn command(location: &Location, nodes: Option<u32>, hours: u32, may_outlive: bool) -> PacedCommand<'_> {
    PacedCommand {
        wave: 1,
        location,
        nodes: nodes.map(|n| PacedNodes { own: n, location: n }),
        lives: Some(Seconds::hours(hours)),
        may_outlive,
    }
}

/// What holds in every wave.
fn alike(nodes: RateControl, location_budget: u32) -> impl Fn(u32) -> PacedWave {
    move |_| PacedWave {
        nodes,
        location_budget,
        location_errors: None,
        open: None,
        damaged: None,
    }
}

#[test]
fn the_figures_stand_side_by_side() {
    let (big, middle, small) = (at("us-east-1"), at("us-west-2"), at("eu-west-1"));
    let worst = Paced {
        units: &units(&[3], 2, 0),
        commands: &[
            command(&big, Some(100), 24, true),
            command(&middle, Some(20), 7, false),
            command(&small, Some(1), 7, false),
        ],
        locations: 3,
        waves: &alike(rates("10%", "5"), 2),
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
fn waves_follow_each_other_so_what_is_at_once_is_that_of_one_wave_and_failures_of_earlier_ones_add_up() {
    let places: Vec<Location> = (1..=8).map(|n| at(&format!("us-east-{n}"))).collect();
    // A canary of one location, then a wave of four, then one of three. Each unit has a place for each location.
    let of = |n: usize| if n == 0 { 1 } else { 2 + u32::from(n > 4) };
    let nodes = [10, 20, 20, 20, 20, 30, 30, 30];
    let commands: Vec<PacedCommand<'_>> = places
        .iter()
        .enumerate()
        .map(|(n, place)| PacedCommand {
            wave: of(n),
            ..command(place, Some(nodes[n]), 7, false)
        })
        .collect();
    let units: Vec<PacedUnit> = [(1, 1), (2, 4), (3, 3)]
        .map(|(wave, locations)| PacedUnit {
            wave,
            locations,
            at_once: locations,
            errors: 2,
        })
        .into();
    let worst = Paced {
        units: &units,
        commands: &commands,
        locations: 8,
        waves: &alike(rates("50%", "0"), 6),
        location_errors: 2,
    }
    .worst_case();
    assert_eq!((worst.starts, worst.starts_at_once), (3, 1));
    assert_eq!(worst.locations_at_once, 4);
    assert_eq!(worst.nodes_at_once, Some(3 * 15), "the last wave's");
    // Two failed before the last wave, and all three of it may; or one before the second, and all four of it.
    assert_eq!(worst.locations_failing, 5);
    assert_eq!(worst.in_truth.locations_failing, 5);
    assert_eq!(worst.nodes_damaged, Some(3 * 30 + 2 * 20));
}

#[test]
fn units_side_by_side_each_spend_the_whole_error_budget_when_nobody_stops_them() {
    let worst = |budget: u32| {
        Paced {
            units: &units(&[20, 10, 10], budget, 3),
            commands: &[],
            locations: 40,
            waves: &alike(rates("1", "0"), budget),
            location_errors: 3,
        }
        .worst_case()
    };
    // Shares of 4, 2 and 2: each unit may fail in 3 locations and in those at work.
    let all = worst(8);
    assert_eq!((all.starts, all.starts_at_once, all.locations_at_once), (3, 3, 8));
    assert_eq!(
        (all.locations_failing, all.driver_dead.locations_failing),
        (17, 17)
    );
    assert_eq!(all.in_truth.locations_failing, 40);
    // One place each, for two of them: the third is not begun once more than 3 have failed.
    let two = worst(2);
    assert_eq!((two.starts_at_once, two.locations_at_once), (2, 2));
    assert_eq!(two.locations_failing, 3 + 4 + 4);
    assert_eq!(two.in_truth.locations_failing, 3 + 20 + 10);
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
        units: &units(&[1, 1, 1, 1], 1, 1),
        commands: &commands,
        locations: 4,
        waves: &alike(rates("1", "0"), 1),
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
        wave: 1,
        nodes: Some(PacedNodes { own, location: 23 }),
        ..command(&place, None, hours, false)
    };
    let worst = Paced {
        units: &units(&[1, 1], 1, 0),
        commands: &[of_23(20, 7), of_23(3, 9)],
        locations: 1,
        waves: &alike(rates("1", "0"), 1),
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
        units: &units(&[2], 1, 0),
        commands: &[command(&place, Some(1), 7, false), command(&place, None, 7, true)],
        locations: 2,
        waves: &alike(rates("1", "0"), 1),
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
            units: &units(&[1], 1, 0),
            commands: &[command(&place, Some(n), 7, false)],
            locations: 1,
            waves: &alike(rates(&c.to_string(), &e.to_string()), 1),
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
        wave: 1,
                nodes: Some(PacedNodes { own, location: all }),
                ..command(&place, None, 7, false)
            })
            .collect();
        let worst = Paced {
            units: &units(&vec![1; sizes.len()], 1, 0),
            commands: &commands,
            locations: 1,
            waves: &alike(rates(&c, &e), 1),
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
        let shared = self::units(&units, budget, e);
        let worst = Paced {
            units: &shared,
            commands: &[],
            locations: units.iter().sum(),
            waves: &alike(rates("1", "0"), budget),
            location_errors: e,
        }
        .worst_case();
        let bound = worst.locations_failing;
        let mut queue: Vec<PacedUnit> = shared.clone();
        let mut side_by_side = 0;
        let mut open: Vec<(u32, u32, u32, u32)> = vec![]; // c, waiting, flying, failed
        let mut total = 0;
        let mut turn = order.into_iter().chain(std::iter::repeat(7));
        loop {
            // A unit is over when nothing flies in it and AWS would begin nothing more.
            open.retain(|&(_, waiting, flying, failed)| flying > 0 || (waiting > 0 && failed <= e));
            while let Some(&PacedUnit { locations: n, at_once: c, .. }) = queue.first() {
                if total > e || open.iter().map(|unit| unit.0).sum::<u32>() + c > budget { break; }
                queue.remove(0);
                open.push((c, n, 0, 0));
            }
            if open.is_empty() { break; }
            side_by_side = side_by_side.max(open.len());
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
        prop_assert!(side_by_side <= worst.starts_at_once as usize, "{side_by_side} > {worst:?}");
    }
}
