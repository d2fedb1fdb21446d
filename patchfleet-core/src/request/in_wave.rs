//! What is different in one wave: what is done on its nodes, and its budgets.

use super::draft::{OPERATIONS, REBOOT_OPTIONS};
use super::fields::{Collector, Fields};
use super::fleet::max_damaged;
use super::{Budget, Operation, PatchRequest, RebootOption, Wave};
use crate::budget::{MaxConcurrency, MaxErrors, RateControl};
use crate::problem::{Problem, ProblemCode};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;

/// What is done on the nodes of a wave, as far as it is not what `[patch]` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct WavePatch {
    /// Scan in a request that installs, so that the wave changes nothing. A wave never installs where the request scans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Whether its nodes may reboot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reboot_option: Option<RebootOption>,
}

impl WavePatch {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The budgets of a wave, as far as they are not those of `[budget]`. A percentage is of the wave's own nodes or locations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct WaveBudget {
    /// The nodes of one location, in place of the request's limits.
    #[serde(skip_serializing_if = "WaveRates::is_none")]
    pub nodes: WaveRates,
    /// The locations. `max_concurrency` is in place of the request's. `max_errors` comes on top of it: the request's counts
    /// the locations of all waves, and this one those of the wave.
    #[serde(skip_serializing_if = "WaveRates::is_none")]
    pub locations: WaveRates,
    /// Strict bounds on the nodes of the wave. They come on top of the request's.
    #[serde(skip_serializing_if = "WaveFleet::is_none")]
    pub fleet: WaveFleet,
}

impl WaveBudget {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Limits of a wave; `None`: as the request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct WaveRates {
    /// How many at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<MaxConcurrency>,
    /// How many may fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_errors: Option<MaxErrors>,
}

impl WaveRates {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn over(self, rates: RateControl) -> RateControl {
        RateControl {
            max_concurrency: self.max_concurrency.unwrap_or(rates.max_concurrency),
            max_errors: self.max_errors.unwrap_or(rates.max_errors),
        }
    }
}

/// Strict bounds on the nodes of a wave; `None`: none but those of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct WaveFleet {
    /// How many nodes are being patched at the same time at most while the wave is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<MaxConcurrency>,
    /// How many nodes of the wave end failed or lost at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_damaged: Option<MaxErrors>,
}

impl WaveFleet {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for WavePatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = self.operation.map(Operation::as_str);
        let reboot = self.reboot_option.map(RebootOption::as_str);
        let all = [("operation", operation), ("reboot_option", reboot)];
        let said = all
            .into_iter()
            .filter_map(|(key, value)| Some(format!("{key} = {}", value?)));
        f.write_str(&Vec::from_iter(said).join(", "))
    }
}

impl Wave {
    /// Whether its budgets are those of the request.
    pub(crate) fn has_own_budget(&self) -> bool {
        !self.budget.is_none()
    }

    /// What is different in it, as the request says it, a line for each table.
    pub(crate) fn differs(&self) -> Vec<String> {
        let mut lines = vec![];
        if !self.patch.is_none() {
            lines.push(self.patch.to_string());
        }
        let rates = |layer: &str, rates: WaveRates| {
            let at_once = rates
                .max_concurrency
                .map(|rate| ("max_concurrency", rate.to_string()));
            let errors = rates.max_errors.map(|rate| ("max_errors", rate.to_string()));
            said(layer, [at_once, errors])
        };
        let in_flight = self.budget.fleet.max_in_flight;
        let damaged = self.budget.fleet.max_damaged;
        let fleet = [
            in_flight.map(|rate| ("max_in_flight", rate.to_string())),
            damaged.map(|rate| ("max_damaged", rate.to_string())),
        ];
        lines.extend(rates("nodes", self.budget.nodes));
        lines.extend(rates("locations", self.budget.locations));
        lines.extend(said("fleet", fleet));
        lines
    }
}

