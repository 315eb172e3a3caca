"""A Debian that has booted: systemd is its first process, in namespaces of its
own (processes, mounts, network).  As root; needs no systemd outside."""

import os
import signal
import subprocess
import time

import chroot

# a group of its own, which the new namespace has as its root
ENTER = r"""
set -e
mount -t cgroup2 cgroup "$1/mnt"
mkdir -p "$1/mnt/$2"
echo $$ > "$1/mnt/$2/cgroup.procs"
umount "$1/mnt"
exec unshare --pid --fork --ipc --uts --net --cgroup --kill-child \
    sh -c "$3" boot "$1"
"""

BOOT = r"""
set -e
ip link set lo up
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
for name in null zero full random urandom tty; do
    touch dev/$name
    mount --bind /dev/$name dev/$name
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount --bind "$ARCHIVES" var/cache/apt/archives
mkdir run/old
pivot_root . run/old
cd /
umount -l /run/old
rmdir /run/old
# nor does it touch the kernel's modules
exec env -i container=chorus PATH=$PATH LC_ALL=C.UTF-8 \
    setpriv --bounding-set -sys_module /lib/systemd/systemd
"""

# groups are empty when their processes are gone
FORGET = """
mount -t cgroup2 cgroup "$1/mnt"
find "$1/mnt/$2" -depth -type d -exec rmdir {} +
"""


class Machine:
    """Of a folder; a context.  `run` is a command of its root's shell."""

    def __init__(self, folder):
        self.folder = folder
        self.group = f"chorus-{os.path.basename(folder)}-{os.getpid()}"

    def own_mounts(self, script, *arguments):
        return ["unshare", "-m", "--propagation", "private", "sh", "-c",
                script, "sh", self.folder, self.group, *arguments]

    def __enter__(self):
        environment = {"PATH": chroot.PATH,
                       "ARCHIVES": chroot.archives(self.folder)}
        with open(f"{self.folder}.log", "wb") as log:
            self.popen = subprocess.Popen(
                self.own_mounts(ENTER, BOOT), env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        try:
            self.state = self.wait_running()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_running(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert self.popen.poll() is None, open(f"{self.folder}.log").read()
            try:
                said = self.run("systemctl is-system-running || :").strip()
            except chroot.Failed:
                said = ""
            if said in ("running", "degraded"):
                return said
            time.sleep(0.2)
        raise AssertionError(f"it does not boot: {said}")

    def first_process(self):
        pid = self.popen.pid
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            children = f.read().split()
        if not children:
            raise chroot.Failed("has no process yet")
        return children[0]

    def enter(self, command):
        return ["nsenter", "-t", self.first_process(), "-m", "-p", "-i", "-u",
                "-n", "-C", "env", "-i", f"PATH={chroot.PATH}",
                "LC_ALL=C.UTF-8", "HOME=/root",
                "DEBIAN_FRONTEND=noninteractive", "sh", "-c", command]

    def run(self, command, seconds=600):
        return chroot.call(self.enter(command), seconds)

    def until(self, command, seconds=60):
        """Until that succeeds; what it said then."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.run(command)
            except chroot.Failed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def __exit__(self, *_):
        # its first process goes with it, and all others with that
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()
        time.sleep(0.5)
        subprocess.run(self.own_mounts(FORGET), timeout=60,
                       stderr=subprocess.DEVNULL, check=False)
