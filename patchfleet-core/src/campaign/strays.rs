//! What AWS shows of a campaign and its log does not know.
//!
//! A log may lose its end: a bucket's older version is put back, a disk lies, a hand cuts it. What was begun after that is not
//! in it any more. Where units name their nodes, a lost record may also have divided one of them, so that its nodes travel in
//! commands of other numbers. Numbers prove nothing then, and nodes do. What is found is a unit's own if it names the nodes
//! that the unit names. If it names some of them, the unit is divided first. If neither is so, nothing more begins until a
//! person has looked: a node for which there is a command in AWS never gets another one.

use super::polls::Failures;
use super::state::{StartState, State, UnitState};
use crate::id::{ExecutionId, Location, NodeId, UnitId};
use crate::port::StartRequest;
use crate::runbook;
use crate::text::{counted, names};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fmt;

/// Where it is looked for what a log may have lost: in a location if patchfleet sends the commands itself. Otherwise all
/// executions are in the central account and Region.
pub(super) type Place = Option<Location>;

/// An execution of a campaign, or a command that patchfleet sent itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stray {
    pub(super) execution: ExecutionId,
    /// The unit that it was begun for, as it says itself.
    pub(super) unit: String,
    /// Where it runs; empty if AWS does not say.
    pub(super) locations: BTreeSet<Location>,
    /// The nodes that it names; empty if it names none, or AWS does not say.
    pub(super) nodes: BTreeSet<NodeId>,
    /// When it was begun, by AWS's clock.
    pub(super) at: Option<Timestamp>,
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.nodes.len();
        write!(f, "{} in {}", self.execution, names(&self.locations))?;
        write!(f, ", begun as unit {} for {}", self.unit, counted(n, "node"))?;
        match n {
            0 => Ok(()),
            _ => write!(f, " ({})", names(&self.nodes)),
        }
    }
}

/// What a stray is, by the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fits {
    /// The log knows it.
    Known,
    /// It is what this unit begins.
    Unit(UnitId),
    /// It names some of the nodes of this unit, which was not begun.
    Part(UnitId),
    /// The same, and a start of the unit was put off by the log. Nothing of that was sent.
    PutOff(UnitId),
    /// Another unit that names nodes of it is at work. What becomes of that may tell.
    Waits,
    /// It is nothing that the log leaves room for.
    Nowhere,
}

/// What a driver remembers of looking in one place for what the log may have lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sweep {
    pub(super) is_under_way: bool,
    /// When it is looked for next.
    pub(super) next: Option<Timestamp>,
    pub(super) failures: Failures,
    /// The same by what AWS said. A refusal to look says nothing of a start and may pass by itself, so `failures` has it as that.
    pub(super) said: Failures,
    /// Since when none of this driver's looks was answered.
    pub(super) failing_since: Option<Timestamp>,
    /// Whether AWS has answered, be it too early.
    pub(super) is_answered: bool,
    /// Whether AWS has answered, and so late that nothing that was sent before can be missing.
    pub(super) is_done: bool,
    /// Why AWS does not let anybody look there, once all that may have been sent there is over. It is not looked at any more.
    pub(super) given_up: Option<String>,
    /// What was found, in the order in which it was begun.
    pub(super) strays: Vec<Stray>,
}

impl State {
    /// Whether it is looked for by its nodes what the log may have lost: a unit may have been divided, or AWS takes no client
    /// token. In such a campaign each unit names its nodes, which are of one location.
    pub(super) fn is_swept(&self) -> bool {
        let fleet = self.plan().fleet;
        self.is_sent_once()
            || fleet.is_some_and(|fleet| fleet.nodes_in_a_start().is_some())
            || !self.plan().labels.is_empty()
    }

    /// Where a unit is looked for in that way; `None`: it is looked for by itself.
    pub(super) fn place_of(&self, unit: UnitId) -> Option<Place> {
        if !self.is_swept() {
            return None;
        }
        if !self.is_sent_once() {
            return Some(None);
        }
        let unit = self.units().get(&unit)?;
        unit.locations.keys().next().cloned().map(Some)
    }

    /// The first unit that is looked for in a place.
    pub(super) fn first_at(&self, place: &Place) -> Option<UnitId> {
        let mut units = self.units().keys().copied();
        units.find(|unit| self.place_of(*unit).as_ref() == Some(place))
    }

    /// What this is by the log.
    pub(super) fn fits(&self, stray: &Stray) -> Fits {
        if self.knows_execution(&stray.execution) {
            return Fits::Known;
        }
        let mut locations = stray.locations.iter();
        let (Some(location), None, false) = (locations.next(), locations.next(), stray.nodes.is_empty())
        else {
            return Fits::Nowhere;
        };
        let mut is_at_work = false;
        for (id, unit) in self.units_at(location) {
            if unit.named.is_disjoint(&stray.nodes) {
                continue;
            }
            is_at_work |= matches!(unit.start, StartState::Started { .. }) && !unit.is_over();
            let is_whole = stray.nodes.is_subset(&unit.named);
            if is_whole && unit.was_sent_again && stray.unit == id.to_string() {
                // A person took that upon himself.
                return Fits::Known;
            }
            match &unit.start {
                _ if !is_whole || unit.has_settled() => {}
                StartState::NotStarted if names_all(unit, stray) => return Fits::Unit(id),
                StartState::NotStarted => return Fits::Part(id),
                StartState::Intended(intent) | StartState::Unresolved { intent, .. }
                    if nodes_of(&intent.request) == stray.nodes =>
                {
                    return Fits::Unit(id);
                }
                StartState::Intended(intent) if intent.in_doubt.is_empty() && !intent.sent_before => {
                    return Fits::PutOff(id);
                }
                _ => {}
            }
        }
        match is_at_work {
            true => Fits::Waits,
            false => Fits::Nowhere,
        }
    }
}

/// Whether these are the nodes of the unit, with or without those that are away.
fn names_all(unit: &UnitState, stray: &Stray) -> bool {
    stray.nodes == unit.named || unit.named.difference(&unit.away).eq(&stray.nodes)
}

/// The nodes that a start names.
pub(super) fn nodes_of(request: &StartRequest) -> BTreeSet<NodeId> {
    match &request.command {
        Some(command) => command.instance_ids.iter().cloned().collect(),
        None => runbook::named_nodes(&request.parameters)
            .into_iter()
            .flatten()
            .collect(),
    }
}
