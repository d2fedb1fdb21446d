"""Least privilege where the log is in a bucket and the runbook is shared, and for `patchfleet stop`: a campaign that is left
half-way, and stopped.

Every call of both processes is allowed by what `patchfleet iam` prints, and these calls use each grant that only they need.
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
from test_policies import CENTRAL, HERE, ROLE, never_belongs_to_nobody, shared, trusting

sys.path.insert(0, str(templates.ROOT / "tests" / "conformance"))
import simulator  # noqa: E402

LOG = "s3://ops-logs/patchfleet/prod"
REQUEST = f"""
    name = "stopped"
    [targets]
    accounts = ["ou-perm-workload"]
    regions = ["us-east-1"]
    resource_group = "WebServers"
    [patch]
    operation = "Install"
    [output]
    s3_bucket = "ops-output"
    [automation]
    assume_role = "arn:aws:iam::{CENTRAL}:role/AWS-SystemsManager-AutomationAdministrationRole"
"""

# What a stop calls, by whom. Each has to be seen before the process is ended.
STOPS = {
    ("administrator", "StopAutomationExecution"),
    (ROLE, "StopAutomationExecution"),
    (ROLE, "CancelCommand"),
}

# Granted for a log, and asked of AWS by S3 itself, where a key of one's own encrypts the bucket (S3 User Guide, "Using
# server-side encryption with AWS KMS keys"). The simulator's buckets have no key.
DEPENDENT = {"kms:Decrypt", "kms:GenerateDataKey"}


def questions(call):
    """The pairs of action and resource, also of a call to S3."""
    if call["service"] != "s3":
        return calls.questions(call)
    bucket = f"arn:aws:s3:::{call['input']['Bucket']}"
    if call["operation"] in ("ListObjectsV2", "HeadBucket"):
        return [("s3:ListBucket", bucket)]
    action = {"GetObject": "s3:GetObject", "HeadObject": "s3:GetObject", "PutObject": "s3:PutObject"}[call["operation"]]
    return [(action, f"{bucket}/{call['input']['Key']}")]


def by_whom(call):
    """Who made it: the administrator, or the role in the other account."""
    return ROLE if f"assumed-role/{ROLE}/" in call["principal"] else "administrator"


@functools.cache
def recorded():
    """What a campaign called that was left while a command ran, and what its stop called after that."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "request.toml").write_text(REQUEST, encoding="utf-8")
        # Whether AWS stops what runs below an execution is not documented. Here it does not, so a stop has to.
        world = "automation = { stop_cascades = false }\n" + (HERE / "world.toml").read_text(encoding="utf-8")
        (folder / "world.toml").write_text(world, encoding="utf-8")
        sim = os.environ["PATCHFLEET_SIM"]
        with simulator.Simulator(sim, str(folder / "world.toml"), speed=0, start="now") as running:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
            # Past the proxy, which knows nothing of S3's methods.
            environment |= {"AWS_ENDPOINT_URL": running.own, "AWS_REGION": "us-east-1"}
            environment |= {"AWS_ACCESS_KEY_ID": "AKIAADMINISTRATOR", "AWS_SECRET_ACCESS_KEY": "none"}

            def patchfleet(*words):
                command = [os.environ["PATCHFLEET"], *words]
                out = subprocess.PIPE
                return subprocess.Popen(command, env=environment, cwd=folder, stdout=out, stderr=out, text=True)

            def until(process, holds):
                """Waits until it holds, and ends the process. Time stands once a command runs, so nothing ends by itself."""
                try:
                    while not holds():
                        ended = process.poll()
                        assert ended is None or holds(), (ended, process.communicate())
                        if passing:
                            running.advance(1)
                finally:
                    process.kill()
                    process.communicate()

            ensured = patchfleet("runbook", "ensure", "--share", "-f", "request.toml")
            assert ensured.wait(60) == 0, ensured.communicate()
            ensured.communicate()

            def a_command_runs():
                return any(
                    one["status"] == "InProgress" and any(node["status"] == "InProgress" for node in one["invocations"])
                    for one in running.state()["commands"]
                )

            def its_driver_has_looked():
                operations = [one["operation"] for one in running.ask("GET", "requests")]
                return "GetAutomationExecution" in operations[operations.index("StartAutomationExecution") :]

            def it_is_under_way():
                nonlocal passing
                passing = passing and not a_command_runs()
                return not passing and its_driver_has_looked()

            passing = True
            until(patchfleet("run", "-f", "request.toml", "--yes", "--log", LOG), it_is_under_way)
            before = len(running.ask("GET", "requests"))

            def everything_was_stopped():
                seen = {(by_whom(one), one["operation"]) for one in running.ask("GET", "requests")[before:]}
                return seen >= STOPS

            until(patchfleet("stop", "--log", LOG), everything_was_stopped)
            requests = running.ask("GET", "requests")
            return requests[:before], requests[before:]


