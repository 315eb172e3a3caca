"""No secret in any log of the whole run."""

import pytest

from logs import Logs


class Whole(Logs):
    def __init__(self, folder):
        super().__init__(folder)
        self.ends = {}


@pytest.mark.last
def test_logs_of_the_whole_run_contain_no_secret(stack):
    logs = Whole(stack.folder)
    assert logs.holding(stack.secrets()) == []
    # the search finds what is there: access keys may be logged
    assert stack.keys["alice"].access not in stack.secrets()
    assert "nginx-access.log" in logs.holding(["GET /"])
    assert "worker-1.log" in logs.holding(["chorus-worker"])


def test_alarms_are_found(stack):
    """What a sanitizer writes fails the test in which it is written."""
    logs = Logs(stack.folder)
    path = f"{stack.folder}/log/planted.log"
    for line in ("==1==ERROR: AddressSanitizer: heap-use-after-free",
                 "x.c:1:2: runtime error: signed integer overflow",
                 "[alert] 1#1: worker process 2 exited on signal 11"):
        with open(path, "w") as f:
            f.write("fine\n" + line + "\n")
        assert line in logs.alarms()[0]
        # nor does one that is expected hide it
        with open(path, "w") as f:
            f.write("[alert] 2 exited on signal 9\n" * 2 + line + "\n")
        assert logs.alarms(["signal 9"])[0].startswith(
            f"planted.log: {line}")
    with open(path, "w") as f:
        f.write("fine\n[alert] 2 exited on signal 9\n")
    assert logs.alarms(["signal 9"]) == []
    with open(path, "w") as f:
        f.write("fine\n")
    assert logs.alarms() == []
