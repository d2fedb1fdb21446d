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

ROLE = clients.ROLE
MOTOS_ACCOUNT = "123456789012"

# By place and kind of difference: why it is right that they differ.
DIFFERENCES = {}


def build(org):
    """Makes an organization in moto: units in units, accounts in them. Its world, and its ids."""
    made = org.create_organization(FeatureSet="ALL")["Organization"]
    root = org.list_roots()["Roots"][0]["Id"]
    units = {}
    for name, above in [("Workloads", None), ("Prod", "Workloads"), ("Empty", None)]:
        parent = units[above] if above else root
        unit = org.create_organizational_unit(ParentId=parent, Name=name)["OrganizationalUnit"]
        units[name] = unit["Id"]
    accounts = {}
    for name, unit in [("Web", "Prod"), ("Shop", "Workloads"), ("Tools", None)]:
        status = org.create_account(Email=f"aws+{name.lower()}@example.com", AccountName=name)["CreateAccountStatus"]
        accounts[name] = status["AccountId"]
        if unit:
            org.move_account(AccountId=status["AccountId"], SourceParentId=root, DestinationParentId=units[unit])
    main = org.describe_account(AccountId=made["MasterAccountId"])["Account"]["Name"]
    lines = [
        f"management_account = {json.dumps(made['MasterAccountId'])}",
        "accounts = [",
        f"    {{ id = {json.dumps(made['MasterAccountId'])}, name = {json.dumps(main)} }},",
        f"    {{ id = {json.dumps(accounts['Web'])}, name = \"Web\", parent = {json.dumps(units['Prod'])} }},",
        f"    {{ id = {json.dumps(accounts['Shop'])}, name = \"Shop\", parent = {json.dumps(units['Workloads'])} }},",
        f"    {{ id = {json.dumps(accounts['Tools'])}, name = \"Tools\" }},",
        "]",
        "units = [",
        f"    {{ id = {json.dumps(units['Workloads'])}, name = \"Workloads\" }},",
        f"    {{ id = {json.dumps(units['Prod'])}, name = \"Prod\", parent = {json.dumps(units['Workloads'])} }},",
        f"    {{ id = {json.dumps(units['Empty'])}, name = \"Empty\" }},",
        "]",
        f"organization = {{ id = {json.dumps(made['Id'])}, root = {json.dumps(root)} }}",
    ]
    return "\n".join(lines) + "\n", root, units, accounts


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
    for unit in units.values():
        yield "DescribeOrganizationalUnit", org, "describe_organizational_unit", {"OrganizationalUnitId": unit}
    nowhere = "ou-" + root.partition("-")[2] + "-nowhere0"
    yield "ListAccountsForParent of nothing", org, "list_accounts_for_parent", {"ParentId": nowhere}
    yield "ListOrganizationalUnitsForParent of nothing", org, "list_organizational_units_for_parent", {"ParentId": nowhere}
    yield "ListChildren of nothing", org, "list_children", {"ParentId": nowhere, "ChildType": "ACCOUNT"}
    yield "ListChildren of no type", org, "list_children", {"ParentId": root, "ChildType": "THING"}
    yield "DescribeAccount of nobody", org, "describe_account", {"AccountId": "000000000000"}
    yield "DescribeAccount of no id", org, "describe_account", {"AccountId": "12"}
    yield "DescribeOrganizationalUnit of nothing", org, "describe_organizational_unit", {"OrganizationalUnitId": nowhere}
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
    """Pairs of a place and a kind of difference."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours.keys() | theirs.keys():
            below = f"{path}.{key}"
            if key not in theirs:
                yield below, "the simulator's alone"
            elif key not in ours:
                yield below, "moto's alone"
            else:
                yield from differences(below, ours[key], theirs[key])
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{path}[]", "count"
        # AWS promises no order.
        for one, other in zip(sorted(ours, key=identity), sorted(theirs, key=identity)):
            yield from differences(f"{path}[]", one, other)
    elif type(ours) is not type(theirs):
        yield path, "type"
    elif not same(ours, theirs):
        yield path, "value"


def identity(entry):
    """What entries are sorted by."""
    return json.dumps(entry.get("Id") if isinstance(entry, dict) else entry, default=str)


def same(ours, theirs):
    """Equal; times of the same hour are, for they are relative to now."""
    if isinstance(ours, datetime.datetime):
        return abs((ours - theirs).total_seconds()) < 3600
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
    for (name, *_), one, other in zip(asked, ours, theirs):
        for difference in differences(name, one, other):
            found.setdefault(difference, (one, other))
    problems = []
    for difference in sorted(found.keys() - DIFFERENCES.keys()):
        problems.append(f"{': '.join(difference)}: the simulator {found[difference][0]}, moto {found[difference][1]}")
    for difference in sorted(DIFFERENCES.keys() - found.keys()):
        problems.append(f"DIFFERENCES has {': '.join(difference)}, and they agree")
    print(f"moto: {len(asked)} calls, {len(found)} places differ, {len(found.keys() & DIFFERENCES.keys())} with a reason")
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
