"""The common operations through the AWS CLI: its requests and the answers to them are held to the
models, and what it prints is what was answered.

Usage: aws_cli.py SIMULATOR
"""

import json
import os
import pathlib
import subprocess
import sys

import clients
import known
import simulator
import wire

AWS = str(pathlib.Path(sys.executable).with_name("aws"))


class Shell:
    """Runs the CLI against one simulator."""

    def __init__(self, running):
        self.environment = os.environ | {
            "AWS_ENDPOINT_URL": running.endpoint,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": clients.HOME,
            "AWS_PAGER": "",
        }
        self.runs = 0

    def aws(self, *arguments):
        """What a command prints, as JSON; None if it prints nothing."""
        done = self._run(*arguments)
        if done.returncode:
            raise AssertionError(f"aws {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, code, *arguments):
        """A command that has to end with this error."""
        done = self._run(*arguments)
        if done.returncode == 0 or f"({code})" not in done.stderr:
            raise AssertionError(f"aws {' '.join(arguments)}: {code} was expected: {done.stderr}{done.stdout}")

    def _run(self, *arguments):
        self.runs += 1
        command = [AWS, "--output", "json", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)


def patch(shell, running):
    """A console user's evening: look around, start, follow, read what came of it."""
    aws = shell.aws
    assert aws("sts", "get-caller-identity")["Account"] == clients.MAIN
    root = aws("organizations", "list-roots")["Roots"][0]["Id"]
    assert len(aws("organizations", "list-accounts", "--page-size", "2")["Accounts"]) == 4
    units = aws("organizations", "list-organizational-units-for-parent", "--parent-id", root)["OrganizationalUnits"]
    unit = next(one for one in units if one["Name"] == "Workloads")
    aws("organizations", "list-accounts-for-parent", "--parent-id", unit["Id"])
    aws("organizations", "list-children", "--parent-id", root, "--child-type", "ORGANIZATIONAL_UNIT")
    assert aws("account", "list-regions", "--region-opt-status-contains", "ENABLED_BY_DEFAULT")["Regions"]
    members = aws("resource-groups", "list-group-resources", "--group", "WebServers", "--page-size", "3")
    assert len(members["Resources"]) == 7, members
    found = aws("resource-groups", "search-resources", "--resource-query", json.dumps(known.WEB_TIER))
    assert len(found["ResourceIdentifiers"]) == 7, found
    execution = aws(
        "ssm", "start-automation-execution", "--document-name", "Fleet-Patch",
        "--parameters", "ResourceGroupName=WebServers,Operation=Install,MaxConcurrency=100%",
        "--target-locations", f"Accounts={unit['Id']},Regions={clients.HOME},TargetLocationMaxConcurrency=2",
        "--tags", "Key=Team,Value=ops",
    )["AutomationExecutionId"]  # fmt: skip
    running.advance(7200)
    by_id = ["--automation-execution-id", execution]
    told = aws("ssm", "get-automation-execution", *by_id)["AutomationExecution"]
    assert told["AutomationExecutionStatus"] == "Success", told
    steps = aws("ssm", "describe-automation-step-executions", *by_id)["StepExecutions"]
    assert steps[0]["Outputs"]["ExecutionId"], steps
    aws("ssm", "describe-automation-executions", "--filters", "Key=ExecutionStatus,Values=Success")
    shell.refused("InvalidAutomationStatusUpdateException", "ssm", "stop-automation-execution", *by_id)


def run_command(shell, running):
    """A command by hand, with the CLI's own waiter."""
    aws = shell.aws
    nodes = aws("ssm", "describe-instance-information", "--filters", "Key=PlatformTypes,Values=Linux")
    node = nodes["InstanceInformationList"][0]["InstanceId"]
    command = aws(
        "ssm", "send-command", "--document-name", "AWS-RunPatchBaseline",
        "--parameters", "Operation=Scan", "--instance-ids", node,
    )["Command"]["CommandId"]  # fmt: skip
    running.advance(3600)
    by_id = ["--command-id", command]
    aws("ssm", "wait", "command-executed", *by_id, "--instance-id", node)
    assert aws("ssm", "get-command-invocation", *by_id, "--instance-id", node)["Status"] == "Success"
    assert aws("ssm", "list-commands", *by_id)["Commands"][0]["CompletedCount"] == 1
    assert aws("ssm", "list-command-invocations", *by_id, "--details")["CommandInvocations"]
    aws("ssm", "cancel-command", *by_id)
    states = aws("ssm", "describe-instance-patch-states", "--instance-ids", node)["InstancePatchStates"]
    assert states[0]["Operation"] == "Scan", states
    aws("ssm", "describe-instance-patches", "--instance-id", node, "--max-items", "10")


def documents(shell, running):
    """A document of one's own."""
    aws = shell.aws
    content = json.dumps(
        {"schemaVersion": "0.3", "mainSteps": [{"name": "wait", "action": "aws:sleep", "inputs": {"Duration": "PT1M"}}]}
    )
    named = ["--name", "By-Hand"]
    aws("ssm", "create-document", *named, "--content", content, "--document-type", "Automation")
    aws("ssm", "describe-document", *named)
    assert aws("ssm", "get-document", *named)["Content"] == content
    aws("ssm", "list-documents", "--filters", "Key=Owner,Values=Self")
    aws("ssm", "delete-document", *named)
    shell.refused("InvalidDocument", "ssm", "describe-document", *named)
    shell.refused("NotFoundException", "resource-groups", "get-group", "--group", "Nobodys")
    role = f"arn:aws:iam::{clients.WEB}:role/Nobodys"
    shell.refused("AccessDenied", "sts", "assume-role", "--role-arn", role, "--role-session-name", "cli")


def main():
    audit, problems, runs = wire.Audit(strict=True), [], 0
    for act in [patch, run_command, documents]:
        with simulator.Simulator(sys.argv[1], "company") as running:
            shell = Shell(running)
            try:
                act(shell, running)
            except AssertionError as error:
                problems.append(f"{act.__name__}: {error}")
            problems += audit.of_all(running.proxy.taken())
            runs += shell.runs
    covered = audit.coverage
    print(f"AWS CLI: {runs} commands, {covered.exchanges} exchanges, {len(covered.answered)} operations answered")
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
