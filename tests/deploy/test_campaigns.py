"""Campaigns from start to end as they run in AWS: an interpreter of the states language calls the function's own binary,
which patches a simulated organisation. What the nodes came to is the simulator's truth, not the function's word."""

import collections
import json
import os
import threading
import types
import unittest

import campaigns
import function
import machine

EVENT = "arn:aws:scheduler:us-east-1:111122223333:schedule/default/weekly 2026-11-28T02:00:00Z"
RUNBOOK = '[[documents]]\nname = "Patchfleet-RunPatchBaseline"\nbuiltin = "patchfleet"\n'
# So many locations have the campaign of the test that is named so. CONTRIBUTING.md says how to run it with 600.
LOCATIONS = int(os.environ.get("PATCHFLEET_LOCATIONS", "30"))
SPEED = int(os.environ.get("PATCHFLEET_SPEED", "100"))


def request(**targets):
    """A request for the group of a small world."""
    whole = {"accounts": ["ou-perm-workload"], "resource_group": "WebServers", "regions": ["us-east-1", "eu-west-1"]}
    return {"name": "weekly", "patch": {"operation": "Install"}, "targets": whole | targets}


def event(request, identity=EVENT):
    """An event that says what to patch."""
    return {"event_id": identity, "request": request}


def small(change=lambda text: text):
    """A world of two locations, with three nodes in each."""
    text = (campaigns.templates.ROOT / "tests" / "deploy" / "world.toml").read_text(encoding="utf-8")
    return campaigns.world_file(change(f"{text}\n{RUNBOOK}"))