@functools.cache
def printed(party, *more):
    """What `patchfleet iam` prints, and what it notes beside it."""
    command = [os.environ["PATCHFLEET"], "iam", "--for", party, "-f", "-", "--format", "toml", *more]
    done = subprocess.run(command, input=REQUEST, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout), done.stderr


def granted(policy):
    """The actions that a policy allows."""
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def answers(party, policy, asked):
    """What the evaluator says to each question."""
    account = CENTRAL if party == "management" else templates.ACCOUNT
    principal = f"arn:aws:sts::{account}:assumed-role/Some/session"
    simulations = []
    for action, resource in asked:
        context = {"iam:PassedToService": "ssm.amazonaws.com"} if action == "iam:PassRole" else {}
        other = trusting(account, resource) if action == "sts:AssumeRole" else shared(resource)
        other = None if account == CENTRAL and action != "sts:AssumeRole" else other
        simulations.append(evaluator.simulation(principal, action, resource, {party: policy}, other, context))
    return [one["result"] for one in evaluator.evaluate(never_belongs_to_nobody(simulations))]


class LogAndStop(unittest.TestCase):
    """What `patchfleet iam` prints, beside what was called."""

    def asked(self, who):
        """What was asked of IAM for these calls, in order."""
        of_both = [call for half in recorded() for call in half if by_whom(call) == who]
        asked = {question for call in of_both for question in questions(call)}
        return sorted(one for one in asked if one[0] != "sts:GetCallerIdentity")

    def test_every_call_is_allowed(self):
        for party, who in (("management", "administrator"), ("discovery", ROLE)):
            policy, _ = printed(party, "--log", LOG, "--share")
            asked = self.asked(who)
            self.assertGreater(len(asked), 8, party)
            for question, answer in zip(asked, answers(party, policy, asked), strict=True):
                self.assertEqual(answer, "Allowed", (party, question))

    def test_what_only_the_log_and_a_stop_take_is_used_by_a_call(self):
        with_log, without = (granted(printed("management", *more)[0]) for more in (("--log", LOG), ()))
        used = {action for action, _ in self.asked("administrator")}
        self.assertEqual(with_log - without - DEPENDENT, {"s3:GetObject", "s3:ListBucket", "s3:PutObject"})
        self.assertEqual(with_log - without - used, DEPENDENT)
        self.assertIn("ssm:StopAutomationExecution", used & without)
        discovery, used = granted(printed("discovery")[0]), {action for action, _ in self.asked(ROLE)}
        self.assertLessEqual({"ssm:CancelCommand", "ssm:StopAutomationExecution"}, discovery & used)

    def test_what_sharing_the_runbook_takes_is_printed_where_it_is_asked_for_and_used(self):
        sharing = granted(printed("management", "--share")[0]) - granted(printed("management")[0])
        self.assertEqual(sharing, {"ssm:ModifyDocumentPermission"})
        used = {action for action, _ in self.asked("administrator")}
        self.assertLessEqual(sharing | {"ssm:DescribeDocumentPermission"}, used)

    def test_the_driver_of_a_stop_makes_no_call_that_only_a_start_takes(self):
        after = {call["operation"] for call in recorded()[1]}
        self.assertNotIn("StartAutomationExecution", after)
        self.assertLessEqual({"GetObject", "PutObject", "ListObjectsV2"}, after)

    def test_without_the_log_it_would_be_denied_and_nothing_else_of_s3_is_allowed_with_it(self):
        without, with_log = printed("management")[0], printed("management", "--log", LOG)[0]
        here = ("s3:PutObject", "arn:aws:s3:::ops-logs/patchfleet/prod/campaigns/1")
        self.assertEqual(answers("management", without, [here]), ["ImplicitlyDenied"])
        never = [
            ("s3:DeleteObject", here[1]),
            ("s3:GetObject", "arn:aws:s3:::ops-logs/patchfleet/production/x"),
            ("s3:GetObject", "arn:aws:s3:::ops-output/x"),
            ("s3:ListBucket", "arn:aws:s3:::ops-output"),
            ("kms:Decrypt", f"arn:aws:kms:us-east-1:{CENTRAL}:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        ]
        self.assertEqual(answers("management", with_log, never), ["ImplicitlyDenied"] * len(never))

    def test_what_the_nodes_write_is_said_to_be_a_matter_of_their_own_role(self):
        policy, note = printed("execution")
        self.assertIn("s3://ops-output", note)
        self.assertIn("instance profile", note)
        self.assertFalse([action for action in granted(policy) if action.startswith("s3:")])


if __name__ == "__main__":
    unittest.main()
