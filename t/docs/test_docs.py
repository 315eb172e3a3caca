"""The documentation says what there is, and nothing else: a directive,
variable, setting, command or option without its page fails here, and the
reverse; links lead somewhere; nginx takes the snippets."""

import functools
import glob
import json
import os
import re
import subprocess

import pytest
import yaml

from pages import BUILD, PAGES, ROOT, anchors, code, read, section


def blocks(language):
    return [pytest.param(page, text, id=f"{page}:{line}")
            for page in PAGES for line, text, _ in code(page, language)]


# ---- directives and variables

CONTEXTS = {"NGX_HTTP_MAIN_CONF": "http", "NGX_HTTP_SRV_CONF": "server",
            "NGX_HTTP_LOC_CONF": "location"}


def directives():
    """{name: contexts} of the tables in the module."""
    return {name: {CONTEXTS[flag] for flag in re.findall(r"\w+", flags)
                   if flag in CONTEXTS}
            for name, flags in re.findall(
                r'ngx_string\("(\w+)"\),\s*(NGX_[\w|\s]*?),',
                read("ngx_chorus_module/*.c"))}


def test_each_directive_has_a_section_and_the_reverse():
    documented = set(re.findall(r"^## (chorus\w*)$",
                                read("docs/directives.md"), re.M))
    assert len(documented) > 5
    assert documented == set(directives())


@pytest.mark.parametrize("name", sorted(directives()))
def test_the_context_of_a_directive(name):
    text = section("docs/directives.md", f"## {name}")
    assert re.search(rf"^    Syntax:   {name}[ ;]", text, re.M), text[:200]
    assert re.search(r"^    Default:  \S", text, re.M)
    context = re.search(r"^    Context:  (.*)$", text, re.M).group(1)
    assert set(context.split(", ")) == directives()[name]
    assert len(text.split("\n\n")) > 1, "not a word on what it does"
    # nginx takes it: that is another test
    assert [True for block in re.findall("```nginx\n(.*?)```", text, re.S)
            if re.search(rf"\b{name}[ ;]", block)], "no example"


def test_each_variable_has_a_row_with_an_example_and_the_reverse():
    inside = set(re.findall(r'ngx_string\("(chorus_\w+)"\), NULL',
                            read("ngx_chorus_module/*.c")))
    rows = dict(re.findall(r"^\| `\$(chorus_\w+)` \| .* \| ([^|]*) \|$",
                           section("docs/directives.md", "## Variables"),
                           re.M))
    assert len(rows) > 5
    assert set(rows) == inside
    assert all(re.fullmatch("`[^`]+`", example) for example in rows.values())


# ---- chorus.json

def settings():
    """Every name that the loader takes."""
    return {name for array in re.findall(
        r"_keys\[\] = \{([^}]*)\}", read("shared/chorus_config*.c"))
        for name in re.findall(r'"(\w+)"', array)}


def test_each_setting_stands_in_the_reference():
    assert len(settings()) > 20
    known = set(re.findall(r"\w+", " ".join(
        re.findall("`([^`\n]*)`", read("docs/config.md")))))
    assert settings() <= known, settings() - known


def test_the_reference_has_no_setting_that_is_not_there():
    table = read("docs/config.md").split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.M)
    assert len(rows) > 20
    names = {re.sub(r"\[\]|NAME|STORAGE", "", part)
             for row in rows for text in re.findall("`([^`]*)`", row)
             for part in text.split(".")} - {""}
    assert names <= settings(), names - settings()


NUMBERS = re.findall(r'\{ "(\w+)", (\d+), (\d+), (\d+),\s*&worker->',
                     read("shared/chorus_config.c"))


@pytest.mark.parametrize("name, least, most, default", NUMBERS)
def test_the_default_and_the_range_of_a_number(name, least, most, default):
    row = re.search(rf"^\| `worker\.{name}` \| (.*) \| (.*) \|$",
                    read("docs/config.md"), re.M)
    assert row.group(2) == default
    assert f"{least} to {most}" in row.group(1)


def test_there_are_numbers():
    assert len(NUMBERS) > 8


# ---- functions of the library in Redis

def test_each_function_has_a_row_and_the_reverse():
    lua = read("shared/lua/*.lua")
    inside = set(re.findall(r"\{ name = '(\w+)',\s*keys =", lua))
    inside |= set(re.findall(r"function_name = 'chorus_(\w+)'", lua))
    cells = re.findall(r"^\| (`chorus_\w+`[^|]*) \|",
                       section("docs/data-model.md", "## Functions"), re.M)
    told = {name for cell in cells
            for name in re.findall(r"`chorus_(\w+)`", cell)}
    assert len(inside) > 60 and told == inside


def test_the_version_of_the_library_is_told():
    version = re.search(r"^local VERSION = (\d+)$",
                        read("shared/lua/chorus.lua"), re.M).group(1)
    assert f"is number {version}." in read("docs/data-model.md")


# ---- programs

