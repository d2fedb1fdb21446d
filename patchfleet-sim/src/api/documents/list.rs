//! ListDocuments: one's own documents, Amazon's, and those that others share.

use super::{owner, requires, shown_name, tags};
use crate::{
    api::{
        ApiError, Caller, Operation, Service,
        check::{given, page_size},
        executions::bad_token,
        input,
        page::{Grows, listing_here, page},
        time::WireTime,
    },
    world::{DocumentOwner, FoundDocument, Tag, World},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

input! {
    /// ListDocuments' input.
    ListDocuments {
        document_filter_list: Vec<OldFilter>,
        filters: Vec<KeyValues>,
        max_results: i64,
        next_token: String,
    }
}

/// A filter of the deprecated kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OldFilter {
    key: String,
    value: String,
}

/// A filter.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct KeyValues {
    key: String,
    values: Vec<String>,
}

/// What ListDocuments answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Documents {
    document_identifiers: Vec<IdentifierShape>,
    next_token: Option<String>,
}

/// A document, as it is listed: its default version.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct IdentifierShape {
    name: String,
    created_date: WireTime,
    display_name: Option<String>,
    owner: String,
    version_name: Option<String>,
    platform_types: Vec<&'static str>,
    document_version: String,
    document_type: &'static str,
    schema_version: Option<String>,
    document_format: &'static str,
    target_type: Option<String>,
    tags: Vec<Tag>,
    requires: Option<Vec<Value>>,
}

/// Whose documents are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Own,
    Amazon,
    /// Others', shared with this account by its id.
    Private,
    /// Others', shared with everybody.
    Public,
    /// Documents of sellers. There are none.
    ThirdParty,
}

impl Owner {
    fn named(name: &str) -> Result<Self, ApiError> {
        match name {
            "Self" => Ok(Self::Own),
            "Amazon" => Ok(Self::Amazon),
            "Private" => Ok(Self::Private),
            "Public" => Ok(Self::Public),
            "ThirdParty" => Ok(Self::ThirdParty),
            _ => Err(ApiError::client(
                "ValidationException",
                format!("{name} is none of Amazon, Private, Public, Self, ThirdParty."),
            )),
        }
    }
}

/// Every document that the caller may read, with its kind of owner as the caller sees it.
fn readable<'a>(world: &'a World, caller: &Caller) -> Vec<(Owner, FoundDocument<'a>)> {
    let mut all = vec![];
    for (location, name, document) in world.documents().all() {
        if location.region == caller.region {
            let own = *location == caller.location();
            let shared = document.shared_for(&caller.account);
            let owner = match shared {
                _ if own => Owner::Own,
                None => continue,
                Some(_) if document.shared_with.contains(caller.account.as_str()) => Owner::Private,
                Some(_) => Owner::Public,
            };
            all.push((
                owner,
                FoundDocument {
                    document,
                    owner: DocumentOwner::Account(location.account.clone()),
                    name: name.clone(),
                    said: None,
                    shared: shared.filter(|_| !own),
                },
            ));
        }
    }
    for (name, document) in world.documents().amazons() {
        all.push((
            Owner::Amazon,
            FoundDocument {
                document,
                owner: DocumentOwner::Amazon,
                name: name.clone(),
                said: None,
                shared: None,
            },
        ));
    }
    all.sort_by(|(_, one), (_, other)| {
        (&one.name, owner(&one.owner)).cmp(&(&other.name, owner(&other.owner)))
    });
    all
}

fn shape(found: &FoundDocument<'_>, caller: &Caller) -> Option<IdentifierShape> {
    let (number, version) = found.version(None, None)?;
    Some(IdentifierShape {
        name: shown_name(found, caller),
        created_date: version.created.into(),
        display_name: version.display_name.clone(),
        owner: owner(&found.owner),
        version_name: version.name.clone(),
        platform_types: version.about.platforms.clone(),
        document_version: number.to_string(),
        document_type: found.document.kind.name(),
        schema_version: version.about.schema_version.clone(),
        document_format: version.format.name(),
        target_type: version.target_type.clone(),
        tags: tags(found.document),
        requires: requires(found.document),
    })
}

/// Whether a document passes a filter that is not about its owner. The key is known.
fn passes(one: &IdentifierShape, found: &FoundDocument<'_>, filter: &KeyValues) -> bool {
    let is = |wanted: &dyn Fn(&str) -> bool| filter.values.iter().any(|value| wanted(value));
    if let Some(tag) = filter.key.strip_prefix("tag:") {
        let value = found.document.tags.get(tag);
        return value.is_some_and(|value| is(&|wanted| wanted == value));
    }
    match filter.key.as_str() {
        "Name" => is(&|prefix| one.name.starts_with(prefix)),
        "SearchKeyword" => {
            let name = one.name.to_ascii_lowercase();
            is(&|word| name.contains(&word.to_ascii_lowercase()))
        }
        "DocumentType" => is(&|kind| kind == one.document_type),
        "PlatformTypes" => is(&|wanted| one.platform_types.contains(&wanted)),
        "TargetType" => is(&|wanted| one.target_type.as_deref() == Some(wanted)),
        _ => true,
    }
}

const KEYS: [&str; 6] = [
    "Owner",
    "Name",
    "SearchKeyword",
    "DocumentType",
    "PlatformTypes",
    "TargetType",
];

impl Operation for ListDocuments {
    type Output = Documents;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "ListDocuments";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Documents, ApiError> {
        let old = given(self.document_filter_list).into_iter();
        let filters: Vec<KeyValues> = given(self.filters)
            .into_iter()
            .chain(old.map(|filter| KeyValues {
                key: filter.key,
                values: vec![filter.value],
            }))
            .collect();
        let mut wanted = None;
        for filter in &filters {
            if !filter.key.starts_with("tag:") && !KEYS.contains(&filter.key.as_str()) {
                return Err(ApiError::client(
                    "InvalidFilterKey",
                    format!("{} is not a key of this listing's filters.", filter.key),
                ));
            }
            if filter.key == "Owner" {
                let [owner] = filter.values.as_slice() else {
                    return Err(ApiError::client(
                        "ValidationException",
                        "Only one Owner can be specified in a request.",
                    ));
                };
                wanted = Some(Owner::named(owner)?);
            }
        }
        let documents: Vec<IdentifierShape> = readable(world, caller)
            .iter()
            .filter(|(owner, _)| match wanted {
                None => *owner != Owner::Public,
                Some(wanted) => *owner == wanted,
            })
            .filter_map(|(_, found)| Some((found, shape(found, caller)?)))
            .filter(|(found, one)| filters.iter().all(|filter| passes(one, found, filter)))
            .map(|(_, one)| one)
            .collect();
        let listing = listing_here("documents", caller, json!(filters));
        let (document_identifiers, next_token) = page(
            world,
            &listing,
            Grows::AtTheEnd,
            documents,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        Ok(Documents {
            document_identifiers,
            next_token,
        })
    }
}
