//! How far the waves of a campaign are.

use super::State;
use crate::id::UnitId;

impl State {
    /// The wave of a unit, from 1.
    pub(in crate::campaign) fn wave_of(&self, id: UnitId) -> u32 {
        self.plan.unit(id).map_or(1, |unit| unit.wave)
    }

    /// The first wave that has units which are not over, and how many they are. `None` once all are over.
    pub(in crate::campaign) fn first_open_wave(&self) -> Option<(u32, u32)> {
        let (wave, units) = self.ledger.open_waves.first_key_value()?;
        Some((*wave, *units))
    }
}
