"""Injected faults: every error that cannot arise from a world, and what the simulator does to calls
by itself, arrive at boto3 as AWS's own would."""

import contextlib
import functools

import botocore.exceptions
import botocore.parsers

import coverage
import good
import registry
import simulator

# What a service answers to each effect; the model knows some of the codes, the others are common.
BY_EFFECT = {
    "throttle": {
        "ssm": "ThrottlingException",
        "resource-groups": "TooManyRequestsException",
        "sts": "Throttling",
        "organizations": "TooManyRequestsException",
        "account": "TooManyRequestsException",
    },
    "deny": {
        "ssm": "AccessDeniedException",
        "resource-groups": "AccessDeniedException",
        "sts": "AccessDenied",
        "organizations": "AccessDeniedException",
        "account": "AccessDeniedException",
    },
    "internal_error": {
        "ssm": "InternalServerError",
        "resource-groups": "InternalServerErrorException",
        "sts": "InternalFailure",
        "organizations": "ServiceException",
        "account": "InternalServerException",
    },
    "expire_credentials": {
        "ssm": "ExpiredTokenException",
        "resource-groups": "ExpiredTokenException",
        "sts": "ExpiredToken",
        "organizations": "ExpiredTokenException",
        "account": "ExpiredTokenException",
    },
}
BROKEN = ["drop_before", "drop_after", "truncate"]


def run(binary, audit):
    """Injects everything. Gives what is wrong."""
    problems = []
    with simulator.Simulator(binary, "company") as running:
        stage = registry.Stage(running)
        inputs = good.inputs(good.prepare(stage))
        present = sorted(running.operations() & set(inputs))
        problems += audit.of_all(running.proxy.taken())
        running.proxy.injecting = True
        for service, operation in present:
            call = good.method(stage.client(service), operation)
            arguments = inputs[service, operation][0]
            faults = [({"error": code}, code) for code in codes(service, operation)]
            faults += [(effect, by_service[service]) for effect, by_service in BY_EFFECT.items()]
            for effect, code in faults:
                act = functools.partial(registry.refused, code, call, **arguments)
                problems += injected(running, service, operation, effect, act)
        for service, operation in [("ssm", "ListCommands"), ("account", "ListRegions"), ("sts", "GetCallerIdentity")]:
            call = good.method(stage.client(service), operation)
            arguments = inputs[service, operation][0]
            for effect in BROKEN:
                act = functools.partial(breaks, running, call, arguments, effect)
                problems += injected(running, service, operation, effect, act)
        problems += audit.of_all(running.proxy.taken())
    return problems


def codes(service, operation):
    """The fault-only errors of an operation."""
    every = coverage.modelled_errors([(service, operation)])
    return sorted(error[2] for error in every if coverage.fault_only(error))


def injected(running, service, operation, effect, act):
    """Acts while every call of the operation is struck. Gives what is wrong."""
    running.ask("POST", "fault", {"effect": effect, "operations": [f"{service}:{operation}"]})
    try:
        act()
    except AssertionError as error:
        yield f"{service} {operation} under {effect}: {error}"
    finally:
        running.ask("DELETE", "fault")


def breaks(running, call, arguments, effect):
    """Calls, and holds the wire to show nothing at all, or half an answer. botocore itself takes half
    an answer for a whole one."""
    with contextlib.suppress(botocore.exceptions.HTTPClientError, botocore.parsers.ResponseParserError):
        call(**arguments)
    exchange = running.proxy.exchanges[-1]
    if exchange.whole or (exchange.status == 200) != (effect == "truncate"):
        raise AssertionError(f"status {exchange.status}, {len(exchange.answer)} bytes, whole: {exchange.whole}")
