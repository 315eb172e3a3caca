"""A real Ceph object store, and clients for any S3 endpoint."""

import subprocess
from dataclasses import dataclass

import boto3
from botocore.client import Config

from wire import REGION, Wire


@dataclass(frozen=True)
class Key:
    access: str
    secret: str


def boto(url, key):
    return boto3.client(
        "s3", endpoint_url=url, aws_access_key_id=key.access,
        aws_secret_access_key=key.secret, region_name=REGION,
        config=Config(s3={"addressing_style": "path"},
                      retries={"max_attempts": 0}, max_pool_connections=32,
                      connect_timeout=5, read_timeout=60))


class Store:
    def __init__(self, root, folder, name, port, keys):
        self.program = f"{root}/t/lib/ceph-store"
        self.folder = folder
        self.name = name
        self.port = port
        self.keys = keys            # of each user: {"alice": Key}
        self.url = f"http://127.0.0.1:{port}"
        self.has_gateway = True
        self.is_paused = False
        self.s3 = boto(self.url, keys["alice"])

    def run(self, command, *options):
        done = subprocess.run(
            [self.program, command, self.name, "--dir", self.folder, *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            stdin=subprocess.DEVNULL, timeout=150)
        assert done.returncode == 0, done.stdout

    def uid(self, user):
        """The store's own id of a user: no other store has the same."""
        return user if self.name == "main" else f"{self.name}-{user}"

    def start(self):
        for user, key in self.keys.items():
            self.run("start" if user == "alice" else "add-user",
                     "--access-key", key.access, "--secret-key", key.secret,
                     "--uid", self.uid(user), "--display", user,
                     *(("--port", str(self.port)) if user == "alice" else ()))

    def stop(self):
        self.run("stop", "--purge")

    def stop_gateway(self):
        self.has_gateway = False
        self.run("stop-gateway")

    def start_gateway(self):
        self.run("start-gateway")
        self.has_gateway = True

    def pause(self):
        self.is_paused = True
        self.run("pause")

    def resume(self):
        self.run("resume")
        self.is_paused = False

    def restore(self):
        if self.is_paused:
            self.resume()
        if not self.has_gateway:
            self.start_gateway()

    def wire(self, user="alice", **kwargs):
        key = self.keys[user]
        return Wire(self.url, key.access, key.secret, **kwargs)
