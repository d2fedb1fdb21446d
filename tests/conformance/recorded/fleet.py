"""Accounts, Regions, roles, groups, nodes, patches and documents."""

import hashlib
import json
import re

from recorded import HYBRID, MAIN, NODE, WEB, differs, held, refusal
from shape import hold

CALLER = "user/administrator"
ROLE_OF_WEB = f"arn:aws:iam::{WEB}:role/AWS-SystemsManager-AutomationExecutionRole"
QUERY = {"ResourceTypeFilters": ["AWS::AllSupported"], "TagFilters": [{"Key": "Pair", "Values": ["yes"]}]}


@held("22.json")
def a_region_that_is_not_enabled(stage, data):
    account = stage.client("account")
    page = stage.wire(account.list_regions)
    yield from differs(len(page["Regions"]), data[0]["page_size"], "Regions of a page")
    yield from differs(page["Regions"][0], data[0]["first"], "the first Region")
    _, untrusted, unknown, denied, disabling, _, packed = data
    there = stage.wire(account.get_region_opt_status, AccountId=WEB, RegionName="eu-south-1")
    said = {"Code": untrusted["Code"], "Message": untrusted["Message"].replace("user/Delegated", CALLER)}
    yield from refusal(there, said)
    # botocore gives the members of an error's shape beside its code.
    members = {name[0].lower() + name[1:] for name in stage.refused} - {"error", "responseMetadata"}
    yield from differs(members, set(untrusted["members"]), "members of the refusal")
    key = stage.client("sts").assume_role(RoleArn=ROLE_OF_WEB, RoleSessionName="me")["Credentials"]
    for region in ["af-south-1", "eu-south-1"]:
        found = stage.wire(stage.with_key(key, "sts", region).get_caller_identity)
        yield from refusal(found, unknown, f"a session in {region}")
    # The account that assumes has all of these; the other one has it off, enables it, and disables it.
    assume = {"RoleSessionName": "me", "RoleArn": ROLE_OF_WEB}
    said = denied["Message"].replace("user/Delegated", CALLER)
    said = said.replace("OrganizationAccountAccessRole", ROLE_OF_WEB.rpartition("/")[2])
    for region in ["ap-east-1", "eu-south-1"]:
        found = stage.wire(stage.client("sts", region).assume_role, **assume)
        yield from refusal(found, {"Code": denied["Code"], "Message": said}, f"AssumeRole in {region}")
    found = stage.client("sts", "me-south-1").assume_role(**assume)
    yield from differs("Credentials" in found, disabling["output"] == "succeeds", "AssumeRole while it is disabled")
    # How far a policy can be packed is AWS's own; that it is said is what can be held.
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    found = stage.client("sts").assume_role(Policy=policy, **assume)
    yield from hold({"PackedPolicySize": packed["PackedPolicySize"]}, {"PackedPolicySize": found.get("PackedPolicySize")})


@held("23.json")
def members_of_groups(stage, data):
    groups = stage.client("resource-groups")
    for name, sample in [("Empty", data["empty"]), ("Pair", data["members"])]:
        del sample["ResponseMetadata"]
        yield from hold(sample, stage.wire(groups.list_group_resources, Group=name))
    query = {"Type": "TAG_FILTERS_1_0", "Query": json.dumps(QUERY)}
    del data["search"]["ResponseMetadata"], data["list_groups"]["ResponseMetadata"]
    yield from hold(data["search"], stage.wire(groups.search_resources, ResourceQuery=query))
    # Of filters with one key the last counts.
    twice = QUERY | {"TagFilters": [{"Key": "Pair", "Values": ["no"]}, *QUERY["TagFilters"]]}
    for filters, count in [(twice["TagFilters"], 2), (twice["TagFilters"][::-1], 0)]:
        query = {"Type": "TAG_FILTERS_1_0", "Query": json.dumps(QUERY | {"TagFilters": filters})}
        found = stage.wire(groups.search_resources, ResourceQuery=query)["ResourceIdentifiers"]
        yield from differs(len(found), count, "nodes found by a key that stands twice")
    # Groups of a world file have no description; pages of one are asked for, so that there is a token.
    yield from hold(
        data["list_groups"], stage.wire(groups.list_groups, MaxResults=1), elsewhere={"Description"}, newer=set()
    )
    missing = {"Code": "NotFoundException", "Message": "The specified group does not exist"}
    yield from refusal(stage.wire(groups.list_group_resources, Group="Nobodys"), missing)
    denied = stage.wire(stage.as_role("NoGroups", "resource-groups").list_group_resources, Group="Pair")
    yield from differs(denied["Code"], "AccessDeniedException")


