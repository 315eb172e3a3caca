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


def fingerprint(stage):
    """Of what the image is made; None if that is too much to tell."""
    digest = hashlib.sha256(repr(stage.steps).encode())
    for word, text in stage.steps:
        if word == "COPY":
            *sources, _ = shlex.split(text)
            if sources == ["."] or sources[0].startswith("--from"):
                return None
            for source in sources:
                with open(f"{dockerfile.ROOT}/{source}", "rb") as f:
                    digest.update(f.read())
    return digest.hexdigest()


def build_stage(stage, name, stages):
    """Returns the folder that is the image; that of the last time, if it would
    be made of the same."""
    key, mark = fingerprint(stage), f"{chroot.CACHE}/{name}.made-of"
    if key and os.path.exists(mark) and open(mark).read() == key:
        stages[stage.name] = f"{chroot.CACHE}/{name}"
        return stages[stage.name]

    folder = chroot.copy(SUITES[stage.base], name)
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
    if key:
        with open(mark, "w") as f:
            f.write(key)
    stages[stage.name] = folder
    return folder


def build(path, target, name, stages):
    """The stages up to `target`, those it is made of; `stages`: the folders of
    those that were built before."""
    for stage in dockerfile.parse(path):
        is_last = stage.name == target or target is None
        needed = is_last or any(
            f"--from={stage.name}" in text
            for word, text in dockerfile.target(path, target).steps)
        if needed and stage.name not in stages:
            build_stage(stage, name if is_last else f"{name}-{stage.name}",
                        stages)
        if is_last:
            return stages[stage.name]
    raise KeyError(target)
