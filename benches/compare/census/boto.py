"""The census with boto3: `boto.py 1` asks one location after the other, `boto.py 64` with so many threads.

Prints what it found as JSON. It asks what patchfleet's census asks of a location, and no more: the members of
the group, and which of them Systems Manager manages. As a script would, it makes a session for each account,
shared by its Regions, and a client where it needs one.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

from fleet import GROUP, HOME, REGIONS, ROLE

CONFIG = Config(retries={"mode": "standard", "max_attempts": 10})


def session_of(account, caller, sts):
    """A session with the account's role, or the caller's own."""
    if account == caller:
        return boto3.Session(region_name=HOME)
    arn = f"arn:aws:iam::{account}:role/{ROLE}"
    given = sts.assume_role(RoleArn=arn, RoleSessionName="compare")["Credentials"]
    return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], HOME)


def census_of(session, region):
    """How many nodes of the group Systems Manager manages in a Region; None if the group has none."""
    groups = session.client("resource-groups", region_name=region, config=CONFIG)
    members = []
    for page in groups.get_paginator("list_group_resources").paginate(Group=GROUP):
        if page.get("QueryErrors"):
            raise RuntimeError(f"{region}: {page['QueryErrors']}")
        members += [one["Identifier"]["ResourceArn"].rsplit("/", 1)[1] for one in page["Resources"]]
    if not members:
        return None
    ssm = session.client("ssm", region_name=region, config=CONFIG)
    managed = 0
    for first in range(0, len(members), 50):
        ids = [{"Key": "InstanceIds", "Values": members[first : first + 50]}]
        pages = ssm.get_paginator("describe_instance_information").paginate(Filters=ids)
        managed += sum(len(page["InstanceInformationList"]) for page in pages)
    return managed


def main():
    """Takes the census."""
    threads = int(sys.argv[1])
    home = boto3.Session(region_name=HOME)
    sts = home.client("sts", config=Config(max_pool_connections=64))
    caller = sts.get_caller_identity()["Account"]
    listing = home.client("organizations").get_paginator("list_accounts").paginate()
    accounts = [one["Id"] for page in listing for one in page["Accounts"] if one["State"] == "ACTIVE"]
    found = {}

    def one(account, session, region):
        nodes = census_of(session, region)
        if nodes is not None:
            found[f"{account}/{region}"] = nodes

    if threads == 1:
        for account in accounts:
            session = session_of(account, caller, sts)
            for region in REGIONS:
                one(account, session, region)
    else:
        with ThreadPoolExecutor(threads) as pool:
            sessions = list(pool.map(lambda account: session_of(account, caller, sts), accounts))
            pairs = [(a, s, r) for a, s in zip(accounts, sessions) for r in REGIONS]
            list(pool.map(lambda pair: one(*pair), pairs))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
