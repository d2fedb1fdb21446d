"""A handler as the second post describes it: it takes everything from its environment, and starts one automation."""

import os
import uuid

import boto3

ssm = boto3.client("ssm")


def handler(event, context):
    """Starts the automation. The event is not read."""
    variables = os.environ
    account = variables["MasterAccountID"]
    parameters = {
        "AutomationAssumeRole": [f"arn:aws:iam::{account}:role/AWS-SystemsManager-AutomationAdministrationRole"],
        "Operation": [variables["RunPatchBaselineOperation"]],
        "RebootOption": [variables["RunPatchBaselineRebootOption"]],
        "SnapshotId": [str(uuid.uuid4())],
    }
    # AWS takes no empty text.
    if variables["RunPatchBaselineInstallOverrideList"]:
        parameters["InstallOverrideList"] = [variables["RunPatchBaselineInstallOverrideList"]]
    response = ssm.start_automation_execution(
        DocumentName=variables["AutomationDocumentMamrRunPatchBaseline"],
        Parameters=parameters,
        TargetLocations=[
            {
                "Accounts": variables["TargetAccounts"].split(","),
                "Regions": variables["TargetRegionIds"].split(","),
                "TargetLocationMaxConcurrency": variables["TargetLocationMaxConcurrency"],
                "TargetLocationMaxErrors": variables["TargetLocationMaxErrors"],
                "ExecutionRoleName": variables["ExecutionRoleName"],
            }
        ],
    )
    print(response)
