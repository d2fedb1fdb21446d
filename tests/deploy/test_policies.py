"""Least privilege: what campaigns do against the simulator is allowed by the policies that we give, and nothing else is.

These are the template of the role in each account, and what `patchfleet iam` prints. An IAM evaluator that was not written
here decides. A grant that no call of these campaigns uses fails a test.
"""

import functools
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

# A node of which a patch fails, so that its name is asked for.
FAILS = """    { count = 1, tags = { Env = "prod" }, patch = { outcome = "succeeds_with_failed_patches", failed_patches = 1 } },
"""

# What `patchfleet stop` calls, and the plan of an Install tries. test_log_and_stop.py stops a campaign.
STOPS = {"ssm:CancelCommand", "ssm:StopAutomationExecution"}


def runbook_of_many_steps():
    """Our runbook, with a hundred steps before its own."""
    printed = subprocess.run([os.environ["PATCHFLEET"], "runbook", "print"], capture_output=True, text=True, check=True)
    content = json.loads(printed.stdout)
    waits = {"action": "aws:sleep", "inputs": {"Duration": "PT1S"}}
    content["mainSteps"] = [{"name": f"wait{n}"} | waits for n in range(100)] + content["mainSteps"]
    return json.dumps(content)


@functools.cache
def campaign(name):
    """What was asked of the simulator while a request was run, its truth afterwards, and the request."""
    document, targets, patch = REQUESTS[name]
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
        [budget.nodes]
        max_errors = "100%"
        [budget.locations]
        max_errors = 5
    """
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "request.toml").write_text(request, encoding="utf-8")
        world = (HERE / "world.toml").read_text(encoding="utf-8").replace("nodes = [\n", f"nodes = [\n{FAILS}", 1)
        own = f"[[documents]]\nname = \"{OWN}\"\ncontent = '''{runbook_of_many_steps()}'''\n"
        (folder / "world.toml").write_text(f"{world}\n{own}", encoding="utf-8")
        sim = os.environ["PATCHFLEET_SIM"]
        with simulator.Simulator(sim, str(folder / "world.toml"), speed=600, start="now") as running:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
            environment |= {"AWS_ENDPOINT_URL": running.endpoint, "AWS_REGION": "us-east-1"}
            environment |= {"AWS_ACCESS_KEY_ID": "AKIAADMINISTRATOR", "AWS_SECRET_ACCESS_KEY": "none"}

            def patchfleet(*words):
                command = [os.environ["PATCHFLEET"], *words]
                done = subprocess.run(
                    command, env=environment, cwd=folder, capture_output=True, text=True, timeout=300, check=False
                )
                # 4: a node fails.
                assert done.returncode in (0, 4), done.stderr

            if document == OURS:
                # It is made, and gets another version.
                patchfleet("runbook", "ensure", "--step-timeout", "100000")
                patchfleet("runbook", "ensure")
            # Who sees the runbook is asked for by a plan alone.
            patchfleet("plan", "-f", "request.toml")
            patchfleet("run", "-f", "request.toml", "--yes", "--log", "log")
            return running.ask("GET", "requests"), running.state(), request


@functools.cache
def printed(name, party):
    """What `patchfleet iam` prints for a request."""
    request = campaign(name)[2]
    command = [os.environ["PATCHFLEET"], "iam", "--for", party, "-f", "-", "--format", "toml"]
    return subprocess.run(command, input=request, capture_output=True, text=True, check=True, timeout=60).stdout


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
        for name, (document, _, _) in REQUESTS.items():
            requests, state, _ = campaign(name)
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
            self.assertEqual(granted, used | (STOPS if name == "reading" else set()), name)

    def test_a_person_may_stop_what_was_begun(self):
        here = f"arn:aws:ssm:eu-west-1:{templates.ACCOUNT}:automation-execution/342dfa0a-ca6d-40ab-bcf2-59157da52829"
        elsewhere = here.replace(templates.ACCOUNT, "999999999999")
        for action, resource, may in (
            ("ssm:StopAutomationExecution", here, True),
            ("ssm:StopAutomationExecution", elsewhere, False),
            ("ssm:CancelCommand", "*", True),
        ):
            question = evaluator.simulation(self.principal, action, resource, self.policies[OURS])
            answer = evaluator.evaluate([question])[0]
            self.assertEqual(answer["result"] == "Allowed", may, (action, resource))

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


class Printed(unittest.TestCase):
    """`patchfleet iam`."""

    # Granted, and used by no call of some of these campaigns: a person's stop, an execution of more steps than AWS shows
    # at once, and a runbook whose newest version has the right content and is not the default one.
    SELDOM = STOPS | {
        "ssm:DescribeAutomationStepExecutions",
        "ssm:DescribeDocument",
    }

    # Granted, and used by no call of this campaign: nobody can read the names of patches under a baseline's override.
    UNUSED = {"an override of the baseline": {"ssm:DescribeInstancePatches"}}

    def asked(self, name):
        """What each role was used for, by whom."""
        requests, state, _ = campaign(name)
        discovery = [one for one in requests if f"assumed-role/{ROLE}/" in one["principal"]]
        management = [one for one in requests if one["principal"].endswith(":user/administrator")]
        enters = f"arn:aws:iam::{templates.ACCOUNT}:role/{ROLE}"
        return {
            "management": {q for one in management for q in calls.questions(one) if q[0] != "sts:GetCallerIdentity"},
            "administration": {("sts:AssumeRole", enters)},
            "execution": set(calls.made_by_aws(state, ROLE)),
            "discovery": {question for one in discovery for question in calls.questions(one)},
        }

    def test_every_call_is_allowed_and_every_grant_is_used(self):
        for name in REQUESTS:
            for party, questions in self.asked(name).items():
                with self.subTest(request=name, party=party):
                    policy = json.loads(printed(name, party))
                    account = CENTRAL if party in ("management", "administration") else templates.ACCOUNT
                    principal = f"arn:aws:sts::{account}:assumed-role/Some/session"
                    simulations = []
                    for action, resource in sorted(questions):
                        context = {"iam:PassedToService": "ssm.amazonaws.com"} if action == "iam:PassRole" else {}
                        other = trusting(account, resource) if action == "sts:AssumeRole" else shared(resource)
                        other = None if account == CENTRAL and action != "sts:AssumeRole" else other
                        question = evaluator.simulation(principal, action, resource, {party: policy}, other, context)
                        simulations.append(question)
                    answers = evaluator.evaluate(never_belongs_to_nobody(simulations))
                    for simulation, answer in zip(simulations, answers, strict=True):
                        self.assertEqual(answer["result"], "Allowed", simulation["request"])
                    granted = {action for statement in policy["Statement"] for action in statement["Action"]}
                    unused = granted - {action for action, _ in questions} - self.SELDOM - self.UNUSED.get(name, set())
                    self.assertEqual(unused, set())


def trusting(account, role):
    """The trust policy of a role that an account may assume."""
    other = {"AWS": f"arn:aws:iam::{account}:root"}
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": other, "Action": "sts:AssumeRole"}]}


if __name__ == "__main__":
    unittest.main()
