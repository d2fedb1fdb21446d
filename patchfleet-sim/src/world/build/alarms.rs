//! The CloudWatch alarms of a spec.

use super::Builder;
use crate::{
    spec::AlarmSpec,
    world::{Alarm, InState, after},
};
use jiff::SignedDuration;
use patchfleet_core::id::{AlarmName, Region};

impl Builder<'_> {
    pub(super) fn add_alarm(&mut self, index: usize, spec: &AlarmSpec) {
        let path = format!("alarms[{index}]");
        if let Err(error) = spec.name.parse::<AlarmName>() {
            return self.problem(format!("{path}.name"), error.to_string());
        }
        let start = self.spec.start;
        let states = spec.states.iter().map(|state| InState {
            since: after(start, state.at.map_or(SignedDuration::ZERO, |at| at.0)),
            state: state.state,
            reason: state.reason.clone(),
        });
        let alarm = Alarm {
            is_composite: spec.composite,
            made: start,
            states: states.collect(),
        };
        let times = alarm.states.iter().map(|state| state.since);
        if !times.is_sorted_by(|before, next| before < next) {
            let message = "each state comes later than the one before it";
            return self.problem(format!("{path}.states"), message);
        }
        let management = &self.spec.management_account;
        let account = spec.account.clone().unwrap_or_else(|| management.clone());
        if !self.is_account(&account) {
            let message = format!("{account} is not one of accounts");
            return self.problem(format!("{path}.account"), message);
        }
        let org = &self.world.org;
        let enabled = org
            .regions
            .iter()
            .filter(|region| org.is_enabled(&account, region));
        let regions: Vec<Region> = match spec.regions.is_empty() {
            true => enabled.cloned().collect(),
            false => spec.regions.clone(),
        };
        for (nth, region) in regions.iter().enumerate() {
            let region_path = format!("{path}.regions[{nth}]");
            let Some(location) = self.place(&account, region, "", &region_path) else {
                continue;
            };
            let before = self
                .world
                .alarms
                .insert(&location, spec.name.clone(), alarm.clone());
            if before.is_some() {
                let message = format!("alarm {} stands twice in {location}", spec.name);
                self.problem(format!("{path}.name"), message);
            }
        }
    }
}
