"""The triggers, a maintenance window and a schedule: what they make, what they send, who may do what, and the undo."""

import base64
import json
import os
import re
import shlex
import subprocess
import unittest

import evaluator
import moto.backends
import templates
from moto.events.models import EventPattern

ACCOUNT = templates.ACCOUNT
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:patchfleet-Function-1A2B3C4D5E6F"
MACHINE = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:patchfleet"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:patchfleet-Topic-1A2B3C4D5E6F"
ADMINISTRATION = f"arn:aws:iam::{ACCOUNT}:role/patchfleet-AdministrationRole-1A2B3C4D5E6F"

WINDOW = {"FunctionArn": FUNCTION, "ResourceGroup": "WebServers", "Regions": "us-east-1, eu-west-1"}
SCHEDULE = {"StateMachineArn": MACHINE, "ResourceGroup": "WebServers", "Regions": "us-east-1, us-west-2"}

WHOLE = {
    "name": "whole",
    "targets": {"tags": {"Env": ["prod"]}, "regions": "all-enabled"},
    "budget": {"locations": {"max_concurrency": 4, "max_errors": 1}},
}


class Parameters(unittest.TestCase):
    def test_no_parameter_can_break_the_json_that_it_stands_in(self):
        for name, given in (("maintenance-window.yaml", WINDOW), ("schedule.yaml", SCHEDULE)):
            template = templates.read(templates.FOLDER / name)
            self.assertEqual(templates.refusals(template, given), [])
            for parameter, one in template["Parameters"].items():
                if parameter == "RequestJson":
                    continue
                value = str(given.get(parameter, one.get("Default", ""))) or "x"
                for wrong in ('"', "\\", "\n", "${AWS::Region}", "{{TARGET_ID}}", "<aws.scheduler.attempt-number>"):
                    for text in (value + wrong, wrong, f"{value}, {value}{wrong}"):
                        said = templates.refusals(template, given | {parameter: text})
                        self.assertTrue(said and said[0].startswith(parameter), f"{name}: {parameter} takes {text!r}")

    def test_lists_are_taken_as_people_write_them(self):
        for name, given, accounts in (
            ("maintenance-window.yaml", WINDOW, "TargetAccounts"),
            ("schedule.yaml", SCHEDULE, "Accounts"),
        ):
            template = templates.read(templates.FOLDER / name)
            for parameter, value, fits in (
                ("Regions", "us-east-1,us-east-2", True),
                ("Regions", " us-gov-west-1 , us-gov-east-1 ", True),
                ("Regions", "us-east-1;us-east-2", False),
                ("Regions", "us-east-1,", False),
                ("Regions", "useast1", False),
                (accounts, "", True),
                (accounts, "012345678901,987654321098", True),
                (accounts, "012345678901, ou-ab12-cdef3456, r-ab12", True),
                (accounts, "12345678901", False),
                (accounts, "0123456789012", False),
                (accounts, "012345678901,,987654321098", False),
            ):
                said = templates.refusals(template, given | {parameter: value})
                self.assertEqual(not said, fits, f"{name}: {parameter} = {value!r}: {said}")

    def test_schedules_of_both_posts_and_of_patch_tuesday_are_taken(self):
        for name, given, parameter in (
            ("maintenance-window.yaml", WINDOW, "Schedule"),
            ("schedule.yaml", SCHEDULE, "ScheduleExpression"),
        ):
            template = templates.read(templates.FOLDER / name)
            for text in ("cron(0 4 ? * SUN *)", "cron(15 22 ? * TUE *)", "cron(0 4 ? * TUE#2 *)", "rate(7 days)"):
                self.assertEqual(templates.refusals(template, given | {parameter: text}), [])
            for text in ("0 4 ? * SUN *", "cron 0 4", "", "cron(0 4 ? * SUN *"):
                self.assertTrue(templates.refusals(template, given | {parameter: text}), text)


