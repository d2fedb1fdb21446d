//! Starts of which nobody knows whether they took effect.
//!
//! Such a unit may run. So it keeps its places, each of its locations may have failed, and the campaign is not over
//! until AWS shows its execution or a person has its start sent again.

use super::{State, StopReason};
use crate::campaign::rule::{Rule, is_asked};
use crate::id::UnitId;
use crate::plan::timeout_of;
use crate::request::Dispatch;
use jiff::{SignedDuration, Timestamp};

impl State {
    /// The units of which nobody knows whether they run.
    pub fn unresolved(&self) -> impl Iterator<Item = UnitId> {
        self.ledger.unresolved.iter().copied()
    }

    /// Whether AWS takes no client token for the campaign's starts. Then one without an answer is never sent again, unless a
    /// person says so.
    pub(crate) fn is_sent_once(&self) -> bool {
        self.plan.request.automation.dispatch == Dispatch::RunCommand
    }

    /// What a unit is at AWS, in a word.
    pub(crate) fn unit_at_aws(&self) -> &'static str {
        match self.is_sent_once() {
            true => "command",
            false => "execution",
        }
    }

    /// How many locations they have. Each may have failed, or may fail still.
    pub(in crate::campaign) fn unresolved_locations(&self) -> u64 {
        self.ledger.unresolved_locations
    }

    /// Why nobody knows.
    pub(in crate::campaign) fn why_unresolved(&self, unit: UnitId) -> &str {
        match self.units.get(&unit).map(|unit| &unit.start) {
            Some(super::StartState::Unresolved { detail, .. }) => detail,
            _ => "",
        }
    }

    /// Whether the start of this unit may not be sent now. What a person has sent again is sent although nobody drove
    /// the campaign for long. That begins nothing else.
    pub(in crate::campaign) fn keeps_from_sending(&self, unit: UnitId, now: Timestamp) -> bool {
        let is_sent_again = self.units.get(&unit).and_then(|unit| unit.intent());
        match is_sent_again.is_some_and(|intent| intent.sent_before) {
            true => self.keeps_from_sending_again(unit, now).is_some(),
            false => {
                self.is_stopped(now)
                    || (is_asked(Rule::Freeze) && self.plan.frozen(now).is_some())
                    || self.closed_calendars().is_some()
                    || self.unknown_alarm().is_some()
            }
        }
    }

    /// Why an unresolved start may not be sent again now, even if a person says so; `None`: it may. That nobody
    /// drove the campaign for long is no reason, as whoever says so attends to it.
    pub(in crate::campaign) fn keeps_from_sending_again(
        &self,
        unit: UnitId,
        now: Timestamp,
    ) -> Option<StopReason> {
        self.keeps_beside_calendars(unit, now).or_else(|| {
            let calendars = self.closed_calendars().map(ToString::to_string);
            let said = calendars.or_else(|| self.unknown_alarm().map(ToString::to_string))?;
            Some(StopReason::Frozen(said))
        })
    }

    /// The same without the change calendars and the alarm, which are asked anew before it is sent.
    pub(in crate::campaign) fn keeps_beside_calendars(
        &self,
        unit: UnitId,
        now: Timestamp,
    ) -> Option<StopReason> {
        match self.stop_reason_at(now) {
            None | Some(StopReason::Unattended { .. }) => {
                let lives_until = self.lives_until(unit, now);
                let outlives = |at: Timestamp| lives_until.is_none_or(|until| until > at);
                if let Some(at) = self.cutoff().filter(|at| outlives(*at)) {
                    return Some(StopReason::Cutoff { at });
                }
                if let Some(frozen) = self.plan.frozen(now) {
                    return Some(StopReason::Frozen(frozen.to_string()));
                }
                let (name, at) = self.plan.expires_by(now).filter(|(_, at)| outlives(*at))?;
                Some(StopReason::Frozen(format!(
                    "its command may live into the freeze {name}, which begins at {at:.0}"
                )))
            }
            kept => kept,
        }
    }

    /// Until when the commands of a start may live that is sent again now, as it was sent before.
    fn lives_until(&self, unit: UnitId, now: Timestamp) -> Option<Timestamp> {
        let timeout = timeout_of(&self.units.get(&unit)?.intent()?.request)?;
        let lifetime = self.plan.lifetime.as_ref()?;
        let lives = lifetime.expiry(timeout).plus(crate::plan::CUTOFF_MARGIN);
        let lives = SignedDuration::from_secs(i64::try_from(lives.get()).ok()?);
        now.checked_add(lives).ok()
    }
}
