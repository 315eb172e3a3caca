"""The shell blocks of the pages, and what they run beside: the parts of `make
demo` with two stores of the stack."""

import json
import os
import re
import secrets
import shutil
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from process import wait_until
from stack import BUILD, PROGRAMS, ROOT, free_ports, random_key
from store import Key, boto

# the functions of demo/start, without what it does
CUT = "\ndemo/stop --quiet\n"
START = """
. demo/functions
mkdir -p "$demo_dir/log" "$demo_dir/tmp"
make_keys
main_ak=$MAIN_AK main_sk=$MAIN_SK
follower_ak=$FOLLOWER_AK follower_sk=$FOLLOWER_SK
write_config
sed -i 's/"demo"/"alice"/' "$demo_dir/chorus.json"
# so that requests may be routed there
sed -i "s/^    upstream main/    upstream follower { server \\
    127.0.0.1:$demo_follower_port; }\\n&/" "$demo_dir/nginx.conf"
start_redis
start_nginx
start_worker
write_env
mkdir -p etc/chorus
ln -s "$demo_dir/chorus.json" "$demo_dir/api.token" etc/chorus/
"""
# what a page other than the README finds
GIVEN = """
. build/demo/env
export AWS_ACCESS_KEY_ID=$CHORUS_ACCESS_KEY
export AWS_SECRET_ACCESS_KEY=$CHORUS_SECRET_KEY AWS_DEFAULT_REGION=us-east-1
"""
KEYS = ["2024/a.jpg", "2024/b.jpg", "raw/c.raw"]        # of the bucket photos
NGINX = """#!/bin/sh
exec %s -p %s/build/demo -c %s/build/demo/nginx.conf "$@"
"""


def blocks(page):
    """[(line, text, language, what it says)] of those that are to run; what
    it says is the block right behind it, or None."""
    with open(f"{ROOT}/{page}", encoding="utf-8") as f:
        text = f.read()
    return [(text[:m.start()].count("\n") + 2, *m.groups()) for m in
            re.finditer(r"^```sh runnable\n(.*?)^```\n"
                        r"(?:\n```(text|json)\n(.*?)^```)?", text,
                        re.M | re.S)]


def words(line):
    """What of a line does not depend on the moment: no figures, no units, no
    ids."""
    line = re.sub(r"\S*[-/.:]*\w*\d[\w.:/-]*", " ", line)
    return re.findall("[A-Za-z:]{3,}", line)


