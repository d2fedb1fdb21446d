//! Values that are found by their keys, at a cost that does not grow with how many there are.
//!
//! No order of a hash map is ever seen, because it differs from run to run. Whoever asks for an order gets
//! that of the keys.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

/// Values by their keys. Finding one compares its key with no more than a few others, so it costs the same
/// among ten and among a million.
#[derive(Debug, Clone)]
pub(in crate::world) struct Lookup<K, V> {
    map: HashMap<K, V>,
}

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self { map: HashMap::new() }
    }
}

impl<K: Eq + Hash + Ord, V> Lookup<K, V> {
    pub(in crate::world) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.map.get(key)
    }

    pub(in crate::world) fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.map.get_mut(key)
    }

    /// Puts a value there; gives the one that the key had.
    pub(in crate::world) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.map.insert(key, value)
    }

    /// The value of a key, which is made if there is none.
    pub(in crate::world) fn made(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.map.entry(key).or_default()
    }

    /// Every value with its key, by key.
    pub(in crate::world) fn in_order(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut all: Vec<(&K, &V)> = self.map.iter().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all.into_iter()
    }
}

/// The place of a value in a [`Table`], which it keeps for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(usize);

/// Values that are found by their keys, or by their slots, and are never taken out.
#[derive(Debug, Clone)]
pub(in crate::world) struct Table<K, V> {
    slots: Lookup<K, Slot>,
    values: Vec<V>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            slots: Lookup::default(),
            values: vec![],
        }
    }
}

impl<K: Eq + Hash + Ord, V> Table<K, V> {
    pub(in crate::world) fn find<Q>(&self, key: &Q) -> Option<Slot>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.slots.get(key).copied()
    }

    pub(in crate::world) fn at(&self, slot: Slot) -> Option<&V> {
        self.values.get(slot.0)
    }

    pub(in crate::world) fn at_mut(&mut self, slot: Slot) -> Option<&mut V> {
        self.values.get_mut(slot.0)
    }

    /// Puts a value there; gives its slot. From now on the key finds this value and no earlier one.
    pub(in crate::world) fn insert(&mut self, key: K, value: V) -> Slot {
        let slot = Slot(self.values.len());
        self.values.push(value);
        self.slots.insert(key, slot);
        slot
    }

    /// Every value that its key finds, by key.
    pub(in crate::world) fn in_order(&self) -> impl Iterator<Item = &V> {
        self.slots.in_order().filter_map(|(_, slot)| self.at(*slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_order_values_are_put_in_they_come_out_in_the_order_of_their_keys() {
        let mut lookup = Lookup::<i32, i32>::default();
        let mut table = Table::<i32, i32>::default();
        for n in (0..100).map(|n| n * 37 % 100) {
            *lookup.made(n) += n;
            table.insert(n, n);
        }
        let sorted: Vec<i32> = (0..100).collect();
        assert_eq!(lookup.in_order().map(|(_, n)| *n).collect::<Vec<_>>(), sorted);
        assert_eq!(table.in_order().copied().collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn a_slot_keeps_its_value_and_the_key_finds_the_latest() {
        let mut table = Table::<&str, i32>::default();
        let first = table.insert("key", 1);
        let second = table.insert("key", 2);
        assert_eq!((table.at(first), table.at(second)), (Some(&1), Some(&2)));
        assert_eq!(table.find("key"), Some(second));
        assert_eq!(table.in_order().collect::<Vec<_>>(), [&2]);
    }
}
