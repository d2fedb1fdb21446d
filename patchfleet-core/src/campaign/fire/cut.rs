//! What tells one cut of a campaign into units from another.

use crate::id::RequestDigest;
use crate::plan::Plan;
use crate::request::digest_of;
use crate::runbook::{STEP_TIMEOUT_PARAMETER, TIMEOUT_PARAMETER};
use serde_json::Value;

/// The digest of a plan's units: where each of them runs, with which shares, and with which parameters. How long
/// commands live is no part of it. It follows from how many nodes answer at the moment, and says nothing of what is
/// patched.
pub(super) fn digest(plan: &Plan) -> RequestDigest {
    let units = plan.units.iter().map(|unit| {
        let mut start = unit.start.clone();
        for figure in [TIMEOUT_PARAMETER, STEP_TIMEOUT_PARAMETER] {
            start.parameters.remove(figure);
        }
        // Its keys are all texts, so it has JSON. If it had none, this would still tell starts apart.
        serde_json::to_value(&start).unwrap_or_else(|_| Value::from(format!("{start:?}")))
    });
    digest_of(&Value::Array(units.collect()))
}
