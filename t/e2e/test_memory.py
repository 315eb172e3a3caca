"""Many large uploads at once: the memory of nginx stays where it is."""

import os
import sys
import threading
import time

import pytest

from chunked import (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, Body,
                     crc32_of, upload)
from process import Process
from raw import Raw
from stack import IS_ASAN, IS_FULL, TEMP, answers, free_ports
from wire import path_of

MIB = 1 << 20
BLOCK = bytes(64 * 1024)
CLIENTS, SIZE = ((200, 100 * MIB) if IS_FULL
                 else (40, 2 * MIB if IS_ASAN else 8 * MIB))


class Sink(Process):
    def __init__(self, folder, port):
        self.port = port
        super().__init__("sink", [
            sys.executable, f"{os.path.dirname(__file__)}/sink.py", str(port),
            "1"], f"{folder}/log/sink.log")

    def is_ready(self):
        return answers(self.port)


@pytest.fixture
def sink(stack):
    """Main, as nginx sees it; the real one would keep all in memory."""
    sink = Sink(stack.folder, free_ports(1)[0])
    sink.start()
    stack.write_nginx(main_port=sink.port)
    stack.nginx.restart()
    yield sink
    stack.write_nginx()
    stack.nginx.restart()
    sink.stop()


class Clients:
    """All at once, each with an upload of its own."""

    def __init__(self, stack, bodies):
        self.stack = stack
        self.answers = []
        self.threads = [threading.Thread(target=self.put, args=(n, body),
                                         daemon=True)
                        for n, body in enumerate(bodies)]
        for t in self.threads:
            t.start()

    def put(self, number, body):
        raw = Raw(self.stack.nginx.url[7:], timeout=600)
        path = path_of("local-memory", f"{number}")
        try:
            self.answers.append(raw.call("PUT", path, *upload(
                self.stack.keys["alice"], raw.netloc, path, body,
                in_frames=number % 4 == 3)).status)
        except Exception as e:
            self.answers.append(repr(e))
        finally:
            raw.close()

    def join(self):
        for t in self.threads:
            t.join()


@pytest.mark.parametrize("kind", [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER],
                         ids=["signed", "signed-trailer", "unsigned-trailer"])
def test_many_uploads_in_chunks(stack, sink, figures, kind):
    blocks = [BLOCK] * (SIZE // len(BLOCK))
    trailer = ("x-amz-checksum-crc32", crc32_of(blocks))
    body = Body(blocks, kind, trailer if kind != SIGNED else None)
    temp = {t: os.stat(f"{stack.folder}/temp-{t}").st_mtime_ns for t in TEMP}
    at_rest = max(stack.nginx.worker_memory())

    begin = time.monotonic()
    clients = Clients(stack, [body] * CLIENTS)
    clients.join()
    seconds = time.monotonic() - begin

    assert clients.answers == [200] * CLIENTS
    most = max(stack.nginx.worker_memory())
    figures(f"{CLIENTS} clients, {SIZE // MIB} MiB each, {kind[10:]}: "
            f"{CLIENTS * SIZE / MIB / seconds:.0f} MiB/s, at most "
            f"{most / MIB:.1f} MiB in an nginx process, "
            f"{at_rest / MIB:.1f} before")
    for t in TEMP:
        assert os.stat(f"{stack.folder}/temp-{t}").st_mtime_ns == temp[t], \
            f"nginx made a file in temp-{t}"
    if not IS_ASAN:
        assert most < 40 * MIB
