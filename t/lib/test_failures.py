"""What t/run shows at its end."""

import subprocess
import sys

import pytest

import failures

PYTEST = '''
import pytest

@pytest.fixture
def broken():
    assert "a fixture" == "whole"

def test_good(): pass

def test_bad():
    print("seed 17")
    assert 1 == 2, "one is not two"

def test_worse(broken): pass
'''

PROVE = """prove: Test::Nginx of /lib
t/good.t .. ok (3 tests, 1.0 s)
t/bad.t .. FAILED (1 of 2 tests, 1.0 s)

#   Failed test 'a name'
#   at t/bad.t line 7.
#          got: '1'
#     expected: '2'
# Looks like you failed 1 test of 2.
    not ok 2 - a name
    exit code 1
t/fine.t .. ok (3 tests, 1.0 s)
prove: 7 passed, 1 failed
"""

CMOCKA = """[ RUN      ] test_it
[  ERROR   ] --- 1 != 2
[   LINE   ] --- t/unit/str.c:7: error: Failure!
[  FAILED  ] test_it
"""


def test_of_pytest_the_assertion_and_what_was_printed(tmp_path):
    (tmp_path / "test_x.py").write_text(PYTEST)
    out = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "--durations=5", "test_x.py"], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE).stdout
    (worse, why_worse), (bad, why) = failures.of_pytest(out)
    assert (worse, bad) == ("ERROR at setup of test_worse", "test_bad")
    assert "E       AssertionError: one is not two" in why
    assert why[-1] == "seed 17"
    assert any("whole" in line for line in why_worse)
    assert not any("short test summary" in line for line in why)


def test_of_prove_only_files_that_failed():
    (title, lines), = failures.of_prove(PROVE)
    assert title == "t/bad.t .. FAILED (1 of 2 tests, 1.0 s)"
    assert "#     expected: '2'" in lines and "    exit code 1" in lines
    assert not any("fine" in line or "prove" in line for line in lines)


def test_of_cmocka_the_line():
    (_, lines), = failures.of_cmocka(CMOCKA)
    assert lines[0] == "[  ERROR   ] --- 1 != 2" and len(lines) == 3


@pytest.mark.parametrize("output, lines", [
    ("", []),
    ("one\n\ntwo\n", ["one", "two"]),
    ("\n".join(map(str, range(500))), [str(n) for n in range(480, 500)]),
])
def test_of_any_the_end(output, lines):
    assert failures.of_any(output) == [("", lines)]


def test_what_is_told_is_short():
    text = failures.told("e2e", [("test_x", ["x" * 1000])])
    assert text == "FAILED: e2e: test_x\n    " + "x" * failures.WIDTH
