"""docker/: what can be known without an engine.  `make package-check` builds
the images and walks the tour."""

import json
import os
import re
import shutil
import signal
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


def test_all_that_a_package_is_made_of_is_copied():
    """What `make install` and debhelper take is in the engine's context."""
    named = re.findall(r"install -D -m \d+ ([a-z]+/\S+)", read("Makefile"))
    for name in os.listdir(f"{ROOT}/debian"):
        if name.endswith((".examples", ".manpages")):
            named += read(f"debian/{name}").split()
    assert len(named) > 10
    files = dockerfile.context()
    for path in named:
        assert path in files \
            or [f for f in files if f.startswith(f"{path}/")], path


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


# ---- the tour

def test_the_tour_and_the_script_that_walks_it_have_the_same_steps():
    readme = re.findall(r"^\*\*((?:\d+\. )?[^*]+)\*\*",
                        read("docker/README.md"), re.M)
    script = read("docker/smoke.sh")
    assert re.findall(r'^(?:walk|eval "\$\(commands_of) "([^"]+)"', script,
                      re.M) == readme
    steps = [title for title in readme if title[0].isdigit()]
    assert [int(t.split(".")[0]) for t in steps] == list(range(1, 11))
    # the script looks at what each has done
    for part in re.split(r"^walk ", script, flags=re.M)[1:]:
        title, _, rest = part.partition("\n")
        assert re.search(r"^(expect|within|equal|\w+ .*\|\| fail)", rest,
                         re.M), title


def test_the_commands_of_the_tour_are_shell_and_speak_of_this_project():
    """Services of compose.yml, and commands that chorusctl knows."""
    services = yaml.safe_load(read("docker/compose.yml"))["services"]
    known = subprocess.run([f"{BUILD}/chorusctl", "--help"], check=True,
                           capture_output=True, text=True, timeout=60).stdout
    blocks = re.findall(r"^```sh\n(.*?)^```$", read("docker/README.md"),
                        re.M | re.S)
    assert len(blocks) > 10
    for block in blocks:
        subprocess.run(["bash", "-n"], input=block, text=True, check=True,
                       timeout=60)
        for name in re.findall(r"compose (?:exec|run --rm) (?:-T )?(\w+)|"
                               r"--scale (\w+)=", block):
            assert "".join(name) in services
        for words in re.findall(r"^ctl ((?:repl )?[a-z]+)", block, re.M):
            assert re.search(rf"^  {words}\b", known, re.M), words


def test_the_script_that_walks_the_tour_fails_loudly(own):
    """Without an engine nothing is as it should be."""
    done = subprocess.run(
        [f"{own}/smoke.sh"], stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
        env=dict(os.environ, CHORUS_COMPOSE="false", CHORUS_DOCKER="false"))
    assert done.returncode == 1
    assert re.search(r'^smoke.sh: FAILED .*"Start."', done.stdout, re.M)


def test_the_script_that_walks_the_tour_does_not_wait_for_ever(own, tmp_path):
    (tmp_path / "hangs").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "hangs").chmod(0o755)
    done = subprocess.run(
        [f"{own}/smoke.sh"], stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
        env=dict(os.environ, CHORUS_COMPOSE=f"{tmp_path}/hangs",
                 CHORUS_SMOKE_SECONDS="1"))
    assert done.returncode == 1
    assert re.search(r'^smoke.sh: FAILED .*"Start."', done.stdout, re.M)


def test_the_tour_ends_no_project_but_its_own(own, tmp_path):
    """docker-compose puts what is in the environment before .env."""
    fake = tmp_path / "compose"
    fake.write_text('#!/bin/sh\n'
                    f'echo "$COMPOSE_PROJECT_NAME $*" >> {tmp_path}/said\n'
                    'exit 1\n')
    fake.chmod(0o755)
    env = dict(os.environ, CHORUS_COMPOSE=str(fake), CHORUS_DOCKER="false",
               COMPOSE_PROJECT_NAME="mine")
    done = subprocess.run([f"{own}/smoke.sh"], env=env, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=60)
    said = (tmp_path / "said").read_text().splitlines()
    assert done.returncode == 1 and " down -v" in said[-1]
    assert {line.split()[0] for line in said} == {"chorus-smoke"}


def test_the_tour_refuses_to_write_to_storages_of_your_own(tmp_path):
    shutil.copy(f"{ROOT}/docker/smoke.sh", tmp_path)
    (tmp_path / ".env").write_text("COMPOSE_PROFILES=\n")
    done = subprocess.run(
        [f"{tmp_path}/smoke.sh"], capture_output=True, text=True, timeout=60,
        env=dict(os.environ, CHORUS_COMPOSE="echo ran", CHORUS_DOCKER="echo"))
    assert done.returncode == 1 and "your own storages" in done.stderr
    assert done.stdout == ""


# ---- the proxy's entry point

# what nginx -t says, and the name that is waited for
NAMES = [
    ('nginx: [emerg] host not found in upstream "store:7480" in /c:9',
     "store"),
    ('nginx: [emerg] "/c.json": redis.url: host not found "nosuch.invalid"',
     "nosuch.invalid"),
    ('nginx: [warn] "/c.json": redis.url: host not found "one"\n'
     'nginx: [emerg] "/c.json": redis.url: no sentinel has an address',
     "one"),
]


def entrypoint(folder, said):
    """It, beside an nginx that does not start and says that."""
    (folder / "said").write_text(said + "\n")
    (folder / "nginx").write_text(f"#!/bin/sh\ncat {folder}/said\nexit 1\n")
    (folder / "nginx").chmod(0o755)
    return subprocess.Popen(
        [f"{ROOT}/docker/proxy/entrypoint", "/c"], text=True,
        stderr=subprocess.PIPE,
        env=dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT,
                                    signal.SIGTERM])
@pytest.mark.parametrize("said, name", NAMES)
def test_the_proxy_waits_for_a_name_until_it_is_told_to_end(
        tmp_path, said, name, number):
    process = entrypoint(tmp_path, said)
    assert process.stderr.readline() \
        == f"chorus-proxy: waits for the name {name}\n"
    process.send_signal(number)
    assert process.wait(60) == 0
    process.stderr.close()


@pytest.mark.parametrize("said", [
    'nginx: [emerg] unknown directive "x" in /c:1',
    'nginx: [warn] "/c.json": redis.url: host not found "one"\n'
    'nginx: [emerg] unknown directive "x" in /c:1'])
def test_the_proxy_does_not_wait_for_what_does_not_come(tmp_path, said):
    process = entrypoint(tmp_path, said)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and told == said + "\n"


# ---- setup

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
    text = (own / ".env").read_text()
    assert "COMPOSE_PROJECT_NAME=chorus\n" in text
    (own / ".env").write_text(text.replace("NAME=chorus", "NAME=mine")
                              + "CHORUS_WAIT_SECONDS=9\n")
    subprocess.run([f"{own}/setup", "own"], check=True, capture_output=True,
                   timeout=60)
    assert {n: (own / "secrets" / n).read_text() for n in named} == before
    env = (own / ".env").read_text().splitlines()
    assert {"COMPOSE_PROFILES=", "CHORUS_WAIT_SECONDS=9",
            "COMPOSE_PROJECT_NAME=mine"} <= set(env)
    assert len({line.split("=")[0] for line in env}) == len(env)


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
