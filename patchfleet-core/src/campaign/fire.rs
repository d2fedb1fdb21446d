//! Starting a campaign that nobody follows: for a function that ends long before its patching does.

use super::start::find;
use crate::id::{CampaignId, ExecutionId, Location, UnitId};
use crate::plan::{Plan, PlannedLocation};
use crate::port::{
    Automation, Clock, Documents, ExecutionView, PortError, PortErrorKind, Ports, StartRequest,
};
use crate::request::presigned::concealed;
use crate::runbook;
use jiff::{SignedDuration, SpanRound, Unit};
use std::collections::BTreeSet;

/// What came of firing a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fired {
    /// It was started.
    Started(ExecutionId),
    /// It had been started before, by an earlier delivery of the same event.
    AlreadyStarted(ExecutionId),
    /// The plan has nothing to start.
    NothingToDo,
}

/// Why a plan was not fired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FireError {
    /// Several executions need somebody who begins one after another.
    #[error(
        "the plan needs {units} executions, and only one can be started and left to itself: name locations that \
         form one rectangle of accounts and Regions, or run it where it can be followed{}",
        if *.with_cutoff { " (with a cutoff each location has one of its own)" } else { "" }
    )]
    NeedsDriver {
        /// How many it needs.
        units: usize,
        /// Whether the plan has a cutoff.
        with_cutoff: bool,
    },
    /// What would run is not what the plan was made for. Nothing was started.
    #[error("nothing was started: {detail}")]
    RunbookChanged {
        /// The document, where, and its versions.
        detail: String,
    },
    /// The campaign was started before, and not as it is asked for now.
    #[error(
        "nothing was started: execution {execution} was started for this event before, and not as it is asked for now: {}",
        .differences.join("; ")
    )]
    Differs {
        /// The execution that was found.
        execution: ExecutionId,
        /// What is different, a phrase each.
        differences: Vec<String>,
    },
    /// The campaign was started before, and too long ago for this to be a retry.
    #[error(
        "nothing was started: execution {execution} was started for an event of this id {} ago, and no event is \
         delivered again after more than {}. The id is the same for every event: give each event an id of its own",
        in_words(*.age), in_words(*.longest_retry)
    )]
    NoRetry {
        /// The execution that was found.
        execution: ExecutionId,
        /// How long ago it was started, by AWS's clock.
        age: SignedDuration,
        /// How long after a start its event may come again.
        longest_retry: SignedDuration,
    },
    /// The start failed.
    #[error("the campaign could not be started")]
    Port(#[source] PortError),
}

/// Starts a plan of one unit and leaves it to Systems Manager, which keeps its rate controls.
///
/// Nothing is claimed or written down: two different events of one request may run at once.
///
/// An earlier start of the same campaign is looked for first, by the tag key that only it has; and
/// if two do so at the same time, the client token makes their starts one. An earlier start that
/// is found counts only if it is what this plan asks for (its document, its parameters, its
/// locations, as far as AWS reports them) and not older than `longest_retry`
/// ([`EventId::longest_retry`](crate::id::EventId::longest_retry)), by AWS's clock where its answer
/// has a time.
///
/// # Errors
///
/// [`FireError::NeedsDriver`] if the plan has several units, [`FireError::RunbookChanged`] if its
/// runbook is another one by now, [`FireError::Differs`] and [`FireError::NoRetry`] if what was started
/// before is not this (nothing was started);
/// [`FireError::Port`] if AWS refused, or did not answer: firing the same campaign again is safe.
pub async fn fire(
    ports: &Ports,
    campaign: CampaignId,
    plan: &Plan,
    longest_retry: SignedDuration,
) -> Result<Fired, FireError> {
    let (automation, documents) = (ports.automation.as_ref(), ports.documents.as_ref());
    let clock = ports.clock.as_ref();
    fire_over(automation, documents, clock, campaign, plan, longest_retry).await
}

