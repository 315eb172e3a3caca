"""What `make bench` says when a part fails, and of targets."""

import json
import os
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, f"{ROOT}/bench")
import callgrind                # noqa: E402
import groups                   # noqa: E402
import report                   # noqa: E402

MAKE = """#!/bin/sh
# the last word is bench-PART
for part; do :; done
part=${part#bench-}
case $part in
events) exit 2 ;;
memory | checksum) exit 0 ;;
esac
echo '{"rows": [{"name": "a beside b", "target": ">= 0.85", "ratio": 0.7,
                 "c": 1}]}' > "$OUT/$part.json"
"""


@pytest.fixture
def out(tmp_path, monkeypatch):
    """build/bench, and a make that only writes what a part found."""
    (tmp_path / "make").write_text(MAKE)
    (tmp_path / "make").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("OUT", str(tmp_path))
    monkeypatch.setattr(report, "OUT", str(tmp_path))
    monkeypatch.setattr(report, "plot", lambda *_: None)
    return tmp_path


def run(monkeypatch, *parts):
    monkeypatch.setattr(sys, "argv", ["report.py", "--run", *parts])
    with pytest.raises(SystemExit) as end:
        report.main()
    return end.value.code


def test_all_parts_are_good(out, monkeypatch, capsys):
    assert not run(monkeypatch, "checksum", "proxy", "lag")
    said = capsys.readouterr().out
    assert "0 targets met, 2 missed" in said and "FAILED" not in said
    found = json.loads((out / "bench.json").read_text())
    assert [row["part"] for row in found["rows"]] == ["proxy", "lag"]
    assert found["rows"][0]["figures"] == {"c": 1}
    assert found["machine"]["cores"] == os.cpu_count()


@pytest.mark.parametrize("bad", ["events", "memory"],
                         ids=["ends with 2", "writes nothing"])
def test_a_part_that_fails_hides_no_other(out, monkeypatch, capsys, bad):
    # nor does it show what it found another time
    (out / f"{bad}.json").write_text('{"rows": [{"name": "old", "target": '
                                     '"-", "ratio": 1}]}')
    assert run(monkeypatch, "proxy", bad, "lag")
    said = capsys.readouterr().out
    assert f"bench-{bad} FAILED" in said and "old" not in said
    assert said.count("MISSED") == 2


@pytest.mark.parametrize("target, ratio, met", [
    (">= 0.85", 0.85, True), (">= 0.85", 0.849, False),
    ("<= 1.25", 1.25, True), ("<= 1.25", 1.3, False),
    (">= 20,000", 19999, False), ("-", 1, None)])
def test_a_target_is_met_or_missed(target, ratio, met):
    assert report.is_met({"target": target, "ratio": ratio}) is met


def test_what_callgrind_wrote(tmp_path):
    (tmp_path / "out").write_text("""# callgrind format
events: Ir

ob=(1) module.so
fl=(1) one.c
fn=(1) f
10 5
fi=(2) inlined.h
+3 7
cob=(2) libc.so
cfi=(3) ???
cfn=(2) memcpy
calls=4 0
11 100
cfn=(3) g
calls=1 20
12 50
fn=(3)
20 50
""")
    profile = callgrind.read(tmp_path / "out")
    f, g = (callgrind.Function("module.so", "one.c", name) for name in "fg")
    memcpy = callgrind.Function("libc.so", "???", "memcpy")
    assert profile.own == {f: 12, g: 50}
    assert profile.calls == {(f, memcpy): 4, (f, g): 1}
    assert profile.cost == {(f, memcpy): 100, (f, g): 50}
    assert callgrind.returning(profile, lambda x: x == g) == {f}


def module_function(file, name="f"):
    return callgrind.Function("ngx_http_chorus_module.so", file, name)


def test_what_a_helper_costs_is_its_callers():
    parse, helper, inner = (module_function(file) for file in (
        "/x/shared/chorus_uri.c", "/x/shared/chorus_str.c", "/x/one.h"))
    memcpy = callgrind.Function("libc.so", "???", "memcpy")
    profile = callgrind.Profile()
    profile.own.update({parse: 10, helper: 20, inner: 5, memcpy: 100})
    profile.calls.update({(parse, helper): 2, (helper, inner): 4,
                          (inner, memcpy): 4})
    profile.cost.update({(parse, helper): 125, (helper, inner): 105,
                         (inner, memcpy): 100})
    found = groups.split(profile)
    assert found.pop("parse") == [35, 135]
    assert set(map(tuple, found.values())) == {(0, 0)}


def test_a_file_in_no_group_is_an_error():
    profile = callgrind.Profile()
    profile.own[module_function("/x/shared/chorus_new.c")] = 11
    with pytest.raises(AssertionError, match="chorus_new.c"):
        groups.split(profile)
