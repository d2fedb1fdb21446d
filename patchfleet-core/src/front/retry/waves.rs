//! Whether a retry keeps the waves of the campaign before: each location in its own, and behind what guards it.

use super::refused;
use crate::campaign::State;
use crate::front::CampaignError;
use crate::id::Location;
use crate::plan::{Plan, PlannedLocation};
use crate::refusal::{Refusal, RefusalCode, RefusalReason};
use crate::request::Wave;
use crate::slip::{Slip, slips};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A retry deals the waves out among the locations that are left. Where waves do different things, each of these has to stay in its own.
/// And none may come later than before because its account stands in another unit, or has other tags: the wave that it was in is not over,
/// and what it guards would be begun beside it.
pub(super) fn require_same_waves(before: &Plan, plan: &Plan) -> Result<(), CampaignError> {
    let waves: BTreeMap<Location, u32> = before
        .locations
        .iter()
        .map(|planned| (planned.location(), planned.wave))
        .collect();
    let reasons: Vec<RefusalReason> = plan
        .locations
        .iter()
        .filter_map(|planned| {
            let was = waves.get(&planned.location()).copied()?;
            let why = if was != planned.wave && before.request.differs_in_waves() {
                "where something else is done: run the request, or have its waves name accounts or Regions"
            } else if was < planned.wave && before.request.wave(was).is_some_and(Wave::names_places) {
                "which begins once the other one is over: by its account's unit and tags of today it is not in its wave. Undo that, or run \
                 the request"
            } else {
                return None;
            };
            Some(RefusalReason {
                code: RefusalCode::NotRetried,
                subject: planned.location().to_string(),
                detail: format!(
                    "it was in the wave {}, and in a retry it would be in the wave {}, {why}",
                    before.request.wave_name(was),
                    plan.request.wave_name(planned.wave)
                ),
            })
        })
        .collect();
    match reasons.is_empty() {
        true => Ok(()),
        false => Err(CampaignError::Refused(Refusal { reasons })),
    }
}

/// Has the waves of which nothing is left that could be tried hold those after them back as they did in the campaign before. Nothing may
/// come after one that did not do well: what failed in it may be gone or silent for that very reason. And where a wave takes so many
/// locations or nodes, others are drawn for it: that is refused unless all that it asks for was met.
pub(super) fn keep_waves_back(of: &State, plan: &mut Plan, now: Timestamp) -> Result<(), CampaignError> {
    if slips(Slip::PassesWavesOver) {
        return Ok(());
    }
    let there: BTreeSet<u32> = plan.locations.iter().map(|planned| planned.wave).collect();
    let can_be_tried = || plan.locations.iter().filter(|planned| !planned.is_hollow());
    let tried_in: BTreeSet<u32> = can_be_tried().map(|planned| planned.wave).collect();
    let tried: BTreeSet<Location> = can_be_tried().map(PlannedLocation::location).collect();
    let is_tried = |wave: u32| {
        let mut before = of.plan().locations.iter();
        before.any(|planned| planned.wave == wave && tried.contains(&planned.location()))
    };
    let waves = 1..=plan.request.wave_count();
    let reasons = waves.filter(|wave| !is_tried(*wave)).filter_map(|wave| {
        let (is_drawn_anew, guards) = (tried_in.contains(&wave), tried_in.range(wave..).next().is_some());
        let failed = of.keeps_later_waves_back(wave).filter(|_| guards);
        let detail = match (failed, of.asks_still(wave, now).filter(|_| is_drawn_anew)) {
            (Some(why), _) => format!(
                "no node of it is left that could be tried, and {why}. What failed in it may be gone or silent for that very reason, and \
                 the retry would begin others: run the request"
            ),
            (None, Some(why)) => format!(
                "no node of it is left that could be tried, and {why}. It has so many locations or nodes, and the retry would take others \
                 for it: run the request"
            ),
            (None, None) => return None,
        };
        Some(RefusalReason {
            code: RefusalCode::WaveEmpty,
            subject: format!("wave {}", plan.request.wave_name(wave)),
            detail,
        })
    });
    let reasons: Vec<RefusalReason> = reasons.collect();
    if let Some(retried) = &mut plan.retries {
        let guards = |wave: u32| !there.contains(&wave) && there.range(wave..).next().is_some();
        retried.passed.retain(|passed| guards(passed.number));
    }
    match reasons.is_empty() {
        true => Ok(()),
        false => Err(refused(reasons)),
    }
}
