//! Checks that a plan's starts follow from its request and its locations.
//!
//! A plan is kept in a log for hours, and somebody may change it there by hand. What is sent follows from it, so its parts
//! are compared with each other before anything is begun.

use super::{Plan, PlannedFleet, Unit, fleet, in_wave, timeout_of};
use crate::id::{AccountId, Location, UnitId};
use crate::port::{MAX_NODES, StartRequest};
use crate::request::{Dispatch, PatchRequest, RunbookPin, Wave};
use crate::runbook::{self, STEP_TIMEOUT_PARAMETER, TIMEOUT_PARAMETER, TargetTooLong};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// A plan that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PlanFault {
    /// A start is not the one that follows from the request.
    #[error(
        "the start of unit {unit} does not follow from the plan's request: {field} is {found}, and should be {expected}"
    )]
    Start {
        /// The unit.
        unit: UnitId,
        /// What of it.
        field: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// A unit does not have the number that follows from its place in the list.
    #[error("unit {found} stands where unit {expected} should be")]
    Order {
        /// The number that was due.
        expected: UnitId,
        /// The number that came.
        found: UnitId,
    },
    /// A unit has a location of another wave than its own.
    #[error("unit {unit} is in wave {wave}, and starts in {location} of another wave")]
    OtherWave {
        /// The unit.
        unit: UnitId,
        /// Its wave.
        wave: u32,
        /// The location.
        location: Location,
    },
    /// A unit comes after one of a later wave.
    #[error("unit {unit} of wave {wave} stands after a unit of wave {before}")]
    WaveOrder {
        /// The unit.
        unit: UnitId,
        /// Its wave.
        wave: u32,
        /// The wave of the unit before it.
        before: u32,
    },
    /// A location is in a wave in which the request does not have it.
    #[error("{location} is in wave {wave}, and the request does not have it there")]
    Wave {
        /// The location.
        location: Location,
        /// The wave.
        wave: u32,
    },
    /// A start has a location that the plan does not have, or has it for the second time.
    #[error("unit {unit} starts in {location}, which the plan does not leave to it")]
    Location {
        /// The unit.
        unit: UnitId,
        /// The location.
        location: Location,
    },
    /// What the plan makes of a bound on the fleet is not what its request says.
    #[error(
        "the plan's bounds on the fleet are {found}, and by its request and its locations they are {expected}"
    )]
    Fleet {
        /// What they are.
        found: String,
        /// What they should be.
        expected: String,
    },
    /// What the plan makes of the budgets that waves have of their own is not what its request says.
    #[error(
        "the plan's budgets of waves are {found}, and by its request and its locations they are {expected}"
    )]
    WaveBudgets {
        /// What they are.
        found: String,
        /// What they should be.
        expected: String,
    },
    /// What the plan makes of bounds on the values of labels is not what its request says.
    #[error("the plan's labels do not follow from its request: {0}")]
    Labels(String),
    /// A location of the plan is in no start.
    #[error("no unit starts in {location}, which is planned")]
    LeftOut {
        /// The location.
        location: Location,
    },
}

impl Plan {
    /// Sees that the starts are those that follow from the request, and that their locations are the plan's.
    ///
    /// # Errors
    ///
    /// The first [`PlanFault`].
    pub(crate) fn check(&self) -> Result<(), PlanFault> {
        let waves = self.locations.iter().map(|at| (at.location(), at.wave));
        let planned: BTreeMap<Location, u32> = waves.collect();
        self.check_waves()?;
        self.check_fleet()?;
        let in_waves = self.in_waves();
        if let Some(fault) = self.fault_of_labels() {
            return Err(PlanFault::Labels(fault));
        }
        let mut seen = BTreeSet::new();
        for (expected, unit) in (0..).map(UnitId::from_index).zip(&self.units) {
            if unit.id != expected {
                return Err(PlanFault::Order {
                    expected,
                    found: unit.id,
                });
            }
            self.check_start(unit, in_waves.of(unit.wave))?;
            for location in unit.locations() {
                // Units that name their nodes may share a location. A runbook of one's own is not told which.
                let may_share = unit.nodes.is_some() || !self.is_of_own_runbook();
                let is_news = seen.insert(location.clone());
                if !planned.contains_key(&location) || !(is_news || may_share) {
                    let unit = unit.id;
                    return Err(PlanFault::Location { unit, location });
                }
                if planned.get(&location) != Some(&unit.wave) {
                    let (unit, wave) = (unit.id, unit.wave);
                    return Err(PlanFault::OtherWave { unit, wave, location });
                }
            }
        }
        match planned.into_keys().find(|location| !seen.contains(location)) {
            Some(location) => Err(PlanFault::LeftOut { location }),
            None => Ok(()),
        }
    }