@held("25.json")
def nodes_of_both_kinds(stage, data):
    newer = {"SourceId", "SourceType", "DetailedStatus"}
    for node, sample in [(NODE, data["ec2"]), (HYBRID, data["hybrid"])]:
        filters = [{"Key": "InstanceIds", "Values": [node]}]
        found = stage.ssm("describe_instance_information", Filters=filters)["InstanceInformationList"][0]
        # It is the newest agent here.
        yield from hold(sample, found, newer=newer, same={"ResourceType", "PingStatus"})
    node, tag = {"Key": "InstanceIds", "Values": [NODE]}, {"Key": "tag:Pair", "Values": ["yes"]}
    old = [{"key": "PingStatus", "valueSet": ["Online"]}]
    for arguments, words in [
        ({"Filters": [node, tag]}, "Cannot mix tag or inventory filter with any other filter."),
        ({"Filters": [{"Key": "UnknownKey", "Values": ["x"]}]}, "UnknownKey filter Key is invalid."),
        (
            {"Filters": [node], "InstanceInformationFilterList": old},
            "Cannot use both legacy and new filter simultaneously.",
        ),
    ]:
        found = stage.ssm("describe_instance_information", **arguments)
        yield from refusal(found, {"Code": "ValidationException", "Message": words})
    nobody = [{"Key": "InstanceIds", "Values": ["i-0deadbeef0deadbee"]}]
    found = stage.ssm("describe_instance_information", Filters=nobody)
    yield from differs(found, {"InstanceInformationList": []}, "an id that nothing has")


def patched(stage, operation="Scan"):
    """Runs AWS-RunPatchBaseline on a node."""
    parameters = {"Operation": [operation], "SnapshotId": ["521c3536-930c-4aa9-950e-01234567abcd"]}
    stage.ssm("send_command", DocumentName="AWS-RunPatchBaseline", InstanceIds=[NODE], Parameters=parameters)
    stage.advance(7200)


@held("26.json")
def patch_states(stage, data):
    patched(stage)
    found = stage.ssm("describe_instance_patch_states", InstanceIds=[NODE])
    # There was no Install without a reboot. Other samples of AWS's have an empty OwnerInformation.
    yield from hold(
        data,
        found,
        elsewhere={"LastNoRebootInstallOperationTime"},
        newer={"OwnerInformation"},
        same={"Operation", "RebootOption"},
    )


@held("43-patches-and-group-state.json")
def patches_of_a_node(stage, data):
    patched(stage)
    for sample in data["patches"]:
        state = [{"Key": "State", "Values": [sample["State"]]}]
        found = stage.ssm("describe_instance_patches", InstanceId=NODE, Filters=state)["Patches"]
        if not found:
            yield f"no patch is {sample['State']}"
            continue
        ours = found[0]
        if sample["State"] == "InstalledOther":
            # The sample's node is one of Windows, on which such a patch has no title.
            sample["Title"] = ours["Title"]
        yield from hold(sample, ours, newer={"CVEIds"})
        if sample["State"] == "Missing":
            yield from differs(ours["InstalledTime"], sample["InstalledTime"], "InstalledTime of a missing patch")


@held("29.json")
def an_account(stage, data):
    found = stage.wire(stage.client("organizations").list_accounts)
    yield from hold(data["ListAccounts"]["Accounts"][0], found["Accounts"][0], newer={"State", "Paths"}, same={"Status"})
    stage.simulator.ask("POST", "fault", {"effect": "internal_error", "operations": ["organizations:ListAccounts"]})
    yield from refusal(stage.wire(stage.client("organizations").list_accounts), data["internal"])


