"""Builds what a Dockerfile says in a folder, with Debian's tools alone: each
instruction in order, in a chroot."""

import glob
import hashlib
import os
import shlex
import shutil

import chroot
import dockerfile

SUITES = {"debian:bookworm-slim": "bookworm"}

# what a "slim" image does not have, and dpkg leaves out of packages there, too
SLIM = """
cd /usr/share
cat > /etc/dpkg/dpkg.cfg.d/docker <<END
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/groff/*
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-include /usr/share/locale/locale.alias
path-exclude /usr/share/man/*
END
rm -rf groff info/* lintian locale/* man/*
find doc ! -type d ! -name copyright -delete
"""


def put(source, folder, cwd, to):
    """COPY of one file: to a folder if `to` is one or ends in a slash."""
    place = os.path.join(folder, os.path.join(cwd, to).lstrip("/"))
    if to.endswith("/") or os.path.isdir(place):
        place = os.path.join(place, os.path.basename(source))
    os.makedirs(os.path.dirname(place), exist_ok=True)
    shutil.copy(source, place)


def copy(folder, cwd, text, stages):
    words = shlex.split(text)
    origin = None
    if words[0].startswith("--from="):
        origin = stages[words.pop(0)[len("--from="):]]
    *sources, to = words

    if sources == ["."]:
        for path in dockerfile.context():
            put(f"{dockerfile.ROOT}/{path}", folder, cwd, f"{to}/{path}")
        return

    files = set(dockerfile.context())
    for source in sources:
        if origin is None:
            assert source in files, f"{source} is not in the context"
            put(f"{dockerfile.ROOT}/{source}", folder, cwd, to)
            continue
        found = glob.glob(origin + source)
        assert found, f"{source} is not in {origin}"
        for path in found:
            put(path, folder, cwd, to)


def made_of(stage, path):
    """A digest of the instructions and of all files that they copy."""
    digest = hashlib.sha256(repr((SLIM, stage.steps)).encode())
    for word, text in stage.steps:
        if word != "COPY":
            continue
        *sources, _ = shlex.split(text)
        if sources[0].startswith("--from="):
            origin = dockerfile.target(path, sources[0][len("--from="):])
            digest.update(made_of(origin, path).encode())
            continue
        for source in dockerfile.context() if sources == ["."] else sources:
            with open(f"{dockerfile.ROOT}/{source}", "rb") as f:
                digest.update(source.encode() + f.read())
    return digest.hexdigest()


def build_stage(stage, name, stages, path):
    """Returns the folder that is the image; that of the last time, if it would
    be made of the same."""
    key, mark = made_of(stage, path), f"{chroot.CACHE}/{name}.made-of"
    if os.path.exists(mark) and open(mark).read() == key:
        stages[stage.name] = f"{chroot.CACHE}/{name}"
        return stages[stage.name]

    if os.path.exists(mark):
        os.unlink(mark)
    folder = chroot.copy(SUITES[stage.base], name)
    chroot.run(folder, SLIM)
    cwd, env = "/", {}
    for word, text in stage.steps:
        if word == "WORKDIR":
            cwd = text
            os.makedirs(folder + cwd, exist_ok=True)
        elif word == "COPY":
            copy(folder, cwd, text, stages)
        elif word == "ENV":
            env.update(stage.env())
        elif word == "RUN":
            chroot.run(folder, text, env, cwd)
    with open(mark, "w") as f:
        f.write(key)
    stages[stage.name] = folder
    return folder


def build(path, target, name, stages):
    """Returns the folder of that stage, with those before it that it copies
    from; `stages`: the folders of all that were built."""
    for stage in dockerfile.parse(path):
        is_last = stage.name == target or target is None
        needed = is_last or any(
            f"--from={stage.name}" in text
            for word, text in dockerfile.target(path, target).steps)
        if needed and stage.name not in stages:
            build_stage(stage, name if is_last else
                        f"image-{stage.name}-{os.path.basename(path)}",
                        stages, path)
        if is_last:
            return stages[stage.name]
    raise KeyError(target)
