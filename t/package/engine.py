#!/usr/bin/python3
"""What of an engine docker/smoke.sh and compose.yml need, where there is none:

    engine.py compose [--profile P] build|up|ps|exec|run|logs|down ...
    engine.py docker kill ID

An image is a folder that t/package/image.py made; a container is a process in
it with its own mounts, processes and network, the user, environment, secrets
and volumes of compose.yml, a read-only root and no capabilities.  As root.
"""

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time

import yaml

import chroot
import dockerfile
import image

STATE = f"{chroot.CACHE}/engine"
COMPOSE = f"{dockerfile.ROOT}/docker/compose.yml"
DOCKER = os.path.dirname(COMPOSE)
SWITCH = "chorus-switch"

# $1 root, $2 user:group, $3 folder of mounts; then the command.  What is
# mounted below the root is in that folder, by its path there.
START = """
set -e
root=$1 uid=${2%:*} gid=${2#*:} mounts=$3; shift 3
mount --bind "$root" "$root"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -p "$root/run/secrets" "$root/data" "$root/etc/chorus"
touch "$root/etc/hosts"
mount --bind "$mounts/hosts" "$root/etc/hosts"
while read -r from to; do
    [ ! -f "$from" ] || : > "$root$to"
    mount --bind "$from" "$root$to"
done < "$mounts/list"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
exec chroot "$root" setpriv --reuid "$uid" --regid "$gid" --clear-groups \
    --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


def environment():
    """.env, as compose reads it: what is set anyway wins."""
    with open(f"{DOCKER}/.env") as f:
        return {**dict(line.rstrip("\n").split("=", 1) for line in f),
                **os.environ}


def project():
    """compose.yml with its variables filled in."""
    env = environment()

    def value(match):
        name, default = match.group(1), match.group(2) or ""
        return env.get(name) or (default[2:] if default[:2] == ":-" else "")
    with open(COMPOSE) as f:
        return yaml.safe_load(re.sub(r"\$\{(\w+)(:[-?][^}]*)?\}", value,
                                     f.read()))


def active(services):
    profiles = environment()["COMPOSE_PROFILES"].split(",")
    return {name: s for name, s in services.items()
            if not s.get("profiles") or set(s["profiles"]) & set(profiles)}


def image_name(service):
    return "image-" + service["image"].split(":")[0]


def stage_of(service):
    return dockerfile.target(service["build"]["dockerfile"],
                             service["build"].get("target"))


def build(services):
    stages, built = {}, set()
    for service in services.values():
        name = image_name(service)
        if name in built:
            continue
        path = service["build"]["dockerfile"]
        begin = time.monotonic()
        image.build(path, service["build"].get("target"), name,
                    stages.setdefault(path, {}))
        built.add(name)
        print(f"{name}: {time.monotonic() - begin:.0f} s", flush=True)


# ---- containers

class Container:
    def __init__(self, **facts):
        self.__dict__.update(facts)
        self.file = f"{STATE}/containers/{self.id}.json"

    def save(self):
        with open(self.file, "w") as f:
            json.dump({k: v for k, v in self.__dict__.items()
                       if k != "file"}, f)

    def is_running(self):
        try:
            with open(f"/proc/{self.pid}/stat") as f:
                text = f.read()
        except (FileNotFoundError, ProcessLookupError):
            return False
        fields = text[text.rindex(")") + 2:].split()
        return fields[0] != "Z" and fields[19] == self.started

    def inside(self):
        """The pid here of its process 1."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
            return int(f.read().split()[0])

    def command(self, words):
        return ["nsenter", "-t", str(self.inside()), "-m", "-p", "-n", "-r",
                "-w",
                "setpriv", "--reuid", self.user.split(":")[0], "--regid",
                self.user.split(":")[1], "--clear-groups", "--no-new-privs",
                "--bounding-set=-all", "--inh-caps=-all",
                "env", "-i", *self.env, *words]

    def is_healthy(self):
        try:
            return self.is_running() and subprocess.run(
                self.command(self.health), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                timeout=10).returncode == 0
        except (subprocess.TimeoutExpired, IndexError, FileNotFoundError):
            return False

    def signal(self, number, seconds=60):
        with contextlib.suppress(ProcessLookupError, IndexError,
                                 FileNotFoundError):
            os.kill(self.inside(), number)
        end = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.1)

    def forget(self):
        subprocess.run(["ip", "netns", "del", self.id], check=False,
                       stderr=subprocess.DEVNULL)
        os.unlink(self.file)


