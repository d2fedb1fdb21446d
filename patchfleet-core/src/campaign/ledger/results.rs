//! The results of locations in the order in which they became known, as the breakers count them.

use crate::request::Breaker;
use std::collections::BTreeMap;

/// What a location that has settled says to the breakers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::campaign) struct Settling {
    /// How many had settled before it: its place in the order.
    pub(in crate::campaign) number: u64,
    /// Whether it failed; `None`: it neither failed nor has a node that came to its goal, and says nothing.
    pub(in crate::campaign) failed: Option<bool>,
    /// Its nodes that came to an end.
    pub(in crate::campaign) nodes: u64,
    /// Those of them that failed or were lost, or of which nothing could be found out.
    pub(in crate::campaign) bad: u64,
}

/// All of them so far, and what the breakers make of them. A breaker that has tripped stays so, whatever settles later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::campaign) struct Results {
    settled: BTreeMap<u64, Settling>,
    /// How many failed at the end of the row, without one between them that ended well.
    pub(in crate::campaign) row: u32,
    /// The longest such row.
    pub(in crate::campaign) longest: u32,
    /// The last locations with as many nodes as the sample, or all: the number of the first one.
    from: u64,
    /// How many nodes these have.
    nodes: u64,
    /// How many of those are bad.
    bad: u64,
    /// The first full sample in which too many were bad: how many, and of how many.
    pub(in crate::campaign) exceeded: Option<(u64, u64)>,
}

impl Results {
    /// These, in their order.
    pub(in crate::campaign) fn of(limits: &Breaker, settled: impl IntoIterator<Item = Settling>) -> Self {
        let settled: BTreeMap<u64, Settling> = settled.into_iter().map(|one| (one.number, one)).collect();
        let mut results = Self::default();
        for one in settled.into_values() {
            results.push(limits, one);
        }
        results
    }

    /// Puts what a location says now in place of what it said before.
    pub(in crate::campaign) fn change(
        &mut self,
        limits: &Breaker,
        before: Option<Settling>,
        after: Option<Settling>,
    ) {
        if before == after {
            return;
        }
        let is_next = |one: Settling| {
            let last = self.settled.last_key_value();
            last.is_none_or(|(last, _)| *last < one.number)
        };
        if let (None, Some(one)) = (before, after)
            && is_next(one)
        {
            self.push(limits, one);
            return;
        }
        // What had settled was read again, or a person has it begun again. That is rare.
        let mut settled = std::mem::take(&mut self.settled);
        if let Some(before) = before {
            settled.remove(&before.number);
        }
        settled.extend(after.map(|one| (one.number, one)));
        *self = Self::of(limits, settled.into_values());
    }

    /// What the breakers make of them, without them.
    pub(in crate::campaign) fn summary(&self) -> Self {
        Self {
            settled: BTreeMap::new(),
            ..*self
        }
    }

    /// Adds the last one. It costs as much as it moves the sample on.
    fn push(&mut self, limits: &Breaker, one: Settling) {
        if self.settled.is_empty() {
            self.from = one.number;
        }
        self.settled.insert(one.number, one);
        match one.failed {
            Some(true) => self.row = self.row.saturating_add(1),
            Some(false) => self.row = 0,
            None => {}
        }
        self.longest = self.longest.max(self.row);
        let Some(share) = limits.failure_share else { return };
        self.nodes = self.nodes.saturating_add(one.nodes);
        self.bad = self.bad.saturating_add(one.bad);
        let sample = u64::from(share.sample);
        while let Some((number, first)) = self.settled.range(self.from..one.number).next()
            && self.nodes.saturating_sub(first.nodes) >= sample
        {
            self.nodes = self.nodes.saturating_sub(first.nodes);
            self.bad = self.bad.saturating_sub(first.bad);
            self.from = number.saturating_add(1);
        }
        if self.exceeded.is_none() && self.nodes >= sample && share.is_exceeded(self.bad, self.nodes) {
            self.exceeded = Some((self.bad, self.nodes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::PatchRequest;
    use proptest::prelude::*;

    #[test]
    fn whatever_is_changed_it_is_as_if_all_had_come_in_their_order() {
        let request = serde_json::json!({
            "name": "a", "targets": {"resource_group": "W", "regions": ["us-east-1"]},
            "breaker": {"consecutive_failures": 3, "failure_share": "40%", "sample": 5},
        });
        let limits = &PatchRequest::from_value(request).unwrap().breaker;
        let settling = (0..12_u64, any::<Option<bool>>(), 0..4_u64, 0..4_u64);
        let changes = proptest::collection::vec((settling, any::<bool>()), 0..30);
        proptest!(|(changes in changes)| {
            let mut results = Results::default();
            let mut all: BTreeMap<u64, Settling> = BTreeMap::new();
            for ((number, failed, nodes, bad), stays) in changes {
                let one = Settling { number, failed, nodes, bad: bad.min(nodes) };
                let after = stays.then_some(one);
                let before = match after {
                    Some(one) => all.insert(number, one),
                    None => all.remove(&number),
                };
                results.change(limits, before, after);
                prop_assert_eq!(&results, &Results::of(limits, all.values().copied()));
            }
        });
    }
}
