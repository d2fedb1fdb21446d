"""Both posts from start to end, by the commands of docs/from-the-posts.md as they stand there.

AWS's own command talks to moto's server, which deploys the stacks. `patchfleet` and the function talk to the simulator. What
Systems Manager, Scheduler and Lambda do between them is done here.
"""

import collections
import json
import logging
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

import clock
import function
import machine
import moto.backends
import templates
import test_triggers
from moto.cloudformation.models import CloudFormationBackend
from moto.server import ThreadedMotoServer

sys.path.insert(0, str(templates.ROOT / "tests" / "conformance"))
import simulator  # noqa: E402

PAGE = templates.ROOT / "docs" / "from-the-posts.md"
CENTRAL, WEB, SHOP = templates.ACCOUNT, "222233334444", "555566667777"


def blocks():
    """The commands under each heading of the page's walkthrough."""
    text = PAGE.read_text(encoding="utf-8").split("## From start to end\n")[1].split("\n## ")[0]
    found = {}
    for part in text.split("\n### ")[1:]:
        heading, rest = part.split("\n", 1)
        found[heading] = re.findall(r"```sh\n(.*?)```", rest, re.DOTALL)
    return found


class Shell:
    """One shell in a folder with the templates, as somebody who follows the page has it."""

    def __init__(self, folder, environment):
        self.process = subprocess.Popen(
            ["bash", "-eu"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, commands):
        """What the commands say. Each of them has to end well."""
        self.process.stdin.write(f"{commands}\necho == done\n")
        self.process.stdin.flush()
        said = []
        for line in self.process.stdout:
            if line == "== done\n":
                return "".join(said)
            said.append(line)
        raise AssertionError("".join(said))

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Central(machine.Engine):
    """The central account: the engine's stack is deployed by the page's commands."""

    STACK = "patchfleet"

    def prepare(self):
        """The page's commands make what has to be there."""

    def make(self):
        execute = CloudFormationBackend.execute_change_set
        self.patch(CloudFormationBackend, "execute_change_set", lambda *given, **more: with_outputs(execute, *given, **more))
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        self.aws = "http://{}:{}".format(*self.server.get_host_and_port())
        self.folder = tempfile.TemporaryDirectory()
        self.bin = pathlib.Path(self.folder.name)
        place = self.bin / "deploy"
        shutil.copytree(templates.FOLDER, place)
        with zipfile.ZipFile(place / "bootstrap.zip", "w") as file:
            file.writestr("bootstrap", "the function's binary")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {"PATH": f"{self.bin}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
        environment |= {"AWS_ACCESS_KEY_ID": "AKIAADMINISTRATOR", "AWS_SECRET_ACCESS_KEY": "none", "AWS_PAGER": ""}
        environment |= {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": self.aws}
        self.shell = Shell(place, environment)
        self.shell.run(blocks()["The engine"][0])

    def put(self, name, environment, program, condition="true"):
        """Puts a program into the shell's path that has other endpoints where the condition holds."""
        given = " ".join(f"{key}={value}" for key, value in environment.items())
        path = self.bin / name
        path.write_text(f'#!/bin/sh\nif {condition}; then exec env {given} {program} "$@"; fi\nexec {program} "$@"\n')
        path.chmod(0o755)
        self.shell.run("hash -r")

    def __exit__(self, *_):
        self.shell.close()
        self.server.stop()
        self.folder.cleanup()
        super().__exit__(*_)


class Walkthroughs(unittest.TestCase):
    def setUp(self):
        self.clock = clock.Clock(60)
        self.addCleanup(self.clock.close)
        self.central = Central(None, self, self.wait)
        self.central.__enter__()
        self.addCleanup(self.central.__exit__)
        self.shell = self.central.shell
        of = self.central.outputs

        # The simulator knows of the role that the stack has made.
        world = (pathlib.Path(__file__).parent / "walkthrough.toml").read_text(encoding="utf-8")
        role = of["AdministrationRoleArn"].rsplit("/", 1)[-1]
        path = self.central.bin / "world.toml"
        path.write_text(f'roles = [{{ name = "{role}" }}]\n{world}', encoding="utf-8")
        start = {"speed": 1, "start": "now", "environment": self.clock.environment()}
        self.sim = simulator.Simulator(os.environ["PATCHFLEET_SIM"], str(path), **start)
        self.sim.__enter__()
        self.addCleanup(self.sim.__exit__)

        # moto reads no condition of a bucket's policy, so the rule that calls come by TLS would deny each.
        self.central.client("s3").delete_bucket_policy(Bucket=self.bucket())

        endpoints = {"AWS_ENDPOINT_URL": self.sim.own, "AWS_ENDPOINT_URL_S3": self.central.aws}
        endpoints |= {"AWS_ENDPOINT_URL_SFN": self.central.aws}
        self.central.put("patchfleet", endpoints | self.clock.environment(), os.environ["PATCHFLEET"])
        aws = pathlib.Path(sys.executable).with_name("aws")
        self.central.put("aws", endpoints, aws, '[ "$1" = ssm ]')
        one = self.central.client("lambda").get_function_configuration(FunctionName=of["FunctionArn"])
        variables = one["Environment"]["Variables"] | endpoints
        self.log = tempfile.TemporaryFile()
        self.addCleanup(self.log.close)
        binary = os.environ["PATCHFLEET_BOOTSTRAP"]
        self.function = function.Function(binary, variables, self.clock, one["Timeout"], self.log)
        self.addCleanup(self.function.close)
        for commands in blocks()["The engine"][1:]:
            self.shell.run(commands)

    def wait(self, seconds):
        self.sim.advance(seconds)
        self.clock.put_forward(seconds)

    def bucket(self):
        """The bucket of the log."""
        return self.central.outputs["LogUri"].split("/")[2]

    def invoke(self, event):
        return self.function.invoke(event)

    def installs(self):
        """In which accounts and Regions nodes were patched, and how often each."""
        nodes = self.sim.state()["nodes"]
        return collections.Counter((node["account"], node["region"], node["installs"]) for node in nodes)

    def executions(self):
        client = self.central.client("stepfunctions")
        return client.list_executions(stateMachineArn=self.central.outputs["StateMachineArn"])["executions"]

    def undo(self):
        self.shell.run(blocks()["The undo"][0])
        client = self.central.client
        stacks = client("cloudformation").list_stacks()["StackSummaries"]
        self.assertEqual({one["StackStatus"] for one in stacks}, {"DELETE_COMPLETE"})
        left = [one["Name"] for one in client("s3").list_buckets()["Buckets"]]
        self.assertEqual(left, [self.bucket()], "the log's bucket, and nothing else")
        self.assertEqual(client("ssm").describe_maintenance_windows()["WindowIdentities"], [])
        self.assertEqual(client("scheduler").list_schedules()["Schedules"], [])
        self.assertEqual(client("iam").list_roles()["Roles"], [])
        self.assertEqual(client("lambda").list_functions()["Functions"], [])
        self.assertEqual(self.sim.ask("GET", "requests")[-1]["operation"], "DeleteDocument")
        deleted = [one for one in self.sim.ask("GET", "requests") if one["operation"] == "DeleteDocument"]
        self.assertEqual([one["status"] for one in deleted], [200, 200])
        self.shell.run(blocks()["The undo"][1])
        self.assertEqual(client("s3").list_buckets()["Buckets"], [])

    def test_both_posts(self):
        self.window()
        self.schedule()
        self.undo()

    def window(self):
        deploy, look = blocks()["A window, as in the first post"]
        self.shell.run(deploy)
        ssm = self.central.client("ssm")
        (window,) = ssm.describe_maintenance_windows()["WindowIdentities"]
        payload = test_triggers.MaintenanceWindow.registered(None, task_of(window["WindowId"]))

        # Systems Manager calls the function, and calls it again.
        campaigns, outcomes = [], []
        for _ in range(2):
            event = test_triggers.sent(payload, "0b3c9b1e-5a3c-4a63-9a0c-6f1f2a3b4c5d")
            answer = self.invoke(event)
            self.assertNotIn("FunctionError", answer, answer)
            answer = json.loads(answer["Payload"])
            campaigns.append(answer["campaign_id"])
            outcomes.append(answer["outcome"])
        # The second call may find the campaign at its end.
        self.assertEqual((outcomes[0], len(set(campaigns))), ("handed_over", 1), outcomes)
        (execution,) = self.executions()
        self.assertEqual(execution["name"], answer["campaign_id"])
        ended = self.central.end_of(execution["executionArn"])
        self.assertEqual(ended.status, "SUCCEEDED", (ended.error, ended.cause))
        self.assertEqual(self.installs(), self.expected({CENTRAL}))
        ((subject, message),) = self.central.told()
        self.assertIn(answer["campaign_id"], message)
        said = self.shell.run(look)
        self.assertIn(answer["campaign_id"], said)

    def schedule(self):
        share, deploy = blocks()["A schedule, as in the second post"]
        (request,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        (self.central.bin / "deploy" / "weekly.toml").write_text(request, encoding="utf-8")
        self.shell.run(share)
        self.shell.run(deploy)
        scheduler = self.central.client("scheduler")
        (found,) = scheduler.list_schedules()["Schedules"]
        one = scheduler.get_schedule(Name=found["Name"], GroupName=found["GroupName"])
        event = test_triggers.started(one["Target"]["Input"], one["Arn"], "2026-12-01T21:15:00Z")
        # Scheduler starts the state machine, and one start arrives twice.
        for arn in [self.central.start(event), self.central.start(event)]:
            ended = self.central.end_of(arn)
            self.assertEqual(ended.status, "SUCCEEDED", (ended.error, ended.cause))
        self.assertEqual(self.installs(), self.expected({CENTRAL, WEB, SHOP}))

    def expected(self, accounts):
        """Every node of these accounts patched once, and no other."""
        nodes = self.sim.state()["nodes"]
        self.assertEqual(len(nodes), 18)
        return collections.Counter((node["account"], node["region"], int(node["account"] in accounts)) for node in nodes)


def with_outputs(execute, backend, *given, **more):
    """Executes a change set, as `aws cloudformation deploy` wants it. moto gives such a stack no outputs."""
    execute(backend, *given, **more)
    for stack in backend.stacks.values():
        if stack.template:
            stack._parse_template()
            stack.output_map = stack._create_output_map()


def task_of(window):
    """The one task of a window."""
    windows = moto.backends.get_backend("ssm")[CENTRAL]["us-east-1"].windows
    (task,) = windows[window].tasks.values()
    return task


if __name__ == "__main__":
    unittest.main()
