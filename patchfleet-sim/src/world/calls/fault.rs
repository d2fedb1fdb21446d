//! Faults at work: which of them strike a call, and how often each has struck.

use crate::spec::{FaultEffect, FaultSpec};
use crate::world::World;
use jiff::SignedDuration;
use patchfleet_core::id::{AccountId, Region};
use serde::Serialize;

/// A fault of this world.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// Its number, which no other fault of this world has or had.
    pub id: u64,
    /// What it is.
    #[serde(flatten)]
    pub spec: FaultSpec,
    /// How many calls it has struck.
    pub struck: u64,
}

/// The call that faults look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Struck<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) region: &'a Region,
    /// As IAM names it.
    pub(crate) action: &'a str,
    /// What tells calls of one place apart that may come in any order.
    pub(crate) subject: &'a str,
}

impl World {
    /// Adds a fault.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn add_fault(&mut self, spec: FaultSpec) -> Result<(), Vec<String>> {
        let problems = self.fault_problems(&spec);
        if problems.is_empty() {
            let id = self.count("faults");
            self.calls.faults.push(Fault { id, spec, struck: 0 });
            return Ok(());
        }
        Err(problems
            .into_iter()
            .map(|(key, text)| format!("{key}: {text}"))
            .collect())
    }

    /// What is wrong with a fault in this world, by key.
    pub(in crate::world) fn fault_problems(&self, spec: &FaultSpec) -> Vec<(&'static str, String)> {
        let mut problems = spec.problems();
        for account in &spec.accounts {
            if !self.org.accounts.contains_key(account) {
                problems.push(("accounts", format!("{account} is not one of accounts")));
            }
        }
        for region in &spec.regions {
            if !self.org.regions.contains(region) {
                problems.push(("regions", format!("{region} is no Region of this world")));
            }
        }
        problems
    }

    /// Takes all faults away.
    pub fn clear_faults(&mut self) {
        self.calls.faults.clear();
    }

    /// The faults, in the order in which they came.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.calls.faults
    }

    /// The effects of the faults that strike this call, which is counted.
    pub(crate) fn strike(&mut self, call: Struck<'_>) -> Vec<FaultEffect> {
        self.strike_with(call, |effect| *effect != FaultEffect::RateExceeded)
    }

    /// Whether a fault strikes a command as it looks for its nodes. The command is counted.
    pub(crate) fn strikes_command(&mut self, call: Struck<'_>) -> bool {
        !self
            .strike_with(call, |effect| *effect == FaultEffect::RateExceeded)
            .is_empty()
    }

    fn strike_with(&mut self, call: Struck<'_>, which: fn(&FaultEffect) -> bool) -> Vec<FaultEffect> {
        let age = self.now().duration_since(self.start());
        let mut effects = vec![];
        for index in 0..self.calls.faults.len() {
            let Some(Fault { id, spec, .. }) = self.calls.faults.get(index) else {
                break;
            };
            if !which(&spec.effect) || !spec.concerns(call, age) {
                continue;
            }
            let (calls, share, effect) = (spec.calls.clone(), spec.share, spec.effect.clone());
            let series = format!(
                "fault/{id}/{}/{}/{}/{}",
                call.account, call.region, call.action, call.subject
            );
            let nth = self.count(&series);
            let drawn = self.seed.unit(&[&series, &nth.to_string()]) < share;
            if drawn && (calls.is_empty() || calls.contains(&nth)) {
                effects.push(effect);
                if let Some(fault) = self.calls.faults.get_mut(index) {
                    fault.struck = fault.struck.saturating_add(1);
                }
            }
        }
        effects
    }
}

impl FaultSpec {
    fn concerns(&self, call: Struck<'_>, age: SignedDuration) -> bool {
        let second = u64::try_from(age.as_secs()).unwrap_or(0);
        let queries = [
            "resource-groups:ListGroupResources",
            "resource-groups:SearchResources",
        ];
        let fits = !matches!(self.effect, FaultEffect::QueryErrors(_)) || queries.contains(&call.action);
        let named = |pattern: &String| crate::model::action_matches(pattern, call.action);
        fits && (self.operations.is_empty() || self.operations.iter().any(named))
            && (self.accounts.is_empty() || self.accounts.contains(call.account))
            && (self.regions.is_empty() || self.regions.contains(call.region))
            && second >= self.from_seconds
            && self.until_seconds.is_none_or(|until| second < until)
    }
}
