"""STS and Organizations: the simulator's answers against moto's on the same calls, member by member.

moto makes an organization; a world is written with the ids that it made; then both are asked the
same. Every difference stands in `DIFFERENCES` with its reason, or fails; so does a row that is not
true any more.

Usage: against_moto.py SIMULATOR
"""

import datetime
import json
import pathlib
import sys
import tempfile

import boto3
import botocore.exceptions
import moto

import clients
import simulator
import wire

ROLE = clients.ROLE
MOTOS_ACCOUNT = "123456789012"

# Random by nature: as long as moto's, and so many letters at the beginning are the same.
OPAQUE = {"AccessKeyId": 4, "AssumedRoleId": 4, "SecretAccessKey": 0}

# Why it is right that they differ, and where: a place and the kind of difference.
DIFFERENCES = {
    "moto does not hold numbers to the model's range": [
        "AssumeRole for 13 hours.AssumedRoleUser: moto's alone",
        "AssumeRole for 13 hours.Credentials: moto's alone",
        "AssumeRole for 13 hours.PackedPolicySize: moto's alone",
        "AssumeRole for 13 hours.error: the simulator's alone",
        "AssumeRole for 13 hours.status: the simulator's alone",
    ],
    "moto does not hold texts to the model's pattern": ["DescribeAccount of no id.error: value"],
    "opaque: nothing says how long a session token is": [
        "AssumeRole.Credentials.SessionToken: value",
        "AssumeRole for 15 minutes.Credentials.SessionToken: value",
    ],
    "AWS says how full the packed policy is where there is one; moto always says 6": [
        "AssumeRole.PackedPolicySize: moto's alone",
        "AssumeRole for 15 minutes.PackedPolicySize: moto's alone",
    ],
    "the simulator's caller is a user with a user's ARN and id; moto's ARN is no user's, and its id an access key": [
        "GetCallerIdentity.Arn: value",
        "GetCallerIdentity.UserId: value",
    ],
    "a world has no e-mail addresses: the simulator makes them of the names": [
        "DescribeAccount.Account.Email: value",
        "DescribeOrganization.Organization.MasterAccountEmail: value",
        "ListAccounts.Accounts[].Email: value",
        "ListAccountsForParent.Accounts[].Email: value",
    ],
    "AWS shows its management account as invited; moto as created": [
        "DescribeAccount.Account.JoinedMethod: value",
        "ListAccounts.Accounts[].JoinedMethod: value",
        "ListAccountsForParent.Accounts[].JoinedMethod: value",
    ],
    "in a world accounts have joined before it begins, in moto when they were made": [
        "DescribeAccount.Account.JoinedTimestamp: value",
        "ListAccounts.Accounts[].JoinedTimestamp: value",
        "ListAccountsForParent.Accounts[].JoinedTimestamp: value",
    ],
    "newer members of the model, which moto does not have yet": [
        "DescribeAccount.Account.Paths: the simulator's alone",
        "DescribeOrganizationalUnit.OrganizationalUnit.Path: the simulator's alone",
        "ListAccounts.Accounts[].Paths: the simulator's alone",
        "ListAccountsForParent.Accounts[].Paths: the simulator's alone",
        "ListOrganizationalUnitsForParent.OrganizationalUnits[].Path: the simulator's alone",
    ],
}


WORLD = """
# Before AWS stopped to answer the Status of accounts, which moto still does.
start = "2026-03-01T00:00:00Z"
management_account = "{main}"
accounts = [
    {{ id = "{main}", name = "{name}" }},
    {{ id = "{Web}", name = "Web", parent = "{Prod}", tags = {{ Stage = "canary", Team = "" }} }},
    {{ id = "{Shop}", name = "Shop", parent = "{Workloads}" }},
    {{ id = "{Tools}", name = "Tools" }},
]
units = [
    {{ id = "{Workloads}", name = "Workloads" }},
    {{ id = "{Prod}", name = "Prod", parent = "{Workloads}" }},
    {{ id = "{Empty}", name = "Empty" }},
]
organization = {{ id = "{organization}", root = "{root}" }}
"""


def build(org):
    """Makes an organization in moto: units in units, accounts in them. Its world, and its ids."""
    made = org.create_organization(FeatureSet="ALL")["Organization"]
    root = org.list_roots()["Roots"][0]["Id"]
    units = {}
    for name, above in [("Workloads", None), ("Prod", "Workloads"), ("Empty", None)]:
        unit = org.create_organizational_unit(ParentId=units.get(above, root), Name=name)["OrganizationalUnit"]
        units[name] = unit["Id"]
    accounts = {}
    for name, unit in [("Web", "Prod"), ("Shop", "Workloads"), ("Tools", None)]:
        status = org.create_account(Email=f"aws+{name.lower()}@example.com", AccountName=name)["CreateAccountStatus"]
        accounts[name] = status["AccountId"]
        if unit:
            org.move_account(AccountId=status["AccountId"], SourceParentId=root, DestinationParentId=units[unit])
    tags = [{"Key": "Stage", "Value": "canary"}, {"Key": "Team", "Value": ""}]
    org.tag_resource(ResourceId=accounts["Web"], Tags=tags)
    main = org.describe_account(AccountId=made["MasterAccountId"])["Account"]
    ids = {"main": main["Id"], "name": main["Name"], "organization": made["Id"], "root": root}
    return WORLD.format(**ids, **units, **accounts), root, units, accounts


