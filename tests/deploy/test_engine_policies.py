"""Least privilege of the engine: what the function and the state machine do is allowed by the roles of their template, and
nothing is granted that they do not do, but for a few that are named with their reason."""

import functools
import json
import unittest

import calls
import campaigns
import evaluator
import templates
from test_campaigns import RUNBOOK, event, request, small
from test_policies import never_belongs_to_nobody, trusting

ACCOUNT, CENTRAL = templates.ACCOUNT, campaigns.CENTRAL

# Granted to the function and used by no call of these campaigns.
NOT_CALLED = {
    # Results under a baseline's override. `test_policies.py` has them.
    "ssm:GetCommandInvocation",
    # Where patches failed or are missing, for their names. Here all are installed. `test_policies.py` has a node that fails.
    "ssm:DescribeInstancePatches",
    # Where a request names a CloudWatch alarm or change calendars. None here does.
    "cloudwatch:DescribeAlarms",
    "ssm:GetCalendarState",
    # Where plain events are handed over: the function calls it, and the simulated organisation has no Step Functions.
    "states:StartExecution",
    # Lambda sends what it could not deliver with the function's role (developer guide, destinations of asynchronous calls).
    "sns:Publish",
    # Lambda writes the function's lines with its role (developer guide, execution role).
    "logs:CreateLogStream",
    "logs:PutLogEvents",
}

# What is planned beside, so that each way of naming targets is used in the central account and outside.
PLANS = [
    request(accounts=[ACCOUNT]),
    request(accounts=["ou-perm-workload"]),
    request(accounts=["r-perm"], include_child_ous=True, regions="all-enabled"),
    {"name": "tags", "targets": {"accounts": [CENTRAL], "regions": ["us-east-1"], "tags": {"Env": ["prod"]}}},
    request(accounts=[ACCOUNT])
    | {"waves": [{"name": "canary", "account_tags": {"Stage": "canary"}, "if_empty": "skip"}]},
    {"name": "own", "targets": {"regions": ["us-east-1"], "resource_group": "WebServers"}},
]


def with_nodes_of_the_central_account(text):
    """The same group in the central account."""
    own = f'[[groups]]\nname = "WebServers"\naccounts = ["{CENTRAL}"]\nregions = ["us-east-1"]\n'
    own += 'nodes = [{ count = 2, tags = { Env = "prod" } }]\n'
    return text.replace(RUNBOOK, own + RUNBOOK)


@functools.cache
def engine():
    """The engine's roles, and what was asked of AWS while a campaign ran, with the central account's own name in both."""
    with small(with_nodes_of_the_central_account) as path, campaigns.Organisation(path) as organisation:
        for one in PLANS:
            answer = json.loads(organisation.invoke({"op": "plan", "event": one})["Payload"])
            assert "candidates" in answer, answer
        ended = organisation.run(event(request(accounts=["r-perm"], include_child_ous=True)))
        assert ended.status == "SUCCEEDED", ended.cause
        assert organisation.installs() == {1: 8}
        stack = organisation.engine
        _, function = stack.role(stack.outputs["FunctionRoleArn"].rsplit("/", 1)[-1])
        _, states = stack.role(stack.role_arn.rsplit("/", 1)[-1])
        requests = [one for one in organisation.sim.ask("GET", "requests") if one["principal"].endswith(":user/administrator")]
        asked = {question for one in requests for question in calls.questions(one)}
        return centrally(function), states, asked, stack.definition, stack.outputs


def centrally(policies):
    """moto has one account, and the organisation's central one is another."""
    return json.loads(json.dumps(policies).replace(ACCOUNT, CENTRAL))


def granted(policies):
    """Every action that policies grant."""
    actions = [one["Action"] for policy in policies.values() for one in policy["Statement"]]
    return {action for of in actions for action in ([of] if isinstance(of, str) else of)}


