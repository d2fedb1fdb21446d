//! What concerns one location of a unit, for a call that takes its time while the campaign goes on.

use super::State;
use crate::campaign::ledger::Ledger;
use crate::id::{Location, UnitId};
use std::collections::{BTreeMap, BTreeSet};

impl State {
    /// The state without the locations that a location of a unit has nothing to do with. Of the unit it has that
    /// location alone. It costs the same however large the campaign is. Why nothing more is begun cannot be told from
    /// it.
    ///
    /// Of several units that name nodes of the location, the one that speaks for the rest has to know what all of
    /// them name. The others know of it and of themselves, so that all of them together cost what they name.
    pub(in crate::campaign) fn excerpt(&self, unit: UnitId, location: &Location) -> Self {
        let speaker = self.speaks_for(location);
        let there = self.units_at(location).map(|(id, _)| id);
        let there = there.filter(|id| speaker == Some(unit) || speaker == Some(*id));
        let units = there.chain([unit]).filter_map(|id| {
            let of = self.units.get(&id)?;
            let at = of.locations.get(location).cloned();
            let named = if id == unit || speaker == Some(unit) {
                of.named.clone()
            } else {
                BTreeSet::new()
            };
            Some((id, of.within(location, at, named)))
        });
        let cancels = [None, Some(location.clone())].into_iter().filter_map(|place| {
            let key = (unit, place);
            let accepted = *self.cancels.get(&key)?;
            Some((key, accepted))
        });
        let mut ledger = Ledger::of_shared(location, self.shared(location));
        ledger.fleet = self.fleet_so_far();
        ledger.settlings = self.ledger.settlings.summary();
        Self {
            campaign: self.campaign,
            format: self.format,
            plan: self.plan.clone(),
            places: self
                .places
                .get(location)
                .map(|place| (location.clone(), place.clone()))
                .into_iter()
                .collect(),
            planned_at: self.planned_at,
            last_at: self.last_at,
            last_record: self.last_record,
            driven_at: self.driven_at,
            last_sign_at: self.last_sign_at,
            chain: self.chain,
            units: units.collect(),
            runbook: self.runbook.clone(),
            cancels: cancels.collect(),
            left_out_for: self.left_out_for.clone(),
            unattended: self.unattended,
            gone_on: self.gone_on,
            abandoned: self.abandoned.clone(),
            asked: self.asked.clone(),
            not_stopped: BTreeMap::new(),
            refused_before: vec![],
            name_taken_by: self.name_taken_by,
            finished: self.finished,
            rows_missing: BTreeSet::new(),
            executions: BTreeSet::new(),
            looking: None,
            blind_since: None,
            calendars: None,
            alarm: self.alarm.clone(),
            stopped_for_alarm: self.stopped_for_alarm.clone(),
            waves: vec![],
            wave_ends: BTreeMap::new(),
            approved: BTreeSet::new(),
            settlings: 0,
            cells: self.cells.clone(),
            ledger,
        }
    }
}
