"""What the processes of the stack have logged."""

import os
import re

ALARM = re.compile(r"ERROR: \w+Sanitizer|runtime error:|exited on signal|"
                   r"\[(?:alert|emerg)\]|Assertion .* failed|out of memory")


class Logs:
    """Remembers where each log ends now: alarms() are those of later."""

    def __init__(self, folder):
        self.folder = f"{folder}/log"
        self.ends = {path: os.path.getsize(path) for path in self.paths()}

    def paths(self):
        return [f"{self.folder}/{name}" for name in os.listdir(self.folder)]

    def text(self, path):
        with open(path, "rb") as f:
            f.seek(self.ends.get(path, 0))
            return f.read().decode(errors="replace")

    def all_text(self):
        return {path: self.text(path) for path in self.paths()}

    def alarms(self, expected=()):
        """The first of each log whose line has none of these words."""
        found = []
        for path, text in self.all_text().items():
            for match in ALARM.finditer(text):
                begin = text.rfind("\n", 0, match.start()) + 1
                line = text[begin:begin + 500].partition("\n")[0]
                if any(words in line for words in expected):
                    continue
                found.append(f"{os.path.basename(path)}: "
                             + text[begin:match.end() + 1500])
                break
        return found

    def holding(self, secrets):
        """Names of logs in which one of these is."""
        return sorted({os.path.basename(path)
                       for path, text in self.all_text().items()
                       for secret in secrets if secret in text})
