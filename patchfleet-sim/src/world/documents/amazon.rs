//! The documents that Amazon owns, as far as nodes of this world can run them. Their parameters are
//! AWS's; their scripts are not here, since the simulator's nodes have no shell.

use crate::spec::{DocumentKind, PatchBaselineDocument};
use crate::world::documents::document::{Document, DocumentFormat, DocumentVersion};
use jiff::Timestamp;
use std::collections::BTreeMap;

const CONTENTS: [(&str, &str); 3] = [
    (
        "AWS-RunPatchBaseline",
        include_str!("amazon/AWS-RunPatchBaseline.json"),
    ),
    (
        "AWS-RunPowerShellScript",
        include_str!("amazon/AWS-RunPowerShellScript.json"),
    ),
    (
        "AWS-RunShellScript",
        include_str!("amazon/AWS-RunShellScript.json"),
    ),
];

/// The version of AWS-RunPatchBaseline whose step timeouts are a parameter.
const WITH_STEP_TIMEOUT: &str = include_str!("amazon/AWS-RunPatchBaseline-StepTimeoutSeconds.json");

/// All of them, by name. They are as old as the world.
pub(super) fn documents(start: Timestamp, baseline: PatchBaselineDocument) -> BTreeMap<String, Document> {
    let documents = CONTENTS.into_iter().filter_map(|(name, content)| {
        let content = match baseline {
            PatchBaselineDocument::StepTimeoutSeconds if name == "AWS-RunPatchBaseline" => WITH_STEP_TIMEOUT,
            _ => content,
        };
        let (kind, format) = (DocumentKind::Command, DocumentFormat::Json);
        let version = DocumentVersion::read(content.to_owned(), kind, format, start).ok()?;
        Some((name.to_owned(), Document::new(kind, version)))
    });
    documents.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_of_amazons_reads() {
        for baseline in [
            PatchBaselineDocument::Of2021,
            PatchBaselineDocument::StepTimeoutSeconds,
        ] {
            let found = documents(Timestamp::UNIX_EPOCH, baseline);
            assert_eq!(found.len(), CONTENTS.len());
        }
    }
}
