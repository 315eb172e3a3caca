"""The rules of the queue for one replication, in plain Python.

Written from docs/data-model.md, not from the library: what both agree on is
right or wrong twice.
"""

import time

EVERYTHING = 7
STAGES = 3


def now_ms():
    return time.time() * 1000


class Key:
    def __init__(self, place, source, since, facets):
        self.place = place          # dirty bulk busy retry failed
        self.source = source        # event scan
        self.since = since
        self.facets = facets        # of the sync that runs or comes next
        self.attempts = None        # None: never failed
        self.token = None           # busy
        self.is_expired = False     # busy
        self.is_due = False         # retry
        self.again = None           # busy: (since, facets)

    def merge(self, source, since, facets):
        """A later mark joins; an event's time beats that of a scan."""
        if source == self.source:
            self.since = min(self.since, since)
        else:
            facets = EVERYTHING         # what a scan doubts is looked at whole
            if source == 'event':
                self.source, self.since = source, since
        self.facets |= facets

    def queue(self):
        self.place = 'dirty' if self.source == 'event' else 'bulk'
        self.token, self.is_expired, self.is_due = None, False, False


class Replication:
    def __init__(self):
        self.keys = {}
        self.rechecks = {}          # (stage, name): is it due
        self.is_paused = False

    def mark(self, name, source, age, facets):
        return self._mark(name, source, now_ms() - age, facets or EVERYTHING)

    def _mark(self, name, source, since, facets):
        key = self.keys.get(name)
        if key is None:
            key = self.keys[name] = Key(None, source, since, facets)
            key.queue()
            return 1
        if key.place == 'busy':
            if source == 'scan':
                facets = EVERYTHING
            if key.again is None:
                key.again = (since, facets)
                return 1
            key.again = (min(key.again[0], since), key.again[1] | facets)
            return 0
        key.merge(source, since, facets)
        if key.place == 'failed':
            key.attempts = 0
            key.queue()
            return 1
        if key.place == 'bulk' and source == 'event':
            key.queue()
        return 0

    def is_claimable(self, key):
        return key.place in ('dirty', 'bulk') or key.is_due or key.is_expired

    def claimable(self):
        if self.is_paused:
            return []
        return [name for name, key in self.keys.items()
                if self.is_claimable(key)] + \
            [name for name in self._due_rechecks() if name not in self.keys]

    def _due_rechecks(self):
        """Expired leases come first: they are doubt about their bucket,
        whose rechecks begin anew."""
        names = {name for (_, name), is_due in self.rechecks.items() if is_due}
        is_doubt = any(key.is_expired for key in self.keys.values())
        return names - {b''} if is_doubt else names

    def due(self):
        return [name for name, key in self.keys.items()
                if key.is_due or key.is_expired]

    def doubt(self, name, doubt):
        """1: the key, 2: its bucket; all stages begin anew."""
        for bit, what in ((1, name), (2, b'')):
            if doubt & bit:
                for stage in range(1, STAGES + 1):
                    self.rechecks[stage, what] = False

    def take_due(self):
        for name in self.due():
            self._expired(name)
        due = [member for member, is_due in self.rechecks.items() if is_due]
        for stage, name in due:
            del self.rechecks[stage, name]
            self._recheck(name)

    def _recheck(self, name):
        key = self.keys.get(name)
        if key is not None and key.place == 'failed':
            key.facets = EVERYTHING
        else:
            self._mark(name, 'scan', now_ms(), EVERYTHING)

    def _expired(self, name):
        if self.keys[name].is_expired:
            self.doubt(name, 3)
        self._end(name)

    def reap(self):
        expired = [name for name, key in self.keys.items() if key.is_expired]
        for name in expired:
            self._expired(name)
        return len(expired)

    def _end(self, name):
        """Back to the queue, with what was marked meanwhile."""
        key = self.keys[name]
        again, key.again = key.again, None
        key.queue()
        if again:
            self._mark(name, 'event', *again)

    def claim(self, name, token):
        key = self.keys[name]
        assert key.place in ('dirty', 'bulk'), (name, key.place)
        key.place, key.token = 'busy', token
        return key

    def is_held(self, name, token):
        key = self.keys.get(name)
        return key is not None and key.place == 'busy' and key.token == token

    def _accepts(self, name, token, doubt):
        self.doubt(name, doubt)
        if self.is_held(name, token):
            return True
        self._mark(name, 'event', now_ms(), EVERYTHING)
        return False

    def done(self, name, token, doubt):
        if not self._accepts(name, token, doubt):
            return 0
        again = self.keys.pop(name).again
        if again:
            self._mark(name, 'event', *again)
        return 1

    def fail(self, name, token, delay, doubt):
        if not self._accepts(name, token, doubt):
            return 0
        key = self.keys[name]
        again, key.again = key.again, None
        key.queue()
        key.attempts = (key.attempts or 0) + 1
        key.place = 'retry' if delay >= 0 else 'failed'
        key.is_due = delay == 0
        if again:
            self._mark(name, 'event', *again)
        return 1

    def release(self, name, token, doubt):
        if not self._accepts(name, token, doubt):
            return 0
        self._end(name)
        return 1

    def renew(self, name, token):
        if not self.is_held(name, token):
            return 0
        self.keys[name].is_expired = False
        return 1

    def retry(self, names=None):
        moved = 0
        for name in list(self.keys) if names is None else names:
            key = self.keys.get(name)
            if key and key.place in ('retry', 'failed'):
                key.attempts = 0
                key.queue()
                moved += 1
        return moved
