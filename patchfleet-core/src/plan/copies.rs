//! Looks for the runbook's copies in the locations with nodes, while other locations have not answered yet.

use super::Options;
use super::build::{self, Alone};
use super::sight::Shown;
use crate::census::{CensusAnswer, FollowUp};
use crate::id::Location;
use crate::port::{BoxFuture, Caller, Documents, Resolution};
use crate::request::PatchRequest;
use crate::runbook::{self, Copies, Copy, PlannedRunbook};
use futures_util::FutureExt as _;
use std::sync::OnceLock;

/// Asks a location for its copy as soon as it is certain that the plan has the location, unless the plan is refused.
///
/// It asks nothing once an answer refuses the plan. A location that it has not asked is asked when the census is over.
pub(super) struct EarlyCopies<'a> {
    pub(super) documents: &'a dyn Documents,
    pub(super) request: &'a PatchRequest,
    pub(super) central: &'a Caller,
    pub(super) resolution: Resolution,
    pub(super) options: &'a Options<'a>,
    /// The runbook, once it is found and a plan can be bound to it.
    pub(super) runbook: &'a OnceLock<PlannedRunbook>,
    /// Where the runbook is shared, if that is to be found out as well. The Region of a location without a copy is asked.
    pub(super) shown: Option<&'a Shown<'a>>,
    /// Whether what is known so far refuses the plan.
    pub(super) is_refused: bool,
    /// What the locations said.
    pub(super) found: Copies,
}

impl<'a> FollowUp<'a> for EarlyCopies<'a> {
    type Found = Copy;

    fn is_due(&mut self, location: &Location, answer: &CensusAnswer) -> bool {
        match build::alone(self.request, location, answer, self.resolution, self.options) {
            Alone::Planned => true,
            Alone::Open => false,
            Alone::Refused => {
                self.is_refused = true;
                false
            }
        }
    }

    fn ask(&mut self, location: &Location) -> Option<BoxFuture<'a, Copy>> {
        if self.is_refused {
            return None;
        }
        let runbook = self.runbook.get()?;
        runbook::to_look_at(runbook, self.central, [location]).next()?;
        let (documents, pin, at) = (self.documents, self.request.automation.pin, location.clone());
        let (shown, central) = (self.shown, self.central);
        let ask = async move {
            let copy = runbook::copy(documents, runbook, pin, &at).await;
            if let (Some(shown), Copy::Absent) = (shown, &copy)
                && at.account != central.account
            {
                shown.ask(runbook, &at.region).await;
            }
            copy
        };
        Some(ask.boxed())
    }

    fn hear(&mut self, location: Location, found: Copy) {
        self.found.insert(location, found);
    }
}
