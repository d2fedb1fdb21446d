//! Tries before anything is installed whether the results could be read, and whether a stop would be allowed.
//!
//! A role that may start patching but may not read what became of it leaves a fleet patched and every node
//! *unknown*. So each call that collecting needs is made once before. Where possible it asks for a thing
//! that does not exist, because AWS checks the permission first.
//!
//! The calls of a stop are tried in the same way, with an execution and a command that do not exist. A campaign can do
//! without them, so what is denied is a warning.

use super::{Plan, PlannedLocation};
use crate::census::CensusTaken;
use crate::id::{AccountId, CommandId, ExecutionId, Location, NodeId, ParseIdError};
use crate::port::{Automation, PortErrorKind, PortResult, ResultPorts, StopType};
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::{Dispatch, PatchRequest};
use crate::text::names;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use std::collections::BTreeMap;

/// What came of trying.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// What may not be read.
    pub(super) denied: Vec<RefusalReason>,
    /// What could not be tried.
    unclear: Vec<String>,
    /// Which calls of a stop are denied to whom: where, and AWS's words at the first place.
    unstoppable: BTreeMap<(&'static str, String), (Vec<String>, String)>,
}

/// Things that are not there. AWS gives none of its own such ids.
#[derive(Clone)]
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

/// What a call is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To read what became of nodes. An Install is refused without it.
    Results,
    /// To stop the campaign, if a person asks for that.
    Stop,
    /// To stop it, with the role that sends the commands as well. An Install is refused if there is no such role.
    StopAsSender,
}

/// One call that was tried.
struct Trial {
    action: &'static str,
    purpose: Purpose,
    answer: Result<(), (PortErrorKind, String)>,
}

type Call<'a> = (&'static str, Purpose, BoxFuture<'a, PortResult<()>>);

async fn all(calls: Vec<Call<'_>>) -> Vec<Trial> {
    join_all(calls.into_iter().map(|(action, purpose, call)| async move {
        Trial {
            action,
            purpose,
            answer: call.await.map_err(|error| (error.kind(), error.reason())),
        }
    }))
    .await
}

/// Makes a call to find out only whether it is allowed.
fn asked<'a, T: Send + 'a>(call: BoxFuture<'a, PortResult<T>>) -> BoxFuture<'a, PortResult<()>> {
    Box::pin(async move { call.await.map(drop) })
}

/// Calls with which the results of `plan` will be read, and with which it would be stopped. Each place is tried by itself: the
/// central account, and the first location with nodes of each account.
pub(super) fn trials<'a>(
    ports: ResultPorts<'a>,
    plan: &'a Plan,
    census: &'a CensusTaken,
) -> Vec<BoxFuture<'a, Tried>> {
    // A location that is kept without being known may deny everything, as its request accepts.
    let mut first: BTreeMap<&AccountId, &PlannedLocation> = BTreeMap::new();
    for planned in plan.locations.iter().filter(|planned| planned.kept.is_none()) {
        first.entry(&planned.account).or_insert(planned);
    }
    let Ok(nothing) = Nothing::new() else {
        return vec![];
    };
    let sends = plan.request.automation.dispatch == Dispatch::RunCommand;
    let center = (!sends).then(|| {
        let nothing = nothing.clone();
        async move {
            let central = format!("{}/{}", plan.central.account, plan.central.region);
            let mut tried = Tried::default();
            for trial in in_center(ports.automation, plan, &nothing).await {
                tried.add(&central, trial, "the caller");
            }
            tried
        }
        .boxed()
    });
    let mut trials: Vec<BoxFuture<'a, Tried>> = center.into_iter().collect();
    trials.extend(first.into_values().map(|planned| {
        let nothing = nothing.clone();
        async move {
            let location = planned.location();
            let node = census.any_node(&location).unwrap_or(&nothing.node);
            let calls = in_location(ports, &location, node, &nothing, &plan.request);
            let mut tried = Tried::default();
            tried.add_location(plan, planned, all(calls).await);
            tried
        }
        .boxed()
    }));
    trials
}

/// What AWS said, if every call was refused in a location where the census was answered a moment ago. Then no permission
/// of a single call is missing. A role that the census used could be assumed. One that counted the nodes could also make
/// one of these calls, `ssm:DescribeInstanceInformation`.
fn refused_since_the_census<'a>(planned: &PlannedLocation, trials: &'a [Trial]) -> Option<&'a str> {
    let refused: Option<Vec<(PortErrorKind, &str)>> = trials
        .iter()
        .filter(|trial| trial.purpose == Purpose::Results)
        .map(|trial| match &trial.answer {
            Err((kind @ (PortErrorKind::Denied | PortErrorKind::RoleNotAssumable), words)) => {
                Some((*kind, words.as_str()))
            }
            _ => None,
        })
        .collect();
    let refused = refused?;
    let unassumable = |(kind, _): &(PortErrorKind, &str)| *kind == PortErrorKind::RoleNotAssumable;
    let could = planned.nodes.is_some() || refused.iter().all(unassumable);
    refused.first().filter(|_| could).map(|(_, words)| *words)
}

