//! Tries before anything is installed whether the results could be read.
//!
//! A role that may start patching but may not read what became of it leaves a fleet patched and every node
//! *unknown*. So each call that collecting needs is made once before. Where possible it asks for a thing
//! that does not exist, because AWS checks the permission first.

use super::Plan;
use crate::census::CensusTaken;
use crate::id::{AccountId, CommandId, ExecutionId, Location, NodeId, ParseIdError};
use crate::port::{Automation, PortErrorKind, PortResult, ResultPorts};
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::Patch;
use futures_util::future::{BoxFuture, join_all};
use futures_util::{StreamExt, stream};
use std::collections::BTreeMap;

/// What came of trying.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// What may not be read.
    pub(super) denied: Vec<RefusalReason>,
    /// What could not be tried.
    pub(super) warnings: Vec<String>,
}

/// Things that are not there. AWS gives none of its own such ids.
struct Nothing {
    execution: ExecutionId,
    command: CommandId,
    node: NodeId,
}

impl Nothing {
    fn new() -> Result<Self, ParseIdError> {
        const ID: &str = "00000000-0000-4000-8000-000000000000";
        Ok(Self {
            execution: ID.parse()?,
            command: ID.parse()?,
            node: "i-00000000000000000".parse()?,
        })
    }
}

/// One call that was tried.
struct Trial {
    action: &'static str,
    answer: Result<(), (PortErrorKind, String)>,
}

type Call<'a> = (&'static str, BoxFuture<'a, PortResult<()>>);

async fn all(calls: Vec<Call<'_>>) -> Vec<Trial> {
    join_all(calls.into_iter().map(|(action, call)| async move {
        Trial {
            action,
            answer: call.await.map_err(|error| (error.kind(), error.reason())),
        }
    }))
    .await
}

/// Makes a call to find out only whether it is allowed.
fn asked<'a, T: Send + 'a>(call: BoxFuture<'a, PortResult<T>>) -> BoxFuture<'a, PortResult<()>> {
    Box::pin(async move { call.await.map(drop) })
}

/// Tries the calls with which the results of `plan` will be read. They are tried in the central account, and in the first
/// location with nodes of each account, `concurrency` (at least 1) accounts at once.
pub(super) async fn tried(
    ports: ResultPorts<'_>,
    plan: &Plan,
    census: &CensusTaken,
    concurrency: usize,
) -> Tried {
    let mut tried = Tried::default();
    let Ok(nothing) = Nothing::new() else {
        return tried;
    };
    let central = format!("{}/{}", plan.central.account, plan.central.region);
    for trial in in_center(ports.automation, plan, &nothing).await {
        tried.add(&central, trial, "the caller");
    }
    // A location that is kept without being known may deny everything, as its request accepts.
    let mut first: BTreeMap<&AccountId, Location> = BTreeMap::new();
    for planned in plan.locations.iter().filter(|planned| planned.kept.is_none()) {
        first
            .entry(&planned.account)
            .or_insert_with(|| planned.location());
    }
    let nothing = &nothing;
    let trials: Vec<(Location, Vec<Trial>)> = stream::iter(first.into_values())
        .map(|location| async move {
            let node = census.any_node(&location).unwrap_or(&nothing.node).clone();
            let calls = in_location(ports, &location, &node, nothing, &plan.request.patch);
            let trials = all(calls).await;
            (location, trials)
        })
        .buffered(concurrency.max(1))
        .collect()
        .await;
    for (location, trials) in trials {
        let reader = if location.account == plan.central.account {
            "the caller".to_owned()
        } else {
            format!("the role {}", plan.request.access.discovery_role)
        };
        for trial in trials {
            tried.add(&location, trial, &reader);
        }
    }
    tried
}

async fn in_center(automation: &dyn Automation, plan: &Plan, nothing: &Nothing) -> Vec<Trial> {
    let document = &plan.request.automation.document;
    all(vec![
        (
            "ssm:GetAutomationExecution",
            asked(automation.execution(&nothing.execution)),
        ),
        (
            "ssm:DescribeAutomationStepExecutions",
            asked(automation.steps(&nothing.execution, None)),
        ),
        (
            "ssm:DescribeAutomationExecutions",
            asked(automation.find(document, "patchfleet:none", None)),
        ),
    ])
    .await
}

fn in_location<'a>(
    ports: ResultPorts<'a>,
    location: &Location,
    node: &NodeId,
    nothing: &Nothing,
    patch: &Patch,
) -> Vec<Call<'a>> {
    let nodes = [node.clone()];
    let mut calls: Vec<Call<'a>> = vec![
        (
            "ssm:GetAutomationExecution",
            asked(ports.automation.child(location, &nothing.execution)),
        ),
        (
            "ssm:DescribeAutomationExecutions",
            asked(ports.automation.children(location, &nothing.execution, None)),
        ),
        (
            "ssm:ListCommands",
            asked(ports.commands.command(location, &nothing.command)),
        ),
        (
            "ssm:ListCommandInvocations",
            asked(
                ports
                    .commands
                    .invocations(location, &nothing.command, false, None),
            ),
        ),
        (
            "ssm:DescribeInstanceInformation",
            asked(ports.inventory.managed(location, Some(&nodes), None)),
        ),
        // Tried with a node that is there, since a policy may allow the action for some nodes only.
        (
            "ssm:DescribeInstancePatchStates",
            asked(ports.patch_states.patch_states(location, &nodes)),
        ),
    ];
    if patch.baseline_override.is_some() {
        // A run with a baseline override leaves nothing but what it printed.
        calls.push((
            "ssm:GetCommandInvocation",
            asked(
                ports
                    .commands
                    .output(location, &nothing.command, node, "PatchLinux"),
            ),
        ));
    }
    calls
}

impl Tried {
    fn add(&mut self, subject: impl ToString, trial: Trial, reader: &str) {
        let Err((kind, words)) = trial.answer else {
            return;
        };
        let action = trial.action;
        match kind {
            PortErrorKind::Denied | PortErrorKind::RoleNotAssumable => self.denied.push(RefusalReason {
                code: RefusalCode::ResultsUnreadable,
                subject: subject.to_string(),
                detail: format!(
                    "what becomes of its nodes could not be read, so nothing is installed: allow {action} to {reader} ({words})"
                ),
            }),
            PortErrorKind::Throttled | PortErrorKind::Unavailable | PortErrorKind::Credentials => {
                self.warnings.push(format!(
                    "whether results can be read in {} could not be tried ({action}): {words}",
                    subject.to_string()
                ));
            }
            // NotFound and Invalid show that the call was allowed, and that AWS then looked for what does not exist.
            _ => {}
        }
    }
}
