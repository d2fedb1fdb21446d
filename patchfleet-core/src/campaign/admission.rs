//! Whether a unit may be begun: one rule a file, asked in a fixed order.
//!
//! A rule looks at the state and the time, and says [`Verdict::Begin`] as long as it has nothing against the
//! unit. The first rule that has something against it is the reason why the unit waits, or why it is never
//! begun.

use super::rule::{Rule, is_asked};
use super::state::State;
use crate::id::{Location, NodeId, UnitId};
use jiff::Timestamp;
use std::collections::BTreeSet;

pub(super) mod alarm;
pub(super) mod approval;
pub(super) mod breaker;
pub(super) mod budget;
pub(super) mod calendars;
pub(super) mod fleet;
pub(super) mod freeze;
pub(super) mod gate;
mod hold;
pub(super) mod labels;
pub(super) mod order;
pub(super) mod soak;
pub(super) mod stop;
pub(super) mod wave;

pub use hold::{Hold, HoldReason};

/// What a rule says of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The rule has nothing against it.
    Begin,
    /// Not now.
    Hold {
        reason: HoldReason,
        /// When to ask again, if that is known. Otherwise whatever happens next is the time.
        until: Option<Timestamp>,
    },
    /// Not as it is: nothing is in flight that would make room, and there is room for some of the nodes that it names.
    Divide(Keeps),
    /// Not now, and never unless a person says that the campaign goes on.
    Never,
}

/// Which of the nodes that it names a unit keeps when it is divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Keeps {
    /// So many, at least 1, whichever they are.
    Count(u32),
    /// These, at least one.
    Nodes(Vec<NodeId>),
}

/// A rule: its name, and what it says.
type Asked = (Rule, fn(&State, UnitId, Timestamp) -> Verdict);

/// The rules, in the order in which they are asked.
const RULES: [Asked; 13] = [
    (Rule::Stop, stop::verdict),
    (Rule::Breaker, breaker::verdict),
    (Rule::Wave, wave::verdict),
    (Rule::Gate, gate::verdict),
    (Rule::Approval, approval::verdict),
    (Rule::Soak, soak::verdict),
    (Rule::Freeze, freeze::verdict),
    (Rule::Calendars, calendars::verdict),
    (Rule::Alarm, alarm::verdict),
    (Rule::Order, order::verdict),
    (Rule::Budget, budget::verdict),
    (Rule::Fleet, fleet::verdict),
    (Rule::Labels, labels::verdict),
];

/// What is to become of the units that wait.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Admitted {
    /// The unit that may be begun.
    pub(super) begin: Option<UnitId>,
    /// The unit that is divided first, and which nodes it keeps.
    pub(super) divide: Option<(UnitId, Keeps)>,
    /// Units that are never begun.
    pub(super) never: Vec<UnitId>,
    /// Why the next unit is not begun.
    pub(super) hold: Option<Hold>,
    /// Units before it that have to wait for something of their own until these times.
    pub(super) later: Vec<(UnitId, Timestamp)>,
    /// Units before it that wait for room for a value of their nodes.
    pub(super) passed: Vec<Hold>,
}

/// How many units that wait for room for a value of their nodes are passed over. So a decision costs the same however many wait.
const PASSED_OVER: usize = 256;

/// Asks the rules about the units that wait, up to the first that may be begun or has to wait for others. One that
/// waits for the nodes of its own last command keeps no other back, nor does one that waits for room for a value of its nodes,
/// up to [`PASSED_OVER`] of these.
pub(super) fn admit(state: &State, now: Timestamp) -> Admitted {
    admit_beside(state, &BTreeSet::new(), now)
}

/// The same beside locations in which nothing may begin, as it cannot be seen what runs there. Each node that a unit of theirs
/// names may be in flight or damaged.
pub(super) fn admit_beside(state: &State, aside: &BTreeSet<Location>, now: Timestamp) -> Admitted {
    let mut admitted = Admitted::default();
    if state.is_stopped(now) {
        admitted.never = state.waiting().collect();
        return admitted;
    }
    for unit in state.ready() {
        if state.is_aside(unit, aside) {
            continue;
        }
        let said = match ask(state, unit, now) {
            said @ (_, Verdict::Begin | Verdict::Divide(_)) if !aside.is_empty() => {
                match fleet::verdict_beside(state, unit, aside, now) {
                    Verdict::Begin => said,
                    against => (Rule::Fleet, against),
                }
            }
            said => said,
        };
        match said {
            (_, Verdict::Never) => admitted.never.push(unit),
            (_, Verdict::Divide(keeps)) => {
                admitted.divide = Some((unit, keeps));
                break;
            }
            (_, Verdict::Begin) => {
                admitted.begin = Some(unit);
                break;
            }
            (
                _,
                Verdict::Hold {
                    reason: HoldReason::NextAttempt,
                    until: Some(until),
                },
            ) => admitted.later.push((unit, until)),
            (Rule::Labels, Verdict::Hold { reason, until }) if admitted.passed.len() < PASSED_OVER => {
                admitted.passed.push(Hold {
                    unit,
                    rule: Rule::Labels,
                    reason,
                    until,
                });
            }
            (rule, Verdict::Hold { reason, until }) => {
                admitted.hold = Some(Hold {
                    unit,
                    rule,
                    reason,
                    until,
                });
                break;
            }
        }
    }
    if admitted.begin.is_none()
        && admitted.divide.is_none()
        && admitted.hold.is_none()
        && !admitted.passed.is_empty()
    {
        admitted.hold = Some(admitted.passed.remove(0));
    }
    admitted
}

