//! Where a campaign stands with the bounds on the values of its labels.

use super::{Settled, State, UnitState};
use crate::campaign::ledger::InCell;
use crate::id::{NodeId, UnitId};
use crate::outcome::NodeOutcome;
use crate::plan::{Cells, value_in_words};
use crate::request::LabelKey;
use crate::slip::{Slip, slips};
use crate::text::{by_number, counted};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Which bound on a value of a label leaves no room for any further node of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LabelStop {
    /// The label.
    pub by: LabelKey,
    /// The value; `None`: that of the nodes without the tag.
    pub value: Option<String>,
    /// Whether it is the bound on nodes that are damaged, and not that on nodes in flight.
    pub of_damage: bool,
    /// Failed or lost.
    pub damaged: u64,
    /// Nothing could be found out of them.
    pub unknown: u64,
    /// How many there may be.
    pub allowed: u32,
}

impl fmt::Display for LabelStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", value_in_words(&self.by, self.value.as_deref()))?;
        let (damaged, unknown) = (self.damaged, self.unknown);
        let are = |n: u64| format!("{} {}", counted(n, "node"), by_number(n, "is", "are"));
        let them = by_number(unknown, "it", "them");
        match (self.of_damage, unknown) {
            (true, 0) => write!(f, "{} damaged", are(damaged))?,
            (true, _) => write!(
                f,
                "{} damaged, and {unknown} more may be, as nothing could be found out of {them}",
                are(damaged)
            )?,
            (false, _) => write!(
                f,
                "{} may be at work still, as nothing could be found out of {them}",
                counted(unknown, "node")
            )?,
        }
        let bound = match self.of_damage {
            true => "max_damaged",
            false => "max_in_flight",
        };
        write!(f, ", and its {bound} in budget.labels allows {}", self.allowed)
    }
}

/// What the values of a label have come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LabelStanding {
    /// The label.
    pub by: LabelKey,
    /// How many values have nodes in flight.
    pub in_flight: u64,
    /// How many values have lost nodes that may be at work still, so that they keep their places among those in flight.
    pub lost_at_work: u64,
    /// How many values have damaged nodes, or nodes of which nothing could be found out.
    pub damaged: u64,
    /// The values of which no further node is begun.
    pub used_up: Vec<LabelStop>,
}

impl fmt::Display for LabelStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = counted(self.in_flight, "value");
        write!(f, "by {}: {values} with nodes in flight", self.by)?;
        if self.lost_at_work > 0 {
            write!(f, ", {} with lost ones that may be at work", self.lost_at_work)?;
        }
        let used_up = self.used_up.len();
        write!(f, ", {} with damaged ones, {used_up} used up", self.damaged)
    }
}

impl State {
    /// The values of all labels.
    pub(in crate::campaign) fn cells(&self) -> &Cells {
        &self.cells
    }

    /// How many nodes of a value are in flight, damaged or unknown.
    pub(in crate::campaign) fn in_cell(&self, number: u32) -> InCell {
        self.ledger.labels.get(&number).copied().unwrap_or_default()
    }

    /// The label of a value, and the value.
    pub(in crate::campaign) fn label_of(&self, number: u32) -> Option<(LabelKey, Option<String>)> {
        let cell = self.cells.cell(number)?;
        let label = self.plan.labels.get(cell.label)?;
        Some((label.by.clone(), label.values.get(cell.value)?.value.clone()))
    }

    /// How a value is used up for good, unless more is found out of its nodes.
    pub(in crate::campaign) fn used_up_value(&self, number: u32) -> Option<LabelStop> {
        let cell = self.cells.cell(number)?;
        let so_far = self.in_cell(number);
        let InCell { damaged, unknown, .. } = so_far;
        let at_work = so_far.may_be_at_work();
        let bounds = [
            (cell.max_damaged, damaged.saturating_add(unknown), true),
            (cell.max_in_flight, at_work, false),
        ];
        let (allowed, of_damage) = bounds.into_iter().find_map(|(bound, taken, of_damage)| {
            let allowed = bound.filter(|bound| taken >= u64::from(*bound))?;
            Some((allowed, of_damage))
        })?;
        let (by, value) = self.label_of(number)?;
        Some(LabelStop {
            by,
            value,
            of_damage,
            damaged,
            unknown: if of_damage { unknown } else { at_work },
            allowed,
        })
    }

