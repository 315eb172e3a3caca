"""A private folder, and an end for what must not outlive the tests."""

import contextlib
import os
import shutil
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

# waits for our end of the pipe to close, however that comes
GUARD = """
read -r _
for store in main follower; do
    "$1/t/lib/ceph-store" stop $store --dir "$2" --purge
done
rm -rf "$2"
"""


@contextlib.contextmanager
def guarded(prefix, keep=None):
    """A new folder; at the end its log/ is copied to `keep`, and the stores
    in it are stopped."""
    folder = tempfile.mkdtemp(prefix=prefix)
    guard = subprocess.Popen(["sh", "-c", GUARD, "guard", ROOT, folder],
                             stdin=subprocess.PIPE, start_new_session=True,
                             stdout=subprocess.DEVNULL)
    try:
        yield folder
    finally:
        if keep and os.path.isdir(f"{folder}/log"):
            shutil.copytree(f"{folder}/log", keep, dirs_exist_ok=True)
        guard.stdin.close()
        guard.wait()