@held("30.json")
def refused_roles(stage, data):
    assume = stage.client("sts").assume_role
    for name, sample in data.items():
        wanted = sample["Error"]
        arguments = {"RoleArn": wanted["Message"].removesuffix(" is invalid"), "RoleSessionName": "me"}
        if name == "invalid-session-name":
            arguments = {"RoleArn": ROLE_OF_WEB, "RoleSessionName": "Session1:2"}
        yield from refusal(stage.wire(assume, **arguments), wanted, name)


@held("31.json")
def a_caller_and_a_session(stage, data):
    sts = stage.client("sts")
    for call, arguments, sample in [
        (sts.assume_role, {"RoleArn": ROLE_OF_WEB, "RoleSessionName": "custodian-dev"}, data["AssumeRole"]),
        (sts.get_caller_identity, {}, data["GetCallerIdentity"]),
    ]:
        found = call(**arguments)
        del sample["ResponseMetadata"], found["ResponseMetadata"]
        if "Credentials" in found:
            found["Credentials"]["Expiration"] = found["Credentials"]["Expiration"].timestamp()
        yield from hold(sample, found)


@held("38-document-sharing.json")
def a_document_is_made_and_shared(stage, data):
    content = data["content"]
    named = {"Name": "my-doc", "DocumentFormat": "JSON"}
    made = stage.ssm("create_document", DocumentType="Command", Content=content, **named)["DocumentDescription"]
    yield from differs(made["Hash"], data["hash"], "Hash")
    yield from differs(hashlib.sha256(content.encode()).hexdigest(), data["hash"], "the sample's own Hash")
    second = content.replace("one", "two", 1)
    update = {"DocumentVersion": "$LATEST"} | named
    found = stage.ssm("update_document", Content=second, **update)
    same = {"HashType", "Status", "DocumentVersion", "LatestVersion", "DefaultVersion", "DocumentType", "Description"}
    same |= {"PlatformTypes", "SchemaVersion", "DocumentFormat", "Tags"}
    yield from hold(data["update_output"], found, same=same)
    repeated = stage.ssm("update_document", Content=second, **update)
    yield from differs(repeated.get("Code"), "DuplicateDocumentContent")
    for version in [{}, {"DocumentVersion": "$DEFAULT"}]:
        unsaid = stage.ssm("update_document", Content=content, **named | version)
        yield from differs("Code" in unsaid, True, f"an update of {version or 'no version'} is refused")
    # Content that an older version has is new.
    older = stage.ssm("update_document", Content=content, **update)
    yield from differs(older["DocumentDescription"]["DocumentVersion"], "3", "DocumentVersion")
    default = stage.ssm("update_document_default_version", Name="my-doc", DocumentVersion="2")
    yield from hold(data["update_default_output"], default, same={"DefaultVersion"})
    share = {"Name": "my-doc", "PermissionType": "Share"}
    for version, name in [(None, "permission_after_plain_share"), ("$ALL", "permission_after_share_with_$ALL")]:
        more = {"SharedDocumentVersion": version} if version else {}
        stage.ssm("modify_document_permission", AccountIdsToAdd=[WEB], **share | more)
        yield from differs(stage.ssm("describe_document_permission", **share), data[name], name)
    both = stage.ssm("modify_document_permission", AccountIdsToRemove=[WEB, "All"], **share)
    yield from refusal(both, data["errors"][0])
    yield from refusal(stage.ssm("delete_document", Name="my-doc"), data["errors"][1])


