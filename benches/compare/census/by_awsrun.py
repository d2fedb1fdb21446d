"""The census with awsrun, which runs one's own command in many accounts at once.

awsrun assumes the role of each account, gives each account to one of its threads (64 here, 10 by default), and
asks the Regions of an account one after the other. The command is `boto.census_of`.
"""

import json
import sys

import boto3
from awsrun.runner import AccountRunner, RegionalCommand
from awsrun.session.aws import CredsViaCrossAccount, CredsViaProfile

from boto import census_of
from fleet import HOME, REGIONS, ROLE

found = {}


class Census(RegionalCommand):
    """Counts the nodes of the group in one Region of one account."""

    def regional_execute(self, session, acct, region):
        """Runs in one of awsrun's threads."""
        return census_of(session, region)

    def regional_collect_results(self, acct, region, get_result):
        """Runs in the main thread."""
        nodes = get_result()
        if nodes is not None:
            found[f"{acct}/{region}"] = nodes


class WithoutProfiles(CredsViaProfile):
    """The credentials of the environment. awsrun's own looks for a profile of the account first."""

    def session(self, acct_id):
        """A session of the caller's own."""
        return boto3.Session(region_name=HOME)


def main():
    """Takes the census."""
    home = WithoutProfiles()
    session = home.session(None)
    caller = session.client("sts").get_caller_identity()["Account"]
    listing = session.client("organizations").get_paginator("list_accounts").paginate()
    accounts = [one["Id"] for page in listing for one in page["Accounts"] if one["State"] == "ACTIVE"]
    others = [account for account in accounts if account != caller]
    AccountRunner(home, 1).run(Census(REGIONS), [caller])
    AccountRunner(CredsViaCrossAccount(home, caller, ROLE), 64).run(Census(REGIONS), others)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
