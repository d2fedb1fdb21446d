//! Shares that a person can check, and the rules that they keep for all sizes.

use super::*;
use proptest::prelude::*;

#[test]
fn six_units_share_out_the_places_in_proportion_to_their_locations() {
    let sizes = [255, 170, 100, 50, 20, 3];
    assert_eq!(of_places(60, &sizes), [25, 17, 10, 5, 2, 1]);
    assert_eq!(of_places(6, &sizes), [1; 6]);
    assert_eq!(of_places(598, &sizes), sizes);
    assert_eq!(of_places(1_000, &sizes), sizes);
}

#[test]
fn where_units_are_more_than_places_each_has_its_part_rounded_down_and_at_least_one() {
    assert_eq!(of_places(1, &[40, 30, 2]), [1, 1, 1]);
    assert_eq!(of_places(5, &[400, 100, 50, 40, 5, 3]), [3, 1, 1, 1, 1, 1]);
    assert_eq!(of_places(0, &[2]), [1]);
}

#[test]
fn an_error_budget_that_nobody_watches_over_leaves_small_units_without_a_share() {
    assert_eq!(of_errors(3, &[10, 10, 1]), [2, 1, 0]);
    assert_eq!(of_errors(0, &[10, 10]), [0, 0]);
    assert_eq!(of_errors(10, &[60, 30, 10]), [6, 3, 1]);
}

fn sizes() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(prop_oneof![1_u32..4, 1_u32..60, Just(2_500)], 1..12)
}

fn sum(shares: &[u32]) -> u32 {
    shares.iter().sum()
}

proptest! {
    #[test]
    fn places_that_suffice_for_all_units_are_shared_out_whole(sizes in sizes(), more in 0_u32..3_000) {
        let places = u32::try_from(sizes.len()).unwrap() + more;
        let shares = of_places(places, &sizes);
        prop_assert_eq!(sum(&shares), places.min(sum(&sizes)));
        prop_assert!(shares.iter().zip(&sizes).all(|(share, size)| (1..=*size).contains(share)));
    }

    /// No other shares of the same sum let the slowest unit end sooner. A unit of n locations with a share
    /// of s takes at least n / s turns.
    #[test]
    fn the_unit_that_takes_longest_takes_as_short_as_it_can(sizes in sizes(), more in 0_u32..100) {
        let places = u32::try_from(sizes.len()).unwrap() + more;
        let shares = of_places(places, &sizes);
        let slowest = shares.iter().zip(&sizes).map(|(s, n)| f64::from(*n) / f64::from(*s)).fold(0.0, f64::max);
        // To end sooner than that, each unit would need this many places.
        let needed = sizes.iter().map(|n| (f64::from(*n) / (slowest - 1e-6)).ceil());
        prop_assert!(slowest <= 1.0 || needed.sum::<f64>() > f64::from(places));
    }

    #[test]
    fn a_unit_that_has_to_wait_has_a_place_and_never_more_than_there_are(
        sizes in prop::collection::vec(1_u32..60, 2..12), places in 1_u32..11,
    ) {
        prop_assume!(places < u32::try_from(sizes.len()).unwrap());
        let shares = of_places(places, &sizes);
        let total = sum(&sizes);
        for (share, size) in shares.iter().zip(&sizes) {
            prop_assert!((1..=places.min(*size)).contains(share));
            prop_assert!(*share == 1 || *share * total <= places * *size);
        }
    }

    #[test]
    fn more_places_give_no_unit_less_while_all_have_one(sizes in sizes(), more in 0_u32..200) {
        let places = u32::try_from(sizes.len()).unwrap() + more;
        let (before, after) = (of_places(places, &sizes), of_places(places + 1, &sizes));
        prop_assert!(before.iter().zip(&after).all(|(before, after)| before <= after));
    }

    #[test]
    fn a_unit_with_more_locations_never_has_fewer_places(sizes in sizes(), places in 1_u32..300) {
        let shares = of_places(places, &sizes);
        for (a, share) in sizes.iter().zip(&shares) {
            for (b, other) in sizes.iter().zip(&shares) {
                prop_assert!(a <= b || share >= other);
            }
        }
    }

    #[test]
    fn an_error_budget_is_shared_out_whole_and_near_its_proportion(sizes in sizes(), errors in 0_u32..300) {
        let errors = errors.min(sum(&sizes));
        let shares = of_errors(errors, &sizes);
        prop_assert_eq!(sum(&shares), errors);
        prop_assert!(shares.iter().zip(&sizes).all(|(share, size)| share <= size));
        let more = of_errors(errors + 1, &sizes);
        prop_assert!(shares.iter().zip(&more).all(|(before, after)| before <= after));
    }
}