class Function(unittest.TestCase):
    principal = f"arn:aws:sts::{CENTRAL}:assumed-role/patchfleet-FunctionRole-1A2B3C/patchfleet"

    def results(self, questions):
        """What the evaluator says of each."""
        policies, simulations = engine()[0], []
        for action, resource in questions:
            context = {"iam:PassedToService": "ssm.amazonaws.com"} if action == "iam:PassRole" else {}
            other = trusting(CENTRAL, resource) if action == "sts:AssumeRole" else None
            question = evaluator.simulation(self.principal, action, resource, policies, other, context)
            if action.startswith("s3:"):
                question["request"]["resource"]["accountId"] = CENTRAL
            simulations.append(question)
        return [answer["result"] for answer in evaluator.evaluate(never_belongs_to_nobody(simulations))]

    def test_every_call_of_a_campaign_is_allowed(self):
        asked = sorted(one for one in engine()[2] if one[0] != "sts:GetCallerIdentity")
        self.assertGreater(len(asked), 40)
        denied = [one for one, result in zip(asked, self.results(asked), strict=True) if result != "Allowed"]
        self.assertEqual(denied, [])

    def test_no_action_is_granted_that_nobody_uses(self):
        policies, _, asked, _, _ = engine()
        used = {action for action, _ in asked}
        self.assertEqual(granted(policies), (used - {"sts:GetCallerIdentity"}) | NOT_CALLED)
        self.assertEqual(used & NOT_CALLED, set())

    def test_what_is_granted_and_not_called_here_is_granted_where_it_is_needed(self):
        outputs = engine()[4]
        own, topic = (centrally(outputs[name]) for name in ("StateMachineArn", "TopicArn"))
        for action, resource, result in (
            ("states:StartExecution", own, "Allowed"),
            ("states:StartExecution", own + "-2", "ImplicitlyDenied"),
            ("cloudwatch:DescribeAlarms", "*", "Allowed"),
            ("ssm:GetCalendarState", "*", "Allowed"),
            ("sns:Publish", topic, "Allowed"),
            ("sns:Publish", topic + "-2", "ImplicitlyDenied"),
        ):
            self.assertEqual(self.results([(action, resource)]), [result], (action, resource))

    def test_the_function_can_do_nothing_else_that_matters(self):
        bucket = "arn:aws:s3:::" + engine()[4]["LogUri"].split("/")[2]
        never = [
            ("ssm:SendCommand", "arn:aws:ssm:us-east-1::document/AWS-RunShellScript"),
            ("ssm:StartAutomationExecution", f"arn:aws:ssm:us-east-1:{CENTRAL}:document/Another-Runbook"),
            ("ssm:UpdateDocument", f"arn:aws:ssm:us-east-1:{CENTRAL}:document/Patchfleet-RunPatchBaseline"),
            ("iam:PassRole", f"arn:aws:iam::{CENTRAL}:role/Admin"),
            ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/OrganizationAccountAccessRole"),
            ("s3:DeleteObject", f"{bucket}/campaigns/x"),
            ("s3:GetObject", f"{bucket}/other/x"),
            ("s3:PutObject", "arn:aws:s3:::another-bucket/campaigns/x"),
        ]
        self.assertEqual(set(self.results(never)), {"ImplicitlyDenied"})


class StateMachine(unittest.TestCase):
    def test_its_tasks_are_what_its_role_grants(self):
        _, policies, _, definition, outputs = engine()
        tasks = [one for one in definition["States"].values() if one["Type"] == "Task"]
        asked = set()
        for one in tasks:
            given, kind = one["Parameters"], one["Resource"].split(":::")[1]
            asked.add({
                "lambda:invoke": lambda: ("lambda:InvokeFunction", given["FunctionName"]),
                "sns:publish": lambda: ("sns:Publish", given["TopicArn"]),
                "states:startExecution": lambda: ("states:StartExecution", outputs["StateMachineArn"]),
            }[kind]())
        self.assertEqual(len(asked), 3)
        self.assertEqual(granted(policies), {action for action, _ in asked})
        principal = f"arn:aws:sts::{ACCOUNT}:assumed-role/patchfleet-StateMachineRole-1A2B3C/execution"
        for suffix, result in (("", "Allowed"), ("-2", "ImplicitlyDenied")):
            questions = [evaluator.simulation(principal, one, arn + suffix, policies) for one, arn in sorted(asked)]
            self.assertEqual({answer["result"] for answer in evaluator.evaluate(questions)}, {result})


if __name__ == "__main__":
    unittest.main()
