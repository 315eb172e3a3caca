"""What the pages say to type does what they say: shell blocks that are marked
`sh runnable`, page by page and in order, in one shell that ends at the first
command that fails; and a `text` or `json` block right behind one is what it
prints, but for figures."""

import glob
import os

import pytest

from pages import ROOT, Desk, blocks, differs

PAGES = [page for page in ["README.md"] + sorted(
    os.path.relpath(path, ROOT) for path in glob.glob(f"{ROOT}/docs/*.md"))
    if blocks(page)]


@pytest.fixture(scope="module")
def desk(the_stack, tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("pages"), the_stack)
    try:
        desk.start()
        yield desk
    finally:
        desk.end()


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(desk, page):
    desk.settle()
    code, out, wrong = desk.run(page)
    print(out)
    assert code == 0, out
    assert not wrong, f"{wrong}\n{out}"


def test_a_block_that_fails_is_noticed(desk):
    code, out = desk.shell("false; echo still here")
    assert code != 0 and "still here" not in out


def test_an_answer_that_is_not_given_is_noticed():
    said = "PARKED  DONE\nalice:photos:f  active  7 ms  5\n"
    assert differs("text", "alice:photos:f  active  9 ms  12", said) is None
    assert differs("text", "alice:photos:f  paused  9 ms  12", said)
    assert differs("json", '{"a": [{"b": 1}]}', '{"a":[{"b":2,"c":3}]}') \
        is None
    assert differs("json", '{"a": [{"d": 1}]}', '{"a":[{"b":2,"c":3}]}')
