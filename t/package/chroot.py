"""Debian in a folder, and commands in it.  As root.

The folders are kept in $CHORUS_CHROOTS (/var/tmp/chorus-chroots): the next run
needs no download.
"""

import os
import shutil
import subprocess

CACHE = os.environ.get("CHORUS_CHROOTS", "/var/tmp/chorus-chroots")
MIRROR = "http://deb.debian.org/debian"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# /proc and /dev for the one command, and packages that were fetched before; no
# process of it is left when it ends, or when it is ended
ENTER = """
set -e
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$ARCHIVES" "$root/var/cache/apt/archives"
exec chroot "$root" "$@"
"""


class Failed(Exception):
    """Its text is the end of what the command said."""


def call(command, seconds=1800, stdin=subprocess.DEVNULL, **kwargs):
    done = subprocess.run(command, stdin=stdin, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=seconds, **kwargs)
    if done.returncode:
        raise Failed(f"{command} ended with {done.returncode}:\n"
                     + done.stdout[-3000:])
    return done.stdout


def remove(folder):
    if os.path.exists(folder):
        with open("/proc/self/mountinfo") as f:
            mounted = [line for line in f if f" {folder}/" in line]
        assert not mounted, f"{mounted}: not removed"
        shutil.rmtree(folder)


def base(suite):
    """A Debian with what is essential in it, and lists of packages."""
    folder = f"{CACHE}/{suite}"
    if not os.path.exists(f"{folder}.done"):
        remove(folder)
        os.makedirs(f"{CACHE}/debs", exist_ok=True)
        call(["debootstrap", "--variant=minbase",
              f"--cache-dir={CACHE}/debs", suite, folder, MIRROR])
        # what docker's image of Debian has, too: nothing starts
        with open(f"{folder}/usr/sbin/policy-rc.d", "w") as f:
            f.write("#!/bin/sh\nexit 101\n")
            os.fchmod(f.fileno(), 0o755)
        open(f"{folder}.done", "w").close()
    return folder


def copy(suite, name):
    folder = f"{CACHE}/{name}"
    remove(folder)
    call(["cp", "-a", "--reflink=auto", base(suite), folder])
    return folder


def archives(folder):
    """Where its packages are kept: those of each release for themselves, as
    apt locks that folder."""
    with open(f"{folder}/etc/os-release") as f:
        name = next(line.split("=")[1].strip() for line in f
                    if line.startswith("VERSION_CODENAME="))
    path = f"{CACHE}/archives/{name}"
    os.makedirs(f"{path}/partial", exist_ok=True)
    return path


def run(folder, command, env=None, cwd="/", seconds=1800):
    """In that root, as root; `command` is for its shell."""
    shutil.copyfile("/etc/resolv.conf", f"{folder}/etc/resolv.conf")
    environment = {"PATH": PATH, "ARCHIVES": archives(folder),
                   "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root",
                   "LC_ALL": "C.UTF-8", **(env or {})}
    return call(["unshare", "-m", "--propagation", "private", "--pid",
                 "--fork", "--kill-child", "sh", "-c", ENTER, "enter", folder,
                 "sh", "-c", f"cd {cwd} && {command}"], seconds,
                env=environment)
