//! What a person was told already, so that nothing is told twice.

use patchfleet_core::campaign::{Event, Record, State, WaveBegun};
use patchfleet_core::id::{CommandId, Location, UnitId};
use patchfleet_core::text::in_log;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

/// A location of a unit, or a command in it.
type Place = (UnitId, Location, Option<CommandId>);

/// What a person was told already.
pub(super) struct Told {
    words: Mutex<BTreeSet<String>>,
    last: Mutex<BTreeMap<Place, String>>,
    /// Which attempt of each unit was said to be starting.
    starts: Mutex<BTreeMap<UnitId, u32>>,
    /// The waves that were looked at when a start of theirs was sent.
    waves: Mutex<BTreeSet<u32>>,
    /// The budgets, as they were told last.
    budgets: Mutex<String>,
    log: Option<PathBuf>,
}

impl Told {
    /// Nothing yet. `log` is the folder that warnings name in the commands that they tell to type.
    pub(super) fn new(log: Option<PathBuf>) -> Self {
        Self {
            words: Mutex::default(),
            last: Mutex::default(),
            starts: Mutex::default(),
            waves: Mutex::default(),
            budgets: Mutex::default(),
            log,
        }
    }

    /// What a person should be told at once of a record, and was not told before.
    pub(super) fn news(&self, record: &Record, state: &State) -> Vec<String> {
        let warnings = record.events.iter().filter_map(|event| state.warning(event));
        let warnings = warnings.map(|warning| in_log(&warning, self.log.as_deref()));
        let Ok(mut told) = self.words.lock() else {
            return warnings.collect();
        };
        warnings.filter(|warning| told.insert(warning.clone())).collect()
    }

    /// The wave that begins with a record, once.
    pub(super) fn wave_that_begins(&self, record: &Record, state: &State) -> Option<WaveBegun> {
        let starts = |event: &Event| matches!(event, Event::StartIntended { .. });
        if !record.events.iter().any(starts) {
            return None;
        }
        let number = state.wave_standing(state.last_at())?.number;
        let is_new = self.waves.lock().ok()?.insert(number);
        state.wave_begun_by(record).filter(|_| is_new)
    }

    /// Whether the budgets were not told just so last.
    pub(super) fn is_new_of_budgets(&self, budgets: &str) -> bool {
        let Ok(mut told) = self.budgets.lock() else {
            return true;
        };
        let is_new = *told != budgets;
        budgets.clone_into(&mut told);
        is_new
    }

    /// Whether its line would say what was told last of the same place. Such an event has what its line does not show, as
    /// the location's execution, or AWS's words on a failure.
    pub(super) fn is_no_news(&self, event: &Event) -> bool {
        if let Event::StartIntended { unit, attempt, .. } = event {
            // A start that is put off is intended anew with each try. That it is put off is told as such.
            let Ok(mut starts) = self.starts.lock() else {
                return false;
            };
            return starts.insert(*unit, *attempt) == Some(*attempt);
        }
        let (unit, location, command, says) = match event {
            Event::LocationObserved {
                unit,
                location,
                status,
                ..
            } => (unit, location, None, status.as_str().to_owned()),
            Event::CommandObserved {
                unit,
                location,
                command,
                counts,
                ..
            } => {
                let through = format!("{} of {}", counts.completed, counts.targets);
                (unit, location, Some(command.clone()), through)
            }
            _ => return false,
        };
        let Ok(mut last) = self.last.lock() else {
            return false;
        };
        let before = last.insert((*unit, location.clone(), command), says.clone());
        before == Some(says)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_is_tried_again_and_again_is_told_once_and_its_next_attempt_once_more() {
        let told = Told::new(None);
        let starting = |unit: u32, attempt: u32| {
            let request: serde_json::Value = serde_json::from_str(REQUEST).unwrap();
            let event = serde_json::json!({
                "event": "start_intended", "unit": unit, "attempt": attempt, "request": request,
            });
            !told.is_no_news(&serde_json::from_value::<Event>(event).unwrap())
        };
        let news = [(1, 1), (1, 1), (2, 1), (1, 1), (1, 2), (1, 2)];
        assert_eq!(
            news.map(|(unit, attempt)| starting(unit, attempt)),
            [true, false, true, false, true, false]
        );
    }

    const REQUEST: &str = r#"{
        "DocumentName": "Patchfleet-RunPatchBaseline", "Parameters": {}, "Tags": [],
        "TargetLocations": [{
            "Accounts": ["111111111111"], "Regions": ["us-east-1"], "TargetLocationMaxConcurrency": "1",
            "TargetLocationMaxErrors": "0", "ExecutionRoleName": "AWS-SystemsManager-AutomationExecutionRole"
        }]
    }"#;

    #[test]
    fn a_locations_status_is_told_when_it_changes_and_not_again_when_its_execution_is_known() {
        let seen = |region: &str, status: &str, child: Option<&str>| {
            let event = serde_json::json!({
                "event": "location_observed", "unit": 1, "location": {"account": "111111111111", "region": region},
                "status": status, "child": child, "failure": "",
            });
            serde_json::from_value::<Event>(event).unwrap()
        };
        let told = Told::new(None);
        let child = Some("00000000-0000-4000-8000-000000000000");
        let news = [
            ("us-east-1", "InProgress", None),
            ("us-east-1", "InProgress", child),
            ("us-west-2", "InProgress", child),
            ("us-east-1", "Success", child),
            ("us-east-1", "Success", child),
        ]
        .map(|(region, status, child)| !told.is_no_news(&seen(region, status, child)));
        assert_eq!(news, [true, false, true, true, false]);
    }
}
