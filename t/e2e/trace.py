"""The queue's own trace (docs/data-model.md): who held which key when."""

from collections import Counter, defaultdict

PAGE = 10_000


class Trace:
    """From here on, until read() or stop()."""

    def __init__(self, client, entries):
        self.client = client
        client.delete("chorus:trace")
        client.set("chorus:trace:max", entries)

    def stop(self):
        self.client.delete("chorus:trace:max", "chorus:trace")

    def read(self):
        """[event] in the order in which they happened; none is missing."""
        events, last = [], "-"
        while page := self.client.xrange("chorus:trace", last, "+", PAGE):
            events += [{name.decode(): value for name, value in fields.items()}
                       for _, fields in page]
            last = b"(" + page[-1][0]
        added = self.client.xinfo_stream("chorus:trace")["entries-added"] \
            if events else 0
        assert len(events) == added, "the trace was cut"
        return events


def faults(events):
    """What is wrong in a trace, a line each: a key that two held at once, a
    hold that began or ended without the other, a report that came late."""
    found, held = [], {}
    for e in events:
        what = f"{e['replication']} {e['key']!r} token {e['token']}"
        key = (e["replication"], e["key"])
        if e["event"] == b"claim":
            if key in held:
                found.append(f"{what}: held by {held[key]!r} already")
            held[key] = e["token"]
        elif e["event"] == b"late":
            found.append(f"{what}: a late {e['what']!r}")
        elif e["what"] == b"expired":
            found.append(f"{what}: expired")
            held.pop(key, None)
        elif held.pop(key, None) != e["token"]:
            found.append(f"{what}: ends what has not begun")
    return found + [f"{key}: {token!r} has no end"
                    for key, token in held.items()]


def summary(events):
    """(claims, {worker: claims}, {how it ended: times}, the longest hold of a
    key in seconds, most keys held at once)"""
    begun, longest, most = {}, 0, 0
    workers, ends = Counter(), Counter()
    for e in events:
        key = (e["replication"], e["key"])
        if e["event"] == b"claim":
            begun[key] = int(e["us"])
            workers[e["what"].decode()] += 1
            most = max(most, len(begun))
        elif e["event"] == b"end":
            ends[e["what"].decode()] += 1
            longest = max(longest, int(e["us"]) - begun.pop(key, 1 << 62))
    return sum(workers.values()), workers, ends, longest / 1e6, most


def claims_of(events):
    """{key: [(begin, end) in microseconds]}"""
    intervals, begun = defaultdict(list), {}
    for e in events:
        key = (e["replication"], e["key"])
        if e["event"] == b"claim":
            begun[key] = int(e["us"])
        elif e["event"] == b"end" and key in begun:
            intervals[key].append((begun.pop(key), int(e["us"])))
    return intervals
