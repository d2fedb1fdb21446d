"""AWS's own service models, as botocore ships them, and what they say of a value.

Everything here reads the models; nothing here was written by the simulator or shares code with it.
"""

import datetime
import functools
import math
import re
import sys
import unicodedata

import botocore.session

SERVICES = ["ssm", "resource-groups", "sts", "organizations", "account"]

# As AWS's XML writes times.
ISO_8601 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z")


@functools.cache
def session():
    """One botocore session, so that the models are read once."""
    return botocore.session.get_session()


@functools.cache
def service(name):
    """The model of a service."""
    return session().get_service_model(name)


@functools.cache
def unicode_class(initial):
    """The members of `\\p{L}`, `\\p{N}` or `\\p{Z}` as the inside of a character class."""
    ranges, start = [], None
    for point in range(sys.maxunicode + 2):
        inside = point <= sys.maxunicode and unicodedata.category(chr(point)).startswith(initial)
        if inside and start is None:
            start = point
        elif not inside and start is not None:
            ranges.append(f"\\U{start:08x}-\\U{point - 1:08x}")
            start = None
    return "".join(ranges)


@functools.cache
def pattern(text):
    """A model's pattern as Python has it.

    The models' patterns are Java's, and the services hold the whole value to them, whether or not a
    pattern has anchors of its own: `[\\w+=,.@-]*` would otherwise forbid nothing. So they are used
    with fullmatch. Java's classes are ASCII unless they are `\\p{…}`.
    """
    translated = re.sub(r"\\p\{([LNZ])\}", lambda found: unicode_class(found[1]), text)
    return re.compile(translated, re.ASCII)


class Check:
    """Holds values to shapes, and gathers what is wrong and which members were there."""

    def __init__(self, text_scalars, deviations=None):
        """`text_scalars`: every scalar is text, as in forms and XML. `deviations`: by shape's name,
        functions that say whether a value is one that AWS is known to use against its own model."""
        self.text_scalars = text_scalars
        self.deviations = deviations or {}
        self.problems = []
        self.members = set()
        self.deviated = set()

    def value(self, shape, value, path):
        """Checks `value` and what it is made of."""
        if self.deviations.get(shape.name, lambda _: False)(value):
            self.deviated.add(shape.name)
            return
        kinds = {
            "structure": self._structure,
            "list": self._list,
            "map": self._map,
            "string": self._string,
            "integer": self._number,
            "long": self._number,
            "boolean": self._boolean,
            "timestamp": self._timestamp,
        }
        check = kinds.get(shape.type_name)
        if check is None:
            self.problems.append(f"{path}: no check for the type {shape.type_name}")
        else:
            check(shape, value, path)

    def _wrong_type(self, shape, value, path):
        self.problems.append(f"{path}: {value!r:.80} is no {shape.type_name}")

    def _structure(self, shape, value, path):
        if not isinstance(value, dict):
            self._wrong_type(shape, value, path)
            return
        for name, member in value.items():
            if name not in shape.members:
                self.problems.append(f"{path}.{name}: {shape.name} has no such member")
                continue
            self.members.add((shape.name, name))
            self.value(shape.members[name], member, f"{path}.{name}")
        for name in shape.required_members:
            if name not in value:
                self.problems.append(f"{path}.{name}: required, and not there")

    def _list(self, shape, value, path):
        if not isinstance(value, list):
            self._wrong_type(shape, value, path)
            return
        self._size(shape, len(value), path, "entries")
        for index, member in enumerate(value):
            self.value(shape.member, member, f"{path}[{index}]")

    def _map(self, shape, value, path):
        if not isinstance(value, dict):
            self._wrong_type(shape, value, path)
            return
        self._size(shape, len(value), path, "entries")
        for key, member in value.items():
            self.value(shape.key, key, f"{path} key {key!r}")
            self.value(shape.value, member, f"{path}[{key!r}]")

    def _string(self, shape, value, path):
        if not isinstance(value, str):
            self._wrong_type(shape, value, path)
            return
        if shape.enum and value not in shape.enum:
            self.problems.append(f"{path}: {value!r} is not of the enum {shape.name}")
        self._size(shape, len(value), path, "characters")
        wanted = shape.metadata.get("pattern")
        if wanted is not None and not pattern(wanted).fullmatch(value):
            self.problems.append(f"{path}: {value!r:.80} is not of the pattern {wanted}")

    def _number(self, shape, value, path):
        if self.text_scalars and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self._wrong_type(shape, value, path)
            return
        bits = 31 if shape.type_name == "integer" else 63
        if not -(2**bits) <= value < 2**bits:
            self.problems.append(f"{path}: {value} does not fit a {shape.type_name}")
        self._size(shape, value, path, "")

    def _boolean(self, shape, value, path):
        right = value in ("true", "false") if self.text_scalars else isinstance(value, bool)
        if not right:
            self._wrong_type(shape, value, path)

    def _timestamp(self, shape, value, path):
        form = shape.serialization.get("timestampFormat") or ("iso8601" if self.text_scalars else "unixTimestamp")
        if form == "unixTimestamp":
            right = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        else:
            right = form == "iso8601" and isinstance(value, str) and is_iso_8601(value)
        if not right:
            self.problems.append(f"{path}: {value!r:.80} is not a time as {form}")

    def _size(self, shape, size, path, unit):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None and size < low or high is not None and size > high:
            self.problems.append(f"{path}: {size} {unit} where {shape.name} has {low} to {high}")


def is_iso_8601(text):
    """Whether this is a time that exists, in UTC."""
    if not ISO_8601.fullmatch(text):
        return False
    try:
        datetime.datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return False
    return True


def reachable(shape, found=None):
    """Every structure that a shape is made of, by name."""
    found = {} if found is None else found
    if shape is None or shape.name in found:
        return found
    if shape.type_name == "structure":
        found[shape.name] = shape
        for member in shape.members.values():
            reachable(member, found)
    elif shape.type_name == "list":
        reachable(shape.member, found)
    elif shape.type_name == "map":
        reachable(shape.value, found)
    return found
