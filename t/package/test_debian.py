"""The packages, on Debian 12 and 13: built on a clean one, installed on one
that has booted, used, upgraded, removed.  In this order: each test goes on
where the one before has left the machine."""

import glob
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import time

import pytest

import chroot
from machine import Machine

OURS = "libnginx-mod-http-chorus chorus-worker chorusctl"
APT = "apt-get install -y -q --no-install-recommends"

# what any installation changes, or any boot
NOISE = re.compile(
    r"/(proc|sys|dev|run|tmp|root|newer|debs)(/|$)|/var/(cache|log|tmp)(/|$)"
    r"|/var/lib/(dpkg|apt|redis|systemd/(timers|random-seed|credential|"
    r"catalog|linger|coredump|ephemeral|pstore|backlight|rfkill|network))"
    r"|/var/lib/(private|ucf|nginx/\w+)|/etc/(ld.so.cache|resolv.conf|.updated"
    r"|machine-id|mtab)|/var/.updated|.*/__pycache__"
    # of an nginx that runs; the folder itself is looked at
    r"|/var/lib/chorus/journal/[^/]+\.seg$")
# the user stays, since files may belong to it
USER = re.compile(r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$")

FETCH = """
until [ -e /run/enough ]; do
    curl -s -o /dev/null -m 20 -w '%{http_code} page\n' \
        http://127.0.0.1:9671/ui/
    curl -s -o /dev/null -m 20 -w '%{http_code} object\n' \
        --aws-sigv4 aws:amz:us-east-1:s3 \
        --user CHORUS-ACCESS-KEY:CHORUS-SECRET-KEY \
        -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
        http://127.0.0.1:9669/bucket/key
done
"""


# ---- what was built

def test_lintian_has_nothing_to_say(built):
    """Not at the level of info either; what is overridden has its reason in
    debian/*.lintian-overrides.  An init script it asks for only in Debian 12,
    where an override would be one too many in Debian 13."""
    said = built.run("lintian --allow-root --display-info --fail-on"
                     " error,warning build/packages/*.changes")
    left = [line for line in said.splitlines() if re.match("[EWI]: ", line)
            and "alternative-init-but-no-init.d-script" not in line]
    assert left == []


def programs(folder):
    return [f"{folder}/usr/bin/chorus-worker", f"{folder}/usr/bin/chorusctl",
            f"{folder}/usr/lib/nginx/modules/ngx_http_chorus_module.so"]


def test_all_is_compiled_and_linked_as_debian_hardens(built, tmp_path):
    done = subprocess.run(["blhc", "--bindnow", "--arch=amd64",
                           f"{built.packages}/build.log"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60)
    assert done.returncode == 0, done.stdout[-3000:]
    assert len(re.findall("-D_FORTIFY_SOURCE=", built.log())) > 200

    for path in built.debs():
        chroot.call(["dpkg-deb", "-x", path, str(tmp_path)])
    for program in programs(tmp_path):
        said = chroot.call(["readelf", "-hldW", "--dyn-syms", program])
        assert re.search(r"Type: +DYN", said), f"{program}: no PIE"
        assert "GNU_RELRO" in said, f"{program}: no RELRO"
        assert "BIND_NOW" in said, f"{program}: lazy binding"
        assert re.search(r"GNU_STACK.* RW +0x", said), f"{program}: stack"
        assert "__stack_chk_fail" in said, f"{program}: no protector"
        assert re.search(r"__\w+_chk@", said), f"{program}: no fortify"
        if program.endswith("worker") or program.endswith("ctl"):
            assert "PIE" in said, f"{program}: no PIE"


# ---- a machine

def snapshot(folder):
    """What is there: of each file its owner, its mode, and its contents."""
    found = {}
    for place, folders, names in os.walk(folder):
        for name in folders + names:
            path = f"{place}/{name}"
            inside = path[len(folder):]
            if NOISE.match(inside) or USER.match(inside):
                continue
            info = os.lstat(path)
            digest = ""
            if os.path.islink(path):
                digest = os.readlink(path)
            elif name in names and info.st_size < 1 << 20 \
                    and inside.startswith("/etc/"):
                with open(path, "rb") as f:
                    digest = hashlib.sha256(f.read()).hexdigest()
            found[inside] = (info.st_mode, info.st_uid, info.st_gid, digest)
    return found


def differing(before, after):
    return sorted(path for path in before.keys() | after.keys()
                  if before.get(path) != after.get(path))


@pytest.fixture(scope="session")
def machine(built):
    """With nginx and Redis, and with all that our packages depend on, so that
    what comes and goes later is theirs."""
    folder = chroot.copy(built.suite, f"machine-{built.suite}")
    for place in ("debs", "newer"):
        os.mkdir(f"{folder}/{place}")
    for path in built.debs():
        shutil.copy(path, f"{folder}/debs/")
    shutil.copy(f"{os.path.dirname(__file__)}/storage.py",
                f"{folder}/usr/local/bin/")
    chroot.run(folder, f"""
        set -e
        apt-get update -q
        {APT} nginx redis-server systemd-sysv curl adduser python3
        for deb in /debs/*.deb; do
            apt-get satisfy -y -q --no-install-recommends \\
                "$(dpkg-deb -f $deb Depends)"
        done
        rm /usr/sbin/policy-rc.d
    """)
    with Machine(folder) as booted:
        assert booted.state == "running", \
            booted.run("systemctl --failed --no-pager")
        booted.before = snapshot(folder)
        yield booted


def test_installed(machine):
    machine.run(f"{APT} /debs/*.deb")
    assert machine.run("stat -c '%U %G %a' /etc/chorus").split() \
        == ["root", "chorus", "750"]
    assert "nologin" in machine.run("getent passwd chorus")
    assert "syntax is ok" in machine.run("nginx -t")
    assert "chorus-worker 0." in machine.run("chorus-worker -V")
    assert "chorusctl" in machine.run("chorusctl --help")
    # enabled, and waits for its configuration without a failure
    assert machine.run("systemctl is-enabled chorus-worker").strip() \
        == "enabled"
    assert "inactive" in machine.run("systemctl is-active chorus-worker || :")
    assert machine.run("systemctl is-system-running").strip() == "running"


def test_configured_as_the_page_says_it_serves_and_replicates(machine):
    """docs/operations.md; the follower has what main has."""
    machine.run("""
        set -e
        for port in 9001 9002; do
            systemd-run -q --unit=storage-$port storage.py $port
        done
        examples=/usr/share/doc/libnginx-mod-http-chorus/examples
        install -m 640 -g chorus $examples/chorus.json /etc/chorus/
        (umask 027; echo 0123456789abcdef > /etc/chorus/api.token)
        chgrp chorus /etc/chorus/api.token
        chorusctl config check /etc/chorus/chorus.json
        setpriv --reuid chorus --regid chorus --clear-groups chorus-worker -t
        ! setpriv --reuid nobody --regid nogroup --clear-groups \\
            chorus-worker -t
        cp /etc/nginx/nginx.conf /root/nginx.conf
        cp $examples/nginx.conf /etc/nginx/nginx.conf
        mkdir -p /etc/systemd/system/nginx.service.d
        cp $examples/nginx.service.d/chorus.conf \\
            /etc/systemd/system/nginx.service.d/
        systemctl daemon-reload
        systemctl restart nginx
        systemctl start chorus-worker
    """)
    machine.until("systemctl status chorus-worker | grep -q Replicating")
    put(machine, "")
    put(machine, "key")
    idle(machine)
    assert machine.run("curl -sf http://127.0.0.1:9002/bucket/key") == "hello"
    # at its limits, as its user, and not with more than it needs
    pid = main_pid(machine)
    status = machine.run(f"cat /proc/{pid}/status")
    assert re.search(r"^CapBnd:\s*0+$", status, re.M)
    assert re.search(r"^NoNewPrivs:\s*1$", status, re.M)
    assert re.search(r"^Seccomp:\s*2$", status, re.M)
    assert machine.run(f"stat -c %U /proc/{pid}").strip() == "chorus"
    # tokens are hidden from it
    assert machine.run(f"nsenter -t {pid} -m stat -c %s "
                       "/etc/chorus/api.token") == "0\n"
    # root of a container may not be allowed to raise it
    files = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert re.search(f"Max open files +{files} ",
                     machine.run(f"cat /proc/{pid}/limits"))
    assert machine.run("systemctl show -P NRestarts chorus-worker"
                       ).strip() == "0"


def test_the_web_page_is_served(machine):
    page = machine.run("curl -sSf http://127.0.0.1:9671/ui/")
    names = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(names) >= 3
    names += [name[len(machine.folder) + len("/usr/share/chorus/ui/"):]
              for name in glob.glob(f"{machine.folder}/usr/share/chorus/ui/"
                                    "**/*.*", recursive=True)]
    names.append("lib/chart.min.js")
    for name in names:
        said = machine.run("curl -sS -o /dev/null -w '%{http_code} "
                           "%{content_type} %{size_download}' "
                           f"http://127.0.0.1:9671/ui/{name}").split()
        assert said[0] == "200" and int(said[-1]) > 100, (name, said)
    head = machine.run("curl -sI http://127.0.0.1:9671/ui/").lower()
    assert "content-security-policy: default-src 'none'" in head


def main_pid(machine, unit="chorus-worker"):
    return int(machine.run(f"systemctl show -P MainPID {unit}"))


def put_command(key, access_key="CHORUS-ACCESS-KEY"):
    """Which prints the status of the answer."""
    return ("$(curl -s -o /dev/null -w '%{http_code}' -X PUT"
            " --data-binary hello --aws-sigv4 aws:amz:us-east-1:s3"
            f" --user {access_key}:CHORUS-SECRET-KEY"
            " -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD'"
            f" http://127.0.0.1:9669/bucket/{key})")


def put(machine, key):
    assert machine.run(f"echo {put_command(key)}").strip() == "200"


def status(machine):
    return json.loads(machine.run("chorusctl -o json status || :"))


def idle(machine):
    """Until nothing waits; what was done then."""
    deadline = time.monotonic() + 60
    while True:
        said = status(machine)
        rows = said.get("queue", {}).get("replications", [])
        if rows and not any(row[name] for row in rows for name in
                            ("dirty", "bulk", "busy", "again", "retry",
                             "failed", "owed")):
            return rows
        assert time.monotonic() < deadline, said
        time.sleep(0.2)


# ---- reload, stop, upgrade

def test_reload_takes_a_changed_configuration(machine):
    """Of both, and both stay: here a client's key is another one."""
    pid, master = main_pid(machine), main_pid(machine, "nginx")
    machine.run("""
        set -e
        sed -i 's/"CHORUS-ACCESS-KEY"/"ANOTHER-ACCESS-KEY"/' \\
            /etc/chorus/chorus.json
        systemctl reload chorus-worker nginx
    """)
    machine.until("journalctl -u chorus-worker | grep -q"
                  " 'read /etc/chorus/chorus.json again'")
    machine.until(f"[ {put_command('later', 'ANOTHER-ACCESS-KEY')} = 200 ]")
    assert machine.run(f"echo {put_command('refused')}").strip() == "403"
    idle(machine)
    assert (main_pid(machine), main_pid(machine, "nginx")) == (pid, master)
    machine.run("sed -i s/ANOTHER-ACCESS-KEY/CHORUS-ACCESS-KEY/"
                " /etc/chorus/chorus.json; systemctl reload nginx")
    machine.until(f"[ {put_command('later')} = 200 ]")
    idle(machine)


def test_stop_ends_what_is_copied(machine):
    """A follower that hangs: the copy is under way, stop waits for it, and
    nothing is left to another worker."""
    machine.run("systemctl kill -s STOP storage-9002")
    put(machine, "slow")
    machine.until("chorusctl failed; chorusctl explain s3://bucket/slow"
                  " | grep -q 'a worker is at it right now'")
    machine.run("systemctl stop --no-block chorus-worker")
    time.sleep(1)
    assert machine.run("systemctl is-active chorus-worker || :").strip() \
        == "deactivating"
    machine.run("systemctl kill -s CONT storage-9002")
    machine.until("[ $(systemctl is-active chorus-worker) = inactive ]")
    assert machine.run("systemctl show -P Result chorus-worker").strip() \
        == "success"
    idle(machine)
    machine.run("systemctl start chorus-worker")
    machine.until("systemctl status chorus-worker | grep -q Replicating")


def test_killed_it_is_started_again(machine):
    pid = main_pid(machine)
    machine.run("systemctl kill -s KILL chorus-worker")
    machine.until(f"[ $(systemctl show -P MainPID chorus-worker) != {pid} ]"
                  " && systemctl status chorus-worker | grep -q Replicating")


def newer(machine):
    """Version 9.0 of all, with a configuration file that has changed."""
    machine.run("""
        set -e
        for deb in /debs/*.deb; do
            rm -rf /root/tree
            dpkg-deb -R $deb /root/tree
            sed -i 's/^Version: .*/Version: 9.0/' /root/tree/DEBIAN/control
            for conf in proxy server ui; do
                conf=/root/tree/etc/nginx/chorus_$conf.conf
                [ ! -e $conf ] || echo '# newer' >> $conf
            done
            dpkg-deb -b /root/tree /newer/$(basename $deb)
        done
        rm -rf /root/tree
    """)


def module_of(machine, pid):
    """Whether that process has the file that is installed."""
    maps = machine.run(f"cat /proc/{pid}/maps")
    lines = re.findall(r"^.*ngx_http_chorus_module.*$", maps, re.M)
    assert lines
    return "old" if any("deleted" in line for line in lines) else "installed"


def test_upgraded_while_it_serves(machine):
    """No request fails.  The worker is the new one; a running nginx has the
    old module until it is restarted, whatever reloads it; what the
    administrator has changed or deleted stays."""
    newer(machine)
    machine.run("""
        set -e
        echo '# mine' >> /etc/nginx/chorus_server.conf
        mv /etc/nginx/chorus_ui.conf /etc/nginx/mine.conf
        sed -i 's/  chorus_ui.conf/  mine.conf/' /etc/nginx/nginx.conf
        nginx -t
    """)
    worker, master = main_pid(machine), main_pid(machine, "nginx")
    client = subprocess.Popen(machine.enter(FETCH), stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, text=True)
    try:
        said = machine.run(f"{APT} -o Dpkg::Options::=--force-confold"
                           " /newer/*.deb")
        assert "Triggering nginx reload" in said
        assert main_pid(machine, "nginx") == master
        assert module_of(machine, master) == "old"
        put(machine, "upgraded")
        machine.run("systemctl reload nginx")
        assert module_of(machine, master) == "old"
        time.sleep(1)
    finally:
        machine.run("touch /run/enough")
        answers, _ = client.communicate(timeout=60)
    assert set(answers.splitlines()) == {"200 page", "200 object"}
    assert len(answers.splitlines()) > 20

    assert main_pid(machine) != worker
    machine.until("systemctl status chorus-worker | grep -q Replicating")
    idle(machine)
    machine.run("""
        set -e
        [ "$(dpkg-query -W -f '${Version}' chorus-worker)" = 9.0 ]
        grep -q '^# mine' /etc/nginx/chorus_server.conf
        ! grep -q '^# newer' /etc/nginx/chorus_server.conf
        grep -q '^# newer' /etc/nginx/chorus_proxy.conf
        test ! -e /etc/nginx/chorus_ui.conf
        systemctl restart nginx
    """)
    assert module_of(machine, main_pid(machine, "nginx")) == "installed"
    put(machine, "restarted")
    idle(machine)


def test_downgraded_only_when_asked_to(machine):
    with pytest.raises(chroot.Failed, match="downgrade"):
        machine.run(f"{APT} /debs/*.deb")
    machine.run(f"{APT} --allow-downgrades"
                " -o Dpkg::Options::=--force-confold /debs/*.deb")
    machine.until("systemctl status chorus-worker | grep -q Replicating")
    machine.run("nginx -t && systemctl restart nginx")
    put(machine, "downgraded")
    idle(machine)


# ---- the end

def test_scripts_may_run_twice(machine):
    before = snapshot(machine.folder)
    machine.run("""
        set -e
        for package in chorus-worker libnginx-mod-http-chorus; do
            for _ in 1 2; do
                DPKG_MAINTSCRIPT_PACKAGE=$package \\
                    /var/lib/dpkg/info/$package.postinst configure 0.1.0
            done
        done
        dpkg-reconfigure chorus-worker libnginx-mod-http-chorus
    """)
    assert differing(before, snapshot(machine.folder)) == []


def test_removed_it_leaves_what_is_configured_and_what_waits(machine):
    machine.run("systemctl kill -s STOP redis-server")
    put(machine, "waits")
    machine.run(f"""
        set -e
        mv /root/nginx.conf /etc/nginx/nginx.conf
        rm /etc/nginx/mine.conf
        systemctl restart nginx
        ls /var/lib/chorus/journal/*.seg
        apt-get remove -y -q {OURS}
        nginx -t
        systemctl is-active nginx
        [ $(systemctl is-active chorus-worker) = inactive ] || \\
            [ $(systemctl is-active chorus-worker) = failed ] || exit 1
        grep -q '^# mine' /etc/nginx/chorus_server.conf
        test -s /etc/default/chorus-worker
        ls /var/lib/chorus/journal/*.seg
        systemctl kill -s CONT redis-server
    """)


def purge(machine):
    machine.run(f"apt-get purge -y -q {OURS}")
    assert machine.run("systemctl is-system-running").strip() == "running"


def left(machine):
    return differing(machine.before, snapshot(machine.folder))


def test_purged_it_leaves_what_is_the_users(machine):
    """A user is left, too, and nothing else of it: no file, no link, no state
    of a unit."""
    machine.run("rm -r /etc/systemd/system/nginx.service.d")
    machine.run("systemctl daemon-reload; systemctl restart nginx;"
                " systemctl reset-failed")
    purge(machine)
    mine = ["/etc/chorus", "/etc/chorus/api.token", "/etc/chorus/chorus.json"]
    assert left(machine) == mine
    # once more, of what dpkg has forgotten
    machine.run("""
        set -e
        for deb in /debs/*.deb; do
            dpkg-deb -e $deb /root/control
            [ ! -e /root/control/postrm ] || /root/control/postrm purge
            rm -r /root/control
        done
    """)
    assert left(machine) == mine


def test_installed_again_it_is_as_before(machine):
    machine.run(f"{APT} /debs/*.deb")
    machine.until("systemctl status chorus-worker | grep -q Replicating")
    machine.run("""
        set -e
        cp /usr/share/doc/libnginx-mod-http-chorus/examples/nginx.conf \\
            /etc/nginx/again.conf
        nginx -t -c /etc/nginx/again.conf
        rm /etc/nginx/again.conf
        test -e /etc/nginx/modules-enabled/50-mod-http-chorus.conf
        rm -r /etc/chorus
        systemctl stop chorus-worker
    """)
    purge(machine)
    assert left(machine) == []