def containers(service=None):
    found = []
    os.makedirs(f"{STATE}/containers", exist_ok=True)
    for name in sorted(os.listdir(f"{STATE}/containers")):
        with open(f"{STATE}/containers/{name}") as f:
            container = Container(**json.load(f))
        if service in (None, container.service):
            found.append(container)
    return sorted(found, key=lambda c: c.number)


def ip(*words):
    chroot.call(["ip", *words])


def network(container_id, number):
    """A network of its own with a cable to the switch."""
    if SWITCH not in chroot.call(["ip", "netns", "list"]):
        ip("netns", "add", SWITCH)
        ip("-n", SWITCH, "link", "add", "br0", "type", "bridge")
        ip("-n", SWITCH, "link", "set", "br0", "up")
    ip("netns", "add", container_id)
    ip("-n", container_id, "link", "add", "eth0", "type", "veth", "peer",
       "name", f"p{number}", "netns", SWITCH)
    ip("-n", SWITCH, "link", "set", f"p{number}", "master", "br0", "up")
    ip("-n", container_id, "addr", "add", f"10.77.0.{number}/24", "dev",
       "eth0")
    ip("-n", container_id, "link", "set", "eth0", "up")
    ip("-n", container_id, "link", "set", "lo", "up")


def write_hosts():
    """In place: it is mounted everywhere."""
    text = "127.0.0.1 localhost\n" + "".join(
        f"10.77.0.{c.number} {c.service}\n" for c in containers()
        if c.is_running())
    with open(f"{STATE}/hosts", "a+") as f:
        f.seek(0)
        f.truncate()
        f.write(text)


def mounts(name, service, folder):
    """Files and folders of the host at places of the container."""
    os.makedirs(folder, exist_ok=True)
    rows = [(f"{DOCKER}/secrets/{s}", f"/run/secrets/{s}")
            for s in service.get("secrets", [])]
    for volume in service.get("volumes", []):
        source, place = volume.split(":")[:2]
        if source.startswith("./"):
            source = f"{DOCKER}/{source[2:]}"
        else:
            source = f"{STATE}/volumes/{source}"
            if not os.path.exists(source):      # as it is in the image
                os.makedirs(source)
                root = f"{chroot.CACHE}/{image_name(service)}"
                os.chmod(source, os.stat(root + place).st_mode & 0o7777)
        rows.append((source, place))
    with open(f"{folder}/list", "w") as f:
        f.writelines(f"{a} {b}\n" for a, b in rows)
    if not os.path.exists(f"{folder}/hosts"):
        open(f"{STATE}/hosts", "a").close()
        os.link(f"{STATE}/hosts", f"{folder}/hosts")


def launch(name, service, words, number=None, **popen):
    """(container, process)"""
    taken = {c.number for c in containers()}
    number = number or next(n for n in range(2, 250) if n not in taken)
    container_id = f"chorus-{name}-{number}-{secrets.token_hex(3)}"
    folder = f"{STATE}/mounts/{container_id}"
    stage = stage_of(service)
    env = {"PATH": chroot.PATH, "HOSTNAME": f"{name}-{number}",
           **stage.env(), **service.get("environment", {})}
    mounts(name, service, folder)
    network(container_id, number)
    words = stage.words("ENTRYPOINT") + (words or stage.words("CMD"))
    process = subprocess.Popen(
        ["ip", "netns", "exec", container_id, "unshare", "-m",
         "--propagation", "private", "-p", "-f", "--kill-child", "sh", "-c",
         START, "start", f"{chroot.CACHE}/{image_name(service)}",
         service["user"], folder, "env", "-i",
         *(f"{k}={v}" for k, v in env.items()), *words],
        start_new_session=True, **popen)
    with open(f"/proc/{process.pid}/stat") as f:
        text = f.read()
    health = stage.last("HEALTHCHECK", "NONE").partition("CMD ")[2]
    container = Container(
        id=container_id, service=name, number=number, pid=process.pid,
        started=text[text.rindex(")") + 2:].split()[19],
        user=service["user"], env=[f"{k}={v}" for k, v in env.items()],
        health=json.loads(health) if health else [],
        stop=stage.last("STOPSIGNAL", "SIGTERM"))
    container.save()
    write_hosts()
    return container, process


