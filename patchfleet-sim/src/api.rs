//! AWS's operations on the world. Each has an input type, and an input is checked before anything
//! happens.
//!
//! Both fronts go through [`call`] or its typed form, so they answer alike and every call is recorded.

mod account;
mod alarms;
mod automation;
mod calendar;
mod call;
mod caller;
mod check;
mod commands;
mod documents;
mod executions;
mod gate;
mod groups;
mod instances;
mod invocations;
mod objects;
mod organizations;
mod page;
mod patches;
mod permissions;
mod resource;
mod send_command;
mod signals;
mod sts;
mod tagging;
mod time;
mod words;

pub use call::call;
pub use caller::{Caller, Principal};

pub(crate) use calendar::GetCalendarState;
pub(crate) use call::{Cut, fate_of, perform, perform_typed, refuse};
pub(crate) use gate::{Fate, fate, invalid_token};

pub(crate) use account::{ListRegions, RegionShape};
pub(crate) use alarms::DescribeAlarms;
pub(crate) use automation::{StartAutomationExecution, StopAutomationExecution};
pub(crate) use commands::{CommandFilter, CommandShape, ListCommands};
pub(crate) use documents::{
    CreateDocument, DescribeDocument, GetDocument, UpdateDocument, UpdateDocumentDefaultVersion,
};
pub(crate) use executions::{
    DescribeAutomationExecutions, DescribeAutomationStepExecutions, ExecutionShape, Filter,
    GetAutomationExecution, StepLocation, StepShape,
};
pub(crate) use groups::{Identifier, ListGroupResources, QueryErrorShape, ResourceQuery, SearchResources};
pub(crate) use instances::{DescribeInstanceInformation, InstanceFilter, InstanceShape};
pub(crate) use invocations::{GetCommandInvocation, InvocationShape, ListCommandInvocations};
pub(crate) use objects::{BUCKET_REGION, Listing, ObjectAnswer, ObjectCall, Only, object_call, object_fate};
pub(crate) use organizations::{
    AccountShape, DescribeAccount, ListAccounts, ListAccountsForParent, ListOrganizationalUnitsForParent,
    ListTagsForResource,
};
pub(crate) use patches::{DescribeInstancePatchStates, DescribeInstancePatches, PatchFilter};
pub(crate) use permissions::{DescribeDocumentPermission, ModifyDocumentPermission};
pub(crate) use send_command::{CancelCommand, SendCommand};
pub(crate) use sts::{AssumeRole, GetCallerIdentity};
pub(crate) use tagging::{GetResources, TagFilter};
pub(crate) use time::WireTime;

use crate::{error::ApiError, service::Service, world::World};
use call::{Act, act};
use serde::{Serialize, de::DeserializeOwned};

/// An operation: its input, and what it does.
pub(crate) trait Operation: Clone + Serialize + DeserializeOwned {
    /// What it answers.
    type Output: Serialize;
    /// Its service.
    const SERVICE: Service;
    /// Its name.
    const NAME: &'static str;

    /// Does it.
    fn run(self, world: &mut World, caller: &Caller) -> Result<Self::Output, ApiError>;
}

/// Defines an input whose members may all be left out. The model checks which are required, so that the
/// answer to a missing one is AWS's.
macro_rules! input {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub(crate) struct $name { $($(#[$field_meta])* pub(crate) $field: Option<$type>,)* }
    };
}
pub(crate) use input;

/// Lists the operations that there are, by service and name.
macro_rules! operations {
    ($($type:ty),* $(,)?) => {
        fn find(service: Service, operation: &str) -> Option<Act> {
            $(if service == <$type>::SERVICE && operation == <$type>::NAME { return Some(act::<$type>); })*
            None
        }

        /// Every operation that there is, with its service.
        #[must_use]
        pub fn operations() -> Vec<(Service, &'static str)> {
            vec![$((<$type>::SERVICE, <$type>::NAME)),*]
        }
    };
}

operations![
    automation::StartAutomationExecution,
    automation::StopAutomationExecution,
    signals::SendAutomationSignal,
    executions::GetAutomationExecution,
    executions::DescribeAutomationExecutions,
    executions::DescribeAutomationStepExecutions,
    commands::ListCommands,
    invocations::ListCommandInvocations,
    invocations::GetCommandInvocation,
    send_command::SendCommand,
    send_command::CancelCommand,
    instances::DescribeInstanceInformation,
    patches::DescribeInstancePatchStates,
    patches::DescribeInstancePatches,
    documents::CreateDocument,
    documents::UpdateDocument,
    documents::DescribeDocument,
    documents::GetDocument,
    documents::UpdateDocumentDefaultVersion,
    documents::DeleteDocument,
    documents::ListDocuments,
    documents::ListDocumentVersions,
    permissions::ModifyDocumentPermission,
    permissions::DescribeDocumentPermission,
    calendar::GetCalendarState,
    groups::ListGroupResources,
    groups::GetGroup,
    groups::GetGroupQuery,
    groups::ListGroups,
    groups::CreateGroup,
    groups::DeleteGroup,
    groups::SearchResources,
    tagging::GetResources,
    sts::AssumeRole,
    sts::GetCallerIdentity,
    organizations::DescribeOrganization,
    organizations::ListRoots,
    organizations::ListAccounts,
    organizations::ListAccountsForParent,
    organizations::ListOrganizationalUnitsForParent,
    organizations::DescribeAccount,
    organizations::DescribeOrganizationalUnit,
    organizations::ListChildren,
    organizations::ListTagsForResource,
    account::ListRegions,
    account::GetRegionOptStatus,
    alarms::DescribeAlarms,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ServiceModel;

    #[test]
    fn the_model_has_the_operations_that_are_answered_and_the_readme_lists_them() {
        let readme = include_str!("../README.md");
        let (_, listed) = readme.split_once("## Operations").unwrap();
        let (listed, _) = listed.split_once("\n## ").unwrap();
        let mut answered = operations();
        answered.sort_by_key(|(service, name)| (service.name(), *name));
        let mut modelled: Vec<(Service, &str)> = vec![];
        for service in Service::ALL {
            let names = ServiceModel::of(service).operations();
            modelled.extend(names.map(|name| (service, name)));
        }
        modelled.sort_by_key(|(service, name)| (service.name(), *name));
        assert_eq!(answered, modelled);
        for (_, name) in answered {
            let words = listed.split(|letter: char| !letter.is_ascii_alphanumeric());
            assert!(
                words.into_iter().any(|word| word == name),
                "README.md does not list {name}"
            );
        }
    }
}
