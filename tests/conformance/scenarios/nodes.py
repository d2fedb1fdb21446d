"""Managed nodes, their patch states and their patches."""

from clients import HOME, WEB
from known import NODE, STRANGER, TOKEN, a_command, every_page
from registry import refused, scenario


@scenario()
def nodes_are_found_by_every_filter(stage):
    ssm = stage.client("ssm")
    entries, pages = every_page(ssm.describe_instance_information, "InstanceInformationList", MaxResults=5)
    assert pages == 2 and len(entries) == 9, (len(entries), pages)
    for key, values, count in [
        ("InstanceIds", [NODE], 1),
        ("PingStatus", ["ConnectionLost"], 1),
        ("PlatformTypes", ["Windows"], 1),
        ("ResourceType", ["ManagedInstance"], 1),
        ("tag-key", ["Site"], 1),
        ("tag:Tier", ["web"], 7),
    ]:
        found = ssm.describe_instance_information(Filters=[{"Key": key, "Values": values}])
        assert len(found["InstanceInformationList"]) == count, (key, found)


@scenario(
    arises=[
        "ssm.DescribeInstanceInformation.InvalidNextToken",
        "ssm.DescribeInstanceInformation.InvalidInstanceId",
        "ssm.DescribeInstanceInformation.InvalidInstanceInformationFilterValue",
        "ssm.DescribeInstancePatchStates.InvalidNextToken",
        "ssm.DescribeInstancePatches.InvalidNextToken",
        "ssm.DescribeInstancePatches.InvalidInstanceId",
        "ssm.DescribeInstancePatches.InvalidFilter",
    ]
)
def listings_of_nodes_refuse(stage):
    ssm = stage.client("ssm")

    def filtered(key, value):
        return {"Filters": [{"Key": key, "Values": [value]}]}

    nodes = ssm.describe_instance_information
    refused("ValidationException", nodes, **filtered("Surprise", "x"))
    refused("InvalidInstanceId", nodes, **filtered("InstanceIds", "not-an-instance"))
    refused("InvalidInstanceInformationFilterValue", nodes, **filtered("PlatformTypes", "Amiga"))
    refused("InvalidNextToken", nodes, NextToken=TOKEN)
    refused("InvalidNextToken", ssm.describe_instance_patch_states, InstanceIds=[NODE], NextToken=TOKEN)
    refused("InvalidNextToken", ssm.describe_instance_patches, InstanceId=NODE, NextToken=TOKEN)
    refused("InvalidInstanceId", ssm.describe_instance_patches, InstanceId=STRANGER)
    refused("InvalidFilter", ssm.describe_instance_patches, InstanceId=NODE, **filtered("Surprise", "x"))


@scenario()
def patch_states_and_patches_agree(stage):
    a_command(stage)
    ssm = stage.client("ssm")
    ids = [one["InstanceId"] for one in ssm.describe_instance_information()["InstanceInformationList"]]
    states = ssm.describe_instance_patch_states(InstanceIds=ids)["InstancePatchStates"]
    assert {one["InstanceId"] for one in states} == set(ids), states
    for state in states:
        patches, _ = every_page(
            ssm.describe_instance_patches, "Patches", InstanceId=state["InstanceId"], MaxResults=100
        )
        missing = [one for one in patches if one["State"] == "Missing"]
        assert len(missing) == state["MissingCount"], state
        again = ssm.describe_instance_patches(
            InstanceId=state["InstanceId"], Filters=[{"Key": "State", "Values": ["Missing"]}]
        )
        assert again["Patches"] == missing[:50], (again, missing)


@scenario("trouble")
def patch_states_come_in_pages(stage):
    ssm = stage.client("ssm", "us-west-2")
    ids = [one["InstanceId"] for one in ssm.describe_instance_information()["InstanceInformationList"]]
    entries, pages = every_page(
        ssm.describe_instance_patch_states, "InstancePatchStates", InstanceIds=ids, MaxResults=10
    )
    assert (len(entries), pages) == (12, 2), entries


@scenario("trouble")
def a_node_that_waits_for_its_reboot_says_so(stage):
    ssm = stage.client("ssm", HOME, WEB)
    ssm.send_command(
        DocumentName="AWS-RunPatchBaseline",
        Parameters={
            "Operation": ["Install"],
            "RebootOption": ["NoReboot"],
            "SnapshotId": ["00000000-0000-4000-8000-000000000001"],
            "InstallOverrideList": ["s3://bucket/list.yaml"],
        },
        Targets=[{"Key": "resource-groups:Name", "Values": ["WebServers"]}],
        MaxConcurrency="100%",
        MaxErrors="100%",
    )
    stage.advance(8 * 3600)
    ids = [one["InstanceId"] for one in ssm.describe_instance_information()["InstanceInformationList"]]
    states = ssm.describe_instance_patch_states(InstanceIds=ids)["InstancePatchStates"]
    assert any(one["InstalledPendingRebootCount"] for one in states), states
    assert any("LastNoRebootInstallOperationTime" in one for one in states), states
