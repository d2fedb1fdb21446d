//! What the small AWS says of the CloudWatch alarm.

use super::*;

impl Alarms for FakeAws {
    fn alarm(&self, _: &AlarmName) -> BoxFuture<'_, PortResult<Option<AlarmView>>> {
        self.call(move || {
            let now = self.clock.now();
            self.alarm_asked.lock().unwrap().push(now);
            if let Some((kind, until)) = *self.alarm_fails.lock().unwrap()
                && now < until
            {
                return kind.map_or(Ok(None), |kind| Err(PortError::new(kind, "no alarm")));
            }
            let off = self.alarm_goes_off.lock().unwrap();
            let since = off.iter().find(|(from, to)| *from <= now && now < *to);
            Ok(Some(AlarmView {
                state: match since {
                    Some(_) => AlarmState::Alarm,
                    None => AlarmState::Ok,
                },
                reason: "Threshold Crossed:\n1 datapoint [7.0]".to_owned(),
                since: since.map(|(from, _)| *from),
            }))
        })
    }
}
