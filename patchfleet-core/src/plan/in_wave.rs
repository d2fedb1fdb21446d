//! What a plan makes of waves that are patched otherwise than the rest, and of the budgets that a wave has of its own.

use super::fleet::{self, is_better_in};
use super::{FleetPace, Plan, PlannedFleet, PlannedLocation, Retried};
use crate::budget::{MaxConcurrency, RateControl};
use crate::refusal::RefusalReason;
use crate::request::PatchRequest;
use crate::text::{counted, table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a plan makes of the budgets that a wave has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedWaveBudget {
    /// The number of the wave, from 1.
    pub wave: u32,
    /// How many of its locations at once.
    pub locations_at_once: u32,
    /// How many of its locations may fail; `None`: only the budget of all waves bounds that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_errors: Option<u32>,
    /// The bounds on nodes that hold in it: its own, and those of all waves. `None`: there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<PlannedFleet>,
}

impl PlannedWaveBudget {
    /// Whether this is what `expected` is, but for the shape, and its own shape keeps the same bounds: see
    /// [`PlannedFleet::keeps`]. `there` are the locations of the wave, with the limit within each and how many of them at once.
    pub(super) fn keeps(
        &self,
        expected: &Self,
        there: &[PlannedLocation],
        limit: MaxConcurrency,
        places: u32,
    ) -> bool {
        let same = Self {
            locations_at_once: expected.locations_at_once,
            fleet: expected.fleet,
            ..*self
        };
        let at_once = self.fleet.and_then(|fleet| fleet.locations_at_once());
        let keeps = match (&self.fleet, &expected.fleet) {
            (Some(own), Some(expected)) => own.keeps(expected, &Vec::from_iter(there), limit, places),
            (None, None) => true,
            _ => false,
        };
        same == *expected && keeps && self.locations_at_once == at_once.unwrap_or(u32::MAX).min(places)
    }
}

/// What becomes of the budgets that waves have of their own, and every reason against the plan. A wave without a location has
/// none. One that says nothing of its own has one if the bound on nodes in flight is kept in another shape there than across the
/// fleet. `fleet` is what the request's own bounds come to, and `starts` how many starts of some locations have to have a place at
/// once, because nobody begins a later one.
pub(super) fn resolve(
    request: &PatchRequest,
    retries: Option<&Retried>,
    locations: &[PlannedLocation],
    fleet: Option<&PlannedFleet>,
    starts: impl Fn(&[PlannedLocation]) -> u32,
) -> (Vec<PlannedWaveBudget>, Vec<RefusalReason>) {
    let (mut budgets, mut reasons) = (vec![], vec![]);
    for (number, wave) in (1..).zip(&request.waves) {
        let there = locations_of(number, locations);
        let has_own = wave.has_own_budget();
        let has_shape = fleet.is_some_and(|fleet| fleet.nodes_at_once().is_some());
        if there.is_empty() || !(has_own || has_shape) {
            continue;
        }
        let limit = request.in_wave(number).budget.nodes.max_concurrency;
        match resolve_one(
            request,
            retries,
            number,
            locations.len(),
            &there,
            fleet,
            Some(starts(&there)),
        ) {
            Err(reason) => reasons.push(reason),
            Ok(own) => {
                let is_better = || {
                    let both = own.fleet.as_ref().zip(fleet);
                    both.is_some_and(|(own, fleet)| is_better_in(&there, limit, own, fleet))
                };
                if has_own || is_better() {
                    budgets.push(own);
                }
            }
        }
    }
    (budgets, reasons)
}

/// The locations of a wave.
pub(super) fn locations_of(wave: u32, locations: &[PlannedLocation]) -> Vec<PlannedLocation> {
    let there = locations.iter().filter(|at| at.wave == wave);
    there.cloned().collect()
}

/// What becomes of the budgets of one wave with the locations `there`, of `total`.
pub(super) fn resolve_one(
    request: &PatchRequest,
    retries: Option<&Retried>,
    number: u32,
    total: usize,
    there: &[PlannedLocation],
    fleet: Option<&PlannedFleet>,
    starts: Option<u32>,
) -> Result<PlannedWaveBudget, RefusalReason> {
    let budget = request.wave(number).map(|wave| wave.budget).unwrap_or_default();
    let places = places_in(request, number, total, there.len());
    let in_wave = fleet::InWave {
        index: usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX),
        bounds: budget.fleet,
        limit: request.in_wave(number).budget.nodes.max_concurrency,
        places,
        starts,
        is_retried: retries.is_some(),
    };
    let fleet = fleet::resolve_in(request, &in_wave, there, fleet)?;
    let at_once = fleet.and_then(|fleet| fleet.locations_at_once());
    Ok(PlannedWaveBudget {
        wave: number,
        locations_at_once: places.min(at_once.unwrap_or(u32::MAX)),
        location_errors: (budget.locations.max_errors)
            .map(|rate| rate.as_count(u32::try_from(there.len()).unwrap_or(u32::MAX))),
        fleet,
    })
}

