//! What AWS begins late, and what a cutoff makes of that.
//!
//! A command's life begins when it is sent. A start sends its command at once, unless AWS keeps its
//! execution waiting, as it does while an account's quota of running automations is used up by whomever.

use super::{LocationState, StartState, State, UnitState};
use crate::campaign::Event;
use crate::id::{Location, UnitId};
use crate::outcome::LocationOutcome;
use crate::port::{CommandView, ExecutionStatus};
use crate::request::AtCutoff;
use jiff::{SignedDuration, Timestamp};

impl State {
    /// The plan's cutoff.
    pub(in crate::campaign) fn cutoff(&self) -> Option<Timestamp> {
        self.plan.lifetime.as_ref()?.cutoff
    }

    /// When what runs still is cancelled: at the cutoff, unless the request lets it finish, or it is being stopped already.
    pub(in crate::campaign) fn cancels_at(&self) -> Option<Timestamp> {
        let cancels = self.plan.request.policy.at_cutoff == AtCutoff::Cancel && self.asked.is_none();
        let open = || self.open().next().is_some();
        self.cutoff().filter(|_| cancels && open())
    }

    /// Whether something of the campaign may run, as far as the log tells: an execution that was begun, in a location
    /// where its end has not been seen.
    pub(in crate::campaign) fn may_run(&self) -> bool {
        let runs = |at: &LocationState| {
            at.settled.is_none() && !at.status.as_ref().is_some_and(ExecutionStatus::is_terminal)
        };
        let mut open = self.open().filter_map(|unit| self.units.get(&unit));
        open.any(|unit| matches!(unit.start, StartState::Started { .. }) && unit.locations.values().any(runs))
    }

    /// Whether what runs in a location is to be looked at while it runs: a cutoff or a freeze has to be kept, and it is not
    /// known when the command expires.
    pub(in crate::campaign) fn is_to_be_looked_at(&self, at: &LocationState) -> bool {
        let runs = at.status.as_ref().is_some_and(|status| !status.is_terminal());
        (self.cutoff().is_some() || self.plan.has_to_expire())
            && at.settled.is_none()
            && runs
            && at.child.is_some()
            && at.expires_at.is_none()
    }

    /// Whether the command of a location may be alive after the cutoff, or was: it expires later, and it is not
    /// known to have been over before. By the log's clock, so a command whose end nobody saw in time counts.
    pub(in crate::campaign) fn may_pass_cutoff(&self, at: &LocationState) -> bool {
        let (Some(cutoff), Some(expires)) = (self.cutoff(), at.expires_at) else {
            return false;
        };
        let over = at
            .command_ended_at
            .or(at.settled.as_ref().map(|settled| settled.at));
        // Nobody was patched by a command that matched nobody.
        let nobody = matches!(
            at.outcome(),
            Some(LocationOutcome::Emptied | LocationOutcome::Vanished)
        );
        expires > cutoff && !nobody && over.is_none_or(|over| over > cutoff)
    }

    /// What is to be said of a location's command and the cutoff, once it has settled.
    pub(crate) fn past_cutoff(&self, at: &LocationState) -> Option<String> {
        let (cutoff, expires) = (self.cutoff()?, at.expires_at?);
        self.may_pass_cutoff(at).then(|| {
            let (lives, ends) = match at.settled {
                Some(_) => ("lived", "was to expire"),
                None => ("lives", "expires"),
            };
            format!("its command {lives} past the cutoff {cutoff:.0}, as AWS began it late: it {ends} at {expires:.0}")
        })
    }

    /// When a command of this unit expires as a whole: as AWS says, else at the latest that it may.
    pub(in crate::campaign) fn expires(&self, unit: &UnitState, view: &CommandView) -> Option<Timestamp> {
        view.expires_at.or_else(|| {
            let lives = self.plan.lifetime.as_ref()?.expiry(unit.timeout?);
            let lives = SignedDuration::from_secs(i64::try_from(lives.get()).ok()?);
            view.requested_at.checked_add(lives).ok()
        })
    }

    /// Whether the unit's own execution waits at AWS, as far as the log tells.
    fn waits(&self, unit: &UnitState) -> bool {
        unit.waits && unit.ended.is_none() && unit.locations.values().all(LocationState::is_waiting)
    }

    /// Whether nothing has been sent in a location, because an execution waits at AWS.
    pub(crate) fn waits_in(&self, unit: UnitId, at: &LocationState) -> bool {
        let unit = self.units.get(&unit);
        at.settled.is_none()
            && at.commands.is_empty()
            && (at.waits || unit.is_some_and(|unit| self.waits(unit)))
    }

