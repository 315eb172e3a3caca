"""The clients that people use: awscli and s3cmd."""

import filecmp
import os
import subprocess

import pytest

import compare


def run(command, env, **kwargs):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=120,
                          stdin=subprocess.DEVNULL,
                          env=dict(os.environ, **env), **kwargs)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def aws(stack):
    def call(*args):
        return run(["aws", "--endpoint-url", stack.nginx.url, *args], {
            "AWS_ACCESS_KEY_ID": stack.keys["alice"].access,
            "AWS_SECRET_ACCESS_KEY": stack.keys["alice"].secret,
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true"})
    return call


@pytest.fixture
def s3cmd(stack, tmp_path):
    host = stack.nginx.url[7:]
    config = tmp_path / "s3cfg"
    config.write_text(f"""[default]
access_key = {stack.keys["alice"].access}
secret_key = {stack.keys["alice"].secret}
host_base = {host}
host_bucket = {host}
use_https = False
bucket_location = us-east-1
""")
    return lambda *args: run(["s3cmd", "-c", str(config), *args], {})


def test_aws_s3_sync_and_multipart_cp(stack, bucket_name, aws, tmp_path):
    bucket = bucket_name()
    tree = tmp_path / "tree"
    names = ["a.txt", "b/with space.txt", "b/plus+.txt", "ü/日本.html",
             "b/quote'.json", "c/d/e/deep.bin", "empty"]
    for n, name in enumerate(names):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(os.urandom(n * 5000))
    (tmp_path / "film").write_bytes(os.urandom(24 << 20))

    aws("s3", "mb", f"s3://{bucket}")
    aws("s3", "sync", "--only-show-errors", str(tree), f"s3://{bucket}/t/")
    aws("s3", "cp", "--only-show-errors", str(tmp_path / "film"),
        f"s3://{bucket}/film")
    stack.wait_equal(bucket, 30)
    assert set(compare.listing(stack.follower, bucket)) == \
        {f"t/{n}".encode() for n in names} | {b"film"}
    etag = stack.follower.s3.head_object(Bucket=bucket, Key="film")["ETag"]
    assert etag.endswith('-3"')

    aws("s3", "cp", "--only-show-errors", f"s3://{bucket}/film",
        str(tmp_path / "back"))
    assert filecmp.cmp(tmp_path / "film", tmp_path / "back", shallow=False)

    (tree / "a.txt").unlink()
    aws("s3", "sync", "--delete", "--only-show-errors", str(tree),
        f"s3://{bucket}/t/")
    aws("s3", "mv", "--only-show-errors", f"s3://{bucket}/t/b/plus+.txt",
        f"s3://{bucket}/t/moved")
    stack.wait_equal(bucket)
    keys = set(compare.listing(stack.follower, bucket))
    assert b"t/a.txt" not in keys and b"t/b/plus+.txt" not in keys
    assert b"t/moved" in keys

    aws("s3", "rb", "--force", f"s3://{bucket}")
    stack.wait_equal(bucket)
    assert compare.listing(stack.follower, bucket) is None


def test_s3cmd_put_get_del(stack, bucket_name, s3cmd, tmp_path):
    bucket = bucket_name()
    (tmp_path / "file one").write_bytes(os.urandom(100_000))
    (tmp_path / "big").write_bytes(os.urandom(16 << 20))
    s3cmd("mb", f"s3://{bucket}")
    s3cmd("put", str(tmp_path / "file one"), f"s3://{bucket}/ä b+c")
    s3cmd("put", "--multipart-chunk-size-mb=5", str(tmp_path / "big"),
          f"s3://{bucket}/big")
    stack.wait_equal(bucket, 30)
    s3cmd("get", f"s3://{bucket}/ä b+c", str(tmp_path / "back"))
    assert filecmp.cmp(tmp_path / "file one", tmp_path / "back",
                       shallow=False)
    assert "ä b+c" in s3cmd("ls", f"s3://{bucket}/")
    s3cmd("cp", f"s3://{bucket}/ä b+c", f"s3://{bucket}/copy")
    s3cmd("modify", "--add-header=x-amz-meta-new:1", f"s3://{bucket}/copy")
    stack.wait_equal(bucket)
    s3cmd("del", f"s3://{bucket}/ä b+c")
    stack.wait_equal(bucket)
    assert set(compare.listing(stack.follower, bucket)) == {b"big", b"copy"}
