"""docs/openapi.json and the running API, in both directions: what is
documented is answered so, and what is answered is documented."""

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from openapi import Document, of_route
from process import wait_until

WITHOUT_REDIS = ("/api/v1", "/api/v1/users", "/api/v1/resolve")
KINDS = {
    "replications": {"user": "alice", "bucket": "openapi-none",
                     "to": ["follower"], "migrate": False},
    "routes": {"user": "alice", "bucket": "openapi-none",
               "storage": "archive"},
    "blocks": {"user": "alice", "bucket": "openapi-none", "reason": "moved"},
    "pauses": {"user": "alice", "bucket": "openapi-none"},
}
PARKED = "alice:r-openapi:gone"
BODIES = {"limits": {"requests_per_second": 9}, "scans": {"kind": "check"},
          "guards": {"accept_deletes": False}}
LINES = [(b"k", 1, '"differs":["size"],"main":{"size":1},"follower":null'),
         (b"\xff", 4, '"differs":[],"side":"main","code":"AccessDenied",'
                      '"reason":"no"')]


class Api:
    """Calls, each held against the document."""

    def __init__(self, stack, document):
        self.stack = stack
        self.document = document
        self.wrong = []

    def send(self, method, url, token, body, headers):
        request = urllib.request.Request(self.stack.nginx.admin_url + url,
                                         data=body, method=method)
        for name, value in headers.items():
            request.add_header(name, value)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as r:
                return r.status, dict(r.headers), r.read()
        except urllib.error.HTTPError as e:
            return e.code, dict(e.headers), e.read()

    def __call__(self, method, path, expected, args="", token=None, body=None,
                 headers=None, **parts):
        """`path` as it is documented; parts: what stands for {names}."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        status, got, text = self.send(
            method, path.format(**parts) + (args and "?" + args),
            token or self.stack.token, body, headers or {})
        answer = json.loads(text)
        assert status == expected, (method, path, args, status, answer)
        assert got["Content-Type"] == "application/json"
        assert "Access-Control-Allow-Origin" not in got
        self.wrong += [f"{method} {path} {status}{line}" for line in
                       self.document.check(path, method, status, answer)]
        return answer, got


@pytest.fixture(scope="module")
def document():
    return Document()


@pytest.fixture
def api(stack, document):
    api = Api(stack, document)
    yield api
    assert not api.wrong, "\n".join(sorted(set(api.wrong)))


def test_the_router_and_the_document_have_the_same_paths(api, document):
    answer, _ = api("GET", "/api/v1", 200)
    rows = {(row["path"], method): row for row in answer["paths"]
            for method in row["methods"] if method != "HEAD"}
    operations = {(of_route(path), method): operation for (path, method),
                  operation in document.operations().items()}
    assert set(rows) == set(operations)
    for where, row in rows.items():
        assert sorted(row["arguments"]) \
            == document.arguments(operations[where]), where
        assert row["takes_body"] == ("requestBody" in operations[where]), \
            where
    assert all("HEAD" in row["methods"] for (_, method), row in rows.items()
               if method == "GET")


def park(stack):
    """Two keys that no worker touches: nobody has that follower."""
    redis, keys = stack.redis, (3, f"chorus:{{{PARKED}}}", "chorus:schedule",
                                "chorus:replications")
    redis.client.sadd("chorus:replications", PARKED)
    redis.client.hset(keys[1], mapping={
        "user": "alice", "bucket": "r-openapi", "follower": "gone",
        "target": "r-openapi", "state": "paused", "token": 0,
        "created_ms": 1, "guarded_ms": 1, "guarded_reason": "2 deletes"})
    redis.call("owe", *keys, "overflow", 0)
    for key in ("k", b"\xff"):
        redis.client.zadd(f"{keys[1]}:failed", {key: 1})
        redis.client.zadd(f"{keys[1]}:since", {key: 1})
        redis.client.hset(f"{keys[1]}:trouble", key, json.dumps({
            "attempts": 1, "code": "TooLarge", "reason": "5 TiB",
            "first_ms": 1, "last_ms": 2}))


def test_what_waits_and_what_is_parked(api, stack, bucket):
    park(stack)
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.redis.call("owe_all", 1, "chorus:owed", "test", 0)

    def told():
        answer, _ = api("GET", "/api/v1/status", 200, "cursor=0")
        return len(answer["queue"]["replications"]) >= 2
    wait_until(told, 20, "replications are there")
    stack.redis.pay_all()
    answer, _ = api("GET", "/api/v1/status", 200, "cursor=0")
    assert answer["queue"]["debt"] is None
    wait_until(lambda: any(worker["storages"] for worker in
                           api("GET", "/api/v1/workers", 200)[0]["workers"]),
               20, "a worker has said what it asked of storages")
    wait_until(lambda: api("GET", "/api/v1/history", 200)[0]["samples"], 30,
               "a worker has begun the history")
    api("GET", "/api/v1/failed", 200, f"replication={PARKED}&cursor=0")
    api("GET", "/api/v1/failed", 200, "reason=TooLarge")
    answer, _ = api("POST", "/api/v1/retry", 200,
                    f"replication={PARKED}&key=nothing")
    assert answer["moved"] == 0
    answer, _ = api("DELETE", "/api/v1/failed", 200,
                    f"replication={PARKED}&reason=TooLarge")
    assert answer["dropped"] == 2
    assert {"key": "\ufffd", "key_base16": "ff", "replication": PARKED} \
        in answer["keys"]
    answer, _ = api("DELETE", "/api/v1/failed", 200, "all=true&reason=None")
    assert answer["dropped"] == 0


def test_limits(api):
    api("GET", "/api/v1/limits", 200)
    path = "/api/v1/limits/{storage}"
    api("PUT", path, 200, storage="archive",
        body={"requests_per_second": 500, "bytes_per_second": "10MiB"})
    api("DELETE", path, 200, storage="archive")
    for method in ("PUT", "DELETE"):
        api(method, path, 404, storage="%2A'%22%0D%0A", body=b"{}")


def test_the_delete_guard(api, stack):
    park(stack)
    path, r = "/api/v1/guards/{replication}", PARKED.replace(":", "%3A")
    for body in ({}, {"accept_deletes": 1}, {"accept_deletes": True, "x": 1}):
        api("POST", path, 400, replication=r, body=body)
    api("POST", path, 200, replication=r, body={"accept_deletes": False})
    api("POST", path, 409, replication=r, body={"accept_deletes": False})


def test_a_queue_that_is_to_be_forgotten(api, stack):
    park(stack)
    path = "/api/v1/queues/{replication}"
    api("DELETE", path, 200, replication=PARKED.replace(":", "%3A"))
    api("DELETE", path, 404, replication="alice%3Anobody%3Agone")
    api("DELETE", path, 409, replication="alice%3Ar-none%3Afollower")


def test_scans(api, stack):
    park(stack)
    path, r = "/api/v1/scans/{replication}", PARKED.replace(":", "%3A")
    body = {"kind": "repair", "level": "full", "delete_surplus": False}
    scan, _ = api("POST", path, 200, replication=r, body=body)
    api("POST", path, 409, replication=r, body=body)
    for n, (key, what, evidence) in enumerate(LINES):
        stack.redis.client.xadd(f"chorus:{{{PARKED}}}:differences",
                                {"k": key, "w": what, "e": evidence},
                                f"{n + 1}-0")
    api("GET", "/api/v1/scans", 200, "cursor=0")
    answer, _ = api("GET", "/api/v1/history/{replication}", 200, replication=r)
    assert answer["every_ms"] == 10000
    api("GET", path, 200, replication=r)
    report = path + "/differences"
    answer, _ = api("GET", report, 200, "after=0", replication=r)
    assert [line["n"] for line in answer["differences"]] == [1, 2]
    api("DELETE", report, 200, f"id={scan['id']}&until=1", replication=r)
    answer, _ = api("GET", report, 200, replication=r)
    assert [line["n"] for line in answer["differences"]] == [2]
    api("DELETE", report, 409, "id=999999999&until=2", replication=r)
    api("DELETE", path, 200, replication=r)
    api("DELETE", path, 409, replication=r)
    for method in ("GET", "POST"):
        api(method, path, 404, replication="alice%3Anobody%3Afollower",
            body=body if method == "POST" else None)


def make(api, kind):
    path, body = f"/api/v1/{kind}", KINDS[kind]
    one = path + "/{id}"
    made, got = api("POST", path, 201, body=dict(body, id="api-1"))
    assert got["ETag"] == f'"{made["rule"]["version"]}"'
    assert api("POST", path, 200, body=dict(body, id="api-1"))[0]["changed"] \
        is False
    api("POST", path, 412, body=dict(body, id="api-1", bucket="another"))
    answer, _ = api("GET", path, 200, "user=alice&bucket=openapi-none"
                    "&offset=0&count=5&state=active")
    assert [row["id"] for row in answer["rules"]] == ["api-1"]
    assert api("GET", path, 200, "state=paused")[0]["rules"] == []
    assert api("GET", one, 200, id="api-1")[1]["ETag"] == got["ETag"]
    api("GET", one, 404, id="none")
    api("PUT", one, 201, id="api-2", body=body)
    api("PUT", one, 200, id="api-2", body=dict(body, bucket="another"))
    api("PUT", one, 412, id="api-2", body=body,
        headers={"If-Match": got["ETag"]})
    api("DELETE", one, 412, id="api-2", headers={"If-Match": got["ETag"]})
    api("DELETE", one, 200, id="api-2")
    api("DELETE", one, 404, id="api-2")
    return one


@pytest.mark.parametrize("kind", KINDS)
def test_rules(api, stack, kind):
    one = make(api, kind)
    if kind == "replications":
        for word, paused in (("pause", True), ("resume", False)):
            answer, _ = api("POST", f"{one}/{word}", 200, id="api-1")
            assert answer["rule"]["paused"] is paused
            api("POST", f"{one}/{word}", 404, id="none")
            api("POST", f"{one}/{word}", 412, id="api-1",
                headers={"If-Match": '"1"'})
        for follower, n in (("follower", 1), ("follow", 0)):
            answer, _ = api("GET", "/api/v1/replications", 200,
                            f"follower={follower}")
            assert len(answer["rules"]) == n
        api("GET", "/api/v1/resolve", 200, "user=alice&bucket=openapi-none")

    junk = {f"x:{n}": "junk" for n in range(1002)}
    stack.redis.client.hset("chorus:policy", mapping=junk)
    try:
        body = dict(KINDS[kind], bucket="one-more")
        api("POST", f"/api/v1/{kind}", 409, body=body)
        api("PUT", one, 409, id="api-3", body=body)
    finally:
        stack.redis.client.hdel("chorus:policy", *junk)
    if kind == "blocks":
        # by hand: two processes of nginx may know it or not yet
        wait_until(lambda: api("GET", "/api/v1/resolve", 200, "user=alice"
                               "&bucket=openapi-none")[0]["block"], 20,
                   "the block is known")
        api("GET", "/api/v1/explain", 200, "user=alice&bucket=openapi-none")
    api("DELETE", one, 200, id="api-1")


def test_who_runs_the_policy_and_who_changed_it(api):
    wait_until(lambda: api("GET", "/api/v1/readers", 200)[0]["readers"], 20,
               "somebody runs it")
    answer, _ = api("GET", "/api/v1/audit", 200,
                    "offset=0&count=2&kind=replication&who=admin")
    assert len(answer["entries"]) == 2
    answer, _ = api("GET", "/api/v1/audit", 200, "count=1000")
    assert {(e["kind"], e["action"]) for e in answer["entries"]} >= {
        ("limits", "set"), ("scan", "start"), ("scan", "stop"),
        ("failed", "drop"), ("route", "create"), ("pause", "delete"),
        ("guard", "resume"), ("queue", "ask to forget"),
        ("replication", "pause"), ("block", "create")}


def test_what_is_on_storages(api, stack, bucket):
    stack.wire().put(bucket, "a/b c", b"x", {"x-amz-meta-who": "me"})
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)
    api("GET", "/api/v1/storages", 200, "timeout=30")
    api("GET", "/api/v1/users", 200)
    api("GET", "/api/v1/buckets", 200, "user=alice&storage=follower&after=a"
        "&count=500&timeout=30")
    answer, _ = api("GET", "/api/v1/buckets", 200, "user=alice&count=1")
    assert answer["next"] or answer["total"] == 1
    api("GET", "/api/v1/buckets", 404, "user=mallory")
    answer, _ = api("GET", "/api/v1/explain", 200,
                    f"user=alice&bucket={bucket}&key=a/b%20c&timeout=30")
    row = answer["replications"][0]
    assert row["equal"] and row["there"]["size"] == 1
    assert row["last_sync"] == row["there"]["last_modified"]
    assert row["there"]["metadata"]["x-amz-meta-who"] == "me"

    stack.use_worker(follower="http://127.0.0.1:9")
    answer, _ = api("GET", "/api/v1/buckets", 502,
                    "user=alice&storage=follower&timeout=30")
    assert answer["error"]["code"] == "storage_failed"
    answer, _ = api("GET", "/api/v1/storages", 200, "timeout=30")
    assert [s["health"]["state"] for s in answer["storages"]][:2] \
        == ["good", "silent"]
    stack.stop_workers()
    answer, _ = api("GET", "/api/v1/buckets", 504, "user=alice&timeout=1")
    assert answer["error"]["code"] == "no_answer"


# ---- refusals, of every path that has them

def parts_of(path):
    return {"storage": "main", "replication": "a%3Ab%3Ac", "id": "x"}


def operations(document):
    for (path, method), operation in document.operations().items():
        yield path, method, operation


def test_refusals_that_all_have(api, document, stack):
    with open(stack.token_file, "a") as f:
        f.write("read watcher 0123456789abcdef-watcher\n")
    stack.nginx.reload()
    for path, method, operation in operations(document):
        parts, body = parts_of(path), "requestBody" in operation
        for token, status in (("wrong" * 6, 401),
                              ("0123456789abcdef-watcher", 403)):
            if status == 401 or method != "GET":
                answer, _ = api(method, path, status, token=token,
                                body=b"{}" if body else None, **parts)
                assert answer["error"]["code"] == {
                    401: "unauthorized", 403: "forbidden"}[status]
        answer, _ = api(method, path, 400, "mistyped=1",
                        body=b"{}" if body else None, **parts)
        assert answer["error"]["field"] == "mistyped"
        if body:
            api(method, path, 413, body=b" " * 65537, **parts)
            api(method, path, 411, headers={"Transfer-Encoding": "chunked"},
                **parts)


def test_methods_that_a_path_does_not_have(api, document):
    known = {}
    for path, method, _ in operations(document):
        known.setdefault(of_route(path), set()).add(method)
    for path, methods in known.items():
        for method in {"GET", "PUT", "POST", "DELETE", "PATCH"} - methods:
            status, got, text = api.send(
                method, path.replace("*", "x"), api.stack.token, b"", {})
            assert status == 405, (method, path)
            assert set(got["Allow"].split(", ")) - {"HEAD"} == methods
            assert json.loads(text)["error"]["code"] == "method_not_allowed"


def test_without_redis(api, document, stack):
    stack.redis.stop()
    try:
        wait_until(lambda: api.send("GET", "/api/v1/audit", stack.token, None,
                                    {})[0] == 503, 20, "nginx notices")
        for path, method, operation in operations(document):
            if path not in WITHOUT_REDIS:
                without_redis(api, path, method, operation)
    finally:
        stack.redis.start()


def without_redis(api, path, method, operation):
    body, args = None, ""
    if "requestBody" in operation:
        kind = path.split("/")[3]
        body = KINDS.get(kind) or BODIES[kind]
    elif path == "/api/v1/failed" and method == "DELETE":
        args = "all=true"
    elif path in ("/api/v1/buckets", "/api/v1/explain"):
        args = "user=alice&bucket=b"[:None if "explain" in path else 10]
    api(method, path, 503, args, body=body, **parts_of(path))


def test_too_many_wrong_tokens(api, document):
    """Refused before a path is looked at, so one stands for all."""
    def guess(_):
        return api.send("GET", "/api/v1/users", "wrong" * 6, None, {})
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(guess, range(120)))
    refused = [(got, text) for status, got, text in answers if status == 429]
    assert refused and {status for status, _, _ in answers} == {401, 429}
    for got, text in refused:
        assert got["Retry-After"] == "2"
        for path, method, _ in operations(document):
            api.wrong += document.check(path, method, 429, json.loads(text))


def test_all_that_is_documented_has_been_answered(document):
    assert document.documented() - document.seen == set()
    # what two answers share (a rule, say) need not be in both
    seen = {where[-1] for where in document.fields}
    assert sorted(where for where in document.documented_fields()
                  if where[-1] not in seen) == []
