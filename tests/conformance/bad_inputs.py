"""Inputs that a service's model forbids, each wrong in one place, made from inputs that are right.

What is forbidden is taken from botocore's model, never from the simulator.
"""

import copy
import itertools

import model

# Longer lists and texts than this are not sent: they would test the network.
LONGEST = 70_000
# One of them is outside of any pattern that the models have, whatever its length has to be.
ODD = ["\u0007", "!", " ", "a", "0", "-"]


def of(shape, right):
    """Pairs of where and how an input is wrong, and the input."""
    for path, what, wrong in variants(shape, right, ()):
        yield f"{'.'.join(map(str, path)) or 'input'}: {what}", put(right, path, wrong)


def put(right, path, wrong):
    """A copy of the input with another value at the path; `REMOVED` takes it away."""
    if not path:
        return wrong
    whole = copy.deepcopy(right)
    place = whole
    for key in path[:-1]:
        place = place[key]
    if wrong is REMOVED:
        del place[path[-1]]
    else:
        place[path[-1]] = wrong
    return whole


class REMOVED:
    """Stands for a member that is not there."""


def variants(shape, value, path):
    """Triples of a path, what is wrong there, and the wrong value."""
    kind = shape.type_name
    if kind == "structure":
        for name, member in value.items():
            if name in shape.required_members:
                yield (*path, name), "missing", REMOVED
            yield from variants(shape.members[name], member, (*path, name))
    elif kind == "list":
        yield from sizes(shape, value, path, lambda size: list(itertools.islice(itertools.cycle(value), size)))
        for index, member in enumerate(value[:1]):
            yield from variants(shape.member, member, (*path, index))
    elif kind == "map":
        some = next(iter(value.values()))
        yield from sizes(shape, value, path, lambda size: {f"key{number}": some for number in range(size)})
        for key, member in value.items():
            yield from ((path, f"key: {what}", {wrong: member}) for _, what, wrong in variants(shape.key, key, ()))
            yield from variants(shape.value, member, (*path, key))
    elif kind == "string":
        yield from texts(shape, value, path)
    elif kind in ("integer", "long"):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        yield from [(path, f"{low - 1}", low - 1)] if low is not None else []
        yield from [(path, f"{high + 1}", high + 1)] if high is not None else []


def sizes(shape, value, path, of_size):
    """One entry fewer, or one more, than there may be."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low:
        yield path, f"{low - 1} entries", of_size(low - 1)
    if high is not None and high < LONGEST:
        yield path, f"{high + 1} entries", of_size(high + 1)


def texts(shape, value, path):
    """Texts that are too short, too long, not of the pattern, or not of the enum."""
    if shape.enum:
        yield path, "not of the enum", "NoSuchValue"
        return
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low:
        yield path, f"{low - 1} characters", (value * low)[: low - 1]
    if high is not None and high < LONGEST:
        yield path, f"{high + 1} characters", (value or "a") + "a" * (high + 1 - len(value or "a"))
    wanted = shape.metadata.get("pattern")
    for odd in ODD if wanted else []:
        text = (value + odd)[-high:] if high is not None else value + odd
        if not model.pattern(wanted).fullmatch(text) and len(text) >= (low or 0):
            yield path, f"not of the pattern, by {odd!r}", text
            return


def types(shape, right):
    """Pairs of where and how an input is of a wrong type, and the input; for JSON alone."""
    for path, kind in places(shape, right, ()):
        wrong = [1] if kind == "string" else "one"
        yield f"{'.'.join(map(str, path))}: no {kind}", put(right, path, wrong)


def places(shape, value, path):
    """Every place in an input, with the type that belongs there."""
    if path:
        yield path, shape.type_name
    if shape.type_name == "structure":
        for name, member in value.items():
            yield from places(shape.members[name], member, (*path, name))
    elif shape.type_name == "list" and value:
        yield from places(shape.member, value[0], (*path, 0))
    elif shape.type_name == "map":
        for key, member in value.items():
            yield from places(shape.value, member, (*path, key))
