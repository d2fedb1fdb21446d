//! How many executions and commands were looked at. Tests hold by it what a call or an event costs.

/// A count of looks, which only tests keep.
#[derive(Debug, Clone, Default)]
pub(in crate::world) struct Looks {
    #[cfg(test)]
    count: std::cell::Cell<usize>,
}

impl Looks {
    /// Counts a look.
    pub(in crate::world) fn add(&self) {
        #[cfg(test)]
        self.count.set(self.count.get() + 1);
    }

    /// All looks so far.
    #[cfg(test)]
    pub(in crate::world) fn count(&self) -> usize {
        self.count.get()
    }
}
