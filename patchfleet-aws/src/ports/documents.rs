//! [`Documents`] over Systems Manager, in the central account and Region.

use super::Aws;
use crate::call::{Operation, send};
use aws_sdk_ssm::types::{DocumentFormat, DocumentType};
use patchfleet_core::id::{DocumentName, Location};
use patchfleet_core::port::{BoxFuture, DocumentVersion, DocumentView, Documents, PortResult};

/// What is wrong with an answer that has to name a version.
const NO_VERSION: &str = "it names no version";

impl Documents for Aws {
    fn read(
        &self,
        at: Option<&Location>,
        name: &DocumentName,
        version: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>> {
        let (at, name) = (at.cloned(), name.clone());
        Box::pin(async move {
            let operation = Operation::GetDocument;
            let (call, ssm) = match at {
                Some(location) => self.clients.ssm(operation, &location).await?,
                None => self.clients.central_ssm(operation).await?,
            };
            // As JSON, however it was uploaded, since core reads YAML only with its feature `yaml`.
            let request = ssm
                .get_document()
                .name(name.as_str())
                .document_format(DocumentFormat::Json)
                .document_version(version.to_string());
            let answer = send!(call, request).await?;
            let view = answer
                .document_version
                .zip(answer.content)
                .map(|(version, content)| DocumentView { version, content });
            call.read(view.ok_or("it has no version or no content"))
        })
    }

    fn create(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<String>> {
        let name = name.clone();
        Box::pin(async move {
            let (call, ssm) = self.clients.central_ssm(Operation::CreateDocument).await?;
            let request = ssm
                .create_document()
                .name(name.as_str())
                .content(content_json)
                .document_type(DocumentType::Automation)
                .document_format(DocumentFormat::Json);
            let document = send!(call, request).await?.document_description;
            call.read(document.and_then(|of| of.document_version).ok_or(NO_VERSION))
        })
    }

    fn update(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        let name = name.clone();
        Box::pin(async move {
            let (call, ssm) = self.clients.central_ssm(Operation::UpdateDocument).await?;
            let request = ssm
                .update_document()
                .name(name.as_str())
                .content(content_json)
                .document_format(DocumentFormat::Json)
                .document_version("$LATEST");
            let document = match send!(call, request).await {
                Ok(answer) => answer.document_description,
                // A retry gets this answer, too, if the first attempt took effect and its answer was lost.
                Err(failure) if failure.has_code("DuplicateDocumentContent") => return Ok(None),
                Err(failure) => return Err(failure.into()),
            };
            let version = document.and_then(|of| of.document_version);
            call.read(version.map(Some).ok_or(NO_VERSION))
        })
    }

    fn latest_version(&self, name: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        let name = name.clone();
        Box::pin(async move {
            let (call, ssm) = self.clients.central_ssm(Operation::DescribeDocument).await?;
            let request = ssm.describe_document().name(name.as_str());
            let document = send!(call, request).await?.document;
            call.read(document.and_then(|of| of.latest_version).ok_or(NO_VERSION))
        })
    }

    fn set_default(&self, name: &DocumentName, version: &str) -> BoxFuture<'_, PortResult<()>> {
        let (name, version) = (name.clone(), version.to_owned());
        Box::pin(async move {
            let operation = Operation::UpdateDocumentDefaultVersion;
            let (call, ssm) = self.clients.central_ssm(operation).await?;
            let request = ssm
                .update_document_default_version()
                .name(name.as_str())
                .document_version(version);
            send!(call, request).await?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