def calls(root, units, accounts):
    """What both are asked: a name, the service, the method and its arguments."""
    org = "organizations"
    yield "DescribeOrganization", org, "describe_organization", {}
    yield "ListRoots", org, "list_roots", {}
    yield "ListAccounts", org, "list_accounts", {}
    for parent in [root, *units.values()]:
        yield "ListAccountsForParent", org, "list_accounts_for_parent", {"ParentId": parent}
        yield "ListOrganizationalUnitsForParent", org, "list_organizational_units_for_parent", {"ParentId": parent}
        for kind in ["ACCOUNT", "ORGANIZATIONAL_UNIT"]:
            yield "ListChildren", org, "list_children", {"ParentId": parent, "ChildType": kind}
    for account in [MOTOS_ACCOUNT, *accounts.values()]:
        yield "DescribeAccount", org, "describe_account", {"AccountId": account}
    for tagged in [*accounts.values(), root, *units.values()]:
        yield "ListTagsForResource", org, "list_tags_for_resource", {"ResourceId": tagged}
    for unit in units.values():
        yield "DescribeOrganizationalUnit", org, "describe_organizational_unit", {"OrganizationalUnitId": unit}
    nowhere = "ou-" + root.partition("-")[2] + "-nowhere0"
    none = {"ParentId": nowhere}
    yield "ListOrganizationalUnitsForParent of nothing", org, "list_organizational_units_for_parent", none
    yield "ListAccountsForParent of nothing", org, "list_accounts_for_parent", none
    yield "ListChildren of nothing", org, "list_children", none | {"ChildType": "ACCOUNT"}
    yield "ListChildren of no type", org, "list_children", {"ParentId": root, "ChildType": "THING"}
    yield "DescribeAccount of nobody", org, "describe_account", {"AccountId": "000000000000"}
    yield "ListTagsForResource of nobody", org, "list_tags_for_resource", {"ResourceId": "000000000000"}
    yield "DescribeAccount of no id", org, "describe_account", {"AccountId": "12"}
    unit = {"OrganizationalUnitId": nowhere}
    yield "DescribeOrganizationalUnit of nothing", org, "describe_organizational_unit", unit
    yield "GetCallerIdentity", "sts", "get_caller_identity", {}
    role = {"RoleArn": f"arn:aws:iam::{accounts['Web']}:role/{ROLE}", "RoleSessionName": "conformance"}
    yield "AssumeRole", "sts", "assume_role", role
    yield "AssumeRole for 15 minutes", "sts", "assume_role", role | {"DurationSeconds": 900}
    yield "AssumeRole with a long session name", "sts", "assume_role", role | {"RoleSessionName": "x" * 65}
    yield "AssumeRole for 13 hours", "sts", "assume_role", role | {"DurationSeconds": 46800}


def answer(client, method, arguments):
    """What a call gives, or its error, without what belongs to the transport."""
    try:
        given = getattr(client, method)(**arguments)
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return {"error": error.response["Error"]["Code"], "status": status}
    given.pop("ResponseMetadata")
    return given


def differences(path, ours, theirs):
    """Places with a kind of difference each."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours.keys() | theirs.keys():
            below = f"{path}.{key}"
            if key not in theirs:
                yield f"{below}: the simulator's alone"
            elif key not in ours:
                yield f"{below}: moto's alone"
            else:
                yield from differences(below, ours[key], theirs[key])
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{path}[]: count"
        # AWS promises no order.
        for one, other in zip(sorted(ours, key=identity), sorted(theirs, key=identity), strict=False):
            yield from differences(f"{path}[]", one, other)
    elif type(ours) is not type(theirs):
        yield f"{path}: type"
    elif not same(path.rpartition(".")[2], ours, theirs):
        yield f"{path}: value"


def identity(entry):
    """What entries are sorted by."""
    return json.dumps(entry.get("Id") if isinstance(entry, dict) else entry, default=str)


def same(member, ours, theirs):
    """Whether the values of a member agree. Times of the same minute do: both are relative to now."""
    if member in OPAQUE:
        begins = OPAQUE[member]
        return len(ours) == len(theirs) and ours[:begins] == theirs[:begins]
    if isinstance(ours, datetime.datetime):
        return abs((ours - theirs).total_seconds()) < 60
    return ours == theirs


def main():
    found = {}
    with moto.mock_aws():
        own = {name: boto3.client(name, region_name=clients.HOME) for name in ("organizations", "sts")}
        world, *made = build(own["organizations"])
        asked = list(calls(*made))
        for client in own.values():
            client.meta.config.parameter_validation = False
        theirs = [answer(own[service], method, arguments) for _, service, method, arguments in asked]
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "world.toml"
        file.write_text(world, encoding="utf-8")
        with simulator.Simulator(sys.argv[1], str(file)) as running:
            here = clients.Clients(running.endpoint, validate=False)
            ours = [answer(here.client(service), method, arguments) for _, service, method, arguments in asked]
            problems = wire.Audit().of_all(running.proxy.taken())
    for (name, *_), one, other in zip(asked, ours, theirs, strict=True):
        for difference in differences(name, one, other):
            found.setdefault(difference, (one, other))
    listed = {place for places in DIFFERENCES.values() for place in places}
    unlisted = sorted(found.keys() - listed)
    problems += [f"{place}: the simulator {found[place][0]}, moto {found[place][1]}" for place in unlisted]
    problems += [f"DIFFERENCES has {place}, and they agree" for place in sorted(listed - found.keys())]
    print(f"moto: {len(asked)} calls, {len(found)} places differ, {len(found.keys() & listed)} of them with a reason")
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
