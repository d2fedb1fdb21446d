//! What earlier deliveries of an event began, as Systems Manager lists it.

use super::{FireError, FirePorts, FiredUnit, earlier};
use crate::fleet;
use crate::id::{CampaignId, ExecutionId, RequestDigest, UnitId};
use crate::plan::{Plan, Unit};
use crate::port::{ExecutionView, PortResult};
use crate::request::PatchRequest;
use crate::runbook;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How many executions are read at once.
const READS_AT_ONCE: usize = 8;

/// What was found at one look.
pub(super) struct Looked {
    /// When it was looked for, by one's own clock: before the first question.
    pub(super) at: Timestamp,
    /// What was found, in the order in which AWS started it.
    pub(super) found: Vec<Found>,
    /// Whether the last unit of a plan is among what was begun. Units begin in their order, so all others are then.
    pub(super) is_whole: bool,
}

/// An execution that an earlier delivery started.
pub(super) struct Found {
    pub(super) unit: FiredUnit,
    /// How long ago AWS started it, by AWS's clock where its answer has a time. `None` if the answer does not say.
    pub(super) age: Option<SignedDuration>,
    parameters: BTreeMap<String, Vec<String>>,
}

impl Looked {
    pub(super) fn into_units(self) -> Vec<FiredUnit> {
        self.found.into_iter().map(|found| found.unit).collect()
    }
}

impl FirePorts<'_> {
    /// Looks for every execution of the campaign, and compares each with the request.
    pub(super) async fn look(
        &self,
        campaign: CampaignId,
        request: &PatchRequest,
        longest_retry: SignedDuration,
    ) -> Result<Looked, FireError> {
        let at = self.clock.now();
        let port = FireError::Port;
        let listed = self.listed(request, &runbook::event_tag_key(campaign)).await;
        let listed = listed.map_err(port)?;
        let read = stream::iter(listed)
            .map(|id| async move { self.automation.execution(&id).await.map(|view| (id, view)) })
            .buffered(READS_AT_ONCE);
        let views: Vec<(ExecutionId, ExecutionView)> = read.try_collect().await.map_err(port)?;
        let mut found = Vec::with_capacity(views.len());
        for (execution, view) in views {
            let age = self.compare(campaign, request, &execution, &view, longest_retry)?;
            found.push(Found {
                age,
                unit: FiredUnit {
                    execution,
                    started_at: view.started_at,
                    locations: view.locations,
                },
                parameters: view.parameters,
            });
        }
        found.sort_by_key(|found| found.unit.started_at);
        let is_whole = !found.is_empty() && {
            let last = self.listed(request, &runbook::last_tag_key(campaign)).await;
            !last.map_err(port)?.is_empty()
        };
        Ok(Looked { at, found, is_whole })
    }

    /// The executions of the campaign that a plan of this digest began.
    pub(super) async fn of_plan(
        &self,
        campaign: CampaignId,
        request: &PatchRequest,
        digest: &RequestDigest,
    ) -> Result<BTreeSet<ExecutionId>, FireError> {
        let key = runbook::plan_tag_key(campaign, digest);
        self.listed(request, &key).await.map_err(FireError::Port)
    }

    async fn listed(&self, request: &PatchRequest, tag_key: &str) -> PortResult<BTreeSet<ExecutionId>> {
        let document = &request.automation.document;
        let page = |page| self.automation.find(document, tag_key, page);
        let listed = fleet::all("the executions with an event's tag", page).await?;
        Ok(listed.into_iter().collect())
    }

    /// Whether an execution is what the request asks for, and no older than a retry can be. Gives its age.
    fn compare(
        &self,
        campaign: CampaignId,
        request: &PatchRequest,
        execution: &ExecutionId,
        view: &ExecutionView,
        longest_retry: SignedDuration,
    ) -> Result<Option<SignedDuration>, FireError> {
        let differences = earlier::differences(request, campaign, self.resolution, view);
        if !differences.is_empty() {
            return Err(FireError::Differs {
                execution: execution.clone(),
                differences,
            });
        }
        let now = view.answered_at.unwrap_or_else(|| self.clock.now());
        let age = view.started_at.map(|started| now.duration_since(started));
        match age {
            Some(age) if age > longest_retry => Err(FireError::NoRetry {
                execution: execution.clone(),
                age,
                longest_retry,
            }),
            _ => Ok(age),
        }
    }
}

impl Found {
    /// Which unit of the plan this is: the one with the same locations, and the same nodes if it names them. `None` if
    /// it is none of them, or if AWS does not say enough to tell.
    pub(super) fn unit_of(&self, plan: &Plan) -> Option<UnitId> {
        let is_it = |unit: &&Unit| {
            let targets = |of: &BTreeMap<String, Vec<String>>| of.get(earlier::TARGETS).cloned();
            let same_targets = match (targets(&unit.start.parameters), targets(&self.parameters)) {
                (Some(planned), Some(there)) => earlier::same_values(&planned, &there),
                _ => true,
            };
            let number = self
                .parameters
                .get(runbook::UNIT_ID)
                .and_then(|values| values.first());
            let same_place = match (&self.unit.locations, number) {
                (Some(locations), _) => unit.locations().collect::<BTreeSet<_>>() == *locations,
                (None, Some(number)) => *number == unit.id.to_string(),
                (None, None) => plan.units.len() == 1,
            };
            same_place && same_targets
        };
        plan.units.iter().find(is_it).map(|unit| unit.id)
    }
}
