"""The sources in a chroot, what is built of them there, and what is tried."""

import glob
import os
import subprocess

import chroot

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

# the other Debian than that of `make check`
TRIED = ["trixie"]

# what t/*.t and t/e2e need there
TOOLS = """
    redis-server openssl curl procps iproute2 prometheus libcmocka-dev clang
    perl libtest-base-perl libwww-perl liburi-perl liblist-moreutils-perl
    libtext-diff-perl libtest-longstring-perl libipc-run-perl
    ceph-mon ceph-osd radosgw ceph-common libjs-chart.js
    python3 python3-boto3 python3-pytest python3-redis python3-yaml
    python3-selenium
"""

# each says in its last line how it went
TRY = r"""
    set -eu
    rm -rf build/try
    mkdir -p build/try
    for deb in build/packages/*.deb; do
        dpkg-deb -x $deb build/try
    done
    module=$PWD/build/try/usr/lib/nginx/modules/ngx_http_chorus_module.so
    echo "tried: $(nginx -v 2>&1), $(redis-server --version | cut -d' ' -f1-3)"
    echo "tried: $(gcc --version | head -n 1), $(clang --version | head -n 1)"

    TEST_NGINX_TIMEOUT=40 CHORUS_MODULE=$module t/lib/prove -j6 t/*.t || :

    make -j2 all unit
    for test in t/unit/*.c; do
        program=build/unit/$(basename $test .c)
        $program > build/try/said 2>&1 \
            || { cat build/try/said; echo "unit: $program failed"; }
    done
    echo "unit: $(ls t/unit/*.c | wc -l) programs"
    make -j2 BUILD=build/clang CC=clang OPT=-O0 all
    echo "clang: built"

    CHORUS_BUILD=$PWD/build PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 \
        python3 -B -m pytest -q -p no:cacheprovider t/e2e/test_writes.py || :
"""


def put(folder):
    """The tree as /src, without what was built of it here."""
    os.makedirs(f"{folder}/src")
    tar = subprocess.Popen(
        ["tar", "-c", "-C", ROOT, "--exclude=./build", "--exclude=./.git",
         "--exclude=__pycache__", "."], stdout=subprocess.PIPE)
    chroot.call(["tar", "-x", "-C", f"{folder}/src"], stdin=tar.stdout)
    assert tar.wait() == 0


class Built:
    """A clean Debian in which `make deb` has run; then come more packages, for
    what is tried there."""

    def __init__(self, suite):
        self.suite = suite
        self.folder = chroot.copy(suite, f"build-{suite}")
        put(self.folder)
        self.run("apt-get update -q && apt-get install -y -q"
                 " --no-install-recommends make && make deb")
        tools = TOOLS.split() if suite in TRIED else []
        self.run("apt-get install -y -q --no-install-recommends "
                 + " ".join(["lintian", *tools]))

    def run(self, command, seconds=3600):
        return chroot.run(self.folder, command, cwd="/src", seconds=seconds)

    def try_all(self):
        return self.run(TRY)

    @property
    def packages(self):
        return f"{self.folder}/src/build/packages"

    def debs(self):
        return [path for path in glob.glob(f"{self.packages}/*.deb")
                if "dbgsym" not in path]

    def log(self):
        with open(f"{self.packages}/build.log", errors="replace") as f:
            return f.read()
