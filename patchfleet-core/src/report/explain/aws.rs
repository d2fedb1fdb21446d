//! What AWS calls the things that a campaign began, and where its console shows them.

use crate::campaign::{LocationState, StartState, State};
use crate::id::{AccountId, Location, NodeId, Partition, Region, UnitId};
use crate::outcome::{NodeOutcome, NodeRow};
use crate::port::ExecutionStatus;
use crate::text::counted;
use serde::{Deserialize, Serialize};

/// Something that AWS has an id for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AwsId {
    /// What it is.
    pub kind: AwsIdKind,
    /// AWS's id. Of an invocation it is that of its command.
    pub id: String,
    /// The account that it is in.
    pub account: AccountId,
    /// The Region that it is in.
    pub region: Region,
    /// How far it was when the log last told of it; empty if the log does not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// Where AWS's console shows it to whoever has signed in to its account; `None` in partitions whose console has no
    /// published address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
}

/// What has an id at AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AwsIdKind {
    /// The execution of a unit, in the central account and Region.
    Execution,
    /// What that began in the location.
    LocationExecution,
    /// A command that patches in the location.
    Command,
    /// What a command did on the node.
    Invocation,
}

impl AwsIdKind {
    /// The kind in words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Execution => "the execution",
            Self::LocationExecution => "in the location",
            Self::Command => "the command",
            Self::Invocation => "on the node",
        }
    }
}

/// The address of Systems Manager in a Region's console. AWS documents no pattern for it, so these are read off links of
/// its own guides. The Amazon ECS Developer Guide links to Systems Manager as
/// `https://us-gov-west-1.console.amazonaws-us-gov.com/systems-manager/…` and
/// `https://cn-north-1.console.amazonaws.cn/systems-manager/…` ("Retrieving Amazon ECS-optimized AMI metadata").
pub(super) fn console(region: &Region) -> Option<String> {
    let domain = match region.partition() {
        Partition::Aws => "console.aws.amazon.com",
        Partition::AwsCn => "console.amazonaws.cn",
        Partition::AwsUsGov => "console.amazonaws-us-gov.com",
        // No page of theirs was found that links to Systems Manager.
        Partition::AwsEusc
        | Partition::AwsIso
        | Partition::AwsIsoB
        | Partition::AwsIsoE
        | Partition::AwsIsoF => return None,
    };
    Some(format!("https://{region}.{domain}/systems-manager"))
}

impl AwsId {
    fn new(kind: AwsIdKind, id: &impl ToString, at: &Location, status: String, page: &str) -> Self {
        let (id, region) = (id.to_string(), &at.region);
        let link = |console| format!("{console}/{page}?region={region}");
        Self {
            kind,
            account: at.account.clone(),
            region: region.clone(),
            console: console(region).map(link),
            status,
            id,
        }
    }

    /// `…/automation/execution/ID`, as the test framework of AWS's resilience runbooks links to it
    /// (aws-digito-artifacts-gameday, `ssm_document.py`).
    fn execution(
        kind: AwsIdKind,
        id: &impl ToString,
        at: &Location,
        status: Option<&ExecutionStatus>,
    ) -> Self {
        let status = status.map_or_else(String::new, |status| status.as_str().to_owned());
        let page = format!("automation/execution/{}", id.to_string());
        Self::new(kind, id, at, status, &page)
    }
}

/// What AWS has of a location's part of a unit. A node has its own page of each command that came to it.
pub(super) fn ids(
    state: &State,
    unit: UnitId,
    location: &Location,
    at: &LocationState,
    row: Option<&NodeRow>,
    node: Option<&NodeId>,
) -> Vec<AwsId> {
    let mut ids = vec![];
    let central = &state.plan().central;
    let central = Location::new(central.account.clone(), central.region.clone());
    let of = state.units().get(&unit);
    let sends = state.is_sent_once();
    if let Some(of) = of
        && let StartState::Started { execution, .. } = &of.start
        && sends
        && at.commands.is_empty()
    {
        // Of what patchfleet sent itself there is the command alone.
        let (kind, page) = (AwsIdKind::Command, format!("run-command/{execution}"));
        ids.push(AwsId::new(kind, execution, location, String::new(), &page));
    } else if let Some(of) = of
        && let StartState::Started { execution, .. } = &of.start
        && !sends
    {
        let status = of.ended.as_ref().unwrap_or(&ExecutionStatus::InProgress);
        ids.push(AwsId::execution(
            AwsIdKind::Execution,
            execution,
            &central,
            Some(status),
        ));
    }
    if let Some(child) = at.child.as_ref().filter(|_| !sends) {
        let kind = AwsIdKind::LocationExecution;
        ids.push(AwsId::execution(kind, child, location, at.status.as_ref()));
    }
    for (command, counts) in &at.commands {
        let nodes = counted(counts.targets, "node");
        let status = format!(
            "{} of {nodes} through, {} failed",
            counts.completed, counts.errors
        );
        // `…/run-command/COMMAND` and `…/run-command/COMMAND/NODE`, as Teleport links to what it has sent
        // (gravitational/teleport, lib/srv/server/ssm_install.go). Both were seen in other programs as well.
        let page = format!("run-command/{command}");
        ids.push(AwsId::new(AwsIdKind::Command, command, location, status, &page));
        // Of several commands some may have gone to other nodes.
        if let Some(node) = node
            && at.commands.len() == 1
            && row.is_some_and(|row| was_reached(row.outcome))
        {
            let page = format!("run-command/{command}/{node}");
            let id = AwsId::new(AwsIdKind::Invocation, command, location, String::new(), &page);
            ids.push(id);
        }
    }
    ids
}

/// Whether a command surely came to a node with this outcome, so that it has a page of it.
fn was_reached(outcome: NodeOutcome) -> bool {
    use NodeOutcome as O;
    matches!(
        outcome,
        O::Done | O::PendingReboot | O::Missing | O::Failed | O::Lost
    )
}
