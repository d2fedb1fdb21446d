//! The runbook's home.

use super::{At, MemoryPorts, token, unreadable};
use crate::api::{
    CreateDocument, DescribeDocument, DescribeDocumentPermission, GetCalendarState, GetDocument,
    ModifyDocumentPermission, UpdateDocument, UpdateDocumentDefaultVersion,
};
use patchfleet_core::{
    id::{AccountId, DocumentName, Location, Region},
    port::{
        BoxFuture, CalendarsView, DocumentVersion, DocumentView, Documents, Page, PageToken, PortResult,
        Share, ShareWith, SharedVersion,
    },
};
use std::{
    error::Error,
    sync::{Arc, Mutex},
};

impl Documents for MemoryPorts {
    fn read(
        &self,
        at: Option<&Location>,
        name: &DocumentName,
        version: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>> {
        let at = at.cloned().map_or(At::Central, At::Location);
        let input = GetDocument {
            name: Some(name.to_string()),
            document_version: Some(version.to_string()),
            ..GetDocument::default()
        };
        Box::pin(async {
            let document = self.call(at, input).await?;
            Ok(DocumentView {
                version: document.document_version,
                content: document.content,
            })
        })
    }

    fn create(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<String>> {
        let input = CreateDocument {
            name: Some(name.to_string()),
            content: Some(content_json),
            document_type: Some("Automation".to_owned()),
            document_format: Some("JSON".to_owned()),
            ..CreateDocument::default()
        };
        Box::pin(async {
            Ok(self
                .call(At::Central, input)
                .await?
                .document_description
                .document_version)
        })
    }

    fn update(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        let input = UpdateDocument {
            name: Some(name.to_string()),
            content: Some(content_json),
            document_version: Some("$LATEST".to_owned()),
            document_format: Some("JSON".to_owned()),
            ..UpdateDocument::default()
        };
        Box::pin(async {
            match self.call(At::Central, input).await {
                Ok(changed) => Ok(Some(changed.document_description.document_version)),
                Err(error) if is_duplicate(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn latest_version(&self, name: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        let input = DescribeDocument {
            name: Some(name.to_string()),
            ..DescribeDocument::default()
        };
        Box::pin(async { Ok(self.call(At::Central, input).await?.document.latest_version) })
    }

    fn set_default(&self, name: &DocumentName, version: &str) -> BoxFuture<'_, PortResult<()>> {
        let input = UpdateDocumentDefaultVersion {
            name: Some(name.to_string()),
            document_version: Some(version.to_owned()),
        };
        Box::pin(async { self.call(At::Central, input).await.map(drop) })
    }

    fn in_region(&self, region: &Region) -> Option<Arc<dyn Documents>> {
        Some(Arc::new(Self {
            clock: self.clock.clone(),
            region: region.clone(),
            role: self.role.clone(),
            send_role: self.send_role.clone(),
            external_id: self.external_id.clone(),
            session: self.session.clone(),
            keys: Mutex::default(),
        }))
    }

    fn calendars(&self, names: &[DocumentName]) -> BoxFuture<'_, PortResult<CalendarsView>> {
        let input = GetCalendarState {
            calendar_names: Some(names.iter().map(ToString::to_string).collect()),
            ..GetCalendarState::default()
        };
        Box::pin(async {
            let answer = self.call(At::Central, input).await?;
            Ok(CalendarsView {
                are_open: answer.is_open(),
                changes_at: answer.changes_at(),
            })
        })
    }

    fn shares(&self, name: &DocumentName, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<Share>>> {
        let input = DescribeDocumentPermission {
            name: Some(name.to_string()),
            permission_type: Some("Share".to_owned()),
            next_token: token(page),
            ..DescribeDocumentPermission::default()
        };
        Box::pin(async {
            let answer = self.call(At::Central, input).await?;
            let share = |(id, version): (&str, &str)| {
                Ok(Share {
                    with: match id {
                        "all" => ShareWith::Everybody,
                        id => ShareWith::Account(id.parse().map_err(unreadable)?),
                    },
                    version: SharedVersion::of(Some(version)).unwrap_or(SharedVersion::Default),
                })
            };
            Ok(Page {
                items: answer.shares().map(share).collect::<PortResult<_>>()?,
                next: answer.next_token.map(PageToken::new),
            })
        })
    }

    fn share(
        &self,
        name: &DocumentName,
        accounts: &[AccountId],
        version: SharedVersion,
    ) -> BoxFuture<'_, PortResult<()>> {
        let input = ModifyDocumentPermission {
            name: Some(name.to_string()),
            permission_type: Some("Share".to_owned()),
            account_ids_to_add: Some(accounts.iter().map(ToString::to_string).collect()),
            shared_document_version: Some(version.as_str().to_owned()),
            ..ModifyDocumentPermission::default()
        };
        Box::pin(async { self.call(At::Central, input).await.map(drop) })
    }
}

fn is_duplicate(error: &patchfleet_core::port::PortError) -> bool {
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<crate::error::ApiError>());
    source.is_some_and(|error| error.code() == "DuplicateDocumentContent")
}
