//! Documents: create, update, delete, set the default version. [`read`] reads them, and [`list`] lists
//! them.

mod list;
mod read;

pub(crate) use list::ListDocuments;
pub(crate) use read::{DescribeDocument, GetDocument, ListDocumentVersions};

use super::{ApiError, Caller, Operation, Service, check::given, input, time::WireTime};
use crate::world::Tag;
use crate::{
    spec::DocumentKind,
    world::{
        Document, DocumentFormat, DocumentOwner, DocumentRefusal, DocumentVersion, FoundDocument,
        ParameterAbout, World, after,
    },
};
use serde::Serialize;
use serde_json::{Value, json};

/// Bytes that a document may have.
const MAX_BYTES: usize = 64 * 1024;

/// How the names of Amazon's own documents begin, whatever their case.
const RESERVED: [&str; 3] = ["aws", "amazon", "amzn"];

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
        tags: Vec<Tag>,
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
    /// UpdateDocumentDefaultVersion's input.
    UpdateDocumentDefaultVersion {
        name: String,
        document_version: String,
    }
}

input! {
    /// DeleteDocument's input.
    DeleteDocument {
        name: String,
        document_version: String,
        version_name: String,
        force: bool,
    }
}

/// A document's description.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) display_name: Option<String>,
    pub(crate) version_name: Option<String>,
    pub(crate) owner: String,
    pub(crate) hash: String,
    pub(crate) hash_type: &'static str,
    pub(crate) created_date: WireTime,
    pub(crate) status: &'static str,
    pub(crate) document_version: String,
    pub(crate) latest_version: String,
    pub(crate) default_version: String,
    pub(crate) description: Option<String>,
    pub(crate) parameters: Option<Vec<ParameterAbout>>,
    pub(crate) document_type: &'static str,
    pub(crate) schema_version: Option<String>,
    pub(crate) document_format: &'static str,
    pub(crate) target_type: Option<String>,
    pub(crate) platform_types: Vec<&'static str>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) requires: Option<Vec<Value>>,
}

/// What create and update answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Changed {
    pub(crate) document_description: Description,
}

pub(super) fn no_document(name: &str) -> ApiError {
    ApiError::client(
        "InvalidDocument",
        format!("Document with name {name} does not exist."),
    )
}

/// Whether only Amazon's own documents may have this name.
pub(super) fn is_reserved(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    RESERVED.iter().any(|prefix| lower.starts_with(prefix))
}

fn no_version(name: &str) -> ApiError {
    ApiError::client(
        "InvalidDocumentVersion",
        format!("The document {name} has no such version."),
    )
}

fn not_possible(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidDocumentOperation", message)
}

fn unsettled(name: &str) -> String {
    format!("The document {name} is being created or updated. Try again when it is Active.")
}

/// The document of one's own that `name` means, to be changed.
pub(super) fn own<'a>(
    world: &'a mut World,
    caller: &Caller,
    name: &str,
) -> Result<&'a mut Document, ApiError> {
    let document = world.documents_mut().get_mut(&caller.location(), name);
    document.ok_or_else(|| no_document(name))
}

/// Refuses a change of one of Amazon's documents.
fn refuse_amazons(world: &World, caller: &Caller, name: &str) -> Result<(), ApiError> {
    let found = world.find_document(&caller.location(), name);
    if found.is_some_and(|found| found.owner == DocumentOwner::Amazon) {
        return Err(not_possible(format!("The document {name} is Amazon's.")));
    }
    Ok(())
}

fn owner(owner: &DocumentOwner) -> String {
    match owner {
        DocumentOwner::Amazon => "Amazon".to_owned(),
        DocumentOwner::Account(account) => account.to_string(),
    }
}

/// How a document is named to `caller`: another account's by its ARN.
fn shown_name(found: &FoundDocument<'_>, caller: &Caller) -> String {
    match &found.owner {
        DocumentOwner::Account(account) if *account != caller.account => {
            let region = &caller.region;
            format!(
                "arn:{}:ssm:{region}:{account}:document/{}",
                region.partition(),
                found.name
            )
        }
        _ => found.name.clone(),
    }
}

