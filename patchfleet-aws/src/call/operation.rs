//! The operations of AWS that patchfleet calls, and the rate of each.

use super::rate::Rate;
use std::fmt;
use std::num::NonZeroU32;

/// Defines [`Operation`] and its table: service, variant, whether AWS publishes the rate, default calls
/// per second, and calls at once after a rest.
macro_rules! operations {
    ($($service:literal { $($name:ident $source:ident $rate:literal $(burst $burst:literal)?,)* })*) => {
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
                match self { $($(Self::$name => per_second($rate, 1 $(- 1 + $burst)?),)*)* }
            }

            /// Whether AWS publishes the default rate, as the most that an account gets in a Region. Where
            /// it does not, the default is one that was chosen to be gentle.
            #[must_use]
            pub const fn has_published_rate(self) -> bool {
                match self { $($(Self::$name => published!($source),)*)* }
            }
        }
    };
}

macro_rules! published {
    (Published) => {
        true
    };
    (Chosen) => {
        false
    };
}

const fn per_second(calls: u32, burst: u32) -> Rate {
    match (NonZeroU32::new(calls), NonZeroU32::new(burst)) {
        (Some(calls), Some(burst)) => Rate::per_second(calls).with_burst(burst),
        _ => Rate::per_second(NonZeroU32::MIN),
    }
}

operations! {
    // AWS General Reference, "AWS Systems Manager endpoints and quotas" (2026): "Service quotas for
    // Automation" and, for GetParameter (40, shared with GetParameters and GetParametersByPath), "for
    // Parameter Store". That page has no rate for Run Command, documents, nodes and patch states.
    "ssm" {
    StartAutomationExecution Published 1,
    StopAutomationExecution Published 1,
    GetAutomationExecution Published 3,
    DescribeAutomationExecutions Published 3,
    DescribeAutomationStepExecutions Published 3,
    GetParameter Published 40,
    SendCommand Chosen 5,
    CancelCommand Chosen 5,
    ListCommands Chosen 5,
    ListCommandInvocations Chosen 5,
    GetCommandInvocation Chosen 5,
    DescribeInstancePatchStates Chosen 5,
    DescribeInstancePatches Chosen 5,
    DescribeInstanceInformation Chosen 5,
    GetDocument Chosen 3,
    DescribeDocument Chosen 3,
    CreateDocument Chosen 1,
    UpdateDocument Chosen 1,
    UpdateDocumentDefaultVersion Chosen 1,
    DescribeDocumentPermission Chosen 3,
    GetCalendarState Chosen 3,
    ModifyDocumentPermission Chosen 1,
    }
    // Resource Groups publishes none.
    "resource-groups" {
    ListGroupResources Chosen 5,
    SearchResources Chosen 5,
    }
    // AWS General Reference, "AWS Resource Groups Tagging API endpoints and quotas" (2026).
    "tag" {
    GetResources Published 15,
    }
    // IAM User Guide, "IAM and AWS STS quotas" (2026): 600 a second for each account and Region, which
    // AssumeRole, GetCallerIdentity and others share. Only the caller's account counts. 100 roles at once and 500 a second
    // are never more than 600 in any second. Accounts become known by pages, and all of a page wait for their roles.
    "sts" {
    AssumeRole Published 500 burst 100,
    GetCallerIdentity Published 600,
    }
    // AWS Organizations User Guide, "Quotas and service limits" (2026): rate and burst for one account. An
    // organization as a whole gets a little more (ListAccounts 9, burst 15).
    "organizations" {
    ListAccounts Published 8 burst 12,
    ListAccountsForParent Published 5 burst 8,
    ListOrganizationalUnitsForParent Published 5 burst 8,
    DescribeAccount Published 20 burst 30,
    ListTagsForResource Published 10 burst 15,
    }
    // Amazon CloudWatch User Guide, "CloudWatch service quotas" (2026).
    "cloudwatch" {
    DescribeAlarms Published 9,
    }
    // AWS Account Management Reference Guide, "Quotas" (2026).
    "account" {
    ListRegions Published 5 burst 5,
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
                | Self::StopAutomationExecution
                | Self::SendCommand
                | Self::CancelCommand
                | Self::CreateDocument
                | Self::UpdateDocument
                | Self::UpdateDocumentDefaultVersion
                | Self::ModifyDocumentPermission
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
