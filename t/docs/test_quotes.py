"""docs/troubleshooting.md quotes what the programs say: each message of its
tables is found in the sources."""

import re

import pytest

from pages import read, section

PAGE = "docs/troubleshooting.md"
LITERAL = r'"(?:[^"\\\n]|\\.)*"'
# of printf, of nginx, of C's PRIu64
FORMAT = r"%(?:\d|\.|\*|-|\+)*(?:l|z|u|h|i|j)*[a-zA-Z]"


def told():
    """What the programs may say, a line for each: literals that stand side by
    side are one, and what is put in when they say it is "..."."""
    found = []
    text = read("ngx_chorus_module/*.[ch]", "chorus-worker/*.[ch]",
                "chorusctl/*.[ch]", "shared/*.[ch]")
    for run in re.findall(rf"{LITERAL}(?:\s*(?:PRI\w+\s*)?{LITERAL})*", text):
        whole = "".join(part[1:-1] for part in re.findall(LITERAL, run))
        found.append(re.sub(FORMAT, "...", whole.replace('\\"', '"')
                            .replace("\\n", " ")))
    text = read("ui/js/*.js", "ui/js/pages/*.js")
    text = re.sub(r"['`]\s*\+ ['`]", "", text)
    found += re.sub(r"\$\{[^{}]*\}", "...", text).splitlines()
    found += re.findall(r"alert: (\w+)", read("conf/prometheus/alerts.yml"))
    return found


def is_said(message, lines):
    """In one line; or by calls that each say a part of it."""
    parts = re.split(r"\.\.\.(?!\.$)", message)
    pattern = re.compile(".*".join(re.escape(part) for part in parts))
    if any(pattern.search(line) for line in lines):
        return True
    long = [part for part in parts if len(part.strip()) > 6]
    return bool(long) and all(any(part in line for line in lines)
                              for part in long)


def quotes():
    """The code in the first cell of each row, and messages in the text that
    begin as ours do."""
    found = set()
    for row in re.findall(r"^\| (.*?) \|", read(PAGE), re.M):
        found |= set(re.findall("`([^`]+)`", row))
    found |= set(re.findall("`(chorus: [^`]+)`", read(PAGE)))
    return sorted(found - {"config check", "/readyz", "Server: Chorus"})


def test_there_are_quotes():
    assert len(quotes()) > 80


LINES = told()


@pytest.mark.parametrize("message", quotes())
def test_the_message_is_one_of_the_programs(message):
    assert is_said(message, LINES)


def test_each_refusal_has_a_row_and_the_reverse():
    mine = set(re.findall(r'\{ CHORUS_S3_\w+, ([45]\d\d),\s*"(\w+)"',
                          read("shared/chorus_s3_error.c")))
    told = set()
    for row in re.findall(r"^\| (.*) \|$", read("docs/errors.md"), re.M):
        cells = row.split(" | ")
        status = [cell for cell in cells if re.fullmatch(r"\d{3}", cell)]
        codes = [cell for cell in cells
                 if re.fullmatch(r"`[A-Z]\w+`(, `[A-Z]\w+`)*", cell)]
        told |= {(status[-1], code) for cell in codes if status
                 for code in re.findall(r"\w+", cell)}
    assert len(mine) > 30 and told == mine


def test_each_error_of_a_storage_is_in_the_table_for_people():
    codes = set(re.findall(r'^    \{ "([A-Z][\w.]+)",',
                           read("chorus-worker/failure.c"), re.M))
    told = set(re.findall(r"[\w.]+", section(
        "docs/reliability.md", "## What a storage answers")))
    assert len(codes) > 40
    # ours, and over before anybody can see it
    assert codes - {"OtherRegion"} <= told


def test_what_nobody_says_is_noticed():
    assert not is_said("chorus: Redis has gone away", LINES)
    assert is_said("storage=... does not answer, working", LINES)