fn tags(document: &Document) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| Tag {
        key: key.clone(),
        value: value.clone(),
    };
    document.tags.iter().map(tag).collect()
}

fn requires(document: &Document) -> Option<Vec<Value>> {
    (!document.requires.is_empty()).then(|| document.requires.clone())
}

fn describe(
    name: String,
    owner: String,
    document: &Document,
    number: usize,
    version: &DocumentVersion,
    status: &'static str,
) -> Description {
    let about = &version.about;
    Description {
        name,
        display_name: version.display_name.clone(),
        version_name: version.name.clone(),
        owner,
        hash: digest(&version.content),
        hash_type: "Sha256",
        created_date: version.created.into(),
        status,
        document_version: number.to_string(),
        latest_version: document.latest().to_string(),
        default_version: document.default_version.to_string(),
        description: about.description.clone(),
        parameters: (!about.parameters.is_empty()).then(|| about.parameters.clone()),
        document_type: document.kind.name(),
        schema_version: about.schema_version.clone(),
        document_format: version.format.name(),
        target_type: version.target_type.clone(),
        platform_types: about.platforms.clone(),
        tags: tags(document),
        requires: requires(document),
    }
}

/// The content's SHA-256 in hexadecimal digits.
fn digest(content: &str) -> String {
    let digest = hmac_sha256::Hash::hash(content.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A new version, made now.
fn read(
    world: &World,
    content: String,
    kind: DocumentKind,
    format: Option<&str>,
    attachments: Option<&[Value]>,
) -> Result<DocumentVersion, ApiError> {
    if attachments.is_some_and(|attachments| !attachments.is_empty()) {
        return Err(ApiError::client(
            "ValidationException",
            "The simulator keeps no attachments.",
        ));
    }
    if content.len() > MAX_BYTES {
        return Err(ApiError::client(
            "MaxDocumentSizeExceeded",
            "The size limit of a document is 64 KB.",
        ));
    }
    let format = DocumentFormat::named(format);
    let version =
        DocumentVersion::read(content, kind, format, world.now()).map_err(|refusal| match refusal {
            DocumentRefusal::Content(problem) => ApiError::client("InvalidDocumentContent", problem),
            DocumentRefusal::Schema(problem) => ApiError::client("InvalidDocumentSchemaVersion", problem),
        })?;
    Ok(DocumentVersion {
        active_from: after(world.now(), world.rules().document_settle),
        ..version
    })
}

impl Operation for CreateDocument {
    type Output = Changed;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "CreateDocument";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Changed, ApiError> {
        let name = given(self.name);
        if is_reserved(&name) {
            let message = format!("The document name {name} begins as only Amazon's own may.");
            return Err(ApiError::client("ValidationException", message));
        }
        let kind = self.document_type.as_deref().unwrap_or("Command");
        let kind = DocumentKind::named(kind).ok_or_else(|| {
            ApiError::client(
                "InvalidDocumentContent",
                format!("The simulator keeps no {kind} documents."),
            )
        })?;
        let version = DocumentVersion {
            name: self.version_name,
            display_name: self.display_name,
            target_type: self.target_type,
            ..read(
                world,
                given(self.content),
                kind,
                self.document_format.as_deref(),
                self.attachments.as_deref(),
            )?
        };
        let most = world.rules().quotas.documents;
        let (location, documents) = (caller.location(), world.documents_mut());
        if documents.get(&location, &name).is_some() {
            return Err(ApiError::client(
                "DocumentAlreadyExists",
                format!("The document {name} already exists."),
            ));
        }
        if documents.at(&location).count() >= most {
            return Err(ApiError::client(
                "DocumentLimitExceeded",
                format!("You can have at most {most} active SSM documents."),
            ));
        }
        let tags = given(self.tags).into_iter().map(|tag| (tag.key, tag.value));
        let document = Document {
            tags: tags.collect(),
            requires: given(self.requires),
            ..Document::new(kind, version.clone())
        };
        let account = caller.account.to_string();
        let document_description = describe(name.clone(), account, &document, 1, &version, "Creating");
        documents.insert(&location, name, document);
        Ok(Changed { document_description })
    }
}

impl Operation for UpdateDocument {
    type Output = Changed;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "UpdateDocument";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Changed, ApiError> {
        let name = given(self.name);
        refuse_amazons(world, caller, &name)?;
        let kind = own(world, caller, &name)?.kind;
        let format = self.document_format.as_deref();
        let version = read(
            world,
            given(self.content),
            kind,
            format,
            self.attachments.as_deref(),
        )?;
        let (now, most) = (world.now(), world.rules().quotas.document_versions);
        let document = own(world, caller, &name)?;
        if document.is_settling(now) {
            return Err(not_possible(unsettled(&name)));
        }
        // Only the latest version can be updated, by its number or by this name. Recorded: no version and
        // $DEFAULT are refused, whatever the default is.
        let wanted = self
            .document_version
            .as_deref()
            .filter(|wanted| *wanted != "$DEFAULT");
        let wanted = wanted.ok_or_else(|| no_version(&name))?;
        let latest = document
            .version(Some(wanted))
            .filter(|(number, _)| *number == document.latest())
            .map(|(_, version)| version.clone())
            .ok_or_else(|| no_version(&name))?;
        if latest.content == version.content {
            return Err(ApiError::client(
                "DuplicateDocumentContent",
                "The content of the association document matches another document. Change the content of the document and try again.",
            ));
        }
        let mut names = document.versions.values().map(|one| &one.name);
        if self.version_name.is_some() && names.any(|name| *name == self.version_name) {
            return Err(ApiError::client(
                "DuplicateDocumentVersionName",
                "The version name has already been used in this document. Specify a different version name, and then try again.",
            ));
        }
        if document.versions.len() >= most {
            return Err(ApiError::client(
                "DocumentVersionLimitExceeded",
                "The document has too many versions. Delete one or more document versions and try again.",
            ));
        }
        let version = DocumentVersion {
            name: self.version_name,
            display_name: self.display_name.or(latest.display_name),
            target_type: self.target_type.or(latest.target_type),
            ..version
        };
        let number = document.add(version.clone());
        let account = caller.account.to_string();
        let document_description = describe(name, account, document, number, &version, "Updating");
        Ok(Changed { document_description })
    }
}

impl Operation for UpdateDocumentDefaultVersion {
    type Output = Value;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "UpdateDocumentDefaultVersion";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let name = given(self.name);
        let document = own(world, caller, &name)?;
        let (number, version) = document
            .version(self.document_version.as_deref())
            .ok_or_else(|| no_version(&name))?;
        let version_name = version.name.clone();
        document.default_version = number;
        Ok(json!({"Description": {
            "Name": name,
            "DefaultVersion": number.to_string(),
            "DefaultVersionName": version_name,
        }}))
    }
}

impl Operation for DeleteDocument {
    type Output = Value;
    const SERVICE: Service = Service::Ssm;
    const NAME: &'static str = "DeleteDocument";

    fn run(self, world: &mut World, caller: &Caller) -> Result<Value, ApiError> {
        let name = given(self.name);
        refuse_amazons(world, caller, &name)?;
        let now = world.now();
        let document = own(world, caller, &name)?;
        if !document.shared_with.is_empty() {
            return Err(not_possible("Must unshare document first before delete"));
        }
        if document.is_settling(now) {
            return Err(ApiError::client("TooManyUpdates", unsettled(&name)));
        }
        if self.document_version.is_none() && self.version_name.is_none() {
            world.documents_mut().remove(&caller.location(), &name);
            return Ok(json!({}));
        }
        let found = FoundDocument {
            document,
            owner: DocumentOwner::Account(caller.account.clone()),
            name: name.clone(),
            said: None,
            shared: None,
        };
        let (number, _) = found
            .version(self.document_version.as_deref(), self.version_name.as_deref())
            .ok_or_else(|| no_document(&name))?;
        if number == document.default_version {
            return Err(not_possible(format!(
                "Version {number} is the default version of {name}, which is deleted with the document only."
            )));
        }
        document.versions.remove(&number);
        Ok(json!({}))
    }
}
