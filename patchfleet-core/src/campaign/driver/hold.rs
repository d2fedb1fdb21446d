//! Signs of life, and beginning nothing more of a campaign that nobody drove for long.

use super::{Drive, DriveError};
use crate::campaign::Appended;
use crate::campaign::Event;
use crate::campaign::facts::Fact;
use crate::port::PortErrorKind;
use jiff::{SignedDuration, Timestamp};

/// How long the log says nothing while a driver follows the campaign and something is left to begin. Then
/// the driver writes [`Event::Watched`].
pub const SIGN_OF_LIFE_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// The shortest time without a sign of life after which a campaign counts as left alone. A driver that lives
/// has missed two signs by then.
pub const SHORTEST_GAP: SignedDuration = SignedDuration::from_mins(15);

impl Drive<'_> {
    /// Since when nobody has driven the campaign, if that is so long that nothing more is begun.
    pub(super) fn undriven_since(&self) -> Option<Timestamp> {
        let since = self.state.driven_at();
        let is_long = self.now().duration_since(since) > self.longest_gap?;
        (is_long && self.state.may_begin_more()).then_some(since)
    }

    /// Appends that a driver follows the campaign, if the log has said nothing for a while and something is
    /// left to begin. On conflict somebody else has said something.
    pub(super) async fn give_sign_of_life(&mut self) -> Result<(), DriveError> {
        let quiet = self.now().duration_since(self.state.driven_at());
        if quiet >= SIGN_OF_LIFE_EVERY && self.state.may_begin_more() {
            let _ = self.append(vec![Event::Watched]).await?;
        }
        Ok(())
    }

    /// Appends what is about to be sent. Gives whether it is to be sent: not if others appended meanwhile, or if
    /// nobody has driven the campaign for too long, also by the time that the log takes it.
    pub(super) async fn may_send(&mut self, events: Vec<Event>) -> Result<bool, DriveError> {
        if let Some(since) = self.undriven_since() {
            // On conflict somebody else drives it, and this is decided again.
            let _ = self.append(vec![Event::Unattended { since }]).await?;
            return Ok(false);
        }
        let not_sent: Vec<Fact> = events.iter().filter_map(not_sent).collect();
        if self.append(events).await? == Appended::Conflict {
            return Ok(false);
        }
        if self.undriven_since().is_some() {
            self.write_down(not_sent).await?;
            return Ok(false);
        }
        Ok(true)
    }
}

/// That the start was not sent.
fn not_sent(intent: &Event) -> Option<Fact> {
    let Event::StartIntended { unit, attempt, .. } = intent else {
        return None;
    };
    Some(Fact::NotTaken {
        unit: *unit,
        attempt: *attempt,
        kind: PortErrorKind::Unavailable,
        detail: "the log took it so late that it was not sent".to_owned(),
        for_good: false,
    })
}
