"""Holds exchanges, as bytes on the wire, to AWS's service models, and counts what they covered."""

import dataclasses
import datetime
import email.utils
import re

import deviations
import model
import protocols

# Errors that every operation of a protocol can answer with, and their status. The models leave them
# out (aws-facts: unmodelled client errors are 400 in JSON, 403 from REST and STS).
COMMON = {
    "json": {
        "AccessDeniedException": 400,
        "ExpiredTokenException": 400,
        "IncompleteSignatureException": 400,
        "InternalFailure": 500,
        "InvalidSignatureException": 400,
        "MissingAuthenticationTokenException": 400,
        "RequestEntityTooLargeException": 413,
        "SerializationException": 400,
        "ServiceUnavailableException": 503,
        "ThrottlingException": 400,
        "UnknownOperationException": 400,
        "UnrecognizedClientException": 400,
        "ValidationException": 400,
    },
    "rest-json": {
        "AccessDeniedException": 403,
        "ExpiredTokenException": 403,
        "IncompleteSignatureException": 403,
        "InternalFailure": 500,
        "InvalidSignatureException": 403,
        "MissingAuthenticationTokenException": 403,
        "RequestEntityTooLargeException": 413,
        "SerializationException": 400,
        "ServiceUnavailableException": 503,
        "ThrottlingException": 429,
        "UnknownOperationException": 404,
        "UnrecognizedClientException": 403,
    },
    "query": {
        "AccessDenied": 403,
        "ExpiredToken": 403,
        "InternalFailure": 500,
        "InvalidAction": 400,
        "InvalidClientTokenId": 403,
        "MissingAuthenticationToken": 403,
        "RequestEntityTooLargeException": 413,
        "ServiceUnavailable": 503,
        "SignatureDoesNotMatch": 403,
        "Throttling": 400,
        "ValidationError": 400,
    },
}

# Modelled errors whose status the model does not say and which are not the client's (aws-facts).
SERVER_ERRORS = {"InternalServerError": 500, "ServiceException": 500}

# With what a service refuses an input that its model forbids.
REFUSALS = {
    "ssm": {"ValidationException", "SerializationException"},
    "resource-groups": {"BadRequestException", "SerializationException"},
    "sts": {"ValidationError"},
    "organizations": {"InvalidInputException", "SerializationException"},
    "account": {"ValidationException", "SerializationException"},
}

# Refusals of the caller, which come before anybody reads the input.
OF_THE_CALLER = re.compile(r"AccessDenied|Expired|Unrecognized|Token|Throttling|TooManyRequests|Region|Internal")

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclasses.dataclass
class Coverage:
    """What exchanges have shown."""

    # (service, operation) with an answer of status 200.
    answered: set = dataclasses.field(default_factory=set)
    # (service, operation, code) from the state of a world, and by an injected fault.
    errors: set = dataclasses.field(default_factory=set)
    injected: set = dataclasses.field(default_factory=set)
    # (service, structure, member) of inputs and outputs.
    sent: set = dataclasses.field(default_factory=set)
    shown: set = dataclasses.field(default_factory=set)
    # (service, shape) of deviations.KNOWN that were needed.
    deviated: set = dataclasses.field(default_factory=set)
    exchanges: int = 0