/// How many locations of a wave at once, of `there` in it and `total` in all, as the request says.
pub(super) fn places_in(request: &PatchRequest, number: u32, total: usize, there: usize) -> u32 {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let own = request
        .wave(number)
        .and_then(|wave| wave.budget.locations.max_concurrency);
    let (rate, of) = match own {
        Some(own) => (own, there),
        None => (request.budget.locations.max_concurrency, total),
    };
    rate.as_count(count(of)).min(count(there))
}

/// The same for a plan that a driver follows.
#[cfg(test)]
pub(crate) fn for_tests(
    request: &PatchRequest,
    locations: &[PlannedLocation],
    fleet: Option<&PlannedFleet>,
) -> Vec<PlannedWaveBudget> {
    let (budgets, reasons) = resolve(request, None, locations, fleet, |_| 1);
    assert!(reasons.is_empty(), "{reasons:?}");
    budgets
}

/// The request as it is paced in each wave: with the wave's own operation and limits, and with those that keep the bounds of the
/// fleet.
#[derive(Debug, Clone)]
pub(super) struct InWaves {
    whole: PatchRequest,
    waves: BTreeMap<u32, PatchRequest>,
}

impl InWaves {
    pub(super) fn new(
        asked: &PatchRequest,
        fleet: Option<&PlannedFleet>,
        budgets: &[PlannedWaveBudget],
    ) -> Self {
        let numbers = (1..).zip(&asked.waves);
        let waves = numbers.filter_map(|(number, _)| {
            let own = budgets.iter().find(|budget| budget.wave == number);
            let request = asked.in_wave(number);
            if own.is_none() && matches!(request, std::borrow::Cow::Borrowed(_)) {
                return None;
            }
            let fleet = own.map_or(fleet, |own| own.fleet.as_ref());
            let mut paced = fleet::paced(&request, fleet);
            let at_once = own.and_then(|own| MaxConcurrency::from_count(own.locations_at_once).ok());
            if let Some(at_once) = at_once {
                paced.budget.locations.max_concurrency = at_once;
            }
            Some((number, paced))
        });
        Self {
            waves: waves.collect(),
            whole: fleet::paced(asked, fleet),
        }
    }

    /// As it is paced where a wave says nothing else.
    pub(super) fn whole(&self) -> &PatchRequest {
        &self.whole
    }

    /// As it is paced in the wave with this number.
    pub(super) fn of(&self, wave: u32) -> &PatchRequest {
        self.waves.get(&wave).unwrap_or(&self.whole)
    }

    /// Each way in which it is paced, with the locations for which that holds, and the place of the wave in the request's list
    /// if it is one wave's own.
    pub(super) fn each<'a>(
        &'a self,
        locations: &'a [PlannedLocation],
    ) -> impl Iterator<Item = (Option<u32>, &'a PatchRequest, Vec<&'a PlannedLocation>)> {
        let others = locations.iter().filter(|at| !self.waves.contains_key(&at.wave));
        let own = self.waves.iter().map(move |(wave, request)| {
            let there = locations.iter().filter(|at| at.wave == *wave);
            (wave.checked_sub(1), request, there.collect())
        });
        std::iter::once((None, &self.whole, others.collect())).chain(own)
    }
}

impl Plan {
    /// The budgets of a wave that has its own.
    fn own_budget(&self, wave: u32) -> Option<&PlannedWaveBudget> {
        self.wave_budgets.iter().find(|budget| budget.wave == wave)
    }

    /// The bounds on nodes that hold in a wave: its own and those of all waves.
    #[must_use]
    pub fn fleet_in(&self, wave: u32) -> Option<PlannedFleet> {
        match self.own_budget(wave) {
            Some(own) => own.fleet,
            None => self.fleet,
        }
    }

