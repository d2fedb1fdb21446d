"""A whole campaign: the engine's state machine calls the function's binary, which patches a simulated organisation."""

import collections
import contextlib
import os
import pathlib
import sys
import tempfile
import tomllib

import clock
import function
import machine
import starts
import templates

sys.path.insert(0, str(templates.ROOT / "tests" / "conformance"))
import simulator  # noqa: E402

CENTRAL = "111122223333"
ADMINISTRATION = f"arn:aws:iam::{CENTRAL}:role/AWS-SystemsManager-AutomationAdministrationRole"
WORLDS = templates.ROOT / "patchfleet-sim" / "worlds"

# Seconds of the machine's clock that each call of the function has at least. What else the machine does then is no part of
# what a test says.
CALL = 5


class Organisation:
    """A simulated organisation with the engine in its central account, while it is entered.

    Its clock and that of the function are one. It goes `speed` times as fast as the machine's, or as fast as leaves each
    call `CALL` seconds of the machine's, and the state machine's waits put it forward at once. `limit` is the function's time
    in seconds of that clock. `call` may stand between the state machine and the function: it is given both and the event.
    `proxied` says whether each call of AWS goes by a proxy, where it can be looked at (`sim.proxy.keep`).
    """

    def __init__(self, world="calm", limit=900, speed=200, parameters=None, call=None, proxied=False):
        self.world, self.limit, self.proxied = world, limit, proxied
        self.speed = max(1, min(speed, limit // CALL))
        self.parameters = {"AdministrationRoleArn": ADMINISTRATION} | (parameters or {})
        self.call = call or (lambda function, event: function.invoke(event))

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.clock = clock.Clock(self.speed)
            stack.callback(self.clock.close)
            environment = self.clock.environment()
            start = {"speed": 1, "start": "now", "environment": environment}
            self.sim = stack.enter_context(simulator.Simulator(os.environ["PATCHFLEET_SIM"], self.world, **start))
            self.engine = stack.enter_context(machine.Engine(self.parameters, self, self.wait))
            one = self.engine.client("lambda").get_function_configuration(FunctionName=self.engine.outputs["FunctionArn"])
            self.log = stack.enter_context(tempfile.TemporaryFile())
            variables = one["Environment"]["Variables"]
            variables["AWS_ENDPOINT_URL"] = self.sim.endpoint if self.proxied else self.sim.own
            handed_over = starts.Starts(self.start)
            stack.callback(handed_over.close)
            variables["AWS_ENDPOINT_URL_SFN"] = handed_over.endpoint
            self.function = function.Function(os.environ["PATCHFLEET_BOOTSTRAP"], variables, self.clock, self.limit, self.log)
            stack.callback(self.function.close)
            # A function that is killed leaves its connections as they are.
            self.sim.proxy._server.handle_error = lambda *_: None
            self.leave = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.leave.close()

    def invoke(self, event):
        """The state machine calls the function."""
        return self.call(self.function, event)

    def start(self, stateMachineArn, name, input):  # noqa: A002, N803
        """The function calls StartExecution."""
        client = self.engine.client("stepfunctions")
        started = client.start_execution(stateMachineArn=stateMachineArn, name=name, input=input)
        return {"executionArn": started["executionArn"], "startDate": started["startDate"].timestamp()}

    def wait(self, seconds):
        """Time passes, for the organisation and for the function."""
        self.sim.advance(seconds)
        self.clock.put_forward(seconds)

    def run(self, event):
        """Runs an execution to its end."""
        return self.engine.run(event)

    def installs(self):
        """How many nodes were patched how often."""
        return collections.Counter(node["installs"] for node in self.sim.state()["nodes"])

    def lines(self):
        """What the function has logged."""
        self.log.seek(0)
        return self.log.read().decode().splitlines()


def request_of(world):
    """The request that belongs to a built-in world."""
    with open(WORLDS / f"{world}.request.toml", "rb") as file:
        return tomllib.load(file)


@contextlib.contextmanager
def world_file(text):
    """A world file with this text."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "world.toml"
        path.write_text(text, encoding="utf-8")
        yield str(path)
