"""Chorus as a whole on loopback: two stores, Redis, nginx, workers.

Every piece is started from the files and programs that ship, in one private
folder; every piece can be stopped, killed, paused and started again.
"""

import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import redis

import compare
from fault import FaultServer
from process import (IS_ASAN, PATIENCE, SLOWER, Process, children_of,
                     memory_of, wait_until)
from store import Key, Store, boto
from wire import Wire

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("CHORUS_BUILD", "build"))
DOMAIN = "s3.chorus.test"      # of virtual-host style: BUCKET.DOMAIN
IS_FULL = bool(os.environ.get("CHORUS_E2E_FULL"))

SLOTS = 16
WORKER = {"concurrency": SLOTS, "lease_seconds": 5, "retry_max_seconds": 2,
          "grace_seconds": 5, "scans": 0}

SANITIZED = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
             "UBSAN_OPTIONS": "print_stacktrace=1"} if IS_ASAN else {}

PROGRAMS = ["ngx_http_chorus_module.so", "chorus-worker", "chorusctl"]
# of test_buckets.py
BUCKET_RULES = [{"user": "alice", "to": "follower", "migrate": False, **more}
                for more in (
    {"bucket": "~^set-", "bucket_settings": [
        "cors", "website", "lifecycle", "policy", "encryption",
        "object_lock"]},
    {"bucket": "~^ren-", "to": "follower:{bucket}-copy",
     "bucket_settings": ["policy"]},
    {"bucket": "~^pre-", "filter": {"prefix": "in/"}},
    {"bucket": "~^tag-", "filter": {"tags": {"class": "gold"}}},
    {"bucket": "~^rival-"},
    {"bucket": "rival-named", "to": "follower:rival-wanted"})]
FORGET = """
for i = 2, #KEYS, 5 do
    if redis.call('DEL', KEYS[i]) == 1 and redis.call(
        'EXISTS', KEYS[i + 1], KEYS[i + 2], KEYS[i + 3], KEYS[i + 4]) == 0
    then
        redis.call('ZREM', KEYS[1], ARGV[(i + 3) / 5])
    end
end
"""
TEMP = ["body", "proxy", "fastcgi", "uwsgi", "scgi"]


RESERVED = []       # held until we end


def reserve(port):
    """Against tests that run beside these: a port looks free while its server
    starts, restarts or is killed.  The kernel gives the name back however we
    end."""
    s = socket.socket(socket.AF_UNIX)
    try:
        s.bind(f"\0chorus-e2e-port-{port}")
    except OSError:
        s.close()
        return False
    RESERVED.append(s)
    return True


def free_ports(n):
    """Below the kernel's range for outgoing connections and below Ceph's,
    above that of t/lib/prove."""
    ports = []
    while len(ports) < n:
        port = random.SystemRandom().randrange(11000, 19900)
        if not reserve(port):
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
    return ports


def random_key(prefix):
    return Key(prefix + secrets.token_hex(8).upper(), secrets.token_hex(20))


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Redis(Process):
    def __init__(self, folder, port):
        os.mkdir(f"{folder}/redis")
        super().__init__("redis-server", [
            "redis-server", "--bind", "127.0.0.1", "--port", str(port),
            "--dir", f"{folder}/redis", "--appendonly", "yes",
            "--appendfsync", "everysec", "--save", ""],
            f"{folder}/log/redis.log")
        self.url = f"redis://127.0.0.1:{port}/0"
        self.settings = {}          # beside the url, in chorus.json
        self.client = redis.Redis(port=port, socket_timeout=10)

    def is_ready(self):
        try:
            return self.client.ping()
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False

    def call(self, name, *args):
        return self.client.execute_command("FCALL", f"chorus_{name}", *args)

    def replications(self):
        return sorted(r.decode() for r in
                      self.client.smembers("chorus:replications"))

    def check(self):
        """What is wrong in the queue, of all replications."""
        return [f"{r}: {line.decode()}" for r in self.replications()
                for line in self.call("check", 3, f"chorus:{{{r}}}",
                                      "chorus:schedule",
                                      "chorus:replications")]

    def forget_doubts(self):
        """What a test left in doubt would be looked at again in the midst of
        later ones: hundreds of keys, which take the few tries that a storage
        in trouble gets."""
        names = self.replications()
        keys = [f"chorus:{{{r}}}:{place}" for r in names for place in (
            "recheck", "dirty", "bulk", "retry", "leases")]
        self.client.eval(FORGET, 1 + len(keys), "chorus:schedule", *keys,
                         *names)

    def pay_all(self):
        """What a new Redis owes to all replications: the worker of a test
        mostly has no scans that would pay it."""
        debt = self.client.hget("chorus:owed", "owed_id")
        if debt:
            self.call("paid_all", 1, "chorus:owed", debt)

    def stats(self, replication):
        text = self.call("stats", 1, f"chorus:{{{replication}}}")
        return json.loads(text) if text else None


