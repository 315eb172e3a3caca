"""What a Dockerfile says: stages, and the instructions of each."""

import fnmatch
import json
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


class Stage:
    def __init__(self, base, name):
        self.base = base
        self.name = name
        self.steps = []             # (instruction, text), in order

    def last(self, instruction, default=None):
        """The text of the one that counts."""
        return next((text for word, text in reversed(self.steps)
                     if word == instruction), default)

    def words(self, instruction):
        """That of an instruction in its JSON form."""
        text = self.last(instruction)
        return json.loads(text) if text else []

    def env(self):
        return dict(re.findall(r"(\w+)=(\S+)", " ".join(
            text for word, text in self.steps if word == "ENV")))


def lines(text):
    """Without comments, continued lines joined."""
    text = re.sub(r"^[ \t]*#.*\n", "", text, flags=re.M)
    return [line.strip() for line in
            re.sub(r"\\\n\s*", " ", text).split("\n") if line.strip()]


def parse(path):
    stages = []
    with open(os.path.join(ROOT, path)) as f:
        for line in lines(f.read()):
            word, _, text = line.partition(" ")
            if word == "FROM":
                base, _, name = text.partition(" AS ")
                stages.append(Stage(base, name or "image"))
            else:
                stages[-1].steps.append((word, text.strip()))
    return stages


def target(path, name=None):
    stages = parse(path)
    return next(s for s in reversed(stages) if name in (None, s.name))


def context():
    """The files that the engine would get, by .dockerignore."""
    with open(os.path.join(ROOT, ".dockerignore")) as f:
        rules = [line.strip() for line in f if line.strip()]

    def is_in(path):
        kept = True
        for rule in rules:
            pattern = rule.lstrip("!").replace("**/", "*")
            if fnmatch.fnmatch(path, pattern) \
                    or fnmatch.fnmatch(path, pattern + "/*"):
                kept = rule.startswith("!")
        return kept

    found = []
    for folder, _, names in os.walk(ROOT):
        if os.path.relpath(folder, ROOT).split("/")[0] in ("build", ".git"):
            continue
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), ROOT)
            if is_in(path):
                found.append(path)
    return sorted(found)
