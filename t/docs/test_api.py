"""docs/api.md, docs/openapi.json and the table of the API's paths in the
module are one; docs/metrics.md names the metrics that there are."""

import json
import re

import pytest

from pages import ROOT, read, section

PAGE = "docs/api.md"
KINDS = ("replications", "routes", "blocks", "pauses")
# what any path may answer stands once, at the top of the page
COMMON = {"200", "201", "400", "401", "403", "411", "413", "429", "503"}


def routes():
    """{(METHOD, path with * for names): (arguments, takes a body)} of the
    table in the module."""
    found = {}
    for method, path, body, args in re.findall(
            r'\{ NGX_HTTP_(\w+), ngx_string\("(/api/v1[^"]*)"\), ([01]),'
            r'\s*\w+, "([^"]*)" \}',
            read("ngx_chorus_module/ngx_http_chorus_api.c")):
        found[method.replace("CHORUS_API_", ""), path] = (set(args.split()),
                                                          body == "1")
    assert len(found) > 40
    return found


def starred(path):
    return re.sub(r"\{[^}]*\}", "*", path)


def documented():
    """{(METHOD, path): operation} of openapi.json."""
    with open(f"{ROOT}/docs/openapi.json", encoding="utf-8") as f:
        text = json.load(f)
    return {(method.upper(), path): operation
            for path, methods in text["paths"].items()
            for method, operation in methods.items()}


def headings():
    """{(METHOD, path): heading on the page}; KIND stands for four."""
    found = {}
    for heading, method, path in re.findall(
            r"^(### ([A-Z]+) (/api/v1\S*))$", read(PAGE), re.M):
        for kind in KINDS if "/KIND" in path else (None,):
            name = path.replace("KIND", kind) if kind else path
            assert (method, name) not in found, f"{name} is there twice"
            found[method, name] = heading
    return found


def test_openapi_has_the_paths_of_the_module_and_the_reverse():
    mine = {(method, starred(path)): operation
            for (method, path), operation in documented().items()}
    assert set(mine) == set(routes())
    for where, (args, takes_body) in routes().items():
        assert {p["name"] for p in mine[where].get("parameters", ())
                if p["in"] == "query"} == args, where
        assert ("requestBody" in mine[where]) == takes_body, where


def test_each_path_has_a_section_and_the_reverse():
    assert set(headings()) == set(documented())


def field(text, name):
    found = re.search(rf"^    {name}: +(.*)$", text, re.M)
    return found.group(1) if found else ""


@pytest.mark.parametrize("where", sorted(documented()), ids=" ".join)
def test_the_section_of_a_path(where):
    method, path = where
    operation = documented()[where]
    text = section(PAGE, headings()[where])
    answers = set(operation["responses"])
    assert field(text, "Role") == ("read" if method == "GET" else "admin")
    assert ("403" in answers) == (method != "GET")
    assert sorted(field(text, "Arguments").split()) == sorted(
        p["name"] for p in operation.get("parameters", ())
        if p["in"] == "query")
    assert set(field(text, "Errors").split()) == answers - COMMON
    assert (field(text, "Redis") == "not needed") == ("503" not in answers)
    for status in re.findall(r"\b([45]\d\d):", text):
        assert status in answers, status
    calls = " ".join(block for _, block in re.findall(
        "```sh (\\w+)\n(.*?)```", text, re.S)).replace("\\\n", " ")
    assert re.search("-X " + method if method != "GET" else "api ", calls)
    # of any kind of rule; of a name any
    path = re.sub(r"\\{\w+\\}", r"[^/?\\s]+", re.escape(path))
    for kind in KINDS:
        path = path.replace(f"v1/{kind}", f"v1/(?:{'|'.join(KINDS)})")
    assert re.search(rf"9671{path}[\s\"?]", calls + " "), "no example"


def test_the_codes_of_errors_are_those_of_the_module():
    rows = re.findall(r"^\| (\d{3}) \| (`[\w`, ]+`) \|", read(PAGE), re.M)
    told = {code for _, codes in rows for code in re.findall(r"\w+", codes)}
    calls = re.findall(r"_api_(?:refuse|reject|answer)\w*\((.*?)\);",
                       read("ngx_chorus_module/*.c"), re.S)
    mine = {code for call in calls
            for code in re.findall(r'[,:?]\s*"([a-z]+(?:_[a-z]+)*)",', call)}
    assert len(mine) > 10 and mine <= told
    # some are a worker's
    sources = read("ngx_chorus_module/*.c", "chorus-worker/ask*.c")
    assert not [code for code in told if f'"{code}' not in sources
                and f'\\"{code}' not in sources]


# ---- metrics

def metrics():
    """Names of all families that the module may tell."""
    text = read("ngx_chorus_module/ngx_http_chorus_metrics*.c")
    names = set(re.findall(r"# TYPE (chorus_\w+) ", text))
    names |= set(re.findall(r'\{ "(chorus_\w+)", "(?:gauge|counter)"', text))
    for call in re.findall(r"_text_family\(text,(.*?)\);", text, re.S):
        names |= set(re.findall(r'"(chorus_\w+)"', call))
    # of one family for each field
    for field in re.findall(r'_rows_storages\(rows, text, "(\w+)"', text):
        names.add(f"chorus_worker_storage_{field}_total")
    assert len(names) > 40
    return names


def test_each_metric_has_a_row_and_the_reverse():
    rows = re.findall(r"^\| `(chorus_\w+)(?:\{[\w,]*\})?` \| (.+) \|$",
                      read("docs/metrics.md"), re.M)
    assert {name for name, _ in rows} == metrics()
    assert all(len(what) > 5 for _, what in rows)


def test_alerts_and_dashboard_ask_for_metrics_that_exist():
    for path in ("conf/prometheus/alerts.yml", "conf/grafana/chorus.json"):
        asked = {re.sub("_(bucket|sum|count)$", "", name) for name in
                 re.findall(r"\bchorus_[a-z_]+[a-z]\b", read(path))}
        assert asked <= metrics(), (path, asked - metrics())
