"""Patches a resource group across accounts and Regions, as the two posts on Systems Manager have it:
leave out where the group is empty, start one Automation for the rest, wait, and walk from it down to
every node.

Usage: fleet_patch.py PAYLOAD.json [SECONDS BETWEEN LOOKS]

The payload has the keys of a maintenance window's task: ResourceGroup, TargetAccounts, Regions,
DocumentName, AutomationAssumeRole, ExecutionRoleName, Operation, RebootOption, InstallOverrideList,
MaxConcurrency, MaxErrors, TargetLocationMaxConcurrency, TargetLocationMaxErrors. Prints JSON. Endpoint,
credentials and Region come from the environment, as for every AWS client.
"""

import json
import sys
import time
import uuid

import boto3
import botocore.config
import botocore.exceptions

OPEN = {"Pending", "InProgress", "Waiting", "Cancelling"}
PATIENCE = botocore.config.Config(retries={"mode": "standard", "total_max_attempts": 8})


class Fleet:
    """Clients of the accounts that are patched, each entered by the execution role."""

    def __init__(self, role):
        self.role = role
        self.sts = boto3.client("sts", config=PATIENCE)
        self.own = self.sts.get_caller_identity()
        self.sessions = {self.own["Account"]: boto3.Session()}

    def client(self, service, account, region):
        """A client of a service in one place."""
        if account not in self.sessions:
            partition = self.own["Arn"].split(":")[1]
            arn = f"arn:{partition}:iam::{account}:role/{self.role}"
            key = self.sts.assume_role(RoleArn=arn, RoleSessionName="fleet-patch")["Credentials"]
            self.sessions[account] = boto3.Session(
                aws_access_key_id=key["AccessKeyId"],
                aws_secret_access_key=key["SecretAccessKey"],
                aws_session_token=key["SessionToken"],
            )
        return self.sessions[account].client(service, region_name=region, config=PATIENCE)


def accounts_of(targets):
    """The accounts, those of organizational units included. Only active accounts can be patched."""
    accounts = []
    for target in targets:
        if target.isdigit():
            accounts.append(target)
            continue
        pages = boto3.client("organizations", config=PATIENCE).get_paginator("list_accounts_for_parent")
        for page in pages.paginate(ParentId=target):
            accounts += [one["Id"] for one in page["Accounts"] if one["State"] == "ACTIVE"]
    return sorted(set(accounts))


def has_members(groups, name):
    """Whether the group has a member here. A page may be empty and not the last."""
    try:
        for page in groups.get_paginator("list_group_resources").paginate(Group=name):
            if page.get("QueryErrors"):
                raise RuntimeError(f"the group {name} could not be read: {page['QueryErrors']}")
            if page["Resources"]:
                return True
    except groups.exceptions.NotFoundException:
        pass
    return False


def locations(fleet, payload):
    """Target locations without the empty places: accounts with the same Regions go together."""
    by_regions = {}
    for account in accounts_of(payload["TargetAccounts"]):
        regions = tuple(
            region
            for region in payload["Regions"]
            if has_members(fleet.client("resource-groups", account, region), payload["ResourceGroup"])
        )
        if regions:
            by_regions.setdefault(regions, []).append(account)
    return [
        {
            "Accounts": accounts,
            "Regions": list(regions),
            "TargetLocationMaxConcurrency": payload["TargetLocationMaxConcurrency"],
            "TargetLocationMaxErrors": payload["TargetLocationMaxErrors"],
            "ExecutionRoleName": payload["ExecutionRoleName"],
        }
        for regions, accounts in sorted(by_regions.items())
    ]


def start(ssm, payload, where):
    """Starts the Automation; its id."""
    parameters = {
        "AutomationAssumeRole": payload["AutomationAssumeRole"],
        "ResourceGroupName": payload["ResourceGroup"],
        "Operation": payload["Operation"],
        "RebootOption": payload["RebootOption"],
        # Outside of a maintenance window, one snapshot keeps the nodes to the same patches.
        "SnapshotId": str(uuid.uuid4()),
        "MaxConcurrency": payload["MaxConcurrency"],
        "MaxErrors": payload["MaxErrors"],
    }
    if payload.get("InstallOverrideList"):
        parameters["InstallOverrideList"] = payload["InstallOverrideList"]
    return ssm.start_automation_execution(
        DocumentName=payload["DocumentName"],
        Parameters={name: [value] for name, value in parameters.items()},
        TargetLocations=where,
        ClientToken=str(uuid.uuid4()),
    )["AutomationExecutionId"]


def wait(ssm, execution, pause):
    """Looks until the execution is over; its status."""
    while True:
        status = ssm.get_automation_execution(AutomationExecutionId=execution)["AutomationExecution"][
            "AutomationExecutionStatus"
        ]
        if status not in OPEN:
            return status
        time.sleep(pause)


def steps(ssm, execution):
    """An execution's steps, of which GetAutomationExecution may show only the first."""
    pages = ssm.get_paginator("describe_automation_step_executions")
    for page in pages.paginate(AutomationExecutionId=execution):
        yield from page["StepExecutions"]


def commands(ssm, execution):
    """The commands that a child sent."""
    for step in steps(ssm, execution):
        for name, values in step.get("Outputs", {}).items():
            if step["Action"] == "aws:runCommand" and name.rpartition(".")[2] == "CommandId":
                yield from values


def nodes(ssm, command):
    """What became of every node of a command, with what its patches are like now."""
    found = {}
    for page in ssm.get_paginator("list_command_invocations").paginate(CommandId=command):
        for one in page["CommandInvocations"]:
            found[one["InstanceId"]] = {"status": one["Status"], "details": one["StatusDetails"], "patches": None}
    ids = sorted(found)
    for first in range(0, len(ids), 50):
        pages = ssm.get_paginator("describe_instance_patch_states")
        for page in pages.paginate(InstanceIds=ids[first : first + 50]):
            for state in page["InstancePatchStates"]:
                counts = {key: value for key, value in state.items() if key.endswith("Count")}
                found[state["InstanceId"]]["patches"] = counts | {"Operation": state["Operation"]}
    return found


def walk(fleet, ssm, execution):
    """From the parent to the nodes: each place with its child's status and its nodes."""
    for step in steps(ssm, execution):
        target = step["TargetLocation"]
        account, region = target["Accounts"][0], target["Regions"][0]
        place = {"account": account, "region": region, "status": step["StepStatus"], "nodes": {}}
        for child in step.get("Outputs", {}).get("ExecutionId", []):
            there = fleet.client("ssm", account, region)
            for command in commands(there, child):
                place["nodes"] |= nodes(there, command)
        yield place


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        payload = json.load(file)
    pause = float(sys.argv[2]) if len(sys.argv) > 2 else 15.0
    fleet = Fleet(payload["ExecutionRoleName"])
    where = locations(fleet, payload)
    if not where:
        print(json.dumps({"execution_id": None, "status": None, "locations": []}))
        return
    ssm = boto3.client("ssm", config=PATIENCE)
    execution = start(ssm, payload, where)
    status = wait(ssm, execution, pause)
    told = {"execution_id": execution, "status": status, "locations": list(walk(fleet, ssm, execution))}
    print(json.dumps(told, indent=1))


main()