@held("48-iam-actions.json")
def denials_name_the_resource_that_the_reference_has(stage, data):
    clients = {"ssm": stage.as_role("NoSsm", "ssm"), "account": stage.as_role("NoSsm", "account")}
    execution, scan = "11111111-2222-4333-8444-555555555555", {"Operation": ["Scan"]}
    inputs = {
        "StartAutomationExecution": {"DocumentName": "One-Step"},
        "StopAutomationExecution": {"AutomationExecutionId": execution},
        "GetAutomationExecution": {"AutomationExecutionId": execution},
        "DescribeAutomationStepExecutions": {"AutomationExecutionId": execution},
        "SendCommand": {"DocumentName": "One-Step", "InstanceIds": [NODE], "Parameters": scan},
        "GetCommandInvocation": {"CommandId": execution, "InstanceId": NODE},
        "CancelCommand": {"CommandId": execution},
        "DescribeInstancePatchStates": {"InstanceIds": [NODE]},
        "DescribeInstancePatches": {"InstanceId": HYBRID},
        "GetDocument": {"Name": "One-Step"},
    }
    # The sample's forms of ARNs, each with its resource's id at the end.
    known = {"P": "aws", "R": "us-east-1", "A": WEB}
    names = {"Name": "One-Step", "Id": execution, "mi-…": HYBRID, "i-…": NODE}
    forms = {
        kind: ":".join(known.get(part, part) for part in arn.rpartition("/")[0].split(":")) + "/" + names[last]
        for kind, arn in data["arns"].items()
        if (last := arn.rpartition("/")[2]) in names
    }
    simulated = stage.simulator.operations()
    asked = set()
    for actions, told in data.items():
        service, _, listed = actions.partition(":")
        if "resources" not in told:
            continue
        for action in listed.split(", "):
            if (service, action) not in simulated:
                continue
            asked.add(action)
            call = getattr(clients[service], re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower())
            found = stage.wire(call, **inputs.get(action, {}))
            yield from differs(found["Code"], "AccessDeniedException", f"code of {action}")
            named = found["Message"].partition(" on resource: ")[2].split(" ")[0]
            kinds = [kind.removesuffix("*") for kind in told["resources"]]
            if service == "account":
                yield from differs(named, f"arn:aws:account::{WEB}:account", f"what a denial of {action} names")
            elif kinds:
                allowed = [forms[kind] for kind in kinds if kind in forms]
                yield from differs(named in allowed, True, f"a denial of {action} names {named}, of {kinds}")
            else:
                yield from differs(named, f"arn:aws:ssm:us-east-1:{WEB}:*", f"what a denial of {action} names")
    yield from differs(set(inputs) - asked, set(), "actions of the reference that were not tried")


@held("49-organizations-paths.json")
def an_organization(stage, data):
    organizations = stage.client("organizations")
    above, below = "ou-ab12-11111111", "ou-ab12-22222222"
    account = data["account_describe, account_list, account_list_for_parent"]
    for found in [
        stage.wire(organizations.describe_account, AccountId=MAIN)["Account"],
        stage.wire(organizations.list_accounts)["Accounts"][0],
        stage.wire(organizations.list_accounts_for_parent, ParentId="r-ab12")["Accounts"][0],
    ]:
        yield from differs({name: found.get(name) for name in account}, account, "an account")
    unit = data["ou_create, ou_describe, ou_list"]
    for found in [
        stage.wire(organizations.describe_organizational_unit, OrganizationalUnitId=below)["OrganizationalUnit"],
        stage.wire(organizations.list_organizational_units_for_parent, ParentId=above)["OrganizationalUnits"][0],
    ]:
        yield from differs({name: found.get(name) for name in unit}, unit, "a unit")
    member = stage.as_role("AWS-SystemsManager-AutomationExecutionRole", "organizations")
    denied = data["denied"] | {"Code": data["denied"]["__type"]}
    yield from refusal(stage.wire(member.list_accounts), denied)
    yield from differs("Organization" in stage.wire(member.describe_organization), True, "DescribeOrganization")
    for control in data["page_controls"]:
        asked = {name: control[name] for name in ("MaxResults", "NextToken") if name in control}
        stage.wire(organizations.list_accounts, **asked)
        answer = json.loads(stage.simulator.proxy.taken()[-1].answer)
        yield from differs(answer["__type"].rpartition("#")[2], control["Code"], f"code of {asked}")
        # AWS names the member behind a colon.
        yield from differs(answer["Reason"], control["Reason"].partition(":")[0], f"Reason of {asked}")
