//! When a driver has something to do next, and what it is doing now.

use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Tasks of one kind: those that wait for their time, and those under way.
///
/// Asking for what is due costs what is due. No task that waits is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timers<T: Ord> {
    at: BTreeMap<T, Timestamp>,
    queue: BTreeMap<Timestamp, BTreeSet<T>>,
    under_way: BTreeSet<T>,
}

impl<T: Ord> Default for Timers<T> {
    fn default() -> Self {
        Self {
            at: BTreeMap::new(),
            queue: BTreeMap::new(),
            under_way: BTreeSet::new(),
        }
    }
}

impl<T: Ord + Clone> Timers<T> {
    /// Plans a task for this time, whatever it was planned for before. A task that is under way is left to
    /// whoever takes its answer.
    pub(super) fn set(&mut self, task: &T, at: Timestamp) {
        if self.under_way.contains(task) {
            return;
        }
        self.clear(task);
        self.at.insert(task.clone(), at);
        self.queue.entry(at).or_default().insert(task.clone());
    }

    /// Plans a task for this time, unless it is planned already.
    pub(super) fn set_if_none(&mut self, task: &T, at: Timestamp) {
        if !self.at.contains_key(task) {
            self.set(task, at);
        }
    }

    /// Plans a task for this time, if it is planned for a later one.
    pub(super) fn hasten(&mut self, task: &T, at: Timestamp) {
        if self.at.get(task).is_some_and(|planned| *planned > at) {
            self.set(task, at);
        }
    }

    /// Plans the task no more.
    pub(super) fn clear(&mut self, task: &T) {
        if let Some(at) = self.at.remove(task)
            && let Some(tasks) = self.queue.get_mut(&at)
        {
            tasks.remove(task);
            if tasks.is_empty() {
                self.queue.remove(&at);
            }
        }
    }

    /// The task is under way from here on.
    pub(super) fn begin(&mut self, task: T) {
        self.clear(&task);
        self.under_way.insert(task);
    }

    /// The task is no longer under way.
    pub(super) fn end(&mut self, task: &T) {
        self.under_way.remove(task);
    }

    /// For when the task is planned.
    pub(super) fn when(&self, task: &T) -> Option<Timestamp> {
        self.at.get(task).copied()
    }

    pub(super) fn is_under_way(&self, task: &T) -> bool {
        self.under_way.contains(task)
    }

    /// How many tasks are under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// The tasks under way.
    pub(super) fn all_under_way(&self) -> impl Iterator<Item = &T> {
        self.under_way.iter()
    }

    /// The tasks that are due, the longest due first.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = &T> {
        self.queue.range(..=now).flat_map(|(_, tasks)| tasks)
    }

    /// When the next task is due that is not due now.
    pub(super) fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let later = (Bound::Excluded(now), Bound::Unbounded);
        self.queue.range(later).next().map(|(at, _)| *at)
    }

    /// Plans nothing more. What is under way stays so.
    pub(super) fn forget(&mut self) {
        self.at.clear();
        self.queue.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn tasks_are_due_at_their_time_in_its_order_and_once_while_they_are_under_way() {
        let mut timers = Timers::default();
        timers.set(&"b", at(2));
        timers.set(&"a", at(3));
        timers.set(&"c", at(9));
        timers.set_if_none(&"c", at(1));
        assert_eq!(timers.due(at(1)).count(), 0);
        assert_eq!(timers.next_after(at(1)), Some(at(2)));
        assert_eq!(timers.due(at(3)).collect::<Vec<_>>(), [&"b", &"a"]);
        assert_eq!(timers.next_after(at(3)), Some(at(9)));
        timers.begin("b");
        timers.set(&"b", at(2));
        assert_eq!(
            timers.due(at(3)).collect::<Vec<_>>(),
            [&"a"],
            "one call at a time"
        );
        timers.end(&"b");
        timers.set(&"b", at(20));
        timers.hasten(&"b", at(30));
        timers.hasten(&"none", at(1));
        assert_eq!(
            timers.next_after(at(10)),
            Some(at(20)),
            "it stays where it is sooner"
        );
        timers.hasten(&"b", at(15));
        assert_eq!(timers.next_after(at(10)), Some(at(15)));
        timers.clear(&"a");
        assert_eq!(timers.due(at(8)).count(), 0);
        timers.forget();
        assert_eq!(timers.next_after(at(0)), None);
    }
}
