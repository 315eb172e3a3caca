"""Units and images, proven in chroots (make package-check), as root."""

import os
import re
import subprocess
import sys

import chroot
import dockerfile

ROOT = dockerfile.ROOT
ENGINE = f"{sys.executable} -B {ROOT}/t/package/engine.py"


# ---- units

def test_the_unit_is_sound_and_tight(tmp_path):
    text = open(f"{ROOT}/conf/systemd/chorus-worker.service").read()
    unit = tmp_path / "chorus-worker.service"
    unit.write_text(text.replace("/usr/bin/chorus-worker", "/bin/true"))
    env = dict(os.environ, MANPATH=f"{ROOT}/debian")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no",
                           str(unit)], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode == 0 and "chorus-worker" not in done.stdout, \
        done.stdout
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes",
                           "--threshold=20", str(unit)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-300:]


def test_logrotate_takes_the_sample(tmp_path):
    text = open(f"{ROOT}/conf/logrotate/chorus-worker").read()
    log = tmp_path / "worker.log"
    log.write_text("a line\n")
    conf = tmp_path / "conf"
    conf.write_text(text.replace("/var/log/chorus", str(tmp_path)))
    conf.chmod(0o644)
    tmp_path.chmod(0o755)
    chroot.call(["logrotate", "-f", "-s", f"{tmp_path}/state", str(conf)])
    assert log.read_text() == ""
    assert (tmp_path / "worker.log.1").read_text() == "a line\n"


# ---- images

def test_compose_1_29_takes_the_file(tmp_path):
    chroot.call(["cp", "-r", f"{ROOT}/docker", str(tmp_path)])
    folder = f"{tmp_path}/docker"
    chroot.call([f"{folder}/setup"])
    for profile in ("demo", "client"):
        said = chroot.call(["docker-compose", "--profile", profile, "config"],
                           cwd=folder)
        assert "chorus-proxy:" in said


def test_the_tour(tmp_path):
    done = subprocess.run(
        [f"{ROOT}/docker/smoke.sh"], stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=3000,
        env=dict(os.environ, CHORUS_COMPOSE=f"{ENGINE} compose",
                 CHORUS_DOCKER=f"{ENGINE} docker"))
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-5000:]
    assert len(re.findall(r"^\[ *\d+ s\] \d+\.", done.stdout, re.M)) == 10
