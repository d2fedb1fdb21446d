//! Signs of life, and beginning nothing more of a campaign that nobody drove for long.

use super::{Drive, DriveError};
use crate::campaign::Appended;
use crate::campaign::Event;
use crate::campaign::decide::forgotten_from;
use crate::campaign::facts::Fact;
use crate::campaign::state::StartState;
use crate::id::UnitId;
use crate::port::PortErrorKind;
use jiff::{SignedDuration, Timestamp};

/// How long the log says nothing while a driver follows the campaign and something is left to begin. Then
/// the driver writes [`Event::Watched`].
pub(crate) const SIGN_OF_LIFE_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// The shortest time without a sign of life after which a campaign counts as left alone. A driver that lives
/// has missed two signs by then.
pub const SHORTEST_GAP: SignedDuration = SignedDuration::from_mins(15);

impl Drive<'_> {
    /// Since when nobody has driven the campaign, if that is so long that nothing more is begun.
    pub(super) fn undriven_since(&self) -> Option<Timestamp> {
        let longest = self.longest_gap?;
        // If nobody knows for how long, it may be too long.
        let is_long = self
            .state
            .undriven_for(self.now())
            .is_none_or(|gap| gap > longest);
        (is_long && self.state.may_begin_more()).then(|| self.state.driven_at())
    }

    /// Appends that a driver follows the campaign, if the log has said nothing for a while and something is
    /// left to begin. On conflict somebody else has said something.
    pub(super) async fn give_sign_of_life(&mut self) -> Result<(), DriveError> {
        let quiet = self.state.undriven_for(self.now());
        if quiet.is_none_or(|quiet| quiet >= SIGN_OF_LIFE_EVERY) && self.state.may_begin_more() {
            let _ = self.append(vec![Event::Watched]).await?;
        }
        Ok(())
    }

    /// Says that a driver follows the campaign while nothing of it runs and the next wave waits. Where nobody did for too
    /// long, it says that. A driver whom AWS does not tell what it asks counts as none: once it is told, the time may be past.
    pub(super) async fn watch_over(&mut self, is_unknown: bool) -> Result<(), DriveError> {
        match self.undriven_since() {
            None if is_unknown => Ok(()),
            None => self.give_sign_of_life().await,
            Some(since) => {
                // On conflict somebody else drives it, and this is decided again.
                let _ = self.append(vec![Event::Unattended { since }]).await?;
                Ok(())
            }
        }
    }

    /// Appends what is about to be sent. Gives whether it is to be sent: not if others appended meanwhile, or if
    /// nobody has driven the campaign for too long, also by the time that the log takes it.
    pub(super) async fn may_send(&mut self, events: Vec<Event>) -> Result<bool, DriveError> {
        if let Some(since) = self.undriven_since() {
            // On conflict somebody else drives it, and this is decided again.
            let _ = self.append(vec![Event::Unattended { since }]).await?;
            return Ok(false);
        }
        let not_sent: Vec<Fact> = events.iter().filter_map(intended_not_sent).collect();
        if self.append(events).await? == Appended::Conflict {
            return Ok(false);
        }
        // The log may have taken its time, and answers have come meanwhile. Any may be a reason to stop.
        let learned = self.learn_all().await;
        if learned.is_err() || !self.may_still_send(&not_sent) {
            self.write_down(not_sent).await?;
            learned?;
            return Ok(false);
        }
        Ok(true)
    }
}

impl Drive<'_> {
    /// Whether the starts may be sent that the log has just taken.
    fn may_still_send(&self, starts: &[Fact]) -> bool {
        let now = self.now();
        // AWS may have forgotten the client token of a start that was sent long ago. And what was compared and counted
        // for a start that the log took late may not be so any more: its runbook, and the time until the cutoff.
        let is_old = |fact: &Fact| {
            let Fact::NotTaken { unit, .. } = fact else {
                return false;
            };
            let start = self.state.units().get(unit).map(|unit| &unit.start);
            let Some(StartState::Intended(intent)) = start else {
                return true; // somebody knows what became of it
            };
            let first = intent.in_doubt.first();
            first.is_some_and(|first| forgotten_from(first).is_none_or(|from| now >= from))
        };
        let is_stopped = |fact: &Fact| match fact {
            Fact::NotTaken { unit, .. } => self.state.keeps_from_sending(*unit, now),
            _ => false,
        };
        self.undriven_since().is_none() && !starts.iter().any(|fact| is_stopped(fact) || is_old(fact))
    }
}

/// That the start which is intended was not sent.
fn intended_not_sent(intent: &Event) -> Option<Fact> {
    match intent {
        Event::StartIntended { unit, attempt, .. } => Some(not_sent(*unit, *attempt)),
        _ => None,
    }
}

/// That the start was not sent.
pub(super) fn not_sent(unit: UnitId, attempt: u32) -> Fact {
    Fact::NotTaken {
        unit,
        attempt,
        kind: PortErrorKind::Unavailable,
        detail: "the log, or the look whether it was begun before, took so long that it was not sent"
            .to_owned(),
        for_good: false,
    }
}
