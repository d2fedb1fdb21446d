//! Which drafts are drawn, and how often each thing stands in one.

use super::{
    Death, Deed, Draft, Fleet, Gate, Hand, Has, Label, Machine, Place, REGIONS, Selector, Wave, Wish,
};
use proptest::prelude::*;

fn machine() -> impl Strategy<Value = Machine> {
    let reachability = prop_oneof![
        12 => Just("online"),
        1 => Just("offline"),
        1 => Just("unmanaged"),
        1 => Just("stopped"),
    ];
    let outcome = prop_oneof![
        10 => Just("ok"),
        1 => Just("fails"),
        1 => Just("fails_before_patching"),
        1 => Just("succeeds_with_failed_patches"),
        1 => Just("never_returns"),
        1 => Just("vanishes"),
        1 => Just("stuck"),
        1 => Just("undeliverable"),
    ];
    (reachability, outcome, prop::bool::weighted(0.2)).prop_map(|(reachability, outcome, hybrid)| Machine {
        reachability,
        outcome,
        hybrid: hybrid && reachability != "stopped",
    })
}

fn place() -> impl Strategy<Value = Place> {
    let members = prop_oneof![
        8 => prop::collection::vec(machine(), 1..5),
        1 => Just(vec![]),
        1 => prop::collection::vec(machine(), 20..24),
    ];
    (members, prop::collection::vec(machine(), 0..2)).prop_map(|(members, others)| Place { members, others })
}

fn wish() -> impl Strategy<Value = Wish> {
    let selector = prop_oneof![
        5 => Just(Selector::Group),
        1 => Just(Selector::Tags),
        2 => Just(Selector::AllManaged),
        2 => Just(Selector::NodeIds),
    ];
    let operation = prop_oneof![1 => Just("Scan"), 5 => Just("Install")];
    let nodes = (
        prop_oneof![Just("1"), Just("2"), Just("50%"), Just("100%")],
        prop_oneof![Just("0"), Just("1"), Just("10%"), Just("100%")],
    );
    let locations = (1..5_u32, prop_oneof![Just("0"), Just("1"), Just("100%")]);
    (
        (
            selector,
            operation,
            prop_oneof![Just("RebootIfNeeded"), Just("NoReboot")],
        ),
        (
            prop_oneof![3 => Just("accept"), 1 => Just("fail")],
            prop_oneof![Just("default"), Just("version")],
        ),
        prop::bool::weighted(0.1),
        (nodes, locations, fleet(), label()),
        (waves(), prop::bool::weighted(0.8)),
    )
        .prop_map(
            |(
                (selector, operation, reboot),
                (gone, pin),
                override_baseline,
                (nodes, locations, fleet, label),
                (waves, approves),
            )| {
                Wish {
                    selector,
                    operation,
                    reboot,
                    gone,
                    pin,
                    override_baseline,
                    nodes,
                    locations,
                    fleet,
                    label,
                    waves,
                    approves,
                }
            },
        )
}

fn waves() -> impl Strategy<Value = Vec<Wave>> {
    let has = prop_oneof![
        2 => prop_oneof![Just((Has::Region(0), Has::Count(1))), Just((Has::Region(1), Has::Region(0)))],
        2 => prop_oneof![Just((Has::Account(0), Has::Account(1))), Just((Has::Account(1), Has::Count(2)))],
        1 => Just((Has::Count(1), Has::Region(0))),
        1 => Just((Has::Count(2), Has::Count(1))),
    ];
    let named = (has, wave(), wave(), any::<bool>()).prop_map(|((one, two), first, second, both)| {
        let mut waves = vec![Wave { has: one, ..first }];
        if both {
            waves.push(Wave { has: two, ..second });
        }
        waves
    });
    prop_oneof![1 => Just(vec![]), 1 => named]
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
    (soak, gate, prop::bool::weighted(0.3)).prop_map(|(soak_minutes, gate, approval)| Wave {
        has: Has::Count(1),
        soak_minutes,
        gate,
        approval,
    })
}

fn fleet() -> impl Strategy<Value = Option<Fleet>> {
    let bound = || {
        prop::option::of(prop_oneof![
            Just("1"),
            Just("2"),
            Just("4"),
            Just("40%"),
            Just("100%")
        ])
    };
    let unreached = prop::option::weighted(0.3, prop_oneof![Just("0"), Just("1"), Just("50%")]);
    let bounds = (bound(), bound(), unreached).prop_map(|(in_flight, damaged, unreached)| Fleet {
        in_flight,
        damaged,
        unreached,
    });
    let some =
        |fleet: &Fleet| fleet.in_flight.is_some() || fleet.damaged.is_some() || fleet.unreached.is_some();
    prop::option::of(bounds.prop_filter("at least one bound", some))
}