/// The action that stops an execution, in the central account and in a location.
const STOP_EXECUTION: &str = "ssm:StopAutomationExecution";

async fn in_center(automation: &dyn Automation, plan: &Plan, nothing: &Nothing) -> Vec<Trial> {
    let document = &plan.request.automation.document;
    all(vec![
        (
            "ssm:GetAutomationExecution",
            Purpose::Results,
            asked(automation.execution(&nothing.execution)),
        ),
        (
            "ssm:DescribeAutomationStepExecutions",
            Purpose::Results,
            asked(automation.steps(&nothing.execution, None)),
        ),
        (
            "ssm:DescribeAutomationExecutions",
            Purpose::Results,
            asked(automation.find(document, "patchfleet:none", None)),
        ),
        (
            STOP_EXECUTION,
            Purpose::Stop,
            automation.stop(&nothing.execution, StopType::Cancel),
        ),
    ])
    .await
}

fn in_location<'a>(
    ports: ResultPorts<'a>,
    location: &Location,
    node: &NodeId,
    nothing: &Nothing,
    request: &PatchRequest,
) -> Vec<Call<'a>> {
    let nodes = [node.clone()];
    let mut calls: Vec<Call<'a>> = vec![];
    if request.automation.dispatch == Dispatch::Automation {
        calls.extend([
            (
                "ssm:GetAutomationExecution",
                Purpose::Results,
                asked(ports.automation.child(location, &nothing.execution)),
            ),
            (
                "ssm:DescribeAutomationExecutions",
                Purpose::Results,
                asked(ports.automation.children(location, &nothing.execution, None)),
            ),
        ]);
    }
    calls.extend([
        (
            "ssm:ListCommands",
            Purpose::Results,
            asked(ports.commands.command(location, &nothing.command)),
        ),
        (
            "ssm:ListCommandInvocations",
            Purpose::Results,
            asked(
                ports
                    .commands
                    .invocations(location, &nothing.command, false, None),
            ),
        ),
        (
            "ssm:DescribeInstanceInformation",
            Purpose::Results,
            asked(ports.inventory.managed(location, Some(&nodes), None)),
        ),
        // Tried with a node that is there, since a policy may allow the action for some nodes only.
        (
            "ssm:DescribeInstancePatchStates",
            Purpose::Results,
            asked(ports.patch_states.patch_states(location, &nodes)),
        ),
    ]);
    if request.automation.dispatch == Dispatch::Automation {
        calls.push((
            STOP_EXECUTION,
            Purpose::Stop,
            ports
                .automation
                .stop_child(location, &nothing.execution, StopType::Cancel),
        ));
    }
    calls.push((
        "ssm:CancelCommand",
        match request.access.send_role {
            Some(_) => Purpose::StopAsSender,
            None => Purpose::Stop,
        },
        ports.commands.cancel(location, &nothing.command),
    ));
    if request.patch.baseline_override.is_some() {
        // A run with a baseline override leaves nothing but what it printed.
        calls.push((
            "ssm:GetCommandInvocation",
            Purpose::Results,
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
    pub(super) fn extend(&mut self, more: Self) {
        self.denied.extend(more.denied);
        self.unclear.extend(more.unclear);
        for (whose, (places, words)) in more.unstoppable {
            let (all, _) = self.unstoppable.entry(whose).or_insert((vec![], words));
            all.extend(places);
        }
    }

    /// What a person should know before the Install: what could not be tried, and what a stop could not do.
    pub(super) fn warnings(self) -> impl Iterator<Item = String> {
        let unstoppable = self.unstoppable.into_iter();
        let unstoppable = unstoppable.map(|((action, whose), (places, words))| {
            format!(
                "a stop of this campaign could not stop all of it: {action} is denied to {whose} in {}. Allow it, or what \
                 runs there goes on to its end ({words})",
                names(places)
            )
        });
        self.unclear.into_iter().chain(unstoppable)
    }

    /// Adds what came of the calls in a location of `plan`.
    fn add_location(&mut self, plan: &Plan, planned: &PlannedLocation, trials: Vec<Trial>) {
        let location = planned.location();
        let role = &plan.request.access.discovery_role;
        if planned.account == plan.central.account {
            for trial in trials {
                self.add(&location, trial, "the caller");
            }
        } else if let Some(words) = refused_since_the_census(planned, &trials) {
            self.denied.push(RefusalReason {
                code: RefusalCode::ResultsUnreadable,
                subject: planned.account.to_string(),
                detail: format!(
                    "the role {role} could be used in {location} while nodes were looked for, and every call is \
                     refused now, so nothing is installed: the account's state may have changed since it was listed. \
                     See whether the account is still active, and plan again ({words})"
                ),
            });
        } else {
            let sender = plan.request.access.send_role.as_ref().unwrap_or(role);
            for trial in trials {
                let role = match trial.purpose {
                    Purpose::Results | Purpose::Stop => role,
                    Purpose::StopAsSender => sender,
                };
                self.add(&location, trial, &format!("the role {role}"));
            }
        }
    }

    fn add(&mut self, subject: impl ToString, trial: Trial, reader: &str) {
        let Err((kind, words)) = trial.answer else {
            return;
        };
        let action = trial.action;
        match kind {
            PortErrorKind::RoleNotAssumable if trial.purpose == Purpose::StopAsSender => {
                self.denied.push(RefusalReason {
                    code: RefusalCode::SendRole,
                    subject: subject.to_string(),
                    detail: format!(
                        "no command could be sent there: the account needs {reader} (access.send_role), which trusts the \
                         caller ({words})"
                    ),
                });
            }
            PortErrorKind::Denied | PortErrorKind::RoleNotAssumable if trial.purpose != Purpose::Results => {
                let whose = (action, reader.to_owned());
                let (places, _) = self.unstoppable.entry(whose).or_insert((vec![], words));
                places.push(subject.to_string());
            }
            PortErrorKind::Denied | PortErrorKind::RoleNotAssumable => self.denied.push(RefusalReason {
                code: RefusalCode::ResultsUnreadable,
                subject: subject.to_string(),
                detail: format!(
                    "what becomes of its nodes could not be read, so nothing is installed: allow {action} to {reader} ({words})"
                ),
            }),
            PortErrorKind::Throttled | PortErrorKind::Unavailable | PortErrorKind::Credentials => {
                let what = match trial.purpose {
                    Purpose::Results => "results can be read",
                    Purpose::Stop | Purpose::StopAsSender => "a stop is allowed",
                };
                self.unclear.push(format!(
                    "whether {what} in {} could not be tried ({action}): {words}",
                    subject.to_string()
                ));
            }
            // NotFound and Invalid show that the call was allowed, and that AWS then looked for what does not exist.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::helpers::{OTHER, asked, planned, world};
    use serde_json::json;

    const ACTIONS: [&str; 3] = ["ssm:GetAutomationExecution", "ssm:ListCommands", "ssm:Describe"];

    fn tried(account: &str, answers: [Result<(), PortErrorKind>; 3]) -> Vec<(String, String)> {
        let plan = planned(
            &world(),
            &asked(json!({"unknown": "skip", "group_missing": "skip"})),
        )
        .unwrap();
        let planned = plan.locations.iter().find(|at| at.account.as_str() == account);
        let trials = ACTIONS.into_iter().zip(answers).map(|(action, answer)| Trial {
            action,
            purpose: Purpose::Results,
            answer: answer.map_err(|kind| (kind, "AccessDenied: no".to_owned())),
        });
        let mut tried = Tried::default();
        tried.add_location(&plan, planned.unwrap(), trials.collect());
        let denied = tried.denied.into_iter();
        denied.map(|reason| (reason.subject, reason.detail)).collect()
    }

    #[test]
    fn an_account_that_refuses_everything_since_the_census_is_told_once_and_not_as_missing_permissions() {
        for kind in [PortErrorKind::RoleNotAssumable, PortErrorKind::Denied] {
            let words = "the role AWS-SystemsManager-AutomationExecutionRole could be used in 222222222222/us-east-1 \
                         while nodes were looked for, and every call is refused now, so nothing is installed: the \
                         account's state may have changed since it was listed. See whether the account is still \
                         active, and plan again (AccessDenied: no)";
            assert_eq!(
                tried(OTHER, [Err(kind); 3]),
                [(OTHER.to_owned(), words.to_owned())]
            );
        }
    }

    #[test]
    fn a_call_that_alone_is_denied_is_told_by_its_action() {
        let denied = Err(PortErrorKind::Denied);
        let told = tried(OTHER, [denied, Err(PortErrorKind::NotFound), denied]);
        let actions: Vec<&str> = told
            .iter()
            .filter_map(|(_, detail)| detail.split_once("allow ")?.1.split_once(" to the role "))
            .map(|(action, _)| action)
            .collect();
        assert_eq!(actions, [ACTIONS[0], ACTIONS[2]]);
        assert!(
            told.iter()
                .all(|(subject, _)| subject == "222222222222/us-east-1")
        );
        // The caller's own account is active, since the caller is there.
        assert_eq!(tried("111111111111", [denied; 3]).len(), 3);
    }
}
