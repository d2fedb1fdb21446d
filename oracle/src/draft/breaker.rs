//! The breakers of a request, and a CloudWatch alarm that comes to one state after another.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The alarm's name.
const ALARM: &str = "web-errors";

/// The breakers of a request. At least one is there.
#[derive(Debug, Clone)]
pub(crate) struct Breaker {
    /// So many locations that fail one after another.
    pub(crate) consecutive: Option<u32>,
    /// More than so many percent of the last nodes, of so many at least.
    pub(crate) share: Option<(u32, u32)>,
    pub(crate) alarm: Option<Alarm>,
}

#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    /// From which second after the start of the world on it is in which state, in the order of time. Before it is `OK`.
    pub(crate) states: Vec<(u32, &'static str)>,
    /// Whether each start hands it to Systems Manager.
    pub(crate) is_handed: bool,
}

impl Breaker {
    /// It as a request has it.
    pub(super) fn asked(&self) -> Value {
        let mut asked = json!({});
        if let Some(consecutive) = self.consecutive {
            asked["consecutive_failures"] = json!(consecutive);
        }
        if let Some((percent, sample)) = self.share {
            asked["failure_share"] = json!(format!("{percent}%"));
            asked["sample"] = json!(sample);
        }
        if let Some(alarm) = &self.alarm {
            asked["alarm"] = json!(ALARM);
            asked["hand_alarm_to_aws"] = json!(alarm.is_handed);
        }
        asked
    }
}

impl Alarm {
    /// It as a world file has it.
    pub(super) fn spec(&self) -> Value {
        let states = self.states.iter();
        let states: Vec<Value> = states
            .map(|(at, state)| json!({ "at": at, "state": state, "reason": "too many errors" }))
            .collect();
        json!({ "name": ALARM, "states": states })
    }

    /// From when to when it is in the state `ALARM`.
    pub(crate) fn goes_off(&self, start: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let second = |second: u32| {
            start
                .checked_add(SignedDuration::from_secs(second.into()))
                .unwrap()
        };
        let mut periods: Vec<(Timestamp, Timestamp)> = vec![];
        for (index, (at, state)) in self.states.iter().enumerate() {
            if *state != "ALARM" {
                continue;
            }
            let (from, to) = (second(*at), self.states.get(index + 1));
            let to = to.map_or(Timestamp::MAX, |(at, _)| second(*at));
            match periods.last_mut() {
                Some(last) if last.1 == from => last.1 = to,
                _ => periods.push((from, to)),
            }
        }
        periods
    }
}
