//! What to do next: a pure function of the state, of what this driver asked before, and of the time.

use super::polls::{LocationPolls, Polls, UnitPolls, later};
use super::state::{Intent, StartState, State, UnitState};
use crate::id::{Location, UnitId};
use crate::outcome::FinishedOutcome;
use crate::port::{ExecutionStatus, PortErrorKind};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// How long after a start was sent it is first looked for. AWS is eventually consistent: what was
/// just started need not be listed yet. It also leaves another driver, if there is one, the time
/// to say what became of its call. For as long an execution has to be over before it is said that it began
/// nothing in a location.
pub const LOOK_UP_AFTER: SignedDuration = SignedDuration::from_secs(15);

/// How long after a start was first sent it may be sent again, with the same client token. AWS
/// does not say how long it remembers a token; every idempotent AWS call that does say remembers
/// it for longer than this.
pub const RESEND_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// How long a start that AWS puts off (throttled, queue full) is tried again.
pub const START_PATIENCE: SignedDuration = SignedDuration::from_hours(6);

/// How many locations are collected in one turn. What a turn learned is written down at its end, so
/// this bounds the node results that are held in memory, and what is read again if the driver is
/// stopped before.
pub const COLLECTS_A_TURN: usize = 32;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// These, at once, in any order.
    Act(Vec<Action>),
    /// Nothing before this instant.
    Wait(Timestamp),
    /// Nothing any more.
    Done(FinishedOutcome),
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send the start of a unit: nothing that was sent before took effect.
    Start {
        /// The unit.
        unit: UnitId,
        /// From 1.
        attempt: u32,
    },
    /// Send the intended request again, byte for byte, with its client token.
    Resend(UnitId),
    /// Look for the execution that an unanswered start may have begun.
    Find(UnitId),
    /// Record that nobody knows whether the unit was started.
    LeaveUnresolved {
        /// The unit.
        unit: UnitId,
        /// What is known.
        detail: String,
    },
    /// Record that a start that AWS put off is not sent while nothing more may begin: the unit is as
    /// if it had not been begun.
    WithdrawStart {
        /// The unit.
        unit: UnitId,
        /// Why AWS put it off.
        detail: String,
    },
    /// Record that a start that AWS put off for too long is not sent any more.
    GiveUpStart {
        /// The unit.
        unit: UnitId,
        /// Why AWS put it off.
        kind: PortErrorKind,
        /// Why it is given up.
        detail: String,
    },
    /// Look at the execution of a unit, and at its locations.
    Observe(UnitId),
    /// Read what became of a location, and of its nodes.
    Collect(UnitId, Location),
    /// Record that the unit is over.
    EndUnit(UnitId, ExecutionStatus),
    /// Record that the campaign is over.
    Finish(FinishedOutcome),
}

