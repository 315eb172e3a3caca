"""rediss://: marks, workers and sentinels over TLS, and what is not trusted
is told nothing.  Where the hiredis of the build has no SSL, every program
refuses the URL."""

import json
import os
import subprocess
import time

import pytest

from load import Load, SLOWEST, mixed, put_small
from process import Process, wait_until
from stack import BUILD, ROOT, Redis, answers, free_ports, private
from tls import HOST, Authority

SERVICE = "chorus"

with open(f"{BUILD}/chorus-worker", "rb") as program:
    HAS_TLS = b"redisInitiateSSL" in program.read()


def of_a_build(has_tls):
    """Of a build with TLS or of one without: the others are no tests."""
    return lambda test: test if HAS_TLS == has_tls else None


def tls_arguments(pair, authority, auth_clients="no"):
    return ["--tls-cert-file", f"{pair}.pem", "--tls-key-file", f"{pair}.key",
            "--tls-ca-cert-file", authority.cert,
            "--tls-auth-clients", auth_clients]


class TlsRedis(Redis):
    """Our own client uses the port without TLS, Chorus the other one."""

    def __init__(self, folder, authority, pair, *more):
        os.makedirs(f"{folder}/log")
        port, self.tls_port = free_ports(2)
        super().__init__(folder, port)
        self.port = port
        self.command += ["--tls-port", str(self.tls_port),
                         *tls_arguments(pair, authority, *more)]
        self.url = f"rediss://{HOST}:{self.tls_port}/0"
        self.settings = {"ca_file": authority.cert}

    def clients(self):
        """The ports of Redis at which somebody else is."""
        return {c["laddr"].rsplit(":", 1)[1]
                for c in self.client.client_list()
                if c["id"] != str(self.client.client_id())}


class Sentinel(Process):
    def __init__(self, folder, authority, pair, master):
        self.port, = free_ports(1)
        conf = f"{folder}/sentinel-{self.port}.conf"
        with open(conf, "w") as f:
            f.write(f"""port 0
tls-port {self.port}
tls-replication yes
bind 127.0.0.1
dir {folder}
sentinel monitor {SERVICE} 127.0.0.1 {master} 1
""")
        super().__init__("sentinel", ["redis-server", conf, "--sentinel",
                                      *tls_arguments(pair, authority)],
                         f"{folder}/log/sentinel-{self.port}.log")

    def is_ready(self):
        return answers(self.port)


class Site:
    """The stack on another Redis; its own goes on meanwhile."""

    def __init__(self, stack, folder):
        os.mkdir(folder)
        self.stack = stack
        self.folder = folder
        self.alone = (stack.redis, stack.config)
        self.authority = Authority(folder, "known")
        self.stranger = Authority(folder, "unknown")
        self.good = self.authority.issue("good", ip="127.0.0.1")
        self.started = []

    def redis(self, pair, *more):
        redis = TlsRedis(f"{self.folder}/{len(self.started)}",
                         self.authority, pair, *more)
        redis.start()
        self.started.append(redis)
        return redis

    def use(self, redis, config=None):
        stack = self.stack
        stack.stop_workers()
        stack.redis = redis
        stack.config = config or stack.write_config("chorus-tls.json")
        stack.write_nginx()
        stack.nginx.reload()
        stack.start_worker()

    def worker_with(self, url, **settings):
        """Instead of the stack's, one with that "redis"; nginx stays."""
        stack = self.stack
        stack.stop_workers()
        config = stack.config_of()
        config["redis"] = {"url": url, **settings}
        path = f"{self.folder}/chorus-{stack.number_of_workers}.json"
        with open(path, "w", opener=private) as f:
            json.dump(config, f)
        return stack.start_worker(path)

    def end(self):
        self.use(*self.alone)
        for process in self.started:
            process.stop()


@pytest.fixture
def site(stack, tmp_path):
    site = Site(stack, f"{tmp_path}/tls")
    yield site
    site.end()


def log_of(worker):
    with open(worker.log, errors="replace") as f:
        return f.read()


def logs_soon(worker, text):
    wait_until(lambda: text in log_of(worker), 15,
               lambda: f"{text} in: {log_of(worker)}")


# ---- a build that can ----

@of_a_build(has_tls=True)
def test_all_goes_by_tls_and_comes_back(stack, site, bucket):
    redis = site.redis(site.good)
    site.use(redis)
    stack.wire().put(bucket, "source", b"x")
    with Load(stack.wire, mixed(bucket), 4) as load:
        time.sleep(1)
        wait_until(lambda: redis.clients() == {str(redis.tls_port)}, 20,
                   lambda: f"all are there by TLS: {redis.clients()}")
        redis.kill9()
        time.sleep(1)
        redis.start()
        time.sleep(1)
    load.check(SLOWEST)
    stack.wait_equal(bucket, 40)
    stack.wait_idle(bucket, 40)
    assert redis.clients() == {str(redis.tls_port)}


