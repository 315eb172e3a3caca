"""A proxy in front of a store that does what the store itself never would.

Passes requests on byte by byte (so their signatures hold), and for those a
fault is set for: answers something else, cuts the body, hangs, is slow, or
loses the connection, before or after the store has done what it was asked.
"""

import http.client
import os
import random
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

BLOCK = 64 * 1024

SLOW_DOWN = (503, b"<?xml version='1.0'?><Error><Code>SlowDown</Code>"
                  b"<Message>Please reduce your request rate.</Message>"
                  b"</Error>", "application/xml")
DENIED = (403, b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>"
               b"<Message>Access Denied</Message></Error>", "application/xml")
INTERNAL = (500, b"<?xml version='1.0'?><Error><Code>InternalError</Code>"
                 b"</Error>", "application/xml")
NOT_HERE = (404, b"<html><body><h1>404 Not Found</h1></body></html>",
            "text/html")
EMPTY_404 = (404, b"", "text/plain")
REDIRECT = (301, b"", "text/plain")


@dataclass
class Fault:
    """What happens to the next `times` requests (None: to all) that
    `when(method, target)` selects."""
    when: Callable = lambda method, target: True
    head: Callable = lambda lines: True     # selects as well, by its head
    times: Optional[int] = None
    # instead of the store's: (status, body, content type, more lines of the
    # head), or a function of method and target that returns one
    answer: Any = None
    applied: bool = False               # the store gets the request first
    drop: bool = False                  # the connection, without an answer
    reset: bool = False                 # the same, with a RST
    truncate: Optional[int] = None      # the answer's body after so many bytes
    damage: bool = False                # some bytes of the answer's body
    hang: bool = False                  # no answer until the fault is cleared
    chance: float = 1.0                 # of each request to be hit
    delay: float = 0        # seconds before the store gets it, dropped or not
    held: bool = False      # the store gets it after release(), dropped or not
    bytes_per_second: Optional[int] = None      # of the answer's body
    hits: int = 0
    at: list = field(default_factory=list)      # time.monotonic() of each
    released: Any = field(default_factory=threading.Event)
    done: int = 0           # of those held: how many the store has answered

    def release(self):
        self.released.set()


class Lost(Exception):
    pass