fn label() -> impl Strategy<Value = Option<Label>> {
    let bound = || prop::option::of(prop_oneof![3 => Just("1"), 2 => Just("2"), 1 => Just("100%")]);
    let untagged = prop_oneof![2 => Just("together"), 1 => Just("unbounded")];
    let bounds = (bound(), bound(), untagged).prop_map(|(in_flight, damaged, untagged)| Label {
        in_flight,
        damaged,
        untagged,
    });
    let some = |label: &Label| label.in_flight.is_some() || label.damaged.is_some();
    prop::option::weighted(0.3, bounds.prop_filter("at least one bound", some))
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => Just(Deed::LeaveGroup),
        3 => Just(Deed::JoinGroup),
        1 => Just(Deed::DeleteGroup),
        3 => Just(Deed::Stop),
        3 => Just(Deed::Terminate),
        1 => Just(Deed::Start),
        2 => Just(Deed::LoseAgent),
        1 => Just(Deed::GainAgent),
        1 => Just(Deed::TakeRole),
        1 => Just(Deed::DenyResults),
        1 => Just(Deed::DenySending),
        1 => Just(Deed::CancelExecutions),
        1 => Just(Deed::CancelChildren),
        2 => Just(Deed::CancelCommands),
        1 => Just(Deed::ReplaceRunbook),
        1 => Just(Deed::DeleteRunbook),
        1 => Just(Deed::CopyAppears),
        1 => Just(Deed::Alarm),
    ]
}

/// Seconds after the start.
fn any_time() -> impl Strategy<Value = u32> {
    prop_oneof![1..20_u32, 1..600_u32, 1..6_000_u32, 1..60_000_u32]
}

fn hand(deed: impl Strategy<Value = Deed>, at: impl Strategy<Value = u32>) -> impl Strategy<Value = Hand> {
    (at, deed, any::<u8>(), 1..4_u32).prop_map(|(at, deed, place, count)| Hand {
        at,
        deed,
        place: place.into(),
        count,
    })
}

/// Worlds of one to three accounts in two Regions, with a request and up to four deeds of others.
pub(crate) fn drafts() -> impl Strategy<Value = Draft> {
    prop_oneof![3 => any_drafts().boxed(), 1 => drafts_in_turns().boxed()]
}

fn any_drafts() -> impl Strategy<Value = Draft> {
    let hands = prop::collection::vec(hand(deed(), any_time()), 0..5);
    let scene = (places(1..=3), wish(), goes_on(), cascades());
    (any::<u32>(), scene, hands, idle(), deaths()).prop_map(
        |(seed, (places, wish, goes_on, cascades), hands, idle, deaths)| {
            let mut draft = Draft {
                seed,
                places,
                wish,
                hands,
                idle,
                deaths,
                goes_on,
                cascades,
            };
            draft.drop_waves_of_nobody();
            if draft.wish.selector == Selector::NodeIds && draft.selected().is_empty() {
                // A request names at least one node.
                draft.wish.selector = Selector::Group;
            }
            draft
        },
    )
}

/// Campaigns whose locations begin one after the other and whose budgets stop nothing, so that what
/// somebody does in the middle has something to stop.
fn drafts_in_turns() -> impl Strategy<Value = Draft> {
    let stopping = prop_oneof![
        2 => Just(Deed::CancelExecutions),
        1 => Just(Deed::CancelChildren),
        1 => Just(Deed::CancelCommands),
        2 => Just(Deed::ReplaceRunbook),
        1 => Just(Deed::DeleteRunbook),
        2 => Just(Deed::CopyAppears),
    ];
    let hands = (
        hand(stopping, 30..1_500_u32),
        prop::collection::vec(hand(deed(), any_time()), 0..3),
    );
    // Those of a group have one execution for all of them, or few.
    let selector = prop_oneof![2 => Just(Selector::AllManaged), 1 => Just(Selector::Group)];
    let scene = (places(2..=3), wish(), selector, goes_on(), cascades());
    (any::<u32>(), scene, hands, idle(), deaths()).prop_map(
        |(seed, (places, wish, selector, goes_on, cascades), (stopping, mut hands), idle, deaths)| {
            hands.push(stopping);
            Draft {
                seed,
                places,
                wish: Wish {
                    selector,
                    nodes: ("100%", "100%"),
                    locations: (1, "100%"),
                    ..wish
                },
                hands,
                idle: idle.min(60),
                deaths,
                goes_on,
                cascades,
            }
        },
    )
}

fn places(accounts: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<Place>> {
    accounts.prop_flat_map(|accounts| prop::collection::vec(place(), accounts * REGIONS.len()))
}

fn idle() -> impl Strategy<Value = u32> {
    prop_oneof![2 => Just(0_u32), 1 => 1..900_u32]
}

fn goes_on() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.5)
}

fn cascades() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.7)
}

fn deaths() -> impl Strategy<Value = Vec<Death>> {
    let death = prop_oneof![
        1 => (0..12_usize).prop_map(Death::Turns),
        1 => (0..200_usize).prop_map(Death::Polls),
    ];
    prop::collection::vec(death, 0..4)
}