/// Decides what to do next. The same arguments always give the same answer.
///
/// Units are begun in their order, one at a time, as the location budget allows; none is begun
/// once there is a reason to stop ([`State::stop_reason`]), and none that is settled, whatever
/// becomes of that reason: its nodes are told to have been left out, and nobody would collect it.
/// A start that may have been sent is
/// looked for before it is sent again, and sent again only while it is young.
#[must_use]
pub fn decide(state: &State, polls: &Polls, now: Timestamp) -> Decision {
    if let Some((outcome, _)) = state.finished() {
        return Decision::Done(outcome);
    }
    let mut agenda = Agenda {
        now,
        actions: vec![],
        collects: 0,
        next: None,
    };
    let none = UnitPolls::default();
    let stopped = state.stop_reason_at(now).is_some();
    let shared = state.shared();
    let kept_back = |unit: &UnitState| unit.has_nobody_left() || state.used_up(unit, &shared);
    for (&id, unit) in state.units() {
        let asked = polls.units.get(&id).unwrap_or(&none);
        match &unit.start {
            StartState::NotStarted => {
                // A unit of which a location is left out is left out whole.
                if stopped || kept_back(unit) || unit.is_left_out() {
                    collect_all(&mut agenda, polls, id, unit);
                }
            }
            StartState::Intended(intent) => agenda.intended(stopped, id, intent, asked),
            StartState::Started { .. } => agenda.started(polls, id, unit, asked),
            StartState::Refused { .. } | StartState::Unresolved { .. } => {
                collect_all(&mut agenda, polls, id, unit);
            }
        }
    }
    if !stopped && let Some((unit, begun)) = next_start(state, kept_back) {
        // Its runbook may have been asked for in vain.
        let asked = polls.units.get(&unit).and_then(|asked| asked.start_at);
        let attempt = begun.refused_attempts.saturating_add(1);
        agenda.at(asked.max(begun.not_before), Action::Start { unit, attempt });
    }
    if state.units().values().all(UnitState::is_over) {
        agenda.actions.push(Action::Finish(state.outcome()));
    }
    match agenda.next {
        _ if !agenda.actions.is_empty() => Decision::Act(agenda.actions),
        Some(at) => Decision::Wait(at),
        // Unreachable: a unit that is not over always has something due. Looking again is safe.
        None => Decision::Wait(later(now, super::polls::POLL_LONGEST)),
    }
}

/// The unit that is begun next, if it may be begun now.
fn next_start(state: &State, kept_back: impl Fn(&UnitState) -> bool) -> Option<(UnitId, &UnitState)> {
    // Units that name nodes may share a location, and each is a command with limits of its own:
    // one after another there, or the limits within the location would not hold.
    let at_work: BTreeSet<&Location> = state
        .units()
        .values()
        .filter(|unit| unit.is_begun() && !unit.is_over())
        .flat_map(|unit| unit.locations.keys())
        .collect();
    let next = state
        .units()
        .iter()
        .zip(&state.plan().units)
        .find(|((_, unit), _)| {
            !unit.is_begun()
                && !unit.is_left_out()
                && !kept_back(unit)
                && !unit.locations.keys().any(|location| at_work.contains(location))
        });
    let ((&id, unit), planned) = next?;
    // One start at a time: AWS takes about one a second, and what is refused once is refused again.
    if state
        .units()
        .values()
        .any(|unit| matches!(unit.start, StartState::Intended(_)))
    {
        return None;
    }
    // What has ended and is not settled may be one failure too many: that is waited for.
    let undecided = state.locations().any(|(_, _, at)| {
        at.settled.is_none() && at.status.as_ref().is_some_and(ExecutionStatus::is_terminal)
    });
    if undecided {
        return None;
    }
    let open: u32 = state
        .units()
        .values()
        .zip(&state.plan().units)
        .filter(|(unit, _)| unit.is_begun() && !unit.is_over())
        .map(|(_, planned)| planned.locations_at_once())
        .fold(0, u32::saturating_add);
    let allowed = state.plan().location_budget();
    // With nothing open, a unit is begun whatever it says: otherwise it would wait for ever.
    let fits = open == 0 || open.saturating_add(planned.locations_at_once()) <= allowed;
    fits.then_some((id, unit))
}

/// Collects every location that is not settled.
fn collect_all(agenda: &mut Agenda, polls: &Polls, id: UnitId, unit: &UnitState) {
    for (location, at) in &unit.locations {
        if at.settled.is_none() {
            let asked = polls.locations.get(&(id, location.clone()));
            agenda.collect(id, location, asked);
        }
    }
}

/// What is due now, and when something is due next.
struct Agenda {
    now: Timestamp,
    actions: Vec<Action>,
    /// How many of the actions collect a location.
    collects: usize,
    next: Option<Timestamp>,
}

impl Agenda {
    /// Does `action` at `at`; `None` is now.
    fn at(&mut self, at: Option<Timestamp>, action: Action) {
        match at {
            Some(at) if at > self.now => self.next = Some(self.next.map_or(at, |next| next.min(at))),
            _ => self.actions.push(action),
        }
    }