class Nginx(Process):
    def __init__(self, folder, s3_port, admin_port):
        binary = os.environ.get("TEST_NGINX_BINARY") or (
            f"{ROOT}/t/lib/nginx-asan" if IS_ASAN else "nginx")
        self.conf = f"{folder}/nginx.conf"
        self.port = s3_port
        super().__init__("nginx", [
            binary, "-p", folder, "-e", f"{folder}/log/nginx-error.log",
            "-c", self.conf, "-g", "daemon off;"],
            f"{folder}/log/nginx-stderr.log", die_with="TERM")
        self.error_log = f"{folder}/log/nginx-error.log"
        self.url = f"http://127.0.0.1:{s3_port}"
        self.admin_url = f"http://127.0.0.1:{admin_port}"

    def is_ready(self):
        return answers(self.port) and len(self.workers()) >= 2

    def log_end(self):
        with open(self.error_log, errors="replace") as f:
            return super().log_end() + "".join(f.readlines()[-15:])

    def workers(self):
        """Those of the current configuration and those on their way out."""
        return children_of(self.pid)

    def reload(self):
        """HUP; returns when new processes serve."""
        before = set(self.workers())
        self.send(signal.SIGHUP)
        wait_until(lambda: len(set(self.workers()) - before) >= 2, 20,
                   "new nginx processes")
        # the old ones take connections until they are told
        wait_until(lambda: not before & self.accepting(), 20,
                   "old nginx processes begin to quit")
        # then they close idle connections: a client that sends on one of
        # them in that moment is told nothing; who has work under way stays
        end = time.monotonic() + 3
        while before & set(self.workers()) and time.monotonic() < end:
            time.sleep(0.02)

    def accepting(self):
        """Children that are not yet shutting down, by their title."""
        found = set()
        for pid in self.workers():
            try:
                with open(f"/proc/{pid}/cmdline") as f:
                    if "shutting down" not in f.read():
                        found.add(pid)
            except (FileNotFoundError, ProcessLookupError):
                pass            # it has ended, perhaps between the two
        return found

    def worker_memory(self, field="VmHWM"):
        found = []
        for pid in self.workers():
            try:
                found.append(memory_of(pid, field))
            except (FileNotFoundError, ProcessLookupError, AssertionError):
                assert pid not in self.workers()        # it has ended
        return found


class Worker(Process):
    def __init__(self, folder, number, config):
        self.config = config
        super().__init__(f"worker-{number}",
                         [f"{folder}/bin/chorus-worker", "-v", "-c", config],
                         f"{folder}/log/worker-{number}.log", env=SANITIZED)

    def is_ready(self):
        # it runs its own main, not setpriv's any more
        with open(f"/proc/{self.pid}/comm") as f:
            return f.read().strip() == "chorus-worker"