class FaultServer:
    def __init__(self, upstream_port):
        self.upstream_port = upstream_port
        self.lock = threading.Lock()
        self.random = random.Random()
        self.fault = None
        self.cleared = threading.Event()
        self.passed = 0             # requests the store got
        self.sent_bytes = 0         # of answers' bodies
        self.got_bytes = 0          # of requests' bodies
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.open_sockets = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def inject(self, **fields):
        """Sets the fault, in place of the one before; returns it."""
        self.clear()
        with self.lock:
            self.cleared = threading.Event()
            self.fault = Fault(**fields)
            return self.fault

    def clear(self):
        with self.lock:
            self.fault = None
            self.cleared.set()

    def reset(self):
        self.clear()
        self.passed = self.sent_bytes = self.got_bytes = 0

    def close(self):
        self.clear()
        self.listener.close()
        with self.lock:
            for s in self.open_sockets:
                shut(s)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.open_sockets.add(client)
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def serve(self, client):
        try:
            with client, client.makefile("rb", BLOCK) as reader:
                while self.serve_one(client, reader):
                    pass
        except (OSError, Lost, http.client.HTTPException):
            pass
        finally:
            with self.lock:
                self.open_sockets.discard(client)

    def choose(self, method, target, lines):
        with self.lock:
            f = self.fault
            if f is None or not f.when(method, target) \
                    or not f.head(lines) or self.random.random() >= f.chance:
                return None, self.cleared
            if f.times is not None and f.hits >= f.times:
                return None, self.cleared
            f.hits += 1
            f.at.append(time.monotonic())
            return f, self.cleared

    def serve_one(self, client, reader):
        head = read_head(reader)
        if head is None:
            return False
        method, target, length, expects, lines = head
        self.got_bytes += length
        fault, cleared = self.choose(method, target, lines)

        if fault and fault.reset:
            reset(client)
            return False
        if fault and fault.drop and not (fault.applied or fault.delay
                                         or fault.held):
            shut(client)
            return False
        if expects:
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

        if fault and fault.hang and not fault.applied:
            cleared.wait(120)
            shut(client)
            return False

        if fault and fault.answer and not fault.applied:
            skip(reader, length)
            answer = fault.answer
            if callable(answer):
                answer = answer(method, target)
            send_answer(client, method, answer)
            return True

        if fault and (fault.delay or fault.held):
            # the store gets it although the client may be gone by then
            body = read_exactly(reader, length)
            if fault.drop:
                shut(client)
            time.sleep(fault.delay)
            if fault.held:
                fault.released.wait(120)
            try:
                return self.send_late(client, method, body, fault, target,
                                      lines)
            finally:
                fault.done += 1

        with self.upstream(lines, blocks(reader, length)) as up:
            if fault and fault.applied:
                response_of(up, method).read()
                if fault.hang:
                    cleared.wait(120)
                if fault.hang or fault.drop:
                    shut(client)
                    return False
                send_answer(client, method, fault.answer)
                return True
            return self.relay(client, method, up, fault, target, lines)

    def send_late(self, client, method, body, fault, target, lines):
        with self.upstream(lines, [body]) as up:
            if fault.drop:
                response_of(up, method).read()
                return False
            return self.relay(client, method, up, fault, target, lines)

    def upstream(self, lines, body):
        up = socket.create_connection(("127.0.0.1", self.upstream_port))
        try:
            with self.lock:
                self.passed += 1
            up.sendall(b"\r\n".join(lines) + b"\r\nConnection: close\r\n\r\n")
            for block in body:
                up.sendall(block)
        except BaseException:
            up.close()
            raise
        return up

    def more_headers(self, method, target, lines, status):
        """Lines for the head of the store's answer."""
        return []

    def relay(self, client, method, up, fault, target, lines):
        response = response_of(up, method)
        length = response.getheader("Content-Length")
        head = [f"HTTP/1.1 {response.status} {response.reason}"]
        head += [f"{k}: {v}" for k, v in response.getheaders()
                 if k.lower() not in ("connection", "transfer-encoding",
                                      "keep-alive")]
        head += self.more_headers(method, target, lines, response.status)
        has_body = method != "HEAD" and response.status not in (204, 304)
        keeps = length is not None or not has_body
        if not keeps:
            head.append("Connection: close")
        client.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n")

        left, damaged = fault.truncate if fault else None, False
        while True:
            block = response.read(BLOCK)
            if not block:
                return keeps
            if left is not None:
                client.sendall(block[:left])
                left -= min(left, len(block))
                if left == 0:
                    shut(client)
                    return False
                continue
            if fault and fault.damage and not damaged:
                block, damaged = os.urandom(len(block[:8])) + block[8:], True
            client.sendall(block)
            self.sent_bytes += len(block)
            if fault and fault.bytes_per_second and self.fault is fault:
                time.sleep(len(block) / fault.bytes_per_second)


def shut(s):
    try:
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def reset(s):
    """The RST goes out when the last descriptor is closed."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                 struct.pack("ii", 1, 0))


def read_head(reader):
    """(method, target, length of the body, expects 100, lines to pass on), or
    None at the end of the connection."""
    lines = []
    while True:
        line = reader.readline(BLOCK)
        if not line:
            return None
        line = line.rstrip(b"\r\n")
        if not line:
            break
        lines.append(line)

    method, target, _ = lines[0].decode("latin-1").split(" ", 2)
    length, expects, kept = 0, False, [lines[0]]
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip().lower()
        if name == b"content-length":
            length = int(value)
        if name == b"expect":
            expects = True
        elif name != b"connection":
            kept.append(line)
    return method, target, length, expects, kept


def blocks(reader, length):
    while length:
        block = reader.read1(min(BLOCK, length))
        if not block:
            raise Lost
        length -= len(block)
        yield block


def read_exactly(reader, length):
    return b"".join(blocks(reader, length))


def skip(reader, length):
    for _ in blocks(reader, length):
        pass


def response_of(up, method):
    response = http.client.HTTPResponse(up, method=method)
    response.begin()
    return response


def send_answer(client, method, answer):
    status, body, kind, *more = answer
    lines = [f"HTTP/1.1 {status} Fault", f"Content-Type: {kind}",
             f"Content-Length: {len(body)}", *more]
    client.sendall("\r\n".join(lines).encode() + b"\r\n\r\n"
                   + (b"" if method == "HEAD" else body))
