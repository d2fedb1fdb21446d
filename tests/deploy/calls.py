"""What IAM asks about a call: its action, and the resources that the service authorization reference names for it."""

SSM_WITH_EXECUTION = {"DescribeAutomationStepExecutions", "GetAutomationExecution", "StopAutomationExecution"}

SSM_WITH_DOCUMENT = {
    "CreateDocument",
    "DescribeDocument",
    "DescribeDocumentPermission",
    "GetDocument",
    "ModifyDocumentPermission",
    "UpdateDocument",
    "UpdateDocumentDefaultVersion",
}


def partition_of(region):
    """The partition of a Region, as far as these tests need it."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def node_arn(partition, region, account, node):
    """A managed node's ARN."""
    kind, service = ("managed-instance", "ssm") if node.startswith("mi-") else ("instance", "ec2")
    return f"arn:{partition}:{service}:{region}:{account}:{kind}/{node}"


def document_arn(partition, region, account, name):
    """A document's ARN. AWS's own belong to no account."""
    return name if name.startswith("arn:") else f"arn:{partition}:ssm:{region}:{owner(account, name)}:document/{name}"


def owner(account, name):
    """Whose document it is."""
    return "" if name.startswith("AWS-") else account


def questions(call):
    """The pairs of action and resource that AWS asks about a recorded call."""
    account, region, given = call["account"], call["region"], call["input"]
    service, operation, partition = call["service"], call["operation"], partition_of(call["region"])
    action = f"{service}:{operation}"
    if action == "sts:AssumeRole":
        return [(action, given["RoleArn"])]
    if service == "s3":
        # What S3 asks about is named otherwise than some of its calls (user guide of S3, required permissions).
        asked = {"HeadObject": "GetObject", "HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket"}
        bucket = f"arn:{partition}:s3:::{given['Bucket']}"
        return [(f"s3:{asked.get(operation, operation)}", f"{bucket}/{given['Key']}" if "Key" in given else bucket)]
    if service == "ssm" and operation in SSM_WITH_EXECUTION:
        return [(action, f"arn:{partition}:ssm:{region}:{account}:automation-execution/{given['AutomationExecutionId']}")]
    if service == "ssm" and operation in SSM_WITH_DOCUMENT:
        return [(action, document_arn(partition, region, account, given["Name"]))]
    if action == "ssm:DescribeInstancePatchStates":
        return [(action, node_arn(partition, region, account, node)) for node in given["InstanceIds"]]
    if action == "ssm:DescribeInstancePatches":
        return [(action, node_arn(partition, region, account, given["InstanceId"]))]
    if action == "ssm:StartAutomationExecution":
        name = given["DocumentName"]
        started = [(action, document_arn(partition, region, account, name))]
        started.append((action, f"arn:{partition}:ssm:{region}:{account}:automation-execution/*"))
        if "AutomationAssumeRole" in given.get("Parameters", {}):
            started.append(("iam:PassRole", given["Parameters"]["AutomationAssumeRole"][0]))
        if given.get("Tags"):
            started.append(("ssm:AddTagsToResource", f"arn:{partition}:ssm:{region}:{account}:automation-execution/*"))
        return started
    if action == "resource-groups:ListGroupResources":
        name = given.get("Group") or given["GroupName"]
        arn = name if name.startswith("arn:") else f"arn:{partition}:resource-groups:{region}:{account}:group/{name}"
        return [(action, arn), *((one, "*") for one in OF_A_GROUP)]
    if action == "resource-groups:SearchResources":
        return [(action, "*"), *((one, "*") for one in OF_A_GROUP)]
    if service == "organizations" and "ParentId" in given:
        return [(action, f"arn:{partition}:organizations::{account}:ou/o-a1b2c3d4e5/{given['ParentId']}")]
    if service == "organizations" and "ResourceId" in given:
        return [(action, f"arn:{partition}:organizations::{account}:account/o-a1b2c3d4e5/{given['ResourceId']}")]
    return [(action, "*")]


# What a group or a search depends on, where a caller asks for it (service authorization reference of Resource Groups).
OF_A_GROUP = ("cloudformation:DescribeStacks", "cloudformation:ListStackResources", "tag:GetResources")


def made_by_aws(state, role):
    """What AWS does with the execution role, told by the executions and commands of a world.

    The child of an execution is started with that role in its own account, and hands the role on to its step. The step
    sends the command with it, and follows it. Which nodes a group holds, Run Command asks with it too.
    """
    asked = []
    for child in (one for one in state["executions"] if one["parent"]):
        account, region, name = child["account"], child["region"], child["document"]
        partition = partition_of(region)
        shared = f"arn:{partition}:ssm:{region}:{owner(child['document_account'], name)}:document/{name}"
        execution = f"arn:{partition}:ssm:{region}:{account}:automation-execution/{child['execution_id']}"
        asked.append(("ssm:StartAutomationExecution", shared))
        asked.append(("ssm:StartAutomationExecution", execution))
        asked.append(("ssm:GetAutomationExecution", execution))
        asked.append(("iam:PassRole", f"arn:{partition}:iam::{account}:role/{role}"))
    for command in state["commands"]:
        account, region = command["account"], command["region"]
        partition = partition_of(region)
        asked.append(("ssm:SendCommand", document_arn(partition, region, account, command["document"])))
        for node in command["invocations"]:
            asked.append(("ssm:SendCommand", node_arn(partition, region, account, node["node"])))
        for action in ("ListCommands", "ListCommandInvocations", "DescribeInstanceInformation"):
            asked.append((f"ssm:{action}", "*"))
        for target in command["targets"]:
            if target["Key"] == "resource-groups:Name":
                group = f"arn:{partition}:resource-groups:{region}:{account}:group/{target['Values'][0]}"
                asked.append(("resource-groups:ListGroupResources", group))
                asked.append(("tag:GetResources", "*"))
    return asked
