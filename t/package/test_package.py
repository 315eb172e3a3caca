"""Packages, units and images, proven in chroots (make package-check), as root,
some ten minutes the first time.  The images are built first; the packages that
are tested are those of the build stage, so that what a clean Debian has is
enough to make them."""

import glob
import os
import re
import subprocess
import sys

import pytest

import chroot
import dockerfile
import image

ROOT = dockerfile.ROOT
ENGINE = f"{sys.executable} -B {ROOT}/t/package/engine.py"


@pytest.fixture(scope="module")
def packages():
    """The folder with the packages, built on a clean Debian 12."""
    folder = image.build("docker/Dockerfile", "build",
                         "image-build-Dockerfile", {})
    return f"{folder}/src/build/packages"


def debs(packages):
    return [p for p in glob.glob(f"{packages}/*.deb") if "dbgsym" not in p]


# ---- Debian packages

def test_lintian_has_nothing_to_say(packages):
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning",
         *glob.glob(f"{packages}/*.changes")], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=600)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def machine(packages):
    """A Debian 12 with nginx and our packages, as a user installs them."""
    folder = chroot.copy("bookworm", "machine")
    chroot.run(folder, "apt-get update -q && apt-get install -y -q"
               " --no-install-recommends nginx redis-server")
    os.mkdir(f"{folder}/debs")
    for path in debs(packages):
        chroot.call(["cp", path, f"{folder}/debs/"])
    chroot.run(folder, "apt-get install -y -q --no-install-recommends"
               " /debs/*.deb")
    return folder


def test_installed(machine):
    assert chroot.run(machine, "stat -c '%U %G %a' /etc/chorus").split() \
        == ["root", "chorus", "750"]
    assert "nologin" in chroot.run(machine, "getent passwd chorus")
    assert "syntax is ok" in chroot.run(machine, "nginx -t")
    assert "chorus-worker 0." in chroot.run(machine, "chorus-worker -V")
    assert "chorusctl" in chroot.run(machine, "chorusctl --help")
    assert os.path.islink(machine + "/etc/systemd/system/multi-user.target"
                          ".wants/chorus-worker.service")


def test_the_samples_of_the_package_run(machine):
    """As docs/operations.md says, with the main storage nowhere: nginx serves,
    and the worker runs as its user."""
    chroot.run(machine, """
        set -e
        examples=/usr/share/doc/libnginx-mod-http-chorus/examples
        install -m 640 -g chorus $examples/chorus.json /etc/chorus/
        (umask 027; echo 0123456789abcdef > /etc/chorus/api.token)
        chgrp chorus /etc/chorus/api.token
        chorusctl config check /etc/chorus/chorus.json
        cp $examples/nginx.conf /etc/nginx/sample.conf
        nginx -t -c /etc/nginx/sample.conf
        rm /etc/nginx/sample.conf
        setpriv --reuid chorus --regid chorus --clear-groups \\
            chorus-worker -t
        ! setpriv --reuid nobody --regid nogroup --clear-groups \\
            chorus-worker -t
    """)


def test_upgraded(machine):
    """What the administrator has changed stays."""
    chroot.run(machine, """
        set -e
        echo '# mine' >> /etc/nginx/chorus_server.conf
        mkdir /newer
        for deb in /debs/*.deb; do
            rm -rf /tree
            dpkg-deb -R $deb /tree
            sed -i 's/^Version: .*/Version: 9.0/' /tree/DEBIAN/control
            dpkg-deb -b /tree /newer/$(basename $deb)
        done
        apt-get install -y -q --no-install-recommends \\
            -o Dpkg::Options::=--force-confold /newer/*.deb
        grep -q '^# mine' /etc/nginx/chorus_server.conf
        [ "$(dpkg-query -W -f '${Version}' chorus-worker)" = 9.0 ]
        test -s /etc/chorus/chorus.json
        nginx -t
    """)


def test_removed_and_purged(machine):
    chroot.run(machine, """
        set -e
        mkdir -p /var/lib/chorus/journal
        touch /var/lib/chorus/journal/1.seg
        apt-get remove -y -q libnginx-mod-http-chorus chorus-worker chorusctl
        nginx -t
        test -s /etc/nginx/chorus_proxy.conf
        test -e /var/lib/chorus/journal/1.seg
        apt-get purge -y -q libnginx-mod-http-chorus chorus-worker chorusctl
        nginx -t
        test -s /etc/chorus/chorus.json
    """)
    left = chroot.run(machine, "rm -r /debs /newer /tree && find / -xdev"
                      " -path /proc -prune -o -name '*chorus*' -print").split()
    assert set(left) == {"/etc/chorus", "/etc/chorus/chorus.json"}


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


# ---- another nginx

def test_the_module_runs_in_the_nginx_of_debian_13():
    folder = chroot.copy("trixie", "trixie-build")
    for path in dockerfile.context():
        image.put(f"{ROOT}/{path}", folder, "/src", path)
    chroot.call(["cp", "-r", f"{ROOT}/t", f"{folder}/src/"])
    said = chroot.run(folder, """
        set -e
        tools/install-packages build
        apt-get install -y -q --no-install-recommends redis-server openssl \\
            curl procps iproute2 perl libtest-base-perl libwww-perl \\
            liburi-perl liblist-moreutils-perl libtext-diff-perl \\
            libtest-longstring-perl libipc-run-perl python3
        make module
        nginx -v
        CHORUS_MODULE=$PWD/build/ngx_http_chorus_module.so t/lib/prove -j2 \\
            t/*.t
    """, cwd="/src", seconds=3000)
    assert "nginx/1.26" in said
    assert re.search(r"^prove: \d{4,} passed, 0 failed", said, re.M)
