"""Holds one answer to the shape of another, which AWS gave: the same members, the same types, empty
where that one is empty. Values differ, except where a caller says that they do not."""

import re

# Members that the CLI prints as text and AWS sends as a number.
TIME = re.compile(r"(DateTime|Date|Time|ExpiresAfter|Timestamp)$")
# Members whose entries are the caller's own, so that their names mean nothing.
FREE = {"Parameters", "Inputs", "Outputs", "InstanceAssociationStatusAggregatedCount"}


class Shape:
    """Compares, and gathers what is wrong. `newer`: members that AWS has added since the sample was
    recorded. `elsewhere`: members that the sample's situation alone has."""

    def __init__(self, newer=(), elsewhere=(), same=()):
        self.newer, self.elsewhere, self.same = set(newer), set(elsewhere), set(same)
        self.problems = []

    def hold(self, wanted, found, path="answer"):
        """Compares two values and what they are made of."""
        if isinstance(wanted, dict) and wanted.get("__class__") == "datetime":
            wanted = 0.0
        if isinstance(wanted, dict) and isinstance(found, dict):
            self._members(wanted, found, path)
        elif isinstance(wanted, list) and isinstance(found, list):
            if bool(wanted) != bool(found):
                self.problems.append(f"{path}: {len(found)} entries, AWS had {len(wanted)}")
            elif wanted:
                self.hold(wanted[0], found[0], f"{path}[0]")
        elif kind(wanted) != kind(found):
            self.problems.append(f"{path}: {found!r:.80}, AWS had {wanted!r:.80}")
        elif isinstance(wanted, str) and bool(wanted) != bool(found):
            self.problems.append(f"{path}: {found!r:.80}, AWS had {wanted!r:.80}")

    def _members(self, wanted, found, path):
        for name in sorted(set(wanted) - set(found) - self.elsewhere):
            self.problems.append(f"{path} has no {name}")
        for name in sorted(set(found) - set(wanted) - self.newer):
            self.problems.append(f"{path} has {name}, which AWS had not")
        for name in sorted(set(wanted) & set(found)):
            below, value = f"{path}.{name}", wanted[name]
            if name in self.same and value != found[name]:
                self.problems.append(f"{below}: {found[name]!r:.80}, AWS had {value!r:.80}")
            elif name in FREE:
                self._free(value, found[name], below)
            elif TIME.search(name) and isinstance(value, str) and not isinstance(found[name], str):
                self.hold(0.0, found[name], below)
            else:
                self.hold(value, found[name], below)

    def _free(self, wanted, found, path):
        if kind(wanted) != kind(found):
            self.problems.append(f"{path}: {found!r:.80}, AWS had {wanted!r:.80}")
        elif isinstance(wanted, dict) and wanted and found:
            kinds = [[kind(entry) for entry in one.values()] for one in (wanted, found)]
            if set(kinds[0]) != set(kinds[1]):
                self.problems.append(f"{path} has entries of {set(kinds[1])}, AWS had {set(kinds[0])}")


def kind(value):
    """What a value is, as JSON has it."""
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def hold(wanted, found, **allowed):
    """What is wrong with an answer."""
    shape = Shape(**allowed)
    shape.hold(wanted, found)
    return shape.problems
