//! What is asked for, and how often.

use super::{breaker, waves, when};
use crate::draft::{Fleet, IfUnknown, Label, Selector, Wish};
use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;

pub(super) fn wish() -> BoxedStrategy<Wish> {
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
        (prop::bool::weighted(0.1), prop::bool::weighted(0.25)),
        (nodes, locations, fleet(), label()),
        (waves::waves(), prop::bool::weighted(0.8), breaker::breaker()),
        (when::freezes(), when::calendars(), when::cutoff()),
    )
        .prop_map(
            |(
                (selector, operation, reboot),
                (gone, pin),
                (override_baseline, sends_itself),
                (nodes, locations, fleet, label),
                (waves, approves, breaker),
                (freezes, calendars, cutoff),
            )| {
                Wish {
                    selector,
                    operation,
                    reboot,
                    gone,
                    if_unknown: IfUnknown::default(),
                    pin,
                    override_baseline,
                    sends_itself,
                    nodes,
                    locations,
                    fleet,
                    label,
                    other_labels: vec![],
                    offline: "target",
                    waves,
                    approves,
                    breaker,
                    freezes,
                    calendars,
                    cutoff,
                }
            },
        )
        .boxed()
}

fn fleet() -> BoxedStrategy<Option<Fleet>> {
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
    prop::option::of(bounds.prop_filter("at least one bound", some)).boxed()
}

fn label() -> BoxedStrategy<Option<Label>> {
    let bound = || prop::option::of(prop_oneof![3 => Just("1"), 2 => Just("2"), 1 => Just("100%")]);
    let untagged = prop_oneof![2 => Just("together"), 1 => Just("unbounded")];
    let bounds = (bound(), bound(), untagged).prop_map(|(in_flight, damaged, untagged)| Label {
        in_flight,
        damaged,
        untagged,
    });
    let some = |label: &Label| label.in_flight.is_some() || label.damaged.is_some();
    prop::option::weighted(0.3, bounds.prop_filter("at least one bound", some)).boxed()
}
