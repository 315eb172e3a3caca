"""Two Ceph stores, and what runs between them: chorus-worker, or rclone."""

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

import redis

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{ROOT}/t/e2e")
sys.dont_write_bytecode = True
from guard import guarded               # noqa: E402
from process import wait_until          # noqa: E402
from stack import Stack, Worker, private        # noqa: E402

LIMIT = 1800                    # seconds of one turn
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Turn:
    seconds: float
    cpu: float                  # of the program itself
    stores_cpu: float


def cpu_of(pid):
    """Seconds, of a process and its children that have ended."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def stores_cpu(stack):
    total = 0
    for store in ("main", "follower"):
        for daemon in ("osd", "rgw"):
            with open(f"{stack.folder}/{store}/run/{daemon}.pid") as f:
                total += cpu_of(int(f.read().split()[0]))
    return total


# ---- the whole

@contextlib.contextmanager
def stores_and_redis():
    """A Stack of which only these run, with the functions in Redis."""
    with guarded("chorus-bench-") as folder:
        stack = Stack(folder)
        try:
            stack.start_stores()
            stack.redis.start()
            with worker_for(stack, "none", "none", 1):
                wait_until(lambda: functions_are_loaded(stack), 60,
                           "the functions are in Redis")
            yield stack
        finally:
            stack.end()


@contextlib.contextmanager
def full_stack(**worker):
    """A Stack that runs as a whole, with a journal, and a worker with these
    settings that writes no trace."""
    with guarded("chorus-bench-") as folder:
        stack = Stack(folder)
        try:
            stack.start_stores()
            stack.redis.start()
            stack.more_http = f"chorus_journal {folder}/journal;"
            stack.write_nginx()
            stack.nginx.start()
            stack.workers.append(quiet_worker(stack, "bench",
                                              stack.config_of(worker=worker)))
            stack.worker.start()
            yield stack
        finally:
            stack.end()


# ---- chorus-worker

def quiet_worker(stack, name, config):
    """Without a line in its log for each request."""
    path = f"{stack.folder}/{name}.json"
    with open(path, "w", opener=private) as f:
        json.dump(config, f)
    worker = Worker(stack.folder, name, path)
    worker.command.remove("-v")
    return worker


@contextlib.contextmanager
def worker_for(stack, bucket, target, concurrency):
    """One with nothing else to do; it begins at once."""
    config = stack.config_of(worker={
        "concurrency": concurrency, "scans": 2, "discover_seconds": 1,
        "lease_seconds": 30})
    # a third storage would be kept slots for
    del config["storages"]["archive"], config["routes"]
    config["replications"] = [{"user": "alice", "bucket": bucket,
                               "to": "follower" if target == bucket
                               else f"follower:{target}"}]
    worker = quiet_worker(stack, target, config)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def functions_are_loaded(stack):
    """The worker brings them along."""
    with contextlib.suppress(redis.ResponseError):
        return stack.redis.call("status", 1, "chorus:replications", 0, 1)


def begin_scan(stack, name):
    """A quick one: the first one of a new Redis looks at everything."""
    keys = (f"chorus:{{{name}}}", "chorus:schedule", "chorus:replications")
    stack.redis.call("scan_ensure", 3, *keys, 0, 0)
    assert stack.redis.call("scan_start", 3, *keys, "migrate", "quick", 0)


def copied(stack, bucket, target, concurrency):
    """A Turn of a worker, from its start to the last object; and the scan."""
    # no follower's name stands twice where the bucket keeps its own
    name = f"alice:{bucket}:follower" + (
        "" if target == bucket else f":{target}")
    begin_scan(stack, name)

    def ended():
        text = stack.redis.call("scan_look", 1, f"chorus:{{{name}}}")
        scan = json.loads(text) if text else {}
        return (scan.get("state") == "ended" and not scan["waiting"]
                and not stack.redis.stats(name)["busy"] and scan)

    before, begin = stores_cpu(stack), time.monotonic()
    with worker_for(stack, bucket, target, concurrency) as worker:
        scan = wait_until(ended, LIMIT, f"the scan of {name}")
        turn = Turn(time.monotonic() - begin, cpu_of(worker.pid),
                    stores_cpu(stack) - before)
    assert not scan["failed"] and not scan["surplus"], scan
    return turn, scan


# ---- rclone

def rclone(stack, *args):
    """A Turn of it; the stores are its remotes "main" and "follower"."""
    # what is meant for another S3 says nothing here
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("AWS_", "RCLONE_"))}
    env["RCLONE_CONFIG"] = "/dev/null"
    for store in (stack.main, stack.follower):
        key = store.keys["alice"]
        for name, value in (
                ("TYPE", "s3"), ("PROVIDER", "Ceph"), ("ENDPOINT", store.url),
                ("ACCESS_KEY_ID", key.access), ("REGION", "us-east-1"),
                ("SECRET_ACCESS_KEY", key.secret)):
            env[f"RCLONE_CONFIG_{store.name.upper()}_{name}"] = value
    before, begin = stores_cpu(stack), time.monotonic()
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["rclone", *args], env=env, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=LIMIT)
    seconds = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout
    return Turn(seconds, after.ru_utime + after.ru_stime - cpu.ru_utime
                - cpu.ru_stime, stores_cpu(stack) - before)
