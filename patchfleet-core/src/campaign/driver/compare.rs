//! What would run, beside what was planned, before each start.

use super::calls::Answer;
use super::{Drive, DriveError};
use crate::campaign::facts::Fact;
use crate::campaign::polls::later;
use crate::id::{Location, UnitId};
use crate::port::{BoxFuture, PortErrorKind};
use crate::runbook::{Changed, NotCompared};
use std::collections::BTreeSet;

impl<'d> Drive<'d> {
    /// Looks at the runbook where the unit would run it. What was looked at in vain is looked at again
    /// later, and what was found to be as planned is not meanwhile.
    pub(super) fn compare(&self, unit: UnitId) -> Option<BoxFuture<'d, Answer>> {
        let plan = self.state.plan();
        let planned = plan.runbook.clone()?;
        let (central, pin) = (plan.central.clone(), plan.request.automation.pin);
        let now = self.now();
        let asked = self.memory.of_unit(unit);
        let fine: BTreeSet<&Location> = asked.iter().flat_map(|asked| asked.looks.fine_at(now)).collect();
        let locations = self.state.units().get(&unit)?.locations.keys();
        let at: Vec<Location> = locations.filter(|at| !fine.contains(at)).cloned().collect();
        let documents = &*self.driver.documents;
        Some(Box::pin(async move {
            let compared = planned.compare(documents, &central, pin, &at).await;
            Answer::Compared(unit, compared)
        }))
    }

    /// Learns what came of comparing a unit's runbook.
    pub(super) fn learn_compared(
        &mut self,
        unit: UnitId,
        compared: Result<Option<Changed>, NotCompared>,
    ) -> Result<Option<Fact>, DriveError> {
        let now = self.now();
        let NotCompared { fine, unread } = match compared {
            Ok(None) => {
                let asked = self.memory.unit(unit);
                asked.looks.forget();
                asked.comparing_since = None;
                asked.compared_at = Some(now);
                return Ok(None);
            }
            Ok(Some(changed)) => return Ok(Some(Fact::RunbookChanged(unit, changed))),
            Err(not_compared) => not_compared,
        };
        let kinds = unread.iter().map(|(at, error)| (at.clone(), error.kind()));
        let asked = self.memory.unit(unit);
        asked.start_at = Some(later(now, asked.looks.learn(now, fine, kinds.collect())));
        let looks = &asked.looks;
        let hopeless = unread.first_where(|at, error| looks.are_too_many(at, error.kind(), now));
        let Some((at, error, others)) = hopeless else {
            return Ok(None);
        };
        // In a target account they may never have been good. The caller's own worked just before.
        if at.is_none() && error.kind() == PortErrorKind::Credentials {
            return Err(self.no_credentials(unread.into_error()));
        }
        let changed = self
            .state
            .plan()
            .runbook
            .as_ref()
            .map(|planned| planned.unreadable(at.as_ref(), &others, error));
        Ok(changed.map(|changed| Fact::RunbookChanged(unit, changed)))
    }
}