def wait_healthy(name, seconds=240):
    end = time.monotonic() + seconds
    while not all(c.is_healthy() for c in containers(name)):
        assert time.monotonic() < end, f"{name} is not healthy"
        assert all(c.is_running() for c in containers(name)), f"{name} ended"
        time.sleep(0.5)


def start(name, service, count):
    running = [c for c in containers(name) if c.is_running()]
    for c in containers(name):
        if not c.is_running():
            c.forget()
    for need, how in service.get("depends_on", {}).items():
        assert how == {"condition": "service_healthy"}
        wait_healthy(need)
    for _ in range(count - len(running)):
        with open(f"{STATE}/{name}.log", "ab") as log:
            # as an engine does, so that /dev/stdout can be opened
            os.fchown(log.fileno(), *map(int, service["user"].split(":")))
            launch(name, service, [], stdin=subprocess.DEVNULL, stdout=log,
                   stderr=log)


def in_order(services):
    """Those that others depend on first."""
    done = []
    while len(done) < len(services):
        done += [n for n, s in services.items() if n not in done
                 and set(s.get("depends_on", {})) <= set(done)]
    return done


def up(services, args):
    counts = dict(a.split("=") for a in args if "=" in a)
    wanted = active(services)
    if "--build" in args:
        build(services)
    # a container starts when what it depends on is healthy
    for name in in_order(wanted):
        start(name, wanted[name], int(counts.get(
            name, wanted[name].get("scale", 1))))


def run(services, args):
    args = [a for a in args if a not in ("--rm", "-T")]
    container, process = launch(args[0], services[args[0]], args[1:])
    code = process.wait()
    container.forget()
    return code


def down():
    found = containers()
    for c in found:
        with contextlib.suppress(ProcessLookupError, IndexError,
                                 FileNotFoundError):
            os.kill(c.inside(), getattr(signal, c.stop))
    for c in found:
        c.signal(0)
        c.forget()
    subprocess.run(["ip", "netns", "del", SWITCH], check=False,
                   stderr=subprocess.DEVNULL)
    chroot.remove(STATE)


def compose(args):
    services = project()["services"]
    while args[0] == "--profile":       # down ends all there is
        args = args[2:]
    word, *args = args
    if word == "build":
        build(services)
    elif word == "up":
        up(services, args)
    elif word == "ps" and "-q" in args:
        print("\n".join(c.id for c in containers(args[-1])
                        if c.is_running()))
    elif word == "ps":
        for c in containers():
            state = "Exit" if not c.is_running() else "Up (healthy)" \
                if c.is_healthy() else "Up (unhealthy)"
            print(f"{c.id:40} {state}")
    elif word == "exec":
        args = [a for a in args if a != "-T"]
        running = [c for c in containers(args[0]) if c.is_running()]
        return subprocess.run(running[0].command(args[1:]),
                              timeout=300).returncode
    elif word == "run":
        return run(services, args)
    elif word == "logs":
        subprocess.run(f"tail -n 20 {STATE}/*.log", shell=True, check=False)
    elif word == "down":
        down()
    else:
        sys.exit(f"engine.py: no {word!r} here")
    return 0


def docker(args):
    """kill ID"""
    assert args[0] == "kill"
    next(c for c in containers() if c.id == args[-1]).signal(signal.SIGKILL)
    write_hosts()
    return 0


if __name__ == "__main__":
    os.makedirs(STATE, exist_ok=True)
    sys.exit({"compose": compose, "docker": docker}[sys.argv[1]](
        sys.argv[2:]))
