//! What happened in campaigns, counted.

use crate::laws::stops;
use crate::run::{Ending, Run};
use std::collections::BTreeMap;
use std::fmt;

/// How often each thing happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// What happened in one campaign.
    pub(crate) fn of(run: &Run) -> Self {
        let mut counts = Self::default();
        counts.add("campaigns", 1);
        counts.add("nodes", run.nodes().len());
        counts.add("deeds of others", run.draft.hands.len());
        for hand in &run.draft.hands {
            counts.add(&format!("deed: {:?}", hand.deed), 1);
        }
        let Ok(done) = &run.result else {
            counts.add("campaigns refused", 1);
            return counts;
        };
        counts.add("drivers killed", done.killed);
        counts.add("executions", run.parents().count());
        let some = [
            ("campaigns with something to do", !done.plan.locations.is_empty()),
            (
                "campaigns with bounds on the fleet",
                run.draft.wish.fleet.is_some(),
            ),
            ("campaigns with bounds on a label", run.draft.wish.label.is_some()),
            ("campaigns in waves", !run.draft.wish.waves.is_empty()),
            ("campaigns that a person let go on", !done.gone_on.is_empty()),
            ("campaigns that a person approved of", !done.approved.is_empty()),
            ("campaigns that a person stopped", done.stopped.is_some()),
            ("campaigns left open", matches!(done.ending, Ending::Open(_))),
            (
                "campaigns stopped by others with something left",
                run.parents().count() < done.plan.units.len() && !stops(run).is_empty(),
            ),
        ];
        for (what, is_so) in some {
            counts.add(what, usize::from(is_so));
        }
        counts.add(&format!("outcome: {}", done.ended.report.outcome.as_str()), 1);
        for row in done.ended.rows.values().flatten() {
            counts.add(&format!("node: {:?}", row.outcome), 1);
        }
        counts
    }

    fn add(&mut self, what: &str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        match self.0.get_mut(what) {
            Some(sum) => *sum += count,
            None => drop(self.0.insert(what.to_owned(), count)),
        }
    }

    /// Adds what others counted.
    pub fn merge(&mut self, others: &Self) {
        for (what, count) in &others.0 {
            *self.0.entry(what.clone()).or_default() += count;
        }
    }

    /// How often this happened, in the words of [`Display`](fmt::Display).
    #[must_use]
    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// All things that are counted, with their number.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(what, count)| (what.as_str(), *count))
    }
}

/// A line for each thing.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter()
            .try_for_each(|(what, count)| writeln!(f, "{count:>12}  {what}"))
    }
}
