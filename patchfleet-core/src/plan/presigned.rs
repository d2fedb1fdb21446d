//! A request or a plan that carries a presigned URL may not be kept.

use super::Plan;
use crate::presigned::is_presigned;
use crate::refusal::{Refusal, RefusalCode, RefusalReason};
use crate::request::PatchRequest;

impl Plan {
    /// The field of the request, or the parameter of a start, that is a presigned URL, if there is one. Such a plan can be
    /// fired, but not kept.
    #[must_use]
    pub fn presigned(&self) -> Option<String> {
        self.request.presigned().or_else(|| {
            let mut parameters = self.units.iter().flat_map(|unit| &unit.start.parameters);
            parameters
                .find(|(_, values)| values.iter().any(|value| is_presigned(value)))
                .map(|(name, _)| format!("the parameter {name}"))
        })
    }

    /// Refuses a plan that may not be kept in a log or a file.
    ///
    /// # Errors
    ///
    /// [`RefusalCode::Unsupported`], with the field that is a presigned URL, and never the URL.
    pub fn refuse_presigned(&self) -> Result<(), Refusal> {
        refused(self.presigned())
    }
}

/// Refuses a request whose plan may not be kept in a log or a file, before anything is asked.
///
/// # Errors
///
/// As [`Plan::refuse_presigned`].
pub fn refuse_presigned(request: &PatchRequest) -> Result<(), Refusal> {
    refused(request.presigned())
}

fn refused(field: Option<String>) -> Result<(), Refusal> {
    let Some(field) = field else {
        return Ok(());
    };
    Err(Refusal {
        reasons: vec![RefusalReason {
            code: RefusalCode::Unsupported,
            subject: field,
            detail: "it is a presigned URL, which whoever reads a plan file or a campaign's log could use, and which \
                     expires before later starts are sent: use s3://bucket/key, which the nodes' instance profile \
                     can read"
                .to_owned(),
        }],
    })
}
