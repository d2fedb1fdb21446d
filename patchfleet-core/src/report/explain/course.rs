//! The records of a log that say what became of a location, found while the log is folded once.

use super::place::Place;
use super::{Standing, UnitExplanation};
use crate::campaign::{Event, HoldReason, Record, State, StateError, StopReason};
use crate::census::NodeCounts;
use crate::id::{CommandId, Location, UnitId};
use crate::outcome::{LocationOutcome, Tally};
use crate::text::{counted, names};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many of the locations are named, the last ones, that used up the budget.
const FAILURES: usize = 10;

/// A record of the log, or several in a row that say the same of the same unit. How far a command is counts as the same: of
/// its records in a row the last one speaks, as long as no more nodes have failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogLine {
    /// Its number. Record 0 has the plan.
    pub record: u64,
    /// When it was made, by the clock of whoever made it.
    pub at: Timestamp,
    /// The last of them, if it is several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRecord>,
    /// The event, by its name in the log.
    pub event: String,
    /// The unit that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitId>,
    /// What it says, in words: of several that tell how far a command is, what the last one says.
    pub says: String,
}

/// The last of several records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LastRecord {
    /// Its number.
    pub record: u64,
    /// When it was made.
    pub at: Timestamp,
}

/// A line, and whom it concerns.
struct Told {
    line: LogLine,
    /// The units of its location that it is about; empty if it is about the campaign.
    units: Vec<UnitId>,
    /// What other records have to have in common with it to be told with it.
    says: Says,
}

/// What a record says, as far as others may be told with it.
#[derive(PartialEq, Eq)]
enum Says {
    /// How far a command is, of which so many nodes have failed.
    Progress { command: CommandId, errors: u32 },
    /// These words.
    Words(String),
}

impl Says {
    fn of(event: &Event, words: &str) -> Self {
        match event {
            Event::CommandObserved { command, counts, .. } => Self::Progress {
                command: command.clone(),
                errors: counts.errors,
            },
            _ => Self::Words(words.to_owned()),
        }
    }
}

/// What a log says of some locations, record by record.
pub(super) struct Course {
    planned: Timestamp,
    lines: BTreeMap<Location, Vec<Told>>,
    /// From which record on nothing more was begun, and whether the budget was why.
    stop: Option<(LogLine, bool)>,
    /// The records by which locations failed.
    failures: VecDeque<LogLine>,
    /// What was last said of each unit's start.
    starts: BTreeMap<UnitId, LogLine>,
}

impl Course {
    /// Reads what a log says of these locations.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the records are no campaign's.
    pub(super) fn follow(records: &[Record], places: &BTreeSet<Location>) -> Result<Self, StateError> {
        let mut course = Self {
            planned: records.first().map_or(Timestamp::MIN, |record| record.at),
            lines: BTreeMap::new(),
            stop: None,
            failures: VecDeque::new(),
            starts: BTreeMap::new(),
        };
        let (mut open, mut failed, mut was_stopped) = (places.clone(), 0, false);
        State::step_by_step(records, |record, state| {
            for event in &record.events {
                course.take(record, event, state, &open, places);
            }
            if state.failed_locations() > failed {
                course.fail(record, state);
            }
            failed = state.failed_locations();
            let is_stopped = state.is_stopped(state.last_at());
            if is_stopped != was_stopped {
                course.stop = state.stop_reason().map(|reason| stop_line(record, &reason));
            }
            was_stopped = is_stopped;
            open.clear();
            open.extend(places.iter().filter(|place| is_open(state, place)).cloned());
        })?;
        Ok(course)
    }

    fn take(
        &mut self,
        record: &Record,
        event: &Event,
        state: &State,
        open: &BTreeSet<Location>,
        places: &BTreeSet<Location>,
    ) {
        let sends = state.is_sent_once();
        if let Some(unit) = started(event) {
            self.starts.insert(unit, line(record, event, Some(unit), sends));
        }
        for place in places {
            let units: Vec<UnitId> = if is_of_campaign(event) {
                let concerns = open.contains(place) || is_open(state, place);
                if !concerns {
                    continue;
                }
                vec![]
            } else {
                let there = state.units_at(place).map(|(unit, _)| unit);
                let units: Vec<UnitId> = there.filter(|unit| state.concerns(event, *unit, place)).collect();
                if units.is_empty() {
                    continue;
                }
                units
            };
            let line = line(record, event, units.first().copied(), sends);
            let says = Says::of(event, &line.says);
            push(
                self.lines.entry(place.clone()).or_default(),
                Told { line, units, says },
            );
        }
    }

