//! Room under a bound on nodes in flight that AWS keeps, while scripts run on after their commands have expired.
//!
//! AWS keeps the bound by so many nodes at once in so many locations at once, and counts the invocations that are open. A node
//! whose command expired while it was at work (`running_at_expiry`) is none of these, and AWS begins the next one in its place. So
//! whoever drives the campaign holds that place back: no start is made unless all that may be open and all that runs on are within
//! the bound. What a start has begun by then is AWS's alone.

use super::{FleetStop, State, StopReason, WaveBudgetStop, WaveStop};
use crate::id::UnitId;

/// How the places of a bound that AWS keeps are taken, as seen by a unit that is to be begun. In nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::campaign) struct RoomAtAws {
    /// How many may be open in the locations that have a place.
    pub(in crate::campaign) open: u64,
    /// How many run on.
    pub(in crate::campaign) running_on: u64,
    /// How many the unit may have open at once.
    pub(in crate::campaign) needed: u32,
    /// How many may be in flight.
    pub(in crate::campaign) of: u32,
    /// How many the unit may have open at once in a location.
    pub(in crate::campaign) nodes_at_once: u32,
    /// In how many locations it may have them.
    pub(in crate::campaign) locations_at_once: u32,
}

/// How much of its limits a start is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::campaign) struct Narrowed {
    /// How many nodes of a location at once, at least 1.
    pub(in crate::campaign) nodes_at_once: u32,
    /// How many locations at once, at least 1.
    pub(in crate::campaign) locations_at_once: u32,
}

impl RoomAtAws {
    /// How many nodes are in flight, or may be.
    pub(in crate::campaign) fn taken(&self) -> u64 {
        self.open.saturating_add(self.running_on)
    }

    /// Whether there is room for all that the unit may have open at once.
    pub(in crate::campaign) fn is_enough(&self) -> bool {
        self.taken().saturating_add(self.needed.into()) <= self.of.into()
    }

    /// For how many nodes more there is room.
    pub(in crate::campaign) fn left(&self) -> u64 {
        u64::from(self.of).saturating_sub(self.taken())
    }

    /// Whether the unit has to wait for others to end, or for ever.
    pub(in crate::campaign) fn has_to_wait(&self) -> bool {
        !self.is_enough() && (self.open > 0 || self.left() == 0)
    }

    /// The limits that the unit is begun with, if those of the plan are too much for what is left: as many nodes of a location at
    /// once as before, in fewer locations, or else fewer nodes of a single one.
    pub(in crate::campaign) fn narrowed(&self) -> Option<Narrowed> {
        if self.is_enough() {
            return None;
        }
        let left = u32::try_from(self.left()).unwrap_or(u32::MAX).max(1);
        let nodes_at_once = self.nodes_at_once.min(left).max(1);
        Some(Narrowed {
            nodes_at_once,
            locations_at_once: (left / nodes_at_once).min(self.locations_at_once).max(1),
        })
    }
}

impl State {
    /// What is left for a unit of a bound that AWS keeps. `None`: there is no such bound, or nothing runs on, and the plan's own
    /// limits keep it.
    pub(in crate::campaign) fn room_at_aws(&self, id: UnitId) -> Option<RoomAtAws> {
        let running_on = self.ledger.fleet.running_at_expiry;
        let fleet = self.plan.fleet_in(self.wave_of(id)).filter(|_| running_on > 0)?;
        let (k, of) = (fleet.nodes_at_once()?, fleet.max_in_flight?);
        let named = self.units.get(&id)?.named.len();
        let nodes_at_once = match u32::try_from(named).unwrap_or(u32::MAX) {
            0 => k,
            named => named.min(k),
        };
        let locations_at_once = self.at_once(id);
        // A start that was put off has its places already.
        let own = match self.ledger.open.contains(&id) {
            true => locations_at_once.into(),
            false => 0,
        };
        Some(RoomAtAws {
            // What is open is of the same wave, as no other is under way beside it.
            open: self.ledger.at_once.saturating_sub(own).saturating_mul(k.into()),
            running_on,
            needed: nodes_at_once.saturating_mul(locations_at_once),
            of,
            nodes_at_once,
            locations_at_once,
        })
    }

    /// Whether AWS keeps a bound on the nodes of a unit that are in flight, so that its start may be given less than the plan says.
    pub(in crate::campaign) fn is_paced_by_aws(&self, id: UnitId) -> bool {
        let fleet = self.plan.fleet_in(self.wave_of(id));
        fleet.is_some_and(|fleet| fleet.nodes_at_once().is_some())
    }

    /// Why AWS is to begin no more of what it paces, which it does not know of itself: too many nodes were not reached, or what runs on
    /// takes up a bound on nodes in flight.
    pub(in crate::campaign) fn stop_of_what_aws_paces(&self) -> Option<StopReason> {
        if let Some(stop) = self.too_many_unreached() {
            return Some(StopReason::Fleet(stop));
        }
        if let Some((unknown, allowed)) = self.used_up_by_what_runs_on(None) {
            return Some(StopReason::Fleet(FleetStop::InFlight { unknown, allowed }));
        }
        self.wave_used_up_by_what_runs_on().map(StopReason::Wave)
    }

    /// The same for the wave that is under way, while something of it is not begun.
    pub(super) fn wave_used_up_by_what_runs_on(&self) -> Option<WaveStop> {
        let (wave, _) = self.first_open_wave()?;
        let has_more = self.ledger.waiting_waves.contains_key(&wave) || !self.ledger.going_on.is_empty();
        let (unknown, allowed) = self.used_up_by_what_runs_on(Some(wave)).filter(|_| has_more)?;
        Some(self.stop_of(wave, WaveBudgetStop::InFlight { unknown, allowed }))
    }

    /// How many nodes run on, if these are all that may be in flight of the whole fleet, or of a wave under a bound of its own, and
    /// AWS keeps that. With how many those are.
    pub(super) fn used_up_by_what_runs_on(&self, wave: Option<u32>) -> Option<(u64, u32)> {
        let fleet = match wave {
            None => self.plan.fleet,
            Some(wave) => self.plan.fleet_in(wave),
        }?;
        let (_, of) = (fleet.nodes_at_once()?, fleet.max_in_flight?);
        let running_on = self.ledger.fleet.running_at_expiry;
        (running_on >= of.into()).then_some((running_on, of))
    }
}
