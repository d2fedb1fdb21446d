//! Documents: create, update, read, set the default version.

use super::{
    ApiError, Caller, Operation, Service,
    check::{self, Checks, given},
    input,
    time::WireTime,
};
use crate::world::{Document, DocumentVersion, World, document_name, parse_runbook};
use patchfleet_core::id::Location;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Bytes that a document may have.
const MAX_BYTES: usize = 64 * 1024;

input! {
    /// CreateDocument's input.
    CreateDocument {
        content: String,
        name: String,
        document_type: String,
        document_format: String,
        target_type: String,
        display_name: String,
        version_name: String,
        tags: Vec<Value>,
        requires: Vec<Value>,
        attachments: Vec<Value>,
    }
}

input! {
    /// UpdateDocument's input.
    UpdateDocument {
        content: String,
        name: String,
        document_version: String,
        document_format: String,
        target_type: String,
        display_name: String,
        version_name: String,
        attachments: Vec<Value>,
    }
}

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
    /// UpdateDocumentDefaultVersion's input.
    UpdateDocumentDefaultVersion {
        name: String,
        document_version: String,
    }
}

/// A document's description.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) hash: String,
    pub(crate) hash_type: &'static str,
    pub(crate) created_date: WireTime,
    pub(crate) status: &'static str,
    pub(crate) document_version: String,
    pub(crate) latest_version: String,
    pub(crate) default_version: String,
    pub(crate) document_type: String,
    pub(crate) schema_version: String,
    pub(crate) document_format: String,
    pub(crate) platform_types: Vec<&'static str>,
    pub(crate) tags: Vec<Value>,
}

/// What create and update answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Changed {
    pub(crate) document_description: Description,
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
    pub(crate) document_version: String,
    pub(crate) status: &'static str,
    pub(crate) content: String,
    pub(crate) document_type: String,
    pub(crate) document_format: String,
}

fn no_document(name: &str) -> ApiError {
    ApiError::client(
        "InvalidDocument",
        format!("Document with name {name} does not exist."),
    )
}

fn no_version(name: &str) -> ApiError {
    ApiError::client(
        "InvalidDocumentVersion",
        format!("The document {name} has no such version."),
    )
}

fn here(caller: &Caller) -> Location {
    Location::new(caller.account.clone(), caller.region.clone())
}

fn describe(
    name: &str,
    caller: &Caller,
    document: &Document,
    number: usize,
    version: &DocumentVersion,
) -> Description {
    Description {
        name: name.to_owned(),
        owner: caller.account.to_string(),
        hash: digest(&version.content),
        hash_type: "Sha256",
        created_date: version.created.into(),
        status: "Active",
        document_version: number.to_string(),
        latest_version: document.versions.len().to_string(),
        default_version: document.default_version.to_string(),
        document_type: document.kind.clone(),
        schema_version: version.runbook.schema_version.clone(),
        document_format: version.format.clone(),
        platform_types: vec!["Windows", "Linux", "MacOS"],
        tags: vec![],
    }
}

