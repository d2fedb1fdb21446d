//! How many executions and commands were looked at. Tests hold by it what a call or an event costs.

/// A count of looks, which only tests keep.
#[derive(Debug, Default)]
pub(super) struct Looks {
    #[cfg(test)]
    count: std::cell::Cell<usize>,
}

impl Looks {
    /// Counts a look.
    pub(super) fn add(&self) {
        #[cfg(test)]
        self.count.set(self.count.get() + 1);
    }

    /// All looks so far.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.count.get()
    }
}