fn said(layer: &str, values: [Option<(&str, String)>; 2]) -> Option<String> {
    let values = values.into_iter().flatten();
    let values: Vec<String> = values.map(|(key, value)| format!("{key} = {value}")).collect();
    (!values.is_empty()).then(|| format!("budget.{layer}: {}", values.join(", ")))
}

impl PatchRequest {
    /// What is done in the wave with this number, from 1.
    #[must_use]
    pub fn operation_in(&self, wave: u32) -> Operation {
        let own = self.wave(wave).and_then(|wave| wave.patch.operation);
        own.unwrap_or(self.patch.operation)
    }

    /// Whether nodes of the wave with this number, from 1, may reboot.
    #[must_use]
    pub fn reboot_option_in(&self, wave: u32) -> RebootOption {
        let own = self.wave(wave).and_then(|wave| wave.patch.reboot_option);
        own.unwrap_or(self.patch.reboot_option)
    }

    /// Whether what is done is not the same in every wave.
    pub(crate) fn differs_in_waves(&self) -> bool {
        let differs = |wave: &Wave| !wave.patch.is_none() || wave.has_own_budget();
        self.waves.iter().any(differs)
    }

    /// The request as it holds in the wave with this number, but for percentages of locations and of the fleet, which are of
    /// other numbers there.
    pub(crate) fn in_wave(&self, wave: u32) -> Cow<'_, Self> {
        let Some(own) = self.wave(wave) else {
            return Cow::Borrowed(self);
        };
        if own.patch.is_none() && own.budget.nodes.is_none() {
            return Cow::Borrowed(self);
        }
        let mut request = self.clone();
        request.patch.operation = self.operation_in(wave);
        request.patch.reboot_option = self.reboot_option_in(wave);
        if request.patch.operation == Operation::Scan {
            // A Scan ignores it.
            request.patch.install_override_list = None;
        }
        request.budget.nodes = own.budget.nodes.over(self.budget.nodes);
        Cow::Owned(request)
    }

    /// Whether a bound of the request or of a wave holds only if each start names its nodes.
    pub(crate) fn bounds_name_nodes(&self) -> bool {
        let of_wave = |wave: &Wave| wave.budget.fleet.max_damaged.is_some();
        self.budget.names_nodes() || self.waves.iter().any(of_wave)
    }

    /// Whether the request or a wave has a bound on the fleet.
    pub(crate) fn has_fleet_bounds(&self) -> bool {
        self.budget.fleet.is_some() || self.waves.iter().any(|wave| !wave.budget.fleet.is_none())
    }
}

/// Reads `patch` of a wave.
pub(super) fn patch(wave: &mut Fields<'_>, out: &mut Collector) -> WavePatch {
    let mut fields = wave.take_table("patch", out);
    let operation = fields
        .take("operation")
        .and_then(|field| field.choice(&OPERATIONS, out));
    let reboot_option = fields
        .take("reboot_option")
        .and_then(|field| field.choice(&REBOOT_OPTIONS, out));
    for key in ["install_override_list", "baseline_override"] {
        if let Some(field) = fields.take_refused(key) {
            let expected = "no such field in a wave, as every wave installs the same patches: what [patch] says holds for all of them";
            out.add(field.problem_withheld(ProblemCode::Conflict, expected));
        }
    }
    if let Some(field) = fields.take_refused("delivery_timeout") {
        let expected = "no such field in a wave: what [patch] says holds for all of them";
        out.add(field.problem(ProblemCode::Conflict, expected));
    }
    fields.finish(out);
    WavePatch {
        operation,
        reboot_option,
    }
}