class Stack:
    def __init__(self, folder):
        self.folder = folder
        for name in ["bin", "log"] + [f"temp-{t}" for t in TEMP]:
            os.mkdir(f"{folder}/{name}")
        # copies: a make in the meantime must not change what is being tested
        for name in PROGRAMS:
            shutil.copy(f"{BUILD}/{name}", f"{folder}/bin/{name}")

        ports = free_ports(5)
        self.keys = {"alice": random_key("CHORUSA"),
                     "alice2": random_key("CHORUSX"),
                     "bob": random_key("CHORUSB")}
        stores = [Store(ROOT, folder, name, port, {
                      "alice": random_key(f"{name.upper()}A"),
                      "bob": random_key(f"{name.upper()}B")})
                  for name, port in zip(("main", "follower"), ports)]
        self.main, self.follower = stores
        self.token = secrets.token_hex(16)
        self.read_token = secrets.token_hex(16)
        self.token_file = f"{folder}/api.token"

        self.redis = Redis(folder, ports[2])
        self.nginx = Nginx(folder, ports[3], ports[4])
        self.workers = []
        self.number_of_workers = 0
        self.faulty_main = FaultServer(self.main.port)
        self.faulty_follower = FaultServer(self.follower.port)
        self.more_http = ""         # lines of nginx.conf's http block
        self.proxy_conf = f"{ROOT}/conf/chorus_proxy.conf"
        self.config = self.write_config("chorus.json")
        self.s3 = boto(self.nginx.url, self.keys["alice"])
        self.died = []

    def secrets(self):
        """Everything that must not be in a log."""
        return [k.secret for keys in (self.keys, self.main.keys,
                                      self.follower.keys)
                for k in keys.values()] + [self.token, self.read_token]

    # ---- configuration

    def storage(self, store, url=None, **more):
        return {"endpoint": url or store.url, "provider": "ceph",
                "users": {user: {"access_key": k.access,
                                 "secret_key": k.secret}
                          for user, k in store.keys.items()}, **more}

    def config_of(self, main_url=None, follower_url=None, worker=None,
                  main_more=None, follower_more=None):
        def credential(name):
            return {"access_key": self.keys[name].access,
                    "secret_key": self.keys[name].secret}
        return {
            "redis": {"url": self.redis.url, **self.redis.settings},
            "storages": {
                "main": self.storage(self.main, main_url, main=True,
                                     **(main_more or {})),
                "follower": self.storage(self.follower, follower_url,
                                         **(follower_more or {})),
                # another storage by name: what is routed there is found on
                # the follower's store, and never on main's
                "archive": self.storage(self.follower)},
            "users": {"alice": [credential("alice"), credential("alice2")],
                      "bob": [credential("bob")]},
            "replications": [
                {"user": "alice", "bucket": "~^(r|off|routed|arc|v2)-",
                 "to": ["follower"], "migrate": False},
                {"user": "*", "bucket": "~-for-all-", "to": ["follower"],
                 "migrate": False},
                {"user": "alice", "bucket": "~^mig-", "to": ["follower"]},
                *BUCKET_RULES],
            "routes": [{"user": "*", "bucket": "~^routed-",
                        "storage": "archive"}],
            "api": {"token_file": self.token_file},
            "worker": dict(WORKER, **(worker or {}))}

    def write_config(self, name, **kwargs):
        with open(self.token_file, "w", opener=private) as f:
            f.write(f"{self.token}\nread watcher {self.read_token}\n")
        path = f"{self.folder}/{name}"
        with open(path, "w", opener=private) as f:
            json.dump(self.config_of(**kwargs), f, indent=4)
        return path

    def write_nginx(self, main_port=None):
        """nginx.conf, with main behind another port if it is given."""
        location = f"include {self.proxy_conf};"
        upstreams = "".join(
            f"upstream {name} {{ server 127.0.0.1:{port}; keepalive 64; "
            "keepalive_timeout 30s; }\n"
            for name, port in (("main", main_port or self.main.port),
                               ("archive", self.follower.port)))
        temp = "".join(
            f"{'client_' if t == 'body' else ''}{t}_temp_path "
            f"{self.folder}/temp-{t};\n" for t in TEMP)
        with open(self.nginx.conf, "w") as f:
            f.write(f"""
load_module {self.folder}/bin/ngx_http_chorus_module.so;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 2;
pid {self.folder}/nginx.pid;
error_log {self.folder}/log/nginx-error.log info;
events {{ worker_connections 1024; }}
http {{
{temp}
log_format e2e '"$request" $status $upstream_addr $upstream_status '
               '$request_time';
access_log {self.folder}/log/nginx-access.log e2e;
chorus_config {self.config};
chorus_zone chorus 1m;
{self.more_http}
{upstreams}
server {{
    listen 127.0.0.1:{self.nginx.port} backlog=1024;
    include {ROOT}/conf/chorus_server.conf;
    chorus_domain {DOMAIN} s3.test;
    location / {{ chorus on; {location} }}
    location /off- {{ chorus on; chorus_replicate off; {location} }}
    location /forced- {{ chorus on; chorus_replicate follower; {location} }}
    location /arc- {{ chorus on; chorus_route archive; {location} }}
    location /v2- {{ chorus on; chorus_auth_v2 on; {location} }}
}}
server {{
    listen {self.nginx.admin_url[7:]};
    location /api/ {{ chorus_api; }}
    location = /metrics {{ chorus_metrics; }}
    location = /readyz {{ chorus_health ready; }}
    include {self.write_ui()};
}}
}}
""")

    def write_ui(self):
        """conf/chorus_ui.conf, with the pages of this repository."""
        with open(f"{ROOT}/conf/chorus_ui.conf") as f:
            text = f.read()
        path = f"{self.folder}/chorus_ui.conf"
        with open(path, "w") as f:
            f.write(text.replace("/usr/share/chorus/ui/", f"{ROOT}/ui/"))
        return path

    # ---- the whole

    def start_stores(self):
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda s: s.start(), (self.main, self.follower)))

    def start(self):
        self.redis.start()
        self.write_nginx()
        self.nginx.start()
        self.start_worker()

    def end(self):
        for worker in self.workers:
            worker.stop(signal.SIGKILL)
        self.nginx.stop()
        self.redis.stop(signal.SIGKILL)
        self.faulty_main.close()
        self.faulty_follower.close()

    def restore(self):
        """Back to the state in which every test begins: all runs, one worker
        with the usual configuration, no fault."""
        self.faulty_main.reset()
        self.faulty_follower.reset()
        for store in (self.main, self.follower):
            store.restore()
        for process in [self.redis, self.nginx] + self.workers:
            if process.is_paused and process.is_running():
                process.resume()
        if not self.redis.is_running():
            self.redis.start()
        if not self.nginx.is_running():
            self.nginx.start()
        for worker in self.workers[1:]:
            worker.stop()
            self.note_death(worker)
        self.workers = self.workers[:1]
        if not self.workers or self.worker.config != self.config \
                or not self.worker.is_running():
            self.stop_workers()
            self.start_worker()
        self.redis.forget_doubts()

    def note_death(self, process):
        if process.died:
            self.died.append(process.died)
            process.died = None

    def deaths(self):
        """Processes of ours that ended without being asked to."""
        for p in [self.redis, self.nginx] + self.workers:
            p.is_running()
            self.note_death(p)
        died, self.died = self.died, []
        return died

    # ---- workers

    @property
    def worker(self):
        return self.workers[0]

    def start_worker(self, config=None):
        """One more."""
        self.number_of_workers += 1
        worker = Worker(self.folder, self.number_of_workers,
                        config or self.config)
        self.workers.append(worker)
        worker.start()
        return worker

    def stop_workers(self):
        for worker in self.workers:
            worker.stop()
            self.note_death(worker)
        self.workers = []

    def use_worker(self, main=None, follower=None, main_more=None,
                   follower_more=None, **settings):
        """Instead of those there are, one that reaches the stores through
        these addresses and has these settings; `more`: of the storages."""
        self.stop_workers()
        config = self.write_config(f"chorus-{self.number_of_workers}.json",
                                   main_url=main, follower_url=follower,
                                   worker=settings, main_more=main_more,
                                   follower_more=follower_more)
        return self.start_worker(config)

    # ---- clients

    def wire(self, user="alice", **kwargs):
        key = self.keys[user]
        return Wire(self.nginx.url, key.access, key.secret, **kwargs)

    def stats(self, bucket, user="alice", follower="follower"):
        """`follower`: "follower:bucket" where it has another name there."""
        return self.redis.stats(f"{user}:{bucket}:{follower}")

    def failed(self, bucket, follower="follower"):
        """{key: what is said of it}, of the keys that are in trouble."""
        return {f["key"]: f for f in json.loads(self.redis.call(
            "failed", 1, f"chorus:{{alice:{bucket}:{follower}}}", 0, 1000))}

    def waiting(self, bucket, follower="follower"):
        """Keys of the bucket that are not settled."""
        s = self.stats(bucket, follower=follower)
        if s is None:
            return 1        # its first mark is on the way to Redis
        return sum(s[place] for place in ("dirty", "bulk", "busy", "again",
                                          "retry", "failed"))

    def failed_attempts(self, bucket):
        s = self.stats(bucket)
        return s["counters"]["failed_attempts"] if s else 0

    def wait_equal(self, bucket, seconds=20, **options):
        """Until follower equals main; every test's last word."""
        return compare.wait_equal(self.main, self.follower, bucket,
                                  max(seconds * SLOWER, PATIENCE), **options)

    def marks_on_their_way(self):
        """Of what clients have an answer to, how much Redis may not have."""
        if not self.nginx.is_running():
            return 0
        return json.loads(self.api("/api/v1/status",
                                   self.token)[2])["proxy"]["waiting"]

    def wait_idle(self, bucket, seconds=20, follower="follower"):
        wait_until(lambda: self.marks_on_their_way() == 0
                   and self.waiting(bucket, follower) == 0, seconds,
                   lambda: f"the queue of {bucket} is empty: "
                           f"{self.stats(bucket, follower=follower)}")

    def api(self, path, token=None, method="GET", data=None):
        """(status, headers, body) of the control plane."""
        request = urllib.request.Request(
            self.nginx.admin_url + path, method=method,
            data=None if data is None else json.dumps(data).encode())
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as r:
                return r.status, dict(r.headers), r.read()
        except urllib.error.HTTPError as e:
            return e.code, dict(e.headers), e.read()

    def chorusctl(self, *args, seconds=30, **env):
        return subprocess.run(
            [f"{self.folder}/bin/chorusctl", *args], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=seconds, cwd=self.folder,
            env=dict(os.environ, ADMIN_URL=self.nginx.admin_url,
                     **SANITIZED, **env))


def private(path, flags):
    return os.open(path, flags, 0o600)