def commands():
    return {" ".join(w for w in words if w) for words in re.findall(
        r'^    \{ "(\w+)", (?:NULL|"(\w+)"), -?\d, \w+,',
        read("chorusctl/*.c"), re.M)}


def test_each_command_of_chorusctl_is_described_and_the_reverse():
    described = set(re.findall(
        r"^### chorusctl ((?:[a-z]+ ?)+?)(?: [A-Z].*)?$",
        read("docs/chorusctl.md"), re.M))
    assert commands() and described == commands()


def test_each_command_stands_in_the_man_page():
    text = re.sub(r'\\f.|[\\"]', "", read("docs/chorusctl.1"))
    text = text.split(".SH COMMANDS")[1]
    lines = [re.sub(r"^\.\w+ ", "", line) for line in text.split("\n")]
    assert not [name for name in commands() if not any(
        re.match(rf"{name}\b", line) for line in lines)]


def help_of(program):
    return subprocess.run([f"{BUILD}/{program}", "--help"], timeout=60,
                          stdout=subprocess.PIPE, text=True).stdout


@pytest.mark.parametrize("program, man", [
    ("chorus-worker", "debian/man/chorus-worker.8"),
    ("chorusctl", "docs/chorusctl.1")])
def test_the_options_in_the_man_page_are_those_of_the_program(program, man):
    def options(text):
        return set(re.findall(r"(?<![\w-])--?[a-zA-Z]\w*", text))
    text = read(man).replace("\\-", "-").split(".SH EXIT")[0]
    text = text.split(".SH COMMANDS")[0]
    text = re.sub(r"^\.SH (NAME|DESCRIPTION)\n[^.].*?(?=^\.SH)", "", text,
                  flags=re.M | re.S)
    told = options("\n".join(line for line in help_of(program).split("\n")
                             if re.match(r"\s+-|usage", line))) - {"--help"}
    assert len(told) > 2
    assert told == options(text) - {"--help"}


def test_each_target_of_the_makefile_that_pages_name_is_there():
    # a name in .PHONY alone is a target that does nothing
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.M))
    for page in PAGES:
        named = set(re.findall(r"`make ([a-z][a-z-]*)", read(page)))
        for _, text, _ in code(page, "sh"):
            named |= set(re.findall(r"^make ([a-z][a-z-]*)", text, re.M))
        assert named <= targets | {"modules"}, (page, named - targets)


# ---- links

@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", read(page), flags=re.M | re.S)
    bad = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(page), path)) \
            if path else page
        if not os.path.exists(f"{ROOT}/{target}"):
            bad.append(link)
        elif anchor and anchor not in anchors(target):
            bad.append(link)
    assert not bad


def test_the_readme_is_short_and_has_a_picture_of_the_page():
    text = read("README.md")
    assert text.count("\n") <= 200 and "](docs/ui-overview.png)" in text


def test_each_page_can_be_found_from_the_readme():
    linked = set(re.findall(r"\]\((docs/[^)#]+)", read("README.md")))
    assert {p for p in PAGES if p.startswith("docs/")} <= linked


# ---- files and tests that pages name

FOLDERS = ("t|conf|shared|docs|demo|tools|bench|ui|docker|debian"
           "|chorus-worker|chorusctl|ngx_chorus_module")
NOT_OURS = {"libjs-chart.js", "t/servroot"}


@functools.cache
def names():
    """Of all files here."""
    found = set()
    for folder, inside, files in os.walk(ROOT):
        inside[:] = [name for name in inside if name not in (".git", "build")]
        found |= set(files)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_are_there(page):
    text = re.sub(r"^```.*?^```", "", read(page), flags=re.M | re.S)
    code = " ".join(re.findall("`([^`\n]+)`", text))
    paths = set(re.findall(rf"(?<![\w/.])(?:{FOLDERS})/[\w./*-]+", code))
    bare = set(re.findall(r"(?<![\w/.*<-])[\w-]+\.(?:c|h|py|lua|js|t)\b",
                          code))
    assert not [path for path in paths - NOT_OURS
                if not glob.glob(f"{ROOT}/{path.rstrip('.')}")
                and not glob.glob(f"{ROOT}/{os.path.dirname(page)}/{path}")]
    assert not bare - names() - NOT_OURS


def plain(text):
    return re.sub(r"[\s_-]+", " ", re.sub("['\"]", "", text)).lower()


def told_tests():
    """{(file, title)} of the column test in reliability.md, and names of
    functions in fidelity.md."""
    found = set()
    for row in re.findall(r"^\|.*\|$", read("docs/reliability.md"), re.M):
        for path, words in re.findall(r"`(t/[\w./-]+)` ?([^`|;]*)",
                                      row.strip("| ").split("|")[-1]):
            found |= {(path, title) for title in words.strip(" ,").split(", ")
                      if title}
    return sorted(found)


@pytest.mark.parametrize("path, title", told_tests())
def test_the_test_that_shows_it_is_there(path, title):
    assert plain(title) in plain(read(path))


