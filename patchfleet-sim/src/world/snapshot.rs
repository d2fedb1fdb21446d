//! The ground truth as JSON, which `GET /_sim/state` answers. The same world, seed and calls give the
//! same bytes.

use crate::world::{Command, Execution, Invocation, Node, Step, World};
use serde_json::{Value, json};

impl World {
    /// The whole truth, for tests and people to compare with the answers they got.
    #[must_use]
    pub fn state(&self) -> Value {
        let (executions, commands) = self.runs();
        json!({
            "seed": self.seed.0,
            "start": self.start(),
            "now": self.now(),
            "management_account": self.org.management,
            "root_id": self.org.root,
            "executions": executions,
            "commands": commands,
            "changes": self.changes,
            "nodes": self.nodes().map(node).collect::<Vec<_>>(),
        })
    }

    /// All executions and all commands, as the whole truth has them.
    #[must_use]
    pub fn runs(&self) -> (Vec<Value>, Vec<Value>) {
        let mut executions: Vec<&Execution> = self.executions.values().collect();
        executions.sort_by_key(|one| (one.started, &one.order.location, one.age()));
        let mut commands: Vec<&Command> = self.commands.values().collect();
        commands.sort_by_key(|one| (one.requested, &one.order.location, one.age()));
        let executions = executions.into_iter().map(execution);
        let commands = commands.into_iter().map(command);
        (executions.collect(), commands.collect())
    }
}

fn execution(one: &Execution) -> Value {
    json!({
        "execution_id": one.id,
        "account": one.order.location.account,
        "region": one.order.location.region,
        "document": one.order.document,
        "document_version": one.version,
        "document_account": one.home.account,
        "status": one.status.as_str(),
        "failure": one.failure,
        "parent": one.parent(),
        "target": one.target(),
        "executed_by": one.order.executed_by,
        "parameters": *one.order.parameters,
        "target_locations": one.order.targets.iter().map(|entry| &entry.given).collect::<Vec<_>>(),
        "tags": one.order.tags.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "client_token": one.order.token,
        "started": one.started,
        "ended": one.ended,
        "steps": one.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn step(one: &Step) -> Value {
    json!({
        "name": one.name,
        "action": one.action,
        "status": one.status.as_str(),
        "failure": one.failure(),
        "account": one.location().map(|location| &location.account),
        "region": one.location().map(|location| &location.region),
        "child": one.child,
        "command": one.command,
        "started": one.started,
        "ended": one.ended,
    })
}

fn command(one: &Command) -> Value {
    json!({
        "command_id": one.id,
        "account": one.order.location.account,
        "region": one.order.location.region,
        "document": one.order.document,
        "execution": one.order.step.as_ref().map(|(execution, _)| execution),
        "parameters": one.order.parameters,
        "targets": one.order.targets,
        "instance_ids": one.order.instance_ids,
        "max_concurrency": one.order.max_concurrency,
        "max_errors": one.order.max_errors,
        "output": json!({
            "s3_bucket": one.order.options.output_bucket,
            "s3_prefix": one.order.options.output_prefix,
            "cloudwatch": one.order.options.cloudwatch,
        }),
        "status": one.status.as_str(),
        "status_details": one.details,
        "requested": one.requested,
        "ended": one.ended,
        "invocations": one.invocations().iter().map(invocation).collect::<Vec<_>>(),
    })
}

fn invocation(one: &Invocation) -> Value {
    let (status, details) = one.state.status();
    json!({
        "node": one.node,
        "status": status,
        "status_details": details,
        "response_code": one.response_code,
        "started": one.started,
        "ended": one.ended,
        "at_work_until": one.at_work_until(),
    })
}

fn node(one: &Node) -> Value {
    let report = one.report.as_ref();
    json!({
        "id": one.id,
        "account": one.location.account,
        "region": one.location.region,
        "kind": one.id.kind(),
        "platform": one.platform,
        "groups": *one.groups,
        "tags": *one.tags,
        "reachability": one.reachability,
        "managed": one.is_managed(),
        "online": one.is_online(),
        "behaviour": one.behaviour.outcome,
        "installs": one.installs,
        "patches": one.patches,
        "reported": report.map(|report| json!({
            "operation": report.operation,
            "started": report.started,
            "ended": report.ended,
            "snapshot": report.snapshot,
            "reboot_option": report.reboot_option,
            "found": report.found,
        })),
    })
}
