"""Every request, answer and fault of a run, a line of JSON each.

    {"at": 1.25, "until": 1.31, "client": 3, "op": "put", "bucket": "r-1",
     "keys": ["a"], "status": 200, "content": "<sha256>"}
    {"at": 1.27, "fault": "nginx: kill -9 of a worker process"}

Times are seconds since the run began.  `status` is missing when there was no
answer, `why` then tells.
"""

import collections
import json
import threading
import time


class History:
    def __init__(self, path):
        self.path = path
        self.file = open(path, "w", buffering=1 << 16)
        self.lock = threading.Lock()
        self.began = time.monotonic()
        self.answers = collections.Counter()    # of (operation, outcome)
        self.faults = collections.Counter()

    def now(self):
        return round(time.monotonic() - self.began, 3)

    def write(self, **fields):
        with self.lock:
            self.file.write(json.dumps(fields, ensure_ascii=False) + "\n")

    def answer(self, **fields):
        self.write(**fields)
        status = fields.get("status")
        outcome = f"{status // 100}xx" if status else "none"
        with self.lock:
            self.answers[fields["op"], outcome] += 1

    def fault(self, what):
        self.write(at=self.now(), fault=what)
        with self.lock:
            self.faults[what] += 1

    def note(self, what):
        """The end of a fault, or a phase of the run."""
        self.write(at=self.now(), note=what)

    def lines(self):
        with self.lock:
            self.file.flush()
        with open(self.path) as f:
            for line in f:
                yield json.loads(line)


def story(history, chosen, seconds=2, most=12):
    """{(bucket, key): lines} of these keys: their last requests, and what
    was broken shortly before and during the last one."""
    found = {pair: [] for pair in chosen}
    events = []
    for line in history.lines():
        if "op" not in line:
            events.append(line)
            continue
        for key in line["keys"]:
            if (line["bucket"], key) in found:
                found[line["bucket"], key].append(line)
    for pair, lines in found.items():
        lines = lines[-most:]
        if lines:
            begin = lines[-1]["at"] - seconds
            end = lines[-1]["until"] + seconds
            lines += [e for e in events if begin <= e["at"] <= end]
        found[pair] = sorted(lines, key=lambda e: e["at"])
    return found
