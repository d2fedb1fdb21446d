//! Where a campaign stands with its waves, and how much of each bound is used and left.

use super::{State, UnitState};
use crate::campaign::{Event, Record};
use crate::id::UnitId;
use crate::outcome::LostAtWork;
use crate::text::counted;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// How much of a bound is used, and how much is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BoundStanding {
    /// How many count against it for certain.
    pub used: u64,
    /// How many there may be.
    pub of: u32,
    /// How many more there may be. What is not known counts as used here.
    pub left: u64,
}

impl BoundStanding {
    /// A bound of which so much is used, and so much more may be.
    pub(super) fn beside(used: u64, unknown: u64, of: u32) -> Self {
        Self {
            used,
            of,
            left: u64::from(of).saturating_sub(used.saturating_add(unknown)),
        }
    }
}

impl fmt::Display for BoundStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} ({} left)", self.used, self.of, self.left)
    }
}

/// The wave that is under way, or comes next, and where it stands with the budgets that it has of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WaveStanding {
    /// The number of the wave, from 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// The number of the last wave.
    pub of: u32,
    /// The soak of an earlier wave that has to pass before it begins.
    pub soak: Option<SoakStanding>,
    /// Nodes in flight or that may be; `None` without that bound, or where AWS keeps it.
    pub in_flight: Option<BoundStanding>,
    /// The lost nodes, of whichever wave, that may be at work still and keep their places under that bound; `None` if there are none.
    pub lost_at_work: Option<LostAtWork>,
    /// How many nodes AWS lets be in flight, where it keeps that bound and the campaign does not count.
    pub max_in_flight_at_aws: Option<u32>,
    /// Damaged nodes of it; `None` without that bound.
    pub damaged: Option<BoundStanding>,
    /// Failed locations of it; `None` without that bound.
    pub failed: Option<BoundStanding>,
}

/// A soak that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SoakStanding {
    /// The number of the wave that is over, from 1.
    pub after: u32,
    /// Its name.
    pub name: String,
    /// When the soak is over.
    pub until: Timestamp,
}

impl WaveStanding {
    /// Which wave it is, or after which one the campaign soaks, in a few words.
    #[must_use]
    pub fn in_short(&self) -> String {
        match &self.soak {
            Some(SoakStanding { after, name, .. }) => format!("soak after wave {after} ({name})"),
            None => format!("wave {} of {} ({})", self.number, self.of, self.name),
        }
    }

    /// Its own bounds, in words; `None` if it has none.
    #[must_use]
    pub fn bounds_in_short(&self) -> Option<String> {
        let counted = |what, bound: Option<BoundStanding>| bound.map(|bound| format!("{what} {bound}"));
        let at_aws = self.max_in_flight_at_aws;
        let at_aws = at_aws.map(|most| format!("in flight at most {most}, which AWS keeps"));
        let bounds = [
            counted("in flight", self.in_flight).or(at_aws),
            counted("damaged", self.damaged),
            counted("locations failed", self.failed),
        ];
        let lost = self.lost_at_work.map(|lost| lost.to_string());
        let bounds: Vec<String> = bounds.into_iter().flatten().chain(lost).collect();
        (!bounds.is_empty()).then(|| bounds.join(", "))
    }
}

impl fmt::Display for WaveStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(SoakStanding { after, name, until }) = &self.soak {
            write!(f, "soak after wave {after} ({name}) until {until:.0}, then ")?;
        }
        write!(f, "wave {} of {} ({})", self.number, self.of, self.name)?;
        match self.bounds_in_short() {
            Some(bounds) => write!(f, ": {bounds}"),
            None => Ok(()),
        }
    }
}

/// A wave that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaveBegun {
    /// The number of the wave, from 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// The number of the last wave.
    pub of: u32,
    /// How many locations it has.
    pub locations: u32,
    /// How many nodes the census counted there; `None` if it did not count in each location.
    pub nodes: Option<u32>,
}

impl fmt::Display for WaveBegun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, name, of, .. } = self;
        write!(
            f,
            "wave {number} of {of} ({name}) begins: {}",
            counted(self.locations, "location")
        )?;
        match self.nodes {
            Some(nodes) => write!(f, ", {}", counted(nodes, "node")),
            None => Ok(()),
        }
    }
}