    /// Sees that units come wave by wave, and that each location is in a wave that can have it, as far as the request
    /// and the other locations tell. What is below a unit and which tags an account has nobody knows any more. But it is the
    /// same for all Regions of an account.
    fn check_waves(&self) -> Result<(), PlanFault> {
        for (before, unit) in self.units.iter().zip(self.units.iter().skip(1)) {
            if unit.wave < before.wave {
                return Err(PlanFault::WaveOrder {
                    unit: unit.id,
                    wave: unit.wave,
                    before: before.wave,
                });
            }
        }
        let accounts: BTreeSet<(u32, &AccountId)> =
            self.locations.iter().map(|at| (at.wave, &at.account)).collect();
        for at in &self.locations {
            let (location, wave) = (at.location(), at.wave);
            let may_have = |named: &Wave| named.may_have(&location, |_| None, |_| None);
            let is_named = match self.request.wave(wave) {
                Some(named) => may_have(named),
                None => wave == self.request.wave_count(),
            };
            let earlier = usize::try_from(wave.saturating_sub(1)).unwrap_or(usize::MAX);
            let mut earlier = (1..).zip(self.request.waves.iter().take(earlier));
            let has = |(number, named): (u32, &Wave)| {
                let has_account = named.takes_all() && accounts.contains(&(number, &at.account));
                named.surely_has(&location) || (has_account && may_have(named))
            };
            if !is_named || earlier.any(has) {
                return Err(PlanFault::Wave { location, wave });
            }
        }
        Ok(())
    }

    /// Sees that the bounds on the fleet are those that follow from the request and the locations, and that the shape keeps them.
    fn check_fleet(&self) -> Result<(), PlanFault> {
        let expected = fleet::resolve(&self.request, self.retries.as_ref(), &self.locations, None);
        let is_kept = match (&expected, &self.fleet) {
            (Ok(Some(expected)), Some(found)) => {
                let budget = &self.request.budget;
                let own: BTreeSet<u32> = self.wave_budgets.iter().map(|own| own.wave).collect();
                let there = self.locations.iter().filter(|at| !own.contains(&at.wave));
                let places = budget.locations.max_concurrency.as_count(self.location_count());
                found.keeps(
                    expected,
                    &Vec::from_iter(there),
                    budget.nodes.max_concurrency,
                    places,
                )
            }
            (Ok(None), None) => true,
            _ => false,
        };
        if is_kept {
            return self.check_wave_budgets();
        }
        let words =
            |fleet: Option<PlannedFleet>| fleet.map_or("none".to_owned(), |fleet| format!("{fleet:?}"));
        Err(PlanFault::Fleet {
            found: words(self.fleet),
            expected: expected.map_or_else(|reason| reason.detail, words),
        })
    }

    /// Likewise for the budgets that waves have of their own.
    fn check_wave_budgets(&self) -> Result<(), PlanFault> {
        let mut found = self.wave_budgets.iter().peekable();
        for (number, wave) in (1..).zip(&self.request.waves) {
            let there = in_wave::locations_of(number, &self.locations);
            let own = found.next_if(|own| own.wave == number);
            let expected = in_wave::resolve_one(
                &self.request,
                self.retries.as_ref(),
                number,
                self.locations.len(),
                &there,
                self.fleet.as_ref(),
                None,
            );
            let limit = self.request.in_wave(number).budget.nodes.max_concurrency;
            let is_kept = match (own, &expected) {
                (None, _) => there.is_empty() || !wave.has_own_budget(),
                (Some(_), _) if there.is_empty() => false,
                (Some(own), Ok(expected)) => {
                    let places = in_wave::places_in(&self.request, number, self.locations.len(), there.len());
                    own.keeps(expected, &there, limit, places)
                }
                (Some(_), Err(_)) => false,
            };
            if !is_kept {
                return Err(PlanFault::WaveBudgets {
                    found: own.map_or_else(|| "none".to_owned(), |own| format!("{own:?}")),
                    expected: match expected {
                        _ if there.is_empty() => "none".to_owned(),
                        Ok(expected) => format!("{expected:?}"),
                        Err(reason) => reason.detail,
                    },
                });
            }
        }
        found.next().map_or(Ok(()), |own| {
            Err(PlanFault::WaveBudgets {
                found: format!("{own:?}"),
                expected: "none".to_owned(),
            })
        })
    }

    fn is_of_own_runbook(&self) -> bool {
        runbook::is_own(&self.request.automation.document)
    }

