//! AWS's operations over the world: one input type each, checked before anything happens.
//!
//! Both fronts go through [`call`] (or its typed form), so what they answer is the same and every
//! call is recorded.

mod account;
mod automation;
mod calendar;
mod caller;
mod check;
mod commands;
mod documents;
mod error;
mod executions;
mod groups;
mod instances;
mod organizations;
mod page;
mod permissions;
mod sts;
mod time;

pub use caller::{Caller, Principal};
pub use error::ApiError;

pub(crate) use account::{ListRegions, RegionShape};
pub(crate) use automation::StartAutomationExecution;
pub(crate) use commands::{InvocationShape, ListCommandInvocations, ListCommands};
pub(crate) use documents::{
    CreateDocument, DescribeDocument, GetDocument, UpdateDocument, UpdateDocumentDefaultVersion,
};
pub(crate) use executions::{
    DescribeAutomationExecutions, DescribeAutomationStepExecutions, ExecutionShape, Filter,
    GetAutomationExecution, StepShape,
};
pub(crate) use groups::{Identifier, ListGroupResources, QueryErrorShape, ResourceQuery, SearchResources};
pub(crate) use instances::{
    DescribeInstanceInformation, DescribeInstancePatchStates, InstanceFilter, InstanceShape,
};
pub(crate) use organizations::{
    AccountShape, DescribeAccount, ListAccountsForParent, ListOrganizationalUnitsForParent,
};
pub(crate) use sts::{AssumeRole, GetCallerIdentity};

use crate::{
    model::ServiceModel,
    world::{RequestRecord, World},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The services that are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Systems Manager.
    Ssm,
    /// Resource Groups.
    ResourceGroups,
    /// Security Token Service.
    Sts,
    /// Organizations.
    Organizations,
    /// Account Management.
    Account,
}

impl Service {
    /// The name with which its requests are signed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ssm => "ssm",
            Self::ResourceGroups => "resource-groups",
            Self::Sts => "sts",
            Self::Organizations => "organizations",
            Self::Account => "account",
        }
    }

    /// Whether it answers in one Region for all.
    fn is_global(self) -> bool {
        matches!(self, Self::Organizations | Self::Account)
    }
}

/// An operation: its input, and what it does.
pub(crate) trait Operation: Serialize + DeserializeOwned {
    /// What it answers.
    type Output: Serialize;
    /// Its service.
    const SERVICE: Service;
    /// Its name.
    const NAME: &'static str;

    /// Does it.
    fn run(self, world: &mut World, caller: &Caller) -> Result<Self::Output, ApiError>;
}

/// Defines an input, every member of which may be left out: what is required is checked by hand,
/// so that the answer is AWS's.
macro_rules! input {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub(crate) struct $name { $($(#[$field_meta])* pub(crate) $field: Option<$type>,)* }
    };
}
pub(crate) use input;

/// Calls an operation by its name, with its input and output as the JSON of the wire.
///
/// # Errors
///
/// What AWS would answer, also to an operation that is not there.
pub fn call(
    world: &mut World,
    caller: &Caller,
    service: Service,
    operation: &str,
    input: Value,
) -> Result<Value, ApiError> {
    let result = admit(world, caller, service).and_then(|()| {
        let act = find(service, operation).ok_or_else(|| ApiError::unknown_operation(service))?;
        check_model(service, operation, &input)?;
        act(world, caller, input.clone())
    });
    record(
        world,
        caller,
        service,
        operation,
        without_nulls(input),
        result.as_ref().err(),
    );
    result
}

/// Puts on record a call whose input could not be read, and gives its error back.
pub(crate) fn refuse(
    world: &mut World,
    caller: &Caller,
    service: Service,
    operation: &str,
    shown: Value,
    error: ApiError,
) -> Result<Value, ApiError> {
    record(world, caller, service, operation, shown, Some(&error));
    Err(error)
}

/// Calls an operation by its type.
pub(crate) fn call_typed<O: Operation>(
    world: &mut World,
    caller: &Caller,
    input: O,
) -> Result<O::Output, ApiError> {
    let shown = without_nulls(serde_json::to_value(&input).unwrap_or_default());
    let result = admit(world, caller, O::SERVICE).and_then(|()| {
        check_model(O::SERVICE, O::NAME, &shown)?;
        input.run(world, caller)
    });
    record(world, caller, O::SERVICE, O::NAME, shown, result.as_ref().err());
    result
}

/// A Region that does not exist, or that the account has not enabled, knows none of its keys.
fn admit(world: &World, caller: &Caller, service: Service) -> Result<(), ApiError> {
    if service.is_global() || world.org.is_enabled(&caller.account, &caller.region) {
        return Ok(());
    }
    Err(match service {
        Service::Sts => ApiError::new(
            403,
            "RegionDisabledException",
            format!(
                "STS is not activated in the requested region {} for account {}. Your account administrator can activate STS in this region using the IAM Console.",
                caller.region, caller.account
            ),
        ),
        _ => ApiError::new(
            400,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
    })
}

/// What the service's own model has against an input.
fn check_model(service: Service, operation: &str, input: &Value) -> Result<(), ApiError> {
    let violations = ServiceModel::of(service).check(operation, input);
    if violations.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(service, &violations))
}

fn record(
    world: &mut World,
    caller: &Caller,
    service: Service,
    operation: &str,
    input: Value,
    error: Option<&ApiError>,
) {
    let record = RequestRecord {
        principal_account: caller.origin.to_string(),
        principal: caller.arn(),
        account: caller.account.to_string(),
        region: caller.region.to_string(),
        service: service.name().to_owned(),
        operation: operation.to_owned(),
        input,
        status: error.map_or(200, ApiError::status),
        error: error.map(|error| error.code().to_owned()),
        time: world.now,
    };
    world.requests.push(record);
}

type Act = fn(&mut World, &Caller, Value) -> Result<Value, ApiError>;

fn act<O: Operation>(world: &mut World, caller: &Caller, input: Value) -> Result<Value, ApiError> {
    let unread = |error: String| {
        // The text may repeat the input, which may be megabytes.
        let words: String = error.chars().take(500).collect();
        ApiError::client("SerializationException", words)
    };
    let input: O = serde_json::from_value(input).map_err(|error| unread(error.to_string()))?;
    let output = input.run(world, caller)?;
    serde_json::to_value(output)
        .map(without_nulls)
        .map_err(|error| ApiError::new(500, "InternalServerError", error.to_string()))
}

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
    executions::GetAutomationExecution,
    executions::DescribeAutomationExecutions,
    executions::DescribeAutomationStepExecutions,
    commands::ListCommands,
    commands::ListCommandInvocations,
    commands::CancelCommand,
    instances::DescribeInstanceInformation,
    instances::DescribeInstancePatchStates,
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
    account::ListRegions,
    account::GetRegionOptStatus,
];

/// AWS leaves out what is not there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(entries) => entries
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
