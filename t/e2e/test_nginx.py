"""nginx is reloaded, told to quit, under load: marks get through."""

import os
import signal
import time

from load import Load, SLOWEST, mixed, put_small
from process import wait_until


def test_reload_under_load(stack, bucket, figures):
    stack.wire().put(bucket, "source", b"x")
    with Load(stack.wire, mixed(bucket), 8) as load:
        for _ in range(4):
            time.sleep(0.6)
            stack.nginx.reload()
        time.sleep(0.3)
    load.check()
    figures(f"{load.done} requests by 8 clients over 4 reloads, none failed, "
            f"slowest {load.slowest:.2f} s")
    stack.wait_equal(bucket, 30)


def test_quit_of_a_worker_process_drains_its_marks(stack, bucket):
    """Redis does not answer while they are told to quit."""
    wire = stack.wire()
    wire.put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.redis.pause()
    try:
        load = Load(stack.wire, put_small(bucket), 4, 80)
        load.join()
        load.check(SLOWEST)
        old = set(stack.nginx.workers())
        for pid in old:
            os.kill(pid, signal.SIGQUIT)
        time.sleep(1)
        assert old & set(stack.nginx.workers()), "marks hold a process"
    finally:
        stack.redis.resume()
    wait_until(lambda: not old & set(stack.nginx.workers()), 10,
               "the old ones end")
    wait_until(stack.nginx.is_ready, 10, "their successors")
    stack.wait_equal(bucket)


def test_reload_while_redis_is_away_drains_the_marks(stack, bucket):
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.redis.stop()
    load = Load(stack.wire, put_small(bucket), 4, 80)
    load.join()
    load.check(SLOWEST)
    stack.nginx.reload()
    time.sleep(1)
    stack.redis.start()
    stack.wait_equal(bucket, 30)


def test_quit_of_nginx_drains_the_marks(stack, bucket):
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    stack.redis.pause()
    load = Load(stack.wire, put_small(bucket), 4, 80)
    load.join()
    load.check(SLOWEST)
    stack.nginx.send(signal.SIGQUIT)
    time.sleep(0.5)
    assert stack.nginx.is_running(), "it waits for Redis"
    stack.redis.resume()
    assert stack.nginx.wait() == 0
    stack.nginx.start()
    stack.wait_equal(bucket)


def test_idle_processes_end_at_once_after_a_reload(stack, bucket):
    """No timer or connection of ours keeps an old process alive."""
    stack.wire().put(bucket, "k", b"x")
    stack.wait_equal(bucket)
    old = set(stack.nginx.workers())
    stack.nginx.reload()
    wait_until(lambda: not old & set(stack.nginx.workers()), 20,
               "the old processes end", is_strict=True)


def test_counters_survive_a_reload(stack, bucket):
    import json

    def proxy():
        return json.loads(stack.api("/api/v1/status",
                                    stack.token)[2])["proxy"]
    stack.wire().put(bucket, "k", b"x")
    before = proxy()
    stack.nginx.reload()
    after = proxy()
    assert after["requests"] >= before["requests"] > 0
    stack.wait_equal(bucket)
    assert proxy()["lost"] == 0
    wait_until(lambda: proxy()["marked"] == proxy()["acknowledged"], 5,
               "each mark is acknowledged")
