"""TLS from the client to Chorus and from Chorus to the stores: it works with
an authority of one's own, and what is not trusted gets nothing."""

import os
import subprocess

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, SSLError

import sdk
from clients import PYTHONS, run
from logs import Logs
from process import wait_until
from tls import HOST, TlsFront

MIB = 1 << 20


@pytest.fixture(scope="module")
def the_front(the_stack):
    front = TlsFront(the_stack)
    front.start()
    yield front
    front.stop()


@pytest.fixture
def front(the_front, stack):
    """Good certificates everywhere, and a worker that reaches both stores by
    https; the fixture `stack` brings the usual one back."""
    logs = Logs(the_front.folder)
    stack.stop_workers()
    stack.start_worker(the_front.config)
    yield the_front
    the_front.use(main=the_front.good, follower=the_front.good)
    assert not logs.alarms(), "\n".join(logs.alarms())


def bad_certificates(front):
    return {
        "another authority": front.stranger.issue("stranger"),
        "another host": front.authority.issue("elsewhere", "elsewhere.test"),
        "expired": front.authority.issue("expired", days=-1),
    }


def worker_log(stack):
    with open(stack.worker.log, errors="replace") as f:
        return f.read()


def use_worker(stack, config):
    stack.stop_workers()
    stack.start_worker(config)


def test_boto3_by_tls_to_stores_by_tls(stack, front, bucket):
    before = {name: len(front.seen(name)) for name in front.ports}
    s3 = front.boto(stack.keys["alice"])
    big = os.urandom(12 * MIB)
    path = f"{front.folder}/big"
    with open(path, "wb") as f:
        f.write(big)

    s3.upload_file(path, bucket, "big", Config=TransferConfig(
        multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB))
    s3.put_object(Bucket=bucket, Key="a b/ü", Body=b"small",
                  Metadata={"m": "1"})
    s3.put_object(Bucket=bucket, Key="gone", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="gone")
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == big
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] \
        == ["a b/ü", "big"]

    stack.wait_equal(bucket, 30)
    for name, count in before.items():
        by_worker = [line for line in front.seen(name)[count:]
                     if '"chorus-worker"' in line]
        assert by_worker, f"the worker reached {name} by TLS"
        assert all(f" TLSv1.3 {HOST} " in line for line in by_worker), \
            by_worker


def test_awscli_by_tls(stack, front, bucket):
    def aws(*args):
        return subprocess.run(
            ["/usr/bin/aws", "--ca-bundle", front.authority.cert,
             "--endpoint-url", front.url, *args], text=True, timeout=180,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=dict(
                os.environ, AWS_ACCESS_KEY_ID=stack.keys["alice"].access,
                AWS_SECRET_ACCESS_KEY=stack.keys["alice"].secret,
                AWS_DEFAULT_REGION="us-east-1", AWS_MAX_ATTEMPTS="1"))

    source, copy = f"{front.folder}/source", f"{front.folder}/copy"
    with open(source, "wb") as f:
        f.write(os.urandom(9 * MIB))
    for done in (aws("s3", "cp", source, f"s3://{bucket}/k"),
                 aws("s3", "cp", f"s3://{bucket}/k", copy)):
        assert done.returncode == 0, done.stdout
    with open(source, "rb") as f, open(copy, "rb") as g:
        assert f.read() == g.read()
    stack.wait_equal(bucket)


def test_a_client_with_another_authority_is_not_deceived(stack, front):
    s3 = front.boto(stack.keys["alice"])
    s3.list_buckets()
    front.authority, known = front.stranger, front.authority
    try:
        with pytest.raises(SSLError):
            front.boto(stack.keys["alice"]).list_buckets()
    finally:
        front.authority = known


@pytest.mark.parametrize("flaw", ["another authority", "another host",
                                  "expired"])
