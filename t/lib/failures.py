"""What t/run tells once more at its end: of each failed test the lines that
say why, cut out of what pytest, t/lib/prove, cmocka or another program said.
Who sees only the end of a log has to know enough."""

import re

LINES = 20          # of one failure
WIDTH = 300         # of one line


def of_pytest(output):
    """Its sections of failures and errors, without what was captured."""
    found = []
    for section in re.split(r"^(?=_{3,} .* _{3,}$)", output, flags=re.M)[1:]:
        title, _, text = section.partition("\n")
        text = re.split(r"^=+ .* =+$", text, flags=re.M)[0]
        text, *captured = re.split(r"^-+ Captured (?=.* -+$)", text,
                                   flags=re.M)
        # a seed, say, which a test prints first
        printed = [line for part in captured
                   for line in part.splitlines()[1:4]]
        found.append((title.strip("_ "), last(text) + printed))
    return found


def of_prove(output):
    """A file each: which tests, and what was expected."""
    found = []
    for file in re.split(r"^(?=\S+\.t \.\. )", output, flags=re.M)[1:]:
        title, _, text = file.partition("\n")
        if " .. FAILED " not in title:
            continue
        text = text.partition("\nprove: ")[0]
        reasons = re.findall(r"^ *# +Failed test.*(?:\n *#.*){0,6}", text,
                             re.M)
        said = [line for reason in reasons for line in reason.splitlines()]
        found.append((title, said[:LINES] + [
            line for line in last(text) if line not in said]))
    return found


def of_cmocka(output):
    lines = [line for line in output.splitlines()
             if re.match(r"\[  (?:ERROR|FAILED| +SKIPPED) ", line)
             or "error:" in line.lower()]
    return [("", lines[:LINES] or last(output))]


def of_any(output):
    return [("", last(output))]


def last(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-LINES:]


def told(what, found):
    """Text for the end of a log."""
    out = []
    for title, lines in found:
        out.append(f"FAILED: {what}" + (f": {title}" if title else ""))
        out += ["    " + line[:WIDTH] for line in lines]
    return "\n".join(out)
