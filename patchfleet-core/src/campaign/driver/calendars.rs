//! Asking the change calendars, and for how long what they said counts.

use super::Drive;
use super::calls::Answer;
use crate::campaign::CalendarsSaid;
use crate::campaign::facts::Fact;
use crate::campaign::polls::later;
use crate::port::{BoxFuture, CalendarsView, PortResult};
use jiff::SignedDuration;

/// For how long it counts that they are open, and after how long they are asked again if nobody knows.
const OPEN_HOLDS: SignedDuration = SignedDuration::from_mins(1);

/// After how long they are asked again while one is closed: people open a calendar before its time.
const CLOSED_HOLDS: SignedDuration = SignedDuration::from_mins(5);

impl<'d> Drive<'d> {
    /// Asks whether the change calendars are open.
    pub(super) fn ask_calendars(&self) -> Option<BoxFuture<'d, Answer>> {
        let names = self.state.plan().request.change_calendars.clone();
        let documents = &*self.driver.documents;
        (!names.is_empty()).then(|| -> BoxFuture<'d, Answer> {
            Box::pin(async move { Answer::Calendars(documents.calendars(&names).await) })
        })
    }

    /// Learns what they say. Who does not know does not say that they are open.
    pub(super) fn learn_calendars(&mut self, said: PortResult<CalendarsView>) -> Fact {
        let now = self.now();
        self.memory.calendars.is_asked = false;
        let (said, changes_at, holds) = match said {
            Ok(view) if view.are_open => (CalendarsSaid::Open, view.changes_at, OPEN_HOLDS),
            Ok(view) => {
                let until = view.changes_at;
                (CalendarsSaid::Closed { until }, until, CLOSED_HOLDS)
            }
            Err(error) => {
                let (kind, detail) = (error.kind(), error.reason());
                (CalendarsSaid::Unknown { kind, detail }, None, OPEN_HOLDS)
            }
        };
        let until = later(now, holds);
        let changes_at = changes_at.filter(|at| *at > now);
        self.memory.calendars.holds_until = Some(changes_at.map_or(until, |at| at.min(until)));
        Fact::Calendars(said)
    }
}