def many(locations):
    """A world of so many locations in five Regions, with two nodes in each."""
    accounts = [f"{100000000000 + n}" for n in range(1, locations // 5 + 1)]
    text = f'management_account = "{campaigns.CENTRAL}"\n'
    text += 'organization = { id = "o-a1b2c3d4e5", root = "r-perm" }\nunits = [{ id = "ou-perm-workload", name = "Workloads" }]\n'
    text += f'[[accounts]]\nid = "{campaigns.CENTRAL}"\nname = "Central"\n'
    text += "".join(f'[[accounts]]\nid = "{one}"\nname = "Web {one}"\nparent = "ou-perm-workload"\n' for one in accounts)
    regions = ["us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1"]
    text += f'[[groups]]\nname = "WebServers"\naccounts = {json.dumps(accounts)}\nregions = {json.dumps(regions)}\n'
    return campaigns.world_file(f"{text}nodes = [{{ count = 2 }}]\n{RUNBOOK}"), regions


class Calm(unittest.TestCase):
    def test_the_whole_world_is_patched_from_an_event(self):
        with campaigns.Organisation("calm", speed=100) as organisation:
            ended = organisation.run(event(campaigns.request_of("calm")))
            self.assertEqual(ended.status, "SUCCEEDED", ended.cause)
            self.assertEqual(organisation.installs(), {1: 65})
            [(subject, message)] = organisation.engine.told()
            self.assertEqual(subject, "patchfleet succeeded: calm-night")
            self.assertIn(organisation.engine.outputs["LogUri"], message)
            self.assertEqual(ended.output["exit_code"], 0)


class Campaign(unittest.TestCase):
    """Two locations."""

    def setUp(self):
        self.world = small()
        self.path = self.world.__enter__()
        self.addCleanup(self.world.__exit__, None, None, None)

    def patched_once(self, organisation, ended):
        """It ended well, each node was patched once, and it was told once."""
        self.assertEqual(ended.status, "SUCCEEDED", (ended.error, ended.cause))
        self.assertEqual(organisation.installs(), {1: 6})
        self.assertEqual([subject for subject, _ in organisation.engine.told()], ["patchfleet succeeded: weekly"])

    def test_a_campaign_that_is_in_the_log_is_gone_on_with_by_its_id(self):
        with campaigns.Organisation(self.path) as organisation:
            given = organisation.invoke({"op": "start", "event": event(request())})
            campaign = json.loads(given["Payload"])["campaign_id"]
            ended = organisation.run({"campaign_id": campaign})
            self.patched_once(organisation, ended)
            self.assertEqual([one["op"] for one, *_ in organisation.function.turns].count("start"), 1)

    def test_what_a_maintenance_window_calls_the_function_with_becomes_one_execution(self):
        payload = {"Regions": "us-east-1, eu-west-1", "ResourceGroup": "WebServers", "Operation": "Install"}
        payload |= {"TargetAccounts": campaigns.templates.ACCOUNT, "WindowExecutionId": "0b3c9b1e-5a3c-4a63-9a0c-6f1f2a3b4c5d"}
        with campaigns.Organisation(self.path) as organisation:
            # The window's task is delivered a second time.
            answers = [json.loads(organisation.invoke(payload)["Payload"]) for _ in range(2)]
            self.assertEqual([one.get("outcome") for one in answers], ["handed_over"] * 2, answers)
            client, machine_arn = organisation.engine.client("stepfunctions"), organisation.engine.outputs["StateMachineArn"]
            [execution] = client.list_executions(stateMachineArn=machine_arn)["executions"]
            self.assertEqual(execution["name"], answers[0]["campaign_id"])
            ended = organisation.engine.end_of(execution["executionArn"])
            self.assertEqual((ended.status, organisation.installs()), ("SUCCEEDED", {1: 6}))
            self.assertEqual(len(organisation.engine.told()), 1)

    def test_a_message_to_the_topic_for_stops_ends_the_campaign_and_it_is_told(self):
        text = json.dumps({"AlarmName": "orders", "NewStateValue": "ALARM", "OldStateValue": "OK"})
        message = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text}}]}
        stops = []

        def call(lambda_function, given):
            answer = lambda_function.invoke(given)
            if given["op"] == "advance" and not stops:
                stops.append(json.loads(lambda_function.invoke(message)["Payload"]))
            return answer

        one = request()
        one["budget"] = {"locations": {"max_concurrency": 1, "max_errors": 1}}
        # The alarm comes while the first of the two locations is patched.
        with campaigns.Organisation(self.path, limit=60, speed=20, call=call) as organisation:
            ended = organisation.run(event(one))
            self.assertNotIn("errorType", stops[0])
            self.assertEqual((ended.status, ended.error), ("FAILED", "CampaignFailed"))
            self.assertIn("exit code 5", ended.cause)
            [(subject, _)] = organisation.engine.told()
            self.assertEqual(subject, "patchfleet halted: weekly")
            regions = {command["region"] for command in organisation.sim.state()["commands"]}
            self.assertEqual(len(regions), 1, "the second location was begun")

    def test_the_same_event_again_patches_nothing_again_and_tells_the_same(self):
        with campaigns.Organisation(self.path) as organisation:
            self.patched_once(organisation, organisation.run(event(request())))
            again = organisation.run(event(request()))
            self.assertEqual((again.status, organisation.installs()), ("SUCCEEDED", {1: 6}))
            first, second = organisation.engine.told()
            self.assertEqual(first[0], second[0])

    def test_what_cannot_be_planned_starts_nothing_and_is_told(self):
        for wrong, kind, word in (
            (request(regions=["us-east-1, nowhere"]), "InvalidRequest", "nowhere"),
            (request(resource_group="Nobody"), "Refused", "Nobody"),
        ):
            with campaigns.Organisation(self.path, speed=20) as organisation:
                ended = organisation.run(event(wrong))
                self.assertEqual((ended.status, ended.error), ("FAILED", "CampaignNotBegun"))
                self.assertEqual((organisation.installs(), organisation.sim.state()["executions"]), ({0: 6}, []))
                [(_, message)] = organisation.engine.told()
                self.assertIn(kind, message)
                self.assertIn(word, message)
                self.assertEqual(len(organisation.function.turns), 1)

    def test_a_campaign_that_is_not_in_the_log_is_told(self):
        with campaigns.Organisation(self.path) as organisation:
            ended = organisation.run({"campaign_id": "0b3c9b1e-5a3c-4a63-9a0c-6f1f2a3b4c5d"})
            self.assertEqual((ended.status, ended.error), ("FAILED", "CampaignNotFollowed"))
            self.assertEqual(len(organisation.function.turns), 1)

    def test_failed_nodes_make_a_failed_execution(self):
        good, bad = '{ count = 2, tags = { Env = "prod" } }', '{ count = 2, patch = { outcome = "fails" } }'
        with small(lambda text: text.replace(good, bad)) as path:
            with campaigns.Organisation(path) as organisation:
                ended = organisation.run(event(request()))
                self.assertEqual((ended.status, ended.error), ("FAILED", "CampaignFailed"))
                [(subject, message)] = organisation.engine.told()
                self.assertIn("weekly", subject)
                self.assertIn("failed", message)
                self.assertIn(message, ended.cause)

    def test_a_function_that_is_throttled_every_second_time_patches_each_node_once(self):
        calls = []

        def call(lambda_function, given):
            calls.append(given["op"])
            if len(calls) % 2:
                raise machine.refused("TooManyRequestsException", "Rate Exceeded.")
            return lambda_function.invoke(given)

        with campaigns.Organisation(self.path, call=call) as organisation:
            self.patched_once(organisation, organisation.run(event(request())))

    def test_answers_that_are_lost_change_nothing(self):
        """The function did its work, and the state machine never hears of it."""
        calls = []

        def call(lambda_function, given):
            calls.append(given["op"])
            answer = lambda_function.invoke(given)
            return function.failure("Sandbox.Timedout", "Task timed out") if len(calls) % 2 else answer

        with campaigns.Organisation(self.path, call=call) as organisation:
            self.patched_once(organisation, organisation.run(event(request())))

    def test_each_task_twice_one_after_the_other_changes_nothing(self):
        def call(lambda_function, given):
            lambda_function.invoke(given)
            return lambda_function.invoke(given)

        with campaigns.Organisation(self.path, call=call) as organisation:
            self.patched_once(organisation, organisation.run(event(request())))

    def test_each_task_twice_at_once_changes_nothing(self):
        def call(lambda_function, given):
            other = threading.Thread(target=lambda_function.invoke, args=(given,))
            other.start()
            try:
                return lambda_function.invoke(given)
            finally:
                other.join()

        with campaigns.Organisation(self.path, call=call) as organisation:
            self.patched_once(organisation, organisation.run(event(request())))

    def test_what_was_not_reached_is_tried_once_more_and_one_message_tells_of_both(self):
        """Each task is called twice. A node of each location does not answer when the campaign is planned, and does soon after."""
        here = '{ count = 1, kind = "hybrid", tags = { Env = "prod" } }'
        back = '\n[[changes]]\nat = "20m"\nchange = { gain_agent = { group = "WebServers" } }\n'
        one = request() | {"policy": {"offline": "skip"}}

        def call(lambda_function, given):
            lambda_function.invoke(given)
            return lambda_function.invoke(given)

        away = here.replace("count = 1", 'count = 1, reachability = "offline"')
        long = 'count = 2, patch = { minutes = 30.0 }'
        with small(lambda text: text.replace(here, away).replace("count = 2", long) + back) as path:
            with campaigns.Organisation(path, call=call) as organisation:
                ended = organisation.run(event(one) | {"second_attempt": True})
                self.patched_once(organisation, ended)
                [(_, message)] = organisation.engine.told()
                self.assertIn("\nThe second attempt\n", message)
                self.assertEqual(len(organisation.sim.state()["commands"]), 4)

    def run_dying(self, dies, **given):
        """Runs a campaign whose function dies at some of its calls of AWS: AWS has done what it was asked, and nobody heard
        the answer. `dies` is asked with the operation, how often that one has died, how often in a row, and the number of
        the call."""
        now, deaths, row = types.SimpleNamespace(op=None, calls=0), collections.Counter(), collections.Counter()

        def call(lambda_function, given):
            now.op, now.calls = given["op"], 0
            answer = lambda_function.invoke(given)
            died = json.loads(answer["Payload"]).get("errorType") == "Runtime.ExitError"
            deaths[now.op], row[now.op] = deaths[now.op] + died, (row[now.op] + 1) * died
            return answer

        with campaigns.Organisation(self.path, call=call, proxied=True, speed=60, **given) as organisation:
            # As often as it takes, and within the hour in which a campaign may begin.
            start = '"IntervalSeconds": {}, "BackoffRate": {}, "MaxDelaySeconds": {}, "MaxAttempts": {}'
            organisation.engine.change(start.format(30, 2.5, 900, 6), start.format(1, 1, 2, 1000))
            proxy = organisation.sim.proxy
            keep = proxy.keep

            def dying(exchange):
                keep(exchange)
                now.calls += 1
                if dies(now.op, deaths[now.op], row[now.op], now.calls):
                    organisation.function.die()

            proxy.keep = dying
            self.patched_once(organisation, organisation.run(event(request())))
        return deaths

    def test_a_function_that_dies_at_each_call_of_a_start_begins_one_campaign(self):
        deaths = self.run_dying(lambda operation, died, _, calls: operation == "start" and calls == died + 1)
        self.assertGreater(deaths["start"], 30)

    def test_a_function_that_dies_twice_in_each_call_of_it_patches_each_node_once(self):
        """The first time at its first call of AWS, the next time at its second, and so on."""
        deaths = self.run_dying(lambda _, died, row, calls: row < 2 and calls == died + 1, limit=60)
        # The campaign goes on meanwhile: the busier the machine, the fewer calls until it is over.
        self.assertGreater(deaths["advance"], 5)
        self.assertEqual(set(deaths), {"start", "advance", "report"})

    def test_a_campaign_goes_on_in_new_executions(self):
        with campaigns.Organisation(self.path, limit=60, parameters={"Turns": "3"}) as organisation:
            ended = organisation.run(event(request()))
            self.patched_once(organisation, ended)
            self.assertGreater(len(ended.arns), 2)


class Many(unittest.TestCase):
    def test_many_locations_are_patched_by_a_function_that_has_a_minute(self):
        world, regions = many(LOCATIONS)
        self.addCleanup(setattr, machine, "PATIENCE", machine.PATIENCE)
        machine.PATIENCE += 10 * LOCATIONS
        with world as path, campaigns.Organisation(path, limit=60, speed=SPEED) as organisation:
            whole = request(regions=regions)
            whole["budget"] = {"locations": {"max_concurrency": "20%", "max_errors": 1}}
            ended = organisation.run(event(whole))
            self.assertEqual(ended.status, "SUCCEEDED", (ended.error, ended.cause))
            self.assertEqual(organisation.installs(), {1: LOCATIONS * 2})
            turns = organisation.function.turns
            print(f"{LOCATIONS} locations: {len(turns)} calls, {sum(one[3] for one in turns):.0f} s of the function, "
                  f"the longest {max(one[3] for one in turns):.1f} s, {len(ended.events)} events")


if __name__ == "__main__":
    unittest.main()