def test_each_function_of_a_test_that_pages_name_is_there():
    there = set(re.findall(r"def (test_\w+)", read("t/*/*.py")))
    files = {name[:-3] for name in names() if name.endswith(".py")}
    for page in PAGES:
        for name in set(re.findall(r"\btest_\w+", read(page))) - files:
            assert any(one.startswith(name) for one in there), (page, name)


# ---- snippets

def whole(text, folder):
    """The configuration that the snippet is a part of."""
    if "load_module" not in text:
        if re.search(r"^chorus_proxy\.conf|^location|^proxy_|^chorus ", text,
                     re.M):
            text = ("server { listen 127.0.0.1:9669; "
                    f"include chorus_server.conf; {text} }}")
        upstreams = "".join(
            f"upstream {name} {{ server 127.0.0.1:9001; }}\n"
            for name in ("main", "follower")
            if not re.search(rf"upstream\s+{name}\b", text))
        if "chorus_config" not in text:
            text = f"chorus_config /etc/chorus/chorus.json;\n{text}"
        text = f"events {{ }}\nhttp {{\n{upstreams}{text}\n}}\n"
        text = f"load_module {BUILD}/ngx_http_chorus_module.so;\n{text}"
    text = text.replace("/usr/lib/nginx/modules", BUILD)
    temp = " ".join(f"{t}_temp_path {folder}/t;" for t in
                    ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = re.sub(r"^http \{", f"http {{ {temp} access_log off;", text,
                  flags=re.M)
    if os.geteuid() == 0:       # whose the folder of the test is
        text = f"user root;\n{text}"
    text = text.replace("/var/lib/chorus", str(folder))
    text = re.sub(r"include(\s+)(chorus_\w+\.conf)",
                  rf"include\1{ROOT}/conf/\2", text)
    # names of an example are nobody's: nginx would look them up
    return re.sub(r"(?<=[/ ])\w+\.example\.(net|com):", "127.0.0.1:",
                  text).replace("/etc/chorus/", f"{folder}/")


@pytest.fixture(scope="module")
def etc(tmp_path_factory):
    """What the snippets name: configuration, token, certificates."""
    folder = tmp_path_factory.mktemp("etc")
    with open(f"{ROOT}/conf/chorus.json", encoding="utf-8") as f:
        config = json.load(f)
    config["storages"]["archive"] = config["storages"]["follower"]
    for name, text in {"chorus.json": json.dumps(config),
                       "api.token": "0123456789abcdef\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "7", "-subj",
         "/CN=docs", "-keyout", f"{folder}/s3.key", "-out",
         f"{folder}/s3.pem"], check=True, capture_output=True, timeout=60)
    for name in ("storages.pem", "our-ca.pem"):
        (folder / name).write_text((folder / "s3.pem").read_text())
    folder.chmod(0o711)
    return folder


@pytest.mark.parametrize("page, text", blocks("nginx"))
def test_nginx_takes_the_snippet(etc, page, text):
    conf = etc / "snippet.conf"
    conf.write_text(whole(text, etc))
    done = subprocess.run(
        [os.environ.get("TEST_NGINX_BINARY", "nginx"), "-t", "-e", "stderr",
         "-p", str(etc), "-c", str(conf), "-g", f"pid {etc}/nginx.pid;"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60)
    assert done.returncode == 0, f"{done.stdout}\n{conf.read_text()}"


@pytest.mark.parametrize("page, text", blocks("yaml"))
def test_yaml_snippets_are_yaml(page, text):
    assert isinstance(yaml.safe_load(text), dict)


@pytest.mark.parametrize("page, text", blocks("json"))
def test_json_snippets_are_json(page, text):
    """Also a part of a whole; "..." stands for more."""
    text = re.sub(r", \.\.\.", "", text.strip())
    for guess in (text, f"[{text}]", f"{{{text}}}"):
        try:
            json.loads(guess)
            return
        except ValueError:
            pass
    json.loads(text)


# behind "sh": it runs (t/e2e/test_pages.py), or why it does not
MARKS = {"runnable",
         "root",        # changes the machine
         "engine",      # needs docker
         "build",       # CI does it anyway
         "terminal",    # somebody has to look
         "state",       # something has to be wrong first
         "remote"}      # a host or a program that only the reader has


def marks():
    """[(where, mark)]; docker/smoke.sh walks the README beside it."""
    return [(f"{page}:{line}", words[0] if words else "engine"
             if page == "docker/README.md" else "none")
            for page in PAGES for line, _, words in code(page, "sh")]


def test_each_shell_block_runs_or_says_why_not():
    assert not [where for where, mark in marks() if mark not in MARKS]
    mine = [mark for _, mark in marks() if mark != "engine"]
    assert mine.count("runnable") > 0.7 * len(mine), sorted(mine)


@pytest.mark.parametrize("page, text", blocks("sh"))
def test_shell_snippets_are_shell(page, text):
    done = subprocess.run(["bash", "-n"], input=text, text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
