//! The operations of AWS that patchfleet calls, and the rate of each.

use super::rate::Rate;
use std::fmt;
use std::num::NonZeroU32;

/// Defines [`Operation`] and its table: service, variant, AWS's name, default calls per second, and
/// calls at once after a rest.
macro_rules! operations {
    ($($service:literal { $($name:ident $rate:literal $(burst $burst:literal)?,)* })*) => {
        /// An operation of AWS that patchfleet calls.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $($(
                #[doc = concat!("`", stringify!($name), "`; ", stringify!($rate), " per second unless set otherwise.")]
                $name,
            )*)*
        }

        impl Operation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)*)*];

            /// AWS's name for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($(Self::$name => stringify!($name),)*)* }
            }

            /// The service that it belongs to, as IAM actions name it: `ssm`, `organizations`.
            #[must_use]
            pub const fn service(self) -> &'static str {
                match self { $($(Self::$name => $service,)*)* }
            }

            /// The rate that holds unless another is set.
            #[must_use]
            pub const fn default_rate(self) -> Rate {
                match self { $($(Self::$name => published($rate, 1 $(- 1 + $burst)?),)*)* }
            }
        }
    };
}

const fn published(calls: u32, burst: u32) -> Rate {
    match (NonZeroU32::new(calls), NonZeroU32::new(burst)) {
        (Some(calls), Some(burst)) => Rate::per_second(calls).with_burst(burst),
        _ => Rate::per_second(NonZeroU32::MIN),
    }
}

operations! {
    "ssm" {
    StartAutomationExecution 1,
    GetAutomationExecution 3,
    DescribeAutomationExecutions 3,
    DescribeAutomationStepExecutions 3,
    ListCommands 5,
    ListCommandInvocations 5,
    GetCommandInvocation 5,
    DescribeInstancePatchStates 5,
    DescribeInstanceInformation 5,
    GetDocument 3,
    GetParameter 40,
    DescribeDocument 3,
    CreateDocument 1,
    UpdateDocument 1,
    UpdateDocumentDefaultVersion 1,
    }
    "resource-groups" {
    ListGroupResources 5,
    SearchResources 5,
    }
    "sts" {
    AssumeRole 600,
    GetCallerIdentity 600,
    }
    "organizations" {
    ListAccountsForParent 5 burst 8,
    ListOrganizationalUnitsForParent 5 burst 8,
    DescribeAccount 20 burst 30,
    }
    "account" {
    ListRegions 5 burst 5,
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Operation {
    /// Whether it changes something in AWS. Such a call is made again only if no attempt of it may
    /// have taken effect.
    pub(crate) const fn changes(self) -> bool {
        matches!(
            self,
            Self::StartAutomationExecution
                | Self::CreateDocument
                | Self::UpdateDocument
                | Self::UpdateDocumentDefaultVersion
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_that_is_not_named_as_a_read_is_one_that_changes_something() {
        let reads = ["Get", "List", "Describe", "Search", "AssumeRole"];
        for operation in Operation::ALL {
            let is_read = reads.iter().any(|verb| operation.as_str().starts_with(verb));
            assert_eq!(operation.changes(), !is_read, "{operation}");
        }
    }
}
