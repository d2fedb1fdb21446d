//! Which drafts are drawn, and how often each thing stands in one.

mod breaker;
mod waves;
mod when;
mod wish;

use super::course::{Course, courses};
use super::further::further;
use super::obstacle::obstacles;
use super::{Death, Deed, Draft, Hand, Machine, Place, REGIONS, Selector, Wish};
use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;
use wish::wish;

fn machine() -> BoxedStrategy<Machine> {
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
    (reachability, outcome, prop::bool::weighted(0.2))
        .prop_map(|(reachability, outcome, hybrid)| Machine {
            reachability,
            outcome,
            hybrid: hybrid && reachability != "stopped",
        })
        .boxed()
}

fn place() -> BoxedStrategy<Place> {
    let members = prop_oneof![
        8 => prop::collection::vec(machine(), 1..5),
        1 => Just(vec![]),
        1 => prop::collection::vec(machine(), 20..24),
    ];
    (members, prop::collection::vec(machine(), 0..2))
        .prop_map(|(members, others)| Place { members, others })
        .boxed()
}

fn deed() -> BoxedStrategy<Deed> {
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
    .boxed()
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

/// Worlds of one to three accounts in two Regions, with a request and up to four deeds of others. Rough ones have drivers beside
/// each other, calls that fail, sleeps, logs that lose their end, and further campaigns for what was left. Of both, a tenth meets with
/// obstacles when it is planned, and some say what few requests do.
pub(crate) fn drafts(rough: bool) -> BoxedStrategy<Draft> {
    let with = |(mut draft, (obstacles, if_unknown), more): (Draft, _, _)| {
        draft.obstacles = obstacles;
        draft.wish.if_unknown = if_unknown;
        draft.with(more)
    };
    (planned_drafts(rough), obstacles(), further())
        .prop_map(with)
        .boxed()
}

fn planned_drafts(rough: bool) -> BoxedStrategy<Draft> {
    let drafts = prop_oneof![
        12 => any_drafts(),
        4 => drafts_in_turns(),
        1 => drafts_that_fail(),
    ];
    if !rough {
        return drafts.boxed();
    }
    let with = |(draft, course, loses): (Draft, Course, Option<Death>)| {
        let mut draft = Draft { course, ..draft };
        if let Some(death) = loses.filter(|_| draft.course.restore.is_some()) {
            // What AWS takes no client token for would take effect twice.
            draft.wish.sends_itself = true;
            draft.deaths.insert(0, death);
        }
        draft.made_valid()
    };
    let loses = prop::option::weighted(0.6, (2..14_usize).prop_map(Death::Turns));
    (drafts, courses(), loses).prop_map(with).boxed()
}

/// Campaigns of which much fails, whose budgets stop nothing, and in which nobody meddles, so that a breaker has something to do.
fn drafts_that_fail() -> BoxedStrategy<Draft> {
    let machine = || {
        prop_oneof![1 => Just("ok"), 1 => Just("fails"), 1 => Just("succeeds_with_failed_patches")].prop_map(
            |outcome| Machine {
                reachability: "online",
                outcome,
                hybrid: false,
            },
        )
    };
    let place = (prop::collection::vec(machine(), 1..4)).prop_map(|members| Place {
        members,
        others: vec![],
    });
    let places = prop::collection::vec(place, 3 * REGIONS.len());
    let breaker = breaker::breaker().prop_filter("a breaker", Option::is_some);
    (any::<u32>(), places, (wish(), 1..3_u32), breaker, deaths())
        .prop_map(|(seed, places, (wish, at_once), breaker, deaths)| {
            let draft = Draft {
                seed,
                start: "2026-03-01T00:00:00Z",
                places,
                wish: Wish {
                    nodes: ("100%", "100%"),
                    locations: (at_once, "100%"),
                    fleet: None,
                    label: None,
                    waves: vec![],
                    breaker,
                    ..wish
                },
                hands: vec![],
                obstacles: vec![],
                idle: 0,
                deaths,
                goes_on: false,
                cascades: true,
                course: Course::default(),
            };
            draft.made_valid()
        })
        .boxed()
}

fn any_drafts() -> BoxedStrategy<Draft> {
    let hands = prop::collection::vec(hand(deed(), any_time()), 0..5);
    let scene = (places(1..=3), wish(), goes_on(), cascades());
    (any::<u32>(), when::start(), scene, hands, idle(), deaths())
        .prop_map(
            |(seed, start, (places, wish, goes_on, cascades), hands, idle, deaths)| {
                let draft = Draft {
                    seed,
                    start,
                    places,
                    wish,
                    hands,
                    obstacles: vec![],
                    idle,
                    deaths,
                    goes_on,
                    cascades,
                    course: Course::default(),
                };
                draft.made_valid()
            },
        )
        .boxed()
}

/// Campaigns whose locations begin one after the other and whose budgets stop nothing, so that what
/// somebody does in the middle has something to stop.
fn drafts_in_turns() -> BoxedStrategy<Draft> {
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
    (any::<u32>(), when::start(), scene, hands, idle(), deaths())
        .prop_map(
            |(
                seed,
                start,
                (places, wish, selector, goes_on, cascades),
                (stopping, mut hands),
                idle,
                deaths,
            )| {
                hands.push(stopping);
                let draft = Draft {
                    seed,
                    start,
                    places,
                    wish: Wish {
                        selector,
                        nodes: ("100%", "100%"),
                        locations: (1, "100%"),
                        ..wish
                    },
                    hands,
                    obstacles: vec![],
                    idle: idle.min(60),
                    deaths,
                    goes_on,
                    cascades,
                    course: Course::default(),
                };
                draft.made_valid()
            },
        )
        .boxed()
}

fn places(accounts: std::ops::RangeInclusive<usize>) -> BoxedStrategy<Vec<Place>> {
    accounts
        .prop_flat_map(|accounts| prop::collection::vec(place(), accounts * REGIONS.len()))
        .boxed()
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
