"""The engine's state machine, run by an interpreter of the states language. The function is a list of answers here: what
each of them leads to, and above all each failure. Waiting takes no time, and is counted; so is what a call is said to take."""

import datetime
import json
import os
import pathlib
import subprocess
import tempfile
import types
import unittest
from unittest import mock

import function
import machine
import templates

CAMPAIGN = "0b3c9b1e-5a3c-4a63-9a0c-6f1f2a3b4c5d"
EVENT = {"event_id": "arn:aws:scheduler:us-east-1:123456789012:schedule/default/weekly 2026-11-28T02:00:00Z", "request": {}}
BEGUN = {"campaign_id": CAMPAIGN, "status": "open", "locations": 19}
MINUTE, HOUR = 60, 3600
# The longest that a call of the function lasts.
WHOLE_CALL = 15 * MINUTE


def still_open(turn, wait=30):
    """An answer of `advance` to go on with."""
    return {"campaign_id": CAMPAIGN, "status": "open", "wait_seconds": wait, "turn": turn, "running": 3}


def over(turn):
    """The last answer of `advance`."""
    return {"campaign_id": CAMPAIGN, "status": "over", "outcome": "ok", "exit_code": 0, "turn": turn}


def report(exit_code=0, outcome="ok"):
    """An answer of `report`."""
    words = {"subject": f"patchfleet: weekly {outcome}", "message": f"The campaign ended as {outcome}.", "locations": []}
    return {"campaign_id": CAMPAIGN, "status": "over", "outcome": outcome, "exit_code": exit_code} | words


class Answers:
    """A function that gives one answer after another to each operation. A pair is a function error, an exception one of
    Lambda; the last answer is given again and again. Each call is said to take so many seconds."""

    def __init__(self, takes=0, **answers):
        self.answers, self.asked = {name: list(of) for name, of in answers.items()}, []
        self.takes = takes

    def invoke(self, event):
        self.asked.append(event)
        of = self.answers[event["op"]]
        given = of.pop(0) if len(of) > 1 else of[0]
        if isinstance(given, Exception):
            raise given
        if isinstance(given, tuple):
            return function.failure(*given)
        return function.answer(json.dumps(given).encode())

    def count(self, operation):
        """How often it was called for an operation."""
        return sum(event["op"] == operation for event in self.asked)

    def seconds(self):
        """How long its calls have taken so far."""
        return len(self.asked) * self.takes


class Definition(unittest.TestCase):
    def validated(self, change=lambda definition: None):
        """What the validator's exit code is for the definition as it is deployed."""
        with machine.Engine() as engine:
            definition = engine.definition
        change(definition)
        work = pathlib.Path(os.environ["DEPLOY_WORK"])
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(definition, file)
            file.flush()
            validator = work / "node" / "node_modules" / "asl-validator" / "dist" / "bin" / "asl-validator.js"
            words = [work / "venv" / "bin" / "node", validator, "--json-path", file.name]
            return subprocess.run(words, capture_output=True, text=True, check=False).returncode

    def test_the_validator_accepts_it(self):
        self.assertEqual(self.validated(), 0)

    def test_it_would_not_accept_a_state_that_is_not_there(self):
        self.assertEqual(self.validated(lambda one: one["States"]["Wait"].update(Next="Advances")), 1)

    def test_every_value_of_the_stack_stands_in_it(self):
        with machine.Engine({"Turns": "7"}) as engine:
            text = json.dumps(engine.definition)
            self.assertNotIn("${", text)
            for output in ("FunctionArn", "TopicArn", "LogUri"):
                self.assertIn(engine.outputs[output], text)
            self.assertIn("States.StringToJson('7')", text)

    def test_what_is_not_retried_is_decided_by_the_function(self):
        with machine.Engine() as engine:
            tasks = {name: one for name, one in engine.definition["States"].items() if one["Type"] == "Task"}
        called = {name: one for name, one in tasks.items() if one["Resource"].endswith(":lambda:invoke")}
        self.assertEqual(set(called), {"Start", "Advance", "AdvanceAgain", "Report"})
        for name, one in called.items():
            self.assertEqual(set(one["Retry"][0]["ErrorEquals"]), {"InvalidRequest", "Refused", "NeedsPerson"}, name)
            self.assertEqual(one["Retry"][0]["MaxAttempts"], 0, name)
            # Longer than a function may run: two calls of one state are not at work at once.
            self.assertGreater(one["TimeoutSeconds"], 900, name)
        for name, one in tasks.items():
            self.assertEqual((one["Retry"][-1]["ErrorEquals"], one["Catch"][-1]["ErrorEquals"]), (["States.ALL"],) * 2, name)


