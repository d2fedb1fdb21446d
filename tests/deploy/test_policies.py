"""Least privilege: what campaigns do against the simulator is allowed by the templates' policies, and nothing else stands there.

An IAM evaluator that was not written here decides. A grant that no call of these campaigns uses fails a test.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import calls
import evaluator
import templates

sys.path.insert(0, str(templates.ROOT / "tests" / "conformance"))
import simulator  # noqa: E402

HERE = pathlib.Path(__file__).parent
CENTRAL = "111122223333"
ROLE = "AWS-SystemsManager-AutomationExecutionRole"
PARAMETERS = {
    "CentralAccountId": CENTRAL,
    "AdministrationRoleArn": f"arn:aws:iam::{CENTRAL}:role/Administration",
    "CallerRoleArns": f"arn:aws:iam::{CENTRAL}:role/Caller",
}

OURS, OWN = "Patchfleet-RunPatchBaseline", "Own-RunPatchBaseline"
# A campaign for each thing that a request may use and that needs a permission of its own; and its runbook.
REQUESTS = {
    "a group, in every Region": (OURS, 'regions = "all-enabled"\nresource_group = "WebServers"', ""),
    "tags": (OURS, 'regions = ["us-east-1"]\ntags = { Env = ["prod"] }', ""),
    "an override of the baseline": (
        OURS,
        'regions = ["us-east-1"]\nresource_group = "WebServers"',
        'baseline_override = "s3://a-bucket/baseline.json"',
    ),
    "an execution of more steps than AWS shows at once": (
        OWN,
        'regions = ["us-east-1"]\nresource_group = "WebServers"',
        "",
    ),
}

# A runbook of one's own is given what the request says, and nothing else.
OF_THE_OWN = """[automation.parameters]
        Operation = ["Install"]
        Targets = ['{"Key":"resource-groups:Name","Values":["WebServers"]}']
"""


def runbook_of_many_steps():
    """Our runbook, with a hundred steps before its own."""
    printed = subprocess.run([os.environ["PATCHFLEET"], "runbook", "print"], capture_output=True, text=True, check=True)
    content = json.loads(printed.stdout)
    waits = {"action": "aws:sleep", "inputs": {"Duration": "PT1S"}}
    content["mainSteps"] = [{"name": f"wait{n}"} | waits for n in range(100)] + content["mainSteps"]
    return json.dumps(content)


def campaign(document, targets, patch):
    """What was asked of the simulator while a request was run, and its truth afterwards."""
    request = f"""
        name = "permissions"
        [targets]
        accounts = ["ou-perm-workload"]
        {targets}
        [patch]
        operation = "Install"
        {patch}
        [automation]
        document = "{document}"
        assume_role = "arn:aws:iam::{CENTRAL}:role/AWS-SystemsManager-AutomationAdministrationRole"
        {OF_THE_OWN if document == OWN else ""}
    """
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "request.toml").write_text(request, encoding="utf-8")
        world = (HERE / "world.toml").read_text(encoding="utf-8")
        own = f"[[documents]]\nname = \"{OWN}\"\ncontent = '''{runbook_of_many_steps()}'''\n"
        (folder / "world.toml").write_text(f"{world}\n{own}", encoding="utf-8")
        sim = os.environ["PATCHFLEET_SIM"]
        with simulator.Simulator(sim, str(folder / "world.toml"), speed=600, start="now") as running:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
            environment |= {"AWS_ENDPOINT_URL": running.endpoint, "AWS_REGION": "us-east-1"}
            environment |= {"AWS_ACCESS_KEY_ID": "AKIAADMINISTRATOR", "AWS_SECRET_ACCESS_KEY": "none"}
            words = [os.environ["PATCHFLEET"], "run", "-f", "request.toml", "--yes", "--log", "log"]
            done = subprocess.run(
                words, env=environment, cwd=folder, capture_output=True, text=True, timeout=300, check=False
            )
            # 4: a baseline's override leaves nodes without a patch state that proves it.
            assert done.returncode in (0, 4), done.stderr
            return running.ask("GET", "requests"), running.state()


def never_belongs_to_nobody(value):
    """AWS's own documents belong to no account, which the evaluator does not take: they get one here."""
    return json.loads(json.dumps(value).replace("::document/", ":000000000000:document/"))


