"""Scenarios: functions which make calls in a world of their own, and say which modelled errors arise
there from nothing but the state of that world."""

import dataclasses
import traceback

import botocore.exceptions

import clients
import simulator

SCENARIOS = []


@dataclasses.dataclass
class Scenario:
    """One function with its world, and the errors (`service.Operation.Code`) that it promises."""

    act: object
    world: str
    arises: list

    @property
    def name(self):
        """Where it stands, for people."""
        return f"{self.act.__module__}.{self.act.__name__}"


def scenario(world="company", arises=()):
    """Puts a function on the list. It is called with a `Stage`."""

    def put(act):
        SCENARIOS.append(Scenario(act, world, list(arises)))
        return act

    return put


class Stage(clients.Clients):
    """A simulator of its own for one scenario, and clients of it."""

    def __init__(self, running):
        super().__init__(running.endpoint)
        self.simulator = running
        self.loose = clients.Clients(running.endpoint, validate=False)

    def advance(self, seconds):
        """Moves virtual time."""
        self.simulator.advance(seconds)


def refused(code, call, **arguments):
    """Calls, and holds the exception to be the modelled class of that code where there is one. Gives
    the error's answer back."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        found = error.response["Error"]["Code"]
        if found != code:
            raise AssertionError(f"{found}, not {code}: {error}") from error
        modelled = {shape.error_code: shape.name for shape in model_of(call).error_shapes}
        if code in modelled and type(error).__name__ != modelled[code]:
            raise AssertionError(f"{code} arrived as {type(error).__name__}") from error
        return error.response
    raise AssertionError(f"{call.__name__} succeeded, and {code} was expected")


def model_of(call):
    """The model of the operation that a client's method calls."""
    client = call.__self__
    return client.meta.service_model.operation_model(client.meta.method_to_api_mapping[call.__name__])


def run(one, binary, audit):
    """Runs one scenario in a simulator of its own. Gives what is wrong."""
    before, problems = audit.coverage.errors, []
    audit.coverage.errors = set()
    try:
        with simulator.Simulator(binary, one.world) as running:
            problems += act(one, running)
            problems += audit.of_all(running.proxy.taken())
    except RuntimeError as error:
        problems.append(str(error))
    seen = {".".join(error) for error in audit.coverage.errors}
    problems += [f"{promised} did not arise" for promised in one.arises if promised not in seen]
    audit.coverage.errors |= before
    return [f"{one.name}: {problem}" for problem in problems]


def act(one, running):
    """Lets a scenario act; whatever goes wrong is told with its line, and the next one runs."""
    try:
        one.act(Stage(running))
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/scenarios/" in frame.filename]
        yield f"line {frames[-1].lineno if frames else '?'}: {type(error).__name__}: {error}"
