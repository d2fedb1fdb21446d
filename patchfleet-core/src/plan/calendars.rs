//! Asking the change calendars of a request when it is planned.

use super::PlanError;
use crate::port::Documents;
use crate::refusal::{Refusal, RefusalCode, RefusalReason};
use crate::request::PatchRequest;

/// The warning that one of them is closed now. Nothing of the plan begins while it is.
///
/// # Errors
///
/// A refusal if they cannot be asked: then nothing would ever begin. It refuses as well if one is closed and nobody would begin
/// anything later.
pub(super) async fn asked(
    documents: &dyn Documents,
    request: &PatchRequest,
    is_followed: bool,
) -> Result<Option<String>, PlanError> {
    if request.change_calendars.is_empty() {
        return Ok(None);
    }
    let refused = |detail| {
        Refusal {
            reasons: vec![RefusalReason {
                code: RefusalCode::ChangeCalendars,
                subject: "change_calendars".to_owned(),
                detail,
            }],
        }
        .into()
    };
    let view = match documents.calendars(&request.change_calendars).await {
        Ok(view) => view,
        Err(error) if error.kind().is_transient() => return Err(PlanError::Port(error)),
        Err(error) => {
            return Err(refused(format!(
                "they cannot be asked in the central account and Region (ssm:GetCalendarState), so nothing would ever begin: \
                 {}. Name change calendars of that Region, those of other accounts by their ARNs, or leave them out",
                error.reason().to_string().trim_end_matches('.')
            )));
        }
    };
    if view.are_open {
        return Ok(None);
    }
    let until = match view.changes_at {
        Some(at) => format!("until {at:.0}"),
        None => "and AWS does not say until when".to_owned(),
    };
    if !is_followed {
        return Err(refused(format!(
            "one is closed, {until}, with nobody there to begin anything later. Run it again then, or run it where it can be \
             followed, with the command or the cron process"
        )));
    }
    Ok(Some(format!(
        "a change calendar is closed, {until}: nothing begins before all of them are open"
    )))
}
