//! Packing: exact, bounded, within AWS's sizes, and near the optimum. The validators and the
//! exhaustive search here share no code with what they check.

use crate::id::Location;
use crate::pack::{MAX_SIDE, Rectangle, pack};
use crate::tests::numbers::Numbers;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn location(account: usize, region: usize) -> Location {
    let account = format!("{:012}", account + 1).parse().unwrap();
    let region = format!("us-east-{}", region + 1).parse().unwrap();
    Location::new(account, region)
}

fn wanted(cells: impl IntoIterator<Item = (usize, usize)>) -> BTreeSet<Location> {
    cells.into_iter().map(|(a, r)| location(a, r)).collect()
}

/// Counts how often each pair is named, and compares with once for each that is wanted.
fn assert_exact(wanted: &BTreeSet<Location>, rectangles: &[Rectangle]) {
    let mut named: BTreeMap<String, u32> = BTreeMap::new();
    for rectangle in rectangles {
        assert!((1..=50).contains(&rectangle.accounts.len()), "{rectangle:?}");
        assert!((1..=50).contains(&rectangle.regions.len()), "{rectangle:?}");
        for account in &rectangle.accounts {
            for region in &rectangle.regions {
                *named.entry(format!("{account} {region}")).or_default() += 1;
            }
        }
    }
    let once: BTreeMap<String, u32> = wanted
        .iter()
        .map(|l| (format!("{} {}", l.account, l.region), 1))
        .collect();
    assert_eq!(named, once);
}

/// The fewest rectangles for each of the 2^(rows·columns) matrices, by taking away, in every
/// possible way, a rectangle that holds the lowest cell.
fn optimum_of_all(rows: u32, columns: u32) -> Vec<u8> {
    let mut rectangles = Vec::new();
    for row_set in 1_u32..1 << rows {
        for column_set in 1_u32..1 << columns {
            let mut cells = 0_u32;
            for row in (0..rows).filter(|row| row_set & (1 << row) != 0) {
                cells |= column_set << (row * columns);
            }
            rectangles.push(cells);
        }
    }
    let mut fewest = vec![0_u8; 1 << (rows * columns)];
    for matrix in 1_u32..1 << (rows * columns) {
        let lowest = matrix & matrix.wrapping_neg();
        fewest[matrix as usize] = rectangles
            .iter()
            .filter(|&&r| r & lowest != 0 && r & !matrix == 0)
            .map(|&r| 1 + fewest[(matrix & !r) as usize])
            .min()
            .unwrap();
    }
    fewest
}

fn cells_of(matrix: u32, rows: u32, columns: u32) -> BTreeSet<Location> {
    let cells = (0..rows * columns).filter(|cell| matrix & (1 << cell) != 0);
    wanted(cells.map(|cell| ((cell / columns) as usize, (cell % columns) as usize)))
}

#[test]
#[expect(clippy::disallowed_macros, reason = "the distance is to be printed")]
fn the_mean_distance_from_the_optimum_is_none_on_small_sets() {
    for (rows, columns, step) in [(3, 4, 1), (4, 4, 37)] {
        let fewest = optimum_of_all(rows, columns);
        let (mut sets, mut found, mut best) = (0_u32, 0_u32, 0_u32);
        for matrix in (1_u32..1 << (rows * columns)).step_by(step) {
            let set = cells_of(matrix, rows, columns);
            let rectangles = pack(&set);
            assert_exact(&set, &rectangles);
            sets += 1;
            found += u32::try_from(rectangles.len()).unwrap();
            best += u32::from(fewest[matrix as usize]);
        }
        let distance = f64::from(found - best) / f64::from(sets);
        println!(
            "{rows} accounts x {columns} Regions: {sets} sets, mean {:.3} rectangles, optimum {:.3}, mean distance {distance:.3}",
            f64::from(found) / f64::from(sets),
            f64::from(best) / f64::from(sets),
        );
        assert!(distance <= 0.01, "mean distance {distance}");
    }
}

#[test]
#[expect(clippy::disallowed_macros, reason = "the distance is to be printed")]
fn sets_made_of_few_rectangles_are_packed_into_about_as_few() {
    let mut numbers = Numbers(7);
    let (mut found, mut made) = (0, 0);
    for _ in 0..20 {
        let (mut free, mut cells) = (BTreeSet::new(), Vec::new());
        free.extend((0..40_usize).flat_map(|a| (0..12_usize).map(move |r| (a, r))));
        for _ in 0..60 {
            let rows: BTreeSet<usize> = (0..8).map(|_| numbers.below(40) as usize).collect();
            let columns: BTreeSet<usize> = (0..3).map(|_| numbers.below(12) as usize).collect();
            let block: Vec<_> = rows
                .iter()
                .flat_map(|&a| columns.iter().map(move |&r| (a, r)))
                .collect();
            if block.iter().all(|cell| free.contains(cell)) {
                block.iter().for_each(|cell| assert!(free.remove(cell)));
                cells.extend(block);
                made += 1;
            }
        }
        let set = wanted(cells);
        let rectangles = pack(&set);
        assert_exact(&set, &rectangles);
        found += rectangles.len();
    }
    println!("made of {made} rectangles, packed into {found}");
    assert!(found * 10 <= made * 13, "made of {made}, packed into {found}");
}

