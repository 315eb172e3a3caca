#!/usr/bin/python3
"""What Chorus costs beside a bare nginx, in one run.

    bench/proxy.py [--seconds N] [--rounds N] [--only NAME[,NAME]] [--json FILE]

Both proxy to the same null storage, which keeps nothing (bench/sink.c), each
with one worker process on a core of its own; the storage, Redis and the load
(bench/load.c) have the other one.  All requests are signed, and
Chorus verifies, signs again, journals and marks.  They take turns; the median
of the turns counts.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{ROOT}/t/e2e")
sys.dont_write_bytecode = True
from guard import guarded                               # noqa: E402
from process import Process, wait_until                 # noqa: E402
from stack import (BUILD, Redis, Worker, answers,       # noqa: E402
                   children_of, free_ports, private, random_key)
from table import Table                                 # noqa: E402

CORE, OTHER = "1", "0"          # of what is measured, and of all else
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
TEMP = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]


# ---- the storage, and nginx twice

class Nginx(Process):
    """One worker process on a core of its own."""

    def __init__(self, folder, name, port, core, http, main=""):
        self.port = port
        conf = f"{folder}/{name}.conf"
        temp = "".join(f"{t}_temp_path {folder}/temp-{name}-{t};\n"
                       for t in TEMP)
        with open(conf, "w") as f:
            f.write(f"""{main}
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1;
worker_cpu_affinity {1 << int(core):b};
pid {folder}/{name}.pid;
error_log {folder}/log/{name}.log notice;
events {{ worker_connections 2048; }}
http {{
{temp}
access_log off;
client_max_body_size 0;
keepalive_requests 1000000000;
{http}
}}
""")
        super().__init__(name, ["nginx", "-p", folder, "-c", conf, "-e",
                                f"{folder}/log/{name}.log", "-g",
                                "daemon off;"],
                         f"{folder}/log/{name}-stderr.log", die_with="TERM")

    def is_ready(self):
        return answers(self.port) and children_of(self.pid)

    def cpu(self):
        """Seconds, of its worker process."""
        return sum(cpu_of(pid) for pid in children_of(self.pid))


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / TICKS


class Sink(Process):
    """The null storage; see bench/sink.c."""

    def __init__(self, folder, port, rcvbuf=None):
        self.port = port
        super().__init__("sink", ["taskset", "-c", OTHER,
                                  f"{BUILD}/bench/sink", str(port)]
                         + ([str(rcvbuf)] if rcvbuf else []),
                         f"{folder}/log/sink.log")

    def is_ready(self):
        return answers(self.port)


# what conf/chorus_server.conf and conf/chorus_proxy.conf say, without Chorus
BARE = """
upstream sink {{ server 127.0.0.1:{sink}; keepalive 64; }}
server {{
    listen 127.0.0.1:{port} backlog=1024;
    client_header_buffer_size 4k;
    large_client_header_buffers 8 16k;
    client_body_buffer_size 64k;
    location / {{
        proxy_pass http://sink;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_request_buffering off;
        proxy_max_temp_file_size 0;
        proxy_buffer_size 32k;
        proxy_buffers 16 32k;
        proxy_busy_buffers_size 128k;
        proxy_ignore_client_abort on;
    }}
}}
"""

CHORUS = """
chorus_config {folder}/chorus.json;
chorus_journal {folder}/journal max_size=4g;
upstream main {{ server 127.0.0.1:{sink}; keepalive 64; }}
server {{
    listen 127.0.0.1:{port} backlog=1024{rcvbuf};
    include {root}/conf/chorus_server.conf;
    location / {{ chorus on; include {root}/conf/chorus_proxy.conf; }}
}}
server {{
    listen 127.0.0.1:{api};
    location /api/ {{ chorus_api; }}
}}
"""


class Bench:
    def __init__(self, folder, options, rcvbuf=None):
        """rcvbuf: bytes that sockets take, instead of what the kernel lets
        them have."""
        self.folder = folder
        self.options = options
        self.key = random_key("BENCH")
        os.mkdir(f"{folder}/log")
        os.mkdir(f"{folder}/bin")
        sink, bare, chorus, redis_port, api = free_ports(5)
        self.api_port = api
        self.redis = Redis(folder, redis_port)
        self.write_config(sink)
        self.sink = Sink(folder, sink, rcvbuf)
        self.bare = Nginx(folder, "bare", bare, CORE, BARE.format(
            sink=sink, port=bare))
        self.chorus = Nginx(
            folder, "chorus", chorus, CORE, CHORUS.format(
                folder=folder, sink=sink, port=chorus, root=ROOT, api=api,
                rcvbuf=f" rcvbuf={rcvbuf}" if rcvbuf else ""),
            f"load_module {BUILD}/ngx_http_chorus_module.so;")
        self.started = []

    def write_config(self, sink):
        def storage(main):
            return {"endpoint": f"http://127.0.0.1:{sink}", "main": main,
                    "provider": "ceph", "users": {"alice": {
                        "access_key": "M", "secret_key": "secret-of-main"}}}
        token = f"{self.folder}/token"
        with open(token, "w", opener=private) as f:
            f.write("token-of-the-bench\n")
        with open(f"{self.folder}/chorus.json", "w", opener=private) as f:
            json.dump({
                "redis": {"url": self.redis.url},
                "storages": {"main": storage(True),
                             "follower": storage(False)},
                "users": {"alice": [{"access_key": self.key.access,
                                     "secret_key": self.key.secret}]},
                "replications": [{"user": "alice", "bucket": "*",
                                  "to": "follower", "migrate": False}],
                "api": {"token_file": token}}, f)

    def start(self):
        os.symlink(f"{BUILD}/chorus-worker", f"{self.folder}/bin/chorus-worker")
        for process in (self.redis, self.sink, self.bare):
            self.started.append(process)
            process.start()
        # it brings the functions along
        worker = Worker(self.folder, 1, f"{self.folder}/chorus.json")
        self.started.append(worker)
        worker.start()
        wait_until(lambda: self.redis.client.execute_command(
            "FUNCTION", "LIST"), 20, "the functions are in Redis")
        worker.stop()
        self.started.append(self.chorus)
        self.chorus.start()
        self.wait_marked()
        for pid in (self.redis.pid,):
            subprocess.run(["taskset", "-ap", "-c", OTHER, str(pid)],
                           check=True, stdout=subprocess.DEVNULL)

    def end(self):
        for process in reversed(self.started):
            process.stop()

    def proxy_says(self):
        done = subprocess.run([f"{BUILD}/chorusctl", "-u",
                               f"http://127.0.0.1:{self.api_port}", "-t",
                               f"{self.folder}/token", "-o", "json",
                               "status"], capture_output=True, text=True)
        try:
            return json.loads(done.stdout)
        except ValueError:
            return None

    def wait_marked(self):
        """Redis is there, and has all."""
        def is_so():
            said = self.proxy_says()
            return said and "queue" in said and not said["proxy"]["waiting"]
        wait_until(is_so, 120, lambda: f"all is marked: {self.proxy_says()}")


# ---- turns

@dataclass
class Turn:
    rate: float                 # requests a second
    mib: float                  # a second
    p50: float                  # ms
    p99: float
    cpu: float                  # us of nginx's, a request


def turn(bench, nginx, bucket, *words):
    before = nginx.cpu()
    done = subprocess.run(
        ["taskset", "-c", OTHER, f"{BUILD}/bench/load", *words,
         f"127.0.0.1:{nginx.port}", bucket, bench.key.access,
         bench.key.secret], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return Turn(said["requests"] / said["seconds"],
                said["bytes"] / MIB / said["seconds"], said["p50_us"] / 1e3,
                said["p99_us"] / 1e3,
                (nginx.cpu() - before) * 1e6 / said["requests"])


def median(turns, what):
    return statistics.median(getattr(t, what) for t in turns)


def side_by_side(bench, bucket, words):
    ours, theirs = [], []
    words += ["-s", str(bench.options.seconds)]
    for _ in range(bench.options.rounds):
        theirs.append(turn(bench, bench.bare, bucket, *words))
        ours.append(turn(bench, bench.chorus, bucket, *words))
        bench.wait_marked()
    return ours, theirs


# ---- parts

def small_get(bench, table):
    ours, theirs = side_by_side(bench, "bucket", ["-c", "32"])
    table.add("GET 1 KiB: requests/s beside bare nginx", ">= 0.85",
              median(ours, "rate") / median(theirs, "rate"),
              chorus=median(ours, "rate"), bare=median(theirs, "rate"),
              us_chorus=median(ours, "cpu"), us_bare=median(theirs, "cpu"))
    table.add("GET 1 KiB: p99 beside bare nginx", "<= 1.25",
              median(ours, "p99") / median(theirs, "p99"),
              ms_chorus=median(ours, "p99"), ms_bare=median(theirs, "p99"))


def large(bench, table):
    for method, words in (("GET", []), ("PUT", ["-b", str(64 * MIB)])):
        ours, theirs = side_by_side(
            bench, "big", ["-m", method, "-c", "4", *words])
        table.add(f"{method} 64 MiB: MiB/s beside bare nginx", ">= 0.97",
                  median(ours, "mib") / median(theirs, "mib"),
                  mib_chorus=median(ours, "mib"),
                  mib_bare=median(theirs, "mib"))


def small_put(bench, table):
    ours, theirs = side_by_side(
        bench, "bucket", ["-m", "PUT", "-b", "1024", "-c", "32"])
    table.add("PUT 1 KiB, journal and mark: requests/s beside bare nginx",
              ">= 0.70",
              median(ours, "rate") / median(theirs, "rate"),
              chorus=median(ours, "rate"), bare=median(theirs, "rate"),
              us_chorus=median(ours, "cpu"), us_bare=median(theirs, "cpu"))


def redis_away(bench, table):
    words = ["-m", "PUT", "-b", "1024", "-c", "32", "-s",
             str(bench.options.seconds)]
    up, away = [], []
    for _ in range(bench.options.rounds):
        up.append(turn(bench, bench.chorus, "bucket", *words))
        bench.wait_marked()
        bench.redis.stop()
        away.append(turn(bench, bench.chorus, "bucket", *words))
        bench.redis.start()
        bench.wait_marked()
    table.add("PUT 1 KiB, Redis away: requests/s beside Redis up", ">= 0.95",
              median(away, "rate") / median(up, "rate"),
              away=median(away, "rate"), up=median(up, "rate"))


def openssl_mib(seconds):
    done = subprocess.run(
        ["taskset", "-c", CORE, "openssl", "speed", "-seconds",
         str(max(1, round(seconds))), "-bytes", "65536", "-evp", "sha256"],
        capture_output=True, text=True, check=True)
    return float(re.search(r"^sha256\s+([\d.]+)k", done.stdout, re.M | re.I)
                 .group(1)) * 1000 / MIB


def chunked(bench, table):
    ours, hashed = [], []
    for _ in range(bench.options.rounds):
        hashed.append(openssl_mib(bench.options.seconds))
        ours.append(turn(bench, bench.chorus, "bucket", "-m", "PUT", "-a",
                         "-b", str(16 * MIB), "-c", "4", "-s",
                         str(bench.options.seconds)))
        bench.wait_marked()
    table.add("PUT 16 MiB, signed chunks: MiB/s beside openssl SHA-256",
              ">= 0.70",
              median(ours, "mib") / statistics.median(hashed),
              mib_chorus=median(ours, "mib"),
              mib_openssl=statistics.median(hashed))


PARTS = {"get": small_get, "put": small_put, "away": redis_away,
         "large": large, "chunked": chunked}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--json")
    options = parser.parse_args()
    table = Table()
    with guarded("chorus-bench-") as folder:
        bench = Bench(folder, options)
        try:
            bench.start()
            for name in options.only.split(","):
                PARTS[name](bench, table)
        finally:
            bench.end()
    table.save(options.json)


if __name__ == "__main__":
    main()
