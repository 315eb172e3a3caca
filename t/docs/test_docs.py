"""The documentation says what there is, and nothing else: a directive, variable,
setting, command or option without its page fails here, and the reverse; links
lead somewhere; nginx takes the snippets."""

import functools
import glob
import json
import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("CHORUS_BUILD", "build"))
PAGES = sorted(os.path.relpath(p, ROOT) for p in
               glob.glob(f"{ROOT}/*.md") + glob.glob(f"{ROOT}/docs/*.md")
               + glob.glob(f"{ROOT}/docker/*.md")
               + glob.glob(f"{ROOT}/t/lib/*.md"))


@functools.cache
def read(*paths):
    text = []
    for path in paths:
        names = sorted(glob.glob(f"{ROOT}/{path}"))
        assert names, path
        for name in names:
            with open(name, encoding="utf-8") as f:
                text.append(f.read())
    return "\n".join(text)


def section(page, heading):
    """Its lines up to the next heading of that level or above."""
    level = re.match("#+", heading).group()
    rest = read(page).split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(level)}}} ", rest)[0]


def code(page, language):
    """(line, text) of each block of that language."""
    text = read(page)
    return [(text[:m.start()].count("\n") + 1, m.group(1)) for m in
            re.finditer(rf"^```{language}\n(.*?)^```", text, re.M | re.S)]


def blocks(language):
    return [pytest.param(page, text, id=f"{page}:{line}")
            for page in PAGES for line, text in code(page, language)]


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


def test_each_variable_has_a_row_and_the_reverse():
    inside = set(re.findall(r'ngx_string\("(chorus_\w+)"\), NULL',
                            read("ngx_chorus_module/*.c")))
    rows = set(re.findall(r"^\| `\$(chorus_\w+)` \|",
                          read("docs/directives.md"), re.M))
    assert len(rows) > 5
    assert rows == inside


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


# ---- programs

def commands():
    return {" ".join(w for w in words if w) for words in re.findall(
        r'^    \{ "(\w+)", (?:NULL|"(\w+)"), -?\d, \w+,',
        read("chorusctl/*.c"), re.M)}


def test_each_command_of_chorusctl_is_described_and_the_reverse():
    described = set(re.findall(r"^### chorusctl ((?:[a-z]+ ?)+?)(?: [A-Z].*)?$",
                               read("docs/operations.md"), re.M))
    assert commands() and described == commands()


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
        for _, text in code(page, "sh"):
            named |= set(re.findall(r"^make ([a-z][a-z-]*)", text, re.M))
        assert named <= targets | {"modules"}, (page, named - targets)


# ---- links

def slug(heading):
    """The anchor that GitHub makes of it."""
    heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def anchors(path):
    text = re.sub(r"^```.*?^```", "", read(path), flags=re.M | re.S)
    return {slug(h) for h in re.findall(r"^#+ (.*)$", text, re.M)}


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


def test_each_page_can_be_found_from_the_readme():
    linked = set(re.findall(r"\]\((docs/[^)#]+)", read("README.md")))
    assert {p for p in PAGES if p.startswith("docs/")} <= linked


# ---- snippets

def whole(text, folder):
    """The configuration that the snippet is a part of."""
    if "load_module" not in text:
        if re.search(r"^chorus_proxy\.conf|^location|^proxy_|^chorus ", text,
                     re.M):
            text = f"server {{ listen 127.0.0.1:9669; {text} }}"
        upstreams = "".join(
            f"upstream {name} {{ server 127.0.0.1:9001; }}\n"
            for name in ("main", "follower")
            if not re.search(rf"upstream\s+{name}\b", text))
        text = ("events { }\nhttp {\nchorus_config /etc/chorus/chorus.json;\n"
                f"{upstreams}{text}\n}}\n")
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


@pytest.mark.parametrize("page, text", blocks("sh"))
def test_shell_snippets_are_shell(page, text):
    done = subprocess.run(["bash", "-n"], input=text, text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