#[test]
fn nothing_wanted_needs_nothing() {
    assert_eq!(pack(&BTreeSet::new()), []);
}

#[test]
fn three_of_four_pairs_take_two_rectangles_that_have_three_locations() {
    let three = wanted([(0, 0), (0, 1), (1, 0)]);
    let rectangles = pack(&three);
    assert_eq!(rectangles.len(), 2);
    assert_eq!(rectangles.iter().map(Rectangle::len).sum::<usize>(), 3);
    assert_exact(&three, &rectangles);
}

#[test]
fn a_full_rectangle_over_awss_sizes_is_cut_and_no_more() {
    for (accounts, regions, starts) in [(50, 50, 1), (51, 3, 2), (3, 51, 2), (101, 51, 6), (120, 5, 3)] {
        let set = wanted((0..accounts).flat_map(|a| (0..regions).map(move |r| (a, r))));
        let rectangles = pack(&set);
        assert_exact(&set, &rectangles);
        assert_eq!(rectangles.len(), starts, "{accounts} x {regions}");
    }
}

#[test]
fn groups_of_accounts_with_the_same_regions_share_their_starts() {
    // 60 accounts have Regions 0 and 1, 40 have 0 to 2: {0,1} x 100 in two, {2} x 40 in one.
    let set = wanted(
        (0..60)
            .flat_map(|a| (0..2).map(move |r| (a, r)))
            .chain((60..100).flat_map(|a| (0..3).map(move |r| (a, r)))),
    );
    let rectangles = pack(&set);
    assert_exact(&set, &rectangles);
    assert!(rectangles.len() <= 3, "{}", rectangles.len());
}

#[test]
fn five_hundred_accounts_in_twenty_regions_are_packed_within_the_bounds() {
    let mut numbers = Numbers(1);
    for filled in [10, 50, 90] {
        let set = wanted(
            (0..500_usize)
                .flat_map(|a| (0..20_usize).map(move |r| (a, r)))
                .filter(|_| numbers.below(100) < filled),
        );
        let rectangles = pack(&set);
        assert_exact(&set, &rectangles);
        assert!(rectangles.len() <= 20 * 500_usize.div_ceil(MAX_SIDE));
    }
}

fn cells() -> impl Strategy<Value = Vec<(usize, usize)>> {
    let small = prop::collection::vec((0..8_usize, 0..8_usize), 0..50);
    let wide = prop::collection::vec((0..6_usize, 0..70_usize), 0..300);
    let tall = prop::collection::vec((0..130_usize, 0..5_usize), 0..400);
    prop_oneof![3 => small, 1 => wide, 1 => tall]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_wanted_pair_is_named_once_and_no_other(cells in cells()) {
        let set = wanted(cells);
        assert_exact(&set, &pack(&set));
    }

    #[test]
    fn it_is_never_worse_than_one_for_each_account_or_for_each_region(cells in cells()) {
        let set = wanted(cells);
        let mut by_account: BTreeMap<_, usize> = BTreeMap::new();
        let mut by_region: BTreeMap<_, usize> = BTreeMap::new();
        for location in &set {
            *by_account.entry(&location.account).or_default() += 1;
            *by_region.entry(&location.region).or_default() += 1;
        }
        let starts = |lines: Vec<usize>| lines.iter().map(|n| n.div_ceil(50)).sum::<usize>();
        let packed = pack(&set).len();
        prop_assert!(packed <= starts(by_account.into_values().collect()));
        prop_assert!(packed <= starts(by_region.into_values().collect()));
    }

    #[test]
    fn the_same_set_gives_the_same_rectangles_whatever_order_it_came_in(cells in cells()) {
        let mut backwards = cells.clone();
        backwards.reverse();
        let rectangles = pack(&wanted(cells));
        prop_assert_eq!(&rectangles, &pack(&wanted(backwards)));
        prop_assert!(rectangles.is_sorted());
        for rectangle in &rectangles {
            prop_assert!(rectangle.accounts.is_sorted() && rectangle.regions.is_sorted());
        }
    }
}
