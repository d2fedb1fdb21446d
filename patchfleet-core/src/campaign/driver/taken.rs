//! That a request's name is not free.

use super::DriveError;
use crate::campaign::State;
use crate::id::{CampaignId, RequestName, UnitId};
use crate::text::{by_number, names};

/// That a name is not free, as this campaign of it is open. `state` is what its log says, if that is known.
pub(crate) fn name_taken(name: &RequestName, open: CampaignId, state: Option<&State>) -> DriveError {
    DriveError::NameTaken {
        name: name.clone(),
        open,
        unresolved: state.map_or_else(Vec::new, |state| state.unresolved().collect()),
    }
}

/// What is to be done before another campaign may begin than the one of its name that is open.
pub(super) fn how_to_free(open: CampaignId, unresolved: &[UnitId]) -> String {
    let [first, others @ ..] = unresolved else {
        return format!(
            "campaign {open} of this request is open: `patchfleet resume {open}` follows it to its end, and then \
             another one may begin"
        );
    };
    let (units, run) = (
        by_number(others.len() + 1, "unit", "units"),
        by_number(others.len() + 1, "runs", "run"),
    );
    let all = names(unresolved);
    format!(
        "campaign {open} of this request is open, and nobody knows whether its {units} {all} {run}. A person has to say \
         what becomes of that: `patchfleet resume {open} --send-again {first}` looks once more and, if AWS still knows \
         nothing of it, sends the same start again; once nothing of the campaign can run any more, \
         `patchfleet abandon {open}` closes it. Then another one may begin"
    )
}