def shared(resource):
    """What sharing the central account's runbook lets the other account do. Its own policy has to allow it too."""
    if f":{CENTRAL}:document/" not in resource:
        return None
    other = {"AWS": f"arn:aws:iam::{templates.ACCOUNT}:root"}
    actions = ["ssm:GetDocument", "ssm:StartAutomationExecution"]
    statement = {"Effect": "Allow", "Principal": other, "Action": actions, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


class LeastPrivilege(unittest.TestCase):
    principal = f"arn:aws:sts::{templates.ACCOUNT}:assumed-role/{ROLE}/patchfleet"

    @classmethod
    def setUpClass(cls):
        cls.policies, cls.calls, cls.aws = {}, {}, {}
        for document in (OURS, OWN):
            with templates.Deployed("execution-role.yaml", PARAMETERS | {"RunbookName": document}) as stack:
                _, cls.policies[document] = stack.role(ROLE)
            cls.calls[document], cls.aws[document] = set(), set()
        for document, targets, patch in REQUESTS.values():
            requests, state = campaign(document, targets, patch)
            reads = [one for one in requests if f"assumed-role/{ROLE}/" in one["principal"]]
            cls.calls[document] |= {question for one in reads for question in calls.questions(one)}
            cls.aws[document] |= set(calls.made_by_aws(state, ROLE))

    def allowed(self, policy, asked):
        """Asks about each by one policy of the template for its runbook."""
        for document, questions in asked.items():
            self.assertGreater(len(questions), 10, document)
            chosen = {policy: self.policies[document][policy]}
            simulations = []
            for action, resource in sorted(questions):
                context = {"iam:PassedToService": "ssm.amazonaws.com"} if action == "iam:PassRole" else {}
                simulations.append(evaluator.simulation(self.principal, action, resource, chosen, shared(resource), context))
            answers = evaluator.evaluate(never_belongs_to_nobody(simulations))
            for simulation, answer in zip(simulations, answers, strict=True):
                self.assertEqual(answer["result"], "Allowed", simulation["request"])

    def test_every_call_of_patchfleet_is_allowed_by_what_the_template_grants_for_reading(self):
        self.allowed("reading", self.calls)

    def test_what_aws_does_with_the_role_is_allowed_by_what_the_template_grants_for_patching(self):
        self.allowed("patching", self.aws)

    def test_no_action_is_granted_that_nobody_uses(self):
        for name, asked in (("reading", self.calls), ("patching", self.aws)):
            granted = set()
            for statement in self.policies[OURS][name]["Statement"]:
                actions = statement["Action"]
                granted |= {actions} if isinstance(actions, str) else set(actions)
            used = {action for questions in asked.values() for action, _ in questions}
            self.assertEqual(granted, used, name)

    def test_the_role_can_do_nothing_else_that_matters(self):
        account, principal = templates.ACCOUNT, self.principal
        node = f"arn:aws:ec2:us-east-1:{account}:instance/i-04d5540956315c41d"
        never = [
            ("ssm:SendCommand", "arn:aws:ssm:us-east-1::document/AWS-RunShellScript"),
            ("ssm:StartSession", node),
            ("ec2:TerminateInstances", node),
            ("iam:PassRole", f"arn:aws:iam::{account}:role/Admin"),
            ("ssm:StartAutomationExecution", f"arn:aws:ssm:us-east-1:{account}:document/Another-Runbook"),
            ("s3:GetObject", "arn:aws:s3:::a-bucket/a-key"),
        ]
        questions = [evaluator.simulation(principal, *one, self.policies[OURS]) for one in never]
        for one, answer in zip(never, evaluator.evaluate(never_belongs_to_nobody(questions)), strict=True):
            self.assertEqual(answer["result"], "ImplicitlyDenied", one)


if __name__ == "__main__":
    unittest.main()
