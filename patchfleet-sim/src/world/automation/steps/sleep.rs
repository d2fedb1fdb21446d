//! `aws:sleep`: waits for a duration, or until a time, both ISO 8601; seven days at most.
//!
//! Source: "aws:sleep" of the Systems Manager guide.

use super::Begun;
use crate::world::{
    Status, World, automation::execution::Failure, documents::parameters::plain, time::Event,
};
use jiff::{Span, SpanRelativeTo, Timestamp};
use serde_json::Value;

/// The longest delay, in seconds.
const MAX_SECONDS: i64 = 604_800;

impl World {
    pub(super) fn sleep(&mut self, id: &str, index: usize, inputs: &Value) -> Result<Begun, Failure> {
        let seconds = seconds(self.now(), inputs).map_err(Failure::input)?;
        let run = self.step_mut(id, index).map_or(0, |step| step.runs);
        self.after_seconds(
            seconds,
            Event::StepWakes {
                execution: id.to_owned(),
                step: index,
                run,
            },
        );
        Ok(Begun::Runs)
    }

    /// A sleeping step's time has come.
    pub(in crate::world) fn step_wakes(&mut self, id: &str, index: usize, run: u32) {
        let step = self.executions.get(id).and_then(|one| one.steps.get(index));
        if step.is_some_and(|step| step.is_open() && step.runs == run) {
            self.end_step(id, index, Status::Success, None);
        }
    }
}

fn seconds(now: Timestamp, inputs: &Value) -> Result<i64, String> {
    let text = |name: &str| inputs.get(name).filter(|value| !value.is_null()).map(plain);
    let seconds = match (text("Duration"), text("Timestamp")) {
        (Some(duration), None) => duration
            .parse::<Span>()
            .ok()
            .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
            .filter(|span| !span.is_negative())
            .ok_or_else(|| format!("{duration:?} is not a duration that aws:sleep can wait for."))?
            .as_secs(),
        (None, Some(time)) => {
            let until: Timestamp = time
                .parse()
                .map_err(|_| format!("{time:?} is not a time that aws:sleep can wait for."))?;
            // One that has passed goes on at once.
            until.duration_since(now).as_secs().max(0)
        }
        _ => return Err("aws:sleep takes either Duration or Timestamp.".to_owned()),
    };
    if seconds > MAX_SECONDS {
        return Err(format!("aws:sleep waits for {MAX_SECONDS} seconds at most."));
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_and_times_are_iso_8601() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        for (inputs, expected) in [
            (json!({"Duration": "PT3S"}), 3),
            (json!({"Duration": "PT10M"}), 600),
            (json!({"Duration": "P1DT1H"}), 90_000),
            (json!({"Duration": "P7D"}), 604_800),
            (json!({"Timestamp": "2026-03-01T02:00:00+01:00"}), 3600),
            (json!({"Timestamp": "2020-01-01T01:00:00Z"}), 0),
        ] {
            assert_eq!(seconds(now, &inputs), Ok(expected), "{inputs}");
        }
        for inputs in [
            json!({}),
            json!({"Duration": "-PT3S"}),
            json!({"Duration": "ten minutes"}),
            json!({"Duration": "P8D"}),
            json!({"Timestamp": "2026-03-09T00:00:00Z"}),
            json!({"Timestamp": "tomorrow"}),
        ] {
            assert!(seconds(now, &inputs).is_err(), "{inputs}");
        }
    }
}