/// Whether a unit may be begun beside such locations, as far as they go.
pub(super) fn may_be_begun_beside(
    state: &State,
    unit: UnitId,
    aside: &BTreeSet<Location>,
    now: Timestamp,
) -> bool {
    aside.is_empty()
        || (!state.is_aside(unit, aside) && fleet::verdict_beside(state, unit, aside, now) == Verdict::Begin)
}

/// The units that may be begun now, each if no other is, in their order. Beyond the first, whoever begins them has to
/// see that there are places for all.
pub(super) fn admitted_from(state: &State, first: UnitId, now: Timestamp) -> impl Iterator<Item = UnitId> {
    let ready = state.ready().skip_while(move |unit| *unit != first);
    let asked = ready.map(move |unit| (unit, ask(state, unit, now)));
    let mut passed = 0;
    asked
        .take_while(move |(_, (rule, verdict))| {
            let own = HoldReason::NextAttempt;
            let is_held = matches!(verdict, Verdict::Hold { reason, .. } if *reason != own);
            passed += usize::from(is_held);
            let is_passed = *rule == Rule::Labels && passed <= PASSED_OVER;
            (!is_held || is_passed) && !matches!(verdict, Verdict::Divide(_))
        })
        .filter(|(_, (_, verdict))| *verdict == Verdict::Begin)
        .map(|(unit, _)| unit)
}

/// What the first rule says that has something against the unit.
fn ask(state: &State, unit: UnitId, now: Timestamp) -> (Rule, Verdict) {
    for (rule, verdict) in RULES {
        if !is_asked(rule) {
            continue;
        }
        match verdict(state, unit, now) {
            Verdict::Begin => {}
            against => return (rule, against),
        }
    }
    (Rule::Order, Verdict::Begin)
}

/// What the first rule about waves says that has something against the unit.
fn ask_of_waves(state: &State, unit: UnitId, now: Timestamp) -> Option<(Rule, Verdict)> {
    let of_waves = |(rule, _): &Asked| matches!(rule, Rule::Wave | Rule::Gate | Rule::Approval | Rule::Soak);
    let asked = RULES.into_iter().filter(of_waves);
    let mut asked = asked.map(|(rule, verdict)| (rule, verdict(state, unit, now)));
    asked.find(|(_, verdict)| *verdict != Verdict::Begin)
}

impl State {
    /// Whether a unit is of one of these locations.
    pub(super) fn is_aside(&self, unit: UnitId, aside: &BTreeSet<Location>) -> bool {
        let locations = || {
            self.units()
                .get(&unit)
                .into_iter()
                .flat_map(|unit| unit.locations.keys())
        };
        !aside.is_empty() && locations().any(|location| aside.contains(location))
    }

    /// What is known of each unit that is unresolved, and what a person can say.
    pub(crate) fn unresolved_holds(&self, now: Timestamp) -> impl Iterator<Item = Hold> {
        self.unresolved().map(move |unit| Hold {
            unit,
            rule: Rule::Person,
            reason: HoldReason::Person {
                campaign: self.campaign(),
                unit,
                detail: self.why_unresolved(unit).to_owned(),
                kept: self
                    .keeps_from_sending_again(unit, now)
                    .map(|kept| kept.to_string()),
            },
            until: None,
        })
    }

    /// Why each unit that is to be begun still has not been, in the order of the units, and what each unit waits
    /// for of which nobody knows whether it runs ([`unresolved`](Self::unresolved)). Of the others none is named
    /// once nothing more is begun: then [`stop_reason`](Self::stop_reason) says why.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> Vec<Hold> {
        if self.finished().is_some() || self.name_taken_by().is_some() {
            return vec![];
        }
        let mut holds: Vec<Hold> = self.unresolved_holds(now).collect();
        if self.is_stopped(now) {
            return holds;
        }
        holds.extend(self.intended().map(|unit| self.hold_of_intended(unit)));
        let admitted = admit(self, now);
        holds.extend(admitted.passed.iter().cloned());
        let divided = admitted.divide.map(|(unit, _)| unit);
        let first = admitted
            .begin
            .or(divided)
            .or(admitted.hold.as_ref().map(|hold| hold.unit));
        holds.extend(admitted.hold);
        holds.extend(admitted.later.iter().map(|(unit, until)| Hold {
            unit: *unit,
            rule: Rule::Order,
            reason: HoldReason::NextAttempt,
            until: Some(*until),
        }));
        let told: BTreeSet<UnitId> = holds.iter().map(|hold| hold.unit).collect();
        let never: BTreeSet<UnitId> = admitted.never.into_iter().collect();
        let others = self
            .waiting()
            .filter(|unit| Some(*unit) != first && !never.contains(unit) && !told.contains(unit));
        holds.extend(others.filter_map(|unit| {
            if let Some((rule, Verdict::Hold { reason, until })) = ask_of_waves(self, unit, now) {
                return Some(Hold {
                    unit,
                    rule,
                    reason,
                    until,
                });
            }
            let reason = match self.busy_location(unit) {
                Some(location) => HoldReason::Location {
                    location: location.clone(),
                },
                None => HoldReason::Turn { after: first? },
            };
            Some(Hold {
                unit,
                rule: Rule::Order,
                reason,
                until: None,
            })
        }));
        holds.sort_by_key(|hold| hold.unit);
        holds
    }

    fn hold_of_intended(&self, unit: UnitId) -> Hold {
        use super::StartState;
        let put_off = self.units().get(&unit).and_then(|unit| match &unit.start {
            StartState::Intended(intent) if intent.in_doubt.is_empty() => intent.deferred.clone(),
            _ => None,
        });
        Hold {
            unit,
            rule: Rule::Order,
            reason: match put_off {
                Some((kind, detail)) => HoldReason::Aws { kind, detail },
                None => HoldReason::OwnAnswer,
            },
            until: None,
        }
    }
}
