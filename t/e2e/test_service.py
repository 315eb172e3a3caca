"""The worker as a service: what it tells systemd and a container's health
check, and `chorus-worker --once`."""

import json
import os
import re
import signal
import socket
import subprocess

import pytest

from process import Process, wait_until
from stack import IS_ASAN, ROOT, SANITIZED
from wire import Flaws


class Manager:
    """The end of systemd: collects what is sent to $NOTIFY_SOCKET."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.lines = []

    def heard(self):
        try:
            while True:
                self.lines += self.socket.recv(4096).decode().split("\n")
        except BlockingIOError:
            return self.lines

    def wait(self, *lines):
        """Until these have come, in this order; those before are done."""
        def are_there():
            rest = iter(self.heard())
            return all(line in rest for line in lines)
        wait_until(are_there, 30, lambda: f"{lines}, heard {self.lines}")
        self.lines.clear()


class Service(Process):
    def __init__(self, stack, name, **env):
        super().__init__(name, [f"{stack.folder}/bin/chorus-worker", "-c",
                                stack.config],
                         f"{stack.folder}/log/{name}.log",
                         env=dict(SANITIZED, **env))


@pytest.fixture
def manager(request, tmp_path):
    name = f"{tmp_path}/notify"
    if getattr(request, "param", "") == "abstract":
        name = f"@chorus-test-{os.getpid()}"
    manager = Manager(name.replace("@", "\0"))
    manager.name = name
    yield manager
    manager.socket.close()


@pytest.mark.parametrize("manager", ["path", "abstract"], indirect=True)
def test_systemd_hears_each_state_and_the_watchdog_is_fed(stack, manager):
    worker = Service(stack, f"notify-{manager.name[0] == '@'}",
                     NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="2000000")
    worker.start()
    try:
        manager.wait("READY=1", "STATUS=Replicating", "WATCHDOG=1")
        worker.send(signal.SIGHUP)
        manager.wait("RELOADING=1", "READY=1", "WATCHDOG=1")
    finally:
        code = worker.stop()
    assert code == 0
    assert "STOPPING=1" in manager.heard()


def test_a_watchdog_of_another_process_is_not_fed(stack, manager):
    worker = Service(stack, "not-mine", NOTIFY_SOCKET=manager.name,
                     WATCHDOG_USEC="200000", WATCHDOG_PID="1")
    worker.start()
    try:
        manager.wait("READY=1", "STATUS=Replicating")
    finally:
        worker.stop()
    assert "WATCHDOG=1" not in manager.heard()


def test_the_file_of_the_health_check_gets_old_without_redis(stack, tmp_path,
                                                             manager):
    alive = tmp_path / "alive"

    def is_touched():
        """Put into the past, it comes back."""
        try:
            os.utime(alive, (0, 0))
        except FileNotFoundError:
            return False
        wait_until(lambda: alive.stat().st_mtime > 0, 20, "a touch")
        return True

    worker = Service(stack, "alive", CHORUS_ALIVE_FILE=str(alive),
                     NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="2000000")
    worker.start()
    try:
        wait_until(is_touched, 20, "the file")
        stack.redis.kill9()
        manager.wait("STATUS=Waiting for Redis")
        os.utime(alive, (0, 0))
        manager.wait("WATCHDOG=1", "WATCHDOG=1")
        assert alive.stat().st_mtime == 0, "a touch without Redis"
        stack.redis.start()
        manager.wait("STATUS=Replicating")
        wait_until(lambda: alive.stat().st_mtime > 0, 20, "a touch")
    finally:
        worker.stop()


def once(stack, config=None, *more, **env):
    done = subprocess.run(
        [f"{stack.folder}/bin/chorus-worker", "--once", "-c",
         config or stack.config, *more], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=120, env=dict(os.environ, **SANITIZED, **env))
    assert "Sanitizer" not in done.stdout, done.stdout
    return done


def test_once_works_off_what_is_due_and_ends(stack, bucket):
    stack.wait_equal(bucket)
    stack.stop_workers()
    count = 40 if IS_ASAN else 100
    wire = stack.wire()
    for n in range(count):      # more than one claim brings
        wire.put(bucket, f"k{n}", b"x" * n)
    wait_until(lambda: stack.waiting(bucket) == count, 20, "the marks")
    done = once(stack)
    assert done.returncode == 0, done.stdout
    assert stack.waiting(bucket) == 0
    stack.wait_equal(bucket, 1)
    assert once(stack).returncode == 0, "nothing to do is no failure"


def test_once_tells_that_something_is_left(stack, bucket):
    stack.wait_equal(bucket)
    stack.stop_workers()
    stack.wire().put(bucket, "k", b"x")
    wait_until(lambda: stack.waiting(bucket) == 1, 20, "the mark")
    stack.faulty_follower.inject(
        when=lambda method, target: bucket in target,
        answer=(503, b"", "text/plain"))
    config = stack.write_config("once.json",
                                follower_url=stack.faulty_follower.url)
    done = once(stack, config)
    assert done.returncode == 3, done.stdout
    assert stack.waiting(bucket) == 1
    stack.start_worker()
    stack.wait_equal(bucket)


ODD_KEY = 'q"\\\n\x01\u00fc.json'


def test_the_worker_logs_json(stack, bucket):
    stack.wait_equal(bucket)
    stack.stop_workers()
    stack.s3.put_object(Bucket=bucket, Key=ODD_KEY, Body=b"x")
    wait_until(lambda: stack.waiting(bucket) == 1, 20, "the mark")
    done = once(stack, None, "-v", CHORUS_LOG_FORMAT="json")
    assert done.returncode == 0, done.stdout
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(sorted(line) == ["level", "message", "time"] for line in lines)
    assert {"info", "debug"} <= {line["level"] for line in lines}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:.]{12}Z", line["time"])
               for line in lines)
    assert any(bucket in line["message"] for line in lines)


def test_nginx_logs_json(stack, bucket):
    with open(f"{ROOT}/conf/nginx.conf") as f:
        text = re.search(r"(?s)log_format chorus_json .*?;", f.read())[0]
    path = f"{stack.folder}/log/access.json"
    stack.more_http = f"{text} access_log {path} chorus_json;"
    stack.write_nginx()
    stack.nginx.reload()
    try:
        wire = stack.wire()
        wire.put(bucket, ODD_KEY, b"x")
        assert wire.call("GET", f"/{bucket}/none").status == 404
        wire.call("PUT", f"/{bucket}/x", flaws=Flaws(secret_key="wrong"))

        def lines():
            with open(path) as f:
                return [json.loads(line) for line in f]
        wait_until(lambda: len(lines()) >= 3, 20, "three lines")
    finally:
        stack.more_http = ""
        stack.write_nginx()
        stack.nginx.reload()
    put, get, refused = lines()[:3]
    assert put == dict(put, method="PUT", operation="PutObject", user="alice",
                       bucket=bucket, storage="main", status="200")
    assert get["status"] == "404" and get["storage_request_id"]
    assert refused["error"] == "SignatureDoesNotMatch" \
        and refused["request_id"]
