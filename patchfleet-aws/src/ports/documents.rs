//! [`Documents`] over Systems Manager, in the central account and Region, or in another Region of that account.

use super::Aws;
use crate::call::{Call, Operation, Unreadable, send, token};
use aws_sdk_ssm::types::{CalendarState, DocumentFormat, DocumentPermissionType, DocumentType};
use jiff::Timestamp;
use patchfleet_core::id::{AccountId, DocumentName, Location, Region};
use patchfleet_core::port::{
    BoxFuture, CalendarsView, DocumentVersion, DocumentView, Documents, Page, PageToken, PortResult, Share,
    ShareWith, SharedVersion,
};
use std::sync::Arc;

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
                None => self.home_ssm(operation).await?,
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
            let (call, ssm) = self.home_ssm(Operation::CreateDocument).await?;
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
            let (call, ssm) = self.home_ssm(Operation::UpdateDocument).await?;
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
            let (call, ssm) = self.home_ssm(Operation::DescribeDocument).await?;
            let request = ssm.describe_document().name(name.as_str());
            let document = send!(call, request).await?.document;
            call.read(document.and_then(|of| of.latest_version).ok_or(NO_VERSION))
        })
    }

    fn set_default(&self, name: &DocumentName, version: &str) -> BoxFuture<'_, PortResult<()>> {
        let (name, version) = (name.clone(), version.to_owned());
        Box::pin(async move {
            let operation = Operation::UpdateDocumentDefaultVersion;
            let (call, ssm) = self.home_ssm(operation).await?;
            let request = ssm
                .update_document_default_version()
                .name(name.as_str())
                .document_version(version);
            send!(call, request).await?;
            Ok(())
        })
    }

    fn in_region(&self, region: &Region) -> Option<Arc<dyn Documents>> {
        Some(Arc::new(Self {
            clients: Arc::clone(&self.clients),
            documents_in: Some(region.clone()),
        }))
    }

    fn calendars(&self, names: &[DocumentName]) -> BoxFuture<'_, PortResult<CalendarsView>> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        Box::pin(async move {
            let (call, ssm) = self.home_ssm(Operation::GetCalendarState).await?;
            let request = ssm.get_calendar_state().set_calendar_names(Some(names));
            let answer = send!(call, request).await?;
            let are_open = match answer.state {
                Some(CalendarState::Open) => Ok(true),
                Some(CalendarState::Closed) => Ok(false),
                _ => Err("it does not say whether the calendars are open"),
            };
            call.read(are_open.map(|are_open| CalendarsView {
                are_open,
                changes_at: answer.next_transition_time.as_deref().and_then(read_time),
            }))
        })
    }

    fn shares(&self, name: &DocumentName, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<Share>>> {
        let name = name.clone();
        Box::pin(async move {
            let (call, ssm) = self.home_ssm(Operation::DescribeDocumentPermission).await?;
            let request = ssm
                .describe_document_permission()
                .name(name.as_str())
                .permission_type(DocumentPermissionType::Share)
                .set_next_token(token(page));
            let answer = send!(call, request).await?;
            let told = answer.account_sharing_info_list();
            let is_told = |id: &&String| told.iter().any(|one| one.account_id() == Some(id.as_str()));
            let untold = answer.account_ids().iter().filter(|id| !is_told(id));
            let told = told
                .iter()
                .map(|one| (one.account_id(), one.shared_document_version()));
            let all = told.chain(untold.map(|id| (Some(id.as_str()), None)));
            call.page(
                all.map(|(id, version)| read_share(id, version)),
                answer.next_token(),
            )
        })
    }

    fn share(
        &self,
        name: &DocumentName,
        accounts: &[AccountId],
        version: SharedVersion,
    ) -> BoxFuture<'_, PortResult<()>> {
        let (name, accounts) = (name.clone(), accounts.to_vec());
        Box::pin(async move {
            let (call, ssm) = self.home_ssm(Operation::ModifyDocumentPermission).await?;
            let accounts = accounts.iter().map(ToString::to_string).collect();
            let request = ssm
                .modify_document_permission()
                .name(name.as_str())
                .permission_type(DocumentPermissionType::Share)
                .set_account_ids_to_add(Some(accounts))
                .shared_document_version(version.as_str());
            send!(call, request).await?;
            Ok(())
        })
    }
}

impl Aws {
    /// Begins a call in the central account, and in the Region whose documents these are.
    async fn home_ssm(&self, operation: Operation) -> PortResult<(Call, aws_sdk_ssm::Client)> {
        let central = self.clients.signers.central().await?;
        let region = self.documents_in.clone().unwrap_or(central.region);
        self.clients
            .ssm(operation, &Location::new(central.account, region))
            .await
    }
}

/// A time as AWS writes it, in ISO 8601. It is only used to ask again sooner, so one that cannot be read counts as none.
fn read_time(text: &str) -> Option<Timestamp> {
    let civil = || {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        civil
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    };
    text.parse().ok().or_else(civil)
}

/// One with whom a document is shared. AWS says `all` for everybody.
fn read_share(id: Option<&str>, version: Option<&str>) -> Result<Share, Unreadable> {
    let id = id.unwrap_or_default();
    let with = if id.eq_ignore_ascii_case("all") {
        ShareWith::Everybody
    } else {
        ShareWith::Account(id.parse()?)
    };
    let version = SharedVersion::of(version).ok_or("it is shared in versions of an unknown kind")?;
    Ok(Share { with, version })
}

#[cfg(test)]
mod tests;