    /// The value that keeps a unit from being begun, if nothing of its own location does.
    pub(super) fn kept_back_by_label(&self, id: UnitId) -> Option<LabelStop> {
        let unit = self.units.get(&id)?;
        let of_itself = unit.has_nobody_left() || self.used_up(unit);
        (!of_itself).then(|| self.label_stop(id)).flatten()
    }

    /// The first value of a unit's nodes that is used up.
    pub(super) fn label_stop(&self, unit: UnitId) -> Option<LabelStop> {
        let named = &self.units.get(&unit)?.named;
        let counts = self.cells.count(named);
        counts.keys().find_map(|number| self.used_up_value(*number))
    }

    /// Where the campaign stands with each label of its plan, as of `now`.
    #[must_use]
    pub fn labels(&self, now: Timestamp) -> Vec<LabelStanding> {
        let labels = self.plan.labels.iter();
        let mut standing: Vec<LabelStanding> = labels
            .map(|label| LabelStanding {
                by: label.by.clone(),
                in_flight: 0,
                lost_at_work: 0,
                damaged: 0,
                used_up: vec![],
            })
            .collect();
        for (number, so_far) in &self.ledger.labels {
            let label = self.cells.cell(*number).map(|cell| cell.label);
            let Some(of) = label.and_then(|label| standing.get_mut(label)) else {
                continue;
            };
            of.in_flight += u64::from(so_far.in_flight > 0);
            of.damaged += u64::from(so_far.damaged > 0 || so_far.unknown > 0);
            of.used_up.extend(self.used_up_value(*number));
        }
        for number in self.cells_of_lost(now) {
            let cell = self.cells.cell(number);
            let bounded = cell.filter(|cell| cell.max_in_flight.is_some());
            if let Some(of) = bounded.and_then(|cell| standing.get_mut(cell.label)) {
                of.lost_at_work += 1;
            }
        }
        standing
    }

    /// What a unit adds to the values of its nodes that was begun, or of which nobody knows whether it was.
    pub(super) fn in_cells(&self, unit: &UnitState, is_in_flight: bool) -> Vec<(u32, InCell)> {
        if self.cells.is_empty() || (!unit.is_begun() && !unit.has_settled()) {
            return vec![];
        }
        let named = self.cells.count(&unit.named);
        if is_in_flight {
            let in_flight = |(number, n): (u32, u32)| {
                let entry = InCell {
                    in_flight: n.into(),
                    ..InCell::default()
                };
                (number, entry)
            };
            return named.into_iter().map(in_flight).collect();
        }
        let settled = unit.locations.values().find_map(|at| at.settled.as_ref());
        let Some(settled) = settled.filter(|settled| is_not_well(settled)) else {
            return vec![];
        };
        let of = |is: fn(NodeOutcome) -> bool, listed: &[NodeId]| {
            let all: u32 = (settled.nodes.iter())
                .filter(|(outcome, _)| is(*outcome))
                .fold(0, |sum, (_, n)| sum.saturating_add(n));
            let listed: BTreeSet<&NodeId> = listed.iter().collect();
            // Of those that are not listed nobody knows which they are, so each value may have all of them.
            let others = all.saturating_sub(u32::try_from(listed.len()).unwrap_or(u32::MAX));
            let counts = self.cells.count(listed);
            move |number: u32, most: u32| {
                let own = counts.get(&number).copied().unwrap_or_default();
                u64::from(own.saturating_add(others).min(most))
            }
        };
        let damaged = of(NodeOutcome::is_damaged, &settled.not_well.damaged);
        let unknown = of(NodeOutcome::is_unknown, &settled.not_well.unknown);
        let entries = named.into_iter().map(|(number, most)| {
            let unknown = match slips(Slip::UnknownTakesNoRoom) {
                true => 0,
                false => unknown(number, most),
            };
            let entry = InCell {
                in_flight: 0,
                damaged: damaged(number, most),
                unknown,
                at_rest: if unit.is_begun() { 0 } else { unknown },
            };
            (number, entry)
        });
        entries.filter(|(_, entry)| *entry != InCell::default()).collect()
    }
}

fn is_not_well(settled: &Settled) -> bool {
    let mut outcomes = settled.nodes.iter();
    outcomes.any(|(outcome, n)| n > 0 && (outcome.is_damaged() || outcome.is_unknown()))
}
