"""The control plane: chorusctl and /api/v1/status."""

import copy
import http.server
import json
import os
import re
import threading

import pytest

from process import wait_until


@pytest.fixture
def filled(stack, bucket):
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    return bucket


def rows_of(output):
    """All replications of `status -o json`, which answers in pages."""
    pages = [json.loads(line) for line in output.splitlines()]
    return {row["replication"]: row for page in pages
            for row in page["queue"]["replications"]}


def test_status_as_json(stack, filled):
    done = stack.chorusctl("-t", stack.token_file, "-o", "json", "status")
    assert done.returncode == 0, done.stderr
    row = rows_of(done.stdout)[f"alice:{filled}:follower"]
    assert row["counters"]["synced"] == 2 and row["lag_ms"] == 0
    assert row == dict(row, bucket=filled, follower="follower",
                       state="active", dirty=0, busy=0, retry=0, failed=0)


def test_status_as_a_table(stack, filled):
    done = stack.chorusctl("-t", stack.token_file, "status")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"Chorus \d+\.\d+\.\d+, Redis is up", lines[0])
    assert re.match(r"alive: \d+ nginx processes, 1 worker; ", lines[1])
    assert lines[2].startswith("proxy: ") and ", 0 lost" in lines[2]
    assert lines[4].split()[:3] == ["REPLICATION", "STATE", "LAG"]
    row = [ln for ln in lines if f"alice:{filled}:follower" in ln]
    assert len(row) == 1
    assert row[0].split()[1:5] == ["active", "0", "ms", "0"]


POLICY = ("chorus:policy", "chorus:policy:readers", "chorus:policy:alive",
          "chorus:policy:owed")


def test_status_tells_who_is_alive_and_runs_which_policy(stack):
    ctl = ("-t", stack.token_file)

    def look():
        done = stack.chorusctl(*ctl, "-o", "json", "status")
        return json.loads(done.stdout.splitlines()[0])

    def kinds():
        return sorted(r["kind"] for r in look()["policy"]["readers"])
    stack.start_worker()
    wait_until(lambda: kinds() == ["proxy"] * 2 + ["worker"] * 2, 30,
               lambda: f"two workers: {kinds()}")
    assert look()["redis"] == "up" and look()["version"]
    assert stack.chorusctl(*ctl, "pause", "add", "nobodys-bucket", "--id",
                           "some", "--wait").returncode == 0
    assert "; all run policy " in stack.chorusctl(*ctl, "status").stdout

    def told():
        """Of a worker that says what it runs, which is an old one."""
        stack.redis.call("policy_poll", 4, *POLICY, "old-one", "worker", 7, 7,
                         -1, 0, "abc", "why not")
        out = stack.chorusctl(*ctl, "status").stdout
        return "1 does not run policy" in out and out
    text = wait_until(told, 30, "one is behind")
    assert "\n    old-one runs 7: why not\n" in text
    stack.redis.call("policy_poll", 4, *POLICY, "old-one", "worker", 7, 7,
                     -1, 1, "abc", "")
    stack.chorusctl(*ctl, "pause", "delete", "some", "--yes")


def test_status_shows_what_waits(stack, filled):
    stack.stop_workers()
    for n in range(7):
        stack.wire().put(filled, f"{n}", b"x")

    def row():
        done = stack.chorusctl("-t", stack.token_file, "-o", "json", "status")
        return rows_of(done.stdout)[f"alice:{filled}:follower"]
    wait_until(lambda: row()["dirty"] == 7, 5, "seven wait")
    wait_until(lambda: row()["lag_ms"] > 100, 5, "the lag grows")
    stack.start_worker()
    stack.wait_equal(filled)


def test_status_from_the_environment(stack, filled):
    done = stack.chorusctl("status", ADMIN_TOKEN_FILE=stack.token_file)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_no_error(stack, option):
    done = stack.chorusctl(option)
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith("usage: chorusctl")


def test_status_without_redis(stack, filled):
    stack.redis.stop()
    try:
        stack.wire().put(filled, "away", b"x")
        args = ("-t", stack.token_file)
        done = wait_until(
            lambda: (d := stack.chorusctl(*args, "status"))
            and "\n1 changed key waits" in d.stdout and d, 15, "one waits")
        assert done.returncode == 1 and not done.stderr
        assert done.stdout.startswith("Redis is away.")
        assert "in the memory of nginx only" in done.stdout
        done = stack.chorusctl(*args, "-o", "json", "status")
        assert done.returncode == 1
        assert json.loads(done.stdout)["proxy"]["waiting"] == 1
    finally:
        stack.redis.start()
    stack.wait_equal(filled)