    fn intended(&mut self, stopped: bool, unit: UnitId, intent: &Intent, asked: &UnitPolls) {
        let (Some((_, first)), Some((_, last))) = (intent.in_doubt.first(), intent.in_doubt.last()) else {
            return self.deferred(stopped, unit, intent, asked);
        };
        if let Some(reason) = &asked.find_given_up {
            let detail = format!("the start has no answer, and it cannot be looked up: {reason}");
            return self.actions.push(Action::LeaveUnresolved { unit, detail });
        }
        let look_up = later(*last, LOOK_UP_AFTER);
        let looked = asked.not_found_at.is_some_and(|at| at >= look_up);
        if !looked {
            return self.at(
                Some(asked.find_at.map_or(look_up, |at| at.max(look_up))),
                Action::Find(unit),
            );
        }
        if let Some(words) = &asked.mismatch {
            let detail =
                format!("AWS knows the client token with another request, and no execution has it: {words}");
            return self.actions.push(Action::LeaveUnresolved { unit, detail });
        }
        let too_late = later(*first, RESEND_WITHIN);
        if self.now < too_late {
            if !stopped {
                return self.at(asked.start_at, Action::Resend(unit));
            }
            // Nothing more may begin, and sending again may. The first sending may still turn up.
            self.next = Some(self.next.map_or(too_late, |next| next.min(too_late)));
            return;
        }
        if stopped && asked.not_found_at.is_none_or(|at| at < too_late) {
            return self.at(asked.find_at, Action::Find(unit));
        }
        let detail =
            "the start has no answer, no execution with its tag is found, and AWS may have forgotten its \
                      client token: it is not sent again"
                .to_owned();
        self.actions.push(Action::LeaveUnresolved { unit, detail });
    }

    /// A start that had no effect so far.
    fn deferred(&mut self, stopped: bool, unit: UnitId, intent: &Intent, asked: &UnitPolls) {
        let (kind, words) = intent
            .deferred
            .clone()
            .unwrap_or((PortErrorKind::Unavailable, String::new()));
        if stopped {
            return self.actions.push(Action::WithdrawStart { unit, detail: words });
        }
        if self.now >= later(intent.since, START_PATIENCE) {
            let detail = format!("AWS put the start off, and it is not sent any more: {words}");
            return self.actions.push(Action::GiveUpStart { unit, kind, detail });
        }
        let attempt = intent.attempt;
        self.at(asked.start_at, Action::Start { unit, attempt });
    }

    fn started(&mut self, polls: &Polls, id: UnitId, unit: &UnitState, asked: &UnitPolls) {
        if unit.is_over() {
            return;
        }
        let parent = asked.parent.as_ref().map(|parent| &parent.status);
        let parent_over = parent.filter(|status| status.is_terminal());
        for (location, at) in &unit.locations {
            if at.settled.is_some() {
                continue;
            }
            let asked = polls.locations.get(&(id, location.clone()));
            let ended = at.status.as_ref().is_some_and(ExecutionStatus::is_terminal);
            let emptied = asked.is_some_and(|asked| asked.matched_nothing);
            if ended || emptied || parent_over.is_some() {
                self.collect(id, location, asked);
            }
        }
        match parent_over {
            None => self.at(asked.observe_at, Action::Observe(id)),
            Some(status) if unit.locations.values().all(|at| at.settled.is_some()) => {
                self.actions.push(Action::EndUnit(id, status.clone()));
            }
            Some(_) => {}
        }
    }

    fn collect(&mut self, unit: UnitId, location: &Location, asked: Option<&LocationPolls>) {
        let at = asked.and_then(|asked| asked.collect_at);
        if at.is_none_or(|at| at <= self.now) {
            if self.collects == COLLECTS_A_TURN {
                return; // due in the next turn as well, which follows at once
            }
            self.collects += 1;
        }
        self.at(at, Action::Collect(unit, location.clone()));
    }
}
