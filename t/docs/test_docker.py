"""docker/: what can be known without an engine.  `make package-check` builds
the images and walks the tour."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys

import pytest
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("CHORUS_BUILD", "build"))
sys.path.insert(0, f"{ROOT}/t/package")

import dockerfile  # noqa: E402

IMAGES = [("docker/Dockerfile", "worker"), ("docker/Dockerfile", "proxy"),
          ("docker/redis/Dockerfile", None), ("docker/ceph/Dockerfile", None),
          ("docker/client/Dockerfile", None)]
FILES = sorted({path for path, _ in IMAGES})


def read(path):
    with open(f"{ROOT}/{path}", encoding="utf-8") as f:
        return f.read()


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(read("docker/compose.yml"))


# ---- images

@pytest.mark.parametrize("path", FILES)
def test_an_image_is_debian_and_nothing_else(path):
    for stage in dockerfile.parse(path):
        assert stage.base == "debian:bookworm-slim"
        assert {word for word, _ in stage.steps} <= {
            "WORKDIR", "COPY", "RUN", "LABEL", "ENV", "USER", "VOLUME",
            "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


@pytest.mark.parametrize("path", FILES)
def test_a_layer_has_no_list_of_packages_and_no_recommended_ones(path):
    for stage in dockerfile.parse(path):
        for word, text in stage.steps:
            if word != "RUN" or not re.search(r"apt-get|install-pack", text):
                continue
            assert "rm -rf /var/lib/apt/lists/*" in text
            assert "apt-get install" not in text \
                or "install -y --no-install-recommends" in text
            assert not re.search(r"\bupgrade\b|curl .*\| *(ba)?sh", text)


@pytest.mark.parametrize("path, target", IMAGES)
def test_an_image_runs_without_root_and_says_how_it_is(path, target):
    stage = dockerfile.target(path, target)
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", stage.last("USER"))
    assert stage.words("ENTRYPOINT"), "in its JSON form"
    assert stage.last("HEALTHCHECK") == "NONE" \
        or "--timeout=" in stage.last("HEALTHCHECK")
    for label in ("title", "description", "licenses"):
        assert f"org.opencontainers.image.{label}=" in stage.last("LABEL")
    # nothing is done as root after it
    words = [word for word, _ in stage.steps]
    assert "RUN" not in words[words.index("USER"):]


@pytest.mark.parametrize("path", FILES)
def test_what_is_copied_is_there_and_what_is_secret_is_not(path):
    files = dockerfile.context()
    for stage in dockerfile.parse(path):
        for word, text in stage.steps:
            if word == "COPY" and not text.startswith("--from="):
                for source in text.split()[:-1]:
                    assert source == "." or source in files, source
    assert not [f for f in files if "secrets/" in f or f.endswith(".env")
                or f.startswith((".git/", "build/"))]
    assert {"Makefile", "debian/rules", "t/lib/ceph-store"} <= set(files)


@pytest.mark.parametrize("path", FILES)
def test_scripts_can_be_executed(path):
    for stage in dockerfile.parse(path):
        for word, text in stage.steps:
            if word == "COPY" and "/usr/local/bin/" in text:
                assert os.access(f"{ROOT}/{text.split()[0]}", os.X_OK), text


# ---- compose.yml

def test_services_may_do_nothing_they_do_not_need(compose):
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].startswith("${CHORUS_UID"), name
        assert "privileged" not in service and "environment" not in service \
            or not re.search("PASSWORD|SECRET_KEY$|TOKEN$",
                             " ".join(service["environment"])), name


def test_services_wait_for_those_they_need(compose):
    services = compose["services"]
    needs = {name: s.get("depends_on", {}) for name, s in services.items()}
    assert needs["proxy"] and needs["worker"]
    for name, how in needs.items():
        for other, condition in how.items():
            assert condition == {"condition": "service_healthy"}
            # compose 2 refuses one whose profile may be off
            assert not services[other].get("profiles"), (name, other)


def test_only_loopback_is_published(compose):
    ports = [port for s in compose["services"].values()
             for port in s.get("ports", [])]
    assert len(ports) == 2
    assert all(re.match(r"\$\{\w+:-127\.0\.0\.1:\d+\}:\d+$", p)
               for p in ports)


def test_profiles(compose):
    assert {n: s.get("profiles") for n, s in compose["services"].items()} == {
        "redis": None, "proxy": None, "worker": None, "ceph-main": ["demo"],
        "ceph-follower": ["demo"], "client": ["client"]}
    assert compose["services"]["worker"]["scale"] == 2


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """docker/ of a user who has run setup."""
    folder = tmp_path_factory.mktemp("own") / "docker"
    shutil.copytree(f"{ROOT}/docker", folder,
                    ignore=shutil.ignore_patterns("secrets", ".env"))
    subprocess.run([f"{folder}/setup"], check=True, capture_output=True,
                   timeout=60)
    return folder


def test_setup_makes_the_secrets_and_keeps_them(own, compose):
    named = {name: text["file"] for name, text in compose["secrets"].items()}
    assert {f"./secrets/{n}" for n in os.listdir(own / "secrets")} \
        == set(named.values())
    used = {s for service in compose["services"].values()
            for s in service.get("secrets", [])}
    assert used == set(named)
    before = {}
    for name in named:
        path = own / "secrets" / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        before[name] = path.read_text()
    assert len(set(before.values())) == len(before)
    assert all(re.fullmatch("[A-Za-z0-9]{40}", t) for t in before.values())
    subprocess.run([f"{own}/setup", "own"], check=True, capture_output=True,
                   timeout=60)
    assert {n: (own / "secrets" / n).read_text() for n in named} == before
    assert "COMPOSE_PROFILES=\n" in (own / ".env").read_text()


def test_the_configuration_is_taken(own, tmp_path):
    """By chorusctl and by nginx, with this machine's paths and names."""
    shutil.copytree(own / "conf", tmp_path / "etc")
    here = {"/run/secrets": str(own / "secrets"),
            "/etc/chorus": str(tmp_path / "etc"),
            "/etc/nginx": f"{ROOT}/conf",
            "/usr/lib/nginx/modules": BUILD,
            "/var/lib/chorus": str(tmp_path),
            "/tmp/": f"{tmp_path}/",
            "redis://redis": "redis://127.0.0.1",
            " ceph-main:": " 127.0.0.1:"}
    for path in (tmp_path / "etc").iterdir():
        text = re.sub("|".join(here), lambda m: here[m.group()],
                      path.read_text())
        path.write_text("user root;\n" + text if path.suffix == ".conf"
                        and os.geteuid() == 0 else text)
    done = subprocess.run([f"{BUILD}/chorusctl", "config", "check",
                           f"{tmp_path}/etc/chorus.json"], timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    json.loads(read("docker/conf/chorus.json"))
    done = subprocess.run(
        [os.environ.get("TEST_NGINX_BINARY", "nginx"), "-t", "-e", "stderr",
         "-c", f"{tmp_path}/etc/nginx.conf"], timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    # in its container the API listens on all addresses; compose publishes it
    # on loopback only
    warnings = [line for line in done.stdout.splitlines()
                if "[warn]" in line and '"chorus_api" listens on' not in line]
    assert done.returncode == 0 and not warnings, done.stdout