    fn check_start(&self, unit: &Unit, paced: &PatchRequest) -> Result<(), PlanFault> {
        let fault = |field, found: &dyn Debug, expected: &dyn Debug| PlanFault::Start {
            unit: unit.id,
            field,
            found: format!("{found:?}"),
            expected: format!("{expected:?}"),
        };
        let (start, settings) = (&unit.start, &self.request.automation);
        let document = match settings.dispatch {
            Dispatch::Automation => settings.document.clone(),
            Dispatch::RunCommand => runbook::command_document(),
        };
        if start.document_name != document {
            return Err(fault("its document", &start.document_name, &document));
        }
        if start.document_version.is_some() && settings.pin == RunbookPin::Default {
            return Err(fault(
                "its document version",
                &start.document_version,
                &"the default",
            ));
        }
        if !start.tags.is_empty() {
            return Err(fault("a tag", &start.tags, &"none"));
        }
        if self.request.automation.dispatch == Dispatch::RunCommand {
            return self.check_command(unit, paced);
        }
        let alarm = self.request.breaker.handed_alarm();
        if start.alarm.as_ref() != alarm {
            return Err(fault("its alarm", &start.alarm, &alarm));
        }
        let target = start.target_location();
        if target.execution_role_name != settings.execution_role {
            let (found, expected) = (&target.execution_role_name, &settings.execution_role);
            return Err(fault("its execution role", found, expected));
        }
        // The planner decides how the locations at once are shared out. No share may be more than the whole.
        let at_once = target.target_location_max_concurrency;
        let places = self.location_budget_in(unit.wave);
        if at_once > places.max(1) {
            return Err(fault("its locations at once", &at_once, &places));
        }
        let errors = target.target_location_max_errors;
        let own = self.location_errors_in(unit.wave).unwrap_or(u32::MAX);
        let allowed = self.location_errors().min(own);
        if errors > allowed {
            return Err(fault("its location errors", &errors, &allowed));
        }
        let rates = paced.budget.nodes;
        if unit.node_rates != rates {
            return Err(fault("its node rates", &unit.node_rates, &rates));
        }
        if let Some(most) = self
            .fleet_in(unit.wave)
            .and_then(|fleet| fleet.nodes_in_a_start())
        {
            let named = unit.nodes.as_ref().map(Vec::len);
            let fits = |n: usize| u32::try_from(n).is_ok_and(|n| (1..=most).contains(&n));
            if !named.is_some_and(fits) {
                return Err(fault("how many nodes it names", &named, &most));
            }
        }
        let expected = self.expected_parameters(unit, paced).map_err(|error| {
            let expected = error.to_string();
            fault("its targets", &unit.nodes, &expected)
        })?;
        let names: BTreeSet<&String> = start.parameters.keys().chain(expected.keys()).collect();
        for name in names {
            let (found, expected) = (start.parameters.get(name), expected.get(name));
            if found != expected {
                return Err(fault("a parameter", &(name, found), &(name, expected)));
            }
        }
        Ok(())
    }

    /// Sees that a command that patchfleet sends itself is the one that follows from the request. How long it lives is
    /// taken from the command.
    fn check_command(&self, unit: &Unit, paced: &PatchRequest) -> Result<(), PlanFault> {
        let nodes = unit.nodes.clone().unwrap_or_default();
        let timeout = timeout_of(&unit.start).unwrap_or_default();
        let step_timeout = self.lifetime.as_ref().and_then(|lifetime| lifetime.step_timeout);
        let most = self
            .fleet_in(unit.wave)
            .and_then(|fleet| fleet.nodes_in_a_start());
        let most = most.map_or(MAX_NODES, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let fits = (1..=most.min(MAX_NODES)).contains(&nodes.len());
        let expected = unit.locations().next().map(|location| {
            let command = runbook::command(paced, nodes, timeout, step_timeout);
            StartRequest::of_command(location, command)
        });
        if fits && unit.node_rates == paced.budget.nodes && expected.as_ref() == Some(&unit.start) {
            return Ok(());
        }
        Err(PlanFault::Start {
            unit: unit.id,
            field: "its command",
            found: format!("{:?}", unit.start),
            expected: format!("{expected:?}, for 1 to {most} nodes"),
        })
    }

    /// The parameters of a unit's start. How long its commands live is taken from the start itself. It follows from the
    /// census, and is checked where it is used.
    fn expected_parameters(
        &self,
        unit: &Unit,
        paced: &PatchRequest,
    ) -> Result<BTreeMap<String, Vec<String>>, TargetTooLong> {
        let mut expected = runbook::parameters(paced, &self.central, unit.nodes.as_deref())?;
        if let Some(lifetime) = &self.lifetime {
            let timeout =
                timeout_of(&unit.start).map_or_else(String::new, |timeout| timeout.get().to_string());
            expected.insert(TIMEOUT_PARAMETER.to_owned(), vec![timeout]);
            if let Some(seconds) = lifetime.step_timeout {
                let value = vec![seconds.get().to_string()];
                expected.insert(STEP_TIMEOUT_PARAMETER.to_owned(), value);
            }
        }
        Ok(expected)
    }
}
