"""What is built of the packages, once for each Debian, and what runs there
meanwhile."""

import threading

import pytest

from source import Built, TRIED

SUITES = ["bookworm", "trixie"]


class Side(threading.Thread):
    """One Debian: the tests of the other one run while this builds, and while
    all of t/*.t runs in it."""

    def __init__(self, suite, is_tried):
        super().__init__(daemon=True)
        self.suite = suite
        self.is_tried = is_tried
        self.is_built = threading.Event()
        self.built = self.said = self.failed = None

    def run(self):
        try:
            self.built = Built(self.suite)
            self.is_built.set()
            if self.is_tried:
                self.said = self.built.try_all()
        except BaseException as error:  # pylint: disable=broad-except
            self.failed = error
        self.is_built.set()

    def get_built(self):
        self.is_built.wait()
        if self.built is None:
            raise self.failed
        return self.built

    def get_said(self):
        self.join()
        if self.said is None:
            raise self.failed
        return self.said


SIDES = {}


def pytest_collection_finish(session):
    """Both begin before the first test does."""
    wanted = {(name, item.callspec.params[name]) for item in session.items
              for name in ("built", "tried") if name in item.fixturenames}
    for suite in SUITES:
        is_tried = ("tried", suite) in wanted
        if is_tried or ("built", suite) in wanted:
            SIDES[suite] = Side(suite, is_tried)
            SIDES[suite].start()


@pytest.fixture(scope="session", params=SUITES)
def built(request):
    return SIDES[request.param].get_built()


@pytest.fixture(scope="session", params=TRIED)
def tried(request):
    """What all that was run in that Debian has said."""
    return SIDES[request.param].get_said()
