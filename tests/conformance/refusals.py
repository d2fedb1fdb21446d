"""Every operation with every member of its input, and with every input that its model forbids."""

import botocore.exceptions
import botocore.parsers

import bad_inputs
import good
import model
import raw
import registry
import simulator
import wire


def run(binary, audit):
    """Calls everything. Gives what is wrong, and how many bad inputs were sent."""
    problems, sent = [], 0
    with simulator.Simulator(binary, "company") as running:
        stage = registry.Stage(running)
        inputs = good.inputs(good.prepare(stage))
        present = running.operations()
        problems.extend(f"{'.'.join(one)} has no input in good.py" for one in sorted(present - set(inputs)))
        # What is right comes last: it deletes documents and groups.
        for (service, operation), entry in inputs.items():
            if (service, operation) not in present:
                continue
            for what, found in refused(stage, service, operation, good.whole(entry)):
                sent += 1
                status, code = found
                if status != 400 or code not in wire.REFUSALS[service]:
                    problems.append(f"{service} {operation} with {what}: answered {status} {code}")
        for (service, operation), (base, additions) in inputs.items():
            if (service, operation) in present:
                call = good.method(stage.client(service), operation)
                for addition in [*additions, {}]:
                    attempt(call, base | addition)
        problems += audit.of_all(running.proxy.taken())
    return problems, sent


def refused(stage, service, operation, right):
    """Pairs of what is wrong with an input, and its answer's status and code."""
    shape = good.shape_of(service, operation)
    if shape is None:
        return
    call = good.method(stage.loose.client(service), operation)
    for what, wrong in bad_inputs.of(shape, right):
        yield what, attempt(call, wrong)
    if model.service(service).metadata["protocol"] != "query":
        for what, wrong in bad_inputs.types(shape, in_body(shape, right)):
            yield what, raw.send(stage.endpoint, service, operation, wrong)


def in_body(shape, value):
    """The members which do not stand in the path or the query string."""
    return {name: member for name, member in value.items() if "location" not in shape.members[name].serialization}


def attempt(call, arguments):
    """The status and the code of the answer."""
    try:
        answer = call(**arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    except botocore.parsers.ResponseParserError:
        return None, "which botocore cannot read"
    return answer["ResponseMetadata"]["HTTPStatusCode"], None
