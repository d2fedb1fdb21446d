//! The documents of an organisation in memory.

use super::world::{WITH_PARAMETER, World};
use crate::id::{DocumentName, Location};
use crate::port::{
    BoxFuture, DocumentVersion, DocumentView, Documents, PortError, PortErrorKind, PortResult,
};
use crate::runbook::{COMMAND_DOCUMENT, CommandSteps, Runbook};
use std::collections::BTreeMap;

/// What stands under the runbook's name: the number of the version, and what it says, or why it
/// cannot be read. In the central account and Region, and as other accounts find it.
#[derive(Clone)]
pub(crate) struct Shelf {
    pub(crate) central: Result<(&'static str, String), PortErrorKind>,
    pub(crate) elsewhere: BTreeMap<Location, Result<(&'static str, String), PortErrorKind>>,
}

impl Default for Shelf {
    /// patchfleet's own, in the central account alone.
    fn default() -> Self {
        Self {
            central: Ok(("1", Runbook::default().to_json())),
            elsewhere: BTreeMap::new(),
        }
    }
}

impl Documents for World {
    fn read(
        &self,
        at: Option<&Location>,
        name: &DocumentName,
        version: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>> {
        if name.as_str() == COMMAND_DOCUMENT {
            assert_eq!(at, None);
            return Box::pin(std::future::ready(match self.command_document {
                Some(content) => Ok(DocumentView {
                    version: "1".to_owned(),
                    content: content.to_owned(),
                }),
                None => Err(PortError::new(PortErrorKind::Denied, "GetDocument failed")),
            }));
        }
        let place = at.map_or("central".to_owned(), ToString::to_string);
        self.called(format!("document {name} {version} {place}"));
        let found = match at {
            None => self.shelf.central.clone(),
            Some(at) => self
                .shelf
                .elsewhere
                .get(at)
                .cloned()
                .unwrap_or(Err(PortErrorKind::NotFound)),
        };
        let answer = found
            .map(|(version, content)| DocumentView {
                version: version.to_owned(),
                content,
            })
            .map_err(|kind| {
                PortError::new(kind, "GetDocument failed").with_words(format!("the words of {kind}"))
            });
        Box::pin(std::future::ready(answer))
    }

    fn create(&self, _: &DocumentName, _: String) -> BoxFuture<'_, PortResult<String>> {
        unreachable!("a plan makes no document")
    }

    fn update(&self, _: &DocumentName, _: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        unreachable!("a plan changes no document")
    }

    fn latest_version(&self, _: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        unreachable!("a plan asks for no newest version")
    }

    fn set_default(&self, _: &DocumentName, _: &str) -> BoxFuture<'_, PortResult<()>> {
        unreachable!("a plan moves no default version")
    }
}

impl World {
    /// AWS-RunPatchBaseline takes StepTimeoutSeconds, and the runbook passes it.
    pub(crate) fn takes_step_timeout(mut self) -> Self {
        let fitting = Runbook::default().fitting(CommandSteps::parse(WITH_PARAMETER));
        self.command_document = Some(WITH_PARAMETER);
        self.shelf.central = Ok(("1", fitting.to_json()));
        self
    }
}
