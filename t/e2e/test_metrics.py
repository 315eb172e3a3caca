"""Metrics of a Chorus at work, against what the test itself counts; and the
files that are written for them: alerts, a dashboard, the documentation."""

import json
import os
import re
import subprocess

from process import wait_until
from stack import ROOT

ALERTS = f"{ROOT}/conf/prometheus/alerts.yml"
DASHBOARD = f"{ROOT}/conf/grafana/chorus.json"


def scrape(stack):
    status, headers, body = stack.api("/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain")
    return body.decode()


def value(text, name, **labels):
    """The sum of the series of that name that have these labels."""
    found = 0
    for line in text.splitlines():
        match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if match and match[1] == name and all(
                f'{k}="{v}"' in (match[2] or "") for k, v in labels.items()):
            found += float(match[3])
    return found


def names_in(text):
    """Names of metrics that a text mentions, without the suffixes of
    histograms."""
    return {re.sub("_(bucket|sum|count)$", "", name)
            for name in re.findall(r"\bchorus_[a-z_]+[a-z]\b", text)}


def families(text):
    return set(re.findall(r"^# TYPE (\S+) ", text, re.M))


def test_what_is_copied_is_counted_once(stack, bucket):
    wire = stack.wire()
    stack.wait_idle(bucket)
    before = scrape(stack)
    name = f"alice:{bucket}:follower"
    sizes = [0, 1, 5000, 70_000]
    for n, size in enumerate(sizes):
        wire.put(bucket, f"k{n}", b"x" * size)
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)

    def told():
        text = scrape(stack)
        return (value(text, "chorus_replication_synced_objects_total",
                      replication=name) == 1 + len(sizes)) and text
    after = wait_until(told, 20, "the metrics know it: keys, and the bucket")

    def more(metric, **labels):
        return value(after, metric, **labels) - value(before, metric, **labels)
    assert value(after, "chorus_replication_synced_bytes_total",
                 replication=name) == sum(sizes)
    assert more("chorus_requests_total", **{"class": "put",
                                            "status": "2xx"}) == len(sizes)
    assert more("chorus_received_bytes_total", **{"class": "put"}) > sum(sizes)
    assert more("chorus_marks_total") == len(sizes)
    assert more("chorus_synced_objects_total") >= len(sizes)
    for queue in ("dirty", "bulk", "busy", "retry", "failed"):
        assert value(after, "chorus_replication_keys", replication=name,
                     queue=queue) == 0

    def asked():
        text = scrape(stack)
        return value(text, "chorus_worker_storage_requests_total",
                     storage="follower") - value(
            before, "chorus_worker_storage_requests_total",
            storage="follower") >= len(sizes)
    wait_until(asked, 20, "a request to the follower for each key")
    assert value(after, "chorus_workers") == 1
    assert value(after, "chorus_worker_slots") == 16


def test_a_worker_that_ends_is_gone_at_once(stack):
    stack.start_worker()
    wait_until(lambda: value(scrape(stack), "chorus_workers") == 2, 20, "two")
    stack.workers.pop().stop()
    wait_until(lambda: value(scrape(stack), "chorus_workers") == 1, 20, "one")
    workers = json.loads(stack.api("/api/v1/workers", stack.token)[2])
    assert len(workers["workers"]) == 1
    assert workers["workers"][0]["slots"] == 16


def test_a_proxy_with_its_storages_is_ready(stack):
    status, _, body = stack.api("/readyz")
    assert (status, json.loads(body)["status"]) == (200, "ready")


def test_promtool_reads_metrics_and_alerts(stack):
    said = subprocess.run(["promtool", "check", "metrics"],
                          input=scrape(stack), text=True, timeout=30,
                          capture_output=True)
    assert said.returncode == 0, said
    said = subprocess.run(["promtool", "check", "rules", ALERTS], text=True,
                          timeout=30, capture_output=True)
    assert said.returncode == 0, said


def test_alerts_and_dashboard_ask_for_metrics_that_exist(stack):
    there = families(scrape(stack))
    journal = {name for name in names_in(open(
        f"{ROOT}/ngx_chorus_module/ngx_http_chorus_metrics.c").read())
        if name.startswith("chorus_journal_")}
    for path in (ALERTS, DASHBOARD):
        with open(path) as f:
            asked = names_in(f.read())
        assert len(asked) > 10 and asked <= there | journal, \
            (path, asked - there - journal)


def test_the_dashboard_is_one(stack):
    with open(DASHBOARD) as f:
        board = json.load(f)
    assert board["title"] == "Chorus" and len(board["panels"]) > 20
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    cells = set()
    for panel in board["panels"]:
        assert panel["title"] and panel["targets"]
        at = panel["gridPos"]
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not mine & cells
        cells |= mine


def test_each_metric_is_documented(stack):
    with open(os.path.join(ROOT, "docs", "metrics.md")) as f:
        rows = set(re.findall(r"^\| `(chorus_[a-z_]+)", f.read(), re.M))
    there = families(scrape(stack))
    assert there <= rows, there - rows
    assert {name for name in rows - there
            if not name.startswith("chorus_journal_")} == set()