    /// Notes that more locations have failed.
    fn fail(&mut self, record: &Record, state: &State) {
        let settled = record.events.iter().find_map(|event| match event {
            Event::LocationSettled { location, .. } | Event::Recollected { location, .. } => {
                Some((event, location))
            }
            _ => None,
        });
        let Some((event, location)) = settled else {
            return;
        };
        let sends = state.is_sent_once();
        let so_far = StopReason::Budget {
            failed: state.failed_locations(),
            allowed: state.plan().location_errors(),
        };
        let fleet = state
            .fleet(state.last_at())
            .map_or_else(String::new, |fleet| format!("; {fleet}"));
        let row = state
            .failures_in_a_row()
            .map_or_else(String::new, |row| format!("; {row}"));
        self.failures.push_back(LogLine {
            says: format!("{location}: {}; {so_far}{fleet}{row}", says(event, sends)),
            ..line(record, event, None, sends)
        });
        if self.failures.len() > FAILURES {
            self.failures.pop_front();
        }
    }

    /// The records that say what became of a location, in the order of their numbers.
    pub(super) fn lines(
        &mut self,
        place: &Place<'_>,
        units: &[UnitExplanation],
        standing: Standing,
    ) -> Vec<LogLine> {
        let mut lines = vec![LogLine {
            record: 0,
            at: self.planned,
            last: None,
            event: "planned".to_owned(),
            unit: None,
            says: planned(place, standing),
        }];
        let is_of = |unit: &UnitId| {
            units
                .iter()
                .any(|one| one.unit == *unit || one.instead_of == Some(*unit))
        };
        // Of what was left out nothing is told but that.
        let own = match place.is_left_out() {
            true => vec![],
            false => self.lines.remove(place.location).unwrap_or_default(),
        };
        // Of several units that a record is about, the first that is explained is named.
        lines.extend(own.into_iter().filter_map(|told| {
            let unit = told.units.iter().copied().find(|unit| is_of(unit));
            let is_shown = told.units.is_empty() || unit.is_some();
            is_shown.then_some(LogLine { unit, ..told.line })
        }));
        if units.iter().any(|unit| unit.stopped.is_some())
            && let Some((stop, by_budget)) = &self.stop
        {
            if *by_budget {
                lines.extend(self.failures.iter().cloned());
            }
            lines.push(stop.clone());
        }
        let holds = units.iter().filter_map(|unit| unit.hold.as_ref());
        let holds = holds.flat_map(|hold| place.held_by(hold).into_iter().chain([hold]));
        let others: BTreeSet<UnitId> = holds.flat_map(|hold| others(place.state, &hold.reason)).collect();
        let of_others = others
            .iter()
            .filter(|unit| units.iter().all(|own| own.unit != **unit));
        lines.extend(of_others.filter_map(|unit| self.starts.get(unit).cloned()));
        lines.sort_by_key(|line| line.record);
        lines
    }
}

/// Whether something of a location has not settled.
fn is_open(state: &State, place: &Location) -> bool {
    let mut units = state.units_at(place);
    units.any(|(_, unit)| unit.locations.get(place).is_some_and(|at| at.settled.is_none()))
}

/// The units that a unit waits for, as far as the reason is about others.
pub(super) fn others(state: &State, reason: &HoldReason) -> Vec<UnitId> {
    match reason {
        HoldReason::Turn { after } => vec![*after],
        HoldReason::Answer { of } | HoldReason::Unresolved { of, .. } => vec![*of],
        HoldReason::Places { .. } | HoldReason::Fleet { .. } => {
            let open = state
                .units()
                .iter()
                .filter(|(_, unit)| unit.is_begun() && !unit.is_over());
            open.map(|(id, _)| *id).collect()
        }
        HoldReason::Location { location } => {
            let open = state
                .units_at(location)
                .filter(|(_, unit)| unit.is_begun() && !unit.is_over());
            open.map(|(id, _)| id).collect()
        }
        _ => vec![],
    }
}

