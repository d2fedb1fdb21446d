"""Writes the parts of AWS's service models that the simulator checks requests by.

Usage: reduce_model.py [--check] DIRECTORY

The models are botocore's (pinned in requirements.txt). Of each operation that is simulated, the
file has the route, the shapes of the input and the errors with their codes and statuses; prose is
left out. Of the other operations of a REST service it has the routes, so that one that is called can be
named. One operation, shape or error a line. `--check` writes nothing and fails if a file differs.
"""

import json
import pathlib
import sys

import botocore.session

OPERATIONS = {
    "ssm": """
        StartAutomationExecution GetAutomationExecution StopAutomationExecution
        DescribeAutomationExecutions DescribeAutomationStepExecutions SendAutomationSignal
        SendCommand ListCommands ListCommandInvocations GetCommandInvocation CancelCommand
        DescribeInstanceInformation DescribeInstancePatchStates DescribeInstancePatches
        CreateDocument UpdateDocument DescribeDocument GetDocument UpdateDocumentDefaultVersion
        ModifyDocumentPermission DescribeDocumentPermission ListDocuments ListDocumentVersions
        DeleteDocument GetCalendarState""",
    "resource-groups": """
        ListGroupResources GetGroup GetGroupQuery ListGroups SearchResources CreateGroup
        DeleteGroup""",
    "resourcegroupstaggingapi": "GetResources",
    "sts": "AssumeRole GetCallerIdentity",
    "organizations": """
        ListRoots ListOrganizationalUnitsForParent ListAccounts ListAccountsForParent ListChildren
        DescribeOrganization DescribeAccount DescribeOrganizationalUnit ListTagsForResource""",
    "account": "ListRegions GetRegionOptStatus",
    "cloudwatch": "DescribeAlarms",
}
KEPT = ["type", "required", "member", "key", "value", "enum", "pattern", "min", "max"]


def reduce_member(member):
    """Where a member stands in the request, if not in the body."""
    return {key: member[key] for key in ("shape", "location", "locationName") if key in member}


def reduce_shape(shape):
    """What a value of the shape has to be."""
    kept = {key: shape[key] for key in KEPT if key in shape}
    for key in ("member", "key", "value"):
        if key in kept:
            kept[key] = kept[key]["shape"]
    if "members" in shape:
        kept["members"] = {name: reduce_member(member) for name, member in shape["members"].items()}
    return kept


def reachable(shapes, name, seen):
    """Adds `name` and every shape below it to `seen`."""
    if name in seen:
        return
    shape = shapes[name]
    seen.add(name)
    below = list(shape.get("members", {}).values()) + [shape[key] for key in ("member", "key", "value") if key in shape]
    for reference in below:
        reachable(shapes, reference["shape"], seen)


def reduce_error(shape, name):
    """An error's code and status, and what its message is called, if it has one."""
    error = shape.get("error", {})
    status = error.get("httpStatusCode", 500 if shape.get("fault") else 400)
    reduced = {"code": error.get("code", name), "status": status}
    reduced.update({"message": member for member in shape.get("members", {}) if member.lower() == "message"})
    return reduced


def reduce_service(model, names):
    """The reduced model of one service."""
    operations, shapes, errors = {}, set(), {}
    for name in sorted(names):
        operation = model["operations"][name]
        reduced = route(operation)
        if "input" in operation:
            reduced["input"] = operation["input"]["shape"]
            reachable(model["shapes"], reduced["input"], shapes)
        reduced["errors"] = [error["shape"] for error in operation.get("errors", [])]
        errors.update({error: reduce_error(model["shapes"][error], error) for error in reduced["errors"]})
        operations[name] = reduced
    reduced = {
        "operations": operations,
        "errors": dict(sorted(errors.items())),
        "shapes": {name: reduce_shape(model["shapes"][name]) for name in sorted(shapes)},
    }
    others = set(model["operations"]) - set(operations)
    if model["metadata"]["protocol"] == "rest-json":
        reduced["others"] = {name: route(model["operations"][name]) for name in sorted(others)}
    return reduced


def route(operation):
    """Where an operation is called."""
    return {"method": operation["http"]["method"], "path": operation["http"]["requestUri"]}


def written(reduced):
    """The file's text."""
    sections = []
    for section, entries in reduced.items():
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())
        sections.append(f"{json.dumps(section)}: {{\n{lines}\n}}")
    return "{\n" + ",\n".join(sections) + "\n}\n"


def main():
    check = sys.argv[1] == "--check"
    directory = pathlib.Path(sys.argv[-1])
    loader = botocore.session.get_session().get_component("data_loader")
    stale = []
    for service, names in OPERATIONS.items():
        text = written(reduce_service(loader.load_service_model(service, "service-2"), names.split()))
        path = directory / f"{service}.json"
        if not check:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            stale.append(str(path))
    if stale:
        sys.exit(f"not what reduce_model.py writes: {', '.join(stale)}")


main()
