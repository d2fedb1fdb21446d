//! Which waves there are.

use crate::draft::{Gate, Has, Own, Wave};
use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;

pub(super) fn waves() -> BoxedStrategy<Vec<Wave>> {
    let has = prop_oneof![
        2 => prop_oneof![Just((Has::Region(0), Has::Count(1))), Just((Has::Region(1), Has::Region(0)))],
        2 => prop_oneof![Just((Has::Account(0), Has::Account(1))), Just((Has::Account(1), Has::Count(2)))],
        1 => Just((Has::Count(1), Has::Region(0))),
        1 => Just((Has::Count(2), Has::Count(1))),
        1 => (1..8_u32).prop_map(|nodes| (Has::Nodes(nodes), Has::Region(0))),
        1 => (1..8_u32, 1..30_u32).prop_map(|(first, second)| (Has::Nodes(first), Has::Nodes(second))),
    ];
    let named = (has, wave(), wave(), any::<bool>()).prop_map(|((one, two), first, second, both)| {
        let mut waves = vec![Wave { has: one, ..first }];
        if both {
            waves.push(Wave { has: two, ..second });
        }
        waves
    });
    prop_oneof![1 => Just(vec![]), 1 => named].boxed()
}

fn wave() -> impl Strategy<Value = Wave> {
    let soak = prop::option::weighted(0.4, prop_oneof![Just(1_u32), Just(10), Just(90)]);
    let failed = prop::option::of(prop_oneof![Just("0"), Just("1"), Just("30%"), Just("60%")]);
    let unreached = prop::option::of(prop_oneof![Just("0"), Just("2"), Just("50%")]);
    let gate = (failed, unreached, prop_oneof![3 => Just(1_u32), 1 => 2..6_u32]).prop_map(
        |(failed, unreached, sample)| {
            let gate = Gate {
                failed,
                unreached,
                sample,
            };
            (failed.is_some() || unreached.is_some()).then_some(gate)
        },
    );
    (soak, gate, prop::bool::weighted(0.3), own()).prop_map(|(soak_minutes, gate, approval, own)| Wave {
        has: Has::Count(1),
        soak_minutes,
        gate,
        approval,
        own,
    })
}

/// What a wave has of its own: half of them have nothing.
fn own() -> impl Strategy<Value = Own> {
    let patch = (
        prop::bool::weighted(0.3),
        prop::option::weighted(0.3, prop_oneof![Just("RebootIfNeeded"), Just("NoReboot")]),
    );
    let nodes = (
        prop_oneof![Just("1"), Just("2"), Just("50%")],
        prop_oneof![Just("0"), Just("1"), Just("100%")],
    );
    let locations = (
        prop::option::weighted(0.3, 1..4_u32),
        prop::option::weighted(0.2, prop_oneof![Just("0"), Just("1"), Just("50%")]),
    );
    let fleet = (
        prop::option::weighted(0.2, prop_oneof![Just("1"), Just("2"), Just("40%")]),
        prop::option::weighted(0.15, prop_oneof![Just("1"), Just("2"), Just("50%")]),
    );
    let some = (patch, prop::option::weighted(0.3, nodes), locations, fleet).prop_map(
        |((scans, reboot), nodes, (locations, location_errors), (in_flight, damaged))| Own {
            scans,
            reboot,
            nodes,
            locations,
            location_errors,
            in_flight,
            damaged,
        },
    );
    prop_oneof![1 => Just(Own::default()), 1 => some]
}
