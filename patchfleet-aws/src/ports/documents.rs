//! [`Documents`] over Systems Manager, in the central account and Region.

use crate::Aws;
use crate::call::attempts::Attempts;
use crate::call::limits::Operation;
use crate::call::place::Place;
use crate::clients::unreadable;
use aws_sdk_ssm::types::{DocumentFormat, DocumentType};
use patchfleet_core::id::{DocumentName, Location};
use patchfleet_core::port::{BoxFuture, DocumentVersion, DocumentView, Documents, PortError, PortResult};

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
            let at = match at {
                Some(location) => location,
                None => self.clients.central().await?,
            };
            let client = self.clients.ssm(operation, &at).await?;
            // Without a format AWS gives the content as JSON, whatever it was uploaded as.
            let request = client
                .get_document()
                .name(name.as_str())
                .document_version(version.to_string());
            let place = Place::from(at);
            let answer = self
                .clients
                .call(operation, &place, || request.clone().send())
                .await?;
            match (answer.document_version, answer.content) {
                (Some(version), Some(content)) => Ok(DocumentView { version, content }),
                _ => Err(unreadable(operation, &place, "it has no version or no content")),
            }
        })
    }

    fn create(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<String>> {
        let name = name.clone();
        Box::pin(async move {
            let (operation, central) = (Operation::CreateDocument, self.clients.central().await?);
            let client = self.clients.ssm(operation, &central).await?;
            let (place, attempts) = (Place::from(central), Attempts::default());
            let request = client
                .create_document()
                .name(name.as_str())
                .content(content_json)
                .document_type(DocumentType::Automation)
                .document_format(DocumentFormat::Json);
            let send = || request.clone().customize().interceptor(attempts.clone()).send();
            let answer = self
                .clients
                .call_watched(operation, &place, send, Some(&attempts))
                .await?;
            answer
                .document_description
                .and_then(|document| document.document_version)
                .ok_or_else(|| no_version(operation, &place).maybe_sent())
        })
    }

    fn update(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        let name = name.clone();
        Box::pin(async move {
            let (operation, central) = (Operation::UpdateDocument, self.clients.central().await?);
            let client = self.clients.ssm(operation, &central).await?;
            let (place, attempts) = (Place::from(central), Attempts::default());
            let request = client
                .update_document()
                .name(name.as_str())
                .content(content_json)
                .document_format(DocumentFormat::Json)
                .document_version("$LATEST");
            let send = || request.clone().customize().interceptor(attempts.clone()).send();
            let answer = self
                .clients
                .call_watched(operation, &place, send, Some(&attempts))
                .await;
            match answer {
                Ok(answer) => answer
                    .document_description
                    .and_then(|document| document.document_version)
                    .map(Some)
                    .ok_or_else(|| no_version(operation, &place).maybe_sent()),
                // Also what a retry gets whose first attempt went through unheard.
                Err(failure) if failure.has_code("DuplicateDocumentContent") => Ok(None),
                Err(failure) => Err(failure.into()),
            }
        })
    }

    fn latest_version(&self, name: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        let name = name.clone();
        Box::pin(async move {
            let (operation, central) = (Operation::DescribeDocument, self.clients.central().await?);
            let client = self.clients.ssm(operation, &central).await?;
            let request = client.describe_document().name(name.as_str());
            let place = Place::from(central);
            let answer = self
                .clients
                .call(operation, &place, || request.clone().send())
                .await?;
            answer
                .document
                .and_then(|document| document.latest_version)
                .ok_or_else(|| no_version(operation, &place))
        })
    }

    fn set_default(&self, name: &DocumentName, version: &str) -> BoxFuture<'_, PortResult<()>> {
        let (name, version) = (name.clone(), version.to_owned());
        Box::pin(async move {
            let operation = Operation::UpdateDocumentDefaultVersion;
            let central = self.clients.central().await?;
            let client = self.clients.ssm(operation, &central).await?;
            let (place, attempts) = (Place::from(central), Attempts::default());
            let request = client
                .update_document_default_version()
                .name(name.as_str())
                .document_version(version);
            let send = || request.clone().customize().interceptor(attempts.clone()).send();
            self.clients
                .call_watched(operation, &place, send, Some(&attempts))
                .await?;
            Ok(())
        })
    }
}

fn no_version(operation: Operation, place: &Place) -> PortError {
    unreadable(operation, place, "it names no version")
}

#[cfg(test)]
mod tests;
