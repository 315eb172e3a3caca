"""Redis that fails over, forgets, or cannot: the followers still become
equal, and no client notices."""

import json
import os
import shutil
import time

import pytest
import redis

from load import Load, SLOWEST, mixed, put_small
from process import Process, wait_until
from stack import Redis, free_ports

SERVICE = "chorus"


def replication_of(client):
    """Its INFO; empty when a sentinel that has just made it a master or a
    replica cut us off."""
    try:
        return client.info("replication")
    except redis.ConnectionError:
        return {}


def follows(client):
    return replication_of(client).get("master_link_status") == "up"


class Replica(Redis):
    def __init__(self, folder, port, master):
        super().__init__(f"{folder}/replica-{port}", port)
        self.command += ["--replicaof", "127.0.0.1", str(master),
                         "--repl-diskless-sync-delay", "0"]

    def follows(self):
        return follows(self.client)

    def is_master(self):
        return replication_of(self.client).get("role") == "master"


class Sentinel(Process):
    def __init__(self, folder, port, master):
        self.port = port
        conf = f"{folder}/sentinel-{port}.conf"
        with open(conf, "w") as f:
            f.write(f"""port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor {SERVICE} 127.0.0.1 {master} 1
sentinel down-after-milliseconds {SERVICE} 2000
sentinel failover-timeout {SERVICE} 3000
""")
        super().__init__("sentinel", ["redis-server", conf, "--sentinel"],
                         f"{folder}/log/sentinel-{port}.log")
        self.client = redis.Redis(port=port, socket_timeout=10)

    def is_ready(self):
        try:
            return self.client.ping()
        except redis.ConnectionError:
            return False

    def knows_replica(self):
        return self.client.sentinel_master(SERVICE)["num-slaves"] == 1


class Pair:
    """The stack on a master, a replica and a sentinel; its own Redis is the
    master, and in the end it is alone again with all that happened since."""

    def __init__(self, stack):
        port, sentinel_port = free_ports(2)
        self.stack = stack
        self.alone = (stack.redis.url, stack.config, stack.redis.client)
        own = int(stack.redis.url.split(":")[2].split("/")[0])
        folder = f"{stack.folder}/ha-{port}"
        os.makedirs(f"{folder}/log")
        os.makedirs(f"{folder}/replica-{port}/log")
        self.replica = Replica(folder, port, own)
        self.sentinel = Sentinel(folder, sentinel_port, own)

    def start(self):
        self.replica.start()
        wait_until(self.replica.follows, 10, "the replica follows")
        self.sentinel.start()
        wait_until(self.sentinel.knows_replica, 10, "the sentinel sees it")
        self.use(f"redis+sentinel://127.0.0.1:{self.sentinel.port}/{SERVICE}",
                 None)

    def use(self, url, config):
        stack = self.stack
        stack.redis.url = url
        stack.config = config or stack.write_config("chorus-sentinel.json")
        stack.write_nginx()
        stack.nginx.reload()
        stack.stop_workers()
        stack.start_worker()

    def promoted(self):
        """The replica is the master, for nginx, workers and us."""
        wait_until(self.replica.is_master, 20, "the replica is promoted")
        self.stack.redis.client = self.replica.client

    def end(self):
        """However far the test came: other tests need the stack."""
        stack, (url, config, client) = self.stack, self.alone
        try:
            if not stack.redis.is_running():
                stack.redis.start()
            if stack.redis.client is not client:
                wait_until(lambda: follows(client), 30,
                           "the old master follows")
        finally:
            self.sentinel.stop()
            client.execute_command("REPLICAOF", "NO", "ONE")
            stack.redis.client = client
            self.use(url, config)
            self.replica.stop()


@pytest.fixture
def pair(stack):
    pair = Pair(stack)
    pair.start()
    yield pair
    pair.end()


def redis_port(stack):
    return stack.redis.client.connection_pool.connection_kwargs["port"]


# ---- failover ----

def test_the_master_is_killed_under_load(stack, pair, bucket):
    stack.wire().put(bucket, "source", b"x")
    with Load(stack.wire, mixed(bucket), 4) as load:
        time.sleep(1)
        stack.redis.kill9()
        pair.promoted()
        time.sleep(1)
        wait_until(lambda: load.done > 100, 30, "many writes")
    load.check(SLOWEST)
    stack.wait_equal(bucket, 40)
    stack.wait_idle(bucket, 40)


def test_the_replica_is_behind_when_it_is_promoted(stack, pair, bucket):
    """Marks that the dead master alone had, and some it had claimed."""
    stack.wire().put(bucket, "source", b"x")
    stack.wait_equal(bucket)
    pair.replica.client.config_set("masteruser", "nobody")
    pair.replica.client.config_set("masterauth", "wrong")
    stack.redis.client.execute_command("CLIENT", "KILL", "TYPE", "replica")
    stack.worker.pause()
    load = Load(stack.wire, put_small(bucket), 4, 60)
    load.join()
    load.check(SLOWEST)
    wait_until(lambda: stack.stats(bucket)["dirty"] == 60, 10,
               "the master has the marks")
    stack.worker.resume()
    stack.redis.kill9()
    pair.replica.client.config_set("masteruser", "")
    pair.replica.client.config_set("masterauth", "")
    pair.promoted()
    stack.wait_equal(bucket, 40)
    stack.wait_idle(bucket, 40)


