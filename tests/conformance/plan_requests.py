"""Holds a plan's JSON to AWS's own model of StartAutomationExecution and to the plan's contract.

Usage: plan_requests.py PLAN.json

The model is botocore's, so nothing here was written by patchfleet.
"""

import json
import re
import sys

import model

PLAN_KEYS = ["format", "candidates", "locations", "skipped", "requests"]
LOCATION_KEYS = ["account", "region", "wave", "nodes"]
NODE_KEYS = ["ec2", "hybrid", "online", "offline", "unmanaged"]
SKIP_KEYS = ["account", "region", "reason", "detail"]


def check_plan(plan):
    """Yields what is wrong with the plan's own shape and its sums."""
    for key in PLAN_KEYS:
        if key not in plan:
            yield f"plan: no key {key}"
    for location in plan["locations"]:
        for key in LOCATION_KEYS:
            if key not in location:
                yield f"location {location}: no key {key}"
        nodes = location["nodes"]
        if sorted(nodes) != sorted(NODE_KEYS):
            yield f"location {location}: nodes has {sorted(nodes)}"
        elif nodes["ec2"] + nodes["hybrid"] != nodes["online"] + nodes["offline"] + nodes["unmanaged"]:
            yield f"location {location}: its counts do not add up"
    for skip in plan["skipped"]:
        for key in SKIP_KEYS:
            if key not in skip:
                yield f"skip {skip}: no key {key}"
        if not re.fullmatch(r"[a-z]+(_[a-z]+)*", skip["reason"]):
            yield f"skip {skip}: the reason is not in snake_case"
    candidates = [(entry["account"], entry["region"]) for entry in plan["locations"] + plan["skipped"]]
    if plan["candidates"] != len(candidates) or len(set(candidates)) != len(candidates):
        yield f"plan: {plan['candidates']} candidates, {len(candidates)} accounted for, {len(set(candidates))} of them apart"
    wanted = sorted((entry["account"], entry["region"]) for entry in plan["locations"])
    covered = sorted(
        (account, region)
        for request in plan["requests"]
        for target in request["TargetLocations"]
        for account in target["Accounts"]
        for region in target["Regions"]
    )
    if wanted != covered:
        yield f"plan: the rectangles do not cover its locations exactly once: {wanted} != {covered}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    shape = model.service("ssm").operation_model("StartAutomationExecution").input_shape
    problems = list(check_plan(plan))
    for index, request in enumerate(plan["requests"]):
        check = model.Check(text_scalars=False)
        check.value(shape, request, f"request {index}")
        problems.extend(check.problems)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(plan['requests'])} requests, {len(plan['locations'])} locations, {len(plan['skipped'])} skips checked")
    if problems or not plan["requests"]:
        sys.exit(1)


main()
