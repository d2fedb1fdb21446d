//! Who else may read and run a document: ModifyDocumentPermission, DescribeDocumentPermission.

use super::{
    ApiError, Caller, Operation, Service,
    check::{given, page_size},
    documents::{no_document, own},
    executions::bad_token,
    input,
    page::{Grows, page},
};
use crate::world::{DocumentOwner, EVERYBODY, SharedVersion, World};
use serde::Serialize;
use serde_json::{Value, json};

/// The most accounts that one answer names. The model's `AccountIdList` holds no more.
const PAGE: usize = 20;

input! {
    /// ModifyDocumentPermission's input.
    ModifyDocumentPermission {
        name: String,
        permission_type: String,
        account_ids_to_add: Vec<String>,
        account_ids_to_remove: Vec<String>,
        shared_document_version: String,
    }
}

input! {
    /// DescribeDocumentPermission's input.
    DescribeDocumentPermission {
        name: String,
        permission_type: String,
        max_results: i64,
        next_token: String,
    }
}

/// What DescribeDocumentPermission answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Permissions {
    account_ids: Vec<String>,
    account_sharing_info_list: Vec<Sharing>,
    pub(crate) next_token: Option<String>,
}

impl Permissions {
    /// Each with whom it is shared, and in which versions.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.account_sharing_info_list.iter();
        all.map(|one| (one.account_id.as_str(), one.shared_document_version))
    }
}

/// Which versions an account may read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Sharing {
    account_id: String,
    shared_document_version: &'static str,
}

/// `All` may be written in any case.
fn accounts(given: Option<Vec<String>>) -> Vec<String> {
    let plain = |id: String| {
        if id.eq_ignore_ascii_case(EVERYBODY) {
            EVERYBODY.to_owned()
        } else {
            id
        }
    };
    given.unwrap_or_default().into_iter().map(plain).collect()
}

impl Operation for ModifyDocumentPermission {
    type Output = Value;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "ModifyDocumentPermission";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let name = given(self.name);
        let (quotas, location) = (world.rules().quotas.clone(), caller.location());
        let others = world
            .documents()
            .at(&location)
            .filter(|(other, _)| **other != name);
        let elsewhere = others
            .filter(|(_, document)| document.shared_with.contains(EVERYBODY))
            .count();
        let document = own(world, caller, &name)?;
        let (add, remove) = (
            accounts(self.account_ids_to_add),
            accounts(self.account_ids_to_remove),
        );
        if add.is_empty() && remove.is_empty() {
            return Err(ApiError::client(
                "ValidationException",
                "Either AccountIdsToAdd or AccountIdsToRemove says whose permission changes.",
            ));
        }
        let both = |ids: &[String]| ids.len() > 1 && ids.iter().any(|id| id == EVERYBODY);
        if both(&remove) {
            return Err(ApiError::client(
                "DocumentPermissionLimit",
                "Accounts can either be all or a group of AWS accounts",
            ));
        }
        let mut changed = document.clone();
        let version = SharedVersion::named(self.shared_document_version.as_deref());
        // Removing has priority over adding.
        for account in add.iter().filter(|account| !remove.contains(account)) {
            changed.share(account, version);
        }
        for account in &remove {
            changed.unshare(account);
        }
        let is_public = changed.shared_with.contains(EVERYBODY);
        let private = changed.shared_with.len() - usize::from(is_public);
        if private > quotas.document_shares {
            return Err(ApiError::client(
                "DocumentPermissionLimit",
                format!(
                    "The document {name} cannot be shared with more than {} accounts.",
                    quotas.document_shares
                ),
            ));
        }
        if is_public && elsewhere >= quotas.public_documents {
            return Err(ApiError::client(
                "DocumentPermissionLimit",
                format!(
                    "No more than {} documents can be shared publicly.",
                    quotas.public_documents
                ),
            ));
        }
        *document = changed;
        Ok(json!({}))
    }
}

impl Operation for DescribeDocumentPermission {
    type Output = Permissions;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "DescribeDocumentPermission";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Permissions, ApiError> {
        let name = given(self.name);
        let location = caller.location();
        let found = world
            .find_document(&location, &name)
            .ok_or_else(|| no_document(&name))?;
        match &found.owner {
            DocumentOwner::Account(account) if *account == caller.account => (),
            _ => {
                return Err(ApiError::client(
                    "InvalidDocumentOperation",
                    format!("Only the owner of the document {name} may see its permissions."),
                ));
            }
        }
        let document = found.document;
        let version = |account: &String| {
            document
                .shared_versions
                .get(account)
                .copied()
                .unwrap_or(SharedVersion::Default)
        };
        let sharing: Vec<Sharing> = document
            .shared_with
            .iter()
            .map(|account| Sharing {
                account_id: account.clone(),
                shared_document_version: version(account).name(),
            })
            .collect();
        let (sharing, next_token) = page(
            world,
            &format!("permissions/{location}/{name}"),
            Grows::AtTheEnd,
            sharing,
            page_size(self.max_results, PAGE).min(PAGE),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        Ok(Permissions {
            account_ids: sharing.iter().map(|one| one.account_id.clone()).collect(),
            account_sharing_info_list: sharing,
            next_token,
        })
    }
}
