//! Where a campaign stands with what a wave has of its own: its goal, and its budgets.

use super::State;
use crate::budget::RateControl;
use crate::id::{Location, UnitId};
use crate::outcome::Goal;
use crate::plan::PlannedLocation;
use crate::request::Operation;
use crate::text::{by_number, counted};
use std::fmt;

/// A budget that a wave has of its own is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaveStop {
    /// The number of the wave, from 1.
    pub wave: u32,
    /// Its name.
    pub name: String,
    /// Which budget.
    pub budget: WaveBudgetStop,
}

/// Which budget of a wave is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaveBudgetStop {
    /// More locations of it failed than may.
    Locations {
        /// How many failed.
        failed: u32,
        /// How many may.
        allowed: u32,
    },
    /// So many nodes of it are damaged, or may be, that no further one may be.
    Damaged {
        /// Failed or lost.
        damaged: u64,
        /// Nothing could be found out of them.
        unknown: u64,
        /// How many may be.
        allowed: u32,
    },
    /// So many nodes may be at work for all that is known that no further one of it may be.
    InFlight {
        /// Nothing could be found out of them; where AWS keeps the bound, their command expired while they were at work.
        unknown: u64,
        /// How many may be in flight.
        allowed: u32,
    },
}

impl fmt::Display for WaveStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wave, name, budget } = self;
        match budget {
            WaveBudgetStop::Locations { failed, allowed } => write!(
                f,
                "{} of wave {wave} ({name}) failed, and its budget allows {allowed}",
                counted(*failed, "location"),
            ),
            WaveBudgetStop::Damaged {
                damaged,
                unknown,
                allowed,
            } => {
                let nodes = counted(*damaged, "node");
                let are = by_number(*damaged, "is", "are");
                write!(f, "{nodes} of wave {wave} ({name}) {are} damaged")?;
                if *unknown > 0 {
                    let them = by_number(*unknown, "it", "them");
                    write!(
                        f,
                        ", and {unknown} more may be, as nothing could be found out of {them}"
                    )?;
                }
                write!(f, "; its bound on damaged nodes is {allowed}")
            }
            WaveBudgetStop::InFlight { unknown, allowed } => write!(
                f,
                "{} may be at work still (unknown or running_at_expiry), and in wave {wave} ({name}) {allowed} may be in flight",
                counted(*unknown, "node"),
            ),
        }
    }
}

impl State {
    /// What the campaign wants of the nodes of a unit.
    pub(crate) fn goal_of(&self, unit: UnitId) -> Goal {
        self.plan.request.goal_in(self.wave_of(unit))
    }

    /// What is done on the nodes of a unit.
    pub(in crate::campaign) fn operation_of(&self, unit: UnitId) -> Operation {
        self.plan.request.operation_in(self.wave_of(unit))
    }

    /// What the campaign wants of the nodes of a location.
    pub(crate) fn goal_at(&self, location: &Location) -> Goal {
        self.plan.request.goal_in(self.wave_at(location))
    }

    /// What is done on the nodes of a location.
    pub(crate) fn operation_at(&self, location: &Location) -> Operation {
        self.plan.request.operation_in(self.wave_at(location))
    }

    /// The wave that a location is in, from 1; 0, which is none, if it is not planned.
    fn wave_at(&self, location: &Location) -> u32 {
        self.planned(location)
            .map_or(0, |planned: &PlannedLocation| planned.wave)
    }

    /// The limits within a location whose nodes several units name.
    pub(in crate::campaign) fn node_rates_at(&self, location: &Location) -> RateControl {
        self.plan.node_rates_in(self.wave_at(location))
    }

    /// How many locations have failed and how many may: of all waves, or of the one that is under way if less is left of that.
    pub(in crate::campaign) fn error_budget(&self) -> (u32, u32) {
        let whole = (self.failed_locations(), self.plan.location_errors());
        let wave = self.first_open_wave().map(|(wave, _)| wave);
        let own = wave.and_then(|wave| {
            let allowed = self.plan.location_errors_in(wave)?;
            Some((self.ledger.failed_in.locations(wave), allowed))
        });
        let left = |(failed, allowed): (u32, u32)| i64::from(allowed) - i64::from(failed);
        own.filter(|own| left(*own) < left(whole)).unwrap_or(whole)
    }

    /// The wave of which more locations failed than may.
    pub(super) fn failed_wave(&self) -> Option<WaveStop> {
        self.plan.wave_budgets.iter().find_map(|own| {
            let (failed, allowed) = (self.ledger.failed_in.locations(own.wave), own.location_errors?);
            (failed > allowed).then(|| self.stop_of(own.wave, WaveBudgetStop::Locations { failed, allowed }))
        })
    }

    /// Which budget of its own keeps units of a wave from being begun, whatever becomes of those that are at work.
    pub(super) fn wave_stop(&self) -> Option<WaveStop> {
        self.failed_wave()
            .or_else(|| self.used_up_wave())
            .or_else(|| self.wave_used_up_by_what_runs_on())
    }

    /// The same for its bounds on nodes, which matter while something of it waits.
    fn used_up_wave(&self) -> Option<WaveStop> {
        let (wave, _) = self.first_open_wave()?;
        let fleet = self.plan.counted_in(wave)?;
        if !self.ledger.waiting_waves.contains_key(&wave) {
            return None;
        }
        let (damaged, unknown) = self.damaged_in(wave);
        if let Some(allowed) = fleet.max_damaged
            && damaged.saturating_add(unknown) >= u64::from(allowed)
        {
            let used_up = WaveBudgetStop::Damaged {
                damaged,
                unknown,
                allowed,
            };
            return Some(self.stop_of(wave, used_up));
        }
        let unknown = self.fleet_so_far().may_be_at_work();
        let allowed = fleet
            .max_in_flight
            .filter(|allowed| unknown >= u64::from(*allowed))?;
        Some(self.stop_of(wave, WaveBudgetStop::InFlight { unknown, allowed }))
    }

    /// How many nodes of a wave are damaged, and of how many nothing could be found out.
    pub(in crate::campaign) fn damaged_in(&self, wave: u32) -> (u64, u64) {
        let counts = self.ledger.results.get(&wave).copied().unwrap_or_default();
        (counts.damaged, counts.unknown)
    }

    pub(super) fn stop_of(&self, wave: u32, budget: WaveBudgetStop) -> WaveStop {
        WaveStop {
            wave,
            name: self.plan.request.wave_name(wave).to_owned(),
            budget,
        }
    }
}