impl State {
    /// The wave that is under way, or comes next, as of `now`. `None` where the request names no waves, or once all are over.
    #[must_use]
    pub fn wave_standing(&self, now: Timestamp) -> Option<WaveStanding> {
        let request = &self.plan.request;
        let (number, _) = self
            .first_open_wave()
            .filter(|_| !request.waves.is_empty() && self.finished.is_none())?;
        let bounds = request.wave(number).map(|wave| wave.budget.fleet);
        let own = |is_own: bool| self.plan.fleet_in(number).filter(|_| is_own);
        let max_in_flight =
            own(bounds.is_some_and(|own| own.max_in_flight.is_some())).and_then(|fleet| fleet.max_in_flight);
        let max_damaged =
            own(bounds.is_some_and(|own| own.max_damaged.is_some())).and_then(|fleet| fleet.max_damaged);
        let is_counted = self.plan.counted_in(number).is_some();
        let so_far = self.fleet_so_far();
        let in_flight = max_in_flight.filter(|_| is_counted);
        let lost_at_work = self.lost_at_work(now).filter(|_| in_flight.is_some());
        let may_be_at_work = so_far
            .may_be_at_work()
            .saturating_add(LostAtWork::count(lost_at_work));
        let (damaged, unknown) = self.damaged_in(number);
        Some(WaveStanding {
            number,
            name: request.wave_name(number).to_owned(),
            of: self.last_wave(),
            soak: self.soak_standing(number, now),
            in_flight: in_flight.map(|of| BoundStanding::beside(so_far.in_flight, may_be_at_work, of)),
            lost_at_work,
            max_in_flight_at_aws: max_in_flight.filter(|_| !is_counted),
            damaged: max_damaged
                .filter(|_| is_counted)
                .map(|of| BoundStanding::beside(damaged, unknown, of)),
            failed: self.plan.location_errors_in(number).map(|of| {
                let failed = self.ledger.failed_in.locations(number);
                // Starts of which nobody knows keep the next wave waiting, so they are all of this one.
                BoundStanding::beside(failed.into(), self.unresolved_locations(), of)
            }),
        })
    }

    /// The failed locations of all waves, against the request's budget of locations.
    #[must_use]
    pub fn location_budget_standing(&self) -> BoundStanding {
        let unknown = self.unresolved_locations();
        BoundStanding::beside(
            self.failed_locations().into(),
            unknown,
            self.plan.location_errors(),
        )
    }

    /// The wave whose first start this record has, in this state, to which it has led. `None` where the request names no waves, or
    /// if something of the wave was sent before, or may have been.
    #[must_use]
    pub fn wave_begun_by(&self, record: &Record) -> Option<WaveBegun> {
        let starts = record.events.iter().filter_map(|event| match event {
            Event::StartIntended { unit, attempt: 1, .. } => Some(*unit),
            _ => None,
        });
        let starts: BTreeSet<UnitId> = starts.collect();
        let wave = self.wave_of(*starts.first()?);
        if self.plan.request.waves.is_empty() {
            return None;
        }
        let mut others = self
            .plan
            .units
            .iter()
            .filter(|unit| unit.wave == wave && !starts.contains(&unit.id));
        let was_begun = |unit: &UnitState| unit.is_begun() || unit.refused_attempts > 0;
        if others.any(|other| self.units.get(&other.id).is_some_and(was_begun)) {
            return None;
        }
        let planned = self.plan.waves().into_iter().find(|it| it.number == wave)?;
        Some(WaveBegun {
            number: wave,
            name: planned.name.to_owned(),
            of: self.last_wave(),
            locations: planned.locations,
            nodes: planned.nodes,
        })
    }

    fn last_wave(&self) -> u32 {
        self.waves.last().copied().unwrap_or(1)
    }

    /// The soak that the units of a wave wait for, if some of them wait.
    fn soak_standing(&self, wave: u32, now: Timestamp) -> Option<SoakStanding> {
        if !self.ledger.waiting_waves.contains_key(&wave) {
            return None;
        }
        let soaks = self.wave_ends.range(..wave).filter_map(|(before, ended)| {
            let soak = self.plan.request.wave(*before)?.soak?;
            let until = ended.checked_add(soak.duration()).unwrap_or(Timestamp::MAX);
            Some((until, *before))
        });
        let (until, after) = soaks.max().filter(|(until, _)| *until > now)?;
        Some(SoakStanding {
            after,
            name: self.plan.request.wave_name(after).to_owned(),
            until,
        })
    }
}
