"""The fixtures: one stack for the whole run, a bucket for each test."""

import contextlib
import itertools
import os
import re
import secrets

import pytest

import versions
from guard import guarded
from load import Load
from logs import Logs
from operations import LISTED, LISTED_KEYS
from stack import BUILD, PROGRAMS, Stack
from ui import Browser, rules


def pytest_configure(config):
    config.addinivalue_line("markers", "last: runs after all other tests")
    for name in PROGRAMS:
        if not os.path.exists(f"{BUILD}/{name}"):
            raise pytest.UsageError(f"no {BUILD}/{name}: run make first")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture(scope="session")
def the_stack():
    with guarded("chorus-e2e-", os.environ.get("CHORUS_E2E_LOGS")) as folder:
        stack = Stack(folder)
        stack.start_stores()
        try:
            stack.start()
            yield stack
        finally:
            stack.end()


@pytest.fixture
def stack(the_stack):
    """Everything runs, nothing is wrong; and afterwards as well, or the test
    has failed."""
    logs = Logs(the_stack.folder)
    yield the_stack
    died = the_stack.deaths()
    the_stack.restore()
    died += the_stack.deaths()
    assert not died, died
    assert not logs.alarms(), "\n".join(logs.alarms())
    assert not the_stack.redis.check()


@pytest.fixture(scope="session")
def the_browser(the_stack):
    browser = Browser(the_stack.folder, the_stack.nginx.admin_url)
    yield browser
    browser.end()


@pytest.fixture(scope="module")
def ui_worker(the_stack):
    """It scans, gives up at once, and what it does to the follower can be
    made to fail."""
    usual = the_stack.config
    the_stack.config = the_stack.write_config(
        "chorus-ui.json", follower_url=the_stack.faulty_follower.url,
        worker={"scans": 2, "discover_seconds": 1, "max_attempts": 1})
    the_stack.restore()
    yield
    the_stack.config = usual
    the_stack.restore()


@pytest.fixture
def page(stack, the_browser):
    """Logged in, on the overview; and the browser has neither complained nor
    asked anybody else."""
    the_browser.errors()
    the_browser.enter(stack.token)
    the_browser.see("Log out")
    yield the_browser
    # what a test that failed has left is nothing to the others
    with contextlib.suppress(OSError, KeyError, ValueError):    # API away
        for kind in ("pauses", "blocks", "routes", "replications"):
            for rule in rules(stack, kind):
                stack.api(f"/api/v1/{kind}/{rule['id']}", stack.token,
                          "DELETE")
    assert not [url for url in the_browser.asked() if url.startswith("http")
                and not url.startswith(stack.nginx.admin_url + "/")]
    assert not [e for e in the_browser.errors() if "SEVERE" in e
                and "the server responded with a status of" not in e
                and "net::ERR_" not in e]


@pytest.fixture(scope="session")
def listed(the_stack):
    """A bucket of alice with 2,500 keys, many of them odd; only to read."""
    the_stack.s3.create_bucket(Bucket=LISTED)
    load = Load(the_stack.wire, lambda wire, n: wire.put(
        LISTED, LISTED_KEYS[n], b"x"), 8, len(LISTED_KEYS))
    load.join()
    load.check()
    return LISTED


numbers = itertools.count(1)


@pytest.fixture
def bucket_name(request):
    """bucket_name("off"): a new name that begins with "off-"."""
    def make(prefix="r"):
        words = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[5:35]
        return (f"{prefix}-{next(numbers)}-{words.strip('-')}-"
                + secrets.token_hex(3))
    return make


@pytest.fixture
def bucket(stack, bucket_name):
    """A new bucket, made through Chorus, that is replicated."""
    name = bucket_name()
    stack.s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(stack, bucket):
    """It keeps versions."""
    versions.set_state(stack.s3, bucket, versions.ENABLED)
    return bucket


@pytest.fixture
def figures(capsys):
    """figures("..."): a line that is seen without -s as well."""
    def show(text):
        with capsys.disabled():
            print(f"\n    {text}", flush=True)
    return show
