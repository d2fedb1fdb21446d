//! That what is about to be sent is what the plan says.

use super::{Drive, DriveError};
use crate::campaign::{Event, start};
use crate::port::{PortError, PortErrorKind};

impl Drive<'_> {
    /// Makes each start again from the plan and compares it with what is about to be sent, which may have been
    /// read from the log.
    pub(super) fn require_planned(&self, intents: &[Event]) -> Result<(), DriveError> {
        for intent in intents {
            let Event::StartIntended {
                unit,
                attempt,
                request,
            } = intent
            else {
                continue;
            };
            if !start::is_planned(&self.state, *unit, *attempt, request) {
                let message =
                    format!("the start of unit {unit} that the log intends is not the one of the plan");
                let source = PortError::new(PortErrorKind::Incompatible, message);
                let campaign = self.state.campaign();
                return Err(DriveError::Damaged { campaign, source });
            }
        }
        Ok(())
    }
}