class Paths(unittest.TestCase):
    """Every state of the machine is entered by one of these."""

    @classmethod
    def setUpClass(cls):
        cls.waits, cls.entered, cls.ran = [], set(), 0
        cls.engine = machine.Engine(wait=cls.waits.append)
        cls.engine.__enter__()
        cls.addClassCleanup(cls.engine.__exit__)

    @classmethod
    def tearDownClass(cls):
        missed = set(cls.engine.definition["States"]) - cls.entered
        # Some of the tests alone, by their names, do not enter all.
        assert not missed or cls.ran < len(unittest.defaultTestLoader.getTestCaseNames(cls)), f"no test of these enters {missed}"

    def setUp(self):
        type(self).ran += 1

    def run_with(self, event, takes=0, **answers):
        """How an execution ended, what was told meanwhile, and the function."""
        return self.run_by(event, Answers(takes, **answers))

    def run_by(self, event, answering):
        """The same, with such a function."""
        self.engine.function = answering
        self.waits.clear()
        before = len(self.engine.told())
        ended = self.engine.run(event)
        for arn in ended.arns:
            events = [one.get("stateEnteredEventDetails") for one in self.engine.end_of(arn).events]
            self.entered.update(one["name"] for one in events if one)
        return ended, self.engine.told()[before:], answering

    def assert_asked_at_its_start(self, arn, asked_at):
        """A time that the function was told is when an execution was started, to the millisecond that AWS shows."""
        started = self.engine.client("stepfunctions").describe_execution(executionArn=arn)["startDate"]
        later = datetime.datetime.fromisoformat(asked_at) - started
        self.assertLess(abs(later), datetime.timedelta(milliseconds=2))

    def test_an_event_is_begun_driven_to_its_end_and_told(self):
        ended, told, answering = self.run_with(
            EVENT, start=[BEGUN], advance=[still_open(1, 30), still_open(2, 600), over(3)], report=[report()]
        )
        self.assertEqual(ended.status, "SUCCEEDED")
        self.assertEqual(told, [("patchfleet: weekly ok", "The campaign ended as ok.")])
        self.assertEqual(self.waits, [30, 600])
        start, *advances, last = answering.asked
        self.assert_asked_at_its_start(ended.arn, start.pop("asked_at"))
        self.assertEqual(start, {"op": "start", "event": EVENT, "invocation": ended.arn})
        of = {"op": "advance", "campaign_id": CAMPAIGN}
        self.assertEqual(advances, [of | {"turn": 0}, of | {"turn": 1}, of | {"turn": 2}])
        self.assertEqual(last, {"op": "report", "campaign_id": CAMPAIGN})

    def test_a_campaign_that_was_handed_over_is_not_begun_again(self):
        ended, told, answering = self.run_with({"campaign_id": CAMPAIGN}, advance=[over(1)], report=[report()])
        self.assertEqual((ended.status, len(told), answering.count("advance")), ("SUCCEEDED", 1, 1))

    def test_what_was_over_at_once_is_reported_and_not_driven(self):
        ended, told, answering = self.run_with(EVENT, start=[BEGUN | {"status": "over"}], report=[report()])
        self.assertEqual((ended.status, len(told)), ("SUCCEEDED", 1))
        self.assertEqual([event["op"] for event in answering.asked], ["start", "report"])

    def test_a_campaign_with_failures_is_told_and_ends_as_a_failure(self):
        ended, told, _ = self.run_with(EVENT, start=[BEGUN], advance=[over(1)], report=[report(4, "failures")])
        self.assertEqual((ended.status, ended.error), ("FAILED", "CampaignFailed"))
        self.assertIn(f"{CAMPAIGN} ended as failures, exit code 4", ended.cause)
        self.assertEqual(told, [("patchfleet: weekly failures", "The campaign ended as failures.")])

    def test_what_the_function_refuses_is_told_and_not_tried_again(self):
        for kind in ("Refused", "InvalidRequest"):
            words = "targets.regions: nowhere-1 is no Region"
            ended, told, answering = self.run_with(EVENT, start=[(kind, words)])
            self.assertEqual((ended.status, ended.error), ("FAILED", "CampaignNotBegun"))
            self.assertEqual((answering.count("start"), self.waits), (1, []))
            [(subject, message)] = told
            self.assertEqual(subject, "patchfleet: a campaign was refused")
            for part in ("Nothing was started", kind, words, ended.arn):
                self.assertIn(part, message)

    def test_what_only_a_person_can_solve_is_told_with_what_to_do(self):
        words = "the start of unit 2 is not resolved: look whether execution 5a… runs"
        ended, told, answering = self.run_with({"campaign_id": CAMPAIGN}, advance=[still_open(1), ("NeedsPerson", words)])
        self.assertEqual((ended.status, ended.error), ("FAILED", "CampaignNeedsPerson"))
        self.assertEqual((answering.count("advance"), self.waits), (2, [30]))
        [(subject, message)] = told
        self.assertEqual(subject, "patchfleet: a campaign needs a person")
        log = self.engine.outputs["LogUri"]
        for part in (CAMPAIGN, "the start of unit 2", f"patchfleet resume {CAMPAIGN} --log {log}"):
            self.assertIn(part, message)

    def test_a_function_that_fails_for_a_while_is_called_again(self):
        for error in (
            machine.refused("TooManyRequestsException"),
            machine.refused("ServiceException", status=500),
            ("Sandbox.Timedout", "Task timed out after 60.00 seconds"),
            ("Runtime.ExitError", "Runtime exited"),
            ("Failed", "no answer from AWS"),
            ("Unfinished", "unit 2 was not begun"),
        ):
            ended, told, answering = self.run_with(
                EVENT, start=[error, BEGUN], advance=[error, error, over(1)], report=[error, report()]
            )
            self.assertEqual((ended.status, len(told)), ("SUCCEEDED", 1), error)
            counts = [answering.count(operation) for operation in ("start", "advance", "report")]
            self.assertEqual(counts, [2, 3, 2], error)

    def test_each_turn_has_its_attempts(self):
        errors = [("Failed", "no answer")] * 3
        ended, told, _ = self.run_with(
            {"campaign_id": CAMPAIGN},
            advance=[*errors, still_open(1), *errors, still_open(2), *errors, over(3)],
            report=[report()],
        )
        self.assertEqual((ended.status, len(told)), ("SUCCEEDED", 1))

    def test_a_function_that_fails_at_four_attempts_is_told_of_and_still_called(self):
        error = ("Failed", "bucket campaigns: access denied")
        ended, told, answering = self.run_with(
            {"campaign_id": CAMPAIGN}, advance=[still_open(1), *[error] * 12, still_open(2), over(3)], report=[report()]
        )
        self.assertEqual(ended.status, "SUCCEEDED")
        (trouble, words), (end, _) = told
        self.assertEqual((trouble, end), ("patchfleet: a campaign is in trouble", "patchfleet: weekly ok"))
        for part in (CAMPAIGN, "access denied", ended.arn):
            self.assertIn(part, words)
        self.assertEqual([event["turn"] for event in answering.asked if event["op"] == "advance"], [0] + [1] * 13 + [2])

    def time_until_trouble_is_told(self, takes):
        """How long it takes until somebody knows that every call fails after so many seconds."""
        answering, told_at = Answers(takes, advance=[("Failed", "x")]), []
        whole = machine.state_task_service_sns.boto_client_for

        def listened(**of):
            # The first message is that of trouble.
            told_at.append(answering.seconds() + sum(self.waits))
            return whole(**of)

        with mock.patch.object(machine.state_task_service_sns, "boto_client_for", listened):
            _, told, _ = self.run_by({"campaign_id": CAMPAIGN}, answering)
        self.assertEqual(told[0][0], "patchfleet: a campaign is in trouble")
        return told_at[0]

    def test_who_looks_within_a_quarter_of_an_hour_knows_of_trouble(self):
        self.assertLess(self.time_until_trouble_is_told(takes=5), 15 * MINUTE)

    def test_trouble_is_told_within_an_hour_and_a_quarter_where_each_call_lasts_its_whole_time(self):
        after = self.time_until_trouble_is_told(WHOLE_CALL)
        self.assertGreater(after, 4 * WHOLE_CALL)
        self.assertLess(after, HOUR + 15 * MINUTE)

    def test_a_function_whose_calls_last_their_whole_time_is_given_up_within_two_days(self):
        _, told, answering = self.run_with({"campaign_id": CAMPAIGN}, WHOLE_CALL, advance=[("Failed", "no answer")])
        self.assertEqual(len(told), 2)
        self.assertLess(answering.seconds() + sum(self.waits), 40 * HOUR)

    def test_a_function_that_fails_for_a_day_is_given_up_and_told_of_twice(self):
        ended, told, _ = self.run_with({"campaign_id": CAMPAIGN}, advance=[("Failed", "the role may not read")])
        self.assertEqual((ended.status, ended.error), ("FAILED", "CampaignNotFollowed"))
        said = ["patchfleet: a campaign is in trouble", "patchfleet: a campaign is followed no longer"]
        self.assertEqual([subject for subject, _ in told], said)
        for part in (CAMPAIGN, "the role may not read", "patchfleet resume", ended.arn):
            self.assertIn(part, told[1][1])
        self.assertGreater(sum(self.waits), 24 * HOUR)
        self.assertLess(sum(self.waits), 25 * HOUR)

    def test_an_error_that_no_retry_mends_ends_the_trouble_at_once(self):
        for kind, error in (("NeedsPerson", "CampaignNeedsPerson"), ("InvalidRequest", "CampaignNotFollowed")):
            ended, told, _ = self.run_with({"campaign_id": CAMPAIGN}, advance=[*[("Failed", "x")] * 4, (kind, "y")])
            self.assertEqual((ended.status, ended.error, len(told)), ("FAILED", error, 2))

    def test_a_campaign_that_is_not_in_the_log_is_told(self):
        error = ("InvalidRequest", "there is no campaign weekly")
        ended, told, answering = self.run_with({"campaign_id": "weekly"}, advance=[error])
        self.assertEqual((ended.error, len(told), answering.count("advance")), ("CampaignNotFollowed", 1, 1))

    def test_nothing_is_begun_more_than_an_hour_after_the_execution_started(self):
        paths = self

        class Busy(Answers):
            """Each call lasts its whole time. It refuses what was asked more than an hour ago, as the function does."""

            def invoke(self, event):
                late = self.seconds() + sum(paths.waits) > HOUR
                self.answers["start"] = [("Refused", "it was asked 1h 2m ago") if late else ("Failed", "no answer")]
                return super().invoke(event)

        ended, told, answering = self.run_by(EVENT, Busy(WHOLE_CALL, start=[BEGUN]))
        self.assertEqual((ended.status, ended.error), ("FAILED", "CampaignNotBegun"))
        [(subject, message)] = told
        self.assertEqual(subject, "patchfleet: a campaign was refused")
        self.assertIn("asked 1h 2m ago", message)
        # The attempts have one time that they count from.
        [asked_at] = {event["asked_at"] for event in answering.asked}
        self.assert_asked_at_its_start(ended.arn, asked_at)
        self.assertLess(answering.seconds() + sum(self.waits), 2 * HOUR)

    def test_a_start_whose_calls_last_their_whole_time_is_told_within_three_hours(self):
        timed_out = ("Sandbox.Timedout", "Task timed out after 900.00 seconds")
        ended, told, answering = self.run_with(EVENT, WHOLE_CALL, start=[timed_out])
        self.assertEqual((ended.error, len(told)), ("CampaignNotBegun", 1))
        self.assertLess(answering.seconds() + sum(self.waits), 3 * HOUR)

    def test_a_start_that_fails_at_once_is_tried_for_most_of_an_hour(self):
        ended, told, _ = self.run_with(EVENT, start=[("Failed", "no answer from AWS")])
        self.assertEqual((ended.status, ended.error), ("FAILED", "CampaignNotBegun"))
        self.assertGreater(sum(self.waits), 40 * MINUTE)
        self.assertLess(sum(self.waits), HOUR)
        [(subject, message)] = told
        self.assertEqual(subject, "patchfleet: a campaign could not be begun")
        for part in ("no answer from AWS", self.engine.outputs["LogUri"], ended.arn):
            self.assertIn(part, message)

    def test_a_report_that_cannot_be_read_is_no_success(self):
        ended, told, _ = self.run_with({"campaign_id": CAMPAIGN}, advance=[over(1)], report=[("Failed", "no answer")])
        self.assertEqual((ended.status, ended.error), ("FAILED", "CampaignNotReported"))
        [(_, message)] = told
        self.assertIn(f"patchfleet report {CAMPAIGN}", message)

    def test_an_answer_that_the_machine_does_not_know_is_no_success(self):
        for answer in ({"status": "paused", "turn": 1}, {"status": "open", "turn": 1, "wait_seconds": "30"}):
            ended, told, _ = self.run_with({"campaign_id": CAMPAIGN}, advance=[answer | {"campaign_id": CAMPAIGN}])
            self.assertEqual((ended.status, ended.error), ("FAILED", "CampaignNotFollowed"))
            self.assertIn(f'"status":"{answer["status"]}"', told[0][1])

    def with_turns(self, turns):
        """The machine goes on in a new execution after so many calls, until the test ends."""
        limit = "StringToJson('{}')"
        self.engine.change(limit.format(1500), limit.format(turns))
        self.addCleanup(self.engine.change, limit.format(turns), limit.format(1500))
        return self.engine.client("stepfunctions")

    def test_a_long_campaign_goes_on_in_executions_of_its_own(self):
        client = self.with_turns(3)
        # Each execution counts its own calls. The campaign takes eight.
        turns = [still_open(1 + n % 3, 60) for n in range(7)]
        ended, told, answering = self.run_with({"campaign_id": CAMPAIGN}, advance=[*turns, over(2)], report=[report()])
        self.assertEqual((ended.status, len(told), answering.count("advance")), ("SUCCEEDED", 1, 8))
        self.assertEqual([event["turn"] for event in answering.asked if event["op"] == "advance"], [0, 1, 2, 0, 1, 2, 0, 1])
        self.assertEqual(self.waits, [60] * 7)
        first, *others = ended.arns
        self.assertEqual(self.engine.end_of(first).output, {"campaign_id": CAMPAIGN, "status": "goes on in a new execution"})
        self.assertEqual(len(others), 2)
        for arn in others:
            one = client.describe_execution(executionArn=arn)
            self.assertTrue(one["name"].startswith(CAMPAIGN) and len(one["name"]) <= 80, one["name"])
            self.assertEqual(json.loads(one["input"])["campaign_id"], CAMPAIGN)

    def test_what_goes_on_already_is_not_begun_a_second_time(self):
        # The answer to the first StartExecution is lost, and by the second one the new execution has ended.
        self.with_turns(1)
        whole, begun = self.engine.start_another, []

        def lost(**parameters):
            begun.append(whole(**parameters)["ExecutionArn"])
            self.engine.end_of(begun[-1])
            raise machine.refused("ServiceUnavailable", "no answer", 503)

        others = machine.state_task_service_sfn.boto_client_for()
        self.addCleanup(setattr, others, "start_execution", others.start_execution)
        others.start_execution = lost
        ended, told, answering = self.run_with({"campaign_id": CAMPAIGN}, advance=[still_open(1), over(1)], report=[report()])
        self.assertEqual((ended.status, ended.output["status"]), ("SUCCEEDED", "goes on in a new execution"))
        self.assertEqual((answering.count("advance"), len(told), len(begun)), (2, 1, 1))

    def test_a_campaign_that_cannot_go_on_in_a_new_execution_is_told(self):
        self.with_turns(1)
        others = machine.state_task_service_sfn.boto_client_for()
        self.addCleanup(setattr, others, "start_execution", others.start_execution)

        def denied(**_):
            raise machine.refused("AccessDeniedException", "not authorized: states:StartExecution", 400)

        others.start_execution = denied
        ended, told, _ = self.run_with({"campaign_id": CAMPAIGN}, advance=[still_open(1)])
        self.assertEqual((ended.status, ended.error, len(told)), ("FAILED", "CampaignNotFollowed", 1))
        self.assertIn("states:StartExecution", told[0][1])

    def test_a_call_of_the_function_takes_nine_events_and_an_attempt_that_fails_three(self):
        def events(answers):
            return len(self.run_with({"campaign_id": CAMPAIGN}, advance=[*answers, over(9)], report=[report()])[0].events)

        few, more = events([still_open(1)]), events([still_open(1), still_open(2), still_open(3)])
        self.assertEqual(more - few, 2 * 9)
        self.assertEqual(events([("Failed", "x"), still_open(1)]) - few, 3)
        # An execution ends at 25,000 (AWS's quota): the most that `Turns` may say leaves room for 2,000 failures.
        most = templates.read(templates.FOLDER / "state-machine.yaml")["Parameters"]["Turns"]["MaxValue"]
        self.assertLess(most * 9 + 2000 * 3, 25000)

    def run_untold(self, event, **answers):
        """The same, while the topic takes no message."""
        def refuse(**_):
            raise machine.refused("AuthorizationError", "not authorized: SNS:Publish", 403)

        silent = types.SimpleNamespace(publish=refuse)
        with mock.patch.object(machine.state_task_service_sns, "boto_client_for", lambda **_: silent):
            return self.run_with(event, **answers)

    def test_a_failed_campaign_of_which_nobody_hears_stays_a_failure(self):
        ended, _, _ = self.run_untold(EVENT, start=[BEGUN], advance=[over(1)], report=[report(4, "failures")])
        self.assertEqual((ended.status, ended.error), ("FAILED", "NotTold"))
        self.assertIn(f"{CAMPAIGN} ended as failures, exit code 4, and nobody could be told: not authorized", ended.cause)

    def test_a_good_campaign_of_which_nobody_hears_is_no_success(self):
        ended, _, _ = self.run_untold(EVENT, start=[BEGUN], advance=[over(1)], report=[report()])
        self.assertEqual((ended.status, ended.error), ("FAILED", "NotTold"))
        self.assertIn("exit code 0", ended.cause)

    def test_what_went_wrong_stands_in_the_execution_where_nobody_hears(self):
        ended, _, _ = self.run_untold(EVENT, start=[("Refused", "nowhere-1 is no Region")])
        self.assertEqual((ended.status, ended.error), ("FAILED", "NotTold"))
        self.assertIn("nowhere-1 is no Region", ended.cause)

    def test_trouble_that_cannot_be_told_does_not_end_the_campaign(self):
        answers = {"advance": [*[("Failed", "x")] * 4, over(1)], "report": [report()]}
        ended, _, answering = self.run_untold({"campaign_id": CAMPAIGN}, **answers)
        self.assertEqual((answering.count("advance"), answering.count("report"), ended.error), (5, 1, "NotTold"))


if __name__ == "__main__":
    unittest.main()
