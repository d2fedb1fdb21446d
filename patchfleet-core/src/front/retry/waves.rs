//! A retry has the waves of the campaign before: each location is in its own, and behind what guards it.

use super::refused;
use crate::campaign::{KeptBack, State, TriedAgain};
use crate::front::CampaignError;
use crate::id::{Location, NodeId};
use crate::outcome::NodeOutcome;
use crate::plan::{HeldWave, Plan, PlannedLocation};
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::EmptyWave;
use crate::slip::{Slip, slips};
use crate::text::{by_number, counted};
use std::collections::{BTreeMap, BTreeSet};

/// In which wave each location of a plan is.
pub(super) fn waves_of_locations(plan: &Plan) -> BTreeMap<Location, u32> {
    let locations = plan.locations.iter();
    locations
        .map(|planned| (planned.location(), planned.wave))
        .collect()
}

/// The nodes that are tried again.
#[derive(Debug, Default)]
pub(super) struct Again {
    pub(super) all: TriedAgain,
    /// Those that answer Systems Manager now.
    pub(super) answering: TriedAgain,
}

impl Again {
    /// One more. `outcome` is what it came to before, if that is known.
    pub(super) fn add(
        &mut self,
        location: &Location,
        node: &NodeId,
        outcome: Option<NodeOutcome>,
        is_online: bool,
    ) {
        // Its location is tried, whatever is known of it.
        let there = self.all.entry(location.clone()).or_default();
        let Some(outcome) = outcome else { return };
        there.insert(node.clone(), outcome);
        if is_online {
            let there = self.answering.entry(location.clone()).or_default();
            there.insert(node.clone(), outcome);
        }
    }

    /// Those of them that a plan has.
    fn planned(&self, plan: &Plan) -> TriedAgain {
        let mut planned = TriedAgain::new();
        for at in &plan.locations {
            let Some(nodes) = self.all.get(&at.location()) else {
                continue;
            };
            let nodes = nodes.iter().filter(|(node, _)| !at.left_out.contains(*node));
            let there = planned.entry(at.location()).or_default();
            there.extend(nodes.map(|(node, outcome)| (node.clone(), *outcome)));
        }
        planned
    }
}

/// Has the waves hold those after them back as they did in the campaign before. Nothing may come after one that did not do well before all
/// that speaks against it is tried again: what failed in it may be gone or silent for that very reason.
pub(super) fn keep_waves_back(of: &State, plan: &mut Plan, again: &Again) -> Result<(), CampaignError> {
    if slips(Slip::PassesWavesOver) {
        return Ok(());
    }
    let there: BTreeSet<u32> = plan.locations.iter().map(|planned| planned.wave).collect();
    let can_be_tried = || plan.locations.iter().filter(|planned| !planned.is_hollow());
    let tried: BTreeMap<Location, &PlannedLocation> = can_be_tried()
        .map(|planned| (planned.location(), planned))
        .collect();
    let is_tried = |wave: u32| {
        let mut before = of.plan().locations.iter();
        before.any(|planned| planned.wave == wave && tried.contains_key(&planned.location()))
    };
    // Also before nodes of which none answers now: they are begun as soon as they do.
    let comes_before = |wave: u32| there.range(wave.saturating_add(1)..).next().is_some();
    let held: Vec<KeptBack> = of.held_waves();
    let held: Vec<KeptBack> = held.into_iter().filter(|held| comes_before(held.wave)).collect();
    let reasons = held.iter().filter_map(|held| {
        let why = held.why.as_ref()?;
        let of_location = |(location, not_well): (&Location, &u32)| {
            let tried = tried.get(location).zip(again.answering.get(location));
            let tried = tried.map_or(0, |(planned, nodes)| {
                let goal = of.goal_at(location);
                let counts = nodes
                    .iter()
                    .filter(|(node, outcome)| held.counts(**outcome, goal) && !planned.left_out.contains(node));
                u32::try_from(counts.count()).unwrap_or(u32::MAX)
            });
            u64::from(not_well.saturating_sub(tried))
        };
        let untried: u64 = held.not_well.iter().map(of_location).sum();
        let (code, what) = match is_tried(held.wave) {
            false => (RefusalCode::WaveEmpty, "no node of it is left that could be tried".to_owned()),
            true if untried == 0 => return None,
            true => (
                RefusalCode::NotRetried,
                format!(
                    "{} that did not do well in it {} not tried again",
                    counted(untried, "node"),
                    by_number(untried, "is", "are")
                ),
            ),
        };
        Some(RefusalReason {
            code,
            subject: format!("wave {}", plan.request.wave_name(held.wave)),
            detail: format!(
                "{what}, and {why}. What failed in it may be gone or silent for that very reason, and the retry would begin others: run the \
                 request"
            ),
        })
    });
    // It has shown nothing, and none of its nodes is tried now.
    let never_ran = (1..).zip(&of.plan().first_request().waves).filter_map(|(number, wave)| {
        let is_held = held.iter().any(|held| held.wave == number && held.why.is_some());
        if wave.if_empty == EmptyWave::Skip || is_held || is_tried(number) || !comes_before(number) {
            return None;
        }
        let n = of.not_run_alone_in(number);
        (n > 0).then(|| RefusalReason {
            code: RefusalCode::WaveEmpty,
            subject: format!("wave {}", wave.name),
            detail: format!(
                "{} of it had no turn in campaign {}, and no node of it is left that could be tried, so the waves after it would begin \
                 without it: run the request",
                counted(n, "node"),
                of.campaign(),
            ),
        })
    });
    let reasons: Vec<RefusalReason> = reasons.chain(never_ran).collect();
    let waits = held
        .iter()
        .filter(|held| held.unknown > 0 && there.contains(&held.wave));
    let waits = waits.map(|held| {
        format!(
            "wave {}: what {} of it came to is not known, so the next one waits for a person to approve of it. `patchfleet collect {}` before \
             this retry may find that all is well",
            plan.request.wave_name(held.wave),
            counted(held.unknown, "node"),
            of.campaign()
        )
    });
    let waits: Vec<String> = waits.collect();
    plan.warnings.extend(waits);
    let shown = of.shown_waves(&again.planned(plan));
    if let Some(retried) = &mut plan.retries {
        retried.shown = shown;
        retried
            .shown
            .retain(|shown| comes_before(shown.number) && there.contains(&shown.number));
        let guards = |wave: u32| !there.contains(&wave) && there.range(wave..).next().is_some();
        retried.passed.retain(|passed| guards(passed.number));
        let is_there = held.iter().filter(|held| there.contains(&held.wave));
        retried.held = is_there
            .map(|held| HeldWave::new(held.wave, held.unknown))
            .collect();
    }
    match reasons.is_empty() {
        true => Ok(()),
        false => Err(refused(reasons)),
    }
}
