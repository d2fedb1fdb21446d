"""The same world, seed and calls give the same bytes, whatever the order of calls to different
accounts: one after another, the other way round, and all at once.

Usage: determinism.py SIMULATOR
"""

import concurrent.futures
import contextlib
import re
import sys
import urllib.parse

import botocore.exceptions

import clients
import known
import proxy
import simulator
import wire

ACCOUNTS = [clients.MAIN, clients.WEB, clients.SHOP]
PARAMETERS = {"ResourceGroupName": ["WebServers"], "Operation": ["Install"], "MaxConcurrency": ["2"]}
# What is real time, as SDKs compare it with their own clock.
REAL_TIME = re.compile(rb"<Expiration>[^<]*</Expiration>")


def begin(client, content):
    """Starts work in one account; what is read later."""
    ssm = client("ssm")
    ssm.create_document(Name="Patch-Here", Content=content, DocumentType="Automation")
    document = {"DocumentName": "Patch-Here", "Parameters": PARAMETERS}
    started = [ssm.start_automation_execution(**document)["AutomationExecutionId"] for _ in range(2)]
    client("sts").get_caller_identity()
    client("organizations").describe_organization()
    client("account").list_regions()
    for page in (
        client("resource-groups")
        .get_paginator("list_group_resources")
        .paginate(Group="WebServers", PaginationConfig={"PageSize": 3})
    ):
        assert page["Resources"]
    return started


def look(client, started):
    """Reads what became of it."""
    ssm = client("ssm")
    for execution in started:
        ssm.get_automation_execution(AutomationExecutionId=execution)
    ids = [one["InstanceId"] for one in ssm.describe_instance_information()["InstanceInformationList"]]
    ssm.describe_instance_patch_states(InstanceIds=ids)
    ssm.list_command_invocations(Details=True)
    ssm.list_commands(MaxResults=1)
    with contextlib.suppress(botocore.exceptions.ClientError):
        ssm.get_automation_execution(AutomationExecutionId=known.NOBODY)


def in_order(order):
    """Runs one job for each account, one after another."""

    def run(jobs):
        for account in order:
            jobs[account]()

    return run


def at_once(jobs):
    """Runs the jobs of all accounts together."""
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(job) for job in jobs.values()]:
            done.result()


def play(binary, world, seed, run):
    """Plays the whole; every account's answers as bytes, the truth afterwards, and what is wrong."""
    with simulator.Simulator(binary, world, seed=seed) as running:
        place = urllib.parse.urlsplit(running.own)
        # A proxy for each account keeps its answers apart and in its own order.
        proxies = {account: proxy.Proxy(place.hostname, place.port) for account in ACCOUNTS}
        own = {account: clients.Clients(proxies[account].endpoint) for account in ACCOUNTS}

        def client(account):
            return lambda service: own[account].client(service, clients.HOME, account)

        for account in ACCOUNTS[1:]:
            own[account].key(account)
        content = client(clients.MAIN)("ssm").get_document(Name="Fleet-Patch")["Content"]
        started = {}

        def beginning(account):
            started[account] = begin(client(account), content)

        run({account: lambda account=account: beginning(account) for account in ACCOUNTS})
        running.advance(900)
        run({account: lambda account=account: look(client(account), started[account]) for account in ACCOUNTS})
        running.advance(86400)
        run({account: lambda account=account: look(client(account), started[account]) for account in ACCOUNTS})
        exchanges = {account: proxies[account].taken() for account in ACCOUNTS}
        for one in proxies.values():
            one.close()
        answers = {account: [bytes_of(one) for one in exchanges[account]] for account in ACCOUNTS}
        problems = wire.Audit().of_all([one for account in ACCOUNTS for one in exchanges[account]])
        return answers, running.state(), problems


def bytes_of(exchange):
    """What was answered, without the real time."""
    headers = {name: value for name, value in exchange.answer_headers.items() if name != "date"}
    return exchange.headers.get("x-amz-target"), exchange.status, headers, REAL_TIME.sub(b"", exchange.answer)


def main():
    binary = sys.argv[1]
    wanted, truth, problems = play(binary, "company", 5, in_order(ACCOUNTS))
    runs = {"again": in_order(ACCOUNTS), "the other way round": in_order(ACCOUNTS[::-1]), "all at once": at_once}
    for name, run in runs.items():
        answers, state, more = play(binary, "company", 5, run)
        problems += more
        for account in ACCOUNTS:
            pairs = list(zip(wanted[account], answers[account], strict=True))
            different = [f"{one} is {other}" for one, other in pairs if one != other]
            if different:
                problems.append(f"{name}: {account}: {len(different)} of {len(pairs)} differ: {different[0]:.1500}")
        if state != truth:
            problems.append(f"{name}: the truth differs")
    other_seed, *_ = play(binary, "company", 6, in_order(ACCOUNTS))
    if other_seed == wanted:
        problems.append("another seed gives the same answers")
    count = sum(map(len, wanted.values()))
    print(f"determinism: {count} answers, the same bytes in {len(runs)} more runs")
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