@of_a_build(has_tls=True)
def test_a_worker_that_waits_is_woken_by_tls(stack, site, bucket):
    site.use(site.redis(site.good))
    stack.wire().put(bucket, "first", b"x")
    stack.wait_equal(bucket)
    theirs = stack.follower.wire()
    for n in range(5):
        time.sleep(1.5)
        stack.wire().put(bucket, f"k{n}", b"x")
        began = time.monotonic()
        # not wait_equal, which reads more with each object
        wait_until(lambda: theirs.get(bucket, f"k{n}").status == 200, 20,
                   "it is there")
        assert time.monotonic() - began < SLOWEST
    stack.wait_equal(bucket)
    assert "redis:" not in log_of(stack.worker)


@of_a_build(has_tls=True)
@pytest.mark.parametrize("case", [
    "another authority", "another host", "another address", "expired",
    "the system's authorities"])
def test_the_worker_tells_nothing_to(case, stack, site, bucket):
    pair, words = {
        "another authority": (site.stranger.issue("s"), "issuer certificate"),
        "another host": (site.authority.issue("h", "elsewhere.test"),
                         "hostname mismatch"),
        "another address": (site.good, "IP address mismatch"),
        "expired": (site.authority.issue("e", days=-1), "has expired"),
        "the system's authorities": (site.good, "self-signed"),
    }[case]
    redis = site.redis(pair)
    settings = dict(redis.settings)
    url = redis.url
    if case == "another address":
        settings["tls_name"] = "127.0.0.2"
    if case == "the system's authorities":
        settings = {}
    redis.client.config_resetstat()
    worker = site.worker_with(url, **settings)
    logs_soon(worker, "cannot connect: certificate not trusted: ")
    assert words in log_of(worker)
    time.sleep(1)
    seen = set(redis.client.info("commandstats"))
    assert seen <= {"cmdstat_config|resetstat", "cmdstat_ping",
                    "cmdstat_info", "cmdstat_client|setinfo"}
    assert worker.is_running()


@of_a_build(has_tls=True)
def test_the_worker_says_that_there_is_no_tls(stack, site, bucket):
    redis = site.redis(site.good)
    worker = site.worker_with(f"rediss://{HOST}:{redis.port}",
                              **redis.settings)
    logs_soon(worker, "no TLS handshake: ")
    assert "does that port speak TLS?" in log_of(worker)
    worker = site.worker_with(f"rediss://{HOST}:{stack.nginx.port}",
                              **redis.settings)
    logs_soon(worker, "that port does not speak TLS")


@of_a_build(has_tls=True)
def test_a_redis_that_asks_for_a_certificate(stack, site, bucket):
    redis = site.redis(site.good, "yes")
    worker = site.worker_with(redis.url, **redis.settings)
    logs_soon(worker, "certificate required")
    own = site.authority.issue("own")
    redis.settings.update(cert_file=f"{own}.pem", key_file=f"{own}.key")
    site.use(redis)
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)


@of_a_build(has_tls=True)
def test_a_sentinel_by_tls(stack, site, bucket):
    redis = site.redis(site.good)
    sentinel = Sentinel(site.folder + "/0", site.authority, site.good,
                        redis.tls_port)
    sentinel.start()
    site.started.append(sentinel)
    redis.url = f"rediss+sentinel://{HOST}:{sentinel.port}/{SERVICE}"
    site.use(redis)
    load = Load(stack.wire, put_small(bucket), 4, 40)
    load.join()
    load.check(SLOWEST)
    stack.wait_equal(bucket)
    assert redis.clients() == {str(redis.tls_port)}
    worker = site.worker_with(redis.url, ca_file=site.stranger.cert)
    logs_soon(worker, "sentinel: certificate not trusted: ")


# ---- every program says the same ----

def refusals(stack, tmp_path, redis):
    """What nginx, the worker and chorusctl say of it; each refuses."""
    path = f"{tmp_path}/chorus.json"
    with open(path, "w", opener=private) as f:
        json.dump(dict(stack.config_of(), redis=redis), f)
    conf = f"{tmp_path}/nginx.conf"
    with open(stack.nginx.conf) as f, open(conf, "w") as copy:
        copy.write(f.read().replace(stack.config, path))
    binary = stack.nginx.command[0]
    for command in (
            [binary, "-t", "-q", "-p", str(tmp_path), "-c", conf, "-e",
             f"{tmp_path}/error.log"],
            [f"{stack.folder}/bin/chorus-worker", "-c", path],
            [f"{stack.folder}/bin/chorusctl", "config", "check", path]):
        done = subprocess.run(command, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, cwd=ROOT,
                              timeout=30)
        assert done.returncode == 1, command
        yield done.stdout


@of_a_build(has_tls=True)
def test_a_file_that_cannot_be_used(stack, tmp_path):
    garbage = f"{tmp_path}/garbage.pem"
    with open(garbage, "w") as f:
        f.write("garbage\n")
    for name in (garbage, f"{tmp_path}/missing.pem"):
        for text in refusals(stack, tmp_path, {"url": f"rediss://{HOST}",
                                               "ca_file": name}):
            assert f"redis.ca_file: {name}: " in text


@of_a_build(has_tls=False)
@pytest.mark.parametrize("url", [f"rediss://{HOST}:6379",
                                 f"rediss+sentinel://{HOST}/{SERVICE}"])
def test_a_build_without_tls_refuses(url, stack, tmp_path):
    for text in refusals(stack, tmp_path, {"url": url}):
        assert "redis.url: this build cannot speak TLS to Redis" in text
        assert "has no SSL; build with hiredis 1.0 or later" in text
