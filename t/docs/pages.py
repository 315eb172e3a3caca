"""The pages and the sources that they are held against."""

import functools
import glob
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("CHORUS_BUILD", "build"))
PAGES = sorted(os.path.relpath(p, ROOT) for p in
               glob.glob(f"{ROOT}/*.md") + glob.glob(f"{ROOT}/docs/*.md")
               + glob.glob(f"{ROOT}/docker/*.md")
               + glob.glob(f"{ROOT}/t/lib/*.md"))


@functools.cache
def read(*paths):
    text = []
    for path in paths:
        names = sorted(glob.glob(f"{ROOT}/{path}"))
        assert names, path
        for name in names:
            with open(name, encoding="utf-8") as f:
                text.append(f.read())
    return "\n".join(text)


def section(page, heading):
    """Its lines up to the next heading of that level or above."""
    level = re.match("#+", heading).group()
    rest = behind(read(page), heading)
    return re.split(rf"\n#{{1,{len(level)}}} ", rest)[0]


def behind(text, heading):
    """What follows the heading; a comment of a shell block is none."""
    rest = text.split(f"\n{heading}\n", 1)[1]
    return re.sub(r"^```.*?^```", lambda m: re.sub("^#", " #", m.group(),
                                                  flags=re.M),
                  rest, flags=re.M | re.S)


def code(page, language):
    """(line, text, other words of the info string) of each block of that
    language."""
    text = read(page)
    return [(text[:m.start()].count("\n") + 1, m.group(2),
             m.group(1).split()) for m in
            re.finditer(rf"^```{language}\b([^\n]*)\n(.*?)^```", text,
                        re.M | re.S)]


def anchors(path):
    text = re.sub(r"^```.*?^```", "", read(path), flags=re.M | re.S)
    return {slug(h) for h in re.findall(r"^#+ (.*)$", text, re.M)}


def slug(heading):
    """The anchor that GitHub makes of it."""
    heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
