//! Asking the CloudWatch alarm, and for how long what it said counts.

use super::Drive;
use super::calls::Answer;
use crate::campaign::AlarmSaid;
use crate::campaign::facts::Fact;
use crate::campaign::polls::later;
use crate::port::{AlarmView, BoxFuture, PortResult};
use jiff::{SignedDuration, Timestamp};

/// For how long an answer counts, and after how long it is asked again if nobody knows. CloudWatch evaluates most alarms once a
/// minute.
const HOLDS: SignedDuration = SignedDuration::from_mins(1);

impl<'d> Drive<'d> {
    /// Asks what state the alarm is in.
    pub(super) fn ask_alarm(&self) -> Option<BoxFuture<'d, Answer>> {
        let name = self.state.plan().request.breaker.alarm.clone()?;
        let (alarms, clock) = (&*self.driver.alarms, &*self.driver.clock);
        Some(Box::pin(async move {
            let asked_at = clock.now();
            Answer::Alarm(asked_at, alarms.alarm(&name).await)
        }))
    }

    /// Learns what it says. Who does not know does not say that all is well.
    pub(super) fn learn_alarm(
        &mut self,
        asked_at: Timestamp,
        said: PortResult<Option<AlarmView>>,
    ) -> Option<Fact> {
        // The log may have taken its time since.
        let until = later(asked_at, HOLDS);
        self.memory.alarm.is_asked = false;
        self.memory.alarm.holds_until = Some(until);
        let name = self.state.plan().request.breaker.alarm.as_ref()?;
        Some(Fact::Alarm(AlarmSaid::of(name, said)))
    }
}
