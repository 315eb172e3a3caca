"""A process of the stack: started, stopped, killed, paused, started again.

Each gets a session of its own, so Ctrl-C reaches pytest alone, and dies with
pytest (setpriv --pdeathsig), however that ends.  The signal is sent when the
thread that started the process ends: start from the main thread.
"""

import os
import signal
import subprocess
import time


IS_ASAN = "asan" in os.path.basename(
    os.environ.get("CHORUS_BUILD", "").rstrip("/"))
SLOWER = 3 if IS_ASAN else 1
# seconds that each wait has at least: whether something happens is one
# question, how fast on a machine that also does other things is another; and
# the leak sanitizer takes its time when a process ends
PATIENCE = 50 * SLOWER


def wait_until(is_true, seconds, what, is_strict=False):
    """Polls until is_true() is true and returns that; or fails.  `is_strict`:
    not a moment later is what the test is about."""
    if not is_strict:
        seconds = max(seconds, PATIENCE)
    end = time.monotonic() + seconds
    while True:
        value = is_true()
        if value:
            return value
        if time.monotonic() > end:
            text = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {text}")
        time.sleep(0.05)


class Process:
    def __init__(self, name, command, log, env=None, die_with="KILL"):
        self.name = name
        self.command = command
        self.log = log
        self.env = env
        self.die_with = die_with
        self.popen = None
        self.is_paused = False
        self.died = None        # how it ended, if nobody had asked it to

    def start(self):
        assert not self.is_running(), f"{self.name} runs already"
        self.is_paused = False
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                ["setpriv", "--pdeathsig", self.die_with, "--"]
                + self.command, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
                env=dict(os.environ, **(self.env or {})))
        self.wait_ready()

    def is_ready(self):
        return True

    def wait_ready(self):
        def look():
            assert self.is_running(), f"{self.name} ended: {self.log_end()}"
            return self.is_ready()
        wait_until(look, 20, lambda: f"{self.name} starts: {self.log_end()}")

    @property
    def pid(self):
        return self.popen.pid

    def is_running(self):
        if self.popen is None:
            return False
        code = self.popen.poll()
        if code is None:
            return True
        self.died = f"{self.name} ended with {code}"
        self.popen = None
        return False

    def send(self, number):
        self.popen.send_signal(number)

    def wait(self, seconds=PATIENCE):
        """Until it has ended because it was told to."""
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            self.popen = None
            raise AssertionError(f"{self.name} did not end in {seconds} s: "
                                 + self.log_end()) from None
        self.popen = None
        return code

    def stop(self, number=signal.SIGTERM, seconds=PATIENCE):
        """Its exit code; None when it was not running."""
        if not self.is_running():
            return None
        self.send(number)
        # not to one that runs: the leak sanitizer stops a process that ends,
        # and one that is woken up then hangs for ever
        if self.is_paused:
            self.send(signal.SIGCONT)
        return self.wait(seconds)

    def kill9(self):
        self.send(signal.SIGKILL)
        self.wait()

    def restart(self):
        self.stop()
        self.start()

    def pause(self):
        self.is_paused = True
        self.send(signal.SIGSTOP)

    def resume(self):
        self.send(signal.SIGCONT)
        self.is_paused = False

    def memory(self, field="VmHWM"):
        """Bytes: VmHWM is the most it ever had, VmRSS what it has."""
        return memory_of(self.pid, field)

    def log_end(self):
        try:
            with open(self.log, errors="replace") as f:
                return "".join(f.readlines()[-15:])
        except FileNotFoundError:
            return "(no log)"


def memory_of(pid, field="VmHWM"):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise AssertionError(f"no {field} of process {pid}")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(n) for n in f.read().split()]
