//! How long a campaign takes, as far as a plan can tell.

mod course;
mod learned;

use super::dispatch::{AUTOMATIONS_AT_ONCE, SENDS_A_SECOND, STARTS_A_SECOND};
use super::freezes::Freezes;
use super::lifetime::timeout_of;
use super::{Lifetime, Plan, PlannedFleet, PlannedLocation, Unit};
use crate::budget::{Queue, Seconds};
use crate::id::{CampaignId, Location};
use crate::request::Operation;
use crate::text::{by_number, counted};
use course::{Course, Room, Rules, Work, course};
use jiff::{SignedDuration, Timestamp};
pub use learned::LearnedPace;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::BTreeMap;

/// What a location takes beside the patching of its nodes: until its command is sent, until its end is seen, and until the
/// results of its nodes are read.
pub(crate) const AROUND: Seconds = Seconds::new(2 * 60);

/// How long a campaign takes, as far as its plan can tell. Neither failures nor people are reckoned with: a budget that is
/// used up ends it sooner, and an approval makes it wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Forecast {
    /// How long a node takes: `forecast.minutes_per_node` of the request, or else what an earlier campaign took
    /// ([`LearnedPace`]), or else 15 for an Install and 3 for a Scan.
    pub minutes_per_node: u32,
    /// The campaign that took so long, if that is where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned_from: Option<CampaignId>,
    /// Seconds from the plan until everything is over, if each node takes so long: with a cutoff until that at the latest. `None`: nodes
    /// were not counted everywhere, or freezes do not let everything begin.
    pub expected_seconds: Option<u64>,
    /// The same if each command lives until it expires. Also `None` under a runbook of one's own.
    pub worst_seconds: Option<u64>,
    /// How many locations are begun too late for the cutoff, if each node takes so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_cutoff: Option<u32>,
}

/// What a start's locations have in common.
struct Place<'a> {
    index: usize,
    planned: &'a PlannedLocation,
    /// How many of its nodes that answer are named by the starts before.
    named: u32,
}

impl Place<'_> {
    /// The nodes of a start here, which is the next one in the order of the plan; `None` if they were not counted.
    fn queue(&mut self, unit: &Unit) -> Option<Queue> {
        let counts = self.planned.nodes?;
        let there = counts.online.saturating_add(counts.offline);
        let places = unit.node_rates.max_concurrency.as_count(there);
        let (online, offline) = match &unit.nodes {
            None => (counts.online, counts.offline),
            // Those that answer are named first.
            Some(nodes) => {
                let named = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
                let online = named.min(counts.online.saturating_sub(self.named));
                self.named = self.named.saturating_add(named);
                (online, named.saturating_sub(online))
            }
        };
        Some(Queue {
            online,
            offline,
            places: places.min(online.saturating_add(offline)),
        })
    }
}

/// What is done where, as the plan says: expected, and at worst.
struct Works {
    expected: Option<Vec<Work>>,
    worst: Option<Vec<Work>>,
}

impl Plan {
    /// How long the campaign takes that begins now. `pace` is how long a node took in an earlier one.
    pub(super) fn forecast_at(&self, now: Timestamp, pace: Option<LearnedPace>) -> Forecast {
        self.forecast_with(now, pace, AROUND)
    }