/// Reads `budget` of a wave.
pub(super) fn budget(wave: &mut Fields<'_>, out: &mut Collector) -> WaveBudget {
    let mut fields = wave.take_table("budget", out);
    let mut budget = WaveBudget::default();
    for (key, rates) in [("nodes", &mut budget.nodes), ("locations", &mut budget.locations)] {
        let mut layer = fields.take_table(key, out);
        let (concurrency, errors) = (layer.take("max_concurrency"), layer.take("max_errors"));
        rates.max_concurrency = concurrency.and_then(|field| field.rate(out));
        rates.max_errors = errors.and_then(|field| field.rate(out));
        layer.finish(out);
    }
    let mut fleet = fields.take_table("fleet", out);
    let (in_flight, damaged) = (fleet.take("max_in_flight"), fleet.take("max_damaged"));
    budget.fleet.max_in_flight = in_flight.and_then(|field| field.rate(out));
    budget.fleet.max_damaged = damaged.and_then(|field| max_damaged(&field, out));
    if let Some(field) = fleet.take_refused("max_unreached") {
        let expected =
            "no such field in a wave: have its gate say how many may not be reached (gate.max_unreached)";
        out.add(field.problem(ProblemCode::Conflict, expected));
    }
    fleet.finish(out);
    if let Some(field) = fields.take_refused("labels") {
        let expected = "no such field in a wave: a bound on the nodes of a value holds over all waves ([[budget.labels]])";
        out.add(field.problem(ProblemCode::Conflict, expected));
    }
    fields.finish(out);
    budget
}

/// What of the request the waves are compared with.
pub(super) struct Whole<'a> {
    /// `None`: it was wrong.
    pub(super) operation: Option<Operation>,
    pub(super) budget: &'a Budget,
    /// The name of patchfleet's own runbook, if another one is started.
    pub(super) rather: Option<&'a str>,
}

/// Finds what a wave says that the request does not let it say.
pub(super) fn check(waves: &[(usize, Wave)], whole: &Whole<'_>, out: &mut Collector) {
    for (index, wave) in waves {
        let mut refuse = |key: &str, value: String, expected: String| {
            let path = format!("waves[{index}].{key}");
            out.add(Problem::new(ProblemCode::Conflict, path, value, expected));
        };
        if let (Some(Operation::Scan), Some(Operation::Install)) = (whole.operation, wave.patch.operation) {
            let expected = "\"Scan\", or nothing: a wave may scan where the request installs, and not the other way round. Set \
                            patch.operation = \"Install\", and operation = \"Scan\" in the waves that only scan";
            refuse("patch.operation", "\"Install\"".to_owned(), expected.to_owned());
        }
        let of = &wave.budget;
        if let Some(rather) = whole.rather {
            let told = [
                ("patch", wave.patch.is_none(), "what to do"),
                (
                    "budget.nodes",
                    of.nodes.is_none(),
                    "how many nodes to patch at once",
                ),
                (
                    "budget.fleet",
                    of.fleet.is_none(),
                    "how many nodes to patch at once",
                ),
            ];
            for (key, is_none, what) in told {
                if !is_none {
                    let expected = format!(
                        "only {rather} is told {what}; a runbook of your own is given the same parameters in every wave"
                    );
                    refuse(key, String::new(), expected);
                }
            }
        }
        let fleet = whole.budget.fleet;
        let in_flight = fleet
            .and_then(|fleet| fleet.max_in_flight)
            .and_then(MaxConcurrency::count);
        let damaged = fleet
            .and_then(|fleet| fleet.max_damaged)
            .and_then(MaxErrors::count);
        let errors = whole.budget.locations.max_errors.count();
        let bounds = [
            (
                "fleet.max_in_flight",
                of.fleet.max_in_flight.and_then(MaxConcurrency::count),
                in_flight,
            ),
            (
                "fleet.max_damaged",
                of.fleet.max_damaged.and_then(MaxErrors::count),
                damaged,
            ),
            (
                "locations.max_errors",
                of.locations.max_errors.and_then(MaxErrors::count),
                errors,
            ),
        ];
        for (key, own, most) in bounds {
            if let (Some(own), Some(most)) = (own, most)
                && own > most
            {
                let expected = format!(
                    "at most {most}, as budget.{key} allows no more for all waves together, and a wave cannot loosen that"
                );
                refuse(&format!("budget.{key}"), own.to_string(), expected);
            }
        }
    }
}
