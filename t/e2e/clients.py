"""Programs of S3 clients, and the names by which they find Chorus."""

import os
import shutil
import subprocess
import sys

from stack import DOMAIN, ROOT

HOSTS = f"{ROOT}/t/e2e/hosts"
sys.path.append(HOSTS)
import chorus_names     # noqa: E402, F401  names of buckets, here as well


def run(command, stack, **more):
    """With alice's credentials and nothing else that the machine's owner has
    set for S3 clients; names below chorus.test are this machine."""
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith(("AWS_", "RCLONE_"))}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        stdin=subprocess.DEVNULL, timeout=120, env={
            **inherited,
            "AWS_ACCESS_KEY_ID": stack.keys["alice"].access,
            "AWS_SECRET_ACCESS_KEY": stack.keys["alice"].secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": HOSTS,
            "PYTHONDONTWRITEBYTECODE": "1", **more})
    assert done.returncode == 0, done.stdout
    return done.stdout


def url_of(stack, style):
    return (stack.nginx.url if style == "path"
            else f"http://{DOMAIN}:{stack.nginx.port}")


def pythons():
    """Each that has a boto3: Debian's, and one that is first in PATH."""
    found = {}
    for path in ("/usr/bin/python3", shutil.which("python3")):
        done = subprocess.run([path, "-c", "import boto3; "
                               "print(boto3.__version__)"], text=True,
                              capture_output=True, check=False)
        if done.returncode == 0:
            found.setdefault(done.stdout.strip(), path)
    return found


def programs(name):
    """All of that name in PATH that are not the same."""
    paths = [f"{d}/{name}" for d in os.environ["PATH"].split(":")]
    return sorted({os.path.realpath(p): p for p in paths
                   if os.access(p, os.X_OK)}.values())


PYTHONS = pythons()
