//! Whether a unit was begun that the log does not say was begun.
//!
//! The end of a log may be lost: a power cut, a copy put back from yesterday, a hand that cut it. A start that is
//! not in the log any more may have been sent all the same. So whoever opens a campaign that somebody else has
//! written down looks for each start by its tag before it is sent for the first time.

use super::{Drive, Driver};
use crate::campaign::start;
use crate::id::{ClientToken, DocumentName, ExecutionId, UnitId};
use crate::port::{PortError, PortErrorKind, PortResult};

impl Drive<'_> {
    /// Whether the log may have lost that the unit's start was sent, and nobody has looked for it yet.
    pub(super) fn may_be_begun(&self, unit: UnitId) -> bool {
        let looked = self.memory.of_unit(unit).is_some_and(|asked| asked.looked_before);
        self.was_there_before && !looked
    }
}

/// The execution that the start with this token began already.
///
/// # Errors
///
/// Whatever keeps it from being seen. The start is not sent then, and may be tried again.
pub(super) async fn find(
    driver: &Driver,
    document: &DocumentName,
    token: ClientToken,
) -> PortResult<Option<ExecutionId>> {
    let found = start::find(&*driver.automation, document, token).await;
    found.map_err(|error| {
        // A refusal to look says nothing about the start.
        let kind = match error.kind() {
            kind if kind.is_transient() => kind,
            PortErrorKind::Credentials => PortErrorKind::Credentials,
            _ => PortErrorKind::Unavailable,
        };
        let words = format!(
            "whether the unit was begun before cannot be seen: {}",
            error.reason()
        );
        PortError::new(kind, words).with_source(error)
    })
}