def test_a_main_that_is_not_trusted(stack, front, bucket, flaw):
    """Clients are told so, nothing is sent there, and what the follower has
    stays."""
    s3 = front.boto(stack.keys["alice"])
    s3.put_object(Bucket=bucket, Key="kept", Body=b"kept")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)

    front.use(main=bad_certificates(front)[flaw])
    count = len(front.seen("main"))
    with pytest.raises(ClientError) as refusal:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502

    # by the nginx without TLS, for the worker to copy
    wire = stack.wire()
    assert wire.put(bucket, "later", b"later").status == 200
    wait_until(lambda: stack.failed_attempts(bucket) > 1, 60,
               lambda: f"attempts: {stack.stats(bucket)}")
    assert "TlsNotTrusted" in worker_log(stack)
    assert stack.follower.s3.list_objects_v2(
        Bucket=bucket)["Contents"][0]["Key"] == "kept"
    # "k" waits as well, once it is marked: a 502 is doubt
    assert stack.waiting(bucket) in (1, 2)
    assert front.seen("main")[count:] == []

    front.use(main=front.good)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    stack.wait_equal(bucket, 60)


@pytest.mark.parametrize("flaw", ["another authority", "another host",
                                  "expired"])
def test_a_follower_that_is_not_trusted(stack, front, bucket, flaw):
    """Keys wait until it is trusted again; nothing is sent to it."""
    wire = stack.wire()
    wire.put(bucket, "old", b"old")
    stack.wait_equal(bucket)
    stack.wait_idle(bucket)

    front.use(follower=bad_certificates(front)[flaw])
    count = len(front.seen("follower"))
    wire.put(bucket, "new", b"new")
    wire.call("DELETE", f"/{bucket}/old")
    wait_until(lambda: stack.failed_attempts(bucket) > 2, 60,
               lambda: f"attempts: {stack.stats(bucket)}")
    log = worker_log(stack)
    assert "TlsNotTrusted" in log and "SSL" in log, log[-2000:]
    wait_until(lambda: stack.waiting(bucket) == 2, 20,
               lambda: f"both wait: {stack.stats(bucket)}")
    assert front.seen("follower")[count:] == []
    assert stack.follower.s3.get_object(
        Bucket=bucket, Key="old")["Body"].read() == b"old"

    front.use(follower=front.good)
    stack.wait_equal(bucket, 60)


def test_ca_file_decides_whom_the_worker_trusts(stack, front, bucket):
    """With another one it gets nowhere, with the right one it goes on."""
    stack.wait_idle(bucket)
    use_worker(stack, front.write_config(
        "stranger.json", follower=front.stranger.cert))
    stack.wire().put(bucket, "k", b"x")
    wait_until(lambda: stack.failed_attempts(bucket) > 0, 60, "attempts")
    assert "unable to get local issuer certificate" in worker_log(stack)
    assert stack.waiting(bucket) == 1

    use_worker(stack, front.config)
    stack.wait_equal(bucket, 60)


def test_ca_file_is_missed_at_once(stack, front):
    """By the tool and by nginx, in the same words."""
    path = front.write_config("missing.json", main="/nowhere/ca.pem")
    done = stack.chorusctl("config", "check", path)
    words = "storages.main.ca_file: /nowhere/ca.pem: No such file"
    assert done.returncode != 0 and words in done.stdout + done.stderr

    conf = f"{front.folder}/missing.conf"
    with open(front.conf) as f, open(conf, "w") as g:
        g.write(f.read().replace(front.config, path))
    done = subprocess.run(
        [front.command[0], "-t", "-p", front.folder, "-e", "stderr",
         "-c", conf], text=True, timeout=30, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode != 0 and words in done.stdout


@pytest.mark.parametrize("version", PYTHONS)
def test_every_boto3_by_tls(stack, front, bucket_name, version):
    """Over TLS, what is not signed is the body: those of today send it in
    chunks with a trailer."""
    bucket = bucket_name()
    run([PYTHONS[version], sdk.__file__, front.url, "path", bucket], stack,
        AWS_CA_BUNDLE=front.authority.cert)
    stack.wait_equal(bucket, 40)
