//! What each event changes.

use super::{LocationState, Settled, StartState, State, Stop, StopReason, StopStanding};
use crate::campaign::clocks::Placed;
use crate::campaign::{AlarmSaid, Event, Record};
use crate::id::{Location, UnitId};
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::plan::timeout_of;
use crate::port::StopType;

impl State {
    /// Takes in what one event of a record says.
    pub(super) fn fold(&mut self, event: &Event, record: &Record, placed: Placed) {
        let at = placed.at;
        match event {
            Event::Planned { .. } | Event::Watched | Event::Unknown => {}
            Event::Claimed { .. } => self.name_taken_by = None,
            Event::CalendarsSaid { said } => self.calendars = Some(said.clone()),
            Event::AlarmSaid { said } => {
                if !matches!(self.alarm, Some(AlarmSaid::Alarm { .. })) {
                    self.alarm = Some(said.clone());
                }
            }
            Event::StillLooking { elsewhere: true, .. } => self.is_blind_from(placed.at),
            Event::StillLooking { failed, .. } => self.look_on(*failed, placed),
            Event::NameTaken { by } => {
                if self.units.values().all(|unit| !unit.is_begun()) {
                    self.name_taken_by = Some(*by);
                }
            }
            Event::StartIntended {
                unit,
                attempt,
                request,
            } => {
                self.look_on_from_here();
                if let Some(state) = self.units.get_mut(unit) {
                    if !state.is_begun() {
                        // What was cancelled of an earlier attempt says nothing of this one.
                        self.cancels.retain(|(of, _), accepted| of != unit || !*accepted);
                    }
                    state.intend(*attempt, request, record.writer, placed);
                }
            }
            Event::Started { unit, execution } => {
                self.look_was_answered();
                self.executions.insert(execution.clone());
                if let Some(unit) = self.units.get_mut(unit)
                    && let Some(intent) = unit.intent()
                {
                    let (timeout, attempt) = (timeout_of(&intent.request), intent.attempt);
                    unit.timeout = timeout;
                    unit.waits = false;
                    unit.start = StartState::Started {
                        attempt,
                        execution: execution.clone(),
                        at,
                    };
                }
            }
            Event::StartDeferred { unit, kind, detail } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && let StartState::Intended(intent) = &mut unit.start
                    && let Some(answered) = intent
                        .in_doubt
                        .iter()
                        .rposition(|sending| sending.writer == record.writer)
                {
                    intent.in_doubt.remove(answered);
                    intent.deferred = Some((*kind, detail.clone()));
                }
            }
            Event::StartRefused { unit, kind, detail } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && matches!(unit.start, StartState::Intended(_))
                {
                    unit.start = StartState::Refused {
                        kind: *kind,
                        detail: detail.clone(),
                    };
                }
            }
            Event::StartWithdrawn { unit, .. } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && let StartState::Intended(intent) = &unit.start
                    && intent.in_doubt.is_empty()
                    && !intent.sent_before
                {
                    unit.start = StartState::NotStarted;
                }
            }
            Event::Abandoned { by } => {
                self.abandoned.get_or_insert_with(|| by.clone());
            }
            Event::Approved { wave, .. } => self.approve(*wave),
            Event::StopAsked { by, mode } => self.ask_to_stop(by, *mode, record.at),
            Event::NotStoppedBelow {
                unit,
                location,
                detail,
                ..
            } => {
                let place = (*unit, location.clone());
                self.not_stopped.insert(place, detail.clone());
            }
            Event::CancelledElsewhere { unit, location } => {
                let known = self.units.get(unit);
                // A driver that was late to see why may have said so.
                if known.is_none_or(|unit| unit.stopped_for_alarm.is_none()) {
                    self.cancels.entry((*unit, location.clone())).or_insert(false);
                }
            }
            Event::StoppedForAlarm { unit: id, alarm } => {
                if let Some(unit) = self.units.get_mut(id) {
                    unit.stopped_for_alarm.get_or_insert_with(|| alarm.clone());
                    self.stopped_for_alarm.get_or_insert_with(|| (*id, alarm.clone()));
                    // What was seen before its reason was is no cancel by somebody else.
                    self.cancels.retain(|(of, _), accepted| of != id || *accepted);
                }
            }
            Event::Unattended { since } => {
                self.unattended.get_or_insert((*since, at));
            }
            Event::Divided { unit, keeps } => self.divide(*unit, keeps),
            Event::GoneOn { begin, found, .. } => self.go_on(begin, found, at),
            Event::CommandNotSent {
                unit,
                attempt,
                away,
                detail,
            } => {
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.not_sent(*attempt, away, detail, at);
                }
            }
            Event::RunbookChanged { change, detail, .. } => {
                self.runbook.get_or_insert_with(|| (*change, detail.clone()));
            }
            Event::StartUnresolved { unit, detail } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && let StartState::Intended(intent) = &unit.start
                {
                    unit.start = StartState::Unresolved {
                        intent: intent.clone(),
                        detail: detail.clone(),
                    };
                }
            }
            Event::SendAgain { unit, .. } => {
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.send_again(at);
                }
            }
            Event::LocationObserved {
                unit,
                location,
                status,
                child,
                failure,
            } => {
                if let Some(location) = self.open_location(*unit, location) {
                    location.status = Some(status.clone());
                    if status.is_terminal() {
                        location.ended_at.get_or_insert(at);
                    }
                    location.failure.clone_from(failure);
                    if child.is_some() {
                        location.child.clone_from(child);
                        location.child_at.get_or_insert(at);
                    }
                }
            }
            Event::CommandObserved {
                unit,
                location,
                command,
                counts,
                expires_at,
            } => {
                if let Some(location) = self.open_location(*unit, location) {
                    location.commands.insert(command.clone(), *counts);
                    location.expires_at = location.expires_at.max(*expires_at);
                }
            }
            Event::WaitsAtAws { unit, location: None } => {
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.waits = true;
                }
            }
            Event::WaitsAtAws {
                unit,
                location: Some(location),
            } => {
                if let Some(location) = self.open_location(*unit, location) {
                    location.waits = true;
                }
            }
            Event::StopIntended { unit, stop } => {
                // Once nothing more of a wave is to be begun, its bounds are no reason for anything.
                if self.left_out_for.is_none()
                    && let Some(StopReason::Wave(used_up)) = self.stop_reason()
                {
                    self.left_out_for = Some(StopReason::Wave(used_up));
                }
                if let Some(unit) = self.units.get_mut(unit)
                    && matches!(unit.start, StartState::Started { .. })
                    && unit.stop.as_ref().is_none_or(|known| known.kind != *stop)
                {
                    unit.stop = Some(Stop {
                        kind: *stop,
                        standing: StopStanding::Intended,
                    });
                }
            }
            Event::StopTaken { unit, stop } => self.stop_stands(*unit, *stop, StopStanding::Taken),
            Event::StopInVain { unit, stop } => self.stop_stands(*unit, *stop, StopStanding::InVain),
            Event::StopRefused {
                unit,
                stop,
                kind,
                detail,
            } => {
                let refused = StopStanding::Refused(*kind, detail.clone());
                self.stop_stands(*unit, *stop, refused);
            }
            Event::StopNotNeeded { unit, stop } => {
                if let Some(unit) = self.units.get_mut(unit)
                    && unit
                        .stop
                        .as_ref()
                        .is_some_and(|known| known.kind == *stop && known.standing == StopStanding::Intended)
                {
                    unit.stop = None;
                }
            }
            Event::LeftOut { units } => {
                if self.left_out_for.is_none() {
                    self.left_out_for = self.stop_reason();
                }
                let by_label = self.stop_reason().is_none() && !self.plan.labels.is_empty();
                for id in units {
                    let used_up = by_label.then(|| self.kept_back_by_label(*id)).flatten();
                    if let Some(unit) = self.units.get_mut(id)
                        && !unit.is_begun()
                    {
                        unit.left_out = true;
                        unit.kept_back = used_up;
                    }
                }
            }
            Event::CommandEnded { unit, location } => {
                if let Some(location) = self.open_location(*unit, location) {
                    location.command_ended_at.get_or_insert(at);
                }
            }
            Event::LocationSettled {
                unit,
                location,
                outcome,
                nodes,
                offline_before,
                detail,
                not_well,
                rows,
            } => {
                if *outcome == LocationOutcome::NotStarted
                    && self.left_out_for.is_none()
                    && self
                        .units
                        .get(unit)
                        .is_some_and(|unit| !unit.is_begun() && unit.kept_back.is_none())
                {
                    self.left_out_for = self.stop_reason();
                }
                let number = self.settlings;
                if let Some(location) = self.open_location(*unit, location) {
                    location.settled = Some(Settled {
                        outcome: *outcome,
                        nodes: nodes.clone(),
                        offline_before: *offline_before,
                        detail: detail.clone(),
                        not_well: not_well.clone(),
                        rows: rows.clone(),
                        at,
                        number,
                    });
                    self.settlings = number.saturating_add(1);
                }
            }
            Event::Recollected {
                unit,
                location,
                outcome,
                nodes,
                offline_before,
                detail,
                not_well,
                rows,
            } => {
                self.rows_missing.remove(&(*unit, location.clone()));
                let at = self.units.get_mut(unit);
                let at = at.and_then(|unit| unit.locations.get_mut(location));
                // It takes the place of results that could not be read.
                if let Some(settled) = at.and_then(|at| at.settled.as_mut()) {
                    settled.outcome = *outcome;
                    settled.nodes = nodes.clone();
                    settled.offline_before = *offline_before;
                    detail.clone_into(&mut settled.detail);
                    settled.not_well.clone_from(not_well);
                    settled.rows.clone_from(rows);
                }
            }
            Event::RowsMissing { unit, location, .. } => {
                self.rows_missing.insert((*unit, location.clone()));
            }
            Event::UnitEnded { unit, status } => {
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.ended.get_or_insert_with(|| status.clone());
                }
            }
            Event::Finished { outcome } => {
                self.finished.get_or_insert((*outcome, at));
            }
        }
    }

    /// Notes what became of a unit's stop, if it is still this one that is waited for.
    fn stop_stands(&mut self, unit: UnitId, kind: StopType, standing: StopStanding) {
        if let Some(unit) = self.units.get_mut(&unit)
            && let Some(stop) = &mut unit.stop
            && stop.kind == kind
            && (stop.standing == StopStanding::Intended
                || (stop.standing == StopStanding::Taken && standing == StopStanding::InVain))
        {
            stop.standing = standing;
        }
    }

    /// How a campaign that is over ended, by results that were read since. One that was halted stays so.
    pub(super) fn end_anew(&mut self) {
        if let Some((ended, at)) = self.finished
            && ended != FinishedOutcome::Halted
        {
            self.finished = Some((self.outcome(), at));
        }
    }

    /// A location that has not settled: what settled stays as it is.
    fn open_location(&mut self, unit: UnitId, location: &Location) -> Option<&mut LocationState> {
        self.units
            .get_mut(&unit)?
            .locations
            .get_mut(location)
            .filter(|state| state.settled.is_none())
    }
}