class Triggers(unittest.TestCase):
    def assert_allowed(self, stack, role, expected):
        """What a role of the stack may do, and what it may not: pairs of action and resource."""
        name = role.rsplit("/", 1)[-1]
        _, policies = stack.role(name)
        principal = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/session"
        self.assert_answers(
            {asked: (evaluator.simulation(principal, *asked, policies), may) for asked, may in expected.items()}
        )

    def assert_trusted(self, stack, role, expected):
        """Which service may assume it, and which may not: pairs of service and context."""
        trust, _ = stack.role(role.rsplit("/", 1)[-1])
        self.assert_answers(
            {
                (service, *context): (evaluator.simulation(service, "sts:AssumeRole", role, None, trust, dict(context)), may)
                for (service, context), may in expected.items()
            }
        )

    def assert_answers(self, asked):
        answers = evaluator.evaluate([question for question, _ in asked.values()])
        for (name, (_, may)), answer in zip(asked.items(), answers, strict=True):
            self.assertEqual(answer["result"] == "Allowed", may, name)


class MaintenanceWindow(Triggers):
    """maintenance-window.yaml: the first post."""

    def deployed(self, **more):
        return templates.Deployed("maintenance-window.yaml", WINDOW | more)

    def tasks(self, stack):
        """The window's tasks, as Systems Manager keeps them."""
        windows = moto.backends.get_backend("ssm")[ACCOUNT]["us-east-1"].windows
        return list(windows[stack.outputs["WindowId"]].tasks.values())

    def payload(self, stack, execution="0b3c9b1e-5a3c-4a63-9a0c-6f1f2a3b4c5d"):
        """What the function is called with."""
        (task,) = self.tasks(stack)
        return sent(self.registered(task), execution)

    def registered(self, task):
        """The payload as it is registered. Over the wire it is Base64."""
        return base64.b64decode(task.task_invocation_parameters["Lambda"]["Payload"], validate=True).decode()

    def test_it_opens_when_it_is_told_to(self):
        more = {"Schedule": "cron(0 4 ? * TUE#2 *)", "TimeZone": "US/Eastern", "ScheduleOffset": "3", "Duration": "12"}
        with self.deployed(**more, OwnerInformation="Web team, +1 555 0100") as stack:
            window = stack.client("ssm").get_maintenance_window(WindowId=stack.outputs["WindowId"])
            self.assertEqual(window["Schedule"], "cron(0 4 ? * TUE#2 *)")
            self.assertEqual((window["ScheduleTimezone"], window["ScheduleOffset"]), ("US/Eastern", 3))
            self.assertEqual((window["Duration"], window["Cutoff"]), (12, 1))
            self.assertIn("Web team, +1 555 0100", window["Description"])

    def test_its_one_task_calls_the_function_and_has_no_target(self):
        with self.deployed() as stack:
            (task,) = self.tasks(stack)
            self.assertEqual((task.task_type, task.task_arn), ("LAMBDA", FUNCTION))
            self.assertEqual(task.service_role_arn, stack.outputs["ServiceRoleArn"])
            # AWS refuses the last two of a task without targets.
            self.assertEqual((task.targets, task.max_concurrency, task.max_errors), (None, None, None))

    def test_a_window_that_is_not_enabled_has_no_task(self):
        with self.deployed(Enabled="no") as stack:
            self.assertEqual(self.tasks(stack), [])

    def test_the_payload_says_what_the_parameters_say(self):
        more = {"Operation": "Install", "TargetAccounts": "111122223333, ou-ab12-cdef3456", "MaxErrors": "0"}
        with self.deployed(**more, AdministrationRoleArn=ADMINISTRATION) as stack:
            payload = self.payload(stack)
        self.assertEqual(
            payload,
            {
                "WindowExecutionId": "0b3c9b1e-5a3c-4a63-9a0c-6f1f2a3b4c5d",
                "Cutoff": "8h30m",
                "CarryOver": "",
                "SecondAttempt": "",
                "Regions": "us-east-1, eu-west-1",
                "ResourceGroup": "WebServers",
                "Operation": "Install",
                "RebootOption": "RebootIfNeeded",
                "InstallOverrideList": "",
                "MaxConcurrency": "10%",
                "MaxErrors": "0",
                "Offline": "skip",
                "TargetAccounts": "111122223333, ou-ab12-cdef3456",
                "IncludeChildOUs": "true",
                "TargetLocationMaxConcurrency": "50",
                "TargetLocationMaxErrors": "0",
                "ExecutionRoleName": "AWS-SystemsManager-AutomationExecutionRole",
                "AutomationAssumeRole": ADMINISTRATION,
                "DocumentName": "",
            },
        )

    def test_every_command_has_expired_when_the_window_ends_or_nothing_is_said_of_it(self):
        with self.deployed(Duration="24") as stack:
            self.assertEqual(self.payload(stack)["Cutoff"], "23h30m")
        with self.deployed(Duration="5", KeepWithinWindow="no") as stack:
            self.assertEqual(self.payload(stack)["Cutoff"], "")

    def test_a_window_that_is_too_short_for_a_command_is_refused(self):
        template = templates.read(templates.FOLDER / "maintenance-window.yaml")
        for hours in range(1, 25):
            said = templates.refusals(template, WINDOW | {"Duration": str(hours)})
            self.assertEqual(bool(said), hours < 7, (hours, said))
        (said,) = templates.refusals(template, WINDOW | {"Duration": "5"})
        self.assertIn("Duration has to be at least 7, or KeepWithinWindow no", said)

    def test_what_the_last_window_did_not_come_to_is_carried_over_if_it_is_said_so(self):
        with self.deployed(CarryOver="yes") as stack:
            self.assertEqual(self.payload(stack)["CarryOver"], "true")
        template = templates.read(templates.FOLDER / "maintenance-window.yaml")
        (said,) = templates.refusals(template, WINDOW | {"CarryOver": "yes", "KeepWithinWindow": "no"})
        self.assertIn("KeepWithinWindow has to be yes", said)
        own = {"CarryOver": "yes", "DocumentName": "Ours", "NodesThatDoNotAnswer": "target"}
        (said,) = templates.refusals(template, WINDOW | own)
        self.assertIn("cannot be told which nodes to take, so it has to be no", said)

    def test_a_second_attempt_is_asked_for_if_it_is_said_so(self):
        with self.deployed(SecondAttempt="yes") as stack:
            self.assertEqual(self.payload(stack)["SecondAttempt"], "true")
        template = templates.read(templates.FOLDER / "maintenance-window.yaml")
        own = {"SecondAttempt": "yes", "DocumentName": "Ours", "NodesThatDoNotAnswer": "target"}
        (said,) = templates.refusals(template, WINDOW | own)
        self.assertIn("SecondAttempt: a runbook of your own", said)

    def test_a_unit_stands_for_those_below_it_unless_it_is_said_not_to(self):
        for more, said in (({}, "true"), ({"IncludeChildOUs": "no"}, "false")):
            with self.deployed(TargetAccounts="r-ab12", **more) as stack:
                self.assertEqual(self.payload(stack)["IncludeChildOUs"], said)

    def test_a_runbook_of_ones_own_is_not_told_which_nodes_to_take(self):
        template = templates.read(templates.FOLDER / "maintenance-window.yaml")
        for document, offline, fits in (
            ("", "skip", True),
            ("Patchfleet-RunPatchBaseline", "skip", True),
            ("Ours", "skip", False),
            ("Ours", "target", True),
            ("Ours", "refuse", True),
        ):
            said = templates.refusals(template, WINDOW | {"DocumentName": document, "NodesThatDoNotAnswer": offline})
            self.assertEqual(not said, fits, (document, offline, said))

    def test_the_longest_payload_is_one_that_systems_manager_takes(self):
        longest = {
            "Regions": ",".join(["ap-northeast-1"] * 46) + ", us-east-1",
            "ResourceGroup": "g" * 300,
            "InstallOverrideList": "s3://" + "k" * 251,
            "MaxConcurrency": "1000000",
            "MaxErrors": "1000000",
            "NodesThatDoNotAnswer": "refuse",
            "IncludeChildOUs": "no",
            "DocumentName": "d" * 200,
            "TargetAccounts": ",".join(["111122223333"] * 107) + " " * 10,
            "TargetLocationMaxConcurrency": "1000000",
            "TargetLocationMaxErrors": "1000000",
            "ExecutionRoleName": "r" * 64,
            "AdministrationRoleArn": f"arn:aws-us-gov:iam::{ACCOUNT}:role/".ljust(300, "r"),
            "Operation": "Install",
            "RebootOption": "RebootIfNeeded",
            "Duration": "24",
        }
        template = templates.read(templates.FOLDER / "maintenance-window.yaml")
        for name, value in longest.items():
            bound = template["Parameters"][name].get("MaxLength")
            self.assertTrue(bound is None or len(value) == int(bound), (name, len(value)))
            self.assertTrue(templates.refusals(template, WINDOW | longest | {name: value + value[-1]}), name)
        with self.deployed(**longest) as stack:
            (task,) = self.tasks(stack)
            # What is registered, and what the function is sent.
            self.assertLessEqual(len(self.registered(task)), 4096)
            self.assertLessEqual(len(json.dumps(self.payload(stack), separators=(",", ":"))), 4096)
            # What a runbook of one's own leaves empty.
            carried = {"CarryOver": "true", "SecondAttempt": "true", "DocumentName": ""}
            self.assertLessEqual(len(json.dumps(self.payload(stack) | carried, separators=(",", ":"))), 4096)

    def test_only_systems_manager_for_this_account_and_region_may_use_the_service_role(self):
        def of(account, region):
            source = f"arn:aws:ssm:{region}:{account}:maintenancewindow/mw-0aaaaaaaaaaaaaaa1"
            return (("aws:SourceAccount", account), ("aws:SourceArn", source))

        with self.deployed() as stack:
            expected = {
                ("ssm.amazonaws.com", of(ACCOUNT, "us-east-1")): True,
                # What AWS does not say cannot be held against it.
                ("ssm.amazonaws.com", ()): True,
                ("ssm.amazonaws.com", of("999999999999", "us-east-1")): False,
                ("ssm.amazonaws.com", of(ACCOUNT, "eu-west-1")): False,
                ("lambda.amazonaws.com", of(ACCOUNT, "us-east-1")): False,
            }
            self.assert_trusted(stack, stack.outputs["ServiceRoleArn"], expected)

    def test_the_service_role_calls_the_function_and_does_nothing_else(self):
        with self.deployed() as stack:
            expected = {
                ("lambda:InvokeFunction", FUNCTION): True,
                ("lambda:InvokeFunction", FUNCTION + "2"): False,
                ("lambda:UpdateFunctionCode", FUNCTION): False,
                ("ssm:SendCommand", f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-04d5540956315c41d"): False,
            }
            self.assert_allowed(stack, stack.outputs["ServiceRoleArn"], expected)

    def test_a_window_that_failed_is_told_to_the_topic(self):
        with self.deployed(TopicArn=TOPIC) as stack:
            events = stack.client("events")
            (rule,) = events.list_rules()["Rules"]
            # The shape is that of the user guide's sample event.
            event = {
                "version": "0",
                "id": "01234567-0123-0123-0123-0123456789ab",
                "detail-type": "Maintenance Window Execution State-change Notification",
                "source": "aws.ssm",
                "account": ACCOUNT,
                "time": "2025-06-02T14:52:18Z",
                "region": "us-east-1",
                "resources": [f"arn:aws:ssm:us-east-1:{ACCOUNT}:maintenancewindow/{stack.outputs['WindowId']}"],
                "detail": {
                    "start-time": "2025-06-02T14:48:28.039273Z",
                    "end-time": "2025-06-02T14:52:18.083773Z",
                    "window-id": stack.outputs["WindowId"],
                    "window-execution-id": "14bea65d-5ccc-462d-a2f3-e99c8EXAMPLE",
                    "status": "FAILED",
                },
            }
            pattern = EventPattern.load(rule["EventPattern"])
            for status, told in (("FAILED", True), ("TIMED_OUT", True), ("SKIPPED_OVERLAPPING", True), ("SUCCESS", False)):
                event["detail"]["status"] = status
                self.assertEqual(pattern.matches_event(event), told, status)
            event["detail"] |= {"status": "FAILED", "window-id": "mw-0aaaaaaaaaaaaaaa1"}
            self.assertFalse(pattern.matches_event(event), "a window of somebody else")

            (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            self.assertEqual(target["Arn"], TOPIC)
            paths = target["InputTransformer"]["InputPathsMap"]
            text = target["InputTransformer"]["InputTemplate"]
            self.assertEqual(set(re.findall("<([a-z]+)>", text)), set(paths))
            for path in paths.values():
                self.assertIsInstance(at(event, path), str, path)
            for line in text.splitlines():
                self.assertTrue(line.startswith('"') and line.endswith('"'), line)
            role = target["RoleArn"]
            self.assert_allowed(stack, role, {("sns:Publish", TOPIC): True, ("sns:Publish", TOPIC + "2"): False})

            def of(account, arn):
                return (("aws:SourceAccount", account), ("aws:SourceArn", arn))

            service = "events.amazonaws.com"
            expected = {
                (service, of(ACCOUNT, rule["Arn"])): True,
                (service, of(ACCOUNT, rule["Arn"] + "2")): False,
                (service, of("999999999999", rule["Arn"].replace(ACCOUNT, "999999999999"))): False,
                (service, of("999999999999", rule["Arn"])): False,
                (service, ()): False,
                ("scheduler.amazonaws.com", of(ACCOUNT, rule["Arn"])): False,
            }
            self.assert_trusted(stack, role, expected)
            # What EventBridge takes as a rule's name.
            self.assertRegex(rule["Name"], r"\A[A-Za-z0-9._-]{1,64}\Z")

    def test_without_a_topic_nothing_is_told(self):
        with self.deployed() as stack:
            self.assertEqual(stack.client("events").list_rules()["Rules"], [])

    def test_the_undo_leaves_nothing(self):
        with self.deployed(TopicArn=TOPIC) as stack:
            stack.delete()
            self.assertEqual(stack.client("ssm").describe_maintenance_windows()["WindowIdentities"], [])
            self.assertEqual(stack.client("iam").list_roles()["Roles"], [])
            self.assertEqual(stack.client("events").list_rules()["Rules"], [])


class Schedule(Triggers):
    """schedule.yaml: the second post."""

    def deployed(self, **more):
        return templates.Deployed("schedule.yaml", SCHEDULE | more)

    def schedule(self, stack):
        names = {"Name": stack.outputs["ScheduleName"], "GroupName": stack.outputs["ScheduleGroupName"]}
        return stack.client("scheduler").get_schedule(**names)

    def event(self, stack):
        """What the state machine is started with."""
        schedule = self.schedule(stack)
        return started(schedule["Target"]["Input"], schedule["Arn"], "2026-03-03T22:15:00Z")

    def test_it_starts_the_state_machine_when_it_is_told_to(self):
        with self.deployed(ScheduleExpression="cron(0 4 ? * TUE#2 *)", TimeZone="Europe/Berlin") as stack:
            schedule = self.schedule(stack)
            self.assertEqual(schedule["ScheduleExpression"], "cron(0 4 ? * TUE#2 *)")
            self.assertEqual(schedule["ScheduleExpressionTimezone"], "Europe/Berlin")
            self.assertEqual((schedule["State"], schedule["FlexibleTimeWindow"]), ("ENABLED", {"Mode": "OFF"}))
            target = schedule["Target"]
            self.assertEqual((target["Arn"], target["RoleArn"]), (MACHINE, stack.outputs["RoleArn"]))
            self.assertEqual(target["RetryPolicy"], {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 185})

    def test_it_may_be_off_and_within_some_minutes_and_tried_again_for_a_day(self):
        with self.deployed(State="DISABLED", FlexibleMinutes="30", RetryMinutes="1440") as stack:
            schedule = self.schedule(stack)
            self.assertEqual(schedule["State"], "DISABLED")
            self.assertEqual(schedule["FlexibleTimeWindow"], {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30})
            self.assertEqual(schedule["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"], 86400)

    def test_an_event_is_known_by_its_schedule_and_its_time(self):
        with self.deployed() as stack:
            schedule = self.schedule(stack)
            self.assertEqual(self.event(stack)["event_id"], f"{schedule['Arn']} 2026-03-03T22:15:00Z")
            asked = set(re.findall("<aws[.][a-z.-]+>", schedule["Target"]["Input"]))
            # The other two of Scheduler's differ whenever a start is tried again.
            self.assertEqual(asked, {"<aws.scheduler.schedule-arn>", "<aws.scheduler.scheduled-time>"})

    def test_the_input_says_what_the_parameters_say(self):
        more = {
            "RequestName": "weekly-linux",
            "Operation": "Install",
            "InstallOverrideList": "s3://a-bucket/list.yaml",
            "Accounts": "222233334444, ou-ab12-cdef3456",
            "IncludeChildUnits": "false",
            "AdministrationRoleArn": ADMINISTRATION,
            "NodesThatDoNotAnswer": "skip",
            "LocationMaxConcurrency": "25%",
            "Cutoff": "8h30m",
        }
        with self.deployed(**more) as stack:
            event = self.event(stack)
        self.assertEqual(event["cutoff"], "8h30m")
        self.assertEqual(
            event["request"],
            {
                "name": "weekly-linux",
                "patch": {
                    "install_override_list": "s3://a-bucket/list.yaml",
                    "operation": "Install",
                    "reboot_option": "RebootIfNeeded",
                },
                "targets": {
                    "accounts": ["222233334444", "ou-ab12-cdef3456"],
                    "include_child_ous": False,
                    "resource_group": "WebServers",
                    "regions": ["us-east-1", "us-west-2"],
                },
                "budget": {
                    "nodes": {"max_concurrency": "10%", "max_errors": "10%"},
                    "locations": {"max_concurrency": "25%", "max_errors": "1"},
                },
                "policy": {"offline": "skip"},
                "access": {"discovery_role": "AWS-SystemsManager-AutomationExecutionRole"},
                "automation": {
                    "assume_role": ADMINISTRATION,
                    "execution_role": "AWS-SystemsManager-AutomationExecutionRole",
                },
            },
        )

    def test_what_the_last_campaign_did_not_come_to_is_carried_over_if_it_is_said_so(self):
        with self.deployed(Cutoff="9h", CarryOver="yes") as stack:
            event = self.event(stack)
        self.assertEqual((event["cutoff"], event["carry_over"]), ("9h", True))
        (said,) = templates.refusals(templates.read(templates.FOLDER / "schedule.yaml"), SCHEDULE | {"CarryOver": "yes"})
        self.assertIn("without a Cutoff leaves nothing", said)

    def test_a_second_attempt_is_asked_for_if_it_is_said_so(self):
        with self.deployed(SecondAttempt="yes") as stack:
            self.assertIs(self.event(stack)["second_attempt"], True)

    def test_what_is_left_empty_is_left_out(self):
        with self.deployed() as stack:
            event = self.event(stack)
        self.assertEqual(event["request"]["policy"], {"offline": "skip"})
        self.assertEqual(set(event), {"event_id", "request"})
        request = event["request"]
        self.assertEqual(set(request["targets"]), {"resource_group", "regions"})
        self.assertEqual(set(request["patch"]), {"operation", "reboot_option"})
        self.assertNotIn("assume_role", request["automation"])

    def test_a_whole_request_is_taken_as_it_is(self):
        text = json.dumps(WHOLE, indent=2)
        more = {"RequestJson": text, "ResourceGroup": "", "Regions": "", "Cutoff": "9h"}
        with self.deployed(**more) as stack:
            event = self.event(stack)
        self.assertEqual((event["request"], event["cutoff"]), (WHOLE, "9h"))

    def test_what_and_where_are_said_once(self):
        template = templates.read(templates.FOLDER / "schedule.yaml")
        said = templates.refusals(template, {"StateMachineArn": MACHINE})
        self.assertEqual([one.split(":")[0] for one in said], ["ResourceGroup", "Regions"])
        (said,) = templates.refusals(template, SCHEDULE | {"RequestJson": json.dumps(WHOLE)})
        self.assertIn("the group stands in the request", said)

    def test_every_input_is_a_request_that_patchfleet_reads(self):
        for more in (
            {},
            {"Operation": "Install", "RebootOption": "NoReboot", "InstallOverrideList": "https://a.example/list.yaml?x=1&y=2"},
            {"Accounts": "222233334444,ou-ab12-cdef3456,r-ab12", "MaxErrors": "0%", "LocationMaxErrors": "100%"},
            {"AdministrationRoleArn": ADMINISTRATION, "ExecutionRoleName": "Patching", "NodesThatDoNotAnswer": "refuse"},
            {"RequestJson": json.dumps(WHOLE), "ResourceGroup": "", "Regions": ""},
        ):
            with self.subTest(more), self.deployed(**more) as stack:
                done = patchfleet_reads(self.event(stack)["request"])
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_request_that_patchfleet_does_not_read_would_be_seen(self):
        self.assertNotEqual(patchfleet_reads(WHOLE | {"budgets": {}}).returncode, 0)

    def test_only_scheduler_for_this_group_may_use_the_role(self):
        def of(account, group):
            return (("aws:SourceAccount", account), ("aws:SourceArn", group))

        with self.deployed() as stack:
            name = stack.outputs["ScheduleGroupName"]
            group = f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/{name}"
            expected = {
                ("scheduler.amazonaws.com", of(ACCOUNT, group)): True,
                ("scheduler.amazonaws.com", of(ACCOUNT, group.replace(name, "default"))): False,
                ("scheduler.amazonaws.com", of("999999999999", group)): False,
                ("events.amazonaws.com", of(ACCOUNT, group)): False,
            }
            self.assert_trusted(stack, stack.outputs["RoleArn"], expected)

    def test_the_role_starts_the_state_machine_and_keeps_what_was_not_started_and_does_nothing_else(self):
        with self.deployed() as stack:
            queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{stack.outputs['DeadLetterQueueUrl'].rsplit('/', 1)[-1]}"
            expected = {
                ("states:StartExecution", MACHINE): True,
                ("states:StartExecution", MACHINE + "2"): False,
                ("states:StopExecution", f"arn:aws:states:us-east-1:{ACCOUNT}:execution:patchfleet:1"): False,
                ("sqs:SendMessage", queue): True,
                ("sqs:SendMessage", queue + "2"): False,
                ("sqs:ReceiveMessage", queue): False,
            }
            self.assert_allowed(stack, stack.outputs["RoleArn"], expected)

    def test_a_start_that_is_given_up_is_kept_encrypted_for_two_weeks_and_told(self):
        with self.deployed(TopicArn=TOPIC) as stack:
            url = stack.outputs["DeadLetterQueueUrl"]
            queue = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            self.assertEqual(self.schedule(stack)["Target"]["DeadLetterConfig"]["Arn"], queue["QueueArn"])
            self.assertEqual((queue["MessageRetentionPeriod"], queue["SqsManagedSseEnabled"]), ("1209600", "true"))
            (only,) = json.loads(queue["Policy"])["Statement"]
            self.assertEqual((only["Effect"], only["Condition"]), ("Deny", {"Bool": {"aws:SecureTransport": "false"}}))
            (alarm,) = stack.client("cloudwatch").describe_alarms()["MetricAlarms"]
            self.assertEqual(alarm["Dimensions"], [{"Name": "QueueName", "Value": url.rsplit("/", 1)[-1]}])
            self.assertEqual((alarm["AlarmActions"], alarm["Namespace"]), ([TOPIC], "AWS/SQS"))
            self.assertEqual((alarm["Threshold"], alarm["ComparisonOperator"]), (0, "GreaterThanThreshold"))

    def test_the_undo_leaves_nothing(self):
        with self.deployed(TopicArn=TOPIC) as stack:
            stack.delete()
            self.assertEqual(stack.client("scheduler").list_schedules()["Schedules"], [])
            self.assertEqual(stack.client("sqs").list_queues().get("QueueUrls", []), [])
            self.assertEqual(stack.client("iam").list_roles()["Roles"], [])
            self.assertEqual(stack.client("cloudwatch").describe_alarms()["MetricAlarms"], [])


class Boundary(unittest.TestCase):
    """A policy that bounds what each role may do, where an organization asks for one."""

    def test_each_role_has_the_boundary_that_is_named_and_none_otherwise(self):
        boundary = f"arn:aws:iam::{ACCOUNT}:policy/Boundary"
        for name, given, roles in (
            ("maintenance-window.yaml", WINDOW | {"TopicArn": TOPIC}, 2),
            ("schedule.yaml", SCHEDULE | {"TopicArn": TOPIC}, 1),
        ):
            for more, expected in (({"PermissionsBoundaryArn": boundary}, {boundary}), ({}, {None})):
                with self.subTest(name, **more), templates.Deployed(name, given | more) as stack:
                    iam = stack.client("iam")
                    made = [iam.get_role(RoleName=one["RoleName"])["Role"] for one in iam.list_roles()["Roles"]]
                    self.assertEqual(len(made), roles)
                    found = {one.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") for one in made}
                    self.assertEqual(found, expected)


class Pages(Triggers):
    """The pages of the templates show what these make."""

    def test_the_command_of_the_page_makes_what_the_page_shows(self):
        window = templates.FOLDER / "maintenance-window.md"
        with templates.Deployed("maintenance-window.yaml", given(window)) as stack:
            self.assertEqual(MaintenanceWindow.payload(MaintenanceWindow(), stack), sample(window))
        schedule = templates.FOLDER / "schedule.md"
        with templates.Deployed("schedule.yaml", given(schedule)) as stack:
            event = Schedule.event(Schedule(), stack)
            self.assertEqual(event["request"], sample(schedule)["request"])
            self.assertEqual(set(event), set(sample(schedule)))

    def test_the_first_scan_beside_the_sample_is_a_request_with_one_role(self):
        request = sample(templates.ROOT / "docs" / "from-the-posts.md")["request"]
        done = patchfleet_reads(request)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(request["access"]["discovery_role"], request["automation"]["execution_role"])

    def test_the_policy_for_the_samples_function_lets_it_start_the_samples_runbook_and_enter_its_role(self):
        page = (templates.ROOT / "docs" / "in-place-of-the-samples-function.md").read_text(encoding="utf-8")
        (text,) = re.findall("```json\n(.*?)```", page, re.DOTALL)
        policies = {"patchfleet": json.loads(text)}
        here, role = "111122223333", "AWS-Lambda-SSM-MultiAccountPatchingBlogRole"
        expected = {
            ("sts:AssumeRole", "arn:aws:iam::222233334444:role/AWS-SystemsManager-AutomationExecutionRole"): True,
            ("sts:AssumeRole", "arn:aws:iam::222233334444:role/Administrator"): False,
            ("ssm:StartAutomationExecution", f"arn:aws:ssm:us-east-1:{here}:document/Automation-RunPatchBaseline"): True,
            ("ssm:StartAutomationExecution", f"arn:aws:ssm:us-east-1:{here}:document/Another"): False,
            ("ssm:GetDocument", f"arn:aws:ssm:us-east-1:{here}:document/Automation-RunPatchBaseline"): True,
            ("ssm:SendCommand", f"arn:aws:ec2:us-east-1:{here}:instance/i-04d5540956315c41d"): False,
        }
        principal = f"arn:aws:sts::{here}:assumed-role/{role}/session"
        # The sample's role in each account trusts the whole central account.
        root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{here}:root"}, "Action": "sts:AssumeRole"}
        trust = {"Version": "2012-10-17", "Statement": [root]}
        self.assert_answers(
            {
                (action, resource): (
                    evaluator.simulation(
                        principal, action, resource, policies, trust if action == "sts:AssumeRole" else None
                    ),
                    may,
                )
                for (action, resource), may in expected.items()
            }
        )

    def test_the_page_takes_away_the_stack_that_it_makes(self):
        for name in ("maintenance-window.md", "schedule.md"):
            first, *_, last = commands(templates.FOLDER / name)
            self.assertEqual(last[:3], ["aws", "cloudformation", "delete-stack"])
            self.assertEqual(last[last.index("--stack-name") + 1], first[first.index("--stack-name") + 1])


def commands(page):
    """The commands of AWS's own that a page shows, as words."""
    blocks = re.findall("```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [words for words in map(shlex.split, lines) if words[0] == "aws"]


def given(page):
    """The parameters of the first command of a page."""
    words = commands(page)[0]
    return dict(word.split("=", 1) for word in words[words.index("--parameter-overrides") + 1 :])


def sample(page):
    """The event that a page shows."""
    (block,) = re.findall("```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return json.loads(block)


def sent(payload, execution):
    """A task's payload as Systems Manager sends it: with the window's execution filled in."""
    text = payload.replace("{{WINDOW_EXECUTION_ID}}", execution)
    assert "{{" not in text, text
    return json.loads(text)


def started(given, schedule, time):
    """A target's input as Scheduler sends it: with the schedule and its nominal time filled in."""
    text = given.replace("<aws.scheduler.schedule-arn>", schedule).replace("<aws.scheduler.scheduled-time>", time)
    assert "<aws." not in text, text
    return json.loads(text)


def at(event, path):
    """What stands at a path such as `$.detail.status`."""
    for key in path.removeprefix("$.").split("."):
        event = event[key]
    return event


def patchfleet_reads(request):
    """Reads a request with the command. It prints a policy for it, which needs no AWS."""
    words = [os.environ["PATCHFLEET"], "iam", "--for", "management", "-f", "-", "--format", "json"]
    return subprocess.run(words, input=json.dumps(request), capture_output=True, text=True, timeout=60, check=False)


if __name__ == "__main__":
    unittest.main()
