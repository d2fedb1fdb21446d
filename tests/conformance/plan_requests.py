"""Holds a plan's JSON to AWS's own model of StartAutomationExecution and to the plan's contract.

Usage: plan_requests.py PLAN.json

The model is botocore's, so nothing here was written by patchfleet: botocore's validator checks
members, types and lengths; `against_model` adds what it leaves to the service: patterns, enums,
and the lengths of map keys.
"""

import json
import re
import sys

import botocore.session
from botocore.validate import ParamValidator

PLAN_KEYS = ["format", "candidates", "locations", "skipped", "requests"]
LOCATION_KEYS = ["account", "region", "wave", "nodes"]
NODE_KEYS = ["ec2", "hybrid", "online", "offline", "unmanaged"]
SKIP_KEYS = ["account", "region", "reason", "detail"]


def against_model(shape, value, path="input"):
    """Yields what the model's patterns, enums and lengths have against `value`."""
    kind = shape.type_name
    if kind == "structure":
        for name, member in value.items():
            if name not in shape.members:
                yield f"{path}.{name}: not a member"
            else:
                yield from against_model(shape.members[name], member, f"{path}.{name}")
    elif kind == "list":
        for index, member in enumerate(value):
            yield from against_model(shape.member, member, f"{path}[{index}]")
    elif kind == "map":
        for key, member in value.items():
            yield from against_model(shape.key, key, f"{path} key {key!r}")
            yield from against_model(shape.value, member, f"{path}[{key!r}]")
    elif kind == "string":
        if shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is none of {shape.enum}"
        pattern = shape.metadata.get("pattern")
        if pattern and not re.search(pattern, value):
            yield f"{path}: {value!r} does not match {pattern}"
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None and len(value) < low or high is not None and len(value) > high:
            yield f"{path}: {len(value)} characters, not {low} to {high}"


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
    shape = botocore.session.get_session().get_service_model("ssm").operation_model("StartAutomationExecution").input_shape
    problems = list(check_plan(plan))
    for index, request in enumerate(plan["requests"]):
        report = ParamValidator().validate(request, shape)
        if report.has_errors():
            problems.append(f"request {index}: {report.generate_report()}")
        problems.extend(f"request {index}: {problem}" for problem in against_model(shape, request))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(plan['requests'])} requests, {len(plan['locations'])} locations, {len(plan['skipped'])} skips checked")
    if problems or not plan["requests"]:
        sys.exit(1)


main()