/// The unit whose start an event tells of.
fn started(event: &Event) -> Option<UnitId> {
    match event {
        Event::StartIntended { unit, .. }
        | Event::Started { unit, .. }
        | Event::StartUnresolved { unit, .. } => Some(*unit),
        _ => None,
    }
}

/// Whether an event is about the campaign as a whole, and may decide what becomes of each of its locations.
fn is_of_campaign(event: &Event) -> bool {
    matches!(
        event,
        Event::NameTaken { .. }
            | Event::Unattended { .. }
            | Event::RunbookChanged { .. }
            | Event::Abandoned { .. }
            | Event::StopAsked { .. }
            | Event::GoneOn { .. }
            | Event::Approved { .. }
    )
}

/// Adds a line, to the last one if that says the same.
fn push(lines: &mut Vec<Told>, told: Told) {
    match lines.last_mut() {
        Some(last)
            if (&last.line.event, &last.units, &last.says) == (&told.line.event, &told.units, &told.says) =>
        {
            last.line.last = Some(LastRecord {
                record: told.line.record,
                at: told.line.at,
            });
            last.line.says = told.line.says;
        }
        _ => lines.push(told),
    }
}

fn line(record: &Record, event: &Event, unit: Option<UnitId>, sends: bool) -> LogLine {
    LogLine {
        record: record.seq,
        at: record.at,
        last: None,
        event: name(event),
        unit,
        says: says(event, sends),
    }
}

fn stop_line(record: &Record, reason: &StopReason) -> (LogLine, bool) {
    let by = record.events.last().map(name);
    let line = LogLine {
        record: record.seq,
        at: record.at,
        last: None,
        event: by.unwrap_or_default(),
        unit: None,
        says: format!("from here on nothing more is begun: {reason}"),
    };
    let is_for_failures = match reason {
        StopReason::Fleet(_) | StopReason::Wave(_) | StopReason::Budget { .. } => true,
        StopReason::Breaker(stop) => !stop.is_for_alarm(),
        _ => false,
    };
    (line, is_for_failures)
}

/// The event's name in the log.
fn name(event: &Event) -> String {
    let json = serde_json::to_value(event).unwrap_or_default();
    let name = json.get("event").and_then(|name| name.as_str());
    name.unwrap_or_default().to_owned()
}

/// What the plan says of a location.
fn planned(place: &Place<'_>, standing: Standing) -> String {
    let Some(planned) = place.state.planned(place.location) else {
        let skip = super::skip(place.state, place.location);
        let reason = skip.map_or("", |skip| skip.reason.as_str());
        return format!("{}: {reason}", standing.as_str());
    };
    let mut says = match planned.nodes {
        None => "planned, and its nodes were not counted".to_owned(),
        Some(nodes) => format!("planned for {}", nodes_in_words(nodes)),
    };
    if let Some(reason) = planned.kept {
        says = format!("{says}; kept though {}", reason.as_str());
    }
    if !planned.left_out.is_empty() {
        says = format!("{says}; left out: {}", names(&planned.left_out));
    }
    says
}

fn nodes_in_words(nodes: NodeCounts) -> String {
    let kinds = [
        (nodes.online, "online"),
        (nodes.offline, "offline"),
        (nodes.unmanaged, "unmanaged"),
    ];
    let kinds = kinds
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, kind)| format!("{n} {kind}"));
    let kinds: Vec<String> = kinds.collect();
    match kinds.is_empty() {
        true => counted(nodes.total(), "node"),
        false => format!("{} ({})", counted(nodes.total(), "node"), kinds.join(", ")),
    }
}