/// The content's SHA-256 in hexadecimal digits.
fn digest(content: &str) -> String {
    let digest = Sha256::digest(content.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn common(content: Option<&Option<String>>, name: &Option<String>, format: Option<&str>) -> Checks {
    let mut checks = Checks::default();
    if let Some(content) = content {
        checks.required("content", content);
        checks.text("content", content.as_deref(), 1..=usize::MAX);
    }
    checks.required("name", name);
    checks.one_of("documentFormat", format, &["YAML", "JSON", "TEXT"]);
    checks
}

fn read(content: &str, format: &str, world: &World) -> Result<DocumentVersion, ApiError> {
    if content.len() > MAX_BYTES {
        return Err(ApiError::client(
            "MaxDocumentSizeExceeded",
            "The size limit of a document is 64 KB.",
        ));
    }
    let runbook = parse_runbook(content, format)
        .map_err(|problem| ApiError::client("InvalidDocumentContent", problem))?;
    Ok(DocumentVersion {
        content: content.to_owned(),
        format: format.to_owned(),
        runbook,
        created: world.now,
    })
}

impl Operation for CreateDocument {
    type Output = Changed;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "CreateDocument";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Changed, ApiError> {
        let mut checks = common(Some(&self.content), &self.name, self.document_format.as_deref());
        checks.that(
            "name",
            self.name.as_deref(),
            check::is_document_name,
            "^[a-zA-Z0-9_\\-.]{3,128}$",
        );
        checks.done()?;
        let kind = self.document_type.unwrap_or_else(|| "Command".to_owned());
        if kind != "Automation" {
            return Err(ApiError::client(
                "InvalidDocumentContent",
                format!("The simulator keeps Automation documents, not {kind} documents."),
            ));
        }
        let (name, content) = (given(self.name), given(self.content));
        let version = read(&content, self.document_format.as_deref().unwrap_or("JSON"), world)?;
        let place = world.places.entry(here(caller)).or_default();
        if place.documents.contains_key(&name) {
            return Err(ApiError::client(
                "DocumentAlreadyExists",
                format!("The document {name} already exists."),
            ));
        }
        let document = Document {
            kind,
            versions: vec![version.clone()],
            default_version: 1,
            shared_with: std::collections::BTreeSet::new(),
        };
        let document_description = describe(&name, caller, &document, 1, &version);
        place.documents.insert(name, document);
        Ok(Changed { document_description })
    }
}

impl Operation for UpdateDocument {
    type Output = Changed;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "UpdateDocument";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Changed, ApiError> {
        let mut checks = common(Some(&self.content), &self.name, self.document_format.as_deref());
        checks.that(
            "name",
            self.name.as_deref(),
            check::is_document_name,
            "^[a-zA-Z0-9_\\-.]{3,128}$",
        );
        checks.that(
            "documentVersion",
            self.document_version.as_deref(),
            check::is_version,
            "([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)",
        );
        checks.done()?;
        let (name, content) = (given(self.name), given(self.content));
        let version = read(&content, self.document_format.as_deref().unwrap_or("JSON"), world)?;
        let document = world
            .places
            .get_mut(&here(caller))
            .and_then(|place| place.documents.get_mut(&name))
            .ok_or_else(|| no_document(&name))?;
        document
            .version(self.document_version.as_deref())
            .ok_or_else(|| no_version(&name))?;
        if document
            .versions
            .last()
            .is_some_and(|last| last.content == content)
        {
            return Err(ApiError::client(
                "DuplicateDocumentContent",
                "The content of the association document matches another document. Change the content of the document and try again.",
            ));
        }
        document.versions.push(version.clone());
        let document_description = describe(&name, caller, document, document.versions.len(), &version);
        Ok(Changed { document_description })
    }
}

fn find<'a>(world: &'a World, caller: &Caller, name: &str) -> Result<&'a Document, ApiError> {
    world
        .places
        .get(&here(caller))
        .and_then(|place| place.documents.get(&document_name(name)))
        .ok_or_else(|| no_document(name))
}

impl Operation for DescribeDocument {
    type Output = Described;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "DescribeDocument";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Described, ApiError> {
        let mut checks = common(None, &self.name, None);
        checks.that(
            "name",
            self.name.as_deref(),
            check::is_document_arn,
            "^[a-zA-Z0-9_\\-.:/]{3,128}$",
        );
        checks.that(
            "documentVersion",
            self.document_version.as_deref(),
            check::is_version,
            "([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)",
        );
        checks.done()?;
        let name = given(self.name);
        let document = find(world, caller, &name)?;
        let (number, version) = document
            .version(self.document_version.as_deref())
            .ok_or_else(|| no_version(&name))?;
        Ok(Described {
            document: describe(&document_name(&name), caller, document, number, version),
        })
    }
}

impl Operation for GetDocument {
    type Output = Content;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "GetDocument";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Content, ApiError> {
        let mut checks = common(None, &self.name, self.document_format.as_deref());
        checks.that(
            "name",
            self.name.as_deref(),
            check::is_document_arn,
            "^[a-zA-Z0-9_\\-.:/]{3,128}$",
        );
        checks.that(
            "documentVersion",
            self.document_version.as_deref(),
            check::is_version,
            "([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)",
        );
        checks.done()?;
        let name = given(self.name);
        let document = find(world, caller, &name)?;
        let (number, version) = document
            .version(self.document_version.as_deref())
            .ok_or_else(|| no_version(&name))?;
        Ok(Content {
            name: document_name(&name),
            created_date: version.created.into(),
            document_version: number.to_string(),
            status: "Active",
            content: version.content.clone(),
            document_type: document.kind.clone(),
            document_format: version.format.clone(),
        })
    }
}

impl Operation for UpdateDocumentDefaultVersion {
    type Output = Value;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "UpdateDocumentDefaultVersion";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let mut checks = common(None, &self.name, None);
        checks.that(
            "name",
            self.name.as_deref(),
            check::is_document_name,
            "^[a-zA-Z0-9_\\-.]{3,128}$",
        );
        checks.required("documentVersion", &self.document_version);
        checks.that(
            "documentVersion",
            self.document_version.as_deref(),
            check::is_number,
            "(^[1-9][0-9]*$)",
        );
        checks.done()?;
        let name = given(self.name);
        let document = world
            .places
            .get_mut(&here(caller))
            .and_then(|place| place.documents.get_mut(&name))
            .ok_or_else(|| no_document(&name))?;
        let (number, _) = document
            .version(self.document_version.as_deref())
            .ok_or_else(|| no_version(&name))?;
        document.default_version = number;
        Ok(json!({"Description": {"Name": name, "DefaultVersion": number.to_string()}}))
    }
}
