//! One document: DescribeDocument, GetDocument, ListDocumentVersions.

use super::{Description, describe, no_document, no_version, owner, requires, shown_name};
use crate::{
    api::{
        ApiError, Caller, Operation, Service,
        check::{given, page_size},
        executions::bad_token,
        input,
        page::{Grows, listing_here, page_of_some},
        time::WireTime,
    },
    world::{DocumentFormat, DocumentVersion, FoundDocument, World, convert},
};
use serde::Serialize;
use serde_json::Value;

input! {
    /// DescribeDocument's input.
    DescribeDocument {
        name: String,
        document_version: String,
        version_name: String,
    }
}

input! {
    /// GetDocument's input.
    GetDocument {
        name: String,
        version_name: String,
        document_version: String,
        document_format: String,
    }
}

input! {
    /// ListDocumentVersions' input.
    ListDocumentVersions {
        name: String,
        max_results: i64,
        next_token: String,
    }
}

/// What DescribeDocument answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Described {
    pub(crate) document: Description,
}

/// What GetDocument answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) created_date: WireTime,
    pub(crate) display_name: Option<String>,
    pub(crate) version_name: Option<String>,
    pub(crate) document_version: String,
    pub(crate) status: &'static str,
    pub(crate) content: String,
    pub(crate) document_type: &'static str,
    pub(crate) document_format: &'static str,
    pub(crate) requires: Option<Vec<Value>>,
}

/// What ListDocumentVersions answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Versions {
    document_versions: Vec<VersionShape>,
    next_token: Option<String>,
}

/// A version, as it is listed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct VersionShape {
    name: String,
    display_name: Option<String>,
    document_version: String,
    version_name: Option<String>,
    created_date: WireTime,
    is_default_version: bool,
    document_format: &'static str,
    status: &'static str,
}

fn find<'a>(world: &'a World, caller: &Caller, name: &str) -> Result<FoundDocument<'a>, ApiError> {
    world
        .find_document(&caller.location(), name)
        .ok_or_else(|| no_document(name))
}

impl Operation for DescribeDocument {
    type Output = Described;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "DescribeDocument";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Described, ApiError> {
        let name = given(self.name);
        let found = find(world, caller, &name)?;
        let (number, version) = found
            .version(self.document_version.as_deref(), self.version_name.as_deref())
            .ok_or_else(|| no_version(&name))?;
        let status = found.document.status(number, world.now());
        let (name, owner) = (shown_name(&found, caller), owner(&found.owner));
        Ok(Described {
            document: describe(name, owner, found.document, number, version, status),
        })
    }
}

/// The content in the wanted format, by default JSON. Content that cannot be converted comes as it is.
fn in_format(version: &DocumentVersion, wanted: Option<&str>) -> (String, DocumentFormat) {
    let wanted = DocumentFormat::named(wanted);
    let converted = (wanted != version.format)
        .then(|| convert(&version.content, version.format, wanted))
        .flatten();
    match converted {
        Some(content) => (content, wanted),
        None => (version.content.clone(), version.format),
    }
}

impl Operation for GetDocument {
    type Output = Content;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "GetDocument";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Content, ApiError> {
        let name = given(self.name);
        let found = find(world, caller, &name)?;
        let (number, version) = found
            .version(self.document_version.as_deref(), self.version_name.as_deref())
            .ok_or_else(|| no_version(&name))?;
        let (content, format) = in_format(version, self.document_format.as_deref());
        Ok(Content {
            name: shown_name(&found, caller),
            created_date: version.created.into(),
            display_name: version.display_name.clone(),
            version_name: version.name.clone(),
            document_version: number.to_string(),
            status: found.document.status(number, world.now()),
            content,
            document_type: found.document.kind.name(),
            document_format: format.name(),
            requires: requires(found.document),
        })
    }
}

impl Operation for ListDocumentVersions {
    type Output = Versions;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "ListDocumentVersions";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Versions, ApiError> {
        let found = find(world, caller, &given(self.name))?;
        let document = found.document;
        let shape = |(&number, version): (&usize, &DocumentVersion)| VersionShape {
            name: found.name.clone(),
            display_name: version.display_name.clone(),
            document_version: number.to_string(),
            version_name: version.name.clone(),
            created_date: version.created.into(),
            is_default_version: number == document.default_version,
            document_format: version.format.name(),
            status: document.status(number, world.now()),
        };
        let versions = document.versions.iter().rev();
        let versions: Vec<VersionShape> = versions
            .filter(|(number, _)| found.may_read(**number))
            .map(shape)
            .collect();
        let listing = listing_here("versions", caller, shown_name(&found, caller));
        let (document_versions, next_token) = page_of_some(
            world,
            &listing,
            Grows::AtTheFront,
            versions,
            page_size(self.max_results, 50),
            self.next_token.as_deref(),
        )
        .ok_or_else(bad_token)?;
        Ok(Versions {
            document_versions,
            next_token,
        })
    }
}
