"""What callgrind wrote: instructions of each function, and of its calls.

https://valgrind.org/docs/manual/cl-format.html
"""

import re
from collections import defaultdict
from typing import NamedTuple

NAME = re.compile(r"(c?)(ob|fl|fi|fe|fn)=\((\d+)\)(?: (.*))?$")
# a position may be relative to the last one
COST = re.compile(r"[+*-]?\d*\s(\d+)$")


class Function(NamedTuple):
    object: str
    file: str
    name: str


class Profile:
    """Numbers are sums until they are divided, see per_request()."""

    def __init__(self):
        self.own = defaultdict(float)       # {Function: instructions}
        # {(Function, called Function): ...}, of calls with all they call
        self.calls = defaultdict(float)
        self.cost = defaultdict(float)

    def called_by(self, is_caller):
        """(calling, called, calls, cost)."""
        for (one, other), n in self.calls.items():
            if is_caller(one):
                yield one, other, n, self.cost[one, other]


class Reader:
    """Names stand in full once, and by their number from then on."""

    def __init__(self):
        self.profile = Profile()
        self.names = {"ob": {}, "file": {}, "fn": {}}
        self.at = {"ob": "", "file": "", "fn": ""}      # of the costs
        self.to = {}                                    # of the next call
        self.function = Function("", "", "")
        self.calls = 0

    def name(self, called, what, number, text):
        kind = what if what in ("ob", "fn") else "file"
        if text is not None:
            self.names[kind][number] = text
        text = self.names[kind][number]
        if called:
            self.to[kind] = text
        elif what in ("ob", "fl", "fn"):
            # fi and fe only tell where inlined code stands
            self.at[kind] = text
            if what == "fn":
                self.function = Function(*self.at.values())

    def line(self, line):
        if found := NAME.match(line):
            self.name(*found.groups())
        elif line.startswith("calls="):
            self.calls = int(line[len("calls="):].split()[0])
        elif found := COST.match(line):
            self.add(int(found.group(1)))

    def add(self, cost):
        if not self.calls:
            self.profile.own[self.function] += cost
            return
        edge = self.function, Function(**{"object": self.to.get(
            "ob", self.function.object), "file": self.to.get(
                "file", self.function.file), "name": self.to["fn"]})
        self.profile.calls[edge] += self.calls
        self.profile.cost[edge] += cost
        self.calls, self.to = 0, {}


def read(path):
    reader = Reader()
    with open(path, errors="replace") as f:
        for line in f:
            reader.line(line.rstrip("\n"))
    return reader.profile


def per_request(one, two, requests):
    """Of two runs, the second with `requests` more than the first."""
    found = Profile()
    for what in ("own", "calls", "cost"):
        before, after = getattr(one, what), getattr(two, what)
        for name, n in after.items():
            getattr(found, what)[name] = (n - before.get(name, 0)) / requests
    return found


# they call what they are given, whoever gave it to them
GIVEN = ("pthread_once", "qsort", "bsearch")


def returning(profile, is_ours):
    """Functions that call one of ours, or one that does: what these cost is
    partly ours."""
    callers = defaultdict(set)
    for one, other in profile.calls:
        callers[other].add(one)
    found = set()
    to_do = [f for f in callers if is_ours(f)]
    while to_do:
        for caller in callers[to_do.pop()]:
            if caller not in found:
                found.add(caller)
                if not caller.name.startswith(GIVEN):
                    to_do.append(caller)
    return found
