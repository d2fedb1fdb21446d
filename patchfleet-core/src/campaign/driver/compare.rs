//! What would run, beside what was planned, before each start.

use super::{Drive, DriveError};
use crate::campaign::Event;
use crate::campaign::decide::Action;
use crate::campaign::polls::later;
use crate::id::{Location, UnitId};
use crate::port::PortErrorKind;
use crate::runbook::{Changed, NotCompared};
use std::collections::BTreeSet;

/// What came of comparing a unit's runbook.
enum Compared {
    /// It is the planned one, wherever it would run.
    Planned,
    /// Not known yet: look again later.
    Later,
    /// Another one.
    Other(Changed),
}

impl Drive<'_> {
    /// These actions, less the starts whose runbook could not be compared with the planned one for
    /// now. `None`: what would run is another one, and the log says so.
    pub(super) async fn with_the_planned_runbook(
        &mut self,
        actions: Vec<Action>,
    ) -> Result<Option<Vec<Action>>, DriveError> {
        let mut kept = vec![];
        for action in actions {
            let (Action::Start { unit, .. } | Action::Resend(unit)) = action else {
                kept.push(action);
                continue;
            };
            match self.compare(unit).await? {
                Compared::Planned => kept.push(action),
                Compared::Later => {}
                Compared::Other(Changed { change, detail }) => {
                    let event = Event::RunbookChanged { unit, change, detail };
                    // On conflict it is compared again, in the next turn.
                    let _ = self.append(vec![event]).await?;
                    return Ok(None);
                }
            }
        }
        Ok(Some(kept))
    }

    /// Looks at the runbook where the unit would run it. What was looked at in vain is looked at again
    /// later, and what was found to be as planned is not meanwhile.
    async fn compare(&mut self, unit: UnitId) -> Result<Compared, DriveError> {
        let plan = self.state.plan();
        let (Some(planned), pin) = (&plan.runbook, plan.request.automation.pin) else {
            return Ok(Compared::Planned);
        };
        let now = self.now();
        let asked = self.polls.units.get(&unit);
        let fine: BTreeSet<&Location> = asked.iter().flat_map(|asked| asked.looks.fine_at(now)).collect();
        let locations = self.state.units().get(&unit).map(|unit| unit.locations.keys());
        let at: Vec<Location> = locations
            .into_iter()
            .flatten()
            .filter(|at| !fine.contains(at))
            .cloned()
            .collect();
        let documents = &*self.driver.documents;
        let compared = planned.compare(documents, &plan.central, pin, &at).await;
        let planned = planned.clone();
        let now = self.now();
        let asked = self.polls.unit(unit);
        let NotCompared { fine, unread } = match compared {
            Ok(None) => {
                asked.looks.forget();
                return Ok(Compared::Planned);
            }
            Ok(Some(changed)) => return Ok(Compared::Other(changed)),
            Err(not_compared) => not_compared,
        };
        let kinds = unread.iter().map(|(at, error)| (at.clone(), error.kind()));
        asked.start_at = Some(later(now, asked.looks.learn(now, fine, kinds.collect())));
        let looks = &asked.looks;
        let hopeless = unread.first_where(|at, error| looks.are_too_many(at, error.kind(), now));
        let Some((at, error, others)) = hopeless else {
            return Ok(Compared::Later);
        };
        // In a target account they may never have been good. The caller's own worked just before.
        if at.is_none() && error.kind() == PortErrorKind::Credentials {
            return Err(self.no_credentials(unread.into_error()));
        }
        Ok(Compared::Other(planned.unreadable(at.as_ref(), &others, error)))
    }
}