    /// The same, where a location takes so long beside the patching of its nodes.
    pub(crate) fn forecast_with(
        &self,
        now: Timestamp,
        pace: Option<LearnedPace>,
        around: Seconds,
    ) -> Forecast {
        let said = self.request.forecast.minutes_per_node;
        let pace = pace.filter(|_| said.is_none());
        let minutes = said
            .or(pace.map(|pace| pace.minutes_per_node))
            .unwrap_or_else(|| minutes_by_default(self.request.patch.operation));
        let Works { expected, worst } = self.works(Seconds::new(u64::from(minutes) * 60), around);
        let expected = expected.map(|work| self.course(&work, now));
        let worst = worst.and_then(|work| self.course(&work, now).ends);
        let until = self.lifetime.as_ref().and_then(Lifetime::begins_until);
        let after_cutoff = until.zip(expected.as_ref()).map(|(until, course)| {
            // With a cutoff each start is one location.
            let until = u64::try_from(until.duration_since(now).as_secs()).unwrap_or_default();
            let in_time = course.begins.iter().filter(|begins| **begins <= until).count();
            u32::try_from(self.units.len().saturating_sub(in_time)).unwrap_or(u32::MAX)
        });
        // By the cutoff every command has expired, and what was not begun never is.
        let cutoff = self.lifetime.as_ref().and_then(|lifetime| lifetime.cutoff);
        let closes = cutoff.map_or(u64::MAX, |at| {
            let left = u64::try_from(at.duration_since(now).as_secs()).unwrap_or_default();
            Seconds::new(left).plus(around).get()
        });
        Forecast {
            minutes_per_node: minutes,
            learned_from: pace.map(|pace| pace.campaign),
            expected_seconds: expected
                .and_then(|course| course.ends)
                .map(|ends| ends.min(closes)),
            worst_seconds: worst.map(|ends| ends.min(closes)),
            after_cutoff,
        }
    }

    /// The wave of the first unit of which something is expected to begin so long after the first one of the campaign, which
    /// begins now. `None`: there is none, or nobody knows.
    pub(super) fn expected_after(&self, now: Timestamp, time: SignedDuration) -> Option<u32> {
        let after = u64::try_from(time.as_secs()).ok()?;
        if self.forecast?.expected_seconds? <= after {
            return None;
        }
        let node = Seconds::new(u64::from(self.forecast?.minutes_per_node) * 60);
        let work = self.works(node, AROUND).expected?;
        let begins = self.course(&work, now).begins;
        let first = *begins.first()?;
        // Of a start with several locations, the last one begins so long before the start ends at the most.
        let last = |one: &Work| {
            let longest = one.locations.iter().copied().max().unwrap_or_default();
            one.lasts().saturating_sub(longest)
        };
        let mut units = work.iter().zip(begins);
        units
            .find(|(one, begins)| begins.saturating_sub(first).saturating_add(last(one)) > after)
            .map(|(one, _)| one.wave)
    }

    fn course(&self, work: &[Work], now: Timestamp) -> Course {
        let freezes = Freezes::new(&self.request, self.lifetime.as_ref());
        let since = |at: Timestamp| u64::try_from(at.duration_since(now).as_secs()).ok();
        // From when to when something may begin, as it was last seen.
        let open = Cell::new((0, 0));
        let soaked = self.soaked_until().and_then(since).unwrap_or_default();
        let opens = |seconds: u64| {
            let seconds = seconds.max(soaked);
            let (from, until) = open.get();
            if self.request.freezes.is_empty() || (from..until).contains(&seconds) {
                return Some(seconds);
            }
            let after = i64::try_from(seconds).ok().map(SignedDuration::from_secs);
            let opens = freezes.opens(now.checked_add(after?).ok()?)?;
            let closes = freezes.begins_until(opens).map_or(Some(u64::MAX), since);
            let opens = since(opens)?.max(seconds);
            open.set((opens, closes.unwrap_or_default()));
            Some(opens)
        };
        let soaks: BTreeMap<u32, u64> = (1..)
            .zip(&self.request.waves)
            .filter_map(|(number, wave)| Some((number, u64::from(wave.soak?.seconds()))))
            .collect();
        // Without a bound that the campaign keeps, AWS bounds the nodes of each start.
        let open = |fleet: Option<PlannedFleet>| {
            let bounds = fleet.filter(|fleet| fleet.nodes_in_a_start().is_some());
            let bounds = bounds.map(|fleet| [fleet.max_damaged, fleet.max_in_flight]);
            bounds.into_iter().flatten().flatten().min().map(u64::from)
        };
        let of_waves = self.wave_budgets.iter().map(|own| {
            let room = Room {
                places: u64::from(own.locations_at_once),
                in_flight: open(own.fleet),
            };
            (own.wave, room)
        });
        let of_waves: BTreeMap<u32, Room> = of_waves.collect();
        let of_values = self.cells().at_once();
        // A command that patchfleet sends itself is no automation.
        let (starts_a_second, at_once) = match self.dispatch {
            Some(_) => (SENDS_A_SECOND, None),
            None => (STARTS_A_SECOND, usize::try_from(AUTOMATIONS_AT_ONCE).ok()),
        };
        course(
            work,
            &Rules {
                room: Room {
                    places: u64::from(self.location_budget()),
                    in_flight: open(self.fleet),
                },
                of_waves: &of_waves,
                of_values: &of_values,
                soaks: &soaks,
                starts_a_second,
                at_once,
                opens: &opens,
            },
        )
    }