class Audit:
    """Checks exchanges and keeps the coverage. `strict`: no request may break the model either."""

    def __init__(self, strict=False):
        self.strict = strict
        self.coverage = Coverage()

    def problems(self, exchange):
        """What is wrong with an exchange, in words that say which it is."""
        self.coverage.exchanges += 1
        try:
            call = protocols.read_call(exchange)
        except protocols.Malformed as error:
            return [f"{exchange.method} {exchange.path}: request: {error}"]
        found, against_model = [], []
        if call.operation is not None and call.operation.input_shape is not None:
            check = self._check(call, "input")
            check.value(call.operation.input_shape, call.input, "input")
            self.coverage.sent |= {(call.service, *member) for member in check.members}
            against_model = check.problems
        if exchange.status is None or not exchange.whole:
            if not exchange.injected:
                found.append("the answer did not come whole")
        else:
            try:
                found.extend(self._answer(call, exchange, against_model))
            except protocols.Malformed as error:
                found.append(f"answer: {error}")
        if self.strict:
            found.extend(f"request: {problem}" for problem in against_model)
        return [f"{call.service} {call.name} -> {exchange.status}: {problem}" for problem in found]

    def of_all(self, exchanges):
        """What is wrong with any of several."""
        return [problem for exchange in exchanges for problem in self.problems(exchange)]

    def _check(self, call, side):
        text = protocols.protocol(call.service) == "query"
        return model.Check(text, deviations.of_service(call.service) if side == "output" else None)

    def _answer(self, call, exchange, against_model):
        yield from headers(exchange)
        if call.operation is None:
            failure = protocols.read_failure(call, exchange)
            unknown = failure.code in ("UnknownOperationException", "InvalidAction")
            if not unknown and not OF_THE_CALLER.search(failure.code):
                yield f"{failure.code} to an operation that there is not"
            return
        if exchange.status == 200:
            output = protocols.read_output(call, exchange)
            if call.operation.output_shape is not None:
                check = self._check(call, "output")
                check.value(call.operation.output_shape, output, "output")
                yield from check.problems
                self.coverage.shown |= {(call.service, *member) for member in check.members}
                self.coverage.deviated |= {(call.service, shape) for shape in check.deviated}
            self.coverage.answered.add((call.service, call.name))
            if against_model:
                yield f"taken, though the model forbids it: {'; '.join(against_model)}"
            return
        failure = protocols.read_failure(call, exchange)
        seen = self.coverage.injected if exchange.injected else self.coverage.errors
        seen.add((call.service, call.name, failure.code))
        yield from self._failure(call, exchange, failure)
        refused = failure.code in REFUSALS[call.service] or OF_THE_CALLER.search(failure.code)
        if against_model and not refused:
            yield f"{failure.code}, though the model forbids the input: {'; '.join(against_model)}"

    def _failure(self, call, exchange, failure):
        protocol = protocols.protocol(call.service)
        modelled = {shape.error_code: shape for shape in call.operation.error_shapes}
        if failure.code in modelled:
            shape = modelled[failure.code]
            status = (shape.metadata.get("error") or {}).get("httpStatusCode") or SERVER_ERRORS.get(shape.name, 400)
            yield from self._error_members(call, shape, exchange, failure)
        elif failure.code in COMMON[protocol]:
            status = COMMON[protocol][failure.code]
            if set(failure.members) - {"message", "Message"}:
                yield f"{failure.code} has the members {sorted(failure.members)}"
        else:
            yield f"{failure.code} is neither modelled for this operation nor common"
            return
        if exchange.status != status:
            yield f"{failure.code} has status {status}, not {exchange.status}"
        blame = None if protocol != "query" else "Sender" if exchange.status < 500 else "Receiver"
        if failure.blame != blame:
            yield f"{failure.code} has Type {failure.blame}, not {blame}"

    def _error_members(self, call, shape, exchange, failure):
        """The error's own members. AWS adds a message where a model's error has no members at all."""
        members = dict(failure.members)
        for name, inner in shape.members.items():
            header = inner.serialization.get("name", name).lower()
            if inner.serialization.get("location") == "header" and header in exchange.answer_headers:
                members[name] = exchange.answer_headers[header]
        if not shape.members:
            members.pop("message", members.pop("Message", None))
        check = self._check(call, "output")
        check.value(shape, members, failure.code)
        yield from check.problems
        says = [name for name in shape.members if name.lower() == "message"]
        if says and not members.get(says[0]):
            yield f"{failure.code} says nothing in {says[0]}"


def headers(exchange):
    """What every answer bears: an id and a time, which in a refusal is the true one: clients compare it
    with their own."""
    bears = exchange.answer_headers
    if not UUID.fullmatch(bears.get("x-amzn-requestid", "")):
        yield f"x-amzn-RequestId is {bears.get('x-amzn-requestid')!r}"
    try:
        date = email.utils.parsedate_to_datetime(bears["date"])
    except (KeyError, ValueError):
        yield f"Date is {bears.get('date')!r}"
        return
    if exchange.status == 200:
        return
    answered = datetime.datetime.fromtimestamp(exchange.answered_at, datetime.timezone.utc)
    if abs((answered - date).total_seconds()) > 30:
        yield f"Date is {bears['date']}, and it was {answered:%H:%M:%S}"