# ---- a Redis that forgets ----

def saved(stack):
    """Its append-only file as a power cut would leave it."""
    time.sleep(1.2)
    folder = f"{stack.folder}/redis"
    shutil.rmtree(f"{folder}/saved", ignore_errors=True)
    shutil.copytree(f"{folder}/appendonlydir", f"{folder}/saved")
    return folder


def test_a_restart_that_loses_the_tail(stack, bucket):
    stack.wire().put(bucket, "source", b"x")
    stack.wait_equal(bucket)
    folder = saved(stack)
    with Load(stack.wire, mixed(bucket), 4) as load:
        time.sleep(1.5)
        stack.redis.kill9()
        shutil.rmtree(f"{folder}/appendonlydir")
        os.rename(f"{folder}/saved", f"{folder}/appendonlydir")
        stack.redis.start()
        time.sleep(0.5)
    load.check(SLOWEST)
    stack.wait_equal(bucket, 40)
    stack.wait_idle(bucket, 40)


def status_says(stack, *texts):
    done = stack.chorusctl("-t", stack.token_file, "status")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    return all(any(line.startswith(text) for line in lines)
               for text in texts)


def test_everything_is_gone_while_all_are_connected(stack, bucket):
    stack.wire().put(bucket, "source", b"x")
    with Load(stack.wire, mixed(bucket), 4) as load:
        time.sleep(1)
        stack.redis.client.flushall()
        time.sleep(2)
    load.check(SLOWEST)
    stack.wait_equal(bucket, 40)
    wait_until(lambda: (stack.stats(bucket) or {}).get("debt"), 5,
               "the replication owes a scan")
    # each bucket's comes first, and then that of all others
    wait_until(lambda: status_says(stack, "owes a scan: forgotten",
                                   "all replications owe a scan:"), 10,
               "the status says so")
    wait_until(lambda: stack.stats(bucket)["debt"]["reason"] == "forgotten",
               10, "and why")


def test_the_worker_alone_notices(stack, bucket):
    """No proxy is there to see that Redis was emptied."""
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.nginx.stop()
    stack.redis.client.flushall()
    owed = wait_until(lambda: stack.redis.client.hgetall("chorus:owed"), 10,
                      "all replications owe a scan")
    assert owed[b"owed_reason"] in (b"forgotten", b"empty")
    wait_until(lambda: stack.redis.client.hget(
        "chorus:owed", "owed_reason") == b"forgotten", 5, "and why")


# ---- a Redis that is there and cannot ----

def is_calm(stack):
    try:
        return stack.redis.client.ping()
    except redis.ResponseError:
        return False


def test_a_full_redis_is_drained(stack, bucket):
    stack.stop_workers()
    load = Load(stack.wire, put_small(bucket), 4, 40)
    load.join()
    wait_until(lambda: stack.stats(bucket)["dirty"] >= 40, 10, "they wait")
    stack.redis.client.config_set("maxmemory", 1)
    try:
        stack.wire().put(bucket, "refused", b"x")
        stack.start_worker()
        wait_until(lambda: stack.waiting(bucket) == 0, 30, "it is drained")
    finally:
        stack.redis.client.config_set("maxmemory", 0)
    stack.wait_equal(bucket)


def test_a_busy_redis_is_waited_for(stack, bucket):
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.redis.client.config_set("busy-reply-threshold", 50)
    slow = redis.Redis(port=redis_port(stack))
    connection = slow.connection_pool.get_connection("EVAL")
    connection.send_command("EVAL", "while true do end", 0)
    try:
        time.sleep(0.3)
        load = Load(stack.wire, put_small(bucket), 2, 20)
        load.join()
        load.check(SLOWEST)
        time.sleep(2)
    finally:
        stack.redis.client.execute_command("SCRIPT", "KILL")
        wait_until(lambda: is_calm(stack), 5, "the script ends")
        stack.redis.client.config_set("busy-reply-threshold", 5000)
        connection.disconnect()
    stack.wait_equal(bucket, 30)


def test_a_replica_in_place_of_the_master_is_waited_for(stack, bucket):
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.redis.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        load = Load(stack.wire, put_small(bucket), 2, 20)
        load.join()
        load.check(SLOWEST)
        time.sleep(3)
        assert stack.worker.is_running()
    finally:
        stack.redis.client.execute_command("REPLICAOF", "NO", "ONE")
    stack.wait_equal(bucket, 30)


def status_of(stack):
    status, _, body = stack.api("/api/v1/status", stack.token)
    return body if status == 200 else None


def test_the_status_of_a_ceiling(stack, bucket):
    """Past it marks become a debt, which is shown."""
    name = f"alice:{bucket}:follower"
    stack.stop_workers()
    stack.redis.call("limit", 3, f"chorus:{{{name}}}", "chorus:schedule",
                     "chorus:replications", 5)
    load = Load(stack.wire, put_small(bucket), 2, 20)
    load.join()
    wait_until(lambda: stack.stats(bucket)["counters"]["dropped"] >= 15, 10,
               "marks are dropped")
    # a process of nginx that has just lost Redis says 503 for a moment
    body = wait_until(lambda: status_of(stack), 10, "the status")
    (row,) = [r for r in json.loads(body)["queue"]["replications"]
              if r["replication"] == name]
    assert row["owed"] == 1 and row["debt"]["reason"] == "overflow"
    assert row["dirty"] == 5
