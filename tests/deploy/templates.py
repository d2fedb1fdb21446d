"""The templates of patchfleet-examples/deploy, and what moto makes of them."""

import contextlib
import io
import json
import os
import pathlib
import re
import warnings

# moto knows one account as its own. It reads this when it is imported.
ACCOUNT = "123456789012"
os.environ |= {"MOTO_ACCOUNT_ID": ACCOUNT, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
os.environ |= {"AWS_DEFAULT_REGION": "us-east-1"}

import boto3  # noqa: E402
import cfnlint.decode.cfn_yaml  # noqa: E402
import moto  # noqa: E402
from moto.cloudformation.models import ChangeSet, Stack  # noqa: E402

import kinds  # noqa: E402

kinds.add()

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "patchfleet-examples" / "deploy"
ALL = sorted(FOLDER.glob("*.yaml"))


def read(path):
    """A template, with its functions in their long form."""
    return cfnlint.decode.cfn_yaml.load(str(path))


def refusals(template, given):
    """What CloudFormation says of parameters before it makes anything: a text for each that it refuses."""
    values, said = {}, []
    for name, one in template["Parameters"].items():
        if name not in given and "Default" not in one:
            said.append(f"{name}: missing")
            continue
        value = values[name] = str(given.get(name, one.get("Default")))
        listed = [part.strip() for part in value.split(",")] if one["Type"] == "CommaDelimitedList" else [value]
        fits = all(re.fullmatch(one.get("AllowedPattern", r"[\s\S]*"), part) for part in listed)
        fits = fits and value in map(str, one.get("AllowedValues", [value]))
        fits = fits and len(value) <= int(one.get("MaxLength", len(value)))
        if one["Type"] == "Number":
            fits = fits and value.isdecimal() and int(one.get("MinValue", value)) <= int(value) <= int(one.get("MaxValue", value))
        if not fits:
            said.append(f"{name}: {one.get('ConstraintDescription', one.get('AllowedValues'))}")
    said += [f"{name}: no such parameter" for name in set(given) - set(template["Parameters"])]
    if not said:
        for rule in template.get("Rules", {}).values():
            if holds(rule.get("RuleCondition", True), values):
                asserted = rule["Assertions"]
                said += [one["AssertDescription"] for one in asserted if not holds(one["Assert"], values)]
    return said


def holds(term, values):
    """The value of a term of a rule."""
    if isinstance(term, list):
        return [holds(one, values) for one in term]
    if not isinstance(term, dict):
        return term
    ((name, inner),) = term.items()
    if name == "Ref":
        return values[inner]
    inner = holds(inner, values)
    match name:
        case "Fn::Equals":
            return inner[0] == inner[1]
        case "Fn::Not":
            return not inner[0]
        case "Fn::Contains":
            return inner[1] in inner[0]
    raise ValueError(f"a rule with {name}")


def parsed(text):
    """A template as moto reads it, but for a definition, which moto has to have as a text."""
    template = PARSE(text)
    for resource in template["Resources"].values():
        given = resource.get("Properties", {})
        if resource["Type"] == "AWS::StepFunctions::StateMachine" and "Definition" in given:
            values = {"${" + name + "}": value for name, value in given.pop("DefinitionSubstitutions", {}).items()}
            pieces = re.split(r"(\$\{[^}]*\})", json.dumps(given.pop("Definition")))
            given["DefinitionString"] = {"Fn::Join": ["", [values.get(piece, piece) for piece in pieces]]}
    return template


PARSE = Stack.parse_template
Stack.parse_template = staticmethod(parsed)
ChangeSet._parse_template = lambda one: setattr(one, "template_dict", parsed(one.template))


class Deployed:
    """A stack of a template in moto, while it is entered."""

    STACK = "patching"

    def __init__(self, name, parameters, region="us-east-1"):
        self.path, self.parameters, self.region = FOLDER / name, parameters, region
        self.moto = moto.mock_aws()

    def prepare(self):
        """What has to be there before."""

    def __enter__(self):
        said = refusals(read(self.path), self.parameters)
        assert not said, said
        self.moto.start()
        self.prepare()
        # moto says of what kinds of resource it makes nothing.
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            self.make()
            stack = self.client("cloudformation").describe_stacks(StackName=self.STACK)["Stacks"][0]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
        return self

    def make(self):
        """Makes the stack."""
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()]
        self.client("cloudformation").create_stack(
            StackName=self.STACK,
            TemplateBody=self.path.read_text(encoding="utf-8"),
            Parameters=given,
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

    def __exit__(self, *_):
        self.moto.stop()

    def delete(self):
        """Deletes the stack."""
        self.client("cloudformation").delete_stack(StackName=self.STACK)

    def client(self, service):
        """A client of moto."""
        return boto3.client(service, region_name=self.region)

    def role(self, name):
        """The trust policy of a role, and its permissions by the name of their policy."""
        iam = self.client("iam")
        trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        names = iam.list_role_policies(RoleName=name)["PolicyNames"]
        policies = {one: iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in names}
        return trust, policies