    /// When the soaks are over of the waves before the first one, of which a retry has nothing left.
    fn soaked_until(&self) -> Option<Timestamp> {
        let first = self.units.iter().map(|unit| unit.wave).min()?;
        let passed = self.retries.iter().flat_map(|retried| &retried.passed);
        let before = passed.filter(|passed| passed.number < first);
        before
            .filter_map(|passed| {
                let soak = self.request.wave(passed.number)?.soak?;
                passed.ended.checked_add(soak.duration()).ok()
            })
            .max()
    }

    fn places(&self) -> BTreeMap<Location, Place<'_>> {
        let planned = self.locations.iter().enumerate();
        let place = |(index, planned): (usize, _)| Place {
            index,
            planned,
            named: 0,
        };
        planned
            .map(|(index, planned)| (planned.location(), place((index, planned))))
            .collect()
    }

    /// How long a node of a wave takes, if one takes so long where what the request says is done.
    fn node_in(&self, wave: u32, node: Seconds) -> Seconds {
        let operation = self.request.operation_in(wave);
        let is_said = self.request.forecast.minutes_per_node.is_some();
        if is_said || operation == self.request.patch.operation {
            return node;
        }
        Seconds::new(u64::from(minutes_by_default(operation)) * 60)
    }

    fn works(&self, node: Seconds, around: Seconds) -> Works {
        let mut places = self.places();
        let (mut expected, mut worst) = (Some(vec![]), Some(vec![]));
        let cells = self.cells();
        for unit in &self.units {
            let of = |locations: Option<Vec<u64>>, shared: Option<usize>| {
                Some(Work {
                    wave: unit.wave,
                    locations: locations?,
                    at_once: unit.locations_at_once(),
                    shared,
                    nodes: unit.nodes.as_ref().map_or(0, |nodes| nodes.len() as u64),
                    values: cells.count(unit.nodes.iter().flatten()),
                })
            };
            let lives = self.lives(unit);
            let node = self.node_in(unit.wave, node);
            let mut shared = None;
            let lasts: Option<Vec<u64>> = unit
                .locations()
                .map(|location| {
                    let place = places.get_mut(&location)?;
                    if unit.nodes.is_some() {
                        shared = Some(place.index);
                    }
                    Some(self.lasts(unit, place, node, lives)?.plus(around).get())
                })
                .collect();
            let at_worst = lives.map(|lives| vec![lives.plus(around).get(); unit.locations().count()]);
            expected = expected.zip(of(lasts, shared)).map(|(all, one)| added(all, one));
            worst = worst.zip(of(at_worst, shared)).map(|(all, one)| added(all, one));
        }
        Works { expected, worst }
    }

    /// How long a command of this start lives at most.
    fn lives(&self, unit: &Unit) -> Option<Seconds> {
        let timeout = timeout_of(&unit.start)?;
        Some(self.lifetime.as_ref()?.expiry(timeout))
    }

    /// How long a location of a start takes, if each node takes so long. `None`: its nodes were not counted. A node that does
    /// not answer keeps its command alive until that expires.
    fn lasts(
        &self,
        unit: &Unit,
        place: &mut Place<'_>,
        node: Seconds,
        lives: Option<Seconds>,
    ) -> Option<Seconds> {
        let queue = place.queue(unit)?;
        let patching = queue.turns().map(|turns| node.times(turns));
        let lasts = match (queue.offline, patching, lives) {
            (0, Some(patching), Some(lives)) => patching.min(lives),
            (0, Some(patching), None) => patching,
            (_, patching, lives) => lives.or(patching)?,
        };
        Some(lasts)
    }

    /// The forecast as a part of the plan's text.
    pub(super) fn forecast_in_words(&self) -> Option<String> {
        let forecast = self.forecast?;
        let said = match (self.request.forecast.minutes_per_node, forecast.learned_from) {
            (Some(_), _) => "forecast.minutes_per_node".to_owned(),
            (None, Some(campaign)) => {
                format!("as in campaign {campaign}; forecast.minutes_per_node says otherwise")
            }
            (None, None) => "the default; forecast.minutes_per_node says otherwise".to_owned(),
        };
        let scans = (1..)
            .zip(&self.request.waves)
            .any(|(number, _)| self.request.operation_in(number) != self.request.patch.operation);
        let scans = match (scans, self.request.forecast.minutes_per_node) {
            (true, None) => {
                let minutes = minutes_by_default(Operation::Scan);
                format!(", and {minutes} in a wave that scans")
            }
            _ => String::new(),
        };
        let each = format!(
            "if a node takes {}{scans} ({said})",
            counted(forecast.minutes_per_node, "minute")
        );
        let words = |seconds: Option<u64>| {
            let minutes = seconds?.div_ceil(60);
            Some(Seconds::new(minutes.saturating_mul(60)).to_string())
        };
        let expected = words(forecast.expected_seconds)
            .map_or_else(|| "not known".to_owned(), |time| format!("{time}, {each}"));
        let worst = match (words(forecast.worst_seconds), &self.lifetime) {
            (Some(time), _) => format!(
                "{time}: each command lives until it expires{}",
                match self.lifetime.as_ref().and_then(|lifetime| lifetime.cutoff) {
                    Some(_) => ", and none longer than until the cutoff",
                    None => "",
                }
            ),
            (None, Some(_)) => "not known".to_owned(),
            (None, None) => "not known: its commands live as long as the runbook says".to_owned(),
        };
        let waits = match self.request.waves.iter().any(|wave| wave.approval) {
            true => "\n  approvals of waves come on top",
            false => "",
        };
        let other = self
            .by_run_command_in_words()
            .map_or_else(String::new, |other| format!("\n  by run-command  {other}"));
        Some(format!(
            "How long it takes (without failures)\n  expected  {expected}\n  at worst  {worst}{waits}{other}\n"
        ))
    }

    /// The warning that not everything is begun before the cutoff.
    pub(super) fn forecast_warning(&self) -> Option<String> {
        let forecast = self.forecast?;
        let late = forecast.after_cutoff.filter(|late| *late > 0)?;
        let cutoff = self.lifetime.as_ref()?.cutoff?;
        Some(format!(
            "if a node takes {}, {} of {} {} not begun before the cutoff {cutoff:.0}: set a later one, or let more be patched at \
             once",
            counted(forecast.minutes_per_node, "minute"),
            late,
            counted(self.units.len(), self.start_in_a_word()),
            by_number(late, "is", "are"),
        ))
    }
}

fn added(mut all: Vec<Work>, one: Work) -> Vec<Work> {
    all.push(one);
    all
}

/// How many minutes a node takes, where nobody says and nothing was learned.
fn minutes_by_default(operation: Operation) -> u32 {
    match operation {
        Operation::Install => 15,
        Operation::Scan => 3,
    }
}
