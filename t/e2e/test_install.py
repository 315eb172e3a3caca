"""make install and make uninstall, below DESTDIR."""

import os
import stat
import subprocess

import pytest

from stack import ROOT

BUILD = os.environ.get("CHORUS_BUILD", f"{ROOT}/build")
INSTALLED = {
    "etc/nginx/chorus_proxy.conf": 0o644,
    "etc/nginx/chorus_server.conf": 0o644,
    "etc/nginx/chorus_ui.conf": 0o644,
    "usr/lib/nginx/modules/ngx_http_chorus_module.so": 0o644,
    "usr/local/bin/chorus-worker": 0o755,
    "usr/local/bin/chorusctl": 0o755,
    "usr/local/lib/systemd/system/chorus-worker.service": 0o644,
    "usr/local/share/man/man1/chorusctl.1": 0o644,
    "usr/share/doc/chorus/alerts.yml": 0o644,
    "usr/share/doc/chorus/chorus.json": 0o644,
    "usr/share/doc/chorus/grafana.json": 0o644,
    "usr/share/doc/chorus/nginx.conf": 0o644,
}
UI = {f"usr/share/chorus/{os.path.relpath(os.path.join(path, name), ROOT)}":
      0o644 for path, _, names in os.walk(f"{ROOT}/ui") for name in names}


def make(target, folder):
    # -o all: what is installed is the build that is tested
    done = subprocess.run(
        ["make", "-C", ROOT, "-o", "all", f"BUILD={BUILD}", target,
         f"DESTDIR={folder}"], stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    assert done.returncode == 0, done.stdout


def files(folder):
    return {os.path.relpath(os.path.join(path, name), folder)
            for path, _, names in os.walk(folder) for name in names}


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def installed(tmp_path):
    make("install", tmp_path)
    return tmp_path


def test_all_files_are_below_destdir(installed):
    assert {f: mode(installed / f) for f in files(installed)} == {
        **INSTALLED, **UI}


def test_the_journal_has_a_folder_of_its_own(installed):
    """nginx makes no parents, and nobody else reads the keys in it."""
    assert mode(installed / "var/lib/chorus") == 0o755
    assert mode(installed / "var/lib/chorus/journal") == 0o700
    conf = (installed / "usr/share/doc/chorus/nginx.conf").read_text()
    assert "chorus_journal  /var/lib/chorus/journal;" in conf


def test_uninstall_leaves_what_is_not_ours(installed):
    kept = {"etc/chorus/chorus.json", "var/lib/chorus/journal/1.seg",
            "etc/nginx/nginx.conf", "usr/local/bin/other"}
    for name in kept:
        (installed / name).parent.mkdir(parents=True, exist_ok=True)
        (installed / name).write_text("mine")
    make("install", installed)
    make("uninstall", installed)
    assert files(installed) == kept
