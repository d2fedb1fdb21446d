//! How hard AWS is asked: each operation's rate, and how many calls at once.

use crate::bucket::Rate;
use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};

/// Defines [`Operation`] and its table: variant, AWS's name, default calls per second.
macro_rules! operations {
    ($($name:ident $rate:literal,)*) => {
        /// An operation of AWS that patchfleet calls.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $(
                #[doc = concat!("`", stringify!($name), "`; ", stringify!($rate), " per second unless set otherwise.")]
                $name,
            )*
        }

        impl Operation {
            /// AWS's name for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The rate that holds unless another is set.
            #[must_use]
            pub const fn default_rate(self) -> Rate {
                let calls = match self { $(Self::$name => $rate,)* };
                Rate::per_second(match NonZeroU32::new(calls) {
                    Some(calls) => calls,
                    None => NonZeroU32::MIN,
                })
            }
        }
    };
}

operations! {
    StartAutomationExecution 1,
    GetAutomationExecution 3,
    DescribeAutomationExecutions 3,
    DescribeAutomationStepExecutions 3,
    ListCommands 5,
    ListCommandInvocations 5,
    DescribeInstancePatchStates 5,
    DescribeInstanceInformation 5,
    GetDocument 3,
    DescribeDocument 3,
    CreateDocument 1,
    UpdateDocument 1,
    UpdateDocumentDefaultVersion 1,
    ListGroupResources 5,
    SearchResources 5,
    AssumeRole 20,
    GetCallerIdentity 10,
    ListAccountsForParent 5,
    ListOrganizationalUnitsForParent 5,
    DescribeAccount 5,
    ListRegions 5,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How hard AWS is asked: a rate for each operation, kept apart for each account and Region as
/// AWS itself does, and a number of calls at once over all of them.
///
/// The defaults are those that AWS publishes for an account and a Region: StartAutomationExecution
/// 1 per second, Get… and Describe… of automations 3 per second (Systems Manager's quotas in the
/// AWS General Reference). It publishes none for the others; theirs are chosen to be gentle, since
/// a campaign shares them with everything else that runs in the account.
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: Self::DEFAULT_CONCURRENCY,
            rates: BTreeMap::new(),
        }
    }
}

impl Limits {
    /// Calls at once, unless another number is set: 32.
    pub const DEFAULT_CONCURRENCY: NonZeroUsize = match NonZeroUsize::new(32) {
        Some(n) => n,
        None => NonZeroUsize::MIN,
    };

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
