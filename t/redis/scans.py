"""A small client of the functions of scans."""

import time

from conftest import OWED, R1, REPLICATIONS, strict_json

SCANS, DISCOVER = 'chorus:scans', 'chorus:discover'
WHAT = {'different': 1, 'missing': 2, 'surplus': 3, 'unchecked': 4}
COUNTS = ('main', 'follower', 'equal', 'different', 'missing', 'surplus',
          'moving', 'undecided', 'unchecked', 'bytes')
BULK_MAX = 1000


class Shard:
    """One reply of chorus_scan_claim."""

    def __init__(self, row):
        self.r, self.what = row[0].decode(), row[1].decode()
        if self.what == 'new':
            return
        (self.id, self.n, token, kind, depth, self.surplus, self.to, self.cut,
         self.cursor, self.failures) = row[2:]
        self.token, self.kind, self.depth = (x.decode() for x in
                                             (token, kind, depth))

    @property
    def held(self):
        return self.id, self.n, self.token


class Scans:
    def __init__(self, q):
        self.q = q

    def start(self, kind='migrate', depth='quick', surplus=0, report=0, r=R1):
        self.q.change('limit', r, 0)            # there is such a replication
        return self.q.change('scan_start', r, kind, depth, surplus, report)

    def stop(self, r=R1):
        return self.q.change('scan_stop', r)

    def claim(self, worker='w', lease=60000, exclude=(), policy=0):
        row = self.q.fcall('scan_claim', 1, SCANS, worker, lease, policy,
                           *exclude)
        return Shard(row) if row else None

    def page(self, shard, cursor, last=False, counts=None, marks=(),
             differences=(), lease=60000, bulk_max=BULK_MAX, start=None,
             evidence=None):
        counts = counts or {}
        args = [*shard.held, lease, bulk_max,
                shard.cursor if start is None else start, cursor, int(last)]
        args += [counts.get(name, 0) for name in COUNTS]
        args += [len(marks)]
        for key in marks:
            args += [7, key]
        for what, key in differences:
            said = '"said":"%s"' % what if evidence is None else evidence
            args += [WHAT[what], key, said]
        reply, to, cut = self.q.change('scan_page', shard.r, *args)
        if reply == b'taken':
            shard.cursor = cursor
        if reply != b'lost':
            shard.to, shard.cut = to, cut
        return reply.decode()

    def release(self, shard, delay=0, failure=0, reason=''):
        return self.q.change('scan_release', shard.r, *shard.held, delay,
                             failure, reason)

    def renew(self, shard, lease=60000):
        return self.q.change('scan_renew', shard.r, *shard.held, lease)

    def fail(self, shard, reason):
        return self.q.change('scan_fail', shard.r, *shard.held, reason)

    def split(self, shard, at):
        return self.q.change('scan_split', shard.r, shard.id, shard.n, at)

    def ensure(self, migrates=1, r=R1, policy=0):
        return self.q.change('scan_ensure', r, migrates, policy)

    def looked(self, policy, is_whole=True):
        return self.q.fcall('scan_looked', 1, DISCOVER, policy, int(is_whole))

    def discover(self, interval=60000, policy=0):
        return self.q.fcall('scan_discover', 1, DISCOVER, interval, policy)

    def moving(self, *keys, r=R1):
        return self.q.fcall_ro('scan_moving', 1, self.q.hash(r), *keys)

    def look(self, r=R1):
        text = self.q.fcall_ro('scan_look', 1, self.q.hash(r))
        return text and strict_json(text)

    def list(self):
        return strict_json(self.q.fcall_ro('scan_list', 1, REPLICATIONS, 0,
                                           1000))['scans']

    def report(self, after=0, count=1000, r=R1):
        return strict_json(self.q.fcall_ro(
            'scan_differences', 1, self.q.hash(r), after, count))

    def differences(self, after=0, count=1000, r=R1):
        return self.report(after, count, r)['differences']

    def reported(self, shard, last):
        return self.q.change('scan_reported', shard.r, shard.id, last)

    def owed_all(self):
        return self.q.client.hget(OWED, 'owed_id')

    def later(self, ms=3):
        """Leases of a millisecond have run out."""
        time.sleep(ms / 1000)