    /// How many locations may be patched at once in a wave, over all units: as [`location_budget`](Self::location_budget) says,
    /// or what the wave has of its own.
    #[must_use]
    pub fn location_budget_in(&self, wave: u32) -> u32 {
        self.own_budget(wave)
            .map_or_else(|| self.location_budget(), |own| own.locations_at_once)
    }

    /// How many locations of a wave may fail before nothing more is begun; `None` if only the budget of all waves bounds that
    /// ([`location_errors`](Self::location_errors)).
    #[must_use]
    pub fn location_errors_in(&self, wave: u32) -> Option<u32> {
        self.own_budget(wave)?.location_errors
    }

    /// The bounds on nodes that a wave has of its own, where the campaign counts its nodes.
    pub(crate) fn counted_in(&self, wave: u32) -> Option<PlannedFleet> {
        let fleet = self.own_budget(wave)?.fleet?;
        fleet.nodes_in_a_start().map(|_| fleet)
    }

    /// Whether the campaign keeps a bound on nodes in flight: on the whole fleet, on a wave or on the values of a label.
    pub(crate) fn counts_in_flight(&self) -> bool {
        let of_fleet = |fleet: PlannedFleet| fleet.nodes_in_a_start().and(fleet.max_in_flight).is_some();
        let waves = self.wave_budgets.iter().filter_map(|own| own.fleet);
        let mut values = self.labels.iter().flat_map(|label| &label.values);
        self.fleet.into_iter().chain(waves).any(of_fleet) || values.any(|value| value.max_in_flight.is_some())
    }

    /// The limits within a location that the commands of a wave are given: those of the wave or of the request, or what a bound on
    /// nodes makes of them.
    #[must_use]
    pub fn node_rates_in(&self, wave: u32) -> RateControl {
        let rates = self.request.in_wave(wave).budget.nodes;
        self.fleet_in(wave).map_or(rates, |fleet| fleet.node_rates(rates))
    }

    /// The budgets that waves have of their own as a part of the plan's text; `None` if there are none.
    pub(super) fn wave_budgets_in_words(&self) -> Option<String> {
        let rows = self.wave_budgets.iter().map(|own| {
            let mut words = vec![format!("{} at once", counted(own.locations_at_once, "location"))];
            words.extend(own.location_errors.map(|errors| format!("{errors} may fail")));
            if let Some(fleet) = own.fleet {
                // It may be that of all waves, and counts what is in flight of others.
                let in_flight = fleet
                    .max_in_flight
                    .map(|n| format!("{} in flight", n.min(fleet.nodes.max(1))));
                let damaged = fleet.max_damaged.map(|n| format!("{n} damaged"));
                let bounds: Vec<String> = in_flight.into_iter().chain(damaged).collect();
                if !bounds.is_empty() {
                    let of = counted(fleet.nodes, "node");
                    words.push(format!("of {of} at most {}", bounds.join(" and ")));
                }
                words.extend(match fleet.pace {
                    FleetPace::Aws { nodes_at_once, .. } => {
                        let at_once = nodes_at_once.map(|nodes| counted(nodes, "node"));
                        at_once.map(|nodes| format!("{nodes} at once in each location"))
                    }
                    FleetPace::Campaign { nodes_in_a_start } => Some(format!(
                        "each {} names at most {}",
                        self.start_in_a_word(),
                        counted(nodes_in_a_start, "node")
                    )),
                });
            }
            let name = self.request.wave_name(own.wave).to_owned();
            vec![own.wave.to_string(), name, words.join(", ")]
        });
        let rows = Vec::from_iter(rows);
        if rows.is_empty() {
            return None;
        }
        let mut text = format!("Budgets of single waves\n{}", table("  ", &rows, 0..1));
        if self.request.bounds_name_nodes() && !self.request.budget.names_nodes() {
            text.push_str(&format!(
                "  Each {} names its nodes, in every wave: the campaign counts what is damaged, and it is {} once there is room for \
                 its nodes\n",
                self.start_in_a_word(),
                self.is_begun_in_words()
            ));
        }
        Some(text)
    }

    /// The request as each wave is paced.
    pub(super) fn in_waves(&self) -> InWaves {
        InWaves::new(&self.request, self.fleet.as_ref(), &self.wave_budgets)
    }
}