/// What an event says, in a few words. Of what only a newer version knows its name is all.
fn says(event: &Event, sends: bool) -> String {
    let own = if sends { "command" } else { "execution" };
    match event {
        Event::NameTaken { by } => format!("campaign {by} had the request's name"),
        Event::Unattended { since } => format!("nobody had driven the campaign since {since:.0}"),
        Event::RunbookChanged { detail, .. } => detail.clone(),
        Event::CalendarsSaid { said } => said.to_string(),
        Event::AlarmSaid { said } => said.to_string(),
        Event::Abandoned { by } => format!("{by} closed the campaign"),
        Event::StopAsked { by, .. } => format!("{by} had the campaign stopped"),
        Event::GoneOn { by, .. } => format!("{by} had the campaign go on"),
        Event::Approved { wave, by } => format!("{by} approved of wave {wave}"),
        Event::StartIntended { attempt, .. } => {
            format!("its start is about to be sent, as attempt {attempt}")
        }
        Event::Started { execution, .. } => format!("AWS started it as {own} {execution}"),
        Event::StartDeferred { detail, .. } => format!("its start was put off: {detail}"),
        Event::StartWithdrawn { detail, .. } => format!("its start was put off and is not sent: {detail}"),
        Event::StartRefused { detail, .. } => format!("AWS refused its start: {detail}"),
        Event::StartUnresolved { detail, .. } => detail.clone(),
        Event::SendAgain { by, .. } => format!("{by} had its start sent again"),
        Event::CancelledElsewhere { location: None, .. } => {
            format!("its {own} was cancelled, and not by patchfleet")
        }
        Event::CancelledElsewhere {
            location: Some(location),
            ..
        } => format!("what runs in {location} was cancelled, and not by patchfleet"),
        Event::StoppedForAlarm { alarm, .. } => format!("Systems Manager stopped its execution, as {alarm}"),
        Event::CommandNotSent {
            attempt,
            away,
            detail,
            ..
        } => {
            let without = match away.is_empty() {
                true => String::new(),
                false => format!("; the next leaves out {}", names(away)),
            };
            format!("Run Command refused the command of attempt {attempt}: {detail}{without}")
        }
        Event::LocationObserved { status, failure, .. } => {
            let failure = if failure.is_empty() {
                String::new()
            } else {
                format!(": {failure}")
            };
            let what = if sends { own } else { "step" };
            format!("its {what} here is {}{failure}", status.as_str())
        }
        Event::CommandObserved {
            command,
            counts,
            expires_at,
            ..
        } => {
            let expires = expires_at.map_or_else(String::new, |at| format!(", expires at {at:.0}"));
            format!(
                "command {command}: {} of {} through, {} failed{expires}",
                counts.completed,
                counted(counts.targets, "node"),
                counts.errors
            )
        }
        Event::CommandEnded { .. } => "its command is over, and some of its results may be late".to_owned(),
        Event::WaitsAtAws { location: None, .. } => "its execution waits at AWS".to_owned(),
        Event::WaitsAtAws { .. } => "the execution here waits at AWS".to_owned(),
        Event::Divided { keeps, .. } => format!(
            "it names {} from here on, as the bounds on the fleet have no room for more; a unit after the last one names the \
             others",
            counted(keeps.len(), "node")
        ),
        Event::LeftOut { .. } => "it is not begun".to_owned(),
        Event::StopIntended { .. } => format!("its {own} is about to be stopped"),
        Event::StopTaken { .. } => format!("AWS has taken the stop of its {own}"),
        Event::StopNotNeeded { .. } => format!("its {own} was over when the stop came"),
        Event::StopInVain { .. } => "AWS has taken its stop, and it went on".to_owned(),
        Event::StopRefused { detail, .. } => {
            format!("AWS does not let patchfleet stop its {own}: {detail}")
        }
        Event::NotStoppedBelow { detail, .. } => {
            format!("AWS does not let patchfleet stop what runs here: {detail}")
        }
        Event::LocationSettled {
            outcome,
            nodes,
            detail,
            ..
        }
        | Event::Recollected {
            outcome,
            nodes,
            detail,
            ..
        } => settled(*outcome, nodes, detail),
        Event::RowsMissing { detail, .. } => format!("the results of its nodes could not be kept: {detail}"),
        Event::UnitEnded { status, .. } => format!("its {own} is over: {}", status.as_str()),
        _ => String::new(),
    }
}

fn settled(outcome: LocationOutcome, nodes: &Tally, detail: &str) -> String {
    let nodes = nodes
        .iter()
        .map(|(outcome, n)| format!("{n} {}", outcome.as_str()));
    let nodes = nodes.collect::<Vec<_>>().join(", ");
    let parts = [outcome.as_str(), &nodes, detail];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}
