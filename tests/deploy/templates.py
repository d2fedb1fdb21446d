"""The templates of patchfleet-examples/deploy, and what moto makes of them."""

import contextlib
import io
import os
import pathlib
import warnings

# moto knows one account as its own. It reads this when it is imported.
ACCOUNT = "123456789012"
os.environ |= {"MOTO_ACCOUNT_ID": ACCOUNT, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
os.environ |= {"AWS_DEFAULT_REGION": "us-east-1"}

import boto3  # noqa: E402
import cfnlint.decode.cfn_yaml  # noqa: E402
import moto  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "patchfleet-examples" / "deploy"
ALL = sorted(FOLDER.glob("*.yaml"))


def read(path):
    """A template, with its functions in their long form."""
    return cfnlint.decode.cfn_yaml.load(str(path))


class Deployed:
    """A stack of a template in moto, while it is entered."""

    def __init__(self, name, parameters, region="us-east-1"):
        self.path, self.parameters, self.region = FOLDER / name, parameters, region
        self.moto = moto.mock_aws()

    def __enter__(self):
        self.moto.start()
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()]
        # moto says of what kinds of resource it makes nothing.
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            self.client("cloudformation").create_stack(
                StackName="patching",
                TemplateBody=self.path.read_text(encoding="utf-8"),
                Parameters=given,
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
            stack = self.client("cloudformation").describe_stacks(StackName="patching")["Stacks"][0]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
        return self

    def __exit__(self, *_):
        self.moto.stop()

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