# name: more of the proxy's "journal", words that are there, and that are not
AWAY = {
    "all-is-well": ({}, ["7 changed keys wait for it, the oldest for 61 s",
                         "nothing is lost"], ["scans", "max_size"]),
    "scans-are-owed": ({"debts": 2}, ["2 scans are owed, which is noted"],
                       ["nothing is lost", "no room"]),
    "scans-are-owed-and-not-written": (
        {"debts": 2, "debts_kept": False},
        ["2 scans are owed, which only the memory", "no room for its file"],
        ["noted"]),
    "full": ({"state": "full"}, ["its max_size"], ["nothing is lost"]),
    "failing": ({"state": "failing"}, ["a write failed"],
                ["nothing is lost"]),
}


@pytest.mark.parametrize("name", AWAY)
def test_what_chorusctl_says_of_the_journal(stack, name):
    more, there, absent = AWAY[name]
    answer = json.dumps({
        "error": {"code": "redis_unavailable", "message": "away"},
        "proxy": {"waiting": 7, "waiting_ms": 61000, "journal": dict(
            {"state": "good", "bytes": 512, "segments": 2, "debts": 0},
            **more)}}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = stack.chorusctl(
            "-u", f"http://127.0.0.1:{server.server_port}",
            "-t", stack.token_file, "status")
        server.shutdown()
    assert done.returncode == 1 and not done.stderr
    assert all(words in done.stdout for words in there), done.stdout
    assert not any(words in done.stdout for words in absent), done.stdout
    assert ", 512 bytes in 2 segments" in done.stdout


# name: arguments, exit code, words on stderr
CTL_ERRORS = {
    "no-token-file": (["-t", "/nonexistent/token", "status"], 1,
                      "cannot read the token file"),
    "empty-token-file": (["-t", "/dev/null", "status"], 1,
                         "no token is in /dev/null"),
    "wrong-token": (["-t", "wrong.token", "status"], 1, "401"),
    "nobody-listens": (["-u", "http://127.0.0.1:9", "-t", "wrong.token",
                        "status"], 3, "is nginx running"),
    "no-command": ([], 2, "usage: chorusctl"),
    "unknown-command": (["dance"], 2, "no such command: dance"),
    "unknown-verb": (["repl", "dance"], 2, "  repl add BUCKET"),
    "unknown-option": (["-z"], 2, "usage: chorusctl"),
    "unknown-long-option": (["--zoo"], 2, "usage: chorusctl"),
}


@pytest.mark.parametrize("name", CTL_ERRORS)
def test_chorusctl_errors_are_clear(stack, name):
    args, code, words = CTL_ERRORS[name]
    with open(f"{stack.folder}/wrong.token", "w") as f:
        f.write("not-the-token-at-all\n")
    done = stack.chorusctl(*args)
    assert done.returncode == code, done
    assert words in done.stderr and not done.stdout


# request, token, status
REQUESTS = [
    ("GET", "/api/v1/status", None, 401),
    ("GET", "/api/v1/status", "", 401),
    ("GET", "/api/v1/status", "wrong" * 6, 401),
    ("GET", "/api/v1/nothing", None, 401),
    ("POST", "/api/v1/status", None, 401),
    ("GET", "/api/v1/status", "right", 200),
    ("HEAD", "/api/v1/status", "right", 200),
    ("GET", "/api/v1/status?cursor=0", "right", 200),
    ("GET", "/api/v1/status?cursor=nonsense", "right", 400),
    ("GET", "/api/v1/nothing", "right", 404),
    ("GET", "/api/", "right", 404),
    ("GET", "/api/v1/statusx", "right", 404),
    ("POST", "/api/v1/status", "right", 405),
    ("DELETE", "/api/v1/status", "right", 405),
]


@pytest.mark.parametrize("method, path, token, status", REQUESTS)
def test_status_requests(stack, method, path, token, status):
    token = stack.token if token == "right" else token
    code, headers, body = stack.api(path, token, method)
    assert code == status
    assert headers["Content-Type"] == "application/json"
    if method != "HEAD":
        answer = json.loads(body)
        assert ("error" in answer) == (status != 200)
    assert stack.token.encode() not in body


def test_a_part_of_the_token_is_not_enough(stack):
    for token in (stack.token[:-1], stack.token + "x", stack.token.upper()):
        assert stack.api("/api/v1/status", token)[0] == 401


def test_s3_port_has_no_control_plane(stack):
    answer = stack.wire().call("GET", "/api/v1/status", headers={
        "x": f"{stack.token}"})
    assert answer.status == 404 and answer.code == "NoSuchBucket"



# name: what is wrong with a good chorus.json, and the words that say it
BROKEN = {
    "no-main": (lambda c: c["storages"]["main"].pop("main"), "main"),
    "two-mains": (lambda c: c["storages"]["follower"].update(main=True),
                  "main"),
    "unknown-key": (lambda c: c.update(colour=1), "colour"),
    "unknown-key-deep": (lambda c: c["worker"].update(threads=1),
                         "worker"),
    "user-missing-on-a-storage":
        (lambda c: c["storages"]["follower"]["users"].pop("alice"),
         'storages.follower.users: no "alice"'),
    "rule-to-nobody": (lambda c: c["replications"][0].update(to=["moon"]),
                       "moon"),
    "rule-to-main": (lambda c: c["replications"][0].update(to=["main"]),
                     "main"),
    "bad-pattern": (lambda c: c["replications"][0].update(bucket="~("),
                    "pattern"),
    "bad-endpoint": (lambda c: c["storages"]["main"].update(
        endpoint="ftp://x"), "endpoint"),
    "bad-number": (lambda c: c["worker"].update(concurrency=0),
                   "concurrency"),
    "lease-too-short": (lambda c: c["worker"].update(lease_seconds=1),
                        "lease_seconds"),
    "bad-redis": (lambda c: c["redis"].update(url="http://127.0.0.1"),
                  "redis.url"),
    "environment-not-set": (lambda c: c["users"]["bob"][0].update(
        secret_key="${env:CHORUS_E2E_NOT_SET}"), "CHORUS_E2E_NOT_SET"),
}


def check(stack, text, mode=0o600):
    path = f"{stack.folder}/checked.json"
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return stack.chorusctl("config", "check", path)


def test_config_check_of_a_good_file(stack):
    done = check(stack, json.dumps(stack.config_of()))
    assert done.returncode == 0 and not done.stderr
    assert "good: 3 storages" in done.stdout


@pytest.mark.parametrize("name", BROKEN)
def test_config_check_of_a_broken_file(stack, name):
    change, words = BROKEN[name]
    config = copy.deepcopy(stack.config_of())
    change(config)
    done = check(stack, json.dumps(config))
    assert done.returncode == 1, done.stdout
    assert words in done.stderr and not done.stdout
    assert not any(secret in done.stderr for secret in stack.secrets())


def test_config_check_of_what_is_no_json(stack):
    text = json.dumps(stack.config_of(), indent=1)
    done = check(stack, text.replace('"users"', '"users" !', 1))
    assert done.returncode == 1 and "line " in done.stderr
    assert not any(secret in done.stderr for secret in stack.secrets())


def test_config_check_of_a_file_that_everyone_may_read(stack):
    done = check(stack, json.dumps(stack.config_of()), 0o644)
    assert done.returncode == 1 and "chmod" in done.stderr


# token file: its content and mode, the exit code, words on stderr
BAD_TOKENS = {
    # a machine with a worker alone has none
    "missing": (None, None, 0, "No such file or directory"),
    "empty": ("", 0o600, 1, "openssl rand -hex 16"),
    "only-a-comment": (" # mine\n", 0o600, 1, "openssl rand -hex 16"),
    "short": ("0123456789abcde\n", 0o600, 1,
              "line 1: a token has 16 to 512 characters"),
    "second-short": ("0123456789abcdef\nshort\n", 0o600, 1, "line 2: "),
    "role": ("writer x 0123456789abcdef\n", 0o600, 1, 'is "read" or "admin"'),
    "readable": ("0123456789abcdef\n", 0o644, 1, "chmod o-rwx"),
    "good": (" # a comment\n\nadmin ops  0123456789abcdef \r\n", 0o600, 0,
             None),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_config_check_says_of_tokens_what_nginx_does(stack, name):
    content, mode, code, words = BAD_TOKENS[name]
    path = f"{stack.folder}/{name}.checked-token"
    if content is not None:
        with open(path, "w") as f:
            f.write(content)
        os.chmod(path, mode)
    config = dict(stack.config_of(), api={"token_file": path})
    done = check(stack, json.dumps(config))
    assert done.returncode == code and "good: 3 storages" in done.stdout
    if words is None:
        assert done.stderr == ""
    else:
        assert "api.token_file: " in done.stderr
        assert path in done.stderr and words in done.stderr


def test_config_check_of_no_file(stack):
    done = stack.chorusctl("config", "check", "/nonexistent.json")
    assert done.returncode == 1 and "/nonexistent.json" in done.stderr