/// Fires a plan over the three ports that it takes.
pub(super) async fn fire_over(
    automation: &dyn Automation,
    documents: &dyn Documents,
    clock: &dyn Clock,
    campaign: CampaignId,
    plan: &Plan,
    longest_retry: SignedDuration,
) -> Result<Fired, FireError> {
    let request = match plan.requests.as_slice() {
        [] => return Ok(Fired::NothingToDo),
        [request] => request,
        several => {
            return Err(FireError::NeedsDriver {
                units: several.len(),
                with_cutoff: plan.lifetime.is_some_and(|lifetime| lifetime.cutoff.is_some()),
            });
        }
    };
    let (unit, attempt) = (UnitId::from_index(0), 1);
    let request = runbook::for_campaign(request, plan.runbook.as_ref(), campaign, unit, attempt);
    let token = campaign.client_token(unit, attempt);
    let found = || find(automation, &request.document_name, token);
    if let Some(execution) = found().await.map_err(FireError::Port)? {
        return started_before(automation, clock, &request, execution, longest_retry).await;
    }
    if let Some(runbook) = &plan.runbook {
        let at: Vec<Location> = plan.locations.iter().map(PlannedLocation::location).collect();
        let pin = plan.request.automation.pin;
        let compared = runbook.compare(documents, pin, &at).await;
        if let Some(changed) = compared.map_err(FireError::Port)? {
            return Err(FireError::RunbookChanged {
                detail: changed.detail,
            });
        }
    }
    match automation.start(&request, token).await {
        Ok(execution) => Ok(Fired::Started(execution)),
        // Two deliveries were planned at once, over a world that changed in between.
        Err(error) if error.kind() == PortErrorKind::TokenMismatch => match found().await {
            Ok(Some(execution)) => {
                started_before(automation, clock, &request, execution, longest_retry).await
            }
            _ => Err(FireError::Port(error)),
        },
        Err(error) => Err(FireError::Port(error)),
    }
}

/// Whether the execution that was found is what this event's first delivery started.
async fn started_before(
    automation: &dyn Automation,
    clock: &dyn Clock,
    asked: &StartRequest,
    execution: ExecutionId,
    longest_retry: SignedDuration,
) -> Result<Fired, FireError> {
    let found = automation.execution(&execution).await.map_err(FireError::Port)?;
    let differences = differences(asked, &found);
    if !differences.is_empty() {
        return Err(FireError::Differs {
            execution,
            differences,
        });
    }
    let now = found.answered_at.unwrap_or_else(|| clock.now());
    let age = found.started_at.map(|started| now.duration_since(started));
    match age {
        Some(age) if age > longest_retry => Err(FireError::NoRetry {
            execution,
            age,
            longest_retry,
        }),
        _ => Ok(Fired::AlreadyStarted(execution)),
    }
}

/// In what the execution is not the one that is asked for. What AWS does not report is not compared.
fn differences(asked: &StartRequest, found: &ExecutionView) -> Vec<String> {
    let mut differences = vec![];
    if let Some(document) = &found.document
        && last_part(document) != last_part(asked.document_name.as_str())
    {
        differences.push(format!("it runs {document}, not {}", asked.document_name));
    }
    for (name, values) in &asked.parameters {
        let there = found.parameters.get(name).map(Vec::as_slice).unwrap_or_default();
        if !same_values(values, there) {
            let shown = |values: &[String]| {
                let values: Vec<_> = values.iter().map(|value| concealed(value)).collect();
                values.join(", ")
            };
            differences.push(format!("its {name} is {}, not {}", shown(there), shown(values)));
        }
    }
    if let Some(there) = &found.locations {
        let asked: BTreeSet<Location> = asked.target_location().locations().collect();
        let (missing, more) = (named(asked.difference(there)), named(there.difference(&asked)));
        differences.extend(missing.map(|some| format!("it leaves out {some}")));
        differences.extend(more.map(|some| format!("it also runs in {some}")));
    }
    differences
}

/// A document's name without the account and Region of its ARN.
fn last_part(document: &str) -> &str {
    document.rsplit('/').next().unwrap_or(document)
}

/// Whether two values of a parameter are the same. JSON may be spelt in another way.
fn same_values(asked: &[String], there: &[String]) -> bool {
    let json = |text: &String| serde_json::from_str::<serde_json::Value>(text).ok();
    asked.len() == there.len()
        && asked
            .iter()
            .zip(there)
            .all(|(asked, there)| asked == there || (json(asked).is_some() && json(asked) == json(there)))
}

/// The first few of these locations; `None` if there are none.
fn named<'a>(locations: impl Iterator<Item = &'a Location>) -> Option<String> {
    const SHOWN: usize = 5;
    let names: Vec<String> = locations.map(ToString::to_string).collect();
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        _ if names.is_empty() => None,
        0 => Some(shown),
        more => Some(format!("{shown} and {more} more")),
    }
}

/// A time for people: "7d 20m".
fn in_words(time: SignedDuration) -> String {
    let round = SpanRound::new()
        .largest(Unit::Day)
        .smallest(Unit::Minute)
        .days_are_24_hours();
    let span = jiff::Span::try_from(time).and_then(|span| span.round(round));
    span.map_or_else(|_| format!("{time:#}"), |span| format!("{span:#}"))
}