def shape(value):
    """Names of members, at all depths."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return None


def is_within(told, found):
    if isinstance(told, dict):
        return isinstance(found, dict) and all(
            name == "..." or name in found and is_within(one, found[name])
            for name, one in told.items())
    if isinstance(told, list):
        # there may be none at that moment
        return isinstance(found, list) and (
            not (told and found) or is_within(told[0], found[0]))
    return True


def differs(language, told, found):
    """What the page says that was not said, or None."""
    if language == "json":
        found = json.loads(found.strip().splitlines()[-1])
        return None if is_within(shape(json.loads(told)), shape(found)) \
            else f"{told}\n-- but --\n{found}"
    said = [words(line) for line in found.splitlines()]
    return next((line for line in told.splitlines()
                 if words(line) not in said), None)


def add_user(store, key):
    name = f"docs-{secrets.token_hex(4)}"
    store.run("add-user", "--access-key", key.access, "--secret-key",
              key.secret, "--uid", name, "--display", name)


class Desk:
    """A folder in which the pages are tried out."""

    def __init__(self, folder, stack):
        self.folder = str(folder)
        s3, admin, redis = free_ports(3)
        keys = [random_key("DOCSM"), random_key("DOCSF")]
        # users of their own: nobody else's buckets are touched
        with ThreadPoolExecutor() as pool:
            list(pool.map(add_user, (stack.main, stack.follower), keys))
        self.admin_url = f"http://127.0.0.1:{admin}"
        self.places = {"http://127.0.0.1:9671": self.admin_url,
                       "http://127.0.0.1:9669": f"http://127.0.0.1:{s3}",
                       "/etc/chorus": f"{folder}/etc/chorus"}
        self.env = {
            "PATH": f"{folder}/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": self.folder, "LC_ALL": "C.UTF-8",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "ADMIN_URL": self.admin_url,
            "ADMIN_TOKEN_FILE": f"{folder}/etc/chorus/api.token",
            "CHORUS_DEMO_S3_PORT": str(s3),
            "CHORUS_DEMO_ADMIN_PORT": str(admin),
            "CHORUS_DEMO_REDIS_PORT": str(redis),
            "CHORUS_DEMO_MAIN_PORT": str(stack.main.port),
            "CHORUS_DEMO_FOLLOWER_PORT": str(stack.follower.port)}
        self.keys = dict(zip(("MAIN", "FOLLOWER"), keys))
        self.lay_out()
        # ends what was started, however we end
        self.guard = subprocess.Popen(
            ["sh", "-c", "read -r _; demo/stop --quiet"], cwd=self.folder,
            env=self.env, stdin=subprocess.PIPE, start_new_session=True)

    def lay_out(self):
        folder = self.folder
        shutil.copytree(f"{ROOT}/demo", f"{folder}/demo")
        with open(f"{folder}/demo/start", encoding="utf-8") as f:
            functions, _, rest = f.read().partition(CUT)
        assert rest, "demo/start is another one"
        with open(f"{folder}/demo/functions", "w", encoding="utf-8") as f:
            f.write(functions)
        for name in ("README.md", "conf", "ui"):
            os.symlink(f"{ROOT}/{name}", f"{folder}/{name}")
        for name in ("build", "bin"):
            os.mkdir(f"{folder}/{name}")
        for name in PROGRAMS:
            os.symlink(f"{BUILD}/{name}", f"{folder}/build/{name}")
        for name in PROGRAMS[1:]:
            os.symlink(f"{BUILD}/{name}", f"{folder}/bin/{name}")
        with open(f"{folder}/bin/nginx", "w", encoding="utf-8") as f:
            binary = os.environ.get("TEST_NGINX_BINARY", "/usr/sbin/nginx")
            f.write(NGINX % (binary, folder, folder))
        os.chmod(f"{folder}/bin/nginx", 0o755)

    def shell(self, text, **env):
        """Runs it; (exit code, output)."""
        done = subprocess.run(
            ["bash", "-e", "-u", "-o", "pipefail", "-c", text],
            cwd=self.folder, env=dict(self.env, **env), text=True,
            errors="replace", stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
        return done.returncode, done.stdout

    def start(self):
        keys = {f"{store}_{part}": text for store, key in self.keys.items()
                for part, text in (("AK", key.access), ("SK", key.secret))}
        code, out = self.shell(f"{START}\necho $chorus_ak $chorus_sk", **keys)
        assert code == 0, out
        s3 = boto(self.places["http://127.0.0.1:9669"],
                  Key(*out.split()[-2:]))
        s3.create_bucket(Bucket="photos")
        for key in KEYS:
            s3.put_object(Bucket="photos", Key=key, Body=key.encode() * 1000)

    def run(self, page):
        """Exit code, all output, what of the page is not so."""
        text = "" if page == "README.md" else GIVEN
        for line, block, _, _ in blocks(page):
            text += f"echo '== {page}:{line}'\n{block}\n"
        text = re.sub("|".join(self.places),
                      lambda m: self.places[m.group()], text)
        code, out = self.shell(text)
        for name, place in self.places.items():
            out = out.replace(place, name)
        wrong = []
        for line, _, language, told in blocks(page):
            said = re.search(rf"^== {page}:{line}\n(.*?)(?=^== |\Z)", out,
                             re.M | re.S)
            if code == 0 and language:
                wrong.append(differs(language, told, said.group(1)))
        return code, out, [text for text in wrong if text is not None]

    def api(self, path, method="GET"):
        with open(f"{self.folder}/etc/chorus/api.token") as f:
            token = f.read().strip()
        request = urllib.request.Request(
            self.admin_url + path, method=method,
            headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=30) as r:
            return json.loads(r.read())

    def settle(self):
        """Without the rules that the page before has left; nothing waits."""
        for kind in ("replications", "routes", "blocks", "pauses"):
            for rule in self.api(f"/api/v1/{kind}")["rules"]:
                self.api(f"/api/v1/{kind}/{rule['id']}", "DELETE")
        code, out = self.shell("chorusctl repl wait")
        assert code == 0, out

        def waits():
            status = self.api("/api/v1/status")
            rows = status["queue"]["replications"]
            return not rows or status["proxy"]["waiting"] or any(
                row[place] for row in rows
                for place in ("dirty", "bulk", "busy", "again", "retry"))
        wait_until(lambda: not waits(), 30, "the follower has everything")

    def end(self):
        self.guard.stdin.close()
        self.guard.wait()
