"""A storage that takes every upload and keeps nothing: sink.py PORT SECONDS.

It reads a body only SECONDS after its head, so that many uploads are under
way at the same time, and whoever sends them must wait.
"""

import asyncio
import sys

ANSWER = (b"HTTP/1.1 200 OK\r\nETag: \"0\"\r\nContent-Length: 0\r\n"
          b"x-amz-request-id: sink\r\n\r\n")
BUFFER = memoryview(bytearray(1 << 20))     # of all: nobody looks into it


class Upload(asyncio.BufferedProtocol):
    def __init__(self, seconds):
        self.seconds = seconds
        self.head = b""
        self.left = None            # bytes of the body, None within the head

    def connection_made(self, transport):
        self.transport = transport

    def get_buffer(self, _):
        return BUFFER

    def buffer_updated(self, size):
        if self.left is None:
            self.head += bytes(BUFFER[:size])
            head, end, body = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            self.left = length_of(head)
            size = len(body)
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(
                self.seconds, self.transport.resume_reading)
        self.left -= size
        if self.left == 0:
            self.transport.write(ANSWER)
            self.head, self.left = b"", None


def length_of(head):
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def main(port, seconds):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upload(seconds), "127.0.0.1",
                                      port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
