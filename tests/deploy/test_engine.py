"""state-machine.yaml: what the engine's stack makes, who may use it, and what is told where the state machine cannot."""

import json
import unittest

import evaluator
import machine
import templates
from moto.events.models import events_backends

ACCOUNT = templates.ACCOUNT
TEMPLATE = templates.read(templates.FOLDER / "state-machine.yaml")
OWN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/AWS-SystemsManager-AutomationAdministrationRole"


def name_of(arn):
    """The last part of a role's ARN."""
    return arn.rsplit("/", 1)[-1]


class Stack(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = machine.Engine({"NotifyEmail": "patching@example.com", "Turns": "40"})
        cls.engine.__enter__()
        cls.addClassCleanup(cls.engine.__exit__)
        cls.outputs = cls.engine.outputs

    def test_the_function_knows_its_log_and_the_state_machine_that_follows_it(self):
        one = self.engine.client("lambda").get_function_configuration(FunctionName=self.outputs["FunctionArn"])
        variables = {"PATCHFLEET_LOG": self.outputs["LogUri"], "PATCHFLEET_STATE_MACHINE": self.outputs["StateMachineArn"]}
        self.assertEqual(one["Environment"]["Variables"], variables)
        self.assertEqual((one["Runtime"], one["Handler"]), ("provided.al2023", "bootstrap"))
        self.assertEqual((one["Timeout"], one["MemorySize"], one["Role"]), (900, 512, self.outputs["FunctionRoleArn"]))

    def test_an_event_that_lambda_gives_up_is_told(self):
        config = self.engine.client("lambda").get_function_event_invoke_config(FunctionName=self.outputs["FunctionArn"])
        self.assertEqual(config["DestinationConfig"], {"OnFailure": {"Destination": self.outputs["TopicArn"]}})
        self.assertEqual(config["MaximumRetryAttempts"], 2)
        # What a window's payload leaves room for (test_triggers.py).
        self.assertEqual(config["MaximumEventAgeInSeconds"], 20 * 60)

    def test_the_log_is_versioned_encrypted_private_and_outlives_the_stack(self):
        s3, bucket = self.engine.client("s3"), self.outputs["LogUri"].split("/")[2]
        # moto does not set these.
        given = TEMPLATE["Resources"]["LogBucket"]["Properties"]
        self.assertEqual(given["VersioningConfiguration"], {"Status": "Enabled"})
        self.assertEqual(set(given["PublicAccessBlockConfiguration"].values()), {True})
        self.assertEqual(len(given["PublicAccessBlockConfiguration"]), 4)
        rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        self.assertEqual(rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")
        for name in ("LogBucket", "LogBucketPolicy"):
            kept = [TEMPLATE["Resources"][name][key] for key in ("DeletionPolicy", "UpdateReplacePolicy")]
            self.assertEqual(kept, ["Retain", "Retain"], name)
        retained = {name for name, one in TEMPLATE["Resources"].items() if "Retain" in str(one.get("DeletionPolicy"))}
        self.assertEqual(retained, {"LogBucket", "LogBucketPolicy"})

    def test_the_log_is_reached_by_tls_only(self):
        bucket = self.outputs["LogUri"].split("/")[2]
        policy = json.loads(self.engine.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
        allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        own = {"all": {"Version": "2012-10-17", "Statement": [allow]}}
        questions = [
            evaluator.simulation(
                f"arn:aws:sts::{ACCOUNT}:assumed-role/Any/session",
                "s3:GetObject",
                f"arn:aws:s3:::{bucket}/campaigns/x",
                own,
                policy,
                {"aws:SecureTransport": secure},
            )
            for secure in ("true", "false")
        ]
        for question in questions:
            question["request"]["resource"]["accountId"] = ACCOUNT
        self.assertEqual([one["result"] for one in evaluator.evaluate(questions)], ["Allowed", "ExplicitlyDenied"])

    def test_whom_each_role_trusts(self):
        states = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": self.outputs["StateMachineArn"]}
        here = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:ssm:us-east-1:{ACCOUNT}:automation-execution/1"}
        elsewhere = "arn:aws:ssm:us-east-1:999999999999:automation-execution/1"
        other = {"aws:SourceAccount": "999999999999", "aws:SourceArn": elsewhere}
        another = states | {"aws:SourceArn": f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:another"}
        for role, service, context, may in (
            (self.engine.role_arn, "states.amazonaws.com", states, True),
            (self.engine.role_arn, "states.amazonaws.com", another, False),
            (self.engine.role_arn, "lambda.amazonaws.com", {}, False),
            (self.outputs["FunctionRoleArn"], "lambda.amazonaws.com", {}, True),
            (self.outputs["FunctionRoleArn"], "states.amazonaws.com", states, False),
            (self.outputs["AdministrationRoleArn"], "ssm.amazonaws.com", here, True),
            (self.outputs["AdministrationRoleArn"], "ssm.amazonaws.com", other, False),
            (self.outputs["AdministrationRoleArn"], "lambda.amazonaws.com", {}, False),
        ):
            trust, _ = self.engine.role(name_of(role))
            question = evaluator.simulation(service, "sts:AssumeRole", role, None, trust, context)
            self.assertEqual(evaluator.evaluate([question])[0]["result"] == "Allowed", may, (role, service))

    def test_the_administration_role_enters_the_accounts_heeds_an_alarm_and_does_nothing_else(self):
        _, policies = self.engine.role(name_of(self.outputs["AdministrationRoleArn"]))
        [policy] = policies.values()
        granted = {statement["Action"]: statement["Resource"] for statement in policy["Statement"]}
        expected = {
            "sts:AssumeRole": "arn:aws:iam::*:role/AWS-SystemsManager-AutomationExecutionRole",
            "cloudwatch:DescribeAlarms": "*",
            "ssm:StopAutomationExecution": f"arn:aws:ssm:us-east-1:{ACCOUNT}:automation-execution/*",
        }
        self.assertEqual(granted, expected)

    def test_alarms_of_this_account_may_tell_and_stop_and_those_of_another_may_not(self):
        for topic in (self.outputs["TopicArn"], self.outputs["StopTopicArn"]):
            attributes = self.engine.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
            policy = json.loads(attributes["Policy"])
            for account, may in ((ACCOUNT, True), ("999999999999", False)):
                context = {"aws:SourceAccount": account}
                question = evaluator.simulation("cloudwatch.amazonaws.com", "sns:Publish", topic, None, policy, context)
                self.assertEqual(evaluator.evaluate([question])[0]["result"] == "Allowed", may, (topic, account))

    def test_the_function_is_called_by_a_message_to_the_topic_for_stops_and_by_no_other_topic(self):
        subscriptions = self.engine.client("sns").list_subscriptions()["Subscriptions"]
        of = {one["TopicArn"]: (one["Protocol"], one["Endpoint"]) for one in subscriptions}
        self.assertEqual(of[self.outputs["StopTopicArn"]], ("lambda", self.outputs["FunctionArn"]))
        self.assertEqual(of[self.outputs["TopicArn"]], ("email", "patching@example.com"))
        text = self.engine.client("lambda").get_policy(FunctionName=self.outputs["FunctionArn"])["Policy"]
        [statement] = json.loads(text)["Statement"]
        self.assertEqual(statement["Principal"], {"Service": "sns.amazonaws.com"})
        self.assertEqual(statement["Condition"]["ArnLike"]["AWS:SourceArn"], self.outputs["StopTopicArn"])

    def test_the_alarms_look_at_the_function_and_at_every_bad_end_of_an_execution(self):
        alarms = self.engine.client("cloudwatch").describe_alarms()["MetricAlarms"]
        self.assertEqual([alarm["AlarmActions"] for alarm in alarms], [[self.outputs["TopicArn"]]] * 2)
        [errors] = [alarm for alarm in alarms if alarm.get("MetricName")]
        self.assertEqual((errors["Namespace"], errors["MetricName"]), ("AWS/Lambda", "Errors"))
        self.assertIn(errors["Dimensions"][0]["Value"], self.outputs["FunctionArn"])
        [ended] = [alarm for alarm in alarms if alarm.get("Metrics")]
        metrics = [one["MetricStat"]["Metric"] for one in ended["Metrics"] if "MetricStat" in one]
        self.assertEqual({one["MetricName"] for one in metrics}, {"ExecutionsFailed", "ExecutionsAborted", "ExecutionsTimedOut"})
        for one in metrics:
            self.assertEqual(one["Dimensions"], [{"Name": "StateMachineArn", "Value": self.outputs["StateMachineArn"]}])

    def test_an_execution_that_ends_without_a_word_is_told_by_a_rule(self):
        [rule] = events_backends[ACCOUNT]["us-east-1"].event_buses["default"].rules.values()
        self.assertEqual([target["Arn"] for target in rule.targets], [self.outputs["TopicArn"]])
        states = self.engine.definition["States"].values()
        errors = {one["Error"] for one in states if "Error" in one}
        errors |= {one["Parameters"]["error"] for one in states if "error" in one.get("Parameters", {})}
        self.assertEqual(len(errors), 6, errors)
        ends = {("FAILED", error): error == "NotTold" for error in errors}
        ends |= {("FAILED", "States.Runtime"): True, ("FAILED", None): True, ("ABORTED", None): True}
        ends |= {("TIMED_OUT", "States.Timeout"): True}
        ends |= {("SUCCEEDED", None): False, ("RUNNING", None): False}
        for (status, error), told in ends.items():
            for arn in (self.outputs["StateMachineArn"], f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:another"):
                detail = {"status": status, "error": error, "stateMachineArn": arn}
                event = {"source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": detail}
                expected = told and arn == self.outputs["StateMachineArn"]
                self.assertEqual(rule.event_pattern.matches_event(event), expected, detail)


class Choices(unittest.TestCase):
    """What the parameters change."""

    def test_a_role_that_is_there_is_taken(self):
        with machine.Engine({"AdministrationRoleArn": OWN_ROLE}) as engine:
            self.assertEqual(engine.outputs["AdministrationRoleArn"], OWN_ROLE)
            _, policies = engine.role(name_of(engine.outputs["FunctionRoleArn"]))
            passed = [one["Resource"] for one in policies["campaigns"]["Statement"] if one["Action"] == "iam:PassRole"]
            self.assertEqual(passed, [OWN_ROLE])
            self.assertEqual(len(engine.client("iam").list_roles()["Roles"]), 2)

    def test_without_the_topic_for_stops_no_message_calls_the_function(self):
        with machine.Engine({"StopByTopic": "no"}) as engine:
            self.assertNotIn("StopTopicArn", engine.outputs)
            self.assertEqual(len(engine.client("sns").list_topics()["Topics"]), 1)
            self.assertEqual(engine.client("sns").list_subscriptions()["Subscriptions"], [])

    def test_an_external_id_is_read_where_it_is_named_and_nowhere_else(self):
        with machine.Engine({"ExternalIdParameter": "/patchfleet/external-id"}) as engine:
            role = engine.outputs["FunctionRoleArn"]
            _, policies = engine.role(name_of(role))
        principal = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name_of(role)}/patchfleet"
        parameter = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/patchfleet/external-id"
        key = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
        # A key whose policy leaves it to the account's roles.
        everybody = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
        of_key = {"Version": "2012-10-17", "Statement": [everybody]}
        for action, resource, context, may in (
            ("ssm:GetParameter", parameter, {}, True),
            ("ssm:GetParameter", parameter + "-2", {}, False),
            ("kms:Decrypt", key, {"kms:ViaService": "ssm.us-east-1.amazonaws.com"}, True),
            ("kms:Decrypt", key, {"kms:ViaService": "s3.us-east-1.amazonaws.com"}, False),
        ):
            own = of_key if action.startswith("kms") else None
            question = evaluator.simulation(principal, action, resource, policies, own, context)
            self.assertEqual(evaluator.evaluate([question])[0]["result"] == "Allowed", may, (action, resource, context))

    def test_a_parameter_that_cannot_be_right_is_refused_before_anything_is_made(self):
        for name, wrong in (
            ("CodeBucket", "Bucket"),
            ("Architecture", "x86-64"),
            ("Timeout", "901"),
            ("AdministrationRoleArn", "AdministrationRole"),
            ("ExternalIdParameter", "patchfleet/external-id"),
            ("NotifyEmail", "patching"),
            ("Turns", "2001"),
            ("LogRetentionDays", "100"),
        ):
            said = templates.refusals(TEMPLATE, machine.CODE | {name: wrong})
            self.assertEqual(len(said), 1, (name, said))


if __name__ == "__main__":
    unittest.main()
