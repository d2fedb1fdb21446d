//! How long a node takes, by what an earlier campaign took.

use super::course::Work;
use crate::budget::Seconds;
use crate::id::{CampaignId, UnitId};
use crate::plan::{Plan, Unit};
use std::collections::BTreeMap;

/// The most that is learned, in minutes: what `forecast.minutes_per_node` may say.
const MOST: u32 = 1_440;

/// How long a node took in an earlier campaign of the same request's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LearnedPace {
    /// The minutes of a node with which the forecast of half of its starts would have been long enough, from 1 to 1440.
    pub minutes_per_node: u32,
    /// That campaign.
    pub campaign: CampaignId,
}

impl LearnedPace {
    /// The pace of a campaign with this plan. `took` is how long a unit was under way, if it is an example for others.
    pub(crate) fn of(
        campaign: CampaignId,
        plan: &Plan,
        took: impl Fn(UnitId) -> Option<Seconds>,
        around: Seconds,
    ) -> Option<Self> {
        let mut places = plan.places();
        let mut minutes = vec![];
        for unit in &plan.units {
            // Each unit is looked at, for what it takes from its location.
            let turns: Vec<Option<u64>> = unit
                .locations()
                .map(|location| {
                    let queue = places.get_mut(&location)?.queue(unit)?;
                    queue.turns().filter(|_| queue.offline == 0)
                })
                .collect();
            let turns: Option<Vec<u64>> = turns.into_iter().collect();
            // A wave that scans is no example for those that install.
            let request = &plan.request;
            let is_alike = request.operation_in(unit.wave) == request.patch.operation;
            let known = turns.zip(took(unit.id)).filter(|_| is_alike);
            minutes.extend(known.map(|(turns, took)| minutes_of(unit, &turns, took, around)));
        }
        minutes.sort_unstable();
        Some(Self {
            minutes_per_node: *minutes.get(minutes.len() / 2)?,
            campaign,
        })
    }
}

/// The fewest minutes of a node with which a start that took so long would not have been expected to be shorter. `turns` has how
/// many nodes come one after another in each of its locations.
fn minutes_of(unit: &Unit, turns: &[u64], took: Seconds, around: Seconds) -> u32 {
    let lasts = |minutes: u32| {
        let node = Seconds::new(u64::from(minutes) * 60);
        let of = |turns: &u64| node.times(*turns).plus(around).get();
        let work = Work {
            wave: unit.wave,
            locations: turns.iter().map(of).collect(),
            at_once: unit.locations_at_once(),
            shared: None,
            nodes: 0,
            values: BTreeMap::new(),
        };
        work.lasts()
    };
    let (mut short, mut enough) = (0, MOST);
    while enough - short > 1 {
        let middle = short.midpoint(enough);
        match lasts(middle) < took.get() {
            true => short = middle,
            false => enough = middle,
        }
    }
    enough
}
