//! How hard AWS is asked: each operation's rate, and how many calls at once.

use super::operation::Operation;
use super::rate::Rate;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;

/// How hard AWS is asked. Each operation has a rate in each account and Region, as AWS counts them.
/// Over all of them together, so many calls may be under way at once.
///
/// An operation begins at its rate and never exceeds it. The rate halves when AWS throttles the
/// operation there, and grows back by an eighth a second while AWS answers.
///
/// The defaults are those that AWS publishes for an account and a Region. Systems Manager:
/// StartAutomationExecution and StopAutomationExecution 1 per second, Get… and Describe… of
/// automations 3 (AWS General Reference, "AWS Systems Manager endpoints and quotas"). STS: 600 (IAM User Guide, "IAM and AWS
/// STS quotas"). Organizations: with bursts (AWS Organizations User Guide, "Quotas and service
/// limits"). Account Management: ListRegions 5, with a burst of 5 (AWS Account Management Reference
/// Guide, "Quotas"). AWS publishes none for the others. Theirs are chosen to be gentle, since a
/// campaign shares them with everything else that runs in the account.
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
    /// Calls at once, unless another number is set: 32.
    pub const DEFAULT_CONCURRENCY: NonZeroUsize = match NonZeroUsize::new(32) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    };

    /// How long a throttled read is tried while AWS answers no other of its kind, unless set otherwise:
    /// 5 minutes.
    pub const DEFAULT_PATIENCE: SignedDuration = SignedDuration::from_mins(5);

    /// Sets how many calls may be under way at once, over all accounts and Regions.
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

    /// How many calls may be under way at once.
    #[must_use]
    pub fn concurrency(&self) -> NonZeroUsize {
        self.concurrency
    }

    /// The rate of `operation` in each account and Region.
    #[must_use]
    pub fn rate(&self, operation: Operation) -> Rate {
        self.rates
            .get(&operation)
            .copied()
            .unwrap_or_else(|| operation.default_rate())
    }
}