    /// What a person may want to act on now, each in a sentence: executions that wait at AWS, and commands that
    /// live past the cutoff. Empty once the campaign is over: the report tells then.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        if self.finished.is_some() {
            return vec![];
        }
        let mut warnings = vec![];
        for (id, unit) in &self.units {
            if self.waits(unit) {
                warnings.push(self.waits_in_words(unit, None));
            }
            for (location, at) in &unit.locations {
                if at.settled.is_some() {
                    continue;
                }
                if at.waits && self.waits_in(*id, at) {
                    warnings.push(self.waits_in_words(unit, Some((location, at))));
                }
                warnings.extend(self.lives_in_words(location, at));
                warnings.extend(self.lives_into_freeze(unit, location, at));
            }
        }
        warnings
    }

    /// What a person should be told at once of an event that has just been added.
    #[must_use]
    pub fn warning(&self, event: &Event) -> Option<String> {
        match event {
            Event::WaitsAtAws { unit, location } => {
                let unit = self.units.get(unit)?;
                let at = match location {
                    Some(location) => Some((location, unit.locations.get(location)?)),
                    None => None,
                };
                Some(self.waits_in_words(unit, at))
            }
            Event::CommandObserved { unit, location, .. } => {
                let unit = self.units.get(unit)?;
                let at = unit.locations.get(location)?;
                let lives = self.lives_in_words(location, at);
                lives.or_else(|| self.lives_into_freeze(unit, location, at))
            }
            Event::StopAsked { .. } => self.stop_asked().map(ToString::to_string),
            Event::NotStoppedBelow { location, detail, .. } => Some(format!(
                "{location}: AWS does not let patchfleet stop what runs there, so it runs on: {detail}"
            )),
            Event::StopRefused { unit, detail, .. } if self.asked.is_some() => Some(format!(
                "AWS does not let patchfleet stop the {} of unit {unit}, which may begin more: {detail}",
                self.unit_at_aws()
            )),
            Event::StopRefused { unit, detail, .. } => Some(format!(
                "more locations failed than the budget allows, and AWS does not stop the {} of unit {unit}, which goes on \
                 until its own limit ends it: {detail}",
                self.unit_at_aws()
            )),
            Event::StartUnresolved { unit, .. } => {
                let mut holds = self.unresolved_holds(self.last_at);
                let hold = holds.find(|hold| hold.unit == *unit)?;
                Some(format!("unit {unit}: {}", hold.reason))
            }
            Event::RowsMissing { location, detail, .. } => Some(format!(
                "{location}: the results of its nodes could not be kept, and are read again before the campaign is over: \
                 {detail}"
            )),
            Event::Unattended { .. } => self.stop_reason().map(|reason| reason.to_string()),
            _ => None,
        }
    }

    /// That a command lives into the freeze that came next when its unit was started, as AWS began it late.
    fn lives_into_freeze(&self, unit: &UnitState, location: &Location, at: &LocationState) -> Option<String> {
        let (StartState::Started { at: begun, .. }, None) = (&unit.start, &at.settled) else {
            return None;
        };
        let (name, begins) = self.plan.expires_by(*begun)?;
        let expires = at.expires_at.filter(|expires| *expires > begins)?;
        let commands = Vec::from_iter(at.commands.keys().map(ToString::to_string)).join(" and ");
        Some(format!(
            "{location}: its command lives into the freeze {name}, which begins at {begins:.0}, as AWS began it late: it expires \
             at {expires:.0}, and who wants it to end in time cancels command {commands} there"
        ))
    }

    fn lives_in_words(&self, location: &Location, at: &LocationState) -> Option<String> {
        let commands = Vec::from_iter(at.commands.keys().map(ToString::to_string)).join(" and ");
        let words = self.past_cutoff(at)?;
        if at.settled.is_some() {
            // Nothing is left to cancel.
            return Some(format!("{location}: {words}"));
        }
        Some(format!(
            "{location}: {words}; nothing more is begun, and who wants it to end in time cancels command {commands} there"
        ))
    }

    fn waits_in_words(&self, unit: &UnitState, at: Option<(&Location, &LocationState)>) -> String {
        let what = match (&unit.start, at) {
            (_, Some((location, at))) => {
                let child = at
                    .child
                    .as_ref()
                    .map_or_else(String::new, |child| format!(" {child}"));
                format!("{location}: the execution{child} waits at AWS")
            }
            (StartState::Started { execution, .. }, None) => format!("execution {execution} waits at AWS"),
            (_, None) => "an execution waits at AWS".to_owned(),
        };
        let latest = self.cutoff().and_then(|cutoff| {
            let lives = self.plan.lifetime.as_ref()?.expiry(unit.timeout?);
            let latest = cutoff
                .checked_sub(SignedDuration::from_secs(i64::try_from(lives.get()).ok()?))
                .ok()?;
            Some(format!(
                "; a command that it sends after {latest:.0} lives past the cutoff {cutoff:.0}: cancel it if that must \
                 not be"
            ))
        });
        format!(
            "{what}, as for a quota of running automations, and has sent nothing yet{}",
            latest.unwrap_or_default()
        )
    }
}
