//! A plan's JSON. Its `units` have what the planner knows. Its `requests` are the starts in the API's own JSON, which
//! scripts hand to AWS as they are.

use super::{
    Followed, Forecast, Lifetime, Plan, PlannedAutomation, PlannedDispatch, PlannedFleet, PlannedLabel,
    PlannedLocation, PlannedWaveBudget, Retried, Unit,
};
use crate::budget::{RateControl, WorstCase};
use crate::id::{NodeId, UnitId};
use crate::port::{Caller, StartRequest};
use crate::refusal::Skip;
use crate::request::PatchRequest;
use crate::runbook::PlannedRunbook;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;

/// A [`Plan`] as it is written.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    format: u32,
    request: Cow<'a, PatchRequest>,
    central: Cow<'a, Caller>,
    followed: Followed,
    candidates: u32,
    locations: Cow<'a, [PlannedLocation]>,
    skipped: Cow<'a, [Skip]>,
    warnings: Cow<'a, [String]>,
    units: Vec<WrittenUnit<'a>>,
    requests: Vec<Cow<'a, StartRequest>>,
    #[serde(deserialize_with = "Option::deserialize")] // a plan that lacks the key is not whole
    runbook: Option<Cow<'a, PlannedRunbook>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fleet: Option<PlannedFleet>,
    #[serde(default, skip_serializing_if = "<[PlannedWaveBudget]>::is_empty")]
    wave_budgets: Cow<'a, [PlannedWaveBudget]>,
    #[serde(default, skip_serializing_if = "<[PlannedLabel]>::is_empty")]
    labels: Cow<'a, [PlannedLabel]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forecast: Option<Forecast>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dispatch: Option<PlannedDispatch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    automation: Option<PlannedAutomation>,
    worst_case: WorstCase,
    #[serde(deserialize_with = "Option::deserialize")] // a plan that lacks the key is not whole
    lifetime: Option<Lifetime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retries: Option<Cow<'a, Retried>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    second_attempt: bool,
}

/// A [`Unit`] as it is written, without its start.
#[derive(PartialEq, Serialize, Deserialize)]
struct WrittenUnit<'a> {
    unit: UnitId,
    #[serde(default = "first", skip_serializing_if = "is_first")]
    wave: u32,
    locations: u32,
    locations_at_once: u32,
    location_errors: u32,
    node_rates: RateControl,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nodes: Option<Cow<'a, [NodeId]>>,
}

/// The wave of a plan that has one wave.
fn first() -> u32 {
    1
}

fn is_first(wave: &u32) -> bool {
    *wave == first()
}

impl<'a> From<&'a Unit> for WrittenUnit<'a> {
    fn from(unit: &'a Unit) -> Self {
        Self {
            unit: unit.id,
            wave: unit.wave,
            locations: unit.location_count(),
            locations_at_once: unit.locations_at_once(),
            location_errors: unit.location_errors(),
            node_rates: unit.node_rates,
            nodes: unit.nodes.as_deref().map(Cow::Borrowed),
        }
    }
}

impl WrittenUnit<'_> {
    /// The unit with its start. The figures that stand in both have to agree.
    fn with(self, start: StartRequest) -> Result<Unit, String> {
        let nodes = self.nodes.as_deref().map(<[NodeId]>::to_vec);
        let unit = Unit::new(self.unit, self.wave, nodes, self.node_rates, start);
        if WrittenUnit::from(&unit) == self {
            Ok(unit)
        } else {
            Err(format!("units and requests do not agree on unit {}", self.unit))
        }
    }
}

impl<'a> From<&'a Plan> for Written<'a> {
    fn from(plan: &'a Plan) -> Self {
        Self {
            format: plan.format,
            request: Cow::Borrowed(&plan.request),
            central: Cow::Borrowed(&plan.central),
            followed: plan.followed,
            candidates: plan.candidates,
            locations: Cow::Borrowed(&plan.locations),
            skipped: Cow::Borrowed(&plan.skipped),
            warnings: Cow::Borrowed(&plan.warnings),
            units: plan.units.iter().map(WrittenUnit::from).collect(),
            requests: plan.units.iter().map(|unit| Cow::Borrowed(&unit.start)).collect(),
            runbook: plan.runbook.as_ref().map(Cow::Borrowed),
            fleet: plan.fleet,
            wave_budgets: Cow::Borrowed(&plan.wave_budgets),
            labels: Cow::Borrowed(&plan.labels),
            forecast: plan.forecast,
            dispatch: plan.dispatch,
            automation: plan.automation,
            worst_case: plan.worst_case,
            lifetime: plan.lifetime,
            retries: plan.retries.as_ref().map(Cow::Borrowed),
            second_attempt: plan.second_attempt,
        }
    }
}

impl TryFrom<Written<'_>> for Plan {
    type Error = String;

    fn try_from(written: Written<'_>) -> Result<Self, String> {
        let (units, requests) = (written.units, written.requests);
        if units.len() != requests.len() {
            return Err(format!(
                "units and requests are not as many: {} and {}",
                units.len(),
                requests.len()
            ));
        }
        let units = (0..).map(UnitId::from_index).zip(units.into_iter().zip(requests));
        let units = units.map(|(id, (unit, start))| match unit.unit == id {
            true => unit.with(start.into_owned()),
            false => Err(format!("unit {} stands where unit {id} should", unit.unit)),
        });
        Ok(Self {
            format: written.format,
            request: written.request.into_owned(),
            central: written.central.into_owned(),
            followed: written.followed,
            candidates: written.candidates,
            locations: written.locations.into_owned(),
            skipped: written.skipped.into_owned(),
            warnings: written.warnings.into_owned(),
            units: units.collect::<Result<_, _>>()?,
            runbook: written.runbook.map(Cow::into_owned),
            fleet: written.fleet,
            wave_budgets: written.wave_budgets.into_owned(),
            labels: written.labels.into_owned(),
            forecast: written.forecast,
            dispatch: written.dispatch,
            automation: written.automation,
            worst_case: written.worst_case,
            lifetime: written.lifetime,
            retries: written.retries.map(Cow::into_owned),
            second_attempt: written.second_attempt,
        })
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        written.try_into().map_err(de::Error::custom)
    }
}
