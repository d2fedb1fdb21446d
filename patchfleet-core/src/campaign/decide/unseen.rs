//! What nobody can look at any more, and is over by its time.

use super::Agenda;
use crate::campaign::Event;
use crate::campaign::state::UnitState;
use crate::id::UnitId;
use crate::port::ExecutionStatus;

/// The status of a command that is over, and that nobody could look at.
const UNREAD: &str = "Unread";

impl Agenda<'_> {
    /// How a unit ended whose command is over, and cannot be looked at any more: as the log has it of its location, if it does.
    pub(super) fn end_of_unread(&self, unit: UnitId) -> Option<ExecutionStatus> {
        self.memory.of_unit(unit).filter(|asked| asked.is_over_unread)?;
        let unit = self.state.units().get(&unit)?;
        let mut known = unit.locations.values().filter_map(|at| at.status.clone());
        let known = known.find(ExecutionStatus::is_terminal);
        Some(known.unwrap_or_else(|| ExecutionStatus::Other(UNREAD.to_owned())))
    }

    /// Leaves out what waits in locations that were given up. Until that has settled nothing else begins, as it takes room under bounds
    /// meanwhile and afterwards. Gives whether that is so.
    pub(super) fn leaves_out_hidden(&mut self) -> bool {
        let hidden = self.memory.hidden_units(self.state);
        let is_left_out = |unit: &UnitId| {
            let unit = self.state.units().get(unit);
            unit.is_some_and(UnitState::is_left_out)
        };
        let units: Vec<UnitId> = hidden.iter().copied().filter(|unit| !is_left_out(unit)).collect();
        if !units.is_empty() {
            self.decision.record.push(Event::LeftOut { units });
        }
        !hidden.is_empty()
    }
}
