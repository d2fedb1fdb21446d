//! How hard AWS is asked: each operation's rate, and how many calls at once.

use super::operation::Operation;
use super::rate::Rate;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;

/// How far a rate that was chosen may grow, as a multiple of itself, if AWS publishes no rate and throttles no call.
const GROWS_TO: u32 = 8;

/// How hard AWS is asked. Each operation has a rate of its own in each account and Region, as AWS counts them. A second
/// limit is for all calls together: how many may be under way at once.
///
/// An operation begins at its rate. The rate halves when AWS throttles the operation there, and grows
/// back by an eighth a second while AWS answers. It never exceeds a rate that is set, or one that AWS
/// publishes ([`Operation::has_published_rate`]). Where AWS publishes none, the rate begins gently, since
/// a campaign shares it with everything else that runs in the account. While calls wait for it and AWS
/// answers, it grows by an eighth a second to at most 8 times that.
///
/// Calls at once begin at 256, or at the number that is set if that is less. They grow with each answer while other
/// calls wait, up to the number that is set. They halve, at most once a second, if half of the places that were called
/// within the last second are in trouble, and at least two are. A place, which is an account and a Region, is in trouble
/// if its call was throttled or not answered. If fewer are, only their own rates change, since AWS counts calls by account
/// and Region.
///
/// ```
/// use patchfleet_aws::{Limits, Operation, Rate};
/// use std::num::{NonZeroU32, NonZeroUsize};
///
/// let limits = Limits::default()
///     .with_concurrency(NonZeroUsize::new(8).unwrap())
///     .with_rate(Operation::ListGroupResources, Rate::per_second(NonZeroU32::new(2).unwrap()));
/// assert_eq!(limits.rate(Operation::ListGroupResources).interval().as_millis(), 500);
/// assert_eq!(limits.rate(Operation::StartAutomationExecution).interval().as_secs(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    concurrency: NonZeroUsize,
    rates: BTreeMap<Operation, Rate>,
    patience: SignedDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: Self::DEFAULT_CONCURRENCY,
            rates: BTreeMap::new(),
            patience: Self::DEFAULT_PATIENCE,
        }
    }
}

impl Limits {
    /// The most calls at once, unless another number is set: 256.
    pub const DEFAULT_CONCURRENCY: NonZeroUsize = match NonZeroUsize::new(256) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    };

    /// How long a throttled read is tried while AWS answers no other of its kind. Unless another time is set, it is 5
    /// minutes.
    pub const DEFAULT_PATIENCE: SignedDuration = SignedDuration::from_mins(5);

    /// Sets how many calls may be under way at once, at most, over all accounts and Regions.
    #[must_use]
    pub fn with_concurrency(mut self, calls: NonZeroUsize) -> Self {
        self.concurrency = calls;
        self
    }

    /// Sets the rate of `operation` in each account and Region.
    #[must_use]
    pub fn with_rate(mut self, operation: Operation, rate: Rate) -> Self {
        self.rates.insert(operation, rate);
        self
    }

    /// Sets how long a throttled read is tried while AWS answers no call of the same operation in the
    /// same account and Region. Any answer there begins the time anew. At zero, the first throttled
    /// answer is final. Negative times are zero.
    #[must_use]
    pub fn with_patience(mut self, patience: SignedDuration) -> Self {
        self.patience = patience.max(SignedDuration::ZERO);
        self
    }

    /// How long a throttled read is tried while AWS answers no other of its kind.
    #[must_use]
    pub fn patience(&self) -> SignedDuration {
        self.patience
    }

    /// How many calls may be under way at once, at most.
    #[must_use]
    pub fn concurrency(&self) -> NonZeroUsize {
        self.concurrency
    }

    /// The most that the rate of `operation` grows to.
    pub(super) fn fastest(&self, operation: Operation) -> Rate {
        let rate = self.rate(operation);
        if self.rates.contains_key(&operation) || operation.has_published_rate() {
            rate
        } else {
            rate.times(GROWS_TO)
        }
    }

    /// The rate of `operation` in each account and Region, at which it begins.
    #[must_use]
    pub fn rate(&self, operation: Operation) -> Rate {
        self.rates
            .get(&operation)
            .copied()
            .unwrap_or_else(|| operation.default_rate())
    }
}
